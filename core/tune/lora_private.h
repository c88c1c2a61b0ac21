/* lora_private.h - what lora.c and lora_file.c share. */
#ifndef BD_TUNE_LORA_PRIVATE_H
#define BD_TUNE_LORA_PRIVATE_H

#include "core/tune/lora.h"

struct lora {
	const struct model *m;
	size_t rank, max_rows;
	double alpha;
	enum math math;
	float *here;       /* A and B of all linears, host */
	float *there;      /* the same in the backend's memory, which may be one */
	struct mat *a, *b; /* [n_linears] over here */
	size_t weights;    /* floats of here, gaps included */
	float *scratch;    /* backend memory; in it: */
	float *t, *dt;     /* [max_rows][rank] */
	float *grad;       /* A's of a linear, then B's */
	float *grad_here;  /* the same, host */
	size_t scratch_floats, grad_floats;
};

#endif
