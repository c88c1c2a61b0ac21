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

	cr_assert_eq(fs_write_all(path, bytes, strlen(bytes), e), ST_OK);
	return corpus_read(path, 1 << 20, out, n, e);
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
	char *s;
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };

		cr_assert_eq(read_as("a.jsonl", bad[i].bytes, &s, &n, &e), ST_FORMAT, "%zu", i);
		cr_assert(strstr(e.msg, bad[i].says), "%s", e.msg);
	}
	cr_assert_neq(corpus_read(tmp_path("none.jsonl"), 100, &s, &n, NULL), ST_OK);
}
