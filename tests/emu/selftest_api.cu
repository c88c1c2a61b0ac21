/* selftest_api.cu - streams, graphs, events, errors, memory and cuBLAS of the emulator; as
 * selftest.cu. */
#include "selftest.h"

#include <cublas_v2.h>

/* ---- streams ---- */

KERNEL void twice(const struct io *a)
{
	a->out[threadIdx.x] = 2 * a->in[threadIdx.x];
}

/* Memory used again too early: page-locked memory is read when the copy is carried out,
 * other memory when it is asked for.  A graph runs again with what memory holds then. */
extern "C" int emu_test_streams(void)
{
	struct bench t;
	cudaGraphExec_t exec;
	cudaGraph_t graph;
	float *locked, host[N];
	int wrong = 0;

	begin(&t);
	cudaMallocHost((void **)&locked, sizeof host);
	for (int i = 0; i < N; i++)
		locked[i] = host[i] = 1;
	cudaMemcpyAsync(t.in, host, sizeof host, cudaMemcpyHostToDevice, t.stream);
	host[0] = 5;
	start(&t, twice, 1, N, 0);
	cudaMemcpyAsync(locked, t.out, sizeof host, cudaMemcpyDeviceToHost, t.stream);
	wrong += locked[0] != 1; /* not yet */
	wrong += cudaStreamQuery(t.stream) != cudaErrorNotReady;
	wrong += cudaStreamSynchronize(t.stream) != cudaSuccess;
	wrong += locked[0] != 2;
	locked[0] = 7;
	cudaMemcpyAsync(t.in, locked, sizeof host, cudaMemcpyHostToDevice, t.stream);
	locked[0] = 9; /* too early */
	start(&t, twice, 1, N, 0);
	cudaMemcpy(host, t.out, sizeof host, cudaMemcpyDeviceToHost);
	wrong += host[0] != 18;

	wrong += cudaStreamBeginCapture(t.stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess;
	cudaMemcpyAsync(t.in, locked, sizeof host, cudaMemcpyHostToDevice, t.stream);
	start(&t, twice, 1, N, 0);
	wrong += cudaStreamEndCapture(t.stream, &graph) != cudaSuccess;
	wrong += cudaGraphInstantiate(&exec, graph, 0) != cudaSuccess;
	wrong += cudaGraphDestroy(graph) != cudaSuccess;
	for (int k = 0; k < 3; k++) {
		locked[0] = (float)k;
		wrong += cudaGraphLaunch(exec, t.stream) != cudaSuccess;
		wrong += cudaStreamSynchronize(t.stream) != cudaSuccess;
		cudaMemcpy(host, t.out, sizeof host, cudaMemcpyDeviceToHost);
		wrong += host[0] != (float)(2 * k);
	}
	cudaGraphExecDestroy(exec);

	cudaStreamBeginCapture(t.stream, cudaStreamCaptureModeThreadLocal);
	wrong += cudaStreamSynchronize(t.stream) != cudaErrorStreamCaptureUnsupported;
	wrong += cudaStreamEndCapture(t.stream, &graph) != cudaErrorStreamCaptureInvalidated;
	cudaFreeHost(locked);
	end(&t);
	return wrong;
}

/* An event is reached when what stands before it has been carried out, and only that. */
extern "C" int emu_test_events(void)
{
	cudaEvent_t first, last;
	struct bench t;
	float ms = -1;
	int wrong = 0;

	begin(&t);
	cudaEventCreate(&first);
	cudaEventCreate(&last);
	wrong += cudaEventQuery(first) != cudaSuccess; /* never asked for */
	cudaEventRecord(first, t.stream);
	for (int i = 0; i < 10; i++)
		start(&t, twice, 1, N, 0);
	cudaEventRecord(last, t.stream);
	wrong += cudaEventElapsedTime(&ms, first, last) != cudaErrorNotReady;
	wrong += cudaEventSynchronize(first) != cudaSuccess;
	wrong += cudaEventQuery(last) != cudaErrorNotReady;
	wrong += cudaEventSynchronize(last) != cudaSuccess;
	wrong += cudaStreamQuery(t.stream) != cudaSuccess;
	wrong += cudaEventElapsedTime(&ms, first, last) != cudaSuccess || !(ms >= 0);
	cudaEventDestroy(first);
	cudaEventDestroy(last);
	end(&t);
	return wrong;
}

/* ---- errors that are asked for ---- */

extern "C" int emu_test_errors(void)
{
	struct bench t;
	void *p;
	int wrong = 0;

	begin(&t);
	emu_fail(2, cudaErrorMemoryAllocation, false);
	wrong += cudaMalloc(&p, 16) != cudaSuccess || cudaFree(p) != cudaErrorMemoryAllocation;
	wrong += cudaFree(p) != cudaSuccess;
	wrong += cudaGetLastError() != cudaErrorMemoryAllocation;
	wrong += cudaGetLastError() != cudaSuccess;

	emu_fail(1, cudaErrorLaunchTimeout, false);
	wrong += start(&t, twice, 1, N, 0) != cudaSuccess;
	wrong += cudaStreamSynchronize(t.stream) != cudaErrorLaunchTimeout;
	wrong += cudaStreamSynchronize(t.stream) != cudaSuccess;

	wrong += start(&t, twice, 1, 1025, 0) != cudaErrorInvalidConfiguration;
	wrong += start(&t, twice, 1, N, 49153) != cudaErrorInvalidValue;
	wrong += cudaFuncSetAttribute((const void *)(void (*)(const struct io *))twice,
			 cudaFuncAttributeMaxDynamicSharedMemorySize, 101376) != cudaSuccess;
	wrong += start(&t, twice, 1, N, 101376) != cudaSuccess;

	emu_fail(1, cudaErrorECCUncorrectable, true);
	wrong += start(&t, twice, 1, N, 0) != cudaSuccess;
	wrong += cudaStreamSynchronize(t.stream) != cudaErrorECCUncorrectable;
	wrong += cudaStreamSynchronize(t.stream) != cudaErrorECCUncorrectable;
	wrong += cudaMalloc(&p, 16) != cudaErrorECCUncorrectable || p;
	emu_fail(0, 0, false);
	end(&t);
	return wrong;
}

/* A device that hangs for a while is not ready all that time. */
extern "C" int emu_test_hang(void)
{
	struct bench t;
	int wrong = 0;

	begin(&t);
	emu_hang(1, 0.1);
	wrong += start(&t, twice, 1, N, 0) != cudaSuccess;
	for (int i = 0; i < 5; i++)
		wrong += cudaStreamQuery(t.stream) != cudaErrorNotReady;
	wrong += cudaStreamSynchronize(t.stream) != cudaSuccess;
	end(&t);
	return wrong + (t.got[3] != 2 * t.host[3]);
}

/* What the first three calls of a program say; p of the third is NULL where it fails. */
extern "C" void emu_test_device(int said[3], int *devices)
{
	void *p;

	said[0] = cudaGetDeviceCount(devices);
	said[1] = cudaSetDevice(0);
	said[2] = cudaMalloc(&p, 1);
}

/* No more memory than there is; what is freed can be had again. */
extern "C" int emu_test_memory(void)
{
	size_t was, left, total;
	void *p, *q;
	int wrong = 0;

	cudaMemGetInfo(&was, &total);
	wrong += cudaMalloc(&p, was - 1000) != cudaSuccess;
	cudaMemGetInfo(&left, &total);
	wrong += left != 1000;
	wrong += cudaMalloc(&q, 1001) != cudaErrorMemoryAllocation || q;
	cudaFree(p);
	wrong += cudaMalloc(&q, was) != cudaSuccess || (uintptr_t)q % 256;
	cudaFree(q);
	cudaMemGetInfo(&left, &total);
	return wrong + (left != was);
}

/* ---- cuBLAS ---- */

/* C[5][7] = 2 op(A) op(B) + 3 C of column-major floats, or of bfloat16. */
static int gemm(bool ta, bool tb, bool bf16)
{
	const float alpha = 2, beta = 3;
	const int m = 5, n = 7, k = 11, lda = 13, ldb = 12, ldc = 6;
	uint16_t bits[4 * N];
	cublasHandle_t h;
	struct bench t;
	int wrong = 0;

	begin(&t);
	if (bf16) {
		for (int i = 0; i < 4 * N; i++)
			bits[i] = bf16_of(t.host[i]);
		cudaMemcpy(t.in, bits, sizeof bits, cudaMemcpyHostToDevice);
	}
	cudaMemcpy(t.out, t.host, sizeof t.host, cudaMemcpyHostToDevice);
	wrong += cublasCreate(&h) != CUBLAS_STATUS_SUCCESS;
	cublasSetStream(h, t.stream);
	if (bf16)
		wrong += cublasGemmEx(h, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
				 tb ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha, t.in, CUDA_R_16BF,
				 lda, (const uint16_t *)t.in + 200, CUDA_R_16BF, ldb, &beta, t.out,
				 CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F,
				 CUBLAS_GEMM_DEFAULT) != CUBLAS_STATUS_SUCCESS;
	else
		wrong += cublasSgemm(h, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
				 tb ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha, t.in, lda,
				 t.in + 200, ldb, &beta, t.out, ldc) != CUBLAS_STATUS_SUCCESS;
	end(&t);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++) {
			float sum = 0;

			for (int c = 0; c < k; c++)
				sum += t.host[ta ? i * lda + c : c * lda + i] *
				       t.host[200 + (tb ? c * ldb + j : j * ldb + c)];
			wrong += t.got[j * ldc + i] != 2 * sum + 3 * t.host[j * ldc + i];
		}
	wrong += t.got[5] != t.host[5]; /* between the columns */
	cublasDestroy(h);
	return wrong;
}

extern "C" int emu_test_gemm(void)
{
	int wrong = 0;

	for (int i = 0; i < 8; i++)
		wrong += gemm(i & 1, i & 2, i & 4);
	return wrong;
}
