/* test_work_runs.c - the table of run folders: found, filtered, sorted, tagged, thrown away. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/run.h"
#include "core/work/runs.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static char *folder(const char *id)
{
	char *dir = runs_dir(), *path = xprintf("%s/%s", dir, id);
	struct err e = { 0 };

	cr_assert_eq(fs_mkdirs(path, &e), ST_OK, "%s", e.msg);
	xfree(dir);
	return path;
}

static void put(const char *dir, const char *file, const char *text)
{
	char *path = xprintf("%s/%s", dir, file);

	tmp_write(path, text, strlen(text));
	xfree(path);
}

/* A run as a folder; kl below 0: it has no layout. */
static void run_folder(
	const char *id, const char *kind, const char *status, long began, double bpw, double kl)
{
	char *dir = folder(id), *text;

	text = xprintf("{\"v\":1,\"kind\":\"%s\",\"model\":\"demo\",\"model_path\":\"/m\","
		       "\"model_sha256\":\"abc\",\"text\":\"a text\",\"options\":\"\",\"seed\":1,"
		       "\"began\":%ld,\"bitdial\":\"x\",\"more\":[1]}",
		kind, began);
	put(dir, "run.json", text);
	xfree(text);
	text = xprintf(
		"{\"v\":1,\"status\":\"%s\",\"seconds\":%g,\"summary\":\"\"}", status, bpw * 10);
	put(dir, "end.json", text);
	xfree(text);
	if (kl >= 0) {
		text = xprintf("{\"v\":1,\"stored_bpw\":%g,\"bytes\":1000,"
			       "\"predicted\":{\"kl\":%g,\"se\":0.01}}",
			bpw, kl);
		put(dir, "layout.json", text);
		xfree(text);
	}
	xfree(dir);
}

static void four(void)
{
	run_folder("20260101-000001-scan-aaaa", "scan", "ok", 1000, 0, -1);
	run_folder("20260101-000002-search-bbbb", "search", "ok", 2000, 3.5, 0.3);
	run_folder("20260101-000003-search-cccc", "search", "cancelled", 3000, 4.5, 0.05);
	run_folder("20260101-000004-search-dddd", "search", "ok", 4000, 2.5, 0.9);
}

static struct runs loaded(const char *filter, const char *sort)
{
	struct runs r;
	struct err e = { 0 };

	cr_assert_eq(runs_load(&r, NULL, &e), ST_OK, "%s", e.msg);
	if (filter)
		cr_assert_eq(runs_filter(&r, filter, &e), ST_OK, "%s", e.msg);
	if (sort)
		cr_assert_eq(runs_sort(&r, sort, &e), ST_OK, "%s", e.msg);
	return r;
}

/* The last letters of the ids, in order. */
static void are(const char *filter, const char *sort, const char *want)
{
	struct runs r = loaded(filter, sort);
	char have[16] = "";

	for (size_t i = 0; i < r.n; i++)
		strncat(have, r.at[i].id + strlen(r.at[i].id) - 1, 1);
	cr_assert_str_eq(have, want, "%s by %s: %s", filter, sort, have);
	runs_release(&r);
}

TestSuite(work_runs, .init = work_home);

Test(work_runs, a_place_without_runs_has_none)
{
	are(NULL, NULL, "");
}

Test(work_runs, the_newest_come_first_and_what_is_no_run_is_passed_over)
{
	four();
	xfree(folder("20260101-000009-empty"));
	put(folder("20260101-000010-bad"), "run.json", "{\"v\":1,");
	are(NULL, NULL, "dcba");
}

Test(work_runs, an_entry_says_what_its_files_say)
{
	struct runs r;

	four();
	r = loaded("kind:search", "bpw");
	cr_assert_eq(r.n, 3);
	cr_assert_float_eq(r.at[0].bpw, 2.5, 1e-12);
	cr_assert_float_eq(r.at[0].kl, 0.9, 1e-12);
	cr_assert_float_eq(r.at[0].seconds, 25, 1e-12);
	cr_assert_eq(r.at[0].bytes, 1000);
	cr_assert_str_eq(r.at[0].status, "ok");
	cr_assert_str_eq(r.at[0].model, "demo");
	runs_release(&r);
}

Test(work_runs, a_filter_takes_words_that_must_all_hold)
{
	four();
	are("kind:search bpw<4", NULL, "db");
	are("kl<=0.3", NULL, "cb");
	are("kl>0.3", NULL, "d");
	are("-kind:search", NULL, "a");
	are("status:cancelled", NULL, "c");
	are("bbbb", NULL, "b");
	are("since:1h", NULL, "");
	are("bpw=3.5", NULL, "b");
}

Test(work_runs, a_filter_that_is_not_understood_says_what_it_expected)
{
	static const char *const bad[] = { "bpw<", "bpw<x", "size<3", "since:2y", "since:x",
		"colour:red" };
	struct runs r = loaded(NULL, NULL);
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert_eq(runs_filter(&r, bad[i], &e), ST_INVALID, "%s", bad[i]);
		cr_assert(strstr(e.msg, bad[i]) && strstr(e.msg, "expected"), "%s", e.msg);
	}
	cr_assert_eq(runs_sort(&r, "colour", &e), ST_INVALID);
	runs_release(&r);
}

Test(work_runs, they_are_sorted_by_a_field_either_way_and_what_lacks_it_is_last)
{
	four();
	are(NULL, "kl", "cbda");
	are(NULL, "-kl", "dbca");
	are(NULL, "kind", "adcb");
	are(NULL, "-began", "abcd");
}

Test(work_runs, a_run_is_found_by_an_end_of_its_id_that_is_its_own)
{
	struct runs r;
	struct err e = { 0 };

	four();
	r = loaded(NULL, NULL);
	cr_assert_str_eq(runs_find(&r, "cccc", &e)->id, "20260101-000003-search-cccc");
	cr_assert_str_eq(runs_find(&r, "20260101-000002", &e)->kind, "search");
	cr_assert_null(runs_find(&r, "20260101", &e));
	cr_assert(strstr(e.msg, "4 runs"), "%s", e.msg);
	cr_assert_null(runs_find(&r, "eeee", &e));
	cr_assert(strstr(e.msg, "no run eeee"), "%s", e.msg);
	cr_assert_null(runs_find(&r, "", &e));
	runs_release(&r);
}

Test(work_runs, tags_are_words_that_come_and_go_and_can_be_asked_for)
{
	struct runs r;
	struct err e = { 0 };
	const struct run_entry *b;

	four();
	r = loaded(NULL, NULL);
	b = runs_find(&r, "bbbb", &e);
	cr_assert_eq(run_tag(b, "good", &e), ST_OK);
	cr_assert_eq(run_tag(b, "best", &e), ST_OK);
	cr_assert_eq(run_tag(b, "good", &e), ST_OK);
	are("tag:good", NULL, "b");
	are("tag:goo", NULL, "");
	cr_assert_eq(run_tag(b, "-good", &e), ST_OK);
	are("tag:good", NULL, "");
	are("tag:best", NULL, "b");
	cr_assert_eq(run_tag(b, "two words", &e), ST_INVALID);
	cr_assert_eq(run_tag(b, "-", &e), ST_INVALID);
	runs_release(&r);
}

Test(work_runs, notes_are_kept_beside_the_run)
{
	struct runs r;
	struct err e = { 0 };
	char *s;

	four();
	r = loaded(NULL, NULL);
	s = run_notes(&r.at[0]);
	cr_assert_str_eq(s, "");
	xfree(s);
	cr_assert_eq(run_set_notes(&r.at[0], "two\nlines", &e), ST_OK);
	s = run_notes(&r.at[0]);
	cr_assert_str_eq(s, "two\nlines");
	xfree(s);
	runs_release(&r);
}

Test(work_runs, a_run_in_the_trash_is_gone_and_can_be_put_back_by_hand)
{
	struct runs r;
	struct err e = { 0 };
	char *to;

	four();
	r = loaded(NULL, NULL);
	cr_assert_eq(run_trash(runs_find(&r, "bbbb", &e), &to, &e), ST_OK, "%s", e.msg);
	are(NULL, NULL, "dca");
	cr_assert(fs_is_dir(to) && strstr(to, ".trash/"), "%s", to);
	cr_assert_eq(fs_rename(to, runs_find(&r, "bbbb", &e)->path, &e), ST_OK, "%s", e.msg);
	are(NULL, NULL, "dcba");
	xfree(to);
	runs_release(&r);
}

Test(work_runs, a_run_that_is_being_written_says_so_and_is_not_thrown_away)
{
	struct run_info info = {
		.kind = "scan", .model = "demo", .model_path = "/m", .model_sha = "abc"
	};
	struct run *run;
	struct runs r;
	struct err e = { 0 };
	char *to;

	cr_assert_eq(run_new(&run, &info, &e), ST_OK, "%s", e.msg);
	r = loaded(NULL, NULL);
	cr_assert_eq(r.n, 1);
	cr_assert_str_eq(r.at[0].status, "running");
	cr_assert_eq(run_trash(&r.at[0], &to, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "still being written"), "%s", e.msg);
	run_end(run, ST_OK, "");
	runs_release(&r);
}
