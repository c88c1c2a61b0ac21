/* added.c - added tokens in text: leftmost, of these the longest, as the reference
 * does it (Hugging Face tokenizers, AddedVocabulary).
 *
 * The texts are sorted; a candidate is found by narrowing the range of those that
 * share the bytes read so far.
 */
#include "core/text/tok.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

/* "<...>" and "[...]" steer a model even where its tokenizer does not call them special
 * (Phi-3's "</s>"), so ordinary text never becomes one. */
static bool is_markup(const struct vocab_token *k)
{
	return k->len >= 2 && ((k->text[0] == '<' && k->text[k->len - 1] == '>') ||
				      (k->text[0] == '[' && k->text[k->len - 1] == ']'));
}

static bool is_added(const struct vocab_token *k)
{
	return k->len && (k->added || k->type == TOKEN_CONTROL || k->type == TOKEN_USER);
}

static bool takes(const struct vocab_token *k, enum tok_mode mode, bool normalized)
{
	if (k->normalized != normalized)
		return false;
	return mode == TOK_SPECIAL || (k->type == TOKEN_USER && !is_markup(k));
}

static int by_text(const void *a, const void *b, void *arg)
{
	const struct vocab_token *k = arg, *x = &k[*(const uint32_t *)a];
	const struct vocab_token *y = &k[*(const uint32_t *)b];
	size_t n = x->len < y->len ? x->len : y->len;
	int d = memcmp(x->text, y->text, n);

	if (d)
		return d;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

enum st tok_added_init(struct tokenizer *t, struct err *e)
{
	const struct vocab_token *k = t->v->tokens;
	size_t n = 0, i = 0;

	for (size_t id = 0; id < t->v->n; id++)
		n += is_added(&k[id]);
	if (n > TOK_ADDED_MAX)
		return err_set(e, ST_UNSUPPORTED,
			"vocabulary: %zu added tokens, at most %d are known", n, TOK_ADDED_MAX);
	t->added = big_array(n ? n : 1, sizeof *t->added, "added tokens", e);
	if (!t->added)
		return ST_NOMEM;
	for (size_t id = 0; id < t->v->n; id++) {
		if (!is_added(&k[id]))
			continue;
		if (k[id].len > 1024)
			return err_set(e, ST_UNSUPPORTED,
				"vocabulary: added token %zu has %u bytes, at most 1024 are known",
				id, (unsigned)k[id].len);
		t->added[t->n_added++] = (uint32_t)id;
		for (int mode = TOK_PLAIN; mode <= TOK_SPECIAL; mode++)
			t->any[mode][k[id].normalized] |=
				takes(&k[id], (enum tok_mode)mode, k[id].normalized);
	}
	qsort_r(t->added, t->n_added, sizeof *t->added, by_text, (void *)(uintptr_t)k);
	for (int b = 0; b < 256; b++) {
		while (i < n && (unsigned char)k[t->added[i]].text[0] == b)
			i++;
		t->added_at[b + 1] = i;
	}
	return ST_OK;
}

/* The byte at depth d of the i-th text, -1 behind its end: the order of the sort. */
static int byte_at(const struct tokenizer *t, size_t i, size_t d)
{
	const struct vocab_token *k = &t->v->tokens[t->added[i]];

	return d < k->len ? (unsigned char)k->text[d] : -1;
}

/* First of [lo, hi) whose byte at depth d is at least c. */
static size_t lower(const struct tokenizer *t, size_t lo, size_t hi, size_t d, int c)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (byte_at(t, mid, d) < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The longest that s[at..) begins with, -1: none. */
static int32_t longest(const struct tokenizer *t, const char *s, size_t n, size_t at,
	enum tok_mode mode, bool normalized)
{
	unsigned char c = (unsigned char)s[at];
	size_t lo = t->added_at[c], hi = t->added_at[c + 1];
	int32_t best = -1;

	for (size_t d = 1; lo < hi; d++) {
		/* texts that end here come first; equal texts: the last id wins */
		for (; lo < hi && byte_at(t, lo, d) < 0; lo++)
			if (takes(&t->v->tokens[t->added[lo]], mode, normalized))
				best = (int32_t)t->added[lo];
		if (at + d >= n)
			break;
		c = (unsigned char)s[at + d];
		lo = lower(t, lo, hi, d, c);
		hi = lower(t, lo, hi, d, c + 1);
	}
	return best;
}

size_t tok_blank_head(const char *s, size_t n)
{
	size_t at = 0;

	while (at < n) {
		uint32_t cp;
		size_t len = utf8_decode(s + at, n - at, &cp);

		if (!uc_space(cp))
			break;
		at += len;
	}
	return at;
}

/* Where the character that ends at `end` begins. */
static size_t back(const char *s, size_t end, uint32_t *cp)
{
	size_t at = end - 1;

	while (at > 0 && end - at < 4 && ((unsigned char)s[at] & 0xc0) == 0x80)
		at--;
	if (utf8_decode(s + at, end - at, cp) == end - at)
		return at;
	*cp = 0xfffd;
	return end - 1;
}

size_t tok_blank_tail(const char *s, size_t n)
{
	size_t end = n;

	while (end > 0) {
		uint32_t cp;
		size_t at = back(s, end, &cp);

		if (!uc_space(cp))
			break;
		end = at;
	}
	return n - end;
}

static bool is_word(uint32_t cp)
{
	return cp == '_' || uc_letter(cp) || uc_number(cp);
}

static bool stands_alone(const char *s, size_t n, size_t start, size_t stop)
{
	uint32_t cp;

	if (start > 0) {
		back(s, start, &cp);
		if (is_word(cp))
			return false;
	}
	if (stop < n) {
		utf8_decode(s + stop, n - stop, &cp);
		return !is_word(cp);
	}
	return true;
}

bool tok_added_next(const struct tokenizer *t, const char *s, size_t n, size_t floor, size_t from,
	enum tok_mode mode, bool normalized, struct tok_hit *hit, struct tok_pace *pace)
{
	enum { LOOKS = 1 << 14, COST = 1 << 10 }; /* looking takes a sixteenth of merging */

	if (!t->any[mode][normalized])
		return false;
	for (size_t at = from; at < n;) {
		const struct vocab_token *k;
		int32_t id;

		if (pace && at % LOOKS == 0 && tok_paced(pace, COST))
			return false;
		id = longest(t, s, n, at, mode, normalized);
		if (id < 0) {
			at++;
			continue;
		}
		k = &t->v->tokens[id];
		*hit = (struct tok_hit){ at, at + k->len, at + k->len, id };
		if (k->single_word && !stands_alone(s, n, at, hit->stop)) {
			at = hit->stop;
			continue;
		}
		if (k->lstrip && at > floor)
			hit->start -= tok_blank_tail(s + floor, at - floor);
		if (k->rstrip)
			hit->stop += tok_blank_head(s + hit->stop, n - hit->stop);
		return true;
	}
	return false;
}

int32_t tok_added_id(const struct tokenizer *t, const char *text)
{
	size_t n = strlen(text);
	int32_t id = n ? longest(t, text, n, 0, TOK_SPECIAL, false) : -1;

	if (id < 0 || t->v->tokens[id].len != n)
		id = n ? longest(t, text, n, 0, TOK_SPECIAL, true) : -1;
	return id >= 0 && t->v->tokens[id].len == n ? id : -1;
}
