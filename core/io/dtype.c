/* dtype.c - element types: their sizes, and any of them as float.
 *
 * The block formulas are those of ggml's dequantize_row functions, operation by
 * operation, so that the floats are the same bits (tests/golden/make_blocks.py).
 * Everything is read byte by byte or through memcpy: a tensor may lie at any address.
 */
#include "core/io/checkpoint.h"

#include <string.h>

#include "core/base/f16.h"

static const struct {
	const char *name;
	size_t elements, bytes;
} types[] = {
#define X(name, n, bytes) { #name, n, bytes },
	DTYPE_LIST(X)
#undef X
};

const char *dtype_name(enum dtype t)
{
	return types[t].name;
}

size_t dtype_block(enum dtype t)
{
	return types[t].elements;
}

size_t dtype_block_bytes(enum dtype t)
{
	return types[t].bytes;
}

static uint16_t u16_at(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static float f16_at(const unsigned char *p)
{
	return f16_to_f32(u16_at(p));
}

static void read_f32(const unsigned char *p, float *y)
{
	memcpy(y, p, 4);
}

static void read_f16(const unsigned char *p, float *y)
{
	*y = f16_at(p);
}

static void read_bf16(const unsigned char *p, float *y)
{
	*y = bf16_to_f32(u16_at(p));
}

static void read_u8(const unsigned char *p, float *y)
{
	*y = (float)*p;
}

static void read_q4_0(const unsigned char *p, float *y)
{
	float d = f16_at(p);

	for (int i = 0; i < 16; i++) {
		y[i] = (float)((p[2 + i] & 15) - 8) * d;
		y[i + 16] = (float)((p[2 + i] >> 4) - 8) * d;
	}
}

static void read_q4_1(const unsigned char *p, float *y)
{
	float d = f16_at(p), m = f16_at(p + 2);

	for (int i = 0; i < 16; i++) {
		y[i] = (float)(p[4 + i] & 15) * d + m;
		y[i + 16] = (float)(p[4 + i] >> 4) * d + m;
	}
}

/* The fifth bit of element i of a Q5 block, at its place in the code. */
static int fifth_bit(const unsigned char *high, int i)
{
	return (high[i / 8] >> i % 8 & 1) << 4;
}

static void read_q5_0(const unsigned char *p, float *y)
{
	float d = f16_at(p);

	for (int i = 0; i < 16; i++) {
		y[i] = (float)(((p[6 + i] & 15) | fifth_bit(p + 2, i)) - 16) * d;
		y[i + 16] = (float)((p[6 + i] >> 4 | fifth_bit(p + 2, i + 16)) - 16) * d;
	}
}

static void read_q5_1(const unsigned char *p, float *y)
{
	float d = f16_at(p), m = f16_at(p + 2);

	for (int i = 0; i < 16; i++) {
		y[i] = (float)((p[8 + i] & 15) | fifth_bit(p + 4, i)) * d + m;
		y[i + 16] = (float)(p[8 + i] >> 4 | fifth_bit(p + 4, i + 16)) * d + m;
	}
}

static void read_q8_0(const unsigned char *p, float *y)
{
	float d = f16_at(p);

	for (int i = 0; i < 32; i++)
		y[i] = (float)(signed char)p[2 + i] * d;
}

/* Scale and minimum of sub-block j (0 to 7) out of Q4_K's twelve bytes of 6-bit numbers. */
static void q4_k_scale(const unsigned char *s, int j, int *scale, int *min)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
	} else {
		*scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		*min = s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
}

static void read_q4_k(const unsigned char *p, float *y)
{
	float d = f16_at(p), dmin = f16_at(p + 2);
	const unsigned char *q = p + 16;

	for (int j = 0; j < 8; j++) {
		int scale, min;

		q4_k_scale(p + 4, j, &scale, &min);
		float ds = d * (float)scale, dm = dmin * (float)min;
		for (int i = 0; i < 32; i++) {
			int code = j % 2 ? q[j / 2 * 32 + i] >> 4 : q[j / 2 * 32 + i] & 15;

			y[j * 32 + i] = ds * (float)code - dm;
		}
	}
}

/* 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, then d. */
static void read_q6_k(const unsigned char *p, float *y)
{
	float d = f16_at(p + 208);

	for (int half = 0; half < 2; half++) {
		const unsigned char *low = p + half * 64, *high = p + 128 + half * 32;
		const unsigned char *scale = p + 192 + half * 8;

		for (int part = 0; part < 4; part++) {
			for (int i = 0; i < 32; i++) {
				int nibble = low[part % 2 * 32 + i] >> part / 2 * 4 & 15;
				int code = nibble | (high[i] >> part * 2 & 3) << 4;
				int s = (signed char)scale[part * 2 + i / 16];

				y[half * 128 + part * 32 + i] = d * (float)s * (float)(code - 32);
			}
		}
	}
}

static void (*const reader[])(const unsigned char *p, float *y) = {
	[DT_F32] = read_f32,
	[DT_F16] = read_f16,
	[DT_BF16] = read_bf16,
	[DT_U8] = read_u8,
	[DT_Q4_0] = read_q4_0,
	[DT_Q4_1] = read_q4_1,
	[DT_Q5_0] = read_q5_0,
	[DT_Q5_1] = read_q5_1,
	[DT_Q8_0] = read_q8_0,
	[DT_Q4_K] = read_q4_k,
	[DT_Q6_K] = read_q6_k,
};

void tensor_f32(const struct tensor *t, size_t first, size_t n, float *out)
{
	size_t elements = types[t->dtype].elements, bytes = types[t->dtype].bytes;
	void (*read)(const unsigned char *p, float *y) = reader[t->dtype];
	const unsigned char *p;

	if (n == 0)
		return;
	p = t->data + first / elements * bytes;
	if (t->dtype == DT_F32) {
		memcpy(out, p, n * 4);
		return;
	}
	for (size_t i = 0; i < n; i += elements, p += bytes)
		read(p, out + i);
}
