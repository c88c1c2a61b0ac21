/* plain_chat - answers as they come: by sentence or line, none twice, then the facts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/plain.h"
#include "app/tui/show.h"
#include "core/base/text.h"

enum { LONGEST = 400 };

/* Bytes of the first thing that can be said of s[0..n): up to a line feed, the end of a sentence,
 * or a blank where it goes on for long; 0: not yet.  all: whatever there is. */
static size_t sentence(const char *s, size_t n, bool all)
{
	size_t blank = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			return i + 1;
		if (s[i] == ' ' && i && strchr(".!?:", s[i - 1]))
			return i + 1;
		if (s[i] == ' ')
			blank = i + 1;
		if (i >= LONGEST)
			return blank ? blank : i - utf8_partial_tail(s, i);
	}
	return all ? n : 0;
}

static void say_text(struct plain *p, const char *s, size_t n, bool all)
{
	for (;;) {
		const char *from = s + p->talked;
		size_t take = p->talked < n ? sentence(from, n - p->talked, all) : 0, len = take;

		if (!take)
			return;
		while (len && strchr(" \n\t\r", from[len - 1]))
			len--;
		if (len)
			plain_line(p, ROLE_TEXT, "%.*s", (int)len, from);
		p->talked += take;
	}
}

/* Where the answer to the last message begins and ends; false: there is none. */
static bool answer_of(const struct snap_chat *c, size_t *from, size_t *to)
{
	size_t i = c->n;

	while (i && c->piece[i - 1].who == CHAT_MODEL &&
		c->piece[i - 1].turn == c->piece[c->n - 1].turn)
		i--;
	if (i == c->n)
		return false;
	*from = c->piece[i].at;
	*to = c->piece[c->n - 1].at + c->piece[c->n - 1].len;
	return true;
}

static void facts(struct plain *p, const struct chat_stats *s)
{
	char speed[48] = "", first[48] = "", bpw[32] = "";

	if (s->tok_s > 0)
		snprintf(speed, sizeof speed, ", %.*f tokens a second", s->tok_s < 10, s->tok_s);
	if (s->ttft_ms > 0)
		snprintf(first, sizeof first, ", the first after %.0f ms", s->ttft_ms);
	if (isfinite(s->bpw))
		snprintf(bpw, sizeof bpw, ", %.2f bpw", s->bpw);
	plain_line(p, ROLE_STRONG, "answer: %zu tokens%s%s%s, %s", s->answer_tokens, speed, first,
		bpw, s->end[0] ? s->end : "ended");
}

void plain_chat(struct plain *p, const struct snap_chat *c)
{
	size_t from, to, turn;
	bool any;

	if (!c || !c->n)
		return;
	any = answer_of(c, &from, &to);
	turn = c->piece[c->n - 1].turn;
	if (c->stats.streaming && !p->answering) {
		p->answering = true;
		p->talked = 0;
	} else if (!c->stats.streaming && !p->answering) {
		/* Told already, unless it came and ended between two looks. */
		if (!any || (turn == p->done_turn && c->len == p->done_len &&
				    c->stats.seed == p->done_seed))
			return;
		p->talked = 0;
	}
	if (any)
		say_text(p, c->text + from, to - from, !c->stats.streaming);
	if (c->stats.streaming)
		return;
	p->answering = false;
	p->done_turn = turn;
	p->done_len = c->len;
	p->done_seed = c->stats.seed;
	facts(p, &c->stats);
}

/* Two texts that grow at once cannot be listened to: each is said when both have ended. */
void plain_ab(struct plain *p, const struct snap_ab *a)
{
	bool now = a && (a->state == AB_COMPARED || a->state == AB_NOT_COMPARED);
	int state = a ? (int)a->state : AB_EMPTY;
	struct err e;

	if (now && state != p->ab_state) {
		list_open(p->t, "ab");
		if (!show_ab(p->t, "", &e))
			plain_list(p);
	}
	p->ab_state = state;
}
