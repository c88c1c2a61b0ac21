/* test_boot.c - how sure the front is: shares of draws, and what is undecided. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/search/boot.h"
#include "tests/lib_front.h"

/* Every cell of b with an error of this share of its damage; xfree. */
static double *errors_of(struct big *b, double share)
{
	double *se = xarray(LINEARS * FORMATS, sizeof *se);

	for (size_t c = 0; c < LINEARS * FORMATS; c++)
		se[c] = share * b->damage[c];
	b->in.se = se;
	return se;
}

static uint64_t middle(const struct front_input *in, double share)
{
	struct front *f;
	uint64_t least, most;

	cr_assert_eq(front_new(&f, in, NULL), ST_OK);
	least = front_least(f);
	most = front_most(f);
	front_free(f);
	return least + (uint64_t)(share * (double)(most - least));
}

static struct boot *solve(const struct front_input *in, uint64_t budget, size_t draws)
{
	const struct boot_options o = { .draws = draws, .seed = 7 };
	struct boot *b;
	struct err e;

	cr_assert_eq(boot_new(&b, in, &budget, 1, &o, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(b->n, in->n);
	cr_assert_eq(b->k, in->k);
	return b;
}

Test(boot, probabilities_sum_to_one_and_what_follows_from_them_agrees)
{
	struct big *big = front_smollm2(1, false);
	double *se = errors_of(big, 0.3), weight = 0, agreed = 0;
	struct boot *b = solve(&big->in, middle(&big->in, 0.5), 0);
	const struct boot_budget *at = b->at;
	bool listed[LINEARS] = { false };
	float before = 0;

	cr_assert_eq(b->draws, BOOT_DRAWS);
	cr_assert(at->fits);
	cr_assert_gt(at->n_undecided, 5);
	cr_assert_lt(at->n_undecided, LINEARS);
	for (size_t j = 0; j < at->n_undecided; j++) {
		size_t i = at->undecided[j];
		float p = at->prob[i * FORMATS + at->likely[i]];

		cr_assert(!listed[i]);
		listed[i] = true;
		cr_assert_geq(p, before);
		before = p;
	}
	for (size_t i = 0; i < LINEARS; i++) {
		const float *p = &at->prob[i * FORMATS];
		uint64_t largest = 0;
		double sum = 0;

		for (size_t f = 0; f < FORMATS; f++) {
			sum += (double)p[f];
			cr_assert_leq(p[f], p[at->likely[i]]);
			if (big->bytes[i * FORMATS + f] > largest)
				largest = big->bytes[i * FORMATS + f];
		}
		cr_assert_float_eq(sum, 1, 1e-6);
		cr_assert_eq(listed[i], p[at->likely[i]] < 0.8F, "linear %zu", i);
		weight += (double)largest;
		agreed += (double)largest * (double)p[at->likely[i]];
	}
	cr_assert_float_eq(at->stability, agreed / weight, 1e-9);
	cr_assert_gt(at->sd, 0);
	boot_free(b);
	xfree(se);
	xfree(big);
}

/* Every linear surely in the format that the front itself gives it. */
static void check_certain(const struct front_input *in, uint64_t budget)
{
	struct boot *b = solve(in, budget, 20);
	uint8_t choice[LINEARS];
	struct front_answer a;
	struct front *f;

	cr_assert_eq(front_new(&f, in, NULL), ST_OK);
	cr_assert_eq(front_answer(f, budget, choice, &a), b->at->fits);
	for (size_t c = 0; c < in->n * in->k; c++)
		cr_assert_eq(b->at->prob[c], c % in->k == choice[c / in->k] ? 1.0F : 0.0F);
	cr_assert_arr_eq(b->at->likely, choice, in->n);
	cr_assert_eq(b->at->n_undecided, 0);
	cr_assert_float_eq(b->at->stability, 1, 1e-12);
	cr_assert_float_eq(b->at->damage, a.damage, 1e-12);
	cr_assert_float_eq(b->at->sd, 0, 1e-12);
	front_free(f);
	boot_free(b);
}

Test(boot, without_noise_every_draw_is_the_answer_of_the_front)
{
	struct big *big = front_smollm2(2, false);
	double *se = errors_of(big, 0);
	uint64_t budget = middle(&big->in, 0.4);

	big->damage[FORMATS + 2] = -0.001; /* as measured, not clipped */
	check_certain(&big->in, budget);
	for (size_t c = 0; c < LINEARS * FORMATS; c++)
		se[c] = c % 2 ? (double)NAN : -1; /* unknown, senseless */
	check_certain(&big->in, budget);
	big->in.se = NULL;
	check_certain(&big->in, budget);
	check_certain(&big->in, 0); /* the smallest layout */
	xfree(se);
	xfree(big);
}

Test(boot, two_linears_equal_within_noise_share_the_bytes_by_halves)
{
	/* the budget pays for one of the first two; the third is worth far more */
	static const uint64_t bytes[] = { 2, 4, 2, 4, 2, 4 };
	static const double damage[] = { 1, 0, 1.01, 0, 9, 0 };
	static const double se[] = { 0.3, 0, 0.3, 0, 0.3, 0 };
	const struct front_input in = {
		.n = 3, .k = 2, .bytes = bytes, .damage = damage, .se = se
	};
	struct boot *b = solve(&in, 10, 2000);
	const struct boot_budget *at = b->at;

	cr_assert_float_eq((double)at->prob[1], 0.5, 0.06);
	cr_assert_float_eq((double)at->prob[3], 0.5, 0.06);
	cr_assert_float_eq((double)(at->prob[1] + at->prob[3]), 1, 1e-6);
	cr_assert_eq(at->prob[5], 1.0F);
	cr_assert_eq(at->n_undecided, 2);
	cr_assert_neq(at->undecided[0], 2);
	cr_assert_neq(at->undecided[1], 2);
	/* the smaller of two equal normals: mean 1.005 - 0.3 / sqrt(pi), sd 0.3 sqrt(1 - 1/pi) */
	cr_assert_float_eq(at->damage, 0.836, 0.03);
	cr_assert_float_eq(at->sd, 0.248, 0.03);
	boot_free(b);
}

Test(boot, gains_apart_by_their_noise_have_the_probability_of_the_normal_law)
{
	/* P(a + 0.1 x > b + 0.1 y) for a - b = 0.1414: one deviation, 0.841 */
	static const uint64_t bytes[] = { 2, 4, 2, 4 };
	static const double damage[] = { 1.1414, 0, 1, 0 }, se[] = { 0.1, 0, 0.1, 0 };
	const struct front_input in = {
		.n = 2, .k = 2, .bytes = bytes, .damage = damage, .se = se
	};
	const struct boot_options strict = { .draws = 4000, .sure = 0.9 };
	const uint64_t budget = 6;
	struct boot *b = solve(&in, budget, 4000);

	cr_assert_float_eq((double)b->at->prob[1], 0.841, 0.025);
	cr_assert_eq(b->at->n_undecided, 0);
	boot_free(b);
	cr_assert_eq(boot_new(&b, &in, &budget, 1, &strict, NULL, NULL), ST_OK);
	cr_assert_eq(b->at->n_undecided, 2);
	boot_free(b);
}

Test(boot, no_draw_has_a_damage_below_zero)
{
	static const uint64_t bytes[] = { 2, 4 };
	static const double damage[] = { 0.01, 0.005 }, se[] = { 1, 0 };
	const struct front_input in = {
		.n = 1, .k = 2, .bytes = bytes, .damage = damage, .se = se
	};
	struct boot *b = solve(&in, 2, 1000);

	/* half of a normal law is at 0 */
	cr_assert_float_eq(b->at->damage, 0.404, 0.06);
	boot_free(b);
	b = solve(&in, 4, 1000);
	cr_assert_float_eq((double)b->at->prob[0], 0.5, 0.06);
	cr_assert_geq(b->at->damage, 0);
	cr_assert_leq(b->at->damage, 0.005);
	boot_free(b);
}

Test(boot, pins_floors_ties_and_unmeasured_cells_hold_in_every_draw)
{
	struct big *big = front_smollm2(3, false);
	double *se = errors_of(big, 1);
	int8_t pin[LINEARS], floor[LINEARS] = { 0 };
	uint16_t tie[LINEARS];
	struct boot *b;

	for (size_t i = 0; i < LINEARS; i++) {
		pin[i] = i == 10 ? 1 : -1;
		floor[i] = i >= 100 ? 2 : 0;
		/* q, k, v of a block move together */
		tie[i] = (uint16_t)(i % 7 < 3 ? i / 7 * 7 : i);
		if (i % 7 == 4)
			big->damage[i * FORMATS + 1] = (double)NAN;
	}
	big->in.pin = pin;
	big->in.floor = floor;
	big->in.tie = tie;
	b = solve(&big->in, middle(&big->in, 0.3), 50);
	for (size_t i = 0; i < LINEARS; i++) {
		const float *p = &b->at->prob[i * FORMATS];

		cr_assert(i != 10 || p[1] == 1.0F);
		cr_assert(i < 100 || (p[0] == 0.0F && p[1] == 0.0F));
		cr_assert(i % 7 != 4 || p[1] == 0.0F);
		cr_assert(i % 7 != 2 || !memcmp(p, p - 2 * FORMATS, FORMATS * sizeof *p));
	}
	boot_free(b);
	xfree(se);
	xfree(big);
}

Test(boot, the_same_seed_gives_the_same_answer_at_one_budget_or_many)
{
	struct big *big = front_smollm2(4, true);
	double *se = errors_of(big, 0.4);
	const struct boot_options one = { .draws = 40, .seed = 7 },
				  other = { .draws = 40, .seed = 8 };
	const uint64_t budget[3] = { middle(&big->in, 0.2), middle(&big->in, 0.7), 0 };
	const size_t size = LINEARS * FORMATS * sizeof(float);
	struct boot *a, *b, *c;

	cr_assert_eq(boot_new(&a, &big->in, budget, 3, &one, NULL, NULL), ST_OK);
	cr_assert_eq(a->budgets, 3);
	cr_assert_eq(a->draws, 40);
	cr_assert(a->at[0].fits && a->at[1].fits && !a->at[2].fits);
	cr_assert_neq(memcmp(a->at[0].prob, a->at[1].prob, size), 0);
	for (size_t i = 0; i < 3; i++) {
		b = solve(&big->in, budget[i], 40);
		cr_assert_eq(a->at[i].budget, budget[i]);
		cr_assert_eq(memcmp(a->at[i].prob, b->at->prob, size), 0);
		cr_assert_eq(a->at[i].damage, b->at->damage);
		cr_assert_eq(a->at[i].n_undecided, b->at->n_undecided);
		boot_free(b);
	}
	cr_assert_eq(boot_new(&c, &big->in, budget, 3, &other, NULL, NULL), ST_OK);
	cr_assert_neq(memcmp(a->at[0].prob, c->at[0].prob, size), 0);
	boot_free(a);
	boot_free(c);
	xfree(se);
	xfree(big);
}

struct stopper {
	size_t polls, stop_at;
	double last;
};

static bool stop(const struct sink *s)
{
	struct stopper *t = s->self;

	return ++t->polls == t->stop_at;
}

static void hear(const struct sink *s, double done, double total)
{
	struct stopper *t = s->self;

	cr_assert_gt(done, t->last);
	cr_assert_leq(done, total);
	t->last = done;
}

Test(boot, it_stops_at_any_poll)
{
	struct big *big = front_smollm2(5, false);
	double *se = errors_of(big, 0.2);
	uint64_t budget = middle(&big->in, 0.5);
	const struct boot_options o = { .draws = 12 };

	for (size_t n = 1; n <= 13; n++) {
		struct stopper t = { .stop_at = n };
		const struct sink s = { .poll = stop, .progress = hear, .self = &t };
		struct boot *b;
		struct err e;
		enum st st = boot_new(&b, &big->in, &budget, 1, &o, &s, &e);

		cr_assert_eq(t.polls, n < 12 ? n : 12);
		cr_assert_eq(st, n < 13 ? ST_CANCELLED : ST_OK);
		cr_assert_eq(b == NULL, n < 13);
		cr_assert(n == 13 || strstr(e.msg, "stopped"));
		cr_assert_eq(t.last, (double)(n - 1));
		boot_free(b);
	}
	xfree(se);
	xfree(big);
}

Test(boot, a_full_memory_and_what_cannot_be_solved_are_answers)
{
	struct big *big = front_smollm2(6, false);
	const struct boot_options many = { .draws = (size_t)1 << 30 };
	const uint64_t budget = middle(&big->in, 0.5);
	struct boot *b;
	struct err e;

	for (unsigned long n = 1; n <= 2; n++) {
		alloc_fail_at(n, false);
		cr_assert_eq(boot_new(&b, &big->in, &budget, 1, NULL, NULL, &e), ST_NOMEM);
		cr_assert(strstr(e.msg, "of the bootstrap"), "%s", e.msg);
		cr_assert_null(b);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(boot_new(&b, &big->in, &budget, 1, &many, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "1073741824 draws"), "%s", e.msg);
	cr_assert_eq(boot_new(&b, &big->in, &budget, 0, NULL, NULL, &e), ST_INVALID);
	cr_assert_eq(boot_new(&b, &big->in, &budget, SIZE_MAX / 64, NULL, NULL, &e), ST_INVALID);
	big->damage[0] = big->damage[1] = big->damage[2] = big->damage[3] = (double)NAN;
	cr_assert_eq(boot_new(&b, &big->in, &budget, 1, NULL, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "no format is left for linear 0"), "%s", e.msg);
	cr_assert_null(b);
	boot_free(b);
	xfree(big);
}
