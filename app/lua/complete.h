/* complete.h - what may follow Lua that is being typed, and whether it ends there.
 *
 * Nothing of a person's is run: tables are read raw, metamethods are not called.  The thread that
 * makes scripts.
 */
#ifndef BD_APP_LUA_COMPLETE_H
#define BD_APP_LUA_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

struct script;

/* True: more lines are wanted, as Lua's own prompt would say. */
bool lua_incomplete(const char *text);

enum { LUA_CANDIDATES = 64 };
struct lua_candidate {
	char name[56], help[120]; /* an option's name ends in " = " */
};
/* Candidates for the word at the end of text, sorted; *from: where it begins.  idle: a console
 * whose values count (one that runs, or NULL: only what every script has). */
size_t lua_complete(const struct script *idle, const char *text, size_t *from,
	struct lua_candidate out[LUA_CANDIDATES]);

#endif
