/* json_out.c - JSON written into a growing buffer. */
#include "core/base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

static void put(struct json_out *o, const char *s, size_t n)
{
	if (n >= o->cap - o->n) {
		while (n >= o->cap - o->n)
			o->cap *= 2;
		o->s = xrealloc(o->s, o->cap);
	}
	memcpy(o->s + o->n, s, n);
	o->n += n;
	o->s[o->n] = '\0';
}

/* Valid in JSON, but a terminal obeys it (C1) or shows the line in another order (bidi). */
static bool is_escaped(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x61c || cp == 0x200e ||
	       cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
	       cp == 0xfeff;
}

static void put_quoted(struct json_out *o, const char *s)
{
	size_t n = strlen(s);
	char buf[8];

	put(o, "\"", 1);
	for (size_t at = 0; at < n;) {
		uint32_t cp;
		size_t len = utf8_decode(s + at, n - at, &cp);

		if (cp == '"' || cp == '\\') {
			buf[0] = '\\';
			buf[1] = (char)cp;
			put(o, buf, 2);
		} else if (cp == '\n') {
			put(o, "\\n", 2);
		} else if (is_escaped(cp)) {
			put(o, buf, (size_t)snprintf(buf, sizeof buf, "\\u%04x", (unsigned)cp));
		} else {
			put(o, buf, utf8_encode(cp, buf)); /* a bad byte becomes U+FFFD */
		}
		at += len;
	}
	put(o, "\"", 1);
}

static void new_line(struct json_out *o)
{
	if (!o->pretty)
		return;
	put(o, "\n", 1);
	for (unsigned i = 0; i < o->depth; i++)
		put(o, "  ", 2);
}

/* What stands before a value: comma, line, key. */
static void before(struct json_out *o, const char *key)
{
	if (o->depth) {
		if (!o->first[o->depth - 1])
			put(o, ",", 1);
		o->first[o->depth - 1] = false;
		new_line(o);
	}
	if (!key)
		return;
	put_quoted(o, key);
	put(o, ": ", o->pretty ? 2 : 1);
}

void json_out_init(struct json_out *o, bool pretty)
{
	*o = (struct json_out){ .cap = 256, .pretty = pretty };
	o->s = xalloc(o->cap);
}

void json_out_release(struct json_out *o)
{
	xfree(o->s);
	o->s = NULL;
	o->n = o->cap = 0;
}

void json_open(struct json_out *o, const char *key, char bracket)
{
	before(o, key);
	put(o, &bracket, 1);
	assert(o->depth < sizeof o->first / sizeof *o->first);
	o->first[o->depth++] = true;
}

void json_close(struct json_out *o, char bracket)
{
	assert(o->depth);
	o->depth--;
	if (!o->first[o->depth])
		new_line(o);
	put(o, &bracket, 1);
}

void json_put_str(struct json_out *o, const char *key, const char *v)
{
	before(o, key);
	put_quoted(o, v);
}

int json_f64(char out[32], double v)
{
	int n = snprintf(out, 32, "%.9g", v);

	return strtod(out, NULL) == v ? n : snprintf(out, 32, "%.17g", v);
}

void json_put_f64(struct json_out *o, const char *key, double v)
{
	char buf[32];

	if (!isfinite(v)) {
		json_put_null(o, key);
		return;
	}
	before(o, key);
	put(o, buf, (size_t)json_f64(buf, v));
}

void json_put_fixed(struct json_out *o, const char *key, double v)
{
	char buf[32];
	int n;

	if (!isfinite(v) || fabs(v) > 1e15) {
		json_put_f64(o, key, v);
		return;
	}
	n = snprintf(buf, sizeof buf, "%.6f", v);
	while (buf[n - 1] == '0')
		n--;
	n -= buf[n - 1] == '.';
	before(o, key);
	put(o, buf, (size_t)n);
}

void json_put_i64(struct json_out *o, const char *key, int64_t v)
{
	char buf[24];

	before(o, key);
	put(o, buf, (size_t)snprintf(buf, sizeof buf, "%" PRId64, v));
}

void json_put_bool(struct json_out *o, const char *key, bool v)
{
	before(o, key);
	put(o, v ? "true" : "false", v ? 4 : 5);
}

void json_put_null(struct json_out *o, const char *key)
{
	before(o, key);
	put(o, "null", 4);
}
