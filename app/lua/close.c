/* close.c - the end of a Lua state whose finalizers may not end.
 *
 * Lua runs finalizers with hooks off, so that nothing could stop one.  Hence each runs in a
 * coroutine at the end, where hooks work; to that end the metatables that have one are known. */
#include <lualib.h>

#include "app/lua/l.h"
#include "core/base/clock.h"

enum { HOOK_EVERY = 1000 };
static const double patience = 1; /* seconds */

static const char known_key = 'k', end_key = 'e'; /* their addresses, in the registry */

/* setmetatable, or debug.setmetatable: upvalue 1 is Lua's own. */
static int set_metatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL) {
			lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
			lua_pushvalue(L, 2);
			lua_pushboolean(L, 1);
			lua_rawset(L, -3);
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static void wrap(lua_State *L, const char *table)
{
	lua_getglobal(L, table);
	lua_getfield(L, -1, "setmetatable");
	lua_pushcclosure(L, set_metatable, 1);
	lua_setfield(L, -2, "setmetatable");
	lua_pop(L, 1);
}

void l_finalizers(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k"); /* what waits for its finalizer stays in such a table */
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &known_key);
	wrap(L, LUA_GNAME);
	wrap(L, LUA_DBLIBNAME);
}

/* ---- the end */

static bool late(lua_State *L)
{
	lua_Number end;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &end_key);
	end = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return clock_now() > end;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (!late(L))
		return;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* a pcall only wins one instruction */
	luaL_error(L, "the script has ended");
}

/* __gc: upvalue 1 is the script's. */
static int finalize(lua_State *L)
{
	lua_State *co;
	int n;

	if (late(L))
		return 0;
	co = lua_newthread(L);
	lua_sethook(co, on_count, LUA_MASKCOUNT, HOOK_EVERY);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 2);
	(void)lua_resume(co, L, 1, &n); /* an error in a finalizer is nobody's */
	return 0;
}

static int prepare(lua_State *L)
{
	lua_pushnumber(L, clock_now() + patience);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &end_key);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
	if (!lua_istable(L, -1))
		return 0;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushliteral(L, "__gc");
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, -4) == LUA_TFUNCTION) {
			lua_pushcclosure(L, finalize, 1);
			lua_rawset(L, -4);
		} else {
			lua_pop(L, 2);
		}
	}
	return 0;
}

void l_close(lua_State *L)
{
	lua_settop(L, 0);
	lua_gc(L, LUA_GCSTOP); /* none runs before it is wrapped */
	lua_sethook(L, NULL, 0, 0);
	lua_pushcfunction(L, prepare);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK)
		lua_settop(L, 0); /* no memory: they run as they are */
	lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
	lua_close(L);
}
