/* attention.h - what the three kernels of attention share.
 *
 * Private to attention*.cu.  Any sequence may be cut by rows: rows r ... of one that stands at pos
 * are a sequence that stands at pos + r.
 */
#ifndef BD_CUDA_ATTENTION_H
#define BD_CUDA_ATTENTION_H

#include <math.h>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

/* A sequence, or some of its rows. */
struct attended {
	struct attn_seq s;
	/* few rows: keys of a split, a multiple of its tile, and splits there are */
	unsigned keys, splits;
};

/* Arguments of a launch; struct attended[n] behind them. */
struct attend {
	float *out;
	const float *q;
	struct attn_shape shape;
	float *work; /* of decode: partial results of each split */
	unsigned *tickets;
};
enum { ATTENDED = 512 }; /* of a launch, at most: 45 kB of its arguments */

/* Positions that row `row` of the sequence sees: from ... to - 1. */
DEVICE unsigned sees_to(const struct attn_seq *s, unsigned row)
{
	return (unsigned)s->pos + row + 1;
}

DEVICE unsigned sees_from(const struct attn_seq *s, const struct attn_shape *shape, unsigned row)
{
	unsigned to = sees_to(s, row);

	return shape->window && to > shape->window ? to - (unsigned)shape->window : 0;
}

/* Four bytes, lowest first, as floats: exact, and without the slow conversion: 2^23 + 128 + v is
 * put together as bits. */
DEVICE float small_of(uint32_t byte)
{
	uint32_t u = 0x4b000000u | (byte & 255);
	float f;

	memcpy(&f, &u, sizeof f);
	return f - 8388736.0f;
}

DEVICE float4 bytes4(uint32_t word)
{
	word ^= 0x80808080u;
	return floats4(
		small_of(word), small_of(word >> 8), small_of(word >> 16), small_of(word >> 24));
}

/* All of them put n sequences of at most `rows` rows each; n <= ATTENDED. */
/* Few rows: keys split over blocks.  For 4 | head_dim <= FAST_DIM, pointers
 * 16-aligned. */
enum { FAST_DIM = 256, FEW_ROWS = 8 };
void attend_few(struct attend *a, struct attended *s, size_t n, size_t rows);
/* Many rows: tiles of 64 by 64; the same. */
void attend_many(const struct attend *a, const struct attended *s, size_t n, size_t rows);
/* Any head_dim at any address, slowly. */
void attend_any(const struct attend *a, const struct attended *s, size_t n, size_t rows);

#endif
