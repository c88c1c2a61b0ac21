/* lanes_int8_order.h - order_bytes of lanes_int8.h for AVX2 and all above. */
#ifndef BD_KERNELS_CPU_LANES_INT8_ORDER_H
#define BD_KERNELS_CPU_LANES_INT8_ORDER_H

#if defined(__AVX2__)

#include <immintrin.h>
#include <stdint.h>

#include "kernels/cpu/inline.h"

ALWAYS_INLINE __m256i order_in16(__m256i v, const int width)
{
	/* where a plane's word and its neighbours of half a register meet their columns */
	if (width == 4)
		return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6,
						      1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)));
	if (width == 2)
		return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12,
						      1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)));
	return v;
}

ALWAYS_INLINE void order_bytes(uint32_t out[8], const int8_t q[32], const int width)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)q);

	if (width == 1) {
		/* columns s, s + 8 side by side in each half, then the halves' pairs */
		__m256i p =
			_mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, 1, 9,
						       2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)));
		__m128i lo = _mm256_castsi256_si128(p), hi = _mm256_extracti128_si256(p, 1);

		_mm_storeu_si128((__m128i *)(void *)out, _mm_unpacklo_epi16(lo, hi));
		_mm_storeu_si128((__m128i *)(void *)(out + 4), _mm_unpackhi_epi16(lo, hi));
		return;
	}
	_mm256_storeu_si256((__m256i *)(void *)out, order_in16(v, width));
}

#endif
#endif
