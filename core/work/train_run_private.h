/* train_run_private.h - what the files of a training run share.
 *
 * Private to core/work.  On the thread that owns the desk.
 */
#ifndef BD_WORK_TRAIN_RUN_PRIVATE_H
#define BD_WORK_TRAIN_RUN_PRIVATE_H

#include "core/base/json.h"
#include "core/tune/train_need.h"
#include "core/work/train_dial.h"
#include "core/work/train_run.h"

/* What a run knows of itself beside what struct train does; in each checkpoint as train.json. */
struct train_so_far {
	uint64_t step, steps;   /* done; to be done, as asked for last */
	uint64_t tokens;        /* of all steps */
	double seconds;         /* in steps */
	double wall;            /* since the run began, without the time it did not run */
	double ema, ema_weight; /* of the loss, not yet divided by its weight */
	uint64_t best_step;     /* of the checkpoint with the lowest held-out loss, or KL under a teacher */
	double best_nll;        /* that; NAN: none */
	uint64_t waited;        /* looks since it, where patience counts them */
	uint64_t look_step;     /* of the last look at what is held out; UINT64_MAX: none yet */
	double look_nll, look_kl;
	double peak;    /* bytes, VmHWM */
	double changed; /* share of the codes that ever changed; NAN: there are none */
};

enum { TRAIN_WARNINGS = 4 };

struct train_run {
	struct desk *d;                /* borrowed */
	const struct layout *l;        /* borrowed */
	const struct mat *const *view; /* borrowed */
	bool *frozen;                  /* [n_linears] */
	struct train_ask ask;          /* strings owned */
	struct train_how how;
	struct pack *pack, *test, *text; /* NULL: none was asked for */
	char data_sha[65], test_sha[65];
	char worn[9]; /* of the calibrated run whose variants it began from: dial_run.h; "": none */
	char worn_of[64]; /* that run's id; "": none, or it was not written down then */
	struct train_memory need;
	struct teacher *teacher; /* NULL: the labels teach */
	struct train_dial *dial; /* NULL: one layout */
	struct train_ref ref;    /* beside a look at the pack */
	struct teach *said;      /* what it teaches from; NULL: live, or none */
	struct train *t;
	struct layout written; /* of the checkpoints */
	struct run *run;       /* NULL: ended */
	char *path, *id;
	struct train_so_far far;
	uint64_t steps; /* to be done */
	double began;   /* clock_now when far.wall was 0 */
	double last_step_s;
	bool broken; /* the last step's loss was no number */
	double saved_at;     /* clock_now */
	uint64_t saved_step; /* of the last checkpoint; UINT64_MAX: none yet */
	char *folder;        /* its; NULL: none yet */
	bool anew;           /* it had ended early, and is to go on: it waits as long again */
	enum st save_st;     /* of the last one that was tried */
	struct err save_err;
	bool mute; /* a line could not be written: that was said */
	bool frozen_told; /* that a gradient was no number */
	size_t n_warnings;
	char warning[TRAIN_WARNINGS][256]; /* of the rows */
};

/* ---- train_run_check.c: what may be wrong, before the first step */

BD_MUST_USE enum st train_run_read(struct train_run *r, const struct sink *s, struct err *e);
/* Sets what is frozen and what is needed. */
BD_MUST_USE enum st train_run_fits(struct train_run *r, struct err *e);
/* Bytes of a checkpoint, and whether there is room for n of them. */
BD_MUST_USE enum st train_run_room(const struct train_run *r, unsigned n, struct err *e);

/* ---- train_run_resume.c */

/* The "train" object of run.json. */
void train_run_put(void *run, struct json_out *o);
/* Where a run is: by its id or its path; xfree. */
BD_MUST_USE enum st train_run_find(char **path, const char *word, struct err *e);
/* The ask that it began with, strings owned. */
BD_MUST_USE enum st train_run_asked(struct train_run *r, const char *path, struct err *e);
/* Is what it would go on with still the same: model, layout, data? */
BD_MUST_USE enum st train_run_same(const struct train_run *r, const char *path, struct err *e);
/* Did it reach its end? */
bool train_run_finished(const char *path);

/* ---- train_run_save.c */

/* A checkpoint now.  Where the last one is of this step, only what it knows of the run is written
 * anew: a look came after it. */
BD_MUST_USE enum st train_run_save(struct train_run *r, const struct sink *s, struct err *e);
/* It was looked at now, and was never better. */
bool train_run_is_best(const struct train_run *r);
/* So many looks in a row brought nothing better that it ends. */
bool train_run_is_over(const struct train_run *r);
/* The last one into r->t, if there is one. */
BD_MUST_USE enum st train_run_load(struct train_run *r, struct err *e);
/* Reads r->far of the last one; false: there is none. */
BD_MUST_USE enum st train_run_last(struct train_run *r, bool *there, struct err *e);
/* `last` and `best` lead to what they say; what is no checkpoint that is kept goes. */
void train_run_prune(struct train_run *r);

/* ---- train_run_log.c: the lines */

void train_run_line_step(struct train_run *r, const struct train_report *rep);
void train_run_line_held(struct train_run *r, const struct train_eval *v);
void train_run_line_test(struct train_run *r, const struct train_eval *v);
/* Lines of steps behind the checkpoint's go. */
BD_MUST_USE enum st train_run_cut(const struct train_run *r, struct err *e);
double train_run_ema(const struct train_run *r); /* NAN: no step yet */
uint64_t train_run_peak(void);                   /* VmHWM; 0: unknown */

#endif
