/* leaf_avx512.c - the leaf for AVX512. */
#include "kernels/cpu/leaf.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/lanes.h"

#include "kernels/cpu/mul.inc"

/* the bodies, for these lanes */
#include "kernels/cpu/matmul.inc"
#include "kernels/cpu/vector.inc"
#include "kernels/cpu/attention.inc"
#include "kernels/cpu/back.inc"
#include "kernels/cpu/pairs.inc"

/* An instruction of each extension, of values that the compiler cannot know. */
static bool probe(void)
{
	volatile float three = 3;
	vf x = vf_set(three), sum = vf_fma(x, x, x), y[16];
	__m512i bytes = _mm512_abs_epi8(_mm512_set1_epi8((char)-three));
	__m256i low = _mm256_ror_epi32(_mm512_castsi512_si256(bytes), 8);

	for (int i = 0; i < 16; i++)
		y[i] = _mm512_mul_ps(x, _mm512_set1_ps((float)i));
	lane_transpose(y);
	return vf_sum(_mm512_and_ps(sum, sum)) == 16 * 12 && vf_sum(y[5]) == 3 * 120 &&
	       _mm256_extract_epi32(low, 5) == 0x03030303;
}

const struct leaf leaf_avx512 = {
	.name = "avx512",
	.probe = probe,
	.mm = { MUL_WIDE, MUL_DEEP, mul, scaled, panel, few, group_sums, dots, rows, part },
	.v = { rmsnorm, angles, rope, swiglu, add, stats, kl, sq_diff, attention },
	.back = { rmsnorm_back, gain_back, swiglu_back, softmax_back, kl_back, attention_back },
	.pair = { pair_tables, pair_few },
};
