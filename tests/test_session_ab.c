/* test_session_ab.c - two answers in a sitting: the mark, the dial that turns meanwhile, stopping,
 * another model in the middle, and votes. */
#include "tests/session_fixture.h"

static void seed(uint64_t to)
{
	session_chat_sampler(
		s, &(struct sampler_options){
			   .temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = to });
}

static void set_up(void)
{
	open_chat();
	seed(1);
}

TestSuite(session_ab, .init = set_up, .fini = end, .timeout = 120);

static void mark_and_go(double a, double b)
{
	bool marked, on;

	ok(session_budget(s, a, &e));
	ok(session_mark(s, MARK_HERE, &marked, &e));
	ok(session_budget(s, b, &e));
	ok(session_ab(s, SWITCH_ON, &on, &e));
	cr_assert(on);
}

Test(session_ab, without_a_mark_it_is_refused_with_what_to_do)
{
	bool on = true, marked;

	cr_assert_neq(session_ab(s, SWITCH_TOGGLE, &on, &e), ST_OK);
	cr_assert(strstr(e.msg, "there is no mark: a on the Search screen or :mark puts it"), "%s",
		e.msg);
	mark_and_go(2, 100);
	ok(session_mark(s, MARK_OFF, &marked, &e));
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_eq(w.last, ST_INVALID);
	cr_assert(strstr(w.sentence, "there is no mark"), "%s", w.sentence);
	ok(session_ab(s, SWITCH_TOGGLE, &on, &e));
	cr_assert_not(on);
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_eq(w.last, ST_OK);
	cr_assert_geq(w.chat->n, 2, "one answer again");
}

Test(session_ab, a_message_is_answered_twice_and_the_answers_are_compared)
{
	mark_and_go(2, 100);
	ok(session_say(s, "hello there", &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_eq(w.ab->state, AB_COMPARED);
	cr_assert(w.ab->on);
	cr_assert_eq(w.ab->side[0].name, 'A');
	cr_assert_lt(w.ab->side[0].bpw, 3);
	cr_assert_gt(w.ab->side[1].bpw, 3);
	cr_assert_neq(strcmp(w.ab->side[0].id, w.ab->side[1].id), 0);
	cr_assert_eq(w.ab->side[0].chat->stats.seed, w.ab->side[1].chat->stats.seed);
	cr_assert_gt(w.ab->n_kl, 0);
	cr_assert_gt(w.ab->compared.kl_mean, 0);
	cr_assert_geq(w.ab->compared.kl_max, w.ab->compared.kl_mean);
	cr_assert_gt(w.ab->compared.ppl_a, 1);
	cr_assert_null(w.chat, "the other conversation is as it was");
}

static bool both_stream(const struct work_seen *seen)
{
	return seen->ab && seen->ab->state == AB_ANSWERING && seen->ab->side[1].chat &&
	       seen->ab->side[0].chat->stats.answer_tokens > 2 &&
	       seen->ab->side[1].chat->stats.answer_tokens > 2;
}

Test(session_ab, the_dial_that_turns_meanwhile_changes_nothing_and_a_stop_keeps_both)
{
	bool caught = false;
	double bpw[2];

	mark_and_go(2, 100);
	ok(session_set(s, "max_tokens", "1500", &e));
	for (uint64_t i = 1; i < 40 && !caught; i++) {
		ok(session_budget(s, 100, &e));
		seed(i);
		ok(session_say(s, "hello", &e));
		if (!work_until(s, &w, both_stream))
			continue;
		for (int k = 0; k < 2; k++)
			bpw[k] = w.ab->side[k].bpw;
		ok(session_budget(s, 2, &e)); /* B is under way as it was */
		cr_assert_neq(session_say(s, "x", &e), ST_OK, "still streaming");
		if (!session_chat_stop(s))
			continue;
		settle();
		caught = !strcmp(w.ab->side[0].chat->stats.end, "stopped by you") &&
			 !strcmp(w.ab->side[1].chat->stats.end, "stopped by you");
		for (int k = 0; k < 2; k++) {
			const struct snap_chat *c = w.ab->side[k].chat;

			cr_assert_eq(w.ab->side[k].bpw, bpw[k]);
			cr_assert_gt(c->stats.answer_tokens, 2);
			cr_assert_eq(c->piece[c->n - 1].who, CHAT_MODEL);
			cr_assert_not(c->piece[c->n - 1].open);
		}
	}
	cr_assert(caught, "no two answers were long enough");
	settle();
	cr_assert_eq(w.ab->state, AB_COMPARED, "as far as they went");
}

Test(session_ab, again_has_the_same_seed_for_other_layouts_and_the_next_for_the_same)
{
	mark_and_go(2, 100);
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_eq(w.ab->side[0].chat->stats.seed, 1);
	ok(session_budget(s, 3, &e));
	ok(session_again(s, &e));
	settle();
	cr_assert_eq(w.ab->side[0].chat->stats.seed, 1);
	cr_assert_eq(w.ab->side[1].chat->piece[0].who, CHAT_USER);
	ok(session_again(s, &e));
	settle();
	for (int i = 0; i < 2; i++)
		cr_assert_eq(w.ab->side[i].chat->stats.seed, 2);
}

Test(session_ab, again_asks_the_pair_what_the_one_was_asked_and_the_other_way_round)
{
	bool on;

	ok(session_say(s, "to one", &e));
	settle();
	mark_and_go(2, 100);
	ok(session_again(s, &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_eq(w.ab->state, AB_COMPARED);
	for (int i = 0; i < 2; i++) {
		const struct snap_chat *c = w.ab->side[i].chat;

		cr_assert_geq(c->n, 2);
		cr_assert_eq(c->piece[0].len, 6);
		cr_assert_arr_eq(c->text + c->piece[0].at, "to one", 6);
	}
	ok(session_ab(s, SWITCH_OFF, &on, &e));
	ok(session_chat_clear(s, &e));
	ok(session_again(s, &e));
	settle();
	cr_assert_neq(w.last, ST_OK, "what was cleared is not asked again");
	ok(session_ab(s, SWITCH_ON, &on, &e));
	ok(session_say(s, "to two", &e));
	ok(session_ab(s, SWITCH_OFF, &on, &e));
	settle();
	ok(session_again(s, &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_arr_eq(w.chat->text + w.chat->piece[0].at, "to two", 6);
	cr_assert_eq(w.chat->n, 2);
	ok(session_open(s, work_demo(2), &e));
	settle();
	ok(session_again(s, &e));
	settle();
	cr_assert_neq(w.last, ST_OK, "another model was asked nothing");
}

Test(session_ab, another_model_in_mid_answer_ends_the_pair)
{
	for (int i = 0; i < 3; i++) {
		mark_and_go(2, 100);
		ok(session_set(s, "max_tokens", "1500", &e));
		seed((uint64_t)i + 1);
		ok(session_say(s, "hello", &e));
		if (i)
			work_until(s, &w, both_stream);
		ok(session_open(s, work_demo((uint64_t)i + 2), &e));
		settle();
		cr_assert_not(w.ab->on, "its mark is gone");
		cr_assert(strstr(w.said, "A/B is off: its mark belonged to the model before"), "%s",
			w.said);
		w.said[0] = 0;
		cr_assert_eq(w.ab->state, AB_EMPTY);
	}
}

Test(session_ab, clearing_forgets_both)
{
	mark_and_go(2, 100);
	ok(session_say(s, "hello", &e));
	settle();
	ok(session_chat_clear(s, &e));
	settle();
	cr_assert_eq(w.ab->state, AB_EMPTY);
	cr_assert(w.ab->on);
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_eq(w.ab->state, AB_COMPARED);
}

Test(session_ab, blind_sides_are_shuffled_and_the_votes_count_the_layouts)
{
	size_t a_left = 0, b_right_won = 0, votes = 24;

	mark_and_go(2, 100);
	ok(session_set(s, "max_tokens", "2", &e));
	ok(session_set(s, "blind", "on", &e));
	cr_assert_neq(session_set(s, "blind", "perhaps", &e), ST_OK);
	for (size_t i = 0; i < votes; i++) {
		ok(session_say(s, "hello", &e));
		settle();
		cr_assert(w.ab->hidden);
		ok(session_vote(s, VOTE_RIGHT, &e));
		settle();
		cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
		cr_assert_not(w.ab->hidden);
		cr_assert_eq(w.ab->vote, VOTE_RIGHT);
		a_left += w.ab->side[0].name == 'A';
		b_right_won += w.ab->side[1].name == 'B';
	}
	cr_assert(a_left > 0 && a_left < votes, "24 coins all alike: 1 in 8 million");
	ok(session_vote(s, VOTE_LEFT, &e));
	settle();
	cr_assert_eq(w.last, ST_INVALID, "a second vote");
	ok(session_votes(s, &e));
	settle();
	cr_assert_eq(w.votes->n, 1);
	cr_assert_eq(w.votes->pair[0].won[1], b_right_won, "A has fewer bits and stands first");
	cr_assert_eq(w.votes->pair[0].won[0], votes - b_right_won);
	cr_assert_eq(w.votes->pair[0].blind, votes);
}

Test(session_ab, a_vote_without_answers_is_refused)
{
	ok(session_vote(s, VOTE_TIE, &e));
	settle();
	cr_assert(strstr(w.sentence, "there are no two answers yet"), "%s", w.sentence);
	ok(session_votes(s, &e));
	settle();
	cr_assert_eq(w.votes->n, 0);
}

Test(session_ab, one_after_the_other_teaches_the_dial_speeds)
{
	struct ask a = { ASK_SPEED, 1e-3 };
	struct dial_reached r;

	mark_and_go(2, 100);
	ok(session_set(s, "ab_order", "after", &e));
	cr_assert_neq(session_set(s, "ab_order", "before", &e), ST_OK);
	for (uint64_t i = 1; i < 12; i++) {
		seed(i);
		ok(session_say(s, "hello there", &e));
		settle();
		cr_assert_not(w.ab->shared);
		if (w.ab->side[0].chat->stats.answer_tokens >= 8)
			break;
	}
	ok(session_ask(s, &a, &r, &e));
	cr_assert_gt(r.tok_s, 0);
}
