/* gguf.c - parsing the header of a GGUF file; see gguf.h.
 *
 * Limits are reliability rules of this program, tighter than the format's: a string of
 * 16 MiB, 65,536 keys, 131,072 tensors, a header of 512 MiB, arrays nested twice.
 */
#include "core/io/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"

#define MAX_HEADER ((size_t)512 << 20)
#define MAX_STRING ((uint64_t)16 << 20)
#define MAX_DIM    ((uint64_t)1 << 40)

enum {
	FIRST_READ = 4 << 20, /* more than most headers take, vocabulary included */
	MAX_KV = 65536,
	MAX_TENSORS = 131072,
	MAX_KEY = 65535,
	MAX_NAME = 64, /* ggml's, with its NUL */
	MIN_KV_BYTES = 13,
	MIN_INFO_BYTES = 24,
	MAX_ALIGN = 65536,
	MAX_NESTING = 2
};

/* Smallest number of bytes an element can take; exactly that but for strings and arrays. */
static const size_t type_bytes[GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8 };

/* ---- a cursor over the copy of the header, which grows as it is needed */

struct cursor {
	const struct ck_file *f;
	unsigned char *buf;
	size_t have, at; /* at <= have */
};

static enum st grow(struct cursor *c, size_t end, struct err *e)
{
	size_t want = c->have ? c->have : FIRST_READ / 2;
	unsigned char *to;

	while (want < end || want < FIRST_READ)
		want *= 2; /* end is at most MAX_HEADER */
	if (want > c->f->map.size)
		want = c->f->map.size;
	to = big_alloc(want, "GGUF header", e);
	if (!to)
		return ST_NOMEM;
	if (c->have)
		memcpy(to, c->buf, c->have);
	big_free(c->buf);
	c->buf = to;
	if (ck_pread(c->f, to + c->have, want - c->have, c->have, e))
		return ST_IO;
	c->have = want;
	return ST_OK;
}

/* Makes bytes at ... at + n readable in buf. */
static enum st need(struct cursor *c, uint64_t n, const char *what, struct err *e)
{
	size_t left = c->f->map.size - c->at;

	if (n > left)
		return err_set(e, ST_FORMAT,
			"%s: at byte %zu: %s takes %llu bytes, %zu are left in the file",
			c->f->base, c->at, what, (unsigned long long)n, left);
	if (n > MAX_HEADER - c->at)
		return err_set(e, ST_FORMAT, "%s: the header goes on beyond 512 MiB", c->f->base);
	return c->at + n <= c->have ? ST_OK : grow(c, c->at + n, e);
}

static enum st get(struct cursor *c, size_t n, uint64_t *v, const char *what, struct err *e)
{
	enum st st = need(c, n, what, e);

	if (st)
		return st;
	*v = gguf_le(c->buf + c->at, n);
	c->at += n;
	return ST_OK;
}

/* A length and that many bytes. */
static enum st get_string(
	struct cursor *c, uint64_t max, size_t *at, size_t *len, const char *what, struct err *e)
{
	uint64_t n;
	size_t from = c->at;
	enum st st = get(c, 8, &n, what, e);

	if (st)
		return st;
	if (n > max)
		return err_set(e, ST_FORMAT,
			"%s: at byte %zu: %s has a length of %llu bytes, above the limit of %llu",
			c->f->base, from, what, (unsigned long long)n, (unsigned long long)max);
	st = need(c, n, what, e);
	if (st)
		return st;
	*at = c->at;
	*len = n;
	c->at += n;
	return ST_OK;
}

static enum st get_type(struct cursor *c, enum gguf_type *t, struct err *e)
{
	uint64_t v;
	size_t from = c->at;
	enum st st = get(c, 4, &v, "the type of a value", e);

	if (st)
		return st;
	if (v >= GGUF_TYPES)
		return err_set(e, ST_FORMAT, "%s: at byte %zu: %llu is no type of a value",
			c->f->base, from, (unsigned long long)v);
	*t = (enum gguf_type)v;
	return ST_OK;
}

/* ---- keys and values */

static enum st skip_bools(struct cursor *c, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (c->buf[c->at + i] > 1)
			return err_set(e, ST_FORMAT, "%s: at byte %zu: a bool is %d", c->f->base,
				c->at + i, c->buf[c->at + i]);
	c->at += n;
	return ST_OK;
}

static enum st skip_array(
	struct cursor *c, enum gguf_type *elem, uint64_t *count, int depth, struct err *e)
{
	size_t from = c->at, bytes, at, len;
	enum st st = get_type(c, elem, e);

	st = st ? st : get(c, 8, count, "the length of an array", e);
	if (st)
		return st;
	if (*count > (c->f->map.size - c->at) / type_bytes[*elem])
		return err_set(e, ST_FORMAT,
			"%s: at byte %zu: an array of %llu elements does not fit into the %zu "
			"bytes "
			"left",
			c->f->base, from, (unsigned long long)*count, c->f->map.size - c->at);
	if (*elem == GGUF_ARRAY && depth == MAX_NESTING)
		return err_set(e, ST_FORMAT, "%s: at byte %zu: arrays are nested more than %d deep",
			c->f->base, from, MAX_NESTING);
	if (*elem != GGUF_STRING && *elem != GGUF_ARRAY) {
		bytes = *count * type_bytes[*elem]; /* at most the file: cannot wrap */
		st = need(c, bytes, "an array", e);
		if (st)
			return st;
		if (*elem == GGUF_BOOL)
			return skip_bools(c, bytes, e);
		c->at += bytes;
		return ST_OK;
	}
	for (uint64_t i = 0; !st && i < *count; i++) {
		enum gguf_type inner;
		uint64_t n;

		if (*elem == GGUF_STRING)
			st = get_string(c, MAX_STRING, &at, &len, "a string", e);
		else
			st = skip_array(c, &inner, &n, depth + 1, e);
	}
	return st;
}

static enum st get_kv(struct cursor *c, struct gguf_kv *kv, struct err *e)
{
	size_t from = c->at, at;
	enum st st = get_string(c, MAX_KEY, &kv->key_at, &kv->key_len, "a key", e);

	if (st)
		return st;
	if (kv->key_len == 0 ||
		utf8_first_bad((char *)c->buf + kv->key_at, kv->key_len) < kv->key_len)
		return err_set(e, ST_FORMAT, "%s: at byte %zu: a key is empty or not UTF-8",
			c->f->base, from);
	st = get_type(c, &kv->type, e);
	if (st)
		return st;
	kv->count = 1;
	kv->at = c->at;
	if (kv->type == GGUF_STRING) {
		st = get_string(c, MAX_STRING, &at, &kv->bytes, "a string", e);
		kv->count = kv->bytes;
		kv->at = at;
	} else if (kv->type == GGUF_ARRAY) {
		st = skip_array(c, &kv->elem, &kv->count, 1, e);
		kv->at += 12;
		kv->bytes = st ? 0 : c->at - kv->at;
	} else {
		kv->bytes = type_bytes[kv->type];
		st = need(c, kv->bytes, "a value", e);
		if (!st && kv->type == GGUF_BOOL)
			return skip_bools(c, 1, e);
		c->at += st ? 0 : kv->bytes;
	}
	return st;
}

static int by_key(const void *a, const void *b)
{
	const struct gguf_kv *x = a, *y = b;

	return gguf_compare(x->key, x->key_len, y->key, y->key_len);
}

static enum st sort_keys(struct gguf *g, struct err *e)
{
	for (size_t i = 0; i < g->n_kv; i++)
		g->kv[i].key = (const char *)g->head + g->kv[i].key_at;
	if (g->n_kv)
		qsort(g->kv, g->n_kv, sizeof *g->kv, by_key);
	for (size_t i = 1; i < g->n_kv; i++)
		if (by_key(&g->kv[i - 1], &g->kv[i]) == 0)
			return err_set(e, ST_FORMAT, "%s: key %.*s is there twice", g->where,
				g->kv[i].key_len > 80 ? 80 : (int)g->kv[i].key_len, g->kv[i].key);
	return ST_OK;
}

/* ---- tensors */

static enum st get_dims(struct cursor *c, struct gguf_info *x, struct err *e)
{
	uint64_t n, d[4];
	size_t from = c->at;
	enum st st = get(c, 4, &n, "the rank of a tensor", e);

	if (st)
		return st;
	if (n < 1 || n > 4)
		return err_set(e, ST_FORMAT,
			"%s: at byte %zu: a tensor has %llu dimensions, not 1 to 4", c->f->base,
			from, (unsigned long long)n);
	for (uint64_t i = 0; i < n; i++) {
		st = get(c, 8, &d[i], "a dimension of a tensor", e);
		if (st)
			return st;
		if (d[i] > MAX_DIM)
			return err_set(e, ST_FORMAT,
				"%s: at byte %zu: a dimension of a tensor is %llu, above 2^40",
				c->f->base, c->at - 8, (unsigned long long)d[i]);
	}
	x->t.rank = (int)n;
	for (uint64_t i = 0; i < n; i++)
		x->t.dim[i] = d[n - 1 - i];
	return ST_OK;
}

static enum st get_dtype(struct cursor *c, struct gguf_info *x, struct err *e)
{
	int len = (int)x->name_len;
	const char *type;
	uint64_t v, row;
	int dtype;
	enum st st = get(c, 4, &v, "the type of a tensor", e);
	const char *name = (const char *)c->buf + x->name_at;

	if (st)
		return st;
	type = gguf_tensor_type(v, &dtype);
	if (!type)
		return err_set(e, ST_UNSUPPORTED, "%s: tensor %.*s is of the unknown type %llu",
			c->f->base, len, name, (unsigned long long)v);
	if (dtype < 0)
		return err_set(e, ST_UNSUPPORTED,
			"%s: tensor %.*s is of type %s; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
			"Q5_1, "
			"Q4_K and Q6_K are read",
			c->f->base, len, name, type);
	x->t.dtype = (enum dtype)dtype;
	row = x->t.dim[x->t.rank - 1];
	if (row % dtype_block(x->t.dtype))
		return err_set(e, ST_FORMAT,
			"%s: tensor %.*s: rows of %llu are not whole blocks of %s", c->f->base, len,
			name, (unsigned long long)row, type);
	if (!ck_tensor_bytes(x->t.dtype, x->t.rank, x->t.dim, &x->t.bytes))
		return err_set(
			e, ST_FORMAT, "%s: the size of tensor %.*s wraps", c->f->base, len, name);
	return ST_OK;
}

/* sum: where the tensors before it end, padded. */
static enum st get_info(
	struct cursor *c, struct gguf_info *x, size_t align, size_t *sum, struct err *e)
{
	size_t from = c->at, end;
	uint64_t at;
	enum st st =
		get_string(c, MAX_NAME - 1, &x->name_at, &x->name_len, "the name of a tensor", e);
	const char *name = (const char *)c->buf + x->name_at;

	if (st)
		return st;
	if (x->name_len == 0 || utf8_first_bad(name, x->name_len) < x->name_len ||
		memchr(name, 0, x->name_len))
		return err_set(e, ST_FORMAT,
			"%s: at byte %zu: the name of a tensor is empty or not UTF-8", c->f->base,
			from);
	st = get_dims(c, x, e);
	st = st ? st : get_dtype(c, x, e);
	st = st ? st : get(c, 8, &at, "the offset of a tensor", e);
	if (st)
		return st;
	name = (const char *)c->buf + x->name_at;
	if (at != *sum)
		return err_set(e, ST_FORMAT,
			"%s: tensor %.*s begins at %llu, the tensors before it end at %zu",
			c->f->base, (int)x->name_len, name, (unsigned long long)at, *sum);
	x->at = at;
	if (!size_add(&end, *sum, x->t.bytes) || !size_align_up(sum, end, align))
		return err_set(e, ST_FORMAT, "%s: the sizes of the tensors wrap at %.*s",
			c->f->base, (int)x->name_len, name);
	return ST_OK;
}

static enum st place(struct gguf *g, const struct ck_file *f, size_t sum, struct err *e)
{
	size_t data, end;

	if (g->n_info == 0)
		return ST_OK; /* a vocabulary only; its padding need not be there */
	if (!size_align_up(&data, g->n, g->align) || !size_add(&end, data, sum))
		return err_set(e, ST_FORMAT, "%s: the sizes of the tensors wrap", g->where);
	for (size_t i = 0; i < g->n_info; i++) {
		struct gguf_info *x = &g->info[i];
		size_t last;

		x->name = (const char *)g->head + x->name_at;
		if (!size_add(&last, x->at, x->t.bytes) || !size_add(&last, last, data) ||
			last > f->map.size)
			return err_set(e, ST_FORMAT,
				"%s: tensor %.*s ends beyond the file of %zu bytes: it is "
				"truncated",
				g->where, (int)x->name_len, x->name, f->map.size);
		x->t.data = f->map.data + data + x->at;
	}
	if (f->map.size > end)
		return err_set(e, ST_FORMAT, "%s: %zu bytes after the last tensor belong to none",
			g->where, f->map.size - end);
	return ST_OK;
}

/* ---- the whole header */

static enum st get_start(
	struct cursor *c, struct gguf *g, uint64_t *kvs, uint64_t *infos, struct err *e)
{
	uint64_t v;
	enum st st;

	if (c->f->map.size == 0)
		return err_set(e, ST_FORMAT, "%s: the file is empty", c->f->base);
	st = get(c, 4, &v, "the magic", e);
	if (st)
		return st;
	if (memcmp(c->buf, "GGUF", 4) != 0)
		return err_set(e, ST_FORMAT, "%s: does not begin with GGUF, so it is no GGUF file",
			c->f->base);
	st = get(c, 4, &v, "the version", e);
	if (st)
		return st;
	if (v && (v & 0xffff) == 0)
		return err_set(e, ST_UNSUPPORTED,
			"%s: written for a big-endian machine, which is not read here", c->f->base);
	if (v != 2 && v != 3)
		return err_set(e, ST_UNSUPPORTED,
			"%s: GGUF version %llu is not read here, 2 and 3 are", c->f->base,
			(unsigned long long)v);
	g->version = (uint32_t)v;
	st = get(c, 8, infos, "the number of tensors", e);
	st = st ? st : get(c, 8, kvs, "the number of keys", e);
	if (st)
		return st;
	if (*kvs > MAX_KV || *kvs > (c->f->map.size - c->at) / MIN_KV_BYTES)
		return err_set(e, ST_FORMAT,
			"%s: %llu keys do not fit into the %zu bytes left, or are above the limit "
			"of %d",
			c->f->base, (unsigned long long)*kvs, c->f->map.size - c->at, MAX_KV);
	if (*infos > MAX_TENSORS || *infos > (c->f->map.size - c->at) / MIN_INFO_BYTES)
		return err_set(e, ST_FORMAT,
			"%s: %llu tensors do not fit into the %zu bytes left, or are above the "
			"limit "
			"of %d",
			c->f->base, (unsigned long long)*infos, c->f->map.size - c->at,
			MAX_TENSORS);
	return ST_OK;
}

static enum st get_align(struct gguf *g, struct err *e)
{
	uint64_t v = 32;
	enum st st = gguf_u64(g, "general.alignment", 8, MAX_ALIGN, &v, e);

	if (!st && (v & (v - 1)))
		st = err_set(e, ST_FORMAT,
			"%s: general.alignment is %llu, which is no power of two", g->where,
			(unsigned long long)v);
	g->align = v;
	return st;
}

static enum st parse(struct cursor *c, struct gguf *g, struct err *e)
{
	uint64_t kvs = 0, infos = 0;
	size_t sum = 0;
	enum st st = get_start(c, g, &kvs, &infos, e);

	if (st)
		return st;
	g->kv = big_array(kvs ? kvs : 1, sizeof *g->kv, "keys of the header", e);
	g->info = big_array(infos ? infos : 1, sizeof *g->info, "list of tensors", e);
	if (!g->kv || !g->info)
		return ST_NOMEM;
	for (g->n_kv = 0; g->n_kv < kvs; g->n_kv++) {
		st = get_kv(c, &g->kv[g->n_kv], e);
		if (st)
			return st;
	}
	g->head = c->buf; /* for the getters; it may still move below */
	st = sort_keys(g, e);
	st = st ? st : get_align(g, e);
	for (; !st && g->n_info < infos; g->n_info++)
		st = get_info(c, &g->info[g->n_info], g->align, &sum, e);
	if (st)
		return st;
	g->head = c->buf;
	g->n = c->at;
	for (size_t i = 0; i < g->n_kv; i++)
		g->kv[i].key = (const char *)g->head + g->kv[i].key_at;
	return place(g, c->f, sum, e);
}

enum st gguf_read(struct gguf *g, const struct ck_file *f, struct err *e)
{
	struct cursor c = { .f = f };
	enum st st;

	*g = (struct gguf){ .where = f->base };
	st = parse(&c, g, e);
	g->head = c.buf;
	return st;
}

void gguf_release(struct gguf *g)
{
	big_free(g->head);
	big_free(g->kv);
	big_free(g->info);
	*g = (struct gguf){ 0 };
}
