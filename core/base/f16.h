/* f16.h - IEEE half and bfloat16 to and from float, and the bits of a float, in plain C.
 *
 * Exact in the widening direction; round to nearest even in the other.  NaN
 * stays NaN, overflow becomes infinity.  Pure; any thread.
 */
#ifndef BD_BASE_F16_H
#define BD_BASE_F16_H

#include <stdint.h>
#include <string.h>

float f16_to_f32(uint16_t h);
uint16_t f16_from_f32(float f);

/* Here, because loops over matrices are made of them. */
static inline uint32_t f32_bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static inline float f32_from_bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static inline float bf16_to_f32(uint16_t b)
{
	return f32_from_bits((uint32_t)b << 16);
}

static inline uint16_t bf16_from_f32(float f)
{
	uint32_t u = f32_bits(f);

	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(u >> 16 & 0x7fu ? u >> 16 : u >> 16 | 0x40u);
	u += 0x7fffu + (u >> 16 & 1u);
	return (uint16_t)(u >> 16);
}

#endif
