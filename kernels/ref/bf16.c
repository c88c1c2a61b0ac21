/* ref: a product of two values, as they are, rounded to bfloat16, or split into two of them.  Their products are exact
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

double ref_times(float a, float b, enum math math)
{
	struct split x, w;
	double y;

	if (math != MATH_BF16 && math != MATH_BF16X3)
		return (double)a * (double)b;
	x = split(a);
	w = split(b);
	y = (double)x.hi * (double)w.hi;
	if (math == MATH_BF16X3)
		y += (double)x.hi * (double)w.lo + (double)x.lo * (double)w.hi;
	return y;
}
