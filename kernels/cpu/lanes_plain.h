/* lanes_plain.h - sixteen floats at once, an array: what a machine without AVX2 runs,
 * and the readable form of the other two.  The names are explained in lanes.h. */
#ifndef BD_KERNELS_CPU_LANES_PLAIN_H
#define BD_KERNELS_CPU_LANES_PLAIN_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/f16.h"
#include "kernels/cpu/inline.h"

#define LANES_MR 4
#define LANES_NV 1

typedef struct {
	float v[16];
} vf;

typedef struct {
	double v[16];
} vd;

#define EACH for (int i = 0; i < 16; i++)

ALWAYS_INLINE vf vf_set(float x)
{
	vf r;

	EACH r.v[i] = x;
	return r;
}

ALWAYS_INLINE vf vf_zero(void)
{
	return vf_set(0);
}

ALWAYS_INLINE vf vf_load(const float *p)
{
	vf r;

	memcpy(r.v, p, sizeof r.v);
	return r;
}

ALWAYS_INLINE void vf_store(float *p, vf a)
{
	memcpy(p, a.v, sizeof a.v);
}

ALWAYS_INLINE vf vf_loadn(const float *p, size_t n)
{
	vf r = vf_zero();

	memcpy(r.v, p, n * sizeof *p);
	return r;
}

ALWAYS_INLINE void vf_storen(float *p, vf a, size_t n)
{
	memcpy(p, a.v, n * sizeof *p);
}

#define LANEWISE(name, expr)              \
	ALWAYS_INLINE vf name(vf a, vf b) \
	{                                 \
		vf r;                     \
		EACH r.v[i] = (expr);     \
		return r;                 \
	}
LANEWISE(vf_add, a.v[i] + b.v[i])
LANEWISE(vf_sub, a.v[i] - b.v[i])
LANEWISE(vf_mul, a.v[i] * b.v[i])
LANEWISE(vf_div, a.v[i] / b.v[i])
LANEWISE(vf_max, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
LANEWISE(vf_min, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
LANEWISE(vf_ldexp, ldexpf(a.v[i], b.v[i] == b.v[i] ? (int)b.v[i] : 0))
LANEWISE(vf_where_nonzero, a.v[i] != 0 ? b.v[i] : 0)

ALWAYS_INLINE vf vf_fma(vf a, vf b, vf c)
{
	return vf_add(vf_mul(a, b), c);
}

ALWAYS_INLINE vf vf_round(vf a)
{
	EACH a.v[i] = nearbyintf(a.v[i]);
	return a;
}

ALWAYS_INLINE float vf_sum(vf a)
{
	float sum = 0;

	EACH sum += a.v[i];
	return sum;
}

ALWAYS_INLINE float vf_hmax(vf a)
{
	float max = a.v[0];

	EACH max = max > a.v[i] ? max : a.v[i];
	return max;
}

ALWAYS_INLINE vf vf_where_small(vf d, float limit, vf a, vf b)
{
	EACH b.v[i] = fabsf(d.v[i]) < limit ? a.v[i] : b.v[i];
	return b;
}

ALWAYS_INLINE unsigned vf_equal(vf a, vf b)
{
	unsigned mask = 0;

	EACH mask |= (unsigned)(a.v[i] == b.v[i]) << i;
	return mask;
}

/* p may be odd: the halves of a file begin anywhere */
ALWAYS_INLINE vf lane_widen(const uint16_t *p, float (*widen)(uint16_t))
{
	uint16_t h[16];
	vf r;

	memcpy(h, p, sizeof h);
	EACH r.v[i] = widen(h[i]);
	return r;
}

ALWAYS_INLINE vf vf_half(const uint16_t *p)
{
	return lane_widen(p, f16_to_f32);
}
ALWAYS_INLINE vf vf_bf16(const uint16_t *p)
{
	return lane_widen(p, bf16_to_f32);
}

ALWAYS_INLINE vf vf_byte(const int8_t *p)
{
	vf r;

	EACH r.v[i] = (float)p[i];
	return r;
}

/* double */

ALWAYS_INLINE vd vd_set(double x)
{
	vd r;

	EACH r.v[i] = x;
	return r;
}

ALWAYS_INLINE vd vd_of(vf a)
{
	vd r;

	EACH r.v[i] = (double)a.v[i];
	return r;
}

ALWAYS_INLINE vd vd_add(vd a, vd b)
{
	EACH a.v[i] += b.v[i];
	return a;
}

ALWAYS_INLINE vd vd_sub(vd a, vd b)
{
	EACH a.v[i] -= b.v[i];
	return a;
}

ALWAYS_INLINE vd vd_fma(vd a, vd b, vd c)
{
	EACH c.v[i] += a.v[i] * b.v[i];
	return c;
}

ALWAYS_INLINE double vd_sum(vd a)
{
	double sum = 0;

	EACH sum += a.v[i];
	return sum;
}

/* packed codes */

/* Codes of eight columns of a block, `e` of four. */
struct lane_words {
	uint8_t code[8][16];
};

ALWAYS_INLINE void lane_words(struct lane_words *w, const uint32_t *block, int bits, size_t e)
{
	int left = bits;

	memset(w, 0, sizeof *w);
	for (int width = 8; width; width /= 2) {
		size_t per = 32 / (size_t)width;

		if (!(bits & width))
			continue;
		left -= width;
		for (size_t c = 0; c < 8; c++) {
			const uint32_t *v = block + 16 * ((8 * e + c) / per);
			size_t shift = (8 * e + c) % per * (size_t)width;

			EACH w->code[c][i] |=
				(uint8_t)((v[i] >> shift & ((1u << width) - 1)) << left);
		}
		block += 16 * width;
	}
}

ALWAYS_INLINE vf lane_code(const struct lane_words *w, int bits, int c)
{
	vf r;

	(void)bits;
	EACH r.v[i] = w->code[c][i];
	return r;
}

/* Rows and columns of a 16 x 16 block change places. */
ALWAYS_INLINE void lane_transpose(vf r[16])
{
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < i; j++) {
			float t = r[i].v[j];

			r[i].v[j] = r[j].v[i];
			r[j].v[i] = t;
		}
}

#endif
