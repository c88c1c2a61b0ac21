/* script.h - a Lua script on a thread of its own.
 *
 * Full Lua: the script is the user's (a stranger's runs in a process of its own: sandbox.h, for
 * whose thread here all of this holds as well).  script_stop ends Lua code within a thousand
 * instructions, also in coroutines and under pcall; a C function that Lua called (string.find,
 * io.read) cannot be stopped: script_stuck names it.  What the script asks of the session goes
 * through the host (host.h), whose thread must go on serving until script_fd is readable.
 */
#ifndef BD_APP_LUA_SCRIPT_H
#define BD_APP_LUA_SCRIPT_H

#include <stdbool.h>

#include "app/lua/host.h"

struct script;
struct sandbox_options;

struct script_options {
	const char *path; /* a file, read as text; never bytecode */
	const char *text; /* or a chunk; path then names it */
	int argc;
	char *const *argv; /* arg[1] ... */
	const struct sandbox_options *sandbox; /* a stranger's: sandbox.h; NULL: full Lua */
	bool keep; /* a console: values stay for script_again, what a chunk gives is printed */
};

enum { SCRIPT_OK = 0, SCRIPT_FAILED = 1, SCRIPT_MISSED = 3, SCRIPT_STOPPED = 130 };

BD_MUST_USE enum st script_start(
	struct script **out, struct host *h, const struct script_options *o, struct err *e);
/* Another chunk in the state that one with `keep` left; after script_join. */
BD_MUST_USE enum st script_again(struct script *s, const char *text, struct err *e);
void script_stop(struct script *s);    /* any thread */
int script_fd(const struct script *s); /* readable: it has ended */
/* Waits for the end: one of SCRIPT_..., or what os.exit was given  The sentence (with traceback) is "" when all went well; it
 * is the script's.  Serving thread; only after script_fd was readable or the host was closed. */
int script_join(struct script *s, const char **sentence);
/* The C function that Lua code is inside of for so long already (seconds), into out; false: none.
 */
bool script_stuck(const struct script *s, double seconds, char out[64]);
uint32_t script_awaits(const struct script *s); /* the job it waits for; 0: none */
void script_free(struct script *s); /* stops and joins; NULL is fine */

#endif
