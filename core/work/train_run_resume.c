/* train_run_resume.c - what run.json says of a training run, and whether it can go on by that. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/cache.h"
#include "core/work/runs.h"
#include "core/work/train_run_private.h"

enum { HEAD_MAX = 4 << 20 };

/* ---- members, written and read by one table */

enum kind { WORD, COUNT, SIZE, NUMBER, FLAG };

static const struct member {
	const char *name;
	enum kind kind;
	size_t at;
} members[] = {
	{ "method", WORD, offsetof(struct train_ask, method) },
	{ "layout", WORD, offsetof(struct train_ask, layout) },
	{ "data", WORD, offsetof(struct train_ask, data) },
	{ "test", WORD, offsetof(struct train_ask, test) },
	{ "text", WORD, offsetof(struct train_ask, text) },
	{ "name", WORD, offsetof(struct train_ask, name) },
	{ "steps", COUNT, offsetof(struct train_ask, steps) },
	{ "window", SIZE, offsetof(struct train_ask, window) },
	{ "windows", SIZE, offsetof(struct train_ask, windows) },
	{ "lr", NUMBER, offsetof(struct train_ask, lr) },
	{ "lr_s", NUMBER, offsetof(struct train_ask, lr_s) },
	{ "lr_gain", NUMBER, offsetof(struct train_ask, lr_gain) },
	{ "rank", SIZE, offsetof(struct train_ask, rank) },
	{ "held", NUMBER, offsetof(struct train_ask, held) },
	{ "held_every", COUNT, offsetof(struct train_ask, held_every) },
	{ "save_every", COUNT, offsetof(struct train_ask, save_every) },
	{ "seed", COUNT, offsetof(struct train_ask, seed) },
	{ "all", FLAG, offsetof(struct train_ask, all) },
	{ "recompute", FLAG, offsetof(struct train_ask, recompute) },
	{ "f32", FLAG, offsetof(struct train_ask, f32) },
	{ "across", FLAG, offsetof(struct train_ask, across) },
	{ "lean", FLAG, offsetof(struct train_ask, lean) },
	{ "rows", SIZE, offsetof(struct train_ask, rows) },
};

enum { MEMBERS = sizeof members / sizeof *members };

static void put_member(struct json_out *o, const struct member *m, const struct train_ask *a)
{
	const char *p = (const char *)a + m->at;
	const char *word;

	switch (m->kind) {
	case WORD:
		word = *(const char *const *)p;
		if (word)
			json_put_str(o, m->name, word);
		return;
	case COUNT:
		json_put_i64(o, m->name, (int64_t) * (const uint64_t *)p);
		return;
	case SIZE:
		json_put_i64(o, m->name, (int64_t) * (const size_t *)p);
		return;
	case NUMBER:
		json_put_f64(o, m->name, *(const double *)p);
		return;
	case FLAG:
		json_put_bool(o, m->name, *(const bool *)p);
		return;
	}
}

static enum st get_member(const struct json *j, const cJSON *o, const struct member *m,
	struct train_ask *a, struct err *e)
{
	char *p = (char *)a + m->at;
	const cJSON *v = json_member(o, m->name);
	const char *word;
	uint64_t n;
	enum st st;

	switch (m->kind) {
	case WORD:
		if (!v)
			return ST_OK;
		st = json_get_str(j, o, ".train", m->name, &word, e);
		if (!st)
			*(char **)p = xstrdup(word);
		return st;
	case COUNT:
		return json_get_u64(
			j, o, ".train", m->name, 0, UINT64_C(1) << 52, (uint64_t *)p, e);
	case SIZE:
		st = json_get_u64(j, o, ".train", m->name, 0, UINT64_C(1) << 40, &n, e);
		if (!st)
			*(size_t *)p = (size_t)n;
		return st;
	case NUMBER:
		*(double *)p = (double)NAN; /* null: the method's own */
		if (!v || cJSON_IsNull(v))
			return ST_OK;
		return json_get_f64(j, o, ".train", m->name, -DBL_MAX, DBL_MAX, (double *)p, e);
	case FLAG:
		return json_get_bool(j, o, ".train", m->name, (bool *)p, e);
	}
	return ST_OK;
}

void train_run_put(void *run, struct json_out *o)
{
	const struct train_run *r = run;

	json_open(o, "train", '{');
	for (size_t i = 0; i < MEMBERS; i++)
		put_member(o, &members[i], &r->ask);
	json_put_str(o, "data_sha256", r->data_sha);
	json_put_str(o, "pack_sha256", pack_sha256(r->pack));
	if (r->test)
		json_put_str(o, "test_sha256", r->test_sha);
	json_close(o, '}');
}

/* ---- found */

enum st train_run_find(char **path, const char *word, struct err *e)
{
	const struct run_entry *one;
	struct runs all = { 0 };
	char *lock, *began, *real;
	bool runs;
	enum st st = ST_OK;

	*path = NULL;
	if (strchr(word, '/') && fs_is_dir(word)) {
		real = realpath(word, NULL);
		*path = xstrdup(real ? real : word);
		free(real);
	} else {
		st = runs_load(&all, NULL, e);
		one = st ? NULL : runs_find(&all, word, e);
		st = st ? st : one ? ST_OK : ST_INVALID;
		if (one)
			*path = xstrdup(one->path);
		runs_release(&all);
	}
	if (st)
		return st;
	lock = xprintf("%s/lock", *path);
	runs = fs_is_locked(lock);
	xfree(lock);
	lock = xprintf("%s/run.json", *path);
	began = xprintf("%s/layout.json", *path);
	if (!runs && fs_is_file(lock) && !fs_is_file(began))
		st = err_set(e, ST_INVALID,
			"%s was cut short before its first step: begin a new run", word);
	xfree(lock);
	xfree(began);
	if (runs)
		return err_set(e, ST_INVALID, "%s still runs: stop it first, or let it end", word);
	return st;
}

static enum st load_head(struct json *j, char **file, const char *path, struct err *e)
{
	enum st st;

	*file = xprintf("%s/run.json", path);
	st = json_load(j, *file, HEAD_MAX, e);
	if (!st && !cJSON_IsObject(json_member(j->root, "train"))) {
		json_release(j);
		st = err_set(e, ST_INVALID, "%s: this is no training run", path);
	}
	if (st) {
		xfree(*file);
		*file = NULL;
	}
	return st;
}

enum st train_run_asked(struct train_run *r, const char *path, struct err *e)
{
	struct json j;
	char *file;
	enum st st = load_head(&j, &file, path, e);

	if (st)
		return st;
	for (size_t i = 0; !st && i < MEMBERS; i++)
		st = get_member(&j, json_member(j.root, "train"), &members[i], &r->ask, e);
	if (!st && (!r->ask.method || !r->ask.data || !r->ask.steps || !r->ask.window ||
			   !r->ask.windows || !r->ask.held_every || !r->ask.save_every))
		st = err_set(
			e, ST_FORMAT, "%s: .train: it does not say how the run was made", file);
	json_release(&j);
	xfree(file);
	return st;
}

bool train_run_finished(const char *path)
{
	char *file = xprintf("%s/end.json", path);
	const char *status = "";
	struct json j;
	bool ok = false;

	if (fs_is_file(file) && !json_load(&j, file, HEAD_MAX, NULL)) {
		ok = !json_get_str(&j, j.root, "", "status", &status, NULL) &&
		     !strcmp(status, "ok");
		json_release(&j);
	}
	xfree(file);
	return ok;
}

/* ---- the same as then? */

static const char *word_of(const struct json *j, const cJSON *o, const char *key)
{
	const char *s = "";

	return o && json_member(o, key) && !json_get_str(j, o, "", key, &s, NULL) ? s : "";
}

static enum st same_model(const struct train_run *r, const struct json *j, struct err *e)
{
	const struct checkpoint *ck = r->d->m->ck;
	const char *header = word_of(j, j->root, "model_sha256");
	const char *file = word_of(j, j->root, "file_sha256"), *now = cache_sha(r->d->cache);

	if (strcmp(header, ck->header_sha256) != 0)
		return err_set(e, ST_INVALID,
			"%s: this run trains %.80s, not %.80s: open that model (%.200s)",
			r->ask.resume, word_of(j, j->root, "model"), ck->name,
			word_of(j, j->root, "model_path"));
	if (*file && now && *now && strcmp(file, now) != 0)
		return err_set(e, ST_INVALID,
			"%s: the weights of %.80s have changed since this run began: put the file "
			"back, or begin a new run",
			r->ask.resume, ck->name);
	return ST_OK;
}

static enum st same_file(const struct train_run *r, const char *path, const char *then,
	const char *now, struct err *e)
{
	if (!strcmp(then, now))
		return ST_OK;
	return err_set(e, ST_INVALID,
		"%s: %.200s has changed since this run began: put the file back, or begin a new "
		"run",
		r->ask.resume, path);
}

static bool same_choice(const struct layout *x, const struct layout *y)
{
	bool same = x->n == y->n;

	for (size_t i = 0; same && i < x->n; i++)
		same = format_equal(x->format[x->choice[i]], y->format[y->choice[i]]) &&
		       (!x->by[i] || !y->by[i] || x->by[i] == y->by[i]);
	return same;
}

static enum st same_layout(const struct train_run *r, const char *path, struct err *e)
{
	char *file = xprintf("%s/layout.json", path);
	struct layout was = { 0 };
	enum st st = layout_read(&was, file, r->d->m, e);

	if (!st && !same_choice(&was, r->l))
		st = err_set(e, ST_INVALID, "%s: this run began from another layout: give %.200s",
			r->ask.resume, file);
	if (!st)
		layout_release(&was);
	xfree(file);
	return st;
}

enum st train_run_same(const struct train_run *r, const char *path, struct err *e)
{
	const cJSON *train;
	struct json j;
	char *file;
	enum st st = load_head(&j, &file, path, e);

	if (st)
		return st;
	train = json_member(j.root, "train");
	st = same_model(r, &j, e);
	if (!st)
		st = same_file(r, r->ask.data, word_of(&j, train, "data_sha256"), r->data_sha, e);
	if (!st && r->test)
		st = same_file(r, r->ask.test, word_of(&j, train, "test_sha256"), r->test_sha, e);
	if (!st && strcmp(word_of(&j, train, "pack_sha256"), pack_sha256(r->pack)) != 0)
		st = err_set(e, ST_INVALID,
			"%s: the same rows become other tokens than when this run began (another "
			"tokenizer or chat template): begin a new run",
			r->ask.resume);
	if (!st)
		st = same_layout(r, path, e);
	json_release(&j);
	xfree(file);
	return st;
}
