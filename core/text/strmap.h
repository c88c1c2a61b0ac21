/* strmap.h - bytes to a number: the hash table of the tokenizer's parts.
 *
 * Keys are borrowed and must outlive the map.  Sized once for n keys; putting more
 * than that is our mistake.  Only strmap_init can fail.  Immutable use from any
 * thread.
 */
#ifndef BD_TEXT_STRMAP_H
#define BD_TEXT_STRMAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct strmap_slot {
	const char *key; /* NULL: free */
	uint32_t len;
	int32_t value;
};

struct strmap {
	struct strmap_slot *slot;
	size_t mask;
};

BD_MUST_USE enum st strmap_init(struct strmap *m, size_t n, const char *what, struct err *e);
void strmap_release(struct strmap *m);
/* The last value put under a key wins; returns the former one or -1. */
int32_t strmap_put(struct strmap *m, const char *key, size_t len, int32_t value);
int32_t strmap_get(const struct strmap *m, const char *key, size_t len); /* -1: absent */

#endif
