/* cpu: products in bfloat16 (MATH_BF16, MATH_BF16X3).
 *
 * x is rounded and packed once a call, into a buffer that the process keeps; then each part takes
 * some rows of W, unpacks them into its thread's scratch, and multiplies all of x with them.
 */
#include "kernels/cpu/cpu.h"

#include <stdalign.h>
#include <string.h>

#include "kernels/cpu/cut.h"
#include "kernels/mix.h"
#include "kernels/pool.h"

enum {
	LEAST = 16,           /* rows of x that are worth the packing */
	BLOCK = 2 * MAT_TILE, /* rows of x or of W: the microkernels take strips by two */
	ROOM = 4 << 20,       /* values of x packed at once at most: two strips of the longest */
	CACHED = 416 << 10,   /* and as a rule: 832 KiB */
	WIDE = 6,             /* blocks of W in a part at most, and ... */
	DEEP = 64,            /* ... tiles of columns: 768 KiB, for the second-level cache */
	AT_ONCE = 8           /* products of one run of the pool at most */
};

_Static_assert((int)(WIDE *BLOCK *DEEP *BF16_STEP) * 2 <= (int)POOL_SCRATCH, "a panel fits");

static alignas(64) uint16_t packed[ROOM];

struct bf16 {
	const struct leaf_bf16 *leaf;
	const struct product *p;
	size_t n;
	const float *x;
	size_t ldx, m, cols, steps;
	size_t tiles;          /* a step: 1, or 2 of MATH_BF16X3 */
	size_t ld;             /* values from strip to strip of x */
	size_t row;            /* of x and y, where what is packed begins */
	size_t parts[AT_ONCE]; /* of each product */
};

/* Two strips of x. */
static void pack_part(void *arg, size_t part)
{
	const struct bf16 *g = arg;

	for (size_t i = part * BLOCK; i < (part + 1) * BLOCK; i += MAT_TILE)
		g->leaf->pack(packed + i / MAT_TILE * g->ld,
			g->x + (g->row + least(i, g->m)) * g->ldx, g->ldx,
			i < g->m ? least(MAT_TILE, g->m - i) : 0, g->cols);
}

/* Blocks first ... end of a product's rows of W. */
static void mul_blocks(const struct bf16 *g, const struct product *p, size_t first, size_t end)
{
	size_t row = first * BLOCK, n = least(end * BLOCK, p->w->rows) - row;
	size_t step = g->tiles * BF16_TILE, deep = DEEP / g->tiles;
	uint16_t *panel = pool_scratch();

	for (size_t s = 0; s < g->steps; s += deep) {
		size_t steps = least(deep, g->steps - s), ld = steps * step;
		size_t cols = least(steps * BF16_STEP, g->cols - s * BF16_STEP);

		for (size_t r = 0; r < (end - first) * BLOCK; r += MAT_TILE)
			if (r < n)
				g->leaf->panel(panel + r / MAT_TILE * ld, p->w, row + r,
					s * BF16_STEP, cols);
			else
				memset(panel + r / MAT_TILE * ld, 0, ld * sizeof *panel);
		g->leaf->mul(p->y + g->row * p->ldy + row, p->ldy, g->m, n, packed + s * step,
			g->ld, panel, ld, steps, s > 0);
	}
}

static void mul_part(void *arg, size_t part)
{
	const struct bf16 *g = arg;
	size_t i = 0, blocks;

	while (part >= g->parts[i])
		part -= g->parts[i++];
	blocks = pieces(g->p[i].w->rows, BLOCK);
	mul_blocks(g, &g->p[i], part * blocks / g->parts[i], (part + 1) * blocks / g->parts[i]);
}

/* At least two for each thread.  Unlike other cuts this one may look at their number: it goes
 * between values of y only, and each of those is the same sum in the same order in any part. */
static size_t parts_of(size_t rows)
{
	size_t blocks = pieces(rows, BLOCK), parts = pieces(blocks, WIDE);
	size_t least_parts = least(2 * (size_t)pool_threads(), blocks);

	return parts < least_parts ? least_parts : parts;
}

static void run(struct bf16 *g)
{
	size_t parts = 0;

	for (size_t i = 0; i < g->n; i++)
		parts += g->parts[i] = parts_of(g->p[i].w->rows);
	pool_run(mul_part, g, parts);
}

/* Rows of x that are packed at once: as many as stay in the second-level cache while all of W goes
 * by, in pieces of about one size.  W is dequantized again for each, which costs less than x that
 * comes from farther away. */
static size_t rows_at_once(size_t m, size_t ld)
{
	size_t most = CACHED / (2 * ld) * BLOCK;

	most = most ? most : BLOCK;
	return pieces(pieces(m, pieces(m, most)), BLOCK) * BLOCK;
}

bool cpu_bf16(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	size_t cols = n ? p[0].w->cols : 0, rows;
	struct bf16 g = { .x = x, .ldx = ldx, .cols = cols };

	g.leaf = math == MATH_BF16 ? &cpu_leaf()->b16 : &cpu_leaf()->b16x3;
	g.steps = pieces(cols, BF16_STEP);
	g.tiles = math == MATH_BF16 ? 1 : 2;
	g.ld = g.steps * g.tiles * BF16_TILE;
	if (!g.leaf->mul || m < LEAST || !cols || g.ld > ROOM / 2)
		return false;
	/* a mix comes back here as two matrices, and x gathered */
	for (size_t i = 0; i < n; i++)
		if (p[i].w->type == MAT_MIX)
			mix_product(cpu_products, &p[i], x, ldx, m, math);
	rows = rows_at_once(m, g.ld);
	for (g.row = 0; g.row < m; g.row += rows) {
		g.m = least(rows, m - g.row);
		pool_run(pack_part, &g, pieces(g.m, BLOCK));
		for (size_t i = 0; i < n;) {
			g.p = &p[i];
			for (g.n = 0; i < n && p[i].w->type != MAT_MIX && g.n < AT_ONCE; g.n++)
				i++;
			if (g.n)
				run(&g);
			i += i < n && p[i].w->type == MAT_MIX;
		}
	}
	return true;
}
