/* open.c - the table of modules, and what they hang on. */
#include <stdio.h>
#include <pthread.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/state.h"

extern const struct l_module l_models, l_scan, l_search, l_layout, l_measure, l_train, l_calibrate,
	l_chat, l_run, l_plot, l_data, l_kernels, l_cmd;

const struct l_module *const l_modules[] = {
	&l_models,
	&l_scan,
	&l_search,
	&l_layout,
	&l_measure,
	&l_train,
	&l_calibrate,
	&l_chat,
	&l_run,
	&l_plot,
	&l_data,
	&l_kernels,
	&l_cmd,
	NULL,
};

static const struct l_class *classes[sizeof l_modules / sizeof *l_modules + 1];

static void list_classes(void)
{
	size_t n = 0;

	for (size_t i = 0; l_modules[i]; i++)
		if (l_modules[i]->class)
			classes[n++] = l_modules[i]->class;
	classes[n++] = &l_job_class;
}

/* Asked for by the script's thread and by the screen's. */
const struct l_class *const *l_classes(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, list_classes);
	return classes;
}

static void push_module(lua_State *L, const struct l_module *m)
{
	char owner[40];

	snprintf(owner, sizeof owner, "bitdial.%s%s", m->name, m->name[0] ? "." : "");
	lua_newtable(L);
	for (size_t i = 0; m->fn[i].name; i++) {
		l_push_fn(L, owner, &m->fn[i]);
		lua_setfield(L, -2, m->fn[i].name);
	}
	if (m->main)
		state_callable(L, m->main);
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

struct key {
	struct host *host;
	const char *line;
};

static enum st bind_key(struct session *s, void *arg, struct err *e)
{
	const struct key *k = arg;

	(void)s;
	return host_command(k->host, k->line, e);
}

/* "..." as the command line reads it */
static void add_quoted(luaL_Buffer *b, const char *s)
{
	luaL_addchar(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			luaL_addchar(b, '\\');
		luaL_addchar(b, *s);
	}
	luaL_addchar(b, '"');
}

static int base_bind(lua_State *L)
{
	const char *place = luaL_checkstring(L, 1), *keys = luaL_checkstring(L, 2),
		   *command = luaL_checkstring(L, 3);
	struct key k = { l_ctx(L)->host, NULL };
	struct err e = { 0 };
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	luaL_addstring(&b, "bind ");
	luaL_addstring(&b, place);
	luaL_addchar(&b, ' ');
	add_quoted(&b, keys);
	luaL_addchar(&b, ' ');
	add_quoted(&b, command);
	luaL_pushresult(&b);
	k.line = lua_tostring(L, -1);
	if (l_call(L, bind_key, &k, NULL, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct l_fn base[] = {
	{ "bind", "(place, keys, command) -> true | nil, message",
		"a key of the workbench for this sitting: bind('heatmap', 'F5', 'measure')",
		base_bind, NULL },
	{ "expect", "(value, message)", "a goal: where value is false or nil the exit status is 3",
		base_expect, NULL },
	{ "notice", "(format, ...)", "a line for the person, as string.format", base_notice, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_base = { .name = "", .help = "", .fn = base, .sandbox = "expect" };

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
