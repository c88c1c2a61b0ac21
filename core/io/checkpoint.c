/* checkpoint.c - opening and closing, and the parts that all readers share. */
#include "core/io/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/checked.h"
#include "core/base/sha256.h"
#include "core/io/reader.h"

static const char known[] = "known are a .gguf, a .safetensors, a llama2.c .bin, a Hugging Face "
			    "folder and a folder that bitdial exported";

const char *ck_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

bool ck_ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

enum st ck_strndup(struct checkpoint *c, const char **out, const char *s, size_t n, struct err *e)
{
	size_t room;
	char *to;

	if (!size_add(&room, n, 1))
		return err_set(e, ST_NOMEM, "a string of %zu bytes is too long", n);
	to = arena_try(&c->arena, room, 1, "names of the model file", e);
	if (!to)
		return ST_NOMEM;
	memcpy(to, s, n);
	to[n] = '\0';
	*out = to;
	return ST_OK;
}

enum st ck_reserve_files(struct checkpoint *c, size_t n, struct err *e)
{
	struct checkpoint_files *f = c->files;

	f->file = arena_try(&c->arena, n, sizeof *f->file, "list of weight files", e);
	if (!f->file)
		return ST_NOMEM;
	f->cap = n;
	return ST_OK;
}

enum st ck_add_file(struct checkpoint *c, const char *path, struct ck_file **out, struct err *e)
{
	struct checkpoint_files *all = c->files;
	struct ck_file *f = &all->file[all->n];
	enum st st = ck_strndup(c, &f->path, path, strlen(path), e);

	if (!st)
		st = fs_map_open(&f->map, path, e);
	if (st)
		return st;
	f->base = ck_base(f->path);
	if (all->n++ == 0)
		c->id = f->map.id;
	c->file_bytes += f->map.size;
	*out = f;
	return ST_OK;
}

static enum st read_fully(
	int fd, const struct ck_file *f, unsigned char *to, size_t n, size_t at, struct err *e)
{
	struct stat s;

	if (fstat(fd, &s) != 0 || s.st_dev != f->map.id.dev || s.st_ino != f->map.id.ino ||
		(uint64_t)s.st_size != f->map.id.size)
		return err_set(e, ST_IO, "%s changed while it was being opened", f->base);
	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, ST_IO, "%s: cannot read %zu bytes at %zu: %s", f->base, n,
				at, strerror(errno));
		if (got == 0)
			return err_set(
				e, ST_IO, "%s: became shorter while it was being read", f->base);
		to += got;
		at += (size_t)got;
		n -= (size_t)got;
	}
	return ST_OK;
}

enum st ck_pread(const struct ck_file *f, void *to, size_t n, size_t at, struct err *e)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum st st;

	if (fd < 0)
		return err_set(e, ST_IO, "%s: cannot open: %s", f->base, strerror(errno));
	st = read_fully(fd, f, to, n, at, e);
	close(fd);
	return st;
}

bool ck_tensor_bytes(enum dtype t, int rank, const uint64_t *dim, size_t *bytes)
{
	size_t block = dtype_block(t), total = 1;

	for (int i = 0; i < rank; i++) {
		size_t n = dim[i];

		if (i == rank - 1) {
			if (n % block)
				return false;
			n /= block;
		}
		if (!size_mul(&total, total, n))
			return false;
	}
	if (rank == 0 && block > 1)
		return false;
	return size_mul(bytes, total, dtype_block_bytes(t));
}

enum st ck_put_tensor(struct checkpoint *c, const struct tensor *t, const char *ours, struct err *e)
{
	struct checkpoint_files *f = c->files;

	if (f->n_list == f->cap_list) {
		size_t cap = f->cap_list ? f->cap_list * 2 : 256;
		struct tensor *grown = big_array(cap, sizeof *grown, "list of tensors", e);

		if (!grown)
			return ST_NOMEM;
		if (f->n_list)
			memcpy(grown, f->list, f->n_list * sizeof *grown);
		big_free(f->list);
		f->list = grown;
		f->cap_list = cap;
	}
	f->list[f->n_list] = *t;
	f->list[f->n_list++].name = ours;
	return ST_OK;
}

enum st ck_add_tensor(struct checkpoint *c, const struct tensor *t, enum naming by,
	const char *name, size_t n, struct err *e)
{
	char ours[NAMING_MAX];
	const char *kept;
	enum st st;

	if (naming_ours(by, name, n, ours))
		st = ck_strndup(c, &kept, ours, strlen(ours), e);
	else
		st = ck_strndup(c, &kept, name, n, e);
	return st ? st : ck_put_tensor(c, t, kept, e);
}

/* ---- opening */

/* What path is, and its first bytes; a folder has none. */
static enum st look(const char *path, unsigned char *head, size_t *n, bool *dir, struct err *e)
{
	struct stat s;
	ssize_t got;
	int fd;

	*n = 0;
	*dir = false;
	if (stat(path, &s) != 0)
		return err_set(e, ST_IO, "cannot open %s: %s", path, strerror(errno));
	*dir = S_ISDIR(s.st_mode);
	if (*dir)
		return ST_OK;
	if (!S_ISREG(s.st_mode))
		return err_set(e, ST_UNSUPPORTED, "%s is neither a file nor a folder; %s",
			ck_base(path), known);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, ST_IO, "cannot open %s: %s", path, strerror(errno));
	do
		got = pread(fd, head, 64, 0);
	while (got < 0 && errno == EINTR);
	close(fd);
	if (got < 0)
		return err_set(e, ST_IO, "cannot read %s: %s", path, strerror(errno));
	*n = (size_t)got;
	return ST_OK;
}

/* A folder without config.json: a run, a folder of downloads, a mistake. */
static enum st folder_unknown(const char *path, struct err *e)
{
	char **names = NULL;
	size_t n = 0;
	const char *gguf = NULL;
	enum st st = fs_list(path, &names, &n, e);

	if (st)
		return st;
	for (size_t i = 0; i < n; i++)
		if (!gguf && ck_ends_with(names[i], ".gguf"))
			gguf = names[i];
	if (gguf)
		st = err_set(e, ST_UNSUPPORTED,
			"folder %s has no config.json; open %s in it instead", ck_base(path), gguf);
	else
		st = err_set(e, ST_UNSUPPORTED,
			"folder %s has no config.json, so it is no model; %s", ck_base(path),
			known);
	for (size_t i = 0; i < n; i++)
		xfree(names[i]);
	xfree(names);
	return st;
}

/* For people: the last part of the path, "." and ".." resolved. */
static enum st set_name(struct checkpoint *c, const char *path, struct err *e)
{
	char *real = fs_real(path);
	const char *base = ck_base(real);
	enum st st = ck_strndup(c, &c->name, base, strlen(base), e);

	xfree(real);
	return st;
}

static enum st open_as(
	struct checkpoint **out, const struct io_format *f, const char *path, struct err *e)
{
	struct checkpoint *c = xalloc(sizeof *c);
	enum st st;

	arena_init(&c->arena, 0);
	c->files = xalloc(sizeof *c->files);
	c->kind = f->name;
	st = ck_strndup(c, &c->path, path, strlen(path), e);
	if (!st)
		st = set_name(c, path, e);
	if (!st)
		st = f->open(c, path, e);
	if (st) {
		checkpoint_close(c);
		return st;
	}
	*out = c;
	return ST_OK;
}

enum st checkpoint_open(struct checkpoint **out, const char *path, struct err *e)
{
	unsigned char head[64];
	size_t n;
	bool dir;
	enum st st = look(path, head, &n, &dir, e);

	*out = NULL;
	if (st)
		return st;
	for (size_t i = 0; io_formats[i]; i++) {
		if (io_formats[i]->recognise(path, dir ? NULL : head, n))
			return open_as(out, io_formats[i], path, e);
	}
	if (dir)
		return folder_unknown(path, e);
	return err_set(e, ST_UNSUPPORTED, "%s is of no known form; %s", ck_base(path), known);
}

void checkpoint_close(struct checkpoint *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->files->n; i++)
		fs_map_close(&c->files->file[i].map);
	big_free(c->files->list);
	xfree(c->files);
	arena_release(&c->arena);
	xfree(c);
}

/* ---- using */

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct tensor *)item)->name);
}

const struct tensor *checkpoint_find(const struct checkpoint *c, const char *name)
{
	if (!c->n_tensors)
		return NULL;
	return bsearch(name, c->tensors, c->n_tensors, sizeof *c->tensors, by_name);
}

static int stored_by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct stored_entry *)item)->name);
}

bool checkpoint_stored(const struct checkpoint *c, const char *name, struct stored_int *out)
{
	const struct checkpoint_files *f = c->files;
	const struct stored_entry *hit;

	if (!f->n_stored)
		return false;
	hit = bsearch(name, f->stored, f->n_stored, sizeof *f->stored, stored_by_name);
	if (hit && out)
		*out = hit->how;
	return hit;
}

enum st checkpoint_unchanged(const struct checkpoint *c, struct err *e)
{
	for (size_t i = 0; i < c->files->n; i++) {
		const struct ck_file *f = &c->files->file[i];
		struct fs_id now;
		enum st st = fs_identify(f->path, &now, e);

		if (st)
			return err_at(e, st, "the model changed on disk");
		if (!fs_id_equal(&now, &f->map.id))
			return err_set(e, ST_IO,
				"%s changed on disk since it was opened; open the model again",
				f->base);
	}
	return ST_OK;
}

void checkpoint_hash_step(const struct checkpoint *c, struct sha256 *s, uint64_t *at, size_t max)
{
	uint64_t begin = 0;

	if (*at == 0)
		sha256_start(s);
	for (size_t i = 0; i < c->files->n && max; i++) {
		const struct fs_map *m = &c->files->file[i].map;

		if (*at < begin + m->size) {
			size_t from = (size_t)(*at - begin);
			size_t n = m->size - from < max ? m->size - from : max;

			sha256_add(s, m->data + from, n);
			*at += n;
			max -= n;
		}
		begin += m->size;
	}
}
