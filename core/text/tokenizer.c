/* tokenizer.c - the tables of a tokenizer, text to ids, ids to bytes.
 *
 * Order of work as in Hugging Face tokenizers: added tokens, normaliser, added tokens
 * marked normalized, scanner, merges.
 */
#include "core/text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/text/tok.h"

#define TOKEN_BYTES_MAX 4096
#define SPM_SPACE       "\xe2\x96\x81" /* U+2581 */

/* ---- ids */

void tok_ids_release(struct tok_ids *ids)
{
	big_free(ids->id);
	*ids = (struct tok_ids){ 0 };
}

enum st tok_ids_push(struct tok_ids *ids, int32_t id, struct err *e)
{
	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? 2 * ids->cap : 64;
		int32_t *p = big_array(cap, sizeof *p, "token ids", e);

		if (!p)
			return ST_NOMEM;
		if (ids->n)
			memcpy(p, ids->id, ids->n * sizeof *p);
		big_free(ids->id);
		ids->id = p;
		ids->cap = cap;
	}
	ids->id[ids->n++] = id;
	return ST_OK;
}

/* ---- what tokens stand for */

/* GPT-2's byte alphabet: code point to byte, -1: not in it. */
static void alphabet(int16_t inv[324])
{
	int next = 256;

	memset(inv, 0xff, 324 * sizeof *inv);
	for (int b = 0; b < 256; b++) {
		bool same = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;

		inv[same ? b : next++] = (int16_t)b;
	}
}

/* The bytes of a token in the alphabet; as they are when one is not in it. */
static size_t from_alphabet(const int16_t inv[324], const char *s, size_t n, char *out)
{
	size_t k = 0;

	for (size_t at = 0; at < n;) {
		uint32_t cp;

		at += utf8_decode(s + at, n - at, &cp);
		if (cp >= 324 || inv[cp] < 0) {
			memcpy(out, s, n);
			return n;
		}
		out[k++] = (char)inv[cp];
	}
	return k;
}

static size_t from_spm(const char *s, size_t n, char *out)
{
	size_t k = 0;

	for (size_t at = 0; at < n;) {
		if (n - at >= 3 && memcmp(s + at, SPM_SPACE, 3) == 0) {
			out[k++] = ' ';
			at += 3;
		} else {
			out[k++] = s[at++];
		}
	}
	return k;
}

static bool byte_of(const struct vocab_token *k, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *a, *b;

	if (k->len != 6 || memcmp(k->text, "<0x", 3) != 0 || k->text[5] != '>')
		return false;
	a = strchr(hex, k->text[3]);
	b = strchr(hex, k->text[4]);
	if (!a || !b || !*a || !*b)
		return false;
	*out = (char)((a - hex) * 16 + (b - hex));
	return true;
}

static enum st fill_piece(struct tokenizer *t, const int16_t inv[324], size_t id, struct err *e)
{
	const struct vocab_token *k = &t->v->tokens[id];
	char *out = t->pool + t->at[id];
	size_t n = k->len;

	if (k->len > TOKEN_BYTES_MAX)
		return err_set(e, ST_FORMAT,
			"vocabulary: token %zu has %u bytes, at most %d are known", id,
			(unsigned)k->len, TOKEN_BYTES_MAX);
	if (k->type == TOKEN_BYTE && t->v->model == VOCAB_SPM) {
		if (!byte_of(k, out))
			return err_set(e, ST_FORMAT,
				"vocabulary: byte token %zu is spelt \"%.*s\", expected <0x00> to "
				"<0xFF>",
				id, (int)(k->len < 20 ? k->len : 20), k->text);
		t->byte_id[(unsigned char)*out] = (int32_t)id;
		n = 1;
	} else if (k->type == TOKEN_CONTROL || k->type == TOKEN_USER || k->added) {
		if (n)
			memcpy(out, k->text, n);
	} else if (n) {
		n = t->v->model == VOCAB_BPE ? from_alphabet(inv, k->text, n, out)
					     : from_spm(k->text, n, out);
	}
	t->at[id + 1] = t->at[id] + n;
	if (n > t->longest)
		t->longest = n;
	return ST_OK;
}

static enum st fill_pieces(struct tokenizer *t, struct err *e)
{
	int16_t inv[324];
	size_t bytes = 1;
	enum st st;

	alphabet(inv);
	for (size_t i = 0; i < t->v->n; i++)
		if (!size_add(&bytes, bytes, t->v->tokens[i].len))
			return err_set(e, ST_FORMAT, "vocabulary: the lengths of its tokens wrap");
	t->pool = big_alloc(bytes, "token texts", e);
	t->at = t->pool ? big_array(t->v->n + 1, sizeof *t->at, "token table", e) : NULL;
	if (!t->at)
		return ST_NOMEM;
	memset(t->byte_id, 0xff, sizeof t->byte_id);
	for (size_t i = 0; i < t->v->n; i++) {
		st = fill_piece(t, inv, i, e);
		if (st)
			return st;
	}
	return ST_OK;
}

/* ---- what text may become */

/* Bytes every byte-level vocabulary needs.  Some (SmolLM2's) have no token for rare
 * control characters, unassigned planes and bytes that UTF-8 never has. */
static bool is_needed(int b)
{
	if (b < 0x20)
		return b == '\t' || b == '\n' || b == '\r';
	return b != 0x7f && b != 0xc0 && b != 0xc1 && b != 0xf1 && b != 0xf2 && b < 0xf5;
}

static enum st check_bytes(const struct tokenizer *t, struct err *e)
{
	bool all = true;

	for (int b = 0; b < 256; b++) {
		all &= t->byte_id[b] >= 0;
		if (t->v->model == VOCAB_BPE && t->byte_id[b] < 0 && is_needed(b))
			return err_set(e, ST_UNSUPPORTED,
				"vocabulary: no token for byte 0x%02x, so not every text can be "
				"encoded",
				b);
	}
	if (t->v->model == VOCAB_SPM && !all && t->v->unk < 0)
		return err_set(e, ST_UNSUPPORTED,
			"vocabulary: it has neither all 256 byte tokens nor an unknown token, so "
			"not "
			"every text can be encoded");
	return ST_OK;
}

static enum st fill_texts(struct tokenizer *t, struct err *e)
{
	const struct vocab *v = t->v;
	enum st st = strmap_init(&t->by_text, v->n, "token index", e);

	if (st)
		return st;
	t->spaces_lead = true;
	for (size_t i = 0; i < v->n; i++) {
		const struct vocab_token *k = &v->tokens[i];
		size_t len = t->at[i + 1] - t->at[i];
		const char *s = t->pool + t->at[i];

		if (!len || k->type == TOKEN_CONTROL || k->type == TOKEN_UNKNOWN ||
			(k->type == TOKEN_BYTE && v->model == VOCAB_SPM))
			continue;
		if (v->model == VOCAB_SPM && !v->spm_rank && !isfinite(k->score))
			return err_set(e, ST_FORMAT,
				"vocabulary: the score of token %zu is not finite", i);
		strmap_put(&t->by_text, s, len, (int32_t)i);
		for (size_t at = 1; at < len; at++)
			t->spaces_lead &= s[at] != ' ' || s[at - 1] == ' ';
		if (v->model == VOCAB_BPE && len == 1 && k->type != TOKEN_USER && !k->added)
			t->byte_id[(unsigned char)*s] = (int32_t)i;
	}
	t->spaces_lead &= strmap_get(&t->by_text, " ", 1) >= 0;
	return check_bytes(t, e);
}

static void add_end(struct tokenizer *t, int32_t id)
{
	if (id >= 0 && t->n_ends < TOK_ENDS_MAX && !tokenizer_is_end(t, id))
		t->ends[t->n_ends++] = id;
}

static void fill_ends(struct tokenizer *t)
{
	/* ends of a turn or of a text in the families we know */
	static const char *const names[] = { "<|im_end|>", "<|endoftext|>", "<|eot_id|>",
		"<|eom_id|>", "<|end_of_text|>", "<|end|>" };

	add_end(t, t->v->eos);
	add_end(t, t->v->eot);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		add_end(t, tok_added_id(t, names[i]));
}

static enum st check_special(const struct vocab *v, struct err *e)
{
	const struct {
		const char *name;
		int32_t id;
	} ids[] = { { "bos", v->bos }, { "eos", v->eos }, { "unk", v->unk }, { "pad", v->pad },
		{ "eot", v->eot } };

	if (!v->n || v->n > INT32_MAX)
		return err_set(e, ST_FORMAT, "vocabulary: %zu tokens", v->n);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (ids[i].id < -1 || (ids[i].id >= 0 && (size_t)ids[i].id >= v->n))
			return err_set(e, ST_FORMAT, "vocabulary: %s is token %ld of %zu",
				ids[i].name, (long)ids[i].id, v->n);
	return ST_OK;
}

enum st tokenizer_new(struct tokenizer **out, const struct vocab *v, struct err *e)
{
	struct tokenizer *t;
	enum st st = check_special(v, e);

	*out = NULL;
	if (st)
		return st;
	t = xalloc(sizeof *t);
	t->v = v;
	st = fill_pieces(t, e);
	if (!st)
		st = fill_texts(t, e);
	if (!st)
		st = tok_pairs_init(t, e);
	if (!st)
		st = tok_added_init(t, e);
	if (st) {
		tokenizer_free(t);
		return st;
	}
	fill_ends(t);
	*out = t;
	return ST_OK;
}

void tokenizer_free(struct tokenizer *t)
{
	if (!t)
		return;
	big_free(t->pool);
	big_free(t->at);
	strmap_release(&t->by_text);
	big_free(t->pairs);
	big_free(t->added);
	xfree(t);
}

const struct vocab *tokenizer_vocab(const struct tokenizer *t)
{
	return t->v;
}

/* ---- text to ids */

struct encoding {
	const struct tokenizer *t;
	enum tok_mode mode;
	bool prefix, first;
	struct tok_ids *ids;
	struct tok_pace *pace;
	struct err *e;
};

/* A stretch between added tokens: SPM's leading space, then merges. */
static enum st encode_plain(struct encoding *c, const char *s, size_t n, bool first)
{
	enum { COPY = 1 << 18 };
	const struct vocab *v = c->t->v;
	bool space;
	size_t k = 0, len;
	char *buf;
	enum st st;

	if (!n)
		return ST_OK;
	if (v->model == VOCAB_BPE)
		return tok_merge_text(c->t, s, n, c->ids, c->pace, c->e);
	space = v->add_space_prefix && c->prefix && (first || !v->prefix_first) &&
		!(v->prefix_first && (s[0] == ' ' || (n >= 3 && memcmp(s, SPM_SPACE, 3) == 0)));
	if (!size_add(&len, n, 1))
		return err_set(c->e, ST_NOMEM, "text: %zu bytes are too many", n);
	buf = big_alloc(len, "text to encode", c->e);
	if (!buf)
		return ST_NOMEM;
	if (space)
		buf[k++] = ' ';
	for (size_t at = 0, end; at < n && !c->pace->stopped; at = end) {
		end = n - at > COPY ? at + COPY : n;
		while (end < n && ((unsigned char)s[end] & 0xc0) == 0x80) /* no character cut */
			end++;
		k += from_spm(s + at, end - at, buf + k);
		tok_paced(c->pace, COPY / 16);
	}
	st = c->pace->stopped ? err_set(c->e, ST_CANCELLED, "stopped")
			      : tok_merge_text(c->t, buf, k, c->ids, c->pace, c->e);
	big_free(buf);
	return st;
}

/* Between added tokens of one kind goes the other kind, then plain text. */
static enum st encode_split(
	struct encoding *c, const char *s, size_t n, bool normalized, bool first);

static enum st encode_gap(struct encoding *c, const char *s, size_t n, bool normalized, bool first)
{
	char *nfc = NULL;
	enum st st;

	if (normalized)
		return encode_plain(c, s, n, first);
	if (c->t->v->nfc) {
		st = tok_nfc(s, n, &nfc, &n, c->pace, c->e);
		if (st)
			return st;
	}
	st = encode_split(c, nfc ? nfc : s, n, true, first);
	big_free(nfc);
	return st;
}

static enum st encode_split(
	struct encoding *c, const char *s, size_t n, bool normalized, bool first)
{
	struct tok_hit hit;
	size_t at = 0, from = 0;
	enum st st;

	while (tok_added_next(c->t, s, n, at, from, c->mode, normalized, &hit, c->pace)) {
		st = hit.start > at
			     ? encode_gap(c, s + at, hit.start - at, normalized, first && at == 0)
			     : ST_OK;
		if (!st)
			st = tok_ids_push(c->ids, hit.id, c->e);
		if (st)
			return st;
		at = hit.stop;
		from = hit.next;
	}
	if (c->pace->stopped)
		return err_set(c->e, ST_CANCELLED, "stopped");
	return at < n ? encode_gap(c, s + at, n - at, normalized, first && at == 0) : ST_OK;
}

enum st tok_encode_part(const struct tokenizer *t, const char *s, size_t n, enum tok_mode mode,
	bool prefix, bool first, struct tok_ids *ids, struct err *e)
{
	struct tok_pace pace = { .total = n };
	struct encoding c = { .t = t,
		.mode = mode,
		.prefix = prefix,
		.first = first,
		.ids = ids,
		.pace = &pace,
		.e = e };

	return encode_split(&c, s, n, false, first);
}

enum st tokenizer_encode(const struct tokenizer *t, const char *s, size_t n, enum tok_mode mode,
	struct tok_ids *ids, struct err *e)
{
	return tok_encode_part(t, s, n, mode, true, true, ids, e);
}

enum st tokenizer_encode_long(const struct tokenizer *t, const char *s, size_t n,
	struct tok_ids *ids, const struct sink *sink, struct err *e)
{
	struct tok_pace pace = { .s = sink, .total = n };
	struct encoding c = { .t = t,
		.mode = TOK_PLAIN,
		.prefix = true,
		.first = true,
		.ids = ids,
		.pace = &pace,
		.e = e };
	enum st st = ST_OK;

	if (t->v->add_bos && t->v->bos >= 0)
		st = tok_ids_push(ids, t->v->bos, e);
	if (!st)
		st = encode_split(&c, s, n, false, true);
	if (!st)
		sink_progress(sink, (double)n, (double)n);
	return st;
}

enum st tokenizer_encode_text(
	const struct tokenizer *t, const char *s, size_t n, struct tok_ids *ids, struct err *e)
{
	return tokenizer_encode_long(t, s, n, ids, NULL, e);
}

size_t tokenizer_first_lost(const struct tokenizer *t, const char *s, size_t n)
{
	size_t at = 0;

	if (t->v->model == VOCAB_BPE)
		while (at < n && t->byte_id[(unsigned char)s[at]] >= 0)
			at++;
	else
		at = n;
	return at;
}

/* ---- ids to bytes */

const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool first, size_t *len)
{
	static _Thread_local char unnamed[20];
	const char *s;

	if (id < 0 || (size_t)id >= t->v->n || t->at[id + 1] == t->at[id]) {
		*len = (size_t)snprintf(unnamed, sizeof unnamed, "<|%ld|>", (long)id);
		return unnamed;
	}
	s = t->pool + t->at[id];
	*len = t->at[id + 1] - t->at[id];
	if (first && t->v->model == VOCAB_SPM && t->v->add_space_prefix && *s == ' ' &&
		t->v->tokens[id].type != TOKEN_BYTE) {
		s++;
		--*len;
	}
	return s;
}

bool tokenizer_is_control(const struct tokenizer *t, int32_t id)
{
	return id >= 0 && (size_t)id < t->v->n &&
	       (t->v->tokens[id].type == TOKEN_CONTROL || t->v->tokens[id].type == TOKEN_UNKNOWN);
}

bool tokenizer_is_end(const struct tokenizer *t, int32_t id)
{
	for (size_t i = 0; i < t->n_ends; i++)
		if (t->ends[i] == id)
			return true;
	return false;
}
