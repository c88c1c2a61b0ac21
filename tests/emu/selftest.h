/* selftest.h - arguments and memory of one run of a kernel that tries the emulator. */
#ifndef BD_EMU_SELFTEST_H
#define BD_EMU_SELFTEST_H

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/queue.h"

#include <stdlib.h>

enum { N = 256 };

struct io {
	const float *in;
	float *out;
	unsigned *count;
	int n;
};

/* Arguments and memory of one run. */
struct bench {
	float *in, *out;
	unsigned *count;
	struct io *args;
	cudaStream_t stream;
	float host[4 * N], got[4 * N];
};

static inline void begin(struct bench *t)
{
	struct io a;

	cudaMalloc((void **)&t->in, sizeof t->host);
	cudaMalloc((void **)&t->out, sizeof t->host);
	cudaMalloc((void **)&t->count, sizeof *t->count);
	cudaMalloc((void **)&t->args, sizeof *t->args);
	cudaStreamCreateWithFlags(&t->stream, cudaStreamNonBlocking);
	for (int i = 0; i < 4 * N; i++)
		t->host[i] = (float)((i * 37 + 11) % 101) - 50;
	cudaMemcpy(t->in, t->host, sizeof t->host, cudaMemcpyHostToDevice);
	cudaMemset(t->count, 0, sizeof *t->count);
	a = { t->in, t->out, t->count, N };
	cudaMemcpy(t->args, &a, sizeof a, cudaMemcpyHostToDevice);
}

static inline cudaError_t start(struct bench *t, void (*kernel)(const struct io *), unsigned grid,
	unsigned block, size_t shared_bytes)
{
	void *args[] = { &t->args };

	return cudaLaunchKernel((const void *)kernel, grid, block, args, shared_bytes, t->stream);
}

static inline void end(struct bench *t)
{
	cudaMemcpyAsync(t->got, t->out, sizeof t->got, cudaMemcpyDeviceToHost, t->stream);
	cudaStreamDestroy(t->stream);
	cudaFree(t->in);
	cudaFree(t->out);
	cudaFree(t->count);
	cudaFree(t->args);
}

static inline int once(struct bench *t, void (*kernel)(const struct io *), unsigned grid,
	unsigned block, size_t shared_bytes)
{
	begin(t);
	if (start(t, kernel, grid, block, shared_bytes))
		return -1;
	end(t);
	return 0;
}

#endif
