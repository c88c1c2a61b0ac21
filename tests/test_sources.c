/* test_sources.c - several texts: their names and weights, one scan over all, weighted means. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/eval/eval.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"
#include "tests/lib_work.h"

/* ---- names and weights */

Test(sources, names_may_hold_commas_blanks_and_equal_signs)
{
	const char *odd = work_file("my prose, a=2.txt", 10), *plain = work_file("b.txt", 10);
	char *weighted = xprintf("%s=3", odd);
	struct sources s = work_sources((const char *const[]){ weighted, "self", plain }, 3);

	cr_assert_eq(s.n, 3);
	cr_assert_str_eq(s.at[0].path, odd);
	cr_assert_null(s.at[1].path);
	cr_assert_str_eq(s.at[2].path, plain);
	cr_assert_float_eq(s.at[0].weight, 0.6, 1e-12);
	cr_assert_float_eq(s.at[1].weight, 0.2, 1e-12);
	cr_assert_float_eq(s.at[2].weight, 0.2, 1e-12);
	sources_release(&s);
	s = work_sources((const char *const[]){ odd, plain }, 2);
	cr_assert_str_eq(s.at[0].path, odd, "it is a file as it stands");
	cr_assert_float_eq(s.at[0].weight, 0.5, 1e-12);
	sources_release(&s);
	xfree(weighted);
}

Test(sources, one_name_is_taken_as_it_is)
{
	struct sources s = work_sources((const char *const[]){ "absent=x.txt" }, 1);

	cr_assert_str_eq(s.at[0].path, "absent=x.txt", "what opens it says that it is not there");
	cr_assert_eq(s.at[0].weight, 1);
	sources_release(&s);
	s = work_sources((const char *const[]){ "self" }, 1);
	cr_assert_eq(s.n, 1);
	cr_assert_null(s.at[0].path);
	s = work_sources(NULL, 0);
	cr_assert_eq(s.n, 0);
}

Test(sources, what_is_no_list_of_texts_is_refused_in_one_sentence)
{
	static const struct {
		const char *word[6];
		const char *says;
	} bad[] = {
		{ { "a.txt", "nosuch.txt" }, "there is no such file" },
		{ { "a.d", "self" }, "text a.d is a folder; name a text file in it" },
		{ { "a.d" }, "text a.d is a folder; name a text file in it" },
		{ { "pipe=2", "self" }, "pipe is not a regular file; copy what it holds" },
		{ { "/dev/null", "self" }, "/dev/null is not a regular file; copy what it" },
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

	work_file("a.txt", 10);
	work_file("b.txt", 10);
	cr_assert_eq(chdir(tmp_dir()), 0);
	cr_assert_eq(mkdir("a.d", 0700), 0);
	cr_assert_eq(mkfifo("pipe", 0600), 0);
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

Test(sources, a_name_has_as_much_of_the_path_as_tells_it_from_the_others)
{
	static const struct {
		const char *path[4], *name[4];
	} list[] = {
		{ { "/d/a.txt", NULL, "e/b.txt" }, { "a.txt", "self", "b.txt" } },
		{ { "/d/one/a.txt", "/d/two/a.txt" }, { "one/a.txt", "two/a.txt" } },
		{ { "a.txt", "x/a.txt" }, { "a.txt", "x/a.txt" } },
		{ { "p/s/a.txt", "q/s/a.txt", "b.txt" }, { "p/s/a.txt", "q/s/a.txt", "b.txt" } },
		{ { "x/aa.txt", "a.txt" }, { "aa.txt", "a.txt" } },
		{ { "./self", NULL }, { "./self", "self" } },
		{ { "one/some/folders/far/below/the/one/that/tells/a.txt",
			  "two/some/folders/far/below/the/one/that/tells/a.txt" },
			{ "one/\xe2\x80\xa6/a.txt", "two/\xe2\x80\xa6/a.txt" } },
	};

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		struct sources s = { 0 };
		char name[SOURCE_NAME];

		while (s.n < 4 && list[i].name[s.n]) {
			const char *path = list[i].path[s.n];

			s.at[s.n++].path = path ? xstrdup(path) : NULL;
		}
		for (size_t j = 0; j < s.n; j++)
			cr_assert_str_eq(source_name(&s, j, name), list[i].name[j]);
		sources_release(&s);
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
