/* jobs - what runs, how far it is, how long it will take; and how the last one ended. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

struct job {
	uint32_t id;
	char name[48];
	struct snap_progress *progress; /* NULL: none yet */
};

struct jobs_panel {
	struct job *job; /* [n], in the order they began */
	size_t n;
	char last[48]; /* the one that ended last; "": none did */
	enum st last_st;
	char *sentence;
};

static void *create(void)
{
	return xalloc(sizeof(struct jobs_panel));
}

static void destroy(void *self)
{
	struct jobs_panel *p = self;

	for (size_t i = 0; i < p->n; i++)
		snap_unref((struct snap *)p->job[i].progress);
	xfree(p->job);
	xfree(p->sentence);
	xfree(p);
}

/* ---- events */

static struct job *find(struct jobs_panel *p, uint32_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->job[i].id == id)
			return &p->job[i];
	return NULL;
}

static struct job *add(struct jobs_panel *p, uint32_t id, const char *name)
{
	struct job *j = find(p, id);

	if (!j) {
		p->job = xrealloc(p->job, (p->n + 1) * sizeof *p->job);
		j = &p->job[p->n++];
		*j = (struct job){ .id = id };
	}
	snprintf(j->name, sizeof j->name, "%s", name);
	return j;
}

static void ended(struct jobs_panel *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	struct job *j = find(p, ev->key);

	if (!j)
		return;
	snprintf(p->last, sizeof p->last, "%s", j->name);
	p->last_st = (enum st)ev->n;
	xfree(p->sentence);
	p->sentence = text && text->text[0] ? xstrdup(text->text) : NULL;
	snap_unref((struct snap *)j->progress);
	p->n--;
	memmove(j, j + 1, (size_t)(&p->job[p->n] - j) * sizeof *j);
}

static bool on_event(void *self, const struct event *ev)
{
	struct jobs_panel *p = self;
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	struct job *j;

	switch (ev->kind) {
	case EV_JOB_BEGAN:
		add(p, ev->key, text ? text->text : "job");
		return true;
	case EV_JOB_PROGRESS:
		/* State may overtake an edge: of one that is not there it is no news. */
		j = find(p, ev->key);
		if (!j || !ev->snap)
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

static void draw_bar(struct canvas *c, struct parts *p, double share)
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

static void draw_job(const struct job *j, struct canvas *c, int y, int w)
{
	struct canvas in = canvas_sub(c, 0, y, w, 1);
	struct parts p = { .c = &in, .x = in.w < 30 ? 0 : 1 };
	const struct snap_progress *g = j->progress;
	double share;
	char left[24];

	panel_part(&p, ROLE_STRONG, "● %s", g && g->name[0] ? g->name : j->name);
	if (!g) {
		panel_part(&p, ROLE_DIM, "begins");
		return;
	}
	if (g->total > 0) {
		share = g->done > 0 ? g->done / g->total : 0;
		share = share > 1 ? 1 : share;
		/* Done is said when it is, not when it is nearly. */
		panel_part(&p, ROLE_ACCENT, "%d %%", share < 1 ? (int)(share * 100) : 100);
		draw_bar(&in, &p, share);
		if (panel_time(g->left_s, left)[0])
			panel_part(&p, ROLE_TEXT, "%s left", left);
		panel_part(&p, ROLE_DIM, "%.0f of %.0f %s", g->done, g->total, g->unit);
	} else {
		if (g->done > 0)
			panel_part(&p, ROLE_TEXT, "%.0f %s", g->done, g->unit);
		panel_part(&p, ROLE_DIM, "working %s", panel_time(g->seconds, left));
	}
	if (g->rate > 0 && isfinite(g->rate))
		panel_part(&p, ROLE_DIM, "%.*f %s/s", g->rate < 10, g->rate, g->unit);
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

static void draw_last(const struct jobs_panel *p, struct canvas *c, int y)
{
	struct parts line = { .c = c, .x = 1, .y = y };

	if (!p->n)
		panel_part(&line, ROLE_DIM, "nothing runs");
	if (!p->n && p->last[0] && y + 1 < c->h)
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

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct jobs_panel *p = self;
	size_t room = c->h > 0 ? (size_t)c->h : 0, seen = p->n < room ? p->n : room;
	char more[32] = "";
	int w = c->w;

	(void)focus;
	if (seen < p->n && seen) { /* the newest is at work, the others wait for it */
		snprintf(more, sizeof more, "+%zu more", p->n - seen);
		w = c->w - (int)strlen(more) - 2;
	}
	for (size_t i = 0; i < seen; i++)
		draw_job(&p->job[p->n - 1 - i], c, (int)i, i + 1 == seen ? w : c->w);
	if (*more)
		canvas_right(c, c->w - 1, (int)seen - 1, ROLE_DIM, more);
	if (seen < room)
		draw_last(p, c, (int)seen);
}

static char *copy(const void *self)
{
	const struct jobs_panel *p = self;

	return p->sentence ? xstrdup(p->sentence) : NULL;
}

const struct panel_class panel_jobs = {
	.name = "jobs",
	.title = "Jobs",
	.min_w = 30,
	.min_h = 1,
	.events = 1u << EV_JOB_BEGAN | 1u << EV_JOB_PROGRESS | 1u << EV_JOB_ENDED,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.draw = draw,
};
