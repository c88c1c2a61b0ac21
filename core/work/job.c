/* job.c - one engine thread, lanes by priority.
 *
 * Locks: jobs.mu guards the queues, the running jobs and the worst gaps.  Under it only
 * the eventfd is written and the end of a job published (order: jobs.mu, the bus's), so
 * that who hears of an end finds the lane free.  The engine never holds it while working.  A job
 * that polls runs the jobs of higher lanes to their end on the same stack, so at most one job a
 * lane is under way. */
#include "core/work/job.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/sig.h"
#include "core/work/bus.h"
#include "core/work/job_private.h"
#include "core/work/snap.h"

static _Thread_local uint32_t parent_now;

static void signal_fd(struct jobs *q)
{
	uint64_t one = 1;

	if (write(q->fd, &one, sizeof one) < 0) {
		/* the counter is full: the reader is already due to wake */
	}
}

/* Caller holds q->mu. */
static void push(struct job **head, struct job **tail, struct job *j)
{
	j->next = NULL;
	*(*tail ? &(*tail)->next : head) = j;
	*tail = j;
}

/* Caller holds q->mu. */
static void update_hint(struct jobs *q)
{
	int l = 0;

	while (l < LANES && !q->head[l])
		l++;
	atomic_store_explicit(&q->waiting_above, l, memory_order_relaxed);
}

void jobs_publish(struct jobs *q, enum ev_kind kind, uint32_t id, int64_t n, struct snap *s)
{
	if (q->bus)
		bus_publish(q->bus, (struct event){ .kind = kind, .key = id, .n = n, .snap = s });
	else
		snap_unref(s);
}

/* Caller holds q->mu. */
static void end_job(struct jobs *q, struct job *j)
{
	push(&q->ended, &q->ended_tail, j);
	signal_fd(q);
}

static void note_gap(struct jobs *q, const struct job *j, double now)
{
	double gap = now - q->last_poll;
	size_t i = 0;

	while (i < MAX_CLASSES && q->worst[i].name && q->worst[i].name != j->class->name)
		i++;
	if (i == MAX_CLASSES || (q->worst[i].name && gap <= q->worst[i].gap))
		return;
	pthread_mutex_lock(&q->mu);
	q->worst[i].name = j->class->name;
	q->worst[i].gap = gap;
	pthread_mutex_unlock(&q->mu);
}

/* Its own token, one above it, or the end of the program (a parent need not know). */
bool jobs_stopped(const struct job *j)
{
	return token_stopped(&j->token) || token_stopped(&j->queue->all);
}

/* What is over in a moment comes often (a solve a turn of the dial): at debug. */
static const double moment = 0.05; /* seconds */

static void tell_began(struct job *j)
{
	j->told = true;
	log_at(LOG_INFO, "job", "job %u: %s began", j->id, j->class->name);
}

static void tell_ended(const struct job *j, double took)
{
	const char *how = !j->st			? "done"
			  : j->st == ST_CANCELLED ? "stopped"
						  : "failed";
	const char *why = j->st == ST_CANCELLED ? "" : j->err.msg;

	log_at(took < moment ? LOG_DEBUG : LOG_INFO, "job", "job %u: %s %s after %.*f s%s%s", j->id,
		j->class->name, how, took < 10 ? 2 : 0, took, *why ? ": " : "", why);
}

static void run_job(struct jobs *q, struct job *j)
{
	struct snap *sentence;
	uint32_t was;

	was = jobs_for(j->id);
	j->began = j->stage_began = q->last_poll = clock_now();
	j->stage_base = -1;
	jobs_publish(q, EV_JOB_BEGAN, j->id, 0, &snap_text_new(j->class->name)->snap);
	if (jobs_stopped(j)) {
		j->st = ST_CANCELLED;
	} else {
		j->st = j->class->work(j, &j->err);
		note_gap(q, j, clock_now());
	}
	if (!j->st)
		snprintf(j->err.msg, sizeof j->err.msg, "%s", j->said);
	else if (j->st == ST_CANCELLED && !j->err.msg[0])
		err_set(&j->err, ST_CANCELLED, "%s stopped", j->class->name);
	jobs_for(was);
	tell_ended(j, clock_now() - j->began);
	sentence = &snap_text_new(j->err.msg)->snap;
	pthread_mutex_lock(&q->mu);
	q->running[j->class->lane] = NULL;
	jobs_publish(q, EV_JOB_ENDED, j->id, j->st, sentence);
	end_job(q, j);
	pthread_mutex_unlock(&q->mu);
	q->last_poll = clock_now();
}

/* The waiting job of the highest lane above `limit`, now marked running; or NULL.  Who
 * calls it is in lane `limit` or idle, so the lanes above it run nothing. */
static struct job *take(struct jobs *q, int limit)
{
	struct job *j = NULL;

	pthread_mutex_lock(&q->mu);
	for (int l = 0; l < limit && !j; l++) {
		j = q->head[l];
		if (!j)
			continue;
		q->head[l] = j->next;
		if (!q->head[l])
			q->tail[l] = NULL;
		q->running[l] = j;
	}
	update_hint(q);
	pthread_mutex_unlock(&q->mu);
	return j;
}

bool job_poll(struct job *j)
{
	struct jobs *q = j->queue;
	double now = clock_now();
	struct job *above;

	note_gap(q, j, now);
	if (!j->told && now - j->began >= moment)
		tell_began(j);
	if (jobs_stopped(j)) /* it ends first: others may take long, and run when it is gone */
		return true;
	while (atomic_load_explicit(&q->waiting_above, memory_order_relaxed) <
			(int)j->class->lane &&
		(above = take(q, (int)j->class->lane)))
		run_job(q, above);
	q->last_poll = clock_now();
	return jobs_stopped(j);
}

static bool sink_job_poll(const struct sink *s)
{
	return job_poll(s->self);
}

static void tell_progress(struct job *j, double now)
{
	struct snap_progress *p = snap_progress_new();
	double done = j->progress - j->stage_base;

	p->held = j->held_at > 0;
	snprintf(p->name, sizeof p->name, "%s", j->name[0] ? j->name : j->class->name);
	snprintf(p->unit, sizeof p->unit, "%s",
		j->name[0]	 ? j->unit
		: j->class->unit ? j->class->unit
				 : "");
	p->done = j->progress;
	p->total = j->total;
	p->seconds = (p->held ? j->held_at : now) - j->stage_began;
	p->ran_s = now - j->began;
	p->whole_s = j->whole_s;
	p->rate = p->left_s = (double)NAN;
	if (p->seconds > 0.5 && done > 0 && !p->held) { /* before that a rate is noise */
		p->rate = done / p->seconds;
		p->left_s = (j->total - j->progress) / p->rate;
	}
	jobs_publish(j->queue, EV_JOB_PROGRESS, j->id, 0, &p->snap);
}

/* At most ten a second: progress is for eyes.  What was there at the first report was
 * found done (a cache, a resumed scan) and counts for no rate. */
static void sink_job_progress(const struct sink *s, double done, double total)
{
	struct job *j = s->self;
	double now = clock_now();

	if (j->stage_base < 0)
		j->stage_base = done > 1 ? done - 1 : 0;
	j->progress = done;
	j->total = total;
	if (now - j->last_progress < 0.1 && done < total)
		return;
	j->last_progress = now;
	tell_progress(j, now);
}

void job_stage(struct job *j, const char *name, const char *unit)
{
	snprintf(j->name, sizeof j->name, "%s", name);
	snprintf(j->unit, sizeof j->unit, "%s", unit);
	j->stage_began = clock_now();
	j->stage_base = -1;
	j->last_progress = j->progress = j->total = 0;
	tell_progress(j, j->stage_began);
}

void job_hold(struct job *j, bool held)
{
	double now = clock_now();

	if (held == (j->held_at > 0))
		return;
	if (!held)
		j->stage_began += now - j->held_at;
	j->held_at = held ? now : 0;
	tell_progress(j, now);
}

void job_say(struct job *j, const char *text)
{
	snprintf(j->said, sizeof j->said, "%s", text);
}

void job_estimate(struct job *j, double seconds)
{
	j->whole_s = seconds;
}

bool job_program_ends(const struct job *j)
{
	return token_stopped(&j->queue->all);
}

static void *engine(void *arg)
{
	struct jobs *q = arg;
	struct job *j;

	log_thread("engine");
	for (;;) {
		j = take(q, LANES);
		if (j) {
			run_job(q, j);
			continue;
		}
		pthread_mutex_lock(&q->mu);
		while (!q->quit && atomic_load(&q->waiting_above) == LANES)
			pthread_cond_wait(&q->wake, &q->mu);
		if (q->quit && atomic_load(&q->waiting_above) == LANES) {
			pthread_mutex_unlock(&q->mu);
			return NULL;
		}
		pthread_mutex_unlock(&q->mu);
	}
}

struct jobs *jobs_new(struct bus *b)
{
	struct jobs *q = xalloc(sizeof *q);
	sigset_t all, old;
	int failed;

	q->bus = b;
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&q->waiting_above, LANES);
	token_init(&q->all, NULL);
	pthread_mutex_init(&q->mu, NULL);
	pthread_cond_init(&q->wake, NULL);
	sig_all_but_faults(&all); /* signals are the UI thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failed = pthread_create(&q->thread, NULL, engine, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failed) { /* nothing can be done without it, and no screen is open yet */
		fprintf(stderr, "bitdial: no thread to compute on: %s\n", strerror(failed));
		exit(1);
	}
	return q;
}

void jobs_free(struct jobs *q)
{
	struct guest *g;

	if (!q)
		return;
	token_stop(&q->all);
	pthread_mutex_lock(&q->mu);
	q->quit = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->mu);
	pthread_join(q->thread, NULL);
	jobs_drain(q);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->mu);
	while ((g = q->guests)) {
		q->guests = g->next;
		xfree(g);
	}
	close(q->fd);
	xfree(q);
}

int jobs_fd(const struct jobs *q)
{
	return q->fd;
}

uint32_t jobs_for(uint32_t parent)
{
	uint32_t was = parent_now;

	parent_now = parent;
	return was;
}

/* Caller holds q->mu, so that nobody hears that it began before this. */
void jobs_tell_queued(struct jobs *q, const struct job *j)
{
	struct snap_job *s;

	if (!q->bus)
		return;
	s = snap_job_new(j->class->name);
	s->parent = j->parent;
	s->lane = (int)j->class->lane;
	s->order = j->order;
	jobs_publish(q, EV_JOB_QUEUED, j->id, 0, &s->snap);
}

uint32_t jobs_guest(struct jobs *q, const char *name)
{
	struct guest *g = xalloc(sizeof *g);

	pthread_mutex_lock(&q->mu);
	g->id = ++q->last_id;
	g->next = q->guests;
	q->guests = g;
	jobs_publish(q, EV_JOB_BEGAN, g->id, 0, &snap_text_new(name)->snap);
	pthread_mutex_unlock(&q->mu);
	return g->id;
}

void jobs_guest_ended(struct jobs *q, uint32_t id, enum st st, const char *sentence)
{
	struct guest **at, *g;

	pthread_mutex_lock(&q->mu);
	for (at = &q->guests; *at && (*at)->id != id; at = &(*at)->next)
		;
	if ((g = *at)) {
		*at = g->next;
		jobs_publish(q, EV_JOB_ENDED, id, st, &snap_text_new(sentence)->snap);
	}
	pthread_mutex_unlock(&q->mu);
	xfree(g);
}

uint32_t jobs_submit(struct jobs *q, const struct job_class *c, void *arg, struct token *parent)
{
	struct job *j = xalloc(sizeof *j);
	uint32_t id;

	j->class = c;
	j->arg = arg;
	j->queue = q;
	j->parent = parent_now;
	j->whole_s = (double)NAN;
	token_init(&j->token, parent ? parent : &q->all);
	j->sink = (struct sink){ .poll = sink_job_poll, .progress = sink_job_progress, .self = j };
	pthread_mutex_lock(&q->mu);
	id = j->id = ++q->last_id;
	j->order = id;
	q->active++;
	if (q->quit) { /* by a done() that jobs_free calls: it ends, too */
		j->st = err_set(&j->err, ST_CANCELLED, "%s stopped", c->name);
		end_job(q, j);
	} else {
		jobs_tell_queued(q, j);
		push(&q->head[c->lane], &q->tail[c->lane], j);
		update_hint(q);
		pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->mu);
	return id;
}

int jobs_drain(struct jobs *q)
{
	uint64_t count;
	struct job *j;
	uint32_t was;
	int n = 0;

	if (read(q->fd, &count, sizeof count) < 0) {
		/* nothing ended since */
	}
	for (;;) {
		pthread_mutex_lock(&q->mu);
		j = q->ended;
		if (j && !(q->ended = j->next))
			q->ended_tail = NULL;
		pthread_mutex_unlock(&q->mu);
		if (!j)
			return n;
		was = jobs_for(j->parent);
		if (j->class->done)
			j->class->done(j);
		jobs_for(was);
		xfree(j);
		n++;
		pthread_mutex_lock(&q->mu);
		q->active--; /* after what done() may have submitted */
		pthread_mutex_unlock(&q->mu);
	}
}
