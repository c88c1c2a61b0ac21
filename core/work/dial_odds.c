/* dial_odds.c - how sure the layout under the dial is, and which of its cells are not. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/search/boot.h"
#include "core/work/dial_private.h"

static void publish(struct dial *d, const struct boot *b, uint64_t generation)
{
	struct snap_odds *s = snap_odds_new(b->n, b->k);

	memcpy(s->prob, b->at[0].prob, b->n * b->k * sizeof *s->prob);
	s->draws = b->draws;
	s->undecided = b->at[0].n_undecided;
	s->stability = b->at[0].stability;
	s->generation = generation;
	bus_publish(d->bus, (struct event){ .kind = EV_ODDS, .snap = &s->snap });
}

/* The solver's input as it is now; what it reads is kept by *now and *rules. */
static bool take(struct dial *d, struct front_input *in, struct solved **now,
	struct dial_rules *rules, uint64_t *budget, uint64_t *generation)
{
	bool has;

	pthread_mutex_lock(&d->mu);
	has = d->m && d->now && d->now->in_nats && d->has_choice && !d->given;
	if (has) {
		*now = d->now;
		d->now->refs++;
		*rules = rules_copy(&d->rules, d->m->n);
		*in = dial_input(d->m, d->now, rules);
		*budget = dial_budget_of(d, d->bpw);
		*generation = d->generation;
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}

enum st dial_odds(struct dial *d, struct boot **out, const struct sink *s, struct err *e)
{
	struct front_input in;
	struct solved *now;
	struct dial_rules rules;
	uint64_t budget, generation;
	struct boot *b = NULL;
	enum st st;

	if (out)
		*out = NULL;
	if (!take(d, &in, &now, &rules, &budget, &generation))
		return ST_OK;
	st = boot_new(&b, &in, &budget, 1, NULL, s, e);
	pthread_mutex_lock(&d->mu);
	if (!st && d->now == now && d->generation == generation)
		publish(d, b, generation);
	dial_solved_unref(now);
	pthread_mutex_unlock(&d->mu);
	rules_free(&rules);
	if (out)
		*out = b;
	else
		boot_free(b);
	return st;
}
