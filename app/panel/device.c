/* device - what computes, how busy it is, and whose the memory is.
 *
 * A processor alone has up to four lines: name, kernels, load, memory.  With devices beside it each
 * has a block of one to five, as there is room, that of the model first. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"

struct device_panel {
	struct snap_device *now; /* NULL: nothing was heard yet */
	char note[40];           /* "model on cuda:0"; "": the processor is all there is */
};

enum { BARS = 60 /* columns from which on a line has room for a bar and all its parts */ };

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
	p->note[0] = 0;
	for (size_t i = 0; i < p->now->n && p->now->n > 1; i++)
		if (p->now->at[i].here)
			snprintf(p->note, sizeof p->note, "model on %s", p->now->at[i].id);
	return true;
}

/* "[####------]" from x on; returns where it ends. */
static int draw_bar(struct canvas *c, int x, int y, double share)
{
	enum { BAR = 10 };
	int full;

	if (!isfinite(share))
		return x;
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	full = (int)(share * BAR + 0.5);
	canvas_fill(c, x, y, BAR, 1, ROLE_DIM, 0x2500);
	canvas_fill(c, x, y, full, 1, share > 0.9 ? ROLE_WARN : ROLE_ACCENT, 0x2501);
	return x + BAR + 2;
}

static double used_share(const struct device_now *o)
{
	return o->total && !o->asleep ? (double)o->used / (double)o->total : (double)NAN;
}

static bool is_processor(const struct device_now *o)
{
	return o->cores > 0;
}

/* ---- lines; a `part` of none is left out */

static void load_parts(struct parts *p, const struct device_now *o)
{
	if (!is_processor(o) && isfinite(o->load))
		panel_part(p, ROLE_TEXT, "%.0f %% busy", 100 * o->load);
	else if (!is_processor(o))
		panel_part(p, ROLE_DIM, o->asleep ? "not in use by bitdial" : "use not known");
	else if (isfinite(o->load))
		panel_part(p, ROLE_TEXT, "%.0f %% of %d cores", 100 * o->load, o->cores);
	else
		panel_part(p, ROLE_TEXT, "%d cores", o->cores);
}

static void our_load_parts(struct parts *p, const struct snap_device *d, const struct device_now *o)
{
	if (!is_processor(o))
		return;
	if (isfinite(d->process))
		panel_part(p, ROLE_TEXT, "bitdial %.0f %%", 100 * d->process / o->cores);
	if (isfinite(d->load_1min))
		panel_part(p, ROLE_DIM, "load %.1f", d->load_1min);
}

/* Of one line for all: in five columns each where there are few. */
static bool memory_parts(struct parts *p, const struct device_now *o, bool brief)
{
	char a[16], b[16];

	if (!o->total)
		return !is_processor(o) && panel_part(p, ROLE_DIM, "memory not known");
	if (o->asleep)
		return panel_part(p, ROLE_TEXT, "%s",
			brief ? panel_bytes5(o->total, a) : panel_mib(o->total, a));
	if (brief)
		return panel_part(p, ROLE_TEXT, "%s of %s", panel_bytes5(o->used, a),
			panel_bytes5(o->total, b));
	return panel_part(p, ROLE_TEXT, "%s of %s", panel_mib(o->used, a), panel_mib(o->total, b));
}

static void our_memory_part(
	struct parts *p, const struct snap_device *d, const struct device_now *o)
{
	uint64_t ours = is_processor(o) ? d->resident : o->ours;
	char a[16];

	if (ours || is_processor(o))
		panel_part(p, ROLE_TEXT, "bitdial %s", panel_mib(ours, a));
}

static void free_part(struct parts *p, const struct snap_device *d, const struct device_now *o)
{
	uint64_t left = o->used < o->total ? o->total - o->used : 0;
	char a[16];

	if ((o->total && !o->asleep) || is_processor(o))
		panel_part(p, ROLE_DIM, "free %s",
			panel_mib(is_processor(o) ? d->available : left, a));
}

/* ---- the processor alone */

struct words {
	struct canvas *c;
	const char *text;
	int y, end; /* the line below the last that may be drawn */
	enum role role;
};

static void draw_line(void *arg, size_t start, size_t len)
{
	struct words *w = arg;

	if (w->y < w->end)
		canvas_textn(w->c, 1, w->y++, w->role, w->text + start, len);
}

/* Whole words, on further lines where there are `spare` ones; returns the line below. */
static int draw_words(struct canvas *c, int y, int spare, enum role role, const char *text)
{
	struct words w = { c, text, y, y + 1 + (spare > 0 ? spare : 0), role };

	canvas_wrap(text, strlen(text), c->w - 1, draw_line, &w);
	return w.y;
}

static void draw_alone(const struct snap_device *d, struct canvas *c)
{
	const struct device_now *o = &d->at[0];
	bool bars = c->w >= BARS;
	struct parts p = { .c = c };
	char *text;
	int y = 0;

	if (c->h >= 3)
		y = draw_words(c, y, c->h - 4, ROLE_TEXT, o->name);
	if (c->h >= 4) {
		text = xprintf("%s  %d threads", o->kernels, o->threads);
		y = draw_words(c, y, c->h - y - 3, ROLE_TEXT, text);
		xfree(text);
	}
	p = (struct parts){ .c = c, .x = bars ? draw_bar(c, 1, y, o->load) : 1, .y = y };
	load_parts(&p, o);
	our_load_parts(&p, d, o);
	y++;
	p = (struct parts){ .c = c, .x = bars ? draw_bar(c, 1, y, used_share(o)) : 1, .y = y };
	memory_parts(&p, o, false);
	our_memory_part(&p, d, o);
	free_part(&p, d, o);
	y++;
	if (d->none[0] && y < c->h) {
		text = xprintf("no other device: %s", d->none);
		draw_words(c, y + (y + 1 < c->h), c->h - y - 2, ROLE_DIM, text);
		xfree(text);
	}
}

/* ---- several */

/* What the lines of a block are, by how many it has. */
enum line_of { ALL_IN_ONE, LOAD_NAMED, TITLE, KERNELS, LOAD, MEMORY, OURS };

/* A line with a bar has no room for what is ours where columns are few: that is the fourth then. */
static const enum line_of wide_block[][5] = {
	{ ALL_IN_ONE },
	{ LOAD_NAMED, MEMORY },
	{ TITLE, LOAD, MEMORY },
	{ TITLE, KERNELS, LOAD, MEMORY },
};
static const enum line_of narrow_block[][5] = {
	{ ALL_IN_ONE },
	{ LOAD_NAMED, MEMORY },
	{ TITLE, LOAD, MEMORY },
	{ TITLE, LOAD, MEMORY, OURS },
	{ TITLE, KERNELS, LOAD, MEMORY, OURS },
};

/* The id, marked where the model is. */
static void named(struct parts *p, const struct device_now *o)
{
	if (o->here)
		canvas_char(p->c, 0, p->y, ROLE_ACCENT, 0x25b8);
	panel_part(p, o->here ? ROLE_STRONG : ROLE_TEXT, "%s", o->id);
}

/* lone: what is ours has a line of its own. */
static void draw_one(const struct snap_device *d, const struct device_now *o, struct canvas *c,
	int y, enum line_of what, bool lone)
{
	bool bar = c->w >= BARS || lone;
	struct parts p = { .c = c, .x = 1, .y = y };

	switch (what) {
	case ALL_IN_ONE:
		named(&p, o);
		load_parts(&p, o);
		if (memory_parts(&p, o, c->w < BARS))
			our_memory_part(&p, d, o);
		break;
	case TITLE:
		named(&p, o);
		panel_cut(c, p.x + 2, y, c->w - p.x - 2, ROLE_TEXT, o->name);
		break;
	case KERNELS:
		panel_cut(c, 1, y, c->w - 1, ROLE_DIM, o->kernels);
		break;
	case LOAD_NAMED:
		named(&p, o);
		p.x += 2;
		p.n = 0;
		/* fall through */
	case LOAD:
		p.x = bar ? draw_bar(c, p.x, y, o->load) : p.x;
		load_parts(&p, o);
		if (!lone)
			our_load_parts(&p, d, o);
		break;
	case MEMORY:
		p.x = bar ? draw_bar(c, 1, y, used_share(o)) : 1;
		memory_parts(&p, o, false);
		if (lone)
			break;
		our_memory_part(&p, d, o);
		free_part(&p, d, o);
		break;
	case OURS:
		our_memory_part(&p, d, o);
		free_part(&p, d, o);
		our_load_parts(&p, d, o);
		break;
	}
}

/* Lines in turn, to the one with the model first; returns how many are left over. */
static int share_lines(const struct snap_device *d, int rows, int tallest, int lines[DEVICES])
{
	size_t first = 0;

	for (size_t i = 0; i < d->n; i++) {
		lines[i] = 0;
		first = d->at[i].here ? i : first;
	}
	for (int l = 0; l < tallest; l++)
		for (size_t i = 0; i < d->n && rows > 0; i++) {
			size_t k = !i ? first : i <= first ? i - 1 : i;

			lines[k]++;
			rows--;
		}
	return rows;
}

static void draw_several(const struct snap_device *d, struct canvas *c)
{
	static const char hint[] = ":device NAME moves the model";
	int lines[DEVICES], y = 0;
	bool wide = c->w >= BARS;
	int left = share_lines(d, c->h, wide ? 4 : 5, lines);
	bool says = left > 0, apart = left - says >= (int)d->n - 1;

	for (size_t i = 0; i < d->n; i++) {
		y += apart && i;
		for (int l = 0; l < lines[i]; l++)
			draw_one(d, &d->at[i], c, y++,
				wide ? wide_block[lines[i] - 1][l] : narrow_block[lines[i] - 1][l],
				!wide && lines[i] > 3);
	}
	if (says)
		panel_cut(c, 1, c->h - 1, c->w - 1, ROLE_DIM, hint);
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct device_panel *p = self;

	(void)focus;
	if (!p->now || !p->now->n)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "not looked at yet");
	else if (p->now->n == 1)
		draw_alone(p->now, c);
	else
		draw_several(p->now, c);
}

static const char *note(const void *self)
{
	const struct device_panel *p = self;

	return p->note[0] ? p->note : NULL;
}

/* A line each: "cpu: AMD EPYC 9654, avx512 (of avx2, avx512), 96 threads". */
static char *copy(const void *self)
{
	const struct device_panel *p = self;
	char *all = NULL;

	for (size_t i = 0; p->now && i < p->now->n; i++) {
		const struct device_now *o = &p->now->at[i];
		char *was = all, threads[32] = "";

		if (o->threads > 0)
			snprintf(threads, sizeof threads, ", %d threads", o->threads);
		all = xprintf("%s%s%s%s%s, %s%s", was ? was : "", was ? "\n" : "",
			p->now->n > 1 ? o->id : "", p->now->n > 1 ? ": " : "", o->name, o->kernels,
			threads);
		xfree(was);
	}
	return all;
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
	.note = note,
	.draw = draw,
};
