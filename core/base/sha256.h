/* sha256.h - SHA-256 (FIPS 180-4).  Any thread; a struct belongs to one. */
#ifndef BD_BASE_SHA256_H
#define BD_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t h[8];
	uint64_t bytes;
	unsigned char block[64];
	bool ni; /* by the processor's own instructions; may be cleared after sha256_init */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_hex(struct sha256 *s, char out[65]); /* ends the sum */
void sha256_of(const void *p, size_t n, char out[65]);

/* n blocks of 64 bytes, with the constants k, where the processor has instructions for it. */
bool sha256_has_ni(void);
void sha256_blocks_ni(uint32_t h[8], const unsigned char *p, size_t n, const uint32_t k[64]);

#endif
