/* loops.h - the elementwise loops of the optimizers, once for each instruction set.
 *
 * loops.inc is plain C that the compiler vectorises; it is compiled three times.  Nothing is
 * contracted and sums run in sixteen fixed lanes, so the instruction set decides no bit.
 * Private to core/tune.  Pure; any thread.
 */
#ifndef BD_TUNE_LOOPS_H
#define BD_TUNE_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tune/optim.h"

enum {
	CHUNK = 256,      /* columns worked on at a time: a block of 8-bit moments */
	RANK_BINS = 2048, /* of the score */
	BIN_UP = 0x8000,  /* in a bin: the code would grow */
};

/* What one Adam step of scales and centres needs. */
struct stats_step {
	float b1, b2, fix1, fix2; /* fix: 1 / (1 - b^t) */
	float eps, lr, half;      /* half: top code / 2 */
};

/* fp16 emulation of the published rule (diodemix.c). */
struct diode_step {
	bool half; /* every operation rounds to fp16 */
	float b1, b2, eps, alpha;
};

/* Arrays of stats, bins, residual, stochastic, diode and requantize have room for n rounded up to
 * 16, which is read and written; what lies there decides nothing.  diode: n <= CHUNK. */
struct tune_loops {
	const char *name;
	/* 32 codes of each of so many blocks of a lane, from its first word on. */
	void (*codes)(uint8_t *out, const uint32_t *lane, int bits, size_t blocks);
	double (*squares)(const float *x, size_t n);
	void (*add_squares)(float *sum, const float *x, size_t n);
	/* x by, held within most. */
	void (*clip)(float *x, float by, float most, size_t n);
	/* Sums of g and of g (q - half) of one group. */
	void (*group)(
		float *sum, float *first, const float *g, const uint8_t *q, float half, size_t n);
	size_t (*at_ends)(const uint8_t *q, int top, size_t n);
	void (*stats)(float s[6][CHUNK], const float *gs, const float *gc,
		const struct stats_step *o, size_t n); /* s: as state.h has them; n <= CHUNK */
	void (*hash)(uint32_t *out, uint32_t key, uint32_t first, size_t n);
	/* m = b m + (1 - b) g, and of squares. */
	void (*ema)(float *m, const float *g, float b, size_t n);
	void (*ema2)(float *v, const float *g, float b, size_t n);
	/* Moments of a chunk to and from storage; v: never negative, no sign kept.  store returns
	 * the chunk's exponent. */
	void (*load)(
		float *x, const void *from, enum tune_moments kind, bool v, uint8_t exponent, size_t n);
	uint8_t (*store)(void *to, const float *x, enum tune_moments kind, bool v, const uint32_t *noise,
		size_t n);
	/* u = m fix1 / (sqrt(v fix2) + eps) */
	void (*adam)(float *u, const float *m, const float *v, float fix1, float fix2, float eps,
		size_t n);
	/* u = m fix1 / (row col_j + eps) */
	void (*adam_factored)(float *u, const float *m, const float *col, float row, float fix1,
		float eps, size_t n);
	/* Bin of m^2 / v, 0 where a move against m would leave the codes; returns the largest. */
	unsigned (*bins)(
		uint16_t *bin, const float *m, const float *v, const uint8_t *q, int top, size_t n);
	void (*count)(uint32_t *histogram, const uint16_t *bin, unsigned floor, size_t n);
	/* The fixed-point step of 3.4: x = u by_j; r and move are written; by_j in 1/256 of a
	 * level. */
	void (*residual)(int8_t *r, int8_t *move, const uint8_t *q, const float *u, const float *by,
		const uint32_t *h, int top, size_t n);
	/* q + u by_j, rounded by hash; by_j in levels. */
	void (*stochastic)(int8_t *move, const uint8_t *q, const float *u, const float *by,
		const uint32_t *h, int top, size_t n);
	void (*diode)(
		float *u, float *m, float *v, const float *g, const struct diode_step *o, size_t n);
	/* Codes of w = s q + o - alpha u under offset o2. */
	void (*requantize)(int8_t *move, const uint8_t *q, const float *u, float s, float o,
		float o2, const struct diode_step *d, int top, size_t n);
	/* fp16 to float and back; back only what fp16 holds exactly. */
	void (*from_half)(float *x, const uint16_t *h, size_t n);
	void (*to_half)(uint16_t *h, const float *x, size_t n);
	float (*mean)(const float *x, size_t n);
	float (*dot)(const float *x, const float *y, size_t n);
	void (*axpy)(float *y, float a, const float *x, size_t n);
	/* Codes of a group of a float master, inverse = 1 / scale: the nearest, halves up; of q there
	 * is room for n rounded up to 16. */
	void (*nearest)(
		uint8_t *q, const float *w, float offset, float inverse, int top, size_t n);
	/* Through that rounding (latent.h): sums for scale and centre, and g that of the master. */
	void (*straight)(float *gs, float *gc, float *g, const float *w, float offset,
		float inverse, int top, size_t n);
	/* The inverse of codes. */
	void (*words)(uint32_t *lane, const uint8_t *q, int bits, size_t blocks);
};

extern const struct tune_loops tune_loops_plain, tune_loops_avx2, tune_loops_avx512;
const struct tune_loops *tune_loops(void); /* the best of this machine */
/* All that this machine can run, for tests; NULL-terminated. */
const struct tune_loops *const *tune_loops_all(void);

#endif
