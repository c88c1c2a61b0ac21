/* bench_cuda_peer.c - cuBLAS beside ours: 16-bit products on the tensor cores, as a graph. */
#include "tests/bench_cuda.h"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdlib.h>

#include "core/base/alloc.h"

enum { WORKSPACE = 64 << 20 };

struct peer {
	cublasHandle_t blas;
	cudaStream_t stream;
	cudaGraphExec_t graph; /* of CALLS calls with m rows; NULL: to be made */
	cudaDataType_t type;
	size_t rows, cols, most, m, copies;
	char *w, *x, *y;
	void *work;
};

static void ok(cudaError_t code, const char *what)
{
	if (code)
		stop("%s: %s", what, cudaGetErrorString(code));
}

static void blas_ok(cublasStatus_t code, const char *what)
{
	if (code)
		stop("%s: %s", what, cublasGetStatusString(code));
}

static void *take(size_t bytes, const char *what)
{
	void *p = NULL;

	ok(cudaMalloc(&p, bytes), what);
	return p;
}

const char *peer_version(char out[60])
{
	cublasHandle_t h;
	int v = 0;

	blas_ok(cublasCreate(&h), "cublasCreate");
	blas_ok(cublasGetVersion(h, &v), "cublasGetVersion");
	cublasDestroy(h);
	snprintf(out, 60, "cuBLAS %d.%d.%d", v / 10000, v / 100 % 100, v % 100);
	return out;
}

size_t peer_copies(uint64_t bytes_each)
{
	struct cudaDeviceProp prop;
	uint64_t least = 256u << 20, n;

	ok(cudaGetDeviceProperties(&prop, 0), "cudaGetDeviceProperties");
	if (least < 3 * (uint64_t)prop.l2CacheSize + 1)
		least = 3 * (uint64_t)prop.l2CacheSize + 1;
	n = (least + bytes_each - 1) / bytes_each;
	return n < 10 ? 10 : (size_t)n;
}

struct peer *peer_new(enum peer_type type, size_t rows, size_t cols, size_t most, const uint16_t *w)
{
	struct peer *p = xalloc(sizeof *p);
	size_t bytes = rows * cols * sizeof *w;

	p->type = type == PEER_F16 ? CUDA_R_16F : CUDA_R_16BF;
	p->rows = rows;
	p->cols = cols;
	p->most = most;
	p->copies = peer_copies(bytes);
	p->w = take(p->copies * bytes, "memory for cuBLAS's weights");
	p->x = take(most * cols * sizeof *w, "memory for x");
	p->y = take(most * rows * sizeof *w, "memory for y");
	p->work = take(WORKSPACE, "memory for cuBLAS");
	for (size_t i = 0; i < p->copies; i++)
		ok(cudaMemcpy(p->w + i * bytes, i ? p->w : (const char *)w, bytes, cudaMemcpyDefault),
			"copying weights");
	ok(cudaStreamCreateWithFlags(&p->stream, cudaStreamNonBlocking), "a stream");
	blas_ok(cublasCreate(&p->blas), "cublasCreate");
	blas_ok(cublasSetStream(p->blas, p->stream), "cublasSetStream");
	blas_ok(cublasSetWorkspace(p->blas, p->work, WORKSPACE), "cublasSetWorkspace");
	ok(cudaDeviceSynchronize(), "copying weights");
	return p;
}

void peer_free(struct peer *p)
{
	if (p->graph)
		ok(cudaGraphExecDestroy(p->graph), "a graph");
	cublasDestroy(p->blas);
	cudaStreamDestroy(p->stream);
	cudaFree(p->w);
	cudaFree(p->x);
	cudaFree(p->y);
	cudaFree(p->work);
	xfree(p);
}

void peer_x(struct peer *p, const uint16_t *x, size_t m)
{
	p->m = m;
	if (p->graph)
		ok(cudaGraphExecDestroy(p->graph), "a graph");
	p->graph = NULL;
	ok(cudaMemcpy(p->x, x, m * p->cols * sizeof *x, cudaMemcpyHostToDevice), "x");
}

/* Column-major: y^T [rows, m] = W [rows, cols] x^T. */
static void one(struct peer *p, size_t copy)
{
	const float alpha = 1, beta = 0;
	const char *w = p->w + copy * p->rows * p->cols * sizeof(uint16_t);

	blas_ok(cublasGemmEx(p->blas, CUBLAS_OP_T, CUBLAS_OP_N, (int)p->rows, (int)p->m, (int)p->cols,
			&alpha, w, p->type, (int)p->cols, p->x, p->type, (int)p->cols, &beta, p->y,
			p->type, (int)p->rows, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
		"cublasGemmEx");
}

static void capture(struct peer *p)
{
	cudaGraph_t graph;

	one(p, 0); /* what it makes ready at the first call is no part of a graph */
	ok(cudaStreamSynchronize(p->stream), "cublasGemmEx");
	ok(cudaStreamBeginCapture(p->stream, cudaStreamCaptureModeThreadLocal), "a capture");
	for (size_t i = 0; i < CALLS; i++)
		one(p, i % p->copies);
	ok(cudaStreamEndCapture(p->stream, &graph), "a capture");
	ok(cudaGraphInstantiate(&p->graph, graph, 0), "a graph");
	ok(cudaGraphDestroy(graph), "a graph");
}

void peer_run(void *arg, size_t replays)
{
	struct peer *p = arg;

	if (!p->graph)
		capture(p);
	for (size_t i = 0; i < replays; i++)
		ok(cudaGraphLaunch(p->graph, p->stream), "a graph");
	ok(cudaStreamSynchronize(p->stream), "cuBLAS's graph");
}

void peer_y(struct peer *p, uint16_t *y)
{
	size_t bytes = p->m * p->rows * sizeof *y;

	ok(cudaMemset(p->y, 0xff, bytes), "y");
	ok(cudaDeviceSynchronize(), "y");
	one(p, 0);
	ok(cudaStreamSynchronize(p->stream), "cublasGemmEx");
	ok(cudaMemcpy(y, p->y, bytes, cudaMemcpyDeviceToHost), "y");
}
