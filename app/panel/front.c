/* front - damage against stored bits: the predicted curve, what was measured, the dial. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"

struct front_panel {
	struct snap_model *model;
	struct snap_front *front;
	struct snap_answer *answer;
	int64_t view; /* enum view_bits */
	char note[64];
};

/* Each kind of point has its own mark, so that no colour is needed. */
static const struct {
	const char *what, *mark;
	enum role role;
} marks[] = {
	{ "measured", "◇", ROLE_STRONG },
	{ "early", "◇", ROLE_DIM },
	{ "refined", "◆", ROLE_GOOD },
	{ "uniform", "△", ROLE_SERIES0 },
	{ "ends", "□", ROLE_SERIES0 + 1 },
	{ "random", "×", ROLE_SERIES0 + 2 },
};
enum { MARKS = sizeof marks / sizeof marks[0] };

static void *create(void)
{
	struct front_panel *p = xalloc(sizeof *p);

	p->view = VIEW_LOG;
	return p;
}

static void destroy(void *self)
{
	struct front_panel *p = self;

	snap_unref((struct snap *)p->model);
	snap_unref((struct snap *)p->front);
	snap_unref((struct snap *)p->answer);
	xfree(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct front_panel *p = self;

	switch (ev->kind) {
	case EV_MODEL:
		p->model = panel_hold(p->model, ev);
		return false;
	case EV_FRONT:
		p->front = panel_hold(p->front, ev);
		break;
	case EV_ANSWER:
		p->answer = panel_hold(p->answer, ev);
		break;
	case EV_VIEW:
		p->view = ev->n;
		break;
	default:
		return false;
	}
	snprintf(p->note, sizeof p->note, "%s, %s",
		p->front && !p->front->in_nats ? "first scores, not in nats" : "nats a token",
		p->view & VIEW_LOG ? "log" : "linear");
	return true;
}

/* ---- the predicted curve */

static double bpw_of(const struct snap_front *f, uint64_t bytes)
{
	return f->least ? (double)bytes * f->least_bpw / (double)f->least : f->least_bpw;
}

/* Predicted damage at a size, between the points that are there; NAN outside. */
static double predicted_at(const struct snap_front *f, double bpw)
{
	for (size_t i = 0; i < f->n; i++) {
		double x1 = bpw_of(f, f->bytes[i]), x0;

		if (bpw > x1 + 1e-9)
			continue;
		if (!i)
			return bpw < x1 - 1e-6 * x1 ? (double)NAN : f->kl[0];
		x0 = bpw_of(f, f->bytes[i - 1]);
		return x1 > x0 ? f->kl[i - 1] + (f->kl[i] - f->kl[i - 1]) * (bpw - x0) / (x1 - x0)
			       : f->kl[i];
	}
	return NAN;
}

/* Points in nats are not drawn among first scores. */
static size_t points_of(const struct snap_front *f)
{
	return f->in_nats ? f->n_points : 0;
}

static int mark_of(const struct front_point *p)
{
	for (int i = 0; i < MARKS; i++)
		if (!strncmp(p->what, marks[i].what, strlen(marks[i].what)))
			return i;
	return 0;
}

/* The sum of single damages does not hold at that point. */
static bool is_missed(const struct front_point *p)
{
	return !strcmp(p->what, "measured") && p->missed;
}

/* ---- axes */

struct axes {
	int x0, w, h; /* the cells of the curve begin at 0, 0 of a canvas without the legend */
	double lo_x, hi_x, lo, hi;
	bool log;
};

static void stretch(struct axes *p, double v)
{
	if (!isfinite(v))
		return;
	if (v > p->hi)
		p->hi = v;
	if (v > 0 && v < p->lo)
		p->lo = v;
}

/* Whatever is drawn lies on the axes. */
static void stretch_to(struct axes *p, double bpw, double kl)
{
	stretch(p, kl);
	if (isfinite(kl) && isfinite(bpw)) {
		p->lo_x = bpw < p->lo_x ? bpw : p->lo_x;
		p->hi_x = bpw > p->hi_x ? bpw : p->hi_x;
	}
}

static void stretch_points(const struct front_panel *p, struct axes *out)
{
	const struct front_point *q = p->front->point;
	const struct snap_answer *a = p->answer;

	for (size_t i = 0; i < points_of(p->front); i++) {
		stretch_to(out, q[i].bpw, q[i].kl);
		stretch(out, q[i].kl + (q[i].se > 0 ? q[i].se : 0));
	}
	if (a && a->in_nats == p->front->in_nats) {
		stretch_to(out, a->stored_bpw, a->kl);
		if (a->has_a)
			stretch_to(out, a->a_bpw, a->a_kl);
	}
}

static bool lay_out(const struct front_panel *p, const struct canvas *c, struct axes *out)
{
	const struct snap_front *f = p->front;

	*out = (struct axes){
		.x0 = 7, .w = c->w - 8, .h = c->h - 1, .lo = INFINITY, .log = p->view & VIEW_LOG
	};
	if (c->w < 24 || c->h < 3 || !f || !f->n || !(f->most_bpw > f->least_bpw))
		return false;
	out->lo_x = f->least_bpw;
	out->hi_x = f->most_bpw;
	for (size_t i = 0; i < f->n; i++)
		stretch(out, f->kl[i]);
	/* Of the curve; below, no eye sees a difference that matters. */
	if (out->log && !(out->lo > out->hi * 1e-4))
		out->lo = out->hi * 1e-4;
	stretch_points(p, out);
	if (!(out->hi > 0)) /* no damage anywhere: a line at the bottom */
		out->hi = 1;
	if (!out->log)
		out->lo = 0;
	else if (!(out->lo > 0))
		out->lo = out->hi * 1e-4;
	if (out->log && out->lo > out->hi / 2)
		out->lo = out->hi / 2;
	return true;
}

/* Row in units of 1 / per of a cell, from the top; below the axis is on it. */
static int row_of(const struct axes *p, double v, int per)
{
	double at, n = p->h * per - 1;

	if (p->log)
		at = v <= p->lo ? n : log(p->hi / v) / log(p->hi / p->lo) * n;
	else
		at = (p->hi - v) / p->hi * n;
	return at < 0 ? 0 : at > n ? (int)n : (int)(at + 0.5);
}

/* The cell that holds the dot of the curve at this value. */
static int cell_of(const struct axes *p, double v)
{
	return row_of(p, v, 4) / 4;
}

static int column_of(const struct axes *p, double bpw)
{
	double at = (bpw - p->lo_x) / (p->hi_x - p->lo_x) * (p->w - 1);

	return isnan(at) || at < 0 ? 0 : at > p->w - 1 ? p->w - 1 : (int)(at + 0.5);
}

/* Not those off the axis or too near the one above. */
static void y_tick(struct canvas *c, const struct axes *p, double v, const char *fmt, int *last)
{
	int y = cell_of(p, v), gap = p->h < 5 ? 1 : 2;
	char label[24];

	if (v < p->lo * 0.999999 || v > p->hi * 1.000001 || (*last >= 0 && y - *last < gap))
		return;
	snprintf(label, sizeof label, fmt, v);
	canvas_right(c, p->x0 - 1, y, ROLE_DIM, label + (v > 0 && v < 1 && label[1] == '.'));
	*last = y;
}

/* How many ticks a row of decades would give, with threes between them or without. */
static int ticks_in(const struct axes *p, bool threes)
{
	int n = 0;

	for (int d = (int)floor(log10(p->lo)); d <= (int)floor(log10(p->hi)); d++) {
		n += pow(10, d) >= p->lo && pow(10, d) <= p->hi;
		n += threes && 3 * pow(10, d) >= p->lo && 3 * pow(10, d) <= p->hi;
	}
	return n;
}

/* Decades, and threes where each has its place; every second or third decade where not all
 * have.  The ends themselves, where there would be fewer than two. */
static void log_ticks(struct canvas *c, const struct axes *p)
{
	double rows = (p->h - 1) / log10(p->hi / p->lo); /* of a decade */
	int gap = p->h < 5 ? 1 : 2, last = -1, by = 1, top = (int)floor(log10(p->hi));
	bool threes = rows * log10(3) >= gap + 0.5 || ticks_in(p, false) < 2;

	while (by * rows < gap)
		by++;
	if (ticks_in(p, threes) < 2 || (by > 1 && ticks_in(p, false) <= by)) {
		y_tick(c, p, p->hi, "%.2g", &last);
		y_tick(c, p, p->lo, "%.1g", &last);
		return;
	}
	for (int d = top; d >= (int)floor(log10(p->lo)); d--) {
		if (threes && by == 1)
			y_tick(c, p, 3 * pow(10, d), "%.3g", &last);
		if (by == 1 || d % by == 0)
			y_tick(c, p, pow(10, d), "%.3g", &last);
	}
}

static void draw_y_axis(struct canvas *c, const struct axes *p)
{
	double by = panel_step(p->hi, p->h < 4 ? p->h : p->h / 2);
	int last = -1;

	if (p->log) {
		log_ticks(c, p);
		return;
	}
	for (int i = (int)(p->hi / by + 1e-6); i >= 0; i--)
		y_tick(c, p, i * by, "%.3g", &last);
}

static void draw_axes(struct canvas *c, const struct axes *p)
{
	double step = panel_step(p->hi_x - p->lo_x, p->w / 12), v;
	int used = 0;
	char label[24];

	for (int y = 0; y < p->h; y++)
		canvas_text(c, p->x0 - 1, y, ROLE_DIM, "│");
	canvas_text(c, p->x0 - 1, p->h, ROLE_DIM, "└");
	canvas_fill(c, p->x0, p->h, p->w, 1, ROLE_DIM, 0x2500);
	draw_y_axis(c, p);
	for (v = ceil(p->lo_x / step - 1e-6) * step; v <= p->hi_x + 1e-9; v += step) {
		int x = column_of(p, v);
		int digits = step < 0.095 ? 2 : step < 0.95 ? 1 : 0;
		int w = snprintf(label, sizeof label, "%.*f", digits, v);

		if (x < used || x + w > p->w)
			continue;
		canvas_text(c, p->x0 + x, p->h, ROLE_DIM, label);
		used = x + w + 2;
	}
}

/* ---- the curve and what is on it */

static void draw_curve(const struct front_panel *fp, struct canvas *c, const struct axes *p)
{
	struct dots d = { p->w, p->h, xalloc((size_t)p->w * (size_t)p->h + 1) };
	int last = -1;

	for (int x = 0; x < 2 * p->w; x++) {
		double v =
			predicted_at(fp->front, p->lo_x + (p->hi_x - p->lo_x) * x / (2 * p->w - 1));
		int y = isnan(v) ? -1 : row_of(p, v, 4);

		if (y >= 0)
			for (int from = last < 0 || last > y ? y : last + 1; from <= y; from++)
				dots_set(&d, x, from);
		dots_set(&d, x, y);
		last = y;
	}
	dots_draw(&d, c, p->x0, ROLE_ACCENT, fp->view & VIEW_ASCII);
	xfree(d.bits);
}

/* One standard error to both sides, where that is more than the point's own cell. */
static void draw_bar(
	struct canvas *c, const struct axes *p, const struct front_point *q, enum role r)
{
	int at = cell_of(p, q->kl), x = p->x0 + column_of(p, q->bpw), from, to;

	if (!(q->se > 0) || isnan(q->kl))
		return;
	from = cell_of(p, q->kl + q->se);
	to = cell_of(p, q->kl - q->se);
	for (int y = from; y <= to; y++)
		if (y != at)
			canvas_text(c, x, y, r, "│");
}

/* Returns the number of its cell. */
static int put(
	struct canvas *c, const struct axes *p, double bpw, double kl, enum role r, const char *s)
{
	int x = column_of(p, bpw), y = cell_of(p, kl);

	canvas_text(c, p->x0 + x, y, r, s);
	return y * p->w + x;
}

/* What is seen at last: marks by cell, and whether a measured one is off the line. */
struct seen {
	bool mark[MARKS], missed;
};

static struct seen draw_points(const struct front_panel *fp, struct canvas *c, const struct axes *p)
{
	const struct snap_front *f = fp->front;
	const struct snap_answer *a = fp->answer;
	uint8_t *top = xalloc((size_t)p->w * (size_t)p->h); /* 1 + mark; 0: none */
	struct seen seen = { 0 };

	for (size_t i = 0; i < points_of(f); i++)
		draw_bar(c, p, &f->point[i], marks[mark_of(&f->point[i])].role);
	/* Measured ones last: they lie above the guards. */
	for (int m = MARKS - 1; m >= 0; m--)
		for (size_t i = 0; i < points_of(f); i++) {
			const struct front_point *q = &f->point[i];
			enum role r = is_missed(q) ? ROLE_WARN : marks[m].role;

			if (mark_of(q) != m || isnan(q->kl))
				continue;
			top[put(c, p, q->bpw, q->kl, r, marks[m].mark)] = (uint8_t)(m + 1);
			seen.missed |= is_missed(q);
		}
	if (a && a->has_a && !isnan(a->a_kl) && a->in_nats == f->in_nats)
		top[put(c, p, a->a_bpw, a->a_kl, ROLE_STRONG, "A")] = 0;
	if (a && !isnan(a->kl) && a->in_nats == f->in_nats)
		top[put(c, p, a->stored_bpw, a->kl, ROLE_CURSOR, "●")] = 0;
	for (int i = 0; i < p->w * p->h; i++)
		if (top[i])
			seen.mark[top[i] - 1] = true;
	xfree(top);
	return seen;
}

static int draw_marks(struct canvas *in, const bool has[MARKS])
{
	int x = in->w;

	for (int m = MARKS - 1; m >= 0; m--) {
		int w = 2 + (int)strlen(marks[m].what);

		if (!has[m] || x - w < 0)
			continue;
		x -= w;
		canvas_text(in, x, 0, marks[m].role, marks[m].mark);
		canvas_text(in, x + 2, 0, ROLE_DIM, marks[m].what);
		x -= 2;
	}
	return x;
}

/* On a line of its own at the top, which no point can be under: what marks mean, and a warning. */
static void draw_legend(const struct snap_front *f, struct canvas *in, const struct seen *seen)
{
	static const char *const warning[] = { "◇ not as predicted, by more than 2 se",
		"◇ off by > 2 se" };
	int x = draw_marks(in, seen->mark), i = x < 37;

	if (seen->missed && x >= 15)
		canvas_right(in, x, 0, ROLE_WARN, warning[i]);
	if (!f->in_nats)
		canvas_right(in, in->w, 0, ROLE_WARN,
			f->n_points && in->w >= 40 ? "first scores: measured ones not drawn"
						   : "first scores, not nats");
}

/* Too small to draw in: the numbers at the dial. */
static void draw_small(const struct front_panel *p, struct canvas *c)
{
	const struct snap_answer *a = p->answer;
	char kl[16];

	if (!p->front || !a) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no front before the first scores");
		return;
	}
	canvas_printf(c, 1, 0, ROLE_TEXT, "%.2f bpw", a->stored_bpw);
	canvas_printf(c, 1, 1, ROLE_TEXT, "%s %s", a->in_nats ? "predicted" : "first score",
		panel_kl(a->kl, kl));
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct front_panel *p = self;
	struct canvas in;
	struct axes plot;
	struct seen seen;
	int legend;

	(void)focus;
	if (!lay_out(p, c, &plot)) {
		draw_small(p, c);
		return;
	}
	legend = c->h >= 6 && (points_of(p->front) || !p->front->in_nats);
	in = canvas_sub(c, 0, legend, c->w, c->h - legend);
	plot.h -= legend;
	draw_axes(&in, &plot);
	draw_curve(p, &in, &plot);
	seen = draw_points(p, &in, &plot);
	if (legend) {
		in = canvas_sub(c, plot.x0, 0, plot.w, 1);
		draw_legend(p->front, &in, &seen);
	}
}

static const char *note(const void *self)
{
	const struct front_panel *p = self;

	return p->note[0] && p->front ? p->note : NULL;
}

static char *copy(const void *self)
{
	const struct snap_answer *a = ((const struct front_panel *)self)->answer;
	char kl[16];

	return a && a->in_nats && !isnan(a->kl)
		       ? xprintf("%.4f bpw, predicted KL %s", a->stored_bpw, panel_kl(a->kl, kl))
		       : NULL;
}

static struct figure *figure(const void *self)
{
	const struct front_panel *p = self;
	struct figure *f = figure_front(p->model, p->front, p->answer);

	if (f)
		f->plot.log_y = p->view & VIEW_LOG;
	return f;
}

const struct panel_class panel_front = {
	.name = "front",
	.title = "Front: damage against stored bits",
	.min_w = 40,
	.min_h = 5,
	.events = 1u << EV_MODEL | 1u << EV_FRONT | 1u << EV_ANSWER | 1u << EV_VIEW,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.figure = figure,
	.draw = draw,
	.note = note,
};
