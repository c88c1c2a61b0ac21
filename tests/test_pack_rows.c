/* test_pack_rows.c - which ids of a row are learned, against Python's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/text/pack.h"
#include "tests/lib_base.h"
#include "tests/lib_text.h"

#define TEMPLATES_MAX 32
#define MESSAGES_MAX  16

enum { BPE, SPM, SMOLLM, LLAMA2, LLAMA3, TOKS };

static const char *const tok_names[] = { "bpe", "spm", "smollm", "llama2", "llama3" };

struct golden {
	char *jinja[TEMPLATES_MAX];
	size_t n, compared[TOKS];
	struct text_fixture tok[TOKS];
	bool there[TOKS];
};

static void keep_template(const cJSON *line, void *arg)
{
	struct golden *g = arg;

	g->jinja[g->n++] = xstrdup(json_member(line, "jinja")->valuestring);
}

/* A published tokenizer.json; bos and eos are not in it. */
static bool open_published(struct text_fixture *f, const char *name, const char *config)
{
	char *from = text_data(name), *s;
	struct err e;
	size_t n;

	if (!from) {
		fprintf(stderr, "skipped: no reference data at ../shared/data/%s\n", name);
		return false;
	}
	cr_assert_eq(fs_read(from, (size_t)64 << 20, &s, &n, &e), ST_OK, "%s", e.msg);
	tmp_write(tmp_path("tokenizer.json"), s, n);
	tmp_write(tmp_path("tokenizer_config.json"), config, strlen(config));
	text_open_hf(f, tmp_dir());
	big_free(s);
	xfree(from);
	return true;
}

static void golden_open(struct golden *g)
{
	char *model = text_model();

	memset(g, 0, sizeof *g);
	text_open_hf(&g->tok[BPE], "tests/golden/tpl_bpe");
	text_open_hf(&g->tok[SPM], "tests/golden/tpl_spm");
	g->there[BPE] = g->there[SPM] = true;
	g->there[SMOLLM] = model;
	if (model)
		text_open_gguf(&g->tok[SMOLLM], model);
	else
		fprintf(stderr, "skipped: the default model is not installed (make model)\n");
	xfree(model);
	g->there[LLAMA2] = open_published(&g->tok[LLAMA2], "tokenizers/llama2.tokenizer.json",
		"{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
	g->there[LLAMA3] = open_published(&g->tok[LLAMA3], "tokenizers/llama3.tokenizer.json",
		"{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
	text_golden("tpl_templates.txt", keep_template, g);
}

static void golden_close(struct golden *g)
{
	for (size_t i = 0; i < g->n; i++)
		xfree(g->jinja[i]);
	for (size_t i = 0; i < TOKS; i++)
		if (g->there[i])
			text_close(&g->tok[i]);
}

static size_t tok_of(const cJSON *line)
{
	const char *name = json_member(line, "tok")->valuestring;
	size_t i = 0;

	while (strcmp(tok_names[i], name))
		i++;
	return i;
}

static struct dataset_row row_of(const cJSON *list, struct chat_message msg[MESSAGES_MAX])
{
	struct dataset_row row = { .msg = msg, .last = true };
	const cJSON *it;

	cJSON_ArrayForEach(it, list)
	{
		const char *text = json_member(it, "content")->valuestring;

		msg[row.n++] = (struct chat_message){ json_member(it, "role")->valuestring, text,
			strlen(text) };
	}
	return row;
}

/* As Python has them: the id itself, -100 where it is not learned. */
static void to_labels(struct tok_ids *out, const struct tok_ids *ids, const struct tok_ids *learned)
{
	struct err e;

	for (size_t i = 0; i < ids->n; i++)
		cr_assert_eq(tok_ids_push(out, -100, &e), ST_OK);
	for (size_t k = 0; k < learned->n; k += 2)
		for (int32_t i = learned->id[k]; i < learned->id[k + 1]; i++)
			out->id[i] = ids->id[i];
}

/* Before every answer stands what the model would be given to answer. */
static void expect_prompts(const struct pack_how *how, const struct dataset_row *row,
	const struct tok_ids *ids, const struct tok_ids *learned)
{
	size_t k = 0;
	struct err e;

	for (size_t i = 0; i < row->n; i++) {
		struct tok_ids given = { 0 };

		if (strcmp(row->msg[i].role, "assistant"))
			continue;
		cr_assert_eq(template_render(how->template, how->jinja, how->tok, row->msg, i, true,
				     &given, &e),
			ST_OK, "%s", e.msg);
		cr_expect_eq(given.n, (size_t)learned->id[k]);
		cr_expect(!memcmp(given.id, ids->id, given.n * sizeof *given.id));
		tok_ids_release(&given);
		k += 2;
	}
	cr_expect_eq(k, learned->n);
}

static void check_row(const cJSON *line, void *arg)
{
	struct golden *g = arg;
	size_t t = tok_of(line);
	struct tok_ids ids = { 0 }, learned = { 0 }, labels = { 0 };
	struct chat_message msg[MESSAGES_MAX];
	struct dataset_row row = row_of(json_member(line, "messages"), msg);
	double i = json_member(line, "template")->valuedouble;
	struct pack_how how = { 0 };
	struct err e;

	if (!g->there[t])
		return;
	how.tok = g->tok[t].tok;
	how.jinja = i < 0 ? g->tok[t].vocab->chat_template : g->jinja[(size_t)i];
	cr_assert_eq(template_recognise(&how.template, how.jinja, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(pack_tokens(&how, &row, &ids, &learned, NULL, &e), ST_OK, "%s", e.msg);
	to_labels(&labels, &ids, &learned);
	text_expect_ids(&ids, json_member(line, "ids"), msg[0].text);
	text_expect_ids(&labels, json_member(line, "labels"), msg[0].text);
	g->compared[t]++;
	tok_ids_release(&ids);
	tok_ids_release(&learned);
	tok_ids_release(&labels);
}

Test(pack_rows, answers_are_learned_as_the_reference_says)
{
	struct golden g;

	golden_open(&g);
	text_golden("pack_rows.txt", check_row, &g);
	cr_expect_geq(g.compared[BPE], 47);
	cr_expect_geq(g.compared[SPM], 30);
	for (size_t t = SMOLLM; t < TOKS; t++)
		cr_expect(g.compared[t] >= 6 || !g.there[t], "%s", tok_names[t]);
	golden_close(&g);
}

Test(pack_rows, before_an_answer_stands_what_the_model_is_given_even_where_blanks_meet)
{
	static const struct chat_message msg[] = { { "user", "Hi", 2 },
		{ "assistant", "\n\n  Well \n", 10 } };
	struct dataset_row row = { .msg = msg, .n = 2 };
	struct golden g;
	struct err e;

	golden_open(&g);
	for (size_t i = 0; i < 2 * g.n; i++) {
		struct pack_how how = { .tok = g.tok[i % 2].tok, .jinja = g.jinja[i / 2] };
		struct tok_ids ids = { 0 }, learned = { 0 };

		cr_assert_eq(template_recognise(&how.template, how.jinja, &e), ST_OK);
		cr_assert_eq(pack_tokens(&how, &row, &ids, &learned, NULL, &e), ST_OK, "%s", e.msg);
		expect_prompts(&how, &row, &ids, &learned);
		how.all = true;
		cr_assert_eq(pack_tokens(&how, &row, &ids, &learned, NULL, &e), ST_OK, "%s", e.msg);
		cr_expect(learned.n == 2 && (size_t)learned.id[1] == ids.n);
		tok_ids_release(&ids);
		tok_ids_release(&learned);
	}
	golden_close(&g);
}

Test(pack_rows, a_template_that_refuses_a_row_names_it)
{
	struct golden g;
	struct pack_how how = { .window = 64 };
	struct dataset *d;
	struct pack *p;
	struct err e;
	static const char rows[] = "[{\"prompt\":\"a\",\"completion\":\"b\"},\n{\"prompt\":\"a\","
				   "\"completion\":\"b\"}]";
	static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
				   "{\"role\":\"assistant\",\"content\":\"b\"}]}\n"
				   "{\"messages\":[{\"role\":\"assistant\",\"content\":\"b\"}]}\n";

	golden_open(&g);
	how.tok = g.tok[SPM].tok;
	how.template = template_named("llama2");
	tmp_write(tmp_path("a.json"), rows, sizeof rows - 1);
	cr_assert_eq(dataset_open(&d, tmp_path("a.json"), 0, &e), ST_OK);
	cr_assert_eq(pack_read(&p, d, &how, NULL, &e), ST_OK, "%s", e.msg);
	pack_free(p);
	dataset_close(d);
	tmp_write(tmp_path("a.jsonl"), talk, sizeof talk - 1);
	cr_assert_eq(dataset_open(&d, tmp_path("a.jsonl"), 0, &e), ST_OK);
	cr_expect_eq(pack_read(&p, d, &how, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "a.jsonl: line 2: message 1"), "%s", e.msg);
	dataset_close(d);
	golden_close(&g);
}
