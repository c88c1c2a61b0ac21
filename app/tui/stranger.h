/* stranger.h - which lines of the command line a stranger's script may type (--sandbox).
 * As host_set_allowed wants it; arg is not used.  Any thread. */
#ifndef BD_APP_TUI_STRANGER_H
#define BD_APP_TUI_STRANGER_H

#include "core/base/err.h"

BD_MUST_USE enum st stranger_may(void *arg, const char *line, struct err *e);

#endif
