/* lanes_avx2.h - sixteen floats at once, two registers.  The names are explained in
 * lanes.h; only files named *_avx2.c see anything here. */
#ifndef BD_KERNELS_CPU_LANES_AVX2_H
#define BD_KERNELS_CPU_LANES_AVX2_H

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/inline.h"

/* microkernel: rows of x and vectors of the panel held in registers (12 of 16) */
#define LANES_MR 6
#define LANES_NV 1

typedef struct {
	__m256 lo, hi;
} vf;

typedef struct {
	__m256d v[4];
} vd;

#define VF(x, y) ((vf){ (x), (y) })

/* All ones in the first n of eight. */
ALWAYS_INLINE __m256i lane_mask(size_t n)
{
	static const int32_t ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - n));
}

ALWAYS_INLINE vf vf_zero(void)
{
	return VF(_mm256_setzero_ps(), _mm256_setzero_ps());
}
ALWAYS_INLINE vf vf_set(float x)
{
	return VF(_mm256_set1_ps(x), _mm256_set1_ps(x));
}
ALWAYS_INLINE vf vf_load(const float *p)
{
	return VF(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}

ALWAYS_INLINE void vf_store(float *p, vf a)
{
	_mm256_storeu_ps(p, a.lo);
	_mm256_storeu_ps(p + 8, a.hi);
}

ALWAYS_INLINE vf vf_loadn(const float *p, size_t n)
{
	if (n <= 8)
		return VF(_mm256_maskload_ps(p, lane_mask(n)), _mm256_setzero_ps());
	return VF(_mm256_loadu_ps(p), _mm256_maskload_ps(p + 8, lane_mask(n - 8)));
}

ALWAYS_INLINE void vf_storen(float *p, vf a, size_t n)
{
	/* masked stores take tens of cycles on some processors */
	if (n >= 16) {
		_mm256_storeu_ps(p, a.lo);
		_mm256_storeu_ps(p + 8, a.hi);
	} else if (n <= 8) {
		_mm256_maskstore_ps(p, lane_mask(n), a.lo);
	} else {
		_mm256_storeu_ps(p, a.lo);
		_mm256_maskstore_ps(p + 8, lane_mask(n - 8), a.hi);
	}
}

#define BOTH(op, a, b) VF(op((a).lo, (b).lo), op((a).hi, (b).hi))
ALWAYS_INLINE vf vf_add(vf a, vf b)
{
	return BOTH(_mm256_add_ps, a, b);
}
ALWAYS_INLINE vf vf_sub(vf a, vf b)
{
	return BOTH(_mm256_sub_ps, a, b);
}
ALWAYS_INLINE vf vf_mul(vf a, vf b)
{
	return BOTH(_mm256_mul_ps, a, b);
}
ALWAYS_INLINE vf vf_div(vf a, vf b)
{
	return BOTH(_mm256_div_ps, a, b);
}
ALWAYS_INLINE vf vf_max(vf a, vf b)
{
	return BOTH(_mm256_max_ps, a, b);
}
ALWAYS_INLINE vf vf_min(vf a, vf b)
{
	return BOTH(_mm256_min_ps, a, b);
}

ALWAYS_INLINE vf vf_fma(vf a, vf b, vf c)
{
	return VF(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}

ALWAYS_INLINE float lane_sum(__m256 a)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

ALWAYS_INLINE float vf_sum(vf a)
{
	return lane_sum(_mm256_add_ps(a.lo, a.hi));
}

ALWAYS_INLINE float vf_hmax(vf a)
{
	__m256 m = _mm256_max_ps(a.lo, a.hi);
	__m128 s = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));

	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* 2^n in two steps, so that neither the largest nor a denormal result needs an
 * exponent that a float does not have. */
ALWAYS_INLINE __m256 lane_ldexp(__m256 a, __m256 n)
{
	__m256i e = _mm256_cvtps_epi32(n), h = _mm256_srai_epi32(e, 1);
	__m256i one = _mm256_set1_epi32(127);

	e = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(e, h), one), 23);
	h = _mm256_slli_epi32(_mm256_add_epi32(h, one), 23);
	return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(e)), _mm256_castsi256_ps(h));
}

ALWAYS_INLINE vf vf_ldexp(vf a, vf n)
{
	return BOTH(lane_ldexp, a, n);
}

ALWAYS_INLINE vf vf_round(vf a)
{
	return VF(_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
		_mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

ALWAYS_INLINE vf vf_where_nonzero(vf p, vf a)
{
	__m256 z = _mm256_setzero_ps();

	return VF(_mm256_and_ps(_mm256_cmp_ps(p.lo, z, _CMP_NEQ_UQ), a.lo),
		_mm256_and_ps(_mm256_cmp_ps(p.hi, z, _CMP_NEQ_UQ), a.hi));
}

ALWAYS_INLINE __m256 lane_small(__m256 d, float limit)
{
	__m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), d);

	return _mm256_cmp_ps(size, _mm256_set1_ps(limit), _CMP_LT_OQ);
}

ALWAYS_INLINE vf vf_where_small(vf d, float limit, vf a, vf b)
{
	return VF(_mm256_blendv_ps(b.lo, a.lo, lane_small(d.lo, limit)),
		_mm256_blendv_ps(b.hi, a.hi, lane_small(d.hi, limit)));
}

ALWAYS_INLINE unsigned vf_equal(vf a, vf b)
{
	unsigned lo = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ));
	unsigned hi = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ));

	return lo | hi << 8;
}

ALWAYS_INLINE __m128i lane_load8(const uint16_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

ALWAYS_INLINE vf vf_half(const uint16_t *p)
{
	return VF(_mm256_cvtph_ps(lane_load8(p)), _mm256_cvtph_ps(lane_load8(p + 8)));
}

ALWAYS_INLINE __m256 lane_bf16(__m128i h)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

ALWAYS_INLINE __m256 lane_byte(const int8_t *p)
{
	return _mm256_cvtepi32_ps(
		_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

ALWAYS_INLINE vf vf_byte(const int8_t *p)
{
	return VF(lane_byte(p), lane_byte(p + 8));
}

ALWAYS_INLINE vf vf_bf16(const uint16_t *p)
{
	return VF(lane_bf16(lane_load8(p)), lane_bf16(lane_load8(p + 8)));
}

/* double */

ALWAYS_INLINE vd vd_set(double x)
{
	__m256d v = _mm256_set1_pd(x);

	return (vd){ { v, v, v, v } };
}

ALWAYS_INLINE vd vd_of(vf a)
{
	return (vd){ { _mm256_cvtps_pd(_mm256_castps256_ps128(a.lo)),
		_mm256_cvtps_pd(_mm256_extractf128_ps(a.lo, 1)),
		_mm256_cvtps_pd(_mm256_castps256_ps128(a.hi)),
		_mm256_cvtps_pd(_mm256_extractf128_ps(a.hi, 1)) } };
}

#define FOUR(op, a, b)                                                                   \
	((vd){ { op((a).v[0], (b).v[0]), op((a).v[1], (b).v[1]), op((a).v[2], (b).v[2]), \
		op((a).v[3], (b).v[3]) } })
ALWAYS_INLINE vd vd_add(vd a, vd b)
{
	return FOUR(_mm256_add_pd, a, b);
}
ALWAYS_INLINE vd vd_sub(vd a, vd b)
{
	return FOUR(_mm256_sub_pd, a, b);
}

ALWAYS_INLINE vd vd_fma(vd a, vd b, vd c)
{
	return (vd){ { _mm256_fmadd_pd(a.v[0], b.v[0], c.v[0]),
		_mm256_fmadd_pd(a.v[1], b.v[1], c.v[1]), _mm256_fmadd_pd(a.v[2], b.v[2], c.v[2]),
		_mm256_fmadd_pd(a.v[3], b.v[3], c.v[3]) } };
}

ALWAYS_INLINE double vd_sum(vd a)
{
	__m256d s = _mm256_add_pd(_mm256_add_pd(a.v[0], a.v[1]), _mm256_add_pd(a.v[2], a.v[3]));
	__m128d h = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));

	return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

/* packed codes */

/* What eight columns of a block are made of: two words of the 8-bit plane, one of each
 * narrower one, shifted so that the first column is lowest; for rows 0 to 7 and on. */
struct lane_words {
	__m256i v[5][2];
};

ALWAYS_INLINE __m256i lane_load(const uint32_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

ALWAYS_INLINE void lane_words(struct lane_words *w, const uint32_t *block, const int bits, size_t e)
{
	LANE_UNROLL
	for (int h = 0; h < 2; h++, block += 8) {
		if (bits == 8) {
			w->v[0][h] = lane_load(block + 32 * e);
			w->v[1][h] = lane_load(block + 32 * e + 16);
		}
		if (bits & 4)
			w->v[2][h] = lane_load(block + 16 * e);
		if (bits & 2)
			w->v[3][h] =
				_mm256_srl_epi32(lane_load(block + 16 * (bits & 4) + 16 * (e / 2)),
					_mm_cvtsi32_si128((int)(e % 2 * 16)));
		if (bits & 1)
			w->v[4][h] = _mm256_srl_epi32(lane_load(block + 16 * (bits & 6)),
				_mm_cvtsi32_si128((int)(8 * e)));
	}
}

ALWAYS_INLINE __m256i lane_bits(__m256i v, const int shift, const int width)
{
	return _mm256_and_si256(_mm256_srli_epi32(v, shift), _mm256_set1_epi32((1 << width) - 1));
}

ALWAYS_INLINE __m256 lane_code8(
	const struct lane_words *w, const int bits, const int c, const int h)
{
	__m256i code = _mm256_setzero_si256();

	if (bits == 8)
		code = lane_bits(w->v[c / 4][h], c % 4 * 8, 8);
	if (bits & 4)
		code = _mm256_slli_epi32(lane_bits(w->v[2][h], 4 * c, 4), bits & 3);
	if (bits & 2)
		code = _mm256_or_si256(
			code, _mm256_slli_epi32(lane_bits(w->v[3][h], 2 * c, 2), bits & 1));
	if (bits & 1)
		code = _mm256_or_si256(code, lane_bits(w->v[4][h], c, 1));
	return _mm256_cvtepi32_ps(code);
}

ALWAYS_INLINE vf lane_code(const struct lane_words *w, const int bits, const int c)
{
	return VF(lane_code8(w, bits, c, 0), lane_code8(w, bits, c, 1));
}

ALWAYS_INLINE void lane_transpose8(__m256 r[8])
{
	__m256 t[8];

	LANE_UNROLL
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	LANE_UNROLL
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	LANE_UNROLL
	for (int i = 0; i < 4; i++) {
		t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
		t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
	}
	LANE_UNROLL
	for (int i = 0; i < 8; i++)
		r[i] = t[i];
}

/* Rows and columns of a 16 x 16 block change places. */
ALWAYS_INLINE void lane_transpose(vf r[16])
{
	__m256 a[8], b[8], c[8], d[8];

	LANE_UNROLL
	for (int i = 0; i < 8; i++) {
		a[i] = r[i].lo;
		b[i] = r[i].hi;
		c[i] = r[i + 8].lo;
		d[i] = r[i + 8].hi;
	}
	lane_transpose8(a);
	lane_transpose8(b);
	lane_transpose8(c);
	lane_transpose8(d);
	LANE_UNROLL
	for (int i = 0; i < 8; i++) {
		r[i] = VF(a[i], c[i]);
		r[i + 8] = VF(b[i], d[i]);
	}
}

#endif
#endif
