/* clip.c - min-max over a smaller range where that leaves less error.
 *
 * Three steps a group (search-and-quantizers.md B1): both ends drawn in together in 40
 * steps; then each end by itself; then scale and offset by least squares for the codes
 * at hand, alternating with the codes (Lloyd 1982).  Errors are measured under the fp16
 * statistics that will be stored, and the plain range is one of the candidates: never
 * worse than minmax.
 */
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/lanes.h"
#include "core/quant/rows.h"

enum { STEPS = 40, REFITS = 8 };
static const double shrink_step = 0.02; /* of the range: down to a fifth of it */

struct group {
	const float *w;
	size_t n;
	int top;
	struct stats best;
	double error;
};

static void try_stats(struct group *g, struct stats st)
{
	double error = group_error(g->w, g->n, f16_to_f32(st.scale), f16_to_f32(st.offset), g->top);

	if (error < g->error) {
		g->error = error;
		g->best = st;
	}
}

/* The best range so far, under statistics that are not rounded. */
struct range {
	double lo, hi, error;
};

static void try_range(const struct group *g, struct range *r, double lo, double hi)
{
	double error = group_error(g->w, g->n, (float)((hi - lo) / g->top), (float)lo, g->top);

	if (error < r->error)
		*r = (struct range){ lo, hi, error };
}

static void search_range(struct group *g, double lo, double hi)
{
	double mid = (lo + hi) / 2, half = (hi - lo) / 2, step = 2 * shrink_step * half;
	struct range r = { lo, hi, INFINITY };

	for (int i = 0; i < STEPS; i++) {
		double h = half * (1 - shrink_step * i);

		try_range(g, &r, mid - h, mid + h);
	}
	for (int round = 0; round < 2; round++) {
		struct range from = r;

		for (int i = -4; i <= 4; i++)
			if (i)
				try_range(g, &r, from.lo + i * step, from.hi);
		from = r;
		for (int i = -4; i <= 4; i++)
			if (i)
				try_range(g, &r, from.lo, from.hi + i * step);
	}
	try_stats(g, stats_range((float)r.lo, (float)r.hi, g->top));
}

/* Sums over a group of q, q^2, w and q w for codes under st. */
struct moments {
	double q, qq, w, qw;
};

static BD_HOT void code_moments(
	struct moments *m, const float *w, size_t n, float scale, float offset, float top)
{
	float inverse = scale ? 1 / scale : 0;
	lanes q1 = { 0 }, q2 = { 0 }, w1 = { 0 }, qw = { 0 };

	for (size_t i = 0; i < n; i += LANES) {
		lanes x = lanes_load(w + i, n - i, 0), t = (x - offset) * inverse;
		lanes q = lanes_code(&t, top);

		lanes_keep(&q, n - i);
		q1 += q;
		q2 += q * q;
		w1 += x;
		qw += q * x;
	}
	*m = (struct moments){ lanes_sum(&q1), lanes_sum(&q2), lanes_sum(&w1), lanes_sum(&qw) };
}

static void refit(struct group *g)
{
	for (int i = 0; i < REFITS; i++) {
		double before = g->error, n = (double)g->n, det, scale, offset;
		struct moments m;

		code_moments(&m, g->w, g->n, f16_to_f32(g->best.scale), f16_to_f32(g->best.offset),
			(float)g->top);
		det = n * m.qq - m.q * m.q;
		if (det <= 0) /* one code for all */
			return;
		scale = (n * m.qw - m.q * m.w) / det;
		offset = (m.w - scale * m.q) / n;
		if (!(scale > 0))
			return;
		try_stats(g, (struct stats){ stat_f16((float)scale), stat_f16((float)offset) });
		if (!(g->error < before))
			return;
	}
}

struct job {
	const float *w;
	struct qcodes *out;
};

static void do_row(void *arg, size_t row)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	int top = (1 << q->format.bits) - 1;

	for (size_t i = 0; i < groups; i++) {
		size_t at = row * q->cols + i * q->format.group;
		struct group g = { .w = j->w + at, .n = rows_group_len(q, i), .top = top };
		float lo, hi;

		group_range(g.w, g.n, &lo, &hi);
		g.best = stats_range(lo, hi, top);
		g.error = group_error(
			g.w, g.n, f16_to_f32(g.best.scale), f16_to_f32(g.best.offset), top);
		if (hi > lo) {
			search_range(&g, lo, hi);
			refit(&g);
		}
		q->scale[row * groups + i] = g.best.scale;
		q->offset[row * groups + i] = g.best.offset;
		group_codes(g.w, g.n, g.best, top, q->code + at);
	}
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .out = out };
	float *copy;
	enum st st = rows_weights(in, &j.w, &copy, e);

	if (!st)
		st = rows_run(out->rows, out->cols, 40, do_row, &j, s, e);
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
