/* test_keys.c - names of keys, the tables, commands and options, and what terminals send. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/panel.h"
#include "app/tui/commands.h"
#include "app/tui/input.h"
#include "app/tui/keys.h"
#include "app/tui/options.h"
#include "core/base/alloc.h"
#include "tests/fake_session.h" /* what the commands would call */

/* ---- names */

static const struct {
	const char *name;
	uint32_t key;
} names[] = { { "a", 'a' }, { "Z", 'Z' }, { ",", ',' }, { "<", '<' }, { "-", '-' },
	{ "Space", ' ' }, { "Enter", KEY_ENTER }, { "Esc", KEY_ESC }, { "Tab", KEY_TAB },
	{ "S-Tab", KEY_SHIFT | KEY_TAB }, { "C-c", KEY_CTRL | 'c' },
	{ "M-Enter", KEY_ALT | KEY_ENTER }, { "M-:", KEY_ALT | ':' }, { "M-1", KEY_ALT | '1' },
	{ "C-M-x", KEY_CTRL | KEY_ALT | 'x' }, { "F1", KEY_F1 }, { "F12", KEY_LAST },
	{ "PgUp", KEY_PGUP }, { "Del", KEY_DEL }, { "é", 0xe9 }, { "M--", KEY_ALT | '-' },
	{ "C-Left", KEY_CTRL | KEY_LEFT } };

Test(keys, names_are_read_and_written_back)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		uint32_t key = 0;
		char back[KEY_NAME];

		cr_assert(
			key_parse(names[i].name, strlen(names[i].name), &key), "%s", names[i].name);
		cr_assert_eq(key, names[i].key, "%s", names[i].name);
		cr_assert_str_eq(key_name(key, back), names[i].name);
	}
}

Test(keys, what_is_no_key_is_refused)
{
	static const char *const no[] = { "", "ab", "Entre", "C-", "S-a", "\xff", "\x01", "M-Foo",
		"F13" };
	uint32_t key;

	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		cr_assert_not(key_parse(no[i], strlen(no[i]), &key), "%s", no[i]);
	cr_assert(key_parse("C-C", 3, &key));
	cr_assert_eq(key, KEY_CTRL | 'c');
}

/* ---- tables */

struct seen {
	uint32_t key[256];
	size_t n;
	const char *context;
	bool panel;
};

static bool note(void *arg, uint32_t key, const char *command, size_t len)
{
	struct seen *s = arg;
	char name[KEY_NAME], line[256], *argv[COMMAND_ARGS];

	for (size_t i = 0; i < s->n; i++)
		cr_assert_neq(
			s->key[i], key, "%s: %s is bound twice", s->context, key_name(key, name));
	s->key[s->n++] = key;
	snprintf(line, sizeof line, "%.*s", (int)len, command);
	cr_assert_gt(command_split(line, argv), 0, "%s: %s runs nothing", s->context,
		key_name(key, name));
	if (!s->panel) /* a panel has words of its own */
		cr_assert(command_find(argv[0]), "%s: %s runs \"%s\", which is no command",
			s->context, key_name(key, name), argv[0]);
	return true;
}

/* Every word of `keys` is a key: a misspelt one would be dropped in silence. */
static void check_names(const char *context, const char *keys)
{
	uint32_t key;

	for (const char *s = keys; *s;) {
		size_t n = strcspn(s, " ");

		cr_assert(key_parse(s, n, &key), "%s: \"%.*s\" is no key", context, (int)n, s);
		s += n + (s[n] == ' ');
	}
}

static void check_table(const char *context, const struct binding *b, bool panel)
{
	struct seen seen = { .context = context, .panel = panel };

	for (; b && b->keys; b++) {
		cr_assert(b->help && *b->help, "%s: %s has no help", context, b->keys);
		check_names(context, b->keys);
		keys_walk(b, note, &seen);
	}
}

Test(keys, no_key_is_bound_twice_in_a_context_and_each_has_help)
{
	for (const struct key_context *c = key_contexts; c->name; c++)
		check_table(c->name, c->keys, false);
	for (size_t i = 0; panel_table[i]; i++)
		check_table(panel_table[i]->name, panel_table[i]->keys, true);
}

Test(keys, the_last_command_is_for_all_keys_that_remain)
{
	static const struct binding table[] = { { "a b c", "one | two", "h" },
		{ "d", "three 4", "h" }, { NULL, NULL, NULL } };
	char out[64];

	cr_assert(keys_find(table, 'a', out, sizeof out));
	cr_assert_str_eq(out, "one");
	cr_assert(keys_find(table, 'b', out, sizeof out));
	cr_assert_str_eq(out, "two");
	cr_assert(keys_find(table, 'c', out, sizeof out));
	cr_assert_str_eq(out, "two");
	cr_assert(keys_find(table, 'd', out, sizeof out));
	cr_assert_str_eq(out, "three 4");
	cr_assert_not(keys_find(table, 'e', out, sizeof out));
	cr_assert_not(keys_find(NULL, 'e', out, sizeof out));
}

Test(keys, those_of_the_design_do_what_it_says)
{
	static const struct {
		const char *context, *key, *command;
	} want[] = { { "global", "?", "help" }, { "global", "F1", "help" },
		{ "global", ":", "prompt" }, { "global", "/", "filter" }, { "global", "n", "next" },
		{ "global", "N", "prev" }, { "global", "Esc", "back" }, { "global", "q", "close" },
		{ "global", "C-c", "stop" }, { "global", "C-z", "suspend" },
		{ "global", "C-l", "redraw" }, { "global", "Tab", "focus next" },
		{ "global", "S-Tab", "focus prev" }, { "global", "3", "screen 3" },
		{ "global", "M-1", "screen 1" }, { "global", "z", "zoom" },
		{ "global", "Enter", "open" }, { "global", "x", "stop" }, { "global", "y", "copy" },
		{ "global", "Y", "copy panel" }, { "global", "u", "undo" },
		{ "global", "C-r", "redo" }, { "global", "!", "notices" },
		{ "global", "M", "set mouse toggle" }, { "global", "B", "bare" },
		{ "search", ",", "budget -0.05" }, { "search", ".", "budget +0.05" },
		{ "search", "<", "budget -0.5" }, { "search", ">", "budget +0.5" },
		{ "search", "=", "prompt budget" }, { "search", "m", "measure" },
		{ "search", "S", "keep" }, { "search", "p", "pin" }, { "search", "f", "free" },
		{ "search", "v", "view next" }, { "search", "c", "ramp next" },
		{ "search", "L", "log-axis" }, { "chat", "r", "again" },
		{ "global", "@", "history" }, { "chat", "s", "prompt system" },
		{ "chat", "t", "prompt temperature" }, { "global", "2", "screen 2" },
		{ "train", "Space", "train pause" }, { "train", "c", "train save" },
		{ "global", "K", "calibrate" }, { "train", "x", "stop" },
		{ "train", "L", "log-axis" }, { "train", "o", "plot" } };
	char out[64];

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		uint32_t key;

		cr_assert(key_parse(want[i].key, strlen(want[i].key), &key));
		cr_assert(keys_find(keys_of(want[i].context), key, out, sizeof out), "%s %s",
			want[i].context, want[i].key);
		cr_assert_str_eq(out, want[i].command);
	}
	cr_assert_null(keys_of("nosuch"));
}

/* ---- commands and options */

Test(commands, each_has_help_and_a_name_of_its_own)
{
	for (const struct command *c = command_table; c->name; c++) {
		cr_assert(c->help && *c->help && c->args, "%s", c->name);
		cr_assert_eq(command_find(c->name), c);
	}
}

Test(commands, a_line_is_split_as_quotes_say)
{
	static const struct {
		const char *line;
		int n;
		const char *argv[4];
	} want[] = { { "budget 4.25", 2, { "budget", "4.25" } }, { "  a   b  ", 2, { "a", "b" } },
		{ "open \"a b\" c", 3, { "open", "a b", "c" } },
		{ "x \"a \\\"b\\\" \\\\\" y", 3, { "x", "a \"b\" \\", "y" } },
		{ "x a\"b c\"d", 2, { "x", "ab cd" } }, { "x \"\"", 2, { "x", "" } },
		{ "x \"open", 2, { "x", "open" } }, { "", 0, { NULL } } };

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		char *argv[COMMAND_ARGS], *line = xstrdup(want[i].line);

		cr_assert_eq(command_split(line, argv), want[i].n, "%s", want[i].line);
		for (int k = 0; k < want[i].n; k++)
			cr_assert_str_eq(argv[k], want[i].argv[k]);
		xfree(line);
	}
}

Test(commands, a_semicolon_ends_one_unless_quoted_or_said)
{
	cr_assert_str_eq(command_end("budget 4; measure"), "; measure");
	cr_assert_str_eq(command_end("open \"a;b\"; x"), "; x");
	cr_assert_str_eq(command_end("open \"a\\\";b\"; x"), "; x");
	cr_assert_str_eq(command_end("say one; two"), "");
	cr_assert_str_eq(command_end("say \"one; two\"; again"), "; again");
	cr_assert_str_eq(command_end("saying; x"), "; x");
}

Test(options, values_are_checked_against_the_table)
{
	static const struct {
		const char *name, *value, *stored, *why;
	} want[] = { { "mouse", "toggle", "off", NULL }, { "mouse", "toggle", "on", NULL },
		{ "ascii", "yes", "on", NULL }, { "temperature", "0.70", "0.7", NULL },
		{ "top_k", "40", "40", NULL }, { "color", "never", "never", NULL },
		{ "formats", "int2g64,int4g128", "int2g64,int4g128", NULL },
		{ "mouse", "maybe", NULL, "set mouse: expected on|off, got \"maybe\"" },
		{ "temperature", "11", NULL, "set temperature: expected 0 to 10, got \"11\"" },
		{ "temperature", "nan", NULL, "set temperature: expected 0 to 10, got \"nan\"" },
		{ "temperature", "0,7", NULL, "set temperature: expected 0 to 10, got \"0,7\"" },
		{ "top_k", "1.5", NULL, "set top_k: expected 0 to 1000000, got \"1.5\"" },
		{ "color", "sometimes", NULL,
			"set color: expected auto|always|never, got \"sometimes\"" } };
	struct options o;

	options_init(&o);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		struct err e = { 0 };
		enum opt which;
		enum st st;

		cr_assert_not(options_find(want[i].name, &which, &e), "%s", e.msg);
		st = options_set(&o, which, want[i].value, &e);
		cr_assert_eq(!st, !want[i].why, "%s %s", want[i].name, want[i].value);
		cr_assert_str_eq(want[i].why ? e.msg : o.value[which],
			want[i].why ? want[i].why : want[i].stored);
	}
}

Test(options, a_misspelt_name_gets_a_suggestion)
{
	struct err e;
	enum opt which;

	cr_assert_eq(options_find("temprature", &which, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "set: no option \"temprature\"; did you mean temperature");
	cr_assert_eq(options_find("xyzzyxyzzy", &which, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "set: no option \"xyzzyxyzzy\" (:set lists them)");
}

Test(options, defaults_are_valid_themselves)
{
	struct options o;

	options_init(&o);
	for (int i = 0; i < OPTS; i++) {
		struct err e;

		cr_assert_not(options_set(&o, (enum opt)i, option_table[i].def, &e), "%s", e.msg);
		cr_assert(*option_table[i].help);
	}
}

/* ---- what terminals send */

static const struct {
	const char *bytes;
	const char *key;
} sent[] = { { "a", "a" }, { "\r", "Enter" }, { "\n", "C-j" }, { "\t", "Tab" },
	{ "\x7f", "Backspace" }, { "\b", "Backspace" }, { "\x03", "C-c" }, { "\x1a", "C-z" },
	{ "\033[A", "Up" }, { "\033OA", "Up" }, { "\033[1;5D", "C-Left" }, { "\033[1;2A", "S-Up" },
	{ "\033[3~", "Del" }, { "\033[5~", "PgUp" }, { "\033[H", "Home" }, { "\033[1~", "Home" },
	{ "\033[4~", "End" }, { "\033OP", "F1" }, { "\033[11~", "F1" }, { "\033[[A", "F1" },
	{ "\033[24~", "F12" }, { "\033[Z", "S-Tab" }, { "\033\r", "M-Enter" }, { "\033:", "M-:" },
	{ "\0331", "M-1" }, { "\033,", "M-," }, { "\xc3\xa9", "é" }, { "\033\xc3\xa9", "M-é" },
	{ "\033[13;5u", "C-Enter" }, { "\033[27u", "Esc" } };

Test(input, the_sequences_of_terminals_are_keys)
{
	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		struct input in = { 0 };
		struct input_event ev;
		char name[KEY_NAME];

		/* Whole, and byte by byte as a slow line brings it. */
		input_feed(&in, sent[i].bytes, strlen(sent[i].bytes));
		cr_assert(input_next(&in, &ev, false), "%zu %s", i, sent[i].key);
		cr_assert_eq(ev.kind, INPUT_KEY);
		cr_assert_str_eq(key_name(ev.key, name), sent[i].key);
		cr_assert_not(input_next(&in, &ev, false));
		for (const char *s = sent[i].bytes; *s; s++) {
			cr_assert_not(
				input_next(&in, &ev, false), "%s came too early", sent[i].key);
			input_feed(&in, s, 1);
		}
		cr_assert(input_next(&in, &ev, false));
		cr_assert_str_eq(key_name(ev.key, name), sent[i].key);
		cr_assert_not(input_waits(&in));
		input_release(&in);
	}
}

Test(input, a_lone_escape_is_a_key_once_nothing_followed)
{
	struct input in = { 0 };
	struct input_event ev;

	input_feed(&in, "\033", 1);
	cr_assert_not(input_next(&in, &ev, false));
	cr_assert(input_waits(&in));
	cr_assert(input_next(&in, &ev, true));
	cr_assert_eq(ev.key, KEY_ESC);
	input_feed(&in, "\033\033[B", 4);
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.key, KEY_ESC);
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.key, KEY_DOWN);
	input_release(&in);
}

Test(input, a_paste_is_text_and_obeys_nothing)
{
	static const char bytes[] = "\033[200~quit\r\033[A:q!\ny\033[201~z";
	struct input in = { 0 };
	struct input_event ev;

	for (size_t i = 0; i + 1 < sizeof bytes - 1; i++) { /* all but z, one by one */
		input_feed(&in, bytes + i, 1);
		if (i + 2 < sizeof bytes - 1)
			cr_assert_not(input_next(&in, &ev, i > 6), "at %zu", i);
	}
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.kind, INPUT_PASTE);
	cr_assert_eq(ev.n, 13);
	cr_assert(!memcmp(ev.text, "quit\n\033[A:q!\ny", 13));
	input_feed(&in, "z", 1);
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.key, 'z');
	input_release(&in);
}

Test(input, a_large_paste_arrives_whole)
{
	struct input in = { 0 };
	struct input_event ev;
	size_t fed = 0, size = 100000;
	bool got = false;

	input_feed(&in, "\033[200~", 6);
	while (fed < size) {
		size_t n = size - fed < 1000 ? size - fed : 1000;
		char block[1000];

		memset(block, 'x', n);
		fed += input_feed(&in, block, n);
		cr_assert_not(input_next(&in, &ev, false));
	}
	input_feed(&in, "\033[201~", 6);
	got = input_next(&in, &ev, false);
	cr_assert(got);
	cr_assert_eq(ev.n, size);
	input_release(&in);
}

Test(input, mouse_comes_as_sgr_and_as_x10)
{
	struct input in = { 0 };
	struct input_event ev;

	static const char bytes[] = "\033[<0;12;3M\033[<0;12;3m\033[<64;5;6M\033[<32;300;7M"
				    "\033[M !\"";

	input_feed(&in, bytes, sizeof bytes - 1);
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.kind, INPUT_MOUSE);
	cr_assert_eq(ev.x, 11);
	cr_assert_eq(ev.y, 2);
	cr_assert_eq(ev.button, MOUSE_LEFT);
	cr_assert_not(ev.dragged);
	cr_assert(input_next(&in, &ev, false)); /* the release is swallowed */
	cr_assert_eq(ev.button, MOUSE_WHEEL_UP);
	cr_assert(input_next(&in, &ev, false));
	cr_assert(ev.dragged);
	cr_assert_eq(ev.x, 299);
	cr_assert(input_next(&in, &ev, false));
	cr_assert_eq(ev.button, MOUSE_LEFT);
	cr_assert_eq(ev.x, 0);
	cr_assert_eq(ev.y, 1);
	input_release(&in);
}

Test(input, a_terminal_says_whether_it_shows_sixels)
{
	static const struct {
		const char *bytes;
		bool sixel;
	} answers[] = { { "\033[?62;4;22c", true }, { "\033[?62;1;6;9;15;22;4c", true },
		{ "\033[?1;2c", false }, { "\033[?64;14;44;40c", false }, { "\033[?4c", false },
		{ "\033[?6c", false } };

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct input in = { 0 };
		struct input_event ev;
		size_t n = strlen(answers[i].bytes);

		input_feed(&in, answers[i].bytes, n - 2);
		cr_assert_not(input_next(&in, &ev, false), "it is not whole yet");
		input_feed(&in, answers[i].bytes + n - 2, 2);
		input_feed(&in, "z", 1);
		cr_assert(input_next(&in, &ev, false));
		cr_assert_eq(ev.kind, INPUT_DEVICE, "%s", answers[i].bytes);
		cr_assert_eq(ev.sixel, answers[i].sixel, "%s", answers[i].bytes);
		cr_assert(input_next(&in, &ev, false));
		cr_assert_eq(ev.key, 'z');
		input_release(&in);
	}
}

Test(input, any_bytes_end_and_never_hang)
{
	struct input in = { 0 };
	struct input_event ev;
	uint32_t r = 12345;

	for (int round = 0; round < 20000; round++) {
		unsigned char b[8];
		size_t n;

		for (size_t i = 0; i < sizeof b; i++) {
			r = r * 1664525 + 1013904223;
			b[i] = (unsigned char)(r >> 24);
			if ((r >> 20 & 3) == 0)
				b[i] = "\033[<;0~?c"[r >> 10 & 7];
		}
		n = input_feed(&in, b, sizeof b);
		while (input_next(&in, &ev, round & 1))
			cr_assert(ev.kind != INPUT_PASTE || ev.n <= INPUT_PASTE_MAX);
		cr_assert(n > 0, "the buffer stays full");
	}
	input_release(&in);
}
