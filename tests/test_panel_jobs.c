/* test_panel_jobs.c - what runs, and what became of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_jobs;

static struct alone p;
static char *shown;

static const char *row(int w, int h, int y)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return alone_row(shown, y);
}

static void shows(int w, int h, const char *want)
{
	row(w, h, 0);
	cr_assert_str_eq(shown, want, "got\n%s", shown);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(jobs, .fini = end);

static void began(uint32_t id, const char *name)
{
	alone_hear(&p, EV_JOB_BEGAN, id, 0, &snap_text_new(name)->snap);
}

static void ended(uint32_t id, enum st st, const char *sentence)
{
	alone_hear(&p, EV_JOB_ENDED, id, st, &snap_text_new(sentence)->snap);
}

Test(jobs, nothing_runs_at_first)
{
	p = alone_open(&panel_jobs);
	cr_assert_str_eq(row(78, 1, 0), " nothing runs");
}

Test(jobs, progress_rate_and_time_left_are_shown)
{
	p = alone_open(&panel_jobs);
	began(7, "prepare");
	cr_assert_str_eq(row(100, 1, 0), " ● prepare  begins");
	alone_hear(&p, EV_JOB_PROGRESS, 7, 0, &made_progress("scan", 403, 630)->snap);
	cr_assert_str_eq(row(100, 1, 0), " ● scan  63 %  ━━━━━━━━────  3 min 20 s left  "
					 "403 of 630 cells  5.1 cells/s  job 7");
	cr_assert_str_eq(row(30, 1, 0), " ● scan  63 %  3 min 20 s left");
}

Test(jobs, work_of_unknown_size_counts_seconds)
{
	struct snap_progress *g = made_progress("export", 0, 0);

	p = alone_open(&panel_jobs);
	began(1, "export");
	g->rate = 0;
	g->left_s = NAN;
	alone_hear(&p, EV_JOB_PROGRESS, 1, 0, &g->snap);
	cr_assert_str_eq(row(60, 1, 0), " ● export  working 12 s  job 1");
}

Test(jobs, the_newest_is_first_and_the_others_are_counted)
{
	p = alone_open(&panel_jobs);
	began(1, "scan");
	began(2, "measure");
	began(3, "chat");
	cr_assert_str_eq(
		row(60, 1, 0), " ● chat  begins                                     +2 more");
	shows(60, 3, " ● chat  begins\n ● measure  begins\n ● scan  begins\n");
	ended(2, ST_OK, "");
	shows(60, 3, " ● chat  begins\n ● scan  begins\n measure is done\n");
}

Test(jobs, a_failure_keeps_its_sentence)
{
	p = alone_open(&panel_jobs);
	began(1, "scan");
	ended(1, ST_NOMEM, "out of memory: 12 GiB wanted");
	cr_assert_str_eq(row(78, 1, 0), " nothing runs  scan failed: out of memory: 12 GiB wanted");
	cr_assert_str_eq(row(50, 1, 0), " scan failed: out of memory: 12 GiB wanted");
	cr_assert_str_eq(row(30, 1, 0), " scan failed: out of memory: …");
	cr_assert_eq(alone_role(&p, 50, 1, 2, 0), ROLE_BAD);
	began(2, "scan");
	ended(2, ST_CANCELLED, "scan stopped");
	cr_assert_str_eq(row(78, 1, 0), " nothing runs  scan was stopped");
}

Test(jobs, a_sentence_from_outside_is_sanitised)
{
	p = alone_open(&panel_jobs);
	began(1, "open");
	ended(1, ST_INVALID, "open: \x1b]0;evil\x07 name");
	cr_assert_str_eq(row(78, 1, 0), " nothing runs  failed: open: ]0;evil name");
}

Test(jobs, progress_of_a_job_that_is_not_there_is_no_news)
{
	p = alone_open(&panel_jobs);
	cr_assert_not(alone_hear(&p, EV_JOB_PROGRESS, 9, 0, &made_progress("x", 1, 2)->snap));
	ended(9, ST_OK, "");
	cr_assert_str_eq(row(78, 1, 0), " nothing runs");
}
