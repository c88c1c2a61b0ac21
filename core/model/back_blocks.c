/* back_blocks.c - the way back through all blocks, in calls of bounded length (backward.h). */
#include <math.h>

#include "core/model/back.h"
#include "core/model/place.h"

/* What a call may take: some 10 ms of attention on two quick cores, a few of what passes over values. */
static const double ATTN_FLOP = 1e9;
static const size_t CALL_VALUES = 1u << 20;

/* dx of the n linears from kind k on, which share x; each is shown to the hook behind its own. */
static enum st linears_back(struct back *b, const struct mat *const *view, size_t layer,
	enum linear_kind kind, size_t n, const float *x, float *const *dy, float *dx,
	const struct back_hooks *k, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < n; i++) {
		size_t at = layer * LINEAR_KINDS + kind + i;
		const struct mat *w = view[at];

		st = fwd_product_back(&b->f, dx, i > 0, dy[i], b->rows, w, s, e);
		if (!st && k && k->linear)
			st = k->linear(k->arg, at, x, dy[i], dx, b->rows, e);
		if (!st)
			st = fwd_stop(&b->f, s, e);
	}
	return st;
}

/* Of n rows of `values` each, how many a call takes. */
static size_t call_rows(const struct back *b, size_t values)
{
	size_t most = (size_t)((double)CALL_VALUES * place_pace(b->f.m->be)) / values;

	return most ? most : 1;
}

static enum st norm_of(
	struct back *b, const float *x, size_t norm, const struct sink *s, struct err *e)
{
	const struct model *m = b->f.m;
	size_t d = m->hp.hidden, step = call_rows(b, d), n;
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < b->rows; r += n) {
		n = b->rows - r < step ? b->rows - r : step;
		m->be->rmsnorm(b->f.norm + r * d, x + r * d, fwd_gain(&b->f, norm), n, d,
			(float)m->hp.eps);
		st = fwd_stop(&b->f, s, e);
	}
	return st;
}

/* dh += of the norm whose input was x, dn the gradient of what it made. */
static enum st norm_back(struct back *b, const float *x, size_t norm, const struct back_hooks *k,
	const struct sink *s, struct err *e)
{
	const struct model *m = b->f.m;
	size_t d = m->hp.hidden, step = call_rows(b, d), n;
	bool wanted = k && k->gain;
	enum st st = ST_OK;

	if (wanted)
		back_clear(b, b->dgain, d);
	for (size_t r = 0; !st && r < b->rows; r += n) {
		n = b->rows - r < step ? b->rows - r : step;
		m->be->rmsnorm_back(b->dh + r * d, wanted ? b->dgain : NULL, b->dn + r * d,
			x + r * d, fwd_gain(&b->f, norm), n, d, (float)m->hp.eps);
		st = fwd_stop(&b->f, s, e);
	}
	return st ? st : back_gain_done(b, norm, k, e);
}

/* act once more, or with dact the gradients of gate and up in their places. */
static enum st gated(
	struct back *b, const struct kept *t, float *dact, const struct sink *s, struct err *e)
{
	const struct backend *be = b->f.m->be;
	size_t d = b->f.m->hp.inter, step = call_rows(b, d), n;
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < b->rows; r += n) {
		float *gate = t->gate + r * d, *up = t->up + r * d;

		n = b->rows - r < step ? b->rows - r : step;
		if (dact)
			be->swiglu_back(gate, up, dact + r * d, gate, up, n * d);
		else
			be->swiglu(b->f.act + r * d, gate, up, n * d);
		st = fwd_stop(&b->f, s, e);
	}
	return st;
}

static enum st feed_forward_back(struct back *b, const struct mat *const *view, size_t l,
	const struct back_hooks *k, const struct sink *s, struct err *e)
{
	const struct kept *t = &b->kept[l];
	float *const dy[2] = { t->gate, t->up };
	enum st st = ST_OK;

	if (b->keep == BACK_NARROW) {
		back_at_block(b, l);
		st = fwd_gates(&b->f, view, l, t->mid, b->rows, s, e);
	}
	if (!st)
		st = gated(b, t, NULL, s, e);
	if (!st)
		st = linears_back(b, view, l, LINEAR_DOWN, 1, b->f.act, &b->dh, b->dact, k, s, e);
	if (!st)
		st = gated(b, t, b->dact, s, e);
	if (!st)
		st = norm_of(b, t->mid, 2 * l + 1, s, e);
	if (!st)
		st = linears_back(b, view, l, LINEAR_GATE, 2, b->f.norm, dy, b->dn, k, s, e);
	return st ? st : norm_back(b, t->mid, 2 * l + 1, k, s, e);
}

static enum st attention_call(struct back *b, const struct kept *t, size_t n,
	const struct attn_shape *shape, const struct sink *s, struct err *e)
{
	if (n)
		b->f.m->be->attention_back(
			b->dq, b->dk, b->dv, b->datt, t->att, t->q, b->f.seq, n, shape);
	return fwd_stop(&b->f, s, e);
}

/* Many short sequences a call; long ones a stretch of rows after the other, which a device, whose time
 * for them is short, is not asked to do. */
static enum st attend_back(struct back *b, const struct kept *t, const struct sink *s, struct err *e)
{
	const struct model *m = b->f.m;
	const struct hparams *hp = &m->hp;
	size_t kv = hp->kv_heads * hp->head_dim, n = 0, step;
	/* six products: q k^T twice, dout v^T, and one for each of dq, dk, dv */
	double per_key = 12.0 * (double)(hp->heads * hp->head_dim), flop = 0;
	double most = ATTN_FLOP * place_pace(m->be);
	const struct attn_shape shape = { hp->heads, hp->kv_heads, hp->head_dim, hp->window,
		(float)(1 / sqrt((double)hp->head_dim)) };
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < b->n; i++)
		for (size_t r = 0; !st && r < b->span[i].rows; r += step) {
			size_t at = b->first[i], rows = b->span[i].rows;

			step = m->be->host_memory ? (size_t)(most / per_key / (double)rows) + 1 : rows;
			step = rows - r < step ? rows - r : step;
			b->f.seq[n++] = (struct attn_seq){ .q0 = at + r,
				.m = step,
				.pos = r,
				.k = t->k + at * kv,
				.v = t->v + at * kv };
			flop += per_key * (double)step * ((double)r + (double)(step + 1) / 2);
			if (n < FWD_SEQS && flop < most && r + step == rows)
				continue;
			st = attention_call(b, t, n, &shape, s, e);
			n = 0;
			flop = 0;
		}
	return st ? st : attention_call(b, t, n, &shape, s, e);
}

static void turn_back(struct back *b)
{
	const struct model *m = b->f.m;
	const struct hparams *hp = &m->hp;
	enum rope_style style = hp->rope_pairs ? ROPE_PAIRS : ROPE_HALVES;

	m->be->rope(b->dq, hp->heads * hp->head_dim, b->rows, hp->heads, hp->head_dim, b->f.pos,
		b->turned, style);
	m->be->rope(b->dk, hp->kv_heads * hp->head_dim, b->rows, hp->kv_heads, hp->head_dim,
		b->f.pos, b->turned, style);
}

static enum st attention_half_back(struct back *b, const struct mat *const *view, size_t l,
	const struct back_hooks *k, const struct sink *s, struct err *e)
{
	const struct kept *t = &b->kept[l];
	float *const dy[3] = { b->dq, b->dk, b->dv };
	enum st st;

	st = linears_back(b, view, l, LINEAR_O, 1, t->att, &b->dh, b->datt, k, s, e);
	if (!st)
		st = attend_back(b, t, s, e);
	if (st)
		return st;
	turn_back(b);
	st = norm_of(b, t->in, 2 * l, s, e);
	if (!st)
		st = linears_back(b, view, l, LINEAR_Q, 3, b->f.norm, dy, b->dn, k, s, e);
	return st ? st : norm_back(b, t->in, 2 * l, k, s, e);
}

enum st back_blocks(struct back *b, const struct mat *const *view, const struct back_hooks *k,
	const struct sink *s, struct err *e)
{
	const struct model *m = b->f.m;
	enum st st = ST_OK;

	for (size_t l = m->hp.layers; !st && l-- > 0;) {
		if (b->keep == BACK_INPUTS) {
			m->be->copy(
				b->h, b->kept[l].in, b->rows * m->hp.hidden * sizeof *b->h);
			back_at_block(b, l);
			st = fwd_blocks(&b->f, view, l, l + 1, b->h, b->span, b->n, NULL, s, e);
		}
		if (!st)
			st = feed_forward_back(b, view, l, k, s, e);
		if (!st)
			st = attention_half_back(b, view, l, k, s, e);
	}
	return st ? st : fwd_fault(&b->f, e);
}
