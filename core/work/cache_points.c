/* cache_points.c - the journal of measured layouts, points.tsv; places in both journals.
 *
 * "KEY what tokens kl se CHOICE sum" with tabs; CHOICE is a letter for each linear, 'a' the
 * dial's lowest format.  A line whose sum does not fit is a torn or damaged one and is left
 * out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/cache_private.h"

enum { JOURNAL_MAX = 64 << 20, LETTERS = 26, LINE_MAX_POINT = 1 << 16 };

/* A line without its end, cut up in place: its letters become the choice. */
static bool parse_point(char *line, struct cached_point *p)
{
	char *sum = strrchr(line, '\t'), *letters;

	if (!sum || strtoul(sum + 1, NULL, 16) != cache_line_sum(line, (size_t)(sum - line)))
		return false;
	*sum = 0;
	letters = strrchr(line, '\t');
	if (!letters)
		return false;
	*letters++ = 0;
	if (sscanf(line, "%16s\t%15s\t%u\t%lf\t%lf", p->key, p->what, &p->tokens, &p->kl, &p->se) !=
			5 ||
		!isfinite(p->kl) || p->kl < 0 || p->se < 0)
		return false;
	p->n = strlen(letters);
	p->choice = (uint8_t *)letters;
	for (size_t i = 0; i < p->n; i++) {
		if (letters[i] < 'a' || letters[i] >= 'a' + LETTERS)
			return false;
		p->choice[i] = (uint8_t)(letters[i] - 'a');
	}
	return true;
}

/* Those of the key at the places from .. to; *good counts all there are. */
static size_t read_points(const struct cache *c, char *text, size_t n, const char *key,
	size_t *good, void (*each)(void *arg, const struct cached_point *p), void *arg)
{
	size_t bad = 0;

	*good = 0;
	for (size_t at = 0; at < n;) {
		char *nl = memchr(text + at, '\n', n - at);
		struct cached_point p = { 0 };

		if (!nl) { /* torn tail, unless no line is as long */
			bad += n - at >= LINE_MAX_POINT;
			break;
		}
		*nl = 0;
		if (!parse_point(text + at, &p))
			bad++;
		else if (++*good > c->points_from && *good - c->points_from <= c->points_at &&
			 !strcmp(p.key, key))
			each(arg, &p);
		at = (size_t)(nl - text) + 1;
	}
	return bad;
}

void cache_each_point(struct cache *c, const char *key,
	void (*each)(void *arg, const struct cached_point *p), void *arg)
{
	char *path, *text;
	size_t n, good = 0, bad = 0;

	if (!cache_usable(c))
		return;
	path = xprintf("%s/points.tsv", c->path);
	if (cache_read_journal(path, JOURNAL_MAX, &text, &n)) {
		bad = read_points(c, text, n, key, &good, each, arg);
		big_free(text);
	}
	if (!c->points_read) { /* those that are put are counted as they come */
		c->points_read = true;
		c->n_points = good;
	}
	if (bad)
		log_at(LOG_WARN, "cache", "%s: %zu damaged lines left out", path, bad);
	xfree(path);
}

void cache_put_point(struct cache *c, const struct cached_point *p)
{
	char *path, *letters, *line, *whole;
	struct fs_log *l = NULL;
	struct err e = { 0 };

	/* Of a replay that measures all anew it is one that the log counts. */
	if (!cache_writable(c) || (c->points_at < SIZE_MAX && !c->anew) || !isfinite(p->kl))
		return;
	letters = xalloc(p->n + 1);
	for (size_t i = 0; i < p->n; i++)
		letters[i] = (char)('a' + p->choice[i]);
	line = xprintf(
		"%s\t%s\t%u\t%.9g\t%.9g\t%s", p->key, p->what, p->tokens,
		fmax(p->kl, 0), p->se, letters);
	whole = xprintf("%s\t%08x", line, cache_line_sum(line, strlen(line)));
	path = xprintf("%s/points.tsv", c->path);
	if (!c->points && !c->points_failed && fs_log_open(&l, path, &e))
		c->points_failed = true;
	if (l)
		c->points = l;
	c->n_points += c->points != NULL;
	if (c->points && fs_log_line(c->points, whole, &e)) {
		fs_log_close(c->points);
		c->points = NULL;
		c->points_failed = true;
	}
	if (e.msg[0])
		cache_cannot(c, &e);
	xfree(path);
	xfree(whole);
	xfree(line);
	xfree(letters);
}

/* ---- places in the journals */

double cache_round(double v)
{
	char s[32];

	snprintf(s, sizeof s, "%.9g", v);
	return strtod(s, NULL);
}

static void nothing(void *arg, const struct cached_point *p)
{
	(void)arg, (void)p;
}

void cache_length(struct cache *c, size_t *cells, size_t *points)
{
	*cells = *points = 0;
	if (!cache_usable(c))
		return;
	if (!c->points_read)
		cache_each_point(c, "", nothing, NULL);
	*cells = c->n_cells < c->cells_at ? c->n_cells : c->cells_at;
	*points = c->n_points - c->points_from;
	if (*points > c->points_at)
		*points = c->points_at;
}

void cache_at(struct cache *c, size_t cells, size_t points)
{
	if (!c)
		return;
	c->cells_at = cells;
	c->points_at = points;
}

void cache_anew(struct cache *c)
{
	size_t cells, points;

	if (!c)
		return;
	c->anew = true; /* one that is not identified yet comes here again */
	if (!cache_usable(c))
		return;
	cache_length(c, &cells, &points);
	c->n_cells = 0;
	c->points_from = c->n_points;
}
