/* l_plot.c - bitdial.plot: curves and heat maps by gnuplot. */
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/work/figure.h"
#include "core/work/plot.h"

enum { NUMBERS_MOST = 1 << 24 };

/* Numbers live in userdata on Lua's stack, so that an error loses nothing. */
static double *numbers(lua_State *L, int table, const char *name, size_t *n)
{
	double *v;

	size_t bytes;

	table = lua_absindex(L, table);
	lua_getfield(L, table, name);
	if (!lua_istable(L, -1))
		luaL_error(L, "plot: %s: expected a list of numbers, got %s", name,
			luaL_typename(L, -1));
	*n = lua_rawlen(L, -1);
	if (*n > NUMBERS_MOST || !size_mul(&bytes, *n + 1, sizeof *v))
		luaL_error(L, "plot: %s: more than %d numbers", name, NUMBERS_MOST);
	v = lua_newuserdatauv(L, bytes, 0);
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

	l_plain(L, at);
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
	n = (lua_Integer)lua_rawlen(L, list);
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

/* ---- of the model that is open, of runs */

/* Draws and frees f, which is NULL where e says why. */
static int draw(lua_State *L, struct figure *f, const char *path, struct err *e)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	enum st st;

	if (!f)
		return l_fail(L, e);
	st = plot_write(&f->plot, path, &sink, e);
	figure_free(f);
	if (st)
		return l_fail(L, e);
	lua_pushstring(L, path);
	return 1;
}

static const char *the_path(lua_State *L)
{
	const char *path;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	l_options(L, 1);
	path = l_string(L, 1, "path", NULL);
	luaL_argcheck(L, path, 1, "path is missing: {path = \"front.png\"}");
	return path;
}

static int front(lua_State *L)
{
	const char *path = the_path(L);
	struct err e = { 0 };
	struct figure *f;

	l_hear(L);
	f = figure_front(l_last(L, EV_MODEL), l_last(L, EV_FRONT), l_last(L, EV_ANSWER));
	if (!f)
		(void)err_set(&e, ST_INVALID, "plot: there is no front yet (bitdial.scan)");
	return draw(L, f, path, &e);
}

enum { MAP_MOST = 4096 };

/* Numbers of the script's own: value = {{...}, ...}, rows of equal length. */
static void own_cells(lua_State *L, struct plot *p)
{
	double *v = NULL;
	int list;

	lua_getfield(L, 1, "value");
	list = lua_gettop(L);
	luaL_argcheck(L, lua_istable(L, list), 1, "value: expected {{1, 2}, {3, 4}}");
	p->rows = lua_rawlen(L, list);
	luaL_argcheck(L, p->rows >= 1 && p->rows <= MAP_MOST, 1, "value: expected 1 to 4096 rows");
	for (size_t r = 0; r < p->rows; r++) {
		size_t n;

		lua_rawgeti(L, list, (lua_Integer)r + 1);
		luaL_argcheck(L, lua_istable(L, -1), 1, "value: each row is a list");
		n = lua_rawlen(L, -1);
		if (!r) {
			luaL_argcheck(L, n >= 1 && n <= MAP_MOST, 1,
				"value: expected 1 to 4096 numbers a row");
			p->cols = n;
			v = lua_newuserdatauv(L, p->rows * n * sizeof *v, 0);
			lua_insert(L, -2);
		}
		luaL_argcheck(L, n == p->cols, 1, "value: rows of one length, please");
		for (size_t c = 0; c < n; c++, lua_pop(L, 1)) {
			lua_rawgeti(L, -1, (lua_Integer)c + 1);
			luaL_argcheck(L, lua_type(L, -1) == LUA_TNUMBER, 1,
				"value: expected numbers (0/0: an empty cell)");
			v[r * n + c] = lua_tonumber(L, -1);
		}
		lua_pop(L, 1);
	}
	p->value = v;
}

/* rows = {"q", "k"}: the names stay in a table of ours, their pointers in userdata. */
static void row_names(lua_State *L, struct plot *p)
{
	const char **name;

	if (lua_getfield(L, 1, "rows") == LUA_TNIL)
		return;
	luaL_argcheck(L, lua_istable(L, -1) && lua_rawlen(L, -1) == p->rows, 1,
		"rows: expected as many names as rows");
	l_plain(L, -1);
	name = lua_newuserdatauv(L, p->rows * sizeof *name, 0);
	for (size_t r = 0; r < p->rows; r++, lua_pop(L, 1)) {
		lua_rawgeti(L, -2, (lua_Integer)r + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "rows: expected names");
		name[r] = lua_tostring(L, -1);
	}
	p->row_name = name;
}

static int own_map(lua_State *L, const char *path)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	struct plot p = { 0 };
	struct err e = { 0 };

	p.title = l_string(L, 1, "title", "");
	p.x_label = l_string(L, 1, "x_label", "");
	p.y_label = l_string(L, 1, "y_label", "");
	p.log_y = l_flag(L, 1, "log_y", false);
	own_cells(L, &p);
	row_names(L, &p);
	if (plot_write(&p, path, &sink, &e))
		return l_fail(L, &e);
	lua_pushstring(L, path);
	return 1;
}

static int heatmap(lua_State *L)
{
	const char *path = the_path(L), *view, *format;
	struct err e = { 0 };
	int own;

	own = lua_getfield(L, 1, "value") != LUA_TNIL;
	lua_settop(L, 1);
	if (own)
		return own_map(L, path);
	view = l_string(L, 1, "view", "damage");
	format = l_string(L, 1, "format", NULL);
	l_hear(L);
	return draw(L,
		figure_map(l_last(L, EV_MODEL), l_last(L, EV_MAP), l_last(L, EV_ANSWER), view,
			format, &e),
		path, &e);
}

static int runs(lua_State *L)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	const char *path = the_path(L), *metric, *title, *word[PLOT_SERIES];
	bool log_y;
	struct figure *f = NULL;
	struct err e = { 0 };
	lua_Integer n;

	metric = l_string(L, 1, "metric", NULL);
	title = l_string(L, 1, "title", NULL);
	log_y = l_flag(L, 1, "log_y", false);
	lua_getfield(L, 1, "runs");
	luaL_argcheck(
		L, lua_istable(L, -1), 1, "runs is missing: {\"20260101-...\", \"loss.tsv\"}");
	n = (lua_Integer)lua_rawlen(L, -1);
	luaL_argcheck(L, n >= 1 && n <= PLOT_SERIES, 1, "runs: expected 1 to 16");
	luaL_checkstack(L, PLOT_SERIES, "runs");
	for (lua_Integer i = 0; i < n; i++) {
		lua_rawgeti(L, 2, i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "runs: expected ids or files");
		word[i] = lua_tostring(L, -1);
	}
	if (figure_runs(&f, word, (size_t)n, metric, &sink, &e))
		return l_fail(L, &e);
	if (title)
		f->plot.title = figure_text(f, title);
	f->plot.log_y = log_y;
	return draw(L, f, path, &e);
}

static const struct l_opt front_options[] = {
	{ "path", "string", "where to: .png, .svg or .pdf; .gp: no picture, but what draws it" },
	{ NULL, NULL, NULL },
};

static const struct l_opt map_options[] = {
	{ "path", "string", "where to, as above" },
	{ "view", "string", "of the model: damage (default), bits or change (against the mark)" },
	{ "format", "string", "whose damage (the smallest)" },
	{ "value", "table", "or numbers of your own: {{1, 2}, {3, 4}}, a row each; 0/0: empty" },
	{ "rows", "table", "their names" },
	{ "title", "string", "above it" },
	{ "x_label", "string", "below it" },
	{ "y_label", "string", "beside the colours" },
	{ "log_y", "boolean", "logarithmic colours" },
	{ NULL, NULL, NULL },
};

static const struct l_opt runs_options[] = {
	{ "path", "string", "where to, as above" },
	{ "runs", "table", "ids of runs, or .tsv files: first column against last" },
	{ "metric", "string", "of the run's metrics/, a file or a column (loss; where there is none, all)" },
	{ "title", "string", "above it" },
	{ "log_y", "boolean", "logarithmic axis" },
	{ NULL, NULL, NULL },
};

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
	{ "front", "{path=} -> path | nil, message",
		"the front of the model that is open, with what was measured", front,
		front_options },
	{ "heatmap", "{path=, ...} -> path | nil, message",
		"kinds by blocks of the model that is open, or a table of your own", heatmap,
		map_options },
	{ "runs", "{path=, runs=, metric=} -> path | nil, message",
		"what runs measured step by step, such as their loss", runs, runs_options },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_plot = {
	.name = "plot",
	.help = "pictures by gnuplot, with what draws them again",
	.main = "curves",
	.fn = fns,
};
