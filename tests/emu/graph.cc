/* graph.cc - graphs, which are the work of a capture put on a stream again, and events. */
#include "stream.h"

#include <time.h>

/* ---- graphs ---- */

extern "C" cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	cudaStream_t s = emu_stream(stream);

	if (e)
		return emu_return(e);
	if (s == &emu_legacy)
		return emu_return(cudaErrorStreamCaptureUnsupported);
	if (s->capture)
		return emu_return(cudaErrorIllegalState);
	s->capture.reset(new CUgraph_st());
	s->mode = mode;
	s->spoilt = false;
	return cudaSuccess;
}

extern "C" cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *g)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	cudaStream_t s = emu_stream(stream);

	*g = nullptr;
	if (e)
		return emu_return(e);
	if (!s->capture)
		return emu_return(cudaErrorIllegalState);
	*g = s->capture.release();
	if (s->spoilt) {
		delete *g;
		*g = nullptr;
		return emu_return(cudaErrorStreamCaptureInvalidated);
	}
	return cudaSuccess;
}

extern "C" cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	*x = nullptr;
	if (e || !g)
		return emu_return(e ? e : cudaErrorInvalidValue);
	*x = new CUgraphExec_st();
	(*x)->nodes = g->nodes;
	return cudaSuccess;
}

extern "C" cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);

	if (e || !x)
		return emu_return(e ? e : cudaErrorInvalidValue);
	for (const work &w : x->nodes)
		emu_put(s, w);
	return cudaSuccess;
}

extern "C" cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x)
{
	const cudaError_t e = emu_call();

	if (!e)
		delete x;
	return emu_return(e);
}

extern "C" cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
	const cudaError_t e = emu_call();

	if (!e)
		delete g;
	return emu_return(e);
}

/* ---- events ---- */

static double clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

extern "C" cudaError_t cudaEventCreateWithFlags(cudaEvent_t *ev, unsigned)
{
	const cudaError_t e = emu_call();

	*ev = e ? nullptr : new CUevent_st();
	return emu_return(e);
}

extern "C" cudaError_t cudaEventCreate(cudaEvent_t *ev)
{
	return cudaEventCreateWithFlags(ev, cudaEventDefault);
}

extern "C" cudaError_t cudaEventRecord(cudaEvent_t ev, cudaStream_t stream)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);

	if (e)
		return emu_return(e);
	ev->stream = emu_stream(stream);
	const unsigned long number = ++ev->asked;

	emu_put(stream, [=] {
		ev->reached = number;
		ev->time = clock_now();
	});
	return cudaSuccess;
}

extern "C" cudaError_t cudaEventQuery(cudaEvent_t ev)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	if (ev->reached == ev->asked)
		return cudaSuccess;
	if (emu_hangs(false))
		return cudaErrorNotReady;
	if (!ev->stream->queue.empty())
		emu_run_one(ev->stream);
	return ev->reached == ev->asked ? emu_return(emu_device_error()) : cudaErrorNotReady;
}

extern "C" cudaError_t cudaEventSynchronize(cudaEvent_t ev)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	if (ev->reached == ev->asked)
		return cudaSuccess;
	emu_hangs(true);
	while (ev->reached != ev->asked && !ev->stream->queue.empty())
		emu_run_one(ev->stream);
	return emu_return(emu_device_error());
}

extern "C" cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	*ms = 0;
	if (e)
		return emu_return(e);
	if (!begin->asked || !end->asked)
		return emu_return(cudaErrorInvalidResourceHandle);
	if (begin->reached != begin->asked || end->reached != end->asked)
		return cudaErrorNotReady;
	*ms = (float)(1e3 * (end->time - begin->time));
	return cudaSuccess;
}

extern "C" cudaError_t cudaEventDestroy(cudaEvent_t ev)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if (e)
		return emu_return(e);
	/* a record of it may still be on the way */
	if (ev->stream && ev->reached != ev->asked)
		emu_drain(ev->stream);
	delete ev;
	return cudaSuccess;
}
