/* themes - see themes.h. */
#include "app/tui/themes.h"

#include <stdio.h>
#include <string.h>

#include "app/lua/theme_file.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum { FOLDERS = 2, THEMES_MAX = 64 };

static char *folder(int at)
{
	char *config, *dir;

	if (at)
		return fs_share("themes");
	config = fs_place(FS_CONFIG);
	dir = xprintf("%s/themes", config);
	xfree(config);
	return dir;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n && n < THEME_NAME && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static bool is_builtin(const char *name)
{
	for (int i = 0; theme_names[i]; i++)
		if (!strcmp(theme_names[i], name))
			return true;
	return false;
}

/* "NAME.lua" */
static bool name_of(const char *file, char out[THEME_NAME])
{
	size_t n = strlen(file);

	if (n < 5 || n - 4 >= THEME_NAME || strcmp(file + n - 4, ".lua"))
		return false;
	snprintf(out, THEME_NAME, "%.*s", (int)(n - 4), file);
	return is_name(out);
}

struct seen {
	char name[THEMES_MAX][THEME_NAME];
	size_t n;
	void (*fn)(void *arg, const char *name, const char *where);
	void *arg;
};

static void once(struct seen *s, const char *name, const char *where)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->name[i], name))
			return;
	if (s->n == THEMES_MAX)
		return;
	snprintf(s->name[s->n++], THEME_NAME, "%s", name);
	s->fn(s->arg, name, where);
}

/* ... but a file in the place of one that is compiled in is named where it stands. */
static char *file_of(const char *name)
{
	for (int at = 0; at < FOLDERS; at++) {
		char *dir = folder(at), *path = xprintf("%s/%s.lua", dir, name);

		xfree(dir);
		if (fs_is_there(path)) /* of another kind it is refused by the reading */
			return path;
		xfree(path);
	}
	return NULL;
}

void themes_each(void (*fn)(void *arg, const char *name, const char *where), void *arg)
{
	struct seen s = { .fn = fn, .arg = arg };

	for (int i = 0; theme_names[i]; i++) {
		char *path = file_of(theme_names[i]);

		once(&s, theme_names[i], path ? path : "built in");
		xfree(path);
	}
	for (int at = 0; at < FOLDERS; at++) {
		char *dir = folder(at), **names, name[THEME_NAME];
		size_t n = 0;

		if (fs_is_dir(dir) && !fs_list(dir, &names, &n, NULL)) {
			for (size_t i = 0; i < n; i++) {
				char *path = xprintf("%s/%s", dir, names[i]);

				if (name_of(names[i], name))
					once(&s, name, path);
				xfree(path);
				xfree(names[i]);
			}
			xfree(names);
		}
		xfree(dir);
	}
}

struct names {
	char name[THEMES_MAX][THEME_NAME];
	const char *at[THEMES_MAX + 1];
	size_t n;
};

static void note(void *arg, const char *name, const char *where)
{
	struct names *all = arg;

	(void)where;
	snprintf(all->name[all->n], THEME_NAME, "%s", name);
	all->at[all->n] = all->name[all->n];
	all->n++;
}

static enum st unknown(const char *name, struct err *e)
{
	struct names all = { 0 };
	const char *near;

	themes_each(note, &all);
	near = text_suggest(name, all.at);
	if (near)
		return err_set(
			e, ST_INVALID, "there is no theme \"%.40s\"; did you mean %s", name, near);
	return err_set(e, ST_INVALID,
		"there is no theme \"%.40s\" (bitdial doctor --colors shows them)", name);
}

enum st themes_find(struct theme_def *d, bool *file, const char *name, struct err *e)
{
	char *path = is_name(name) ? file_of(name) : NULL;
	enum st st;

	*file = path != NULL;
	if (path) {
		st = theme_load(d, name, path, e);
		if (!st) /* its own name is for theme{} in init.lua */
			snprintf(d->name, sizeof d->name, "%s", name);
		xfree(path);
		return st;
	}
	return is_builtin(name) ? ST_OK : unknown(name, e);
}
