/* jobs - what runs, how far it is, how long it will take; and how the last ones ended.
 *
 * On few lines a line a job (this file); where there is room a tree (jobs_tree.c).
 */
#include "app/panel/jobs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static void *create(void)
{
	return xalloc(sizeof(struct jobs_panel));
}

static void release(struct job_seen *j)
{
	snap_unref((struct snap *)j->progress);
	xfree(j->sentence);
}

static void destroy(void *self)
{
	struct jobs_panel *p = self;

	for (size_t i = 0; i < p->n; i++)
		release(&p->job[i]);
	xfree(p->job);
	xfree(p->sentence);
	xfree(p);
}

/* ---- events */

static struct job_seen *find(struct jobs_panel *p, uint32_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->job[i].id == id)
			return &p->job[i];
	return NULL;
}

static void drop(struct jobs_panel *p, struct job_seen *j)
{
	release(j);
	p->n--;
	memmove(j, j + 1, (size_t)(&p->job[p->n] - j) * sizeof *j);
}

static struct job_seen *add(struct jobs_panel *p, uint32_t id, const char *name)
{
	struct job_seen *j = find(p, id);

	if (!j) {
		p->job = xrealloc(p->job, (p->n + 1) * sizeof *p->job);
		j = &p->job[p->n++];
		*j = (struct job_seen){ .id = id, .lane = -1, .times = 1 };
	}
	snprintf(j->name, sizeof j->name, "%s", name);
	return j;
}

static void queued(struct jobs_panel *p, const struct event *ev)
{
	const struct snap_job *s = (const struct snap_job *)ev->snap;
	struct job_seen *j;

	if (!s)
		return;
	j = add(p, ev->key, s->name);
	j->parent = s->parent;
	j->lane = s->lane;
	j->order = s->order;
}

static bool began(struct jobs_panel *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	struct job_seen *j = add(p, ev->key, text ? text->text : "job");

	j->state = j->state == JOB_STOPPING ? JOB_STOPPING : JOB_RUNNING;
	j->began = clock_now();
	j->began_at = (int64_t)time(NULL);
	return true;
}

static bool is_parent(const struct jobs_panel *p, uint32_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->job[i].parent == id)
			return true;
	return false;
}

/* What is over in a moment comes often: the same end again is counted, not listed. */
static void fold(struct jobs_panel *p, uint32_t id)
{
	static const double moment = 1; /* second */
	struct job_seen *j = find(p, id);

	for (size_t i = 0; i < p->n && j->ran < moment && !is_parent(p, id); i++) {
		struct job_seen *o = &p->job[i];

		if (o == j || o->state != JOB_ENDED || o->st != j->st || o->parent != j->parent ||
			o->ran >= moment || strcmp(o->name, j->name) ||
			strcmp(o->sentence ? o->sentence : "", j->sentence ? j->sentence : "") ||
			is_parent(p, o->id))
			continue;
		j->times += o->times;
		if (p->cursor == o->id)
			p->cursor = id;
		drop(p, o);
		return;
	}
}

static void forget_oldest(struct jobs_panel *p)
{
	struct job_seen *oldest = NULL;
	size_t ended = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct job_seen *j = &p->job[i];

		ended += j->state == JOB_ENDED;
		if (j->state == JOB_ENDED && (!oldest || j->ended < oldest->ended))
			oldest = j;
	}
	if (ended > JOBS_ENDED)
		drop(p, oldest);
}

static void ended(struct jobs_panel *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	struct job_seen *j = find(p, ev->key);

	if (!j || j->state == JOB_ENDED)
		return;
	snprintf(p->last, sizeof p->last, "%s", j->name);
	p->last_st = j->st = (enum st)ev->n;
	xfree(p->sentence);
	p->sentence = text && text->text[0] ? xstrdup(text->text) : NULL;
	j->sentence = p->sentence ? xstrdup(p->sentence) : NULL;
	j->ended = ++p->ends;
	j->ran = j->state == JOB_WAITING ? 0 : clock_now() - j->began;
	j->state = JOB_ENDED;
	snap_unref((struct snap *)j->progress);
	j->progress = NULL;
	fold(p, ev->key);
	forget_oldest(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct jobs_panel *p = self;
	struct job_seen *j;

	switch (ev->kind) {
	case EV_JOB_QUEUED:
		queued(p, ev);
		return true;
	case EV_JOB_BEGAN:
		return began(p, ev);
	case EV_JOB_STOPPING:
		j = find(p, ev->key);
		if (j && j->state != JOB_ENDED)
			j->state = JOB_STOPPING;
		return j != NULL;
	case EV_JOB_PROGRESS:
		/* State may overtake an edge: of one that is not there it is no news. */
		j = find(p, ev->key);
		if (!j || !ev->snap || j->state == JOB_ENDED)
			return false;
		j->progress = panel_hold(j->progress, ev);
		return true;
	case EV_JOB_ENDED:
		ended(p, ev);
		return true;
	default:
		return false;
	}
}

/* ---- drawing */

void jobs_bar(struct canvas *c, struct parts *p, double share)
{
	enum { BAR = 12 };
	int full = (int)(share * BAR + 0.5);

	if (c->w < 70 || p->x + 2 + BAR > c->w)
		return;
	p->x += 2;
	canvas_fill(c, p->x, p->y, BAR, 1, ROLE_DIM, 0x2500);
	canvas_fill(c, p->x, p->y, full, 1, ROLE_ACCENT, 0x2501);
	p->x += BAR;
}

/* Share, bar, time left and rate of the present stage. */
void jobs_progress(const struct job_seen *j, struct parts *p, struct canvas *c)
{
	const struct snap_progress *g = j->progress;
	double share;
	char left[24];

	if (g->total > 0) {
		share = g->done > 0 ? g->done / g->total : 0;
		share = share > 1 ? 1 : share;
		/* Done is said when it is, not when it is nearly. */
		panel_part(p, ROLE_ACCENT, "%d %%", share < 1 ? (int)(share * 100) : 100);
		jobs_bar(c, p, share);
		if (g->held)
			panel_part(p, ROLE_WARN, "paused");
		else if (panel_time(g->left_s, left)[0])
			panel_part(p, ROLE_TEXT, "%s left", left);
		panel_part(p, ROLE_DIM, "%.0f of %.0f %s", g->done, g->total, g->unit);
	} else {
		if (g->done > 0)
			panel_part(p, ROLE_TEXT, "%.0f %s", g->done, g->unit);
		panel_part(p, ROLE_DIM, "working %s", panel_time(g->seconds, left));
	}
	if (isfinite(g->whole_s) && g->whole_s >= 1 && panel_time(g->whole_s, left)[0])
		panel_part(p, ROLE_DIM, "about %s in all", left);
	if (!g->held && g->rate > 0 && isfinite(g->rate))
		panel_part(p, ROLE_DIM, "%.*f %s/s", g->rate < 10, g->rate, g->unit);
}

static void draw_job(const struct job_seen *j, struct canvas *c, int y, int w)
{
	struct canvas in = canvas_sub(c, 0, y, w, 1);
	struct parts p = { .c = &in, .x = in.w < 30 ? 0 : 1 };
	const struct snap_progress *g = j->progress;

	panel_part(&p, ROLE_STRONG, "● %s", g && g->name[0] ? g->name : j->name);
	if (!g) {
		panel_part(&p, ROLE_DIM, "begins");
		return;
	}
	jobs_progress(j, &p, &in);
	panel_part(&p, ROLE_DIM, "job %u", j->id);
}
/* Of what failed the sentence matters more than that nothing runs. */
static void draw_failed(const struct jobs_panel *p, struct canvas *c, int x, int y)
{
	const char *why = p->sentence ? p->sentence : st_name(p->last_st);
	bool named = !strncmp(why, p->last, strlen(p->last));
	char *text = named ? xprintf("failed: %s", why) : xprintf("%s failed: %s", p->last, why);

	if (x > 1 && x + text_width(text, strlen(text)) > c->w) {
		canvas_fill(c, 0, y, c->w, 1, ROLE_TEXT, ' ');
		x = 1;
	}
	panel_cut(c, x, y, c->w - x, ROLE_BAD, text);
	xfree(text);
}

static void draw_last(const struct jobs_panel *p, struct canvas *c, int y, bool idle)
{
	struct parts line = { .c = c, .x = 1, .y = y };

	if (idle)
		panel_part(&line, ROLE_DIM, "nothing runs");
	if (idle && p->last[0] && y + 1 < c->h)
		line = (struct parts){ .c = c, .x = 1, .y = y + 1 };
	if (!p->last[0])
		return;
	if (!p->last_st)
		panel_part(&line, ROLE_TEXT, "%s is done", p->last);
	else if (p->last_st == ST_CANCELLED)
		panel_part(&line, ROLE_TEXT, "%s was stopped", p->last);
	else
		draw_failed(p, c, line.n ? line.x + 2 : line.x, line.y);
}

/* A line for each of those at work, the newest first, then how the last one ended. */
static void draw_lines(const struct jobs_panel *p, struct canvas *c)
{
	size_t room = c->h > 0 ? (size_t)c->h : 0, n = 0, seen, at = 0;
	char more[32] = "";
	int w = c->w;

	for (size_t i = 0; i < p->n; i++)
		n += jobs_at_work(&p->job[i]);
	seen = n < room ? n : room;
	if (seen < n && seen) { /* the newest is at work, the others wait for it */
		snprintf(more, sizeof more, "+%zu more", n - seen);
		w = c->w - (int)strlen(more) - 2;
	}
	for (size_t i = p->n; i-- && at < seen;)
		if (jobs_at_work(&p->job[i])) {
			draw_job(&p->job[i], c, (int)at, at + 1 == seen ? w : c->w);
			at++;
		}
	if (*more)
		canvas_right(c, c->w - 1, (int)seen - 1, ROLE_DIM, more);
	if (seen < room)
		draw_last(p, c, (int)seen, !n);
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct jobs_panel *p = self;

	if (c->h >= JOBS_TREE && c->w >= 20)
		jobs_draw_tree(p, c, focus);
	else
		draw_lines(p, c);
}

static char *copy(const void *self)
{
	const struct jobs_panel *p = self;
	const struct job_seen *j = jobs_under(p);

	if (p->cursor && j && j->sentence)
		return xstrdup(j->sentence);
	return p->sentence ? xstrdup(p->sentence) : NULL;
}

const struct panel_class panel_jobs = {
	.name = "jobs",
	.title = "Jobs",
	.min_w = 30,
	.min_h = 1,
	.events = 1u << EV_JOB_QUEUED | 1u << EV_JOB_BEGAN | 1u << EV_JOB_STOPPING |
		  1u << EV_JOB_PROGRESS | 1u << EV_JOB_ENDED,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_command = jobs_command,
	.on_mouse = jobs_mouse,
	.copy = copy,
	.draw = draw,
};
