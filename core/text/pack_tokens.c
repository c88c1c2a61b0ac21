/* pack_tokens.c - one row as ids, and what of them is learned. */
#include <string.h>

#include "core/text/pack.h"
#include "core/text/tok.h"
#include "core/text/turns.h"

static bool is_role(const struct chat_message *m, const char *role)
{
	return !strcmp(m->role, role);
}

static enum st push_span(struct tok_ids *learned, size_t from, size_t to, struct err *e)
{
	enum st st = tok_ids_push(learned, (int32_t)from, e);

	return st ? st : tok_ids_push(learned, (int32_t)to, e);
}

/* A document; the pieces of a plain text are one, which the last of them ends. */
static enum st text_tokens(const struct pack_how *how, const struct dataset_row *row, bool ends,
	struct tok_ids *ids, const struct sink *s, struct err *e)
{
	int32_t eos = tokenizer_vocab(how->tok)->eos;
	struct sink polls = s ? *s : (struct sink){ 0 };
	enum st st;

	polls.progress = NULL; /* of the file it is told, not of a row */
	st = tokenizer_encode_long(how->tok, row->msg->text, row->msg->len, ids, &polls, e);
	if (!st && ends && eos >= 0)
		st = tok_ids_push(ids, eos, e);
	return st;
}

/* For models without a template: a line end behind each message, eos behind an answer. */
static enum st bare_tokens(const struct pack_how *how, const struct dataset_row *row,
	struct tok_ids *ids, struct tok_ids *answers, struct err *e)
{
	const struct vocab *v = tokenizer_vocab(how->tok);
	struct turns b;

	turns_init(&b, how->tok, ids, e);
	b.answers = answers;
	if (v->add_bos)
		turns_id(&b, v->bos);
	for (size_t i = 0; i < row->n; i++) {
		const struct chat_message *m = &row->msg[i];
		bool answer = is_role(m, "assistant");

		if (answer)
			turns_answer(&b);
		turns_text(&b, m->text, m->len);
		turns_answer_end(&b);
		if (answer && v->eos >= 0)
			turns_id(&b, v->eos);
		else
			turns_text(&b, "\n", 1);
		turns_answer_over(&b);
	}
	return turns_end(&b);
}

enum st pack_tokens(const struct pack_how *how, const struct dataset_row *row, struct tok_ids *ids,
	struct tok_ids *learned, const struct sink *s, struct err *e)
{
	bool text = is_role(row->msg, "text");
	size_t from = ids->n;
	enum st st;

	learned->n = 0;
	if (text)
		st = text_tokens(how, row, row->last, ids, s, e);
	else if (how->template)
		st = template_answers(
			how->template, how->jinja, how->tok, row->msg, row->n, ids, learned, e);
	else
		st = bare_tokens(how, row, ids, learned, e);
	if (!st && (text || how->all)) {
		learned->n = 0;
		st = push_span(learned, from, ids->n, e);
	}
	return st;
}
