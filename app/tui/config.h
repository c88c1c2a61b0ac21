/* config.h - what init.lua says, beside what was said on the command line.
 *
 * defaults < state < init.lua < command line.  $XDG_CONFIG_HOME/bitdial/init.lua is read once,
 * before the session is made, and never written.  A value belongs to one thread.
 */
#ifndef BD_APP_TUI_CONFIG_H
#define BD_APP_TUI_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "app/tui/binds.h"
#include "app/tui/options.h"
#include "app/tui/theme.h"
#include "core/work/session.h"

enum { CONFIG_NOTICES = 16, CONFIG_ARRANGEMENTS = 9 };

struct config {
	struct options opt; /* every option has a value */
	bool given[OPTS];   /* by init.lua or by config_override */
	bool has_theme;     /* theme{...}; its name is the value of the option */
	struct theme_def theme;
	struct binds binds;
	struct {
		char *name, *where; /* "init.lua:7" */
	} arrange[CONFIG_ARRANGEMENTS];
	size_t n_arrange;
	char *notice[CONFIG_NOTICES]; /* what was wrong */
	size_t n_notices;
};

void config_init(struct config *c);
void config_release(struct config *c);
/* NULL: the file of the user, if there is one.  What is wrong becomes a notice; what was set before
 * it holds. */
void config_load(struct config *c, const char *path, const struct panel_class *const *panels);
/* Said on the command line; NULL: not said.  The verbs check such a value themselves. */
void config_override(struct config *c, enum opt which, const char *value);
/* NULL: neither of them gave one. */
const char *config_value(const struct config *c, enum opt which);
bool config_on(const struct config *c, enum opt which, bool otherwise);

/* The options of the session that it did not get when it was made (formats, mix, scan_tokens,
 * auto_scan are in session_options). */
void config_session(struct config *c, struct session *s);
void config_sampler(const struct config *c, struct sampler_options *s); /* those that were given */

/* bitdial --default-config: every option with its default and help, some keys, a theme; a file that
 * loads, with each of its settings behind "--" and each sentence behind "-- ". */
void config_print(FILE *to);

#endif
