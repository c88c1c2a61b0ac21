/* session_wear.c - a calibration taken off the dial, and put on again: the engine's part of
 * `calibrate off` and `calibrate on`. */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/session_train.h"

void wear_forget(struct session *s)
{
	dial_run_release(&s->train->off);
}

/* Is any format of the dial one that the run has? */
static bool shares_format(const struct desk *d, const struct dial_run *r)
{
	for (size_t f = 0; f < d->set.k; f++)
		if (dial_run_has(r, d->set.format[f]))
			return true;
	return false;
}

/* A header alone is the same in all models of a kind. */
static bool is_of(const struct desk *d, const struct dial_run *r)
{
	char *one = fs_real(r->model), *two = fs_real(d->m->ck->path);
	bool is = !strcmp(one, two) && (!*r->sha || !strcmp(r->sha, d->m->ck->header_sha256));

	xfree(one);
	xfree(two);
	return is;
}

/* What came off last; its checkpoint goes when the run goes on. */
static enum st find_last(const struct dial_run *off, struct dial_run *r, struct err *e)
{
	if (!off->dir)
		return err_set(e, ST_INVALID,
			"calibrate on: none came off in this sitting: name its run (calibrate on "
			"RUN)");
	return dial_run_at(r, off->dir, off->id, e) ? dial_run_find(r, off->id, e) : ST_OK;
}

/* run NULL: what came off last. */
static enum st find(struct session *s, const char *run, struct dial_run *r, struct err *e)
{
	const struct desk *d = s->desk;
	enum st st;

	st = run ? dial_run_find(r, run, e) : find_last(&s->train->off, r, e);
	if (!st && run && !is_of(d, r))
		st = err_set(e, ST_INVALID,
			"calibrate on: %s was made of another model, %s: open the run (:open %s)",
			run, r->model, run);
	if (!st && !shares_format(d, r))
		st = err_set(e, ST_INVALID,
			"calibrate on: %s calibrated %s, none of the dial's formats (:formats "
			"%s,keep)",
			train_short_id(r->id), r->formats, r->formats);
	if (st)
		dial_run_release(r);
	return st;
}

/* Its place is taken, and `calibrate on` brings it back. */
static void came_off(struct session *s)
{
	wear_forget(s);
	s->train->off = dial_run_copy(&s->desk->dial);
}

static enum st put_on(struct session *s, const char *run, const struct sink *sink, struct err *e)
{
	struct dial_run r = { .dir = NULL };
	enum st st = find(s, run, &r, e);

	if (!st && s->desk->dial.dir)
		came_off(s);
	if (!st)
		st = desk_wear(s->desk, &r, sink, e);
	if (!st)
		notice(s, LOG_INFO,
			"the dial has what %s calibrated (:calibrate off: the model's own "
			"variants)",
			train_short_id(r.id));
	dial_run_release(&r);
	return st;
}

static enum st take_off(struct session *s, const struct sink *sink, struct err *e)
{
	enum st st;

	if (!s->desk->dial.dir)
		return err_set(e, ST_INVALID,
			"calibrate off: the dial has the model's own variants already");
	came_off(s);
	st = desk_wear(s->desk, NULL, sink, e);
	if (!st)
		notice(s, LOG_INFO,
			"the dial has the model's own variants again (:calibrate on: those of %s)",
			train_short_id(s->train->off.id));
	return st;
}

/* path: a run; flag: on. */
static enum st work_wear(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct sink quiet;
	const struct sink *sink = desk_silent(&j->sink, &quiet);
	enum st st;

	if (!s->desk)
		return err_set(e, ST_INVALID, "no model is open");
	st = d->flag ? put_on(s, d->path, sink, e) : take_off(s, sink, e);
	publish_cells(s, true);
	s->view_generation = 0; /* the chat's next token is another model's */
	return st;
}

static const struct job_class job_wear = { "calibration", NULL, LANE_SCAN, work_wear,
	deed_done_resume };

enum st session_wear(struct session *s, bool on, const char *run, struct err *e)
{
	enum st st = session_need_model(s, "calibrate", e);
	struct deed *d;

	if (!st)
		st = session_need_no_training(s, "calibrate", e);
	if (st)
		return st;
	s->quiet = false;
	d = deed_new(s, run, NULL);
	d->flag = on;
	d->resume = s->auto_scan || jobs_active(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_measure); /* of the variants before */
	deed_submit(s, &job_wear, d);
	return ST_OK;
}
