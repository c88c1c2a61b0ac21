/* llama2c.c - reader of llama2.c's legacy checkpoints (.bin).
 *
 * Seven int32: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative:
 * the head is stored, too), seq_len; then float32 matrices kind by kind, all layers of a
 * kind together, as in memory_map_weights of run.c; between the last norm and the head
 * two tables of seq_len * head_dim / 2 floats that nobody reads any more.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/sha256.h"
#include "core/io/reader.h"
#include "core/text/tokenizer.h"

enum { HEADER = 28, MAGIC_V1 = 0x616b3432 /* "ak42": version 1 and later */ };

static int32_t i32_at(const unsigned char *p)
{
	uint32_t u =
		(uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

	return (int32_t)u;
}

static bool recognise(const char *path, const unsigned char *head, size_t n)
{
	/* PyTorch's .bin files are zip archives or pickles. */
	return head && ck_ends_with(path, ".bin") && !(n >= 2 && memcmp(head, "PK", 2) == 0) &&
	       !(n >= 2 && head[0] == 0x80 && head[1] == 2);
}

static enum st read_header(
	struct checkpoint *c, const struct ck_file *f, bool *own_head, struct err *e)
{
	static const char *const what[7] = { "dim", "hidden_dim", "n_layers", "n_heads",
		"n_kv_heads", "vocab_size", "seq_len" };
	unsigned char raw[HEADER];
	struct hparams *hp = &c->hp;
	size_t *const to[7] = { &hp->hidden, &hp->inter, &hp->layers, &hp->heads, &hp->kv_heads,
		&hp->vocab, &hp->ctx };
	struct sha256 sha;
	enum st st;

	if (f->map.size < HEADER)
		return err_set(e, ST_FORMAT, "%s: a llama2.c header has 28 bytes, the file has %zu",
			f->base, f->map.size);
	st = ck_pread(f, raw, sizeof raw, 0, e);
	if (st)
		return st;
	if (i32_at(raw) == MAGIC_V1)
		return err_set(e, ST_UNSUPPORTED,
			"%s: llama2.c version %d is not read here; export it with --version 0",
			f->base, (int)i32_at(raw + 4));
	for (size_t i = 0; i < 7; i++) {
		int64_t v = i32_at(raw + 4 * i);

		if (i == 5 && v < 0) {
			*own_head = true;
			v = -v;
		}
		if (v < 1)
			return err_set(e, ST_FORMAT,
				"%s: not a llama2.c checkpoint: %s is %lld in its header", f->base,
				what[i], (long long)v);
		*to[i] = (size_t)v;
	}
	sha256_start(&sha);
	sha256_add(&sha, raw, sizeof raw);
	sha256_add(&sha, &(uint64_t){ f->map.size }, sizeof(uint64_t));
	sha256_hex(&sha, c->header_sha256);
	return ST_OK;
}

/* Where the next matrix begins; bad: the sizes went past the file or wrapped. */
struct walk {
	struct checkpoint *c;
	const struct ck_file *f;
	size_t at;
	bool bad;
};

static bool walk_past(struct walk *w, size_t rows, size_t cols, size_t *bytes)
{
	size_t n, end;

	if (w->bad || !size_mul(&n, rows, cols) || !size_mul(&n, n, 4) ||
		!size_add(&end, w->at, n) || end > w->f->map.size) {
		w->bad = true;
		return false;
	}
	*bytes = n;
	return true;
}

static enum st take(struct walk *w, const char *name, size_t rows, size_t cols, struct err *e)
{
	struct tensor t = { .dtype = DT_F32, .rank = cols ? 2 : 1, .dim = { rows, cols } };
	const char *kept;
	enum st st;

	if (!walk_past(w, rows, cols ? cols : 1, &t.bytes))
		return ST_OK;
	t.data = w->f->map.data + w->at;
	w->at += t.bytes;
	st = ck_strndup(w->c, &kept, name, strlen(name), e);
	return st ? st : ck_put_tensor(w->c, &t, kept, e);
}

static enum st take_layers(
	struct walk *w, const char *part, size_t rows, size_t cols, struct err *e)
{
	for (size_t l = 0; l < w->c->hp.layers && !w->bad; l++) {
		char name[NAMING_MAX];
		enum st st;

		snprintf(name, sizeof name, "layers.%zu.%s", l, part);
		st = take(w, name, rows, cols, e);
		if (st)
			return st;
	}
	return ST_OK;
}

static enum st take_all(struct walk *w, bool own_head, struct err *e)
{
	const struct hparams *hp = &w->c->hp;
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim, skip;
	enum st st = take(w, "embed", hp->vocab, hp->hidden, e);

	st = st ? st : take_layers(w, "attn_norm", hp->hidden, 0, e);
	st = st ? st : take_layers(w, "q", q, hp->hidden, e);
	st = st ? st : take_layers(w, "k", kv, hp->hidden, e);
	st = st ? st : take_layers(w, "v", kv, hp->hidden, e);
	st = st ? st : take_layers(w, "o", hp->hidden, q, e);
	st = st ? st : take_layers(w, "mlp_norm", hp->hidden, 0, e);
	st = st ? st : take_layers(w, "gate", hp->inter, hp->hidden, e);
	st = st ? st : take_layers(w, "down", hp->hidden, hp->inter, e);
	st = st ? st : take_layers(w, "up", hp->inter, hp->hidden, e);
	st = st ? st : take(w, "norm", hp->hidden, 0, e);
	if (!st && walk_past(w, hp->ctx, hp->head_dim, &skip)) /* both tables, half a head each */
		w->at += skip;
	return st || !own_head ? st : take(w, "head", hp->vocab, hp->hidden, e);
}

/* stories260K.bin has tok512.bin beside it, llama2.c's own models tokenizer.bin. */
static enum st read_vocab(struct checkpoint *c, const struct ck_file *f, struct err *e)
{
	int dir = (int)(f->base - f->path);
	char *own = xprintf("%.*stok%zu.bin", dir, f->path, c->hp.vocab);
	char *common = xprintf("%.*stokenizer.bin", dir, f->path);
	const char *found = fs_is_file(own) ? own : fs_is_file(common) ? common : NULL;
	struct vocab *v = NULL;
	enum st st = ST_OK;

	if (found) {
		st = vocab_from_llama2c(&v, &c->arena, found, c->hp.vocab, e);
		c->vocab = v;
	} else {
		char *s = xprintf("no tokenizer beside %s: neither tok%zu.bin nor tokenizer.bin",
			f->base, c->hp.vocab);

		st = ck_strndup(c, &c->vocab_missing, s, strlen(s), e);
		xfree(s);
	}
	xfree(own);
	xfree(common);
	return st;
}

static enum st llama2c_open(struct checkpoint *c, const char *path, struct err *e)
{
	struct ck_file *f;
	struct walk w;
	bool own_head = false;
	enum st st = ck_reserve_files(c, 1, e);

	st = st ? st : ck_add_file(c, path, &f, e);
	st = st ? st : read_header(c, f, &own_head, e);
	if (st)
		return st;
	c->hp.arch = "llama";
	c->hp.head_dim = c->hp.hidden / c->hp.heads;
	c->hp.rope_base = 10000;
	c->hp.eps = 1e-5;
	c->hp.rope_pairs = true;
	if (c->hp.hidden % c->hp.heads || c->hp.layers > 1024 || !c->hp.head_dim)
		return err_set(e, ST_FORMAT,
			"%s: not a llama2.c checkpoint: %zu layers, hidden size %zu, %zu heads",
			f->base, c->hp.layers, c->hp.hidden, c->hp.heads);
	w = (struct walk){ .c = c, .f = f, .at = HEADER };
	st = take_all(&w, own_head, e);
	if (!st && w.bad)
		st = err_set(e, ST_FORMAT,
			"%s: the file ends at byte %zu, before the weights that its header "
			"announces",
			f->base, f->map.size);
	if (!st && w.at != f->map.size)
		st = err_set(e, ST_FORMAT,
			"%s: %zu bytes follow the weights that its header announces", f->base,
			f->map.size - w.at);
	st = st ? st : ck_sort(c, NAMING_OURS, f->base, e);
	st = st ? st : ck_check(c, NAMING_OURS, f->base, e);
	return st ? st : read_vocab(c, f, e);
}

const struct io_format io_llama2c = { "llama2c", recognise, llama2c_open };
