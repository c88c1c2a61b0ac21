/* screen.c - io and os where the terminal is a screen that others draw: lines of io.write go where
 * print's go, there is nothing to read, and programs write to the log. */
#include <string.h>

#include "app/lua/l.h"

static const char rest_key = 'r'; /* its address: what was written since the last line feed */

static void print(lua_State *L, const char *line)
{
	const struct host_face *f = host_face(l_ctx(L)->host);

	if (f->print)
		f->print(f->arg, line);
}

/* What has no line feed yet waits, with all of it as one string. */
static void write_from(lua_State *L, int first)
{
	int n = lua_gettop(L);
	const char *s, *end;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &rest_key);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushliteral(L, "");
	}
	for (int i = first; i <= n; i++) {
		luaL_checkstring(L, i);
		lua_pushvalue(L, i);
	}
	lua_concat(L, lua_gettop(L) - n);
	s = lua_tostring(L, -1);
	for (; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		lua_pushlstring(L, s, (size_t)(end - s));
		print(L, lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pushstring(L, *s ? s : NULL);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &rest_key);
	lua_settop(L, n);
}

static int io_write(lua_State *L)
{
	write_from(L, 1);
	lua_getglobal(L, "io");
	lua_getfield(L, -1, "stdout");
	return 1;
}

static int stdout_write(lua_State *L)
{
	write_from(L, 2);
	lua_settop(L, 1);
	return 1;
}

static int stdout_other(lua_State *L)
{
	lua_settop(L, 1);
	return 1;
}

void l_screen_flush(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &rest_key);
	if (lua_isstring(L, -1)) {
		print(L, lua_tostring(L, -1));
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &rest_key);
	}
	lua_pop(L, 1);
}

/* The person's keys are not a script's, and what programs that it starts write must not run over
 * the screen: their output goes where the standard error goes, which is the log.  The first argument
 * is what writes lines. */
static const char without_terminal[] =
	"local write = ...\n"
	"local open, output, popen, execute = io.open, io.output, io.popen, os.execute\n"
	"local to\n"
	"io.stdin = assert(open('/dev/null', 'r'))\n"
	"io.input(io.stdin)\n"
	"function io.output(file)\n"
	"	if file == io.stdout then to = nil return file end\n"
	"	if file ~= nil then to = output(file) end\n"
	"	return to or io.stdout\n"
	"end\n"
	"function io.write(...)\n"
	"	if to then return to:write(...) end\n"
	"	return write(...)\n"
	"end\n"
	"function io.popen(command, mode)\n"
	"	local quiet = mode == 'w' and 'exec 1>&2\\n' or 'exec </dev/null\\n'\n"
	"	if type(command) == 'string' then command = quiet .. command end\n"
	"	return popen(command, mode)\n"
	"end\n"
	"function os.execute(command)\n"
	"	if type(command) == 'string' then command = 'exec 1>&2 </dev/null\\n' .. command end\n"
	"	return execute(command)\n"
	"end\n";

void l_screen(lua_State *L)
{
	static const char *const other[] = { "flush", "close", "setvbuf", "seek" };

	lua_getglobal(L, "io");
	lua_newtable(L);
	lua_pushcfunction(L, stdout_write);
	lua_setfield(L, -2, "write");
	for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
		lua_pushcfunction(L, stdout_other);
		lua_setfield(L, -2, other[i]);
	}
	lua_setfield(L, -2, "stdout");
	lua_pop(L, 1);
	if (luaL_loadbufferx(L, without_terminal, sizeof without_terminal - 1, "=io", "t") != LUA_OK)
		lua_error(L);
	lua_pushcfunction(L, io_write);
	lua_call(L, 1, 0);
}
