/* test_quant_gptq.c - error feedback: against its definition, its factor, its cache. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/factor.h"
#include "tests/lib_quant.h"

static const char *const formats[] = { "int1g32", "int2g64", "int3g64", "int4g128", "int5g96",
	"int6g32", "int7g160", "int8g128" };
enum { FORMATS = sizeof formats / sizeof *formats };

Test(quant_gptq, gptq_leaves_less_weighted_error_than_clip_at_every_width)
{
	enum { ROWS = 24, COLS = 416 }; /* three blocks and a ragged one */
	float *w = lib_weights(ROWS, COLS, 0.05, 3), *h = lib_moments(COLS, 4);
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	for (int f = 0; f < FORMATS; f++) {
		struct qcodes a = lib_quantize("clip", formats[f], &in);
		struct qcodes b = lib_quantize("gptq", formats[f], &in);
		double ea = lib_error(&in, &a), eb = lib_error(&in, &b);

		cr_expect(eb < 0.8 * ea, "%s: gptq %g, clip %g", formats[f], eb, ea);
		lib_check_finite(&b, formats[f]);
		qcodes_release(&a);
		qcodes_release(&b);
	}
	big_free(w);
	big_free(h);
}

/* Without correlation there is nothing to feed back. */
Test(quant_gptq, gptq_under_moments_of_independent_inputs_is_clip_in_each_group)
{
	enum { ROWS = 5, COLS = 64 };
	float *w = lib_weights(ROWS, COLS, 0.05, 5);
	float *h = big_array(COLS * COLS, sizeof *h, "moments", NULL);
	struct quant_input in = lib_input(w, ROWS, COLS, h);
	struct qcodes a, b;

	for (size_t i = 0; i < COLS; i++)
		h[i * COLS + i] = 0.5f;
	a = lib_quantize("clip", "int4g64", &in);
	b = lib_quantize("gptq", "int4g64", &in);
	cr_assert(lib_same_codes(&a, &b));
	qcodes_release(&a);
	qcodes_release(&b);
	big_free(w);
	big_free(h);
}

/* A few inputs of a real model are hundreds of times larger than the rest, and an error on
 * them costs as much: the range of their group is theirs. */
Test(quant_gptq, gptq_gives_a_group_the_range_of_the_inputs_that_matter)
{
	enum { ROWS = 16, COLS = 192, LOUD = 70 };
	float *w = lib_weights(ROWS, COLS, 0.05, 8);
	float *h = big_array(COLS * COLS, sizeof *h, "moments", NULL);
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	for (size_t i = 0; i < COLS; i++)
		h[i * COLS + i] = i == LOUD ? 1000 : 0.1f;
	for (int f = 0; f < FORMATS; f++) {
		struct qcodes a = lib_quantize("clip", formats[f], &in);
		struct qcodes b = lib_quantize("gptq", formats[f], &in);
		double ea = lib_error(&in, &a), eb = lib_error(&in, &b);

		cr_expect(eb < 0.3 * ea, "%s: gptq %g, clip %g", formats[f], eb, ea);
		qcodes_release(&a);
		qcodes_release(&b);
	}
	big_free(w);
	big_free(h);
}

/* The definition, column by column in double, without blocks. */
static double slow_gptq_error(const struct quant_input *in, const struct qcodes *q)
{
	size_t n = in->cols, group = q->format.group, wrong = 0;
	double *h = xarray(n * n, sizeof *h), *x = xarray(n, sizeof *x), mean = 0;
	int top = (1 << q->format.bits) - 1;

	for (size_t i = 0; i < n; i++)
		mean += (double)in->moments[i * n + i] / (double)n;
	for (size_t i = 0; i < n * n; i++)
		h[i] = (double)in->moments[i] / mean + (i % (n + 1)                  ? 0
							       : q->format.bits <= 3 ? 0.1
										     : 0.01);
	/* Upper U with h = U U^T, from the last column; then its inverse is the factor. */
	for (size_t j = n; j-- > 0;) {
		for (size_t k = j + 1; k < n; k++)
			h[j * n + j] -= h[j * n + k] * h[j * n + k];
		h[j * n + j] = sqrt(h[j * n + j]);
		for (size_t i = 0; i < j; i++) {
			for (size_t k = j + 1; k < n; k++)
				h[i * n + j] -= h[i * n + k] * h[j * n + k];
			h[i * n + j] /= h[j * n + j];
		}
	}
	for (size_t r = 0; r < in->rows; r++) {
		double *d = xarray(n, sizeof *d);

		/* Row j of U^-1 over its diagonal, by solving: w_k -= err * (U^-1)_jk. */
		for (size_t k = 0; k < n; k++)
			x[k] = (double)in->w[r * n + k];
		for (size_t j = 0; j < n; j++) {
			size_t s = r * mat_groups(n, group) + j / group;
			double scale = (double)f16_to_f32(q->scale[s]);
			double offset = (double)f16_to_f32(q->offset[s]);
			double c = fmin(top, fmax(0, rint((x[j] - offset) / scale))), err;

			wrong += (uint8_t)c != q->code[r * n + j];
			err = x[j] - (scale * q->code[r * n + j] + offset);
			/* z = e_j^T U^-1: z U = e_j^T. */
			memset(d, 0, n * sizeof *d);
			for (size_t k = j; k < n; k++) {
				double sum = k == j;

				for (size_t t = j; t < k; t++)
					sum -= d[t] * h[t * n + k];
				d[k] = sum / h[k * n + k];
			}
			for (size_t k = j + 1; k < n; k++)
				x[k] -= err * d[k] / d[j];
		}
		xfree(d);
	}
	xfree(h);
	xfree(x);
	return (double)wrong / (double)(in->rows * n);
}

Test(quant_gptq, gptq_picks_the_codes_of_its_definition)
{
	enum { ROWS = 2, COLS = 168 };
	static const char *const some[] = { "int2g32", "int3g96", "int4g160", "int5g64" };
	float *w = lib_weights(ROWS, COLS, 0.05, 6), *h = lib_moments(COLS, 7);
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	for (int f = 0; f < 4; f++) {
		struct qcodes q = lib_quantize("gptq", some[f], &in);

		/* Ties may fall either way. */
		cr_expect_lt(slow_gptq_error(&in, &q), 0.004, "%s", some[f]);
		qcodes_release(&q);
	}
	big_free(w);
	big_free(h);
}

Test(quant_gptq, gptq_without_moments_is_refused)
{
	float *w = lib_weights(2, 64, 1, 17);
	struct quant_input in = lib_input(w, 2, 64, NULL);
	struct qcodes q = lib_quantize("minmax", "int4g64", &in);
	struct err e = { 0 };

	cr_assert_eq(quantizer_find("gptq")->run(&in, &q, NULL, &e), ST_INVALID);
	cr_assert_str_eq(
		e.msg, "gptq needs second moments of the inputs: gather them on a text first");
	qcodes_release(&q);
	big_free(w);
}

Test(quant_gptq, moments_that_are_no_numbers_are_refused)
{
	float *w = lib_weights(2, 64, 1, 18), *h = lib_moments(64, 19);
	struct quant_input in = lib_input(w, 2, 64, h);
	struct qcodes q = lib_quantize("minmax", "int4g64", &in);
	struct err e = { 0 };

	h[64 * 5 + 9] = NAN;
	cr_assert_eq(quantizer_find("gptq")->run(&in, &q, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "the second moments of 64 inputs hold a value that is no number: "
				"gather them again");
	qcodes_release(&q);
	big_free(w);
	big_free(h);
}

Test(quant_gptq, moments_that_are_not_positive_definite_get_more_damping)
{
	enum { N = 150 };
	float *w = lib_weights(4, N, 0.05, 20), *h = lib_moments(N, 21);
	struct quant_input in = lib_input(w, 4, N, h);
	struct qcodes q;

	for (size_t i = 0; i < N; i++) /* strongly indefinite */
		for (size_t k = 0; k < N; k++)
			if (i != k)
				h[i * N + k] = (i + k) % 3 ? 0.3f : -0.3f;
	q = lib_quantize("gptq", "int4g64", &in);
	lib_check_finite(&q, "indefinite");
	qcodes_release(&q);
	memset(h, 0, N * N * sizeof *h); /* inputs that were never there */
	q = lib_quantize("gptq", "int4g64", &in);
	lib_check_finite(&q, "zero");
	in.moments = NULL;
	cr_assert_lt(lib_error(&in, &q), 0.02);
	qcodes_release(&q);
	big_free(w);
	big_free(h);
}

Test(quant_gptq, the_factor_inverts_the_damped_moments)
{
	static const size_t sizes[] = { 1, 5, 127, 128, 129, 300 };

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		size_t n = sizes[s];
		float *h = lib_moments(n, 22), *u = big_array(n, n * sizeof *u, "factor", NULL);
		double mean = 0, worst = 0;
		struct err e = { 0 };

		cr_assert_eq(factor_inverse(u, h, n, 0.1, backend_find("ref"), NULL, &e), ST_OK,
			"%s", e.msg);
		for (size_t i = 0; i < n; i++)
			mean += (double)h[i * n + i] / (double)n;
		/* U H' U^T = I */
		for (size_t i = 0; i < n; i += 1 + n / 20) {
			double *v = xarray(n, sizeof *v);

			for (size_t k = 0; k < n; k++)
				for (size_t t = i; t < n; t++)
					v[k] += (double)u[i * n + t] *
						((double)h[t * n + k] / mean + (t == k ? 0.1 : 0));
			for (size_t j = 0; j < n; j += 1 + n / 20) {
				double sum = 0;

				for (size_t k = 0; k < n; k++)
					sum += v[k] * (double)u[j * n + k];
				worst = fmax(worst, fabs(sum - (i == j)));
			}
			for (size_t k = 0; k < i; k++)
				cr_assert_eq(u[i * n + k], 0);
			xfree(v);
		}
		cr_expect_lt(worst, 1e-3, "%zu: %g", n, worst);
		big_free(h);
		big_free(u);
	}
}

Test(quant_gptq, a_cache_changes_no_code_and_notices_new_moments)
{
	float *w = lib_weights(6, 192, 0.05, 23), *h = lib_moments(192, 24), *other;
	struct quant_input in = lib_input(w, 6, 192, h), cached = in;
	double first;

	cached.cache = quant_cache_new();
	for (int f = 0; f < FORMATS; f++) {
		struct qcodes a = lib_quantize("gptq", formats[f], &in);
		struct qcodes b = lib_quantize("gptq", formats[f], &cached);

		cr_expect(lib_same_codes(&a, &b), "%s", formats[f]);
		cr_expect_eq(lib_error(&in, &a), lib_error(&cached, &b), "%s", formats[f]);
		cr_expect_eq(lib_error(&in, &a), lib_error(&cached, &b), "%s again", formats[f]);
		qcodes_release(&a);
		qcodes_release(&b);
	}
	other = lib_moments(192, 25);
	memcpy(h, other, 192 * 192 * sizeof *h);
	{
		struct qcodes a = lib_quantize("gptq", "int2g64", &in);
		struct qcodes b = lib_quantize("gptq", "int2g64", &cached);

		cr_expect(lib_same_codes(&a, &b));
		first = lib_error(&in, &a);
		cr_expect_eq(first, lib_error(&cached, &b));
		w[0] += 1;
		cr_expect_neq(first, lib_error(&cached, &b));
		qcodes_release(&a);
		qcodes_release(&b);
	}
	quant_cache_free(cached.cache);
	quant_cache_free(NULL);
	big_free(w);
	big_free(h);
	big_free(other);
}
