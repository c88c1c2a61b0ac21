/* dp_row.c - the inner loop of the dynamic programme, for as many lanes as there are. */
#include "core/search/dp_row.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define LANES(isa) __attribute__((target(isa), optimize("O3")))
#define WIDE       1
#else
#define LANES(isa)
#define WIDE 0
#endif
#define INLINE static inline __attribute__((always_inline))

/* k is a constant where this is inlined.  The pick is carried as a double: a blend of
 * one width is what compilers turn into vectors. */
INLINE void block(double *restrict out, uint8_t *restrict pick, const double *const *in,
	const double *d, size_t k)
{
	double which[DP_BLOCK];
	const double *p0 = in[0], *p1 = in[1], *p2 = in[2], *p3 = in[3], *p4 = in[4];

	for (size_t w = 0; w < DP_BLOCK; w++) {
		double best = p0[w] + d[0], c = 0, t = p1[w] + d[1];

		c = t < best ? 1 : c;
		best = t < best ? t : best;
		if (k > 2) {
			t = p2[w] + d[2];
			c = t < best ? 2 : c;
			best = t < best ? t : best;
		}
		if (k > 3) {
			t = p3[w] + d[3];
			c = t < best ? 3 : c;
			best = t < best ? t : best;
		}
		if (k > 4) {
			t = p4[w] + d[4];
			c = t < best ? 4 : c;
			best = t < best ? t : best;
		}
		out[w] = best;
		which[w] = c;
	}
	for (size_t w = 0; w < DP_BLOCK; w++)
		pick[w] = (uint8_t)(int)which[w];
}

/* Options beyond the fifth, one at a time. */
INLINE void improve(double *restrict out, uint8_t *restrict pick, const double *restrict in,
	double d, uint8_t j)
{
	for (size_t w = 0; w < DP_BLOCK; w++) {
		double t = in[w] + d;

		pick[w] = t < out[w] ? j : pick[w];
		out[w] = t < out[w] ? t : out[w];
	}
}

/* A pick takes 1, 2 or 4 bits.  Byte i of a block holds those at i, i + stride, i + 2
 * stride ..., lowest bits first: packing is a few shifts of whole vectors. */
INLINE size_t pick_bits(size_t k)
{
	return k <= 2 ? 1 : k <= 4 ? 2 : 4;
}

INLINE void pack(uint8_t *restrict to, const uint8_t *restrict pick, size_t bits)
{
	size_t stride = DP_BLOCK / 8 * bits;

	for (size_t i = 0; i < stride; i++) {
		unsigned v = 0;

		for (size_t j = 0; j < 8 / bits; j++)
			v |= (unsigned)pick[i + j * stride] << j * bits;
		to[i] = (uint8_t)v;
	}
}

/* From the top down, since a budget looks at smaller ones only. */
INLINE void row(double *best, uint8_t *pick, const uint32_t *size, const double *damage, size_t k,
	size_t len)
{
	size_t head = k < 5 ? k : 5, bits = pick_bits(k);
	uint8_t picked[DP_BLOCK];
	double out[DP_BLOCK];

	for (size_t b = len; b > 0;) {
		const double *p[5];
		double d[5];

		b -= DP_BLOCK;
		for (size_t j = 0; j < 5; j++) {
			p[j] = best + b - (j < head ? size[j] : 0);
			d[j] = damage[j < head ? j : 0];
		}
		if (head == 2)
			block(out, picked, p, d, 2);
		else if (head == 3)
			block(out, picked, p, d, 3);
		else if (head == 4)
			block(out, picked, p, d, 4);
		else
			block(out, picked, p, d, 5);
		for (size_t j = 5; j < k; j++)
			improve(out, picked, best + b - size[j], damage[j], (uint8_t)j);
		memcpy(best + b, out, sizeof out);
		if (bits == 1)
			pack(pick + b / 8, picked, 1);
		else if (bits == 2)
			pack(pick + b / 4, picked, 2);
		else
			pack(pick + b / 2, picked, 4);
	}
}

#if WIDE
LANES("avx512f,avx512bw,avx512vl,avx512dq")
static void row_avx512(double *best, uint8_t *pick, const uint32_t *size, const double *damage,
	size_t k, size_t len)
{
	row(best, pick, size, damage, k, len);
}

LANES("avx2")
static void row_avx2(double *best, uint8_t *pick, const uint32_t *size, const double *damage,
	size_t k, size_t len)
{
	row(best, pick, size, damage, k, len);
}
#endif

static void row_plain(double *best, uint8_t *pick, const uint32_t *size, const double *damage,
	size_t k, size_t len)
{
	row(best, pick, size, damage, k, len);
}

void dp_row(double *best, uint8_t *pick, const uint32_t *size, const double *damage, size_t k,
	size_t len)
{
#if WIDE
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq")) {
		row_avx512(best, pick, size, damage, k, len);
		return;
	}
	if (__builtin_cpu_supports("avx2")) {
		row_avx2(best, pick, size, damage, k, len);
		return;
	}
#endif
	row_plain(best, pick, size, damage, k, len);
}

size_t dp_pick_bytes(size_t k, size_t len)
{
	return len / 8 * pick_bits(k);
}

uint8_t dp_pick(const uint8_t *pick, size_t k, size_t w)
{
	size_t bits = pick_bits(k), stride = DP_BLOCK / 8 * bits;
	size_t block = w / DP_BLOCK, at = w % DP_BLOCK;

	return pick[block * stride + at % stride] >> at / stride * bits & ((1u << bits) - 1);
}
