/* front.c - hulls, one sorted list of their steps, and the answer read from it. */
#include "core/search/front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/search/units.h"

static int by_bytes(const void *a, const void *b)
{
	const struct option *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	if (x->damage != y->damage)
		return x->damage < y->damage ? -1 : 1;
	return (x->format > y->format) - (x->format < y->format);
}

/* The usable options of a unit that no other one dominates: a larger one stays only if
 * it does less damage.  Returns how many. */
static size_t keep_options(struct option *to, const struct units *u, size_t i)
{
	struct option all[FORMAT_MAX];
	size_t n = 0, kept = 0;

	for (size_t f = 0; f < u->k; f++) {
		size_t c = i * u->k + f;

		if (u->usable[c])
			all[n++] =
				(struct option){ u->bytes[c], u->damage[c], u->var[c], (uint8_t)f };
	}
	qsort(all, n, sizeof *all, by_bytes);
	for (size_t j = 0; j < n; j++)
		if (!kept || all[j].damage < to[kept - 1].damage)
			to[kept++] = all[j];
	return kept;
}

static double rate(const struct option *a, const struct option *b)
{
	return (a->damage - b->damage) / (double)(b->bytes - a->bytes);
}

/* Andrew's scan: the edges of the lower convex hull of a unit's options. */
static size_t hull_steps(struct step *to, const struct option *o, uint32_t unit, size_t n)
{
	uint8_t hull[FORMAT_MAX];
	size_t h = 0;

	for (size_t j = 0; j < n; j++) {
		while (h > 1 &&
			rate(&o[hull[h - 2]], &o[hull[h - 1]]) <= rate(&o[hull[h - 1]], &o[j]))
			h--;
		hull[h++] = (uint8_t)j;
	}
	for (size_t j = 1; j < h; j++) {
		const struct option *a = &o[hull[j - 1]], *b = &o[hull[j]];

		to[j - 1] = (struct step){ a->damage - b->damage, rate(a, b), b->bytes - a->bytes,
			unit, hull[j - 1], hull[j] };
	}
	return h - 1;
}

/* Within a unit rates fall strictly, so its steps stay in order. */
static int by_rate(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate > y->rate ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static void prefix_sums(struct front *f)
{
	double damage = 0;

	for (size_t i = 0; i < f->n_units; i++) {
		const struct unit *u = &f->unit[i];

		f->least += f->option[u->first].bytes;
		f->most += f->option[u->first + u->count - 1].bytes;
		damage += f->option[u->first].damage;
	}
	f->cum_bytes = xarray(f->n_steps + 1, sizeof *f->cum_bytes);
	f->cum_damage = xarray(f->n_steps + 1, sizeof *f->cum_damage);
	f->cum_bytes[0] = f->least;
	f->cum_damage[0] = damage;
	for (size_t i = 0; i < f->n_steps; i++) {
		f->cum_bytes[i + 1] = f->cum_bytes[i] + f->step[i].bytes;
		f->cum_damage[i + 1] = f->cum_damage[i] - f->step[i].gain;
	}
}

enum st front_new(struct front **out, const struct front_input *in, struct err *e)
{
	struct units u;
	struct front *f;
	uint32_t options = 0;
	enum st st = units_build(&u, in, e);

	*out = NULL;
	if (st)
		return st;
	f = xalloc(sizeof *f);
	atomic_init(&f->refs, 1);
	f->n = in->n;
	f->n_units = u.n;
	f->unit = xarray(u.n, sizeof *f->unit);
	f->option = xarray(u.n * u.k, sizeof *f->option);
	f->step = xarray(u.n * u.k, sizeof *f->step);
	for (size_t i = 0; i < u.n; i++) {
		struct option *o = &f->option[options];
		size_t n = keep_options(o, &u, i);

		f->unit[i] = (struct unit){ options, (uint32_t)n };
		options += (uint32_t)n;
		f->n_steps += hull_steps(&f->step[f->n_steps], o, (uint32_t)i, n);
	}
	qsort(f->step, f->n_steps, sizeof *f->step, by_rate);
	prefix_sums(f);
	f->unit_of = u.unit_of;
	u.unit_of = NULL;
	units_release(&u);
	*out = f;
	return ST_OK;
}

const struct front *front_ref(const struct front *f)
{
	atomic_fetch_add(&((struct front *)f)->refs, 1);
	return f;
}

void front_unref(const struct front *cf)
{
	struct front *f = (struct front *)cf;

	if (!f || atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	xfree(f->unit_of);
	xfree(f->unit);
	xfree(f->option);
	xfree(f->step);
	xfree(f->cum_bytes);
	xfree(f->cum_damage);
	xfree(f);
}

void front_free(struct front *f)
{
	front_unref(f);
}

uint64_t front_least(const struct front *f)
{
	return f->least;
}

uint64_t front_most(const struct front *f)
{
	return f->most;
}

size_t front_linears(const struct front *f)
{
	return f->n;
}

/* How many steps the budget pays for, taken in order. */
static size_t steps_within(const struct front *f, uint64_t budget)
{
	size_t lo = 0, hi = f->n_steps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo + 1) / 2;

		if (f->cum_bytes[mid] <= budget)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

double front_bound(const struct front *f, uint64_t budget)
{
	size_t i;

	if (budget < f->least)
		return f->cum_damage[0];
	i = steps_within(f, budget);
	if (i == f->n_steps)
		return f->cum_damage[i];
	return f->cum_damage[i] - f->step[i].rate * (double)(budget - f->cum_bytes[i]);
}

/* The option of unit i with the largest gain among those that fit; 0: none does. */
static uint8_t best_jump(const struct front *f, size_t i, uint8_t at, uint64_t left)
{
	const struct option *o = &f->option[f->unit[i].first];

	/* Damages fall with bytes: the largest that fits gains most. */
	for (size_t j = f->unit[i].count; j-- > (size_t)at + 1;)
		if (o[j].bytes - o[at].bytes <= left)
			return (uint8_t)j;
	return 0;
}

void front_fill(const struct front *f, uint8_t *at, uint64_t left)
{
	/* Each round takes the best jump of all units.  A round is microseconds; what is
	 * left after the hull's steps pays for few, so the limit is not met in practice. */
	enum { ROUNDS = 64 };

	for (int round = 0; round < ROUNDS; round++) {
		double gain = 0;
		size_t unit = 0;
		uint8_t to = 0;
		const struct option *o;

		for (size_t i = 0; i < f->n_units; i++) {
			uint8_t j = best_jump(f, i, at[i], left);

			o = &f->option[f->unit[i].first];
			if (j && o[at[i]].damage - o[j].damage > gain) {
				gain = o[at[i]].damage - o[j].damage;
				unit = i;
				to = j;
			}
		}
		if (!to)
			return;
		o = &f->option[f->unit[unit].first];
		left -= o[to].bytes - o[at[unit]].bytes;
		at[unit] = to;
	}
}

void front_sum(const struct front *f, const uint8_t *at, uint8_t *choice, struct front_answer *a)
{
	double var = 0;

	a->bytes = 0;
	a->damage = 0;
	for (size_t i = 0; i < f->n_units; i++) {
		const struct option *o = &f->option[f->unit[i].first + at[i]];

		a->bytes += o->bytes;
		a->damage += o->damage;
		var += o->var;
	}
	a->se = sqrt(var);
	for (size_t i = 0; choice && i < f->n; i++) {
		uint32_t u = f->unit_of[i];

		choice[i] = f->option[f->unit[u].first + at[u]].format;
	}
}

/* The steps after the prefix that still fit, in order of their rate. */
static uint64_t take_steps(const struct front *f, uint8_t *at, size_t from, uint64_t left)
{
	for (size_t i = from; left && i < f->n_steps; i++) {
		const struct step *s = &f->step[i];

		if (s->bytes <= left && at[s->unit] == s->from) {
			at[s->unit] = s->to;
			left -= s->bytes;
		}
	}
	return left;
}

bool front_answer(const struct front *f, uint64_t budget, uint8_t *choice, struct front_answer *a)
{
	bool fits = budget >= f->least;
	size_t n = fits ? steps_within(f, budget) : 0;
	uint8_t *at = xalloc(f->n_units);

	for (size_t i = 0; i < n; i++)
		at[f->step[i].unit] = f->step[i].to;
	if (fits) {
		uint64_t left = take_steps(f, at, n, budget - f->cum_bytes[n]);

		front_fill(f, at, left);
	}
	front_sum(f, at, choice, a);
	a->bound = front_bound(f, budget);
	a->exact = fits && (n == f->n_steps || f->cum_bytes[n] == budget);
	if (a->exact || a->bound > a->damage) /* the sums were added in another order */
		a->bound = a->damage;
	xfree(at);
	return fits;
}

size_t front_curve(const struct front *f, uint64_t *bytes, double *damage, size_t max)
{
	for (size_t i = 0; i <= f->n_steps && i < max; i++) {
		bytes[i] = f->cum_bytes[i];
		damage[i] = f->cum_damage[i];
	}
	return f->n_steps + 1;
}
