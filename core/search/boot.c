/* boot.c - the front solved again and again on damages as uncertain as they were measured. */
#include "core/search/boot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/rng.h"

static const size_t DRAWS_MAX = 1 << 20; /* a float counts exactly that far */
static const double SURE = 0.8;

struct ranked {
	float p;
	uint32_t linear;
};

struct scratch {
	double *damage;      /* [n][k] of this draw */
	struct ranked *rank; /* [n] */
	uint8_t *choice;     /* [n] */
};

/* Three arrays in one allocation, the widest elements first. */
static enum st scratch_new(struct scratch *t, const struct front_input *in, struct err *e)
{
	size_t cells = in->n * in->k;

	t->damage = big_array(1, cells * sizeof *t->damage + in->n * (sizeof *t->rank + 1),
		"damages of the bootstrap", e);
	if (!t->damage)
		return ST_NOMEM;
	t->rank = (struct ranked *)(t->damage + cells);
	t->choice = (uint8_t *)(t->rank + in->n);
	return ST_OK;
}

static enum st result_new(struct boot **out, const struct front_input *in, const uint64_t *budget,
	size_t budgets, struct err *e)
{
	size_t cells = in->n * in->k;
	/* one budget's arrays, in words of four bytes */
	size_t words = cells + in->n + (in->n + 3) / 4, heads, all;
	struct boot *b;
	uint32_t *mem;

	if (!size_mul(&heads, budgets, sizeof *b->at) || !size_mul(&all, budgets, words * 4) ||
		!size_add(&all, all, heads + sizeof *b))
		return err_set(e, ST_INVALID, "no bootstrap at %zu budgets at once", budgets);
	b = big_alloc(all, "probabilities of the bootstrap", e);
	if (!b)
		return ST_NOMEM;
	*b = (struct boot){ .n = in->n, .k = in->k, .budgets = budgets };
	b->at = (struct boot_budget *)(b + 1);
	mem = (uint32_t *)(b->at + budgets);
	for (size_t i = 0; i < budgets; i++, mem += words) {
		struct boot_budget *at = &b->at[i];

		at->budget = budget[i];
		at->prob = (float *)mem;
		at->undecided = mem + cells;
		at->likely = (uint8_t *)(mem + cells + in->n);
	}
	*out = b;
	return ST_OK;
}

void boot_free(struct boot *b)
{
	big_free(b);
}

static void perturb(double *to, const struct front_input *in, struct rng *r)
{
	for (size_t c = 0; c < in->n * in->k; c++) {
		double d = in->damage[c];

		to[c] = d;
		if (!in->se || !isfinite(d) || !isfinite(in->se[c]) || in->se[c] <= 0)
			continue;
		d += in->se[c] * rng_normal(r);
		if (isfinite(d))
			to[c] = d > 0 ? d : 0;
	}
}

/* Welford's running mean; sd holds the sum of squares until the end. */
static void count(struct boot *b, const struct front *f, size_t draw, uint8_t *choice)
{
	for (size_t i = 0; i < b->budgets; i++) {
		struct boot_budget *at = &b->at[i];
		struct front_answer a;
		double off;

		at->fits = front_answer(f, at->budget, choice, &a);
		for (size_t j = 0; j < b->n; j++)
			at->prob[j * b->k + choice[j]]++;
		off = a.damage - at->damage;
		at->damage += off / (double)(draw + 1);
		at->sd += off * (a.damage - at->damage);
	}
}

static enum st run(struct boot *b, const struct front_input *in, uint64_t seed, struct scratch *t,
	const struct sink *s, struct err *e)
{
	struct front_input drawn = *in;
	struct rng r;

	rng_seed(&r, seed);
	drawn.damage = t->damage;
	for (size_t d = 0; d < b->draws; d++) {
		struct front *f;
		enum st st;

		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "the bootstrap was stopped");
		perturb(t->damage, in, &r);
		st = front_new(&f, &drawn, e);
		if (st)
			return st;
		count(b, f, d, t->choice);
		front_free(f);
		sink_progress(s, (double)(d + 1), (double)b->draws);
	}
	return ST_OK;
}

static int least_sure_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->p != y->p)
		return x->p < y->p ? -1 : 1;
	return (x->linear > y->linear) - (x->linear < y->linear);
}

static uint64_t largest(const uint64_t *bytes, size_t k)
{
	uint64_t most = 0;

	for (size_t f = 0; f < k; f++)
		most = bytes[f] > most ? bytes[f] : most;
	return most;
}

/* From counts to shares, and what follows from them. */
static void conclude(struct boot_budget *at, const struct boot *b, const struct front_input *in,
	double sure, struct ranked *rank)
{
	double weight = 0, agreed = 0;

	for (size_t i = 0; i < b->n; i++) {
		float *p = &at->prob[i * b->k];
		double w = (double)largest(&in->bytes[i * b->k], b->k);

		for (size_t f = 0; f < b->k; f++) {
			p[f] /= (float)b->draws;
			if (p[f] > p[at->likely[i]])
				at->likely[i] = (uint8_t)f;
		}
		weight += w;
		agreed += w * (double)p[at->likely[i]];
		if ((double)p[at->likely[i]] < sure)
			rank[at->n_undecided++] = (struct ranked){ p[at->likely[i]], (uint32_t)i };
	}
	qsort(rank, at->n_undecided, sizeof *rank, least_sure_first);
	for (size_t i = 0; i < at->n_undecided; i++)
		at->undecided[i] = rank[i].linear;
	at->stability = weight > 0 ? agreed / weight : 1;
	at->sd = b->draws > 1 ? sqrt(at->sd / (double)(b->draws - 1)) : 0;
}

enum st boot_new(struct boot **out, const struct front_input *in, const uint64_t *budget,
	size_t budgets, const struct boot_options *o, const struct sink *s, struct err *e)
{
	size_t draws = o && o->draws ? o->draws : BOOT_DRAWS;
	double sure = o && o->sure > 0 ? o->sure : SURE;
	struct scratch t = { 0 };
	struct boot *b = NULL;
	struct front *f;
	enum st st;

	*out = NULL;
	if (!budgets || draws > DRAWS_MAX)
		return err_set(e, ST_INVALID,
			"no bootstrap of %zu draws at %zu budgets; give a budget and at most %zu "
			"draws",
			draws, budgets, DRAWS_MAX);
	/* What cannot be solved is refused before its sizes are believed. */
	st = front_new(&f, in, e);
	if (st)
		return st;
	front_free(f);
	st = scratch_new(&t, in, e);
	if (!st)
		st = result_new(&b, in, budget, budgets, e);
	if (!st) {
		b->draws = draws;
		st = run(b, in, o ? o->seed : 0, &t, s, e);
	}
	for (size_t i = 0; !st && i < budgets; i++)
		conclude(&b->at[i], b, in, sure, t.rank);
	big_free(t.damage);
	if (st)
		boot_free(b);
	else
		*out = b;
	return st;
}
