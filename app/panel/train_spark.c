/* spark - what else a run tells step by step, each in a line of its own, and its notices. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"
#include "core/work/snap_train.h"

struct spark {
	struct snap_train *now; /* NULL: there was none yet */
};

static void *create(void)
{
	return xalloc(sizeof(struct spark));
}

static void destroy(void *self)
{
	struct spark *p = self;

	snap_unref((struct snap *)p->now);
	xfree(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct spark *p = self;

	if (ev->kind != EV_TRAIN)
		return false;
	p->now = panel_hold(p->now, ev);
	return true;
}

/* ---- one of them */

static const struct {
	const char *name;
	enum train_series of;
	bool share;
} items[] = {
	{ "lr", SERIES_LR, false },
	{ "grad", SERIES_GRAD, false },
	{ "tok/s", SERIES_RATE, false },
	{ "flips", SERIES_FLIPS, true },
	{ "satur.", SERIES_SATURATED, true },
	{ "rev.", SERIES_REVERSALS, true },
	{ "moved", SERIES_CHANGED, true },
	{ "update", SERIES_UPDATE, false },
	{ "memory", SERIES_MEMORY, false },
};
enum { ITEMS = sizeof items / sizeof items[0], ITEM_W = 26, NAME_W = 7, VALUE_W = 7 };

/* Ever: what the last step had not (a share of no flips) keeps its place. */
static bool is_there(const struct snap_train *t, size_t i)
{
	bool ever = isfinite(t->last[items[i].of]);

	for (size_t b = 0; b < t->seen.n && !ever; b++)
		ever = isfinite(t->seen.bucket[b].v[items[i].of].mean);
	return ever;
}

static void value(const struct snap_train *t, size_t i, char out[24])
{
	double v = t->last[items[i].of], a = fabs(v);

	if (!isfinite(v))
		snprintf(out, 24, "-");
	else if (items[i].of == SERIES_MEMORY)
		panel_bytes5((uint64_t)v, out);
	else if (items[i].share)
		snprintf(out, 24, "%.*f%%",
			100 * a >= 9.95     ? 1
			: 100 * a >= 0.0995 ? 2
					    : 3,
			100 * v);
	else if (a >= 99999.5 || (a > 0 && a < 0.0095))
		snprintf(out, 24, "%.0e", v);
	else
		snprintf(out, 24, "%.*f", a < 9.995 ? 2 : a < 999.5 ? 1 : 0, v);
}

/* The greatest mean of the buckets that share a column; NAN: none. */
static double column(const struct train_history *h, enum train_series of, int x, int w)
{
	size_t from = h->n * (size_t)x / (size_t)w, to = h->n * (size_t)(x + 1) / (size_t)w;
	double v = (double)NAN;

	if (to <= from)
		to = from + 1;
	for (size_t i = from; i < to && i < h->n; i++)
		v = fmax(v, (double)h->bucket[i].v[of].mean);
	return v;
}

/* w columns from x on, between the least and the most there was. */
static void bars(
	struct canvas *c, int x, int y, int w, const struct train_history *h, enum train_series of)
{
	double lo = INFINITY, hi = -INFINITY;

	if (h->n < (size_t)w)
		w = (int)h->n;
	for (int i = 0; i < w; i++) {
		double v = column(h, of, i, w);

		lo = v < lo ? v : lo;
		hi = v > hi ? v : hi;
	}
	for (int i = 0; i < w; i++) {
		double v = column(h, of, i, w);
		int level = hi > lo ? (int)((v - lo) / (hi - lo) * 7 + 0.5) : 3;

		if (isfinite(v))
			canvas_char(c, x + i, y, ROLE_ACCENT, 0x2581u + (uint32_t)level);
	}
}

static void draw_item(const struct snap_train *t, struct canvas *c, int x, int y, int w, size_t i)
{
	char v[24];

	value(t, i, v);
	canvas_text(c, x, y, ROLE_DIM, items[i].name);
	bars(c, x + NAME_W, y, w - NAME_W - VALUE_W - 3, &t->seen, items[i].of);
	canvas_right(c, x + w - 2, y, ROLE_TEXT, v);
}

/* ---- all */

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct snap_train *t = ((const struct spark *)self)->now;
	int columns = (c->w - 1) / ITEM_W, n = 0, notes, w, y;
	char line[160];

	(void)focus;
	if (!t || t->state == TRAINING_NONE) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM,
			"learning rate, gradient, speed, flips: step by step, once a run goes");
		return;
	}
	if (columns < 1)
		columns = 1;
	w = (c->w - 1) / columns;
	notes = (int)t->n_notes < c->h / 2 ? (int)t->n_notes : c->h / 2;
	for (size_t i = 0; i < ITEMS; i++)
		if (is_there(t, i) && n / columns < c->h - notes) {
			draw_item(t, c, 1 + n % columns * w, n / columns, w, i);
			n++;
		}
	if (!n && !notes)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no step is done yet");
	y = c->h - notes;
	for (int i = 0; i < notes; i++) {
		size_t at = t->n_notes - (size_t)(notes - i);

		if (t->note[at].step)
			snprintf(line, sizeof line, "! step %llu: %s",
				(unsigned long long)t->note[at].step, t->note[at].text);
		else
			snprintf(line, sizeof line, "! %s", t->note[at].text);
		panel_cut(c, 1, y + i, c->w - 1, ROLE_WARN, line);
	}
}

const struct panel_class panel_spark = {
	.name = "spark",
	.title = "Step by step",
	.min_w = 20,
	.min_h = 1,
	.events = 1ull << EV_TRAIN,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.draw = draw,
};
