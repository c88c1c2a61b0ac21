/* lib_docs.c - see lib_docs.h. */
#include "tests/lib_docs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

char *slurp(const char *path)
{
	struct err e = { 0 };
	char *text = NULL;
	size_t n;

	cr_assert_eq(fs_read(path, 1 << 20, &text, &n, &e), ST_OK, "%s", e.msg);
	return text;
}

bool next_word(const char **s, char out[DOCS_WORD])
{
	size_t n;

	*s += strspn(*s, " \t\n");
	n = strcspn(*s, " \t\n");
	snprintf(out, DOCS_WORD, "%.*s", (int)n, *s);
	*s += n;
	return n > 0;
}

bool has_word(const char *list, const char *word)
{
	char w[64];

	while (next_word(&list, w))
		if (!strcmp(w, word))
			return true;
	return false;
}

void same_words(const char *a, const char *b, const char *where)
{
	char w[64];

	for (const char *s = a; next_word(&s, w);)
		cr_assert(has_word(b, w), "%s lacks %s", where, w);
	for (const char *s = b; next_word(&s, w);)
		cr_assert(has_word(a, w), "%s has %s, which the program does not", where, w);
}

void mandoc_warns_of_nothing(const char *path)
{
	char line[256], *cmd;
	FILE *p;

	if (system("command -v mandoc >/dev/null 2>&1"))
		cr_skip_test("mandoc is not installed");
	cmd = xprintf("mandoc -T lint -W warning '%s' 2>&1", path);
	p = popen(cmd, "r");
	cr_assert(p);
	cr_expect_not(fgets(line, sizeof line, p), "%s", line);
	pclose(p);
	xfree(cmd);
}
