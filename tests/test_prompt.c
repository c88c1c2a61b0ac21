/* test_prompt.c - editing a line, its history, its candidates. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/tui/keys.h"
#include "app/tui/prompt.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

static struct prompt p;
static struct history h;

/* Presses keys by name; the result of the last. */
static enum prompt_result press(const char *keys)
{
	enum prompt_result r = PROMPT_IGNORED;

	while (*keys) {
		size_t n = strcspn(keys, " ");
		uint32_t key;

		cr_assert(key_parse(keys, n, &key), "%s", keys);
		r = prompt_key(&p, key);
		keys += n + (keys[n] == ' ');
	}
	return r;
}

static void begin(const char *text)
{
	p = (struct prompt){ 0 };
	prompt_open(&p, PROMPT_COMMAND, &h, text);
}

/* The line with a bar where the cursor is. */
static const char *line(void)
{
	static char buf[PROMPT_MAX + 2];

	snprintf(buf, sizeof buf, "%.*s|%s", (int)p.at, p.text, p.text + p.at);
	return buf;
}

static const struct {
	const char *from, *keys, *to;
} edits[] = {
	{ "", "a b c", "abc|" },
	{ "ab", "Left x", "ax|b" },
	{ "ab", "Home x Right y", "xay|b" },
	{ "abc", "Home Del", "|bc" },
	{ "abc", "Left Backspace", "a|c" },
	{ "one two  three", "C-w", "one two  |" },
	{ "one two  three", "C-w C-w", "one |" },
	{ "one two", "C-Left C-k", "one |" },
	{ "one two", "C-Left C-u", "|two" },
	{ "one two", "Home C-Right x", "onex| two" },
	{ "one two", "M-b M-b M-f", "one| two" },
	{ "é漢", "Backspace", "é|" },
	{ "é漢", "Left Left x", "x|é漢" },
	{ "é漢", "Home Del", "|漢" },
	{ "ab", "Home Left Left x", "x|ab" },
	{ "ab", "End Right Del x", "abx|" },
	{ "a", "é", "aé|" },
	{ "ab", "C-a x C-e y", "xaby|" },
	{ "ab", "F5 Ins", "ab|" },
};

Test(prompt, editing_keys_do_what_they_do_everywhere)
{
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		begin(edits[i].from);
		press(edits[i].keys);
		cr_assert_str_eq(line(), edits[i].to, "%s: %s gave %s", edits[i].from,
			edits[i].keys, line());
	}
}

Test(prompt, enter_ends_and_escape_or_an_empty_backspace_cancels)
{
	begin("x");
	cr_assert_eq(press("Enter"), PROMPT_ENTER);
	cr_assert_eq(press("Esc"), PROMPT_CANCEL);
	cr_assert_eq(press("C-c"), PROMPT_CANCEL);
	cr_assert_eq(press("Backspace"), PROMPT_EDITED);
	cr_assert_eq(press("Backspace"), PROMPT_CANCEL);
	cr_assert_eq(press("F9"), PROMPT_IGNORED);
}

Test(prompt, a_paste_is_one_line_and_bounded)
{
	static char big[PROMPT_MAX * 2];

	begin("ab");
	press("Left");
	prompt_insert(&p, "1\n2\033", 4);
	cr_assert_str_eq(line(), "a1 2 |b");
	memset(big, 'x', sizeof big);
	prompt_insert(&p, big, sizeof big);
	cr_assert_eq(p.n, PROMPT_MAX - 1);
	cr_assert_eq(p.text[p.n], 0);
	prompt_insert(&p, "y", 1);
	cr_assert_eq(p.n, PROMPT_MAX - 1);
}

static void with_history(void)
{
	history_add(&h, ':', "budget 4.25");
	history_add(&h, ':', "measure");
	history_add(&h, '/', "down");
	history_add(&h, ':', "budget 3");
}

Test(history, up_searches_by_what_was_typed)
{
	with_history();
	begin("bud");
	press("Up");
	cr_assert_str_eq(p.text, "budget 3");
	press("Up");
	cr_assert_str_eq(p.text, "budget 4.25");
	press("Up");
	cr_assert_str_eq(p.text, "budget 4.25");
	press("Down");
	cr_assert_str_eq(p.text, "budget 3");
	press("Down");
	cr_assert_str_eq(line(), "bud|");
	begin("");
	press("Up Up");
	cr_assert_str_eq(p.text, "measure");
	history_release(&h);
}

Test(history, each_kind_has_its_own)
{
	with_history();
	p = (struct prompt){ 0 };
	prompt_open(&p, PROMPT_FILTER, &h, "");
	press("Up");
	cr_assert_str_eq(p.text, "down");
	press("Up");
	cr_assert_str_eq(p.text, "down");
	history_release(&h);
}

Test(history, control_r_searches_anywhere)
{
	with_history();
	begin("");
	press("C-r 4 .");
	cr_assert_str_eq(p.text, "budget 4.25");
	begin("");
	press("C-r g e C-r");
	cr_assert_str_eq(p.text, "budget 4.25");
	press("Backspace Backspace e a s");
	cr_assert_str_eq(p.text, "measure");
	cr_assert_eq(press("Enter"), PROMPT_ENTER);
	history_release(&h);
}

Test(history, survives_a_restart_and_forgets_the_oldest)
{
	char dir[] = "/tmp/bdhistXXXXXX", path[64];
	struct err e;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/history", dir);
	for (int i = 0; i < HISTORY_MAX + 20; i++) {
		char text[32];

		snprintf(text, sizeof text, "budget %d", i);
		history_add(&h, ':', text);
	}
	history_add(&h, ':', "budget 30"); /* again: it moves to the end */
	history_add(&h, ':', "two\nlines");
	cr_assert_eq(h.n, HISTORY_MAX);
	cr_assert_not(history_save(&h, path, &e), "%s", e.msg);
	history_release(&h);
	history_load(&h, path);
	cr_assert_eq(h.n, HISTORY_MAX);
	cr_assert_str_eq(h.line[HISTORY_MAX - 1], ":two lines");
	cr_assert_str_eq(h.line[HISTORY_MAX - 2], ":budget 30");
	cr_assert_str_eq(h.line[0], ":budget 21");
	cr_assert_not(h.changed);
	history_release(&h);
	cr_assert_not(fs_write_all(path, "rubbish\n:ok\n\n:\n/f", 18, &e));
	history_load(&h, path);
	cr_assert_eq(h.n, 2);
	cr_assert_str_eq(h.line[1], "/f");
	history_release(&h);
	history_load(&h, "/nonexistent/history");
	cr_assert_eq(h.n, 0);
	cr_assert_not(fs_remove_tree(dir, &e));
}

/* ---- candidates */

static void candidates(const char *const *names)
{
	p.list.n = 0;
	p.list.from = 0;
	p.chosen = -1;
	for (; *names; names++)
		completion_add(&p.list, p.text, p.at, *names, "help");
}

Test(completion, beginnings_come_before_middles_before_subsequences)
{
	static const char *const names[] = { "xset", "s-e-t", "set", "other", "settle", NULL };

	begin("set");
	candidates(names);
	cr_assert_eq(p.list.n, 4);
	cr_assert_str_eq(p.list.item[0].text, "set");
	cr_assert_str_eq(p.list.item[1].text, "settle");
	cr_assert_str_eq(p.list.item[2].text, "xset");
	cr_assert_str_eq(p.list.item[3].text, "s-e-t");
}

Test(completion, tab_goes_as_far_as_all_agree_and_then_round)
{
	static const char *const names[] = { "measure", "measles", NULL };

	begin("me");
	candidates(names);
	press("Tab");
	cr_assert_str_eq(line(), "meas|");
	candidates(names);
	press("Tab");
	cr_assert_str_eq(line(), "measure|");
	press("Tab");
	cr_assert_str_eq(line(), "measles|");
	press("S-Tab");
	cr_assert_str_eq(line(), "measure|");
}

Test(completion, the_only_candidate_is_taken_with_a_blank)
{
	static const char *const names[] = { "measure", NULL }, *const folder[] = { "models/",
		NULL };

	begin("mea");
	candidates(names);
	press("Tab");
	cr_assert_str_eq(line(), "measure |");
	begin("mod");
	candidates(folder);
	press("Tab");
	cr_assert_str_eq(line(), "models/|");
	begin("q");
	p.list.n = 0;
	press("Tab");
	cr_assert_str_eq(line(), "q|");
}

Test(completion, more_candidates_than_fit_are_the_best_ones)
{
	begin("x");
	p.list.n = 0;
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof name, i < 150 ? "a%dx" : "x%d", i);
		completion_add(&p.list, "x", 1, name, "");
	}
	cr_assert_eq(p.list.n, COMPLETIONS);
	cr_assert_str_eq(p.list.item[0].text, "x150");
	cr_assert_str_eq(p.list.item[49].text, "x199");
	cr_assert_str_eq(p.list.item[50].text, "a0x");
}
