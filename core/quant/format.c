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

enum st format_parse(struct format *f, const char *name, struct err *e)
{
	size_t bits = 0, group = 0;
	const char *s = name;

	if (!strcmp(name, "keep")) {
		*f = (struct format){ 0 };
		return ST_OK;
	}
	if (!strncmp(s, "int", 3) && (s = number(s + 3, &bits)) && *s == 'g')
		s = number(s + 1, &group);
	else
		s = NULL;
	if (!s || *s)
		return err_set(e, ST_INVALID,
			"\"%.40s\" is not a format: write bits and group as in int4g128, or keep",
			name);
	if (bits > 8)
		return err_set(
			e, ST_INVALID, "format %s: bits go from 1 to 8, not %zu", name, bits);
	if (group % 32 || group > GROUP_MAX)
		return err_set(e, ST_INVALID,
			"format %s: the group must be a multiple of 32 up to %d, not %zu", name,
			GROUP_MAX, group);
	*f = (struct format){ (int)bits, group };
	return ST_OK;
}

/* Bits a weight with fp16 scale and offset of each group; keep stands last. */
static double stored_bits(struct format f)
{
	return format_is_keep(f) ? 1e9 : f.bits + 32.0 / (double)f.group;
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
	else
		snprintf(out, FORMAT_NAME, "int%dg%zu", f.bits, f.group);
	return out;
}

bool format_equal(struct format a, struct format b)
{
	return a.bits == b.bits && a.group == b.group;
}

uint64_t format_bytes(struct format f, size_t rows, size_t cols)
{
	uint64_t codes = ((uint64_t)cols * (uint64_t)f.bits + 7) / 8;
	uint64_t groups = (cols + f.group - 1) / f.group;

	return rows * (codes + 4 * groups);
}

double format_nominal(struct format f)
{
	return f.bits + 4.0 / (double)f.group;
}
