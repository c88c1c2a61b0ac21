/* box.h - a file of settings in Lua: run in a state of its own, with next to nothing in it.
 *
 * Read as text, never as bytecode, with a limit on instructions and memory; the state is closed
 * before box_run returns.  What is in it must end by itself: a limit on instructions does not
 * see a C function that goes on for ever.  Messages name the file and the line.  Any thread.
 */
#ifndef BD_APP_LUA_BOX_H
#define BD_APP_LUA_BOX_H

#include <lua.h>
#include <stddef.h>

#include "core/base/err.h"

struct box {
	const char *where; /* the file's name for messages: "search.lua:4: ..." */
	const char *what;  /* said of one that computes too long: "an arrangement is data" */
	size_t memory;     /* bytes at most */
	int instructions;  /* of the virtual machine, at most */
	/* Both may raise.  environment fills the table on top of the stack (NULL: it stays empty);
	 * result has what the file returned on top (NULL: not wanted). */
	void (*environment)(lua_State *L, void *arg);
	void (*result)(lua_State *L, void *arg);
	void *arg;
};

enum { BOX_FILE_MAX = 64 << 10 };

BD_MUST_USE enum st box_run(const struct box *b, const char *text, size_t n, struct err *e);
/* where is then the file's own name. */
BD_MUST_USE enum st box_run_file(struct box *b, const char *path, struct err *e);

/* In result: what is looked at now is the field of that name, for the line that an error names. */
void box_at(lua_State *L, const char *field);
/* "search.lua:4", of that field. */
void box_where(lua_State *L, char *out, size_t cap);
/* The value on top as a string, or it raises "WHAT: expected a string, got a table". */
const char *box_string(lua_State *L, const char *what);

#endif
