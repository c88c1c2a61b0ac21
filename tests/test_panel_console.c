/* test_panel_console.c - the Lua console alone: what it sends, what it shows of what it is told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/console.h"
#include "app/panel/lines.h"
#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_console;

static struct alone p;
static char *shown;

static void begin(void)
{
	p = alone_open(&panel_console);
}

static void end(void)
{
	alone_close(&p);
	xfree(shown);
	shown = NULL;
}

TestSuite(console, .init = begin, .fini = end);

static void hear(enum console_say what, const char *text, int64_t n)
{
	alone_hear(&p, EV_CONSOLE, what, n, &snap_text_new(text)->snap);
}

static const char *key(uint32_t k)
{
	return p.class->on_text(p.self, k);
}

static void type(const char *s)
{
	for (; *s; s++)
		cr_assert_str_eq(key((unsigned char)*s), "", "%c is text", *s);
}

static const char *drawn(int w, int h)
{
	xfree(shown);
	return shown = alone_draw(&p, w, h);
}

/* The input line, below all else. */
static const char *input(void)
{
	return alone_row(drawn(60, 8), 7);
}

Test(console, a_chunk_goes_out_as_one_command_and_its_quotes_survive)
{
	type("print(\"a;b\\n\", 1)");
	cr_assert_str_eq(key(KEY_ENTER), "lua \"print(\\\"a;b\\\\n\\\", 1)\"");
	cr_assert_str_eq(input(), ">");
	hear(CONSOLE_INPUT, "print(\"a;b\\n\", 1)", 0);
	hear(CONSOLE_OUT, "a;b\n\t1\n", 0);
	cr_assert_str_eq(alone_row(drawn(60, 8), 0), "> print(\"a;b\\n\", 1)");
	cr_assert_str_eq(alone_row(shown, 1), "a;b");
	cr_assert_str_eq(alone_row(shown, 2), "        1");
	cr_assert_str_eq(key(KEY_ENTER), "", "nothing is sent when nothing is typed");
}

Test(console, an_incomplete_chunk_goes_on_in_the_input_also_where_lines_come_at_once)
{
	type("for i = 1, 3 do");
	cr_assert(key(KEY_ENTER)[0]);
	cr_assert(p.class->on_command(p.self, "more", "for i = 1, 3 do"));
	type("print(i)");
	cr_assert_str_eq(alone_row(drawn(60, 8), 6), "> for i = 1, 3 do");
	cr_assert_str_eq(alone_row(shown, 7), "  print(i)");
	key(KEY_ALT | KEY_ENTER);
	type("end");
	cr_assert_str_eq(key(KEY_ENTER), "lua \"for i = 1, 3 do\nprint(i)\nend\"");
	cr_assert_str_eq(input(), ">");
}

Test(console, a_chunk_that_cannot_run_now_comes_back)
{
	type("x = 1");
	key(KEY_ENTER);
	hear(CONSOLE_STATE, "running  Esc stops it", 0);
	hear(CONSOLE_BACK, "x = 1", 0);
	cr_assert_str_eq(input(), "> x = 1");
	cr_assert(strstr(alone_row(shown, 6), "running  Esc stops it"), "%s", shown);
	cr_assert(strstr(alone_row(shown, 6), "one at a time: it waits here"), "%s", shown);
}

Test(console, up_recalls_what_begins_as_the_typed_also_of_earlier_sittings)
{
	char past[] = "old = 1\nfor i = 1, 2 do?print(i)?end\n";

	for (char *s = past; *s; s++)
		if (*s == '?')
			*s = CONSOLE_BREAK;
	hear(CONSOLE_PAST, past, 0);
	hear(CONSOLE_INPUT, "other()", 0);
	type("o");
	key(KEY_UP);
	cr_assert_str_eq(input(), "> other()");
	key(KEY_UP);
	cr_assert_str_eq(input(), "> old = 1");
	key(KEY_UP);
	cr_assert_str_eq(input(), "> old = 1", "the oldest stays");
	key(KEY_DOWN);
	key(KEY_DOWN);
	cr_assert_str_eq(input(), "> o");
	key(KEY_BACKSPACE);
	type("fo");
	key(KEY_UP);
	cr_assert_str_eq(alone_row(drawn(60, 8), 5), "> for i = 1, 2 do");
	cr_assert_str_eq(alone_row(shown, 7), "  end");
}

Test(console, tab_asks_then_goes_as_far_as_all_agree_then_round)
{
	type("x = bitdial.s");
	cr_assert_str_eq(key(KEY_TAB), "complete \"x = bitdial.s\"");
	hear(CONSOLE_NAMES, "scan\t() to scan\nscore\tto score\n", 1);
	cr_assert_str_eq(input(), "> x = bitdial.sc");
	cr_assert_str_eq(alone_row(shown, 4), " scan   () to scan");
	cr_assert_str_eq(key(KEY_TAB), "");
	cr_assert_str_eq(input(), "> x = bitdial.scan");
	key(KEY_TAB);
	cr_assert_str_eq(input(), "> x = bitdial.score");
	key(KEY_SHIFT | KEY_TAB);
	type("{");
	cr_assert_str_eq(input(), "> x = bitdial.scan{");
	cr_assert_null(strstr(shown, "to score"), "a key closes the list");
}

Test(console, the_only_candidate_is_taken_and_late_ones_are_not)
{
	type("pri");
	key(KEY_TAB);
	hear(CONSOLE_NAMES, "print\tfunction\n", 3);
	cr_assert_str_eq(input(), "> print");
	key(KEY_TAB);
	type("(");
	hear(CONSOLE_NAMES, "printer\tfunction\n", 5);
	cr_assert_str_eq(input(), "> print(");
}

Test(console, tab_on_an_empty_line_leaves_and_escape_stops_or_leaves)
{
	cr_assert_null(key(KEY_TAB));
	hear(CONSOLE_STATE, "running, waits for scan, 12 %", 0);
	cr_assert_str_eq(key(KEY_ESC), "stop");
	cr_assert(p.class->wants_text(p.self));
	cr_assert(strstr(drawn(60, 8), "waits for scan, 12 %"));
	hear(CONSOLE_STATE, "", 0);
	cr_assert_str_eq(key(KEY_ESC), "");
	cr_assert_not(p.class->wants_text(p.self));
	cr_assert(p.class->on_command(p.self, "open", ""));
	cr_assert(p.class->wants_text(p.self));
}

Test(console, control_c_takes_what_is_typed_but_leaves_what_runs_to_others)
{
	cr_assert_null(key(KEY_CTRL | 'c'));
	type("half");
	cr_assert_str_eq(key(KEY_CTRL | 'c'), "");
	cr_assert_str_eq(input(), ">");
	type("half");
	hear(CONSOLE_STATE, "running", 0);
	cr_assert_null(key(KEY_CTRL | 'c'));
}

Test(console, escape_sequences_of_scripts_do_not_reach_the_screen)
{
	hear(CONSOLE_OUT,
		"a\x1b[31mred\x1b]0;title\a\rb\xff\x9b"
		"2J\n",
		0);
	hear(CONSOLE_NAMES, "x\x1b[2Jy\tz\n", 0);
	drawn(60, 8);
	for (const char *s = shown; *s; s++)
		cr_assert(*s == '\n' || (unsigned char)*s >= ' ', "%02x", (unsigned char)*s);
	cr_assert_str_eq(alone_row(shown, 0), "a[31mred]0;titleb\xef\xbf\xbd\xef\xbf\xbd"
					      "2J");
}

Test(console, an_error_is_its_first_line_until_its_traceback_is_wanted)
{
	hear(CONSOLE_ERROR, "console:1: no\nstack traceback:\n\t[C]: in ?", 0);
	cr_assert(strstr(alone_row(drawn(60, 8), 0), "console:1: no"));
	cr_assert(strstr(alone_row(shown, 0), "[2 more: t]"), "%s", shown);
	cr_assert_null(strstr(shown, "stack traceback"));
	cr_assert_eq(alone_role(&p, 60, 8, 0, 0), ROLE_BAD);
	cr_assert(p.class->on_command(p.self, "traceback", ""));
	cr_assert(strstr(drawn(60, 8), "stack traceback"));
}

Test(console, the_oldest_lines_go_and_the_rest_can_be_read_again)
{
	char line[32];

	for (int i = 0; i < LINES_MAX + 1000; i++) {
		snprintf(line, sizeof line, "line %d", i);
		hear(CONSOLE_OUT, line, 0);
	}
	snprintf(line, sizeof line, "line %d", LINES_MAX + 999);
	cr_assert_str_eq(alone_row(drawn(60, 8), 5), line);
	p.class->on_command(p.self, "move", "first");
	cr_assert_str_eq(alone_row(drawn(60, 8), 0), "line 1000");
	cr_assert(strstr(alone_row(shown, 6), "1994 below"), "%s", shown);
	p.class->on_command(p.self, "move", "page-down");
	cr_assert_str_eq(alone_row(drawn(60, 8), 0), "line 1005");
	p.class->on_command(p.self, "wipe", "");
	cr_assert(strstr(drawn(60, 8), "bitdial.search"), "%s", shown);
}

Test(console, a_line_without_end_is_cut)
{
	char *endless = xalloc(4 * LINE_BYTES + 1);
	char *copy;

	memset(endless, 'x', 4 * LINE_BYTES);
	for (int i = 0; i < 200; i++)
		hear(CONSOLE_OUT, endless, 0);
	copy = p.class->copy(p.self);
	cr_assert_leq(strlen(copy), (size_t)LINES_BYTES + LINES_MAX);
	cr_assert(strstr(drawn(60, 8), "…"));
	xfree(copy);
	xfree(endless);
}

Test(console, it_stays_inside_any_rectangle_and_its_cursor_too)
{
	hear(CONSOLE_OUT, "漢字漢字 and a\ttab\n\n", 0);
	hear(CONSOLE_ERROR, "no\nstack", 0);
	hear(CONSOLE_STATE, "running", 0);
	type("bitdial.se");
	key(KEY_TAB);
	hear(CONSOLE_NAMES, "search\tone\nseason\ttwo\n", 2);
	key(KEY_CTRL | 'j');
	for (int w = 0; w <= 40; w++)
		for (int h = 0; h <= 12; h++)
			cr_assert(alone_stays_inside(&p, w, h), "%dx%d", w, h);
}
