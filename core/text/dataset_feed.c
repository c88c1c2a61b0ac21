/* dataset_feed.c - a file of rows, read a piece at a time and cut where its rows end. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/text/dataset_private.h"

enum {
	PIECE = 1 << 20,
	TEXT_ROW = 4096,  /* plain text is cut behind the first line end after so many bytes */
	TEXT_MAX = 16384, /* or here, where there is none */
};

static enum st make_room(struct feed *f, struct err *e)
{
	size_t cap = f->cap ? f->cap : 2 * (size_t)PIECE;
	char *p;

	if (f->at) {
		memmove(f->raw, f->raw + f->at, f->have - f->at);
		f->have -= f->at;
		f->at = 0;
	}
	while (cap - f->have < PIECE)
		cap *= 2; /* rows are limited, so this cannot wrap */
	if (cap == f->cap)
		return ST_OK;
	p = big_alloc(cap, "rows of a data file", e);
	if (!p)
		return ST_NOMEM;
	if (f->have)
		memcpy(p, f->raw, f->have);
	big_free(f->raw);
	f->raw = p;
	f->cap = cap;
	return ST_OK;
}

enum st feed_more(struct feed *f, const struct sink *s, struct err *e)
{
	size_t got;
	enum st st;

	if (f->end)
		return ST_OK;
	if (sink_poll(s))
		return err_set(e, ST_CANCELLED, "stopped");
	st = make_room(f, e);
	if (!st)
		st = fs_in_read(&f->in, f->raw + f->have, PIECE, &got, e);
	if (st)
		return st;
	sha256_add(&f->sum, f->raw + f->have, got);
	f->have += got;
	f->read += got;
	f->end = got < PIECE;
	return ST_OK;
}

void feed_pass(struct feed *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->line += f->raw[f->at + i] == '\n';
	f->at += n;
}

enum st feed_blanks(struct feed *f, int *c, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (;;) {
		size_t n = 0;

		while (f->at + n < f->have && f->raw[f->at + n] &&
			strchr(" \t\r\n", f->raw[f->at + n]))
			n++;
		feed_pass(f, n);
		if (f->at < f->have || f->end)
			break;
		st = feed_more(f, s, e);
		if (st)
			return st;
	}
	*c = f->at < f->have ? (unsigned char)f->raw[f->at] : -1;
	return ST_OK;
}

static enum st too_long(const char *where, struct err *e)
{
	char b[16];

	return err_set(e, ST_FORMAT, "%s: a row of more than %s; cut it into shorter ones", where,
		text_bytes(DATASET_ROW_MAX, b));
}

enum st feed_line(struct feed *f, const char *where, size_t *n, const struct sink *s, struct err *e)
{
	size_t seen = 0;

	for (;;) {
		size_t left = f->have - f->at;
		const char *nl =
			left > seen ? memchr(f->raw + f->at + seen, '\n', left - seen) : NULL;
		enum st st;

		seen = nl ? (size_t)(nl - f->raw) - f->at : left;
		if (seen > DATASET_ROW_MAX)
			return too_long(where, e);
		if (nl || f->end)
			break;
		st = feed_more(f, s, e);
		if (st)
			return st;
	}
	*n = seen;
	return ST_OK;
}

/* Where in an object a scan stands: brackets of both kinds outside of strings. */
struct scan {
	size_t at, depth;
	bool string, escaped;
};

/* true: the bracket that closes the first one stands before scan->at. */
static bool scan_on(struct scan *k, const char *p, size_t n)
{
	while (k->at < n) {
		char c = p[k->at++];

		if (k->escaped)
			k->escaped = false;
		else if (k->string && c == '\\')
			k->escaped = true;
		else if (c == '"')
			k->string = !k->string;
		else if (!k->string && (c == '{' || c == '['))
			k->depth++;
		else if (!k->string && (c == '}' || c == ']') && --k->depth == 0)
			return true;
	}
	return false;
}

enum st feed_object(
	struct feed *f, const char *where, size_t *n, const struct sink *s, struct err *e)
{
	struct scan k = { 0 };

	while (!scan_on(&k, f->raw + f->at, f->have - f->at) && !f->end) {
		enum st st;

		if (k.at > DATASET_ROW_MAX)
			return too_long(where, e);
		st = feed_more(f, s, e);
		if (st)
			return st;
	}
	if (k.at > DATASET_ROW_MAX)
		return too_long(where, e);
	*n = k.at;
	return ST_OK;
}

enum st feed_text(struct feed *f, size_t *n, const struct sink *s, struct err *e)
{
	const char *p, *nl;
	size_t left;
	enum st st = ST_OK;

	while (!st && f->have - f->at <= TEXT_MAX && !f->end)
		st = feed_more(f, s, e);
	if (st)
		return st;
	p = f->raw + f->at;
	left = f->have - f->at;
	if (left <= TEXT_ROW) {
		*n = left;
		return ST_OK;
	}
	*n = left < TEXT_MAX ? left : TEXT_MAX;
	nl = memchr(p + TEXT_ROW - 1, '\n', *n - (TEXT_ROW - 1));
	if (nl) {
		*n = (size_t)(nl - p) + 1;
	} else if (*n < left) {
		*n -= utf8_partial_tail(p, *n);
		*n -= p[*n - 1] == '\r'; /* its line feed may follow */
	}
	return ST_OK;
}
