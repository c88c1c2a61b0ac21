/* job.h - work that runs off the UI thread, in lanes, and how it is stopped.
 *
 * A job is queued, runs on the engine thread and ends exactly once: its `done` is
 * called on the thread that calls jobs_drain, also when it was cancelled before it
 * began, and when it was submitted while the queue was being freed.  Work functions call job_poll
 * (or the sink they got) at least every 20 ms of their own time and return ST_CANCELLED when it is
 * true; within that call jobs of higher lanes that wait are run to their end on the same thread.
 * Jobs own copies of what they need.
 */
#ifndef BD_WORK_JOB_H
#define BD_WORK_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/work/token.h"

/* Highest first. */
enum lane { LANE_INTERACTIVE, LANE_CHAT, LANE_MEASURE, LANE_SCAN, LANES };

struct job;
struct jobs;

struct job_class {
	const char *name; /* "scan", "chat" */
	const char *unit; /* of its progress: "cells"; NULL: none */
	enum lane lane;
	enum st (*work)(struct job *j, struct err *e); /* engine thread */
	void (*done)(struct job *j);                   /* draining thread; frees arg */
};

struct job {
	const struct job_class *class;
	void *arg; /* the submitter's until done */
	uint32_t id;
	uint32_t parent;    /* the job that asked for it; 0: none */
	int64_t order;      /* among those that wait in its lane */
	struct token token; /* child of the submitter's */
	struct sink sink;   /* for engine rooms: polls, progress to the bus */

	/* owned by job.c from submit to done */
	struct job *next;
	struct jobs *queue;
	enum st st;
	struct err err;
	char said[256];          /* of a job that ended well; job_say */
	bool told;               /* that it began is in the log */
	char name[48], unit[16]; /* of the present stage; name "": the class's */
	double last_progress, stage_began, began;
	double held_at;    /* when it was held; 0: it goes */
	double whole_s;    /* estimated; NAN: it was not */
	double stage_base; /* done when the stage began; below 0: its first report says */
	double progress, total;
};

struct bus;
/* Publishes EV_JOB_* on the bus (may be NULL).  Starts the engine thread. */
struct jobs *jobs_new(struct bus *b);
void jobs_free(struct jobs *q);    /* stops all, joins, drains */
int jobs_fd(const struct jobs *q); /* readable when something ended */
/* Takes a job by class and argument; returns its id.  parent: may be NULL. */
uint32_t jobs_submit(struct jobs *q, const struct job_class *c, void *arg, struct token *parent);
uint32_t jobs_last(struct jobs *q); /* id of the last one taken; 0: none yet */
/* Whom jobs that this thread submits from now on belong to (0: nobody); returns whom they did.
 * What a running job submits belongs to it, and what a done() submits to the parent of its job,
 * without being told. */
uint32_t jobs_for(uint32_t parent);
/* A script, or whatever else asks for jobs without being one: has an id, begins and ends. */
uint32_t jobs_guest(struct jobs *q, const char *name);
void jobs_guest_ended(struct jobs *q, uint32_t id, enum st st, const char *sentence);
/* Puts a job that waits before the others of its lane.  Fails, and says what is so, where it
 * is first already, runs, or is not there. */
BD_MUST_USE enum st jobs_raise(struct jobs *q, uint32_t id, struct err *e);
void jobs_stop(struct jobs *q, uint32_t id); /* and those it asked for */
void jobs_stop_class(struct jobs *q, const struct job_class *c);
bool jobs_active(struct jobs *q, const struct job_class *c); /* queued or running */
/* The one of this class that is queued or running and not asked to stop; 0: none. */
uint32_t jobs_of(struct jobs *q, const struct job_class *c);
/* Highest job not yet asked to stop and not of class `but` (NULL: any); 0: none. */
uint32_t jobs_top(struct jobs *q, const struct job_class *but);
size_t jobs_count(struct jobs *q); /* queued, running, and ended but not yet drained */
int jobs_drain(struct jobs *q);    /* calls done(); returns how many */
/* Longest time between two polls of a job of this class so far (NULL: of any), seconds. */
double jobs_worst_gap(struct jobs *q, const char *class);

/* Estimated seconds of the whole job; its progress carries them. */
void job_estimate(struct job *j, double seconds);
/* Is it asked to stop because the program ends, not by a person? */
bool job_program_ends(const struct job *j);
bool job_poll(struct job *j); /* engine thread: stop? runs waiting higher lanes first */
/* What came of it, where it ends well: the sentence of EV_JOB_ENDED.  Engine thread. */
void job_say(struct job *j, const char *text);
/* It is held, as a person asked, or goes on: its progress says so, and what is held counts for no
 * rate.  Engine thread. */
void job_hold(struct job *j, bool held);
/* A new stage under this name; its rate and time left begin anew. */
void job_stage(struct job *j, const char *name, const char *unit);

#endif
