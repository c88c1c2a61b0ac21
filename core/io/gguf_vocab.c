/* gguf_vocab.c - the tokenizer.ggml.* keys of a GGUF header as struct vocab. */
#include <stdint.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/io/gguf.h"
#include "core/io/words.h"

enum { MAX_TOKEN = 4096 };

#define KEY(k) "tokenizer.ggml." k

/* "gpt2" models name their scanner; what each one implies is not in the file. */
static const struct {
	const char *name;
	enum vocab_pre pre;
	bool add_bos, ignore_merges, nfc;
} pres[] = {
	{ "smollm", PRE_SMOLLM, false, false, false },
	{ "llama-bpe", PRE_LLAMA3, true, true, false },
	{ "llama3", PRE_LLAMA3, true, true, false },
	{ "llama-v3", PRE_LLAMA3, true, true, false },
	{ "qwen2", PRE_QWEN2, false, false, true },
	{ "gpt-2", PRE_GPT2, false, false, false },
	{ "default", PRE_GPT2, false, false, false },
};

static bool is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(s, word, n) == 0;
}

static enum st read_pre(struct vocab *v, const struct gguf *g, struct err *e)
{
	const char *s = "default";
	size_t n = strlen(s);
	enum st st = gguf_string(g, KEY("pre"), &s, &n, e);

	if (st)
		return st;
	for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
		if (!is(s, n, pres[i].name))
			continue;
		v->pre = pres[i].pre;
		v->add_bos = pres[i].add_bos;
		v->ignore_merges = pres[i].ignore_merges;
		v->nfc = pres[i].nfc;
		return ST_OK;
	}
	return err_set(e, ST_UNSUPPORTED,
		"%s: the pre-tokenizer %.*s is not known here; smollm, llama-bpe, qwen2 and gpt-2 "
		"are",
		g->where, n > 60 ? 60 : (int)n, s);
}

/* ---- tokens */

static enum st read_texts(struct vocab *v, struct arena *a, const struct gguf *g,
	const struct gguf_kv *kv, struct err *e)
{
	struct vocab_token *t = arena_try(a, kv->count, sizeof *t, "tokens", e);
	char *blob; /* all texts: a NUL each takes no more than their lengths did */
	size_t at = kv->at;

	if (!t)
		return ST_NOMEM;
	blob = arena_try(a, kv->bytes, 1, "texts of the tokens", e);
	if (!blob)
		return ST_NOMEM;
	for (size_t i = 0; i < kv->count; i++) {
		size_t n;
		const char *s = gguf_next_string(g, &at, &n);

		if (n > MAX_TOKEN || memchr(s, 0, n))
			return err_set(e, ST_FORMAT,
				"%s: token %zu has %zu bytes, above the limit of %d, or holds a "
				"NUL",
				g->where, i, n, MAX_TOKEN);
		memcpy(blob, s, n);
		blob[n] = '\0';
		t[i] = (struct vocab_token){ .text = blob, .len = (uint32_t)n };
		blob += n + 1;
	}
	v->tokens = t;
	v->n = kv->count;
	return ST_OK;
}

static enum st same_length(const struct vocab *v, const struct gguf *g, const struct gguf_kv *kv,
	const char *key, struct err *e)
{
	if (kv->count == v->n)
		return ST_OK;
	return err_set(e, ST_FORMAT, "%s: %s has %llu entries, tokenizer.ggml.tokens has %zu",
		g->where, key, (unsigned long long)kv->count, v->n);
}

static enum st read_scores(struct vocab *v, const struct gguf *g, struct err *e)
{
	struct vocab_token *t = (struct vocab_token *)v->tokens;
	const struct gguf_kv *kv;
	enum st st = gguf_array(g, KEY("scores"), GGUF_F32, &kv, e);

	if (st)
		return st;
	if (!kv && v->model == VOCAB_SPM)
		return err_set(e, ST_FORMAT, "%s: tokenizer.ggml.scores is missing", g->where);
	if (!kv)
		return ST_OK;
	st = same_length(v, g, kv, KEY("scores"), e);
	if (st)
		return st;
	for (size_t i = 0; i < v->n; i++) {
		memcpy(&t[i].score, g->head + kv->at + 4 * i, 4);
		if (t[i].score != t[i].score)
			return err_set(e, ST_FORMAT, "%s: the score of token %zu is not a number",
				g->where, i);
	}
	return ST_OK;
}

static enum st read_types(struct vocab *v, const struct gguf *g, struct err *e)
{
	static const enum token_type types[] = { TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_UNKNOWN,
		TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE };
	struct vocab_token *t = (struct vocab_token *)v->tokens;
	const struct gguf_kv *kv;
	enum st st = gguf_array(g, KEY("token_type"), GGUF_I32, &kv, e);

	if (st || !kv)
		return st;
	st = same_length(v, g, kv, KEY("token_type"), e);
	if (st)
		return st;
	for (size_t i = 0; i < v->n; i++) {
		uint64_t type = gguf_le(g->head + kv->at + 4 * i, 4);

		if (type >= sizeof types / sizeof *types)
			return err_set(e, ST_FORMAT, "%s: token %zu is of the unknown type %d",
				g->where, i, (int)(int32_t)type);
		t[i].type = types[type];
		t[i].added = t[i].type == TOKEN_CONTROL || t[i].type == TOKEN_USER ||
			     t[i].type == TOKEN_UNKNOWN;
	}
	return ST_OK;
}

/* ---- merges */

static enum st read_merge(struct vocab_merge *m, const struct words *w, const struct gguf *g,
	size_t i, int64_t last, const char *s, size_t n, struct err *e)
{
	/* Not the first byte: a token may begin with a space in vocabularies not our own. */
	const char *space = n > 2 ? memchr(s + 1, ' ', n - 1) : NULL;
	size_t left = space ? (size_t)(space - s) : 0, right = space ? n - left - 1 : 0;
	char both[2 * MAX_TOKEN];
	int64_t ids[3];

	if (!space || left > MAX_TOKEN || right > MAX_TOKEN || !right)
		return err_set(e, ST_FORMAT, "%s: merge %zu is not two tokens with a space between",
			g->where, i);
	memcpy(both, s, left);
	memcpy(both + left, space + 1, right);
	ids[0] = words_find(w, s, left);
	ids[1] = words_find(w, space + 1, right);
	/* Vocabularies are numbered in the order of their merges. */
	ids[2] = words_find_near(w, both, left + right, last + 1);
	for (int k = 0; k < 3; k++)
		if (ids[k] < 0)
			return err_set(e, ST_FORMAT,
				"%s: merge %zu (%.*s): %s is no token of the vocabulary", g->where,
				i, n > 60 ? 60 : (int)n, s,
				k == 0   ? "its left side"
				: k == 1 ? "its right side"
					 : "its result");
	*m = (struct vocab_merge){ (uint32_t)ids[0], (uint32_t)ids[1], (uint32_t)ids[2] };
	return ST_OK;
}

static enum st read_merges(struct vocab *v, struct arena *a, const struct gguf *g, struct err *e)
{
	const struct gguf_kv *kv;
	struct vocab_merge *m;
	struct words w;
	size_t at;
	enum st st = gguf_array(g, KEY("merges"), GGUF_STRING, &kv, e);

	if (st)
		return st;
	if (!kv)
		return err_set(e, ST_FORMAT, "%s: tokenizer.ggml.merges is missing", g->where);
	m = arena_try(a, kv->count ? kv->count : 1, sizeof *m, "merges", e);
	if (!m)
		return ST_NOMEM;
	st = words_init(&w, v->tokens, v->n, e);
	at = kv->at;
	for (size_t i = 0; !st && i < kv->count; i++) {
		size_t n;
		const char *s = gguf_next_string(g, &at, &n);

		st = read_merge(&m[i], &w, g, i, i ? (int64_t)m[i - 1].result : -2, s, n, e);
	}
	words_release(&w);
	v->merges = m;
	v->n_merges = kv->count;
	return st;
}

/* ---- the rest */

/* An id that the file may name; -1 when it does not. */
static enum st read_id(
	const struct vocab *v, const struct gguf *g, const char *key, int32_t *id, struct err *e)
{
	uint64_t u = UINT64_MAX;
	enum st st = gguf_u64(g, key, 0, v->n - 1, &u, e);

	*id = st || u == UINT64_MAX ? -1 : (int32_t)u;
	return st;
}

/* Older files do not name the end of a turn; these spellings are it. */
static void guess_eot(struct vocab *v)
{
	static const char *const spelling[] = { "<|eot_id|>", "<|im_end|>", "<|end|>" };

	for (size_t k = 0; k < sizeof spelling / sizeof *spelling && v->eot < 0; k++)
		for (size_t i = 0; i < v->n && v->eot < 0; i++)
			if (v->tokens[i].type == TOKEN_CONTROL &&
				is(v->tokens[i].text, v->tokens[i].len, spelling[k]))
				v->eot = (int32_t)i;
}

static enum st read_special(struct vocab *v, const struct gguf *g, struct err *e)
{
	const struct {
		const char *key;
		int32_t *id;
	} all[] = {
		{ KEY("bos_token_id"), &v->bos },
		{ KEY("eos_token_id"), &v->eos },
		{ KEY("unknown_token_id"), &v->unk },
		{ KEY("padding_token_id"), &v->pad },
		{ KEY("eot_token_id"), &v->eot },
	};
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < sizeof all / sizeof *all; i++)
		st = read_id(v, g, all[i].key, all[i].id, e);
	if (st)
		return st;
	if (v->eot < 0)
		guess_eot(v);
	if (v->eot == v->eos)
		v->eot = -1;
	st = gguf_bool(g, KEY("add_bos_token"), &v->add_bos, e);
	st = st ? st : gguf_bool(g, KEY("add_eos_token"), &v->add_eos, e);
	st = st ? st : gguf_bool(g, KEY("add_space_prefix"), &v->add_space_prefix, e);
	if (v->bos < 0)
		v->add_bos = false;
	if (v->eos < 0)
		v->add_eos = false;
	return st;
}

static enum st read_template(struct vocab *v, struct arena *a, const struct gguf *g, struct err *e)
{
	const char *s = NULL;
	size_t n = 0;
	char *to;
	enum st st = gguf_string(g, "tokenizer.chat_template", &s, &n, e);

	if (st || !s)
		return st;
	to = arena_try(a, n + 1, 1, "chat template", e);
	if (!to)
		return ST_NOMEM;
	memcpy(to, s, n);
	to[n] = '\0';
	v->chat_template = to;
	return ST_OK;
}

static enum st read_model(
	struct vocab *v, const struct gguf *g, const char *s, size_t n, struct err *e)
{
	v->bos = v->eos = v->unk = v->pad = v->eot = -1;
	if (is(s, n, "gpt2")) {
		v->model = VOCAB_BPE;
		return read_pre(v, g, e);
	}
	if (is(s, n, "llama")) {
		v->model = VOCAB_SPM;
		v->pre = PRE_NONE;
		v->add_bos = v->add_space_prefix = true;
		return ST_OK;
	}
	return err_set(e, ST_UNSUPPORTED,
		"%s: the tokenizer model %.*s is not known here; gpt2 and llama are", g->where,
		n > 60 ? 60 : (int)n, s);
}

enum st gguf_vocab(struct vocab **out, const char **missing, struct arena *a, const struct gguf *g,
	size_t max, struct err *e)
{
	struct vocab *v = ARENA_NEW(a, struct vocab, 1);
	const struct gguf_kv *tokens;
	const char *s = NULL;
	size_t n = 0;
	enum st st = gguf_string(g, KEY("model"), &s, &n, e);

	*out = NULL;
	if (st)
		return st;
	if (!s || is(s, n, "none") || is(s, n, "no_vocab")) {
		char *text = xprintf("%s holds no tokenizer", g->where);

		*missing = arena_strndup(a, text, strlen(text));
		xfree(text);
		return ST_OK;
	}
	st = read_model(v, g, s, n, e);
	st = st ? st : gguf_array(g, KEY("tokens"), GGUF_STRING, &tokens, e);
	if (st)
		return st;
	if (!tokens || !tokens->count)
		return err_set(
			e, ST_FORMAT, "%s: tokenizer.ggml.tokens is missing or empty", g->where);
	if (tokens->count > max)
		return err_set(e, ST_FORMAT, "%s: %llu tokens, but the embedding has %zu rows",
			g->where, (unsigned long long)tokens->count, max);
	st = read_texts(v, a, g, tokens, e);
	st = st ? st : read_scores(v, g, e);
	st = st ? st : read_types(v, g, e);
	if (!st && v->model == VOCAB_BPE)
		st = read_merges(v, a, g, e);
	st = st ? st : read_special(v, g, e);
	st = st ? st : read_template(v, a, g, e);
	*out = st ? NULL : v;
	return st;
}

enum st vocab_from_gguf(struct vocab **out, struct arena *a, const char *path, struct err *e)
{
	struct ck_file f = { .path = path, .base = ck_base(path) };
	const char *missing = NULL;
	struct gguf g = { 0 };
	enum st st = fs_map_open(&f.map, path, e);

	*out = NULL;
	if (st)
		return st;
	st = gguf_read(&g, &f, e);
	st = st ? st : gguf_vocab(out, &missing, a, &g, INT32_MAX, e);
	if (!st && !*out)
		st = err_set(e, ST_FORMAT, "%s", missing);
	gguf_release(&g);
	fs_map_close(&f.map);
	return st;
}
