/* test_lora.c - adapters: their gradients against differences in double, and the same bits however
 * they are computed.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "kernels/pool.h"
#include "tests/lib_fenced.h"
#include "tests/lib_lora.h"
#include "tests/lib_model.h"
#include "tests/lib_plain.h"

/* ---- one linear ---- */

enum { TIMES = 7 };

/* sum of proj * c (x A^T) B^T in double */
static double objective(const double *x, const double *a, const double *b, const float *proj,
	double c, const struct linear *w, size_t rank)
{
	double sum = 0, *t = xarray(rank, sizeof *t);

	for (size_t i = 0; i < TIMES; i++) {
		for (size_t k = 0; k < rank; k++) {
			t[k] = 0;
			for (size_t j = 0; j < w->cols; j++)
				t[k] += a[k * w->cols + j] * x[i * w->cols + j];
		}
		for (size_t o = 0; o < w->rows; o++)
			for (size_t k = 0; k < rank; k++)
				sum += (double)proj[i * w->rows + o] * c * b[o * rank + k] * t[k];
	}
	xfree(t);
	return sum;
}

static double *wide(const float *x, size_t n)
{
	double *d = xarray(n, sizeof *d);

	for (size_t i = 0; i < n; i++)
		d[i] = (double)x[i];
	return d;
}

struct one {
	const struct linear *w;
	double *part[3]; /* x, A, B */
	size_t n[3];
	const float *proj;
	double c;
	size_t rank;
};

/* |g - differences| / |g| over every element of one of the three. */
static void by_differences(const struct one *o, int part, const float *g, const char *what)
{
	double off = 0, size = 0, h = 1e-5, *v = o->part[part];

	for (size_t i = 0; i < o->n[part]; i++) {
		double was = v[i], up, down, d;

		v[i] = was + h;
		up = objective(o->part[0], o->part[1], o->part[2], o->proj, o->c, o->w, o->rank);
		v[i] = was - h;
		down = objective(o->part[0], o->part[1], o->part[2], o->proj, o->c, o->w, o->rank);
		v[i] = was;
		d = (up - down) / (2 * h);
		off += (d - (double)g[i]) * (d - (double)g[i]);
		size += d * d;
	}
	cr_expect(size > 0 && sqrt(off) <= 1e-5 * sqrt(size), "%s of %zu x %zu, rank %zu: %g", what,
		o->w->rows, o->w->cols, o->rank, sqrt(off / size));
}

static float *put(const struct model *m, const float *x, size_t n)
{
	float *p = m->be->alloc(n * sizeof *p);

	cr_assert_not_null(p);
	m->be->put(p, x, n * sizeof *p);
	return p;
}

static void check_linear(const struct model *m, size_t linear, size_t rank)
{
	const struct linear *w = &m->linear[linear];
	size_t nx = TIMES * w->cols, ny = TIMES * w->rows;
	float *x = xarray(nx, sizeof *x), *y = xarray(ny, sizeof *y), *dx = xarray(nx, sizeof *dx);
	struct lora *l = lib_adapter(m, rank, TIMES);
	struct one o = { .w = w, .rank = rank, .c = lora_alpha(l) / (double)rank };
	float *da, *db, *x_there, *y_there, *dx_there;
	double sum = 0, want;
	struct err e = { 0 };
	struct rng r;

	rng_seed(&r, linear);
	lib_noise(x, nx, 1, &r);
	lib_noise(y, ny, 1, &r);
	lib_adapter_trained(l, m, 3);
	o.proj = y;
	o.n[0] = nx;
	o.n[1] = lib_count(lora_a(l, linear));
	o.n[2] = lib_count(lora_b(l, linear));
	o.part[0] = wide(x, nx);
	o.part[1] = wide(lora_a(l, linear)->data, o.n[1]);
	o.part[2] = wide(lora_b(l, linear)->data, o.n[2]);
	want = objective(o.part[0], o.part[1], o.part[2], y, o.c, w, rank);
	x_there = put(m, x, nx);
	y_there = put(m, y, ny);
	for (size_t i = 0; i < nx; i++)
		dx[i] = 1; /* what was there is added to */
	dx_there = put(m, dx, nx);
	cr_assert_eq(lora_back(l, linear, x_there, y_there, dx_there, TIMES, &da, &db, &e), ST_OK,
		"%s", e.msg);
	m->be->get(dx, dx_there, nx * sizeof *dx);
	for (size_t i = 0; i < nx; i++)
		dx[i] -= 1;
	by_differences(&o, 0, dx, "dx");
	by_differences(&o, 1, da, "dA");
	by_differences(&o, 2, db, "dB");
	/* the way there, in pieces of what is now the gradient of y */
	lora_add(l, linear, x_there, y_there, TIMES);
	{
		float *out = xarray(ny, sizeof *out);

		m->be->get(out, y_there, ny * sizeof *out);
		for (size_t i = 0; i < ny; i++)
			sum += ((double)out[i] - (double)y[i]) * (double)y[i];
		xfree(out);
	}
	cr_expect_float_eq(sum, want, 1e-4 * fabs(want) + 1e-3);
	m->be->free(x_there);
	m->be->free(y_there);
	m->be->free(dx_there);
	for (int i = 0; i < 3; i++)
		xfree(o.part[i]);
	xfree(x);
	xfree(y);
	xfree(dx);
	lora_free(l);
}

static void check_linears(struct model *m)
{
	check_linear(m, LINEAR_K, 1);
	check_linear(m, LINEAR_O, 3);
	model_free(m);
}

Test(lora, gradients_of_a_linears_adapter_are_those_of_differences_in_double, .timeout = 60)
{
	check_linears(lib_demo("ref", 1));
	check_linears(lib_demo("cpu", 1));
}

Test(lora, they_are_the_same_on_a_device_whose_memory_the_host_cannot_touch, .timeout = 60)
{
	const struct fenced_controls *fence = lib_fenced();
	struct model *m;
	struct lora *l = NULL;
	struct err e = { 0 };
	uint64_t was;

	cr_assert_eq(backend_use("fenced:0", &e), ST_OK, "%s", e.msg);
	m = lib_demo("fenced:0", 1);
	check_linear(m, LINEAR_K, 1);
	check_linear(m, LINEAR_O, 3);
	was = fence->ours();
	fence->limit(was + 1000);
	cr_expect_eq(lora_new(&l, m, 8, 16, 1, 64, &e), ST_NOMEM);
	cr_expect(strstr(e.msg, "an adapter of rank 8 takes"), "%s", e.msg);
	cr_expect_eq(fence->ours(), was);
	fence->limit(0);
	l = lib_adapter(m, 8, 64);
	{
		uint64_t there = fence->ours() - was, all = lora_bytes(l);

		/* A and B twice, the scratch there, the gradients here */
		cr_expect_leq(there + lora_weights(l) * sizeof(float), all);
		cr_expect_leq(all, 2 * there + m->n_linears * 2 * sizeof(struct mat) + 512);
	}
	lora_free(l);
	cr_expect_eq(fence->ours(), was);
	/* a device that fails says so */
	l = lib_adapter(m, 8, 64);
	fence->fail_at(1, false);
	cr_expect_eq(lora_changed(l, 0, &e), ST_DEVICE);
	lora_free(l);
	model_free(m);
}

/* ---- the whole model ---- */

struct seen {
	struct lora *l;
	float **a, **b, *gain;
};

static void add(void *arg, size_t linear, const float *x, float *y, size_t rows)
{
	lora_add(((struct seen *)arg)->l, linear, x, y, rows);
}

static enum st on_linear(
	void *arg, size_t i, const float *x, const float *dy, float *dx, size_t rows, struct err *e)
{
	struct seen *s = arg;
	float *da, *db;
	enum st st = lora_back(s->l, i, x, dy, dx, rows, &da, &db, e);

	cr_assert_eq(st, ST_OK, "%s", e->msg);
	s->a[i] = lib_kept(da, lib_count(lora_a(s->l, i)));
	s->b[i] = lib_kept(db, lib_count(lora_b(s->l, i)));
	return st;
}

static enum st on_gain(void *arg, size_t norm, float *dgain, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	if (norm == 0)
		s->gain = lib_kept(dgain, 64);
	return ST_OK;
}

static struct seen gradients(
	const struct model *m, struct lora *l, enum back_keep keep, enum math math, double *loss)
{
	struct seen s = { l, xarray(m->n_linears, sizeof(float *)),
		xarray(m->n_linears, sizeof(float *)), NULL };
	const struct back_hooks k = { add, on_linear, on_gain, &s };
	int32_t *ids = plain_letters(), label[ROWS];
	struct back *b = NULL;
	struct err e = { 0 };

	plain_labels(label, m, ids);
	cr_assert_eq(back_new(&b, m, ROWS, keep, &e), ST_OK, "%s", e.msg);
	back_set_math(b, math);
	lora_set_math(l, math);
	cr_assert_eq(back_forward(b, m->ref, ids, batch, SEQS, &k, NULL, &e), ST_OK);
	cr_assert_eq(back_loss(b, label, 1, loss, &k, NULL, &e), ST_OK);
	cr_assert_eq(back_blocks(b, m->ref, &k, NULL, &e), ST_OK);
	back_free(b);
	xfree(ids);
	return s;
}

static void seen_free(struct seen *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		xfree(s->a[i]);
		xfree(s->b[i]);
	}
	xfree(s->a);
	xfree(s->b);
	xfree(s->gain);
}

/* The plain model's W of a linear becomes W + c B A, of these A and B. */
static void merge(double *w, const double *was, const double *a, const double *b, double c,
	const struct linear *of, size_t rank)
{
	for (size_t o = 0; o < of->rows; o++)
		for (size_t j = 0; j < of->cols; j++) {
			double sum = 0;

			for (size_t k = 0; k < rank; k++)
				sum += b[o * rank + k] * a[k * of->cols + j];
			w[o * of->cols + j] = was[o * of->cols + j] + c * sum;
		}
}

struct walk {
	struct plain p;
	int32_t *ids, label[ROWS];
	double c;
	size_t rank;
	struct rng r;
};

/* The loss along a random direction of A or B of a linear: by differences, and by its gradient. */
static void along(struct walk *k, size_t i, struct lora *l, const float *g, bool of_b)
{
	const struct linear *w = &k->p.m->linear[i];
	double *a = wide(lora_a(l, i)->data, lib_count(lora_a(l, i)));
	double *b = wide(lora_b(l, i)->data, lib_count(lora_b(l, i)));
	double *was = xarray(w->rows * w->cols, sizeof *was), *now = k->p.w[i], *x = of_b ? b : a;
	size_t n = lib_count(of_b ? lora_b(l, i) : lora_a(l, i));
	double *way = xarray(n, sizeof *way), h = 1e-5, by = 0, size = 0, loss[2];

	/* now holds W + c B A already: the step is what changes of it */
	merge(was, now, a, b, -k->c, w, k->rank);
	for (size_t j = 0; j < n; j++) {
		way[j] = rng_normal(&k->r);
		by += way[j] * (double)g[j];
		size += (double)g[j] * (double)g[j];
	}
	k->p.w[i] = xarray(w->rows * w->cols, sizeof *was);
	for (int side = 0; side < 2; side++) {
		for (size_t j = 0; j < n; j++)
			x[j] += (side ? -2 : 1) * h * way[j];
		merge(k->p.w[i], was, a, b, k->c, w, k->rank);
		loss[side] = plain_loss(&k->p, k->ids, k->label);
	}
	cr_expect(size > 0, "linear %zu has no gradient", i);
	cr_expect(fabs((loss[0] - loss[1]) / (2 * h) - by) < 3e-5 * sqrt(size),
		"%s of linear %zu: %g, differences %g", of_b ? "B" : "A", i, by,
		(loss[0] - loss[1]) / (2 * h));
	xfree(k->p.w[i]);
	k->p.w[i] = now;
	xfree(a);
	xfree(b);
	xfree(was);
	xfree(way);
}

static void check_model(const char *backend, uint64_t seed)
{
	enum { RANK = 3 };
	struct model *m = lib_demo(backend, seed);
	struct lora *l = lib_adapter(m, RANK, ROWS);
	struct walk k = { .p = plain_of(m), .ids = plain_letters(), .rank = RANK };
	struct seen s;
	double loss;

	lib_adapter_trained(l, m, seed);
	k.c = lora_alpha(l) / RANK;
	plain_labels(k.label, m, k.ids);
	rng_seed(&k.r, seed);
	s = gradients(m, l, BACK_ALL, MATH_F32, &loss);
	for (size_t i = 0; i < m->n_linears; i++) {
		const struct linear *w = &m->linear[i];
		double *a = wide(lora_a(l, i)->data, lib_count(lora_a(l, i)));
		double *b = wide(lora_b(l, i)->data, lib_count(lora_b(l, i)));

		merge(k.p.w[i], k.p.w[i], a, b, k.c, w, RANK);
		xfree(a);
		xfree(b);
	}
	cr_expect_float_eq(loss, plain_loss(&k.p, k.ids, k.label), 1e-5 * loss);
	for (size_t i = 0; i < m->n_linears; i++) {
		along(&k, i, l, s.a[i], false);
		along(&k, i, l, s.b[i], true);
	}
	seen_free(&s, m->n_linears);
	plain_free(&k.p);
	xfree(k.ids);
	lora_free(l);
	model_free(m);
}

Test(lora, gradients_through_the_whole_model_are_those_of_differences_in_double, .timeout = 120)
{
	check_model("ref", 1);
	check_model("cpu", 2);
}

static void same_bits(
	const struct seen *a, const struct seen *b, const struct model *m, const char *why)
{
	for (size_t i = 0; i < m->n_linears; i++) {
		cr_expect_arr_eq(a->a[i], b->a[i], lib_count(lora_a(a->l, i)) * sizeof(float),
			"A of linear %zu: %s", i, why);
		cr_expect_arr_eq(a->b[i], b->b[i], lib_count(lora_b(a->l, i)) * sizeof(float),
			"B of linear %zu: %s", i, why);
	}
	cr_expect_arr_eq(a->gain, b->gain, 64 * sizeof(float), "%s", why);
}

Test(lora, one_thread_or_two_and_a_block_that_is_run_again_give_the_same_bits, .timeout = 60)
{
	static const enum math maths[] = { MATH_F32, MATH_BF16 };

	for (int i = 0; i < 2; i++) {
		struct model *m = lib_demo("cpu", 3);
		double one, other;
		struct seen a, b;
		struct lora *l, *again;

		pool_start(2);
		l = lib_adapter(m, 8, ROWS);
		pool_start(1);
		again = lib_adapter(m, 8, ROWS);
		for (size_t k = 0; k < m->n_linears; k++)
			cr_assert_arr_eq(lora_a(l, k)->data, lora_a(again, k)->data,
				lib_count(lora_a(l, k)) * sizeof(float));
		lib_adapter_trained(l, m, 9);
		a = gradients(m, l, BACK_ALL, maths[i], &one);
		pool_start(2);
		b = gradients(m, l, BACK_ALL, maths[i], &other);
		cr_expect(one == other);
		same_bits(&a, &b, m, "threads");
		seen_free(&b, m->n_linears);
		b = gradients(m, l, BACK_INPUTS, maths[i], &other);
		cr_expect(one == other);
		same_bits(&a, &b, m, "run again");
		seen_free(&a, m->n_linears);
		seen_free(&b, m->n_linears);
		lora_free(l);
		lora_free(again);
		model_free(m);
	}
	pool_stop();
}

Test(lora, with_b_of_zeros_no_bit_of_a_logit_changes_and_with_another_they_do, .timeout = 60)
{
	static const char *const where[] = { "ref", "cpu" };
	static const enum math maths[] = { MATH_F32, MATH_BF16, MATH_INT8 };

	for (int i = 0; i < 6; i++) {
		struct model *m = lib_demo(where[i % 2], 4);
		size_t n = ROWS * m->hp.vocab;
		struct lora *l = lib_adapter(m, 4, ROWS), *small = lib_adapter(m, 4, 5);
		float *plain = lib_logits(m, NULL, maths[i / 2]),
		      *with = lib_logits(m, l, maths[i / 2]);
		double effect;

		cr_expect_arr_eq(plain, with, n * sizeof *plain, "%s", where[i % 2]);
		xfree(with);
		lib_adapter_trained(l, m, 1);
		lib_adapter_trained(small, m, 1);
		with = lib_logits(m, l, maths[i / 2]);
		effect = lib_distance(plain, with, n);
		cr_expect_gt(effect, 1e-2);
		xfree(plain);
		/* in pieces of five rows, so few that they may be rounded less */
		plain = lib_logits(m, small, maths[i / 2]);
		cr_expect_lt(lib_distance(plain, with, n), (i < 2 ? 1e-4 : 0.1) * effect,
			"%s, %d: %g of %g", where[i % 2], i / 2, lib_distance(plain, with, n),
			effect);
		xfree(plain);
		xfree(with);
		lora_free(l);
		lora_free(small);
		model_free(m);
	}
}

Test(lora, a_begins_as_a_normal_draw_of_its_seed_and_b_as_zeros)
{
	struct model *m = lib_demo("cpu", 1);
	struct lora *l = lib_adapter(m, 16, 8), *other = NULL;
	struct err e = { 0 };

	cr_assert_eq(lora_new(&other, m, 16, 32, 6, 8, &e), ST_OK);
	for (size_t i = 0; i < m->n_linears; i++) {
		const struct mat *a = lora_a(l, i), *b = lora_b(l, i);
		const float *x = a->data, *y = b->data;
		size_t n = lib_count(a);
		double sum = 0, squares = 0;

		for (size_t k = 0; k < n; k++) {
			sum += (double)x[k];
			squares += (double)x[k] * (double)x[k];
		}
		squares *= (double)a->cols / (double)n;
		cr_expect_lt(fabs(sum) * sqrt((double)a->cols / (double)n), 4.5, "linear %zu", i);
		cr_expect_lt(fabs(squares - 1), 4.5 * sqrt(2 / (double)n), "linear %zu", i);
		for (size_t k = 0; k < lib_count(b); k++)
			cr_assert(y[k] == 0);
		cr_expect_neq(memcmp(x, lora_a(other, i)->data, n * sizeof *x), 0);
		if (i)
			cr_expect_neq(memcmp(x, lora_a(l, i - 1)->data, 64 * sizeof *x), 0);
	}
	lora_free(l);
	lora_free(other);
	cr_expect_eq(lora_new(&l, m, 0, 1, 0, 8, &e), ST_INVALID);
	cr_expect_eq(lora_new(&l, m, m->hp.hidden + 1, 1, 0, 8, &e), ST_INVALID);
	cr_expect_eq(lora_new(&l, m, 4, NAN, 0, 8, &e), ST_INVALID);
	cr_expect_eq(lora_new(&l, m, 4, 1, 0, (size_t)1 << 62, &e), ST_INVALID);
	cr_expect_eq(lora_need(m, 4, (size_t)1 << 62), UINT64_MAX);
	model_free(m);
}
