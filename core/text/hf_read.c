/* hf_read.c - tokenizer.json, by the pull parser: one pass, tables no larger than the
 * file, every id and every merge checked.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/text/hf.h"
#include "core/text/tokenizer.h"

#define FILE_MAX ((size_t)256 << 20)
#define ID_MAX   ((size_t)1 << 24)

struct entry {
	const char *text;
	uint32_t len;
	int32_t id; /* -1: an added token without one */
	bool added, special, lstrip, rstrip, single_word, normalized;
};

struct reader {
	struct arena *a;
	struct err *e;
	struct jpull p;
	size_t file_bytes;
	char *pool; /* in the arena; texts are never longer than the file */
	size_t used;
	struct entry *entry;
	size_t n, cap, n_model; /* n_model: those of .model.vocab come first */
	struct strmap text_id;
	bool has_vocab, has_model, byte_fallback, fuse_unk;
	char *unk;
	struct hf_slice merges, normalizer, pre_tokenizer, post;
};

static enum st fail(struct reader *r, const char *where, const char *what)
{
	return err_set(r->e, ST_FORMAT, HF_FILE ": %s: %s", where, what);
}

/* The next token; JT_BAD has been reported through r->e. */
static enum jtok next(struct reader *r)
{
	enum jtok k = jpull_next(&r->p);

	if (k == JT_BAD)
		err_set(r->e, r->p.err.st, "%s", r->p.err.msg);
	return k;
}

static enum st expect(struct reader *r, enum jtok want, const char *where, const char *what)
{
	enum jtok k = next(r);

	if (k == want)
		return ST_OK;
	return k == JT_BAD ? r->p.err.st : fail(r, where, what);
}

/* After a key: the value as text, skipped. */
static enum st slice(struct reader *r, struct hf_slice *out)
{
	size_t from = r->p.at, to;
	enum st st = jpull_skip(&r->p, r->e);

	if (st)
		return st;
	to = r->p.at;
	while (from < to && strchr(" \t\r\n:", r->p.s[from]))
		from++;
	while (to > from && strchr(" \t\r\n,", r->p.s[to - 1]))
		to--;
	*out = (struct hf_slice){ r->p.s + from, to - from };
	return ST_OK;
}

/* ---- tokens as they are given */

static enum st keep_text(struct reader *r, const char *where, struct entry *x)
{
	if (memchr(r->p.text, 0, r->p.len))
		return fail(r, where, "a token holds \\u0000, which no token may");
	x->len = (uint32_t)r->p.len;
	x->text = r->pool + r->used;
	memcpy(r->pool + r->used, r->p.text, r->p.len);
	r->used += r->p.len + 1;
	return ST_OK;
}

static enum st read_id(struct reader *r, const char *where, int32_t *id)
{
	enum jtok k = next(r);

	if (k == JT_BAD)
		return r->p.err.st;
	if (k != JT_NUMBER || !r->p.is_u64)
		return fail(r, where, "an id is no whole number from 0");
	if (r->p.u64 >= ID_MAX || r->p.u64 >= r->file_bytes)
		return err_set(r->e, ST_FORMAT,
			HF_FILE ": %s: id %llu is above what the file can hold", where,
			(unsigned long long)r->p.u64);
	*id = (int32_t)r->p.u64;
	return ST_OK;
}

static enum st push(struct reader *r, const struct entry *x)
{
	void *p = r->entry;
	enum st st = hf_grow(&p, r->n, &r->cap, sizeof *x, "tokens", r->e);

	r->entry = p;
	if (!st)
		r->entry[r->n++] = *x;
	return st;
}

/* ---- .model */

static enum st read_vocab(struct reader *r)
{
	static const char where[] = ".model.vocab";
	enum st st = expect(r, JT_OBJECT, where, "expected an object of token: id");
	enum jtok k = JT_OBJECT_END;

	if (!st && r->has_vocab)
		st = fail(r, where, "given twice");
	r->has_vocab = true;
	while (!st && (k = next(r)) == JT_KEY) {
		struct entry x = { 0 };

		st = keep_text(r, where, &x);
		if (!st)
			st = read_id(r, where, &x.id);
		if (!st)
			st = push(r, &x);
	}
	return st ? st : k == JT_BAD ? r->p.err.st : ST_OK;
}

/* A key that must be absent, null, false, zero or "". */
static enum st read_nothing(struct reader *r, const char *key)
{
	enum jtok k = next(r);

	if (k == JT_BAD)
		return r->p.err.st;
	if (k == JT_NULL || k == JT_FALSE || (k == JT_STRING && !r->p.len) ||
		(k == JT_NUMBER && r->p.number == 0))
		return ST_OK;
	return err_set(
		r->e, ST_UNSUPPORTED, HF_FILE ": .model.%s is not known here, only null", key);
}

static enum st read_flag(struct reader *r, const char *key, bool *out)
{
	enum jtok k = next(r);

	if (k == JT_BAD)
		return r->p.err.st;
	if (k != JT_TRUE && k != JT_FALSE && k != JT_NULL)
		return err_set(r->e, ST_FORMAT, HF_FILE ": %s: expected true or false", key);
	*out = k == JT_TRUE;
	return ST_OK;
}

static enum st read_type(struct reader *r)
{
	enum st st = expect(r, JT_STRING, ".model.type", "expected a string");

	if (!st && strcmp(r->p.text, "BPE") != 0)
		st = err_set(r->e, ST_UNSUPPORTED,
			HF_FILE ": .model.type \"%.40s\" is not known here, only BPE", r->p.text);
	return st;
}

static enum st read_unk(struct reader *r)
{
	enum jtok k = next(r);

	if (k == JT_BAD)
		return r->p.err.st;
	if (k == JT_STRING) {
		xfree(r->unk);
		r->unk = xstrndup(r->p.text, r->p.len);
	} else if (k != JT_NULL) {
		return fail(r, ".model.unk_token", "expected a string or null");
	}
	return ST_OK;
}

static enum st model_key(struct reader *r, struct vocab *v)
{
	static const char *const nothing[] = { "dropout", "continuing_subword_prefix",
		"end_of_word_suffix" };
	const char *key = r->p.text;

	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		if (strcmp(key, nothing[i]) == 0)
			return read_nothing(r, nothing[i]);
	if (strcmp(key, "type") == 0)
		return read_type(r);
	if (strcmp(key, "vocab") == 0)
		return read_vocab(r);
	if (strcmp(key, "merges") == 0)
		return slice(r, &r->merges);
	if (strcmp(key, "unk_token") == 0)
		return read_unk(r);
	if (strcmp(key, "fuse_unk") == 0)
		return read_flag(r, ".model.fuse_unk", &r->fuse_unk);
	if (strcmp(key, "byte_fallback") == 0)
		return read_flag(r, ".model.byte_fallback", &r->byte_fallback);
	if (strcmp(key, "ignore_merges") == 0)
		return read_flag(r, ".model.ignore_merges", &v->ignore_merges);
	return jpull_skip(&r->p, r->e);
}

static enum st read_model(struct reader *r, struct vocab *v)
{
	enum st st = expect(r, JT_OBJECT, ".model", "expected an object");
	enum jtok k = JT_OBJECT_END;

	if (!st && r->has_model)
		st = fail(r, ".model", "given twice");
	r->has_model = true;
	while (!st && (k = next(r)) == JT_KEY)
		st = model_key(r, v);
	return st ? st : k == JT_BAD ? r->p.err.st : ST_OK;
}

/* ---- .added_tokens */

static enum st added_key(struct reader *r, struct entry *x, const char *where)
{
	struct {
		const char *key;
		bool *flag;
	} flags[] = { { "special", &x->special }, { "lstrip", &x->lstrip },
		{ "rstrip", &x->rstrip }, { "single_word", &x->single_word },
		{ "normalized", &x->normalized } };
	enum st st;

	if (strcmp(r->p.text, "id") == 0)
		return read_id(r, where, &x->id);
	if (strcmp(r->p.text, "content") == 0) {
		st = expect(r, JT_STRING, where, "content: expected a string");
		return st ? st : keep_text(r, where, x);
	}
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (strcmp(r->p.text, flags[i].key) == 0)
			return read_flag(r, where, flags[i].flag);
	return jpull_skip(&r->p, r->e);
}

static enum st read_added(struct reader *r)
{
	enum st st = expect(r, JT_ARRAY, ".added_tokens", "expected a list");
	enum jtok k = JT_ARRAY_END;
	char where[48];

	for (size_t i = 0; !st && (k = next(r)) == JT_OBJECT; i++) {
		struct entry x = { .id = -1, .added = true, .normalized = true };

		snprintf(where, sizeof where, ".added_tokens[%zu]", i);
		while (!st && (k = next(r)) == JT_KEY)
			st = added_key(r, &x, where);
		if (!st && k == JT_BAD)
			st = r->p.err.st;
		if (!st && (x.id < 0 || !x.text || !x.len))
			st = fail(r, where, "expected an object with an id and a content");
		if (!st)
			st = push(r, &x);
	}
	if (!st && k != JT_ARRAY_END)
		st = k == JT_BAD ? r->p.err.st
				 : fail(r, ".added_tokens", "expected a list of objects");
	return st;
}

/* ---- the whole */

static enum st top_key(struct reader *r, struct vocab *v)
{
	if (strcmp(r->p.text, "added_tokens") == 0)
		return read_added(r);
	if (strcmp(r->p.text, "normalizer") == 0)
		return slice(r, &r->normalizer);
	if (strcmp(r->p.text, "pre_tokenizer") == 0)
		return slice(r, &r->pre_tokenizer);
	if (strcmp(r->p.text, "post_processor") == 0)
		return slice(r, &r->post);
	if (strcmp(r->p.text, "model") == 0)
		return read_model(r, v);
	return jpull_skip(&r->p, r->e);
}

static enum st read_top(struct reader *r, struct vocab *v)
{
	enum st st = expect(r, JT_OBJECT, "the file", "expected an object");
	enum jtok k = JT_END;

	while (!st && (k = next(r)) == JT_KEY)
		st = top_key(r, v);
	if (!st && k != JT_BAD)
		k = next(r);
	if (!st && k == JT_BAD)
		st = r->p.err.st;
	if (!st && (!r->has_model || !r->has_vocab))
		st = fail(r, r->has_model ? ".model.vocab" : ".model", "missing");
	return st;
}

/* Entries to the table of tokens, one an id; what is not given stays a hole. */
static enum st place(struct reader *r, struct vocab *v, struct vocab_token *t, size_t i)
{
	const struct entry *x = &r->entry[i];
	struct vocab_token *k = &t[x->id];
	int32_t former = strmap_put(&r->text_id, x->text, x->len, x->id);

	if (former >= 0 && (!x->added || former != x->id))
		return err_set(r->e, ST_FORMAT,
			HF_FILE ": \"%.60s\" is both token %ld and token %ld", x->text,
			(long)former, (long)x->id);
	if (k->text && (k->len != x->len || memcmp(k->text, x->text, x->len) != 0))
		return err_set(r->e, ST_FORMAT,
			HF_FILE ": token %ld is both \"%.40s\" and \"%.40s\"", (long)x->id, k->text,
			x->text);
	k->text = x->text;
	k->len = x->len;
	if (x->added) {
		k->type = x->special ? TOKEN_CONTROL : TOKEN_USER;
		k->added = true;
		k->lstrip = x->lstrip;
		k->rstrip = x->rstrip;
		k->single_word = x->single_word;
		k->normalized = x->normalized;
	} else if (r->byte_fallback && v->model == VOCAB_SPM && x->len == 6 &&
		   memcmp(x->text, "<0x", 3) == 0 && strspn(x->text + 3, "0123456789ABCDEF") == 2 &&
		   x->text[5] == '>') {
		k->type = TOKEN_BYTE;
	}
	return ST_OK;
}

static enum st fill(struct reader *r, struct vocab *v)
{
	struct vocab_token *t;
	enum st st = strmap_init(&r->text_id, r->n ? r->n : 1, "token index", r->e);

	for (size_t i = 0; i < r->n; i++)
		if ((size_t)r->entry[i].id >= v->n)
			v->n = (size_t)r->entry[i].id + 1;
	if (!st && !v->n)
		st = fail(r, ".model.vocab", "no tokens");
	if (st)
		return st;
	t = arena_try(r->a, v->n, sizeof *t, "tokens", r->e);
	if (!t)
		return ST_NOMEM;
	v->tokens = t;
	for (int added = 0; added < 2; added++)
		for (size_t i = 0; i < r->n; i++) {
			st = r->entry[i].added == added ? place(r, v, t, i) : ST_OK;
			if (st)
				return st;
		}
	if (r->unk) {
		v->unk = strmap_get(&r->text_id, r->unk, strlen(r->unk));
		if (v->unk < 0)
			return err_set(r->e, ST_FORMAT,
				HF_FILE ": .model.unk_token: \"%.40s\" is not in the vocabulary",
				r->unk);
		if (v->model == VOCAB_SPM)
			t[v->unk].type = TOKEN_UNKNOWN;
	}
	if (v->model == VOCAB_SPM && v->unk >= 0 && !r->fuse_unk && !r->byte_fallback)
		return err_set(r->e, ST_UNSUPPORTED,
			HF_FILE ": .model.fuse_unk false without byte_fallback is not known here");
	return ST_OK;
}

static enum st read_all(struct reader *r, struct vocab *v, const char *dir)
{
	size_t pool;
	enum st st;

	if (!size_add(&pool, r->file_bytes, 1))
		return err_set(r->e, ST_NOMEM, HF_FILE ": %zu bytes are too many", r->file_bytes);
	r->pool = arena_try(r->a, pool, 1, "token texts", r->e);
	if (!r->pool)
		return ST_NOMEM;
	st = read_top(r, v);
	if (!st)
		st = hf_shape(v, r->normalizer, r->pre_tokenizer, r->e);
	if (!st)
		st = fill(r, v);
	if (!st)
		st = hf_merges(v, r->a, r->merges, &r->text_id, r->e);
	if (!st)
		st = hf_post(v, r->post, &r->text_id, r->e);
	return st ? st : hf_config(v, r->a, dir, &r->text_id, r->e);
}

enum st vocab_from_hf(struct vocab **out, struct arena *a, const char *dir, struct err *e)
{
	struct reader r = { .a = a, .e = e };
	struct vocab *v = ARENA_NEW(a, struct vocab, 1);
	char *path = xprintf("%s/" HF_FILE, dir), *s = NULL;
	enum st st;

	*out = NULL;
	v->bos = v->eos = v->unk = v->pad = v->eot = -1;
	st = fs_read(path, FILE_MAX, &s, &r.file_bytes, e);
	if (!st) {
		jpull_init(&r.p, HF_FILE, s, r.file_bytes);
		st = read_all(&r, v, dir);
	}
	jpull_release(&r.p);
	strmap_release(&r.text_id);
	big_free(r.entry);
	xfree(r.unk);
	big_free(s);
	xfree(path);
	if (!st)
		*out = v;
	return st;
}
