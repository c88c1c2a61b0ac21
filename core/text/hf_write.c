/* hf_write.c - any vocabulary as tokenizer.json and tokenizer_config.json.
 *
 * A vocabulary that merges by score becomes merges in the order of scores, as
 * Hugging Face converts SentencePiece models.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/text/hf.h"
#include "core/text/tokenizer.h"

#define SPACE "\xe2\x96\x81" /* U+2581 */

static bool is_added(const struct vocab_token *k)
{
	return k->len && (k->added || k->type == TOKEN_CONTROL || k->type == TOKEN_USER ||
				 k->type == TOKEN_UNKNOWN);
}

static bool has_bytes(const struct vocab *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->tokens[i].type == TOKEN_BYTE)
			return true;
	return false;
}

/* Every token can be spelt in JSON and means one id. */
static enum st index_texts(const struct vocab *v, struct strmap *m, struct err *e)
{
	enum st st = strmap_init(m, v->n, "token index", e);

	for (size_t i = 0; !st && i < v->n; i++) {
		const struct vocab_token *k = &v->tokens[i];
		int32_t former;

		if (!k->len)
			continue;
		if (utf8_first_bad(k->text, k->len) < k->len)
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE ": token %zu is not UTF-8, which this format cannot hold",
				i);
		former = strmap_put(m, k->text, k->len, (int32_t)i);
		if (former >= 0)
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE
				": tokens %ld and %zu have the same text, which this format cannot "
				"hold",
				(long)former, i);
	}
	return st;
}

/* ---- merges out of scores */

struct pair {
	float score;
	uint32_t whole, left, right;
};

static int by_score(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	if (x->left != y->left)
		return x->left < y->left ? -1 : 1;
	return 0;
}

static bool is_piece(const struct vocab_token *k)
{
	return k->len && k->type != TOKEN_CONTROL && k->type != TOKEN_UNKNOWN &&
	       k->type != TOKEN_BYTE;
}

/* The ways to cut one token into two others; out may be NULL to count. */
static size_t cuts(const struct vocab *v, const struct strmap *m, size_t id, struct pair *out)
{
	const struct vocab_token *k = &v->tokens[id];
	size_t n = 0;

	if (!is_piece(k))
		return 0;
	for (size_t at = 1; at < k->len; at++) {
		int32_t l, r;

		if (((unsigned char)k->text[at] & 0xc0) == 0x80)
			continue;
		l = strmap_get(m, k->text, at);
		r = l < 0 ? -1 : strmap_get(m, k->text + at, k->len - at);
		if (r < 0 || !is_piece(&v->tokens[l]) || !is_piece(&v->tokens[r]))
			continue;
		if (out)
			out[n] = (struct pair){ k->score, (uint32_t)id, (uint32_t)l, (uint32_t)r };
		n++;
	}
	return n;
}

static enum st merges_of_scores(const struct vocab *v, const struct strmap *m,
	struct vocab_merge **out, size_t *n, struct err *e)
{
	struct pair *p;
	size_t k = 0;

	*n = 0;
	for (size_t i = 0; i < v->n; i++)
		*n += cuts(v, m, i, NULL);
	p = big_array(*n ? *n : 1, sizeof *p, "merges", e);
	*out = p ? big_array(*n ? *n : 1, sizeof **out, "merges", e) : NULL;
	if (!*out) {
		big_free(p);
		return ST_NOMEM;
	}
	for (size_t i = 0; i < v->n; i++)
		k += cuts(v, m, i, p + k);
	qsort(p, k, sizeof *p, by_score);
	for (size_t i = 0; i < k; i++)
		(*out)[i] = (struct vocab_merge){ p[i].left, p[i].right, p[i].whole };
	big_free(p);
	return ST_OK;
}

/* ---- the file, part by part */

static void put_added(struct json_out *o, const struct vocab *v)
{
	json_open(o, "added_tokens", '[');
	for (size_t i = 0; i < v->n; i++) {
		const struct vocab_token *k = &v->tokens[i];

		if (!is_added(k))
			continue;
		json_open(o, NULL, '{');
		json_put_i64(o, "id", (int64_t)i);
		json_put_str(o, "content", k->text);
		json_put_bool(o, "single_word", k->single_word);
		json_put_bool(o, "lstrip", k->lstrip);
		json_put_bool(o, "rstrip", k->rstrip);
		json_put_bool(o, "normalized", k->normalized);
		json_put_bool(o, "special", k->type != TOKEN_USER);
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void put_type(struct json_out *o, const char *key, const char *type)
{
	json_open(o, key, '{');
	json_put_str(o, "type", type);
}

static void put_replace(struct json_out *o, const char *from, const char *with)
{
	put_type(o, NULL, "Replace");
	json_open(o, "pattern", '{');
	json_put_str(o, "String", from);
	json_close(o, '}');
	json_put_str(o, "content", with);
	json_close(o, '}');
}

static void put_normalizer(struct json_out *o, const struct vocab *v)
{
	if (v->model == VOCAB_BPE && v->nfc) {
		put_type(o, "normalizer", "NFC");
		json_close(o, '}');
	} else if (v->model == VOCAB_BPE || v->prefix_first) {
		json_put_null(o, "normalizer");
	} else {
		put_type(o, "normalizer", "Sequence");
		json_open(o, "normalizers", '[');
		if (v->add_space_prefix) {
			put_type(o, NULL, "Prepend");
			json_put_str(o, "prepend", SPACE);
			json_close(o, '}');
		}
		put_replace(o, " ", SPACE);
		json_close(o, ']');
		json_close(o, '}');
	}
}

static void put_byte_level(struct json_out *o, const char *key, bool regex)
{
	put_type(o, key, "ByteLevel");
	json_put_bool(o, "add_prefix_space", false);
	json_put_bool(o, "trim_offsets", true);
	json_put_bool(o, "use_regex", regex);
	json_close(o, '}');
}

static void put_split(struct json_out *o, enum vocab_pre pre)
{
	const char *pattern = NULL;

	for (size_t i = 0; i < hf_n_regexes && !pattern; i++)
		if (hf_regexes[i].pre == pre)
			pattern = hf_regexes[i].pattern;
	put_type(o, NULL, "Split");
	json_open(o, "pattern", '{');
	json_put_str(o, "Regex", pattern ? pattern : "");
	json_close(o, '}');
	json_put_str(o, "behavior", "Isolated");
	json_put_bool(o, "invert", false);
	json_close(o, '}');
}

static void put_metaspace(struct json_out *o, const char *key)
{
	put_type(o, key, "Metaspace");
	json_put_str(o, "replacement", SPACE);
	json_put_str(o, "prepend_scheme", "first");
	json_put_bool(o, "split", false);
	json_close(o, '}');
}

static void put_pre_tokenizer(struct json_out *o, const struct vocab *v)
{
	static const char key[] = "pre_tokenizer";

	if (v->model == VOCAB_SPM) {
		if (v->prefix_first)
			put_metaspace(o, key);
		else
			json_put_null(o, key);
		return;
	}
	if (v->pre == PRE_GPT2 || v->pre == PRE_NONE) {
		put_byte_level(o, key, v->pre == PRE_GPT2);
		return;
	}
	put_type(o, key, "Sequence");
	json_open(o, "pretokenizers", '[');
	if (v->pre == PRE_SMOLLM) {
		put_type(o, NULL, "Digits");
		json_put_bool(o, "individual_digits", true);
		json_close(o, '}');
	} else {
		put_split(o, v->pre);
	}
	put_byte_level(o, NULL, v->pre == PRE_SMOLLM);
	json_close(o, ']');
	json_close(o, '}');
}

static void put_special(struct json_out *o, const struct vocab *v, int32_t id, int type_id)
{
	json_open(o, NULL, '{');
	json_open(o, "SpecialToken", '{');
	json_put_str(o, "id", v->tokens[id].text);
	json_put_i64(o, "type_id", type_id);
	json_close(o, '}');
	json_close(o, '}');
}

static void put_sequence(struct json_out *o, const struct vocab *v, const char *name, int type_id)
{
	if (v->add_bos && v->bos >= 0)
		put_special(o, v, v->bos, type_id);
	json_open(o, NULL, '{');
	json_open(o, "Sequence", '{');
	json_put_str(o, "id", name);
	json_put_i64(o, "type_id", type_id);
	json_close(o, '}');
	json_close(o, '}');
	if (v->add_eos && v->eos >= 0)
		put_special(o, v, v->eos, type_id);
}

static void put_definition(struct json_out *o, const struct vocab *v, int32_t id)
{
	const char *text = v->tokens[id].text;

	json_open(o, text, '{');
	json_put_str(o, "id", text);
	json_open(o, "ids", '[');
	json_put_i64(o, NULL, id);
	json_close(o, ']');
	json_open(o, "tokens", '[');
	json_put_str(o, NULL, text);
	json_close(o, ']');
	json_close(o, '}');
}

static void put_post(struct json_out *o, const struct vocab *v)
{
	bool bos = v->add_bos && v->bos >= 0, eos = v->add_eos && v->eos >= 0;

	if (!bos && !eos) {
		json_put_null(o, "post_processor");
		return;
	}
	put_type(o, "post_processor", "TemplateProcessing");
	json_open(o, "single", '[');
	put_sequence(o, v, "A", 0);
	json_close(o, ']');
	json_open(o, "pair", '[');
	put_sequence(o, v, "A", 0);
	put_sequence(o, v, "B", 1);
	json_close(o, ']');
	json_open(o, "special_tokens", '{');
	if (bos)
		put_definition(o, v, v->bos);
	if (eos && !(bos && v->eos == v->bos))
		put_definition(o, v, v->eos);
	json_close(o, '}');
	json_close(o, '}');
}

static void put_decoder(struct json_out *o, const struct vocab *v)
{
	static const char *const plain[] = { "ByteFallback", "Fuse" };

	if (v->model == VOCAB_BPE) {
		put_byte_level(o, "decoder", true);
		return;
	}
	put_type(o, "decoder", "Sequence");
	json_open(o, "decoders", '[');
	put_replace(o, SPACE, " ");
	for (size_t i = 0; i < 2; i++) {
		put_type(o, NULL, plain[i]);
		json_close(o, '}');
	}
	if (v->add_space_prefix) {
		put_type(o, NULL, "Strip");
		json_put_str(o, "content", " ");
		json_put_i64(o, "start", 1);
		json_put_i64(o, "stop", 0);
		json_close(o, '}');
	}
	json_close(o, ']');
	json_close(o, '}');
}

static void put_model(
	struct json_out *o, const struct vocab *v, const struct vocab_merge *m, size_t n)
{
	put_type(o, "model", "BPE");
	json_put_null(o, "dropout");
	if (v->model == VOCAB_SPM && v->unk >= 0)
		json_put_str(o, "unk_token", v->tokens[v->unk].text);
	else
		json_put_null(o, "unk_token");
	json_put_null(o, "continuing_subword_prefix");
	json_put_null(o, "end_of_word_suffix");
	json_put_bool(o, "fuse_unk", v->model == VOCAB_SPM);
	json_put_bool(o, "byte_fallback", v->model == VOCAB_SPM && has_bytes(v));
	json_put_bool(o, "ignore_merges", v->ignore_merges);
	json_open(o, "vocab", '{');
	for (size_t i = 0; i < v->n; i++)
		if (v->tokens[i].len)
			json_put_i64(o, v->tokens[i].text, (int64_t)i);
	json_close(o, '}');
	json_open(o, "merges", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(o, NULL, '[');
		json_put_str(o, NULL, v->tokens[m[i].left].text);
		json_put_str(o, NULL, v->tokens[m[i].right].text);
		json_close(o, ']');
	}
	json_close(o, ']');
	json_close(o, '}');
}

static void put_named(struct json_out *o, const struct vocab *v, const char *key, int32_t id)
{
	if (id >= 0 && (size_t)id < v->n && v->tokens[id].len)
		json_put_str(o, key, v->tokens[id].text);
}

static void put_config(struct json_out *o, const struct vocab *v)
{
	json_open(o, NULL, '{');
	json_put_str(o, "tokenizer_class", "PreTrainedTokenizerFast");
	json_put_bool(o, "add_bos_token", v->add_bos);
	json_put_bool(o, "add_eos_token", v->add_eos);
	put_named(o, v, "bos_token", v->bos);
	put_named(o, v, "eos_token", v->eos);
	put_named(o, v, "unk_token", v->unk);
	put_named(o, v, "pad_token", v->pad);
	json_put_bool(o, "clean_up_tokenization_spaces", false);
	if (v->chat_template)
		json_put_str(o, "chat_template", v->chat_template);
	json_close(o, '}');
}

static enum st write(const char *dir, const char *name, const struct json_out *o, struct err *e)
{
	char *path = xprintf("%s/%s", dir, name);
	enum st st = fs_write_all(path, o->s, o->n, e);

	xfree(path);
	return st;
}

static enum st write_tokenizer(const struct vocab *v, const char *dir, const struct vocab_merge *m,
	size_t n, struct err *e)
{
	struct json_out o;
	enum st st;

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_str(&o, "version", "1.0");
	json_put_null(&o, "truncation");
	json_put_null(&o, "padding");
	put_added(&o, v);
	put_normalizer(&o, v);
	put_pre_tokenizer(&o, v);
	put_post(&o, v);
	put_decoder(&o, v);
	put_model(&o, v, m, n);
	json_close(&o, '}');
	st = write(dir, HF_FILE, &o, e);
	json_out_release(&o);
	return st;
}

enum st vocab_to_hf(const struct vocab *v, const char *dir, struct err *e)
{
	struct vocab_merge *made = NULL;
	const struct vocab_merge *m = v->merges;
	struct strmap texts = { 0 };
	size_t n = v->n_merges;
	struct json_out o;
	enum st st = index_texts(v, &texts, e);

	if (!st && v->model == VOCAB_SPM && !v->spm_rank) {
		st = merges_of_scores(v, &texts, &made, &n, e);
		m = made;
	}
	if (!st)
		st = write_tokenizer(v, dir, m, n, e);
	big_free(made);
	strmap_release(&texts);
	if (st)
		return st;
	json_out_init(&o, true);
	put_config(&o, v);
	st = write(dir, "tokenizer_config.json", &o, e);
	json_out_release(&o);
	return st;
}
