/* session_train.c - training as verbs: begun, held, kept, talked to. */
#include "core/work/session_train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/calibrate.h"
#include "core/work/train_dial.h"

/* What a newcomer trains on (share/sft/README). */
static const char default_data[] = "sft/next-step.jsonl";

struct session_train *session_train_new(void)
{
	struct session_train *t = xalloc(sizeof *t);

	atomic_init(&t->paused, false);
	atomic_init(&t->save, false);
	atomic_init(&t->chat, true);
	atomic_init(&t->halt, false);
	atomic_init(&t->steps, false);
	t->now = snap_train_new();
	return t;
}

/* No job runs any more. */
void session_train_free(struct session *s)
{
	training_drop(s);
	wear_forget(s);
	snap_unref(&s->train->now->snap);
	xfree(s->train);
	s->train = NULL;
}

/* ---- deeds */

struct train_deed *train_deed_new(struct session *s, const struct train_ask *ask)
{
	struct train_deed *d = xalloc(sizeof *d);

	d->s = s;
	d->ask = train_ask_copy(ask);
	return d;
}

static const struct job_class job_tell;

void train_deed_done(struct job *j)
{
	struct train_deed *d = j->arg;
	struct train_ask none = { 0 };
	/* what was measured was of other variants, however it ended */
	bool scans = (d->wore && d->s->auto_scan) || d->resume;

	job_failed(d->s, j);
	if (scans && atomic_load(&d->s->ready) && !jobs_active(d->s->jobs, &job_prepare))
		deed_submit(d->s, &job_prepare, deed_new(d->s, NULL, NULL));
	if (j->class == &job_train && !(j->began > 0)) /* stopped while it waited: as it was */
		jobs_submit(d->s->jobs, &job_tell, train_deed_new(d->s, &none), NULL);
	train_ask_release(&d->ask);
	xfree(d);
}

/* ---- verbs */

enum st session_need_no_training(struct session *s, const char *verb, struct err *e)
{
	if (!jobs_active(s->jobs, &job_train))
		return ST_OK;
	return err_set(e, ST_INVALID,
		"%s: a run is in training; stop it first (x on the Train screen)", verb);
}

static enum st may_begin(struct session *s, const struct train_ask *ask, struct err *e)
{
	const struct train_key *other = ask->resume ? train_ask_of_new(ask) : NULL;
	struct fs_in file = { .fd = -1 };
	enum st st = session_need_model(s, "train", e);

	if (st)
		return st;
	if (s->read_only)
		return err_set(e, ST_INVALID, "train: the program was started with --read-only");
	if (jobs_active(s->jobs, &job_train))
		return err_set(e, ST_INVALID, "train: a run is in training already (x stops it)");
	if (other)
		return err_set(e, ST_INVALID,
			"train: %s= goes with a new run: a resumed one knows all but its steps",
			other->name);
	if (!ask->resume && ask->method && !train_method_find(ask->method))
		return err_set(e, ST_INVALID,
			"train: no method \"%.40s\" (:train method= and Tab names them)",
			ask->method);
	if (!ask->resume && ask->data && strcmp(ask->data, calibrate_self) != 0 &&
		(st = fs_in_open(&file, ask->data, e)))
		return err_at(e, st, "train: data");
	fs_in_close(&file);
	if (!ask->resume && ask->dial)
		return dial_formats_check(ask->dial, e);
	return ST_OK;
}

/* Named where one of them may hold the engine when a run is to begin. */
static const struct {
	const struct job_class *class;
	const char *what;
} before[] = {
	{ &job_open, "the model that is being opened" },
	{ &job_measure, "a measurement" },
	{ &job_export, "an export" },
	{ &job_odds, "the odds" },
	{ &job_change, "other texts or formats" },
	{ &job_refine, "the refinement" },
	{ &job_prepare, "the scan" },
};

/* What is seen until the engine comes to it. */
static void tell_waiting(struct session *s, const char *data)
{
	struct snap_train *t = snap_train_new();
	char text[112] = "";

	for (size_t i = 0; i < sizeof before / sizeof *before && !*text; i++)
		if (jobs_active(s->jobs, before[i].class))
			snprintf(text, sizeof text, "waits for %s", before[i].what);
	t->state = TRAINING_BEGINS;
	snprintf(t->data, sizeof t->data, "%s", data ? fs_name(data) : "");
	snap_train_note(t, 0, *text ? text : "waits for its turn");
	bus_publish(s->bus, (struct event){ .kind = EV_TRAIN, .snap = &t->snap });
}

enum st session_train(struct session *s, const struct train_ask *ask, struct err *e)
{
	struct train_ask a = *ask;
	struct train_deed *d;
	char *share = NULL;
	enum st st = may_begin(s, ask, e);

	if (st)
		return st;
	if (!a.resume && !a.data && !a.calibrate) {
		a.data = share = fs_share(default_data);
		if (!share || !fs_is_file(share)) {
			st = err_set(e, ST_INVALID,
				"train: name a file of rows (train start data=FILE): %s is not "
				"installed",
				default_data);
			xfree(share);
			return st;
		}
	}
	s->quiet = false;
	session_leave(s);
	atomic_store(&s->train->paused, false);
	atomic_store(&s->train->save, false);
	atomic_store(&s->train->halt, false);
	tell_waiting(s, a.data); /* before it can begin, or it would cover what the run says */
	d = train_deed_new(s, &a);
	d->resume = jobs_active(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_prepare);
	jobs_submit(s->jobs, &job_train, d, NULL);
	xfree(share);
	return ST_OK;
}

uint32_t session_training(struct session *s)
{
	return jobs_of(s->jobs, &job_train);
}

static enum st need_run(struct session *s, const char *verb, struct err *e)
{
	return session_training(s)
		       ? ST_OK
		       : err_set(e, ST_INVALID,
				 "train %s: nothing is in training (:train start begins)", verb);
}

static bool turned(bool is, enum switch_verb verb)
{
	return verb == SWITCH_TOGGLE ? !is : verb == SWITCH_ON;
}

enum st session_train_pause(struct session *s, enum switch_verb verb, bool *paused, struct err *e)
{
	enum st st = need_run(s, "pause", e);

	if (st)
		return st;
	*paused = turned(atomic_load(&s->train->paused), verb);
	atomic_store(&s->train->paused, *paused);
	return ST_OK;
}

bool session_train_halt(struct session *s, uint32_t job)
{
	struct session_train *t = s->train;

	if (job != session_training(s) || !job || !atomic_load(&t->steps) ||
		atomic_exchange(&t->halt, true))
		return false;
	notice(s, LOG_INFO, "it stops after this step, with a checkpoint (again: at once)");
	bus_publish(s->bus, (struct event){ .kind = EV_JOB_STOPPING, .key = job });
	return true;
}

enum st session_train_save(struct session *s, struct err *e)
{
	enum st st = need_run(s, "save", e);

	if (!st)
		atomic_store(&s->train->save, true);
	return st;
}

static enum st work_tell(struct job *j, struct err *e)
{
	(void)e;
	training_publish(((struct train_deed *)j->arg)->s, true);
	return ST_OK;
}

static const struct job_class job_tell = { "tell", NULL, LANE_INTERACTIVE, work_tell,
	train_deed_done };

enum st session_train_chat(struct session *s, enum switch_verb verb, bool *on, struct err *e)
{
	struct train_ask none = { 0 };

	(void)e;
	*on = turned(atomic_load(&s->train->chat), verb);
	atomic_store(&s->train->chat, *on);
	jobs_submit(s->jobs, &job_tell, train_deed_new(s, &none), NULL);
	return ST_OK;
}

enum st session_train_ghost(struct session *s, const char *run, struct err *e)
{
	struct train_ask ask = { .resume = run };

	(void)e;
	jobs_submit(s->jobs, &job_ghost, train_deed_new(s, &ask), NULL);
	return ST_OK;
}
