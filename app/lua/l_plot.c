/* l_plot.c - bitdial.plot: curves and heat maps by gnuplot. */
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/work/plot.h"

/* Numbers live in userdata on Lua's stack, so that an error loses nothing. */
static double *numbers(lua_State *L, int table, const char *name, size_t *n)
{
	double *v;

	table = lua_absindex(L, table);
	lua_getfield(L, table, name);
	if (!lua_istable(L, -1))
		luaL_error(L, "plot: %s: expected a list of numbers, got %s", name,
			luaL_typename(L, -1));
	*n = (size_t)luaL_len(L, -1);
	v = lua_newuserdatauv(L, (*n + 1) * sizeof *v, 0);
	for (size_t i = 0; i < *n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		if (lua_type(L, -1) != LUA_TNUMBER)
			luaL_error(L, "plot: %s[%d]: expected a number, got %s", name, (int)i + 1,
				luaL_typename(L, -1));
		v[i] = lua_tonumber(L, -1);
		lua_pop(L, 1);
	}
	lua_remove(L, -2);
	return v; /* stays on the stack */
}

/* A curve is at the top of the stack; what it needs stays above it. */
static void series(lua_State *L, struct plot_series *s)
{
	int at = lua_gettop(L);
	size_t ny, ne;

	s->x = numbers(L, at, "x", &s->n);
	s->y = numbers(L, at, "y", &ny);
	if (ny != s->n)
		luaL_error(L, "plot: %d values of x and %d of y", (int)s->n, (int)ny);
	if (lua_getfield(L, at, "error") != LUA_TNIL) {
		s->error = numbers(L, at, "error", &ne);
		if (ne != s->n)
			luaL_error(L, "plot: %d values of x and %d of error", (int)s->n, (int)ne);
	}
	s->label = l_string(L, at, "label", "");
	s->points = l_flag(L, at, "points", false);
}

static void all_series(lua_State *L, struct plot *p)
{
	int list;
	lua_Integer n;

	lua_getfield(L, 1, "series");
	list = lua_gettop(L);
	luaL_argcheck(L, lua_istable(L, list), 1, "series is missing: {{x=, y=, label=}, ...}");
	n = luaL_len(L, list);
	luaL_argcheck(L, n >= 1 && n <= PLOT_SERIES, 1, "series: expected 1 to 16 curves");
	luaL_checkstack(L, (int)n * 8, "curves");
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, list, i);
		luaL_argcheck(L, lua_istable(L, -1), 1, "series: each is a table {x=, y=}");
		series(L, &p->series[p->n++]);
	}
}

static bool poll_stop(const struct sink *s)
{
	return token_stopped(s->self);
}

static int run(lua_State *L)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	struct plot p = { 0 };
	struct err e = { 0 };
	const char *path;

	luaL_checktype(L, 1, LUA_TTABLE);
	l_options(L, 1);
	lua_settop(L, 1);
	path = l_string(L, 1, "path", NULL);
	luaL_argcheck(L, path, 1, "path is missing: {path = \"front.png\"}");
	p.title = l_string(L, 1, "title", "");
	p.x_label = l_string(L, 1, "x_label", "");
	p.y_label = l_string(L, 1, "y_label", "");
	p.log_x = l_flag(L, 1, "log_x", false);
	p.log_y = l_flag(L, 1, "log_y", false);
	all_series(L, &p);
	if (plot_write(&p, path, &sink, &e))
		return l_fail(L, &e);
	lua_pushstring(L, path);
	return 1;
}

static const struct l_opt options[] = {
	{ "path", "string", "where to: .png, .svg or .pdf; a .gp and a .tsv come beside it" },
	{ "title", "string", "above it" },
	{ "x_label", "string", "below it" },
	{ "y_label", "string", "beside it" },
	{ "log_x", "boolean", "logarithmic axis" },
	{ "log_y", "boolean", "logarithmic axis" },
	{ "series", "table",
		"{{x = {...}, y = {...}, error = {...}, label = , points = true}, ...}" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "curves", "{path=, series=, ...} -> path | nil, message", "draws with gnuplot", run,
		options },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_plot = {
	.name = "plot",
	.help = "pictures by gnuplot, with what draws them again",
	.main = "curves",
	.fn = fns,
};
