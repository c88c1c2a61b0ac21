/* ref: the operations backward, but attention's (back_attention.c).  Sums in double; formulas are
 * those of backend.h. */
#include "kernels/ref/ref.h"

#include <math.h>

/* The values in the place of W's columns c ... c + n, n <= 32; `order`: where they stand in a row
 * of dx. */
static void back_columns(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, size_t c, size_t n, const uint16_t *order, enum math math)
{
	enum { TOKENS = 16 };

	for (size_t first = 0; first < m; first += TOKENS) {
		size_t tokens = m - first < TOKENS ? m - first : TOKENS;
		double sum[TOKENS][MAT_BLOCK] = { { 0 } };

		for (size_t r = 0; r < w->rows; r++) {
			float wt[MAT_BLOCK];

			ref_piece(w, r, c, n, wt);
			for (size_t t = 0; t < tokens; t++)
				for (size_t i = 0; i < n; i++)
					sum[t][i] +=
						ref_times(dy[(first + t) * ldy + r], wt[i], math);
		}
		for (size_t t = 0; t < tokens; t++)
			for (size_t i = 0; i < n; i++) {
				float *to = &dx[(first + t) * ldx + (order ? order[c + i] : c + i)];

				*to = (float)(sum[t][i] + (add ? (double)*to : 0));
			}
	}
}

static void one_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, const uint16_t *order, enum math math)
{
	for (size_t c = 0; c < w->cols; c += MAT_BLOCK)
		back_columns(dx, ldx, add, dy, ldy, m, w, c,
			w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK, order, math);
}

void ref_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	struct mat part;

	if (w->type != MAT_MIX) {
		one_back(dx, ldx, add, dy, ldy, m, w, NULL, math);
		return;
	}
	part = mat_part(w, true);
	one_back(dx, ldx, add, dy, ldy, m, &part, w->order, math);
	part = mat_part(w, false);
	one_back(dx, ldx, add, dy, ldy, m, &part, w->order + w->high, math);
}

/* 1 / sqrt(mean(x^2) + eps) */
static double inverse_rms(const float *x, size_t n, float eps)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return 1 / sqrt(sum / (double)n + (double)eps);
}

/* dgain[c] over all rows. */
static double gain_back(const float *dy, const float *x, size_t m, size_t n, size_t c, float eps)
{
	double sum = 0;

	for (size_t r = 0; r < m; r++)
		sum += (double)dy[r * n + c] * (double)x[r * n + c] *
		       inverse_rms(x + r * n, n, eps);
	return sum;
}

void ref_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps)
{
	for (size_t c = 0; dgain && c < n; c++)
		dgain[c] = (float)((double)dgain[c] + gain_back(dy, x, m, n, c, eps));
	for (size_t r = 0; r < m; r++, dx += n, dy += n, x += n) {
		double inv = inverse_rms(x, n, eps), sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += (double)gain[i] * (double)dy[i] * (double)x[i];
		sum *= inv * inv * inv / (double)n;
		for (size_t i = 0; i < n; i++)
			dx[i] = (float)((double)dx[i] + inv * (double)gain[i] * (double)dy[i] -
					(double)x[i] * sum);
	}
}

void ref_swiglu_back(
	float *dgate, float *dup, const float *dy, const float *gate, const float *up, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		double g = (double)gate[i], u = (double)up[i], d = (double)dy[i];
		double s = 1 / (1 + exp(-g)), rest = 1 / (1 + exp(g)); /* rest = 1 - s */

		dgate[i] = (float)(d * u * s * (1 + g * rest));
		dup[i] = (float)(d * g * s);
	}
}

void ref_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale)
{
	for (size_t i = 0; i < m; i++, z += n) {
		size_t right = (size_t)label[i];
		double lse;

		ref_row_stats(&lse, NULL, z, 1, n);
		if (loss)
			loss[i] = lse - (double)z[right];
		for (size_t j = 0; j < n; j++)
			z[j] = (float)((double)scale *
				       (exp((double)z[j] - lse) - (j == right ? 1 : 0)));
	}
}

void ref_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale)
{
	for (size_t i = 0; i < m; i++, zq += n, zp += n) {
		double lse_p, lse_q;

		ref_row_stats(&lse_p, NULL, zp, 1, n);
		ref_row_stats(&lse_q, NULL, zq, 1, n);
		if (kl)
			ref_kl(&kl[i], zp, &lse_p, zq, &lse_q, 1, n);
		for (size_t j = 0; j < n; j++)
			zq[j] = (float)((double)scale *
					(exp((double)zq[j] - lse_q) - exp((double)zp[j] - lse_p)));
	}
}

void ref_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols)
{
	for (size_t i = 0; i < m; i++)
		for (size_t c = 0; c < cols; c++)
			dw[(size_t)ids[i] * cols + c] += dy[i * cols + c];
}
