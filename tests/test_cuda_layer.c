/* test_cuda_layer.c - norms, rotations, rounded keys and activations of the CUDA backend on
 * the emulated device, against ref; the same bits of them and of attention, again and again. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"
#include "tests/lib_ops.h"

/* `off` floats in, so that nothing is aligned. */
static float *floats_there(const struct backend *b, const float *host, size_t n, size_t off)
{
	float *p = there(b, NULL, (n + off) * sizeof *p);

	if (host)
		b->put(p + off, host, n * sizeof *p);
	return p + off;
}

Test(cuda_layer, rms_norms_agree_with_ref, .timeout = 60)
{
	static const size_t widths[] = { 1, 3, 15, 16, 33, 127, 128, 576, 1536, 4096, 6001 };
	const struct backend *ref = backend_find("ref"), *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 1);
	for (size_t k = 0; k < COUNT(widths); k++)
		for (size_t off = 0; off < 2; off++) {
			size_t n = widths[k], m = k % 2 ? 5 : 3;
			float *x = guarded_floats(&r, m * n, 3), *gain = guarded_floats(&r, n, 1);
			float *want = guarded(m * n * sizeof *want), *got;
			float *dx = floats_there(b, x, m * n, off);
			float *dg = floats_there(b, gain, n, off);
			float *dy = floats_there(b, NULL, m * n, off);

			ref->rmsnorm(want, x, gain, m, n, 1e-5f);
			b->rmsnorm(dy, dx, dg, m, n, 1e-5f);
			got = back(b, dy, m * n * sizeof *got);
			cr_expect(op_relative(got, want, m * n, 1e-30) < 6e-7, "%zu", n);
			free(got);
			b->rmsnorm(dx, dx, dg, m, n, 1e-5f); /* in place */
			got = back(b, dx, m * n * sizeof *got);
			cr_expect(op_relative(got, want, m * n, 1e-30) < 6e-7, "%zu in place", n);
			free(got);
			guarded_free_all();
			there_free_all(b);
		}
}

static void check_rope(const struct backend *b, struct rng *r, size_t dim, size_t heads,
	const int32_t *at, size_t m, enum rope_style style)
{
	size_t ld = heads * dim + 4, size = (m - 1) * ld + heads * dim;
	float *x = guarded_floats(r, size, 1), *freq = guarded((dim / 2 + 1) * sizeof *freq);
	float *y = there(b, x, size * sizeof *x), *got;
	double e;

	for (size_t i = 0; i < dim / 2; i++)
		freq[i] = (float)pow(100000, -2.0 * (double)i / (double)dim);
	backend_find("ref")->rope(x, ld, m, heads, dim, at, freq, style);
	b->rope(y, ld, m, heads, dim, at, freq, style);
	got = back(b, y, size * sizeof *got);
	e = op_relative(got, x, size, 1);
	cr_expect(e < 4e-7, "dim %zu style %d: %g", dim, style, e);
	/* between the rows nothing is touched */
	for (size_t i = 0; i + 1 < m; i++)
		cr_expect(!memcmp(got + i * ld + ld - 4, x + i * ld + ld - 4, 4 * sizeof *x));
	free(got);
	guarded_free_all();
	there_free_all(b);
}

Test(cuda_layer, rotations_agree_with_ref_at_any_position, .timeout = 60)
{
	static const size_t dims[] = { 2, 6, 32, 34, 64, 128 };
	static const int32_t at[] = { 0, 1, 2, 3, 7, 100, 8191, 131071, 1000000, 2147483647 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 2);
	for (size_t k = 0; k < COUNT(dims); k++)
		for (int style = ROPE_HALVES; style <= ROPE_PAIRS; style++)
			check_rope(b, &r, dims[k], k % 2 ? 5 : 9, at, COUNT(at),
				(enum rope_style)style);
}

Test(cuda_layer, rotations_of_more_rows_and_pairs_than_a_launch_takes_are_all_done, .timeout = 60)
{
	enum { M = 5000 };
	const struct backend *b = cuda_backend();
	int32_t at[M];
	struct rng r;

	rng_seed(&r, 3);
	for (int i = 0; i < M; i++)
		at[i] = M - i;
	check_rope(b, &r, 4, 1, at, M, ROPE_PAIRS);
	check_rope(b, &r, 9000, 1, at, 2, ROPE_HALVES);
	check_rope(b, &r, 9000, 1, at, 2, ROPE_PAIRS);
}

Test(cuda_layer, keys_are_rounded_as_ref_rounds_them_to_the_bit, .timeout = 60)
{
	static const size_t dims[] = { 1, 4, 24, 31, 64, 128, 130, 256 };
	enum { ROWS = 7, HEADS = 3 };
	const struct backend *ref = backend_find("ref"), *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 4);
	for (size_t k = 0; k < COUNT(dims); k++) {
		size_t dim = dims[k], n = ROWS * HEADS * dim;
		float *x = guarded_floats(&r, n, 3), want_s[ROWS * HEADS], *got_s, *dx, *ds;
		int8_t *want = guarded(n), *got, *dq;

		for (size_t d = 0; d < dim; d++) {
			x[d] = d ? 0 : 1e-38f; /* 127 / max is beyond float */
			x[dim + d] = 0;
			x[2 * dim + d] = (float)(int)(x[2 * dim + d] * 4) + 0.5f; /* ties */
		}
		x[2 * dim] = 127;
		ref->round_kv(want, want_s, x, ROWS, HEADS, dim);
		dx = there(b, x, n * sizeof *x);
		ds = there(b, NULL, sizeof want_s);
		dq = there(b, NULL, n);
		b->round_kv(dq, ds, dx, ROWS, HEADS, dim);
		got = back(b, dq, n);
		got_s = back(b, ds, sizeof want_s);
		cr_expect(!memcmp(got, want, n), "values of %zu", dim);
		cr_expect(!memcmp(got_s, want_s, sizeof want_s), "scales of %zu", dim);
		free(got);
		free(got_s);
		guarded_free_all();
		there_free_all(b);
	}
}

Test(cuda_layer, activations_agree_with_ref, .timeout = 60)
{
	static const size_t counts[] = { 1, 3, 4, 5, 1023, 1024, 4097, 70001 };
	const struct backend *ref = backend_find("ref"), *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 5);
	for (size_t k = 0; k < COUNT(counts); k++)
		for (size_t off = 0; off < 2; off++) {
			size_t n = counts[k], bytes = n * sizeof(float);
			float *g = guarded_floats(&r, n, k % 3 ? 4 : 40), *y, *got;
			float *u = guarded_floats(&r, n, 1), *want = guarded(bytes);
			float *dg = floats_there(b, g, n, off), *du = floats_there(b, u, n, 0);
			double e;

			ref->swiglu(want, g, u, n);
			y = floats_there(b, NULL, n, 0);
			b->swiglu(y, dg, du, n);
			got = back(b, y, bytes);
			e = op_relative(got, want, n, 1e-30);
			cr_expect(e < 1e-6, "%zu: %g", n, e);
			free(got);
			ref->add(g, u, n);
			b->add(dg, du, n);
			got = back(b, dg, bytes);
			cr_expect(!memcmp(got, g, bytes), "%zu added", n);
			free(got);
			guarded_free_all();
			there_free_all(b);
		}
}

Test(cuda_layer, activations_of_extreme_gates_stay_numbers)
{
	enum { N = 9 };
	const struct backend *b = cuda_backend();
	float g[N] = { 0, -0.0f, 1e-30f, -87, -89, -104, -1e30f, 1e30f, 88 }, u[N], *y, *got;

	for (int i = 0; i < N; i++)
		u[i] = 1;
	y = there(b, NULL, sizeof g);
	b->swiglu(y, there(b, g, sizeof g), there(b, u, sizeof u), N);
	got = back(b, y, sizeof g);
	for (int k = 0; k < N; k++)
		cr_expect(fabsf(got[k] - (g[k] > 0 ? g[k] : 0)) <= 0.5e-30f + 1e-35f, "%g of %g",
			(double)got[k], (double)g[k]);
	free(got);
	there_free_all(b);
}

/* ---- the same bits ---- */

enum { BITS_M = 24, BITS_HEADS = 6, BITS_DIM = 64, BITS_LD = BITS_HEADS * BITS_DIM };
enum { BITS = 5 * BITS_M * BITS_LD };

/* All operations of this file on one input. */
static void everything(const struct backend *b, float *to)
{
	struct attn_shape shape = { BITS_HEADS, 2, BITS_DIM, 0, 0.125f };
	size_t part = BITS_M * BITS_LD, bytes = part * sizeof *to;
	struct attn_seq seqs[3] = { { .m = 14 }, { .q0 = 14, .m = 1, .pos = 200 },
		{ .q0 = 15, .m = 9, .pos = 70 } };
	float *host, *x, *y, *got, freq[BITS_DIM / 2];
	int32_t pos[BITS_M];
	struct rng r;

	rng_seed(&r, 12);
	host = guarded_floats(&r, 2 * part + 30000, 1);
	x = there(b, host, (2 * part + 30000) * sizeof *x);
	y = there(b, NULL, 5 * bytes);
	for (size_t i = 0; i < 3; i++) {
		seqs[i].k = x + 16 * i;
		seqs[i].v = x + 20000 + 32 * i;
	}
	for (int i = 0; i < BITS_M; i++)
		pos[i] = i * 37;
	for (int i = 0; i < BITS_DIM / 2; i++)
		freq[i] = 1.0f / (float)(i + 1);
	b->rmsnorm(y, x, x + 999, BITS_M, BITS_LD, 1e-5f);
	b->copy(y + part, x, bytes);
	b->rope(y + part, BITS_LD, BITS_M, BITS_HEADS, BITS_DIM, pos, freq, ROPE_HALVES);
	b->attention(y + 2 * part, x, seqs, 3, &shape);
	b->swiglu(y + 3 * part, x, x + 5, part);
	b->copy(y + 4 * part, x, bytes);
	b->add(y + 4 * part, x + 11, part);
	got = back(b, y, 5 * bytes);
	memcpy(to, got, 5 * bytes);
	free(got);
	guarded_free_all();
	there_free_all(b);
}

static void in_order(const char *order, float *to)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		alarm(60);
		setenv("EMU_ORDER", order, 1);
		everything(cuda_backend(), to);
		_exit(0);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0, "%s", order);
}

Test(cuda_layer, any_order_of_blocks_and_threads_gives_the_same_bits, .timeout = 120)
{
	static const char *const orders[] = { "forward", "reverse", "1", "77" };
	size_t bytes = BITS * sizeof(float);
	float *one = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	float *more = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	in_order(orders[0], one);
	for (size_t i = 0; i < BITS; i++)
		cr_assert(isfinite(one[i]), "%zu", i);
	for (size_t i = 1; i < COUNT(orders); i++) {
		in_order(orders[i], more);
		cr_expect(!memcmp(one, more, bytes), "%s", orders[i]);
	}
}

Test(cuda_layer, repeated_runs_give_the_same_bits, .timeout = 120)
{
	const struct backend *b = cuda_backend();
	float *one = malloc(BITS * sizeof *one), *more = malloc(BITS * sizeof *more);

	everything(b, one);
	for (int i = 0; i < 5; i++) {
		everything(b, more);
		cr_expect(!memcmp(one, more, BITS * sizeof *one));
	}
	free(one);
	free(more);
}
