/* test_panel_dial.c - slider, front and search. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_slider, panel_front, panel_search;

static struct alone p;
static char *shown;

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

static bool says(int w, int h, const char *what)
{
	row(w, h, 0);
	return strstr(shown, what);
}

static void begin(const struct panel_class *class)
{
	p = alone_open(class);
	alone_hear(&p, EV_FRONT, 0, 0, &made_front()->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &made_answer(3)->snap);
}

static void hear_answer(double asked, double stored, double kl, double se, bool nats)
{
	struct snap_answer *a = made_answer(3);

	a->asked_bpw = asked;
	a->stored_bpw = stored;
	a->kl = kl;
	a->se = se;
	a->in_nats = nats;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(slider, .fini = end);
TestSuite(front, .fini = end);
TestSuite(search, .fini = end);

/* ---- slider */

Test(slider, shows_the_knob_between_its_ends_and_all_three_sizes)
{
	begin(&panel_slider);
	/* 41 columns from 2.50 to 5.00: 4.25 is the 28th after the first; ◇ is 3.50. */
	shows(78, 2,
		"  2.50 ━━━━━━━━━━━━━━━━◇━━━━━━━━━━━●──────────── 5.00  4.25 bpw\n"
		" predicted .0131 ± .0009  53.9 MiB  nominal 4.03  file 81.0 MiB\n");
	cr_assert_str_eq(p.class->note(p.self), "predicted ± .0009");
}

Test(slider, says_what_was_asked_when_it_is_not_what_was_reached)
{
	begin(&panel_slider);
	hear_answer(4.27, 4.25, 0.0131, 0.0009, true);
	cr_assert(says(78, 2, "4.25 bpw (asked 4.27)"));
	cr_assert(says(118, 2, "4.25 bpw (asked 4.27)   53.9 MiB"));
	cr_assert(says(60, 2, "  asked 4.27"));
	hear_answer(4.254, 4.25, 0.0131, 0.0009, true);
	cr_assert_not(says(78, 2, "asked"));
}

Test(slider, the_track_stays_while_the_numbers_change)
{
	const char *before, *after;

	begin(&panel_slider);
	before = strdup(row(78, 2, 0));
	hear_answer(4.2501, 4.23, NAN, NAN, true);
	after = row(78, 2, 0);
	cr_assert_eq(strstr(before, " 5.00") - before, strstr(after, " 5.00") - after);
	free((void *)before);
}

Test(slider, predicted_and_measured_have_their_names)
{
	struct snap_answer *a = made_answer(3);

	begin(&panel_slider);
	a->measured_kl = 0.0129;
	a->measured_se = 0.0004;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert(says(78, 2, " predicted .0131 ± .0009  measured .0129 ± .0004"));
}

Test(slider, first_scores_are_no_nats)
{
	begin(&panel_slider);
	hear_answer(4.25, 4.25, 0.123, NAN, false);
	cr_assert(says(78, 2, " first score .1230, not in nats"));
	cr_assert_not(says(78, 2, "predicted"));
	cr_assert_str_eq(p.class->note(p.self), "first score, not in nats");
	hear_answer(4.25, 4.25, NAN, NAN, false);
	cr_assert(says(78, 2, "damage not predicted yet"));
	cr_assert_null(p.class->note(p.self));
}

Test(slider, the_mark_and_the_way_from_it)
{
	struct snap_answer *a = snap_answer_new(21, true);

	begin(&panel_slider);
	a->asked_bpw = a->stored_bpw = 4.25;
	a->in_nats = true;
	a->kl = 0.2;
	a->se = a->measured_kl = NAN;
	a->bytes = 3 << 20;
	a->a_bpw = 3;
	a->a_kl = 0.25;
	a->a_bytes = 1 << 20;
	alone_hear(&p, EV_ANSWER, 0, 0, snap_ref(&a->snap));
	cr_assert_str_eq(row(118, 2, 1), " predicted .2000  at A  nominal 0.00  file 0.0 KiB");
	a->choice[0] = a->choice[1] = 2;
	a->a_choice[5] = 1;
	a->rules_kl = 0.013;
	alone_hear(&p, EV_ANSWER, 0, 0, snap_ref(&a->snap));
	cr_assert_str_eq(row(118, 2, 1), " predicted .2000  to A 3.00: KL -.0500  +2.0 MiB  2 up "
					 "1 down  rules cost .0130  nominal 0.00  file 0.0 KiB");
	cr_assert(strstr(row(78, 2, 0), "━A━"), "%s", row(78, 2, 0));
	a->in_nats = false;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert(strstr(row(118, 2, 1), "to A 3.00: KL -  +2.0 MiB"), "%s", row(118, 2, 1));
}

Test(slider, a_click_or_drag_names_the_budget)
{
	begin(&panel_slider);
	/* The track is columns 7 to 47 of 78. */
	cr_assert_str_eq(p.class->on_mouse(p.self, 7, 0, MOUSE_LEFT, 78, 2), "budget 2.50");
	cr_assert_str_eq(p.class->on_mouse(p.self, 47, 0, MOUSE_LEFT, 78, 2), "budget 5.00");
	cr_assert_str_eq(p.class->on_mouse(p.self, 27, 0, MOUSE_LEFT, 78, 2), "budget 3.75");
	cr_assert_str_eq(p.class->on_mouse(p.self, 2, 0, MOUSE_LEFT, 78, 2), "budget 2.50");
	cr_assert_str_eq(p.class->on_mouse(p.self, 50, 0, MOUSE_LEFT, 78, 2), "budget 5.00");
	cr_assert_null(p.class->on_mouse(p.self, 70, 0, MOUSE_LEFT, 78, 2), "the numbers");
	cr_assert_null(p.class->on_mouse(p.self, 20, 1, MOUSE_LEFT, 78, 2));
	cr_assert_null(p.class->on_mouse(p.self, 20, 0, MOUSE_RIGHT, 78, 2));
}

Test(slider, the_wheel_turns_by_a_twentieth)
{
	begin(&panel_slider);
	cr_assert_str_eq(p.class->on_mouse(p.self, 70, 1, MOUSE_WHEEL_UP, 78, 2), "budget +0.05");
	cr_assert_str_eq(p.class->on_mouse(p.self, 70, 1, MOUSE_WHEEL_DOWN, 78, 2), "budget -0.05");
}

Test(slider, where_one_clicks_is_where_the_knob_goes)
{
	begin(&panel_slider);
	for (int x = 7; x <= 47; x++) {
		double bpw = strtod(p.class->on_mouse(p.self, x, 0, MOUSE_LEFT, 78, 2) + 7, NULL);
		int cx, cy;

		hear_answer(bpw, bpw, 0.01, 0.001, true);
		xfree(alone_draw_as(&p, 78, 2, true, false, &cx, &cy));
		cr_assert_eq(alone_role(&p, 78, 2, x, 0), ROLE_CURSOR, "at %d", x);
	}
}

Test(slider, before_the_first_answer_it_says_so)
{
	p = alone_open(&panel_slider);
	cr_assert_str_eq(row(78, 2, 0), " no budget before the first scores");
	cr_assert_null(p.class->on_mouse(p.self, 20, 0, MOUSE_LEFT, 78, 2));
	cr_assert_null(p.class->copy(p.self));
	alone_hear(&p, EV_FRONT, 0, 0, &made_front()->snap);
	cr_assert(says(78, 2, "2.50 ──"));
}

Test(slider, a_single_budget_is_no_track)
{
	struct snap_front *f = made_front();

	begin(&panel_slider);
	f->most_bpw = f->least_bpw;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert_str_eq(row(78, 2, 0), " 4.25 bpw");
	cr_assert_null(p.class->on_mouse(p.self, 20, 0, MOUSE_LEFT, 78, 2));
}

Test(slider, one_line_is_enough)
{
	begin(&panel_slider);
	cr_assert_str_eq(row(24, 1, 0), " ━━━━◇━━━●─── 4.25 bpw");
	cr_assert_str_eq(row(14, 1, 0), "4.25 bpw .0131");
}

/* ---- front */

Test(front, draws_axes_curve_marks_and_dial)
{
	struct snap_front *f = made_front();

	begin(&panel_front);
	f->point[0].kl = 0.5;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	hear_answer(4.25, 4.25, 0.0625, 0.001, true);
	/* Random lies in the cell of uniform: the legend does not name it. */
	shows(48, 8,
		"                          ◇ measured  △ uniform\n"
		"      │⠉⠑⠒⠤⢄⣀⡀\n"
		"     1│      ⠈⠉⠒⠒⠤⢄⣀⡀\n"
		"      │             ⠈⠉⠒◇⠤⢄⣀       △\n"
		"      │                    ⠉⠉⠒⠢⠤⢄⣀\n"
		"      │                           ●⠉⠒⠢⠤⣀⣀\n"
		"   .01│                                  ⠉⠑⠒⠢⠤⣀\n"
		"      └────────3──────────────4───────────────5\n");
}

Test(front, a_straight_line_of_halves_is_straight_in_log)
{
	begin(&panel_front);
	/* 41 columns over 2.5 bits: where the dial is, the line is; above them is the legend. */
	for (int i = 0; i <= 10; i++) {
		hear_answer(2.5 + 0.25 * i, 2.5 + 0.25 * i, 8 / pow(2, i), 0.01, true);
		cr_assert_eq(alone_role(&p, 49, 13, 7 + 4 * i, i + 1), ROLE_CURSOR, "point %d", i);
	}
}

/* The row in which the axis has this label; -1: none. */
static int label_at(int w, int h, const char *label)
{
	char want[32];

	snprintf(want, sizeof want, "%6s│", label);
	for (int y = 0; y < h; y++)
		if (!strncmp(row(w, h, y), want, strlen(want)))
			return y;
	return -1;
}

Test(front, ticks_are_decades_where_they_truly_are)
{
	begin(&panel_front);
	for (int h = 10; h < 40; h++) {
		int one = label_at(60, h, "1"), tenth = label_at(60, h, ".1"),
		    hundredth = label_at(60, h, ".01"), three = label_at(60, h, ".3");

		cr_assert(one > 0 && tenth > one && hundredth > tenth, "%d lines\n%s", h, shown);
		cr_assert_leq(
			abs((hundredth - tenth) - (tenth - one)), 1, "%d lines\n%s", h, shown);
		cr_assert(three < 0 || label_at(60, h, ".03") > 0, "all threes or none\n%s", shown);
	}
	cr_assert_gt(label_at(60, 30, ".3"), 0);
}

Test(front, the_lowest_panel_has_two_labels)
{
	begin(&panel_front);
	cr_assert_eq(label_at(78, 3, "8"), 0);
	cr_assert_eq(label_at(78, 3, ".008"), 1, "%s", shown);
	alone_hear(&p, EV_VIEW, 0, 0, NULL);
	cr_assert_eq(label_at(78, 3, "0"), 1, "%s", shown);
}

Test(front, axes_cover_what_is_measured_beyond_the_curve)
{
	struct snap_front *f = made_front();
	int at = 7, w = 60;

	begin(&panel_front);
	f->point[1] = (struct front_point){ 1700, 6, 80, 0, "ends", false };
	f->point[2] = (struct front_point){ 1700, 3, 0.0001, 0, "random", false };
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert(strstr(row(w, 12, 1), "□"), "the worst is at the top right\n%s", shown);
	cr_assert(strstr(row(w, 12, 10), "×"), "the least at the bottom\n%s", shown);
	cr_assert(strstr(row(w, 12, 0), "◇ measured  □ ends  × random"), "%s", shown);
	cr_assert_eq(alone_role(&p, w, 12, at + w - 9, 1), ROLE_SERIES0 + 1);
}

Test(front, an_error_longer_than_a_cell_is_a_bar)
{
	struct snap_front *f = made_front();

	begin(&panel_front);
	cr_assert_eq(alone_role(&p, 49, 13, 7 + 28, 3), ROLE_TEXT, "nothing there yet");
	f->point[1].kl = 2;
	f->point[1].se = 1.9;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert_eq(alone_role(&p, 49, 13, 7 + 28, 3), ROLE_SERIES0, "the point");
	cr_assert_eq(alone_role(&p, 49, 13, 7 + 28, 5), ROLE_SERIES0, "its bar\n%s", shown);
}

Test(front, linear_when_the_log_axis_is_off)
{
	begin(&panel_front);
	cr_assert_str_eq(p.class->note(p.self), "nats a token, log");
	alone_hear(&p, EV_VIEW, 0, 0, NULL);
	cr_assert_str_eq(p.class->note(p.self), "nats a token, linear");
	cr_assert_not_null(strstr(row(60, 11, 1), "8│"));
	cr_assert_not_null(strstr(row(60, 11, 9), "0│"));
	hear_answer(2.75, 2.75, 4, 0.01, true);
	cr_assert_eq(alone_role(&p, 60, 11, 7 + 5, 5), ROLE_CURSOR, "half way down");
}

Test(front, ascii_uses_no_braille)
{
	begin(&panel_front);
	alone_hear(&p, EV_VIEW, 0, VIEW_LOG | VIEW_ASCII, NULL);
	row(60, 10, 0);
	for (const char *s = shown; *s; s++)
		cr_assert_not(
			(s[0] & 0xff) == 0xe2 && (s[1] & 0xfc) == 0xa0, "braille:\n%s", shown);
	cr_assert_not_null(strstr(shown, "-_"));
}

Test(front, a_measured_point_off_the_line_is_flagged)
{
	struct snap_front *f = made_front();

	begin(&panel_front);
	cr_assert_not(says(79, 10, "not as predicted"), "0.5 is what the line has at 3.5");
	f->point[0].missed = true;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert(says(79, 10, "◇ not as predicted, by more than 2 se"));
	f = made_front();
	f->point[0].kl = 0.3; /* the line is that of the rules; the layout keeps to none */
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert_not(says(79, 10, "not as predicted"), "its own prediction counts");
}

Test(front, the_mark_and_a_refined_layout_have_signs_of_their_own)
{
	struct snap_front *f = made_front();
	struct snap_answer *a = snap_answer_new(21, true);

	begin(&panel_front);
	cr_assert_not(says(79, 10, "A"));
	a->has_a = a->in_nats = true;
	a->stored_bpw = 4.25;
	a->kl = 0.2;
	a->a_bpw = 3;
	a->a_kl = 2;
	snprintf(f->point[0].what, sizeof f->point[0].what, "refined");
	f->point[0].kl = 0.3;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert(says(79, 10, "A"));
	cr_assert(says(79, 10, "◆ refined"));
	cr_assert_not(says(79, 10, "not as predicted"), "it is meant to be below the line");
}

Test(front, points_in_nats_are_not_drawn_among_first_scores)
{
	struct snap_front *f = made_front();

	begin(&panel_front);
	f->in_nats = false;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert_not(says(79, 10, "◇"));
	cr_assert_not(says(79, 10, "●"), "the answer is in nats, the front is not");
	cr_assert(says(79, 10, "first scores: measured ones not drawn"));
	cr_assert_str_eq(p.class->note(p.self), "first scores, not in nats, log");
}

Test(front, too_small_to_draw_it_tells_the_numbers)
{
	begin(&panel_front);
	shows(20, 2, " 4.25 bpw\n predicted .0131\n");
	hear_answer(4.25, 4.25, 0.5, NAN, false);
	shows(20, 2, " 4.25 bpw\n first score .5000\n");
}

Test(front, no_damage_at_all_is_a_line_on_the_axis)
{
	struct snap_front *f = snap_front_new(2, 0);

	p = alone_open(&panel_front);
	f->bytes[0] = f->least = 100;
	f->bytes[1] = f->most = 200;
	f->least_bpw = 2;
	f->most_bpw = 4;
	f->in_nats = true;
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	cr_assert_not_null(strstr(row(40, 6, 4), "⣀⣀⣀"));
}

/* ---- search */

Test(search, tells_what_the_answer_rests_on)
{
	begin(&panel_search);
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(3)->snap);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(3, CELL_FAST)->snap);
	alone_hear(&p, EV_VARIANTS, 0, 0, &made_variants(3)->snap);
	shows(50, 10,
		" predict  .0131 ± .0009 nats\n"
		" measured not yet (m)\n"
		" bound    .0130  gap .0001  0.41 ms\n"
		" from     fast pass\n"
		" scan     0 of 63 cells\n"
		" variants data-free 42, calibrated 21 of 63\n"
		" text     self-sampled, seed 1\n"
		" guards   uniform .4000 ± .0100\n"
		"          random .3000 ± .0100\n"
		" m measure   S keep as run   x stop\n");
}

Test(search, an_exact_answer_and_a_measured_one_say_so)
{
	struct snap_answer *a = made_answer(3);

	begin(&panel_search);
	a->exact = true;
	a->measured_kl = 0.0129;
	a->measured_se = 0.0004;
	a->solve_ms = 12.34;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert_str_eq(row(50, 10, 1), " measured .0129 ± .0004 nats");
	cr_assert_str_eq(row(50, 10, 2), " bound    exact: none is better  12.3 ms");
}

Test(search, a_measured_layout_that_is_better_is_named_first)
{
	struct snap_answer *a = made_answer(3);

	begin(&panel_search);
	a->better = (struct front_point){ .bpw = 4.2, .kl = 0.3, .what = "random" };
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert_str_eq(row(36, 10, 2), " better   random .3000 (:better)");
	cr_assert_str_eq(row(36, 10, 8), " guards   uniform .4000 ± .0100");
	cr_assert_not(says(36, 10, "random .3000 ±"), "it is not said twice");
	hear_answer(3.0, 3.0, 0.35, 0.01, true);
	cr_assert_str_eq(row(50, 10, 7), " guards   none near this size");
}

Test(search, in_the_ten_lines_of_a_common_screen_no_number_is_lost)
{
	struct snap_odds *o = snap_odds_new(21, 4);
	struct snap_answer *a = made_answer(3);
	struct snap_front *f = snap_front_new(2, 3);

	begin(&panel_search);
	a->better = (struct front_point){ .bpw = 4.2, .kl = 0.0099, .what = "measured" };
	a->layer_kl = 0.0141;
	a->measured_kl = 0.0129;
	a->measured_se = 0.0004;
	a->generation = o->generation = 7;
	o->stability = 0.92;
	o->undecided = 9;
	for (size_t i = 0; i < 3; i++) {
		f->point[i] = (struct front_point){ .bpw = 4.25, .kl = 0.0041 + 0.011 * (double)i };
		snprintf(f->point[i].what, sizeof f->point[i].what, "%s", guard_name[i]);
	}
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	alone_hear(&p, EV_ODDS, 0, 0, &o->snap);
	alone_hear(&p, EV_FRONT, 0, 0, &f->snap);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(3, CELL_SCANNED)->snap);
	shows(36, 10,
		" predict  .0131 ± .0009 nats\n"
		" measured .0129 ± .0004 nats\n"
		" better   measured .0099 (:better)\n"
		" bound    .0130  gap .0001  0.41 ms\n"
		" from     scan\n"
		" sure     92 %, 9 undecided\n"
		" scan     all 63 cells\n"
		" mix      layer-mix .0141 predicted\n"
		" guards   unif .0041  ends .0151\n"
		"          rand .0261\n");
}

Test(search, scan_counts_name_the_stage)
{
	static const struct {
		size_t scored, fast, scanned;
		const char *want;
	} at[] = {
		{ 12, 0, 0, " scan     scored 12 of 63" },
		{ 63, 5, 0, " scan     fast pass 5 of 63" },
		{ 63, 5, 2, " scan     fast pass 5 of 63  scanned 2" },
		{ 63, 63, 7, " scan     7 of 63 cells" },
		{ 63, 63, 63, " scan     all 63 cells" },
	};

	begin(&panel_search);
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		struct snap_map *m = made_map(3, CELL_SCORED);

		m->scored = at[i].scored;
		m->fast = at[i].fast;
		m->scanned = at[i].scanned;
		alone_hear(&p, EV_MAP, 0, 0, &m->snap);
		cr_assert_str_eq(row(50, 10, 4), at[i].want);
	}
}

Test(search, what_is_not_known_is_not_made_up)
{
	p = alone_open(&panel_search);
	shows(40, 8,
		" predict  nothing yet\n"
		" measured not yet (m)\n"
		" from     no scores yet\n"
		" scan     no cells yet\n"
		" variants none made yet\n"
		" text     -\n"
		" guards   none near this size\n"
		" m measure   S keep as run   x stop\n");
	hear_answer(4.25, 4.25, 0.5, NAN, false);
	cr_assert_str_eq(row(40, 8, 0), " predict  score .5000, not in nats");
}

Test(search, an_error_of_nothing_is_no_error)
{
	struct snap_answer *a = made_answer(3);
	char *text;

	begin(&panel_search);
	a->measured_kl = 0.0029;
	a->measured_se = 0;
	a->bound = NAN;
	a->solve_ms = 0;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert_str_eq(row(50, 10, 1), " measured .0029 nats");
	cr_assert_not(says(50, 10, "bound"), "%s", shown);
	text = p.class->copy(p.self);
	cr_assert_str_eq(text, "4.2500 bpw, measured KL .0029");
	xfree(text);
}

Test(search, few_lines_hold_what_matters_most)
{
	begin(&panel_search);
	shows(28, 2, " predict  .0131 ± .0009 nats\n measured not yet (m)\n");
}
