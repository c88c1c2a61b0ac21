/* acts.h - the command log: what was done in this sitting, and on what was known when it was.
 *
 * An act is a command line that changed what is computed, kept or said: a turn of the dial, a pin,
 * a measurement, a message.  Looking around is none.  With it goes the place of the desk's journals
 * that it was made on (desk.h), so that a replay of the log meets the same numbers, and what came
 * of it, so that the replay can say whether it did.  Moves of the dial that one undo takes back are
 * one act.  Acts of a script are the script's: it is one act itself.  UI thread.
 */
#ifndef BD_APP_TUI_ACTS_H
#define BD_APP_TUI_ACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct tui;
struct acts;
struct options;
struct snap_answer;

/* The log begins with the options that are not as they come, and with `began`: lines that did what
 * the command line of the program asked for, NULL-terminated; NULL: none.  Both are copied. */
struct acts *acts_new(const struct options *o, const char *const *began);
void acts_free(struct acts *a); /* NULL is fine, here and below */

/* Around a command: what was before it, and what it did.  The line is as typed. */
struct acts_before {
	uint64_t acts;
	uint32_t job;
};
void acts_before(struct tui *t, struct acts_before *b);
void acts_after(struct tui *t, const struct acts_before *b, const char *line);
/* The line under which the command that runs is logged, in place of the one that was typed; "":
 * nothing was done. */
void acts_say(struct tui *t, const char *fmt, ...) BD_PRINTF(2, 3);

/* What comes of the last acts. */
void acts_answer(struct tui *t, const struct snap_answer *s);
/* said: what the job said at its end, "" or NULL: nothing.  A kept run gets the log so far, as its
 * acts.lua: what made the layout, where no verb does. */
void acts_job_ended(struct tui *t, uint32_t job, enum st st, const char *said);

/* One of them, for who shows them: 0 is the first. */
struct act {
	char *line;
	unsigned times; /* moves that were joined */
	bool placed;    /* made on a model, at this place of its journals */
	size_t cells, points;
	uint32_t job; /* that it started; 0: none */
	bool over;    /* that job ended, with this */
	enum st ended;
	bool answered; /* this layout came of it */
	char layout[9];
	uint64_t bytes;
	double kl, measured; /* NAN: not known */
};
size_t acts_count(const struct acts *a);
const struct act *acts_at(const struct acts *a, size_t i);
/* As a Lua script that does them again (bitdial --batch FILE).  Never over a file that is there. */
BD_MUST_USE enum st acts_write(struct tui *t, const char *path, struct err *e);

/* The overlay `@`. */
void acts_list(struct tui *t);

#endif
