/* session_jobs.c - what the verbs do on the engine thread. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/quant/bundle.h"
#include "core/work/desk_private.h"
#include "core/work/run_desk.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"
#include "core/work/session_private.h"

struct deed *deed_new(struct session *s, const char *path, const char *text)
{
	struct deed *d = xalloc(sizeof *d);

	d->s = s;
	d->path = path ? xstrdup(path) : NULL;
	d->text = text ? xstrdup(text) : NULL;
	return d;
}

static void deed_free(struct deed *d)
{
	xfree(d->path);
	xfree(d->text);
	xfree(d->device);
	xfree(d->script);
	xfree((char *)d->options.formats);
	sources_release(&d->sources);
	xfree((char *)d->options.template);
	ab_texts_free(d->texts);
	xfree(d);
}

void deed_done(struct job *j)
{
	struct deed *d = j->arg;

	job_failed(d->s, j);
	deed_free(d);
}

/* ---- opening and changing */

static void on_header(void *arg, const struct checkpoint *ck)
{
	struct deed *d = arg;

	publish_header(d->s, ck, d->options.formats);
}

static void publish_all(struct session *s)
{
	publish_model(s);
	publish_variants(s);
	publish_cells(s, true);
	publish_points(s);
}

static void on_changed(void *arg, enum desk_change what)
{
	struct session *s = arg;

	if (!atomic_load(&s->ready))
		return;
	if (what == DESK_FORMATS)
		training_drop(s); /* its codes are of a layout that counts in other formats */
	if (what == DESK_FORMATS)
		publish_all(s); /* first of all the model: the rest is counted in its formats */
	else if (what == DESK_VARIANTS)
		publish_variants(s);
	else if (what == DESK_POINTS)
		publish_points(s);
	else
		publish_cells(s, false);
}

static void on_measured(void *arg, const struct scan_cell *c, const char *stage)
{
	struct session *s = arg;
	struct err e;

	if (!s->scan_run)
		return;
	if (run_cell(s->scan_run, s->desk, c, stage, &e)) {
		notice(s, LOG_WARN, "%s; the scan goes on in memory", e.msg);
		run_end(s->scan_run, ST_IO, e.msg);
		s->scan_run = NULL;
	}
}

static void close_model(struct session *s)
{
	atomic_store(&s->ready, false);
	atomic_store(&s->can_measure, false);
	atomic_store(&s->slow, false);
	training_drop(s);
	wear_forget(s);
	chat_free(s->chat);
	s->chat = NULL;
	ab_free(s->ab);
	s->ab = NULL;
	chat_asked(s, NULL);
	if (atomic_exchange(&s->ab_on, false))
		notice(s, LOG_INFO, "A/B is off: its mark belonged to the model before");
	publish_ab(s, true);
	desk_close(s->desk);
	s->desk = NULL;
	xfree(s->view_choice);
	s->view_choice = NULL;
}

enum st session_read_layout(
	struct session *s, const char *path, const struct sink *sink, struct err *e)
{
	struct layout l = { 0 };
	const char *source;
	enum st st = desk_layout(s->desk, path, &l, &source, sink, e);

	if (st)
		return st;
	dial_choose(s->dial, l.choice, l.predicted_kl, l.predicted_se);
	layout_release(&l);
	return ST_OK;
}

static enum st work_open(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct err soft;
	enum st st;

	close_model(s);
	d->options.header = on_header;
	d->options.sources = &d->sources;
	d->options.arg = d;
	st = device_open(s, d->device, e);
	if (!st)
		st = desk_open(&s->desk, d->path, &d->options, &j->sink, e);
	if (st && device_give_way(s, d->device, st, e))
		st = desk_open(&s->desk, d->path, &d->options, &j->sink, e);
	if (st) {
		s->desk = NULL;
		return st;
	}
	s->desk->changed = on_changed;
	s->desk->measured = on_measured;
	s->desk->arg = s;
	s->view_choice = xarray(s->desk->set.n + 1, 1);
	s->view_generation = 0;
	publish_all(s);
	atomic_store(&s->ready, true);
	job_stage(j, "checking the file", "");
	st = desk_identify(s->desk, &j->sink, e); /* others have their turn meanwhile */
	if (st)
		return st;
	if (s->desk->cells_kept)
		notice(s, LOG_INFO, "%zu cells from before are in the cache", s->desk->cells_kept);
	if (!s->desk->tok)
		notice(s, LOG_WARN, "%s", s->desk->tok_err.msg);
	resume_look(s, d->resume && !s->quiet);
	if (d->text && session_read_layout(s, d->text, &j->sink, &soft))
		notice(s, LOG_ERROR, "%s", soft.msg);
	return ST_OK;
}

void deed_done_resume(struct job *j)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	bool resume = d->resume && atomic_load(&s->ready) &&
		      !(s->quiet && j->st == ST_CANCELLED); /* which the user stopped */

	deed_done(j);
	if (resume && !jobs_active(s->jobs, &job_prepare))
		deed_submit(s, &job_prepare, deed_new(s, NULL, NULL));
}

const struct job_class job_open = { "open", "bytes", LANE_SCAN, work_open, deed_done_resume };

/* text: new formats; flag: the text is changed, to that of sources. */
static enum st work_change(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	enum st st;

	if (!s->desk)
		return err_set(e, ST_INVALID, "no model is open");
	atomic_store(&s->can_measure, false);
	if (d->flag)
		st = desk_set_sources(s->desk, &d->sources, d->tokens, &j->sink, e);
	else
		st = desk_set_dial(s->desk, d->text, d->mix, &j->sink, e);
	return st;
}

const struct job_class job_change = { "change", NULL, LANE_SCAN, work_change, deed_done_resume };

static enum st work_exact(struct job *j, struct err *e)
{
	return dial_exact(((struct deed *)j->arg)->s->dial, &j->sink, e);
}

static void done_exact(struct job *j)
{
	struct session *s = ((struct deed *)j->arg)->s;
	bool again = atomic_exchange(&s->exact_again, false) && !j->st;

	deed_done(j);
	if (again)
		session_want_exact(s);
}

const struct job_class job_exact = { "solve", NULL, LANE_INTERACTIVE, work_exact, done_exact };

static enum st work_odds(struct job *j, struct err *e)
{
	return dial_odds(((struct deed *)j->arg)->s->dial, NULL, &j->sink, e);
}

const struct job_class job_odds = { "odds", NULL, LANE_MEASURE, work_odds, deed_done };

/* ---- layouts */

uint8_t *session_choice(struct session *s, uint64_t *bytes, double *kl, double *se)
{
	uint8_t *choice = xarray(s->desk->set.n + 1, 1);

	if (dial_answered(s->dial, choice, s->desk->set.n, bytes, kl, se))
		return choice;
	xfree(choice);
	return NULL;
}

static enum st with_layout(struct session *s, struct layout *l, struct err *e)
{
	double kl, se;
	uint64_t bytes;
	uint8_t *choice = s->desk ? session_choice(s, &bytes, &kl, &se) : NULL;

	if (!choice)
		return err_set(e, ST_INVALID, "there is no layout under the dial yet");
	desk_layout_of(s->desk, choice, kl, se, l);
	xfree(choice);
	return ST_OK;
}

static enum st work_export(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	const struct mat **view;
	struct layout l = { 0 };
	struct estimate x;
	double began;
	enum st st = with_layout(s, &l, e);

	if (st)
		return st;
	estimate_export(&x, s->desk, &l, d->path);
	st = foretell(j, &x, false, NULL, e);
	if (st) {
		layout_release(&l);
		return st;
	}
	view = xarray(s->desk->set.n + 1, sizeof *view);
	st = desk_view(s->desk, l.choice, view, &j->sink, e);
	for (size_t i = 0; !st && i < l.n; i++) /* the file names what was written */
		l.by[i] = desk_made_by(s->desk, i, l.choice[i]);
	began = clock_now();
	if (!st)
		st = bundle_write(d->path, s->desk->m, &l, view, &j->sink, e);
	if (!st && cache_keeps(s->desk->cache))
		rates_learn("export", s->desk->m->weights, (double)layout_file_bytes(&l, s->desk->m),
			clock_now() - began);
	if (!st) {
		notice(s, LOG_INFO, "exported %.2f bpw to %s", layout_stored_bpw(&l), d->path);
		job_say(j, d->path);
	}
	layout_release(&l);
	xfree(view);
	return st;
}

const struct job_class job_export = { "export", "linears", LANE_MEASURE, work_export, deed_done };

/* The scan that the layout was searched on: the one that runs, or the newest there is. */
static char *keep_parent(const struct session *s)
{
	return s->scan_run ? xstrdup(run_id(s->scan_run)) : run_parent(s->desk);
}

static enum st write_keep(
	struct job *j, const struct layout *l, const struct run_info *info, struct err *e)
{
	const struct deed *d = j->arg;
	struct run *run;
	enum st st = run_new(&run, info, e);

	if (st)
		return st;
	st = run_layout(run, l, e);
	if (!st) {
		notice(d->s, LOG_INFO, "kept as %s", run_id(run));
		job_say(j, run_id(run));
	}
	run_number(run, "stored_bpw", layout_stored_bpw(l));
	run_number(run, "bytes", (double)l->bytes);
	run_number(run, "predicted_kl", l->predicted_kl);
	run_number(run, "predicted_se", l->predicted_se);
	run_end(run, st, d->text);
	return st;
}

static enum st work_keep(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct layout l = { 0 };
	struct run_args again = { .n = 0 };
	struct run_info info;
	double bpw;
	char *parent;
	enum st st = with_layout(s, &l, e);

	if (st)
		return st;
	parent = keep_parent(s);
	info = run_info_of(s->desk, "search");
	info.options = d->text;
	info.parents = parent;
	info.script = d->script;
	info.script_sha = d->script_sha;
	if (dial_solved(s->dial, &bpw))
		again = run_args_of(s->desk, "search", bpw);
	else
		info.again_not = "its layout is not the dial's own answer at a budget: pins, "
				 "floors, ties, a guard or a file made it";
	info.again = (const char *const *)again.at;
	info.n_again = again.n;
	st = write_keep(j, &l, &info, e);
	run_args_release(&again);
	xfree(parent);
	layout_release(&l);
	return st;
}

const struct job_class job_keep = { "keep", NULL, LANE_INTERACTIVE, work_keep, deed_done };

enum st session_keep_for(struct session *s, const char *name, const char *script,
	const char *script_sha, struct err *e)
{
	struct deed *d;
	enum st st = s->read_only
			     ? err_set(e, ST_INVALID, "keep: the program was started with --read-only")
			     : session_need_model(s, "keep", e);

	if (!st && jobs_active(s->jobs, &job_keep))
		st = err_set(e, ST_INVALID, "keep: one is running already (x stops it)");
	if (st)
		return st;
	s->quiet = false;
	d = deed_new(s, NULL, name);
	d->script = script ? xstrdup(script) : NULL;
	snprintf(d->script_sha, sizeof d->script_sha, "%s", script_sha ? script_sha : "");
	deed_submit(s, &job_keep, d);
	return ST_OK;
}

enum st session_keep(struct session *s, const char *name, struct err *e)
{
	return session_keep_for(s, name, NULL, NULL, e);
}

static enum st work_layout_read(struct job *j, struct err *e)
{
	struct deed *d = j->arg;

	if (!d->s->desk)
		return err_set(e, ST_INVALID, "no model is open");
	return session_read_layout(d->s, d->path, &j->sink, e);
}

/* In the lowest lane, since a file may bring formats that variants must be made room for. */
const struct job_class job_layout_read = { "layout", NULL, LANE_SCAN, work_layout_read,
	deed_done_resume };

static enum st work_layout_write(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct layout l = { 0 };
	enum st st = with_layout(d->s, &l, e);

	if (st)
		return st;
	st = layout_write(&l, d->path, e);
	if (!st)
		notice(d->s, LOG_INFO, "layout of %.2f bpw written to %s", layout_stored_bpw(&l),
			d->path);
	layout_release(&l);
	return st;
}

const struct job_class job_layout_write = { "layout", NULL, LANE_INTERACTIVE, work_layout_write,
	deed_done };
