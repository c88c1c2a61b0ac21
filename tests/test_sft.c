/* test_sft.c - the questions and answers that come with the program. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/text/pack.h"
#include "tests/lib_base.h"
#include "tests/lib_text.h"

#define PATH  "share/sft/next-step.jsonl"
#define BEGIN "In short: "
#define NEXT  " Next step: "

enum { MAX = 400, WINDOW = 255 };

static struct dataset *open_rows(void)
{
	struct dataset *d;
	struct err e;

	cr_assert_eq(dataset_open(&d, PATH, 0, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(dataset_kind(d), DATASET_PROMPT);
	return d;
}

static void expect_manner(const char *s)
{
	size_t n = strlen(s), sentences = 0;
	const char *next = strstr(s, NEXT);

	cr_expect(!strncmp(s, BEGIN, strlen(BEGIN)), "%s", s);
	cr_assert(next, "no next step: %s", s);
	cr_expect_null(strstr(next + 1, NEXT), "two next steps: %s", s);
	cr_expect(strchr(".?!", next[-1]), "the answer ends as a sentence: %s", s);
	cr_expect(s[n - 1] == '.' && s[n - 2] != ' ', "%s", s);
	for (const char *at = s; at < next; at++)
		sentences += strchr(".?!", *at) && (at[1] == ' ');
	cr_expect(sentences == 1 || sentences == 2, "%zu sentences: %s", sentences, s);
	for (size_t i = 0; i < n; i++)
		cr_expect(s[i] >= ' ' && s[i] <= '~', "not plain ASCII: %s", s);
	cr_expect_null(strstr(s, "  "), "two spaces: %s", s);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

Test(sft, every_answer_is_in_the_manner_and_none_is_there_twice)
{
	struct dataset *d = open_rows();
	char *said[2][MAX];
	struct dataset_row row;
	size_t n = 0;
	struct err e;

	for (;;) {
		cr_assert_eq(dataset_next(d, &row, NULL, &e), ST_OK, "%s", e.msg);
		if (!row.n)
			break;
		cr_assert_lt(n, MAX);
		cr_expect_eq(row.line, n + 1);
		expect_manner(row.msg[1].text);
		said[0][n] = xstrdup(row.msg[0].text);
		said[1][n++] = xstrdup(strstr(row.msg[1].text, NEXT));
	}
	cr_expect(n >= 150 && n <= 200, "%zu rows", n);
	for (int k = 0; k < 2; k++) {
		qsort(said[k], n, sizeof *said[k], by_text);
		for (size_t i = 1; i < n; i++)
			cr_expect(strcmp(said[k][i - 1], said[k][i]), "twice: %s", said[k][i]);
		for (size_t i = 0; i < n; i++)
			xfree(said[k][i]);
	}
	dataset_close(d);
}

Test(sft, every_row_fits_the_default_model_s_window)
{
	char *model = text_model();
	struct pack_how how = { .window = WINDOW, .held = 0.1 };
	const struct pack_counts *c;
	struct text_fixture f;
	struct dataset *d;
	struct pack *p;
	struct err e;

	if (!model)
		cr_skip("no default model (make model)");
	text_open_gguf(&f, model);
	how.tok = f.tok;
	how.jinja = f.vocab->chat_template;
	cr_assert_eq(template_recognise(&how.template, how.jinja, &e), ST_OK, "%s", e.msg);
	d = open_rows();
	cr_assert_eq(pack_read(&p, d, &how, NULL, &e), ST_OK, "%s", e.msg);
	c = pack_counts(p);
	cr_log_info("%llu rows, %llu held out; %llu + %llu tokens, %llu + %llu learned",
		(unsigned long long)c->rows, (unsigned long long)c->held,
		(unsigned long long)c->tokens, (unsigned long long)c->held_tokens,
		(unsigned long long)c->labelled, (unsigned long long)c->held_labelled);
	cr_expect(!c->cut && !c->lost && !c->empty);
	cr_expect_geq(c->held, 5);
	cr_expect_geq(c->labelled + c->held_labelled, 3000);
	pack_free(p);
	dataset_close(d);
	text_close(&f);
	xfree(model);
}
