/* ops.h - the operations of backend.h on a device, one family a file; cuda.cu makes the table.
 *
 * Private to kernels/cuda; their meaning is backend.h's.
 */
#ifndef BD_CUDA_OPS_H
#define BD_CUDA_OPS_H

#include "kernels/cuda/queue.h"

/* ---- memory.cu */
void *cuda_alloc(size_t bytes);
void cuda_free(void *p);
void cuda_put(void *dst, const void *host, size_t bytes);
void cuda_get(void *host, const void *src, size_t bytes);
void cuda_copy(void *dst, const void *src, size_t bytes);
double cuda_read_rate(void);

/* ---- products.cu: which kernel multiplies, then those that do.  The last ROOM bytes of the
 * workspace are its own: rounded x, which the others read.  They and cuda_dequant* may use what is
 * before; cuda_round_* write where they are told and use none. */
enum { ROOM = 64 << 20 };
void cuda_products(const struct product *p, size_t n, const float *x, size_t ldx, size_t m,
	enum math math);
/* gemv.cu: m <= GEMV_ROWS rows of x, packed W (MAT_INT, MAT_MIX), up to FEW products in one
 * launch.  exact: x as two halves (22 bits), else one (11 bits) where m > 4. */
enum { GEMV_ROWS = 16, FEW = 4 };
void cuda_gemv(const struct product *p, size_t n, const float *x, size_t ldx, size_t m, bool exact);
/* dense.cu: the same of dense W, in float. */
void cuda_dense_gemv(const struct product *p, const float *x, size_t ldx, size_t m);
/* gemm.cu: packed W made bfloat16 in tiles, x rounded to bfloat16, tensor cores. */
void cuda_packed_gemm(const struct product *p, const float *x, size_t ldx, size_t m);
/* int8.cu: what act8.h makes of x, as float [m][cols], dense. */
void cuda_round_act8(float *out, const float *x, size_t ldx, size_t m, size_t cols);

/* ---- dequant.cu */
void cuda_dequant(float *out, const struct mat *w, size_t first, size_t n);
void cuda_embed(float *y, const struct mat *w, const int32_t *ids, size_t m);
/* Rows first ... first + n as bfloat16: hi [n][cols], and where lo is not NULL what that left. */
void cuda_dequant_bf16(uint16_t *hi, uint16_t *lo, const struct mat *w, size_t first, size_t n);
void cuda_round_bf16(uint16_t *hi, uint16_t *lo, const float *x, size_t ldx, size_t m, size_t cols);

/* ---- blas.cu: the only one that knows cuBLAS */
bool blas_open(void);  /* for the device in use; false: fault says why */
void blas_close(void);
/* C[m][n] = alpha op(A) op(B) + beta C, row-major as backend.gemm, of floats and of bfloat16. */
void blas_float(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);
void blas_bf16(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const uint16_t *a,
	size_t lda, const uint16_t *b, size_t ldb, float beta, float *c, size_t ldc);
void cuda_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math);

/* ---- norm.cu, rope.cu, kv.cu, attention.cu */
void cuda_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps);
void cuda_swiglu(float *y, const float *gate, const float *up, size_t count);
void cuda_add(float *y, const float *x, size_t count);
void cuda_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style);
void cuda_round_kv(int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim);
void cuda_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape);

/* ---- stats.cu */
void cuda_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n);
void cuda_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n);
void cuda_sq_diff(double *num, double *den, const float *a, const float *b, size_t count);
/* lse[rows] of device memory, of as many rows of z; bytes of the workspace from `room` on that it
 * needs a row. */
size_t stats_room(size_t n);
void stats_lse(double *lse, void *room, const float *z, size_t rows, size_t n);
/* out[rows], on the host (NULL: nothing): the sums of the workspace's doubles [rows][pieces], which
 * lie behind as many doubles that it writes. */
void stats_fetch(double *out, size_t rows, size_t pieces);
/* A row of z is summed in so many pieces of STATS_PIECE values, a block of STATS_THREADS each. */
enum { STATS_PIECE = 4096, STATS_THREADS = 256 };

/* ---- back.cu, back_attention.cu, back_loss.cu: the way back */
void cuda_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math);
void cuda_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps);
void cuda_swiglu_back(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	size_t count);
void cuda_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols);
void cuda_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape);
void cuda_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale);
void cuda_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale);

#endif
