/* test_moments.c - first scores, second moments and ranks, against plain sums. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_model.h"
#include "tests/lib_scan.h"

/* ---- first score and moments, against sums over the inputs of one sequence at a time */

struct inputs {
	const struct setup *s;
	float *q;        /* the variant of a linear as float, or NULL */
	size_t linear;   /* listened to */
	double num, den; /* of the first score */
	double *moment;  /* [cols][cols], or NULL */
};

static void on_linear(void *arg, size_t linear, const float *x, const float *y, size_t rows)
{
	struct inputs *in = arg;
	const struct linear *l = &in->s->m->linear[in->linear];

	if (linear != in->linear)
		return;
	for (size_t r = 0; r < rows; r++, x += l->cols, y += l->rows) {
		double norm = 0;

		for (size_t o = 0; in->q && o < l->rows; o++) {
			double sum = 0;

			for (size_t c = 0; c < l->cols; c++)
				sum += (double)x[c] * in->q[o * l->cols + c];
			in->num += (sum - y[o]) * (sum - y[o]);
			in->den += (double)y[o] * y[o];
		}
		for (size_t c = 0; c < l->cols; c++)
			norm += (double)x[c] * x[c];
		for (size_t c = 0; in->moment && c < l->cols * l->cols; c++)
			in->moment[c] += x[c / l->cols] * (double)x[c % l->cols] / norm;
	}
}

static void listen(struct inputs *in)
{
	const struct setup *s = in->s;
	size_t len = s->t.len;
	float *h = xarray(len * s->m->hp.hidden, sizeof *h);
	const struct span span = { NULL, len };
	const struct tap tap = { on_linear, in };
	struct fwd *f;

	cr_assert_eq(fwd_new(&f, s->m, len, NULL), ST_OK);
	for (size_t i = 0; i < s->t.n_seq; i++) {
		cr_assert_eq(fwd_embed(f, s->t.id + i * len, len, h, NULL), ST_OK);
		cr_assert_eq(
			fwd_blocks(f, s->m->ref, 0, s->m->hp.layers, h, &span, 1, &tap, NULL, NULL),
			ST_OK);
	}
	fwd_free(f);
	xfree(h);
}

static void on_block(void *arg, size_t layer)
{
	size_t *next = arg;

	cr_assert_eq(layer, *next);
	++*next;
}

Test(first_score, is_the_output_error_over_the_output_energy)
{
	struct setup s;
	double err[64 * FORMATS];
	size_t blocks = 0;
	struct err e;

	setup_begin(&s, 3, 40);
	variant_release(variant_at(&s.v, 5, 0));
	cr_assert_eq(scan_first_score(err, s.m, &s.v, &s.t, on_block, &blocks, NULL, &e), ST_OK);
	cr_assert_eq(blocks, s.m->hp.layers);
	cr_assert(isnan(err[5 * FORMATS]));
	for (size_t i = 0; i < s.m->n_linears; i += 3) {
		const struct mat *v = &variant_at(&s.v, i, i % 2)->mat;
		struct inputs in = { .s = &s, .linear = i };

		in.q = xarray(v->rows * v->cols, sizeof *in.q);
		for (size_t r = 0; r < v->rows; r++)
			mat_row_f32(v, r, in.q + r * v->cols);
		listen(&in);
		cr_assert_float_eq(err[i * FORMATS + i % 2], in.num / in.den,
			1e-4 * in.num / in.den, "linear %zu", i);
		cr_assert_eq(err[i * FORMATS + 2], 0);
		xfree(in.q);
	}
	setup_end(&s);
}

Test(first_score, stops_at_any_poll)
{
	struct setup s;
	double err[64 * FORMATS];
	struct lib_stop stop;
	struct err e;

	setup_begin(&s, 2, 8);
	for (unsigned long at = 1; at < 80; at += 6) {
		lib_stop_init(&stop, at);
		cr_assert_eq(scan_first_score(err, s.m, &s.v, &s.t, NULL, NULL, &stop.sink, &e),
			ST_CANCELLED);
	}
	setup_end(&s);
}

Test(moments, are_sums_over_tokens_scaled_to_norm_1)
{
	static const enum linear_kind kind[SITES] = { LINEAR_V, LINEAR_O, LINEAR_UP, LINEAR_DOWN };
	struct setup s;
	struct moments mo;
	struct err e;

	setup_begin(&s, 22, 50); /* 1,100 rows: two turns */
	cr_assert_eq(moments_gather(&mo, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(mo.tokens, 1100);
	cr_assert_eq(mo.n, s.m->hp.layers * SITES);
	for (size_t site = 0; site < SITES; site++) {
		size_t layer = site % s.m->hp.layers, i = layer * LINEAR_KINDS + kind[site];
		size_t cols = s.m->linear[i].cols;
		struct inputs in = { .s = &s, .linear = i };
		const float *h = mo.h[layer * SITES + site];
		double trace = 0;

		in.moment = xarray(cols * cols, sizeof *in.moment);
		listen(&in);
		for (size_t c = 0; c < cols * cols; c++)
			cr_assert_float_eq(h[c], in.moment[c], 1e-3);
		for (size_t c = 0; c < cols; c++)
			trace += h[c * cols + c];
		cr_assert_float_eq(trace, 1100, 1e-2);
		xfree(in.moment);
	}
	moments_free(&mo);
	cr_assert_null(mo.h);
	setup_end(&s);
}

Test(moments, stop_at_any_poll)
{
	struct setup s;
	struct moments mo;
	struct lib_stop stop;

	setup_begin(&s, 2, 8);
	for (unsigned long at = 1; at < 40; at += 3) {
		lib_stop_init(&stop, at);
		cr_assert_eq(moments_gather(&mo, s.m, &s.t, &stop.sink, NULL), ST_CANCELLED);
		cr_assert_null(mo.h);
	}
	setup_end(&s);
}

/* ---- ranks */

Test(rank, correlation_is_spearman_s_with_ties_averaged)
{
	static const double a[] = { 10, 20, 30, 40, 50 }, b[] = { 2, 1, 4, 3, 5 };
	static const double c[] = { 1, 2, 2, 3 }, d[] = { 1, 2, 3, 4 };
	static const double x[] = { 1, NAN, 3, 2 }, y[] = { 5, 1, 9, NAN };

	/* 1 - 6 * (1 + 1 + 1 + 1 + 0) / (5 * 24) */
	cr_assert_float_eq(rank_correlation(a, b, 5), 0.8, 1e-12);
	/* ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5) */
	cr_assert_float_eq(rank_correlation(c, d, 4), 0.94868329805051377, 1e-12);
	cr_assert_float_eq(rank_correlation(d, (double[]){ 4, 3, 2, 1 }, 4), -1, 1e-12);
	cr_assert_float_eq(rank_correlation(x, y, 4), 1, 1e-12);
	cr_assert(isnan(rank_correlation(a, b, 1)));
	cr_assert(isnan(rank_correlation(a, b, 0)));
	cr_assert(isnan(rank_correlation((double[]){ 3, 3, 3 }, b, 3)));
}
