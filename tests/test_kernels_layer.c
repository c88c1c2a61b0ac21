/* test_kernels_layer.c - norms, rotation, attention and activations, in every way this
 * machine can compute them, against ref. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"
#include "tests/lib_ops.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const size_t widths[] = { 1, 15, 16, 17, 33, 576, 1536 };

Test(kernels_layer, rms_norms_agree_with_ref, .timeout = 30)
{
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 1);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k], m = k % 2 ? 70 : 3;
		float *x = guarded_floats(&r, m * n, 3), *gain = guarded_floats(&r, n, 1);
		float *want = guarded(m * n * sizeof *want);

		ref->rmsnorm(want, x, gain, m, n, 1e-5f);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *y = guarded(m * n * sizeof *y);

			b->rmsnorm(y, x, gain, m, n, 1e-5f);
			cr_expect(op_relative(y, want, m * n, 1e-30) < 1e-6, "%s %zu", name, n);
			/* in place */
			memcpy(y, x, m * n * sizeof *y);
			b->rmsnorm(y, y, gain, m, n, 1e-5f);
			cr_expect(op_relative(y, want, m * n, 1e-30) < 1e-6, "%s %zu", name, n);
		}
		guarded_free_all();
	}
	pool_stop();
}

Test(kernels_layer, rotations_agree_with_ref_at_any_position, .timeout = 30)
{
	static const size_t dims[] = { 2, 6, 32, 34, 64, 128 };
	static const int32_t at[] = { 0, 1, 2, 3, 7, 100, 8191, 131071, 1000000 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 2);
	pool_start(2);
	for (size_t k = 0; k < COUNT(dims); k++)
		for (int style = ROPE_HALVES; style <= ROPE_PAIRS; style++) {
			size_t dim = dims[k], heads = 5, m = COUNT(at), ld = heads * dim + 4;
			size_t size = (m - 1) * ld + heads * dim;
			float *x = guarded_floats(&r, size, 1),
			      *freq = guarded(dim / 2 * sizeof *freq);
			float *want = malloc(size * sizeof *want);

			for (size_t i = 0; i < dim / 2; i++)
				freq[i] = (float)pow(100000, -2.0 * (double)i / (double)dim);
			memcpy(want, x, size * sizeof *x);
			ref->rope(want, ld, m, heads, dim, at, freq, (enum rope_style)style);
			for (size_t i = 0; (b = way(i, &name)); i++) {
				float *y = guarded(size * sizeof *y);
				double e;

				memcpy(y, x, size * sizeof *x);
				b->rope(y, ld, m, heads, dim, at, freq, (enum rope_style)style);
				e = op_relative(y, want, size, 1);
				cr_expect(e < 5e-7, "%s dim %zu style %d: %g", name, dim, style, e);
			}
			free(want);
			guarded_free_all();
		}
	pool_stop();
}

struct attn_case {
	size_t heads, kv_heads, dim, window;
	size_t m[4], pos[4];
};

/* Keys and values of a sequence, behind guards; rounded: in int8. */
static void keys_and_values(
	struct attn_seq *s, const struct attn_case *c, bool rounded, struct rng *r)
{
	size_t n = s->m + s->pos, count = n * c->kv_heads * c->dim;
	int8_t *k8, *v8;
	float *ks, *vs;

	s->k = guarded_floats(r, count, 2);
	s->v = guarded_floats(r, count, 1);
	if (!rounded)
		return;
	k8 = guarded(count);
	v8 = guarded(count);
	ks = guarded(n * c->kv_heads * sizeof *ks);
	vs = guarded(n * c->kv_heads * sizeof *vs);
	backend_find("ref")->round_kv(k8, ks, s->k, n, c->kv_heads, c->dim);
	backend_find("ref")->round_kv(v8, vs, s->v, n, c->kv_heads, c->dim);
	s->k = s->v = NULL;
	s->k8 = k8;
	s->v8 = v8;
	s->k_scale = ks;
	s->v_scale = vs;
}

static void check_attention(const struct attn_case *c, bool rounded, struct rng *r)
{
	const struct backend *ref = backend_find("ref"), *b;
	struct attn_shape shape = { c->heads, c->kv_heads, c->dim, c->window,
		(float)(1 / sqrt((double)c->dim)) };
	struct attn_seq seqs[4];
	size_t n = 0, rows = 0, ld = c->heads * c->dim;
	float *q, *want;
	const char *name;

	for (; n < 4 && c->m[n]; n++) {
		seqs[n] = (struct attn_seq){ .q0 = rows, .m = c->m[n], .pos = c->pos[n] };
		keys_and_values(&seqs[n], c, rounded, r);
		rows += c->m[n];
	}
	q = guarded_floats(r, rows * ld, 2);
	want = guarded(rows * ld * sizeof *want);
	ref->attention(want, q, seqs, n, &shape);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *out = guarded(rows * ld * sizeof *out);
		double e;

		b->attention(out, q, seqs, n, &shape);
		e = op_relative(out, want, rows * ld, 1);
		cr_expect(e < 1e-5,
			"%s: %zu/%zu heads of %zu, window %zu, first %zu rows at %zu%s: %g", name,
			c->heads, c->kv_heads, c->dim, c->window, c->m[0], c->pos[0],
			rounded ? ", int8" : "", e);
	}
	guarded_free_all();
}

Test(kernels_layer, attention_agrees_with_ref, .timeout = 60)
{
	static const struct attn_case cases[] = {
		{ 1, 1, 16, 0, { 1 }, { 0 } },
		{ 9, 3, 64, 0, { 1 }, { 700 } },
		{ 9, 3, 64, 0, { 2 }, { 511 } },
		{ 9, 3, 64, 0, { 3, 1, 64 }, { 255, 256, 0 } },
		{ 9, 3, 64, 0, { 64, 64, 64 }, { 0, 0, 0 } },
		{ 2, 1, 64, 0, { 300 }, { 5 } },
		{ 4, 4, 24, 0, { 50, 1 }, { 3, 40 } },
		{ 4, 2, 80, 0, { 17, 2 }, { 300, 33 } },
		{ 2, 2, 5, 0, { 7, 1 }, { 0, 1 } },
		{ 4, 2, 128, 0, { 13, 1 }, { 260, 15 } },
		/* sliding windows: shorter than, as long as and longer than the keys there are */
		{ 2, 1, 64, 1, { 60, 1 }, { 0, 9 } },
		{ 2, 1, 64, 32, { 120, 1, 3 }, { 0, 300, 31 } },
		{ 2, 1, 64, 100, { 300, 1 }, { 400, 700 } },
		{ 2, 1, 64, 700, { 20 }, { 600 } },
		/* new rows alone: heads that share keys go together where those are rounded */
		{ 9, 3, 64, 0, { 1, 1, 1 }, { 900, 0, 256 } },
		{ 16, 2, 40, 50, { 1, 1 }, { 300, 7 } },
	};
	struct rng r;

	rng_seed(&r, 3);
	pool_start(2);
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int rounded = 0; rounded < 2; rounded++)
			check_attention(&cases[i], rounded, &r);
	pool_stop();
}

Test(kernels_layer, keys_are_rounded_to_half_a_step_and_small_ones_to_nothing)
{
	enum { ROWS = 3, HEADS = 2, DIM = 24, N = ROWS * HEADS * DIM };
	const struct backend *b;
	const char *name;
	struct rng r;
	float *x;

	rng_seed(&r, 5);
	x = guarded_floats(&r, N, 3);
	for (int d = 0; d < DIM; d++)
		x[DIM + d] = d ? 0 : 1e-38f; /* 127 / max is beyond float */
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *scale = guarded(ROWS * HEADS * sizeof *scale);
		int8_t *q = guarded(N);

		b->round_kv(q, scale, x, ROWS, HEADS, DIM);
		for (int k = 0; k < N; k++) {
			float back = scale[k / DIM] * (float)q[k];

			cr_expect(fabsf(back - x[k]) <= 0.5001f * scale[k / DIM] + 1e-37f,
				"%s: %g of %g", name, (double)back, (double)x[k]);
		}
	}
	guarded_free_all();
}

Test(kernels_layer, attention_survives_scores_beyond_the_range_of_exp, .timeout = 30)
{
	enum { M = 40, DIM = 64, KEYS = 340 };
	const struct backend *ref = backend_find("ref"), *b;
	struct attn_shape shape = { 1, 1, DIM, 0, 1 };
	struct attn_seq s = { .m = M, .pos = KEYS - M };
	const char *name;
	struct rng r;
	float *q, *k, *want;

	rng_seed(&r, 4);
	q = guarded_floats(&r, M * DIM, 20);
	k = guarded_floats(&r, KEYS * DIM, 20);
	s.k = k;
	s.v = guarded_floats(&r, KEYS * DIM, 1);
	want = guarded(M * DIM * sizeof *want);
	ref->attention(want, q, &s, 1, &shape);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *out = guarded(M * DIM * sizeof *out);

		b->attention(out, q, &s, 1, &shape);
		/* scores of thousands carry an error of 1e-3 themselves */
		cr_expect(op_relative(out, want, M * DIM, 1) < 1e-2, "%s", name);
	}
	guarded_free_all();
}

Test(kernels_layer, activations_agree_with_ref, .timeout = 30)
{
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 5);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k] * (k % 2 ? 1 : 31);
		float *g = guarded_floats(&r, n, k % 3 ? 4 : 40), *u = guarded_floats(&r, n, 1);
		float *want = guarded(n * sizeof *want), *sum = guarded(n * sizeof *sum);

		ref->swiglu(want, g, u, n);
		memcpy(sum, g, n * sizeof *sum);
		ref->add(sum, u, n);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *y = guarded(n * sizeof *y);
			double e;

			b->swiglu(y, g, u, n);
			e = op_relative(y, want, n, 1e-30);
			cr_expect(e < 1e-6, "%s %zu: %g", name, n, e);
			memcpy(y, g, n * sizeof *y);
			b->add(y, u, n);
			cr_expect(!memcmp(y, sum, n * sizeof *y), "%s %zu", name, n);
		}
		guarded_free_all();
	}
	pool_stop();
}

Test(kernels_layer, activations_of_extreme_gates_stay_numbers)
{
	enum { N = 9 };
	const struct backend *b;
	const char *name;
	float g[N] = { 0, -0.0f, 1e-30f, -87, -89, -104, -1e30f, 1e30f, 88 }, u[N], y[N];

	for (int i = 0; i < N; i++)
		u[i] = 1;
	for (size_t i = 0; (b = way(i, &name)); i++) {
		b->swiglu(y, g, u, N);
		for (int k = 0; k < N; k++)
			cr_expect(fabsf(y[k] - (g[k] > 0 ? g[k] : 0)) <= 0.5e-30f + 1e-35f,
				"%s: %g of %g", name, (double)y[k], (double)g[k]);
	}
}

/* All operations of this file on one input, results as bytes. */
static size_t everything(const struct backend *b, const float *x, float *y)
{
	enum { M = 130, HEADS = 6, DIM = 64, LD = HEADS * DIM };
	struct attn_shape shape = { HEADS, 2, DIM, 0, 0.125f };
	struct attn_seq seqs[3] = { { .m = 100, .k = x, .v = x + 40000 },
		{ .q0 = 100, .m = 1, .pos = 200, .k = x + 100, .v = x + 3000 },
		{ .q0 = 101, .m = 29, .pos = 3, .k = x + 7, .v = x + 9 } };
	int32_t pos[M];
	float freq[DIM / 2];
	float *at = y;

	for (int i = 0; i < M; i++)
		pos[i] = i * 37;
	for (int i = 0; i < DIM / 2; i++)
		freq[i] = 1.0f / (float)(i + 1);
	b->rmsnorm(at, x, x + 999, M, LD, 1e-5f);
	at += M * LD;
	memcpy(at, x, M * LD * sizeof *x);
	b->rope(at, LD, M, HEADS, DIM, pos, freq, ROPE_HALVES);
	at += M * LD;
	b->attention(at, x, seqs, 3, &shape);
	at += M * LD;
	b->swiglu(at, x, x + 5, M * LD);
	at += M * LD;
	memcpy(at, x, M * LD * sizeof *x);
	b->add(at, x + 11, M * LD);
	return 5 * M * LD;
}

Test(kernels_layer, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	enum { SIZE = 130 * 6 * 64 };
	float *one = calloc(5 * SIZE, sizeof *one), *more = calloc(5 * SIZE, sizeof *more), *x;
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 6);
	x = guarded_floats(&r, 2 * SIZE, 1);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		pool_start(1);
		everything(b, x, one);
		for (int threads = 2; threads <= 5; threads++) {
			pool_start(threads);
			size_t n = everything(b, x, more);

			cr_expect(!memcmp(one, more, n * sizeof *one), "%s with %d threads", name,
				threads);
		}
		pool_stop();
	}
	free(one);
	free(more);
	guarded_free_all();
}
