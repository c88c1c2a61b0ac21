/* clip.c - min-max over a smaller range where that leaves less error.
 *
 * Three steps a group (search-and-quantizers.md B1): both ends drawn in together, first in
 * wide steps, then in narrow ones; then each end by itself; then scale and offset by
 * least squares for the codes at hand, alternating with the codes (Lloyd 1982).  Errors
 * are measured under the fp16 statistics that will be stored, and the plain range is one
 * of the candidates: never worse than minmax.
 */
#include "core/quant/clip.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/lanes.h"

enum { COARSE = 12, REFITS = 8 };
static const double coarse = 0.06, fine = 0.02; /* of the range: down to a third of it */

struct group {
	const float *w, *weight;
	size_t n;
	int top;
	struct stats best;
	double error;
};

/* sum of weight * (w - the nearest of scale * code + offset)^2. */
BD_INLINE double group_error(const struct group *g, float scale, float offset)
{
	float inverse = scale ? 1 / scale : 0, top = (float)g->top;
	lanes sum = { 0 };

	for (size_t i = 0; i < g->n; i += LANES) {
		lanes x = lanes_load(g->w + i, g->n - i, 0) - offset, t = x * inverse;
		lanes d = x - scale * lanes_code(&t, top);

		sum += d * d * lanes_load(g->weight + i, g->n - i, 0);
	}
	return lanes_total(&sum);
}

BD_INLINE double stats_error(const struct group *g, struct stats st)
{
	return group_error(g, f16_to_f32(st.scale), f16_to_f32(st.offset));
}

BD_INLINE void try_stats(struct group *g, struct stats st)
{
	double error = stats_error(g, st);

	if (error < g->error) {
		g->error = error;
		g->best = st;
	}
}

/* The best range so far, under statistics that are not rounded. */
struct range {
	double lo, hi, error;
};

BD_INLINE void try_range(const struct group *g, struct range *r, double lo, double hi)
{
	double error = group_error(g, (float)((hi - lo) / g->top), (float)lo);

	if (error < r->error)
		*r = (struct range){ lo, hi, error };
}

static BD_HOT void search_range(struct group *g, double lo, double hi)
{
	static const int ends[] = { -4, -2, -1, 1, 2, 4 };
	double mid = (lo + hi) / 2, half = (hi - lo) / 2;
	struct range r = { lo, hi, INFINITY }, from;

	for (int i = 0; i < COARSE; i++)
		try_range(g, &r, mid - half * (1 - coarse * i), mid + half * (1 - coarse * i));
	from = r;
	for (int i = -2; i <= 2; i++)
		if (i)
			try_range(g, &r, from.lo + half * fine * i, from.hi - half * fine * i);
	from = r;
	for (int i = 0; i < 6; i++)
		try_range(g, &r, from.lo + half * 2 * fine * ends[i], from.hi);
	from = r;
	for (int i = 0; i < 6; i++)
		try_range(g, &r, from.lo, from.hi + half * 2 * fine * ends[i]);
	try_stats(g, stats_range((float)r.lo, (float)r.hi, g->top));
}

/* Weighted sums over a group of 1, q, q^2, w and q w for codes q under st. */
struct moments {
	double n, q, qq, w, qw;
};

BD_INLINE void code_moments(struct moments *m, const struct group *g, float scale, float offset)
{
	float inverse = scale ? 1 / scale : 0, top = (float)g->top;
	lanes n1 = { 0 }, q1 = { 0 }, q2 = { 0 }, w1 = { 0 }, qw = { 0 };

	for (size_t i = 0; i < g->n; i += LANES) {
		lanes x = lanes_load(g->w + i, g->n - i, 0), t = (x - offset) * inverse;
		lanes q = lanes_code(&t, top), v = lanes_load(g->weight + i, g->n - i, 0);

		n1 += v;
		q1 += v * q;
		q2 += v * q * q;
		w1 += v * x;
		qw += v * q * x;
	}
	*m = (struct moments){ lanes_sum(&n1), lanes_sum(&q1), lanes_sum(&q2), lanes_sum(&w1),
		lanes_sum(&qw) };
}

static BD_HOT void refit(struct group *g)
{
	for (int i = 0; i < REFITS; i++) {
		double before = g->error, det, scale, offset;
		struct moments m;

		code_moments(&m, g, f16_to_f32(g->best.scale), f16_to_f32(g->best.offset));
		det = m.n * m.qq - m.q * m.q;
		if (!(det > 0)) /* one code for all */
			return;
		scale = (m.n * m.qw - m.q * m.w) / det;
		offset = (m.w - scale * m.q) / m.n;
		if (!(scale > 0))
			return;
		try_stats(g, (struct stats){ stat_f16((float)scale), stat_f16((float)offset) });
		if (!(g->error < before))
			return;
	}
}

struct stats clip_group(const float *w, const float *weight, size_t n, int top)
{
	struct group g = { .w = w, .weight = weight, .n = n, .top = top };
	float lo, hi;

	group_range(w, n, &lo, &hi);
	g.best = stats_range(lo, hi, top);
	g.error = stats_error(&g, g.best);
	if (hi > lo) {
		search_range(&g, lo, hi);
		refit(&g);
	}
	return g.best;
}

/* ---- the quantizer */

struct job {
	const float *w;
	float *ones; /* [group] */
	struct qcodes *out;
};

static void do_row(void *arg, size_t row)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	int top = (1 << q->format.bits) - 1;

	for (size_t i = 0; i < groups; i++) {
		size_t at = row * q->cols + i * q->format.group, n = rows_group_len(q, i);
		struct stats st = clip_group(j->w + at, j->ones, n, top);

		q->scale[row * groups + i] = st.scale;
		q->offset[row * groups + i] = st.offset;
		group_codes(j->w + at, n, st, top, q->code + at);
	}
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .out = out };
	size_t n = rows_group_len(out, 0);
	float *copy;
	enum st st = rows_weights(in, &j.w, &copy, e);

	if (st)
		return st;
	j.ones = xarray(n, sizeof *j.ones);
	for (size_t i = 0; i < n; i++)
		j.ones[i] = 1;
	st = rows_run(out->rows, out->cols, 40, do_row, &j, s, e);
	xfree(j.ones);
	big_free(copy);
	return st;
}

extern const struct quantizer quantizer_clip;
const struct quantizer quantizer_clip = {
	.name = "clip",
	.summary = "min-max over the range that leaves the least squared error; no data",
	.version = 1,
	.run = run,
};
