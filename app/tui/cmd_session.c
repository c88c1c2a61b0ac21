/* cmd_session - commands that ask something of the session. */
#include "app/tui/commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/panel/jobs.h"
#include "app/tui/acts.h"
#include "app/tui/scripting.h"
#include "app/tui/tui.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum st cmd_open(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st;

	(void)argv;
	if (argc > 1)
		return session_open(t->s, rest, e);
	acts_say(t, "%s", "");
	if (run_open_here(t, &st, e))
		return st;
	if (!panels_command(t, "open", ""))
		return err_set(e, ST_INVALID, "nothing to open here (:open PATH opens a model)");
	return ST_OK;
}

enum st cmd_text(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	unsigned long long tokens = 0;
	struct sources src;
	char *end;
	enum st st;

	(void)rest;
	/* The last of several words is a number of tokens where it begins as one. */
	if (argc > 2 && argv[argc - 1][strspn(argv[argc - 1], "+-")] >= '0' &&
		argv[argc - 1][strspn(argv[argc - 1], "+-")] <= '9' &&
		!fs_is_file(argv[argc - 1]) && !strchr(argv[argc - 1], '=')) {
		argc--;
		tokens = strtoull(argv[argc], &end, 10);
		if (*end || !tokens || argv[argc][0] == '-')
			return err_set(e, ST_INVALID,
				"text: expected a number of tokens, got \"%s\"", argv[argc]);
	}
	st = sources_parse(&src, (const char *const *)argv + 1, (size_t)argc - 1, "text", e);
	if (!st)
		st = session_sources(t->s, &src, (size_t)tokens, e);
	sources_release(&src);
	return st;
}

enum st cmd_scan(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_scan(t->s, e);
}

enum st cmd_measure(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_measure(t->s, e);
}

enum st cmd_refine(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_refine(t->s, e);
}

enum st cmd_better(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	struct front_point now = { .kl = NAN };
	enum st st;
	char kl[16];

	(void)argc, (void)argv, (void)rest;
	if (t->answer)
		now = t->answer->better;
	st = session_better(t->s, e);
	if (!st && isfinite(now.kl))
		tui_notice(t, LOG_INFO, "under the dial now: %s, %.2f bpw, measured KL %s (u: back)",
			now.what, now.bpw, num_kl(now.kl, kl));
	else if (!st)
		tui_notice(t, LOG_INFO, "under the dial now: the better layout (u: back)");
	return st;
}

/* ---- files and runs */

enum st cmd_keep(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	return session_keep(t->s, argc > 1 ? rest : NULL, e);
}

enum st cmd_layout(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID, "layout: name a layout file");
	return session_layout_read(t->s, rest, e);
}

/* The job under the cursor of the Jobs screen. */
static enum st job_here(struct tui *t, uint32_t *id, struct err *e)
{
	long at = panel_find(t, "jobs");

	*id = at >= 0 ? jobs_panel_at(t->panel[at]) : 0;
	return *id ? ST_OK
		   : err_set(e, ST_INVALID, "the job under the cursor has ended; move to another");
}

enum st cmd_priority(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	unsigned long n = 0;
	uint32_t id = 0;
	char *end;
	enum st st = ST_OK;

	(void)rest;
	if (argc < 2 || !strcmp(argv[1], "here")) {
		st = job_here(t, &id, e);
	} else {
		n = strtoul(argv[1], &end, 10);
		if (*end || !n || n > UINT32_MAX)
			st = err_set(e, ST_INVALID, "priority: expected a job's number, got \"%s\"",
				argv[1]);
		id = (uint32_t)n;
	}
	if (!st)
		st = session_raise(t->s, id, e);
	if (!st)
		tui_notice(t, LOG_INFO, "job %u is the next of its lane", id);
	return st;
}

enum st cmd_resume(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_resume(t->s, e);
}

enum st cmd_scan_anyway(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_scan_anyway(t->s, e);
}

enum st cmd_stop(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	unsigned long id = 0;
	uint32_t here;
	char *end;
	enum st st;

	(void)rest;
	if (argc > 1 && !strcmp(argv[1], "here")) {
		st = job_here(t, &here, e);
		if (st)
			return st;
		id = here;
	} else if (argc > 1) {
		id = strtoul(argv[1], &end, 10);
		if (*end || !id || id > UINT32_MAX)
			return err_set(e, ST_INVALID, "stop: expected a job's number, got \"%s\"",
				argv[1]);
	}
	if (!id && t->streaming && session_chat_stop(t->s))
		return ST_OK;
	if (!id && t->scripting && scripting_runs(t->scripting)) {
		scripting_stop(t->scripting); /* and what it waits for */
		session_stop(t->s, 0);
		return ST_OK;
	}
	if (t->scripting && id && id == scripting_job(t->scripting))
		scripting_stop(t->scripting); /* and below what it asked for */
	if (!session_stop(t->s, (uint32_t)id)) {
		tui_notice(t, LOG_INFO, id ? "no job of that number runs" : "nothing runs");
		return ST_OK;
	}
	for (size_t i = 0; i < t->n_jobs; i++)
		if (!id || t->job[i].id == id) {
			t->job[i].stopping = true;
			break;
		}
	return ST_OK;
}

/* ---- chat */

enum st cmd_chat(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	if (!screen_go(t, "chat"))
		return err_set(e, ST_INVALID, "chat: no arrangement of that name");
	return ST_OK;
}

enum st cmd_say(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID, "say: there is no text to send");
	return session_say(t->s, rest, e);
}

enum st cmd_again(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_again(t->s, e);
}

/* "on", "off", "toggle" or nothing, which is toggle. */
static enum st switch_of(int argc, char **argv, enum switch_verb *to, struct err *e)
{
	static const char *const name[] = { "off", "on", "toggle" };

	*to = SWITCH_TOGGLE;
	if (argc < 2)
		return ST_OK;
	for (int i = 0; i < 3; i++)
		if (!strcmp(argv[1], name[i])) {
			*to = (enum switch_verb)i;
			return ST_OK;
		}
	return err_set(e, ST_INVALID, "%s: expected on, off or toggle, got \"%s\"", argv[0],
		argv[1]);
}

enum st cmd_ab(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum switch_verb to;
	bool on = false;
	enum st st = switch_of(argc, argv, &to, e);

	(void)rest;
	if (!st)
		st = session_ab(t->s, to, &on, e);
	if (!st)
		tui_notice(t, LOG_INFO,
			on ? "the next messages are answered twice: by A and by the layout under "
			     "the dial"
			   : "one answer a message again");
	return st;
}

enum st cmd_blind(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	static char name[] = "blind", toggle[] = "toggle";
	char *set[] = { argv[0], name, argc > 1 ? argv[1] : toggle };
	enum switch_verb to;
	enum st st = switch_of(argc, argv, &to, e);

	return st ? st : cmd_set(t, 3, set, rest, e);
}

enum st cmd_vote(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	static const char *const name[] = { "left", "right", "tie", "bad" };

	(void)rest;
	for (int i = 0; i < 4 && argc > 1; i++)
		if (!strcmp(argv[1], name[i]))
			return session_vote(t->s, (enum vote_pick)(VOTE_LEFT + i), e);
	return err_set(e, ST_INVALID, "vote: expected left, right, tie or bad");
}

enum st cmd_votes(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_votes(t->s, e);
}

enum st cmd_clear(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	return session_chat_clear(t->s, e);
}

enum st cmd_system(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv, (void)e;
	session_chat_system(t->s, argc > 1 ? rest : NULL);
	tui_notice(
		t, LOG_INFO, argc > 1 ? "system prompt set" : "the template's own system prompt");
	return ST_OK;
}

enum st cmd_temperature(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char *set[] = { argv[0], (char[]){ "temperature" }, argc > 1 ? argv[1] : NULL };

	return cmd_set(t, argc > 1 ? 3 : 2, set, rest, e);
}
