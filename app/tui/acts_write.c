/* acts_write.c - the command log as a Lua script, and as a list. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/tui/acts.h"
#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/buf.h"
#include "core/base/fs.h"
#include "core/base/text.h"

/* A Lua string, in one line, whatever the bytes. */
static void quoted(struct buf *o, const char *s)
{
	char code[8];

	buf_str(o, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			buf_put(o, "\\", 1);
			buf_put(o, s, 1);
		} else if (c < 32 || c == 127) {
			snprintf(code, sizeof code, "\\%03d", c);
			buf_str(o, code);
		} else {
			buf_put(o, s, 1);
		}
	}
	buf_str(o, "\"");
}

/* ---- one act */

static bool begins(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

static void expected(struct buf *o, const struct act *a)
{
	char n[96];

	if (!a->answered && isnan(a->measured))
		return;
	buf_str(o, ", {");
	if (a->answered) {
		snprintf(n, sizeof n, " layout = \"%s\", bytes = %llu,", a->layout,
			(unsigned long long)a->bytes);
		buf_str(o, n);
	}
	/* What was measured is part of what the replay predicts then. */
	if (a->answered && isfinite(a->kl) && !begins(a->line, "measure")) {
		snprintf(n, sizeof n, " kl = %.9g,", a->kl);
		buf_str(o, n);
	}
	if (isfinite(a->measured)) {
		snprintf(n, sizeof n, " measured = %.9g,", a->measured);
		buf_str(o, n);
	}
	o->n--;
	buf_str(o, " }");
}

/* script FILE ARGS: run("FILE", "ARG", ...) */
static void script_call(struct buf *o, const char *line)
{
	char *copy = xstrdup(line), *argv[COMMAND_ARGS];
	int argc = command_split(copy, argv);

	buf_str(o, "run(");
	for (int i = 1; i < argc; i++) {
		buf_str(o, i > 1 ? ", " : "");
		quoted(o, argv[i]);
	}
	buf_str(o, ")");
	xfree(copy);
}

static const char *instead(const struct act *a)
{
	if (a->over && a->ended == ST_CANCELLED)
		return "stopped: ";
	if (a->over && a->ended)
		return "failed: ";
	return begins(a->line, "scan") ? "how far it was is in the places of the others: " : NULL;
}

static void write_act(struct buf *o, const struct act *a)
{
	char place[64] = "";
	const char *why = instead(a);

	if (why) {
		buf_str(o, "-- ");
		buf_str(o, why);
		quoted(o, a->line);
	} else if (begins(a->line, "script ") || begins(a->line, "lua ")) {
		snprintf(place, sizeof place, "at(%zu, %zu) ", a->cells, a->points);
		buf_str(o, a->placed ? place : "");
		if (*a->line == 's') {
			script_call(o, a->line);
		} else {
			buf_str(o, "eval(");
			quoted(o, a->line + 4);
			buf_str(o, ")");
		}
	} else {
		if (a->placed)
			snprintf(place, sizeof place, "%zu, %zu, ", a->cells, a->points);
		buf_str(o, "act(");
		buf_str(o, place);
		quoted(o, a->line);
		expected(o, a);
		buf_str(o, ")");
	}
	buf_str(o, "\n");
}

/* ---- all of them */

static void head(struct buf *o, const struct tui *t)
{
	char when[32], *line;
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
	line = xprintf(
		"-- What was done with %s until %s, by bitdial " BD_VERSION ".\n"
		"-- bitdial --batch FILE.lua does it again on what was known then: the numbers\n"
		"-- before each act are the cells and layouts that had been measured.  With\n"
		"-- bitdial --fresh --batch FILE.lua they are measured anew as it goes.\n",
		t->model ? t->model->name : "no model", when);
	buf_str(o, line);
	xfree(line);
	buf_str(o, "local act, at = bitdial.cmd.act, bitdial.cmd.at\n");
}

static void helpers(struct buf *o, const struct acts *a)
{
	bool script = false, lua = false;

	for (size_t i = 0; i < acts_count(a); i++) {
		script |= begins(acts_at(a, i)->line, "script ");
		lua |= begins(acts_at(a, i)->line, "lua ");
	}
	if (script)
		buf_str(o, "local function run(file, ...)\n"
			   "\targ = { [0] = file, ... }\n"
			   "\tassert(loadfile(file, \"t\"))(...)\n"
			   "end\n");
	if (lua)
		buf_str(o,
			"local function eval(text)\n"
			"\tlocal f = load(\"return \" .. text, \"=act\", \"t\") or assert(load(text, "
			"\"=act\", \"t\"))\n"
			"\tlocal v = f()\n"
			"\tif v ~= nil then print(v) end\n"
			"end\n");
	buf_str(o, "\n");
}

enum st acts_write(struct tui *t, const char *path, struct err *e)
{
	struct buf o = { 0 };
	enum st st;

	if (!acts_count(t->acts))
		return err_set(e, ST_INVALID, "history: nothing was done yet");
	if (fs_is_file(path) || fs_is_dir(path))
		return err_set(e, ST_INVALID,
			"history write %s: it exists already; choose a new name", path);
	head(&o, t);
	helpers(&o, t->acts);
	for (size_t i = 0; i < acts_count(t->acts); i++)
		write_act(&o, acts_at(t->acts, i));
	st = fs_write_all(path, o.s, o.n, e);
	xfree(o.s);
	return st;
}

/* ---- the overlay */

static void list_one(struct tui *t, const struct act *a)
{
	char kl[16], times[24] = "", came[96] = "";
	const char *why = instead(a);

	if (a->times > 1)
		snprintf(times, sizeof times, " (%u moves)", a->times);
	if (isfinite(a->measured))
		snprintf(came, sizeof came, "measured KL %s", num_kl(a->measured, kl));
	else if (a->answered && isfinite(a->kl))
		snprintf(came, sizeof came, "predicted KL %s, %.2f bpw", num_kl(a->kl, kl),
			t->model ? (double)a->bytes * 8 / (double)t->model->weights : 0.0);
	if (why && a->over)
		snprintf(came, sizeof came, "%.*s", (int)strcspn(why, ":"), why);
	list_add(t, why && a->over ? ROLE_DIM : ROLE_TEXT, "%-44s %s%s%s%s", a->line, came, times,
		a->placed ? "" : "  before a model", a->job && !a->over ? "  runs" : "");
}

static void write_prompt(struct tui *t)
{
	char line[64], when[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
	snprintf(line, sizeof line, "history write acts-%s.lua", when);
	list_close(t);
	prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, line);
}

static bool list_keyed(struct tui *t, size_t at, uint32_t key)
{
	char *line;

	if (key == '@') {
		list_close(t);
	} else if (key == 'w') {
		write_prompt(t);
	} else if (key == KEY_ENTER && at < acts_count(t->acts)) {
		line = xstrdup(acts_at(t->acts, at)->line);
		list_close(t);
		command_run(t, line);
		xfree(line);
	} else {
		return false;
	}
	return true;
}

void acts_list(struct tui *t)
{
	list_open(t, "Done: Enter again, w writes a Lua script");
	for (size_t i = 0; i < acts_count(t->acts); i++)
		list_one(t, acts_at(t->acts, i));
	if (!acts_count(t->acts)) {
		list_add(t, ROLE_DIM, "nothing yet: turn the dial, pin, measure, say something");
		return;
	}
	t->list.on_key = list_keyed;
	t->list.at = t->list.n - 1;
}
