/* test_panel_train.c - the curve of the Train screen, and the histories it draws. */
#include "tests/train_panel_fixture.h"

#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/text.h"
#include "core/work/figure_train.h"

static void begin(void)
{
	with(&panel_loss);
}

TestSuite(train_panels, .init = begin, .fini = end);

/* Columns of a row behind the axis that have anything. */
static size_t inked(int row)
{
	const char *s = alone_row(shown, row), *axis = strstr(s, "│");
	size_t n = 0;

	for (s = axis ? axis + strlen("│") : s; *s; s++)
		n += *s != ' ' && ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

Test(train_panels, before_any_run_a_line_that_works_is_shown)
{
	cr_expect(says(80, 16, ":train start\n"), "got\n%s", shown);
	cr_expect(says(60, 12, ":train start\n"), "got\n%s", shown);
	cr_expect(says(40, 3, ":train start"), "got\n%s", shown);
	cr_expect(says(51, 13, " the keys.\n"), "all of it in 80x24\n%s", shown);
	cr_expect(says(51, 13, "  K  or  :calibrate\n"), "got\n%s", shown);
	cr_expect(says(40, 3, "K calibrates the dial"), "got\n%s", shown);
	hear(snap_train_new());
	cr_expect(says(80, 16, ":train start\n"), "got\n%s", shown);
}

Test(train_panels, a_run_that_waits_says_for_what)
{
	struct snap_train *t = snap_train_new();

	t->state = TRAINING_BEGINS;
	snap_train_note(t, 0, "waits for the scan");
	hear(t);
	cr_expect(says(80, 16, "waits for the scan"), "got\n%s", shown);
	cr_expect(says(40, 4, "waits for the scan"), "got\n%s", shown);
	t = snap_train_new();
	t->state = TRAINING_BEGINS;
	snap_train_note(t, 0, "waits for the scan");
	with(&panel_spark);
	hear(t);
	cr_expect(says(78, 4, " ! waits for the scan"), "of no step\n%s", shown);
}

Test(train_panels, why_a_run_failed_is_read_in_full)
{
	static const char why[] =
		"a window of 99999 tokens is longer than the model's context of 2048: set a "
		"shorter window, such as 256, or rows that are cut in the file";
	struct snap_train *t = snap_train_new();

	t->state = TRAINING_FAILED;
	snap_train_note(t, 0, why);
	hear(t);
	cr_expect(says(51, 13, " failed\n"), "got\n%s", shown);
	cr_expect(strstr(shown, " a window of 99999"), "got\n%s", shown);
	cr_expect(strstr(shown, "cut in the file"), "got\n%s", shown);
}

Test(train_panels, a_spike_of_one_step_is_seen_among_thousands)
{
	struct snap_train *t = made_train(0);

	for (int i = 1; i <= 20000; i++)
		made_step(t, i == 7777 ? 40 : 2, false);
	t->steps = 20000;
	cr_expect_leq(t->seen.n, TRAIN_BUCKETS);
	cr_expect_eq(train_history_steps(&t->seen), 20000);
	hear(t);
	command("log-axis", "");
	says(60, 14, "");
	/* Only the spike reaches up there. */
	for (int y = 3; y < 10; y++)
		cr_expect_eq(inked(y), 1, "row %d of\n%s", y, shown);
}

Test(train_panels, a_step_without_a_number_leaves_a_gap_and_a_tick)
{
	struct snap_train *t = made_train(30);
	const char *axis;

	hear(t);
	says(60, 14, "");
	cr_expect_not(strchr(alone_row(shown, 13), '!'), "got\n%s", shown);
	t = made_train(30);
	for (int i = 0; i < 4; i++)
		made_step(t, (double)NAN, true);
	made_step(t, 2.3, false);
	cr_expect_eq(t->skipped, 4);
	hear(t);
	says(60, 14, "");
	axis = alone_row(shown, 13);
	cr_expect(strchr(axis, '!'), "got\n%s", shown);
	cr_expect_float_eq(t->seen.bucket[34].v[SERIES_LOSS].mean, 2.3, 1e-6);
	cr_expect(isnan(t->seen.bucket[32].v[SERIES_LOSS].mean));
}

Test(train_panels, nothing_but_steps_without_a_number_is_no_curve_and_no_crash)
{
	struct snap_train *t = made_train(0);

	made_step(t, (double)INFINITY, true);
	made_step(t, (double)NAN, false); /* said to be one, and is none */
	hear(t);
	cr_expect(says(60, 14, "step 2 of 400"), "got\n%s", shown);
}

Test(train_panels, a_mean_above_all_losses_in_view_is_in_view)
{
	struct snap_train *t = made_train(0);

	for (int i = 1; i <= 100; i++)
		made_step(t, i <= 60 ? 8 : 2 + 0.001 * i, false);
	hear(t);
	command("log-axis", "");
	command("smooth", "0.97");
	command("move", "last"); /* the last quarter: losses of 2.1, a mean that comes from 6 */
	says(60, 14, "");
	cr_expect(strchr(alone_row(shown, 1), '5') || strchr(alone_row(shown, 2), '5') ||
			  strchr(alone_row(shown, 3), '5') || says(60, 14, "5│"),
		"got\n%s", shown);
}

Test(train_panels, the_axis_holds_still_while_the_loss_stays_in_it)
{
	struct snap_train *t = made_train(100);
	char first[128];

	hear(t);
	says(60, 14, "");
	snprintf(first, sizeof first, "%.6s", alone_row(shown, 2));
	t = made_train(100);
	made_step(t, 2.01, false);
	made_step(t, 1.99, false);
	hear(t);
	says(60, 14, "");
	cr_expect_eq(strncmp(first, alone_row(shown, 2), 6), 0, "got\n%s", shown);
	t = made_train(100);
	made_step(t, 30, false);
	hear(t);
	cr_expect(says(60, 14, "30") || says(60, 14, "20"), "got\n%s", shown);
}

Test(train_panels, keys_change_axis_smoothing_and_window)
{
	hear(made_train(200));
	cr_expect(says(60, 14, "200"), "got\n%s", shown);
	cr_expect(strstr(p.class->note(p.self), "log y"));
	command("log-axis", "");
	cr_expect_not(strstr(p.class->note(p.self), "log y"));
	command("axis", "");
	cr_expect(says(60, 14, "min") || says(60, 14, " s"), "got\n%s", shown);
	command("axis", "");
	command("smooth", "next");
	cr_expect(strstr(p.class->note(p.self), "ema 0.97"));
	command("smooth", "0");
	cr_expect_not(strstr(p.class->note(p.self), "ema"));
	cr_expect_not(p.class->on_command(p.self, "smooth", "2"));
	command("move", "last"); /* a quarter of it, at its end */
	cr_expect(says(60, 14, "200"), "got\n%s", shown);
	cr_expect_not(says(60, 14, " 50"), "got\n%s", shown);
	command("move", "left");
	cr_expect_not(says(60, 14, "200"), "got\n%s", shown);
	command("move", "first");
	cr_expect(says(60, 14, "200"), "got\n%s", shown);
	cr_expect_not(p.class->on_command(p.self, "move", "nowhere"));
}

Test(train_panels, a_value_cursor_reads_what_a_step_had)
{
	char *copied;

	cr_expect_not(p.class->on_command(p.self, "open", ""), "there is nothing to read yet");
	hear(made_train(120));
	cr_expect_not(says(60, 14, "step 120"), "got\n%s", shown);
	command("open", "");
	cr_expect(says(60, 14, "step 120  loss 2.005  ema 2.0"), "got\n%s", shown);
	cr_expect(strstr(alone_row(shown, 0), "held 2.205 at 120"), "got\n%s", shown);
	cr_expect(strstr(shown, "●"), "got\n%s", shown);
	command("move", "first");
	cr_expect(says(60, 14, "step 1  loss 3.902"), "got\n%s", shown);
	cr_expect_not(strstr(alone_row(shown, 0), "held"), "it was not looked at yet\n%s", shown);
	for (int i = 0; i < 6; i++)
		command("move", "right");
	cr_expect(says(60, 14, "step 7  loss 9.000"), "got\n%s", shown);
	copied = p.class->copy(p.self);
	cr_expect(strstr(copied, "step 7 loss 9.000000"), "got %s", copied);
	xfree(copied);
	command("move", "left");
	cr_expect(says(60, 14, "step 6  loss 3.482"), "got\n%s", shown);
	command("axis", "");
	cr_expect(says(60, 14, "step 6  loss 3.482"), "over time it is the same step\n%s", shown);
	command("back", "");
	cr_expect_not(says(60, 14, "step 6"), "got\n%s", shown);
	cr_expect_not(p.class->on_command(p.self, "back", ""), "there is nothing to close");
}

Test(train_panels, the_value_cursor_keeps_in_view_and_follows_the_newest_step)
{
	struct snap_train *t = made_train(200);

	hear(snap_train_copy(t));
	command("open", "");
	made_step(t, 7.5, false);
	hear(snap_train_copy(t));
	cr_expect(says(60, 14, "step 201  loss 7.500"), "got\n%s", shown);
	command("move", "first");
	made_step(t, 8.5, false);
	hear(snap_train_copy(t));
	cr_expect(says(60, 14, "step 1 "), "got\n%s", shown);
	command("move", "up"); /* half of the steps, those around it */
	cr_expect(says(60, 14, "step 1 "), "got\n%s", shown);
	cr_expect(strstr(shown, "●"), "got\n%s", shown);
	cr_expect_not(strstr(alone_row(shown, 13), "200"), "got\n%s", shown);
	command("move", "page-down");
	command("move", "last");
	cr_expect(says(60, 14, "step 202  loss 8.500"), "got\n%s", shown);
	cr_expect(strstr(shown, "●"), "got\n%s", shown);
	made_step(t, (double)NAN, true);
	hear(t);
	cr_expect(says(60, 14, "step 203  no number"), "got\n%s", shown);
}

Test(train_panels, the_value_cursor_tells_the_span_of_steps_that_share_a_column)
{
	struct snap_train *t = made_train(0);

	for (int i = 1; i <= 4000; i++)
		made_step(t, i % 2 ? 1 : 3, false);
	t->steps = 4000;
	hear(t);
	command("open", "");
	command("move", "first");
	cr_expect(says(78, 14, "steps 1-4  loss 2.000 (1.000-3.000)"), "got\n%s", shown);
	command("move", "right");
	cr_expect(says(78, 14, "steps 5-8"), "got\n%s", shown);
	for (int i = 0; i < 5; i++) /* a tenth of the thousand in view each */
		command("move", "page-down");
	cr_expect(says(78, 14, "steps 2005-2008"), "got\n%s", shown);
	command("move", "last");
	cr_expect(says(78, 14, "steps 3997-4000"), "got\n%s", shown);
}

Test(train_panels, a_click_into_the_curve_puts_the_value_cursor_there)
{
	hear(made_train(400));
	says(60, 14, "");
	cr_expect_null(p.class->on_mouse(p.self, 3, 5, MOUSE_LEFT, 60, 14), "beside the curve");
	cr_expect_not_null(p.class->on_mouse(p.self, 7, 5, MOUSE_LEFT, 60, 14));
	cr_expect(says(60, 14, "step 1 "), "got\n%s", shown);
	cr_expect_not_null(p.class->on_mouse(p.self, 58, 5, MOUSE_LEFT, 60, 14));
	cr_expect(says(60, 14, "step 39"), "a cell is of four steps\n%s", shown);
}

Test(train_panels, without_colours_mean_held_and_ghost_are_told_apart)
{
	struct snap_train *t = made_train(120), *g = made_train(60);

	t->ghost = g->seen;
	g->seen = (struct train_history){ 0 };
	snprintf(t->ghost_name, sizeof t->ghost_name, "before");
	snap_unref(&g->snap);
	hear(t);
	cr_expect(says(80, 18, "◇"), "got\n%s", shown);
	cr_expect_str_eq(p.class->note(p.self), "─ loss ━ ema 0.9 ◇ held ┄ ghost log y");
	alone_hear(&p, EV_VIEW, 0, VIEW_ASCII, NULL);
	says(80, 18, "");
	for (const char *s = shown; *s; s++) /* no braille dots: those begin with e2 a0 to e2 a3 */
		cr_expect_not((unsigned char)s[0] == 0xe2 && ((unsigned char)s[1] & 0xfc) == 0xa0);
}

Test(train_panels, what_the_ghost_held_out_is_beside_what_the_run_holds_out)
{
	struct snap_train *t = made_train(40), *g = made_train(60);
	const struct train_look far = { .step = 35, .at_s = 70, .nll = 12, .se = 0.1F };

	t->ghost = g->seen;
	g->seen = (struct train_history){ 0 };
	snap_unref(&g->snap);
	snprintf(t->ghost_name, sizeof t->ghost_name, "before");
	hear(snap_train_copy(t));
	cr_expect_not(says(60, 14, "○"), "got\n%s", shown);
	train_look_add(t->ghost_look, &t->n_ghost_looks, far);
	hear(t);
	cr_expect(says(60, 14, "○"), "above all losses it is in view, too\n%s", shown);
	cr_expect(strstr(shown, "◇"), "got\n%s", shown);
	cr_expect(strstr(p.class->note(p.self), "◇ held ┄○ ghost"));
	command("smooth", "0.97");
	cr_expect_leq(text_width(p.class->note(p.self), strlen(p.class->note(p.self))), 41,
		"in the title of a screen of 80 columns");
	for (int y = 0; y < 14; y++) {
		const char *row = alone_row(shown, y), *at = strstr(row, "○");

		if (at)
			cr_expect_eq(alone_role(&p, 60, 14, text_width(row, (size_t)(at - row)), y),
				ROLE_DIM);
	}
}

Test(train_panels, under_a_teacher_what_is_held_out_is_drawn_by_its_kl_beside_a_loss_that_is_one)
{
	struct snap_train *t = made_train(40);

	for (size_t i = 0; i < t->n_looks; i++) {
		t->look[i].nll = 40;
		t->look[i].kl = t->seen.bucket[0].v[SERIES_LOSS].mean;
	}
	hear(snap_train_copy(t));
	says(80, 18, "");
	cr_expect(strstr(shown, "40\xe2\x94\x82") || strstr(shown, "30\xe2\x94\x82"),
		"a loss of labels stands far above\n%s", shown);
	t->taught = true;
	hear(t);
	cr_expect(says(80, 18, "◇"), "got\n%s", shown);
	cr_expect_not(strstr(shown, "40\xe2\x94\x82") || strstr(shown, "30\xe2\x94\x82"),
		"got\n%s", shown);
}

Test(train_panels, a_figure_has_the_curves_and_a_row_a_step)
{
	struct snap_train *t;
	struct figure *f;

	cr_expect_null(p.class->figure(p.self));
	hear(made_train(40));
	f = p.class->figure(p.self);
	cr_assert_not_null(f);
	cr_expect_eq(f->rows, 40);
	cr_expect_eq(f->plot.n, 3, "loss, ema, held out");
	cr_expect_str_eq(f->col[0], "step");
	cr_expect_float_eq(f->value[6 * f->cols + 3].number, 9, 1e-6, "the spike at step 7");
	cr_expect_float_eq(f->value[9 * f->cols + f->cols - 1].number, 2.2 + 2 * exp(-0.5), 1e-3);
	figure_free(f);
	t = made_train(40);
	t->ghost = train_history_copy(&t->seen);
	snprintf(t->ghost_name, sizeof t->ghost_name, "before");
	train_look_add(t->ghost_look, &t->n_ghost_looks, t->look[0]);
	hear(t);
	f = p.class->figure(p.self);
	cr_assert_not_null(f);
	cr_expect_eq(f->plot.n, 5, "the ghost's loss and what it held out");
	cr_expect_str_eq(f->plot.series[4].label, "before, held out");
	figure_free(f);
}

/* ---- histories */

Test(train_panels, buckets_join_without_losing_an_end)
{
	struct train_history h = { 0 };
	float v[TRAIN_SERIES] = { 0 }, *m, lo = INFINITY, hi = -INFINITY;
	double sum = 0;
	uint64_t n = 0;

	for (int i = 1; i <= 5000; i++) {
		v[SERIES_LOSS] = i == 4000 ? -3 : i == 4001 ? 77 : 1;
		train_history_add(&h, v, false, i);
	}
	for (size_t i = 0; i < h.n; i++) {
		const struct train_span *s = &h.bucket[i].v[SERIES_LOSS];

		lo = fminf(lo, s->lo);
		hi = fmaxf(hi, s->hi);
		sum += (double)s->mean * h.bucket[i].n;
		n += h.bucket[i].n;
	}
	cr_expect_eq(n, 5000);
	cr_expect_eq(train_history_steps(&h), 5000);
	cr_expect_float_eq(lo, -3, 0);
	cr_expect_float_eq(hi, 77, 0);
	cr_expect_float_eq(sum, 4998 - 3 + 77, 1e-2);
	m = xarray(h.n, sizeof *m);
	train_history_smooth(&h, 0, m);
	cr_expect_float_eq(m[0], 1, 1e-6);
	train_history_smooth(&h, 0.9, m);
	cr_expect_float_eq(m[0], 1, 1e-6, "the first mean is no nearer to 0");
	xfree(m);
	train_history_release(&h);
}
