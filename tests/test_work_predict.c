/* test_work_predict.c - predictions go through the layouts that were measured; how sure they are.
 */
#include "core/search/boot.h"
#include "tests/dial_fixture.h"

/* Nats of a size that single damages add up at. */
static void set_up_small(void)
{
	struct err e;

	set_up();
	for (size_t i = 0; i < NK; i++) {
		damage[i] *= 1e-3;
		se[i] *= 1e-3;
	}
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK, "%s", e.msg);
	read_all();
}

TestSuite(work_predict, .init = set_up_small, .fini = tear_down);

/* Measures the layout at a budget as `times` what its cells sum up to. */
static double measure(double bpw, double times, double error)
{
	uint8_t choice[N];
	uint64_t b;
	double kl, e, sum;

	budget(bpw);
	sum = last->sum;
	cr_assert(dial_answered(dial, choice, N, &b, &kl, &e));
	measured(choice, b, times * sum, error * sum, "measured");
	read_all();
	return sum;
}

Test(work_predict, without_a_measured_layout_it_is_the_sum)
{
	budget(4);
	cr_assert_float_eq(last->kl, last->sum, 0);
	cr_assert(isfinite(last->se));
}

Test(work_predict, it_goes_through_a_measured_layout_and_leans_on_it_nearby)
{
	double sum = measure(4, 2, 0.001);

	cr_assert_float_eq(last->kl, 2 * sum, 0.02 * sum);
	cr_assert_eq(front->n_points, 1);
	cr_assert(front->point[0].missed, "it was predicted as half of that");
	budget(4.05);
	cr_assert_gt(last->kl, 1.05 * last->sum, "%g of %g", last->kl, last->sum);
	for (size_t i = 1; i < front->n; i++)
		cr_assert_leq(front->kl[i], front->kl[i - 1], "the curve still falls");
	measure(4.05, 2, 0.1);
	cr_assert_eq(front->n_points, 2);
	cr_assert_not(front->point[1].missed, "after that one it was not");
}

Test(work_predict, rules_raise_the_curve_and_leave_points_as_predicted)
{
	size_t matched;
	struct err e;

	measure(4, 1, 0.01);
	measure(5, 1, 0.01);
	cr_assert_not(front->point[0].missed);
	cr_assert_eq(dial_pin(dial, "layers.0.*", 0, &matched, &e), ST_OK, "%s", e.msg);
	read_all();
	cr_assert_not(front->point[0].missed);
	cr_assert_not(front->point[1].missed);
	for (size_t i = 0; i < NK; i++) /* other damages: the sums are no longer what they were */
		damage[i] *= i / K < N / 2 ? 3 : 1.0 / 3;
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_eq(front->n_points, 2);
}

Test(work_predict, other_damages_keep_the_points_and_move_the_sums)
{
	double sum = measure(4, 2, 0.001), kl = last->kl;
	struct err e;

	for (size_t i = 0; i < NK; i++)
		damage[i] *= 1.5;
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->sum, 1.5 * sum, 1e-6 * sum);
	cr_assert_float_eq(last->kl, kl, 0.02 * kl);
}

Test(work_predict, a_damage_that_is_asked_for_is_the_predicted_one)
{
	struct ask a = { .what = ASK_KL };
	struct dial_reached r;
	double sum = measure(4, 2, 0.001);
	struct err e;

	a.value = 2 * sum;
	cr_assert_eq(dial_ask(dial, &a, &r, &e), ST_OK, "%s", e.msg);
	cr_assert_leq(r.kl, 2.02 * sum);
	cr_assert_gt(r.kl, sum);
	cr_assert_float_eq(r.bpw, 4, 0.3);
}

static bool stop(const struct sink *s)
{
	(void)s;
	return true;
}

Test(work_predict, odds_are_told_for_the_layout_under_the_dial)
{
	const struct sink stopping = { .poll = stop };
	struct snap_odds *odds = NULL;
	struct boot *b;
	struct event ev;
	struct err e;

	budget(4);
	cr_assert_eq(dial_odds(dial, &b, &stopping, &e), ST_CANCELLED);
	cr_assert_null(b);
	cr_assert_eq(dial_odds(dial, &b, NULL, &e), ST_OK, "%s", e.msg);
	while (sub_next(sub, &ev)) {
		if (ev.kind == EV_ODDS)
			odds = (struct snap_odds *)snap_ref(ev.snap);
		snap_unref(ev.snap);
	}
	cr_assert_not_null(odds);
	cr_assert_eq(odds->generation, last->generation);
	cr_assert_eq(odds->undecided, b->at[0].n_undecided);
	for (size_t i = 0; i < N; i++) {
		float sum = 0;

		for (size_t f = 0; f < K; f++)
			sum += odds->prob[i * K + f];
		cr_assert_float_eq(sum, 1, 1e-5);
	}
	snap_unref(&odds->snap);
	boot_free(b);
}

Test(work_predict, a_measured_layout_of_no_more_bytes_that_does_better_is_named_and_taken)
{
	uint8_t choice[N], best[N];
	struct err e;
	uint64_t b;
	double kl, error;
	size_t matched;

	budget(4);
	cr_assert(isnan(last->better.kl));
	cr_assert_neq(dial_better(dial, &e), ST_OK);
	cr_assert(dial_answered(dial, choice, N, &b, &kl, &error));
	memcpy(best, choice, N);
	for (size_t i = 0; i < N; i++) /* fewer bytes than the layout has */
		best[i] = best[i] ? best[i] - 1 : 0;
	measured(choice, b, 1, 0.01, "measured");
	measured(best, b - 100, 0.9, 0.01, "ends");
	read_all();
	cr_assert_float_eq(last->better.kl, 0.9, 0);
	cr_assert_str_eq(last->better.what, "ends");
	cr_assert_eq(dial_pin(dial, "layers.0.q", choice[0] ? choice[0] : 1, &matched, &e), ST_OK);
	budget(4);
	cr_assert(isnan(last->better.kl), "it does not keep to the pin");
	cr_assert_eq(dial_pin(dial, "layers.0.q", -1, &matched, &e), ST_OK);
	budget(4);
	cr_assert_eq(dial_better(dial, &e), ST_OK, "%s", e.msg);
	read_all();
	cr_assert_arr_eq(last->choice, best, N);
	cr_assert(isnan(last->better.kl));
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, choice, N);
}
