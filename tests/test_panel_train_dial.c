/* test_panel_train_dial.c - the panels of the Train screen, of a run that trains all formats of a
 * dial.
 */
#include "tests/train_panel_fixture.h"

#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/text.h"
#include "core/work/figure_train.h"

static void begin(void)
{
	with(&panel_loss);
}

TestSuite(train_dial, .init = begin, .fini = end);

enum { W = 82, H = 22 }; /* of the panel on a screen of 120x36 */

/* The row that a text is in; -1: in none. */
static int row_of(const char *text)
{
	const char *at = strstr(shown, text);
	int y = 0;

	for (const char *s = shown; at && s < at; s++)
		y += *s == '\n';
	return at ? y : -1;
}

static const char *const label[TRAIN_POINTS] = { "◇2.50", "○2.94", "△3.37", "□3.81", "×4.25" };

static size_t times(const char *what)
{
	size_t n = 0;

	for (const char *s = shown; (s = strstr(s, what)); s += strlen(what))
		n++;
	return n;
}

Test(train_dial, each_budget_has_a_curve_with_its_bits_at_its_end_and_a_row_of_its_own)
{
	int last = -1;

	hear(made_dial(140));
	says(W, H, "");
	for (size_t i = 0; i < TRAIN_POINTS; i++) {
		cr_expect_gt(row_of(label[i]), last, "%s of\n%s", label[i], shown);
		last = row_of(label[i]);
	}
	cr_expect_gt(row_of("×4.25"), row_of("◇2.50") + 10, "a log axis\n%s", shown);
	cr_expect(strstr(shown, "0.1│") && strstr(shown, "1│"), "got\n%s", shown);
	cr_expect_geq(times("⠒"), 20, "lines join the marks\n%s", shown);
	cr_expect_not(strstr(p.class->note(p.self), "loss"));
}

Test(train_dial, a_curve_falls_as_its_budget_gets_better_and_not_with_another)
{
	struct snap_train *t = made_dial(140);
	int rows[2];

	hear(snap_train_copy(t));
	says(W, H, "");
	rows[0] = row_of("○2.94");
	rows[1] = row_of("□3.81");
	t->look[t->n_looks - 1].point[3] = 0.06F;
	hear(t);
	says(W, H, "");
	cr_expect_eq(row_of("○2.94"), rows[0], "got\n%s", shown);
	cr_expect_gt(row_of("□3.81"), rows[1] + 2, "got\n%s", shown);
}

Test(train_dial, budgets_that_are_level_keep_a_label_each)
{
	struct snap_train *t = made_dial(140);

	for (size_t k = 0; k < t->n_looks; k++)
		for (size_t i = 1; i < TRAIN_POINTS; i++)
			t->look[k].point[i] = t->look[k].point[0];
	hear(t);
	says(W, H, "");
	for (size_t i = 0; i < TRAIN_POINTS; i++)
		cr_expect_geq(row_of(label[i]), 0, "%s of\n%s", label[i], shown);
}

Test(train_dial, before_and_now_are_two_lines_over_bits_in_one_axis_with_the_curves)
{
	struct snap_train *t = made_dial(0);

	hear(t);
	cr_expect(says(W, H, "× before"), "got\n%s", shown);
	cr_expect_not(strstr(shown, "now"), "there is one look yet\n%s", shown);
	hear(made_dial(140));
	says(W, H, "");
	cr_expect(strstr(alone_row(shown, row_of("× now")), "×4.25"),
		"the end of the curve is in the row of now\n%s", shown);
	cr_expect_lt(row_of("× before"), row_of("× now"), "got\n%s", shown);
	cr_expect(strstr(alone_row(shown, H - 1), "4.25   bpw"), "got\n%s", shown);
}

Test(train_dial, where_there_is_room_for_one_chart_a_key_changes_between_them)
{
	hear(made_dial(140));
	cr_expect(says(51, 13, "×4.25"), "got\n%s", shown);
	cr_expect_not(strstr(shown, "bpw") || strstr(shown, "before"), "got\n%s", shown);
	command("view", "next");
	cr_expect(says(51, 13, "before"), "got\n%s", shown);
	cr_expect(strstr(alone_row(shown, 12), "2.50"), "got\n%s", shown);
	cr_expect(strstr(alone_row(shown, 12), "3.81"), "got\n%s", shown);
	cr_expect_lt(row_of("before"), row_of("now"), "got\n%s", shown);
	cr_expect(strstr(p.class->note(p.self), "KL over bits"));
	cr_expect(strstr(p.class->note(p.self), "v: over steps"));
	command("view", "steps");
	cr_expect_not(says(51, 13, "before"), "got\n%s", shown);
	cr_expect_not(p.class->on_command(p.self, "view", "elsewhere"));
	hear(made_train(140));
	cr_expect_not(p.class->on_command(p.self, "view", "next"), "a run of one layout has none");
}

Test(train_dial, a_run_that_was_not_looked_at_yet_says_what_will_be_drawn)
{
	struct snap_train *t = made_dial(3);

	t->n_looks = 0;
	hear(t);
	cr_expect(says(51, 13, "from the first look"), "got\n%s", shown);
	cr_expect(strstr(shown, "step 3 of 400"), "got\n%s", shown);
	cr_expect(says(40, 4, "step 3 of 400"), "got\n%s", shown);
	cr_expect_null(p.class->copy(p.self));
	t = made_dial(3);
	t->n_looks = 0;
	with(&panel_facts);
	hear(t);
	cr_expect_not(says(34, 22, "before") || strstr(shown, "held"), "got\n%s", shown);
}

Test(train_dial, what_is_no_number_leaves_a_gap_and_all_of_it_a_sentence)
{
	struct snap_train *t = made_dial(140);
	size_t ink;

	hear(snap_train_copy(t));
	says(W, H, "");
	ink = times("×");
	for (size_t k = 0; k < t->n_looks; k++)
		t->look[k].point[4] = NAN;
	t->look[1].point[2] = INFINITY;
	t->look[t->n_looks - 1].point[1] = NAN;
	hear(snap_train_copy(t));
	cr_expect(says(W, H, "◇2.50"), "got\n%s", shown);
	cr_expect_gt(ink, 4);
	cr_expect_eq(times("×"), 0, "got\n%s", shown);
	cr_expect(strstr(shown, "○2.94"), "behind the last look that has one\n%s", shown);
	for (size_t k = 0; k < t->n_looks; k++)
		for (size_t i = 0; i < TRAIN_POINTS; i++)
			t->look[k].point[i] = NAN;
	hear(t);
	cr_expect(says(W, H, "gave a number yet"), "got\n%s", shown);
}

Test(train_dial, a_run_that_goes_on_is_drawn_from_its_looks_before_it_makes_a_step)
{
	struct snap_train *t = made_dial(140);

	train_history_release(&t->seen);
	hear(t);
	cr_expect(says(W, H, "× now"), "got\n%s", shown);
	cr_expect(strstr(shown, "◇2.50"), "got\n%s", shown);
	cr_expect_not(p.class->on_command(p.self, "open", ""), "no step is there to read");
	cr_expect_not(p.class->on_mouse(p.self, 20, 5, MOUSE_LEFT, W, H));
}

Test(train_dial, the_value_cursor_says_all_budgets_of_the_look_before_it)
{
	char kl[16], *copied;

	hear(made_dial(150));
	command("open", "");
	says(W, H, "");
	cr_expect(strstr(alone_row(shown, 0), "look 140  ◇2.50 3.06  ○2.94 1.56  △3.37 .6974"),
		"got\n%s", shown);
	cr_expect(strstr(alone_row(shown, 0), "step 150"), "got\n%s", shown);
	cr_expect(strstr(alone_row(shown, H - 1), "┴"), "got\n%s", shown);
	says(51, 13, "");
	cr_expect(strstr(alone_row(shown, 0), "◇3.06  ○1.56  △.6974  □.1969  ×.0460"), "got\n%s",
		shown);
	copied = p.class->copy(p.self);
	cr_expect(strstr(copied, "look 140") && strstr(copied, "4.25 bpw KL 0.04597"), "got %s",
		copied);
	xfree(copied);
	for (int i = 0; i < 11; i++) /* at step 139 */
		command("move", "left");
	snprintf(kl, sizeof kl, "○%.2f", made_dial_kl(1, 120));
	cr_expect(says(51, 13, kl) && strstr(shown, "look 120"), "got\n%s", shown);
	command("axis", "");
	cr_expect(says(51, 13, "look 120"), "over time it is the same one\n%s", shown);
}

Test(train_dial, a_click_right_of_the_curves_moves_no_cursor)
{
	hear(made_dial(140));
	says(W, H, "");
	cr_expect_null(p.class->on_mouse(p.self, 75, 5, MOUSE_LEFT, W, H), "into the other chart");
	cr_expect_not_null(p.class->on_mouse(p.self, 7, 5, MOUSE_LEFT, W, H));
	cr_expect(says(W, H, "step 1\n") && strstr(shown, "look 0"), "got\n%s", shown);
	command("view", "front");
	cr_expect_null(p.class->on_mouse(p.self, 20, 5, MOUSE_LEFT, W, H));
}

Test(train_dial, a_window_between_two_looks_shows_the_lines_that_cross_it)
{
	hear(made_dial(139));
	for (int i = 0; i < 4; i++)
		command("move", "up");
	for (int i = 0; i < 3; i++)
		command("move", "left"); /* steps 104 to 124, then before the look at 120 */
	says(51, 13, "");
	cr_expect_geq(times("⠤") + times("⠒") + times("⣀") + times("⠉"), 40, "got\n%s", shown);
}

Test(train_dial, a_linear_axis_has_linear_numbers)
{
	hear(made_dial(140));
	command("log-axis", "");
	cr_expect(says(W, H, "8│"), "got\n%s", shown);
	cr_expect_not(strstr(shown, "0.1│"), "got\n%s", shown);
	cr_expect_not(strstr(p.class->note(p.self), "log y"));
}

Test(train_dial, an_earlier_dial_lies_behind_this_one)
{
	struct snap_train *t = made_dial(100);

	memcpy(t->ghost_look, t->look, sizeof t->look);
	t->n_ghost_looks = t->n_looks;
	for (size_t k = 0; k < t->n_looks; k++)
		for (size_t i = 0; i < TRAIN_POINTS; i++)
			t->ghost_look[k].point[i] = NAN;
	hear(snap_train_copy(t));
	cr_expect_not(strstr(p.class->note(p.self), "ghost"), "it was no dial");
	for (size_t k = 0; k < t->n_looks; k++)
		for (size_t i = 0; i < TRAIN_POINTS; i++)
			t->ghost_look[k].point[i] = 70;
	hear(t);
	cr_expect(strstr(p.class->note(p.self), "┄ ghost"));
	cr_expect_leq(
		text_width(p.class->note(p.self), strlen(p.class->note(p.self))), 41, "of 80");
	cr_expect(says(W, H, "70│"), "in view, too\n%s", shown);
	cr_expect(strstr(alone_row(shown, row_of("70│")), "⠂"), "got\n%s", shown);
}

Test(train_dial, one_format_is_one_curve)
{
	struct snap_train *t = made_dial(140);
	char shown_of[2][8];

	snprintf(shown_of[0], sizeof shown_of[0], "%.2f", t->point_bpw[0]);
	snprintf(shown_of[1], sizeof shown_of[1], "%.2f", t->point_bpw[1]);
	t->points = 1;
	hear(t);
	for (int k = 0; k < 3; k++) {
		says(90, 20, "");
		cr_expect_not_null(strstr(shown, shown_of[0]), "got\n%s", shown);
		cr_expect_null(strstr(shown, shown_of[1]), "got\n%s", shown);
		for (int w = 0; w < 90; w += 3)
			for (int h = 0; h < 24; h += 1 + (h > 8))
				cr_assert(alone_stays_inside(&p, w, h), "%dx%d", w, h);
		command(k ? "open" : "view", k ? "" : "next");
	}
}

Test(train_dial, nothing_is_drawn_outside_at_any_size)
{
	hear(made_dial(140));
	for (int k = 0; k < 3; k++) {
		for (int w = 0; w < 90; w++)
			for (int h = 0; h < 24; h += 1 + (h > 8))
				cr_assert(alone_stays_inside(&p, w, h), "%dx%d", w, h);
		command(k ? "open" : "view", k ? "" : "next");
	}
}

Test(train_dial, without_braille_marks_and_labels_still_tell_the_curves_apart)
{
	static const char *const ascii[TRAIN_POINTS] = { "*2.50", "o2.94", "^3.37", "H3.81",
		"x4.25" };
	int x, y;

	alone_hear(&p, EV_VIEW, 0, VIEW_ASCII, NULL);
	hear(made_dial(140));
	xfree(shown);
	shown = alone_draw_as(&p, W, H, true, true, &x, &y);
	for (size_t i = 0; i < TRAIN_POINTS; i++)
		cr_expect_geq(row_of(ascii[i]), 0, "%s of\n%s", ascii[i], shown);
}

/* ---- numbers */

Test(train_dial, facts_give_each_budget_before_and_now_and_their_mean)
{
	struct snap_train *t = made_dial(140);

	with(&panel_facts);
	hear(snap_train_copy(t));
	cr_expect(says(34, 22, " mean KL 1.11  at 140  from 3.08\n"), "got\n%s", shown);
	cr_expect(strstr(shown, " 2.50     8.97 ->  3.06\n"), "got\n%s", shown);
	cr_expect(strstr(shown, " 4.25    .1010 -> .0460\n"), "got\n%s", shown);
	cr_expect(strstr(shown, " tok/s  18240") && strstr(shown, " memory 312.0 MiB") &&
			  strstr(shown, " left   8 min 40 s"),
		"got\n%s", shown);
	cr_expect(says(25, 13, " 4.25    .1010 -> .0460\n"), "on a screen of 80x24\n%s", shown);
	cr_expect(strstr(shown, " left ") && strstr(shown, " tok/s "), "got\n%s", shown);
	cr_expect(strstr(shown, " mean KL 1.11  at 140\n"), "got\n%s", shown);
	cr_expect_not(says(25, 8, "2.50"), "whole or not at all\n%s", shown);
	cr_expect(strstr(shown, " left "), "got\n%s", shown);
	t->n_looks = 1;
	t->look[0].point[4] = NAN;
	hear(t);
	cr_expect(says(34, 22, " 2.50     8.97\n"), "got\n%s", shown);
	cr_expect(strstr(shown, " 4.25        -\n"), "got\n%s", shown);
}

Test(train_dial, a_figure_has_a_series_for_each_budget)
{
	struct figure *f;

	hear(made_dial(140));
	f = p.class->figure(p.self);
	cr_assert_not_null(f);
	cr_expect(f->plot.log_y);
	cr_expect_eq(f->plot.n, TRAIN_POINTS);
	cr_expect_str_eq(f->plot.series[0].label, "2.50 bpw");
	cr_expect_str_eq(f->plot.series[4].label, "4.25 bpw");
	cr_expect_eq(f->plot.series[4].n, 8);
	cr_expect_float_eq(f->plot.series[4].x[7], 140, 0);
	cr_expect_float_eq(f->plot.series[4].y[7], made_dial_kl(4, 140), 1e-6);
	cr_expect_eq(f->rows, 140);
	cr_expect_str_eq(f->col[f->cols - 5], "kl_2.50");
	cr_expect_str_eq(f->col[3], "loss");
	cr_expect_float_eq(f->value[19 * f->cols + f->cols - 1].number, made_dial_kl(4, 20), 1e-6);
	cr_expect(isnan(f->value[18 * f->cols + f->cols - 1].number));
	figure_free(f);
}
