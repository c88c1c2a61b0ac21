/* test_work_rules.c - floors, ties and their price; the mark. */
#include "tests/dial_fixture.h"

TestSuite(work_rules, .init = set_up, .fini = tear_down);

/* ---- floors */

Test(work_rules, a_floor_holds_at_every_budget_and_undo_knows_it)
{
	struct err e;
	size_t matched;

	cr_assert_eq(dial_floor(dial, "layers.*.v", 1, &matched, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(matched, 2);
	read_all();
	cr_assert_eq(last->floor[2], 1);
	cr_assert_eq(last->floor[9], 1);
	cr_assert_eq(last->floor[0], 0);
	for (double bpw = 2; bpw < 9; bpw += 0.1) {
		budget(bpw);
		cr_assert_geq(last->choice[2], 1);
		cr_assert_geq(last->choice[9], 1);
	}
	exact();
	cr_assert_eq(last->choice[9], 2, "above its floor where bytes allow");
	cr_assert_eq(dial_floor(dial, "layers.1.v", 0, &matched, &e), ST_OK);
	read_all();
	budget(0.1);
	cr_assert_eq(last->choice[9], 0);
	cr_assert_eq(last->choice[2], 1);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_eq(last->floor[9], 1);
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_eq(last->floor[9], 0);
}

Test(work_rules, a_pin_comes_before_a_floor)
{
	struct err e;
	size_t matched;

	cr_assert_eq(dial_floor(dial, "*", 2, &matched, &e), ST_OK);
	cr_assert_eq(dial_pin(dial, "layers.0.q", 0, &matched, &e), ST_OK);
	read_all();
	cr_assert_eq(last->choice[0], 0);
	cr_assert_eq(last->choice[1], 2);
}

Test(work_rules, a_floor_that_cannot_be_changes_nothing)
{
	struct err e;
	size_t matched;

	damage[3 * K + 2] = (double)NAN;
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_neq(dial_floor(dial, "layers.0.*", 2, &matched, &e), ST_OK);
	cr_assert(strstr(e.msg, "no format would be left for layers.0.o"), "%s", e.msg);
	cr_assert_neq(dial_floor(dial, "no.such", 1, &matched, &e), ST_OK);
	cr_assert_neq(dial_floor(dial, "*", K, &matched, &e), ST_OK);
	cr_assert_neq(dial_floor(dial, "*", -1, &matched, &e), ST_OK);
	cr_assert_neq(dial_undo(dial, false, &e), ST_OK, "nothing was remembered");
	cr_assert_eq(read_all(), 0);
}

/* ---- ties */

static size_t tie(const char *what)
{
	struct err e = { 0 };
	size_t units;

	cr_assert_eq(dial_tie(dial, what, &units, &e), ST_OK, "%s: %s", what, e.msg);
	cr_assert_eq(read_all(), 1);
	return units;
}

Test(work_rules, tied_linears_move_together_at_every_budget)
{
	cr_assert_eq(tie("qkv"), N - 4);
	cr_assert_eq(tie("gateup"), N - 6);
	cr_assert_not_null(last->tie);
	for (int pass = 0; pass < 2; pass++) {
		for (double bpw = 2; bpw < 9; bpw += 0.1) {
			budget(bpw);
			for (size_t b = 0; b < N; b += 7) {
				cr_assert_eq(last->choice[b], last->choice[b + 1]);
				cr_assert_eq(last->choice[b], last->choice[b + 2]);
				cr_assert_eq(last->choice[b + 4], last->choice[b + 5]);
			}
		}
		if (!pass)
			exact();
	}
	cr_assert_eq(tie("off"), N);
	cr_assert_null(last->tie);
}

Test(work_rules, a_pattern_ties_what_it_names_and_joins_what_was_tied)
{
	struct err e;
	size_t units;

	cr_assert_eq(tie("layers.*.down"), N - 1);
	cr_assert_eq(last->tie[6], last->tie[13]);
	cr_assert_neq(last->tie[5], last->tie[6]);
	tie("layers.0.*");
	for (size_t i = 0; i < 7; i++)
		cr_assert_eq(last->tie[i], last->tie[13]);
	cr_assert_neq(last->tie[12], last->tie[13]);
	cr_assert_neq(dial_tie(dial, "layers.1.v", &units, &e), ST_OK);
	cr_assert(strstr(e.msg, "names one linear"), "%s", e.msg);
	cr_assert_neq(dial_tie(dial, "no.such", &units, &e), ST_OK);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_neq(last->tie[0], last->tie[13]);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_null(last->tie);
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_eq(last->tie[6], last->tie[13]);
}

Test(work_rules, a_pin_holds_for_all_that_are_tied_and_two_pins_do_not_tie)
{
	struct err e;
	size_t n;

	tie("qkv");
	cr_assert_eq(dial_pin(dial, "layers.0.k", 1, &n, &e), ST_OK);
	read_all();
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(last->choice[i], 1);
	cr_assert_neq(dial_pin(dial, "layers.0.v", 2, &n, &e), ST_OK);
	cr_assert(strstr(e.msg, "pinned to different formats"), "%s", e.msg);
	tie("off");
	cr_assert_eq(dial_pin(dial, "layers.0.v", 2, &n, &e), ST_OK);
	cr_assert_neq(dial_tie(dial, "qkv", &n, &e), ST_OK);
	cr_assert(strstr(e.msg, "layers.0.q and layers.0.v would be tied"), "%s", e.msg);
}

/* ---- prices */

static struct dial_price price(const char *pattern, unsigned which)
{
	struct dial_price p;
	struct err e = { 0 };

	cr_assert_eq(dial_price(dial, pattern, which, &p, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(read_all(), 0, "asking the price moves nothing");
	cr_assert_float_eq(p.with, last->kl, 0);
	cr_assert_geq(p.with, p.without);
	return p;
}

Test(work_rules, the_price_is_the_damage_with_less_that_without_at_the_same_bytes)
{
	struct dial_price p;
	struct err e;
	size_t n;
	double with, without;
	uint64_t used;

	budget(4);
	cr_assert(isnan(last->rules_kl));
	cr_assert_null(last->price);
	cr_assert_eq(price(NULL, PRICE_ALL).rules, 0);
	cr_assert_eq(dial_pin(dial, "layers.0.*", 0, &n, &e), ST_OK);
	read_all();
	with = last->kl;
	used = last->bytes;
	p = price("layers.0.*", PRICE_PINS);
	cr_assert_eq(p.rules, 7);
	cr_assert_float_eq(last->rules_kl, p.with - p.without, 1e-12, "the snapshot's, too");
	cr_assert_eq(price("layers.1.*", PRICE_PINS).rules, 0);
	cr_assert_eq(price(NULL, PRICE_FLOORS).rules, 0);
	cr_assert_eq(dial_pin(dial, "*", -1, &n, &e), ST_OK);
	cr_assert_eq(dial_bytes(dial, used, &e), ST_OK);
	read_all();
	without = last->kl;
	cr_assert_gt(with, without);
	cr_assert_float_eq(p.with - p.without, with - without, 1e-12);
}

Test(work_rules, what_a_rule_is_said_to_cost_stands_when_the_exact_answer_comes)
{
	struct dial_price p;
	struct err e;
	size_t n;

	for (double bpw = 2.8; bpw < 7; bpw += 0.37) {
		budget(bpw);
		cr_assert_eq(dial_pin(dial, "layers.0.gate", 0, &n, &e), ST_OK);
		read_all();
		p = price("layers.0.gate", PRICE_PINS);
		exact();
		cr_expect_float_eq(last->rules_kl, p.with - p.without, 1e-12, "%g bpw", bpw);
		cr_expect_float_eq(last->price[4], last->rules_kl,
			1e-6 * (1 + last->rules_kl), "the only rule: %g, %g",
			(double)last->price[4], last->rules_kl);
		cr_assert_eq(dial_pin(dial, "layers.0.gate", -1, &n, &e), ST_OK);
		read_all();
	}
}

Test(work_rules, freeing_counts_what_had_a_rule)
{
	struct err e;
	size_t n;

	budget(4);
	cr_assert_eq(dial_pin(dial, "layers.0.*", -1, &n, &e), ST_OK);
	cr_assert_eq(n, 0);
	cr_assert_eq(dial_pin(dial, "layers.0.q", 0, &n, &e), ST_OK);
	cr_assert_eq(n, 1);
	cr_assert_eq(dial_pin(dial, "*", -1, &n, &e), ST_OK);
	cr_assert_eq(n, 1, "%zu freed", n);
	cr_assert_eq(dial_floor(dial, "layers.1.*", 1, &n, &e), ST_OK);
	cr_assert_eq(n, 7);
	cr_assert_eq(dial_floor(dial, "*", 0, &n, &e), ST_OK);
	cr_assert_eq(n, 7, "%zu floors", n);
	cr_assert_eq(dial_floor(dial, "*", 0, &n, &e), ST_OK);
	cr_assert_eq(n, 0);
	read_all();
}

Test(work_rules, from_the_mark_is_of_measured_ones_where_both_are)
{
	bool marked, of_measured;
	struct err e;

	budget(3);
	measured(last->choice, last->bytes, 0.9, 0.01, "measured");
	cr_assert_eq(dial_mark(dial, MARK_HERE, &marked, &e), ST_OK);
	budget(5);
	cr_expect_float_eq(snap_from_mark(last, &of_measured), last->kl - last->a_kl, 1e-12);
	cr_expect_not(of_measured);
	measured(last->choice, last->bytes, 0.2, 0.01, "measured");
	read_all();
	cr_expect_float_eq(snap_from_mark(last, &of_measured), 0.2 - 0.9, 1e-12);
	cr_expect(of_measured);
}

Test(work_rules, each_pin_and_floor_has_its_own_price)
{
	struct err e;
	size_t n;

	budget(4);
	cr_assert_eq(dial_floor(dial, "layers.1.down", 1, &n, &e), ST_OK);
	cr_assert_eq(dial_pin(dial, "layers.0.q", 0, &n, &e), ST_OK);
	cr_assert_eq(dial_pin(dial, "layers.0.k", 2, &n, &e), ST_OK);
	read_all();
	cr_assert_not_null(last->price);
	cr_assert(isnan(last->price[2]), "layers.0.v has no rule");
	cr_assert_geq(last->price[0], 0);
	cr_assert_geq(last->price[1], 0);
	cr_assert_geq(last->price[13], 0);
	budget(400);
	cr_assert_gt(last->price[0], 0);
	cr_assert_leq(last->price[0], damage[0] * (1 + 1e-6), "bytes are saved for it");
	cr_assert_float_eq(last->price[13], 0, 0, "above its floor");
	cr_assert_gt(last->rules_kl, 0);
	cr_assert_leq(last->rules_kl, damage[0] + 1e-9);
	cr_assert_eq(price(NULL, PRICE_ALL).rules, 3);
}

Test(work_rules, ties_have_a_price_and_a_layout_from_a_file_has_none)
{
	uint8_t choice[N] = { 0 };
	double dearest = 0;
	struct dial_price p;
	struct err e;

	tie("layers.*.*");
	cr_assert_eq(price(NULL, PRICE_TIES).rules, N);
	tie("off");
	tie("qkv");
	for (double bpw = 2.6; bpw < 8; bpw += 0.1) {
		budget(bpw);
		p = price(NULL, PRICE_TIES);
		cr_assert_eq(p.rules, 6);
		dearest = p.with - p.without > dearest ? p.with - p.without : dearest;
	}
	cr_assert_gt(dearest, 1);
	tie("layers.*.*");
	cr_assert_eq(price("layers.0.q", PRICE_TIES).rules, N, "one of a tie unties it");
	dial_choose(dial, choice, 0.1, 0.01);
	read_all();
	cr_assert(isnan(last->rules_kl));
	cr_assert_neq(dial_price(dial, NULL, PRICE_ALL, &p, &e), ST_OK);
	cr_assert(strstr(e.msg, "turn the dial first"), "%s", e.msg);
}

/* ---- the mark */

static bool mark(enum dial_mark_verb verb)
{
	struct err e = { 0 };
	bool marked;

	cr_assert_eq(dial_mark(dial, verb, &marked, &e), ST_OK, "%s", e.msg);
	read_all();
	cr_assert_eq(last->has_a, marked);
	return marked;
}

Test(work_rules, the_mark_stays_where_it_was_put_and_the_dial_comes_back_to_it)
{
	uint8_t was[N];
	struct err e;
	uint64_t at, g, h;
	double kl, bpw;

	cr_assert_neq(dial_to_mark(dial, &e), ST_OK);
	cr_assert(strstr(e.msg, "no mark A"), "%s", e.msg);
	budget(4);
	memcpy(was, last->choice, N);
	at = last->bytes;
	kl = last->kl;
	cr_assert(dial_choice(dial, NULL, N, &bpw, &g));
	cr_assert(mark(MARK_TOGGLE));
	cr_assert(dial_choice(dial, NULL, N, &bpw, &h));
	cr_assert_eq(g, h, "marking is no other layout");
	budget(6);
	cr_assert(last->has_a);
	cr_assert_arr_eq(last->a_choice, was, N);
	cr_assert_eq(last->a_bytes, at);
	cr_assert_float_eq(last->a_kl, kl, 1e-9);
	cr_assert_eq(dial_to_mark(dial, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, was, N);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->asked_bpw, 6, 0);
}

Test(work_rules, the_mark_goes_when_it_is_put_where_it_is_and_undo_knows_it)
{
	struct err e;
	bool marked;

	cr_assert_neq(dial_mark(dial, MARK_OFF, &marked, &e), ST_OK);
	budget(4);
	cr_assert(mark(MARK_TOGGLE));
	cr_assert_not(mark(MARK_TOGGLE));
	cr_assert(mark(MARK_TOGGLE));
	budget(6);
	cr_assert(mark(MARK_TOGGLE), "elsewhere it moves");
	cr_assert_eq(last->a_bytes, last->bytes);
	cr_assert_not(mark(MARK_OFF));
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert(last->has_a);
	cr_assert_eq(last->a_bytes, last->bytes);
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_not(last->has_a);
}

Test(work_rules, a_marked_layout_from_a_file_comes_back_as_it_was)
{
	uint8_t choice[N];
	struct err e;

	for (size_t i = 0; i < N; i++)
		choice[i] = (uint8_t)(i % K);
	dial_choose(dial, choice, (double)NAN, (double)NAN);
	read_all();
	mark(MARK_HERE);
	budget(3);
	cr_assert(memcmp(last->choice, choice, N));
	cr_assert_eq(dial_to_mark(dial, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, choice, N);
}

Test(work_rules, another_model_forgets_rules_mark_and_speed)
{
	struct dial_reached r;
	struct snap_model *m;
	struct err e;
	size_t n;

	tie("qkv");
	cr_assert_eq(dial_floor(dial, "*", 1, &n, &e), ST_OK);
	mark(MARK_HERE);
	dial_speed(dial, 4, 50);
	m = model(2);
	dial_model(dial, m);
	snap_unref(&m->snap);
	cr_assert_neq(dial_tie(dial, "qkv", &n, &e), ST_OK);
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_null(last->tie);
	cr_assert_eq(last->floor[0], 0);
	cr_assert_not(last->has_a);
	cr_assert_neq(dial_ask(dial, &(struct ask){ ASK_SPEED, 50 }, &r, &e), ST_OK);
}
