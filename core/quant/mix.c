/* mix.c - the order of a channel-mix, and its codes. */
#include "core/quant/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/rows.h"

/* ---- the order */

static void add_errors(double *cost, const float *w, const struct qcodes *q, float *row)
{
	for (size_t r = 0; r < q->rows; r++) {
		const float *x = w + r * q->cols;

		qcodes_row(q, r, row);
		for (size_t c = 0; c < q->cols; c++) {
			double d = (double)x[c] - (double)row[c];

			cost[c] += d * d;
		}
	}
}

enum st mix_costs(double *cost, const struct quant_input *in, struct format f, const struct sink *s,
	struct err *e)
{
	struct quant_input plain = *in;
	struct qcodes q = { 0 };
	float *copy = NULL, *row;
	enum st st = rows_weights(in, &plain.w, &copy, e);

	memset(cost, 0, in->cols * sizeof *cost);
	if (!st)
		st = qcodes_alloc(&q, f, in->rows, in->cols, e);
	if (!st)
		st = quantizer_find(quantizer_data_free)->run(&plain, &q, s, e);
	if (!st) {
		row = xarray(in->cols, sizeof *row);
		add_errors(cost, plain.w, &q, row);
		xfree(row);
	}
	for (size_t c = 0; !st && in->moments && c < in->cols; c++)
		cost[c] *= (double)in->moments[c * in->cols + c];
	qcodes_release(&q);
	big_free(copy);
	return st;
}

struct ranked {
	double cost;
	uint16_t at;
};

static int dearest_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return (x->at > y->at) - (x->at < y->at);
}

void mix_order(uint16_t *order, const double *cost, size_t cols)
{
	struct ranked *r = xarray(cols, sizeof *r);

	for (size_t c = 0; c < cols; c++)
		r[c] = (struct ranked){ .cost = isfinite(cost[c]) ? cost[c] : 0,
			.at = (uint16_t)c };
	qsort(r, cols, sizeof *r, dearest_first);
	for (size_t c = 0; c < cols; c++)
		order[c] = r[c].at;
	xfree(r);
}

double mix_share(
	const uint16_t *order, const double *low, const double *high, size_t cols, size_t raised)
{
	double all_low = 0, all_high = 0, mix = 0;

	for (size_t c = 0; c < cols; c++) {
		size_t at = order[c];

		all_low += low[at];
		all_high += high[at];
		mix += c < raised ? high[at] : low[at];
	}
	if (!(all_low > all_high))
		return (double)NAN;
	return fmin(1, fmax(0, (all_low - mix) / (all_low - all_high)));
}

/* ---- codes */

/* out[r][c] = w[r][order[c]] */
static void columns(
	float *out, const float *w, size_t rows, size_t ld, const uint16_t *order, size_t cols)
{
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c++)
			out[r * cols + c] = w[r * ld + order[c]];
}

static enum st by_parts(const struct quantizer *by, const struct quant_input *in,
	struct qcodes *out, const struct sink *s, struct err *e)
{
	const uint16_t *order = out->order;
	enum st st = ST_OK;

	for (int i = 0; i < 2 && !st; i++) {
		struct qcodes *p = &out->part[i];
		float *w = big_array(p->rows, p->cols * sizeof *w, "a linear's weights", e);
		struct quant_input some = *in;

		if (!w)
			return ST_NOMEM;
		columns(w, in->w, p->rows, in->cols, order, p->cols);
		some.w = w;
		some.cols = p->cols;
		some.moments = NULL;
		some.cache = NULL;
		st = by->run(&some, p, s, e);
		big_free(w);
		order += p->cols;
	}
	return st;
}

static enum st as_whole(const struct quantizer *by, const struct quant_input *in,
	struct qcodes *out, const struct sink *s, struct err *e)
{
	size_t n = in->cols;
	struct quant_input turned = *in;
	float *w, *h = NULL;
	enum st st = ST_NOMEM;

	w = big_array(in->rows, n * sizeof *w, "a linear's weights", e);
	if (w)
		h = big_array(n, n * sizeof *h, "second moments in another order", e);
	if (h) {
		columns(w, in->w, in->rows, n, out->order, n);
		for (size_t r = 0; r < n; r++)
			columns(h + r * n, in->moments + out->order[r] * n, 1, n, out->order, n);
		turned.w = w;
		turned.moments = h;
		turned.cache = NULL; /* its keys are addresses, and these are about to be freed */
		st = by->run(&turned, out, s, e);
	}
	big_free(w);
	big_free(h);
	return st;
}

enum st mix_quantize(const struct quantizer *by, const struct quant_input *in, struct qcodes *out,
	const struct sink *s, struct err *e)
{
	double *cost = xarray(in->cols, sizeof *cost);
	enum st st = mix_costs(cost, in, format_low(out->format), s, e);

	if (!st)
		mix_order(out->order, cost, in->cols);
	xfree(cost);
	if (st)
		return st;
	return by->needs_moments && in->moments ? as_whole(by, in, out, s, e)
						: by_parts(by, in, out, s, e);
}
