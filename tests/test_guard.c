/* test_guard.c - the layouts the dial is compared with: by rule, and never over budget. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_front.h"

/* Two blocks of seven linears of ten bytes a format step, and a third. */
enum { GUARDED = 21 };

struct guarded {
	struct front_input in;
	uint64_t bytes[GUARDED * 3];
	double damage[GUARDED * 3];
	int8_t pin[GUARDED];
	uint8_t choice[GUARDED];
	uint64_t got;
};

static void make_guarded(struct guarded *g)
{
	memset(g, 0, sizeof *g);
	g->in = (struct front_input){
		.n = GUARDED, .k = 3, .bytes = g->bytes, .damage = g->damage
	};
	for (size_t c = 0; c < GUARDED * 3; c++) {
		g->bytes[c] = 10 * (c % 3 + 1);
		g->damage[c] = 2.0 - (double)(c % 3);
	}
	memset(g->pin, -1, sizeof g->pin);
}

static void expect_raised(const struct guarded *g, const size_t *raised, size_t n)
{
	for (size_t i = 0; i < GUARDED; i++) {
		uint8_t want = 0;

		for (size_t j = 0; j < n; j++)
			want = raised[j] == i ? 1 : want;
		cr_assert_eq(g->choice[i], want, "linear %zu", i);
	}
}

Test(guard, uniform_gives_the_rest_from_block_0_on)
{
	struct guarded g;

	make_guarded(&g);
	cr_assert(guard_layout(GUARD_UNIFORM, &g.in, 239, 0, g.choice, &g.got));
	cr_assert_eq(g.got, 230);
	expect_raised(&g, (const size_t[]){ 0, 1 }, 2);
	cr_assert(guard_layout(GUARD_UNIFORM, &g.in, 419, 0, g.choice, &g.got));
	cr_assert_eq(g.got, 410);
	cr_assert_eq(g.choice[19], 1);
	cr_assert_eq(g.choice[20], 0);
	cr_assert(guard_layout(GUARD_UNIFORM, &g.in, 420, 0, g.choice, &g.got));
	cr_assert_eq(g.choice[20], 1);
	cr_assert(guard_layout(GUARD_UNIFORM, &g.in, 100000, 0, g.choice, &g.got));
	cr_assert_eq(g.got, 630);
	cr_assert(!guard_layout(GUARD_UNIFORM, &g.in, 209, 0, g.choice, &g.got));
}

Test(guard, ends_gives_the_rest_from_both_ends_inward)
{
	struct guarded g;

	make_guarded(&g);
	cr_assert(guard_layout(GUARD_ENDS, &g.in, 210 + 90, 0, g.choice, &g.got));
	cr_assert_eq(g.got, 300);
	/* block 0, then the last, before anything of block 1 */
	expect_raised(&g, (const size_t[]){ 0, 1, 2, 3, 4, 5, 6, 14, 15 }, 9);
}

Test(guard, a_format_that_is_larger_and_worse_is_no_rung)
{
	struct guarded g;

	make_guarded(&g);
	for (size_t i = 0; i < GUARDED; i++) {
		g.damage[i * 3 + 1] = 0; /* smaller than the third and as good */
		g.damage[i * 3 + 2] = 0;
	}
	cr_assert(guard_layout(GUARD_UNIFORM, &g.in, 100000, 0, g.choice, &g.got));
	cr_assert_eq(g.got, 420);
}

Test(guard, pins_hold_in_every_guard)
{
	struct guarded g;

	make_guarded(&g);
	g.in.pin = g.pin;
	g.pin[3] = 2;
	g.damage[3 * 3 + 1] = NAN; /* not needed by a pinned linear */
	for (int k = GUARD_UNIFORM; k <= GUARD_RANDOM; k++) {
		cr_assert(guard_layout((enum guard)k, &g.in, 300, 1, g.choice, &g.got));
		cr_assert_eq(g.choice[3], 2);
		cr_assert_leq(g.got, 300);
		cr_assert_geq(g.got, 291);
	}
}

Test(guard, random_layouts_differ_by_seed_and_leave_no_room_for_one_more_step)
{
	struct big *b = front_smollm2(4, false);
	uint8_t first[LINEARS] = { 0 }, choice[LINEARS];
	struct front *f;
	uint64_t bytes, sum;
	double damage;

	cr_assert_eq(front_new(&f, &b->in, NULL), ST_OK);
	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t budget = front_least(f) + (front_most(f) - front_least(f)) * seed / 13;

		cr_assert(guard_layout(GUARD_RANDOM, &b->in, budget, seed, choice, &bytes));
		front_total(&b->in, choice, &sum, &damage);
		cr_assert_eq(sum, bytes);
		cr_assert_leq(bytes, budget);
		for (size_t i = 0; i < LINEARS; i++) {
			size_t c = i * FORMATS + choice[i];

			cr_assert(choice[i] + 1 == FORMATS ||
				  bytes - b->bytes[c] + b->bytes[c + 1] > budget);
		}
		cr_assert(guard_layout(GUARD_RANDOM, &b->in, budget, 1, first, &bytes));
		cr_assert_eq(!memcmp(first, choice, sizeof first), seed == 1);
	}
	front_free(f);
	xfree(b);
}
