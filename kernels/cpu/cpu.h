/* cpu.h - the operations of the cpu backend: leaves (leaf.h) spread over the pool.
 *
 * An operation is cut into parts by its shapes alone, never by the number of threads,
 * and no sum crosses a part except in a fixed order: so results are the same bits for
 * any number of threads.  Contracts are those of backend.h.
 */
#ifndef BD_KERNELS_CPU_CPU_H
#define BD_KERNELS_CPU_CPU_H

#include "kernels/backend.h"
#include "kernels/cpu/leaf.h"

/* The leaf in use.  Chosen at the first call: the best one the processor has, or the one
 * that BITDIAL_CPU names (ref, avx2, avx512, vnni, bf16, amx). */
const struct leaf *cpu_leaf(void);

/* The i-th leaf this processor can run, slowest first; NULL at the end.  cpu_use changes
 * the leaf in use: for tests and benchmarks. */
const struct leaf *cpu_leaf_at(size_t i);
void cpu_use(const struct leaf *l);

/* For tests, before all else: the level of this name ends the process that tries it. */
void cpu_spoil(const char *level);

void cpu_products(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math);
/* MATH_INT8 of the first products, all of MAT_INT, which begin with one: how many they were. */
size_t cpu_int8(const struct product *p, size_t n, const float *x, size_t ldx, size_t m);
/* One exact product with a row of x by tables of pairs; false: not with this leaf or this W. */
bool cpu_pairs(float *y, const float *x, const struct mat *w);
/* MATH_BF16 or MATH_BF16X3 by the instructions for it; false, and nothing done, where that does
 * not pay. */
bool cpu_bf16(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math);
bool cpu_bf16_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math);
/* Products backward: in bfloat16 as above, and in float; not of MAT_MIX. */
bool cpu_bf16_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math);
void cpu_gemm_linear(
	float *y, size_t ldy, const float *x, size_t ldx, size_t m, const struct mat *w);
void cpu_gemm_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w);
void cpu_dequant(float *out, const struct mat *w, size_t first, size_t n);
void cpu_embed(float *y, const struct mat *w, const int32_t *ids, size_t m);
void cpu_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math);

void cpu_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps);
void cpu_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style);
void cpu_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape);
void cpu_swiglu(float *y, const float *gate, const float *up, size_t count);
void cpu_add(float *y, const float *x, size_t count);

void cpu_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n);
void cpu_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n);
void cpu_sq_diff(double *num, double *den, const float *a, const float *b, size_t count);

void cpu_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math);
void cpu_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps);
void cpu_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape);
void cpu_swiglu_back(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	size_t count);
void cpu_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale);
void cpu_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale);
void cpu_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols);

#endif
