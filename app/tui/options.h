/* options.h - the table behind :set, and its values in this sitting.
 *
 * A value is kept as its text, validated and in one spelling ("on", "0.7").  UI thread.
 */
#ifndef BD_APP_TUI_OPTIONS_H
#define BD_APP_TUI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

enum opt {
#define O(id, name, type, def, lo, hi, choices, holder, help) OPT_##id,
#include "app/tui/options.def"
#undef O
	OPTS
};

enum opt_type { OPT_BOOL, OPT_INT, OPT_NUM, OPT_WORD, OPT_TEXT, OPT_NAME };
enum opt_holder { OPT_SESSION, OPT_SAMPLER, OPT_SCREEN };
enum { OPT_VALUE = 128 };

struct option {
	const char *name;
	enum opt_type type;
	const char *def;
	double lo, hi;
	const char *choices; /* "a|b|c"; of a NAME those that are always there */
	enum opt_holder holder;
	const char *help;
};
extern const struct option option_table[OPTS];

struct options {
	char value[OPTS][OPT_VALUE];
};

void options_init(struct options *o);
BD_MUST_USE enum st options_find(const char *name, enum opt *which, struct err *e);
/* value "toggle" turns a switch round. */
BD_MUST_USE enum st options_set(
	struct options *o, enum opt which, const char *value, struct err *e);
bool opt_on(const struct options *o, enum opt which);
double opt_num(const struct options *o, enum opt which);
/* "on|off", "0 to 10", "auto|always|never" */
const char *opt_range(enum opt which, char *out, size_t cap);

#endif
