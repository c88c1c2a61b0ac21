/* session_device.c - where the model computes: moving it, and what is done when a device failed. */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/device.h"
#include "core/work/session_private.h"
#include "kernels/backend.h"

const char *session_device_now(const struct session *s)
{
	(void)s;
	return backend_now()->name;
}

static bool is_lost(const struct backend *be)
{
	return be->lost && be->lost();
}

/* ---- moving */

/* Conversations give back their caches of keys and values; they are made again from what was said.
 */
static void leave_chats(void *arg)
{
	struct session *s = arg;

	if (s->chat)
		chat_leave(s->chat);
	if (s->ab)
		ab_leave(s->ab);
}

/* Others wait: a model that is half here and half there answers nobody. */
static bool only_stop(const struct sink *s)
{
	return token_stopped(&((struct job *)s->self)->token);
}

static void tell_progress(const struct sink *s, double done, double total)
{
	sink_progress(&((struct job *)s->self)->sink, done, total);
}

static enum st move_to(struct job *j, const struct backend *be, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct sink own = { .poll = only_stop, .progress = tell_progress, .self = j };

	if (!s->desk)
		return ST_OK;
	job_stage(j, be->name, "linears");
	return desk_move(s->desk, be, leave_chats, s, &own, e);
}

/* Back to where it was; what failed is said already. */
static void go_back(struct job *j, const struct backend *before)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct err e;

	if (backend_use(before->name, &e) ||
		(s->desk && s->desk->m->be != backend_now() && move_to(j, backend_now(), &e)))
		notice(s, LOG_WARN, "%s; the model is on %s", e.msg,
			s->desk ? s->desk->m->be->name : backend_now()->name);
	if (s->desk && s->desk->m->be != backend_now() && backend_use("cpu", NULL))
		log_at(LOG_ERROR, "session", "there is no processor");
}

/* One device is open at a time: from one to another the way leads over the processor. */
static enum st by_processor(struct job *j, const char *name, struct err *e)
{
	const struct backend *before = backend_now(), *to = backend_find(name);
	enum st st;

	if (!to || !to->score() || to->host_memory)
		return backend_use(name, e); /* which says why not */
	st = backend_use("cpu", e);
	if (!st)
		st = move_to(j, backend_now(), e);
	if (!st)
		st = backend_use(name, e);
	if (st)
		go_back(j, before);
	return st;
}

/* A device that cannot be used is no failure of who named none, but nobody is to wonder. */
static void tell_passed_over(struct session *s)
{
	if (*backend_passed_over())
		notice(s, LOG_WARN, "%s; going on with %s", backend_passed_over(),
			backend_now()->name);
}

/* path: the device; flag: the one before was lost. */
static enum st work_device(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	const struct backend *before = backend_now();
	bool there = !before->host_memory && !is_lost(before), is_auto = !strcmp(d->path, "auto");
	char title[64];
	enum st st = ST_OK;

	training_drop(s);
	(void)backend_devices(); /* so that they have names */
	if (there && strcmp(d->path, "cpu") != 0 && strcmp(d->path, before->name) != 0 && !is_auto)
		st = by_processor(j, d->path, e);
	else if (!there || !is_auto)
		st = backend_use(d->path, e);
	if (!st) {
		st = move_to(j, backend_now(), e);
		if (st && s->desk->m->be != backend_now())
			go_back(j, before);
	}
	if (s->desk)
		publish_device(s);
	if (st)
		return st;
	job_say(j, backend_now()->name);
	device_title(backend_now(), title, sizeof title);
	if (s->desk && d->flag)
		resume_look(s, d->resume);
	else if (is_auto && *backend_passed_over())
		tell_passed_over(s);
	else
		notice(s, LOG_INFO, "%s computes", title);
	return ST_OK;
}

/* In the lowest lane: it begins when what was stopped is gone from the stack. */
static const struct job_class job_device = { "device", "linears", LANE_SCAN, work_device,
	deed_done_resume };

static void stop_computing(struct session *s)
{
	const struct job_class *const all[] = { &job_prepare, &job_measure, &job_guards,
		&job_refine, &job_odds, &job_chat, &job_compare };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		jobs_stop_class(s->jobs, all[i]);
}

static void submit(struct session *s, const char *name, bool lost, bool resume)
{
	struct deed *d = deed_new(s, name, NULL);

	d->flag = lost;
	d->resume = resume;
	stop_computing(s);
	deed_submit(s, &job_device, d);
}

enum st session_device(struct session *s, const char *name, struct err *e)
{
	if (!*name)
		return err_set(e, ST_INVALID, "device: expected cpu, cuda:0 or auto");
	if (jobs_active(s->jobs, &job_device))
		return err_set(e, ST_INVALID, "device: the model is being moved already");
	if (session_need_no_training(s, "device", e))
		return e->st;
	s->quiet = false;
	xfree(s->device);
	s->device = xstrdup(name);
	submit(s, name, false, jobs_active(s->jobs, &job_prepare));
	return ST_OK;
}

/* ---- opening there */

enum st device_open(struct session *s, const char *name, struct err *e)
{
	bool is_auto = !name || !strcmp(name, "auto");
	enum st st = backend_use(is_auto ? "auto" : name, e);

	if (!st && is_auto)
		tell_passed_over(s);
	return st;
}

/* Where nobody asked for that device, a model that it cannot hold is opened on the processor. */
bool device_give_way(struct session *s, const char *name, enum st st, const struct err *why)
{
	const struct backend *be = backend_now();

	if ((name && strcmp(name, "auto") != 0) || be->host_memory ||
		(st != ST_NOMEM && st != ST_DEVICE) || backend_use("cpu", NULL))
		return false;
	notice(s, LOG_WARN, "%s; going on with cpu", why->msg);
	return true;
}

/* ---- when one failed; UI thread */

/* "cuda:0: out of steam" without the name that stands before it already. */
static const char *reason(const struct backend *be, const char *msg)
{
	size_t n = strlen(be->name);

	return !strncmp(msg, be->name, n) && msg[n] == ':' ? msg + n + 1 + (msg[n + 1] == ' ')
							   : msg;
}

/* Many jobs may have been on it: the first of them moves the model, and the scan goes on there. */
static void device_failed(struct session *s, const struct job *j)
{
	const struct backend *be = backend_now();
	bool scan = j->class == &job_prepare || jobs_active(s->jobs, &job_prepare);
	const char *why;

	if (!is_lost(be)) {
		/* From before the move: it was stopped by the same failure. */
		if (s->device_lost && scan && !jobs_active(s->jobs, &job_device) &&
			!jobs_active(s->jobs, &job_prepare) && atomic_load(&s->ready))
			deed_submit(s, &job_prepare, deed_new(s, NULL, NULL));
		else if (!s->device_lost)
			notice(s, LOG_ERROR,
				"%s: the model stays there, and it can be tried again (:device "
				"cpu goes on with the processor)",
				j->err.msg);
		return;
	}
	if (jobs_active(s->jobs, &job_device))
		return;
	/* Where the line ends early, it is the reason that is cut. */
	why = reason(be, j->err.msg);
	notice(s, LOG_ERROR,
		"%s is lost to this process, going on with cpu (start bitdial again to use it): "
		"%.*s",
		be->name, (int)strcspn(why, ";"), why);
	s->device_lost = true;
	xfree(s->device);
	s->device = xstrdup("cpu");
	resume_put_off(s);
	submit(s, "cpu", true, scan);
}

void job_failed(struct session *s, const struct job *j)
{
	if (!j->st || j->st == ST_CANCELLED)
		return;
	if (j->st == ST_DEVICE)
		device_failed(s, j);
	else
		notice(s, LOG_ERROR, "%s", j->err.msg);
}
