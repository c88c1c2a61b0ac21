/* safetensors.c - see safetensors.h.  The rules, and where they are stricter than the
 * reference reader, follow the published format: u64 header length, UTF-8 JSON, data.
 */
#include "core/io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/json.h"

static const struct {
	const char *name;
	unsigned bits;
	int dtype; /* enum dtype, or -1: checked, but not read */
} types[] = {
	{ "F32", 32, DT_F32 },
	{ "F16", 16, DT_F16 },
	{ "BF16", 16, DT_BF16 },
	{ "U8", 8, DT_U8 },
	{ "BOOL", 8, -1 },
	{ "I8", 8, -1 },
	{ "I16", 16, -1 },
	{ "U16", 16, -1 },
	{ "I32", 32, -1 },
	{ "U32", 32, -1 },
	{ "I64", 64, -1 },
	{ "U64", 64, -1 },
	{ "F64", 64, -1 },
	{ "C64", 64, -1 },
	{ "F8_E4M3", 8, -1 },
	{ "F8_E5M2", 8, -1 },
	{ "F8_E8M0", 8, -1 },
	{ "F8_E4M3FNUZ", 8, -1 },
	{ "F8_E5M2FNUZ", 8, -1 },
	{ "F6_E2M3", 6, -1 },
	{ "F6_E3M2", 6, -1 },
	{ "F4", 4, -1 },
};

enum { TYPES = sizeof types / sizeof *types };

#define MAX_HEADER   ((uint64_t)100000000) /* as the reference reader */
#define MAX_METADATA ((size_t)1 << 20)
#define MAX_DIM      ((uint64_t)1 << 48)

const char *safetensors_type(const struct st_entry *x)
{
	return types[x->type].name;
}

void safetensors_release(struct safetensors *s)
{
	big_free(s->entry);
	arena_release(&s->arena);
	*s = (struct safetensors){ 0 };
}

/* ---- the JSON */

static enum st bad_json(const struct jpull *p, const char *what, struct err *e)
{
	if (p->err.msg[0])
		return err_set(e, ST_FORMAT, "%s", p->err.msg);
	return err_set(
		e, ST_FORMAT, "%s: at byte %zu of the header: expected %s", p->where, p->at, what);
}

/* A string array's worth of keys, to find one that is there twice. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The strings of __metadata__ are for people; only their form is checked. */
static enum st read_metadata(struct jpull *p, struct arena *a, struct err *e)
{
	const char **keys = NULL;
	size_t n = 0, cap = 0, from = p->at;
	enum jtok t;
	enum st st = ST_OK;

	if (jpull_next(p) != JT_OBJECT)
		return bad_json(p, "an object after __metadata__", e);
	while (!st && (t = jpull_next(p)) == JT_KEY) {
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			keys = xrealloc(keys, cap * sizeof *keys);
		}
		keys[n++] = arena_strndup(a, p->text, p->len);
		if (jpull_next(p) != JT_STRING)
			st = bad_json(p, "a string in __metadata__", e);
		else if (p->at - from > MAX_METADATA)
			st = err_set(
				e, ST_FORMAT, "%s: __metadata__ takes more than 1 MiB", p->where);
	}
	if (!st && t != JT_OBJECT_END)
		st = bad_json(p, "a key or the end of __metadata__", e);
	if (!st && n > 1)
		qsort(keys, n, sizeof *keys, by_text);
	for (size_t i = 1; !st && i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			st = err_set(e, ST_FORMAT, "%s: key %.80s of __metadata__ is there twice",
				p->where, keys[i]);
	xfree(keys);
	return st;
}

static enum st read_type(struct jpull *p, struct st_entry *x, struct err *e)
{
	if (jpull_next(p) != JT_STRING)
		return bad_json(p, "the type as a string", e);
	for (int i = 0; i < TYPES; i++) {
		if (strlen(types[i].name) == p->len &&
			memcmp(types[i].name, p->text, p->len) == 0) {
			x->type = i;
			return ST_OK;
		}
	}
	return err_set(e, ST_UNSUPPORTED, "%s: tensor %.80s is of the unknown type %.40s", p->where,
		x->name, p->text);
}

static enum st read_shape(struct jpull *p, struct st_entry *x, struct err *e)
{
	enum jtok t;

	if (jpull_next(p) != JT_ARRAY)
		return bad_json(p, "the shape as an array", e);
	while ((t = jpull_next(p)) == JT_NUMBER) {
		if (!p->is_u64 || p->u64 > MAX_DIM)
			return err_set(e, ST_FORMAT,
				"%s: tensor %.80s: dimension %d is not a whole number up to 2^48",
				p->where, x->name, x->rank);
		if (x->rank == ENTRY_RANK)
			return err_set(e, ST_UNSUPPORTED,
				"%s: tensor %.80s has more than %d dimensions", p->where, x->name,
				ENTRY_RANK);
		x->dim[x->rank++] = p->u64;
	}
	return t == JT_ARRAY_END ? ST_OK : bad_json(p, "a whole number in the shape", e);
}

static enum st read_offsets(struct jpull *p, struct st_entry *x, struct err *e)
{
	uint64_t v[2] = { 0 };

	if (jpull_next(p) != JT_ARRAY)
		return bad_json(p, "data_offsets as an array", e);
	for (int i = 0; i < 2; i++) {
		if (jpull_next(p) != JT_NUMBER || !p->is_u64)
			return bad_json(p, "two whole numbers in data_offsets", e);
		v[i] = p->u64;
	}
	if (jpull_next(p) != JT_ARRAY_END)
		return bad_json(p, "two whole numbers in data_offsets", e);
	x->begin = v[0];
	x->end = v[1];
	return ST_OK;
}

static enum st read_entry(struct jpull *p, struct st_entry *x, struct err *e)
{
	static const char *const field[3] = { "dtype", "shape", "data_offsets" };
	static enum st (*const read[3])(struct jpull *, struct st_entry *,
		struct err *) = { read_type, read_shape, read_offsets };
	unsigned seen = 0;
	enum jtok t;

	if (jpull_next(p) != JT_OBJECT)
		return bad_json(p, "an object for a tensor", e);
	while ((t = jpull_next(p)) == JT_KEY) {
		enum st st = ST_OK;
		unsigned i = 0;

		while (i < 3 && strcmp(field[i], p->text) != 0)
			i++;
		if (i < 3 && seen & 1U << i)
			return err_set(e, ST_FORMAT, "%s: tensor %.80s has %s twice", p->where,
				x->name, field[i]);
		seen |= 1U << i;
		st = i < 3 ? read[i](p, x, e) : jpull_skip(p, e);
		if (st)
			return st;
	}
	if (t != JT_OBJECT_END)
		return bad_json(p, "a field of a tensor", e);
	for (unsigned i = 0; i < 3; i++)
		if (!(seen & 1U << i))
			return err_set(e, ST_FORMAT, "%s: tensor %.80s has no %s", p->where,
				x->name, field[i]);
	return ST_OK;
}

static enum st new_entry(
	struct safetensors *s, struct jpull *p, struct st_entry **out, struct err *e)
{
	size_t room;
	char *name;

	if (p->len == 0 || memchr(p->text, 0, p->len))
		return err_set(
			e, ST_FORMAT, "%s: a tensor's name is empty or holds a NUL", p->where);
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct st_entry *grown = big_array(cap, sizeof *grown, "list of tensors", e);

		if (!grown)
			return ST_NOMEM;
		if (s->n)
			memcpy(grown, s->entry, s->n * sizeof *grown);
		big_free(s->entry);
		s->entry = grown;
		s->cap = cap;
	}
	if (!size_add(&room, p->len, 1))
		return err_set(e, ST_NOMEM, "%s: a name is too long", p->where);
	name = arena_try(&s->arena, room, 1, "names of tensors", e);
	if (!name)
		return ST_NOMEM;
	memcpy(name, p->text, p->len);
	*out = &s->entry[s->n++];
	**out = (struct st_entry){ .name = name, .len = p->len };
	return ST_OK;
}

static enum st read_json(struct safetensors *s, struct jpull *p, struct err *e)
{
	bool metadata = false;
	enum jtok t;

	if (jpull_next(p) != JT_OBJECT)
		return bad_json(p, "an object", e);
	while ((t = jpull_next(p)) == JT_KEY) {
		struct st_entry *x = NULL;
		enum st st;

		if (strcmp(p->text, "__metadata__") == 0) {
			if (metadata)
				return err_set(
					e, ST_FORMAT, "%s: __metadata__ is there twice", p->where);
			metadata = true;
			st = read_metadata(p, &s->arena, e);
		} else {
			st = new_entry(s, p, &x, e);
			st = st ? st : read_entry(p, x, e);
		}
		if (st)
			return st;
	}
	if (t != JT_OBJECT_END)
		return bad_json(p, "the name of a tensor", e);
	return jpull_next(p) == JT_END ? ST_OK : bad_json(p, "nothing after the object", e);
}

/* ---- sizes and places */

static enum st check_size(const struct st_entry *x, const char *where, struct err *e)
{
	size_t n = 1;

	for (int i = 0; i < x->rank; i++)
		if (!size_mul(&n, n, x->dim[i]))
			return err_set(e, ST_FORMAT, "%s: tensor %.80s has too many elements",
				where, x->name);
	if (!size_mul(&n, n, types[x->type].bits))
		return err_set(
			e, ST_FORMAT, "%s: tensor %.80s has too many elements", where, x->name);
	if (n % 8)
		return err_set(e, ST_FORMAT, "%s: tensor %.80s does not end at a whole byte", where,
			x->name);
	if (x->end < x->begin || x->end - x->begin != n / 8)
		return err_set(e, ST_FORMAT,
			"%s: tensor %.80s: its type and shape take %zu bytes, its offsets are %llu "
			"and "
			"%llu",
			where, x->name, n / 8, (unsigned long long)x->begin,
			(unsigned long long)x->end);
	return ST_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct st_entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_entry *)a)->name, ((const struct st_entry *)b)->name);
}

static enum st check_places(struct safetensors *s, const struct ck_file *f, struct err *e)
{
	uint64_t at = 0, room = f->map.size - s->data;

	if (s->n)
		qsort(s->entry, s->n, sizeof *s->entry, by_place);
	for (size_t i = 0; i < s->n; i++) {
		const struct st_entry *x = &s->entry[i];
		enum st st = check_size(x, f->base, e);

		if (st)
			return st;
		if (x->begin != at)
			return err_set(e, ST_FORMAT,
				"%s: tensor %.80s begins at %llu, the tensors before it end at "
				"%llu",
				f->base, x->name, (unsigned long long)x->begin,
				(unsigned long long)at);
		if (x->end > room)
			return err_set(e, ST_FORMAT,
				"%s: tensor %.80s ends at %llu of %llu bytes of data: the file is "
				"truncated",
				f->base, x->name, (unsigned long long)x->end,
				(unsigned long long)room);
		at = x->end;
	}
	if (at != room)
		return err_set(e, ST_FORMAT, "%s: %llu bytes after the last tensor belong to none",
			f->base, (unsigned long long)(room - at));
	if (s->n)
		qsort(s->entry, s->n, sizeof *s->entry, by_name);
	for (size_t i = 1; i < s->n; i++)
		if (strcmp(s->entry[i - 1].name, s->entry[i].name) == 0)
			return err_set(e, ST_FORMAT, "%s: tensor %.80s is there twice", f->base,
				s->entry[i].name);
	return ST_OK;
}

/* The header's text, big_alloc'ed. */
static enum st read_header(
	const struct ck_file *f, struct sha256 *sha, char **out, size_t *len, struct err *e)
{
	unsigned char raw[8];
	uint64_t n = 0;
	enum st st;

	if (f->map.size < 8)
		return err_set(e, ST_FORMAT,
			"%s: a safetensors file has at least 8 bytes, this one has %zu", f->base,
			f->map.size);
	st = ck_pread(f, raw, 8, 0, e);
	if (st)
		return st;
	for (int i = 0; i < 8; i++)
		n |= (uint64_t)raw[i] << 8 * i;
	if (n > MAX_HEADER)
		return err_set(e, ST_FORMAT,
			"%s: a header of %llu bytes is above the limit of %llu", f->base,
			(unsigned long long)n, (unsigned long long)MAX_HEADER);
	if (n > f->map.size - 8)
		return err_set(e, ST_FORMAT,
			"%s: the header should take %llu bytes, %zu are left in the file: it is "
			"truncated or no safetensors file",
			f->base, (unsigned long long)n, f->map.size - 8);
	if (n == 0)
		return err_set(e, ST_FORMAT, "%s: the header is empty", f->base);
	*out = big_alloc(n, "safetensors header", e);
	if (!*out)
		return ST_NOMEM;
	*len = n;
	st = ck_pread(f, *out, n, 8, e);
	sha256_add(sha, raw, 8);
	if (!st)
		sha256_add(sha, *out, n);
	return st;
}

enum st safetensors_read(
	struct safetensors *s, const struct ck_file *f, struct sha256 *sha, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	struct jpull p;
	enum st st;

	*s = (struct safetensors){ 0 };
	arena_init(&s->arena, 0);
	st = read_header(f, sha, &text, &n, e);
	if (!st) {
		s->data = 8 + n;
		jpull_init(&p, f->base, text, n);
		st = read_json(s, &p, e);
		jpull_release(&p);
	}
	big_free(text);
	return st ? st : check_places(s, f, e);
}

bool safetensors_tensor(const struct safetensors *s, const struct st_entry *x,
	const struct ck_file *f, struct tensor *out)
{
	if (types[x->type].dtype < 0 || x->rank > 4)
		return false;
	*out = (struct tensor){ .dtype = (enum dtype)types[x->type].dtype, .rank = x->rank };
	memcpy(out->dim, x->dim, sizeof out->dim);
	out->data = f->map.data + s->data + x->begin;
	out->bytes = x->end - x->begin;
	return true;
}
