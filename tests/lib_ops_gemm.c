/* lib_ops_gemm.c - general products, reductions over logits, what is not finite, and rows of W as
 * float, against ref.
 *
 * Of C an error may be 3 k + 4 roundings of |alpha| |A| |B| + |beta C|, but no more than 1e-5 of
 * it; MATH_FAST may round A and B by 2^-8 each.
 */
#include <math.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_ops.h"

static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };
static const char *const math_name[] = { "f32", "int8", "bf16", "bf16x3", "fast" };

struct general {
	bool ta, tb;
	size_t m, n, k, lda, ldb, ldc, count;
	float alpha, beta;
	const float *a, *b, *c; /* host; c [m - 1][ldc] and [n] */
	enum math math;
	float *y;     /* ref's, as c */
	double *size; /* what an error is measured against */
};

/* A row of C by ref, and its sizes. */
static void part_of_c(void *arg, size_t i)
{
	const struct general *g = arg;
	const float *a = g->a + (g->ta ? i : i * g->lda);
	double *size = g->size + i * g->ldc;

	bd_backend_ref.gemm(g->ta, g->tb, 1, g->n, g->k, g->alpha, a, g->lda, g->b, g->ldb, g->beta,
		g->y + i * g->ldc, g->ldc, g->math);
	for (size_t j = 0; j < g->n; j++) {
		double sum = 0;

		for (size_t p = 0; p < g->k; p++)
			sum += fabs((double)a[g->ta ? p * g->lda : p] *
				    (double)g->b[g->tb ? j * g->ldb + p : p * g->ldb + j]);
		size[j] = sum * fabs((double)g->alpha);
		if (g->beta != 0)
			size[j] += fabs((double)g->beta * (double)g->c[i * g->ldc + j]);
	}
}

static void answer(struct op_run *r, struct general *g, enum math math)
{
	g->math = math == MATH_INT8 || math == MATH_FAST ? MATH_F32 : math;
	g->y = op_host(r, g->count * sizeof *g->y);
	memcpy(g->y, g->c, g->count * sizeof *g->y);
	g->size = op_host(r, g->m * g->ldc * sizeof *g->size);
	pool_run(part_of_c, g, g->m);
}

/* Largest error as a share of what is allowed. */
static double far_off(struct op_run *r, const struct general *g, const float *got, enum math math)
{
	double k = (double)g->k, most = 0;
	double bound = fmin(ldexp(3 * k + 4, -24), 1e-5) + (math == MATH_FAST ? 0x1.02p-7 : 0);

	for (size_t p = 0; p < g->count; p++) {
		double e = fabs((double)got[p] - (double)g->y[p]) / (bound * g->size[p] + 1e-37);
		uint32_t bits;

		memcpy(&bits, got + p, sizeof bits);
		if (p % g->ldc >= g->n) {
			if (bits != 0xffffffff)
				op_fail(r, "writes beyond row %zu of C", p / g->ldc);
		} else if (!(e <= most)) {
			most = isnan(e) ? INFINITY : e;
		}
	}
	return most;
}

static void check(struct op_run *r, struct general *g, enum math math)
{
	size_t a = (g->ta ? g->k : g->m) * g->lda - 1, b = (g->tb ? g->n : g->k) * g->ldb - 2;
	float *c = op_inout(r, g->c, g->count * sizeof *c, 4), *got;
	double e;

	op_case(r, "%zu x %zu x %zu%s%s, alpha %g, beta %g, %s", g->m, g->n, g->k,
		g->ta ? ", A turned" : "", g->tb ? ", B turned" : "", (double)g->alpha,
		(double)g->beta, math_name[math]);
	r->b->gemm(g->ta, g->tb, g->m, g->n, g->k, g->alpha, op_put(r, g->a, a * sizeof(float), 8),
		g->lda, op_put(r, g->b, b * sizeof(float), 0), g->ldb, g->beta, c, g->ldc, math);
	got = op_get(r, c, g->count * sizeof *got);
	answer(r, g, math);
	e = far_off(r, g, got, math);
	if (math == MATH_BF16 || math == MATH_BF16X3) { /* or in float, which is nearer */
		answer(r, g, MATH_F32);
		e = fmin(e, far_off(r, g, got, math));
	}
	op_share(r, e, g->m * g->n);
}

static struct general make(
	struct op_run *r, size_t m, size_t n, size_t k, int kind, float alpha, float beta)
{
	struct general g = {
		.ta = kind & 1, .tb = kind & 2, .m = m, .n = n, .k = k, .alpha = alpha, .beta = beta
	};
	float *c;

	g.lda = (g.ta ? m : k) + 1;
	g.ldb = (g.tb ? k : n) + 2;
	g.ldc = n + 3;
	g.count = (m - 1) * g.ldc + n;
	g.a = op_floats(r, (g.ta ? k : m) * g.lda, 1);
	g.b = op_floats(r, (g.tb ? n : k) * g.ldb, 1);
	g.c = c = op_host(r, g.count * sizeof *c); /* NaN, which does not count where beta is 0 */
	for (size_t i = 0; beta != 0 && i < g.count; i++)
		if (i % g.ldc < n)
			c[i] = (float)rng_normal(&r->rng);
	return g;
}

void op_gemm(struct op_run *r)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 5, 7, 3 }, { 17, 16, 2 }, { 33, 15, 32 },
		{ 31, 33, 31 }, { 64, 100, 95 }, { 33, 40, 700 }, { 193, 65, 17 }, { 512, 577, 130 },
		{ 300, 1030, 512 }, { 320, 320, 2048 } };
	static const float alphas[] = { 1, -1, 0.5f, 1, 0 }, betas[] = { 0, 1, 0.25f };
	size_t n = 0;

	for (size_t s = 0; s < (r->large ? COUNTED(shapes) : 6); s++)
		for (int kind = 0; kind < 4; kind++)
			for (size_t b = 0; b < COUNTED(betas); b++, n++) {
				struct general g = make(r, shapes[s][0], shapes[s][1], shapes[s][2],
					kind, alphas[n % COUNTED(alphas)], betas[b]);

				for (size_t k = 0; k < COUNTED(maths); k++)
					check(r, &g, maths[k]);
				op_end(r);
			}
}

void op_gemm_zero(struct op_run *r)
{
	for (size_t k = 0; k < COUNTED(maths); k++) {
		float c[20 * 20], none = 0, *to, *got;
		const float *empty;

		for (size_t p = 0; p < COUNTED(c); p++)
			c[p] = (float)p;
		to = op_inout(r, c, sizeof c, 0);
		empty = op_put(r, &none, sizeof none, 0);
		op_case(r, "20 x 20 x 0, beta 0.5, %s", math_name[maths[k]]);
		r->b->gemm(false, false, 20, 20, 0, 1, empty, 1, empty, 20, 0.5f, to, 20, maths[k]);
		got = op_get(r, to, sizeof c);
		for (size_t p = 0; p < COUNTED(c); p++)
			c[p] *= 0.5f;
		op_same(r, got, c, sizeof c, "C");
		op_end(r);
	}
}

/* ---- reductions */

static const size_t widths[] = { 1, 2, 15, 16, 17, 31, 33, 257, 1000, 4099, 49152, 128256 };

static void check_stats(struct op_run *r, const float *z, size_t m, size_t n, const char *of)
{
	double want[8], lse[8], alone[8];
	int32_t best[8], argmax[8], first[8];
	const float *dev = op_put(r, z, m * n * sizeof *z, n % 2 * 4);

	op_case(r, "%zu rows of %zu, %s", m, n, of);
	bd_backend_ref.row_stats(want, best, z, m, n);
	r->b->row_stats(lse, argmax, dev, m, n);
	r->b->row_stats(alone, NULL, dev, m, n);
	r->b->row_stats(NULL, first, dev, m, n);
	for (size_t i = 0; i < m; i++) {
		double e = fabs(lse[i] - want[i]) / (2e-7 * (1 + 1e-2 * fabs(want[i])));

		if (lse[i] == want[i] || (isnan(lse[i]) && isnan(want[i])))
			e = 0;
		op_share(r, e, 1);
		if (argmax[i] != best[i])
			op_fail(r, "the largest of row %zu is %d, not %d", i, (int)argmax[i],
				(int)best[i]);
	}
	op_same(r, alone, lse, m * sizeof *lse, "the sums without the largest");
	op_same(r, first, argmax, m * sizeof *first, "the largest without the sums");
}

void op_row_stats(struct op_run *r)
{
	for (size_t k = 0; k < COUNTED(widths) - (r->large ? 0 : 3); k++) {
		size_t n = widths[k], m = 5;
		float *z = op_floats(r, m * n, 8), nan[100];

		check_stats(r, z, m, n, "normal");
		for (size_t i = 0; i < m * n; i++)
			z[i] = (float)(int)z[i]; /* many equal: the first counts */
		check_stats(r, z, m, n, "ties");
		for (size_t i = 0; i < m * n; i += 3)
			z[i] = -INFINITY;
		check_stats(r, z, m, n, "holes");
		for (size_t i = 0; i < m * n; i++)
			z[i] = -INFINITY;
		check_stats(r, z, m, n, "nothing");
		op_end(r);

		for (int i = 0; i < 100; i++)
			nan[i] = i == (int)(k * 9) ? NAN : (float)(i % 10);
		double lse;
		int32_t best = -7;

		op_case(r, "a NaN at %zu of 100", k * 9);
		r->b->row_stats(&lse, &best, op_put(r, nan, sizeof nan, 0), 1, 100);
		if (!isnan(lse) || best < 0 || best >= 100)
			op_fail(r, "sum %g, the largest is %d", lse, (int)best);
		op_end(r);
	}
}

void op_kl(struct op_run *r)
{
	static const double noises[] = { 3, 0.1, 1e-3, 4e-4 };

	for (size_t k = 0; k < COUNTED(widths) - (r->large ? 0 : 3); k++)
		for (size_t s = 0; s < COUNTED(noises); s++) {
			size_t n = widths[k], m = 3;
			float *p = op_floats(r, m * n, 4), *q = op_host(r, m * n * sizeof *q);
			double lp[3], lq[3], want[3], got[3];
			const float *dp, *dq;

			for (size_t i = 0; i < m * n; i++)
				q[i] = p[i] + (float)(noises[s] * rng_normal(&r->rng));
			if (s == 0 && n > 2)
				p[n / 2] = q[n / 2] = -INFINITY; /* adds nothing */
			bd_backend_ref.row_stats(lp, NULL, p, m, n);
			bd_backend_ref.row_stats(lq, NULL, q, m, n);
			bd_backend_ref.kl(want, p, lp, q, lq, m, n);
			dp = op_put(r, p, m * n * sizeof *p, 0);
			dq = op_put(r, q, m * n * sizeof *q, 4);
			op_case(r, "3 rows of %zu, noise %g", n, noises[s]);
			/* with its own sums, as it is used */
			r->b->row_stats(lp, NULL, dp, m, n);
			r->b->row_stats(lq, NULL, dq, m, n);
			r->b->kl(got, dp, lp, dq, lq, m, n);
			for (size_t j = 0; j < m; j++)
				op_share(r, fabs(got[j] - want[j]) / (4e-6 * want[j] + 1e-12), 1);
			r->b->kl(got, dp, lp, dp, lp, m, n);
			for (size_t j = 0; j < m; j++)
				op_share(r, got[j] >= 0 ? got[j] / 1e-12 : INFINITY, 1);
			op_end(r);
		}
}

void op_sq_diff(struct op_run *r)
{
	static const size_t counts[] = { 0, 1, 15, 17, 4097, 16385, 100003, 1500001, 20000003 };

	for (size_t k = 0; k < COUNTED(counts) - (r->large ? 0 : 2); k++) {
		size_t n = counts[k];
		float *x = op_floats(r, n, 1), *y = op_floats(r, n, 1);
		double num, den, a = -1, b = -1;

		bd_backend_ref.sq_diff(&num, &den, x, y, n);
		op_case(r, "%zu values", n);
		r->b->sq_diff(&a, &b, op_put(r, x, n * sizeof *x, 4),
			op_put(r, y, n * sizeof *y, 0), n);
		op_share(r, fabs(a - num) / (1e-12 * num + 1e-300), 1);
		op_share(r, fabs(b - den) / (1e-12 * den + 1e-300), 1);
		op_end(r);
	}
}

/* ---- products with x that is not finite: it stays in its row, and reaches all of it */

void op_not_finite(struct op_run *r)
{
	enum { ROWS = 50, COLS = 70, BAD = 2 };
	static const size_t ms[] = { 3, 7, 16, 35 };
	static const float bad[] = { INFINITY, NAN, -INFINITY };

	for (int packed = 0; packed < 2; packed++)
		for (size_t k = 0; k < COUNTED(ms) * COUNTED(maths); k++) {
			size_t m = ms[k / COUNTED(maths)], wrong = 0;
			struct op_mat w = op_mat(
				r, packed ? MAT_INT : MAT_F32, 4, 32, ROWS, COLS);
			float *x = op_floats(r, m * COLS, 1), *y, *to;
			enum math math = maths[k % COUNTED(maths)];

			if (!r->large && k / COUNTED(maths) == 2)
				continue;
			x[BAD * COLS + COLS - 1] = bad[k % COUNTED(bad)];
			to = op_out(r, m * ROWS * sizeof *to, 0);
			op_case(r, "%g in row %d of %zu, %s, %s", (double)bad[k % COUNTED(bad)],
				(int)BAD, m, packed ? "packed" : "dense", math_name[math]);
			r->b->products(&(struct product){ to, ROWS, &w.dev }, 1,
				op_put(r, x, m * COLS * sizeof *x, 0), COLS, m, math);
			y = op_get(r, to, m * ROWS * sizeof *to);
			for (size_t i = 0; i < m * ROWS; i++)
				wrong += isfinite(y[i]) ? i / ROWS == BAD : i / ROWS != BAD;
			if (wrong)
				op_fail(r, "%zu values of other rows, or finite ones of its own",
					wrong);
			op_share(r, 0, m * ROWS);
			op_end(r);
		}
}

/* ---- rows of W */

void op_rows_as_float(struct op_run *r)
{
	static const size_t cols[] = { 1, 31, 32, 33, 65, 577 };

	for (int kind = 0; kind < 12; kind++)
		for (size_t j = kind % 2; j < COUNTED(cols); j += r->large ? 1 : 2) {
			size_t n = 50, c = cols[j], bytes = n * c * sizeof(float);
			struct op_mat w;
			float *host, *all_rows, *some, *five;
			int32_t ids[5] = { 49, 0, 17, 17, 31 }, asked[5];
			char name[80];

			if (kind == 11 && c <= 64)
				continue;
			w = kind == 11 ? op_mix(r, 4, 2, n, c, 32)
				       : op_mat(r, kind < 3 ? (enum mat_type)kind : MAT_INT,
						 kind - 2, (size_t)32 << j % 3, n, c);
			host = op_host(r, bytes);
			all_rows = op_out(r, bytes, 4);
			some = op_out(r, 21 * c * sizeof *some, 0);
			five = op_out(r, 5 * c * sizeof *five, 12);
			op_case(r, "%s", op_mat_name(&w.host, name));
			bd_backend_ref.dequant(host, &w.host, 0, n);
			r->b->dequant(all_rows, &w.dev, 0, n);
			r->b->dequant(some, &w.dev, 13, 21);
			memcpy(asked, ids, sizeof ids);
			r->b->embed(five, &w.dev, asked, 5);
			memset(asked, 0x7f, sizeof asked); /* they may be reused at once */
			op_same(r, op_get(r, all_rows, bytes), host, bytes, "all rows");
			op_same(r, op_get(r, some, 21 * c * sizeof *some), host + 13 * c,
				21 * c * sizeof *some, "rows 13 to 33");
			five = op_get(r, five, 5 * c * sizeof *five);
			for (size_t k = 0; k < 5; k++)
				op_same(r, five + k * c, host + (size_t)ids[k] * c,
					c * sizeof *five, "an embedding");
			op_end(r);
		}
}
