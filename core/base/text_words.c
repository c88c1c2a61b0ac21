/* text_words.c - the parts of text.h about names: nearest, patterns, sizes in words. */
#include "core/base/text.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63 };

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, swap two neighbours. */
int text_distance(const char *a, const char *b)
{
	int rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX) /* no word anyone mistyped */
		return strcmp(a, b) ? (int)(na > nb ? na : nb) : 0;
	for (size_t j = 0; j <= nb; j++)
		last[j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int *spare = before;

		now[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int swap = last[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = least(swap, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

const char *text_suggest(const char *word, const char *const *names)
{
	int third = (int)(strlen(word) / 3), limit = third > 1 ? third : 1;
	const char *best = NULL;

	for (; *names; names++) {
		int d = text_distance(word, *names);

		/* "x" is one edit away from every name of one or two letters. */
		if (d > limit || (size_t)d >= strlen(word))
			continue;
		limit = d - 1;
		best = *names;
	}
	return best;
}

/* After a `*` that fails further on, let it take one byte more and try again. */
bool text_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = s;
		} else if (*pattern == '?') {
			uint32_t cp;

			s += utf8_decode(s, strnlen(s, 4), &cp);
			pattern++;
		} else if (*pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

const char *text_bytes(uint64_t bytes, char out[16])
{
	static const char units[] = "KMGTPE";
	double v = (double)bytes / 1024;
	size_t u = 0;

	if (bytes < 1024) {
		snprintf(out, 16, "%u B", (unsigned)bytes);
		return out;
	}
	for (; v >= 1023.5 && units[u + 1]; u++) /* would print as 1024 */
		v /= 1024;
	snprintf(out, 16, v < 99.95 ? "%.1f %ciB" : "%.0f %ciB", v, units[u]);
	return out;
}

const char *text_seconds(double s, char out[16])
{
	if (s < 89.5)
		snprintf(out, 16, "%.0f s", s > 0 && s < 1 ? 1 : s);
	else if (s < 5370)
		snprintf(out, 16, "%.0f min", s / 60);
	else
		snprintf(out, 16, s / 3600 < 99.95 ? "%.1f h" : "%.0f h", s / 3600);
	return out;
}
