/* themes.h - themes by their names: the user's files, the installed ones, those compiled in.
 *
 * NAME is $XDG_CONFIG_HOME/bitdial/themes/NAME.lua, else themes/NAME.lua of what comes with it,
 * else one of theme_names.  Reads files; any thread.
 */
#ifndef BD_APP_TUI_THEMES_H
#define BD_APP_TUI_THEMES_H

#include <stdbool.h>

#include "app/tui/theme.h"
#include "core/base/err.h"

/* *file false: it is compiled in, and d is left alone.  A broken file is an error that names it
 * with its line; a name there is no theme of, one with the nearest. */
BD_MUST_USE enum st themes_find(struct theme_def *d, bool *file, const char *name, struct err *e);
/* Each name once, those compiled in first; where: "built in", or the file's path. */
void themes_each(void (*fn)(void *arg, const char *name, const char *where), void *arg);

#endif
