/* lib_ops.h - every operation of a backend against ref, as one table of checks.
 *
 * A check makes inputs on the host, puts them on the backend under test, poisons what is
 * written with 0xff (NaN), runs the operation and compares with ref, as shares of the error
 * that its math allows.  All memory of the backend lies between pads of 0xff that are looked
 * at afterwards, inputs are to be as they were; a check that compared nothing has failed, so
 * has one after which the device reports a fault.  Tests (Criterion) and the plain program for
 * a machine with a device (check_cuda.c) run the same table.  The main thread; ref's part is
 * shared among the pool's threads.
 */
#ifndef BD_TESTS_LIB_OPS_H
#define BD_TESTS_LIB_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "kernels/backend.h"

struct op_array;

struct op_run {
	const struct backend *b;
	bool large;  /* shapes of whole layers, too */
	int repeats; /* runs that must give the same bits */
	/* what came of it */
	double worst;      /* largest error as a share of what is allowed */
	char where[160];   /* ... the case it was in */
	uint64_t compared; /* values */
	char failed[480];  /* the first failure; "" for none */
	/* of the case that is running */
	struct rng rng;
	char what[160];
	struct op_array *arrays;
};

struct op_check {
	const char *name;
	void (*run)(struct op_run *r);
	bool device; /* says nothing of a backend on host memory */
};

extern const struct op_check op_checks[]; /* ends with a NULL name */

/* Runs one from a clean state; true when it is well. */
bool op_check_run(const struct op_check *c, struct op_run *r);

extern const struct backend bd_backend_ref; /* every program that checks has it linked */

/* The backends of a shared object made ready by name: "cuda:0", or NULL for the first.  NULL and
 * a sentence in why[size] when it cannot be. */
const struct backend *op_open(const char *so, const char *name, char *why, size_t size);

/* ---- for the checks ---- */

#define COUNTED(a) (sizeof(a) / sizeof *(a))

/* Says what comes next, for the report; begins a case. */
void op_case(struct op_run *r, const char *fmt, ...) BD_PRINTF(2, 3);
/* Ends it: pads and inputs are looked at, the device is asked, all memory of it is freed. */
void op_end(struct op_run *r);
void op_fail(struct op_run *r, const char *fmt, ...) BD_PRINTF(2, 3);
/* n values were compared, the largest error of them is e times what is allowed. */
void op_share(struct op_run *r, double e, uint64_t n);
/* n bytes that must be the same. */
void op_same(struct op_run *r, const void *got, const void *want, size_t n, const char *of);

/* Host memory until op_end, 0xff; normal values times size. */
void *op_host(struct op_run *r, size_t bytes);
float *op_floats(struct op_run *r, size_t n, double size);
/* Backend memory between pads until op_end, `skew` bytes behind a 64-byte boundary: with a copy of
 * host's bytes, which must stay; poisoned; with a copy that may change. */
const void *op_put(struct op_run *r, const void *host, size_t bytes, size_t skew);
void *op_out(struct op_run *r, size_t bytes, size_t skew);
void *op_inout(struct op_run *r, const void *host, size_t bytes, size_t skew);
/* A copy of what lies there, on the host. */
void *op_get(struct op_run *r, const void *p, size_t bytes);

/* The same matrix on the host and on the backend. */
struct op_mat {
	struct mat host, dev;
};
struct op_mat op_mat(struct op_run *r, enum mat_type type, int bits, size_t group, size_t rows,
	size_t cols);
/* MAT_MIX: the first `high` inputs of a random order in `bits`, the others in low_bits. */
struct op_mat op_mix(
	struct op_run *r, int bits, int low_bits, size_t rows, size_t cols, size_t high);
const char *op_mat_name(const struct mat *w, char out[80]);

/* Largest |got - want| / (|want| + floor); NaN counts as infinite, unless both are. */
double op_relative(const float *got, const float *want, size_t n, double floor);

/* ---- the checks, by file ---- */

void op_packed_exact(struct op_run *r);
void op_packed_rows(struct op_run *r);
void op_packed_maths(struct op_run *r);
void op_packed_layers(struct op_run *r);
void op_mixes(struct op_run *r);
void op_dense(struct op_run *r);
void op_shared_x(struct op_run *r);
void op_ranges(struct op_run *r);
void op_not_finite(struct op_run *r);
void op_rows_as_float(struct op_run *r);
void op_gemm(struct op_run *r);
void op_gemm_zero(struct op_run *r);
void op_rmsnorm(struct op_run *r);
void op_rope(struct op_run *r);
void op_round_kv(struct op_run *r);
void op_attention(struct op_run *r);
void op_attention_long(struct op_run *r);
void op_attention_sharp(struct op_run *r);
void op_elements(struct op_run *r);
void op_row_stats(struct op_run *r);
void op_kl(struct op_run *r);
void op_sq_diff(struct op_run *r);
void op_memory(struct op_run *r);
void op_device_info(struct op_run *r);
void op_steps(struct op_run *r);
void op_joined(struct op_run *r);
void op_repeats(struct op_run *r);
void op_products_back(struct op_run *r);
void op_rmsnorm_back(struct op_run *r);
void op_attention_back(struct op_run *r);
void op_attention_back_nan(struct op_run *r);
void op_swiglu_back(struct op_run *r);
void op_losses_back(struct op_run *r);
void op_embed_back(struct op_run *r);
void op_back_repeats(struct op_run *r);

#endif
