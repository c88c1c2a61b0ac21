/* gemv_walk.h - what a warp of gemv.cu does with its columns, once x lies in shared memory.
 *
 * Private to gemv.cu, whose head says the whole.
 */
#ifndef BD_CUDA_GEMV_WALK_H
#define BD_CUDA_GEMV_WALK_H

#include "kernels/cuda/ops.h"
#include "kernels/cuda/packed.h"

enum {
	THREADS = 256,
	SMALL = 4 /* rows of x of which hi and lo share a tile */
};

struct gemv_product {
	float *y;
	size_t ldy;
	struct packed w;
	uint32_t first; /* of its blocks */
};

struct gemv {
	struct gemv_product p[FEW];
	uint32_t n, m, slices;
	uint32_t rows;  /* of x in shared memory: m, or 2 m with lo */
	uint32_t units; /* a slice has at most, of both parts */
	uint32_t small;
	uint32_t times; /* i / m is i * times >> 16, of the rows that a block stages */
	/* More than SMALL rows were made halves by a launch of their own, for each product its
	 * `all` units as in shared memory; NULL: blocks do it. */
	unsigned char *rounded;
	uint32_t all;
	const float *x;
	size_t ldx;
	float *sums;
	unsigned *tickets;
};

/* Where a slice of a part lies, and where in shared memory. */
struct slice {
	uint32_t from, to; /* units */
	uint32_t unit;     /* the first one's place */
	uint32_t group;    /* the first */
	uint32_t stats;    /* ... and its place */
	uint32_t count;    /* groups that are staged; those beyond the matrix are zeros */
};

/* Shared memory: x of each unit [4][rows][4 lanes][16 bytes], then floats [unit][block][column]:
 * sums of x from the group's or unit's start to the block's end; [unit][column]: 1 / power; then
 * stats of groups [128] scales, [128] offsets, halves. */
struct room {
	unsigned char *x;
	float *sum, *undo;
	unsigned char *stats;
	uint32_t unit_bytes, cols;
};

/* Bytes of so many units without stats. */
static inline size_t staged_bytes(size_t units, size_t rows, size_t cols)
{
	return units * (rows * UNIT * 2 + (UNIT_BLOCKS + 1) * cols * sizeof(float));
}

DEVICE struct room room_at(
	const struct gemv *a, unsigned char *at, size_t units, uint32_t cols)
{
	struct room r;

	r.unit_bytes = a->rows * UNIT * 2;
	r.cols = cols;
	r.x = at;
	r.sum = (float *)(r.x + units * r.unit_bytes);
	r.undo = r.sum + units * UNIT_BLOCKS * r.cols;
	r.stats = (unsigned char *)(r.undo + units * r.cols);
	return r;
}

/* What was rounded for a product. */
DEVICE struct room rounded_for(const struct gemv *a, uint32_t product, uint32_t cols)
{
	size_t each = a->all * (a->rows * UNIT * 2 + (UNIT_BLOCKS + 1) * cols * sizeof(float));

	return room_at(a, a->rounded + product * each, a->all, cols);
}

DEVICE struct slice slice_of(const struct gemv *a, const struct packed *w, uint32_t k)
{
	struct slice s = { 0, 0, 0, 0, 0, 0 };
	uint32_t n = a->slices, i = blockIdx.y;

	for (uint32_t j = 0; j <= k; j++) {
		const struct part *p = &w->part[j];

		s.unit += s.to - s.from;
		s.stats += s.count;
		s.from = p->units * i / n;
		s.to = p->units * (i + 1) / n;
		s.group = s.from * UNIT_BLOCKS / p->gb;
		s.count = (s.to * UNIT_BLOCKS + p->gb - 1) / p->gb - s.group;
		if (s.from == s.to)
			s.count = 0;
	}
	return s;
}

/* ---- the walk over a part's columns ---- */

template <int TILES, int PARTS> struct lane {
	/* loads ahead: half of them where there are more sums to keep */
	enum { RING = TILES * PARTS == 1 ? 8 : 4 };
	struct quad ring[RING];
	uint32_t t;
	uint32_t x[TILES][PARTS]; /* its column's place in a quarter of a unit */
	uint32_t quarter;         /* bytes of one */
	uint32_t stats;           /* its rows' place in a group's */
	float acc[TILES][PARTS][2][4];
	float y[TILES][4][2]; /* [row][token 2 t, 2 t + 1] of 2^-24 y */
};

/* A warp's share of a part. */
struct walk {
	const unsigned char *words; /* of the lane's tile */
	uint32_t from, to;          /* units */
	uint32_t at;                /* place of the first one in shared memory */
	uint32_t lane; /* bytes of the lane's words in a step, or of its rows in a row of words */
	uint32_t end;  /* bytes of the tile's words up to `to` */
	uint32_t left; /* blocks of the first group from there on */
	const unsigned char *stats; /* of that group */
	uint32_t gb;
};

DEVICE struct walk walk_of(const struct gemv *a, const struct room *r, const struct packed *w,
	uint32_t k, uint32_t first_tile)
{
	const struct part *p = &w->part[k];
	struct slice s = slice_of(a, w, k);
	uint32_t g = threadIdx.x % 32 / 4, t = threadIdx.x % 4, warp = threadIdx.x / 32;
	uint32_t tile = first_tile + warp % 4 * 2 + g / 4, mid = s.from + (s.to - s.from + 1) / 2;
	uint32_t all = p->blocks * p->bits * 64, end;
	struct walk v;

	v.from = warp < 4 ? s.from : mid;
	v.to = warp < 4 ? mid : s.to;
	v.at = s.unit + (v.from - s.from);
	end = v.to * UNIT_BLOCKS * p->bits * 64;
	v.end = tile < p->tiles ? (end < all ? end : all) : 0;
	v.words = p->words + (tile < p->tiles ? (size_t)tile * all : 0);
	v.lane = g % 4 * 16 + (p->way ? t * 64 : 0);
	v.gb = p->gb;
	v.left = p->gb - v.from * UNIT_BLOCKS % p->gb;
	v.stats =
		r->stats + (size_t)(s.stats + v.from * UNIT_BLOCKS / p->gb - s.group) * STATS_BYTES;
	return v;
}

/* The end of a group or of a unit: block b of the unit in place `at`. */
template <int TILES, int PARTS>
DEVICE void close_group(struct lane<TILES, PARTS> *l, const struct room *r, uint32_t at, uint32_t b,
	const unsigned char *stats)
{
	float scale[4], offset[4];

	four_halves(scale, stats + l->stats);
	four_halves(offset, stats + STATS_BYTES / 2 + l->stats);
	UNROLL
	for (int tile = 0; tile < TILES; tile++) {
		UNROLL
		for (int i = 0; i < 2; i++) {
			uint32_t col = (uint32_t)tile * 8 + 2 * l->t + (uint32_t)i;
			float undo = r->undo[at * r->cols + col];
			float sum = r->sum[(at * UNIT_BLOCKS + b) * r->cols + col];

			UNROLL
			for (int row = 0; row < 4; row++) {
				int c = row % 2 * 2 + i;
				float acc = l->acc[tile][0][row / 2][c], *y = &l->y[tile][row][i];

				if (PARTS == 2)
					acc += l->acc[tile][PARTS - 1][row / 2][c];
				*y = fmaf(scale[row], acc * undo, *y);
				*y = fmaf(offset[row], sum, *y);
				for (int part = 0; part < PARTS; part++)
					l->acc[tile][part][row / 2][c] = 0;
			}
		}
	}
}

/* Two mmas deep and four rows of codes: pairs k and k + 1, k + 2 and k + 3 of a quarter. */
template <int TILES, int PARTS>
DEVICE void multiply(
	struct lane<TILES, PARTS> *l, const unsigned char *quarter, const uint32_t a[4][4])
{
	UNROLL
	for (int tile = 0; tile < TILES; tile++) {
		UNROLL
		for (int part = 0; part < PARTS; part++) {
			struct four_words x =
				*(const struct four_words *)(quarter + l->x[tile][part]);

			UNROLL
			for (int i = 0; i < 4; i++)
				mma_half(l->acc[tile][part][i % 2], a[i], x.v + i / 2 * 2);
		}
	}
}

/* Quarter q of a unit whose first step is the ring's `first`. */
template <uint32_t W, uint32_t RING>
DEVICE void mask(uint32_t a[4][4], const struct quad *ring, uint32_t first, uint32_t q)
{
	UNROLL
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t i = 4 * q + k, j = i % (PAIRS / W);
		const struct quad *w = &ring[(first + i * W / PAIRS) % RING];

		a[k / 2 * 2][k % 2 * 2] = pair_at<W>(w->x, j);
		a[k / 2 * 2][k % 2 * 2 + 1] = pair_at<W>(w->y, j);
		a[k / 2 * 2 + 1][k % 2 * 2] = pair_at<W>(w->z, j);
		a[k / 2 * 2 + 1][k % 2 * 2 + 1] = pair_at<W>(w->w, j);
	}
}

/* The first RING loads. */
template <uint32_t W, class L> DEVICE void ask(L *l, const struct walk *v)
{
	UNROLL
	for (uint32_t i = 0; i < L::RING; i++)
		l->ring[i] = take(v->words, (v->from * W + i) * STEP_BYTES + v->lane, v->end);
}
/* Blocks of so many planes that a ring holds. */
template <int RING, int N> struct ahead {
	enum { BLOCKS = N == 3 ? RING / 4 : RING / N < 4 ? RING / N : 4 };
};
template <uint32_t BITS, class L> DEVICE void ask_blocks(L *l, const struct walk *v)
{
	enum { N = planes<BITS>::N, AHEAD = ahead<L::RING, N>::BLOCKS };

	UNROLL
	for (uint32_t i = 0; i < AHEAD; i++)
		take_block<BITS>(l->ring + i * N, v->words,
			(v->from * UNIT_BLOCKS + i) * BITS * 64 + v->lane, l->t, v->end);
}

/* Whether a group ends behind so many more blocks; the walk goes on to the next. */
DEVICE bool passed(struct walk *v, uint32_t blocks, const unsigned char **stats)
{
	*stats = v->stats;
	v->left -= blocks;
	if (v->left)
		return false;
	v->left = v->gb;
	v->stats += STATS_BYTES;
	return true;
}

/* Units of one plane; the ring holds the first. */
template <uint32_t W, int TILES, int PARTS>
DEVICE void walk_plane(struct lane<TILES, PARTS> *l, const struct room *r, struct walk v)
{
	/* quarters between which a group may end, in blocks */
	enum {
		RING = lane<TILES, PARTS>::RING,
		UNITS = RING > W ? RING / W : 1,
		EACH = W < 4 ? 4 / W : 1,
		DONE = W == 8 ? 2 : 1
	};
	uint32_t next = (v.from * W + RING) * STEP_BYTES + v.lane;

	for (uint32_t unit = v.from; unit < v.to; unit += UNITS) {
		UNROLL
		for (uint32_t i = 0; i < UNITS; i++) {
			const unsigned char *x = r->x + v.at * r->unit_bytes, *stats;

			if (unit + i >= v.to)
				break;
			UNROLL
			for (uint32_t q = 0; q < 4; q++) {
				uint32_t a[4][4];

				mask<W, RING>(a, l->ring, i * W, q);
				multiply(l, x + q * l->quarter, a);
				/* the steps that are used up make room */
				UNROLL
				for (uint32_t s = DONE; s > 0 && (q + 1) * W % 4 == 0; s--) {
					l->ring[(i * W + (q + 1) * W / 4 - s) % RING] =
						take(v.words, next, v.end);
					next += STEP_BYTES;
				}
				if ((q + 1) % EACH == 0 && (passed(&v, EACH, &stats) || q == 3))
					close_group(l, r, v.at, q, stats);
			}
			v.at++;
		}
	}
}

/* Units of several planes, and of one with groups that end within steps. */
template <uint32_t BITS, int TILES, int PARTS>
DEVICE void walk_blocks(struct lane<TILES, PARTS> *l, const struct room *r, struct walk v)
{
	enum { N = planes<BITS>::N, AHEAD = ahead<lane<TILES, PARTS>::RING, N>::BLOCKS };
	uint32_t next = (v.from * UNIT_BLOCKS + AHEAD) * BITS * 64 + v.lane;

	for (uint32_t unit = v.from; unit < v.to; unit++) {
		const unsigned char *x = r->x + v.at * r->unit_bytes, *stats;

		UNROLL
		for (uint32_t b = 0; b < UNIT_BLOCKS; b++) {
			struct quad *w = l->ring + b % AHEAD * N;
			uint32_t a[4][4];

			UNROLL
			for (int row = 0; row < 4; row++) {
				struct spread s = spread_row<BITS>(w, row, l->t);

				UNROLL
				for (int i = 0; i < 4; i++)
					a[i / 2 * 2 + row / 2][i % 2 * 2 + row % 2] =
						combined<BITS>(&s, i);
			}
			take_block<BITS>(w, v.words, next, l->t, v.end);
			next += BITS * 64;
			multiply(l, x + b * l->quarter, a);
			if (passed(&v, 1, &stats) || b == 3)
				close_group(l, r, v.at, b, stats);
		}
		v.at++;
	}
}

template <class L> DEVICE void ask_part(L *l, const struct part *p, const struct walk *v)
{
	switch (p->way ? p->way : 16 + p->bits) {
	case 1:
		return ask<1>(l, v);
	case 2:
		return ask<2>(l, v);
	case 4:
		return ask<4>(l, v);
	case 8:
		return ask<8>(l, v);
	case 17:
		return ask_blocks<1>(l, v);
	case 18:
		return ask_blocks<2>(l, v);
	case 19:
		return ask_blocks<3>(l, v);
	case 21:
		return ask_blocks<5>(l, v);
	case 22:
		return ask_blocks<6>(l, v);
	default:
		return ask_blocks<7>(l, v);
	}
}

template <int TILES, int PARTS>
DEVICE void walk_part(struct lane<TILES, PARTS> *l, const struct room *r, const struct part *p,
	const struct walk *v)
{
	switch (p->way ? p->way : 16 + p->bits) {
	case 1:
		return walk_plane<1>(l, r, *v);
	case 2:
		return walk_plane<2>(l, r, *v);
	case 4:
		return walk_plane<4>(l, r, *v);
	case 8:
		return walk_plane<8>(l, r, *v);
	case 17:
		return walk_blocks<1>(l, r, *v);
	case 18:
		return walk_blocks<2>(l, r, *v);
	case 19:
		return walk_blocks<3>(l, r, *v);
	case 21:
		return walk_blocks<5>(l, r, *v);
	case 22:
		return walk_blocks<6>(l, r, *v);
	default:
		return walk_blocks<7>(l, r, *v);
	}
}

#endif
