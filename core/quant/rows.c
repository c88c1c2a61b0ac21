/* rows.c - rows in parallel, weights without what is no number. */
#include "core/quant/rows.h"

#include <stdatomic.h>

#include "core/base/alloc.h"
#include "core/quant/leaf.h"
#include "kernels/pool.h"

/* ---- rows in parallel */

struct piece {
	void (*fn)(void *arg, size_t row);
	void *arg;
	size_t first, rows, per_part;
};

static void run_part(void *arg, size_t part)
{
	const struct piece *p = arg;
	size_t at = p->first + part * p->per_part, end = at + p->per_part;

	for (; at < end && at < p->rows; at++)
		p->fn(p->arg, at);
}

enum st rows_run(size_t rows, size_t cols, double ns, void (*fn)(void *arg, size_t row), void *arg,
	const struct sink *s, struct err *e)
{
	/* Parts of about 0.5 ms, 20 a thread between two looks at the sink.  Rows do not
	 * depend on each other, so the cut changes no result. */
	double row_ns = ns * (double)cols + 1;
	size_t per_part = row_ns < 5e5 ? (size_t)(5e5 / row_ns) : 1, parts;
	double part_ns = row_ns * (double)per_part;
	size_t a_thread = part_ns < 1e7 ? (size_t)(1e7 / part_ns) : 1;
	size_t step = per_part * a_thread * (size_t)pool_threads();

	for (size_t at = 0; at < rows; at += step) {
		struct piece p = { fn, arg, at, rows, per_part };
		size_t n = rows - at < step ? rows - at : step;

		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped after %zu of %zu rows", at, rows);
		parts = (n + per_part - 1) / per_part;
		pool_run(run_part, &p, parts);
	}
	return ST_OK;
}

/* ---- weights */

struct check {
	const struct leaf *leaf;
	const struct quant_input *in;
	float *copy; /* NULL: only looks */
	atomic_bool odd;
};

enum { CHECK_PART = 1 << 16 }; /* weights */

static void check_part(void *arg, size_t part)
{
	struct check *c = arg;
	size_t n = c->in->rows * c->in->cols, at = part * CHECK_PART;
	size_t left = n - at < CHECK_PART ? n - at : CHECK_PART;

	if (!c->leaf->clean(c->copy ? c->copy + at : NULL, c->in->w + at, left))
		atomic_store_explicit(&c->odd, true, memory_order_relaxed);
}

static bool check(const struct quant_input *in, float *copy)
{
	struct check c = { .leaf = leaf_best(), .in = in, .copy = copy };

	atomic_init(&c.odd, false);
	pool_run(check_part, &c, (in->rows * in->cols + CHECK_PART - 1) / CHECK_PART);
	return !atomic_load(&c.odd);
}

void rows_copy(float *copy, const struct quant_input *in)
{
	check(in, copy);
}

static enum st new_copy(float **copy, const struct quant_input *in, struct err *e)
{
	*copy = big_array(in->rows * in->cols, sizeof **copy, "a linear's weights", e);
	if (!*copy)
		return ST_NOMEM;
	rows_copy(*copy, in);
	return ST_OK;
}

enum st rows_weights(const struct quant_input *in, const float **w, float **copy, struct err *e)
{
	enum st st = ST_OK;

	*copy = NULL;
	*w = in->w;
	if (!check(in, NULL)) {
		st = new_copy(copy, in, e);
		*w = *copy;
	}
	return st;
}

/* ---- both */

struct plain_run {
	rows_fn *fn;
	void *arg;
	const float *w;
	size_t rows, cols, height;
	atomic_bool odd;
};

static void plain_row(void *arg, size_t i)
{
	struct plain_run *p = arg;
	size_t row = i * p->height, left = p->rows - row;

	if (!p->fn(p->arg, p->w + row * p->cols, row, left < p->height ? left : p->height))
		atomic_store_explicit(&p->odd, true, memory_order_relaxed);
}

enum st rows_run_plain(const struct quant_input *in, size_t height, double ns, rows_fn *fn,
	void *arg, const struct sink *s, struct err *e)
{
	struct plain_run p = { fn, arg, in->w, in->rows, in->cols, height, false };
	size_t n = (in->rows + height - 1) / height;
	float *copy = NULL;
	enum st st = rows_run(n, in->cols * height, ns, plain_row, &p, s, e);

	/* Rare, so it is better done twice than always looked for before. */
	if (!st && atomic_load(&p.odd)) {
		st = new_copy(&copy, in, e);
		p.w = copy;
		if (!st)
			st = rows_run(n, in->cols * height, ns, plain_row, &p, s, e);
		big_free(copy);
	}
	return st;
}
