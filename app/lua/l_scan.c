/* l_scan.c - bitdial.scan: the damage of every linear in every format. */
#include <math.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/model/model.h"

struct l_cells {
	struct snap_map *map;
	struct snap_model *m;
};

static const struct l_class class;

static void release(void *handle)
{
	struct l_cells *c = handle;

	snap_unref(&c->map->snap);
	snap_unref(&c->m->snap);
}

static int push_cells(lua_State *L)
{
	struct snap_map *map = (struct snap_map *)(uintptr_t)l_last(L, EV_MAP);
	struct snap_model *m = (struct snap_model *)(uintptr_t)l_last(L, EV_MODEL);
	struct l_cells *c;

	if (!map || !m || map->n != m->n || map->k != m->k) {
		lua_pushnil(L);
		return 1;
	}
	c = l_new(L, &class);
	c->map = (struct snap_map *)snap_ref(&map->snap);
	c->m = (struct snap_model *)snap_ref(&m->snap);
	return 1;
}

static bool in_nats(const struct map_cell *c)
{
	return c->state == CELL_FAST || c->state == CELL_SCANNED || c->state == CELL_RUNNING;
}

static void push_cell(lua_State *L, const struct l_cells *h, size_t i, size_t f)
{
	const struct map_cell *c = &h->map->cell[i * h->map->k + f];
	char linear[32], format[FORMAT_NAME];

	lua_createtable(L, 0, 7);
	lua_pushstring(L, linear_name(i, linear));
	lua_setfield(L, -2, "linear");
	lua_pushstring(L, format_name(h->m->format[f], format));
	lua_setfield(L, -2, "format");
	lua_pushinteger(L, (lua_Integer)h->m->bytes[i * h->m->k + f]);
	lua_setfield(L, -2, "bytes");
	l_push_number(L, in_nats(c) ? (double)c->value : (double)NAN);
	lua_setfield(L, -2, "damage");
	l_push_number(L, in_nats(c) ? (double)c->se : (double)NAN);
	lua_setfield(L, -2, "se");
	lua_pushinteger(L, c->tokens);
	lua_setfield(L, -2, "tokens");
	lua_pushboolean(L, c->stale);
	lua_setfield(L, -2, "stale");
}

static int get(lua_State *L, void *handle, const char *field)
{
	const struct snap_map *m = ((struct l_cells *)handle)->map;

	if (!strcmp(field, "tostring"))
		lua_pushfstring(L, " of %d linears in %d formats", (int)m->n, (int)m->k);
	else if (!strcmp(field, "scanned"))
		lua_pushinteger(L, (lua_Integer)m->scanned);
	else if (!strcmp(field, "wanted"))
		lua_pushinteger(L, (lua_Integer)m->wanted);
	else
		lua_pushstring(L, m->text);
	return 1;
}

static const struct l_opt fields[] = {
	{ "scanned", "number", "cells that are measured on all of the text" },
	{ "wanted", "number", "cells there are to measure" },
	{ "text", "string", "what they are measured on" },
	{ NULL, NULL, NULL },
};

static int totable(lua_State *L)
{
	struct l_cells *c = l_check(L, 1, &class);

	lua_createtable(L, (int)(c->map->n * c->map->k), 0);
	for (size_t i = 0; i < c->map->n * c->map->k; i++) {
		push_cell(L, c, i / c->map->k, i % c->map->k);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int at(lua_State *L)
{
	struct l_cells *c = l_check(L, 1, &class);
	const char *linear = luaL_checkstring(L, 2), *format = luaL_checkstring(L, 3);
	char name[FORMAT_NAME > 32 ? FORMAT_NAME : 32];

	for (size_t i = 0; i < c->map->n; i++) {
		if (strcmp(linear_name(i, name), linear) != 0)
			continue;
		for (size_t f = 0; f < c->map->k; f++)
			if (!strcmp(format_name(c->m->format[f], name), format)) {
				push_cell(L, c, i, f);
				return 1;
			}
	}
	lua_pushnil(L);
	lua_pushfstring(L, "there is no cell %s %s", linear, format);
	return 2;
}

static const struct l_fn methods[] = {
	{ "at", "(linear, format) -> cell | nil, message",
		"{linear=, format=, bytes=, damage=, se=, tokens=, stale=}", at, NULL },
	{ "totable", "() -> {cell, ...}", "all of them", totable, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const struct l_class class = {
	.name = "cells",
	.help = "the damage of every linear in every format, as it was when asked",
	.method = methods,
	.field = fields,
	.get = get,
	.release = release,
	.size = sizeof(struct l_cells),
	.sandbox = "at totable",
};

/* ---- the scan */

struct want {
	const char *formats, *text;
	size_t tokens;
	bool undecided;
	uint32_t running;
};

static enum st set_formats(struct session *s, void *arg, struct err *e)
{
	return session_formats(s, arg, e);
}

static enum st set_text(struct session *s, void *arg, struct err *e)
{
	const struct want *w = arg;

	return session_text(s, w->text && strcmp(w->text, "self") ? w->text : NULL, w->tokens, e);
}

static enum st begin(struct session *s, void *arg, struct err *e)
{
	struct want *w = arg;

	return session_scan_cells(s, w->undecided, &w->running, e);
}

/* A list of names as the dial takes it: "int2g64,int4g128"; on the stack. */
static const char *formats_option(lua_State *L, int table)
{
	luaL_Buffer b;

	if (!lua_istable(L, table))
		return NULL;
	lua_getfield(L, table, "formats");
	if (!lua_istable(L, -1))
		return lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1;; i++) {
		int type = lua_rawgeti(L, table + 1, i);

		if (type == LUA_TNIL)
			break;
		if (type != LUA_TSTRING)
			luaL_error(L, "formats: expected names, got a %s", lua_typename(L, type));
		if (i > 1)
			luaL_addchar(&b, ',');
		luaL_addvalue(&b);
	}
	lua_pop(L, 1);
	luaL_pushresult(&b);
	return lua_tostring(L, -1);
}

static int run(lua_State *L)
{
	struct want w = { 0 };
	struct err e = { 0 };
	uint32_t job = 0;

	l_options(L, 1);
	lua_settop(L, 1);
	w.text = l_string(L, 1, "text", NULL);
	w.tokens = (size_t)l_whole(L, 1, "tokens", 0, 64, 65536);
	w.undecided = l_flag(L, 1, "undecided", false);
	w.formats = formats_option(L, 1);
	if (w.formats && (l_call(L, set_formats, (void *)(uintptr_t)w.formats, &job, &e) ||
				 !l_await(L, job, &e)))
		return l_fail(L, &e);
	if ((w.text || w.tokens) && (l_call(L, set_text, &w, &job, &e) || !l_await(L, job, &e)))
		return l_fail(L, &e);
	if (l_call(L, begin, &w, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "scan", w.running ? w.running : job, push_cells);
	return 1;
}

static int now(lua_State *L)
{
	l_hear(L);
	return push_cells(L);
}

static const struct l_opt options[] = {
	{ "formats", "string or list", "of the dial: {\"int2g64\", \"int4g128\"}; else as it is" },
	{ "text", "string", "a file to scan and calibrate on, or \"self\"; else as it is" },
	{ "tokens", "number", "to scan on (512)" },
	{ "undecided", "boolean",
		"goes on, on more text, to cells that the layout under the dial hangs on and that "
		"are undecided: minutes (false)" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "{formats=, text=, tokens=, undecided=} -> job | nil, message",
		"measures what is not measured yet, where a scan runs already by that one; wait() gives "
		"cells",
		run, options },
	{ "now", "() -> cells | nil", "as far as they are known", now, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_scan = {
	.name = "scan",
	.help = "the damage of every linear in every format",
	.main = "run",
	.fn = fns,
	.class = &class,
	.sandbox = "run=text now",
};
