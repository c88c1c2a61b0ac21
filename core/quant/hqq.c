/* hqq.c - half-quadratic quantization (Badri and Shaji 2023; search-and-quantizers.md B2).
 *
 * min |W - (q - z) / s|_p^p with p = 0.7 over codes q and zero z, s fixed by the range:
 * the error is split off by shrinkage, then z = mean(q - (W - E) s).  The package hqq
 * (optimize_weights_proximal_v2) stops when the mean error of the whole tensor rises;
 * here each row is its own tensor, so that rows run in parallel.  The result is stored
 * as W = scale * q + offset with scale = 1 / s, offset = -z / s in fp16, and the codes
 * are the nearest under what is stored.
 */
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/lanes.h"
#include "core/quant/rows.h"

enum { HQQ_ITERATIONS = 40, HQQ_WORK = 4 /* floats a group */ };

/* beta of each iteration, and the largest error that shrinks to nothing under it. */
struct hqq_plan {
	float beta[HQQ_ITERATIONS], quiet[HQQ_ITERATIONS];
};

static const float lp_norm = 0.7f;
static const double beta_first = 10, kappa = 1.01;
static const float inverse_scale_max = 2e4f; /* the package's guard for half precision */
static const float range_min = 1e-4f;        /* below it the package gives the scale up */

static void hqq_plan_init(struct hqq_plan *p)
{
	double beta = beta_first;

	for (int i = 0; i < HQQ_ITERATIONS; i++) {
		p->beta[i] = (float)beta;
		/* x - x^(p-1) / beta > 0 from here on; a little less for rounding. */
		p->quiet[i] = (float)(0.9999 * pow(beta, -1 / (2 - 0.7)));
		beta *= kappa;
	}
}

/* One group under inverse scale s and zero: the next zero, and sum |error|. */
struct step {
	double error;
	float zero, worst;
};

BD_INLINE struct step group_step(
	const float *w, size_t n, float s, float zero, float top, float beta, bool shrink)
{
	const lanes none = { 0 };
	float scale = 1 / s;
	lanes error = none, sum = none, worst = none;

	for (size_t i = 0; i < n; i += LANES) {
		lanes x = lanes_load(w + i, n - i, 0), t = x * s, u = t + zero;
		lanes q = lanes_code(&u, top), d = x - (q - zero) * scale, a;

		lanes_keep(&d, n - i);
		a = lanes_abs(d);
		error += a;
		worst = lanes_max(a, worst);
		if (shrink) {
			lanes left = a - lanes_pow(&a, lp_norm - 1) / beta;

			left = lanes_max(left, none);
			t = (x - lanes_where(d < 0, -left, left)) * s;
		}
		q -= t;
		lanes_keep(&q, n - i);
		sum += q;
	}
	return (struct step){ lanes_sum(&error), (float)(lanes_sum(&sum) / (double)n),
		lanes_most(&worst) };
}

static BD_HOT void group_iterate(struct step *out, const float *w, size_t n, float s, float zero,
	float top, float beta, float quiet)
{
	*out = group_step(w, n, s, zero, top, beta, false);
	/* Mostly all errors shrink to nothing, and the powers can be spared. */
	if (out->worst > quiet)
		*out = group_step(w, n, s, zero, top, beta, true);
}

/* Inverse scale and zero of the plain range; false: the range is too small for them. */
static bool start(const float *w, size_t n, float top, float *s, float *zero)
{
	float lo, hi;

	group_range(w, n, &lo, &hi);
	if (!(hi - lo > range_min))
		return false;
	*s = top / (hi - lo);
	if (*s > inverse_scale_max)
		*s = inverse_scale_max;
	*zero = -lo * *s;
	return true;
}

/* One iteration over all groups: sum |error| under zero, and the zeros to try next. */
static double sweep(const struct hqq_plan *p, int it, const float *w, size_t cols, size_t group,
	float top, const float *s, const float *zero, float *next)
{
	double error = 0;

	for (size_t g = 0, c = 0; c < cols; g++, c += group) {
		struct step t;

		if (!s[g]) /* stays at its plain range */
			continue;
		group_iterate(&t, w + c, cols - c < group ? cols - c : group, s[g], zero[g], top,
			p->beta[it], p->quiet[it]);
		error += t.error;
		next[g] = t.zero;
	}
	return error;
}

static struct stats plain_stats(const float *w, size_t n, int top)
{
	float lo, hi;

	group_range(w, n, &lo, &hi);
	return stats_range(lo, hi, top);
}

/* Statistics of one row w[cols] in groups of `group`; work: HQQ_WORK floats a group. */
static void hqq_row(const struct hqq_plan *p, const float *w, size_t cols, size_t group, int top,
	uint16_t *scale, uint16_t *offset, float *work)
{
	size_t groups = mat_groups(cols, group);
	float *s = work, *zero = s + groups, *next = zero + groups, *kept = next + groups;
	double best = INFINITY;

	for (size_t g = 0, c = 0; g < groups; g++, c += group)
		if (!start(w + c, cols - c < group ? cols - c : group, (float)top, s + g, zero + g))
			s[g] = zero[g] = 0;
	for (int it = 0; it < HQQ_ITERATIONS; it++) {
		double error = sweep(p, it, w, cols, group, (float)top, s, zero, next);

		if (!(error < best)) {
			memcpy(zero, kept, groups * sizeof *zero);
			break;
		}
		best = error;
		memcpy(kept, zero, groups * sizeof *zero);
		memcpy(zero, next, groups * sizeof *zero);
	}
	for (size_t g = 0, c = 0; g < groups; g++, c += group) {
		struct stats st = { 0 };

		if (s[g])
			st = (struct stats){ stat_f16(1 / s[g]), stat_f16(-zero[g] / s[g]) };
		else
			st = plain_stats(w + c, cols - c < group ? cols - c : group, top);
		scale[g] = st.scale;
		offset[g] = st.offset;
	}
}

/* ---- the quantizer */

struct job {
	const float *w;
	struct qcodes *out;
	struct hqq_plan plan;
	float *work; /* [rows][groups][4] */
};

static void do_row(void *arg, size_t row)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	int top = (1 << q->format.bits) - 1;
	const float *w = j->w + row * q->cols;
	uint16_t *scale = q->scale + row * groups, *offset = q->offset + row * groups;

	hqq_row(&j->plan, w, q->cols, q->format.group, top, scale, offset,
		j->work + row * groups * HQQ_WORK);
	for (size_t g = 0; g < groups; g++) {
		size_t at = g * q->format.group;

		group_codes(w + at, rows_group_len(q, g), (struct stats){ scale[g], offset[g] },
			top, q->code + row * q->cols + at);
	}
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .out = out };
	float *copy;
	enum st st = rows_weights(in, &j.w, &copy, e);

	if (st)
		return st;
	hqq_plan_init(&j.plan);
	j.work = big_array(out->rows, rows_groups(out) * HQQ_WORK * sizeof *j.work,
		"statistics of a linear", e);
	st = j.work ? rows_run(out->rows, out->cols, 10, do_row, &j, s, e) : ST_NOMEM;
	big_free(j.work);
	big_free(copy);
	return st;
}

extern const struct quantizer quantizer_hqq;
const struct quantizer quantizer_hqq = {
	.name = "hqq",
	.summary = "half-quadratic: moves the offset of each group until errors are few and small; "
		   "no data",
	.version = 1,
	.run = run,
};
