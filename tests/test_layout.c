/* test_layout.c - layouts: what they add up to, their file, files that are wrong. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/quant/layout.h"
#include "core/quant/quantizer.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"

static struct layout seeded(const struct model *m)
{
	static const struct format f[] = { { .bits = 2, .group = 64 }, { .bits = 4, .group = 128 },
		{ 0 } };
	struct layout l;

	layout_init(&l, m, f, 3);
	for (size_t i = 0; i < l.n; i++) {
		l.choice[i] = (uint8_t)(i * 5 % 3);
		l.by[i] = l.choice[i] == 2 ? NULL : quantizer_find(i % 2 ? "gptq" : "hqq");
	}
	layout_count(&l, m);
	l.predicted_kl = 0.296;
	l.predicted_se = 0.0125;
	return l;
}

static bool same(const struct layout *a, const struct layout *b)
{
	if (a->n != b->n || a->k != b->k || a->bytes != b->bytes || a->weights != b->weights)
		return false;
	for (size_t i = 0; i < a->k; i++)
		if (!format_equal(a->format[i], b->format[i]))
			return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->choice[i] != b->choice[i] || a->by[i] != b->by[i])
			return false;
	return !strcmp(a->model_name, b->model_name) && !strcmp(a->model_sha, b->model_sha);
}

Test(layout, sizes_add_up)
{
	struct model *m = lib_demo("ref", 1);
	struct layout l = seeded(m), copy;
	uint64_t bytes = 0, kept = 0, weights = 0;
	double nominal = 0;

	for (size_t i = 0; i < l.n; i++) {
		const struct linear *w = &m->linear[i];
		struct format f = l.format[l.choice[i]];

		bytes += l.choice[i] == 2 ? w->file_bytes : format_bytes(f, w->rows, w->cols);
		nominal += l.choice[i] == 2
				   ? (w->ref.bits + 4.0 / (double)w->ref.group) *
					     (double)(w->rows * w->cols)
				   : (f.bits + 4.0 / (double)f.group) * (double)(w->rows * w->cols);
		kept += w->file_bytes;
		weights += w->rows * w->cols;
	}
	cr_assert_eq(l.n, m->n_linears);
	cr_assert_eq(l.weights, weights);
	cr_assert_eq(l.bytes, bytes);
	cr_assert_float_eq(layout_stored_bpw(&l), (double)bytes * 8 / (double)weights, 1e-12);
	cr_assert_float_eq(layout_nominal_bpw(&l, m), nominal / (double)weights, 1e-9);
	cr_assert_eq(layout_file_bytes(&l, m), m->ck->file_bytes - kept + bytes);
	layout_copy(&copy, &l);
	cr_assert(same(&l, &copy));
	copy.choice[0] ^= 1;
	cr_assert_neq(copy.choice[0], l.choice[0]);
	layout_release(&copy);
	layout_release(&l);
	model_free(m);
}

Test(layout, a_file_reads_back_as_it_was_written)
{
	struct model *m = lib_demo("ref", 1);
	struct layout l = seeded(m), back;
	const char *path = tmp_path("layout.json");
	struct err e = { 0 };

	cr_assert_eq(layout_write(&l, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(layout_read(&back, path, m, &e), ST_OK, "%s", e.msg);
	cr_assert(same(&l, &back));
	cr_assert_eq(back.predicted_kl, 0.296);
	cr_assert_eq(back.predicted_se, 0.0125);
	layout_release(&back);

	cr_assert_eq(layout_read(&back, path, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(same(&l, &back));
	layout_release(&back);

	l.predicted_kl = l.predicted_se = NAN;
	cr_assert_eq(layout_write(&l, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(layout_read(&back, path, m, &e), ST_OK, "%s", e.msg);
	cr_assert(isnan(back.predicted_kl) && isnan(back.predicted_se));
	layout_release(&back);
	layout_release(&l);
	model_free(m);
}

/* ---- files by hand, for a model of one block */

static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#define HEAD                                                                     \
	"{\"v\":1,\"model\":{\"name\":\"tiny\",\"sha256\":"                      \
	"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}," \
	"\"formats\":[\"int2g64\",\"keep\"],\"bytes\":1000,\"stored_bpw\":4.5,"
#define ONE(name) "\"layers.0." name "\":{\"format\":\"keep\"}"
#define SIX       ONE("k") "," ONE("v") "," ONE("o") "," ONE("gate") "," ONE("up") "," ONE("down")
#define ALL       "\"linears\":{" ONE("q") "," SIX "}"

static struct model tiny(struct checkpoint *ck, struct linear linears[7])
{
	struct model m = { .ck = ck, .n_linears = 7, .linear = linears };

	*ck = (struct checkpoint){ .name = "tiny", .file_bytes = 5000 };
	strcpy(ck->header_sha256, sha);
	for (size_t i = 0; i < 7; i++) {
		linears[i] = (struct linear){ .rows = 8, .cols = 64, .file_bytes = 300 };
		m.weights += 8 * 64;
	}
	return m;
}

Test(layout, unknown_fields_and_missing_options_are_fine_and_numbers_are_counted_again)
{
	struct checkpoint ck;
	struct linear linears[7];
	struct model m = tiny(&ck, linears);
	const char *path = tmp_path("l.json"),
		   *text = HEAD "\"who\":[1,{}],\"predicted\":{\"kl\":1,\"se\":null}," ALL "}";
	struct layout l;
	struct err e = { 0 };

	tmp_write(path, text, strlen(text));
	cr_assert_eq(layout_read(&l, path, &m, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(l.bytes, 2100);
	cr_assert_eq(l.weights, 7 * 512);
	cr_assert(isnan(l.predicted_kl)); /* was that of 1000 bytes */
	cr_assert_null(l.by[3]);
	layout_release(&l);
	cr_assert_eq(layout_read(&l, path, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(l.bytes, 1000);
	cr_assert_eq(l.predicted_kl, 1);
	cr_assert(isnan(l.predicted_se));
	layout_release(&l);
}

Test(layout, bad_files_are_refused_with_a_sentence)
{
	static const char *const bad[][2] = {
		{ "", "l.json: byte 0: the text ends too early" },
		{ "[1]", "l.json: expected a JSON object" },
		{ "{}", "l.json: .v: expected an integer from 1 to 4294967295, got nothing" },
		{ "{\"v\":2}", "l.json: .v: layout version 2 is newer than this program knows (1): "
			       "update bitdial" },
		{ "{\"v\":1}", "l.json: .model: expected an object with name and sha256" },
		{ "{\"v\":1,\"model\":{\"name\":\"x\",\"sha256\":\"12\"}}",
			"l.json: .model.sha256: expected 64 lower-case hexadecimal digits" },
		{ "{\"v\":1,\"model\":{\"name\":\"other\",\"sha256\":"
		  "\"ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}}",
			"l.json: made for the model other, not for tiny: open that model, or "
			"search again" },
		{ HEAD "\"linears\":[]}",
			"l.json: .linears: expected an object with the format of each linear" },
		{ HEAD "\"linears\":{}}",
			"l.json: .linears: expected an object with the format of each linear" },
		{ HEAD "\"linears\":{" SIX "}}", "l.json: .linears: layers.0.q is missing" },
		{ HEAD "\"linears\":{" ONE("q") "," ONE("q") "," SIX "}}",
			"l.json: .linears.layers.0.q: given twice" },
		{ HEAD "\"linears\":{" ONE("query") "," SIX "}}",
			"l.json: .linears[\"layers.0.query\"]: this model has no such linear" },
		{ HEAD "\"linears\":{\"layers.1.q\":{\"format\":\"keep\"}," SIX "}}",
			"l.json: .linears[\"layers.1.q\"]: this model has no such linear" },
		{ HEAD "\"linears\":{\"layers.0.q\":7," SIX "}}",
			"l.json: .linears[\"layers.0.q\"]: expected an object with format and "
			"quantizer" },
		{ HEAD "\"linears\":{\"layers.0.q\":{}," SIX "}}",
			"l.json: .linears[\"layers.0.q\"].format: expected a string, got nothing" },
		{ HEAD "\"linears\":{\"layers.0.q\":{\"format\":\"int4g64\"}," SIX "}}",
			"l.json: .linears[\"layers.0.q\"].format: int4g64 is not in .formats" },
		{ HEAD "\"linears\":{\"layers.0.q\":{\"format\":\"q4\"}," SIX "}}",
			"l.json: .linears[\"layers.0.q\"].format: \"q4\" is not a format: write "
			"bits and "
			"group as in int4g128, or keep" },
		{ HEAD "\"linears\":{\"layers.0.q\":{\"format\":\"keep\",\"quantizer\":\"awq\"}"
		       "," SIX "}}",
			"l.json: .linears[\"layers.0.q\"].quantizer: \"awq\" is not minmax, clip, "
			"hqq or "
			"gptq" },
		{ HEAD "\"formats\":[]," ALL "}", "l.json: .formats: given twice" },
		{ HEAD "\"predicted\":3," ALL "}",
			"l.json: .predicted: expected an object with kl and se" },
	};
	struct checkpoint ck;
	struct linear linears[7];
	struct model m = tiny(&ck, linears);
	const char *path = tmp_path("l.json");

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct layout l;
		struct err e = { 0 };

		tmp_write(path, bad[i][0], strlen(bad[i][0]));
		cr_expect_neq(layout_read(&l, path, &m, &e), ST_OK, "%s", bad[i][0]);
		cr_expect_str_eq(e.msg, bad[i][1]);
	}
}

/* One field of a good file replaced. */
Test(layout, bad_fields_are_refused_with_a_sentence)
{
	static const char *const bad[][3] = {
		{ "\"formats\":[\"int2g64\",\"keep\"]", "\"formats\":[]",
			"l.json: .formats: expected a list of formats" },
		{ "\"keep\"]", "4]", "l.json: .formats[1]: expected a format" },
		{ "\"keep\"]", "\"int2g64\"]", "l.json: .formats[1]: named twice" },
		{ "\"keep\"]", "\"int9g32\"]",
			"l.json: .formats[1]: format int9g32: bits go from 1 to 8, not 9" },
		{ "\"keep\"]",
			"\"int1g32\",\"int2g32\",\"int3g32\",\"int4g32\",\"int5g32\",\"int6g32\","
			"\"int7g32\",\"int1g64\",\"int3g64\",\"int4g64\",\"int5g64\",\"int6g64\","
			"\"int7g64\",\"int8g64\",\"int8g32\",\"keep\"]",
			"l.json: .formats: more than 16 formats" },
		{ "\"bytes\":1000", "\"bytes\":-1",
			"l.json: .bytes: expected an integer from 1 to 1125899906842624, got "
			"-1" },
		{ "4.5", "0", "l.json: .stored_bpw: expected a number from 0.01 to 64, got 0" },
		{ "\"name\":\"tiny\",", "", "l.json: .model.name: expected a string, got nothing" },
	};
	const char *good = HEAD ALL "}", *path = tmp_path("l.json");
	struct checkpoint ck;
	struct linear linears[7];
	struct model m = tiny(&ck, linears);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *at = strstr(good, bad[i][0]);
		char *text = xprintf(
			"%.*s%s%s", (int)(at - good), good, bad[i][1], at + strlen(bad[i][0]));
		struct layout l;
		struct err e = { 0 };

		tmp_write(path, text, strlen(text));
		cr_expect_neq(layout_read(&l, path, &m, &e), ST_OK, "%s", text);
		cr_expect_str_eq(e.msg, bad[i][2]);
		xfree(text);
	}
}

Test(layout, a_file_without_its_model_must_name_all_linears_of_some_model)
{
	static const char text[] =
		HEAD "\"linears\":{" ONE("q") "," ONE("k") ",\"layers.9.o\":"
							   "{\"format\":\"keep\"}}}";
	const char *path = tmp_path("l.json");
	struct layout l;
	struct err e = { 0 };

	tmp_write(path, text, sizeof text - 1);
	cr_assert_eq(layout_read(&l, path, NULL, &e), ST_FORMAT);
	cr_assert_str_eq(e.msg, "l.json: .linears[\"layers.9.o\"]: no linear of a model with as "
				"many as are listed");
}

Test(layout, any_failing_call_leaves_the_old_file)
{
	struct model *m = lib_demo("ref", 1);
	struct layout l = seeded(m), back;
	const char *path = tmp_path("layout.json");
	struct err e = { 0 };
	enum st st = ST_IO;

	cr_assert_eq(layout_write(&l, path, &e), ST_OK);
	l.choice[0] = 1;
	for (unsigned long n = 1; st && n < 100; n++) {
		fs_fail_at(n, 28); /* ENOSPC */
		st = layout_write(&l, path, &e);
		fs_fail_at(0, 0);
		cr_assert_eq(tmp_entries(), 1);
		cr_assert_eq(layout_read(&back, path, m, &e), ST_OK, "%s", e.msg);
		layout_release(&back);
	}
	cr_assert_eq(st, ST_OK);
	layout_release(&l);
	model_free(m);
}
