/* int8.h - rows of x rounded as act8.h says, in the order in which leaves read them.
 *
 * A strip is a few rows of x that pass W together; its arrays lie in memory of int8.c.  A
 * matrix of `bits` bits reads order log2 of its lowest plane, bits & -bits: all its planes are
 * brought to that one.  Second digits are few, so they stand by themselves: block after
 * block, of a block row after row.
 */
#ifndef BD_KERNELS_CPU_INT8_H
#define BD_KERNELS_CPU_INT8_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/mat.h"

enum {
	STRIP_ORDERS = 4,
	STRIP_SUMS = 4, /* group sizes at once */
	STRIP_MOST = 12
};

struct strip {
	size_t n;                       /* rows: 1, 2, 4, 8 or 12 */
	uint32_t *first[STRIP_ORDERS];  /* [blocks][8][n], four digits a word; NULL: not wanted */
	uint32_t *second[STRIP_ORDERS]; /* [seconds][8] */
	float *s;                       /* [blocks][n] */
	float *t;                       /* [seconds] */
	uint8_t *row;                   /* [seconds]: which of the n */
	uint8_t *seconds;               /* [blocks]: how many */
	float *sum[STRIP_SUMS];         /* [groups][n]: c of act8.h; NULL: not wanted */
	size_t group[STRIP_SUMS];       /* their groups, in blocks */
};

static inline int strip_order(int bits)
{
	return bits & 1 ? 0 : bits & 2 ? 1 : bits & 4 ? 2 : 3;
}

struct leaf_int8 {
	size_t widest; /* rows of a strip at most */
	/* Fills a strip from n rows of x. */
	void (*round)(struct strip *a, const float *x, size_t ldx, size_t cols);
	/* y[n][rows] = strip * W^T for W's rows first ... first + rows, first a multiple of 16;
	 * sum is the strip's of W's group. */
	void (*product)(float *y, size_t ldy, const struct strip *a, const float *sum,
		const struct mat *w, size_t first, size_t rows);
};

#endif
