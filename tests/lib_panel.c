/* lib_panel.c - what the panel suites share. */
#include "tests/lib_panel.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/theme.h"
#include "core/base/alloc.h"

struct alone alone_open(const struct panel_class *class)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return (struct alone){ class, class->create() };
}

void alone_close(struct alone *a)
{
	a->class->destroy(a->self);
}

bool alone_hear(struct alone *a, enum ev_kind kind, uint32_t key, int64_t n, struct snap *snap)
{
	struct event ev = { .kind = kind, .key = key, .n = n, .snap = snap };
	bool redraw = false;

	if (a->class->events >> kind & 1)
		redraw = a->class->on_event(a->self, &ev);
	snap_unref(snap);
	return redraw;
}

char *alone_draw_as(struct alone *a, int w, int h, bool focus, bool ascii, int *x, int *y)
{
	struct surface *s = surface_new(w, h);
	struct canvas c = canvas_of(s);
	char *text;

	a->class->draw(a->self, &c, focus);
	text = surface_dump(s, ascii);
	*x = s->cursor_on ? s->cursor_x : -1;
	*y = s->cursor_on ? s->cursor_y : -1;
	surface_free(s);
	return text;
}

char *alone_draw(struct alone *a, int w, int h)
{
	int x, y;

	return alone_draw_as(a, w, h, true, false, &x, &y);
}

bool alone_stays_inside(struct alone *a, int w, int h)
{
	enum { EDGE = 3 };
	struct surface *s = surface_new(w + 2 * EDGE, h + 2 * EDGE);
	struct canvas all = canvas_of(s), in = canvas_sub(&all, EDGE, EDGE, w, h);
	bool inside = true;

	canvas_fill(&all, 0, 0, all.w, all.h, ROLE_TEXT, '#');
	canvas_fill(&in, 0, 0, w, h, ROLE_TEXT, ' ');
	a->class->draw(a->self, &in, true);
	for (int y = 0; y < s->h; y++)
		for (int x = 0; x < s->w; x++)
			if (x < EDGE || y < EDGE || x >= EDGE + w || y >= EDGE + h)
				inside &= s->cell[y * s->w + x].ch[0] == '#';
	if (s->cursor_x >= 0)
		inside &= s->cursor_x >= EDGE && s->cursor_x < EDGE + w && s->cursor_y >= EDGE &&
			  s->cursor_y < EDGE + h;
	surface_free(s);
	return inside;
}

const char *alone_row(const char *drawing, int y)
{
	static char buf[4][1024];
	static int at;

	while (y-- && *drawing)
		drawing += strcspn(drawing, "\n") + 1;
	at = (at + 1) % 4;
	snprintf(buf[at], sizeof buf[at], "%.*s", (int)strcspn(drawing, "\n"), drawing);
	return buf[at];
}

int alone_role(struct alone *a, int w, int h, int x, int y)
{
	struct surface *s = surface_new(w, h);
	struct canvas c = canvas_of(s);
	int role;

	a->class->draw(a->self, &c, true);
	role = s->cell[y * w + x].role;
	surface_free(s);
	return role;
}

/* ---- snapshots */

struct snap_model *made_model(size_t layers)
{
	struct snap_model *m = snap_model_new(layers * 7, 4);

	snprintf(m->name, sizeof m->name, "made-up");
	snprintf(m->text, sizeof m->text, "self-sampled, seed 1");
	m->layers = layers;
	m->format[0] = format_int(2, 64);
	m->format[1] = format_int(3, 64);
	m->format[2] = format_int(4, 128);
	for (size_t i = 0; i < m->n; i++) {
		m->shape[i].rows = 576;
		m->shape[i].cols = i % 7 == 6 ? 1536 : 576;
		for (size_t f = 0; f < 4; f++)
			m->bytes[i * 4 + f] = (i % 7 == 6 ? 3 : 1) * (20 + 10 * f) * 1024;
	}
	return m;
}

struct snap_map *made_map(size_t layers, enum cell_state state)
{
	struct snap_map *m = snap_map_new(layers * 7, 4);

	for (size_t i = 0; i < m->n; i++) {
		for (size_t f = 0; f < 3 && state != CELL_UNKNOWN; f++)
			m->cell[i * 4 + f] = (struct map_cell){ .state = (uint8_t)state,
				.tokens = state == CELL_SCANNED ? 512
					  : state == CELL_FAST  ? 64
								: 0,
				.value = 0.001f * (float)(i + 1) / (float)(1 << 2 * f),
				.se = state == CELL_SCORED ? NAN : 0.0004f };
		m->cell[i * 4 + 3] = (struct map_cell){ .state = CELL_SCANNED };
	}
	m->wanted = m->n * 3;
	m->scored = state >= CELL_SCORED ? m->wanted : 0;
	m->fast = state >= CELL_FAST ? m->wanted : 0;
	m->scanned = state == CELL_SCANNED ? m->wanted : 0;
	snprintf(m->text, sizeof m->text, "self-sampled, seed 1");
	snprintf(m->source, sizeof m->source, "%s",
		state == CELL_SCANNED ? "scan"
		: state == CELL_FAST  ? "fast pass"
				      : "first score");
	return m;
}

struct snap_answer *made_answer(size_t layers)
{
	struct snap_answer *a = snap_answer_new(layers * 7, false);

	for (size_t i = 0; i < a->n; i++) {
		a->choice[i] = (uint8_t)(i % 4);
		a->pin[i] = -1;
	}
	a->asked_bpw = a->stored_bpw = 4.25;
	a->nominal_bpw = 4.03;
	a->bytes = 56518246;
	a->file_bytes = 84882432;
	a->kl = 0.0131;
	a->se = 0.0009;
	a->in_nats = true;
	a->bound = 0.0130;
	a->solve_ms = 0.41;
	a->measured_kl = a->measured_se = NAN;
	return a;
}

struct snap_variants *made_variants(size_t layers)
{
	struct snap_variants *v = snap_variants_new(layers * 7, 4);

	for (size_t i = 0; i < v->n; i++)
		for (size_t f = 0; f < 3; f++) {
			v->at[i * 4 + f].best = f == 2;
			snprintf(v->at[i * 4 + f].by, sizeof v->at->by, f == 2 ? "gptq" : "hqq");
		}
	v->ready = v->total = 3 * v->n;
	v->best = v->n;
	return v;
}

struct snap_front *made_front(void)
{
	struct snap_front *f = snap_front_new(11, 3);

	for (size_t i = 0; i < 11; i++) {
		f->bytes[i] = (uint64_t)(1000 + 100 * i);
		f->kl[i] = 8 / pow(2, (double)i);
	}
	f->least = 1000;
	f->most = 2000;
	f->least_bpw = 2.5;
	f->most_bpw = 5;
	f->in_nats = true;
	f->point[0] = (struct front_point){ 1400, 3.5, 0.5, 0.01, "measured", false };
	f->point[1] = (struct front_point){ 1700, 4.25, 0.4, 0.01, "uniform", false };
	f->point[2] = (struct front_point){ 1700, 4.25, 0.3, 0.01, "random", false };
	return f;
}

struct snap_progress *made_progress(const char *name, double done, double total)
{
	struct snap_progress *p = snap_progress_new();

	snprintf(p->name, sizeof p->name, "%s", name);
	snprintf(p->unit, sizeof p->unit, "cells");
	p->done = done;
	p->total = total;
	p->seconds = 12;
	p->rate = 5.1;
	p->left_s = 200;
	return p;
}

/* ---- talk */

void made_step(struct snap_train *t, double loss, bool bad)
{
	float v[TRAIN_SERIES];

	for (size_t i = 0; i < TRAIN_SERIES; i++)
		v[i] = NAN;
	t->step++;
	v[SERIES_LOSS] = (float)loss;
	v[SERIES_LR] = (float)(0.01 * (1 - (double)t->step / 400));
	v[SERIES_GRAD] = 0.84F;
	v[SERIES_RATE] = 18240;
	v[SERIES_MEMORY] = 327155712;
	v[SERIES_FLIPS] = 0.0041F;
	v[SERIES_FLIPS_OF + 1] = 0.005F;
	v[SERIES_FLIPS_OF + 3] = 0.001F;
	v[SERIES_SATURATED] = 0.121F;
	v[SERIES_REVERSALS] = 0.03F;
	v[SERIES_CHANGED] = 0.021F;
	train_history_add(&t->seen, v, bad, 2.0 * (double)t->step);
	t->skipped += bad;
	for (size_t i = 0; i < TRAIN_SERIES && !bad; i++)
		t->last[i] = (double)v[i];
}

struct snap_train *made_train(uint64_t steps)
{
	struct snap_train *t = snap_train_new();

	t->state = TRAINING_RUNS;
	snprintf(t->run, sizeof t->run, "20260101-201403-train-7f3a");
	snprintf(t->method, sizeof t->method, "rank");
	snprintf(t->data, sizeof t->data, "next-step.jsonl");
	t->bpw = 3.6;
	t->steps = 400;
	t->step_tokens = 1024;
	t->widths = 1u << 2 | 1u << 4;
	t->step_s = 2;
	t->chat = true;
	for (uint64_t i = 1; i <= steps; i++) {
		made_step(t, i == 7 ? 9 : 2 + 2 * exp(-(double)i / 20), false);
		if (i % 10 == 0)
			train_look_add(t->look, &t->n_looks,
				(struct train_look){ .step = i,
					.at_s = 2 * (float)i,
					.nll = 2.2F + 2 * expf(-(float)i / 20),
					.se = 0.02F,
					.kl = 0.0312F,
					.top1 = 0.7F });
	}
	t->chat_step = t->step;
	t->saved = steps / 50 * 50;
	t->left_s = 2.0 * (double)(400 - steps);
	t->ran_s = 2.0 * (double)steps;
	return t;
}

double made_dial_kl(size_t point, uint64_t step)
{
	static const double before[TRAIN_POINTS] = { 9.34, 4.12, 1.63, 0.412, 0.0871 };

	return before[point] * (0.26 + 0.05 * (double)point + 0.7 * exp(-(double)step / 60));
}

static struct train_look made_dial_look(uint64_t step)
{
	struct train_look l = { .step = step, .at_s = 2 * (float)step, .nll = 4, .top1 = NAN };

	for (size_t i = 0; i < TRAIN_POINTS; i++) {
		l.point[i] = (float)made_dial_kl(i, step);
		l.kl += l.point[i] / TRAIN_POINTS;
	}
	return l;
}

struct snap_train *made_dial(uint64_t steps)
{
	static const double bpw[TRAIN_POINTS] = { 2.5, 2.94, 3.37, 3.81, 4.25 };
	struct snap_train *t = made_train(0);

	t->taught = true;
	t->bpw = 4.25;
	t->points = TRAIN_POINTS;
	memcpy(t->point_bpw, bpw, sizeof bpw);
	snprintf(t->method, sizeof t->method, "latent");
	train_look_add(t->look, &t->n_looks, made_dial_look(0));
	for (uint64_t i = 1; i <= steps; i++) {
		made_step(t, made_dial_kl(i * 3 % TRAIN_POINTS, i), false);
		if (i % 20 == 0)
			train_look_add(t->look, &t->n_looks, made_dial_look(i));
	}
	t->chat_step = t->step;
	t->saved = steps / 50 * 50;
	t->left_s = 2.0 * (double)(400 - steps);
	t->ran_s = 2.0 * (double)steps;
	return t;
}

void talk_add(struct talk *t, enum chat_who who, size_t turn, uint32_t layout, double bpw,
	const char *text)
{
	if (t->n)
		t->piece[t->n - 1].open = false;
	t->piece[t->n++] = (struct chat_piece){ .who = who,
		.turn = turn,
		.layout = layout,
		.bpw = bpw,
		.at = t->len,
		.open = who == CHAT_MODEL };
	talk_more(t, text);
}

void talk_more(struct talk *t, const char *text)
{
	size_t n = strlen(text);

	memcpy(t->text + t->len, text, n);
	t->len += n;
	t->piece[t->n - 1].len += n;
}

struct snap *talk_snap(const struct talk *t)
{
	struct snap_chat *c = snap_chat_new(t->text, t->len, t->piece, t->n);

	c->stats = t->stats;
	return &c->snap;
}
