/* test_console.c - the console within the workbench: chunks run, drive panels, stop, complete. */
#include <poll.h>

#include "app/lua/complete.h"
#include "core/base/clock.h"
#include "tests/tui_fixture.h"

extern const struct panel_class panel_console;

static const struct panel_class *const with_console[] = { &spy_map, &spy_cell, &spy_slider,
	&spy_front, &spy_search, &spy_jobs, &spy_chat, &panel_console, NULL };

TestSuite(console, .init = fixture_open, .fini = fixture_close);

/* Each run hears its own console only. */
static char *played(const char *keys)
{
	char *f = play_with((struct tui_options){ .panels = with_console }, 120, 36, keys);

	bus_unsubscribe(bus, sub);
	sub = tui_subscribe(bus);
	return f;
}

static void says(const char *keys, const char *what)
{
	char *f = played(keys);

	cr_assert(strstr(f, what), "%s: no \"%s\" in\n%s", keys, what, f);
	big_free(f);
}

Test(console, a_chunk_turns_the_dial_and_moves_the_panels_beside_it)
{
	char *f;

	fake.log[0] = 0;
	publish_model();
	f = played(
		"F2\ntype bitdial.cmd \"budget 3.5\" bitdial.cmd \"view next\"\nEnter\nwait idle\n");
	cr_assert(strstr(fake.log, "budget 3.50"), "%s", fake.log);
	cr_assert(strstr(row(f, 2), "view next"), "%s", f);
	cr_assert(strstr(f, "> bitdial.cmd \"budget 3.5\""), "%s", f);
	big_free(f);
}

Test(console, values_stay_between_chunks_and_tables_are_shown_one_level_deep)
{
	says("F2\ntype x = { 1, \"b\", deep = { 1 }, n = 2 }\nEnter\nwait idle\ntype x\nEnter\n"
	     "wait idle\n",
		"{ 1, \"b\", deep = {…}, n = 2 }");
	says("F2\ntype 1 + 1, nil, {}\nEnter\nwait idle\n", "2       nil     {}");
	says("F2\ntype setmetatable({}, { __tostring = function() return \"mine\" end })\nEnter\n"
	     "wait idle\n",
		"┃mine ");
	says("F2\ntype t = {} for i = 1, 100 do t[i] = i end\nEnter\nwait idle\ntype t\nEnter\n"
	     "wait idle\n",
		"11, 12, … 88 more }");
}

Test(console, lines_are_asked_for_until_the_chunk_is_complete)
{
	says("F2\ntype for i = 1, 2 do\nEnter\ntype print(i * 21)\nEnter\ntype end\nEnter\n"
	     "wait idle\n",
		"┃42 ");
	says("F2\ntype x = = 1\nEnter\nwait idle\n", "console:1: unexpected symbol near '='");
}

Test(console, prints_are_notices_only_where_no_console_shows_them)
{
	char *f = played(":lua print(\"seen\")\nwait idle\nF2\nwait 20\n");

	cr_assert(strstr(row(f, 34), "seen"), "%s", row(f, 34));
	cr_assert(strstr(f, "> print(\"seen\")"), "%s", f);
	big_free(f);
	f = played("F2\ntype print(\"unseen\")\nEnter\nwait idle\n");
	cr_assert_null(strstr(row(f, 34), "unseen"), "%s", row(f, 34));
	cr_assert(strstr(f, "┃unseen"), "%s", f);
	big_free(f);
}

Test(console, prints_and_writes_of_a_script_come_to_it_made_harmless)
{
	char *keys;

	write_text(
		"s.lua", "io.write('one\\27[2J', 1, '\\n') io.stdout:write('two') print('three')");
	keys = xprintf("F2\n:script %s\nwait idle\n", path_of("s.lua"));
	says(keys, "┃one[2J1 ");
	says(keys, "┃two ");
	says(keys, "┃three ");
	xfree(keys);
}

Test(console, a_loop_is_stopped_and_the_state_lives_on)
{
	says("F2\ntype x = 5 while true do end\nEnter\nwait 20\n", "running  Esc stops it");
	says("F2\ntype x = 5 while true do end\nEnter\nwait 20\nEsc\nwait idle\ntype x\nEnter\n"
	     "wait idle\n",
		"┃5 ");
	says("F2\ntype while true do print(1) end\nEnter\nwait 50\nEsc\nwait idle\n", "stopped");
}

Test(console, lines_that_come_at_once_are_one_chunk_and_one_act)
{
	char *f = played("F2\ntype for i = 1, 2 do\nEnter\ntype print(i * 21)\nEnter\ntype end\n"
			 "Enter\nwait idle\nTab\nEsc\n:history\n");

	cr_assert(strstr(f, "lua for i = 1, 2 do"), "%s", f);
	cr_assert_null(strstr(strstr(f, "lua for i") + 1, "lua for i"), "%s", f);
	big_free(f);
	says("F2\ntype for i = 1, 2 do\nEnter\ntype print(i * 21)\nEnter\ntype end\nEnter\nwait "
	     "idle\n",
		"42 ");
}

Test(console, an_equals_sign_before_an_expression_is_no_part_of_it)
{
	says("F2\ntype =6*7\nEnter\nwait idle\n", "┃42 ");
}

Test(console, many_lines_of_a_script_are_one_notice_and_in_order_in_the_console)
{
	char *f = played(":lua for i = 1, 3 do print(\"line \" .. i) end\nwait idle\nF2\nwait 20\n");

	cr_assert(strstr(f, "line 1") && strstr(f, "line 1") < strstr(f, "line 2"), "%s", f);
	big_free(f);
	says("3\n:lua for i = 1, 3 do print(\"line \" .. i) end\nwait idle\n", " line 3");
}

Test(console, a_second_chunk_waits_in_the_input)
{
	says("F2\ntype while true do end\nEnter\nwait 20\ntype x = 1\nEnter\nwait 20\n", "> x = 1");
	says("F2\ntype while true do end\nEnter\nwait 20\ntype x = 1\nEnter\nwait 20\n",
		"a script is running already");
}

Test(console, what_was_typed_is_there_in_the_next_sitting)
{
	big_free(played("F2\ntype if true then\nEnter\ntype x = 7 end\nEnter\nwait idle\n"));
	says("F2\nUp\n", "> if true then");
	says("F2\nUp\n", "┃  x = 7 end");
}

Test(console, errors_keep_to_the_console_that_is_seen)
{
	char *f = played("F2\ntype error(\"oh\")\nEnter\nwait idle\n");

	cr_assert(strstr(f, "┃console:1: oh"), "%s", f);
	cr_assert_null(strstr(row(f, 34), "oh"), "%s", row(f, 34));
	big_free(f);
	says("3\n:lua error(\"oh\")\nwait idle\n", "! console:1: oh");
}

Test(console, text_keys_of_other_panels_are_text_here_and_tab_leaves)
{
	fake.log[0] = 0;
	big_free(played("F2\ntype , . m\nC-c\nTab\n,\n"));
	cr_assert_str_eq(fake.log, "budget 4.20\n");
}

/* ---- completion */

static const char *completes(const char *text)
{
	static struct lua_candidate c[LUA_CANDIDATES];
	static char all[8192];
	size_t from, n = lua_complete(NULL, text, &from, c), at = 0;

	all[0] = 0;
	cr_assert_leq(from, strlen(text));
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(strncmp(c[i].name, text + from, strlen(text + from)), 0);
		at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? " " : "", c[i].name);
	}
	return all;
}

static bool offers(const char *text, const char *name)
{
	char *all = xprintf(" %s ", completes(text)), *one = xprintf(" %s ", name);
	bool has = strstr(all, one);

	xfree(all);
	xfree(one);
	return has;
}

Test(console, names_come_from_the_modules_and_from_lua)
{
	cr_assert_str_eq(completes("pri"), "print");
	cr_assert_str_eq(completes("x = string.for"), "format");
	cr_assert(offers("bitdial.", "search"));
	cr_assert(offers("bitdial.", "open"));
	cr_assert(offers("bitdial.layout.", "now"));
	cr_assert(offers("whi", "while"));
	cr_assert(offers("", "bitdial"));
	cr_assert_str_eq(completes("nosuch.x"), "");
	cr_assert_str_eq(completes("f().x"), "");
	cr_assert_str_eq(completes("1"), "");
}

Test(console, options_are_offered_where_a_table_of_them_is_open)
{
	cr_assert_str_eq(completes("bitdial.search{ bp"), "bpw = ");
	cr_assert_str_eq(completes("bitdial.search({ bpw = 3, by"), "bytes = ");
	cr_assert(offers("local r = bitdial.search {\n", "damage = "));
	cr_assert_not(offers("bitdial.search{ bpw = ", "bytes = "), "a value comes there");
	cr_assert_not(offers("bitdial.search{ bpw = 3 } ", "bytes = "), "it is closed");
	cr_assert_not(offers("{ ", "bpw = "), "a table of nobody");
}

Test(console, nothing_is_offered_in_strings_and_comments)
{
	cr_assert_str_eq(completes("x = \"pri"), "");
	cr_assert_str_eq(completes("x = 'a\\'pri"), "");
	cr_assert_str_eq(completes("-- pri"), "");
	cr_assert_str_eq(completes("--[[ a\npri"), "");
	cr_assert_str_eq(completes("x = [[ pri"), "");
	cr_assert_str_eq(completes("x = \"a\" -- b\npri"), "print");
}

Test(console, a_persons_own_names_are_offered_and_nothing_of_theirs_is_run)
{
	says("F2\ntype own = { alpha = 1 }\nEnter\nwait idle\ntype own.a\nTab\n", "> own.alpha");
	says("F2\ntype own = setmetatable({}, { __index = function() while true do end end })\nEnter\n"
	     "wait idle\ntype own.x.a\nTab\n",
		"> own.x.a");
	says("F2\ntype while true do end\nEnter\nwait 20\ntype pri\nTab\n", "> print");
}

Test(console, any_beginning_of_a_chunk_can_be_completed)
{
	static const char text[] = "local x = bitdial.search{ bpw = 3, [\"a\"] = f(1), 'b' } "
				   "m:measure{ -- c\n [[d]] } x.y.z: = }}}))){{{[[[";

	for (size_t n = 0; n < sizeof text; n++) {
		char *part = xstrndup(text, n);

		completes(part);
		xfree(part);
	}
}

Test(console, a_chunk_is_incomplete_where_lua_says_so)
{
	cr_assert(lua_incomplete("for i = 1, 2 do"));
	cr_assert(lua_incomplete("x = {"));
	cr_assert(lua_incomplete("x ="));
	cr_assert(lua_incomplete("f("));
	cr_assert(lua_incomplete("x = [[ a"));
	cr_assert_not(lua_incomplete("1 + 1"));
	cr_assert_not(lua_incomplete("x = = 1"));
	cr_assert_not(lua_incomplete(""));
	cr_assert_not(lua_incomplete("x = 'a"), "a string ends on its line");
	cr_assert_not(lua_incomplete("\033Lua"));
}
