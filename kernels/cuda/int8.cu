/* cuda: x as MATH_INT8 has it: act8.h's digits, as the floats they stand for.
 *
 * out = s * h + t * l.  The product with that in float is act8.h's but for the order of sums and
 * the rounding of out itself: s * h has up to 31 bits, so that out is within 2^-24 of its value,
 * where the integer route rounds s * D.  Both are within a float sum's error of the exact product
 * of the digits, some 1e-6 of the sum of |x| |W|.
 */
#include "kernels/act8.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

enum { THREADS = 256, ROWS = 65535 }; /* rows of a launch */

struct round_act8 {
	float *out;
	const float *x;
	size_t ldx, cols;
};

/* max of act8.h, NaN where one is not finite; v: a lane's value, 0 beyond the row. */
DEVICE float largest(float v)
{
	uint32_t most;
	float max;

	memcpy(&most, &v, sizeof most);
	most &= 0x7fffffffu;
	for (int by = 16; by; by /= 2) {
		uint32_t other = __shfl_xor_sync(0xffffffffu, most, by);

		most = other > most ? other : most;
	}
	most = most >= 0x7f800000u ? 0x7fc00000u : most;
	memcpy(&max, &most, sizeof max);
	return max < ACT_LEAST ? 0 : max;
}

/* One thread a column of a block, a warp a block at a time; a block of threads has a row. */
KERNEL void round_digits(const struct round_act8 *a)
{
	const float *x = a->x + blockIdx.x * a->ldx;
	float *out = a->out + blockIdx.x * a->cols;
	size_t blocks = (a->cols + ACT_BLOCK - 1) / ACT_BLOCK, lane = threadIdx.x % 32;
	double *least = (double *)shared();

	/* each block's s, for now in front of what will be written */
	for (size_t b = threadIdx.x / 32; b < blocks; b += THREADS / 32) {
		size_t c = b * ACT_BLOCK + lane;
		float max = largest(c < a->cols ? x[c] : 0);

		if (!lane)
			out[b] = max / ACT_DIGIT;
	}
	__syncthreads();
	if (!threadIdx.x) {
		double sum = 0;

		for (size_t b = 0; b < blocks; b++)
			sum += (double)out[b] * (double)out[b];
		*least = ACT_FINE * sum / (double)blocks;
	}
	__syncthreads();
	for (size_t b = threadIdx.x / 32; b < blocks; b += THREADS / 32) {
		size_t c = b * ACT_BLOCK + lane;
		float v = c < a->cols ? x[c] : 0, max = largest(v), inv = ACT_DIGIT / max;
		float s = max / ACT_DIGIT, h = rintf(v * inv), y = s * h;

		if (!(max > 0))
			y = max; /* 0 or NaN */
		else if ((double)s * (double)s > *least)
			y = fmaf(s / ACT_SECOND, rintf(fmaf(v, inv, -h) * ACT_SECOND), y);
		if (c < a->cols)
			out[c] = y;
	}
}

void cuda_round_act8(float *out, const float *x, size_t ldx, size_t m, size_t cols)
{
	struct round_act8 a = { nullptr, nullptr, ldx, cols };

	for (size_t i = 0, n; cols && i < m; i += n) {
		n = m - i < ROWS ? m - i : (size_t)ROWS;
		a.out = out + i * cols;
		a.x = x + i * ldx;
		launch(round_digits, (unsigned)n, 1, 1, THREADS, sizeof(double), a);
	}
}
