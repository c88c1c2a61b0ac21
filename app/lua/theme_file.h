/* theme_file.h - reads a theme: a Lua table of roles and their colours, as data.
 *
 * Loaded as arrangements are (arrangement.h).  A colour is a name, a number of the 256, or
 * "#rrggbb"; a role is a colour, or a table {colour, bg = colour, bold = true, dim = true,
 * underline = true, reverse = true}.  ramp, diff and series may be lists.  Any thread.
 */
#ifndef BD_APP_LUA_THEME_FILE_H
#define BD_APP_LUA_THEME_FILE_H

#include "app/tui/theme.h"
#include "core/base/err.h"

/* name: unless the table has one of its own. */
BD_MUST_USE enum st theme_parse(struct theme_def *d, const char *name, const char *where,
	const char *text, size_t n, struct err *e);
BD_MUST_USE enum st theme_load(
	struct theme_def *d, const char *name, const char *path, struct err *e);

#endif
