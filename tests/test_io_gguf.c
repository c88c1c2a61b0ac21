/* test_io_gguf.c - GGUF files that open, and what is found in them. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/sha256.h"
#include "core/io/checkpoint.h"
#include "core/io/gguf.h"
#include "tests/lib_io.h"

TestSuite(io_gguf, .fini = fx_clean);

static struct checkpoint *open_ok(const struct gw *w, const char *name)
{
	struct fx_buf b = { 0 };
	struct checkpoint *c = NULL;
	struct err e = { 0 };
	char *path = fx_path(name);

	gw_file(w, &b);
	fx_write(path, &b);
	cr_assert_eq(checkpoint_open(&c, path, &e), ST_OK, "%s", e.msg);
	xfree(path);
	xfree(b.p);
	return c;
}

static struct checkpoint *open_tiny(void)
{
	struct gw w;

	gw_llama(&w, &fx_tiny, 8);
	return open_ok(&w, "tiny.gguf");
}

Test(io_gguf, hyperparameters_come_from_the_llama_keys)
{
	struct checkpoint *c = open_tiny();

	cr_expect_str_eq(c->kind, "gguf");
	cr_expect_str_eq(c->name, "tiny");
	cr_expect_str_eq(c->license, "apache-2.0");
	cr_expect_str_eq(c->hp.arch, "llama");
	cr_expect_eq(c->hp.vocab, 8);
	cr_expect_eq(c->hp.hidden, 32);
	cr_expect_eq(c->hp.inter, 64);
	cr_expect_eq(c->hp.layers, 1);
	cr_expect_eq(c->hp.heads, 4);
	cr_expect_eq(c->hp.kv_heads, 2);
	cr_expect_eq(c->hp.head_dim, 8);
	cr_expect_eq(c->hp.ctx, 128);
	cr_expect_float_eq(c->hp.rope_base, 50000, 0);
	cr_expect_float_eq(c->hp.eps, 1e-5, 1e-12);
	cr_expect(c->hp.rope_pairs);
	cr_expect(c->hp.tied);
	cr_expect_eq(c->hp.window, 0);
	checkpoint_close(c);
}

Test(io_gguf, tensors_have_our_names_and_their_slowest_dimension_first)
{
	struct checkpoint *c = open_tiny();
	const struct tensor *t = checkpoint_find(c, "layers.0.down");

	cr_assert_not_null(t);
	cr_expect_eq(t->rank, 2);
	cr_expect_eq(t->dim[0], 32);
	cr_expect_eq(t->dim[1], 64);
	cr_expect_eq(t->dtype, DT_Q8_0);
	cr_expect_eq(t->bytes, 32 * 64 / 32 * 34);
	t = checkpoint_find(c, "norm");
	cr_assert_not_null(t);
	cr_expect_eq(t->rank, 1);
	cr_expect_eq(c->n_tensors, 11);
	cr_expect_null(checkpoint_find(c, "blk.0.attn_q.weight"));
	cr_expect_not(checkpoint_stored(c, "layers.0.q", NULL));
	checkpoint_close(c);
}

/* The data of each tensor must be the bytes the writer put there. */
Test(io_gguf, every_type_in_both_versions_reads_what_was_written)
{
	static const uint32_t types[] = { 0, 1, 2, 3, 6, 7, 8, 12, 14, 30 };
	static const struct fx_shape wide = { 8, 256, 256, 1, 4, 2 };

	for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) {
		struct gw w;
		struct fx_buf b = { 0 };
		struct checkpoint *c;
		const struct tensor *t;
		float y[256];
		size_t data;

		gw_llama(&w, &wide, types[i / 2]);
		w.version = i % 2 ? 2 : 3;
		c = open_ok(&w, "wide.gguf");
		gw_file(&w, &b);
		t = checkpoint_find(c, "layers.0.up");
		data = b.n - (w.t[w.n_t - 1].offset + w.t[w.n_t - 1].bytes);
		cr_expect_eq(
			memcmp(t->data, b.p + data + gw_find(&w, "blk.0.ffn_up.weight")->offset,
				t->bytes),
			0, "type %u", types[i / 2]);
		tensor_f32(t, 256 * 3, 256, y);
		checkpoint_close(c);
		xfree(b.p);
	}
}

Test(io_gguf, a_larger_alignment_is_followed)
{
	struct gw w;
	struct checkpoint *c;

	gw_llama(&w, &fx_tiny, 0);
	gw_u32(&w, "general.alignment", 4096);
	w.align = 4096;
	gw_place(&w);
	c = open_ok(&w, "aligned.gguf");
	cr_expect_eq((uintptr_t)checkpoint_find(c, "layers.0.q")->data % 4096, 0);
	checkpoint_close(c);
}

Test(io_gguf, an_own_head_is_not_tied)
{
	struct gw w;
	struct checkpoint *c;

	gw_llama(&w, &fx_tiny, 0);
	w.t[w.n_t] = *gw_find(&w, "token_embd.weight");
	snprintf(w.t[w.n_t++].name, sizeof w.t[0].name, "output.weight");
	gw_place(&w);
	c = open_ok(&w, "head.gguf");
	cr_expect_not(c->hp.tied);
	cr_expect_not_null(checkpoint_find(c, "head"));
	checkpoint_close(c);
}

Test(io_gguf, an_unknown_tensor_beside_the_blocks_keeps_its_name)
{
	struct gw w;
	struct checkpoint *c;
	struct gw_tensor *t;

	gw_llama(&w, &fx_tiny, 0);
	t = &w.t[w.n_t++];
	*t = (struct gw_tensor){ .name = "note", .rank = 1, .ne = { 0 } };
	gw_place(&w);
	c = open_ok(&w, "note.gguf");
	cr_assert_not_null(checkpoint_find(c, "note"));
	cr_expect_eq(checkpoint_find(c, "note")->bytes, 0);
	checkpoint_close(c);
}

Test(io_gguf, byte_level_vocabulary_is_read_whole)
{
	struct checkpoint *c = open_tiny();
	const struct vocab *v = c->vocab;

	cr_assert_not_null(v);
	cr_expect_eq(v->model, VOCAB_BPE);
	cr_expect_eq(v->pre, PRE_SMOLLM);
	cr_expect_eq(v->n, 8);
	cr_expect_str_eq(v->tokens[6].text, "abc");
	cr_expect_eq(v->tokens[6].len, 3);
	cr_expect_eq(v->tokens[0].type, TOKEN_CONTROL);
	cr_expect(v->tokens[0].added);
	cr_expect_eq(v->tokens[2].type, TOKEN_NORMAL);
	cr_expect_not(v->tokens[2].added);
	cr_assert_eq(v->n_merges, 2);
	cr_expect_eq(v->merges[0].left, 2);
	cr_expect_eq(v->merges[0].right, 3);
	cr_expect_eq(v->merges[0].result, 5);
	cr_expect_eq(v->merges[1].left, 5);
	cr_expect_eq(v->merges[1].right, 4);
	cr_expect_eq(v->merges[1].result, 6);
	cr_expect_eq(v->bos, 0);
	cr_expect_eq(v->eos, 0);
	cr_expect_eq(v->unk, -1);
	cr_expect_eq(v->eot, 1, "<|im_end|> ends a turn though no key says so");
	cr_expect_not(v->add_bos);
	cr_expect_str_eq(v->chat_template, "{{ messages }}");
	checkpoint_close(c);
}

Test(io_gguf, each_scanner_brings_its_defaults)
{
	static const struct {
		const char *name;
		enum vocab_pre pre;
		bool bos, ignore, nfc;
	} all[] = { { "smollm", PRE_SMOLLM, false, false, false },
		{ "llama-bpe", PRE_LLAMA3, true, true, false },
		{ "llama3", PRE_LLAMA3, true, true, false },
		{ "qwen2", PRE_QWEN2, false, false, true },
		{ "gpt-2", PRE_GPT2, false, false, false },
		{ "default", PRE_GPT2, false, false, false } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct gw w;
		struct checkpoint *c;

		gw_llama(&w, &fx_tiny, 0);
		gw_str(&w, "tokenizer.ggml.pre", all[i].name);
		c = open_ok(&w, "pre.gguf");
		cr_expect_eq(c->vocab->pre, all[i].pre, "%s", all[i].name);
		cr_expect_eq(c->vocab->add_bos, all[i].bos, "%s", all[i].name);
		cr_expect_eq(c->vocab->ignore_merges, all[i].ignore, "%s", all[i].name);
		cr_expect_eq(c->vocab->nfc, all[i].nfc, "%s", all[i].name);
		checkpoint_close(c);
	}
}

Test(io_gguf, sentencepiece_vocabulary_has_scores_and_a_space_before_the_text)
{
	struct gw w;
	struct checkpoint *c;
	struct fx_buf scores = { 0 };

	gw_llama(&w, &fx_tiny, 0);
	gw_str(&w, "tokenizer.ggml.model", "llama");
	gw_drop(&w, "tokenizer.ggml.merges");
	fx_uint(&scores, GW_F32, 4);
	fx_uint(&scores, 8, 8);
	for (size_t i = 0; i < 8; i++)
		fx_f32(&scores, -(float)i);
	gw_raw(&w, "tokenizer.ggml.scores", GW_ARR, scores.p, scores.n);
	xfree(scores.p);
	c = open_ok(&w, "spm.gguf");
	cr_expect_eq(c->vocab->model, VOCAB_SPM);
	cr_expect_float_eq(c->vocab->tokens[3].score, -3, 0);
	cr_expect(c->vocab->add_bos);
	cr_expect(c->vocab->add_space_prefix);
	checkpoint_close(c);
	gw_bool(&w, "tokenizer.ggml.add_bos_token", 0);
	gw_bool(&w, "tokenizer.ggml.add_space_prefix", 0);
	gw_bool(&w, "tokenizer.ggml.add_eos_token", 1);
	c = open_ok(&w, "spm.gguf");
	cr_expect_not(c->vocab->add_bos);
	cr_expect_not(c->vocab->add_space_prefix);
	cr_expect(c->vocab->add_eos);
	checkpoint_close(c);
}

Test(io_gguf, without_a_tokenizer_the_vocabulary_is_missing_by_name)
{
	struct gw w;
	struct checkpoint *c;

	gw_llama(&w, &fx_tiny, 0);
	gw_drop(&w, "tokenizer.ggml.model");
	c = open_ok(&w, "mute.gguf");
	cr_expect_null(c->vocab);
	cr_expect_str_eq(c->vocab_missing, "mute.gguf holds no tokenizer");
	checkpoint_close(c);
}

Test(io_gguf, a_file_with_nothing_but_a_vocabulary_gives_it)
{
	struct gw w;
	struct fx_buf b = { 0 };
	struct arena a;
	struct vocab *v = NULL;
	struct err e = { 0 };
	char *path = fx_path("vocab.gguf");

	gw_llama(&w, &fx_tiny, 0);
	w.n_t = 0;
	gw_file(&w, &b);
	fx_write(path, &b);
	arena_init(&a, 0);
	cr_assert_eq(vocab_from_gguf(&v, &a, path, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(v->n, 8);
	arena_release(&a);
	xfree(path);
	xfree(b.p);
}

Test(io_gguf, a_header_longer_than_the_first_read_is_parsed_across_it)
{
	static char text[6 << 20];
	struct gw w;
	struct checkpoint *c;

	memset(text, 'x', sizeof text - 1);
	gw_llama(&w, &fx_tiny, 0);
	gw_str(&w, "tokenizer.chat_template", text);
	c = open_ok(&w, "long.gguf");
	cr_expect_eq(strlen(c->vocab->chat_template), sizeof text - 1);
	checkpoint_close(c);
}

Test(io_gguf, the_hashes_are_those_of_header_and_file)
{
	struct gw w;
	struct fx_buf b = { 0 };
	struct checkpoint *c;
	struct sha256 s;
	uint64_t at = 0;
	size_t steps = 0, head;
	char want[65], got[65];

	gw_llama(&w, &fx_tiny, 0);
	c = open_ok(&w, "sum.gguf");
	gw_file(&w, &b);
	cr_expect_eq(c->file_bytes, b.n);
	/* The last 11 tensor entries end the header: 8 + name, 4, 8 a dimension, 4, 8. */
	head = b.n - w.t[w.n_t - 1].offset - w.t[w.n_t - 1].bytes;
	while (head && b.p[head - 1] == 0) /* padding, and the last offset's zero bytes */
		head--;
	while (at < c->file_bytes) {
		checkpoint_hash_step(c, &s, &at, 1000);
		steps++;
	}
	sha256_hex(&s, got);
	sha256_of(b.p, b.n, want);
	cr_expect_str_eq(got, want);
	cr_expect_eq(steps, (b.n + 999) / 1000);
	for (size_t n = head; n < head + 8; n++) {
		sha256_of(b.p, n, want);
		if (strcmp(want, c->header_sha256) == 0)
			break;
	}
	cr_expect_str_eq(c->header_sha256, want);
	checkpoint_close(c);
	xfree(b.p);
}

Test(io_gguf, a_file_that_changed_since_is_noticed)
{
	struct checkpoint *c = open_tiny();
	struct err e = { 0 };
	char *path = fx_path("tiny.gguf");

	cr_expect_eq(checkpoint_unchanged(c, &e), ST_OK, "%s", e.msg);
	remove(path);
	fx_write_text(path, "something else");
	cr_expect_eq(checkpoint_unchanged(c, &e), ST_IO);
	cr_expect_str_eq(
		e.msg, "tiny.gguf changed on disk since it was opened; open the model again");
	checkpoint_close(c);
	xfree(path);
}

Test(io_gguf, the_default_model_opens)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *path =
		data ? xprintf("%s/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf", data)
		     : xprintf("%s/.local/share/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf",
			       home ? home : "");
	struct checkpoint *c;
	struct err e = { 0 };
	size_t q4 = 0, f32 = 0;

	if (!fs_is_file(path))
		cr_skip("the default model is not there: make model");
	cr_assert_eq(checkpoint_open(&c, path, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < c->n_tensors; i++) {
		q4 += c->tensors[i].dtype == DT_Q4_1;
		f32 += c->tensors[i].dtype == DT_F32;
	}
	cr_expect_eq(q4, 210);
	cr_expect_eq(f32, 61);
	cr_expect_eq(checkpoint_find(c, "embed")->dtype, DT_Q8_0);
	cr_expect(c->hp.tied && c->hp.rope_pairs);
	cr_expect_eq(c->hp.vocab, 49152);
	cr_expect_eq(c->vocab->n_merges, 48900);
	cr_expect_eq(c->vocab->eos, 2);
	checkpoint_close(c);
	xfree(path);
}
