/* leaf.h - what the cpu backend computes on one thread, once for each instruction set.
 *
 * A leaf knows no threads and allocates nothing; scratch comes from its caller.  Most are
 * the same source (*.inc) over the lanes of lanes.h; one with instructions for some of it
 * only leaves the other members empty and gets those of the leaf below it.  Which one runs
 * is chosen in cpu.c.
 */
#ifndef BD_KERNELS_CPU_LEAF_H
#define BD_KERNELS_CPU_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"
#include "kernels/cpu/int8.h"

enum {
	LEAF_FEW = 4 /* rows of x that `few` takes in one go over W; it goes again for more */
};

/* matmul.inc */
struct leaf_matmul {
	/* Columns of a panel that are multiplied at once, 16 or a multiple: a sliver.  Column j of
	 * row c of a panel is p[j / wide * sliver + c * ldp + j % wide]: with slivers of wide it is
	 * a matrix as any, with ldp of wide its slivers are one after the other.  `deep`: rows of
	 * one, a multiple of 32, that fill half of the first-level cache, 256 at most. */
	size_t wide, deep;
	/* y[m][n] = x[m][k] * panel[k][n], or += where add; ld*: floats from row to row. */
	void (*mul)(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const float *p,
		size_t ldp, size_t sliver, size_t k, size_t n, bool add);
	/* to = by * from, n values; they may be the same */
	void (*scaled)(float *to, const float *from, float by, size_t n);
	/* Columns c ... c + n of 16 rows of W, transposed: p[n][ldp].  `first` is the first
	 * row (a multiple of 16 where w is packed), c a multiple of 32. */
	void (*panel)(float *p, size_t ldp, const struct mat *w, size_t first, size_t c, size_t n);
	/* y[m][n] = x[m][cols] * W^T for packed W's rows first ... first + n, first a
	 * multiple of 16; sums[m][groups] are the sums of x over the groups. */
	void (*few)(float *y, size_t ldy, const float *x, size_t ldx, size_t m, const struct mat *w,
		size_t first, size_t n, const float *sums);
	void (*group_sums)(float *sums, const float *x, size_t ldx, size_t m, const struct mat *w);
	/* The same for dense W, any m, and first of any value: one dot product a value. */
	void (*dots)(float *y, size_t ldy, const float *x, size_t ldx, size_t m,
		const struct mat *w, size_t first, size_t n);
	/* Rows first ... first + n as float, [n][cols]. */
	void (*rows)(float *out, const struct mat *w, size_t first, size_t n);
	/* Columns c ... c + cols of them, c a multiple of 32, as a panel [n][cols]. */
	void (*part)(float *out, size_t ldp, size_t sliver, const struct mat *w, size_t first,
		size_t n, size_t c, size_t cols);
};

/* Rows of one head; they stand at positions pos ... and see what struct attn_seq says. */
struct leaf_attn {
	float *out;
	const float *q, *k, *v; /* of this head: element 0 of the first row, of key 0 */
	const int8_t *k8, *v8;  /* in place of k and v, where those are NULL */
	const float *k_scale, *v_scale;
	size_t ld, step;   /* values from row to row of q and out, from key to key */
	size_t scale_step; /* from key to key of the scales */
	size_t m, pos, dim, window;
	bool level; /* the rows are heads that share keys, all at pos */
	float scale;
};

enum {
	ATTN_ROWS = 48,  /* rows of one call at most */
	ATTN_KEYS = 256, /* keys whose scores are held at once */
	ATTN_PANEL = 32, /* keys transposed at once */
	/* floats of scratch beside a panel of dim, and for k8 and v8 two of ATTN_KEYS of dim */
	ATTN_SCRATCH = ATTN_ROWS * ATTN_KEYS
};

/* vector.inc and attention.inc */
struct leaf_vector {
	void (*rmsnorm)(float *y, const float *x, const float *gain, size_t n, float eps);
	/* cos and sin of pos * inv_freq[i] */
	void (*angles)(float *c, float *s, int32_t pos, const float *inv_freq, size_t n);
	/* one head */
	void (*rope)(float *x, size_t dim, const float *c, const float *s, enum rope_style style);
	void (*swiglu)(float *y, const float *gate, const float *up, size_t n);
	void (*add)(float *y, const float *x, size_t n);
	/* one row */
	void (*stats)(double *lse, int32_t *argmax, const float *z, size_t n);
	double (*kl)(const float *zp, double lse_p, const float *zq, double lse_q, size_t n);
	void (*sq_diff)(double *num, double *den, const float *a, const float *b, size_t n);
	/* scratch: ATTN_SCRATCH + ATTN_PANEL * dim floats, and 2 * ATTN_KEYS * dim for k8 */
	void (*attention)(const struct leaf_attn *a, float *scratch);
};

/* One head of one sequence, all its rows; its own pointers to element 0 of the first. */
struct leaf_attn_back {
	float *dq, *dk, *dv;
	const float *dout, *out, *q, *k, *v;
	size_t ld, step; /* values from row to row of q, out, dout and dq; of k, v, dk and dv */
	size_t m, pos, dim, window; /* row 0 of q stands at pos: sees keys 0 ... pos */
	float scale;
};

/* back.inc; one row where nothing else is said */
struct leaf_back {
	/* dx as in backend.h; returns 1 / sqrt(mean(x^2) + eps) */
	float (*rmsnorm)(
		float *dx, const float *dy, const float *x, const float *gain, size_t n, float eps);
	/* dgain[n] += sum over m rows of dy[m][ld] x[m][ld] inv[m], n <= LEAF_STRIP */
	void (*gain)(float *dgain, const float *dy, const float *x, const float *inv, size_t m,
		size_t ld, size_t n);
	void (*swiglu)(float *dgate, float *dup, const float *dy, const float *gate,
		const float *up, size_t n);
	/* z = scale * exp(z - lse) */
	void (*softmax)(float *z, size_t n, double lse, float scale);
	/* zq = scale * (exp(zq - lse_q) - exp(zp - lse_p)) */
	void (*kl)(float *zq, double lse_q, const float *zp, double lse_p, size_t n, float scale);
	/* dq is written, dk and dv are added to; scratch: 3 * ATTN_SCRATCH + ATTN_PANEL * dim
	 * floats */
	void (*attention)(const struct leaf_attn_back *a, float *scratch);
};

enum { LEAF_STRIP = 64 }; /* values of a row that `gain` sums at once */

/* pairs.inc, where there is a permutation for it */
struct leaf_pair {
	/* t: 16 floats for each two of cols, rounded up to a block */
	void (*tables)(float *t, const float *x, size_t cols);
	/* y = x * W^T for rows first ... first + n of 2-bit W; sums as in leaf_matmul */
	void (*few)(float *y, const float *t, const float *sums, const struct mat *w, size_t first,
		size_t n);
};

/* leaf_bf16.c, leaf_amx.c: products in bfloat16.  Operands are packed in strips of 16 rows of x or
 * of W: a tile for each step of 32 columns, one after the other.  A tile of x is [16 rows][32
 * columns], one of W has the columns in pairs, [16 pairs][16 rows][2], as the instructions want
 * them.  Beyond the last column a strip holds 0. */
enum { BF16_STEP = 32, BF16_TILE = MAT_TILE * BF16_STEP };

struct leaf_bf16 {
	/* Steps of two strips of x that stay in the first-level cache while W goes by. */
	size_t steps;
	/* Before and after calls of mul, on their thread; NULL: nothing to be done. */
	void (*begin)(void);
	void (*end)(void);
	/* m <= 16 rows of x, n columns, as a strip; the rows that lack are 0. */
	void (*pack)(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
	/* The same of x transposed: x[n][ldx]. */
	void (*pack_t)(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
	/* Columns c ... c + n of 16 rows of W as a strip; `first` is the first row (a multiple of
	 * 16 where w is packed), c a multiple of 32. */
	void (*panel)(uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n);
	/* rows <= 16 rows of a float matrix as one of W, n columns: b[rows][ldb], b[n][ldb]. */
	void (*panel_f32)(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);
	void (*panel_t)(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);
	/* y[m][n] = a * b, or += where add, over `steps` tiles of two strips each; m, n <= 32; lda,
	 * ldb: from strip to strip. */
	void (*mul)(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
		const uint16_t *b, size_t ldb, size_t steps, bool add);
};

struct leaf {
	const char *name;
	/* Runs one instruction of each kind this leaf has over its lower ones and says whether the
	 * results are right; in a child process (probe.h), so it may die of them.  NULL: nothing
	 * to be tried. */
	bool (*probe)(void);
	/* Whether it is faster than the leaf below it; if not, it runs where it is asked for.
	 * NULL: it is. */
	bool (*pays)(void);
	struct leaf_matmul mm;
	struct leaf_vector v;
	struct leaf_back back;
	struct leaf_int8 i8; /* int8.inc */
	struct leaf_pair pair;
	/* For many rows: tiles do, vdpbf16ps has half the rate of vpdpbusd. */
	bool bf16_beats_int8;
	struct leaf_bf16 b16;
	struct leaf_bf16 b16x3; /* MATH_BF16X3: two tiles a step, that of hi and that of lo */
};

extern const struct leaf leaf_plain, leaf_avx2, leaf_avx512, leaf_vnni, leaf_bf16, leaf_amx;

#endif
