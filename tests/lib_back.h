/* lib_back.h - all gradients of a small model on any backend, for suites that compare two. */
#ifndef BD_TESTS_LIB_BACK_H
#define BD_TESTS_LIB_BACK_H

#include "core/model/backward.h"

struct gradients {
	double loss;
	size_t n;   /* tensors: linears as the way back meets them, norms between them */
	float **of; /* [n], host */
	size_t *count;
};

/* Of a batch of three sequences of letters, some labels left out; twice, what the first leaves is
 * of no account. */
struct gradients gradients_of(
	const struct model *m, const struct mat *const *view, enum back_keep keep, enum math math);
/* The same under another loss than that of the labels. */
typedef enum st gradients_loss(struct back *b, const struct model *m, const int32_t *label,
	float scale, double *sum, const struct back_hooks *k, struct err *e);
struct gradients gradients_by(const struct model *m, const struct mat *const *view,
	enum back_keep keep, enum math math, gradients_loss *loss);
void gradients_free(struct gradients *g);

/* Largest |a - b| / |b| of a tensor. */
double gradients_apart(const struct gradients *a, const struct gradients *b);

#endif
