/* back_loss.c - see backward.h: final norm, head and loss of a batch, a chunk of rows at a time. */
#include "core/model/back.h"
#include "core/model/place.h"

/* Rows at[0 ... n) of `from` to rows of `to`, or back; neighbours together. */
static void rows_between(const struct back *b, float *chunk, float *all, const size_t *at, size_t n,
	bool gather)
{
	const struct backend *be = b->f.m->be;
	size_t d = b->f.m->hp.hidden, run;

	for (size_t i = 0; i < n; i += run) {
		float *c = chunk + i * d, *a = all + at[i] * d;

		for (run = 1; i + run < n && at[i + run] == at[i] + run; run++)
			;
		be->copy(gather ? c : a, gather ? a : c, run * d * sizeof *c);
	}
}

void back_clear(const struct back *b, float *to, size_t n)
{
	/* fresh memory is zero, and nobody writes there */
	b->f.m->be->copy(to, b->zero, n * sizeof *to);
}

/* What the loss of a chunk is: by labels, or by a teacher. */
struct loss {
	const int32_t *label; /* of all rows; NULL: */
	back_teacher *says;
	void *arg;
	float scale;
	double *sum;
	const struct sink *s;
};

/* b->logits becomes the gradient of the loss of rows at[0 ... n). */
static enum st loss_of(
	struct back *b, const struct loss *o, const size_t *at, size_t n, struct err *e)
{
	const struct model *m = b->f.m;
	double loss[LOSS_ROWS];
	int32_t label[LOSS_ROWS];
	enum st st;

	if (o->label) {
		for (size_t i = 0; i < n; i++)
			label[i] = o->label[at[i]];
		m->be->cross_entropy(loss, b->logits, label, n, m->hp.vocab, o->scale);
	} else {
		st = o->says(o->arg, at, n, b->logits, b->said, e);
		if (st)
			return st;
		m->be->kl_back(loss, b->logits, b->said, n, m->hp.vocab, o->scale);
	}
	st = fwd_fault(&b->f, e);
	for (size_t i = 0; !st && i < n; i++)
		*o->sum += loss[i];
	return st;
}

static enum st head(struct back *b, float *norm, const float *h, const float *gain, size_t n,
	float *z, const struct sink *s, struct err *e)
{
	const struct model *m = b->f.m;
	size_t d = m->hp.hidden;
	const struct product p = { z, m->hp.vocab, b->f.head };

	m->be->rmsnorm(norm, h, gain, n, d, (float)m->hp.eps);
	return fwd_products(&b->f, FWD_HEAD, &p, 1, norm, d, n, s, e);
}

/* The head and the loss of n rows, and their gradient where scale is not 0. */
static enum st chunk_loss(
	struct back *b, const struct loss *o, const size_t *at, size_t n, struct err *e)
{
	const struct model *m = b->f.m;
	const float *gain = fwd_gain(&b->f, 2 * m->hp.layers);
	size_t d = m->hp.hidden;
	enum st st;

	rows_between(b, b->hc, b->h, at, n, true);
	st = head(b, b->dnc, b->hc, gain, n, b->logits, o->s, e);
	if (!st)
		st = loss_of(b, o, at, n, e);
	if (st || o->scale == 0)
		return st;
	st = fwd_product_back(&b->f, b->dnc, false, b->logits, n, b->f.head, o->s, e);
	if (st)
		return st;
	back_clear(b, b->dhc, n * d);
	m->be->rmsnorm_back(b->dhc, b->dgain, b->dnc, b->hc, gain, n, d, (float)m->hp.eps);
	rows_between(b, b->dhc, b->dh, at, n, false);
	return fwd_stop(&b->f, o->s, e);
}

enum st back_gain_done(
	struct back *b, size_t norm, const struct back_hooks *k, struct err *e)
{
	return k && k->gain ? k->gain(k->arg, norm, b->dgain, e) : ST_OK;
}

static enum st all_rows(
	struct back *b, const struct loss *o, const struct back_hooks *k, struct err *e)
{
	const struct hparams *hp = &b->f.m->hp;
	size_t at[LOSS_ROWS], n = 0;
	enum st st = ST_OK;

	*o->sum = 0;
	back_clear(b, b->dh, b->rows * hp->hidden);
	back_clear(b, b->dgain, hp->hidden);
	for (size_t r = 0; !st && r < b->rows; r++) {
		if (o->label && o->label[r] >= 0 && (size_t)o->label[r] >= hp->vocab)
			return err_set(e, ST_INVALID, "label %d is outside the vocabulary of %zu",
				(int)o->label[r], hp->vocab);
		if (!o->label || o->label[r] >= 0)
			at[n++] = r;
		if (n == LOSS_ROWS || (n && r + 1 == b->rows)) {
			st = chunk_loss(b, o, at, n, e);
			n = 0;
		}
	}
	return st || o->scale == 0 ? st : back_gain_done(b, 2 * hp->layers, k, e);
}

enum st back_loss(struct back *b, const int32_t *label, float scale, double *sum,
	const struct back_hooks *k, const struct sink *s, struct err *e)
{
	const struct loss o = { .label = label, .scale = scale, .sum = sum, .s = s };

	return all_rows(b, &o, k, e);
}

/* ---- a teacher */

uint64_t back_distil_bytes(const struct hparams *hp)
{
	return (uint64_t)LOSS_ROWS * hp->vocab * sizeof(float);
}

enum st back_distil(struct back *b, back_teacher *says, void *arg, float scale, double *sum,
	const struct back_hooks *k, const struct sink *s, struct err *e)
{
	const struct loss o = { .says = says, .arg = arg, .scale = scale, .sum = sum, .s = s };
	const struct model *m = b->f.m;
	uint64_t bytes = back_distil_bytes(&m->hp);

	if (!b->said && bytes <= place_room(m->be))
		b->said = m->be->alloc(bytes);
	if (!b->said)
		return place_full(m, "what a teacher says of a few tokens", bytes,
			"take fewer tokens a step", e);
	return all_rows(b, &o, k, e);
}

const float *back_hidden(const struct back *b)
{
	return b->h;
}

enum st back_head(struct back *b, const float *h, const size_t *at, size_t n, float *z,
	const struct sink *s, struct err *e)
{
	/* dhc and dnc are free until the gradient of these rows is known */
	rows_between(b, b->dhc, (float *)(uintptr_t)h, at, n, true);
	return head(b, b->dnc, b->dhc, b->f.m->final_norm, n, z, s, e);
}
