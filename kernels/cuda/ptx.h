/* ptx.h - instructions that C++ has no word for, and what they do in C.
 *
 * Private to kernels/cuda.  The only file with inline assembly.  The other version is for
 * the host compiler, against the thread emulator of tests/emu: the same result by the
 * book (PTX ISA 9.0: "mma", "cp.async", "ld").  Half and bfloat16 numbers are their bits.
 */
#ifndef BD_CUDA_PTX_H
#define BD_CUDA_PTX_H

#include <stdint.h>
#include <string.h>

#include <cuda_runtime.h>

#ifdef __CUDACC__
#define DEVICE static __device__ __forceinline__
#define KERNEL static __global__
#else
#define DEVICE static inline
#define KERNEL static
#endif

/* The dynamic shared memory of the block, 128-aligned. */
#ifdef __CUDACC__
DEVICE unsigned char *shared(void)
{
	extern __shared__ __align__(128) unsigned char bd_shared[];

	return bd_shared;
}
#else
unsigned char *shared(void); /* the emulator's */
#endif

/* ---- numbers ---- */

/* To nearest even; halves overflow to infinity. */
DEVICE uint16_t half_of(float x);
DEVICE float float_of_half(uint16_t h);
DEVICE uint16_t bf16_of(float x); /* NaN stays NaN */
DEVICE float float_of_bf16(uint16_t b)
{
	uint32_t u = (uint32_t)b << 16;
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}
/* Two to a word, lo in the low half. */
DEVICE uint32_t half2_of(float lo, float hi);
DEVICE uint32_t bf162_of(float lo, float hi);

/* ---- memory ---- */

struct quad {
	uint32_t x, y, z, w;
};

/* 16 aligned bytes of global memory that are read once: past L1, first to leave L2. */
DEVICE struct quad load_stream(const void *p);
/* 16 aligned bytes of global memory that all blocks read. */
DEVICE struct quad load_shared_by_all(const void *p);
/* 16 aligned bytes from global to shared memory behind the thread's back; where !valid zeros.
 * copy_commit closes a batch, copy_wait<n> waits until at most n of the thread's batches are
 * under way; other threads see them after a barrier. */
DEVICE void copy_async(void *to_shared, const void *from, bool valid);
DEVICE void copy_commit(void);
template <int N> DEVICE void copy_wait(void);

/* ---- tensor cores; all 32 lanes of the warp, g = lane / 4, t = lane % 4 ---- */

/* c[16][8] += a[16][16] * b[16][8], float sums.
 * a: a[0] = rows g, columns 2t, 2t+1; a[1] = row g+8, the same; a[2] = row g, columns 2t+8,
 * 2t+9; a[3] = row g+8, the same.  b: b[0] = rows 2t, 2t+1 of column g; b[1] = rows 2t+8,
 * 2t+9.  c: c[0], c[1] = row g, columns 2t, 2t+1; c[2], c[3] = row g+8.
 * Subnormal halves count (Fasi et al., Numerical behavior of NVIDIA tensor cores, 2021); where they
 * do not, device_open refuses the device. */
DEVICE void mma_half(float c[4], const uint32_t a[4], const uint32_t b[2]);
DEVICE void mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2]);
/* Four 8x8 matrices of 16-bit elements from shared memory: lane i gives the address of row i % 8
 * of matrix i / 8; r[k] gets row g, columns 2t, 2t+1 of matrix k (turned: of its transpose). */
DEVICE void load_matrix(uint32_t r[4], const void *row);
DEVICE void load_matrix_turned(uint32_t r[4], const void *row);

#ifdef __CUDACC__
#include "kernels/cuda/ptx_device.inc"
#else
#include "kernels/cuda/ptx_host.inc"
#endif

#endif
