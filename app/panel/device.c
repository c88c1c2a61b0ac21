/* device - what computes, how busy it is, and whose the memory is. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"

struct device_panel {
	struct snap_device *now; /* NULL: nothing was heard yet */
};

static void *create(void)
{
	return xalloc(sizeof(struct device_panel));
}

static void destroy(void *self)
{
	struct device_panel *p = self;

	snap_unref((struct snap *)p->now);
	xfree(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct device_panel *p = self;

	if (ev->kind != EV_DEVICE || !ev->snap)
		return false;
	p->now = panel_hold(p->now, ev);
	return true;
}

/* "[####------]" where there is room, from x on; returns where it ends. */
static int draw_bar(struct canvas *c, int x, int y, double share)
{
	enum { BAR = 10 };
	int full = (int)(share * BAR + 0.5);

	if (!isfinite(share) || c->w < 60)
		return x;
	canvas_fill(c, x, y, BAR, 1, ROLE_DIM, 0x2500);
	canvas_fill(
		c, x, y, full < BAR ? full : BAR, 1, share > 0.9 ? ROLE_WARN : ROLE_ACCENT, 0x2501);
	return x + BAR + 2;
}

static void draw_load(const struct snap_device *d, struct canvas *c, int y)
{
	const struct device_now *cpu = &d->at[0];
	struct parts p = { .c = c, .x = draw_bar(c, 1, y, cpu->load), .y = y };

	if (isfinite(cpu->load))
		panel_part(&p, ROLE_TEXT, "%.0f %% of %d cores", 100 * cpu->load, cpu->cores);
	else
		panel_part(&p, ROLE_TEXT, "%d cores", cpu->cores);
	if (isfinite(d->process))
		panel_part(&p, ROLE_TEXT, "bitdial %.0f %%",
			100 * d->process / (cpu->cores > 0 ? cpu->cores : 1));
	if (isfinite(d->load_1min))
		panel_part(&p, ROLE_DIM, "load %.1f", d->load_1min);
}

static void draw_memory(const struct snap_device *d, struct canvas *c, int y)
{
	const struct device_now *cpu = &d->at[0];
	double share = cpu->total ? (double)cpu->used / (double)cpu->total : (double)NAN;
	struct parts p = { .c = c, .x = draw_bar(c, 1, y, share), .y = y };
	char a[16], b[16];

	if (cpu->total)
		panel_part(&p, ROLE_TEXT, "%s of %s", panel_mib(cpu->used, a),
			panel_mib(cpu->total, b));
	panel_part(&p, ROLE_TEXT, "bitdial %s", panel_mib(d->resident, a));
	panel_part(&p, ROLE_DIM, "free %s", panel_mib(d->available, a));
}

/* Another device that has memory of its own. */
static void draw_other(const struct device_now *o, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	char a[16], b[16];

	panel_part(&p, ROLE_TEXT, "%s", o->name);
	if (isfinite(o->load))
		panel_part(&p, ROLE_TEXT, "%.0f %%", 100 * o->load);
	if (o->total)
		panel_part(
			&p, ROLE_TEXT, "%s of %s", panel_mib(o->used, a), panel_mib(o->total, b));
}

struct words {
	struct canvas *c;
	const char *text;
	int y, end; /* the line below the last that may be drawn */
};

static void draw_line(void *arg, size_t start, size_t len)
{
	struct words *w = arg;

	if (w->y < w->end)
		canvas_textn(w->c, 1, w->y++, ROLE_TEXT, w->text + start, len);
}

/* Whole words, on further lines where there are `spare` ones; returns the line below. */
static int draw_words(struct canvas *c, int y, int spare, const char *text)
{
	struct words w = { c, text, y, y + 1 + (spare > 0 ? spare : 0) };

	canvas_wrap(text, strlen(text), c->w - 1, draw_line, &w);
	return w.y;
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct device_panel *p = self;
	const struct snap_device *d = p->now;
	char *kernels;
	int y = 0, rest;

	(void)focus;
	if (!d) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "not looked at yet");
		return;
	}
	rest = 1 + (int)d->n; /* load, memory, the other devices */
	if (c->h >= 3)
		y = draw_words(c, y, c->h - rest - 2, d->at[0].name);
	if (c->h >= 4) {
		kernels = xprintf("%s  %d threads", d->at[0].kernels, d->at[0].threads);
		y = draw_words(c, y, c->h - rest - y - 1, kernels);
		xfree(kernels);
	}
	draw_load(d, c, y++);
	draw_memory(d, c, y++);
	for (size_t i = 1; i < d->n && y < c->h; i++)
		draw_other(&d->at[i], c, y++);
}

static char *copy(const void *self)
{
	const struct device_panel *p = self;

	if (!p->now)
		return NULL;
	return xprintf("%s, %s, %d threads", p->now->at[0].name, p->now->at[0].kernels,
		p->now->at[0].threads);
}

const struct panel_class panel_device = {
	.name = "device",
	.title = "Device",
	.min_w = 24,
	.min_h = 2,
	.events = 1ull << EV_DEVICE,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.draw = draw,
};
