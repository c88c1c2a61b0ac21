/* session.c - making it, and its verbs that jobs carry out; those of the dial: session_dial.c. */
#include "core/work/session.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/session_private.h"
#include "kernels/backend.h"
#include "kernels/pool.h"

static char *dup(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void set_str(char **to, const char *s)
{
	xfree(*to);
	*to = dup(s);
}

/* Warnings and errors of any room become notices while a session lives. */
static struct bus *notice_bus;

static void on_log(enum log_level l, const char *text)
{
	struct snap_text *t = snap_text_new(text);

	bus_publish(notice_bus, (struct event){ .kind = EV_NOTICE, .n = l, .snap = &t->snap });
}

struct session *session_new(const struct session_options *o, struct bus *b)
{
	struct session *s = xalloc(sizeof *s);

	s->bus = b;
	s->formats = dup(desk_formats(o->formats));
	if (o->sources)
		s->sources = sources_copy(o->sources);
	s->mix = o->mix;
	s->template = dup(o->template);
	s->layout = dup(o->layout);
	s->device = dup(o->device);
	s->scan_tokens = o->scan_tokens;
	s->auto_scan = o->auto_scan;
	s->auto_measure = o->auto_scan;
	s->read_only = o->read_only;
	s->no_runs = o->no_runs;
	s->anew = o->anew;
	s->no_offers = o->no_offers;
	s->demo = o->demo;
	s->sampler = sampler_default;
	s->max_tokens = 512;
	atomic_init(&s->ready, false);
	atomic_init(&s->slow, false);
	atomic_init(&s->offered, false);
	atomic_init(&s->scan_anyway, false);
	atomic_init(&s->quiet, false);
	atomic_init(&s->exact_again, false);
	atomic_init(&s->ab_on, false);
	atomic_init(&s->ab_blind, false);
	atomic_init(&s->rates_shown, false);
	atomic_init(&s->scan_asked, false);
	atomic_init(&s->scan_plain, false);
	rng_seed(&s->shuffle, (uint64_t)(clock_now() * 1e9));
	notice_bus = b;
	log_watch(on_log);
	pool_start(o->threads);
	/* Chosen now: it ends the threads that OpenBLAS started with the program, which would take
	 * signals that all of ours leave to the loop, and die of them. */
	(void)backend_best();
	s->dial = dial_new(b);
	s->train = session_train_new();
	s->jobs = jobs_new(b);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	jobs_free(s->jobs);
	log_watch(NULL);
	session_train_free(s);
	chat_free(s->chat);
	ab_free(s->ab);
	xfree(s->asked);
	run_end(s->scan_run, ST_CANCELLED, "");
	desk_close(s->desk);
	dial_free(s->dial);
	pool_stop();
	resume_put_off(s);
	xfree(s->view_choice);
	xfree(s->path);
	xfree(s->formats);
	sources_release(&s->sources);
	xfree(s->template);
	xfree(s->layout);
	xfree(s->device);
	xfree(s->system);
	xfree(s);
}

struct jobs *session_jobs(struct session *s)
{
	return s->jobs;
}

uint32_t deed_submit(struct session *s, const struct job_class *c, struct deed *d)
{
	return jobs_submit(s->jobs, c, d, NULL);
}

enum st session_need_model(const struct session *s, const char *verb, struct err *e)
{
	if (atomic_load(&s->ready))
		return ST_OK;
	return err_set(e, ST_INVALID,
		s->path ? "%s: the model is still being opened"
			: "%s: no model is open (:open PATH)",
		verb);
}

/* ---- opening */

enum st session_open(struct session *s, const char *path, struct err *e)
{
	struct deed *d;

	if (!*path)
		return err_set(e, ST_INVALID, "open: expected the path of a model");
	if (session_need_no_training(s, "open", e))
		return e->st;
	jobs_stop_class(s->jobs, &job_open);
	jobs_stop_class(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_measure);
	jobs_stop_class(s->jobs, &job_chat);
	jobs_stop_class(s->jobs, &job_compare);
	atomic_store(&s->scan_asked, false);
	resume_put_off(s);
	set_str(&s->path, path);
	s->quiet = false;
	d = deed_new(s, path, s->layout);
	set_str(&s->layout, NULL); /* it is for the first model */
	d->device = dup(s->device);
	d->resume = s->auto_scan;
	d->options = (struct desk_options){ .formats = dup(s->formats),
		.template = dup(s->template),
		.mix = s->mix,
		.scan_tokens = s->scan_tokens,
		.read_only = s->read_only,
		.anew = s->anew };
	d->sources = sources_copy(&s->sources);
	/* In the lowest lane: it begins when the stopped jobs are gone from the stack. */
	deed_submit(s, &job_open, d);
	return ST_OK;
}

/* Other formats, or another text: that of s->sources. */
void session_change(struct session *s, const char *formats, size_t tokens, bool text)
{
	struct deed *d = deed_new(s, NULL, formats);

	d->tokens = tokens;
	d->flag = text;
	if (text)
		d->sources = sources_copy(&s->sources);
	d->mix = s->mix;
	s->quiet = false;
	d->resume = s->auto_scan || jobs_active(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_measure);
	deed_submit(s, &job_change, d);
}

enum st session_text(struct session *s, const char *path, size_t tokens, struct err *e)
{
	enum st st = session_need_model(s, "text", e);

	if (!st && path)
		st = source_check("text", path, e);
	if (st)
		return st;
	sources_release(&s->sources);
	s->sources = sources_of(path);
	session_change(s, NULL, tokens, true);
	return ST_OK;
}

enum st session_sources(struct session *s, const struct sources *src, size_t tokens, struct err *e)
{
	enum st st;

	if (src->n < 2)
		return session_text(s, src->n ? src->at[0].path : NULL, tokens, e);
	st = session_need_model(s, "text", e);
	for (size_t i = 0; i < src->n && !st; i++)
		if (src->at[i].path)
			st = source_check("text", src->at[i].path, e);
	if (st)
		return st;
	sources_release(&s->sources);
	s->sources = sources_copy(src);
	session_change(s, NULL, tokens, true);
	return ST_OK;
}

enum st session_formats(struct session *s, const char *names, struct err *e)
{
	struct format f[FORMAT_MAX];
	size_t k;
	enum st st;

	names = names && !*names ? NULL : desk_formats(names);
	st = names ? format_list(f, &k, names, e) : ST_OK;
	if (!st && names)
		st = format_check_mixes(f, k, e);
	if (st)
		return st;
	set_str(&s->formats, names);
	if (atomic_load(&s->ready) || jobs_active(s->jobs, &job_open))
		session_change(s, names, 0, false);
	return ST_OK;
}

/* ---- jobs */

static enum st start(struct session *s, const char *verb, const struct job_class *c,
	const char *path, const char *text, struct err *e)
{
	enum st st = session_need_model(s, verb, e);

	if (!st && jobs_active(s->jobs, c))
		st = err_set(e, ST_INVALID, "%s: one is running already (x stops it)", verb);
	if (!st) {
		s->quiet = false;
		deed_submit(s, c, deed_new(s, path, text));
	}
	return st;
}

enum st session_scan(struct session *s, struct err *e)
{
	enum st st = start(s, "scan", &job_prepare, NULL, NULL, e);

	if (!st && atomic_load(&s->offered) && !strcmp(s->cut.kind, "scan"))
		session_leave(s); /* it goes on */
	if (!st)
		atomic_store(&s->scan_asked, true);
	return st;
}

enum st session_scan_cells(struct session *s, bool undecided, uint32_t *running, struct err *e)
{
	enum st st = ST_OK;

	atomic_store(&s->scan_plain, !undecided);
	*running = session_scanning(s);
	if (!*running)
		st = start(s, "scan", &job_prepare, NULL, NULL, e);
	if (!st && undecided)
		atomic_store(&s->scan_asked, true);
	return st;
}

uint32_t session_scanning(struct session *s)
{
	return jobs_of(s->jobs, &job_prepare);
}

enum st session_measure(struct session *s, struct err *e)
{
	return start(s, "measure", &job_measure, NULL, NULL, e);
}

enum st session_refine(struct session *s, struct err *e)
{
	return start(s, "refine", &job_refine, NULL, NULL, e);
}

double session_tick(struct session *s)
{
	static const double rest = 0.8, pause = 0.3; /* seconds */
	double still = clock_now() - s->turned_at;
	uint64_t generation = dial_generation(s->dial);
	struct deed *d;

	if (s->quiet)
		return -1;
	if (generation && generation != s->odds_generation) {
		if (still < pause)
			return pause - still;
		s->odds_generation = generation;
		deed_submit(s, &job_odds, deed_new(s, NULL, NULL));
	}
	if (!s->auto_measure || !atomic_load(&s->can_measure) || atomic_load(&s->slow) ||
		!generation || jobs_active(s->jobs, &job_measure))
		return -1;
	if (generation == s->measured_generation) {
		/* Once, whatever comes of it: they may all be layouts that were measured. */
		if (generation != s->guards_generation && dial_wants_guards(s->dial)) {
			s->guards_generation = generation;
			deed_submit(s, &job_guards, deed_new(s, NULL, NULL));
		}
		return -1;
	}
	if (still < rest)
		return rest - still;
	s->measured_generation = generation;
	d = deed_new(s, NULL, NULL);
	d->flag = true;
	s->measure_job = deed_submit(s, &job_measure, d);
	return -1;
}

enum st session_layout_write(struct session *s, const char *path, struct err *e)
{
	return start(s, "layout", &job_layout_write, path, NULL, e);
}

enum st session_layout_read(struct session *s, const char *path, struct err *e)
{
	enum st st = session_need_model(s, "layout", e);
	struct deed *d;

	if (st)
		return st;
	s->quiet = false;
	d = deed_new(s, path, NULL);
	d->resume = jobs_active(s->jobs, &job_prepare);
	jobs_stop_class(s->jobs, &job_prepare); /* goes on afterwards */
	deed_submit(s, &job_layout_read, d);
	return ST_OK;
}

enum st session_export(struct session *s, const char *dir, struct err *e)
{
	if (fs_is_dir(dir) || fs_is_file(dir))
		return err_set(
			e, ST_INVALID, "export %s: it exists already; choose a new name", dir);
	return start(s, "export", &job_export, dir, NULL, e);
}

bool session_stop(struct session *s, uint32_t job)
{
	bool any = job || jobs_top(s->jobs, &job_exact); /* that one is over in a moment */

	if (!any)
		return false;
	if (session_train_halt(s, job ? job : jobs_top(s->jobs, &job_exact)))
		return true;
	/* What began by itself ends, too: it may run within a poll of the one that is to end. */
	jobs_stop(s->jobs, s->measure_job);
	jobs_stop_class(s->jobs, &job_odds);
	if (!job)
		job = jobs_top(s->jobs, &job_exact);
	if (job)
		jobs_stop(s->jobs, job);
	s->quiet = true;
	atomic_store(&s->scan_asked, false);
	s->measured_generation = s->guards_generation = 0; /* again, after the next turn */
	return true;
}

bool session_busy(const struct session *s)
{
	return jobs_count(s->jobs) > 0;
}

/* ---- chat */

static enum st chat_job(struct session *s, const char *text, struct err *e)
{
	struct deed *d;
	enum st st = session_need_model(s, "chat", e);

	if (!st && jobs_active(s->jobs, &job_chat))
		st = err_set(e, ST_INVALID, "chat: an answer is still streaming (Esc stops it)");
	if (st)
		return st;
	d = deed_new(s, s->system, text);
	d->sampler = s->sampler;
	d->tokens = s->max_tokens;
	d->how = s->chat_how;
	d->pair = atomic_load(&s->ab_on);
	d->after = s->ab_after;
	if (d->pair)
		jobs_stop_class(s->jobs, &job_compare); /* of the answers before */
	deed_submit(s, &job_chat, d);
	return ST_OK;
}

enum st session_say(struct session *s, const char *text, struct err *e)
{
	if (!text || !text[strspn(text, " \t\n")])
		return err_set(e, ST_INVALID, "say: expected a message");
	return chat_job(s, text, e);
}

enum st session_again(struct session *s, struct err *e)
{
	return chat_job(s, NULL, e);
}

bool session_chat_stop(struct session *s)
{
	bool streams = jobs_active(s->jobs, &job_chat);

	jobs_stop_class(s->jobs, &job_chat);
	return streams;
}

enum st session_chat_clear(struct session *s, struct err *e)
{
	struct deed *d;
	enum st st = session_need_model(s, "clear", e);

	session_chat_stop(s);
	if (st)
		return st;
	d = deed_new(s, NULL, NULL);
	d->pair = atomic_load(&s->ab_on);
	deed_submit(s, &job_chat_clear, d);
	return ST_OK;
}

void session_chat_system(struct session *s, const char *text)
{
	set_str(&s->system, text);
}
