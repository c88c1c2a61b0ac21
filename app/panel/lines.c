/* lines.c - a ring of cleaned lines, drawn from the end upwards. */
#include "app/panel/lines.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

struct line {
	char *text;
	size_t n, hides; /* hides: folded lines that follow */
	enum role role;
	bool folded;
};

struct lines {
	struct line *line; /* [LINES_MAX], a ring */
	size_t first, n, bytes;
	size_t up; /* rows between the last line and the last row seen */
	int h;     /* drawn last */
	bool unfolded;
};

struct lines *lines_new(void)
{
	struct lines *l = xalloc(sizeof *l);

	l->line = xarray(LINES_MAX, sizeof *l->line);
	return l;
}

static struct line *at(const struct lines *l, size_t i)
{
	return &l->line[(l->first + i) % LINES_MAX];
}

static void drop_first(struct lines *l)
{
	l->bytes -= at(l, 0)->n;
	xfree(at(l, 0)->text);
	l->first = (l->first + 1) % LINES_MAX;
	l->n--;
}

void lines_clear(struct lines *l)
{
	while (l->n)
		drop_first(l);
	l->up = 0;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	lines_clear(l);
	xfree(l->line);
	xfree(l);
}

bool lines_empty(const struct lines *l)
{
	return !l->n;
}

static void add_one(struct lines *l, const char *before, const char *s, size_t n, struct line line)
{
	size_t head = strlen(before), cap;
	bool cut = n > LINE_BYTES;

	if (cut)
		n = LINE_BYTES - utf8_partial_tail(s, LINE_BYTES);
	cap = head + 3 * n + sizeof "…"; /* a bad byte becomes U+FFFD */
	line.text = xalloc(cap);
	memcpy(line.text, before, head);
	line.n = head + text_clean(line.text + head, cap - head, s, n, false);
	if (cut)
		line.n += (size_t)snprintf(line.text + line.n, cap - line.n, "…");
	line.text = xrealloc(line.text, line.n + 1);
	while (l->n == LINES_MAX || (l->n && l->bytes + line.n > LINES_BYTES))
		drop_first(l);
	*at(l, l->n++) = line;
	l->bytes += line.n;
}

void lines_add(struct lines *l, const char *text, struct line_look look)
{
	size_t n, hides = 0;

	for (const char *s = text; look.fold && (s = strchr(s, '\n')) != NULL && s[1]; s++)
		hides++;
	for (const char *s = text;; s += n + 1) {
		struct line line = { .role = look.role };

		n = strcspn(s, "\n");
		line.hides = s == text ? hides : 0;
		line.folded = look.fold && s > text;
		add_one(l, s == text ? look.first : look.rest, s, n, line);
		if (!s[n] || !s[n + 1]) /* a line feed at the end ends the line */
			return;
	}
}

bool lines_unfold(struct lines *l)
{
	bool any = false;

	for (size_t i = 0; i < l->n && !any; i++)
		any = at(l, i)->hides;
	if (any)
		l->unfolded = !l->unfolded;
	return any;
}

/* ---- scrolling */

void lines_scroll(struct lines *l, long rows)
{
	if (rows < 0)
		l->up += (size_t)-rows;
	else
		l->up -= (size_t)rows < l->up ? (size_t)rows : l->up;
}

void lines_page(struct lines *l, long pages)
{
	lines_scroll(l, pages * (l->h > 2 ? l->h - 1 : 1));
}

void lines_first(struct lines *l)
{
	l->up = SIZE_MAX / 4;
}

void lines_last(struct lines *l)
{
	l->up = 0;
}

size_t lines_below(const struct lines *l)
{
	return l->up;
}

/* ---- drawing */

static size_t rows_of(const struct lines *l, const struct line *line, int w)
{
	size_t n;

	if (line->folded && !l->unfolded)
		return 0;
	n = canvas_wrap(line->text, line->n, w, NULL, NULL);
	return n ? n : 1;
}

struct rows {
	struct canvas *c;
	const struct line *line;
	long y; /* of the next row; may be above the canvas */
};

static void draw_row(void *arg, size_t from, size_t len)
{
	struct rows *r = arg;

	if (r->y >= 0 && r->y < r->c->h)
		canvas_textn(r->c, 0, (int)r->y, r->line->role, r->line->text + from, len);
	r->y++;
}

/* Behind the first line of what is folded: how much is hidden. */
static void draw_hides(const struct lines *l, struct rows *r)
{
	char more[64];
	long y = r->y - 1;
	int w;

	if (!r->line->hides || l->unfolded || y < 0 || y >= r->c->h)
		return;
	w = snprintf(more, sizeof more, " [%zu more: t] ", r->line->hides);
	if (r->c->w >= 2 * w)
		canvas_right(r->c, r->c->w, (int)y, ROLE_DIM, more);
}

void lines_draw(struct lines *l, struct canvas *c)
{
	size_t rows = 0, i = l->n, h = c->h > 0 ? (size_t)c->h : 0;
	struct rows r = { .c = c };

	l->h = c->h;
	if (!h || c->w < 1)
		return;
	while (i && rows < l->up + h)
		rows += rows_of(l, at(l, --i), c->w);
	if (rows < l->up + h)
		l->up = rows > h ? rows - h : 0;
	r.y = rows > l->up + h ? -(long)(rows - l->up - h) : 0;
	for (; i < l->n && r.y < c->h; i++) {
		r.line = at(l, i);
		if (!rows_of(l, r.line, c->w))
			continue;
		if (!canvas_wrap(r.line->text, r.line->n, c->w, draw_row, &r))
			r.y++;
		draw_hides(l, &r);
	}
}

char *lines_copy(const struct lines *l, enum role role)
{
	size_t end = l->n, from, bytes = 0;
	char *out, *to;

	while (end && at(l, end - 1)->role != role)
		end--;
	for (from = end; from && at(l, from - 1)->role == role; from--)
		bytes += at(l, from - 1)->n + 1;
	if (from == end)
		return NULL;
	to = out = xalloc(bytes + 1);
	for (; from < end; from++) {
		to = mempcpy(to, at(l, from)->text, at(l, from)->n);
		*to++ = from + 1 < end ? '\n' : 0;
	}
	return out;
}
