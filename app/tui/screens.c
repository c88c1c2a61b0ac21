/* screens - which arrangements there are, which one is shown, and who has the focus. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/arrangement.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

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

/* ---- loading */

static void put_arrangement(struct tui *t, const struct arrangement *a)
{
	size_t at = 0;

	/* In the order of their keys; one a key. */
	while (at < t->n_places && t->place[at].arr.key < a->key)
		at++;
	if (at == t->n_places || t->place[at].arr.key != a->key) {
		if (t->n_places == SCREENS)
			return;
		memmove(&t->place[at + 1], &t->place[at], (t->n_places - at) * sizeof t->place[0]);
		t->n_places++;
		t->place[at].focus = -1;
	}
	t->place[at].arr = *a;
	t->place[at].back = -1;
}

static void check_panels(struct tui *t, const struct arrangement *a)
{
	const struct arr_rows *rows[] = { &a->wide, &a->narrow };

	for (int r = 0; r < 2; r++)
		for (int i = 0; i < rows[r]->n; i++)
			for (int k = 0; k < rows[r]->row[i].n; k++)
				if (panel_find(t, rows[r]->row[i].panel[k].name) < 0)
					tui_notice(t, LOG_WARN,
						"arrangement %s: there is no panel \"%s\"; it is "
						"left out",
						a->name, rows[r]->row[i].panel[k].name);
}

/* The folders in which a file of that name is looked for, first wins. */
static char *search_path(int at, const char *name)
{
	char *config, *path;

	switch (at) {
	case 0:
		config = fs_place(FS_CONFIG);
		path = xprintf("%s/layouts/%s.lua", config, name);
		xfree(config);
		return path;
	case 1:
		return xprintf("%s/layouts/%s.lua", BD_SHARE, name);
	default:
		return NULL;
	}
}

/* A broken file is a notice; the next place is tried. */
static bool load_named(struct tui *t, const char *name, struct arrangement *a)
{
	for (int at = 0;; at++) {
		char *path = search_path(at, name);
		struct err e = { 0 };
		bool ok = false;

		if (!path)
			return false;
		if (fs_is_file(path)) {
			ok = !arrangement_load(a, path, &e);
			if (!ok)
				tui_notice(t, LOG_ERROR, "%s; the built-in one is used", e.msg);
		}
		xfree(path);
		if (ok)
			return true;
	}
}

void screens_load(struct tui *t)
{
	struct arrangement a;
	struct err e;

	for (size_t i = 0; screen_builtin[i]; i++) {
		const char *name = screen_builtin_name[i];

		if (load_named(t, name, &a)) {
			check_panels(t, &a);
			put_arrangement(t, &a);
		} else if (!arrangement_parse(
				   &a, name, screen_builtin[i], strlen(screen_builtin[i]), &e)) {
			put_arrangement(t, &a);
		} else {
			tui_notice(t, LOG_ERROR, "%s", e.msg);
		}
	}
	if (t->o->arrange && screen_arrange(t, t->o->arrange, &e))
		tui_notice(t, LOG_ERROR, "%s; the built-in one is used", e.msg);
}

enum st screen_arrange(struct tui *t, const char *name, struct err *e)
{
	struct arrangement a;
	enum st st;

	if (!strcmp(name, "reload")) {
		char key = t->place[t->at].arr.key;

		screens_load(t);
		screen_go(t, (char[]){ key, 0 });
		tui_notice(t, LOG_INFO, "arrangements read again");
		return ST_OK;
	}
	if (strchr(name, '/') || strchr(name, '.')) {
		st = arrangement_load(&a, name, e);
		if (st)
			return st;
	} else if (!load_named(t, name, &a)) {
		size_t i = 0;

		while (screen_builtin[i] && strcmp(screen_builtin_name[i], name))
			i++;
		if (!screen_builtin[i])
			return err_set(e, ST_INVALID, "arrange: no arrangement \"%s\"", name);
		st = arrangement_parse(&a, name, screen_builtin[i], strlen(screen_builtin[i]), e);
		if (st)
			return st;
	}
	check_panels(t, &a);
	put_arrangement(t, &a);
	screen_go(t, (char[]){ a.key, 0 });
	return ST_OK;
}

/* ---- where we are */

const char *screen_title(const struct arrangement *a, char out[ARR_NAME])
{
	snprintf(out, ARR_NAME, "%s", a->name);
	out[0] = (char)toupper((unsigned char)out[0]);
	return out;
}

bool screen_go(struct tui *t, const char *which)
{
	for (size_t i = 0; i < t->n_places; i++) {
		const struct arrangement *a = &t->place[i].arr;

		if (!strcmp(a->name, which) || (which[0] == a->key && !which[1])) {
			t->at = i;
			t->zoom = false;
			t->dirty = true;
			return true;
		}
	}
	return false;
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
