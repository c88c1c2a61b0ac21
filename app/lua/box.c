/* box.c - see box.h. */
#include "app/lua/box.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "app/lua/state.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

struct run {
	const struct box *box;
	const char *text;
	size_t n;
	struct state_memory memory;
	int line; /* that runs, or that box_at found; 0: none yet */
	bool looking;
};

static struct run *run_of(lua_State *L)
{
	return *(struct run **)lua_getextraspace(L);
}

/* Each line, for the messages that Lua gives without one; and once, when it is enough. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
	struct run *r = run_of(L);

	if (ar->event == LUA_HOOKLINE) {
		r->line = ar->currentline;
		return;
	}
	lua_getinfo(L, "Sl", ar);
	luaL_error(L, "%s:%d: %s: this one computes too long", ar->short_src, ar->currentline,
		r->box->what);
}

static int body(lua_State *L)
{
	struct run *r = lua_touserdata(L, 1);
	const char *chunk = lua_pushfstring(L, "=%s", r->box->where);

	if (luaL_loadbufferx(L, r->text, r->n, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_newtable(L);
	if (r->box->environment)
		r->box->environment(L, r->box->arg);
	lua_setupvalue(L, -2, 1);
	lua_sethook(L, on_hook, LUA_MASKCOUNT | LUA_MASKLINE, r->box->instructions);
	lua_call(L, 0, 1);
	lua_sethook(L, NULL, 0, 0);
	r->line = 0;
	if (r->box->result)
		r->box->result(L, r->box->arg);
	return 0;
}

static enum st failed(lua_State *L, const struct run *r, int code, struct err *e)
{
	const char *where = r->box->where, *why = lua_tostring(L, -1);
	size_t len = strlen(where);

	if (code == LUA_ERRMEM)
		return err_set(e, ST_FORMAT,
			"%s:%d: it takes more than the %zu KiB of memory that "
			"it may",
			where, r->line, r->box->memory >> 10);
	/* Lua's own messages name the file and the line already. */
	if (why && !strncmp(why, where, len) && why[len] == ':')
		return err_set(e, ST_FORMAT, "%s", why);
	if (why && r->line && r->looking)
		return err_set(e, ST_FORMAT, "%s:%d: %s", where, r->line, why);
	return err_set(e, ST_FORMAT, "%s: %s", where, why ? why : "an error that is no text");
}

enum st box_run(const struct box *b, const char *text, size_t n, struct err *e)
{
	struct run r = { .box = b, .text = text, .n = n, .memory = { 0, b->memory } };
	lua_State *L = lua_newstate(state_alloc, &r.memory);
	enum st st = ST_OK;
	int code;

	if (!L)
		return err_set(e, ST_NOMEM, "%s: no memory for a Lua state", b->where);
	*(struct run **)lua_getextraspace(L) = &r;
	lua_pushcfunction(L, body);
	lua_pushlightuserdata(L, &r);
	code = lua_pcall(L, 1, 0, 0);
	if (code != LUA_OK)
		st = failed(L, &r, code, e);
	lua_close(L);
	return st;
}

enum st box_run_file(struct box *b, const char *path, struct err *e)
{
	char *text;
	size_t n;
	enum st st = fs_read(path, BOX_FILE_MAX, &text, &n, e);

	if (st)
		return st;
	b->where = fs_name(path);
	st = box_run(b, text, n, e);
	big_free(text);
	return st;
}

/* The first line that says "field =". */
void box_at(lua_State *L, const char *field)
{
	struct run *r = run_of(L);
	size_t len = strlen(field);
	int line = 1;

	r->line = 0;
	r->looking = true;
	for (const char *s = r->text, *end = r->text + r->n; s < end; s++) {
		bool begins = s == r->text || strchr(" \t\n{,;", s[-1]);

		if (begins && (size_t)(end - s) > len && !memcmp(s, field, len) &&
			s[len + strspn(s + len, " \t")] == '=') {
			r->line = line;
			return;
		}
		line += *s == '\n';
	}
}

void box_where(lua_State *L, char *out, size_t cap)
{
	const struct run *r = run_of(L);

	if (r->line)
		snprintf(out, cap, "%s:%d", r->box->where, r->line);
	else
		snprintf(out, cap, "%s", r->box->where);
}

const char *box_string(lua_State *L, const char *what)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s: expected a string, got a %s", what, luaL_typename(L, -1));
	return lua_tostring(L, -1);
}
