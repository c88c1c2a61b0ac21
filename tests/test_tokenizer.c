/* test_tokenizer.c - ids exactly as the reference's, over golden files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/text/pretok.h"
#include "core/text/tok.h"
#include "tests/lib_text.h"

/* ---- scanners */

static enum vocab_pre pre_of(const char *name)
{
	static const char *const names[] = { "gpt2", "llama3", "qwen2", "smollm" };
	static const enum vocab_pre pres[] = { PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_SMOLLM };

	for (size_t i = 0; i < 4; i++)
		if (strcmp(name, names[i]) == 0)
			return pres[i];
	cr_assert_fail("unknown scanner %s", name);
	return PRE_NONE;
}

static void check_pieces(const cJSON *line, void *arg)
{
	const cJSON *want = json_member(line, "pieces"), *it;
	const char *pre = json_member(line, "pre")->valuestring;
	const char *s = json_member(line, "text")->valuestring;
	size_t start, len, i = 0;
	struct pretok p;

	(void)arg;
	pretok_init(&p, pre_of(pre), s, strlen(s));
	cJSON_ArrayForEach(it, want)
	{
		if (!pretok_next(&p, &start, &len) || len != (size_t)it->valuedouble) {
			cr_expect_fail("%s: \"%s\": piece %zu at byte %zu: want %g bytes", pre, s,
				i, p.at, it->valuedouble);
			return;
		}
		i++;
	}
	cr_expect_not(pretok_next(&p, &start, &len), "%s: \"%s\": too many pieces", pre, s);
}

Test(pretok, every_scanner_cuts_where_the_reference_regex_cuts)
{
	cr_expect_gt(text_golden("tok_pretok.txt", check_pieces, NULL), 2000);
}

Test(pretok, pieces_are_never_empty_and_joined_are_the_text)
{
	struct rng r;

	rng_seed(&r, 11);
	for (int i = 0; i < 20000; i++) {
		char s[40];
		size_t n = rng_below(&r, sizeof s), start, len, at = 0;
		struct pretok p;

		for (size_t k = 0; k < n; k++)
			s[k] = rng_below(&r, 3) ? " \n'ts1.\xc3\xa9"[rng_below(&r, 9)]
						: (char)rng_u64(&r);
		pretok_init(&p, (enum vocab_pre)rng_below(&r, 5), s, n);
		while (pretok_next(&p, &start, &len)) {
			cr_assert_eq(start, at);
			cr_assert_gt(len, 0);
			at += len;
		}
		cr_assert_eq(at, n);
	}
}

/* ---- NFC */

static void check_nfc(const cJSON *line, void *arg)
{
	const char *s = json_member(line, "text")->valuestring;
	const char *want = json_member(line, "nfc")->valuestring;
	struct err e = { 0 };
	char *out;
	size_t n;

	(void)arg;
	cr_assert_eq(tok_nfc(s, strlen(s), &out, &n, &(struct tok_pace){ 0 }, &e), ST_OK, "%s",
		e.msg);
	cr_expect(n == strlen(want) && memcmp(out ? out : s, want, n) == 0, "NFC of \"%s\"", s);
	big_free(out);
}

Test(nfc, texts_are_composed_as_unicode_says)
{
	cr_expect_gt(text_golden("tok_nfc.txt", check_nfc, NULL), 600);
}

Test(nfc, bytes_that_are_not_utf8_stay)
{
	static const char s[] = "e\xcc\x81\xff\xcc\x81\xf0\x9f\x98 \xcd";
	struct err e;
	char *out;
	size_t n;

	cr_assert_eq(tok_nfc(s, sizeof s - 1, &out, &n, &(struct tok_pace){ 0 }, &e), ST_OK);
	cr_assert_eq(n, sizeof s - 2);
	cr_expect_eq(memcmp(out, "\xc3\xa9\xff\xcc\x81\xf0\x9f\x98 \xcd", n), 0);
	big_free(out);
}

/* ---- ids */

static void check_ids(const cJSON *line, void *arg)
{
	const struct text_fixture *f = arg;
	const char *s = json_member(line, "text")->valuestring;
	bool special = json_member(line, "special");
	const cJSON *want = json_member(line, "ids");
	struct tok_ids ids = { 0 };
	struct err e = { 0 };

	cr_assert_eq(
		tokenizer_encode(f->tok, s, strlen(s), special ? TOK_SPECIAL : TOK_PLAIN, &ids, &e),
		ST_OK, "%s", e.msg);
	text_expect_ids(&ids, want, s);
	tok_ids_release(&ids);
}

Test(tokenizer, smollm2_gives_the_reference_ids)
{
	struct text_fixture f;
	char *path = text_model();

	if (!path)
		cr_skip_test("the model is not here: make model");
	text_open_gguf(&f, path);
	cr_expect_gt(text_golden("tok_smollm2.txt", check_ids, &f), 300);
	text_close(&f);
	xfree(path);
}

struct both {
	struct text_fixture f;
	const char *name;
};

static void check_small(const cJSON *line, void *arg)
{
	struct both *b = arg;

	if (strcmp(json_member(line, "tok")->valuestring, b->name) != 0)
		return;
	/* the golden ids were made with added tokens on */
	cJSON_AddBoolToObject((cJSON *)(uintptr_t)line, "special", true);
	check_ids(line, &b->f);
}

Test(tokenizer, small_byte_level_vocabulary_gives_the_reference_ids)
{
	struct both b = { .name = "bpe" };

	text_open_hf(&b.f, "tests/golden/tok_bpe");
	cr_expect_eq(b.f.vocab->model, VOCAB_BPE);
	cr_expect_eq(b.f.vocab->pre, PRE_QWEN2);
	cr_expect(b.f.vocab->nfc);
	text_golden("tok_small.txt", check_small, &b);
	text_close(&b.f);
}

Test(tokenizer, small_spm_vocabulary_gives_the_reference_ids)
{
	struct both b = { .name = "spm" };

	text_open_hf(&b.f, "tests/golden/tok_spm");
	cr_expect_eq(b.f.vocab->model, VOCAB_SPM);
	cr_expect(b.f.vocab->spm_rank);
	text_golden("tok_small.txt", check_small, &b);
	text_close(&b.f);
}

/* ---- published tokenizers, where they are at hand: texts between marker lines in
 * NAME.inp, one line of ids for each in NAME.out */

static void compare(const struct text_fixture *f, const char *name)
{
	static const char mark[] = "\n__ggml_vocab_test__\n";
	char *ip = xprintf("tokenizers/golden/%s.gguf.inp", name),
	     *op = xprintf("tokenizers/golden/%s.gguf.out", name);
	char *inp = text_data(ip), *out = text_data(op), *s, *ids, *line, *next;
	size_t n, m, texts = 0;
	struct err e = { 0 };

	cr_assert(inp && out);
	cr_assert_eq(fs_read(inp, 1 << 20, &s, &n, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_read(out, 1 << 20, &ids, &m, &e), ST_OK, "%s", e.msg);
	line = ids;
	for (char *at = s; at; at = next, texts++) {
		char *end = strstr(at, mark), *eol = strchr(line, '\n');
		size_t len = end ? (size_t)(end - at) : strlen(at);
		struct tok_ids got = { 0 };
		const char *have;

		next = end ? end + sizeof mark - 1 : NULL;
		if (!next && !len)
			break;
		cr_assert_not_null(eol);
		*eol = '\0';
		cr_assert_eq(
			tokenizer_encode(f->tok, at, len, TOK_PLAIN, &got, &e), ST_OK, "%s", e.msg);
		have = text_ids(got.id, got.n);
		line += strspn(line, " ");
		cr_expect_str_eq(have, line, "%s: \"%.*s\"\n  want %s\n  got  %s", name, (int)len,
			at, line, have);
		tok_ids_release(&got);
		line = eol + 1;
	}
	cr_expect_gt(texts, 30, "%zu texts", texts);
	big_free(s);
	big_free(ids);
	xfree(inp);
	xfree(out);
	xfree(ip);
	xfree(op);
}

static void published_gguf(const char *name)
{
	char *file = xprintf("tokenizers/golden/%s.gguf", name), *path = text_data(file);
	struct text_fixture f;

	xfree(file);
	if (!path)
		cr_skip_test("the reference data is not here");
	text_open_gguf(&f, path);
	compare(&f, name);
	text_close(&f);
	xfree(path);
}

Test(tokenizer, gpt2_from_gguf_gives_the_published_ids)
{
	published_gguf("ggml-vocab-gpt-2");
}

Test(tokenizer, llama2_by_score_from_gguf_gives_the_published_ids)
{
	published_gguf("ggml-vocab-llama-spm");
}

/* A folder with one file of this name linked to it, so that it can be read as a model. */
static char *folder(const char *file)
{
	char *data = text_data(file), *dir = xprintf("%s", "/tmp/bd_text_XXXXXX"), *to;

	if (!data) {
		xfree(dir);
		return NULL;
	}
	cr_assert_not_null(mkdtemp(dir));
	to = xprintf("%s/tokenizer.json", dir);
	if (*data != '/') {
		char *real = realpath(data, NULL);

		cr_assert_eq(symlink(real, to), 0);
		free(real);
	} else {
		cr_assert_eq(symlink(data, to), 0);
	}
	xfree(to);
	xfree(data);
	return dir;
}

static void published_json(const char *file, const char *name)
{
	char *dir = folder(file);
	struct text_fixture f;
	struct err e;

	if (!dir)
		cr_skip_test("the reference data is not here");
	text_open_hf(&f, dir);
	compare(&f, name);
	text_close(&f);
	cr_expect_eq(fs_remove_tree(dir, &e), ST_OK);
	xfree(dir);
}

Test(tokenizer, llama3_from_json_gives_the_published_ids)
{
	published_json("tokenizers/llama3.tokenizer.json", "ggml-vocab-llama-bpe");
}

Test(tokenizer, phi3_from_json_gives_the_published_ids)
{
	published_json("tokenizers/phi-3-mini.tokenizer.json", "ggml-vocab-phi-3");
}

Test(tokenizer, llama2_by_rank_from_json_gives_the_published_ids)
{
	published_json("tokenizers/llama2.tokenizer.json", "ggml-vocab-llama-spm");
}

Test(tokenizer, llama2c_file_gives_ids_and_text_back)
{
	static const char s[] = "Once upon a time, there was a little girl.";
	char *path = text_data("models/tok512.bin"), *back;
	struct text_fixture f;
	struct tok_ids ids = { 0 };
	struct err e = { 0 };
	struct vocab *v;
	size_t n;

	if (!path)
		cr_skip_test("the reference data is not here");
	arena_init(&f.arena, 0);
	cr_assert_eq(vocab_from_llama2c(&v, &f.arena, path, 512, &e), ST_OK, "%s", e.msg);
	text_open_vocab(&f, v);
	cr_assert_eq(tokenizer_encode_text(f.tok, s, sizeof s - 1, &ids, &e), ST_OK);
	cr_expect_eq(ids.id[0], 1);
	back = text_decode(f.tok, &(struct tok_ids){ .id = ids.id + 1, .n = ids.n - 1 }, &n);
	cr_expect(n == sizeof s - 1 && memcmp(back, s, n) == 0);
	xfree(back);
	tok_ids_release(&ids);
	text_close(&f);
	cr_expect_eq(vocab_from_llama2c(&v, &f.arena, path, 513, &e), ST_FORMAT);
	cr_expect_eq(vocab_from_llama2c(&v, &f.arena, path, 511, &e), ST_FORMAT);
	arena_release(&f.arena);
	xfree(path);
}

Test(tokenizer, tinystories_folder_gives_the_published_ids)
{
	char *path = text_data("models/TinyStories-656K");
	struct text_fixture f;
	struct tok_ids ids = { 0 };
	struct err e = { 0 };

	if (!path)
		cr_skip_test("the reference data is not here");
	text_open_hf(&f, path);
	cr_assert_eq(tokenizer_encode_text(f.tok, "Once upon a time", 16, &ids, &e), ST_OK);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "1 80 147 201 282 57");
	tok_ids_release(&ids);
	text_close(&f);
	xfree(path);
}
