/* norm.cu - root mean square norms, gates and sums: one float in, one out, so that what
 * counts is 16-byte loads and enough blocks.
 *
 * A norm is one block a row: the row comes twice, the second time from L1.  Sums of
 * squares are float, a few dozen terms a thread, then a tree.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

/* ---- rmsnorm ---- */

struct rmsnorm {
	float *y;
	const float *x, *gain;
	size_t n;
	float eps;
};

DEVICE float squares4(float4 v)
{
	return (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
}

DEVICE float4 normed4(float4 v, float4 gain, float inv)
{
	return floats4(
		v.x * inv * gain.x, v.y * inv * gain.y, v.z * inv * gain.z, v.w * inv * gain.w);
}

KERNEL void rmsnorm_rows(const struct rmsnorm *a)
{
	size_t n = a->n, at = blockIdx.x * n;
	const float *x = a->x + at;
	float *y = a->y + at, sum = 0, inv;
	bool wide = n % 4 == 0 && aligned(a->x) && aligned(a->y) && aligned(a->gain);

	if (wide)
		for (size_t i = threadIdx.x; i < n / 4; i += blockDim.x)
			sum += squares4(load4(x + 4 * i));
	else
		for (size_t i = threadIdx.x; i < n; i += blockDim.x)
			sum += x[i] * x[i];
	sum = block_sum(sum, (float *)(void *)shared());
	inv = (float)(1 / sqrt((double)sum / (double)n + (double)a->eps));
	if (wide)
		for (size_t i = threadIdx.x; i < n / 4; i += blockDim.x)
			store4(y + 4 * i, normed4(load4(x + 4 * i), load4(a->gain + 4 * i), inv));
	else
		for (size_t i = threadIdx.x; i < n; i += blockDim.x)
			y[i] = x[i] * inv * a->gain[i];
}

void cuda_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	enum { MOST = 512, ROWS = 1 << 30 };
	unsigned threads = 32;

	/* eight values a thread, where the row has them */
	while (threads < MOST && threads * 8 < n)
		threads *= 2;
	for (size_t r = 0; n && r < m; r += ROWS) {
		const struct rmsnorm a = { y + r * n, x + r * n, gain, n, eps };

		launch(rmsnorm_rows, (unsigned)least(m - r, ROWS), 1, 1, threads,
			threads / 32 * sizeof(float), a);
	}
}

/* ---- swiglu and add ---- */

enum { THREADS = 256, BLOCKS = 2048 };

struct pairs {
	float *y;
	const float *a, *b;
	size_t count;
};

DEVICE float gated(float g, float u)
{
	return g / (1 + expf(-g)) * u;
}

DEVICE float added(float a, float b)
{
	return a + b;
}

/* y = f(a, b) of each */
template <float F(float, float)> DEVICE void each_pair(const struct pairs *p)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x, first = i;
	size_t step = (size_t)gridDim.x * blockDim.x, quads = 0;

	if (aligned(p->y) && aligned(p->a) && aligned(p->b))
		quads = p->count / 4;
	for (; i < quads; i += step) {
		float4 a = load4(p->a + 4 * i), b = load4(p->b + 4 * i);

		store4(p->y + 4 * i, floats4(F(a.x, b.x), F(a.y, b.y), F(a.z, b.z), F(a.w, b.w)));
	}
	for (i = 4 * quads + first; i < p->count; i += step)
		p->y[i] = F(p->a[i], p->b[i]);
}

KERNEL void swiglu_pairs(const struct pairs *p)
{
	each_pair<gated>(p);
}

KERNEL void add_pairs(const struct pairs *p)
{
	each_pair<added>(p);
}

static unsigned blocks_for(size_t count)
{
	return (unsigned)least((count + 4 * THREADS - 1) / (4 * THREADS), BLOCKS);
}

void cuda_swiglu(float *y, const float *gate, const float *up, size_t count)
{
	const struct pairs p = { y, gate, up, count };

	if (count)
		launch(swiglu_pairs, blocks_for(count), 1, 1, THREADS, 0, p);
}

void cuda_add(float *y, const float *x, size_t count)
{
	const struct pairs p = { y, y, x, count };

	if (count)
		launch(add_pairs, blocks_for(count), 1, 1, THREADS, 0, p);
}
