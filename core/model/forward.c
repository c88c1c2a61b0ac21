/* forward.c - embedding, blocks and head. */
#include "core/model/forward.h"

#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/fwd.h"
#include "core/model/place.h"

/* One attention call: about 20 ms on two slow cores. */
static const double ATTN_FLOP = 1e8;
/* Values an element-wise call takes: a few milliseconds with an exp each. */
static const size_t CALL_VALUES = 1u << 20;

/* One pass over the blocks, so that the pieces below need few arguments. */
struct pass {
	struct fwd *f;
	const struct mat *const *view;
	float *h;
	size_t rows;
	const struct span *spans;
	size_t n_spans;
	const struct tap *tap;
	const struct sink *s;
};

/* ---- scratch */

static enum st no_scratch(const struct model *m, size_t rows, size_t bytes, struct err *e)
{
	char what[64], need[16];

	snprintf(what, sizeof what, "a batch of %zu tokens", rows);
	if (!m->be->host_memory)
		return place_full(m, what, bytes, "use a shorter window or prompt", e);
	return err_set(e, ST_NOMEM,
		"activations of %zu tokens at once need %s, more than %s; use a shorter window or "
		"prompt",
		rows, text_bytes(bytes, need),
		bytes <= mem_available() ? "the system gives (see ulimit -v)" : "is available");
}

/* Queries, keys, values and the attention's output are dead when the feed-forward's product needs
 * room. */
static size_t shared_floats(const struct hparams *hp)
{
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim;

	return 2 * q + 2 * kv > hp->inter ? 2 * q + 2 * kv : hp->inter;
}

size_t fwd_row_bytes(const struct hparams *hp)
{
	return (2 * hp->hidden + shared_floats(hp) + 2 * hp->inter) * sizeof(float);
}

enum st fwd_new(struct fwd **out, const struct model *m, size_t max_rows, struct err *e)
{
	const struct hparams *hp = &m->hp;
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim, bytes;
	struct fwd *f;
	float *p;

	if (!max_rows || !size_mul(&bytes, fwd_row_bytes(hp), max_rows))
		return err_set(e, ST_INVALID, "a batch of %zu tokens cannot be made", max_rows);
	f = xalloc(sizeof *f);
	f->m = m;
	f->max_rows = max_rows;
	f->head = &m->head;
	(void)fwd_renew(f);
	f->pos = big_array(max_rows, sizeof *f->pos, "positions of a batch", e);
	if (!f->pos) {
		fwd_free(f);
		return ST_NOMEM;
	}
	if (bytes <= place_room(m->be))
		f->memory = m->be->alloc(bytes);
	if (!f->memory) {
		fwd_free(f);
		return no_scratch(m, max_rows, bytes, e);
	}
	p = f->memory;
	f->norm = p;
	f->h = p += max_rows * hp->hidden;
	f->q = p += max_rows * hp->hidden;
	f->att = f->q + max_rows * q;
	f->k = f->att + max_rows * q;
	f->v = f->k + max_rows * kv;
	f->act = f->q;
	f->gate = p += max_rows * shared_floats(hp);
	f->up = p + max_rows * hp->inter;
	*out = f;
	return ST_OK;
}

void fwd_free(struct fwd *f)
{
	if (!f)
		return;
	if (f->memory)
		f->m->be->free(f->memory);
	if (f->logits)
		f->m->be->free(f->logits);
	big_free(f->pos);
	xfree(f);
}

const struct model *fwd_model(const struct fwd *f)
{
	return f->m;
}

void fwd_time(struct fwd *f, struct fwd_times *t)
{
	f->times = t;
}

void fwd_set_head(struct fwd *f, const struct mat *head)
{
	f->head = head ? head : &f->m->head;
}

void fwd_set_add(struct fwd *f, fwd_add *fn, void *arg)
{
	f->add = fn;
	f->add_arg = arg;
}

void fwd_set_gains(struct fwd *f, float *const *gain)
{
	f->gains = gain;
}

const float *fwd_gain(const struct fwd *f, size_t norm)
{
	const struct model *m = f->m;

	if (f->gains)
		return f->gains[norm];
	if (norm == 2 * m->hp.layers)
		return m->final_norm;
	return norm % 2 ? m->mlp_norm[norm / 2] : m->attn_norm[norm / 2];
}

void fwd_set_math(struct fwd *f, enum math math)
{
	f->math = math;
}

enum st fwd_embed(struct fwd *f, const int32_t *ids, size_t rows, float *h, struct err *e)
{
	const struct model *m = f->m;
	size_t i;

	for (i = 0; i < rows; i++)
		if (ids[i] < 0 || (size_t)ids[i] >= m->hp.vocab)
			return err_set(e, ST_INVALID,
				"token id %d is outside the vocabulary of %zu", (int)ids[i],
				m->hp.vocab);
	m->be->embed(h, &m->embed, ids, rows);
	return ST_OK;
}

/* ---- pieces of a block */

/* n linears from k on, which share x. */
static enum st linears(struct pass *p, size_t layer, enum linear_kind k, size_t n, float *const *y,
	const float *x, struct err *e)
{
	size_t first = layer * LINEAR_KINDS + k;
	struct product set[FWD_SET];
	enum st st;

	for (size_t i = 0; i < n; i++)
		set[i] = (struct product){ y[i], p->view[first + i]->rows, p->view[first + i] };
	st = fwd_products(p->f, FWD_LINEARS, set, n, x, set[0].w->cols, p->rows, p->s, e);
	for (size_t i = 0; !st && p->f->add && i < n; i++)
		p->f->add(p->f->add_arg, first + i, x, y[i], p->rows);
	for (size_t i = 0; !st && p->tap && i < n; i++)
		p->tap->fn(p->tap->arg, first + i, x, y[i], p->rows);
	return st;
}

static void normalise(const struct pass *p, const float *gain)
{
	const struct model *m = p->f->m;

	m->be->rmsnorm(p->f->norm, p->h, gain, p->rows, m->hp.hidden, (float)m->hp.eps);
}

static void rotate(const struct pass *p)
{
	const struct model *m = p->f->m;
	const struct hparams *hp = &m->hp;
	enum rope_style style = hp->rope_pairs ? ROPE_PAIRS : ROPE_HALVES;

	m->be->rope(p->f->q, hp->heads * hp->head_dim, p->rows, hp->heads, hp->head_dim, p->f->pos,
		m->inv_freq, style);
	m->be->rope(p->f->k, hp->kv_heads * hp->head_dim, p->rows, hp->kv_heads, hp->head_dim,
		p->f->pos, m->inv_freq, style);
}

/* New keys and values go behind the old ones; kv->n stays until the last block ran. */
static void store(const struct pass *p, size_t layer)
{
	const struct backend *be = p->f->m->be;
	size_t heads = p->f->m->hp.kv_heads, dim = p->f->m->hp.head_dim, at = 0;

	for (size_t i = 0; i < p->n_spans; at += p->spans[i++].rows) {
		const struct kv *kv = p->spans[i].kv;
		size_t rows = p->spans[i].rows, to, count = rows * heads * dim;
		const float *k = p->f->k + at * heads * dim, *v = p->f->v + at * heads * dim;

		if (!kv)
			continue;
		to = (layer * kv->cap + kv->n) * heads;
		if (kv->k) {
			be->copy(kv->k + to * dim, k, count * sizeof *k);
			be->copy(kv->v + to * dim, v, count * sizeof *v);
		} else {
			be->round_kv(kv->k8 + to * dim, kv->k_scale + to, k, rows, heads, dim);
			be->round_kv(kv->v8 + to * dim, kv->v_scale + to, v, rows, heads, dim);
		}
	}
}

/* The keys and values that a span's rows see: its cache, or its own rows from `at` on. */
static struct attn_seq seen_by(const struct pass *p, const struct span *sp, size_t layer, size_t at)
{
	size_t heads = p->f->m->hp.kv_heads, dim = p->f->m->hp.head_dim, to;

	if (!sp->kv)
		return (struct attn_seq){ .k = p->f->k + at * heads * dim,
			.v = p->f->v + at * heads * dim };
	to = layer * sp->kv->cap * heads;
	if (sp->kv->k)
		return (struct attn_seq){ .k = sp->kv->k + to * dim, .v = sp->kv->v + to * dim };
	return (struct attn_seq){ .k8 = sp->kv->k8 + to * dim,
		.v8 = sp->kv->v8 + to * dim,
		.k_scale = sp->kv->k_scale + to,
		.v_scale = sp->kv->v_scale + to };
}

static void run_attention(const struct fwd *f, size_t n, const struct attn_shape *shape)
{
	double began = fwd_clock(f);

	f->m->be->attention(f->att, f->q, f->seq, n, shape);
	fwd_spent(f, FWD_ATTENTION, began);
}

static enum st attend(const struct pass *p, size_t layer, struct err *e)
{
	const struct model *m = p->f->m;
	const struct hparams *hp = &m->hp;
	size_t at = 0, n = 0, i, r, step;
	double most = ATTN_FLOP * place_pace(m->be);
	double per_key = 4.0 * (double)(hp->heads * hp->head_dim), flop = 0;
	const struct attn_shape shape = { hp->heads, hp->kv_heads, hp->head_dim, hp->window,
		(float)(1 / sqrt((double)hp->head_dim)) };
	enum st st;

	for (i = 0; i < p->n_spans; at += p->spans[i++].rows) {
		const struct span *sp = &p->spans[i];
		struct attn_seq seq = seen_by(p, sp, layer, at);
		size_t past = sp->kv ? sp->kv->n : 0;

		for (r = 0; r < sp->rows; r += step) {
			step = (size_t)(most / per_key / (double)(past + sp->rows)) + 1;
			step = sp->rows - r < step ? sp->rows - r : step;
			seq.q0 = at + r;
			seq.m = step;
			seq.pos = past + r;
			p->f->seq[n++] = seq;
			flop += per_key * (double)step * (double)(past + r + step);
			if (n < FWD_SEQS && flop < most)
				continue;
			run_attention(p->f, n, &shape);
			n = 0;
			flop = 0;
			st = fwd_stop(p->f, p->s, e);
			if (st)
				return st;
		}
	}
	if (n)
		run_attention(p->f, n, &shape);
	return fwd_stop(p->f, p->s, e);
}

static enum st attention_half(struct pass *p, size_t layer, struct err *e)
{
	struct fwd *f = p->f;
	enum st st;

	normalise(p, fwd_gain(f, 2 * layer));
	st = linears(p, layer, LINEAR_Q, 3, (float *const[]){ f->q, f->k, f->v }, f->norm, e);
	if (st)
		return st;
	rotate(p);
	store(p, layer);
	st = attend(p, layer, e);
	if (!st)
		st = linears(p, layer, LINEAR_O, 1, &f->norm, f->att, e);
	if (!st)
		f->m->be->add(p->h, f->norm, p->rows * f->m->hp.hidden);
	return st;
}

static enum st gates(struct pass *p, size_t layer, struct err *e)
{
	struct fwd *f = p->f;

	normalise(p, fwd_gain(f, 2 * layer + 1));
	return linears(p, layer, LINEAR_GATE, 2, (float *const[]){ f->gate, f->up }, f->norm, e);
}

enum st fwd_gates(struct fwd *f, const struct mat *const *view, size_t l, float *h, size_t rows,
	const struct sink *s, struct err *e)
{
	struct pass p = { .f = f, .view = view, .h = h, .rows = rows, .s = s };

	return gates(&p, l, e);
}

static enum st feed_forward_half(struct pass *p, size_t layer, struct err *e)
{
	struct fwd *f = p->f;
	size_t all = p->rows * f->m->hp.inter, at, n;
	size_t most = (size_t)((double)CALL_VALUES * place_pace(f->m->be));
	enum st st = gates(p, layer, e);

	for (at = 0; !st && at < all; at += n) {
		n = all - at < most ? all - at : most;
		f->m->be->swiglu(f->act + at, f->gate + at, f->up + at, n);
		st = fwd_stop(p->f, p->s, e);
	}
	if (!st)
		st = linears(p, layer, LINEAR_DOWN, 1, &f->norm, f->act, e);
	if (!st)
		f->m->be->add(p->h, f->norm, p->rows * f->m->hp.hidden);
	return st;
}

/* ---- blocks */

/* Checks the spans and writes every row's position. */
static enum st place(struct pass *p, struct err *e)
{
	size_t i, r, past;

	for (i = 0; i < p->n_spans; i++) {
		const struct span *sp = &p->spans[i];

		past = sp->kv ? sp->kv->n : 0;
		if (sp->rows > p->f->max_rows - p->rows)
			return err_set(
				e, ST_INVALID, "a batch holds at most %zu tokens", p->f->max_rows);
		if (sp->kv && sp->rows > sp->kv->cap - sp->kv->n)
			return err_set(e, ST_INVALID,
				"%zu more tokens do not fit: the KV cache holds %zu of %zu",
				sp->rows, sp->kv->n, sp->kv->cap);
		if (past + sp->rows > INT32_MAX)
			return err_set(e, ST_INVALID, "a sequence ends at %d tokens", INT32_MAX);
		for (r = 0; r < sp->rows; r++)
			p->f->pos[p->rows + r] = (int32_t)(past + r);
		p->rows += sp->rows;
	}
	return ST_OK;
}

enum st fwd_blocks(struct fwd *f, const struct mat *const *view, size_t from, size_t to, float *h,
	const struct span *spans, size_t n, const struct tap *tap, const struct sink *s,
	struct err *e)
{
	struct pass p = {
		.f = f, .view = view, .h = h, .spans = spans, .n_spans = n, .tap = tap, .s = s
	};
	size_t layer, i;
	enum st st = place(&p, e);

	if (!st && to > f->m->hp.layers)
		st = err_set(e, ST_INVALID, "block %zu of %zu", to, f->m->hp.layers);
	if (st || !p.rows)
		return st;
	for (layer = from; !st && layer < to; layer++) {
		st = attention_half(&p, layer, e);
		if (!st && f->mid)
			f->m->be->copy(f->mid, h, p.rows * f->m->hp.hidden * sizeof *h);
		if (!st)
			st = feed_forward_half(&p, layer, e);
	}
	for (i = 0; !st && to == f->m->hp.layers && i < n; i++)
		if (spans[i].kv)
			spans[i].kv->n += spans[i].rows;
	return st;
}

enum st fwd_logits(struct fwd *f, const float *h, size_t rows, float *logits, const struct sink *s,
	struct err *e)
{
	const struct model *m = f->m;
	size_t hidden = m->hp.hidden, vocab = m->hp.vocab, at, n;
	enum st st = ST_OK;

	for (at = 0; !st && at < rows; at += n) {
		n = rows - at < f->max_rows ? rows - at : f->max_rows;
		m->be->rmsnorm(f->norm, h + at * hidden, fwd_gain(f, 2 * m->hp.layers), n, hidden,
			(float)m->hp.eps);
		st = fwd_products(f, FWD_HEAD, &(struct product){ logits + at * vocab, vocab, f->head }, 1,
			f->norm, hidden, n, s, e);
	}
	return st;
}

/* ---- what logits say */

enum st fwd_stats(const struct fwd *f, double *lse, int32_t *top, const float *z, size_t rows,
	struct err *e)
{
	f->m->be->row_stats(lse, top, z, rows, f->m->hp.vocab);
	return fwd_fault(f, e);
}

enum st fwd_pick(const struct fwd *f, float *out, const float *z, const int32_t *id, size_t rows,
	struct err *e)
{
	for (size_t i = 0; i < rows; i++)
		f->m->be->get(out + i, z + i * f->m->hp.vocab + (size_t)id[i], sizeof *out);
	return fwd_fault(f, e);
}

enum st fwd_kl(const struct fwd *f, double *kl, const float *zp, const double *lse_p,
	const float *zq, const double *lse_q, size_t rows, struct err *e)
{
	f->m->be->kl(kl, zp, lse_p, zq, lse_q, rows, f->m->hp.vocab);
	return fwd_fault(f, e);
}
