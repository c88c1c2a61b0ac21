/* job_find.c - asking and telling the jobs that wait and run: which there are, stop, raise. */
#include <string.h>

#include "core/work/job_private.h"
#include "core/work/snap.h"

/* Caller holds q->mu.  The first job that runs or waits, highest lane first, that fn is
 * true of. */
static struct job *find(
	struct jobs *q, bool (*fn)(const struct job *, const void *), const void *arg)
{
	for (int l = 0; l < LANES; l++) {
		if (q->running[l] && fn(q->running[l], arg))
			return q->running[l];
		for (struct job *j = q->head[l]; j; j = j->next)
			if (fn(j, arg))
				return j;
	}
	return NULL;
}

static bool has_id(const struct job *j, const void *id)
{
	return j->id == *(const uint32_t *)id;
}
static bool has_class(const struct job *j, const void *c)
{
	return j->class == c;
}
static bool live_but(const struct job *j, const void *c)
{
	return j->class != c && !jobs_stopped(j);
}
static bool live_class(const struct job *j, const void *c)
{
	return j->class == c && !jobs_stopped(j);
}

static bool live_child(const struct job *j, const void *id)
{
	return j->parent == *(const uint32_t *)id && j->class->lane != LANE_INTERACTIVE &&
	       !jobs_stopped(
		       j); /* those are over in a moment, and another asker may wait for them */
}

/* Caller holds q->mu, here and below. */
static void stop_job(struct jobs *q, struct job *j)
{
	bool was = jobs_stopped(j);

	token_stop(&j->token);
	if (!was)
		jobs_publish(q, EV_JOB_STOPPING, j->id, 0, NULL);
}

static void stop_children(struct jobs *q, uint32_t id)
{
	struct job *j;

	while (id && (j = find(q, live_child, &id))) {
		stop_job(q, j);
		stop_children(q, j->id);
	}
}

uint32_t jobs_last(struct jobs *q)
{
	uint32_t id;

	pthread_mutex_lock(&q->mu);
	id = q->last_id;
	pthread_mutex_unlock(&q->mu);
	return id;
}

void jobs_stop(struct jobs *q, uint32_t id)
{
	struct job *j;

	pthread_mutex_lock(&q->mu);
	j = find(q, has_id, &id);
	if (j)
		stop_job(q, j);
	stop_children(q, id);
	pthread_mutex_unlock(&q->mu);
}

/* Takes the job behind `before` (NULL: the first) out of its lane. */
static void unlink_job(struct jobs *q, struct job *before, struct job *j)
{
	enum lane l = j->class->lane;

	*(before ? &before->next : &q->head[l]) = j->next;
	if (q->tail[l] == j)
		q->tail[l] = before;
}

static enum st raise_waiting(struct jobs *q, struct job *j, struct err *e)
{
	enum lane l = j->class->lane;
	struct job *before = NULL, *first = q->head[l];
	const struct job *at = q->running[l];

	for (int i = 0; !at && i < LANES; i++)
		at = q->running[i];
	if (first == j)
		return err_set(e, ST_INVALID, "job %u (%s) is the next of its lane already%s%s",
			j->id, j->class->name, at ? "; it begins after " : "",
			at ? at->class->name : "");
	for (before = first; before->next != j; before = before->next)
		;
	unlink_job(q, before, j);
	j->order = first->order - 1;
	j->next = first;
	q->head[l] = j;
	jobs_tell_queued(q, j);
	return ST_OK;
}

enum st jobs_raise(struct jobs *q, uint32_t id, struct err *e)
{
	struct job *j;
	enum st st;

	pthread_mutex_lock(&q->mu);
	j = find(q, has_id, &id);
	if (!j)
		st = err_set(e, ST_INVALID, "no job %u waits", id);
	else if (q->running[j->class->lane] == j)
		st = err_set(e, ST_INVALID,
			"job %u (%s) runs already; chat and the dial go before it by themselves",
			id, j->class->name);
	else
		st = raise_waiting(q, j, e);
	pthread_mutex_unlock(&q->mu);
	return st;
}

void jobs_stop_class(struct jobs *q, const struct job_class *c)
{
	struct job *j;

	pthread_mutex_lock(&q->mu);
	while ((j = find(q, live_class, c)))
		stop_job(q, j);
	pthread_mutex_unlock(&q->mu);
}

bool jobs_active(struct jobs *q, const struct job_class *c)
{
	bool is;

	pthread_mutex_lock(&q->mu);
	is = find(q, has_class, c) != NULL;
	pthread_mutex_unlock(&q->mu);
	return is;
}

/* Of the first that fn is true of; 0: there is none. */
static uint32_t id_of(struct jobs *q, bool (*fn)(const struct job *, const void *), const void *arg)
{
	const struct job *j;
	uint32_t id;

	pthread_mutex_lock(&q->mu);
	j = find(q, fn, arg);
	id = j ? j->id : 0;
	pthread_mutex_unlock(&q->mu);
	return id;
}

uint32_t jobs_of(struct jobs *q, const struct job_class *c)
{
	return id_of(q, live_class, c);
}

uint32_t jobs_top(struct jobs *q, const struct job_class *but)
{
	return id_of(q, live_but, but);
}

size_t jobs_count(struct jobs *q)
{
	size_t n;

	pthread_mutex_lock(&q->mu);
	n = q->active;
	pthread_mutex_unlock(&q->mu);
	return n;
}

double jobs_worst_gap(struct jobs *q, const char *class)
{
	double w = 0;

	if (!q)
		return 0;
	pthread_mutex_lock(&q->mu);
	for (size_t i = 0; i < MAX_CLASSES && q->worst[i].name; i++)
		if ((!class || !strcmp(class, q->worst[i].name)) && q->worst[i].gap > w)
			w = q->worst[i].gap;
	pthread_mutex_unlock(&q->mu);
	return w;
}
