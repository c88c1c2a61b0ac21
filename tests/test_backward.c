/* test_backward.c - the way back through a whole model, against central differences of a forward
 * pass in double (lib_plain.h, FORMULAS.md 5.3), and what was kept against what is run again.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/backward.h"
#include "core/model/fwd.h"
#include "kernels/pool.h"
#include "tests/lib_model.h"
#include "tests/lib_plain.h"

enum { MOST = 1160 };

/* ---- the gradients ---- */

struct seen {
	const struct model *m;
	float **w;    /* [n_linears] */
	float **gain; /* [2 layers + 1] */
};

static enum st on_linear(
	void *arg, size_t i, const float *x, const float *dy, float *dx, size_t rows, struct err *e)
{
	struct seen *s = arg;
	const struct linear *l = &s->m->linear[i];

	(void)dx;
	(void)e;
	s->w[i] = s->m->be->alloc(l->rows * l->cols * sizeof(float));
	s->m->be->gemm(true, false, l->rows, l->cols, rows, 1, dy, l->rows, x, l->cols, 0, s->w[i],
		l->cols, MATH_F32);
	return ST_OK;
}

static enum st on_gain(void *arg, size_t norm, float *dgain, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	s->gain[norm] = s->m->be->alloc(s->m->hp.hidden * sizeof(float));
	s->m->be->copy(s->gain[norm], dgain, s->m->hp.hidden * sizeof(float));
	return ST_OK;
}

static struct seen gradients(const struct model *m, const int32_t *ids, const int32_t *label,
	enum back_keep keep, double *loss)
{
	struct seen s = { m, xarray(m->n_linears, sizeof(float *)),
		xarray(2 * m->hp.layers + 1, sizeof(float *)) };
	const struct back_hooks k = { .linear = on_linear, .gain = on_gain, .arg = &s };
	struct back *b = NULL;
	struct err e = { 0 };

	cr_assert_eq(back_new(&b, m, plain_rows(), keep, &e), ST_OK, "%s", e.msg);
	/* twice: what the first left is of no account */
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(back_forward(b, m->ref, ids, batch, SEQS, &k, NULL, &e), ST_OK);
		if (!i)
			cr_assert_eq(back_loss(b, label, 1, loss, NULL, NULL, &e), ST_OK);
		else
			cr_assert_eq(back_loss(b, label, 0.5f, loss, &k, NULL, &e), ST_OK);
		cr_assert_eq(back_blocks(b, m->ref, i ? &k : NULL, NULL, &e), ST_OK);
	}
	back_free(b);
	return s;
}

static void seen_free(struct seen *s)
{
	for (size_t i = 0; i < s->m->n_linears; i++)
		s->m->be->free(s->w[i]);
	for (size_t i = 0; i <= 2 * s->m->hp.layers; i++)
		s->m->be->free(s->gain[i]);
	xfree(s->w);
	xfree(s->gain);
}

/* Values from -2 to 2; xfree. */
static float *noise(size_t n, uint64_t seed)
{
	float *x = xarray(n, sizeof *x);
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(4 * rng_unit(&r) - 2);
	return x;
}

/* Half of the loss along random directions of one tensor: by differences, and by its gradient g. */
static void along(double *x, const float *g, size_t n, const struct plain *p, const int32_t *ids,
	const int32_t *label, struct rng *r, const char *what, size_t i)
{
	double h = 1e-5, size = 0, *way = xarray(n, sizeof *way), up, down, by = 0;

	for (size_t k = 0; k < n; k++) {
		way[k] = rng_normal(r);
		by += way[k] * (double)g[k];
		size += (double)g[k] * (double)g[k];
	}
	for (size_t k = 0; k < n; k++)
		x[k] += h * way[k];
	up = plain_loss(p, ids, label);
	for (size_t k = 0; k < n; k++)
		x[k] -= 2 * h * way[k];
	down = plain_loss(p, ids, label);
	for (size_t k = 0; k < n; k++)
		x[k] += h * way[k];
	cr_expect(size > 0, "%s %zu has no gradient", what, i);
	cr_expect(fabs((up - down) / (4 * h) - by) < 1e-5 * sqrt(size) * 3,
		"%s %zu: %g, differences %g", what, i, by, (up - down) / (4 * h));
	xfree(way);
}

/* linears: the first ones only; 0: all tensors */
static void check(const char *backend, uint64_t seed, size_t window, size_t linears)
{
	struct model *m = lib_demo(backend, seed);
	int32_t *ids = plain_letters(), label[MOST];
	struct plain p;
	struct seen s;
	struct rng r;
	double loss;

	m->hp.window = window;
	plain_labels(label, m, ids);
	p = plain_of(m);
	s = gradients(m, ids, label, BACK_ALL, &loss);
	cr_expect_float_eq(loss, plain_loss(&p, ids, label), 1e-5 * loss);
	rng_seed(&r, seed);
	for (size_t i = 0; i < (linears ? linears : m->n_linears); i++)
		along(p.w[i], s.w[i], m->linear[i].rows * m->linear[i].cols, &p, ids, label, &r,
			"linear", i);
	for (size_t i = 0; !linears && i <= 2 * m->hp.layers; i++)
		along(p.gain[i], s.gain[i], m->hp.hidden, &p, ids, label, &r, "norm", i);
	seen_free(&s);
	plain_free(&p);
	xfree(ids);
	model_free(m);
}

Test(backward, gradients_are_those_of_central_differences_in_double, .timeout = 120)
{
	check("ref", 1, 0, 0);
	check("cpu", 2, 3, 0);
}

Test(backward, a_sequence_that_takes_several_calls_of_attention_has_its_gradient, .timeout = 120)
{
	batch[1].rows = MOST - 7;
	check("cpu", 4, 0, 1);
}

Test(backward, a_matrix_that_is_too_large_for_a_call_goes_back_in_pieces, .timeout = 60)
{
	enum { TALL = 17, OUT = 65536 + 3, IN = 512 };
	struct model *m = lib_demo("cpu", 5);
	const struct mat w = {
		.type = MAT_F32, .rows = OUT, .cols = IN, .data = noise((size_t)OUT * IN, 6)
	};
	float *dy = noise(TALL * OUT, 7), *whole = noise(TALL * IN, 8), *got = noise(TALL * IN, 8);
	struct lib_stop stop;
	struct fwd *f = NULL;

	lib_stop_init(&stop, 0);
	cr_assert_eq(fwd_new(&f, m, TALL, NULL), ST_OK);
	for (int add = 0; add < 2; add++) {
		stop.polls = 0;
		m->be->products_back(whole, IN, add, dy, OUT, TALL, &w, MATH_F32);
		cr_assert_eq(fwd_product_back(f, got, add, dy, TALL, &w, &stop.sink, NULL), ST_OK);
		/* 17 rows are 16 and 1, and each of those is 2 flop a weight and row */
		cr_expect_geq(stop.polls, 3);
		cr_expect_lt(lib_distance(whole, got, TALL * IN), 1e-2, "%g",
			lib_distance(whole, got, TALL * IN));
	}
	fwd_free(f);
	model_free(m);
	xfree((void *)w.data);
	xfree(dy);
	xfree(whole);
	xfree(got);
}

Test(backward, a_block_that_is_run_again_gives_the_same_bits, .timeout = 60)
{
	struct model *m = lib_demo("cpu", 3);
	int32_t *ids = plain_letters(), label[MOST];
	double one, other;
	struct seen a, b;

	plain_labels(label, m, ids);
	a = gradients(m, ids, label, BACK_ALL, &one);
	pool_start(1);
	for (enum back_keep keep = BACK_INPUTS; keep <= BACK_NARROW; keep++) {
		b = gradients(m, ids, label, keep, &other);
		cr_expect(one == other);
		for (size_t i = 0; i < m->n_linears; i++)
			cr_expect_arr_eq(a.w[i], b.w[i],
				m->linear[i].rows * m->linear[i].cols * sizeof(float),
				"linear %zu", i);
		for (size_t i = 0; i <= 2 * m->hp.layers; i++)
			cr_expect_arr_eq(a.gain[i], b.gain[i], m->hp.hidden * sizeof(float));
		seen_free(&b);
	}
	seen_free(&a);
	xfree(ids);
	model_free(m);
}
