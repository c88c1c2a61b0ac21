/* cublas.cc - the products of cuBLAS in plain loops, summed in double. */
#include "emu.h"

#include <cublas_v2.h>

#include <vector>

#include "kernels/cuda/ptx.h"

struct cublasContext {
	cudaStream_t stream;
};

static cublasStatus_t status_of(cudaError_t e)
{
	return !e                               ? CUBLAS_STATUS_SUCCESS
	       : e == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED
						: CUBLAS_STATUS_EXECUTION_FAILED;
}

extern "C" const char *cublasGetStatusString(cublasStatus_t s)
{
	switch (s) {
	case CUBLAS_STATUS_SUCCESS:
		return "the operation completed successfully";
	case CUBLAS_STATUS_NOT_INITIALIZED:
		return "the library was not initialized";
	case CUBLAS_STATUS_ALLOC_FAILED:
		return "the resource allocation failed";
	case CUBLAS_STATUS_INVALID_VALUE:
		return "an invalid value was used as an argument";
	case CUBLAS_STATUS_ARCH_MISMATCH:
		return "an absent device architectural feature is required";
	case CUBLAS_STATUS_MAPPING_ERROR:
		return "an access to GPU memory space failed";
	case CUBLAS_STATUS_EXECUTION_FAILED:
		return "the GPU program failed to execute";
	case CUBLAS_STATUS_INTERNAL_ERROR:
		return "an internal operation failed";
	case CUBLAS_STATUS_NOT_SUPPORTED:
		return "the functionality requested is not supported";
	case CUBLAS_STATUS_LICENSE_ERROR:
		return "the functionality requested requires some license and an error was "
		       "detected when trying to check the current licensing";
	}
	return "unknown status";
}

extern "C" cublasStatus_t cublasCreate(cublasHandle_t *h)
{
	const cudaError_t e = emu_call();

	*h = e ? nullptr : new cublasContext();
	return status_of(e);
}

extern "C" cublasStatus_t cublasDestroy(cublasHandle_t h)
{
	const cudaError_t e = emu_call();

	if (!e)
		delete h;
	return status_of(e);
}

extern "C" cublasStatus_t cublasSetStream(cublasHandle_t h, cudaStream_t s)
{
	const cudaError_t e = emu_call();

	if (!e)
		h->stream = s;
	return status_of(e);
}

extern "C" cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *workspace, size_t bytes)
{
	const emu_lock l;
	const cudaError_t e = emu_call();

	if ((uintptr_t)workspace % 256)
		return CUBLAS_STATUS_INVALID_VALUE;
	emu_range(workspace, bytes, "cublasSetWorkspace");
	return status_of(e);
}

extern "C" cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
	return status_of(emu_call());
}

/* ---- products ---- */

struct operand {
	const void *p;
	cudaDataType type;
	size_t along, across; /* steps in elements: along k, and from one vector to the next */
};

static void vector_of(double *out, const struct operand *o, size_t i, size_t k)
{
	for (size_t j = 0; j < k; j++) {
		const size_t at = i * o->across + j * o->along;

		out[j] = o->type == CUDA_R_32F ? (double)((const float *)o->p)[at]
			 : o->type == CUDA_R_16F
				 ? (double)float_of_half(((const uint16_t *)o->p)[at])
				 : (double)float_of_bf16(((const uint16_t *)o->p)[at]);
	}
}

static double dot(const double *x, const double *y, size_t k)
{
	double s[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
	size_t j = 0;

	for (; j + 8 <= k; j += 8)
		for (size_t i = 0; i < 8; i++)
			s[i] += x[j + i] * y[j + i];
	for (; j < k; j++)
		s[0] += x[j] * y[j];
	return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

struct gemm {
	struct operand a, b;
	size_t m, n, k, ldc;
	float alpha, beta;
	float *c;
};

static void run(const struct gemm &g)
{
	/* the side with fewer vectors is made double once, the other one by one */
	const bool swap = g.m < g.n;
	const struct operand &few = swap ? g.a : g.b, &many = swap ? g.b : g.a;
	const size_t n_few = swap ? g.m : g.n, n_many = swap ? g.n : g.m;
	std::vector<double> held(n_few * g.k), one(g.k);

	for (size_t i = 0; i < n_few; i++)
		vector_of(held.data() + i * g.k, &few, i, g.k);
	for (size_t i = 0; i < n_many; i++) {
		vector_of(one.data(), &many, i, g.k);
		for (size_t j = 0; j < n_few; j++) {
			float *c = g.c + (swap ? i * g.ldc + j : j * g.ldc + i);
			const double sum = dot(one.data(), held.data() + j * g.k, g.k);

			*c = (float)((double)g.alpha * sum +
				     (g.beta == 0 ? 0.0 : (double)g.beta * (double)*c));
		}
	}
}

static bool supported(cudaDataType t)
{
	return t == CUDA_R_32F || t == CUDA_R_16F || t == CUDA_R_16BF;
}

/* So many bytes of a column-major matrix that is not the device's are a mistake. */
static void check(const void *p, size_t rows, size_t cols, size_t ld, size_t element)
{
	emu_global(p, element, "cuBLAS");
	emu_range(p, ((cols - 1) * ld + rows) * element, "cuBLAS");
}

extern "C" cublasStatus_t cublasGemmEx(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
	int m, int n, int k, const void *alpha, const void *a, cudaDataType type_a, int lda,
	const void *b, cudaDataType type_b, int ldb, const void *beta, void *c, cudaDataType type_c,
	int ldc, cublasComputeType_t, cublasGemmAlgo_t)
{
	const emu_lock l;
	const cudaError_t e = emu_call(true);
	const int rows_a = ta == CUBLAS_OP_N ? m : k, rows_b = tb == CUBLAS_OP_N ? k : n;
	struct gemm g;

	if (e)
		return status_of(e);
	if (m < 0 || n < 0 || k < 0 || lda < (rows_a > 1 ? rows_a : 1) ||
		ldb < (rows_b > 1 ? rows_b : 1) || ldc < (m > 1 ? m : 1))
		return CUBLAS_STATUS_INVALID_VALUE;
	if (type_a != type_b || type_c != CUDA_R_32F || !supported(type_a))
		return CUBLAS_STATUS_NOT_SUPPORTED;
	if (!m || !n)
		return CUBLAS_STATUS_SUCCESS;
	g.a = { a, type_a, ta == CUBLAS_OP_N ? (size_t)lda : 1,
		ta == CUBLAS_OP_N ? 1 : (size_t)lda };
	g.b = { b, type_b, tb == CUBLAS_OP_N ? 1 : (size_t)ldb,
		tb == CUBLAS_OP_N ? (size_t)ldb : 1 };
	g.m = (size_t)m;
	g.n = (size_t)n;
	g.k = (size_t)k;
	g.ldc = (size_t)ldc;
	g.alpha = *(const float *)alpha;
	g.beta = *(const float *)beta;
	g.c = (float *)c;
	emu_put(h->stream, [=] {
		const size_t size = type_a == CUDA_R_32F ? 4 : 2;

		if (k) {
			check(a, (size_t)rows_a, (size_t)(ta == CUBLAS_OP_N ? k : m), (size_t)lda,
				size);
			check(b, (size_t)rows_b, (size_t)(tb == CUBLAS_OP_N ? n : k), (size_t)ldb,
				size);
		}
		check(c, g.m, g.n, g.ldc, 4);
		run(g);
	});
	return CUBLAS_STATUS_SUCCESS;
}

extern "C" cublasStatus_t cublasSgemm(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
	int m, int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
	const float *beta, float *c, int ldc)
{
	return cublasGemmEx(h, ta, tb, m, n, k, alpha, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb, beta,
		c, CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}
