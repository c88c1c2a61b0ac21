/* scan.h - sensitivities: how much damage each (linear, format) does on its own.
 *
 * Two measurements.  The first score: output error relative to the output's energy,
 * all cells in one forward pass, seconds; it fills the map and orders the work and is
 * no damage (its number is not in nats).  The true one: KL(reference || base with that
 * one linear swapped), mean over tokens, by running only the blocks from the swapped
 * one on, from hidden states that were kept; several cells go through the rest of the
 * network as rows of one batch.  The base is the reference, or any other view: all
 * linears in the lowest format (a swap is then a promotion), in the highest, or a layout.
 *
 * True ones are computed with MATH_BF16X3, the reference as the base and the cells: where there
 * are instructions for it they are not the bits of a whole forward in float, but within a
 * hundredth of their standard error of it (of 420 cells of SmolLM2-135M on 64 tokens the
 * farthest was off by 0.006 of it).  Elsewhere they are in float, and differ by the order of sums.
 *
 * Engine thread; polls the sink; each finished cell is reported through `done` at once.
 */
#ifndef BD_SEARCH_SCAN_H
#define BD_SEARCH_SCAN_H

#include "core/model/forward.h"
#include "core/model/selftext.h"
#include "core/quant/variant.h"

/* err [n][k]: |Y - Yq|^2 / |Y|^2 over all rows of t; NAN where there is no variant, 0 for
 * keep.  `block` (or NULL) is called after each block so that the map fills as it goes. */
BD_MUST_USE enum st scan_first_score(double *err, const struct model *m,
	const struct variant_set *v, const struct token_text *t,
	void (*block)(void *arg, size_t layer), void *arg, const struct sink *s, struct err *e);

struct scan; /* the base's hidden states before each block, and the reference's logits */

/* Runs the reference over t (rows = n_seq * len, kept in memory) once, and stands on it. */
BD_MUST_USE enum st scan_new(struct scan **out, const struct model *m, const struct token_text *t,
	const struct sink *s, struct err *e);
/* Stands on the view base [n_linears] instead, whose mats must stay as they are until
 * scan_free; NULL or m->ref: as scan_new.  Runs the reference and then the base. */
BD_MUST_USE enum st scan_new_base(struct scan **out, const struct model *m,
	const struct mat *const *base, const struct token_text *t, const struct sink *s,
	struct err *e);
void scan_free(struct scan *s);
uint64_t scan_need(const struct model *m, const struct token_text *t); /* bytes, at most */

/* Text of several sources that is scanned at once: sequences of all of them are rows of the
 * same batches.  Sequences have one length within a source. */
enum { SCAN_PARTS = 4 };
struct scan_text {
	size_t n; /* sources */
	struct token_text part[SCAN_PARTS];
	double weight[SCAN_PARTS]; /* of the means; above 0, in all 1 */
};
/* As scan_new_base (base NULL: as scan_new), over all parts. */
BD_MUST_USE enum st scan_new_parts(struct scan **out, const struct model *m,
	const struct mat *const *base, const struct scan_text *t, const struct sink *s,
	struct err *e);

/* What a cell does on one source. */
struct scan_part {
	double kl, se; /* nats a token; se over sequences, or over 64-token pieces when one */
	double top1;   /* share of agreeing largest logits */
	/* kl less the base's on the same tokens, below 0 where the swap helps, and the error
	 * of that difference over the same sequences or pieces; kl and se on the reference */
	double delta, delta_se;
};

/* Of several sources the weighted mean: sources are strata, so that mean = sum w_i mean_i and
 * se^2 = sum w_i^2 se_i^2 (Cochran, Sampling Techniques, 5.3). */
struct scan_cell {
	uint32_t linear;
	uint8_t format;
	uint8_t parts; /* sources; 1 where there are no several */
	double kl, se; /* as of a part */
	double top1;
	double delta, delta_se;
	struct scan_part part[SCAN_PARTS]; /* [parts] */
};

/* The base's own distance from the reference; delta is 0.  linear and format are left. */
void scan_base(const struct scan *sc, struct scan_cell *out);

/* Measures the cells (all with a variant in v, or keep: the reference's own mat), grouped by
 * block as given; order within the list is kept as far as batches allow.  A cell that the
 * base has already is answered with the base.  `done` is called once for each, on this
 * thread, as soon as it is known. */
BD_MUST_USE enum st scan_cells(struct scan *sc, const struct variant_set *v,
	const struct scan_cell *cells, size_t n, void (*done)(void *arg, const struct scan_cell *c),
	void *arg, const struct sink *s, struct err *e);

/* KL of a whole view on the same text; the blocks before its first difference from the base
 * are not run. */
BD_MUST_USE enum st scan_view(struct scan *sc, const struct mat *const *view, struct scan_cell *out,
	const struct sink *s, struct err *e);

/* Second moments of the inputs of every site, each token scaled to norm 1:
 * moments[layer * SITES + site] is [cols][cols] (big_alloc'ed by the call, freed by
 * moments_free). */
struct moments {
	float **h;
	size_t n;
	uint64_t tokens;
};
BD_MUST_USE enum st moments_gather(struct moments *out, const struct model *m,
	const struct token_text *t, const struct sink *s, struct err *e);
void moments_free(struct moments *m);

/* Spearman's rank correlation of a and b, ties averaged; NAN for n < 2. */
double rank_correlation(const double *a, const double *b, size_t n);

#endif
