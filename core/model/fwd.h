/* fwd.h - the scratch of a forward pass.  Private to core/model. */
#ifndef BD_MODEL_FWD_H
#define BD_MODEL_FWD_H

#include "core/model/forward.h"

/* What its devices did wrong so far. */
struct model_faults {
	unsigned n;
	struct err last;
};

/* Attention calls are made of at most this many stretches of queries. */
enum { FWD_SEQS = 64 };

struct fwd {
	const struct model *m;
	size_t max_rows;
	enum math math;
	const struct mat *head;
	fwd_add *add; /* NULL: nothing */
	void *add_arg;
	float *const *gains;     /* NULL: the model's */
	struct fwd_times *times; /* NULL: not measured */
	unsigned faults;         /* of the model, when it was made or renewed */
	bool held;               /* in a step that goes as one: nobody polls in it */
	/* [max_rows] rows each; k, v and act share memory with nothing that is alive when
	 * they are (see fwd_new) */
	float *norm, *q, *k, *v, *att, *gate, *up, *act, *h;
	float *mid;    /* [max_rows][hidden]: h between the two halves of a block is left there; NULL: not */
	float *memory; /* owns the above */
	float *logits; /* [FWD_HEAD_ROWS][vocab] where host memory will not do, made when needed */
	int32_t *pos;  /* [max_rows], host */
	struct attn_seq seq[FWD_SEQS];
};

enum { FWD_HEAD_ROWS = 64 };

/* The n <= FWD_SET products of x[rows][ldx] in calls of bounded length, polling between them:
 * one call for all where they are short. */
enum { FWD_SET = 4 };
BD_MUST_USE enum st fwd_products(const struct fwd *f, enum fwd_part part, const struct product *p,
	size_t n, const float *x, size_t ldx, size_t rows, const struct sink *s, struct err *e);
/* dx[rows][w->cols] (add: +=) dy[rows][w->rows] * W, likewise in calls of bounded length. */
BD_MUST_USE enum st fwd_product_back(const struct fwd *f, float *dx, bool add, const float *dy,
	size_t rows, const struct mat *w, const struct sink *s, struct err *e);
/* f->gate and f->up of block l from what stood between its halves, h [rows][hidden]. */
BD_MUST_USE enum st fwd_gates(struct fwd *f, const struct mat *const *view, size_t l, float *h,
	size_t rows, const struct sink *s, struct err *e);
/* The time since fwd_clock is of the part. */
double fwd_clock(const struct fwd *f);
void fwd_spent(const struct fwd *f, enum fwd_part part, double began);
/* The gain of a norm, numbered as fwd_set_gains says. */
const float *fwd_gain(const struct fwd *f, size_t norm);
/* ST_CANCELLED, ST_DEVICE or ST_OK */
BD_MUST_USE enum st fwd_stop(const struct fwd *f, const struct sink *s, struct err *e);

#endif
