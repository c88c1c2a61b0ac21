/* cmd_script - Lua from the command line, and the log of acts as such. */
#include "app/tui/commands.h"

#include <string.h>
#include "app/tui/acts.h"

#include "app/tui/scripting.h"
#include "app/tui/tui.h"

/* A batch runs its script itself. */
static enum st no_other(const struct tui *t, struct err *e)
{
	if (t->scripting)
		return ST_OK;
	return err_set(e, ST_INVALID, "a script cannot start another one: use require or dofile");
}

enum st cmd_script(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	struct script_options o = { .path = argc > 1 ? argv[1] : "", .argc = argc - 2 };
	enum st st = no_other(t, e);

	(void)rest;
	if (!st && argc < 2)
		st = err_set(e, ST_INVALID, "script: expected a file: script FILE [ARGS]");
	o.argv = argv + 2;
	o.sandbox = t->o->sandbox;
	return st ? st : scripting_start(t->scripting, &o, e);
}

enum st cmd_lua(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = no_other(t, e);

	(void)argv;
	if (!st && argc < 2)
		st = err_set(e, ST_INVALID, "lua: expected an expression or a statement");
	return st ? st : scripting_eval(t->scripting, rest, e);
}

enum st cmd_history(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st;

	if (argc < 2) {
		acts_list(t);
		return ST_OK;
	}
	if (argc < 3 || strcmp(argv[1], "write") != 0)
		return err_set(e, ST_INVALID, "history: expected nothing, or write FILE.lua");
	(void)rest;
	st = acts_write(t, argv[2], e);
	if (!st)
		tui_notice(t, LOG_INFO, "wrote %.200s (bitdial --batch does it again)", argv[2]);
	return st;
}

enum st cmd_complete(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = no_other(t, e);

	(void)argc, (void)argv;
	return st ? st : scripting_complete(t->scripting, rest);
}

/* Where it is on the screen already it only takes the focus. */
enum st cmd_console(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	long at = panel_find(t, "console");

	(void)argc, (void)argv, (void)rest;
	if (at < 0 || !t->n_places)
		return err_set(e, ST_INVALID, "console: there is no such panel");
	if (!panel_on_screen(t, (size_t)at))
		screen_choose(t, "console");
	if (!focus_on(t, at))
		return err_set(e, ST_INVALID,
			"console: the arrangement console has no panel of that name");
	t->class[at]->on_command(t->panel[at], "write", "");
	return ST_OK;
}
