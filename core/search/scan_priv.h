/* scan_priv.h - what a scan keeps, and the rows it compares.  Private to core/search. */
#ifndef BD_SEARCH_SCAN_PRIV_H
#define BD_SEARCH_SCAN_PRIV_H

#include "core/search/scan.h"

enum {
	BATCH_ROWS = 1344, /* 21 cells of 64 tokens: more rows bring no more speed */
	BATCH_CELLS = 24,
	HEAD_ROWS = 256 /* rows of logits at once, at most */
};

struct scan {
	const struct model *m;
	struct fwd *f;
	size_t n_seq, len, rows;
	float **h;    /* [layers + 1] of [rows][hidden]: before each block, and at the end */
	float *z;     /* [rows][vocab], NULL: too many */
	double *lse;  /* [rows], of the reference's logits; host */
	int32_t *top; /* [rows] */
	const struct mat **view;
	struct span *span;
	size_t batch_rows, head_rows;
	float *batch;   /* [batch_rows][hidden] */
	float *zq, *zp; /* [head_rows][vocab]; zp only where z is NULL */
	double *kl;     /* [BATCH_CELLS][rows] */
	uint8_t *agree; /* [BATCH_CELLS][rows] */
};

float *scan_row(const struct scan *sc, float *h, size_t row);
void scan_copy(const struct scan *sc, float *to, const float *from, size_t rows);
/* How many sequences from q on go through at once. */
size_t scan_seqs(const struct scan *sc, size_t q);
/* Logsumexp and largest logit of each row, in short pieces. */
BD_MUST_USE enum st scan_stats(const struct scan *sc, double *lse, int32_t *top, const float *z,
	size_t rows, const struct sink *s, struct err *e);
/* How many rows of logits are looked at between two polls. */
size_t scan_look(const struct scan *sc);

#endif
