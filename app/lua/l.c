/* l.c - what the modules share: options, handles, the bus as a script sees it. */
#include "app/lua/l.h"

#include <math.h>
#include <poll.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

struct l_ctx *l_ctx(lua_State *L)
{
	return *(struct l_ctx **)lua_getextraspace(L);
}

void l_ctx_release(struct l_ctx *c)
{
	for (int i = 0; i < EV_KINDS; i++) {
		snap_unref(c->last[i]);
		c->last[i] = NULL;
	}
	for (size_t i = 0; i < c->n_ended; i++)
		xfree(c->ended[i].text);
	xfree(c->ended);
	c->ended = NULL;
	c->n_ended = c->cap_ended = 0;
	if (c->progress)
		snap_unref(&c->progress->snap);
	c->progress = NULL;
	if (c->sub)
		bus_unsubscribe(host_bus(c->host), c->sub);
	c->sub = NULL;
}

/* ---- the bus */

static void ended(struct l_ctx *c, const struct event *ev)
{
	const struct snap_text *t = (const struct snap_text *)ev->snap;

	if (c->n_ended == c->cap_ended) {
		c->cap_ended = c->cap_ended ? 2 * c->cap_ended : 16;
		c->ended = xrealloc(c->ended, c->cap_ended * sizeof *c->ended);
	}
	c->ended[c->n_ended++] = (struct l_ended){
		.job = ev->key, .st = (enum st)ev->n, .text = xstrdup(t ? t->text : "")
	};
}

void l_hear(lua_State *L)
{
	struct l_ctx *c = l_ctx(L);
	struct event ev;

	while (sub_next(c->sub, &ev)) {
		if (ev.kind == EV_JOB_ENDED)
			ended(c, &ev);
		if (ev.kind == EV_JOB_PROGRESS && ev.snap) {
			if (c->progress)
				snap_unref(&c->progress->snap);
			c->progress = (struct snap_progress *)snap_ref(ev.snap);
			c->progress_job = ev.key;
		}
		if (ev.snap && ev.kind != EV_JOB_PROGRESS && ev.kind != EV_NOTICE) {
			snap_unref(c->last[ev.kind]);
			c->last[ev.kind] = snap_ref(ev.snap);
		}
		snap_unref(ev.snap);
	}
}

void l_wait(lua_State *L, int ms)
{
	struct l_ctx *c = l_ctx(L);
	struct pollfd p[2] = { { .fd = sub_fd(c->sub), .events = POLLIN },
		{ .fd = c->wake_fd, .events = POLLIN } };

	if (!token_stopped(c->stop))
		(void)poll(p, 2, ms);
	if (token_stopped(c->stop))
		luaL_error(L, "stopped");
	l_hear(L);
}

const void *l_last(lua_State *L, enum ev_kind kind)
{
	return l_ctx(L)->last[kind];
}

enum st l_call(lua_State *L, host_fn *fn, void *arg, uint32_t *job, struct err *e)
{
	struct l_ctx *c = l_ctx(L);
	enum st st = host_call(c->host, c->stop, fn, arg, job, e);

	if (token_stopped(c->stop))
		luaL_error(L, "stopped");
	l_hear(L);
	return st;
}

/* ---- values */

int l_fail(lua_State *L, const struct err *e)
{
	lua_pushnil(L);
	lua_pushstring(L, e->msg);
	return 2;
}

void l_push_number(lua_State *L, double v)
{
	if (isnan(v))
		lua_pushnil(L);
	else
		lua_pushnumber(L, v);
}

void l_push_named(lua_State *L, const char *name, const struct l_fn *f)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)f);
	lua_pushstring(L, name);
	lua_pushcclosure(L, f->fn, 2);
}

void l_push_fn(lua_State *L, const char *owner, const struct l_fn *f)
{
	lua_pushfstring(L, "%s%s", owner, f->name);
	l_push_named(L, lua_tostring(L, -1), f);
	lua_remove(L, -2);
}

const char *l_name(lua_State *L)
{
	return lua_tostring(L, lua_upvalueindex(2));
}

static void unknown_option(lua_State *L, const struct l_fn *f, const char *name)
{
	const char *names[32] = { NULL }, *near;

	for (size_t i = 0; f->opt && f->opt[i].name && i < 31; i++)
		names[i] = f->opt[i].name;
	near = text_suggest(name, names);
	if (near)
		luaL_error(L, "%s: unknown option '%s'; did you mean '%s'?", l_name(L), name, near);
	luaL_error(L, "%s: unknown option '%s' (bitdial help lua lists them)", l_name(L), name);
}

void l_plain(lua_State *L, int at)
{
	at = lua_absindex(L, at);
	if (luaL_getmetafield(L, at, "__index") != LUA_TNIL)
		luaL_error(L, "%s: expected a plain table, got one with __index", l_name(L));
	luaL_checkstack(L, 4, "options");
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_replace(L, at);
}

void l_options(lua_State *L, int at)
{
	const struct l_fn *f = lua_touserdata(L, lua_upvalueindex(1));

	if (lua_isnoneornil(L, at))
		return;
	if (!lua_istable(L, at))
		luaL_error(L, "%s: expected a table of options, got %s", l_name(L),
			luaL_typename(L, at));
	l_plain(L, at);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		const char *name;
		bool known = false;

		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "%s: options have names: {bpw = 4.25}", l_name(L));
		name = lua_tostring(L, -2);
		for (size_t i = 0; f->opt && f->opt[i].name && !known; i++)
			known = !strcmp(f->opt[i].name, name);
		if (!known)
			unknown_option(L, f, name);
	}
}

/* Pushes the option when there is one. */
static bool has_option(lua_State *L, int at, const char *name)
{
	if (!lua_istable(L, at))
		return false;
	lua_getfield(L, at, name);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

static void wrong_option(lua_State *L, const char *name, const char *want)
{
	luaL_error(L, "%s: %s: expected %s, got %s", l_name(L), name, want, luaL_typename(L, -1));
}

lua_Number l_number(lua_State *L, int at, const char *name, lua_Number otherwise)
{
	lua_Number v;

	if (!has_option(L, at, name))
		return otherwise;
	if (lua_type(L, -1) != LUA_TNUMBER)
		wrong_option(L, name, "a number");
	v = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return v;
}

lua_Integer l_whole(lua_State *L, int at, const char *name, lua_Integer otherwise, lua_Integer lo,
	lua_Integer hi)
{
	lua_Integer v;
	int whole;

	if (!has_option(L, at, name))
		return otherwise;
	v = lua_tointegerx(L, -1, &whole);
	if (lua_type(L, -1) != LUA_TNUMBER || !whole || v < lo || v > hi)
		luaL_error(L, "%s: %s: expected a whole number from %I to %I, got %s", l_name(L),
			name, lo, hi, luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return v;
}

/* The table holds the string: it is l_plain's copy. */
const char *l_string(lua_State *L, int at, const char *name, const char *otherwise)
{
	const char *s;

	if (!has_option(L, at, name))
		return otherwise;
	if (lua_type(L, -1) != LUA_TSTRING)
		wrong_option(L, name, "a string");
	s = lua_tostring(L, -1);
	lua_pop(L, 1);
	return s;
}

bool l_flag(lua_State *L, int at, const char *name, bool otherwise)
{
	bool v;

	if (!has_option(L, at, name))
		return otherwise;
	if (lua_type(L, -1) != LUA_TBOOLEAN)
		wrong_option(L, name, "true or false");
	v = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return v;
}

/* ---- handles */

struct handle {
	const struct l_class *class;
	bool closed;
	void *body[]; /* class->size bytes, aligned as Lua aligns: no more than pointers and doubles
			 need */
};

static struct handle *handle_at(lua_State *L, int at, const struct l_class *c)
{
	return luaL_checkudata(L, at, c->name);
}

static void close_handle(struct handle *h)
{
	if (h->closed)
		return;
	h->closed = true;
	if (h->class->release)
		h->class->release(h->body);
}

static const struct l_class *class_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static int handle_gc(lua_State *L)
{
	close_handle(handle_at(L, 1, class_of(L)));
	return 0;
}

static int handle_tostring(lua_State *L)
{
	struct handle *h = handle_at(L, 1, class_of(L));

	lua_pushfstring(L, "%s%s", h->class->name, h->closed ? " (closed)" : "");
	if (!h->closed && h->class->get && h->class->get(L, h->body, "tostring"))
		lua_concat(L, 2);
	return 1;
}

static int handle_index(lua_State *L)
{
	const struct l_class *c = class_of(L);
	struct handle *h = handle_at(L, 1, c);
	const char *name = luaL_checkstring(L, 2);

	for (size_t i = 0; c->method && c->method[i].name; i++)
		if (!strcmp(c->method[i].name, name)) {
			lua_pushfstring(L, "%s:", c->name);
			l_push_fn(L, lua_tostring(L, -1), &c->method[i]);
			return 1;
		}
	if (h->closed)
		return luaL_error(L, "this %s was closed", c->name);
	for (size_t i = 0; c->field && c->field[i].name; i++)
		if (!strcmp(c->field[i].name, name))
			return c->get(L, h->body, name);
	return luaL_error(L, "a %s has no '%s' (bitdial help lua)", c->name, name);
}

static void push_closure(lua_State *L, const char *name, lua_CFunction fn, const struct l_class *c)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)c);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

void *l_new(lua_State *L, const struct l_class *c)
{
	struct handle *h = lua_newuserdatauv(L, sizeof *h + c->size, 1);

	memset(h, 0, sizeof *h + c->size);
	h->class = c;
	if (luaL_newmetatable(L, c->name)) {
		push_closure(L, "__gc", handle_gc, c);
		push_closure(L, "__close", handle_gc, c);
		push_closure(L, "__tostring", handle_tostring, c);
		push_closure(L, "__index", handle_index, c);
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	return h->body;
}

void *l_check(lua_State *L, int at, const struct l_class *c)
{
	struct handle *h = handle_at(L, at, c);

	if (h->closed)
		luaL_error(L, "this %s was closed", c->name);
	return h->body;
}

const struct l_class *l_class_number(unsigned i)
{
	const struct l_class *const *c = l_classes();

	while (*c && i--)
		c++;
	return *c;
}

int l_class_at(lua_State *L, int at)
{
	const struct l_class *c;

	for (unsigned i = 0; (c = l_class_number(i)) != NULL; i++)
		if (luaL_testudata(L, at, c->name))
			return (int)i;
	return -1;
}
