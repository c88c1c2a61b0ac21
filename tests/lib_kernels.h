/* lib_kernels.h - what the kernel suites share: memory with a guard page behind it,
 * seeded values, and a walk over every backend and every path of the cpu one.
 */
#ifndef BD_TESTS_LIB_KERNELS_H
#define BD_TESTS_LIB_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "kernels/backend.h"

/* Memory whose end is the end of a page that the next one, untouchable, follows: one
 * element too far is a crash.  Filled with 0xff (NaN as float).  A test frees all. */
void *guarded(size_t bytes);
void guarded_free_all(void);
float *guarded_floats(struct rng *r, size_t n, double size); /* normal, times size */

/* A matrix with random contents in guarded memory; bits and group for MAT_INT only. */
struct mat random_mat(
	struct rng *r, enum mat_type type, int bits, size_t group, size_t rows, size_t cols);

/* |W| |x| of each output, [m][rows]: what an error is measured against.  (Packed: of
 * codes and offsets apart.) */
void magnitudes(double *mag, const float *x, size_t ldx, size_t m, const struct mat *w);

/* Sets up the i-th way to compute (every backend that runs here and every leaf of cpu,
 * ref left out); NULL at the end.  name says which. */
const struct backend *way(size_t i, const char **name);

double worst(const float *got, const float *want, const double *mag, size_t n);

#endif
