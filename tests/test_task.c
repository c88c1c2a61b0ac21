/* test_task.c - tasks of multiple choice: their files, and what the model makes of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/eval/task.h"
#include "core/text/tokenizer.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"

static struct task t;
static struct err e;

static enum st reads(const char *text)
{
	const char *path = tmp_path("some.jsonl");

	tmp_write(path, text, strlen(text));
	e = (struct err){ 0 };
	return task_read(&t, path, 0, NULL, &e);
}

static void begin(void)
{
	tmp_dir();
}

TestSuite(task, .init = begin, .timeout = 120);

/* ---- files: one item in each form, written as the published sets have it */

static const struct {
	const char *form, *line, *context, *option;
	size_t n, answer;
} forms[] = {
	{ "bitdial", "{\"prompt\":\"The sky is\",\"options\":[\"blue\",\"green\"],\"answer\":1}",
		"The sky is", "green", 2, 1 },
	{ "bitdial", "{\"prompt\":\"\",\"options\":[\"a\",\"b\",\"c\"],\"answer\":\"C\"}", "", "c",
		3, 2 },
	{ "arc",
		"{\"id\":\"x\",\"question\":{\"stem\":\"Why?\",\"choices\":[{\"text\":\"so\","
		"\"label\":\"1\"},"
		"{\"text\":\"no\",\"label\":\"2\"}]},\"answerKey\":\"2\"}",
		"Question: Why?\nAnswer:", "no", 2, 1 },
	{ "openbookqa",
		"{\"id\":\"x\",\"question_stem\":\"Gas\",\"choices\":{\"text\":[\"a\",\"b\"],"
		"\"label\":[\"A\","
		"\"B\"]},\"answerKey\":\"A\"}",
		"Gas", "a", 2, 0 },
	{ "hellaswag",
		"{\"activity_label\":\"Vault\",\"ctx_a\":\"A  [step] man\",\"ctx_b\":\"a "
		"few\",\"endings\":"
		"[\"go [title] up\",\"down\"],\"label\":0}",
		"Vault: A man A few", "go. up", 2, 0 },
	{ "winogrande",
		"{\"sentence\":\"Ann met Bo so _ won it.\",\"option1\":\"Ann\",\"option2\":\"Bo\","
		"\"answer\":\"2\"}",
		"Ann met Bo so Bo", "won it.", 2, 1 },
	{ "boolq", "{\"question\":\"is it\",\"passage\":\"It is.\",\"idx\":1,\"label\":\"true\"}",
		"It is.\nQuestion: is it?\nAnswer:", "yes", 2, 1 },
	{ "wic", "{\"word\":\"w\",\"sentence1\":\"a w\",\"sentence2\":\"b w\",\"label\":\"false\"}",
		"Sentence 1: a w\nSentence 2: b w\nQuestion: Is the word 'w' used in the same way "
		"in the "
		"two sentences above?\nAnswer:",
		"no", 2, 0 },
	{ "anli", "{\"context\":\"P.\",\"hypothesis\":\"H.\",\"label\":\"c\"}",
		"P.\nQuestion: H. True, False, or Neither?\nAnswer:", "False", 3, 2 },
	{ "race",
		"{\"answers\":[\"B\"],\"options\":[[\"x\",\"y\",\"z\"]],\"questions\":[\"Q?\"],"
		"\"article\":"
		"\"Text.\"}",
		"Article: Text.\n\nQuestion: Q?\nAnswer:", "y", 3, 1 },
};

static size_t polled;

static bool counts(const struct sink *s)
{
	(void)s;
	return ++polled > 2;
}

Test(task, a_line_of_more_than_a_mebibyte_is_refused_and_long_ones_can_be_stopped)
{
	static const char head[] = "{\"prompt\":\"",
			  tail[] = "\",\"options\":[\"a\",\"b\"],\"answer\":0}\n";
	enum { LONG = 900000, LINES = 12 };
	char *text = xalloc((size_t)LINES * (LONG + 100)), *to = text;
	const struct sink sink = { .poll = counts };

	to += sprintf(to, "%sx%s%s", head, tail, head);
	memset(to, 'y', 1 << 20);
	strcpy(to + (1 << 20), tail);
	cr_assert_eq(reads(text), ST_FORMAT);
	cr_assert(strstr(e.msg, "some.jsonl: line 2: ") && strstr(e.msg, "1048576"), "%s", e.msg);
	to = text;
	for (size_t i = 0; i < LINES; i++) {
		to += sprintf(to, "%s", head);
		memset(to, 'y', LONG);
		to += LONG + sprintf(to + LONG, "%s", tail);
	}
	tmp_write(tmp_path("long.jsonl"), text, (size_t)(to - text));
	cr_assert_eq(task_read(&t, tmp_path("long.jsonl"), 0, &sink, &e), ST_CANCELLED);
	xfree(text);
}

Test(task, each_published_form_is_read_as_it_is)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		cr_assert_eq(reads(forms[i].line), ST_OK, "%s: %s", forms[i].form, e.msg);
		cr_assert_str_eq(t.form->name, forms[i].form);
		cr_assert_eq(t.n, 1);
		cr_assert_eq(t.item[0].n, forms[i].n, "%s", forms[i].form);
		cr_assert_eq(t.item[0].answer, forms[i].answer, "%s", forms[i].form);
		cr_assert_str_eq(t.item[0].context[forms[i].answer], forms[i].context);
		cr_assert_str_eq(t.item[0].option[forms[i].answer], forms[i].option);
		task_release(&t);
	}
}

Test(task, a_byte_order_mark_is_passed_over)
{
	cr_assert_eq(reads("\xef\xbb\xbf{\"prompt\":\"x\",\"options\":[\"a\",\"b\"],\"answer\":0}"),
		ST_OK, "%s", e.msg);
	task_release(&t);
}

Test(task, the_labels_of_piqa_lie_beside)
{
	const char *two = "{\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\"}\n"
			  "{\"goal\":\"h\",\"sol1\":\"c\",\"sol2\":\"d\"}\n";

	cr_assert_eq(reads(two), ST_IO);
	tmp_write(tmp_path("some-labels.lst"), "1\n0\n", 4);
	cr_assert_eq(reads(two), ST_OK, "%s", e.msg);
	cr_assert_eq(t.item[0].answer, 1);
	cr_assert_eq(t.item[1].answer, 0);
	cr_assert_str_eq(t.item[1].context[0], "Question: h\nAnswer:");
	task_release(&t);
	tmp_write(tmp_path("some-labels.lst"), "1\n2\n", 4);
	cr_assert_eq(reads(two), ST_FORMAT);
	cr_assert(strstr(e.msg, "line 2"), "%s", e.msg);
}

Test(task, what_is_wrong_is_named_with_its_line)
{
	static const struct {
		const char *text, *say;
	} bad[] = {
		{ "", "there are no questions" },
		{ "\n{\"a\":1}\n", "line 2: no known form of a task" },
		{ "[1]\n", "line 1: expected an object" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\",\"b\"],\"answer\":0}\n{\"prompt\":\"x\"\n",
			"line 2" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\",\"b\"],\"answer\":2}",
			"an answer among the" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\",\"b\"],\"answer\":0.5}",
			"an answer among the" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\"],\"answer\":0}", "two options" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\",\"\"],\"answer\":0}", "option 2 is empty" },
		{ "{\"prompt\":\"x\",\"options\":[\"a\",3],\"answer\":0}",
			"options that are strings" },
		{ "{\"prompt\":\"x\",\"options\":\"ab\",\"answer\":0}", "a list of options" },
		{ "{\"prompt\":\"x\",\"options\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
		  "\"9\"],"
		  "\"answer\":0}",
			"more than 8" },
		{ "{\"question\":3,\"answerKey\":\"A\"}", "a stem and choices" },
		{ "{\"sentence\":\"no gap\",\"option1\":\"a\",\"option2\":\"b\",\"answer\":\"1\"}",
			"a sentence with a _" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert_eq(reads(bad[i].text), ST_FORMAT, "%s", bad[i].text);
		cr_assert(strstr(e.msg, bad[i].say), "%s: %s", bad[i].text, e.msg);
	}
	cr_assert_eq(task_read(&t, "/no/such.jsonl", 0, NULL, &e), ST_IO);
}

Test(task, the_questions_that_come_with_the_program_are_sound)
{
	size_t at[4] = { 0 };

	cr_assert_eq(task_read(&t, "share/tasks/basics.jsonl", 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(t.n, 60);
	for (size_t i = 0; i < t.n; i++) {
		cr_assert_eq(t.item[i].n, 4);
		at[t.item[i].answer]++;
	}
	for (size_t i = 0; i < 4; i++) /* whoever says always the same is right by chance alone */
		cr_assert_eq(at[i], 15);
	task_release(&t);
}

Test(task, reference_files_are_read_whole)
{
	static const struct {
		const char *name;
		size_t n;
	} files[] = { { "tasks/arc_easy.test.jsonl", 2376 }, { "tasks/piqa.valid.jsonl", 1838 },
		{ "tasks/openbookqa.validation.jsonl", 500 },
		{ "tasks/winogrande_xl.validation.jsonl", 1267 },
		{ "tasks/boolq.val.200.jsonl", 200 }, { "tasks/hellaswag.val.200.jsonl", 200 },
		{ "tasks/wic.val.100.jsonl", 100 }, { "tasks/anli_r3.dev.60.jsonl", 60 } };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = lib_data(files[i].name);

		if (!path)
			return;
		cr_assert_eq(task_read(&t, path, 0, NULL, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(t.n, files[i].n, "%s", path);
		task_release(&t);
		xfree(path);
	}
}

/* ---- scores */

/* The same, an option and a token at a time: log p of ids[from..n) behind what stands before. */
static double slowly(const struct model *m, const int32_t *ids, size_t from, size_t n)
{
	float *z = xarray(m->hp.vocab, sizeof *z);
	double sum = 0;

	for (size_t i = from; i < n; i++) {
		struct fwd *f;
		struct kv *kv;
		double all = 0;

		cr_assert_eq(fwd_new(&f, m, i, &e), ST_OK);
		cr_assert_eq(kv_new(&kv, m, i, KV_F32, &e), ST_OK);
		cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, i, z, NULL, &e), ST_OK, "%s", e.msg);
		for (size_t k = 0; k < m->hp.vocab; k++)
			all += exp((double)z[k]);
		sum += (double)z[ids[i]] - log(all);
		kv_free(kv);
		fwd_free(f);
	}
	xfree(z);
	return sum;
}

static void demo_task(size_t items)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	for (size_t i = 0; i < items; i++)
		fprintf(f,
			"{\"prompt\":\"%.*s\",\"options\":[\"one\",\"two or "
			"so\",\"%zu\"],\"answer\":%zu}\n",
			(int)(i * 7 % 40), "a row of words that is cut at some place, anywhere", i,
			i % 3);
	fclose(f);
	cr_assert_eq(reads(text), ST_OK, "%s", e.msg);
	free(text);
}

Test(task, scores_are_those_of_each_option_alone)
{
	struct model *m = lib_demo("cpu", 1);
	struct tokenizer *tok;
	struct task_result r;
	int32_t start = 0;

	cr_assert_eq(tokenizer_new(&tok, m->ck->vocab, &e), ST_OK, "%s", e.msg);
	demo_task(40);
	cr_assert_eq(task_run(&r, &t, m, NULL, tok, start, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(r.items, 40);
	for (size_t i = 0; i < t.n; i += 3) {
		double best = -INFINITY;
		size_t pick = 0;

		for (size_t o = 0; o < 3; o++) {
			const char *c = t.item[i].context[o];
			size_t n = strlen(c), from;
			struct tok_ids ids = { 0 }, before = { 0 };
			char *all;
			double want;

			while (n && c[n - 1] == ' ')
				n--;
			all = xprintf("%.*s%s%s", (int)n, c, n ? " " : "", t.item[i].option[o]);
			cr_assert_eq(tokenizer_encode_text(tok, c, n, &before, &e), ST_OK);
			if (!before.n)
				cr_assert_eq(tok_ids_push(&ids, start, &e), ST_OK);
			cr_assert_eq(tokenizer_encode_text(tok, all, strlen(all), &ids, &e), ST_OK);
			from = before.n ? before.n : 1;
			want = slowly(m, ids.id, from, ids.n);
			cr_assert_float_eq((double)r.score[i * TASK_OPTIONS + o], want, 1e-3,
				"%zu %zu: %f and not %f", i, o,
				(double)r.score[i * TASK_OPTIONS + o], want);
			if (want > best) {
				best = want;
				pick = o;
			}
			tok_ids_release(&ids);
			tok_ids_release(&before);
			xfree(all);
		}
		cr_assert_eq(r.pick[i], pick);
	}
	task_result_release(&r);
	task_release(&t);
	tokenizer_free(tok);
	model_free(m);
}

Test(task, length_counts_characters_and_not_bytes)
{
	/* whatever the model says: an option of twice the characters has half the weight */
	struct model *m = lib_demo("cpu", 1);
	struct tokenizer *tok;
	struct task_result r;

	cr_assert_eq(tokenizer_new(&tok, m->ck->vocab, &e), ST_OK);
	cr_assert_eq(reads("{\"prompt\":\"x\",\"options\":[\"\u00e9\u00e9\",\"ee\"],\"answer\":0}"),
		ST_OK);
	cr_assert_eq(task_run(&r, &t, m, NULL, tok, 0, NULL, &e), ST_OK);
	cr_assert_eq(r.pick[0], r.pick_norm[0], "of equal length: the larger sum");
	task_result_release(&r);
	task_release(&t);
	tokenizer_free(tok);
	model_free(m);
}

Test(task, a_context_too_long_is_cut_from_the_left_and_a_stop_is_heard)
{
	struct model *m = lib_demo("cpu", 1);
	struct tokenizer *tok;
	struct task_result r;
	struct lib_stop stop;
	char *long_text = xalloc(3 * m->hp.ctx + 200), *line;

	memset(long_text, 'a', 3 * m->hp.ctx);
	line = xprintf("{\"prompt\":\"%s\",\"options\":[\"b\",\"cd\"],\"answer\":0}", long_text);
	cr_assert_eq(tokenizer_new(&tok, m->ck->vocab, &e), ST_OK);
	cr_assert_eq(reads(line), ST_OK, "%s", e.msg);
	cr_assert_eq(task_run(&r, &t, m, NULL, tok, 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(isfinite((double)r.score[0]) && r.score[0] < 0);
	task_result_release(&r);
	lib_stop_init(&stop, 3);
	cr_assert_eq(task_run(&r, &t, m, NULL, tok, 0, &stop.sink, &e), ST_CANCELLED);
	task_release(&t);
	xfree(line);
	xfree(long_text);
	tokenizer_free(tok);
	model_free(m);
}

Test(task, a_share_has_a_binomial_error)
{
	cr_assert_float_eq(task_share(30, 40), 0.75, 1e-12);
	cr_assert_float_eq(task_share_se(30, 40), sqrt(0.75 * 0.25 / 40), 1e-12);
	cr_assert(isnan(task_share(0, 0)));
}

/* tests/golden/task_smollm2.txt: by transformers in double softmax over float logits. */
Test(task, the_default_model_judges_as_transformers_does)
{
	struct model *m = lib_real("cpu");
	struct tokenizer *tok;
	struct task_result r;
	double worst = 0, sum = 0;
	FILE *f;

	if (!m)
		return;
	f = fopen("tests/golden/task_smollm2.txt", "r");
	cr_assert_not_null(f);
	cr_assert_eq(tokenizer_new(&tok, m->ck->vocab, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(task_read(&t, "share/tasks/basics.jsonl", 0, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(task_run(&r, &t, m, NULL, tok, 0, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < t.n; i++)
		for (size_t o = 0; o < 4; o++) {
			double want, d;

			cr_assert_eq(fscanf(f, "%lf", &want), 1);
			d = fabs((double)r.score[i * TASK_OPTIONS + o] - want);
			worst = d > worst ? d : worst;
			sum += d;
		}
	fclose(f);
	fprintf(stderr, "log p of 240 options: worst %.4f, mean %.5f nats off\n", worst, sum / 240);
	cr_assert_lt(worst, 0.005);
	task_result_release(&r);
	task_release(&t);
	tokenizer_free(tok);
	model_free(m);
}
