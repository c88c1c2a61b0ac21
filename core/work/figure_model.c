/* figure_model.c - the front and the map of the model that is open, as figures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/model/model.h"
#include "core/work/figure.h"

static struct figure_value num(double v)
{
	return (struct figure_value){ NULL, v };
}

static struct figure_value word(const char *s)
{
	return (struct figure_value){ s, 0 };
}

/* ---- the front */

static double bpw_of(const struct snap_front *f, uint64_t bytes)
{
	return f->least ? (double)bytes * f->least_bpw / (double)f->least : f->least_bpw;
}

static void front_row(
	struct figure *f, double bpw, uint64_t bytes, double kl, double se, const char *source)
{
	struct figure_value v[] = { num((double)bytes), num(bpw), num(kl), num(se), word(source) };

	figure_row(f, v);
}

/* The measured points of one kind, such as "uniform"; false: there are none. */
static void points_of(struct figure *f, const struct snap_front *s, const char *what)
{
	struct plot_series *line;
	size_t n = 0, i;

	for (i = 0; i < s->n_points; i++)
		n += !strcmp(s->point[i].what, what);
	line = n ? figure_series(f, what, n, true) : NULL;
	for (i = n = 0; i < s->n_points; i++) {
		const struct front_point *p = &s->point[i];

		if (strcmp(p->what, what))
			continue;
		front_row(f, p->bpw, p->bytes, p->kl, p->se, what);
		if (line)
			figure_point(line, n++, p->bpw, p->kl, p->se > 0 ? p->se : 0);
	}
}

static void one_point(struct figure *f, const char *name, double bpw, uint64_t bytes, double kl)
{
	struct plot_series *s;

	if (isnan(kl) || isnan(bpw))
		return;
	front_row(f, bpw, bytes, kl, (double)NAN, name);
	s = figure_series(f, name, 1, false);
	if (!s)
		return;
	s->points = true;
	figure_point(s, 0, bpw, kl, 0);
}

struct figure *figure_front(
	const struct snap_model *m, const struct snap_front *s, const struct snap_answer *a)
{
	static const char *const columns[] = { "bytes", "bpw", "damage", "se", "source" };
	char title[160];
	struct plot_series *line;
	struct figure *f;

	if (!s || !s->n)
		return NULL;
	snprintf(title, sizeof title, "%s: damage against stored bits", m ? m->name : "front");
	f = figure_new("front", title, "stored bits a weight",
		s->in_nats ? "KL, nats a token" : "first scores, not in nats");
	f->plot.log_y = true;
	figure_columns(f, 5, columns);
	line = figure_series(f, s->in_nats ? "predicted" : "first scores", s->n, false);
	for (size_t i = 0; i < s->n; i++) {
		/* a logarithmic axis has no zero: there the line ends */
		figure_point(
			line, i, bpw_of(s, s->bytes[i]), s->kl[i] > 0 ? s->kl[i] : (double)NAN, 0);
		front_row(
			f, bpw_of(s, s->bytes[i]), s->bytes[i], s->kl[i], (double)NAN, "predicted");
	}
	for (size_t i = 0; s->in_nats && i < s->n_points; i++) {
		bool told = false;

		for (size_t k = 0; k < i; k++)
			told |= !strcmp(s->point[k].what, s->point[i].what);
		if (!told)
			points_of(f, s, s->point[i].what);
	}
	if (a && a->in_nats == s->in_nats) {
		one_point(f, "now", a->stored_bpw, a->bytes, a->kl);
		if (a->has_a)
			one_point(f, "A", a->a_bpw, a->a_bytes, a->a_kl);
	}
	return f;
}

/* ---- the map */

static bool in_nats(const struct map_cell *c)
{
	return c->state == CELL_RUNNING ? c->tokens > 0
					: c->state == CELL_FAST || c->state == CELL_SCANNED;
}

static bool known(const struct map_cell *c)
{
	return c->state != CELL_UNKNOWN && c->state != CELL_FAILED && !isnan(c->value);
}

static void every_cell(struct figure *f, const struct snap_model *m, const struct snap_map *map,
	const struct snap_answer *a)
{
	static const char *const state_name[] = { "unknown", "score", "fast", "scanned", "running",
		"failed" };
	static const char *const columns[] = { "linear", "layer", "kind", "format", "bytes",
		"damage", "se", "tokens", "state", "chosen" };
	char name[32], fmt[FORMAT_NAME];

	figure_columns(f, sizeof columns / sizeof *columns, columns);
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->k; k++) {
			const struct map_cell *c = map ? &map->cell[i * m->k + k] : NULL;
			bool has = c && known(c);

			linear_name(i, name);
			struct figure_value v[] = { word(name), num((double)(i / LINEAR_KINDS)),
				word(linear_kind_name[i % LINEAR_KINDS]),
				word(format_name(m->format[k], fmt)),
				num((double)m->bytes[i * m->k + k]),
				num(has ? (double)c->value : (double)NAN),
				num(has && in_nats(c) ? (double)c->se : (double)NAN),
				num(c ? (double)c->tokens : 0),
				word(c && c->state <= CELL_FAILED ? state_name[c->state]
								  : "unknown"),
				num(a ? a->choice[i] == k : (double)NAN) };

			figure_row(f, v);
		}
}

/* Nats where any are known, else first scores: the two are no numbers of one map. */
static bool fill_damage(
	double *v, const struct snap_model *m, const struct snap_map *map, size_t fmt)
{
	size_t blocks = m->n / LINEAR_KINDS;
	bool nats = false;

	for (size_t i = 0; i < m->n; i++)
		nats |= in_nats(&map->cell[i * m->k + fmt]);
	for (size_t i = 0; i < m->n; i++) {
		const struct map_cell *c = &map->cell[i * m->k + fmt];

		if (known(c) && in_nats(c) == nats && c->value > 0)
			v[i % LINEAR_KINDS * blocks + i / LINEAR_KINDS] = (double)c->value;
		else if (nats && c->state == CELL_SCORED && c->estimate > 0)
			v[i % LINEAR_KINDS * blocks + i / LINEAR_KINDS] = (double)c->estimate;
	}
	return nats;
}

static enum st probe_of(const struct snap_model *m, const char *format, size_t *fmt, struct err *e)
{
	char name[FORMAT_NAME];

	*fmt = 0;
	for (size_t k = 0; format && k < m->k; k++)
		if (!strcmp(format_name(m->format[k], name), format)) {
			*fmt = k;
			return ST_OK;
		}
	return format ? err_set(e, ST_INVALID, "plot: the dial has no format \"%s\"", format)
		      : ST_OK;
}

static struct figure *new_map(const struct snap_model *m, const char *what, const char *unit)
{
	char title[256];
	struct figure *f;

	snprintf(title, sizeof title, "%s: %s", m->name, what);
	f = figure_new("heatmap", title, "block", unit);
	f->plot.row_name = linear_kind_name;
	(void)figure_map_cells(f, LINEAR_KINDS, m->n / LINEAR_KINDS);
	return f;
}

static struct figure *damage_map(const struct snap_model *m, const struct snap_map *map, size_t fmt)
{
	char what[96], name[FORMAT_NAME];
	struct figure *f;

	snprintf(what, sizeof what, "damage if one linear alone is %s",
		format_name(m->format[fmt], name));
	f = new_map(m, what, "KL, nats a token");
	if (!fill_damage((double *)(uintptr_t)f->plot.value, m, map, fmt))
		f->plot.y_label = "first score, not in nats";
	f->plot.log_y = true;
	return f;
}

/* Nominal bits now, or what they are more than at the mark. */
static struct figure *bits_map(const struct snap_model *m, const struct snap_answer *a, bool change)
{
	struct figure *f = new_map(m, change ? "bits against the mark A" : "bits of each linear",
		change ? "bits more than at A" : "nominal bits a weight");
	double *v = (double *)(uintptr_t)f->plot.value;

	for (size_t i = 0; i < m->n; i++) {
		double now = (double)m->nominal[i * m->k + a->choice[i]];
		double then = change ? (double)m->nominal[i * m->k + a->a_choice[i]] : 0;

		v[i % LINEAR_KINDS * (m->n / LINEAR_KINDS) + i / LINEAR_KINDS] = now - then;
	}
	return f;
}

struct figure *figure_map(const struct snap_model *m, const struct snap_map *map,
	const struct snap_answer *a, const char *view, const char *format, struct err *e)
{
	struct figure *f;
	size_t fmt;

	if (!m || m->n < LINEAR_KINDS) {
		(void)err_set(e, ST_INVALID, "plot: no model is open yet");
		return NULL;
	}
	map = map && map->n == m->n && map->k == m->k ? map : NULL;
	a = a && a->n == m->n ? a : NULL;
	if (probe_of(m, format, &fmt, e))
		return NULL;
	if (!strcmp(view, "damage") && map) {
		f = damage_map(m, map, fmt);
	} else if (!strcmp(view, "bits") && a) {
		f = bits_map(m, a, false);
	} else if (!strcmp(view, "change") && a && a->has_a) {
		f = bits_map(m, a, true);
	} else {
		bool is =
			!strcmp(view, "damage") || !strcmp(view, "bits") || !strcmp(view, "change");

		(void)err_set(e, ST_INVALID,
			!is ? "plot: the map shows damage, bits or change, not \"%s\""
			: !strcmp(view, "change") && a
				? "plot: no mark A yet (mark puts it here)%.0s"
				: "plot: the map has no %s to show yet",
			view);
		return NULL;
	}
	every_cell(f, m, map, a);
	return f;
}
