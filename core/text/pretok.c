/* pretok.c - the GPT-2, Llama-3, Qwen2 and SmolLM2 scanners. */
#include "core/text/pretok.h"

#include <stdint.h>
#include <string.h>

#include "core/base/text.h"

enum cls { OTHER, LETTER, NUMBER, SPACE };

struct ch {
	uint32_t cp;
	size_t len;
	enum cls cls;
};

static enum cls ascii_class(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return LETTER;
	if (c >= '0' && c <= '9')
		return NUMBER;
	return c == ' ' || (c >= '\t' && c <= '\r') ? SPACE : OTHER;
}

/* The character at s[at]; at < n. */
static struct ch look(const char *s, size_t n, size_t at)
{
	struct ch c = { (unsigned char)s[at], 1, OTHER };

	if (c.cp < 0x80) {
		c.cls = ascii_class((unsigned char)c.cp);
		return c;
	}
	c.len = utf8_decode(s + at, n - at, &c.cp);
	if (uc_letter(c.cp))
		c.cls = LETTER;
	else if (uc_number(c.cp))
		c.cls = NUMBER;
	else if (uc_space(c.cp))
		c.cls = SPACE;
	return c;
}

/* Past the run of one class, of at most max characters, that begins at `at`. */
static size_t run(const char *s, size_t n, size_t at, enum cls cls, size_t max)
{
	while (at < n && max--) {
		struct ch c = look(s, n, at);

		if (c.cls != cls)
			break;
		at += c.len;
	}
	return at;
}

static bool is_newline(uint32_t cp)
{
	return cp == '\r' || cp == '\n';
}

/* Bytes of 's 't 're 've 'm 'll 'd at s[0..n), 0: none.  With fold also in capitals,
 * and U+017F for s as Unicode case folding has it. */
static size_t contraction(const char *s, size_t n, bool fold)
{
	static const char *const tail[] = { "s", "t", "re", "ve", "m", "ll", "d" };

	if (n < 2 || s[0] != '\'')
		return 0;
	if (fold && n >= 3 && memcmp(s + 1, "\xc5\xbf", 2) == 0)
		return 3;
	for (size_t i = 0; i < sizeof tail / sizeof *tail; i++) {
		size_t len = strlen(tail[i]), k = 0;

		while (k < len && k + 1 < n) {
			char c = s[1 + k];

			if (fold && c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			if (c != tail[i][k])
				break;
			k++;
		}
		if (k == len)
			return 1 + len;
	}
	return 0;
}

/* The blanks at `at`: all of them at the end of the text, else all but the last, which
 * goes with what follows; a single one stands alone. */
static size_t blanks(const char *s, size_t n, size_t at)
{
	size_t last = at;

	for (size_t i = at; i < n;) {
		struct ch c = look(s, n, i);

		if (c.cls != SPACE)
			return last > at ? last : i;
		last = i;
		i += c.len;
	}
	return n;
}

static size_t gpt2(const char *s, size_t n, size_t at)
{
	size_t len = contraction(s + at, n - at, false), from = at;
	struct ch c;

	if (len)
		return at + len;
	if (s[at] == ' ' && at + 1 < n)
		from = at + 1;
	c = look(s, n, from);
	if (c.cls != SPACE)
		return run(s, n, from, c.cls, SIZE_MAX);
	return blanks(s, n, at);
}

/* Llama-3's pattern; digits: how many numbers stand together at most (Qwen2: 1). */
static size_t llama3(const char *s, size_t n, size_t at, size_t digits)
{
	size_t len = contraction(s + at, n - at, true), from = at, last = 0;
	struct ch c = look(s, n, at);

	if (len)
		return at + len;
	if (c.cls == LETTER)
		return run(s, n, at, LETTER, SIZE_MAX);
	if (c.cls == NUMBER)
		return run(s, n, at, NUMBER, digits);
	if (!is_newline(c.cp) && at + c.len < n && look(s, n, at + c.len).cls == LETTER)
		return run(s, n, at + c.len, LETTER, SIZE_MAX);
	if (c.cp == ' ' && at + 1 < n)
		from = at + 1;
	if (look(s, n, from).cls == OTHER) {
		from = run(s, n, from, OTHER, SIZE_MAX);
		while (from < n && is_newline((unsigned char)s[from]))
			from++;
		return from;
	}
	for (size_t i = at; i < n;) { /* up to the last line end of the blanks */
		c = look(s, n, i);
		if (c.cls != SPACE)
			break;
		i += c.len;
		if (is_newline(c.cp))
			last = i;
	}
	return last ? last : blanks(s, n, at);
}

/* First every number alone, then GPT-2's scanner inside each stretch between. */
static size_t smollm(struct pretok *p)
{
	if (p->at >= p->stage) {
		size_t i = p->at;

		while (i < p->n) {
			struct ch c = look(p->s, p->n, i);

			if (c.cls == NUMBER) {
				if (i == p->at)
					i += c.len;
				break;
			}
			i += c.len;
		}
		p->stage = i;
	}
	return gpt2(p->s, p->stage, p->at);
}

void pretok_init(struct pretok *p, enum vocab_pre pre, const char *s, size_t n)
{
	*p = (struct pretok){ .pre = pre, .s = s, .n = n };
}

bool pretok_next(struct pretok *p, size_t *start, size_t *len)
{
	size_t end = p->n;

	if (p->at >= p->n)
		return false;
	switch (p->pre) {
	case PRE_GPT2:
		end = gpt2(p->s, p->n, p->at);
		break;
	case PRE_LLAMA3:
		end = llama3(p->s, p->n, p->at, 3);
		break;
	case PRE_QWEN2:
		end = llama3(p->s, p->n, p->at, 1);
		break;
	case PRE_SMOLLM:
		end = smollm(p);
		break;
	case PRE_NONE:
		break;
	}
	*start = p->at;
	*len = end - p->at;
	p->at = end;
	return true;
}
