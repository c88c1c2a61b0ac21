/* teacher.c - see teacher.h. */
#include "core/tune/teacher.h"

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"

struct teacher {
	const struct model *m;
	size_t rows;
	float *hidden; /* [rows][hidden], backend memory */
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

void teacher_free(struct teacher *t)
{
	if (t && t->hidden)
		t->m->be->free(t->hidden);
	xfree(t);
}

uint64_t teacher_need(const struct hparams *hp, size_t rows)
{
	return (uint64_t)rows * hp->hidden * sizeof(float);
}

const char *teacher_name(const struct teacher *t)
{
	return t ? "reference" : "none";
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
	back_set_gains(b, NULL);
	st = back_forward(b, t->m->ref, batch->ids, spans, batch->n_spans, NULL, s, e);
	if (!st)
		t->m->be->copy(t->hidden, back_hidden(b),
			batch->rows * t->m->hp.hidden * sizeof *t->hidden);
	return st;
}

enum st teacher_says(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e)
{
	struct teacher *t = arg;

	(void)zq;
	return back_head(t->b, t->hidden, at, n, zp, t->s, e);
}
