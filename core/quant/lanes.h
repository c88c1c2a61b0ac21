/* lanes.h - as many floats at a time as the machine has, for the loops in core/quant.
 *
 * The sources over them (*.inc) are compiled once for each instruction set (leaf_*.c).  A
 * lane is a row or a group of its own and nothing is contracted, so the width decides no
 * bit of a result.  Private to core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_LANES_H
#define BD_QUANT_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* GCC remarks that passing wide vectors by value changed in its version 4.6: all that do
 * are inlined. */
#pragma GCC diagnostic ignored "-Wpsabi"

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t ilanes __attribute__((vector_size(4 * LANES)));
typedef double dlanes __attribute__((vector_size(8 * LANES)));
typedef int64_t llanes __attribute__((vector_size(8 * LANES)));

#define BD_INLINE static inline __attribute__((always_inline))

/* Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even, for
 * numbers below 2^22. */
#define ROUND_MAGIC 12582912.0f

BD_INLINE lanes lanes_all(float x)
{
	return (lanes){ 0 } + x;
}

BD_INLINE lanes lanes_load(const float *w)
{
	lanes v;

	memcpy(&v, w, sizeof v);
	return v;
}

BD_INLINE void lanes_store(float *w, lanes v)
{
	memcpy(w, &v, sizeof v);
}

/* w[0..n) in the first lanes, fill in the others. */
BD_INLINE lanes lanes_some(const float *w, size_t n, float fill)
{
	lanes v = lanes_all(fill);

	memcpy(&v, w, n * sizeof *w);
	return v;
}

BD_INLINE lanes lanes_where(ilanes m, lanes a, lanes b)
{
	return (lanes)((m & (ilanes)a) | (~m & (ilanes)b));
}

/* a < b ? a : b, and a > b ? a : b: b where one is no number. */
BD_INLINE lanes lanes_min(lanes a, lanes b)
{
#if defined(__AVX512F__)
	return (lanes)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
	return (lanes)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
	return (lanes)_mm_min_ps((__m128)a, (__m128)b);
#else
	return lanes_where(a < b, a, b);
#endif
}

BD_INLINE lanes lanes_max(lanes a, lanes b)
{
#if defined(__AVX512F__)
	return (lanes)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
	return (lanes)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
	return (lanes)_mm_max_ps((__m128)a, (__m128)b);
#else
	return lanes_where(a > b, a, b);
#endif
}

BD_INLINE lanes lanes_abs(lanes a)
{
	return (lanes)((ilanes)a & 0x7fffffff);
}

BD_INLINE bool lanes_any(ilanes m)
{
#if defined(__AVX512F__)
	return _mm512_test_epi32_mask((__m512i)m, (__m512i)m) != 0;
#elif defined(__AVX2__)
	return _mm256_movemask_epi8((__m256i)m) != 0;
#else
	int32_t any = 0;

	for (int k = 0; k < LANES; k++)
		any |= m[k];
	return any != 0;
#endif
}

/* Integers 0 to 255 as bytes. */
BD_INLINE void lanes_bytes(uint8_t *out, ilanes v)
{
#if defined(__AVX512F__)
	_mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8((__m512i)v));
#elif defined(__AVX2__)
	__m128i a = _mm256_castsi256_si128((__m256i)v);
	__m128i b = _mm256_extracti128_si256((__m256i)v, 1), c = _mm_packs_epi32(a, b);

	_mm_storel_epi64((__m128i *)out, _mm_packus_epi16(c, c));
#else
	for (int k = 0; k < LANES; k++)
		out[k] = (uint8_t)v[k];
#endif
}

BD_INLINE lanes lanes_round(lanes v)
{
	return v + ROUND_MAGIC - ROUND_MAGIC;
}

/* The nearest of 0 ... top. */
BD_INLINE lanes lanes_code(lanes v, lanes top)
{
	return lanes_round(lanes_min(lanes_max(v, lanes_all(0)), top));
}

/* 1 / x, and 0 of 0. */
BD_INLINE lanes lanes_inverse(lanes x)
{
	return (lanes)((x != 0) & (ilanes)(1 / x));
}

#define lanes_double(x) __builtin_convertvector((x), dlanes)
#define lanes_float(x)  __builtin_convertvector((x), lanes)

BD_INLINE void dlanes_take(dlanes *a, ilanes m, const dlanes *b)
{
	llanes wide = __builtin_convertvector(m, llanes);

	*a = (dlanes)((wide & (llanes)*b) | (~wide & (llanes)*a));
}

/* ---- fp16, as core/base/f16.c has it */

/* Nearest fp16 that is finite. */
BD_INLINE ilanes lanes_to_f16(lanes x)
{
	lanes most = lanes_all(65504), y = lanes_max(lanes_min(x, most), -most);
	ilanes u = (ilanes)y, a = u & 0x7fffffff, plain, small;

	plain = ((a + 0xfff + (a >> 13 & 1)) >> 13) - (112 << 10);
	small = (ilanes)((lanes)a + 0.5f) - 0x3f000000; /* units of 2^-24 */
	return (u >> 16 & 0x8000) | (ilanes)lanes_where(a < 0x38800000, (lanes)small, (lanes)plain);
}

BD_INLINE lanes lanes_from_f16(ilanes h)
{
	ilanes a = h & 0x7fff;
	lanes plain = (lanes)((a << 13) + (112 << 23));
	lanes small = __builtin_convertvector(a, lanes) * 0x1p-24f;

	return (lanes)((ilanes)lanes_where(a < 0x400, small, plain) | (h & 0x8000) << 16);
}

BD_INLINE void lanes_put16(uint16_t *out, ilanes v)
{
	for (int k = 0; k < LANES; k++)
		out[k] = (uint16_t)v[k];
}

/* The first n, zeros behind them. */
BD_INLINE ilanes lanes_get16(const uint16_t *h, size_t n)
{
	int32_t each[LANES] = { 0 };
	ilanes v;

	for (size_t k = 0; k < n; k++)
		each[k] = h[k];
	memcpy(&v, each, sizeof v);
	return v;
}

/* ---- powers */

/* x^p of numbers > 0 that are not subnormal, within 6e-4 for p in [-1, 1].  log2 is the
 * bits of a float, and a cubic for what they lack within an octave; 2^y is a cubic on
 * [-1/2, 1/2]; both fitted at Chebyshev's points. */
BD_INLINE lanes lanes_pow(lanes x, float p)
{
	ilanes bits = (ilanes)x;
	lanes m = (lanes)((bits & 0x7fffff) | 0x3f800000), y, f, r;

	y = m * (p * 0.15544586f) + p * -1.0392581f;
	y = y * m + p * 2.0294783f;
	y = y * m + p * -128.14494f;
	y = __builtin_convertvector(bits, lanes) * (p * 0x1p-23f) + y;
	f = y + ROUND_MAGIC;
	y = y - (f - ROUND_MAGIC);
	r = y * 0.055088684f + 0.24260405f;
	r = r * y + 0.69327623f;
	r = r * y + 0.99992895f;
	return (lanes)((ilanes)r + ((ilanes)f << 23));
}

#endif
