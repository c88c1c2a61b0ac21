/* manual.h - the reference of the Lua modules, made from their own tables.  Any thread. */
#ifndef BD_APP_LUA_MANUAL_H
#define BD_APP_LUA_MANUAL_H

#include <stddef.h>
#include <stdio.h>

/* All of it as plain text, or what one module, handle or
 * function is ("scan", "layout", "search.run", "layout:write"); false: there is no
 * such topic, and nothing was written. */
_Bool lua_manual(FILE *to, const char *topic);
/* The names of modules and handles, NULL behind the last; cap of them at most, with it. */
void lua_manual_topics(const char **names, size_t cap);
/* All of it as a manual page, bitdial-lua(3), in mdoc. */
void lua_manual_page(FILE *to);

#endif
