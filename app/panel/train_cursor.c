/* train_cursor - the value cursor of a curve of losses: on which steps it is, and what they had. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/train_chart.h"
#include "core/base/alloc.h"

enum { PAGES = 10 /* across the view */, READ_BITS = 72 /* columns for five budgets with bits */ };

/* ---- where it is */

static size_t bucket_of(const struct train_history *h, uint64_t step)
{
	uint64_t i = step > h->first ? (step - h->first - 1) / h->stride : 0;

	return i < h->n ? (size_t)i : h->n - 1;
}

size_t chart_read_bucket(const struct chart_view *v, const struct snap_train *t)
{
	return bucket_of(&t->seen, v->at);
}

uint64_t chart_read_step(const struct chart_view *v, const struct snap_train *t)
{
	size_t i = chart_read_bucket(v, t);

	return t->seen.first + i * t->seen.stride + t->seen.bucket[i].n;
}

/* The newest one stays the newest. */
static void put(struct chart_view *v, const struct train_history *h, size_t bucket)
{
	v->at = bucket + 1 < h->n ? h->first + bucket * h->stride + 1 : UINT64_MAX;
}

/* So much of the window lies behind it. */
static void place(struct chart_view *v, const struct snap_train *t, double behind)
{
	double x = chart_x(v, &t->seen, chart_read_bucket(v, t));
	double end = x + behind * v->window;

	v->end = end >= chart_newest(v, t) ? 0 : fmax(end, v->window);
}

void chart_read_centre(struct chart_view *v, const struct snap_train *t)
{
	place(v, t, 0.5);
}

static void keep_in_view(struct chart_view *v, const struct snap_train *t)
{
	double x = chart_x(v, &t->seen, chart_read_bucket(v, t));
	double end = v->end > 0 ? v->end : chart_newest(v, t);

	if (v->window > 0 && (x > end || x < end - v->window))
		place(v, t, x > end ? 0.25 : 0.75);
}

static size_t page(const struct chart_view *v, const struct train_history *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		double x = chart_x(v, h, i);

		n += x >= v->x0 && x <= v->x1;
	}
	return n > PAGES ? n / PAGES : 1;
}

bool chart_read_move(struct chart_view *v, const struct snap_train *t, const char *where)
{
	size_t i = chart_read_bucket(v, t), last = t->seen.n - 1;
	size_t by = strncmp(where, "page-", 5) ? 1 : page(v, &t->seen);

	if (!strcmp(where, "left") || !strcmp(where, "page-up"))
		i = i > by ? i - by : 0;
	else if (!strcmp(where, "right") || !strcmp(where, "page-down"))
		i = i + by < last ? i + by : last;
	else if (!strcmp(where, "first") || !strcmp(where, "last"))
		i = *where == 'f' ? 0 : last;
	else
		return false;
	put(v, &t->seen, i);
	keep_in_view(v, t);
	return true;
}

bool chart_read_click(struct chart_view *v, const struct snap_train *t, int x, int w)
{
	int columns = (w - CHART_LABEL - 1) * 2 - 1;
	double at = v->x0 + (v->x1 - v->x0) * 2 * (x - CHART_LABEL) / columns;
	size_t near = 0;

	if (x < CHART_LABEL || columns < 2 || x >= w - 1 || !t->seen.n)
		return false;
	for (size_t i = 1; i < t->seen.n; i++)
		if (fabs(chart_x(v, &t->seen, i) - at) <= fabs(chart_x(v, &t->seen, near) - at))
			near = i;
	put(v, &t->seen, near);
	v->reads = true;
	return true;
}

/* ---- what it reads */

static double mean_at(const struct chart_view *v, const struct train_history *h, size_t bucket)
{
	float *m = xarray(h->n + 1, sizeof *m);
	double x;

	train_history_smooth(h, v->smooth, m);
	x = (double)m[bucket];
	xfree(m);
	return x;
}

const struct train_look *chart_read_look(const struct chart_view *v, const struct snap_train *t)
{
	const struct train_look *l = NULL;
	uint64_t step = chart_read_step(v, t);

	for (size_t i = 0; i < t->n_looks && t->look[i].step <= step; i++)
		l = &t->look[i];
	return l;
}

static void loss_part(struct parts *p, const struct train_bucket *b)
{
	const struct train_span *s = &b->v[SERIES_LOSS];

	if (!isfinite(s->mean))
		panel_part(p, ROLE_BAD, "no number");
	else if (s->lo < s->hi)
		panel_part(p, ROLE_STRONG, "loss %.3f (%.3f-%.3f)", (double)s->mean, (double)s->lo,
			(double)s->hi);
	else
		panel_part(p, ROLE_STRONG, "loss %.3f", (double)s->mean);
}

/* The ghost where it was at the same step, or after the same time. */
static double ghost_at(const struct chart_view *v, const struct snap_train *t, double x)
{
	const struct train_history *h = &t->ghost;

	for (size_t i = 0; i < h->n; i++)
		if (chart_x(v, h, i) >= x)
			return (double)h->bucket[i].v[SERIES_LOSS].mean;
	return (double)NAN;
}

/* Of a dial: the KL at each budget, by its mark where its bits have no room. */
static void read_points(const struct chart_view *v, const struct snap_train *t, struct canvas *c)
{
	const struct train_look *l = chart_read_look(v, t);
	struct parts p = { .c = c, .x = 1 };
	char kl[16];

	if (l)
		panel_part(&p, ROLE_TEXT, "look %llu", (unsigned long long)l->step);
	else
		panel_part(&p, ROLE_TEXT, "step %llu: no look was before it",
			(unsigned long long)chart_read_step(v, t));
	for (size_t i = 0; l && i < t->points; i++) {
		enum role r = (enum role)(ROLE_SERIES0 + i);

		panel_kl(chart_dial_kl(t, l, i), kl);
		if (c->w < READ_BITS)
			panel_part(&p, r, "%s%s", chart_dial_mark(i), kl);
		else
			panel_part(&p, r, "%s%.2f %s", chart_dial_mark(i), t->point_bpw[i], kl);
	}
	if (l)
		panel_part(&p, ROLE_DIM, "step %llu", (unsigned long long)chart_read_step(v, t));
}

void chart_read_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c)
{
	const struct train_history *h = &t->seen;
	size_t i = chart_read_bucket(v, t);
	const struct train_bucket *b = &h->bucket[i];
	uint64_t from = h->first + i * h->stride + 1, to = chart_read_step(v, t);
	const struct train_look *l = chart_read_look(v, t);
	struct parts p = { .c = c, .x = 1 };
	double ghost = ghost_at(v, t, chart_x(v, h, i));
	char took[24];

	if (t->points) {
		read_points(v, t, c);
		return;
	}
	if (to > from)
		panel_part(&p, ROLE_TEXT, "steps %llu-%llu", (unsigned long long)from,
			(unsigned long long)to);
	else
		panel_part(&p, ROLE_TEXT, "step %llu", (unsigned long long)to);
	loss_part(&p, b);
	if (v->smooth > 0 && isfinite(b->v[SERIES_LOSS].mean))
		panel_part(&p, ROLE_ACCENT, "ema %.3f", mean_at(v, h, i));
	if (l && isfinite(train_look_loss(t, l)))
		panel_part(&p, ROLE_STRONG, "held %.3f at %llu", train_look_loss(t, l),
			(unsigned long long)l->step);
	if (isfinite(ghost))
		panel_part(&p, ROLE_DIM, "ghost %.3f", ghost);
	panel_part(&p, ROLE_DIM, "%s", panel_time((double)b->at_s, took));
}
