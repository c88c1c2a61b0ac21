/* lanes_avx512.h - sixteen floats at once, one register.  The names are explained in
 * lanes.h; only files named *_avx512.c see anything here. */
#ifndef BD_KERNELS_CPU_LANES_AVX512_H
#define BD_KERNELS_CPU_LANES_AVX512_H

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/inline.h"

/* microkernel: rows of x and vectors of the panel held in registers (24 of 32) */
#define LANES_MR 12
#define LANES_NV 2

typedef __m512 vf;
typedef __m512i vi;
typedef struct {
	__m512d lo, hi;
} vd;

ALWAYS_INLINE __mmask16 lane_mask(size_t n)
{
	return (__mmask16)((1u << n) - 1);
}

ALWAYS_INLINE vf vf_zero(void)
{
	return _mm512_setzero_ps();
}
ALWAYS_INLINE vf vf_set(float x)
{
	return _mm512_set1_ps(x);
}
ALWAYS_INLINE vf vf_load(const float *p)
{
	return _mm512_loadu_ps(p);
}
ALWAYS_INLINE void vf_store(float *p, vf a)
{
	_mm512_storeu_ps(p, a);
}

ALWAYS_INLINE vf vf_loadn(const float *p, size_t n)
{
	return _mm512_maskz_loadu_ps(lane_mask(n), p);
}

ALWAYS_INLINE void vf_storen(float *p, vf a, size_t n)
{
	_mm512_mask_storeu_ps(p, lane_mask(n), a);
}

ALWAYS_INLINE vf vf_add(vf a, vf b)
{
	return _mm512_add_ps(a, b);
}
ALWAYS_INLINE vf vf_sub(vf a, vf b)
{
	return _mm512_sub_ps(a, b);
}
ALWAYS_INLINE vf vf_mul(vf a, vf b)
{
	return _mm512_mul_ps(a, b);
}
ALWAYS_INLINE vf vf_div(vf a, vf b)
{
	return _mm512_div_ps(a, b);
}
ALWAYS_INLINE vf vf_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}
ALWAYS_INLINE vf vf_max(vf a, vf b)
{
	return _mm512_max_ps(a, b);
}
ALWAYS_INLINE vf vf_min(vf a, vf b)
{
	return _mm512_min_ps(a, b);
}
ALWAYS_INLINE float vf_sum(vf a)
{
	return _mm512_reduce_add_ps(a);
}
ALWAYS_INLINE float vf_hmax(vf a)
{
	return _mm512_reduce_max_ps(a);
}
ALWAYS_INLINE vf vf_ldexp(vf a, vf n)
{
	return _mm512_scalef_ps(a, n);
}

ALWAYS_INLINE vf vf_round(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

ALWAYS_INLINE vf vf_where_nonzero(vf p, vf a)
{
	return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(p, _mm512_setzero_ps(), _CMP_NEQ_UQ), a);
}

ALWAYS_INLINE vf vf_where_small(vf d, float limit, vf a, vf b)
{
	return _mm512_mask_mov_ps(
		b, _mm512_cmp_ps_mask(_mm512_abs_ps(d), _mm512_set1_ps(limit), _CMP_LT_OQ), a);
}

ALWAYS_INLINE unsigned vf_equal(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}

ALWAYS_INLINE vf vf_half(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

ALWAYS_INLINE vf vf_byte(const int8_t *p)
{
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);

	return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(b));
}

ALWAYS_INLINE vf vf_bf16(const uint16_t *p)
{
	__m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);

	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* double */

ALWAYS_INLINE vd vd_set(double x)
{
	return (vd){ _mm512_set1_pd(x), _mm512_set1_pd(x) };
}

ALWAYS_INLINE vd vd_of(vf a)
{
	return (vd){ _mm512_cvtps_pd(_mm512_castps512_ps256(a)),
		_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)) };
}

ALWAYS_INLINE vd vd_add(vd a, vd b)
{
	return (vd){ _mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi) };
}

ALWAYS_INLINE vd vd_sub(vd a, vd b)
{
	return (vd){ _mm512_sub_pd(a.lo, b.lo), _mm512_sub_pd(a.hi, b.hi) };
}

ALWAYS_INLINE vd vd_fma(vd a, vd b, vd c)
{
	return (vd){ _mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi) };
}

ALWAYS_INLINE double vd_sum(vd a)
{
	return _mm512_reduce_add_pd(_mm512_add_pd(a.lo, a.hi));
}

/* packed codes */

/* What eight columns of a block are made of: two words of the 8-bit plane, one of each
 * narrower one, shifted so that the first column is lowest. */
struct lane_words {
	vi v[5];
};

ALWAYS_INLINE vi lane_plane(const uint32_t *plane, size_t word, size_t shift)
{
	return _mm512_srl_epi32(
		_mm512_loadu_si512(plane + 16 * word), _mm_cvtsi32_si128((int)shift));
}

ALWAYS_INLINE void lane_words(struct lane_words *w, const uint32_t *block, const int bits, size_t e)
{
	if (bits == 8) {
		w->v[0] = _mm512_loadu_si512(block + 32 * e);
		w->v[1] = _mm512_loadu_si512(block + 32 * e + 16);
		return;
	}
	if (bits & 4)
		w->v[2] = _mm512_loadu_si512(block + 16 * e);
	if (bits & 2)
		w->v[3] = lane_plane(block + 16 * (bits & 4), e / 2, e % 2 * 16);
	if (bits & 1)
		w->v[4] = lane_plane(block + 16 * (bits & 6), 0, e * 8);
}

/* A permutation looks up the low four bits of each word, and the table repeats where
 * the code is shorter: nothing has to be masked. */
ALWAYS_INLINE vf lane_lookup(vi words, const int shift, const int width, const float unit)
{
	const int m = (1 << width) - 1;
#define V(i) (float)((i)&m) * unit
	vf table = _mm512_setr_ps(V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10),
		V(11), V(12), V(13), V(14), V(15));
#undef V

	return _mm512_permutexvar_ps(_mm512_srli_epi32(words, (unsigned)shift), table);
}

ALWAYS_INLINE vf lane_code(const struct lane_words *w, const int bits, const int c)
{
	vf sum = vf_zero();

	if (bits == 8) {
		vi v = _mm512_srli_epi32(w->v[c / 4], (unsigned)(c % 4 * 8));

		return _mm512_cvtepi32_ps(
			c % 4 == 3 ? v : _mm512_and_si512(v, _mm512_set1_epi32(255)));
	}
	if (bits & 4)
		sum = lane_lookup(w->v[2], 4 * c, 4, (float)(1 << (bits & 3)));
	if (bits & 2) {
		vf two = lane_lookup(w->v[3], 2 * c, 2, (float)(1 << (bits & 1)));

		sum = bits & 4 ? vf_add(sum, two) : two;
	}
	if (bits & 1) {
		vf one = lane_lookup(w->v[4], c, 1, 1);

		sum = bits & 6 ? vf_add(sum, one) : one;
	}
	return sum;
}

/* Rows and columns of a 16 x 16 block change places. */
ALWAYS_INLINE void lane_transpose(vf r[16])
{
	vf t[16];

	LANE_UNROLL
	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
	LANE_UNROLL
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_castpd_ps(
			_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
		r[i + 1] = _mm512_castpd_ps(
			_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
		r[i + 2] = _mm512_castpd_ps(
			_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
		r[i + 3] = _mm512_castpd_ps(
			_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
	}
	LANE_UNROLL
	for (int i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
	}
	LANE_UNROLL
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
		r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
		r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
	}
}

#endif
#endif
