/* lib_quant.c - seeded weights, moments, codes. */
#include "tests/lib_quant.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/rng.h"

float *lib_weights(size_t rows, size_t cols, double deviation, uint64_t seed)
{
	float *w = big_array(rows * cols, sizeof *w, "weights", NULL);
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < rows * cols; i++)
		w[i] = (float)(rng_normal(&r) * deviation * (i % 61 == 7 ? 3 : 1));
	return w;
}

/* Neighbours move together, every tenth input is strong. */
float *lib_moments(size_t cols, uint64_t seed)
{
	size_t tokens = 2 * cols + 8;
	float *h = big_array(cols * cols, sizeof *h, "moments", NULL);
	float *x = big_array(cols, sizeof *x, "a token", NULL);
	struct rng r;

	rng_seed(&r, seed);
	for (size_t t = 0; t < tokens; t++) {
		double carried = 0, norm = 0;

		for (size_t i = 0; i < cols; i++) {
			carried = 0.9 * carried + rng_normal(&r);
			x[i] = (float)(carried * (i % 10 == 3 ? 4 : 1));
			norm += (double)x[i] * (double)x[i];
		}
		for (size_t i = 0; i < cols; i++)
			for (size_t k = 0; k < cols; k++)
				h[i * cols + k] += (float)((double)x[i] * (double)x[k] / norm);
	}
	big_free(x);
	return h;
}

struct qcodes lib_quantize(const char *quantizer, const char *format, const struct quant_input *in)
{
	struct err e = { 0 };
	struct format f;
	struct qcodes q;

	cr_assert_eq(format_parse(&f, format, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(qcodes_alloc(&q, f, in->rows, in->cols, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(quantizer_find(quantizer)->run(in, &q, NULL, &e), ST_OK, "%s %s: %s",
		quantizer, format, e.msg);
	return q;
}

double lib_error(const struct quant_input *in, const struct qcodes *q)
{
	struct err e = { 0 };
	double error = NAN;

	cr_assert_eq(quant_error(&error, in, q, &e), ST_OK, "%s", e.msg);
	return error;
}

struct quant_input lib_input(float *w, size_t rows, size_t cols, float *moments)
{
	return (struct quant_input){ .w = w,
		.rows = rows,
		.cols = cols,
		.moments = moments,
		.backend = backend_find("ref") };
}

void lib_check_finite(const struct qcodes *q, const char *what)
{
	size_t groups = mat_groups(q->cols, q->format.group);
	float *row = xarray(q->cols, sizeof *row);

	for (size_t i = 0; i < q->rows * groups; i++)
		cr_assert(isfinite(f16_to_f32(q->scale[i])) && isfinite(f16_to_f32(q->offset[i])),
			"%s: statistics %zu", what, i);
	for (size_t r = 0; r < q->rows; r++) {
		qcodes_row(q, r, row);
		for (size_t c = 0; c < q->cols; c++)
			cr_assert(
				isfinite(row[c]) && q->code[r * q->cols + c] < 1 << q->format.bits,
				"%s: row %zu column %zu", what, r, c);
	}
	xfree(row);
}

bool lib_same_codes(const struct qcodes *a, const struct qcodes *b)
{
	size_t stats = a->rows * mat_groups(a->cols, a->format.group) * sizeof *a->scale;

	return !memcmp(a->code, b->code, a->rows * a->cols) && !memcmp(a->scale, b->scale, stats) &&
	       !memcmp(a->offset, b->offset, stats);
}
