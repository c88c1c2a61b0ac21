/* session_set.c - the options that the session holds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work/session_private.h"

static enum st number(
	const char *name, const char *value, double lo, double hi, double *out, struct err *e)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end || !isfinite(v) || v < lo || v > hi)
		return err_set(e, ST_INVALID, "set %s %s: expected a number from %g to %g", name,
			value, lo, hi);
	*out = v;
	return ST_OK;
}

static enum st on_off(const char *name, const char *value, bool *out, struct err *e)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return err_set(e, ST_INVALID, "set %s %s: expected on or off", name, value);
	*out = !strcmp(value, "on");
	return ST_OK;
}

enum st session_set(struct session *s, const char *name, const char *value, struct err *e)
{
	double v;
	enum st st;

	if (!strcmp(name, "formats"))
		return session_formats(s, value, e);
	if (!strcmp(name, "mix")) {
		if (strcmp(value, "layer") && strcmp(value, "channel"))
			return err_set(
				e, ST_INVALID, "set mix %s: expected layer or channel", value);
		s->mix = !strcmp(value, "channel");
		if (atomic_load(&s->ready) || jobs_active(s->jobs, &job_open))
			session_change(s, s->formats, 0, false);
		return ST_OK;
	}
	if (!strcmp(name, "auto_scan"))
		return on_off(name, value, &s->auto_scan, e);
	if (!strcmp(name, "auto_measure")) {
		st = on_off(name, value, &s->auto_measure, e);
		if (!st && s->auto_measure) { /* asked for, however long it takes */
			s->quiet = false;
			s->measured_generation = 0;
			atomic_store(&s->slow, false);
		}
		return st;
	}
	if (!strcmp(name, "scan_tokens")) {
		st = number(name, value, 64, 65536, &v, e);
		if (st)
			return st;
		s->scan_tokens = (size_t)v;
		if (atomic_load(&s->ready))
			session_change(s, NULL, s->scan_tokens, true);
		return ST_OK;
	}
	if (!strcmp(name, "max_tokens")) {
		st = number(name, value, 1, 131072, &v, e);
		if (!st)
			s->max_tokens = (size_t)v;
		return st;
	}
	if (chat_how_set(&s->chat_how, name, value, &st, e))
		return st;
	if (session_ab_set(s, name, value, &st, e))
		return st;
	return err_set(e, ST_INVALID, "set %s: no such option here", name);
}
