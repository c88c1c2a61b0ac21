/* test_texts.c - a desk and a session on several texts: one scan, weighted means, what is kept. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/eval/eval.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"
#include "tests/lib_work.h"

static const char formats[] = "int2g64,int4g64,keep";
static int measured;

static void count(void *arg, const struct scan_cell *c, const char *stage)
{
	(void)arg, (void)c, (void)stage;
	measured++;
}

static struct desk *open_with(const char *const *word, size_t n, enum stage last)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct sources s = work_sources(word, n);
	struct err e = { 0 };

	d->measured = count;
	measured = 0;
	cr_assert_eq(desk_set_sources(d, &s, 0, NULL, &e), ST_OK, "%s", e.msg);
	sources_release(&s);
	cr_assert_eq(desk_prepare(d, last, NULL, &e), ST_OK, "%s", e.msg);
	return d;
}

static void home(void)
{
	work_home();
}

TestSuite(mixed, .init = home);

/* Data-free variants, so that the same ones are measured under any text. */
Test(mixed, the_cells_of_a_text_alone_are_its_part_of_the_mix)
{
	const char *a = work_file("a.txt", 20000), *b = work_file("b.txt", 9000);
	char *wa = xprintf("%s=0.6", a), *wb = xprintf("%s=0.3", b);
	const char *const all[] = { wa, wb, "self=0.1" };
	struct desk *mix, *alone[3];

	alone[0] = open_with(&a, 1, STAGE_FAST);
	alone[1] = open_with(&b, 1, STAGE_FAST);
	alone[2] = open_with(all + 2, 1, STAGE_FAST);
	setenv("XDG_CACHE_HOME", tmp_path("another"), 1);
	mix = open_with(all, 3, STAGE_FAST);
	cr_assert_gt(measured, 40);
	for (size_t i = 0; i < mix->set.n * mix->set.k; i++) {
		static const double w[3] = { 0.6, 0.3, 0.1 };
		double mean = 0, var = 0;

		if (i % mix->set.k == mix->keep)
			continue;
		for (size_t s = 0; s < 3; s++) {
			const struct map_cell *c = &alone[s]->cell[i];

			cr_assert_str_eq(mix->source[s].hash, alone[s]->text_hash);
			cr_assert_float_eq(mix->source[s].cell[i].value, c->value, 1e-6);
			cr_assert_float_eq(mix->source[s].cell[i].se, c->se, 1e-6);
			cr_assert_eq(mix->source[s].cell[i].tokens, c->tokens);
			mean += w[s] * (double)c->value;
			var += w[s] * w[s] * (double)c->se * (double)c->se;
		}
		cr_assert_float_eq(mix->cell[i].value, mean, 1e-6);
		cr_assert_float_eq(mix->cell[i].se, sqrt(var), 1e-6);
		cr_assert_eq(mix->cell[i].state, CELL_FAST);
	}
	desk_close(mix);
	for (size_t s = 0; s < 3; s++)
		desk_close(alone[s]);
	xfree(wa);
	xfree(wb);
}

Test(mixed, no_cell_is_measured_twice_when_only_weights_change)
{
	const char *a = work_file("a.txt", 20000);
	char *heavy = xprintf("%s=9", a);
	const char *const even[] = { a, "self" }, *const other[] = { heavy, "self" };
	const char *const turned[] = { "self", a };
	struct desk *d = open_with(even, 2, STAGE_SCAN);
	size_t k = d->set.k;
	double x = (double)d->source[0].cell[3 * k].value;
	double y = (double)d->source[1].cell[3 * k].value;
	struct sources s = work_sources(other, 2);
	struct err e = { 0 };
	int first = measured;

	cr_assert_gt(first, 80, "fast pass and scan");
	cr_assert_float_eq(d->cell[3 * k].value, (x + y) / 2, 1e-7);
	cr_assert_eq(d->cell[3 * k].tokens, 256, "128 of each");
	cr_assert_eq(desk_set_sources(d, &s, 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, first);
	cr_assert_float_eq(d->cell[3 * k].value, 0.9 * x + 0.1 * y, 1e-7);
	desk_close(d);
	d = open_with(turned, 2, STAGE_SCAN);
	cr_assert_eq(measured, 0, "nor in another order, from the journal");
	cr_assert_float_eq(d->source[1].cell[3 * k].value, x, 1e-8);
	desk_close(d);
	d = open_with(&a, 1, STAGE_SCAN);
	cr_assert_gt(measured, 0, "alone, other variants are calibrated");
	desk_close(d);
	sources_release(&s);
	xfree(heavy);
}

Test(mixed, only_the_text_that_is_new_is_measured)
{
	const char *a = work_file("a.txt", 20000), *b = work_file("b.txt", 9000);
	const char *const both[] = { a, b };
	struct desk *d = open_with(&a, 1, STAGE_SCAN);
	const struct cached_cell *c;
	size_t before = cache_cells(d->cache, &c), after, of_a = 0;
	char hash[17];

	snprintf(hash, sizeof hash, "%s", d->text_hash);
	desk_close(d);
	d = open_with(both, 2, STAGE_SCAN);
	after = cache_cells(d->cache, &c);
	cr_assert_gt(after, before);
	for (size_t i = before; i < after; i++)
		of_a += !strcmp(c[i].text, hash) && !strchr(c[i].by, '@');
	cr_assert_eq(of_a, 0);
	cr_assert_eq(d->cell[0].state, CELL_SCANNED);
	desk_close(d);
}

Test(mixed, a_stopped_scan_goes_on_and_a_change_of_formats_keeps_what_is_known)
{
	const char *a = work_file("a.txt", 20000);
	const char *const both[] = { a, "self" };
	struct desk *d = open_with(both, 2, STAGE_FAST);
	struct lib_stop stop;
	struct err e = { 0 };

	lib_stop_init(&stop, 40);
	cr_assert_eq(desk_stage(d, STAGE_SCAN, &stop.sink, &e), ST_CANCELLED);
	cr_assert_eq(desk_stage(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	measured = 0;
	cr_assert_eq(desk_set_formats(d, "int2g64,keep", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->cell[0].state, CELL_SCANNED);
	cr_assert_eq(desk_set_text(d, NULL, 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->sources.n, 0);
	cr_assert_null(d->source[0].cell);
	cr_assert_eq(d->cell[0].state, CELL_SCANNED, "the part of self-sampled text");
	cr_assert_eq(d->cell[0].tokens, 128);
	desk_close(d);
}

Test(mixed, undecided_cells_get_more_of_each_text_that_has_more)
{
	static const struct scan_cell asked[] = { { .linear = 3, .format = 0 } };
	const char *b = work_file("short.txt", 9000);
	const char *const both[] = { "self", b };
	struct desk *d = open_with(both, 2, STAGE_SCAN);
	size_t at = 3 * d->set.k;
	struct map_cell was = d->source[1].cell[at];
	struct err e = { 0 };

	measured = 0;
	cr_assert_eq(desk_measure_more(d, asked, 1, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, 1);
	cr_assert_eq(d->source[0].cell[at].tokens, DESK_MORE_TOKENS);
	cr_assert_eq(d->source[1].cell[at].tokens, was.tokens, "too short for more");
	cr_assert_eq(d->cell[at].tokens, DESK_MORE_TOKENS + was.tokens);
	cr_assert_float_eq(d->cell[at].value,
		((double)d->source[0].cell[at].value + (double)was.value) / 2, 1e-7);
	cr_assert_eq(desk_measure_more(d, asked, 1, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, 1, "once is enough");
	desk_close(d);
}

Test(mixed, a_layout_is_measured_on_each_text_with_its_exact_weight)
{
	const char *a = work_file("a.txt", 90000);
	char *wa = xprintf("%s=0.85", a);
	const char *const both[] = { wa, "self=0.15" };
	struct desk *d = open_with(both, 2, STAGE_CALIB);
	const struct mat **view = xarray(d->set.n, sizeof *view);
	uint8_t *choice = xarray(d->set.n, 1);
	struct eval_result r, one[2];
	struct token_text t = { 0 };
	struct err e = { 0 };

	cr_assert_eq(d->calib_text.n_seq, DESK_CALIB_SEQS);
	cr_assert_eq(desk_view(d, choice, view, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_measure_view(d, view, 1024, &r, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_measure_text(d, 1024, &t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(t.n_seq, 5, "three, and two that an error needs");
	cr_assert_eq(eval_run(&one[0], d->m, view, t.id, 3 * t.len, t.len, NULL, &e), ST_OK);
	cr_assert_eq(
		eval_run(&one[1], d->m, view, t.id + 3 * t.len, 2 * t.len, t.len, NULL, &e), ST_OK);
	cr_assert_float_eq(r.kl, 0.85 * one[0].kl + 0.15 * one[1].kl, 1e-12);
	cr_assert_float_eq(r.kl_se, hypot(0.85 * one[0].kl_se, 0.15 * one[1].kl_se), 1e-12);
	cr_assert_gt(r.kl, 0);
	cr_assert_eq(r.tokens, one[0].tokens + one[1].tokens);
	token_text_release(&t);
	xfree(choice);
	xfree(view);
	desk_close(d);
	xfree(wa);
}

Test(mixed, calibration_takes_sequences_by_weight_and_weights_alike_share_variants)
{
	const char *a = work_file("a.txt", 90000);
	char *wa = xprintf("%s=3", a), *almost = xprintf("%s=3.01", a), *less = xprintf("%s=1", a);
	const char *const w[3][2] = { { wa, "self" }, { almost, "self" }, { less, "self" } };
	char key[3][16];
	struct token_text self = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < 3; i++) {
		struct desk *d = open_with(w[i], 2, STAGE_CALIB);
		size_t of_self = 0;

		desk_best_key(d, key[i]);
		if (!i)
			cr_assert_eq(
				desk_self_text(d, SEED_CALIB, 8, DESK_CALIB_LEN, &self, NULL, &e),
				ST_OK);
		for (size_t q = 0; q < DESK_CALIB_SEQS; q++)
			for (size_t k = 0; k < 8; k++)
				of_self += !memcmp(d->calib_text.id + q * DESK_CALIB_LEN,
					self.id + k * DESK_CALIB_LEN,
					DESK_CALIB_LEN * sizeof *self.id);
		cr_assert_eq(of_self, i == 2 ? 8 : 4, "%zu of self", of_self);
		desk_close(d);
	}
	cr_assert_str_eq(key[0], key[1]);
	cr_assert_str_neq(key[0], key[2]);
	token_text_release(&self);
	xfree(wa);
	xfree(almost);
	xfree(less);
}

Test(mixed, what_cannot_be_read_or_is_too_short_changes_nothing)
{
	const char *a = work_file("a.txt", 20000), *tiny = work_file("tiny.txt", 12);
	const char *const good[] = { a, "self" }, *const bad[] = { a, tiny };
	struct desk *d = open_with(good, 2, STAGE_TEXT);
	struct sources s = work_sources(bad, 2);
	struct err e = { 0 };
	char hash[17];

	snprintf(hash, sizeof hash, "%s", d->text_hash);
	cr_assert_eq(desk_set_sources(d, &s, 0, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "needs at least 256"), "%s", e.msg);
	cr_assert_eq(remove(tiny), 0);
	cr_assert_eq(desk_set_sources(d, &s, 0, NULL, &e), ST_IO, "%s", e.msg);
	cr_assert_str_eq(d->text_hash, hash);
	cr_assert_str_eq(d->text_name, "a.txt 0.5, self 0.5");
	sources_release(&s);
	desk_close(d);
}

/* ---- a session */

TestSuite(mixed_session, .init = home, .timeout = 120);

Test(mixed_session, the_map_carries_each_text_and_how_far_they_agree)
{
	const char *a = work_file("a.txt", 60000);
	char *wa = xprintf("%s=3", a);
	const char *const both[] = { wa, "self" };
	struct sources src = work_sources(both, 2);
	struct session_options o = { .formats = formats,
		.sources = &src,
		.scan_tokens = 128,
		.auto_scan = true,
		.threads = 1 };
	struct bus *bus = bus_new();
	struct work_seen w;
	struct session *s;
	struct err e = { 0 };
	size_t nk;

	work_watch(&w, bus);
	s = session_new(&o, bus);
	cr_assert_eq(session_open(s, work_demo(1), &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &w), "%s", w.said);
	nk = w.map->n * w.map->k;
	cr_assert_eq(w.map->sources, 2);
	cr_assert_str_eq(w.map->on[0].name, "a.txt");
	cr_assert_str_eq(w.map->on[1].name, "self");
	cr_assert_float_eq(w.map->on[0].weight, 0.75, 1e-12);
	cr_assert_eq(w.map->scanned, w.map->wanted);
	for (size_t i = 0; i < nk; i++)
		cr_assert_float_eq(w.map->cell[i].value,
			0.75 * (double)w.map->part[i].value +
				0.25 * (double)w.map->part[nk + i].value,
			1e-6);
	cr_assert_eq(w.map->pairs, 1);
	cr_assert_eq(w.map->pair[0].n, 56);
	cr_assert_gt(w.map->pair[0].rho, 0.5);
	cr_assert_eq(w.map->pair[0].format_n[0], 28);
	cr_assert_eq(session_measure(s, &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &w));
	cr_assert(strstr(w.said, "measured "), "%s", w.said);
	cr_assert_eq(session_text(s, NULL, 0, &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &w));
	cr_assert_eq(w.map->sources, 0);
	cr_assert_null(w.map->part);
	cr_assert_eq(session_sources(s, &src, 0, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(session_set(s, "scan_tokens", "64", &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &w));
	cr_assert_eq(w.map->sources, 2, "another number of tokens, the same texts");
	sources_release(&src);
	session_free(s);
	work_unwatch(&w);
	bus_free(bus);
	xfree(wa);
}
