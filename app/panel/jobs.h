/* jobs.h - what the jobs panel knows: jobs that wait, run and have ended, and the one under the
 * cursor.  For jobs.c, jobs_tree.c, and the commands that act on the job under the cursor.
 */
#ifndef BD_APP_PANEL_JOBS_H
#define BD_APP_PANEL_JOBS_H

#include "app/panel/common.h"
#include "app/panel/panel.h"
#include "core/base/err.h"

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_STOPPING, JOB_ENDED };
enum { JOBS_ENDED = 16, /* listed of those that ended */ JOBS_TREE = 5 /* lines, at least */ };

struct job_seen {
	uint32_t id, parent; /* parent 0: none */
	char name[48];
	int lane; /* enum lane; -1: none (a script) */
	int64_t order;
	enum job_state state;
	struct snap_progress *progress; /* NULL: none yet */
	double began, ran;              /* clock, seconds */
	int64_t began_at;               /* time of day, seconds since 1970 */
	enum st st;                     /* how it ended, with the sentence (NULL: none) */
	char *sentence;
	unsigned times;      /* so many like it ended one after another */
	unsigned long ended; /* which end of all it was */
};

struct jobs_panel {
	struct job_seen *job; /* [n], in the order they were heard of */
	size_t n;
	uint32_t cursor; /* id; 0: the first row */
	char last[48];   /* the one that ended last; "": none did */
	enum st last_st;
	char *sentence;
	unsigned long ends;
};

static inline bool jobs_at_work(const struct job_seen *j)
{
	return j->state == JOB_RUNNING || (j->state == JOB_STOPPING && j->began > 0);
}

void jobs_bar(struct canvas *c, struct parts *p, double share);
void jobs_progress(const struct job_seen *j, struct parts *p, struct canvas *c);

/* jobs_tree.c */
void jobs_draw_tree(const struct jobs_panel *p, struct canvas *c, bool focus);
const struct job_seen *jobs_under(const struct jobs_panel *p); /* the cursor; NULL: no job at all */
bool jobs_command(void *self, const char *word, const char *arg);
const char *jobs_mouse(void *self, int x, int y, int button, int w, int h);
/* The job under the panel's cursor where it has not ended; 0: there is none. */
uint32_t jobs_panel_at(const void *self);

#endif
