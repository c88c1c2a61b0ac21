/* test_panel_jobs.c - what runs, and what became of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/panel/jobs.h"
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

Test(jobs, what_is_paused_says_so_and_has_no_rate)
{
	struct snap_progress *g = made_progress("train", 171, 240);

	p = alone_open(&panel_jobs);
	began(7, "train");
	g->held = true;
	alone_hear(&p, EV_JOB_PROGRESS, 7, 0, &g->snap);
	cr_assert_str_eq(
		row(100, 1, 0), " ● train  71 %  ━━━━━━━━━───  paused  171 of 240 cells  job 7");
	row(100, 12, 0);
	cr_expect(strstr(shown, "71 %") && strstr(shown, "  paused  "), "%s", shown);
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

/* ---- the tree */

static void queued(uint32_t id, const char *name, uint32_t parent, int lane, int64_t order)
{
	struct snap_job *j = snap_job_new(name);

	j->parent = parent;
	j->lane = lane;
	j->order = order;
	alone_hear(&p, EV_JOB_QUEUED, id, 0, &j->snap);
}

static void go(const char *where)
{
	cr_assert(p.class->on_command(p.self, "move", where));
}

Test(jobs, on_more_lines_it_is_a_tree_with_what_waits_and_what_has_ended)
{
	p = alone_open(&panel_jobs);
	shows(60, 6, " nothing runs, and nothing has run yet\n\n\n\n\n\n");
	began(1, "script sweep.lua");
	queued(2, "scan", 1, 3, 2);
	began(2, "scan");
	queued(3, "export", 0, 2, 3);
	queued(4, "measure", 0, 2, 1);
	queued(5, "open", 0, 3, 5);
	began(5, "open");
	ended(5, ST_IO, "no such file");
	shows(60, 6,
		">● script sweep.lua  begins  job 1\n"
		"   ● scan  begins  scan lane  job 2\n"
		" ○ measure  waits  measure lane  job 4\n"
		" ○ export  waits  measure lane  job 3\n"
		" ! open  failed  no such file\n"
		"\n");
	queued(3, "export", 0, 2, 0); /* it was raised */
	cr_assert_str_eq(row(60, 6, 2), " ○ export  waits  measure lane  job 3");
}

Test(jobs, the_cursor_is_on_a_job_not_on_a_row)
{
	p = alone_open(&panel_jobs);
	cr_assert_eq(jobs_panel_at(p.self), 0);
	began(1, "scan");
	queued(2, "export", 0, 2, 2);
	cr_assert_eq(jobs_panel_at(p.self), 1);
	go("down");
	cr_assert_eq(jobs_panel_at(p.self), 2);
	began(3, "chat");
	cr_assert_eq(jobs_panel_at(p.self), 2);
	alone_hear(&p, EV_JOB_STOPPING, 2, 0, NULL);
	row(60, 6, 0);
	cr_assert(strstr(shown, ">● export  stopping…"), "%s", shown);
	ended(2, ST_CANCELLED, "export stopped");
	cr_assert_eq(jobs_panel_at(p.self), 0, "it has ended");
	row(60, 6, 0);
	cr_assert(strstr(shown, ">· export  stopped"), "%s", shown);
	go("first");
	cr_assert_eq(jobs_panel_at(p.self), 3);
}

Test(jobs, ends_in_a_moment_are_counted_and_the_list_is_bounded)
{
	char name[16];

	p = alone_open(&panel_jobs);
	for (uint32_t i = 1; i <= 5; i++) {
		began(i, "solve");
		ended(i, ST_OK, "");
	}
	cr_assert_str_eq(row(60, 6, 0), ">· solve  done  5 times");
	for (uint32_t i = 10; i < 60; i++) {
		snprintf(name, sizeof name, "job%u", i);
		began(i, name);
		ended(i, ST_OK, "");
	}
	row(60, 40, 0);
	cr_assert(strstr(shown, "job59  done") && !strstr(shown, "job40  done"), "%s", shown);
}

Test(jobs, a_whole_estimate_and_the_time_so_far_stand_beside_the_stage)
{
	struct snap_progress *g = made_progress("fast pass", 10, 630);

	p = alone_open(&panel_jobs);
	queued(7, "scan", 0, 3, 7);
	began(7, "scan");
	g->ran_s = 33;
	g->whole_s = 200;
	alone_hear(&p, EV_JOB_PROGRESS, 7, 0, &g->snap);
	row(160, 6, 0);
	cr_assert(strstr(shown, "● scan: fast pass  1 %"), "%s", shown);
	cr_assert(strstr(shown, "about 3 min 20 s in all") && strstr(shown, "runs 33 s"), "%s",
		shown);
}

Test(jobs, of_one_that_ended_it_is_told_how_long_it_took_when_it_began_and_what_came_of_it)
{
	p = alone_open(&panel_jobs);
	began(1, "measure");
	nanosleep(&(struct timespec){ 0, 120000000 }, NULL);
	ended(1, ST_OK, "KL 0.0123 ± 0.0004");
	row(100, 6, 0);
	cr_assert(strstr(shown, ">· measure  done  after ") && strstr(shown, " s  began ") &&
			  strstr(shown, "  KL 0.0123 ± 0.0004"),
		"%s", shown);
	row(50, 6, 0);
	cr_assert(!strstr(shown, "began") && strstr(shown, "  KL 0.0123 ± 0.0004"), "%s", shown);
}
