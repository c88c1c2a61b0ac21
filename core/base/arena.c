/* arena.c - chunks in a list, newest first; a thing larger than a chunk gets its own. */
#include "core/base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"

enum { ALIGN = 16, CHUNK_MIN = 16 << 10, CHUNK_MAX = 1 << 20 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap; /* of data */
	alignas(ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

void arena_release(struct arena *a)
{
	struct arena_chunk *c = a->chunks;

	while (c) {
		struct arena_chunk *next = c->next;

		big_free(c);
		c = next;
	}
	a->chunks = NULL;
	a->total = 0;
}

/* Bytes for n things, rounded up to ALIGN and at least that; false: it wraps. */
static bool rounded(size_t *bytes, size_t n, size_t size)
{
	return size_mul(bytes, n, size) && size_align_up(bytes, *bytes ? *bytes : 1, ALIGN);
}

/* A chunk for at least `bytes` more; false: its size wraps. */
static bool chunk_size(const struct arena *a, size_t bytes, size_t *cap, size_t *whole)
{
	size_t want = a->total < CHUNK_MIN ? CHUNK_MIN : a->total;

	*cap = want > CHUNK_MAX ? CHUNK_MAX : want;
	if (*cap < bytes)
		*cap = bytes;
	return size_add(whole, sizeof(struct arena_chunk), *cap);
}

static void push(struct arena *a, struct arena_chunk *c, size_t cap)
{
	c->cap = cap;
	c->used = 0;
	/* A large thing does not hide the room left in the chunk before it. */
	if (a->chunks && a->chunks->cap - a->chunks->used > cap / 2 && cap > CHUNK_MAX) {
		c->next = a->chunks->next;
		a->chunks->next = c;
		return;
	}
	c->next = a->chunks;
	a->chunks = c;
}

static bool fits(const struct arena_chunk *c, size_t bytes)
{
	return c && c->cap - c->used >= bytes;
}

static void *cut(struct arena *a, struct arena_chunk *c, size_t bytes)
{
	void *p = c->data + c->used;

	c->used += bytes;
	a->total += bytes;
	return p;
}

void *arena_take(struct arena *a, size_t n, size_t size)
{
	size_t bytes, cap, whole;
	struct arena_chunk *c = a->chunks;

	/* A size that wraps cannot be had: xalloc says so and ends the program. */
	if (!rounded(&bytes, n, size))
		bytes = SIZE_MAX & ~(size_t)(ALIGN - 1);
	if (fits(c, bytes))
		return cut(a, c, bytes);
	if (!chunk_size(a, bytes, &cap, &whole))
		whole = SIZE_MAX;
	c = xalloc(whole);
	push(a, c, cap);
	return cut(a, c, bytes);
}

void *arena_try(struct arena *a, size_t n, size_t size, const char *what, struct err *e)
{
	size_t bytes, cap, whole;
	struct arena_chunk *c = a->chunks;
	char b1[16], b2[16];

	if (!rounded(&bytes, n, size) || !chunk_size(a, bytes, &cap, &whole)) {
		err_set(e, ST_NOMEM, "%s: %zu items of %zu bytes cannot be addressed", what, n,
			size);
		return NULL;
	}
	if (a->limit && (a->total > a->limit || bytes > a->limit - a->total)) {
		err_set(e, ST_NOMEM, "%s needs %s more and the limit here is %s", what,
			text_bytes(bytes, b1), text_bytes(a->limit, b2));
		return NULL;
	}
	if (fits(c, bytes))
		return cut(a, c, bytes);
	c = big_alloc(whole, what, e);
	if (!c)
		return NULL;
	push(a, c, cap);
	return cut(a, c, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_take(a, n + 1, 1);

	if (n)
		memcpy(p, s, n);
	return p;
}
