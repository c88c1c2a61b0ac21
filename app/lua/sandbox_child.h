/* sandbox_child.h - what the files of a stranger's process share.  Single thread.
 *
 * sandbox_child.c talks with the program and runs the script, sandbox_jail.c gives everything up
 * that a script needs not, sandbox_env.c makes what is left of Lua, sandbox_proxy.c bitdial.
 */
#ifndef BD_APP_LUA_SANDBOX_CHILD_H
#define BD_APP_LUA_SANDBOX_CHILD_H

#include <lua.h>

#include "app/lua/state.h"
#include "app/lua/wire.h"

/* What the script's process says. */
enum sandbox_op {
	SANDBOX_HELLO = 'H',  /* u8: the filter of system calls stands */
	SANDBOX_PRINT = 'P',  /* string */
	SANDBOX_NOTICE = 'N', /* string */
	SANDBOX_CALL = 'C',   /* module, function, u8 count, values */
	SANDBOX_METHOD = 'M', /* u32 handle, name, u8 count, values */
	SANDBOX_FIELD = 'F',  /* u32 handle, name */
	SANDBOX_STRING = 'S', /* u32 handle: as tostring gives it */
	SANDBOX_END = 'E'     /* u8 sandbox_end, string */
};
/* Each but HELLO and END begins with u32 count and handles that are not wanted any more. */
enum sandbox_end { END_WELL, END_ERROR, END_MEMORY, END_TIME };
/* What it hears: 'r', u8 count, values; or 'e', string: the error to raise. */
enum { SANDBOX_HANDLES = 1024, SANDBOX_ARGS = 16, SANDBOX_RESULTS = 8, SANDBOX_SAID = 4000 };

struct child {
	struct wire out;
	uint8_t *in; /* the answer */
	size_t cap;
	uint32_t dropped[SANDBOX_HANDLES];
	size_t n_dropped, n_told; /* told: are in the message that is written */
	struct state_memory memory;
	double cpu_end; /* of the process's clock */
	bool late;      /* it has been reached: raised for ever */
};

struct child *child_of(lua_State *L);
/* Begins a message with the handles that were dropped. */
struct wire *child_ask(lua_State *L, enum sandbox_op op);
/* Sends it, waits, pushes the results; their number.  Raises what the answer says. */
int child_answer(lua_State *L);
double child_cpu(void);

void jail_close_files(void);
void jail_limits(size_t memory, double seconds);
bool jail_filter(void); /* false: not on this system */

/* The libraries and what replaces some of their functions. */
void env_open(lua_State *L);
/* The table at the top can be read only, from now on. */
void env_lock(lua_State *L);
void proxy_open(lua_State *L); /* the global `bitdial` */
extern const struct wire_handles proxy_handles;

#endif
