/* cpu: products in bfloat16 (MATH_BF16, MATH_BF16X3), with matrices and in general.
 *
 * A part is some rows of x by some rows of W.  It rounds W into a panel that stays in the
 * second-level cache, and multiplies x with it 32 rows at a time.  It rounds those rows itself, so
 * that parts wait for nobody: to read x twice costs less than to fetch from farther away what
 * another core has rounded.  Where x would be read more often than that, it is rounded before,
 * once, into a buffer that the process keeps.
 */
#include "kernels/cpu/cpu.h"

#include <stdalign.h>
#include <string.h>

#include "kernels/cpu/cut.h"
#include "kernels/mix.h"
#include "kernels/pool.h"

enum {
	LEAST = 16,           /* rows of x, and of a W in float, that are worth the rounding */
	BLOCK = 2 * MAT_TILE, /* rows of x or of W: the microkernels take strips by two */
	DEEP = 64,            /* tiles of a strip in a panel at most: 2,048 columns */
	PANEL = 448 << 10,    /* values of a panel at most: 896 KiB of 2 MiB */
	STRIPS = DEEP * BLOCK * BF16_STEP, /* values of 32 rows of x */
	SUMS = 224 << 10,                  /* floats, where they are not yet y */
	ROOM = 4 << 20,                    /* values of x that are rounded before at most */
	AT_ONCE = 8,                       /* products of one run of the pool at most */
	BACK_ROWS = 4096                   /* rows of W that go back at once */
};

_Static_assert(2 * (PANEL + STRIPS) + 4 * SUMS <= (int)POOL_SCRATCH, "a part's buffers fit");

/* Cycles of a Xeon with AMX for a block of 32 rows and 32 columns. */
enum {
	CYCLES_MUL = 85,      /* with 32 rows of W */
	CYCLES_X = 370,       /* read, rounded, and used at once */
	CYCLES_BEFORE = 560,  /* read, rounded and written, and ... */
	CYCLES_AGAIN = 170,   /* ... read again */
	CYCLES_ACROSS = 1200, /* read column by column */
	CYCLES_W = 200,       /* packed weights, into the panel */
	CYCLES_FLOAT = 400,   /* a W in float */
	CYCLES_PART = 10000   /* what a part takes beside */
};

static alignas(64) uint16_t before[ROOM];

struct bf16 {
	const struct leaf_bf16 *leaf;
	const float *x;
	size_t ldx;
	bool tx;                    /* x is transposed */
	size_t row, m, cols, steps; /* rows row ... row + m of x */
	size_t tiles;               /* a step: 1, or 2 of MATH_BF16X3 */
	size_t deep;                /* steps of a panel */
	/* W: rows of these one after the other, each a number of whole blocks ... */
	const struct product *p;
	size_t first[AT_ONCE + 1], n; /* blocks before each */
	/* ... or one in float, [rows][ldb], or [cols][ldb] where transposed ... */
	const float *b;
	size_t ldb;
	bool tb;
	/* ... or this one transposed: a row of W is a column of it; not MAT_MIX */
	const struct mat *back;
	float alpha, beta;
	size_t high, wide; /* parts over rows of x, over blocks of W */
	bool first_x;      /* x is rounded before */
};

/* What a part works on: rows row ... row + m of those at hand, blocks from ... to of W, columns of
 * a panel. */
struct part {
	const struct bf16 *g;
	size_t row, m, from, to;
	size_t step, steps;
	bool add;
	uint16_t *panel, *x;
	float *sums; /* [m][32 * (to - from)] in place of y, or NULL */
};

/* ---- rounding ---- */

/* Steps step ... step + steps of half a block. */
static void panel_strip(
	const struct bf16 *g, uint16_t *to, size_t block, size_t half, size_t step, size_t steps)
{
	size_t i = 0, row, c = step * BF16_STEP, cols = least(steps * BF16_STEP, g->cols - c);
	const struct mat *w;

	while (block >= g->first[i + 1])
		i++;
	row = (block - g->first[i]) * BLOCK + half * MAT_TILE;
	w = g->p[i].w;
	if (row >= w->rows)
		memset(to, 0, steps * g->tiles * BF16_TILE * sizeof *to);
	else if (!g->b)
		g->leaf->panel(to, w, row, c, cols);
	else if (g->tb)
		g->leaf->panel_t(
			to, g->b + c * g->ldb + row, g->ldb, least(MAT_TILE, w->rows - row), cols);
	else
		g->leaf->panel_f32(
			to, g->b + row * g->ldb + c, g->ldb, least(MAT_TILE, w->rows - row), cols);
}

/* A step of a block where W is transposed: 32 of its columns by 32 of its rows, which come as
 * floats, columns first. */
static void back_strips(const struct bf16 *g, uint16_t *to, size_t ld, size_t block, size_t step)
{
	size_t r = step * BF16_STEP, rows = least(BF16_STEP, g->back->rows - r);
	size_t c = block * BLOCK, cols = least(BLOCK, g->back->cols - c);
	alignas(64) float w[BLOCK * BF16_STEP];

	for (size_t i = 0; i < rows; i += MAT_TILE)
		cpu_leaf()->mm.panel(w + i, BF16_STEP, g->back, r + i, c, cols);
	g->leaf->panel_f32(to, w, BF16_STEP, least(MAT_TILE, cols), rows);
	if (cols > MAT_TILE)
		g->leaf->panel_f32(
			to + ld, w + MAT_TILE * BF16_STEP, BF16_STEP, cols - MAT_TILE, rows);
	else
		memset(to + ld, 0, g->tiles * BF16_TILE * sizeof *to);
}

static void round_back(const struct part *t)
{
	size_t tile = t->g->tiles * BF16_TILE, ld = t->steps * tile;

	for (size_t s = 0; s < t->steps; s++)
		for (size_t j = t->from; j < t->to; j++)
			back_strips(t->g, t->panel + 2 * (j - t->from) * ld + s * tile, ld, j,
				t->step + s);
}

/* What lies row by row is read row by row: where W is transposed, a step of all strips at a time.
 */
static void round_w(const struct part *t)
{
	const struct bf16 *g = t->g;
	size_t tile = g->tiles * BF16_TILE, at_once = g->tb ? 1 : t->steps;

	if (g->back) {
		round_back(t);
		return;
	}
	for (size_t s = 0; s < t->steps; s += at_once)
		for (size_t j = 2 * t->from; j < 2 * t->to; j++)
			panel_strip(g, t->panel + (j - 2 * t->from) * t->steps * tile + s * tile,
				j / 2, j % 2, t->step + s, at_once);
}

/* Steps step ... step + steps of rows r ... r + 32, those beyond `end` as 0; ld: from strip to
 * strip. */
static void round_x(const struct bf16 *g, uint16_t *to, size_t ld, size_t r, size_t end,
	size_t step, size_t steps)
{
	size_t c = step * BF16_STEP, cols = least(steps * BF16_STEP, g->cols - c);

	for (size_t half = 0; half < 2; half++, r += MAT_TILE, to += ld)
		if (r >= end)
			memset(to, 0, steps * g->tiles * BF16_TILE * sizeof *to);
		else if (g->tx)
			g->leaf->pack_t(
				to, g->x + c * g->ldx + r, g->ldx, least(MAT_TILE, end - r), cols);
		else
			g->leaf->pack(
				to, g->x + r * g->ldx + c, g->ldx, least(MAT_TILE, end - r), cols);
}

/* A block of rows, or where x is transposed, a step of all rows. */
static void before_part(void *arg, size_t part)
{
	const struct bf16 *g = arg;
	size_t tile = g->tiles * BF16_TILE, ld = g->steps * tile, end = g->row + g->m;

	if (!g->tx) {
		round_x(g, before + 2 * part * ld, ld, g->row + part * BLOCK, end, 0, g->steps);
		return;
	}
	for (size_t i = 0; i < pieces(g->m, BLOCK); i++)
		round_x(g, before + 2 * i * ld + part * tile, ld, g->row + i * BLOCK, end, part, 1);
}

/* ---- multiplying ---- */

/* Block j of W's place in y, for `row` of the part's rows. */
static float *place(const struct part *t, size_t row, size_t j, size_t *ldy, size_t *n)
{
	const struct bf16 *g = t->g;
	size_t i = 0, at;

	while (j >= g->first[i + 1])
		i++;
	at = (j - g->first[i]) * BLOCK;
	*n = least(BLOCK, g->p[i].w->rows - at);
	*ldy = t->sums ? (t->to - t->from) * BLOCK : g->p[i].ldy;
	return t->sums ? t->sums + row * *ldy + (j - t->from) * BLOCK
		       : g->p[i].y + (g->row + t->row + row) * *ldy + at;
}

/* 32 rows of x with the panel. */
static void mul_rows(const struct part *t, size_t row)
{
	const struct bf16 *g = t->g;
	size_t tile = g->tiles * BF16_TILE, ldw = t->steps * tile, ldx = ldw;
	size_t chunks = pieces(t->steps, g->leaf->steps), most = pieces(t->steps, chunks);
	const uint16_t *x = t->x;

	if (g->first_x) {
		ldx = g->steps * tile;
		x = before + (t->row + row) / MAT_TILE * ldx + t->step * tile;
	} else {
		round_x(g, t->x, ldx, g->row + t->row + row, g->row + t->row + t->m, t->step,
			t->steps);
	}
	for (size_t s = 0; s < t->steps; s += most)
		for (size_t j = t->from; j < t->to; j++) {
			size_t ldy, n;
			float *y = place(t, row, j, &ldy, &n);

			g->leaf->mul(y, ldy, least(BLOCK, t->m - row), n, x + s * tile, ldx,
				t->panel + 2 * (j - t->from) * ldw + s * tile, ldw,
				least(most, t->steps - s), t->add || s);
		}
}

/* c = alpha * sums + beta * c */
static void finish(const struct part *t)
{
	const struct bf16 *g = t->g;
	size_t ld = (t->to - t->from) * BLOCK, col = t->from * BLOCK;
	size_t n = least(ld, g->p->w->rows - col);

	for (size_t i = 0; i < t->m; i++) {
		float *to = g->p->y + (g->row + t->row + i) * g->p->ldy + col;
		float *sum = t->sums + i * ld;

		cpu_leaf()->mm.scaled(sum, sum, g->alpha, n);
		if (g->beta == 0) {
			memcpy(to, sum, n * sizeof *to);
			continue;
		}
		cpu_leaf()->mm.scaled(to, to, g->beta, n);
		cpu_leaf()->v.add(to, sum, n);
	}
}

/* What is multiplied is not what y grows by. */
static bool sums_apart(const struct bf16 *g)
{
	return g->alpha != 1 || (g->beta != 0 && g->beta != 1);
}

static void bf16_part(void *arg, size_t part)
{
	const struct bf16 *g = arg;
	size_t i = part % g->high, j = part / g->high, blocks = pieces(g->m, BLOCK);
	struct part t = { .g = g, .panel = pool_scratch() };

	t.row = i * blocks / g->high * BLOCK;
	t.m = least((i + 1) * blocks / g->high * BLOCK, g->m) - t.row;
	t.from = j * g->first[g->n] / g->wide;
	t.to = (j + 1) * g->first[g->n] / g->wide;
	t.x = t.panel + PANEL;
	if (sums_apart(g))
		t.sums = (float *)(void *)(t.x + STRIPS);
	for (; t.step < g->steps; t.step += g->deep) {
		t.steps = least(g->deep, g->steps - t.step);
		t.add = t.step || (g->beta == 1 && !t.sums);
		round_w(&t);
		if (g->leaf->begin)
			g->leaf->begin();
		for (size_t row = 0; row < t.m; row += BLOCK)
			mul_rows(&t, row);
		if (g->leaf->end)
			g->leaf->end();
	}
	if (t.sums)
		finish(&t);
}

/* ---- cutting ---- */

/* What it would take so many threads, in cycles; about. */
static size_t cycles(const struct bf16 *g, size_t high, size_t wide, bool first)
{
	size_t threads = (size_t)pool_threads(), all = pieces(g->m, BLOCK);
	size_t rows = pieces(all, high), blocks = pieces(g->first[g->n], wide), part;

	part = CYCLES_PART + g->steps * (rows * (CYCLES_MUL * blocks * (g->tiles == 1 ? 1 : 3) +
							(first          ? CYCLES_AGAIN
								: g->tx ? CYCLES_ACROSS
									: CYCLES_X)) +
						blocks * (g->b || g->back ? CYCLES_FLOAT : CYCLES_W));
	/* an eighth: others take their share of the cores, and the more of a part is left over at
	 * the end the larger it is */
	return pieces(high * wide, threads) * part + part / 8 +
	       (first ? pieces(all, threads) * g->steps * CYCLES_BEFORE + CYCLES_PART : 0);
}

/* The cut that is quickest.  Unlike others it may look at the number of threads: it goes between
 * values of y only, and each of those is the same sum in the same order in any part. */
static void cut(struct bf16 *g)
{
	size_t rows = pieces(g->m, BLOCK), blocks = g->first[g->n], best = SIZE_MAX;
	size_t threads = (size_t)pool_threads(), room = SUMS / (BLOCK * BLOCK), fewest;
	size_t ld = g->steps * g->tiles * BLOCK * BF16_STEP;

	fewest = pieces(blocks, PANEL / (g->deep * g->tiles * BLOCK * BF16_STEP));
	if (sums_apart(g) && fewest < pieces(blocks, room))
		fewest = pieces(blocks, room);
	for (size_t w = fewest; w <= blocks && w <= fewest + 3 * threads; w++)
		for (size_t k = 0; k < 8; k++) {
			size_t h = least(rows, pieces(k / 2 * threads, w)), time;

			h = h ? h : 1;
			if (sums_apart(g) && h < pieces(rows, room / pieces(blocks, w)))
				h = pieces(rows, room / pieces(blocks, w));
			time = cycles(g, h, w, k % 2);
			if (time < best && (!(k % 2) || rows * ld <= ROOM)) {
				best = time;
				g->high = h;
				g->wide = w;
				g->first_x = k % 2;
			}
		}
}

static bool start(struct bf16 *g, size_t m, enum math math)
{
	if ((math != MATH_BF16 && math != MATH_BF16X3) || !g->cols)
		return false;
	g->leaf = math == MATH_BF16 ? &cpu_leaf()->b16 : &cpu_leaf()->b16x3;
	g->tiles = math == MATH_BF16 ? 1 : 2;
	g->steps = pieces(g->cols, BF16_STEP);
	g->deep = pieces(g->steps, pieces(g->steps, DEEP / g->tiles));
	g->alpha = 1;
	return g->leaf->mul && m >= LEAST;
}

static void run(struct bf16 *g, size_t m)
{
	size_t ld = 2 * g->steps * g->tiles * BF16_TILE, rows = ROOM / ld * BLOCK;

	for (size_t i = 0; i < g->n; i++)
		g->first[i + 1] = g->first[i] + pieces(g->p[i].w->rows, BLOCK);
	if (!g->first[g->n])
		return;
	/* in pieces of about one size, where there is not room for all */
	rows = rows ? pieces(pieces(m, pieces(m, rows)), BLOCK) * BLOCK : m;
	for (g->row = 0; g->row < m; g->row += rows) {
		g->m = least(rows, m - g->row);
		cut(g);
		if (g->first_x)
			pool_run(before_part, g, g->tx ? g->steps : pieces(g->m, BLOCK));
		pool_run(bf16_part, g, g->high * g->wide);
	}
}

bool cpu_bf16(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	struct bf16 g = { .x = x, .ldx = ldx, .cols = n ? p[0].w->cols : 0 };

	if (!start(&g, m, math))
		return false;
	/* a mix comes back here as two matrices, and x gathered */
	for (size_t i = 0; i < n; i++)
		if (p[i].w->type == MAT_MIX)
			mix_product(cpu_products, &p[i], x, ldx, m, math);
	for (size_t i = 0; i < n;) {
		g.p = &p[i];
		for (g.n = 0; i < n && p[i].w->type != MAT_MIX && g.n < AT_ONCE; g.n++)
			i++;
		if (g.n)
			run(&g, m);
		i += i < n && p[i].w->type == MAT_MIX;
	}
	return true;
}

bool cpu_bf16_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	const struct mat w = { .type = MAT_F32, .rows = n, .cols = k, .data = b };
	const struct product p = { c, ldc, &w };
	struct bf16 g = { .x = a,
		.ldx = lda,
		.tx = ta,
		.cols = k,
		.b = b,
		.ldb = ldb,
		.tb = !tb,
		.p = &p,
		.n = 1 };

	if (n < LEAST || !start(&g, m, math))
		return false;
	g.alpha = alpha;
	g.beta = beta;
	run(&g, m);
	return true;
}

bool cpu_bf16_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	const struct mat as_w = { .type = MAT_F32, .rows = w->cols };
	const struct product p = { dx, ldx, &as_w };

	/* all rows of a large W would leave no room for many of dy's (run) */
	for (size_t r = 0; r < w->rows; r += BACK_ROWS) {
		const struct mat part = mat_rows(w, r, least(BACK_ROWS, w->rows - r));
		struct bf16 g = { .x = dy + r, .ldx = ldy, .cols = part.rows, .p = &p, .n = 1 };

		if (w->cols < LEAST || !start(&g, m, math))
			return false;
		g.beta = add || r ? 1 : 0;
		if (w->type == MAT_F32) {
			g.b = part.data;
			g.ldb = w->cols;
			g.tb = true;
		} else {
			g.back = &part;
		}
		run(&g, m);
	}
	return w->rows > 0;
}
