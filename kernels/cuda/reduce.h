/* reduce.h - sums and maxima over a warp and over a block, in a fixed order.
 *
 * Private to kernels/cuda.  Every thread of the block calls; each gets the result, the
 * same bits in all of them (a butterfly of commutative steps, then warps in order).
 */
#ifndef BD_CUDA_REDUCE_H
#define BD_CUDA_REDUCE_H

#include "kernels/cuda/ptx.h"

/* Loops whose index chooses registers. */
#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL
#endif

#ifdef __CUDACC__
static __host__ __device__ inline size_t least(size_t a, size_t b)
#else
static inline size_t least(size_t a, size_t b)
#endif
{
	return a < b ? a : b;
}

DEVICE float2 floats2(float x, float y)
{
	return { x, y };
}

DEVICE float4 floats4(float x, float y, float z, float w)
{
	return { x, y, z, w };
}

/* 16 aligned bytes as floats; a pointer that is not aligned has no such view. */
DEVICE bool aligned(const void *p)
{
	return ((uintptr_t)p & 15) == 0;
}

DEVICE float4 load4(const float *p)
{
	return *(const float4 *)(const void *)p;
}

DEVICE void store4(float *p, float4 v)
{
	*(float4 *)(void *)p = v;
}

template <class T> DEVICE T warp_sum(T v)
{
	for (int k = 16; k; k /= 2)
		v += __shfl_xor_sync(~0u, v, k);
	return v;
}

DEVICE float warp_max(float v)
{
	for (int k = 16; k; k /= 2)
		v = fmaxf(v, __shfl_xor_sync(~0u, v, k));
	return v;
}

/* scratch: one T a warp, shared; it may be used again after the next barrier. */
template <class T> DEVICE T block_sum(T v, T *scratch)
{
	unsigned warps = blockDim.x / 32;

	v = warp_sum(v);
	if (warps == 1)
		return v;
	if (threadIdx.x % 32 == 0)
		scratch[threadIdx.x / 32] = v;
	__syncthreads();
	v = scratch[0];
	for (unsigned i = 1; i < warps; i++)
		v += scratch[i];
	return v;
}

#endif
