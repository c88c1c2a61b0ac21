/* test_texts_kept.c - what is kept of a text is never taken for another: cells of other
 * calibrated variants, files that change. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static const char formats[] = "int2g64,int4g64,keep";

/* A text of n letters that from one of them on is another one. */
static const char *text_from(const char *name, size_t n, size_t from, const char *word)
{
	const char *path = work_file(name, n);
	char *s = xalloc(n);
	size_t len = strlen(word);
	FILE *f = fopen(path, "rb");

	cr_assert(f && fread(s, 1, n, f) == n && !fclose(f));
	for (size_t i = from; i < n; i++)
		s[i] = word[(i * i + i / 5) % len];
	tmp_write(path, s, n);
	xfree(s);
	return path;
}

static struct desk *scanned(const char *cache, const char *const *word, size_t n)
{
	struct sources s = work_sources(word, n);
	struct err e = { 0 };
	struct desk *d;

	setenv("XDG_CACHE_HOME", tmp_path(cache), 1);
	d = work_desk(work_demo(1), formats, NULL);
	cr_assert_eq(desk_set_sources(d, &s, 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	sources_release(&s);
	return d;
}

/* The cells of a desk that found something in its cache are those of one that found nothing. */
static void expect_as_fresh(struct desk *d, const char *const *word, size_t n)
{
	struct desk *fresh = scanned("fresh", word, n);
	size_t calibrated = 0;

	for (size_t i = 0; i < d->set.n * d->set.k; i++) {
		cr_expect_eq(d->cell[i].state, fresh->cell[i].state, "cell %zu", i);
		cr_expect_float_eq(d->cell[i].value, fresh->cell[i].value,
			1e-6F * fresh->cell[i].value, "cell %zu: %g, not %g", i,
			(double)d->cell[i].value, (double)fresh->cell[i].value);
		cr_expect_str_eq(d->cell_by[i], fresh->cell_by[i]);
		calibrated += strchr(d->cell_by[i], '@') != NULL;
	}
	cr_assert_gt(calibrated, 0);
	desk_close(fresh);
}

TestSuite(texts_kept, .init = work_home, .timeout = 120);

Test(texts_kept, cells_of_a_text_with_another_end_are_measured_again)
{
	const char *path = text_from("a.txt", 20000, 20000, "x");
	struct desk *d = scanned("cache", &path, 1);
	char hash[17];

	memcpy(hash, d->text_hash, sizeof hash);
	desk_close(d);
	path = text_from("a.txt", 20001, 3000, "zebras. Quoting 12 of 97 ");
	d = scanned("cache", &path, 1);
	cr_assert_str_eq(d->text_hash, hash, "the part that is scanned is the same");
	expect_as_fresh(d, &path, 1);
	desk_close(d);
}

Test(texts_kept, cells_of_a_text_alone_are_not_those_among_several)
{
	const char *a = work_file("a.txt", 20000);
	const char *b = text_from("b.txt", 20000, 0, "zebras. Quoting 12 of 97 ");
	const char *const both[] = { a, b };
	struct desk *d = scanned("cache", &a, 1);

	desk_close(d);
	d = scanned("cache", both, 2);
	expect_as_fresh(d, both, 2);
	desk_close(d);
}

Test(texts_kept, a_line_that_does_not_say_what_calibrated_it_is_left_alone)
{
	const char *path = work_file("a.txt", 20000);
	struct desk *d = scanned("cache", &path, 1);
	struct cached_cell old = { .linear = 3, .format = d->set.format[0] };
	float was = d->cell[3 * d->set.k].value;

	memcpy(old.text, d->text_hash, sizeof old.text);
	desk_by(quantizer_find(quantizer_calibrated), old.by);
	old.tokens = 128;
	old.kl = 77;
	cache_put_cell(d->cache, &old);
	desk_close(d);
	d = scanned("cache", &path, 1);
	cr_assert_float_eq(d->cell[3 * d->set.k].value, was, 1e-8);
	desk_close(d);
}

Test(texts_kept, a_file_that_changes_in_between_is_not_mixed_with_what_it_was)
{
	const char *path = work_file("a.txt", 20000);
	struct desk *d = work_desk(work_demo(1), formats, path);
	struct err e = { 0 };
	char key[2][16];

	cr_assert_eq(desk_prepare(d, STAGE_FAST, NULL, &e), ST_OK, "%s", e.msg);
	desk_best_key(d, key[0]);
	text_from("a.txt", 20001, 0, "zebras. Quoting 12 of 97 ");
	desk_best_key(d, key[1]);
	cr_assert_str_eq(key[0], key[1], "of the file that was named");
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "a.txt changed while it was in use"), "%s", e.msg);
	cr_assert_eq(desk_set_text(d, path, 0, NULL, &e), ST_OK, "%s", e.msg);
	desk_best_key(d, key[1]);
	cr_assert_str_neq(key[0], key[1]);
	desk_close(d);
}
