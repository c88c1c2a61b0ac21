/* test_sources.c - several texts: their names and weights, one scan over all, weighted means. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/eval/eval.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"
#include "tests/lib_work.h"

/* ---- names and weights */

static const char *file(const char *name, size_t n)
{
	static char path[4][512];
	static size_t next;
	char *to = path[next++ % 4];

	snprintf(to, 512, "%s", work_text(name, n));
	return to;
}

static struct sources read_words(const char *const *word, size_t n)
{
	struct sources s;
	struct err e = { 0 };

	cr_assert_eq(sources_parse(&s, word, n, "text", &e), ST_OK, "%s", e.msg);
	return s;
}

Test(sources, names_may_hold_commas_blanks_and_equal_signs)
{
	const char *odd = file("my prose, a=2.txt", 10), *plain = file("b.txt", 10);
	char *weighted = xprintf("%s=3", odd);
	struct sources s = read_words((const char *const[]){ weighted, "self", plain }, 3);

	cr_assert_eq(s.n, 3);
	cr_assert_str_eq(s.at[0].path, odd);
	cr_assert_null(s.at[1].path);
	cr_assert_str_eq(s.at[2].path, plain);
	cr_assert_float_eq(s.at[0].weight, 0.6, 1e-12);
	cr_assert_float_eq(s.at[1].weight, 0.2, 1e-12);
	cr_assert_float_eq(s.at[2].weight, 0.2, 1e-12);
	sources_release(&s);
	s = read_words((const char *const[]){ odd, plain }, 2);
	cr_assert_str_eq(s.at[0].path, odd, "it is a file as it stands");
	cr_assert_float_eq(s.at[0].weight, 0.5, 1e-12);
	sources_release(&s);
	xfree(weighted);
}

Test(sources, one_name_is_taken_as_it_is)
{
	struct sources s = read_words((const char *const[]){ "absent=x.txt" }, 1);

	cr_assert_str_eq(s.at[0].path, "absent=x.txt", "what opens it says that it is not there");
	cr_assert_eq(s.at[0].weight, 1);
	sources_release(&s);
	s = read_words((const char *const[]){ "self" }, 1);
	cr_assert_eq(s.n, 1);
	cr_assert_null(s.at[0].path);
	s = read_words(NULL, 0);
	cr_assert_eq(s.n, 0);
}

Test(sources, what_is_no_list_of_texts_is_refused_in_one_sentence)
{
	static const struct {
		const char *word[6];
		const char *says;
	} bad[] = {
		{ { "a.txt", "nosuch.txt" }, "there is no such file" },
		{ { "a.txt=", "self" }, "\"\" is no weight" },
		{ { "a.txt=much", "self" }, "\"much\" is no weight" },
		{ { "a.txt=nan", "self" }, "\"nan\" is no weight" },
		{ { "a.txt=0x1p3", "self" }, "\"0x1p3\" is no weight" },
		{ { "a.txt=0", "self" }, "above 0" },
		{ { "a.txt=-0.5", "self" }, "above 0" },
		{ { "a.txt=1e999", "self" }, "above 0" },
		{ { "a.txt=1e-9", "self" }, "a millionth" },
		{ { "a.txt=1e308", "b.txt=1e308" }, "a millionth" },
		{ { "self", "self=2" }, "self is named twice" },
		{ { "a.txt", "./a.txt" }, "a.txt is named twice" },
		{ { "=2", "self" }, "expected a file or self" },
		{ { "", "self" }, "expected a file or self" },
		{ { "a.txt", "b.txt", "self", "c", "d" }, "at most 4" },
	};

	file("a.txt", 10);
	file("b.txt", 10);
	cr_assert_eq(chdir(tmp_dir()), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct sources s = { .n = 9 };
		struct err e = { 0 };
		size_t n = 0;

		while (n < 6 && bad[i].word[n])
			n++;
		cr_assert_eq(sources_parse(&s, bad[i].word, n, "text", &e) == ST_OK, false,
			"%s was taken", bad[i].word[0]);
		cr_assert(strstr(e.msg, bad[i].says), "%s %s: %s", bad[i].word[0], bad[i].word[1],
			e.msg);
		cr_assert_eq(s.n, 0);
	}
}

Test(sources, every_beginning_of_the_order_is_by_weight)
{
	struct sources s = { .n = 3, .at = { { NULL, 0.5 }, { NULL, 0.3 }, { NULL, 0.2 } } };
	uint8_t order[48];
	size_t count[SOURCES_MAX], now[3] = { 0 };

	sources_order(&s, order, 48, count);
	for (size_t i = 0; i < 48; i++) {
		now[order[i]]++;
		for (size_t k = 0; k < 3; k++)
			cr_assert_leq(fabs((double)now[k] - s.at[k].weight * (double)(i + 1)), 1.0,
				"source %zu has %zu of %zu", k, now[k], i + 1);
	}
	cr_assert_eq(count[0] + count[1] + count[2], 48);
	cr_assert_eq(count[0], 24);
}

Test(sources, agreement_is_spearmans_over_what_both_have_measured)
{
	enum { N = 3, K = 2 };
	struct map_cell part[2 * N * K] = { { 0 } };
	struct source_pair p[SOURCE_PAIRS];
	static const float a[N * K] = { 1, 5, 2, 4, 3, 9 }, b[N * K] = { 10, 7, 30, 8, 20, 1 };

	for (size_t i = 0; i < N * K; i++) {
		part[i] = (struct map_cell){ .state = CELL_SCANNED, .tokens = 8, .value = a[i] };
		part[N * K + i] =
			(struct map_cell){ .state = CELL_FAST, .tokens = 8, .value = b[i] };
	}
	part[5].state = CELL_SCORED; /* says nothing in nats */
	cr_assert_eq(sources_agree(2, part, N, K, p), 1);
	cr_assert_eq(p[0].n, 5);
	/* ranks 0 4 1 3 2 and 2 0 4 1 3: 1 - 6 (4 + 16 + 9 + 4 + 1) / (5 * 24) */
	cr_assert_float_eq(p[0].rho, 1 - 6.0 * 34 / 120, 1e-12);
	cr_assert_eq(p[0].format_n[0], 3);
	cr_assert_float_eq(p[0].format_rho[0], 1 - 6.0 * 2 / 24, 1e-12);
	cr_assert_eq(p[0].format_n[1], 2);
	cr_assert_float_eq(p[0].format_rho[1], -1, 1e-12);
	part[3].state = CELL_UNKNOWN;
	sources_agree(2, part, N, K, p);
	cr_assert_eq(p[0].format_n[1], 1);
	cr_assert(isnan(p[0].format_rho[1]), "one cell has no order");
}

/* ---- one scan */

/* Three texts of other lengths: their rows do and do not fit one batch together. */
static void scan_in_parts(size_t many)
{
	static const double weight[3] = { 0.5, 0.3, 0.2 };
	struct scan_text all = { .n = 3 };
	const struct mat **base;
	struct scan_cell cell = { .linear = 9, .format = 0 };
	struct seen seen = seen_new(1);
	struct setup s[3];
	struct scan *sc;
	struct err e = { 0 };
	double kl = 0, var = 0, delta = 0, delta_var = 0, top1 = 0;

	setup_begin(&s[0], many, 24);
	setup_begin(&s[1], 5, 10);
	setup_begin(&s[2], 1, 40);
	for (size_t p = 0; p < 3; p++) {
		all.part[p] = s[p].t;
		all.weight[p] = weight[p];
	}
	base = setup_view(&s[0], NULL);
	base[4] = setup_mat(&s[0], 4, 0);
	cr_assert_eq(scan_new_parts(&sc, s[0].m, base, &all, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scan_cells(sc, &s[0].v, &cell, 1, seen_done, &seen, NULL, &e), ST_OK);
	cr_assert_eq(seen.cell[0].parts, 3);
	for (size_t p = 0; p < 3; p++) {
		const struct scan_part *of = &seen.cell[0].part[p];
		struct scan_cell got = { .kl = of->kl,
			.se = of->se,
			.top1 = of->top1,
			.delta = of->delta,
			.delta_se = of->delta_se };
		const struct mat **mine = setup_view(&s[p], NULL);
		struct scan_cell want;

		mine[4] = setup_mat(&s[p], 4, 0);
		want = naive_cell(&s[p], mine, 9, 0, p == 2 ? 8 : s[p].t.len);
		expect_cell(&got, &want);
		cr_assert_gt(want.se, 1e-6);
		kl += weight[p] * want.kl;
		var += weight[p] * weight[p] * want.se * want.se;
		delta += weight[p] * want.delta;
		delta_var += weight[p] * weight[p] * want.delta_se * want.delta_se;
		top1 += weight[p] * want.top1;
		xfree(mine);
	}
	cr_assert_float_eq(seen.cell[0].kl, kl, 1e-6);
	cr_assert_float_eq(seen.cell[0].se, sqrt(var), 1e-6);
	cr_assert_float_eq(seen.cell[0].delta, delta, 1e-6);
	cr_assert_float_eq(seen.cell[0].delta_se, sqrt(delta_var), 1e-6);
	cr_assert_float_eq(seen.cell[0].top1, top1, 1e-9);
	scan_free(sc);
	xfree(base);
	xfree(seen.cell);
	for (size_t p = 0; p < 3; p++)
		setup_end(&s[p]);
}

Test(sources, a_scan_over_several_texts_equals_whole_forwards_on_each)
{
	scan_in_parts(3);
}

Test(sources, also_where_they_are_more_rows_than_a_batch)
{
	scan_in_parts(60);
}

Test(sources, a_scan_without_texts_or_of_too_many_is_refused)
{
	struct scan_text none = { 0 }, many = { .n = SCAN_PARTS + 1 };
	struct setup s;
	struct scan *sc;
	struct err e = { 0 };

	setup_begin(&s, 2, 8);
	cr_assert_eq(scan_new_parts(&sc, s.m, NULL, &none, NULL, &e), ST_INVALID);
	cr_assert_eq(scan_new_parts(&sc, s.m, NULL, &many, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "1 to 4"), "%s", e.msg);
	setup_end(&s);
}

/* ---- a desk */

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
	struct sources s = read_words(word, n);
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
	const char *a = file("a.txt", 20000), *b = file("b.txt", 9000);
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
	const char *a = file("a.txt", 20000);
	char *heavy = xprintf("%s=9", a);
	const char *const even[] = { a, "self" }, *const other[] = { heavy, "self" };
	const char *const turned[] = { "self", a };
	struct desk *d = open_with(even, 2, STAGE_SCAN);
	size_t k = d->set.k;
	double x = (double)d->source[0].cell[3 * k].value;
	double y = (double)d->source[1].cell[3 * k].value;
	struct sources s = read_words(other, 2);
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
	cr_assert_eq(measured, 0, "nor alone");
	cr_assert_float_eq(d->cell[3 * k].value, x, 1e-8);
	desk_close(d);
	sources_release(&s);
	xfree(heavy);
}

Test(mixed, only_the_text_that_is_new_is_measured)
{
	const char *a = file("a.txt", 20000), *b = file("b.txt", 9000);
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
		of_a += !strcmp(c[i].text, hash);
	cr_assert_eq(of_a, 0);
	cr_assert_eq(d->cell[0].state, CELL_SCANNED);
	desk_close(d);
}

Test(mixed, a_stopped_scan_goes_on_and_a_change_of_formats_keeps_what_is_known)
{
	const char *a = file("a.txt", 20000);
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
	const char *b = file("short.txt", 9000);
	const char *const both[] = { "self", b };
	struct desk *d = open_with(both, 2, STAGE_SCAN);
	size_t at = 3 * d->set.k;
	struct map_cell was = d->source[1].cell[at];
	struct err e = { 0 };

	measured = 0;
	cr_assert_eq(desk_measure_more(d, asked, 1, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, 1);
	cr_assert_eq(d->source[0].cell[at].tokens, DESK_MORE_TOKENS);
	cr_assert_eq(d->source[1].cell[at].tokens, was.tokens, "too short for more");
	cr_assert_eq(d->cell[at].tokens, DESK_MORE_TOKENS + was.tokens);
	cr_assert_float_eq(d->cell[at].value,
		((double)d->source[0].cell[at].value + (double)was.value) / 2, 1e-7);
	cr_assert_eq(desk_measure_more(d, asked, 1, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, 1, "once is enough");
	desk_close(d);
}

Test(mixed, a_layout_is_measured_on_each_text_with_its_exact_weight)
{
	const char *a = file("a.txt", 90000);
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
	const char *a = file("a.txt", 90000);
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
	const char *a = file("a.txt", 20000), *tiny = file("tiny.txt", 12);
	const char *const good[] = { a, "self" }, *const bad[] = { a, tiny };
	struct desk *d = open_with(good, 2, STAGE_TEXT);
	struct sources s = read_words(bad, 2);
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
	const char *a = file("a.txt", 60000);
	char *wa = xprintf("%s=3", a);
	const char *const both[] = { wa, "self" };
	struct sources src = read_words(both, 2);
	struct session_options o = { .formats = formats, .sources = &src, .scan_tokens = 128,
		.auto_scan = true, .threads = 1 };
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
