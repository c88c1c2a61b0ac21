/* sha256.c - see sha256.h. */
#include "core/base/sha256.h"

void sha256_start(struct sha256 *s)
{
	sha256_init(&s->ctx);
}

void sha256_add(struct sha256 *s, const void *p, size_t n)
{
	if (n)
		sha256_update(&s->ctx, n, p);
}

void sha256_hex(struct sha256 *s, char out[65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[SHA256_DIGEST_SIZE];

	sha256_digest(&s->ctx, sizeof sum, sum);
	for (size_t i = 0; i < sizeof sum; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[64] = '\0';
}

void sha256_of(const void *p, size_t n, char out[65])
{
	struct sha256 s;

	sha256_start(&s);
	sha256_add(&s, p, n);
	sha256_hex(&s, out);
}
