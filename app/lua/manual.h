/* manual.h - the reference of the Lua modules, made from their own tables.  Any thread. */
#ifndef BD_APP_LUA_MANUAL_H
#define BD_APP_LUA_MANUAL_H

#include <stdio.h>

/* All of it as plain text, or what one module or handle is ("scan", "layout"); false: there is no
 * such topic, and nothing was written. */
_Bool lua_manual(FILE *to, const char *topic);

#endif
