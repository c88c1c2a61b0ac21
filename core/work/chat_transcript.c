/* chat_transcript.c - what was said: the transcript that is shown, the messages that are rendered,
 * and going back in them.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/chat_private.h"

void chat_forget_kv(struct chat *c)
{
	c->in_kv = 0;
	c->unfed = -1;
	if (c->kv)
		c->kv->n = 0;
	c->fed.n = 0;
}

void chat_drop_messages(struct chat *c, size_t keep)
{
	while (c->n_msg > keep)
		xfree(c->msg[--c->n_msg].text);
}

void chat_append(struct chat *c, const char *s, size_t n)
{
	if (c->len + n + 1 > c->cap) {
		c->cap = (c->len + n + 1) * 2;
		c->text = xrealloc(c->text, c->cap);
	}
	memcpy(c->text + c->len, s, n);
	c->len += n;
	if (c->n)
		c->piece[c->n - 1].len += n;
}

void chat_begin_piece(struct chat *c, enum chat_who who, double bpw, uint32_t layout)
{
	if (c->n == c->cap_piece) {
		c->cap_piece = c->cap_piece ? 2 * c->cap_piece : 32;
		c->piece = xrealloc(c->piece, c->cap_piece * sizeof *c->piece);
	}
	if (c->n)
		c->piece[c->n - 1].open = false;
	c->piece[c->n++] = (struct chat_piece){ .who = who,
		.turn = c->turn,
		.bpw = bpw,
		.layout = layout,
		.at = c->len,
		.open = who == CHAT_MODEL };
}

void chat_add_message(struct chat *c, const char *role, const char *text, size_t n)
{
	if (c->n_msg == c->cap_msg) {
		c->cap_msg = c->cap_msg ? 2 * c->cap_msg : 16;
		c->msg = xrealloc(c->msg, c->cap_msg * sizeof *c->msg);
	}
	c->msg[c->n_msg++] = (struct message){ role, xstrndup(text, n), n };
}

void chat_await(struct chat *c)
{
	c->stats.streaming = true;
	c->stats.answer_tokens = 0;
	c->stats.tok_s = c->stats.ttft_ms = c->stats.read_rate = 0;
	c->stats.shares = (struct chat_shares){ 0 };
	c->stats.end[0] = '\0';
}

void chat_say(struct chat *c, const char *text)
{
	size_t n = strlen(text);

	if (c->n_msg && !strcmp(c->msg[c->n_msg - 1].role, "user")) /* never answered */
		chat_drop_messages(c, c->n_msg - 1);
	chat_add_message(c, "user", text, n);
	c->again = 0;
	if (c->n)
		c->turn++;
	chat_begin_piece(c, CHAT_USER, 0, 0);
	chat_append(c, text, n);
	chat_await(c);
}

bool chat_rewind(struct chat *c)
{
	if (!c->n_msg)
		return false;
	if (!strcmp(c->msg[c->n_msg - 1].role, "assistant"))
		chat_drop_messages(c, c->n_msg - 1);
	while (c->n && c->piece[c->n - 1].who != CHAT_USER)
		c->len = c->piece[--c->n].at;
	if (c->n)
		c->turn = c->piece[c->n - 1].turn;
	chat_forget_kv(c); /* wholly under the layout now: the prompt, too */
	chat_await(c);
	return true;
}

void chat_clear(struct chat *c)
{
	chat_drop_messages(c, 0);
	chat_forget_kv(c);
	c->again = 0;
	c->turn = 0;
	c->n = c->len = 0;
	c->stats.ctx_used = 0;
}

struct snap_chat *chat_snapshot(struct chat *c)
{
	struct snap_chat *s = snap_chat_new(c->text, c->len, c->piece, c->n);

	s->stats = c->stats;
	snprintf(s->stats.template, sizeof s->stats.template, "%s", template_name(c->d->template));
	s->stats.temperature = c->options.temperature;
	s->stats.seed = c->options.seed + c->again;
	return s;
}
