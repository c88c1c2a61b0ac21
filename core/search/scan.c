/* scan.c - what a scan keeps of the reference: hidden states before every block, logits. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/search/scan_priv.h"

enum { LOGIT_ROWS = 1024 /* beyond, the reference's logits are computed again */ };
/* Logits of one head call, and values of one KL call (some 10 ms on one slow core). */
static const size_t HEAD_VALUES = 16u << 20, KL_VALUES = 512u << 10;

/* ---- memory */

/* Whole sequences, as many rows as a batch may have. */
static size_t batch_rows(const struct token_text *t)
{
	return t->len > BATCH_ROWS ? t->len : BATCH_ROWS;
}

static size_t head_rows(size_t vocab)
{
	size_t n = HEAD_VALUES / (vocab ? vocab : 1);

	return n < 16 ? 16 : n > HEAD_ROWS ? HEAD_ROWS : n;
}

static bool keeps_logits(const struct token_text *t)
{
	return t->n_seq * t->len <= LOGIT_ROWS;
}

uint64_t scan_need(const struct model *m, const struct token_text *t)
{
	const struct hparams *hp = &m->hp;
	uint64_t rows = (uint64_t)t->n_seq * t->len, head = head_rows(hp->vocab);
	uint64_t act =
		4 * (uint64_t)hp->hidden + 4 * (uint64_t)hp->inter; /* fwd's scratch, about */
	uint64_t need = (hp->layers + 1) * rows * hp->hidden * sizeof(float);

	need += (keeps_logits(t) ? rows : head) * hp->vocab * sizeof(float);
	need += head * hp->vocab * sizeof(float);
	need += batch_rows(t) * (hp->hidden + act) * sizeof(float);
	return need + rows * (BATCH_CELLS + 2) * sizeof(double);
}

static float *device_floats(const struct backend *be, size_t rows, size_t cols)
{
	size_t n, bytes;

	if (!size_mul(&n, rows, cols) || !size_mul(&bytes, n, sizeof(float)))
		return NULL;
	return be->alloc(bytes);
}

static bool alloc_rows(struct scan *sc)
{
	const struct hparams *hp = &sc->m->hp;
	const struct backend *be = sc->m->be;
	bool keep = sc->rows <= LOGIT_ROWS;

	sc->h = xarray(hp->layers + 1, sizeof *sc->h);
	for (size_t l = 0; l <= hp->layers; l++) {
		sc->h[l] = device_floats(be, sc->rows, hp->hidden);
		if (!sc->h[l])
			return false;
	}
	sc->batch = device_floats(be, sc->batch_rows, hp->hidden);
	sc->zq = device_floats(be, sc->head_rows, hp->vocab);
	if (keep)
		sc->z = device_floats(be, sc->rows, hp->vocab);
	else
		sc->zp = device_floats(be, sc->head_rows, hp->vocab);
	return sc->batch && sc->zq && (sc->z || sc->zp);
}

static enum st alloc_scan(struct scan *sc, const struct token_text *t, struct err *e)
{
	const struct model *m = sc->m;
	uint64_t need = scan_need(m, t);
	char a[16], b[16];
	enum st st = fwd_new(&sc->f, m, sc->batch_rows, e);

	if (st)
		return st;
	if ((m->be->host_memory && need > mem_available()) || !alloc_rows(sc))
		return err_set(e, ST_NOMEM,
			"a scan over %zu tokens keeps %zu hidden states of %zu values each and "
			"logits of "
			"%zu, %s in all: only %s is free; use fewer tokens",
			sc->rows, m->hp.layers + 1, m->hp.hidden, m->hp.vocab, text_bytes(need, a),
			text_bytes(mem_available(), b));
	sc->lse = big_array(sc->rows, sizeof *sc->lse, "statistics of the scan's text", e);
	sc->top = big_array(sc->rows, sizeof *sc->top, "statistics of the scan's text", e);
	sc->kl = big_array(sc->rows, BATCH_CELLS * sizeof *sc->kl, "results of a scan", e);
	sc->agree = big_array(sc->rows, BATCH_CELLS, "results of a scan", e);
	if (!sc->lse || !sc->top || !sc->kl || !sc->agree)
		return ST_NOMEM;
	sc->view = xarray(m->n_linears, sizeof *sc->view);
	memcpy(sc->view, m->ref, m->n_linears * sizeof *sc->view);
	sc->span = xarray(sc->batch_rows / sc->len, sizeof *sc->span);
	for (size_t i = 0; i < sc->batch_rows / sc->len; i++)
		sc->span[i] = (struct span){ NULL, sc->len };
	return ST_OK;
}

void scan_free(struct scan *sc)
{
	const struct backend *be;

	if (!sc)
		return;
	be = sc->m->be;
	for (size_t l = 0; sc->h && l <= sc->m->hp.layers; l++)
		if (sc->h[l])
			be->free(sc->h[l]);
	if (sc->z)
		be->free(sc->z);
	if (sc->zp)
		be->free(sc->zp);
	if (sc->zq)
		be->free(sc->zq);
	if (sc->batch)
		be->free(sc->batch);
	fwd_free(sc->f);
	big_free(sc->lse);
	big_free(sc->top);
	big_free(sc->kl);
	big_free(sc->agree);
	xfree(sc->h);
	xfree(sc->view);
	xfree(sc->span);
	xfree(sc);
}

/* ---- the reference */

float *scan_row(const struct scan *sc, float *h, size_t row)
{
	return h + row * sc->m->hp.hidden;
}

void scan_copy(const struct scan *sc, float *to, const float *from, size_t rows)
{
	sc->m->be->copy(to, from, rows * sc->m->hp.hidden * sizeof *to);
}

size_t scan_seqs(const struct scan *sc, size_t q)
{
	size_t n = sc->batch_rows / sc->len;

	return sc->n_seq - q < n ? sc->n_seq - q : n;
}

static enum st reference_blocks(struct scan *sc, const struct sink *s, struct err *e)
{
	size_t layers = sc->m->hp.layers, n;

	for (size_t l = 0; l < layers; l++) {
		scan_copy(sc, sc->h[l + 1], sc->h[l], sc->rows);
		for (size_t q = 0; q < sc->n_seq; q += n) {
			enum st st;

			n = scan_seqs(sc, q);
			st = fwd_blocks(sc->f, sc->m->ref, l, l + 1,
				scan_row(sc, sc->h[l + 1], q * sc->len), sc->span, n, NULL, s, e);
			if (st)
				return st;
		}
	}
	return ST_OK;
}

size_t scan_look(const struct scan *sc)
{
	return KL_VALUES / sc->m->hp.vocab + 1;
}

enum st scan_stats(const struct scan *sc, double *lse, int32_t *top, const float *z, size_t rows,
	const struct sink *s, struct err *e)
{
	size_t step = scan_look(sc), n;

	for (size_t r = 0; r < rows; r += n) {
		n = rows - r < step ? rows - r : step;
		sc->m->be->row_stats(lse + r, top + r, z + r * sc->m->hp.vocab, n, sc->m->hp.vocab);
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "the scan was stopped");
	}
	return ST_OK;
}

static enum st reference_logits(struct scan *sc, const struct sink *s, struct err *e)
{
	float *h = sc->h[sc->m->hp.layers];
	size_t n;

	for (size_t r = 0; r < sc->rows; r += n) {
		float *z = sc->z ? sc->z + r * sc->m->hp.vocab : sc->zp;
		enum st st;

		n = sc->rows - r < sc->head_rows ? sc->rows - r : sc->head_rows;
		st = fwd_logits(sc->f, scan_row(sc, h, r), n, z, s, e);
		if (!st)
			st = scan_stats(sc, sc->lse + r, sc->top + r, z, n, s, e);
		if (st)
			return st;
	}
	return ST_OK;
}

enum st scan_new(struct scan **out, const struct model *m, const struct token_text *t,
	const struct sink *s, struct err *e)
{
	struct scan *sc;
	size_t rows;
	enum st st;

	*out = NULL;
	if (!size_mul(&rows, t->n_seq, t->len) || !rows)
		return err_set(e, ST_INVALID, "the text to scan has no tokens");
	sc = xalloc(sizeof *sc);
	sc->m = m;
	sc->n_seq = t->n_seq;
	sc->len = t->len;
	sc->rows = rows;
	sc->batch_rows = batch_rows(t);
	sc->head_rows = head_rows(m->hp.vocab);
	st = alloc_scan(sc, t, e);
	if (!st)
		st = fwd_embed(sc->f, t->id, rows, sc->h[0], e);
	if (!st)
		st = reference_blocks(sc, s, e);
	if (!st)
		st = reference_logits(sc, s, e);
	if (st) {
		scan_free(sc);
		return st;
	}
	*out = sc;
	return ST_OK;
}
