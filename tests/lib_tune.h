/* lib_tune.h - matrices in training for the suites of core/tune: made, stepped, taken away. */
#ifndef BD_TESTS_LIB_TUNE_H
#define BD_TESTS_LIB_TUNE_H

#include "core/base/rng.h"
#include "core/tune/optim.h"

struct trained {
	const struct optimizer *by;
	struct tune_options o;
	struct tuned t;
	float *dense; /* W of now, [rows][cols] (tune_dense) */
	float *grad;  /* [rows][cols] */
	void *scratch;
	size_t scratch_bytes;
	struct tune_counts c; /* of the last step */
};

/* Codes of normal weights times 0.02, min-max; bits 0: a float master with these weights. */
struct trained tune_make(const char *by, const struct tune_options *o, int bits, size_t group,
	size_t rows, size_t cols, uint64_t seed);
void tune_free(struct trained *m);
void tune_step(struct trained *m, uint64_t step); /* with m->grad; scratch is NaN before */
const float *tune_dense(struct trained *m);
void tune_noise(struct trained *m, struct rng *r, double size); /* into grad */
size_t tune_w_bytes(const struct trained *m);                   /* of codes, then of a stat */

#endif
