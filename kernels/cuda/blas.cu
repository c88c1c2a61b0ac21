/* blas.cu - cuBLAS, and products of two general matrices in every math.
 *
 * cuBLAS is column-major: a row-major C = A B is its C' = B' A', of the same memory.  Its workspace
 * is fixed and on one stream, and neither atomics nor TF32 are asked for, so that runs repeat
 * (cuBLAS, "Results Reproducibility").
 */
#include "kernels/cuda/device.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

#include <cublas_v2.h>
#include <limits.h>
#include <stdio.h>

enum { BLAS_WORK = 32 << 20 }; /* what cuBLAS asks for on Hopper */

static cublasHandle_t handle;
static void *work;

static bool blas_ok(cublasStatus_t status, const char *what)
{
	char why[200];

	if (status == CUBLAS_STATUS_SUCCESS)
		return true;
	/* a broken context has a code of its own, which says more */
	if (device_ok(cudaGetLastError(), what)) {
		snprintf(
			why, sizeof why, "%s: cuBLAS says %s", what, cublasGetStatusString(status));
		device_failed(why);
	}
	return false;
}

bool blas_open(void)
{
	if (!device_ok(cudaMalloc(&work, BLAS_WORK), "memory for cuBLAS"))
		return false;
	return blas_ok(cublasCreate(&handle), "starting cuBLAS") &&
	       blas_ok(cublasSetStream(handle, device_now()->stream), "starting cuBLAS") &&
	       blas_ok(cublasSetWorkspace(handle, work, BLAS_WORK), "starting cuBLAS") &&
	       blas_ok(cublasSetMathMode(handle,
			       (cublasMath_t)(CUBLAS_DEFAULT_MATH |
					      CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
		       "starting cuBLAS");
}

void blas_close(void)
{
	if (handle)
		(void)cublasDestroy(handle);
	if (work)
		(void)cudaFree(work);
	handle = NULL;
	work = NULL;
}

static bool fits(size_t m, size_t n, size_t k, size_t lda, size_t ldb, size_t ldc)
{
	if (m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX &&
		ldc <= INT_MAX)
		return true;
	device_failed("a matrix with more than 2^31 rows or columns is too large for cuBLAS");
	return false;
}

static cublasOperation_t op(bool transposed)
{
	return transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

void blas_float(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (!fits(m, n, k, lda, ldb, ldc) || !queue_before())
		return;
	if (blas_ok(cublasSgemm(handle, op(tb), op(ta), (int)n, (int)m, (int)k, &alpha, b, (int)ldb,
			    a, (int)lda, &beta, c, (int)ldc),
		    "a product of floats"))
		queue_after();
}

void blas_bf16(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const uint16_t *a,
	size_t lda, const uint16_t *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (!fits(m, n, k, lda, ldb, ldc) || !queue_before())
		return;
	if (blas_ok(cublasGemmEx(handle, op(tb), op(ta), (int)n, (int)m, (int)k, &alpha, b,
			    CUDA_R_16BF, (int)ldb, a, CUDA_R_16BF, (int)lda, &beta, c, CUDA_R_32F,
			    (int)ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
		    "a product of bfloat16"))
		queue_after();
}

/* ---- gemm ---- */

struct scale_args {
	float *c;
	size_t m, n, ldc;
	float beta;
};

KERNEL void scale_c(const struct scale_args *a)
{
	size_t all = (size_t)gridDim.x * blockDim.x;

	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < a->m * a->n; i += all) {
		float *to = &a->c[i / a->n * a->ldc + i % a->n];

		*to = a->beta != 0 ? a->beta * *to : 0;
	}
}

/* One operand, [rows][cols] as it lies, rounded piece by piece to hi (and lo). */
struct operand {
	const float *at;
	size_t ld;
	bool turned; /* its rows are k */
	uint16_t *hi, *lo;
};

struct cut {
	size_t m, n, k;
};

/* Rows of C from i, or columns; n of them; k from p. */
static void round_piece(const struct operand *o, size_t i, size_t n, size_t p, size_t k)
{
	const float *at = o->at + (o->turned ? p * o->ld + i : i * o->ld + p);

	cuda_round_bf16(o->hi, o->lo, at, o->ld, o->turned ? k : n, o->turned ? n : k);
}

/* The largest piece whose operands fit `room` values, the same for the same shape. */
static struct cut cut_to(size_t m, size_t n, size_t k, size_t room)
{
	enum { STEP = 64 };
	struct cut c = { m, n, k };

	while ((c.m + c.n) * c.k > room) {
		size_t *d = c.k >= c.m && c.k >= c.n ? &c.k : c.m >= c.n ? &c.m : &c.n;

		*d = (*d / 2 + STEP - 1) / STEP * STEP;
	}
	return c;
}

static void multiply_piece(const struct operand *a, const struct operand *b, size_t m, size_t n,
	size_t k, float alpha, float beta, float *c, size_t ldc)
{
	size_t lda = a->turned ? m : k, ldb = b->turned ? n : k;

	/* what is small first */
	if (a->lo) {
		blas_bf16(a->turned, !b->turned, m, n, k, alpha, a->lo, lda, b->hi, ldb, beta, c,
			ldc);
		blas_bf16(a->turned, !b->turned, m, n, k, alpha, a->hi, lda, b->lo, ldb, 1, c, ldc);
		beta = 1;
	}
	blas_bf16(a->turned, !b->turned, m, n, k, alpha, a->hi, lda, b->hi, ldb, beta, c, ldc);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* In one or three products of bfloat16.  b is "turned" where its rows are k, too: not transposed.
 */
static void gemm_rounded(struct operand *a, struct operand *b, size_t m, size_t n, size_t k,
	float alpha, float beta, float *c, size_t ldc, bool three)
{
	uint16_t *room = (uint16_t *)device_now()->work;
	size_t values =
		WORKSPACE / sizeof *room / (three ? 2 : 1) - 64; /* 64: b begins at 16 bytes */
	struct cut cut = cut_to(m, n, k, values);
	size_t of_a = (cut.m * cut.k + 7) / 8 * 8;

	a->hi = room;
	b->hi = room + of_a;
	a->lo = three ? room + WORKSPACE / 2 / sizeof *room : NULL;
	b->lo = three ? a->lo + of_a : NULL;
	for (size_t i = 0; i < m; i += cut.m)
		for (size_t p = 0; p < k; p += cut.k) {
			size_t rows = least(cut.m, m - i), deep = least(cut.k, k - p);

			round_piece(a, i, rows, p, deep);
			for (size_t j = 0; j < n; j += cut.n) {
				size_t cols = least(cut.n, n - j);

				round_piece(b, j, cols, p, deep);
				multiply_piece(a, b, rows, cols, deep, alpha, p ? 1 : beta,
					c + i * ldc + j, ldc);
			}
		}
}

/* MATH_FAST: rounding both operands is worth it where every value of them is used often. */
static bool worth_rounding(size_t m, size_t n, size_t k)
{
	enum { OFTEN = 256 };

	return m >= OFTEN && n >= OFTEN && k >= OFTEN;
}

void cuda_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	enum { THREADS = 256, MOST_BLOCKS = 1024 };

	if (!m || !n || !device_well())
		return;
	if (math == MATH_FAST)
		math = worth_rounding(m, n, k) ? MATH_BF16 : MATH_F32;
	if (!k) {
		const struct scale_args s = { c, m, n, ldc, beta };
		size_t blocks = least((m * n + THREADS - 1) / THREADS, MOST_BLOCKS);

		launch(scale_c, (unsigned)blocks, 1, 1, THREADS, 0, s);
	} else if (math == MATH_BF16 || math == MATH_BF16X3) {
		struct operand oa = { a, lda, ta, NULL, NULL }, ob = { b, ldb, !tb, NULL, NULL };

		gemm_rounded(&oa, &ob, m, n, k, alpha, beta, c, ldc, math == MATH_BF16X3);
	} else {
		blas_float(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
	}
}
