/* open.c - the table of modules, and what they hang on. */
#include <string.h>

#include "app/lua/l.h"

extern const struct l_module l_models, l_scan, l_search, l_layout, l_measure, l_chat, l_run, l_plot, l_data, l_kernels, l_cmd;

const struct l_module *const l_modules[] = {
	&l_models,
	&l_scan,
	&l_search,
	&l_layout,
	&l_measure,
	&l_chat,
	&l_run,
	&l_plot,
	&l_data,
	&l_kernels,
	&l_cmd,
	NULL,
};

static void push_fn(lua_State *L, const struct l_fn *f)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)f);
	lua_pushcclosure(L, f->fn, 1);
}

/* bitdial.scan{...} is bitdial.scan.run{...}: the module itself is the first argument. */
static int call_main(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_replace(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static void push_module(lua_State *L, const struct l_module *m)
{
	lua_newtable(L);
	for (size_t i = 0; m->fn[i].name; i++) {
		push_fn(L, &m->fn[i]);
		lua_setfield(L, -2, m->fn[i].name);
	}
	if (!m->main)
		return;
	lua_newtable(L);
	lua_getfield(L, -2, m->main);
	lua_pushcclosure(L, call_main, 1);
	lua_setfield(L, -2, "__call");
	lua_setmetatable(L, -2);
}

/* ---- bitdial itself */

/* A goal of the script: where it is missed the script goes on, and exits with 3. */
static int base_expect(lua_State *L)
{
	struct l_ctx *c = l_ctx(L);
	const struct host_face *f = host_face(c->host);
	bool met = lua_toboolean(L, 1);

	if (!met) {
		c->missed++;
		if (f->notice)
			f->notice(f->arg, luaL_optstring(L, 2, "a goal of the script was missed"));
	}
	lua_pushboolean(L, met);
	return 1;
}

static int base_notice(lua_State *L)
{
	const struct host_face *f = host_face(l_ctx(L)->host);
	int n = lua_gettop(L);

	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	lua_insert(L, 1);
	lua_pop(L, 1);
	lua_call(L, n, 1);
	if (f->notice)
		f->notice(f->arg, lua_tostring(L, -1));
	return 0;
}

static const struct l_fn base[] = {
	{ "expect", "(value, message)", "a goal: where value is false or nil the exit status is 3",
		base_expect, NULL },
	{ "notice", "(format, ...)", "a line for the person, as string.format", base_notice, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_base = { .name = "", .help = "", .fn = base };

static int preloaded(lua_State *L)
{
	lua_getglobal(L, "bitdial");
	return 1;
}

void l_open(lua_State *L)
{
	push_module(L, &l_base);
	for (size_t i = 0; l_modules[i]; i++) {
		push_module(L, l_modules[i]);
		lua_setfield(L, -2, l_modules[i]->name);
	}
	lua_getfield(L, -1, "models");
	lua_getfield(L, -1, "open");
	lua_setfield(L, -3, "open"); /* what every script begins with */
	lua_pop(L, 1);
	lua_pushliteral(L, BD_VERSION);
	lua_setfield(L, -2, "version");
	lua_setglobal(L, "bitdial");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, preloaded);
	lua_setfield(L, -2, "bitdial");
	lua_pop(L, 1);
}
