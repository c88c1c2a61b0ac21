/* hqq.h - half-quadratic quantization of rows, for hqq itself and for gptq.
 *
 * Private to core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_HQQ_H
#define BD_QUANT_HQQ_H

#include "core/quant/rows.h"

enum { HQQ_ITERATIONS = 40, HQQ_WORK = 4 /* floats a group */ };

/* beta of each iteration, and the largest error that shrinks to nothing under it. */
struct hqq_plan {
	float beta[HQQ_ITERATIONS], quiet[HQQ_ITERATIONS];
};
void hqq_plan_init(struct hqq_plan *p);

/* Statistics of one row w[cols] in groups of `group`; work: HQQ_WORK
 * floats a group. */
void hqq_row(const struct hqq_plan *p, const float *w, size_t cols, size_t group, int top,
	uint16_t *scale, uint16_t *offset, float *work);

#endif
