/* snap_train.h - what a training run did so far, for those who watch it.
 *
 * A history is a series of numbers a step, of any length in bounded memory: a bucket holds the
 * least, the most and the mean of `stride` steps, and where there are too many, two become one, so
 * that no spike is ever lost by leaving steps out.  EV_TRAIN carries a copy of it all (snap_train).
 */
#ifndef BD_WORK_SNAP_TRAIN_H
#define BD_WORK_SNAP_TRAIN_H

#include "core/work/snap.h"

enum train_series {
	SERIES_LOSS, /* nats a labelled token, before the step */
	SERIES_LR,
	SERIES_LR_S,
	SERIES_GRAD,      /* norm of all gradients together */
	SERIES_UPDATE,    /* norm of the change asked for */
	SERIES_RATE,      /* tokens a second */
	SERIES_MEMORY,    /* bytes */
	SERIES_FLIPS,     /* share of the codes that changed in the step */
	SERIES_SATURATED, /* ... at an end of their range */
	SERIES_REVERSALS, /* share of the flips that take one of the last ten steps back */
	SERIES_CHANGED,   /* share of the codes that ever changed */
	SERIES_FLIPS_OF,  /* + bits - 1: flips of that width */
	TRAIN_SERIES = SERIES_FLIPS_OF + 8
};

struct train_span {
	float lo, hi, mean; /* NAN: not known */
};

struct train_bucket {
	uint32_t n;   /* steps in it */
	uint32_t bad; /* ... whose loss was no number: they changed nothing and are in no span */
	float at_s;   /* seconds the run had been going at its end */
	struct train_span v[TRAIN_SERIES];
};

enum { TRAIN_BUCKETS = 1024, TRAIN_LOOKS = 256, TRAIN_NOTES = 4 };

struct train_history {
	uint64_t first;  /* steps before these, of which nothing is known */
	uint64_t stride; /* steps a bucket has, but the last may have fewer */
	size_t n, cap;
	struct train_bucket *bucket; /* [cap], at most TRAIN_BUCKETS */
};
/* One step more.  bad: only counted. */
void train_history_add(struct train_history *h, const float v[TRAIN_SERIES], bool bad, double at_s);
uint64_t train_history_steps(const struct train_history *h); /* the last one known */
struct train_history train_history_copy(const struct train_history *h);
void train_history_release(struct train_history *h);
/* Exponential mean of the loss up to and with each bucket, out [n]; smooth: what a step keeps of
 * what was, 0: nothing.  NAN before the first number. */
void train_history_smooth(const struct train_history *h, double smooth, float *out);

enum { TRAIN_POINTS = 5 };

/* A look at what is held out of the data. */
struct train_look {
	uint64_t step;
	float at_s, nll, se, kl, top1; /* kl, top1: against the reference; NAN: not asked for */
	float point[TRAIN_POINTS];     /* kl at each budget of a dial; NAN: not known */
};

enum training {
	TRAINING_NONE, /* there was none yet */
	TRAINING_BEGINS,
	TRAINING_RUNS,
	TRAINING_PAUSED,
	TRAINING_STOPS, /* after the step under way */
	TRAINING_DONE,
	TRAINING_STOPPED,
	TRAINING_FAILED
};

struct snap_train {
	struct snap snap;
	enum training state;
	uint32_t job;              /* of the run; 0: there was none yet */
	char run[64];              /* id; "": it has none yet */
	char method[16], data[96]; /* data: the name of its file */
	bool taught;               /* by the reference: a loss is KL from it */
	double bpw;                /* stored, of the layout it began from */
	size_t points;             /* budgets that are looked at, where all formats of a dial are */
	double point_bpw[TRAIN_POINTS]; /* trained at once, the smallest first; else 0 */
	uint64_t step, steps;      /* done and left out; of the whole run */
	uint64_t skipped;          /* left out */
	uint64_t saved;            /* step of the last checkpoint; 0: none */
	double step_s, left_s;     /* of a step, of late; until the end.  NAN: not known */
	double ran_s;
	double quiet_s; /* since the last step, where that is unusually long; else 0 */
	size_t step_tokens;
	bool chat;                 /* the chat answers from a copy ... */
	uint64_t chat_step;        /* ... as it was after that step */
	unsigned widths;           /* bit b: there are codes of b bits */
	double last[TRAIN_SERIES]; /* of the last step; NAN: not known */
	struct train_history seen;
	size_t n_looks;
	struct train_look look[TRAIN_LOOKS];
	char ghost_name[64]; /* "": there is none */
	struct train_history ghost;
	size_t n_ghost_looks;
	struct train_look ghost_look[TRAIN_LOOKS];
	size_t n_notes; /* the newest last */
	struct {
		uint64_t step;
		char text[256];
	} note[TRAIN_NOTES];
};
/* An empty one; its histories become its own. */
struct snap_train *snap_train_new(void);
/* What a look says of the run's loss: NAN where it was not measured. */
static inline double train_look_loss(const struct snap_train *t, const struct train_look *l)
{
	return (double)(t->taught ? l->kl : l->nll);
}
/* A copy to publish. */
struct snap_train *snap_train_copy(const struct snap_train *t);
/* One look more; of too many every second one goes. */
void train_look_add(struct train_look *list, size_t *n, struct train_look one);
/* So many seconds after its last step: unusual is more than three steps take, and 5 s. */
void snap_train_quiet(struct snap_train *t, double seconds);
/* left_s, when the `done` steps of this sitting took so many seconds with all that was between them. */
void snap_train_left(struct snap_train *t, uint64_t done, double seconds);
void snap_train_note(struct snap_train *t, uint64_t step, const char *text);
const char *training_name(enum training t); /* "running", "paused" */

#endif
