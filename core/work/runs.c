/* runs.c - the index of run folders, from what lies in them. */
#include "core/work/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/work/run.h"

enum { FILE_MAX = 4 << 20, NOTES_MAX = 1 << 20 };

static void release(struct run_entry *r)
{
	char **text[] = { &r->id, &r->path, &r->model, &r->model_path, &r->model_sha, &r->text,
		&r->options, &r->summary, &r->version, &r->tags, &r->parents };

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		xfree(*text[i]);
}

void runs_release(struct runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		release(&r->at[i]);
	xfree(r->at);
	*r = (struct runs){ 0 };
}

/* ---- reading one */

static char *string_of(const struct json *j, const cJSON *o, const char *key)
{
	const char *s = "";

	if (json_get_str(j, o, "", key, &s, NULL))
		s = "";
	return xstrdup(s);
}

static double number_of(const struct json *j, const cJSON *o, const char *key)
{
	double v;

	return json_get_f64(j, o, "", key, -1e300, 1e300, &v, NULL) ? (double)NAN : v;
}

static bool load(struct json *j, const struct run_entry *r, const char *file)
{
	char *path = xprintf("%s/%s", r->path, file);
	bool good = fs_is_file(path) && !json_load(j, path, FILE_MAX, NULL);

	xfree(path);
	return good;
}

static bool read_head(struct run_entry *r)
{
	struct json j;
	double began, seed;
	char *kind;

	if (!load(&j, r, "run.json"))
		return false;
	kind = string_of(&j, j.root, "kind");
	snprintf(r->kind, sizeof r->kind, "%s", kind);
	xfree(kind);
	r->model = string_of(&j, j.root, "model");
	r->model_path = string_of(&j, j.root, "model_path");
	r->model_sha = string_of(&j, j.root, "model_sha256");
	r->text = string_of(&j, j.root, "text");
	r->options = string_of(&j, j.root, "options");
	r->version = string_of(&j, j.root, "bitdial");
	r->parents = string_of(&j, j.root, "parents");
	began = number_of(&j, j.root, "began");
	seed = number_of(&j, j.root, "seed");
	r->began = isnan(began) ? 0 : (int64_t)began;
	r->seed = isnan(seed) ? 0 : (uint64_t)seed;
	json_release(&j);
	return true;
}

/* Who still writes it holds its lock. */
static bool is_written(const struct run_entry *r)
{
	char *lock = xprintf("%s/lock", r->path);
	bool held = false;
	int pid, fd;

	if (fs_is_file(lock)) {
		fd = fs_lock(lock, &pid, NULL);
		held = fd < 0;
		fs_unlock(fd);
	}
	xfree(lock);
	return held;
}

static void read_end(struct run_entry *r)
{
	struct json j;
	char *status;

	r->seconds = (double)NAN;
	if (!load(&j, r, "end.json")) {
		snprintf(r->status, sizeof r->status, "%s", is_written(r) ? "running" : "crashed");
		r->summary = xstrdup("");
		return;
	}
	status = string_of(&j, j.root, "status");
	snprintf(r->status, sizeof r->status, "%s", status);
	xfree(status);
	r->seconds = number_of(&j, j.root, "seconds");
	r->summary = string_of(&j, j.root, "summary");
	json_release(&j);
}

void run_refresh(struct run_entry *r)
{
	xfree(r->summary);
	read_end(r);
	if (!fs_is_dir(r->path))
		snprintf(r->status, sizeof r->status, "gone");
}

static void read_layout(struct run_entry *r)
{
	const cJSON *predicted;
	struct json j;
	double bytes;

	r->bpw = r->kl = r->se = (double)NAN;
	if (!load(&j, r, "layout.json"))
		return;
	r->bpw = number_of(&j, j.root, "stored_bpw");
	bytes = number_of(&j, j.root, "bytes");
	r->bytes = bytes > 0 ? (uint64_t)bytes : 0;
	predicted = json_member(j.root, "predicted");
	if (cJSON_IsObject(predicted)) {
		r->kl = number_of(&j, predicted, "kl");
		r->se = number_of(&j, predicted, "se");
	}
	json_release(&j);
}

/* A small text of a run's folder, without the newline at its end; "": there is none. */
static char *read_small(const struct run_entry *r, const char *file)
{
	char *path = xprintf("%s/%s", r->path, file), *text, *out = NULL;
	size_t n;

	if (fs_is_file(path) && !fs_read(path, NOTES_MAX, &text, &n, NULL)) {
		while (n && text[n - 1] == '\n')
			text[--n] = '\0';
		out = xstrdup(text);
		big_free(text);
	}
	xfree(path);
	return out ? out : xstrdup("");
}

static int newest(const void *a, const void *b)
{
	const struct run_entry *x = a, *y = b;

	if (x->began != y->began)
		return x->began < y->began ? 1 : -1;
	return strcmp(y->id, x->id);
}

enum st runs_load(struct runs *r, const char *dir, struct err *e)
{
	char *here = dir ? xstrdup(dir) : runs_dir(), **names = NULL;
	size_t n = 0;
	enum st st = fs_is_dir(here) ? fs_list(here, &names, &n, e) : ST_OK;

	*r = (struct runs){ 0 };
	if (!st && n)
		r->at = xarray(n, sizeof *r->at);
	for (size_t i = 0; i < n; i++) {
		struct run_entry one = { .id = xstrdup(names[i]),
			.path = xprintf("%s/%s", here, names[i]) };

		if (names[i][0] != '.' && read_head(&one)) {
			read_end(&one);
			read_layout(&one);
			one.tags = read_small(&one, "tags");
			r->at[r->n++] = one;
		} else {
			release(&one);
		}
		xfree(names[i]);
	}
	xfree(names);
	xfree(here);
	if (r->n)
		qsort(r->at, r->n, sizeof *r->at, newest);
	return st;
}

/* ---- finding one */

const struct run_entry *runs_find(const struct runs *r, const char *id, struct err *e)
{
	const struct run_entry *found = NULL;
	size_t n = strlen(id), hits = 0;

	for (size_t i = 0; i < r->n; i++) {
		const char *have = r->at[i].id;
		size_t len = strlen(have);

		if (!strcmp(have, id))
			return &r->at[i];
		if (n && n <= len && (!strncmp(have, id, n) || !strcmp(have + len - n, id))) {
			found = &r->at[i];
			hits++;
		}
	}
	if (hits == 1)
		return found;
	if (hits)
		(void)err_set(
			e, ST_INVALID, "%zu runs begin or end with %s: type more of one", hits, id);
	else
		(void)err_set(e, ST_INVALID, "there is no run %s (bitdial runs lists them)", id);
	return NULL;
}

/* ---- changing one */

char *run_notes(const struct run_entry *r)
{
	return read_small(r, "notes.md");
}

static enum st write_small(
	const struct run_entry *r, const char *file, const char *text, struct err *e)
{
	char *path = xprintf("%s/%s", r->path, file), *line = xprintf("%s\n", text);
	enum st st = fs_write_all(path, line, strlen(line), e);

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
	char *now = read_small(r, "tags"), *next = xstrdup(""), *save, *longer;
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

	if (is_written(r))
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
