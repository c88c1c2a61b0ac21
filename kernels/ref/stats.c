/* ref: reductions over logits and over differences. */
#include "kernels/ref/ref.h"

#include <math.h>

static double lse_of(const float *z, size_t n, double max)
{
	double sum = 0;

	/* one infinite logit takes all; all minus infinity have nothing to share */
	if (isinf(max))
		return max;
	for (size_t j = 0; j < n; j++)
		sum += exp((double)z[j] - max);
	return max + log(sum);
}

void ref_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n)
{
	for (size_t i = 0; i < m; i++, z += n) {
		size_t best = 0;

		for (size_t j = 1; j < n; j++)
			if (z[j] > z[best])
				best = j;
		if (lse)
			lse[i] = lse_of(z, n, (double)z[best]);
		if (argmax)
			argmax[i] = (int32_t)best;
	}
}

void ref_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n)
{
	for (size_t i = 0; i < m; i++, zp += n, zq += n) {
		double sum = 0;

		for (size_t j = 0; j < n; j++) {
			double log_p = (double)zp[j] - lse_p[i], p = exp(log_p);

			/* 0 log 0 = 0, also against a q of 0 */
			if (p != 0)
				sum += p * (log_p - ((double)zq[j] - lse_q[i]));
		}
		kl[i] = sum;
	}
}

void ref_sq_diff(double *num, double *den, const float *a, const float *b, size_t count)
{
	double diff = 0, norm = 0;

	for (size_t i = 0; i < count; i++) {
		double d = (double)a[i] - (double)b[i];

		diff += d * d;
		norm += (double)b[i] * (double)b[i];
	}
	*num = diff;
	*den = norm;
}
