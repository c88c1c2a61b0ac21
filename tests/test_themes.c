/* test_themes.c - themes of files: what they may say, how they fail, what terminals get of them. */
#include <stdio.h>
#include <string.h>

#include "app/lua/theme_file.h"
#include "app/tui/color.h"
#include "app/tui/commands.h"
#include "app/tui/themes.h"
#include "app/tui/tui.h"
#include "tests/tui_fixture.h"

TestSuite(themes, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct theme_def def;
static struct err e;

static const char *parse(const char *text)
{
	e = (struct err){ 0 };
	return theme_parse(&def, "x", "x.lua", text, strlen(text), &e) ? e.msg : "";
}

Test(themes, a_role_is_a_colour_or_a_table_of_them)
{
	cr_assert_str_eq(
		parse("return { text = 'default', dim = 244, warn = {'yellow', bold = true},\n"
		      " bad = '#ff0000', sel = { 231, bg = 'blue', underline = true,\n"
		      " reverse = false }, series = {1,2,3,4,5,6,7}, ramp7 = 226,\n"
		      " background = 'light' }"),
		"");
	cr_assert_eq(def.style[ROLE_TEXT].fg, -1);
	cr_assert(def.given[ROLE_TEXT] && !def.given[ROLE_ACCENT] && !def.given[ROLE_RAMP0]);
	cr_assert_eq(def.style[ROLE_DIM].fg, 244);
	cr_assert_eq(def.style[ROLE_WARN].fg, 3);
	cr_assert_eq(def.style[ROLE_WARN].attr, ATTR_BOLD);
	cr_assert_eq(def.style[ROLE_BAD].fg, 196);
	cr_assert_eq(def.style[ROLE_SEL].bg, 4);
	cr_assert_eq(def.style[ROLE_SEL].attr, ATTR_UNDERLINE);
	cr_assert_eq(def.style[ROLE_SERIES_LAST].fg, 7);
	cr_assert_eq(def.style[ROLE_RAMP_LAST].fg, 226);
	cr_assert_eq(def.background, THEME_FOR_LIGHT);
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "return {\n\n text = 256 }", "x.lua:3: text: \"256\" is no colour" },
	{ "return { text = -1 }", "x.lua:1: text: \"-1\" is no colour" },
	{ "return { text = 1.5 }", "x.lua:1: text: \"1.5\" is no colour" },
	{ "return { text = '#12345' }", "is no colour" },
	{ "return { text = '#12345g' }", "is no colour" },
	{ "return { text = true }", "x.lua:1: text: expected a colour, got a boolean" },
	{ "return { text = { 1, 2 } }", "x.lua:1: text: one colour" },
	{ "return { text = { 1, blod = true } }", "not \"blod\"" },
	{ "return { text = { 1, bold = 1 } }", "text: bold: expected true or false" },
	{ "return {\n ramp = { 1, 2, 3 } }", "x.lua:2: ramp: expected a list of 8 colours" },
	{ "return { series = 3 }", "series: expected a list of 7 colours" },
	{ "return { background = 'grey' }", "background: expected \"dark\" or \"light\"" },
	{ "return { 1 }", "a theme has roles by their names" },
	{ "return 3", "x.lua: a theme is a table, got a number" },
	{ "", "x.lua: a theme is a table, got a nil" },
	{ "return {\n text = = 1 }", "x.lua:2: unexpected symbol" },
	{ "return { text = os.getenv('HOME') }", "x.lua:1: attempt to index a nil value" },
	{ "while true do end", "x.lua:1: a theme is data: this one computes too long" },
	{ "local t = {}\nfor i = 1, 1e9 do t[i] = {} end", "x.lua:2: " },
	{ "\033LuaS", "binary chunk" },
	{ "return { name = 'A b' }", "x.lua:1: name: expected 1 to 23" },
};

Test(themes, a_role_that_is_not_known_leaves_out_its_line_alone)
{
	cr_assert_str_eq(parse("return {\n text = 1,\n wran = 2,\n bad = 9 }"), "");
	cr_assert_eq(def.style[ROLE_TEXT].fg, 1);
	cr_assert_eq(def.style[ROLE_BAD].fg, 9);
	cr_assert(strstr(def.left_out,
			  "x.lua:3: a theme has no role \"wran\"; did you mean warn: that line"),
		"%s", def.left_out);
}

Test(themes, a_broken_one_is_one_sentence_with_its_line)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *why = parse(bad[i].text);

		cr_expect(strstr(why, bad[i].why), "%s\n  says %s\n  not  %s", bad[i].text, why,
			bad[i].why);
	}
}

Test(themes, colours_become_the_nearest_there_are)
{
	static const struct {
		const char *text;
		int is, of_16;
	} want[] = { { "#000000", 16, 0 }, { "#ffffff", 231, 15 }, { "#5f87af", 67, -1 },
		{ "#808080", 244, 8 }, { "#ff0000", 196, 9 }, { "#00ff00", 46, 10 },
		{ "grey", 8, 8 }, { "255", 255, -1 } };

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		int16_t index;

		cr_assert(color_parse(want[i].text, &index), "%s", want[i].text);
		cr_expect_eq(index, want[i].is, "%s is %d", want[i].text, index);
		if (want[i].of_16 >= 0)
			cr_expect_eq(color_of_16(index), want[i].of_16, "%s", want[i].text);
		cr_expect(color_of_16(index) < 16);
	}
	/* Each colour of the fixed part is its own nearest: 16 to 231 hold no colour twice. */
	for (int i = 16; i < 232; i++) {
		static const int level[6] = { 0, 95, 135, 175, 215, 255 };
		int k = i - 16;
		uint32_t rgb =
			(uint32_t)(level[k / 36] << 16 | level[k / 6 % 6] << 8 | level[k % 6]);

		cr_expect_eq(color_of_rgb(rgb), i, "%06x", (unsigned)rgb);
	}
}

Test(themes, a_terminal_gets_what_it_can_show)
{
	struct theme t;

	cr_assert_str_eq(parse("return { text = '#5f87af', ramp = {16,17,18,19,20,21,33,39},"
			       " sel = { 231, bg = 24, bold = true } }"),
		"");
	theme_make(&t, &def, DEPTH_256, RAMP_VIRIDIS, false);
	cr_assert_eq(t.style[ROLE_TEXT].fg, 67);
	cr_assert_eq(t.style[ROLE_RAMP_LAST].fg, 39);
	cr_assert_eq(t.style[ROLE_ACCENT].fg, 6, "as in the default theme");
	theme_make(&t, &def, DEPTH_256, RAMP_GREY, false);
	cr_assert_eq(t.style[ROLE_RAMP0].fg, 234, "another ramp was asked for");
	theme_make(&t, &def, DEPTH_16, RAMP_VIRIDIS, false);
	cr_assert_lt(t.style[ROLE_TEXT].fg, 16);
	cr_assert_lt(t.style[ROLE_SEL].bg, 16);
	cr_assert_eq(t.style[ROLE_RAMP_LAST].fg, -1, "told by glyphs");
	theme_make(&t, &def, DEPTH_MONO, RAMP_VIRIDIS, false);
	for (int r = 0; r < ROLES; r++)
		cr_assert(t.style[r].fg == -1 && t.style[r].bg == -1);
}

Test(themes, those_that_ship_load_and_can_be_read)
{
	char **names;
	size_t n, seen = 0;

	cr_assert_not(fs_list("share/themes", &names, &n, &e), "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		char *path = xprintf("share/themes/%s", names[i]);
		struct theme t;

		cr_assert_not(theme_load(&def, "x", path, &e), "%s", e.msg);
		theme_make(&t, &def, DEPTH_256, RAMP_VIRIDIS, false);
		for (uint8_t r = 0; r < ROLES; r++) {
			bool line = r == ROLE_BORDER || r >= ROLE_SERIES0;
			double c = theme_contrast(&t, r);

			if (!def.given[r])
				continue;
			cr_expect(c >= (line ? (r == ROLE_BORDER ? 1.5 : 3) : 4.5), "%s %s: %.2f",
				names[i], role_name[r], c);
		}
		seen++;
		xfree(path);
		xfree(names[i]);
	}
	xfree(names);
	cr_assert_geq(seen, (size_t)3);
}

Test(themes, the_series_can_be_seen_on_white_and_on_black)
{
	for (int light = 0; light < 2; light++) {
		struct theme t;

		theme_init(&t, light ? "light" : "dark", DEPTH_256, RAMP_VIRIDIS, light);
		for (uint8_t r = ROLE_SERIES0; r <= ROLE_SERIES_LAST; r++)
			cr_expect_gt(theme_contrast(&t, r), 3.5, "%s %s", t.name, role_name[r]);
	}
}

/* ---- by name */

struct all {
	char text[2048];
};

static void note(void *arg, const char *name, const char *where)
{
	struct all *a = arg;
	size_t n = strlen(a->text);

	(void)where;
	snprintf(a->text + n, sizeof a->text - n, "%s ", name);
}

static void write_theme(const char *name, const char *text)
{
	char *dir_name = path_of("bitdial/themes"), path[160];

	cr_assert_not(fs_mkdirs(dir_name, &e), "%s", e.msg);
	snprintf(path, sizeof path, "bitdial/themes/%s", name);
	write_text(path, text);
}

Test(themes, the_users_file_comes_first_and_each_name_once)
{
	struct all all = { "" };
	bool file;

	write_theme("mine.lua", "return { text = 10 }");
	write_theme("dark.lua", "return { text = 11 }");
	write_theme("no theme.lua", "return {}");
	write_theme("readme.txt", "");
	themes_each(note, &all);
	cr_assert_eq(
		strncmp(all.text, "default dark light high-contrast mono ", 38), 0, "%s", all.text);
	cr_assert(strstr(all.text, " mine ") && !strstr(strstr(all.text, "dark") + 1, "dark") &&
			  !strstr(all.text, "readme") && !strstr(all.text, "no theme"),
		"%s", all.text);
	cr_assert_not(themes_find(&def, &file, "dark", &e));
	cr_assert(file && def.style[ROLE_TEXT].fg == 11);
	cr_assert_not(themes_find(&def, &file, "light", &e));
	cr_assert_not(file);
	cr_assert_eq(themes_find(&def, &file, "mien", &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "there is no theme \"mien\"; did you mean mine");
	cr_assert_eq(themes_find(&def, &file, "../../etc/passwd", &e), ST_INVALID);
}

static struct tui *desk(void)
{
	static struct tui_options o;

	o = (struct tui_options){ .panels = spies, .state_dir = dir, .sub = sub };
	sub = NULL;
	return tui_new(&fake, bus, &o, 256, true);
}

Test(themes, set_theme_takes_a_file_and_a_broken_one_leaves_the_present_one)
{
	struct tui *t;

	write_theme("mine.lua", "return { text = 10 }");
	write_theme("broken.lua", "return {\n text = 'rde' }");
	t = desk();
	command_run(t, "set theme mine");
	cr_assert_eq(t->theme.style[ROLE_TEXT].fg, 10);
	cr_assert_str_eq(t->theme.name, "mine");
	command_run(t, "set theme broken");
	cr_assert(strstr(tui_notice_now(t)->text, "broken.lua:2: text: \"rde\" is no colour"), "%s",
		tui_notice_now(t)->text);
	cr_assert_eq(t->theme.style[ROLE_TEXT].fg, 10);
	cr_assert_str_eq(t->opt.value[OPT_THEME], "mine");
	tui_free(t);
	cr_assert_not(fs_mkdirs(path_of("bitdial/themes/folder.lua"), &e), "%s", e.msg);
	t = desk();
	command_run(t, "set theme mine");
	command_run(t, "set theme folder");
	cr_assert(strstr(tui_notice_now(t)->text, "folder.lua is a folder, not a regular file"),
		"%s", tui_notice_now(t)->text);
	write_theme("mine.lua", "return { text = 10, wran = 3 }");
	command_run(t, "set theme mine");
	cr_assert(strstr(t->notice[(t->n_notices - 2) % NOTICES].text, "no role \"wran\""), "%s",
		t->notice[(t->n_notices - 2) % NOTICES].text);
	command_run(t, "set theme nosuch");
	cr_assert_eq(t->theme.style[ROLE_TEXT].fg, 10);
	command_run(t, "ramp grey"); /* applies the theme anew */
	cr_assert_eq(t->theme.style[ROLE_TEXT].fg, 10);
	command_run(t, "set theme default");
	cr_assert_eq(t->theme.style[ROLE_TEXT].fg, -1);
	tui_free(t);
}

Test(themes, completion_knows_the_files)
{
	char *f;

	write_theme("mine.lua", "return { text = 10 }");
	f = play(80, 24, ":\ntype set theme mi\nTab\nEnter\n");
	cr_assert(strstr(f, "theme = mine"), "%s", f);
	big_free(f);
}
