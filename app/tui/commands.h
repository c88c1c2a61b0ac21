/* commands.h - the one vocabulary of keys, the `:` line, the mouse and scripts.
 *
 * A line is `command argument...`, with double quotes, `;` between commands and `|FILE`
 * to write the focused panel as text.  Words that are not in the table go to the
 * panels.  UI thread.
 */
#ifndef BD_APP_TUI_COMMANDS_H
#define BD_APP_TUI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

struct tui;

enum complete_kind {
	COMPLETE_NONE,
	COMPLETE_PATH,
	COMPLETE_NUMBER,
	COMPLETE_BUDGET,
	COMPLETE_TIE,
	COMPLETE_MARK,
	COMPLETE_SWITCH,
	COMPLETE_VOTE,
	COMPLETE_LINEAR,
	COMPLETE_SCREEN,
	COMPLETE_ARRANGEMENT,
	COMPLETE_PANEL,
	COMPLETE_MOVE,
	COMPLETE_RAMP,
	COMPLETE_OPTION,
	COMPLETE_SHOW,
	COMPLETE_RUN,
	COMPLETE_TOPIC,
	COMPLETE_PLOT,
	COMPLETE_DEVICE,
	COMPLETE_TRAIN,
	COMPLETE_TRAIN_KEY
};

enum { COMMAND_ARGS = 8 };

/* Columns of commands.def; what has no flag is no act, and refused to strangers. */
enum {
	COMMAND_ACT = 1,    /* of the command log (acts.c) */
	COMMAND_SAFE = 2,   /* free for a stranger's script (stranger.c) */
	COMMAND_REST = 4,   /* takes the rest of the line: a `;` in it ends nothing */
	COMMAND_SCREEN = 8, /* makes sense on a screen only (plain_words.c) */
};

struct command {
	const char *name, *args;
	unsigned flags;
	enum complete_kind complete;
	const char *help;
	/* argv[1..]; rest: everything after the name, quotes kept. */
	enum st (*run)(struct tui *t, int argc, char **argv, const char *rest, struct err *e);
};
extern const struct command command_table[]; /* name NULL ends it */
const struct command *command_find(const char *name);
/* The command that the line begins with has one of the flags.  No command: false. */
bool command_has(const char *line, unsigned flags);

/* Runs a line; what goes wrong ends it, and becomes a notice. */
void command_run(struct tui *t, const char *line);
BD_MUST_USE enum st command_try(
	struct tui *t, const char *line, struct err *e); /* ... or is told */

/* Is each command of the line in the table?  Runs nothing. */
BD_MUST_USE enum st command_check(const char *line, struct err *e);

/* Splits one command in place, as a person would expect of quotes: argv holds at most
 * COMMAND_ARGS, the last one all that is left. */
int command_split(char *line, char *argv[COMMAND_ARGS]);
/* The end of the first command of a line: its `;` outside of quotes, or its NUL. */
const char *command_end(const char *line);

#define C(id, name, flags, args, complete, help) \
	enum st cmd_##id(struct tui *t, int argc, char **argv, const char *rest, struct err *e);
#include "app/tui/commands.def"
#undef C

#endif
