/* l_models.c - bitdial.models: opening a model, and what it is. */
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/tui/devices.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/dial_run.h"

struct l_model {
	struct snap_model *m;
	char calibration[128]; /* the run and the step it was opened from; "": none */
};

static void release(void *handle)
{
	snap_unref(&((struct l_model *)handle)->m->snap);
}

/* As its runs have it. */
static void push_path(lua_State *L, const char *path)
{
	char *real = fs_real(path);

	lua_pushstring(L, real);
	xfree(real);
}

static int get(lua_State *L, void *handle, const char *field)
{
	const struct l_model *h = handle;
	const struct snap_model *m = h->m;
	char name[FORMAT_NAME];

	if (!strcmp(field, "tostring"))
		lua_pushfstring(L, " %s", m->name);
	else if (!strcmp(field, "name"))
		lua_pushstring(L, m->name);
	else if (!strcmp(field, "path"))
		push_path(L, m->path);
	else if (!strcmp(field, "calibration"))
		lua_pushstring(L, h->calibration[0] ? h->calibration : NULL);
	else if (!strcmp(field, "reference"))
		lua_pushstring(L, m->reference);
	else if (!strcmp(field, "text"))
		lua_pushstring(L, m->text);
	else if (!strcmp(field, "device"))
		lua_pushstring(L, m->device);
	else if (!strcmp(field, "layers"))
		lua_pushinteger(L, (lua_Integer)m->layers);
	else if (!strcmp(field, "linears"))
		lua_pushinteger(L, (lua_Integer)m->n);
	else if (!strcmp(field, "weights"))
		lua_pushinteger(L, (lua_Integer)m->weights);
	else if (!strcmp(field, "file_bytes"))
		lua_pushinteger(L, (lua_Integer)m->file_bytes);
	else {
		lua_createtable(L, (int)m->k, 0);
		for (size_t f = 0; f < m->k; f++) {
			lua_pushstring(L, format_name(m->format[f], name));
			lua_rawseti(L, -2, (lua_Integer)f + 1);
		}
	}
	return 1;
}

static const struct l_opt fields[] = {
	{ "name", "string", "as the file says" },
	{ "path", "string", "where it was opened from" },
	{ "calibration", "string",
		"the run and its step, ID/step-000240, that it was opened from; nil: a model" },
	{ "reference", "string", "what every damage is measured against" },
	{ "text", "string", "what scans measure on" },
	{ "device", "string", "what computes, with how many threads" },
	{ "layers", "number", "blocks" },
	{ "linears", "number", "weight matrices of all blocks" },
	{ "weights", "number", "in the linears" },
	{ "file_bytes", "number", "of the file" },
	{ "formats", "table", "the names of the dial's formats, fewest bits first" },
	{ NULL, NULL, NULL },
};

static const struct l_class class = {
	.name = "model",
	.help = "an open model; there is one at a time, and opening another replaces it",
	.field = fields,
	.get = get,
	.release = release,
	.size = sizeof(struct l_model),
};

static enum st open_path(struct session *s, void *arg, struct err *e)
{
	return session_open(s, arg, e);
}

/* Pushes the path of the demo model; NULL: e says why. */
static const char *push_demo(lua_State *L, struct err *e)
{
	const struct host_demo *d = &host_face(l_ctx(L)->host)->demo;
	char *made;

	if (!d->make) {
		(void)err_set(e, ST_UNSUPPORTED, "bitdial.open: there is no demo model here");
		return NULL;
	}
	made = d->make(d->read_only, e);
	lua_pushstring(L, made);
	xfree(made);
	return lua_tostring(L, -1);
}

/* "": it is a model. */
static void name_calibration(struct l_model *h, const char *path)
{
	struct dial_run r;
	struct err e;

	h->calibration[0] = '\0';
	if (!dial_run_is(path) || dial_run_find(&r, path, &e))
		return;
	snprintf(h->calibration, sizeof h->calibration, "%s%s", r.id, strrchr(r.dir, '/'));
	dial_run_release(&r);
}

static int open_model(lua_State *L)
{
	const char *path = NULL;
	bool demo = lua_isnoneornil(L, 1) && host_face(l_ctx(L)->host)->demo.usual;
	struct err e = { 0 };
	struct l_model *h;
	uint32_t job;

	if (lua_istable(L, 1)) {
		l_options(L, 1);
		path = l_string(L, 1, "path", NULL);
		demo = l_flag(L, 1, "demo", false);
		luaL_argcheck(L, path || demo, 1, "path is missing: {path = FILE}");
		luaL_argcheck(L, !path || !demo, 1, "the demo is a model of its own: no path");
	} else if (!demo) {
		path = luaL_checkstring(L, 1);
	}
	if (demo && !(path = push_demo(L, &e)))
		return l_fail(L, &e);
	if (!fs_is_file(path) && !fs_is_dir(path) && !dial_run_is(path)) {
		(void)err_set(&e, ST_IO, "%s: there is no such file or folder", path);
		return l_fail(L, &e);
	}
	if (l_call(L, open_path, (void *)(uintptr_t)path, &job, &e) || !l_await(L, job, &e))
		return l_fail(L, &e);
	h = l_new(L, &class);
	h->m = (struct snap_model *)snap_ref((struct snap *)(uintptr_t)l_last(L, EV_MODEL));
	name_calibration(h, path);
	return 1;
}

static int now(lua_State *L)
{
	struct snap_model *m;

	l_hear(L);
	m = (struct snap_model *)(uintptr_t)l_last(L, EV_MODEL);
	if (!m) {
		lua_pushnil(L);
		return 1;
	}
	((struct l_model *)l_new(L, &class))->m = (struct snap_model *)snap_ref(&m->snap);
	return 1;
}

static enum st move_to(struct session *s, void *arg, struct err *e)
{
	return session_device(s, arg, e);
}

static enum st ask_device(struct session *s, void *arg, struct err *e)
{
	(void)e;
	*(const char **)arg = session_device_now(s);
	return ST_OK;
}

static int device(lua_State *L)
{
	const char *name = luaL_optstring(L, 1, NULL), *here = "";
	struct err e = { 0 };
	uint32_t job;

	if (name &&
		(devices_check(name, &e) || l_call(L, move_to, (void *)(uintptr_t)name, &job, &e) ||
			!l_await(L, job, &e)))
		return l_fail(L, &e);
	if (l_call(L, ask_device, (void *)&here, NULL, &e))
		return l_fail(L, &e);
	lua_pushstring(L, here);
	return 1;
}

static const struct l_opt open_options[] = {
	{ "path", "string", "a .gguf, a .safetensors, a llama2.c .bin or a folder" },
	{ "demo", "boolean", "the tiny model in place of a path; with --demo --batch also open()" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "open", "(path) or {demo=true} -> model | nil, message",
		"opens a model; also bitdial.open", open_model, open_options },
	{ "now", "() -> model | nil", "the one that is open", now, NULL },
	{ "device", "([name]) -> name | nil, message",
		"moves the model to 'cpu', 'cuda:0' or, with 'auto', the best there is, and waits "
		"for it; "
		"without a name: where it is",
		device, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_models = {
	.name = "models",
	.help = "opening a model, and what it is",
	.main = "open",
	.fn = fns,
	.class = &class,
	.sandbox = "open=path now",
};
