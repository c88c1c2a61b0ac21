/* runtime.cc - the device, its errors, and those that are asked for. */
#include "emu.h"

#include <atomic>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNTIME = 13000 };

std::recursive_mutex emu_mutex;

static thread_local cudaError_t last;
static thread_local int current;

void emu_die(const char *fmt, ...)
{
	va_list ap;

	fputs("emulator: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

long emu_env(const char *name, long other)
{
	const char *s = getenv(name);

	return s && *s ? strtol(s, nullptr, 10) : other;
}

const bool emu_flushes = emu_env("EMU_FLUSH", 0);

/* ---- errors that are asked for ---- */

static std::atomic<long> calls;
static struct {
	long at; /* the number of the call, 0: none */
	cudaError_t code;
	bool sticky, on;
	double hang;  /* seconds, of the call at `at` */
	double until; /* monotonic time; 0: not begun */
	bool hangs;
	cudaError_t device; /* to be told by the next that waits */
} fault;

static double clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

extern "C" __attribute__((visibility("default"))) void emu_fail(long n, int code, bool sticky)
{
	const emu_lock l;

	fault = {};
	fault.at = n ? calls + n : 0;
	fault.code = (cudaError_t)code;
	fault.sticky = sticky;
}

extern "C" __attribute__((visibility("default"))) void emu_hang(long n, double seconds)
{
	const emu_lock l;

	fault = {};
	fault.at = n ? calls + n : 0;
	fault.hang = seconds;
}

extern "C" __attribute__((visibility("default"))) long emu_calls(void)
{
	return calls;
}

/* EMU_FAIL=N:CODE[:sticky] or N:hang:SECONDS */
static void read_fail(void)
{
	const char *s = getenv("EMU_FAIL");
	char *end;
	long n;

	if (!s || !*s)
		return;
	n = strtol(s, &end, 10);
	if (*end != ':')
		emu_die("EMU_FAIL=%s: N:CODE[:sticky] or N:hang:SECONDS is wanted", s);
	if (!strncmp(end, ":hang:", 6)) {
		emu_hang(n, strtod(end + 6, nullptr));
		return;
	}
	s = end + 1;
	emu_fail(n, (int)strtol(s, &end, 10), !strcmp(end, ":sticky"));
}

/* Errors of work that runs, not of the call that asks for it. */
static bool comes_later(cudaError_t e)
{
	switch ((int)e) {
	case cudaErrorECCUncorrectable:
	case cudaErrorNvlinkUncorrectable:
	case cudaErrorIllegalAddress:
	case cudaErrorLaunchTimeout:
	case cudaErrorHardwareStackError:
	case cudaErrorIllegalInstruction:
	case cudaErrorMisalignedAddress:
	case cudaErrorLaunchFailure:
		return true;
	}
	return false;
}

cudaError_t emu_call(bool later)
{
	const emu_lock l;
	static bool begun;
	long n;

	if (!begun) {
		begun = true;
		read_fail();
	}
	n = ++calls;
	if (fault.on)
		return fault.code;
	if (!fault.at || n != fault.at)
		return cudaSuccess;
	if (fault.hang > 0) {
		fault.hangs = true;
		return cudaSuccess;
	}
	fault.on = fault.sticky;
	if (later && comes_later(fault.code)) {
		fault.device = fault.code;
		return cudaSuccess;
	}
	return fault.code;
}

cudaError_t emu_device_error(void)
{
	const cudaError_t e = fault.device;

	fault.device = cudaSuccess;
	return e;
}

bool emu_hangs(bool wait)
{
	const double now = clock_now();
	struct timespec left;

	if (!fault.hangs)
		return false;
	if (!(fault.until > 0))
		fault.until = now + fault.hang;
	if (now < fault.until && !wait)
		return true;
	if (now < fault.until) {
		const double s = fault.until - now;

		left.tv_sec = (time_t)s;
		left.tv_nsec = (long)(1e9 * (s - (double)left.tv_sec));
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
	fault.hangs = false;
	return false;
}

cudaError_t emu_return(cudaError_t e)
{
	if (e && e != cudaErrorNotReady)
		last = e;
	return e;
}

extern "C" cudaError_t cudaGetLastError(void)
{
	const cudaError_t e = last;

	last = cudaSuccess;
	return e;
}

extern "C" cudaError_t cudaPeekAtLastError(void)
{
	return last;
}

extern "C" const char *cudaGetErrorName(cudaError_t e)
{
	switch ((int)e) {
#define X(number, name, text) \
	case number:          \
		return #name;
		EMU_ERRORS(X)
#undef X
	}
	return "unrecognized error code";
}

extern "C" const char *cudaGetErrorString(cudaError_t e)
{
	switch ((int)e) {
#define X(number, name, text) \
	case number:          \
		return text;
		EMU_ERRORS(X)
#undef X
	}
	return "unrecognized error code";
}

/* ---- the device ---- */

static cudaError_t driver(void)
{
	const cudaError_t e = emu_call();

	if (e)
		return e;
	return emu_env("EMU_DRIVER", RUNTIME) / 1000 < RUNTIME / 1000 ? cudaErrorInsufficientDriver
								      : cudaSuccess;
}

extern "C" cudaError_t cudaDriverGetVersion(int *version)
{
	const cudaError_t e = emu_call();

	*version = e ? 0 : (int)emu_env("EMU_DRIVER", RUNTIME);
	return emu_return(e);
}

extern "C" cudaError_t cudaRuntimeGetVersion(int *version)
{
	const cudaError_t e = emu_call();

	*version = e ? 0 : RUNTIME;
	return emu_return(e);
}

extern "C" cudaError_t cudaGetDeviceCount(int *n)
{
	const cudaError_t e = driver();

	*n = e ? 0 : (int)emu_env("EMU_DEVICES", 1);
	return emu_return(e ? e : *n ? cudaSuccess : cudaErrorNoDevice);
}

extern "C" cudaError_t cudaSetDevice(int device)
{
	const cudaError_t e = driver();

	if (!e && (device < 0 || device >= emu_env("EMU_DEVICES", 1)))
		return emu_return(cudaErrorInvalidDevice);
	if (!e)
		current = device;
	return emu_return(e);
}

extern "C" cudaError_t cudaGetDevice(int *device)
{
	const cudaError_t e = driver();

	*device = current;
	return emu_return(e);
}

extern "C" cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
	const cudaError_t e = driver();

	memset(p, 0, sizeof *p);
	if (e)
		return emu_return(e);
	if (device < 0 || device >= emu_env("EMU_DEVICES", 1))
		return emu_return(cudaErrorInvalidDevice);
	snprintf(p->name, sizeof p->name, "emulated GPU");
	p->totalGlobalMem = (size_t)emu_env("EMU_MEMORY", 2l << 30);
	p->sharedMemPerBlock = EMU_SHARED_PLAIN;
	p->sharedMemPerBlockOptin = EMU_SHARED;
	p->sharedMemPerMultiprocessor = EMU_SHARED + 1024;
	p->regsPerBlock = 65536;
	p->warpSize = 32;
	p->maxThreadsPerBlock = EMU_THREADS;
	p->maxThreadsPerMultiProcessor = 1536;
	p->major = 8;
	p->minor = 6;
	p->multiProcessorCount = (int)emu_env("EMU_SMS", 8);
	p->l2CacheSize = 4 << 20;
	return cudaSuccess;
}
