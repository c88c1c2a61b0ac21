/* stream.h - streams as stream.cc and graph.cc see them. */
#ifndef BD_EMU_STREAM_H
#define BD_EMU_STREAM_H

#include <deque>
#include <memory>
#include <vector>

#include "emu.h"

typedef std::function<void()> work;

struct CUgraph_st {
	std::vector<work> nodes;
};

struct CUgraphExec_st {
	std::vector<work> nodes;
};

struct CUstream_st {
	std::deque<work> queue;
	std::unique_ptr<CUgraph_st> capture;
	enum cudaStreamCaptureMode mode;
	bool spoilt; /* the capture */
};

struct CUevent_st {
	cudaStream_t stream;
	unsigned long asked, reached; /* records */
	double time;
};

extern CUstream_st emu_legacy; /* the stream NULL */
/* The stream of a handle; dies where it is none. */
cudaStream_t emu_stream(cudaStream_t s);
void emu_run_one(cudaStream_t s); /* the first piece of its work */
cudaError_t emu_drain(cudaStream_t s);

#endif
