/* words.c - see words.h. */
#include "core/io/words.h"

#include <string.h>
#include <sys/random.h>

#include "core/base/alloc.h"

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t sip13(const uint64_t key[2], const char *s, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)n << 56, m;
	size_t at = 0;

	for (; at + 8 <= n; at += 8) {
		memcpy(&m, s + at, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; at + i < n; i++)
		last |= (uint64_t)(unsigned char)s[at + i] << 8 * i;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool is_token(const struct vocab_token *t, const char *s, size_t n)
{
	return t->len == n && memcmp(t->text, s, n) == 0;
}

/* The slot that holds s, or the free one where it belongs. */
static size_t probe(const struct words *w, const char *s, size_t n, uint64_t *hash)
{
	uint64_t h = sip13(w->key, s, n);
	size_t i = h & w->mask;

	*hash = h;
	for (; w->slot[i]; i = (i + 1) & w->mask) {
		if (w->slot[i] >> 32 == h >> 32 &&
			is_token(&w->token[(uint32_t)w->slot[i] - 1], s, n))
			break;
	}
	return i;
}

enum st words_init(struct words *w, const struct vocab_token *t, size_t n, struct err *e)
{
	size_t slots = 16;

	while (slots / 2 < n)
		slots *= 2;
	*w = (struct words){ .token = t, .n = n, .mask = slots - 1 };
	if (getrandom(w->key, sizeof w->key, GRND_NONBLOCK) < 0)
		w->key[0] = (uint64_t)(uintptr_t)w; /* too early after boot: the address will do */
	w->slot = big_array(slots, sizeof *w->slot, "index of the tokens", e);
	if (!w->slot)
		return ST_NOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t h;
		size_t at = probe(w, t[i].text, t[i].len, &h);

		if (w->slot[at])
			w->twice = true;
		else
			w->slot[at] = h >> 32 << 32 | (i + 1);
	}
	return ST_OK;
}

void words_release(struct words *w)
{
	big_free(w->slot);
	w->slot = NULL;
}

int64_t words_find(const struct words *w, const char *s, size_t n)
{
	uint64_t h;

	return (int64_t)(w->slot[probe(w, s, n, &h)] & UINT32_MAX) - 1;
}

int64_t words_find_near(const struct words *w, const char *s, size_t n, int64_t guess)
{
	if (!w->twice && guess >= 0 && (uint64_t)guess < w->n && is_token(&w->token[guess], s, n))
		return guess;
	return words_find(w, s, n);
}
