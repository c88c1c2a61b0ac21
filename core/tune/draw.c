/* draw.c - see draw.h. */
#include "core/tune/draw.h"

#include <string.h>

#include "core/base/rng.h"

static void mix(const struct dial_draw *d, double budget, struct rng *r, uint8_t *form)
{
	size_t below = 0;
	double share;

	while (below + 2 < d->forms && d->bpw[below + 1] <= budget)
		below++;
	share = (budget - d->bpw[below]) / (d->bpw[below + 1] - d->bpw[below]);
	for (size_t i = 0; i < d->linears; i++)
		form[i] = (uint8_t)(below + (rng_unit(r) < share));
}

void dial_mix(const struct dial_draw *d, double budget, uint64_t seed, uint8_t *form)
{
	struct rng r;

	rng_seed(&r, seed);
	if (d->forms == 1)
		memset(form, 0, d->linears);
	else
		mix(d, budget, &r, form);
}

void dial_draw(void *arg, uint64_t step, uint8_t *form)
{
	const struct dial_draw *d = arg;
	double low = d->bpw[0], high = d->bpw[d->forms - 1];
	struct rng r;

	rng_seed(&r, d->seed * 0x9e3779b97f4a7c15u + step);
	if (d->forms == 1 || step % 4 == 1)
		memset(form, 0, d->linears);
	else if (step % 4 == 3)
		memset(form, (int)d->forms - 1, d->linears);
	else
		mix(d, low + (high - low) * rng_unit(&r), &r, form);
}
