/* strmap.c - open addressing with linear probes, never more than half full. */
#include "core/text/strmap.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"

/* Multiply and fold, eight bytes a step (after Yi's wyhash). */
static uint64_t fold(uint64_t a, uint64_t b)
{
	uint64_t hi = (a >> 32) * (b | 1), lo = (a & 0xffffffffu) * (b ^ 0x9e3779b97f4a7c15u);

	lo ^= hi << 29 | hi >> 35;
	return lo ^ lo >> 31;
}

static uint64_t hash(const char *s, size_t n)
{
	uint64_t h = 0xa0761d6478bd642fu ^ n * 0xe7037ed1a0b428dbu, w;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		h = fold(h ^ w, 0x8ebc6af09c88c6e3u);
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0x9fb21c651e98df25u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 29;
}

enum st strmap_init(struct strmap *m, size_t n, const char *what, struct err *e)
{
	size_t cap = 16, want;

	memset(m, 0, sizeof *m);
	if (!size_mul(&want, n, 2) || want > SIZE_MAX / 4)
		return err_set(e, ST_NOMEM, "%s: %zu entries are too many", what, n);
	while (cap < want)
		cap *= 2;
	m->slot = big_array(cap, sizeof *m->slot, what, e);
	if (!m->slot)
		return ST_NOMEM;
	m->mask = cap - 1;
	return ST_OK;
}

void strmap_release(struct strmap *m)
{
	big_free(m->slot);
	memset(m, 0, sizeof *m);
}

static struct strmap_slot *find(const struct strmap *m, const char *key, size_t len)
{
	size_t i = hash(key, len) & m->mask;

	for (;; i = (i + 1) & m->mask) {
		struct strmap_slot *s = &m->slot[i];

		if (!s->key || (s->len == len && memcmp(s->key, key, len) == 0))
			return s;
	}
}

int32_t strmap_put(struct strmap *m, const char *key, size_t len, int32_t value)
{
	struct strmap_slot *s = find(m, key, len);
	int32_t former = s->key ? s->value : -1;

	*s = (struct strmap_slot){ .key = key, .len = (uint32_t)len, .value = value };
	return former;
}

int32_t strmap_get(const struct strmap *m, const char *key, size_t len)
{
	const struct strmap_slot *s = find(m, key, len);

	return s->key ? s->value : -1;
}
