/* script.c - the Lua state, its thread, and how it is stopped. */
#include "app/lua/script.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "app/lua/l.h"
#include "app/lua/sandbox.h"
#include "app/lua/state.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"

/* A hook each thousand instructions: a stop is seen within microseconds, and plain arithmetic
 * runs at about half of its speed, where scripts spend no time. */
enum { HOOK_EVERY = 1000, SCRIPT_MAX = 16 << 20 };

struct script {
	struct l_ctx ctx;
	struct token stop;
	char *path, *text, **argv;
	int argc, end_fd, code;
	char *sentence;
	pthread_t thread;
	struct sandbox_options sandbox;
	bool joined, keep, stranger, exited; /* exited: by os.exit, with exit_code */
	int exit_code;
	lua_State *L;                 /* kept between chunks of a console */
	_Atomic uint64_t seen;        /* when Lua code last ran: clock_now() in microseconds */
	_Atomic(const char *) inside; /* the C function that it called since; NULL: not known */
};

static struct script *script_of(lua_State *L)
{
	return (struct script *)(void *)l_ctx(L); /* its first member */
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct script *s = script_of(L);

	(void)ar;
	atomic_store_explicit(&s->seen, (uint64_t)(clock_now() * 1e6), memory_order_relaxed);
	atomic_store_explicit(&s->inside, NULL, memory_order_relaxed);
	if (!token_stopped(&s->stop))
		return;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* a pcall only wins one instruction */
	luaL_error(L, "stopped");
}

/* print: one line through the host, as Lua's own would write it. */
static int l_print(lua_State *L)
{
	const struct host_face *f = host_face(l_ctx(L)->host);

	state_push_line(L);
	if (f->print)
		f->print(f->arg, lua_tostring(L, -1));
	return 0;
}

/* ---- C functions that may take long, so that one which does can be named */

static const struct slow {
	const char *library, *name, *full;
} slow[] = {
	{ "string", "find", "string.find" },
	{ "string", "match", "string.match" },
	{ "string", "gsub", "string.gsub" },
	{ "string", "rep", "string.rep" },
	{ "table", "concat", "table.concat" },
	{ "table", "sort", "table.sort" },
	{ "io", "read", "io.read" },
	{ "io", "lines", "io.lines" },
	{ "os", "execute", "os.execute" },
	{ LUA_FILEHANDLE, "read", "file:read" },
	{ LUA_FILEHANDLE, "close", "file:close" },
};

static int call_slow(lua_State *L)
{
	struct script *s = script_of(L);

	atomic_store_explicit(
		&s->inside, lua_touserdata(L, lua_upvalueindex(2)), memory_order_relaxed);
	atomic_store_explicit(&s->seen, (uint64_t)(clock_now() * 1e6), memory_order_relaxed);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	atomic_store_explicit(&s->inside, NULL, memory_order_relaxed);
	return lua_gettop(L);
}

static void name_slow(lua_State *L)
{
	for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
		if (!strcmp(slow[i].library, LUA_FILEHANDLE)) {
			luaL_getmetatable(L, LUA_FILEHANDLE);
			lua_getfield(L, -1, "__index");
			lua_remove(L, -2);
		} else {
			lua_getglobal(L, slow[i].library);
		}
		lua_getfield(L, -1, slow[i].name);
		lua_pushlightuserdata(L, (void *)(uintptr_t)slow[i].full);
		lua_pushcclosure(L, call_slow, 2);
		lua_setfield(L, -2, slow[i].name);
		lua_pop(L, 1);
	}
}

bool script_stuck(const struct script *s, double seconds, char out[64])
{
	const char *in = atomic_load_explicit(&s->inside, memory_order_relaxed);
	double seen = 1e-6 * (double)atomic_load_explicit(&s->seen, memory_order_relaxed);

	if (clock_now() - seen < seconds)
		return false;
	snprintf(out, 64, "%s", in ? in : "a C function");
	return true;
}

/* ---- a script */

static void push_args(lua_State *L, const struct script *s)
{
	lua_newtable(L);
	lua_pushstring(L, s->path);
	lua_rawseti(L, -2, 0);
	for (int i = 0; i < s->argc; i++) {
		lua_pushstring(L, s->argv[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setglobal(L, "arg");
}

/* os.exit ends the script, not the program around it, and not from this thread. */
static int l_exit(lua_State *L)
{
	struct script *s = script_of(L);

	s->exit_code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);
	s->exited = true;
	token_stop(&s->stop);
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
	return luaL_error(L, "exit");
}

static int prepare(lua_State *L)
{
	luaL_openlibs(L);
	lua_getglobal(L, "os");
	lua_pushcfunction(L, l_exit);
	lua_setfield(L, -2, "exit");
	lua_pop(L, 1);
	lua_register(L, "print", l_print);
	if (host_face(l_ctx(L)->host)->screen)
		l_screen(L);
	name_slow(L);
	l_finalizers(L);
	l_open(L);
	push_args(L, script_of(L));
	return 0;
}

/* What is typed may be an expression: its values are wanted. */
static bool load_expression(lua_State *L, const struct script *s)
{
	lua_pushfstring(L, "return %s", s->text);
	if (luaL_loadbufferx(L, lua_tostring(L, -1), lua_rawlen(L, -1), "=console", "t") ==
		LUA_OK) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

/* Protected, as prepare is: everything that may raise. */
static int body(lua_State *L)
{
	struct script *s = script_of(L);

	if (s->keep && load_expression(L, s)) {
		lua_call(L, 0, LUA_MULTRET);
		if (lua_gettop(L) && !(lua_gettop(L) == 1 && lua_isnil(L, 1)))
			l_show(L);
		return 0;
	}
	lua_pushfstring(L, s->keep ? "=console" : "@%s", s->path);
	if (luaL_loadbufferx(L, s->text, strlen(s->text), lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	for (int i = 0; i < s->argc; i++)
		lua_pushstring(L, s->argv[i]);
	lua_call(L, s->argc, 0);
	return 0;
}

static void conclude(struct script *s, lua_State *L, int st)
{
	const char *msg = st != LUA_OK ? lua_tostring(L, -1) : NULL;

	if (s->exited) {
		s->code = s->exit_code & 255;
	} else if (st == LUA_OK) {
		s->code = s->ctx.missed ? SCRIPT_MISSED : SCRIPT_OK;
	} else if (token_stopped(&s->stop)) {
		s->code = SCRIPT_STOPPED;
		s->sentence = xstrdup("stopped");
	} else {
		s->code = SCRIPT_FAILED;
		s->sentence = xstrdup(msg ? msg : "not enough memory");
	}
}

static void close_state(struct script *s)
{
	if (s->L)
		l_close(s->L);
	s->L = NULL;
	l_ctx_release(&s->ctx);
}

/* One function of no arguments, protected, with a traceback. */
static int protected(lua_State *L, lua_CFunction fn)
{
	lua_settop(L, 0);
	lua_pushcfunction(L, state_traceback);
	lua_pushcfunction(L, fn);
	return lua_pcall(L, 0, 0, 1);
}

static void run_lua(struct script *s)
{
	int st = LUA_OK;

	if (!s->L && (s->L = luaL_newstate()) != NULL) {
		*(struct l_ctx **)lua_getextraspace(s->L) = &s->ctx;
		st = protected(s->L, prepare);
	}
	if (s->L) {
		lua_sethook(s->L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
		st = st == LUA_OK ? protected(s->L, body) : st;
		l_screen_flush(s->L);
		conclude(s, s->L, st);
	} else {
		s->code = SCRIPT_FAILED;
		s->sentence = xstrdup("no memory for Lua");
	}
}

static void run_stranger(struct script *s)
{
	struct sandbox_script what = {
		.path = s->path, .text = s->text, .argc = s->argc, .argv = s->argv
	};

	s->code = sandbox_run(&s->ctx, &s->sandbox, &what, &s->sentence);
}

static void *main_of(void *arg)
{
	struct script *s = arg;
	uint64_t one = 1;

	if (s->stranger)
		run_stranger(s);
	else
		run_lua(s);
	if (!s->keep)
		close_state(s);
	while (write(s->end_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	return NULL;
}

static enum st read_text(struct script *s, const struct script_options *o, struct err *e)
{
	size_t n = 0;
	enum st st = ST_OK;

	if (o->text) {
		s->text = big_alloc(strlen(o->text) + 1, "a script", e);
		if (!s->text)
			return ST_NOMEM;
		memcpy(s->text, o->text, strlen(o->text));
	} else {
		st = fs_read(o->path, SCRIPT_MAX, &s->text, &n, e);
	}
	if (st)
		return st;
	if (s->text[0] == LUA_SIGNATURE[0])
		return err_set(e, ST_INVALID, "%s is compiled Lua: only source is run", o->path);
	/* As lua does: a first line of #! is no Lua. */
	if (!o->text && s->text[0] == '#')
		memcpy(s->text, "--", s->text[1] && s->text[1] != '\n' ? 2 : 1);
	return ST_OK;
}

static void release(struct script *s)
{
	for (int i = 0; i < s->argc; i++)
		xfree(s->argv[i]);
	xfree(s->argv);
	xfree(s->path);
	close_state(s);
	big_free(s->text);
	xfree(s->sentence);
	close(s->end_fd);
	close(s->ctx.wake_fd);
	xfree(s);
}

enum st script_start(
	struct script **out, struct host *h, const struct script_options *o, struct err *e)
{
	struct script *s = xalloc(sizeof *s);
	enum st st;

	*out = NULL;
	*s = (struct script){ .path = xstrdup(o->path), .argc = o->argc, .keep = o->keep };
	token_init(&s->stop, NULL);
	s->stranger = o->sandbox != NULL;
	if (o->sandbox)
		s->sandbox = *o->sandbox;
	s->end_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->ctx = (struct l_ctx){
		.host = h, .stop = &s->stop, .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
	};
	s->argv = xarray((size_t)o->argc + 1, sizeof *s->argv);
	for (int i = 0; i < o->argc; i++)
		s->argv[i] = xstrdup(o->argv[i]);
	st = read_text(s, o, e);
	if (!st) {
		/* Not what scripts print themselves: one that never waits would never read it. */
		s->ctx.sub = bus_subscribe_late(
			host_bus(h), ~((uint64_t)1 << EV_CONSOLE | (uint64_t)1 << EV_NOTICE));
		atomic_store(&s->seen, (uint64_t)(clock_now() * 1e6));
		if (pthread_create(&s->thread, NULL, main_of, s))
			st = err_set(e, ST_NOMEM, "no thread for the script %s", o->path);
	}
	if (st) {
		release(s);
		return st;
	}
	*out = s;
	return ST_OK;
}

enum st script_again(struct script *s, const char *text, struct err *e)
{
	struct script_options o = { .path = s->path, .text = text };
	uint64_t n;

	token_init(&s->stop, NULL);
	s->exited = false;
	s->ctx.awaits = 0;
	(void)!read(s->ctx.wake_fd, &n, sizeof n); /* nothing may have been signalled */
	(void)!read(s->end_fd, &n, sizeof n);
	big_free(s->text);
	s->text = NULL;
	xfree(s->sentence);
	s->sentence = NULL;
	if (read_text(s, &o, e))
		return e->st;
	s->joined = false;
	if (!pthread_create(&s->thread, NULL, main_of, s))
		return ST_OK;
	s->joined = true;
	return err_set(e, ST_NOMEM, "no thread for Lua");
}

void script_stop(struct script *s)
{
	uint64_t one = 1;

	token_stop(&s->stop);
	if (write(s->ctx.wake_fd, &one, sizeof one) < 0) {
		/* full: it is readable already */
	}
	host_wake(s->ctx.host);
}

uint32_t script_awaits(const struct script *s)
{
	return s->ctx.awaits;
}

lua_State *script_state(const struct script *s)
{
	return s->joined ? s->L : NULL;
}

int script_fd(const struct script *s)
{
	return s->end_fd;
}

int script_join(struct script *s, const char **sentence)
{
	if (!s->joined)
		pthread_join(s->thread, NULL);
	s->joined = true;
	*sentence = s->sentence ? s->sentence : "";
	return s->code;
}

void script_free(struct script *s)
{
	const char *sentence;

	if (!s)
		return;
	script_stop(s);
	script_join(s, &sentence);
	release(s);
}
