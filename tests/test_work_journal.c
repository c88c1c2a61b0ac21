/* test_work_journal.c - journals of the cache that were damaged, and a cache that nothing can be
 * written to: each is one sentence. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/cache_private.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static char said[4096];
static int times;

static void hear(enum log_level l, const char *text)
{
	(void)l;
	snprintf(said, sizeof said, "%s", text);
	times++;
}

static void home(void)
{
	work_home();
	log_watch(hear);
}

static struct checkpoint *ck;

static struct cache *cache_now(void)
{
	struct cache *c = NULL;
	struct err e = { 0 };

	times = 0;
	cr_assert_eq(cache_open(&c, ck, false, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(cache_identify(c, ck, NULL, &e), ST_OK, "%s", e.msg);
	return c;
}

static struct cached_cell cell_of(double kl, double se)
{
	return (struct cached_cell){ .format = { 2, 64 },
		.by = "gptq3@0123abcd",
		.text = "0123456789abcdef",
		.tokens = 64,
		.kl = kl,
		.se = se,
		.top1 = 0.5 };
}

static size_t cells_now(void)
{
	const struct cached_cell *cell;
	struct cache *c = cache_now();
	size_t n = cache_cells(c, &cell);

	if (n)
		cr_expect_str_eq(cell[0].by, "gptq3@0123abcd");
	cache_close(c);
	return n;
}

static char *first_cell(void)
{
	struct cached_cell cell = cell_of(1, 0.1);
	struct err e = { 0 };
	struct cache *c;
	char *path;

	cr_assert_eq(checkpoint_open(&ck, work_demo(1), &e), ST_OK, "%s", e.msg);
	c = cache_now();
	cache_put_cell(c, &cell);
	path = xprintf("%s/cells.tsv", c->path);
	cache_close(c);
	return path;
}

static void append(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "ab");

	cr_assert(f && fwrite(bytes, 1, n, f) == n && !fclose(f));
}

TestSuite(work_journal, .init = home, .timeout = 60);

Test(work_journal, numbers_below_nothing_are_damaged_lines)
{
	static const double bad[][2] = { { -1, 0.1 }, { 1, -0.1 } };
	char *path = first_cell();

	for (size_t i = 0; i < 2; i++) {
		char *line = xprintf("0\tint2g64\tgptq3\t0123456789abcdef\t64\t%g\t%g\t0.5",
			bad[i][0], bad[i][1]);
		char *whole = xprintf("%s\t%08x\n", line, cache_line_sum(line, strlen(line)));

		append(path, whole, strlen(whole));
		xfree(whole);
		xfree(line);
	}
	cr_assert_eq(cells_now(), 1);
	cr_assert(strstr(said, "2 damaged lines"), "%s", said);
	cr_assert_eq(times, 1);
	checkpoint_close(ck);
	xfree(path);
}

Test(work_journal, a_first_score_without_an_error_is_none)
{
	struct cached_cell cell = cell_of(1, (double)NAN);
	char *path = first_cell();
	struct cache *c = cache_now();

	cell.tokens = 0;
	cache_put_cell(c, &cell);
	cache_close(c);
	cr_assert_eq(cells_now(), 2);
	cr_assert_eq(times, 0, "%s", said);
	checkpoint_close(ck);
	xfree(path);
}

Test(work_journal, a_tail_longer_than_a_line_is_damage_and_a_shorter_one_a_crash)
{
	static char tail[300];
	char *path = first_cell();

	memset(tail, 'x', sizeof tail);
	append(path, tail, 100);
	cr_assert_eq(cells_now(), 1);
	cr_assert_eq(times, 0, "%s", said);
	append(path, tail, sizeof tail);
	cr_assert_eq(cells_now(), 1);
	cr_assert_eq(times, 1);
	cr_assert(strstr(said, "1 damaged line"), "%s", said);
	checkpoint_close(ck);
	xfree(path);
}

Test(work_journal, what_cannot_be_written_is_said_once)
{
	struct cached_cell cell = cell_of(1, 0.1);
	int32_t id[16] = { 0 };
	struct token_text t = { .id = id, .n_seq = 1, .len = 16 };
	char *path = first_cell();
	struct cache *c = cache_now();

	for (int i = 0; i < 3; i++) {
		fs_fail_at(1, EROFS);
		cache_put_cell(c, &cell);
		fs_fail_at(1, EROFS);
		cache_put_text(c, 1, &t);
	}
	fs_fail_at(0, 0);
	cr_assert_eq(times, 1);
	cr_assert(strstr(said, "Read-only file system; what of this run cannot"), "%s", said);
	cache_close(c);
	checkpoint_close(ck);
	xfree(path);
}
