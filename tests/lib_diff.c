/* lib_diff.c - see lib_diff.h. */
#include "tests/lib_diff.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static const double step = 1e-5;
const double diff_most = 1e-6;

double *diff_wide(const float *x, size_t n)
{
	double *to = malloc((n ? n : 1) * sizeof *to);

	for (size_t i = 0; i < n; i++)
		to[i] = (double)x[i];
	return to;
}

double diff_by(
	double (*loss)(const void *arg), const void *arg, double *x, size_t n, const float *got)
{
	double diff = 0, a = 0, b = 0;

	for (size_t i = 0; i < n; i++) {
		double was = x[i], up, num;

		x[i] = was + step;
		up = loss(arg);
		x[i] = was - step;
		num = (up - loss(arg)) / (2 * step);
		x[i] = was;
		diff += (num - (double)got[i]) * (num - (double)got[i]);
		a += num * num;
		b += (double)got[i] * (double)got[i];
	}
	cr_expect(a > 0 && b > 0, "there is a gradient");
	return sqrt(diff) / (sqrt(a) + sqrt(b));
}
