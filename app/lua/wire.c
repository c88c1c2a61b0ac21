/* wire.c - see wire.h.  Numbers lie as this machine has them: both ends are one program. */
#include "app/lua/wire.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 4 };
enum tag { T_NIL, T_FALSE, T_TRUE, T_INTEGER, T_NUMBER, T_STRING, T_TABLE, T_HANDLE };

static void put(struct wire *w, const void *p, size_t n)
{
	if (w->full || n > w->max - w->n) {
		w->full = true;
		return;
	}
	if (n > w->cap - w->n) {
		size_t cap = w->cap ? w->cap : 256;
		uint8_t *grown;

		while (cap - w->n < n)
			cap *= 2;
		grown = realloc(w->p, cap);
		if (!grown) {
			w->full = true;
			return;
		}
		w->p = grown;
		w->cap = cap;
	}
	if (n)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

void wire_begin(struct wire *w)
{
	w->n = 0;
	w->full = false;
	wire_u32(w, 0);
}

void wire_u8(struct wire *w, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(w, &b, 1);
}

void wire_u32(struct wire *w, uint32_t v)
{
	put(w, &v, sizeof v);
}

void wire_u64(struct wire *w, uint64_t v)
{
	put(w, &v, sizeof v);
}

void wire_str(struct wire *w, const char *s, size_t n)
{
	if (n > w->max) {
		w->full = true;
		return;
	}
	wire_u32(w, (uint32_t)n);
	put(w, s, n);
}

void wire_end(struct wire *w)
{
	uint32_t n = (uint32_t)(w->n - HEAD);

	if (!w->full)
		memcpy(w->p, &n, sizeof n);
}

void wire_release(struct wire *w)
{
	free(w->p);
	w->p = NULL;
	w->n = w->cap = 0;
}

/* ---- reading */

static const uint8_t *take(struct wire_in *in, size_t n)
{
	const uint8_t *p = in->p + in->at;

	if (in->bad || n > in->n - in->at) {
		in->bad = true;
		return NULL;
	}
	in->at += n;
	return p;
}

unsigned wire_get_u8(struct wire_in *in)
{
	const uint8_t *p = take(in, 1);

	return p ? *p : 0;
}

uint32_t wire_get_u32(struct wire_in *in)
{
	const uint8_t *p = take(in, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

uint64_t wire_get_u64(struct wire_in *in)
{
	const uint8_t *p = take(in, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

const char *wire_get_str(struct wire_in *in, size_t *n)
{
	const uint8_t *p;

	*n = wire_get_u32(in);
	p = take(in, *n);
	if (!p)
		*n = 0;
	return p ? (const char *)p : "";
}

/* ---- values */

static void put_table(
	lua_State *L, struct wire *w, int at, const struct wire_handles *h, int depth);

static void put_number(lua_State *L, struct wire *w, int at)
{
	lua_Number d;
	uint64_t bits;

	if (lua_isinteger(L, at)) {
		wire_u8(w, T_INTEGER);
		wire_u64(w, (uint64_t)lua_tointeger(L, at));
		return;
	}
	d = lua_tonumber(L, at);
	memcpy(&bits, &d, sizeof bits);
	wire_u8(w, T_NUMBER);
	wire_u64(w, bits);
}

static void put_value(lua_State *L, struct wire *w, int at, const struct wire_handles *h, int depth)
{
	const char *s;
	size_t n;

	switch (lua_type(L, at)) {
	case LUA_TNIL:
		wire_u8(w, T_NIL);
		break;
	case LUA_TBOOLEAN:
		wire_u8(w, lua_toboolean(L, at) ? T_TRUE : T_FALSE);
		break;
	case LUA_TNUMBER:
		put_number(L, w, at);
		break;
	case LUA_TSTRING:
		s = lua_tolstring(L, at, &n);
		wire_u8(w, T_STRING);
		wire_str(w, s, n);
		break;
	case LUA_TTABLE:
		put_table(L, w, at, h, depth);
		break;
	default:
		wire_u8(w, T_HANDLE);
		if (!h->put(L, w, at, h->arg))
			luaL_error(L, "a %s cannot leave the sandbox", luaL_typename(L, at));
	}
	if (w->full)
		luaL_error(L, "more than %d KiB at once cannot leave the sandbox",
			(int)(w->max >> 10));
}

static void put_table(lua_State *L, struct wire *w, int at, const struct wire_handles *h, int depth)
{
	uint32_t n = 0;

	if (depth >= WIRE_DEPTH)
		luaL_error(L, "tables in tables, more than %d deep, cannot leave the sandbox",
			WIRE_DEPTH);
	luaL_checkstack(L, 8, "tables");
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		n++;
	wire_u8(w, T_TABLE);
	wire_u32(w, n);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		int type = lua_type(L, -2);

		if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
			luaL_error(
				L, "a %s as a key cannot leave the sandbox", luaL_typename(L, -2));
		put_value(L, w, lua_gettop(L) - 1, h, depth + 1);
		put_value(L, w, lua_gettop(L), h, depth + 1);
	}
}

void wire_put_value(lua_State *L, struct wire *w, int at, const struct wire_handles *h)
{
	put_value(L, w, lua_absindex(L, at), h, 0);
}

static void bad(lua_State *L, struct wire_in *in)
{
	in->bad = true;
	luaL_error(L, "a message that makes no sense");
}

static void get_table(lua_State *L, struct wire_in *in, const struct wire_handles *h, int depth);

static void get_value(lua_State *L, struct wire_in *in, const struct wire_handles *h, int depth)
{
	unsigned tag = wire_get_u8(in);
	const char *s;
	uint64_t bits;
	lua_Number d;
	size_t n;

	if (in->bad || ++in->values > WIRE_VALUES)
		bad(L, in);
	switch (tag) {
	case T_NIL:
		lua_pushnil(L);
		break;
	case T_FALSE:
	case T_TRUE:
		lua_pushboolean(L, tag == T_TRUE);
		break;
	case T_INTEGER:
		lua_pushinteger(L, (lua_Integer)wire_get_u64(in));
		break;
	case T_NUMBER:
		bits = wire_get_u64(in);
		memcpy(&d, &bits, sizeof d);
		lua_pushnumber(L, d);
		break;
	case T_STRING:
		s = wire_get_str(in, &n);
		lua_pushlstring(L, s, n);
		break;
	case T_TABLE:
		get_table(L, in, h, depth);
		break;
	case T_HANDLE:
		h->get(L, in, h->arg);
		break;
	default:
		in->bad = true;
	}
	if (in->bad)
		bad(L, in);
}

static void get_table(lua_State *L, struct wire_in *in, const struct wire_handles *h, int depth)
{
	uint32_t n = wire_get_u32(in);

	if (depth >= WIRE_DEPTH || n > WIRE_VALUES)
		bad(L, in);
	luaL_checkstack(L, 8, "tables");
	lua_newtable(L); /* grows with what is there, not with what is said to be there */
	while (n--) {
		int type;

		get_value(L, in, h, depth + 1);
		type = lua_type(L, -1);
		if ((type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) ||
			(type == LUA_TNUMBER && !lua_rawequal(L, -1, -1))) /* NaN */
			bad(L, in);
		get_value(L, in, h, depth + 1);
		lua_rawset(L, -3);
	}
}

void wire_get_value(lua_State *L, struct wire_in *in, const struct wire_handles *h)
{
	get_value(L, in, h, 0);
}
