/* packed.h - how kernels read the packed layout of mat.h.
 *
 * Private to kernels/cuda.  A warp works on two tiles, 32 rows: lane 4 g + t has the four rows
 * 4 (g % 4) ... + 3 of tile g / 4, so that 16 bytes of a plane are a word of each of its rows, and
 * the word's codes are columns of an mma's A as they lie there: two codes of a word, half of its
 * columns apart, are masked out together, and as halves' bits their value is code * 2^(bit - 24),
 * exact and subnormal.  Which columns those are does not matter as long as B has x in the same
 * order (column_of).
 *
 * Columns go by units of 128, four blocks.  A unit of a plane of W bits alone (W of 1, 2, 4, 8) is
 * W steps of 256 bytes a tile, in each of which lane t has word row t: 16 / W pairs of columns.
 * Codes of several planes, and those whose groups are narrower than a step, are put together block
 * by block (combined), lane t having columns 8 t ... 8 t + 7.  Either way a lane has 16 pairs of a
 * unit, and a unit is 8 mmas deep.
 */
#ifndef BD_CUDA_PACKED_H
#define BD_CUDA_PACKED_H

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/queue.h"

#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL
#endif

enum {
	UNIT = 128, /* columns */
	UNIT_BLOCKS = UNIT / MAT_BLOCK,
	STEP_BYTES = 256, /* of a tile: four rows of words */
	PAIRS = 16,       /* of a lane in a unit */
	BLOCK_ROWS = 128, /* of W in a block of threads: four warps' */
	BLOCK_TILES = BLOCK_ROWS / MAT_TILE,
	STATS_BYTES = 2 * 2 * BLOCK_ROWS, /* scales and offsets of a group */
	LINE_BYTES = 2 * MAT_TILE         /* scales of a tile's group */
};

/* A MAT_INT, or a half of a MAT_MIX. */
struct part {
	const unsigned char *words;
	const unsigned char *scale, *offset; /* 16-aligned */
	uint32_t way;                        /* width of the only plane; 0: combined */
	uint32_t log;                        /* way is 2^log; 2 where combined */
	uint32_t bits, tiles, blocks, units, cols;
	uint32_t groups, gb; /* of a row; blocks of one */
	uint32_t first;      /* column 0 is input order[first], or 0 without an order */
};

/* A matrix of one or two parts. */
struct packed {
	struct part part[2];
	const uint16_t *order;
	uint32_t parts, rows;
};

/* `fine`: steps may lie across groups. */
static inline struct part part_of(const struct mat *w, size_t first, bool fine)
{
	struct part p = {};
	bool one = !(w->bits & (w->bits - 1));

	p.words = (const unsigned char *)w->data;
	p.scale = (const unsigned char *)w->scale;
	p.offset = (const unsigned char *)w->offset;
	p.bits = (uint32_t)w->bits;
	p.tiles = (uint32_t)((w->rows + MAT_TILE - 1) / MAT_TILE);
	p.cols = (uint32_t)w->cols;
	p.blocks = (p.cols + MAT_BLOCK - 1) / MAT_BLOCK;
	p.units = (p.cols + UNIT - 1) / UNIT;
	p.groups = (uint32_t)mat_groups(w->cols, w->group);
	/* a single group may as well be wider */
	p.gb = p.groups > 1 ? (uint32_t)(w->group / MAT_BLOCK) : (p.units + 1) * UNIT_BLOCKS;
	p.first = (uint32_t)first;
	/* groups must hold whole steps, of 4 / bits blocks */
	if (one && (fine || p.gb * p.bits % 4 == 0))
		p.way = p.bits;
	p.log = p.way == 8 ? 3 : p.way == 2 ? 1 : p.way == 1 ? 0 : 2;
	return p;
}

static inline struct packed packed_of(const struct mat *w, bool fine)
{
	struct packed p = {};
	struct mat half = *w;

	p.rows = (uint32_t)w->rows;
	if (w->type == MAT_INT) {
		p.part[p.parts++] = part_of(w, 0, fine);
		return p;
	}
	p.order = w->order;
	for (int high = 1; high >= 0; high--) {
		half = mat_part(w, high);
		if (half.cols || (!high && !p.parts))
			p.part[p.parts++] = part_of(&half, high ? 0 : w->high, fine);
	}
	return p;
}

/* Units of a matrix with so many columns, were it a mix: two parts may have one more. */
static inline uint32_t most_units(size_t cols)
{
	return (uint32_t)((cols + UNIT - 1) / UNIT) + 1;
}

/* ---- x in the order of the codes ---- */

/* The columns of pair i of lane t in a unit: this and ...  No divisions: they are some twenty
 * instructions each. */
DEVICE uint32_t column_of(uint32_t log, uint32_t i, uint32_t t)
{
	uint32_t per = PAIRS >> log;

	return (i >> (4 - log)) * (UNIT >> log) + t * (32 >> log) + (i & (per - 1));
}
/* ... so many after it. */
DEVICE uint32_t apart(uint32_t log)
{
	return PAIRS >> log;
}
/* Pair i's codes stand so many bits up: their x is taken 2^-lift times. */
DEVICE uint32_t lift_of(uint32_t way, uint32_t i)
{
	return i * way % 8;
}

DEVICE float float_of_bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}
DEVICE uint32_t bits_of_float(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

/* Two, four words that are read and written at once. */
struct alignas(8) two_words {
	uint32_t v[2];
};
struct alignas(16) four_words {
	uint32_t v[4];
};
struct alignas(16) four_floats {
	float v[4];
};

/* What lane 8 q + 2 t + h of a warp has of a unit of a row of x: pairs 4 q + 2 h and the next. */
struct four {
	float v[4]; /* pair, pair */
};
DEVICE struct four no_four(void)
{
	struct four r = { { 0, 0, 0, 0 } };

	return r;
}
DEVICE struct four gather(
	const struct part *p, const uint16_t *order, const float *x, uint32_t unit, uint32_t lane)
{
	/* the first of two pairs is even, and so is the number of pairs side by side */
	uint32_t c = unit * UNIT + column_of(p->log, lane / 8 * 4 + lane % 2 * 2, lane / 2 % 4);
	uint32_t far = c + apart(p->log), at[4] = { c, far, c + 1, far + 1 };
	struct four r = no_four();

	if (order) {
		for (int i = 0; i < 4; i++)
			if (at[i] < p->cols)
				r.v[i] = x[order[p->first + at[i]]];
	} else if (far + 1 < p->cols) { /* all but the last unit */
		for (int i = 0; i < 4; i++)
			r.v[i] = x[at[i]];
	} else {
		for (int i = 0; i < 4; i++)
			if (at[i] < p->cols)
				r.v[i] = x[at[i]];
	}
	return r;
}

/* ---- codes ---- */

/* Codes of pair j of a word of W-bit codes, lifted by lift_of(W, j) bits. */
template <uint32_t W> DEVICE uint32_t pair_at(uint32_t word, uint32_t j)
{
	return (j * W < 8 ? word : word >> 8) & ((1u << W) - 1) * 0x00010001u << j * W % 8;
}

DEVICE struct quad no_words(void)
{
	struct quad q = { 0, 0, 0, 0 };

	return q;
}
/* 16 bytes of a tile's words, zeros from `end` on. */
DEVICE struct quad take(const unsigned char *words, uint32_t at, uint32_t end)
{
	return at < end ? load_stream(words + at) : no_words();
}

/* Planes of a width, and the one of 4, 2 and 1 bits of lane t in a block: its word. */
template <uint32_t BITS> struct planes {
	enum { N = (BITS >> 2 & 1) + (BITS >> 1 & 1) + (BITS & 1) };
};
template <uint32_t BITS>
DEVICE void take_block(
	struct quad *to, const unsigned char *words, uint32_t at, uint32_t t, uint32_t end)
{
	uint32_t n = 0;

	if (BITS & 4)
		to[n++] = take(words, at + t * 64, end);
	if (BITS & 2)
		to[n++] = take(words, at + (BITS & 4) * 64 + t / 2 * 64, end);
	if (BITS & 1)
		to[n++] = take(words, at + (BITS & 6) * 64, end);
}

/* A row's words made ready for combined(): codes of columns 8 t + 0 ... 3 in the low half, + 4 ...
 * 7 in the high one, packed in each plane. */
struct spread {
	uint32_t four, two, one;
};
template <uint32_t BITS> DEVICE struct spread spread_of(const uint32_t *word, uint32_t t)
{
	struct spread s = { 0, 0, 0 };
	uint32_t n = 0, h;

	if (BITS & 4)
		s.four = word[n++];
	if (BITS & 2) {
		h = word[n++] >> t % 2 * 16;
		s.two = (h & 0x000000ffu) | (h << 8 & 0x00ff0000u);
	}
	if (BITS & 1) {
		h = word[n++] >> t * 8;
		s.one = (h & 0x0000000fu) | (h << 12 & 0x000f0000u);
	}
	return s;
}
DEVICE uint32_t shifted(uint32_t v, int by)
{
	return by < 0 ? v << -by : v >> by;
}
/* Pair i of 4. */
template <uint32_t BITS> DEVICE uint32_t combined(const struct spread *s, int i)
{
	const int two = BITS & 1, four = two + (BITS & 2);
	uint32_t c = 0;

	if (BITS & 1)
		c = s->one >> i & 0x00010001u;
	if (BITS & 2)
		c |= shifted(s->two, 2 * i - two) & 0x00030003u << two;
	if (BITS & 4)
		c |= shifted(s->four, 4 * i - four) & 0x000f000fu << four;
	return c;
}
/* Word k of each plane, of row r of the lane's four. */
template <uint32_t BITS> DEVICE struct spread spread_row(const struct quad *w, int r, uint32_t t)
{
	uint32_t word[3] = { 0, 0, 0 };

	for (uint32_t i = 0; i < planes<BITS>::N; i++)
		word[i] = r == 0 ? w[i].x : r == 1 ? w[i].y : r == 2 ? w[i].z : w[i].w;
	return spread_of<BITS>(word, t);
}

/* Four halves, of the lane's four rows. */
DEVICE void four_halves(float to[4], const unsigned char *at)
{
	struct two_words two = *(const struct two_words *)at;

	for (int i = 0; i < 4; i++)
		to[i] = float_of_half((uint16_t)(two.v[i / 2] >> i % 2 * 16));
}

/* ---- sums of slices ----
 *
 * Blocks that share rows of W and tokens leave their sums in the workspace, [slice][token][128
 * rows]; the last to come adds them in order.
 */
struct sums {
	float *to; /* of the first slice */
	unsigned *ticket;
	uint32_t slices, tokens;
};

DEVICE float *sums_at(const struct sums *s, uint32_t slice, uint32_t token)
{
	return s->to + ((size_t)slice * s->tokens + token) * BLOCK_ROWS;
}

/* After all threads of the block have put theirs: whether this is the last block.  `word` is in
 * shared memory. */
DEVICE bool last_block(const struct sums *s, unsigned *word)
{
	__threadfence();
	__syncthreads();
	if (!threadIdx.x) {
		*word = atomicAdd(s->ticket, 1u);
		if (*word == s->slices - 1)
			*s->ticket = 0;
	}
	__syncthreads();
	if (*word != s->slices - 1)
		return false;
	__threadfence();
	return true;
}

/* y[token][row] = unit times the sum. */
DEVICE void add_slices(float *y, size_t ldy, const struct sums *s, uint32_t rows, float unit)
{
	for (uint32_t i = threadIdx.x; i < s->tokens * BLOCK_ROWS; i += blockDim.x) {
		uint32_t token = i / BLOCK_ROWS, row = i % BLOCK_ROWS;
		float sum = 0;

		for (uint32_t k = 0; k < s->slices; k++)
			sum += sums_at(s, k, token)[row];
		if (row < rows)
			y[token * ldy + row] = sum * unit;
	}
}

#endif
