/* session_chat.c - the chat's verbs on the engine thread, and how it is answered and watched. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/session_private.h"

/* The layout under the dial now; another number when it is another one, and not when the dial
 * went to and fro between two tokens.  false: there is none. */
static bool look(struct session *s)
{
	size_t n = s->desk->set.n;
	uint8_t *now = xarray(n + 1, 1);
	uint64_t g;
	bool has = dial_choice(s->dial, now, n, &s->view_bpw, &g);

	if (has && g != s->view_generation) {
		if (!s->view_generation || memcmp(now, s->view_choice, n))
			s->view_layout++;
		memcpy(s->view_choice, now, n);
		s->view_generation = g;
	}
	xfree(now);
	return has;
}

static enum st chat_view(void *arg, const struct mat **view, uint32_t *layout, double *bpw,
	const struct sink *sink, struct err *e)
{
	struct session *s = arg;

	if (training_view(s, view, layout, bpw))
		return ST_OK;
	if (!look(s))
		return err_set(e, ST_INVALID, "chat: there is no layout under the dial yet");
	*layout = s->view_layout;
	*bpw = s->view_bpw;
	return desk_view(s->desk, s->view_choice, view, sink, e);
}

static void chat_wrote(void *arg, const char *text, size_t n)
{
	(void)text;
	(void)n;
	publish_chat(arg, false);
}

/* The dial learns how fast a layout decodes, from an answer long enough by one layout alone. */
static void tell_speed(struct session *s)
{
	enum { LONG_ENOUGH = 8 };
	struct snap_chat *c = chat_snapshot(s->chat);
	size_t turn = 0, layouts = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->piece[i].who == CHAT_MODEL) {
			layouts = c->piece[i].turn == turn ? layouts + 1 : 1;
			turn = c->piece[i].turn;
		}
	if (layouts == 1 && c->stats.answer_tokens >= LONG_ENOUGH)
		dial_speed(s->dial, c->stats.bpw, c->stats.tok_s);
	snap_unref(&c->snap);
}

void chat_asked(struct session *s, const char *text)
{
	char *before = s->asked; /* text may be it */

	s->asked = text ? xstrdup(text) : NULL;
	xfree(before);
}

/* It takes a tenth of a second of memory at full speed: only for those who look at it. */
static void measure_wall(struct session *s)
{
	chat_measure_wall(s->chat);
	publish_chat(s, true);
}

/* text: a message; NULL: the last one again. */
static enum st work_chat(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct chat_source src = { chat_view, s, chat_wrote };
	const char *text = d->text;
	uint32_t layout = 0;
	double bpw;
	bool trained;
	enum st st = ST_OK;

	if (!s->desk)
		return err_set(e, ST_INVALID, "chat: no model is open");
	if (d->pair)
		return work_pair(j, e);
	if (!s->chat)
		st = chat_new(&s->chat, s->desk, &d->how, e);
	if (!st)
		st = chat_set(s->chat, &d->how, e);
	if (st)
		return st;
	chat_sampler(s->chat, &d->sampler, d->tokens);
	chat_system(s->chat, d->path);
	trained = training_wear(s) && training_view(s, NULL, &layout, &bpw);
	if (!text && chat_rewind(s->chat)) {
		look(s);
		chat_next_seed(s->chat, trained ? layout : s->view_layout);
	} else if (text || (text = s->asked)) { /* of A and B */
		chat_say(s->chat, text);
		chat_asked(s, text);
	} else {
		return err_set(e, ST_INVALID, "nothing to answer again");
	}
	publish_chat(s, true);
	st = chat_answer(s->chat, &src, &j->sink, e);
	if (!trained)
		tell_speed(s);
	publish_chat(s, true);
	if (!st && atomic_load(&s->rates_shown))
		measure_wall(s);
	return st;
}

const struct job_class job_chat = { "chat", "tokens", LANE_CHAT, work_chat, deed_done };

static enum st work_chat_clear(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;

	(void)e;
	chat_asked(s, NULL);
	if (((struct deed *)j->arg)->pair) {
		ab_free(s->ab); /* and the memory of two caches */
		s->ab = NULL;
		publish_ab(s, true);
		return ST_OK;
	}
	if (s->chat)
		chat_clear(s->chat);
	publish_chat(s, true);
	return ST_OK;
}

const struct job_class job_chat_clear = { "clear", NULL, LANE_CHAT, work_chat_clear, deed_done };

static enum st work_rates(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;

	(void)e;
	if (s->chat)
		measure_wall(s);
	return ST_OK;
}

/* In the chat's lane: not in the middle of an answer. */
static const struct job_class job_rates = { "memory speed", NULL, LANE_CHAT, work_rates,
	deed_done };

void session_chat_sampler(struct session *s, const struct sampler_options *o)
{
	s->sampler = *o;
}

void session_rates(struct session *s, bool shown)
{
	atomic_store(&s->rates_shown, shown);
	if (shown && atomic_load(&s->ready))
		deed_submit(s, &job_rates, deed_new(s, NULL, NULL));
}
