/* slider - the budget, as a track that answers while it moves.
 *
 * The knob stands at what was asked, the number beside it is what was reached.  Predicted
 * and measured damage are two numbers with two names. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/map.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"

struct slider {
	struct snap_front *front;
	struct snap_answer *answer;
	char note[64], command[32];
};

static void *create(void)
{
	return xalloc(sizeof(struct slider));
}

static void destroy(void *self)
{
	struct slider *s = self;

	snap_unref((struct snap *)s->front);
	snap_unref((struct snap *)s->answer);
	xfree(s);
}

static void write_note(struct slider *s)
{
	const struct snap_answer *a = s->answer;
	char se[16];

	s->note[0] = 0;
	if (a && !a->in_nats && !isnan(a->kl))
		snprintf(s->note, sizeof s->note, "first score, not in nats");
	else if (a && !isnan(a->kl) && a->se > 0)
		snprintf(s->note, sizeof s->note, "predicted ± %s", panel_kl(a->se, se));
	else if (a && !isnan(a->kl))
		snprintf(s->note, sizeof s->note, "predicted");
}

static bool on_event(void *self, const struct event *ev)
{
	struct slider *s = self;

	if (ev->kind == EV_FRONT)
		s->front = panel_hold(s->front, ev);
	else if (ev->kind == EV_ANSWER)
		s->answer = panel_hold(s->answer, ev);
	else
		return false;
	write_note(s);
	return true;
}

/* ---- the track */

struct track {
	int x0, w; /* w < 2: there is none */
	int after; /* where the numbers begin */
	double lo, hi;
};

/* The numbers keep their place, so that the track stays while they change. */
enum { REACHED = 9, ASKED = 13, STORED = 10 }; /* "16.00 bpw", " (asked 4.27)", "  53.9 MiB" */

static bool asked_fits(int w)
{
	return w >= 70;
}
static bool stored_fits(int w)
{
	return w >= 100;
}

static struct track track_of(const struct slider *s, int w)
{
	struct track t = { 0 };
	int right = REACHED + (asked_fits(w) ? ASKED : 0) + (stored_fits(w) ? STORED : 0) + 1;

	if (!s->front || !(s->front->most_bpw > s->front->least_bpw) || w < 24)
		return t;
	t.lo = s->front->least_bpw;
	t.hi = s->front->most_bpw;
	t.x0 = 1 + (w >= 40 ? 6 : 0);
	t.w = w - t.x0 - (w >= 40 ? 7 : 1) - right;
	t.after = w - right;
	return t;
}

static int column_of(const struct track *t, double bpw)
{
	double at = (bpw - t->lo) / (t->hi - t->lo) * (t->w - 1);

	return isnan(at) || at < 0 ? 0 : at > t->w - 1 ? t->w - 1 : (int)(at + 0.5);
}

static void draw_track(const struct slider *s, struct canvas *c, const struct track *t)
{
	int knob = s->answer ? column_of(t, s->answer->asked_bpw) : 0;

	if (t->x0 > 6) {
		canvas_printf(c, 1, 0, ROLE_DIM, "%5.2f", t->lo);
		canvas_printf(c, t->x0 + t->w + 1, 0, ROLE_DIM, "%.2f", t->hi);
	}
	canvas_fill(c, t->x0, 0, t->w, 1, ROLE_DIM, 0x2500);
	if (s->answer)
		canvas_fill(c, t->x0, 0, knob, 1, ROLE_ACCENT, 0x2501);
	for (size_t i = 0; i < s->front->n_points; i++)
		if (!strcmp(s->front->point[i].what, "measured"))
			canvas_text(c, t->x0 + column_of(t, s->front->point[i].bpw), 0, ROLE_STRONG,
				"◇");
	if (s->answer && s->answer->has_a)
		canvas_text(c, t->x0 + column_of(t, s->answer->a_bpw), 0, ROLE_STRONG, "A");
	if (s->answer)
		canvas_text(c, t->x0 + knob, 0, ROLE_CURSOR, "●");
}

/* ---- numbers */

static bool is_elsewhere(const struct snap_answer *a)
{
	return fabs(a->asked_bpw - a->stored_bpw) > 0.005;
}

static void draw_reached(const struct snap_answer *a, struct canvas *c, int x)
{
	char mib[16];

	x += canvas_printf(c, x, 0, ROLE_STRONG, "%.2f bpw", a->stored_bpw);
	if (asked_fits(c->w) && is_elsewhere(a))
		canvas_printf(c, x, 0, ROLE_WARN, " (asked %.2f)", a->asked_bpw);
	if (stored_fits(c->w))
		canvas_right(c, c->w - 1, 0, ROLE_TEXT, panel_mib(a->bytes, mib));
}

static void part_damage(struct parts *p, enum role r, const char *what, double kl, double se)
{
	char a[16], b[16];

	if (isnan(kl))
		return;
	if (!(se > 0)) /* none that is known */
		panel_part(p, r, "%s %s", what, panel_kl(kl, a));
	else
		panel_part(p, r, "%s %s ± %s", what, panel_kl(kl, a), panel_kl(se, b));
}

/* Against the mark: damage, bytes, and how many linears went up and down. */
static void part_mark(struct parts *p, const struct snap_answer *a)
{
	char kl[20], mib[20];
	struct map_change d;

	if (!map_change_of(a, &d))
		return;
	if (!d.up && !d.down) {
		panel_part(p, ROLE_ACCENT, "at A");
		return;
	}
	panel_part(p, ROLE_ACCENT, "to A %.2f: KL %s%s", a->a_bpw, panel_signed_kl(d.kl, kl),
		isnan(a->measured_kl) || isnan(d.kl) ? "" /* all of the line is predicted */
		: d.measured                         ? " measured"
						     : " predicted");
	panel_part(p, ROLE_ACCENT, "%s", panel_signed_mib(d.bytes, mib));
	panel_part(p, ROLE_ACCENT, "%zu up %zu down", d.up, d.down);
}

static void draw_numbers(const struct snap_answer *a, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = c->w < 24 ? 0 : 1, .y = y };
	char mib[16];

	if (a->in_nats)
		part_damage(&p, ROLE_TEXT, "predicted", a->kl, a->se);
	else if (!isnan(a->kl))
		panel_part(&p, ROLE_WARN, "first score %s, not in nats", panel_kl(a->kl, mib));
	else
		panel_part(&p, ROLE_DIM, "damage not predicted yet");
	part_damage(&p, ROLE_GOOD, "measured", a->measured_kl, a->measured_se);
	part_mark(&p, a);
	if (!isnan(a->rules_kl))
		panel_part(&p, ROLE_TEXT, "rules cost %s%s", panel_kl(a->rules_kl, mib),
			isnan(a->measured_kl) ? "" : " predicted");
	if (!asked_fits(c->w) && is_elsewhere(a))
		panel_part(&p, ROLE_WARN, "asked %.2f", a->asked_bpw);
	if (!stored_fits(c->w))
		panel_part(&p, ROLE_TEXT, "%s", panel_mib(a->bytes, mib));
	panel_part(&p, ROLE_DIM, "nominal %.2f", a->nominal_bpw);
	panel_part(&p, ROLE_DIM, "file %s", panel_mib(a->file_bytes, mib));
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct slider *s = self;
	const struct snap_answer *a = s->answer;
	struct track t = track_of(s, c->w);
	char kl[16];

	if (!a && !s->front) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no budget before the first scores");
		return;
	}
	if (t.w >= 2) {
		draw_track(s, c, &t);
		if (focus && a)
			canvas_cursor(c, t.x0 + column_of(&t, a->asked_bpw), 0, false);
	}
	if (!a)
		return;
	if (t.w >= 2)
		draw_reached(a, c, t.after);
	else if (c->h > 1 || isnan(a->kl) || !a->in_nats)
		draw_reached(a, c, c->w < 24 ? 0 : 1);
	else
		canvas_printf(
			c, 0, 0, ROLE_STRONG, "%.2f bpw %s", a->stored_bpw, panel_kl(a->kl, kl));
	if (c->h > 1)
		draw_numbers(a, c, 1);
}

static const char *note(const void *self)
{
	const struct slider *s = self;

	return s->note[0] ? s->note : NULL;
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct slider *s = self;
	struct track t = track_of(s, w);
	double bpw;

	(void)h;
	if (button == MOUSE_WHEEL_UP)
		return "budget +0.05";
	if (button == MOUSE_WHEEL_DOWN)
		return "budget -0.05";
	/* Beside the track are its ends: a drag that goes too far stays at them. */
	if (button != MOUSE_LEFT || y != 0 || t.w < 2 || x >= t.after)
		return NULL;
	x = x < t.x0 ? 0 : x >= t.x0 + t.w ? t.w - 1 : x - t.x0;
	bpw = t.lo + (t.hi - t.lo) * x / (t.w - 1);
	snprintf(s->command, sizeof s->command, "budget %.2f", bpw);
	return s->command;
}

static char *copy(const void *self)
{
	const struct snap_answer *a = ((const struct slider *)self)->answer;

	return a ? xprintf("%.4f bpw, %llu bytes", a->stored_bpw, (unsigned long long)a->bytes)
		 : NULL;
}

const struct panel_class panel_slider = {
	.name = "slider",
	.title = "Budget",
	.min_w = 24,
	.min_h = 1,
	.events = 1u << EV_FRONT | 1u << EV_ANSWER,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_mouse = on_mouse,
	.copy = copy,
	.draw = draw,
	.note = note,
};
