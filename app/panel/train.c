/* loss - the curve of the run in training, or of the last one: is it learning? */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/train_chart.h"
#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"
#include "core/work/figure_train.h"

static const double smooths[] = { 0.9, 0.97, 0, 0.6 };
enum { SMOOTHS = sizeof smooths / sizeof smooths[0] };

struct loss {
	struct snap_train *now; /* NULL: there was none yet */
	struct chart_view view;
	char note[96];
};

static void *create(void)
{
	struct loss *p = xalloc(sizeof *p);

	p->view = (struct chart_view){ .log = true, .smooth = smooths[0] };
	return p;
}

static void destroy(void *self)
{
	struct loss *p = self;

	snap_unref((struct snap *)p->now);
	xfree(p);
}

static void more(struct loss *p, const char *gap, const char *what)
{
	size_t n = strlen(p->note);

	snprintf(p->note + n, sizeof p->note - n, "%s%s", gap, what);
}

/* What is drawn how.  A ghost is one more: closer then, so that 80 columns hold the title. */
static void legend(struct loss *p)
{
	const struct snap_train *t = p->now;
	const char *gap = t->ghost_name[0] ? " " : "  ";
	char ema[24];

	snprintf(p->note, sizeof p->note, "─ loss");
	snprintf(ema, sizeof ema, "━ ema %.2g", p->view.smooth);
	if (p->view.smooth > 0)
		more(p, gap, ema);
	if (t->n_looks)
		more(p, gap, "◇ held");
	if (t->ghost_name[0])
		more(p, gap, t->n_ghost_looks ? "┄○ ghost" : "┄ ghost");
	if (p->view.log && p->view.lo > 0)
		more(p, gap, "log y");
}

/* Of a dial: labels at the curves' ends say which is which. */
static void dial_legend(struct loss *p)
{
	const struct snap_train *t = p->now;
	const char *gap;
	bool ghost = false;

	for (size_t i = 0; i < t->n_ghost_looks && !p->view.front; i++)
		ghost |= !isnan(chart_dial_kl(t, &t->ghost_look[i], 0));
	gap = ghost ? " " : "  ";
	snprintf(p->note, sizeof p->note, p->view.front ? "KL over bits" : "held-out KL");
	if (ghost)
		more(p, gap, "┄ ghost");
	more(p, gap, p->view.front ? "v: over steps" : "v: over bits");
	if (p->view.log && p->view.lo > 0)
		more(p, gap, "log y");
}

static void refresh(struct loss *p)
{
	if (!p->now)
		return;
	chart_fit(&p->view, p->now);
	if (p->now->points)
		dial_legend(p);
	else
		legend(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct loss *p = self;

	if (ev->kind == EV_VIEW) {
		p->view.ascii = ev->n & VIEW_ASCII;
		return true;
	}
	if (ev->kind != EV_TRAIN)
		return false;
	p->now = panel_hold(p->now, ev);
	refresh(p);
	return true;
}

/* ---- what is in view */

static bool has_steps(const struct loss *p)
{
	return p->now && p->now->state != TRAINING_NONE && p->now->seen.n;
}

static void zoom(struct loss *p, double by)
{
	double newest = p->now ? chart_newest(&p->view, p->now) : 0;
	double least = p->view.by_time ? 10 : 20;
	double window = (p->view.window > 0 ? p->view.window : newest) * by;

	p->view.window = window >= newest ? 0 : fmax(window, least);
	if (!(p->view.window > 0))
		p->view.end = 0;
	else if (p->view.reads && has_steps(p))
		chart_read_centre(&p->view, p->now);
}

static void pan(struct loss *p, double by)
{
	double newest = p->now ? chart_newest(&p->view, p->now) : 0, end;

	if (!(p->view.window > 0))
		zoom(p, 0.5);
	if (!(p->view.window > 0))
		return;
	end = (p->view.end > 0 ? p->view.end : newest) + by * p->view.window;
	p->view.end = end >= newest ? 0 : fmax(end, p->view.window);
}

static bool move(struct loss *p, const char *where)
{
	if (p->view.reads && has_steps(p) && chart_read_move(&p->view, p->now, where))
		return true;
	if (!strcmp(where, "left"))
		pan(p, -0.25);
	else if (!strcmp(where, "right"))
		pan(p, 0.25);
	else if (!strcmp(where, "up"))
		zoom(p, 0.5);
	else if (!strcmp(where, "down"))
		zoom(p, 2);
	else if (!strcmp(where, "first"))
		p->view.window = p->view.end = 0;
	else if (!strcmp(where, "last") && !(p->view.window > 0))
		zoom(p, 0.25);
	else if (!strcmp(where, "last"))
		p->view.end = 0;
	else
		return false;
	return true;
}

/* "next", or a number: 0 is none. */
static bool smooth(struct loss *p, const char *arg)
{
	size_t at = 0;
	char *end;
	double v = strtod(arg, &end);

	if (!*arg || !strcmp(arg, "next")) {
		while (at < SMOOTHS && smooths[at] != p->view.smooth)
			at++;
		v = smooths[at < SMOOTHS ? (at + 1) % SMOOTHS : 0];
	} else if (*end || !(v >= 0 && v < 1)) {
		return false;
	}
	p->view.smooth = v;
	return true;
}

/* Of a dial: "next", or one of the names. */
static bool look_at(struct loss *p, const char *name)
{
	bool front = !strcmp(name, "front");

	if (!p->now || !p->now->points)
		return false;
	if (!front && strcmp(name, "steps") != 0 && strcmp(name, "next") != 0)
		return false;
	p->view.front = front || (!strcmp(name, "next") && !p->view.front);
	return true;
}

static bool on_command(void *self, const char *word, const char *arg)
{
	struct loss *p = self;
	bool ok = true;

	if (!strcmp(word, "move")) {
		ok = move(p, arg);
	} else if (!strcmp(word, "log-axis")) {
		p->view.log = !p->view.log;
	} else if (!strcmp(word, "smooth")) {
		ok = smooth(p, arg);
	} else if (!strcmp(word, "view")) {
		ok = look_at(p, arg);
	} else if (!strcmp(word, "axis")) {
		p->view.by_time = !p->view.by_time;
		p->view.window = p->view.end = 0;
	} else if (!strcmp(word, "open")) {
		ok = has_steps(p);
		p->view.reads = ok && !p->view.reads;
		p->view.at = UINT64_MAX;
	} else if (!strcmp(word, "back") && p->view.reads) {
		p->view.reads = false;
	} else {
		return false;
	}
	refresh(p);
	return ok;
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct loss *p = self;

	(void)y, (void)h;
	if (has_steps(p) && p->now->points)
		w = chart_dial_width(&p->view, w);
	if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN)
		return button == MOUSE_WHEEL_UP ? "move up" : "move down";
	if (button == MOUSE_LEFT && has_steps(p) && chart_read_click(&p->view, p->now, x, w))
		return "";
	return NULL;
}

/* ---- drawing */

struct words {
	struct canvas *c;
	const char *text;
	int y;
	enum role role;
};

static void one_line(void *arg, size_t start, size_t len)
{
	struct words *w = arg;

	if (w->y < w->c->h)
		canvas_textn(w->c, 1, w->y++, w->role, w->text + start, len);
}

static void words(struct words *w, enum role role, const char *text)
{
	w->role = role;
	w->text = text;
	canvas_wrap(text, strlen(text), w->c->w - 2, one_line, w);
}

static void draw_empty(struct canvas *c)
{
	struct words w = { .c = c };
	int gap = c->h > 15;

	if (c->h < 6) {
		words(&w, ROLE_TEXT,
			"no run yet; K calibrates the dial, :train start trains its layout");
		return;
	}
	words(&w, ROLE_TEXT, "Nothing was trained in this sitting yet.");
	w.y += gap;
	words(&w, ROLE_STRONG, "  K  or  :calibrate");
	words(&w, ROLE_DIM,
		"The reference teaches all formats of the dial at once: less KL at the budgets "
		"below 4 bits.");
	w.y += gap;
	words(&w, ROLE_STRONG, "  :train start");
	words(&w, ROLE_DIM,
		"300 steps that move the codes of the layout under the dial, on 150 questions and "
		"answers that come with the program.  The chat (3) answers from it meanwhile.");
	w.y += gap;
	words(&w, ROLE_TEXT, "  :train start data=FILE method=lora steps=100");
	words(&w, ROLE_DIM, "Tab after a word says what there is; ? explains the keys.");
}

/* No room for axes, or no number yet. */
static void draw_small(const struct snap_train *t, struct canvas *c)
{
	struct parts p = { .c = c, .x = 1 };
	struct words w = { .c = c, .y = 1 };
	char kl[16];

	panel_part(&p, ROLE_TEXT, "%s", training_name(t->state));
	if (t->points && c->h > 4) {
		panel_part(&p, ROLE_TEXT, "step %llu of %llu", (unsigned long long)t->step,
			(unsigned long long)t->steps);
		words(&w, ROLE_DIM, chart_dial_nothing(t));
		return;
	}
	if (!t->steps && t->n_notes && c->h > 4) {
		words(&w, ROLE_TEXT, t->note[t->n_notes - 1].text);
		return;
	}
	if (!t->steps && t->n_notes) {
		panel_part(&p, ROLE_TEXT, "%s", t->note[t->n_notes - 1].text);
		return;
	}
	if (isfinite(t->last[SERIES_LOSS]))
		panel_part(&p, ROLE_STRONG, "loss %s", panel_kl(t->last[SERIES_LOSS], kl));
	panel_part(&p, ROLE_TEXT, "step %llu of %llu", (unsigned long long)t->step,
		(unsigned long long)t->steps);
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct loss *p = self;

	(void)focus;
	if (!p->now || p->now->state == TRAINING_NONE)
		draw_empty(c);
	else if (!(p->now->points ? chart_dial_draw : chart_draw)(&p->view, p->now, c))
		draw_small(p->now, c);
}

static const char *note(const void *self)
{
	const struct loss *p = self;

	return p->now && p->note[0] && p->now->state != TRAINING_NONE ? p->note : NULL;
}

static char *copy(const void *self)
{
	const struct loss *p = self;
	const struct snap_train *t = p->now;
	const struct train_bucket *b;

	if (t && t->points)
		return chart_dial_copy(&p->view, t);
	if (p->view.reads && has_steps(p)) {
		b = &t->seen.bucket[chart_read_bucket(&p->view, t)];
		return xprintf("%s step %llu loss %.6f", t->run,
			(unsigned long long)chart_read_step(&p->view, t),
			(double)b->v[SERIES_LOSS].mean);
	}
	if (!t || !isfinite(t->last[SERIES_LOSS]))
		return NULL;
	return xprintf("%s step %llu loss %.6f", t->run, (unsigned long long)t->step,
		t->last[SERIES_LOSS]);
}

static struct figure *figure(const void *self)
{
	const struct loss *p = self;

	return figure_train(p->now, p->view.smooth, p->view.by_time, p->view.log);
}

static const struct binding keys[] = {
	{ "X", "axis", "over steps, over time" },
	{ "s", "smooth next", "the mean over more steps, over fewer, none" },
	{ "Enter", "open", "a value cursor: what a step had; again, or Esc: none" },
	{ "h l Left Right", "move left | move right | move left | move right",
		"earlier, later; the cursor, where there is one" },
	{ "k j Up Down", "move up | move down | move up | move down", "fewer steps, more" },
	{ "Home End", "move first | move last", "the whole run, the newest steps" },
	{ "v", "view next", "of a dial in training: KL over bits alone, KL over steps" },
	{ NULL, NULL, NULL },
};

const struct panel_class panel_loss = {
	.name = "loss",
	.title = "Loss",
	.min_w = 30,
	.min_h = 5,
	.events = 1ull << EV_TRAIN | 1ull << EV_VIEW,
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.copy = copy,
	.figure = figure,
	.note = note,
	.draw = draw,
};
