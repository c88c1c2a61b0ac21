/* arrangement.h - reads a file of layouts/: a Lua table, as data.
 *
 * Loaded as text in an empty environment with a limit on instructions and memory, in a
 * Lua state of its own that is closed before the call returns.  Any thread.
 */
#ifndef BD_APP_LUA_ARRANGEMENT_H
#define BD_APP_LUA_ARRANGEMENT_H

#include "app/tui/arrange.h"
#include "core/base/err.h"

/* where: the file's name for messages ("search.lua:4: ..."). */
BD_MUST_USE enum st arrangement_parse(
	struct arrangement *a, const char *where, const char *text, size_t n, struct err *e);
BD_MUST_USE enum st arrangement_load(struct arrangement *a, const char *path, struct err *e);
/* The text of a file that describes it; xfree. */
char *arrangement_text(const struct arrangement *a);
bool arrangement_name_ok(const char *s); /* lower-case letters, digits, - and _; not too long */

#endif
