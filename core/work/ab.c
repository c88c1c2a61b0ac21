/* ab.c - the same prompt to two layouts, their answers side by side. */
#include "core/work/ab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/sha256.h"

struct side {
	struct chat *chat;
	uint8_t *choice; /* [n]: of this answer */
	double bpw;
	char id[9];
	uint32_t layout;        /* counts them */
	bool open, begun, more; /* the answer: is due or comes, has begun, goes on */
};

struct ab {
	struct desk *d;
	struct side side[2]; /* A, B */
	struct ab_options o;
	uint64_t again;  /* added to the seed */
	bool same_again; /* the layouts are those of the answers before */
	size_t differs;  /* as snap_ab has it */
	bool hidden;
	enum ab_state state;
	enum vote_pick vote;
	struct ab_result compared;
	char *prompt; /* the last one */
};

/* ---- making */

enum st ab_new(struct ab **out, struct desk *d, const struct chat_how *how, struct err *e)
{
	struct ab *p = xalloc(sizeof *p);
	enum st st = ST_OK;

	p->d = d;
	for (int i = 0; i < 2 && !st; i++) {
		p->side[i].choice = xarray(d->set.n + 1, 1);
		p->side[i].bpw = (double)NAN;
		st = chat_new(&p->side[i].chat, d, how, e);
	}
	if (st) {
		ab_free(p);
		return err_at(e, st, "a conversation for each of A and B");
	}
	*out = p;
	return ST_OK;
}

static void forget_compared(struct ab *p)
{
	big_free(p->compared.kl);
	p->compared = (struct ab_result){ 0 };
}

void ab_free(struct ab *p)
{
	if (!p)
		return;
	for (int i = 0; i < 2; i++) {
		chat_free(p->side[i].chat);
		xfree(p->side[i].choice);
	}
	forget_compared(p);
	xfree(p->prompt);
	xfree(p);
}

void ab_clear(struct ab *p)
{
	for (int i = 0; i < 2; i++)
		chat_clear(p->side[i].chat);
	forget_compared(p);
	p->state = AB_EMPTY;
	p->vote = VOTE_NONE;
	p->hidden = false;
	p->differs = 0;
	p->again = 0;
}

enum st ab_set(struct ab *p, const struct ab_options *o, const uint8_t *const choice[2],
	const double bpw[2], struct err *e)
{
	size_t n = p->d->set.n;
	enum st st = ST_OK;

	p->same_again = true;
	for (int i = 0; i < 2 && !st; i++)
		st = chat_set(p->side[i].chat, &o->how, e);
	if (st)
		return err_at(e, st, "a conversation for each of A and B");
	for (int i = 0; i < 2; i++) {
		struct side *s = &p->side[i];
		char was[sizeof s->id];

		memcpy(was, s->id, sizeof was);
		memcpy(s->choice, choice[i], n);
		s->bpw = bpw[i];
		votes_layout_id(s->id, p->d->set.format, choice[i], n);
		if (strcmp(was, s->id)) {
			p->same_again = false;
			s->layout++;
		}
		chat_system(s->chat, o->system);
	}
	p->o = *o;
	p->o.system = NULL; /* the chats have it */
	return ST_OK;
}

void ab_leave(struct ab *p)
{
	for (int i = 0; i < 2; i++)
		chat_leave(p->side[i].chat);
}

/* ---- answering */

bool ab_say(struct ab *p, const char *text)
{
	struct sampler_options o = p->o.sampler;
	bool has = true;

	if (text) {
		p->again = 0;
		xfree(p->prompt);
		p->prompt = xstrdup(text);
	} else if (p->prompt && p->same_again) {
		p->again++;
	}
	o.seed += p->again;
	for (int i = 0; i < 2; i++) {
		chat_sampler(p->side[i].chat, &o, p->o.max_tokens);
		if (text)
			chat_say(p->side[i].chat, text);
		else
			has &= chat_rewind(p->side[i].chat);
		p->side[i].begun = p->side[i].more = false;
		p->side[i].open = has;
	}
	if (!has)
		return false;
	forget_compared(p);
	p->differs = 0;
	p->vote = VOTE_NONE;
	p->hidden = p->o.blind;
	p->state = AB_ANSWERING;
	return true;
}

struct answering {
	struct ab *p;
	int side;
	void (*wrote)(void *arg);
	void *arg;
};

static enum st view_of(void *arg, const struct mat **view, uint32_t *layout, double *bpw,
	const struct sink *s, struct err *e)
{
	const struct answering *a = arg;
	const struct side *side = &a->p->side[a->side];

	*layout = side->layout;
	*bpw = side->bpw;
	return desk_view(a->p->d, side->choice, view, s, e);
}

/* An end of turn is a token as any: where one ends and the other goes on they differ. */
static void find_difference(struct ab *p)
{
	struct chat_said a = chat_said(p->side[AB_A].chat), b = chat_said(p->side[AB_B].chat);
	size_t n = a.n_said < b.n_said ? a.n_said : b.n_said;

	if (p->differs || !p->side[AB_A].begun || !p->side[AB_B].begun)
		return;
	for (size_t i = 0; i < n && !p->differs; i++)
		if (a.said[i] != b.said[i])
			p->differs = i + 1;
}

static void wrote(void *arg, const char *text, size_t n)
{
	const struct answering *a = arg;

	(void)text, (void)n;
	find_difference(a->p);
	if (a->wrote)
		a->wrote(a->arg);
}

/* One token of a side, its prompt before the first. */
static enum st step(struct answering *a, const struct sink *s, struct err *e)
{
	struct side *side = &a->p->side[a->side];
	struct chat_source src = { view_of, a, wrote };
	enum st st = ST_OK;

	if (!side->begun) {
		side->begun = true;
		st = chat_begin(side->chat, &src, s, e);
	}
	return st ? st : chat_next(side->chat, &src, &side->more, s, e);
}

static void end_side(struct ab *p, int side, enum st st)
{
	chat_end(p->side[side].chat, st);
	p->side[side].open = p->side[side].more = false;
	find_difference(p);
}

static enum st one(struct answering *a, const struct sink *s, struct err *e)
{
	enum st st;

	do {
		st = step(a, s, e);
		sink_progress(s, (double)chat_said(a->p->side[a->side].chat).n_said,
			(double)a->p->o.max_tokens);
	} while (!st && a->p->side[a->side].more);
	return st;
}

static enum st in_turns(struct answering a[2], const struct sink *s, struct err *e)
{
	struct ab *p = a->p;
	enum st st = ST_OK;
	size_t count = 0;

	do {
		for (int i = 0; i < 2 && !st; i++)
			if (!count || p->side[a[i].side].more) {
				st = step(&a[i], s, e);
				if (!st && !p->side[a[i].side].more)
					end_side(p, a[i].side, ST_OK);
			}
		sink_progress(s, (double)++count, (double)p->o.max_tokens);
	} while (!st && (p->side[AB_A].more || p->side[AB_B].more));
	return st;
}

enum st ab_answer(
	struct ab *p, void (*fn)(void *arg), void *arg, const struct sink *s, struct err *e)
{
	/* The left one first: who goes first would tell where names are hidden. */
	int first = p->o.swap ? AB_B : AB_A;
	struct answering a[2] = { { p, first, fn, arg }, { p, !first, fn, arg } };
	enum st st = ST_OK;

	if (p->o.after) {
		for (int i = 0; i < 2 && !st; i++) {
			st = one(&a[i], s, e);
			if (!st)
				end_side(p, a[i].side, ST_OK);
		}
	} else {
		st = in_turns(a, s, e);
	}
	for (int i = 0; i < 2; i++) { /* what was stopped, or not even begun */
		if (p->side[i].open)
			end_side(p, i, st);
	}
	p->state = AB_NOT_COMPARED;
	return st;
}

double ab_speed(const struct ab *p, int side)
{
	enum { LONG_ENOUGH = 8 };
	struct snap_chat *c = chat_snapshot(p->side[side].chat);
	double tok_s = p->o.after && c->stats.answer_tokens >= LONG_ENOUGH ? c->stats.tok_s : 0;

	snap_unref(&c->snap);
	return tok_s;
}

/* ---- what is compared */

static enum st copy_text(struct ab_text *to, const struct ab *p, int i, struct err *e)
{
	struct chat_said c = chat_said(p->side[i].chat);

	to->choice = xarray(p->d->set.n + 1, 1);
	memcpy(to->choice, p->side[i].choice, p->d->set.n);
	to->before = c.n_before;
	to->said = p->side[i].begun ? c.n_said : 0;
	to->ended = c.ended;
	to->ids = big_array(to->before + to->said + 1, sizeof *to->ids, "text to compare", e);
	if (!to->ids)
		return ST_NOMEM;
	if (to->before)
		memcpy(to->ids, c.before, to->before * sizeof *to->ids);
	if (to->said)
		memcpy(to->ids + to->before, c.said, to->said * sizeof *to->ids);
	return ST_OK;
}

enum st ab_texts(const struct ab *p, struct ab_texts **out, struct err *e)
{
	struct ab_texts *t = xalloc(sizeof *t);
	enum st st = ST_OK;

	t->turn = p->o.turn;
	for (int i = 0; i < 2 && !st; i++)
		st = copy_text(&t->side[i], p, i, e);
	if (st) {
		ab_texts_free(t);
		return st;
	}
	*out = t;
	return ST_OK;
}

void ab_texts_free(struct ab_texts *t)
{
	if (!t)
		return;
	for (int i = 0; i < 2; i++) {
		xfree(t->side[i].choice);
		big_free(t->side[i].ids);
	}
	xfree(t);
}

void ab_comparing(struct ab *p)
{
	p->state = AB_COMPARING;
}

void ab_set_compared(struct ab *p, uint32_t turn, struct ab_result *r)
{
	if (turn != p->o.turn) {
		if (r)
			big_free(r->kl);
		return;
	}
	forget_compared(p);
	if (r)
		p->compared = *r;
	p->state = r ? AB_COMPARED : AB_NOT_COMPARED;
}

/* ---- voting */

enum st ab_vote(const struct ab *p, enum vote_pick pick, struct vote *v, struct err *e)
{
	bool left_is_a = !p->o.swap;
	char hex[65];

	if (p->state == AB_EMPTY)
		return err_set(e, ST_INVALID, "vote: there are no two answers yet (:ab, then ask)");
	if (p->state == AB_ANSWERING)
		return err_set(
			e, ST_INVALID, "vote: the answers are still coming (Esc stops them)");
	if (p->vote)
		return err_set(e, ST_INVALID, "vote: these answers have your vote already");
	if (!strcmp(p->side[AB_A].id, p->side[AB_B].id))
		return err_set(e, ST_INVALID,
			"vote: A and B are the same layout; turn the dial and ask again");
	*v = (struct vote){ .sampler = p->o.sampler, .blind = p->hidden };
	v->sampler.seed += p->again;
	for (int i = 0; i < 2; i++) {
		v->bpw[i] = p->side[i].bpw;
		memcpy(v->id[i], p->side[i].id, sizeof v->id[i]);
	}
	sha256_of(p->prompt, strlen(p->prompt), hex);
	snprintf(v->prompt, sizeof v->prompt, "%.16s", hex);
	v->winner = pick == VOTE_TIE                   ? VOTED_TIE
		    : pick == VOTE_BAD                 ? VOTED_BAD
		    : (pick == VOTE_LEFT) == left_is_a ? VOTED_A
						       : VOTED_B;
	return ST_OK;
}

void ab_voted(struct ab *p, enum vote_pick pick)
{
	p->vote = pick;
	p->hidden = false;
}

/* ---- what is seen */

/* The answer's piece from byte `at` on becomes one of its own.  There is room: snap_chat_new
 * makes one more than it is given. */
static void split(struct snap_chat *c, size_t at)
{
	struct chat_piece *p = c->n ? &c->piece[c->n - 1] : NULL;

	if (!p || p->who != CHAT_MODEL || at < p->at || at > p->at + p->len)
		return;
	if (at + 1 < c->len && c->text[at] == ' ') /* the mark stands before the word */
		at++;
	p[1] = *p;
	p[1].at = at;
	p[1].len = p->at + p->len - at;
	p[1].differs = true;
	p->len = at - p->at;
	p->open = false;
	c->n++;
}

static struct snap_chat *side_snapshot(const struct ab *p, int side)
{
	struct snap_chat *c = chat_snapshot(p->side[side].chat);
	struct chat_said said = chat_said(p->side[side].chat);
	size_t last = c->n;
	bool several = false;

	/* Where one layout said all of it the head says which. */
	for (size_t i = 0; i < c->n; i++)
		several |=
			c->piece[i].who == CHAT_MODEL && c->piece[i].layout != p->side[side].layout;
	for (size_t i = 0; i < c->n && (!several || p->hidden); i++)
		c->piece[i].bpw = (double)NAN;
	if (p->differs && p->differs <= said.n_said)
		split(c, said.at[p->differs - 1]);
	if (!p->hidden)
		return c;
	/* Answers before were revealed: they would tell. */
	while (last && c->piece[last - 1].who != CHAT_USER)
		last--;
	last -= last > 0;
	memmove(c->piece, c->piece + last, (c->n - last) * sizeof *c->piece);
	c->n -= last;
	c->stats.bpw = (double)NAN;
	c->stats.tok_s = c->stats.ttft_ms = 0; /* so would speed */
	return c;
}

struct snap_ab *ab_snapshot(const struct ab *p)
{
	bool known = p && p->state == AB_COMPARED && !p->hidden;
	struct snap_ab *s = snap_ab_new(known ? p->compared.n : 0);

	if (!p)
		return s;
	s->hidden = p->hidden;
	s->shared = !p->o.after;
	s->state = p->state;
	s->differs = p->differs;
	s->vote = p->vote;
	for (int i = 0; i < 2; i++) {
		int which = p->o.swap ? !i : i;
		const struct side *from = &p->side[which];
		struct ab_side *to = &s->side[i];

		to->chat = side_snapshot(p, which);
		if (p->hidden)
			continue;
		to->name = which == AB_A ? 'A' : 'B';
		to->bpw = from->bpw;
		memcpy(to->id, from->id, sizeof to->id);
	}
	if (known) {
		s->compared = p->compared.sums;
		if (p->compared.n)
			memcpy(s->kl, p->compared.kl, p->compared.n * sizeof *s->kl);
	}
	return s;
}
