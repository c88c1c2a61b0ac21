/* test_corpus.c - what a text file and a file of JSON lines say. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/text/corpus.h"
#include "tests/lib_base.h"

static enum st read_as(const char *name, const char *bytes, char **out, size_t *n, struct err *e)
{
	const char *path = tmp_path(name);
	struct corpus c;
	enum st st;

	cr_assert_eq(fs_write_all(path, bytes, strlen(bytes), e), ST_OK);
	st = corpus_read(&c, path, 1 << 20, 0, NULL, e);
	cr_assert(st || (c.whole && c.still));
	*out = c.text;
	*n = c.n;
	return st;
}

Test(corpus, a_text_file_is_its_bytes)
{
	static const char bytes[] = "{\"text\": \"not taken apart\"}\r\n\xff\n";
	struct err e;
	char *s;
	size_t n;

	cr_assert_eq(read_as("a.txt", bytes, &s, &n, &e), ST_OK);
	cr_assert_eq(n, sizeof bytes - 1);
	cr_assert(!memcmp(s, bytes, n));
	big_free(s);
}

Test(corpus, json_lines_give_their_texts_with_an_empty_line_between)
{
	struct err e;
	char *s;
	size_t n;

	cr_assert_eq(read_as("a.jsonl",
			     "{\"id\": 1, \"text\": \"a\\nb\"}\r\n\n  \n{\"content\":\"\\u00e9\"}\n"
			     "{\"url\":\"x\",\"story\":\"once\"}",
			     &s, &n, &e),
		ST_OK, "%s", e.msg);
	cr_assert_str_eq(s, "a\nb\n\n\xc3\xa9\n\nonce");
	cr_assert_eq(n, strlen(s));
	big_free(s);
	cr_assert_eq(read_as("b.jsonl", "", &s, &n, &e), ST_OK);
	cr_assert_eq(n, 0);
	big_free(s);
}

Test(corpus, a_bad_line_is_named)
{
	static const struct {
		const char *bytes, *says;
	} bad[] = {
		{ "{\"text\":\"a\"}\n{\"text\":", "line 2" },
		{ "\n{\"text\": 3}\n", "line 2: expected an object with a string \"text\"" },
		{ "[\"text\"]\n", "line 1: expected an object" },
		{ "{\"title\":\"a\"}\n", "line 1: expected an object" },
	};
	struct corpus c;
	char *s;
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };

		cr_assert_eq(read_as("a.jsonl", bad[i].bytes, &s, &n, &e), ST_FORMAT, "%zu", i);
		cr_assert(strstr(e.msg, bad[i].says), "%s", e.msg);
	}
	cr_assert_neq(corpus_read(&c, tmp_path("none.jsonl"), 100, 0, NULL, NULL), ST_OK);
}

Test(corpus, a_byte_order_mark_before_json_lines_is_passed_over)
{
	struct err e;
	char *s;
	size_t n;

	cr_assert_eq(read_as("m.jsonl", "\xef\xbb\xbf{\"text\":\"a\"}\n{\"text\":\"b\"}\n", &s,
			     &n, &e),
		ST_OK, "%s", e.msg);
	cr_assert_str_eq(s, "a\n\nb");
	big_free(s);
}

static bool stop(const struct sink *s)
{
	return ++*(int *)s->self > 3;
}

Test(corpus, only_the_beginning_is_read_and_a_long_one_can_be_stopped)
{
	static char line[] = "{\"text\": \"once upon a time\"}\n";
	size_t len = sizeof line - 1, n = (6u << 20) / len * len;
	char *bytes = xalloc(n + 8);
	int polls = 0;
	struct sink s = { .poll = stop, .self = &polls };
	struct corpus c;
	struct err e;

	for (size_t i = 0; i < n; i++)
		bytes[i] = line[i % len];
	memcpy(bytes + n, "no json", 7);
	for (int k = 0; k < 2; k++) {
		const char *path = tmp_path(k ? "long.txt" : "long.jsonl");

		polls = 0;
		cr_assert_eq(fs_write_all(path, bytes, n + 7, &e), ST_OK);
		cr_assert_eq(corpus_read(&c, path, 1 << 30, 1000, &s, &e), ST_OK, "%s", e.msg);
		cr_assert(c.n >= 1000 && c.n < 1100 && !c.whole);
		cr_assert_eq(polls, 1, "a megabyte at most");
		big_free(c.text);
		cr_assert_eq(corpus_read(&c, path, 1 << 30, 0, &s, &e), ST_CANCELLED);
	}
	xfree(bytes);
}
