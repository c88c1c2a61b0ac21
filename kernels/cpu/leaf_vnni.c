/* leaf_vnni.c - what AVX512 VNNI adds: products of codes with int8. */
#include "kernels/cpu/leaf.h"

#include <math.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/cpu/lanes_int8.h"

/* the body, for these lanes */
#include "kernels/cpu/int8.inc"

/* 255 * -128 four times is beyond 16 bits, and a product of two signed or two unsigned bytes
 * differs. */
static bool probe(void)
{
	volatile int codes = (int)0xff80ff01, x = (int)0x807f80ff, sum = 1000;
	int y[16];

	_mm512_storeu_si512(y, _mm512_dpbusd_epi32(_mm512_set1_epi32(sum), _mm512_set1_epi32(codes),
				       _mm512_set1_epi32(x)));
	for (int i = 0; i < 16; i++)
		if (y[i] != 1000 + 255 * -128 + 128 * 127 + 255 * -128 - 1)
			return false;
	return true;
}

const struct leaf leaf_vnni = {
	.name = "vnni",
	.probe = probe,
	.i8 = { LANES_STRIP_MOST, round_strip, strip_product },
};
