/* test_distil.c - the loss of a model under a teacher: FORMULAS.md 4.1. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_back.h"
#include "tests/lib_model.h"

/* A teacher of whom each test says what he knows. */
struct teacher {
	struct back *b;
	const struct model *m;
	const int32_t *label; /* NULL: what the model itself said of h */
	float *h;
};

/* All but certain of the labels; where there is none he says what the model says. */
static enum st knows_labels(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e)
{
	const struct teacher *t = arg;
	const struct backend *be = t->m->be;
	size_t v = t->m->hp.vocab;
	float *row = xarray(v, sizeof *row);

	(void)e;
	for (size_t i = 0; i < n; i++) {
		memset(row, 0, v * sizeof *row);
		if (t->label[at[i]] >= 0)
			row[t->label[at[i]]] = 200;
		else
			be->get(row, zq + i * v, v * sizeof *row);
		be->put(zp + i * v, row, v * sizeof *row);
	}
	xfree(row);
	return ST_OK;
}

static enum st knows_himself(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e)
{
	const struct teacher *t = arg;

	(void)zq;
	return back_head(t->b, t->h, at, n, zp, NULL, e);
}

static enum st by_label(struct back *b, const struct model *m, const int32_t *label, float scale,
	double *sum, const struct back_hooks *k, struct err *e)
{
	struct teacher t = { b, m, label, NULL };

	return back_distil(b, knows_labels, &t, scale, sum, k, NULL, e);
}

static enum st by_himself(struct back *b, const struct model *m, const int32_t *label, float scale,
	double *sum, const struct back_hooks *k, struct err *e)
{
	size_t n = 80 * m->hp.hidden;
	struct teacher t = { b, m, label, m->be->alloc(n * sizeof(float)) };
	enum st st;

	m->be->copy(t.h, back_hidden(b), n * sizeof(float));
	st = back_distil(b, knows_himself, &t, scale, sum, k, NULL, e);
	m->be->free(t.h);
	return st;
}

Test(distil, a_teacher_who_is_sure_of_the_labels_gives_the_gradients_of_cross_entropy)
{
	static const char *const on[] = { "ref", "cpu" };

	for (size_t i = 0; i < 2; i++) {
		struct model *m = lib_demo(on[i], 5);
		struct gradients a = gradients_by(m, m->ref, BACK_ALL, MATH_F32, by_label);
		struct gradients b = gradients_of(m, m->ref, BACK_ALL, MATH_F32);

		cr_expect_float_eq(a.loss, b.loss, 1e-4 * b.loss, "%s: %g, %g", on[i], a.loss, b.loss);
		cr_expect_lt(gradients_apart(&a, &b), 1e-4, "%s", on[i]);
		gradients_free(&a);
		gradients_free(&b);
		model_free(m);
	}
}

Test(distil, a_model_that_is_its_own_teacher_has_nothing_to_learn)
{
	struct model *m = lib_demo("cpu", 5);
	struct gradients g = gradients_by(m, m->ref, BACK_NARROW, MATH_F32, by_himself);
	struct gradients ce = gradients_of(m, m->ref, BACK_NARROW, MATH_F32);

	cr_expect_lt(fabs(g.loss), 1e-9);
	for (size_t i = 0; i < g.n; i++) {
		double most = 0, size = 0;

		for (size_t k = 0; k < g.count[i]; k++) {
			most = fmax(most, fabs((double)g.of[i][k]));
			size = fmax(size, fabs((double)ce.of[i][k]));
		}
		cr_expect(most <= 1e-6 * size, "tensor %zu: %g, beside labels %g", i, most, size);
	}
	gradients_free(&g);
	gradients_free(&ce);
	model_free(m);
}
