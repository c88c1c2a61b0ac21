/* test_tokenizer_plain.c - the tokenizer on small vocabularies made here: merging, special
 * tokens, decoding, refusals, want of memory.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "tests/lib_text.h"

static const char *const marks[] = { "<|im_start|>", "<|im_end|>", NULL };

static void open_bytes(struct text_fixture *f)
{
	arena_init(&f->arena, 0);
	text_open_vocab(f, text_bytes_vocab(&f->arena, marks));
}

static void encode(const struct text_fixture *f, const char *s, size_t n, enum tok_mode mode,
	struct tok_ids *ids)
{
	struct err e = { 0 };

	ids->n = 0;
	cr_assert_eq(tokenizer_encode(f->tok, s, n, mode, ids, &e), ST_OK, "%s", e.msg);
}

Test(tokenizer, spellings_of_special_tokens_are_plain_text_unless_asked)
{
	static const char s[] = "a<|im_end|>b<|im_";
	struct tok_ids ids = { 0 };
	struct text_fixture f;

	open_bytes(&f);
	encode(&f, s, sizeof s - 1, TOK_PLAIN, &ids);
	cr_expect_eq(ids.n, sizeof s - 1);
	for (size_t i = 0; i < ids.n; i++)
		cr_expect_lt(ids.id[i], 256);
	encode(&f, s, sizeof s - 1, TOK_SPECIAL, &ids);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "97 257 98 60 124 105 109 95");
	tok_ids_release(&ids);
	text_close(&f);
}

/* Bytes, marks and ordinary text; decoding gives it back. */
static void round_trip(const struct text_fixture *f, uint64_t seed, int times, bool utf8)
{
	struct tok_ids ids = { 0 };
	struct rng r;

	rng_seed(&r, seed);
	for (int i = 0; i < times; i++) {
		char s[64], *back;
		size_t n = 0, len, most = rng_below(&r, 48);

		while (n < most) {
			if (rng_below(&r, 3))
				s[n++] = " \n'tsLe1.<|>\t"[rng_below(&r, 13)];
			else if (utf8)
				n += utf8_encode(rng_below(&r, 4) ? 0xa0 + rng_below(&r, 0x2000)
								  : 0x1f300 + rng_below(&r, 0x300),
					s + n);
			else
				s[n++] = (char)rng_u64(&r);
		}
		encode(f, s, n, f->vocab->model == VOCAB_BPE && i % 2 ? TOK_SPECIAL : TOK_PLAIN,
			&ids);
		back = text_decode(f->tok, &ids, &len);
		cr_assert(len == n && memcmp(back, s, n) == 0, "text %d does not come back", i);
		for (size_t k = 0; k < ids.n; k++)
			cr_assert(ids.id[k] >= 0 && (size_t)ids.id[k] < f->vocab->n);
		xfree(back);
	}
	tok_ids_release(&ids);
}

Test(tokenizer, any_bytes_come_back_from_a_byte_level_vocabulary)
{
	static const enum vocab_pre pres[] = { PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_SMOLLM,
		PRE_NONE };
	struct text_fixture f;
	struct vocab *v;

	open_bytes(&f);
	v = f.vocab;
	for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
		v->pre = pres[i];
		round_trip(&f, 21 + i, 20000, false);
	}
	text_close(&f);
}

Test(tokenizer, any_text_comes_back_from_a_sentencepiece_vocabulary)
{
	struct text_fixture f;

	text_open_hf(&f, "tests/golden/tpl_spm");
	round_trip(&f, 31, 20000, true);
	round_trip(&f, 32, 10000, false);
	text_close(&f);
}

/* A vocabulary of letters a and what they merge to: aa, aaaa, ... */
static void open_doubling(struct text_fixture *f, bool spm)
{
	static const char *const texts[] = { "aa", "aaaa", "aaaaaaaa", NULL };
	struct vocab_merge *m;
	struct vocab_token *k;
	struct vocab *v;

	arena_init(&f->arena, 0);
	v = text_bytes_vocab(&f->arena, texts);
	k = (struct vocab_token *)(uintptr_t)v->tokens;
	m = arena_take(&f->arena, 3, sizeof *m);
	for (uint32_t i = 0; i < 3; i++) {
		k[256 + i].type = TOKEN_NORMAL;
		k[256 + i].score = -(float)i;
		m[i] = (struct vocab_merge){ i ? 255 + i : 'a', i ? 255 + i : 'a', 256 + i };
	}
	k['a'].score = -9;
	v->merges = m;
	v->n_merges = 3;
	v->pre = PRE_NONE;
	if (spm) {
		v->model = VOCAB_SPM;
		v->unk = 0;
	}
	text_open_vocab(f, v);
}

Test(tokenizer, a_megabyte_of_one_letter_is_merged_exactly)
{
	size_t n = (1 << 20) + 13;
	char *s = xalloc(n);

	memset(s, 'a', n);
	for (int spm = 0; spm < 2; spm++) {
		struct tok_ids ids = { 0 };
		struct text_fixture f;

		open_doubling(&f, spm);
		encode(&f, s, n, TOK_PLAIN, &ids);
		cr_expect_eq(ids.n, n / 8 + 2);
		cr_expect_str_eq(text_ids(ids.id + ids.n - 4, 4), "258 258 257 97");
		tok_ids_release(&ids);
		text_close(&f);
	}
	xfree(s);
}

Test(tokenizer, merges_of_equal_rank_go_from_the_left)
{
	struct tok_ids ids = { 0 };
	struct text_fixture f;

	open_doubling(&f, false);
	encode(&f, "aaaaa", 5, TOK_PLAIN, &ids);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "257 97");
	encode(&f, "aaa", 3, TOK_PLAIN, &ids);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "256 97");
	tok_ids_release(&ids);
	text_close(&f);
}

Test(tokenizer, a_merge_that_makes_a_special_token_is_not_done)
{
	struct tok_ids ids = { 0 };
	struct text_fixture f;

	open_doubling(&f, false);
	((struct vocab_token *)(uintptr_t)f.vocab->tokens)[256].type = TOKEN_CONTROL;
	tokenizer_free(f.tok);
	text_open_vocab(&f, f.vocab);
	encode(&f, "aaaa", 4, TOK_PLAIN, &ids);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "97 97 97 97");
	tok_ids_release(&ids);
	text_close(&f);
}

Test(tokenizer, ids_without_text_show_their_number)
{
	struct text_fixture f;
	size_t n;

	open_bytes(&f);
	cr_expect_eq(memcmp(tokenizer_piece(f.tok, 9999, false, &n), "<|9999|>", 8), 0);
	cr_expect_eq(n, 8);
	cr_expect_eq(memcmp(tokenizer_piece(f.tok, -1, false, &n), "<|-1|>", 6), 0);
	cr_expect_eq(n, 6);
	cr_expect_eq(memcmp(tokenizer_piece(f.tok, 256, false, &n), "<|im_start|>", 12), 0);
	cr_expect(tokenizer_is_control(f.tok, 256) && !tokenizer_is_control(f.tok, 97));
	cr_expect_not(tokenizer_is_control(f.tok, -5));
	cr_expect(tokenizer_is_end(f.tok, 257) && !tokenizer_is_end(f.tok, 256));
	text_close(&f);
}

Test(tokenizer, bos_comes_first_only_where_the_vocabulary_says_so)
{
	struct tok_ids ids = { 0 };
	struct text_fixture f;
	struct err e;

	open_bytes(&f);
	f.vocab->bos = 256;
	cr_assert_eq(tokenizer_encode_text(f.tok, "a", 1, &ids, &e), ST_OK);
	f.vocab->add_bos = true;
	cr_assert_eq(tokenizer_encode_text(f.tok, "b", 1, &ids, &e), ST_OK);
	cr_expect_str_eq(text_ids(ids.id, ids.n), "97 256 98");
	tok_ids_release(&ids);
	text_close(&f);
}

Test(tokenizer, bytes_that_smollm2_has_no_token_for_are_named)
{
	char *path = text_model();
	struct text_fixture f;
	struct tok_ids ids = { 0 };

	if (!path)
		cr_skip_test("the model is not here: make model");
	text_open_gguf(&f, path);
	cr_expect_eq(tokenizer_first_lost(f.tok, "ab\xff", 3), 2);
	cr_expect_eq(tokenizer_first_lost(f.tok, "ab\n", 3), 3);
	encode(&f, "a\x04", 2, TOK_PLAIN, &ids);
	cr_expect_eq(ids.n, 1);
	tok_ids_release(&ids);
	text_close(&f);
	xfree(path);
}

/* ---- vocabularies that are refused */

static void expect_refused(struct vocab *v, const char *sentence)
{
	struct tokenizer *t;
	struct err e = { 0 };

	cr_expect_neq(tokenizer_new(&t, v, &e), ST_OK);
	cr_expect_null(t);
	cr_expect_str_eq(e.msg, sentence);
}

Test(tokenizer, a_vocabulary_that_cannot_be_exact_is_refused_by_name)
{
	static const struct vocab_merge far = { 97, 98, 99999 };
	struct vocab *v, w;
	struct vocab_token *k;
	struct arena a;

	arena_init(&a, 0);
	v = text_bytes_vocab(&a, marks);
	k = (struct vocab_token *)(uintptr_t)v->tokens;
	w = *v;
	w.bos = 300;
	expect_refused(&w, "vocabulary: bos is token 300 of 258");
	w = *v;
	w.eot = -2;
	expect_refused(&w, "vocabulary: eot is token -2 of 258");
	w = *v;
	w.n = 0;
	expect_refused(&w, "vocabulary: 0 tokens");
	w = *v;
	w.merges = &far;
	w.n_merges = 1;
	expect_refused(&w, "vocabulary: merge 0 joins tokens 97 and 98 to 99999, of 258 tokens");
	w = *v;
	w.model = VOCAB_SPM;
	expect_refused(&w,
		"vocabulary: it has neither all 256 byte tokens nor an unknown token, so not "
		"every text can be encoded");
	w.unk = 0;
	k['a'].score = (float)(0.0 / (double)(k['b'].score));
	expect_refused(&w, "vocabulary: the score of token 97 is not finite");
	k['a'].score = 0;
	k['a'].type = TOKEN_BYTE;
	expect_refused(&w, "vocabulary: byte token 97 is spelt \"a\", expected <0x00> to <0xFF>");
	k['a'].type = TOKEN_NORMAL;
	k['a'].text = "b";
	expect_refused(v, "vocabulary: no token for byte 0x61, so not every text can be encoded");
	arena_release(&a);
}

Test(tokenizer, out_of_memory_while_encoding_is_an_answer)
{
	enum st st = ST_NOMEM;
	struct text_fixture f;

	text_open_hf(&f, "tests/golden/tok_bpe");
	for (unsigned long n = 1; st && n < 100; n++) {
		struct tok_ids ids = { 0 };
		struct err e = { 0 };

		alloc_fail_at(n, false);
		st = tokenizer_encode(f.tok, "cafe\xcc\x81 left", 11, TOK_SPECIAL, &ids, &e);
		alloc_fail_at(0, false);
		cr_expect(st == ST_OK || st == ST_NOMEM, "%s", e.msg);
		tok_ids_release(&ids);
	}
	cr_expect_eq(st, ST_OK);
	text_close(&f);
}
