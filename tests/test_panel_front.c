/* test_panel_front.c - the curve, the measured points on it, its axes. */
#include "tests/panel_fixture.h"

extern const struct panel_class panel_front;

TestSuite(front, .fini = end);

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
