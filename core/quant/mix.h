/* mix.h - channel-mix: a linear's inputs by importance, the first part in the high format.
 *
 * The importance of input k is E[x_k^2] * sum over rows of (w - q(w))^2, where q is the low
 * format by clip: the output error that k costs when it is low (the act-order of
 * Frantar et al. 2023 with the weights' own error).  Ties go by index.  Without moments
 * E[x_k^2] is 1.  Engine thread; polls the sink; the same input gives the same order
 * on any number of threads.
 */
#ifndef BD_QUANT_MIX_H
#define BD_QUANT_MIX_H

#include "core/quant/quantizer.h"

/* cost [cols]: the output error of each input in f by clip, not relative to anything. */
BD_MUST_USE enum st mix_costs(double *cost, const struct quant_input *in, struct format f,
	const struct sink *s, struct err *e);

/* Inputs by cost, the dearest first. */
void mix_order(uint16_t *order, const double *cost, size_t cols);

/* How much of the way from the low end to the high one a mix goes: 0 is low, 1 is high.  The
 * error left is low[] of the inputs that stay low and high[] of those raised; NAN where the
 * high format is no better. */
double mix_share(const uint16_t *order, const double *low, const double *high, size_t cols,
	size_t raised);

/* by->run for a mix: out is from qcodes_alloc.  A quantizer that needs moments feeds errors
 * from the important inputs to the others. */
BD_MUST_USE enum st mix_quantize(const struct quantizer *by, const struct quant_input *in,
	struct qcodes *out, const struct sink *s, struct err *e);

#endif
