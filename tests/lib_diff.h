/* lib_diff.h - gradients against central differences in double, for the suites of operations
 * backward. */
#ifndef BD_TESTS_LIB_DIFF_H
#define BD_TESTS_LIB_DIFF_H

#include <stddef.h>

/* What a gradient of ref in float may differ from that of the loss, in norm. */
extern const double diff_most;

/* Values at hand as double; free. */
double *diff_wide(const float *x, size_t n);
/* |got - num| / (|got| + |num|), num the central differences of loss(arg) by x[n]; x is as it was
 * afterwards. */
double diff_by(
	double (*loss)(const void *arg), const void *arg, double *x, size_t n, const float *got);

#endif
