/* back.h - what a forward pass keeps for the way back, and the files of backward.h share.  Private to
 * core/model. */
#ifndef BD_MODEL_BACK_H
#define BD_MODEL_BACK_H

#include "core/model/backward.h"
#include "core/model/fwd.h"

/* Rows that go through the head at once: its product with 49,152 outputs, the loss and the way back
 * take some 10 ms each on two slow cores. */
enum { LOSS_ROWS = 64 };

/* What a block keeps, [rows] each: its input, h between its halves, and what its linears made. */
struct kept {
	float *in, *mid, *q, *k, *v, *att, *gate, *up;
};

struct back {
	struct fwd f; /* its pointers go from block to block */
	enum back_keep keep;
	size_t rows; /* of this batch */
	struct span *span;
	size_t n, room;   /* spans; room for */
	size_t *first;    /* [room]: a span's first row */
	float *memory;
	struct kept *kept;     /* [layers]; with BACK_INPUTS all but `in`, with BACK_NARROW gate and
				* up, are one block's */
	float *h, *dh, *dn;    /* [max_rows][hidden] */
	float *dact;           /* [max_rows][inter] */
	float *dq, *dk, *dv, *datt;
	float *dgain;          /* [hidden] */
	float *logits, *hc, *dhc, *dnc; /* [LOSS_ROWS] rows */
	float *said;           /* [LOSS_ROWS][vocab]: a teacher's logits; NULL: none was asked yet */
	float *turned;         /* [head_dim / 2], host: -inv_freq */
	float *zero;           /* [max_rows][hidden], backend memory */
};

/* What block l makes goes to its place. */
void back_at_block(struct back *b, size_t l);
/* n zeros. */
void back_clear(const struct back *b, float *to, size_t n);
/* dgain to the hook for it. */
BD_MUST_USE enum st back_gain_done(
	struct back *b, size_t norm, const struct back_hooks *k, struct err *e);

#endif
