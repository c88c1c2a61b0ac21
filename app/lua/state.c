/* state.c - see state.h. */
#include "app/lua/state.h"

#include <lauxlib.h>
#include <stdlib.h>

void *state_alloc(void *ud, void *p, size_t old, size_t now)
{
	struct state_memory *m = ud;
	void *q;

	if (!p)
		old = 0; /* then it is a kind of object, not a size */
	if (!now) {
		m->used -= old;
		free(p);
		return NULL;
	}
	if (now > old && now - old > m->most - m->used)
		return NULL;
	q = realloc(p, now);
	if (q)
		m->used = m->used - old + now;
	return q;
}

int state_traceback(lua_State *L)
{
	const char *msg = lua_tostring(L, 1);

	if (!msg && luaL_callmeta(L, 1, "__tostring"))
		msg = lua_tostring(L, -1);
	luaL_traceback(L, L, msg ? msg : "(an error that is no text)", 1);
	return 1;
}

void state_push_line(lua_State *L)
{
	luaL_Buffer b;
	int n = lua_gettop(L);

	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		luaL_tolstring(L, i, NULL);
		if (i > 1) {
			lua_pushliteral(L, "\t");
			lua_insert(L, -2);
			lua_concat(L, 2);
		}
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
}

/* bitdial.scan{...} is bitdial.scan.run{...}: the module itself is the first argument. */
static int call_main(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_replace(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

void state_callable(lua_State *L, const char *name)
{
	lua_newtable(L);
	lua_getfield(L, -2, name);
	lua_pushcclosure(L, call_main, 1);
	lua_setfield(L, -2, "__call");
	lua_setmetatable(L, -2);
}
