/* l_cmd.c - bitdial.cmd: the command line of the workbench, and acts of a command log
 * (app/tui/acts.h) done again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/work/votes.h"

struct typed {
	struct host *host;
	const char *line;
	bool stranger;
};

static enum st obey(struct session *s, void *arg, struct err *e)
{
	const struct typed *t = arg;

	(void)s;
	if (t->stranger && host_allowed(t->host, t->line, e))
		return e->st;
	return host_command(t->host, t->line, e);
}

static int run(lua_State *L)
{
	struct typed t = { l_ctx(L)->host, luaL_checkstring(L, 1), l_ctx(L)->stranger };
	struct err e = { 0 };

	if (l_call(L, obey, &t, NULL, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- acts of a log */

static enum st busy(struct session *s, void *arg, struct err *e)
{
	(void)e;
	*(bool *)arg = session_busy(s);
	return ST_OK;
}

/* Until all that was begun is over. */
static bool settle(lua_State *L, struct err *e)
{
	bool is = true;

	while (!l_call(L, busy, &is, NULL, e)) {
		if (!is)
			return true;
		l_wait(L, 20);
	}
	return false;
}

struct place {
	lua_Integer cells, points;
};

static enum st seek(struct session *s, void *arg, struct err *e)
{
	const struct place *p = arg;

	return session_seek(s, (size_t)p->cells, (size_t)p->points, e);
}

static bool go(lua_State *L, int at, struct err *e)
{
	struct place p = { luaL_checkinteger(L, at), luaL_checkinteger(L, at + 1) };
	uint32_t job;

	luaL_argcheck(L, p.cells >= 0, at, "expected how many cells were known");
	luaL_argcheck(L, p.points >= 0, at + 1, "expected how many measured layouts were known");
	return !l_call(L, seek, &p, &job, e) && l_await(L, job, e) && settle(L, e);
}

static int at(lua_State *L)
{
	struct err e = { 0 };

	if (!go(L, 1, &e))
		return luaL_error(L, "%s", e.msg);
	lua_pushboolean(L, 1);
	return 1;
}

/* Of a number that is not what it was: pushes both. */
static bool other(lua_State *L, const char *what, double now, double was, double within)
{
	char text[96];

	if (!isfinite(was) || fabs(now - was) <= within * fabs(was))
		return false;
	snprintf(text, sizeof text, "%s %.6g, in the log %.6g", what, now, was);
	lua_pushstring(L, text);
	return true;
}

/* What came of an act before, against what came of it now: pushes how it differs; false: it does
 * not.  Predictions come out of the same sums; measurements may be of another machine's kernels. */
static bool differs(lua_State *L, int want)
{
	const struct snap_answer *a = l_last(L, EV_ANSWER);
	const struct snap_model *m = l_last(L, EV_MODEL);
	const char *layout = l_string(L, want, "layout", NULL);
	double bytes = l_number(L, want, "bytes", (double)NAN);
	char id[9];

	if (!a || !m || m->n != a->n) {
		lua_pushliteral(L, "there is no layout");
		return true;
	}
	if (other(L, "bytes", (double)a->bytes, bytes, 0) ||
		other(L, "predicted KL", a->kl, l_number(L, want, "kl", (double)NAN), 1e-6) ||
		other(L, "measured KL", a->measured_kl,
			l_number(L, want, "measured", (double)NAN), 1e-3))
		return true;
	votes_layout_id(id, m->format, a->choice, a->n);
	if (!layout || !strcmp(id, layout))
		return false;
	lua_pushfstring(L, "layout %s, in the log %s", id, layout);
	return true;
}

static void compare(lua_State *L, int want, const char *line)
{
	struct l_ctx *c = l_ctx(L);
	const struct host_face *f = host_face(c->host);

	l_options(L, want);
	if (!differs(L, want))
		return;
	c->missed += !f->anew;
	lua_pushfstring(L, "%s: %s", line, lua_tostring(L, -1));
	if (f->notice)
		f->notice(f->arg, lua_tostring(L, -1));
	lua_pop(L, 2);
}

static int act(lua_State *L)
{
	int first = lua_type(L, 1) == LUA_TNUMBER ? 3 : 1;
	struct typed t = { l_ctx(L)->host, luaL_checkstring(L, first), l_ctx(L)->stranger };
	struct err e = { 0 };
	uint32_t job;

	if ((first == 3 && !go(L, 1, &e)) || l_call(L, obey, &t, &job, &e) ||
		!l_await(L, job, &e) || !settle(L, &e))
		return luaL_error(L, "%s", e.msg);
	if (!lua_isnoneornil(L, first + 1))
		compare(L, first + 1, t.line);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct l_opt expected[] = {
	{ "layout", "string", "its name, as votes have it" },
	{ "bytes", "number", "of its linears" },
	{ "kl", "number", "predicted" },
	{ "measured", "number", "KL that was measured" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "(line) -> true | nil, message", "what `:line` does; `;` between commands", run,
		NULL },
	{ "act", "([cells, points,] line [, expected])",
		"a line of a command log: done as if no more were known than then, and waited for; what "
		"comes out otherwise than expected is told, and without --fresh the exit status is 3",
		act, expected },
	{ "at", "(cells, points)", "as if no more cells and measured layouts were known", at,
		NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_cmd = {
	.name = "cmd",
	.help = "the command line of the workbench, for scripts that run in it",
	.main = "run",
	.fn = fns,
	.sandbox = "run act at",
};
