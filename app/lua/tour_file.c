/* tour_file - the stations of the tour, with every field checked. */
#include "app/lua/tour_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

enum { INSTRUCTIONS = 100000, MEMORY = 1 << 20, FILE_MAX = 64 << 10 };

static void *limited(void *ud, void *p, size_t old, size_t now)
{
	size_t *used = ud;
	void *q;

	if (!p)
		old = 0; /* then it is a kind of object, not a size */
	if (!now) {
		*used -= old;
		free(p);
		return NULL;
	}
	if (now > old && now - old > MEMORY - *used)
		return NULL;
	q = realloc(p, now);
	if (q)
		*used = *used - old + now;
	return q;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
	lua_getinfo(L, "Sl", ar);
	luaL_error(L, "%s:%d: a tour is data: this one computes too long", ar->short_src,
		ar->currentline);
}

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

struct call {
	struct tour_script *s;
	const char *where, *text;
	size_t n;
};

static int run(lua_State *L)
{
	struct call *c = lua_touserdata(L, 1);
	const char *chunk = lua_pushfstring(L, "=%s", c->where);

	if (luaL_loadbufferx(L, c->text, c->n, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_newtable(L); /* the environment: nothing */
	lua_setupvalue(L, -2, 1);
	lua_sethook(L, too_long, LUA_MASKCOUNT, INSTRUCTIONS);
	lua_call(L, 0, 1);
	lua_sethook(L, NULL, 0, 0);
	get_tour(L, c->s);
	return 0;
}

enum st tour_parse(
	struct tour_script *s, const char *where, const char *text, size_t n, struct err *e)
{
	struct tour_script *got = xalloc(sizeof *got);
	struct call call = { got, where, text, n };
	size_t used = 0;
	lua_State *L = lua_newstate(limited, &used);
	enum st st = ST_OK;

	if (!L) {
		xfree(got);
		return err_set(e, ST_NOMEM, "%s: no memory for a Lua state", where);
	}
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, &call);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		const char *why = lua_tostring(L, -1);
		size_t len = strlen(where);

		/* Lua's own messages name the file and the line already. */
		if (why && !strncmp(why, where, len) && why[len] == ':')
			st = err_set(e, ST_FORMAT, "%s", why);
		else
			st = err_set(e, ST_FORMAT, "%s: %s", where, why ? why : "not a tour");
	} else {
		*s = *got;
	}
	lua_close(L);
	xfree(got);
	return st;
}

enum st tour_load(struct tour_script *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *text;
	size_t n;
	enum st st = fs_read(path, FILE_MAX, &text, &n, e);

	if (st)
		return st;
	st = tour_parse(s, slash ? slash + 1 : path, text, n, e);
	big_free(text);
	return st;
}
