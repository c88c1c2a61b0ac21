/* nfc.c - Unicode normalisation form C (UAX 15): decompose, order marks, compose. */
#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/text/nfc_table.h"
#include "core/text/tok.h"

#define RAW_BYTE 0x80000000u /* | a byte that is not UTF-8 */

enum { PART = 1 << 18 }; /* bytes at a time: memory for 32 times as many, and a poll */

/* Hangul syllables are arithmetic (The Unicode Standard, 3.12). */
enum { SB = 0xac00, LB = 0x1100, VB = 0x1161, TB = 0x11a7, LN = 19, VN = 21, TN = 28 };
enum { SN = LN * VN * TN };

static const struct nfc_decomp *decomposition(uint32_t cp)
{
	size_t lo = 0, hi = nfc_n_decomps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (nfc_decomps[mid].cp == cp)
			return &nfc_decomps[mid];
		if (nfc_decomps[mid].cp < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static uint32_t class_of(uint32_t cp)
{
	size_t lo = 0, hi = nfc_n_classes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cp < nfc_classes[mid].first)
			hi = mid;
		else if (cp > nfc_classes[mid].last)
			lo = mid + 1;
		else
			return nfc_classes[mid].ccc;
	}
	return 0;
}

/* The character that a and b compose to, 0: none. */
static uint32_t composed(uint32_t a, uint32_t b)
{
	size_t lo = 0, hi = nfc_n_pairs;

	if (a - LB < LN && b - VB < VN)
		return SB + ((a - LB) * VN + (b - VB)) * TN;
	if (a - SB < SN && (a - SB) % TN == 0 && b > TB && b < TB + TN)
		return a + (b - TB);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct nfc_decomp *d = &nfc_decomps[nfc_pairs[mid]];

		if (d->a == a && d->b == b)
			return d->cp;
		if (d->a < a || (d->a == a && d->b < b))
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

/* Appends the full decomposition; at most four code points. */
static size_t decompose(uint32_t cp, uint32_t *out)
{
	const struct nfc_decomp *d;
	size_t n;

	if (cp - SB < SN) {
		uint32_t s = cp - SB;

		out[0] = LB + s / (VN * TN);
		out[1] = VB + s % (VN * TN) / TN;
		out[2] = TB + s % TN;
		return s % TN ? 3 : 2;
	}
	d = cp < 0xc0 || cp >= RAW_BYTE ? NULL : decomposition(cp);
	if (!d) {
		out[0] = cp;
		return 1;
	}
	n = decompose(d->a, out);
	if (d->b)
		out[n++] = d->b; /* second parts decompose no further */
	return n;
}

/* Marks into the order of their classes; runs are short, and long ones are merged by
 * class counting so that a hostile text stays linear. */
static void order(uint32_t *c, size_t n, uint32_t *tmp)
{
	for (size_t i = 0; i < n;) {
		size_t end, at = i, count[256] = { 0 };

		if (!class_of(c[i])) {
			i++;
			continue;
		}
		for (end = i; end < n && class_of(c[end]); end++)
			count[class_of(c[end]) & 255]++;
		if (end - i > 1) {
			for (size_t k = 1, sum = 0; k < 256; k++) {
				size_t m = count[k];

				count[k] = sum;
				sum += m;
			}
			for (; at < end; at++)
				tmp[count[class_of(c[at]) & 255]++] = c[at];
			memcpy(c + i, tmp, (end - i) * sizeof *c);
		}
		i = end;
	}
}

static size_t compose(uint32_t *c, size_t n)
{
	size_t k = 0, starter = SIZE_MAX;
	uint32_t last = 0; /* class of the character before */

	for (size_t i = 0; i < n; i++) {
		uint32_t ccc = class_of(c[i]), whole = 0;
		bool open = starter != SIZE_MAX && (k == starter + 1 || (last && last < ccc));

		if (open)
			whole = composed(c[starter], c[i]);
		if (whole) {
			c[starter] = whole;
			continue;
		}
		if (!ccc)
			starter = k;
		last = ccc;
		c[k++] = c[i];
	}
	return k;
}

/* Nothing below U+0300 composes with what stands before it, and all of it is NFC. */
static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0xcc)
			return false;
	return true;
}

/* Characters of s decomposed into c; how many. */
static size_t take_apart(const char *s, size_t n, uint32_t *c)
{
	size_t k = 0;

	for (size_t at = 0; at < n;) {
		uint32_t cp;
		size_t used = utf8_decode(s + at, n - at, &cp);

		if (cp == 0xfffd && (used != 3 || memcmp(s + at, "\xef\xbf\xbd", 3) != 0)) {
			for (; used; used--)
				c[k++] = RAW_BYTE | (unsigned char)s[at++];
			continue;
		}
		at += used;
		k += decompose(cp, c + k);
	}
	return k;
}

static size_t write_out(const uint32_t *c, size_t k, char *p)
{
	size_t n = 0;

	for (size_t i = 0; i < k; i++) {
		if (c[i] & RAW_BYTE)
			p[n++] = (char)(c[i] & 0xff);
		else
			n += utf8_encode(c[i], p + n);
	}
	return n;
}

/* Where a part that begins at `at` may end: ASCII neither composes with what stands before it nor
 * is put into another place. */
static size_t part_end(const char *s, size_t n, size_t at)
{
	size_t end = n - at > PART ? at + PART : n;

	while (end < n && (unsigned char)s[end] >= 0x80)
		end++;
	return end;
}

/* Room for `more` bytes behind those that *p has. */
static enum st grow(char **p, size_t have, size_t *cap, size_t more, struct err *e)
{
	size_t want, room;
	char *q;

	if (!size_add(&want, have, more) || !size_add(&room, want, want / 2))
		return err_set(e, ST_NOMEM, "text: %zu bytes are too many", more);
	if (want <= *cap)
		return ST_OK;
	q = big_alloc(room, "normalised text", e);
	if (!q)
		return ST_NOMEM;
	if (have)
		memcpy(q, *p, have);
	big_free(*p);
	*p = q;
	*cap = room;
	return ST_OK;
}

/* One part behind what *p has. */
static enum st normalise(
	const char *s, size_t n, char **p, size_t *have, size_t *cap, struct err *e)
{
	uint32_t *c;
	size_t k, most;
	enum st st;

	if (is_plain(s, n)) {
		st = grow(p, *have, cap, n, e);
		if (!st)
			memcpy(*p + *have, s, n);
		*have += st ? 0 : n;
		return st;
	}
	if (!size_mul(&most, n, 4))
		return err_set(e, ST_NOMEM, "text: %zu bytes are too many", n);
	c = big_array(most, 2 * sizeof *c, "text to normalise", e);
	if (!c)
		return ST_NOMEM;
	k = take_apart(s, n, c);
	order(c, k, c + most);
	k = compose(c, k);
	st = grow(p, *have, cap, 4 * k, e);
	if (!st)
		*have += write_out(c, k, *p + *have);
	big_free(c);
	return st;
}

enum st tok_nfc(
	const char *s, size_t n, char **out, size_t *len, struct tok_pace *pace, struct err *e)
{
	size_t plain = 0, have = 0, cap = 0, end;
	char *p = NULL;
	enum st st = ST_OK;

	*out = NULL;
	*len = n;
	for (; plain < n && !tok_paced(pace, PART / 32); plain = end) {
		end = part_end(s, n, plain);
		if (!is_plain(s + plain, end - plain))
			break;
	}
	if (plain == n)
		return ST_OK;
	if (!pace->stopped)
		st = grow(&p, 0, &cap, n, e);
	if (p && plain)
		memcpy(p, s, plain);
	have = plain;
	for (size_t at = plain; !st && at < n && !tok_paced(pace, PART / 8); at = end) {
		end = part_end(s, n, at);
		st = normalise(s + at, end - at, &p, &have, &cap, e);
	}
	if (!st && pace->stopped)
		st = err_set(e, ST_CANCELLED, "stopped");
	if (st) {
		big_free(p);
		return st;
	}
	*out = p;
	*len = have;
	return ST_OK;
}
