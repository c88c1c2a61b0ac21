/* tensors.c - see tensors.h. */
#include "core/io/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/safetensors.h"

struct tensors {
	struct ck_file file;
	struct safetensors in;
	char *path;
};

enum st tensors_open(struct tensors **out, const char *path, struct err *e)
{
	struct tensors *t = xalloc(sizeof *t);
	struct sha256 sha; /* of the header; nobody asks for it here */
	enum st st;

	t->path = xstrdup(path);
	t->file.path = t->path;
	t->file.base = ck_base(t->path);
	sha256_start(&sha);
	st = fs_map_open(&t->file.map, path, e);
	if (!st)
		st = safetensors_read(&t->in, &t->file, &sha, e);
	if (st) {
		tensors_close(t);
		return st;
	}
	*out = t;
	return ST_OK;
}

void tensors_close(struct tensors *t)
{
	if (!t)
		return;
	safetensors_release(&t->in);
	fs_map_close(&t->file.map);
	xfree(t->path);
	xfree(t);
}

size_t tensors_count(const struct tensors *t)
{
	return t->in.n;
}

const char *tensors_name(const struct tensors *t, size_t i)
{
	return t->in.entry[i].name;
}

static int by_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct st_entry *)entry)->name);
}

bool tensors_find(const struct tensors *t, const char *name, struct tensor *out)
{
	const struct st_entry *x =
		t->in.n ? bsearch(name, t->in.entry, t->in.n, sizeof *t->in.entry, by_name) : NULL;

	if (!x || !safetensors_tensor(&t->in, x, &t->file, out))
		return false;
	out->name = x->name;
	return true;
}
