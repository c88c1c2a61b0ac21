/* test_dataset.c - rows of every kind of data file, and a sentence for every bad one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/sha256.h"
#include "core/text/dataset.h"
#include "tests/lib_base.h"
#include "tests/lib_text.h"

static struct dataset *open_as(const char *name, const char *s, size_t n)
{
	struct dataset *d;
	struct err e;

	tmp_write(tmp_path(name), s, n);
	cr_assert_eq(dataset_open(&d, tmp_path(name), 0, &e), ST_OK, "%s", e.msg);
	return d;
}

static struct dataset_row next(struct dataset *d)
{
	struct dataset_row row;
	struct err e;

	cr_assert_eq(dataset_next(d, &row, NULL, &e), ST_OK, "%s", e.msg);
	return row;
}

static void expect_message(
	const struct dataset_row *row, size_t i, const char *role, const char *text)
{
	cr_assert_lt(i, row->n);
	cr_expect_str_eq(row->msg[i].role, role);
	cr_expect_str_eq(row->msg[i].text, text);
	cr_expect_eq(row->msg[i].len, strlen(text));
}

#define OPEN(name, s) open_as(name, s, strlen(s))

Test(dataset, an_alpaca_list_joins_instruction_and_input)
{
	struct dataset *d = OPEN("a.json",
		"\xef\xbb\xbf[\r\n {\"output\": \"o\", \"instruction\": \"i\", \"input\": "
		"\"\"},\r\n\r\n"
		" {\"instruction\": \"say ]}\\\"\", \"input\": \"\\u00e9\", \"id\": [1, {\"a\": "
		"2}], "
		"\"output\": \"p\"}\r\n,{\"instruction\":\"x\",\"output\":\"\"}]\r\n");
	struct dataset_row row = next(d);

	cr_expect_eq(dataset_kind(d), DATASET_ALPACA);
	cr_expect(row.n == 2 && row.number == 1 && row.line == 2);
	expect_message(&row, 0, "user", "i");
	expect_message(&row, 1, "assistant", "o");
	row = next(d);
	cr_expect(row.number == 2 && row.line == 4);
	expect_message(&row, 0, "user", "say ]}\"\n\n\xc3\xa9");
	expect_message(&row, 1, "assistant", "p");
	row = next(d);
	expect_message(&row, 0, "user", "x");
	cr_expect_eq(next(d).n, 0);
	cr_expect_eq(next(d).n, 0);
	dataset_close(d);
}

Test(dataset, lines_of_every_kind_are_known_by_their_members)
{
	struct dataset *d =
		OPEN("p.jsonl", "\n{\"prompt\":\"a\\u0000b\",\"completion\":\"c\"}\r\n \n"
				"{\"completion\":\"d\",\"prompt\":\"\",\"text\":null}");
	struct dataset_row row = next(d);

	cr_expect_eq(dataset_kind(d), DATASET_PROMPT);
	cr_expect_eq(row.line, 2);
	cr_expect(row.msg[0].len == 3 && !memcmp(row.msg[0].text, "a\0b", 4));
	row = next(d);
	cr_expect(row.line == 4 && row.number == 2);
	expect_message(&row, 0, "user", "");
	expect_message(&row, 1, "assistant", "d");
	cr_expect_eq(next(d).n, 0);
	dataset_close(d);

	d = OPEN("no-ending",
		"{\"prompt\":\"x\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{"
		"\"content\":\"u\","
		"\"role\":\"user\",\"name\":\"n\"},{\"role\":\"assistant\",\"content\":\"a\"}]}");
	row = next(d);
	cr_expect_eq(dataset_kind(d), DATASET_MESSAGES);
	cr_expect_eq(row.n, 3);
	expect_message(&row, 0, "system", "s");
	expect_message(&row, 1, "user", "u");
	expect_message(&row, 2, "assistant", "a");
	dataset_close(d);

	d = OPEN("t.jsonl", "{\"text\":\"once\"}\n{\"text\":\"\"}\n");
	row = next(d);
	cr_expect_eq(dataset_kind(d), DATASET_TEXT);
	expect_message(&row, 0, "text", "once");
	cr_expect(row.last);
	cr_expect_neq(next(d).n, 0);
	cr_expect_eq(next(d).n, 0);
	dataset_close(d);
}

/* All pieces together, and where each begins. */
static void expect_text(struct dataset *d, const char *want, size_t n)
{
	size_t at = 0, line = 1;
	struct dataset_row row;

	while ((row = next(d)).n) {
		cr_assert_leq(at + row.msg[0].len, n);
		cr_assert(!memcmp(row.msg[0].text, want + at, row.msg[0].len));
		cr_expect_eq(row.line, line);
		cr_expect_leq(row.msg[0].len, 16384);
		for (size_t i = 0; i < row.msg[0].len; i++)
			line += row.msg[0].text[i] == '\n';
		at += row.msg[0].len;
		cr_expect_eq(row.last, at == n);
		cr_expect(row.last || row.msg[0].len >= 4000);
	}
	cr_expect_eq(at, n);
}

Test(dataset, a_plain_text_comes_whole_in_pieces_behind_line_ends)
{
	enum { N = 40000 };
	char *s = xalloc(2 * N + 4), *crlf = xalloc(2 * N);
	size_t n = 0;
	struct dataset *d;

	for (size_t i = 0; i < N; i++)
		s[i] = i % 71 == 70 ? '\n' : (char)('a' + i % 23);
	d = open_as("a.txt", s, N);
	cr_expect_eq(dataset_kind(d), DATASET_PLAIN);
	expect_text(d, s, N);
	dataset_close(d);
	for (size_t i = 0; i < N; i++) {
		if (s[i] == '\n')
			crlf[n++] = '\r';
		crlf[n++] = s[i];
	}
	d = open_as("b.txt", crlf, n);
	expect_text(d, s, N);
	dataset_close(d);
	/* no line end, characters of two bytes: none is cut */
	for (size_t i = 0; i < N; i++)
		memcpy(s + 1 + 2 * i, "\xc3\xa9", 2);
	s[0] = 'x';
	d = open_as("c.txt", s, 2 * N + 1);
	expect_text(d, s, 2 * N + 1);
	dataset_close(d);
	xfree(s);
	xfree(crlf);
	d = OPEN("song", "[Verse 1]\nla\n");
	expect_text(d, "[Verse 1]\nla\n", 13);
	dataset_close(d);
	d = OPEN("json.txt", " {\"prompt\": 3}");
	expect_text(d, " {\"prompt\": 3}", 14);
	dataset_close(d);
}

Test(dataset, rows_may_be_longer_than_what_is_read_at_once_and_have_a_limit)
{
	size_t n = (16u << 20) + 100, k = (3u << 20) + 17;
	char *s = xalloc(n + 64);
	struct dataset *d;
	struct dataset_row row;
	struct err e;
	size_t head;

	head = (size_t)snprintf(s, n, "[{\"prompt\":\"a\",\"completion\":\"");
	memset(s + head, 'x', k);
	memcpy(s + head + k, "\"},{\"prompt\":\"b\",\"completion\":\"c\"}]", 36);
	d = open_as("a.json", s, strlen(s));
	row = next(d);
	cr_expect_eq(row.msg[1].len, k);
	row = next(d);
	expect_message(&row, 0, "user", "b");
	dataset_close(d);
	head = (size_t)snprintf(s, n, "{\"text\":\"a\"}\n{\"text\":\"");
	memset(s + head, 'x', n - head);
	for (int form = 0; form < 2; form++) {
		const char *path = tmp_path(form ? "a.json" : "a.jsonl");

		if (form)
			memcpy(s, "[{\"text\":\"a\"},{\"text\":\"", 23);
		tmp_write(path, s, n);
		cr_assert_eq(dataset_open(&d, path, 0, &e), ST_OK, "%s", e.msg);
		cr_expect_neq(next(d).n, 0);
		cr_expect_eq(dataset_next(d, &row, NULL, &e), ST_FORMAT);
		cr_expect(
			strstr(e.msg, form ? "row 2 (line" : "line 2: a row of more than 16.0 MiB"),
			"%s", e.msg);
		dataset_close(d);
	}
	xfree(s);
}

/* ---- what is wrong with a file, in one sentence */

static const struct {
	const char *name, *bytes, *says; /* says: behind the folder */
} wrong[] = {
	{ "e.jsonl", "", "e.jsonl: no row in it; a data file has at least one" },
	{ "e.jsonl", "\xef\xbb\xbf\n \r\n", "e.jsonl: no row in it" },
	{ "e.json", "[ ]", "e.json: no row in it" },
	{ "e.txt", "", "e.txt: no row in it" },
	{ "u.txt",
		"\xff\xfe"
		"a",
		"u.txt: text in UTF-16; convert it to UTF-8" },
	{ "l.txt", "one\ntwo\xe9\n",
		"l.txt: line 2: a byte e9, which text in UTF-8 does not have" },
	{ "w.jsonl", "prompt,completion\n", "w.jsonl: line 1: not JSON, which begins with { or [" },
	{ "w.jsonl", "\n\n\"text\"\n", "w.jsonl: line 3: not JSON" },
	{ "w.jsonl", "[\"a\", \"b\"]\n",
		"w.jsonl: line 1: expected an object { }, got a list; mend" },
	{ "w.json", "[1, 2]", "w.json: line 1: after row 0: expected a row in { }" },
	{ "k.jsonl", "{\"question\":\"a\",\"answer\":\"b\"}",
		"k.jsonl: line 1: none of the rows known here" },
	{ "k.jsonl", "{}", "k.jsonl: line 1: none of the rows known here" },
	{ "k.jsonl", "{\"prompt\":\"a\"}", "k.jsonl: line 1: none of the rows known here" },
	{ "v.jsonl", "{\"prompt\":\"a\",\"completion\":3}",
		"v.jsonl: line 1: \"completion\" is a number, expected a string; mend" },
	{ "v.jsonl", "{\"prompt\":[],\"completion\":\"\"}",
		"line 1: \"prompt\" is a list, expected a string" },
	{ "v.jsonl", "{\"text\":{\"a\":[1]}}", "line 1: \"text\" is an object, expected a string" },
	{ "v.json", "[{\"instruction\":\"a\",\"input\":null,\"output\":\"\"}]",
		"v.json: row 1 (line 1): \"input\" is null, expected a string" },
	{ "d.jsonl", "{\"text\":\"a\",\"text\":\"b\"}", "d.jsonl: line 1: the key \"text\" twice" },
	{ "m.jsonl", "{\"messages\":\"a\"}",
		"m.jsonl: line 1: \"messages\" is a string, expected a list" },
	{ "m.jsonl", "{\"messages\":[]}", "m.jsonl: line 1: \"messages\" is empty" },
	{ "m.jsonl", "{\"messages\":[\"a\"]}",
		"line 1: message 1 is a string, expected {role, content}" },
	{ "m.jsonl", "{\"messages\":[{\"role\":\"user\"}]}",
		"line 1: message 1: expected a string \"content\", got nothing" },
	{ "m.jsonl", "{\"messages\":[{\"content\":\"a\"}]}",
		"line 1: message 1: expected a string \"role\", got nothing" },
	{ "m.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
		"message 1: expected a string \"content\", got a list" },
	{ "m.jsonl", "{\"messages\":[{\"role\":\"tool\",\"content\":\"\"}]}",
		"message 1: the role \"tool\" is not one of system, user, assistant" },
	{ "m.jsonl", "{\"messages\":[{\"role\":\"user\",\"role\":\"user\",\"content\":\"\"}]}",
		"message 1: the key \"role\" twice" },
	{ "j.jsonl", "{\"text\":\"a\xff\"}", "j.jsonl: line 1: byte 10: not UTF-8; mend" },
	{ "j.jsonl", "{\"text\":", "j.jsonl: line 1: byte 8: the text ends too early; mend" },
	{ "j.jsonl", "{\n\"text\": \"a\"\n}", "(each line is one JSON object)" },
	{ "j.jsonl", "{\"text\":\"a\"} x", "line 1: byte 13: something after the value" },
	{ "j.json", "[{\"text\":\"a\"",
		"j.json: row 1 (line 1): byte 11: the text ends too early" },
};

Test(dataset, what_is_no_data_is_said_in_one_sentence_when_it_is_opened)
{
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const char *path = tmp_path(wrong[i].name);
		struct dataset *d;
		struct err e = { 0 };

		tmp_write(path, wrong[i].bytes, strlen(wrong[i].bytes));
		cr_expect_eq(
			dataset_open(&d, path, 0, &e), ST_FORMAT, "%zu: %s", i, wrong[i].bytes);
		cr_expect_null(d);
		cr_expect(strstr(e.msg, wrong[i].says), "%zu: %s", i, e.msg);
	}
}

static const struct {
	const char *name, *bytes, *says;
} later[] = {
	{ "a.jsonl", "{\"text\":\"a\"}\n\n{\"prompt\":\"a\",\"completion\":\"b\"}",
		"a.jsonl: line 3: no \"text\", though the rows before it are texts" },
	{ "a.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"a\"}",
		"a.jsonl: line 2: no \"completion\", though the rows before it are prompt and "
		"completion" },
	{ "a.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"completion\":\"a\"}",
		"a.jsonl: line 2: no \"prompt\"" },
	{ "a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"",
		"a.jsonl: line 2: byte 11: the text ends too early" },
	{ "a.json", "[{\"text\":\"a\"}\n{\"text\":\"b\"}]",
		"a.json: line 2: after row 1: expected a comma or ]; is the file whole?" },
	{ "a.json", "[{\"text\":\"a\"},\n]", "a.json: line 2: after row 1: expected a row in { }" },
	{ "a.json", "[{\"text\":\"a\"}", "a.json: line 1: after row 1: expected a comma or ]" },
	{ "a.json", "[{\"text\":\"a\"}]\n\nx",
		"a.json: line 3: something after the end of the list" },
	{ "a.json", "[{\"text\":\"a\"},\n{\"text\":\n7}]",
		"a.json: row 2 (line 2): \"text\" is a number" },
};

Test(dataset, a_bad_row_names_its_line)
{
	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		struct dataset *d = OPEN(later[i].name, later[i].bytes);
		struct dataset_row row;
		struct err e = { 0 };

		cr_expect_neq(next(d).n, 0);
		cr_expect_eq(dataset_next(d, &row, NULL, &e), ST_FORMAT, "%zu", i);
		cr_expect(strstr(e.msg, later[i].says), "%zu: %s", i, e.msg);
		dataset_close(d);
	}
}

Test(dataset, what_is_no_text_and_what_is_no_file_is_refused)
{
	const char *path = tmp_path("model.gguf");
	struct dataset *d;
	struct err e;

	tmp_write(path, "GGUF\3\0\0\0", 8);
	cr_expect_eq(dataset_open(&d, path, 0, &e), ST_FORMAT);
	cr_expect(
		strstr(e.msg, "byte 5 is zero: neither text nor JSON; give a .json"), "%s", e.msg);
	cr_expect_neq(dataset_open(&d, tmp_path("none"), 0, &e), ST_OK);
	cr_expect_neq(dataset_open(&d, tmp_dir(), 0, &e), ST_OK);
	dataset_close(NULL);
}

Test(dataset, a_row_cut_at_any_byte_is_refused_or_ends_as_text_would)
{
	static const char row[] =
		"[{\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\\\"\"}],\"n\":"
		"[1.5e3,{\"a\":true}]},{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}]";

	for (size_t n = 1; n < sizeof row - 1; n++) {
		struct dataset *d;
		struct dataset_row got = { .n = 1 };
		enum st st;
		struct err e;

		tmp_write(tmp_path("a.json"), row, n);
		st = dataset_open(&d, tmp_path("a.json"), 0, &e);
		while (!st && got.n)
			st = dataset_next(d, &got, NULL, &e);
		cr_expect_eq(st, ST_FORMAT, "%zu bytes", n);
		dataset_close(d);
	}
}

/* ---- the rest */

Test(dataset, the_sum_is_of_the_whole_file_however_little_was_taken)
{
	static const char bytes[] = "\xef\xbb\xbf{\"text\":\"a\"}\n{\"text\":\"b\"}\nno json";
	char want[65], got[65];
	struct dataset_row row;
	struct dataset *d;
	struct err e;

	sha256_of(bytes, sizeof bytes - 1, want);
	tmp_write(tmp_path("a.jsonl"), bytes, sizeof bytes - 1);
	cr_assert_eq(dataset_open(&d, tmp_path("a.jsonl"), 1, &e), ST_OK);
	cr_expect_neq(next(d).n, 0);
	cr_expect_eq(next(d).n, 0, "one row was asked for");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(dataset_sha256(d, got, NULL, &e), ST_OK, "%s", e.msg);
		cr_expect_str_eq(got, want);
	}
	cr_expect_eq(dataset_next(d, &row, NULL, &e), ST_OK);
	cr_expect_eq(row.n, 0);
	dataset_close(d);
	cr_assert_eq(dataset_open(&d, tmp_path("a.jsonl"), 0, &e), ST_OK);
	tmp_write(tmp_path("a.jsonl"), bytes, 20);
	cr_expect_eq(dataset_sha256(d, got, NULL, &e), ST_IO);
	cr_expect(strstr(e.msg, "was written to while it was read"), "%s", e.msg);
	dataset_close(d);
}

static bool stop(const struct sink *s)
{
	(void)s;
	return true;
}

Test(dataset, reading_can_be_stopped)
{
	size_t n = 3u << 20;
	char *s = xalloc(n);
	struct sink sink = { .poll = stop };
	struct dataset_row row = { .n = 1 };
	struct dataset *d;
	enum st st = ST_OK;
	char sum[65];
	struct err e;

	memset(s, 'x', n);
	d = open_as("a.txt", s, n);
	while (!st && row.n)
		st = dataset_next(d, &row, &sink, &e);
	cr_expect_eq(st, ST_CANCELLED);
	cr_expect_eq(dataset_sha256(d, sum, &sink, &e), ST_CANCELLED);
	dataset_close(d);
	xfree(s);
}

Test(dataset, out_of_memory_is_an_answer)
{
	static const char bytes[] = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
	struct dataset *d;
	struct err e;
	enum st st;
	unsigned long k = 0;

	tmp_write(tmp_path("a.jsonl"), bytes, sizeof bytes - 1);
	do {
		alloc_fail_at(++k, false);
		st = dataset_open(&d, tmp_path("a.jsonl"), 0, &e);
		cr_expect(st == ST_OK || st == ST_NOMEM, "%s", e.msg);
	} while (st);
	alloc_fail_at(0, false);
	cr_expect_gt(k, 2);
	dataset_close(d);
}

Test(dataset, the_published_alpaca_rows_are_read)
{
	char *path = text_data("sft/alpaca.2000.json");
	struct dataset *d;
	struct dataset_row row;
	size_t n = 0;
	struct err e;

	if (!path) {
		fprintf(stderr, "skipped: no reference data at ../shared/data/sft/alpaca.2000.json\n");
		cr_skip("no data");
	}
	cr_assert_eq(dataset_open(&d, path, 0, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(dataset_kind(d), DATASET_ALPACA);
	while ((row = next(d)).n)
		n++;
	cr_expect_eq(n, 2000);
	dataset_close(d);
	xfree(path);
}
