/* test_train.c - steps of training runs on the demo model: that they learn, and move what they
 * should and nothing else (FORMULAS.md 3.5: T1). */
#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/sha256.h"
#include "core/tune/train_private.h"
#include "tests/lib_model.h"
#include "tests/lib_train.h"

static void sum_of_mat(struct sha256 *s, const struct mat *w)
{
	const void *at;

	if (w->type == MAT_MIX) {
		for (int high = 0; high < 2; high++) {
			struct mat part = mat_part(w, high);

			sum_of_mat(s, &part);
		}
		return;
	}
	for (int i = 0; i < 3; i++) {
		size_t n = train_array(w, i, &at);

		if (n)
			sha256_add(s, at, n);
	}
}

/* Of all weights of a view, and of the model's gains. */
static void sum_of(char out[65], const struct model *m, const struct mat *const *view)
{
	struct sha256 s;

	sha256_start(&s);
	for (size_t i = 0; i < m->n_linears; i++)
		sum_of_mat(&s, view[i]);
	for (size_t l = 0; l < m->hp.layers; l++) {
		sha256_add(&s, m->attn_norm[l], m->hp.hidden * sizeof(float));
		sha256_add(&s, m->mlp_norm[l], m->hp.hidden * sizeof(float));
	}
	sha256_add(&s, m->final_norm, m->hp.hidden * sizeof(float));
	sha256_hex(&s, out);
}

static uint64_t flips(const struct tune_counts *c)
{
	uint64_t n = 0;

	for (size_t b = 0; b < TUNE_WIDTHS; b++)
		n += c->flips[b];
	return n;
}

/* ---- what moves */

Test(train, codes_move_and_neither_the_layout_nor_the_reference_does, .timeout = 60)
{
	static const char *const methods[] = { "rank", "flips", "sr", "galore", "stats",
		"diodemix" };
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	char before[65], after[65], ref[65], ref_after[65], now[65];

	sum_of(before, t.m, t.view);
	sum_of(ref, t.m, t.m->ref);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct train_how how = taught_how(methods[i]);
		struct train *run = taught_new(&t, &how);
		struct tune_counts c = { 0 };

		cr_expect_eq(train_matrices(run), t.m->n_linears);
		taught_steps(run, 8, &c);
		sum_of(now, t.m, train_view(run));
		/* the published rule moves nothing at such scales (FORMULAS.md 3.1) */
		cr_expect((flips(&c) > 0) == (i < 4), "%s: %llu flips", methods[i],
			(unsigned long long)flips(&c));
		cr_expect((strcmp(now, before) != 0) == (i < 5), "%s", methods[i]);
		cr_expect(memcmp(train_gains(run)[2], t.m->attn_norm[1],
				  t.m->hp.hidden * sizeof(float)) != 0,
			"%s: gains", methods[i]);
		cr_expect_eq(c.frozen, 0);
		sum_of(after, t.m, t.view);
		sum_of(ref_after, t.m, t.m->ref);
		cr_expect_str_eq(after, before, "%s", methods[i]);
		cr_expect_str_eq(ref_after, ref, "%s", methods[i]);
		train_free(run);
	}
	taught_close(&t);
}

Test(train, float_copies_and_adapters_learn_and_leave_the_model_alone, .timeout = 60)
{
	static const char *const methods[] = { "fp", "fp8", "galore-fp", "lora", "qlora" };
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	char before[65], after[65];

	sum_of(before, t.m, t.view);
	for (size_t i = 0; i < 5; i++) {
		struct train_how how = taught_how(methods[i]);
		struct train *run;
		double first, last;

		how.tune.lr *= 10;
		run = taught_new(&t, &how);
		first = taught_steps(run, 1, NULL);
		last = taught_steps(run, 9, NULL);
		cr_expect(last < first, "%s: %g to %g", methods[i], first, last);
		cr_expect_eq(train_view(run)[0]->type, i < 3 ? MAT_F32 : MAT_INT);
		cr_expect((train_lora(run) != NULL) == (i >= 3));
		cr_expect((train_gains(run) != NULL) == (i < 3));
		sum_of(after, t.m, t.view);
		cr_expect_str_eq(after, before, "%s", methods[i]);
		train_free(run);
	}
	taught_close(&t);
}

Test(train, a_linear_that_is_frozen_stays_and_so_does_what_is_not_packed)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct mat dense = { .type = MAT_F32 };
	struct train_how how = taught_how("rank");
	bool *frozen = xarray(t.m->n_linears, sizeof *frozen);
	struct train *run;
	struct err e = { 0 };
	float *w;

	frozen[3] = true;
	cr_assert_eq(train_new(&run, t.m,
			     &(struct train_from){ .view = t.view, .forms = 1, .frozen = frozen },
			     &how, t.pack, NULL, &e),
		ST_OK);
	taught_steps(run, 3, NULL);
	cr_expect_eq(train_matrices(run), t.m->n_linears - 1);
	cr_expect_eq(train_view(run)[3]->data, t.view[3]->data, "borrowed");
	cr_expect_neq(train_view(run)[4]->data, t.view[4]->data);
	train_free(run);
	memset(frozen, true, t.m->n_linears * sizeof *frozen);
	cr_assert_eq(train_new(&run, t.m,
			     &(struct train_from){ .view = t.view, .forms = 1, .frozen = frozen },
			     &how, t.pack, NULL, &e),
		ST_UNSUPPORTED);
	cr_expect_str_eq(e.msg,
		"rank trains packed linears, and this layout keeps all as in the file: "
		"choose another layout, or fp or lora");
	cr_assert_eq(model_linear_f32(t.m, 1, &w, &e), ST_OK);
	dense.rows = t.view[1]->rows;
	dense.cols = t.view[1]->cols;
	dense.data = w;
	t.view[1] = &dense;
	run = taught_new(&t, &how);
	taught_steps(run, 1, NULL);
	cr_expect_eq(train_matrices(run), t.m->n_linears - 1);
	cr_expect_eq(train_view(run)[1]->data, (const void *)w);
	train_free(run);
	big_free(w);
	xfree(frozen);
	taught_close(&t);
}

Test(train, both_parts_of_a_mix_are_trained_by_their_own_columns, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int4g64:4+int2g64", 8, 64, 0);
	struct train_how how = taught_how("rank");
	bool *frozen = xarray(t.m->n_linears, sizeof *frozen);
	struct train *run;
	struct tune_counts c = { 0 };
	struct err e = { 0 };
	double first, last;

	how.lr_gain = 0;
	train_how_steps(&how, 40);
	for (size_t i = 0; i < t.m->n_linears; i++)
		frozen[i] = t.view[i]->type != MAT_MIX;
	cr_assert_eq(train_new(&run, t.m,
			     &(struct train_from){ .view = t.view, .forms = 1, .frozen = frozen },
			     &how, t.pack, NULL, &e),
		ST_OK);
	cr_assert(!frozen[LINEAR_DOWN]);
	cr_expect_eq(train_matrices(run), 2 * t.m->hp.layers);
	first = taught_steps(run, 1, &c);
	last = taught_steps(run, 39, &c);
	cr_expect(last < first, "%g to %g", first, last);
	cr_expect(c.flips[2] > 0 && c.flips[4] > 0);
	train_free(run);
	xfree(frozen);
	taught_close(&t);
}

/* ---- T1 */

Test(train, what_runs_is_scale_times_code_plus_offset_of_what_is_packed)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	struct train_how how = taught_how("flips");
	struct train *run = taught_new(&t, &how);

	taught_steps(run, 8, NULL);
	for (size_t i = 0; i < t.m->n_linears; i++) {
		const struct mat *w = train_view(run)[i];
		float *dense = xarray(w->rows * w->cols, sizeof *dense);
		uint8_t *q = xarray(w->cols, 1);

		t.m->be->dequant(dense, w, 0, w->rows);
		for (size_t r = 0; r < w->rows; r++) {
			mat_unpack_row(w, r, q);
			for (size_t c = 0; c < w->cols; c++) {
				size_t g = c / w->group;
				float s = f16_to_f32(mat_stat(w->scale, w, r, g));
				float o = f16_to_f32(mat_stat(w->offset, w, r, g));
				float got = dense[r * w->cols + c];

				cr_assert(q[c] <= 15);
				cr_assert(got == fmaf(s, (float)q[c], o) ||
					  got == s * (float)q[c] + o);
			}
		}
		xfree(dense);
		xfree(q);
	}
	train_free(run);
	taught_close(&t);
}

Test(train, codes_that_lay_next_to_another_one_are_the_first_to_move)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	struct train_how how = taught_how("flips");
	const double far = 0.01 * 4 * 8; /* levels: rate, the largest step, steps */
	struct train *run;
	size_t moved = 0, wrong = 0;

	how.tune.lr = 0.01;
	how.tune.lr_s = 0;
	run = taught_new(&t, &how);
	taught_steps(run, 8, NULL);
	for (size_t i = 0; i < t.m->n_linears; i++) {
		const struct mat *was = t.view[i], *is = train_view(run)[i];
		uint8_t *q = xarray(2 * was->cols, 1), *to = q + was->cols;
		float *w;

		cr_assert_eq(model_linear_f32(t.m, i, &w, NULL), ST_OK);
		for (size_t r = 0; r < was->rows; r++) {
			mat_unpack_row(was, r, q);
			mat_unpack_row(is, r, to);
			for (size_t c = 0; c < was->cols; c++) {
				size_t g = c / was->group;
				double s = f16_to_f32(mat_stat(was->scale, was, r, g));
				double o = f16_to_f32(mat_stat(was->offset, was, r, g));
				double left = (w[r * was->cols + c] - o) / s - q[c];

				moved += to[c] != q[c];
				wrong += to[c] != q[c] &&
					 left * (to[c] > q[c] ? 1 : -1) < 0.5 - far - 0.02;
			}
		}
		big_free(w);
		xfree(q);
	}
	/* the rate is in mean levels of a matrix: where a group's are smaller, codes go further */
	cr_expect(moved > 0 && 20 * wrong < moved, "%zu of %zu", wrong, moved);
	train_free(run);
	taught_close(&t);
}

Test(train, both_kinds_of_products_and_one_threshold_for_all_learn, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int2g32", 8, 64, 0);
	struct train_how how = taught_how("rank");
	struct train *run;
	struct tune_counts c = { 0 };
	double first, last;

	train_how_steps(&how, 30);
	how.math = MATH_F32;
	how.tune.across = true;
	run = taught_new(&t, &how);
	first = taught_steps(run, 1, &c);
	last = taught_steps(run, 29, &c);
	cr_expect(last < first, "%g to %g", first, last);
	cr_expect(flips(&c) > 0);
	train_free(run);
	taught_close(&t);
}

/* ---- what is no number */

Test(train, a_loss_that_is_no_number_changes_nothing_and_ends_the_run_after_some)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	struct train_how how = taught_how("rank");
	struct train_report r;
	struct train *run;
	struct err e = { 0 };
	char before[65], after[65];
	float was;

	how.bad_limit = 3;
	run = taught_new(&t, &how);
	taught_steps(run, 2, NULL);
	was = run->gain[0][5];
	sum_of(before, t.m, train_view(run));
	run->gain[0][5] = NAN;
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
		cr_expect(r.skipped && isnan(r.loss) && r.skipped_so_far == (uint64_t)i + 1);
	}
	sum_of(after, t.m, train_view(run));
	cr_expect_str_eq(after, before);
	cr_expect(r.step == 4 && train_steps_done(run) == 4);
	run->gain[0][5] = was;
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
	cr_expect(!r.skipped && isfinite(r.loss) && r.skipped_so_far == 2);
	sum_of(after, t.m, train_view(run));
	cr_expect(strcmp(after, before) != 0, "a good step goes on");
	run->gain[0][5] = NAN;
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_INVALID);
	cr_expect_str_eq(e.msg,
		"loss or gradient was no number in 3 steps one after another: try a lower rate");
	train_free(run);
	taught_close(&t);
}

/* The cpu's gemm; what it gives from the nth call on, so many times, is no number. */
static unsigned long calls, nan_from, nan_times;

static void broken_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	backend_find("cpu")->gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math);
	if (++calls >= nan_from && calls < nan_from + nan_times)
		c[n + 1] = NAN;
}

Test(train, a_gradient_that_is_no_number_leaves_its_matrix_alone)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	struct train_how how = taught_how("flips");
	struct backend be = *t.m->be;
	const struct backend *was = t.m->be;
	struct train_report r;
	struct train *run;
	struct err e = { 0 };
	char before[65], after[65];

	be.gemm = broken_gemm;
	t.m->be = &be;
	how.bad_limit = 2;
	how.lr_gain = 0;
	run = taught_new(&t, &how);
	nan_from = 3;
	nan_times = 1;
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
	cr_expect(r.counts.frozen == 1 && !r.skipped && isfinite(r.grad_norm));
	cr_expect_eq(r.frozen_at, t.m->n_linears - 7 + LINEAR_UP);
	cr_expect_eq(calls, t.m->n_linears, "a gradient is one call here");
	cr_expect_arr_eq(train_view(run)[t.m->n_linears - 7 + LINEAR_UP]->data,
		t.view[t.m->n_linears - 7 + LINEAR_UP]->data, 64 * 192 / 2,
		"the third on the way back");
	sum_of(before, t.m, train_view(run));
	calls = 0;
	nan_from = 1;
	nan_times = ULONG_MAX / 2;
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_OK);
	cr_expect_eq(r.counts.frozen, t.m->n_linears);
	cr_assert_eq(train_step(run, &r, NULL, &e), ST_INVALID, "nothing moved twice");
	sum_of(after, t.m, train_view(run));
	cr_expect_str_eq(after, before);
	train_free(run);
	t.m->be = was;
	taught_close(&t);
}

Test(train, a_stop_ends_a_step_at_the_next_poll)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_how how = taught_how("rank");
	struct train *run = taught_new(&t, &how);
	struct train_report r;
	struct lib_stop stop;
	struct err e = { 0 };

	lib_stop_init(&stop, 0);
	cr_assert_eq(train_step(run, &r, &stop.sink, &e), ST_OK);
	for (unsigned long at = 1; at <= stop.polls; at += stop.polls / 7) {
		struct lib_stop now;

		lib_stop_init(&now, at);
		cr_expect_eq(train_step(run, &r, &now.sink, &e), ST_CANCELLED, "poll %lu", at);
	}
	cr_expect_eq(train_steps_done(run), 1);
	train_free(run);
	taught_close(&t);
}

Test(train, what_cannot_be_is_said_before_the_first_step)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_how how = taught_how("rank");
	struct train *run;
	struct err e = { 0 };

	how.windows = 0;
	cr_expect_eq(train_new(&run, t.m, &(struct train_from){ .view = t.view, .forms = 1 }, &how,
			     t.pack, NULL, &e),
		ST_INVALID);
	how = taught_how("rank");
	how.tune.lr = NAN;
	cr_expect_eq(train_new(&run, t.m, &(struct train_from){ .view = t.view, .forms = 1 }, &how,
			     t.pack, NULL, &e),
		ST_INVALID);
	how = taught_how("rank");
	for (unsigned long n = 1; n < 200; n += 7) {
		enum st st;

		alloc_fail_at(n, false);
		st = train_new(&run, t.m, &(struct train_from){ .view = t.view, .forms = 1 }, &how,
			t.pack, NULL, &e);
		alloc_fail_at(0, false);
		cr_assert(st == ST_OK || st == ST_NOMEM, "%lu: %s", n, e.msg);
		if (!st)
			train_free(run);
	}
	taught_close(&t);
}
