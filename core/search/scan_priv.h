/* scan_priv.h - what a scan keeps, and the rows it compares.  Private to core/search. */
#ifndef BD_SEARCH_SCAN_PRIV_H
#define BD_SEARCH_SCAN_PRIV_H

#include "core/search/scan.h"

enum {
	BATCH_ROWS = 1344, /* 21 cells of 64 tokens: more rows bring no more speed */
	BATCH_CELLS = 24,
	HEAD_ROWS = 168, /* rows of logits at once, at most: an eighth of a batch */
	HEAD_TILE = 12   /* a multiple of the rows that a matrix product takes together */
};

struct scan {
	const struct model *m;
	struct fwd *f;
	size_t n_seq, rows, longest; /* sequences and rows of all parts; rows of the longest one */
	size_t *at;                  /* [n_seq + 1]: the first row of each sequence */
	size_t parts;
	struct scan_range {
		size_t row, rows, piece; /* piece: what the standard error is over, in rows */
		double weight;
	} part[SCAN_PARTS];
	const struct mat **base; /* [n_linears]: what the scan stands on */
	const struct mat **view; /* [n_linears]: base, but for the linear being swapped */
	bool on_reference;       /* base is the reference */
	float **h;   /* [layers + 1] of [rows][hidden]: the base's before each block, at the end */
	float *last; /* [rows][hidden]: the reference's at the end where h's is not and z is NULL */
	float **z;   /* of [head_rows][vocab]: the reference's logits; NULL: too many to keep */
	double *lse; /* [rows], of the reference's logits; host */
	int32_t *top; /* [rows] */
	struct span *span; /* [at_once * n_seq]: the text's sequences again and again */
	size_t batch_rows; /* go through the blocks at once */
	size_t head_rows, at_once;
	float *batch;   /* [batch_rows or at_once * rows, the larger][hidden] */
	float *zq, *zp; /* [head_rows][vocab]; zp only where z is NULL */
	double *kl;     /* [at_once][rows] */
	uint8_t *agree; /* [at_once][rows] */
	double *base_kl;
	uint8_t *base_agree; /* [rows] */
};

float *scan_row(const struct scan *sc, float *h, size_t row);
void scan_copy(const struct scan *sc, float *to, const float *from, size_t rows);
/* How many sequences from q on go through at once. */
size_t scan_seqs(const struct scan *sc, size_t q);
/* The same weights in the same format. */
bool scan_same(const struct mat *a, const struct mat *b);
/* The first block in which two views differ; as many as there are: they do not. */
size_t scan_differ(const struct scan *sc, const struct mat *const *a, const struct mat *const *b);

/* Logsumexp and largest logit of each row, in short pieces. */
BD_MUST_USE enum st scan_stats(const struct scan *sc, double *lse, int32_t *top, const float *z,
	size_t rows, const struct sink *s, struct err *e);
/* How many rows of logits are looked at between two polls. */
size_t scan_look(const struct scan *sc);
/* The head over the final states h [n][rows][hidden] of n runs over the text, and how far each
 * row is from the reference's; writes kl and agree [n][rows]. */
BD_MUST_USE enum st scan_measure(struct scan *sc, const float *h, size_t n, double *kl,
	uint8_t *agree, const struct sink *s, struct err *e);

#endif
