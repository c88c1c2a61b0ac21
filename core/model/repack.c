/* repack.c - ggml's block types, and our own bit strings, to the words of mat.h.
 *
 * Exact: codes are moved, not computed.  Q4_0, Q5_0 and Q8_0 count from a negative
 * zero point; the offset that replaces it is the scale times a power of two, exact in
 * fp16 unless it overflows.
 */
#include "core/model/weights.h"

#include <string.h>

#include "core/base/f16.h"

static uint16_t read16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t read32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Eight values of 4 bits, one in the low half of each byte of x, side by side. */
static uint32_t nibbles(uint64_t x)
{
	x = (x | x >> 4) & 0x00ff00ff00ff00ffu;
	x = (x | x >> 8) & 0x0000ffff0000ffffu;
	return (uint32_t)(x | x >> 16);
}

static void pack_nibbles(const unsigned char qs[16], uint32_t *words)
{
	uint64_t half[2];
	int i;

	for (i = 0; i < 2; i++) {
		half[i] = read32(qs + 8 * i) | (uint64_t)read32(qs + 8 * i + 4) << 32;
		words[i * MAT_TILE] = nibbles(half[i] & 0x0f0f0f0f0f0f0f0fu);
		words[(i + 2) * MAT_TILE] = nibbles(half[i] >> 4 & 0x0f0f0f0f0f0f0f0fu);
	}
}

/* Any width, from one code a byte. */
static void pack_codes(const uint8_t code[MAT_BLOCK], int bits, uint32_t *words)
{
	int rest = bits, p, i;

	for (p = 8; p; p /= 2) {
		if (!(bits & p))
			continue;
		rest -= p;
		for (i = 0; i < MAT_BLOCK; i++) {
			uint32_t v = (uint32_t)code[i] >> rest & ((1u << p) - 1);

			words[(size_t)(i * p / 32) * MAT_TILE] |= v << (i * p % 32);
		}
		words += (size_t)p * MAT_TILE;
	}
}

/* scale * -zero as fp16; false when that is not exact. */
static bool offset_of(uint16_t scale, int zero, uint16_t *offset)
{
	float exact = f16_to_f32(scale) * (float)-zero;

	*offset = f16_from_f32(exact);
	return f16_to_f32(*offset) == exact;
}

static bool block_q4_0(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset)
{
	*scale = read16(src);
	pack_nibbles(src + 2, words);
	return offset_of(*scale, 8, offset);
}

static bool block_q4_1(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset)
{
	*scale = read16(src);
	*offset = read16(src + 2);
	pack_nibbles(src + 4, words);
	return true;
}

static void codes_q5(const unsigned char *src, uint32_t *words)
{
	uint32_t high = read32(src);
	uint8_t code[MAT_BLOCK];
	int i;

	for (i = 0; i < 16; i++) {
		code[i] = (uint8_t)((src[4 + i] & 15) | (high >> i & 1) << 4);
		code[i + 16] = (uint8_t)(src[4 + i] >> 4 | (high >> (i + 16) & 1) << 4);
	}
	pack_codes(code, 5, words);
}

static bool block_q5_0(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset)
{
	*scale = read16(src);
	codes_q5(src + 2, words);
	return offset_of(*scale, 16, offset);
}

static bool block_q5_1(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset)
{
	*scale = read16(src);
	*offset = read16(src + 2);
	codes_q5(src + 4, words);
	return true;
}

static bool block_q8_0(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset)
{
	int i;

	*scale = read16(src);
	for (i = 0; i < 8; i++) /* two's complement + 128 is the top bit turned over */
		words[i * MAT_TILE] = read32(src + 2 + 4 * i) ^ 0x80808080u;
	return offset_of(*scale, 128, offset);
}

const struct repack_kind *repack_kind(enum dtype t)
{
	static const struct repack_kind q4_0 = { 4, block_q4_0 }, q4_1 = { 4, block_q4_1 },
					q5_0 = { 5, block_q5_0 }, q5_1 = { 5, block_q5_1 },
					q8_0 = { 8, block_q8_0 };

	switch (t) {
	case DT_Q4_0:
		return &q4_0;
	case DT_Q4_1:
		return &q4_1;
	case DT_Q5_0:
		return &q5_0;
	case DT_Q5_1:
		return &q5_1;
	case DT_Q8_0:
		return &q8_0;
	default:
		return NULL;
	}
}

void repack_bits(const unsigned char *src, int bits, size_t n, uint32_t *words)
{
	unsigned char whole[MAT_BLOCK + 2] = { 0 };
	uint8_t code[MAT_BLOCK] = { 0 };
	size_t i;

	if (n == MAT_BLOCK && (bits & (bits - 1)) == 0) { /* one plane: the same bits in order */
		for (i = 0; i < (size_t)bits; i++)
			words[i * MAT_TILE] = read32(src + 4 * i);
		return;
	}
	memcpy(whole, src, (n * (size_t)bits + 7) / 8);
	for (i = 0; i < n; i++) {
		size_t at = i * (size_t)bits;

		code[i] = (uint8_t)(read16(whole + at / 8) >> at % 8 & ((1u << bits) - 1));
	}
	pack_codes(code, bits, words);
}
