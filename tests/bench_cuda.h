/* bench_cuda.h - what the files of the device benchmark share.
 *
 * Method: weights in at least ten copies, more than three times L2 and
 * 256 MB together, so that every call reads memory; random values; CALLS calls as one graph,
 * replayed back to back until a sample takes long enough that its start does not count; the wall
 * clock from an idle device to an idle device, for both sides; samples by turns, their median and
 * spread.  Ends the program where something fails: a benchmark has nothing to save.
 */
#ifndef BD_TESTS_BENCH_CUDA_H
#define BD_TESTS_BENCH_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "kernels/backend.h"

enum { CALLS = 50, SAMPLES = 5 };

struct timed {
	double median, least, most; /* seconds a call */
};

/* Something that runs CALLS times as one graph, `replays` times, and has been carried out when it
 * returns. */
struct act {
	void (*run)(void *arg, size_t replays);
	void *arg;
};

/* Each of n acts by turns, SAMPLES times after one that does not count. */
void bench_turns(struct timed *t, const struct act *acts, size_t n);
/* One act whose run makes `calls` calls. */
struct timed bench_one(struct act a, size_t calls);

/* To stdout and to the report, where there is one. */
void say(const char *fmt, ...) BD_PRINTF(1, 2);
void stop(const char *fmt, ...) __attribute__((noreturn)) BD_PRINTF(1, 2);

/* ---- cuBLAS (bench_cuda_peer.c): y [m][rows] = x [m][cols] W^T in 16 bits, sums in float */

enum peer_type { PEER_F16, PEER_BF16 };
struct peer;

/* w [rows][cols] in 16 bits, as many copies as ours must have; most: rows of x at most. */
struct peer *peer_new(enum peer_type type, size_t rows, size_t cols, size_t most, const uint16_t *w);
void peer_free(struct peer *p);
/* Rows of x from now on, and their bits [m][cols]. */
void peer_x(struct peer *p, const uint16_t *x, size_t m);
void peer_run(void *p, size_t replays); /* an act of CALLS calls */
/* One call's result [m][rows]. */
void peer_y(struct peer *p, uint16_t *y);
const char *peer_version(char out[60]);
size_t peer_copies(uint64_t bytes_each); /* as the method says, CALLS at most where that is enough */

/* ---- parts of the benchmark */

struct bench_options {
	bool small; /* shapes of nothing, to see that the program runs */
	double wall; /* bytes a second that the device reads at best */
};
void bench_products(const struct backend *b, const struct bench_options *o);
void bench_layer(const struct backend *b, const struct bench_options *o);
void bench_tokens(const struct backend *b, const struct bench_options *o);
void bench_back(const struct backend *b, const struct bench_options *o);
extern int bench_missed; /* results that are wrong, by the check in fp64 */
extern int bench_targets, bench_met;

#endif
