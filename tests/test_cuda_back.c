/* test_cuda_back.c - the way back on an emulated device: through a whole model, a few steps of
 * training, and what the table of lib_ops.h is too small for. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "kernels/pool.h"
#include "tests/lib_back.h"
#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"
#include "tests/lib_train.h"

static struct gradients through(
	const char *backend, const char *format, size_t window, enum back_keep keep, enum math math)
{
	struct taught t = taught_open(backend, format, 8, 32, 0);
	struct gradients g;

	t.m->hp.window = window;
	g = gradients_of(t.m, t.view, keep, math);
	taught_close(&t);
	return g;
}

static void check(const char *format, size_t window, enum math math, double allowed)
{
	struct gradients want = through("cpu", format, window, BACK_ALL, MATH_F32);
	struct gradients got = through("cuda:0", format, window, BACK_ALL, math);
	double e = gradients_apart(&got, &want);

	cr_expect(e < allowed, "%s, window %zu, math %d: %g", format, window, (int)math, e);
	cr_expect(fabs(got.loss - want.loss) < allowed * want.loss, "%g, not %g", got.loss,
		want.loss);
	gradients_free(&want);
	gradients_free(&got);
}

Test(cuda_back, gradients_of_a_whole_model_are_those_of_the_processor, .timeout = 120)
{
	(void)cuda_backend();
	pool_start(2);
	check("int4g32", 0, MATH_F32, 2e-5);
	check("keep", 9, MATH_F32, 2e-5);
	check("int2g32", 0, MATH_BF16X3, 2e-4);
	check("int4g64", 0, MATH_BF16, 5e-2);
	pool_stop();
}

Test(cuda_back, a_block_that_is_run_again_gives_the_same_bits, .timeout = 60)
{
	struct gradients a, b;

	(void)cuda_backend();
	a = through("cuda:0", "int4g32", 0, BACK_ALL, MATH_BF16);
	b = through("cuda:0", "int4g32", 0, BACK_INPUTS, MATH_BF16);
	cr_expect_eq(gradients_apart(&a, &b), 0);
	cr_expect(a.loss == b.loss);
	gradients_free(&a);
	gradients_free(&b);
}

/* ---- training ---- */

struct run {
	double loss[3];
	uint8_t *codes; /* of all packed linears */
	size_t n;
	char sum[65];
};

static struct run train_on(const char *backend, const char *method, int steps)
{
	struct taught t = taught_open(backend, "int4g32", 12, 32, 0);
	struct train_how how = taught_how(method);
	struct train_copy *c = NULL;
	struct err e = { 0 };
	struct train *run;
	struct run r = { .n = 0 };

	how.math = MATH_F32;
	how.windows = 1;
	run = taught_new(&t, &how);
	for (int i = 0; i < steps; i++)
		r.loss[i] = taught_steps(run, 1, NULL);
	taught_sum(run, r.sum);
	cr_assert_eq(train_copy_new(&c, run, &e), ST_OK, "%s", e.msg);
	train_copy_take(c, run);
	for (size_t i = 0; i < t.m->n_linears; i++) {
		struct mat w = *train_copy_view(c)[i];
		void *words;

		if (w.type != MAT_INT)
			continue;
		words = xalloc(mat_code_bytes(w.bits, w.rows, w.cols));
		t.m->be->get(words, w.data, mat_code_bytes(w.bits, w.rows, w.cols));
		w.data = words;
		r.codes = xrealloc(r.codes, r.n + w.rows * w.cols);
		for (size_t k = 0; k < w.rows; k++, r.n += w.cols)
			mat_unpack_row(&w, k, r.codes + r.n);
		xfree(words);
	}
	train_copy_free(c);
	train_free(run);
	taught_close(&t);
	return r;
}

static size_t other_codes(const struct run *a, const struct run *b)
{
	size_t other = 0;

	cr_assert_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		other += a->codes[i] != b->codes[i];
	return other;
}

/* Of those that moved at most one in `share` may have been another. */
static void check_training(const char *method, size_t share)
{
	struct run before = train_on("cpu", method, 0), here = train_on("cpu", method, 3);
	struct run there = train_on("cuda:0", method, 3), again = train_on("cuda:0", method, 3);
	size_t moved = other_codes(&here, &before), other = other_codes(&there, &here), against = 0;

	for (int i = 0; i < 3; i++)
		cr_expect(fabs(there.loss[i] - here.loss[i]) < 5e-3 * here.loss[i],
			"%s, step %d: %g, not %g", method, i, there.loss[i], here.loss[i]);
	for (size_t i = 0; i < here.n; i++) {
		int a = here.codes[i] - before.codes[i], b = there.codes[i] - before.codes[i];

		against += a * b < 0;
	}
	cr_expect((moved > 0) == (share > 0));
	cr_expect(other * share <= moved, "%s: %zu other codes, %zu moved", method, other, moved);
	cr_expect(against * 100 <= moved, "%s: %zu go the other way", method, against);
	cr_expect_str_eq(again.sum, there.sum, "%s: a second run gives other bits", method);
	xfree(before.codes);
	xfree(here.codes);
	xfree(there.codes);
	xfree(again.codes);
}

Test(cuda_back, steps_of_training_move_the_codes_that_the_processor_moves, .timeout = 120)
{
	(void)cuda_backend();
	pool_start(2);
	check_training("sr", 20);
	/* in the first steps m / sqrt(v) is 1 nearly everywhere: the last bit of a gradient ranks
	 */
	check_training("rank", 2);
	check_training("lora", 0);
	pool_stop();
}

/* ---- more than goes at once ---- */

/* More sequences than travel with a launch, each of a row or two. */
Test(cuda_back, any_number_of_sequences_goes_back, .timeout = 60)
{
	enum { SEQS = 700, DIM = 4, ROWS = SEQS + SEQS / 2, N = ROWS * DIM };
	static const struct attn_shape shape = { 1, 1, DIM, 0, 0.5f };
	const struct backend *b = cuda_backend(), *ref = backend_find("ref");
	struct attn_seq s[SEQS], d[SEQS];
	float *q, *k, *v, *dout, *out, *want[3], *to[3];
	const float *dk, *dv;
	size_t rows = 0;
	struct rng r;

	rng_seed(&r, 5);
	q = guarded_floats(&r, N, 1);
	k = guarded_floats(&r, N, 1);
	v = guarded_floats(&r, N, 1);
	dout = guarded_floats(&r, N, 1);
	out = guarded(N * sizeof *out);
	dk = there(b, k, N * sizeof *k);
	dv = there(b, v, N * sizeof *v);
	for (size_t i = 0; i < SEQS; i++) {
		s[i] = (struct attn_seq){ .q0 = rows, .m = 1 + i % 2 };
		d[i] = s[i];
		s[i].k = k + rows * DIM;
		s[i].v = v + rows * DIM;
		d[i].k = dk + rows * DIM;
		d[i].v = dv + rows * DIM;
		rows += s[i].m;
	}
	for (int i = 0; i < 3; i++) {
		want[i] = guarded(N * sizeof *want[i]);
		to[i] = there(b, NULL, N * sizeof *to[i]);
	}
	ref->attention(out, q, s, SEQS, &shape);
	ref->attention_back(want[0], want[1], want[2], dout, out, q, s, SEQS, &shape);
	b->attention_back(to[0], to[1], to[2], there(b, dout, N * sizeof *q),
		there(b, out, N * sizeof *q), there(b, q, N * sizeof *q), d, SEQS, &shape);
	for (int i = 0; i < 3; i++) {
		float *got = back(b, to[i], N * sizeof *got);

		for (size_t j = 0; j < N; j++)
			cr_assert(fabsf(got[j] - want[i][j]) < 1e-5f, "%d, row %zu", i, j / DIM);
		free(got);
	}
	guarded_free_all();
	there_free_all(b);
}

/* More rows than the stats of a launch have room for, and labels than travel with one. */
Test(cuda_back, any_number_of_labels_is_taken, .timeout = 60)
{
	enum { M = 16200, N = 2 };
	const struct backend *b = cuda_backend(), *ref = backend_find("ref");
	int32_t *label = calloc(M, sizeof *label);
	double *want = calloc(2 * M, sizeof *want), *got = want + M;
	float *z, *to, *dz;
	struct rng r;

	rng_seed(&r, 6);
	z = guarded_floats(&r, M * N, 2);
	for (int i = 0; i < M; i++)
		label[i] = (int32_t)rng_below(&r, N);
	to = there(b, z, M * N * sizeof *z);
	b->cross_entropy(got, to, label, M, N, 1);
	ref->cross_entropy(want, z, label, M, N, 1);
	dz = back(b, to, M * N * sizeof *dz);
	for (int i = 0; i < M; i++)
		cr_assert(fabs(got[i] - want[i]) < 1e-6, "row %d", i);
	for (int i = 0; i < M * N; i++)
		cr_assert(fabsf(dz[i] - z[i]) < 1e-6f, "row %d", i / N);
	free(dz);
	free(label);
	free(want);
	guarded_free_all();
	there_free_all(b);
}

Test(cuda_back, what_a_failed_device_says_of_a_loss_is_no_number, .timeout = 60)
{
	enum { LAUNCH_FAILED = 719, N = 100 };
	const struct backend *b = cuda_backend();
	double loss[2] = { 1, 1 }, kl[2] = { 1, 1 };
	float z[2 * N] = { 0 }, *dz = there(b, z, sizeof z), *dp = there(b, z, sizeof z);
	int32_t label[2] = { 1, 2 };
	struct err e;

	b->wait();
	cuda_well(b);
	cuda_fail(1, LAUNCH_FAILED, false);
	b->cross_entropy(loss, dz, label, 2, N, 1);
	b->kl_back(kl, dz, dp, 2, N, 1);
	cr_expect(isnan(loss[0]) && isnan(loss[1]) && isnan(kl[0]) && isnan(kl[1]));
	cr_expect_neq(b->fault(&e), ST_OK);
}
