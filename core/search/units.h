/* units.h - what the solvers of this room share: units, their options, the steps of the hull.
 *
 * A unit is a linear, or the linears that are tied.  units_build reads a front_input once
 * and answers, for every unit and format, what it costs and whether it may be chosen.
 * A front keeps of each unit the options that nothing dominates.  Private to core/search.
 */
#ifndef BD_SEARCH_UNITS_H
#define BD_SEARCH_UNITS_H

#include <stdatomic.h>

#include "core/search/front.h"

struct units {
	size_t n, k;       /* units, formats */
	uint32_t *unit_of; /* [linears] */
	uint64_t *bytes;   /* [n][k] */
	double *damage;    /* [n][k] */
	double *var;       /* [n][k]: sum of the squared standard errors; NAN without */
	bool *usable;      /* [n][k]: a damage is known and pin and floor allow it */
	bool *pinned;      /* [n] */
};
/* A pin goes before a floor.  Refuses pins that contradict a tie or name a format
 * without a damage, and a unit that no format is left for. */
BD_MUST_USE enum st units_build(struct units *u, const struct front_input *in, struct err *e);
void units_release(struct units *u);

struct option {
	uint64_t bytes;
	double damage, var;
	uint8_t format;
};

/* Options first ... first + count: bytes ascend, damages descend, strictly. */
struct unit {
	uint32_t first, count;
};

/* An edge of a unit's hull: from one of its options to a larger one. */
struct step {
	double gain, rate; /* damage saved; the same per byte */
	uint64_t bytes;
	uint32_t unit;
	uint8_t from, to; /* options of the unit */
};

struct front {
	atomic_int refs; /* its owner, and every table made from it */
	size_t n, n_units, n_steps;
	uint32_t *unit_of; /* [n] */
	struct unit *unit;
	struct option *option;
	struct step *step;   /* rate descending */
	uint64_t *cum_bytes; /* [n_steps + 1]: of the layout after so many steps */
	double *cum_damage;  /* [n_steps + 1] */
	uint64_t least, most;
};

const struct front *front_ref(const struct front *f);
void front_unref(const struct front *f);

/* at [units]: chosen options.  Enlarges what still fits into `left`, best gain first. */
void front_fill(const struct front *f, uint8_t *at, uint64_t left);
/* Bytes, damage, se and choice (or NULL) of the chosen options. */
void front_sum(const struct front *f, const uint8_t *at, uint8_t *choice, struct front_answer *a);
/* The linear-programming bound: no layout of at most `budget` bytes has less damage. */
double front_bound(const struct front *f, uint64_t budget);

#endif
