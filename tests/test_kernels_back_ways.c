/* test_kernels_back_ways.c - operations backward in every way this machine can compute them,
 * against ref: awkward shapes behind guard pages, what must stay as it was, any number of threads,
 * and how far a NaN goes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"
#include "tests/lib_ops.h"

static const struct backend *ref(void)
{
	return backend_find("ref");
}

static float *copy_of(const float *x, size_t n)
{
	float *to = guarded((n ? n : 1) * sizeof *to);

	memcpy(to, x, n * sizeof *x);
	return to;
}

/* ---- products ---- */

/* sum |dy| (|W| + what offset and scale may cancel) of each value of dx */
static void back_magnitudes(double *mag, const float *dy, size_t ldy, size_t m, const struct mat *w)
{
	double more = w->type == MAT_INT || w->type == MAT_MIX ? 0.1 : 0;
	float *row = malloc(w->cols * sizeof *row);

	memset(mag, 0, m * w->cols * sizeof *mag);
	for (size_t r = 0; r < w->rows; r++) {
		mat_row_f32(w, r, row);
		for (size_t i = 0; i < m; i++)
			for (size_t c = 0; c < w->cols; c++)
				mag[i * w->cols + c] += fabs((double)dy[i * ldy + r]) *
							(fabs((double)row[c]) + more);
	}
	free(row);
}

static const enum math maths[] = { MATH_F32, MATH_BF16, MATH_BF16X3 };

/* What an error may be: in bfloat16 against ref's sums of the same rounded values, but that a
 * weight half-way between two may go the other way, where it is decoded in another order. */
static double allowed(const struct backend *b, size_t m, enum math math, const struct mat *w)
{
	if (math == MATH_F32 || !rounds(b, m, math) || w->cols < 16)
		return 2e-6;
	return math == MATH_BF16X3 ? 0x1p-15 : 1e-4;
}

/* A product, what dx held before, and what it is to be. */
struct back {
	const struct mat *w;
	const float *dy, *was;
	float *want, *got; /* [m][cols] */
	double *mag;
	size_t m, ldy;
	bool add;
	enum math math;
};

static void check_way(const struct backend *b, const char *name, const struct back *c)
{
	size_t cols = c->w->cols, ldx = cols + 3;
	float *dx = guarded(c->m * ldx * sizeof *dx);
	double e;

	for (size_t t = 0; t < c->m && c->add; t++)
		memcpy(dx + t * ldx, c->was + t * cols, cols * sizeof *dx);
	b->products_back(dx, ldx, c->add, c->dy, c->ldy, c->m, c->w, c->math);
	for (size_t t = 0; t < c->m; t++) {
		memcpy(c->got + t * cols, dx + t * ldx, cols * sizeof *dx);
		cr_expect(untouched(dx + t * ldx + cols, ldx - cols));
	}
	e = worst(c->got, c->want, c->mag, c->m * cols);
	cr_expect(e < allowed(b, c->m, c->math, c->w),
		"%s, type %d, %d bits, %zu x %zu, %zu rows, math %d: %g", name, (int)c->w->type,
		c->w->bits, c->w->rows, cols, c->m, (int)c->math, e);
}

static void check_back(const struct mat *w, struct rng *r, const size_t *ms, size_t n)
{
	size_t most = ms[n - 1], ldy = w->rows + 5, cols = w->cols;
	float *dy = guarded_floats(r, most * ldy, 1), *was = guarded_floats(r, most * cols, 1);
	float *want = malloc(most * cols * sizeof *want), *got = malloc(most * cols * sizeof *got);
	double *mag = malloc(most * cols * sizeof *mag);
	const struct backend *b;
	const char *name;

	for (size_t k = 0; k < n * COUNT(maths); k++) {
		enum math math = maths[k % COUNT(maths)];
		size_t m = ms[k / COUNT(maths)];
		bool add = (k + w->rows + w->cols) % 2;
		const struct back c = { w, dy, was, want, got, mag, m, ldy, add, math };

		back_magnitudes(mag, dy, ldy, m, w);
		for (size_t t = 0; t < m * cols && add; t++)
			mag[t] += fabs((double)was[t]);
		for (int rounded = 0; rounded < 2; rounded++) {
			memcpy(want, was, m * cols * sizeof *want);
			ref()->products_back(
				want, cols, add, dy, ldy, m, w, rounded ? math : MATH_F32);
			for (size_t i = 0; (b = way(i, &name)); i++)
				if ((math != MATH_F32 && cols >= 16 && rounds(b, m, math)) ==
					(rounded == 1))
					check_way(b, name, &c);
		}
	}
	free(want);
	free(got);
	free(mag);
	guarded_free_all();
}

static const size_t few[] = { 1, 17 }, many[] = { 5, 50 };

Test(kernels_back_ways, packed_products_go_back, .timeout = 120)
{
	each_packed(31, check_back, few + 1, 1);
}

Test(kernels_back_ways, dense_products_go_back, .timeout = 120)
{
	each_dense(32, check_back, few, 2);
}

Test(kernels_back_ways, large_products_go_back, .timeout = 120)
{
	each_large(33, check_back, many, 2);
}

Test(kernels_back_ways, mixes_and_very_high_matrices_go_back, .timeout = 120)
{
	static const size_t ms[] = { 16, 33 };
	struct rng r;
	struct mat w;

	rng_seed(&r, 34);
	pool_start(2);
	w = random_mix(&r, 75, 325, 128);
	check_back(&w, &r, ms, 2);
	/* goes in two pieces of the sum */
	w = random_mat(&r, MAT_INT, 4, 128, 4101, 40);
	check_back(&w, &r, ms, 1);
	w = random_mat(&r, MAT_F16, 0, 0, 4101, 40);
	check_back(&w, &r, ms, 1);
	pool_stop();
}

/* ---- between the products ---- */

static const size_t widths[] = { 1, 15, 16, 17, 33, 63, 64, 65, 576 };

Test(kernels_back_ways, norms_go_back, .timeout = 60)
{
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 35);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++) {
		/* more rows than are held at once */
		size_t n = widths[k], m = n == 15 ? 4100 : k % 2 ? 70 : 3;
		float *x = guarded_floats(&r, m * n, 3), *gain = guarded_floats(&r, n, 1);
		float *dy = guarded_floats(&r, m * n, 1), *was = guarded_floats(&r, m * n, 1);
		float *dx = copy_of(was, m * n), *dgain = copy_of(gain, n);

		ref()->rmsnorm_back(dx, dgain, dy, x, gain, m, n, 1e-5f);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *got = copy_of(was, m * n), *got_gain = copy_of(gain, n);

			b->rmsnorm_back(got, got_gain, dy, x, gain, m, n, 1e-5f);
			cr_expect(op_relative(got, dx, m * n, 1) < 1e-6, "%s %zu", name, n);
			cr_expect(op_relative(got_gain, dgain, n, sqrt((double)m)) < 1e-6, "%s %zu",
				name, n);
			memcpy(got, was, m * n * sizeof *got);
			b->rmsnorm_back(got, NULL, dy, x, gain, m, n, 1e-5f);
			cr_expect(op_relative(got, dx, m * n, 1) < 1e-6, "%s %zu", name, n);
		}
		guarded_free_all();
	}
	pool_stop();
}

Test(kernels_back_ways, activations_go_back_also_in_place, .timeout = 60)
{
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 36);
	pool_start(2);
	for (size_t k = 0; k < 2 * COUNT(widths); k++) {
		size_t n = k < COUNT(widths) ? widths[k] : 16000 + 777 * k;
		float *gate = guarded_floats(&r, n, 5), *up = guarded_floats(&r, n, 2);
		float *dy = guarded_floats(&r, n, 1);
		float *dgate = guarded(n * sizeof *dgate), *dup = guarded(n * sizeof *dup);

		if (n > 16) { /* as far as exp goes, and beyond */
			gate[3] = 200;
			gate[5] = -200;
			gate[7] = -95;
			gate[11] = 0;
		}
		ref()->swiglu_back(dgate, dup, dy, gate, up, n);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *g = guarded(n * sizeof *g), *u = guarded(n * sizeof *u);

			b->swiglu_back(g, u, dy, gate, up, n);
			cr_expect(op_relative(g, dgate, n, 1) < 3e-6, "%s %zu", name, n);
			cr_expect(op_relative(u, dup, n, 1) < 1e-6, "%s %zu", name, n);
			memcpy(g, gate, n * sizeof *g);
			memcpy(u, up, n * sizeof *u);
			b->swiglu_back(g, u, dy, g, u, n);
			cr_expect(op_relative(g, dgate, n, 1) < 3e-6, "%s %zu", name, n);
			cr_expect(op_relative(u, dup, n, 1) < 1e-6, "%s %zu", name, n);
		}
		guarded_free_all();
	}
	pool_stop();
}

static void check_losses(size_t m, size_t n, struct rng *r)
{
	float *z = guarded_floats(r, m * n, 4), *zp = guarded_floats(r, m * n, 4);
	float *dz = copy_of(z, m * n), *dq = copy_of(z, m * n);
	int32_t *label = guarded(m * sizeof *label);
	double *loss = malloc(4 * m * sizeof *loss), *kl = loss + m, *got = kl + m;
	const struct backend *b;
	const char *name;

	for (size_t i = 0; i < m; i++)
		label[i] = (int32_t)(i ? rng_u64(r) % n : n - 1);
	ref()->cross_entropy(loss, dz, label, m, n, 0.25f);
	ref()->kl_back(kl, dq, zp, m, n, -2);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *a = copy_of(z, m * n), *c = copy_of(z, m * n), *none = copy_of(z, m * n);

		b->cross_entropy(got, a, label, m, n, 0.25f);
		b->kl_back(got + m, c, zp, m, n, -2);
		for (size_t k = 0; k < m; k++) {
			cr_expect(fabs(got[k] - loss[k]) < 1e-6 * (1 + loss[k]), "%s %zu", name, n);
			cr_expect(fabs(got[m + k] - kl[k]) < 1e-6 * (1 + kl[k]), "%s %zu", name, n);
		}
		cr_expect(op_relative(a, dz, m * n, 0.01) < 1e-5, "%s %zu: %g", name, n,
			op_relative(a, dz, m * n, 0.01));
		cr_expect(op_relative(c, dq, m * n, 0.1) < 1e-5, "%s %zu: %g", name, n,
			op_relative(c, dq, m * n, 0.1));
		b->cross_entropy(NULL, none, label, m, n, 0.25f);
		cr_expect(!memcmp(none, a, m * n * sizeof *a), "%s %zu", name, n);
		memcpy(none, z, m * n * sizeof *z);
		b->kl_back(NULL, none, zp, m, n, -2);
		cr_expect(!memcmp(none, c, m * n * sizeof *c), "%s %zu", name, n);
	}
	free(loss);
	guarded_free_all();
}

Test(kernels_back_ways, losses_go_back, .timeout = 60)
{
	struct rng r;

	rng_seed(&r, 37);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++)
		check_losses(k % 2 ? 60 : 3, widths[k], &r);
	check_losses(3, 49152, &r);
	pool_stop();
}

Test(kernels_back_ways, embeddings_go_back_row_by_row, .timeout = 60)
{
	enum { VOCAB = 9, M = 40 };
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 38);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k];
		float *dy = guarded_floats(&r, M * n, 1), *was = guarded_floats(&r, VOCAB * n, 1);
		float *dw = copy_of(was, VOCAB * n);
		int32_t ids[M];

		for (size_t i = 0; i < M; i++)
			ids[i] = (int32_t)(rng_u64(&r) % VOCAB);
		ref()->embed_back(dw, dy, ids, M, n);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *got = copy_of(was, VOCAB * n);

			b->embed_back(got, dy, ids, M, n);
			cr_expect(!memcmp(got, dw, VOCAB * n * sizeof *got), "%s %zu", name, n);
		}
		guarded_free_all();
	}
	pool_stop();
}

/* ---- NaN ---- */

Test(kernels_back_ways, a_nan_stays_in_its_row, .timeout = 60)
{
	enum { M = 40, N = 100, BAD = 21 };
	const struct backend *b;
	const char *name;
	struct mat w;
	struct rng r;
	float *x, *dy, *up;
	int32_t label[M] = { 0 };

	rng_seed(&r, 41);
	pool_start(2);
	w = random_mat(&r, MAT_INT, 4, 64, N, N);
	x = guarded_floats(&r, M * N, 1);
	up = guarded_floats(&r, M * N, 1);
	dy = guarded_floats(&r, M * N, 1);
	dy[BAD * N + 5] = NAN;
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *to = guarded(M * N * sizeof *to), *also = guarded(M * N * sizeof *also);

		for (size_t k = 0; k < COUNT(maths); k++) {
			b->products_back(to, N, false, dy, N, M, &w, maths[k]);
			cr_expect(only_there(to, M, N, BAD, BAD + 1, 0, N), "%s", name);
			cr_expect(isnan(to[BAD * N]), "%s", name);
		}
		memset(to, 0, M * N * sizeof *to);
		b->rmsnorm_back(to, NULL, dy, x, x, M, N, 1e-5f);
		cr_expect(only_there(to, M, N, BAD, BAD + 1, 0, N), "%s", name);
		b->swiglu_back(to, also, dy, x, up, M * N);
		cr_expect(only_there(to, M, N, BAD, BAD + 1, 5, 6), "%s", name);
		memcpy(to, dy, M * N * sizeof *to);
		b->cross_entropy(NULL, to, label, M, N, 1);
		cr_expect(only_there(to, M, N, BAD, BAD + 1, 0, N), "%s", name);
		memcpy(to, dy, M * N * sizeof *to);
		b->kl_back(NULL, to, x, M, N, 1);
		cr_expect(only_there(to, M, N, BAD, BAD + 1, 0, N), "%s", name);
	}
	guarded_free_all();
	pool_stop();
}
