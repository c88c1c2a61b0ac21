/* test_panel_map.c - the heatmap and the cell panel. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/map.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_heatmap, panel_cell;

static struct alone p;
static char *shown;

static void begin(const struct panel_class *class, size_t layers, enum cell_state state)
{
	p = alone_open(class);
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(layers)->snap);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(layers, state)->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &made_answer(layers)->snap);
}

static const char *row(int w, int h, int y)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return alone_row(shown, y);
}

static void shows(int w, int h, const char *want)
{
	row(w, h, 0);
	cr_assert_str_eq(shown, want, "got\n%s", shown);
}

static void command(const char *word, const char *arg)
{
	cr_assert(p.class->on_command(p.self, word, arg), "%s %s", word, arg);
}

static int64_t cursor(void)
{
	return p.class->cursor(p.self);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(heatmap, .fini = end);
TestSuite(cell, .fini = end);

Test(heatmap, digits_are_bits_and_shades_are_damage)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	shows(60, 12,
		"            ▾\n"
		" ▸        q 2 k▓4▓\n"
		"          k 3░2▓k▓\n"
		"          v 4░3▓2▓\n"
		"          o k▒4▓3█\n"
		"       gate 2▒k▓4█\n"
		"         up 3▒2▓k█\n"
		"       down 4▒3▓2█\n"
		"\n"
		"  digit bits (k: as in file)  shade damage\n"
		"  ░ .0015  ▒ .0034  ▓ .0076  █ .0171  nats, log\n"
		"\n");
}

Test(heatmap, the_legend_names_first_scores)
{
	begin(&panel_heatmap, 3, CELL_SCORED);
	cr_assert_str_eq(row(70, 12, 10),
		"  ░ .0015  ▒ .0034  ▓ .0076  █ .0171  relative error, first score");
	cr_assert_str_eq(row(45, 12, 10), "  ░ .0015 ▒ .0034 ▓ .0076 █ .0171 first score");
	cr_assert_str_eq(row(41, 12, 10), "  ░ .0015 ▒ .0034 ▓ .0076 █ .0171 score");
	cr_assert_str_eq(p.class->note(p.self), "if one linear alone is int2g64: first score");
}

Test(heatmap, the_thresholds_are_there_when_rows_have_to_scroll)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("move", "down");
	command("move", "down");
	command("move", "down");
	command("move", "down");
	command("move", "down");
	command("move", "down");
	cr_assert_str_eq(row(42, 7, 6), "  ░ .0015 ▒ .0034 ▓ .0076 █ .0171 nats");
	cr_assert_str_eq(row(42, 7, 5), " ▸     down 4▒3▓2█");
}

Test(heatmap, cells_that_are_not_known_say_so)
{
	struct snap_map *m = made_map(3, CELL_UNKNOWN);

	begin(&panel_heatmap, 3, CELL_UNKNOWN);
	m->cell[7 * 4].state = CELL_RUNNING;
	m->cell[7 * 4].value = NAN;
	m->cell[14 * 4].state = CELL_FAILED;
	alone_hear(&p, EV_MAP, 0, 0, &m->snap);
	cr_assert_str_eq(row(60, 12, 1), " ▸        q 2·k◌4!");
	command("view", "damage");
	cr_assert_str_eq(row(60, 12, 1), " ▸        q ··◌◌!!");
}

Test(heatmap, without_a_map_or_an_answer_it_still_draws)
{
	p = alone_open(&panel_heatmap);
	cr_assert_str_eq(row(60, 12, 0), " no model is open yet");
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(3)->snap);
	cr_assert_str_eq(row(60, 12, 1), " ▸        q ······");
	cr_assert_str_eq(row(60, 12, 10), "  no scores yet");
	cr_assert_null(p.class->copy(p.self));
}

Test(heatmap, the_map_of_another_model_is_not_shown)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(2)->snap);
	cr_assert_str_eq(row(60, 12, 1), " ▸        q ····");
}

Test(heatmap, one_column_a_block_when_two_do_not_fit)
{
	begin(&panel_heatmap, 30, CELL_SCANNED);
	cr_assert_str_eq(row(43, 10, 1), " ▸        q 2k432k432k432k432k432k432k432k");
	cr_assert_str_eq(row(43, 10, 0), "            ▾   4   8   12  16  20  24  28");
}

Test(heatmap, columns_scroll_with_the_cursor_inside)
{
	begin(&panel_heatmap, 30, CELL_SCANNED);
	command("move", "last");
	cr_assert_eq(cursor(), 29 * 7);
	cr_assert_str_eq(row(22, 10, 1), "    q 432k432k432k432k");
	cr_assert_eq(alone_role(&p, 22, 10, 21, 1), ROLE_CURSOR);
	command("move", "first");
	cr_assert_eq(alone_role(&p, 22, 10, 6, 1), ROLE_CURSOR);
}

Test(heatmap, turned_rows_are_blocks)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("transpose", "");
	cr_assert_str_eq(row(60, 12, 0), "            q    k    v    o    gate up   down");
	cr_assert_str_eq(row(60, 12, 1), " ▸        0 2    3░   4░   k▒   2▒   3▒   4▒");
	cr_assert_str_eq(row(60, 12, 3), "          2 4▓   k▓   2▓   3█   4█   k█   2█");
	command("move", "right");
	cr_assert_eq(cursor(), 1);
	command("move", "down");
	cr_assert_eq(cursor(), 8);
}

Test(heatmap, a_bin_shows_its_worst_and_the_cursor_its_own)
{
	begin(&panel_heatmap, 4, CELL_SCANNED);
	command("bin", "");
	/* Blocks 0 and 1: the cursor's cell is 0; blocks 2 and 3: 3 is worse. */
	cr_assert_str_eq(row(60, 12, 1), " ▸        q 2 3▓");
	command("move", "right");
	cr_assert_eq(cursor(), 14);
	cr_assert_str_eq(row(60, 12, 1), " ▸        q k▒4▓");
	command("bin", "");
	command("bin", "");
	cr_assert_str_eq(row(60, 12, 2), "          k 4█", "all four blocks are in one");
	command("bin", "");
	cr_assert_str_eq(row(60, 12, 2), "          k 3░2▒k▓4█", "eight, then one again");
}

Test(heatmap, the_cursor_stays_on_the_map)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("move", "left");
	command("move", "up");
	cr_assert_eq(cursor(), 0);
	command("move", "page-down");
	cr_assert_eq(cursor(), 14);
	for (int i = 0; i < 9; i++)
		command("move", "down");
	cr_assert_eq(cursor(), 20);
	command("move", "right");
	cr_assert_eq(cursor(), 20);
	command("move", "nowhere");
	cr_assert_eq(cursor(), 20);
}

Test(heatmap, n_goes_by_damage_a_byte)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	/* The damage of linear i is i + 1, but `down` (6, 13, 20) has three times the bytes. */
	command("next", ""); /* 0 is the last but those; the next worse one is 6 / 3 = 2.3 ... */
	cr_assert_eq(cursor(), 19, "round to the first: %d", (int)cursor());
	command("next", "");
	cr_assert_eq(cursor(), 18);
	command("prev", "");
	command("prev", "");
	cr_assert_eq(cursor(), 0, "round to the last");
}

Test(heatmap, n_keeps_to_the_filter)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("filter", "down");
	cr_assert_eq(cursor(), 6, "a row that is shown");
	command("next", "");
	cr_assert_eq(cursor(), 20);
	command("next", "");
	cr_assert_eq(cursor(), 13);
	command("filter", "no-such-thing");
	command("next", "");
	cr_assert_eq(cursor(), 13);
}

Test(heatmap, a_filter_by_kind_keeps_these_rows)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("filter", "v down");
	cr_assert_str_eq(row(60, 12, 1), " ▸        v 4░3▓2▓");
	cr_assert_str_eq(row(60, 12, 2), "       down 4▒3▓2█");
	cr_assert_str_eq(row(60, 12, 3), "");
	command("move", "down");
	cr_assert_eq(cursor(), 6);
	command("filter", "");
	cr_assert_str_eq(row(60, 12, 7), " ▸     down 4▒3▓2█");
}

Test(heatmap, other_filters_dim_what_does_not_match)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("filter", "bits=2");
	cr_assert_eq(alone_role(&p, 60, 12, 12 + 2 * 2, 3), ROLE_RAMP0 + 6, "2 bits");
	cr_assert_eq(alone_role(&p, 60, 12, 12 + 2, 3), ROLE_DIM, "3 bits");
	command("filter", "kl>0.0205");
	cr_assert_eq(alone_role(&p, 60, 12, 16, 7), ROLE_RAMP0 + 7);
	cr_assert_eq(alone_role(&p, 60, 12, 16, 6), ROLE_DIM);
	command("filter", "layers.2.*");
	cr_assert_eq(alone_role(&p, 60, 12, 14, 7), ROLE_DIM);
	cr_assert_neq(alone_role(&p, 60, 12, 16, 7), ROLE_DIM);
	command("filter", "bits=7");
	row(80, 12, 0);
	cr_assert_not_null(strstr(shown, "/bits=7: no match"));
}

Test(heatmap, a_click_puts_the_cursor)
{
	begin(&panel_heatmap, 30, CELL_SCANNED);
	cr_assert_str_eq(p.class->on_mouse(p.self, 12 + 2 * 5 + 1, 3, MOUSE_LEFT, 79, 12), "");
	cr_assert_eq(cursor(), 5 * 7 + 2);
	cr_assert_null(p.class->on_mouse(p.self, 3, 3, MOUSE_LEFT, 79, 12));
	cr_assert_null(p.class->on_mouse(p.self, 13, 9, MOUSE_LEFT, 79, 12));
	cr_assert_null(p.class->on_mouse(p.self, 13, 2, MOUSE_WHEEL_UP, 79, 12));
	cr_assert_null(p.class->on_mouse(p.self, 78, 2, MOUSE_LEFT, 79, 12));
	cr_assert_eq(cursor(), 5 * 7 + 2);
}

Test(heatmap, a_click_in_a_bin_takes_its_worst)
{
	begin(&panel_heatmap, 30, CELL_SCANNED);
	command("bin", "");
	p.class->on_mouse(p.self, 12 + 2, 1, MOUSE_LEFT, 79, 12);
	cr_assert_eq(cursor(), 3 * 7);
}

Test(heatmap, copies_name_and_format)
{
	char *text;

	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("move", "right");
	command("move", "down");
	text = p.class->copy(p.self);
	cr_assert_str_eq(text, "layers.1.k int2g64");
	xfree(text);
}

Test(heatmap, a_cell_measured_on_one_piece_is_in_nats)
{
	struct map_cell c = { .state = CELL_FAST, .tokens = 64, .value = 0.1f, .se = NAN };

	begin(&panel_heatmap, 1, CELL_SCANNED);
	cr_assert(map_in_nats(&c));
	c.state = CELL_RUNNING;
	cr_assert(map_in_nats(&c));
	c.tokens = 0;
	cr_assert_not(map_in_nats(&c), "the score it had before");
	c.state = CELL_SCORED;
	cr_assert_not(map_in_nats(&c));
}

/* ---- cell */

Test(cell, says_what_each_format_costs)
{
	begin(&panel_cell, 30, CELL_SCANNED);
	alone_hear(&p, EV_VARIANTS, 0, 0, &made_variants(30)->snap);
	alone_hear(&p, EV_CURSOR, 0, 22, NULL);
	shows(36, 12,
		" layers.3.k  576 x 576  331776\n"
		" int4g128  by gptq, its best\n"
		" format      KL     ±  text bytes\n"
		" int2g64  .0230 .0004   512 20.0K ▅\n"
		" int3g64  .0058 .0004   512 30.0K ▃\n"
		"▸int4g128 .0014 .0004   512 40.0K ▁\n"
		" keep         0       exact 50.0K ▁\n"
		" rank 182 of 210  by KL a byte\n"
		" pinned no\n"
		"\n"
		"\n"
		" p pin   f free\n");
}

Test(cell, is_abbreviated_in_a_small_box)
{
	begin(&panel_cell, 30, CELL_SCANNED);
	alone_hear(&p, EV_CURSOR, 0, 22, NULL);
	shows(28, 6,
		" layers.3.k  576 x 576\n"
		" int4g128\n"
		" int2g64  .0230   512 20.0K\n"
		" int3g64  .0058   512 30.0K\n"
		"▸int4g128 .0014   512 40.0K\n"
		" keep         0 exact 50.0K\n");
	cr_assert_str_eq(row(30, 1, 0), " layers.3.k  int4g128");
}

Test(cell, scores_are_not_called_nats)
{
	begin(&panel_cell, 30, CELL_SCORED);
	cr_assert_str_eq(row(36, 12, 2), " format   error     ±  text bytes");
	cr_assert_str_eq(row(36, 12, 3), "▸int2g64  .0010       score 20.0K ▁");
	cr_assert_str_eq(row(36, 12, 7), " rank 210 of 210  by score a byte");
	cr_assert_eq(alone_role(&p, 36, 12, 12, 3), ROLE_DIM);
}

Test(cell, data_free_variants_are_told_from_the_best)
{
	struct snap_variants *v = made_variants(3);

	begin(&panel_cell, 3, CELL_FAST);
	cr_assert_str_eq(row(40, 12, 1), " int2g64");
	alone_hear(&p, EV_VARIANTS, 0, 0, &v->snap);
	cr_assert_str_eq(row(40, 12, 1), " int2g64  by hqq, data-free so far");
	v = made_variants(3);
	snprintf(v->at[0].by, sizeof v->at[0].by, "gptq");
	alone_hear(&p, EV_VARIANTS, 0, 0, &v->snap);
	cr_assert_str_eq(row(40, 12, 1), " int2g64  by gptq so far");
	alone_hear(&p, EV_VARIANTS, 0, 0, &snap_variants_new(21, 4)->snap);
	cr_assert_str_eq(row(40, 12, 1), " int2g64  not made yet");
	alone_hear(&p, EV_CURSOR, 0, 3, NULL);
	cr_assert_str_eq(row(40, 12, 1), " keep  as in the file");
}

Test(cell, pins_and_states_are_named)
{
	struct snap_answer *a = made_answer(3);
	struct snap_map *m = made_map(3, CELL_UNKNOWN);

	begin(&panel_cell, 3, CELL_UNKNOWN);
	cr_assert_str_eq(row(36, 12, 7), " not scored yet");
	a->pin[0] = 2;
	a->choice[0] = 2;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert_str_eq(row(36, 12, 8), " pinned to int4g128");
	m->cell[0].state = CELL_RUNNING;
	m->cell[0].value = 0.5f;
	m->cell[1].state = CELL_FAILED;
	m->cell[2] =
		(struct map_cell){ .state = CELL_FAST, .tokens = 64, .value = 1.5f, .se = NAN };
	alone_hear(&p, EV_MAP, 0, 0, &m->snap);
	cr_assert_str_eq(row(36, 12, 3), " int2g64  .5000         now 20.0K █");
	cr_assert_str_eq(row(36, 12, 4), " int3g64      -       fail! 30.0K");
	cr_assert_str_eq(row(36, 12, 5), "▸int4g128  1.50          64 40.0K");
}

Test(cell, what_was_measured_of_a_variant_before_is_stale)
{
	struct snap_map *map = made_map(30, CELL_SCANNED);

	begin(&panel_cell, 30, CELL_SCANNED);
	map->cell[2] = (struct map_cell){ .state = CELL_FAST, .tokens = 64, .value = 1.5f };
	map->cell[2].stale = true;
	alone_hear(&p, EV_MAP, 0, 0, &map->snap);
	cr_assert_str_eq(row(36, 12, 5), " int4g128  1.50       stale 40.0K █");
}

Test(cell, snapshots_of_another_model_are_not_mixed_in)
{
	begin(&panel_cell, 30, CELL_SCANNED);
	alone_hear(&p, EV_CURSOR, 0, 200, NULL);
	cr_assert_str_eq(row(36, 12, 0), " layers.28.gate  576 x 576  331776");
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(2)->snap);
	cr_assert_str_eq(row(36, 12, 0), " layers.0.q  576 x 576  331776");
	cr_assert_str_eq(row(36, 12, 1), " no layout yet");
	alone_hear(&p, EV_CURSOR, 0, 200, NULL);
	cr_assert_str_eq(row(36, 12, 0), " no linear under the crosshair");
}

Test(cell, copies_name_format_and_damage)
{
	char *text;

	begin(&panel_cell, 3, CELL_SCANNED);
	alone_hear(&p, EV_CURSOR, 0, 4, NULL);
	text = p.class->copy(p.self);
	cr_assert_str_eq(text, "layers.0.gate int2g64 KL .0050");
	xfree(text);
}
