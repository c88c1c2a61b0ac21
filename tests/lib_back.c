/* lib_back.c - see lib_back.h. */
#include "tests/lib_back.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

enum { SEQS = 3, ROWS = 7 + 70 + 3 };

struct taken {
	const struct model *m;
	struct gradients g;
};

static float *next(struct taken *t, size_t count)
{
	float *to = xarray(count, sizeof *to);

	t->g.count[t->g.n] = count;
	return t->g.of[t->g.n++] = to;
}

static enum st on_linear(
	void *arg, size_t i, const float *x, const float *dy, float *dx, size_t rows, struct err *e)
{
	struct taken *t = arg;
	const struct linear *l = &t->m->linear[i];
	const struct backend *be = t->m->be;
	size_t count = l->rows * l->cols;
	float *dw = be->alloc(count * sizeof *dw);

	(void)dx;
	(void)e;
	be->gemm(true, false, l->rows, l->cols, rows, 1, dy, l->rows, x, l->cols, 0, dw, l->cols,
		MATH_F32);
	be->get(next(t, count), dw, count * sizeof *dw);
	be->free(dw);
	return ST_OK;
}

static enum st on_gain(void *arg, size_t norm, float *dgain, struct err *e)
{
	struct taken *t = arg;

	(void)norm;
	(void)e;
	t->m->be->get(next(t, t->m->hp.hidden), dgain, t->m->hp.hidden * sizeof *dgain);
	return ST_OK;
}

static enum st of_labels(struct back *b, const struct model *m, const int32_t *label, float scale,
	double *sum, const struct back_hooks *k, struct err *e)
{
	(void)m;
	return back_loss(b, label, scale, sum, k, NULL, e);
}

struct gradients gradients_of(
	const struct model *m, const struct mat *const *view, enum back_keep keep, enum math math)
{
	return gradients_by(m, view, keep, math, of_labels);
}

struct gradients gradients_by(const struct model *m, const struct mat *const *view,
	enum back_keep keep, enum math math, gradients_loss *loss)
{
	static const struct span batch[SEQS] = { { NULL, 7 }, { NULL, 70 }, { NULL, 3 } };
	static const char text[] = "what weights are made of is told by bits, groups, scales; ";
	size_t most = m->n_linears + 2 * m->hp.layers + 1;
	struct taken t = { m,
		{ 0, 0, xarray(most, sizeof(float *)), xarray(most, sizeof(size_t)) } };
	const struct back_hooks k = { .linear = on_linear, .gain = on_gain, .arg = &t };
	int32_t ids[ROWS], label[ROWS];
	struct back *b = NULL;
	struct err e = { 0 };

	for (size_t i = 0; i < ROWS; i++) {
		ids[i] = text[i % (sizeof text - 1)];
		label[i] = i % 4 == 1 ? -1 : text[(i + 3) % (sizeof text - 1)];
	}
	cr_assert_eq(back_new(&b, m, ROWS, keep, &e), ST_OK, "%s", e.msg);
	back_set_math(b, math);
	for (int i = 0; i < 2; i++) {
		const struct back_hooks *hooks = i ? &k : NULL;

		cr_assert_eq(back_forward(b, view, ids, batch, SEQS, hooks, NULL, &e), ST_OK, "%s",
			e.msg);
		cr_assert_eq(
			loss(b, m, label, 0.1f, &t.g.loss, hooks, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(back_blocks(b, view, hooks, NULL, &e), ST_OK, "%s", e.msg);
	}
	back_free(b);
	cr_assert_eq(t.g.n, most);
	return t.g;
}

void gradients_free(struct gradients *g)
{
	for (size_t i = 0; i < g->n; i++)
		xfree(g->of[i]);
	xfree(g->of);
	xfree(g->count);
}

double gradients_apart(const struct gradients *a, const struct gradients *b)
{
	double most = 0;

	cr_assert_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		double diff = 0, norm = 0;

		for (size_t k = 0; k < b->count[i]; k++) {
			double d = (double)a->of[i][k] - (double)b->of[i][k];

			diff += d * d;
			norm += (double)b->of[i][k] * (double)b->of[i][k];
		}
		cr_expect(norm > 0, "tensor %zu has no gradient", i);
		if (!(sqrt(diff / norm) <= most))
			most = isnan(diff) ? INFINITY : sqrt(diff / norm);
	}
	return most;
}
