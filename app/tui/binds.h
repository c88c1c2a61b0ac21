/* binds.h - keys of the user's own: of init.lua, of :bind, of a script.
 *
 * They are asked before the program's: those of the focused panel, of the screen, then those that
 * hold anywhere; of two for one key the later.  Keys that are text in an input line stay
 * text.  UI thread.
 */
#ifndef BD_APP_TUI_BINDS_H
#define BD_APP_TUI_BINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/panel/panel.h"
#include "core/base/err.h"

enum { BINDS_MAX = 128 };

struct bind {
	char context[24];   /* "global", a panel, a screen */
	struct binding key; /* its strings are owned */
};

struct binds {
	struct bind at[BINDS_MAX];
	size_t n;
};

/* keys and command as in struct binding; help NULL: the command says it.  panels: which there
 * are.  The same keys in the same context are replaced. */
BD_MUST_USE enum st binds_add(struct binds *all, const struct panel_class *const *panels,
	const char *context, const char *keys, const char *command, const char *help,
	struct err *e);
/* Takes those keys away again; false: they were not there. */
bool binds_remove(struct binds *all, const char *context, const char *keys);
void binds_release(struct binds *all);
void binds_copy(struct binds *to, const struct binds *from); /* to is empty */
/* Those that hold there, in the order they are asked; ends with a NULL.  panel, screen: NULL or ""
 * where there is none. */
void binds_here(const struct binds *all, const char *panel, const char *screen,
	struct binding out[BINDS_MAX + 1]);

#endif
