/* cmd_runs - commands about run folders: found, opened, tagged, noted, thrown away. */
#include "app/tui/commands.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

/* The thread that looks after the runs, from when somebody wants to see them on. */
static void start(struct tui *t)
{
	if (!t->runs_io)
		t->runs_io = runs_io_new(t->bus);
}

void runs_wanted(struct tui *t)
{
	long panel = t->runs_io || !t->n_places ? -1 : panel_find(t, "runs");

	if (panel >= 0 && panel_on_screen(t, (size_t)panel))
		start(t);
}

/* The id under the cursor of the Runs panel, where that is seen; xfree; NULL: none. */
static char *run_here(const struct tui *t)
{
	long panel = panel_find(t, "runs");

	if (panel < 0 || !t->n_places || !panel_on_screen(t, (size_t)panel) ||
			!t->class[panel] -> copy)
		return NULL;
	return t->class[panel]->copy(t->panel[panel]);
}

/* The run that was typed, or the one under the cursor; xfree. */
static enum st which(
	const struct tui *t, const char *verb, const char *typed, char **id, struct err *e)
{
	*id = typed ? xstrdup(typed) : run_here(t);
	if (*id)
		return ST_OK;
	return err_set(e, ST_INVALID, "%s: name a run (screen 4 shows them)", verb);
}

static enum st can_change(const struct tui *t, const char *verb, struct err *e)
{
	if (!t->o->read_only ||
		t->o->script) /* a batch keeps no state of the screen, that is all */
		return ST_OK;
	return err_set(e, ST_INVALID, "%s: the program was started with --read-only", verb);
}

/* A request to the thread of run folders, about that run. */
static enum st ask(struct tui *t, enum runs_ask what, const char *verb, const char *run,
	const char *text, struct err *e)
{
	char *id = NULL;
	enum st st = can_change(t, verb, e);

	if (!st)
		st = which(t, verb, run, &id, e);
	if (st)
		return st;
	start(t);
	if (t->runs_io)
		runs_io_do(t->runs_io, what, id, text);
	else
		st = err_set(e, ST_NOMEM, "%s: no thread for the run folders can be made", verb);
	xfree(id);
	return st;
}

static const struct run_entry *entry(const struct tui *t, const char *id, struct err *e)
{
	if (t->runs)
		return runs_find(&t->runs->all, id, e);
	(void)err_set(e, ST_INVALID, "the runs are still being looked for: again in a moment");
	return NULL;
}

/* The command line with the run already typed. */
static enum st type_it(struct tui *t, const char *verb, const char *more, struct err *e)
{
	char *id, *line;
	const struct run_entry *r;
	enum st st = which(t, verb, NULL, &id, e);

	if (st)
		return st;
	r = entry(t, id, e);
	if (r) {
		line = xprintf("%s %s %s", verb, runs_short(&t->runs->all, r), more);
		prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, line);
		tui_complete(t);
		xfree(line);
	}
	xfree(id);
	return r ? ST_OK : e->st;
}

/* ---- commands */

enum st cmd_runs(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (!screen_go(t, "runs"))
		return err_set(e, ST_INVALID, "runs: no arrangement of that name");
	start(t);
	if (argc < 2)
		return ST_OK;
	if (!panels_command(t, "filter", rest))
		return err_set(e, ST_INVALID, "runs: this arrangement has no Runs panel");
	snprintf(t->filter, sizeof t->filter, "%s", rest);
	t->filtering = true;
	return ST_OK;
}

bool run_open_here(struct tui *t, enum st *st, struct err *e)
{
	long at = focus_now(t);
	const struct run_entry *r;
	char *id, *path;

	if (at < 0 || strcmp(t->class[at] -> name, "runs") != 0 || !(id = run_here(t)))
		return false;
	r = entry(t, id, e);
	xfree(id);
	if (!r) {
		*st = e->st;
		return true;
	}
	if (!r->has_layout) {
		*st = err_set(e, ST_INVALID, "%s has no layout to open%s",
			runs_short(&t->runs->all, r),
			strcmp(r->kind, "scan") ? "" : ": what a scan measured is in the cache");
		return true;
	}
	path = xprintf("%s/layout.json", r->path);
	*st = session_layout_read(t->s, path, e);
	if (!*st)
		tui_notice(t, LOG_INFO, "%s goes under the dial", runs_short(&t->runs->all, r));
	xfree(path);
	return true;
}

/* tag [RUN] WORD...; alone: typed on the command line. */
enum st cmd_tag(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	size_t n;

	if (argc < 2)
		return type_it(t, "tag", "", e);
	if (argc == 2)
		return ask(t, RUNS_TAG, "tag", NULL, argv[1], e);
	n = strcspn(rest, " ");
	return ask(t, RUNS_TAG, "tag", argv[1], rest + n + strspn(rest + n, " "), e);
}

enum st cmd_note(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	size_t n = strcspn(rest, " ");

	if (argc < 2)
		return type_it(t, "note", "", e);
	if (argc < 3)
		return err_set(e, ST_INVALID, "note: expected a run and a text: note RUN TEXT");
	return ask(t, RUNS_NOTE, "note", argv[1], rest + n + strspn(rest + n, " "), e);
}

enum st cmd_trash(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)rest;
	return ask(t, RUNS_TRASH, "trash", argc > 1 ? argv[1] : NULL, "", e);
}

enum st cmd_restore(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)rest;
	return ask(t, RUNS_RESTORE, "restore", argc > 1 ? argv[1] : "", "", e);
}

/* The loop, which has the terminal, does it (want_edit). */
enum st cmd_edit(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	const struct run_entry *r;
	char *id = NULL;
	enum st st = can_change(t, "edit", e);

	(void)rest;
	if (!st && (t->o->headless || t->o->once || t->o->plain || t->o->script))
		st = err_set(e, ST_INVALID,
			"edit: there is no terminal for an editor here (note RUN TEXT)");
	if (!st)
		st = which(t, "edit", argc > 1 ? argv[1] : NULL, &id, e);
	if (st)
		return st;
	r = entry(t, id, e);
	xfree(id);
	if (!r)
		return e->st;
	st = run_may_write(r, "notes.md", e);
	if (st)
		return st;
	xfree(t->want_edit);
	t->want_edit = xprintf("%s/notes.md", r->path);
	return ST_OK;
}
