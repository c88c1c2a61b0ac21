/* test_tokenizer_files.c - tokenizer files of other programs: good ones, bad ones, our own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "tests/lib_text.h"

static char *scratch(void)
{
	char *dir = xstrdup("/tmp/bd_text_XXXXXX");

	cr_assert_not_null(mkdtemp(dir));
	return dir;
}

static void put(const char *dir, const char *name, const char *s, size_t n)
{
	char *path = xprintf("%s/%s", dir, name);
	struct err e = { 0 };

	cr_assert_eq(fs_write_all(path, s, n, &e), ST_OK, "%s", e.msg);
	xfree(path);
}

static void drop(char *dir)
{
	struct err e;

	cr_expect_eq(fs_remove_tree(dir, &e), ST_OK);
	xfree(dir);
}

/* ---- bad files */

#define BL    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}"
#define MODEL "\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[\"a b\"]}"
#define REST  ",\"merges\":[]}}"

static const struct bad {
	const char *json, *sentence;
} bads[] = {
	{ "", "tokenizer.json: byte 0: the text ends too early" },
	{ "[]", "tokenizer.json: the file: expected an object" },
	{ "{}", "tokenizer.json: .model: missing" },
	{ "{\"model\":[]}", "tokenizer.json: .model: expected an object" },
	{ "{\"model\":{\"type\":\"BPE\"}}", "tokenizer.json: .model.vocab: missing" },
	{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}",
		"tokenizer.json: .model.type \"Unigram\" is not known here, only BPE" },
	{ "{\"model\":{\"type\":7}}", "tokenizer.json: .model.type: expected a string" },
	{ "{\"model\":{\"dropout\":0.1," VOCAB REST,
		"tokenizer.json: .model.dropout is not known here, only null" },
	{ "{\"model\":{\"continuing_subword_prefix\":\"##\"," VOCAB REST,
		"tokenizer.json: .model.continuing_subword_prefix is not known here, only null" },
	{ "{\"model\":{\"end_of_word_suffix\":\"</w>\"," VOCAB REST,
		"tokenizer.json: .model.end_of_word_suffix is not known here, only null" },
	{ "{\"model\":{\"vocab\":[\"a\"]" REST,
		"tokenizer.json: .model.vocab: expected an object of token: id" },
	{ "{" BL "\"model\":{\"vocab\":{}" REST, "tokenizer.json: .model.vocab: no tokens" },
	{ "{\"model\":{\"vocab\":{\"a\":-1}" REST,
		"tokenizer.json: .model.vocab: an id is no whole number from 0" },
	{ "{\"model\":{\"vocab\":{\"a\":1.5}" REST,
		"tokenizer.json: .model.vocab: an id is no whole number from 0" },
	{ "{\"model\":{\"vocab\":{\"a\":\"0\"}" REST,
		"tokenizer.json: .model.vocab: an id is no whole number from 0" },
	{ "{\"model\":{\"vocab\":{\"a\":4000000000}" REST,
		"tokenizer.json: .model.vocab: id 4000000000 is above what the file can hold" },
	{ "{\"model\":{\"vocab\":{\"a\":1000}" REST,
		"tokenizer.json: .model.vocab: id 1000 is above what the file can hold" },
	{ "{\"model\":{\"vocab\":{\"a\\u0000\":1}" REST,
		"tokenizer.json: .model.vocab: a token holds \\u0000, which no token may" },
	{ "{" BL "\"model\":{\"vocab\":{\"a\":0,\"a\":1}" REST,
		"tokenizer.json: \"a\" is both token 0 and token 1" },
	{ "{" BL "\"model\":{\"vocab\":{\"a\":0,\"b\":0}" REST,
		"tokenizer.json: token 0 is both \"a\" and \"b\"" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[\"a c\"]}}",
		"tokenizer.json: .model.merges[0]: \"c\" is not in the vocabulary" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[\"a b\",\"b a\"]}}",
		"tokenizer.json: .model.merges[1]: its result \"ba\" is not in the vocabulary" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[\"ab\"]}}",
		"tokenizer.json: .model.merges[0]: expected two tokens with one space between, or "
		"a list "
		"of two" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[7]}}",
		"tokenizer.json: .model.merges[0]: expected two tokens with one space between, or "
		"a list "
		"of two" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[[\"a\"]]}}",
		"tokenizer.json: .model.merges[0]: expected a list of two strings" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":[[\"a\",\"b\",\"a\"]]}}",
		"tokenizer.json: .model.merges[0]: expected a list of two strings" },
	{ "{" BL "\"model\":{" VOCAB ",\"merges\":{}}}",
		"tokenizer.json: .model.merges: expected a list" },
	{ "{" BL "\"model\":{\"unk_token\":\"x\"," VOCAB REST,
		"tokenizer.json: .model.unk_token: \"x\" is not in the vocabulary" },
	{ "{" BL "\"model\":{\"ignore_merges\":\"yes\"," VOCAB REST,
		"tokenizer.json: .model.ignore_merges: expected true or false" },
	{ "{\"normalizer\":{\"type\":\"NFKC\"}," BL MODEL "}",
		"tokenizer.json: .normalizer: \"NFKC\" is not known here in this form (known: "
		"none, NFC, "
		"Prepend and Replace of spaces by U+2581)" },
	{ "{\"pre_tokenizer\":{\"type\":\"Whitespace\"}," MODEL "}",
		"tokenizer.json: .pre_tokenizer: \"Whitespace\" is not known here in this place "
		"(known: "
		"ByteLevel; Split, ByteLevel; Digits, ByteLevel; Metaspace)" },
	{ "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}," MODEL "}",
		"tokenizer.json: .pre_tokenizer: ByteLevel with add_prefix_space is not known "
		"here" },
	{ "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\d+\"},\"behavior\":"
	  "\"Isolated\"}," MODEL "}",
		"tokenizer.json: .pre_tokenizer: no scanner here for Split by Regex \"\\d+\", "
		"Isolated" },
	{ "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"x\"},\"behavior\":"
	  "\"Isolated\"}," MODEL "}",
		"tokenizer.json: .pre_tokenizer: no scanner here for Split by String \"x\", "
		"Isolated" },
	{ "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"split\":false}," MODEL
	  "}",
		"tokenizer.json: .pre_tokenizer: Metaspace is known here only with U+2581 and "
		"\"split\": "
		"false" },
	{ "{" MODEL "}", "tokenizer.json: normalizer and pre_tokenizer are neither byte-level BPE "
			 "(ByteLevel) nor "
			 "that of SentencePiece (Replace of spaces by U+2581, or Metaspace)" },
	{ "{\"post_processor\":{\"type\":\"RobertaProcessing\"}," BL MODEL "}",
		"tokenizer.json: .post_processor: \"RobertaProcessing\" is not known here (known: "
		"none, "
		"ByteLevel, TemplateProcessing)" },
	{ "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
	  "\"id\":"
	  "\"<s>\"}}]}," BL MODEL "}",
		"tokenizer.json: .post_processor: \"<s>\" is not in the vocabulary" },
	{ "{\"added_tokens\":[{\"id\":3}]," BL MODEL "}",
		"tokenizer.json: .added_tokens[0]: expected an object with an id and a content" },
	{ "{\"added_tokens\":{}," BL MODEL "}", "tokenizer.json: .added_tokens: expected a list" },
	{ "{\"added_tokens\":[{\"id\":1,\"content\":\"<x>\"}]," BL MODEL "}",
		"tokenizer.json: token 1 is both \"b\" and \"<x>\"" },
	{ "{\"added_tokens\":[{\"id\":9,\"content\":\"ab\"}]," BL MODEL "}",
		"tokenizer.json: \"ab\" is both token 2 and token 9" },
	{ "{" BL MODEL "} x", "tokenizer.json: byte 133: something after the value" },
	{ "{" BL MODEL, "tokenizer.json: byte 131: the text ends too early" },
	{ "{" BL MODEL "," MODEL "}", "tokenizer.json: .model: given twice" },
};

Test(tokenizer_json, a_bad_file_is_refused_by_one_exact_sentence)
{
	char *dir = scratch();

	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		struct vocab *v;
		struct arena a;
		struct err e = { 0 };

		arena_init(&a, 0);
		put(dir, "tokenizer.json", bads[i].json, strlen(bads[i].json));
		cr_expect_neq(vocab_from_hf(&v, &a, dir, &e), ST_OK, "%s", bads[i].json);
		cr_expect_null(v);
		cr_expect_str_eq(e.msg, bads[i].sentence, "%zu\n  want %s\n  got  %s", i,
			bads[i].sentence, e.msg);
		arena_release(&a);
	}
	drop(dir);
}

Test(tokenizer_json, a_missing_file_is_named)
{
	char *dir = scratch();
	struct vocab *v;
	struct arena a;
	struct err e = { 0 };

	arena_init(&a, 0);
	cr_expect_eq(vocab_from_hf(&v, &a, dir, &e), ST_IO);
	cr_expect_not_null(strstr(e.msg, "tokenizer.json"), "%s", e.msg);
	arena_release(&a);
	drop(dir);
}

Test(tokenizer_json, cut_or_bit_flipped_anywhere_is_an_answer)
{
	char *dir = scratch(), *s;
	struct err e = { 0 };
	struct rng r;
	size_t n, refused = 0;

	rng_seed(&r, 5);
	cr_assert_eq(fs_read("tests/golden/tok_bpe/tokenizer.json", 1 << 20, &s, &n, &e), ST_OK);
	for (int i = 0; i < 300; i++) {
		size_t len = i % 3 ? n : rng_below(&r, (uint32_t)n),
		       at = rng_below(&r, (uint32_t)n);
		struct tokenizer *t = NULL;
		struct vocab *v = NULL;
		struct arena a;
		char kept = s[at];

		if (i % 3)
			s[at] = (char)(s[at] ^ 1 << rng_below(&r, 8));
		arena_init(&a, 0);
		put(dir, "tokenizer.json", s, len);
		e.msg[0] = '\0';
		if (vocab_from_hf(&v, &a, dir, &e) || tokenizer_new(&t, v, &e)) {
			refused++;
			cr_expect_neq(e.msg[0], '\0');
		}
		tokenizer_free(t);
		arena_release(&a);
		s[at] = kept;
	}
	cr_expect_gt(refused, 100);
	big_free(s);
	drop(dir);
}

Test(tokenizer_json, out_of_memory_anywhere_is_an_answer)
{
	enum st st = ST_NOMEM;

	for (unsigned long n = 1; st && n < 500; n++) {
		struct tokenizer *t = NULL;
		struct vocab *v = NULL;
		struct err e = { 0 };
		struct arena a;

		arena_init(&a, 0);
		alloc_fail_at(n, false);
		st = vocab_from_hf(&v, &a, "tests/golden/tok_bpe", &e);
		st = st ? st : tokenizer_new(&t, v, &e);
		alloc_fail_at(0, false);
		cr_expect(st == ST_OK || st == ST_NOMEM, "%lu: %s", n, e.msg);
		tokenizer_free(t);
		arena_release(&a);
	}
	cr_expect_eq(st, ST_OK);
}

/* ---- configuration beside it */

Test(tokenizer_json, configuration_gives_special_tokens_and_template)
{
	static const char json[] =
		"{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true},{\"id\":9,"
		"\"content\":"
		"\"<|eot_id|>\",\"special\":true}],\"normalizer\":{\"type\":\"Replace\","
		"\"pattern\":{"
		"\"String\":\" "
		"\"},\"content\":\"\xe2\x96\x81\"},\"model\":{\"unk_token\":\"a\",\"fuse_unk\":"
		"true," VOCAB ",\"merges\":[[\"a\",\"b\"]]}}";
	static const char config[] = "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":"
				     "true,\"bos_token\":{\"content\":"
				     "\"<s>\"},\"eos_token\":\"b\",\"chat_template\":[{\"name\":"
				     "\"rag\",\"template\":\"no\"},{"
				     "\"name\":\"default\",\"template\":\"yes\"}]}";
	char *dir = scratch();
	struct text_fixture f;

	put(dir, "tokenizer.json", json, sizeof json - 1);
	put(dir, "tokenizer_config.json", config, sizeof config - 1);
	text_open_hf(&f, dir);
	cr_expect(f.vocab->add_bos);
	cr_expect_eq(f.vocab->bos, 3);
	cr_expect_eq(f.vocab->eos, 1);
	cr_expect_eq(f.vocab->eot, 9);
	cr_expect_eq(f.vocab->n, 10);
	cr_expect_not(f.vocab->add_space_prefix);
	cr_expect_str_eq(f.vocab->chat_template, "yes");
	cr_expect(tokenizer_is_end(f.tok, 9) && tokenizer_is_end(f.tok, 1) &&
		  !tokenizer_is_end(f.tok, 3));
	text_close(&f);
	put(dir, "chat_template.jinja", "newer", 5);
	text_open_hf(&f, dir);
	cr_expect_str_eq(f.vocab->chat_template, "newer");
	text_close(&f);
	drop(dir);
}

/* ---- our own writing */

static void same_ids(const struct tokenizer *a, const struct tokenizer *b, const char *s, size_t n)
{
	for (int mode = TOK_PLAIN; mode <= TOK_SPECIAL; mode++) {
		struct tok_ids x = { 0 }, y = { 0 };
		struct err e = { 0 };

		cr_assert_eq(
			tokenizer_encode(a, s, n, (enum tok_mode)mode, &x, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(
			tokenizer_encode(b, s, n, (enum tok_mode)mode, &y, &e), ST_OK, "%s", e.msg);
		cr_expect(x.n == y.n && (!x.n || memcmp(x.id, y.id, x.n * sizeof *x.id) == 0),
			"ids of \"%.*s\" differ", (int)n, s);
		tok_ids_release(&x);
		tok_ids_release(&y);
	}
}

static void check_written(const struct text_fixture *f)
{
	static const char *const parts[] = { " ", "  ", "the", " a", "ing", "\n", "1", "23", "<s>",
		"</s>", "<|im_end|>", "\xc3\xa9", "\xe4\xbd\xa0", "'s", ".", "Once upon", "\t",
		"aaaa", "left", "cafe", "\xcc\x81", "\xf0\x9f\x98\x80" };
	char *dir = scratch();
	struct text_fixture g;
	struct err e = { 0 };
	struct rng r;

	rng_seed(&r, 9);
	cr_assert_eq(vocab_to_hf(f->vocab, dir, &e), ST_OK, "%s", e.msg);
	text_open_hf(&g, dir);
	cr_expect_eq(g.vocab->n, f->vocab->n);
	cr_expect_eq(g.vocab->bos, f->vocab->add_bos ? f->vocab->bos : g.vocab->bos);
	cr_expect_eq(g.vocab->eos, f->vocab->eos);
	cr_expect_eq(g.vocab->add_bos, f->vocab->add_bos);
	cr_expect_eq(g.vocab->pre, f->vocab->pre);
	for (int i = 0; i < 2000; i++) {
		char s[256];
		size_t n = 0;

		for (uint32_t k = rng_below(&r, 16); k; k--) {
			const char *p = parts[rng_below(&r, sizeof parts / sizeof *parts)];

			memcpy(s + n, p, strlen(p));
			n += strlen(p);
		}
		same_ids(f->tok, g.tok, s, n);
	}
	text_close(&g);
	drop(dir);
}

Test(vocab_to_hf, a_byte_level_vocabulary_comes_back)
{
	struct text_fixture f;

	text_open_hf(&f, "tests/golden/tok_bpe");
	check_written(&f);
	text_close(&f);
}

Test(vocab_to_hf, a_sentencepiece_vocabulary_by_rank_comes_back)
{
	struct text_fixture f;

	text_open_hf(&f, "tests/golden/tpl_spm");
	check_written(&f);
	text_close(&f);
}

Test(vocab_to_hf, smollm2_comes_back)
{
	char *path = text_model();
	struct text_fixture f;

	if (!path)
		cr_skip_test("the model is not here: make model");
	text_open_gguf(&f, path);
	check_written(&f);
	text_close(&f);
	xfree(path);
}

Test(vocab_to_hf, merging_by_score_comes_back_as_merging_by_rank)
{
	char *path = text_data("models/tok512.bin");
	struct text_fixture f;
	struct err e = { 0 };
	struct vocab *v;

	if (!path)
		cr_skip_test("the reference data is not here");
	arena_init(&f.arena, 0);
	cr_assert_eq(vocab_from_llama2c(&v, &f.arena, path, 512, &e), ST_OK, "%s", e.msg);
	text_open_vocab(&f, v);
	check_written(&f);
	text_close(&f);
	xfree(path);
}

Test(vocab_to_hf, what_the_format_cannot_hold_is_refused)
{
	static const char *const twice[] = { "<x>", "<x>", NULL }, *const raw[] = { "\xff", NULL };
	char *dir = scratch();
	struct err e = { 0 };
	struct arena a;

	arena_init(&a, 0);
	cr_expect_eq(vocab_to_hf(text_bytes_vocab(&a, twice), dir, &e), ST_UNSUPPORTED);
	cr_expect_str_eq(e.msg,
		"tokenizer.json: tokens 256 and 257 have the same text, which this format "
		"cannot hold");
	cr_expect_eq(vocab_to_hf(text_bytes_vocab(&a, raw), dir, &e), ST_UNSUPPORTED);
	cr_expect_str_eq(
		e.msg, "tokenizer.json: token 256 is not UTF-8, which this format cannot hold");
	arena_release(&a);
	drop(dir);
}

/* ---- llama2.c */

static size_t le32(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> 8 * i);
	return 4;
}

/* 259 ids and "ab"; score of "ab" and one length can be spoilt. */
static size_t llama2c_file(char *p, uint32_t score, uint32_t len, bool bytes)
{
	size_t n = le32(p, 7);

	for (int i = 0; i < 260; i++) {
		char text[8];

		snprintf(text, sizeof text,
			i == 259 ? "a b"
			: i < 3  ? "<%d>"
				 : "<0x%02X>",
			i < 3 ? i : i - 3);
		if (i == 40 && !bytes)
			text[0] = '[';
		n += le32(p + n, i == 259 ? score : 0);
		n += le32(p + n, i == 259 ? len : (uint32_t)strlen(text));
		memcpy(p + n, text, strlen(text));
		n += strlen(text);
	}
	return n;
}

static void expect_llama2c(const char *s, size_t n, size_t n_vocab, const char *sentence)
{
	char *dir = scratch(), *path = xprintf("%s/t.bin", dir),
	     *want = xprintf("%s: %s", path, sentence);
	struct err e = { 0 };
	struct vocab *v;
	struct arena a;

	put(dir, "t.bin", s, n);
	arena_init(&a, 0);
	cr_expect_neq(vocab_from_llama2c(&v, &a, path, n_vocab, &e), ST_OK);
	cr_expect_null(v);
	cr_expect_str_eq(e.msg, want);
	arena_release(&a);
	xfree(want);
	xfree(path);
	drop(dir);
}

Test(llama2c, a_bad_file_is_refused_by_one_exact_sentence)
{
	static char s[8192];
	size_t n = llama2c_file(s, 0, 3, true);

	expect_llama2c(s, 3, 260, "3 bytes are too few for a tokenizer");
	expect_llama2c(s, n, 261, "byte 3632: the file ends inside token 260");
	expect_llama2c(s, n, 258,
		"3632 bytes cannot hold the model's 258 tokens; is it the model's own "
		"tokenizer?");
	expect_llama2c(s, n, SIZE_MAX,
		"3632 bytes cannot hold the model's 18446744073709551615 tokens; is "
		"it the model's own tokenizer?");
	expect_llama2c(s, n - 1, 260, "byte 3621: the file ends inside token 259");
	expect_llama2c(
		s, n, 259, "11 bytes after its 259 tokens; is it the model's own tokenizer?");
	n = llama2c_file(s, 0x7fc00000, 3, true);
	expect_llama2c(s, n, 260, "byte 3621: the score of token 259 is not finite");
	n = llama2c_file(s, 0, 0xffffffff, true);
	expect_llama2c(s, n, 260, "byte 3621: the file ends inside token 259");
	n = llama2c_file(s, 0, 3, false);
	expect_llama2c(
		s, n, 260, "byte 555: token 40 is not <0x25>, so this is no tokenizer of llama2.c");
}
