/* eval.h - perplexity, and divergence of a layout from the reference.
 *
 * Consecutive windows of `window` tokens without overlap, tokens 2 ... window of each
 * scored, a last short window dropped unless it is the only one.  KL(reference ||
 * layout) in nats per scored token; se over windows (0 with one window).  Engine
 * thread; polls the sink.
 */
#ifndef BD_EVAL_EVAL_H
#define BD_EVAL_EVAL_H

#include "core/model/forward.h"

struct eval_result {
	size_t tokens;  /* scored */
	size_t windows;
	double nll;     /* mean nats of the layout (of the reference when view is NULL) */
	double ppl;     /* exp(nll) */
	double kl, kl_se; /* NAN without a layout */
	double top1;    /* share of tokens whose largest logit agrees with the reference's */
	double ref_nll; /* of the reference on the same tokens */
};

/* view NULL: the reference alone. */
BD_MUST_USE enum st eval_run(struct eval_result *r, const struct model *m,
	const struct mat *const *view, const int32_t *ids, size_t n, size_t window,
	const struct sink *s, struct err *e);

#endif
