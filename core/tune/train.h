/* train.h - fine-tuning a model: steps over windows of a data file.
 *
 * What is trained is one of four things: the packed codes of a layout with their scales and
 * offsets (no floating-point copy of them exists at any time), float masters of the linears (full
 * fine-tuning, the ceiling), adapters beside linears that stay as they are, or float masters that
 * are rounded to packed codes in every step (latent.h).  RMSNorm gains are trained beside;
 * embedding and head are frozen.  The gradient of a linear is consumed by its optimizer before the
 * next one exists (FORMULAS.md 2.3), so there is no norm of the whole gradient before a step; a
 * loss that is no number is seen before the first weight changes, and the step is left out.  Engine
 * thread; polls.  Same seed, same data: same bits on any number of threads and after a resume.
 * Formulas: FORMULAS.md 1 to 3, 7.1.
 */
#ifndef BD_TUNE_TRAIN_H
#define BD_TUNE_TRAIN_H

#include "core/model/backward.h"
#include "core/text/pack.h"
#include "core/tune/optim.h"

enum train_what { TRAIN_CODES, TRAIN_MASTERS, TRAIN_ADAPTERS, TRAIN_LATENT };

/* One line of train_methods: a name people type, and what it stands for. */
struct train_method {
	const char *name;      /* "rank", "latent", "lora" ... */
	const char *summary;   /* a sentence for help */
	enum train_what what;
	const char *optimizer; /* of optimizer_table; of adapters: of A and B */
	double lr, lr_s;       /* at their peak; in levels: those of 2 bits (train_new) */
	enum lr_unit unit;
	double lr_gain;        /* of the norms' gains (AdamW); 0: frozen */
	size_t rank;           /* of adapters, of galore's projectors; 0: the optimizer's own */
	double alpha;          /* of adapters: y += alpha / rank (x A^T) B^T */
	double floor;          /* of the schedule, a share of the peak */
	double b2, eps;        /* of the moments; 0: tune_defaults' */
};
extern const struct train_method train_methods[]; /* ends with one whose name is NULL */
const struct train_method *train_method_find(const char *name);
/* What it trains of a layout are packed codes, or become packed codes. */
static inline bool train_packs(const struct train_method *m)
{
	return m->what == TRAIN_CODES || m->what == TRAIN_LATENT;
}

struct train_how {
	const struct train_method *method;
	struct tune_options tune; /* train_how_init fills it from the method; seed, steps, lr ... */
	double lr_gain;
	size_t windows;       /* of a step; tokens of a step = windows * the pack's window */
	enum back_keep keep;
	enum math math;
	double alpha;         /* of adapters; their rank is tune.rank */
	size_t bad_limit;     /* steps left out one after another before the run gives up */
	bool teach;           /* train_need: a teacher runs beside (train_from) */
	bool said;            /* train_need: what it says is read from a folder instead */
	size_t forms;         /* train_need: as train_from's; 0: 1 */
};
/* Defaults of a method: 300 steps of 4 windows, MATH_BF16, BACK_NARROW, ten bad steps. */
void train_how_init(struct train_how *how, const struct train_method *method);
/* So many steps instead: schedules end there, and a tenth of them, at most ten, warm up. */
void train_how_steps(struct train_how *how, uint64_t steps);

/* What a step did. */
struct train_report {
	uint64_t step;           /* 1, 2, ...: finished ones and those left out */
	bool skipped;            /* its loss was no number: nothing changed */
	double loss;             /* nats a labelled token, before the step */
	size_t tokens, labelled; /* rows; labels */
	double lr, lr_s;
	double grad_norm;        /* of all matrices together; of several forms under a teacher that of log KL */
	double update_norm;
	double seconds;          /* without what others did at polls */
	struct tune_counts counts;
	/* Of all codes in training, whichever forms took part: how many, and those that ever
	 * changed. */
	uint64_t codes, changed;
	size_t frozen_at; /* of counts.frozen: the first linear; SIZE_MAX: only gains, or none */
	uint64_t skipped_so_far;
};

struct train;
struct teacher; /* teacher.h */

/* What a run begins from; all is borrowed. */
struct train_from {
	/* [forms][n_linears]: the mats of a layout; of several forms each linear is trained in each,
	 * one of them a step. */
	const struct mat *const *view;
	size_t forms;
	/* [n_linears]: stays as it is (what the layout keeps as in the file); NULL: none. */
	const bool *frozen;
	/* Of several forms: which one each linear has in a step (the first is 1), form[n_linears];
	 * the same for the same step, whenever it is asked. */
	void (*draw)(void *arg, uint64_t step, uint8_t *form);
	void *arg;
	struct teacher *teacher; /* whose distribution is learned, of all tokens; NULL: the labels */
};

/* What is trained is copied, the rest borrowed.  What is not packed is frozen under TRAIN_CODES and
 * TRAIN_LATENT.  (An adapter changes no linear: it is beside all.)  Of a MAT_MIX each part is a
 * matrix of its own; TRAIN_LATENT takes none.  A rate in levels is that of 2 bits: matrices of b
 * bits take (2^b - 1) / 3 times as many, which is about the same step of W.
 * pack: borrowed.  ST_UNSUPPORTED where the model's backend has no way back, or nothing could be
 * trained; ST_NOMEM. */
BD_MUST_USE enum st train_new(struct train **out, const struct model *m,
	const struct train_from *from, const struct train_how *how, struct pack *pack,
	const struct sink *s, struct err *e);
void train_free(struct train *t); /* NULL is fine */
const struct train_how *train_how(const struct train *t);
uint64_t train_steps_done(const struct train *t);
uint64_t train_bytes(const struct train *t); /* that it holds, without the model's own */
size_t train_matrices(const struct train *t); /* in training; of a mix two, of an adapter two */
/* What runs now, between steps; the gains in backend memory as fwd_set_gains has them, NULL where
 * they are frozen. */
const struct mat *const *train_view(const struct train *t);
/* Between steps: what runs from now on has these forms, form[n_linears]; NULL: those of the last
 * step. */
const struct mat *const *train_take_forms(struct train *t, const uint8_t *form);
float *const *train_gains(const struct train *t);
struct lora;
const struct lora *train_lora(const struct train *t); /* NULL: no adapters */

/* One step.  When it is stopped (ST_CANCELLED) in the middle, what moved stays: t is then only good
 * for train_free, a run goes on from its last checkpoint.  ST_INVALID when bad_limit is reached. */
BD_MUST_USE enum st train_step(
	struct train *t, struct train_report *r, const struct sink *s, struct err *e);

/* ---- what others read while it goes on */

/* Weights (and adapters) as the last finished step left them, by themselves: nothing that
 * train_step does shows in them.  Copied are codes, masters, and what lies frozen beside them where
 * it is not the model's own: a copy needs neither the run nor what it began from.  Of several forms
 * those of now (train_take_forms), then and at every train_copy_take. */
struct train_copy;
BD_MUST_USE enum st train_copy_new(struct train_copy **out, struct train *t, struct err *e);
void train_copy_take(struct train_copy *c, struct train *t); /* between steps only */
/* The run's own weights in the place of a copy, where nothing steps while they are read: good until
 * the next train_step.  Takes no memory; not for train_copy_take. */
struct train_copy *train_copy_none(const struct train *t);
void train_copy_free(struct train_copy *c);
uint64_t train_copy_step(const struct train_copy *c);
/* What runs with the copy's weights takes its view, and its gains and adapters by
 * train_copy_attach (fwd_set_add, fwd_set_gains; NULL: the model's own again). */
const struct mat *const *train_copy_view(const struct train_copy *c);
float *const *train_copy_gains(const struct train_copy *c);    /* as train_gains */
const struct lora *train_copy_lora(const struct train_copy *c); /* as train_lora */
void train_copy_attach(const struct train_copy *c, struct fwd *f);

/* ---- measuring (train_eval.c): forward only */

struct train_eval {
	size_t sequences, labelled;
	double nll, nll_se;  /* nats a labelled token; se over sequences, NAN of one */
	double kl, top1;     /* from the reference on labelled rows; NAN: not asked for */
	double *seq_nll;     /* [sequences] sums; for paired errors */
	uint32_t *seq_n;     /* [sequences] labelled rows */
};
/* Windows of a look on the way; of a dial each budget is looked at. */
enum { TRAIN_LOOK = 16, TRAIN_LOOK_DIAL = 8 };

/* The reference beside it.  Of one model, pack and math, the rows that it makes of the pack's first
 * windows are kept, so that it runs but once however often they are looked at: hidden floats a token,
 * of 4,096 tokens at most.  {0} keeps none; release it with the model's backend. */
struct train_ref {
	size_t keep; /* windows of which they are kept, at most */
	float **h;   /* [n], backend memory */
	size_t n;    /* batches kept so far */
};
void train_ref_release(struct train_ref *r, const struct backend *be);

/* Of what the pack holds out, at most `windows` windows (0: all).  copy NULL: of view.  ref: KL from
 * m->ref, too; NULL: not asked for. */
BD_MUST_USE enum st train_eval(struct train_eval *out, const struct model *m, const struct train_copy *copy,
	const struct mat *const *view, struct pack *pack, size_t windows, struct train_ref *ref,
	enum math math, const struct sink *s, struct err *e);
/* Bytes, with a reference of which the rows of so many windows are kept. */
uint64_t train_eval_need(const struct hparams *hp, size_t window, size_t keep);
void train_eval_release(struct train_eval *v);

/* ---- checkpoints (train_state.c) */

/* dir/train.state: all that a resume needs beside the model, the data and `how`: weights, states, place
 * in the data, counts; a checksum at the end.  Written as fs.h writes (complete or not at all). */
BD_MUST_USE enum st train_save(const struct train *t, const char *dir, struct err *e);
/* Into a t that train_new made with the same model, how and pack.  ST_INVALID says what
 * differs, ST_FORMAT: damaged (and t is as it was). */
BD_MUST_USE enum st train_load(struct train *t, const char *dir, struct err *e);
/* Between steps: the run ends at this step instead, which is what the schedules of the steps to come
 * go by; rates at their peak stay. */
void train_extend(struct train *t, uint64_t steps);

#endif
