/* scripting.c - see scripting.h. */
#include "app/tui/scripting.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "app/lua/complete.h"
#include "app/panel/console.h"
#include "app/tui/acts.h"
#include "app/tui/commands.h"
#include "app/tui/stranger.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/text.h"

/* Prints between two turns; what is more is counted, not kept. */
enum { PRINTS = 64 << 10 };

struct prints {
	pthread_mutex_t lock;
	int fd;     /* readable: something waits */
	char *text; /* [PRINTS] */
	size_t n, lost;
};

struct scripting {
	struct tui *t;
	struct host *host;
	struct script *script;  /* NULL: none, or ended and told */
	char *said;             /* how the last one ended */
	struct script *console; /* its state lives on between chunks; NULL: not used yet */
	double stopped_at;      /* 0: not asked to */
	bool stuck_told;
	struct prints prints;
	char state[160]; /* as the console was told */
	uint32_t job;    /* of the script that runs; 0: none, or jobs have no numbers here */
};

static enum st command(void *arg, const char *line, struct err *e)
{
	struct scripting *s = arg;
	enum st st;

	s->t->by_script = true;
	st = command_try(s->t, line, e);
	s->t->by_script = false;
	return st;
}

/* Notices travel by the bus, from any thread. */
static void as_notice(void *arg, const char *line)
{
	struct scripting *s = arg;
	struct snap_text *text = snap_text_new(line);

	bus_publish(
		s->t->bus, (struct event){ .kind = EV_NOTICE, .n = LOG_INFO, .snap = &text->snap });
}

static void as_print(void *arg, const char *line)
{
	struct prints *p = &((struct scripting *)arg)->prints;
	size_t n = strlen(line);
	uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	if (n + 1 > PRINTS - 1 - p->n && !p->n) /* one line that is more than there is room for */
		n = PRINTS - 2 - utf8_partial_tail(line, PRINTS - 2);
	if (n + 1 > PRINTS - 1 - p->n) {
		p->lost++;
	} else {
		memcpy(p->text + p->n, line, n);
		p->n += n;
		p->text[p->n++] = '\n';
		p->text[p->n] = 0;
	}
	pthread_mutex_unlock(&p->lock);
	while (write(p->fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* ---- the console */

static void tell_console(struct scripting *s, enum console_say what, const char *text, size_t n)
{
	bus_publish(s->t->bus, (struct event){ .kind = EV_CONSOLE,
				       .key = what,
				       .n = (int64_t)n,
				       .snap = &snap_text_new(text)->snap });
}

static bool console_shown(const struct tui *t)
{
	for (size_t i = 0; i < t->n_shown; i++)
		if (!strcmp(t->class[t->shown[i].panel] -> name, "console"))
			return true;
	return false;
}

/* Inputs of earlier sittings. */
static void tell_past(struct scripting *s)
{
	const struct history *h = &s->t->history;
	size_t bytes = 1;
	char *all, *to;

	for (size_t i = 0; i < h->n; i++)
		bytes += *h->line[i] == HISTORY_LUA ? strlen(h->line[i]) : 0;
	if (bytes == 1)
		return;
	to = all = xalloc(bytes);
	for (size_t i = 0; i < h->n; i++)
		if (*h->line[i] == HISTORY_LUA)
			to += sprintf(to, "%s\n", h->line[i] + 1);
	tell_console(s, CONSOLE_PAST, all, 0);
	xfree(all);
}

/* The last line as a notice, where no console shows them: all of them are there, in order. */
static void notice_lines(struct tui *t, const char *text)
{
	const char *last = text, *end;
	size_t lines = 0;

	for (const char *c = text; (end = strchr(c, '\n')) != NULL; c = end + 1) {
		lines++;
		last = c;
	}
	if (lines == 1)
		tui_notice(t, LOG_INFO, "%.*s", (int)strcspn(last, "\n"), last);
	else if (lines)
		tui_notice(t, LOG_INFO, "%.*s  (the last of %zu lines: F2)",
			(int)strcspn(last, "\n"), last, lines);
}

static void flush_prints(struct scripting *s)
{
	struct prints *p = &s->prints;
	size_t lost;
	char *text = NULL, more[64];
	uint64_t n;

	(void)!read(p->fd, &n, sizeof n); /* nothing may have been signalled */
	pthread_mutex_lock(&p->lock);
	lost = p->lost;
	if (p->n)
		text = xstrndup(p->text, p->n);
	p->n = p->lost = 0;
	pthread_mutex_unlock(&p->lock);
	if (!text)
		return;
	tell_console(s, CONSOLE_OUT, text, 0);
	if (lost) {
		snprintf(more, sizeof more, "… %zu lines left out: they came too fast", lost);
		tell_console(s, CONSOLE_NOTE, more, 0);
	}
	if (!console_shown(s->t))
		notice_lines(s->t, text);
	xfree(text);
}

/* What runs, what it waits for, whether it stops. */
static void tell_state(struct scripting *s)
{
	const struct tui *t = s->t;
	const char *who = s->script == s->console ? "running" : "a script runs";
	uint32_t job = s->script ? script_awaits(s->script) : 0;
	char now[sizeof s->state] = "", inside[64];
	size_t i = 0;

	while (i < t->n_jobs && (!job || t->job[i].id != job))
		i++;
	if (!s->script)
		;
	else if (scripting_stuck(s, inside))
		snprintf(
			now, sizeof now, "does not stop: inside %s (q leaves the program)", inside);
	else if (s->stopped_at)
		snprintf(now, sizeof now, "stopping…");
	else if (job && i < t->n_jobs && t->job[i].total > 0)
		snprintf(now, sizeof now, "%s, waits for %s, %.0f %%  Esc stops it", who,
			t->job[i].name, floor(100 * t->job[i].done / t->job[i].total));
	else if (job && i < t->n_jobs)
		snprintf(now, sizeof now, "%s, waits for %s  Esc stops it", who, t->job[i].name);
	else
		snprintf(now, sizeof now, "%s  Esc stops it", who);
	if (!strcmp(now, s->state))
		return;
	snprintf(s->state, sizeof s->state, "%s", now);
	tell_console(s, CONSOLE_STATE, now, 0);
}

enum st scripting_complete(struct scripting *s, const char *text)
{
	struct lua_candidate *c = xarray(LUA_CANDIDATES, sizeof *c);
	size_t from, n = lua_complete(s->script == s->console ? NULL : s->console, text, &from, c);
	char *all = xalloc(n * (sizeof *c + 2) + 1), *to = all;

	for (size_t i = 0; i < n; i++)
		to += sprintf(to, "%s\t%s\n", c[i].name, c[i].help);
	tell_console(s, CONSOLE_NAMES, all, strlen(text) - from);
	xfree(all);
	xfree(c);
	return ST_OK;
}

/* ---- */

struct scripting *scripting_new(struct tui *t, const struct host_face *face)
{
	struct scripting *s = xalloc(sizeof *s);
	struct host_face f = {
		.print = as_print, .notice = as_notice, .arg = s, .demo = t->o->demo, .screen = true
	};

	s->t = t;
	pthread_mutex_init(&s->prints.lock, NULL);
	s->prints.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->prints.text = xalloc(PRINTS);
	if (!face)
		tell_past(s);
	s->host = host_new(t->s, t->bus, face ? face : &f);
	host_set_command(s->host, command, s);
	host_set_allowed(s->host, stranger_may);
	return s;
}

bool scripting_end(struct scripting *s)
{
	static const double patience = 1; /* seconds */
	struct pollfd p = { .events = POLLIN };

	if (!s || !s->script)
		return true;
	host_close(s->host);
	script_stop(s->script);
	p.fd = script_fd(s->script);
	return poll(&p, 1, (int)(patience * 1000)) > 0;
}

void scripting_free(struct scripting *s)
{
	if (!s)
		return;
	host_close(s->host);
	if (s->script != s->console)
		script_free(s->script);
	script_free(s->console);
	host_free(s->host);
	close(s->prints.fd);
	pthread_mutex_destroy(&s->prints.lock);
	xfree(s->prints.text);
	xfree(s->said);
	xfree(s);
}

/* Jobs that it asks for are its children on the Jobs screen. */
static void begin_job(struct scripting *s, const char *path)
{
	char *text;

	if (!session_jobs(s->t->s))
		return;
	text = xprintf("script %s", fs_name(path));
	s->job = jobs_guest(session_jobs(s->t->s), text);
	xfree(text);
}

static void end_job(struct scripting *s, int status, const char *sentence)
{
	enum st st = status == SCRIPT_STOPPED ? ST_CANCELLED : *sentence ? ST_INVALID : ST_OK;
	char *line = xstrndup(sentence, strcspn(sentence, "\n"));

	if (s->job)
		jobs_guest_ended(session_jobs(s->t->s), s->job, st, line);
	s->job = 0;
	xfree(line);
}

uint32_t scripting_job(const struct scripting *s)
{
	return s->job;
}

enum st scripting_start(struct scripting *s, const struct script_options *o, struct err *e)
{
	if (s->script)
		return err_set(e, ST_INVALID, "script: one is running already (x stops it)");
	s->stopped_at = 0;
	s->stuck_told = false;
	if (script_start(&s->script, s->host, o, e))
		return e->st;
	begin_job(s, o->path);
	return ST_OK;
}

bool scripting_runs(const struct scripting *s)
{
	return s->script != NULL;
}

void scripting_stop(struct scripting *s)
{
	if (!s->script)
		return;
	if (!s->stopped_at)
		s->stopped_at = clock_now();
	script_stop(s->script);
}

bool scripting_stuck(const struct scripting *s, char out[64])
{
	static const double patience = 1; /* seconds */

	return s->script && s->stopped_at && clock_now() - s->stopped_at > patience &&
	       script_stuck(s->script, patience, out);
}

void scripting_fds(const struct scripting *s, struct pollfd fd[SCRIPTING_FDS])
{
	fd[0] = (struct pollfd){ .fd = host_fd(s->host), .events = POLLIN };
	fd[1] = (struct pollfd){ .fd = s->script ? script_fd(s->script) : -1, .events = POLLIN };
	fd[2] = (struct pollfd){ .fd = s->prints.fd, .events = POLLIN };
}

bool scripting_turn(struct scripting *s, int *status, const char **sentence)
{
	struct pollfd p = { .fd = s->script ? script_fd(s->script) : -1, .events = POLLIN };
	uint32_t was;

	was = jobs_for(s->job);
	host_serve(s->host);
	jobs_for(was);
	if (!s->script || poll(&p, 1, 0) <= 0)
		return false;
	*status = script_join(s->script, sentence);
	xfree(s->said);
	s->said = xstrdup(*sentence);
	*sentence = s->said;
	end_job(s, *status, s->said);
	if (s->script != s->console)
		script_free(s->script);
	s->script = NULL;
	return true;
}

/* Into the console: what was typed, and for later sittings. */
static void note_input(struct scripting *s, const char *text)
{
	history_add(&s->t->history, HISTORY_LUA, text);
	tell_console(s, CONSOLE_INPUT, text, 0);
}

enum st scripting_eval(struct scripting *s, const char *text, struct err *e)
{
	struct script_options o = { .path = "console", .text = text, .keep = true };
	bool shown = console_shown(s->t);
	enum st st;

	if (*text == '=') /* as Lua's own prompt takes it: what follows is an expression */
		o.text = ++text;
	if (s->script) {
		if (shown)
			tell_console(s, CONSOLE_BACK, text, 0);
		return err_set(e, ST_INVALID, "lua: a script is running already (x stops it)");
	}
	if (shown && lua_incomplete(text)) { /* at once: what is typed next belongs to it */
		acts_say(s->t, "%s", "");
		(void)panels_command(s->t, "more", text);
		return ST_OK;
	}
	s->stopped_at = 0;
	s->stuck_told = false;
	st = s->console ? script_again(s->console, text, e)
			: script_start(&s->console, s->host, &o, e);
	if (!st) {
		s->script = s->console;
		note_input(s, text);
		tell_state(s);
		begin_job(s, "console");
	}
	return st;
}

static void tell_end(struct scripting *s, int status, const char *sentence)
{
	struct tui *t = s->t;
	bool shown = console_shown(t);

	t->dirty = true;
	if (*sentence)
		log_text(LOG_ERROR, "script", sentence);
	if (status == SCRIPT_STOPPED) {
		tell_console(s, CONSOLE_NOTE, "stopped", 0);
		if (!shown)
			tui_notice(t, LOG_INFO, "the script was stopped");
	} else if (*sentence) {
		tell_console(s, CONSOLE_ERROR, sentence, 0);
		if (!shown)
			tui_notice(t, LOG_ERROR, "%.*s", (int)strcspn(sentence, "\n"), sentence);
	} else if (status == SCRIPT_MISSED) {
		tell_console(s, CONSOLE_NOTE, "it ended; a goal of it was missed", 0);
		if (!shown)
			tui_notice(t, LOG_WARN, "the script ended; a goal of it was missed");
	}
}

void scripting_tell(struct tui *t)
{
	struct scripting *s = t->scripting;
	const char *sentence;
	char inside[64];
	int status;
	bool ended = scripting_turn(s, &status, &sentence);

	flush_prints(s); /* before the end is told */
	if (ended) {
		tell_end(s, status, sentence);
	} else if (!s->stuck_told && scripting_stuck(s, inside)) {
		s->stuck_told = true;
		tui_notice(t, LOG_WARN,
			"the script does not stop: it is inside %s (q leaves the "
			"program)",
			inside);
	}
	tell_state(s);
}
