/* batch - a script without a screen: its prints to the standard output, or all as event lines.
 *
 * The workbench is there all the same, undrawn, so that bitdial.cmd means what it means on the
 * screen. */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/events.h"
#include "app/tui/commands.h"
#include "app/tui/headless.h"
#include "app/tui/scripting.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"

/* Lines of text come from both threads, whole. */
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

struct batch {
	struct tui *t;
	struct scripting *scripting;
	struct sub *sub;
	bool json;
	int signal; /* that came; 0: none */
	bool unread; /* nobody reads the standard output any more */
	struct begun *job; /* [n_jobs]: begun, and not ended */
	size_t n_jobs, cap_jobs;
};

struct begun {
	uint32_t id;
	char stage[48]; /* that was told last */
	double told;    /* when something was told of it */
};

/* ---- what is said */

/* A script's own text goes out as it is, what others wrote with it made harmless. */
static void put_line(FILE *to, const char *line)
{
	char clean[4096];

	for (size_t n = strlen(line); n;) {
		size_t take = n < sizeof clean / 4 ? n : sizeof clean / 4;

		text_clean(clean, sizeof clean, line, take, false);
		fputs(clean, to);
		line += take;
		n -= take;
	}
	fputc('\n', to);
	fflush(to);
}

static void print(void *arg, const char *line)
{
	const struct batch *b = arg;

	if (b->json) {
		event_text("print", line);
		return;
	}
	pthread_mutex_lock(&out_lock);
	put_line(stdout, line);
	pthread_mutex_unlock(&out_lock);
}

static void notice(void *arg, const char *line)
{
	const struct batch *b = arg;

	if (b->json) {
		event_text("notice", line);
		return;
	}
	pthread_mutex_lock(&out_lock);
	put_line(stderr, line);
	pthread_mutex_unlock(&out_lock);
}

/* ---- what the bus brings */

static void job_event(const struct event *ev, const char *name)
{
	const struct snap_text *t = (const struct snap_text *)ev->snap;
	struct json_out o;

	event_begin(&o, name);
	json_put_i64(&o, "job", ev->key);
	if (ev->kind == EV_JOB_BEGAN) {
		json_put_str(&o, "kind", t ? t->text : "");
	} else {
		json_put_str(&o, "status", st_name((enum st)ev->n));
		if (t && t->text[0])
			json_put_str(&o, "message", t->text);
	}
	event_end(&o);
}

static void answer_event(const struct snap_answer *a)
{
	struct json_out o;

	event_begin(&o, "search.answer");
	json_put_f64(&o, "bpw", a->stored_bpw);
	json_put_i64(&o, "bytes", (int64_t)a->bytes);
	json_put_f64(&o, "damage", a->in_nats ? a->kl : (double)0);
	json_put_f64(&o, "measured", a->measured_kl);
	json_put_bool(&o, "exact", a->exact);
	event_end(&o);
}

/* ---- jobs that take long */

static struct begun *job_of(struct batch *b, uint32_t id)
{
	for (size_t i = 0; i < b->n_jobs; i++)
		if (b->job[i].id == id)
			return &b->job[i];
	return NULL;
}

static void note_job(struct batch *b, const struct event *ev)
{
	struct begun *j = job_of(b, ev->key);

	if (ev->kind == EV_JOB_BEGAN && !j) {
		if (b->n_jobs == b->cap_jobs) {
			b->cap_jobs = b->cap_jobs ? 2 * b->cap_jobs : 8;
			b->job = xrealloc(b->job, b->cap_jobs * sizeof *b->job);
		}
		b->job[b->n_jobs++] = (struct begun){ .id = ev->key };
	} else if (ev->kind == EV_JOB_ENDED && j) {
		*j = b->job[--b->n_jobs];
	}
}

static void progress_event(const char *name, const struct snap_progress *p, uint32_t job)
{
	struct json_out o;

	event_begin(&o, name);
	json_put_i64(&o, "job", job);
	json_put_str(&o, "stage", p->name);
	json_put_f64(&o, "done", p->done);
	json_put_f64(&o, "total", p->total);
	json_put_str(&o, "unit", p->unit);
	json_put_f64(&o, "left_s", p->left_s);
	event_end(&o);
}

static void progress_line(struct batch *b, const struct snap_progress *p, bool stage)
{
	char line[160];

	if (stage || p->total <= 0)
		snprintf(line, sizeof line, "%s", p->name);
	else if (isfinite(p->left_s))
		snprintf(line, sizeof line, "%s: %.0f of %.0f %s, about %.0f s left", p->name,
			p->done, p->total, p->unit, p->left_s);
	else
		snprintf(line, sizeof line, "%s: %.0f of %.0f %s", p->name, p->done, p->total,
			p->unit);
	notice(b, line);
}

/* A stage once, for people when its job is no short one; and from time to time how far it is. */
static void tell_progress(struct batch *b, const struct event *ev)
{
	static const double lines_s = 10, events_s = 0.5, long_s = 2;
	const struct snap_progress *p = (const struct snap_progress *)ev->snap;
	struct begun *j = job_of(b, ev->key);
	double now = clock_now();
	bool stage;

	if (!j || (!b->json && p->ran_s < long_s))
		return;
	stage = strcmp(j->stage, p->name) != 0;
	if (!stage && now - j->told < (b->json ? events_s : lines_s))
		return;
	j->told = now;
	snprintf(j->stage, sizeof j->stage, "%s", p->name);
	if (!b->json)
		progress_line(b, p, stage);
	else
		progress_event(stage ? "job.stage" : "job.progress", p, ev->key);
}

/* What the script left running ends with the program. */
static void tell_left(const struct batch *b)
{
	struct event ev = { .kind = EV_JOB_ENDED, .n = ST_CANCELLED };

	for (size_t i = 0; b->json && i < b->n_jobs; i++) {
		ev.key = b->job[i].id;
		job_event(&ev, "job.ended");
	}
}

static void tell(struct batch *b, const struct event *ev)
{
	const struct snap_text *t = (const struct snap_text *)ev->snap;

	note_job(b, ev);
	if (ev->kind == EV_NOTICE && t && (b->json || ev->n <= LOG_INFO))
		notice(b, t->text);
	else if (ev->kind == EV_JOB_PROGRESS && ev->snap)
		tell_progress(b, ev);
	else if (b->json && ev->kind == EV_JOB_BEGAN)
		job_event(ev, "job.began");
	else if (b->json && ev->kind == EV_JOB_ENDED)
		job_event(ev, "job.ended");
	else if (b->json && ev->snap && ev->kind == EV_ANSWER)
		answer_event((const struct snap_answer *)ev->snap);
}

static void hear(struct batch *b)
{
	struct event ev;

	while (sub_next(b->sub, &ev)) {
		tell(b, &ev);
		snap_unref(ev.snap);
	}
}

/* ---- the loop */

static void stop(struct batch *b)
{
	scripting_stop(b->scripting);
	while (session_stop(b->t->s, 0))
		;
}

/* Until the script has ended; false: it was left behind, inside a C function. */
static bool serve(struct batch *b, int signal_fd, int *status, const char **sentence)
{
	char inside[64];
	int came;

	for (;;) {
		struct pollfd p[4 + SCRIPTING_FDS] = { { .fd = signal_fd, .events = POLLIN },
			{ .fd = sub_fd(b->sub), .events = POLLIN },
			{ .fd = jobs_fd(session_jobs(b->t->s)), .events = POLLIN },
			{ .fd = b->unread ? -1 : STDOUT_FILENO } };

		scripting_fds(b->scripting, p + 4);
		(void)poll(p, sizeof p / sizeof *p, b->signal || b->unread ? 50 : 500);
		if (p[3].revents & POLLERR) { /* a reader that has enough (head) is no failure */
			b->unread = true;
			stop(b);
		}
		if (p[0].revents && (came = headless_signal(signal_fd)) != 0) {
			b->signal = came;
			stop(b);
		}
		b->t->now = clock_now();
		tui_deliver(b->t, 2);
		hear(b);
		if (scripting_turn(b->scripting, status, sentence)) {
			hear(b);
			return true;
		}
		if ((b->signal || b->unread) && scripting_stuck(b->scripting, inside)) {
			fprintf(stderr, "bitdial: the script does not stop: it is inside %s\n",
				inside);
			return false;
		}
	}
}

int batch_run(struct tui *t, int signal_fd)
{
	const struct tui_options *o = t->o;
	struct batch b = { .t = t, .json = o->json };
	struct host_face face = { .print = print, .notice = notice, .arg = &b, .anew = o->anew,
		.demo = o->demo };
	struct script_options so = {
		.path = o->script, .argc = o->argc, .argv = o->argv, .sandbox = o->sandbox
	};
	const char *sentence = "";
	struct err e = { 0 };
	int status = 1;

	if (b.json)
		events_start();
	b.sub = bus_subscribe(t->bus, ~(uint64_t)0);
	b.scripting = scripting_new(t, &face);
	if (scripting_start(b.scripting, &so, &e)) {
		tui_complain(&e);
	} else if (!serve(&b, signal_fd, &status, &sentence)) {
		fflush(stdout);  /* not all: the script may hold the lock of stdin */
		_exit(b.signal); /* what the script's thread holds cannot be taken from it */
	} else {
		if (b.unread)
			status = 0;
		else if (*sentence && !b.signal) {
			(void)err_set(&e, ST_INVALID, "%s", sentence);
			fprintf(stderr, "bitdial: ");
			put_line(stderr, sentence);
		}
		if (b.signal)
			status = b.signal;
	}
	scripting_free(b.scripting); /* what ran has ended */
	tell_left(&b);
	xfree(b.job);
	bus_unsubscribe(t->bus, b.sub);
	return status;
}
