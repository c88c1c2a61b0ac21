/* sha256_ni.c - SHA-256's blocks by the processor's own instructions: the first opening of a model
 * waits for its file's sum, and this is five times as fast.  Compiled with -msha -msse4.1; called
 * only where sha256_has_ni says that they are there.  (Intel, Intel SHA Extensions, 2013.)
 */
#include "core/base/sha256.h"

#if defined __x86_64__ && defined __SHA__

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

static bool look(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

bool sha256_has_ni(void)
{
	static atomic_int known; /* 1: no, 2: yes; looking is slow on a virtual machine */
	int was = atomic_load_explicit(&known, memory_order_relaxed);

	if (!was) {
		was = 1 + look();
		atomic_store_explicit(&known, was, memory_order_relaxed);
	}
	return was == 2;
}

/* Words 4 i to 4 i + 3 of the schedule, from the 16 before them. */
static __m128i schedule(const __m128i w[4], int i)
{
	__m128i a = w[i & 3], b = w[(i + 1) & 3], c = w[(i + 2) & 3], d = w[(i + 3) & 3];

	return _mm_sha256msg2_epu32(
		_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d);
}

void sha256_blocks_ni(uint32_t h[8], const unsigned char *p, size_t n, const uint32_t k[64])
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i lo = _mm_loadu_si128((const void *)h), hi = _mm_loadu_si128((const void *)(h + 4));
	__m128i t = _mm_shuffle_epi32(lo, 0xb1), abef, cdgh; /* the order the instructions want */

	hi = _mm_shuffle_epi32(hi, 0x1b);
	abef = _mm_alignr_epi8(t, hi, 8);
	cdgh = _mm_blend_epi16(hi, t, 0xf0);
	for (; n; n--, p += 64) {
		__m128i w[4], abef_was = abef, cdgh_was = cdgh;

		for (int i = 0; i < 16; i++) {
			__m128i m;

			if (i < 4)
				w[i] = _mm_shuffle_epi8(
					_mm_loadu_si128((const void *)(p + 16 * i)), swap);
			else
				w[i & 3] = schedule(w, i);
			m = _mm_add_epi32(w[i & 3], _mm_loadu_si128((const void *)(k + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, m);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(m, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_was);
		cdgh = _mm_add_epi32(cdgh, cdgh_was);
	}
	t = _mm_shuffle_epi32(abef, 0x1b);
	hi = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((void *)h, _mm_blend_epi16(t, hi, 0xf0));
	_mm_storeu_si128((void *)(h + 4), _mm_alignr_epi8(hi, t, 8));
}

#else

bool sha256_has_ni(void)
{
	return false;
}

void sha256_blocks_ni(uint32_t h[8], const unsigned char *p, size_t n, const uint32_t k[64])
{
	(void)h, (void)p, (void)n, (void)k;
}

#endif
