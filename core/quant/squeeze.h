/* squeeze.h - eight codes at a time to as many bytes as they have bits.
 *
 * Private to core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_SQUEEZE_H
#define BD_QUANT_SQUEEZE_H

#include <stdint.h>
#include <string.h>

/* One code of each two, two of each four, four of eight. */
struct squeeze {
	int bits;
	uint64_t one, two, four;
};

static inline struct squeeze squeeze_of(int bits)
{
	uint64_t all = ~(uint64_t)0;

	return (struct squeeze){ bits, (all >> (64 - bits)) * 0x0001000100010001u,
		(all >> (64 - 2 * bits)) * 0x0000000100000001u, all >> (64 - 4 * bits) };
}

/* Lowest bits first: code k at bit k * bits. */
static inline uint64_t squeeze(const struct squeeze *s, const uint8_t code[8])
{
	int gap = 8 - s->bits;
	uint64_t x;

	memcpy(&x, code, sizeof x);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	x = (x & s->one) | (x >> gap & s->one << s->bits);
	x = (x & s->two) | (x >> 2 * gap & s->two << 2 * s->bits);
	return (x & s->four) | (x >> 4 * gap & s->four << 4 * s->bits);
}

#endif
