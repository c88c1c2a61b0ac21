/* tour_file - the stations of the tour, with every field checked. */
#include "app/lua/tour_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "app/lua/box.h"
#include "core/base/alloc.h"

enum { INSTRUCTIONS = 100000, MEMORY = 1 << 20 };

/* ---- fields; errors are raised and caught by the one pcall */

static void get_str(lua_State *L, const char *what, char *out, size_t cap)
{
	size_t n;
	const char *s;

	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s: expected a string, got a %s", what, luaL_typename(L, -1));
	s = lua_tolstring(L, -1, &n);
	if (!n || n >= cap || strlen(s) != n || strchr(s, '\n'))
		luaL_error(L, "%s: expected one line of 1 to %d bytes", what, (int)cap - 1);
	memcpy(out, s, n + 1);
}

static void get_plays(lua_State *L, struct tour_station *s)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "play: expected a table, got a %s", luaL_typename(L, -1));
	for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
		if (s->n_plays == TOUR_PLAYS)
			luaL_error(L, "play: at most %d lines", TOUR_PLAYS);
		get_str(L, "play", s->play[s->n_plays++], TOUR_LINE);
	}
	lua_pop(L, 1);
}

static void get_station(lua_State *L, struct tour_station *s)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "a station is a table, got a %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";

		if (!strcmp(key, "say"))
			get_str(L, key, s->say, sizeof s->say);
		else if (!strcmp(key, "plain"))
			get_str(L, key, s->plain, sizeof s->plain);
		else if (!strcmp(key, "key"))
			get_str(L, key, s->key, sizeof s->key);
		else if (!strcmp(key, "waits"))
			get_str(L, key, s->waits, sizeof s->waits);
		else if (!strcmp(key, "command"))
			get_str(L, key, s->command, sizeof s->command);
		else if (!strcmp(key, "play"))
			get_plays(L, s);
		else
			luaL_error(L,
				"a station has say, key, waits, plain, command and play, not "
				"\"%s\"",
				luaL_tolstring(L, -2, NULL));
	}
	if (!s->say[0] || !s->key[0] || !s->waits[0] || !s->plain[0] || !s->command[0])
		luaL_error(L, "a station needs say, key, waits, plain and command");
}

static void get_tour(lua_State *L, struct tour_script *t)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "the file must return a table, got a %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TNUMBER)
			continue;
		if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "finish"))
			luaL_error(L, "a tour has stations and finish, not \"%s\"",
				luaL_tolstring(L, -2, NULL));
		get_str(L, "finish", t->finish, sizeof t->finish);
	}
	for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
		if (t->n == TOUR_STATIONS)
			luaL_error(L, "a tour has at most %d stations", TOUR_STATIONS);
		get_station(L, &t->station[t->n++]);
	}
	lua_pop(L, 1);
	if (!t->n || !t->finish[0])
		luaL_error(L, "a tour needs stations and finish");
}

static void take(lua_State *L, void *arg)
{
	get_tour(L, arg);
}

static struct box box_of(struct tour_script *got, const char *where)
{
	return (struct box){ .where = where,
		.what = "a tour is data",
		.memory = MEMORY,
		.instructions = INSTRUCTIONS,
		.result = take,
		.arg = got };
}

enum st tour_parse(
	struct tour_script *s, const char *where, const char *text, size_t n, struct err *e)
{
	struct tour_script *got = xalloc(sizeof *got);
	struct box b = box_of(got, where);
	enum st st = box_run(&b, text, n, e);

	if (!st)
		*s = *got;
	xfree(got);
	return st;
}

enum st tour_load(struct tour_script *s, const char *path, struct err *e)
{
	struct tour_script *got = xalloc(sizeof *got);
	struct box b = box_of(got, path);
	enum st st = box_run_file(&b, path, e);

	if (!st)
		*s = *got;
	xfree(got);
	return st;
}
