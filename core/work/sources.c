/* sources.c - see sources.h. */
#include "core/work/sources.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/search/scan.h"

static const char self[] = "self";

/* ---- reading */

/* What a weight may look like; strtod alone takes blanks, hex, nan and inf. */
static bool is_number(const char *s, double *v)
{
	char *end;

	if (!*s || s[strspn(s, "+-0123456789.eE")])
		return false;
	*v = strtod(s, &end);
	return end != s && !*end;
}

enum st source_check(const char *what, const char *path, struct err *e)
{
	if (fs_is_file(path))
		return ST_OK;
	if (fs_is_dir(path))
		return err_set(e, ST_IO, "%s %s is a folder; name a text file in it", what, path);
	if (access(path, F_OK))
		return err_set(e, ST_IO, "%s %s: there is no such file", what, path);
	return err_set(e, ST_IO,
		"%s %s is not a regular file; copy what it holds into one and name that", what,
		path);
}

/* Do the first n letters of it name one? */
static bool is_file(const char *word, size_t n)
{
	char *name = xstrndup(word, n);
	bool is = fs_is_file(name);

	xfree(name);
	return is;
}

static enum st take(
	struct source *to, const char *word, bool alone, const char *what, struct err *e)
{
	const char *eq = strrchr(word, '=');
	size_t n = strlen(word);

	*to = (struct source){ .weight = 1 };
	if (!n)
		return err_set(e, ST_INVALID, "%s: the name is empty; expected a file or self", what);
	if (strcmp(word, self) && eq && !fs_is_file(word)) {
		n = (size_t)(eq - word);
		if (!is_number(eq + 1, &to->weight)) {
			if (alone && is_file(word, n))
				return err_set(e, ST_INVALID, "%s %s: \"%s\" is no weight", what,
					word, eq + 1);
			if (!alone)
				return err_set(e, ST_INVALID,
					"%s %s: there is no such file, and \"%s\" is no weight",
					what, word, eq + 1);
			n = strlen(word); /* a name like any other */
		} else if (!(to->weight > 0) || !isfinite(to->weight)) {
			return err_set(e, ST_INVALID,
				"%s %s: a weight is a number above 0 (leave out what does not "
				"count)",
				what, word);
		}
	}
	if (!n)
		return err_set(
			e, ST_INVALID, "%s: expected a file or self before %s", what, word);
	if (n != sizeof self - 1 || memcmp(word, self, n))
		to->path = xstrndup(word, n);
	/* One that is not there is told by who reads it. */
	return to->path && (!alone || !access(to->path, F_OK)) ? source_check(what, to->path, e)
							       : ST_OK;
}

static bool same_source(const struct source *a, const struct source *b)
{
	struct fs_id x, y;

	if (!a->path || !b->path)
		return a->path == b->path;
	return !strcmp(a->path, b->path) ||
	       (!fs_identify(a->path, &x, NULL) && !fs_identify(b->path, &y, NULL) &&
		       x.dev == y.dev && x.ino == y.ino);
}

enum st sources_parse(
	struct sources *out, const char *const *word, size_t n, const char *what, struct err *e)
{
	double sum = 0, least = INFINITY;
	enum st st = ST_OK;

	*out = (struct sources){ 0 };
	if (n > SOURCES_MAX)
		return err_set(e, ST_INVALID, "%s: at most %d sources are measured on, not %zu",
			what, SOURCES_MAX, n);
	for (size_t i = 0; i < n && !st; i++) {
		st = take(&out->at[i], word[i], n == 1, what, e);
		out->n++;
		for (size_t j = 0; j < i && !st; j++)
			if (same_source(&out->at[i], &out->at[j]))
				st = err_set(e, ST_INVALID, "%s: %s is named twice", what,
					out->at[i].path ? out->at[i].path : self);
		sum += out->at[i].weight;
		least = fmin(least, out->at[i].weight);
	}
	if (!st && n && !(isfinite(sum) && least / sum >= 1e-6))
		st = err_set(e, ST_INVALID,
			"%s: a weight below a millionth of the sum counts nothing; leave it out",
			what);
	for (size_t i = 0; i < out->n; i++)
		out->at[i].weight /= sum;
	if (st)
		sources_release(out);
	return st;
}

struct sources sources_of(const char *path)
{
	struct sources s = { .n = 1 };

	s.at[0] = (struct source){ path ? xstrdup(path) : NULL, 1 };
	return s;
}

struct sources sources_copy(const struct sources *s)
{
	struct sources c = *s;

	for (size_t i = 0; i < c.n; i++)
		c.at[i].path = c.at[i].path ? xstrdup(c.at[i].path) : NULL;
	return c;
}

void sources_release(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		xfree(s->at[i].path);
	*s = (struct sources){ 0 };
}

/* The last `parts` parts of a path, or all there are. */
static const char *tail_of(const char *path, size_t parts)
{
	const char *s = path + strlen(path);

	while (s > path && (s[-1] != '/' || --parts))
		s--;
	return s;
}

/* Is that tail another source's, too? */
static bool is_shared(const struct sources *s, size_t i, size_t parts)
{
	const char *mine = tail_of(s->at[i].path, parts);

	for (size_t j = 0; j < s->n; j++)
		if (j != i && !strcmp(mine, s->at[j].path ? tail_of(s->at[j].path, parts) : self))
			return true;
	return false;
}

const char *source_name(const struct sources *s, size_t i, char out[SOURCE_NAME])
{
	const char *path = s->at[i].path, *name = path ? tail_of(path, 1) : self, *base = name;
	size_t first;

	for (size_t parts = 2; path && name > path && is_shared(s, i, parts - 1); parts++)
		name = tail_of(path, parts);
	first = strcspn(name, "/") + 1;
	if (strlen(name) >= SOURCE_NAME && name + first < base) { /* its ends tell */
		char *ends = xprintf("%.*s\xe2\x80\xa6/%s", (int)first, name, base);

		text_clean(out, SOURCE_NAME, ends, strlen(ends), true);
		xfree(ends);
	} else {
		text_clean(out, SOURCE_NAME, name, strlen(name), true);
	}
	for (char *c = out; *c; c++) /* it stands in tables */
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return out;
}

/* ---- sequences by weight */

void sources_order(const struct sources *s, uint8_t *order, size_t n, size_t count[SOURCES_MAX])
{
	for (size_t i = 0; i < SOURCES_MAX; i++)
		count[i] = 0;
	for (size_t at = 0; at < n; at++) {
		double most = -INFINITY;
		size_t next = 0;

		for (size_t i = 0; i < s->n; i++) { /* the one that lags most */
			double lag = s->at[i].weight * (double)(at + 1) - (double)count[i];

			if (lag > most + 1e-9) {
				most = lag;
				next = i;
			}
		}
		order[at] = (uint8_t)next;
		count[next]++;
	}
}

/* ---- do they agree? */

static bool in_nats(const struct map_cell *c)
{
	return (c->state == CELL_FAST || c->state == CELL_SCANNED) && c->tokens && !isnan(c->value);
}

/* Of the cells first, first + step ..., the ones that are known on both. */
static double correlate(const struct map_cell *a, const struct map_cell *b, size_t first,
	size_t step, size_t nk, double *x, double *y, size_t *n)
{
	*n = 0;
	for (size_t i = first; i < nk; i += step) {
		if (!in_nats(&a[i]) || !in_nats(&b[i]))
			continue;
		x[*n] = (double)a[i].value;
		y[(*n)++] = (double)b[i].value;
	}
	return *n > 1 ? rank_correlation(x, y, *n) : (double)NAN;
}

size_t sources_agree(size_t n_sources, const struct map_cell *part, size_t n, size_t k,
	struct source_pair out[SOURCE_PAIRS])
{
	size_t pairs = 0, nk = n * k;
	double *x = xarray(nk + 1, sizeof *x), *y = xarray(nk + 1, sizeof *y);

	for (size_t a = 0; a < n_sources; a++)
		for (size_t b = a + 1; b < n_sources && pairs < SOURCE_PAIRS; b++) {
			struct source_pair *p = &out[pairs++];
			const struct map_cell *ca = part + a * nk, *cb = part + b * nk;

			*p = (struct source_pair){ .a = (uint8_t)a, .b = (uint8_t)b };
			p->rho = correlate(ca, cb, 0, 1, nk, x, y, &p->n);
			for (size_t f = 0; f < k && f < FORMAT_MAX; f++)
				p->format_rho[f] =
					correlate(ca, cb, f, k, nk, x, y, &p->format_n[f]);
		}
	xfree(x);
	xfree(y);
	return pairs;
}
