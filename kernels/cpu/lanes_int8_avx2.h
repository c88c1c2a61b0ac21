/* lanes_int8_avx2.h - the lanes of lanes_int8.h in two registers.
 *
 * maddubs adds two products to 16 bits and saturates: codes of up to 7 bits are safe
 * (2 * 127 * 127), sums of a whole block only up to 4 bits (16 * 15 * 127).  Codes of 8 bits
 * are taken as two of 4.
 */
#ifndef BD_KERNELS_CPU_LANES_INT8_AVX2_H
#define BD_KERNELS_CPU_LANES_INT8_AVX2_H

#if defined(__AVX2__)

#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/lanes_int8_order.h"

#define LANES_STRIP_MOST 4 /* rows of x taken together at most */

typedef struct {
	__m256i v[2];
} vb;

typedef struct {
	__m256i low[2], high[2]; /* 16 bits, of the low and the high four of 8; else 32 bits */
} vdot;

ALWAYS_INLINE vb vb_load(const uint32_t *p)
{
	return (vb){ { _mm256_loadu_si256((const __m256i *)(const void *)p),
		_mm256_loadu_si256((const __m256i *)(const void *)(p + 8)) } };
}

ALWAYS_INLINE vb vb_or(vb a, vb b)
{
	return (vb){ { _mm256_or_si256(a.v[0], b.v[0]), _mm256_or_si256(a.v[1], b.v[1]) } };
}

ALWAYS_INLINE vb vb_pick(vb a, const int right, const int left, const uint32_t mask)
{
	const __m256i keep = _mm256_set1_epi8((char)(mask << left));

	LANE_UNROLL
	for (int h = 0; h < 2; h++) {
		if (right > left)
			a.v[h] = _mm256_srli_epi32(a.v[h], right - left);
		if (left > right)
			a.v[h] = _mm256_slli_epi32(a.v[h], left - right);
		if (mask != 255)
			a.v[h] = _mm256_and_si256(a.v[h], keep);
	}
	return a;
}

ALWAYS_INLINE void vb_deal(vb *a, vb *b)
{
	const __m256i even = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
	const __m256i odd = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(1, 3, 0, 2, 5, 7, 4, 6, 9, 11, 8, 10, 13, 15, 12, 14));
	const __m256i swap = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));

	LANE_UNROLL
	for (int h = 0; h < 2; h++) {
		__m256i x = _mm256_shuffle_epi8(a->v[h], even);
		__m256i y = _mm256_shuffle_epi8(b->v[h], odd);

		a->v[h] = _mm256_blend_epi16(x, y, 0xaa);
		b->v[h] = _mm256_shuffle_epi8(_mm256_blend_epi16(y, x, 0xaa), swap);
	}
}

ALWAYS_INLINE vdot vdot_zero(const int bits)
{
	__m256i z = _mm256_setzero_si256();

	(void)bits;
	return (vdot){ { z, z }, { z, z } };
}

ALWAYS_INLINE void vdot_add(vdot *d, vb code, const uint32_t *x, const int bits)
{
	const __m256i q = _mm256_set1_epi32((int32_t)*x), four = _mm256_set1_epi8(15);

	LANE_UNROLL
	for (int h = 0; h < 2; h++) {
		__m256i c = code.v[h], up = _mm256_srli_epi32(c, 4);

		if (bits == 8) {
			up = _mm256_maddubs_epi16(_mm256_and_si256(up, four), q);
			d->high[h] = _mm256_add_epi16(d->high[h], up);
			c = _mm256_and_si256(c, four);
		}
		c = _mm256_maddubs_epi16(c, q);
		d->low[h] = bits <= 4 || bits == 8
				    ? _mm256_add_epi16(d->low[h], c)
				    : _mm256_add_epi32(d->low[h],
					      _mm256_madd_epi16(c, _mm256_set1_epi16(1)));
	}
}

ALWAYS_INLINE __m256 vdot_half(const vdot *d, const int bits, const int h)
{
	__m256i sum = d->low[h];

	if (bits <= 4 || bits == 8)
		sum = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
	if (bits == 8)
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(d->high[h], _mm256_set1_epi16(16)));
	return _mm256_cvtepi32_ps(sum);
}

ALWAYS_INLINE vf vdot_float(const vdot *d, const int bits)
{
	return VF(vdot_half(d, bits, 0), vdot_half(d, bits, 1));
}

ALWAYS_INLINE vf vf_fused(vf a, vf b, vf c)
{
	return vf_fma(a, b, c);
}

#endif
#endif
