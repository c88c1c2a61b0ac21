/* l_run.c - bitdial.run: what was done, as run folders. */
#include <math.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/work/runs.h"

static void set(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value ? value : "");
	lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, double v)
{
	l_push_number(L, v);
	lua_setfield(L, -2, name);
}

static void push_run(lua_State *L, const struct run_entry *r)
{
	lua_createtable(L, 0, 25);
	set(L, "id", r->id);
	set(L, "path", r->path);
	set(L, "kind", r->kind);
	set(L, "status", r->status);
	set(L, "model", r->model);
	set(L, "model_path", r->model_path);
	set(L, "text", r->text);
	set(L, "options", r->options);
	set(L, "summary", r->summary);
	set(L, "tags", r->tags);
	set(L, "state", r->state);
	set(L, "parents", r->parents);
	set(L, "host", r->host);
	set(L, "backend", r->backend);
	set(L, "script", r->script);
	set(L, "notes", r->notes);
	set_number(L, "began", (double)r->began);
	set_number(L, "seconds", r->seconds);
	set_number(L, "bpw", r->bpw);
	set_number(L, "bytes", r->bytes ? (double)r->bytes : (double)NAN);
	set_number(L, "damage", r->kl);
	set_number(L, "se", r->se);
	lua_createtable(L, 0, (int)r->n_numbers);
	for (size_t i = 0; i < r->n_numbers; i++)
		set_number(L, r->number[i].name, r->number[i].v);
	lua_setfield(L, -2, "numbers");
}

static int list(lua_State *L)
{
	const char *filter, *sort;
	struct err e = { 0 };
	struct runs r;
	enum st st;

	if (lua_type(L, 1) == LUA_TSTRING) {
		filter = lua_tostring(L, 1);
		sort = "began";
	} else {
		l_options(L, 1);
		filter = l_string(L, 1, "filter", "");
		sort = l_string(L, 1, "sort", "began");
	}
	st = runs_load(&r, NULL, &e);
	if (!st)
		st = runs_filter(&r, filter, &e);
	if (!st)
		st = runs_sort(&r, sort, &e);
	lua_createtable(L, (int)r.n, 0);
	for (size_t i = 0; !st && i < r.n; i++) {
		push_run(L, &r.at[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	runs_release(&r);
	return st ? l_fail(L, &e) : 1;
}

/* Finds the run of argument 1 and does fn with argument 2. */
static int with_run(
	lua_State *L, enum st (*fn)(lua_State *L, const struct run_entry *r, struct err *e))
{
	const char *id = luaL_checkstring(L, 1);
	const struct run_entry *r;
	struct err e = { 0 };
	struct runs all;
	enum st st = runs_load(&all, NULL, &e);

	r = st ? NULL : runs_find(&all, id, &e);
	st = r ? fn(L, r, &e) : e.st;
	runs_release(&all);
	return st ? l_fail(L, &e) : 1;
}

static enum st give(lua_State *L, const struct run_entry *r, struct err *e)
{
	(void)e;
	push_run(L, r);
	return ST_OK;
}

int l_push_result(lua_State *L, const char *id)
{
	const struct run_entry *r;
	struct err e = { 0 };
	struct runs all;

	if (runs_open(&all, &r, id, &e)) {
		runs_release(&all);
		return l_fail(L, &e);
	}
	lua_createtable(L, 0, 2 + (int)r->n_numbers);
	set(L, "run", r->id);
	set(L, "path", r->path);
	for (size_t i = 0; i < r->n_numbers; i++)
		set_number(L, r->number[i].name, r->number[i].v);
	runs_release(&all);
	return 1;
}

static enum st add_tag(lua_State *L, const struct run_entry *r, struct err *e)
{
	lua_pushboolean(L, 1);
	return run_tag(r, lua_tostring(L, 2), e);
}

static enum st set_notes(lua_State *L, const struct run_entry *r, struct err *e)
{
	lua_pushboolean(L, 1);
	return run_set_notes(r, lua_tostring(L, 2), e);
}

static enum st throw_away(lua_State *L, const struct run_entry *r, struct err *e)
{
	char *to = NULL;
	enum st st = run_trash(r, &to, e);

	lua_pushstring(L, to);
	xfree(to);
	return st;
}

static int get(lua_State *L)
{
	return with_run(L, give);
}

static int tag(lua_State *L)
{
	luaL_checkstring(L, 2);
	return with_run(L, add_tag);
}

static int notes(lua_State *L)
{
	luaL_checkstring(L, 2);
	return with_run(L, set_notes);
}

static int trash(lua_State *L)
{
	return with_run(L, throw_away);
}

struct keep {
	const char *name;
	char *script, sha[65]; /* script NULL: typed, or a file that is gone */
};

static enum st begin_keep(struct session *s, void *arg, struct err *e)
{
	const struct keep *k = arg;

	return session_keep_for(s, k->name, k->script, k->sha, e);
}

/* arg[0], where there is one: the script that runs. */
static void which_script(lua_State *L, struct keep *k)
{
	lua_getglobal(L, "arg");
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, 0);
		if (lua_type(L, -1) != LUA_TSTRING ||
			run_script_hash(lua_tostring(L, -1), &k->script, k->sha, NULL))
			k->script = NULL;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static int keep(lua_State *L)
{
	struct keep k = { .name = luaL_optstring(L, 1, "") };
	struct err e = { 0 };
	uint32_t job;
	enum st st;

	which_script(L, &k);
	st = l_call(L, begin_keep, &k, &job, &e);
	xfree(k.script);
	if (st || !l_await(L, job, &e))
		return l_fail(L, &e);
	lua_pushstring(L, l_said(L, job));
	return 1;
}

/* The argument is a name in the trash, as trash gives it. */
static int restore(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct err e = { 0 };
	char *id = NULL;

	if (run_restore(NULL, name, &id, &e))
		return l_fail(L, &e);
	lua_pushstring(L, id);
	xfree(id);
	return 1;
}

static const struct l_opt list_options[] = {
	{ "filter", "string", "kind:search bpw<4 kl<=0.02 tag:good -crashed since:2d" },
	{ "sort", "string",
		"began, kind, status, model, seconds, bpw or kl; -kl: the largest first" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "get", "(id) -> run | nil, message",
		"{id=, path=, kind=, status=, model=, bpw=, bytes=, damage=, se=, seconds=, tags= "
		"..., numbers = {name = what it measured}}; an end of the id is enough",
		get, NULL },
	{ "list", "(filter) or {filter=, sort=} -> {run, ...} | nil, message", "newest first", list,
		list_options },
	{ "keep", "([name]) -> id | nil, message", "the layout under the dial as a run", keep,
		NULL },
	{ "tag", "(id, word) -> true | nil, message", "a word more; \"-word\": one less", tag,
		NULL },
	{ "notes", "(id, text) -> true | nil, message", "what you think of it", notes, NULL },
	{ "trash", "(id) -> path | nil, message", "moves it to .trash beside the runs", trash,
		NULL },
	{ "restore", "(path) -> id | nil, message", "back from there", restore, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_run = {
	.name = "run",
	.help = "what was done, as run folders",
	.main = "get",
	.fn = fns,
	.sandbox = "get list",
};
