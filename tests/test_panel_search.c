/* test_panel_search.c - what the answer under the dial rests on. */
#include "tests/panel_fixture.h"

extern const struct panel_class panel_search;

TestSuite(search, .fini = end);

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
