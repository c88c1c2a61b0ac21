/* figure_train.c - losses, or KL at the budgets of a dial, as curves; what a step says as a table.
 */
#include "core/work/figure_train.h"

#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"

/* Columns behind step, steps and seconds, and the series that each is the mean of. */
static const struct {
	const char *name;
	enum train_series of;
	bool of_dial; /* there, too, where budgets take the place of the others */
} column[] = {
	{ "loss", SERIES_LOSS, true },
	{ "lr", SERIES_LR, true },
	{ "lr_s", SERIES_LR_S, false },
	{ "grad_norm", SERIES_GRAD, true },
	{ "update_norm", SERIES_UPDATE, false },
	{ "tok_s", SERIES_RATE, true },
	{ "bytes", SERIES_MEMORY, true },
	{ "flips", SERIES_FLIPS, true },
	{ "saturated", SERIES_SATURATED, false },
	{ "reversals", SERIES_REVERSALS, false },
	{ "changed", SERIES_CHANGED, true },
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

/* Of a dial: KL at one of its budgets. */
static void budget(struct figure *f, const struct snap_train *t, size_t point, bool by_time)
{
	struct plot_series *s;
	char label[24];

	snprintf(label, sizeof label, "%.2f bpw", t->point_bpw[point]);
	s = t->n_looks ? figure_series(f, label, t->n_looks, false) : NULL;
	for (size_t i = 0; s && i < t->n_looks; i++)
		figure_point(s, i, by_time ? (double)t->look[i].at_s : (double)t->look[i].step,
			(double)t->look[i].point[point], 0);
}

static struct figure_value num(double v)
{
	return (struct figure_value){ NULL, v };
}

/* What each table begins a bucket's row with. */
static void step_row(const struct snap_train *t, size_t bucket, struct figure_value v[3])
{
	const struct train_bucket *b = &t->seen.bucket[bucket];

	v[0] = num(x_of(&t->seen, bucket, false));
	v[1] = num((double)b->at_s);
	v[2] = num((double)b->bad);
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
		double held = (double)NAN;

		step_row(t, i, v);
		while (at < t->n_looks && (double)t->look[at].step <= v[0].number)
			held = (double)t->look[at++].nll;
		for (size_t k = 0; k < COLUMNS; k++)
			v[3 + k] = num((double)b->v[column[k].of].mean);
		v[3 + COLUMNS] = num(held);
		figure_row(f, v);
	}
}

/* Of a dial: what each budget has, too, in a row with the look that fell into its steps. */
static void dial_row(struct figure *f, const struct snap_train *t, size_t bucket,
	const struct train_look *l, struct figure_value v[FIGURE_COLUMNS])
{
	size_t n = 3;

	step_row(t, bucket, v);
	for (size_t i = 0; i < COLUMNS; i++)
		if (column[i].of_dial)
			v[n++] = num((double)t->seen.bucket[bucket].v[column[i].of].mean);
	v[n++] = num(l ? (double)l->kl : (double)NAN);
	for (size_t k = 0; k < t->points; k++)
		v[n++] = num(l ? (double)l->point[k] : (double)NAN);
	figure_row(f, v);
}

static void dial_table(struct figure *f, const struct snap_train *t)
{
	const char *name[FIGURE_COLUMNS] = { "step", "seconds", "skipped" };
	struct figure_value v[FIGURE_COLUMNS];
	char kl[TRAIN_POINTS][24];
	size_t at = 0, n = 3;

	for (size_t i = 0; i < COLUMNS; i++)
		if (column[i].of_dial)
			name[n++] = column[i].name;
	name[n++] = "held_kl";
	for (size_t i = 0; i < t->points; i++) {
		snprintf(kl[i], sizeof kl[i], "kl_%.2f", t->point_bpw[i]);
		name[n++] = kl[i];
	}
	figure_columns(f, n, name);
	for (size_t i = 0; i < t->seen.n; i++) {
		double step = x_of(&t->seen, i, false);
		const struct train_look *l = NULL;

		while (at < t->n_looks && (double)t->look[at].step <= step)
			l = &t->look[at++];
		dial_row(f, t, i, l, v);
	}
}

static void dial(struct figure *f, const struct snap_train *t, bool by_time)
{
	for (size_t i = 0; i < t->points; i++)
		budget(f, t, i, by_time);
	dial_table(f, t);
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
		t->taught || t->points ? "KL from the reference, nats a token"
				       : "nats a labelled token");
	f->plot.log_y = log;
	if (t->points) {
		dial(f, t, by_time);
		return f;
	}
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
