/* generate.c - prompts and next tokens through a KV cache. */
#include "core/model/forward.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/model/fwd.h"

/* Tokens of a prompt that go through the blocks together. */
enum { PROMPT_ROWS = 512 };

/* Logits of n rows of f->h, from row `first` on, into host memory. */
static enum st logits_to_host(
	struct fwd *f, size_t first, size_t n, float *host, const struct sink *s, struct err *e)
{
	const struct backend *be = f->m->be;
	size_t vocab = f->m->hp.vocab, at, k, bytes = FWD_HEAD_ROWS * vocab * sizeof(float);
	const float *h = f->h + first * f->m->hp.hidden;
	char need[16];
	enum st st = ST_OK;

	if (be->host_memory)
		return fwd_logits(f, h, n, host, s, e);
	if (!f->logits)
		f->logits = be->alloc(bytes);
	if (!f->logits)
		return err_set(e, ST_NOMEM, "no memory on %s for logits (%s)", be->name,
			text_bytes(bytes, need));
	for (at = 0; !st && at < n; at += k) {
		k = n - at < FWD_HEAD_ROWS ? n - at : FWD_HEAD_ROWS;
		st = fwd_logits(f, h + at * f->m->hp.hidden, k, f->logits, s, e);
		if (!st)
			be->get(host + at * vocab, f->logits, k * vocab * sizeof(float));
	}
	return st;
}

enum st fwd_prompt(struct fwd *f, const struct mat *const *view, struct kv *kv, const int32_t *ids,
	size_t n, float *last_logits, const struct sink *s, struct err *e)
{
	size_t most = f->max_rows < PROMPT_ROWS ? f->max_rows : PROMPT_ROWS, at, k = 0,
	       before = kv->n;
	enum st st = ST_OK;

	if (!n)
		return err_set(e, ST_INVALID, "the prompt is empty: there is nothing to continue");
	if (n > kv->cap - kv->n)
		return err_set(e, ST_INVALID,
			"%zu tokens do not fit: the KV cache holds %zu of %zu", n, kv->n, kv->cap);
	for (at = 0; !st && at < n; at += k) {
		struct span sp = { kv, n - at < most ? n - at : most };

		k = sp.rows;
		st = fwd_embed(f, ids + at, k, f->h, e);
		if (!st)
			st = fwd_blocks(f, view, 0, f->m->hp.layers, f->h, &sp, 1, NULL, s, e);
	}
	if (!st)
		st = logits_to_host(f, k - 1, 1, last_logits, s, e);
	if (st) /* without its logits the prompt counts as not run */
		kv->n = before;
	return st;
}

enum st fwd_step(struct fwd *f, const struct mat *const *view, struct kv *const *kv,
	const int32_t *ids, size_t n, float *logits, const struct sink *s, struct err *e)
{
	struct span few[16], *sp = n <= 16 ? few : xarray(n, sizeof *sp);
	enum st st;
	size_t i;

	for (i = 0; i < n; i++)
		sp[i] = (struct span){ kv[i], 1 };
	st = n > f->max_rows
		     ? err_set(e, ST_INVALID, "a batch holds at most %zu tokens", f->max_rows)
		     : fwd_embed(f, ids, n, f->h, e);
	if (!st)
		st = fwd_blocks(f, view, 0, f->m->hp.layers, f->h, sp, n, NULL, s, e);
	if (!st) {
		st = logits_to_host(f, 0, n, logits, s, e);
		for (i = 0; st && i < n; i++) /* without its logits a step was none */
			kv[i]->n--;
	}
	if (sp != few)
		xfree(sp);
	return st;
}
