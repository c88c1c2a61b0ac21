/* units.c - from linears, ties, pins and floors to units with usable formats. */
#include "core/search/units.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

/* Numbers the units in the order in which their first linear appears. */
static size_t number_units(uint32_t *unit_of, const struct front_input *in)
{
	uint32_t *seen; /* tie number -> unit + 1 */
	size_t n = 0;

	if (!in->tie) {
		for (size_t i = 0; i < in->n; i++)
			unit_of[i] = (uint32_t)i;
		return in->n;
	}
	seen = xarray((size_t)UINT16_MAX + 1, sizeof *seen);
	for (size_t i = 0; i < in->n; i++) {
		uint32_t *s = &seen[in->tie[i]];

		if (!*s)
			*s = (uint32_t)++n;
		unit_of[i] = *s - 1;
	}
	xfree(seen);
	return n;
}

static enum st add_linear(struct units *u, const struct front_input *in, size_t i, struct err *e)
{
	size_t at = u->unit_of[i] * u->k;

	for (size_t f = 0; f < u->k; f++) {
		size_t c = i * u->k + f;
		double se = in->se ? in->se[c] : (double)NAN;

		/* Totals of 2^63 leave room for every sum made from them. */
		if (in->bytes[c] > INT64_MAX / 2 - u->bytes[at + f])
			return err_set(
				e, ST_INVALID, "the linears' bytes add up to more than 2^62");
		u->bytes[at + f] += in->bytes[c];
		u->var[at + f] += se * se;
		if (isfinite(in->damage[c]))
			u->damage[at + f] += in->damage[c];
		else
			u->usable[at + f] = false;
	}
	return ST_OK;
}

/* pin [units]: the format all its members are pinned to, -1: none. */
static enum st read_pins(
	int *pin, const struct units *u, const struct front_input *in, struct err *e)
{
	for (size_t i = 0; i < u->n; i++)
		pin[i] = -1;
	for (size_t i = 0; in->pin && i < in->n; i++) {
		int *p = &pin[u->unit_of[i]];

		if (in->pin[i] < 0)
			continue;
		if ((size_t)in->pin[i] >= u->k)
			return err_set(e, ST_INVALID,
				"linear %zu is pinned to format %d, there are %zu", i, in->pin[i],
				u->k);
		if (*p >= 0 && *p != in->pin[i])
			return err_set(e, ST_INVALID,
				"linear %zu is pinned to another format than those it is tied to; "
				"remove one of the pins or the tie",
				i);
		*p = in->pin[i];
	}
	return ST_OK;
}

static enum st restrict_unit(
	struct units *u, const struct front_input *in, size_t i, int pin, struct err *e)
{
	bool *usable = &u->usable[u->unit_of[i] * u->k], any = false;

	u->pinned[u->unit_of[i]] = pin >= 0;
	for (size_t f = 0; f < u->k; f++) {
		if (pin >= 0)
			usable[f] = usable[f] && f == (size_t)pin;
		else if (in->floor && (int)f < in->floor[i])
			usable[f] = false;
		any = any || usable[f];
	}
	if (any)
		return ST_OK;
	if (pin >= 0)
		return err_set(e, ST_INVALID,
			"linear %zu is pinned to a format that has not been measured; unpin it or "
			"wait",
			i);
	return err_set(e, ST_INVALID,
		"no format is left for linear %zu; lower its floor or measure it", i);
}

static enum st fill(struct units *u, const struct front_input *in, struct err *e)
{
	uint64_t total = 0;
	int *pin = xarray(u->n, sizeof *pin);
	enum st st = ST_OK;

	for (size_t c = 0; c < u->n * u->k; c++)
		u->usable[c] = true;
	for (size_t i = 0; !st && i < in->n; i++)
		st = add_linear(u, in, i, e);
	for (size_t i = 0; !st && i < u->n; i++) {
		uint64_t most = 0;

		for (size_t f = 0; f < u->k; f++)
			most = u->bytes[i * u->k + f] > most ? u->bytes[i * u->k + f] : most;
		total += most;
		if (total > INT64_MAX / 2)
			st = err_set(e, ST_INVALID, "the linears' bytes add up to more than 2^62");
	}
	if (!st)
		st = read_pins(pin, u, in, e);
	for (size_t i = 0; !st && i < in->n; i++)
		st = restrict_unit(u, in, i, pin[u->unit_of[i]], e);
	xfree(pin);
	return st;
}

enum st units_build(struct units *u, const struct front_input *in, struct err *e)
{
	enum st st;

	*u = (struct units){ .k = in->k };
	if (!in->n || !in->k || in->k > FORMAT_MAX || in->n > UINT32_MAX / FORMAT_MAX)
		return err_set(
			e, ST_INVALID, "no front of %zu linears in %zu formats", in->n, in->k);
	u->unit_of = xarray(in->n, sizeof *u->unit_of);
	u->n = number_units(u->unit_of, in);
	u->bytes = xarray(u->n * u->k, sizeof *u->bytes);
	u->damage = xarray(u->n * u->k, sizeof *u->damage);
	u->var = xarray(u->n * u->k, sizeof *u->var);
	u->usable = xarray(u->n * u->k, sizeof *u->usable);
	u->pinned = xarray(u->n, sizeof *u->pinned);
	st = fill(u, in, e);
	if (st)
		units_release(u);
	return st;
}

void units_release(struct units *u)
{
	xfree(u->unit_of);
	xfree(u->bytes);
	xfree(u->damage);
	xfree(u->var);
	xfree(u->usable);
	xfree(u->pinned);
	*u = (struct units){ 0 };
}
