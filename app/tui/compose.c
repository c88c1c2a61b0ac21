/* compose - one frame: header, panels in their boxes, status, what lies above. */
#include <stdio.h>
#include <string.h>

#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"

/* Below this the status alone tells what runs. */
enum { FULL_W = 40, FULL_H = 10 };

static struct arr_size smallest(const void *arg, const char *name)
{
	const struct tui *t = arg;
	long at = panel_find(t, name);

	if (at < 0)
		return (struct arr_size){ -1, -1 };
	return (struct arr_size){ t->class[at] -> min_w, t -> class[at] -> min_h };
}

/* Where a panel draws: within a box, unless there is no room for one or none is wanted. */
static bool boxed(const struct tui *t, int w, int h)
{
	return !t->bare && w >= 4 && h >= 3;
}

static void show(struct tui *t, size_t panel, int x, int y, int w, int h)
{
	struct shown *s = &t->shown[t->n_shown++];

	*s = (struct shown){ panel, x, y, w, h, x, y, w, h };
	if (boxed(t, w, h)) {
		s->ix++;
		s->iy++;
		s->iw -= 2;
		s->ih -= 2;
	}
}

/* Who has no room lends the focus, and has it back with the room, unless it was moved. */
static void lend_focus(struct tui *t, long wanted)
{
	struct place *p = &t->place[t->at];
	bool seen = false, wanted_seen = false;

	for (size_t i = 0; i < t->n_shown; i++) {
		seen |= (long)t->shown[i].panel == p->focus;
		wanted_seen |= (long)t->shown[i].panel == wanted;
	}
	p->back = wanted_seen ? -1 : wanted;
	if (wanted_seen)
		p->focus = wanted;
	else if (!seen)
		p->focus = (long)t->shown[0].panel;
}

/* Fills shown[]: which panels, and where, within rows y to y + h. */
static void place_panels(struct tui *t, int y, int w, int h)
{
	struct arr_rect rect[ARR_RECTS];
	long focus = focus_now(t);
	size_t n;

	t->n_shown = 0;
	if (focus < 0 || h < 1)
		return;
	if (t->zoom || t->bare) {
		show(t, (size_t)focus, 0, y, w, h);
		return;
	}
	if (t->place[t->at].back >= 0)
		focus = t->place[t->at].back;
	n = arrange(&t->place[t->at].arr, w, h, t->class[focus] -> name, smallest, t, rect);
	for (size_t i = 0; i < n; i++) {
		long at = panel_find(t, rect[i].name);

		show(t, (size_t)at, rect[i].x, y + rect[i].y, rect[i].w, rect[i].h);
	}
	if (!n) /* nothing fits as it should: the focused panel says what it can */
		show(t, (size_t)focus, 0, y, w, h);
	lend_focus(t, focus);
}

static void draw_panel(struct tui *t, const struct shown *s, struct canvas *all, bool focus)
{
	const struct panel_class *c = t->class[s->panel];
	struct canvas in = canvas_sub(all, s->ix, s->iy, s->iw, s->ih);

	if (s->iw != s->w || s->ih != s->h) {
		struct canvas box = canvas_sub(all, s->x, s->y, s->w, s->h);
		const char *note = c->note ? c->note(t->panel[s->panel]) : NULL;

		canvas_box(&box, focus, c->title, note);
	}
	/* The cursor follows the focus, for those who are read to. */
	if (focus)
		canvas_cursor(&in, 0, 0, false);
	c->draw(t->panel[s->panel], &in, focus);
}

static void draw_panels(struct tui *t, struct canvas *all)
{
	long focus = focus_now(t);
	const struct shown *last = NULL;

	for (size_t i = 0; i < t->n_shown; i++) {
		if ((long)t->shown[i].panel == focus)
			last = &t->shown[i];
		else
			draw_panel(t, &t->shown[i], all, false);
	}
	/* Last, so that its cursor is the one that counts. */
	if (last)
		draw_panel(t, last, all, true);
}

static void draw_hint(const struct canvas *all)
{
	static const char *const line[] = { ", .  move the budget", "3    talks to it",
		"?    explains the panel you are in" };
	int w = 40, h = 5;
	struct canvas box = canvas_sub(all, all->w - w - 1, all->h - h - 2, w, h);

	if (all->w < 60 || all->h < 16)
		return;
	canvas_fill(&box, 0, 0, w, h, ROLE_TEXT, ' ');
	canvas_box(&box, false, "First steps", "any key");
	for (int i = 0; i < 3; i++)
		canvas_text(&box, 2, 1 + i, ROLE_TEXT, line[i]);
}

static void draw_hud(const struct tui *t, struct canvas *all)
{
	double seconds = t->now - t->started;
	char buf[SHARES_TEXT + 16], shares[SHARES_TEXT];

	snprintf(buf, sizeof buf,
		" %lu frames %.2f ms  key p50 %.1f p99 %.1f worst %.1f ms  %.1f kB/s ",
		t->stats.frames, t->stats.draw_ms, t->stats.p50_ms, t->stats.p99_ms,
		t->stats.worst_ms, seconds > 0 ? (double)t->stats.bytes / seconds / 1000 : 0);
	canvas_right(all, all->w, 1, ROLE_SEL, buf);
	if (*chat_shares_text(&t->chat, shares)) {
		int n = snprintf(buf, sizeof buf, " a token: %s ", shares);

		/* wider than the screen: the beginning says most */
		canvas_text(all, all->w > n ? all->w - n : 0, 2, ROLE_SEL, buf);
	}
}

/* Too small for panels: what runs, in as many lines as there are. */
static void draw_small(struct tui *t, struct canvas *all)
{
	struct canvas line = canvas_sub(all, 0, all->h - 1, all->w, 1);
	bool prompt = t->prompt.kind || t->question;

	t->n_shown = 0;
	if (prompt)
		overlay_prompt(t, all);
	if (prompt && all->h < 2)
		return;
	if (prompt)
		line = canvas_sub(all, 0, all->h - 2, all->w, 1);
	status_line(t, &line);
	overlay_draw(t, all);
}

void compose(struct tui *t)
{
	struct canvas all = canvas_of(t->screen), line;
	int w = all.w, h = all.h;

	surface_clear(t->screen);
	if (w < FULL_W || h < FULL_H) {
		draw_small(t, &all);
		return;
	}
	place_panels(t, 1, w, h - 3);
	draw_panels(t, &all);
	line = canvas_sub(&all, 0, 0, w, 1);
	status_header(t, &line);
	line = canvas_sub(&all, 0, h - 2, w, 1);
	status_line(t, &line);
	if (t->hud)
		draw_hud(t, &all);
	if (t->hint && !t->list.open)
		draw_hint(&all);
	if (!t->list.open)
		tour_draw(t, &all);
	overlay_draw(t, &all);
	overlay_prompt(t, &all);
}

char *compose_panel(struct tui *t, size_t panel)
{
	struct surface *s;
	struct canvas c;
	char *text;
	int w = 80, h = 24;

	for (size_t i = 0; i < t->n_shown; i++)
		if (t->shown[i].panel == panel) {
			w = t->shown[i].iw;
			h = t->shown[i].ih;
		}
	s = surface_new(w, h);
	c = canvas_of(s);
	t->class[panel]->draw(t->panel[panel], &c, false);
	text = surface_dump(s, opt_on(&t->opt, OPT_ASCII));
	surface_free(s);
	return text;
}
