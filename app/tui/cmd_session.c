/* cmd_session - commands that ask something of the session. */
#include "app/tui/commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/text.h"

enum st cmd_open(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc > 1)
		return session_open(t->s, rest, e);
	if (!panels_command(t, "open", ""))
		return err_set(e, ST_INVALID, "nothing to open here (:open PATH opens a model)");
	return ST_OK;
}

enum st cmd_text(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	unsigned long long tokens = 0;
	char *end;

	(void)rest;
	if (argc > 2) {
		tokens = strtoull(argv[2], &end, 10);
		if (*end || !tokens || argv[2][0] == '-')
			return err_set(e, ST_INVALID,
				"text: expected a number of tokens, got \"%s\"", argv[2]);
	}
	return session_text(t->s, argc > 1 ? argv[1] : NULL, (size_t)tokens, e);
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

/* ---- the dial */

/* The least budget whose predicted damage is at most kl. */
static enum st budget_by_kl(struct tui *t, const char *arg, struct err *e)
{
	char *end;
	double kl = strtod(arg, &end);
	const struct snap_front *f = t->front;

	if (end == arg || *end || !(kl >= 0))
		return err_set(e, ST_INVALID, "budget: expected kl<=NUMBER, got \"kl<=%s\"", arg);
	if (!f || !f->n)
		return err_set(e, ST_INVALID, "budget: no front yet to read kl<=%s from", arg);
	if (!f->in_nats)
		return err_set(e, ST_INVALID,
			"budget: the front is in first scores still, not in nats (:scan)");
	for (size_t i = 0; i < f->n; i++)
		if (f->kl[i] <= kl) {
			enum st st = session_budget_bytes(t->s, f->bytes[i], e);

			if (!st)
				tui_notice(t, LOG_INFO, "kl<=%s by the predicted front", arg);
			return st;
		}
	return err_set(e, ST_INVALID, "budget: no layout of this dial is predicted at kl<=%s", arg);
}

static enum st budget(struct tui *t, const char *arg, struct err *e)
{
	static const struct {
		const char *unit;
		double bytes;
	} units[] = { { "GiB", 1024.0 * 1024 * 1024 }, { "MiB", 1024.0 * 1024 }, { "KiB", 1024 },
		{ "GB", 1e9 }, { "MB", 1e6 }, { "kB", 1e3 }, { "B", 1 } };
	bool relative = *arg == '+' || *arg == '-';
	char *end;
	double v;

	if (!strncmp(arg, "kl<=", 4))
		return budget_by_kl(t, arg + 4, e);
	v = strtod(arg, &end);
	if (end == arg || !isfinite(v))
		return err_set(e, ST_INVALID,
			"budget: expected 4.25, +0.05, 4.5GiB or kl<=0.02, got \"%s\"", arg);
	end += strspn(end, " ");
	if (!*end || !strcmp(end, "bpw"))
		return session_budget(t->s, relative ? session_budget_now(t->s) + v : v, e);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcmp(end, units[i].unit) && !relative && v > 0 && v * units[i].bytes < 1e18)
			return session_budget_bytes(t->s, (uint64_t)(v * units[i].bytes), e);
	if (!strcmp(end, "tok/s"))
		return err_set(
			e, ST_UNSUPPORTED, "budget: no speeds were measured; name bits or bytes");
	return err_set(e, ST_INVALID, "budget: unit \"%s\" is none of bpw, MiB, GiB, MB, GB", end);
}

enum st cmd_budget(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2) {
		prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, "budget ");
		tui_complete(t);
		return ST_OK;
	}
	return budget(t, rest, e);
}

enum st cmd_search(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID, "search: name a budget: 4.25, 4.5GiB or kl<=0.02");
	return budget(t, rest, e);
}

/* ---- pins */

static void cursor_name(const struct tui *t, char out[32])
{
	static const char *const kind[] = { "q", "k", "v", "o", "gate", "up", "down" };

	snprintf(out, 32, "layers.%zu.%s", t->cursor / 7, kind[t->cursor % 7]);
}

/* "4" is the dial's format of 4 bits; a format's name is itself. */
static enum st format_of(const struct tui *t, const char *arg, char out[FORMAT_NAME], struct err *e)
{
	char *end;
	long bits = strtol(arg, &end, 10);

	if (*end || end == arg) {
		snprintf(out, FORMAT_NAME, "%s", arg);
		return ST_OK;
	}
	for (size_t i = 0; t->model && i < t->model->k; i++)
		if (t->model->format[i].bits == bits) {
			format_name(t->model->format[i], out);
			return ST_OK;
		}
	return err_set(e, ST_INVALID, "pin: the dial has no format of %s bits (:set formats)", arg);
}

enum st cmd_pin(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char name[32], line[48], format[FORMAT_NAME];
	size_t matched = 0;
	enum st st;

	(void)rest;
	if (!t->model || !t->model->n)
		return err_set(e, ST_INVALID, "pin: no model is open (:open PATH)");
	if (argc < 2) {
		cursor_name(t, name);
		snprintf(line, sizeof line, "pin %s ", name);
		prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, line);
		tui_complete(t);
		return ST_OK;
	}
	if (argc > 2 && (st = format_of(t, argv[2], format, e)))
		return st;
	st = session_pin(t->s, argv[1], argc > 2 ? format : NULL, &matched, e);
	if (!st)
		tui_notice(t, LOG_INFO, "pinned %zu", matched);
	return st;
}

enum st cmd_free(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char name[32];
	size_t matched = 0;
	enum st st;

	(void)rest;
	if (!t->model || !t->model->n)
		return err_set(e, ST_INVALID, "free: no model is open (:open PATH)");
	cursor_name(t, name);
	st = session_free_pin(t->s, argc > 1 ? argv[1] : name, &matched, e);
	if (!st)
		tui_notice(t, LOG_INFO, "freed %zu", matched);
	return st;
}

enum st cmd_undo(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = session_undo(t->s, e);

	(void)argc, (void)argv, (void)rest;
	if (!st)
		tui_notice(t, LOG_INFO, "undone");
	return st;
}

enum st cmd_redo(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = session_redo(t->s, e);

	(void)argc, (void)argv, (void)rest;
	if (!st)
		tui_notice(t, LOG_INFO, "redone");
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

enum st cmd_export(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	size_t n = strlen(rest);

	(void)argv;
	if (argc < 2)
		return err_set(
			e, ST_INVALID, "export: name a folder, or a FILE.json for the layout");
	if (n > 5 && !strcmp(rest + n - 5, ".json"))
		return session_layout_write(t->s, rest, e);
	return session_export(t->s, rest, e);
}

enum st cmd_stop(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	unsigned long id = 0;
	char *end;

	(void)rest;
	if (argc > 1) {
		id = strtoul(argv[1], &end, 10);
		if (*end || !id || id > UINT32_MAX)
			return err_set(e, ST_INVALID, "stop: expected a job's number, got \"%s\"",
				argv[1]);
	}
	if (!id && t->streaming && session_chat_stop(t->s))
		return ST_OK;
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
