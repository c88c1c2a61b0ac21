/* err.c - one sentence for a person, safe to print. */
#include "core/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

enum {
	RAW = 1024,       /* formatted before the unprintable is escaped */
	PREFIX_MAX = 200, /* "where: " never pushes the sentence itself out */
};

const char *st_name(enum st st)
{
	static const char *const names[] = {
#define X(name, text) text,
		ST_LIST(X)
#undef X
	};

	if ((size_t)st >= sizeof names / sizeof *names)
		return "unknown status";
	return names[st];
}

/* Format, then escape: a sentence is one line whatever the names in it hold. */
static void format_clean(char *out, size_t cap, const char *fmt, va_list ap)
{
	char raw[RAW], one[RAW];
	size_t n = 0;

	vsnprintf(raw, sizeof raw, fmt, ap);
	for (const char *s = raw; *s && n + 5 < sizeof one; s++) {
		if (*s == '\n' || *s == '\t')
			n += (size_t)snprintf(one + n, sizeof one - n, "\\x%02x", (unsigned)*s);
		else
			one[n++] = *s;
	}
	text_clean(out, cap, one, n, true);
}

enum st err_set(struct err *e, enum st st, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return st;
	e->st = st;
	va_start(ap, fmt);
	format_clean(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return st;
}

enum st err_at(struct err *e, enum st st, const char *fmt, ...)
{
	char where[PREFIX_MAX], old[sizeof e->msg], all[sizeof where + sizeof old + 2];
	va_list ap;

	if (!e)
		return st;
	va_start(ap, fmt);
	format_clean(where, sizeof where, fmt, ap);
	va_end(ap);
	memcpy(old, e->msg, sizeof old);
	old[sizeof old - 1] = '\0';
	snprintf(all, sizeof all, "%s: %s", where, old);
	/* Cuts on a character, not in one. */
	text_clean(e->msg, sizeof e->msg, all, strlen(all), true);
	e->st = st;
	return st;
}
