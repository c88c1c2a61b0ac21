/* rank.c - Spearman's rank correlation (1904): Pearson's of the ranks, ties averaged. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/search/scan.h"

struct ranked {
	double value, rank;
	size_t at;
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

static int by_place(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* Values become ranks; equal ones share the mean of theirs. */
static void rank(struct ranked *r, size_t n)
{
	qsort(r, n, sizeof *r, by_value);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && r[j].value == r[i].value;)
			j++;
		for (size_t k = i; k < j; k++)
			r[k].rank = 0.5 * (double)(i + j - 1);
	}
	qsort(r, n, sizeof *r, by_place);
}

double rank_correlation(const double *a, const double *b, size_t n)
{
	struct ranked *x = xarray(n + 1, sizeof *x), *y = xarray(n + 1, sizeof *y);
	double mean, xx = 0, yy = 0, xy = 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(a[i]) || isnan(b[i])) /* not measured on one side: says nothing */
			continue;
		x[m] = (struct ranked){ .value = a[i], .at = i };
		y[m++] = (struct ranked){ .value = b[i], .at = i };
	}
	rank(x, m);
	rank(y, m);
	mean = 0.5 * ((double)m - 1);
	for (size_t i = 0; i < m; i++) {
		xx += (x[i].rank - mean) * (x[i].rank - mean);
		yy += (y[i].rank - mean) * (y[i].rank - mean);
		xy += (x[i].rank - mean) * (y[i].rank - mean);
	}
	xfree(x);
	xfree(y);
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}
