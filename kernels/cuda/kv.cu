/* kv.cu - keys and values rounded to int8 for the cache, to the bit as ref does it: a warp
 * a head of a row, and no operation that could be taken together with another.
 */
#include "kernels/cuda/join.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum { WARPS = 4 };

struct round_kv {
	int8_t *q;
	float *scale;
	const float *x;
	size_t count, dim; /* rows * heads */
	unsigned blocks;
};

DEVICE uint32_t byte_of(float x)
{
	return (uint32_t)(uint8_t)(int8_t)lrintf(x);
}

KERNEL void round_kv_heads(const struct jobs<struct round_kv> *all)
{
	unsigned block;
	const struct round_kv *a = job_of(all, &block);
	size_t dim = a->dim, i = (size_t)block * WARPS + threadIdx.x / 32;
	unsigned lane = threadIdx.x % 32;
	bool wide = dim % 4 == 0 && aligned(a->x) && ((uintptr_t)a->q & 3) == 0;
	const float *x = a->x + i * dim;
	float most = 0, inv;

	if (i >= a->count)
		return;
	for (size_t d = lane; d < dim; d += 32)
		most = fmaxf(most, fabsf(x[d]));
	most = warp_max(most);
	if (lane == 0)
		a->scale[i] = most / 127;
	/* below it the quotient would not be finite */
	inv = most < 1e-36f ? 0 : 127 / most;
	if (wide) {
		uint32_t *q = (uint32_t *)(void *)(a->q + i * dim);

		for (size_t d = lane; d < dim / 4; d += 32) {
			float4 v = load4(x + 4 * d);

			q[d] = byte_of(v.x * inv) | byte_of(v.y * inv) << 8 |
			       byte_of(v.z * inv) << 16 | byte_of(v.w * inv) << 24;
		}
	} else {
		for (size_t d = lane; d < dim; d += 32)
			a->q[i * dim + d] = (int8_t)byte_of(x[d] * inv);
	}
}

void cuda_round_kv(int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim)
{
	size_t count = rows * heads;
	const struct round_kv a = { q, scale, x, count, dim,
		(unsigned)((count + WARPS - 1) / WARPS) };

	if (count)
		job_put("round_kv", round_kv_heads, WARPS * 32, a);
}

static struct touched touches(const struct round_kv *a)
{
	size_t values = a->count * a->dim;

	return { { { a->q, values }, { a->scale, a->count * sizeof *a->scale } },
		{ a->x, values * sizeof *a->x } };
}

bool rounds_join(struct put *first, const struct put *second)
{
	return jobs_join(first, second, round_kv_heads, touches);
}
