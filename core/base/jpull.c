/* jpull.c - a pull parser for JSON (RFC 8259, strictly): one pass, no tree. */
#include "core/base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

enum {
	DEPTH_MAX = 16,
	NUMBER_MAX = 63, /* characters, as cJSON; 24 are enough for any double */
};

enum state {
	S_VALUE,        /* a value must come */
	S_VALUE_OR_END, /* after [ */
	S_KEY_OR_END,   /* after { */
	S_KEY,          /* after , in an object */
	S_NEXT,         /* after a value: , or the end of what holds it */
	S_DONE,
	S_BAD,
};

void jpull_init(struct jpull *p, const char *where, const char *s, size_t n)
{
	*p = (struct jpull){ .s = s, .n = n, .where = where, .state = S_VALUE };
}

void jpull_release(struct jpull *p)
{
	big_free(p->text);
	p->text = NULL;
	p->len = p->cap = 0;
}

static enum jtok bad(struct jpull *p, size_t at, const char *what)
{
	p->state = S_BAD;
	err_set(&p->err, ST_FORMAT, "%s: byte %zu: %s", p->where, at, what);
	return JT_BAD;
}

static bool grow(struct jpull *p, size_t need)
{
	size_t cap = p->cap ? p->cap : 64;
	char *t;

	while (cap < need)
		cap *= 2; /* need <= p->n + 1, so this cannot wrap */
	if (cap == p->cap)
		return true;
	t = big_alloc(cap, "a string of JSON", &p->err);
	if (!t) {
		p->state = S_BAD;
		return false;
	}
	if (p->len)
		memcpy(t, p->text, p->len);
	big_free(p->text);
	p->text = t;
	p->cap = cap;
	return true;
}

static int hex4(const char *s)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int c = (unsigned char)s[i];

		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			c = (c | 32) - 'a' + 10;
		else
			return -1;
		v = v << 4 | c;
	}
	return v;
}

/* \uXXXX at p->at, which is on the u; half a surrogate pair is refused. */
static bool unicode_escape(struct jpull *p)
{
	size_t left = p->n - p->at;
	const char *s = p->s + p->at;
	int hi = left >= 5 ? hex4(s + 1) : -1, lo;
	uint32_t cp = (uint32_t)hi;

	if (hi < 0) {
		bad(p, p->at, "\\u wants four hexadecimal digits");
		return false;
	}
	p->at += 5;
	if (hi >= 0xd800 && hi <= 0xdfff) {
		lo = left >= 11 && s[5] == '\\' && s[6] == 'u' ? hex4(s + 7) : -1;
		if (hi > 0xdbff || lo < 0xdc00 || lo > 0xdfff) {
			bad(p, p->at - 6, "half of a surrogate pair");
			return false;
		}
		cp = 0x10000u + (((uint32_t)hi & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff);
		p->at += 6;
	}
	p->len += utf8_encode(cp, p->text + p->len);
	return true;
}

/* An escape; p->at is after the backslash.  Never writes more than it reads. */
static bool escape(struct jpull *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit;

	if (p->at == p->n) {
		bad(p, p->at, "the text ends inside a string");
		return false;
	}
	if (p->s[p->at] == 'u')
		return unicode_escape(p);
	hit = p->s[p->at] ? strchr(from, p->s[p->at]) : NULL;
	if (!hit) {
		bad(p, p->at, "an escape that JSON does not have");
		return false;
	}
	p->text[p->len++] = to[hit - from];
	p->at++;
	return true;
}

/* Bytes that stand for themselves, up to a quote, a backslash or a control. */
static size_t plain_run(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

/* The string whose opening quote is at p->at, into p->text. */
static bool string(struct jpull *p)
{
	size_t open = p->at++;

	p->len = 0;
	for (;;) {
		size_t run = plain_run(p->s + p->at, p->n - p->at), ok;

		/* Room for the run, the longest escape's result and the NUL. */
		if (!grow(p, p->len + run + 5))
			return false;
		ok = utf8_first_bad(p->s + p->at, run);
		if (ok < run) {
			bad(p, p->at + ok, "not UTF-8");
			return false;
		}
		memcpy(p->text + p->len, p->s + p->at, run);
		p->len += run;
		p->at += run;
		if (p->at == p->n) {
			bad(p, open, "a string that does not end");
			return false;
		}
		if (p->s[p->at] == '"')
			break;
		if (p->s[p->at] != '\\') {
			bad(p, p->at, "a control character inside a string");
			return false;
		}
		p->at++;
		if (!escape(p))
			return false;
	}
	p->at++;
	p->text[p->len] = '\0';
	return true;
}

static bool is_digit(const struct jpull *p, size_t at)
{
	return at < p->n && p->s[at] >= '0' && p->s[at] <= '9';
}

/* The end of the number that begins at p->at, or 0 when it is none. */
static size_t number_end(const struct jpull *p, bool *integer)
{
	size_t i = p->at;

	*integer = p->s[i] != '-';
	i += p->s[i] == '-';
	if (!is_digit(p, i))
		return 0;
	if (p->s[i] == '0')
		i++;
	else
		while (is_digit(p, i))
			i++;
	if (is_digit(p, i)) /* 01 */
		return 0;
	if (i < p->n && p->s[i] == '.') {
		*integer = false;
		if (!is_digit(p, ++i))
			return 0;
		while (is_digit(p, i))
			i++;
	}
	if (i < p->n && (p->s[i] == 'e' || p->s[i] == 'E')) {
		*integer = false;
		i++;
		i += i < p->n && (p->s[i] == '+' || p->s[i] == '-');
		if (!is_digit(p, i))
			return 0;
		while (is_digit(p, i))
			i++;
	}
	return i;
}

static bool to_u64(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(s[i] - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

static enum jtok number(struct jpull *p)
{
	char buf[NUMBER_MAX + 1];
	size_t from = p->at, end = number_end(p, &p->is_u64), n = end - from;

	if (!end)
		return bad(p, from, "not a number as JSON writes them");
	if (n > NUMBER_MAX)
		return bad(p, from, "a number of more than 63 characters");
	p->u64 = 0;
	if (p->is_u64)
		p->is_u64 = to_u64(p->s + from, n, &p->u64);
	if (p->is_u64) {
		p->number = (double)p->u64;
	} else {
		memcpy(buf, p->s + from, n);
		buf[n] = '\0';
		p->number = strtod(buf, NULL);
		if (!isfinite(p->number))
			return bad(p, from, "a number beyond what a double holds");
	}
	p->at = end;
	p->state = p->depth ? S_NEXT : S_DONE;
	return JT_NUMBER;
}

static enum jtok word(struct jpull *p, const char *w, enum jtok t)
{
	size_t n = strlen(w);

	if (p->n - p->at < n || memcmp(p->s + p->at, w, n))
		return bad(p, p->at, "not a JSON value");
	p->at += n;
	p->state = p->depth ? S_NEXT : S_DONE;
	return t;
}

static enum jtok open_bracket(struct jpull *p, char c)
{
	if (p->depth == DEPTH_MAX)
		return bad(p, p->at, "nested more than 16 deep");
	p->stack[p->depth++] = (unsigned char)c;
	p->at++;
	p->state = c == '{' ? S_KEY_OR_END : S_VALUE_OR_END;
	return c == '{' ? JT_OBJECT : JT_ARRAY;
}

static enum jtok close_bracket(struct jpull *p, char c)
{
	if (p->stack[p->depth - 1] != (c == '}' ? '{' : '['))
		return bad(p, p->at, "a bracket of the other kind");
	p->depth--;
	p->at++;
	p->state = p->depth ? S_NEXT : S_DONE;
	return c == '}' ? JT_OBJECT_END : JT_ARRAY_END;
}

static void skip_blanks(struct jpull *p)
{
	while (p->at < p->n) {
		char c = p->s[p->at];

		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return;
		p->at++;
	}
}

static enum jtok value(struct jpull *p, char c)
{
	switch (c) {
	case '{':
	case '[':
		return open_bracket(p, c);
	case '"':
		if (!string(p))
			return JT_BAD;
		p->state = p->depth ? S_NEXT : S_DONE;
		return JT_STRING;
	case 't':
		return word(p, "true", JT_TRUE);
	case 'f':
		return word(p, "false", JT_FALSE);
	case 'n':
		return word(p, "null", JT_NULL);
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return number(p);
		return bad(p, p->at, "not a JSON value");
	}
}

/* A key and its colon. */
static enum jtok key(struct jpull *p, char c)
{
	if (c != '"')
		return bad(p, p->at, "a key in quotes was expected");
	if (!string(p))
		return JT_BAD;
	skip_blanks(p);
	if (p->at == p->n || p->s[p->at] != ':')
		return bad(p, p->at, "a colon was expected after the key");
	p->at++;
	p->state = S_VALUE;
	return JT_KEY;
}

enum jtok jpull_next(struct jpull *p)
{
	char c;

	if (p->state == S_BAD)
		return JT_BAD;
	skip_blanks(p);
	if (p->state == S_DONE)
		return p->at == p->n ? JT_END : bad(p, p->at, "something after the value");
	if (p->at == p->n)
		return bad(p, p->at, "the text ends too early");
	c = p->s[p->at];
	if (p->state == S_NEXT) {
		if (c == '}' || c == ']')
			return close_bracket(p, c);
		if (c != ',')
			return bad(p, p->at, "a comma or the end was expected");
		p->at++;
		skip_blanks(p);
		if (p->at == p->n)
			return bad(p, p->at, "the text ends too early");
		c = p->s[p->at];
		p->state = p->stack[p->depth - 1] == '{' ? S_KEY : S_VALUE;
	}
	switch (p->state) {
	case S_KEY_OR_END:
		return c == '}' ? close_bracket(p, c) : key(p, c);
	case S_KEY:
		return key(p, c);
	case S_VALUE_OR_END:
		return c == ']' ? close_bracket(p, c) : value(p, c);
	default:
		return value(p, c);
	}
}

enum st jpull_skip(struct jpull *p, struct err *e)
{
	unsigned depth = p->depth;

	do {
		enum jtok t = jpull_next(p);

		if (t == JT_END || (t != JT_BAD && p->depth < depth))
			bad(p, p->at, "a value was expected");
		if (p->state == S_BAD)
			return err_set(e, p->err.st, "%s", p->err.msg);
	} while (p->depth > depth);
	return ST_OK;
}
