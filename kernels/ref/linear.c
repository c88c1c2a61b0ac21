/* ref: products with a weight matrix, and its rows as float. */
#include "core/base/f16.h"
#include "kernels/mix.h"
#include "kernels/ref/ref.h"

/* By way of a mat of its own, to need no room for a whole row. */
void ref_piece(const struct mat *w, size_t row, size_t c, size_t n, float *out)
{
	struct mat part = mat_rows(w, row / MAT_TILE * MAT_TILE, MAT_TILE);
	size_t lane = row % MAT_TILE, g;

	if (w->type != MAT_INT) {
		size_t size = w->type == MAT_F32 ? sizeof(float) : sizeof(uint16_t);

		part.data = (const char *)part.data + (lane * w->cols + c) * size;
		part.cols = n;
		mat_row_f32(&part, 0, out);
		return;
	}
	g = c / w->group;
	part.data = (const char *)part.data + mat_code_bytes(w->bits, MAT_TILE, c);
	part.scale += g * MAT_TILE;
	part.offset += g * MAT_TILE;
	part.cols = n;
	mat_row_f32(&part, lane, out);
}

static void one_product(
	const struct product *p, const float *x, size_t ldx, size_t m, enum math math)
{
	enum { TOKENS = 16 };
	const struct mat *w = p->w;

	for (size_t first = 0; first < m; first += TOKENS) {
		size_t tokens = m - first < TOKENS ? m - first : TOKENS;

		for (size_t r = 0; r < w->rows; r++) {
			double sum[TOKENS] = { 0 };

			for (size_t c = 0; c < w->cols; c += MAT_BLOCK) {
				size_t n = w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK;
				float wt[MAT_BLOCK];

				ref_piece(w, r, c, n, wt);
				for (size_t t = 0; t < tokens; t++)
					for (size_t i = 0; i < n; i++)
						sum[t] += ref_times(
							x[(first + t) * ldx + c + i], wt[i], math);
			}
			for (size_t t = 0; t < tokens; t++)
				p->y[(first + t) * p->ldy + r] = (float)sum[t];
		}
	}
}

void ref_products(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].w->type == MAT_MIX)
			mix_product(ref_products, &p[i], x, ldx, m, math);
		else if ((math == MATH_INT8 || math == MATH_FAST) && p[i].w->type == MAT_INT)
			ref_int8(&p[i], x, ldx, m);
		else
			one_product(&p[i], x, ldx, m, math);
	}
}

void ref_dequant(float *out, const struct mat *w, size_t first, size_t n)
{
	for (size_t r = 0; r < n; r++)
		mat_row_f32(w, first + r, out + r * w->cols);
}

void ref_embed(float *y, const struct mat *w, const int32_t *ids, size_t m)
{
	for (size_t i = 0; i < m; i++)
		mat_row_f32(w, (size_t)ids[i], y + i * w->cols);
}

void ref_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	size_t next_a = ta ? lda : 1, next_b = tb ? 1 : ldb;

	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++) {
			const float *x = a + i * (ta ? 1 : lda), *y = b + j * (tb ? ldb : 1);
			float *to = &c[i * ldc + j];
			double sum = 0;

			for (size_t p = 0; p < k; p++)
				sum += ref_times(x[p * next_a], y[p * next_b], math);
			sum *= (double)alpha;
			/* as in BLAS, beta = 0 overwrites what may be NaN */
			if (beta != 0)
				sum += (double)beta * (double)*to;
			*to = (float)sum;
		}
}
