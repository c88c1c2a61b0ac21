/* sha256.h - SHA-256 (FIPS 180-4), by nettle.  Any thread; a struct belongs to one. */
#ifndef BD_BASE_SHA256_H
#define BD_BASE_SHA256_H

#include <nettle/sha2.h>
#include <stddef.h>

struct sha256 {
	struct sha256_ctx ctx;
};

/* Not _init: nettle has that name. */
void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_hex(struct sha256 *s, char out[65]); /* ends the sum */
void sha256_of(const void *p, size_t n, char out[65]);

#endif
