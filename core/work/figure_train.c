/* figure_train.c - losses as curves, everything a step says as a table. */
#include "core/work/figure_train.h"

#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"

/* Columns behind step, steps and seconds, and the series that each is the mean of. */
static const struct {
	const char *name;
	enum train_series of;
} column[] = {
	{ "loss", SERIES_LOSS },
	{ "lr", SERIES_LR },
	{ "lr_s", SERIES_LR_S },
	{ "grad_norm", SERIES_GRAD },
	{ "update_norm", SERIES_UPDATE },
	{ "tok_s", SERIES_RATE },
	{ "bytes", SERIES_MEMORY },
	{ "flips", SERIES_FLIPS },
	{ "saturated", SERIES_SATURATED },
	{ "reversals", SERIES_REVERSALS },
	{ "changed", SERIES_CHANGED },
};
enum { COLUMNS = sizeof column / sizeof column[0] };

static double x_of(const struct train_history *h, size_t i, bool by_time)
{
	return by_time ? (double)h->bucket[i].at_s
		       : (double)(h->first + i * h->stride + h->bucket[i].n);
}

static void curve(struct figure *f, const char *label, const struct train_history *h, bool by_time)
{
	struct plot_series *s = h->n ? figure_series(f, label, h->n, false) : NULL;

	for (size_t i = 0; s && i < h->n; i++)
		figure_point(
			s, i, x_of(h, i, by_time), (double)h->bucket[i].v[SERIES_LOSS].mean, 0);
}

static void mean(struct figure *f, const struct train_history *h, double smooth, bool by_time)
{
	struct plot_series *s = h->n ? figure_series(f, "ema", h->n, false) : NULL;
	float *m = xarray(h->n + 1, sizeof *m);

	train_history_smooth(h, smooth, m);
	for (size_t i = 0; s && i < h->n; i++)
		figure_point(s, i, x_of(h, i, by_time), (double)m[i], 0);
	xfree(m);
}

static void looks(struct figure *f, const struct snap_train *t, const char *label,
	const struct train_look *l, size_t n, bool by_time)
{
	struct plot_series *s = n ? figure_series(f, label, n, true) : NULL;

	if (s)
		s->points = true;
	for (size_t i = 0; s && i < n; i++)
		figure_point(s, i, by_time ? (double)l[i].at_s : (double)l[i].step,
			train_look_loss(t, &l[i]),
			!t->taught && isfinite(l[i].se) ? (double)l[i].se : 0);
}

static struct figure_value num(double v)
{
	return (struct figure_value){ NULL, v };
}

/* A row a bucket of steps, with the look at what is held out that fell into it. */
static void table(struct figure *f, const struct snap_train *t)
{
	const char *name[COLUMNS + 4] = { "step", "seconds", "skipped" };
	struct figure_value v[COLUMNS + 4];
	size_t at = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		name[3 + i] = column[i].name;
	name[3 + COLUMNS] = "held_nll";
	figure_columns(f, COLUMNS + 4, name);
	for (size_t i = 0; i < t->seen.n; i++) {
		const struct train_bucket *b = &t->seen.bucket[i];
		double step = x_of(&t->seen, i, false), held = (double)NAN;

		while (at < t->n_looks && (double)t->look[at].step <= step)
			held = (double)t->look[at++].nll;
		v[0] = num(step);
		v[1] = num((double)b->at_s);
		v[2] = num((double)b->bad);
		for (size_t k = 0; k < COLUMNS; k++)
			v[3 + k] = num((double)b->v[column[k].of].mean);
		v[3 + COLUMNS] = num(held);
		figure_row(f, v);
	}
}

struct figure *figure_train(const struct snap_train *t, double smooth, bool by_time, bool log)
{
	char title[224], label[96];
	struct figure *f;

	if (!t || (!t->seen.n && !t->n_looks))
		return NULL;
	snprintf(title, sizeof title, "%s: %s on %s", t->run[0] ? t->run : "training", t->method,
		t->data);
	f = figure_new("train", title, by_time ? "seconds" : "step",
		t->taught ? "KL from the reference, nats a token" : "nats a labelled token");
	f->plot.log_y = log;
	curve(f, "loss", &t->seen, by_time);
	if (smooth > 0)
		mean(f, &t->seen, smooth, by_time);
	looks(f, t, "held out", t->look, t->n_looks, by_time);
	snprintf(label, sizeof label, "%s", t->ghost_name);
	curve(f, label, &t->ghost, by_time);
	snprintf(label, sizeof label, "%s, held out", t->ghost_name);
	looks(f, t, label, t->ghost_look, t->n_ghost_looks, by_time);
	table(f, t);
	return f;
}
