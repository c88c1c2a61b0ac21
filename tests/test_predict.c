/* test_predict.c - the corrected prediction: through the points, monotone, never NAN. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/search/predict.h"

/* A layout's KL with a known sum. */
static double at(const struct predict *p, double sum)
{
	return predict_kl(p, sum, 0, NULL);
}

static double error_at(const struct predict *p, double sum, double sum_se)
{
	double se;

	(void)predict_kl(p, sum, sum_se, &se);
	return se;
}

static void near(double got, double want, double relative)
{
	cr_assert(fabs(got - want) <= relative * fabs(want), "%.9g, not %.9g", got, want);
}

Test(predict, without_points_it_is_the_identity_with_an_error)
{
	static const double sums[] = { 1e-320, 1e-9, 0.004, 0.3, 2, 50, 1e20 };
	struct predict p = { 0 };

	for (int fitted = 0; fitted < 2; fitted++) {
		for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
			cr_assert_eq(at(&p, sums[i]), sums[i]);
			cr_assert_geq(error_at(&p, sums[i], 0), 0.09 * sums[i]);
			cr_assert_geq(error_at(&p, sums[i], 0.2), 0.2);
		}
		cr_assert_eq(at(&p, 0), 0);
		cr_assert_eq(at(&p, -0.1), 0);
		predict_fit(&p);
	}
	/* what adds up below 0.03 need not do so at 3 nats */
	cr_assert_lt(error_at(&p, 0.02, 0) / 0.02, 0.2);
	cr_assert_gt(error_at(&p, 3, 0) / 3, 0.3);
	cr_assert_eq(p.gamma, 1);
	cr_assert_eq(p.a, 1);
}

Test(predict, it_passes_through_exact_points)
{
	static const double s[] = { 0.011, 0.09, 0.5, 1.3, 8.9 };
	static const double kl[] = { 0.014, 0.08, 0.71, 2.43, 9.6 };
	struct predict p = { 0 };

	for (size_t i = 5; i-- > 0;) /* in any order */
		cr_assert(predict_add(&p, s[i], kl[i], 0));
	predict_fit(&p);
	for (size_t i = 0; i < 5; i++) {
		near(at(&p, s[i]), kl[i], 1e-6);
		cr_assert_lt(error_at(&p, s[i], 0), 1e-5 * kl[i]);
	}
	cr_assert_gt(at(&p, 0.8), 0.71);
	cr_assert_lt(at(&p, 0.8), 2.43);
	near(at(&p, 0.0011), 0.0014, 1e-6); /* below, the ratio of the lowest */
}

Test(predict, one_point_sets_the_scale_and_small_damages_still_add_up)
{
	struct predict p = { 0 };

	cr_assert(predict_add(&p, 1.29, 2.43, 0.02));
	predict_fit(&p);
	cr_assert_eq(p.gamma, 1);
	near(p.a, 2.43 / 1.29, 1e-9);
	near(at(&p, 1.29), 2.43, 0.01);
	near(at(&p, 2.58), 2 * at(&p, 1.29), 1e-9);
	near(at(&p, 0.05), 0.05, 0.08);
	cr_assert_gt(at(&p, 0.7) / 0.7, 1.15);
}

Test(predict, noisy_points_are_passed_within_their_errors)
{
	struct predict p = { 0 };
	struct rng r;

	/* 60 points of KL = S, 15 % off each: the truth is nearer than they are */
	rng_seed(&r, 11);
	for (size_t i = 0; i < 60; i++) {
		double s = 0.05 * pow(10, (double)i / 60), kl = s * (1 + 0.15 * rng_normal(&r));

		cr_assert(predict_add(&p, s, kl, 0.15 * s));
	}
	predict_fit(&p);
	for (size_t i = 0; i < 60; i++) {
		double s = p.at[i].sum;

		cr_assert_lt(fabs(at(&p, s) - p.at[i].kl), 3.5 * p.at[i].se);
		near(at(&p, s), s, 0.15);
		cr_assert_lt(error_at(&p, s, 0), 0.15 * s);
	}
	near(at(&p, 0.16), 0.16, 0.07);
	/* a poor point beside a good one is overruled by it, from above as from below */
	for (int above = 0; above < 2; above++) {
		double good = above ? 0.22 : 0.18;

		p = (struct predict){ 0 };
		cr_assert(predict_add(&p, 0.2, 0.3, 0.1));
		cr_assert(predict_add(&p, good, good, 0));
		predict_fit(&p);
		near(at(&p, 0.2), 0.2, 0.02);
	}
}

Test(predict, gamma_and_scale_come_back_from_super_additive_data)
{
	static const double gammas[] = { 1.0, 1.2, 1.45, 0.85 };

	for (size_t g = 0; g < 4; g++) {
		struct predict p = { 0 };
		struct rng r;

		rng_seed(&r, g);
		for (size_t i = 0; i < 20; i++) {
			double s = 0.05 * pow(100, rng_unit(&r)), kl = 1.6 * pow(s, gammas[g]);

			cr_assert(predict_add(&p, s, kl * (1 + 0.02 * rng_normal(&r)), 0.02 * kl));
		}
		predict_fit(&p);
		cr_assert_float_eq(p.gamma, gammas[g], 0.02, "%g for %g", p.gamma, gammas[g]);
		near(p.a, 1.6, 0.03);
		near(at(&p, 0.8), 1.6 * pow(0.8, gammas[g]), 0.06);
		if (gammas[g] < 1.3) /* goes on as it was, within reason */
			near(at(&p, 20) / at(&p, 10), pow(2, gammas[g]), 0.03);
		else
			near(at(&p, 20) / at(&p, 10), pow(2, 1.3), 1e-6);
	}
}

/* The default model's dial (additive sum, measured KL), ascending. */
static const double dial[7][2] = { { 0.050, 0.050 }, { 0.092, 0.093 }, { 0.158, 0.175 },
	{ 0.257, 0.296 }, { 0.568, 0.700 }, { 1.29, 2.43 }, { 8.9, 9.6 } };

Test(predict, a_few_anchors_bring_a_real_dial_within_its_goal)
{
	struct predict p = { 0 };

	/* the low end alone, and a far mix, which must not spoil the small ones */
	for (size_t anchors = 1; anchors <= 2; anchors++) {
		cr_assert(predict_add(&p, dial[7 - anchors][0], dial[7 - anchors][1],
			0.05 * dial[7 - anchors][1]));
		predict_fit(&p);
		for (size_t i = 0; i < 4; i++)
			near(at(&p, dial[i][0]), dial[i][1], 0.15);
	}
	near(at(&p, 0.568), 0.700, 0.15);
	/* the layout before the one asked for has been measured */
	for (size_t i = 1; i < 5; i++) {
		p = (struct predict){ 0 };
		cr_assert(predict_add(&p, dial[6][0], dial[6][1], 0.4));
		cr_assert(predict_add(&p, dial[i - 1][0], dial[i - 1][1], 0.03 * dial[i - 1][1]));
		predict_fit(&p);
		near(at(&p, dial[i][0]), dial[i][1], 0.15);
		cr_assert(!predict_missed(dial[i][1], 0.03 * dial[i][1], at(&p, dial[i][0]),
			error_at(&p, dial[i][0], 0)));
	}
}

Test(predict, the_error_grows_with_the_distance_from_what_was_measured)
{
	struct predict p = { 0 };
	double before = 0, ended;

	cr_assert(predict_add(&p, 0.1, 0.1, 0.003));
	cr_assert(predict_add(&p, 2, 3, 0.06));
	predict_fit(&p);
	near(error_at(&p, 0.1, 0), 0.003, 0.05);
	near(error_at(&p, 2, 0), 0.06, 0.05);
	for (double s = 2; s < 100; s *= 1.3) {
		double relative = error_at(&p, s, 0) / at(&p, s);

		cr_assert_gt(relative, before);
		before = relative;
	}
	before = 0;
	for (double s = 0.1; s > 1e-4; s /= 1.3) {
		double relative = error_at(&p, s, 0) / at(&p, s);

		/* at the anchor's 0.03 something is known again */
		cr_assert(relative > before || s > 0.01);
		before = relative;
	}
	ended = error_at(&p, 0.6, 0) / at(&p, 0.6); /* between the two */
	cr_assert_gt(ended, 0.08);
	/* and the error of the sum comes on top, by the slope of the curve */
	near(error_at(&p, 200, 1e4), 1e4 * p.gamma * at(&p, 200) / 200, 0.01);
	cr_assert_eq(error_at(&p, 0.6, (double)NAN), error_at(&p, 0.6, 0));
	/* more points, less error */
	cr_assert(predict_add(&p, 0.7, 0.9, 0.02));
	predict_fit(&p);
	cr_assert_lt(error_at(&p, 0.6, 0) / at(&p, 0.6), ended);
	/* half-way between exact points: a bridge of the walk, 0.1 log 4 / 4 */
	p = (struct predict){ 0 };
	cr_assert(predict_add(&p, 1, 1, 0));
	cr_assert(predict_add(&p, 4, 4, 0));
	predict_fit(&p);
	near(error_at(&p, 2, 0), 2 * sqrt(0.1 * log(4) / 4), 1e-3);
}

Test(predict, decreasing_and_contradicting_points_are_pooled_and_less_sure)
{
	struct predict p = { 0 };

	cr_assert(predict_add(&p, 0.3, 0.5, 0.01));
	cr_assert(predict_add(&p, 0.4, 0.3, 0.01));
	cr_assert(predict_add(&p, 0.9, 0.9, 0.01));
	cr_assert(predict_add(&p, 0.9, 0.9, 0.01)); /* the same layout again */
	predict_fit(&p);
	cr_assert_gt(at(&p, 0.4), at(&p, 0.3));
	cr_assert_gt(at(&p, 0.3), 0.3);
	cr_assert_lt(at(&p, 0.4), 0.5);
	cr_assert_gt(error_at(&p, 0.35, 0), 0.03);
	near(error_at(&p, 0.9, 0), 0.01 / sqrt(2), 0.05);
	p = (struct predict){ 0 };
	cr_assert(predict_add(&p, 1, 1, 0)); /* both exact, both cannot be */
	cr_assert(predict_add(&p, 1, 2, 0));
	predict_fit(&p);
	cr_assert(at(&p, 1) > 1.1 && at(&p, 1) < 1.5);
	cr_assert_gt(error_at(&p, 1, 0), 0.2);
}

Test(predict, what_says_nothing_is_not_added)
{
	static const double bad[][3] = { { 0, 0, 0 }, { 0, 1, 0.1 }, { 1, 0, 0.1 }, { -1, 1, 0.1 },
		{ 1, -1, 0.1 }, { (double)NAN, 1, 0.1 }, { 1, (double)NAN, 0.1 },
		{ (double)INFINITY, 1, 0.1 }, { 1, (double)INFINITY, 0.1 },
		{ 1, 1, (double)INFINITY }, { 1e-200, 1, 0.1 }, { 1, 1e200, 0.1 } };
	struct predict p = { 0 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!predict_add(&p, bad[i][0], bad[i][1], bad[i][2]), "%zu", i);
	cr_assert_eq(p.n, 0);
	cr_assert(predict_add(&p, 1, 1.5, (double)NAN)); /* an unknown error is not none */
	predict_fit(&p);
	cr_assert_gt(error_at(&p, 1, 0), 0.03);
	cr_assert(isnan(at(&p, (double)NAN)));
}

Test(predict, a_full_table_goes_on_learning)
{
	struct predict p = { 0 };

	for (size_t i = 0; i < PREDICT_MAX; i++)
		cr_assert(predict_add(&p, 0.01 * (double)(i + 1), 0.01 * (double)(i + 1), 0.002));
	for (size_t i = 0; i < 400; i++)
		cr_assert(predict_add(&p, 1.2, 1.5, 0.002));
	cr_assert_eq(p.n, PREDICT_MAX);
	predict_fit(&p);
	near(at(&p, 1.2), 1.5, 0.01);
	near(at(&p, 0.5), 0.5, 0.01);
}

static double awkward(struct rng *r)
{
	static const double odd[] = { 0, -1, 1, 1e-320, 1e-9, 1e4, 1e300, (double)NAN,
		(double)INFINITY, 0.03, 0.5 };

	if (!rng_below(r, 4))
		return odd[rng_below(r, sizeof odd / sizeof *odd)];
	return exp((rng_below(r, 3) ? 2 : 12) * rng_normal(r));
}

/* Between S of 1e-12 and 1e13, and around every point: finite, and rising. */
static void check_curve(const struct predict *p, struct rng *r)
{
	double before = 0, last = 0;

	cr_assert(isfinite(p->a) && p->a > 0 && isfinite(p->gamma));
	for (double x = -27.6; x < 30; x += 0.2 + rng_unit(r)) {
		double s = exp(x), se, kl = predict_kl(p, s, 0.1 * s, &se);

		cr_assert(isfinite(kl) && isfinite(se) && se >= 0, "%g +- %g at %g", kl, se, s);
		if (last >= 1e-9 && s <= 1e12)
			cr_assert_gt(kl, before, "%g at %g, %g at %g", before, last, kl, s);
		cr_assert_geq(kl, before);
		before = kl;
		last = s;
	}
	for (size_t i = 0; i < p->n; i++) {
		double s = p->at[i].sum, lo = at(p, s * (1 - 1e-6)), hi = at(p, s * (1 + 1e-6));

		cr_assert(lo > 0 && lo < at(p, s) && at(p, s) < hi);
	}
	cr_assert(isfinite(at(p, DBL_MAX)) && isfinite(at(p, DBL_MIN)));
	cr_assert_eq(at(p, 0), 0);
	cr_assert(isfinite(at(p, (double)INFINITY)));
}

Test(predict, ten_thousand_random_point_sets_give_rising_finite_curves)
{
	struct rng r;
	size_t used = 0, empty = 0;

	rng_seed(&r, 77);
	for (size_t round = 0; round < 10000; round++) {
		struct predict p = { 0 };
		size_t n = rng_below(&r, round % 50 ? 12 : 200);
		double s = 1, kl = 1;

		for (size_t i = 0; i < n; i++) {
			if (rng_below(&r, 4)) /* else the same once more, or almost */
				s = awkward(&r);
			else
				s *= 1 + 1e-4 * rng_unit(&r);
			if (rng_below(&r, 4))
				kl = awkward(&r);
			(void)predict_add(&p, s, kl, rng_below(&r, 3) ? awkward(&r) : 0.03 * kl);
		}
		predict_fit(&p);
		if (!p.n) {
			empty++;
			continue;
		}
		check_curve(&p, &r);
		used++;
	}
	cr_assert_gt(used, 8000);
	cr_assert_gt(empty, 10);
}

Test(predict, a_miss_is_more_than_two_standard_errors_of_the_difference)
{
	const double none = (double)NAN;

	cr_assert(!predict_missed(0.30, 0.03, 0.20, 0.04)); /* exactly two */
	cr_assert(predict_missed(0.301, 0.03, 0.20, 0.04));
	cr_assert(predict_missed(0.199, 0.03, 0.30, 0.04));
	cr_assert(predict_missed(0.30, 0.03, 0.20, none));
	cr_assert(!predict_missed(0.30, none, 0.20, 0.06));
	cr_assert(!predict_missed(0.30, none, 0.20, none));
	cr_assert(!predict_missed(none, 0.03, 0.20, 0.04));
	cr_assert(predict_missed(0.30, 0, 0.20, 0));
}
