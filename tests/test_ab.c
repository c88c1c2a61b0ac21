/* test_ab.c - two layouts answer the same: each as it would alone, stopped anywhere, and with their
 * names hidden. */
#include "tests/ab_fixture.h"

TestSuite(ab, .init = set_up, .fini = tear_down, .timeout = 120);

/* The answers of a turn, as text; xfree. */
static char *last_text(const struct snap_chat *c)
{
	size_t first = c->n;

	while (first && c->piece[first - 1].who == CHAT_MODEL)
		first--;
	return first == c->n ? xstrdup("") : xstrdup(c->text + c->piece[first].at);
}

/* ---- each as it would alone */

static enum st fixed(void *arg, const struct mat **view, uint32_t *layout, double *bpw,
	const struct sink *s, struct err *err)
{
	*layout = 1;
	*bpw = 1;
	return desk_view(d, arg, view, s, err);
}

static char *alone(uint8_t *choice, const struct ab_options *o, const char *const *text, size_t n)
{
	struct chat_source src = { fixed, choice, NULL };
	struct snap_chat *s;
	struct chat *c;
	char *said;

	ok(chat_new(&c, d, &o->how, &e));
	chat_sampler(c, &o->sampler, o->max_tokens);
	for (size_t i = 0; i < n; i++) {
		chat_say(c, text[i]);
		ok(chat_answer(c, &src, NULL, &e));
	}
	s = chat_snapshot(c);
	said = last_text(s);
	snap_unref(&s->snap);
	chat_free(c);
	return said;
}

Test(ab, each_answers_as_it_would_alone_in_either_order_and_with_its_own_history)
{
	static const char *const text[] = { "hello there", "and then", "what else" };

	for (int after = 0; after < 2; after++) {
		struct ab_options o = options(7);
		struct snap_ab *s;
		struct ab *p;

		o.after = after;
		p = pair_of(all[0], all[1], &o);
		for (size_t n = 1; n <= 3; n++) {
			say(p, text[n - 1]);
			s = ab_snapshot(p);
			cr_assert_eq(s->shared, !after);
			for (int i = 0; i < 2; i++) {
				char *got = last_text(s->side[i].chat),
				     *want = alone(all[i], &o, text, n);

				cr_assert_str_eq(got, want, "turn %zu side %d", n, i);
				cr_assert_eq(s->side[i].name, "AB"[i]);
				xfree(got);
				xfree(want);
			}
			cr_assert_gt(s->differs, 0);
			snap_unref(&s->snap);
		}
		ab_free(p);
	}
}

struct growth {
	struct ab *p;
	size_t seen, both, most_apart;
};

static void grew(void *arg)
{
	struct growth *g = arg;
	struct snap_ab *s = ab_snapshot(g->p);
	const struct chat_stats *a = &s->side[0].chat->stats, *b = &s->side[1].chat->stats;
	size_t apart = a->answer_tokens > b->answer_tokens ? a->answer_tokens - b->answer_tokens
							   : b->answer_tokens - a->answer_tokens;

	g->seen++;
	if (a->streaming && b->streaming) {
		g->both += a->answer_tokens && b->answer_tokens;
		g->most_apart = apart > g->most_apart ? apart : g->most_apart;
	}
	snap_unref(&s->snap);
}

Test(ab, in_lockstep_both_grow_and_are_never_two_tokens_apart)
{
	struct growth g = { 0 };

	for (uint64_t seed = 1; seed < 30 && g.both < 6; seed++) {
		struct ab_options o = options(seed);

		g = (struct growth){ .p = pair_of(all[0], all[1], &o) };
		cr_assert(ab_say(g.p, "hello"));
		ok(ab_answer(g.p, grew, &g, NULL, &e));
		ab_free(g.p);
	}
	cr_assert_geq(g.both, 6, "no answer was long enough");
	cr_assert_leq(g.most_apart, 1);
}

/* ---- stopping, memory */

Test(ab, stopped_anywhere_both_keep_what_they_said_and_go_on_afterwards)
{
	struct ab_options o = options(5);
	struct lib_stop stop;
	struct snap_ab *s;
	size_t said = 0;

	for (unsigned long at = 1; at < 4000; at += at / 2 + 1) {
		struct ab *p = pair_of(all[0], all[1], &o);
		enum st st;

		lib_stop_init(&stop, at);
		cr_assert(ab_say(p, "hello there"));
		st = ab_answer(p, NULL, NULL, &stop.sink, &e);
		s = ab_snapshot(p);
		for (int i = 0; i < 2; i++) {
			const struct chat_stats *c = &s->side[i].chat->stats;

			cr_assert_not(c->streaming);
			said += c->answer_tokens;
			if (st)
				cr_assert_eq(st, ST_CANCELLED);
			else
				cr_assert_str_neq(c->end, "stopped by you");
		}
		cr_assert_eq(s->state, AB_NOT_COMPARED);
		snap_unref(&s->snap);
		say(p, "go on");
		ab_free(p);
		if (!st)
			break;
	}
	cr_assert_gt(said, 0);
}

Test(ab, no_memory_for_the_second_cache_or_the_comparison_is_a_sentence)
{
	struct ab_options o = options(5);
	struct ab_texts *t;
	struct ab_result r;
	struct ab *p;
	enum st st = ST_NOMEM;
	unsigned long n;

	for (n = 1; st && n < 100; n++) {
		alloc_fail_at(n, false);
		st = ab_new(&p, d, &(struct chat_how){ .ctx = 512 }, &e);
		alloc_fail_at(0, false);
		if (!st)
			break;
		cr_assert_eq(st, ST_NOMEM);
		cr_assert_eq(
			strncmp(e.msg, "a conversation for each of A and B: ", 36), 0, "%s", e.msg);
	}
	cr_assert_geq(n, 3, "each side has its own");
	cr_assert_eq(st, ST_OK);
	ok(ab_set(p, &o, (const uint8_t *const[]){ all[0], all[1] }, (double[]){ 2, 4 }, &e));
	say(p, "hello");
	ok(ab_texts(p, &t, &e));
	for (n = 1, st = ST_NOMEM; st && n < 200; n++) {
		alloc_fail_at(n, false);
		st = ab_compare(d, t, &r, NULL, &e);
		alloc_fail_at(0, false);
		if (st)
			cr_assert_eq(st, ST_NOMEM, "%s", e.msg);
	}
	cr_assert_gt(n, 3);
	cr_assert_eq(st, ST_OK);
	big_free(r.kl);
	ab_texts_free(t);
	ab_free(p);
}

Test(ab, where_layouts_changed_each_answer_has_its_own_bits)
{
	struct ab_options o = options(3);
	struct ab *p = pair_of(all[0], all[1], &o);
	struct snap_ab *s;

	for (int turn = 0; turn < 3; turn++) {
		if (turn == 2) /* A stays, B comes down to it */
			ok(ab_set(p, &o, (const uint8_t *const[]){ all[0], all[0] },
				(double[]){ 2.5, 2.5 }, &e));
		say(p, "hello");
		s = ab_snapshot(p);
		for (int i = 0; i < 2; i++) {
			const struct snap_chat *c = s->side[i].chat;

			for (size_t k = 0; k < c->n; k++)
				if (c->piece[k].who == CHAT_MODEL && (!i || turn < 2))
					cr_assert(isnan(c->piece[k].bpw), "the head says it");
				else if (c->piece[k].who == CHAT_MODEL)
					cr_assert_eq(c->piece[k].bpw,
						c->piece[k].turn < 4 ? 4.5 : 2.5, "turn %zu",
						c->piece[k].turn);
		}
		snap_unref(&s->snap);
	}
	ab_free(p);
}

/* ---- blind */

Test(ab, hidden_names_leave_no_trace_in_what_is_shown_until_the_vote)
{
	struct ab_options o = options(9);
	struct ab_texts *t;
	struct ab_result r;
	struct snap_ab *s;
	struct vote v;
	struct ab *p;

	o.blind = o.swap = true;
	p = pair_of(all[0], all[1], &o);
	cr_assert_neq(ab_vote(p, VOTE_LEFT, &v, &e), ST_OK, "nothing to vote on");
	say(p, "hello");
	r = compared(p, &t);
	ab_set_compared(p, o.turn, &r);
	s = ab_snapshot(p);
	cr_assert(s->hidden);
	cr_assert_eq(s->n_kl, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(s->side[i].name, 0);
		cr_assert(isnan(s->side[i].bpw));
		cr_assert_str_eq(s->side[i].id, "");
		cr_assert_eq(s->side[i].chat->stats.tok_s, 0);
		cr_assert_eq(s->side[i].chat->stats.ttft_ms, 0);
		cr_assert(isnan(s->side[i].chat->stats.bpw));
	}
	snap_unref(&s->snap);
	ok(ab_vote(p, VOTE_LEFT, &v, &e));
	cr_assert_eq(v.winner, VOTED_B, "B stood on the left");
	cr_assert(v.blind);
	cr_assert_eq(v.sampler.seed, 9);
	ab_voted(p, VOTE_LEFT);
	s = ab_snapshot(p);
	cr_assert_not(s->hidden);
	cr_assert_eq(s->side[0].name, 'B');
	cr_assert_eq(s->side[0].bpw, 4.5);
	cr_assert_gt(s->n_kl, 0);
	snap_unref(&s->snap);
	cr_assert_neq(ab_vote(p, VOTE_LEFT, &v, &e), ST_OK, "once is enough");
	/* Of a second turn only that turn is seen: the first one's names are known. */
	say(p, "and then");
	s = ab_snapshot(p);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(s->side[i].chat->piece[0].who, CHAT_USER);
		cr_assert_gt(s->side[i].chat->piece[0].at, 0);
	}
	snap_unref(&s->snap);
	ab_texts_free(t);
	ab_free(p);
}
