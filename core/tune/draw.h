/* draw.h - which layout a step of calibration trains, when all of a dial are trained at once.
 *
 * Of four steps one runs with every linear in the smallest form, one with every linear in the
 * largest, and two with a mixture: of a budget drawn evenly between both ends each linear has one
 * of the two forms next to it, so that their mean is the budget.  Chance is only hash(seed, step).
 * Pure.
 */
#ifndef BD_TUNE_DRAW_H
#define BD_TUNE_DRAW_H

#include <stddef.h>
#include <stdint.h>

struct dial_draw {
	uint64_t seed;
	size_t linears, forms; /* forms stand from the smallest on, at least one */
	const double *bpw;     /* [forms] stored bits a weight, rising */
};

/* Each linear in the form below the budget or in the one above it, by chance of the seed, so that
 * their mean is the budget. */
void dial_mix(const struct dial_draw *d, double budget, uint64_t seed, uint8_t *form);
/* The forms of a step, the first being 1: form[linears].  As train_from's draw: arg is a
 * struct dial_draw. */
void dial_draw(void *arg, uint64_t step, uint8_t *form);

#endif
