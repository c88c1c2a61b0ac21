/* entry.c - see entry.h. */
#include "app/panel/entry.h"

#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"

static void add_line(void *arg, size_t at, size_t len)
{
	struct entry *l = arg;

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->line = xrealloc(l->line, l->cap * sizeof *l->line);
	}
	l->line[l->n++] = (struct entry_line){ at, len };
}

static int indent(int w)
{
	return w < 10 ? 0 : 2;
}

void entry_wrap(const struct editor *e, int w, struct entry *l)
{
	*l = (struct entry){ 0 };
	if (e->n)
		canvas_wrap(e->text, e->n, w - indent(w), add_line, l);
	if (!e->n || e->text[e->n - 1] == '\n') /* an empty line is a place to type, too */
		add_line(l, e->n, 0);
}

void entry_release(struct entry *l)
{
	xfree(l->line);
	*l = (struct entry){ 0 };
}

void entry_draw(const struct editor *e, struct canvas *c, int y, int rows, const struct entry *l,
	struct entry_look look)
{
	enum role r = look.away || !look.focus ? ROLE_DIM : ROLE_TEXT;
	int x0 = indent(c->w), x;
	size_t row = 0, first;

	while (row + 1 < l->n && l->line[row + 1].at <= e->at)
		row++;
	first = row + 1 > (size_t)rows ? row + 1 - (size_t)rows : 0;
	if (x0 && !first)
		canvas_text(c, 0, y, look.away ? ROLE_DIM : ROLE_ACCENT, look.prompt);
	if (!e->n && look.away)
		canvas_text(c, x0, y, ROLE_DIM,
			look.focus ? "i or Enter: write" : "Tab to this panel, then i: write");
	for (size_t i = first; i < l->n && i < first + (size_t)rows && e->n; i++)
		canvas_textn(
			c, x0, y + (int)(i - first), r, e->text + l->line[i].at, l->line[i].len);
	if (!look.focus || look.away)
		return;
	/* At a break the cursor is behind the blank that is not drawn. */
	x = x0;
	if (e->n)
		x += panel_columns(e->text + l->line[row].at, e->at - l->line[row].at);
	canvas_cursor(c, x < c->w ? x : c->w - 1, y + (int)(row - first), true);
}

struct entry_rows entry_share(int h, size_t lines, int parts)
{
	struct entry_rows r = { 0 };
	int most = h / parts > 1 ? h / parts : 1;

	if (h < 1)
		return r;
	r.input = lines > (size_t)most ? most : (int)lines;
	r.state = h - r.input >= 2;
	r.above = h - r.input - r.state;
	return r;
}

bool entry_command(struct editor *e, bool *away, const char *word)
{
	bool was_away = *away;

	if (!strcmp(word, "back")) {
		*away = true;
		return !was_away;
	}
	if (!strcmp(word, "newline"))
		editor_insert(e, "\n", 1);
	else if (strcmp(word, "write") && (strcmp(word, "open") || !was_away))
		return false;
	*away = false;
	return true;
}
