/* test_work_job.c - lanes, stopping, and that every job ends exactly once. */
#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/work/bus.h"
#include "core/work/job.h"
#include "core/work/snap.h"

static atomic_bool go, entered;
static char trace[64]; /* engine thread; read when it is idle */
static int done_count[64];
static enum st done_st[64];
static char done_msg[320];

static void mark(char c)
{
	trace[strlen(trace)] = c;
}

static void nap(void)
{
	struct timespec ms = { 0, 1000000 };

	nanosleep(&ms, NULL);
}

static void done(struct job *j)
{
	done_count[j->id]++;
	done_st[j->id] = j->st;
	snprintf(done_msg, sizeof done_msg, "%s", j->err.msg);
}

/* Until `go`, polling; small letters at the begin, capitals at the end. */
static enum st work_wait(struct job *j, struct err *e)
{
	(void)e;
	mark(j->class->name[0]);
	atomic_store(&entered, true);
	while (!atomic_load(&go)) {
		if (job_poll(j)) {
			mark('X');
			return ST_CANCELLED;
		}
		nap();
	}
	mark((char)(j->class->name[0] - 32));
	return ST_OK;
}

static enum st work_quick(struct job *j, struct err *e)
{
	(void)e;
	mark(j->class->name[0]);
	return ST_OK;
}

static enum st work_fail(struct job *j, struct err *e)
{
	(void)j;
	return err_set(e, ST_IO, "the disk is on fire");
}

static const struct job_class scan = { "scan", "cells", LANE_SCAN, work_wait, done };
static const struct job_class chat = { "chat", NULL, LANE_CHAT, work_quick, done };
static const struct job_class key = { "key", NULL, LANE_INTERACTIVE, work_quick, done };
static const struct job_class measure = { "measure", NULL, LANE_MEASURE, work_wait, done };
static const struct job_class low = { "low", NULL, LANE_SCAN, work_quick, done };
static const struct job_class fail = { "fail", NULL, LANE_CHAT, work_fail, done };

static void drain_all(struct jobs *q)
{
	while (jobs_count(q)) {
		struct pollfd p = { .fd = jobs_fd(q), .events = POLLIN };

		cr_assert_eq(poll(&p, 1, 20000), 1, "nothing ended");
		jobs_drain(q);
	}
}

static void wait_entered(void)
{
	while (!atomic_load(&entered))
		nap();
}

Test(work_job, higher_lanes_run_at_the_polls_of_lower_ones)
{
	struct jobs *q = jobs_new(NULL);

	jobs_submit(q, &scan, NULL, NULL);
	wait_entered();
	jobs_submit(q, &chat, NULL, NULL);
	jobs_submit(q, &key, NULL, NULL);
	while (jobs_active(q, &chat) || jobs_active(q, &key))
		nap();
	cr_assert(jobs_active(q, &scan));
	atomic_store(&go, true);
	drain_all(q);
	cr_assert(!strcmp(trace, "sckS") || !strcmp(trace, "skcS"), "%s", trace);
	jobs_free(q);
}

/* Stops itself before it polls, with a higher job waiting. */
static enum st work_late(struct job *j, struct err *e)
{
	(void)e;
	mark('l');
	atomic_store(&entered, true);
	while (!atomic_load(&go))
		nap();
	while (!job_poll(j))
		nap();
	mark('L');
	return ST_CANCELLED;
}

Test(work_job, a_stopped_job_ends_before_what_waits_above_it)
{
	static const struct job_class late = { "late", NULL, LANE_SCAN, work_late, done };
	struct jobs *q = jobs_new(NULL);
	uint32_t id = jobs_submit(q, &late, NULL, NULL);

	wait_entered();
	jobs_submit(q, &chat, NULL, NULL);
	jobs_stop(q, id);
	atomic_store(&go, true);
	drain_all(q);
	cr_assert_str_eq(trace, "lLc", "%s", trace);
	jobs_free(q);
}

Test(work_job, a_lower_or_equal_lane_waits)
{
	struct jobs *q = jobs_new(NULL);

	jobs_submit(q, &measure, NULL, NULL);
	wait_entered();
	jobs_submit(q, &scan, NULL, NULL);
	jobs_submit(q, &measure, NULL, NULL);
	atomic_store(&go, true);
	drain_all(q);
	cr_assert_str_eq(trace, "mMmMsS");
	jobs_free(q);
}

Test(work_job, a_job_stopped_while_queued_is_done_once_and_never_works)
{
	struct jobs *q = jobs_new(NULL);
	uint32_t first = jobs_submit(q, &scan, NULL, NULL), second;

	wait_entered();
	second = jobs_submit(q, &scan, NULL, NULL);
	jobs_stop(q, second);
	atomic_store(&go, true);
	drain_all(q);
	cr_assert_str_eq(trace, "sS");
	cr_assert_eq(done_count[first], 1);
	cr_assert_eq(done_st[first], ST_OK);
	cr_assert_eq(done_count[second], 1);
	cr_assert_eq(done_st[second], ST_CANCELLED);
	cr_assert_str_eq(done_msg, "scan stopped");
	jobs_free(q);
}

Test(work_job, a_running_job_stops_at_its_next_poll)
{
	struct jobs *q = jobs_new(NULL);
	uint32_t id = jobs_submit(q, &scan, NULL, NULL);

	wait_entered();
	cr_assert_eq(jobs_top(q, NULL), id);
	jobs_stop(q, id);
	cr_assert_eq(jobs_top(q, NULL), 0, "it has been asked already");
	drain_all(q);
	cr_assert_str_eq(trace, "sX");
	cr_assert_eq(done_st[id], ST_CANCELLED);
	jobs_free(q);
}

Test(work_job, the_topmost_live_job_is_found_behind_stopped_ones)
{
	struct jobs *q = jobs_new(NULL);
	uint32_t a = jobs_submit(q, &scan, NULL, NULL), b, c;

	wait_entered();
	b = jobs_submit(q, &scan, NULL, NULL);
	c = jobs_submit(q, &scan, NULL, NULL);
	jobs_stop(q, a);
	jobs_stop(q, b);
	/* the engine may be on its way through a and b */
	cr_assert_eq(jobs_top(q, NULL), c);
	cr_assert_eq(jobs_top(q, &scan), 0);
	jobs_stop_class(q, &scan);
	drain_all(q);
	for (uint32_t i = a; i <= c; i++)
		cr_assert_eq(done_count[i], 1);
	jobs_free(q);
}

Test(work_job, freeing_ends_every_job_exactly_once)
{
	struct jobs *q = jobs_new(NULL);
	struct token of_its_own;

	token_init(&of_its_own, NULL); /* a parent that the queue does not know */
	for (int i = 0; i < 10; i++)
		jobs_submit(q, i % 2 ? &scan : &measure, NULL, i % 3 ? NULL : &of_its_own);
	wait_entered();
	jobs_free(q);
	for (int i = 1; i <= 10; i++) {
		cr_assert_eq(done_count[i], 1, "job %d", i);
		cr_assert_eq(done_st[i], ST_CANCELLED);
	}
}

static struct jobs *queue;
static int again_done;

static void done_again(struct job *j);
static const struct job_class again = { "again", NULL, LANE_CHAT, work_quick, done_again };

static void done_again(struct job *j)
{
	if (++again_done == 1)
		jobs_submit(queue, &again, NULL, NULL);
	else
		cr_assert_eq(j->st, ST_CANCELLED);
}

Test(work_job, what_a_done_submits_while_the_queue_is_freed_is_done_too)
{
	queue = jobs_new(NULL);
	jobs_submit(queue, &again, NULL, NULL);
	while (jobs_active(queue, &again))
		nap();
	cr_assert_eq(jobs_count(queue), 1, "ended, but not yet done");
	jobs_free(queue);
	cr_assert_eq(again_done, 2);
}

Test(work_job, a_stopped_parent_stops_its_jobs)
{
	struct jobs *q = jobs_new(NULL);
	struct token parent;
	uint32_t id;

	token_init(&parent, NULL);
	id = jobs_submit(q, &scan, NULL, &parent);
	wait_entered();
	token_stop(&parent);
	drain_all(q);
	cr_assert_eq(done_st[id], ST_CANCELLED);
	jobs_free(q);
}

Test(work_job, begin_and_end_are_on_the_bus_in_order_with_the_sentence)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, 1ull << EV_JOB_BEGAN | 1ull << EV_JOB_ENDED);
	struct jobs *q = jobs_new(b);
	uint32_t id = jobs_submit(q, &fail, NULL, NULL);
	struct event ev;

	drain_all(q);
	cr_assert(sub_next(s, &ev));
	cr_assert_eq(ev.kind, EV_JOB_BEGAN);
	cr_assert_eq(ev.key, id);
	cr_assert_str_eq(((struct snap_text *)ev.snap)->text, "fail");
	snap_unref(ev.snap);
	cr_assert(sub_next(s, &ev));
	cr_assert_eq(ev.kind, EV_JOB_ENDED);
	cr_assert_eq(ev.n, ST_IO);
	cr_assert_str_eq(((struct snap_text *)ev.snap)->text, "the disk is on fire");
	snap_unref(ev.snap);
	jobs_free(q);
	bus_free(b);
}

static enum st work_sleep(struct job *j, struct err *e)
{
	double until = clock_now() + 0.03;

	(void)e;
	job_poll(j);
	while (clock_now() < until)
		nap();
	return ST_OK; /* no poll after it: the way to the end counts, too */
}
static const struct job_class sleepy = { "sleepy", NULL, LANE_SCAN, work_sleep, done };

Test(work_job, the_worst_gap_is_kept_by_class)
{
	struct jobs *q = jobs_new(NULL);

	jobs_submit(q, &sleepy, NULL, NULL);
	jobs_submit(q, &key, NULL, NULL);
	drain_all(q);
	cr_assert_geq(jobs_worst_gap(q, "sleepy"), 0.03);
	cr_assert_geq(jobs_worst_gap(q, NULL), jobs_worst_gap(q, "sleepy"));
	cr_assert_eq(jobs_worst_gap(q, "no such class"), 0);
	jobs_free(q);
}

static enum st work_resumed(struct job *j, struct err *e)
{
	(void)e;
	sink_progress(&j->sink, 500, 1000);
	for (int i = 0; i < 600; i++) {
		nap();
		sink_progress(&j->sink, 500 + i / 60, 1000);
	}
	return ST_OK;
}
static const struct job_class resumed = { "resumed", "cells", LANE_SCAN, work_resumed, done };

Test(work_job, what_was_done_before_counts_for_no_rate)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, 1ull << EV_JOB_PROGRESS);
	struct jobs *q = jobs_new(b);
	struct snap_progress *p;
	struct event ev;

	jobs_submit(q, &resumed, NULL, NULL);
	drain_all(q);
	cr_assert(sub_next(s, &ev));
	p = (struct snap_progress *)ev.snap;
	cr_assert_str_eq(p->name, "resumed");
	cr_assert_str_eq(p->unit, "cells");
	cr_assert_geq(p->done, 500);
	cr_assert_lt(p->seconds, 60, "since the stage began, not since the machine did");
	cr_assert_lt(p->rate, 50);
	snap_unref(ev.snap);
	jobs_free(q);
	bus_free(b);
}

static enum st work_held(struct job *j, struct err *e)
{
	(void)e;
	sink_progress(&j->sink, 1, 10);
	job_hold(j, true);
	job_hold(j, true);
	for (int i = 0; i < 700; i++) /* longer than a rate is noise */
		nap();
	job_hold(j, false);
	return ST_OK;
}
static const struct job_class held = { "held", "steps", LANE_SCAN, work_held, done };

Test(work_job, what_is_held_says_so_and_its_rest_counts_for_no_rate)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, 1ull << EV_JOB_PROGRESS);
	struct jobs *q = jobs_new(b);
	const struct snap_progress *p = NULL;
	bool was_held = false;
	struct event ev = { .snap = NULL };

	jobs_submit(q, &held, NULL, NULL);
	while (jobs_count(q)) {
		jobs_drain(q);
		while (sub_next(s, &ev)) {
			p = (const struct snap_progress *)ev.snap;
			was_held |= p->held;
			if (p->held)
				cr_expect(isnan(p->rate) && isnan(p->left_s));
			else if (was_held)
				cr_expect_lt(p->seconds, 0.5, "it rested longer");
			snap_unref(ev.snap);
		}
		nap();
	}
	cr_expect(was_held);
	jobs_free(q);
	bus_free(b);
}

/* ---- who asked for what, and what goes first */

Test(work_job, stopping_a_job_stops_what_was_asked_for_it_and_nothing_else)
{
	struct jobs *q = jobs_new(NULL);
	uint32_t guest = jobs_guest(q, "script"), child, other, was;

	jobs_submit(q, &scan, NULL, NULL);
	wait_entered();
	was = jobs_for(guest);
	child = jobs_submit(q, &scan, NULL, NULL);
	cr_assert_eq(jobs_for(was), guest);
	other = jobs_submit(q, &scan, NULL, NULL);
	jobs_stop(q, guest);
	jobs_guest_ended(q, guest, ST_CANCELLED, "");
	atomic_store(&go, true);
	drain_all(q);
	cr_assert_eq(done_st[child], ST_CANCELLED);
	cr_assert_eq(done_st[other], ST_OK);
	jobs_free(q);
}

Test(work_job, a_job_that_waits_goes_before_the_others_of_its_lane)
{
	struct jobs *q = jobs_new(NULL);
	struct err e;
	uint32_t first, second, third;

	first = jobs_submit(q, &scan, NULL, NULL);
	wait_entered();
	second = jobs_submit(q, &scan, NULL, NULL);
	third = jobs_submit(q, &fail, NULL, NULL);
	while (jobs_active(q, &fail))
		nap();
	cr_assert_eq(jobs_raise(q, third, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "no job 3 waits"), "%s", e.msg);
	cr_assert_eq(jobs_raise(q, first, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "job 1 (scan) runs already"), "%s", e.msg);
	cr_assert_eq(jobs_raise(q, second, &e), ST_INVALID);
	cr_assert_str_eq(
		e.msg, "job 2 (scan) is the next of its lane already; it begins after scan");
	third = jobs_submit(q, &low, NULL, NULL);
	trace[0] = 0;
	cr_assert_eq(jobs_raise(q, third, &e), ST_OK, "%s", e.msg);
	atomic_store(&go, true);
	drain_all(q);
	cr_assert_str_eq(trace, "SlsS", "the late one before the second scan: %s", trace);
	jobs_free(q);
}
