/* template.h - chat templates: messages to ids, by family, never by guess.
 *
 * Six renderers written in C, recognised by a fingerprint of the model's own
 * template text; any other template is refused by name with --template offered.
 * Template literals are encoded with special tokens on, message content with them
 * off, and the ids joined: content never becomes a special token.
 * Immutable tables; any thread.
 */
#ifndef BD_TEXT_TEMPLATE_H
#define BD_TEXT_TEMPLATE_H

#include "core/text/tokenizer.h"

struct template;

struct chat_message {
	const char *role; /* "system", "user", "assistant" */
	const char *text;
	size_t len;
};

/* By our name ("chatml", "llama2", "llama3", "mistral", "phi3", "zephyr"); NULL: none. */
const struct template *template_named(const char *name);
const char *const *template_names(void); /* NULL-terminated */
const char *template_name(const struct template *t);

/* The renderer for the model's own template text; ST_UNSUPPORTED with a sentence
 * that quotes its start and offers --template NAME. */
BD_MUST_USE enum st template_recognise(
	const struct template **out, const char *jinja, struct err *e);

/* Messages to ids, BOS as the template has it; `jinja` (may be NULL) supplies the
 * model's own default system message where the family has one.  When `generation`,
 * the start of the assistant's turn is added. */
BD_MUST_USE enum st template_render(const struct template *t, const char *jinja,
	const struct tokenizer *tok, const struct chat_message *msg, size_t n, bool generation,
	struct tok_ids *ids, struct err *e);
/* The same of a whole conversation, to be learned: answers gets two indices into ids for each
 * assistant message, where its answer begins and behind the token that ends it.  What stands
 * before an answer are the ids that the model would be given to answer: where the answer's own
 * text begins with blanks, that differs from template_render's, which encodes across. */
BD_MUST_USE enum st template_answers(const struct template *t, const char *jinja,
	const struct tokenizer *tok, const struct chat_message *msg, size_t n, struct tok_ids *ids,
	struct tok_ids *answers, struct err *e);
/* Ids that continue an open conversation: end of the assistant's turn, then msg and
 * the start of the next assistant turn, without what was already rendered. */
BD_MUST_USE enum st template_continue(const struct template *t, const struct tokenizer *tok,
	const struct chat_message *msg, size_t n, struct tok_ids *ids, struct err *e);
/* The id that ends an assistant turn in this template, -1: the tokenizer's eos. */
int32_t template_end_id(const struct template *t, const struct tokenizer *tok);

#endif
