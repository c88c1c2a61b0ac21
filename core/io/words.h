/* words.h - from the text of a token to its id, for the merges of a GGUF file.
 *
 * A keyed hash (SipHash-1-3, Aumasson and Bernstein 2012) with a key of this process:
 * a file cannot choose texts that collide.  Borrows the tokens.  One thread.
 */
#ifndef BD_IO_WORDS_H
#define BD_IO_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/io/vocab.h"

struct words {
	const struct vocab_token *token; /* [n] */
	size_t n;
	uint64_t *slot; /* upper half of the hash, and id + 1; 0: free */
	size_t mask;
	bool twice; /* some text is there more than once */
	uint64_t key[2];
};

BD_MUST_USE enum st words_init(
	struct words *w, const struct vocab_token *t, size_t n, struct err *e);
void words_release(struct words *w);
/* The lowest id with this text, or -1. */
int64_t words_find(const struct words *w, const char *s, size_t n);
/* The same, quicker when it is `guess` (any number). */
int64_t words_find_near(const struct words *w, const char *s, size_t n, int64_t guess);

#endif
