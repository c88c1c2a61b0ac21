/* backward.c - see backward.h: memory and the forward pass; back_loss.c is the loss, back_blocks.c the
 * way back. */
#include "core/model/backward.h"

#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/back.h"
#include "core/model/place.h"

/* ---- memory */

/* Floats a row of what a block keeps besides its input, and of the scratch. */
static size_t kept_row(const struct hparams *hp)
{
	return hp->hidden + 2 * hp->heads * hp->head_dim + 2 * hp->kv_heads * hp->head_dim;
}

static size_t scratch_row(const struct hparams *hp)
{
	/* h, norm, dh, dn, zeros; act, dact; dq, datt, dk, dv */
	return 5 * hp->hidden + 2 * hp->inter + 2 * hp->heads * hp->head_dim +
	       2 * hp->kv_heads * hp->head_dim;
}

static bool floats_of(size_t *out, const struct hparams *hp, size_t rows, enum back_keep keep)
{
	size_t blocks = keep == BACK_INPUTS ? 1 : hp->layers;
	size_t gates = keep == BACK_ALL ? hp->layers : 1, all, part;

	return size_mul(&all, hp->layers * hp->hidden + scratch_row(hp), rows) &&
	       size_mul(&part, blocks * kept_row(hp) + gates * 2 * hp->inter, rows) &&
	       size_add(&all, all, part) &&
	       size_mul(&part, LOSS_ROWS, hp->vocab + 3 * hp->hidden) &&
	       size_add(&all, all, part) && size_add(&all, all, hp->hidden) &&
	       size_mul(out, all, sizeof(float));
}

uint64_t back_bytes_of(const struct hparams *hp, size_t rows, enum back_keep keep)
{
	size_t bytes;

	return floats_of(&bytes, hp, rows, keep) ? bytes : UINT64_MAX;
}

uint64_t back_bytes(const struct model *m, size_t rows, enum back_keep keep)
{
	return back_bytes_of(&m->hp, rows, keep);
}

static float *cut(float **p, size_t n)
{
	float *at = *p;

	*p += n;
	return at;
}

static void share_out(struct back *b, size_t rows)
{
	const struct hparams *hp = &b->f.m->hp;
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim;
	float *p = b->memory;

	for (size_t l = 0; l < hp->layers; l++) {
		struct kept *k = &b->kept[l];

		if (l && b->keep == BACK_INPUTS) {
			*k = b->kept[0];
		} else {
			k->mid = cut(&p, rows * hp->hidden);
			k->q = cut(&p, rows * q);
			k->k = cut(&p, rows * kv);
			k->v = cut(&p, rows * kv);
			k->att = cut(&p, rows * q);
			k->gate = l && b->keep == BACK_NARROW ? b->kept[0].gate
							      : cut(&p, rows * hp->inter);
			k->up = l && b->keep == BACK_NARROW ? b->kept[0].up
							    : cut(&p, rows * hp->inter);
		}
		k->in = cut(&p, rows * hp->hidden);
	}
	b->h = cut(&p, rows * hp->hidden);
	b->f.norm = cut(&p, rows * hp->hidden);
	b->dh = cut(&p, rows * hp->hidden);
	b->dn = cut(&p, rows * hp->hidden);
	b->zero = cut(&p, rows * hp->hidden);
	b->f.act = cut(&p, rows * hp->inter);
	b->dact = cut(&p, rows * hp->inter);
	b->dq = cut(&p, rows * q);
	b->datt = cut(&p, rows * q);
	b->dk = cut(&p, rows * kv);
	b->dv = cut(&p, rows * kv);
	b->dgain = cut(&p, hp->hidden);
	b->hc = cut(&p, LOSS_ROWS * hp->hidden);
	b->dhc = cut(&p, LOSS_ROWS * hp->hidden);
	b->dnc = cut(&p, LOSS_ROWS * hp->hidden);
	b->logits = p;
}

static enum st no_way(const struct backend *be, struct err *e)
{
	return err_set(e, ST_UNSUPPORTED,
		"%s has no way back through a model yet: train with --device cpu", be->name);
}

enum st back_new(struct back **out, const struct model *m, size_t rows, enum back_keep keep,
	struct err *e)
{
	const struct backend *be = m->be;
	struct back *b;
	size_t bytes;
	char what[80];

	if (!be->products_back || !be->rmsnorm_back || !be->attention_back || !be->swiglu_back ||
		!be->cross_entropy || !be->kl_back)
		return no_way(be, e);
	if (!rows || !floats_of(&bytes, &m->hp, rows, keep))
		return err_set(e, ST_INVALID, "a batch of %zu tokens cannot be made", rows);
	b = xalloc(sizeof *b);
	b->f.m = m;
	b->f.max_rows = rows;
	b->f.head = &m->head;
	b->keep = keep;
	(void)fwd_renew(&b->f);
	b->kept = xarray(m->hp.layers, sizeof *b->kept);
	b->turned = xarray(m->hp.head_dim / 2, sizeof *b->turned);
	for (size_t i = 0; i < m->hp.head_dim / 2; i++)
		b->turned[i] = -m->inv_freq[i];
	b->f.pos = big_array(rows, sizeof *b->f.pos, "positions of a batch", e);
	if (!b->f.pos) {
		back_free(b);
		return ST_NOMEM;
	}
	if (bytes <= place_room(be))
		b->memory = be->alloc(bytes);
	if (!b->memory) {
		back_free(b);
		snprintf(what, sizeof what, "what is kept of %zu tokens for the way back", rows);
		return place_full(m, what, bytes, "take fewer tokens a step", e);
	}
	share_out(b, rows);
	*out = b;
	return ST_OK;
}

void back_free(struct back *b)
{
	if (!b)
		return;
	if (b->memory)
		b->f.m->be->free(b->memory);
	if (b->said)
		b->f.m->be->free(b->said);
	big_free(b->f.pos);
	xfree(b->kept);
	xfree(b->turned);
	xfree(b->span);
	xfree(b->first);
	xfree(b);
}

void back_set_math(struct back *b, enum math math)
{
	fwd_set_math(&b->f, math);
}

void back_set_gains(struct back *b, float *const *gain)
{
	fwd_set_gains(&b->f, gain);
}

/* ---- forward */

static enum st take_spans(struct back *b, const struct span *spans, size_t n, struct err *e)
{
	size_t rows = 0;

	for (size_t i = 0; i < n; i++) {
		if (spans[i].kv || spans[i].rows > b->f.max_rows - rows)
			return err_set(e, ST_INVALID,
				"a batch to train on holds at most %zu tokens, without a past",
				b->f.max_rows);
		rows += spans[i].rows;
	}
	if (n > b->room) {
		b->span = xrealloc(b->span, n * sizeof *b->span);
		b->first = xrealloc(b->first, n * sizeof *b->first);
		b->room = n;
	}
	b->n = n;
	b->rows = 0;
	for (size_t i = 0; i < n; i++) {
		b->span[i] = spans[i];
		b->first[i] = b->rows;
		b->rows += spans[i].rows;
	}
	return ST_OK;
}

void back_at_block(struct back *b, size_t l)
{
	const struct kept *k = &b->kept[l];

	b->f.mid = k->mid;
	b->f.q = k->q;
	b->f.k = k->k;
	b->f.v = k->v;
	b->f.att = k->att;
	b->f.gate = k->gate;
	b->f.up = k->up;
}

enum st back_forward(struct back *b, const struct mat *const *view, const int32_t *ids,
	const struct span *spans, size_t n, const struct back_hooks *k, const struct sink *s,
	struct err *e)
{
	const struct model *m = b->f.m;
	enum st st = take_spans(b, spans, n, e);

	(void)fwd_renew(&b->f);
	fwd_set_add(&b->f, k ? k->add : NULL, k ? k->arg : NULL);
	if (!st)
		st = fwd_embed(&b->f, ids, b->rows, b->h, e);
	for (size_t l = 0; !st && l < m->hp.layers; l++) {
		m->be->copy(b->kept[l].in, b->h, b->rows * m->hp.hidden * sizeof *b->h);
		back_at_block(b, l);
		st = fwd_blocks(&b->f, view, l, l + 1, b->h, b->span, b->n, NULL, s, e);
	}
	return st ? st : fwd_fault(&b->f, e);
}
