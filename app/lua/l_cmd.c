/* l_cmd.c - bitdial.cmd: the command line of the workbench. */
#include "app/lua/l.h"

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

static const struct l_fn fns[] = {
	{ "run", "(line) -> true | nil, message", "what `:line` does; `;` between commands", run,
		NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_cmd = {
	.name = "cmd",
	.help = "the command line of the workbench, for scripts that run in it",
	.main = "run",
	.fn = fns,
	.sandbox = "run",
};
