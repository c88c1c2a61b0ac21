/* ref.h - the operations of the plain C backend, file by file.  Contracts are those
 * of backend.h.  Other backends of host memory share its memory functions. */
#ifndef BD_KERNELS_REF_REF_H
#define BD_KERNELS_REF_REF_H

#include "core/base/f16.h"
#include "kernels/backend.h"

void *ref_alloc(size_t bytes);
void ref_free(void *p);
void ref_copy(void *dst, const void *src, size_t bytes); /* put and get, too */

void ref_products(const struct product *p, size_t n, const float *x, size_t ldx, size_t m,
	enum math math);
/* One product with a MAT_INT by MATH_INT8 (kernels/act8.h). */
void ref_int8(const struct product *p, const float *x, size_t ldx, size_t m);

struct ref_split {
	float hi, lo;
};

/* f rounded to bfloat16, and what that left rounded too. */
static inline struct ref_split ref_split(float f)
{
	struct ref_split s = { .hi = bf16_to_f32(bf16_from_f32(f)) };

	s.lo = bf16_to_f32(bf16_from_f32(f - s.hi));
	return s;
}

/* a * b by math.  Products of bfloat16 are exact in double, and so nearly are the sums. */
static inline double ref_times(float a, float b, enum math math)
{
	struct ref_split x, w;
	double y;

	if (math != MATH_BF16 && math != MATH_BF16X3)
		return (double)a * (double)b;
	x = ref_split(a);
	w = ref_split(b);
	y = (double)x.hi * (double)w.hi;
	if (math == MATH_BF16X3)
		y += (double)x.hi * (double)w.lo + (double)x.lo * (double)w.hi;
	return y;
}

/* Columns c ... c + n of a row as float, not of MAT_MIX; c is a multiple of 32, n <= 32. */
void ref_piece(const struct mat *w, size_t row, size_t c, size_t n, float *out);
void ref_dequant(float *out, const struct mat *w, size_t first, size_t n);
void ref_embed(float *y, const struct mat *w, const int32_t *ids, size_t m);
void ref_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math);

void ref_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps);
void ref_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style);
void ref_round_kv(int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim);
void ref_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape);
void ref_swiglu(float *y, const float *gate, const float *up, size_t count);
void ref_add(float *y, const float *x, size_t count);

void ref_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n);
void ref_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n);
void ref_sq_diff(double *num, double *den, const float *a, const float *b, size_t count);

void ref_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math);
void ref_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps);
void ref_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape);
void ref_swiglu_back(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	size_t count);
void ref_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale);
void ref_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale);
void ref_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols);

#endif
