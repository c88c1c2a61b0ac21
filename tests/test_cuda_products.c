/* test_cuda_products.c - general and weight products of the CUDA backend on an emulated device
 * against ref: every math, every type, any alignment, more than fits the workspace. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"

/* ---- general ---- */

struct general {
	bool ta, tb;
	size_t m, n, k, lda, ldb, ldc;
	float alpha, beta;
};

/* |alpha| |A| |B| + |beta C| at i, j. */
static double size_at(const struct general *g, const float *a, const float *bb, const float *c,
	size_t i, size_t j)
{
	double sum = 0;

	for (size_t p = 0; p < g->k; p++)
		sum += fabs((double)(g->ta ? a[p * g->lda + i] : a[i * g->lda + p]) *
			    (double)(g->tb ? bb[j * g->ldb + p] : bb[p * g->ldb + j]));
	return fabs((double)g->alpha) * sum + fabs((double)g->beta * (double)c[i * g->ldc + j]) +
	       1e-30;
}

static void check_gemm(const struct backend *b, struct rng *r, struct general g, enum math math)
{
	size_t na = (g.ta ? g.k : g.m) * (g.lda = (g.ta ? g.m : g.k) + 1);
	size_t nb = (g.tb ? g.n : g.k) * (g.ldb = (g.tb ? g.k : g.n) + 2);
	size_t nc = g.m * (g.ldc = g.n + 3);
	float *a = cuda_floats(r, na), *bb = cuda_floats(r, nb), *c = cuda_floats(r, nc),
	      *want = malloc(nc * 4), *got = malloc(nc * 4);
	float *da = cuda_held(b, a, na * 4), *db = cuda_held(b, bb, nb * 4),
	      *dc = cuda_held(b, g.beta != 0 ? c : NULL, nc * 4);
	bool rounds = math == MATH_BF16 || math == MATH_BF16X3;
	double bound = ldexp(3 * (double)g.k + 4, -24) + (math == MATH_FAST ? 0x1.02p-7 : 0);

	memcpy(want, c, nc * 4);
	backend_find("ref")->gemm(g.ta, g.tb, g.m, g.n, g.k, g.alpha, a, g.lda, bb, g.ldb, g.beta,
		want, g.ldc, rounds ? math : MATH_F32);
	b->gemm(g.ta, g.tb, g.m, g.n, g.k, g.alpha, da, g.lda, db, g.ldb, g.beta, dc, g.ldc, math);
	b->get(got, dc, nc * 4);
	cuda_well(b);
	for (size_t i = 0; i < g.m; i++)
		for (size_t j = 0; j < g.n; j++) {
			size_t at = i * g.ldc + j;

			cr_assert(fabs((double)got[at] - (double)want[at]) <=
					  bound * size_at(&g, a, bb, c, i, j),
				"math %d, %zux%zux%zu %d%d: %g for %g at %zu %zu", (int)math, g.m,
				g.n, g.k, g.ta, g.tb, (double)got[at], (double)want[at], i, j);
		}
	for (size_t i = 0; i + 1 < nc; i++)
		if (i % g.ldc >= g.n)
			cr_assert(g.beta != 0 ? got[i] == c[i] : isnan(got[i]), "beyond the row");
	b->free(da);
	b->free(db);
	b->free(dc);
	free(a);
	free(bb);
	free(c);
	free(want);
	free(got);
}

Test(cuda_products, general_products_agree_with_ref_in_every_math, .timeout = 120)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 5, 7, 3 }, { 17, 16, 2 }, { 33, 15, 32 },
		{ 64, 100, 95 }, { 3, 200, 0 }, { 260, 257, 256 } };
	static const float alphas[] = { 1, -1, 0.5f }, betas[] = { 0, 1, 0.25f };
	static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 7);
	for (size_t s = 0, n = 0; s < COUNT(shapes); s++)
		for (int kind = 0; kind < 4; kind++)
			for (size_t k = 0; k < COUNT(maths); k++, n++) {
				struct general g = { .ta = kind & 1,
					.tb = kind & 2,
					.m = shapes[s][0],
					.n = shapes[s][1],
					.k = shapes[s][2],
					.alpha = alphas[n % 3],
					.beta = betas[n / 3 % 3] };

				if (g.m > 200 && kind && maths[k] != MATH_FAST)
					continue; /* the largest one is slow in ref */
				check_gemm(b, &r, g, maths[k]);
			}
}

/* Larger than the workspace: cut in pieces.  A value in so many is not 0, so that what C must be is
 * known; the last one is in a piece of its own. */
Test(cuda_products, what_does_not_fit_the_workspace_is_cut, .timeout = 300)
{
	enum { M = 2, N = 2, STEP = 1 << 20, K = 17 * STEP };
	const struct backend *b = cuda_backend();
	float c[M * N], *da = b->alloc((size_t)M * K * 4), *db = b->alloc((size_t)N * K * 4);
	float *dc = cuda_held(b, NULL, sizeof c);

	cr_assert(da && db); /* zeros but for these */
	for (size_t i = 0; i < M; i++)
		for (size_t p = 0; p < K; p += STEP)
			b->put(da + i * K + p, &(float){ (float)(i + 1) }, 4);
	for (size_t j = 0; j < N; j++)
		for (size_t p = 0; p < K; p += STEP)
			b->put(db + j * K + p, &(float){ (float)(j + p / STEP % 2) }, 4);
	b->gemm(false, true, M, N, K, 1, da, K, db, K, 0, dc, N, MATH_BF16X3);
	b->get(c, dc, sizeof c);
	cuda_well(b);
	for (size_t i = 0; i < M; i++)
		for (size_t j = 0; j < N; j++)
			cr_expect_eq(c[i * N + j], (float)((i + 1) * (17 * j + 8)), "%zu %zu: %g",
				i, j, (double)c[i * N + j]);
}

/* W with its data `off` bytes behind the beginning of a piece of device memory. */
static struct mat on_device(const struct backend *b, const struct mat *w, size_t off)
{
	size_t bytes = w->rows * w->cols * (w->type == MAT_F32 ? 4 : 2);
	char *p = cuda_held(b, NULL, bytes + off);
	struct mat d = *w;

	b->put(p + off, w->data, bytes);
	d.data = p + off;
	return d;
}

static void check_dense(const struct backend *b, struct rng *r, enum mat_type type, size_t rows,
	size_t cols, size_t m, size_t off, enum math math)
{
	struct mat w = random_mat(r, type, 0, 0, rows, cols), d = on_device(b, &w, off);
	size_t ldx = cols + off % 4, ldy = rows + 5, ny = m * ldy;
	float *x = cuda_floats(r, m * ldx), *want = malloc(m * rows * 4),
	      *got = malloc(m * rows * 4);
	float *y = malloc(ny * 4), *dx = cuda_held(b, x, m * ldx * 4),
	      *dy = cuda_held(b, NULL, ny * 4);
	double *mag = malloc(m * rows * sizeof *mag), e;
	bool rounds = (math == MATH_BF16 || math == MATH_BF16X3) && m > 16;

	product(backend_find("ref"), want, rows, x, ldx, m, &w, rounds ? math : MATH_F32);
	magnitudes(mag, x, ldx, m, &w);
	product(b, dy, ldy, dx, ldx, m, &d, math);
	b->get(y, dy, ny * 4);
	cuda_well(b);
	for (size_t i = 0; i < m; i++) {
		memcpy(got + i * rows, y + i * ldy, rows * 4);
		cr_assert(untouched(y + i * ldy + rows, ldy - rows), "beyond the row");
	}
	e = worst(got, want, mag, m * rows);
	cr_assert(e < 1e-5, "type %d, %zux%zu, m %zu, off %zu, math %d: %g", (int)type, rows, cols,
		m, off, (int)math, e);
	b->free(dx);
	b->free(dy);
	b->free((char *)(uintptr_t)d.data - off);
	free(x);
	free(want);
	free(got);
	free(y);
	free(mag);
	guarded_free_all();
}

Test(cuda_products, dense_matrices_agree_with_ref_at_any_alignment, .timeout = 300)
{
	static const size_t shapes[][2] = { { 1, 1 }, { 3, 8 }, { 33, 31 }, { 17, 264 },
		{ 40, 577 }, { 9, 2100 } };
	static const size_t offs[] = { 0, 16, 4, 2, 1 };
	static const size_t ms[] = { 1, 2, 4, 5, 16 };
	const struct backend *b = cuda_backend();
	struct rng r;
	size_t n = 0;

	rng_seed(&r, 8);
	for (size_t t = 0; t < COUNT(dense_types); t++)
		for (size_t s = 0; s < COUNT(shapes); s++)
			for (size_t k = 0; k < COUNT(ms); k++)
				check_dense(b, &r, dense_types[t], shapes[s][0], shapes[s][1],
					ms[k], offs[n++ % COUNT(offs)], MATH_F32);
}

Test(cuda_products, dense_matrices_agree_with_ref_for_every_count_and_math, .timeout = 300)
{
	static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 9);
	for (size_t m = 1; m <= 40; m++)
		check_dense(b, &r, dense_types[m % 3], 37, 96 + 8 * m, m, m % 5 ? 0 : 2,
			maths[m / 3 % COUNT(maths)]);
}

Test(cuda_products, what_is_not_a_number_stays_in_its_row, .timeout = 60)
{
	enum { ROWS = 9, COLS = 70, M = 3 };
	const struct backend *b = cuda_backend();
	float x[M * COLS], y[M * ROWS], *dx, *dy;
	struct mat w, d;
	struct rng r;

	rng_seed(&r, 10);
	w = random_mat(&r, MAT_F16, 0, 0, ROWS, COLS);
	d = on_device(b, &w, 0);
	for (size_t i = 0; i < COUNT(x); i++)
		x[i] = (float)rng_normal(&r);
	x[COLS + 69] = INFINITY;
	x[2 * COLS] = NAN;
	dx = cuda_held(b, x, sizeof x);
	dy = cuda_held(b, NULL, sizeof y);
	product(b, dy, ROWS, dx, COLS, M, &d, MATH_F32);
	b->get(y, dy, sizeof y);
	for (size_t i = 0; i < ROWS; i++) {
		cr_expect(isfinite(y[i]));
		cr_expect(!isfinite(y[ROWS + i]));
		cr_expect(isnan(y[2 * ROWS + i]));
	}
	guarded_free_all();
}

/* ---- several that share x ---- */

/* What rounding x and W may change of a value, of |x| |W|; ref rounds as is asked. */
static double bound_of(enum math math)
{
	return math == MATH_FAST || math == MATH_BF16 ? 0x1.02p-7 : 1e-5;
}

Test(cuda_products, matrices_of_all_kinds_share_x_in_every_math, .timeout = 120)
{
	static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };
	static const size_t ms[] = { 3, 20 };
	enum { KINDS = 9, COLS = 200, M = 20, MOST = 100 };
	const struct backend *b = cuda_backend(), *ref = backend_find("ref");
	struct mat w[KINDS], d[KINDS];
	struct product p[KINDS];
	float *x, *dx, want[M * MOST], got[M * MOST];
	double mag[M * MOST];
	struct rng r;

	rng_seed(&r, 11);
	for (size_t i = 0; i < KINDS; i++) {
		size_t rows = i == 4 ? 0 : 10 * i + 7; /* one is empty */

		w[i] = i % 4 == 3 ? random_mat(&r, dense_types[i / 4], 0, 0, rows, COLS)
		       : i == 5   ? random_mix(&r, 48, COLS, 96)
				: random_mat(&r, MAT_INT, (int)i % 8 + 1, 32 << i % 3, rows, COLS);
		d[i] = cuda_mat(b, &w[i]);
		p[i] = (struct product){ cuda_held(b, NULL, sizeof got), MOST, &d[i] };
	}
	x = guarded_floats(&r, M * COLS, 1);
	dx = cuda_held(b, x, M * COLS * sizeof *x);
	for (size_t k = 0; k < COUNT(maths); k++)
		for (size_t t = 0; t < COUNT(ms); t++) {
			bool rounds = ms[t] > 16 || maths[k] == MATH_INT8;

			b->products(p, KINDS, dx, COLS, ms[t], maths[k]);
			for (size_t i = 0; i < KINDS; i++) {
				size_t rows = w[i].rows;
				double e;

				b->get(got, p[i].y, sizeof got);
				cuda_well(b);
				product(ref, want, rows, x, COLS, ms[t], &w[i],
					rounds && maths[k] != MATH_FAST ? maths[k] : MATH_F32);
				magnitudes(mag, x, COLS, ms[t], &w[i]);
				for (size_t j = 0; j < ms[t]; j++)
					memmove(got + j * rows, got + j * MOST, rows * sizeof *got);
				e = worst(got, want, mag, ms[t] * rows);
				cr_expect(e < bound_of(maths[k]), "kind %zu, math %d, %zu rows: %g",
					i, (int)maths[k], ms[t], e);
			}
		}
	guarded_free_all();
}
