/* test_lora_train.c - adapters as a run trains them: that they learn one batch by heart, what they
 * take, and that what is written is what was trained.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_base.h"
#include "tests/lib_lora.h"
#include "tests/lib_model.h"
#include "tests/lib_plain.h"
#include "tests/lib_train.h"

static struct train *learn(
	const struct taught *t, double lr, size_t steps, double *first, double *last)
{
	struct train_how how = taught_how("lora");
	struct train *run;

	how.tune.lr = lr;
	train_how_steps(&how, steps);
	run = taught_new(t, &how);
	*first = taught_steps(run, 1, NULL);
	*last = taught_steps(run, steps - 1, NULL);
	return run;
}

Test(lora_train, adapters_learn_one_batch_by_heart_beside_two_bit_linears, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int2g32", 8, 64, 0);
	double first, last;
	struct train *run = learn(&t, 0.02, 100, &first, &last);

	cr_expect_lt(last, 0.2 * first, "%g to %g", first, last);
	train_free(run);
	taught_close(&t);
}

Test(lora_train, what_a_run_wrote_does_the_same_to_a_model_that_reads_it, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	size_t n = ROWS * t.m->hp.vocab;
	double first, last;
	struct train *run = learn(&t, 0.02, 20, &first, &last);
	struct lora *back = NULL;
	struct err e = { 0 };
	float *plain, *a, *b;

	cr_assert_eq(lora_write(train_lora(run), tmp_path("adapter"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(lora_read(&back, t.m, tmp_path("adapter"), ROWS, &e), ST_OK, "%s", e.msg);
	plain = lib_logits(t.m, NULL, MATH_F32);
	a = lib_logits(t.m, (struct lora *)train_lora(run), MATH_F32);
	b = lib_logits(t.m, back, MATH_F32);
	cr_expect_arr_eq(a, b, n * sizeof *a);
	cr_expect_gt(lib_distance(plain, a, n), 0.1);
	xfree(plain);
	xfree(a);
	xfree(b);
	lora_free(back);
	train_free(run);
	taught_close(&t);
}

/* What they are beside is the desk's, whose variants go when better ones come. */
Test(lora_train, a_copy_outlives_the_linears_that_they_were_trained_beside, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_how how = taught_how("qlora");
	struct train *run = taught_new(&t, &how);
	struct train_copy *c = NULL;
	struct err e = { 0 };

	taught_steps(run, 1, NULL);
	cr_assert_eq(train_copy_new(&c, run, &e), ST_OK, "%s", e.msg);
	train_copy_take(c, run);
	for (size_t i = 0; i < t.m->n_linears; i++) {
		const struct mat *w = train_copy_view(c)[i], *from = t.view[i];

		cr_expect_eq(w->type, MAT_INT);
		cr_assert(w->data != from->data && w->scale != from->scale &&
				  w->offset != from->offset,
			"linear %zu is borrowed", i);
		cr_expect_arr_eq(w->data, from->data, mat_code_bytes(w->bits, w->rows, w->cols));
	}
	train_copy_free(c);
	train_free(run);
	taught_close(&t);
}

Test(lora_train, a_copy_borrows_what_is_the_models_own)
{
	struct taught t = taught_open("cpu", "keep", 8, 64, 0);
	struct train_how how = taught_how("lora");
	struct train *run = taught_new(&t, &how);
	struct train_copy *c = NULL;
	struct err e = { 0 };

	cr_assert_eq(train_copy_new(&c, run, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < t.m->n_linears; i++)
		cr_expect_eq(train_copy_view(c)[i]->data, t.m->ref[i]->data);
	train_copy_free(c);
	train_free(run);
	taught_close(&t);
}

/* A and B alone say nothing of what they are beside. */
Test(lora_train, a_run_goes_on_beside_the_linears_it_began_with_and_no_others, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_how how = taught_how("lora");
	struct train *run = taught_new(&t, &how);
	uint32_t *word = (uint32_t *)(uintptr_t)t.v[3].mat.data;
	struct err e = { 0 };

	taught_steps(run, 2, NULL);
	cr_assert_eq(train_save(run, tmp_dir(), &e), ST_OK, "%s", e.msg);
	train_free(run);
	run = taught_new(&t, &how);
	cr_expect_eq(train_load(run, tmp_dir(), &e), ST_OK, "%s", e.msg);
	train_free(run);
	word[5] ^= 1; /* one code, by one level */
	run = taught_new(&t, &how);
	cr_expect_eq(train_load(run, tmp_dir(), &e), ST_INVALID);
	cr_expect(strstr(e.msg, "adapters were trained beside other weights than those here: open "
				"what it began from, or begin a new run"),
		"%s", e.msg);
	cr_expect_eq(train_steps_done(run), 0);
	train_free(run);
	word[5] ^= 1;
	run = taught_new(&t, &how);
	cr_expect_eq(train_load(run, tmp_dir(), &e), ST_OK, "%s", e.msg);
	train_free(run);
	taught_close(&t);
}

/* ---- what they take */

struct shape {
	size_t layers, hidden, kv, inter;
};

/* Values of A and B of rank 16 beside all linears, in megabytes, from shapes alone. */
static double megabytes(const struct shape *s, size_t max_rows)
{
	const size_t dim[LINEAR_KINDS][2] = { { s->hidden, s->hidden }, { s->kv, s->hidden },
		{ s->kv, s->hidden }, { s->hidden, s->hidden }, { s->inter, s->hidden },
		{ s->inter, s->hidden }, { s->hidden, s->inter } };
	struct model m = { .be = backend_find("ref"), .n_linears = s->layers * LINEAR_KINDS };
	uint64_t bytes;

	m.linear = xarray(m.n_linears, sizeof *m.linear);
	for (size_t i = 0; i < m.n_linears; i++) {
		m.linear[i].rows = dim[i % LINEAR_KINDS][0];
		m.linear[i].cols = dim[i % LINEAR_KINDS][1];
	}
	bytes = lora_need(&m, 16, max_rows);
	xfree(m.linear);
	return (double)bytes / 1e6;
}

Test(lora_train, what_they_take_is_what_the_design_says_to_a_tenth)
{
	static const struct shape small = { 30, 576, 192, 1536 }, large = { 32, 4096, 1024, 14336 };

	/* a quarter of "LoRA r=16, fp32 A, B, m, v" of FORMULAS.md 2.4 */
	cr_expect_float_eq(megabytes(&small, 64), 78 / 4.0, 0.1 * 78 / 4);
	cr_expect_float_eq(megabytes(&large, 64), 670 / 4.0, 0.1 * 670 / 4);
	/* and two rows of 16 a token */
	cr_expect_float_eq(
		megabytes(&small, 2048) - megabytes(&small, 1024), 1024 * 2 * 16 * 4 / 1e6, 1e-6);
}

Test(lora_train, a_run_counts_its_adapters_and_their_moments)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_how how = taught_how("lora");
	struct train *run[2];
	uint64_t more, ab;

	for (int i = 0; i < 2; i++) {
		how.tune.rank = i ? 32 : 16;
		run[i] = taught_new(&t, &how);
	}
	more = train_bytes(run[1]) - train_bytes(run[0]);
	ab = (lora_weights(train_lora(run[1])) - lora_weights(train_lora(run[0]))) * sizeof(float);
	/* A, B, m and v, the gradients of one linear, rounding to 64 bytes */
	cr_expect_geq(more, 3 * ab);
	cr_expect_leq(more, 3 * ab + ab / 4);
	for (int i = 0; i < 2; i++)
		train_free(run[i]);
	taught_close(&t);
}
