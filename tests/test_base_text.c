/* test_base_text.c - UTF-8, the sanitiser, classes, names. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/text.h"

static const char *clean(const char *s, size_t n, bool escape)
{
	static char out[512];
	size_t len = text_clean(out, sizeof out, s, n, escape);

	cr_assert_eq(len, strlen(out));
	return out;
}

/* All cells of s as UTF-8, without widths. */
static const char *cells(const char *s, size_t n)
{
	static char out[512];
	struct text_cell c;
	size_t at = 0, len = 0;

	while (text_next(s, n, &at, &c))
		for (int i = 0; i < 3 && c.ch[i]; i++)
			len += utf8_encode(c.ch[i], out + len);
	cr_assert_eq(at, n);
	out[len] = '\0';
	return out;
}

/* ---- UTF-8 */

Test(utf8, every_code_point_round_trips_and_surrogates_do_not)
{
	for (uint32_t cp = 0; cp <= 0x110010; cp++) {
		char s[4];
		uint32_t back;
		size_t n = utf8_encode(cp, s);
		bool is_char = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);

		cr_assert_eq(utf8_decode(s, n, &back), n);
		cr_assert_eq(back, is_char ? cp : 0xfffd);
		cr_assert_eq(utf8_first_bad(s, n), n);
	}
}

Test(utf8, what_is_not_strictly_utf8_is_a_bad_byte)
{
	static const struct {
		const char *s;
		size_t used; /* by the first bad piece */
	} bad[] = {
		{ "\xc0\x80", 1 },         /* overlong NUL */
		{ "\xc1\xbf", 1 },         /* overlong DEL */
		{ "\xe0\x80\x9b", 1 },     /* overlong ESC's cousin */
		{ "\xe0\x9f\xbf", 1 },     /* overlong 7FF */
		{ "\xf0\x80\x80\x9b", 1 }, /* overlong in four */
		{ "\xf0\x8f\xbf\xbf", 1 }, /* overlong FFFF */
		{ "\xed\xa0\x80", 1 },     /* surrogate D800 */
		{ "\xed\xbf\xbf", 1 },     /* surrogate DFFF */
		{ "\xf4\x90\x80\x80", 1 }, /* 110000 */
		{ "\xf5\x80\x80\x80", 1 },
		{ "\xff", 1 },
		{ "\x80", 1 },
		{ "\xc3", 1 },
		{ "\xc3(", 1 },
		{ "\xe2\x82", 2 }, /* a cut euro sign is one bad piece */
		{ "\xe2\x82(", 2 },
		{ "\xf0\x9f\x98", 3 },
		{ "\xf0\x9f\x98\xff", 3 },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t n = strlen(bad[i].s);
		uint32_t cp;

		cr_assert_eq(utf8_decode(bad[i].s, n, &cp), bad[i].used, "case %zu", i);
		cr_assert_eq(cp, 0xfffd, "case %zu", i);
		cr_assert_eq(utf8_first_bad(bad[i].s, n), 0, "case %zu", i);
	}
	cr_assert_eq(utf8_decode("", 0, &(uint32_t){ 0 }), 0);
}

Test(utf8, the_first_bad_offset_is_named)
{
	char s[64];

	memset(s, 'a', sizeof s);
	cr_assert_eq(utf8_first_bad(s, 64), 64);
	for (size_t i = 0; i < 64; i++) {
		s[i] = (char)0xe9;
		cr_assert_eq(utf8_first_bad(s, 64), i);
		s[i] = 'a';
	}
	cr_assert_eq(utf8_first_bad("h\xc3\xa9\xe2\x82\xac\xe2\x82", 8), 6);
	cr_assert_eq(utf8_first_bad("a\0b", 3), 3);
}

Test(utf8, a_character_cut_at_the_end_is_held_back)
{
	static const struct {
		const char *s;
		size_t tail;
	} t[] = {
		{ "", 0 },
		{ "abc", 0 },
		{ "ab\xc3\xa9", 0 },
		{ "ab\xc3", 1 },
		{ "ab\xe2", 1 },
		{ "ab\xe2\x82", 2 },
		{ "\xe2\x82\xac", 0 },
		{ "\xf0\x9f\x98", 3 },
		{ "x\xf0\x9f", 2 },
		{ "\xf0\x9f\x98\x80", 0 },
		{ "\x80\x80\x80\x80", 0 }, /* never becomes a character: not held */
		{ "a\xff", 0 },
		{ "\xed\xa0", 0 },
		{ "\xc3\x28", 0 },
		{ "\xf0\x80", 0 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		cr_assert_eq(utf8_partial_tail(t[i].s, strlen(t[i].s)), t[i].tail, "case %zu", i);
}

/* ---- the sanitiser */

/* Every ECMA-48 introducer, as 7-bit escape, as raw 8-bit byte, as UTF-8 C1. */
Test(text, no_introducer_of_a_terminal_sequence_survives)
{
	static const char finals[] = "PX[]^_NO\\Mc7";

	for (size_t i = 0; i + 1 < sizeof finals; i++) {
		char esc[] = { 'a', 0x1b, finals[i], '3', '1', 'm', 7, 'b' };
		char raw[] = { 'a', (char)(finals[i] + 0x40), '3', '1', 'm', 'b' };
		char c1[] = { 'a', (char)0xc2, (char)((finals[i] & 0x1f) | 0x80), '3', 'b' };
		char want[16];

		snprintf(want, sizeof want, "a%c31mb", finals[i]);
		cr_assert_str_eq(cells(esc, sizeof esc), want);
		cr_assert_str_eq(clean(esc, sizeof esc, false), want);
		snprintf(want, sizeof want, "a\\x1b%c31m\\x07b", finals[i]);
		cr_assert_str_eq(clean(esc, sizeof esc, true), want);
		if (finals[i] >= '@' && finals[i] <= '_') { /* has an 8-bit form */
			cr_assert_str_eq(cells(raw, sizeof raw), "a\xef\xbf\xbd"
								 "31mb");
			cr_assert_str_eq(cells(c1, sizeof c1), "a3b");
			cr_assert_str_eq(clean(c1, sizeof c1, false), "a3b");
			snprintf(want, sizeof want, "a\\u{%04X}3b",
				(unsigned)((finals[i] & 0x1f) | 0x80));
			cr_assert_str_eq(clean(c1, sizeof c1, true), want);
		}
	}
}

Test(text, every_control_is_removed_and_only_line_feed_and_tab_stay)
{
	for (uint32_t cp = 0; cp < 0xa0; cp++) {
		bool stays = cp == '\n' || cp == '\t' || (cp >= 0x20 && cp < 0x7f);
		char s[4];
		size_t n = utf8_encode(cp, s), at = 0;
		struct text_cell c;

		cr_assert_eq(text_next(s, n, &at, &c), stays, "%02x", cp);
		if (stays)
			cr_assert_eq(c.width, cp >= 0x20, "%02x", cp);
		cr_assert_eq(strlen(clean(s, n, false)), stays, "%02x", cp);
	}
}

Test(text, what_reorders_or_hides_text_is_removed)
{
	static const uint32_t bad[] = { 0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d,
		0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0x2028, 0x2029, 0xe0000, 0xe0001,
		0xe0041, 0xe007f, 0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff, 0x378,
		0xe0080 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char s[6] = "a", want[16];
		size_t n = 1 + utf8_encode(bad[i], s + 1);

		s[n++] = 'b';
		cr_assert_str_eq(cells(s, n), "ab", "%x", bad[i]);
		cr_assert_str_eq(clean(s, n, false), "ab", "%x", bad[i]);
		snprintf(want, sizeof want, "a\\u{%04X}b", bad[i]);
		cr_assert_str_eq(clean(s, n, true), want);
	}
}

Test(text, bad_bytes_show_as_replacement_characters_or_hexadecimal)
{
	cr_assert_str_eq(cells("a\xff\xc0\x80z", 5), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	cr_assert_str_eq(clean("a\xff z", 4, false), "a\xef\xbf\xbd z");
	cr_assert_str_eq(clean("a\xff\xe2\x82z", 5, true), "a\\xff\\xe2\\x82z");
	cr_assert_str_eq(clean("\xed\xa0\x80", 3, true), "\\xed\\xa0\\x80");
}

Test(text, widths_do_not_depend_on_the_locale)
{
	static const struct {
		const char *s;
		int width;
	} t[] = {
		{ "", 0 }, { "abc", 3 }, { "\xc3\xa9", 1 }, { "e\xcc\x81", 1 },
		{ "\xe4\xb8\xad\xe6\x96\x87", 4 },                     /* two Han */
		{ "\xf0\x9f\x98\x80", 2 },                             /* a face */
		{ "\xf0\x9f\xab\xa8", 2 },                             /* one of Unicode 15 */
		{ "\xea\xb0\x80", 2 },                                 /* Hangul syllable */
		{ "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", 2 },         /* the same kind in parts */
		{ "\xef\xbc\xa1", 2 },                                 /* full-width A */
		{ "\xef\xbd\xb1", 1 },                                 /* half-width katakana */
		{ "\xe2\x96\x88\xe2\x96\x80", 2 },                     /* blocks */
		{ "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", 4 }, /* joined: the sum */
		{ "\xe2\x9d\xa4\xef\xb8\x8f", 1 },                     /* heart and selector */
		{ "ab\ncdef", 2 }, { "a\tb", 3 }, { "\x1b[31mred", 7 },
		{ "\xe3\x89\x88", 2 }, /* U+3248: ambiguous, wide in C libraries */
		{ "\xee\x80\x80", 1 }, /* private use */
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		cr_assert_eq(text_width(t[i].s, strlen(t[i].s)), t[i].width, "case %zu: %d", i,
			text_width(t[i].s, strlen(t[i].s)));
}

Test(text, at_most_two_marks_stand_on_a_base)
{
	const char *zalgo = "a\xcc\x80\xcc\x81\xcc\x82\xcc\x83z";
	struct text_cell c;
	size_t at = 0;

	cr_assert(text_next(zalgo, strlen(zalgo), &at, &c));
	cr_assert(c.ch[0] == 'a' && c.ch[1] == 0x300 && c.ch[2] == 0x301 && c.width == 1);
	cr_assert(text_next(zalgo, strlen(zalgo), &at, &c));
	cr_assert(c.ch[0] == 'z' && !c.ch[1]);
	cr_assert_str_eq(clean(zalgo, strlen(zalgo), false), "a\xcc\x80\xcc\x81z");
	cr_assert_str_eq(clean(zalgo, strlen(zalgo), true), "a\xcc\x80\xcc\x81\\u{0302}\\u{0303}z");
	/* Controls and joiners between do not start a new count. */
	cr_assert_str_eq(
		cells("a\xcc\x80\x1b\xcc\x81\xe2\x80\x8d\xcc\x82z", 12), "a\xcc\x80\xcc\x81z");
	/* A mark alone gets a space to stand on. */
	cr_assert_str_eq(cells("\xcc\x80\xcc\x81\xcc\x82z", 7), " \xcc\x80\xcc\x81z");
	cr_assert_eq(text_width("\xcc\x80\xcc\x81z", 5), 2);
}

Test(text, joiners_stay_in_files_and_leave_the_screen)
{
	const char *s = "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb";

	cr_assert_str_eq(clean(s, strlen(s), true), s);
	cr_assert_str_eq(cells(s, strlen(s)), "\xf0\x9f\x91\xa9\xf0\x9f\x92\xbb");
}

Test(text, a_full_buffer_ends_on_a_whole_item)
{
	const char *s = "ab\xe2\x82\xac\x1b"
			"cd";

	for (size_t cap = 0; cap < 20; cap++) {
		char out[20];
		size_t n;

		memset(out, 'X', sizeof out);
		n = text_clean(out, cap, s, strlen(s), true);
		cr_assert(n < cap || (!cap && !n));
		if (cap)
			cr_assert_eq(out[n], '\0');
		cr_assert_eq(out[cap], 'X');
		cr_assert(n == 0 || n == 1 || n == 2 || n == 5 || n == 9 || n == 10 || n == 11);
	}
}

/* Random bytes, rich in what the filter must stop. */
Test(text, nothing_that_a_terminal_obeys_passes_in_random_bytes)
{
	static const char *const pieces[] = { "\x1b", "\xc2\x9b", "\x9b", "[31m", "]0;", "\xe2\x80",
		"\xae", "\xf3\xa0\x80\x81", "a", "\n", "\xcc\x81", "\xff", "\xe2", "\r", "\x7f",
		"\b" };
	struct rng r;

	rng_seed(&r, 11);
	for (int round = 0; round < 3000; round++) {
		char s[128], out[1024];
		size_t n = 0, len;

		for (int i = 0; i < 24; i++) {
			const char *p = pieces[rng_below(&r, 16)];

			memcpy(s + n, p, strlen(p));
			n += strlen(p);
		}
		len = text_clean(out, sizeof out, s, n, round & 1);
		cr_assert_eq(utf8_first_bad(out, len), len);
		for (size_t at = 0; at < len;) {
			uint32_t cp;

			at += utf8_decode(out + at, len - at, &cp);
			cr_assert(cp == '\n' || (cp >= 0x20 && cp < 0x7f) || cp > 0x9f);
			cr_assert(cp != 0x202e && (cp < 0xe0000 || cp > 0xe007f));
		}
		/* What is clean stays as it is. */
		cr_assert_str_eq(clean(out, len, true), out);
	}
}

/* ---- classes */

static unsigned count(bool (*is)(uint32_t))
{
	unsigned n = 0;

	for (uint32_t cp = 0; cp <= 0x10ffff; cp++)
		n += is(cp);
	return n;
}

/* Sums over all of Unicode 16, as Hugging Face's tokenizers 0.23 answers. */
Test(uc, classes_are_those_of_the_tokenizers_library)
{
	cr_assert_eq(count(uc_letter), 141028);
	cr_assert_eq(count(uc_number), 1911);
	cr_assert_eq(count(uc_space), 25);
}

Test(uc, known_characters_are_in_their_classes)
{
	static const uint32_t letters[] = { 'a', 'Z', 0xaa, 0xb5, 0xdf, 0x3a9, 0x4e2d, 0xac00,
		0x905, 0x1d400, 0x1c89, 0x20000, 0x17f };
	static const uint32_t numbers[] = { '0', '9', 0xb2, 0xbc, 0x660, 0x2167, 0x3007, 0x1d7ce };
	static const uint32_t neither[] = { 0, '@', '[', '`', '{', '/', ':', 0xd7, 0xf7, 0x300,
		0x93f, 0x200d, 0x1f600, 0xe000, 0x10ffff };

	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
		cr_assert(uc_letter(letters[i]) && !uc_number(letters[i]), "%x", letters[i]);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		cr_assert(uc_number(numbers[i]) && !uc_letter(numbers[i]), "%x", numbers[i]);
	for (size_t i = 0; i < sizeof neither / sizeof *neither; i++)
		cr_assert(!uc_number(neither[i]) && !uc_letter(neither[i]), "%x", neither[i]);
	cr_assert(uc_space(0x85) && uc_space(0xa0) && uc_space(0x3000) && !uc_space(0x200b));
}

/* ---- names */

Test(text, distance_counts_swaps_as_one)
{
	cr_assert_eq(text_distance("", ""), 0);
	cr_assert_eq(text_distance("scan", "scan"), 0);
	cr_assert_eq(text_distance("scna", "scan"), 1);
	cr_assert_eq(text_distance("scn", "scan"), 1);
	cr_assert_eq(text_distance("scann", "scan"), 1);
	cr_assert_eq(text_distance("", "abc"), 3);
	cr_assert_eq(text_distance("kitten", "sitting"), 3);
	cr_assert_eq(text_distance("ca", "abc"), 3); /* aligned: no edit inside a swap */
}

Test(text, the_nearest_name_is_suggested_or_none)
{
	static const char *const verbs[] = { "scan", "search", "eval", "tokens", "logits", "layout",
		"export", "chat", "doctor", "help", NULL };
	static const char *const none[] = { NULL };
	char big[5000];

	cr_assert_str_eq(text_suggest("serach", verbs), "search");
	cr_assert_str_eq(text_suggest("tokesn", verbs), "tokens");
	cr_assert_str_eq(text_suggest("hlep", verbs), "help");
	cr_assert_str_eq(text_suggest("eval", verbs), "eval");
	cr_assert_null(text_suggest("frobnicate", verbs));
	cr_assert_null(text_suggest("x", verbs));
	cr_assert_null(text_suggest("", verbs));
	cr_assert_null(text_suggest("scan", none));
	memset(big, 'q', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	cr_assert_null(text_suggest(big, verbs));
}

Test(text, patterns_match_whole_names)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} t[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "a.b", true },
		{ "layers.*.q", "layers.12.q", true },
		{ "layers.*.q", "layers.12.qq", false },
		{ "layers.?.q", "layers.12.q", false },
		{ "layers.??.q", "layers.12.q", true },
		{ "*q*", "layers.0.q_proj", true },
		{ "a*b*c", "aXbXbc", true },
		{ "a*b*c", "aXbXb", false },
		{ "?", "", false },
		{ "?", "\xc3\xa9", true },
		{ "**x", "x", true },
		{ "*.?", ".hidden.c", true },
		{ "abc", "abcd", false },
		{ "[a]", "a", false },
		{ "[a]", "[a]", true },
		{ "abc*", "abc", true },
	};
	char many[201];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		cr_assert_eq(text_glob(t[i].pattern, t[i].s), t[i].match, "%s on %s", t[i].pattern,
			t[i].s);
	/* Exponential in a naive matcher. */
	memset(many, 'a', 200);
	many[200] = '\0';
	cr_assert_not(text_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", many));
}

Test(text, sizes_are_short_and_binary)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} t[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 98362432, "93.8 MiB" },
		{ 102348, "99.9 KiB" },
		{ 102400, "100 KiB" },
		{ 1048575, "1.0 MiB" },
		{ 1047000, "1022 KiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char out[16];

		cr_assert_str_eq(text_bytes(t[i].bytes, out), t[i].text);
	}
}

Test(text, a_time_is_said_in_the_unit_that_one_would_say)
{
	static const struct {
		double s;
		const char *text;
	} t[] = { { 0, "0 s" }, { 0.2, "1 s" }, { 45, "45 s" }, { 89.4, "89 s" }, { 89.6, "1 min" },
		{ 2160, "36 min" }, { 5369, "89 min" }, { 5370, "1.5 h" }, { 86400, "24.0 h" },
		{ 360000, "100 h" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char out[16];

		cr_assert_str_eq(text_seconds(t[i].s, out), t[i].text);
	}
}
