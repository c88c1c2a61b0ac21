/* overlay - what lies above the panels: lists, the bottom line, its candidates. */
#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/text.h"

static size_t matching(const struct list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += list_line_matches(l, &l->line[i]);
	return n;
}

void overlay_draw(struct tui *t, struct canvas *c)
{
	struct list *l = &t->list;
	int h = c->h - 3 > 2 ? c->h - 3 : c->h - 1, y = c->h - h > 2, row = 0;
	struct canvas box = canvas_sub(c, 0, y, c->w, h), in;
	size_t n, skip;
	char note[96] = "";

	if (!l->open || h < 1)
		return;
	canvas_fill(&box, 0, 0, box.w, box.h, ROLE_TEXT, ' ');
	in = box;
	n = matching(l);
	if (box.w >= 4 && box.h >= 3) {
		if (l->filter[0])
			snprintf(note, sizeof note, "/%s%s", l->filter, n ? "" : "  no match");
		canvas_box(&box, true, l->title, note);
		in = canvas_sub(&box, 1, 1, box.w - 2, box.h - 2);
	}
	if (l->on_key && in.h > 0) { /* the chosen one is seen */
		if (l->at < l->top)
			l->top = l->at;
		if (l->at >= l->top + (size_t)in.h)
			l->top = l->at - (size_t)in.h + 1;
	}
	/* The last page stays full. */
	if (l->top + (size_t)in.h > n)
		l->top = n > (size_t)in.h ? n - (size_t)in.h : 0;
	skip = l->top;
	for (size_t i = 0; i < l->n && row < in.h; i++) {
		if (!list_line_matches(l, &l->line[i]))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		if (l->on_key && i == l->at)
			canvas_fill(&in, 0, row, in.w, 1, ROLE_SEL, ' ');
		canvas_text(&in, 1, row++, l->on_key && i == l->at ? ROLE_SEL : l->line[i].role,
			l->line[i].text);
	}
	if (n > l->top + (size_t)row && box.h >= 3) {
		snprintf(note, sizeof note, " %zu more ", n - l->top - (size_t)row);
		canvas_right(&box, box.w - 2, box.h - 1, ROLE_DIM, note);
	}
	canvas_cursor(&in, 0, 0, false);
}

/* Candidates above the line, the best at the top. */
static void draw_candidates(const struct tui *t, struct canvas *c)
{
	const struct prompt *p = &t->prompt;
	int room = c->h - 3, n = (int)p->list.n, top = 0, w = 0;
	struct canvas box;

	if (room > 10)
		room = 10;
	if (n < 1 || room < 1)
		return;
	if (p->chosen >= room)
		top = p->chosen - room + 1;
	if (n > room)
		n = room;
	for (size_t i = 0; i < p->list.n; i++) {
		int len = text_width(p->list.item[i].text, strlen(p->list.item[i].text));

		w = len > w ? len : w;
	}
	box = canvas_sub(c, 0, c->h - 1 - n, c->w, n);
	canvas_fill(&box, 0, 0, box.w, box.h, ROLE_TEXT, ' ');
	for (int i = 0; i < n; i++) {
		bool chosen = top + i == p->chosen;

		if (chosen)
			canvas_fill(&box, 0, i, box.w, 1, ROLE_SEL, ' ');
		canvas_text(
			&box, 1, i, chosen ? ROLE_SEL : ROLE_ACCENT, p->list.item[top + i].text);
		canvas_text(
			&box, w + 3, i, chosen ? ROLE_SEL : ROLE_DIM, p->list.item[top + i].help);
	}
}

static void draw_prompt(struct tui *t, struct canvas *line)
{
	const struct prompt *p = &t->prompt;
	int before = text_width(p->text, p->at), x = 1;

	if (p->searching)
		x = canvas_printf(line, 0, 0, ROLE_ACCENT, "(search %s) ", p->query);
	else
		canvas_char(line, 0, 0, ROLE_ACCENT, p->kind == PROMPT_FILTER ? '/' : ':');
	/* A long line moves so that the cursor is seen. */
	if (x + before >= line->w)
		x = line->w - 1 - before;
	if (x < 1) {
		struct canvas in = canvas_sub(line, 1, 0, line->w - 1, 1);

		canvas_text(&in, x - 1, 0, ROLE_TEXT, p->text);
	} else {
		canvas_text(line, x, 0, ROLE_TEXT, p->text);
	}
	canvas_cursor(line, x + before, 0, true);
}

void overlay_prompt(struct tui *t, struct canvas *c)
{
	struct canvas line = canvas_sub(c, 0, c->h - 1, c->w, 1);

	if (t->question) {
		canvas_fill(&line, 0, 0, line.w, 1, ROLE_SEL, ' ');
		canvas_text(&line, 0, 0, ROLE_SEL,
			t->n_jobs ? "quit while something runs? y: yes, any other key: no"
				  : "quit? y: yes, any other key: no");
		canvas_cursor(&line, 0, 0, true);
		return;
	}
	if (t->prompt.kind) {
		if (t->prompt.kind == PROMPT_COMMAND)
			draw_candidates(t, c);
		draw_prompt(t, &line);
		return;
	}
	if (t->filtering)
		canvas_printf(&line, 0, 0, ROLE_ACCENT, "/%s  (Esc clears it)", t->filter);
	else
		canvas_text(&line, 0, 0, ROLE_DIM, ":");
}
