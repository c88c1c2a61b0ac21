/* screens - which screen is shown, and who has the focus. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"

/* ---- panels */

long panel_find(const struct tui *t, const char *name)
{
	for (size_t i = 0; i < t->n_panels; i++)
		if (!strcmp(t->class[i] -> name, name))
			return (long)i;
	return -1;
}

static bool holds(const struct tui *t, const struct arr_rows *rows, size_t panel)
{
	for (int i = 0; i < rows->n; i++)
		for (int k = 0; k < rows->row[i].n; k++)
			if (panel_find(t, rows->row[i].panel[k].name) == (long)panel)
				return true;
	return false;
}

bool panel_on_screen(const struct tui *t, size_t panel)
{
	const struct arrangement *a = &t->place[t->at].arr;

	return holds(t, &a->wide, panel) || holds(t, &a->narrow, panel);
}

/* ---- where we are */

const char *screen_name(const struct tui *t, size_t place)
{
	const struct arrangement *a = &t->place[place].arr;
	const char *name = t->screen_name[a->key - '0'];

	return *name ? name : a->name;
}

const char *screen_title(const char *name, char out[ARR_NAME])
{
	snprintf(out, ARR_NAME, "%s", name);
	out[0] = (char)toupper((unsigned char)out[0]);
	return out;
}

bool screen_go(struct tui *t, const char *which)
{
	for (size_t i = 0; i < t->n_places; i++)
		if (!strcmp(screen_name(t, i), which) ||
			(which[0] == t->place[i].arr.key && !which[1])) {
			t->at = i;
			t->zoom = false;
			t->dirty = true;
			return true;
		}
	return screen_choose(t, which);
}

long focus_now(const struct tui *t)
{
	const struct place *p;

	if (!t->n_places)
		return -1;
	p = &t->place[t->at];
	if (p->focus >= 0 && panel_on_screen(t, (size_t)p->focus))
		return p->focus;
	for (int i = 0; i < p->arr.wide.n; i++)
		for (int k = 0; k < p->arr.wide.row[i].n; k++) {
			long at = panel_find(t, p->arr.wide.row[i].panel[k].name);

			if (at >= 0)
				return at;
		}
	return -1;
}

bool focus_on(struct tui *t, long panel)
{
	if (panel < 0 || !t->n_places || !panel_on_screen(t, (size_t)panel))
		return false;
	t->place[t->at].focus = panel;
	t->place[t->at].back = -1;
	t->dirty = true;
	return true;
}

/* The panels one steps through: those one sees, or all when only one is seen. */
static size_t steps(const struct tui *t, long out[ARR_RECTS])
{
	const struct arr_rows *rows = &t->place[t->at].arr.wide;
	size_t n = 0;

	if (t->n_shown > 1) {
		for (size_t i = 0; i < t->n_shown; i++)
			out[n++] = (long)t->shown[i].panel;
		return n;
	}
	for (int i = 0; i < rows->n; i++)
		for (int k = 0; k < rows->row[i].n; k++)
			if ((out[n] = panel_find(t, rows->row[i].panel[k].name)) >= 0)
				n++;
	return n;
}

void focus_step(struct tui *t, int step)
{
	long list[ARR_RECTS], now = focus_now(t);
	size_t n, at = 0;

	if (!t->n_places || !(n = steps(t, list)))
		return;
	while (at < n && list[at] != now)
		at++;
	if (at == n)
		at = step > 0 ? n - 1 : 0;
	focus_on(t, list[(at + n + (size_t)(step > 0 ? 1 : n - 1)) % n]);
}

bool focus_takes_text(const struct tui *t)
{
	long at = focus_now(t);

	return at >= 0 && t->class[at]->on_text && t->class[at]->wants_text &&
	       t->class[at]->wants_text(t->panel[at]);
}

void tell_cursor(struct tui *t)
{
	for (size_t i = 0; i < t->n_panels; i++) {
		int64_t at = t->class[i]->cursor ? t->class[i]->cursor(t->panel[i]) : -1;

		if (at < 0 || (size_t)at == t->cursor)
			continue;
		t->cursor = (size_t)at;
		bus_publish(t->bus, (struct event){ .kind = EV_CURSOR, .n = at });
	}
}

static bool ask(struct tui *t, size_t panel, const char *word, const char *arg)
{
	return t->class[panel]->on_command &&
	       t->class[panel]->on_command(t->panel[panel], word, arg);
}

bool panels_command(struct tui *t, const char *word, const char *arg)
{
	long focus = focus_now(t);
	bool taken = focus >= 0 && ask(t, (size_t)focus, word, arg);

	t->dirty = true;
	for (size_t i = 0; i < t->n_panels && !taken; i++)
		if ((long)i != focus && t->n_places && panel_on_screen(t, i))
			taken = ask(t, i, word, arg);
	tell_cursor(t);
	return taken;
}
