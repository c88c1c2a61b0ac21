/* arrangements - which arrangements there are, where they come from, which one a screen has.
 *
 * Looked for in the user's folder, then among those that `arrange save` wrote, then the installed
 * ones; what is compiled in is there in any case.  Nothing is ever written into the user's. */
#include <stdio.h>
#include <string.h>

#include "app/lua/arrangement.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

static int key_of(const struct arrangement *a)
{
	return a->key - '0';
}

static struct choice *choice_find(struct tui *t, const char *name)
{
	for (size_t i = 0; i < t->n_choices; i++)
		if (!strcmp(t->choice[i].arr.name, name))
			return &t->choice[i];
	return NULL;
}

/* In the order of coming; one of the same name is replaced where it stands. */
static void choice_add(struct tui *t, const struct arrangement *a)
{
	struct choice *c = choice_find(t, a->name);

	if (!c && t->n_choices == CHOICES) {
		tui_notice(
			t, LOG_WARN, "more than %d arrangements: %s is left out", CHOICES, a->name);
		return;
	}
	if (!c) {
		c = &t->choice[t->n_choices++];
		c->focus = -1;
	}
	c->arr = *a;
}

/* ---- what a screen shows */

static struct place *place_of(struct tui *t, char key)
{
	for (size_t i = 0; i < t->n_places; i++)
		if (t->place[i].arr.key == key)
			return &t->place[i];
	return NULL;
}

/* In the order of their keys; one a key. */
static struct place *place_new(struct tui *t, char key)
{
	size_t at = 0;

	while (at < t->n_places && t->place[at].arr.key < key)
		at++;
	memmove(&t->place[at + 1], &t->place[at], (t->n_places - at) * sizeof t->place[0]);
	t->n_places++;
	t->place[at] = (struct place){ .focus = -1, .back = -1 };
	return &t->place[at];
}

/* Each arrangement keeps its own focus. */
static void put(struct tui *t, const struct choice *c)
{
	struct place *p = place_of(t, c->arr.key);
	struct choice *old = p ? choice_find(t, p->arr.name) : NULL;

	if (old)
		old->focus = p->focus;
	if (!p)
		p = place_new(t, c->arr.key);
	p->arr = c->arr;
	p->focus = c->focus;
	p->back = -1;
	t->dirty = true;
}

const char *screen_first(const struct tui *t, char key)
{
	for (size_t i = 0; i < t->n_choices; i++)
		if (t->choice[i].arr.key == key)
			return t->choice[i].arr.name;
	return NULL;
}

bool screen_choose(struct tui *t, const char *name)
{
	const struct choice *c = choice_find(t, name);

	if (!c)
		return false;
	put(t, c);
	snprintf(t->arranged[key_of(&c->arr)], ARR_NAME, "%s", c->arr.name);
	t->at = (size_t)(place_of(t, c->arr.key) - t->place);
	t->zoom = false;
	return true;
}

/* ---- loading */

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

enum { FOLDERS = 3 };

/* First wins; xfree. */
static char *folder(const struct tui *t, int at)
{
	char *config, *path;

	if (at == 1)
		return state_path(t, "layouts");
	if (at == 2)
		return fs_share("layouts");
	config = fs_place(FS_CONFIG);
	path = xprintf("%s/layouts", config);
	xfree(config);
	return path;
}

/* A file of a folder goes by its own name, whatever is written in it. */
static enum st load_file(
	struct tui *t, const char *dir, const char *name, struct arrangement *a, struct err *e)
{
	char *path = xprintf("%s/%s.lua", dir, name);
	enum st st = arrangement_load(a, path, e);

	if (!st) {
		if (arrangement_name_ok(name))
			snprintf(a->name, ARR_NAME, "%s", name);
		check_panels(t, a);
	}
	xfree(path);
	return st;
}

/* A broken file is a notice (or, where one asked for it, *why); the next folder is tried. */
static bool load_named(struct tui *t, const char *name, bool is_builtin, struct arrangement *a,
	struct err *why)
{
	bool ok = false;

	for (int at = 0; at < FOLDERS && !ok; at++) {
		char *dir = folder(t, at), *path = xprintf("%s/%s.lua", dir, name);
		struct err e = { 0 };

		if (fs_is_there(path)) {
			ok = !load_file(t, dir, name, a, &e);
			if (!ok && why)
				*why = e;
			else if (!ok)
				tui_notice(t, LOG_ERROR, "%s; %s", e.msg,
					is_builtin ? "the built-in one is used" : "it is left out");
		}
		xfree(path);
		xfree(dir);
	}
	return ok;
}

static bool parse_builtin(size_t i, struct arrangement *a, struct err *e)
{
	const char *text = screen_builtin[i];

	return !arrangement_parse(a, screen_builtin_name[i], text, strlen(text), e);
}

static void load_builtin(struct tui *t)
{
	struct arrangement a;
	struct err e = { 0 };

	for (size_t i = 0; screen_builtin[i]; i++) {
		if (!parse_builtin(i, &a, &e)) {
			tui_notice(t, LOG_ERROR, "%s", e.msg);
			continue;
		}
		/* The first of a key names its screen. */
		if (!t->screen_name[key_of(&a)][0])
			snprintf(t->screen_name[key_of(&a)], ARR_NAME, "%s", a.name);
		(void)load_named(t, screen_builtin_name[i], true, &a, NULL);
		choice_add(t, &a);
	}
}

/* Those that are not like a built-in one. */
static void load_others(struct tui *t)
{
	for (int at = 0; at < FOLDERS; at++) {
		char *dir = folder(t, at), **name;
		size_t n;

		if (fs_is_dir(dir) && !fs_list(dir, &name, &n, NULL)) {
			for (size_t i = 0; i < n; i++) {
				size_t len = strlen(name[i]);
				struct arrangement a;

				if (len > 4 && !strcmp(name[i] + len - 4, ".lua")) {
					name[i][len - 4] = 0;
					if (!choice_find(t, name[i]) &&
						load_named(t, name[i], false, &a, NULL))
						choice_add(t, &a);
				}
				xfree(name[i]);
			}
			xfree(name);
		}
		xfree(dir);
	}
}

/* On each screen the one used last, else the first that there is. */
static void put_all(struct tui *t)
{
	for (char key = '1'; key <= '9'; key++) {
		struct choice *c = choice_find(t, t->arranged[key - '0']);

		for (size_t i = 0; i < t->n_choices && (!c || c->arr.key != key); i++)
			if (t->choice[i].arr.key == key)
				c = &t->choice[i];
		if (c && c->arr.key == key)
			put(t, c);
	}
}

void screens_load(struct tui *t)
{
	struct err e;

	t->n_choices = t->n_places = 0;
	load_builtin(t);
	load_others(t);
	put_all(t);
	if (t->o->arrange && screen_arrange(t, t->o->arrange, &e))
		tui_notice(t, LOG_ERROR, "%s; the built-in one is used", e.msg);
}

/* ---- the command */

static void reload(struct tui *t)
{
	char key[2] = { t->place[t->at].arr.key, 0 };

	t->n_choices = t->n_places = t->at = 0;
	load_builtin(t);
	load_others(t);
	put_all(t);
	screen_go(t, key);
	tui_notice(t, LOG_INFO, "arrangements read again");
}

static enum st step(struct tui *t, int by, struct err *e)
{
	const struct arrangement *now = &t->place[t->at].arr;
	size_t list[CHOICES], n = 0, at = 0;
	const char *name;

	for (size_t i = 0; i < t->n_choices; i++) {
		if (t->choice[i].arr.key != now->key)
			continue;
		if (!strcmp(t->choice[i].arr.name, now->name))
			at = n;
		list[n++] = i;
	}
	if (n < 2)
		return err_set(e, ST_INVALID,
			"this screen has one arrangement (:arrange save NAME "
			"makes another)");
	at = (at + n + (size_t)(by > 0 ? 1 : n - 1)) % n;
	name = t->choice[list[at]].arr.name;
	screen_choose(t, name);
	tui_notice(t, LOG_INFO, "arrangement %s, %zu of %zu", name, at + 1, n);
	return ST_OK;
}

static enum st save(struct tui *t, const char *name, struct err *e)
{
	struct arrangement a = t->place[t->at].arr;
	char *dir, *path, *text;
	enum st st;

	if (!arrangement_name_ok(name))
		return err_set(e, ST_INVALID,
			"arrange save: expected a name of lower-case letters, digits, - and _, got "
			"\"%s\"",
			name);
	if (t->o->read_only)
		return err_set(e, ST_INVALID, "arrange save: nothing is written in --read-only");
	snprintf(a.name, ARR_NAME, "%s", name);
	dir = folder(t, 1);
	path = xprintf("%s/%s.lua", dir, name);
	text = arrangement_text(&a);
	st = fs_mkdirs(dir, e);
	if (!st)
		st = fs_write_all(path, text, strlen(text), e);
	if (!st) {
		choice_add(t, &a);
		screen_choose(t, name);
		tui_notice(t, LOG_INFO, "wrote %s (:arrange reload reads it again)", path);
	}
	xfree(text);
	xfree(path);
	xfree(dir);
	return st;
}

static enum st by_name(struct tui *t, const char *name, struct err *e)
{
	const char *names[CHOICES + 1] = { NULL }, *near;
	struct choice *known = choice_find(t, name);
	struct err broken = { 0 };
	struct arrangement a;
	enum st st;

	if (strchr(name, '/') || strchr(name, '.')) {
		st = arrangement_load(&a, name, e);
		if (st)
			return st;
		check_panels(t, &a);
		choice_add(t, &a);
		screen_choose(t, a.name);
		return ST_OK;
	}
	/* Its file as it is now; what was read before where that is gone. */
	if (load_named(t, name, known, &a, known ? NULL : &broken))
		choice_add(t, &a);
	if (screen_choose(t, name))
		return ST_OK;
	if (broken.msg[0])
		return err_set(e, broken.st, "arrange: %s", broken.msg);
	for (size_t i = 0; i < t->n_choices; i++)
		names[i] = t->choice[i].arr.name;
	near = text_suggest(name, names);
	return near ? err_set(e, ST_INVALID, "arrange: no arrangement \"%s\"; did you mean %s",
			      name, near)
		    : err_set(e, ST_INVALID, "arrange: no arrangement \"%s\"", name);
}

enum st screen_arrange(struct tui *t, const char *what, struct err *e)
{
	if (t->n_places && !strcmp(what, "reload")) {
		reload(t);
		return ST_OK;
	}
	if (t->n_places && (!strcmp(what, "next") || !strcmp(what, "prev")))
		return step(t, *what == 'n' ? 1 : -1, e);
	if (t->n_places && !strncmp(what, "save", 4) && (!what[4] || what[4] == ' '))
		return save(t, what + 4 + strspn(what + 4, " "), e);
	return by_name(t, what, e);
}
