/* commands - the table, the grammar of the `:` line, and dispatch. */
#include "app/tui/commands.h"

#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum { ACT = COMMAND_ACT, SAFE = COMMAND_SAFE, REST = COMMAND_REST, SCREEN = COMMAND_SCREEN };

const struct command command_table[] = {
#define C(id, name, flags, args, complete, help) \
	{ name, args, flags, COMPLETE_##complete, help, cmd_##id },
#include "app/tui/commands.def"
#undef C
	{ NULL, NULL, 0, COMPLETE_NONE, NULL, NULL },
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = command_table; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

bool command_has(const char *line, unsigned flags)
{
	size_t n = strcspn(line, " ");

	for (const struct command *c = command_table; c->name; c++)
		if (!strncmp(c->name, line, n) && !c->name[n])
			return (c->flags & flags) != 0;
	return false;
}

/* What a person says is theirs: a `;` in it ends nothing, unless the text is quoted. */
static bool takes_the_line(const char *s)
{
	const char *text = s + strcspn(s, " ");

	return command_has(s, COMMAND_REST) && *text && text[strspn(text, " ")] != '"';
}

const char *command_end(const char *line)
{
	bool quoted = false;

	line += strspn(line, " ");
	if (takes_the_line(line))
		return line + strlen(line);
	for (; *line; line++) {
		if (*line == '\\' && quoted && line[1])
			line++;
		else if (*line == '"')
			quoted = !quoted;
		else if (*line == ';' && !quoted)
			break;
	}
	return line;
}

/* Removes quotes in place; a backslash keeps a quote or a backslash inside them.
 * Returns the end of the word. */
static char *unquote(char *s, bool to_end)
{
	char *to = s;
	bool quoted = false;

	for (; *s && (quoted || to_end || *s != ' '); s++) {
		if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			*to++ = *++s;
		else if (*s == '"')
			quoted = !quoted;
		else
			*to++ = *s;
	}
	if (*s)
		s++;
	*to = 0;
	return s;
}

int command_split(char *line, char *argv[COMMAND_ARGS])
{
	int argc = 0;

	for (line += strspn(line, " "); *line && argc < COMMAND_ARGS; line += strspn(line, " ")) {
		argv[argc] = line;
		line = unquote(line, argc == COMMAND_ARGS - 1);
		argc++;
	}
	return argc;
}

static enum st write_panel(struct tui *t, const char *path, struct err *e)
{
	long at = focus_now(t);
	enum st st;
	char *text;

	path += strspn(path, " ");
	if (!*path)
		return err_set(e, ST_INVALID, "|FILE writes the focused panel: name a file");
	if (at < 0)
		return err_set(e, ST_INVALID, "no panel is in focus");
	text = compose_panel(t, (size_t)at);
	st = fs_write_all(path, text, strlen(text), e);
	xfree(text);
	if (!st)
		tui_notice(t, LOG_INFO, "wrote %s", path);
	return st;
}

static enum st unknown(const char *word, struct err *e)
{
	const char *names[128] = { NULL }, *near;
	size_t n = 0;

	for (const struct command *c = command_table; c->name && n < 127; c++)
		names[n++] = c->name;
	near = text_suggest(word, names);
	if (near)
		return err_set(e, ST_INVALID, "no command \"%s\"; did you mean %s", word, near);
	return err_set(e, ST_INVALID, "no command \"%s\" (? lists them)", word);
}

enum st command_check(const char *line, struct err *e)
{
	enum st st = ST_OK;

	while (*line && !st) {
		const char *end = command_end(line);
		char *word;

		line += strspn(line, " ");
		word = xstrndup(line, line < end ? strcspn(line, " ;") : 0);
		if (*word && *word != '|' && !command_find(word))
			st = unknown(word, e);
		xfree(word);
		line = *end ? end + 1 : end;
	}
	return st;
}

static enum st run_one(struct tui *t, char *line, struct err *e)
{
	char *argv[COMMAND_ARGS], *raw, *rest;
	struct acts_before before;
	const struct command *c;
	enum st st;
	int argc;

	line += strspn(line, " ");
	for (size_t n = strlen(line); n && line[n - 1] == ' '; n--)
		line[n - 1] = 0;
	if (!*line)
		return ST_OK;
	if (*line == '|')
		return write_panel(t, line + 1, e);
	raw = xstrdup(line);
	rest = raw + strcspn(raw, " ");
	rest += strspn(rest, " ");
	/* A wholly quoted text is what is between the quotes. */
	if (*rest == '"' && rest[1] && rest[strlen(rest) - 1] == '"')
		unquote(rest, true);
	argc = command_split(line, argv);
	c = command_find(argv[0]);
	acts_before(t, &before);
	if (c)
		st = c->run(t, argc, argv, rest, e);
	else if (panels_command(t, argv[0], rest))
		st = ST_OK;
	else
		st = unknown(argv[0], e);
	if (c && !st)
		acts_after(t, &before, raw);
	if (!st)
		tour_heard(t, argv[0]);
	xfree(raw);
	return st;
}

enum st command_try(struct tui *t, const char *line, struct err *e)
{
	enum st st = ST_OK;

	t->dirty = true;
	log_at(LOG_DEBUG, "command", "%s", line);
	while (*line && !st) {
		const char *end = command_end(line);
		char *one = xstrndup(line, (size_t)(end - line));

		st = run_one(t, one, e);
		xfree(one);
		line = *end ? end + 1 : end;
	}
	if (st && !e->msg[0])
		(void)err_set(e, st, "%s", st_name(st));
	return st;
}

void command_run(struct tui *t, const char *line)
{
	struct err e = { 0 };

	if (command_try(t, line, &e))
		tui_notice(t, LOG_WARN, "%s", e.msg);
}
