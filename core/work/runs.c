/* runs.c - the index of run folders, from what lies in them; one found, changed, thrown away. */
#include "core/work/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/runs_private.h"

/* ---- all */

void runs_release(struct runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		run_entry_release(&r->at[i]);
	xfree(r->at);
	*r = (struct runs){ 0 };
}

struct runs runs_copy(const struct runs *r)
{
	struct runs out = { xarray(r->n + 1, sizeof *r->at), r->n };

	for (size_t i = 0; i < r->n; i++)
		out.at[i] = run_entry_copy(&r->at[i]);
	return out;
}

static int newest(const void *a, const void *b)
{
	const struct run_entry *x = a, *y = b;

	if (x->began_at < y->began_at || x->began_at > y->began_at)
		return x->began_at < y->began_at ? 1 : -1;
	return strcmp(y->id, x->id);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct run_entry *)a)->id, ((const struct run_entry *)b)->id);
}

/* The entry of old (sorted by id) as it is, where its folder is; else it is read.  false: no run.
 * *changed: it is another than it was. */
static bool take(struct run_entry *one, const struct runs *old, char *kept, bool *changed)
{
	struct run_entry *was =
		old->n ? bsearch(one, old->at, old->n, sizeof *old->at, by_id) : NULL;

	if (was && run_entry_fresh(was, changed)) {
		kept[was - old->at] = 1;
		xfree(one->id);
		xfree(one->path);
		*one = *was;
		return true;
	}
	*changed = true; /* what is no run is read anew each time; it is told apart below */
	return run_entry_read(one);
}

enum st runs_update(struct runs *r, const char *dir, bool *changed, struct err *e)
{
	char *here = dir ? xstrdup(dir) : runs_dir(), **names = NULL, *kept;
	struct runs old = *r;
	size_t n = 0;
	enum st st = fs_is_dir(here) ? fs_list(here, &names, &n, e) : ST_OK;

	*r = (struct runs){ xarray(n + 1, sizeof *r->at), 0 };
	*changed = false;
	kept = xalloc(old.n + 1);
	if (old.n)
		qsort(old.at, old.n, sizeof *old.at, by_id);
	for (size_t i = 0; i < n; i++) {
		struct run_entry one = { .id = xstrdup(names[i]),
			.path = xprintf("%s/%s", here, names[i]) };
		bool other = false;

		if (names[i][0] != '.' && take(&one, &old, kept, &other)) {
			r->at[r->n++] = one;
			*changed |= other;
		} else {
			run_entry_release(&one);
		}
		xfree(names[i]);
	}
	for (size_t i = 0; i < old.n; i++)
		if (!kept[i]) {
			run_entry_release(&old.at[i]);
			*changed = true;
		}
	xfree(old.at);
	xfree(kept);
	xfree(names);
	xfree(here);
	if (r->n)
		qsort(r->at, r->n, sizeof *r->at, newest);
	return st;
}

enum st runs_load(struct runs *r, const char *dir, struct err *e)
{
	bool changed;

	*r = (struct runs){ 0 };
	return runs_update(r, dir, &changed, e);
}

/* ---- finding one */

/* How many; *found: the last of them, or the one that has this very id. */
static size_t matching(const struct runs *r, const char *id, const struct run_entry **found)
{
	size_t n = strlen(id), hits = 0;

	*found = NULL;
	for (size_t i = 0; i < r->n; i++) {
		const char *have = r->at[i].id;
		size_t len = strlen(have);

		if (!strcmp(have, id)) {
			*found = &r->at[i];
			return 1;
		}
		if (n && n <= len && (!strncmp(have, id, n) || !strcmp(have + len - n, id))) {
			*found = &r->at[i];
			hits++;
		}
	}
	return hits;
}

size_t runs_matching(const struct runs *r, const char *id)
{
	const struct run_entry *found;

	return matching(r, id, &found);
}

const struct run_entry *runs_find(const struct runs *r, const char *id, struct err *e)
{
	const struct run_entry *found;
	size_t hits = matching(r, id, &found);

	if (hits == 1)
		return found;
	if (hits)
		(void)err_set(
			e, ST_INVALID, "%zu runs begin or end with %s: type more of one", hits, id);
	else
		(void)err_set(e, ST_INVALID, "there is no run %s (bitdial runs lists them)", id);
	return NULL;
}

enum st runs_open(
	struct runs *all, const struct run_entry **one, const char *word, struct err *e)
{
	size_t n = strlen(word);
	char *path, *slash;
	enum st st;

	while (n > 1 && word[n - 1] == '/')
		n--;
	path = xstrndup(word, n);
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	*all = (struct runs){ 0 };
	*one = NULL;
	st = runs_load(all, slash ? (slash > path ? path : "/") : NULL, e);
	if (!st && !(*one = runs_find(all, slash ? slash + 1 : path, e)))
		st = e->st;
	xfree(path);
	return st;
}

const char *runs_short(const struct runs *r, const struct run_entry *one)
{
	const char *end = one->id;
	int dashes = 0;

	/* "20260101-201403-search-7f3a": what follows the time. */
	for (const char *s = one->id; *s && dashes < 2; s++)
		if (*s == '-') {
			dashes++;
			end = s + 1;
		}
	if (dashes < 2 || runs_find(r, end, NULL) != one)
		return one->id;
	return end;
}

/* What one that was stopped had measured is in the cache as well; only a good one comes first. */
const struct run_entry *runs_scan_of(const struct runs *r, const char *model_sha, const char *text)
{
	const struct run_entry *found[2] = { NULL, NULL };

	for (size_t i = 0; i < r->n; i++) {
		const struct run_entry *x = &r->at[i],
				       **best = &found[strcmp(x->status, "ok") != 0];

		if (!strcmp(x->kind, "scan") && strcmp(x->state, "failed") != 0 &&
			!strcmp(x->model_sha, model_sha) && !strcmp(x->text, text) &&
			(!*best || x->began_at > (*best)->began_at))
			*best = x;
	}
	return found[0] ? found[0] : found[1];
}

/* ---- changing one */

char *run_notes(const struct run_entry *r)
{
	return run_read_small(r, "notes.md");
}

enum st run_may_write(const struct run_entry *r, const char *file, struct err *e)
{
	char *path = xprintf("%s/%s", r->path, file);
	struct stat sb;
	enum st st = ST_OK;

	if (!lstat(path, &sb) && S_ISLNK(sb.st_mode))
		st = err_set(e, ST_INVALID,
			"%s is a link and would be written elsewhere: remove it first", path);
	xfree(path);
	return st;
}

static enum st write_small(
	const struct run_entry *r, const char *file, const char *text, struct err *e)
{
	char *path = xprintf("%s/%s", r->path, file), *line = xprintf("%s\n", text);
	enum st st = run_may_write(r, file, e);

	if (!st)
		st = fs_write_all(path, line, strlen(line), e);

	xfree(path);
	xfree(line);
	return st;
}

enum st run_set_notes(const struct run_entry *r, const char *text, struct err *e)
{
	return write_small(r, "notes.md", text, e);
}

static bool is_tag(const char *s)
{
	size_t n = strlen(s);

	return n && n < RUN_WORDS && !strpbrk(s, " \t\n\r/:") && s[0] != '-';
}

enum st run_tag(const struct run_entry *r, const char *tag, struct err *e)
{
	bool less = tag[0] == '-', had = false;
	const char *word = tag + less;
	char *now = run_read_small(r, "tags"), *next = xstrdup(""), *save, *longer;
	enum st st;

	if (!is_tag(word)) {
		xfree(now);
		xfree(next);
		return err_set(e, ST_INVALID, "tag %s: expected one word, without / or :", tag);
	}
	for (char *t = strtok_r(now, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		had |= !strcmp(t, word);
		if (less && !strcmp(t, word))
			continue;
		longer = xprintf("%s%s%s", next, *next ? " " : "", t);
		xfree(next);
		next = longer;
	}
	if (!less && !had) {
		longer = xprintf("%s%s%s", next, *next ? " " : "", word);
		xfree(next);
		next = longer;
	}
	st = write_small(r, "tags", next, e);
	xfree(now);
	xfree(next);
	return st;
}

enum st run_trash(const struct run_entry *r, char **to, struct err *e)
{
	size_t parent = strlen(r->path) - strlen(r->id);
	char *dir = xprintf("%.*s.trash", (int)parent, r->path), *path = NULL;
	enum st st = ST_OK;

	if (run_is_written(r))
		st = err_set(e, ST_INVALID, "%s is still being written: stop it first", r->id);
	if (!st)
		st = fs_mkdirs(dir, e);
	for (int i = 0; !st && (!path || fs_is_dir(path)); i++) {
		xfree(path);
		path = i ? xprintf("%s/%s.%d", dir, r->id, i) : xprintf("%s/%s", dir, r->id);
	}
	if (!st)
		st = fs_rename(r->path, path, e);
	xfree(dir);
	if (st)
		xfree(path);
	else
		*to = path;
	return st;
}

/* Is the path one of that folder's own names? */
static bool lies_in(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');
	char *up = xprintf("%.*s/", (int)(slash - path), path);
	char *a = realpath(up, NULL), *b = realpath(dir, NULL);
	bool in = a && b && !strcmp(a, b) && slash[1] && strcmp(slash, "/.") != 0 &&
		  strcmp(slash, "/..") != 0;

	xfree(up);
	free(a); /* the C library's */
	free(b);
	return in;
}

/* The name in the trash that is this, or begins or ends with it; xfree; NULL: said. */
static char *name_in(const char *trash, const char *from, struct err *e)
{
	char **names = NULL, *found = NULL;
	size_t n = 0, len = strlen(from), hits = 0;
	bool exact = false;

	if (len && fs_is_dir(trash) && fs_list(trash, &names, &n, e))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		size_t have = strlen(names[i]);
		bool same = !strcmp(names[i], from);

		if (!exact &&
			(same || (len <= have && (!strncmp(names[i], from, len) ||
							 !strcmp(names[i] + have - len, from))))) {
			xfree(found);
			found = xstrdup(names[i]);
			hits = same ? 1 : hits + 1;
			exact = same;
		}
		xfree(names[i]);
	}
	xfree(names);
	if (hits == 1)
		return found;
	xfree(found);
	if (hits)
		(void)err_set(e, ST_INVALID,
			"%zu in the trash begin or end with %s: type more of one", hits, from);
	else
		(void)err_set(e, ST_INVALID, "there is no %s in the trash (%s)", from, trash);
	return NULL;
}

/* What it was called: without the number that one thrown away twice has. */
static char *name_before(const char *name)
{
	const char *dot = strrchr(name, '.');
	bool again = dot && dot > name && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")];

	return again ? xprintf("%.*s", (int)(dot - name), name) : xstrdup(name);
}

enum st run_restore(const char *dir, const char *from, char **id, struct err *e)
{
	char *here = dir ? xstrdup(dir) : runs_dir(), *trash = xprintf("%s/.trash", here);
	char *name = NULL, *path, *to, *was;
	enum st st = ST_OK;

	if (!strchr(from, '/'))
		name = name_in(trash, from, e);
	else if (lies_in(from, trash))
		name = name_in(trash, strrchr(from, '/') + 1, e);
	else
		(void)err_set(e, ST_INVALID, "there is no %s in the trash (%s)", from, trash);
	if (!name) {
		xfree(here);
		xfree(trash);
		return ST_INVALID;
	}
	was = name_before(name);
	path = xprintf("%s/%s", trash, name);
	to = xprintf("%s/%s", here, was);
	if (!fs_is_dir(path))
		st = err_set(e, ST_INVALID, "%s is no folder", path);
	else if (fs_is_dir(to))
		st = err_set(e, ST_INVALID, "%s is there already", to);
	else
		st = fs_rename(path, to, e);
	if (!st)
		*id = xstrdup(was);
	xfree(was);
	xfree(name);
	xfree(to);
	xfree(path);
	xfree(trash);
	xfree(here);
	return st;
}
