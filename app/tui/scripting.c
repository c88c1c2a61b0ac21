/* scripting.c - see scripting.h. */
#include "app/tui/scripting.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

struct scripting {
	struct tui *t;
	struct host *host;
	struct script *script;  /* NULL: none, or ended and told */
	char *said;             /* how the last one ended */
	struct script *console; /* its state lives on between chunks; NULL: not used yet */
	double stopped_at;      /* 0: not asked to */
	bool stuck_told;
	uint32_t job; /* of the script that runs; 0: none, or jobs have no numbers here */
};

static enum st command(void *arg, const char *line, struct err *e)
{
	struct scripting *s = arg;

	return command_try(s->t, line, e);
}

/* Notices travel by the bus, from any thread. */
static void as_notice(void *arg, const char *line)
{
	struct scripting *s = arg;
	struct snap_text *text = snap_text_new(line);

	bus_publish(
		s->t->bus, (struct event){ .kind = EV_NOTICE, .n = LOG_INFO, .snap = &text->snap });
}

struct scripting *scripting_new(struct tui *t, const struct host_face *face)
{
	struct scripting *s = xalloc(sizeof *s);
	struct host_face f = { .print = as_notice, .notice = as_notice, .arg = s };

	s->t = t;
	s->host = host_new(t->s, t->bus, face ? face : &f);
	host_set_command(s->host, command, s);
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
	xfree(s->said);
	xfree(s);
}

/* Jobs that it asks for are its children on the Jobs screen. */
static void begin_job(struct scripting *s, const char *path)
{
	const char *name = strrchr(path, '/');
	char *text;

	if (!session_jobs(s->t->s))
		return;
	text = xprintf("script %s", name ? name + 1 : path);
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

enum st scripting_eval(struct scripting *s, const char *text, struct err *e)
{
	struct script_options o = { .path = "console", .text = text, .keep = true };
	enum st st;

	if (s->script)
		return err_set(e, ST_INVALID, "lua: a script is running already (x stops it)");
	s->stopped_at = 0;
	s->stuck_told = false;
	st = s->console ? script_again(s->console, text, e)
			: script_start(&s->console, s->host, &o, e);
	if (!st) {
		s->script = s->console;
		begin_job(s, "console");
	}
	return st;
}

void scripting_tell(struct tui *t)
{
	struct scripting *s = t->scripting;
	const char *sentence;
	char inside[64];
	int status;

	if (scripting_turn(s, &status, &sentence)) {
		t->dirty = true;
		if (status == SCRIPT_STOPPED)
			tui_notice(t, LOG_INFO, "the script was stopped");
		else if (*sentence)
			tui_notice(t, LOG_ERROR, "%.*s", (int)strcspn(sentence, "\n"), sentence);
		else if (status == SCRIPT_MISSED)
			tui_notice(t, LOG_WARN, "the script ended; a goal of it was missed");
		if (*sentence)
			log_text(LOG_ERROR, "script", sentence);
	} else if (!s->stuck_told && scripting_stuck(s, inside)) {
		s->stuck_told = true;
		tui_notice(t, LOG_WARN,
			"the script does not stop: it is inside %s (q leaves the "
			"program)",
			inside);
	}
}
