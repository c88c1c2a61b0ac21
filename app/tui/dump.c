/* dump - a surface as text, with or without colours, in UTF-8 or ASCII. */
#include <stdio.h>
#include <string.h>

#include "app/tui/canvas.h"
#include "app/tui/theme.h"
#include "core/base/buf.h"
#include "core/base/text.h"

static bool blank(const struct cell *c)
{
	return !c->ch[0] || c->ch[0] == ' ';
}

static void add_cell(struct buf *o, const struct cell *c, bool ascii)
{
	char utf8[4];

	if (ascii) {
		utf8[0] = c->ch[0] == UINT32_MAX || !c->ch[0] ? ' ' : glyph_ascii(c->ch[0]);
		buf_put(o, utf8, 1);
		return;
	}
	if (c->ch[0] == UINT32_MAX)
		return;
	if (!c->ch[0])
		buf_put(o, " ", 1);
	for (int i = 0; i < 3 && c->ch[i]; i++)
		buf_put(o, utf8, utf8_encode(c->ch[i], utf8));
}

static bool style_equal(struct style a, struct style b)
{
	return a.fg == b.fg && a.bg == b.bg && a.attr == b.attr;
}

static void add_color(struct buf *o, int color, int base)
{
	char buf[24];
	int n;

	if (color < 0)
		return;
	if (color < 8)
		n = snprintf(buf, sizeof buf, ";%d", base + color);
	else if (color < 16)
		n = snprintf(buf, sizeof buf, ";%d", base + 60 + color - 8);
	else
		n = snprintf(buf, sizeof buf, ";%d;5;%d", base + 8, color);
	buf_put(o, buf, (size_t)n);
}

static void add_style(struct buf *o, struct style s)
{
	buf_put(o, "\033[0", 3);
	if (s.attr & ATTR_BOLD)
		buf_put(o, ";1", 2);
	if (s.attr & ATTR_DIM)
		buf_put(o, ";2", 2);
	if (s.attr & ATTR_UNDERLINE)
		buf_put(o, ";4", 2);
	if (s.attr & ATTR_REVERSE)
		buf_put(o, ";7", 2);
	add_color(o, s.fg, 30);
	add_color(o, s.bg, 40);
	buf_put(o, "m", 1);
}

static char *dump(const struct surface *s, bool ascii, const struct theme *t)
{
	static const struct style plain = { -1, -1, 0 };
	struct buf o = { 0 };

	buf_put(&o, "", 0);
	for (int y = 0; y < s->h; y++) {
		const struct cell *row = &s->cell[y * s->w];
		struct style now = plain;
		int end = s->w;

		/* A reversed blank is something to see. */
		while (end && blank(&row[end - 1]) &&
			(!t || style_equal(theme_style(t, row[end - 1].role, ' '), plain) ||
				!row[end - 1].ch[0]))
			end--;
		for (int x = 0; x < end; x++) {
			struct style want = plain;

			if (t && row[x].ch[0])
				want = row[x].ch[0] == UINT32_MAX
					       ? now
					       : theme_style(t, row[x].role, row[x].ch[0]);
			if (!style_equal(want, now))
				add_style(&o, want);
			now = want;
			add_cell(&o, &row[x], ascii);
		}
		if (!style_equal(now, plain))
			buf_put(&o, "\033[0m", 4);
		buf_put(&o, "\n", 1);
	}
	return o.s;
}

char *surface_dump(const struct surface *s, bool ascii)
{
	return dump(s, ascii, NULL);
}

char *surface_dump_ansi(const struct surface *s, bool ascii, const struct theme *t)
{
	return dump(s, ascii, t);
}
