/* l_search.c - bitdial.search: the best layout at a budget. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/work/ask.h"

struct turn {
	struct ask ask;
	struct dial_reached reached;
};

static enum st turn(struct session *s, void *arg, struct err *e)
{
	struct turn *t = arg;

	return session_ask(s, &t->ask, &t->reached, e);
}

static bool one_of(lua_State *L, struct ask *a, const char *name, enum ask_what what, int *n)
{
	lua_Number v = l_number(L, 1, name, (lua_Number)NAN);

	if (isnan(v))
		return false;
	*a = (struct ask){ what, v };
	++*n;
	return true;
}

static int run(lua_State *L)
{
	struct turn t = { .ask = { ASK_BPW, 0 } };
	struct err e = { 0 };
	const char *text;
	uint32_t job;
	int n = 0;

	if (lua_type(L, 1) == LUA_TNUMBER) {
		t.ask.value = lua_tonumber(L, 1);
		n = 1;
	} else if (lua_type(L, 1) == LUA_TSTRING) {
		if (ask_parse(&t.ask, lua_tostring(L, 1), &e))
			return l_fail(L, &e);
		n = 1;
	} else {
		l_options(L, 1);
		one_of(L, &t.ask, "bpw", ASK_BPW, &n);
		one_of(L, &t.ask, "bytes", ASK_BYTES, &n);
		one_of(L, &t.ask, "file_bytes", ASK_FILE, &n);
		one_of(L, &t.ask, "damage", ASK_KL, &n);
		text = l_string(L, 1, "budget", NULL);
		if (text && ask_parse(&t.ask, text, &e))
			return l_fail(L, &e);
		n += text != NULL;
	}
	if (n != 1)
		return luaL_error(L,
			"%s: expected one budget: {bpw = 4.25}, {bytes = }, {file_bytes = }, "
			"{damage = } or {budget = \"55MiB\"}",
			l_name(L));
	if (!isfinite(t.ask.value))
		return luaL_error(L, "%s: expected a finite budget", l_name(L));
	if (l_call(L, turn, &t, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "search", job, l_push_layout);
	return 1;
}

struct guard_ask {
	const char *name;
	uint64_t seed;
	size_t n;
};

static enum st do_guard(struct session *s, void *arg, struct err *e)
{
	const struct guard_ask *g = arg;

	return session_guard(s, g->name, g->seed, g->n, e);
}

static int guard(lua_State *L)
{
	struct guard_ask g = { luaL_checkstring(L, 1), (uint64_t)luaL_optinteger(L, 2, 1), 0 };
	const struct snap_model *m = l_last(L, EV_MODEL);
	struct err e = { 0 };

	g.n = m ? m->n : 0;
	if (l_call(L, do_guard, &g, NULL, &e))
		return l_fail(L, &e);
	return l_push_layout(L);
}

static int front(lua_State *L)
{
	const struct snap_front *f;

	l_hear(L);
	f = l_last(L, EV_FRONT);
	if (!f) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)f->n, 0);
	for (size_t i = 0; i < f->n; i++) {
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, (lua_Integer)f->bytes[i]);
		lua_setfield(L, -2, "bytes");
		l_push_number(L, f->kl[i]);
		lua_setfield(L, -2, "damage");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int points(lua_State *L)
{
	const struct snap_front *f;

	l_hear(L);
	f = l_last(L, EV_FRONT);
	lua_newtable(L);
	for (size_t i = 0; f && i < f->n_points; i++) {
		const struct front_point *p = &f->point[i];

		lua_createtable(L, 0, 5);
		lua_pushnumber(L, p->bpw);
		lua_setfield(L, -2, "bpw");
		lua_pushinteger(L, (lua_Integer)p->bytes);
		lua_setfield(L, -2, "bytes");
		l_push_number(L, p->kl);
		lua_setfield(L, -2, "damage");
		l_push_number(L, p->se);
		lua_setfield(L, -2, "se");
		lua_pushstring(L, p->what);
		lua_setfield(L, -2, "what");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static const struct l_opt options[] = {
	{ "bpw", "number", "stored bits a weight of the linears" },
	{ "bytes", "number", "of the linears" },
	{ "file_bytes", "number", "of the whole file" },
	{ "damage", "number", "the smallest layout predicted to do no more, nats a token" },
	{ "budget", "string", "as the dial takes it: \"55MiB\", \"kl<=0.02\", \"60tok/s\"" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "(bpw) or {bpw=, ...} -> job | nil, message",
		"turns the dial; wait() gives the layout, proven where that takes a moment", run,
		options },
	{ "guard", "(name[, seed]) -> layout | nil, message",
		"uniform, ends or random: what a person would do without a search, with no more "
		"bytes than "
		"what is under the dial, in its place",
		guard, NULL },
	{ "front", "() -> {{bytes=, damage=}, ...} | nil", "the predicted curve", front, NULL },
	{ "points", "() -> {{bpw=, bytes=, damage=, se=, what=}, ...}",
		"layouts that were measured, and guards", points, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_search = {
	.name = "search",
	.help = "the best layout at a budget",
	.main = "run",
	.fn = fns,
	.sandbox = "run guard front points",
};
