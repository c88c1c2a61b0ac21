/* l_cmd.c - bitdial.cmd: the command line of the workbench. */
#include "app/lua/l.h"

static int run(lua_State *L)
{
	struct l_ctx *c = l_ctx(L);
	const char *line = luaL_checkstring(L, 1);
	struct err e = { 0 };
	enum st st = host_command(c->host, c->stop, line, NULL, &e);

	if (token_stopped(c->stop))
		luaL_error(L, "stopped");
	l_hear(L);
	if (st)
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
};
