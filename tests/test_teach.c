/* test_teach.c - a teacher's cache (core/tune/teach.h): what it says, and what happens to its parts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/tune/teacher.h"
#include "tests/lib_base.h"
#include "tests/lib_train.h"

enum { ROWS = 150, WINDOW = 64 }; /* three parts */

static const struct teach_how *how_of(size_t top)
{
	static struct teach_how how;

	how = (struct teach_how){ .model = "demo", .top = top, .math = MATH_F32 };
	return &how;
}

static void write_all(const struct taught *t, const char *dir, size_t top)
{
	struct err e = { 0 };

	cr_assert_eq(teach_write(dir, t->m, t->pack, how_of(top), NULL, &e), ST_OK, "%s", e.msg);
}

/* Losses of four steps by a teacher. */
static void steps_of(const struct taught *t, struct teacher *by, double loss[4])
{
	const struct train_from from = { .view = t->view, .forms = 1, .teacher = by };
	struct train_how how = taught_how("stats");
	struct train *run = NULL;
	struct err e = { 0 };

	how.math = MATH_F32;
	cr_assert_eq(train_new(&run, t->m, &from, &how, t->pack, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < 4; i++)
		loss[i] = taught_steps(run, 1, NULL);
	train_free(run);
}

static void cached(const struct taught *t, const char *dir, double loss[4])
{
	struct teacher *by = NULL;
	struct teach *cache = NULL;
	struct err e = { 0 };

	cr_assert_eq(teach_open(&cache, dir, t->m, t->pack, "demo", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(teacher_cached(&by, t->m, cache, 2 * WINDOW, &e), ST_OK, "%s", e.msg);
	steps_of(t, by, loss);
	teacher_free(by);
	teach_close(cache);
}

Test(teach, a_cache_of_all_tokens_teaches_as_the_reference_does_and_one_of_few_nearly_so)
{
	struct taught t = taught_open("cpu", "int2g32", ROWS, WINDOW, 0.1);
	double live[4], all[4], few[4];
	struct teacher *by = NULL;
	struct err e = { 0 };

	cr_assert_eq(teacher_live(&by, t.m, 2 * WINDOW, &e), ST_OK, "%s", e.msg);
	steps_of(&t, by, live);
	teacher_free(by);
	write_all(&t, tmp_path("all"), t.m->hp.vocab);
	cached(&t, tmp_path("all"), all);
	write_all(&t, tmp_path("few"), 8);
	cached(&t, tmp_path("few"), few);
	for (size_t i = 0; i < 4; i++) {
		/* halves have three digits */
		cr_expect_float_eq(all[i], live[i], 2e-3, "%zu: %g, live %g", i, all[i], live[i]);
		/* what is put together says less: never more, and here by little */
		cr_expect_lt(few[i], live[i] + 2e-3);
		cr_expect_float_eq(few[i], live[i], 0.3 * live[i], "%zu: %g, live %g", i, few[i],
			live[i]);
	}
	taught_close(&t);
}

Test(teach, probabilities_of_a_row_are_the_largest_in_order_and_add_up_to_one)
{
	struct taught t = taught_open("cpu", "keep", ROWS, WINDOW, 0.1);
	struct teach_row *row = xalloc(sizeof *row);
	struct teach *cache = NULL;
	struct err e = { 0 };
	size_t seqs = (size_t)pack_counts(t.pack)->sequences;

	write_all(&t, tmp_path("c"), 16);
	cr_assert_eq(teach_open(&cache, tmp_path("c"), t.m, t.pack, "demo", NULL, &e), ST_OK, "%s",
		e.msg);
	for (size_t s = 0; s < seqs; s += 7)
		for (size_t r = 0; r < pack_rows(t.pack, s); r++) {
			double sum;

			teach_row(cache, s, r, row);
			sum = exp((double)row->rest);
			for (size_t k = 0; k < row->top; k++) {
				sum += exp((double)row->log[k]);
				cr_assert(!k || row->log[k] <= row->log[k - 1]);
				for (size_t j = 0; j < k; j++)
					cr_assert_neq(row->token[j], row->token[k]);
			}
			cr_assert_float_eq(sum, 1, 5e-3, "%zu, %zu: %g", s, r, sum);
		}
	teach_close(cache);
	xfree(row);
	taught_close(&t);
}

static char *read_all(const char *path, size_t *n)
{
	struct err e = { 0 };
	char *text = NULL;

	cr_assert_eq(fs_read(path, 1 << 24, &text, n, &e), ST_OK, "%s", e.msg);
	return text;
}

static bool part_is(const char *name, const char *was, size_t n)
{
	size_t now;
	char *text = read_all(tmp_path(name), &now);
	bool same = now == n && !memcmp(text, was, n);

	big_free(text);
	return same;
}

Test(teach, parts_that_are_there_stay_and_what_is_torn_or_missing_is_made_again)
{
	struct taught t = taught_open("cpu", "keep", ROWS, WINDOW, 0.1);
	struct fs_id id, now;
	struct err e = { 0 };
	char *was[3], *zeros;
	size_t n[3];

	write_all(&t, tmp_path("c"), 16);
	cr_expect_eq(teach_bytes(t.m, t.pack, 16), fs_tree_bytes(tmp_path("c")));
	was[0] = read_all(tmp_path("c/part-000000.teach"), &n[0]);
	was[1] = read_all(tmp_path("c/part-000001.teach"), &n[1]);
	was[2] = read_all(tmp_path("c/part-000002.teach"), &n[2]);
	cr_assert_eq(fs_identify(tmp_path("c/part-000000.teach"), &id, &e), ST_OK);
	tmp_write(tmp_path("c/part-000001.teach"), was[1], n[1] / 2);
	cr_assert_eq(fs_remove_tree(tmp_path("c/part-000002.teach"), &e), ST_OK);
	write_all(&t, tmp_path("c"), 16);
	cr_assert_eq(fs_identify(tmp_path("c/part-000000.teach"), &now, &e), ST_OK);
	cr_expect(fs_id_equal(&id, &now), "what was whole is not written again");
	cr_expect(part_is("c/part-000001.teach", was[1], n[1]));
	cr_expect(part_is("c/part-000002.teach", was[2], n[2]));
	/* empty, of zeros, and a file of somebody else's */
	zeros = big_alloc(n[2], "zeros", &e);
	memset(zeros, 0, n[2]);
	tmp_write(tmp_path("c/part-000000.teach"), "", 0);
	tmp_write(tmp_path("c/part-000001.teach"), "hello", 5);
	tmp_write(tmp_path("c/part-000002.teach"), zeros, n[2]);
	big_free(zeros);
	write_all(&t, tmp_path("c"), 16);
	cr_expect(part_is("c/part-000000.teach", was[0], n[0]));
	cr_expect(part_is("c/part-000001.teach", was[1], n[1]));
	cr_expect(part_is("c/part-000002.teach", was[2], n[2]));
	cr_expect_eq(teach_write(tmp_path("c"), t.m, t.pack, how_of(8), NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "has 16 tokens a row, not 8: take another folder, or as many"),
		"%s", e.msg);
	for (size_t i = 0; i < 3; i++)
		big_free(was[i]);
	taught_close(&t);
}

static void refuses(const struct taught *t, const char *model, const char *say)
{
	struct teach *cache = NULL;
	struct err e = { 0 };

	cr_expect_neq(teach_open(&cache, tmp_path("c"), t->m, t->pack, model, NULL, &e), ST_OK);
	cr_expect(strstr(e.msg, say), "\"%s\" has no \"%s\"", e.msg, say);
}

Test(teach, another_model_other_data_and_damage_are_told_apart)
{
	struct taught t = taught_open("cpu", "keep", ROWS, WINDOW, 0.1);
	struct taught other = taught_open("cpu", "keep", ROWS - 9, WINDOW, 0.1);
	struct err e = { 0 };
	size_t n;
	char *text;

	refuses(&t, "demo", "bitdial teach makes a teacher's cache");
	write_all(&t, tmp_path("c"), 16);
	refuses(&t, "another", "another model");
	refuses(&other, "demo", "other data");
	cr_expect_eq(teach_write(tmp_path("c"), other.m, other.pack, how_of(16), NULL, &e),
		ST_INVALID);
	cr_expect(strstr(e.msg, "other data"), "%s", e.msg);
	text = read_all(tmp_path("c/part-000001.teach"), &n);
	text[n / 2] ^= 1;
	tmp_write(tmp_path("c/part-000001.teach"), text, n);
	refuses(&t, "demo", "part-000001.teach is damaged");
	cr_assert_eq(fs_remove_tree(tmp_path("c/part-000001.teach"), &e), ST_OK);
	refuses(&t, "demo", "2 of 3 parts");
	tmp_write(tmp_path("c/part-000000.teach"), "hello", 5);
	refuses(&t, "demo", "no part of a teacher's cache");
	big_free(text);
	taught_close(&t);
	taught_close(&other);
}

static bool at_once(const struct sink *s)
{
	(void)s;
	return true;
}

Test(teach, a_stop_and_a_full_disk_leave_whole_parts_only)
{
	struct taught t = taught_open("cpu", "keep", ROWS, WINDOW, 0.1);
	const struct sink stop = { .poll = at_once };
	struct err e = { 0 };
	bool failed = false;

	cr_expect_eq(teach_write(tmp_path("c"), t.m, t.pack, how_of(16), &stop, &e), ST_CANCELLED);
	cr_expect_eq(fs_tree_bytes(tmp_path("c")), 0);
	for (unsigned long at = 1; at < 60 && !failed; at += 7) {
		cr_assert_eq(fs_remove_tree(tmp_path("c"), &e), ST_OK);
		fs_fail_at(at, ENOSPC);
		failed = teach_write(tmp_path("c"), t.m, t.pack, how_of(16), NULL, &e) != ST_OK;
		fs_fail_at(0, 0);
		cr_expect(failed, "write %lu", at);
		write_all(&t, tmp_path("c"), 16);
		cr_expect_eq(teach_bytes(t.m, t.pack, 16), fs_tree_bytes(tmp_path("c")));
		failed = false;
		if (at > 20)
			break;
	}
	taught_close(&t);
}

Test(teach, a_width_that_cannot_be_is_refused)
{
	struct taught t = taught_open("cpu", "keep", 8, WINDOW, 0);
	struct err e = { 0 };

	cr_expect_eq(teach_write(tmp_path("c"), t.m, t.pack, how_of(0), NULL, &e), ST_INVALID);
	cr_expect_eq(teach_write(tmp_path("c"), t.m, t.pack, how_of(100000), NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "tokens a row, not 100000"), "%s", e.msg);
	taught_close(&t);
}
