/* test_runs_train.c - what the table of runs says of a run of training, and what it was at first.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/runs.h"
#include "tests/lib_runs.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(runs_train, .init = scene_home, .timeout = 240);

static void add_line(void *arg, const char *name, const char *x, const char *y)
{
	char *all = arg;

	(void)y;
	if (strcmp(name, "dial") == 0 || strcmp(name, "KL") == 0 || strcmp(name, "bpw") == 0 ||
		strncmp(name, "best_", 5) == 0 || strcmp(name, "held_kl") == 0)
		snprintf(all + strlen(all), 400 - strlen(all), "%s: %s\n", name, x);
}

/* As it was written when the lowest KL was still called a loss. */
Test(runs_train, a_calibration_has_the_mean_kl_of_its_dial_and_no_bits_of_one_format)
{
	static const char id[] = "20260101-000005-train-eeee";
	char said[400] = "";
	struct runs r;
	struct err e = { 0 };

	put_run(id, "train", "ok", 5000, 4.46, 0.2, "");
	put_in_run(id, "run.json",
		"{\"v\":1,\"kind\":\"train\",\"train\":{\"teach\":true,"
		"\"dial\":\"int2g64,int4g128\",\"layout\":\"int4g128\"}}");
	put_in_run(id, "end.json",
		"{\"v\":1,\"status\":\"ok\",\"numbers\":{\"held_nll\":4.5,\"held_kl\":0.125,"
		"\"stored_bpw\":4.46,\"best_nll\":0.0625}}");
	cr_assert_eq(runs_load(&r, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(r.n, 1);
	cr_expect_float_eq(r.at[0].kl, 0.125, 1e-12);
	cr_expect(isnan(r.at[0].bpw) && !r.at[0].bytes, "%g", r.at[0].bpw);
	run_facts(&r.at[0], add_line, said);
	cr_expect_str_eq(said, "dial: int2g64,int4g128\n"
			       "KL: 0.125 on what is held out, the mean of five budgets\n"
			       "best_nll: 0.0625\n");
	runs_release(&r);
}

/* ---- its first look */

static void same(double one, double other)
{
	cr_expect(fabs(one - other) < 1e-8, "%.12g and %.12g", one, other);
}

Test(runs_train, a_run_that_goes_on_knows_what_it_was_at_first)
{
	static const char table[] = "# step\twall_s\tse\tnll\n0\t1\t0.5\t4.25\n5\t2\t0.5\t3\n";
	struct scene s;
	struct train_ask a = scene_ask("latent"), more;
	struct train_run *r = NULL;
	struct train_first first;
	struct err e = { 0 };
	char *dir, *held;

	a.dial = "int2g32,int4g64";
	a.teach = true;
	scene_open(&s, work_demo(1));
	dir = scene_stopped(&s, &a, 7);
	held = xprintf("%s/metrics/held.tsv", dir);
	more = scene_again(dir);
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &more, NULL, &e), ST_OK, "%s", e.msg);
	first = train_run_first(r);
	cr_expect(first.kl > 0 && first.nll > 1, "%g %g", first.kl, first.nll);
	same(first.kl, (first.point[0] + first.point[1] + first.point[2] + first.point[3] +
			       first.point[4]) /
			       TRAIN_POINTS);
	cr_expect_gt(train_run_sums(r).tokens, 0);
	cr_assert_eq(fs_write_all(held, table, sizeof table - 1, &e), ST_OK);
	same(train_run_first(r).nll, 4.25);
	cr_assert_eq(fs_write_all(held, "# step\twall_s", 13, &e), ST_OK);
	cr_expect(isnan(train_run_first(r).nll), "a table that was cut short has none");
	train_run_free(r);
	xfree(held);
	xfree(dir);
	scene_close(&s);
}
