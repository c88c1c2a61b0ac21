/* dial_run.c - see dial_run.h. */
#include "core/work/dial_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/quant/format.h"
#include "core/work/run_checkpoint.h"
#include "core/work/runs.h"

/* ---- which formats there are */

/* Of a folder that lost its weights there is still the rest. */
static bool has_format(const char *dir, const char *name)
{
	char *file = xprintf("%s/%s/model.safetensors", dir, name);
	char *config = xprintf("%s/%s/config.json", dir, name);
	struct format f;
	bool is = !format_parse(&f, name, NULL) && (fs_is_file(file) || fs_is_file(config));

	xfree(file);
	xfree(config);
	return is;
}

struct found {
	char *name;
	struct format format;
};

static int by_bits(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->format.bits != y->format.bits)
		return x->format.bits - y->format.bits;
	/* a longer group has fewer scales */
	return (x->format.group < y->format.group) - (x->format.group > y->format.group);
}

static char *formats_in(const char *dir)
{
	struct found *found;
	char **name, *all = NULL, *more;
	size_t n, k = 0;

	if (fs_list(dir, &name, &n, NULL))
		return NULL;
	found = xarray(n + 1, sizeof *found);
	for (size_t i = 0; i < n; i++) {
		struct format f;

		if (has_format(dir, name[i]) && !format_parse(&f, name[i], NULL))
			found[k++] = (struct found){ name[i], f };
	}
	qsort(found, k, sizeof *found, by_bits);
	for (size_t i = 0; i < k; i++) {
		more = xprintf("%s%s%s", all ? all : "", all ? "," : "", found[i].name);
		xfree(all);
		all = more;
	}
	for (size_t i = 0; i < n; i++)
		xfree(name[i]);
	xfree(name);
	xfree(found);
	return all;
}

/* ---- where they are */

static bool has_formats(const char *dir)
{
	char *all = formats_in(dir);
	bool is = all != NULL;

	xfree(all);
	return is;
}

/* The folder itself, where it is a checkpoint, or one of the run. */
static enum st checkpoint(struct dial_run *out, const char *path, struct err *e)
{
	char *real = realpath(path, NULL);

	if (real && has_formats(real))
		out->dir = xstrdup(real);
	else
		out->dir = run_checkpoint(path, has_formats);
	free(real); /* the C library's */
	out->formats = out->dir ? formats_in(out->dir) : NULL;
	if (!out->formats)
		return err_set(e, ST_INVALID,
			"%s: no formats in it: it is no run with --dial, or has no checkpoint yet",
			path);
	return ST_OK;
}

/* Each of these formats has its weights. */
static enum st whole(const char *dir, const char *formats, struct err *e)
{
	char *copy = xstrdup(formats), *rest = copy, *one, name[FORMAT_NAME];
	enum st st = ST_OK;

	while (!st && (one = strtok_r(rest, ",", &rest))) {
		struct format f;
		char *file;

		if (format_parse(&f, one, NULL))
			continue;
		file = xprintf("%s/%s/model.safetensors", dir, format_name(f, name));
		if (!fs_is_file(file))
			st = err_set(e, ST_INVALID,
				"%s is gone, so this checkpoint is damaged: name another one of "
				"the run, or let bitdial train --resume write the next",
				file);
		xfree(file);
	}
	xfree(copy);
	return st;
}

/* What the word says without what leads to a checkpoint of the run: RUN/step-000240, RUN/best. */
static char *run_of(const char *word)
{
	char *id = xstrdup(word), *slash;

	for (size_t n = strlen(id); n > 1 && id[n - 1] == '/'; n--)
		id[n - 1] = '\0';
	slash = strrchr(id, '/');
	if (slash && (!strncmp(slash, "/step-", 6) || !strcmp(slash, "/best") ||
			     !strcmp(slash, "/last")))
		*slash = '\0';
	return id;
}

/* The same run at the same step has the same variants, wherever its folder is. */
static void name_tag(struct dial_run *r, const char *id)
{
	const char *step = strrchr(r->dir, '/');
	char *s = xprintf("%s %s", id, step ? step + 1 : r->dir), hex[65];

	sha256_of(s, strlen(s), hex);
	snprintf(r->tag, sizeof r->tag, "%.8s", hex);
	snprintf(r->id, sizeof r->id, "%s", id);
	xfree(s);
}

enum st dial_run_at(struct dial_run *out, const char *dir, const char *id, struct err *e)
{
	enum st st;

	*out = (struct dial_run){ .dir = NULL };
	st = checkpoint(out, dir, e);
	if (!st)
		st = whole(out->dir, out->formats, e);
	if (!st)
		name_tag(out, id);
	return st;
}

enum st dial_run_find(struct dial_run *out, const char *word, struct err *e)
{
	const struct run_entry *r;
	struct runs all;
	char *id = run_of(word);
	enum st st = runs_open(&all, &r, id, e);

	*out = (struct dial_run){ .dir = NULL };
	if (!st)
		st = dial_run_at(out, fs_is_dir(word) ? word : r->path, r->id, e);
	if (!st && *r->dial)
		st = whole(out->dir, r->dial, e);
	if (!st) {
		out->model = xstrdup(r->model_path);
		snprintf(out->sha, sizeof out->sha, "%s", r->model_sha ? r->model_sha : "");
	} else {
		dial_run_release(out);
	}
	runs_release(&all);
	xfree(id);
	return st;
}

/* The checkpoint may be a damaged one: what finds it says so. */
static bool of_id(struct dial_run *out, const char *id, struct err *e)
{
	const struct run_entry *r;
	struct runs all;
	bool is = !runs_open(&all, &r, id, e) && !checkpoint(out, r->path, e);

	runs_release(&all);
	return is;
}

/* Of a run, or below one; a model may have been exported into folders of its own that are called as
 * formats are. */
static bool of_folder(struct dial_run *out, const char *dir, struct err *e)
{
	char *real = fs_real(dir), *above = xprintf("%s/..", real);
	bool is = !fs_holds(real, "config.json") &&
		  (fs_holds(real, "run.json") || fs_holds(above, "run.json")) &&
		  !checkpoint(out, dir, e);

	xfree(above);
	xfree(real);
	return is;
}

bool dial_run_has(const struct dial_run *r, struct format f)
{
	struct format has[FORMAT_MAX];
	size_t n = 0;
	bool is = false;

	if (format_list(has, &n, r->formats, NULL))
		return false;
	for (size_t i = 0; i < n; i++)
		is |= format_equal(has[i], f);
	return is;
}

bool dial_run_is(const char *word)
{
	struct dial_run r = { .dir = NULL };
	struct err e;
	bool is;

	if (fs_is_dir(word))
		is = of_folder(&r, word, &e);
	else
		is = !strchr(word, '/') && !fs_is_there(word) && of_id(&r, word, &e);
	dial_run_release(&r);
	return is;
}

/* ---- damage */

static const char weights[] = "model.safetensors";
enum { SUM = 64, CHUNK = 64 << 20 };

static enum st sum_of(char sum[SUM + 1], const char *file, const struct sink *s, struct err *e)
{
	struct sha256 sha;
	struct fs_map map;
	enum st st = fs_map_open(&map, file, e);

	if (st)
		return st;
	sha256_start(&sha);
	for (size_t at = 0, n; !st && at < map.size; at += n) {
		n = map.size - at < CHUNK ? map.size - at : CHUNK;
		if (sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
		else
			sha256_add(&sha, map.data + at, n);
	}
	sha256_hex(&sha, sum);
	fs_map_close(&map);
	return st;
}

enum st dial_run_seal(const char *dir, const struct sink *s, struct err *e)
{
	char *file = xprintf("%s/%s", dir, weights), *beside = xprintf("%s.sha256", file);
	char sum[SUM + 1], line[SUM + 32];
	enum st st = sum_of(sum, file, s, e);

	if (!st) {
		snprintf(line, sizeof line, "%s  %s\n", sum, weights);
		st = fs_write_all(beside, line, strlen(line), e);
	}
	xfree(file);
	xfree(beside);
	return st;
}

enum st dial_run_sound(const char *dir, const struct sink *s, struct err *e)
{
	char *file = xprintf("%s/%s", dir, weights), *beside = xprintf("%s.sha256", file);
	char sum[SUM + 1], *was = NULL;
	size_t n = 0;
	enum st st = ST_OK;

	if (fs_is_file(beside)) {
		st = fs_read(beside, 1 << 12, &was, &n, e);
		st = st ? st : sum_of(sum, file, s, e);
		if (!st && (n < SUM || memcmp(was, sum, SUM) != 0))
			st = err_set(e, ST_FORMAT,
				"%s is not what was written there: the checkpoint is damaged, name "
				"another one of the run, or let bitdial train --resume write the "
				"next",
				file);
		big_free(was);
	}
	xfree(file);
	xfree(beside);
	return st;
}

struct dial_run dial_run_copy(const struct dial_run *r)
{
	struct dial_run c = *r;

	c.dir = r->dir ? xstrdup(r->dir) : NULL;
	c.formats = r->formats ? xstrdup(r->formats) : NULL;
	c.model = r->model ? xstrdup(r->model) : NULL;
	return c;
}

void dial_run_release(struct dial_run *r)
{
	xfree(r->dir);
	xfree(r->formats);
	xfree(r->model);
	*r = (struct dial_run){ .dir = NULL };
}
