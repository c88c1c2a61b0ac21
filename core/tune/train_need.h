/* train_need.h - what a training run takes, predicted from shapes alone: nothing is read or
 * allocated.
 *
 * The arithmetic of FORMULAS.md 1.8, 1.9 and 2.4, by the same sizes that train.c allocates by.
 * Pure; any thread.
 */
#ifndef BD_TUNE_TRAIN_NEED_H
#define BD_TUNE_TRAIN_NEED_H

#include "core/quant/format.h"
#include "core/tune/train.h"

struct train_shape { /* of a linear */
	size_t rows, cols;
	struct format format; /* of the layout; keep: not trained where train_packs */
	uint64_t kept;        /* bytes as in the file, of a format that is keep; of one form only */
};
struct train_memory {
	uint64_t
		weights; /* packed, or masters, with scales and offsets; what is trained of norms */
	uint64_t frozen; /* embedding, head, linears that stay as they are */
	uint64_t state;  /* of the optimizers */
	uint64_t adapters;
	uint64_t activations; /* of a step */
	uint64_t gradient;    /* the largest one there is at a time, with the optimizer's scratch */
	uint64_t logits;
	uint64_t total;   /* of a step: all of these */
	uint64_t looks;   /* beside it while what is held out is looked at, of all budgets alike */
	double flops;     /* of a step, every token labelled and each window one sequence */
	uint64_t trained; /* weights that an optimizer moves */
};

/* The linears of a model, in its order: [layers * LINEAR_KINDS], xfree; all of one format. */
struct train_shape *train_shapes(const struct hparams *hp, struct format f);

/* hp: the model's; linear [how->forms][n]; other: bytes of what is neither linear nor norm, as it lies in
 * memory. Where train_packs of the method, a linear of format keep counts as frozen.  ST_INVALID
 * where the optimizer does not take a shape, or nothing would be trained. */
BD_MUST_USE enum st train_need(struct train_memory *out, const struct hparams *hp,
	const struct train_shape *linear, size_t n, uint64_t other, const struct train_how *how,
	size_t window, struct err *e);
/* On disk: what opens as a model, and the weights once more with what the optimizer keeps. folders:
 * of the folders of its formats, which train_packs writes. */
uint64_t train_checkpoint_bytes(
	const struct train_memory *x, const struct train_how *how, uint64_t folders);

#endif
