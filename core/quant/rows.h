/* rows.h - what quantizers share: rows in parallel, groups on a grid of fp16 statistics.
 *
 * Private to core/quant.  rows_run on the engine thread; the rest is pure, any thread.
 */
#ifndef BD_QUANT_ROWS_H
#define BD_QUANT_ROWS_H

#include "core/quant/quantizer.h"

/* fn for every row once, on all threads of the pool; polls s about every 10 ms when one
 * weight takes ns nanoseconds. */
BD_MUST_USE enum st rows_run(size_t rows, size_t cols, double ns, void (*fn)(void *arg, size_t row),
	void *arg, const struct sink *s, struct err *e);

/* The weights, or where some are no number or beyond fp16 a copy in which they are 0 or
 * the largest fp16 (big_free *copy). */
BD_MUST_USE enum st rows_weights(
	const struct quant_input *in, const float **w, float **copy, struct err *e);

static inline size_t rows_groups(const struct qcodes *q)
{
	return mat_groups(q->cols, q->format.group);
}

/* Inputs in group g. */
static inline size_t rows_group_len(const struct qcodes *q, size_t g)
{
	size_t left = q->cols - g * q->format.group;

	return left < q->format.group ? left : q->format.group;
}

/* Nearest fp16 that is finite. */
uint16_t stat_f16(float x);

/* One group of one row in its stored statistics. */
struct stats {
	uint16_t scale, offset;
};

/* The statistics of lo ... hi at codes 0 ... top. */
struct stats stats_range(float lo, float hi, int top);
void group_range(const float *w, size_t n, float *lo, float *hi);
/* Nearest codes under st. */
void group_codes(const float *w, size_t n, struct stats st, int top, uint8_t *code);

#endif
