/* device.cu - the device in use: how it is opened, what fails there, and what that means.
 *
 * A failure is remembered until it is told.  Most codes of CUDA mean that one call was not
 * carried out; some mean that the context is broken and every later call fails until the process
 * ends (CUDA Runtime API, "cudaError": "This leaves the process in an inconsistent state").  The
 * first kind is listed here, all others count as the second: then no call of CUDA is made
 * any more, not even to give memory back.
 */
#include "kernels/cuda/device.h"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

static struct device dev;
static int opened = -1; /* read by any thread */
static bool lost;       /* read by any thread */
static bool failing;    /* not told yet */
static char sentence[sizeof(((struct err *)0)->msg)];
static uint64_t counts[COUNTS];
static __thread int current = -1; /* what cudaSetDevice was told on this thread */

const char *version_text(int version, char text[16])
{
	snprintf(text, 16, "%d.%d", version / 1000 % 1000, version % 1000 / 10);
	return text;
}

void count_add(enum count c, uint64_t n)
{
	__atomic_fetch_add(&counts[c], n, __ATOMIC_RELAXED);
}

uint64_t count_of(enum count c)
{
	return __atomic_load_n(&counts[c], __ATOMIC_RELAXED);
}

int device_index(void)
{
	return __atomic_load_n(&opened, __ATOMIC_ACQUIRE);
}

bool device_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_ACQUIRE);
}

bool device_enter(void)
{
	int index = device_index();

	if (index < 0 || device_lost())
		return false;
	if (current != index) {
		if (!device_ok(cudaSetDevice(index), "choosing the device"))
			return false;
		current = index;
	}
	return true;
}

/* Also when it is lost, which may be in the middle of an operation: what is reckoned with it then
 * goes nowhere. */
struct device *device_now(void)
{
	return device_index() < 0 ? NULL : &dev;
}

bool device_well(void)
{
	return !failing && device_enter();
}

/* ---- failures ---- */

/* Whether later calls may succeed. */
static bool passes(cudaError_t code)
{
	static const cudaError_t passing[] = { cudaErrorInvalidValue, cudaErrorMemoryAllocation,
		cudaErrorInvalidConfiguration, cudaErrorInvalidDeviceFunction,
		cudaErrorInvalidDevice, cudaErrorNoKernelImageForDevice,
		cudaErrorInvalidResourceHandle, cudaErrorNotReady, cudaErrorLaunchOutOfResources,
		cudaErrorNotPermitted, cudaErrorNotSupported, cudaErrorStreamCaptureUnsupported,
		cudaErrorStreamCaptureInvalidated, cudaErrorStreamCaptureImplicit };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (passing[i] == code)
			return true;
	return false;
}

bool device_ok(cudaError_t code, const char *what)
{
	bool last;

	if (code == cudaSuccess)
		return true;
	if (device_lost())
		return false;
	last = !passes(code);
	if (!failing || last)
		snprintf(sentence, sizeof sentence, "cuda:%d: %s: %s (%s)%s", opened, what,
			cudaGetErrorString(code), cudaGetErrorName(code),
			last ? "; the device is lost to this process: go on with the cpu, or start "
			       "bitdial again"
			     : "");
	failing = true;
	if (last)
		__atomic_store_n(&lost, true, __ATOMIC_RELEASE);
	else
		(void)cudaGetLastError();
	queue_drop();
	return false;
}

void device_failed(const char *why)
{
	if (failing || device_lost())
		return;
	snprintf(sentence, sizeof sentence, "cuda:%d: %s", opened, why);
	failing = true;
	queue_drop();
}

/* What was under way is waited for: segments of arguments are written again after this, and of a
 * product in parts some may have run and not the last, so counting begins from 0. */
static void settle(void)
{
	if (device_enter() && device_ok(cudaStreamSynchronize(dev.stream), "work on the device"))
		(void)device_ok(
			cudaMemsetAsync(dev.tickets, 0, TICKETS * sizeof *dev.tickets, dev.stream),
			"clearing counters");
}

enum st device_fault(struct err *e)
{
	if (!failing)
		return ST_OK;
	(void)err_set(e, ST_DEVICE, "%s", sentence);
	if (device_lost())
		return ST_DEVICE;
	failing = false;
	settle();
	if (device_lost())
		(void)err_set(e, ST_DEVICE, "%s", sentence);
	return ST_DEVICE;
}

/* ---- opening ---- */

enum st device_none(struct err *e, cudaError_t code)
{
	char has[16], wants[16];
	int driver = 0, runtime = 0;

	(void)cudaGetLastError();
	(void)cudaDriverGetVersion(&driver);
	(void)cudaRuntimeGetVersion(&runtime);
	if (code == cudaErrorInsufficientDriver && driver > 0)
		return err_set(e, ST_UNSUPPORTED,
			"the NVIDIA driver supports CUDA %s, bitdial's kernels want %s: update the "
			"driver",
			version_text(driver, has), version_text(runtime, wants));
	if (code == cudaErrorInsufficientDriver)
		return err_set(e, ST_UNSUPPORTED, "no NVIDIA driver is loaded");
	if (code == cudaSuccess || code == cudaErrorNoDevice)
		return err_set(e, ST_UNSUPPORTED, "the NVIDIA driver shows no device");
	return err_set(e, ST_UNSUPPORTED, "no CUDA device can be used: %s (%s)",
		cudaGetErrorString(code), cudaGetErrorName(code));
}

bool open_ok(cudaError_t code, const char *what, struct err *e)
{
	if (code == cudaSuccess)
		return true;
	(void)cudaGetLastError();
	if (code == cudaErrorMemoryAllocation)
		(void)err_set(e, ST_UNSUPPORTED,
			"%s has no room for %s: end other programs on it, or use another device",
			dev.prop.name, what);
	else if (code == cudaErrorNoKernelImageForDevice)
		(void)err_set(e, ST_UNSUPPORTED,
			"%s is of compute capability %d.%d, which bitdial's kernels were not built "
			"for",
			dev.prop.name, dev.prop.major, dev.prop.minor);
	else
		(void)err_set(e, ST_UNSUPPORTED, "%s cannot be used: %s: %s (%s)", dev.prop.name,
			what, cudaGetErrorString(code), cudaGetErrorName(code));
	return false;
}

/* ---- what kernels count on ---- */

struct probe_args {
	unsigned *wrong; /* set to 1, or to 0 */
};

/* A code, 1 ... 255. */
DEVICE uint32_t probe_code(uint32_t row, uint32_t k)
{
	return 1 + (37 * row + 11 * k) % 255;
}

/* Codes as halves' bits, times 1024 (n + 1) in column n: sums of which no digit may be lost. */
KERNEL void probe(const struct probe_args *a)
{
	uint32_t g = threadIdx.x / 4, t = threadIdx.x % 4, wrong = 0;
	uint32_t codes[4], x[2];
	float c[4] = { 0, 0, 0, 0 };

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t row = g + i % 2 * 8, k = 2 * t + i / 2 * 8;

		codes[i] = probe_code(row, k) | probe_code(row, k + 1) << 16;
	}
	x[0] = x[1] = half2_of(1024.0f * (float)(g + 1), 1024.0f * (float)(g + 1));
	mma_half(c, codes, x);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t sum = 0;

		for (uint32_t k = 0; k < 16; k++)
			sum += probe_code(g + i / 2 * 8, k);
		wrong |= c[i] != (float)(sum * (2 * t + i % 2 + 1)) * 0x1p-14f;
	}
	wrong = __any_sync(0xffffffffu, (int)wrong) != 0;
	if (threadIdx.x == 0)
		*a->wrong = wrong;
}

/* There is an image for this device, and it multiplies as gemv.cu has to have it. */
static bool probe_ok(struct err *e)
{
	const struct probe_args a = { dev.tickets };
	struct err told = { ST_OK, "" };
	unsigned wrong = 1;

	launch(probe, 1, 1, 1, 32, 0, a);
	if (device_fetch(&wrong, dev.tickets, sizeof wrong)) {
		if (!wrong)
			return true;
		(void)err_set(e, ST_UNSUPPORTED,
			"%s cannot be used: its tensor cores do not multiply the smallest halves, "
			"which codes are, as they are",
			dev.prop.name);
		return false;
	}
	(void)device_fault(&told);
	(void)err_set(e, ST_UNSUPPORTED, "%s cannot be used: %s", dev.prop.name, told.msg);
	return false;
}

static void device_close(void)
{
	if (dev.stream)
		(void)cudaStreamSynchronize(dev.stream);
	blas_close();
	memory_close();
	queue_close();
	if (dev.pinned)
		(void)cudaFreeHost(dev.pinned);
	if (dev.tickets)
		(void)cudaFree(dev.tickets);
	if (dev.work)
		(void)cudaFree(dev.work);
	if (dev.stream)
		(void)cudaStreamDestroy(dev.stream);
	(void)cudaGetLastError();
	memset(&dev, 0, sizeof dev);
	__atomic_store_n(&opened, -1, __ATOMIC_RELEASE);
}

static bool take_memory(struct err *e)
{
	return open_ok(cudaStreamCreateWithFlags(&dev.stream, cudaStreamNonBlocking), "a stream",
		       e) &&
	       open_ok(cudaMalloc((void **)&dev.work, WORKSPACE), "256 MiB of workspace", e) &&
	       open_ok(cudaMalloc((void **)&dev.tickets, TICKETS * sizeof *dev.tickets), "counters",
		       e) &&
	       open_ok(cudaMemsetAsync(dev.tickets, 0, TICKETS * sizeof *dev.tickets, dev.stream),
		       "counters", e) &&
	       open_ok(cudaMallocHost((void **)&dev.pinned, PINNED), "page-locked memory", e) &&
	       queue_open(e) && memory_open(e);
}

static bool open_all(int index, struct err *e)
{
	struct err told = { ST_OK, "" };

	snprintf(dev.prop.name, sizeof dev.prop.name, "cuda:%d", index); /* until it says its own */
	if (!open_ok(cudaSetDevice(index), "choosing it", e))
		return false;
	current = index;
	if (!open_ok(cudaGetDeviceProperties(&dev.prop, index), "its properties", e))
		return false;
	dev.index = index;
	if (dev.prop.major < 8) {
		(void)err_set(e, ST_UNSUPPORTED,
			"%s is of compute capability %d.%d, bitdial's kernels want 8.0 (Ampere) or "
			"later",
			dev.prop.name, dev.prop.major, dev.prop.minor);
		return false;
	}
	if (!take_memory(e))
		return false;
	__atomic_store_n(&opened, index, __ATOMIC_RELEASE);
	if (blas_open())
		return probe_ok(e);
	(void)device_fault(&told);
	(void)err_set(e, ST_UNSUPPORTED, "%s cannot be used: %s", dev.prop.name, told.msg);
	return false;
}

enum st device_open(int index, struct err *e)
{
	if (device_lost())
		return err_set(e, ST_UNSUPPORTED, "%s", sentence);
	if (device_index() == index)
		return ST_OK;
	if (device_enter()) {
		(void)queue_sync();
		if (device_lost())
			return err_set(e, ST_UNSUPPORTED, "%s", sentence);
		device_close();
	}
	failing = false;
	for (int c = 0; c < COUNTS; c++)
		if (c != COUNT_OURS)
			__atomic_store_n(&counts[c], 0, __ATOMIC_RELAXED);
	if (open_all(index, e))
		return ST_OK;
	if (!device_lost())
		device_close();
	return ST_UNSUPPORTED;
}
