/* scan.c - what a scan keeps: the base's hidden states before every block, the reference's
 * logits. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "core/search/scan_priv.h"

enum {
	LOGIT_ROWS = 2048, /* beyond, the reference's logits are computed again ... */
	FINAL_CELLS = 4    /* ... once for so many cells */
};
/* Logits of one head call, and values of one KL call (some 10 ms on one slow core). */
static const size_t HEAD_VALUES = 16u << 20, KL_VALUES = 512u << 10;

/* ---- memory */

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* What memory depends on. */
struct shape {
	size_t rows, longest; /* of the text, of its longest sequence */
};

/* Whole sequences, as many rows as a batch may have. */
static size_t batch_rows(struct shape t)
{
	return most(t.longest, BATCH_ROWS);
}

static size_t head_rows(size_t vocab)
{
	size_t n = HEAD_VALUES / (vocab ? vocab : 1);

	n = n > HEAD_ROWS ? HEAD_ROWS : n;
	return most(n - n % HEAD_TILE, HEAD_TILE);
}

/* Cells whose final states wait for the head together; at least one, whose sequences then go
 * through the blocks in turns. */
static size_t cells_at_once(struct shape t, bool keep)
{
	size_t n = batch_rows(t) / most(t.rows, 1);

	n = most(n, keep ? 1 : FINAL_CELLS);
	return n > BATCH_CELLS ? BATCH_CELLS : n;
}

/* keep: the reference's logits are kept. */
static uint64_t need_of(const struct model *m, struct shape t, bool keep)
{
	const struct hparams *hp = &m->hp;
	uint64_t rows = t.rows, head = head_rows(hp->vocab);
	uint64_t cells = cells_at_once(t, keep), batch = batch_rows(t);
	uint64_t act =
		4 * (uint64_t)hp->hidden + 4 * (uint64_t)hp->inter; /* fwd's scratch, about */
	uint64_t need = (hp->layers + 1) * rows * hp->hidden;

	need += batch * act + most(batch, cells * rows) * hp->hidden;
	need += head * hp->vocab;
	need += keep ? rows * hp->vocab : head * hp->vocab + rows * hp->hidden;
	return need * sizeof(float) + rows * (cells + 3) * sizeof(double);
}

static bool few_logits(struct shape t)
{
	return t.rows <= LOGIT_ROWS;
}

uint64_t scan_need(const struct model *m, const struct token_text *t)
{
	struct shape all = { t->n_seq * t->len, t->len };

	return need_of(m, all, few_logits(all));
}

/* Kept logits save a head for each few cells; no reason to take more than half of what is
 * free. */
static bool keeps_logits(const struct model *m, struct shape t)
{
	return few_logits(t) && need_of(m, t, true) <= place_room(m->be) / 2;
}

static enum st no_room(const struct scan *sc, uint64_t need, struct err *e)
{
	char a[16], b[16], room[PLACE_TEXT];
	enum st st = model_fault(sc->m, e);

	if (st)
		return st;
	if (!sc->m->be->host_memory)
		return err_set(e, ST_NOMEM,
			"a scan over %zu tokens keeps %zu hidden states and logits of %zu, %s in all, "
			"and %s; use fewer tokens",
			sc->rows, sc->m->hp.layers + 1, sc->m->hp.vocab, text_bytes(need, a),
			place_text(sc->m->be, room));
	return err_set(e, ST_NOMEM,
		"a scan over %zu tokens keeps %zu hidden states of %zu values each and logits of "
		"%zu, %s in all: only %s is free; use fewer tokens",
		sc->rows, sc->m->hp.layers + 1, sc->m->hp.hidden, sc->m->hp.vocab,
		text_bytes(need, a), text_bytes(mem_available(), b));
}

static enum st stopped(const struct sink *s, struct err *e)
{
	return sink_poll(s) ? err_set(e, ST_CANCELLED, "the scan was stopped") : ST_OK;
}

/* Looks at the sink: large memory takes a while to be cleared. */
static enum st device_floats(float **out, const struct scan *sc, size_t rows, size_t cols,
	uint64_t need, const struct sink *s, struct err *e)
{
	size_t n, bytes;

	if (size_mul(&n, rows, cols) && size_mul(&bytes, n, sizeof(float)))
		*out = sc->m->be->alloc(bytes);
	return *out ? stopped(s, e) : no_room(sc, need, e);
}

static size_t logit_blocks(const struct scan *sc)
{
	return (sc->rows + sc->head_rows - 1) / sc->head_rows;
}

static enum st alloc_device(
	struct scan *sc, bool keep, uint64_t need, const struct sink *s, struct err *e)
{
	size_t hidden = sc->m->hp.hidden, vocab = sc->m->hp.vocab;
	size_t batch = most(sc->batch_rows, sc->at_once * sc->rows);
	enum st st = device_floats(&sc->batch, sc, batch, hidden, need, s, e);

	sc->h = xarray(sc->m->hp.layers + 1, sizeof *sc->h);
	for (size_t l = 0; !st && l <= sc->m->hp.layers; l++)
		st = device_floats(&sc->h[l], sc, sc->rows, hidden, need, s, e);
	if (!st)
		st = device_floats(&sc->zq, sc, sc->head_rows, vocab, need, s, e);
	if (!st && !keep)
		st = device_floats(&sc->zp, sc, sc->head_rows, vocab, need, s, e);
	if (!st && !keep && !sc->on_reference)
		st = device_floats(&sc->last, sc, sc->rows, hidden, need, s, e);
	if (st || !keep)
		return st;
	sc->z = xarray(logit_blocks(sc), sizeof *sc->z);
	for (size_t i = 0; !st && i < logit_blocks(sc); i++)
		st = device_floats(&sc->z[i], sc, sc->head_rows, vocab, need, s, e);
	return st;
}

static enum st alloc_host(struct scan *sc, struct err *e)
{
	size_t cells = sc->at_once * sc->rows;

	sc->lse = big_array(sc->rows, sizeof *sc->lse, "statistics of the scan's text", e);
	sc->top = big_array(sc->rows, sizeof *sc->top, "statistics of the scan's text", e);
	sc->base_kl = big_array(sc->rows, sizeof *sc->base_kl, "results of a scan", e);
	sc->base_agree = big_alloc(sc->rows, "results of a scan", e);
	sc->kl = big_array(cells, sizeof *sc->kl, "results of a scan", e);
	sc->agree = big_alloc(cells, "results of a scan", e);
	return sc->lse && sc->top && sc->base_kl && sc->base_agree && sc->kl && sc->agree
		       ? ST_OK
		       : ST_NOMEM;
}

static enum st alloc_scan(struct scan *sc, const struct sink *s, struct err *e)
{
	struct shape t = { sc->rows, sc->longest };
	bool keep = keeps_logits(sc->m, t);
	uint64_t need = need_of(sc->m, t, keep);
	enum st st;

	sc->batch_rows = batch_rows(t);
	sc->head_rows = head_rows(sc->m->hp.vocab);
	sc->at_once = cells_at_once(t, keep);
	st = fwd_new(&sc->f, sc->m, sc->batch_rows, e);
	if (st)
		return st;
	fwd_set_math(sc->f, MATH_BF16X3); /* see scan.h */
	st = alloc_device(sc, keep, need, s, e);
	if (!st)
		st = alloc_host(sc, e);
	if (st)
		return st;
	sc->span = big_array(sc->at_once * sc->n_seq, sizeof *sc->span, "the scan's text", e);
	if (!sc->span)
		return ST_NOMEM;
	for (size_t i = 0; i < sc->at_once * sc->n_seq; i++) {
		size_t q = i % sc->n_seq;

		sc->span[i] = (struct span){ NULL, sc->at[q + 1] - sc->at[q] };
	}
	return ST_OK;
}

static void device_free(const struct scan *sc, float *p)
{
	if (p)
		sc->m->be->free(p);
}

void scan_free(struct scan *sc)
{
	if (!sc)
		return;
	for (size_t l = 0; sc->h && l <= sc->m->hp.layers; l++)
		device_free(sc, sc->h[l]);
	for (size_t i = 0; sc->z && i < logit_blocks(sc); i++)
		device_free(sc, sc->z[i]);
	device_free(sc, sc->last);
	device_free(sc, sc->zp);
	device_free(sc, sc->zq);
	device_free(sc, sc->batch);
	fwd_free(sc->f);
	big_free(sc->lse);
	big_free(sc->top);
	big_free(sc->kl);
	big_free(sc->agree);
	big_free(sc->base_kl);
	big_free(sc->base_agree);
	xfree(sc->h);
	xfree(sc->z);
	xfree(sc->base);
	xfree(sc->view);
	big_free(sc->span);
	big_free(sc->at);
	xfree(sc);
}

/* ---- rows and views */

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
	size_t n = 1;

	while (q + n < sc->n_seq && sc->at[q + n + 1] - sc->at[q] <= sc->batch_rows)
		n++;
	return n;
}

bool scan_same(const struct mat *a, const struct mat *b)
{
	return a == b || (a->data == b->data && a->scale == b->scale && a->offset == b->offset);
}

size_t scan_differ(const struct scan *sc, const struct mat *const *a, const struct mat *const *b)
{
	for (size_t i = 0; i < sc->m->n_linears; i++)
		if (!scan_same(a[i], b[i]))
			return sc->m->linear[i].layer;
	return sc->m->hp.layers;
}

/* ---- the reference and the base */

/* The text through the blocks from ... on, keeping the states before each and at the end. */
static enum st walk(struct scan *sc, const struct mat *const *view, size_t from,
	const struct sink *s, struct err *e)
{
	size_t n;

	for (size_t l = from; l < sc->m->hp.layers; l++) {
		scan_copy(sc, sc->h[l + 1], sc->h[l], sc->rows);
		for (size_t q = 0; q < sc->n_seq; q += n) {
			enum st st;

			n = scan_seqs(sc, q);
			st = fwd_blocks(sc->f, view, l, l + 1,
				scan_row(sc, sc->h[l + 1], sc->at[q]), sc->span + q, n, NULL, s, e);
			if (st)
				return st;
		}
	}
	return ST_OK;
}

size_t scan_look(const struct scan *sc)
{
	return (size_t)((double)KL_VALUES * place_pace(sc->m->be)) / sc->m->hp.vocab + 1;
}

enum st scan_stats(const struct scan *sc, double *lse, int32_t *top, const float *z, size_t rows,
	const struct sink *s, struct err *e)
{
	size_t step = scan_look(sc), n;
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < rows; r += n) {
		n = rows - r < step ? rows - r : step;
		st = fwd_stats(sc->f, lse + r, top + r, z + r * sc->m->hp.vocab, n, e);
		if (!st)
			st = stopped(s, e);
	}
	return st;
}

static enum st reference_logits(struct scan *sc, const struct sink *s, struct err *e)
{
	float *h = sc->h[sc->m->hp.layers];
	size_t n;
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < sc->rows; r += n) {
		float *z = sc->z ? sc->z[r / sc->head_rows] : sc->zp;

		n = sc->rows - r < sc->head_rows ? sc->rows - r : sc->head_rows;
		st = fwd_logits(sc->f, scan_row(sc, h, r), n, z, s, e);
		if (!st)
			st = scan_stats(sc, sc->lse + r, sc->top + r, z, n, s, e);
	}
	return st;
}

/* After the reference: where the base goes its own way, and how far that leads. */
static enum st walk_base(struct scan *sc, const struct sink *s, struct err *e)
{
	size_t layers = sc->m->hp.layers;
	enum st st;

	if (sc->last)
		scan_copy(sc, sc->last, sc->h[layers], sc->rows);
	st = walk(sc, sc->base, scan_differ(sc, sc->base, sc->m->ref), s, e);
	return st ? st : scan_measure(sc, sc->h[layers], 1, sc->base_kl, sc->base_agree, s, e);
}

static void set_base(struct scan *sc, const struct mat *const *base)
{
	size_t n = sc->m->n_linears;

	sc->base = xarray(n, sizeof *sc->base);
	sc->view = xarray(n, sizeof *sc->view);
	memcpy(sc->base, base ? base : sc->m->ref, n * sizeof *sc->base);
	memcpy(sc->view, sc->base, n * sizeof *sc->view);
	sc->on_reference = scan_differ(sc, sc->base, sc->m->ref) == sc->m->hp.layers;
}

/* Tokens of a piece of a lone sequence, for the standard error; where there are no two. */
enum { PIECE = 64, PIECE_SHORT = 8 };

static enum st check_text(struct scan *sc, const struct scan_text *t, struct err *e)
{
	struct shape all;
	uint64_t need;

	if (!t->n || t->n > SCAN_PARTS)
		return err_set(e, ST_INVALID, "a scan takes 1 to %d sources of text, not %zu",
			SCAN_PARTS, t->n);
	for (size_t p = 0; p < t->n; p++) {
		size_t rows, len = t->part[p].len;

		if (!size_mul(&rows, t->part[p].n_seq, len) || !rows ||
			!size_add(&sc->rows, sc->rows, rows))
			return err_set(e, ST_INVALID, "the text to scan has no tokens");
		sc->n_seq += t->part[p].n_seq;
		sc->longest = most(sc->longest, len);
	}
	all = (struct shape){ sc->rows, sc->longest };
	need = need_of(sc->m, all, keeps_logits(sc->m, all));
	return need > place_room(sc->m->be) ? no_room(sc, need, e) : ST_OK;
}

static enum st set_text(struct scan *sc, const struct scan_text *t, struct err *e)
{
	enum st st = check_text(sc, t, e);

	if (st)
		return st;
	sc->at = big_array(sc->n_seq + 1, sizeof *sc->at, "the scan's text", e);
	if (!sc->at)
		return ST_NOMEM;
	sc->at[0] = 0;
	sc->parts = t->n;
	for (size_t p = 0, q = 0; p < t->n; p++) {
		size_t len = t->part[p].len, n = t->part[p].n_seq;

		sc->part[p] = (struct scan_range){ .row = sc->at[q],
			.rows = n * len,
			.piece = n > 1             ? len
				 : len < 2 * PIECE ? PIECE_SHORT
						   : PIECE,
			.weight = t->weight[p] };
		for (size_t end = q + n; q < end; q++)
			sc->at[q + 1] = sc->at[q] + len;
	}
	return ST_OK;
}

static enum st embed(struct scan *sc, const struct scan_text *t, struct err *e)
{
	enum st st = ST_OK;

	for (size_t p = 0; !st && p < sc->parts; p++)
		st = fwd_embed(sc->f, t->part[p].id, sc->part[p].rows,
			scan_row(sc, sc->h[0], sc->part[p].row), e);
	return st;
}

enum st scan_new_parts(struct scan **out, const struct model *m, const struct mat *const *base,
	const struct scan_text *t, const struct sink *s, struct err *e)
{
	struct scan *sc = xalloc(sizeof *sc);
	enum st st;

	*out = NULL;
	sc->m = m;
	st = set_text(sc, t, e);
	if (st) {
		scan_free(sc);
		return st;
	}
	set_base(sc, base);
	st = alloc_scan(sc, s, e);
	if (!st)
		st = embed(sc, t, e);
	if (!st)
		st = walk(sc, m->ref, 0, s, e);
	if (!st)
		st = reference_logits(sc, s, e);
	if (!st && !sc->on_reference)
		st = walk_base(sc, s, e);
	if (st) {
		scan_free(sc);
		return st;
	}
	*out = sc;
	return ST_OK;
}

enum st scan_new_base(struct scan **out, const struct model *m, const struct mat *const *base,
	const struct token_text *t, const struct sink *s, struct err *e)
{
	struct scan_text one = { .n = 1, .part = { *t }, .weight = { 1 } };

	return scan_new_parts(out, m, base, &one, s, e);
}

enum st scan_new(struct scan **out, const struct model *m, const struct token_text *t,
	const struct sink *s, struct err *e)
{
	return scan_new_base(out, m, NULL, t, s, e);
}
