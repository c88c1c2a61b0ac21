/* boot.h - how sure the front is: the solver run again on perturbed damages.
 *
 * A parametric bootstrap (Efron and Tibshirani 1993, 6.5).  A draw adds se * normal to every
 * damage with a finite se above 0, independently, sets what falls below 0 to 0, and asks
 * front.h by hull and greedy; all other damages (keep, unknown se) stay as they are.
 * Pins, floors and ties hold as they do there.  The same seed gives the same
 * answer, and the first draws of a longer run are those of a shorter one.
 *
 * Any thread; polls the sink once a draw.  Refuses what front_new refuses; results and
 * scratch are sized by linears and budgets and may not fit (ST_NOMEM).  On any failure,
 * a stop among them, *out is NULL.  A result is immutable and belongs to the caller.
 */
#ifndef BD_SEARCH_BOOT_H
#define BD_SEARCH_BOOT_H

#include "core/search/front.h"

enum { BOOT_DRAWS = 200 };

struct boot_options {
	size_t draws; /* 0: BOOT_DRAWS; at most 2^20 */
	uint64_t seed;
	double sure; /* undecided below this probability; 0: 0.8 */
};

struct boot_budget {
	uint64_t budget;     /* bytes */
	bool fits;           /* false: below front_least, every draw is the smallest layout */
	float *prob;         /* [n][k]: share of the draws in which linear i got format f */
	uint8_t *likely;     /* [n]: the format with the largest share, the first of equals */
	uint32_t *undecided; /* [n_undecided]: linears whose likely format is not sure,
				the least sure first, equals in index order */
	size_t n_undecided;
	/* Share of the weights that a draw and the likely formats agree on: the mean of
	 * prob[i][likely[i]], each linear weighted by its bytes in its largest format (so
	 * that a down counts for more than a k).  Pinned linears count: they are sure. */
	double stability;
	/* Nats: mean and standard deviation over draws of what the front predicts for its
	 * own layout in that draw.  The mean lies below the front's own number where the
	 * noise is large: a solver picks what was measured too low (A.6, 4). */
	double damage, sd;
};

struct boot {
	size_t n, k, draws, budgets;
	struct boot_budget *at; /* [budgets], in the order they were asked for */
};

/* budget [budgets], at least one; all share the draws.  o or NULL: all defaults. */
BD_MUST_USE enum st boot_new(struct boot **out, const struct front_input *in,
	const uint64_t *budget, size_t budgets, const struct boot_options *o, const struct sink *s,
	struct err *e);
void boot_free(struct boot *b); /* NULL is fine */

#endif
