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

/* An error of 0 is none that is known. */
static void part_nats(struct parts *p, enum role r, double kl, double se)
{
	char a[16], b[16];

	if (se > 0)
		panel_part(p, r, "%s ± %s nats", panel_kl(kl, a), panel_kl(se, b));
	else
		panel_part(p, r, "%s nats", panel_kl(kl, a));
}

static void draw_predict(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "predict");
	char kl[16];

	if (!a || isnan(a->kl))
		panel_part(&p, ROLE_DIM, "nothing yet");
	else if (!a->in_nats)
		panel_part(&p, ROLE_WARN, "score %s, not in nats", panel_kl(a->kl, kl));
	else
		part_nats(&p, ROLE_STRONG, a->kl, a->se);
}

static void draw_measured(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "measured");

	if (!a || isnan(a->measured_kl))
		panel_part(&p, ROLE_DIM, "not yet (m)");
	else
		part_nats(&p, ROLE_GOOD, a->measured_kl, a->measured_se);
}

static bool has_bound(const struct search *s)
{
	const struct snap_answer *a = s->answer;

	return a && (a->exact || (!isnan(a->bound) && !isnan(a->kl)));
}

static void draw_bound(const struct search *s, struct canvas *c, int y)
{
	const struct snap_answer *a = s->answer;
	struct parts p = begin(c, y, "bound");
	char bound[16], gap[16];

	if (a->exact) {
		panel_part(&p, ROLE_TEXT, "exact: none is better");
	} else {
		panel_part(&p, ROLE_TEXT, "%s", panel_kl(a->bound, bound));
		panel_part(&p, ROLE_DIM, "gap %s", panel_kl(a->kl - a->bound, gap));
	}
	if (a->solve_ms >= 0.005)
		panel_part(&p, ROLE_DIM, a->solve_ms < 1 ? "%.2f ms" : "%.1f ms", a->solve_ms);
}

static void draw_source(const struct search *s, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "from");

	panel_part(&p, s->map ? ROLE_TEXT : ROLE_DIM, "%s",
		s->map && s->map->source[0] ? s->map->source : "no scores yet");
}

static bool has_odds(const struct search *s)
{
	return s->odds && s->answer && s->odds->generation == s->answer->generation;
}

static void draw_odds(const struct search *s, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "sure");

	panel_part(&p, s->odds->stability < 0.8 ? ROLE_WARN : ROLE_TEXT, "%.0f %%, %zu undecided",
		100 * s->odds->stability, s->odds->undecided);
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
		panel_part(&p, ROLE_TEXT, "%zu of %zu cells%s", m->scanned, m->wanted,
			m->stale ? ", others stale" : "");
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

/* A measured layout of no more bytes that does better, guard or not. */
static bool has_better(const struct search *s)
{
	return s->answer && !isnan(s->answer->better.kl);
}

static void draw_better(const struct search *s, struct canvas *c, int y)
{
	const struct front_point *q = &s->answer->better;
	struct parts p = begin(c, y, "better");
	char kl[16];

	panel_part(&p, ROLE_BAD, c->w < 24 ? "better: %s %s" : "%s %s (:better)", q->what,
		panel_kl(q->kl, kl));
}

static bool has_layer_mix(const struct search *s)
{
	return s->answer && s->answer->in_nats && s->answer->layer_kl > 0;
}

static void draw_layer_mix(const struct search *s, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "mix");
	char kl[16];

	panel_part(&p, ROLE_TEXT, "layer-mix %s predicted", panel_kl(s->answer->layer_kl, kl));
}

/* The one that is named as better is not said twice. */
static const struct front_point *guard_shown(const struct search *s, size_t g)
{
	const struct front_point *q = guard_near(s, guard_name[g]);

	if (q && s->answer->better.kl == q->kl && !strcmp(s->answer->better.what, guard_name[g]))
		return NULL;
	return q;
}

static size_t guards_shown(const struct search *s)
{
	size_t n = 0;

	for (size_t g = 0; g < GUARDS; g++)
		n += guard_shown(s, g) != NULL;
	return n;
}

/* From the at-th of them per of them: one with its error, several by short names. */
static void draw_guards(const struct search *s, struct canvas *c, int y, size_t at, size_t per)
{
	struct parts p = begin(c, y, at ? "" : "guards");
	char kl[16], se[16];
	size_t n = 0;

	for (size_t g = 0; g < GUARDS; g++) {
		const struct front_point *q = guard_shown(s, g);

		if (!q || n++ < at || n > at + per)
			continue;
		if (per == 1 && q->se > 0)
			panel_part(&p, ROLE_TEXT, "%s %s ± %s", q->what, panel_kl(q->kl, kl),
				panel_kl(q->se, se));
		else
			panel_part(&p, ROLE_TEXT, per > 1 && c->w < 40 ? "%.4s %s" : "%s %s",
				q->what, panel_kl(q->kl, kl));
	}
	if (!n)
		panel_part(&p, ROLE_DIM, "none near this size");
}

/* ---- which lines there are */

enum line {
	LINE_PREDICT,
	LINE_MEASURED,
	LINE_BETTER,
	LINE_BOUND,
	LINE_SOURCE,
	LINE_ODDS,
	LINE_SCAN,
	LINE_VARIANTS,
	LINE_TEXT,
	LINE_MIX,
	LINE_GUARDS,
	LINES
};
static void (*const draw_line[LINES])(const struct search *s, struct canvas *c,
	int y) = { draw_predict, draw_measured, draw_better, draw_bound, draw_source, draw_odds,
	draw_scan, draw_variants, draw_text, draw_layer_mix, NULL };

/* The text, which the header names, goes first when lines run out. */
static void choose_lines(const struct search *s, int h, bool in[LINES])
{
	static const enum line worth[] = { LINE_PREDICT, LINE_MEASURED, LINE_BETTER, LINE_ODDS,
		LINE_GUARDS, LINE_MIX, LINE_SCAN, LINE_BOUND, LINE_SOURCE, LINE_VARIANTS,
		LINE_TEXT };

	for (size_t i = 0; i < LINES; i++)
		in[i] = true;
	in[LINE_BETTER] = has_better(s);
	in[LINE_BOUND] = has_bound(s);
	in[LINE_ODDS] = has_odds(s);
	in[LINE_MIX] = has_layer_mix(s);
	for (size_t i = 0; i < LINES; i++) {
		in[worth[i]] = in[worth[i]] && h > 0;
		h -= in[worth[i]];
	}
}

/* Guards have a line each where that costs no more than these. */
static size_t guard_lines(const struct search *s, int h, bool in[LINES])
{
	static const enum line gives[] = { LINE_TEXT, LINE_VARIANTS };
	size_t n = guards_shown(s), lines = h > 0 ? (size_t)h + 1 : 0;

	for (size_t i = 0; i < LINES; i++)
		lines -= in[i] && lines;
	for (size_t i = 0; i < sizeof gives / sizeof gives[0] && lines < n; i++) {
		lines += in[gives[i]];
		in[gives[i]] = false;
	}
	return lines < n ? lines : n ? n : 1;
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct search *s = self;
	size_t lines = 0, per;
	bool in[LINES];
	int y = 0;

	(void)focus;
	choose_lines(s, c->h, in);
	if (in[LINE_GUARDS])
		lines = guard_lines(s, c->h, in);
	per = lines ? (guards_shown(s) + lines - 1) / lines : 0;
	for (int i = 0; i < LINES; i++)
		if (in[i] && draw_line[i])
			draw_line[i](s, c, y++);
	for (size_t l = 0; l < lines && (!l || l * per < guards_shown(s)); l++)
		draw_guards(s, c, y++, l * per, per);
	if (y < c->h)
		panel_cut(c, 1, c->h - 1, c->w - 1, ROLE_DIM, "m measure   S keep as run   x stop");
}

static char *copy(const void *self)
{
	const struct snap_answer *a = ((const struct search *)self)->answer;
	bool measured = a && !isnan(a->measured_kl);
	double value, error;
	char kl[16], se[16];

	if (!a || (!measured && (!a->in_nats || isnan(a->kl))))
		return NULL;
	value = measured ? a->measured_kl : a->kl;
	error = measured ? a->measured_se : a->se;
	return xprintf("%.4f bpw, %s KL %s%s%s", a->stored_bpw, measured ? "measured" : "predicted",
		panel_kl(value, kl), error > 0 ? " ± " : "", error > 0 ? panel_kl(error, se) : "");
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
