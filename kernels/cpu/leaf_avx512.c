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
#include "kernels/cpu/pairs.inc"

const struct leaf leaf_avx512 = {
	.name = "avx512",
	.mm = { mul, panel, few, group_sums, dots, rows },
	.v = { rmsnorm, angles, rope, swiglu, add, stats, kl, sq_diff, attention },
	.pair = { pair_tables, pair_few },
};
