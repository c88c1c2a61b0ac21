/* lanes_int8_vnni.h - the lanes of lanes_int8.h in one register: vpdpbusd is the product. */
#ifndef BD_KERNELS_CPU_LANES_INT8_VNNI_H
#define BD_KERNELS_CPU_LANES_INT8_VNNI_H

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

#include "kernels/cpu/lanes_avx512.h"
#include "kernels/cpu/lanes_int8_order.h"

/* Rows of x taken together at most: twelve sums of integers and twelve of floats, beside
 * them the codes. */
#define LANES_STRIP_MOST 12

typedef __m512i vb;
typedef __m512i vdot;

ALWAYS_INLINE vb vb_load(const uint32_t *p)
{
	__m512i v = _mm512_loadu_si512(p);

	/* or it is loaded again for each shift of it */
	__asm__("" : "+v"(v));
	return v;
}

ALWAYS_INLINE vb vb_or(vb a, vb b)
{
	return _mm512_or_si512(a, b);
}

ALWAYS_INLINE vb vb_pick(vb a, const int right, const int left, const uint32_t mask)
{
	if (right > left)
		a = _mm512_srli_epi32(a, (unsigned)(right - left));
	if (left > right)
		a = _mm512_slli_epi32(a, (unsigned)(left - right));
	return mask == 255 ? a : _mm512_and_si512(a, _mm512_set1_epi8((char)(mask << left)));
}

ALWAYS_INLINE void vb_deal(vb *a, vb *b)
{
	const __m512i even = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
	const __m512i odd = _mm512_broadcast_i32x4(
		_mm_setr_epi8(1, 3, 0, 2, 5, 7, 4, 6, 9, 11, 8, 10, 13, 15, 12, 14));
	__m512i x = _mm512_shuffle_epi8(*a, even), y = _mm512_shuffle_epi8(*b, odd);

	*a = _mm512_mask_blend_epi16(0xaaaaaaaa, x, y);
	*b = _mm512_rol_epi32(_mm512_mask_blend_epi16(0xaaaaaaaa, y, x), 16);
}

ALWAYS_INLINE vdot vdot_zero(const int bits)
{
	(void)bits;
	return _mm512_setzero_si512();
}

ALWAYS_INLINE void vdot_add(vdot *d, vb code, const uint32_t *x, const int bits)
{
	(void)bits;
	*d = _mm512_dpbusd_epi32(*d, code, _mm512_set1_epi32((int32_t)*x));
}

ALWAYS_INLINE vf vdot_float(const vdot *d, const int bits)
{
	(void)bits;
	return _mm512_cvtepi32_ps(*d);
}

ALWAYS_INLINE vf vf_fused(vf a, vf b, vf c)
{
	return vf_fma(a, b, c);
}

#endif
#endif
