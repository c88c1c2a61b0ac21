/* session_resume.c - what was cut short when the program last ended: said once in a line, and
 * gone on with by one key; and the order of jobs that wait. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/runs.h"
#include "core/work/session_private.h"
#include "core/work/train_run.h"
#include "core/work/underway.h"

enum st session_raise(struct session *s, uint32_t job, struct err *e)
{
	return jobs_raise(s->jobs, job, e);
}

/* ---- leaving word */

struct underway *underway_of(struct session *s, const char *kind, const uint8_t *choice)
{
	struct underway *u;
	struct layout l = { 0 };

	if (s->read_only || s->no_runs)
		return NULL;
	if (choice)
		desk_layout_of(s->desk, choice, (double)NAN, (double)NAN, &l);
	u = underway_begin(kind, s->desk->m->ck->header_sha256, choice ? &l : NULL);
	layout_release(&l);
	return u;
}

/* ---- the next start */

static void remember_crashed(void *arg, const char *id, const char *kind)
{
	struct cut_short *c = arg;
	struct tm tm = { .tm_isdst = -1 };

	bool train = !strcmp(kind, "train");

	log_at(LOG_INFO, "run", "%s has no end: it was cut short", id);
	if (strcmp(kind, "scan") != 0 && !train)
		return;
	snprintf(c->kind, sizeof c->kind, "%s", kind);
	xfree(c->layout);
	c->layout = train ? xstrdup(id) : NULL; /* of which the run is all there is to know */
	if (sscanf(id, "%4d%2d%2d-%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		    &tm.tm_min, &tm.tm_sec) == 6) {
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
		c->began = (int64_t)mktime(&tm);
	}
}

/* A warning that stays until it is answered. */
static void offer(struct session *s, char *text)
{
	bus_publish(s->bus, (struct event){ .kind = EV_NOTICE,
				    .key = NOTICE_OFFER,
				    .n = LOG_WARN,
				    .snap = &snap_text_new(text)->snap });
	xfree(text);
}

static void tell_scan(struct session *s, const struct cut_short *c, const char *at, bool goes_on)
{
	char when[24];

	cut_short_when(c->began, when);
	if (goes_on)
		notice(s, LOG_WARN, "the scan of %s was cut short%s: it goes on", when, at);
	else
		offer(s, xprintf("the scan of %s was cut short%s: r or :resume goes on, Esc leaves "
				 "it",
				 when, at));
}

static const char *name_of(const char *kind)
{
	return !strcmp(kind, "refine")  ? "refining"
	       : !strcmp(kind, "train") ? "training"
	       : !strcmp(kind, "scan")  ? "scan"
					: "measurement";
}

static void tell_other(struct session *s, const struct cut_short *c)
{
	char when[24], bpw[24] = "";

	if (isfinite(c->bpw))
		snprintf(bpw, sizeof bpw, " at %.2f bpw", c->bpw);
	offer(s,
		xprintf("the %s of %s%s was cut short: r or :resume begins it again, Esc leaves it",
			name_of(c->kind), cut_short_when(c->began, when), bpw));
}

static bool known_kind(const struct cut_short *c)
{
	return !strcmp(c->kind, "scan") ||
	       (c->layout && (!strcmp(c->kind, "refine") || !strcmp(c->kind, "measure") ||
				     !strcmp(c->kind, "train")));
}

/* Word that was left says that a run was in training, not which: the newest that was stopped. */
static void find_train(const char *model, struct cut_short *c)
{
	struct runs all = { 0 };

	if (strcmp(c->kind, "train") != 0 || c->layout || runs_load(&all, NULL, NULL))
		return;
	for (size_t i = 0; i < all.n && !c->layout; i++) {
		const struct run_entry *r = &all.at[i];

		if (!strcmp(r->kind, "train") && !strcmp(r->model_sha, model) &&
			(!strcmp(r->status, "cancelled") || !strcmp(r->status, "crashed")))
			c->layout = xstrdup(r->id);
	}
	runs_release(&all);
}

static void tell_train(struct session *s, const struct cut_short *c)
{
	char when[24];

	offer(s, xprintf("the training of %s was cut short: r or :resume goes on from its last "
			 "checkpoint, Esc leaves it",
			 cut_short_when(c->began, when)));
}

/* Engine thread, when the model's cells are known.  goes_on: the dial's stages follow. */
void resume_look(struct session *s, bool goes_on)
{
	const char *model = s->desk->m->ck->header_sha256;
	struct cut_short crashed = { .bpw = (double)NAN }, found;
	char at[ESTIMATE_STOOD];
	bool scan;

	if (s->read_only || s->no_offers)
		return;
	runs_crashed(model, remember_crashed, &crashed);
	if (underway_take(model, NULL, &found))
		cut_short_release(&crashed);
	else
		found = crashed;
	find_train(model, &found);
	scan = !strcmp(found.kind, "scan");
	/* Where this sitting's text and tokens have all their cells, it was another scan, or its
	 * end that was cut off. */
	if (!known_kind(&found) || (scan && !estimate_stood(s->desk, at))) {
		cut_short_release(&found);
		return;
	}
	if (scan && goes_on) {
		tell_scan(s, &found, at, true);
		cut_short_release(&found);
		return;
	}
	s->unanswered = s->no_runs ? NULL : underway_again(&found, model);
	s->cut = found;
	atomic_store(&s->offered, true); /* its layout is the UI thread's from here on */
	if (scan)
		tell_scan(s, &found, at, false);
	else if (!strcmp(found.kind, "train"))
		tell_train(s, &found);
	else
		tell_other(s, &found);
}

/* ---- and the answer */

/* cut: the next start is to offer it again. */
static bool take_back(struct session *s, bool cut)
{
	if (!atomic_exchange(&s->offered, false))
		return false;
	underway_end(s->unanswered, cut);
	s->unanswered = NULL;
	cut_short_release(&s->cut);
	return true;
}

bool session_leave(struct session *s)
{
	return take_back(s, false);
}

void resume_put_off(struct session *s)
{
	take_back(s, true);
}

bool session_offer(const struct session *s, char what[48])
{
	char when[24];

	if (!atomic_load(&s->offered))
		return false;
	snprintf(what, 48, "%s of %s", name_of(s->cut.kind), cut_short_when(s->cut.began, when));
	return true;
}

/* The layout it was about, under the dial again; path: the kind, text: the layout's. */
static enum st work_resume(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	char *dir = fs_place(FS_CACHE), *path = xprintf("%s/resume-%u.json", dir, j->id);
	enum st st = d->s->desk ? ST_OK : err_set(e, ST_INVALID, "no model is open");

	if (!st)
		st = fs_note(path, d->text, strlen(d->text), e);
	if (!st)
		st = session_read_layout(d->s, path, &j->sink, e);
	remove(path);
	xfree(path);
	xfree(dir);
	return st;
}

static void done_resume(struct job *j)
{
	struct deed *d = j->arg;

	if (!j->st && atomic_load(&d->s->ready))
		deed_submit(d->s, !strcmp(d->path, "refine") ? &job_refine : &job_measure,
			deed_new(d->s, NULL, NULL));
	deed_done_resume(j); /* a scan goes on when that is done */
}

/* In the lowest lane, as every layout from a file. */
static const struct job_class job_resume = { "resume", NULL, LANE_SCAN, work_resume, done_resume };

static enum st go_on_training(struct session *s, struct err *e)
{
	struct train_ask ask;
	char *id = xstrdup(s->cut.layout);
	enum st st;

	train_ask_init(&ask);
	ask.resume = id;
	session_leave(s);
	st = session_train(s, &ask, e);
	xfree(id);
	return st;
}

enum st session_resume(struct session *s, struct err *e)
{
	struct deed *d;
	bool scan;

	if (!atomic_load(&s->ready) || !atomic_load(&s->offered))
		return err_set(
			e, ST_INVALID, "resume: nothing was cut short, or it goes on already");
	scan = !strcmp(s->cut.kind, "scan");
	if (!strcmp(s->cut.kind, "train"))
		return go_on_training(s, e);
	if (!scan && s->cut.layout) {
		s->quiet = false;
		d = deed_new(s, s->cut.kind, s->cut.layout);
		d->resume = jobs_active(s->jobs, &job_prepare);
		jobs_stop_class(s->jobs, &job_prepare);
		deed_submit(s, &job_resume, d);
	}
	session_leave(s);
	return scan ? session_scan(s, e) : ST_OK;
}
