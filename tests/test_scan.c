/* test_scan.c - what a scan measures is what the whole model would have shown. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"

static void on_nothing(void *arg, const struct scan_cell *c)
{
	(void)arg;
	(void)c;
}

Test(scan, every_cell_equals_a_whole_forward_with_that_linear_swapped)
{
	struct setup s;
	struct scan_cell *cells;
	struct seen seen;
	struct scan *sc;
	struct err e = { 0 };
	double most = 0;
	size_t n;

	setup_begin(&s, 3, 10);
	cells = setup_cells(&s, &n);
	seen = seen_new(n);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(
		scan_cells(sc, &s.v, cells, n, seen_done, &seen, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(seen.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct scan_cell *got = &seen.cell[i];
		struct scan_cell want = naive_cell(&s, NULL, got->linear, got->format, s.t.len);

		expect_cell(got, &want);
		most = got->kl > most ? got->kl : most;
		if (got->format == 2)
			cr_assert(got->kl == 0 && got->se == 0 && got->top1 == 1);
	}
	cr_assert_gt(most, 1e-3, "nothing was damaged, so nothing was tested");
	scan_free(sc);
	xfree(seen.cell);
	xfree(cells);
	setup_end(&s);
}

/* 1,440 rows: more than a batch. */
Test(scan, a_text_of_many_rows_is_taken_in_turns)
{
	static const struct scan_cell cells[] = { { .linear = 27 }, { .linear = 16, .format = 1 } };
	struct setup s;
	struct seen seen = seen_new(2);
	struct scan *sc;
	struct err e = { 0 };

	setup_begin(&s, 30, 48);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scan_cells(sc, &s.v, cells, 2, seen_done, &seen, NULL, &e), ST_OK);
	for (size_t i = 0; i < 2; i++) {
		struct scan_cell want =
			naive_cell(&s, NULL, cells[i].linear, cells[i].format, s.t.len);

		cr_assert_eq(seen.cell[i].linear, cells[i].linear);
		expect_cell(&seen.cell[i], &want);
	}
	scan_free(sc);
	xfree(seen.cell);
	setup_end(&s);
}

Test(scan, a_whole_view_is_measured_against_the_reference)
{
	struct setup s;
	const struct mat **view;
	struct scan_cell got, want;
	struct scan *sc;

	setup_begin(&s, 4, 20);
	view = xarray(s.m->n_linears, sizeof *view);
	for (size_t i = 0; i < s.m->n_linears; i++)
		view[i] = &variant_at(&s.v, i, i % 2)->mat;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_view(sc, view, &got, NULL, NULL), ST_OK);
	want = naive_view(&s, NULL, view, s.t.len);
	expect_cell(&got, &want);
	cr_assert_eq(scan_view(sc, s.m->ref, &got, NULL, NULL), ST_OK);
	cr_assert_float_eq(got.kl, 0, 1e-9);
	cr_assert_eq(got.top1, 1);
	scan_free(sc);
	xfree(view);
	setup_end(&s);
}

/* Pieces of 64 tokens, the last one of 20; of 8 where there are no two of 64. */
Test(scan, a_lone_sequence_gives_a_standard_error_over_its_pieces)
{
	static const size_t len[] = { 148, 64 }, piece[] = { 64, 8 };
	const struct scan_cell one = { .linear = 3 };
	struct setup s;

	setup_begin(&s, 1, 1);
	for (size_t i = 0; i < 2; i++) {
		struct seen seen = seen_new(1);
		struct scan_cell want;
		struct scan *sc;

		setup_text(&s, 1, len[i]);
		want = naive_cell(&s, NULL, one.linear, one.format, piece[i]);
		cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
		cr_assert_eq(scan_cells(sc, &s.v, &one, 1, seen_done, &seen, NULL, NULL), ST_OK);
		expect_cell(&seen.cell[0], &want);
		cr_assert_gt(want.se, 1e-5);
		scan_free(sc);
		xfree(seen.cell);
	}
	setup_end(&s);
}

Test(scan, cells_are_reported_in_the_order_given_and_a_resumed_scan_goes_on_from_there)
{
	struct setup s;
	struct scan_cell *cells;
	struct seen whole, parts;
	struct scan *sc;
	size_t n;

	setup_begin(&s, 2, 8); /* 24 cells a batch */
	cells = setup_cells(&s, &n);
	for (size_t i = 0; i < n; i++) { /* blocks in no order at all */
		size_t j = i * 37 % n;
		struct scan_cell c = cells[i];

		cells[i] = cells[j];
		cells[j] = c;
	}
	whole = seen_new(n);
	parts = seen_new(n);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, seen_done, &whole, NULL, NULL), ST_OK);
	scan_free(sc);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, cells, 31, seen_done, &parts, NULL, NULL), ST_OK);
	cr_assert_eq(parts.n, 31);
	cr_assert_eq(
		scan_cells(sc, &s.v, cells + 31, n - 31, seen_done, &parts, NULL, NULL), ST_OK);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(whole.cell[i].linear, cells[i].linear, "cell %zu", i);
		cr_assert_eq(whole.cell[i].format, cells[i].format, "cell %zu", i);
		cr_assert_eq(parts.cell[i].linear, cells[i].linear, "cell %zu", i);
		cr_assert_eq(parts.cell[i].format, cells[i].format, "cell %zu", i);
		cr_assert_float_eq(parts.cell[i].kl, whole.cell[i].kl, 1e-9);
	}
	scan_free(sc);
	xfree(whole.cell);
	xfree(parts.cell);
	xfree(cells);
	setup_end(&s);
}

Test(scan, a_stop_ends_it_at_any_poll_and_no_cell_is_told_twice)
{
	struct setup s;
	struct scan_cell *cells;
	struct lib_stop stop;
	struct scan *sc;
	struct err e;
	unsigned long polls;
	size_t n;

	setup_begin(&s, 2, 8);
	cells = setup_cells(&s, &n);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, &stop.sink, &e), ST_OK);
	scan_free(sc);
	polls = stop.polls;
	cr_assert_gt(polls, 4 * 7);
	for (unsigned long at = 1; at <= polls; at += 13) {
		lib_stop_init(&stop, at);
		cr_assert_eq(scan_new(&sc, s.m, &s.t, &stop.sink, &e), ST_CANCELLED);
		cr_assert_null(sc);
		cr_assert_eq(stop.polls, at, "it went on after the stop");
	}
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, on_nothing, NULL, &stop.sink, &e), ST_OK);
	polls = stop.polls;
	for (unsigned long at = 1; at < polls; at += polls / 6) {
		struct seen seen = seen_new(n);

		lib_stop_init(&stop, at);
		cr_assert_eq(scan_cells(sc, &s.v, cells, n, seen_done, &seen, &stop.sink, &e),
			ST_CANCELLED, "poll %lu", at);
		cr_assert_eq(stop.polls, at);
		cr_assert_lt(seen.n, n);
		for (size_t i = 0; i < seen.n; i++)
			for (size_t j = 0; j < i; j++)
				cr_assert(seen.cell[i].linear != seen.cell[j].linear ||
					  seen.cell[i].format != seen.cell[j].format);
		xfree(seen.cell);
	}
	scan_free(sc);
	xfree(cells);
	setup_end(&s);
}

Test(scan, what_cannot_be_scanned_is_refused_by_name)
{
	const struct scan_cell cell = { .linear = 4, .format = 1 }, far = { .linear = 400 };
	struct setup s;
	struct seen seen = seen_new(1);
	struct token_text none = { 0 }, huge = { .n_seq = (size_t)1 << 34, .len = 64 };
	struct scan *sc;
	struct err e;

	setup_begin(&s, 2, 8);
	cr_assert_eq(scan_new(&sc, s.m, &none, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "has no tokens"), "%s", e.msg);
	cr_assert_eq(scan_new(&sc, s.m, &huge, NULL, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "keeps 5 hidden states of 64 values"), "%s", e.msg);
	s.t.id[3] = 100000;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_INVALID);
	s.t.id[3] = 3;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, &far, 1, seen_done, &seen, NULL, &e), ST_INVALID);
	variant_release(variant_at(&s.v, 4, 1));
	cr_assert_eq(scan_cells(sc, &s.v, &cell, 1, seen_done, &seen, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "layers.0.gate has no variant in int4g128"), "%s", e.msg);
	cr_assert_eq(seen.n, 0);
	scan_free(sc);
	xfree(seen.cell);
	setup_end(&s);
}

Test(scan, every_allocation_that_fails_is_an_answer)
{
	struct setup s;
	struct scan *sc = NULL;
	struct moments mo;
	enum st st = ST_NOMEM;
	struct err e;
	unsigned long i;

	setup_begin(&s, 2, 8);
	for (i = 1; st == ST_NOMEM && i < 100; i++) {
		alloc_fail_at(i, false);
		st = scan_new(&sc, s.m, &s.t, NULL, &e);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(st, ST_OK);
	cr_assert_gt(i, 4);
	scan_free(sc);
	st = ST_NOMEM;
	for (i = 1; st == ST_NOMEM && i < 100; i++) {
		alloc_fail_at(i, false);
		st = moments_gather(&mo, s.m, &s.t, NULL, &e);
		cr_assert(!st || !mo.h);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(st, ST_OK);
	cr_assert_gt(i, 16);
	moments_free(&mo);
	setup_end(&s);
}
