/* test_sampler.c - draws against their distribution, cuts, penalties, odd logits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/sampler.h"

static const struct sampler_options plain = {
	.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 42
};

/* How often each of n ids comes in `draws` draws from the same logits. */
static void tally(
	const struct sampler_options *o, const float *logits, size_t n, int draws, int *count)
{
	struct sampler *s = sampler_new(o, n);
	float z[64];
	int i;

	memset(count, 0, n * sizeof *count);
	for (i = 0; i < draws; i++) {
		int32_t id;

		memcpy(z, logits, n * sizeof *z);
		id = sampler_next(s, z);
		cr_assert(id >= 0 && (size_t)id < n);
		count[id]++;
	}
	sampler_free(s);
}

/* Pearson's statistic of the tally against softmax(logits / t) over the ids allowed. */
static double chi_square(
	const float *logits, size_t n, double t, const int *count, int draws, const char *allowed)
{
	double total = 0, chi = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total += allowed[i] == '1' ? exp(logits[i] / t) : 0;
	for (i = 0; i < n; i++) {
		double want = exp(logits[i] / t) / total * draws;

		if (allowed[i] == '1')
			chi += (count[i] - want) * (count[i] - want) / want;
		else
			cr_expect_eq(count[i], 0, "id %zu was cut", i);
	}
	return chi;
}

static const float slope[8] = { 0.1f, 1.5f, -0.5f, 0.9f, 1.4f, -1.0f, 0.0f, 0.5f };

Test(sampler, draws_follow_the_softmax)
{
	int count[8];

	tally(&plain, slope, 8, 20000, count);
	/* 7 degrees of freedom: 29.9 is passed by chance once in 10,000 */
	cr_assert_lt(chi_square(slope, 8, 1, count, 20000, "11111111"), 29.9);
}

Test(sampler, temperature_sharpens_and_flattens)
{
	struct sampler_options o = plain;
	int count[8];

	o.temperature = 0.5;
	tally(&o, slope, 8, 20000, count);
	cr_assert_lt(chi_square(slope, 8, 0.5, count, 20000, "11111111"), 29.9);
	o.temperature = 3;
	tally(&o, slope, 8, 20000, count);
	cr_assert_lt(chi_square(slope, 8, 3, count, 20000, "11111111"), 29.9);
}

Test(sampler, top_k_keeps_the_k_best_in_their_proportions)
{
	struct sampler_options o = plain;
	int count[8];

	o.top_k = 3;
	tally(&o, slope, 8, 20000, count);
	cr_assert_lt(chi_square(slope, 8, 1, count, 20000, "01011000"), 18.4);
	o.top_k = 1;
	tally(&o, slope, 8, 100, count);
	cr_assert_eq(count[1], 100);
	o.top_k = 100; /* more than there are: off */
	tally(&o, slope, 8, 20000, count);
	cr_assert_lt(chi_square(slope, 8, 1, count, 20000, "11111111"), 29.9);
}

Test(sampler, top_k_breaks_ties_by_the_lower_id)
{
	static const float flat[8];
	struct sampler_options o = plain;
	int count[8];

	o.top_k = 3;
	tally(&o, flat, 8, 3000, count);
	cr_assert_lt(chi_square(flat, 8, 1, count, 3000, "11100000"), 18.4);
}

Test(sampler, top_p_keeps_the_shortest_prefix_that_reaches_p)
{
	/* 0.5 0.25 0.125 0.125 */
	const float z[4] = { (float)log(0.125), (float)log(0.5), (float)log(0.125),
		(float)log(0.25) };
	struct sampler_options o = plain;
	int count[4];

	o.top_p = 0.7;
	tally(&o, z, 4, 9000, count);
	cr_assert_lt(chi_square(z, 4, 1, count, 9000, "0101"), 15.2);
	o.top_p = 0.8; /* the first of the two equals comes in */
	tally(&o, z, 4, 9000, count);
	cr_assert_lt(chi_square(z, 4, 1, count, 9000, "1101"), 18.4);
	o.top_p = 0; /* never fewer than one */
	tally(&o, z, 4, 50, count);
	cr_assert_eq(count[1], 50);
}

Test(sampler, min_p_drops_what_is_small_beside_the_best)
{
	const float z[4] = { 0, (float)log(0.5), (float)log(0.2), (float)log(0.09) };
	struct sampler_options o = plain;
	int count[4];

	o.min_p = 0.1;
	tally(&o, z, 4, 9000, count);
	cr_assert_lt(chi_square(z, 4, 1, count, 9000, "1110"), 18.4);
	o.min_p = 2; /* the best one always stays */
	tally(&o, z, 4, 50, count);
	cr_assert_eq(count[0], 50);
}

Test(sampler, temperature_zero_is_the_largest_logit_and_the_lowest_id)
{
	struct sampler_options o = plain;
	float z[4] = { 1, 3, 3, NAN };
	struct sampler *s;

	o.temperature = 0;
	s = sampler_new(&o, 4);
	cr_assert_eq(sampler_next(s, z), 1);
	z[1] = -INFINITY;
	cr_assert_eq(sampler_next(s, z), 2);
	sampler_free(s);
}

Test(sampler, banned_and_broken_logits_are_never_drawn)
{
	const float z[6] = { -INFINITY, 0, NAN, 1, -INFINITY, NAN };
	const float none[3] = { -INFINITY, -INFINITY, -INFINITY };
	const float inf[3] = { 0, INFINITY, 0 }, nan[3] = { NAN, NAN, NAN };
	struct sampler_options o = plain;
	int count[6];

	tally(&o, z, 6, 500, count);
	cr_assert_eq(count[1] + count[3], 500);
	o.top_k = 40;
	o.top_p = 0.95;
	o.min_p = 0.05;
	tally(&o, z, 6, 500, count);
	cr_assert_eq(count[1] + count[3], 500);
	tally(&o, inf, 3, 10, count);
	cr_assert_eq(count[1], 10);
	tally(&o, none, 3, 10, count); /* an id all the same, inside the vocabulary */
	tally(&o, nan, 3, 10, count);
}

Test(sampler, logits_far_apart_and_huge_do_not_overflow)
{
	const float z[4] = { 3e38f, -3e38f, 3e38f, 1000 };
	struct sampler_options o = plain;
	int count[4];

	tally(&o, z, 4, 400, count);
	cr_assert_eq(count[0] + count[2], 400);
	cr_assert(count[0] > 100 && count[2] > 100);
	o.temperature = 1e-30;
	tally(&o, slope, 4, 50, count);
	cr_assert_eq(count[1], 50);
}

Test(sampler, the_penalty_divides_positive_and_multiplies_negative_logits_once)
{
	struct sampler_options o = plain;
	float z[4] = { 2, -2, 1, 0.5f };
	struct sampler *s;

	o.temperature = 0;
	o.repeat_penalty = 4;
	o.repeat_last = 3;
	s = sampler_new(&o, 4);
	sampler_seen(s, 0);
	sampler_seen(s, 0);
	sampler_seen(s, 1);
	sampler_seen(s, -1); /* no token: nothing */
	sampler_seen(s, 4);
	cr_assert_eq(sampler_next(s, z), 2);
	cr_assert_eq(z[0], 0.5f);
	cr_assert_eq(z[1], -8.0f);
	/* the window is now 0, 1, 2; a fourth id pushes the first out */
	sampler_seen(s, 3);
	z[0] = z[1] = z[2] = z[3] = 1;
	cr_assert_eq(sampler_next(s, z), 0);
	cr_assert_eq(z[1], 0.25f);
	sampler_free(s);
}

Test(sampler, the_same_seed_gives_the_same_ids_and_another_gives_others)
{
	struct sampler_options o = sampler_default;
	int32_t id[3][50];
	int k, i, j;

	for (k = 0; k < 3; k++) {
		struct sampler *s;

		o.seed = k == 2 ? 8 : 7;
		s = sampler_new(&o, 32);
		for (i = 0; i < 50; i++) {
			float z[32];

			for (j = 0; j < 32; j++)
				z[j] = (float)((i * 7 + j * 13) % 11) * 0.3f;
			id[k][i] = sampler_next(s, z);
		}
		sampler_free(s);
	}
	cr_assert_arr_eq(id[0], id[1], sizeof id[0]);
	cr_assert_neq(memcmp(id[0], id[2], sizeof id[0]), 0);
}

/* Written down once: another machine or compiler must give the same. */
Test(sampler, draws_are_the_same_on_every_machine)
{
	static const int32_t want[12] = { 5, 1, 7, 4, 4, 4, 1, 4, 1, 7, 4, 6 };
	struct sampler *s = sampler_new(&plain, 8);
	int32_t got[12];
	float z[8];
	int i;

	for (i = 0; i < 12; i++) {
		memcpy(z, slope, sizeof z);
		got[i] = sampler_next(s, z);
	}
	sampler_free(s);
	cr_assert_arr_eq(got, want, sizeof want);
}
