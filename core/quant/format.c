/* format.c - names, sizes and lists of formats. */
#include "core/quant/format.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_MAX = 1 << 20 }; /* more inputs than any linear has */

/* A decimal number without sign and leading zero; more than seven digits is not one. */
static const char *number(const char *s, size_t *out)
{
	size_t v = 0, n = 0;

	if (*s == '0')
		return NULL;
	while (isdigit((unsigned char)s[n])) {
		if (n == 7)
			return NULL;
		v = v * 10 + (size_t)(s[n++] - '0');
	}
	*out = v;
	return n ? s + n : NULL;
}

static enum st refuse(const char *name, const char *why, struct err *e)
{
	return err_set(e, ST_INVALID, "format %.40s: %s", name, why);
}

/* int4g128 up to `end`; NULL without an error: it is not written that way. */
static const char *plain(struct format *f, const char *s)
{
	size_t bits = 0, group = 0;

	if (strncmp(s, "int", 3) || !(s = number(s + 3, &bits)) || *s != 'g')
		return NULL;
	s = number(s + 1, &group);
	*f = format_int((int)bits, group);
	return s;
}

static enum st check(struct format f, const char *name, struct err *e)
{
	if (f.bits > 8)
		return err_set(
			e, ST_INVALID, "format %s: bits go from 1 to 8, not %d", name, f.bits);
	if (f.group % 32 || f.group > GROUP_MAX)
		return err_set(e, ST_INVALID,
			"format %s: the group must be a multiple of 32 up to %d, not %zu", name,
			GROUP_MAX, f.group);
	return ST_OK;
}

/* ":3+int2g64" behind the high part. */
static enum st parse_mix(
	struct format *f, struct format high, const char *s, const char *name, struct err *e)
{
	struct format low = { 0 };
	const char *end = NULL;
	enum st st;

	if (s[1] >= '1' && s[1] < '0' + FORMAT_PARTS && s[2] == '+')
		end = plain(&low, s + 3);
	if (!end || *end)
		return refuse(
			name, "a mix is written as int4g128:3+int2g64, with 1 to 7 eighths", e);
	st = check(high, name, e);
	if (!st)
		st = check(low, name, e);
	if (!st && low.bits >= high.bits)
		st = refuse(name, "the part with more bits stands first", e);
	if (!st)
		*f = format_mix(high, s[1] - '0', low);
	return st;
}

enum st format_parse(struct format *f, const char *name, struct err *e)
{
	struct format one = { 0 };
	const char *s;
	enum st st;

	if (!strcmp(name, "keep")) {
		*f = one;
		return ST_OK;
	}
	s = plain(&one, name);
	if (s && *s == ':')
		return parse_mix(f, one, s, name, e);
	if (!s || *s)
		return err_set(e, ST_INVALID,
			"\"%.40s\" is not a format: write bits and group as in int4g128, or keep",
			name);
	st = check(one, name, e);
	if (!st)
		*f = one;
	return st;
}

/* Bits a weight with fp16 scale and offset of each group. */
static double plain_bits(int bits, size_t group)
{
	return bits + 32.0 / (double)group;
}

/* keep stands last. */
static double stored_bits(struct format f)
{
	double low = format_is_keep(f) ? 1e9 : plain_bits(f.bits, f.group);

	if (!format_is_mix(f))
		return low;
	return low + (plain_bits(f.hi_bits, f.hi_group) - low) * f.part / FORMAT_PARTS;
}

static bool stands_before(struct format a, struct format b)
{
	double x = stored_bits(a), y = stored_bits(b);

	return x < y || (x == y && a.bits < b.bits);
}

static void insert(struct format *f, size_t n, struct format new)
{
	for (; n && stands_before(new, f[n - 1]); n--)
		f[n] = f[n - 1];
	f[n] = new;
}

/* Copies the name between s and end without blanks around it; false: too long. */
static bool cut(char *out, size_t cap, const char *s, const char *end)
{
	while (s < end && *s == ' ')
		s++;
	while (end > s && end[-1] == ' ')
		end--;
	if ((size_t)(end - s) >= cap)
		return false;
	memcpy(out, s, (size_t)(end - s));
	out[end - s] = '\0';
	return true;
}

enum st format_list(struct format *f, size_t *n, const char *names, struct err *e)
{
	size_t k = 0;

	for (const char *s = names;;) {
		const char *end = s + strcspn(s, ",");
		struct format new;
		char name[64];
		enum st st;

		if (!cut(name, sizeof name, s, end))
			return err_set(e, ST_INVALID, "\"%.40s...\" is not a format", s);
		if (!name[0])
			return err_set(e, ST_INVALID,
				"the list of formats \"%.80s\" has an empty name: write "
				"int2g64,int4g128",
				names);
		st = format_parse(&new, name, e);
		if (st)
			return st;
		for (size_t i = 0; i < k; i++)
			if (format_equal(f[i], new))
				return err_set(e, ST_INVALID, "format %s is named twice", name);
		if (k == FORMAT_MAX)
			return err_set(e, ST_INVALID, "at most %d formats, \"%.80s\" names more",
				FORMAT_MAX, names);
		insert(f, k++, new);
		if (!*end)
			break;
		s = end + 1;
	}
	*n = k;
	return ST_OK;
}

const char *format_name(struct format f, char out[FORMAT_NAME])
{
	if (format_is_keep(f))
		snprintf(out, FORMAT_NAME, "keep");
	else if (format_is_mix(f))
		snprintf(out, FORMAT_NAME, "int%dg%zu:%d+int%dg%zu", f.hi_bits, f.hi_group, f.part,
			f.bits, f.group);
	else
		snprintf(out, FORMAT_NAME, "int%dg%zu", f.bits, f.group);
	return out;
}

static bool same_pair(struct format a, struct format b)
{
	return a.bits == b.bits && a.group == b.group && a.hi_bits == b.hi_bits &&
	       a.hi_group == b.hi_group;
}

/* Where the pair of f[at] begins. */
static size_t pair_begin(const struct format *f, size_t at)
{
	size_t i = 0;

	while (!format_is_mix(f[i]) || !same_pair(f[i], f[at]))
		i++;
	return i;
}

char format_letter(const struct format *f, size_t k, size_t at)
{
	static const char letters[] = "abcdefghijlmnopq"; /* k is keep */
	size_t begin, before = 0;

	if (!format_is_mix(f[at]))
		return format_is_keep(f[at]) ? 'k' : (char)('0' + f[at].bits);
	begin = pair_begin(f, at);
	for (size_t i = 0; i < k; i++) {
		size_t of = format_is_mix(f[i]) ? pair_begin(f, i) : k;

		before += of < begin || (of == begin && f[i].part < f[at].part);
	}
	return letters[before];
}

const char *format_pairs(const struct format *f, size_t k, char out[FORMAT_PAIRS])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < k && n < FORMAT_PAIRS; i++) {
		char first = 'z', last = 'a';

		if (!format_is_mix(f[i]) || pair_begin(f, i) != i)
			continue;
		for (size_t j = i; j < k; j++) {
			char c = format_letter(f, k, j);

			if (!format_is_mix(f[j]) || !same_pair(f[i], f[j]))
				continue;
			first = c < first ? c : first;
			last = c > last ? c : last;
		}
		n += (size_t)snprintf(out + n, FORMAT_PAIRS - n, "%s%c", n ? ", " : "", first);
		if (first < last && n < FORMAT_PAIRS)
			n += (size_t)snprintf(out + n, FORMAT_PAIRS - n, "-%c", last);
		if (n < FORMAT_PAIRS)
			n += (size_t)snprintf(out + n, FORMAT_PAIRS - n, ": %d+%d", f[i].hi_bits,
				f[i].bits);
	}
	return out;
}

bool format_equal(struct format a, struct format b)
{
	return a.bits == b.bits && a.group == b.group && a.part == b.part &&
	       a.hi_bits == b.hi_bits && a.hi_group == b.hi_group;
}

struct format format_low(struct format f)
{
	return format_int(f.bits, f.group);
}

struct format format_high(struct format f)
{
	return format_is_mix(f) ? format_int(f.hi_bits, f.hi_group) : f;
}

struct format format_mix(struct format high, int part, struct format low)
{
	low.hi_bits = high.bits;
	low.hi_group = high.group;
	low.part = part;
	return low;
}

bool format_fits(struct format f, size_t cols)
{
	return !format_is_mix(f) || (cols >= 2 * FORMAT_STEP && cols <= (size_t)UINT16_MAX + 1);
}

size_t format_high_cols(struct format f, size_t cols)
{
	size_t most = (cols - FORMAT_STEP) / FORMAT_STEP * FORMAT_STEP;
	size_t want = (cols * (size_t)f.part / FORMAT_PARTS + FORMAT_STEP / 2) / FORMAT_STEP *
		      FORMAT_STEP;

	return want < FORMAT_STEP ? FORMAT_STEP : want > most ? most : want;
}

static uint64_t plain_bytes(int bits, size_t group, size_t rows, size_t cols)
{
	uint64_t codes = ((uint64_t)cols * (uint64_t)bits + 7) / 8;
	uint64_t groups = (cols + group - 1) / group;

	return rows * (codes + 4 * groups);
}

uint64_t format_bytes(struct format f, size_t rows, size_t cols)
{
	size_t high;

	if (!format_is_mix(f) || !format_fits(f, cols))
		return plain_bytes(f.bits, f.group, rows, cols);
	high = format_high_cols(f, cols);
	return plain_bytes(f.hi_bits, f.hi_group, rows, high) +
	       plain_bytes(f.bits, f.group, rows, cols - high) + 2 * (uint64_t)cols;
}

double format_nominal(struct format f)
{
	double low = f.bits + 4.0 / (double)f.group;

	if (!format_is_mix(f))
		return low;
	return low + (f.hi_bits + 4.0 / (double)f.hi_group - low) * f.part / FORMAT_PARTS;
}

static size_t add_parts(
	struct format f[FORMAT_MAX], size_t k, struct format high, struct format low, int parts)
{
	for (int part = 1; part <= parts && high.bits > low.bits; part++) {
		struct format mix = format_mix(high, part, low);
		size_t at = 0;

		while (at < k && !format_equal(f[at], mix))
			at++;
		if (at == k && k < FORMAT_MAX)
			insert(f, k++, mix);
	}
	return k;
}

static bool listed(const struct format *f, size_t k, struct format one)
{
	for (size_t i = 0; i < k; i++)
		if (format_equal(f[i], one))
			return true;
	return false;
}

enum st format_check_mixes(const struct format *f, size_t k, struct err *e)
{
	char mix[FORMAT_NAME], lo[FORMAT_NAME], hi[FORMAT_NAME];

	for (size_t i = 0; i < k; i++)
		if (format_is_mix(f[i]) && !(listed(f, k, format_low(f[i])) &&
						   listed(f, k, format_high(f[i]))))
			return err_set(e, ST_INVALID,
				"%s stands between %s and %s: name them in the list, too",
				format_name(f[i], mix), format_name(format_low(f[i]), lo),
				format_name(format_high(f[i]), hi));
	return ST_OK;
}

size_t format_add_mixes(struct format f[FORMAT_MAX], size_t k)
{
	struct format low = { 0 }, mid = { 0 }, high = { 0 };

	for (size_t i = 0; i < k && high.bits < 4; i++) {
		if (format_is_keep(f[i]) || format_is_mix(f[i]))
			continue;
		if (!low.bits) {
			low = f[i];
		} else {
			mid = high;
			high = f[i];
		}
	}
	/* Above the middle of the way the format in between, where there is one, is better than
	 * what is left of the low one. */
	if (mid.bits > low.bits && mid.bits < high.bits) {
		k = add_parts(f, k, high, low, FORMAT_PARTS / 2);
		return add_parts(f, k, high, mid, FORMAT_PARTS / 2);
	}
	return add_parts(f, k, high, low, FORMAT_PARTS - 1);
}
