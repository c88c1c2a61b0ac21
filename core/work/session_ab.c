/* session_ab.c - two layouts asked the same: verbs, and what they do on the engine thread. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/work/session_private.h"

static enum st no_mark(struct err *e)
{
	return err_set(e, ST_INVALID,
		"A/B compares the layout under the dial with the mark A, and there is no mark: "
		"a on the Search screen or :mark puts it");
}

/* ---- answering */

static void wrote(void *arg)
{
	publish_ab(arg, false);
}

/* Queued from here and not when this job is drained, so that no variant changes in between. */
static void compare_next(struct session *s)
{
	struct ab_texts *t;
	struct deed *d;
	struct err e;

	if (ab_texts(s->ab, &t, &e)) {
		notice(s, LOG_WARN, "the answers are not compared: %s", e.msg);
		return;
	}
	ab_comparing(s->ab);
	d = deed_new(s, NULL, NULL);
	d->texts = t;
	deed_submit(s, &job_compare, d);
}

static enum st set_up(struct session *s, const struct deed *d, struct err *e)
{
	struct ab_options o = { .sampler = d->sampler,
		.max_tokens = d->tokens,
		.how = d->how,
		.system = d->path,
		.after = d->after,
		.blind = atomic_load(&s->ab_blind) };
	size_t n = s->desk->set.n;
	uint8_t *choice[2] = { xarray(n + 1, 1), xarray(n + 1, 1) };
	double bpw[2];
	uint64_t generation;
	enum st st = ST_OK;

	if (!dial_marked(s->dial, choice[AB_A], n, &bpw[AB_A]))
		st = no_mark(e);
	else if (!dial_choice(s->dial, choice[AB_B], n, &bpw[AB_B], &generation))
		st = err_set(e, ST_INVALID, "A/B: there is no layout under the dial yet");
	if (!st && !s->ab)
		st = ab_new(&s->ab, s->desk, &d->how, e);
	o.swap = o.blind && rng_below(&s->shuffle, 2);
	o.turn = ++s->ab_turns;
	if (!st)
		st = ab_set(s->ab, &o, (const uint8_t *const *)choice, bpw, e);
	xfree(choice[0]);
	xfree(choice[1]);
	return st;
}

/* One after the other a layout's speed is its own, and the dial learns from it. */
static void tell_speed(struct session *s)
{
	struct snap_ab *a = ab_snapshot(s->ab);

	for (int i = 0; i < 2 && !a->hidden; i++) {
		int which = a->side[i].name == 'A' ? AB_A : AB_B;
		double tok_s = ab_speed(s->ab, which);

		if (tok_s > 0)
			dial_speed(s->dial, a->side[i].bpw, tok_s);
	}
	snap_unref(&a->snap);
}

enum st work_pair(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	enum st st = set_up(s, d, e);

	if (st)
		return st;
	if (d->text)
		chat_asked(s, d->text);
	/* Again where the two were asked nothing: what the one conversation was asked. */
	if (!ab_say(s->ab, d->text) && !(s->asked && ab_say(s->ab, s->asked)))
		return err_set(e, ST_INVALID, "nothing to answer again");
	publish_ab(s, true);
	st = ab_answer(s->ab, wrote, s, &j->sink, e);
	tell_speed(s);
	compare_next(s);
	publish_ab(s, true);
	return st;
}

/* ---- comparing */

static enum st work_compare(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct ab_result r;
	enum st st;

	if (!s->desk || !s->ab) /* another model is being opened */
		return ST_CANCELLED;
	st = ab_compare(s->desk, d->texts, &r, &j->sink, e);
	if (s->ab) {
		ab_set_compared(s->ab, d->texts->turn, st ? NULL : &r);
		publish_ab(s, true);
	} else if (!st) { /* cleared meanwhile */
		big_free(r.kl);
	}
	return st;
}

/* Below the chat: the next message goes first. */
const struct job_class job_compare = { "compare", "tokens", LANE_MEASURE, work_compare, deed_done };

/* ---- voting */

static char *votes_file(const struct session *s)
{
	return votes_path(s->desk->m->ck->name, s->desk->m->ck->header_sha256);
}

static void tell_vote(struct session *s, const struct vote *v)
{
	static const char *const what[] = { "A better", "B better", "the same", "both bad" };

	notice(s, LOG_INFO, "voted: %s (A %.2f bpw, B %.2f bpw; :votes counts)", what[v->winner],
		v->bpw[AB_A], v->bpw[AB_B]);
}

static enum st work_vote(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct vote v;
	char *path;
	enum st st;

	if (!s->ab)
		return err_set(e, ST_INVALID, "vote: there are no two answers yet (:ab, then ask)");
	st = ab_vote(s->ab, d->pick, &v, e);
	if (st)
		return st;
	path = votes_file(s);
	st = votes_append(path, &v, e);
	xfree(path);
	if (!st) {
		ab_voted(s->ab, d->pick);
		tell_vote(s, &v);
	}
	publish_ab(s, true);
	return st;
}

const struct job_class job_vote = { "vote", NULL, LANE_INTERACTIVE, work_vote, deed_done };

static enum st work_votes(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct snap_votes *v;
	char *path;
	enum st st;

	if (!s->desk)
		return err_set(e, ST_INVALID, "votes: no model is open");
	path = votes_file(s);
	st = votes_count(&v, path, e);
	xfree(path);
	if (!st)
		bus_publish(s->bus, (struct event){ .kind = EV_VOTES, .snap = &v->snap });
	return st;
}

const struct job_class job_votes = { "votes", NULL, LANE_INTERACTIVE, work_votes, deed_done };

/* What the UI switched is shown by the thread that owns the rest of it. */
static enum st work_ab(struct job *j, struct err *e)
{
	(void)e;
	publish_ab(((struct deed *)j->arg)->s, true);
	return ST_OK;
}

const struct job_class job_ab = { "A/B", NULL, LANE_INTERACTIVE, work_ab, deed_done };

/* ---- verbs; UI thread */

enum st session_ab(struct session *s, enum switch_verb verb, bool *on, struct err *e)
{
	bool want = verb == SWITCH_TOGGLE ? !atomic_load(&s->ab_on) : verb == SWITCH_ON;
	double bpw;

	if (want && !atomic_load(&s->ready))
		return err_set(e, ST_INVALID, "A/B: no model is open yet");
	if (want && !dial_marked(s->dial, NULL, 0, &bpw))
		return no_mark(e);
	atomic_store(&s->ab_on, want);
	*on = want;
	deed_submit(s, &job_ab, deed_new(s, NULL, NULL));
	return ST_OK;
}

enum st session_vote(struct session *s, enum vote_pick pick, struct err *e)
{
	struct deed *d;

	if (s->read_only)
		return err_set(e, ST_INVALID, "vote: the program was started with --read-only");
	d = deed_new(s, NULL, NULL);
	d->pick = pick;
	deed_submit(s, &job_vote, d);
	return ST_OK;
}

enum st session_votes(struct session *s, struct err *e)
{
	if (!atomic_load(&s->ready))
		return err_set(e, ST_INVALID, "votes: no model is open");
	deed_submit(s, &job_votes, deed_new(s, NULL, NULL));
	return ST_OK;
}

bool session_ab_set(
	struct session *s, const char *name, const char *value, enum st *st, struct err *e)
{
	*st = ST_OK;
	if (!strcmp(name, "ab_order")) {
		if (strcmp(value, "lockstep") && strcmp(value, "after"))
			*st = err_set(e, ST_INVALID, "set ab_order %s: expected lockstep or after",
				value);
		else
			s->ab_after = !strcmp(value, "after");
		return true;
	}
	if (strcmp(name, "blind"))
		return false;
	if (strcmp(value, "on") && strcmp(value, "off")) {
		*st = err_set(e, ST_INVALID, "set blind %s: expected on or off", value);
		return true;
	}
	atomic_store(&s->ab_blind, !strcmp(value, "on"));
	deed_submit(s, &job_ab, deed_new(s, NULL, NULL));
	return true;
}
