/* sandbox_env.c - Lua as a stranger gets it: what computes, and nothing that reaches further. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "app/lua/sandbox_child.h"

enum { SUBJECT_MAX = 1 << 20, PATTERN_MAX = 256 };

/* ---- read-only tables */

static int refuse_write(lua_State *L)
{
	return luaL_error(L, "this table cannot be changed");
}

static int next_of(lua_State *L)
{
	lua_settop(L, 2);
	return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

/* pairs: the real table is never handed out. */
static int pairs_of(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushcclosure(L, next_of, 1);
	lua_pushnil(L);
	lua_pushnil(L);
	return 3;
}

void env_lock(lua_State *L)
{
	lua_newtable(L); /* stays empty */
	lua_newtable(L);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, pairs_of, 1);
	lua_setfield(L, -2, "__pairs");
	lua_pushcfunction(L, refuse_write);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	if (luaL_getmetafield(L, -3, "__call") != LUA_TNIL)
		lua_setfield(L, -2, "__call");
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

/* ---- functions in place of Lua's own */

/* A finalizer runs with hooks off: nothing but the processor's clock would end it. */
static int set_metatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (type == LUA_TTABLE) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc is not for a stranger's script (--sandbox)");
	}
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

static int collect_garbage(lua_State *L)
{
	const char *what = luaL_optstring(L, 1, "collect");

	if (strcmp(what, "count") != 0)
		return luaL_error(L, "collectgarbage: only \"count\" is for a stranger's script "
				     "(--sandbox)");
	lua_pushnumber(L, (lua_Number)child_of(L)->memory.used / 1024);
	return 1;
}

/* load(chunk, name, mode, env) with mode "t", whatever it says: nothing checks bytecode. */
static int load_text(lua_State *L)
{
	bool env = !lua_isnone(L, 4);

	lua_settop(L, env ? 4 : 3);
	lua_pushliteral(L, "t");
	lua_replace(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, env ? 4 : 3, LUA_MULTRET);
	return lua_gettop(L);
}

/* string.find and the like run in C, where no hook sees them: what they may be given is short.
 * What is still slow ends with the process. */
static int match(lua_State *L)
{
	size_t subject, pattern;

	luaL_checklstring(L, 1, &subject);
	luaL_checklstring(L, 2, &pattern);
	if (subject > SUBJECT_MAX)
		return luaL_error(L, "more than 1 MiB of text to search (--sandbox)");
	if (pattern > PATTERN_MAX && !lua_toboolean(L, 4))
		return luaL_error(
			L, "a pattern of more than %d characters (--sandbox)", PATTERN_MAX);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static void said(lua_State *L, enum sandbox_op op, const char *s, size_t n)
{
	struct wire *w = child_ask(L, op);

	wire_str(w, s, n);
	lua_pop(L, child_answer(L));
}

static int print(lua_State *L)
{
	const char *s;
	size_t len;

	state_push_line(L);
	s = lua_tolstring(L, -1, &len);
	said(L, SANDBOX_PRINT, s, len);
	return 0;
}

/* ---- the libraries */

static void forget(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
}

static void wrap(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

static void open_base(lua_State *L)
{
	static const char *const gone[] = { "dofile", "loadfile", "warn", NULL };

	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	forget(L, gone);
	wrap(L, "load", load_text);
	lua_pushcfunction(L, set_metatable);
	lua_setfield(L, -2, "setmetatable");
	lua_pushcfunction(L, collect_garbage);
	lua_setfield(L, -2, "collectgarbage");
	lua_pushcfunction(L, print);
	lua_setfield(L, -2, "print");
	lua_pop(L, 1);
}

static void open_string(lua_State *L)
{
	static const char *const searching[] = { "find", "match", "gmatch", "gsub" };
	static const char *const gone[] = { "dump", NULL };

	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	forget(L, gone);
	for (size_t i = 0; i < sizeof searching / sizeof *searching; i++)
		wrap(L, searching[i], match);
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1); /* of all strings */
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
	env_lock(L);
	lua_setglobal(L, LUA_STRLIBNAME);
}

/* Of the clock and the calendar what does no harm. */
static void open_os(lua_State *L)
{
	static const char *const kept[] = { "clock", "date", "difftime", "time" };

	luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
	lua_newtable(L);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		lua_getfield(L, -2, kept[i]);
		lua_setfield(L, -2, kept[i]);
	}
	lua_remove(L, -2);
	env_lock(L);
	lua_setglobal(L, LUA_OSLIBNAME);
}

void env_open(lua_State *L)
{
	static const luaL_Reg whole[] = { { LUA_TABLIBNAME, luaopen_table },
		{ LUA_MATHLIBNAME, luaopen_math }, { LUA_UTF8LIBNAME, luaopen_utf8 },
		{ LUA_COLIBNAME, luaopen_coroutine }, { NULL, NULL } };

	open_base(L);
	open_string(L);
	open_os(L);
	for (const luaL_Reg *r = whole; r->name; r++) {
		luaL_requiref(L, r->name, r->func, 0);
		env_lock(L);
		lua_setglobal(L, r->name);
	}
}
