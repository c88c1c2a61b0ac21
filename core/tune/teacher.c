/* teacher.c - see teacher.h. */
#include "core/tune/teacher.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"

/* A row of the batch in the cache. */
struct cached_row {
	size_t seq, row;
};

struct teacher {
	const struct model *m;
	size_t rows;
	float *hidden;             /* live: [rows][hidden], backend memory */
	const struct teach *cache; /* else */
	struct cached_row *of;     /* [rows] */
	double *lse;               /* [rows] */
	float *zq, *zp;            /* [vocab], host */
	/* of the batch */
	struct back *b;
	const struct sink *s;
};

enum st teacher_live(struct teacher **out, const struct model *m, size_t rows, struct err *e)
{
	struct teacher *t;
	size_t bytes;

	if (!size_mul(&bytes, rows, m->hp.hidden * sizeof(float)))
		return err_set(e, ST_INVALID, "a batch of %zu tokens cannot be made", rows);
	t = xalloc(sizeof *t);
	*t = (struct teacher){ .m = m, .rows = rows };
	t->hidden = m->be->alloc(bytes);
	if (!t->hidden) {
		teacher_free(t);
		return place_full(m, "what the reference says of a batch", bytes,
			"take fewer tokens a step", e);
	}
	*out = t;
	return ST_OK;
}

enum st teacher_cached(struct teacher **out, const struct model *m, const struct teach *cache,
	size_t rows, struct err *e)
{
	struct teacher *t = xalloc(sizeof *t);

	*t = (struct teacher){ .m = m, .rows = rows, .cache = cache };
	t->of = big_array(rows, sizeof *t->of, "rows of a batch", e);
	t->lse = t->of ? big_array(rows, sizeof *t->lse, "rows of a batch", e) : NULL;
	t->zq = t->lse ? big_array(m->hp.vocab, sizeof *t->zq, "logits of a token", e) : NULL;
	t->zp = t->zq ? big_array(m->hp.vocab, sizeof *t->zp, "logits of a token", e) : NULL;
	if (!t->zp) {
		teacher_free(t);
		return ST_NOMEM;
	}
	*out = t;
	return ST_OK;
}

void teacher_free(struct teacher *t)
{
	if (!t)
		return;
	if (t->hidden)
		t->m->be->free(t->hidden);
	big_free(t->of);
	big_free(t->lse);
	big_free(t->zq);
	big_free(t->zp);
	xfree(t);
}

uint64_t teacher_need(const struct hparams *hp, size_t rows, bool cached)
{
	const struct teacher *t;

	if (!cached)
		return (uint64_t)rows * hp->hidden * sizeof *t->hidden;
	return (uint64_t)rows * (sizeof *t->of + sizeof *t->lse) +
	       (uint64_t)hp->vocab * (sizeof *t->zq + sizeof *t->zp);
}

uint64_t teacher_bytes(const struct teacher *t)
{
	return teacher_need(&t->m->hp, t->rows, t->cache);
}

const char *teacher_name(const struct teacher *t)
{
	return !t ? "none" : t->cache ? "cache" : "reference";
}

enum st teacher_read(struct teacher *t, struct back *b, const struct pack_batch *batch,
	const struct span *spans, const struct sink *s, struct err *e)
{
	enum st st;

	if (batch->rows > t->rows)
		return err_set(e, ST_INVALID, "a teacher of %zu tokens a batch was given %zu",
			t->rows, batch->rows);
	t->b = b;
	t->s = s;
	if (t->cache) {
		for (size_t i = 0, r = 0; i < batch->n_spans; i++)
			for (size_t k = 0; k < batch->spans[i].rows; k++)
				t->of[r++] = (struct cached_row){ batch->spans[i].seq, k };
		return ST_OK;
	}
	back_set_gains(b, NULL);
	st = back_forward(b, t->m->ref, batch->ids, spans, batch->n_spans, NULL, s, e);
	if (!st)
		t->m->be->copy(t->hidden, back_hidden(b),
			batch->rows * t->m->hp.hidden * sizeof *t->hidden);
	return st;
}

/* The teacher's log-probabilities of a row, all others than its top as the learner has them. */
static void spread(const struct teach_row *row, const float *zq, double lse, float *zp, size_t vocab)
{
	double left = 1, shift;

	for (size_t k = 0; k < row->top; k++)
		left -= exp((double)zq[row->token[k]] - lse);
	/* what is left of 1 by subtraction has some seven digits */
	shift = (double)row->rest - log(left > 1e-6 ? left : 1e-6) - lse;
	for (size_t i = 0; i < vocab; i++)
		zp[i] = zq[i] + (float)shift;
	for (size_t k = 0; k < row->top; k++)
		zp[row->token[k]] = row->log[k];
}

enum st teacher_says(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e)
{
	struct teacher *t = arg;
	const struct backend *be = t->m->be;
	size_t vocab = t->m->hp.vocab;
	struct teach_row row;

	if (!t->cache)
		return back_head(t->b, t->hidden, at, n, zp, t->s, e);
	be->row_stats(t->lse, NULL, zq, n, vocab);
	for (size_t i = 0; i < n; i++) {
		be->get(t->zq, zq + i * vocab, vocab * sizeof *zq);
		teach_row(t->cache, t->of[at[i]].seq, t->of[at[i]].row, &row);
		spread(&row, t->zq, t->lse[i], t->zp, vocab);
		be->put(zp + i * vocab, t->zp, vocab * sizeof *zp);
	}
	return model_fault(t->m, e);
}
