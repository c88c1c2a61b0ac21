/* test_front.c - the dial's answers: never over budget, exact where they say so. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/search/front.h"
#include "tests/lib_front.h"

enum { SMALL = 6, SMALL_K = 4 };

/* An instance small enough to try everything. */
struct small {
	struct front_input in;
	uint64_t bytes[SMALL * SMALL_K];
	double damage[SMALL * SMALL_K], se[SMALL * SMALL_K];
	int8_t pin[SMALL], floor[SMALL];
	uint16_t tie[SMALL];
};

static void draw_cells(struct small *s, struct rng *r)
{
	uint32_t scale = 1 + rng_below(r, 3);

	for (size_t i = 0; i < s->in.n; i++) {
		uint32_t size = 1 + rng_below(r, 9);
		double damage = 3 * rng_unit(r);

		for (size_t f = 0; f < s->in.k; f++) {
			size_t c = i * s->in.k + f;

			/* mostly larger is better, sometimes not; some sizes and damages tie */
			s->bytes[c] = (uint64_t)scale * (size * (f + 1) + rng_below(r, 3));
			s->damage[c] = floor(8 * damage * pow(0.4, (double)f)) / 8;
			if (!rng_below(r, 6))
				s->damage[c] = rng_normal(r);
			if (!rng_below(r, 12))
				s->damage[c] = NAN;
			s->se[c] = rng_unit(r);
		}
	}
}

static void draw(struct small *s, struct rng *r, size_t k)
{
	memset(s, 0, sizeof *s);
	s->in.n = 1 + rng_below(r, k < 4 ? SMALL : SMALL - 1);
	s->in.k = k;
	s->in.bytes = s->bytes;
	s->in.damage = s->damage;
	s->in.se = s->se;
	draw_cells(s, r);
	for (size_t i = 0; i < s->in.n; i++) {
		s->pin[i] = rng_below(r, 5) ? -1 : (int8_t)rng_below(r, (uint32_t)k);
		s->floor[i] = rng_below(r, 4) ? 0 : (int8_t)rng_below(r, (uint32_t)k);
		s->tie[i] = (uint16_t)(rng_below(r, 3) ? 1000 + i : 7);
	}
	s->in.pin = rng_below(r, 2) ? s->pin : NULL;
	s->in.floor = rng_below(r, 2) ? s->floor : NULL;
	s->in.tie = rng_below(r, 2) ? s->tie : NULL;
}

static bool tied(const struct front_input *in, size_t i, size_t j)
{
	return i == j || (in->tie && in->tie[i] == in->tie[j]);
}

/* What the rules say, one linear at a time, without any of the solver's shortcuts. */
static bool allowed(const struct front_input *in, const uint8_t *choice)
{
	for (size_t i = 0; i < in->n; i++) {
		bool pinned = false;

		if (!isfinite(in->damage[i * in->k + choice[i]]))
			return false;
		for (size_t j = 0; j < in->n; j++) {
			if (!tied(in, i, j))
				continue;
			if (choice[i] != choice[j])
				return false;
			if (in->pin && in->pin[j] >= 0) {
				pinned = true;
				if (choice[i] != in->pin[j])
					return false;
			}
		}
		if (!pinned && in->floor && choice[i] < in->floor[i])
			return false;
	}
	return true;
}

static bool next(const struct front_input *in, uint8_t *choice)
{
	for (size_t i = 0; i < in->n; i++) {
		if (++choice[i] < in->k)
			return true;
		choice[i] = 0;
	}
	return false;
}

/* best[b]: least damage within b bytes; INFINITY: nothing fits. */
static void brute_force(const struct front_input *in, double *best, size_t budgets)
{
	uint8_t choice[SMALL] = { 0 };

	for (size_t b = 0; b < budgets; b++)
		best[b] = INFINITY;
	do {
		uint64_t bytes;
		double damage;

		if (!allowed(in, choice))
			continue;
		front_total(in, choice, &bytes, &damage);
		if (bytes < budgets && damage < best[bytes])
			best[bytes] = damage;
	} while (next(in, choice));
	for (size_t b = 1; b < budgets; b++)
		best[b] = best[b - 1] < best[b] ? best[b - 1] : best[b];
}

static void check_answer(const struct front_input *in, const uint8_t *choice,
	const struct front_answer *a, uint64_t budget)
{
	uint64_t bytes;
	double damage;

	cr_assert(allowed(in, choice));
	front_total(in, choice, &bytes, &damage);
	cr_assert_eq(bytes, a->bytes);
	cr_assert_leq(bytes, budget);
	cr_assert_float_eq(damage, a->damage, 1e-9);
}

static void check_budgets(const struct front_input *in, const struct front *f,
	const struct front_table *t, const double *best, size_t budgets)
{
	for (size_t b = 0; b < budgets; b++) {
		uint8_t choice[SMALL];
		struct front_answer g, x;
		bool fits = front_answer(f, b, choice, &g);

		cr_assert_eq(fits, isfinite(best[b]), "budget %zu", b);
		if (!fits) {
			cr_assert_eq(g.bytes, front_least(f));
			cr_assert(!front_table_answer(t, b, choice, &x));
			continue;
		}
		check_answer(in, choice, &g, b);
		cr_assert(front_table_answer(t, b, choice, &x));
		check_answer(in, choice, &x, b);
		cr_assert(x.exact);
		cr_assert_float_eq(x.damage, best[b], 1e-9, "budget %zu: %g, brute force %g", b,
			x.damage, best[b]);
		cr_assert_leq(g.bound, x.damage + 1e-9);
		cr_assert_leq(x.damage, g.damage + 1e-9);
		cr_assert(!g.exact || fabs(g.damage - best[b]) < 1e-9);
	}
}

Test(front, exact_equals_brute_force_on_a_thousand_small_instances)
{
	struct rng r;
	size_t solved = 0, refused = 0;

	rng_seed(&r, 2024);
	for (size_t round = 0; round < 1500; round++) {
		struct small s;
		struct front *f;
		struct front_table *t;
		double best[1024];
		struct err e;

		draw(&s, &r, 2 + round % 3);
		brute_force(&s.in, best, 1024);
		if (front_new(&f, &s.in, &e)) {
			cr_assert(isinf(best[1023]), "refused though it can be: %s", e.msg);
			refused++;
			continue;
		}
		cr_assert(isfinite(best[1023]));
		cr_assert_eq(front_exact(&t, f, NULL, &e), ST_OK, "%s", e.msg);
		check_budgets(&s.in, f, t, best, 420);
		front_free(f); /* the table keeps what it needs */
		cr_assert(front_table_answer(
			t, UINT64_MAX, (uint8_t[SMALL]){ 0 }, &(struct front_answer){ 0 }));
		front_table_free(t);
		solved++;
	}
	cr_assert_geq(solved, 1000, "%zu solved, %zu refused", solved, refused);
	cr_assert_gt(refused, 50);
}

/* ---- shapes of a real model */

/* Returns how many of n random budgets are over, off their sum, or out of order. */
static size_t faults(
	const struct big *b, const struct front *f, const struct front_table *t, size_t n)
{
	uint64_t least = front_least(f), span = front_most(f) - least + 1000;
	uint8_t choice[LINEARS];
	size_t bad = 0;
	struct rng r;

	rng_seed(&r, 5);
	for (size_t i = 0; i < n; i++) {
		uint64_t budget = least + rng_u64(&r) % span, bytes;
		struct front_answer a, g;
		double damage;

		(void)front_answer(f, budget, NULL, &g);
		if (t)
			(void)front_table_answer(t, budget, choice, &a);
		else
			(void)front_answer(f, budget, choice, &a);
		front_total(&b->in, choice, &bytes, &damage);
		bad += bytes > budget || bytes != a.bytes || fabs(damage - a.damage) > 1e-9 ||
		       a.bound > a.damage || a.damage > g.damage + 1e-9 ||
		       g.bound > a.damage + 1e-9;
	}
	return bad;
}

Test(front, a_hundred_thousand_random_budgets_are_never_exceeded)
{
	struct big *b = front_smollm2(1, false);
	struct front *f;
	struct front_table *t;
	struct front_answer a;
	struct err e;

	cr_assert_eq(front_new(&f, &b->in, &e), ST_OK);
	cr_assert_eq(front_exact(&t, f, NULL, &e), ST_OK);
	cr_assert_eq(faults(b, f, NULL, 100000), 0);
	cr_assert_eq(faults(b, f, t, 10000), 0);
	cr_assert(front_table_answer(t, front_most(f), NULL, &a));
	cr_assert(a.exact);
	front_table_free(t);
	front_free(f);
	xfree(b);
}

Test(front, ragged_sizes_are_rounded_up_and_the_answer_says_it_is_not_exact)
{
	struct big *b = front_smollm2(2, true);
	struct front *f;
	struct front_table *t;
	struct front_answer a;
	struct err e;

	cr_assert_eq(front_new(&f, &b->in, &e), ST_OK);
	cr_assert_eq(front_exact(&t, f, NULL, &e), ST_OK);
	cr_assert_eq(faults(b, f, t, 3000), 0);
	cr_assert(front_table_answer(t, (front_least(f) + front_most(f)) / 2, NULL, &a));
	cr_assert(!a.exact);
	cr_assert_lt(a.damage - a.bound, 1e-3 * a.damage);
	front_table_free(t);
	front_free(f);
	xfree(b);
}

Test(front, the_curve_falls_with_bytes_and_every_point_of_it_can_be_had)
{
	struct big *b = front_smollm2(3, false);
	uint64_t bytes[LINEARS * FORMATS];
	double damage[LINEARS * FORMATS];
	struct front *f;
	struct err e;
	size_t n;

	cr_assert_eq(front_new(&f, &b->in, &e), ST_OK);
	n = front_curve(f, bytes, damage, LINEARS * FORMATS);
	cr_assert_gt(n, LINEARS);
	cr_assert_eq(front_curve(f, NULL, NULL, 0), n);
	cr_assert_eq(bytes[0], front_least(f));
	cr_assert_eq(bytes[n - 1], front_most(f));
	for (size_t i = 0; i < n; i++) {
		struct front_answer a;

		cr_assert(front_answer(f, bytes[i], NULL, &a));
		cr_assert(a.exact);
		cr_assert_eq(a.bytes, bytes[i]);
		cr_assert_float_eq(a.damage, damage[i], 1e-9);
		cr_assert(!i || (bytes[i] > bytes[i - 1] && damage[i] < damage[i - 1]));
	}
	front_free(f);
	xfree(b);
}

/* ---- small cases by hand */

Test(front, leftover_bytes_buy_options_off_the_hull)
{
	/* 3 bytes cost too much damage for the hull, but are all that fits into 3 */
	static const uint64_t bytes[] = { 2, 3, 4 };
	static const double damage[] = { 10, 9.5, 1 };
	const struct front_input in = { .n = 1, .k = 3, .bytes = bytes, .damage = damage };
	struct front_answer a;
	uint8_t choice;
	struct front *f;

	cr_assert_eq(front_new(&f, &in, NULL), ST_OK);
	cr_assert_eq(front_curve(f, NULL, NULL, 0), 2);
	cr_assert(front_answer(f, 3, &choice, &a));
	cr_assert_eq(choice, 1);
	cr_assert_eq(a.bytes, 3);
	cr_assert_float_eq(a.damage, 9.5, 1e-12);
	cr_assert_float_eq(a.bound, 5.5, 1e-12);
	cr_assert(!a.exact);
	front_free(f);
}

Test(front, a_larger_format_that_measured_worse_is_never_chosen)
{
	static const uint64_t bytes[] = { 2, 3, 4 };
	static const double damage[] = { 1, -0.5, 0 };
	const struct front_input in = { .n = 1, .k = 3, .bytes = bytes, .damage = damage };
	struct front_answer a;
	uint8_t choice;
	struct front *f;

	cr_assert_eq(front_new(&f, &in, NULL), ST_OK);
	cr_assert_eq(front_most(f), 3);
	cr_assert(front_answer(f, 100, &choice, &a));
	cr_assert_eq(choice, 1);
	cr_assert_float_eq(a.damage, -0.5, 1e-12);
	front_free(f);
}

Test(front, the_standard_error_is_the_root_of_the_squares)
{
	static const uint64_t bytes[] = { 2, 4, 2, 4 };
	static const double damage[] = { 1, 0, 2, 0 }, se[] = { 3, 0, 4, 0 };
	struct front_input in = { .n = 2, .k = 2, .bytes = bytes, .damage = damage, .se = se };
	struct front_answer a;
	struct front *f;

	cr_assert_eq(front_new(&f, &in, NULL), ST_OK);
	cr_assert(front_answer(f, 4, NULL, &a));
	cr_assert_float_eq(a.se, 5, 1e-12);
	cr_assert(front_answer(f, 6, NULL, &a));
	cr_assert_float_eq(a.se, 3, 1e-12);
	front_free(f);
	in.se = NULL;
	cr_assert_eq(front_new(&f, &in, NULL), ST_OK);
	cr_assert(front_answer(f, 4, NULL, &a));
	cr_assert(isnan(a.se));
	front_free(f);
}

static void refused(const struct front_input *in, const char *say)
{
	struct front *f;
	struct err e;

	cr_assert_eq(front_new(&f, in, &e), ST_INVALID);
	cr_assert_null(f);
	cr_assert(strstr(e.msg, say), "'%s' does not say '%s'", e.msg, say);
}

Test(front, what_cannot_be_solved_is_refused_by_name)
{
	static const uint64_t bytes[] = { 2, 4, 2, 4 }, huge[] = { 2, UINT64_MAX, 2, 4 };
	static const double damage[] = { 1, 0, 2, NAN }, none[] = { 1, 0, NAN, NAN };
	static const int8_t up[] = { -1, 1 }, both[] = { 0, 1 }, far[] = { 5, -1 };
	static const uint16_t same[] = { 3, 3 };
	struct front_input in = { .n = 2, .k = 2, .bytes = bytes, .damage = damage };

	in.pin = up;
	refused(&in, "linear 1 is pinned to a format that has not been measured");
	in.pin = far;
	refused(&in, "linear 0 is pinned to format 5");
	in.pin = both;
	in.tie = same;
	refused(&in, "linear 1 is pinned to another format than those it is tied to");
	in.pin = NULL;
	in.tie = NULL;
	in.floor = up;
	refused(&in, "no format is left for linear 1");
	in.floor = NULL;
	in.damage = none;
	refused(&in, "no format is left for linear 1");
	in.damage = damage;
	in.bytes = huge;
	refused(&in, "add up to more than 2^62");
	in.n = 0;
	refused(&in, "no front of 0 linears");
}

static bool stop(const struct sink *s)
{
	return ++*(int *)s->self > 0;
}

Test(front, the_exact_search_stops_when_asked_and_survives_a_full_memory)
{
	struct big *b = front_smollm2(1, false);
	int polls = 0;
	const struct sink s = { .poll = stop, .self = &polls };
	struct front_table *t;
	struct front *f;
	struct err e;

	cr_assert_eq(front_new(&f, &b->in, &e), ST_OK);
	cr_assert_eq(front_exact(&t, f, &s, &e), ST_CANCELLED);
	cr_assert_null(t);
	cr_assert_eq(polls, 1);
	for (unsigned long n = 1; n <= 2; n++) {
		alloc_fail_at(n, false);
		cr_assert_eq(front_exact(&t, f, NULL, &e), ST_NOMEM);
		cr_assert(strstr(e.msg, "of the exact search"), "%s", e.msg);
		cr_assert_null(t);
	}
	alloc_fail_at(0, false);
	front_free(f);
	xfree(b);
}
