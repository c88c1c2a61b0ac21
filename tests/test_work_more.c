/* test_work_more.c - cells that are measured on more of the text. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

static const char formats[] = "int2g64,int4g64,keep";
static int measured;

static void count(void *arg, const struct scan_cell *c, const char *stage)
{
	(void)arg;
	(void)c;
	measured += !strcmp(stage, "more");
}

static void setup(void)
{
	work_home();
}

TestSuite(work_more, .init = setup);

static const struct scan_cell asked[] = { { .linear = 3, .format = 0 },
	{ .linear = 3, .format = 1 }, { .linear = 9, .format = 0 }, { .linear = 9, .format = 2 } };

static struct desk *scanned(const char *text)
{
	struct desk *d = work_desk(work_demo(1), formats, text);
	struct err e = { 0 };

	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	d->measured = count;
	measured = 0;
	return d;
}

Test(work_more, cells_asked_for_stand_on_more_tokens_and_the_others_stay)
{
	struct desk *d = scanned(NULL);
	struct map_cell before = d->cell[3 * d->set.k], other = d->cell[4 * d->set.k];
	struct lib_stop stop;
	struct err e = { 0 };
	size_t more;

	lib_stop_init(&stop, 1);
	cr_assert_eq(desk_measure_more(d, asked, 4, NULL, &stop.sink, &e), ST_CANCELLED);
	cr_assert_eq(desk_measure_more(d, asked, 4, &more, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(measured, 3, "keep is exact as it is");
	cr_assert_eq(more, 3);
	cr_assert_eq(d->cell[3 * d->set.k].tokens, DESK_MORE_TOKENS);
	cr_assert_eq(d->cell[3 * d->set.k].state, CELL_SCANNED);
	cr_assert_lt(d->cell[3 * d->set.k].se, before.se, "four times four tokens");
	cr_assert_float_eq(d->cell[3 * d->set.k].value, before.value, 8 * before.se);
	cr_assert_eq(d->cell[4 * d->set.k].tokens, other.tokens);
	cr_assert_eq(desk_measure_more(d, asked, 4, &more, NULL, &e), ST_OK);
	cr_assert_eq(measured, 3, "once is enough");
	cr_assert_eq(more, 0);
	desk_close(d);
}

Test(work_more, they_come_back_from_the_cache_and_a_scan_does_not_undo_them)
{
	struct desk *d = scanned(NULL);
	struct err e = { 0 };

	cr_assert_eq(desk_measure_more(d, asked, 4, NULL, NULL, &e), ST_OK, "%s", e.msg);
	desk_close(d);
	d = scanned(NULL);
	cr_assert_eq(d->cell[9 * d->set.k].tokens, DESK_MORE_TOKENS);
	cr_assert_eq(d->cell[4 * d->set.k].tokens, 128);
	desk_close(d);
}

Test(work_more, a_file_gives_what_lies_behind_its_other_parts_or_nothing)
{
	struct desk *d = scanned(work_text("short.txt", 8000));
	struct token_text t;
	struct err e = { 0 };
	size_t more;

	cr_assert_eq(desk_measure_more(d, asked, 4, &more, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(more, 0);
	cr_assert_eq(d->cell[3 * d->set.k].tokens, 128, "too short for more");
	cr_assert_eq(measured, 0);
	desk_close(d);
	d = scanned(work_text("long.txt", 200000));
	cr_assert_eq(desk_more_text_of(d, d->text_path, DESK_MORE_TOKENS, &t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(t.n_seq * t.len, DESK_MORE_TOKENS);
	token_text_release(&t);
	cr_assert_eq(desk_measure_more(d, asked, 4, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->cell[3 * d->set.k].tokens, DESK_MORE_TOKENS);
	desk_close(d);
}
