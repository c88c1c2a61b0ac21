/* config - see config.h. */
#include "app/tui/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/lua/init_file.h"
#include "app/tui/themes.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

struct load {
	struct config *c;
	const struct panel_class *const *panels;
};

void config_init(struct config *c)
{
	*c = (struct config){ 0 };
	options_init(&c->opt);
}

void config_release(struct config *c)
{
	binds_release(&c->binds);
	for (size_t i = 0; i < c->n_arrange; i++) {
		xfree(c->arrange[i].name);
		xfree(c->arrange[i].where);
	}
	for (size_t i = 0; i < c->n_notices; i++)
		xfree(c->notice[i]);
	c->n_arrange = c->n_notices = 0;
}

static void complain(struct config *c, const char *text)
{
	if (c->n_notices < CONFIG_NOTICES)
		c->notice[c->n_notices++] = xstrdup(text);
}

/* ---- what the file says */

static enum st is_theme(struct config *c, const char *name, struct err *e)
{
	struct theme_def def;
	bool file;
	enum st st;

	if (c->has_theme && !strcmp(c->theme.name, name))
		return ST_OK;
	st = themes_find(&def, &file, name, e);
	if (!st && file && def.left_out[0])
		complain(c, def.left_out);
	return st;
}

static enum st set_theme(void *arg, const char *name, struct err *e)
{
	struct config *c = ((struct load *)arg)->c;
	enum st st = is_theme(c, name, e);

	if (st)
		return err_at(e, st, "theme");
	snprintf(c->opt.value[OPT_THEME], OPT_VALUE, "%s", name);
	c->given[OPT_THEME] = true;
	return ST_OK;
}

static void set_theme_table(void *arg, const struct theme_def *def)
{
	struct config *c = ((struct load *)arg)->c;

	c->theme = *def;
	if (def->left_out[0])
		complain(c, def->left_out);
	c->has_theme = c->given[OPT_THEME] = true;
	snprintf(c->opt.value[OPT_THEME], OPT_VALUE, "%s", def->name);
}

/* What the table of options cannot see. */
static enum st check_value(enum opt which, const char *value, struct err *e)
{
	struct format f[FORMAT_MAX];
	size_t n;

	if (which == OPT_FORMATS && strcmp(value, "default"))
		return format_list(f, &n, value, e);
	if (which == OPT_SOURCE && strcmp(value, "all"))
		return err_set(e, ST_INVALID,
			"set source: the texts are not known yet; all is what the map begins with");
	return ST_OK;
}

static enum st set(void *arg, const char *name, const char *value, struct err *e)
{
	struct config *c = ((struct load *)arg)->c;
	enum opt which;
	enum st st = options_find(name, &which, e);

	if (st)
		return st;
	if (which == OPT_THEME)
		return set_theme(arg, value, e);
	st = check_value(which, value, e);
	if (!st)
		st = options_set(&c->opt, which, value, e);
	c->given[which] |= !st;
	return st;
}

static enum st bind(void *arg, const char *context, const char *keys, const char *command,
	const char *help, struct err *e)
{
	struct load *l = arg;

	return binds_add(&l->c->binds, l->panels, context, keys, command, help, e);
}

static enum st arrange_by(void *arg, const char *name, const char *where, struct err *e)
{
	struct config *c = ((struct load *)arg)->c;

	if (c->n_arrange == CONFIG_ARRANGEMENTS)
		return err_set(e, ST_INVALID, "arrange: one for a screen, %d at most",
			CONFIG_ARRANGEMENTS);
	c->arrange[c->n_arrange].name = xstrdup(name);
	c->arrange[c->n_arrange++].where = xstrdup(where);
	return ST_OK;
}

void config_load(struct config *c, const char *path, const struct panel_class *const *panels)
{
	struct load l = { c, panels };
	struct init_face f = { .set = set,
		.bind = bind,
		.theme = set_theme,
		.theme_table = set_theme_table,
		.arrange = arrange_by,
		.arg = &l };
	char *dir = fs_place(FS_CONFIG), *own = xprintf("%s/init.lua", dir);
	struct err e = { 0 };

	if (!path)
		path = own;
	if ((path != own || fs_is_there(own)) && init_file_load(path, &f, &e))
		complain(c, e.msg);
	xfree(own);
	xfree(dir);
}

/* ---- what comes of it */

void config_override(struct config *c, enum opt which, const char *value)
{
	if (!value)
		return;
	snprintf(c->opt.value[which], OPT_VALUE, "%s", value);
	c->given[which] = true;
}

const char *config_value(const struct config *c, enum opt which)
{
	return c->given[which] ? c->opt.value[which] : NULL;
}

bool config_on(const struct config *c, enum opt which, bool otherwise)
{
	return c->given[which] ? opt_on(&c->opt, which) : otherwise;
}

void config_session(struct config *c, struct session *s)
{
	for (int i = 0; i < OPTS; i++) {
		struct err e = { 0 };

		if (!c->given[i] || option_table[i].holder != OPT_SESSION || i == OPT_FORMATS ||
			i == OPT_MIX || i == OPT_SCAN_TOKENS || i == OPT_AUTO_SCAN)
			continue;
		if (session_set(s, option_table[i].name, c->opt.value[i], &e)) {
			char *text = xprintf("init.lua: %s", e.msg);

			complain(c, text);
			xfree(text);
		}
	}
}

void config_sampler(const struct config *c, struct sampler_options *s)
{
	const struct options *o = &c->opt;

	if (c->given[OPT_TEMPERATURE])
		s->temperature = opt_num(o, OPT_TEMPERATURE);
	if (c->given[OPT_TOP_K])
		s->top_k = (int)opt_num(o, OPT_TOP_K);
	if (c->given[OPT_TOP_P])
		s->top_p = opt_num(o, OPT_TOP_P);
	if (c->given[OPT_MIN_P])
		s->min_p = opt_num(o, OPT_MIN_P);
	if (c->given[OPT_REPEAT_PENALTY])
		s->repeat_penalty = opt_num(o, OPT_REPEAT_PENALTY);
	if (c->given[OPT_REPEAT_LAST])
		s->repeat_last = (int)opt_num(o, OPT_REPEAT_LAST);
	if (c->given[OPT_SEED])
		s->seed = (uint64_t)opt_num(o, OPT_SEED);
}

/* ---- bitdial --default-config */

static void print_value(FILE *to, const struct option *o)
{
	if (o->type == OPT_BOOL)
		fprintf(to, "%s", strcmp(o->def, "on") ? "false" : "true");
	else if (o->type == OPT_INT || o->type == OPT_NUM)
		fprintf(to, "%s", o->def);
	else
		fprintf(to, "\"%s\"", *o->def ? o->def : "default");
}

void config_print(FILE *to)
{
	char range[96];

	fprintf(to, "-- init.lua - settings of bitdial, in Lua.  Save as\n"
		    "-- $XDG_CONFIG_HOME/bitdial/init.lua (~/.config/bitdial/init.lua); bitdial "
		    "reads it at its\n"
		    "-- start and never writes it.  Take the -- away before what you want "
		    "otherwise.  The\n"
		    "-- command line has the last word; --no-config starts without this file.\n\n"
		    "-- What :set sets, with the defaults.\n\n");
	for (int i = 0; i < OPTS; i++) {
		const struct option *o = &option_table[i];

		fprintf(to, "-- %s (%s)\n--set(\"%s\", ", o->help,
			opt_range((enum opt)i, range, sizeof range), o->name);
		print_value(to, o);
		fprintf(to, ")\n");
	}
	fprintf(to,
		"\n-- Keys: where, which, what `:` would run, and what ? says of it.  Where is "
		"global, a\n"
		"-- screen (search, chat) or a panel (heatmap, slider, ...).  A key is a character "
		"or\n"
		"-- Enter Esc Tab Space Del Up PgUp F1 ..., with C- (Ctrl), M- (Alt) or S- (Shift) "
		"before\n"
		"-- it.  Yours go before the program's.\n\n"
		"--bind(\"global\", \"F5\", \"measure\", \"measure this layout\")\n"
		"--bind(\"search\", \"F6\", \"budget 4.25; measure\")\n"
		"--bind(\"heatmap\", \"M-v\", \"pin layers.*.v 4\", \"every v in four bits\")\n\n"
		"-- Which arrangement of panels a screen begins with.\n\n"
		"--arrange \"search\"\n\n"
		"-- A theme by its name (bitdial doctor --colors shows them), or one of your own: "
		"roles and\n"
		"-- their colours, which are names, numbers of the 256 or \"#rrggbb\".  What is "
		"not named is\n"
		"-- as in the default theme.\n\n"
		"--theme \"dark\"\n"
		"--theme {\n"
		"--  name = \"mine\", background = \"dark\",\n"
		"--  accent = \"#5fd7d7\",\n"
		"--  warn = { \"yellow\", bold = true },\n"
		"--  sel = { 231, bg = 24 },\n"
		"--}\n");
}
