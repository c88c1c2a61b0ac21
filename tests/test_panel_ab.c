/* test_panel_ab.c - two answers on the screen: columns or rows, marks, the strip, hidden names. */
#include <stdio.h>

#include "tests/chat_fixture.h"

TestSuite(panel_ab, .init = begin, .fini = end);

static struct snap_chat *side(const char *before, const char *after, double tok_s)
{
	struct talk t = { .stats = { .tok_s = tok_s,
				  .ttft_ms = 38,
				  .ctx = 2048,
				  .ctx_used = 31,
				  .seed = 7,
				  .temperature = 0.7,
				  .bpw = NAN } };

	snprintf(t.stats.end, sizeof t.stats.end, "end of turn");
	talk_add(&t, CHAT_USER, 0, 0, 0, "why?");
	talk_add(&t, CHAT_MODEL, 1, 0, NAN, before);
	if (after) {
		talk_add(&t, CHAT_MODEL, 1, 0, NAN, after);
		t.piece[t.n - 1].differs = true;
	}
	t.piece[t.n - 1].open = false;
	return (struct snap_chat *)talk_snap(&t);
}

static struct snap_ab *pair(void)
{
	struct snap_ab *s = snap_ab_new(4);

	s->on = s->shared = true;
	s->state = AB_COMPARED;
	s->differs = 3;
	for (int i = 0; i < 2; i++) {
		s->side[i].chat =
			side("It is ", i ? "scattered light." : "mostly far away.", i ? 33 : 41);
		s->side[i].name = "AB"[i];
		s->side[i].bpw = i ? 4.25 : 3;
		snprintf(s->side[i].id, 9, i ? "bbbbbbbb" : "aaaaaaaa");
	}
	s->compared = (struct ab_compared){ .kl_mean = 0.041,
		.kl_max = 0.87,
		.kl_at = 3,
		.kl_token = "mostly",
		.top1 = 0.94,
		.ppl_a = 8.9,
		.ppl_ref = 8.1 };
	for (int i = 0; i < 4; i++)
		s->kl[i] = (float)(0.87 * i / 3);
	return s;
}

static void hear_pair(struct snap_ab *s)
{
	alone_hear(&p, EV_AB, 0, 0, &s->snap);
}

Test(panel_ab, at_eighty_columns_they_stand_side_by_side_with_the_strip_below)
{
	hear_pair(pair());
	shows(78, 16,
		"A  3.00 bpw  aaaaaaaa                 │ B  4.25 bpw  bbbbbbbb\n"
		"you: why?                             │ you: why?\n"
		"                                      │\n"
		"model: It is ┆mostly far away.        │ model: It is ┆scattered light.\n"
		"                                      │\n"
		"                                      │\n"
		"                                      │\n"
		"                                      │\n"
		"                                      │\n"
		"41 tok/s shared  ttft 38 ms           │ 33 tok/s shared  ttft 38 ms\n"
		"┆ first token that differs: 3\n"
		"KL(A||B) mean .0410  max .8700 at 3 \"mostly\"  top-1 94 %\n"
		"perplexity of B's text: by A 8.9, by the reference 8.1\n"
		"KL a token ▁▃▆█\n"
		"A/B  vote: Esc, then ( left  ) right  = same  - both bad  seed 7  t 0.7\n"
		">\n");
}

Test(panel_ab, in_a_narrow_one_they_stand_one_over_the_other)
{
	hear_pair(pair());
	shows(40, 16,
		"A  3.00 bpw  aaaaaaaa\n"
		"you: why?\n"
		"\n"
		"model: It is ┆mostly far away.\n"
		"41 tok/s shared  ttft 38 ms  end of turn\n"
		"B  4.25 bpw  bbbbbbbb\n"
		"you: why?\n"
		"\n"
		"model: It is ┆scattered light.\n"
		"33 tok/s shared  ttft 38 ms  end of turn\n"
		"┆ first token that differs: 3\n"
		"KL(A||B) mean .0410  top-1 94 %\n"
		"ppl of B: by A 8.9, by reference 8.1\n"
		"max .8700 at 3 \"mostly\" ▁▃▆█\n"
		"A/B  vote: ( ) = -  seed 7  t 0.7\n"
		">\n");
}

/* Two turns; the first of A was by another layout than the second. */
static struct snap_ab *two_turns(const char *a, const char *b)
{
	struct snap_ab *s = pair();

	for (int i = 0; i < 2; i++) {
		struct talk t = { .stats = { .bpw = NAN } };

		talk_add(&t, CHAT_USER, 0, 0, 0, "why?");
		talk_add(&t, CHAT_MODEL, 1, 1, i ? NAN : 2.5, i ? "B one" : "A one\ntwo\nthree");
		talk_add(&t, CHAT_USER, 2, 0, 0, "so?");
		talk_add(&t, CHAT_MODEL, 3, 2, i ? NAN : 3.0, i ? b : a);
		t.piece[t.n - 1].open = false;
		snap_unref(&s->side[i].chat->snap);
		s->side[i].chat = (struct snap_chat *)talk_snap(&t);
	}
	s->state = AB_NOT_COMPARED;
	s->differs = 0;
	return s;
}

Test(panel_ab, what_was_asked_begins_on_the_same_line_and_layouts_before_are_named)
{
	hear_pair(two_turns("yes", "no"));
	shows(78, 16,
		"A  3.00 bpw  aaaaaaaa                 │ B  4.25 bpw  bbbbbbbb\n"
		"you: why?                             │ you: why?\n"
		"                                      │\n"
		"model: ┆2.50 bpw┆ A one               │ model: B one\n"
		"two                                   │\n"
		"three                                 │\n"
		"                                      │\n"
		"you: so?                              │ you: so?\n"
		"                                      │\n"
		"model: ┆3.00 bpw┆ yes                 │ model: no\n"
		"                                      │\n"
		"                                      │\n"
		"                                      │\n"
		"no token differs  not compared\n"
		"A/B  vote: Esc, then ( left  ) right  = same  - both bad  seed 0  t 0\n"
		">\n");
	/* What does not fit: the short one from its question on, the long one to its end. */
	hear_pair(two_turns("1\n2\n3\n4\n5\n6\n7\n8\n9", "no"));
	shows(78, 10,
		"A  3.00 bpw  aaaaaaaa                 │ B  4.25 bpw  bbbbbbbb\n"
		"5                                     │ you: so?\n"
		"6                                     │\n"
		"7                                     │ model: no\n"
		"8                                     │\n"
		"9                                     │\n"
		"                                      │\n"
		"no token differs  not compared\n"
		"A/B  vote: Esc, then ( left  ) right  = same  - both bad  seed 0  t 0\n"
		">\n");
}

Test(panel_ab, without_room_for_heads_a_label_says_which_is_which)
{
	struct snap_ab *s = two_turns("yes", "no");

	hear_pair(s);
	shows(38, 7,
		"A\n"
		"  model: ┆3.00 bpw┆ yes\n"
		"B\n"
		"  model: no\n"
		"no token differs  not compared\n"
		"A/B  vote: ( ) = -  seed 0  t 0\n"
		">\n");
	s = two_turns("yes", "no");
	s->hidden = s->blind = true;
	hear_pair(s);
	row(38, 7, 0);
	cr_assert_eq(strncmp(shown, "(\n", 2), 0, "%s", shown);
	cr_assert(strstr(shown, "\n)\n"), "its vote's key: %s", shown);
}

Test(panel_ab, ascii_has_the_mark_and_the_bars_too)
{
	hear_pair(pair());
	xfree(shown);
	shown = alone_draw_as(&p, 78, 16, true, true, &cx, &cy);
	cr_assert(strstr(shown, "It is |mostly"), "%s", shown);
	cr_assert(strstr(shown, "It is |scattered"), "%s", shown);
	cr_assert(strstr(shown, "KL a token _-*#"), "%s", shown);
}

Test(panel_ab, hidden_names_are_nowhere)
{
	struct snap_ab *s = pair();

	s->hidden = s->blind = true;
	for (int i = 0; i < 2; i++) {
		s->side[i].name = 0;
		s->side[i].bpw = NAN;
		s->side[i].id[0] = 0;
		s->side[i].chat->stats.tok_s = s->side[i].chat->stats.ttft_ms = 0;
	}
	hear_pair(s);
	row(78, 16, 0);
	cr_assert(strstr(shown, "left  name hidden until the vote"), "%s", shown);
	cr_assert(strstr(shown, "right  name hidden until the vote"), "%s", shown);
	cr_assert(strstr(shown, "the rest after the vote"), "%s", shown);
	cr_assert_not(strstr(shown, "bpw") || strstr(shown, "tok/s") || strstr(shown, "KL("), "%s",
		shown);
}

Test(panel_ab, a_vote_is_shown_and_so_is_what_cannot_be_compared)
{
	struct snap_ab *s = pair();

	s->vote = VOTE_RIGHT;
	hear_pair(s);
	cr_assert(strstr(row(78, 16, 14), "voted: right is better"), "%s", shown);
	s = pair();
	s->compared.kl_mean = s->compared.ppl_a = NAN;
	hear_pair(s);
	cr_assert(strstr(row(78, 16, 11), "A said nothing: no KL"), "%s", shown);
	cr_assert(strstr(row(78, 16, 12), "B said nothing: no perplexity"), "%s", shown);
	s = pair();
	s->state = AB_NOT_COMPARED;
	s->differs = 0;
	hear_pair(s);
	row(78, 16, 0);
	cr_assert(strstr(shown, "no token differs  not compared"), "%s", shown);
}

Test(panel_ab, before_the_first_message_it_says_who_will_answer)
{
	struct snap_ab *s = snap_ab_new(0);

	s->on = true;
	hear_pair(s);
	row(78, 8, 0);
	cr_assert(strstr(shown, "A  the mark"), "%s", shown);
	cr_assert(strstr(shown, "B  the layout under the dial"), "%s", shown);
	cr_assert(strstr(shown, "both answer the next message"), "%s", shown);
	s = snap_ab_new(0); /* off: the one conversation again */
	hear_pair(s);
	cr_assert(strstr(row(78, 8, 0), "Say something"), "%s", shown);
}

Test(panel_ab, while_two_answer_a_message_waits)
{
	struct snap_ab *s = pair();

	s->state = AB_ANSWERING;
	hear_pair(s);
	key('x');
	cr_assert_str_eq(key(KEY_ENTER), "");
	row(78, 16, 0);
	cr_assert(strstr(shown, "an answer is streaming: Esc stops it"), "%s", shown);
	hear_pair(pair());
	cr_assert_str_eq(key(KEY_ENTER), "say \"x\"");
}

Test(panel_ab, both_answers_are_copied_with_their_names)
{
	char *text;

	hear_pair(pair());
	text = p.class->copy(p.self);
	cr_assert_str_eq(text, "A: It is mostly far away.\nB: It is scattered light.\n");
	xfree(text);
}

Test(panel_ab, at_every_size_it_stays_inside)
{
	hear_pair(pair());
	for (int w = 0; w < 90; w += w < 12 ? 1 : 7)
		for (int h = 0; h < 26; h++)
			cr_assert(alone_stays_inside(&p, w, h), "%d x %d", w, h);
}

Test(panel_ab, both_scroll_together)
{
	struct snap_ab *s = pair();
	char text[600] = "";

	for (int i = 0; i < 40; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "line %d\n", i);
	for (int i = 0; i < 2; i++) {
		snap_unref(&s->side[i].chat->snap);
		s->side[i].chat = side(text, NULL, 1);
	}
	hear_pair(s);
	row(78, 16, 0);
	cr_assert(strstr(shown, "line 39"), "%s", shown);
	command("move", "first");
	row(78, 16, 0);
	cr_assert(strstr(shown, "you: why?                             │ you: why?"), "%s", shown);
	command("move", "page-down");
	row(78, 16, 0);
	cr_assert_not(strstr(shown, "you:"), "%s", shown);
	command("move", "last");
	row(78, 16, 0);
	cr_assert(strstr(shown, "line 39"), "%s", shown);
}
