/* init_file.c - see init_file.h. */
#include "app/lua/init_file.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "app/lua/box.h"
#include "app/lua/theme_table.h"

enum { INSTRUCTIONS = 1000000, MEMORY = 4 << 20 };

static const struct init_face *face(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* Nothing if all is well; else the sentence, with the line of the file that called. */
static int told(lua_State *L, enum st st, const struct err *e)
{
	return st ? luaL_error(L, "%s", e->msg) : 0;
}

/* true is "on"; a list is its values with commas between them. */
static const char *value_of(lua_State *L, int at)
{
	luaL_Buffer b;

	if (lua_isboolean(L, at))
		return lua_toboolean(L, at) ? "on" : "off";
	if (lua_type(L, at) == LUA_TNUMBER || lua_type(L, at) == LUA_TSTRING)
		return lua_tostring(L, at);
	if (!lua_istable(L, at)) {
		luaL_error(L, "set: expected a value, got %s", luaL_typename(L, at));
		return NULL;
	}
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; lua_rawgeti(L, at, i) != LUA_TNIL; i++) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "set: expected a list of words");
		if (i > 1) {
			lua_pushliteral(L, ",");
			lua_insert(L, -2);
			lua_concat(L, 2);
		}
		luaL_addvalue(&b);
	}
	lua_pop(L, 1);
	luaL_pushresult(&b);
	return lua_tostring(L, -1);
}

static int do_set(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *value = value_of(L, 2);
	struct err e = { 0 };

	return told(L, face(L)->set(face(L)->arg, name, value, &e), &e);
}

static int do_bind(lua_State *L)
{
	const char *context = luaL_checkstring(L, 1), *keys = luaL_checkstring(L, 2),
		   *command = luaL_checkstring(L, 3), *help = luaL_optstring(L, 4, NULL);
	struct err e = { 0 };

	return told(L, face(L)->bind(face(L)->arg, context, keys, command, help, &e), &e);
}

static int do_theme(lua_State *L)
{
	struct theme_def def = { .name = "init" };
	struct err e = { 0 };

	if (lua_type(L, 1) == LUA_TSTRING)
		return told(L, face(L)->theme(face(L)->arg, lua_tostring(L, 1), &e), &e);
	lua_settop(L, 1);
	theme_table(L, &def);
	face(L)->theme_table(face(L)->arg, &def);
	return 0;
}

static int do_arrange(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *where;
	struct err e = { 0 };

	luaL_where(L, 1); /* "init.lua:7: " */
	lua_pushlstring(L, lua_tostring(L, -1), lua_rawlen(L, -1) > 2 ? lua_rawlen(L, -1) - 2 : 0);
	where = lua_tostring(L, -1);
	return told(L, face(L)->arrange(face(L)->arg, name, where, &e), &e);
}

/* ---- the environment, on top of the stack */

static const char *const from_base[] = { "ipairs", "pairs", "type", "tostring", "tonumber", NULL };
static const char *const from_string[] = { "byte", "char", "format", "len", "lower", "reverse",
	"sub", "upper", NULL };
static const char *const from_table[] = { "concat", "insert", "pack", "remove", "sort", "unpack",
	NULL };

/* Copies words of the table on top into the one below it. */
static void copy(lua_State *L, const char *const *words)
{
	for (; *words; words++) {
		lua_getfield(L, -1, *words);
		lua_setfield(L, -3, *words);
	}
}

static void part(lua_State *L, const char *name, lua_CFunction open, const char *const *words)
{
	lua_newtable(L);
	luaL_requiref(L, name, open, 0);
	copy(L, words);
	lua_pop(L, 1);
	lua_setfield(L, -2, name);
}

/* ("x"):upper() finds what string has here. */
static void string_methods(lua_State *L)
{
	lua_pushliteral(L, "");
	if (lua_getmetatable(L, -1)) {
		lua_getfield(L, -3, "string");
		lua_setfield(L, -2, "__index");
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void environment(lua_State *L, void *arg)
{
	static const luaL_Reg ours[] = { { "set", do_set }, { "bind", do_bind },
		{ "theme", do_theme }, { "arrange", do_arrange }, { NULL, NULL } };

	luaL_requiref(L, "_G", luaopen_base, 0);
	copy(L, from_base);
	lua_pop(L, 1);
	part(L, "string", luaopen_string, from_string);
	part(L, "table", luaopen_table, from_table);
	luaL_requiref(L, "math", luaopen_math, 0);
	lua_setfield(L, -2, "math");
	string_methods(L);
	for (const luaL_Reg *f = ours; f->name; f++) {
		lua_pushlightuserdata(L, arg);
		lua_pushcclosure(L, f->func, 1);
		lua_setfield(L, -2, f->name);
	}
}

static struct box box_of(const char *where, const struct init_face *f)
{
	return (struct box){ .where = where,
		.what = "settings are soon said",
		.memory = MEMORY,
		.instructions = INSTRUCTIONS,
		.environment = environment,
		.arg = (void *)(uintptr_t)f };
}

enum st init_file_run(
	const char *where, const char *text, size_t n, const struct init_face *f, struct err *e)
{
	struct box b = box_of(where, f);

	return box_run(&b, text, n, e);
}

enum st init_file_load(const char *path, const struct init_face *f, struct err *e)
{
	struct box b = box_of(path, f);

	return box_run_file(&b, path, e);
}
