/* test_session_chat.c - the chat of a sitting: streaming, stopping, answering again, and the
 * dial in the middle of an answer. */
#include "tests/session_fixture.h"

static void set_up(void)
{
	open_chat();
	ok(session_budget(s, 100, &e)); /* the reference itself */
}

TestSuite(session_chat, .init = set_up, .fini = end, .timeout = 120);

static const struct chat_piece *piece(size_t i)
{
	cr_assert_lt(i, w.chat->n);
	return &w.chat->piece[i];
}

static char *text_of(size_t i)
{
	return xstrndup(w.chat->text + piece(i)->at, piece(i)->len);
}

Test(session_chat, a_message_is_answered_and_the_transcript_has_both)
{
	ok(session_say(s, "hello there", &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_geq(w.chat->n, 2);
	cr_assert_eq(piece(0)->who, CHAT_USER);
	cr_assert_eq(piece(0)->len, 11);
	cr_assert_eq(piece(1)->who, CHAT_MODEL);
	cr_assert_not(piece(1)->open);
	cr_assert_eq(piece(0)->turn, 0);
	cr_assert_eq(piece(1)->turn, 1);
	cr_assert_not(w.chat->stats.streaming);
	cr_assert_gt(w.chat->stats.prompt_tokens, 11);
	cr_assert_gt(w.chat->stats.answer_tokens, 0);
	cr_assert_str_eq(w.chat->stats.template, "chatml");
	cr_assert(strlen(w.chat->stats.end) > 0);
	ok(session_say(s, "and more", &e));
	settle();
	cr_assert_eq(w.chat->piece[w.chat->n - 1].turn, 3);
}

Test(session_chat, an_answer_teaches_the_dial_how_fast_it_decodes)
{
	struct ask a = { ASK_SPEED, 1e-3 };
	struct dial_reached r;

	ok(session_set(s, "max_tokens", "40", &e));
	cr_assert_neq(session_ask(s, &a, &r, &e), ST_OK);
	cr_assert(strstr(e.msg, "let the chat answer once"), "%s", e.msg);
	for (int seed = 1; seed < 9; seed++) { /* one of them is long enough */
		session_chat_sampler(s, &(struct sampler_options){ .temperature = 1,
						.top_p = 1,
						.repeat_penalty = 1,
						.seed = (uint64_t)seed });
		ok(session_say(s, "hello there", &e));
		settle();
		if (w.chat->stats.answer_tokens >= 8)
			break;
	}
	cr_assert_geq(w.chat->stats.answer_tokens, 8);
	ok(session_ask(s, &a, &r, &e));
	cr_assert_eq(r.end, 1, "slow enough for all");
	cr_assert_gt(r.tok_s, 0);
	a.value = r.tok_s * 1.05;
	ok(session_ask(s, &a, &r, &e));
	cr_assert_geq(r.tok_s, a.value * (1 - 1e-9));
}

Test(session_chat, an_empty_message_and_an_early_again_are_refused)
{
	cr_assert_neq(session_say(s, " \n", &e), ST_OK);
	ok(session_again(s, &e));
	settle();
	cr_assert(strstr(w.said, "nothing to answer again"), "%s", w.said);
}

static bool streams(const struct work_seen *seen)
{
	return seen->chat && seen->chat->stats.streaming && seen->chat->stats.answer_tokens > 3;
}

Test(session_chat, a_stopped_answer_keeps_what_was_said)
{
	size_t used;

	ok(session_set(s, "max_tokens", "1500", &e));
	session_chat_sampler(
		s, &(struct sampler_options){
			   .temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 3 });
	ok(session_say(s, "hello", &e));
	if (work_until(s, &w, streams) && session_chat_stop(s)) {
		cr_assert_neq(session_say(s, "x", &e), ST_OK, "still streaming");
		settle();
		cr_assert_str_eq(w.chat->stats.end, "stopped by you");
		cr_assert_geq(w.chat->n, 2);
		cr_assert_gt(piece(1)->len, 0);
	}
	settle();
	used = w.chat->stats.ctx_used;
	ok(session_set(s, "max_tokens", "3", &e));
	ok(session_say(s, "go on", &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_gt(w.chat->stats.ctx_used, used, "the cache stayed");
}

static void greedy(void)
{
	session_chat_sampler(
		s, &(struct sampler_options){
			   .temperature = 0, .top_p = 1, .repeat_penalty = 1, .seed = 1 });
}

Test(session_chat, again_answers_anew_and_greedy_answers_are_the_same)
{
	char *a, *b;

	greedy();
	ok(session_say(s, "the dial", &e));
	settle();
	a = text_of(1);
	ok(session_again(s, &e));
	settle();
	cr_assert_eq(w.chat->n, 2);
	b = text_of(1);
	cr_assert_str_eq(a, b);
	cr_assert_eq(piece(1)->turn, 1);
	xfree(a);
	xfree(b);
}

Test(session_chat, the_dial_in_mid_answer_gives_another_stretch_and_keeps_the_cache)
{
	size_t n = 0;

	ok(session_set(s, "max_tokens", "1500", &e));
	/* the dial goes to and fro while answers come; one is long enough to see it */
	for (int seed = 1; seed < 40 && n < 3; seed++) {
		session_chat_sampler(s, &(struct sampler_options){ .temperature = 1.2,
						.top_p = 1,
						.repeat_penalty = 1,
						.seed = (uint64_t)seed });
		ok(session_chat_clear(s, &e));
		settle();
		ok(session_say(s, "hello", &e));
		for (int i = 0; session_busy(s); i++) {
			ok(session_budget(s, i % 2 ? 2 : 100, &e));
			jobs_drain(session_jobs(s));
		}
		settle();
		n = w.chat->n;
	}
	cr_assert_geq(n, 3, "no answer was long enough");
	for (size_t i = 2; i < n; i++) {
		cr_assert_eq(piece(i)->who, CHAT_MODEL);
		cr_assert_eq(piece(i)->turn, piece(i - 1)->turn);
		cr_assert_neq(piece(i)->layout, piece(i - 1)->layout);
		cr_assert_neq(piece(i)->bpw, piece(i - 1)->bpw);
		cr_assert_eq(piece(i)->at, piece(i - 1)->at + piece(i - 1)->len);
	}
	cr_assert_geq(w.chat->stats.ctx_used + 1,
		w.chat->stats.prompt_tokens + w.chat->stats.answer_tokens,
		"prompt and all stretches are in the cache");
	ok(session_budget(s, 2, &e));
	ok(session_again(s, &e));
	settle();
	cr_assert_eq(w.chat->n, 2, "wholly under the present layout");
	cr_assert_lt(piece(1)->bpw, 3);
}

/* Whether an answer was cut by the limit or went on at once must not matter. */
Test(session_chat, a_conversation_is_the_same_whether_its_tokens_stayed_or_are_read_again)
{
	char *a, *b;

	greedy();
	ok(session_set(s, "max_tokens", "7", &e));
	ok(session_say(s, "the map", &e));
	settle();
	ok(session_say(s, "and then", &e));
	settle();
	a = text_of(3);
	ok(session_again(s, &e)); /* everything from the start */
	settle();
	b = text_of(3);
	cr_assert_str_eq(a, b);
	xfree(a);
	xfree(b);
}

Test(session_chat, a_full_context_forgets_the_oldest_and_a_long_message_is_refused)
{
	char *text = xalloc(600);

	memset(text, 'a', 599);
	ok(session_set(s, "ctx", "128", &e));
	ok(session_set(s, "max_tokens", "20", &e));
	for (int i = 0; i < 8; i++) {
		ok(session_say(s, "a message of some length, again", &e));
		settle();
		cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
		cr_assert_leq(w.chat->stats.ctx_used, 128);
	}
	cr_assert_eq(w.chat->stats.ctx, 128);
	ok(session_say(s, text, &e));
	settle();
	cr_assert_eq(w.last, ST_INVALID);
	cr_assert(strstr(w.sentence, "the context holds 128: shorten it, or :set ctx"), "%s", w.sentence);
	ok(session_set(s, "ctx", "1024", &e));
	ok(session_say(s, text, &e));
	settle();
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	cr_assert_eq(w.chat->stats.ctx, 1024);
	xfree(text);
}

Test(session_chat, clearing_leaves_nothing)
{
	ok(session_say(s, "hello", &e));
	settle();
	ok(session_chat_clear(s, &e));
	settle();
	cr_assert_eq(w.chat->n, 0);
	cr_assert_eq(w.chat->len, 0);
	cr_assert_eq(w.chat->stats.ctx_used, 0);
}

Test(session_chat, it_answers_while_the_scan_goes_on)
{
	ok(session_budget(s, 3, &e));
	ok(session_scan(s, &e));
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_geq(w.chat->n, 2);
	cr_assert_eq(w.map->scanned, w.map->wanted);
	ok(session_say(s, "with the variants of now", &e));
	settle();
	cr_assert_geq(w.chat->n, 4);
}

Test(session_chat, the_shares_of_a_token_make_up_its_time)
{
	const struct chat_shares *p;
	char text[SHARES_TEXT];

	ok(session_say(s, "hello", &e));
	settle();
	p = &w.chat->stats.shares;
	cr_assert_gt(w.chat->stats.answer_tokens, 1);
	cr_assert_gt(p->linears, 0);
	cr_assert_gt(p->head, 0);
	cr_assert_gt(p->sampling, 0);
	cr_assert_geq(p->other, 0);
	cr_assert_geq(p->waiting, 0);
	cr_assert_float_eq(p->linears + p->head + p->attention + p->sampling + p->other +
				   p->waiting,
		1, 1e-9);
	cr_assert_gt(w.chat->stats.read_rate, 0);
	chat_shares_text(&w.chat->stats, text);
	cr_assert(strstr(text, " GB/s  linears "), "%s", text);
	cr_assert_str_empty(chat_shares_text(&(struct chat_stats){ .tok_s = 1 }, text));
}

Test(session_chat, how_fast_memory_is_read_is_measured_when_someone_looks)
{
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_float_eq(w.chat->stats.wall_rate, 0, 0, "nobody asked");
	session_rates(s, true);
	settle();
	cr_assert_gt(w.chat->stats.wall_rate, 0, "the answer is there already");
	ok(session_open(s, work_demo(2), &e));
	settle();
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_gt(w.chat->stats.wall_rate, 0, "it is looked at from the first answer on");
	session_rates(s, false);
	ok(session_open(s, work_demo(1), &e));
	settle();
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_float_eq(w.chat->stats.wall_rate, 0, 0);
}

Test(session_chat, keys_in_int8_take_effect_with_the_next_message)
{
	session_chat_sampler(s, &(struct sampler_options){ .temperature = 0,
					.top_p = 1,
					.repeat_penalty = 1,
					.seed = 1 });
	ok(session_set(s, "kv", "int8", &e));
	ok(session_say(s, "hello", &e));
	settle();
	cr_assert_gt(w.chat->stats.answer_tokens, 1);
	ok(session_set(s, "kv", "float", &e));
	ok(session_say(s, "and you", &e));
	settle();
	cr_assert_gt(w.chat->stats.answer_tokens, 1);
	cr_assert_gt(w.chat->stats.ctx_used, 40, "the conversation went on");
	cr_assert_eq(session_set(s, "kv", "int9", &e), ST_INVALID);
	cr_assert(strstr(e.msg, "float or int8"), "%s", e.msg);
}
