/* test_panel_slider.c - the dial itself: its track, its numbers, the mouse on it. */
#include "tests/panel_fixture.h"

extern const struct panel_class panel_slider;

TestSuite(slider, .fini = end);

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
