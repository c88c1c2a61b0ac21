/* test_panel_input.c - the chat's input line, and its way to the command parser. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/commands.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "tests/chat_fixture.h"

TestSuite(chat_input, .init = begin, .fini = end);

/* ---- the commands, as far as a line gets: what `say` was given */

static char heard[200 * 1024];
static size_t says;

#define C(id, name, flags, args, complete, help)                                                \
	enum st cmd_##id(struct tui *t, int argc, char **argv, const char *rest, struct err *e) \
	{                                                                                       \
		(void)t, (void)argv, (void)e;                                                   \
		if (argc > 1 && !strcmp(#id, "say")) {                                          \
			says++;                                                                 \
			snprintf(heard, sizeof heard, "%s", rest);                              \
		}                                                                               \
		return ST_OK;                                                                   \
	}
#include "app/tui/commands.def"
#undef C

void tui_notice(struct tui *t, enum log_level strength, const char *fmt, ...)
{
	(void)t, (void)strength, (void)fmt;
	cr_assert_fail("a notice: %s", fmt);
}

long focus_now(const struct tui *t)
{
	return t ? -1 : -1;
}
char *compose_panel(struct tui *t, size_t panel)
{
	return t && panel ? NULL : NULL;
}
bool panels_command(struct tui *t, const char *word, const char *arg)
{
	return t && word && arg && false;
}
void acts_before(struct tui *t, struct acts_before *b)
{
	(void)t, (void)b;
}
void acts_after(struct tui *t, const struct acts_before *b, const char *line)
{
	(void)t, (void)b, (void)line;
}
void tour_heard(struct tui *t, const char *word)
{
	(void)t, (void)word;
}

static void type(const char *s)
{
	for (; *s; s++)
		cr_assert_str_eq(key((unsigned char)*s), "");
}

static void keys(uint32_t k, int times)
{
	while (times--)
		key(k);
}

static void paste(const char *s)
{
	p.class->on_paste(p.self, s, strlen(s));
}

/* What is in the input line, by the command it would send. */
static void holds(const char *want)
{
	struct tui tui = { 0 };
	const char *line = key(KEY_ENTER);

	heard[0] = 0;
	if (*line)
		command_run(&tui, line);
	cr_assert_str_eq(heard, want);
	hear(); /* it arrived */
}

/* ---- input */

Test(chat_input, enter_sends_what_was_typed)
{
	type("hello");
	cr_assert_str_eq(key(KEY_ENTER), "say \"hello\"");
	cr_assert_str_eq(row(60, 6, 5), ">");
	cr_assert_str_eq(row(60, 6, 4), "sent");
}

Test(chat_input, nothing_is_not_sent)
{
	cr_assert_str_eq(key(KEY_ENTER), "");
	type("  ");
	key(KEY_ALT | KEY_ENTER);
	cr_assert_str_eq(key(KEY_ENTER), "");
}

Test(chat_input, any_text_comes_through_the_command_parser_as_it_is)
{
	static const char *const texts[] = { "plain", "he said \"hi\"", "\"", "\\", "\\\"", "\"\"",
		"a;b; quit", "\"; quit!; \"", "ends with \\", " blanks around ",
		"a  b   c d e f g h i j k", "|file", "one\ntwo\n\nthree", "tab\there",
		"漢字 é \xf0\x9f\x98\x80", "\\\\\\", "say \"x\"", "q", "trailing \"", "\" leading",
		"\\n is not a newline", "'single'", "%s %n" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		paste(texts[i]);
		holds(texts[i]);
	}
	cr_assert_eq(says, sizeof texts / sizeof texts[0], "each is one command");
}

Test(chat_input, keys_edit_the_line)
{
	type("helo world");
	keys(KEY_LEFT, 7);
	type("l");
	key(KEY_HOME);
	type("<");
	key(KEY_END);
	type(">");
	key(KEY_LEFT);
	key(KEY_BACKSPACE);
	key(KEY_DEL);
	holds("<hello worl");
	type("one two three");
	key(KEY_CTRL | 'w');
	holds("one two ");
	type("one two");
	keys(KEY_LEFT, 3);
	key(KEY_CTRL | 'u');
	holds("two");
	type("one two");
	key(KEY_CTRL | KEY_LEFT);
	key(KEY_CTRL | 'k');
	holds("one ");
	type("x");
	keys(KEY_BACKSPACE, 3);
	keys(KEY_DEL, 3);
	keys(KEY_LEFT, 3);
	keys(KEY_RIGHT, 3);
	type("y");
	holds("y");
}

Test(chat_input, a_character_goes_with_its_marks)
{
	paste("ae\xcc\x81z");
	key(KEY_LEFT);
	key(KEY_BACKSPACE);
	holds("az");
	paste("漢字");
	key(KEY_BACKSPACE);
	holds("漢");
	key(0x1f600);
	key(0x6f22);
	key(KEY_LEFT);
	key(KEY_LEFT);
	key(KEY_DEL);
	holds("漢");
}

Test(chat_input, lines_are_begun_and_walked)
{
	type("first");
	key(KEY_ALT | KEY_ENTER);
	type("second");
	key(KEY_CTRL | 'j');
	type("3");
	key(KEY_UP);
	type("!");
	key(KEY_UP);
	type("?");
	key(KEY_DOWN);
	key(KEY_DOWN);
	type(".");
	holds("fi?rst\ns!econd\n3.");
}

Test(chat_input, the_line_grows_to_a_third_and_scrolls)
{
	type("1");
	for (char c = '2'; c < '9'; c++) {
		key(KEY_CTRL | 'j');
		key((uint32_t)c);
	}
	shows(60, 12,
		"Say something: the model under the dial answers.\n\n\n\n\n\n\n"
		"Enter sends  Alt-Enter new line  Esc leaves\n"
		"  5\n  6\n  7\n  8\n");
	cr_assert_eq(cx, 3);
	cr_assert_eq(cy, 11);
	keys(KEY_UP, 7);
	cr_assert_str_eq(row(60, 12, 8), "> 1");
	cr_assert_eq(cy, 8);
}

Test(chat_input, the_cursor_stands_behind_wide_characters_and_on_new_lines)
{
	paste("漢字\tx");
	row(60, 6, 0);
	cr_assert_eq(cx, 2 + 9);
	key(KEY_CTRL | 'j');
	row(60, 9, 0);
	cr_assert_eq(cx, 2);
	cr_assert_eq(cy, 8);
	row(5, 3, 0);
	cr_assert_lt(cx, 5);
}

Test(chat_input, up_brings_earlier_prompts_and_down_the_draft)
{
	type("first");
	holds("first");
	type("second");
	holds("second");
	type("draft");
	key(KEY_UP);
	cr_assert_str_eq(row(60, 6, 5), "> second");
	keys(KEY_UP, 5);
	cr_assert_str_eq(row(60, 6, 5), "> first");
	key(KEY_DOWN);
	cr_assert_str_eq(row(60, 6, 5), "> second");
	keys(KEY_DOWN, 3);
	cr_assert_str_eq(row(60, 6, 5), "> draft");
	key(KEY_UP);
	key(KEY_UP);
	type("!");
	holds("first!");
}

Test(chat_input, a_paste_is_text_whatever_it_holds)
{
	paste("one\r\ntwo\rthree\n");
	holds("one\ntwo\nthree\n");
	paste("a\x1b[31mb\x03"
	      "c");
	holds("a[31mbc");
	paste("bad \xff byte");
	holds("bad \xef\xbf\xbd byte");
}

Test(chat_input, a_paste_of_more_than_64_kB_is_cut_and_says_so)
{
	static char big[100 * 1024];

	memset(big, 'x', sizeof big - 1);
	memcpy(big + 65534, "漢", 3);
	paste(big);
	cr_assert_str_eq(row(60, 6, 3), "a message holds 64 kB: the rest was left out");
	holds((big[65534] = 0, big)); /* the character that did not fit is left out whole */
	cr_assert_eq(strlen(heard), 65534);
	cr_assert_null(strstr(row(60, 6, 4), "64 kB"));
}

Test(chat_input, esc_leaves_and_enter_or_i_comes_back)
{
	cr_assert(p.class->wants_text(p.self));
	type("abc");
	cr_assert_str_eq(key(KEY_ESC), "");
	cr_assert_not(p.class->wants_text(p.self));
	row(60, 6, 0);
	cr_assert_eq(cx, -1, "no cursor in the input line");
	command("open", "");
	cr_assert(p.class->wants_text(p.self));
	cr_assert_not(p.class->on_command(p.self, "open", ""), "open means something else here");
	command("back", "");
	cr_assert_not(p.class->wants_text(p.self));
	cr_assert_not(p.class->on_command(p.self, "back", ""), "nothing more to leave");
	cr_assert_str_eq(row(60, 6, 5), "> abc");
	command("write", "");
	cr_assert(p.class->wants_text(p.self));
	key(KEY_ESC);
	cr_assert_str_eq(p.class->on_mouse(p.self, 5, 5, MOUSE_LEFT, 60, 6), "");
	cr_assert(p.class->wants_text(p.self));
	cr_assert_null(p.class->on_mouse(p.self, 5, 0, MOUSE_LEFT, 60, 6));
}

Test(chat_input, keys_that_are_not_text_are_left_to_others)
{
	cr_assert_null(key(KEY_TAB));
	cr_assert_null(key(KEY_F1));
	cr_assert_null(key(KEY_ALT | ','));
	cr_assert_null(key(KEY_CTRL | 'l'));
	cr_assert_null(key(KEY_SHIFT | KEY_TAB));
}

Test(chat_input, a_message_waits_while_an_answer_streams)
{
	talk_add(said, CHAT_MODEL, 0, 1, 4, "so");
	said->stats.streaming = true;
	hear();
	type("more");
	cr_assert_str_eq(key(KEY_ENTER), "");
	cr_assert_str_eq(row(60, 6, 4), "an answer is streaming: Esc stops it");
	cr_assert_str_eq(row(60, 6, 5), "> more");
	said->stats.streaming = false;
	hear();
	holds("more");
}

Test(chat_input, two_messages_are_not_sent_at_once)
{
	type("one");
	cr_assert_str_eq(key(KEY_ENTER), "say \"one\"");
	type("two");
	cr_assert_str_eq(key(KEY_ENTER), "");
	cr_assert_str_eq(row(60, 6, 4), "the message before is on its way");
	hear();
	cr_assert_str_eq(key(KEY_ENTER), "say \"two\"");
}

Test(chat_input, without_a_model_the_message_stays)
{
	struct alone q = p;

	p = alone_open(&panel_chat);
	type("hello");
	cr_assert_str_eq(key(KEY_ENTER), "");
	cr_assert_str_eq(row(60, 6, 4), "no model is open yet");
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(1)->snap);
	cr_assert_str_eq(key(KEY_ENTER), "say \"hello\"");
	alone_close(&p);
	p = q;
}

static void answer_ends(enum st st, const char *sentence)
{
	alone_hear(&p, EV_JOB_BEGAN, 3, 0, &snap_text_new("chat")->snap);
	hear();
	alone_hear(&p, EV_JOB_ENDED, 3, st, &snap_text_new(sentence)->snap);
}

Test(chat_input, a_failed_message_comes_back_with_the_reason)
{
	type("hello");
	key(KEY_ENTER);
	answer_ends(ST_INVALID, "chat: no template; name one with --template");
	cr_assert_str_eq(row(60, 6, 4), "chat: no template; name one with --template");
	cr_assert_str_eq(row(60, 6, 5), "> hello");
	cr_assert_str_eq(key(KEY_ENTER), "say \"hello\"");
	cr_assert_str_eq(row(60, 6, 4), "sent");
}

Test(chat_input, what_was_typed_since_is_not_lost_to_a_failure)
{
	type("hello");
	key(KEY_ENTER);
	type("next");
	answer_ends(ST_NOMEM, "no memory");
	cr_assert_str_eq(row(60, 6, 5), "> next");
	key(KEY_CTRL | 'u');
	key(KEY_UP);
	cr_assert_str_eq(row(60, 6, 5), "> hello");
}

Test(chat_input, a_stopped_or_finished_message_stays_sent)
{
	type("hello");
	key(KEY_ENTER);
	answer_ends(ST_CANCELLED, "chat stopped");
	cr_assert_str_eq(row(60, 6, 5), ">");
	type("hello");
	key(KEY_ENTER);
	answer_ends(ST_OK, "");
	cr_assert_str_eq(row(60, 6, 5), ">");
	alone_hear(&p, EV_JOB_BEGAN, 4, 0, &snap_text_new("scan")->snap);
	alone_hear(&p, EV_JOB_ENDED, 4, ST_NOMEM, &snap_text_new("scan: no memory")->snap);
	cr_assert_null(strstr(row(60, 6, 4), "scan"), "another job's failure is not its own");
}
