/* arrangement - a table of layouts/ into struct arrangement, with every field checked. */
#include "app/lua/arrangement.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "app/lua/box.h"
#include "core/base/alloc.h"

enum { INSTRUCTIONS = 100000, MEMORY = 1 << 20, LINES_MAX = 500 };

/* ---- fields; errors are raised and caught by the one pcall */

static int get_int(lua_State *L, int at, const char *what, int lo, int hi)
{
	int ok;
	lua_Integer v = lua_tointegerx(L, at, &ok);

	if (lua_type(L, at) != LUA_TNUMBER || !ok || v < lo || v > hi)
		luaL_error(L, "%s: expected a whole number from %d to %d, got %s", what, lo, hi,
			luaL_tolstring(L, at, NULL));
	return (int)v;
}

static const char *get_str(lua_State *L, int at, const char *what)
{
	if (lua_type(L, at) != LUA_TSTRING)
		luaL_error(L, "%s: expected a string, got a %s", what, luaL_typename(L, at));
	return lua_tostring(L, at);
}

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

bool arrangement_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n < ARR_NAME && strspn(s, name_chars) == n;
}

static void get_name(lua_State *L, char out[ARR_NAME], const char *s, size_t n)
{
	if (!n || n >= ARR_NAME)
		luaL_error(L, "\"%s\": a name has 1 to %d characters", s, ARR_NAME - 1);
	for (size_t i = 0; i < n; i++)
		if (!strchr(name_chars, s[i]) || !s[i])
			luaL_error(L, "\"%s\": names are lower-case letters, digits, - and _", s);
	memcpy(out, s, n);
	out[n] = 0;
}

static void get_panel(lua_State *L, struct arr_panel *p, const char *s)
{
	const char *colon = strchr(s, ':');
	char *end;

	get_name(L, p->name, s, colon ? (size_t)(colon - s) : strlen(s));
	if (!colon)
		return;
	p->weight = strtod(colon + 1, &end);
	if (*end || end == colon + 1 || !(p->weight > 0 && p->weight < 1))
		luaL_error(L, "\"%s\": a weight is between 0 and 1, as in \"heatmap:0.68\"", s);
}

static void get_row(lua_State *L, struct arr_row *row)
{
	bool has_h = false;

	if (!lua_istable(L, -1))
		luaL_error(L, "a row is a table, got a %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TNUMBER)
			continue;
		if (lua_type(L, -2) == LUA_TSTRING && !strcmp(lua_tostring(L, -2), "h")) {
			has_h = true;
			if (lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "*"))
				row->h = 0;
			else
				row->h = get_int(L, -1, "h (lines, or \"*\")", 1, LINES_MAX);
		} else if (lua_type(L, -2) == LUA_TSTRING && !strcmp(lua_tostring(L, -2), "drop")) {
			row->drop = get_int(L, -1, "drop", 1, 99);
		} else {
			luaL_error(L, "a row has h, drop and panels, not \"%s\"",
				luaL_tolstring(L, -2, NULL));
		}
	}
	if (!has_h)
		luaL_error(L, "a row needs h (lines, or \"*\")");
	for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
		if (row->n == ARR_PANELS)
			luaL_error(L, "a row holds at most %d panels", ARR_PANELS);
		get_panel(L, &row->panel[row->n++], get_str(L, -1, "panel"));
	}
	lua_pop(L, 1);
	if (!row->n)
		luaL_error(L, "a row needs a panel");
}

static void get_rows(lua_State *L, struct arr_rows *rows, const char *what)
{
	for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
		if (rows->n == ARR_ROWS)
			luaL_error(L, "%s: at most %d rows", what, ARR_ROWS);
		get_row(L, &rows->row[rows->n++]);
	}
	lua_pop(L, 1);
	if (!rows->n)
		luaL_error(L, "%s has no rows", what);
}

static void get_arrangement(lua_State *L, struct arrangement *a)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "the file must return a table, got a %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

		if (lua_type(L, -2) == LUA_TNUMBER)
			continue;
		if (key && !strcmp(key, "name")) {
			const char *s = get_str(L, -1, "name");

			get_name(L, a->name, s, strlen(s));
		} else if (key && !strcmp(key, "key")) {
			const char *s = get_str(L, -1, "key");

			if (s[0] < '1' || s[0] > '9' || s[1])
				luaL_error(L, "key: expected \"1\" to \"9\", got \"%s\"", s);
			a->key = s[0];
		} else if (key && !strcmp(key, "narrow")) {
			if (!lua_istable(L, -1))
				luaL_error(L, "narrow: expected a table, got a %s",
					luaL_typename(L, -1));
			get_rows(L, &a->narrow, "narrow");
		} else {
			luaL_error(L, "an arrangement has name, key, narrow and rows, not \"%s\"",
				luaL_tolstring(L, -2, NULL));
		}
	}
	if (!a->name[0] || !a->key)
		luaL_error(L, "an arrangement needs name and key");
	get_rows(L, &a->wide, "the arrangement");
}

static void take(lua_State *L, void *arg)
{
	get_arrangement(L, arg);
}

static struct box box_of(struct arrangement *got, const char *where)
{
	return (struct box){ .where = where,
		.what = "an arrangement is data",
		.memory = MEMORY,
		.instructions = INSTRUCTIONS,
		.result = take,
		.arg = got };
}

enum st arrangement_parse(
	struct arrangement *a, const char *where, const char *text, size_t n, struct err *e)
{
	struct arrangement got = { 0 };
	struct box b = box_of(&got, where);
	enum st st = box_run(&b, text, n, e);

	if (!st)
		*a = got;
	return st;
}

enum st arrangement_load(struct arrangement *a, const char *path, struct err *e)
{
	struct arrangement got = { 0 };
	struct box b = box_of(&got, path);
	enum st st = box_run_file(&b, path, e);

	if (!st)
		*a = got;
	return st;
}

/* ---- the other way */

enum { TEXT_MAX = 2 * ARR_ROWS * (ARR_PANELS * (ARR_NAME + 16) + 64) + 512 };

struct text {
	char *s;
	size_t n;
};

static void put(struct text *o, const char *fmt, ...) BD_PRINTF(2, 3);
static void put(struct text *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	o->n += (size_t)vsnprintf(o->s + o->n, TEXT_MAX - o->n, fmt, ap);
	va_end(ap);
}

static void put_rows(struct text *o, const struct arr_rows *rows, const char *indent)
{
	for (int i = 0; i < rows->n; i++) {
		const struct arr_row *r = &rows->row[i];

		put(o, "%s{ h = ", indent);
		if (r->h)
			put(o, "%d", r->h);
		else
			put(o, "\"*\"");
		for (int k = 0; k < r->n; k++) {
			put(o, ", \"%s", r->panel[k].name);
			if (r->panel[k].weight > 0)
				put(o, ":%.4g", r->panel[k].weight);
			put(o, "\"");
		}
		if (r->drop)
			put(o, ", drop = %d", r->drop);
		put(o, " },\n");
	}
}

char *arrangement_text(const struct arrangement *a)
{
	struct text o = { xalloc(TEXT_MAX), 0 };

	put(&o,
		"-- h: height in lines, \"*\" takes what is left; \"panel:weight\" is a share of the\n"
		"-- width, the rest share what is left; the row with the lowest drop leaves first.\n"
		"return {\n  name = \"%s\", key = \"%c\",\n",
		a->name, a->key);
	put_rows(&o, &a->wide, "  ");
	if (a->narrow.n) {
		put(&o, "  narrow = {                                     -- used below %d columns\n",
			ARR_NARROW);
		put_rows(&o, &a->narrow, "    ");
		put(&o, "  },\n");
	}
	put(&o, "}\n");
	return o.s;
}
