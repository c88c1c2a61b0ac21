/* test_work_points.c - the journal of measured layouts: kept, damaged, of something else. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/desk.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static struct err e;

static struct desk *scanned(void)
{
	struct desk *d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);

	cr_assert_eq(desk_prepare(d, STAGE_ENDS, NULL, &e), ST_OK, "%s", e.msg);
	return d;
}

/* The journal of the one model there is; xfree. */
static char *journal(void)
{
	char *dir = xprintf("%s/models", cache_dir()), **names, *path;
	size_t n;

	cr_assert_eq(fs_list(dir, &names, &n, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(n, 1);
	path = xprintf("%s/%s/points.tsv", dir, names[0]);
	cr_assert(fs_is_file(path));
	return path;
}

static void append(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "ab");

	cr_assert(f && fwrite(bytes, 1, n, f) == n && !fclose(f));
}

TestSuite(work_points, .init = work_home, .timeout = 60);

Test(work_points, come_back_with_every_digit_and_go_with_the_formats)
{
	struct desk *d = scanned();
	size_t n = d->n_points;
	double kl = d->point[0].kl, se = d->point[0].se;
	uint64_t bytes = d->point[0].bytes;

	cr_assert_geq(n, 1);
	cr_assert_eq(d->point[0].tokens + 8, DESK_MEASURE_TOKENS, "a window scores all but one");
	desk_close(d);
	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	cr_assert_eq(d->n_points, n);
	cr_assert_float_eq(d->point[0].kl, kl, 1e-8 * kl);
	cr_assert_float_eq(d->point[0].se, se, 1e-8 * se);
	cr_assert_eq(d->point[0].bytes, bytes);
	cr_assert_eq(desk_point_of(d, d->point[0].choice), &d->point[0]);
	cr_assert_eq(desk_set_formats(d, "int2g64,keep", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->n_points, 0);
	desk_close(d);
}

Test(work_points, torn_and_strange_lines_are_left_out)
{
	static const char odd[] = "\n\t\t\n\0\0x\nzzz\tmeasured\t1\t2\t3\tabc\t00000000\n";
	struct desk *d = scanned();
	size_t n = d->n_points, size;
	char *path = journal(), *text;

	desk_close(d);
	cr_assert_eq(fs_read(path, 1 << 20, &text, &size, &e), ST_OK);
	append(path, odd, sizeof odd - 1);
	append(path, text + 3, size / 2);
	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	cr_assert_eq(d->n_points, n);
	desk_close(d);
	xfree(path);
	big_free(text);
}

Test(work_points, the_prediction_of_a_layout_goes_through_them)
{
	struct desk *d = scanned();
	size_t nk = d->set.n * d->set.k;
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se), sum = 0, kl;
	struct predict p;
	const char *source;

	cr_assert(desk_damage(d, damage, se, &source));
	for (size_t i = 0; i < d->set.n; i++)
		sum += damage[i * d->set.k + d->point[0].choice[i]];
	desk_prediction(d, damage, &p);
	kl = predict_kl(&p, sum, 0, NULL);
	cr_assert_float_eq(kl, d->point[0].kl, 0.15 * d->point[0].kl, "%g, measured %g, sum %g", kl,
		d->point[0].kl, sum);
	xfree(damage);
	xfree(se);
	desk_close(d);
}

Test(work_points, one_that_is_measured_again_is_the_last)
{
	struct desk *d = scanned();
	uint8_t *first = xarray(d->set.n, 1);
	struct eval_result r;

	cr_assert_gt(d->n_points, 1);
	memcpy(first, d->point[0].choice, d->set.n);
	cr_assert_eq(desk_measure(d, first, DESK_MEASURE_TOKENS, "measured", &r, NULL, &e), ST_OK);
	cr_assert_eq(memcmp(d->point[d->n_points - 1].choice, first, d->set.n), 0,
		"others go before it where there are too many");
	xfree(first);
	desk_close(d);
}

Test(work_points, before_the_best_variants_are_there_one_is_shown_and_not_kept)
{
	struct desk *d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	uint8_t *low;
	struct eval_result r;
	struct predict p;
	double *damage, *se;
	const char *source;

	cr_assert_eq(desk_prepare(d, STAGE_FAST, NULL, &e), ST_OK, "%s", e.msg);
	low = xarray(d->set.n, 1);
	damage = xarray(d->set.n * d->set.k, sizeof *damage);
	se = xarray(d->set.n * d->set.k, sizeof *se);
	cr_assert_eq(desk_measure(d, low, 256, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->n_points, 1);
	cr_assert_str_eq(d->point[0].what, "early");
	cr_assert_eq(desk_place(d).points, 0);
	cr_assert(desk_damage(d, damage, se, &source));
	desk_prediction(d, damage, &p);
	cr_assert_float_eq(predict_kl(&p, 0.5, 0, NULL), 0.5, 1e-12, "it says nothing of others");
	xfree(low);
	xfree(damage);
	xfree(se);
	desk_close(d);
}
