/* test_work_dial.c - the dial: answers in the call, never over budget, pins, the way back. */
#include "tests/dial_fixture.h"

TestSuite(work_dial, .init = set_up, .fini = tear_down);

static uint64_t sum_bytes(const uint8_t *choice)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < N; i++)
		sum += bytes[i * K + choice[i]];
	return sum;
}

Test(work_dial, it_begins_in_the_middle)
{
	cr_assert_gt(last->asked_bpw, front->least_bpw);
	cr_assert_lt(last->asked_bpw, front->most_bpw);
	cr_assert_float_eq(dial_bpw(dial), last->asked_bpw, 0);
}

Test(work_dial, no_answer_is_over_budget)
{
	for (int pass = 0; pass < 2; pass++) {
		for (double bpw = 2; bpw < 9; bpw += 0.013) {
			budget(bpw);
			cr_assert_eq(last->bytes, sum_bytes(last->choice));
			cr_assert_leq(last->bytes, last->budget);
			cr_assert(bpw < front->least_bpw || last->stored_bpw <= bpw + 1e-12,
				"%.17g over %.17g", last->stored_bpw, bpw);
			cr_assert_leq(last->bound, last->kl + 1e-9);
			cr_assert_eq(last->file_bytes, last->bytes + 1000);
		}
		if (!pass)
			exact();
	}
}

Test(work_dial, every_reachable_size_is_reached_by_its_bytes)
{
	struct err e;

	for (uint64_t b = front->least; b <= front->most; b += 333) {
		cr_assert_eq(dial_bytes(dial, b, &e), ST_OK);
		read_all();
		cr_assert_eq(last->budget, b);
		cr_assert_eq(dial_bytes(dial, last->bytes, &e), ST_OK);
		read_all();
		cr_assert_eq(last->budget, last->bytes);
		cr_assert_leq(last->bytes, b);
	}
}

Test(work_dial, it_stops_at_both_ends)
{
	budget(0.5);
	cr_assert_eq(last->bytes, front->least);
	cr_assert_float_eq(last->asked_bpw, front->least_bpw, 1e-12);
	budget(400);
	cr_assert_eq(last->bytes, front->most);
	cr_assert_float_eq(last->kl, 0, 1e-12);
	cr_assert_neq(dial_budget(dial, -1, NULL), ST_OK);
	cr_assert_neq(dial_budget(dial, INFINITY, NULL), ST_OK);
	cr_assert_eq(read_all(), 0, "a refused budget moves nothing");
}

Test(work_dial, the_exact_answer_replaces_the_greedy_one_and_stays)
{
	double greedy;

	budget(4.1);
	greedy = last->kl;
	exact();
	cr_assert_leq(last->kl, greedy);
	cr_assert_float_eq(last->bound, last->kl, 1e-9);
	budget(4.4);
	cr_assert(last->exact, "from the same table");
}

Test(work_dial, the_generation_changes_with_the_choice_and_only_then)
{
	uint64_t g, h;
	double bpw;
	uint8_t choice[N];

	budget(front->least_bpw);
	cr_assert(dial_choice(dial, choice, N, &bpw, &g));
	budget(front->least_bpw + 1e-9);
	cr_assert(dial_choice(dial, NULL, N, &bpw, &h));
	cr_assert_eq(g, h);
	budget(front->most_bpw);
	cr_assert(dial_choice(dial, NULL, N, &bpw, &h));
	cr_assert_gt(h, g);
	cr_assert_not(dial_choice(dial, choice, N + 1, &bpw, &h), "another model");
}

Test(work_dial, moves_in_quick_order_are_one_step_back)
{
	double start = last->asked_bpw;
	struct err e;

	for (int i = 1; i < 20; i++)
		budget(start + i * 0.01);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK, "%s", e.msg);
	read_all();
	cr_assert_float_eq(last->asked_bpw, start, 1e-12);
	cr_assert_neq(dial_undo(dial, false, &e), ST_OK);
	cr_assert_str_eq(e.msg, "nothing to undo");
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->asked_bpw, start + 0.19, 1e-12);
	cr_assert_neq(dial_undo(dial, true, &e), ST_OK);
}

Test(work_dial, moves_with_a_rest_between_them_are_two)
{
	struct timespec rest = { 0, 750000000 };
	struct err e;

	budget(3);
	nanosleep(&rest, NULL);
	budget(5);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->asked_bpw, 3, 0);
}

Test(work_dial, a_pattern_pins_and_frees_and_undo_knows_both)
{
	struct err e;
	size_t matched;

	budget(3);
	cr_assert_eq(dial_pin(dial, "layers.*.v", 2, &matched, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(matched, 2);
	read_all();
	cr_assert_eq(last->pin[2], 2);
	cr_assert_eq(last->pin[9], 2);
	cr_assert_eq(last->pin[0], -1);
	cr_assert_eq(last->choice[2], 2);
	cr_assert_leq(last->bytes, last->budget);
	exact();
	cr_assert_eq(last->choice[9], 2);
	cr_assert_eq(dial_pin(dial, "layers.1.v", -1, &matched, &e), ST_OK);
	read_all();
	cr_assert_eq(last->pin[9], -1);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_eq(last->pin[9], 2);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_eq(last->pin[2], -1);
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_eq(last->pin[2], 2);
}

Test(work_dial, a_pin_as_it_is_now_holds_while_the_budget_moves)
{
	uint8_t was[N];
	struct err e;
	size_t matched;

	budget(4);
	memcpy(was, last->choice, N);
	cr_assert_eq(dial_pin(dial, "layers.0.*", -2, &matched, &e), ST_OK);
	cr_assert_eq(matched, 7);
	budget(400);
	for (size_t i = 0; i < 7; i++)
		cr_assert_eq(last->choice[i], was[i]);
}

Test(work_dial, a_pin_that_cannot_be_changes_nothing)
{
	struct err e;
	size_t matched;
	double at = last->asked_bpw;

	damage[3 * K + 1] = (double)NAN;
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_neq(dial_pin(dial, "layers.0.*", 1, &matched, &e), ST_OK);
	cr_assert(strstr(e.msg, "layers.0.o in int4g64"), "%s", e.msg);
	cr_assert_neq(dial_pin(dial, "no.such", 1, &matched, &e), ST_OK);
	cr_assert_eq(matched, 0);
	cr_assert_neq(dial_pin(dial, "*", K, &matched, &e), ST_OK);
	cr_assert_neq(dial_undo(dial, false, &e), ST_OK, "nothing was remembered");
	cr_assert_eq(read_all(), 0);
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK, "%s", e.msg);
	read_all();
	cr_assert_float_eq(last->asked_bpw, at, 0);
	cr_assert_eq(last->pin[0], -1);
}

Test(work_dial, a_measured_layout_is_a_point_and_marks_the_answer)
{
	uint8_t choice[N];
	uint64_t b;
	double kl, e;

	budget(4);
	cr_assert(isnan(last->measured_kl));
	cr_assert(dial_answered(dial, choice, N, &b, &kl, &e));
	cr_assert_eq(b, last->bytes);
	measured(choice, b, 0.5, 0.01, "measured");
	read_all();
	cr_assert_float_eq(last->measured_kl, 0.5, 0);
	cr_assert_eq(front->n_points, 1);
	cr_assert_eq(front->point[0].bytes, b);
	cr_assert_str_eq(front->point[0].what, "measured");
	measured(choice, b, 0.4, 0.01, "measured");
	read_all();
	cr_assert_eq(front->n_points, 1, "again: the newer counts");
	cr_assert_float_eq(front->point[0].kl, 0.4, 0);
	budget(400);
	cr_assert(isnan(last->measured_kl));
	budget(4);
	cr_assert_float_eq(last->measured_kl, 0.4, 0);
	for (int i = 0; i < 80; i++) {
		for (int k = 0, v = i; k < 4; k++, v /= K) /* each another one */
			choice[k] = (uint8_t)(v % K);
		measured(choice, (uint64_t)i, i, 0, "random");
	}
	read_all();
	cr_assert_gt(front->n_points, 64);
	budget(400);
	budget(4);
	cr_assert_not(isnan(last->measured_kl), "eighty others do not push it out");
}

Test(work_dial, a_layout_from_a_file_stays_until_the_dial_moves)
{
	uint8_t choice[N], was[N];
	struct err e;
	double sum = 0;

	memcpy(was, last->choice, N);
	for (size_t i = 0; i < N; i++) {
		choice[i] = (uint8_t)(i % K);
		sum += damage[i * K + choice[i]];
	}
	dial_choose(dial, choice, 0.25, 0.01);
	cr_assert_eq(read_all(), 1);
	cr_assert_arr_eq(last->choice, choice, N);
	cr_assert_float_eq(last->kl, 0.25, 0);
	cr_assert_not(dial_wants_exact(dial));
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, choice, N, "new damages do not move it");
	dial_choose(dial, choice, (double)NAN, (double)NAN);
	read_all();
	cr_assert_float_eq(last->kl, sum, 1e-9, "predicted from what is known");
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, was, N);
	cr_assert_eq(dial_undo(dial, true, &e), ST_OK);
	read_all();
	cr_assert_arr_eq(last->choice, choice, N);
	budget(last->asked_bpw);
	cr_assert(memcmp(last->choice, choice, N) != 0, "solved again");
	cr_assert_leq(last->bytes, last->budget);
}

Test(work_dial, another_model_forgets_pins_and_points_but_not_the_budget)
{
	struct snap_model *m;
	struct err e;
	size_t matched;
	double bpw;
	uint64_t g;

	budget(4.2);
	cr_assert_eq(dial_pin(dial, "*", 0, &matched, &e), ST_OK);
	read_all();
	cr_assert_eq(last->bytes, front->least);
	m = model(2);
	dial_model(dial, m);
	snap_unref(&m->snap);
	cr_assert_not(dial_choice(dial, NULL, N, &bpw, &g));
	cr_assert_neq(dial_pin(dial, "*", 0, &matched, &e), ST_OK);
	cr_assert_eq(dial_budget(dial, 4.3, &e), ST_OK, "where it will stand");
	cr_assert_eq(read_all(), 0);
	cr_assert_eq(dial_damage(dial, damage, se, false, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->asked_bpw, 4.3, 0);
	cr_assert_eq(last->pin[0], -1);
	cr_assert_not(last->in_nats);
	cr_assert_neq(dial_undo(dial, false, &e), ST_OK);
}

Test(work_dial, a_guard_is_made_of_formats_and_never_of_mixes)
{
	struct snap_model *m = model(1);
	uint8_t choice[N];
	struct err e;

	cr_assert_eq(format_parse(&m->format[1], "int4g64:1+int2g64", &e), ST_OK, "%s", e.msg);
	dial_model(dial, m);
	snap_unref(&m->snap);
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(dial_budget(dial, 6, &e), ST_OK, "%s", e.msg);
	for (int g = 0; g < GUARDS; g++) {
		cr_assert(dial_guard(dial, (enum guard)g, 1, choice, N), "%s", guard_name[g]);
		for (size_t i = 0; i < N; i++)
			cr_assert_neq(choice[i], 1, "%s takes a mix", guard_name[g]);
	}
	read_all();
}
