/* dial_mix.c - what channel-mixes buy: the same bytes with one format a linear, beside them. */
#include <math.h>

#include "core/base/alloc.h"
#include "core/work/dial_private.h"

double *dial_layers_only(const struct dial *d, const struct solved *s)
{
	size_t nk = d->m->n * d->m->k;
	double *damage = xarray(nk + 1, sizeof *damage);

	for (size_t i = 0; i < nk; i++)
		damage[i] = format_is_mix(d->m->format[i % d->m->k]) ? (double)NAN : s->damage[i];
	return damage;
}

struct front *dial_layers(
	const struct dial *d, const struct solved *s, const struct dial_rules *r)
{
	struct front_input in = dial_input(d->m, s, r);
	struct front *f = NULL;
	size_t mixes = 0;
	double *damage;

	for (size_t k = 0; k < d->m->k; k++)
		mixes += format_is_mix(d->m->format[k]);
	if (!mixes)
		return NULL;
	in.damage = damage = dial_layers_only(d, s);
	if (front_new(&f, &in, NULL)) /* a linear that is pinned to a mix, or known in no other */
		f = NULL;
	xfree(damage);
	return f;
}

bool dial_layer_answer(
	const struct dial *d, uint64_t bytes, uint8_t *choice, struct front_answer *a)
{
	const struct solved *s = d->now;

	if (s->layer_table)
		return front_table_answer(s->layer_table, bytes, choice, a);
	return s->layers && front_answer(s->layers, bytes, choice, a);
}

double dial_layer_kl(const struct dial *d, uint64_t bytes)
{
	struct front_answer a;
	uint8_t *choice;
	bool fits;

	if (!d->now->layers || !d->now->in_nats)
		return 0;
	choice = xarray(d->m->n + 1, 1);
	fits = dial_layer_answer(d, bytes, choice, &a);
	xfree(choice);
	if (!d->given && a.damage < d->answer_sum) /* greedy's gap: the answer was held to both */
		a.damage = d->answer_sum;
	return fits ? dial_predicted(d, a.damage, 0, NULL) : 0;
}
