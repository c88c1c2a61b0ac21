/* leaf_avx2.c - the leaf for AVX2. */
#include "kernels/cpu/leaf.h"

#include <math.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/lanes_int8.h"

#include "kernels/cpu/mul.inc"

/* the bodies, for these lanes */
#include "kernels/cpu/matmul.inc"
#include "kernels/cpu/vector.inc"
#include "kernels/cpu/attention.inc"
#include "kernels/cpu/back.inc"
#include "kernels/cpu/int8.inc"

const struct leaf leaf_avx2 = {
	.name = "avx2",
	.mm = { MUL_WIDE, MUL_DEEP, mul, scaled, panel, few, group_sums, dots, rows, part },
	.v = { rmsnorm, angles, rope, swiglu, add, stats, kl, sq_diff, attention },
	.back = { rmsnorm_back, gain_back, swiglu_back, softmax_back, kl_back, attention_back },
	.i8 = { LANES_STRIP_MOST, round_strip, strip_product },
};
