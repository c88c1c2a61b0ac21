/* ref: products with x rounded to int8, word for word as act8.h has it. */
#include <math.h>
#include <string.h>

#include "core/base/f16.h"
#include "kernels/act8.h"
#include "kernels/ref/ref.h"

_Static_assert((int)ACT_BLOCK == (int)MAT_BLOCK, "a block of x meets a block of W");

/* A block of x, rounded. */
struct rounded {
	float s, t;
	int h[ACT_BLOCK], l[ACT_BLOCK];
};

static float largest(const float *x, size_t n)
{
	float max = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			return NAN;
		max = fmaxf(max, fabsf(x[i]));
	}
	return max < ACT_LEAST ? 0 : max;
}

static size_t width(size_t cols, size_t c)
{
	return cols - c < ACT_BLOCK ? cols - c : ACT_BLOCK;
}

/* What s * s must be above for a second digit. */
static double limit(const float *x, size_t cols)
{
	double sum = 0, blocks = 0;

	for (size_t c = 0; c < cols; c += ACT_BLOCK, blocks++) {
		float s = largest(x + c, width(cols, c)) / ACT_DIGIT;

		sum += (double)s * (double)s;
	}
	return ACT_FINE * sum / blocks;
}

static void round_block(struct rounded *r, const float *x, size_t n)
{
	float max = largest(x, n), inv = ACT_DIGIT / max;

	memset(r, 0, sizeof *r);
	r->s = max / ACT_DIGIT;
	r->t = r->s / ACT_SECOND;
	for (size_t i = 0; i < n && max > 0; i++) {
		float h = rintf(x[i] * inv);

		r->h[i] = (int)h;
		r->l[i] = (int)rintf(fmaf(x[i], inv, -h) * ACT_SECOND);
	}
}

static int dot(const uint8_t *code, const int *digit)
{
	int sum = 0;

	for (size_t i = 0; i < ACT_BLOCK; i++)
		sum += (code ? code[i] : 1) * digit[i];
	return sum;
}

/* One value: code [ACT_BLOCK] at a time of row r of W. */
static float value(const struct mat *w, size_t r, const float *x, double least)
{
	struct mat part = mat_rows(w, r / MAT_TILE * MAT_TILE, MAT_TILE);
	size_t lane = r % MAT_TILE;
	float y = 0, a = 0, c = 0;

	for (size_t at = 0; at < w->cols; at += ACT_BLOCK) {
		struct mat block = part;
		uint8_t code[ACT_BLOCK] = { 0 };
		struct rounded d;

		block.cols = width(w->cols, at);
		block.data = (const char *)part.data + mat_code_bytes(w->bits, MAT_TILE, at);
		mat_unpack_row(&block, lane, code);
		round_block(&d, x + at, block.cols);
		a = fmaf(d.s, (float)dot(code, d.h), a);
		c = fmaf(d.s, (float)dot(NULL, d.h), c);
		if ((double)d.s * (double)d.s > least) {
			a = fmaf(d.t, (float)dot(code, d.l), a);
			c = fmaf(d.t, (float)dot(NULL, d.l), c);
		}
		if ((at + ACT_BLOCK) % w->group && at + ACT_BLOCK < w->cols)
			continue;
		y = fmaf(f16_to_f32(mat_stat(w->scale, w, r, at / w->group)), a, y);
		y = fmaf(f16_to_f32(mat_stat(w->offset, w, r, at / w->group)), c, y);
		a = c = 0;
	}
	return y;
}

void ref_int8(const struct product *p, const float *x, size_t ldx, size_t m)
{
	for (size_t i = 0; i < m; i++, x += ldx) {
		double least = limit(x, p->w->cols);

		for (size_t r = 0; r < p->w->rows; r++)
			p->y[i * p->ldy + r] = value(p->w, r, x, least);
	}
}
