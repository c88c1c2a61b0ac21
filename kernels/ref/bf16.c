/* ref: products of values rounded to bfloat16, or split into two of them.  Their products are exact
 * in double, and so nearly are the sums. */
#include "core/base/f16.h"
#include "kernels/ref/ref.h"

struct split {
	float hi, lo;
};

static struct split split(float f)
{
	struct split s = { .hi = bf16_to_f32(bf16_from_f32(f)) };

	s.lo = bf16_to_f32(bf16_from_f32(f - s.hi));
	return s;
}

static double times(float a, float b, enum math math)
{
	struct split x = split(a), w = split(b);
	double y = (double)x.hi * (double)w.hi;

	if (math == MATH_BF16X3)
		y += (double)x.hi * (double)w.lo + (double)x.lo * (double)w.hi;
	return y;
}

void ref_bf16(const struct product *p, const float *x, size_t ldx, size_t m, enum math math)
{
	enum { TOKENS = 16 };
	const struct mat *w = p->w;

	for (size_t first = 0; first < m; first += TOKENS) {
		size_t tokens = m - first < TOKENS ? m - first : TOKENS;

		for (size_t r = 0; r < w->rows; r++) {
			double sum[TOKENS] = { 0 };

			for (size_t c = 0; c < w->cols; c += MAT_BLOCK) {
				size_t n = w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK;
				float wt[MAT_BLOCK];

				ref_piece(w, r, c, n, wt);
				for (size_t t = 0; t < tokens; t++)
					for (size_t i = 0; i < n; i++)
						sum[t] += times(
							x[(first + t) * ldx + c + i], wt[i], math);
			}
			for (size_t t = 0; t < tokens; t++)
				p->y[(first + t) * p->ldy + r] = (float)sum[t];
		}
	}
}
