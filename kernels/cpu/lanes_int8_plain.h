/* lanes_int8_plain.h - the lanes of lanes_int8.h as an array. */
#ifndef BD_KERNELS_CPU_LANES_INT8_PLAIN_H
#define BD_KERNELS_CPU_LANES_INT8_PLAIN_H

#include "kernels/cpu/lanes_plain.h"

#define LANES_STRIP_MOST 4 /* rows of x taken together at most */

typedef struct {
	uint32_t v[16];
} vb;

typedef struct {
	int32_t v[16];
} vdot;

ALWAYS_INLINE vb vb_load(const uint32_t *p)
{
	vb r;

	memcpy(r.v, p, sizeof r.v);
	return r;
}

ALWAYS_INLINE vb vb_or(vb a, vb b)
{
	EACH a.v[i] |= b.v[i];
	return a;
}

ALWAYS_INLINE vb vb_pick(vb a, int right, int left, uint32_t mask)
{
	EACH a.v[i] = (a.v[i] >> right & mask * 0x01010101u) << left;
	return a;
}

ALWAYS_INLINE void vb_deal(vb *a, vb *b)
{
	EACH
	{
		uint32_t x = a->v[i], y = b->v[i];

		a->v[i] = (x & 255) | (x >> 8 & 0xff00) | (y & 255) << 16 | (y << 8 & 0xff000000);
		b->v[i] = (x >> 8 & 255) | (x >> 16 & 0xff00) | (y << 8 & 0xff0000) |
			  (y & 0xff000000);
	}
}

ALWAYS_INLINE vdot vdot_zero(int bits)
{
	vdot d;

	(void)bits;
	memset(&d, 0, sizeof d);
	return d;
}

ALWAYS_INLINE void vdot_add(vdot *d, vb code, const uint32_t *x, int bits)
{
	int8_t q[4];

	(void)bits;
	memcpy(q, x, sizeof q);
	EACH for (int j = 0; j < 4; j++) d->v[i] += (int32_t)(code.v[i] >> 8 * j & 255) * q[j];
}

ALWAYS_INLINE vf vdot_float(const vdot *d, int bits)
{
	vf r;

	(void)bits;
	EACH r.v[i] = (float)d->v[i];
	return r;
}

ALWAYS_INLINE vf vf_fused(vf a, vf b, vf c)
{
	EACH c.v[i] = fmaf(a.v[i], b.v[i], c.v[i]);
	return c;
}

ALWAYS_INLINE void order_bytes(uint32_t out[8], const int8_t q[32], int width)
{
	int8_t *to = (int8_t *)out;
	int per = 8 / width;

	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 4; j++)
			to[4 * i + j] = q[i / per * (32 / width) + i % per + j * per];
}

#endif
