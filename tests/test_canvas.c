/* test_canvas.c - cells, clipping, boxes, wrapping, dumps, themes. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/canvas.h"
#include "app/tui/theme.h"
#include "core/base/alloc.h"

static struct surface *s;
static struct canvas c;

static void begin(int w, int h)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	s = surface_new(w, h);
	c = canvas_of(s);
}

static void shows(const char *want)
{
	char *got = surface_dump(s, false);

	cr_assert_str_eq(got, want);
	xfree(got);
	surface_free(s);
}

Test(canvas, text_is_clipped_at_every_edge)
{
	begin(5, 3);
	cr_assert_eq(canvas_text(&c, 3, 0, ROLE_TEXT, "abc"), 2);
	canvas_text(&c, -2, 1, ROLE_TEXT, "abcd");
	canvas_text(&c, 0, -1, ROLE_TEXT, "above");
	canvas_text(&c, 0, 3, ROLE_TEXT, "below");
	canvas_text(&c, 9, 2, ROLE_TEXT, "right");
	shows("   ab\ncd\n\n");
}

Test(canvas, a_window_keeps_what_is_outside)
{
	struct canvas in;

	begin(8, 3);
	canvas_fill(&c, 0, 0, 8, 3, ROLE_DIM, '.');
	in = canvas_sub(&c, 2, 1, 4, 1);
	canvas_fill(&in, -5, -5, 99, 99, ROLE_TEXT, '#');
	canvas_text(&in, 0, 0, ROLE_TEXT, "longer than four");
	shows("........\n..long..\n........\n");
}

Test(canvas, a_window_is_cut_to_its_parent)
{
	struct canvas in;

	begin(4, 4);
	in = canvas_sub(&c, -2, 2, 10, 10);
	cr_assert_eq(in.x, 0);
	cr_assert_eq(in.w, 4);
	cr_assert_eq(in.h, 2);
	in = canvas_sub(&c, 9, 9, 1, 1);
	cr_assert_eq(in.w, 0);
	cr_assert_eq(in.h, 0);
	canvas_text(&in, 0, 0, ROLE_TEXT, "x");
	canvas_box(&in, true, "t", "n");
	shows("\n\n\n\n");
}

Test(canvas, wide_characters_are_never_cut_in_half)
{
	begin(5, 3);
	cr_assert_eq(canvas_text(&c, 0, 0, ROLE_TEXT, "漢字漢"), 5 + 1);
	canvas_text(&c, 0, 1, ROLE_TEXT, "漢字");
	canvas_text(&c, 1, 1, ROLE_TEXT, "x");
	canvas_text(&c, -1, 2, ROLE_TEXT, "漢ab");
	shows("漢字\n x字\n ab\n");
}

Test(canvas, combining_marks_stay_with_their_base)
{
	begin(4, 1);
	cr_assert_eq(canvas_text(&c, 0, 0, ROLE_TEXT, "e\xcc\x81x"), 2);
	shows("e\xcc\x81x\n");
}

Test(canvas, what_must_not_reach_a_terminal_does_not)
{
	begin(24, 2);
	canvas_text(&c, 0, 0, ROLE_TEXT,
		"a\033[2Jb\a\x7f"
		"c\xc2\x9b"
		"d\xe2\x80\xae"
		"e");
	canvas_text(&c, 0, 1, ROLE_TEXT, "first\nsecond");
	shows("a[2Jbcde\nfirst\n");
}

Test(canvas, tabs_stop_every_eight_columns_of_the_text)
{
	begin(20, 1);
	cr_assert_eq(canvas_text(&c, 1, 0, ROLE_TEXT, "ab\tc"), 9);
	shows(" ab      c\n");
}

Test(canvas, right_aligned_text_is_clipped_on_the_left)
{
	begin(6, 2);
	canvas_right(&c, 6, 0, ROLE_TEXT, "123");
	canvas_right(&c, 4, 1, ROLE_TEXT, "abcdef");
	shows("   123\ncdef\n");
}

Test(canvas, a_box_has_its_title_and_note_and_is_heavy_in_focus)
{
	struct canvas in;

	begin(24, 6);
	in = canvas_sub(&c, 0, 0, 24, 3);
	canvas_box(&in, false, "Budget", "predicted");
	in = canvas_sub(&c, 0, 3, 24, 3);
	canvas_box(&in, true, "Budget", "a note that is too long");
	shows("┌─ Budget ─ predicted ─┐\n│                      │\n└──────────────────────┘\n"
	      "┏━ Budget ━━━━━━━━━━━━━┓\n┃                      ┃\n┗━━━━━━━━━━━━━━━━━━━━━━┛\n");
}

Test(canvas, boxes_of_any_size_stay_inside)
{
	for (int w = 0; w < 12; w++)
		for (int h = 0; h < 5; h++) {
			struct canvas in;

			begin(14, 7);
			in = canvas_sub(&c, 1, 1, w, h);
			canvas_box(&in, w & 1, "Title", "note");
			for (int y = 0; y < 7; y++)
				for (int x = 0; x < 14; x++)
					if (x < 1 || y < 1 || x > w || y > h)
						cr_assert_eq(s->cell[y * 14 + x].ch[0], 0,
							"%dx%d at %d,%d", w, h, x, y);
			surface_free(s);
		}
}

/* ---- wrapping */

static char wrapped[512];

static void line(void *text, size_t at, size_t n)
{
	size_t end = strlen(wrapped);

	snprintf(wrapped + end, sizeof wrapped - end, "%.*s|", (int)n, (const char *)text + at);
}

static const char *wrap(char *text, int width)
{
	wrapped[0] = 0;
	canvas_wrap(text, strlen(text), width, line, text);
	return wrapped;
}

Test(wrap, breaks_at_blanks_and_drops_them)
{
	cr_assert_str_eq(wrap((char[]){ "the quick brown fox" }, 9), "the quick|brown fox|");
	cr_assert_str_eq(wrap((char[]){ "the quick   brown" }, 9), "the quick|  brown|");
	cr_assert_str_eq(wrap((char[]){ "aa bb" }, 2), "aa|bb|");
}

Test(wrap, cuts_words_that_are_longer_than_the_line)
{
	cr_assert_str_eq(wrap((char[]){ "abcdefgh" }, 3), "abc|def|gh|");
	cr_assert_str_eq(wrap((char[]){ "x abcdefgh" }, 4), "x|abcd|efgh|");
}

Test(wrap, keeps_line_feeds_and_indentation)
{
	cr_assert_str_eq(wrap((char[]){ "a\n\nb\n" }, 9), "a||b|");
	cr_assert_str_eq(wrap((char[]){ "    if x:\n        y" }, 20), "    if x:|        y|");
	cr_assert_eq(canvas_wrap("", 0, 10, NULL, NULL), 0);
}

Test(wrap, counts_wide_characters_as_two)
{
	cr_assert_str_eq(wrap((char[]){ "漢字漢字" }, 5), "漢字|漢字|");
	cr_assert_str_eq(wrap((char[]){ "漢" }, 1), "漢|");
}

/* ---- dumps */

Test(dump, ascii_has_one_byte_a_column)
{
	char *got;

	begin(30, 1);
	canvas_text(&c, 0, 0, ROLE_TEXT, "┌─┐┏━┓│┃░▒▓█●◇▸±…⠉⣀⣿ é漢z");
	got = surface_dump(s, true);
	cr_assert_str_eq(got, "+-+#=#|#.:+#@*>~.'.# ?? z\n");
	xfree(got);
	surface_free(s);
}

Test(dump, glyph_table_is_sorted_and_prints)
{
	for (uint32_t ch = 0; ch < 0x3000; ch++)
		cr_assert(glyph_ascii(ch) >= ' ' && glyph_ascii(ch) < 127, "%x", ch);
	/* Every one that a panel draws with is known. */
	static const uint32_t used[] = { 0x2500, 0x2501, 0x2502, 0x2503, 0x250c, 0x2513, 0x2517,
		0x2518, 0x2581, 0x2584, 0x2588, 0x2591, 0x2592, 0x2593, 0x25cf, 0x25cc, 0x25c7,
		0x25be, 0x25b8, 0x2506, 0x253c, 0x258c, 0x2026, 0xb1, 0xb7 };

	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		cr_assert_neq(glyph_ascii(used[i]), '?', "%x", used[i]);
}

Test(dump, colours_end_with_each_line)
{
	struct theme t;
	char *got;

	begin(4, 2);
	theme_init(&t, "default", DEPTH_256, RAMP_VIRIDIS, false);
	canvas_text(&c, 0, 0, ROLE_STRONG, "ab");
	canvas_text(&c, 2, 0, ROLE_TEXT, "c");
	canvas_text(&c, 0, 1, ROLE_RAMP_LAST, "5");
	canvas_text(&c, 1, 1, ROLE_RAMP_LAST, "█");
	got = surface_dump_ansi(s, false, &t);
	cr_assert_str_eq(
		got, "\033[0;1mab\033[0mc\n\033[0;38;5;16;48;5;226m5\033[0;38;5;226m█\033[0m\n");
	xfree(got);
	surface_free(s);
}

/* ---- themes */

Test(theme, ramps_are_those_of_the_design)
{
	static const uint8_t viridis[8] = { 17, 53, 24, 30, 36, 78, 119, 226 };
	static const uint8_t puor[8] = { 130, 172, 215, 254, 255, 146, 97, 53 };
	struct theme t;

	for (int n = 0; theme_names[n]; n++)
		cr_assert(theme_init(&t, theme_names[n], DEPTH_256, RAMP_VIRIDIS, false));
	theme_init(&t, "dark", DEPTH_256, RAMP_VIRIDIS, false);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(t.style[ROLE_RAMP0 + i].fg, viridis[i]);
		cr_assert_eq(t.style[ROLE_DIFF0 + i].fg, puor[i]);
	}
}

Test(theme, ramps_turn_round_on_a_light_background)
{
	struct theme t;

	theme_init(&t, "default", DEPTH_256, RAMP_GREY, true);
	cr_assert_eq(t.style[ROLE_RAMP0].fg, 255);
	cr_assert_eq(t.style[ROLE_RAMP_LAST].fg, 234);
}

Test(theme, mono_has_no_colour_at_all)
{
	struct theme t;

	for (int n = 0; theme_names[n]; n++)
		for (int mono = 0; mono < 2; mono++) {
			if (!mono && strcmp(theme_names[n], "mono"))
				continue;
			theme_init(&t, theme_names[n], mono ? DEPTH_MONO : DEPTH_256, RAMP_VIRIDIS,
				false);
			for (uint8_t r = 0; r < ROLES; r++) {
				cr_assert_eq(theme_style(&t, r, 'x').fg, -1);
				cr_assert_eq(theme_style(&t, r, 'x').bg, -1);
			}
		}
}

Test(theme, a_digit_on_a_ramp_can_be_read)
{
	struct theme t;

	for (int ramp = 0; ramp < RAMPS; ramp++) {
		theme_init(&t, "default", DEPTH_256, (enum ramp)ramp, false);
		for (uint8_t r = ROLE_RAMP0; r <= ROLE_DIFF_LAST; r++) {
			struct style st = theme_style(&t, r, '4');

			cr_assert(st.fg == 16 || st.fg == 231);
			cr_assert_eq(st.bg, t.style[r].fg);
			cr_assert_eq(theme_style(&t, r, 0x2593).bg, -1);
		}
	}
}

Test(theme, flags_beat_environment_beats_terminal)
{
	unsetenv("NO_COLOR");
	unsetenv("FORCE_COLOR");
	unsetenv("CLICOLOR_FORCE");
	cr_assert_eq(color_depth(COLOR_AUTO, 256), DEPTH_256);
	cr_assert_eq(color_depth(COLOR_AUTO, 8), DEPTH_16);
	cr_assert_eq(color_depth(COLOR_AUTO, 0), DEPTH_MONO);
	setenv("FORCE_COLOR", "1", 1);
	cr_assert_eq(color_depth(COLOR_AUTO, 0), DEPTH_256);
	setenv("NO_COLOR", "1", 1);
	cr_assert_eq(color_depth(COLOR_AUTO, 256), DEPTH_MONO);
	cr_assert_eq(color_depth(COLOR_ALWAYS, 256), DEPTH_256);
	setenv("NO_COLOR", "", 1);
	cr_assert_eq(color_depth(COLOR_AUTO, 256), DEPTH_256);
	cr_assert_eq(color_depth(COLOR_NEVER, 256), DEPTH_MONO);
}
