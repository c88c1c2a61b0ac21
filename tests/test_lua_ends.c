/* test_lua_ends.c - how scripts end: missed goals, errors, exits and stops; the console's go on. */
#include "tests/lua_fixture.h"

TestSuite(lua_ends, .init = begin, .fini = end, .timeout = 120);

Test(lua_ends, a_missed_goal_is_told_and_is_the_exit_status_3)
{
	char said[512];

	cr_assert_eq(
		run_for("bitdial.expect(1 < 2, 'a') bitdial.expect(nil, 'not reached') print('on')",
			0, said),
		SCRIPT_MISSED);
	cr_assert_str_eq(now.noticed, "not reached\n");
	cr_assert_str_eq(now.printed, "on\n");
}

Test(lua_ends, an_error_has_its_place_and_its_trace)
{
	char said[512];

	cr_assert_eq(run_for("local function f()\n error('no') end\n f()", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "script.lua:2: no") && strstr(said, "traceback"), "%s", said);
	cr_assert_eq(run_for("x = = 1", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "script.lua:1:"), "%s", said);
}

Test(lua_ends, an_exit_ends_the_script_and_not_the_program)
{
	char said[512];

	cr_assert_eq(
		run_for("pcall(os.exit, 7) print('not reached') while true do end", 0, said), 7);
	cr_assert_eq(run_for("os.exit(true)", 0, said), 0);
	cr_assert_eq(run_for("coroutine.wrap(function() os.exit(false) end)()", 0, said), 1);
	cr_assert_str_eq(said, "");
}

Test(lua_ends, compiled_code_is_not_run)
{
	char *argv[] = { NULL };
	struct script_options o = { .path = tmp_path("b.lua"), .argv = argv };
	struct script *s;
	struct err e = { 0 };

	tmp_write(o.path, "\033LuaT", 5);
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "only source"), "%s", e.msg);
}

Test(lua_ends, a_stop_ends_loops_coroutines_and_pcalls)
{
	static const char *const endless[] = { "while true do end",
		"while true do pcall(function() while true do end end) end",
		"local c = coroutine.wrap(function() while true do end end) c()",
		"while true do local c = coroutine.create(function() while true do "
		"coroutine.yield() end end) for i = 1, 1e9 do coroutine.resume(c) end end",
		"assert(bitdial.open(arg[1])) while true do bitdial.layout.now() end",
		"assert(bitdial.open(arg[1])) while true do pcall(bitdial.search, 3) end" };
	char said[512];

	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
		cr_assert_eq(
			run_for(endless[i], 0.2, said), SCRIPT_STOPPED, "%s: %s", endless[i], said);
}

Test(lua_ends, a_stop_ends_the_wait_for_a_job)
{
	char said[512];

	cr_assert_eq(run_for("assert(bitdial.open(arg[1])) local j = bitdial.scan() "
			     "while true do j:wait() j = bitdial.scan{ tokens = 128 } or j end",
			     0.3, said),
		SCRIPT_STOPPED, "%s", said);
}

Test(lua_ends, what_cannot_be_stopped_is_named)
{
	const char *path = tmp_path("slow.lua"), *sentence;
	const char *text = "io.popen('sleep 2'):read('a')";
	char inside[64] = "";
	struct script_options o = { .path = path };
	struct script *s;
	struct err e = { 0 };
	double began = clock_now();

	tmp_write(path, text, strlen(text));
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	while (!script_stuck(s, 0.3, inside) && clock_now() - began < 20)
		poll(NULL, 0, 10);
	cr_assert_str_eq(inside, "file:read");
	serve(s, 0, &sentence);
	script_free(s);
}

Test(lua_ends, a_console_keeps_its_values_and_prints_expressions)
{
	struct script_options o = { .path = "console", .text = "x = 20", .keep = true };
	const char *sentence;
	struct script *s;
	struct err e = { 0 };

	now.printed[0] = '\0';
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	serve(s, 0, &sentence);
	cr_assert_eq(script_again(s, "x + 1, 'a'", &e), ST_OK);
	serve(s, 0, &sentence);
	cr_assert_str_eq(now.printed, "21\ta\n");
	cr_assert_eq(script_again(s, "while true do end", &e), ST_OK);
	cr_assert_eq(serve(s, 0.1, &sentence), SCRIPT_STOPPED);
	cr_assert_eq(script_again(s, "x", &e), ST_OK);
	cr_assert_eq(serve(s, 0, &sentence), SCRIPT_OK, "%s", sentence);
	cr_assert_str_eq(now.printed, "21\ta\n20\n");
	script_free(s);
}
