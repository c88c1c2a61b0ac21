/* text.c - UTF-8, the sanitiser (reliability.md 6) and Unicode classes. */
#include "core/base/text.h"

#include <stdio.h>
#include <string.h>

#include "core/base/uc_tables.h"

enum { REPLACEMENT = 0xfffd, MARKS_MAX = 2 };

/* ---- UTF-8 */

/* One code point of s[0..n), n > 0.  *len: bytes used; of a bad sequence its
 * longest part that could have begun a character (Unicode 3.9, table 3-8).
 * *cut: it is bad only because s ends. */
static bool decode(const unsigned char *s, size_t n, uint32_t *cp, size_t *len, bool *cut)
{
	unsigned char lo = 0x80, hi = 0xbf; /* what the second byte may be: table 3-7 */
	size_t want;

	*cut = false;
	*len = 1;
	*cp = s[0];
	if (s[0] < 0x80)
		return true;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		want = 2;
		*cp &= 0x1f;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		want = 3;
		*cp &= 0x0f;
		if (s[0] == 0xe0)
			lo = 0xa0; /* shorter forms exist */
		if (s[0] == 0xed)
			hi = 0x9f; /* surrogates */
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		want = 4;
		*cp &= 0x07;
		if (s[0] == 0xf0)
			lo = 0x90;
		if (s[0] == 0xf4)
			hi = 0x8f; /* above 10FFFF */
	} else {
		return false;
	}
	for (; *len < want; lo = 0x80, hi = 0xbf) {
		if (*len == n) {
			*cut = true;
			return false;
		}
		if (s[*len] < lo || s[*len] > hi)
			return false;
		*cp = *cp << 6 | (s[(*len)++] & 0x3fu);
	}
	return true;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *cp)
{
	size_t len = 0;
	bool cut;

	if (!n || !decode((const unsigned char *)s, n, cp, &len, &cut))
		*cp = REPLACEMENT;
	return len;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = REPLACEMENT;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t utf8_first_bad(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t at = 0, len;
	uint32_t cp;
	bool cut;

	while (at < n) {
		uint64_t eight;

		/* Most text is ASCII: eight bytes at a time. */
		while (n - at >= sizeof eight) {
			memcpy(&eight, u + at, sizeof eight);
			if (eight & 0x8080808080808080u)
				break;
			at += sizeof eight;
		}
		if (at == n || !decode(u + at, n - at, &cp, &len, &cut))
			return at;
		at += len;
	}
	return n;
}

size_t utf8_partial_tail(const char *s, size_t n)
{
	for (size_t k = 1; k <= 3 && k <= n; k++) {
		const unsigned char *p = (const unsigned char *)s + n - k;
		uint32_t cp;
		size_t len;
		bool cut;

		if (*p < 0x80)
			return 0;
		if (*p >= 0xc0) {
			decode(p, k, &cp, &len, &cut);
			return cut ? k : 0;
		}
	}
	return 0;
}

/* ---- classes */

static bool in(const struct uc_range *r, size_t n, uint32_t cp)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cp > r[mid].hi)
			lo = mid + 1;
		else if (cp < r[mid].lo)
			hi = mid;
		else
			return true;
	}
	return false;
}

bool uc_letter(uint32_t cp)
{
	if (cp < 0x80)
		return (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
	return in(uc_letters, uc_letters_n, cp);
}

bool uc_number(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= '0' && cp <= '9';
	return in(uc_numbers, uc_numbers_n, cp);
}

bool uc_space(uint32_t cp)
{
	return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0x85 || cp == 0xa0 ||
	       cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
	       cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* ---- the sanitiser */

/* What may reach neither a terminal nor a log. */
static bool is_removed(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
		return true; /* C0, DEL, C1: terminals obey C1 even as UTF-8 */
	if (cp < 0x300)
		return false;
	if (cp == 0x61c || cp == 0x200e || cp == 0x200f || (cp >= 0x202a && cp <= 0x202e) ||
		(cp >= 0x2066 && cp <= 0x2069))
		return true; /* bidi controls: text would show in another order than it is in */
	if (cp == 0xfeff || cp == 0x2028 || cp == 0x2029 || (cp >= 0xe0000 && cp <= 0xe007f))
		return true;
	return in(uc_unassigned, uc_unassigned_n, cp);
}

/* Joiners and selectors do no harm in a file, but make terminals draw fewer or
 * more columns than the sum of the parts, which is what we count. */
static bool is_unseen(uint32_t cp)
{
	return cp >= 0x300 && in(uc_unseen, uc_unseen_n, cp);
}

static bool is_mark(uint32_t cp)
{
	return cp >= 0x300 && in(uc_marks, uc_marks_n, cp);
}

static int width_of(uint32_t cp)
{
	return cp >= 0x1100 && in(uc_wide, uc_wide_n, cp) ? 2 : 1;
}

/* Marks and what to skip after a base: moves *at to the next base or layout
 * character. */
static void take_marks(const char *s, size_t n, size_t *at, struct text_cell *cell, int marks)
{
	while (*at < n) {
		uint32_t cp;
		size_t len;

		/* Nothing printable in ASCII is a mark. */
		if (s[*at] >= 0x20 && s[*at] < 0x7f)
			return;
		len = utf8_decode(s + *at, n - *at, &cp);
		if (cp == '\n' || cp == '\t')
			return;
		if (is_mark(cp)) {
			if (marks < MARKS_MAX)
				cell->ch[++marks] = cp;
		} else if (!is_removed(cp) && !is_unseen(cp)) {
			return;
		}
		*at += len;
	}
}

bool text_next(const char *s, size_t n, size_t *at, struct text_cell *cell)
{
	while (*at < n) {
		uint32_t cp;

		*at += utf8_decode(s + *at, n - *at, &cp);
		*cell = (struct text_cell){ .ch = { cp } };
		if (cp == '\n' || cp == '\t')
			return true;
		if (is_removed(cp) || is_unseen(cp))
			continue;
		if (is_mark(cp)) { /* with nothing before it to stand on */
			*cell = (struct text_cell){ .ch = { ' ', cp }, .width = 1 };
			take_marks(s, n, at, cell, 1);
			return true;
		}
		cell->width = width_of(cp);
		take_marks(s, n, at, cell, 0);
		return true;
	}
	return false;
}

int text_width(const char *s, size_t n)
{
	struct text_cell cell;
	size_t at = 0;
	int width = 0;

	while (text_next(s, n, &at, &cell) && cell.ch[0] != '\n')
		width += cell.ch[0] == '\t' ? 1 : cell.width;
	return width;
}

/* What text_clean writes for the bytes s[0..len) that are `cp`, or for those that
 * are no character (bad).  *marks: how many the present base has. */
static size_t clean_one(
	char out[16], const char *s, size_t len, uint32_t cp, bool bad, bool escape, int *marks)
{
	bool drop = is_removed(cp) && cp != '\n' && cp != '\t';
	size_t n = 0;

	if (is_mark(cp))
		drop = ++*marks > MARKS_MAX;
	else if (!drop && !is_unseen(cp))
		*marks = 0;
	if (bad && escape) {
		for (size_t i = 0; i < len; i++)
			n += (size_t)snprintf(out + n, 16 - n, "\\x%02x", (unsigned char)s[i]);
		return n;
	}
	if (bad)
		return utf8_encode(REPLACEMENT, out);
	if (!drop) {
		memcpy(out, s, len);
		return len;
	}
	if (!escape)
		return 0;
	return (size_t)snprintf(out, 16, cp < 0x80 ? "\\x%02x" : "\\u{%04X}", cp);
}

size_t text_clean(char *out, size_t cap, const char *s, size_t n, bool escape)
{
	size_t at = 0, len, used = 0, put;
	int marks = 0;

	if (!cap)
		return 0;
	while (at < n) {
		char one[16];
		uint32_t cp;
		bool cut, bad = !decode((const unsigned char *)s + at, n - at, &cp, &len, &cut);

		put = clean_one(one, s + at, len, bad ? REPLACEMENT : cp, bad, escape, &marks);
		if (put > cap - 1 - used)
			break;
		memcpy(out + used, one, put);
		used += put;
		at += len;
	}
	out[used] = '\0';
	return used;
}
