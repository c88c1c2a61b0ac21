/* queue.h - how kernels are started, and the state of the device in use.
 *
 * Private to kernels/cuda.  Every kernel takes one parameter, a pointer to its arguments
 * in device memory, so that the arguments of many launches travel in one copy and a
 * recorded graph of launches runs again with others: other weights, positions, layouts.
 * Launches are held back and go together (queue_flush); between step(true) and
 * step(false) they become a CUDA graph, found again by the kernels, grids and sizes
 * in it.  What is held may take the next one along as one launch (join.h).  In order on one
 * stream; engine thread.
 *
 * Device code is written for two compilers: nvcc, and the host's against the
 * thread emulator of tests/emu.  So: no <<< >>>, no static or extern __shared__ (the
 * launch says the bytes, shared() is where they are), instructions that C++ does not have
 * only in ptx.h, cuBLAS only in blas.cu.  Everything else of a kernel is plain C++ on
 * threadIdx, blockIdx, blockDim, gridDim, __syncthreads(), __syncwarp(), __shfl_*_sync(),
 * atomicAdd on integers, and CUDA's math functions of float and double.
 * Float sums are in a fixed order: no float atomics.
 */
#ifndef BD_CUDA_QUEUE_H
#define BD_CUDA_QUEUE_H

#include <cuda_runtime.h>

#include <stddef.h>
#include <stdint.h>

extern "C" {
#include "kernels/backend.h"
}

/* What a launch needs besides its arguments. */
struct launch {
	const void *kernel; /* void (*)(const A *) */
	const char *name;   /* for the sentence when it fails */
	unsigned grid[3];
	unsigned block;  /* threads, a multiple of 32 */
	size_t shared;   /* bytes of dynamic shared memory */
};

/* Arguments lie 16-aligned in device memory, `extra` bytes (host array, copied now)
 * 16-aligned behind them: extra_of(a) in the kernel. */
void queue_put(const struct launch *l, const void *args, size_t size, const void *extra,
	size_t extra_bytes);
/* Bytes args and extra of one launch may take together; operations cut what is longer by rows. */
enum { QUEUE_ARGS = 64 << 10 };

/* All that was put is on its way. */
void queue_flush(void);
/* ... and has been carried out; false when the device failed (fault says how). */
bool queue_sync(void);
/* Around what goes to the stream by itself (cuBLAS, large copies): what was put before is on its way
 * first, and what is between counts as work ahead.  false: the device failed, do nothing (and call
 * no queue_after). */
bool queue_before(void);
void queue_after(void);
/* queue_put, queue_flush and queue_before wait for what went long ago, so that about a twentieth of
 * a second of work is ahead of the device, not more (a stop is answered).  A device that hangs is
 * waited for without end: there is no other answer that does not take a slow one for dead. */

#ifdef __CUDACC__
template <class A> static __device__ inline const void *extra_of(const A *a)
#else
template <class A> static inline const void *extra_of(const A *a)
#endif
{
	return (const char *)a + (sizeof(A) + 15) / 16 * 16;
}

/* launch(kernel, x, y, z, threads, shared, args [, extra, bytes]) */
template <class A>
static inline void launch_named(const char *name, void (*kernel)(const A *), unsigned x, unsigned y,
	unsigned z, unsigned block, size_t shared, const A &args, const void *extra = nullptr,
	size_t extra_bytes = 0)
{
	const struct launch l = { (const void *)kernel, name, { x, y, z }, block, shared };

	queue_put(&l, &args, sizeof args, extra, extra_bytes);
}
#define launch(kernel, ...) launch_named(#kernel, kernel, __VA_ARGS__)

/* ---- the device in use ---- */

struct device {
	int index;
	cudaDeviceProp prop;
	cudaStream_t stream;
	/* Scratch of an operation, WORKSPACE bytes of device memory; what one operation leaves
	 * there the next one may overwrite. */
	unsigned char *work;
	/* TICKETS counters, 0 between operations: who is the last block of a part.  Whoever takes
	 * the last ticket sets it back to 0. */
	unsigned *tickets;
	/* Page-locked host memory for results, PINNED bytes. */
	unsigned char *pinned;
};
enum { WORKSPACE = 256 << 20, TICKETS = 16384, PINNED = 1 << 20 };

/* The one in use, lost or not (device_well says); NULL before open. */
struct device *device_now(void);
/* Whether operations still do anything: false between a failure and its being told. */
bool device_well(void);
/* Remembers the first failure; true when code is cudaSuccess. */
bool device_ok(cudaError_t code, const char *what);
/* A failure that CUDA has no code of its own for (cuBLAS). */
void device_failed(const char *sentence);

/* Device to host, after a sync: 0xff bytes (NaN) when the device failed.  Any size. */
bool device_fetch(void *host, const void *src, size_t bytes);

#endif
