/* test_work_runs_io.c - the thread that reads run folders: what it tells, and what it is asked. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/work/bus.h"
#include "core/work/run.h"
#include "core/work/runs.h"
#include "core/work/runs_io.h"
#include "core/work/snap.h"
#include "tests/lib_runs.h"
#include "tests/lib_work.h"

TestSuite(work_runs_io, .init = work_home);

static struct bus *bus;
static struct sub *sub;

/* The next index, or NULL after ten seconds. */
static struct snap_runs *heard(char notice[256])
{
	double until = clock_now() + 10;
	struct event ev;

	*notice = '\0';
	while (clock_now() < until) {
		struct pollfd fd = { .fd = sub_fd(sub), .events = POLLIN };

		poll(&fd, 1, 100);
		while (sub_next(sub, &ev)) {
			if (ev.kind == EV_RUNS)
				return (struct snap_runs *)ev.snap;
			snprintf(notice, 256, "%s", ((struct snap_text *)ev.snap)->text);
			snap_unref(ev.snap);
		}
	}
	return NULL;
}

/* Waits until an index has so many runs. */
static struct snap_runs *of_size(size_t n, char notice[256])
{
	struct snap_runs *s = heard(notice);

	while (s && s->all.n != n) {
		snap_unref(&s->snap);
		s = heard(notice);
	}
	cr_assert(s, "no index of %zu runs; %s", n, notice);
	return s;
}

Test(work_runs_io, the_thread_tells_what_appears_changes_and_goes_by_itself)
{
	struct run_info info = {
		.kind = "scan", .model = "demo", .model_path = "/m", .model_sha = "abc"
	};
	struct runs_io *io;
	struct snap_runs *s;
	struct run *run;
	struct err e = { 0 };
	char said[256];

	bus = bus_new();
	sub = bus_subscribe(bus, 1u << EV_RUNS | 1u << EV_NOTICE);
	put_four_runs();
	io = runs_io_new(bus);
	s = of_size(4, said);
	snap_unref(&s->snap);
	while (runs_io_busy(io)) /* it has told and is about to say so */
		poll(NULL, 0, 1);
	cr_assert_eq(run_new(&run, &info, &e), ST_OK, "%s", e.msg);
	s = of_size(5, said);
	cr_assert_str_eq(s->all.at[0].state, "running");
	snap_unref(&s->snap);
	run_end(run, ST_OK, "done");
	s = of_size(5, said);
	while (!strcmp(s->all.at[0].state, "running")) {
		snap_unref(&s->snap);
		s = of_size(5, said);
	}
	cr_assert_str_eq(s->all.at[0].state, "done");
	snap_unref(&s->snap);
	runs_io_do(io, RUNS_TAG, "bbbb", "good no-bad");
	runs_io_do(io, RUNS_NOTE, "bbbb", "a note");
	runs_io_do(io, RUNS_TRASH, "aaaa", "");
	s = of_size(4, said);
	cr_assert(s->trashed);
	cr_assert_str_eq(runs_find(&s->all, "bbbb", &e)->tags, "good");
	cr_assert_str_eq(runs_find(&s->all, "bbbb", &e)->notes, "a note");
	snap_unref(&s->snap);
	runs_io_do(io, RUNS_RESTORE, "", "");
	s = of_size(5, said);
	cr_assert_null(s->trashed);
	snap_unref(&s->snap);
	runs_io_do(io, RUNS_TAG, "nobody", "x");
	s = heard(said);
	cr_assert(strstr(said, "no run nobody"), "%s", said);
	snap_unref(&s->snap);
	runs_io_free(io);
	bus_free(bus);
}
