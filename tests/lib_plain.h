/* lib_plain.h - the forward pass of a llama in double, written anew and obvious: what gradients are
 * compared with by differences (FORMULAS.md 5.3).
 */
#ifndef BD_TESTS_LIB_PLAIN_H
#define BD_TESTS_LIB_PLAIN_H

#include "core/model/forward.h"

/* The batch that all suites about gradients take; a test may make a sequence of its own longer. */
enum { SEQS = 3, ROWS = 5 + 9 + 2 };
extern struct span batch[SEQS];
size_t plain_rows(void); /* ROWS, unless one is */

struct plain {
	const struct model *m;
	double **w;    /* [n_linears] */
	double **gain; /* [2 layers + 1] */
	double *embed, *head;
};

struct plain plain_of(const struct model *m);
void plain_free(struct plain *p);
/* Sum over the labelled rows of the batch. */
double plain_loss(const struct plain *p, const int32_t *ids, const int32_t *label);

/* Letters that the demo model tells apart: to it most other bytes are blanks.  [plain_rows()], xfree. */
int32_t *plain_letters(void);
void plain_labels(int32_t *label, const struct model *m, const int32_t *ids);

#endif
