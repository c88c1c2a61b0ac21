/* log - the last lines of the log: read from memory, followed or held, filtered by words.
 *
 * The panel takes lines over from the ring (core/base/log_ring.h) when it hears that there are
 * new ones, and keeps so many; what it shows ends at one line, the last one while it follows.
 */
#include "app/panel/panel.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/log_ring.h"
#include "core/base/text.h"

enum { KEPT = 2000, FILTER = 128, INDENT = 2, NOTE = 64 };

struct row { /* a line of the log as text, "12.031 warn engine search: text" */
	char *text;
	enum log_level level;
	size_t head; /* bytes before the sentence: what is dim */
};

struct log_panel {
	struct row *row; /* [KEPT], a ring */
	uint64_t n;      /* lines taken so far */
	uint64_t next;   /* of the log's ring */
	uint64_t at;     /* the last line seen, where it does not follow */
	bool follow;
	uint64_t unread; /* while it does not */
	char filter[FILTER];
	char note[NOTE];
};

static void *create(void)
{
	struct log_panel *p = xalloc(sizeof *p);

	p->row = xarray(KEPT, sizeof *p->row);
	p->follow = true;
	return p;
}

static void destroy(void *self)
{
	struct log_panel *p = self;

	for (size_t i = 0; i < KEPT; i++)
		xfree(p->row[i].text);
	xfree(p->row);
	xfree(p);
}

/* ---- lines */

static uint64_t first(const struct log_panel *p)
{
	return p->n > KEPT ? p->n - KEPT : 0;
}

static const struct row *row_at(const struct log_panel *p, uint64_t i)
{
	return &p->row[i % KEPT];
}

static bool has_word(const char *text, const char *word, size_t n)
{
	for (; *text; text++) {
		size_t i = 0;

		while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)word[i]))
			i++;
		if (i == n)
			return true;
	}
	return !n;
}

/* Every word of the filter is in the line, and none of those with a minus before them. */
static bool matches(const struct log_panel *p, uint64_t i)
{
	const char *text = row_at(p, i)->text;

	for (const char *s = p->filter; *s;) {
		size_t n = strcspn(s, " ");
		bool less = n > 1 && *s == '-';

		if (n && has_word(text, s + less, n - less) == less)
			return false;
		s += n + (s[n] == ' ');
	}
	return true;
}

static void take_new(struct log_panel *p)
{
	struct log_line *l = xalloc(sizeof *l);

	while (log_ring_read(&p->next, l)) {
		struct row *r = &p->row[p->n % KEPT];

		xfree(r->text);
		r->text = xprintf("%.3f %s %s %s: %s", l->at, log_level_name(l->level), l->thread,
			l->module, l->text);
		r->head = strlen(r->text) - strlen(l->text);
		r->level = l->level;
		p->n++;
		if (p->follow)
			p->at = p->n - 1;
		else
			p->unread += matches(p, p->n - 1);
	}
	if (p->at < first(p))
		p->at = first(p);
	xfree(l);
}

static bool on_event(void *self, const struct event *ev)
{
	struct log_panel *p = self;

	if (ev->kind != EV_LOG || (uint64_t)ev->n == p->next)
		return false;
	take_new(p);
	return true;
}

/* ---- moving: to the next line that fn takes, in this direction */

static bool step(struct log_panel *p, int by, bool (*fn)(const struct log_panel *, uint64_t))
{
	uint64_t i = p->at;

	while (by < 0 ? i > first(p) : i + 1 < p->n) {
		i = by < 0 ? i - 1 : i + 1;
		if (!fn(p, i))
			continue;
		p->at = i;
		return true;
	}
	return false;
}

/* With a filter what it leaves; without one warnings, errors, and what libraries said. */
static bool notable(const struct log_panel *p, uint64_t i)
{
	const struct row *r = row_at(p, i);

	if (p->filter[0])
		return matches(p, i);
	return r->level <= LOG_WARN || strstr(r->text, " stderr: ");
}

static void follow(struct log_panel *p, bool on)
{
	p->follow = on;
	if (on && p->n)
		p->at = p->n - 1;
	if (on)
		p->unread = 0;
}

static bool move(struct log_panel *p, const char *where)
{
	int page = 10;
	bool up = !strcmp(where, "up") || !strcmp(where, "page-up");
	int n = !strncmp(where, "page", 4) ? page : 1;

	if (!strcmp(where, "first")) {
		follow(p, false);
		p->at = first(p);
	} else if (!strcmp(where, "last")) {
		follow(p, true);
	} else if (up || !strcmp(where, "down") || !strcmp(where, "page-down")) {
		if (up)
			follow(p, false);
		while (n-- && step(p, up ? -1 : 1, matches))
			;
		if (!up && p->at + 1 >= p->n) /* at the end it goes on by itself */
			follow(p, true);
	} else {
		return false;
	}
	return true;
}

static bool on_command(void *self, const char *word, const char *arg)
{
	struct log_panel *p = self;

	if (!strcmp(word, "filter")) {
		snprintf(p->filter, sizeof p->filter, "%s", arg);
		return true;
	}
	if (!strcmp(word, "follow")) {
		if (!strcmp(arg, "on") || !strcmp(arg, "off"))
			follow(p, !strcmp(arg, "on"));
		else
			follow(p, !p->follow);
		return true;
	}
	if (!strcmp(word, "next") || !strcmp(word, "prev")) {
		bool was = p->follow;

		p->follow = false;
		if (!step(p, *word == 'n' ? 1 : -1, notable))
			p->follow = was;
		return true;
	}
	return !strcmp(word, "move") && move(p, arg);
}

/* ---- drawing, from the last line upwards */

struct wrapped {
	struct canvas *c;
	int y;
	const struct row *r;
	bool here;
};

static size_t count_lines(const struct row *r, int w)
{
	return canvas_wrap(r->text, strlen(r->text), w, NULL, NULL);
}

static enum role role_of(const struct row *r)
{
	return r->level == LOG_ERROR  ? ROLE_BAD
	       : r->level == LOG_WARN ? ROLE_WARN
	       : r->level == LOG_INFO ? ROLE_TEXT
				      : ROLE_DIM;
}

static void draw_line(void *arg, size_t start, size_t len)
{
	struct wrapped *w = arg;
	const char *s = w->r->text + start;
	size_t dim = start < w->r->head ? w->r->head - start : 0;
	int x = start ? INDENT + 1 : 1;

	dim = dim < len ? dim : len;
	if (w->y >= 0 && w->y < w->c->h) {
		if (dim)
			x += canvas_textn(w->c, x, w->y,
				w->r->level <= LOG_WARN ? role_of(w->r) : ROLE_DIM, s, dim);
		canvas_textn(w->c, x, w->y, role_of(w->r), s + dim, len - dim);
		if (w->here && !start)
			canvas_char(w->c, 0, w->y, ROLE_ACCENT, '>');
	}
	w->y++;
}

static void draw_rows(const struct log_panel *p, struct canvas *c)
{
	int width = c->w - INDENT - 1 > 4 ? c->w - INDENT - 1 : 4, y = c->h;
	uint64_t i = p->at + 1;

	/* Few lines begin at the top. */
	while (i > first(p) && y > 0) {
		i--;
		if (matches(p, i))
			y -= (int)count_lines(row_at(p, i), width);
	}
	y = y > 0 ? 0 : y;
	for (; i < p->n && y < c->h; i++) {
		struct wrapped w = { c, y, row_at(p, i), !p->follow && i == p->at };

		if (!matches(p, i))
			continue;
		canvas_wrap(w.r->text, strlen(w.r->text), width, draw_line, &w);
		y = w.y;
	}
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct log_panel *p = self;
	bool any = false;

	(void)focus;
	for (uint64_t i = first(p); i < p->n && !any; i++)
		any = matches(p, i);
	if (!p->n)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "nothing was logged yet");
	else if (!any)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no line has that (Esc clears the filter)");
	else
		draw_rows(p, c);
}

static const char *note(const void *self)
{
	struct log_panel *p = (struct log_panel *)(uintptr_t)self;

	if (p->follow)
		return "follows";
	snprintf(p->note, sizeof p->note, "held, %llu new  F follows",
		(unsigned long long)p->unread);
	return p->note;
}

static char *copy(const void *self)
{
	const struct log_panel *p = self;

	return p->n ? xstrdup(row_at(p, p->at)->text) : NULL;
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	(void)x, (void)y, (void)w, (void)h;
	for (int i = 0; i < 3 && (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN); i++)
		move(self, button == MOUSE_WHEEL_UP ? "up" : "down");
	return "";
}

const struct panel_class panel_log = {
	.name = "log",
	.title = "Log",
	.min_w = 30,
	.min_h = 3,
	.events = 1u << EV_LOG,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.copy = copy,
	.draw = draw,
	.note = note,
};
