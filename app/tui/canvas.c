/* canvas - cells, clipping, text, boxes and wrapping. */
#include "app/tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

#define RIGHT_HALF UINT32_MAX

struct surface *surface_new(int w, int h)
{
	struct surface *s = xalloc(sizeof *s);

	s->w = w < 0 ? 0 : w;
	s->h = h < 0 ? 0 : h;
	/* One cell more, so that an empty screen has an address, too. */
	s->cell = xarray((size_t)s->w * (size_t)s->h + 1, sizeof *s->cell);
	s->cursor_x = s->cursor_y = -1;
	return s;
}

void surface_free(struct surface *s)
{
	if (!s)
		return;
	xfree(s->cell);
	xfree(s);
}

void surface_clear(struct surface *s)
{
	memset(s->cell, 0, (size_t)s->w * (size_t)s->h * sizeof *s->cell);
	s->cursor_x = s->cursor_y = -1;
	s->cursor_on = false;
}

struct canvas canvas_of(struct surface *s)
{
	return (struct canvas){ .s = s, .w = s->w, .h = s->h };
}

struct canvas canvas_sub(const struct canvas *c, int x, int y, int w, int h)
{
	struct canvas sub = { .s = c->s };

	if (x < 0) {
		w += x;
		x = 0;
	}
	if (y < 0) {
		h += y;
		y = 0;
	}
	if (w > c->w - x)
		w = c->w - x;
	if (h > c->h - y)
		h = c->h - y;
	sub.x = c->x + x;
	sub.y = c->y + y;
	sub.w = w < 0 ? 0 : w;
	sub.h = h < 0 ? 0 : h;
	return sub;
}

/* Writing over one half of a wide character blanks the other. */
static void heal(struct surface *s, int x, int y)
{
	struct cell *c = &s->cell[y * s->w + x];

	if (c->ch[0] == RIGHT_HALF && x > 0)
		memset(c[-1].ch, 0, sizeof c[-1].ch);
	if (x + 1 < s->w && c[1].ch[0] == RIGHT_HALF)
		memset(c[1].ch, 0, sizeof c[1].ch);
}

/* x, y: of the canvas; a wide one that does not fit is a blank. */
static void put(struct canvas *c, int x, int y, enum role r, const uint32_t ch[3], int width)
{
	struct cell *to;

	if (y < 0 || y >= c->h || x >= c->w || x + width <= 0)
		return;
	if (width == 2 && (x < 0 || x + 1 >= c->w)) {
		static const uint32_t blank[3] = { ' ' };

		put(c, x < 0 ? 0 : x, y, r, blank, 1);
		return;
	}
	to = &c->s->cell[(c->y + y) * c->s->w + c->x + x];
	heal(c->s, c->x + x, c->y + y);
	memcpy(to->ch, ch, sizeof to->ch);
	to->role = (uint8_t)r;
	if (width == 2) {
		heal(c->s, c->x + x + 1, c->y + y);
		to[1] = (struct cell){ .ch = { RIGHT_HALF }, .role = (uint8_t)r };
	}
}

int canvas_textn(struct canvas *c, int x, int y, enum role r, const char *s, size_t n)
{
	struct text_cell cell;
	size_t at = 0;
	int from = x;

	while (x < c->w && text_next(s, n, &at, &cell)) {
		if (cell.ch[0] == '\n')
			break;
		if (cell.ch[0] == '\t') { /* stops every eight columns from where the text began */
			static const uint32_t blank[3] = { ' ' };

			do
				put(c, x++, y, r, blank, 1);
			while ((x - from) % 8);
			continue;
		}
		put(c, x, y, r, cell.ch, cell.width);
		x += cell.width;
	}
	return x - from;
}

int canvas_text(struct canvas *c, int x, int y, enum role r, const char *utf8)
{
	return canvas_textn(c, x, y, r, utf8, strlen(utf8));
}

int canvas_printf(struct canvas *c, int x, int y, enum role r, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return canvas_text(c, x, y, r, buf);
}

int canvas_right(struct canvas *c, int right, int y, enum role r, const char *utf8)
{
	return canvas_text(c, right - text_width(utf8, strlen(utf8)), y, r, utf8);
}

void canvas_char(struct canvas *c, int x, int y, enum role r, uint32_t ch)
{
	char utf8[4];

	canvas_textn(c, x, y, r, utf8, utf8_encode(ch, utf8));
}

void canvas_fill(struct canvas *c, int x, int y, int w, int h, enum role r, uint32_t ch)
{
	struct canvas in = canvas_sub(c, x, y, w, h);
	const uint32_t cell[3] = { ch };

	for (int j = 0; j < in.h; j++)
		for (int i = 0; i < in.w; i++)
			put(&in, i, j, r, cell, 1);
}

static void box_titles(
	struct canvas *c, enum role r, bool focus, const char *title, const char *note)
{
	int room = c->w - 4, used = 0;

	if (title && *title && room > 2) {
		struct canvas in = canvas_sub(c, 2, 0, room, 1);

		canvas_char(&in, 0, 0, r, ' ');
		used = 1 + canvas_text(&in, 1, 0, focus ? ROLE_STRONG : ROLE_TEXT, title);
		if (used < room)
			canvas_char(&in, used++, 0, r, ' ');
	}
	if (note && *note) {
		int w = text_width(note, strlen(note)) + 2;

		if (w <= room - used) {
			struct canvas in = canvas_sub(c, c->w - 2 - w, 0, w, 1);

			canvas_char(&in, 0, 0, r, ' ');
			canvas_text(&in, 1, 0, ROLE_DIM, note);
			canvas_char(&in, w - 1, 0, r, ' ');
		}
	}
}

void canvas_box(struct canvas *c, bool focus, const char *title, const char *note)
{
	static const uint32_t glyph[2][6] = {
		{ 0x250c, 0x2510, 0x2514, 0x2518, 0x2500, 0x2502 }, /* ┌ ┐ └ ┘ ─ │ */
		{ 0x250f, 0x2513, 0x2517, 0x251b, 0x2501, 0x2503 }, /* ┏ ┓ ┗ ┛ ━ ┃ */
	};
	const uint32_t *g = glyph[focus];
	enum role r = focus ? ROLE_BORDER_FOCUS : ROLE_BORDER;

	if (c->w < 1 || c->h < 1)
		return;
	canvas_fill(c, 0, 0, c->w, 1, r, g[4]);
	if (c->h > 1) {
		canvas_fill(c, 0, c->h - 1, c->w, 1, r, g[4]);
		canvas_fill(c, 0, 0, 1, c->h, r, g[5]);
		canvas_fill(c, c->w - 1, 0, 1, c->h, r, g[5]);
		canvas_char(c, 0, 0, r, g[0]);
		canvas_char(c, 0, c->h - 1, r, g[2]);
		canvas_char(c, c->w - 1, 0, r, g[1]);
		canvas_char(c, c->w - 1, c->h - 1, r, g[3]);
	}
	box_titles(c, r, focus, title, note);
}

void canvas_cursor(struct canvas *c, int x, int y, bool visible)
{
	if (x < 0 || x >= c->w || y < 0 || y >= c->h)
		return;
	c->s->cursor_x = c->x + x;
	c->s->cursor_y = c->y + y;
	c->s->cursor_on = visible;
}

/* One line: where it ends (exclusive) and where the next begins.  A line breaks at the
 * last blanks that follow a word, so that indentation stays; a longer word is cut. */
static void wrap_line(const char *s, size_t n, size_t at, int width, size_t *end, size_t *next)
{
	size_t word_end = 0, blank_next = 0;
	struct text_cell cell;
	bool word = false, in_word = false;
	int x = 0;

	for (size_t to = at; text_next(s, n, &to, &cell); at = to) {
		bool blank = cell.ch[0] == ' ' || cell.ch[0] == '\t';
		int w = cell.ch[0] == '\t' ? 8 - x % 8 : cell.width;

		if (cell.ch[0] == '\n') {
			*end = at;
			*next = to;
			return;
		}
		if (blank && in_word)
			word_end = at;
		if (x + w > width && x > 0) {
			*next = blank && word ? to : blank_next ? blank_next : at;
			*end = (blank && word) || blank_next ? word_end : at;
			return;
		}
		if (blank && word)
			blank_next = to;
		in_word = !blank;
		word |= in_word;
		x += w;
	}
	*end = *next = n;
}

size_t canvas_wrap(const char *s, size_t n, int width,
	void (*line)(void *arg, size_t start, size_t len), void *arg)
{
	size_t lines = 0;

	if (width < 1)
		width = 1;
	for (size_t at = 0; at < n; lines++) {
		size_t end, next;

		wrap_line(s, n, at, width, &end, &next);
		if (line)
			line(arg, at, end - at);
		at = next > at ? next : n;
	}
	return lines;
}
