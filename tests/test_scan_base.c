/* test_scan_base.c - a scan that stands on another view than the reference. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"

enum { LOW, HIGH, KEEP };

static const struct mat **all_in(const struct setup *s, size_t fmt)
{
	const struct mat **base = setup_view(s, NULL);

	for (size_t i = 0; i < s->m->n_linears; i++)
		base[i] = setup_mat(s, i, fmt);
	return base;
}

static const struct mat **mixed(const struct setup *s)
{
	const struct mat **base = setup_view(s, NULL);

	for (size_t i = 0; i < s->m->n_linears; i++)
		base[i] = setup_mat(s, i, (i * 5 + i / 7) % FORMATS);
	return base;
}

/* n cells of the setup's, far from each other. */
static struct scan_cell *some_cells(const struct setup *s, size_t n)
{
	size_t all;
	struct scan_cell *every = setup_cells(s, &all), *c = xarray(n, sizeof *c);

	for (size_t i = 0; i < n; i++)
		c[i] = every[i * 37 % all];
	xfree(every);
	return c;
}

static struct seen measured(
	struct scan *sc, const struct setup *s, const struct scan_cell *cells, size_t n)
{
	struct seen seen = seen_new(n);
	struct err e = { 0 };

	cr_assert_eq(
		scan_cells(sc, &s->v, cells, n, seen_done, &seen, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(seen.n, n);
	return seen;
}

/* n cells on that base, each beside whole forwards; gives what was told, xfree'd by seen.cell. */
static struct seen expect_naive(
	const struct setup *s, const struct mat *const *base, size_t n, size_t piece)
{
	struct scan_cell *cells = some_cells(s, n), got = { 0 }, want;
	struct seen seen;
	struct scan *sc;
	struct err e = { 0 };

	cr_assert_eq(scan_new_base(&sc, s->m, base, &s->t, NULL, &e), ST_OK, "%s", e.msg);
	want = naive_view(s, base, base, piece);
	scan_base(sc, &got);
	expect_cell(&got, &want);
	seen = measured(sc, s, cells, n);
	for (size_t i = 0; i < n; i++) {
		want = naive_cell(s, base, cells[i].linear, cells[i].format, piece);
		cr_assert_eq(seen.cell[i].linear, cells[i].linear, "cell %zu", i);
		cr_assert_eq(seen.cell[i].format, cells[i].format, "cell %zu", i);
		expect_cell(&seen.cell[i], &want);
	}
	scan_free(sc);
	xfree(cells);
	return seen;
}

Test(scan_base, every_cell_of_an_all_low_base_equals_a_whole_forward)
{
	struct setup s;
	const struct mat **base;
	struct scan_cell self;
	struct seen seen;
	size_t keeps = 0, better = 0, surer = 0, swapped = 0;

	setup_begin(&s, 3, 10);
	base = all_in(&s, LOW);
	self = naive_view(&s, base, base, s.t.len);
	cr_assert_gt(self.kl, 1e-2, "the base is not damaged, so nothing was tested");
	seen = expect_naive(&s, base, s.v.n * s.v.k, s.t.len);
	for (size_t i = 0; i < seen.n; i++) {
		const struct scan_cell *c = &seen.cell[i];

		if (c->format == LOW) {
			cr_assert(c->delta == 0 && c->delta_se == 0);
			cr_assert_float_eq(c->kl, self.kl, 1e-6);
			continue;
		}
		cr_assert_neq(c->delta, 0, "linear %u was not measured", (unsigned)c->linear);
		keeps += c->format == KEEP;
		better += c->delta < 0;
		surer += c->delta_se < c->se;
		swapped++;
	}
	cr_assert_eq(keeps, s.v.n);
	cr_assert_gt(better, swapped / 2, "promotions help");
	cr_assert_gt(surer, swapped / 2, "pairs share what the tokens bring");
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

Test(scan_base, a_demotion_in_an_all_high_base_equals_a_whole_forward)
{
	struct setup s;
	const struct mat **base;
	struct seen seen;

	setup_begin(&s, 4, 16);
	base = all_in(&s, HIGH);
	seen = expect_naive(&s, base, 20, s.t.len);
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

/* Batches of 16 cells of 80 rows and a rest: calls of the head begin and end within cells. */
Test(scan_base, ragged_batches_of_a_mixed_base_equal_whole_forwards)
{
	struct setup s;
	const struct mat **base;
	struct seen seen;

	setup_begin(&s, 2, 40);
	base = mixed(&s);
	seen = expect_naive(&s, base, 62, s.t.len);
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

/* 390 rows of 39: three cells a batch; kept logits lie in blocks that end within sequences. */
Test(scan_base, sequences_that_fit_no_block_of_logits_equal_whole_forwards)
{
	struct setup s;
	const struct mat **base;
	struct seen seen;

	setup_begin(&s, 10, 39);
	base = mixed(&s);
	seen = expect_naive(&s, base, 7, s.t.len);
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

Test(scan_base, a_lone_sequence_on_a_mixed_base_pairs_its_pieces)
{
	struct setup s;
	const struct mat **base;
	struct seen seen;

	setup_begin(&s, 1, 148);
	base = mixed(&s);
	seen = expect_naive(&s, base, 8, 64);
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

/* 2,304 rows: the reference's logits are computed again, once for each few cells. */
Test(scan_base, a_text_whose_logits_are_not_kept_gives_the_same_on_any_base)
{
	struct setup s;
	const struct mat **base;
	struct seen seen;

	setup_begin(&s, 48, 48);
	base = mixed(&s);
	seen = expect_naive(&s, base, 8, s.t.len);
	xfree(seen.cell);
	seen = expect_naive(&s, s.m->ref, 3, s.t.len);
	xfree(seen.cell);
	xfree(base);
	setup_end(&s);
}

Test(scan_base, the_reference_as_base_gives_deltas_that_are_the_damage_itself)
{
	struct setup s;
	struct scan_cell *cells, own = { .linear = 9, .format = 1, .kl = 1, .delta = 1 };
	const struct mat **copy;
	struct seen plain, named;
	struct scan *sc;
	size_t n;

	setup_begin(&s, 3, 12);
	cells = setup_cells(&s, &n);
	copy = setup_view(&s, NULL);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	plain = measured(sc, &s, cells, n);
	scan_base(sc, &own);
	cr_assert(own.kl == 0 && own.se == 0 && own.top1 == 1 && own.delta == 0);
	cr_assert(own.linear == 9 && own.format == 1);
	scan_free(sc);
	cr_assert_eq(scan_new_base(&sc, s.m, copy, &s.t, NULL, NULL), ST_OK);
	named = measured(sc, &s, cells, n);
	scan_free(sc);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(plain.cell[i].delta, plain.cell[i].kl);
		cr_assert_eq(plain.cell[i].delta_se, plain.cell[i].se);
		cr_assert_eq(named.cell[i].kl, plain.cell[i].kl);
		cr_assert_eq(named.cell[i].delta_se, plain.cell[i].delta_se);
	}
	xfree(plain.cell);
	xfree(named.cell);
	xfree(copy);
	xfree(cells);
	setup_end(&s);
}

Test(scan_base, cells_that_the_base_has_already_take_no_work)
{
	struct setup s;
	struct scan_cell *cells, self;
	const struct mat **base;
	struct lib_stop stop;
	struct seen seen;
	struct scan *sc;
	size_t n;

	setup_begin(&s, 2, 8);
	base = mixed(&s);
	cells = xarray(s.v.n, sizeof *cells);
	for (n = 0; n < s.v.n; n++)
		cells[n] = (struct scan_cell){ .linear = (uint32_t)n,
			.format = (uint8_t)((n * 5 + n / 7) % FORMATS) };
	cr_assert_eq(scan_new_base(&sc, s.m, base, &s.t, NULL, NULL), ST_OK);
	scan_base(sc, &self);
	seen = seen_new(n);
	lib_stop_init(&stop, 1);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, seen_done, &seen, &stop.sink, NULL), ST_OK);
	cr_assert_eq(stop.polls, 0);
	cr_assert_eq(seen.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct scan_cell *c = &seen.cell[i];

		cr_assert(c->linear == i && c->format == cells[i].format);
		cr_assert(c->kl == self.kl && c->se == self.se && c->top1 == self.top1);
		cr_assert(c->delta == 0 && c->delta_se == 0);
	}
	scan_free(sc);
	xfree(seen.cell);
	xfree(cells);
	xfree(base);
	setup_end(&s);
}

Test(scan_base, a_whole_view_is_measured_beside_the_base_from_where_it_differs)
{
	struct setup s;
	const struct mat **base, **view;
	struct scan_cell got, want;
	struct lib_stop stop;
	struct scan *sc;
	unsigned long all;

	setup_begin(&s, 3, 20);
	base = mixed(&s);
	view = all_in(&s, HIGH);
	cr_assert_eq(scan_new_base(&sc, s.m, base, &s.t, NULL, NULL), ST_OK);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_view(sc, view, &got, &stop.sink, NULL), ST_OK);
	want = naive_view(&s, base, view, s.t.len);
	expect_cell(&got, &want);
	all = stop.polls;
	memcpy(view, base, s.m->n_linears * sizeof *view);
	view[16] = setup_mat(&s, 16, LOW); /* of block 2 */
	view[27] = setup_mat(&s, 27, LOW);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_view(sc, view, &got, &stop.sink, NULL), ST_OK);
	want = naive_view(&s, base, view, s.t.len);
	cr_assert_neq(want.delta, 0);
	expect_cell(&got, &want);
	cr_assert_lt(stop.polls, all);
	lib_stop_init(&stop, 1);
	cr_assert_eq(scan_view(sc, base, &got, &stop.sink, NULL), ST_OK);
	cr_assert_eq(stop.polls, 0);
	want = naive_view(&s, base, base, s.t.len);
	expect_cell(&got, &want);
	scan_free(sc);
	xfree(view);
	xfree(base);
	setup_end(&s);
}

/* A cell that was stopped in the middle leaves no swapped linear behind. */
Test(scan_base, a_stop_ends_it_at_any_poll_and_the_scan_is_good_afterwards)
{
	struct setup s;
	struct scan_cell *cells;
	const struct mat **base;
	struct lib_stop stop;
	struct seen whole, part;
	struct scan *sc;
	struct err e;
	unsigned long polls;
	size_t n = 20;

	setup_begin(&s, 2, 8);
	base = mixed(&s);
	cells = some_cells(&s, n);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_new_base(&sc, s.m, base, &s.t, &stop.sink, &e), ST_OK);
	whole = measured(sc, &s, cells, n);
	polls = stop.polls;
	for (unsigned long at = 1; at <= polls; at += 11) {
		struct scan *none;

		lib_stop_init(&stop, at);
		cr_assert_eq(scan_new_base(&none, s.m, base, &s.t, &stop.sink, &e), ST_CANCELLED);
		cr_assert_null(none);
		cr_assert_eq(stop.polls, at, "it went on after the stop");
	}
	lib_stop_init(&stop, 0);
	part = seen_new(n);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, seen_done, &part, &stop.sink, &e), ST_OK);
	xfree(part.cell);
	polls = stop.polls;
	cr_assert_gt(polls, 100);
	for (unsigned long at = 1; at <= polls; at += 9) {
		part = seen_new(n);
		lib_stop_init(&stop, at);
		cr_assert_eq(scan_cells(sc, &s.v, cells, n, seen_done, &part, &stop.sink, &e),
			ST_CANCELLED, "poll %lu", at);
		cr_assert_eq(stop.polls, at);
		xfree(part.cell);
	}
	part = measured(sc, &s, cells, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(part.cell[i].kl, whole.cell[i].kl, "cell %zu", i);
	scan_free(sc);
	xfree(part.cell);
	xfree(whole.cell);
	xfree(cells);
	xfree(base);
	setup_end(&s);
}

Test(scan_base, every_allocation_that_fails_is_an_answer)
{
	struct setup s;
	const struct mat **base;
	struct scan *sc = NULL;
	enum st st = ST_NOMEM;
	struct err e;
	unsigned long i;

	setup_begin(&s, 48, 48); /* logits not kept: the reference's last states are */
	base = mixed(&s);
	for (i = 1; st == ST_NOMEM && i < 100; i++) {
		alloc_fail_at(i, false);
		st = scan_new_base(&sc, s.m, base, &s.t, NULL, &e);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(st, ST_OK, "%s", e.msg);
	cr_assert_gt(i, 7);
	scan_free(sc);
	xfree(base);
	setup_end(&s);
}

/* For which MATH_BF16 is too coarse. */
Test(scan_base, by_products_of_bfloat16_cells_are_far_within_their_standard_errors)
{
	struct setup s;
	struct scan_cell *cells, got, want;
	struct seen seen;
	struct scan *sc;
	struct err e = { 0 };
	size_t n, moved = 0;

	setup_begin(&s, 3, 20);
	cells = setup_cells(&s, &n);
	if (!setup_x3())
		cr_skip_test("no instructions for it here");
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	seen = measured(sc, &s, cells, n);
	setup_float();
	for (size_t i = 0; i < n; i++) {
		got = seen.cell[i];
		want = naive_cell(&s, NULL, got.linear, got.format, s.t.len);
		cr_expect(fabs(got.kl - want.kl) <= 0.01 * want.se,
			"linear %u format %d: %.9g, in float %.9g with an error of %.2g",
			(unsigned)got.linear, got.format, got.kl, want.kl, want.se);
		cr_expect(fabs(got.se - want.se) <= 0.01 * want.se);
		moved += got.kl != want.kl;
	}
	cr_expect_gt(moved, 0, "the same bits: nothing was tested");
	scan_free(sc);
	xfree(seen.cell);
	xfree(cells);
	setup_end(&s);
}
