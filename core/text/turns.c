/* turns.c - literals, content and special tokens joined to ids. */
#include "core/text/turns.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/text/tok.h"

void turns_init(struct turns *b, const struct tokenizer *tok, struct tok_ids *ids, struct err *e)
{
	*b = (struct turns){ .tok = tok, .ids = ids, .e = e, .at_start = true };
}

static void append(struct turns *b, const char *s, size_t n)
{
	size_t need, cap = b->cap ? b->cap : 256;
	char *p;

	if (b->st || !n)
		return;
	if (!size_add(&need, b->n, n) || need > SIZE_MAX / 4) {
		b->st = err_set(b->e, ST_NOMEM, "conversation: %zu bytes are too many", n);
		return;
	}
	if (need > b->cap) {
		while (cap < need)
			cap *= 2;
		p = big_alloc(cap, "text of a conversation", b->e);
		if (!p) {
			b->st = ST_NOMEM;
			return;
		}
		if (b->n)
			memcpy(p, b->pend, b->n);
		big_free(b->pend);
		b->pend = p;
		b->cap = cap;
	}
	memcpy(b->pend + b->n, s, n);
	b->n = need;
}

static void flush(struct turns *b)
{
	size_t skip = b->eat ? tok_blank_head(b->pend, b->n) : 0;

	if (!b->st && b->n > skip)
		b->st = tok_encode_part(b->tok, b->pend + skip, b->n - skip, TOK_PLAIN,
			!b->mid_text, b->at_start, b->ids, b->e);
	b->n = 0;
	b->eat = b->mid_text = b->at_start = false;
}

/* ids so far, into answers; what is pending is encoded first, and goes on afterwards. */
static void mark(struct turns *b)
{
	if (b->n) {
		/* what a token has swallowed is no text that goes on */
		bool all = b->eat && tok_blank_head(b->pend, b->n) == b->n;

		flush(b);
		b->mid_text = !all;
	}
	if (!b->st)
		b->st = tok_ids_push(b->answers, (int32_t)b->ids->n, b->e);
}

void turns_answer(struct turns *b)
{
	if (!b->answers)
		return;
	mark(b);
	b->open = true;
	b->closing = false;
}

void turns_answer_end(struct turns *b)
{
	b->closing = b->open;
}

void turns_answer_over(struct turns *b)
{
	if (b->open)
		mark(b);
	b->open = b->closing = false;
}

void turns_id(struct turns *b, int32_t id)
{
	const struct vocab_token *k;

	if (id < 0 || b->st)
		return;
	k = &tokenizer_vocab(b->tok)->tokens[id];
	if (k->lstrip)
		b->n -= tok_blank_tail(b->pend, b->n);
	flush(b);
	if (!b->st)
		b->st = tok_ids_push(b->ids, id, b->e);
	b->eat = k->rstrip;
	if (b->closing)
		turns_answer_over(b);
}

void turns_literal(struct turns *b, const char *s)
{
	size_t n = strlen(s), at = 0;

	while (at < n) {
		struct tok_hit a, c;
		bool raw = tok_added_next(b->tok, s, n, at, at, TOK_SPECIAL, false, &a, NULL);
		bool norm = tok_added_next(b->tok, s, n, at, at, TOK_SPECIAL, true, &c, NULL);

		if (!raw && !norm)
			break;
		if (!raw || (norm && c.start < a.start))
			a = c;
		append(b, s + at, a.start - at);
		turns_id(b, a.id);
		at = a.next; /* what it swallows goes when the text behind it is whole */
	}
	append(b, s + at, n - at);
}

void turns_text(struct turns *b, const char *s, size_t n)
{
	append(b, s, n);
}

enum st turns_end(struct turns *b)
{
	flush(b);
	big_free(b->pend);
	b->pend = NULL;
	b->cap = 0;
	return b->st;
}
