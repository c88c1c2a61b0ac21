/* theme_table.h - a theme from the table on top of a Lua stack; for files of app/lua. */
#ifndef BD_APP_LUA_THEME_TABLE_H
#define BD_APP_LUA_THEME_TABLE_H

#include <lua.h>

#include "app/tui/theme.h"

/* Raises where it is none; d was zeroed, or has a name already. */
void theme_table(lua_State *L, struct theme_def *d);

#endif
