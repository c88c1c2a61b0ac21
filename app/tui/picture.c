/* picture - when a picture is shown, and when not. */
#include "app/tui/picture.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/fs.h"

/* A terminal far away answers within this, too; and a picture takes half of it to be drawn. */
static const double answer_s = 1.0;
/* Cells of a terminal that does not say how large they are: smaller than nearly all. */
enum { CELL_W = 6, CELL_H = 12, WIDEST = 1600, HIGHEST = 1000 };

static bool is_set(const struct tui *t, const char *value)
{
	return !strcmp(t->opt.value[OPT_SIXEL], value);
}

void picture_want(struct tui *t, int *w, int *h)
{
	struct picture *p = &t->picture;
	int cols = t->screen->w, rows = t->screen->h;

	*w = *h = 0;
	if (p->able == SIXEL_NO_TERMINAL || is_set(t, "off"))
		return;
	if (is_set(t, "auto") && p->able == SIXEL_NO)
		return;
	if (is_set(t, "auto") && p->able == SIXEL_NOT_ASKED) {
		p->able = SIXEL_ASKED;
		p->asked = t->now;
		p->ask = true;
	}
	*w = p->pixel_w > 0 ? p->pixel_w : cols * CELL_W;
	*h = p->pixel_h > 0 ? p->pixel_h : rows * CELL_H;
	*h -= *h / rows * 2; /* a line of text below, and nothing scrolls */
	*w = *w > WIDEST ? WIDEST : *w;
	*h = *h > HIGHEST ? HIGHEST : *h;
	if (*w < 200 || *h < 150)
		*w = *h = 0;
}

/* Also when it comes late: the next picture is shown. */
void picture_heard(struct tui *t, bool sixel)
{
	if (t->picture.able != SIXEL_NO_TERMINAL)
		t->picture.able = sixel ? SIXEL_YES : SIXEL_NO;
}

static void forget(struct picture *p)
{
	xfree(p->bytes);
	p->bytes = NULL;
	p->n = 0;
}

void picture_take(struct tui *t, const struct snap_plot *s)
{
	struct picture *p = &t->picture;

	if (!s->n || p->able == SIXEL_NO_TERMINAL)
		return;
	forget(p);
	p->bytes = xalloc(s->n);
	memcpy(p->bytes, s->sixel, s->n);
	p->n = s->n;
	snprintf(p->line, sizeof p->line, " %.100s - any key goes back", fs_name(s->path));
}

static bool answered_or_late(const struct tui *t)
{
	return t->picture.able != SIXEL_ASKED || t->now > t->picture.asked + answer_s;
}

bool picture_due(struct tui *t)
{
	struct picture *p = &t->picture;
	bool yes = is_set(t, "on") || (is_set(t, "auto") && p->able == SIXEL_YES);

	if (!p->bytes || p->shown || t->prompt.kind || t->question)
		return false; /* nobody who types is interrupted */
	if (yes)
		return true;
	if (is_set(t, "off") || answered_or_late(t))
		forget(p);
	return false;
}

double picture_wait(const struct tui *t)
{
	double left = t->picture.asked + answer_s - t->now;

	if (!t->picture.bytes || t->picture.shown || answered_or_late(t))
		return -1;
	return left > 0 ? left : 0;
}

bool picture_close(struct tui *t)
{
	bool was = t->picture.shown;

	t->picture.shown = false;
	if (was) {
		forget(&t->picture);
		t->want_redraw = t->dirty = true;
	}
	return was;
}

void picture_release(struct tui *t)
{
	forget(&t->picture);
}
