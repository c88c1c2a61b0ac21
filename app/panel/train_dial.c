/* train_dial - a run that trains all formats of a dial: KL of what is held out at its budgets,
 * over steps, and over bits a weight before and now.
 *
 * Both are on the same axis of KL, so that the end of a curve and its point of "now" are in one
 * row.  A budget has its mark wherever it is drawn.
 */
#include <math.h>
#include <stdio.h>

#include "app/panel/common.h"
#include "app/panel/train_chart.h"
#include "core/base/alloc.h"

enum {
	END_W = 7,      /* columns of what the curves are called, behind their ends */
	APART = 7,      /* columns between the marks of a curve */
	BOTH_W = 70,    /* of a panel in which there is room for both */
	BITS_W = 4 + 1, /* of a tick, "2.50", and a gap */
};

static const char *const marks[TRAIN_POINTS] = { "◇", "○", "△", "□", "×" };

const char *chart_dial_mark(size_t point)
{
	return marks[point % TRAIN_POINTS];
}

static enum role role_of(size_t point)
{
	return (enum role)(ROLE_SERIES0 + point);
}

double chart_dial_kl(const struct snap_train *t, const struct train_look *l, size_t point)
{
	double v = point < t->points ? (double)l->point[point] : (double)NAN;

	return v > 0 && isfinite(v) ? v : (double)NAN;
}

/* ---- what there is */

static bool has_number(const struct snap_train *t, const struct train_look *l)
{
	bool has = false;

	for (size_t i = 0; i < t->points; i++)
		has |= !isnan(chart_dial_kl(t, l, i));
	return has;
}

const char *chart_dial_nothing(const struct snap_train *t)
{
	if (!t->n_looks)
		return "KL at each budget is drawn from the first look at what is held out on";
	return "no look at what is held out gave a number yet: there is nothing to draw";
}

static bool is_drawable(const struct snap_train *t)
{
	for (size_t i = 0; i < t->n_looks; i++)
		if (has_number(t, &t->look[i]))
			return true;
	return false;
}

/* Columns of the chart over bits. */
static int front_width(const struct chart_view *v, int w)
{
	return v->front ? w : w >= BOTH_W ? w / 3 : 0;
}

int chart_dial_width(const struct chart_view *v, int w)
{
	return v->front ? 0 : w - front_width(v, w) - END_W + 1;
}

/* ---- the axis of KL */

/* A tick where it has a row of its own and a free one above and below. */
static void tick(struct canvas *c, const struct chart_plot *p, double v, int x, bool *used)
{
	int y = chart_row(p, v) / 4;
	char label[24];

	if (v < p->v->lo || v > p->v->hi || used[y] || (y && used[y - 1]) || used[y + 1])
		return;
	snprintf(label, sizeof label, "%.3g", v);
	canvas_right(c, x, y, ROLE_DIM, label);
	used[y] = true;
}

/* Powers of ten first, then what has room between them; the ends where no power is in view. */
static void log_ticks(struct canvas *c, const struct chart_plot *p)
{
	static const double of[] = { 1, 3, 2, 5, 1.5, 7 };
	bool *used = xalloc((size_t)p->h + 2);
	int lo = (int)floor(log10(p->v->lo)), hi = (int)floor(log10(p->v->hi));

	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
		for (int d = hi; d >= lo; d--)
			tick(c, p, of[i] * pow(10, d), CHART_LABEL - 1, used);
	xfree(used);
}

/* Of an axis up and one to the right; the curves begin at x0. */
static void corner(struct canvas *c, const struct chart_plot *p, int x0)
{
	for (int y = 0; y < p->h; y++)
		canvas_text(c, x0 - 1, y, ROLE_DIM, "│");
	canvas_text(c, x0 - 1, p->h, ROLE_DIM, "└");
	canvas_fill(c, x0, p->h, p->w, 1, ROLE_DIM, 0x2500);
}

static void kl_axis(struct canvas *c, const struct chart_plot *p)
{
	if (!p->log) {
		chart_y_axis(c, p);
		return;
	}
	corner(c, p, CHART_LABEL);
	log_ticks(c, p);
}

/* ---- labels at the ends of curves */

struct end {
	int y; /* row of dots, then of cells; < 0: none */
	enum role role;
	char text[32];
};

/* Each in a row of its own, as near to its curve as the others let it. */
static void put_ends(struct canvas *c, int x, struct end *end, size_t n, int h)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k && end[k].y < end[k - 1].y; k--) {
			struct end other = end[k];

			end[k] = end[k - 1];
			end[k - 1] = other;
		}
	for (size_t i = 0; i < n; i++) {
		end[i].y /= 4;
		if (i && end[i].y <= end[i - 1].y)
			end[i].y = end[i - 1].y + 1;
	}
	for (size_t i = n; i-- > 0;) {
		int last = i + 1 < n ? end[i + 1].y - 1 : h - 1;

		end[i].y = end[i].y < last ? end[i].y : last;
		if (end[i].y >= 0)
			canvas_text(c, x, end[i].y, end[i].role, end[i].text);
	}
}

/* ---- over steps */

/* What is in view of the line from one look to the next. */
static void segment(struct dots *d, const struct chart_plot *p, double x0, double y0, double x1,
	double y1, int every)
{
	double from = fmax(x0, p->v->x0), to = fmin(x1, p->v->x1);
	double r0 = chart_row(p, y0), r1 = chart_row(p, y1);

	if (!(x1 > x0) || from > to)
		return;
	chart_line(d, chart_column(p, from), (int)(r0 + (r1 - r0) * (from - x0) / (x1 - x0) + 0.5),
		chart_column(p, to), (int)(r0 + (r1 - r0) * (to - x0) / (x1 - x0) + 0.5), 1, every);
}

/* A look without a number leaves a gap. */
static void curve(struct dots *d, const struct chart_plot *p, const struct snap_train *t,
	const struct train_look *look, size_t n, size_t point, int every)
{
	for (size_t i = 1; i < n; i++) {
		double y0 = chart_dial_kl(t, &look[i - 1], point),
		       y1 = chart_dial_kl(t, &look[i], point);

		if (!isnan(y0) && !isnan(y1))
			segment(d, p, chart_look_x(p->v, &look[i - 1]), y0,
				chart_look_x(p->v, &look[i]), y1, every);
	}
}

/* All of one layer in one role; what lies below shows through. */
static void lay(struct canvas *c, struct dots *d, const uint8_t *below, enum role r, bool ascii)
{
	for (int i = 0; i < d->w * d->h; i++)
		if (d->bits[i])
			d->bits[i] |= below[i];
	dots_draw(d, c, CHART_LABEL, r, ascii);
}

/* Behind them the ghost's, where it was a dial, too.  The KL of steps is left out: each is of
 * another mixture of formats, and even their mean is a band across all of this. */
static void curves(struct canvas *c, const struct chart_plot *p, const struct snap_train *t)
{
	size_t cells = (size_t)p->w * (size_t)p->h;
	struct dots d = { p->w, p->h, xalloc(cells + 1) };
	uint8_t *below = d.bits;

	for (size_t i = 0; i < t->points; i++)
		curve(&d, p, t, t->ghost_look, t->n_ghost_looks, i, 3);
	dots_draw(&d, c, CHART_LABEL, ROLE_DIM, p->v->ascii);
	for (size_t i = 0; i < t->points; i++) {
		d.bits = xalloc(cells + 1);
		curve(&d, p, t, t->look, t->n_looks, i, 1);
		lay(c, &d, below, role_of(i), p->v->ascii);
		xfree(below);
		below = d.bits;
	}
	xfree(below);
}

/* At looks, but not so near to each other that they hide the curve. */
static void put_marks(
	struct canvas *c, const struct chart_plot *p, const struct snap_train *t, size_t point)
{
	int last = -APART;

	for (size_t i = 0; i < t->n_looks; i++) {
		double kl = chart_dial_kl(t, &t->look[i], point);
		int x = chart_column(p, chart_look_x(p->v, &t->look[i])) / 2;

		if (isnan(kl) || chart_column(p, chart_look_x(p->v, &t->look[i])) < 0)
			continue;
		if (i + 1 < t->n_looks && x - last < APART)
			continue;
		canvas_text(c, CHART_LABEL + x, chart_row(p, kl) / 4, role_of(point), marks[point]);
		last = x;
	}
}

/* Behind the newest look that is in view and has a number. */
static void name_curves(struct canvas *c, const struct chart_plot *p, const struct snap_train *t)
{
	struct end end[TRAIN_POINTS];
	int right = 0;
	size_t n = 0;

	for (size_t i = 0; i < t->points; i++)
		for (size_t k = t->n_looks; k-- > 0;) {
			double kl = chart_dial_kl(t, &t->look[k], i);
			int x = chart_column(p, chart_look_x(p->v, &t->look[k]));

			if (isnan(kl) || x < 0)
				continue;
			right = x / 2 > right ? x / 2 : right;
			end[n] = (struct end){ .y = chart_row(p, kl), .role = role_of(i) };
			snprintf(end[n].text, sizeof end[n].text, "%s%.2f", marks[i],
				t->point_bpw[i]);
			n++;
			break;
		}
	put_ends(c, CHART_LABEL + right + 2, end, n, p->h);
}

static void draw_steps(struct canvas *c, const struct chart_plot *p, const struct snap_train *t)
{
	int at = chart_read_column(p, t);

	kl_axis(c, p);
	chart_x_axis(c, p);
	for (int y = 0; at >= 0 && y < p->h; y++)
		canvas_text(c, CHART_LABEL + at, y, ROLE_DIM, "┆");
	curves(c, p, t);
	for (size_t i = 0; i < t->points; i++)
		put_marks(c, p, t, i);
	name_curves(c, p, t);
	if (at < 0)
		return;
	canvas_text(c, CHART_LABEL + at, p->h, ROLE_STRONG, "┴");
	canvas_cursor(c, CHART_LABEL + at, p->h, false);
}

/* ---- over bits a weight */

/* Cell of a budget behind the axis; half a tick is free on both sides. */
static int bits_column(const struct chart_plot *p, const struct snap_train *t, size_t point)
{
	double lo = t->point_bpw[0], span = t->point_bpw[t->points - 1] - lo;
	double at = span > 0 ? (t->point_bpw[point] - lo) / span : 0.5;

	return 2 + (int)(at * (p->w - 3) + 0.5);
}

/* Every budget has its bits below it, or every other, or the ends. */
static void bits_axis(
	struct canvas *c, const struct chart_plot *p, const struct snap_train *t, int x0)
{
	size_t by = 1;
	bool fits = false;

	corner(c, p, x0);
	for (; !fits && by < t->points; by *= 2) {
		fits = true;
		for (size_t i = by; i < t->points; i += by)
			fits &= bits_column(p, t, i) - bits_column(p, t, i - by) >= BITS_W;
	}
	by = fits ? by / 2 : t->points;
	for (size_t i = 0; i < t->points; i += by)
		canvas_printf(
			c, x0 + bits_column(p, t, i) - 2, p->h, ROLE_DIM, "%.2f", t->point_bpw[i]);
	canvas_right(c, c->w - 1, p->h, ROLE_DIM, "bpw");
}

static void front_line(struct dots *d, const struct chart_plot *p, const struct snap_train *t,
	const struct train_look *l, int every)
{
	for (size_t i = 1; i < t->points; i++) {
		double y0 = chart_dial_kl(t, l, i - 1), y1 = chart_dial_kl(t, l, i);

		if (!isnan(y0) && !isnan(y1))
			chart_line(d, 2 * bits_column(p, t, i - 1), chart_row(p, y0),
				2 * bits_column(p, t, i), chart_row(p, y1), 1, every);
	}
}

/* The row of dots that its last number is in; -1: it has none. */
static int put_front(struct canvas *c, const struct chart_plot *p, const struct snap_train *t,
	const struct train_look *l, int x0, bool now)
{
	struct dots d = { p->w, p->h, xalloc((size_t)p->w * (size_t)p->h + 1) };
	int y = -1;

	front_line(&d, p, t, l, now ? 1 : 2);
	dots_draw(&d, c, x0, now ? ROLE_ACCENT : ROLE_DIM, p->v->ascii);
	xfree(d.bits);
	for (size_t i = 0; i < t->points; i++) {
		double kl = chart_dial_kl(t, l, i);

		if (isnan(kl))
			continue;
		y = chart_row(p, kl);
		canvas_text(
			c, x0 + bits_column(p, t, i), y / 4, now ? role_of(i) : ROLE_DIM, marks[i]);
	}
	return y;
}

/* x0: where the axis' own column ends. */
static void draw_front(
	struct canvas *c, const struct chart_plot *p, const struct snap_train *t, int x0)
{
	const struct train_look *first = &t->look[0], *newest = &t->look[t->n_looks - 1];
	struct end end[2];
	size_t n = 0;

	bits_axis(c, p, t, x0);
	end[n] = (struct end){ put_front(c, p, t, first, x0, t->n_looks < 2), ROLE_TEXT, "before" };
	if (first->step)
		snprintf(end[n].text, sizeof end[n].text, "at %llu",
			(unsigned long long)first->step);
	n += end[n].y >= 0;
	if (t->n_looks > 1) {
		end[n] = (struct end){ put_front(c, p, t, newest, x0, true), ROLE_STRONG, "now" };
		n += end[n].y >= 0;
	}
	put_ends(c, x0 + p->w + 1, end, n, p->h);
}

/* ---- both */

bool chart_dial_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c)
{
	bool reads = v->reads && t->seen.n && c->h > 3;
	int bits = front_width(v, c->w), x0 = v->front ? CHART_LABEL : 1;
	struct chart_plot steps = { v, c->w - bits - CHART_LABEL - END_W, c->h - 1 - reads,
		v->log && v->lo > 0 };
	struct chart_plot front = { v, bits - x0 - END_W - 1, steps.h, steps.log };
	struct canvas in = canvas_sub(c, 0, reads, c->w, c->h - reads);

	if (steps.h < 2 || (v->front ? front.w : steps.w) < 12 || !(v->x1 > v->x0) ||
		!(v->hi > v->lo) || !is_drawable(t))
		return false;
	if (reads)
		chart_read_draw(v, t, c);
	if (v->front)
		kl_axis(&in, &front);
	else
		draw_steps(&in, &steps, t);
	if (!bits)
		return true;
	in = canvas_sub(&in, in.w - bits, 0, bits, in.h);
	draw_front(&in, &front, t, x0);
	return true;
}

char *chart_dial_copy(const struct chart_view *v, const struct snap_train *t)
{
	const struct train_look *l = t->n_looks ? &t->look[t->n_looks - 1] : NULL;
	char text[256];
	size_t n;

	if (v->reads && t->seen.n)
		l = chart_read_look(v, t);
	if (!l)
		return NULL;
	n = (size_t)snprintf(
		text, sizeof text, "%s look %llu", t->run, (unsigned long long)l->step);
	for (size_t i = 0; i < t->points && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s %.2f bpw KL %.6f",
			i ? "," : "", t->point_bpw[i], chart_dial_kl(t, l, i));
	return xstrdup(text);
}
