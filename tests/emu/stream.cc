/* stream.cc - streams that do nothing before somebody waits for them: copies and kernels.
 *
 * What CUDA may do late is done as late as can be, so that memory used again too early
 * holds the wrong thing: a copy from page-locked memory reads when it is carried out, one from
 * other memory when it is asked for.
 */
#include "stream.h"

#include <map>
#include <set>

CUstream_st emu_legacy;
static std::set<cudaStream_t> streams = { &emu_legacy };

cudaStream_t emu_stream(cudaStream_t s)
{
	if (!s)
		return &emu_legacy;
	if (!streams.count(s))
		emu_die("a stream was used that is not one, or no longer");
	return s;
}

void emu_put(cudaStream_t stream, work w)
{
	cudaStream_t s = emu_stream(stream);

	if (s->capture)
		s->capture->nodes.push_back(std::move(w));
	else
		s->queue.push_back(std::move(w));
}

/* Whether s captures; NULL: any does, in a mode that forbids what may wait. */
bool emu_capturing(cudaStream_t stream)
{
	if (stream)
		return emu_stream(stream)->capture != nullptr;
	for (cudaStream_t s : streams)
		if (s->capture && s->mode != cudaStreamCaptureModeRelaxed) {
			s->spoilt = true;
			return true;
		}
	return false;
}

/* ---- carrying out ---- */

void emu_run_one(cudaStream_t s)
{
	const work w = std::move(s->queue.front());

	s->queue.pop_front();
	emu_open();
	w();
	emu_close();
}

cudaError_t emu_drain(cudaStream_t s)
{
	emu_hangs(true);
	if (s->queue.empty())
		return emu_device_error();
	emu_open(); /* once for all of it */
	while (!s->queue.empty())
		emu_run_one(s);
	emu_close();
	return emu_device_error();
}

static cudaError_t drain_all(void)
{
	cudaError_t e = cudaSuccess;

	for (cudaStream_t s : streams) {
		const cudaError_t is = emu_drain(s);

		e = e ? e : is;
	}
	return e;
}

extern "C" cudaError_t cudaDeviceSynchronize(void)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	if (emu_capturing(nullptr))
		return emu_return(cudaErrorStreamCaptureUnsupported);
	return emu_return(drain_all());
}

extern "C" cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	cudaStream_t s = emu_stream(stream);

	if (e)
		return emu_return(e);
	if (s->capture) {
		s->spoilt = true;
		return emu_return(cudaErrorStreamCaptureUnsupported);
	}
	return emu_return(emu_drain(s));
}

/* Whoever asks again and again gets there: one piece of work is carried out each time. */
extern "C" cudaError_t cudaStreamQuery(cudaStream_t stream)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	cudaStream_t s = emu_stream(stream);

	if (e)
		return emu_return(e);
	if (s->capture) {
		s->spoilt = true;
		return emu_return(cudaErrorStreamCaptureUnsupported);
	}
	if (emu_hangs(false))
		return cudaErrorNotReady;
	if (!s->queue.empty())
		emu_run_one(s);
	return s->queue.empty() ? emu_return(emu_device_error()) : cudaErrorNotReady;
}

extern "C" cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	*s = nullptr;
	if (e)
		return emu_return(e);
	*s = new CUstream_st();
	streams.insert(*s);
	return cudaSuccess;
}

extern "C" cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	emu_drain(emu_stream(s));
	streams.erase(s);
	delete s;
	return cudaSuccess;
}

/* ---- memory ---- */

static enum cudaMemcpyKind kind_of(const void *dst, const void *src)
{
	const bool to = emu_place(dst) == EMU_DEVICE, from = emu_place(src) == EMU_DEVICE;

	return to     ? from ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice
	       : from ? cudaMemcpyDeviceToHost
		      : cudaMemcpyHostToHost;
}

/* Puts it on the stream; `late`: the host's memory is read when it is carried out. */
static void put_copy(cudaStream_t s, void *dst, const void *src, size_t bytes, bool late)
{
	emu_range(dst, bytes, "copy to");
	emu_range(src, bytes, "copy from");
	if (late || emu_place(src) != EMU_PAGEABLE) {
		emu_put(s, [=] {
			emu_range(dst, bytes, "copy to");
			emu_range(src, bytes, "copy from");
			memmove(dst, src, bytes);
		});
	} else {
		const auto held = std::make_shared<std::vector<char>>(
			(const char *)src, (const char *)src + bytes);

		emu_put(s, [=] {
			emu_range(dst, bytes, "copy to");
			memcpy(dst, held->data(), bytes);
		});
	}
}

extern "C" cudaError_t cudaMemcpyAsync(
	void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);
	cudaStream_t s = emu_stream(stream);

	if (e || !bytes)
		return emu_return(e);
	if (kind != cudaMemcpyDefault && kind != kind_of(dst, src))
		emu_die("cudaMemcpyAsync from %p (%s) to %p (%s) with kind %d", src, emu_where(src),
			dst, emu_where(dst), (int)kind);
	put_copy(s, dst, src, bytes, s->capture != nullptr);
	/* into memory that is not page-locked it returns when it is done */
	if (!s->capture && emu_place(dst) == EMU_PAGEABLE)
		return emu_return(emu_drain(s));
	return cudaSuccess;
}

extern "C" cudaError_t cudaMemcpy(
	void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	cudaError_t was;

	if (e)
		return emu_return(e);
	if (emu_capturing(nullptr))
		return emu_return(cudaErrorStreamCaptureImplicit);
	if (kind != cudaMemcpyDefault && kind != kind_of(dst, src))
		emu_die("cudaMemcpy from %p (%s) to %p (%s) with kind %d", src, emu_where(src), dst,
			emu_where(dst), (int)kind);
	was = drain_all();
	put_copy(nullptr, dst, src, bytes, true);
	emu_drain(&emu_legacy);
	return emu_return(was);
}

extern "C" cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t s)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);

	if (e || !bytes)
		return emu_return(e);
	if (emu_place(dst) != EMU_DEVICE)
		emu_die("cudaMemset of %p, which is not memory of the device", dst);
	emu_range(dst, bytes, "cudaMemset");
	emu_put(s, [=] {
		emu_range(dst, bytes, "cudaMemset");
		memset(dst, value, bytes);
	});
	return cudaSuccess;
}

extern "C" cudaError_t cudaMemset(void *dst, int value, size_t bytes)
{
	return cudaMemsetAsync(dst, value, bytes, nullptr);
}

/* ---- kernels ---- */

static std::map<const void *, size_t> shared_allowed;

extern "C" cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute a, int value)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	if (a == cudaFuncAttributeMaxDynamicSharedMemorySize) {
		if (value < 0 || value > EMU_SHARED)
			return emu_return(cudaErrorInvalidValue);
		shared_allowed[kernel] = (size_t)value;
	}
	return cudaSuccess;
}

extern "C" cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *kernel)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	const auto i = shared_allowed.find(kernel);

	memset(a, 0, sizeof *a);
	if (e)
		return emu_return(e);
	a->maxThreadsPerBlock = EMU_THREADS;
	a->numRegs = 64;
	a->maxDynamicSharedSizeBytes =
		i == shared_allowed.end() ? EMU_SHARED_PLAIN : (int)i->second;
	return cudaSuccess;
}

extern "C" cudaError_t cudaLaunchKernel(
	const void *kernel, dim3 grid, dim3 block, void **args, size_t shared_bytes, cudaStream_t s)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);
	const auto i = shared_allowed.find(kernel);
	const uint64_t threads = (uint64_t)block.x * block.y * block.z;
	void *arg = *(void **)args[0];

	if (e)
		return emu_return(e);
	if (!threads || threads > EMU_THREADS || block.z > 64 || !grid.x || !grid.y || !grid.z ||
		grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
		return emu_return(cudaErrorInvalidConfiguration);
	if (shared_bytes > (i == shared_allowed.end() ? (size_t)EMU_SHARED_PLAIN : i->second))
		return emu_return(cudaErrorInvalidValue);
	emu_put(s, [=] {
		static const bool check = emu_env("EMU_CHECK", 0) != 0;

		emu_run(kernel, grid, block, shared_bytes, arg);
		if (check)
			emu_check(emu_symbol(kernel));
	});
	return cudaSuccess;
}
