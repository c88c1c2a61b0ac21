/* session_seek.c - what was known at an act of a log, for its replay. */
#include "core/work/desk_private.h"
#include "core/work/session_private.h"

static void publish(struct session *s)
{
	publish_points(s);
	publish_cells(s, true);
}

/* Where the stages have no more to measure, what a scan measures after them. */
static enum st go_on(struct job *j, const struct deed *d, struct err *e)
{
	struct session *s = d->s;
	enum st st;

	if (!s->anew || desk_place(s->desk).cells >= d->place.cells)
		return ST_OK;
	desk_here(s->desk);
	publish(s);
	st = scan_settle(j, true, false, e);
	return st ? st : desk_seek(s->desk, d->place, true, &j->sink, e);
}

static enum st work_seek(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	enum st st;

	if (!s->desk)
		return err_set(e, ST_INVALID, "no model is open");
	job_stage(j, "cells of the log", "cells");
	st = desk_seek(s->desk, d->place, s->anew, &j->sink, e);
	if (!st)
		st = go_on(j, d, e);
	publish(s);
	return st;
}

const struct job_class job_seek = { "seek", "cells", LANE_SCAN, work_seek, deed_done };

void session_acted(struct session *s, struct dial_acted *a)
{
	dial_acted(s->dial, a);
}

enum st session_seek(struct session *s, size_t cells, size_t points, struct err *e)
{
	struct deed *d;
	enum st st = session_need_model(s, "replay", e);

	if (st)
		return st;
	dial_part(s->dial);
	d = deed_new(s, NULL, NULL);
	d->place = (struct desk_place){ cells, points };
	deed_submit(s, &job_seek, d);
	return ST_OK;
}
