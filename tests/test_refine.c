/* test_refine.c - exchanges of bits about a layout, judged by measured KL: on the demo model. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/work/desk.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

static struct err e;
static struct desk *d;
static size_t n, k;
static uint64_t *bytes;
static double *damage, *se;
static struct front_input in;

static void set_up(void)
{
	const char *source;

	work_home();
	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	n = d->set.n;
	k = d->set.k;
	bytes = xarray(n * k, sizeof *bytes);
	damage = xarray(n * k, sizeof *damage);
	se = xarray(n * k, sizeof *se);
	cr_assert(desk_damage(d, damage, se, &source));
	desk_front_input(d, &in, bytes, damage, se);
}

static void tear_down(void)
{
	desk_close(d);
	xfree(bytes);
	xfree(damage);
	xfree(se);
}

static uint64_t bytes_of(const uint8_t *choice)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bytes[i * k + choice[i]];
	return sum;
}

/* KL of a layout on the measuring text, by eval alone. */
static double kl_of(const uint8_t *choice)
{
	const struct mat **view = xarray(n, sizeof *view);
	struct token_text t = { 0 };
	struct eval_result r;

	cr_assert_eq(desk_measure_text(d, DESK_MEASURE_TOKENS, &t, NULL, &e), ST_OK);
	cr_assert_eq(desk_view(d, choice, view, NULL, &e), ST_OK);
	cr_assert_eq(eval_run(&r, d->m, view, t.id, t.n_seq * t.len, t.len, NULL, &e), ST_OK, "%s",
		e.msg);
	token_text_release(&t);
	xfree(view);
	return r.kl;
}

/* Lowest formats everywhere but in the linears that matter least: a layout with much to gain. */
static void bad_layout(uint8_t *choice)
{
	for (size_t i = 0; i < n; i++)
		choice[i] = 0;
	for (size_t up = 0; up < n / 2; up++) {
		size_t least = n;

		for (size_t i = 0; i < n; i++)
			if (!choice[i] && (least == n || damage[i * k] < damage[least * k]))
				least = i;
		choice[least] = 1;
	}
}

TestSuite(refine, .init = set_up, .fini = tear_down, .timeout = 100);

Test(refine, a_bad_layout_becomes_better_on_text_it_never_saw_at_no_more_bytes)
{
	uint8_t choice[64], start[64];
	struct desk_refined r;
	uint64_t budget;

	bad_layout(choice);
	memcpy(start, choice, n);
	budget = bytes_of(choice);
	cr_assert_eq(desk_refine(d, choice, budget, NULL, &r, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_gt(r.r.moves, 0);
	cr_assert_gt(r.r.gain, 0);
	cr_assert_float_eq(r.r.gain, r.r.from - r.r.to, 1e-9);
	cr_assert_leq(bytes_of(choice), budget);
	cr_assert_float_eq(r.kl_from, kl_of(start), 1e-12);
	cr_assert_float_eq(r.kl_to, kl_of(choice), 1e-12);
	cr_assert_lt(r.kl_to, 0.9 * r.kl_from, "%g of %g", r.kl_to, r.kl_from);
	cr_assert_not_null(desk_point_of(d, choice), "it is kept");
}

Test(refine, pinned_linears_stay_and_floors_hold)
{
	uint8_t choice[64], start[64];
	int8_t pin[64], floor[64] = { 0 };
	struct front_input rules = { .pin = pin, .floor = floor };
	struct desk_refined r;

	bad_layout(choice);
	memcpy(start, choice, n);
	for (size_t i = 0; i < n; i++) {
		pin[i] = i % 3 ? -1 : (int8_t)choice[i];
		floor[i] = choice[i] ? 1 : 0;
	}
	cr_assert_eq(
		desk_refine(d, choice, bytes_of(choice), &rules, &r, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		if (!(i % 3))
			cr_assert_eq(choice[i], start[i]);
		cr_assert_geq(choice[i], floor[i]);
	}
}

Test(refine, a_layout_above_its_budget_is_refused_and_a_stop_leaves_it_as_it_was)
{
	uint8_t choice[64], start[64];
	struct lib_stop stop;
	struct desk_refined r;

	lib_stop_init(&stop, 40);
	bad_layout(choice);
	memcpy(start, choice, n);
	cr_assert_eq(desk_refine(d, choice, bytes_of(choice) - 1, NULL, &r, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "above its budget"), "%s", e.msg);
	cr_assert_eq(
		desk_refine(d, choice, bytes_of(choice), NULL, &r, &stop.sink, &e), ST_CANCELLED);
	cr_assert_arr_eq(choice, start, n);
}

Test(refine, the_only_layout_there_is_has_nothing_to_move)
{
	uint8_t choice[64] = { 0 };
	struct desk_refined r;

	cr_assert_eq(desk_refine(d, choice, bytes_of(choice), NULL, &r, NULL, &e), ST_OK);
	cr_assert_eq(r.r.moves, 0);
	cr_assert_eq(r.r.judged, 0);
	cr_assert_gt(r.kl_from, 0);
	cr_assert_not(r.exact);
}

Test(refine, a_layout_that_is_the_file_itself_is_not_worked_on)
{
	uint8_t choice[64];
	struct desk_refined r;
	struct lib_stop stop;

	for (size_t i = 0; i < n; i++)
		choice[i] = (uint8_t)d->keep;
	lib_stop_init(&stop, 1); /* nothing is made or measured for it */
	cr_assert_eq(desk_refine(d, choice, bytes_of(choice), NULL, &r, &stop.sink, &e), ST_OK,
		"%s", e.msg);
	cr_assert(r.exact);
	cr_assert_eq(r.r.moves, 0);
	cr_assert_eq(r.kl_from, 0);
	cr_assert_eq(desk_refine(d, choice, bytes_of(choice) - 1, NULL, &r, NULL, &e), ST_INVALID);
}
