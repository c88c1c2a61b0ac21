/* train_chart - losses over steps: spans of the raw loss, its mean, held-out looks; a ghost. */
#include "app/panel/train_chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"

enum { LABEL = CHART_LABEL };

/* ---- places */

double chart_x(const struct chart_view *v, const struct train_history *h, size_t i)
{
	if (v->by_time)
		return (double)h->bucket[i].at_s;
	return (double)(h->first + i * h->stride + h->bucket[i].n);
}

double chart_look_x(const struct chart_view *v, const struct train_look *l)
{
	return v->by_time ? (double)l->at_s : (double)l->step;
}

double chart_newest(const struct chart_view *v, const struct snap_train *t)
{
	double x = t->seen.n ? chart_x(v, &t->seen, t->seen.n - 1) : 0;

	for (size_t i = 0; i < t->n_looks; i++)
		x = fmax(x, chart_look_x(v, &t->look[i]));
	return x;
}

/* A round number that is not below x: the axis grows seldom. */
static double round_up(double x)
{
	static const double nice[] = { 1, 1.5, 2, 3, 4, 5, 6, 8, 10 };
	double unit = pow(10, floor(log10(x)));
	size_t i = 0;

	while (i < 8 && nice[i] * unit < x * (1 - 1e-9))
		i++;
	return nice[i] * unit;
}

static void fit_x(struct chart_view *v, const struct snap_train *t)
{
	double newest = chart_newest(v, t), end = v->end > 0 ? v->end : newest;

	if (v->window > 0) {
		v->x1 = fmax(end, v->window);
		v->x0 = v->x1 - v->window;
		return;
	}
	v->x0 = 0;
	v->x1 = round_up(fmax(newest, v->by_time ? 10 : 20));
	/* The end of the run is rounder than any number. */
	if (!v->by_time && newest <= (double)t->steps && v->x1 >= 0.75 * (double)t->steps)
		v->x1 = (double)t->steps;
}

/* ---- the range of losses */

struct range {
	double lo, hi;
};

static void stretch(struct range *r, double v)
{
	if (isfinite(v)) {
		r->lo = fmin(r->lo, v);
		r->hi = fmax(r->hi, v);
	}
}

static bool in_view(const struct chart_view *v, double x)
{
	return x >= v->x0 && x <= v->x1;
}

static void stretch_mean(struct range *r, const struct chart_view *v, const struct train_history *h)
{
	float *m = xarray(h->n + 1, sizeof *m);

	train_history_smooth(h, v->smooth, m);
	for (size_t i = 0; i < h->n; i++)
		if (in_view(v, chart_x(v, h, i)))
			stretch(r, (double)m[i]);
	xfree(m);
}

static void stretch_looks(struct range *r, const struct chart_view *v, const struct snap_train *t,
	const struct train_look *look, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_view(v, chart_look_x(v, &look[i])))
			stretch(r, train_look_loss(t, &look[i]));
}

static void stretch_points(struct range *r, const struct snap_train *t, const struct train_look *l)
{
	for (size_t i = 0; i < t->points; i++)
		stretch(r, chart_dial_kl(t, l, i));
}

/* Of a dial; the first and the newest look are drawn whatever is in view. */
static struct range needed_by_dial(const struct chart_view *v, const struct snap_train *t)
{
	struct range r = { INFINITY, -INFINITY };

	for (size_t i = 0; i < t->n_looks; i++)
		if (!i || i + 1 == t->n_looks || in_view(v, chart_look_x(v, &t->look[i])))
			stretch_points(&r, t, &t->look[i]);
	for (size_t i = 0; i < t->n_ghost_looks; i++)
		if (in_view(v, chart_look_x(v, &t->ghost_look[i])))
			stretch_points(&r, t, &t->ghost_look[i]);
	return r;
}

static struct range needed(const struct chart_view *v, const struct snap_train *t)
{
	struct range r = { INFINITY, -INFINITY };

	for (size_t i = 0; i < t->seen.n; i++) {
		const struct train_span *s = &t->seen.bucket[i].v[SERIES_LOSS];

		if (!in_view(v, chart_x(v, &t->seen, i)))
			continue;
		stretch(&r, (double)s->lo);
		stretch(&r, (double)s->hi);
	}
	if (v->smooth > 0)
		stretch_mean(&r, v, &t->seen);
	for (size_t i = 0; i < t->ghost.n; i++)
		if (in_view(v, chart_x(v, &t->ghost, i)))
			stretch(&r, (double)t->ghost.bucket[i].v[SERIES_LOSS].mean);
	stretch_looks(&r, v, t, t->look, t->n_looks);
	stretch_looks(&r, v, t, t->ghost_look, t->n_ghost_looks);
	return r;
}

/* The former range as long as all is in it and fills most of it. */
static void fit_y(struct chart_view *v, const struct snap_train *t)
{
	struct range r = t->points ? needed_by_dial(v, t) : needed(v, t);
	bool same = v->asked_window == v->window && v->asked_time == v->by_time;
	double margin;

	if (r.hi < r.lo) {
		v->lo = v->hi = 0;
		return;
	}
	if (same && v->hi > v->lo && r.lo >= v->lo && r.hi <= v->hi &&
		r.hi - r.lo >= 0.6 * (v->hi - v->lo))
		return;
	margin = fmax(0.1 * (r.hi - r.lo), 0.01 * fabs(r.hi) + 1e-6);
	v->hi = r.hi + margin;
	v->lo = r.lo - margin;
	if (r.lo > 0) /* in view of either axis */
		v->lo = fmax(v->lo, r.lo / (1 + margin / r.hi));
	v->asked_window = v->window;
	v->asked_time = v->by_time;
}

void chart_fit(struct chart_view *v, const struct snap_train *t)
{
	fit_x(v, t);
	fit_y(v, t);
}

/* ---- axes */

int chart_row(const struct chart_plot *p, double y)
{
	double n = p->h * 4 - 1, hi = p->v->hi, lo = p->v->lo, at;

	if (p->log)
		at = y > lo ? log(hi / y) / log(hi / lo) * n : n;
	else
		at = (hi - y) / (hi - lo) * n;
	return at < 0 ? 0 : at > n ? (int)n : (int)(at + 0.5);
}

int chart_column(const struct chart_plot *p, double x)
{
	double at = (x - p->v->x0) / (p->v->x1 - p->v->x0) * (p->w * 2 - 1);

	return at < 0 ? -1 : at > p->w * 2 - 1 + 0.5 ? -1 : (int)(at + 0.5);
}

void chart_y_axis(struct canvas *c, const struct chart_plot *p)
{
	double lo = p->v->lo, hi = p->v->hi, by = panel_step(hi - lo, p->h < 4 ? p->h : p->h / 2);
	int last = -2, gap = p->h < 5 ? 1 : 2;
	char label[24];

	for (int y = 0; y < p->h; y++)
		canvas_text(c, LABEL - 1, y, ROLE_DIM, "│");
	canvas_text(c, LABEL - 1, p->h, ROLE_DIM, "└");
	canvas_fill(c, LABEL, p->h, p->w, 1, ROLE_DIM, 0x2500);
	for (double v = floor(hi / by) * by; v >= lo - by * 1e-6; v -= by) {
		int y = chart_row(p, v) / 4, digits = by < 0.0095 ? 3 : by < 0.095 ? 2 : by < 0.95;

		if (y - last < gap)
			continue;
		snprintf(label, sizeof label, v < 1e5 ? "%.*f" : "%.*g", digits, v);
		canvas_right(c, LABEL - 1, y, ROLE_DIM, label);
		last = y;
	}
}

static void x_label(const struct chart_plot *p, double v, char out[24])
{
	if (!p->v->by_time)
		snprintf(out, 24, "%.0f", fabs(v));
	else if (p->v->x1 < 300)
		snprintf(out, 24, "%.0f s", fabs(v));
	else if (p->v->x1 < 3 * 3600)
		snprintf(out, 24, "%.*f min", fmod(v, 60) > 1, fabs(v) / 60);
	else
		snprintf(out, 24, "%.*f h", fmod(v, 3600) > 60, fabs(v) / 3600);
}

void chart_x_axis(struct canvas *c, const struct chart_plot *p)
{
	static const double clock[] = { 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000 };
	double span = p->v->x1 - p->v->x0, step = panel_step(span, p->w / 12);
	int used = 0;
	char label[24];

	for (size_t i = 0; p->v->by_time && i < sizeof clock / sizeof clock[0]; i++)
		if (clock[i] >= span / (p->w > 24 ? p->w / 12 : 2)) {
			step = clock[i];
			break;
		}
	if (!p->v->by_time && step < 1)
		step = 1;
	for (double v = ceil(p->v->x0 / step - 1e-6) * step; v <= p->v->x1 * (1 + 1e-9);
		v += step) {
		int x = chart_column(p, v) / 2, w;

		x_label(p, v, label);
		w = (int)strlen(label);
		x = x + w > p->w && x + 1 >= p->w ? p->w - w : x; /* the end of the axis */
		if (x < used || x + w > p->w)
			continue;
		canvas_text(c, LABEL + x, p->h, ROLE_DIM, label);
		used = x + w + 2;
	}
}

/* ---- curves */

void chart_line(struct dots *d, int x0, int y0, int x1, int y1, int thick, int every)
{
	int last = y0;

	for (int x = x0; x <= x1; x++) {
		int y = x1 > x0 ? y0 + (y1 - y0) * (x - x0) / (x1 - x0) : y1;
		int from = last < y ? last + 1 : y, to = last > y ? last - 1 : y;

		if (from > to)
			from = to = y;
		for (int k = from; k <= to && x % every == 0; k++)
			for (int m = 0; m < thick; m++)
				dots_set(d, x, k + m < d->h * 4 ? k + m : k - m);
		last = y;
	}
}

struct pen {
	int x, y; /* x < 0: it was lifted */
};

static void to(struct dots *d, struct pen *pen, int x, int y, int thick, int every)
{
	if (x < 0)
		return;
	chart_line(d, pen->x < 0 ? x : pen->x, pen->x < 0 ? y : pen->y, x, y, thick, every);
	*pen = (struct pen){ x, y };
}

/* Each bucket from its least to its most, joined by the means; a gap where there was no number. */
static void raw(
	const struct chart_plot *p, const struct train_history *h, struct dots *d, bool *bad)
{
	struct pen pen = { -1, 0 };

	for (size_t i = 0; i < h->n; i++) {
		const struct train_bucket *b = &h->bucket[i];
		const struct train_span *s = &b->v[SERIES_LOSS];
		int x = chart_column(p, chart_x(p->v, h, i));

		if (b->bad && x >= 0)
			bad[x / 2] = true;
		if (!isfinite(s->mean) || x < 0) {
			pen.x = -1;
			continue;
		}
		to(d, &pen, x, chart_row(p, (double)s->mean), 1, 1);
		for (int y = chart_row(p, (double)s->hi); y <= chart_row(p, (double)s->lo); y++)
			dots_set(d, x, y);
	}
}

static void mean(const struct chart_plot *p, const struct train_history *h, struct dots *d,
	double smooth, int thick, int every)
{
	float *m = xarray(h->n + 1, sizeof *m);
	struct pen pen = { -1, 0 };

	train_history_smooth(h, smooth, m);
	for (size_t i = 0; i < h->n; i++)
		if (isfinite(m[i]))
			to(d, &pen, chart_column(p, chart_x(p->v, h, i)),
				chart_row(p, (double)m[i]), thick, every);
	xfree(m);
}

static struct dots dots_of(const struct chart_plot *p)
{
	return (struct dots){ p->w, p->h, xalloc((size_t)p->w * (size_t)p->h + 1) };
}

/* What lies below shows through: all dots of a cell, in the role of the uppermost. */
static void lay_over(struct dots *top, const struct dots *below)
{
	for (int i = 0; i < top->w * top->h; i++)
		if (top->bits[i])
			top->bits[i] |= below->bits[i];
}

static void curves(
	struct canvas *c, const struct chart_plot *p, const struct snap_train *t, bool *bad)
{
	struct dots ghost = dots_of(p), loss = dots_of(p), over = dots_of(p);
	bool ascii = p->v->ascii;

	mean(p, &t->ghost, &ghost, p->v->smooth > 0 ? p->v->smooth : 0.6, 1, 3);
	raw(p, &t->seen, &loss, bad);
	if (p->v->smooth > 0)
		mean(p, &t->seen, &over, p->v->smooth, 2, 1);
	lay_over(&loss, &ghost);
	lay_over(&over, &loss);
	dots_draw(&ghost, c, LABEL, ROLE_SERIES0 + 1, ascii);
	dots_draw(&loss, c, LABEL, p->v->smooth > 0 ? ROLE_DIM : ROLE_ACCENT, ascii);
	dots_draw(&over, c, LABEL, ROLE_ACCENT, ascii);
	xfree(ghost.bits);
	xfree(loss.bits);
	xfree(over.bits);
}

static void looks(struct canvas *c, const struct chart_plot *p, const struct snap_train *t,
	const struct train_look *look, size_t n, enum role role, const char *mark)
{
	for (size_t i = 0; i < n; i++) {
		int x = chart_column(p, chart_look_x(p->v, &look[i]));
		double loss = train_look_loss(t, &look[i]);

		if (x >= 0 && isfinite(loss))
			canvas_text(c, LABEL + x / 2, chart_row(p, loss) / 4, role, mark);
	}
}

/* The value cursor: a line behind the curves, and where it meets the loss. */
int chart_read_column(const struct chart_plot *p, const struct snap_train *t)
{
	int x = -1;

	if (p->v->reads && t->seen.n)
		x = chart_column(p, chart_x(p->v, &t->seen, chart_read_bucket(p->v, t)));
	return x < 0 ? -1 : x / 2;
}

static void cursor_point(
	struct canvas *c, const struct chart_plot *p, const struct snap_train *t, int x)
{
	double loss = (double)t->seen.bucket[chart_read_bucket(p->v, t)].v[SERIES_LOSS].mean;
	int y = isfinite(loss) ? chart_row(p, loss) / 4 : p->h;

	canvas_text(c, LABEL + x, y, ROLE_STRONG, y < p->h ? "●" : "┴");
	canvas_cursor(c, LABEL + x, y, false);
}

bool chart_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c)
{
	int line = v->reads && t->seen.n && c->h > 3, at;
	struct chart_plot p = { v, c->w - LABEL - 1, c->h - 1 - line, v->log && v->lo > 0 };
	struct canvas in = canvas_sub(c, 0, line, c->w, c->h - line);
	bool *bad;

	if (p.w < 12 || p.h < 2 || !(v->x1 > v->x0))
		return false;
	if (!(v->hi > v->lo))
		return false;
	bad = xarray((size_t)p.w + 1, sizeof *bad);
	at = chart_read_column(&p, t);
	chart_y_axis(&in, &p);
	chart_x_axis(&in, &p);
	for (int y = 0; at >= 0 && y < p.h; y++)
		canvas_text(&in, LABEL + at, y, ROLE_DIM, "┆");
	curves(&in, &p, t, bad);
	looks(&in, &p, t, t->ghost_look, t->n_ghost_looks, ROLE_DIM, "○");
	looks(&in, &p, t, t->look, t->n_looks, ROLE_STRONG, "◇");
	if (line)
		chart_read_draw(v, t, c);
	if (at >= 0)
		cursor_point(&in, &p, t, at);
	for (int x = 0; x < p.w; x++)
		if (bad[x])
			canvas_text(&in, LABEL + x, p.h, ROLE_BAD, "!");
	xfree(bad);
	return true;
}
