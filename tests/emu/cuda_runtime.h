/* cuda_runtime.h - as much of CUDA's as kernels/cuda uses, for a device that is emulated.
 *
 * The real header's place is taken by -Itests/emu: the .cu files of kernels/cuda compile as
 * C++17 with the host's compiler and run on one thread of the host.  The threads of a block are
 * fibers (threads.cc), device memory is an arena that the host cannot touch (memory.cc),
 * streams carry out nothing before they are waited for (stream.cc), and calls fail when
 * they are told to (runtime.cc).  Meaning, names and numbers are CUDA's (CUDA C++
 * Programming Guide, CUDA Runtime API, 13.0).
 *
 * A kernel takes one pointer.  The dynamic shared memory is shared() of ptx.h.  Blocks run
 * one after another and a thread runs until it meets a barrier: code that spins on what
 * another thread will write never ends.
 *
 * Environment, read at the first call:
 *	EMU_ORDER=forward|reverse|SEED  in which order blocks and threads run
 *	EMU_MEMORY=BYTES  there is (2 GiB)
 *	EMU_FENCE=0|pages  host access to device memory is not caught / is caught by mprotect
 *		(else by protection keys where the processor has them)
 *	EMU_CHECK=1  what surrounds allocations is looked at after each launch, not when freed
 *	EMU_DEVICES=N  devices (1); EMU_DRIVER=VERSION of the driver (13000); EMU_SMS=N (8)
 *	EMU_FLUSH=1  tensor cores take subnormal halves for 0
 *	EMU_FAIL=N:CODE[:sticky]  the Nth call fails, see emu_fail; N:hang:SECONDS
 */
#ifndef BD_EMU_CUDA_RUNTIME_H
#define BD_EMU_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#ifndef __restrict__
#define __restrict__ __restrict
#endif
#define __align__(n) __attribute__((aligned(n)))

/* ---- threads ---- */

struct uint3 {
	unsigned x, y, z;
};

struct dim3 {
	unsigned x, y, z;

	constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

struct float2 {
	float x, y;
};
struct alignas(16) float4 {
	float x, y, z, w;
};
struct alignas(16) uint4 {
	unsigned x, y, z, w;
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

extern const bool emu_flushes; /* EMU_FLUSH */

/* The thread that runs: its number in the block. */
extern unsigned emu_thread;

/* Waits until every thread of the block is in the same call of the same line. */
void emu_barrier(const char *file, int line);
/* Waits until the lanes of mask are in the same call, each with its part; the last one calls
 * done(parts by lane, mask), which may read and write all of them. */
typedef void emu_done(void *const part[32], unsigned mask);
void emu_meet(unsigned mask, emu_done *done, void *part, const char *file, int line);
/* One sentence about the thread that runs, and abort. */
[[noreturn]] void emu_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define EMU_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(EMU_HERE)
{
	emu_barrier(file, line);
}

static inline void emu_nothing(void *const[32], unsigned) {}

static inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_HERE)
{
	emu_meet(mask, emu_nothing, nullptr, file, line);
}

#include "cuda_warp.h"

static inline void __threadfence(void) {}

template <class T> static inline T __ldg(const T *p)
{
	return *p;
}

/* Integers only: float sums are in a fixed order. */
template <class T> static inline T emu_exchange(T *p, T v)
{
	const T old = *p;

	static_assert((T)0.5f == 0, "integers only");
	*p = v;
	return old;
}
static inline int atomicAdd(int *p, int v)
{
	return emu_exchange(p, (int)((unsigned)*p + (unsigned)v));
}
static inline unsigned atomicAdd(unsigned *p, unsigned v)
{
	return emu_exchange(p, *p + v);
}
static inline unsigned long long atomicAdd(unsigned long long *p, unsigned long long v)
{
	return emu_exchange(p, *p + v);
}
static inline unsigned atomicInc(unsigned *p, unsigned last)
{
	return emu_exchange(p, *p >= last ? 0 : *p + 1);
}
static inline int atomicExch(int *p, int v)
{
	return emu_exchange(p, v);
}
static inline unsigned atomicExch(unsigned *p, unsigned v)
{
	return emu_exchange(p, v);
}
static inline int atomicMax(int *p, int v)
{
	return emu_exchange(p, *p > v ? *p : v);
}
static inline unsigned atomicMax(unsigned *p, unsigned v)
{
	return emu_exchange(p, *p > v ? *p : v);
}
static inline int atomicMin(int *p, int v)
{
	return emu_exchange(p, *p < v ? *p : v);
}
static inline unsigned atomicMin(unsigned *p, unsigned v)
{
	return emu_exchange(p, *p < v ? *p : v);
}

/* ---- numbers ---- */

static inline int __popc(unsigned v)
{
	return __builtin_popcount(v);
}
static inline int __clz(int v)
{
	return v ? __builtin_clz((unsigned)v) : 32;
}
static inline int __ffs(int v)
{
	return __builtin_ffs(v);
}
static inline float __uint_as_float(unsigned v)
{
	float f;

	memcpy(&f, &v, sizeof f);
	return f;
}
static inline float __int_as_float(int v)
{
	return __uint_as_float((unsigned)v);
}
static inline unsigned __float_as_uint(float f)
{
	unsigned v;

	memcpy(&v, &f, sizeof v);
	return v;
}
static inline int __float_as_int(float f)
{
	return (int)__float_as_uint(f);
}
/* To nearest even; what does not fit becomes the nearest that does, NaN 0. */
static inline int __float2int_rn(float f)
{
	return f != f ? 0 : (int)rint(fmin(fmax((double)f, INT32_MIN), INT32_MAX));
}
static inline float __fadd_rn(float a, float b)
{
	return a + b;
}
static inline float __fmul_rn(float a, float b)
{
	return a * b;
}
static inline float __fdiv_rn(float a, float b)
{
	return a / b;
}
static inline float __fmaf_rn(float a, float b, float c)
{
	return fmaf(a, b, c);
}
static inline float __frcp_rn(float v)
{
	return 1 / v;
}
static inline float __fsqrt_rn(float v)
{
	return sqrtf(v);
}
static inline float rsqrtf(float v)
{
	return 1 / sqrtf(v);
}
static inline double rsqrt(double v)
{
	return 1 / sqrt(v);
}
/* The C library has functions of these names to itself. */
#define __expf expf
#define __logf logf

#define EMU_LESS(A, B, T)                         \
	static inline T min(A a, B b)             \
	{                                         \
		return (T)a < (T)b ? (T)a : (T)b; \
	}                                         \
	static inline T max(A a, B b)             \
	{                                         \
		return (T)a > (T)b ? (T)a : (T)b; \
	}
EMU_LESS(int, int, int)
EMU_LESS(unsigned, unsigned, unsigned)
EMU_LESS(int, unsigned, unsigned)
EMU_LESS(unsigned, int, unsigned)
EMU_LESS(long, long, long)
EMU_LESS(unsigned long, unsigned long, unsigned long)
EMU_LESS(long long, long long, long long)
EMU_LESS(unsigned long long, unsigned long long, unsigned long long)
#undef EMU_LESS
/* As fminf and fmaxf: a NaN loses. */
static inline float min(float a, float b)
{
	return fminf(a, b);
}
static inline float max(float a, float b)
{
	return fmaxf(a, b);
}
static inline double min(double a, double b)
{
	return fmin(a, b);
}
static inline double max(double a, double b)
{
	return fmax(a, b);
}

/* ---- what ptx_host.inc is made of ---- */

/* Says what is wrong when [p, p + bytes) is not device memory (page-locked memory of the host
 * counts) / shared memory of the block. */
void emu_global(const void *p, size_t bytes, const char *what);
void emu_shared(const void *p, size_t bytes, const char *what);
/* cp.async: 16 bytes under way, NULL: zeros; the thread's batch is closed; all but the last n
 * batches land. */
void emu_copy(void *to, const void *from);
void emu_copy_commit(void);
void emu_copy_wait(int n);

/* ---- the runtime ---- */

/* clang-format off */
#define EMU_ERRORS(X) \
	X(0, cudaSuccess, "no error") \
	X(1, cudaErrorInvalidValue, "invalid argument") \
	X(2, cudaErrorMemoryAllocation, "out of memory") \
	X(3, cudaErrorInitializationError, "initialization error") \
	X(4, cudaErrorCudartUnloading, "driver shutting down") \
	X(9, cudaErrorInvalidConfiguration, "invalid configuration argument") \
	X(35, cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version") \
	X(46, cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable") \
	X(98, cudaErrorInvalidDeviceFunction, "invalid device function") \
	X(100, cudaErrorNoDevice, "no CUDA-capable device is detected") \
	X(101, cudaErrorInvalidDevice, "invalid device ordinal") \
	X(209, cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device") \
	X(214, cudaErrorECCUncorrectable, "uncorrectable ECC error encountered") \
	X(220, cudaErrorNvlinkUncorrectable, "uncorrectable NVLink error detected during the execution") \
	X(304, cudaErrorOperatingSystem, "OS call failed or operation not supported on this OS") \
	X(400, cudaErrorInvalidResourceHandle, "invalid resource handle") \
	X(401, cudaErrorIllegalState, "the operation cannot be performed in the present state") \
	X(600, cudaErrorNotReady, "device not ready") \
	X(700, cudaErrorIllegalAddress, "an illegal memory access was encountered") \
	X(701, cudaErrorLaunchOutOfResources, "too many resources requested for launch") \
	X(702, cudaErrorLaunchTimeout, "the launch timed out and was terminated") \
	X(714, cudaErrorHardwareStackError, "hardware stack error") \
	X(715, cudaErrorIllegalInstruction, "an illegal instruction was encountered") \
	X(716, cudaErrorMisalignedAddress, "misaligned address") \
	X(719, cudaErrorLaunchFailure, "unspecified launch failure") \
	X(800, cudaErrorNotPermitted, "operation not permitted") \
	X(801, cudaErrorNotSupported, "operation not supported") \
	X(802, cudaErrorSystemNotReady, "system not yet initialized") \
	X(803, cudaErrorSystemDriverMismatch, "system has unsupported display driver / cuda driver combination") \
	X(900, cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing") \
	X(901, cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture") \
	X(906, cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream") \
	X(999, cudaErrorUnknown, "unknown error")

enum cudaError : int { /* of a type, so that one of a later CUDA may be in it */
#define X(number, name, text) name = number,
	EMU_ERRORS(X)
#undef X
};
/* clang-format on */
typedef enum cudaError cudaError_t;

enum cudaMemcpyKind {
	cudaMemcpyHostToHost,
	cudaMemcpyHostToDevice,
	cudaMemcpyDeviceToHost,
	cudaMemcpyDeviceToDevice,
	cudaMemcpyDefault
};
enum cudaFuncAttribute {
	cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
	cudaFuncAttributePreferredSharedMemoryCarveout = 9
};
enum cudaStreamCaptureMode {
	cudaStreamCaptureModeGlobal,
	cudaStreamCaptureModeThreadLocal,
	cudaStreamCaptureModeRelaxed
};
#define cudaStreamDefault      0
#define cudaStreamNonBlocking  1
#define cudaEventDefault       0
#define cudaEventBlockingSync  1
#define cudaEventDisableTiming 2

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

struct cudaDeviceProp {
	char name[256];
	size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin,
		sharedMemPerMultiprocessor;
	int regsPerBlock, warpSize, maxThreadsPerBlock, maxThreadsPerMultiProcessor;
	int major, minor, multiProcessorCount, l2CacheSize, persistingL2CacheMaxSize;
	int pciBusID, pciDeviceID, pciDomainID, integrated, ECCEnabled;
};

struct cudaFuncAttributes {
	size_t sharedSizeBytes, constSizeBytes, localSizeBytes;
	int maxThreadsPerBlock, numRegs, maxDynamicSharedSizeBytes;
};

extern "C" {
const char *cudaGetErrorName(cudaError_t e);
const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);

cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device);
cudaError_t cudaDeviceSynchronize(void);

cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
	cudaStream_t s = nullptr);
cudaError_t cudaMemset(void *dst, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t s = nullptr);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaStreamQuery(cudaStream_t s);
cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x);
cudaError_t cudaGraphDestroy(cudaGraph_t g);

cudaError_t cudaEventCreate(cudaEvent_t *e);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s = nullptr);
cudaError_t cudaEventQuery(cudaEvent_t e);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaEventDestroy(cudaEvent_t e);

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute a, int value);
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *kernel);
cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **args, size_t shared,
	cudaStream_t s = nullptr);

/* The nth call from now on (1: the next; of the runtime or of cuBLAS, those that only name
 * errors not counted) fails with `code`; what a launch would only tell later is told by the
 * next synchronisation.  sticky: so does every one after it.  0 ends it. */
void emu_fail(long n, int code, bool sticky);
/* The nth call from now on is the last thing the device does for so long. */
void emu_hang(long n, double seconds);
/* Calls so far. */
long emu_calls(void);
}

#endif
