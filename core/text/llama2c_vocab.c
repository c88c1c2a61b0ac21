/* llama2c_vocab.c - the tokenizer.bin of llama2.c: int32 length of the longest token,
 * then for each token float score, int32 length, bytes; little endian.
 *
 * Ids 0, 1, 2 are unk, bos, eos, ids 3 to 258 the bytes; a space is a space there.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/fs.h"
#include "core/text/tokenizer.h"

#define FILE_MAX   ((size_t)64 << 20)
#define TOKEN_MAX  1024
#define FIRST_BYTE 3
#define LAST_BYTE  258
#define SPACE      "\xe2\x96\x81" /* U+2581 */

struct bytes {
	const unsigned char *p;
	size_t n, at;
};

static bool take_u32(struct bytes *b, uint32_t *out)
{
	const unsigned char *p = b->p + b->at;

	if (b->n - b->at < 4)
		return false;
	*out = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	b->at += 4;
	return true;
}

/* The file's bytes with U+2581 for a space, as struct vocab has it. */
static void keep(struct arena *a, struct vocab_token *k, const unsigned char *p, size_t n)
{
	char buf[3 * TOKEN_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ') {
			memcpy(buf + len, SPACE, 3);
			len += 3;
		} else {
			buf[len++] = (char)p[i];
		}
	}
	k->text = arena_strndup(a, buf, len);
	k->len = (uint32_t)len;
}

static void keep_text(
	struct arena *a, struct vocab_token *k, enum token_type type, const char *text)
{
	k->type = type;
	k->text = arena_strndup(a, text, strlen(text));
	k->len = (uint32_t)strlen(text);
}

static enum st read_token(struct bytes *b, struct arena *a, struct vocab_token *k, size_t id,
	const char *path, struct err *e)
{
	static const char *const special[] = { "<unk>", "<s>", "</s>" };
	size_t from = b->at;
	uint32_t score, len;
	char hex[8];

	if (!take_u32(b, &score) || !take_u32(b, &len) || len > b->n - b->at)
		return err_set(e, ST_FORMAT, "%s: byte %zu: the file ends inside token %zu", path,
			from, id);
	memcpy(&k->score, &score, sizeof k->score);
	if (!isfinite(k->score))
		return err_set(e, ST_FORMAT, "%s: byte %zu: the score of token %zu is not finite",
			path, from, id);
	if (len > TOKEN_MAX)
		return err_set(e, ST_FORMAT,
			"%s: byte %zu: token %zu has %lu bytes, at most %d are known", path, from,
			id, (unsigned long)len, TOKEN_MAX);
	if (memchr(b->p + b->at, 0, len))
		return err_set(
			e, ST_FORMAT, "%s: byte %zu: token %zu holds a NUL byte", path, from, id);
	snprintf(hex, sizeof hex, "<0x%02X>", (unsigned)((id - FIRST_BYTE) & 0xff));
	if (id >= FIRST_BYTE && id <= LAST_BYTE && (len != 6 || memcmp(b->p + b->at, hex, 6) != 0))
		return err_set(e, ST_FORMAT,
			"%s: byte %zu: token %zu is not %s, so this is no "
			"tokenizer of llama2.c",
			path, from, id, hex);
	if (id < FIRST_BYTE)
		keep_text(a, k, id ? TOKEN_CONTROL : TOKEN_UNKNOWN, special[id]);
	else if (id <= LAST_BYTE)
		keep_text(a, k, TOKEN_BYTE, hex);
	else
		keep(a, k, b->p + b->at, len);
	b->at += len;
	return ST_OK;
}

static enum st read_all(struct vocab *v, struct arena *a, struct bytes *b, size_t n_vocab,
	const char *path, struct err *e)
{
	struct vocab_token *t;
	uint32_t longest;
	enum st st;

	if (!take_u32(b, &longest))
		return err_set(
			e, ST_FORMAT, "%s: %zu bytes are too few for a tokenizer", path, b->n);
	if (n_vocab <= LAST_BYTE || n_vocab > (b->n - b->at) / 8)
		return err_set(e, ST_FORMAT,
			"%s: %zu bytes cannot hold the model's %zu tokens; is it the model's own "
			"tokenizer?",
			path, b->n, n_vocab);
	t = arena_try(a, n_vocab, sizeof *t, "tokens", e);
	if (!t)
		return ST_NOMEM;
	for (size_t i = 0; i < n_vocab; i++) {
		st = read_token(b, a, &t[i], i, path, e);
		if (st)
			return st;
	}
	if (b->at != b->n)
		return err_set(e, ST_FORMAT,
			"%s: %zu bytes after its %zu tokens; is it the model's own tokenizer?",
			path, b->n - b->at, n_vocab);
	v->tokens = t;
	v->n = n_vocab;
	return ST_OK;
}

enum st vocab_from_llama2c(
	struct vocab **out, struct arena *a, const char *path, size_t n_vocab, struct err *e)
{
	struct vocab *v = ARENA_NEW(a, struct vocab, 1);
	struct bytes b = { 0 };
	char *s = NULL;
	enum st st = fs_read(path, FILE_MAX, &s, &b.n, e);

	*out = NULL;
	*v = (struct vocab){ .model = VOCAB_SPM,
		.pre = PRE_NONE,
		.add_bos = true,
		.add_space_prefix = true,
		.bos = 1,
		.eos = 2,
		.unk = 0,
		.pad = -1,
		.eot = -1 };
	if (!st) {
		b.p = (const unsigned char *)s;
		st = read_all(v, a, &b, n_vocab, path, e);
	}
	big_free(s);
	if (!st)
		*out = v;
	return st;
}
