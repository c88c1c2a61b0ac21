/* test_quant_format.c - names, lists and sizes of formats. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/variant.h"
#include "tests/lib_quant.h"

#define NOT   " is not a format: write bits and group as in int4g128, or keep"
#define GROUP ": the group must be a multiple of 32 up to 1048576, not "

Test(quant_format, names_are_read_or_refused_with_a_sentence)
{
	static const struct {
		const char *name;
		int bits;
		size_t group;
		const char *error;
	} some[] = {
		{ "int1g32", 1, 32, NULL },
		{ "int2g64", 2, 64, NULL },
		{ "int3g96", 3, 96, NULL },
		{ "int4g128", 4, 128, NULL },
		{ "int5g32", 5, 32, NULL },
		{ "int6g256", 6, 256, NULL },
		{ "int7g544", 7, 544, NULL },
		{ "int8g1024", 8, 1024, NULL },
		{ "int8g1048576", 8, 1048576, NULL },
		{ "keep", 0, 0, NULL },
		{ "", 0, 0, "\"\"" NOT },
		{ "int", 0, 0, "\"int\"" NOT },
		{ "int4", 0, 0, "\"int4\"" NOT },
		{ "int4g", 0, 0, "\"int4g\"" NOT },
		{ "intg64", 0, 0, "\"intg64\"" NOT },
		{ "int4g64x", 0, 0, "\"int4g64x\"" NOT },
		{ "int4g64 ", 0, 0, "\"int4g64 \"" NOT },
		{ " int4g64", 0, 0, "\" int4g64\"" NOT },
		{ "INT4G64", 0, 0, "\"INT4G64\"" NOT },
		{ "q4_0", 0, 0, "\"q4_0\"" NOT },
		{ "Keep", 0, 0, "\"Keep\"" NOT },
		{ "keep ", 0, 0, "\"keep \"" NOT },
		{ "int-4g64", 0, 0, "\"int-4g64\"" NOT },
		{ "int04g64", 0, 0, "\"int04g64\"" NOT },
		{ "int4g064", 0, 0, "\"int4g064\"" NOT },
		{ "int0g64", 0, 0, "\"int0g64\"" NOT },
		{ "int4g0", 0, 0, "\"int4g0\"" NOT },
		{ "int4g99999999999999999999", 0, 0, "\"int4g99999999999999999999\"" NOT },
		{ "int4g64,int2g64", 0, 0, "\"int4g64,int2g64\"" NOT },
		{ "\xc3\xa4nt4g64", 0, 0, NULL },
		{ "int9g64", 0, 0, "format int9g64: bits go from 1 to 8, not 9" },
		{ "int16g64", 0, 0, "format int16g64: bits go from 1 to 8, not 16" },
		{ "int4g100", 0, 0, "format int4g100" GROUP "100" },
		{ "int4g16", 0, 0, "format int4g16" GROUP "16" },
		{ "int4g33", 0, 0, "format int4g33" GROUP "33" },
		{ "int4g1048608", 0, 0, "format int4g1048608" GROUP "1048608" },
	};

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct format f = format_int(77, 77);
		struct err e = { 0 };
		enum st st = format_parse(&f, some[i].name, &e);
		char back[FORMAT_NAME];

		if (some[i].error || !strncmp(some[i].name, "\xc3", 1)) {
			cr_expect_eq(st, ST_INVALID, "%s", some[i].name);
			if (some[i].error)
				cr_expect_str_eq(e.msg, some[i].error);
			cr_expect_eq(f.bits, 77, "%s: touched", some[i].name);
			continue;
		}
		cr_expect_eq(st, ST_OK, "%s: %s", some[i].name, e.msg);
		cr_expect(format_equal(f, format_int(some[i].bits, some[i].group)));
		cr_expect_str_eq(format_name(f, back), some[i].name);
	}
}

Test(quant_format, a_list_is_sorted_by_stored_bits_and_keep_stands_last)
{
	struct format f[FORMAT_MAX];
	char names[128] = "", name[FORMAT_NAME];
	struct err e = { 0 };
	size_t n;

	cr_assert_eq(format_list(f, &n, "keep, int8g128,int4g128 ,int2g32,int2g64,int3g64", &e),
		ST_OK, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(names, format_name(f[i], name)), " ");
	cr_assert_str_eq(names, "int2g64 int2g32 int3g64 int4g128 int8g128 keep ");
	cr_assert_eq(format_list(f, &n, "int4g128", &e), ST_OK);
	cr_assert_eq(n, 1);
}

Test(quant_format, a_bad_list_is_refused_with_a_sentence)
{
	static const char *const bad[][2] = {
		{ "", "the list of formats \"\" has an empty name: write int2g64,int4g128" },
		{ "int2g64,", "the list of formats \"int2g64,\" has an empty name: write "
			      "int2g64,int4g128" },
		{ ",keep",
			"the list of formats \",keep\" has an empty name: write int2g64,int4g128" },
		{ "int2g64,int2g64", "format int2g64 is named twice" },
		{ "keep,int2g64,keep", "format keep is named twice" },
		{ "int2g64,foo", "\"foo\"" NOT },
		{ "int2g64 int4g64", "\"int2g64 int4g64\"" NOT },
		{ "int1g32,int2g32,int3g32,int4g32,int5g32,int6g32,int7g32,int8g32,"
		  "int1g64,int2g64,int3g64,int4g64,int5g64,int6g64,int7g64,int8g64,keep",
			"at most 16 formats, "
			"\"int1g32,int2g32,int3g32,int4g32,int5g32,int6g32,int7g32,"
			"int8g32,int1g64,int2g64,\" names more" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaa",
			"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is not a format" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct format f[FORMAT_MAX];
		struct err e = { 0 };
		size_t n = 99;

		cr_expect_eq(format_list(f, &n, bad[i][0], &e), ST_INVALID, "%s", bad[i][0]);
		cr_expect_str_eq(e.msg, bad[i][1]);
		cr_expect_eq(n, 99);
	}
}

Test(quant_format, stored_bytes_count_codes_and_statistics_of_every_group)
{
	/* 576 = 4 * 128 + 64: five groups */
	cr_assert_eq(format_bytes(format_int(4, 128), 10, 576), 10 * (288 + 5 * 4));
	cr_assert_eq(format_bytes(format_int(3, 64), 7, 65), 7 * (25 + 2 * 4));
	cr_assert_eq(format_bytes(format_int(1, 32), 1, 1), 1 + 4);
	cr_assert_float_eq(format_nominal(format_int(2, 64)), 2.0625, 1e-12);
}

Test(quant_format, a_packed_variant_runs_as_its_codes_say)
{
	enum { ROWS = 19, COLS = 130 };
	float *w = lib_weights(ROWS, COLS, 0.05, 1), want[COLS], got[COLS];
	struct quant_input in = { .w = w, .rows = ROWS, .cols = COLS };
	static const char *const names[] = { "int1g32", "int3g64", "int4g128", "int7g96",
		"int8g160" };
	struct variant_set set;
	struct format f[5];
	struct err e = { 0 };

	for (int i = 0; i < 5; i++)
		cr_assert_eq(format_parse(&f[i], names[i], &e), ST_OK);
	cr_assert_eq(variant_set_alloc(&set, 2, f, 5, &e), ST_OK);
	for (size_t i = 0; i < 5; i++) {
		struct qcodes q = lib_quantize("minmax", names[i], &in);
		struct variant *v = variant_at(&set, 1, i);

		cr_assert_null(v->mat.data);
		cr_assert_eq(
			variant_pack(v, &q, quantizer_find("minmax"), 0.5, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(v->bytes, format_bytes(f[i], ROWS, COLS));
		cr_assert_eq((uintptr_t)v->mat.data % 64, 0);
		for (size_t r = 0; r < ROWS; r++) {
			qcodes_row(&q, r, want);
			mat_row_f32(&v->mat, r, got);
			cr_assert(!memcmp(want, got, sizeof want), "%s row %zu", names[i], r);
		}
		qcodes_release(&q);
	}
	variant_set_release(&set);
	cr_assert_eq(variant_set_alloc(&set, 2, f, 0, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "a dial has 1 to 16 formats, not 0");
	big_free(w);
}

Test(quant_format, keep_and_empty_linears_have_no_codes)
{
	struct qcodes q;
	struct err e = { 0 };

	cr_assert_eq(qcodes_alloc(&q, (struct format){ 0 }, 4, 4, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "keep has no codes");
	cr_assert_eq(qcodes_alloc(&q, format_int(4, 64), 0, 4, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "a linear of 0 x 4 has no codes");
}
