/* f16.c - half and bfloat16 by bits. */
#include "core/base/f16.h"

float f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = h >> 10 & 31u, man = h & 0x3ffu;

	if (exp == 31)
		return f32_from_bits(sign | 0x7f800000u | man << 13);
	if (exp)
		return f32_from_bits(sign | (exp + 112) << 23 | man << 13);
	/* Subnormal: man units of 2^-24, exact in float. */
	return f32_from_bits(sign | f32_bits((float)man * 0x1p-24f));
}

uint16_t f16_from_f32(float f)
{
	uint32_t u = f32_bits(f), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;

	if (a > 0x7f800000u) { /* NaN keeps what fits of its payload, never becomes infinity */
		uint32_t man = a >> 13 & 0x3ffu;

		return (uint16_t)(sign | 0x7c00u | (man ? man : 0x200u));
	}
	if (a >= 0x477ff000u) /* 65520 and up round to infinity */
		return (uint16_t)(sign | 0x7c00u);
	if (a < 0x38800000u) { /* below 2^-14: count units of 2^-24, ties to even by the adder */
		uint32_t sub = f32_bits(f32_from_bits(a) + 0.5f) - f32_bits(0.5f);

		return (uint16_t)(sign | sub);
	}
	a += 0xfffu + (a >> 13 & 1u);
	return (uint16_t)(sign | ((a >> 13) - (112u << 10)));
}
