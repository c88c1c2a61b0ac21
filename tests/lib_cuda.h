/* lib_cuda.h - the CUDA backend on an emulated device, for the suites that want one.
 *
 * The shared object is BITDIAL_CUDA's, else the one beside the suite that make builds.
 */
#ifndef BD_TESTS_LIB_CUDA_H
#define BD_TESTS_LIB_CUDA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/rng.h"
#include "kernels/backend.h"

/* Where it is; it is there, or the suite fails with what to build. */
const char *cuda_path(void);

/* "cuda:0" of it, open; the suite fails where it cannot be. */
const struct backend *cuda_backend(void);

/* What the emulator offers beside CUDA (tests/emu/cuda_runtime.h). */
void cuda_fail(long n, int code, bool sticky);
void cuda_hang(long n, double seconds);
long cuda_calls(void);

/* Device memory with a copy of host memory; NULL host: with 0xff bytes (NaN). */
void *cuda_held(const struct backend *b, const void *host, size_t bytes);
/* The same, kept until there_free_all. */
void *there(const struct backend *b, const void *host, size_t bytes);
void there_free_all(const struct backend *b);
/* A copy of it on the host: malloc.  The device must not have failed. */
void *back(const struct backend *b, const void *device, size_t bytes);

/* n normal values on the host: malloc. */
float *cuda_floats(struct rng *r, size_t n);

/* The device has not failed, or the suite does with its reason. */
void cuda_well(const struct backend *b);

/* A copy of w and of all it borrows on the device, until cuda_mat_free. */
struct mat cuda_mat(const struct backend *b, const struct mat *w);
void cuda_mat_free(const struct backend *b, const struct mat *d);

#endif
