/* facts - the numbers of the run in training, or of the last one. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"
#include "core/work/snap_train.h"

struct facts {
	struct snap_train *now; /* NULL: there was none yet */
	uint32_t stopping;      /* the job that was asked to stop last */
	char note[24];
};

static void *create(void)
{
	return xalloc(sizeof(struct facts));
}

static void destroy(void *self)
{
	struct facts *p = self;

	snap_unref((struct snap *)p->now);
	xfree(p);
}

/* A stop is heard at once; the run itself says it after the step under way. */
static const char *state_of(const struct facts *p)
{
	if (!p->now)
		return "";
	if (p->now->job && p->stopping == p->now->job && p->now->state < TRAINING_STOPS)
		return training_name(TRAINING_STOPS);
	return training_name(p->now->state);
}

static bool on_event(void *self, const struct event *ev)
{
	struct facts *p = self;

	if (ev->kind == EV_TRAIN)
		p->now = panel_hold(p->now, ev);
	else if (ev->kind == EV_JOB_STOPPING && p->now && ev->key == p->now->job)
		p->stopping = ev->key;
	else
		return false;
	snprintf(p->note, sizeof p->note, "%s", state_of(p));
	return true;
}

/* ---- numbers */

/* In six columns at most: "1.412", "2.1e-04", "18240". */
static const char *six(double v, char out[16])
{
	double a = fabs(v);

	if (!isfinite(v))
		snprintf(out, 16, "-");
	else if (a >= 99999.5 || (a > 0 && a < 0.0095))
		snprintf(out, 16, "%.1e", v);
	else
		snprintf(out, 16, "%.*f", a < 9.9995 ? 3 : a < 999.5 ? 1 : 0, v);
	return out;
}

/* A share: "12.3 %", ".04 %". */
static const char *percent(double v, char out[16])
{
	double p = 100 * v;

	if (!isfinite(v))
		snprintf(out, 16, "-");
	else
		snprintf(out, 16, "%.*f %%", p >= 9.95 || p == 0 ? 1 : p >= 0.0995 ? 2 : 3, p);
	return out;
}

static double last_ema(const struct snap_train *t)
{
	float *m = xarray(t->seen.n + 1, sizeof *m);
	double v;

	train_history_smooth(&t->seen, 0.9, m);
	v = t->seen.n ? (double)m[t->seen.n - 1] : (double)NAN;
	xfree(m);
	return v;
}

static const struct train_look *last_look(const struct snap_train *t)
{
	return t->n_looks ? &t->look[t->n_looks - 1] : NULL;
}

/* ---- lines; 0: there is no such line */

static struct parts begin(struct canvas *c, int y, const char *name)
{
	struct parts p = { .c = c, .x = 8, .y = y };

	canvas_text(c, 1, y, ROLE_DIM, name);
	return p;
}

static void draw_step(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "step");
	char a[16], b[16];

	panel_part(&p, ROLE_STRONG, "%s / %s", panel_count(t->step, a), panel_count(t->steps, b));
	if (t->skipped)
		panel_part(&p, ROLE_WARN, "%llu skipped", (unsigned long long)t->skipped);
}

/* All of the line: its words take the column of the names, too. */
static void draw_quiet(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	char a[24];

	panel_part(&p, ROLE_WARN, "no step for %s", panel_time(t->quiet_s, a));
}

static void draw_loss(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "loss");
	char a[16];

	panel_part(&p, ROLE_STRONG, "%s", six(t->last[SERIES_LOSS], a));
	panel_part(&p, ROLE_TEXT, "ema %s", six(last_ema(t), a));
}

/* Of a dial, of all its budgets: the name is longer than others and the line, too. */
static void draw_mean(const struct snap_train *t, struct canvas *c, int y)
{
	const struct train_look *l = last_look(t);
	struct parts p = begin(c, y, "mean KL");
	char a[16];

	p.x++;
	panel_part(&p, ROLE_STRONG, "%s", panel_kl((double)l->kl, a));
	panel_part(&p, ROLE_TEXT, "at %s", panel_count(l->step, a));
	if (t->n_looks > 1)
		panel_part(&p, ROLE_DIM, "from %s", panel_kl((double)t->look[0].kl, a));
}

static void draw_held(const struct snap_train *t, struct canvas *c, int y)
{
	const struct train_look *l = last_look(t);
	struct parts p = begin(c, y, "held");
	char a[16], b[16];

	panel_part(&p, ROLE_STRONG, "%s", six((double)l->nll, a));
	panel_part(&p, ROLE_TEXT, "at %s", panel_count(l->step, a));
	if (t->n_looks > 1)
		panel_part(&p, ROLE_DIM, "from %s", six((double)t->look[0].nll, b));
}

/* How far from the model as it was in the file: what quantizing cost, and what training moved. */
static void draw_gap(const struct snap_train *t, struct canvas *c, int y)
{
	const struct train_look *l = last_look(t);
	struct parts p = begin(c, y, "KL");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s to ref", panel_kl((double)l->kl, a));
	if (isfinite(l->top1))
		panel_part(&p, ROLE_DIM, "top-1 %.0f %%", 100 * (double)l->top1);
}

enum { BEFORE = 14, NOW = 23 /* columns that the numbers of a look end before */ };

/* Of a dial: KL at each of its budgets at the first look and at the newest. */
static void draw_points(const struct snap_train *t, struct canvas *c, int y)
{
	const struct train_look *l = last_look(t);
	char kl[16];

	canvas_text(c, 1, y, ROLE_DIM, "bpw");
	canvas_right(c, BEFORE, y, ROLE_DIM, "KL before");
	if (t->n_looks > 1)
		canvas_right(c, NOW, y, ROLE_DIM, "now");
	for (size_t i = 0; i < t->points; i++) {
		int at = y + 1 + (int)i;

		canvas_printf(c, 1, at, ROLE_TEXT, "%.2f", t->point_bpw[i]);
		panel_kl((double)t->look[0].point[i], kl);
		canvas_right(c, BEFORE, at, t->n_looks > 1 ? ROLE_DIM : ROLE_STRONG, kl);
		if (t->n_looks < 2)
			continue;
		canvas_text(c, BEFORE + 1, at, ROLE_DIM, "->");
		canvas_right(c, NOW, at, ROLE_STRONG, panel_kl((double)l->point[i], kl));
	}
}

static void draw_left(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p;
	char a[24];

	if (isfinite(t->left_s) && t->state < TRAINING_DONE) {
		p = begin(c, y, "left");
		panel_part(&p, ROLE_TEXT, "%s", panel_time(t->left_s, a));
	} else {
		p = begin(c, y, "took");
		panel_part(&p, ROLE_TEXT, "%s", panel_time(t->ran_s, a));
	}
	if (t->step_s < 0.1)
		panel_part(&p, ROLE_DIM, "%.0f ms a step", 1e3 * t->step_s);
	else if (isfinite(t->step_s))
		panel_part(&p, ROLE_DIM, t->step_s < 10 ? "%.2f s a step" : "%.0f s a step",
			t->step_s);
}

static void draw_rate(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "tok/s");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s", six(t->last[SERIES_RATE], a));
	if (t->step_tokens)
		panel_part(&p, ROLE_DIM, "%zu a step", t->step_tokens);
}

static void draw_lr(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "lr");
	char a[16];
	bool weights = t->last[SERIES_LR] > 0,
	     scales = t->last[SERIES_LR_S] > 0; /* else it has none */

	if (weights || !scales)
		panel_part(&p, ROLE_TEXT, "%s", six(t->last[SERIES_LR], a));
	if (scales)
		panel_part(&p, ROLE_TEXT, "s %s", six(t->last[SERIES_LR_S], a));
}

static void draw_grad(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "grad");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s", six(t->last[SERIES_GRAD], a));
	if (isfinite(t->last[SERIES_UPDATE]))
		panel_part(&p, ROLE_DIM, "update %s", six(t->last[SERIES_UPDATE], a));
}

/* Each width's share of codes that changed in the step, where there are several. */
static void draw_flips(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "flips");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s", percent(t->last[SERIES_FLIPS], a));
	for (int b = 1; b <= 8; b++)
		if (t->widths >> b & 1 && t->widths != 1u << b)
			panel_part(&p, ROLE_DIM, "int%d %s", b,
				percent(t->last[SERIES_FLIPS_OF + b - 1], a));
}

static void draw_changed(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "moved");
	char a[16];

	panel_part(&p, ROLE_TEXT, isfinite(t->last[SERIES_CHANGED]) ? "%s of codes" : "%s",
		percent(t->last[SERIES_CHANGED], a));
}

static void draw_ends(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "satur.");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s", percent(t->last[SERIES_SATURATED], a));
	if (isfinite(t->last[SERIES_REVERSALS]))
		panel_part(&p, ROLE_DIM, "rev. %s", percent(t->last[SERIES_REVERSALS], a));
}

static void draw_memory(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "memory");
	char a[16];

	panel_part(&p, ROLE_TEXT, "%s", panel_mib((uint64_t)t->last[SERIES_MEMORY], a));
}

static void draw_saved(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "saved");
	char a[16];

	if (t->saved)
		panel_part(&p, ROLE_TEXT, "at step %s", panel_count(t->saved, a));
	else
		panel_part(&p, ROLE_DIM, "not yet (c)");
}

static void draw_chat(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "chat");
	char a[16];

	if (t->chat)
		panel_part(&p, ROLE_TEXT, "at step %s", panel_count(t->chat_step, a));
	else
		panel_part(&p, ROLE_DIM, "the dial's model");
}

static void draw_method(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "by");

	panel_part(&p, ROLE_TEXT, "%s", t->method);
	if (isfinite(t->bpw))
		panel_part(&p, ROLE_TEXT, "%.2f bpw", t->bpw);
}

static void draw_data(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "data");

	panel_part(&p, ROLE_TEXT, "%s", t->data);
}

static void draw_run(const struct snap_train *t, struct canvas *c, int y)
{
	struct parts p = begin(c, y, "run");
	size_t n = strlen(t->run);

	/* Its end tells it from the others. */
	panel_part(&p, ROLE_TEXT, "%s", t->run + (n > 10 ? n - 10 : 0));
}

/* ---- which lines there are */

static bool always(const struct snap_train *t)
{
	return t->state != TRAINING_NONE;
}
static bool is_quiet(const struct snap_train *t)
{
	return t->state == TRAINING_RUNS && t->quiet_s > 0;
}
static bool has_look(const struct snap_train *t)
{
	return t->n_looks && !t->points;
}
static bool has_gap(const struct snap_train *t)
{
	return t->n_looks && !t->points && isfinite(last_look(t)->kl);
}
static bool has_points(const struct snap_train *t)
{
	return t->n_looks && t->points;
}
static bool has_codes(const struct snap_train *t)
{
	return t->widths && isfinite(t->last[SERIES_FLIPS]);
}
static bool has_memory(const struct snap_train *t)
{
	return isfinite(t->last[SERIES_MEMORY]) && t->last[SERIES_MEMORY] > 0;
}
static bool has_run(const struct snap_train *t)
{
	return t->run[0];
}

/* In the order they are drawn in; worth, up to MOST: the lowest goes first when lines run out. */
enum { MOST = 21 };
static const struct {
	bool (*there)(const struct snap_train *t);
	void (*draw)(const struct snap_train *t, struct canvas *c, int y);
	int worth;
} lines[] = {
	{ always, draw_step, MOST },
	{ is_quiet, draw_quiet, 20 },
	{ always, draw_loss, 19 },
	{ has_look, draw_held, 18 },
	{ has_points, draw_mean, 18 },
	{ has_points, draw_points, 15 },
	{ has_gap, draw_gap, 15 },
	{ always, draw_left, 17 },
	{ always, draw_rate, 13 },
	{ always, draw_lr, 10 },
	{ always, draw_grad, 9 },
	{ has_codes, draw_flips, 14 },
	{ has_codes, draw_changed, 11 },
	{ has_codes, draw_ends, 8 },
	{ has_memory, draw_memory, 7 },
	{ always, draw_saved, 12 },
	{ always, draw_chat, 16 },
	{ always, draw_method, 6 },
	{ always, draw_data, 5 },
	{ has_run, draw_run, 4 },
};
enum { LINES = sizeof lines / sizeof lines[0] };

/* Budgets have a line each below their heads. */
static int height(const struct snap_train *t, size_t line)
{
	return lines[line].draw == draw_points ? 1 + (int)t->points : 1;
}

/* Those of most worth first, each whole or not at all. */
static void choose(const struct snap_train *t, int room, bool chosen[LINES])
{
	for (int worth = MOST; worth > 0; worth--)
		for (size_t i = 0; i < LINES; i++)
			if (lines[i].worth == worth && lines[i].there(t) && height(t, i) <= room) {
				chosen[i] = true;
				room -= height(t, i);
			}
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct snap_train *t = ((const struct facts *)self)->now;
	bool chosen[LINES] = { false };
	int y = 0;

	(void)focus;
	if (!t || t->state == TRAINING_NONE) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no run yet");
		return;
	}
	choose(t, c->h, chosen);
	for (size_t i = 0; i < LINES; i++)
		if (chosen[i]) {
			lines[i].draw(t, c, y);
			y += height(t, i);
		}
}

static const char *note(const void *self)
{
	const struct facts *p = self;

	return p->note[0] ? p->note : NULL;
}

static char *copy(const void *self)
{
	const struct snap_train *t = ((const struct facts *)self)->now;

	return t && t->run[0] ? xstrdup(t->run) : NULL;
}

const struct panel_class panel_facts = {
	.name = "facts",
	.title = "Run",
	.min_w = 24,
	.min_h = 4,
	.events = 1ull << EV_TRAIN | 1ull << EV_JOB_STOPPING,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.note = note,
	.draw = draw,
};
