/* test_head.c - the head in another format: quantized in slices, kept by the desk, used by a
 * forward pass. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

static struct desk *d;
static struct err e;

static void set_up(void)
{
	work_home();
	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
}

static void tear_down(void)
{
	desk_close(d);
}

TestSuite(head, .init = set_up, .fini = tear_down, .timeout = 60);

Test(head, slices_make_what_the_whole_matrix_makes)
{
	const struct mat *got, *again;
	size_t rows = d->m->head.rows, cols = d->m->head.cols;
	float *w = xarray(rows * cols, sizeof *w), *row = xarray(cols, sizeof *row);
	float *want = xarray(cols, sizeof *want);
	struct qcodes q = { 0 };
	struct quant_input in = { .w = w, .rows = rows, .cols = cols, .backend = d->m->be };

	cr_assert_eq(desk_head(d, "int4g32", &got, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(got->rows, rows);
	cr_assert_eq(got->cols, cols);
	cr_assert_eq(got->bits, 4);
	d->m->be->dequant(w, &d->m->head, 0, rows);
	cr_assert_eq(qcodes_alloc(&q, format_int(4, 32), rows, cols, &e), ST_OK);
	cr_assert_eq(quantizer_find(quantizer_data_free)->run(&in, &q, NULL, &e), ST_OK);
	for (size_t r = 0; r < rows; r++) {
		qcodes_row(&q, r, want);
		mat_row_f32(got, r, row);
		cr_assert_eq(memcmp(row, want, cols * sizeof *row), 0, "row %zu", r);
	}
	cr_assert_eq(desk_head(d, "int4g32", &again, NULL, &e), ST_OK);
	cr_assert_eq(again, got, "made once");
	qcodes_release(&q);
	xfree(w);
	xfree(row);
	xfree(want);
}

Test(head, keep_is_the_models_own_and_a_mix_or_nonsense_is_refused)
{
	const struct mat *got = &d->m->head;

	cr_assert_eq(desk_head(d, "keep", &got, NULL, &e), ST_OK);
	cr_assert_null(got);
	cr_assert_eq(desk_head(d, "", &got, NULL, &e), ST_OK);
	cr_assert_null(got);
	cr_assert_eq(desk_head(d, "int4g64:3+int2g64", &got, NULL, &e), ST_UNSUPPORTED);
	cr_assert_neq(desk_head(d, "int9", &got, NULL, &e), ST_OK);
}

Test(head, a_stop_or_no_memory_leaves_none_and_it_can_be_asked_for_again)
{
	const struct mat *got;
	struct lib_stop stop;

	lib_stop_init(&stop, 1);
	cr_assert_eq(desk_head(d, "int8g64", &got, &stop.sink, &e), ST_CANCELLED);
	for (int nth = 1; nth <= 4; nth++) {
		alloc_fail_at((unsigned long)nth, false);
		cr_assert_eq(desk_head(d, "int8g64", &got, NULL, &e), ST_NOMEM, "%d", nth);
		alloc_fail_at(0, false);
	}
	cr_assert_null(d->head);
	cr_assert_eq(desk_head(d, "int8g64", &got, NULL, &e), ST_OK, "%s", e.msg);
}

Test(head, a_forward_pass_takes_it_and_gives_it_back)
{
	size_t vocab = d->m->hp.vocab;
	float *plain = xarray(vocab, sizeof *plain), *other = xarray(vocab, sizeof *other);
	int32_t *ids = lib_ids(3, vocab, 4);
	const struct mat *head;
	struct fwd *f;
	struct kv *kv;

	cr_assert_eq(desk_head(d, "int2g64", &head, NULL, &e), ST_OK);
	cr_assert_eq(fwd_new(&f, d->m, 8, &e), ST_OK);
	cr_assert_eq(kv_new(&kv, d->m, 8, KV_F32, &e), ST_OK);
	cr_assert_eq(fwd_prompt(f, d->m->ref, kv, ids, 3, plain, NULL, &e), ST_OK);
	fwd_set_head(f, head);
	kv->n = 0;
	cr_assert_eq(fwd_prompt(f, d->m->ref, kv, ids, 3, other, NULL, &e), ST_OK);
	cr_assert_neq(memcmp(plain, other, vocab * sizeof *plain), 0);
	fwd_set_head(f, NULL);
	kv->n = 0;
	cr_assert_eq(fwd_prompt(f, d->m->ref, kv, ids, 3, other, NULL, &e), ST_OK);
	cr_assert_eq(memcmp(plain, other, vocab * sizeof *plain), 0);
	kv_free(kv);
	fwd_free(f);
	xfree(ids);
	xfree(plain);
	xfree(other);
}
