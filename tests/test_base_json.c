/* test_base_json.c - documents, getters and their sentences, writing, the pull parser. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "tests/lib_base.h"

static enum st parse(struct json *j, const char *s, struct err *e)
{
	return json_parse(j, "config.json", s, strlen(s), e);
}

/* ---- documents */

Test(json, what_is_not_strict_json_is_refused_with_its_place)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "", "config.json: byte 0: the text ends too early" },
		{ "  ", "config.json: byte 2: the text ends too early" },
		{ "{", "config.json: byte 1: the text ends too early" },
		{ "{\"a\":1", "config.json: byte 6: the text ends too early" },
		{ "{\"a\":1}x", "config.json: byte 7: something after the value" },
		{ "{} {}", "config.json: byte 3: something after the value" },
		{ "{\"a\" 1}", "config.json: byte 5: a colon was expected after the key" },
		{ "{a:1}", "config.json: byte 1: a key in quotes was expected" },
		{ "{\"a\":1,}", "config.json: byte 7: a key in quotes was expected" },
		{ "[1,]", "config.json: byte 3: not a JSON value" },
		{ "[1 2]", "config.json: byte 3: a comma or the end was expected" },
		{ "[1}", "config.json: byte 2: a bracket of the other kind" },
		{ "{\"a\":1]", "config.json: byte 6: a bracket of the other kind" },
		{ "[01]", "config.json: byte 1: not a number as JSON writes them" },
		{ "[1.]", "config.json: byte 1: not a number as JSON writes them" },
		{ "[-]", "config.json: byte 1: not a number as JSON writes them" },
		{ "[1e]", "config.json: byte 1: not a number as JSON writes them" },
		{ "[.5]", "config.json: byte 1: not a JSON value" },
		{ "[+1]", "config.json: byte 1: not a JSON value" },
		{ "[NaN]", "config.json: byte 1: not a JSON value" },
		{ "[Infinity]", "config.json: byte 1: not a JSON value" },
		{ "[nul]", "config.json: byte 1: not a JSON value" },
		{ "[1e999]", "config.json: byte 1: a number beyond what a double holds" },
		{ "[\"a\nb\"]", "config.json: byte 3: a control character inside a string" },
		{ "[\"a", "config.json: byte 1: a string that does not end" },
		{ "[\"\\", "config.json: byte 3: the text ends inside a string" },
		{ "[\"\\x41\"]", "config.json: byte 3: an escape that JSON does not have" },
		{ "[\"\\u12\"]", "config.json: byte 3: \\u wants four hexadecimal digits" },
		{ "[\"\\ud800\"]", "config.json: byte 2: half of a surrogate pair" },
		{ "[\"\\udc00\"]", "config.json: byte 2: half of a surrogate pair" },
		{ "[\"\\ud800\\u0041\"]", "config.json: byte 2: half of a surrogate pair" },
		{ "[\"\\u0000\"]", "config.json: byte 9: \\u0000 inside a string" },
		{ "{\"\\u0000\":1}", "config.json: byte 10: \\u0000 inside a string" },
		{ "[\"\xc3(\"]", "config.json: byte 2: not UTF-8" },
		{ "[\"\xed\xa0\x80\"]", "config.json: byte 2: not UTF-8" },
		{ "\xef\xbb\xbf{}", "config.json: byte 0: not a JSON value" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "config.json: .a: given twice" },
		{ "{\"x\":{\"y\":[0,{\"a\":1,\"a\":1}]}}", "config.json: .x.y[1].a: given twice" },
		{ "{\"a\":1,\"\\u0061\":2}", "config.json: .a: given twice" },
		{ "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
			"config.json: byte 16: nested more than 16 deep" },
		{ "//\n{}", "config.json: byte 0: not a JSON value" },
		{ "{'a':1}", "config.json: byte 1: a key in quotes was expected" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };
		struct json j;

		cr_assert_eq(parse(&j, bad[i].text, &e), ST_FORMAT, "%s", bad[i].text);
		cr_assert_str_eq(e.msg, bad[i].msg, "%s: %s", bad[i].text, e.msg);
		cr_assert_null(j.root);
	}
}

Test(json, valid_documents_of_all_shapes_are_read)
{
	static const char *const good[] = { "{}", "[]", "1", "\"x\"", "null", " true ", "[-0]",
		"[1e-400]", "[0.5E+3]", "\t[1,\r\n2]", "{\"a\":{\"a\":{\"a\":1}}}",
		"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "[\"\\ud83d\\ude00\"]", "{\"A\":1,\"a\":2}",
		"[1000000000000000019884624838656]" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct err e = { 0 };
		struct json j;

		cr_assert_eq(parse(&j, good[i], &e), ST_OK, "%s: %s", good[i], e.msg);
		json_release(&j);
	}
}

Test(json, duplicates_are_found_among_many_keys)
{
	struct json_out o;
	struct err e = { 0 };
	struct json j;
	char key[16];

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	for (int i = 0; i < 3000; i++) {
		snprintf(key, sizeof key, "k%d", i * 7919 % 3000);
		json_put_i64(&o, key, i);
	}
	json_close(&o, '}');
	cr_assert_eq(json_parse(&j, "x.json", o.s, o.n, &e), ST_OK, "%s", e.msg);
	json_release(&j);
	o.s[o.n - 1] = ',';
	o.n--;
	o.s[o.n] = '\0';
	{
		char *again = xprintf("%s,\"k1234\":0}", o.s);

		cr_assert_eq(json_parse(&j, "x.json", again, strlen(again), &e), ST_FORMAT);
		cr_assert_str_eq(e.msg, "x.json: .k1234: given twice");
		alloc_fail_at(2, true); /* the parser's buffer, then the sorted keys */
		cr_assert_eq(json_parse(&j, "x.json", again, strlen(again), &e), ST_NOMEM);
		alloc_fail_at(0, false);
		xfree(again);
	}
	json_out_release(&o);
}

Test(json, a_file_is_named_by_its_last_part)
{
	const char *path = tmp_path("config.json");
	struct err e;
	struct json j;

	tmp_write(path, "{\"a\":}", 6);
	cr_assert_eq(json_load(&j, path, 100, &e), ST_FORMAT);
	cr_assert_str_eq(e.msg, "config.json: byte 5: not a JSON value");
	tmp_write(path, "{\"a\":1}", 7);
	cr_assert_eq(json_load(&j, path, 6, &e), ST_INVALID);
	cr_assert_eq(json_load(&j, path, 7, &e), ST_OK);
	json_release(&j);
	cr_assert_eq(json_load(&j, tmp_path("none"), 7, &e), ST_IO);
}

/* ---- getters */

Test(json, getters_say_file_path_expectation_and_finding)
{
	static const char doc[] = "{\"rope_theta\":\"x\",\"n\":-1,\"h\":2.5,\"b\":1,\"s\":true,"
				  "\"big\":9007199254740993,\"o\":{\"k\":null},\"l\":[],\"z\":0}";
	struct err e;
	struct json j;
	uint64_t u;
	double d;
	bool b;
	const char *s;

	cr_assert_eq(parse(&j, doc, &e), ST_OK);
#define SAYS(call, text)                                    \
	do {                                                \
		cr_assert_eq(call, ST_FORMAT);              \
		cr_assert_str_eq(e.msg, text, "%s", e.msg); \
	} while (0)
	SAYS(json_get_f64(&j, j.root, "", "rope_theta", DBL_MIN, DBL_MAX, &d, &e),
		"config.json: .rope_theta: expected a finite number above 0, got a string");
	SAYS(json_get_f64(&j, j.root, "", "z", DBL_MIN, DBL_MAX, &d, &e),
		"config.json: .z: expected a finite number above 0, got 0");
	SAYS(json_get_f64(&j, j.root, "", "h", -1, 1, &d, &e),
		"config.json: .h: expected a number from -1 to 1, got 2.5");
	SAYS(json_get_f64(&j, j.root, "", "n", 0, DBL_MAX, &d, &e),
		"config.json: .n: expected a finite number of at least 0, got -1");
	SAYS(json_get_f64(&j, j.root, "", "l", -DBL_MAX, DBL_MAX, &d, &e),
		"config.json: .l: expected a finite number, got an array");
	SAYS(json_get_u64(&j, j.root, "", "n", 0, 100, &u, &e),
		"config.json: .n: expected an integer from 0 to 100, got -1");
	SAYS(json_get_u64(&j, j.root, "", "h", 1, 100, &u, &e),
		"config.json: .h: expected an integer from 1 to 100, got 2.5");
	SAYS(json_get_u64(&j, j.root, "", "z", 1, 100, &u, &e),
		"config.json: .z: expected an integer from 1 to 100, got 0");
	SAYS(json_get_u64(&j, j.root, "", "big", 0, UINT64_MAX, &u, &e),
		"config.json: .big: expected an integer from 0 to below 2^53, got "
		"9007199254740992");
	SAYS(json_get_u64(&j, j.root, "", "N", 0, 9, &u, &e),
		"config.json: .N: expected an integer from 0 to 9, got nothing");
	SAYS(json_get_u64(&j, json_member(j.root, "o"), ".o", "k", 0, 9, &u, &e),
		"config.json: .o.k: expected an integer from 0 to 9, got null");
	SAYS(json_get_str(&j, j.root, "", "s", &s, &e),
		"config.json: .s: expected a string, got true");
	SAYS(json_get_str(&j, j.root, "", "o", &s, &e),
		"config.json: .o: expected a string, got an object");
	SAYS(json_get_bool(&j, j.root, "", "b", &b, &e),
		"config.json: .b: expected true or false, got 1");
#undef SAYS
	cr_assert_eq(json_get_u64(&j, j.root, "", "b", 0, 9, &u, NULL), ST_OK);
	cr_assert_eq(u, 1);
	cr_assert_eq(json_get_f64(&j, j.root, "", "h", 0, 3, &d, NULL), ST_OK);
	cr_assert_eq(d, 2.5);
	cr_assert_eq(json_get_bool(&j, j.root, "", "s", &b, NULL), ST_OK);
	cr_assert(b);
	cr_assert_eq(json_get_str(&j, j.root, "", "rope_theta", &s, NULL), ST_OK);
	cr_assert_str_eq(s, "x");
	json_release(&j);
}

/* ---- writing */

static void put_example(struct json_out *o)
{
	json_open(o, NULL, '{');
	json_put_i64(o, "v", 1);
	json_open(o, "list", '[');
	json_put_f64(o, NULL, 0.5);
	json_put_f64(o, NULL, NAN);
	json_put_null(o, NULL);
	json_close(o, ']');
	json_open(o, "none", '{');
	json_close(o, '}');
	json_put_bool(o, "yes", true);
	json_put_str(o, "s", "a\"\\\n\x1f\x7f\xc3\xa9\xff");
	json_close(o, '}');
}

Test(json_out, documents_come_out_in_both_forms)
{
	struct json_out o;
	struct json j;
	struct err e = { 0 };

	json_out_init(&o, false);
	put_example(&o);
	cr_assert_str_eq(o.s, "{\"v\":1,\"list\":[0.5,null,null],\"none\":{},\"yes\":true,"
			      "\"s\":\"a\\\"\\\\\\n\\u001f\\u007f\xc3\xa9\xef\xbf\xbd\"}");
	cr_assert_eq(parse(&j, o.s, &e), ST_OK, "%s", e.msg);
	json_release(&j);
	json_out_release(&o);
	json_out_init(&o, true);
	put_example(&o);
	cr_assert_eq(strncmp(o.s, "{\n  \"v\": 1,\n  \"list\": [\n    0.5,\n    null,", 40), 0);
	cr_assert(strstr(o.s, "\"none\": {},\n"));
	cr_assert_eq(parse(&j, o.s, &e), ST_OK, "%s", e.msg);
	json_release(&j);
	json_out_release(&o);
}

Test(json_out, seconds_have_six_decimals_at_most)
{
	static const struct {
		double v;
		const char *want;
	} of[] = { { 0, "{\"t\":0}" }, { 1.5, "{\"t\":1.5}" }, { 100, "{\"t\":100}" },
		{ 0.035085123456, "{\"t\":0.035085}" }, { 1e-9, "{\"t\":0}" },
		{ (double)NAN, "{\"t\":null}" }, { 1e300, "{\"t\":1e+300}" } };

	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		struct json_out o;

		json_out_init(&o, false);
		json_open(&o, NULL, '{');
		json_put_fixed(&o, "t", of[i].v);
		json_close(&o, '}');
		cr_expect_str_eq(o.s, of[i].want);
		json_out_release(&o);
	}
}

Test(json_out, every_double_reads_back_and_short_ones_stay_short)
{
	static const struct {
		double v;
		const char *text;
	} t[] = {
		{ 0.1, "0.1" },
		{ 1e5, "100000" },
		{ 3.6, "3.6" },
		{ -0.0, "-0" },
		{ 1.0 / 3, "0.33333333333333331" },
		{ 123456789, "123456789" },
	};
	char out[32];
	struct rng r;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		json_f64(out, t[i].v);
		cr_assert_str_eq(out, t[i].text);
	}
	rng_seed(&r, 2);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = rng_u64(&r);
		double d;

		memcpy(&d, &bits, sizeof d);
		if (!isfinite(d))
			continue;
		cr_assert_lt(json_f64(out, d), 32);
		cr_assert_eq(strtod(out, NULL), d);
	}
}

/* ---- the pull parser */

Test(jpull, tokens_come_in_order)
{
	static const char doc[] =
		" {\"a\\n\\u00e9\\ud83d\\ude00\" : [1, -2.5e1,true,false ,null,\"x\"],"
		"\"b\":{},\"c\":[]} ";
	static const enum jtok want[] = { JT_OBJECT, JT_KEY, JT_ARRAY, JT_NUMBER, JT_NUMBER,
		JT_TRUE, JT_FALSE, JT_NULL, JT_STRING, JT_ARRAY_END, JT_KEY, JT_OBJECT,
		JT_OBJECT_END, JT_KEY, JT_ARRAY, JT_ARRAY_END, JT_OBJECT_END, JT_END, JT_END };
	struct jpull p;

	jpull_init(&p, "t", doc, strlen(doc));
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		cr_assert_eq(jpull_next(&p), want[i], "token %zu: %s", i, p.err.msg);
		if (i == 1)
			cr_assert_str_eq(p.text, "a\n\xc3\xa9\xf0\x9f\x98\x80");
		if (i == 3)
			cr_assert(p.is_u64 && p.u64 == 1 && p.number == 1);
		if (i == 4)
			cr_assert(!p.is_u64 && p.number == -25);
		if (i == 8)
			cr_assert(p.len == 1 && !strcmp(p.text, "x"));
	}
	jpull_release(&p);
}

Test(jpull, integers_are_exact_up_to_64_bits)
{
	static const char doc[] =
		"[18446744073709551615,18446744073709551616,9007199254740993,0,-1,1.0,"
		"1e2]";
	static const struct {
		bool is_u64;
		uint64_t u64;
		double number;
	} want[] = { { true, UINT64_MAX, 18446744073709551615.0 },
		{ false, 0, 18446744073709551616.0 },
		{ true, 9007199254740993, 9007199254740992.0 }, { true, 0, 0 }, { false, 0, -1 },
		{ false, 0, 1 }, { false, 0, 100 } };
	struct jpull p;

	jpull_init(&p, "t", doc, strlen(doc));
	cr_assert_eq(jpull_next(&p), JT_ARRAY);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		cr_assert_eq(jpull_next(&p), JT_NUMBER);
		cr_assert_eq(p.is_u64, want[i].is_u64, "number %zu", i);
		cr_assert_eq(p.u64, want[i].u64, "number %zu", i);
		cr_assert_eq(p.number, want[i].number, "number %zu", i);
	}
	jpull_release(&p);
}

Test(jpull, a_bad_text_stays_bad_and_long_numbers_are_refused)
{
	char doc[100] = "[";
	struct jpull p;

	memset(doc + 1, '1', 64);
	strcpy(doc + 65, "]");
	jpull_init(&p, "t", doc, strlen(doc));
	cr_assert_eq(jpull_next(&p), JT_ARRAY);
	cr_assert_eq(jpull_next(&p), JT_BAD);
	cr_assert_str_eq(p.err.msg, "t: byte 1: a number of more than 63 characters");
	cr_assert_eq(jpull_next(&p), JT_BAD);
	cr_assert_eq(jpull_skip(&p, NULL), ST_FORMAT);
	jpull_release(&p);
}

Test(jpull, one_whole_value_is_skipped)
{
	static const char doc[] = "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":[]},\"e\":5}";
	struct err e = { 0 };
	struct jpull p;

	jpull_init(&p, "t", doc, strlen(doc));
	cr_assert_eq(jpull_next(&p), JT_OBJECT);
	cr_assert_eq(jpull_next(&p), JT_KEY);
	cr_assert_eq(jpull_skip(&p, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(jpull_next(&p), JT_KEY);
	cr_assert_str_eq(p.text, "e");
	cr_assert_eq(jpull_skip(&p, &e), ST_OK);
	cr_assert_eq(jpull_next(&p), JT_OBJECT_END);
	cr_assert_eq(jpull_next(&p), JT_END);
	cr_assert_eq(jpull_skip(&p, &e), ST_FORMAT);
	jpull_release(&p);
	jpull_init(&p, "t", "[]", 2);
	cr_assert_eq(jpull_next(&p), JT_ARRAY);
	cr_assert_eq(jpull_skip(&p, &e), ST_FORMAT); /* there is no value to skip */
	jpull_release(&p);
}

Test(jpull, want_of_memory_is_an_answer)
{
	struct jpull p;

	jpull_init(&p, "t", "\"long enough\"", 13);
	alloc_fail_at(1, false);
	cr_assert_eq(jpull_next(&p), JT_BAD);
	cr_assert_eq(p.err.st, ST_NOMEM);
	jpull_release(&p);
}

/* A valid document with a byte changed, cut, or put in: never a crash, and what is
 * accepted is a whole document by cJSON's reading, too.  The copy has no slack, so
 * that a sanitizer sees each byte read past the end. */
Test(jpull, damaged_documents_do_no_harm)
{
	static const char doc[] =
		"{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F16\",\"shape\":"
		"[2,3],\"data_offsets\":[0,12]},\"\\u00e9\\\\\":[-1.5e3,true,null]}";
	static const char bytes[] = "\"\\{}[],:0-.eEtfn u\x00\x1f\x80\xc3\xff";
	struct rng r;

	rng_seed(&r, 9);
	for (int round = 0; round < 20000; round++) {
		size_t n = sizeof doc - 1 - rng_below(&r, 4) * (rng_below(&r, 40));
		char *copy;
		struct jpull p;
		enum jtok t;
		size_t steps = 0;

		copy = malloc(n);
		memcpy(copy, doc, n);
		for (uint32_t k = rng_below(&r, 3); k; k--)
			copy[rng_below(&r, (uint32_t)n)] = bytes[rng_below(&r, sizeof bytes - 1)];
		jpull_init(&p, "t", copy, n);
		do {
			t = jpull_next(&p);
			cr_assert_lt(++steps, 200);
			cr_assert_leq(p.at, n);
			if (t == JT_KEY || t == JT_STRING)
				cr_assert_eq(utf8_first_bad(p.text, p.len), p.len);
		} while (t != JT_END && t != JT_BAD);
		if (t == JT_END) {
			cJSON *tree = cJSON_ParseWithLength(copy, n);

			cr_assert(tree, "%.*s", (int)n, copy);
			cJSON_Delete(tree);
		} else {
			cr_assert_neq(p.err.st, ST_OK);
		}
		jpull_release(&p);
		free(copy);
	}
}
