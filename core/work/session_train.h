/* session_train.h - what the files of a sitting's training share; nobody else includes it. */
#ifndef BD_WORK_SESSION_TRAIN_H
#define BD_WORK_SESSION_TRAIN_H

#include "core/work/session_private.h"
#include "core/work/snap_train.h"
#include "core/work/train_run.h"

/* What a run's losses are: nats a token or, where the reference taught it, KL; of a whole dial? */
struct train_curve {
	bool taught, dial;
};

struct session_train {
	/* set by the UI, read by the engine */
	atomic_bool paused, save, chat;
	atomic_bool halt;  /* after the step under way */
	atomic_bool steps; /* set by the engine: one is under way */

	/* engine thread */
	struct snap_train *now;   /* never published itself: copies of it are */
	struct layout layout;     /* that the run began from, */
	const struct mat **view;  /* and its mats; both as long as there is a copy */
	struct train_copy *copy;  /* what the chat answers from; NULL: none */
	bool worn;                /* the answer under way, or the last one, is the copy's */
	bool no_copy;             /* there was no memory for one: that was said */
	double began, before;     /* clock; seconds that a resumed run had behind it */
	double went;              /* clock: when this sitting's first step began, pauses left out; 0: not */
	uint64_t went_from;       /* steps done then */
	double published;         /* clock */
	double stepped;           /* clock: after its last step, or where it went on */
	struct job *job;          /* NULL: nothing is in training */
	struct train_run *run;    /* of that job, once it is made; else NULL */
	bool halting;             /* what halt asked for happens now */
	struct train_curve ghost; /* of now's ghost */
	struct dial_run off;      /* the calibration that came off the dial last; dir NULL: none */
};

/* What a job of training is asked; strings owned. */
struct train_deed {
	struct session *s;
	struct train_ask ask; /* job_ghost: resume alone, NULL: none */
	bool wore;            /* set by the engine: the desk's variants are others than before */
	bool resume;          /* a scan was stopped for it, and goes on when it is done */
};
struct train_deed *train_deed_new(struct session *s, const struct train_ask *ask);
void train_deed_done(struct job *j);
extern const struct job_class job_train, job_ghost;
/* "20260101-201403-train-7f3a": what follows the time. */
const char *train_short_id(const char *id);

/* Engine thread.  Says what there is; at most four times a second unless `now`. */
void training_publish(struct session *s, bool now);
void training_begin_seeing(struct session_train *t); /* the empty one again; the ghost stays */
/* Of struct train_seen; arg: the session. */
void training_step(void *arg, const struct train_report *rep);
void training_held(void *arg, uint64_t step, const struct train_eval *v);
void training_ending(void *arg, double seconds);
/* The steps of a run folder, from its metrics/: into h and look, which are empty, up to `steps`
 * (0: all).  *seconds: those it had taken.  What cannot be read is an empty history. */
BD_MUST_USE enum st train_read(const char *folder, uint64_t steps, struct train_history *h,
	struct train_look *look, size_t *n_looks, double *seconds, const struct sink *sink,
	struct err *e);
/* The ghost goes where what is in training is of another kind: both are on one axis. */
void training_fit_ghost(struct session *s);
/* A run of training; its words are owned: train_found_release. */
struct train_found {
	char *folder, *id, *data; /* id: the whole one; data: the file */
	struct train_curve curve;
};
/* word may be a part of the id. */
BD_MUST_USE enum st train_find_run(struct train_found *out, const char *word, struct err *e);
void train_found_release(struct train_found *f);

#endif
