/* test_kernels_gemm.c - general products, transposed or not, in every math and by every path of
 * this machine, against ref; and ref's own against sums written out here. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/f16.h"
#include "kernels/pool.h"
#include "tests/lib_kernels.h"

static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };

/* One product, its operands in guarded memory. */
struct general {
	bool ta, tb;
	size_t m, n, k, lda, ldb, ldc, count;
	float alpha, beta;
	const float *a, *b;
	float *c; /* [count] = [m - 1][ldc] and [n], as it was before; 0xff between the rows */
};

static struct general random_general(
	struct rng *r, size_t m, size_t n, size_t k, int kind, float alpha, float beta)
{
	struct general g = { .ta = kind & 1, .tb = kind & 2, .m = m, .n = n, .k = k };

	g.lda = (g.ta ? m : k) + 1;
	g.ldb = (g.tb ? k : n) + 2;
	g.ldc = n + 3;
	g.count = (m - 1) * g.ldc + n;
	g.alpha = alpha;
	g.beta = beta;
	/* there is no room beyond the last row */
	g.a = guarded_floats(r, (g.ta ? k : m) * g.lda - 1, 1);
	g.b = guarded_floats(r, (g.tb ? n : k) * g.ldb - 2, 1);
	g.c = guarded(g.count * sizeof *g.c);
	for (size_t i = 0; beta != 0 && i < g.count; i++)
		if (i % g.ldc < n)
			g.c[i] = (float)rng_normal(r);
	return g;
}

static void run(const struct backend *b, const struct general *g, float *c, enum math math)
{
	memcpy(c, g->c, g->count * sizeof *c);
	b->gemm(g->ta, g->tb, g->m, g->n, g->k, g->alpha, g->a, g->lda, g->b, g->ldb, g->beta, c,
		g->ldc, math);
}

static float of_a(const struct general *g, size_t i, size_t p)
{
	return g->ta ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
}

static float of_b(const struct general *g, size_t p, size_t j)
{
	return g->tb ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
}

/* What an error is measured against, for each of C: |alpha| |A| |B| + |beta C|. */
static double *sizes(const struct general *g)
{
	double *size = malloc(g->count * sizeof *size);

	for (size_t i = 0; i < g->m; i++)
		for (size_t j = 0; j < g->n; j++) {
			double sum = 0;

			for (size_t p = 0; p < g->k; p++)
				sum += fabs((double)of_a(g, i, p) * (double)of_b(g, p, j));
			sum *= fabs((double)g->alpha);
			if (g->beta != 0)
				sum += fabs((double)g->beta * (double)g->c[i * g->ldc + j]);
			size[i * g->ldc + j] = sum;
		}
	return size;
}

/* The math that a path computes where it is asked for one. */
static enum math done(const struct backend *b, const struct general *g, enum math math)
{
	return g->k && g->n >= 16 && rounds(b, g->m, math) ? math : MATH_F32;
}

static void compare(const struct general *g, const char *name, enum math math, const float *got,
	const float *want, const double *size, double bound)
{
	for (size_t p = 0; p < g->count; p++) {
		if (p % g->ldc >= g->n) {
			cr_assert(untouched(got + p, 1), "%s, math %d writes beyond the row", name,
				(int)math);
			continue;
		}
		if (fabs((double)got[p] - (double)want[p]) <= bound * size[p] + 1e-37)
			continue;
		cr_assert(false,
			"%s, math %d, %zux%zux%zu%s%s, alpha %g, beta %g: %g for %g at %zu %zu",
			name, (int)math, g->m, g->n, g->k, g->ta ? ", A transposed" : "",
			g->tb ? ", B transposed" : "", (double)g->alpha, (double)g->beta,
			(double)got[p], (double)want[p], p / g->ldc, p % g->ldc);
	}
}

/* Every way, from ref of the same numbers: 3 * k sums are rounded, and the last few steps.
 * MATH_FAST may have rounded operands or not: by 2^-8 each. */
static void check_general(const struct general *g)
{
	const struct backend *b;
	double *size = sizes(g);
	float *want[MATH_FAST + 1] = { NULL };
	const char *name;

	for (size_t k = 0; k < COUNT(maths); k++)
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *got = guarded(g->count * sizeof *got);
			enum math is = done(b, g, maths[k]);

			if (!want[is]) {
				want[is] = malloc(g->count * sizeof *got);
				run(backend_find("ref"), g, want[is], is);
			}
			run(b, g, got, maths[k]);
			compare(g, name, maths[k], got, want[is], size,
				ldexp(3 * (double)g->k + 4, -24) +
					(maths[k] == MATH_FAST ? 0x1.02p-7 : 0));
		}
	for (size_t k = 0; k < COUNT(want); k++)
		free(want[k]);
	free(size);
	guarded_free_all();
}

Test(kernels_gemm, awkward_shapes_agree_with_ref, .timeout = 120)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 5, 7, 3 }, { 16, 16, 1 }, { 17, 16, 2 },
		{ 31, 33, 31 }, { 33, 15, 32 }, { 32, 32, 33 }, { 48, 65, 64 }, { 193, 65, 17 },
		{ 64, 100, 95 } };
	static const float alphas[] = { 1, -1, 0.5f, 1, 0 }, betas[] = { 0, 1, 0.25f };
	size_t n = 0;
	struct rng r;

	rng_seed(&r, 1);
	pool_start(2);
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (int kind = 0; kind < 4; kind++)
			for (size_t b = 0; b < COUNT(betas); b++, n++) {
				struct general g = random_general(&r, shapes[s][0], shapes[s][1],
					shapes[s][2], kind, alphas[n % COUNT(alphas)], betas[b]);

				check_general(&g);
			}
	pool_stop();
}

Test(kernels_gemm, shapes_of_forward_and_both_gradients_agree_with_ref, .timeout = 120)
{
	/* more columns than a panel has, more steps than one has; sums that are not yet C and do
	 * not fit at once */
	static const size_t shapes[][3] = { { 130, 390, 70 }, { 50, 100, 577 }, { 33, 40, 2100 },
		{ 490, 520, 17 }, { 20, 1800, 36 } };
	struct rng r;

	rng_seed(&r, 2);
	pool_start(2);
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (int kind = 0; kind < 4; kind++) {
			struct general g =
				random_general(&r, shapes[s][0], shapes[s][1], shapes[s][2], kind,
					kind % 2 ? -0.5f : 1, (kind + (int)s) % 3 ? 1 : 0);

			check_general(&g);
		}
	pool_stop();
}

static float nearest(float f)
{
	return bf16_to_f32(bf16_from_f32(f));
}

Test(kernels_gemm, ref_rounds_both_operands_as_products_do, .timeout = 60)
{
	const struct backend *ref = backend_find("ref");
	struct general g;
	struct rng r;

	rng_seed(&r, 3);
	for (int kind = 0; kind < 4; kind++) {
		float c[4][7 * 12], want[7 * 12];
		double *size;

		g = random_general(&r, 7, 9, 40, kind, -0.5f, 0.25f);
		size = sizes(&g);
		for (int k = 0; k < 4; k++)
			run(ref, &g, c[k], maths[k]);
		memcpy(want, g.c, g.count * sizeof *want);
		for (int k = 0; k < 2; k++) { /* 1: of what is rounded */
			for (size_t i = 0; i < g.m; i++)
				for (size_t j = 0; j < g.n; j++) {
					double sum = 0;

					for (size_t p = 0; p < g.k; p++) {
						float x = of_a(&g, i, p), w = of_b(&g, p, j);

						sum += k ? (double)nearest(x) * (double)nearest(w)
							 : (double)x * (double)w;
					}
					want[i * g.ldc + j] =
						(float)(-0.5 * sum +
							0.25 * (double)g.c[i * g.ldc + j]);
				}
			compare(&g, "ref", maths[2 * k], c[2 * k], want, size, 0x1p-24);
			if (!k) {
				compare(&g, "ref", MATH_INT8, c[1], want, size, 0x1p-24);
				compare(&g, "ref", MATH_BF16X3, c[3], want, size, 0x1p-15);
			}
		}
		cr_expect(memcmp(c[0], c[2], sizeof c[0]) && memcmp(c[0], c[3], sizeof c[0]));
		free(size);
		guarded_free_all();
	}
}

Test(kernels_gemm, beta_of_zero_overwrites_what_is_not_a_number, .timeout = 60)
{
	const struct backend *b;
	const char *name;
	struct general g;
	struct rng r;

	rng_seed(&r, 4);
	g = random_general(&r, 40, 50, 60, 1, 0.5f, 0); /* C is NaN */
	for (size_t k = 0; k < COUNT(maths); k++)
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float *c = guarded(g.count * sizeof *c);

			run(b, &g, c, maths[k]);
			for (size_t p = 0; p < g.count; p++)
				cr_assert(p % g.ldc >= g.n || isfinite(c[p]), "%s, math %d", name,
					(int)maths[k]);
		}
	guarded_free_all();
}

Test(kernels_gemm, without_inputs_c_is_scaled, .timeout = 60)
{
	const struct backend *b;
	const char *name;

	for (size_t k = 0; k < COUNT(maths); k++)
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float c[20 * 20], none = 0;

			for (size_t p = 0; p < COUNT(c); p++)
				c[p] = 2;
			b->gemm(false, false, 20, 20, 0, 1, &none, 1, &none, 20, 0.5f, c, 20,
				maths[k]);
			cr_expect_eq(
				c[399], 1, "%s, math %d: %g", name, (int)maths[k], (double)c[399]);
		}
}

Test(kernels_gemm, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 5);
	for (int kind = 0; kind < 4; kind++) {
		struct general g = random_general(&r, 200, 230, 70, kind, kind & 1 ? 1 : 0.5f, 1);
		float *one = malloc(g.count * sizeof *one), *more = malloc(g.count * sizeof *more);

		for (size_t k = 0; k < COUNT(maths); k++)
			for (size_t i = 0; (b = way(i, &name)); i++)
				for (int threads = 1; threads <= 5; threads += threads) {
					pool_start(threads);
					run(b, &g, threads == 1 ? one : more, maths[k]);
					cr_expect(threads == 1 ||
							  !memcmp(one, more, g.count * sizeof *one),
						"%s, math %d with %d threads", name, (int)maths[k],
						threads);
					pool_stop();
				}
		free(one);
		free(more);
		guarded_free_all();
	}
}
