/* rows.c - rows in parallel, groups on a grid of fp16 statistics. */
#include "core/quant/rows.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/lanes.h"
#include "kernels/pool.h"

static const float f16_largest = 65504.0f;

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

/* Comparisons with NaN are false, so one test finds all that needs care. */
static bool is_plain(const float *w, size_t n)
{
	bool plain = true;

	for (size_t i = 0; i < n; i++)
		plain &= fabsf(w[i]) <= f16_largest;
	return plain;
}

enum st rows_weights(const struct quant_input *in, const float **w, float **copy, struct err *e)
{
	size_t n = in->rows * in->cols;

	*copy = NULL;
	*w = in->w;
	if (is_plain(in->w, n))
		return ST_OK;
	*copy = big_array(n, sizeof **copy, "a linear's weights", e);
	if (!*copy)
		return ST_NOMEM;
	for (size_t i = 0; i < n; i++)
		(*copy)[i] =
			isnan(in->w[i]) ? 0 : fmaxf(-f16_largest, fminf(f16_largest, in->w[i]));
	*w = *copy;
	return ST_OK;
}

/* ---- groups */

uint16_t stat_f16(float x)
{
	return f16_from_f32(x > f16_largest ? f16_largest : x < -f16_largest ? -f16_largest : x);
}

struct stats stats_range(float lo, float hi, int top)
{
	struct stats st;
	double scale;

	st.scale = stat_f16((float)(((double)hi - (double)lo) / top));
	scale = (double)f16_to_f32(st.scale);
	/* What the rounded scale lacks or has too much is shared by both ends. */
	st.offset = stat_f16((float)(((double)lo + (double)hi) / 2 - scale * top / 2));
	return st;
}

BD_HOT void group_range(const float *w, size_t n, float *lo, float *hi)
{
	lanes a = lanes_all(w[0]), b = a;

	for (size_t i = 0; i < n; i += LANES) {
		lanes x = lanes_load(w + i, n - i, w[0]);

		a = lanes_min(x, a);
		b = lanes_max(x, b);
	}
	*lo = lanes_least(&a);
	*hi = lanes_most(&b);
}

BD_HOT void group_codes(const float *w, size_t n, struct stats st, int top, uint8_t *code)
{
	float scale = f16_to_f32(st.scale), offset = f16_to_f32(st.offset);
	float inverse = scale ? 1 / scale : 0;

	for (size_t i = 0; i < n; i += LANES) {
		lanes x = (lanes_load(w + i, n - i, 0) - offset) * inverse;
		ilanes c = __builtin_convertvector(lanes_code(&x, (float)top), ilanes);
		size_t m = n - i < LANES ? n - i : LANES;

		for (size_t k = 0; k < m; k++)
			code[i + k] = (uint8_t)c[k];
	}
}
