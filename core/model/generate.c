/* generate.c - prompts and next tokens through a KV cache. */
#include "core/model/forward.h"

#include "core/base/alloc.h"
#include "core/model/fwd.h"
#include "core/model/place.h"

/* Tokens of a prompt that go through the blocks together. */
enum { PROMPT_ROWS = 512 };

/* Rows that may go as one step (backend.step). */
enum { STEP_ROWS = 16 };

static enum st room_for_logits(struct fwd *f, struct err *e)
{
	const struct backend *be = f->m->be;
	size_t bytes = FWD_HEAD_ROWS * f->m->hp.vocab * sizeof(float);

	if (!be->host_memory && !f->logits)
		f->logits = be->alloc(bytes);
	return be->host_memory || f->logits
		       ? ST_OK
		       : place_full(f->m, "the logits", bytes, "use a shorter context", e);
}

/* Logits of n rows of f->h, from row `first` on, into host memory. */
static enum st logits_to_host(
	struct fwd *f, size_t first, size_t n, float *host, const struct sink *s, struct err *e)
{
	const struct backend *be = f->m->be;
	size_t vocab = f->m->hp.vocab, at, k;
	const float *h = f->h + first * f->m->hp.hidden;
	enum st st;

	if (be->host_memory)
		return fwd_logits(f, h, n, host, s, e);
	st = room_for_logits(f, e);
	for (at = 0; !st && at < n; at += k) {
		k = n - at < FWD_HEAD_ROWS ? n - at : FWD_HEAD_ROWS;
		st = fwd_logits(f, h + at * f->m->hp.hidden, k, f->logits, s, e);
		if (st)
			break;
		be->get(host + at * vocab, f->logits, k * vocab * sizeof(float));
		st = fwd_fault(f, e);
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

/* The step of a few rows on a device, held back until it goes as one: nothing is polled and nothing
 * is got in it, and it takes milliseconds. */
static enum st held_step(struct fwd *f, const struct mat *const *view, const int32_t *ids,
	const struct span *sp, size_t n, struct err *e)
{
	enum st st = room_for_logits(f, e);

	if (st)
		return st;
	f->held = true;
	f->m->be->step(true);
	st = fwd_embed(f, ids, n, f->h, e);
	if (!st)
		st = fwd_blocks(f, view, 0, f->m->hp.layers, f->h, sp, n, NULL, NULL, e);
	if (!st)
		st = fwd_logits(f, f->h, n, f->logits, NULL, e);
	f->m->be->step(false);
	f->held = false;
	return st;
}

static enum st step(struct fwd *f, const struct mat *const *view, const int32_t *ids,
	const struct span *sp, size_t n, float *logits, const struct sink *s, struct err *e)
{
	const struct backend *be = f->m->be;
	enum st st;

	if (be->step && !f->times && n <= STEP_ROWS && n <= f->max_rows) {
		st = held_step(f, view, ids, sp, n, e);
		if (st)
			return st;
		be->get(logits, f->logits, n * f->m->hp.vocab * sizeof *logits);
		st = fwd_fault(f, e); /* before others have their turn */
		return st ? st : fwd_stop(f, s, e);
	}
	st = n > f->max_rows
		     ? err_set(e, ST_INVALID, "a batch holds at most %zu tokens", f->max_rows)
		     : fwd_embed(f, ids, n, f->h, e);
	if (!st)
		st = fwd_blocks(f, view, 0, f->m->hp.layers, f->h, sp, n, NULL, s, e);
	return st ? st : logits_to_host(f, 0, n, logits, s, e);
}

enum st fwd_step(struct fwd *f, const struct mat *const *view, struct kv *const *kv,
	const int32_t *ids, size_t n, float *logits, const struct sink *s, struct err *e)
{
	struct span few[16], *sp = n <= 16 ? few : xarray(n, sizeof *sp);
	size_t before[16], *was = n <= 16 ? before : xarray(n, sizeof *was), i;
	enum st st;

	for (i = 0; i < n; i++) {
		sp[i] = (struct span){ kv[i], 1 };
		was[i] = kv[i]->n;
	}
	st = step(f, view, ids, sp, n, logits, s, e);
	for (i = 0; st && i < n; i++) /* without its logits a step was none */
		kv[i]->n = was[i];
	if (sp != few) {
		xfree(sp);
		xfree(was);
	}
	return st;
}
