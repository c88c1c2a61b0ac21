/* lib_bench.h - timing that says when it cannot be trusted.
 *
 * A measurement is some runs of one act: median, best, quarters, and the share of the machine
 * that others took meanwhile (busy time of /proc/stat less this process's own).  Two acts that
 * are compared take turns, so that what else the machine does meets both; their ratio is the
 * median of the ratios of neighbours.  Figures go out as JSON lines.  One thread.
 */
#ifndef BD_TESTS_LIB_BENCH_H
#define BD_TESTS_LIB_BENCH_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "kernels/backend.h"

typedef void bench_fn(void *arg);

struct bench_time {
	double median, least, q1, q3; /* seconds a run */
	double foreign;               /* share of all cores that was not ours: 0 ... 1 */
};

enum { BENCH_RUNS = 51 }; /* at most */

/* fn `runs` times after one that does not count; acts below half a millisecond are repeated
 * within a run. */
struct bench_time bench_run(bench_fn *fn, void *arg, int runs);

/* a and b by turns, `pairs` times each; returns the median of time(b) / time(a). */
double bench_pair(struct bench_time *a, struct bench_time *b, bench_fn *fa, void *xa, bench_fn *fb,
	void *xb, int pairs);

/* {"bench":NAME,"us":...,"min_us":...,UNIT:work / median,...}; work in billions a run; a note
 * where the quarters lie far apart or others took more than 6 % of the machine. */
void bench_print(const char *name, const char *unit, double work, const struct bench_time *t);

double bench_median(double *v, size_t n); /* sorts v */

/* Memory of b, or the program ends badly; n values in -0.5 ... 0.5 of it; a packed matrix of random
 * codes, its statistics like a model's. */
void *bench_alloc(const struct backend *b, size_t bytes);
float *bench_floats(const struct backend *b, struct rng *r, size_t n);
struct mat bench_packed(
	const struct backend *b, struct rng *r, int bits, size_t group, size_t rows, size_t cols);
void bench_packed_free(const struct backend *b, const struct mat *w);

/* The model that is timed: $MODEL, or the default one.  Freed by xfree; where the default one is
 * not there, says so for `who` and ends the program well. */
char *bench_model_path(const char *who);
void bench_check(enum st st, const struct err *e, const char *who); /* ends the program badly */

#endif
