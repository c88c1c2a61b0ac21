/* guard.c - layouts a person would make without a search, at the same bytes.
 *
 * What the dial has to beat: `uniform`, `ends` and `random` (front.h).  They walk a ladder
 * of formats, from small to large; a format that costs more than another over the whole
 * model and does more damage is no step of it.  Pins, ties and floors hold here, too.
 */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/model.h"
#include "core/search/units.h"

const char *const guard_name[GUARDS] = { [GUARD_UNIFORM] = "uniform",
	[GUARD_ENDS] = "ends",
	[GUARD_RANDOM] = "random" };

struct guarded {
	struct units u;
	size_t rungs;
	uint8_t ladder[FORMAT_MAX];
	uint8_t *low;   /* [units]: the lowest rung its floor allows */
	uint8_t *at;    /* [units]: the rung it stands on */
	uint64_t bytes; /* of all units */
};

/* A pinned unit is in its one usable format whatever the rung. */
static size_t format_on(const struct guarded *g, size_t unit, size_t rung)
{
	size_t f = 0;

	if (!g->u.pinned[unit])
		return g->ladder[rung];
	while (!g->u.usable[unit * g->u.k + f])
		f++;
	return f;
}

static uint64_t cost(const struct guarded *g, size_t unit, size_t rung)
{
	return g->u.bytes[unit * g->u.k + format_on(g, unit, rung)];
}

static void move(struct guarded *g, size_t unit, size_t rung)
{
	g->bytes = g->bytes - cost(g, unit, g->at[unit]) + cost(g, unit, rung);
	g->at[unit] = (uint8_t)rung;
}

/* Every free unit has a damage for the format (or a floor above it), so that it can be
 * everywhere. */
static bool is_everywhere(const struct front_input *in, size_t f)
{
	for (size_t i = 0; i < in->n; i++)
		if (!isfinite(in->damage[i * in->k + f]) && !(in->pin && in->pin[i] >= 0) &&
			!(in->floor && (int)f < in->floor[i]))
			return false;
	return true;
}

struct rung {
	uint64_t bytes;
	double damage;
	uint8_t format;
};

static struct rung whole_model(const struct front_input *in, size_t f)
{
	struct rung r = { .format = (uint8_t)f };

	for (size_t i = 0; i < in->n; i++) {
		double d = in->damage[i * in->k + f];

		r.bytes += in->bytes[i * in->k + f];
		r.damage += isfinite(d) ? d : 0;
	}
	return r;
}

static void make_ladder(struct guarded *g, const struct front_input *in)
{
	struct rung r[FORMAT_MAX];
	size_t n = 0;

	for (size_t f = 0; f < in->k; f++) {
		struct rung x = whole_model(in, f);
		size_t j = n;

		if (!is_everywhere(in, f))
			continue;
		for (; j > 0 && r[j - 1].bytes > x.bytes; j--)
			r[j] = r[j - 1];
		r[j] = x;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		bool dominated = false;

		for (size_t j = 0; j < n; j++)
			dominated = dominated ||
				    (r[j].bytes < r[i].bytes && r[j].damage <= r[i].damage);
		if (!dominated)
			g->ladder[g->rungs++] = r[i].format;
	}
}

/* false: some unit has no rung. */
static bool find_lowest(struct guarded *g)
{
	for (size_t i = 0; i < g->u.n; i++) {
		size_t r = 0;

		while (!g->u.pinned[i] && r < g->rungs && !g->u.usable[i * g->u.k + g->ladder[r]])
			r++;
		if (r == g->rungs)
			return false;
		g->low[i] = (uint8_t)r;
	}
	return true;
}

static bool guard_begin(struct guarded *g, const struct front_input *in)
{
	*g = (struct guarded){ 0 };
	if (units_build(&g->u, in, NULL))
		return false;
	make_ladder(g, in);
	g->low = xalloc(g->u.n);
	g->at = xalloc(g->u.n);
	if (!g->rungs || !find_lowest(g))
		return false;
	for (size_t i = 0; i < g->u.n; i++)
		g->bytes += cost(g, i, g->at[i]);
	return true;
}

static void guard_end(struct guarded *g)
{
	units_release(&g->u);
	xfree(g->low);
	xfree(g->at);
}

/* All units on a rung, or on the lowest one their floor allows. */
static void everywhere(struct guarded *g, size_t rung)
{
	for (size_t i = 0; i < g->u.n; i++)
		move(g, i, rung > g->low[i] ? rung : g->low[i]);
}

/* One rung up where there is one and it fits. */
static void promote(struct guarded *g, size_t unit, size_t base, uint64_t budget)
{
	size_t next = (size_t)g->at[unit] + 1;

	if (g->at[unit] != base || next >= g->rungs)
		return;
	if (g->bytes - cost(g, unit, g->at[unit]) + cost(g, unit, next) <= budget)
		move(g, unit, next);
}

static void promote_block(
	struct guarded *g, const struct front_input *in, size_t block, size_t base, uint64_t budget)
{
	for (size_t i = block * LINEAR_KINDS; i < (block + 1) * LINEAR_KINDS && i < in->n; i++)
		promote(g, g->u.unit_of[i], base, budget);
}

static bool by_order(struct guarded *g, const struct front_input *in, uint64_t budget, bool ends)
{
	size_t base = g->rungs, blocks = (in->n + LINEAR_KINDS - 1) / LINEAR_KINDS;

	do {
		if (!base)
			return false;
		everywhere(g, --base);
	} while (g->bytes > budget);
	for (size_t i = 0; i < blocks; i++)
		promote_block(g, in, !ends ? i : i % 2 ? blocks - 1 - i / 2 : i / 2, base, budget);
	return true;
}

/* Draws among `list` until no unit of it can move: demotions while over the budget,
 * promotions while something fits. */
static void repair(struct guarded *g, struct rng *r, uint32_t *list, uint64_t budget, bool up)
{
	size_t n = g->u.n;

	for (size_t i = 0; i < n; i++)
		list[i] = (uint32_t)i;
	while (n && (up || g->bytes > budget)) {
		uint32_t pick = rng_below(r, (uint32_t)n), unit = list[pick];
		size_t to = up ? (size_t)g->at[unit] + 1 : (size_t)g->at[unit] - 1;
		bool can = up ? to < g->rungs : g->at[unit] > g->low[unit];

		if (can && up)
			can = g->bytes - cost(g, unit, g->at[unit]) + cost(g, unit, to) <= budget;
		if (can)
			move(g, unit, to);
		else
			list[pick] = list[--n];
	}
}

static bool at_random(struct guarded *g, uint64_t budget, uint64_t seed)
{
	uint32_t *list = xarray(g->u.n, sizeof *list);
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < g->u.n; i++)
		move(g, i, (size_t)g->low[i] + rng_below(&r, (uint32_t)(g->rungs - g->low[i])));
	repair(g, &r, list, budget, false);
	if (g->bytes <= budget)
		repair(g, &r, list, budget, true);
	xfree(list);
	return g->bytes <= budget;
}

static void write_choice(const struct guarded *g, const struct front_input *in, uint8_t *choice)
{
	for (size_t i = 0; i < in->n; i++) {
		size_t unit = g->u.unit_of[i];

		choice[i] = (uint8_t)format_on(g, unit, g->at[unit]);
	}
}

bool guard_layout(enum guard guard, const struct front_input *in, uint64_t budget, uint64_t seed,
	uint8_t *choice, uint64_t *bytes)
{
	struct guarded g;
	bool fits = guard_begin(&g, in);

	*bytes = 0;
	if (fits) {
		if (guard == GUARD_RANDOM)
			fits = at_random(&g, budget, seed);
		else
			fits = by_order(&g, in, budget, guard == GUARD_ENDS);
		write_choice(&g, in, choice);
		*bytes = g.bytes;
	}
	guard_end(&g);
	return fits;
}
