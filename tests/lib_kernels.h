/* lib_kernels.h - what the kernel suites share: memory with a guard page behind it,
 * seeded values, and a walk over every backend and every path of the cpu one.
 */
#ifndef BD_TESTS_LIB_KERNELS_H
#define BD_TESTS_LIB_KERNELS_H

#include <stdbool.h>
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

/* Where bit patterns of guarded() memory are still as they were. */
bool untouched(const float *y, size_t n);

/* Whether, of `rows` rows of `width` values, NaN is nowhere but in rows from ... to - 1, columns
 * left ... right - 1. */
bool only_there(const float *x, size_t rows, size_t width, size_t from, size_t to, size_t left,
	size_t right);

/* ---- what the suites of the ways to multiply do alike ---- */

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* One product. */
void product(const struct backend *b, float *y, size_t ldy, const float *x, size_t ldx, size_t m,
	const struct mat *w, enum math math);

/* Whether the path in use has instructions for this math and so many rows of x: MATH_BF16 and
 * MATH_BF16X3. */
bool rounds(const struct backend *b, size_t m, enum math math);

/* A check of one matrix by every way, for each number of rows of x in ms[n], ascending; it frees
 * what is guarded. */
typedef void check_mat(const struct mat *w, struct rng *r, const size_t *ms, size_t n);

extern const enum mat_type dense_types[3];

/* Calls it with matrices of awkward shapes in every width and kind of group; of every dense type;
 * and with some as large as a model's. */
void each_packed(uint64_t seed, check_mat *check, const size_t *ms, size_t n);
void each_dense(uint64_t seed, check_mat *check, const size_t *ms, size_t n);
void each_large(uint64_t seed, check_mat *check, const size_t *ms, size_t n);

/* A MAT_MIX of random contents: `high` inputs of 4 bits, the others of 2. */
struct mat random_mix(struct rng *r, size_t rows, size_t cols, size_t high);

/* Of every way: products that share x are those one by one; any number of threads gives the same
 * bits.  By `math`. */
void check_shared_x(enum math math);
void check_threads(enum math math);

#endif
