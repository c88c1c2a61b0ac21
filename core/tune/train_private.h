/* train_private.h - what a training run is made of.  Private to core/tune and its tests. */
#ifndef BD_TUNE_TRAIN_PRIVATE_H
#define BD_TUNE_TRAIN_PRIVATE_H

#include "core/tune/lora.h"
#include "core/tune/train.h"

/* A linear of the model in this run. */
struct train_linear {
	struct mat here; /* its weights in host memory, which an optimizer writes */
	void *memory;    /* of here (big_free); NULL: it is frozen */
	struct mat mat;  /* what runs: here, or the same on a device, or the view's where frozen */
	void *device;    /* of mat (be->free); NULL: no device */
	size_t first, n; /* its matrices among tuned */
};

/* Beside each struct tuned. */
struct train_part {
	const struct optimizer *by;
	struct tune_options o;
};

struct train {
	const struct model *m;
	struct train_how how;
	const struct optimizer *by;
	struct train_linear *linear; /* [n_linears] */
	const struct mat **view;     /* [n_linears] */
	struct lora *lora;           /* NULL: no adapters */
	struct tuned *tuned;         /* [n]: matrices, then gains */
	struct train_part *part;     /* [n] */
	size_t n, matrices;
	void *state; /* of all, one behind the other */
	size_t state_bytes;
	size_t gains;     /* norms whose gain is trained: 2 layers + 1, or 0 */
	float **gain;     /* [gains] of [hidden], backend memory, in one piece at gain[0] */
	float *gain_here; /* the same, host memory, which AdamW writes */
	float *dgain; /* [2][hidden], host: the second is the last norm's until its loss is known */
	float *grad;  /* of one matrix, host; */
	float *gathered; /* of the two parts of a mix; NULL: there is none */
	float *grad_device;
	size_t grad_bytes;
	void *scratch;
	size_t scratch_bytes;
	struct back *back;
	uint64_t bytes; /* of all that is held */

	struct pack *pack;
	struct pack_place place;
	struct pack_batch batch;
	struct span *span;
	size_t span_room;
	uint64_t step, skipped, bad; /* bad: steps left out one after another */
	/* of one step */
	const struct sink *s;
	struct tune_counts counts, gain_counts;
};

/* All arrays of a mat into those of one of the same shape in the model's memory. */
void train_put(const struct model *m, const struct mat *to, const struct mat *from);
/* The columns of the two parts of a mix, one behind the other, from `all` [rows][cols]. */
void train_gather(float *to, const float *all, const struct mat *w);
/* Bytes of a matrix's weights in one of its arrays (0, 1, 2: codes, scales, offsets; dense: 0
 * only), and where they lie; 0: no such. */
size_t train_array(const struct mat *w, int i, const void **at);

#endif
