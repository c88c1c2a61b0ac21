/* test_lua_hostile.c - scripts that use what Lua offers against the program: metamethods in what is
 * handed over, finalizers that do not end. */
#include <unistd.h>

#include "tests/lua_fixture.h"

TestSuite(lua_hostile, .init = begin, .fini = end, .timeout = 120);

/* Runs a line of which pcall is to give false and a sentence with `part`. */
static void refuses(const char *text, const char *part)
{
	char said[512], *all = xprintf("print(pcall(function() %s end))", text);

	cr_assert_eq(run_for(all, 0, said), SCRIPT_OK, "%s: %s", text, said);
	cr_assert(!strncmp(now.printed, "false", 5) && strstr(now.printed, part), "%s: %s", text,
		now.printed);
	xfree(all);
}

Test(lua_hostile, a_list_is_as_long_as_it_is_and_not_as_its_metatable_says)
{
	refuses("local t = setmetatable({1, 2}, {__len = function() return (1 << 61) - 1 end}) "
		"bitdial.plot{path = 'x.gp', series = {{x = t, y = {1}}}}",
		"2 values of x and 1 of y");
	refuses("local t = setmetatable({{1}}, {__len = function() return 4096 end}) "
		"bitdial.plot.heatmap{path = 'x.gp', value = t, rows = {'a', 'b'}}",
		"as many names as rows");
}

Test(lua_hostile, options_come_from_the_table_itself)
{
	static const char *const line[] = { "bitdial.plot", "bitdial.plot.front", "bitdial.scan",
		"bitdial.search", "bitdial.chat", "bitdial.kernels.time", "bitdial.run.list" };

	for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
		char *text = xprintf("%s(setmetatable({}, {__index = function(_, k) "
				     "collectgarbage() return k .. ('y'):rep(100) end}))",
			line[i]);

		refuses(text, "__index");
		xfree(text);
	}
	refuses("local c = setmetatable({x = {1}, y = {1}}, {__index = function() "
		"collectgarbage() return ('y'):rep(100) end}) "
		"bitdial.plot{path = 'x.gp', series = {c}}",
		"__index");
}

/* A finalizer takes the strings of the tables away while they are used. */
Test(lua_hostile, a_finalizer_that_empties_the_options_changes_nothing)
{
	char said[512];
	const char *path = tmp_path("kept.gp");
	char *text = xprintf(
		"local o = {path = ('%%s'):format('%s'), title = ('t'):rep(300), "
		"series = {{x = {}, y = {}, label = ('l'):rep(300)}}} "
		"for i = 1, 20000 do o.series[1].x[i] = i o.series[1].y[i] = i end "
		"collectgarbage('generational') local function again() setmetatable({}, {__gc = "
		"function() o.path = nil o.title = nil o.series[1].label = nil collectgarbage() "
		"again() end}) end again() print(bitdial.plot(o))",
		path);

	cr_assert_eq(run_for(text, 0, said), SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "kept.gp") || strstr(now.printed, "path is missing"), "%s",
		now.printed);
	xfree(text);
}

/* Runs a chunk of a console and closes it. */
static void in_console(const char *text)
{
	struct script_options o = { .path = "console", .text = text, .keep = true };
	const char *sentence;
	struct script *s;
	struct err e = { 0 };

	now.printed[0] = '\0';
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(serve(s, 0, &sentence), SCRIPT_OK, "%s", sentence);
	script_free(s);
}

/* One pass of this takes minutes: it is stopped within, not after. */
Test(lua_hostile, a_product_of_minutes_stops_when_told)
{
	char said[512];
	double began = clock_now();

	cr_assert_eq(run_for("local j = assert(bitdial.kernels.time{rows = 16384, cols = 16384, "
			     "m = 4096, format = 'int2g64', cold = false}) print(j:wait())",
			     0.5, said),
		SCRIPT_STOPPED, "%s", said);
	while (session_stop(now.session, 0))
		;
	while (jobs_count(session_jobs(now.session))) {
		jobs_drain(session_jobs(now.session));
		cr_assert_lt(clock_now() - began, 15, "the job goes on");
	}
	cr_assert_eq(run_for("local j = bitdial.kernels.time{rows = 16384, cols = 16384, m = 4096} "
			     "j:stop() print(j:wait())",
			     0, said),
		SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "stopped"), "%s", now.printed);
	cr_assert_eq(run_for("print(bitdial.kernels.time{rows = 1 << 20, cols = 1 << 20, "
			     "m = 65536}:wait())",
			     0, said),
		SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "nil\ttime: ") && strstr(now.printed, "available"), "%s",
		now.printed);
}

Test(lua_hostile, finalizers_that_do_not_end_are_ended_and_the_others_run)
{
	static const char *const endless[] = { "while true do end",
		"while true do pcall(function() while true do end end) end",
		"coroutine.wrap(function() while true do end end)()" };
	char said[512];

	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
		char *text = xprintf("Y = setmetatable({}, {__gc = function() print('first') end}) "
				     "local m = {__gc = true} X = setmetatable({}, m) "
				     "m.__gc = function() %s end "
				     "Z = setmetatable({}, {__gc = function() print('last') end})",
			endless[i]);

		cr_assert_eq(run_for(text, 0, said), SCRIPT_OK, "%s", said);
		cr_assert_str_eq(now.printed, "last\n");
		in_console(text);
		cr_assert_str_eq(now.printed, "last\n");
		xfree(text);
	}
	in_console("for i = 1, 3 do debug.setmetatable({}, {__gc = function() print(i) end}) end");
	cr_assert(strstr(now.printed, "1\n") && strstr(now.printed, "3\n"), "%s", now.printed);
}

/* ---- beside a screen */

Test(lua_hostile, beside_a_screen_there_is_nothing_to_read_and_programs_do_not_write_on_it)
{
	struct host_face face = { .print = print, .notice = notice, .screen = true };
	struct host *batch = now.host;
	int in[2], out[2], was_in = dup(0), was_out = dup(1);
	char said[512], got[64];

	cr_assert(!pipe(in) && !pipe(out) && write(in[1], "keys\n", 5) == 5);
	now.host = host_new(now.session, now.bus, &face);
	dup2(in[0], 0);
	dup2(out[1], 1);
	cr_assert_eq(
		run_for("print(io.read(), io.stdin:read('a'), io.read('n')) for l in io.lines() do "
			"print(l) end print(os.execute('echo out; read x && echo \"$x\"; exit 3')) "
			"print(io.popen('cat; echo r'):read('a')) local w = io.popen('cat', 'w') "
			"w:write('w') print(w:close()) io.output():write('a') io.write('b\\n') "
			"print(os.execute())",
			0, said),
		SCRIPT_OK, "%s", said);
	dup2(was_in, 0);
	dup2(was_out, 1);
	close(out[1]);
	cr_assert_eq(read(out[0], got, sizeof got), 0, "it wrote on the screen");
	cr_assert_eq(read(in[0], got, sizeof got), 5, "it took keys");
	cr_assert_str_eq(now.printed,
		"nil\t\tnil\nnil\texit\t3\nr\n\ntrue\texit\t0\nab\ntrue\n");
	host_close(now.host);
	host_free(now.host);
	now.host = batch;
}
