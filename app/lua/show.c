/* show.c - what an expression of the console gave, as a person reads it: as print has it, but of a
 * table what is in it, one level deep and short. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/text.h"

enum { SHOWN = 12, LOOKED_AT = 512, TEXT = 48 };

struct line {
	char s[2048];
	size_t n;
};

static void add(struct line *o, const char *s, size_t n)
{
	if (n > sizeof o->s - 1 - o->n) {
		n = sizeof o->s - 1 - o->n;
		n -= utf8_partial_tail(s, n);
	}
	memcpy(o->s + o->n, s, n);
	o->n += n;
	o->s[o->n] = 0;
}

static void add_str(struct line *o, const char *s)
{
	add(o, s, strlen(s));
}

/* A value inside a table: strings quoted and cut, tables not entered. */
static void inner(lua_State *L, struct line *o, int at)
{
	size_t n;
	const char *s;

	switch (lua_type(L, at)) {
	case LUA_TTABLE:
		add_str(o, "{…}");
		return;
	case LUA_TFUNCTION:
		add_str(o, "function");
		return;
	case LUA_TSTRING:
		s = lua_tolstring(L, at, &n);
		add_str(o, "\"");
		add(o, s, n <= TEXT ? n : TEXT - utf8_partial_tail(s, TEXT));
		add_str(o, n <= TEXT ? "\"" : "…\"");
		return;
	default:
		s = luaL_tolstring(L, at, &n);
		add(o, s, n);
		lua_pop(L, 1);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

struct keys {
	const char *name[LOOKED_AT]; /* of strings that a table on the stack holds */
	size_t n, others;            /* others: not shown by name */
	bool more;
};

/* Pushes a table that keeps the names alive, whatever a __tostring does to the one shown. */
static void names_of(lua_State *L, int at, lua_Integer length, struct keys *k)
{
	lua_Integer n;

	k->n = k->others = 0;
	k->more = false;
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		if (lua_isinteger(L, -2) && (n = lua_tointeger(L, -2)) >= 1 && n <= length)
			continue;
		if (k->n + k->others == LOOKED_AT) {
			k->more = true;
			lua_pop(L, 2);
			break;
		}
		if (lua_type(L, -2) != LUA_TSTRING) {
			k->others++;
			continue;
		}
		k->name[k->n++] = lua_tostring(L, -2);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -4, (lua_Integer)k->n);
	}
	qsort(k->name, k->n, sizeof *k->name, by_name);
}

static void table(lua_State *L, struct line *o, int at)
{
	lua_Integer length = (lua_Integer)lua_rawlen(L, at);
	char more[48];
	struct keys k;
	size_t shown = 0, left;

	names_of(L, at, length, &k);
	add_str(o, "{");
	for (lua_Integer i = 1; i <= length && shown < SHOWN; i++, shown++) {
		add_str(o, shown ? ", " : " ");
		lua_rawgeti(L, at, i);
		inner(L, o, lua_gettop(L));
		lua_pop(L, 1);
	}
	left = (size_t)length - shown;
	for (size_t i = 0; i < k.n && i < SHOWN; i++, shown++) {
		add_str(o, shown ? ", " : " ");
		add_str(o, is_name(k.name[i]) ? "" : "[\"");
		add_str(o, k.name[i]);
		add_str(o, is_name(k.name[i]) ? " = " : "\"] = ");
		lua_pushstring(L, k.name[i]);
		lua_rawget(L, at);
		inner(L, o, lua_gettop(L));
		lua_pop(L, 1);
	}
	left += (k.n > SHOWN ? k.n - SHOWN : 0) + k.others;
	if (left || k.more) {
		snprintf(more, sizeof more, "%s… %s%zu more", shown ? ", " : " ",
			k.more ? "at least " : "", left);
		add_str(o, more);
	}
	add_str(o, shown || left ? " }" : "}");
	lua_pop(L, 1);
}

void l_show(lua_State *L)
{
	const struct host_face *f = host_face(l_ctx(L)->host);
	int n = lua_gettop(L);
	luaL_Buffer b;

	for (int i = 1; i <= n; i++) {
		if (lua_istable(L, i) && luaL_getmetafield(L, i, "__tostring") == LUA_TNIL) {
			struct line o = { .n = 0 };

			table(L, &o, i);
			lua_pushlstring(L, o.s, o.n);
		} else {
			lua_settop(L, n); /* the field of its metatable */
			luaL_tolstring(L, i, NULL);
		}
		lua_replace(L, i);
	}
	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, '\t');
		lua_pushvalue(L, i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	if (f->print)
		f->print(f->arg, lua_tostring(L, -1));
}
