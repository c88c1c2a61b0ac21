/* front.h - the best layout at every budget, under an additive damage model.
 *
 * A multiple-choice knapsack: choose one format for each unit (a linear, or linears
 * that are tied), minimise the sum of damages, keep the sum of bytes within the
 * budget.  front_new builds lower convex hulls and one sorted list of steps
 * (Sinha and Zoltners 1979); front_answer reads it: hull and greedy, fill with what still
 * fits, the gap to the linear-programming bound beside it.  front_exact is the dynamic
 * programme over the common divisor of the sizes, any number of formats, and keeps its
 * table, so that the exact answer at every other budget is a back-track.
 * A front is immutable after front_new and may be read by any thread;
 * front_exact's table is a thing of its own.  Never over budget.
 */
#ifndef BD_SEARCH_FRONT_H
#define BD_SEARCH_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/quant/format.h"

struct front_input {
	size_t n, k;            /* linears, formats */
	const uint64_t *bytes;  /* [n][k] */
	const double *damage;   /* [n][k], nats; NAN: not to be used */
	const double *se;       /* [n][k] or NULL */
	const int8_t *pin;      /* [n]: format index, -1: free; NULL: none */
	const int8_t *floor;    /* [n]: lowest format index allowed, 0: any; NULL: none */
	const uint16_t *tie;    /* [n]: linears with the same number move together; NULL: none */
};

struct front;
BD_MUST_USE enum st front_new(struct front **out, const struct front_input *in, struct err *e);
void front_free(struct front *f);

uint64_t front_least(const struct front *f); /* bytes of the smallest layout */
uint64_t front_most(const struct front *f);  /* beyond this nothing improves */
size_t front_linears(const struct front *f);

struct front_answer {
	uint64_t bytes;  /* of the layout: at most the budget */
	double damage;   /* predicted: sum of the chosen */
	double se;       /* sqrt of the sum of squares; NAN without se */
	double bound;    /* no layout within the budget has less */
	bool exact;      /* damage is the least possible under the model */
};

/* choice [n].  false: the budget is below front_least; then the smallest layout is
 * given.  Microseconds. */
bool front_answer(const struct front *f, uint64_t budget, uint8_t *choice, struct front_answer *a);

/* Breakpoints of the hull for drawing: bytes and damage, ascending bytes.  Returns how
 * many there are; fills at most max. */
size_t front_curve(const struct front *f, uint64_t *bytes, double *damage, size_t max);

struct front_table; /* the dynamic programme's memory */
BD_MUST_USE enum st front_exact(struct front_table **out, const struct front *f,
	const struct sink *s, struct err *e);
void front_table_free(struct front_table *t);
bool front_table_answer(const struct front_table *t, uint64_t budget, uint8_t *choice,
	struct front_answer *a);

/* Guards: layouts a person would make without a search, at most `budget` bytes.
 * order: linears by block (index order).  The largest format that fits everywhere, the
 * rest of the bytes one format up from block 0 on; the same from both ends inward;
 * uniform-random formats repaired to the budget.  false: nothing fits. */
enum guard { GUARD_UNIFORM, GUARD_ENDS, GUARD_RANDOM, GUARDS };
extern const char *const guard_name[GUARDS];
bool guard_layout(enum guard g, const struct front_input *in, uint64_t budget, uint64_t seed,
	uint8_t *choice, uint64_t *bytes);

#endif
