/* test_draw.c - which layouts calibration draws (core/tune/draw.h). */
#include <criterion/criterion.h>
#include <string.h>

#include "core/tune/draw.h"

enum { N = 210, STEPS = 4000 };

static const double bpw[] = { 2.5, 3.5, 4.25 };

static bool all(const uint8_t *form, uint8_t is)
{
	for (size_t i = 0; i < N; i++)
		if (form[i] != is)
			return false;
	return true;
}

Test(draw, of_four_steps_one_is_the_low_end_one_the_high_end_and_two_lie_between)
{
	struct dial_draw d = { .seed = 7, .linears = N, .forms = 3, .bpw = bpw };
	uint8_t form[N];
	double least = 9, most = 0, sum = 0;
	size_t low = 0, high = 0, between = 0;

	for (uint64_t step = 1; step <= STEPS; step++) {
		double mean = 0;
		uint8_t from = 2, to = 0;

		dial_draw(&d, step, form);
		if (all(form, 0)) {
			low++;
			continue;
		}
		if (all(form, 2)) {
			high++;
			continue;
		}
		for (size_t i = 0; i < N; i++) {
			mean += bpw[form[i]] / N;
			from = form[i] < from ? form[i] : from;
			to = form[i] > to ? form[i] : to;
		}
		cr_assert_leq(to - from, 1, "neighbours");
		between++;
		least = mean < least ? mean : least;
		most = mean > most ? mean : most;
		sum += mean;
	}
	cr_expect(low >= STEPS / 4 && low < STEPS / 4 + 20, "%zu", low);
	cr_expect(high >= STEPS / 4 && high < STEPS / 4 + 20, "%zu", high);
	cr_expect_lt(least, 2.55);
	cr_expect_gt(most, 4.2);
	/* evenly */
	cr_expect_float_eq(sum / (double)between, (2.5 + 4.25) / 2, 0.05);
}

Test(draw, a_step_is_drawn_the_same_whenever_it_is_asked_and_another_seed_draws_others)
{
	struct dial_draw d = { .seed = 7, .linears = N, .forms = 3, .bpw = bpw }, other = d;
	uint8_t a[N], b[N], c[N];

	other.seed = 8;
	dial_draw(&d, 6, a);
	dial_draw(&d, 5, b);
	dial_draw(&d, 6, b);
	dial_draw(&other, 6, c);
	cr_expect_eq(memcmp(a, b, N), 0);
	cr_expect_neq(memcmp(a, c, N), 0);
}

Test(draw, a_mixture_of_a_budget_has_it_in_the_mean)
{
	struct dial_draw d = { .seed = 7, .linears = N, .forms = 3, .bpw = bpw };
	uint8_t form[N];

	for (double budget = 2.5; budget <= 4.25; budget += 0.35) {
		double sum = 0;

		for (uint64_t seed = 0; seed < 100; seed++) {
			dial_mix(&d, budget, seed, form);
			for (size_t i = 0; i < N; i++)
				sum += bpw[form[i]] / N / 100;
		}
		cr_expect_float_eq(sum, budget, 0.02, "%g: %g", budget, sum);
	}
}

Test(draw, one_form_is_all_there_is)
{
	struct dial_draw d = { .seed = 7, .linears = N, .forms = 1, .bpw = bpw };
	uint8_t form[N];

	for (uint64_t step = 1; step <= 8; step++) {
		dial_draw(&d, step, form);
		cr_expect(all(form, 0));
	}
}
