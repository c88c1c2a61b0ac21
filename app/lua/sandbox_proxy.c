/* sandbox_proxy.c - `bitdial` for a stranger: functions that ask the program, handles that are
 * numbers to it.  What may be asked for is decided at the other end; this one only says so early.
 */
#include <lauxlib.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/sandbox_child.h"

struct proxy {
	uint32_t id;
	const struct l_class *class;
	bool closed;
};

static struct proxy *proxy_at(lua_State *L, int at, const struct l_class *c)
{
	struct proxy *p = luaL_checkudata(L, at, c->name);

	if (p->closed)
		luaL_error(L, "this %s was closed", c->name);
	return p;
}

static const struct l_class *class_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- handles in messages */

static bool put_handle(lua_State *L, struct wire *w, int at, void *arg)
{
	const struct l_class *c;

	(void)arg;
	for (unsigned i = 0; (c = l_class_number(i)) != NULL; i++) {
		struct proxy *p = luaL_testudata(L, at, c->name);

		if (!p)
			continue;
		wire_u32(w, proxy_at(L, at, c)->id);
		return true;
	}
	return false;
}

static void push_proxy(lua_State *L, uint32_t id, const struct l_class *c);

static void get_handle(lua_State *L, struct wire_in *in, void *arg)
{
	uint32_t id = wire_get_u32(in);
	const struct l_class *c = l_class_number(wire_get_u8(in));

	(void)arg;
	if (in->bad || !c)
		in->bad = true;
	else
		push_proxy(L, id, c);
}

const struct wire_handles proxy_handles = { put_handle, get_handle, NULL };

static void put_values(lua_State *L, struct wire *w, int from)
{
	int n = lua_gettop(L) - from + 1;

	if (n > SANDBOX_ARGS)
		luaL_error(L, "too many arguments");
	wire_u8(w, (unsigned)(n > 0 ? n : 0));
	for (int i = from; i < from + n; i++)
		wire_put_value(L, w, i, &proxy_handles);
}

/* ---- handles */

/* The program hears of it with what is asked next: within the collector nothing can be sent. */
static int drop(lua_State *L)
{
	struct proxy *p = luaL_checkudata(L, 1, class_of(L)->name);
	struct child *c = child_of(L);

	if (!p->closed && c->n_dropped < SANDBOX_HANDLES)
		c->dropped[c->n_dropped++] = p->id;
	p->closed = true;
	return 0;
}

static int proxy_tostring(lua_State *L)
{
	const struct l_class *c = class_of(L);
	struct proxy *p = luaL_checkudata(L, 1, c->name);

	if (p->closed) {
		lua_pushfstring(L, "%s (closed)", c->name);
		return 1;
	}
	wire_u32(child_ask(L, SANDBOX_STRING), p->id);
	return child_answer(L);
}

static int call_method(lua_State *L)
{
	const struct l_fn *f = lua_touserdata(L, lua_upvalueindex(2));
	struct proxy *p = proxy_at(L, 1, class_of(L));
	struct wire *w = child_ask(L, SANDBOX_METHOD);

	wire_u32(w, p->id);
	wire_str(w, f->name, strlen(f->name));
	put_values(L, w, 2);
	return child_answer(L);
}

static int proxy_index(lua_State *L)
{
	const struct l_class *c = class_of(L);
	const char *name = luaL_checkstring(L, 2);
	struct wire *w;

	for (size_t i = 0; c->method && c->method[i].name; i++)
		if (!strcmp(c->method[i].name, name)) {
			lua_pushlightuserdata(L, (void *)(uintptr_t)c);
			lua_pushlightuserdata(L, (void *)(uintptr_t)&c->method[i]);
			lua_pushcclosure(L, call_method, 2);
			return 1;
		}
	w = child_ask(L, SANDBOX_FIELD);
	wire_u32(w, proxy_at(L, 1, c)->id);
	wire_str(w, name, strlen(name));
	return child_answer(L);
}

static void push_closure(lua_State *L, const char *name, lua_CFunction fn, const struct l_class *c)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)c);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

static void push_proxy(lua_State *L, uint32_t id, const struct l_class *c)
{
	struct proxy *p = lua_newuserdatauv(L, sizeof *p, 0);

	*p = (struct proxy){ .id = id, .class = c };
	if (luaL_newmetatable(L, c->name)) {
		push_closure(L, "__gc", drop, c);
		push_closure(L, "__close", drop, c);
		push_closure(L, "__tostring", proxy_tostring, c);
		push_closure(L, "__index", proxy_index, c);
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
}

/* ---- functions */

static int call_function(lua_State *L)
{
	const struct l_module *m = lua_touserdata(L, lua_upvalueindex(1));
	const struct l_fn *f = lua_touserdata(L, lua_upvalueindex(2));
	struct wire *w = child_ask(L, SANDBOX_CALL);

	if (m == &l_base && lua_gettop(L)) { /* expect: of any value whether it is true */
		lua_pushboolean(L, lua_toboolean(L, 1));
		lua_replace(L, 1);
	}
	wire_str(w, m->name, strlen(m->name));
	wire_str(w, f->name, strlen(f->name));
	put_values(L, w, 1);
	return child_answer(L);
}

/* bitdial.scan{...} is bitdial.scan.run{...}: the module itself is the first argument. */
static int notice(lua_State *L)
{
	struct wire *w;
	const char *s;
	size_t n;

	lua_pushvalue(L, lua_upvalueindex(1)); /* string.format */
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	s = lua_tolstring(L, -1, &n);
	w = child_ask(L, SANDBOX_NOTICE);
	wire_str(w, s, n);
	return child_answer(L);
}

static void push_module(lua_State *L, const struct l_module *m)
{
	lua_newtable(L);
	for (size_t i = 0; m->fn[i].name; i++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)m);
		lua_pushlightuserdata(L, (void *)(uintptr_t)&m->fn[i]);
		lua_pushcclosure(L, call_function, 2);
		lua_setfield(L, -2, m->fn[i].name);
	}
	if (m->main)
		state_callable(L, m->main);
}

void proxy_open(lua_State *L)
{
	push_module(L, &l_base);
	for (size_t i = 0; l_modules[i]; i++) {
		push_module(L, l_modules[i]);
		if (!strcmp(l_modules[i]->name, "models")) {
			lua_getfield(L, -1, "open");
			lua_setfield(L, -3, "open");
		}
		env_lock(L);
		lua_setfield(L, -2, l_modules[i]->name);
	}
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	lua_remove(L, -2);
	lua_pushcclosure(L, notice, 1);
	lua_setfield(L, -2, "notice");
	lua_pushliteral(L, BD_VERSION);
	lua_setfield(L, -2, "version");
	env_lock(L);
	lua_setglobal(L, "bitdial");
}
