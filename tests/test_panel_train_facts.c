/* test_panel_train_facts.c - the panels beside the curve of the Train screen: facts, step by step.
 */
#include "tests/train_panel_fixture.h"

TestSuite(train_facts, .fini = end);

Test(train_facts, facts_give_the_numbers_of_the_last_step)
{
	struct snap_train *quick = made_train(2);

	quick->step_s = 0.004;
	with(&panel_facts);
	cr_expect(says(24, 4, "no run yet"));
	hear(quick);
	cr_expect(says(34, 20, "4 ms a step"), "got\n%s", shown);
	hear(made_train(140));
	cr_expect(says(34, 20, " step   140 / 400"), "got\n%s", shown);
	cr_expect(strstr(shown, " loss   2.002  ema 2."), "got\n%s", shown);
	cr_expect(strstr(shown, " held   2.202  at 140"), "got\n%s", shown);
	cr_expect(strstr(shown, " KL     .0312 to ref"), "got\n%s", shown);
	cr_expect(strstr(shown, " left   8 min 40 s"), "got\n%s", shown);
	cr_expect(strstr(shown, " flips  0.41 %  int2 0.50 %"), "got\n%s", shown);
	cr_expect(strstr(shown, " satur. 12.1 %  rev. 3.00 %"), "got\n%s", shown);
	cr_expect(strstr(shown, " memory 312.0 MiB"), "got\n%s", shown);
	cr_expect(strstr(shown, " chat   at step 140"), "got\n%s", shown);
	cr_expect_str_eq(p.class->note(p.self), "running");
}

Test(train_facts, a_run_that_makes_no_step_for_long_says_so)
{
	struct snap_train *t = made_train(140); /* two seconds a step */

	with(&panel_facts);
	snap_train_quiet(t, 6);
	hear(snap_train_copy(t));
	cr_expect_not(says(25, 13, "no step"), "not longer than three steps take\n%s", shown);
	snap_train_quiet(t, 200);
	hear(snap_train_copy(t));
	cr_expect(says(25, 13, " no step for 3 min 20 s"), "got\n%s", shown);
	cr_expect(says(25, 4, " no step for 3 min 20 s"), "got\n%s", shown);
	t->state = TRAINING_PAUSED;
	hear(snap_train_copy(t));
	cr_expect_not(says(25, 13, "no step"), "got\n%s", shown);
	t->state = TRAINING_RUNS;
	t->step_s = 0.001;
	snap_train_quiet(t, 1);
	hear(snap_train_copy(t));
	cr_expect_not(says(25, 13, "no step"), "small steps make no fuss\n%s", shown);
	t->step_s = (double)NAN;
	snap_train_quiet(t, 40); /* in the look before the first */
	hear(snap_train_copy(t));
	cr_expect(says(25, 13, "no step for 40 s"), "got\n%s", shown);
	snap_train_quiet(t, 0);
	hear(t);
	cr_expect_not(says(25, 13, "no step"), "got\n%s", shown);
}

Test(train_facts, what_is_left_counts_what_lies_between_steps)
{
	struct snap_train *t = made_train(140); /* of 400, two seconds a step */

	snap_train_left(t, 40, 120); /* of this sitting: a second more for looks and checkpoints */
	cr_expect_eq(t->left_s, 3.0 * 260);
	snap_train_left(t, 0, 0);
	cr_expect(isnan(t->left_s), "of no step nothing is known");
	t->step = 400;
	snap_train_left(t, 300, 900);
	cr_expect_eq(t->left_s, 0);
	with(&panel_facts);
	hear(t);
}

Test(train_facts, a_run_that_is_told_to_stop_says_so_at_once)
{
	struct snap_train *t = made_train(140);

	t->job = 8;
	with(&panel_facts);
	hear(snap_train_copy(t));
	cr_expect_not(alone_hear(&p, EV_JOB_STOPPING, 7, 0, NULL), "another job");
	cr_expect_str_eq(p.class->note(p.self), "running");
	cr_expect(alone_hear(&p, EV_JOB_STOPPING, 8, 0, NULL));
	cr_expect_str_eq(p.class->note(p.self), "stopping");
	hear(snap_train_copy(t)); /* its last step, which it ends */
	cr_expect_str_eq(p.class->note(p.self), "stopping");
	t->state = TRAINING_STOPPED;
	hear(snap_train_copy(t));
	cr_expect_str_eq(p.class->note(p.self), "stopped");
	t->state = TRAINING_RUNS;
	t->job = 9;
	hear(t);
	cr_expect_str_eq(p.class->note(p.self), "running");
}

Test(train_facts, before_the_first_step_no_numbers_of_steps_are_made_up)
{
	struct snap_train *t = made_train(0);

	t->step_tokens = 0;
	with(&panel_facts);
	hear(t);
	cr_expect_not(says(34, 20, "0 a step"), "got\n%s", shown);
}

Test(train_facts, facts_keep_what_matters_most_where_lines_are_few)
{
	with(&panel_facts);
	hear(made_train(140));
	says(24, 4, "");
	cr_expect(strstr(shown, "step") && strstr(shown, "loss") && strstr(shown, "held") &&
			  strstr(shown, "left"),
		"got\n%s", shown);
}

Test(train_facts, skipped_steps_are_counted_and_said)
{
	struct snap_train *t = made_train(20);

	for (int i = 0; i < 6; i++) {
		char text[64];

		made_step(t, (double)NAN, true);
		snprintf(text, sizeof text, "no number, %d so far", i + 1);
		snap_train_note(t, t->step, text);
	}
	cr_expect_eq(t->n_notes, TRAIN_NOTES);
	with(&panel_spark);
	hear(t);
	cr_expect(says(78, 6, "! step 26: no number, 6 so far"), "got\n%s", shown);
	cr_expect(strstr(shown, "flips"), "numbers keep half of the lines\n%s", shown);
	t = made_train(20);
	made_step(t, (double)NAN, true);
	with(&panel_facts);
	hear(t);
	cr_expect(says(34, 20, "21 / 400  1 skipped"), "got\n%s", shown);
}

Test(train_facts, what_the_last_step_has_not_keeps_its_place)
{
	struct snap_train *t = made_train(20);
	char before[3][128];

	with(&panel_spark);
	hear(snap_train_copy(t));
	says(78, 4, "");
	for (int y = 0; y < 3; y++)
		snprintf(before[y], sizeof before[y], "%.9s", alone_row(shown, y));
	t->last[SERIES_REVERSALS] = (double)NAN; /* no code moved: there is no share */
	hear(t);
	cr_expect(says(78, 4, "rev."), "got\n%s", shown);
	for (int y = 0; y < 3; y++)
		cr_expect_eq(strncmp(before[y], alone_row(shown, y), strlen(before[y])), 0,
			"row %d of\n%s", y, shown);
}

Test(train_facts, a_lean_run_shows_no_share_of_moved_codes)
{
	struct snap_train *t = made_train(20);
	int line = -1;

	t->last[SERIES_CHANGED] = (double)NAN;
	with(&panel_facts);
	hear(t);
	says(34, 20, "");
	for (int y = 0; y < 20; y++)
		if (!strncmp(alone_row(shown, y), " moved", 6))
			line = y;
	cr_assert_geq(line, 0, "got\n%s", shown);
	cr_expect_str_eq(alone_row(shown, line), " moved  -", "got\n%s", shown);
}

Test(train_facts, what_a_method_has_not_is_not_shown)
{
	static const enum train_series of[] = { SERIES_FLIPS, SERIES_CHANGED, SERIES_SATURATED,
		SERIES_REVERSALS };
	struct snap_train *t = made_train(20);

	t->widths = 0;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		t->last[of[i]] = (double)NAN;
		for (size_t k = 0; k < t->seen.n; k++)
			t->seen.bucket[k].v[of[i]].mean = NAN;
	}
	with(&panel_spark);
	hear(snap_train_copy(t));
	cr_expect_not(says(118, 4, "flips"), "got\n%s", shown);
	cr_expect(strstr(shown, "tok/s"), "got\n%s", shown);
	with(&panel_facts);
	hear(t);
	cr_expect_not(says(34, 20, "flips"), "got\n%s", shown);
}
