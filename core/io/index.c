/* index.c - see index.h. */
#include "core/io/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/json.h"

enum { MAX_SHARDS = 4096, MAX_INDEX = 64 << 20 };

void index_release(struct shard_index *x)
{
	big_free(x->entry);
	xfree(x->file);
	arena_release(&x->arena);
	*x = (struct shard_index){ 0 };
}

static enum st bad(const struct jpull *p, const char *what, struct err *e)
{
	if (p->err.msg[0])
		return err_set(e, ST_FORMAT, "%s", p->err.msg);
	return err_set(e, ST_FORMAT, "%s: byte %zu: expected %s", p->where, p->at, what);
}

static enum st keep(struct shard_index *x, const struct jpull *p, const char **out, struct err *e)
{
	char *to;
	size_t room;

	if (memchr(p->text, 0, p->len) || !size_add(&room, p->len, 1))
		return err_set(
			e, ST_FORMAT, "%s: byte %zu: a name that holds a NUL", p->where, p->at);
	to = arena_try(&x->arena, room, 1, "names of the index", e);
	if (!to)
		return ST_NOMEM;
	memcpy(to, p->text, p->len);
	*out = to;
	return ST_OK;
}

static enum st room_for_one(struct shard_index *x, struct err *e)
{
	size_t cap = x->cap ? x->cap * 2 : 256;
	struct shard_entry *grown;

	if (x->n < x->cap)
		return ST_OK;
	grown = big_array(cap, sizeof *grown, "index of the shards", e);
	if (!grown)
		return ST_NOMEM;
	if (x->n)
		memcpy(grown, x->entry, x->n * sizeof *grown);
	big_free(x->entry);
	x->entry = grown;
	x->cap = cap;
	return ST_OK;
}

static bool plain_name(const char *s)
{
	return s[0] && s[0] != '.' && !strchr(s, '/') && strlen(s) < 256;
}

static enum st read_map(struct shard_index *x, struct jpull *p, struct err *e)
{
	enum jtok t;

	if (jpull_next(p) != JT_OBJECT)
		return bad(p, "an object after weight_map", e);
	while ((t = jpull_next(p)) == JT_KEY) {
		struct shard_entry *to;
		enum st st = room_for_one(x, e);

		if (st)
			return st;
		to = &x->entry[x->n];
		st = keep(x, p, &to->tensor, e);
		if (st)
			return st;
		if (jpull_next(p) != JT_STRING)
			return bad(p, "the name of a shard as a string", e);
		st = keep(x, p, &to->file, e);
		if (st)
			return st;
		if (!plain_name(to->file))
			return err_set(e, ST_FORMAT,
				"%s: tensor %.80s is said to be in %.80s, which is not the plain "
				"name "
				"of a file",
				p->where, to->tensor, to->file);
		x->n++;
	}
	return t == JT_OBJECT_END ? ST_OK : bad(p, "the name of a tensor", e);
}

static enum st read_json(struct shard_index *x, struct jpull *p, struct err *e)
{
	bool seen = false;
	enum jtok t;

	if (jpull_next(p) != JT_OBJECT)
		return bad(p, "an object", e);
	while ((t = jpull_next(p)) == JT_KEY) {
		enum st st;

		if (strcmp(p->text, "weight_map") != 0) {
			st = jpull_skip(p, e);
		} else if (seen) {
			st = err_set(e, ST_FORMAT, "%s: weight_map is there twice", p->where);
		} else {
			seen = true;
			st = read_map(x, p, e);
		}
		if (st)
			return st;
	}
	if (t != JT_OBJECT_END)
		return bad(p, "a key", e);
	if (jpull_next(p) != JT_END)
		return bad(p, "nothing after the object", e);
	if (!x->n)
		return err_set(e, ST_FORMAT, "%s: weight_map is missing or empty", p->where);
	return ST_OK;
}

static int by_file(const void *a, const void *b)
{
	const struct shard_entry *x = a, *y = b;
	int d = strcmp(x->file, y->file);

	return d ? d : strcmp(x->tensor, y->tensor);
}

static int by_tensor(const void *a, const void *b)
{
	return strcmp(
		((const struct shard_entry *)a)->tensor, ((const struct shard_entry *)b)->tensor);
}

static enum st sort(struct shard_index *x, const char *where, struct err *e)
{
	size_t files = 1;

	qsort(x->entry, x->n, sizeof *x->entry, by_tensor);
	for (size_t i = 1; i < x->n; i++)
		if (strcmp(x->entry[i - 1].tensor, x->entry[i].tensor) == 0)
			return err_set(e, ST_FORMAT, "%s: tensor %.80s is there twice", where,
				x->entry[i].tensor);
	qsort(x->entry, x->n, sizeof *x->entry, by_file);
	for (size_t i = 1; i < x->n; i++)
		files += strcmp(x->entry[i - 1].file, x->entry[i].file) != 0;
	if (files > MAX_SHARDS)
		return err_set(e, ST_FORMAT, "%s: %zu shards are above the limit of %d", where,
			files, MAX_SHARDS);
	x->file = xarray(files, sizeof *x->file);
	for (size_t i = 0; i < x->n; i++)
		if (i == 0 || strcmp(x->entry[i - 1].file, x->entry[i].file) != 0)
			x->file[x->n_files++] = x->entry[i].file;
	return ST_OK;
}

enum st index_read(struct shard_index *x, const char *path, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	struct jpull p;
	enum st st;

	*x = (struct shard_index){ 0 };
	arena_init(&x->arena, 0);
	st = fs_read(path, MAX_INDEX, &text, &n, e);
	if (st)
		return st;
	jpull_init(&p, ck_base(path), text, n);
	st = read_json(x, &p, e);
	jpull_release(&p);
	big_free(text);
	return st ? st : sort(x, ck_base(path), e);
}

enum st index_check(
	const struct shard_index *x, const char *file, const struct safetensors *s, struct err *e)
{
	size_t at = 0;

	for (size_t i = 0; i < x->n; i++) {
		const char *want = x->entry[i].tensor;

		if (strcmp(x->entry[i].file, file) != 0)
			continue;
		while (at < s->n && strcmp(s->entry[at].name, want) < 0) /* both sorted */
			at++;
		if (at == s->n || strcmp(s->entry[at].name, want) != 0)
			return err_set(e, ST_FORMAT,
				"%s has no tensor %.80s, which the index says it has", file, want);
	}
	return ST_OK;
}

static bool inside(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* A downloaded snapshot links its files to ../../blobs of the same cache entry. */
static bool confined(const char *dir, const char *path)
{
	char *blobs = xprintf("%s/../../blobs", dir), *real = realpath(dir, NULL);
	char *real_blobs = realpath(blobs, NULL), *target = realpath(path, NULL);
	bool ok = target && real &&
		  (inside(real, target) || (real_blobs && inside(real_blobs, target)));

	free(real);
	free(real_blobs);
	free(target);
	xfree(blobs);
	return ok;
}

enum st index_shard_path(const char *dir, const char *file, char **path, struct err *e)
{
	*path = xprintf("%s/%s", dir, file);
	if (!fs_is_file(*path))
		return err_set(e, ST_IO, "%s is missing in folder %s, the index names it", file,
			ck_base(dir));
	if (!confined(dir, *path))
		return err_set(e, ST_FORMAT, "%s in folder %s is a link that leads out of it", file,
			ck_base(dir));
	return ST_OK;
}
