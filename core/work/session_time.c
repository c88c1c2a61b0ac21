/* session_time.c - how fast a product is, as a job. */
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/session_private.h"

struct time_deed {
	struct session *s;
	struct timing_ask ask;
};

static enum st work_time(struct job *j, struct err *e)
{
	struct time_deed *d = j->arg;
	struct snap_timing *t;
	struct timing took;
	enum st st = timing_run(&d->ask, backend_now(), &took, &j->sink, e);

	if (st)
		return st;
	t = snap_timing_new();
	t->ask = d->ask;
	t->took = took;
	bus_publish(d->s->bus, (struct event){ .kind = EV_TIMING, .key = j->id, .snap = &t->snap });
	return ST_OK;
}

static void done_time(struct job *j)
{
	struct time_deed *d = j->arg;

	job_failed(d->s, j);
	xfree(d);
}

static const struct job_class job_time = { "time", "passes", LANE_MEASURE, work_time, done_time };

enum st session_time(struct session *s, const struct timing_ask *a, struct err *e)
{
	static const size_t most = 1 << 20;
	struct time_deed *d;

	if (format_is_mix(a->format) || format_is_keep(a->format))
		return err_set(e, ST_INVALID, "time: expected a packed format, such as int4g128");
	if (!a->rows || !a->cols || !a->m || a->rows > most || a->cols > most || a->m > 65536)
		return err_set(
			e, ST_INVALID, "time: expected rows and columns from 1 to %zu", most);
	d = xalloc(sizeof *d);
	d->s = s;
	d->ask = *a;
	jobs_submit(s->jobs, &job_time, d, NULL);
	return ST_OK;
}
