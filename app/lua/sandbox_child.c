/* sandbox_child.c - the process of a stranger's script: hears what to run, runs it, says how it
 * ended.  It has nothing that it could tell anyone but the program at the other end. */
#include "app/lua/sandbox_child.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "app/lua/sandbox.h"

enum { HOOK_EVERY = 10000, ENDED_BADLY = 70 };

struct child *child_of(lua_State *L)
{
	return *(struct child **)lua_getextraspace(L);
}

double child_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- messages; where a pipe fails nobody is left to be told */

static void send_all(const struct wire *w)
{
	for (size_t at = 0; at < w->n;) {
		ssize_t n = write(1, w->p + at, w->n - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(ENDED_BADLY);
		at += (size_t)n;
	}
}

static void read_all(void *to, size_t want)
{
	for (size_t at = 0; at < want;) {
		ssize_t n = read(0, (char *)to + at, want - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(ENDED_BADLY);
		at += (size_t)n;
	}
}

static struct wire_in receive(struct child *c)
{
	uint32_t n;

	read_all(&n, sizeof n);
	if (n > c->cap) {
		free(c->in);
		c->in = malloc(n);
		c->cap = n;
		if (!c->in)
			_exit(ENDED_BADLY);
	}
	read_all(c->in, n);
	return (struct wire_in){ .p = c->in, .n = n };
}

struct wire *child_ask(lua_State *L, enum sandbox_op op)
{
	struct child *c = child_of(L);

	wire_begin(&c->out);
	wire_u8(&c->out, op);
	wire_u32(&c->out, (uint32_t)c->n_dropped);
	for (size_t i = 0; i < c->n_dropped; i++)
		wire_u32(&c->out, c->dropped[i]);
	c->n_told = c->n_dropped;
	return &c->out;
}

/* ---- running */

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct child *c = child_of(L);

	(void)ar;
	if (!c->late && child_cpu() < c->cpu_end)
		return;
	c->late = true;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* a pcall only wins one instruction */
	luaL_error(L, SANDBOX_LATE);
}

static int prepare(lua_State *L)
{
	env_open(L);
	proxy_open(L);
	return 0;
}

struct job {
	const char *path, *text, **argv;
	size_t text_n;
	uint32_t argc;
};

static int body(lua_State *L)
{
	const struct job *j = lua_touserdata(L, 1);

	lua_settop(L, 0);
	lua_newtable(L);
	lua_pushstring(L, j->path);
	lua_rawseti(L, -2, 0);
	for (uint32_t i = 0; i < j->argc; i++) {
		lua_pushstring(L, j->argv[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setglobal(L, "arg");
	lua_pushfstring(L, "@%s", j->path);
	if (luaL_loadbufferx(L, j->text, j->text_n, lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	luaL_checkstack(L, (int)j->argc, "arguments");
	for (uint32_t i = 0; i < j->argc; i++)
		lua_pushstring(L, j->argv[i]);
	lua_call(L, (int)j->argc, 0);
	return 0;
}

static int protected(lua_State *L, lua_CFunction fn, void *arg)
{
	lua_settop(L, 0);
	lua_pushcfunction(L, state_traceback);
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, arg);
	return lua_pcall(L, 1, 0, 1);
}

static void tell_end(struct child *c, lua_State *L, int st)
{
	const char *msg = st != LUA_OK ? lua_tostring(L, -1) : NULL;
	enum sandbox_end end = st == LUA_OK ? END_WELL : END_ERROR;
	size_t n;

	msg = msg ? msg : "";
	n = strlen(msg);
	if (c->late)
		end = END_TIME;
	else if (st == LUA_ERRMEM || (st != LUA_OK && strstr(msg, "not enough memory")))
		end = END_MEMORY;
	wire_begin(&c->out);
	wire_u8(&c->out, SANDBOX_END);
	wire_u8(&c->out, end);
	wire_str(&c->out, msg, n < SANDBOX_SAID ? n : SANDBOX_SAID);
	wire_end(&c->out);
	send_all(&c->out);
}

/* Strings of the first message, each in memory of its own, terminated. */
static char *string(struct wire_in *in, size_t *n)
{
	const char *s = wire_get_str(in, n);
	char *t = malloc(*n + 1);

	if (in->bad || !t)
		_exit(ENDED_BADLY);
	memcpy(t, s, *n);
	t[*n] = 0;
	return t;
}

static void hear_job(struct child *c, struct job *j, double *seconds)
{
	struct wire_in in = receive(c);
	uint64_t bits;
	size_t n;

	c->memory.most = (size_t)wire_get_u64(&in);
	bits = wire_get_u64(&in);
	memcpy(seconds, &bits, sizeof *seconds);
	j->path = string(&in, &n);
	j->text = string(&in, &j->text_n);
	j->argc = wire_get_u32(&in);
	if (in.bad || j->argc > in.n)
		_exit(ENDED_BADLY);
	j->argv = calloc((size_t)j->argc + 1, sizeof *j->argv);
	for (uint32_t i = 0; j->argv && i < j->argc; i++)
		j->argv[i] = string(&in, &n);
	if (!j->argv)
		_exit(ENDED_BADLY);
}

static int panic(lua_State *L)
{
	(void)L;
	_exit(ENDED_BADLY);
}

int sandbox_child(void)
{
	static struct child c = { .out = { .max = WIRE_ASKED } };
	struct job job;
	double seconds;
	lua_State *L;
	int st;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* of the thread that waits for it */
	jail_close_files();
	hear_job(&c, &job, &seconds); /* a parent that is gone already ends it here */
	tzset();
	jail_limits(c.memory.most, seconds);
	L = lua_newstate(state_alloc, &c.memory);
	if (!L)
		_exit(ENDED_BADLY);
	lua_atpanic(L, panic);
	*(struct child **)lua_getextraspace(L) = &c;
	st = protected(L, prepare, NULL);
	wire_begin(&c.out);
	wire_u8(&c.out, SANDBOX_HELLO);
	wire_u8(&c.out, jail_filter());
	wire_end(&c.out);
	send_all(&c.out);
	(void)receive(&c);
	c.cpu_end = child_cpu() + seconds;
	lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
	if (st == LUA_OK)
		st = protected(L, body, &job);
	tell_end(&c, L, st);
	_exit(0);
}

/* ---- answers */

int child_answer(lua_State *L)
{
	struct child *c = child_of(L);
	struct wire_in in;
	const char *s;
	unsigned kind, count;
	size_t n;

	if (c->out.full)
		return luaL_error(
			L, "more than %d KiB at once cannot leave the sandbox", WIRE_ASKED >> 10);
	wire_end(&c->out);
	send_all(&c->out);
	c->n_dropped -= c->n_told; /* the collector may have added more meanwhile */
	memmove(c->dropped, c->dropped + c->n_told, c->n_dropped * sizeof *c->dropped);
	c->n_told = 0;
	in = receive(c);
	kind = wire_get_u8(&in);
	if (kind == 'e') {
		s = wire_get_str(&in, &n);
		luaL_where(L, 1);
		lua_pushlstring(L, s, n);
		lua_concat(L, 2);
		return lua_error(L);
	}
	count = wire_get_u8(&in);
	luaL_checkstack(L, (int)count + 4, "results");
	for (unsigned i = 0; i < count; i++)
		wire_get_value(L, &in, &proxy_handles);
	return (int)count;
}
