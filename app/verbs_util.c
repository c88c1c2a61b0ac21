/* verbs_util.c - what the one-shot verbs share: signals, progress, messages, the desk. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/events.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/work/desk.h"
#include "kernels/backend.h"
#include "kernels/pool.h"

static volatile sig_atomic_t got_signal;
static bool drew;
static int out_errno; /* why stdout took no more; 0: it does */

/* The first one asks for an end; what then still takes a while another one ends at once. */
static void on_signal(int sig)
{
	if (got_signal == sig) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	got_signal = sig;
}

/* A page of a mapped file that is gone: another program cut the file.  Any thread. */
static void on_bus(int sig)
{
	static const char said[] = "bitdial: " FS_MAP_LOST "\n";

	(void)sig;
	(void)!write(2, said, sizeof said - 1);
	_exit(1);
}

void verb_fault_signals(void)
{
	struct sigaction sa = { .sa_handler = on_bus };

	sigaction(SIGBUS, &sa, NULL);
}

void verb_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	verb_fault_signals();
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static bool poll_signal(const struct sink *s)
{
	(void)s;
	if (!out_errno)
		out_errno = events_errno();
	return got_signal || out_errno; /* nobody reads the rest */
}

static void progress_event(double done, double total)
{
	static double last;
	struct json_out o;

	if (clock_now() - last < 0.5 && done < total)
		return;
	last = clock_now();
	event_begin(&o, "job.progress");
	json_put_f64(&o, "done", done);
	json_put_f64(&o, "total", total);
	event_end(&o);
}

static void stage_event(void *arg, enum stage g)
{
	(void)arg;
	event_text("stage", desk_stage_name(g));
}

void verb_cell(const struct desk *d, const struct scan_cell *c, const char *stage)
{
	char name[32], fmt[FORMAT_NAME];
	struct json_out o;

	if (!events_on())
		return;
	event_begin(&o, "cell");
	json_put_str(&o, "linear", linear_name(c->linear, name));
	json_put_str(&o, "format", format_name(d->set.format[c->format], fmt));
	json_put_f64(&o, "kl", c->kl);
	json_put_f64(&o, "se", c->se);
	json_put_str(&o, "stage", stage);
	event_end(&o);
}

static void cell_event(void *arg, const struct scan_cell *c, const char *stage)
{
	verb_cell(arg, c, stage);
}

/* One line that is written over, four times a second, where stderr is a terminal. */
static void draw_progress(const struct sink *s, double done, double total)
{
	static double last, began, base;
	double now = clock_now(), left;

	(void)s;
	if (events_on()) {
		progress_event(done, total);
		return;
	}
	if (!isatty(2) || total <= 0)
		return;
	if (done < base || !began || done == 0) {
		began = now;
		base = done;
	}
	if (now - last < 0.25)
		return;
	last = now;
	left = done > base ? (now - began) * (total - done) / (done - base) : 0;
	fprintf(stderr, "\r%3.0f %%  %.0f of %.0f  %.0f s left   ", 100 * done / total, done, total,
		left);
	drew = true;
}

const struct sink *verb_sink(void)
{
	static const struct sink sink = { .poll = poll_signal, .progress = draw_progress };

	return &sink;
}

enum { LINE_COLUMNS = 79 };

void verb_line(const char *text)
{
	if (isatty(2)) {
		fprintf(stderr, "\r%-*.*s", LINE_COLUMNS, LINE_COLUMNS, text);
		drew = true;
	}
}

static void end_line(void)
{
	if (drew)
		fprintf(stderr, "\r%*s\r", LINE_COLUMNS, "");
	drew = false;
}

/* What the sentence names as an option was typed: wrong usage, like a missing argument. */
static bool is_usage(const struct err *e)
{
	return e->st == ST_INVALID && (!strncmp(e->msg, "usage", 5) || !strncmp(e->msg, "--", 2));
}

void verb_begin(struct json_out *o)
{
	if (events_on()) {
		event_begin(o, "result");
		return;
	}
	json_out_init(o, false);
	json_open(o, NULL, '{');
}

void verb_json(struct json_out *o)
{
	if (events_on()) {
		event_end(o);
		return;
	}
	json_close(o, '}');
	fwrite(o->s, 1, o->n, stdout);
	fputc('\n', stdout);
	json_out_release(o);
}

bool verb_unread(void)
{
	return out_errno == EPIPE && !got_signal;
}

static bool keeps;

void verb_keeps(bool yes)
{
	keeps = yes;
}

static void say_stopped(void)
{
	fprintf(stderr, "bitdial: stopped%s\n", keeps ? "; what was finished is kept" : "");
}

int verb_fail(const struct err *e)
{
	char clean[sizeof e->msg * 4];

	verb_failed(e->st);
	end_line();
	if (out_errno && !got_signal)
		return 0; /* verb_flush says why */
	if (e->st == ST_CANCELLED || got_signal) {
		say_stopped();
		return got_signal ? 128 + got_signal : 130;
	}
	text_clean(clean, sizeof clean, e->msg, strlen(e->msg), true);
	fprintf(stderr, "bitdial: %s\n", clean);
	return is_usage(e) ? 2 : 1;
}

static bool nobody_reads(void)
{
	struct pollfd p = { .fd = 1 };

	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

/* A reader that has enough (head) is no failure. */
int verb_flush(int rc)
{
	bool before = ferror(stdout);

	if (!out_errno)
		out_errno = events_errno();
	errno = 0;
	if ((fflush(stdout) || before) && !out_errno)
		out_errno = errno            ? errno
			    : nobody_reads() ? EPIPE
					     : EIO; /* an earlier one's is gone */
	if (!out_errno || out_errno == EPIPE || rc)
		return rc;
	if (got_signal) { /* a write that nobody took was interrupted */
		say_stopped();
		return 128 + got_signal;
	}
	fprintf(stderr, "bitdial: cannot write the output: %s\n", strerror(out_errno));
	return 1;
}

void verb_take_back(void)
{
	__fpurge(stdout);
}

void verb_note(const char *fmt, ...)
{
	char buf[512], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	end_line();
	text_clean(clean, sizeof clean, buf, strlen(buf), true);
	fprintf(stderr, "%s\n", clean);
}

void verb_print(const char *s, size_t n)
{
	char *clean = xalloc(4 * n + 1);

	n = text_clean(clean, 4 * n + 1, s, n, false);
	if (n)
		verb_told();
	errno = 0;
	if ((fwrite(clean, 1, n, stdout) < n || fflush(stdout)) && !out_errno)
		out_errno = errno ? errno : EIO;
	xfree(clean);
}

char *verb_default_model(void)
{
	const char *env = getenv("BITDIAL_MODEL");
	char *data, *path;

	if (env && *env)
		return xstrdup(env);
	data = fs_place(FS_DATA);
	path = xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
	xfree(data);
	if (fs_is_file(path))
		return path;
	xfree(path);
	return NULL;
}

/* ---- the demo */

static char *demo_dir; /* temporary; removed at the end */

void verb_leave(void)
{
	if (demo_dir)
		(void)!fs_remove_tree(demo_dir, NULL);
}

static char *demo_below(const char *dir, struct err *e)
{
	char *path = xprintf("%s/demo.gguf", dir);

	if (!model_demo_write(path, 1, e))
		return path;
	xfree(path);
	return NULL;
}

static char *demo_temporary(struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	demo_dir = xprintf("%s/bitdial-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(demo_dir)) {
		err_set(e, ST_IO, "cannot make the folder %s for the demo: %s", demo_dir,
			strerror(errno));
		return NULL;
	}
	atexit(verb_leave);
	return demo_below(demo_dir, e);
}

static bool same_bytes(const char *a, const char *b)
{
	struct fs_map x = { 0 }, y = { 0 };
	bool same = fs_is_file(a) && !fs_map_open(&x, a, NULL) && !fs_map_open(&y, b, NULL) &&
		    x.size == y.size && !memcmp(x.data, y.data, x.size);

	fs_map_close(&x);
	fs_map_close(&y);
	return same;
}

/* The file stays the one it was where it is right: others may have it open, and the cache
 * knows it by its inode. */
char *verb_demo_model(bool read_only, struct err *e)
{
	char *dir = fs_place(FS_CACHE), *path = xprintf("%s/demo.gguf", dir);
	char *fresh = xprintf("%s/demo-%ld.gguf", dir, (long)getpid());
	struct err soft;

	if (read_only || fs_mkdirs(dir, &soft) || model_demo_write(fresh, 1, &soft)) {
		xfree(path);
		path = demo_temporary(e);
	} else if (same_bytes(path, fresh)) {
		remove(fresh);
	} else if (fs_rename(fresh, path, e)) {
		xfree(path);
		path = NULL;
	}
	xfree(fresh);
	xfree(dir);
	return path;
}

const char *verb_number(char out[24], int digits, double v)
{
	if (isfinite(v))
		snprintf(out, 24, "%.*g", digits, v);
	else
		snprintf(out, 24, "-");
	return out;
}

/* ---- the desk */

static void on_log(enum log_level l, const char *text)
{
	verb_note("%s: %s", l == LOG_ERROR ? "error" : "warning", text);
}

bool verb_log(const struct args *a)
{
	char *dir = fs_place(FS_STATE), *path = xprintf("%s/log", dir);
	struct err e;
	bool open = !a->read_only && !fs_mkdirs(dir, &e) && !log_open(path, &e);

	xfree(path);
	xfree(dir);
	return open;
}

enum st verb_sources(struct sources *out, const struct args *a, struct err *e)
{
	return sources_parse(out, a->texts, a->n_texts, "--text", e);
}

enum st verb_desk(struct desk **out, const struct args *a, struct err *e)
{
	struct desk_options o = { .formats = a->formats,
		.template = a->template,
		.scan_tokens = (size_t)a->tokens,
		.read_only = a->read_only,
		.anew = a->fresh };
	struct sources sources = { 0 };
	char *path;
	enum st st;

	if (a->mix && strcmp(a->mix, "layer") && strcmp(a->mix, "channel"))
		return err_set(e, ST_INVALID, "--mix %s: expected layer or channel", a->mix);
	if (a->tokens == 1)
		return err_set(e, ST_INVALID, "--tokens 1: the least number is 2");
	o.mix = a->mix && !strcmp(a->mix, "channel");
	verb_signals();
	if (verb_log(a)) /* else they come to stderr as they are */
		log_watch(on_log);
	pool_start((int)a->threads);
	/* Counting tokens asks no device, and need not wait for one to be found. */
	if (a->device || strcmp(a->verb, "tokens") != 0) {
		st = verb_choose_device(a, e);
		if (st)
			return st;
	}
	if (!strcmp(a->verb, "scan") || !strcmp(a->verb, "search")) {
		st = verb_sources(&sources, a, e);
		if (st)
			return st;
		o.sources = &sources;
	} else if (a->n_texts > 1) {
		return err_set(e, ST_INVALID, "--text: %s takes one text", a->verb);
	}
	if (a->demo)
		path = verb_demo_model(a->read_only, e);
	else if (a->n_words)
		path = xstrdup(a->word[0]);
	else if (!(path = verb_default_model()))
		err_set(e, ST_INVALID,
			"usage: bitdial %s MODEL (or fetch the default model: make model)",
			a->verb);
	st = path ? desk_open(out, path, &o, verb_sink(), e) : e->st;
	if (!st && events_on()) {
		(*out)->began = stage_event;
		(*out)->measured = cell_event;
		(*out)->arg = *out;
	}
	xfree(path);
	sources_release(&sources);
	return st;
}
