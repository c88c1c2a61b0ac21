/* norm.cu - root mean square norms, gates and sums: one float in, one out, so that what
 * counts is 16-byte loads and enough blocks.
 *
 * A norm is one block a row: the row comes twice, the second time from L1; a sum that it is the
 * norm of is made on the way.  Sums of squares are float, a few dozen terms a thread, then a tree.
 */
#include "kernels/cuda/join.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

/* ---- rmsnorm ---- */

struct rmsnorm {
	float *y, *x;
	const float *gain;
	const float *plus; /* added to x first, 16-aligned; NULL: nothing */
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

/* x, with plus added and left there where there is one.  The thread that reads x again, and writes
 * y, is the same, so that y may be either of them. */
DEVICE float taken(float *x, const float *plus)
{
	return plus ? *x += *plus : *x;
}

DEVICE float4 taken4(float *x, const float *plus)
{
	float4 v = load4(x), p;

	if (!plus)
		return v;
	p = load4(plus);
	v = floats4(v.x + p.x, v.y + p.y, v.z + p.z, v.w + p.w);
	store4(x, v);
	return v;
}

KERNEL void rmsnorm_rows(const struct rmsnorm *a)
{
	size_t n = a->n, at = blockIdx.x * n;
	float *x = a->x + at, *y = a->y + at, sum = 0, inv;
	const float *gain = a->gain, *plus = a->plus ? a->plus + at : NULL;
	bool wide = n % 4 == 0 && aligned(a->x) && aligned(a->y) && aligned(gain);

	if (wide)
		for (size_t i = threadIdx.x; i < n / 4; i += blockDim.x)
			sum += squares4(taken4(x + 4 * i, plus ? plus + 4 * i : NULL));
	else
		for (size_t i = threadIdx.x; i < n; i += blockDim.x) {
			float v = taken(x + i, plus ? plus + i : NULL);

			sum += v * v;
		}
	sum = block_sum(sum, (float *)(void *)shared());
	inv = (float)(1 / sqrt((double)sum / (double)n + (double)a->eps));
	if (wide)
		for (size_t i = threadIdx.x; i < n / 4; i += blockDim.x)
			store4(y + 4 * i, normed4(load4(x + 4 * i), load4(gain + 4 * i), inv));
	else
		for (size_t i = threadIdx.x; i < n; i += blockDim.x)
			y[i] = x[i] * inv * gain[i];
}

void cuda_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	enum { MOST = 512, ROWS = 1 << 30 };
	unsigned threads = 32;

	/* eight values a thread, where the row has them */
	while (threads < MOST && threads * 8 < n)
		threads *= 2;
	for (size_t r = 0; n && r < m; r += ROWS) {
		const struct rmsnorm a = { y + r * n, (float *)(uintptr_t)x + r * n, gain, NULL, n,
			eps };

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

/* ---- add, then the norm of what it left ---- */

/* The same memory to the byte, or none in common: then a thread of the norm meets its own only. */
static bool same_or_apart(struct range a, struct range b)
{
	return a.at == b.at || ranges_apart(a, b);
}

bool norm_joins(struct put *first, const struct put *second)
{
	static struct rmsnorm both; /* engine thread */
	const struct pairs *p = (const struct pairs *)first->args;
	struct range x, y, plus, gain;

	if (first->l.kernel != (const void *)add_pairs ||
		second->l.kernel != (const void *)rmsnorm_rows)
		return false;
	both = *(const struct rmsnorm *)second->args;
	if (p->y != both.x || p->count != second->l.grid[0] * both.n || (uintptr_t)p->b % 16)
		return false;
	x = { both.x, p->count * sizeof *both.x };
	y = { both.y, x.bytes };
	plus = { p->b, x.bytes };
	gain = { both.gain, both.n * sizeof *both.gain };
	if (!same_or_apart(x, y) || !same_or_apart(x, plus) || !same_or_apart(y, plus) ||
		!ranges_apart(gain, x) || !ranges_apart(gain, y))
		return false;
	both.plus = p->b;
	*first = *second;
	first->args = &both;
	return true;
}
