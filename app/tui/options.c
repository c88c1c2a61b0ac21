/* options - validation of :set, from one table. */
#include "app/tui/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

const struct option option_table[OPTS] = {
#define O(id, name, type, def, lo, hi, choices, holder, help) \
	{ name, OPT_##type, def, lo, hi, choices, OPT_##holder, help },
#include "app/tui/options.def"
#undef O
};

void options_init(struct options *o)
{
	for (int i = 0; i < OPTS; i++)
		snprintf(o->value[i], OPT_VALUE, "%s", option_table[i].def);
}

bool opt_on(const struct options *o, enum opt which)
{
	return !strcmp(o->value[which], "on");
}

double opt_num(const struct options *o, enum opt which)
{
	return strtod(o->value[which], NULL);
}

const char *opt_range(enum opt which, char *out, size_t cap)
{
	const struct option *o = &option_table[which];

	if (o->type == OPT_BOOL)
		snprintf(out, cap, "on|off");
	else if (o->type == OPT_WORD)
		snprintf(out, cap, "%s", o->choices);
	else if (o->type == OPT_TEXT)
		snprintf(out, cap, "text");
	else if (o->type == OPT_NAME)
		snprintf(out, cap, "%s|NAME", o->choices);
	else
		snprintf(out, cap, "%.10g to %.10g", o->lo, o->hi);
	return out;
}

enum st options_find(const char *name, enum opt *which, struct err *e)
{
	const char *names[OPTS + 1] = { NULL }, *near;

	for (int i = 0; i < OPTS; i++) {
		names[i] = option_table[i].name;
		if (!strcmp(names[i], name)) {
			*which = (enum opt)i;
			return ST_OK;
		}
	}
	near = text_suggest(name, names);
	if (near)
		return err_set(e, ST_INVALID, "set: no option \"%s\"; did you mean %s", name, near);
	return err_set(e, ST_INVALID, "set: no option \"%s\" (:set lists them)", name);
}

static bool is_choice(const char *choices, const char *value)
{
	for (const char *s = choices; *s;) {
		size_t n = strcspn(s, "|");

		if (strlen(value) == n && !memcmp(s, value, n))
			return true;
		s += n + (s[n] == '|');
	}
	return false;
}

static bool set_bool(char *to, const char *value)
{
	if (!strcmp(value, "toggle"))
		value = strcmp(to, "on") ? "on" : "off";
	if (!strcmp(value, "1") || !strcmp(value, "yes") || !strcmp(value, "true"))
		value = "on";
	if (!strcmp(value, "0") || !strcmp(value, "no") || !strcmp(value, "false"))
		value = "off";
	if (strcmp(value, "on") && strcmp(value, "off"))
		return false;
	snprintf(to, OPT_VALUE, "%s", value);
	return true;
}

static bool set_number(char *to, const char *value, const struct option *o)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end || !isfinite(v) || v < o->lo || v > o->hi)
		return false;
	if (o->type == OPT_INT && v != floor(v))
		return false;
	snprintf(to, OPT_VALUE, "%.10g", v);
	return true;
}

enum st options_set(struct options *o, enum opt which, const char *value, struct err *e)
{
	const struct option *opt = &option_table[which];
	char range[96];
	bool ok = true;

	if (opt->type == OPT_BOOL)
		ok = set_bool(o->value[which], value);
	else if (opt->type == OPT_INT || opt->type == OPT_NUM)
		ok = set_number(o->value[which], value, opt);
	else if (opt->type == OPT_WORD)
		ok = is_choice(opt->choices, value);
	else
		ok = strlen(value) < OPT_VALUE;
	if (!ok)
		return err_set(e, ST_INVALID, "set %s: expected %s, got \"%s\"", opt->name,
			opt_range(which, range, sizeof range), value);
	if (opt->type == OPT_WORD || opt->type == OPT_TEXT || opt->type == OPT_NAME)
		snprintf(o->value[which], OPT_VALUE, "%s", value);
	return ST_OK;
}
