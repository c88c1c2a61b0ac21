/* test_arrange.c - rectangles over all sizes, and the files they come from. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/lua/arrangement.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

static const struct {
	const char *name;
	struct arr_size min;
} panels[] = { { "heatmap", { 42, 9 } }, { "cell", { 30, 8 } }, { "slider", { 24, 1 } },
	{ "front", { 40, 5 } }, { "search", { 30, 6 } }, { "jobs", { 30, 1 } },
	{ "chat", { 40, 6 } }, { "console", { 30, 4 } } };

static struct arr_size smallest(const void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < sizeof panels / sizeof panels[0]; i++)
		if (!strcmp(panels[i].name, name))
			return panels[i].min;
	return (struct arr_size){ -1, -1 };
}

static struct arrangement builtin(int at)
{
	struct arrangement a;
	struct err e;

	cr_assert_not(arrangement_parse(&a, screen_builtin_name[at], screen_builtin[at],
			      strlen(screen_builtin[at]), &e),
		"%s", e.msg);
	return a;
}

static char text[1024];

static const char *placed(const struct arrangement *a, int w, int h, const char *focus)
{
	struct arr_rect r[ARR_RECTS];
	size_t n = arrange(a, w, h, focus, smallest, NULL, r), at = 0;

	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s %d,%d %dx%d\n", r[i].name,
			r[i].x, r[i].y, r[i].w, r[i].h);
	return text;
}

Test(arrange, the_main_screen_is_that_of_the_design)
{
	struct arrangement a = builtin(0);

	cr_assert_str_eq(placed(&a, 120, 33, "heatmap"),
		"heatmap 0,0 82x14\ncell 82,0 38x14\nslider 0,14 120x4\n"
		"front 0,18 82x12\nsearch 82,18 38x12\njobs 0,30 120x3\n");
	cr_assert_str_eq(placed(&a, 80, 21, "heatmap"),
		"heatmap 0,0 46x12\ncell 46,0 34x12\nslider 0,12 80x4\nfront 0,16 80x5\n");
}

static struct arrangement named_builtin(const char *name)
{
	int at = 0;

	while (screen_builtin[at] && strcmp(screen_builtin_name[at], name))
		at++;
	cr_assert(screen_builtin[at], "%s", name);
	return builtin(at);
}

Test(arrange, the_console_stands_beside_what_it_drives)
{
	struct arrangement a = named_builtin("console");

	cr_assert_str_eq(placed(&a, 120, 33, "console"),
		"heatmap 0,0 82x14\ncell 82,0 38x14\nslider 0,14 120x4\n"
		"console 0,18 74x12\nfront 74,18 46x12\njobs 0,30 120x3\n");
	cr_assert_str_eq(placed(&a, 80, 21, "console"),
		"heatmap 0,0 46x9\ncell 46,0 34x9\nslider 0,9 80x3\nconsole 0,12 80x9\n");
	cr_assert_str_eq(placed(&a, 60, 10, "console"), "console 0,0 60x10\n");
}

Test(arrange, rows_leave_in_the_order_of_drop)
{
	struct arrangement a = builtin(0);

	/* First the jobs, then the front; what stays grows into the room. */
	cr_assert_str_eq(placed(&a, 120, 26, NULL),
		"heatmap 0,0 82x14\ncell 82,0 38x14\nslider 0,14 120x4\n"
		"front 0,18 82x8\nsearch 82,18 38x8\n");
	cr_assert_str_eq(placed(&a, 120, 22, NULL),
		"heatmap 0,0 82x18\ncell 82,0 38x18\nslider 0,18 120x4\n");
}

Test(arrange, the_cell_leaves_before_the_map_when_columns_run_out)
{
	struct arrangement a = builtin(0);

	cr_assert_str_eq(placed(&a, 71, 16, "heatmap"), "heatmap 0,0 71x12\nslider 0,12 71x4\n");
	cr_assert_str_eq(placed(&a, 71, 16, "cell"), "cell 0,0 71x12\nslider 0,12 71x4\n");
	cr_assert_str_eq(placed(&a, 72, 16, "heatmap"),
		"heatmap 0,0 42x12\ncell 42,0 30x12\nslider 0,12 72x4\n");
}

Test(arrange, at_last_the_focused_panel_is_alone)
{
	struct arrangement a = builtin(0);

	cr_assert_str_eq(placed(&a, 80, 9, "cell"), "cell 0,0 80x9\n");
	cr_assert_str_eq(placed(&a, 80, 9, "slider"), "slider 0,0 80x9\n");
	/* Where it does not fit, the first that does. */
	cr_assert_str_eq(placed(&a, 40, 7, "heatmap"), "slider 0,0 40x7\n");
	cr_assert_str_eq(placed(&a, 10, 2, "heatmap"), "");
}

static void check(const struct arrangement *a, int w, int h, const char *focus)
{
	struct arr_rect r[ARR_RECTS];
	size_t n = arrange(a, w, h, focus, smallest, NULL, r);
	int area = 0;

	for (size_t i = 0; i < n; i++) {
		struct arr_size m = smallest(NULL, r[i].name);

		cr_assert(
			r[i].x >= 0 && r[i].y >= 0 && r[i].x + r[i].w <= w && r[i].y + r[i].h <= h,
			"%s leaves %dx%d", r[i].name, w, h);
		cr_assert(r[i].w >= m.w && r[i].h >= m.h, "%s is %dx%d in %dx%d", r[i].name, r[i].w,
			r[i].h, w, h);
		area += r[i].w * r[i].h;
		for (size_t k = 0; k < i; k++)
			cr_assert(r[i].x >= r[k].x + r[k].w || r[k].x >= r[i].x + r[i].w ||
					  r[i].y >= r[k].y + r[k].h || r[k].y >= r[i].y + r[i].h,
				"%s over %s in %dx%d", r[i].name, r[k].name, w, h);
	}
	/* No holes either. */
	cr_assert(!n || area == w * h, "%d of %d cells in %dx%d", area, w * h, w, h);
}

Test(arrange, over_all_sizes_nothing_overlaps_leaves_or_is_too_small)
{
	for (int at = 0; screen_builtin[at]; at++) {
		struct arrangement a = builtin(at);

		for (int w = 1; w <= 250; w += w < 130 ? 1 : 7)
			for (int h = 1; h <= 80; h++)
				for (size_t f = 0; f < 8; f += 3)
					check(&a, w, h, panels[f].name);
	}
}

Test(arrange, odd_descriptions_are_placed_too)
{
	static const char odd[] = "return { name='x', key='2',"
				  "{ h='*', 'slider:0.9', 'jobs:0.9', 'front:0.9', drop=3 },"
				  "{ h='*', 'cell', 'nosuch', 'heatmap', drop=2 },"
				  "{ h=2, 'heatmap', 'jobs' } }";
	struct arrangement a;
	struct err e;

	cr_assert_not(arrangement_parse(&a, "odd", odd, sizeof odd - 1, &e), "%s", e.msg);
	for (int w = 1; w <= 250; w += 3)
		for (int h = 1; h <= 80; h++)
			check(&a, w, h, "jobs");
	cr_assert_eq(arrange(&a, 0, 0, NULL, smallest, NULL, (struct arr_rect[ARR_RECTS]){ 0 }), 0);
}

/* ---- the files */

Test(layouts, the_built_in_ones_equal_the_files)
{
	for (int i = 0; screen_builtin[i]; i++) {
		char path[64], *file;
		struct err e;
		size_t n;

		snprintf(path, sizeof path, "layouts/%s.lua", screen_builtin_name[i]);
		if (!fs_is_file(path))
			cr_skip_test("no layouts/ in the working folder");
		cr_assert_not(fs_read(path, 1 << 16, &file, &n, &e), "%s", e.msg);
		cr_assert_str_eq(file, screen_builtin[i]);
		big_free(file);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "return {", "x.lua:1: unexpected symbol near <eof>" },
	{ "\n\nreturn 5 +", "x.lua:3: unexpected symbol near <eof>" },
	{ "", "x.lua: the file must return a table, got a nil" },
	{ "return 5", "x.lua: the file must return a table, got a number" },
	{ "return {}", "x.lua: an arrangement needs name and key" },
	{ "return { name = 'a', key = 'b' }", "x.lua: key: expected \"1\" to \"9\", got \"b\"" },
	{ "return { name = 'a', key = '12' }", "x.lua: key: expected \"1\" to \"9\", got \"12\"" },
	{ "return { name = 'a', key = '1' }", "x.lua: the arrangement has no rows" },
	{ "return { name = 'A', key = '1' }",
		"x.lua: \"A\": names are lower-case letters, digits, - and _" },
	{ "return { name = 5, key = '1' }", "x.lua: name: expected a string, got a number" },
	{ "return { name = 'a', key = '1', nmae = 2 }",
		"x.lua: an arrangement has name, key, narrow and rows, not \"nmae\"" },
	{ "return { name = 'a', key = '1', 5 }", "x.lua: a row is a table, got a number" },
	{ "return { name = 'a', key = '1', { 'p' } }", "x.lua: a row needs h (lines, or \"*\")" },
	{ "return { name = 'a', key = '1', { h = 3 } }", "x.lua: a row needs a panel" },
	{ "return { name = 'a', key = '1', { h = 0, 'p' } }",
		"x.lua: h (lines, or \"*\"): expected a whole number from 1 to 500, got 0" },
	{ "return { name = 'a', key = '1', { h = 2.5, 'p' } }",
		"x.lua: h (lines, or \"*\"): expected a whole number from 1 to 500, got 2.5" },
	{ "return { name = 'a', key = '1', { h = 3, drop = -1, 'p' } }",
		"x.lua: drop: expected a whole number from 1 to 99, got -1" },
	{ "return { name = 'a', key = '1', { h = 3, 'p:2' } }",
		"x.lua: \"p:2\": a weight is between 0 and 1, as in \"heatmap:0.68\"" },
	{ "return { name = 'a', key = '1', { h = 3, 'p:x' } }",
		"x.lua: \"p:x\": a weight is between 0 and 1, as in \"heatmap:0.68\"" },
	{ "return { name = 'a', key = '1', { h = 3, w = 4, 'p' } }",
		"x.lua: a row has h, drop and panels, not \"w\"" },
	{ "return { name = 'a', key = '1', { h = 3, 'p','p','p','p','p','p','p' } }",
		"x.lua: a row holds at most 6 panels" },
	{ "return { name = 'a', key = '1', narrow = 3, { h = 3, 'p' } }",
		"x.lua: narrow: expected a table, got a number" },
	{ "os.exit(1)", "x.lua:1: attempt to index a nil value (global 'os')" },
	{ "while true do end", "x.lua:1: an arrangement is data: this one computes too long" },
	{ "local s = 'x' while true do s = s .. s end",
		"x.lua:1: it takes more than the 1024 KiB of memory that it may" },
	{ "\033Lua", "x.lua: attempt to load a binary chunk (mode is 't')" },
};

Test(layouts, a_broken_file_is_one_sentence)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct arrangement a = { .key = 'k' };
		struct err e = { 0 };

		cr_assert_eq(arrangement_parse(&a, "x.lua", bad[i].text, strlen(bad[i].text), &e),
			ST_FORMAT, "%s", bad[i].text);
		cr_assert_str_eq(e.msg, bad[i].why);
		cr_assert_eq(a.key, 'k', "it was left alone");
	}
}

Test(layouts, a_cyclic_table_is_refused)
{
	static const char cyclic[] = "local t = { name='a', key='1' } t[1] = t return t";
	struct arrangement a;
	struct err e;

	cr_assert_eq(arrangement_parse(&a, "x", cyclic, sizeof cyclic - 1, &e), ST_FORMAT);
	/* Which of the two keys is met first is Lua's own business. */
	cr_assert_eq(strncmp(e.msg, "x: a row has h, drop and panels, not \"", 38), 0, "%s", e.msg);
}

Test(layouts, what_is_written_reads_as_the_same)
{
	for (int at = 0; screen_builtin[at]; at++) {
		struct arrangement a = builtin(at), b;
		char *text_of = arrangement_text(&a);
		struct err e;

		cr_assert_not(arrangement_parse(&b, "x", text_of, strlen(text_of), &e), "%s\n%s",
			e.msg, text_of);
		cr_assert_eq(memcmp(&a, &b, sizeof a), 0, "%s", text_of);
		xfree(text_of);
	}
}

Test(layouts, a_full_one_fits_its_text)
{
	struct arrangement a = { .key = '9' }, b;
	char *text_of;
	struct err e;

	memset(a.name, 'n', ARR_NAME - 1);
	a.wide.n = a.narrow.n = ARR_ROWS;
	for (int i = 0; i < ARR_ROWS; i++) {
		struct arr_row *r = &a.wide.row[i];

		r->h = 500;
		r->drop = 99;
		r->n = ARR_PANELS;
		for (int k = 0; k < ARR_PANELS; k++) {
			memset(r->panel[k].name, 'p', ARR_NAME - 1);
			r->panel[k].weight = 0.1234;
		}
		a.narrow.row[i] = *r;
	}
	text_of = arrangement_text(&a);
	cr_assert_not(arrangement_parse(&b, "x", text_of, strlen(text_of), &e), "%s", e.msg);
	cr_assert_eq(memcmp(&a, &b, sizeof a), 0);
	xfree(text_of);
}
