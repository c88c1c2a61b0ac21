/* cuda: many rows of x by packed weights in bfloat16: W stays packed until it is in registers.
 *
 * First x, rounded, is put in the order of the codes (packed.h), pieces of 64 rows by 128 columns
 * after each other.  Then a block of four warps has 128 rows of W, 64 of x and a slice of the
 * columns.  A piece of x and the scales of a unit are copied to shared memory while the unit before
 * is multiplied, and so are a warp's words of its 32 rows to registers.  Codes become floats
 * without a conversion (2^23 + code is a float whose lowest bits are the code), scale * code +
 * offset is rounded once in float and once to bfloat16, as MATH_BF16 has it, and is an mma's A at
 * once: each weight is unpacked once for 64 rows of x.
 *
 * Predicted, from the machine code for sm_90: for a unit of INT4 a warp issues 990 instructions,
 * 128 of them mmas of some 6.5 cycles each (830), so that unpacking hides behind them but for a
 * fifth. Some 244 registers, none spilled: two blocks a multiprocessor.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/packed.h"

enum {
	THREADS = 128,
	TOKENS = 64,           /* rows of x of a block */
	QUARTER = TOKENS * 64, /* bytes of x of 32 columns */
	PIECE = 4 * QUARTER,   /* and of a unit */
	STAGE = PIECE + UNIT_BLOCKS * STATS_BYTES,
	PIECES_BYTES = 96 << 20, /* of rounded x at once */
	ROUNDERS = 256
};

struct gemm {
	struct packed w;
	float *y;
	size_t ldy;
	const float *x;
	size_t ldx;
	unsigned char *pieces; /* [block of tokens][units] */
	float *sums;
	unsigned *tickets;
	uint32_t m, slices;
	uint32_t units; /* from block to block */
};

DEVICE unsigned char *piece_at(const struct gemm *a, uint32_t tokens, uint32_t unit)
{
	return a->pieces + ((size_t)tokens * a->units + unit) * PIECE;
}

/* Block x: a unit, those of the second part after the first's; y: 64 rows.  A warp does a row. */
KERNEL void gemm_round(const struct gemm *a)
{
	const struct part *p = &a->w.part[0];
	uint32_t unit = blockIdx.x, lane = threadIdx.x % 32;
	unsigned char *to = piece_at(a, blockIdx.y, unit) + lane / 8 * QUARTER + lane % 8 * 8;

	if (unit >= p->units) {
		unit -= p->units;
		if (a->w.parts < 2 || unit >= a->w.part[1].units)
			return;
		p = &a->w.part[1];
	}
	for (uint32_t i = threadIdx.x / 32; i < TOKENS; i += ROUNDERS / 32) {
		uint32_t token = blockIdx.y * TOKENS + i;
		struct two_words two = { { 0, 0 } };

		if (token < a->m) {
			struct four x = gather(p, a->w.order, a->x + token * a->ldx, unit, lane);

			two.v[0] = bf162_of(x.v[0], x.v[1]);
			two.v[1] = bf162_of(x.v[2], x.v[3]);
		}
		*(struct two_words *)(to + i * 64) = two;
	}
}

/* What a lane has of the block's work. */
struct cell {
	const struct gemm *a;
	uint32_t t, tile;            /* of the matrix, and ... */
	uint32_t first_tile;         /* ... the block's first */
	uint32_t x, stats;           /* its places in a quarter of a piece, in a group's stats */
	float acc[2][TOKENS / 8][4]; /* rows 0 and 1, 2 and 3 of its four */
};

/* A unit of a part to a stage; the part's pieces begin with `first`. */
DEVICE void copy_unit(const struct cell *c, const struct part *p, uint32_t first, uint32_t unit,
	unsigned char *stage)
{
	const unsigned char *from = piece_at(c->a, blockIdx.y, first + unit);
	uint32_t i = threadIdx.x, block = i / 32, tile = i / 4 % 8, half = i / 2 % 2, which = i % 2;
	uint32_t group = (unit * UNIT_BLOCKS + block) / p->gb, in = c->first_tile + tile;
	bool valid = in < p->tiles && group < p->groups;
	size_t at = valid ? ((size_t)in * p->groups + group) * LINE_BYTES + half * 16 : 0;

	for (uint32_t k = i * 16; k < PIECE; k += THREADS * 16)
		copy_async(stage + k, from + k, true);
	copy_async(stage + PIECE + block * STATS_BYTES + which * (STATS_BYTES / 2) +
			   tile * LINE_BYTES + half * 16,
		(which ? p->offset : p->scale) + at, valid);
	copy_commit();
}

/* ---- words of a unit; W: of one plane (1, 2, 4, 8) or, in blocks, of so many bits ---- */

template <uint32_t W, bool ONE> struct words {
	enum { N = ONE ? W : UNIT_BLOCKS * planes<W>::N };
	struct quad w[N];
};

/* Quarter q of a unit, the first `at` bytes from the tile's start. */
template <uint32_t W>
DEVICE void take_quarter(struct words<W, true> *to, const struct cell *c, const unsigned char *tile,
	uint32_t at, uint32_t end, uint32_t q)
{
	uint32_t lane = threadIdx.x % 32 / 4 % 4 * 16 + c->t * 64;

	/* a step is replaced with the last quarter that needs it */
	UNROLL
	for (uint32_t s = 0; s < W; s++)
		if ((s * 4 + 3) / W == q)
			to->w[s] = take(tile, at + s * STEP_BYTES + lane, end);
}
template <uint32_t W>
DEVICE void take_quarter(struct words<W, false> *to, const struct cell *c,
	const unsigned char *tile, uint32_t at, uint32_t end, uint32_t q)
{
	uint32_t lane = threadIdx.x % 32 / 4 % 4 * 16;

	take_block<W>(to->w + q * planes<W>::N, tile, at + q * W * 64 + lane, c->t, end);
}

DEVICE uint32_t word_of(const struct quad *w, int row)
{
	return row == 0 ? w->x : row == 1 ? w->y : row == 2 ? w->z : w->w;
}
/* Codes of quarter q, pair k of 4, as integers. */
template <uint32_t W>
DEVICE uint32_t codes(const struct words<W, true> *u, int row, uint32_t q, uint32_t k, uint32_t)
{
	uint32_t i = 4 * q + k, j = i % (PAIRS / W);

	return pair_at<W>(word_of(&u->w[i * W / PAIRS], row), j) >> lift_of(W, j);
}
template <uint32_t W>
DEVICE uint32_t codes(const struct words<W, false> *u, int row, uint32_t q, uint32_t k, uint32_t t)
{
	struct spread s = spread_row<W>(u->w + q * planes<W>::N, row, t);

	return combined<W>(&s, (int)k);
}

/* scale * code + offset of two codes. */
DEVICE uint32_t weights(uint32_t two, float scale, float offset)
{
	float a = float_of_bits((two & 0xffffu) | 0x4b000000u) - 0x1p23f;
	float b = float_of_bits(two >> 16 | 0x4b000000u) - 0x1p23f;

	return bf162_of(fmaf(scale, a, offset), fmaf(scale, b, offset));
}

template <uint32_t W, bool ONE>
DEVICE void multiply_quarter(
	struct cell *c, const struct words<W, ONE> *u, const unsigned char *stage, uint32_t q)
{
	uint32_t block = ONE && W == 1 ? c->t : ONE && W == 2 ? q / 2 * 2 + c->t / 2 : q, a[4][4];
	const unsigned char *stats = stage + PIECE + block * STATS_BYTES + c->stats;
	float scale[4], offset[4];

	four_halves(scale, stats);
	four_halves(offset, stats + STATS_BYTES / 2);
	UNROLL
	for (int row = 0; row < 4; row++) {
		UNROLL
		for (uint32_t k = 0; k < 4; k++)
			a[k / 2 * 2 + (uint32_t)row / 2][k % 2 * 2 + (uint32_t)row % 2] =
				weights(codes(u, row, q, k, c->t), scale[row], offset[row]);
	}
	UNROLL
	for (int tile = 0; tile < TOKENS / 8; tile++) {
		struct four_words x =
			*(const struct four_words *)(stage + q * QUARTER + tile * 512 + c->x);

		UNROLL
		for (int i = 0; i < 4; i++)
			mma_bf16(c->acc[i % 2][tile], a[i], x.v + i / 2 * 2);
	}
}

/* Units from ... to of a part. */
template <uint32_t W, bool ONE>
DEVICE void multiply_part(
	struct cell *c, const struct part *p, uint32_t first, uint32_t from, uint32_t to)
{
	uint32_t all = p->blocks * W * 64, end = to * UNIT_BLOCKS * W * 64,
		 at = from * UNIT_BLOCKS * W * 64;
	const unsigned char *tile = p->words + (c->tile < p->tiles ? (size_t)c->tile * all : 0);
	unsigned char *stage = shared(), *other = stage + STAGE, *was;
	struct words<W, ONE> u;

	end = c->tile < p->tiles ? (end < all ? end : all) : 0;
	copy_unit(c, p, first, from, stage);
	UNROLL
	for (uint32_t q = 0; q < 4; q++)
		take_quarter<W>(&u, c, tile, at, end, q);
	for (uint32_t unit = from; unit < to; unit++) {
		copy_wait<0>();
		__syncthreads(); /* the stage is whole, and nobody reads the other one any more */
		if (unit + 1 < to)
			copy_unit(c, p, first, unit + 1, other);
		at += UNIT_BLOCKS * W * 64;
		UNROLL
		for (uint32_t q = 0; q < 4; q++) {
			multiply_quarter<W, ONE>(c, &u, stage, q);
			take_quarter<W>(&u, c, tile, at, end, q);
		}
		was = stage;
		stage = other;
		other = was;
	}
	__syncthreads();
}

DEVICE void multiply_any(
	struct cell *c, const struct part *p, uint32_t first, uint32_t from, uint32_t to)
{
	switch (p->bits) {
	case 1:
		return multiply_part<1, true>(c, p, first, from, to);
	case 2:
		return multiply_part<2, true>(c, p, first, from, to);
	case 3:
		return multiply_part<3, false>(c, p, first, from, to);
	case 4:
		return multiply_part<4, true>(c, p, first, from, to);
	case 5:
		return multiply_part<5, false>(c, p, first, from, to);
	case 6:
		return multiply_part<6, false>(c, p, first, from, to);
	case 7:
		return multiply_part<7, false>(c, p, first, from, to);
	default:
		return multiply_part<8, true>(c, p, first, from, to);
	}
}

DEVICE void put_cell(const struct cell *c, const struct sums *s)
{
	const struct gemm *a = c->a;
	uint32_t lane = threadIdx.x % 32, row = threadIdx.x / 32 * 32 + lane / 4 * 4;
	uint32_t first_row = blockIdx.x * BLOCK_ROWS, first = blockIdx.y * TOKENS;

	UNROLL
	for (uint32_t i = 0; i < TOKENS / 4; i++) {
		uint32_t token = i / 2 * 8 + 2 * c->t + i % 2;
		struct four_floats v;

		if (token >= s->tokens)
			continue;
		for (uint32_t k = 0; k < 4; k++)
			v.v[k] = c->acc[k / 2][i / 2][k % 2 * 2 + i % 2];
		if (s->slices > 1) {
			*(struct four_floats *)(sums_at(s, blockIdx.z, token) + row) = v;
			continue;
		}
		for (uint32_t k = 0; k < 4; k++)
			if (first_row + row + k < a->w.rows)
				a->y[(first + token) * a->ldy + first_row + row + k] = v.v[k];
	}
}

KERNEL void __launch_bounds__(THREADS, 2) gemm_packed(const struct gemm *a)
{
	uint32_t g = threadIdx.x % 32 / 4, first = 0, all = a->w.part[0].units + a->w.part[1].units;
	uint32_t from = all * blockIdx.z / a->slices, to = all * (blockIdx.z + 1) / a->slices;
	uint32_t id = blockIdx.y * gridDim.x + blockIdx.x, left = a->m - blockIdx.y * TOKENS;
	struct cell c = {};
	struct sums s;

	c.a = a;
	c.t = threadIdx.x % 4;
	c.first_tile = blockIdx.x * BLOCK_TILES;
	c.tile = c.first_tile + threadIdx.x / 32 * 2 + g / 4;
	c.x = g * 64 + c.t * 16;
	c.stats = (threadIdx.x / 32 * 2 + g / 4) * LINE_BYTES + g % 4 * 8;
	for (uint32_t k = 0; k < a->w.parts; k++) {
		const struct part *p = &a->w.part[k];
		uint32_t b = from > first ? from - first : 0, e = to > first ? to - first : 0;

		e = e < p->units ? e : p->units;
		if (b < e)
			multiply_any(&c, p, first, b, e);
		first += p->units;
	}
	s.tokens = left < TOKENS ? left : (uint32_t)TOKENS;
	s.slices = a->slices;
	s.to = a->sums + (size_t)id * s.slices * TOKENS * BLOCK_ROWS;
	s.ticket = a->tickets + id;
	put_cell(&c, &s);
	if (s.slices > 1 && last_block(&s, (unsigned *)shared()))
		add_slices(a->y + (size_t)blockIdx.y * TOKENS * a->ldy + blockIdx.x * BLOCK_ROWS,
			a->ldy, &s, a->w.rows - blockIdx.x * BLOCK_ROWS, 1);
}

/* ---- the host's side ---- */

/* As many slices as fill the device, two blocks a multiprocessor, none of fewer than two units. */
static uint32_t slices_of(size_t blocks, size_t units)
{
	enum { MOST = 8, TOGETHER = 2 };
	size_t slots = (size_t)device_now()->prop.multiProcessorCount * TOGETHER;
	size_t n = slots / blocks < units / 2 ? slots / blocks : units / 2;
	size_t room = WORKSPACE - ROOM - PIECES_BYTES;
	size_t fit = room / (blocks * TOKENS * BLOCK_ROWS * sizeof(float));

	n = n < MOST ? n : (size_t)MOST;
	n = n < fit ? n : fit;
	return n < 2 || blocks > TICKETS ? 1 : (uint32_t)n;
}

void cuda_packed_gemm(const struct product *p, const float *x, size_t ldx, size_t m)
{
	struct gemm a = {};
	size_t units = most_units(p->w->cols), blocks = (p->w->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
	size_t at_once = PIECES_BYTES / (units * PIECE);

	if (!m || !blocks || !device_now())
		return;
	at_once = (at_once ? at_once : 1) * TOKENS;
	a.w = packed_of(p->w, true);
	a.units = (uint32_t)units;
	a.ldy = p->ldy;
	a.ldx = ldx;
	a.pieces = device_now()->work;
	a.sums = (float *)(device_now()->work + PIECES_BYTES);
	a.tickets = device_now()->tickets;
	for (size_t i = 0; i < m; i += at_once) {
		size_t n = m - i < at_once ? m - i : at_once, tokens = (n + TOKENS - 1) / TOKENS;

		a.m = (uint32_t)n;
		a.x = x + i * ldx;
		a.y = p->y + i * p->ldy;
		a.slices = slices_of(blocks * tokens, units);
		launch(gemm_round, (unsigned)units, (unsigned)tokens, 1, ROUNDERS, 0, a);
		launch(gemm_packed, (unsigned)blocks, (unsigned)tokens, a.slices, THREADS,
			2 * STAGE, a);
	}
}
