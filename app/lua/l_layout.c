/* l_layout.c - bitdial.layout: which linear has which format, as handles. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/model/model.h"

struct l_layout {
	struct snap_answer *a;
	struct snap_model *m;
};

static void release(void *handle)
{
	struct l_layout *l = handle;

	snap_unref(&l->a->snap);
	snap_unref(&l->m->snap);
}

int l_push_layout(lua_State *L)
{
	struct snap_answer *a = (struct snap_answer *)(uintptr_t)l_last(L, EV_ANSWER);
	struct snap_model *m = (struct snap_model *)(uintptr_t)l_last(L, EV_MODEL);
	struct l_layout *l;

	if (!a || !m || a->n != m->n) {
		lua_pushnil(L);
		return 1;
	}
	l = l_new(L, &l_layout_class);
	l->a = (struct snap_answer *)snap_ref(&a->snap);
	l->m = (struct snap_model *)snap_ref(&m->snap);
	return 1;
}

static int get(lua_State *L, void *handle, const char *field)
{
	const struct snap_answer *a = ((struct l_layout *)handle)->a;

	if (!strcmp(field, "tostring")) {
		char s[64];

		snprintf(s, sizeof s, " %.2f bpw, KL %.4f", a->stored_bpw, a->kl);
		lua_pushstring(L, s);
	} else if (!strcmp(field, "bpw"))
		lua_pushnumber(L, a->stored_bpw);
	else if (!strcmp(field, "nominal_bpw"))
		lua_pushnumber(L, a->nominal_bpw);
	else if (!strcmp(field, "bytes"))
		lua_pushinteger(L, (lua_Integer)a->bytes);
	else if (!strcmp(field, "file_bytes"))
		lua_pushinteger(L, (lua_Integer)a->file_bytes);
	else if (!strcmp(field, "damage"))
		l_push_number(L, a->in_nats ? a->kl : (double)NAN);
	else if (!strcmp(field, "se"))
		l_push_number(L, a->in_nats ? a->se : (double)NAN);
	else if (!strcmp(field, "measured"))
		l_push_number(L, a->measured_kl);
	else if (!strcmp(field, "measured_se"))
		l_push_number(L, a->measured_se);
	else
		lua_pushboolean(L, a->exact);
	return 1;
}

static const struct l_opt fields[] = {
	{ "bpw", "number", "stored bits a weight of the linears" },
	{ "nominal_bpw", "number", "codes alone, with 4 bits a group" },
	{ "bytes", "number", "of the linears" },
	{ "file_bytes", "number", "with all the rest of the model" },
	{ "damage", "number",
		"predicted KL from the reference, nats a token; nil before it is known" },
	{ "se", "number", "its standard error" },
	{ "measured", "number", "KL measured on text the scan has not seen; nil: not measured" },
	{ "measured_se", "number", "its standard error" },
	{ "exact", "boolean", "no layout of these bytes is predicted to do less" },
	{ NULL, NULL, NULL },
};

/* ---- methods */

static int formats(lua_State *L)
{
	struct l_layout *l = l_check(L, 1, &l_layout_class);
	char linear[32], format[FORMAT_NAME];

	lua_createtable(L, 0, (int)l->a->n);
	for (size_t i = 0; i < l->a->n; i++) {
		lua_pushstring(L, format_name(l->m->format[l->a->choice[i]], format));
		lua_setfield(L, -2, linear_name(i, linear));
	}
	return 1;
}

static enum st do_choose(struct session *s, void *arg, struct err *e)
{
	const struct snap_answer *a = arg;

	return session_choose(s, a->choice, a->n, a->kl, a->se, e);
}

/* Behind 1 it is an option's value, of which "bad argument #2" would tell nobody anything. */
enum st l_use_layout(lua_State *L, int at, struct err *e)
{
	const struct snap_answer *now;
	struct l_layout *l;

	if (at > 1 && !luaL_testudata(L, at, l_layout_class.name))
		luaL_error(L,
			"%s: layout: expected a layout, as bitdial.layout(\"int4g128\") gives it, "
			"got a %s",
			l_name(L), luaL_typename(L, at));
	l = l_check(L, at, &l_layout_class);
	l_hear(L);
	now = l_last(L, EV_ANSWER);
	if (now && now->n == l->a->n && !memcmp(now->choice, l->a->choice, now->n))
		return ST_OK;
	return l_call(L, do_choose, l->a, NULL, e);
}

static int use(lua_State *L)
{
	struct err e = { 0 };

	if (l_use_layout(L, 1, &e))
		return l_fail(L, &e);
	lua_settop(L, 1);
	return 1;
}

static enum st do_write(struct session *s, void *arg, struct err *e)
{
	return session_layout_write(s, arg, e);
}

static enum st do_read(struct session *s, void *arg, struct err *e)
{
	return session_layout_read(s, arg, e);
}

static int write_now(lua_State *L)
{
	const char *path = luaL_checkstring(L, 2);
	struct err e = { 0 };
	uint32_t job;

	if (l_use_layout(L, 1, &e) || l_call(L, do_write, (void *)(uintptr_t)path, &job, &e) ||
		!l_await(L, job, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct l_fn methods[] = {
	{ "formats", "() -> {linear = format}", "the format of every linear by its name", formats,
		NULL },
	{ "use", "() -> layout | nil, message", "puts it under the dial", use, NULL },
	{ "write", "(path) -> true | nil, message", "as a layout file", write_now, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_class l_layout_class = {
	.name = "layout",
	.help = "a choice of formats, with what is predicted of it",
	.method = methods,
	.field = fields,
	.get = get,
	.release = release,
	.size = sizeof(struct l_layout),
	.sandbox = "formats use",
};

static int read_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct err e = { 0 };
	uint32_t job;

	if (l_call(L, do_read, (void *)(uintptr_t)path, &job, &e) || !l_await(L, job, &e))
		return l_fail(L, &e);
	return l_push_layout(L);
}

static int now(lua_State *L)
{
	l_hear(L);
	return l_push_layout(L);
}

static const struct l_fn fns[] = {
	{ "read", "(path) -> layout | nil, message", "a layout file, put under the dial", read_file,
		NULL },
	{ "now", "() -> layout | nil", "the one under the dial", now, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_layout = {
	.name = "layout",
	.help = "which linear has which format",
	.main = "read",
	.fn = fns,
	.class = &l_layout_class,
	.sandbox = "read=path now",
};
