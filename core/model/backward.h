/* backward.h - a forward pass that keeps what the way back needs, and the way back.
 *
 * Whole sequences without a past, over any view (forward.h).  The gradient of a linear is never
 * there with another's: where the way back comes by a linear its x and dy are handed to a hook,
 * which makes of them what it wants (a step of an optimizer, an adapter's gradient) before the next one.
 * Formulas: FORMULAS.md 1.1 to 1.8; per block, dh the gradient of what left it,
 *	down:  dact = dh D                       swiglu: dgate, dup
 *	dn2 = dgate G + dup U,  dh += rmsnorm'(dn2)
 *	o:     datt = dh O                       attention: dq, dk, dv, turned back by rope
 *	dn1 = dq Q + dk K + dv V,  dh += rmsnorm'(dn1)
 * Engine thread; polls as forward.h says.  Bits do not depend on the number of threads, nor on what
 * was kept and what was run again.
 */
#ifndef BD_MODEL_BACKWARD_H
#define BD_MODEL_BACKWARD_H

#include "core/model/forward.h"

struct back;

/* What a block keeps for a token: all that the way back reads; all but the feed-forward's gate and up,
 * which are more than half of it and are multiplied again (a tenth of the time); or its input only,
 * when it is run again on the way back. */
enum back_keep { BACK_ALL, BACK_INPUTS, BACK_NARROW };

struct back_hooks {
	/* As fwd_set_add's, also when a block is run again: it must do the same again. */
	fwd_add *add;
	/* On the way back, once for each linear of the blocks, the last one's first: dy [rows][w rows] is
	 * the gradient of y; dx [rows][cols], that of x, has what all linears that share x gave so
	 * far, this one with W as it was, and may be added to.  W may change now. */
	enum st (*linear)(void *arg, size_t linear, const float *x, const float *dy, float *dx,
		size_t rows, struct err *e);
	/* The gradient of a norm's gain: norm 2 l and 2 l + 1 of block l, 2 * layers the final one;
	 * dgain [hidden].  The gain may change now. */
	enum st (*gain)(void *arg, size_t norm, float *dgain, struct err *e);
	void *arg; /* each function may be NULL */
};

/* Bytes of backend memory for so many rows (tokens of a batch). */
uint64_t back_bytes(const struct model *m, size_t rows, enum back_keep keep);
uint64_t back_bytes_of(const struct hparams *hp, size_t rows, enum back_keep keep);
BD_MUST_USE enum st back_new(struct back **out, const struct model *m, size_t rows,
	enum back_keep keep, struct err *e); /* ST_UNSUPPORTED where the backend has no way back */
void back_free(struct back *b);
void back_set_math(struct back *b, enum math math); /* of all products; MATH_F32 at first */
void back_set_gains(struct back *b, float *const *gain); /* as fwd_set_gains */

/* ids of all spans, one behind the other; spans[i].kv is NULL. */
BD_MUST_USE enum st back_forward(struct back *b, const struct mat *const *view, const int32_t *ids,
	const struct span *spans, size_t n, const struct back_hooks *k, const struct sink *s,
	struct err *e);
/* Cross-entropy of the rows with label[row] >= 0; *sum over them, in nats.  Leaves the gradient of
 * scale * sum for back_blocks; scale 0: no gradient.  (The head stays as it is.) */
BD_MUST_USE enum st back_loss(struct back *b, const int32_t *label, float scale, double *sum,
	const struct back_hooks *k, const struct sink *s, struct err *e);

/* What a teacher says of the rows at[0 ... n) of this batch: its logits into zp [n][vocab]; what the
 * model itself says of them, zq, may be read.  Both are backend memory. */
typedef enum st back_teacher(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e);
/* KL(teacher || model) of all rows, FORMULAS.md 4.1, otherwise as back_loss. */
BD_MUST_USE enum st back_distil(struct back *b, back_teacher *says, void *arg, float scale,
	double *sum, const struct back_hooks *k, const struct sink *s, struct err *e);
uint64_t back_distil_bytes(const struct hparams *hp); /* that it takes beside back_bytes_of */
/* What left the last block, [rows][hidden], until the next forward; backend memory. */
const float *back_hidden(const struct back *b);
/* For a teacher, while it is asked: final norm (with the gain of the file) and head of the rows
 * at[0 ... n) of h [][hidden], which is back_hidden of another forward, into z [n][vocab]. */
BD_MUST_USE enum st back_head(struct back *b, const float *h, const size_t *at, size_t n, float *z,
	const struct sink *s, struct err *e);
/* The way back through all blocks, after back_loss or back_distil of the same forward.  */
BD_MUST_USE enum st back_blocks(struct back *b, const struct mat *const *view,
	const struct back_hooks *k, const struct sink *s, struct err *e);

#endif
