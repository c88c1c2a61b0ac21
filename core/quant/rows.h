/* rows.h - what quantizers share: rows in parallel, weights without what is no number.
 *
 * Private to core/quant.  The functions on the engine thread; the rest is pure, any thread.
 */
#ifndef BD_QUANT_ROWS_H
#define BD_QUANT_ROWS_H

#include "core/quant/quantizer.h"

/* fn for every row once, on all threads of the pool; polls s about every 10 ms when one
 * weight takes ns nanoseconds. */
BD_MUST_USE enum st rows_run(size_t rows, size_t cols, double ns, void (*fn)(void *arg, size_t row),
	void *arg, const struct sink *s, struct err *e);

/* The same for every `height` rows of in's weights; w is the first of them, and there may be
 * fewer at the end.  fn says false where a weight is no number or beyond fp16, and then all
 * are done again with rows_weights' copy. */
typedef bool rows_fn(void *arg, const float *w, size_t row, size_t rows);
BD_MUST_USE enum st rows_run_plain(const struct quant_input *in, size_t height, double ns,
	rows_fn *fn, void *arg, const struct sink *s, struct err *e);

/* The weights, or where some are no number or beyond fp16 a copy in which they are 0 or
 * the largest fp16 (big_free *copy). */
BD_MUST_USE enum st rows_weights(
	const struct quant_input *in, const float **w, float **copy, struct err *e);
/* That copy in any case. */
void rows_copy(float *copy, const struct quant_input *in);

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

#endif
