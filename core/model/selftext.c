/* selftext.c - sequences sampled from the model itself, eight at a time. */
#include "core/model/selftext.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/sampler.h"
#include "kernels/pool.h"

/* Sequence i always stands in row i % 8 of a batch of exactly eight, so that its
 * arithmetic is the same whatever is asked for beside it. */
enum { SIDE = 8 };

struct round {
	const struct model *m;
	struct fwd *f;
	struct kv *kv[SIDE];
	struct sampler *draw[SIDE];
	float *logits; /* [SIDE][vocab] */
	int32_t *id;   /* [SIDE][len], time inside */
	int32_t next[SIDE];
	size_t len;
	const int32_t *start;
	size_t n_start;
};

void token_text_release(struct token_text *t)
{
	big_free(t->id);
	t->id = NULL;
	t->n_seq = 0;
}

static enum st round_open(struct round *r, const struct model *m, size_t len, const int32_t *start,
	size_t n_start, const struct sink *s, struct err *e)
{
	size_t cap, i, rows = n_start > SIDE ? n_start : SIDE;
	enum st st;

	*r = (struct round){ .m = m, .len = len, .start = start, .n_start = n_start };
	if (!size_add(&cap, len, n_start))
		return err_set(e, ST_INVALID, "sequences of %zu tokens cannot be made", len);
	if (cap > m->hp.ctx)
		return err_set(e, ST_INVALID,
			"%zu tokens a sequence exceed the model's context of %zu", cap, m->hp.ctx);
	st = fwd_new(&r->f, m, rows < 512 ? rows : 512, e);
	for (i = 0; !st && i < SIDE; i++)
		st = sink_poll(s) ? err_set(e, ST_CANCELLED, "stopped")
				  : kv_new(&r->kv[i], m, cap, KV_F32, e);
	if (st)
		return st;
	r->logits = big_array(SIDE * sizeof *r->logits, m->hp.vocab, "logits of eight texts", e);
	r->id = big_array(SIDE * sizeof *r->id, len, "eight texts", e);
	return r->logits && r->id ? ST_OK : ST_NOMEM;
}

static void round_close(struct round *r)
{
	int i;

	for (i = 0; i < SIDE; i++) {
		kv_free(r->kv[i]);
		sampler_free(r->draw[i]);
	}
	fwd_free(r->f);
	big_free(r->logits);
	big_free(r->id);
}

static void seed_round(struct round *r, uint64_t seed, size_t first)
{
	struct sampler_options o = { .temperature = 1, .top_p = 1, .repeat_penalty = 1 };
	size_t i;

	for (i = 0; i < SIDE; i++) {
		/* an odd factor other than the generator's own step: streams stay apart */
		o.seed = seed ^ (0xd1342543de82ef95u * (uint64_t)(first + i + 1));
		sampler_free(r->draw[i]);
		r->draw[i] = sampler_new(&o, r->m->hp.vocab);
	}
}

/* The start is the same for all: run once, then copied. */
static enum st begin(struct round *r, const struct sink *s, struct err *e)
{
	const struct backend *be = r->m->be;
	size_t row = r->m->hp.kv_heads * r->m->hp.head_dim, i, l;
	size_t vocab = r->m->hp.vocab, cap = r->kv[0]->cap;
	enum st st;

	r->kv[0]->n = 0;
	st = fwd_prompt(r->f, r->m->ref, r->kv[0], r->start, r->n_start, r->logits, s, e);
	if (st)
		return st;
	for (i = 1; i < SIDE; i++) {
		for (l = 0; l < r->m->hp.layers; l++) {
			size_t at = l * cap * row, bytes = r->n_start * row * sizeof(float);

			be->copy(r->kv[i]->k + at, r->kv[0]->k + at, bytes);
			be->copy(r->kv[i]->v + at, r->kv[0]->v + at, bytes);
		}
		r->kv[i]->n = r->n_start;
		memcpy(r->logits + i * vocab, r->logits, vocab * sizeof *r->logits);
	}
	return ST_OK;
}

static void draw(void *arg, size_t i)
{
	struct round *r = arg;

	r->next[i] = sampler_next(r->draw[i], r->logits + i * r->m->hp.vocab);
}

static enum st run_round(
	struct round *r, double done, double total, const struct sink *s, struct err *e)
{
	size_t at, i;
	enum st st = begin(r, s, e);

	for (at = 0; !st && at < r->len; at++) {
		pool_run(draw, r, SIDE);
		for (i = 0; i < SIDE; i++)
			r->id[i * r->len + at] = r->next[i];
		if (at + 1 < r->len)
			st = fwd_step(r->f, r->m->ref, r->kv, r->next, SIDE, r->logits, s, e);
		sink_progress(s, done + (double)(at + 1) / (double)r->len, total);
	}
	return st;
}

/* Room for n more sequences; what is there stays. */
static enum st grow(struct token_text *t, size_t n, struct err *e)
{
	size_t all, ids;
	int32_t *id;

	if (!size_add(&all, t->n_seq, n) || !size_mul(&ids, all, t->len))
		return err_set(
			e, ST_INVALID, "%zu sequences of %zu tokens cannot be made", n, t->len);
	id = big_array(ids, sizeof *id, "self-sampled text", e);
	if (!id)
		return ST_NOMEM;
	if (t->n_seq)
		memcpy(id, t->id, t->n_seq * t->len * sizeof *id);
	big_free(t->id);
	t->id = id;
	return ST_OK;
}

/* What a text begins with when the caller has nothing: BOS, or the end of another. */
static enum st first_token(const struct model *m, int32_t *id, struct err *e)
{
	const struct vocab *v = m->ck->vocab;

	*id = v && v->bos >= 0 ? v->bos : v ? v->eos : -1;
	if (*id < 0 || (size_t)*id >= m->hp.vocab)
		return err_set(e, ST_INVALID,
			"the tokenizer has no token that begins a text; give a text file instead");
	return ST_OK;
}

enum st selftext_more(struct token_text *t, const struct model *m, uint64_t seed,
	const int32_t *start, size_t n_start, size_t n, const struct sink *s, struct err *e)
{
	size_t end = t->n_seq + n, from = t->n_seq, first, i;
	struct round r;
	int32_t bos;
	enum st st;

	if (!t->len || !n)
		return ST_OK;
	if (!n_start) {
		st = first_token(m, &bos, e);
		if (st)
			return st;
		start = &bos;
		n_start = 1;
	}
	st = grow(t, n, e);
	if (st)
		return st;
	st = round_open(&r, m, t->len, start, n_start, s, e);
	for (first = from / SIDE * SIDE; !st && first < end; first += SIDE) {
		double base = first > from ? (double)(first - from) / SIDE : 0;

		seed_round(&r, seed, first);
		st = run_round(&r, base, (double)(end - from) / SIDE, s, e);
		for (i = 0; !st && i < SIDE; i++) {
			if (first + i < t->n_seq || first + i >= end)
				continue;
			memcpy(t->id + (first + i) * t->len, r.id + i * t->len,
				t->len * sizeof *t->id);
			t->n_seq = first + i + 1;
		}
	}
	round_close(&r);
	return st;
}
