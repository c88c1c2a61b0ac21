/* train_private.h - what a training run is made of.  Private to core/tune and its tests. */
#ifndef BD_TUNE_TRAIN_PRIVATE_H
#define BD_TUNE_TRAIN_PRIVATE_H

#include "core/tune/lora.h"
#include "core/tune/train.h"

/* A linear of the model in one of its forms. */
struct train_linear {
	struct mat here; /* its weights in host memory, which an optimizer writes */
	void *memory;    /* of here (big_free); NULL: it is frozen */
	struct mat mat;  /* what runs: here, or the same on a device, or the view's where frozen */
	void *device;    /* of mat (be->free); NULL: no device */
	size_t first, n; /* its matrices among tuned */
};

/* The float master of a linear; memory NULL: it is frozen. */
struct train_master {
	void *memory; /* [rows][cols], host (big_free) */
	size_t at;    /* among tuned */
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
	struct train_from from;
	struct train_linear *linear; /* [forms][n_linears] */
	uint8_t *form;               /* [n_linears]: in this step */
	const struct mat **view;     /* [n_linears]: in this form */
	struct train_master *master; /* [n_linears]; NULL: no TRAIN_LATENT */
	struct lora *lora;           /* NULL: no adapters */
	char base[65];           /* SHA-256 of what they are beside (train_base); "": no adapters */
	struct tuned *tuned;     /* [n]: matrices, masters, then gains */
	struct train_part *part; /* [n] */
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
	float balance; /* what gradients of linears are multiplied by in this step */
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
	size_t frozen_at; /* train_report's */
};

/* ---- train_forms.c */

/* Masters of what is trained, from the reference. */
BD_MUST_USE enum st train_take_masters(struct train *t, const struct sink *s, struct err *e);
/* The master of a linear begins from what its largest form has, so that this one runs at first as
 * it was stored. */
void train_start_master(struct train *t, size_t linear);
/* The forms of the step that comes. */
void train_draw(struct train *t);
/* The form that a linear has in this step. */
const struct train_linear *train_of(const struct train *t, size_t linear);
/* Through the rounding to the grid of the step, and to the master, which is rounded to all grids
 * then; t->grad is used up. */
void train_tune_master(struct train *t, size_t linear);

/* ---- train_state.c */

/* Of all linears beside adapters that are not the model's own, whose files others compare. */
BD_MUST_USE enum st train_base(
	char sum[65], const struct train *t, const struct sink *s, struct err *e);

/* ---- train.c */

/* A matrix that an optimizer takes steps on. */
void train_add(struct train *t, struct mat w, const struct optimizer *by);
/* All arrays of a mat into those of one of the same shape in the model's memory. */
void train_put(const struct model *m, const struct mat *to, const struct mat *from);
/* The columns of the two parts of a mix, one behind the other, from `all` [rows][cols]. */
void train_gather(float *to, const float *all, const struct mat *w);
/* Bytes of a matrix's weights in one of its arrays (0, 1, 2: codes, scales, offsets; dense: 0
 * only), and where they lie; 0: no such. */
size_t train_array(const struct mat *w, int i, const void **at);

#endif
