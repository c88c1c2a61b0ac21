/* theme_file.c - a table of themes/ into struct theme_def, with every field checked. */
#include "app/lua/theme_file.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "app/lua/box.h"
#include "app/lua/theme_table.h"
#include "app/tui/color.h"
#include "core/base/text.h"

enum { INSTRUCTIONS = 100000, MEMORY = 1 << 20 };

/* The colour on top. */
static int16_t get_color(lua_State *L, const char *what)
{
	int type = lua_type(L, -1);
	int16_t index;

	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		luaL_error(L, "%s: expected a colour, got a %s", what, luaL_typename(L, -1));
	lua_pushvalue(L, -1); /* which stays a number */
	if (!color_parse(lua_tostring(L, -1), &index))
		luaL_error(L,
			"%s: \"%s\" is no colour; expected a name (red, bright-red, grey, "
			"default), a number from 0 to 255 or \"#rrggbb\"",
			what, lua_tostring(L, -1));
	lua_pop(L, 1);
	return index;
}

static void get_attribute(lua_State *L, struct style *s, const char *role, const char *key)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} attr[] = { { "bold", ATTR_BOLD }, { "dim", ATTR_DIM }, { "underline", ATTR_UNDERLINE },
		{ "reverse", ATTR_REVERSE } };

	for (size_t i = 0; i < sizeof attr / sizeof *attr; i++) {
		if (strcmp(attr[i].name, key))
			continue;
		if (!lua_isboolean(L, -1))
			luaL_error(L, "%s: %s: expected true or false, got a %s", role, key,
				luaL_typename(L, -1));
		s->attr = (uint8_t)(lua_toboolean(L, -1) ? s->attr | attr[i].bit
							 : s->attr & ~attr[i].bit);
		return;
	}
	luaL_error(L, "%s: a role has a colour, bg, bold, dim, underline and reverse, not \"%s\"",
		role, key);
}

static struct style get_style(lua_State *L, const char *role)
{
	struct style s = { -1, -1, 0 };

	if (!lua_istable(L, -1)) {
		s.fg = get_color(L, role);
		return s;
	}
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

		if (key && !strcmp(key, "bg"))
			s.bg = get_color(L, role);
		else if (key)
			get_attribute(L, &s, role, key);
		else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1)
			s.fg = get_color(L, role);
		else
			luaL_error(L, "%s: one colour: {\"yellow\", bold = true}", role);
	}
	return s;
}

static void get_list(lua_State *L, struct theme_def *d, const char *what, int first, int n)
{
	if (!lua_istable(L, -1) || luaL_len(L, -1) != n)
		luaL_error(L, "%s: expected a list of %d colours", what, n);
	for (int i = 0; i < n; i++) {
		lua_rawgeti(L, -1, i + 1);
		d->style[first + i] = get_style(L, what);
		d->given[first + i] = true;
		lua_pop(L, 1);
	}
}

/* A role of another version, or a slip: the others are of use without it. */
static void unknown(lua_State *L, struct theme_def *d, const char *key)
{
	const char *names[ROLES + 1], *near;
	char where[64];

	if (d->left_out[0])
		return; /* the first one is told */

	memcpy(names, role_name, sizeof role_name);
	names[ROLES] = NULL;
	near = text_suggest(key, names);
	box_where(L, where, sizeof where);
	snprintf(d->left_out, sizeof d->left_out,
		"%s: a theme has no role \"%.40s\"%s%s: that line is left out", where, key,
		near ? "; did you mean " : "", near ? near : "");
}

static void get_name(lua_State *L, struct theme_def *d)
{
	const char *s = box_string(L, "name");
	size_t n = strlen(s);

	if (!n || n >= THEME_NAME || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n)
		luaL_error(L, "name: expected 1 to %d of a-z, 0-9, - and _, got \"%s\"",
			THEME_NAME - 1, s);
	snprintf(d->name, sizeof d->name, "%s", s);
}

static void get_entry(lua_State *L, struct theme_def *d, const char *key)
{
	if (!strcmp(key, "name")) {
		get_name(L, d);
	} else if (!strcmp(key, "background")) {
		const char *s = box_string(L, key);

		if (strcmp(s, "dark") && strcmp(s, "light"))
			luaL_error(L, "background: expected \"dark\" or \"light\", got \"%s\"", s);
		d->background = strcmp(s, "dark") ? THEME_FOR_LIGHT : THEME_FOR_DARK;
	} else if (!strcmp(key, "ramp")) {
		get_list(L, d, key, ROLE_RAMP0, 8);
	} else if (!strcmp(key, "diff")) {
		get_list(L, d, key, ROLE_DIFF0, 8);
	} else if (!strcmp(key, "series")) {
		get_list(L, d, key, ROLE_SERIES0, 7);
	} else {
		int role = 0;

		while (role < ROLES && strcmp(role_name[role], key))
			role++;
		if (role == ROLES) {
			unknown(L, d, key);
			return;
		}
		d->style[role] = get_style(L, key);
		d->given[role] = true;
	}
}

void theme_table(lua_State *L, struct theme_def *d)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "a theme is a table, got a %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a theme has roles by their names: text = \"default\"");
		box_at(L, lua_tostring(L, -2));
		get_entry(L, d, lua_tostring(L, -2));
	}
}

static void take(lua_State *L, void *arg)
{
	theme_table(L, arg);
}

static struct box box_of(struct theme_def *got, const char *name, const char *where)
{
	*got = (struct theme_def){ 0 };
	snprintf(got->name, sizeof got->name, "%s", name);
	return (struct box){ .where = where,
		.what = "a theme is data",
		.memory = MEMORY,
		.instructions = INSTRUCTIONS,
		.result = take,
		.arg = got };
}

enum st theme_parse(struct theme_def *d, const char *name, const char *where, const char *text,
	size_t n, struct err *e)
{
	struct theme_def got;
	struct box b = box_of(&got, name, where);
	enum st st = box_run(&b, text, n, e);

	if (!st)
		*d = got;
	return st;
}

enum st theme_load(struct theme_def *d, const char *name, const char *path, struct err *e)
{
	struct theme_def got;
	struct box b = box_of(&got, name, path);
	enum st st = box_run_file(&b, path, e);

	if (!st)
		*d = got;
	return st;
}
