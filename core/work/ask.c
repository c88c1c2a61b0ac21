/* ask.c - the grammar of a budget. */
#include "core/work/ask.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char forms[] = "4.25, +0.05, 120MiB, file 150MiB, kl<=0.02 or 60tok/s";

static const char *skip(const char *s)
{
	return s + strspn(s, " ");
}

/* A decimal number; no inf, nan or hexadecimal, which strtod takes, too.  NULL: none. */
static const char *number(const char *s, double *v)
{
	const char *digits = s + (*s == '+' || *s == '-');
	char *end;

	if (!isdigit((unsigned char)*digits) &&
		!(*digits == '.' && isdigit((unsigned char)digits[1])))
		return NULL;
	if (*digits == '0' && (digits[1] == 'x' || digits[1] == 'X'))
		return NULL;
	*v = strtod(s, &end);
	return isfinite(*v) ? end : NULL;
}

static enum st parse_kl(struct ask *a, const char *text, const char *rest, struct err *e)
{
	const char *s = skip(rest), *end;

	a->what = ASK_KL;
	if (!strncmp(s, "<=", 2)) {
		s = skip(s + 2);
		end = number(s, &a->value);
		if (end && !*skip(end) && a->value >= 0)
			return ST_OK;
	}
	return err_set(e, ST_INVALID,
		"budget: expected kl<= and nats of 0 or more, such as kl<=0.02, got \"%s\"", text);
}

/* How many bytes the unit has; 0: it is none of bytes. */
static double bytes_of(const char *unit)
{
	static const struct {
		const char *unit;
		double bytes;
	} units[] = { { "GiB", 1024.0 * 1024 * 1024 }, { "MiB", 1024.0 * 1024 }, { "KiB", 1024 },
		{ "GB", 1e9 }, { "MB", 1e6 }, { "kB", 1e3 }, { "B", 1 } };

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcasecmp(unit, units[i].unit))
			return units[i].bytes;
	return 0;
}

static enum st parse_file(struct ask *a, const char *text, const char *rest, struct err *e)
{
	const char *s = skip(rest), *end = number(s, &a->value);
	double bytes = end ? bytes_of(skip(end)) : 0;

	a->what = ASK_FILE;
	a->value *= bytes;
	if (!end || !(bytes > 0) || *s == '+' || !(a->value >= 1) || !(a->value < 1e18))
		return err_set(e, ST_INVALID,
			"budget: expected file and bytes, such as file 150MiB, got \"%s\"", text);
	return ST_OK;
}

static enum st parse_unit(struct ask *a, const char *text, const char *unit, struct err *e)
{
	bool speed = !strcasecmp(unit, "tok/s"), bits = !*unit || !strcasecmp(unit, "bpw");
	double bytes = bytes_of(unit);

	if (!bits && !speed && !(bytes > 0))
		return err_set(e, ST_INVALID,
			"budget: unit \"%s\" is none of bpw, kB, MB, GB, KiB, MiB, GiB, B and "
			"tok/s",
			unit);
	if (*text == '+' || *text == '-') {
		a->what = ASK_STEP;
		return bits ? ST_OK
			    : err_set(e, ST_INVALID,
				      "budget: a step is in bits a weight, such as +0.05, got "
				      "\"%s\"",
				      text);
	}
	a->what = bits ? ASK_BPW : speed ? ASK_SPEED : ASK_BYTES;
	if (!(a->value > 0))
		return err_set(e, ST_INVALID, "budget: expected more than 0, got \"%s\"", text);
	if (a->what == ASK_BYTES) {
		a->value *= bytes;
		if (!(a->value >= 1) || !(a->value < 1e18))
			return err_set(e, ST_INVALID,
				"budget: expected from 1 B to 1000000000 GB, got \"%s\"", text);
	}
	return ST_OK;
}

enum st ask_parse(struct ask *a, const char *text, struct err *e)
{
	const char *s = skip(text), *end;

	*a = (struct ask){ ASK_BPW, (double)NAN };
	if (!strncasecmp(s, "kl", 2))
		return parse_kl(a, s, s + 2, e);
	if (!strncasecmp(s, "file", 4))
		return parse_file(a, s, s + 4, e);
	if (!*s)
		return err_set(e, ST_INVALID, "budget: expected %s", forms);
	end = number(s, &a->value);
	if (!end)
		return err_set(e, ST_INVALID, "budget: expected %s, got \"%s\"", forms, s);
	return parse_unit(a, s, skip(end), e);
}
