/* state.h - what the optimizers of core/tune share: state blocks, rows in parallel, moves.
 *
 * Private to core/tune.  Engine thread, except what is called inside a part.
 */
#ifndef BD_TUNE_STATE_H
#define BD_TUNE_STATE_H

#include "core/tune/loops.h"

/* First in every state block.  Plain: no pointers, the same on every machine of this kind. */
struct tune_head {
	char magic[8]; /* "bdtune1" */
	char by[16];
	uint64_t rows, cols, group, bits; /* bits 0: float */
	uint64_t moments, rank;           /* of the options */
	uint64_t kind;                    /* moments as they are stored */
	uint64_t steps;                   /* that counted: one without a gradient does not */
	uint64_t last;                    /* the latest that did, as the caller counts */
	uint64_t changed;                 /* codes ever changed */
	double mean_scale;                /* at the start */
	double carry;                     /* rank: part of a flip not yet spent */
	uint64_t floor; /* rank: where the last threshold's neighbourhood begins */
};

/* Offsets in a block, each 64-byte aligned. */
struct room {
	size_t at;
	bool over; /* a size wrapped */
};
size_t room_take(struct room *r, size_t n, size_t each); /* offset */
/* What an optimizer lays out of a matrix: optim_plan asks for the sizes, the others for offsets. */
struct rooms {
	struct room state, scratch;
};

/* Elementwise moments [rows][cols] and their exponents [rows][chunks]. */
struct moments_at {
	size_t data, exponents;
};
size_t chunks_of(size_t cols);
size_t moment_size(enum tune_moments kind);
struct moments_at room_moments(struct room *r, const struct mat *w, enum tune_moments kind);

/* What every integer optimizer keeps, from the head on. */
struct codes_at {
	bool counted, trained; /* is there what is counted; are there stats */
	size_t ever;           /* a bit a weight, rows begin at bytes: changed since the start */
	size_t recent; /* [tiles][cols] int8 of each tile's first row: direction times steps left */
	size_t stats;  /* [6][rows][groups] float: scale, centre, their moments (loops.h) */
};
struct codes_at room_codes(struct room *r, const struct mat *w, bool counted, bool trained);
void head_init(
	struct tuned *t, const char *by, enum tune_moments kind, const struct tune_options *o);
void codes_init(struct tuned *t, const struct codes_at *at); /* after head_init */

enum { TUNE_PARTS = 32, RECENT = 10 };

/* Of a row in one step, summed by rows in order. */
struct row_counts {
	double grad2, update2;
	uint32_t flips, ends, reversals, seen, fresh;
};

/* A step over one matrix. */
struct pass {
	struct tuned *t;
	const struct tune_options *o;
	const struct tune_loops *l;
	struct tune_head *head;
	float *grad;
	uint64_t step;
	uint32_t key;     /* hash of seed, matrix and step */
	float fix1, fix2; /* 1 / (1 - b^t), t counting from the last start */
	double lr, lr_s;
	struct codes_at codes;
	struct row_counts *rows; /* scratch */
	const float *master;     /* latent.h: what was rounded to the codes; NULL: codes are all */
};

/* Scratch that every pass begins with. */
size_t room_rows(struct room *r, const struct mat *w);
/* False: the gradient is no number; counted, and nothing may be touched. */
bool pass_begin(struct pass *p, struct tuned *t, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c);
void pass_end(struct pass *p, struct tune_counts *c);

/* fn for each row of part `part`, contiguous and in order, all parts by the pool. */
typedef void row_fn(void *arg, size_t row, size_t part);
void each_row(size_t rows, row_fn *fn, void *arg);
size_t parts_of(size_t rows);

/* The rest is for inside a part. */

uint32_t row_key(uint32_t key, size_t row, uint32_t stream);
/* All codes of a row in the pool's scratch, columns padded to 32. */
uint8_t *row_codes(const struct pass *p, size_t row);
/* The inverse: q padded as above with zeros. */
void row_put(const struct pass *p, size_t row, const uint8_t *q);
/* Where the scale and the offset of a row's group lie. */
size_t stat_at(const struct mat *w, size_t row, size_t g);
/* Offset and 1 / scale of a group (0 where the scale is 0). */
void row_grid(const struct pass *p, size_t row, size_t g, float *offset, float *inverse);
/* -1, 0 or 1 for each group's scale: false where all are 1. */
bool row_signs(const struct pass *p, size_t row);
/* factor / scale of each column col ... col + n (0 where the scale is 0). */
void row_levels(const struct pass *p, size_t row, size_t col, size_t n, float factor, float *out);
float row_scale(const struct pass *p, size_t row, size_t col);
/* Once a row and step, before it moves (stats_step does it): codes at the ends are counted, what
 * reversals are told from grows a step older. */
void row_count(struct pass *p, size_t row, const uint8_t *q);
/* Where p->codes.counted: remembered as one that changed since the start. */
void code_changed(struct pass *p, size_t row, size_t col);
void move_code(struct pass *p, size_t row, size_t col, int by);
void move_codes(struct pass *p, size_t row, size_t col, const int8_t *move, size_t n);
/* Adam on scales and centres from the gradient and the codes of before the moves: masters now,
 * the packed fp16 ones at stats_write. */
void stats_step(struct pass *p, size_t row, const uint8_t *q);
void stats_write(struct pass *p, size_t row);

void *state_at(const struct tuned *t, size_t offset);
/* A chunk's moments to and from floats. */
void moments_load(const struct pass *p, const struct moments_at *at, bool v, size_t row, size_t col,
	size_t n, float *out);
void moments_store(const struct pass *p, const struct moments_at *at, bool v, size_t row,
	size_t col, size_t n, const float *x, const uint32_t *noise);

/* Adam on a chunk: its moments take the gradient in and are stored again, rounded by hash; u is
 * what they ask for, in units of W / lr, and is counted. */
void moments_adam(struct pass *p, const struct moments_at *m, const struct moments_at *v,
	size_t row, size_t col, size_t n, float *u);

/* The int8 fraction of a level that `flips` and `galore` keep, [rows][cols]. */
void residual_init(struct tuned *t, size_t at, uint64_t seed);
void residual_from(struct tuned *t, size_t at, const float *w);
/* Asked for: u in units of W / lr, held within clip already. */
void residual_step(struct pass *p, size_t at, size_t row, size_t col, size_t n, const uint8_t *q,
	const float *u);

/* AdamW of a float matrix (adamw.c), its moments as `kind` says. */
void adam_plan(struct rooms *to, const struct mat *w, enum tune_moments kind);
void adam_init(
	struct tuned *t, const char *by, enum tune_moments kind, const struct tune_options *o);
void adam_step(struct tuned *t, float *grad, uint64_t step, const struct tune_options *o,
	void *scratch, struct tune_counts *c);

/* Orthonormal rows of p [n][len] by modified Gram-Schmidt twice; what depends on the others to
 * fp32 becomes 0. */
void ortho_rows(float *p, size_t n, size_t len);

#endif
