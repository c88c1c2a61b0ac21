/* leaf_plain.c - the leaf without vector instructions; its products are OpenBLAS's, which is as
 * good as the machine allows. */
#include "kernels/cpu/leaf.h"

#include <math.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/lanes_int8.h"

#include <cblas.h>

enum { MUL_WIDE = 96, MUL_DEEP = 256 };

KERNEL void mul(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const float *p,
	size_t ldp, size_t sliver, size_t k, size_t n, bool add)
{
	for (size_t j = 0; j < n; j += MUL_WIDE, p += sliver)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m,
			(blasint)(n - j < MUL_WIDE ? n - j : MUL_WIDE), (blasint)k, 1, x,
			(blasint)ldx, p, (blasint)ldp, add ? 1 : 0, y + j, (blasint)ldy);
}

/* the bodies, for these lanes */
#include "kernels/cpu/matmul.inc"
#include "kernels/cpu/vector.inc"
#include "kernels/cpu/attention.inc"
#include "kernels/cpu/back.inc"
#include "kernels/cpu/int8.inc"

const struct leaf leaf_plain = {
	.name = "ref",
	.mm = { MUL_WIDE, MUL_DEEP, mul, scaled, panel, few, group_sums, dots, rows, part },
	.v = { rmsnorm, angles, rope, swiglu, add, stats, kl, sq_diff, attention },
	.back = { rmsnorm_back, gain_back, swiglu_back, softmax_back, kl_back, attention_back },
	.i8 = { LANES_STRIP_MOST, round_strip, strip_product },
};
