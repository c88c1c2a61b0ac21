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

static void put_key(struct json_out *o, const struct train_key *k, const struct train_ask *a)
{
	const char *p = (const char *)a + k->at;
	const char *word;

	switch (k->kind) {
	case TRAIN_WORD:
		word = *(const char *const *)p;
		if (word)
			json_put_str(o, k->name, word);
		return;
	case TRAIN_COUNT:
		json_put_i64(o, k->name, (int64_t) * (const uint64_t *)p);
		return;
	case TRAIN_NUMBER:
		json_put_f64(o, k->name, *(const double *)p);
		return;
	case TRAIN_FLAG:
		json_put_bool(o, k->name, *(const bool *)p);
		return;
	}
}

/* One that is there. */
static enum st get_word(
	const struct json *j, const cJSON *o, const char *name, const char **to, struct err *e)
{
	const char *word;
	enum st st = ST_OK;

	if (json_member(o, name))
		st = json_get_str(j, o, ".train", name, &word, e);
	if (!st && json_member(o, name))
		*to = xstrdup(word);
	return st;
}

/* One of the "train" object that may be missing, into a buffer. */
static enum st get_text(
	const struct json *j, const char *name, size_t size, char *to, struct err *e)
{
	const cJSON *train = json_member(j->root, "train");
	const char *word;
	enum st st;

	if (!json_member(train, name))
		return ST_OK;
	st = json_get_str(j, train, ".train", name, &word, e);
	if (!st)
		snprintf(to, size, "%s", word);
	return st;
}

static enum st get_key(const struct json *j, const cJSON *o, const struct train_key *k,
	struct train_ask *a, struct err *e)
{
	char *p = (char *)a + k->at;
	const cJSON *v = json_member(o, k->name);

	if (!v && k->kind != TRAIN_NUMBER) /* a key that was not there yet when it began */
		return ST_OK;
	switch (k->kind) {
	case TRAIN_WORD:
		return get_word(j, o, k->name, (const char **)p, e);
	case TRAIN_COUNT:
		return json_get_u64(
			j, o, ".train", k->name, 0, (uint64_t)k->most, (uint64_t *)p, e);
	case TRAIN_NUMBER:
		*(double *)p = (double)NAN; /* null: the method's own */
		if (!v || cJSON_IsNull(v))
			return ST_OK;
		return json_get_f64(j, o, ".train", k->name, -DBL_MAX, DBL_MAX, (double *)p, e);
	case TRAIN_FLAG:
		return json_get_bool(j, o, ".train", k->name, (bool *)p, e);
	}
	return ST_OK;
}

void train_run_put(void *run, struct json_out *o)
{
	const struct train_run *r = run;

	json_open(o, "train", '{');
	for (const struct train_key *k = train_keys; k->name; k++)
		put_key(o, k, &r->ask);
	if (r->ask.layout)
		json_put_str(o, "layout", r->ask.layout);
	json_put_str(o, "data_sha256", r->data_sha);
	json_put_str(o, "pack_sha256", pack_sha256(r->pack));
	if (r->test)
		json_put_str(o, "test_sha256", r->test_sha);
	if (*r->worn)
		json_put_str(o, "worn", r->worn);
	if (*r->worn_of)
		json_put_str(o, "worn_of", r->worn_of);
	json_close(o, '}');
}

/* ---- found */

enum st train_run_find(char **path, const char *word, struct err *e)
{
	const struct run_entry *one;
	struct runs all = { 0 };
	char *lock, *began;
	bool runs;
	enum st st = ST_OK;

	*path = NULL;
	if (strchr(word, '/') && fs_is_dir(word)) {
		*path = fs_real(word);
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
	for (const struct train_key *k = train_keys; !st && k->name; k++)
		st = get_key(&j, json_member(j.root, "train"), k, &r->ask, e);
	if (!st)
		st = get_word(&j, json_member(j.root, "train"), "layout", &r->ask.layout, e);
	if (!st)
		st = get_text(&j, "worn", sizeof r->worn, r->worn, e);
	if (!st)
		st = get_text(&j, "worn_of", sizeof r->worn_of, r->worn_of, e);
	if (!st && (!r->ask.method || !r->ask.data || !r->ask.steps || !r->ask.window ||
			   !r->ask.windows || !r->ask.held_every || !r->ask.save_every))
		st = err_set(
			e, ST_FORMAT, "%s: .train: it does not say how the run was made", file);
	json_release(&j);
	xfree(file);
	return st;
}

char *train_run_beside(const char *path)
{
	const struct train_method *m;
	const char *method, *id;
	char *file, *out = NULL;
	struct json j;
	const cJSON *train;

	if (load_head(&j, &file, path, NULL))
		return NULL;
	train = json_member(j.root, "train");
	if (!json_get_str(&j, train, ".train", "method", &method, NULL) &&
		(m = train_method_find(method)) && m->what == TRAIN_ADAPTERS &&
		!json_get_str(&j, train, ".train", "worn_of", &id, NULL))
		out = xstrdup(id);
	json_release(&j);
	xfree(file);
	return out;
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

/* A checkpoint of adapters has nothing of the weights they are beside. */
static enum st same_base(const struct train_run *r, const struct json *j, struct err *e)
{
	const struct desk *d = r->d;
	const char *word = r->ask.resume;

	if (r->how.method->what != TRAIN_ADAPTERS ||
		!strcmp(d->dial.dir ? d->dial.tag : "", r->worn))
		return ST_OK;
	if (!*r->worn)
		return err_set(e, ST_INVALID,
			"%s: its adapters were trained beside the model itself, not what %.63s "
			"made of it: open %.200s",
			word, d->dial.id, word_of(j, j->root, "model_path"));
	if (!*r->worn_of)
		return err_set(e, ST_INVALID,
			"%s: its adapters were trained beside what a calibration made of the "
			"model: open that run, or begin a new one",
			word);
	if (d->dial.dir && !strcmp(d->dial.id, r->worn_of))
		return err_set(e, ST_INVALID,
			"%s: its adapters were trained beside another checkpoint of %s than this "
			"one: open that, or begin a new run",
			word, r->worn_of);
	return err_set(e, ST_INVALID,
		"%s: its adapters were trained beside what %s made of the model: open that "
		"(bitdial train %s --resume %.100s)",
		word, r->worn_of, r->worn_of, word);
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
		st = same_base(r, &j, e);
	if (!st)
		st = same_layout(r, path, e);
	json_release(&j);
	xfree(file);
	return st;
}
