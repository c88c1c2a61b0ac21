/* walk.c - the reference over a whole text, block by block. */
#include "core/search/walk.h"

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/place.h"

/* Enough rows to keep matrix products busy. */
static const size_t ROWS_AT_ONCE = 1024;

size_t walk_rows(const struct token_text *t)
{
	size_t seqs = t->len < ROWS_AT_ONCE ? ROWS_AT_ONCE / (t->len ? t->len : 1) : 1;

	return (seqs < t->n_seq ? seqs : t->n_seq) * t->len;
}

/* h [n_seq * len][hidden] through one block. */
static enum st through_block(
	struct walk *w, struct fwd *f, struct span *span, float *h, size_t layer)
{
	const struct model *m = w->m;
	const struct tap tap = { w->tap, w };
	size_t len = w->t->len, at_once = w->rows / len, n;

	for (size_t q = 0; q < w->t->n_seq; q += n) {
		enum st st;

		n = w->t->n_seq - q < at_once ? w->t->n_seq - q : at_once;
		st = fwd_blocks(f, m->ref, layer, layer + 1, h + q * len * m->hp.hidden, span, n,
			&tap, w->s, w->e);
		if (w->st || st)
			return w->st ? w->st : st;
	}
	return ST_OK;
}

static enum st run(struct walk *w, struct fwd *f, struct span *span, float *h)
{
	size_t rows = w->t->n_seq * w->t->len, layers = w->m->hp.layers;
	enum st st = fwd_embed(f, w->t->id, rows, h, w->e);

	for (size_t i = 0; i < w->rows / w->t->len; i++)
		span[i] = (struct span){ NULL, w->t->len };
	for (size_t l = 0; !st && l < layers; l++) {
		if (w->before)
			st = w->before(w, l);
		if (!st)
			st = through_block(w, f, span, h, l);
		if (!st)
			st = fwd_fault(f, w->e); /* the last tap polls, too */
		if (!st && w->after)
			st = w->after(w, l);
		sink_progress(w->s, (double)(l + 1), (double)layers);
	}
	return st;
}

enum st walk_reference(struct walk *w)
{
	const struct backend *be = w->m->be;
	size_t rows, bytes;
	struct span *span;
	struct fwd *f;
	float *h;
	char size[16];
	enum st st;

	w->st = ST_OK;
	w->rows = walk_rows(w->t);
	if (!size_mul(&rows, w->t->n_seq, w->t->len) ||
		!size_mul(&bytes, rows, w->m->hp.hidden * sizeof *h))
		return err_set(
			w->e, ST_INVALID, "a text of %zu sequences is too long", w->t->n_seq);
	if (!rows)
		return err_set(w->e, ST_INVALID, "the text has no tokens");
	st = fwd_new(&f, w->m, w->rows, w->e);
	if (st)
		return st;
	fwd_set_math(f, w->math);
	w->f = f;
	h = bytes > place_room(be) ? NULL : be->alloc(bytes);
	if (!h && !be->host_memory) {
		fwd_free(f);
		return place_full(w->m, "hidden states of the text", bytes, "use a shorter text", w->e);
	}
	if (!h) {
		fwd_free(f);
		return err_set(w->e, ST_NOMEM,
			"hidden states of %zu tokens need %s, more than is available; use a "
			"shorter text",
			rows, text_bytes(bytes, size));
	}
	span = xarray(w->rows / w->t->len, sizeof *span);
	st = run(w, f, span, h);
	xfree(span);
	be->free(h);
	fwd_free(f);
	return st;
}
