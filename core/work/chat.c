/* chat.c - prompt and answer. */
#include "core/work/chat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/chat_private.h"

enum { CHAT_CTX = 2048, PROMPT_ROWS = 256 };

enum st chat_new(struct chat **out, struct desk *d, const struct chat_how *how, struct err *e)
{
	struct chat *c;
	enum st st;

	if (!d->tok)
		return err_set(e, d->tok_err.st, "chat: %s", d->tok_err.msg);
	if (!d->template)
		return err_set(e, d->template_err.st, "chat: %s", d->template_err.msg);
	c = xalloc(sizeof *c);
	c->d = d;
	c->options = sampler_default;
	c->max_tokens = 512;
	c->unfed = -1;
	c->end = "";
	c->view = xarray(d->m->n_linears + 1, sizeof *c->view);
	st = chat_set(c, how, e);
	if (!st) {
		c->logits = big_array(d->m->hp.vocab, sizeof *c->logits, "logits", e);
		st = c->logits ? ST_OK : ST_NOMEM;
	}
	if (st) {
		chat_free(c);
		return st;
	}
	c->stats.bpw = (double)NAN;
	*out = c;
	return ST_OK;
}

enum st chat_set(struct chat *c, const struct chat_how *how, struct err *e)
{
	size_t ctx = how->ctx ? how->ctx : CHAT_CTX;
	struct kv *kv;
	enum st st;

	if (!c->fwd) {
		st = fwd_new(&c->fwd, c->d->m, PROMPT_ROWS, e);
		if (st)
			return st;
	}
	c->how = *how;
	fwd_set_math(c->fwd, how->exact ? MATH_F32 : MATH_FAST);
	if (c->d->m->hp.ctx && ctx > c->d->m->hp.ctx)
		ctx = c->d->m->hp.ctx;
	if (c->kv && c->kv->cap == ctx && !c->kv->k == (how->kv == KV_INT8))
		return ST_OK;
	st = kv_new(&kv, c->d->m, ctx, how->kv, e);
	if (st)
		return st;
	kv_free(c->kv);
	c->kv = kv;
	c->stats.ctx = ctx;
	chat_forget_kv(c);
	return ST_OK;
}

void chat_leave(struct chat *c)
{
	if (c->kv)
		chat_forget_kv(c);
	kv_free(c->kv);
	fwd_free(c->fwd);
	c->kv = NULL;
	c->fwd = NULL;
	c->stats.wall_rate = 0;
}

void chat_free(struct chat *c)
{
	if (!c)
		return;
	chat_drop_messages(c, 0);
	xfree(c->msg);
	xfree(c->system);
	xfree(c->text);
	xfree(c->piece);
	xfree(c->view);
	xfree(c->said_at);
	tok_ids_release(&c->fed);
	tok_ids_release(&c->said);
	sampler_free(c->sampler);
	big_free(c->logits);
	kv_free(c->kv);
	fwd_free(c->fwd);
	xfree(c);
}

struct fwd *chat_fwd(struct chat *c)
{
	return c->fwd;
}

void chat_sampler(struct chat *c, const struct sampler_options *o, size_t max_tokens)
{
	c->options = *o;
	if (max_tokens)
		c->max_tokens = max_tokens;
}

void chat_system(struct chat *c, const char *text)
{
	xfree(c->system);
	c->system = text && *text ? xstrdup(text) : NULL;
}

void chat_measure_wall(struct chat *c)
{
	if (!(c->stats.wall_rate > 0))
		c->stats.wall_rate = c->d->m->be->read_rate();
}

/* ---- answering */

/* Ids that are not in the cache yet, from the messages that are not. */
static enum st render(struct chat *c, struct tok_ids *ids, struct err *e)
{
	const char *jinja = c->d->m->ck->vocab->chat_template;
	struct chat_message *m = xarray(c->n_msg + 1, sizeof *m);
	size_t n = 0, from = c->in_kv;
	enum st st;

	if (!from && c->system)
		m[n++] = (struct chat_message){ "system", c->system, strlen(c->system) };
	for (size_t i = from; i < c->n_msg; i++)
		m[n++] = (struct chat_message){ c->msg[i].role, c->msg[i].text, c->msg[i].len };
	if (from && c->unfed >= 0) {
		st = tok_ids_push(ids, c->unfed, e);
		if (st)
			goto out;
	}
	if (from)
		st = template_continue(c->d->template, c->d->tok, m, n, ids, e);
	else
		st = template_render(c->d->template, jinja, c->d->tok, m, n, true, ids, e);
out:
	xfree(m);
	return st;
}

/* The prompt of this answer into the cache; when it does not fit, the whole conversation is
 * rendered anew without its oldest turns. */
static enum st feed_prompt(struct chat *c, const struct sink *s, struct err *e)
{
	struct tok_ids ids = { 0 };
	enum st st = render(c, &ids, e);

	while (!st && c->kv->n + ids.n + 8 > c->kv->cap) {
		if (!c->in_kv && c->n_msg <= 1) {
			st = err_set(e, ST_INVALID,
				"the message has %zu tokens and the context holds %zu: shorten it, "
				"or "
				":set ctx in the workbench",
				ids.n, c->kv->cap);
			break;
		}
		if (!c->in_kv) { /* forget the oldest question and its answer */
			size_t drop = c->n_msg > 2 ? 2 : 1;

			for (size_t i = 0; i < drop; i++)
				xfree(c->msg[i].text);
			memmove(c->msg, c->msg + drop, (c->n_msg - drop) * sizeof *c->msg);
			c->n_msg -= drop;
		}
		chat_forget_kv(c);
		ids.n = 0;
		st = render(c, &ids, e);
	}
	for (size_t i = 0; !st && i < ids.n; i++)
		sampler_seen(c->sampler, ids.id[i]);
	if (!st)
		st = fwd_prompt(c->fwd, c->view, c->kv, ids.id, ids.n, c->logits, s, e);
	if (!st)
		c->unfed = -1;
	for (size_t i = 0; !st && i < ids.n; i++)
		st = tok_ids_push(&c->fed, ids.id[i], e);
	c->stats.prompt_tokens = ids.n;
	tok_ids_release(&ids);
	return st;
}

static void ban_textless(const struct chat *c)
{
	size_t known = tokenizer_vocab(c->d->tok)->n;

	for (size_t i = known; i < c->d->m->hp.vocab; i++)
		c->logits[i] = -INFINITY;
}

/* On a device some steps are measured and stand for all. */
static void share_out(struct chat *c, double seconds)
{
	const double *part = c->times.seconds;
	double of = c->in_timed > 0 ? c->in_forward / c->in_timed / seconds : 0;
	struct chat_shares *s = &c->stats.shares;

	if (!c->timed)
		return;
	*s = (struct chat_shares){ .linears = part[FWD_LINEARS] * of,
		.attention = part[FWD_ATTENTION] * of,
		.head = part[FWD_HEAD] * of,
		.sampling = c->in_sampler / seconds };
	s->other = c->in_forward / seconds - s->linears - s->attention - s->head -
		   part[FWD_WAITING] * of;
	s->waiting = 1 - s->linears - s->attention - s->head - s->sampling - s->other;
	c->stats.read_rate =
		(double)c->times.bytes * (double)c->steps / (double)c->timed / seconds;
}

/* Measuring slows a device (forward.h): one step of so many. */
enum { TIMED_EVERY = 32 };

static bool times_this(const struct chat *c)
{
	return c->d->m->be->host_memory || c->steps % TIMED_EVERY == TIMED_EVERY / 2;
}

static void write_piece(struct chat *c, const struct chat_source *src, int32_t id, bool first,
	uint32_t layout, double bpw, double began, size_t count)
{
	size_t n;
	const char *p = tokenizer_piece(c->d->tok, id, first, &n);
	double now = clock_now();

	if (first || c->piece[c->n - 1].layout != layout || c->piece[c->n - 1].who != CHAT_MODEL)
		chat_begin_piece(c, CHAT_MODEL, bpw, layout);
	chat_append(c, p, n);
	c->stats.answer_tokens = count;
	c->stats.ctx_used = c->kv->n;
	c->stats.tok_s = now > began ? (double)(count - 1) / (now - began) : 0;
	c->stats.bpw = bpw;
	if (count > 1 && now > began)
		share_out(c, now - began);
	if (src->wrote)
		src->wrote(src->arg, p, n);
}

static enum st remember(struct chat *c, int32_t id, struct err *e)
{
	if (c->said.n == c->cap_at) {
		c->cap_at = c->cap_at ? 2 * c->cap_at : 64;
		c->said_at = xrealloc(c->said_at, c->cap_at * sizeof *c->said_at);
	}
	c->said_at[c->said.n] = c->len;
	return tok_ids_push(&c->said, id, e);
}

/* What was said last goes into the cache, and the logits after it are there. */
static enum st feed_last(struct chat *c, const struct sink *s, struct err *e)
{
	int32_t id = c->unfed;
	bool timed = times_this(c);
	double began = clock_now(), took;
	enum st st;

	fwd_time(c->fwd, timed ? &c->times : NULL);
	st = fwd_step(c->fwd, c->view, &c->kv, &id, 1, c->logits, s, e);
	took = clock_now() - began;
	c->in_forward += took;
	c->steps++;
	c->timed += timed;
	c->in_timed += timed ? took : 0;
	if (st)
		return st;
	c->unfed = -1;
	return tok_ids_push(&c->fed, id, e);
}

/* The token drawn: the end of the answer, or text. */
static enum st take(struct chat *c, const struct chat_source *src, int32_t id, uint32_t layout,
	double bpw, struct err *e)
{
	bool first = !c->said.n;
	size_t count = c->said.n + 1;
	enum st st = remember(c, id, e);

	if (st)
		return st;
	if (id == template_end_id(c->d->template, c->d->tok) || tokenizer_is_end(c->d->tok, id)) {
		c->end = "end of turn";
		return ST_OK;
	}
	if (first)
		c->turn++;
	write_piece(c, src, id, first, layout, bpw, c->first_at, count);
	c->unfed = id;
	if (count == c->max_tokens || c->kv->n + 1 >= c->kv->cap)
		c->end = count == c->max_tokens ? "token limit" : "context full";
	return ST_OK;
}

enum st chat_next(struct chat *c, const struct chat_source *src, bool *more, const struct sink *s,
	struct err *e)
{
	uint32_t layout;
	double bpw, began;
	int32_t id;
	enum st st = src->view(src->arg, c->view, &layout, &bpw, s, e);

	*more = false;
	if (!st && sink_poll(s))
		st = ST_CANCELLED;
	if (!st && c->said.n)
		st = feed_last(c, s, e);
	if (st)
		return st;
	began = clock_now();
	ban_textless(c);
	id = sampler_next(c->sampler, c->logits);
	c->in_sampler += clock_now() - began;
	if (!c->said.n) {
		c->first_at = clock_now();
		c->times = (struct fwd_times){ { 0 }, 0 };
		c->in_forward = c->in_sampler = c->in_timed = 0;
		c->steps = c->timed = 0;
		c->first_layout = layout;
		c->stats.ttft_ms = (c->first_at - c->asked) * 1e3;
	}
	c->last_layout = layout;
	st = take(c, src, id, layout, bpw, e);
	*more = !st && !c->end[0];
	return st;
}

void chat_end(struct chat *c, enum st st)
{
	size_t from, n;
	char *answer;

	sampler_free(c->sampler);
	c->sampler = NULL;
	from = c->len;
	for (size_t i = c->n; i-- && c->piece[i].who == CHAT_MODEL;)
		from = c->piece[i].at;
	n = c->len - from;
	answer = xstrndup(n ? c->text + from : "", n);
	if (c->n)
		c->piece[c->n - 1].open = false;
	c->stats.streaming = false;
	snprintf(c->stats.end, sizeof c->stats.end, "%s",
		st == ST_CANCELLED ? "stopped by you"
		: st               ? "failed"
				   : c->end);
	if (n) {
		chat_add_message(c, "assistant", answer, n);
		c->in_kv = c->n_msg;
	}
	if (!n || st == ST_DEVICE) /* nothing was said, or it is not to be believed: rendered again */
		chat_forget_kv(c);
	xfree(answer);
}

enum st chat_begin(
	struct chat *c, const struct chat_source *src, const struct sink *s, struct err *e)
{
	struct sampler_options o = c->options;
	const struct mat *head;
	uint32_t layout;
	double bpw;
	enum st st;

	if (fwd_renew(c->fwd))
		chat_forget_kv(c);
	c->asked = clock_now();
	c->end = "";
	c->said.n = 0;
	o.seed += c->again;
	c->sampler = sampler_new(&o, c->d->m->hp.vocab);
	chat_await(c);
	st = desk_head(c->d, c->how.head, &head, s, e);
	if (!st) {
		fwd_set_head(c->fwd, head);
		st = src->view(src->arg, c->view, &layout, &bpw, s, e);
	}
	if (!st)
		st = feed_prompt(c, s, e);
	c->answer_at = st ? 0 : c->fed.n;
	return st;
}

enum st chat_answer(
	struct chat *c, const struct chat_source *src, const struct sink *s, struct err *e)
{
	bool more = true;
	enum st st;

	if (!c->n_msg || strcmp(c->msg[c->n_msg - 1].role, "user"))
		return err_set(e, ST_INVALID, "nothing to answer: say something first");
	st = chat_begin(c, src, s, e);
	while (!st && more) {
		st = chat_next(c, src, &more, s, e);
		sink_progress(s, (double)c->said.n, (double)c->max_tokens);
	}
	chat_end(c, st);
	return st;
}

struct chat_said chat_said(const struct chat *c)
{
	return (struct chat_said){ .before = c->fed.id,
		.n_before = c->answer_at, /* there, even when the cache forgot it since */
		.said = c->said.id,
		.at = c->said_at,
		.n_said = c->said.n,
		.ended = !strcmp(c->end, "end of turn") };
}

void chat_next_seed(struct chat *c, uint32_t layout)
{
	if (c->first_layout == layout && c->last_layout == layout)
		c->again++;
}
