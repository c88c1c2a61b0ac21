/* stranger.c - see stranger.h.
 *
 * Allowed is what commands.def flags as SAFE: what turns the dial, looks, measures and talks.  Not:
 * whatever takes a path or a program, writes, sends to the clipboard, types for the person, or ends
 * something of theirs; nor what nobody has thought about yet. */
#include "app/tui/stranger.h"

#include "app/tui/commands.h"
#include "core/base/alloc.h"

/* Words of panels are not in the table, and so refused. */
static bool is_safe(const char *name)
{
	const struct command *c = command_find(name);

	return c && (c->flags & COMMAND_SAFE);
}

enum st stranger_may(void *arg, const char *line, struct err *e)
{
	enum st st = ST_OK;

	(void)arg;
	while (*line && !st) { /* cut as command_try cuts */
		const char *end = command_end(line);
		char *one = xstrndup(line, (size_t)(end - line)), *argv[COMMAND_ARGS];
		int argc = command_split(one, argv);

		if (argc && !is_safe(argv[0]))
			st = err_set(e, ST_INVALID,
				"the command %s is not for a stranger's script (--sandbox)",
				argv[0]);
		xfree(one);
		line = *end ? end + 1 : end;
	}
	return st;
}
