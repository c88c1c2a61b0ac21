/* session_train_job.c - a run of training on the engine thread: steps, what is seen of them, the
 * pause between two, and the copy that the chat answers from. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/work/calibrate.h"
#include "core/work/desk_private.h"
#include "core/work/device.h"
#include "core/work/session_train.h"
#include "core/work/train_dial.h"

/* ---- between steps */

/* The chat's copy, as it is after this step; made when it is first wanted. */
static void take_copy(struct session *s, struct train *tr)
{
	struct session_train *t = s->train;
	struct err e;

	if (!atomic_load(&t->chat) ||
		t->now->points) /* the dial wears a calibration's checkpoints */
		return;
	if (!t->copy && !t->no_copy && train_copy_new(&t->copy, tr, &e)) {
		t->copy = NULL;
		t->no_copy = true;
		notice(s, LOG_WARN, "%s; the chat answers from the dial's model", e.msg);
	}
	if (t->copy)
		train_copy_take(t->copy, tr);
}

/* What the dial, the chat and the heatmap use is the checkpoint's from now on.  The job's progress
 * is its steps: it does not count what is loaded here. */
static void wear(struct session *s, const char *dir, bool newest)
{
	struct job *j = s->train->job;
	struct dial_run r;
	struct sink quiet;
	struct err e;
	enum st st = dial_run_at(&r, dir, s->train->now->run, &e);

	if (!st) {
		((struct train_deed *)j->arg)->wore = true;
		st = desk_wear(s->desk, &r, desk_silent(&j->sink, &quiet), &e);
		publish_cells(s, true);
		dial_run_release(&r);
	}
	if (st && st != ST_CANCELLED)
		notice(s, LOG_WARN, "%s; the dial has the variants of before", e.msg);
	if (!st && newest)
		train_run_put_points(s->train->run);
	s->view_generation = 0; /* the chat's next token is another model's */
}

/* The best there is, which need not be the last. */
static void wear_best(struct session *s, const struct train_run *run)
{
	double kl;
	char *better = train_run_better(run, &kl);

	if (better || train_run_folder(run))
		wear(s, better ? better : train_run_folder(run), !better);
	xfree(better);
}

static void on_saved(void *arg, uint64_t step, const char *dir)
{
	struct session *s = arg;

	s->train->now->saved = step;
	log_at(LOG_INFO, "train", "step %llu is in %s", (unsigned long long)step, dir);
	if (s->train->now->points)
		wear(s, dir, true);
	training_publish(s, true);
}

/* A checkpoint that is asked for meanwhile is written here: one that fails ends no pause. */
static void hold_on(struct session *s)
{
	const struct train_seen seen = { .saved = on_saved, .arg = s };
	struct session_train *t = s->train;
	double from = clock_now(), held;
	struct sink quiet;

	t->now->state = TRAINING_PAUSED;
	training_publish(s, true);
	job_hold(t->job, true);
	while (atomic_load(&t->paused) && !atomic_load(&t->halt) && !job_poll(t->job)) {
		if (atomic_exchange(&t->save, false) && t->now->saved != t->now->step)
			train_run_keep(t->run, &seen, desk_silent(&t->job->sink, &quiet));
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	job_hold(t->job, false);
	t->stepped = clock_now();
	held = t->stepped - from;
	t->began += held;
	if (t->went > 0)
		t->went += held;
	train_run_held_for(t->run, held);
	t->now->state = TRAINING_RUNS;
	training_publish(s, true);
}

static bool on_between(void *arg, struct train *tr)
{
	struct session *s = arg;
	struct session_train *t = s->train;

	take_copy(s, tr);
	if (atomic_load(&t->paused))
		hold_on(s);
	if (atomic_load(&t->chat) && !t->copy)
		take_copy(s, tr); /* asked for in the pause */
	if (atomic_load(&t->halt)) {
		t->halting = true;
		t->now->state = TRAINING_STOPS;
	}
	training_publish(s, false);
	return atomic_exchange(&t->save, false);
}

/* ---- a run */

/* The layout under the dial, each linear by the quantizer that made what runs. */
static enum st from_dial(struct session *s, const struct sink *sink, struct err *e)
{
	struct session_train *t = s->train;
	const struct desk *d = s->desk;
	uint64_t bytes;
	double kl, se;
	uint8_t *choice = session_choice(s, &bytes, &kl, &se);
	enum st st;

	if (!choice)
		return err_set(e, ST_INVALID, "train: there is no layout under the dial yet");
	desk_layout_of(d, choice, kl, se, &t->layout);
	st = desk_view(s->desk, choice, t->view, sink, e);
	for (size_t i = 0; !st && i < t->layout.n; i++)
		t->layout.by[i] = desk_made_by(d, i, choice[i]);
	xfree(choice);
	return st;
}

/* That of the run. */
static enum st from_run(
	struct session *s, const struct train_ask *ask, const struct sink *sink, struct err *e)
{
	struct session_train *t = s->train;
	struct train_found run;
	const char *source;
	enum st st = train_find_run(&run, ask->resume, e);
	char *path;

	if (st)
		return st;
	snprintf(t->now->data, sizeof t->now->data, "%s", fs_name(run.data));
	path = xprintf("%s/layout.json", run.folder);
	st = desk_layout(s->desk, path, &t->layout, &source, sink, e);
	if (!st) {
		xfree(t->view); /* it may have brought formats */
		t->view = xarray(s->desk->set.n + 1, sizeof *t->view);
		st = desk_layout_view(s->desk, &t->layout, t->view, sink, e);
	}
	xfree(path);
	train_found_release(&run);
	return st;
}

/* Of a dial: codes and grids start from the desk's variants, those of a calibration before it where
 * they stand in the dial; masters from the reference. */
static enum st from_formats(
	struct session *s, const struct train_ask *ask, const struct sink *sink, struct err *e)
{
	struct session_train *t = s->train;
	char *top = train_dial_top(ask->dial);
	const char *source;
	enum st st = desk_layout(s->desk, top, &t->layout, &source, sink, e);

	xfree(top);
	return st;
}

static void foretell_time(struct session *s, const struct train_ask *ask)
{
	bool guessed;
	double seconds = calibrate_foretell(s->desk, ask, &guessed);
	char time[16];

	notice(s, LOG_INFO, "calibrating %s: %llu steps, %s %s (x stops it)",
		ask->dial ? ask->dial : "the layout", (unsigned long long)ask->steps,
		guessed ? "at a guess" : "about", text_seconds(seconds, time));
}

/* Is it one of the texts that the desk scans and measures on? */
static bool is_measured_on(const struct desk *d, const char *data)
{
	bool is = d->text_path && !strcmp(d->text_path, data);

	for (size_t i = 0; i < d->sources.n; i++)
		is |= d->sources.at[i].path && !strcmp(d->sources.at[i].path, data);
	return is;
}

/* What it learns from, where that is not what a person would think. */
static void tell_text(struct session *s, const struct train_ask *ask, bool named)
{
	char text[160] = "";

	if (is_measured_on(s->desk, ask->data))
		snprintf(text, sizeof text, "it learns from all of %.60s: measure on another text",
			fs_name(ask->data));
	else if (!named && desk_many_texts(s->desk))
		snprintf(text, sizeof text,
			"it learns from what the model writes, not from the %zu texts: data=FILE "
			"names one",
			s->desk->sources.n);
	if (!*text)
		return;
	notice(s, LOG_INFO, "%s", text);
	snap_train_note(s->train->now, 0, text);
}

/* What it begins from; an ask of calibration is filled in. */
static enum st from_ask(
	struct session *s, struct train_ask *ask, const struct sink *sink, struct err *e)
{
	struct train_ask whole;
	bool named = ask->data || ask->text;

	if (ask->resume)
		return from_run(s, ask, sink, e);
	if (ask->calibrate) {
		whole = calibrate_ask(ask, s->desk->formats, s->desk->text_path);
		train_ask_release(ask);
		*ask = whole;
		snprintf(s->train->now->data, sizeof s->train->now->data, "%s", fs_name(ask->data));
	}
	if (ask->calibrate) {
		tell_text(s, ask, named);
		foretell_time(s, ask);
	}
	return ask->dial ? from_formats(s, ask, sink, e) : from_dial(s, sink, e);
}

void training_drop(struct session *s)
{
	struct session_train *t = s->train;

	if (t->job) /* it needs them itself */
		return;
	if (t->worn && s->chat)
		train_copy_attach(NULL, chat_fwd(s->chat));
	t->worn = false;
	train_copy_free(t->copy);
	t->copy = NULL;
	layout_release(&t->layout);
	xfree(t->view);
	t->view = NULL;
}

/* Of a run that goes on: what it did so far. */
static enum st read_back(struct session *s, struct train_run *run, const struct sink *sink)
{
	struct session_train *t = s->train;
	uint64_t done = train_steps_done(train_run_train(run));
	struct train_found found;
	struct err e;
	enum st st;

	t->now->step = t->now->saved = done;
	if (!done)
		return ST_OK;
	st = train_find_run(&found, train_run_id(run), &e);
	if (!st)
		st = train_read(found.folder, done, &t->now->seen, t->now->look, &t->now->n_looks,
			&t->before, sink, &e);
	train_found_release(&found);
	if (st && st != ST_CANCELLED)
		notice(s, LOG_WARN, "%s; the curve begins at step %llu", e.msg,
			(unsigned long long)done);
	if (!t->now->seen.n)
		t->now->seen.first = done;
	return st == ST_CANCELLED ? st : ST_OK;
}

/* A long step, a look at what is held out, a checkpoint: else nothing would be heard of it. */
static void tell_quiet(struct session *s)
{
	struct session_train *t = s->train;
	double now = clock_now();

	if (now - t->published < 1)
		return;
	snap_train_quiet(t->now, now - t->stepped);
	if (t->now->quiet_s > 0)
		training_publish(s, true);
}

/* Stopped as every job, or between two steps. */
static bool poll_steps(const struct sink *sink)
{
	struct session *s = sink->self;

	tell_quiet(s);
	return s->train->halting || job_poll(s->train->job);
}

static enum st go(struct session *s, struct train_run *run, struct job *j, struct err *e)
{
	struct session_train *t = s->train;
	struct train_seen seen = { training_step, training_held, on_saved, on_between,
		training_ending, s };
	/* Its progress is training_step's: what counts is steps, not the windows of a look. */
	struct sink steps = { .poll = poll_steps, .self = s };
	enum st st = read_back(s, run, &j->sink);
	double kl[TRAIN_POINTS];

	t->now->points = train_run_points(run, t->now->point_bpw, kl);
	snprintf(t->now->run, sizeof t->now->run, "%s", train_run_id(run));
	t->now->steps = train_how(train_run_train(run))->tune.steps;
	snprintf(t->now->method, sizeof t->now->method, "%s",
		train_how(train_run_train(run))->method->name);
	t->now->taught = train_how(train_run_train(run))->teach;
	training_fit_ghost(s);
	for (size_t i = 0; train_run_warning(run, i); i++)
		snap_train_note(t->now, 0, train_run_warning(run, i));
	t->now->state = TRAINING_RUNS;
	t->halting = false;
	job_stage(j, "train", "steps");
	t->began = t->stepped = clock_now();
	take_copy(s, train_run_train(run));
	training_publish(s, true);
	atomic_store(&t->steps, true);
	if (!st)
		st = train_run_go(run, &seen, &steps, e);
	atomic_store(&t->steps, false);
	return st;
}

/* What became of it, and what can be done with it now; the beginning of each in the 80 columns of
 * the status line. */
static void say_end(struct session *s, const struct train_run *run, enum st st)
{
	struct snap_train *n = s->train->now;
	const char *id = train_short_id(n->run);
	unsigned long long step = (unsigned long long)n->step;
	char *early = !st ? train_run_early(run) : NULL, held[64] = "", opens[48] = "";

	if (n->n_looks > 1)
		snprintf(held, sizeof held, "; held out %s%.3g to %.3g%s", n->taught ? "KL " : "",
			train_look_loss(n, &n->look[0]),
			train_look_loss(n, &n->look[n->n_looks - 1]), n->taught ? "" : " nats");
	if (n->points && train_run_folder(run)) {
		snprintf(opens, sizeof opens, "; bitdial %s opens it", id);
		snap_train_note(n, n->saved, opens + strlen("; ")); /* the scan covers the notice */
	}
	if (early)
		snap_train_note(n, n->step, early);
	if (early && *opens)
		notice(s, LOG_INFO, "%s ended at step %llu, best at step %llu%s", id, step,
			(unsigned long long)train_run_best(run), opens);
	else if (early)
		notice(s, LOG_INFO, "%s %s", id, early);
	else if (!st)
		notice(s, LOG_INFO, "%s: %llu steps%s%s%s", id, step, held, opens,
			s->train->copy ? "; the chat answers from it (:train chat off: the dial's)"
				       : "");
	else if (n->saved)
		notice(s, LOG_INFO, "%s stopped; step %llu is kept (:train resume goes on)%s", id,
			(unsigned long long)n->saved, opens);
	else
		notice(s, LOG_INFO, "%s stopped before its first checkpoint", id);
	xfree(early);
}

static void tell_end(struct session *s, struct job *j, const struct train_run *run, enum st st)
{
	struct snap_train *n = s->train->now;

	n->state = !st ? TRAINING_DONE : st == ST_CANCELLED ? TRAINING_STOPPED : TRAINING_FAILED;
	n->left_s = (double)NAN;
	if (run && (!st || st == ST_CANCELLED))
		say_end(s, run, st);
	if (run && !st)
		job_say(j, n->run);
}

static enum st work_train(struct job *j, struct err *e)
{
	struct train_deed *d = j->arg;
	struct session *s = d->s;
	struct session_train *t = s->train;
	struct train_run *run = NULL;
	struct underway *word = NULL;
	enum st st = ST_OK;

	if (!s->desk)
		return err_set(e, ST_INVALID, "train: no model is open");
	training_drop(s);
	training_begin_seeing(t);
	t->no_copy = false;
	t->job = j;
	t->view = xarray(s->desk->set.n + 1, sizeof *t->view);
	t->now->state = TRAINING_BEGINS;
	t->now->job = j->id;
	snprintf(t->now->data, sizeof t->now->data, "%s", d->ask.data ? fs_name(d->ask.data) : "");
	training_publish(s, true);
	job_stage(j, "train: preparing", "");
	st = from_ask(s, &d->ask, &j->sink, e);
	if (!st)
		t->now->bpw = layout_stored_bpw(&t->layout);
	if (!st)
		st = train_run_new(&run, s->desk, &t->layout, t->view, &d->ask, &j->sink, e);
	t->run = run;
	if (!st) {
		word = underway_of(s, "train", NULL);
		st = go(s, run, j, e);
		if (t->now->points && (!st || (t->halting && !job_poll(j))))
			wear_best(s, run);
		underway_end(word, st == ST_DEVICE || (st == ST_CANCELLED && job_program_ends(j)));
	}
	if (st && st != ST_CANCELLED)
		snap_train_note(t->now, t->now->step, e->msg);
	tell_end(s, j, run, st);
	train_run_free(run);
	t->run = NULL;
	t->job = NULL;
	if (st && st != ST_CANCELLED)
		training_drop(s);
	training_publish(s, true);
	return st;
}

/* In the lowest lane: variants and formats change, which whatever else is in it has in its hands.
 */
const struct job_class job_train = { "train", "steps", LANE_SCAN, work_train, train_deed_done };

/* ---- the chat */

bool training_wear(struct session *s)
{
	struct session_train *t = s->train;

	t->worn = atomic_load(&t->chat) && t->copy;
	train_copy_attach(t->worn ? t->copy : NULL, chat_fwd(s->chat));
	return t->worn;
}

bool training_view(struct session *s, const struct mat **view, uint32_t *layout, double *bpw)
{
	const struct session_train *t = s->train;

	if (!t->worn)
		return false;
	if (view)
		memcpy(view, train_copy_view(t->copy), s->desk->set.n * sizeof *view);
	*layout = LAYOUT_OF_STEP | (uint32_t)(train_copy_step(t->copy) & ~(uint64_t)LAYOUT_OF_STEP);
	*bpw = t->now->bpw;
	return true;
}
