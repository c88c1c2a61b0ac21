/* test_quant.c - every quantizer on seeded weights: errors, edges, threads, stops. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "kernels/pool.h"
#include "tests/lib_model.h"
#include "tests/lib_quant.h"

static const char *const formats[] = { "int1g32", "int2g64", "int3g64", "int4g128", "int5g96",
	"int6g32", "int7g160", "int8g128" };
enum { FORMATS = sizeof formats / sizeof *formats };

/* ---- the table */

Test(quant, the_table_names_each_quantizer_once_and_finds_it)
{
	for (size_t i = 0; quantizer_table[i]; i++) {
		cr_assert_eq(quantizer_find(quantizer_table[i]->name), quantizer_table[i]);
		cr_assert(quantizer_table[i]->summary[0] && quantizer_table[i]->version > 0);
		cr_assert_eq(quantizer_table[i]->needs_moments,
			!strcmp(quantizer_table[i]->name, "gptq"));
	}
	cr_assert_null(quantizer_find("rtn"));
	cr_assert_null(quantizer_find(""));
}

/* ---- errors */

Test(quant, clip_and_hqq_leave_less_squared_error_than_minmax_at_every_width)
{
	float *w = lib_weights(24, 320, 0.05, 1);
	struct quant_input in = lib_input(w, 24, 320, NULL);

	for (int f = 0; f < FORMATS; f++) {
		struct qcodes m = lib_quantize("minmax", formats[f], &in);
		struct qcodes c = lib_quantize("clip", formats[f], &in);
		struct qcodes h = lib_quantize("hqq", formats[f], &in);
		double em = lib_error(&in, &m), ec = lib_error(&in, &c), eh = lib_error(&in, &h);

		cr_expect(ec < em, "%s: clip %g, minmax %g", formats[f], ec, em);
		cr_expect(eh < em * 1.02, "%s: hqq %g, minmax %g", formats[f], eh, em);
		qcodes_release(&m);
		qcodes_release(&c);
		qcodes_release(&h);
	}
	big_free(w);
}

Test(quant, clip_is_worse_than_minmax_in_no_group)
{
	enum { ROWS = 16, COLS = 200 };
	float *w = lib_weights(ROWS, COLS, 1, 2), a[COLS], b[COLS];
	struct quant_input in = lib_input(w, ROWS, COLS, NULL);

	for (int f = 0; f < FORMATS; f++) {
		struct qcodes m = lib_quantize("minmax", formats[f], &in);
		struct qcodes c = lib_quantize("clip", formats[f], &in);
		size_t group = m.format.group;

		for (size_t r = 0; r < ROWS; r++) {
			qcodes_row(&m, r, a);
			qcodes_row(&c, r, b);
			for (size_t g = 0; g < COLS; g += group) {
				double ea = 0, eb = 0;

				for (size_t i = g; i < g + group && i < COLS; i++) {
					double x = (double)w[r * COLS + i];

					ea += (x - (double)a[i]) * (x - (double)a[i]);
					eb += (x - (double)b[i]) * (x - (double)b[i]);
				}
				cr_expect(eb <= ea * 1.0001, "%s row %zu column %zu: %g > %g",
					formats[f], r, g, eb, ea);
			}
		}
		qcodes_release(&m);
		qcodes_release(&c);
	}
	big_free(w);
}

Test(quant, the_error_is_the_trace_of_its_definition)
{
	enum { ROWS = 7, COLS = 33 };
	float *w = lib_weights(ROWS, COLS, 0.05, 8), *h = lib_moments(COLS, 9), row[COLS];
	struct quant_input in = lib_input(w, ROWS, COLS, h);
	struct qcodes q = lib_quantize("minmax", "int2g32", &in);
	double num = 0, den = 0, plain_num = 0, plain_den = 0;

	for (size_t r = 0; r < ROWS; r++) {
		const float *x = w + r * COLS;

		qcodes_row(&q, r, row);
		for (size_t i = 0; i < COLS; i++) {
			double d = (double)x[i] - (double)row[i];

			plain_num += d * d;
			plain_den += (double)x[i] * (double)x[i];
			for (size_t k = 0; k < COLS; k++) {
				double hik = (double)h[i * COLS + k];

				num += d * hik * ((double)x[k] - (double)row[k]);
				den += (double)x[i] * hik * (double)x[k];
			}
		}
	}
	cr_assert_float_eq(lib_error(&in, &q), num / den, 1e-5 * num / den);
	in.moments = NULL;
	cr_assert_float_eq(lib_error(&in, &q), plain_num / plain_den, 1e-5 * plain_num / plain_den);
	qcodes_release(&q);
	big_free(w);
	big_free(h);
}

/* ---- edges */

Test(quant, a_constant_group_comes_back_exactly)
{
	enum { ROWS = 3, COLS = 100 };
	float *w = lib_weights(ROWS, COLS, 0.1, 10), *h = lib_moments(COLS, 11), row[COLS];
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	for (size_t i = 0; i < COLS; i++) {
		w[COLS + i] = 0;
		w[i] = i < 32 ? 0.75f : i < 64 ? -1024 : 0.0009765625f;
	}
	for (size_t k = 0; quantizer_table[k]; k++) {
		for (int bits = 1; bits <= 8; bits++) {
			char name[16];
			struct qcodes q;

			snprintf(name, sizeof name, "int%dg32", bits);
			q = lib_quantize(quantizer_table[k]->name, name, &in);
			for (size_t r = 0; r < 2; r++) {
				qcodes_row(&q, r, row);
				cr_expect(!memcmp(row, w + r * COLS, sizeof row), "%s %s row %zu",
					quantizer_table[k]->name, name, r);
			}
			qcodes_release(&q);
		}
	}
	big_free(w);
	big_free(h);
}

/* What a Q4_1 block holds: a scale, an offset, all levels used. */
Test(quant, weights_on_an_fp16_grid_come_back_exactly_from_minmax_and_clip)
{
	enum { ROWS = 4, COLS = 96 };
	float *w = big_array(ROWS * COLS, sizeof *w, "weights", NULL), row[COLS];
	struct quant_input in = lib_input(w, ROWS, COLS, NULL);

	for (size_t i = 0; i < ROWS * COLS; i++) {
		size_t g = i / 32;
		float scale = f16_to_f32(f16_from_f32(0.011f * (float)(g + 1)));
		float offset = f16_to_f32(f16_from_f32(-0.0717f * (float)(g + 1)));

		w[i] = scale * (float)(i * 7 % 16) + offset;
	}
	for (int k = 0; k < 2; k++) {
		struct qcodes q = lib_quantize(k ? "clip" : "minmax", "int4g32", &in);

		for (size_t r = 0; r < ROWS; r++) {
			qcodes_row(&q, r, row);
			cr_expect(!memcmp(row, w + r * COLS, sizeof row), "row %zu", r);
		}
		qcodes_release(&q);
	}
	big_free(w);
}

Test(quant, huge_and_broken_weights_give_finite_ones)
{
	enum { ROWS = 6, COLS = 70 };
	float *w = lib_weights(ROWS, COLS, 0.1, 12), *h = lib_moments(COLS, 13), row[COLS];
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	w[3] = INFINITY;
	w[COLS + 5] = -INFINITY;
	w[2 * COLS + 7] = NAN;
	w[3 * COLS] = 3e38f;
	w[3 * COLS + 1] = -3e38f;
	for (size_t i = 0; i < COLS; i++) {
		w[4 * COLS + i] = 1e6f;
		w[5 * COLS + i] = 1e-42f * (float)i;
	}
	for (size_t k = 0; quantizer_table[k]; k++) {
		for (int f = 0; f < FORMATS; f++) {
			struct qcodes q = lib_quantize(quantizer_table[k]->name, formats[f], &in);

			lib_check_finite(&q, quantizer_table[k]->name);
			qcodes_row(&q, 4, row);
			cr_expect_float_eq(row[COLS - 1], 65504, 40, "%s %s: %g",
				quantizer_table[k]->name, formats[f], (double)row[COLS - 1]);
			cr_expect(isfinite(lib_error(&in, &q)));
			qcodes_release(&q);
		}
	}
	big_free(w);
	big_free(h);
}

Test(quant, one_column_and_ragged_groups_work_in_every_quantizer)
{
	static const size_t cols[] = { 1, 2, 31, 33, 63, 65, 129, 300 };
	/* One bit at both ends of the range is worse than nothing. */
	static const double limit[] = { 0, 10, 1, 0.15, 0.05, 0.02, 0.01, 0.01, 0.001 };

	for (size_t c = 0; c < sizeof cols / sizeof *cols; c++) {
		float *w = lib_weights(3, cols[c], 0.05, cols[c]), *h = lib_moments(cols[c], 14);
		struct quant_input in = lib_input(w, 3, cols[c], h);

		for (size_t k = 0; quantizer_table[k]; k++) {
			for (int f = 0; f < FORMATS; f++) {
				struct qcodes q =
					lib_quantize(quantizer_table[k]->name, formats[f], &in);

				lib_check_finite(&q, formats[f]);
				cr_expect_lt(lib_error(&in, &q), limit[q.format.bits],
					"%s %s, %zu columns: %g", quantizer_table[k]->name,
					formats[f], cols[c], lib_error(&in, &q));
				qcodes_release(&q);
			}
		}
		big_free(w);
		big_free(h);
	}
}

Test(quant, more_bits_leave_less_error)
{
	float *w = lib_weights(8, 192, 0.05, 15), *h = lib_moments(192, 16);
	struct quant_input in = lib_input(w, 8, 192, h);

	for (size_t k = 0; quantizer_table[k]; k++) {
		double before = INFINITY;

		for (int bits = 1; bits <= 8; bits++) {
			char name[16];
			struct qcodes q;
			double error;

			snprintf(name, sizeof name, "int%dg64", bits);
			q = lib_quantize(quantizer_table[k]->name, name, &in);
			error = lib_error(&in, &q);
			cr_expect(error < 0.6 * before, "%s %s: %g after %g",
				quantizer_table[k]->name, name, error, before);
			before = error;
			qcodes_release(&q);
		}
		cr_expect_lt(before, 1e-4, "%s", quantizer_table[k]->name);
	}
	big_free(w);
	big_free(h);
}

/* ---- threads, stops, memory */

Test(quant, one_and_two_and_five_threads_give_the_same_codes)
{
	float *w = lib_weights(300, 416, 0.05, 26), *h = lib_moments(416, 27);
	struct quant_input in = lib_input(w, 300, 416, h);

	for (size_t k = 0; quantizer_table[k]; k++) {
		struct qcodes a, b;

		pool_start(1);
		a = lib_quantize(quantizer_table[k]->name, "int3g64", &in);
		for (int threads = 2; threads <= 5; threads += 3) {
			pool_start(threads);
			b = lib_quantize(quantizer_table[k]->name, "int3g64", &in);
			cr_expect(lib_same_codes(&a, &b), "%s on %d threads",
				quantizer_table[k]->name, threads);
			qcodes_release(&b);
		}
		pool_stop();
		qcodes_release(&a);
	}
	big_free(w);
	big_free(h);
}

Test(quant, every_quantizer_stops_at_any_poll)
{
	float *w = lib_weights(40, 300, 0.05, 28), *h = lib_moments(300, 29);
	struct quant_input in = lib_input(w, 40, 300, h);

	for (size_t k = 0; quantizer_table[k]; k++) {
		struct qcodes q = lib_quantize(quantizer_table[k]->name, "int4g64", &in);
		unsigned long all, at;
		struct lib_stop s;
		struct err e = { 0 };

		lib_stop_init(&s, 0);
		cr_assert_eq(quantizer_table[k]->run(&in, &q, &s.sink, &e), ST_OK);
		all = s.polls;
		cr_expect_geq(all, quantizer_table[k]->needs_moments ? 10 : 1);
		for (at = 1; at <= all; at++) {
			lib_stop_init(&s, at);
			cr_expect_eq(quantizer_table[k]->run(&in, &q, &s.sink, &e), ST_CANCELLED,
				"%s at poll %lu of %lu", quantizer_table[k]->name, at, all);
			cr_expect_eq(s.polls, at);
		}
		in.sink = &s.sink;
		lib_stop_init(&s, 1);
		{
			double error;

			cr_expect_eq(quant_error(&error, &in, &q, &e), ST_CANCELLED);
		}
		in.sink = NULL;
		qcodes_release(&q);
	}
	big_free(w);
	big_free(h);
}

Test(quant, a_long_linear_is_cut_by_polls)
{
	float *w = lib_weights(12000, 640, 0.05, 30);
	struct quant_input in = lib_input(w, 12000, 640, NULL);
	struct lib_stop s;
	struct qcodes q;
	struct format f = format_int(2, 64);
	struct err e = { 0 };

	lib_stop_init(&s, 0);
	cr_assert_eq(qcodes_alloc(&q, f, 12000, 640, &e), ST_OK);
	cr_assert_eq(quantizer_find("clip")->run(&in, &q, &s.sink, &e), ST_OK);
	cr_assert_geq(s.polls, 5);
	qcodes_release(&q);
	big_free(w);
}

Test(quant, every_allocation_may_fail)
{
	float *w = lib_weights(4, 96, 0.05, 31), *h = lib_moments(96, 32);
	struct quant_input in = lib_input(w, 4, 96, h);

	w[5] = INFINITY; /* needs the copy as well */
	for (size_t k = 0; quantizer_table[k]; k++) {
		struct err e = { 0 };
		struct format f = format_int(4, 64);
		unsigned long n = 0;
		enum st st;

		do {
			struct qcodes q = { 0 };
			double error;

			alloc_fail_at(++n, false);
			st = qcodes_alloc(&q, f, 4, 96, &e);
			if (!st)
				st = quantizer_table[k]->run(&in, &q, NULL, &e);
			if (!st)
				st = quant_error(&error, &in, &q, &e);
			alloc_fail_at(0, false);
			cr_expect(!st || st == ST_NOMEM);
			qcodes_release(&q);
		} while (st && n < 50);
		cr_expect_eq(st, ST_OK);
		cr_expect_geq(n, 4);
	}
	big_free(w);
	big_free(h);
}
