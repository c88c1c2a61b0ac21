/* back_loss.cu - losses over rows of logits, which become their own gradients.
 *
 * log(sum(exp)) in double as stats.cu has it, then one pass over the same pieces that writes the
 * gradient in place.  Exponentials are of float: of a difference from that sum, made in double, it
 * is within 1e-6 of what double would give down to e^-16, and what is smaller does not count.  Of
 * KL one a value is double, as in kl; q - p = p (q / p - 1) without what would cancel.
 */
#include <math.h>
#include <string.h>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum { THREADS = STATS_THREADS, PIECE = STATS_PIECE };

static size_t pieces_of(size_t n)
{
	return (n + PIECE - 1) / PIECE;
}

/* ---- cross-entropy; its labels behind the arguments ---- */

struct entropy {
	float *z;
	const double *lse;
	double *loss;
	size_t n, pieces;
	float scale;
};

KERNEL void entropy_pieces(const struct entropy *a)
{
	size_t row = blockIdx.x / a->pieces, first = blockIdx.x % a->pieces * PIECE;
	size_t end = least(a->n, first + PIECE);
	size_t label = (size_t)((const int32_t *)extra_of(a))[row];
	double lse = a->lse[row];
	float *z = a->z + row * a->n;

	for (size_t i = first + threadIdx.x; i < end; i += THREADS) {
		double d = (double)z[i] - lse;

		if (i == label) {
			a->loss[row] = -d;
			z[i] = (float)((double)a->scale * (exp(d) - 1));
		} else {
			z[i] = a->scale * expf((float)d);
		}
	}
}

void cuda_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale)
{
	enum { ROWS = (QUEUE_ARGS - 1024) / sizeof(int32_t) }; /* of a launch */
	size_t pieces = pieces_of(n), rows;
	size_t most = least(ROWS, WORKSPACE / (stats_room(n) + 2 * sizeof(double)));

	for (size_t r = 0; n && r < m; r += rows) {
		const struct device *d = device_now();
		double *lse = d ? (double *)(void *)d->work : NULL;

		rows = least(m - r, most);
		if (d && device_well()) {
			const struct entropy a = { z + r * n, lse, lse + rows, n, pieces, scale };

			stats_lse(lse, lse + 2 * rows, a.z, rows, n);
			launch(entropy_pieces, (unsigned)(rows * pieces), 1, 1, THREADS, 0, a,
				label + r, rows * sizeof *label);
		}
		if (loss && !(d && device_well() &&
				    device_fetch(loss + r, lse + rows, rows * sizeof *loss)))
			memset(loss + r, 0xff, rows * sizeof *loss);
	}
}

/* ---- divergence ---- */

struct kl_back {
	float *zq;
	const float *zp;
	const double *lse_p, *lse_q;
	double *parts; /* [rows][pieces] */
	size_t n, pieces;
	float scale;
};

/* q - p, of their logarithms. */
DEVICE float less(double p, double log_p, double log_q)
{
	double more = log_q - log_p;

	return p != 0 && fabs(more) < 1 ? (float)p * expm1f((float)more)
					: expf((float)log_q) - (float)p;
}

KERNEL void kl_back_pieces(const struct kl_back *a)
{
	size_t row = blockIdx.x / a->pieces, first = blockIdx.x % a->pieces * PIECE;
	size_t end = least(a->n, first + PIECE);
	double lp = a->lse_p[row], lq = a->lse_q[row], sum = 0;
	const float *zp = a->zp + row * a->n;
	float *zq = a->zq + row * a->n;

	for (size_t i = first + threadIdx.x; i < end; i += THREADS) {
		double log_p = (double)zp[i] - lp, log_q = (double)zq[i] - lq, p = exp(log_p);

		if (p != 0) /* 0 log 0 = 0, also against a q of 0 */
			sum += p * (log_p - log_q);
		zq[i] = a->scale * less(p, log_p, log_q);
	}
	sum = block_sum(sum, (double *)(void *)shared());
	if (threadIdx.x == 0)
		a->parts[blockIdx.x] = sum;
}

void cuda_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale)
{
	size_t pieces = pieces_of(n), rows;
	/* a row's sum, its pieces', two logarithms, and what they take */
	size_t most = WORKSPACE / ((3 + pieces) * sizeof(double) + stats_room(n));

	most = least(most, (size_t)(1 << 30) / (pieces ? pieces : 1));
	for (size_t r = 0; n && r < m; r += rows) {
		const struct device *d = device_now();

		rows = least(m - r, most);
		if (d && device_well()) {
			double *parts = (double *)(void *)d->work + rows;
			double *lse_p = parts + rows * pieces, *lse_q = lse_p + rows;
			const struct kl_back a = { zq + r * n, zp + r * n, lse_p, lse_q, parts, n,
				pieces, scale };

			stats_lse(lse_p, lse_q + rows, a.zp, rows, n);
			stats_lse(lse_q, lse_q + rows, a.zq, rows, n);
			launch(kl_back_pieces, (unsigned)(rows * pieces), 1, 1, THREADS,
				THREADS / 32 * sizeof(double), a);
		}
		stats_fetch(kl ? kl + r : NULL, rows, pieces);
	}
}
