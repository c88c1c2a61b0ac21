/* ab_compare.c - one answer read by another layout, token by token. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "core/work/ab.h"

/* Tokens that go through the blocks together, and rows whose logits, of both views, are alive at
 * once: as eval.c has them. */
enum { BLOCK_ROWS = 128, LOGIT_ROWS = 48 };
static const size_t LOGIT_BYTES = 64u << 20;

struct reader {
	const struct mat *const *view;
	struct kv *kv;
	float *h;      /* [BLOCK_ROWS][hidden], backend memory */
	float *logits; /* [chunk][vocab], backend memory */
	double lse[LOGIT_ROWS];
	int32_t top[LOGIT_ROWS];
	double nll;
};

struct force {
	const struct model *m;
	const struct sink *s;
	struct fwd *f;
	struct reader p, q;
	size_t chunk, agree;
};

static enum st reader_open(struct reader *r, const struct force *f, size_t n, struct err *e)
{
	const struct model *m = f->m;
	size_t bytes;
	enum st st = kv_new(&r->kv, m, n, KV_F32, e);

	if (st)
		return st;
	if (!size_mul(&bytes, f->chunk * sizeof *r->logits, m->hp.vocab))
		return err_set(e, ST_INVALID, "a vocabulary of %zu cannot be", m->hp.vocab);
	r->h = m->be->alloc(BLOCK_ROWS * m->hp.hidden * sizeof *r->h);
	r->logits = m->be->alloc(bytes);
	if ((!r->h || !r->logits) && !m->be->host_memory)
		return place_full(m, "comparing the answers",
			bytes + BLOCK_ROWS * m->hp.hidden * sizeof *r->h, "shorter answers take less",
			e);
	if (!r->h || !r->logits)
		return err_set(e, ST_NOMEM, "no memory to compare the answers in");
	return ST_OK;
}

static void reader_close(struct reader *r, const struct backend *be)
{
	kv_free(r->kv);
	if (r->h)
		be->free(r->h);
	if (r->logits)
		be->free(r->logits);
}

static enum st read_rows(
	struct force *f, struct reader *r, const int32_t *ids, size_t n, struct err *e)
{
	struct span sp = { r->kv, n };
	enum st st = fwd_embed(f->f, ids, n, r->h, e);

	return st ? st : fwd_blocks(f->f, r->view, 0, f->m->hp.layers, r->h, &sp, 1, NULL, f->s, e);
}

/* Rows of r->h, each with the token that followed it. */
static enum st score(
	struct force *f, struct reader *r, const int32_t *next, size_t row, size_t n, struct err *e)
{
	float z[LOGIT_ROWS];
	enum st st = fwd_logits(f->f, r->h + row * f->m->hp.hidden, n, r->logits, f->s, e);

	if (!st)
		st = fwd_stats(f->f, r->lse, r->top, r->logits, n, e);
	if (!st)
		st = fwd_pick(f->f, z, r->logits, next, n, e);
	if (st)
		return st;
	for (size_t i = 0; i < n; i++)
		r->nll += r->lse[i] - (double)z[i];
	return sink_poll(f->s) ? err_set(e, ST_CANCELLED, "stopped") : ST_OK;
}

static enum st both(
	struct force *f, double *kl, const int32_t *next, size_t row, size_t n, struct err *e)
{
	enum st st = score(f, &f->p, next, row, n, e);

	if (!st)
		st = score(f, &f->q, next, row, n, e);
	if (st)
		return st;
	st = fwd_kl(f->f, kl, f->p.logits, f->p.lse, f->q.logits, f->q.lse, n, e);
	if (st)
		return st;
	for (size_t i = 0; i < n; i++)
		f->agree += f->p.top[i] == f->q.top[i];
	return sink_poll(f->s) ? err_set(e, ST_CANCELLED, "stopped") : ST_OK;
}

static enum st run(
	struct force *f, double *kl, const int32_t *ids, size_t before, size_t said, struct err *e)
{
	size_t end = before + said - 1, k, n; /* the last token has none behind it */
	enum st st = ST_OK;

	for (size_t at = 0; !st && at < end; at += k) {
		k = end - at < BLOCK_ROWS ? end - at : BLOCK_ROWS;
		st = read_rows(f, &f->p, ids + at, k, e);
		if (!st)
			st = read_rows(f, &f->q, ids + at, k, e);
		/* Row i of the text says what follows it: the answer's from before - 1 on. */
		for (size_t i = at < before - 1 ? before - 1 - at : 0; !st && i < k; i += n) {
			n = k - i < f->chunk ? k - i : f->chunk;
			st = both(f, kl + (at + i + 1 - before), ids + at + i + 1, i, n, e);
		}
		sink_progress(f->s, (double)(at + k), (double)end);
	}
	return st;
}

enum st ab_force(struct ab_forced *out, double *kl, const struct model *m,
	const struct mat *const *p_view, const struct mat *const *q_view, const int32_t *ids,
	size_t before, size_t said, const struct sink *s, struct err *e)
{
	struct force f = { .m = m, .s = s, .p.view = p_view, .q.view = q_view };
	size_t row = 2 * m->hp.vocab * sizeof(float);
	enum st st;

	if (!before || !said)
		return err_set(e, ST_INVALID, "there is no text to compare");
	f.chunk = LOGIT_BYTES / row < LOGIT_ROWS ? LOGIT_BYTES / row + 1 : LOGIT_ROWS;
	st = fwd_new(&f.f, m, BLOCK_ROWS, e);
	if (!st)
		st = reader_open(&f.p, &f, before + said, e);
	if (!st)
		st = reader_open(&f.q, &f, before + said, e);
	if (!st)
		st = run(&f, kl, ids, before, said, e);
	if (!st)
		*out = (struct ab_forced){ .nll_p = f.p.nll / (double)said,
			.nll_q = f.q.nll / (double)said,
			.agree = f.agree };
	reader_close(&f.p, m->be);
	reader_close(&f.q, m->be);
	fwd_free(f.f);
	return st;
}

/* ---- both answers */

static void name_token(const struct desk *d, const struct ab_text *t, size_t at, char out[24])
{
	size_t n;
	const char *s;

	if (t->ended && at + 1 == t->said) {
		snprintf(out, 24, "end of turn");
		return;
	}
	s = tokenizer_piece(d->tok, t->ids[t->before + at], false, &n);
	n = n < 23 ? n : 23;
	n -= utf8_partial_tail(s, n);
	memcpy(out, s, n);
	out[n] = 0;
}

static enum st of_a(struct desk *d, const struct ab_texts *t, const struct mat *const *a,
	const struct mat *const *b, struct ab_result *r, const struct sink *s, struct err *e)
{
	const struct ab_text *text = &t->side[AB_A];
	struct ab_forced f;
	double *kl, sum = 0;
	size_t at = 0;
	enum st st;

	if (!text->before || !text->said)
		return ST_OK;
	kl = big_array(text->said, sizeof *kl, "divergences", e);
	r->kl = kl ? big_array(text->said, sizeof *r->kl, "divergences", e) : NULL;
	st = r->kl ? ab_force(&f, kl, d->m, a, b, text->ids, text->before, text->said, s, e)
		   : ST_NOMEM;
	for (size_t i = 0; !st && i < text->said; i++) {
		r->kl[i] = (float)kl[i];
		sum += kl[i];
		at = kl[i] > kl[at] ? i : at;
	}
	if (!st) {
		r->n = text->said;
		r->sums.kl_mean = sum / (double)text->said;
		r->sums.kl_max = kl[at];
		r->sums.kl_at = at + 1;
		r->sums.top1 = (double)f.agree / (double)text->said;
		name_token(d, text, at, r->sums.kl_token);
	}
	big_free(kl);
	return st;
}

static enum st of_b(struct desk *d, const struct ab_texts *t, const struct mat *const *a,
	struct ab_result *r, const struct sink *s, struct err *e)
{
	const struct ab_text *text = &t->side[AB_B];
	struct ab_forced f;
	double *kl;
	enum st st;

	if (!text->before || !text->said)
		return ST_OK;
	kl = big_array(text->said, sizeof *kl, "divergences", e);
	if (!kl)
		return ST_NOMEM;
	st = ab_force(&f, kl, d->m, a, d->m->ref, text->ids, text->before, text->said, s, e);
	if (!st) {
		r->sums.ppl_a = exp(f.nll_p);
		r->sums.ppl_ref = exp(f.nll_q);
	}
	big_free(kl);
	return st;
}

enum st ab_compare(struct desk *d, const struct ab_texts *t, struct ab_result *r,
	const struct sink *s, struct err *e)
{
	const struct mat **view[2];
	enum st st = ST_OK;

	*r = (struct ab_result){ .sums = { .kl_mean = (double)NAN,
					 .kl_max = (double)NAN,
					 .top1 = (double)NAN,
					 .ppl_a = (double)NAN,
					 .ppl_ref = (double)NAN } };
	for (int i = 0; i < 2; i++) {
		view[i] = xarray(d->set.n + 1, sizeof *view[i]);
		if (!st)
			st = desk_view(d, t->side[i].choice, view[i], s, e);
	}
	if (!st)
		st = of_a(d, t, view[AB_A], view[AB_B], r, s, e);
	if (!st)
		st = of_b(d, t, view[AB_A], r, s, e);
	if (st) {
		big_free(r->kl);
		r->kl = NULL;
	}
	for (int i = 0; i < 2; i++)
		xfree(view[i]);
	return st;
}
