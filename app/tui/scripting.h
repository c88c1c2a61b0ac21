/* scripting.h - Lua beside the workbench: one script at a time, on its own thread.
 *
 * The loop adds scripting_fds to what it polls and calls scripting_turn when it woke: there the
 * script's calls of the session and its command lines are carried out, and its end is told.
 * Private to app/tui; UI thread.
 */
#ifndef BD_APP_TUI_SCRIPTING_H
#define BD_APP_TUI_SCRIPTING_H

#include <poll.h>
#include <stdbool.h>

#include "app/lua/script.h"

struct tui;
struct scripting;

enum { SCRIPTING_FDS = 3 };

/* print, notice and event are called on the script's thread; NULL: lines go to the console, and
 * become notices where none is on the screen. */
struct scripting *scripting_new(struct tui *t, const struct host_face *face);
/* Stops what runs; false: it does not end, inside a C function, and holds what nobody may take
 * from it: the process must end without freeing anything. */
BD_MUST_USE bool scripting_end(struct scripting *s);
void scripting_free(struct scripting *s); /* after scripting_end; NULL is fine */
/* Refused while one runs. */
BD_MUST_USE enum st scripting_start(
	struct scripting *s, const struct script_options *o, struct err *e);
/* The number of the script among the jobs; 0: none runs. */
uint32_t scripting_job(const struct scripting *s);
bool scripting_runs(const struct scripting *s);
void scripting_stop(struct scripting *s);
/* The C function that a script which was told to stop is still inside of; false: none. */
bool scripting_stuck(const struct scripting *s, char out[64]);
void scripting_fds(const struct scripting *s, struct pollfd fd[SCRIPTING_FDS]);
/* The same for the workbench, with notices for how it ended; and once, where one does not stop. */
void scripting_tell(struct tui *t);
/* What may follow a beginning of Lua, as an event for the console. */
enum st scripting_complete(struct scripting *s, const char *text);
/* A chunk for the console, whose values stay: an expression is printed.  Where the console is on
 * the screen one that is not complete goes on in its input. */
BD_MUST_USE enum st scripting_eval(struct scripting *s, const char *text, struct err *e);
/* True: a script has ended in this turn; *status and *sentence (until the next start) say how. */
bool scripting_turn(struct scripting *s, int *status, const char **sentence);

#endif
