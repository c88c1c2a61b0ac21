/* test_panel_runs.c - the table of runs: rows, order, filter, marks, and what stands below. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/lib_base.h"
#include "tests/lib_panel.h"
#include "tests/lib_runs.h"
#include "tests/lib_work.h"

extern const struct panel_class panel_runs;

static struct alone p;
static char *shown;

static void begin(void)
{
	setenv("TZ", "UTC", 1);
	work_home();
	p = alone_open(&panel_runs);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(runs_panel, .init = begin, .fini = end);

static const char *draw(int w, int h)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return shown;
}

static const char *row(int y)
{
	return alone_row(draw(80, 24), y);
}

static bool command(const char *word, const char *arg)
{
	return p.class->on_command(p.self, word, arg);
}

static void hear(size_t n)
{
	alone_hear(&p, EV_RUNS, 0, 0, made_runs(n));
}

static void at(const char *id)
{
	char *have = p.class->copy(p.self);

	cr_assert_str_eq(have ? have : "", id);
	xfree(have);
}

Test(runs_panel, says_that_it_looks_and_then_that_there_are_none_and_how_they_come)
{
	cr_assert_str_eq(row(0), " looking for runs");
	hear(0);
	cr_assert_str_eq(row(0), " there are no runs yet");
	cr_assert(strstr(shown, "keeps the layout under the dial"), "%s", shown);
	cr_assert_null(p.class->copy(p.self));
	cr_assert(command("move", "down") && command("select", "") && command("diff", ""));
}

Test(runs_panel, a_run_is_a_row_with_its_state_in_words)
{
	hear(5);
	cr_assert_str_eq(row(0),
		"   run          kind    state      bpw   size      KL  when        parent");
	cr_assert_str_eq(row(1),
		"▸! search-0004  search  failed    2.90  3.81M   .2000  2026-01-01  search-0003",
		"%s", shown);
	cr_assert(strstr(row(2), " ! search-0003  search  crashed"), "%s", shown);
	cr_assert(strstr(row(3), "stopped"), "%s", shown);
	cr_assert(strstr(row(4), " * search-0001  search  running") && strstr(row(4), "now"), "%s",
		shown);
	cr_assert(
		strstr(row(5), "scan-0000    scan    done         -      -       -"), "%s", shown);
}

Test(runs_panel, what_matters_less_is_left_out_where_it_is_narrow)
{
	hear(3);
	cr_assert_str_eq(alone_row(draw(40, 24), 0), "   run          state      bpw      KL");
	cr_assert_str_eq(alone_row(draw(16, 5), 1), "▸  search-0002");
}

Test(runs_panel, the_cursor_stays_on_its_run_when_others_come_and_go)
{
	hear(5);
	cr_assert(command("move", "down"));
	at("20260101-000003-search-0003");
	hear(9);
	at("20260101-000003-search-0003");
	cr_assert(command("move", "last"));
	at("20260101-000000-scan-0000");
	hear(2);
	at("20260101-000000-scan-0000");
	cr_assert(command("move", "first"));
	hear(1);
	at("20260101-000000-scan-0000");
}

Test(runs_panel, they_are_sorted_by_the_next_column_or_one_by_name)
{
	hear(5);
	cr_assert(command("sort", "kl"));
	cr_assert(strstr(row(1), "search-0004"), "%s", shown);
	cr_assert(strstr(p.class->note(p.self), "by kl"));
	cr_assert(command("sort", "reverse"));
	cr_assert(strstr(row(1), "search-0001"), "%s", shown);
	cr_assert(command("sort", "next"));
	cr_assert(strstr(p.class->note(p.self), "by seconds"));
	cr_assert_not(command("sort", "colour"));
	cr_assert(strstr(p.class->note(p.self), "by seconds"), "what is refused changes nothing");
}

Test(runs_panel, a_filter_leaves_rows_out_and_a_half_typed_one_says_what_it_wants)
{
	hear(6);
	cr_assert(command("filter", "kind:search state:done"));
	cr_assert(strstr(row(1), "search-0005") && !strstr(shown, "scan-0000  "), "%s", shown);
	cr_assert_str_eq(p.class->note(p.self), "/kind:search state:done  1 of 6, by began");
	cr_assert(command("filter", "bpw<"));
	cr_assert(strstr(row(0), "expected kind:search"), "%s", shown);
	cr_assert(strstr(shown, "scan-0000"), "all are shown meanwhile:\n%s", shown);
	cr_assert(command("filter", "nothing"));
	cr_assert_str_eq(row(0), " none of 6 runs: /nothing (Esc: all)");
	cr_assert(command("filter", ""));
	cr_assert(strstr(row(1), "search-0005"));
}

Test(runs_panel, two_are_marked_and_their_differences_stand_below)
{
	hear(5);
	cr_assert(command("diff", ""));
	cr_assert(strstr(draw(80, 24), "mark two runs with Space"), "%s", shown);
	cr_assert(command("select", ""));
	cr_assert(command("select", ""));
	cr_assert(strstr(row(1), " A search-0004"), "%s", shown);
	cr_assert(strstr(row(2), " B search-0003"), "%s", shown);
	cr_assert(
		strstr(shown, "status      failed                           crashed"), "%s", shown);
	cr_assert_null(strstr(shown, "a text"), "what is the same is left out:\n%s", shown);
	cr_assert(command("select", ""), "of three the first goes");
	cr_assert(
		strstr(row(2), " A search-0003") && strstr(row(3), " B search-0002"), "%s", shown);
	cr_assert(command("diff", "search-0001 scan-0000"));
	cr_assert(strstr(row(5), " B scan-0000"), "%s", shown);
	cr_assert_not(command("diff", "search-0001 none"));
}

Test(runs_panel, facts_and_the_chain_of_parents_stand_below)
{
	hear(5);
	command("move", "last");
	command("move", "up");
	cr_assert(strstr(draw(80, 24), " notes       one"), "%s", shown);
	cr_assert(strstr(shown, "             two"), "%s", shown);
	cr_assert(command("parents", ""));
	cr_assert(strstr(draw(80, 24), " search-0001  running  KL .5000"), "%s", shown);
	cr_assert(strstr(shown, "   from scan-0000  done"), "%s", shown);
	command("move", "last");
	cr_assert(strstr(draw(80, 24), " made from no other run"), "%s", shown);
	command("move", "first");
	cr_assert(strstr(draw(80, 8), "from search-0003"), "in a low panel it has all of it");
	cr_assert(command("parents", ""), "and away");
	cr_assert(strstr(draw(80, 24), "20260101-000003-search-0003"));
}

Test(runs_panel, a_parent_that_is_not_here_and_a_ring_of_parents_end_the_chain)
{
	put_run("20260101-000001-search-aaaa", "search", "ok", 1000, 3, 0.1,
		"20260101-000002-search-bbbb");
	put_run("20260101-000002-search-bbbb", "search", "ok", 2000, 3, 0.1,
		"20260101-000001-search-aaaa");
	put_run("20260101-000003-search-cccc", "search", "ok", 3000, 3, 0.1, "20250101-x");
	alone_hear(&p, EV_RUNS, 0, 0, loaded_runs());
	command("parents", "");
	cr_assert(strstr(draw(80, 24), "from 20250101-x, which is not here"), "%s", shown);
	command("move", "down");
	cr_assert(strstr(draw(80, 24), "from search-aaaa"), "%s", shown);
	cr_assert(alone_stays_inside(&p, 80, 40));
}

Test(runs_panel, folders_that_no_writer_left_are_drawn_as_they_are)
{
	put_run("x", "search\\u0007\\u001b[31m", "no such status at all", -5, 1e300, 1e-300,
		"x x x");
	put_in_run("x", "tags", "\x1b]0;title\x07 one\n");
	put_in_run("garbage", "run.json", "{\"v\":1,\"kind\":");
	put_in_run("list", "run.json", "[1,2]");
	put_in_run("bare", "run.json", "{}");
	put_in_run("bare", "end.json", "7");
	put_in_run("bare", "layout.json", "{\"stored_bpw\":\"x\",\"predicted\":[]}");
	alone_hear(&p, EV_RUNS, 0, 0, loaded_runs());
	cr_assert(strstr(draw(80, 24), "bare"), "%s", shown);
	cr_assert_null(strchr(shown, '\x1b'), "%s", shown);
	for (int w = 0; w < 90; w += 7)
		for (int h = 0; h < 30; h += 3)
			cr_assert(alone_stays_inside(&p, w, h), "%d %d", w, h);
}

Test(runs_panel, a_click_puts_the_cursor_on_a_row)
{
	hear(5);
	draw(80, 24);
	cr_assert_null(p.class->on_mouse(p.self, 5, 3, MOUSE_LEFT, 80, 24));
	at("20260101-000002-search-0002");
	cr_assert_str_eq(p.class->on_mouse(p.self, 5, 3, MOUSE_WHEEL_DOWN, 80, 24), "move down");
	cr_assert_null(p.class->on_mouse(p.self, 5, 20, MOUSE_LEFT, 80, 24), "below the table");
	at("20260101-000002-search-0002");
}
