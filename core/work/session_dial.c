/* session_dial.c - the dial's rules, mark and inverse faces as verbs. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/session_private.h"

enum st session_ask(struct session *s, const struct ask *a, struct dial_reached *r, struct err *e)
{
	return session_turned(s, dial_ask(s->dial, a, r, e));
}

enum st session_choose(struct session *s, const uint8_t *choice, size_t n, double kl, double se,
	struct err *e)
{
	if (!dial_fits(s->dial, choice, n))
		return err_set(e, ST_INVALID,
			"the layout is of another model, or of formats that the dial no longer has "
			"(:set formats)");
	dial_choose(s->dial, choice, kl, se);
	return session_turned(s, ST_OK);
}

enum st session_guard(struct session *s, const char *name, uint64_t seed, size_t n, struct err *e)
{
	uint8_t *choice;
	int g = 0;
	enum st st = ST_OK;

	while (g < GUARDS && strcmp(guard_name[g], name) != 0)
		g++;
	if (g == GUARDS)
		return err_set(e, ST_INVALID, "guard %s: expected uniform, ends or random", name);
	choice = xarray(n + 1, 1);
	if (!dial_guard(s->dial, (enum guard)g, seed, choice, n))
		st = err_set(e, ST_INVALID, "there is no layout %s of so few bytes", name);
	else
		dial_choose(s->dial, choice, (double)NAN, (double)NAN);
	xfree(choice);
	return session_turned(s, st);
}

enum st session_floor(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e)
{
	int fmt = 0;
	enum st st = ST_OK;

	if (strcmp(format, "any"))
		st = session_format_of(s, format, &fmt, e);
	return session_turned(s, st ? st : dial_floor(s->dial, pattern, fmt, matched, e));
}

enum st session_tie(struct session *s, const char *what, size_t *units, struct err *e)
{
	return session_turned(s, dial_tie(s->dial, what, units, e));
}

enum st session_price(
	struct session *s, const char *pattern, unsigned which, struct dial_price *p, struct err *e)
{
	return dial_price(s->dial, pattern, which, p, e);
}

enum st session_mark(struct session *s, enum dial_mark_verb verb, bool *marked, struct err *e)
{
	return dial_mark(s->dial, verb, marked, e);
}

enum st session_to_mark(struct session *s, struct err *e)
{
	return session_turned(s, dial_to_mark(s->dial, e));
}

enum st session_better(struct session *s, struct err *e)
{
	return session_turned(s, dial_better(s->dial, e));
}
