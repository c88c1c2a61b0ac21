/* optim.h - optimizers: what a gradient does to one weight matrix.
 *
 * Adding one is a file in core/tune and a line in table.c.  The weights of the integer ones are
 * packed codes in host memory (MAT_INT of mat.h: words, scale and offset are written in place;
 * of a MAT_MIX each part is a matrix of its own), those of the float ones dense MAT_F32.  State
 * is one block of plain bytes without pointers: a checkpoint is its copy.  Chance is only
 * hash(seed, matrix, step, row, column), sums are cut into fixed parts: the same bits on any
 * number of threads and after a resume.  Nothing is allocated in a step.  Engine thread; uses
 * the pool inside.  Formulas: FORMULAS.md 2.1, 3.1 to 3.4, 7.2.
 */
#ifndef BD_TUNE_OPTIM_H
#define BD_TUNE_OPTIM_H

#include <math.h>

#include "core/base/err.h"
#include "kernels/backend.h"
#include "kernels/mat.h"

/* How elementwise first and second moments are stored. */
enum tune_moments {
	MOMENTS_8BIT, /* a byte, its exponent relative to that of its block of 256; rounded by hash
		       */
	MOMENTS_BF16, /* rounded by hash */
	MOMENTS_F32,
};

enum lr_unit {
	LR_LEVELS,   /* lr is a share of the mean scale the matrix had at optim_init */
	LR_ABSOLUTE, /* lr is in units of W, as AdamW's; what float masters always take */
};

struct tune_options {
	enum lr_unit unit;
	double lr;           /* at its peak */
	double lr_s;         /* relative step of scales and centres at its peak; 0: frozen */
	double b1, b2, eps;  /* of the moments */
	double decay;        /* weight decay of float masters, decoupled */
	uint64_t steps;      /* of the whole run: what cosine and budget end at */
	uint64_t warmup;     /* steps up to the peak */
	double floor;        /* of the cosine, a share of the peak; 1: constant */
	double from, to;     /* rank: share of the codes that move a step, first and last;
				to 0: a tenth */
	uint64_t first_move; /* rank: the step it begins to move at */
	bool across;         /* rank: one threshold for all matrices, in optim_finish */
	enum tune_moments moments;
	/* Less state: scales and offsets of codes stay (stats excepted), what ever changed and what
	 * turned back is not counted, and galore on codes rounds by chance instead of gathering. */
	bool lean;
	uint64_t seed;
	/* galore */
	size_t rank;                   /* 0: a quarter of the smaller side */
	uint64_t gap;                  /* steps a projector is kept for */
	double back;                   /* factor of what comes back from it */
	int rounds;                    /* of power iteration */
	const struct backend *backend; /* for its products; NULL or a device's: ref's */
};

extern const struct tune_options tune_defaults;

/* Share of the peak at a step, the first being 1: linear up to warmup, then cosine to floor. */
double tune_schedule(const struct tune_options *o, uint64_t step);
/* Share of the codes that `rank` moves at a step. */
double tune_budget(const struct tune_options *o, uint64_t step);

enum { TUNE_WIDTHS = 9 }; /* 1 to 8 bits */

/* Of one step over any number of matrices: zeroed by the caller, added to by each. */
struct tune_counts {
	uint64_t weights[TUNE_WIDTHS];   /* codes there are, by width */
	uint64_t flips[TUNE_WIDTHS];     /* codes that changed */
	uint64_t saturated[TUNE_WIDTHS]; /* codes at 0 or at the top afterwards */
	/* Flips against the direction of one at most 10 steps before.  Of a sample: exact for
	 * the first row of every 16, whose flips are seen_flips. */
	uint64_t reversals, seen_flips;
	uint64_t changed; /* codes that ever changed, of the matrices that took part */
	uint64_t frozen;  /* matrices whose gradient was no number: left untouched */
	uint64_t values;  /* weights of any kind that took part */
	double grad2;     /* sum of squared gradients */
	double update2;   /* of squared changes asked for, in units of W (diodemix: as rounded) */
};

/* One matrix in training.  Borrows all its memory. */
struct tuned {
	size_t index; /* among those of the run: part of the hash */
	struct mat w; /* its memory is written */
	void *state;  /* optim_plan's bytes, 64-byte aligned */
	size_t state_bytes;
};

/* NAN of nothing. */
static inline double tune_share(uint64_t part, uint64_t of)
{
	return of ? (double)part / (double)of : (double)NAN;
}

struct tune_plan {
	size_t state;   /* bytes kept between steps */
	size_t scratch; /* bytes of a step, void between; one block of the largest serves all */
};

struct rooms; /* state.h */

struct optimizer {
	const char *name;
	const char *summary; /* a sentence for help */
	bool on_codes, on_float;
	/* The rest is called through the functions below, on matrices that passed optim_plan. */
	void (*plan)(struct rooms *to, const struct mat *w, const struct tune_options *o);
	void (*init)(struct tuned *t, const struct tune_options *o);
	void (*step)(struct tuned *t, float *grad, uint64_t step, const struct tune_options *o,
		void *scratch, struct tune_counts *c);
	/* optim_residual; NULL: keeps none. */
	void (*residual)(struct tuned *t, const struct tune_options *o, const float *w);
	/* What waits until every matrix of a step has had its gradient; NULL: nothing. */
	void (*finish)(struct tuned *all, size_t n, uint64_t step, const struct tune_options *o,
		void *scratch, struct tune_counts *c);
};

extern const struct optimizer *const optimizer_table[]; /* NULL-terminated */
const struct optimizer *optimizer_find(const char *name);

/* Sizes for w.  ST_INVALID for a kind of matrix or a shape that it does not take. */
BD_MUST_USE enum st optim_plan(struct tune_plan *out, const struct optimizer *by,
	const struct mat *w, const struct tune_options *o, struct err *e);
/* State of a run that begins.  t->w and t->state are set. */
void optim_init(const struct optimizer *by, struct tuned *t, const struct tune_options *o);
/* For `flips` and `galore` on codes: start from what rounding left of w [rows][cols] instead of
 * from a hash; a code that is not the nearest of its w starts in the middle. */
void optim_residual(
	const struct optimizer *by, struct tuned *t, const struct tune_options *o, const float *w);
/* State from a checkpoint: `bytes` of it.  ST_FORMAT where it is of another optimizer, shape or
 * kind of moments; t->state is then untouched. */
BD_MUST_USE enum st optim_load(const struct optimizer *by, struct tuned *t, const void *from,
	size_t bytes, const struct tune_options *o, struct err *e);
/* Step 1, 2, ...; grad [rows][cols] is used up.  Scratch is 64-byte aligned. */
void optim_step(const struct optimizer *by, struct tuned *t, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c);
/* After the last matrix of a step. */
void optim_finish(const struct optimizer *by, struct tuned *all, size_t n, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c);

/* Codes of it that ever changed; 0 of floats, and where lean counts none. */
uint64_t optim_changed(const struct tuned *t);

/* Mean |scale| of a MAT_INT: what LR_LEVELS counts in. */
double tune_mean_scale(const struct mat *w);

#endif
