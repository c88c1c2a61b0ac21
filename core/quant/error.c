/* error.c - the output error of codes under second moments. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/factor.h"
#include "core/quant/rows.h"

const struct backend *input_backend(const struct quant_input *in)
{
	const struct backend *b = in->backend;

	if (b && b->host_memory)
		return b;
	b = backend_find("cpu");
	return b && b->score() ? b : backend_find("ref");
}

/* Two buffers of `rows` rows: values and values * H. */
struct chunk {
	const struct quant_input *in;
	const struct backend *be;
	const float *w; /* in->w, made plain */
	size_t rows;
	float *x, *xh;
};

/* sum over the n rows in x of x H x^T. */
static double energy_of(const struct chunk *c, size_t n)
{
	size_t cols = c->in->cols;
	const float *h = c->x;
	double sum = 0;

	if (c->in->moments) { /* 2e-5 from what float gives, at most */
		c->be->gemm(false, false, n, cols, cols, 1, c->x, cols, c->in->moments, cols, 0,
			c->xh, cols, MATH_BF16X3);
		h = c->xh;
	}
	for (size_t i = 0; i < n; i++) {
		double row = 0;

		for (size_t k = 0; k < cols; k++)
			row += (double)c->x[i * cols + k] * (double)h[i * cols + k];
		sum += row;
	}
	return sum;
}

/* Energy of W (q NULL) or of W - Q. */
static enum st total(double *out, const struct chunk *c, const struct qcodes *q, struct err *e)
{
	size_t cols = c->in->cols, rows = c->in->rows;

	*out = 0;
	for (size_t at = 0; at < rows; at += c->rows) {
		size_t n = rows - at < c->rows ? rows - at : c->rows;

		if (sink_poll(c->in->sink))
			return err_set(e, ST_CANCELLED, "stopped after %zu of %zu rows", at, rows);
		if (!q)
			memcpy(c->x, c->w + at * cols, n * cols * sizeof *c->x);
		for (size_t i = 0; q && i < n; i++) {
			float *x = c->x + i * cols;
			const float *w = c->w + (at + i) * cols;

			qcodes_row(q, at + i, x);
			for (size_t k = 0; k < cols; k++)
				x[k] = w[k] - x[k];
		}
		*out += energy_of(c, n);
	}
	if (*out < 0) /* rounding */
		*out = 0;
	return ST_OK;
}

static enum st measure(double *out, const struct chunk *c, const struct qcodes *q, struct err *e)
{
	double error, energy;
	enum st st = total(&error, c, q, e);

	if (st)
		return st;
	if (!cache_energy(c->in, &energy)) {
		st = total(&energy, c, NULL, e);
		if (st)
			return st;
		cache_keep_energy(c->in, energy);
	}
	*out = energy > 0 ? error / energy : error > 0;
	return ST_OK;
}

enum st quant_error(
	double *out, const struct quant_input *in, const struct qcodes *q, struct err *e)
{
	struct chunk c = { .in = in, .be = input_backend(in) };
	/* About 10 ms of gemm between two looks at the sink. */
	double most = 2e8 / ((double)in->cols * (double)in->cols);
	float *copy;
	enum st st = rows_weights(in, &c.w, &copy, e);

	if (st)
		return st;
	c.rows = most < 16 ? 16 : most > (double)in->rows ? in->rows : (size_t)most;
	st = ST_NOMEM;
	c.x = big_array(c.rows, in->cols * sizeof *c.x, "rows of a linear", e);
	if (c.x)
		c.xh = big_array(c.rows, in->cols * sizeof *c.xh, "rows of a linear", e);
	if (c.xh)
		st = measure(out, &c, q, e);
	big_free(c.x);
	big_free(c.xh);
	big_free(copy);
	return st;
}
