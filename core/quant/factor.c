/* factor.c - blocked Cholesky factor of an inverse.
 *
 * With P the reversal of rows, R = P H P = L L^T gives H^-1 = U^T U for the upper
 * U = P L^-1 P: one factorization and one triangular inverse, no inverse of H.  Blocks
 * on the diagonal in double, everything else by the backend's gemm, right-looking
 * (Golub and Van Loan, Matrix Computations, 4.2).
 */
#include "core/quant/factor.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

enum { NB = 128, TRIES = 12 };

struct work {
	float *a;     /* [n][n]: R, then L, then L^-1, lower */
	float *panel; /* [n][NB] */
	float *inv;   /* [n][NB]: inverse of each diagonal block of L */
	size_t n;
	double damping;
	const struct backend *be;
	const struct sink *s;
};

static enum st stopped(struct err *e, size_t at, size_t n)
{
	return err_set(e, ST_CANCELLED, "stopped after %zu of %zu columns of the factor", at, n);
}

/* Factor of the block at k, in place, and its inverse; false: not positive definite. */
static bool diagonal(const struct work *w, size_t k, size_t b, double *l)
{
	float *a = w->a + k * w->n + k, *inv = w->inv + k * NB;

	for (size_t i = 0; i < b; i++) {
		for (size_t j = 0; j <= i; j++) {
			double sum = (double)a[i * w->n + j];

			for (size_t t = 0; t < j; t++)
				sum -= l[i * NB + t] * l[j * NB + t];
			if (i != j) {
				l[i * NB + j] = sum / l[j * NB + j];
				continue;
			}
			/* All pivots of a sound matrix are at least the damping. */
			if (!(sum > 0.1 * w->damping) || !isfinite(sum))
				return false;
			l[i * NB + i] = sqrt(sum);
		}
	}
	memset(inv, 0, b * NB * sizeof *inv);
	for (size_t j = 0; j < b; j++) {
		double x[NB];

		for (size_t i = j; i < b; i++) {
			double sum = i == j;

			for (size_t t = j; t < i; t++)
				sum -= l[i * NB + t] * x[t];
			x[i] = sum / l[i * NB + i];
			inv[i * NB + j] = (float)x[i];
		}
	}
	for (size_t i = 0; i < b; i++)
		for (size_t j = 0; j <= i; j++)
			a[i * w->n + j] = (float)l[i * NB + j];
	return true;
}

/* Columns below the block: A = A * inv^T, in a copy as well. */
static void below(const struct work *w, size_t k, size_t b)
{
	size_t n = w->n, at = k + b;

	if (at == n)
		return;
	w->be->gemm(false, true, n - at, b, b, 1, w->a + at * n + k, n, w->inv + k * NB, NB, 0,
		w->panel + at * NB, NB, MATH_F32);
	for (size_t i = at; i < n; i++)
		memcpy(w->a + i * n + k, w->panel + i * NB, b * sizeof *w->a);
}

/* *sound: positive definite. */
static enum st cholesky(const struct work *w, bool *sound, double *l, struct err *e)
{
	size_t n = w->n;

	*sound = false;
	for (size_t k = 0; k < n; k += NB) {
		size_t b = n - k < NB ? n - k : NB;

		if (!diagonal(w, k, b, l))
			return ST_OK;
		below(w, k, b);
		for (size_t j = k + b; j < n; j += NB) {
			if (sink_poll(w->s))
				return stopped(e, k, n);
			w->be->gemm(false, true, n - j, n - j < NB ? n - j : NB, b, -1,
				w->panel + j * NB, NB, w->panel + j * NB, NB, 1, w->a + j * n + j,
				n, MATH_F32);
		}
	}
	*sound = true;
	return ST_OK;
}

/* L^-1 over L, a row of blocks at a time: X_i = inv_i * (0 ... I ... ) - inv_i * L_i X. */
static enum st invert(const struct work *w, struct err *e)
{
	size_t n = w->n;
	float *t = w->panel; /* [NB][n] */

	for (size_t i = 0; i < n; i += NB) {
		size_t b = n - i < NB ? n - i : NB;

		for (size_t j = 0; j < i; j += NB) {
			if (sink_poll(w->s))
				return stopped(e, i, n);
			w->be->gemm(false, false, b, NB, i - j, 1, w->a + i * n + j, n,
				w->a + j * n + j, n, 0, t + j, n, MATH_F32);
		}
		if (i)
			w->be->gemm(false, false, b, i, b, -1, w->inv + i * NB, NB, t, n, 0,
				w->a + i * n, n, MATH_F32);
		for (size_t r = 0; r < b; r++)
			memcpy(w->a + (i + r) * n + i, w->inv + (i + r) * NB, b * sizeof *w->a);
	}
	return ST_OK;
}

/* R with damping on the diagonal.  From here on only the lower half is read. */
static void reversed(const struct work *w, const float *h, double mean)
{
	size_t n = w->n;
	double scale = mean > 0 ? 1 / mean : 0;

	for (size_t i = 0; i < n; i++) {
		const float *row = h + (n - 1 - i) * n;

		for (size_t j = 0; j < n; j++)
			w->a[i * n + j] = (float)((double)row[n - 1 - j] * scale);
		w->a[i * n + i] += (float)(mean > 0 ? w->damping : 1);
	}
}

/* Lower to upper by turning both orders around, zeros below. */
static void turn(float *a, size_t n)
{
	for (size_t i = 0, k = n * n - 1; i < k; i++, k--) {
		float t = a[i];

		a[i] = a[k];
		a[k] = t;
	}
	for (size_t i = 1; i < n; i++)
		memset(a + i * n, 0, i * sizeof *a);
}

static enum st attempts(struct work *w, const float *h, double mean, double *l, struct err *e)
{
	bool sound = false;

	for (int try = 0; try < TRIES && !sound; try++) {
		enum st st;

		reversed(w, h, mean);
		st = cholesky(w, &sound, l, e);
		if (st)
			return st;
		w->damping *= 10;
	}
	if (!sound)
		return err_set(e, ST_INVALID,
			"the second moments of %zu inputs have no factor: gather them again", w->n);
	return ST_OK;
}

enum st factor_inverse(float *u, const float *h, size_t n, double damping, const struct backend *be,
	const struct sink *s, struct err *e)
{
	struct work w = { .a = u, .n = n, .damping = damping, .be = be, .s = s };
	double mean = 0, *l = NULL;
	enum st st = ST_NOMEM;

	for (size_t i = 0; i < n * n; i++)
		if (!isfinite(h[i]))
			return err_set(e, ST_INVALID,
				"the second moments of %zu inputs hold a value that is no number: "
				"gather "
				"them again",
				n);
	for (size_t i = 0; i < n; i++)
		mean += (double)h[i * n + i] / (double)n;
	w.panel = big_array(n, NB * sizeof *w.panel, "factor of second moments", e);
	if (w.panel)
		w.inv = big_array(n, NB * sizeof *w.inv, "factor of second moments", e);
	if (w.inv)
		l = big_alloc(NB * NB * sizeof *l, "factor of second moments", e);
	if (l)
		st = attempts(&w, h, mean, l, e);
	if (!st)
		st = invert(&w, e);
	if (!st)
		turn(u, n);
	big_free(w.panel);
	big_free(w.inv);
	big_free(l);
	return st;
}
