/* train_data.c - see train_data.h. */
#include "core/work/train_data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/buf.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/work/cache.h"
#include "core/work/calibrate.h"

static enum st fits(const struct desk *d, size_t window, struct err *e)
{
	size_t ctx = d->m->hp.ctx;

	if (!d->tok)
		return err_set(e, ST_INVALID, "%s", d->tok_err.msg);
	if (ctx && window > ctx)
		return err_set(e, ST_INVALID,
			"a window of %zu tokens is longer than the model's context of %zu: set a "
			"shorter one",
			window, ctx);
	return ST_OK;
}

/* xfree. */
static enum st file_of(char **file, struct desk *d, const struct train_ask *a, const char *path,
	const struct sink *s, struct err *e)
{
	if (!strcmp(path, calibrate_self))
		return calibrate_text(file, d, a->window, s, e);
	*file = xstrdup(path);
	return ST_OK;
}

enum st train_data_read(struct pack **out, char sha[65], struct desk *d, const struct train_ask *a,
	const char *path, double held, size_t rows, size_t samples, const struct sink *s,
	struct err *e)
{
	const struct vocab *v = d->m->ck->vocab;
	const struct pack_how how = { .tok = d->tok,
		.template = d->template,
		.jinja = v ? v->chat_template : NULL,
		.window = a->window,
		.all = a->all || a->teach || a->teacher,
		.held = held,
		.samples = samples,
		.seed = a->seed };
	struct dataset *data = NULL;
	char *file = NULL;
	enum st st = fits(d, a->window, e);

	*out = NULL;
	if (!st)
		st = file_of(&file, d, a, path, s, e);
	if (!st)
		st = dataset_open(&data, file, rows, e);
	xfree(file);
	if (st)
		return st;
	st = pack_read(out, data, &how, s, e);
	if (!st)
		st = dataset_sha256(data, sha, s, e);
	if (st) {
		pack_free(*out);
		*out = NULL;
	}
	dataset_close(data);
	return st;
}

/* ---- what a teacher's cache was made of */

/* What of an ask says which sequences there are; 0 of a count: all. */
static const struct said {
	const char *name;
	size_t at;
	bool share; /* a double, else uint64_t or size_t */
} said[] = {
	{ "window", offsetof(struct train_ask, window), false },
	{ "samples", offsetof(struct train_ask, samples), false },
	{ "rows", offsetof(struct train_ask, rows), false },
	{ "held", offsetof(struct train_ask, held), true },
};
enum { SAID = sizeof said / sizeof *said, SAID_MAX = 1 << 16 };

static double asked(const struct train_ask *a, size_t i)
{
	const char *p = (const char *)a + said[i].at;

	return said[i].share ? *(const double *)p : (double)*(const uint64_t *)p;
}

enum st train_data_put_said(const char *dir, const struct train_ask *a, const struct pack *p,
	const char *sha, struct err *e)
{
	char *path = xprintf("%s/teach.json", dir), of[65];
	struct json_out o;
	enum st st;

	pack_train_sha256(p, of);
	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_str(&o, "data", a->data);
	json_put_str(&o, "data_sha256", sha);
	json_put_str(&o, "pack_sha256", of);
	for (size_t i = 0; i < SAID; i++)
		json_put_f64(&o, said[i].name, asked(a, i));
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	xfree(path);
	return st;
}

static const char *member(const struct json *j, const char *key)
{
	const char *s;

	return json_get_str(j, j->root, "", key, &s, NULL) ? "" : s;
}

static void number(char out[24], double v, bool share)
{
	snprintf(out, 24, !share && v <= 0 ? "all" : "%.10g", v);
}

/* "window 64 (here 256), samples 20 (here all)"; NULL: nothing that is known; xfree. */
static char *differing(const struct json *j, const struct train_ask *a, const char *sha)
{
	struct buf b = { 0 };
	char then[24], now[24], one[96];
	double v;

	if (strcmp(member(j, "data_sha256"), sha) != 0)
		buf_str(&b, "another data file");
	for (size_t i = 0; i < SAID; i++) {
		if (json_get_f64(j, j->root, "", said[i].name, 0, 1e16, &v, NULL) ||
			!(fabs(v - asked(a, i)) > 0))
			continue;
		number(then, v, said[i].share);
		number(now, asked(a, i), said[i].share);
		snprintf(one, sizeof one, "%s%s %s (here %s)", b.n ? ", " : "", said[i].name, then,
			now);
		buf_str(&b, one);
	}
	return b.s;
}

enum st train_data_said(const char *dir, const struct train_ask *a, const struct pack *p,
	const char *sha, struct err *e)
{
	char *path = xprintf("%s/teach.json", dir), *what = NULL, of[65];
	struct json j;
	enum st st = ST_OK;

	if (!fs_is_file(path) || json_load(&j, path, SAID_MAX, NULL)) {
		xfree(path);
		return ST_OK;
	}
	pack_train_sha256(p, of);
	if (strcmp(member(&j, "pack_sha256"), of) != 0) {
		what = differing(&j, a, sha);
		st = err_set(e, ST_INVALID,
			"%.120s was said of %s: give what it was made with, or teach into another "
			"folder",
			dir, what ? what : "other tokens (another tokenizer or chat template)");
	}
	json_release(&j);
	xfree(what);
	xfree(path);
	return st;
}

/* ---- which model */

enum st train_data_model(char sha[65], const struct desk *d, const struct sink *s, struct err *e)
{
	const char *known = cache_sha(d->cache);

	if (!*known)
		return cache_hash(sha, d->m->ck, s, e);
	memcpy(sha, known, 65);
	return ST_OK;
}
