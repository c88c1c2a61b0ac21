/* predict.c - a monotone correction of additive damages. */
#include "core/search/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LEAST = 1e-9, MOST = 1e4;  /* nats that a point may have */
static const double NEAR = 1e-300, FAR = 1e12; /* sums beyond count as these */
static const double UNKNOWN_SE = 0.05;         /* of kl: what 2,048 tokens give (D.7) */
/* Of log KL: better is not believed, worse says no less. */
static const double EXACT_VAR = 1e-12, VAGUE_VAR = 1e6;

/* Where single damages are known to add up, and how well (D.7: 0.85 to 1.05). */
static const double ANCHOR = 0.03, ANCHOR_VAR = 0.1 * 0.1;
/* Variance of the walk a unit of log S, below and above the knee: the squared steps of log
 * (KL / S) along the dial's row of D.7 are 0.006 a unit below and 0.16 above it. */
static const double KNEE = 0.5, WALK_BELOW = 0.01, WALK_ABOVE = 0.1;

static const double SAME = 0.005;       /* sums nearer than this in logs are one point */
static const double SLOPE_LEAST = 0.05; /* d log KL / d log S */
static const double GAMMA_LEAST = 0.7, GAMMA_MOST = 1.3;
/* A jump between two layouts says nothing of what an error in S does to either. */
static const double SLOPE_SE_MOST = 2;
/* Layouts scatter around any smooth curve (A.4: 0.06 to 0.2); gamma's prior is 1 +- 0.5. */
static const double SCATTER_VAR = 0.1 * 0.1, GAMMA_VAR = 0.5 * 0.5;

/* A node before it is smoothed. */
struct seen {
	double x, r, var; /* r = log KL - x, observed with var; INFINITY: not observed */
};

/* ---- points */

/* Variance of log KL. */
static double relative_var(const struct predict_point *q)
{
	double rel = q->se >= 0 ? q->se / q->kl : UNKNOWN_SE;

	return fmin(fmax(rel * rel, EXACT_VAR), VAGUE_VAR);
}

/* Two points become one where they are, in logs, weighted by their errors. */
static void average_into(struct predict_point *to, const struct predict_point *q)
{
	double vt = relative_var(to), vq = relative_var(q), w = vt / (vt + vq);

	to->sum = exp(log(to->sum) + w * (log(q->sum) - log(to->sum)));
	to->kl = exp(log(to->kl) + w * (log(q->kl) - log(to->kl)));
	to->se = to->kl * sqrt(vt * vq / (vt + vq));
}

bool predict_add(struct predict *p, double sum, double kl, double se)
{
	const struct predict_point q = { sum, kl, se };
	size_t near = 0;

	if (!(sum >= LEAST && sum <= MOST && kl >= LEAST && kl <= MOST) || isinf(se))
		return false;
	if (p->n < PREDICT_MAX) {
		p->at[p->n++] = q;
		return true;
	}
	for (size_t i = 1; i < p->n; i++)
		if (fabs(log(p->at[i].sum / sum)) < fabs(log(p->at[near].sum / sum)))
			near = i;
	average_into(&p->at[near], &q);
	return true;
}

/* ---- the fit */

/* The walk's variance from x = 0 to x; differences of it are what counts. */
static double walked(double x)
{
	double over = x - log(KNEE);

	return over > 0 ? WALK_BELOW * log(KNEE) + WALK_ABOVE * over : WALK_BELOW * x;
}

static int by_sum(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->x != y->x)
		return x->x < y->x ? -1 : 1;
	if (x->r != y->r)
		return x->r < y->r ? -1 : 1;
	return (x->var > y->var) - (x->var < y->var);
}

/* Points with almost the same sum become one, whose variance holds their disagreement. */
static struct seen merge(const struct seen *s, size_t n)
{
	double weight = 0, x = 0, r = 0, off = 0;

	for (size_t i = 0; i < n; i++) {
		weight += 1 / s[i].var;
		x += (s[i].x - s[0].x) / s[i].var;
		r += (s[i].r - s[0].r) / s[i].var;
	}
	r = s[0].r + r / weight;
	for (size_t i = 0; i < n; i++)
		off += (s[i].r - r) * (s[i].r - r) / s[i].var;
	return (struct seen){ s[0].x + x / weight, r, 1 / weight + off / weight / (double)n };
}

/* Returns how many are left. */
static size_t read_points(struct seen *s, const struct predict *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct predict_point *q = &p->at[i];

		s[i] = (struct seen){ log(q->sum), log(q->kl) - log(q->sum), relative_var(q) };
	}
	qsort(s, p->n, sizeof *s, by_sum);
	for (size_t i = 0, j; i < p->n; i = j) {
		for (j = i + 1; j < p->n && s[j].x - s[i].x < SAME;)
			j++;
		s[n++] = merge(&s[i], j - i);
	}
	return n;
}

/* Weighted least squares of log KL = log a + gamma x; gamma - 1 is the slope of r. */
static void fit_base(struct predict *p, const struct seen *s, size_t n)
{
	double weight = 0, x = 0, r = 0, xx = 0, xr = 0, slope;

	for (size_t i = 0; i < n; i++) {
		double w = 1 / (s[i].var + SCATTER_VAR);

		weight += w;
		x += w * s[i].x;
		r += w * s[i].r;
	}
	x /= weight;
	r /= weight;
	for (size_t i = 0; i < n; i++) {
		double w = 1 / (s[i].var + SCATTER_VAR);

		xx += w * (s[i].x - x) * (s[i].x - x);
		xr += w * (s[i].x - x) * (s[i].r - r);
	}
	slope = fmin(fmax(xr / (xx + 1 / GAMMA_VAR), -0.9), 9); /* a stays finite */
	p->gamma = 1 + slope;
	p->a = exp(r - slope * x);
}

/* A node nobody measured, unless there is one almost there. */
static size_t insert(struct seen *s, size_t n, double x)
{
	size_t i = n;

	for (size_t j = 0; j < n; j++)
		if (fabs(s[j].x - x) < SAME)
			return n;
	for (; i > 0 && s[i - 1].x > x; i--)
		s[i] = s[i - 1];
	s[i] = (struct seen){ x, 0, INFINITY };
	return n + 1;
}

/* Kalman filter upwards, Rauch-Tung-Striebel smoother downwards; the walk has no drift. */
static void smooth(struct predict_node *node, const struct seen *s, size_t n)
{
	double r = 0, var = ANCHOR_VAR;

	for (size_t i = 0; i < n; i++) {
		double gain;

		if (i)
			var += walked(s[i].x) - walked(s[i - 1].x);
		gain = isinf(s[i].var) ? 0 : var / (var + s[i].var);
		r += gain * (s[i].r - r);
		if (gain > 0)
			var = gain * s[i].var; /* (1 - gain) var, without cancellation */
		node[i] = (struct predict_node){ s[i].x, r, var };
	}
	for (size_t i = n - 1; i-- > 0;) {
		double ahead = node[i].var + walked(s[i + 1].x) - walked(s[i].x);
		double c = node[i].var / ahead;

		node[i].y += c * (node[i + 1].y - node[i].y);
		node[i].var += c * c * (node[i + 1].var - ahead);
	}
	for (size_t i = 0; i < n; i++) {
		node[i].y += node[i].x;
		node[i].var = node[i].var > EXACT_VAR ? node[i].var : EXACT_VAR;
	}
}

/* Pools adjacent violators of y - SLOPE_LEAST x (Ayer and others 1955): what is left rises
 * at least by that slope.  A node that had to move is as uncertain as it moved. */
static void make_monotone(struct predict_node *node, size_t n)
{
	struct {
		double z, weight;
		size_t end;
	} pool[PREDICT_MAX + 2];
	size_t pools = 0;

	for (size_t i = 0; i < n; i++) {
		double z = node[i].y - SLOPE_LEAST * node[i].x, weight = 1 / node[i].var;

		for (; pools && pool[pools - 1].z > z; pools--) {
			weight += pool[pools - 1].weight;
			z += (pool[pools - 1].z - z) * pool[pools - 1].weight / weight;
		}
		pool[pools].z = z;
		pool[pools].weight = weight;
		pool[pools++].end = i + 1;
	}
	for (size_t i = 0, j = 0; i < n; i++) {
		double y, off;

		if (i == pool[j].end)
			j++;
		y = pool[j].z + SLOPE_LEAST * node[i].x;
		off = y - node[i].y;
		node[i].y = y;
		node[i].var += off * off;
	}
}

void predict_fit(struct predict *p)
{
	struct seen s[PREDICT_MAX + 2];
	size_t n = read_points(s, p);

	p->a = 1;
	p->gamma = 1;
	p->nodes = 0;
	if (!n)
		return;
	fit_base(p, s, n);
	if (s[0].x > log(ANCHOR)) /* until something smaller has been measured */
		n = insert(s, n, log(ANCHOR));
	if (s[0].x < log(KNEE) && s[n - 1].x > log(KNEE))
		n = insert(s, n, log(KNEE));
	smooth(p->node, s, n);
	make_monotone(p->node, n);
	p->nodes = n;
}

/* ---- answers */

/* log KL at x; its slope there and its variance. */
static double curve(const struct predict *p, double x, double *slope, double *var)
{
	const struct predict_node *a = p->node, *b;
	size_t lo = 0, hi = p->nodes;
	double done, gap;

	while (lo < hi) { /* the first node beyond x */
		size_t mid = lo + (hi - lo) / 2;

		if (p->node[mid].x <= x)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || lo == p->nodes) {
		a += lo ? lo - 1 : 0;
		*slope = lo ? fmin(fmax(p->gamma, GAMMA_LEAST), GAMMA_MOST) : 1;
		*var = a->var + fabs(walked(x) - walked(a->x));
		return a->y + *slope * (x - a->x);
	}
	a += lo - 1;
	b = a + 1;
	gap = walked(b->x) - walked(a->x);
	done = (walked(x) - walked(a->x)) / gap;
	*slope = (b->y - a->y) / (b->x - a->x);
	/* a bridge; its ends' errors are taken as moving together, which they mostly do */
	*var = (1 - done) * a->var + done * b->var + gap * done * (1 - done);
	return a->y + *slope * (x - a->x);
}

double predict_kl(const struct predict *p, double sum, double sum_se, double *se)
{
	double x = log(fmin(fmax(sum, NEAR), FAR)), slope = 1, ratio = 1, kl = sum, var;

	if (isnan(sum)) {
		if (se)
			*se = sum;
		return sum;
	}
	if (p->nodes) {
		double y = curve(p, x, &slope, &var);

		kl = exp(y);
		ratio = exp(y - x);
	} else {
		var = ANCHOR_VAR + fabs(walked(x) - walked(log(ANCHOR)));
	}
	kl = sum > 0 ? kl : 0;
	if (se) {
		double noise = isnan(sum_se) ? 0 : ratio * fmin(slope, SLOPE_SE_MOST) * sum_se;

		*se = hypot(noise, kl * sqrt(var));
	}
	return kl;
}

bool predict_missed(double kl, double se, double predicted, double predicted_se)
{
	double a = isnan(se) ? 0 : se, b = isnan(predicted_se) ? 0 : predicted_se;

	if (isnan(se) && isnan(predicted_se))
		return false;
	return fabs(kl - predicted) > 2 * sqrt(a * a + b * b);
}
