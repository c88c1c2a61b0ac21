/* cpu: general products.
 *
 * In float by the microkernel of products with a matrix.  Its panels are columns of op(B), its rows
 * of x are those of op(A), brought together first: as they lie, rows a power of two apart would
 * share sets of the first-level cache.  A value of C is one sum, over k in order, wherever the
 * parts are cut: they may follow the number of threads.  Without vectors of our own it is OpenBLAS,
 * in fixed parts.
 */
#include <cblas.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/cut.h"
#include "kernels/pool.h"

enum {
	PANEL = 192,       /* columns of op(B) in scratch at once, and ... */
	STRETCH = 512,     /* ... of its rows: 384 KiB, for the second-level cache */
	ROWS = 512,        /* of C in a part at most, ... */
	LD = STRETCH + 16, /* ... from row to row of A: not a power of two; 1,056 KiB */
	PARTS = 4,         /* for each thread, where there are several */
	TILE = 192         /* rows and columns of C in a part of OpenBLAS's */
};

_Static_assert((PANEL * STRETCH + ROWS * LD) * sizeof(float) <= POOL_SCRATCH, "they fit");

struct gemm {
	bool ta, tb;
	size_t m, n, k, lda, ldb, ldc;
	float alpha, beta;
	const float *a, *b;
	float *c;
	const struct mat *w; /* is op(B), in place of b; or NULL */
	size_t high, wide;   /* parts over rows, over panels or tiles */
};

/* Columns j ... j + n and rows s ... s + k of op(B). */
static void panel(const struct gemm *g, float *p, size_t j, size_t n, size_t s, size_t k)
{
	const struct mat b = { .type = MAT_F32, .rows = g->n, .cols = g->ldb, .data = g->b };

	if (g->w) {
		cpu_leaf()->mm.part(p, PANEL, g->w, s, k, j, n);
		return;
	}
	for (size_t r = 0; g->tb && r < n; r += MAT_TILE)
		cpu_leaf()->mm.panel(p + r, PANEL, &b, j + r, s, k);
	for (size_t r = 0; !g->tb && r < k; r++)
		memcpy(p + r * PANEL, g->b + (s + r) * g->ldb + j, n * sizeof *p);
}

/* Rows i ... i + m and columns s ... s + k of alpha * op(A), [m][LD]. */
static void rows(const struct gemm *g, float *to, size_t i, size_t m, size_t s, size_t k)
{
	const struct mat a = { .type = MAT_F32, .rows = g->k, .cols = g->lda, .data = g->a };

	for (size_t r = 0; g->ta && r < k; r += MAT_TILE)
		cpu_leaf()->mm.panel(to + r, LD, &a, s + r, i, m);
	for (size_t r = 0; r < m; r++) {
		const float *from = g->ta ? to + r * LD : g->a + (i + r) * g->lda + s;

		if (g->alpha != 1)
			cpu_leaf()->mm.scaled(to + r * LD, from, g->alpha, k);
		else if (!g->ta)
			memcpy(to + r * LD, from, k * sizeof *to);
	}
}

static void scale(const struct gemm *g, size_t i, size_t m, size_t j, size_t n)
{
	for (size_t r = i; r < i + m; r++)
		if (g->beta == 0)
			memset(g->c + r * g->ldc + j, 0, n * sizeof *g->c);
		else
			cpu_leaf()->mm.scaled(
				g->c + r * g->ldc + j, g->c + r * g->ldc + j, g->beta, n);
}

static void gemm_part(void *arg, size_t part)
{
	const struct gemm *g = arg;
	size_t panels = pieces(g->n, PANEL), row = part % g->high, col = part / g->high;
	size_t i = row * g->m / g->high, m = (row + 1) * g->m / g->high - i;
	size_t from = col * panels / g->wide * PANEL;
	size_t end = least((col + 1) * panels / g->wide * PANEL, g->n);
	float *p = pool_scratch(), *x = p + PANEL * STRETCH;

	if ((g->beta != 0 && g->beta != 1) || (!g->k && g->beta == 0))
		scale(g, i, m, from, end - from);
	for (size_t s = 0; s < g->k; s += STRETCH) {
		size_t k = least(STRETCH, g->k - s);

		rows(g, x, i, m, s, k);
		for (size_t j = from; j < end; j += PANEL) {
			size_t n = least(PANEL, end - j);

			panel(g, p, j, n, s, k);
			cpu_leaf()->mm.mul(g->c + i * g->ldc + j, g->ldc, x, LD, m, p, PANEL, k, n,
				s || g->beta != 0);
		}
	}
}

static void by_microkernel(struct gemm *g)
{
	size_t threads = (size_t)pool_threads(), want = threads > 1 ? PARTS * threads : 1;

	g->high = pieces(g->m, ROWS);
	g->wide = least(pieces(want, g->high), pieces(g->n, PANEL));
	pool_run(gemm_part, g, g->high * g->wide);
}

static void blas_part(void *arg, size_t part)
{
	const struct gemm *g = arg;
	size_t i = part / g->wide * TILE, j = part % g->wide * TILE;
	size_t m = least(TILE, g->m - i), n = least(TILE, g->n - j);

	cblas_sgemm(CblasRowMajor, g->ta ? CblasTrans : CblasNoTrans,
		g->tb ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)g->k, g->alpha,
		g->a + (g->ta ? i : i * g->lda), (blasint)g->lda, g->b + (g->tb ? j * g->ldb : j),
		(blasint)g->ldb, g->beta, g->c + i * g->ldc + j, (blasint)g->ldc);
}

static void by_blas(struct gemm *g)
{
	g->high = pieces(g->m, TILE);
	g->wide = pieces(g->n, TILE);
	pool_run(blas_part, g, g->high * g->wide);
}

void cpu_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	struct gemm g = { ta, tb, m, n, k, lda, ldb, ldc, alpha, beta, a, b, c, NULL, 0, 0 };

	if (math == MATH_FAST)
		math = cpu_leaf()->bf16_beats_int8 ? MATH_BF16 : MATH_F32;
	if (!m || !n || cpu_bf16_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math))
		return;
	if (cpu_leaf() == cpu_leaf_at(0)) /* which has set OpenBLAS to one thread */
		by_blas(&g);
	else
		by_microkernel(&g);
}

void cpu_gemm_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w)
{
	struct gemm g = { false, false, m, w->cols, w->rows, ldy, 0, ldx, 1, add ? 1 : 0, dy, NULL,
		dx, w, 0, 0 };

	if (m && w->cols)
		by_microkernel(&g);
}
