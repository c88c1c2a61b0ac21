/* state.h - what every Lua state of ours shares, the user's, a stranger's and a file of settings.
 * The thread of the state. */
#ifndef BD_APP_LUA_STATE_H
#define BD_APP_LUA_STATE_H

#include <lua.h>
#include <stddef.h>

struct state_memory {
	size_t used, most; /* bytes of Lua's */
};

/* An allocator for lua_newstate; ud: struct state_memory.  Beyond its most there is no memory. */
void *state_alloc(void *ud, void *p, size_t old, size_t now);
/* A message handler of lua_pcall: the error as text, with its trace. */
int state_traceback(lua_State *L);
/* Pushes the arguments as print would write them, in one line. */
void state_push_line(lua_State *L);
/* Makes the table on top callable, as a call of its field of that name. */
void state_callable(lua_State *L, const char *name);

#endif
