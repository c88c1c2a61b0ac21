/* session_train_ghost.c - an earlier run's curve behind that of the run in training. */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/session_train.h"

const char *train_short_id(const char *id)
{
	const char *s = strchr(id, '-');

	s = s ? strchr(s + 1, '-') : NULL;
	return s ? s + 1 : id;
}

/* Why a run of that kind cannot be drawn behind what is seen now; NULL: it can. */
static const char *unlike(const struct snap_train *n, struct train_curve ghost)
{
	if (n->state == TRAINING_NONE || !n->run[0])
		return NULL;
	if (n->points && !ghost.dial)
		return "is no calibration of a dial, which alone has KL at its budgets";
	if (n->taught != ghost.taught)
		return ghost.taught ? "has KL, which is not on the axis of a loss in nats"
				    : "has a loss in nats, which is not on the axis of KL";
	return NULL;
}

static void drop(struct snap_train *n)
{
	train_history_release(&n->ghost);
	n->ghost_name[0] = '\0';
	n->n_ghost_looks = 0;
}

void training_fit_ghost(struct session *s)
{
	struct snap_train *n = s->train->now;
	const char *why = n->ghost_name[0] ? unlike(n, s->train->ghost) : NULL;

	if (!why)
		return;
	notice(s, LOG_INFO, "%s is no ghost of this run: it %s", train_short_id(n->ghost_name),
		why);
	drop(n);
}

/* What is there stays where it cannot be drawn. */
static enum st take(
	struct session *s, const struct train_found *run, const struct sink *sink, struct err *e)
{
	struct snap_train *n = s->train->now;
	const char *why = unlike(n, run->curve);
	struct train_history h = { 0 };
	double seconds;
	enum st st;

	if (why)
		return err_set(e, ST_INVALID, "train ghost: %s %s", train_short_id(run->id), why);
	n->n_ghost_looks = 0;
	st = train_read(run->folder, 0, &h, n->ghost_look, &n->n_ghost_looks, &seconds, sink, e);
	if (st) {
		train_history_release(&h);
		return st;
	}
	train_history_release(&n->ghost);
	n->ghost = h;
	s->train->ghost = run->curve;
	snprintf(n->ghost_name, sizeof n->ghost_name, "%s", run->id);
	return ST_OK;
}

static enum st work_ghost(struct job *j, struct err *e)
{
	struct train_deed *d = j->arg;
	struct train_found run = { .folder = NULL };
	enum st st = ST_OK;

	if (d->ask.resume)
		st = train_find_run(&run, d->ask.resume, e);
	else
		drop(d->s->train->now);
	if (!st && run.folder)
		st = take(d->s, &run, &j->sink, e);
	if (!st)
		notice(d->s, LOG_INFO, "%s is drawn behind the run",
			run.id ? train_short_id(run.id) : "no ghost");
	training_publish(d->s, true);
	train_found_release(&run);
	return st;
}

const struct job_class job_ghost = { "ghost", NULL, LANE_INTERACTIVE, work_ghost, train_deed_done };
