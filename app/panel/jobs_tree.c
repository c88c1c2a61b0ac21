/* jobs_tree - the jobs as a tree: what runs and what it asked for, what waits, how the last ones
 * ended; a cursor on one of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/panel/jobs.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"

enum { DEEPEST = 4, ROW_MAX = 512, LANES_SHOWN = 4 };

struct tree_row {
	const struct job_seen *j;
	int depth;
};

static const char *const lane_name[LANES_SHOWN] = { "interactive", "chat", "measure", "scan" };

/* ---- rows */

/* At work, then what waits in the order it will begin, then what ended, the last one first. */
static int rank(const struct job_seen *j)
{
	return j->state == JOB_ENDED ? 2 : jobs_at_work(j) ? 0 : 1;
}

static int before(const void *a, const void *b)
{
	const struct job_seen *x = *(const struct job_seen *const *)a,
			      *y = *(const struct job_seen *const *)b;

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	if (rank(x) == 2)
		return x->ended < y->ended ? 1 : -1;
	if (rank(x) == 0)
		return x->id < y->id ? 1 : -1;
	if (x->lane != y->lane)
		return x->lane - y->lane;
	return x->order < y->order ? -1 : x->order > y->order;
}

static const struct job_seen *by_id(const struct jobs_panel *p, uint32_t id)
{
	for (size_t i = 0; id && i < p->n; i++)
		if (p->job[i].id == id)
			return &p->job[i];
	return NULL;
}

static void put_rows(const struct jobs_panel *p, const struct job_seen **all, uint32_t parent,
	int depth, struct tree_row *out, size_t *n)
{
	for (size_t i = 0; i < p->n && *n < ROW_MAX; i++) {
		const struct job_seen *j = all[i];

		if (depth ? j->parent != parent : by_id(p, j->parent) != NULL)
			continue;
		out[(*n)++] = (struct tree_row){ j, depth };
		if (depth < DEEPEST)
			put_rows(p, all, j->id, depth + 1, out, n);
	}
}

/* [ROW_MAX] rows; how many. */
static size_t rows_of(const struct jobs_panel *p, struct tree_row *out)
{
	const struct job_seen **all = xarray(p->n + 1, sizeof *all);
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		all[i] = &p->job[i];
	qsort(all, p->n, sizeof *all, before);
	put_rows(p, all, 0, 0, out, &n);
	xfree(all);
	return n;
}

static size_t cursor_row(const struct jobs_panel *p, const struct tree_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (row[i].j->id == p->cursor)
			return i;
	return 0;
}

const struct job_seen *jobs_under(const struct jobs_panel *p)
{
	struct tree_row *row = xarray(ROW_MAX, sizeof *row);
	size_t n = rows_of(p, row);
	const struct job_seen *j = n ? row[cursor_row(p, row, n)].j : NULL;

	xfree(row);
	return j;
}

uint32_t jobs_panel_at(const void *self)
{
	const struct job_seen *j = jobs_under(self);

	return j && j->state != JOB_ENDED ? j->id : 0;
}

/* ---- moving */

static void put_cursor(struct jobs_panel *p, long at)
{
	struct tree_row *row = xarray(ROW_MAX, sizeof *row);
	size_t n = rows_of(p, row);

	if (at >= (long)n)
		at = (long)n - 1;
	p->cursor = n ? row[at < 0 ? 0 : at].j->id : 0;
	xfree(row);
}

static long cursor_at(const struct jobs_panel *p)
{
	struct tree_row *row = xarray(ROW_MAX, sizeof *row);
	size_t n = rows_of(p, row), at = cursor_row(p, row, n);

	xfree(row);
	return (long)at;
}

bool jobs_command(void *self, const char *word, const char *arg)
{
	static const struct {
		const char *where;
		long by;
	} step[] = { { "up", -1 }, { "down", 1 }, { "page-up", -5 }, { "page-down", 5 },
		{ "first", -ROW_MAX }, { "last", ROW_MAX } };

	if (strcmp(word, "move") != 0)
		return false;
	for (size_t i = 0; i < sizeof step / sizeof *step; i++)
		if (!strcmp(arg, step[i].where)) {
			put_cursor(self, cursor_at(self) + step[i].by);
			return true;
		}
	return false;
}

const char *jobs_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct jobs_panel *p = self;
	struct tree_row *row;
	size_t n, at;

	(void)x, (void)w;
	if (h < JOBS_TREE)
		return "";
	if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN) {
		put_cursor(p, cursor_at(p) + (button == MOUSE_WHEEL_UP ? -1 : 1));
		return "";
	}
	row = xarray(ROW_MAX, sizeof *row);
	n = rows_of(p, row);
	at = panel_scrolled(n, (size_t)h, cursor_row(p, row, n)) + (size_t)y;
	if (at < n)
		p->cursor = row[at].j->id;
	xfree(row);
	return "";
}

/* ---- drawing */

/* How long it took, and when it began where there is room. */
static void draw_times(const struct job_seen *j, struct parts *p)
{
	enum { ROOMY = 70 };
	time_t at = (time_t)j->began_at;
	char took[24], began[16];
	struct tm tm;

	if (j->ran >= 9.95)
		panel_part(p, ROLE_DIM, "after %s", panel_time(j->ran, took));
	else if (j->ran >= 0.05) /* less is at once */
		panel_part(p, ROLE_DIM, "after %.1f s", j->ran);
	if (p->c->w >= ROOMY && at && localtime_r(&at, &tm) &&
		strftime(began, sizeof began, "%H:%M:%S", &tm))
		panel_part(p, ROLE_DIM, "began %s", began);
}

static void draw_ended(const struct job_seen *j, struct parts *p)
{
	bool failed = j->st && j->st != ST_CANCELLED;

	if (!j->st)
		panel_part(p, ROLE_GOOD, "done");
	else if (j->st == ST_CANCELLED)
		panel_part(p, ROLE_WARN, "stopped");
	else
		panel_part(p, ROLE_BAD, "failed");
	if (j->times > 1)
		panel_part(p, ROLE_DIM, "%u times", j->times);
	else
		draw_times(j, p);
	if (j->sentence && j->st != ST_CANCELLED) {
		/* The rest of the line is the sentence's (of one that is done its result), cut
		 * where it ends. */
		panel_cut(p->c, p->x + 2, p->y, p->c->w - p->x - 2, failed ? ROLE_BAD : ROLE_TEXT,
			j->sentence);
		p->x = p->c->w;
	}
}

static void draw_state(const struct job_seen *j, struct parts *p)
{
	const struct snap_progress *g = j->progress;
	char ran[24];

	if (j->state == JOB_STOPPING)
		panel_part(p, ROLE_WARN, "stopping…");
	else if (j->state == JOB_WAITING)
		panel_part(p, ROLE_DIM, "waits");
	else if (!g)
		panel_part(p, ROLE_DIM, "begins");
	if (j->state == JOB_RUNNING && g) {
		jobs_progress(j, p, p->c);
		if (g->ran_s >= 1)
			panel_part(p, ROLE_DIM, "runs %s", panel_time(g->ran_s, ran));
	}
}

static void draw_row(const struct tree_row *r, struct canvas *c, bool here, bool focus)
{
	static const char *const mark[] = { "○", "●", "●", "·" };
	const struct job_seen *j = r->j;
	const struct snap_progress *g = j->progress;
	struct parts p = { .c = c, .x = 1 + 2 * r->depth };
	bool stage = g && g->name[0] && strcmp(g->name, j->name) != 0;

	if (here)
		canvas_char(c, 0, 0, focus ? ROLE_ACCENT : ROLE_DIM, '>');
	panel_part(&p, j->state == JOB_ENDED ? ROLE_TEXT : ROLE_STRONG, "%s %s%s%s",
		j->state == JOB_ENDED && j->st && j->st != ST_CANCELLED ? "!" : mark[j->state],
		j->name, stage ? ": " : "", stage ? g->name : "");
	if (j->state == JOB_ENDED)
		draw_ended(j, &p);
	else
		draw_state(j, &p);
	if (j->lane >= 0 && j->lane < LANES_SHOWN && j->state != JOB_ENDED)
		panel_part(&p, ROLE_DIM, "%s lane", lane_name[j->lane]);
	if (j->state != JOB_ENDED)
		panel_part(&p, ROLE_DIM, "job %u", j->id);
}

void jobs_draw_tree(const struct jobs_panel *p, struct canvas *c, bool focus)
{
	struct tree_row *row = xarray(ROW_MAX, sizeof *row);
	size_t n = rows_of(p, row), at = cursor_row(p, row, n), top;

	if (!n)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "nothing runs, and nothing has run yet");
	top = panel_scrolled(n, (size_t)c->h, at);
	for (size_t i = top; i < n && i < top + (size_t)c->h; i++) {
		struct canvas in = canvas_sub(c, 0, (int)(i - top), c->w, 1);

		draw_row(&row[i], &in, i == at, focus);
	}
	xfree(row);
}
