/* session_dial.c - the dial as verbs: budget, pins, undo, its rules, mark and inverse faces. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/session_private.h"

void session_want_exact(struct session *s)
{
	if (!dial_wants_exact(s->dial))
		return;
	if (jobs_active(s->jobs, &job_exact))
		atomic_store(&s->exact_again, true);
	else
		deed_submit(s, &job_exact, deed_new(s, NULL, NULL));
}

enum st session_turned(struct session *s, enum st st)
{
	if (!st) {
		session_want_exact(s);
		s->turned_at = clock_now();
		s->quiet = false;
	}
	return st;
}

enum st session_budget(struct session *s, double bpw, struct err *e)
{
	return session_turned(s, dial_budget(s->dial, bpw, e));
}

enum st session_budget_bytes(struct session *s, uint64_t bytes, struct err *e)
{
	return session_turned(s, dial_bytes(s->dial, bytes, e));
}

double session_budget_now(const struct session *s)
{
	return dial_bpw(s->dial);
}

/* The index of a format of the dial by name, or by its bits alone ("4"). */
enum st session_format_of(struct session *s, const char *name, int *fmt, struct err *e)
{
	struct format f[FORMAT_MAX], want;
	char *end, one[FORMAT_NAME];
	long bits = strtol(name, &end, 10);
	size_t k = dial_formats(s->dial, f);
	enum st st;

	if (end != name && !*end) {
		for (size_t i = 0; i < k; i++)
			if (f[i].bits == bits && !format_is_mix(f[i])) {
				*fmt = (int)i;
				return ST_OK;
			}
		return err_set(
			e, ST_INVALID, "the dial has no format of %ld bits (:set formats)", bits);
	}
	st = format_parse(&want, name, e);
	for (size_t i = 0; !st && i < k; i++)
		if (format_equal(f[i], want)) {
			*fmt = (int)i;
			return ST_OK;
		}
	return st ? st
		  : err_set(e, ST_INVALID, "%s is not among the dial's formats (:set formats)",
			    format_name(want, one));
}

enum st session_pin(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e)
{
	int fmt = -2;
	enum st st = session_need_model(s, "pin", e);

	if (!st && format)
		st = session_format_of(s, format, &fmt, e);
	return session_turned(s, st ? st : dial_pin(s->dial, pattern, fmt, matched, e));
}

enum st session_free_pin(struct session *s, const char *pattern, size_t *matched, struct err *e)
{
	enum st st = session_need_model(s, "free", e);

	return session_turned(s, st ? st : dial_pin(s->dial, pattern, -1, matched, e));
}

enum st session_undo(struct session *s, struct err *e)
{
	return session_turned(s, dial_undo(s->dial, false, e));
}

enum st session_redo(struct session *s, struct err *e)
{
	return session_turned(s, dial_undo(s->dial, true, e));
}

/* ---- rules, inverse faces, the mark */

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
