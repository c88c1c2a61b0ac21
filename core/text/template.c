/* template.c - the renderers: what each family writes around the messages.
 *
 * Checked against the families' Jinja templates as Hugging Face transformers renders
 * them (tests/golden/tpl_make.py).
 */
#include "core/text/template.h"

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/text/fingerprint.h"
#include "core/text/tok.h"
#include "core/text/turns.h"

/* ---- one turn */

struct span {
	const char *s;
	size_t n;
};

static struct span trim(struct span x)
{
	size_t head = tok_blank_head(x.s, x.n);

	x.s += head;
	x.n -= head;
	x.n -= tok_blank_tail(x.s, x.n);
	return x;
}

/* Reasoning of earlier turns is left out: what follows the last "</think>". */
static struct span without_thought(struct span x)
{
	static const char end[] = "</think>";

	for (size_t at = x.n; at >= sizeof end - 1; at--) {
		if (memcmp(x.s + at - (sizeof end - 1), end, sizeof end - 1) != 0)
			continue;
		x.s += at;
		x.n -= at;
		while (x.n && *x.s == '\n') {
			x.s++;
			x.n--;
		}
		break;
	}
	return x;
}

static bool is_role(const struct chat_message *m, const char *role)
{
	return strcmp(m->role, role) == 0;
}

static enum st check_roles(
	const struct template *t, const struct chat_message *msg, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!is_role(&msg[i], "system") && !is_role(&msg[i], "user") &&
			!is_role(&msg[i], "assistant"))
			return err_set(e, ST_INVALID,
				"message %zu: the role \"%.20s\" is not one of system, user, "
				"assistant (%s "
				"template)",
				i + 1, msg[i].role, t->name);
	return ST_OK;
}

/* ---- families that write each message between marks */

static void open_block(struct turns *b, const struct template *t, const char *role)
{
	char head[64];

	snprintf(head, sizeof head, "%s%s%s", t->open, role, t->mid);
	turns_literal(b, head);
}

static void close_block(struct turns *b, const struct template *t)
{
	if (t->close_eos)
		turns_id(b, tokenizer_vocab(b->tok)->eos);
	turns_literal(b, t->close);
}

static void block(struct turns *b, const struct template *t, const struct chat_message *m)
{
	struct span x = { m->text, m->len };

	if (t->no_system && is_role(m, "system"))
		return;
	if (t->thoughts && is_role(m, "assistant"))
		x = without_thought(x);
	if (t->trim)
		x = trim(x);
	open_block(b, t, m->role);
	if (is_role(m, "assistant"))
		turns_answer(b);
	turns_text(b, x.s, x.n);
	turns_answer_end(b);
	close_block(b, t);
	turns_answer_over(b);
}

static void blocks(struct turns *b, const struct template *t, const struct chat_message *msg,
	size_t n, bool generation)
{
	for (size_t i = 0; i < n; i++)
		block(b, t, &msg[i]);
	if (generation)
		open_block(b, t, "assistant");
	else if (t->last_eos)
		turns_id(b, tokenizer_vocab(b->tok)->eos);
}

/* Llama-3.1 always writes a system turn.  The date is the template's own default, so
 * that the same conversation gives the same ids every day. */
static size_t dated_system(
	struct turns *b, const struct template *t, const struct chat_message *msg, size_t n)
{
	bool own = n && is_role(&msg[0], "system");
	struct span x = { 0 };

	if (own)
		x = trim((struct span){ msg[0].text, msg[0].len });
	open_block(b, t, "system");
	turns_literal(b, "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
	turns_text(b, x.s, x.n);
	close_block(b, t);
	return own;
}

static void default_system(struct turns *b, const struct template *t, const char *jinja)
{
	size_t n;
	char *s = fingerprint_system(jinja, &n);

	if (s) {
		struct chat_message m = { "system", s, n };

		block(b, t, &m);
	}
	xfree(s);
}

/* ---- [INST] families */

static enum st check_alternate(const struct template *t, const struct chat_message *msg, size_t n,
	size_t from, struct err *e)
{
	if (from && t->no_system)
		return err_set(e, ST_UNSUPPORTED,
			"message 1: this model's %s template has no system message", t->name);
	for (size_t i = from; i < n; i++)
		if (!is_role(&msg[i], (i - from) % 2 ? "assistant" : "user"))
			return err_set(e, ST_INVALID,
				"message %zu: after an optional system message the %s template "
				"wants user "
				"and assistant in turns, got %s",
				i + 1, t->name, msg[i].role);
	return ST_OK;
}

static void instruction(struct turns *b, const struct template *t, const struct chat_message *sys,
	const struct chat_message *m)
{
	struct span x = { m->text, m->len };

	if (t->bos_each)
		turns_id(b, tokenizer_vocab(b->tok)->bos);
	turns_literal(b, t->open);
	if (sys) {
		turns_literal(b, t->sys_open);
		turns_text(b, sys->text, sys->len);
		turns_literal(b, t->sys_close);
	}
	if (t->trim) {
		x = trim(x);
		/* the reference trims system and user text as one */
		if (sys && x.n)
			x = (struct span){ m->text, (size_t)(x.s - m->text) + x.n };
	}
	turns_text(b, x.s, x.n);
	turns_literal(b, t->close);
}

static void answer(struct turns *b, const struct template *t, const struct chat_message *m)
{
	struct span x = { m->text, m->len };

	if (t->trim || t->trim_answer)
		x = trim(x);
	turns_answer(b);
	turns_literal(b, t->answer_open);
	turns_text(b, x.s, x.n);
	turns_literal(b, t->answer_close);
	turns_answer_end(b);
	turns_id(b, tokenizer_vocab(b->tok)->eos);
	turns_answer_over(b);
	turns_literal(b, t->after_eos);
}

static enum st instructions(
	struct turns *b, const struct template *t, const struct chat_message *msg, size_t n)
{
	size_t from = n && is_role(&msg[0], "system"), at;
	enum st st = check_alternate(t, msg, n, from, b->e);

	for (size_t i = from; !st && i < n; i++) {
		/* the system text goes with the first user message or, when it is the end of
		 * the conversation, with the last */
		at = t->sys_last ? n - 1 : from;
		if (is_role(&msg[i], "user"))
			instruction(b, t, from && i == at ? &msg[0] : NULL, &msg[i]);
		else
			answer(b, t, &msg[i]);
	}
	return st;
}

/* ---- the two ways in */

static enum st all_turns(struct turns *b, const struct template *t, const struct chat_message *msg,
	size_t n, bool generation)
{
	if (t->inst)
		return instructions(b, t, msg, n);
	blocks(b, t, msg, n, generation);
	return ST_OK;
}

static enum st finish(struct turns *b, enum st st)
{
	enum st end = turns_end(b);

	return st ? st : end;
}

static enum st render(const struct template *t, const char *jinja, const struct tokenizer *tok,
	const struct chat_message *msg, size_t n, bool generation, struct tok_ids *ids,
	struct tok_ids *answers, struct err *e)
{
	struct turns b;
	size_t skip = 0;
	enum st st = check_roles(t, msg, n, e);

	if (st)
		return st;
	turns_init(&b, tok, ids, e);
	b.answers = answers;
	if (t->bos)
		turns_id(&b, tokenizer_vocab(tok)->bos);
	if (t->dated)
		skip = dated_system(&b, t, msg, n);
	else if (t->own_system && jinja && n && !is_role(&msg[0], "system"))
		default_system(&b, t, jinja);
	st = all_turns(&b, t, msg + skip, n - skip, generation);
	return finish(&b, st);
}

enum st template_render(const struct template *t, const char *jinja, const struct tokenizer *tok,
	const struct chat_message *msg, size_t n, bool generation, struct tok_ids *ids,
	struct err *e)
{
	return render(t, jinja, tok, msg, n, generation, ids, NULL, e);
}

enum st template_answers(const struct template *t, const char *jinja, const struct tokenizer *tok,
	const struct chat_message *msg, size_t n, struct tok_ids *ids, struct tok_ids *answers,
	struct err *e)
{
	return render(t, jinja, tok, msg, n, false, ids, answers, e);
}

enum st template_continue(const struct template *t, const struct tokenizer *tok,
	const struct chat_message *msg, size_t n, struct tok_ids *ids, struct err *e)
{
	struct turns b;
	enum st st = check_roles(t, msg, n, e);

	if (st)
		return st;
	turns_init(&b, tok, ids, e);
	b.mid_text = true;
	b.at_start = false;
	if (t->inst) {
		turns_literal(&b, t->answer_close);
		turns_id(&b, tokenizer_vocab(tok)->eos);
		turns_literal(&b, t->after_eos);
	} else {
		close_block(&b, t);
	}
	st = all_turns(&b, t, msg, n, true);
	return finish(&b, st);
}

int32_t template_end_id(const struct template *t, const struct tokenizer *tok)
{
	return t->end ? tok_added_id(tok, t->end) : -1;
}

const char *template_name(const struct template *t)
{
	return t->name;
}
