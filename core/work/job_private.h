/* job_private.h - the queue's inside, for job.c and job_find.c; nobody else. */
#ifndef BD_WORK_JOB_PRIVATE_H
#define BD_WORK_JOB_PRIVATE_H

#include <pthread.h>

#include "core/work/bus.h"
#include "core/work/job.h"

enum { MAX_CLASSES = 32 };

struct guest {
	uint32_t id;
	struct guest *next;
};

struct jobs {
	struct bus *bus;
	pthread_mutex_t mu;
	pthread_cond_t wake;
	pthread_t thread;
	int fd;
	bool quit;
	uint32_t last_id;
	struct token all; /* parent of tokens without one: stopped when the program ends */

	struct job *head[LANES], *tail[LANES]; /* waiting */
	struct job *running[LANES];            /* by lane; the highest is on top of the stack */
	struct job *ended, *ended_tail;
	struct guest *guests;
	size_t active;            /* submitted, not yet done */
	atomic_int waiting_above; /* highest waiting lane, LANES: none; a hint */

	double last_poll; /* engine thread */
	struct {
		const char *name;
		double gap;
	} worst[MAX_CLASSES]; /* written by the engine, under mu */
};

/* Its own token, one above it, or the end of the program (a parent need not know). */
bool jobs_stopped(const struct job *j);
void jobs_publish(struct jobs *q, enum ev_kind kind, uint32_t id, int64_t n, struct snap *s);
/* Caller holds q->mu, so that nobody hears that it began before this. */
void jobs_tell_queued(struct jobs *q, const struct job *j);

#endif
