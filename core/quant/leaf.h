/* leaf.h - the loops of the quantizers on one thread, once for each instruction set.
 *
 * Most take a tile: sixteen rows of one linear side by side, weight i of row r at
 * t[i * TILE + r], so that a lane is a row, no sum crosses lanes and sixteen rows wait for
 * each other's results at once.  All leaves give the same bits.  They know no threads and
 * allocate nothing.  Private to core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_LEAF_H
#define BD_QUANT_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/quant/rows.h"

enum { TILE = 16 };

/* The statistics of a group in each row of a tile, fp16. */
struct tile_stats {
	uint16_t scale[TILE], offset[TILE];
};

/* The statistics of a row's groups. */
struct grid {
	const uint16_t *scale, *offset; /* fp16 */
	size_t group;
	int top;
};

enum { HQQ_ITERATIONS = 20 };
#define HQQ_P            0.7f
#define HQQ_INVERSE_MOST 2e4f  /* 1 / scale: the package's guard for half precision */
#define HQQ_RANGE_LEAST  1e-4f /* below it the package gives the scale up */

/* beta^(-1 / (2 - p)) of each iteration: weights' errors up to it shrink to nothing. */
struct hqq_plan {
	float quiet[HQQ_ITERATIONS];
};

/* Sixteen groups under way, of different rows and inputs as it comes. */
struct hqq_tile {
	float *u; /* a tile: weights times s */
	float s[TILE], first[TILE], zero[TILE], kept[TILE], best[TILE];
	int32_t it[TILE], live[TILE]; /* iterations done; -1: goes on, 0: at its end */
};

/* Columns [j, end) of one group in a block of gptq. */
struct feed {
	const float *tri, *inverse; /* [width][ld] rows of U; 1 / U_jj */
	size_t ld, width, j, end;
	int top;
};

struct leaf {
	const char *name;
	/* Columns of sixteen rows that lie ld apart to a tile and back; those behind `rows`
	 * are copies of the last, and are not written back. */
	void (*load)(float *t, const float *w, size_t ld, size_t rows, size_t n);
	void (*store)(float *w, size_t ld, size_t rows, const float *t, size_t n);
	/* Whether all of w[0..n) are numbers that fp16 has room for; out, unless NULL: with 0 and
	 * its largest for those that are not. */
	bool (*clean)(float *out, const float *w, size_t n);
	/* The least and the largest of each `group` of w[0..n), up to sixteen; false where one is
	 * no number or beyond fp16. */
	bool (*ranges)(float lo[TILE], float hi[TILE], const float *w, size_t n, size_t group);
	/* The statistics of lo ... hi at codes 0 ... top, of sixteen groups. */
	void (*stats)(struct tile_stats *out, const float lo[TILE], const float hi[TILE], int top);
	/* Nearest codes of a row of n weights, or of whole groups of one. */
	void (*codes)(uint8_t *code, const float *w, size_t n, const struct grid *g);
	/* hqq.inc.  Begins with the n weights in h->u; st: where a group stays at its range. */
	bool (*hqq_begin)(struct hqq_tile *h, struct tile_stats *st, size_t n, int top);
	/* Goes on until at most so many in sixteen are live. */
	void (*hqq_go)(struct hqq_tile *h, size_t n, int top, const struct hqq_plan *p, int few);
	void (*hqq_end)(const struct hqq_tile *h, struct tile_stats *st); /* of all lanes */
	/* clip.inc.  weight: [n]; NULL: all alike.  False, as of hqq_begin: see ranges. */
	bool (*clip)(
		struct tile_stats *out, const float *t, const float *weight, size_t n, int top);
	/* feed.inc: codes and errors / U_jj of columns [j, end) as tiles; x: the columns, from
	 * which the errors are taken. */
	void (*feed)(float *x, float *code, float *error, const struct feed *f,
		const struct tile_stats *st);
};

extern const struct leaf leaf_quant_plain, leaf_quant_avx2, leaf_quant_avx512;

/* From the simplest to the quickest; NULL-terminated.  Tests compare those that run. */
extern const struct leaf *const leaf_table[];
bool leaf_runs(const struct leaf *l);
const struct leaf *leaf_best(void);

#endif
