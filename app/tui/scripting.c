/* scripting.c - see scripting.h. */
#include "app/tui/scripting.h"

#include <stdio.h>

#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

struct scripting {
	struct tui *t;
	struct host *host;
	struct script *script; /* NULL: none, or ended and told */
	char *said;            /* how the last one ended */
	double stopped_at;     /* 0: not asked to */
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

	bus_publish(s->t->bus,
		(struct event){ .kind = EV_NOTICE, .n = LOG_INFO, .snap = &text->snap });
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

void scripting_free(struct scripting *s)
{
	if (!s)
		return;
	host_close(s->host);
	script_free(s->script);
	host_free(s->host);
	xfree(s->said);
	xfree(s);
}

enum st scripting_start(struct scripting *s, const struct script_options *o, struct err *e)
{
	if (s->script)
		return err_set(e, ST_INVALID, "script: one is running already (x stops it)");
	s->stopped_at = 0;
	return script_start(&s->script, s->host, o, e);
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

	host_serve(s->host);
	if (!s->script || poll(&p, 1, 0) <= 0)
		return false;
	*status = script_join(s->script, sentence);
	xfree(s->said);
	s->said = xstrdup(*sentence);
	*sentence = s->said;
	script_free(s->script);
	s->script = NULL;
	return true;
}
