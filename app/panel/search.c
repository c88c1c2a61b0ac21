/* search - what the answer under the dial rests on: prediction, bound, measurement, scan. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/map.h"
#include "core/base/alloc.h"

struct search {
	struct snap_model *model;
	struct snap_map *map;
	struct snap_variants *variants;
	struct snap_front *front;
	struct snap_answer *answer;
	struct snap_odds *odds;
};

static void *create(void)
{
	return xalloc(sizeof(struct search));
}

static void destroy(void *self)
{
	struct search *s = self;

	snap_unref((struct snap *)s->model);
	snap_unref((struct snap *)s->map);
	snap_unref((struct snap *)s->variants);
	snap_unref((struct snap *)s->front);
	snap_unref((struct snap *)s->answer);
	snap_unref((struct snap *)s->odds);
	xfree(s);
}

static bool on_event(void *self, const struct event *ev)
{
	struct search *s = self;

	switch (ev->kind) {
	case EV_MODEL:
		s->model = panel_hold(s->model, ev);
		return true;
	case EV_MAP:
		s->map = panel_hold(s->map, ev);
		return true;
	case EV_VARIANTS:
		s->variants = panel_hold(s->variants, ev);
		return true;
	case EV_FRONT:
		s->front = panel_hold(s->front, ev);
		return true;
	case EV_ANSWER:
		s->answer = panel_hold(s->answer, ev);
		return true;
	case EV_ODDS:
		s->odds = panel_hold(s->odds, ev);
		return true;
	default:
		return false;
	}
}

/* ---- lines, each below its name */

static struct parts begin(struct canvas *c, int y, const char *name)
{
	struct parts p = { .c = c, .x = 10, .y = y };

	if (c->w < 24)
		p.x = 0;
	else
		canvas_text(c, 1, y, ROLE_DIM, name);
	return p;
}

static void draw_predict(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "predict");
	char kl[16], se[16];

	if (!a || isnan(a->kl))
		panel_part(&p, ROLE_DIM, "nothing yet");
	else if (!a->in_nats)
		panel_part(&p, ROLE_WARN, "score %s, not in nats", panel_kl(a->kl, kl));
	else if (isnan(a->se))
		panel_part(&p, ROLE_STRONG, "%s nats", panel_kl(a->kl, kl));
	else
		panel_part(
			&p, ROLE_STRONG, "%s ± %s nats", panel_kl(a->kl, kl), panel_kl(a->se, se));
}

static void draw_measured(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "measured");
	char kl[16], se[16];

	if (!a || isnan(a->measured_kl))
		panel_part(&p, ROLE_DIM, "not yet (m)");
	else if (isnan(a->measured_se))
		panel_part(&p, ROLE_GOOD, "%s nats", panel_kl(a->measured_kl, kl));
	else
		panel_part(&p, ROLE_GOOD, "%s ± %s nats", panel_kl(a->measured_kl, kl),
			panel_kl(a->measured_se, se));
}

static void draw_bound(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "bound");
	char bound[16], gap[16];

	if (a && a->exact) {
		panel_part(&p, ROLE_TEXT, "exact: none is better");
	} else if (a && !isnan(a->bound) && !isnan(a->kl)) {
		panel_part(&p, ROLE_TEXT, "%s", panel_kl(a->bound, bound));
		panel_part(&p, ROLE_DIM, "gap %s", panel_kl(a->kl - a->bound, gap));
	} else {
		panel_part(&p, ROLE_DIM, "-");
	}
	if (a && !isnan(a->solve_ms))
		panel_part(&p, ROLE_DIM, a->solve_ms < 1 ? "%.2f ms" : "%.1f ms", a->solve_ms);
}

static void draw_source(const struct search *s, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "from");

	panel_part(&p, s->map ? ROLE_TEXT : ROLE_DIM, "%s",
		s->map && s->map->source[0] ? s->map->source : "no scores yet");
	if (s->odds && s->answer && s->odds->generation == s->answer->generation)
		panel_part(&p, s->odds->stability < 0.8 ? ROLE_WARN : ROLE_TEXT,
			"%.0f %% sure, %zu undecided", 100 * s->odds->stability,
			s->odds->undecided);
}

static void draw_scan(const struct search *s, struct canvas *c, int y)
{
	const struct snap_map *m = s->map;
	struct parts p = begin(c, y, "scan");

	if (!m || !m->wanted)
		panel_part(&p, ROLE_DIM, "no cells yet");
	else if (m->scanned >= m->wanted)
		panel_part(&p, ROLE_TEXT, "all %zu cells", m->wanted);
	else if (m->fast >= m->wanted)
		panel_part(&p, ROLE_TEXT, "%zu of %zu cells", m->scanned, m->wanted);
	else if (m->scored >= m->wanted)
		panel_part(&p, ROLE_TEXT, "fast pass %zu of %zu", m->fast, m->wanted);
	else
		panel_part(&p, ROLE_TEXT, "scored %zu of %zu", m->scored, m->wanted);
	/* A scan begun over a fast pass that is not done: both are true. */
	if (m && m->scanned && m->fast < m->wanted)
		panel_part(&p, ROLE_DIM, "scanned %zu", m->scanned);
}

/* Slots filled, and how many of them by the quantizer that no better one will follow. */
static void draw_variants(const struct search *s, struct canvas *c, int y)
{
	const struct snap_variants *v = s->variants;
	struct parts p = begin(c, y, "variants");
	size_t calibrated = 0;
	char text[96];

	if (!v || !v->total) {
		panel_part(&p, ROLE_DIM, "none made yet");
		return;
	}
	if (v->best >= v->total) {
		panel_part(&p, ROLE_TEXT, "all %zu, each its best", v->total);
		return;
	}
	for (size_t i = 0; i < v->n * v->k; i++)
		calibrated += map_is_calibrated(v->at[i].by);
	snprintf(text, sizeof text, "data-free %zu, calibrated %zu of %zu", v->ready - calibrated,
		calibrated, v->total);
	if (p.x + (int)strlen(text) <= c->w)
		panel_part(&p, ROLE_TEXT, "%s", text);
	else
		panel_part(
			&p, ROLE_TEXT, "ready %zu, best %zu of %zu", v->ready, v->best, v->total);
}

static void draw_text(const struct search *s, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "text");
	const char *text = s->map && s->map->text[0]       ? s->map->text
			   : s->model && s->model->text[0] ? s->model->text
							   : "-";

	panel_part(&p, ROLE_TEXT, "%s", text);
}

/* What the bytes of about this size do when given out by a plain rule: the nearest measured. */
static const struct front_point *guard_near(const struct search *s, const char *name)
{
	const struct front_point *best = NULL;
	double at = s->answer ? s->answer->stored_bpw : 0, off = 0.5 / FRONT_BANDS;

	for (size_t i = 0; s->answer && s->front && i < s->front->n_points; i++) {
		const struct front_point *q = &s->front->point[i];

		if (strcmp(q->what, name) || fabs(q->bpw - at) > off)
			continue;
		off = fabs(q->bpw - at);
		best = q;
	}
	return best;
}

/* Any measured layout of no more bytes that does better is said first, guard or not. */
static void draw_guards(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "guards");
	char kl[16];

	if (a && a->in_nats && a->layer_kl > 0) /* predicted */
		panel_part(&p, ROLE_TEXT, "layer-mix %s", panel_kl(a->layer_kl, kl));
	if (a && !isnan(a->better.kl))
		panel_part(&p, ROLE_BAD, "%s %s is better", a->better.what,
			panel_kl(a->better.kl, kl));
	for (size_t g = 0; g < GUARDS; g++) {
		const struct front_point *q = guard_near(s, guard_name[g]);

		if (q && !(a->better.kl == q->kl && !strcmp(a->better.what, guard_name[g])))
			panel_part(&p, ROLE_TEXT, "%s %s", guard_name[g], panel_kl(q->kl, kl));
	}
	if (!p.n)
		panel_part(&p, ROLE_DIM, "none near this size");
}

/* In the order they are drawn in; worth: 0 is the last to go. */
static const struct {
	void (*draw)(const struct search *s, struct canvas *c, int y);
	int worth;
} lines[] = {
	{ draw_predict, 0 },
	{ draw_measured, 1 },
	{ draw_bound, 2 },
	{ draw_source, 5 },
	{ draw_scan, 3 },
	{ draw_variants, 4 },
	{ draw_text, 6 },
	{ draw_guards, 7 },
};
enum { LINES = sizeof lines / sizeof lines[0] };

static void draw(const void *self, struct canvas *c, bool focus)
{
	int y = 0;

	(void)focus;
	for (int i = 0; i < LINES; i++)
		if (lines[i].worth < c->h)
			lines[i].draw(self, c, y++);
	if (y < c->h)
		panel_cut(c, 1, c->h - 1, c->w - 1, ROLE_DIM, "m measure   S keep as run   x stop");
}

static char *copy(const void *self)
{
	const struct snap_answer *a = ((const struct search *)self)->answer;
	char kl[16], se[16];

	if (!a)
		return NULL;
	if (!isnan(a->measured_kl))
		return xprintf("%.4f bpw, measured KL %s ± %s", a->stored_bpw,
			panel_kl(a->measured_kl, kl), panel_kl(a->measured_se, se));
	if (!a->in_nats || isnan(a->kl))
		return NULL;
	return xprintf("%.4f bpw, predicted KL %s ± %s", a->stored_bpw, panel_kl(a->kl, kl),
		panel_kl(a->se, se));
}

const struct panel_class panel_search = {
	.name = "search",
	.title = "Search",
	.min_w = 30,
	.min_h = 6,
	.events = 1u << EV_MODEL | 1u << EV_MAP | 1u << EV_VARIANTS | 1u << EV_FRONT |
		  1u << EV_ANSWER | 1u << EV_ODDS,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.draw = draw,
};
