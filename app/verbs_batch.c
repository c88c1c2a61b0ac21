/* verbs_batch.c - a script without a screen: the session on this thread, Lua on its own. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/script.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/work/session.h"

/* Lines come from both threads, whole. */
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

struct batch {
	struct session *session;
	struct bus *bus;
	struct sub *sub;
	struct host *host;
	struct script *script;
	bool json, stopping;
	double began, stop_at;
};

/* ---- what is said */

static void event_begin(const struct batch *b, struct json_out *o, const char *name)
{
	json_out_init(o, false);
	json_open(o, NULL, '{');
	json_put_i64(o, "v", 1);
	json_put_f64(o, "t", clock_now() - b->began);
	json_put_str(o, "ev", name);
}

static void event_end(struct json_out *o)
{
	json_close(o, '}');
	pthread_mutex_lock(&out_lock);
	fwrite(o->s, 1, o->n, stdout);
	fputc('\n', stdout);
	fflush(stdout);
	pthread_mutex_unlock(&out_lock);
	json_out_release(o);
}

static void said(const struct batch *b, const char *ev, const char *text)
{
	struct json_out o;

	event_begin(b, &o, ev);
	json_put_str(&o, "text", text);
	event_end(&o);
}

static void print(void *arg, const char *line)
{
	const struct batch *b = arg;

	if (b->json) {
		said(b, "print", line);
		return;
	}
	pthread_mutex_lock(&out_lock);
	verb_print(line, strlen(line));
	verb_print("\n", 1);
	fflush(stdout);
	pthread_mutex_unlock(&out_lock);
}

static void notice(void *arg, const char *line)
{
	const struct batch *b = arg;

	if (b->json) {
		said(b, "notice", line);
		return;
	}
	pthread_mutex_lock(&out_lock);
	verb_note("%s", line);
	pthread_mutex_unlock(&out_lock);
}

/* ---- what the bus brings */

static void job_event(const struct batch *b, const struct event *ev, const char *name)
{
	const struct snap_text *t = (const struct snap_text *)ev->snap;
	struct json_out o;

	event_begin(b, &o, name);
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

static void answer_event(const struct batch *b, const struct snap_answer *a)
{
	struct json_out o;

	event_begin(b, &o, "search.answer");
	json_put_f64(&o, "bpw", a->stored_bpw);
	json_put_i64(&o, "bytes", (int64_t)a->bytes);
	json_put_f64(&o, "damage", a->in_nats ? a->kl : (double)0);
	json_put_f64(&o, "measured", a->measured_kl);
	json_put_bool(&o, "exact", a->exact);
	event_end(&o);
}

static void tell(const struct batch *b, const struct event *ev)
{
	const struct snap_text *t = (const struct snap_text *)ev->snap;

	if (ev->kind == EV_NOTICE && t && (b->json || ev->n <= LOG_WARN)) {
		notice((void *)(uintptr_t)b, t->text);
		return;
	}
	if (!b->json || !ev->snap)
		return;
	if (ev->kind == EV_JOB_BEGAN)
		job_event(b, ev, "job.began");
	else if (ev->kind == EV_JOB_ENDED)
		job_event(b, ev, "job.ended");
	else if (ev->kind == EV_ANSWER)
		answer_event(b, (const struct snap_answer *)ev->snap);
}

static void hear(const struct batch *b)
{
	struct event ev;

	while (sub_next(b->sub, &ev)) {
		tell(b, &ev);
		snap_unref(ev.snap);
	}
}

/* ---- the loop */

/* A signal stops the script, and the jobs it waits for; what cannot be stopped is left after two
 * seconds, with its name. */
static bool stop_wanted(struct batch *b)
{
	char inside[64];

	if (!sink_poll(verb_sink()))
		return false;
	if (!b->stopping) {
		b->stopping = true;
		b->stop_at = clock_now();
		script_stop(b->script);
		while (session_stop(b->session, 0))
			;
	}
	if (clock_now() - b->stop_at < 2 || !script_stuck(b->script, 1, inside))
		return false;
	verb_note("bitdial: the script does not stop: it is inside %s", inside);
	return true;
}

/* Until the script has ended; false: it was left behind. */
static bool serve(struct batch *b)
{
	struct pollfd p[] = { { .fd = script_fd(b->script), .events = POLLIN },
		{ .fd = host_fd(b->host), .events = POLLIN },
		{ .fd = jobs_fd(session_jobs(b->session)), .events = POLLIN },
		{ .fd = sub_fd(b->sub), .events = POLLIN } };

	for (;;) {
		(void)poll(p, sizeof p / sizeof *p, b->stopping ? 50 : 200);
		host_serve(b->host);
		jobs_drain(session_jobs(b->session));
		hear(b);
		if (p[0].revents)
			return true;
		if (stop_wanted(b))
			return false;
	}
}

int verb_batch(const struct args *a)
{
	struct batch b = { .json = a->json, .began = clock_now() };
	struct session_options so = { .formats = a->formats,
		.mix = a->mix && !strcmp(a->mix, "channel"),
		.scan_tokens = (size_t)a->tokens,
		.template = a->template,
		.read_only = a->read_only,
		.threads = (int)a->threads };
	struct host_face face = { .print = print, .notice = notice, .arg = &b };
	struct script_options o = {
		.path = a->script, .argc = a->script_argc, .argv = a->script_argv
	};
	const char *sentence = "";
	struct err e = { 0 };
	int rc;

	if (!o.path) {
		verb_note("bitdial: --batch wants a script: bitdial --batch FILE.lua [ARGS]");
		return 2;
	}
	verb_signals();
	verb_log(a);
	b.bus = bus_new();
	b.sub = bus_subscribe(b.bus, ~(uint64_t)0);
	b.session = session_new(&so, b.bus);
	b.host = host_new(b.session, b.bus, &face);
	if (script_start(&b.script, b.host, &o, &e)) {
		rc = verb_fail(&e);
	} else if (!serve(&b)) {
		_Exit(verb_flush(SCRIPT_STOPPED)); /* what it holds cannot be taken from it */
	} else {
		rc = script_join(b.script, &sentence);
		if (*sentence)
			verb_note("bitdial: %s", sentence);
	}
	host_close(b.host);
	script_free(b.script);
	session_free(b.session);
	hear(&b);
	host_free(b.host);
	bus_free(b.bus);
	log_close();
	return rc;
}
