/* status - the header and the status line: who we are, what runs, what can be pressed. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/tui/keys.h"
#include "app/tui/tui.h"
#include "core/base/text.h"

static int columns(const char *s)
{
	return text_width(s, strlen(s));
}

/* ---- header */

static int tab_text(const struct tui *t, size_t at, char *out, size_t cap)
{
	const struct arrangement *a = &t->place[at].arr;
	char name[ARR_NAME];

	screen_title(screen_name(t, at), name);
	if (at == t->at)
		snprintf(out, cap, "[%c]%s", a->key, name);
	else
		snprintf(out, cap, "%c %s", a->key, name);
	return columns(out);
}

/* Columns of all tabs, with a blank after the last. */
static int tabs_width(const struct tui *t, int gap)
{
	char tab[ARR_NAME + 8];
	int w = 1;

	for (size_t i = 0; i < t->n_places; i++)
		w += tab_text(t, i, tab, sizeof tab) + (i ? gap : 0);
	return w;
}

static int tab_gap(int w)
{
	return w < ARR_NARROW ? 1 : 2;
}

const struct arrangement *status_tab_at(const struct tui *t, int x)
{
	int gap = tab_gap(t->screen->w), at = t->screen->w - tabs_width(t, gap);
	char tab[ARR_NAME + 8];

	for (size_t i = 0; i < t->n_places; i++) {
		int w = tab_text(t, i, tab, sizeof tab);

		if (x >= at && x < at + w)
			return &t->place[i].arr;
		at += w + gap;
	}
	return NULL;
}

enum { HEADER_PARTS = 6 };

/* "cuda:0"; "": the processor. */
static void beside_cpu(const struct snap_model *m, char *out, size_t cap)
{
	int name = (int)strcspn(m->device, " ,");

	snprintf(out, cap, "%.*s", name, m->device);
	if (name < 2 || !strcmp(out, "cpu"))
		*out = 0;
}

/* Of a device the name alone, first; what the processor is called can wait. */
static void header_part(const struct snap_model *m, int i, char *out, size_t cap)
{
	char n[16];

	*out = 0;
	switch (i) {
	case 0:
		beside_cpu(m, out, cap);
		break;
	case 1:
		snprintf(out, cap, "%s", num_count(m->params, n));
		break;
	case 2:
		snprintf(out, cap, "%s", m->demo ? "demo: tiny, seeded" : "");
		break;
	case 3:
		snprintf(out, cap, "ref %s", m->reference);
		break;
	case 4:
		beside_cpu(m, out, cap);
		snprintf(out, cap, "%s", *out ? "" : m->device);
		break;
	default:
		snprintf(out, cap, "text %s", m->text);
		break;
	}
}

void status_header(struct tui *t, struct canvas *c)
{
	int gap = tab_gap(c->w), room = c->w - tabs_width(t, gap) - 1, x, tab_x = room + 1, keep;
	const struct snap_model *m = t->model;
	char tab[ARR_NAME + 8], part[320];
	struct canvas left = canvas_sub(c, 0, 0, room, 1);

	for (size_t i = 0; i < t->n_places; i++) {
		int w = tab_text(t, i, tab, sizeof tab);

		canvas_text(c, tab_x, 0, i == t->at ? ROLE_STRONG : ROLE_DIM, tab);
		tab_x += w + gap;
	}
	x = canvas_text(&left, 0, 0, ROLE_ACCENT, " bitdial ");
	if (!m) {
		canvas_text(&left, x, 0, ROLE_DIM, t->n_jobs ? "opening" : "no model (:open PATH)");
		return;
	}
	beside_cpu(m, part, sizeof part); /* a long name leaves room for it */
	keep = *part && room - x - 2 - columns(part) > 12 ? 2 + columns(part) : 0;
	panel_cut(&left, x, 0, room - x - keep, ROLE_STRONG, m->name);
	x += columns(m->name) < room - x - keep ? columns(m->name) : room - x - keep;
	/* Each part that fits; the first ones matter most. */
	for (int i = 0; i < HEADER_PARTS; i++) {
		header_part(m, i, part, sizeof part);
		if (!*part || x + 2 + columns(part) > room)
			continue;
		x += 2 + canvas_text(&left, x + 2, 0, i > 1 ? ROLE_DIM : ROLE_TEXT, part);
	}
}

/* ---- status line */

/* "  A -.0682 +1.2 MiB": from the mark to here, where it is another layout. */
static void against_mark(const struct snap_answer *a, char *out, size_t cap)
{
	size_t n = strlen(out);
	uint64_t less;
	double kl;
	bool measured;
	char text[16], bytes[16];

	if (!a || !a->has_a || !memcmp(a->choice, a->a_choice, a->n))
		return;
	kl = snap_from_mark(a, &measured);
	less = a->bytes < a->a_bytes ? a->a_bytes - a->bytes : a->bytes - a->a_bytes;
	if (isfinite(kl)) /* beside a measured damage it says where it is none itself */
		n += (size_t)snprintf(out + n, cap - n, "  A %s%s%s", kl < 0 ? "-" : "+",
			num_kl(fabs(kl), text),
			!measured && isfinite(a->measured_kl) ? " predicted" : "");
	if (n < cap)
		snprintf(out + n, cap - n, "%s%s%s", isfinite(kl) ? " " : "  A ",
			a->bytes < a->a_bytes ? "-" : "+", text_bytes(less, bytes));
}

/* "better: uniform .3000 (:better)", where no panel says it. */
static void better_part(const struct tui *t, char *out, size_t cap)
{
	const struct snap_answer *a = t->answer;
	char kl[16];

	*out = 0;
	for (size_t i = 0; i < t->n_shown; i++)
		if (!strcmp(t->class[t->shown[i].panel] -> name, "search") && t->shown[i].ih >= 3)
			return; /* its third line */
	if (a && isfinite(a->better.kl))
		snprintf(out, cap, "better: %s %s%s", a->better.what, num_kl(a->better.kl, kl),
			t->n_jobs ? "" : " (:better)");
}

static int left_part(const struct tui *t, char *out, size_t cap, bool wide)
{
	const struct snap_answer *a = t->answer;
	char name[ARR_NAME] = "", kl[16], bytes[16];

	if (t->n_places) {
		screen_title(t->place[t->at].arr.name, name);
		for (char *s = name; *s; s++)
			*s = (char)toupper((unsigned char)*s);
	}
	if (!a)
		snprintf(out, cap, " %s", name);
	else if (wide)
		snprintf(out, cap, " %s  %.2f bpw  %s %s  %s  %s", name, a->stored_bpw,
			a->in_nats || isfinite(a->measured_kl) ? "KL" : "score",
			num_kl(isfinite(a->measured_kl) ? a->measured_kl : a->kl, kl),
			text_bytes(a->bytes, bytes),
			isfinite(a->measured_kl) ? "measured"
			: a->in_nats             ? "predicted"
						 : "first score");
	else
		snprintf(out, cap, " %s %.2f %s %s", name, a->stored_bpw,
			a->in_nats || isfinite(a->measured_kl) ? "KL" : "score",
			num_kl(isfinite(a->measured_kl) ? a->measured_kl : a->kl, kl));
	if (wide && t->screen->w >= 110)
		against_mark(a, out, cap);
	return columns(out);
}

/* What was cut short and waits for an answer, in as few words as are understood. */
static void offer_part(const struct tui *t, char *out, size_t cap)
{
	char what[48];

	*out = 0;
	if (session_offer(t->s, what))
		snprintf(out, cap, "r: goes on with the %s  Esc: not", what);
}

/* "[scan 64 % 3 s]", "[train 64 % paused]", "[scan stopping…] +1", and unread errors. */
static void jobs_part(const struct tui *t, char *out, size_t cap)
{
	const struct job_line *j = &t->job[0];
	char left[16], what[64] = "";
	size_t n = 0, unread = tui_unread(t);

	*out = 0;
	for (size_t i = 0; i < t->n_jobs; i++)
		if (t->job[i].stopping)
			j = &t->job[i];
	if (t->n_jobs) {
		if (j->stopping)
			snprintf(what, sizeof what, " stopping…");
		else if (j->held && j->total > 0)
			snprintf(what, sizeof what, " %d %% paused",
				(int)(100 * j->done / j->total));
		else if (j->total > 0)
			snprintf(what, sizeof what, " %d %%%s%s", (int)(100 * j->done / j->total),
				isfinite(j->left) ? " " : "",
				isfinite(j->left) ? num_time(j->left, left) : "");
		n = (size_t)snprintf(out, cap, "[%s%s]", j->name, what);
		if (t->n_jobs > 1 && n < cap)
			n += (size_t)snprintf(out + n, cap - n, " +%zu", t->n_jobs - 1);
	}
	if (unread && n < cap)
		snprintf(out + n, cap - n, "%s! %zu", n ? " " : "", unread);
}

struct hints {
	char text[32][48];
	size_t n;
	struct binding own[BINDS_MAX + 1]; /* the user's */
};

struct taken {
	const struct binding *own;
	bool any;
};

static void add_hint(struct hints *h, const char *keys, const char *what)
{
	if (h->n < 32)
		snprintf(h->text[h->n++], 48, "%.24s %.20s", keys, what);
}

/* "h j k l" is "hjkl"; ", ." stays as it is. */
static void squeeze(const char *keys, char out[32])
{
	size_t n = 0;

	for (const char *s = keys; *s; s++)
		if ((s - keys) % 2 ? *s != ' ' : !isalpha((unsigned char)*s)) {
			snprintf(out, 32, "%s", keys);
			return;
		}
	for (const char *s = keys; *s && n < 31; s += s[1] ? 2 : 1)
		out[n++] = *s;
	out[n] = 0;
}

static bool is_taken(void *arg, uint32_t key, const char *command, size_t len)
{
	struct taken *s = arg;
	char buf[256];

	(void)command, (void)len;
	s->any |= keys_find(s->own, key, buf, sizeof buf);
	return !s->any;
}

/* What stands first in a table matters most, so it comes last: entries to - 1 down to from, but
 * for those whose keys the user has taken. */
static void hints_of(struct hints *h, const struct binding *table, size_t from, size_t to)
{
	size_t n = 0;

	while (table && table[n].keys && n < to)
		n++;
	while (n > from && n--) {
		const struct binding *b = &table[n];
		struct taken taken = { h->own, false };
		const char *from_verb;
		char what[24], keys[32];

		if (table != h->own)
			keys_walk(b, is_taken, &taken);
		if (taken.any)
			continue;
		from_verb = b->command; /* "train pause" is said as pause */
		if (!strncmp(from_verb, "train ", 6))
			from_verb += 6;
		snprintf(what, sizeof what, "%.*s", (int)strcspn(from_verb, " |"), from_verb);
		squeeze(b->keys, keys);
		if (strcmp(what, "prompt") && strncmp(keys, "M-", 2))
			add_hint(h, keys, what);
	}
}

/* Least important first: hints are dropped from the left. */
static void all_hints(const struct tui *t, struct hints *h)
{
	const struct binding *screen = NULL;
	long at = focus_now(t);

	h->n = 0;
	tui_binds(t, h->own);
	if (t->list.open) {
		add_hint(h, "type", "filter");
		add_hint(h, "Up Down", "scroll");
		add_hint(h, "Esc", "close");
		return;
	}
	if (focus_takes_text(t)) {
		add_hint(h, "Enter", strcmp(t->class[at] -> name, "console") ? "send" : "run");
		add_hint(h, "M-, M-.", "budget");
		add_hint(h, "Esc", t->streaming ? "stop" : "leave");
		add_hint(h, "Tab", "panel");
		add_hint(h, "F1", "help");
		return;
	}
	if (t->n_places)
		screen = keys_of(screen_name(t, t->at));
	hints_of(h, screen, 1, 32);
	if (at >= 0)
		hints_of(h, t->class[at] -> keys, 0, 32);
	hints_of(h, screen, 0, 1);
	hints_of(h, h->own, 0, 32);
	if (at >= 0 && t->class[at] -> cursor)
		add_hint(h, "hjkl", "cell");
	add_hint(h, "Tab", "panel");
	add_hint(h, "/", "filter");
	add_hint(h, ":", "command");
	add_hint(h, "?", "help");
}

static void draw_hints(const struct tui *t, struct canvas *c, int from)
{
	struct hints h;
	int x = c->w - 1;

	all_hints(t, &h);
	for (size_t i = h.n; i--;) {
		int w = columns(h.text[i]);

		if (x - w < from)
			return;
		x -= w;
		canvas_text(c, x, 0, ROLE_DIM, h.text[i]);
		x -= 2;
	}
}

/* Cut with an ellipsis at width. */
static void draw_cut(struct canvas *c, int x, int width, enum role r, const char *s)
{
	struct canvas in = canvas_sub(c, x, 0, width, 1);

	canvas_text(&in, 0, 0, r, s);
	if (columns(s) > width && width > 0)
		canvas_text(&in, width - 1, 0, r, "…");
}

/* Returns where it ends. */
static int draw_notice(struct canvas *c, const struct notice *n, int left)
{
	enum role r = n->strength == LOG_ERROR  ? ROLE_BAD
		      : n->strength == LOG_WARN ? ROLE_WARN
						: ROLE_ACCENT;
	const char *mark = n->strength == LOG_ERROR ? "! " : "";
	char text[336];
	int x = left + 2, w;

	snprintf(text, sizeof text, "%s%s", mark, n->text);
	w = columns(text);
	if (x + w > c->w) { /* a sentence comes before the numbers */
		canvas_fill(c, 0, 0, c->w, 1, ROLE_TEXT, ' ');
		x = 1;
	}
	draw_cut(c, x, c->w - x, r, text);
	return x + w;
}

/* On a line too short for the numbers: what runs, and how to get help. */
static void narrow_line(struct tui *t, struct canvas *c, const char *jobs)
{
	int used = canvas_text(c, 0, 0, ROLE_STRONG, "? help");

	if (*jobs && c->w > used + 2)
		draw_cut(c, used + 2, c->w - used - 2, ROLE_ACCENT, jobs);
	else if (!*jobs && t->answer && c->w >= used + 10)
		canvas_printf(c, used + 1, 0, ROLE_TEXT, "%.2f bpw", t->answer->stored_bpw);
}

/* Returns where the next part begins. */
static int draw_part(struct canvas *c, int x, enum role r, const char *s)
{
	int width = columns(s), room = c->w - x - 8;

	if (room < 2)
		return x;
	draw_cut(c, x, width < room ? width : room, r, s);
	return x + (width < room ? width : room) + 2;
}

void status_line(struct tui *t, struct canvas *c)
{
	const struct notice *n = tui_notice_now(t);
	char left[160], jobs[160], better[64], offer[96];
	int used, x;

	jobs_part(t, jobs, sizeof jobs);
	if (c->w < 30) {
		if (n)
			draw_notice(c, n, c->w);
		else
			narrow_line(t, c, jobs);
		return;
	}
	used = left_part(t, left, sizeof left, c->w >= ARR_NARROW);
	canvas_text(c, 0, 0, ROLE_STRONG, left);
	if (n) {
		draw_hints(t, c, draw_notice(c, n, used) + 2);
		return;
	}
	x = used + 2;
	offer_part(t, offer, sizeof offer);
	if (*offer)
		x = draw_part(c, x, ROLE_WARN, offer);
	better_part(t, better, sizeof better);
	if (*better)
		x = draw_part(c, x, ROLE_BAD, better);
	if (*jobs)
		x = draw_part(c, x, ROLE_ACCENT, jobs);
	draw_hints(t, c, x);
}
