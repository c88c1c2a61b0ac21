/* test_panel_chat.c - the transcript: what is said, wrapped, followed and scrolled. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/transcript.h"
#include "tests/chat_fixture.h"

TestSuite(chat, .init = begin, .fini = end);

Test(chat, an_empty_one_says_what_to_do)
{
	shows(60, 6,
		"Say something: the model under the dial answers.\n\n\n\n"
		"Enter sends  Alt-Enter new line  Esc leaves\n>\n");
}

Test(chat, before_a_word_is_said_it_tells_whose_words_will_answer)
{
	struct snap_train *t = made_train(20);

	cr_expect(alone_hear(&p, EV_TRAIN, 0, 0, &snap_train_copy(t)->snap));
	cr_expect_str_eq(row(78, 8, 0),
		"Say something: the trained model answers (:train chat off: the dial's).");
	cr_expect_not(alone_hear(&p, EV_TRAIN, 0, 0, &snap_train_copy(t)->snap), "as it was");
	t->chat = false;
	cr_expect(alone_hear(&p, EV_TRAIN, 0, 0, &t->snap));
	cr_expect_str_eq(row(78, 8, 0), "Say something: the model under the dial answers.");
}

Test(chat, the_layout_of_each_stretch_is_marked_where_it_changes)
{
	talk_add(said, CHAT_USER, 0, 0, 0, "why?");
	talk_add(said, CHAT_MODEL, 0, 1, 4.25, "because of ");
	talk_add(said, CHAT_MODEL, 0, 2, 3.6, "the light");
	talk_add(said, CHAT_USER, 2, 0, 0, "and?");
	talk_add(said, CHAT_MODEL, 2, 2, 3.6, "nothing");
	said->piece[said->n - 1].open = false;
	hear();
	shows(60, 10,
		"you: why?\n"
		"\n"
		"model: ┆4.25 bpw┆ because of ┆3.60 bpw┆ the light\n"
		"\n"
		"you: and?\n"
		"\n"
		"model: nothing\n"
		"\n"
		"seed 0  t 0\n"
		">\n");
	cr_assert_eq(alone_role(&p, 60, 10, 8, 2), ROLE_DIM, "the mark");
	cr_assert_eq(alone_role(&p, 60, 10, 20, 2), ROLE_TEXT);
}

Test(chat, words_are_wrapped_and_code_keeps_its_indentation)
{
	talk_add(said, CHAT_USER, 0, 0, 0, "the quick brown fox jumps");
	talk_add(said, CHAT_MODEL, 0, 1, 4,
		"\nif (x) {\n    return 12345678901234567890;\n\ty();\n}");
	said->piece[1].open = false;
	hear();
	shows(20, 13,
		"you: the quick brown\n"
		"fox jumps\n"
		"\n"
		"model: ┆4.00 bpw┆\n"
		"if (x) {\n"
		"    return\n"
		"12345678901234567890\n"
		";\n"
		"        y();\n"
		"}\n"
		"\n"
		"seed 0  t 0\n"
		">\n");
}

Test(chat, wide_characters_are_wrapped_by_columns)
{
	talk_add(said, CHAT_USER, 0, 0, 0, "漢字漢字漢字");
	hear();
	shows(10, 5, "you:\n漢字漢字漢\n字\nseed 0\n>\n");
}

Test(chat, text_follows_the_end_while_it_streams)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "");
	said->stats.streaming = true;
	for (int i = 0; i < 30; i++) {
		char line[16];

		snprintf(line, sizeof line, "\nline %d", i);
		talk_more(said, line);
		hear();
		if (i > 5) {
			snprintf(line, sizeof line, "line %d▌", i);
			cr_assert_str_eq(row(40, 6, 3), line);
		}
	}
	cr_assert_str_eq(row(40, 6, 4), "reading the prompt  seed 0  t 0");
}

Test(chat, scrolled_up_it_stays_and_counts_what_is_below)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj");
	hear();
	cr_assert_str_eq(row(40, 7, 4), "j▌");
	key(KEY_PGUP); /* five rows: three up */
	shows(40, 7, "c\nd\ne\nf\n▼ 4 more lines\nseed 0  t 0\n>\n");
	talk_more(said, "\nk\nl");
	hear();
	shows(40, 7, "c\nd\ne\nf\n▼ 6 more lines\nseed 0  t 0\n>\n");
	key(KEY_PGDN);
	key(KEY_PGDN);
	cr_assert_str_eq(row(40, 7, 4), "l▌");
	talk_more(said, "\nm");
	hear();
	cr_assert_str_eq(row(40, 7, 4), "m▌", "it follows again");
	key(KEY_ESC);
	command("move", "first");
	cr_assert_str_eq(row(40, 7, 0), "model: ┆4.00 bpw┆ a");
	command("move", "down");
	cr_assert_str_eq(row(40, 7, 0), "b");
	command("move", "up");
	command("move", "up");
	cr_assert_str_eq(row(40, 7, 0), "model: ┆4.00 bpw┆ a");
	command("move", "last");
	cr_assert_str_eq(row(40, 7, 4), "m▌");
}

Test(chat, the_wheel_scrolls)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj");
	hear();
	row(40, 7, 0);
	cr_assert_str_eq(p.class->on_mouse(p.self, 1, 1, MOUSE_WHEEL_UP, 40, 7), "");
	cr_assert_str_eq(row(40, 7, 0), "c");
	p.class->on_mouse(p.self, 1, 1, MOUSE_WHEEL_DOWN, 40, 7);
	cr_assert_str_eq(row(40, 7, 4), "j▌");
}

Test(chat, another_width_keeps_the_place)
{
	talk_add(said, CHAT_USER, 0, 0, 0,
		"one two three four five six seven eight nine ten eleven twelve");
	talk_add(said, CHAT_USER, 1, 0, 0,
		"HERE it is and some more text to wrap in lines that are short");
	talk_add(said, CHAT_USER, 2, 0, 0, "a\nb\nc\nd\ne\nf\ng\nh");
	hear();
	row(30, 7, 0);
	command("move", "first");
	while (strncmp(row(30, 7, 0), "you: HERE", 9))
		command("move", "down");
	cr_assert_str_eq(row(16, 7, 0), "you: HERE it is");
	cr_assert_str_eq(
		row(60, 7, 0), "you: HERE it is and some more text to wrap in lines that are");
	cr_assert_str_eq(row(30, 7, 0), "you: HERE it is and some more");
}

Test(chat, an_answer_anew_replaces_the_former)
{
	talk_add(said, CHAT_USER, 0, 0, 0, "why?");
	talk_add(said, CHAT_MODEL, 0, 1, 4, "because of the light");
	hear();
	row(40, 7, 0);
	said->n = 1;
	said->len = 4;
	talk_add(said, CHAT_MODEL, 0, 2, 3, "because of the sky");
	hear();
	cr_assert_str_eq(row(40, 7, 2), "model: ┆3.00 bpw┆ because of the sky▌");
	said->n = 0;
	said->len = 0;
	hear();
	cr_assert_str_eq(row(40, 7, 0), "Say something: the model under the dial…");
}

Test(chat, half_a_character_is_held_back_until_it_is_whole)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "x\xe6");
	hear();
	cr_assert_str_eq(row(40, 5, 0), "model: ┆4.00 bpw┆ x▌");
	talk_more(said, "\xbc");
	hear();
	cr_assert_str_eq(row(40, 5, 0), "model: ┆4.00 bpw┆ x▌");
	talk_more(said, "\xa2");
	hear();
	cr_assert_str_eq(row(40, 5, 0), "model: ┆4.00 bpw┆ x漢▌");
	talk_more(said, "\xe6\xbc");
	said->piece[0].open = false;
	hear();
	cr_assert_str_eq(row(40, 5, 0), "model: ┆4.00 bpw┆ x漢\xef\xbf\xbd", "it never came");
}

Test(chat, a_character_over_two_layouts_stands_in_the_second)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "x\xe6\xbc");
	talk_add(said, CHAT_MODEL, 0, 2, 3, "\xa2y");
	hear();
	cr_assert_str_eq(row(40, 5, 0), "model: ┆4.00 bpw┆ x┆3.00 bpw┆ 漢y▌");
}

Test(chat, nothing_the_model_writes_reaches_the_terminal)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4,
		"a\x1b[2J\x1b]52;c;ZXZpbA==\x07"
		"b\xc2\x9b"
		"31mc\xe2\x80\xae"
		"d\x08\x7f"
		"e\rf");
	hear();
	row(60, 5, 0);
	for (const char *s = shown; *s; s++)
		cr_assert((unsigned char)*s >= ' ' || *s == '\n', "byte %02x", (unsigned)*s);
	cr_assert_str_eq(alone_row(shown, 0), "model: ┆4.00 bpw┆ a[2J]52;c;ZXZpbA==b31mcdef▌");
}

Test(chat, lines_of_an_answer_are_wrapped_once)
{
	struct transcript *tr = transcript_new();
	struct snap *s;
	size_t before;

	talk_add(said, CHAT_USER, 0, 0, 0, "tell me a long story");
	talk_add(said, CHAT_MODEL, 0, 1, 4, "");
	transcript_lay_out(tr, 40, 10);
	for (int i = 0; i < 1000; i++) {
		talk_more(said, i % 9 ? "word " : "another\n");
		s = talk_snap(said);
		transcript_set(tr, (const struct snap_chat *)s);
		snap_unref(s);
	}
	before = transcript_wraps(tr);
	cr_assert_lt(before, 3000, "%zu lines wrapped for 1000 tokens", before);
	transcript_lay_out(tr, 40, 5);
	cr_assert_eq(transcript_wraps(tr), before);
	transcript_free(tr);
}

Test(chat, growing_text_wraps_as_if_it_came_at_once)
{
	static const char text[] =
		"The quick  brown fox\n\n\tjumps over 漢字漢字漢字 a lazy-dog-with-a-"
		"very-long-name \n and e\xcc\x81more   \n\nend";
	struct alone whole = alone_open(&panel_chat);
	char one[2] = "", *a, *b;
	int x, y;

	talk_add(said, CHAT_MODEL, 0, 1, 4, "");
	for (size_t i = 0; text[i]; i++) {
		one[0] = text[i];
		talk_more(said, one);
		hear();
		alone_hear(&whole, EV_CHAT, 0, 0, talk_snap(said));
		a = alone_draw_as(&p, 17, 20, true, false, &x, &y);
		alone_close(&whole);
		whole = alone_open(&panel_chat);
		alone_hear(&whole, EV_CHAT, 0, 0, talk_snap(said));
		b = alone_draw_as(&whole, 17, 20, true, false, &x, &y);
		cr_assert_str_eq(a, b, "after %zu bytes", i + 1);
		xfree(a);
		xfree(b);
	}
	alone_close(&whole);
}

Test(chat, under_it_stands_how_the_answer_went)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4.25, "yes");
	said->stats = (struct chat_stats){ .ctx = 2048,
		.ctx_used = 212,
		.ttft_ms = 38,
		.tok_s = 41.2,
		.seed = 7,
		.temperature = 0.7,
		.bpw = 4.25,
		.end = "stopped by you",
		.template = "chatml" };
	hear();
	cr_assert_str_eq(row(90, 6, 4), "stopped by you  41 tok/s  ttft 38 ms  ctx 212 of 2048  "
					"4.25 bpw  seed 7  t 0.7  chatml");
	cr_assert_str_eq(row(44, 6, 4), "stopped by you  41 tok/s  ttft 38 ms  seed 7");
}

Test(chat, copies_the_last_answer_whole)
{
	char *text;

	cr_assert_null(p.class->copy(p.self));
	talk_add(said, CHAT_USER, 0, 0, 0, "why?");
	talk_add(said, CHAT_MODEL, 0, 1, 4, "because of ");
	talk_add(said, CHAT_MODEL, 0, 2, 3, "the light");
	talk_add(said, CHAT_USER, 2, 0, 0, "and?");
	hear();
	text = p.class->copy(p.self);
	cr_assert_str_eq(text, "because of the light");
	xfree(text);
}
