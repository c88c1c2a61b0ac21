/* test_work_runs.c - the table of run folders: found, filtered, sorted, tagged, thrown away. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/run.h"
#include "core/work/runs.h"
#include "tests/lib_base.h"
#include "tests/lib_runs.h"
#include "tests/lib_work.h"

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
	char *dir = runs_dir(), *empty = xprintf("%s/20260101-000009-empty", dir);
	struct err e = { 0 };

	put_four_runs();
	cr_assert_not(fs_mkdirs(empty, &e), "%s", e.msg);
	put_in_run("20260101-000010-bad", "run.json", "{\"v\":1,");
	xfree(dir);
	xfree(empty);
	are(NULL, NULL, "dcba");
}

Test(work_runs, an_entry_says_what_its_files_say)
{
	struct runs r;

	put_four_runs();
	r = loaded("kind:search", "bpw");
	cr_assert_eq(r.n, 3);
	cr_assert_float_eq(r.at[0].bpw, 2.5, 1e-12);
	cr_assert_float_eq(r.at[0].kl, 0.9, 1e-12);
	cr_assert_float_eq(r.at[0].seconds, 25, 1e-12);
	cr_assert_eq(r.at[0].bytes, 4200000);
	cr_assert_str_eq(r.at[0].status, "ok");
	cr_assert_str_eq(r.at[0].model, "demo");
	runs_release(&r);
}

Test(work_runs, a_filter_takes_words_that_must_all_hold)
{
	put_four_runs();
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
	put_four_runs();
	are(NULL, "kl", "cbda");
	are(NULL, "-kl", "dbca");
	are(NULL, "kind", "adcb");
	are(NULL, "-began", "abcd");
}

Test(work_runs, a_run_is_found_by_an_end_of_its_id_that_is_its_own)
{
	struct runs r;
	struct err e = { 0 };

	put_four_runs();
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

	put_four_runs();
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

	put_four_runs();
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

	put_four_runs();
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

/* ---- where they come from */

Test(work_runs, a_run_says_which_command_line_script_and_runs_it_came_from)
{
	static char bitdial[] = "bitdial", scan[] = "scan", odd[] = "a b\"c";
	char *const argv[] = { bitdial, scan, odd };
	static const char *const again[] = { "search", "/m", "--bpw", "3" };
	struct run_info info = { .kind = "search",
		.model = "demo",
		.model_path = "/m",
		.model_sha = "abc",
		.file_sha = "def",
		.parents = "20260101-000001-scan-aaaa",
		.again = again,
		.n_again = 4 };
	struct run *run;
	struct runs r;
	struct err e = { 0 };

	tmp_write(tmp_path("s.lua"), "print(1)", 8);
	run_origin_set(3, argv);
	cr_assert_eq(run_origin_script(tmp_path("s.lua"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(run_new(&run, &info, &e), ST_OK, "%s", e.msg);
	run_number(run, "kl", 0.25);
	run_number(run, "ppl", (double)NAN);
	for (int i = 0; i < 4 * RUN_NUMBERS; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%d", i / 2);
		run_number(run, name, i);
	}
	run_end(run, ST_OK, "");
	r = loaded(NULL, NULL);
	cr_assert_eq(r.at[0].argv.n, 3);
	cr_assert_str_eq(r.at[0].argv.at[2], "a b\"c");
	cr_assert_eq(r.at[0].again.n, 4);
	cr_assert_str_eq(r.at[0].again.at[3], "3");
	cr_assert_str_eq(r.at[0].script, tmp_path("s.lua"));
	cr_assert_eq(strlen(r.at[0].script_sha), 64);
	cr_assert_str_eq(r.at[0].file_sha, "def");
	cr_assert_str_eq(r.at[0].parents, "20260101-000001-scan-aaaa");
	cr_assert(*r.at[0].backend && *r.at[0].cwd);
	cr_assert_eq(r.at[0].n_numbers, RUN_NUMBERS);
	cr_assert_float_eq(r.at[0].number[1].v, 1, 0, "the last of a name");
	cr_assert(r.at[0].measured);
	cr_assert_float_eq(r.at[0].kl, 0.25, 1e-12);
	runs_release(&r);
}

Test(work_runs, a_folder_of_an_older_bitdial_lacks_what_it_did_not_say)
{
	struct runs r;

	put_four_runs();
	r = loaded(NULL, NULL);
	cr_assert_eq(r.at[0].argv.n, 0);
	cr_assert_str_eq(r.at[0].script, "");
	cr_assert_str_eq(r.at[0].backend, "");
	cr_assert_not(r.at[0].measured);
	cr_assert_str_eq(r.at[0].state, "done");
	cr_assert_str_eq(r.at[1].state, "stopped");
	runs_release(&r);
}

Test(work_runs, the_newest_good_scan_of_a_model_and_text_is_a_parent)
{
	struct runs r;

	put_four_runs();
	put_run("20260101-000005-scan-eeee", "scan", "ok", 5000, 0, -1, "");
	put_run("20260101-000006-scan-ffff", "scan", "cancelled", 6000, 0, -1, "");
	r = loaded(NULL, NULL);
	cr_assert_str_eq(runs_scan_of(&r, "abc", "a text")->id, "20260101-000005-scan-eeee");
	cr_assert_null(runs_scan_of(&r, "abc", "another"));
	cr_assert_null(runs_scan_of(&r, "xyz", "a text"));
	cr_assert_null(runs_scan_of(&r, "abc", "a text of a stopped one"));
	snprintf(r.at[0].text, strlen(r.at[0].text) + 1, "b text"); /* the newest, stopped */
	cr_assert_eq(
		runs_scan_of(&r, "abc", "b text"), &r.at[0], "its cells are in the cache, too");
	cr_assert_str_eq(runs_short(&r, &r.at[1]), "scan-eeee");
	runs_release(&r);
	put_run("20260102-000005-scan-eeee", "scan", "ok", 5000, 0, -1, "");
	r = loaded("eeee", "id");
	cr_assert_str_eq(runs_short(&r, &r.at[0]), r.at[0].id, "two end like it");
	runs_release(&r);
}

/* ---- the index kept up to date */

Test(work_runs, an_index_made_again_reads_what_changed_and_nothing_else)
{
	struct runs r = loaded(NULL, NULL);
	bool changed;
	struct err e;
	char *kept;

	put_four_runs();
	cr_assert_eq(runs_update(&r, NULL, &changed, &e), ST_OK);
	cr_assert(changed && r.n == 4);
	kept = r.at[0].model;
	cr_assert_eq(runs_update(&r, NULL, &changed, &e), ST_OK);
	cr_assert(!changed && r.n == 4 && r.at[0].model == kept, "the same strings");
	cr_assert_eq(run_tag(&r.at[1], "good", &e), ST_OK);
	cr_assert_eq(runs_update(&r, NULL, &changed, &e), ST_OK);
	cr_assert(changed);
	cr_assert_str_eq(r.at[1].tags, "good");
	cr_assert_eq(r.at[0].model, kept);
	cr_assert_eq(fs_remove_tree(r.at[2].path, &e), ST_OK);
	cr_assert_eq(runs_update(&r, NULL, &changed, &e), ST_OK);
	cr_assert(changed && r.n == 3);
	put_in_run("20260101-000001-scan-aaaa", "junk", "x"); /* no part of a run, but a change */
	cr_assert_eq(runs_update(&r, NULL, &changed, &e), ST_OK);
	cr_assert_eq(r.n, 3);
	runs_release(&r);
}

Test(work_runs, a_pick_is_a_filter_and_an_order_over_an_index_that_stays)
{
	struct runs r;
	struct err e = { 0 };
	size_t order[4], n;

	put_four_runs();
	r = loaded(NULL, NULL);
	cr_assert_eq(runs_pick(&r, "kind:search", "kl", order, &n, &e), ST_OK);
	cr_assert_eq(n, 3);
	cr_assert_str_eq(r.at[order[0]].id, "20260101-000003-search-cccc");
	cr_assert_eq(runs_pick(&r, "state:stopped", "began", order, &n, &e), ST_OK);
	cr_assert_eq(n, 1);
	cr_assert_eq(runs_pick(&r, "bpw<", "began", order, &n, &e), ST_INVALID);
	cr_assert_eq(runs_pick(&r, "", "colour", order, &n, &e), ST_INVALID);
	cr_assert_eq(r.n, 4);
	runs_release(&r);
}

Test(work_runs, one_comes_back_from_the_trash_unless_its_place_is_taken)
{
	struct runs r;
	struct err e = { 0 };
	char *to, *id = NULL;

	put_four_runs();
	r = loaded(NULL, NULL);
	cr_assert_eq(run_trash(runs_find(&r, "bbbb", &e), &to, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(run_restore(NULL, to, &id, &e), ST_OK, "%s", e.msg);
	cr_assert_str_eq(id, "20260101-000002-search-bbbb");
	are(NULL, NULL, "dcba");
	cr_assert_eq(run_restore(NULL, id, &(char *){ NULL }, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "no 20260101-000002-search-bbbb in the trash"), "%s", e.msg);
	cr_assert_eq(run_restore(NULL, "", &(char *){ NULL }, &e), ST_INVALID);
	cr_assert_eq(run_restore(NULL, "/", &(char *){ NULL }, &e), ST_INVALID);
	xfree(to);
	xfree(id);
	runs_release(&r);
}

Test(work_runs, notes_and_tags_are_not_written_through_a_link)
{
	struct runs r;
	struct err e = { 0 };
	char *text, *link;
	size_t n;

	put_four_runs();
	tmp_write(tmp_path("mine"), "mine", 4);
	r = loaded(NULL, NULL);
	for (int i = 0; i < 2; i++) {
		link = xprintf("%s/%s", r.at[0].path, i ? "tags" : "notes.md");
		cr_assert_eq(symlink(tmp_path("mine"), link), 0);
		cr_assert_eq(i ? run_tag(&r.at[0], "x", &e) : run_set_notes(&r.at[0], "x", &e),
			ST_INVALID);
		cr_assert(strstr(e.msg, "is a link"), "%s", e.msg);
		xfree(link);
	}
	cr_assert_eq(fs_read(tmp_path("mine"), 99, &text, &n, &e), ST_OK);
	cr_assert_str_eq(text, "mine");
	big_free(text);
	runs_release(&r);
}

Test(work_runs, only_what_is_in_the_trash_comes_back_from_it)
{
	struct runs r;
	struct err e = { 0 };
	char *to, *id = NULL, *other = xprintf("%s", tmp_path("other")), *dir = runs_dir(), *round;

	put_four_runs();
	cr_assert_eq(fs_mkdirs(other, &e), ST_OK);
	r = loaded(NULL, NULL);
	cr_assert_eq(run_trash(runs_find(&r, "bbbb", &e), &to, &e), ST_OK, "%s", e.msg);
	xfree(to);
	cr_assert_eq(run_trash(runs_find(&r, "cccc", &e), &to, &e), ST_OK, "%s", e.msg);
	xfree(to);
	cr_assert_eq(run_restore(NULL, other, &id, &e), ST_INVALID);
	cr_assert(fs_is_dir(other));
	round = xprintf("%s/.trash/../%s", dir, r.at[0].id);
	cr_assert_eq(run_restore(NULL, round, &id, &e), ST_INVALID);
	xfree(round);
	for (int i = 0; i < 3; i++) {
		round = xprintf("%s/.trash/%s", dir, i == 2 ? "" : i ? ".." : ".");
		cr_assert_eq(run_restore(NULL, round, &id, &e), ST_INVALID);
		cr_assert_eq(run_restore(NULL, i == 2 ? "" : i ? ".." : ".", &id, &e), ST_INVALID);
		xfree(round);
	}
	cr_assert_eq(run_restore(NULL, "20260101", &id, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "2 in the trash begin or end with 20260101"), "%s", e.msg);
	cr_assert_eq(run_restore(NULL, "bbbb", &id, &e), ST_OK, "%s", e.msg);
	cr_assert_str_eq(id, "20260101-000002-search-bbbb");
	are(NULL, NULL, "dba");
	xfree(id);
	xfree(dir);
	xfree(other);
	runs_release(&r);
}

Test(work_runs, what_a_stranger_wrote_is_one_line_each_and_numbers_without_sense_are_none)
{
	struct runs r;

	put_in_run("x", "run.json",
		"{\"kind\":\"sc\\nan\",\"model\":\"a\\nb\\u001b\",\"text\":\"\\r\",\"options\":"
		"\"\\n\","
		"\"parents\":\"p\\nq\",\"host\":\"h\\n\",\"began\":1e14}");
	put_in_run("x", "end.json",
		"{\"status\":\"o\\nk\",\"seconds\":-1e300,\"summary\":\"s\\nt\","
		"\"numbers\":{\"a\\nb\":1,\"kl\":-1e308,\"stored_bpw\":1e14,\"bytes\":-5}}");
	put_in_run("x", "tags", "one\ntwo\n");
	r = loaded(NULL, NULL);
	cr_assert_eq(r.n, 1);
	cr_assert_str_eq(r.at[0].kind, "sc an");
	cr_assert_str_eq(r.at[0].model, "a b ");
	cr_assert_str_eq(r.at[0].parents, "p q");
	cr_assert_str_eq(r.at[0].status, "o k");
	cr_assert_str_eq(r.at[0].summary, "s t");
	cr_assert_str_eq(r.at[0].tags, "one two");
	cr_assert_str_eq(r.at[0].number[0].name, "a b");
	cr_assert(isnan(r.at[0].seconds) && isnan(r.at[0].bpw) && isnan(r.at[0].kl));
	cr_assert_eq(r.at[0].began, 0);
	cr_assert_eq(r.at[0].bytes, 0);
	runs_release(&r);
}

Test(work_runs, a_thousand_folders_that_are_no_runs_or_broken_ones_are_passed_over)
{
	static const char *const head[] = { "", "{", "{\"v\":1,", "null", "[]", "\"x\"", "{}",
		"{\"kind\":7,\"argv\":[1,2],\"began\":\"x\",\"parents\":[]}",
		"{\"kind\":\"scan\",\"argv\":\"x\",\"began\":-1e308,\"seed\":1e308}", "\xff\xfe" };
	struct runs r;
	char id[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof id, "run-%04d", i);
		put_in_run(id, "run.json", head[i % 10]);
		put_in_run(id, i % 2 ? "end.json" : "layout.json", head[(i / 10) % 10]);
	}
	r = loaded("", "kl");
	cr_assert_eq(r.n, 300, "%zu", r.n);
	for (size_t i = 0; i < r.n; i++)
		cr_assert(*r.at[i].state);
	runs_release(&r);
}
