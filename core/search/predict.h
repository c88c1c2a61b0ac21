/* predict.h - from a sum of single-linear damages to the KL of the whole layout.
 *
 * The sum S of what each linear does alone is right while it is small and falls short above
 * about 0.5 nats (CONTRIBUTING.md, Predictions lean on the sum).  The correction KL = g(S), fitted
 * to measured layouts, works on the residual r = log KL - log S over x = log S:
 *   - r is a random walk in x whose variance grows by 0.01 a unit of x below S = 0.5 and
 *     0.1 above (fitted to layouts of the default model), and which starts at r = 0 +- 0.1 at S = 0.03;
 *   - measured points are observed with se / KL; a Kalman smoother gives r and its variance
 *     at each of them, so the curve goes through exact points and near noisy ones;
 *   - log KL is then made monotone by pooling adjacent violators, with a least slope;
 *   - between points log KL is linear in x; below the lowest one KL / S is constant; above
 *     the highest it goes on as KL ~ S^gamma, gamma within [0.7, 1.3].
 * a and gamma are of KL = a S^gamma, least squares in logs pulled weakly to gamma = 1
 * (A.5), gamma within [0.1, 10]: with one point gamma is 1 and a is its ratio.  No point:
 * KL = S, with the error of the walk.
 *
 * A struct predict is a plain value: copy it, zero it, no memory behind it; one thread writes.
 * Nothing fails: what cannot be used is not added.  The answers are never NAN for a number
 * and rise strictly with S within [1e-9, 1e12].
 */
#ifndef BD_SEARCH_PREDICT_H
#define BD_SEARCH_PREDICT_H

#include <stdbool.h>
#include <stddef.h>

enum { PREDICT_MAX = 128 };

struct predict_point {
	double sum, kl, se; /* nats a token; se of kl */
};

struct predict_node {
	double x, y, var; /* log S, log KL, variance of log KL */
};

/* All zero is a prediction without points. */
struct predict {
	size_t n;
	struct predict_point at[PREDICT_MAX]; /* measured, in the order they came */

	/* by predict_fit */
	double a, gamma;
	size_t nodes;
	struct predict_node node[PREDICT_MAX + 2]; /* ascending x and y */
};

/* A measured layout: the sum of its cells, its KL, the standard error of that (NAN or
 * negative: unknown, then 5 % of kl; 0: exact).  false: not used, because sum or kl is not
 * within [1e-9, 1e4] (keep everywhere is 0 without being told) or se is infinite.  When
 * full, the point is averaged into the nearest. */
bool predict_add(struct predict *p, double sum, double kl, double se);
void predict_fit(struct predict *p); /* after the last predict_add, before the next question */

/* KL of a layout whose damages sum up to `sum`; 0 for a sum of 0 or less, NAN for NAN.
 * sum_se: standard error of the sum (NAN: unknown, counts as 0).  se or NULL: sum_se times
 * the curve's slope, and the curve's own error, which grows with the distance in log S
 * from what was measured; NAN for NAN. */
double predict_kl(const struct predict *p, double sum, double sum_se, double *se);

/* Measured and predicted (before the point was added) differ by more than two standard
 * errors of the difference.  An unknown (NAN) error counts as 0; false when both are, or
 * when a KL is NAN. */
bool predict_missed(double kl, double se, double predicted, double predicted_se);

#endif
