/* test_mix.c - channel-mix: names, sizes, the order, codes, products, layouts. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/layout.h"
#include "core/quant/mix.h"
#include "core/quant/variant.h"
#include "kernels/pool.h"
#include "tests/lib_base.h"
#include "tests/lib_kernels.h"
#include "tests/lib_model.h"
#include "tests/lib_quant.h"

static struct format named(const char *name)
{
	struct format f = { 0 };
	struct err e = { 0 };

	cr_assert_eq(format_parse(&f, name, &e), ST_OK, "%s", e.msg);
	return f;
}

Test(mix, names_of_mixes_are_read_and_written_or_refused_with_a_sentence)
{
#define HOW ": a mix is written as int4g128:3+int2g64, with 1 to 7 eighths"
	static const char *const good[] = { "int4g128:1+int2g64", "int4g128:7+int2g64",
		"int8g1048576:4+int7g1048576", "int3g32:2+int1g32" };
	static const char *const bad[][2] = {
		{ "int4g128:0+int2g64", "format int4g128:0+int2g64" HOW },
		{ "int4g128:8+int2g64", "format int4g128:8+int2g64" HOW },
		{ "int4g128:+int2g64", "format int4g128:+int2g64" HOW },
		{ "int4g128:", "format int4g128:" HOW },
		{ "int4g128:3", "format int4g128:3" HOW },
		{ "int4g128:3+", "format int4g128:3+" HOW },
		{ "int4g128:3+keep", "format int4g128:3+keep" HOW },
		{ "int4g128:3+int2g64x", "format int4g128:3+int2g64x" HOW },
		{ "int4g128:3+int2g64:2+int1g32", "format int4g128:3+int2g64:2+int1g32" HOW },
		{ "int4g128:33+int2g64", "format int4g128:33+int2g64" HOW },
		{ "int4g128:3+int2g0064", "format int4g128:3+int2g0064" HOW },
		{ "int2g64:3+int4g128",
			"format int2g64:3+int4g128: the part with more bits stands first" },
		{ "int4g64:3+int4g128",
			"format int4g64:3+int4g128: the part with more bits stands first" },
		{ "int9g64:3+int4g128", "format int9g64:3+int4g128: bits go from 1 to 8, not 9" },
		{ "int4g64:3+int2g33", "format int4g64:3+int2g33: the group must be a multiple "
				       "of 32 up to 1048576, not 33" },
		{ "keep:3+int2g64", "\"keep:3+int2g64\" is not a format: write bits and group as "
				    "in int4g128, or keep" },
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct format f = named(good[i]);
		char back[FORMAT_NAME];

		cr_expect(format_is_mix(f));
		cr_expect_str_eq(format_name(f, back), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct format f = format_int(77, 77);
		struct err e = { 0 };

		cr_expect_eq(format_parse(&f, bad[i][0], &e), ST_INVALID, "%s", bad[i][0]);
		cr_expect_str_eq(e.msg, bad[i][1]);
		cr_expect_eq(f.bits, 77, "%s: touched", bad[i][0]);
	}
}

Test(mix, bytes_count_both_parts_and_the_order)
{
	/* 576 * 3 / 8 = 216: the nearest multiple of 64 is 192 */
	cr_expect_eq(format_high_cols(named("int4g128:3+int2g64"), 576), 192);
	cr_expect_eq(format_bytes(named("int4g128:3+int2g64"), 10, 576),
		10 * (96 + 2 * 4) + 10 * (96 + 6 * 4) + 2 * 576);
	cr_expect_eq(format_high_cols(named("int4g128:1+int2g64"), 130), 64);
	cr_expect_eq(format_high_cols(named("int4g128:7+int2g64"), 130), 64);
	cr_expect_eq(format_high_cols(named("int4g128:7+int2g64"), 576), 512);
	cr_expect_not(format_fits(named("int4g128:4+int2g64"), 127));
	cr_expect(format_fits(named("int4g128:4+int2g64"), 65536));
	cr_expect_not(format_fits(named("int4g128:4+int2g64"), 65537));
	cr_expect_float_eq(
		format_nominal(named("int4g128:4+int2g64")), 3 + (2.0 / 64 + 2.0 / 128), 1e-12);
}

Test(mix, a_dial_gets_the_mixes_of_its_ends_once)
{
	struct format f[FORMAT_MAX];
	char name[FORMAT_NAME], pairs[FORMAT_PAIRS];
	struct err e = { 0 };
	size_t k;

	cr_assert_eq(format_list(f, &k, "int2g64,int4g128", &e), ST_OK);
	cr_expect_str_eq(format_pairs(f, k, pairs), "");
	k = format_add_mixes(f, k);
	cr_assert_eq(k, 9);
	cr_expect_str_eq(format_pairs(f, k, pairs), "a-g: 4+2");
	for (size_t i = 1; i < 8; i++) {
		cr_expect_eq(f[i].part, (int)i);
		cr_expect_eq(format_letter(f, k, i), (char)('a' + i - 1));
	}
	cr_assert_eq(format_add_mixes(f, k), 9, "they are there already");
	cr_assert_eq(format_list(f, &k, "int2g64,int3g64,int4g128,int8g128,keep", &e), ST_OK);
	k = format_add_mixes(f, k);
	cr_assert_eq(k, 13);
	cr_expect(format_is_keep(f[12]));
	cr_expect_str_eq(format_pairs(f, k, pairs), "a-d: 4+2, e-h: 4+3");
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(format_letter(f, k, i), format_letter(f, k, j),
				"no two formats share a sign: %zu and %zu", i, j);
	cr_expect_str_eq(format_name(f[1], name), "int4g128:1+int2g64");
	cr_expect_str_eq(format_name(f[10], name), "int4g128");
	cr_assert_eq(format_list(f, &k, "int4g128,keep", &e), ST_OK);
	cr_assert_eq(format_add_mixes(f, k), 2, "there are no two to mix");
}

/* ---- the order */

enum { ROWS = 48, COLS = 320 };

Test(mix, the_dearest_inputs_come_first_and_ties_go_by_index)
{
	double cost[6] = { 1, 5, (double)NAN, 5, 0, 9 };
	static const uint16_t want[6] = { 5, 1, 3, 0, 2, 4 };
	double low[4] = { 8, 4, 2, 2 }, high[4] = { 0, 0, 0, 0 };
	uint16_t order[6];

	mix_order(order, cost, 6);
	cr_assert_arr_eq(order, want, sizeof want);
	mix_order(order, low, 4);
	cr_expect_float_eq(mix_share(order, low, high, 4, 0), 0, 1e-12);
	cr_expect_float_eq(mix_share(order, low, high, 4, 1), 0.5, 1e-12);
	cr_expect_float_eq(mix_share(order, low, high, 4, 2), 0.75, 1e-12);
	cr_expect_float_eq(mix_share(order, low, high, 4, 4), 1, 1e-12);
	cr_expect(isnan(mix_share(order, low, low, 4, 2)));
}

static struct qcodes mixed(const char *by, const char *format, const struct quant_input *in)
{
	struct err e = { 0 };
	struct qcodes q;

	cr_assert_eq(qcodes_alloc(&q, named(format), in->rows, in->cols, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(mix_quantize(quantizer_find(by), in, &q, NULL, &e), ST_OK, "%s", e.msg);
	return q;
}

Test(mix, inputs_with_large_activations_are_the_high_part)
{
	float *w = lib_weights(ROWS, COLS, 0.05, 3), *h = lib_moments(COLS, 4);
	struct quant_input in = lib_input(w, ROWS, COLS, h);
	struct qcodes q = mixed("gptq", "int4g128:1+int2g64", &in);
	bool seen[COLS] = { false };
	size_t loud = 0;

	for (size_t c = 0; c < COLS; c++) {
		cr_assert_lt(q.order[c], COLS);
		cr_assert_not(seen[q.order[c]], "input %d stands twice", q.order[c]);
		seen[q.order[c]] = true;
	}
	for (size_t c = 0; c < 32; c++) /* lib_moments: every tenth is four times as loud */
		loud += q.order[c] % 10 == 3;
	cr_assert_gt(loud, 26);
	qcodes_release(&q);
	big_free(w);
	big_free(h);
}

/* ---- codes */

Test(mix, error_falls_from_the_low_end_to_the_high_one)
{
	static const char *const names[] = { "int4g128:1+int2g64", "int4g128:3+int2g64",
		"int4g128:5+int2g64", "int4g128:7+int2g64" };
	static const char *const by[] = { "clip", "gptq" };
	float *w = lib_weights(ROWS, COLS, 0.05, 1), *h = lib_moments(COLS, 2);
	struct quant_input in = lib_input(w, ROWS, COLS, h);

	for (size_t b = 0; b < 2; b++) {
		struct qcodes low = lib_quantize(by[b], "int2g64", &in);
		struct qcodes high = lib_quantize(by[b], "int4g128", &in);
		double last = lib_error(&in, &low), least = lib_error(&in, &high);

		for (size_t i = 0; i < 4; i++) {
			struct qcodes q = mixed(by[b], names[i], &in);
			double error = lib_error(&in, &q);

			cr_expect_lt(
				error, last, "%s %s: %g after %g", by[b], names[i], error, last);
			last = error;
			qcodes_release(&q);
		}
		cr_expect_gt(last, 0.8 * least);
		qcodes_release(&low);
		qcodes_release(&high);
	}
	big_free(w);
	big_free(h);
}

/* With the inputs in their order beforehand and both parts of one width, gptq's two parts are
 * the plain format: what crosses from one to the other is right. */
Test(mix, gptq_over_two_parts_of_one_width_is_gptq_over_the_whole)
{
	float *w = lib_weights(ROWS, COLS, 0.05, 7), *h = lib_moments(COLS, 8);
	struct quant_input in = lib_input(w, ROWS, COLS, h);
	struct qcodes whole = lib_quantize("gptq", "int3g64", &in), q;
	struct format f = format_mix(format_int(3, 64), 4, format_int(3, 64));
	float a[COLS], b[COLS];
	struct err e = { 0 };

	cr_assert_eq(qcodes_alloc(&q, f, ROWS, COLS, &e), ST_OK);
	for (size_t c = 0; c < COLS; c++)
		q.order[c] = (uint16_t)c;
	cr_assert_eq(quantizer_find("gptq")->run(&in, &q, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t r = 0; r < ROWS; r++) {
		size_t off = 0;

		qcodes_row(&whole, r, a);
		qcodes_row(&q, r, b);
		/* Blocks are cut elsewhere: sums differ in their last bits, codes hardly. */
		for (size_t c = 0; c < COLS; c++)
			off += fabsf(a[c] - b[c]) > 1e-3F;
		cr_expect_lt(off, COLS / 10, "row %zu: %zu weights differ", r, off);
	}
	cr_expect_float_eq(lib_error(&in, &q) / lib_error(&in, &whole), 1, 0.02);
	qcodes_release(&whole);
	qcodes_release(&q);
	big_free(w);
	big_free(h);
}

Test(mix, a_linear_too_narrow_for_a_mix_is_refused)
{
	struct qcodes q;
	struct err e = { 0 };

	cr_assert_eq(qcodes_alloc(&q, named("int4g128:4+int2g64"), 8, 96, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "int4g128:4+int2g64 needs 128 to 65536 inputs, a linear of 8 x 96 "
				"has no such codes");
}

/* ---- products */

Test(mix, products_agree_with_the_dense_matrix_in_every_way, .timeout = 60)
{
	enum { M = 37, R = 83 };
	static const char *const names[] = { "int4g128:3+int2g64", "int8g32:1+int3g96",
		"int4g64:7+int1g128" };
	static const size_t tokens[] = { 1, 2, 7, 16, 37 };
	float *w = lib_weights(R, COLS, 0.05, 5), row[COLS];
	struct quant_input in = lib_input(w, R, COLS, NULL);
	static float x[M * (COLS + 3)], y[M * (R + 5)], dense[R * COLS];
	const struct backend *b;
	const char *way_name;
	struct rng r;

	rng_seed(&r, 9);
	pool_start(2);
	for (size_t i = 0; i < sizeof x / sizeof *x; i++)
		x[i] = (float)rng_normal(&r);
	for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
		struct qcodes q = mixed("minmax", names[f], &in);
		struct variant v;
		struct err e = { 0 };

		cr_assert_eq(variant_pack(&v, &q, NULL, 0, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(v.mat.type, MAT_MIX);
		cr_assert_eq(v.bytes, format_bytes(q.format, R, COLS));
		for (size_t k = 0; k < R; k++) {
			qcodes_row(&q, k, dense + k * COLS);
			mat_row_f32(&v.mat, k, row);
			cr_assert_arr_eq(row, dense + k * COLS, sizeof row);
		}
		for (size_t i = 0; (b = i ? way(i - 1, &way_name) : backend_find("ref")); i++)
			for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++) {
				struct mat some = mat_rows(&v.mat, 16, R - 16);
				float back[2 * COLS];

				backend_linear(b, y, R + 5, x, COLS + 3, tokens[t], &v.mat);
				for (size_t m = 0; m < tokens[t]; m++)
					for (size_t k = 0; k < R; k++) {
						double sum = 0;

						for (size_t c = 0; c < COLS; c++)
							sum += (double)x[m * (COLS + 3) + c] *
							       (double)dense[k * COLS + c];
						cr_assert_float_eq((double)y[m * (R + 5) + k], sum,
							2e-4, "%s, way %zu", names[f], i);
					}
				memset(back, 0, sizeof back);
				b->dequant(back, &some, 3, 2);
				cr_assert_arr_eq(back, dense + 19 * COLS, sizeof back);
				b->embed(back, &v.mat, (int32_t[]){ 80, 2 }, 2);
				cr_assert_arr_eq(back, dense + 80 * COLS, sizeof row);
				backend_linear(b, y, R + 5, x, COLS + 3, 1, &some);
				cr_assert(isfinite(y[R - 17]));
			}
		variant_release(&v);
		qcodes_release(&q);
	}
	pool_stop();
	big_free(w);
}

/* ---- layouts */

Test(mix, a_layout_file_holds_mixes)
{
	struct model *m = lib_demo("ref", 1);
	struct format f[3] = { format_int(2, 64), named("int4g128:3+int2g64"), { 0 } };
	struct layout l, back;
	struct err e = { 0 };

	layout_init(&l, m, f, 3);
	for (size_t i = 0; i < l.n; i++) {
		l.choice[i] = (uint8_t)(i % 3);
		l.by[i] = i % 3 == 1 ? quantizer_find("gptq") : NULL;
	}
	layout_count(&l, m);
	cr_assert_eq(layout_write(&l, tmp_path("mix.json"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(layout_read(&back, tmp_path("mix.json"), m, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(back.bytes, l.bytes);
	for (size_t i = 0; i < l.n; i++) {
		cr_expect(format_equal(back.format[back.choice[i]], f[l.choice[i]]));
		cr_expect_eq(back.by[i], l.by[i]);
	}
	layout_release(&l);
	layout_release(&back);
	model_free(m);
}
