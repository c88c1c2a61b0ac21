/* cpu: general products.
 *
 * In float by the microkernel.  Its panels are columns of op(B), in slivers that stay in the
 * first-level cache while rows of op(A) go by, some of them at a time, which stay in the second.
 * Rows a power of two apart would share sets of the caches: they are brought together first.  A
 * value of C is one sum, over k in order, wherever the parts are cut: they may follow the number of
 * threads.  Without vectors of our own it is OpenBLAS, in fixed parts.
 */
#include <cblas.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/cut.h"
#include "kernels/pool.h"

enum {
	PANEL = 192,    /* columns of op(B) in scratch at once, and ... */
	STRETCH = 256,  /* ... of its rows at most: 192 KiB */
	ROWS = 120,     /* of op(A) in scratch at once, in whole steps of the microkernels; ... */
	NARROW = 32,    /* columns of op(B) in a part at least */
	CROWDED = 1024, /* rows so far apart, or a multiple, share sets of the caches */
	LD = STRETCH + 16,     /* ... from row to row: not a power of two; 128 KiB */
	PART_ROWS = 240,       /* of C in a part at least, if there are as many, ... */
	PART_MULS = 300 << 20, /* ... and at most these multiplications: 20 ms on a slow core */
	PARTS = 3,             /* for each thread, where there are several */
	FIXED = 4,             /* threads to cut for, where the parts are OpenBLAS's */
	TILE = 192             /* rows and columns of C in a part of OpenBLAS's */
};

_Static_assert((PANEL * STRETCH + ROWS * LD) * sizeof(float) <= POOL_SCRATCH, "they fit");

struct gemm {
	bool ta, tb;
	size_t m, n, k, lda, ldb, ldc;
	float alpha, beta;
	const float *a, *b;
	float *c;
	const struct mat *w; /* is op(B), in place of b; or NULL */
	size_t rows;         /* in a part */
	size_t wide;         /* columns in a part */
	size_t high;         /* parts over the rows; of OpenBLAS's: over the columns */
};

/* Columns j ... j + n and rows s ... s + k of op(B). */
static void panel(const struct gemm *g, float *p, size_t j, size_t n, size_t s, size_t k)
{
	const struct leaf_matmul *mm = &cpu_leaf()->mm;
	const struct mat b = {
		.type = MAT_F32, .rows = g->tb ? g->n : g->k, .cols = g->ldb, .data = g->b
	};
	const struct mat *w = g->w ? g->w : &b;
	size_t wide = mm->wide;

	if (!g->tb)
		mm->part(p, wide, k * wide, w, s, k, j, n);
	for (size_t r = 0; g->tb && r < n; r += MAT_TILE)
		mm->panel(p + r / wide * wide * k + r % wide, wide, w, j + r, s, k);
}

/* Rows i ... i + m and columns s ... s + k of alpha * op(A), *ld floats from row to row: as they
 * lie, or in scratch. */
static const float *rows(
	const struct gemm *g, float *to, size_t *ld, size_t i, size_t m, size_t s, size_t k)
{
	const struct mat a = { .type = MAT_F32, .rows = g->k, .cols = g->lda, .data = g->a };

	*ld = g->lda;
	if (!g->ta && g->alpha == 1 && g->lda % CROWDED)
		return g->a + i * g->lda + s;
	*ld = LD;
	for (size_t r = 0; g->ta && r < k; r += MAT_TILE)
		cpu_leaf()->mm.panel(to + r, LD, &a, s + r, i, m);
	for (size_t r = 0; r < m && (!g->ta || g->alpha != 1); r++)
		cpu_leaf()->mm.scaled(to + r * LD,
			g->ta ? to + r * LD : g->a + (i + r) * g->lda + s, g->alpha, k);
	return to;
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

/* One panel of op(B) and some rows of C. */
static void gemm_part(void *arg, size_t part)
{
	const struct gemm *g = arg;
	const struct leaf_matmul *mm = &cpu_leaf()->mm;
	size_t j = part / g->high * g->wide, n = least(g->wide, g->n - j);
	size_t first = part % g->high * g->rows, end = least(g->m, first + g->rows);
	float *p = pool_scratch(), *x = p + PANEL * STRETCH;

	if ((g->beta != 0 && g->beta != 1) || (!g->k && g->beta == 0))
		scale(g, first, end - first, j, n);
	for (size_t s = 0; s < g->k; s += mm->deep) {
		size_t k = least(mm->deep, g->k - s);

		panel(g, p, j, n, s, k);
		for (size_t i = first; i < end; i += ROWS) {
			size_t m = least(ROWS, end - i), lda;
			const float *a = rows(g, x, &lda, i, m, s, k);

			mm->mul(g->c + i * g->ldc + j, g->ldc, a, lda, m, p, mm->wide, k * mm->wide,
				k, n, s || g->beta != 0);
		}
	}
}

static void by_microkernel(struct gemm *g)
{
	/* OpenBLAS's sums are others where the parts are */
	size_t threads = cpu_leaf() == cpu_leaf_at(0) ? FIXED : (size_t)pool_threads();
	size_t want = threads > 1 ? PARTS * threads : 1;
	size_t most = PART_MULS / (PANEL * (g->k + 1)) + 1;

	g->wide = PANEL;
	g->high = least(pieces(want, pieces(g->n, PANEL)), pieces(g->m, PART_ROWS));
	g->rows = pieces(least(most, pieces(g->m, g->high)), ROWS) * ROWS;
	g->high = pieces(g->m, g->rows);
	/* narrow panels where wide ones would leave threads without work */
	while (g->wide > NARROW && pieces(g->n, g->wide) * g->high < want)
		g->wide = g->wide == PANEL ? PANEL / 2 : NARROW;
	pool_run(gemm_part, g, g->high * pieces(g->n, g->wide));
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
	struct gemm g = { ta, tb, m, n, k, lda, ldb, ldc, alpha, beta, a, b, c, NULL, 0, 0, 0 };

	if (math == MATH_FAST)
		math = cpu_leaf()->bf16_beats_int8 ? MATH_BF16 : MATH_F32;
	if (!m || !n || cpu_bf16_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math))
		return;
	if (cpu_leaf() == cpu_leaf_at(0)) /* which has set OpenBLAS to one thread */
		by_blas(&g);
	else
		by_microkernel(&g);
}

void cpu_gemm_linear(
	float *y, size_t ldy, const float *x, size_t ldx, size_t m, const struct mat *w)
{
	struct gemm g = { false, true, m, w->rows, w->cols, ldx, 0, ldy, 1, 0, x, NULL, y, w, 0, 0,
		0 };

	by_microkernel(&g);
}

void cpu_gemm_back(
	float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m, const struct mat *w)
{
	struct gemm g = { false, false, m, w->cols, w->rows, ldy, 0, ldx, 1, add ? 1 : 0, dy, NULL,
		dx, w, 0, 0, 0 };

	if (m && w->cols)
		by_microkernel(&g);
}
