/* test_io_bad_hf.c - safetensors, config.json, indexes and folders of ours that lie: each
 * is refused with its own sentence.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/checkpoint.h"
#include "tests/lib_io.h"

TestSuite(io_bad_hf, .fini = fx_clean);

static void refused(const char *path, const char *title, const char *sentence)
{
	struct checkpoint *c = NULL;
	struct err e = { 0 };
	enum st st = checkpoint_open(&c, path, &e);

	cr_expect(st != ST_OK, "%s: was opened", title);
	cr_expect_null(c, "%s", title);
	if (st)
		cr_expect_str_eq(e.msg, sentence, "%s: \"%s\"", title, e.msg);
	checkpoint_close(c);
}

static void put(const char *folder, const char *name, const char *text)
{
	char *path = xprintf("%s/%s", folder, name);

	fx_write_text(path, text);
	xfree(path);
}

/* ---- the header of a safetensors file */

#define M   "model.safetensors: "
#define ONE "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"

static const struct {
	const char *title, *header;
	size_t data;
	const char *sentence;
} headers[] = {
#include "tests/io_bad_safetensors.def"
};

Test(io_bad_hf, every_lying_header_is_refused_with_its_own_sentence)
{
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct fx_buf b = { 0 };

		fx_safetensors(&b, headers[i].header, headers[i].data);
		fx_write(path, &b);
		refused(folder, headers[i].title, headers[i].sentence);
		xfree(b.p);
	}
	xfree(folder);
	xfree(path);
}

Test(io_bad_hf, every_lying_length_is_refused_with_its_own_sentence)
{
	static const struct {
		const char *title;
		uint64_t length;
		size_t bytes; /* of the length that are there */
		const char *text, *sentence;
	} all[] = {
		{ "empty file", 0, 0, "",
			M "a safetensors file has at least 8 bytes, this one has 0" },
		{ "seven bytes", 0, 7, "",
			M "a safetensors file has at least 8 bytes, this one has 7" },
		{ "no header", 0, 8, "{}", M "the header is empty" },
		{ "beyond the file", 100, 8, "{}",
			M "the header should take 100 bytes, 2 are left in the file: it is "
			  "truncated or "
			  "no safetensors file" },
		{ "beyond the limit", 100000001, 8, "{}",
			M "a header of 100000001 bytes is above the limit of 100000000" },
		{ "wraps", UINT64_MAX - 4, 8, "{}",
			M
			"a header of 18446744073709551611 bytes is above the limit of 100000000" },
		{ "NULs after the header", 4, 8, "{}\0\0", M "byte 2: something after the value" },
	};
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fx_buf b = { 0 };

		fx_uint(&b, all[i].length, all[i].bytes);
		fx_put(&b, all[i].text, all[i].length == 4 ? 4 : strlen(all[i].text));
		fx_write(path, &b);
		refused(folder, all[i].title, all[i].sentence);
		xfree(b.p);
	}
	xfree(folder);
	xfree(path);
}

/* The same bytes claimed by many: what made overlap illegal. */
Test(io_bad_hf, a_hundred_thousand_tensors_on_the_same_bytes_are_refused)
{
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	struct fx_buf head = { 0 }, b = { 0 };

	fx_text(&head, "{");
	for (int i = 0; i < 100000; i++) {
		char line[100];

		snprintf(line, sizeof line, "%s\"%05d\":{" ONE "}", i ? "," : "", i);
		fx_text(&head, line);
	}
	fx_put(&head, "}", 2);
	fx_safetensors(&b, (char *)head.p, 4);
	fx_write(path, &b);
	{
		struct checkpoint *c = NULL;
		struct err e = { 0 };

		cr_expect_eq(checkpoint_open(&c, path, &e), ST_FORMAT);
		cr_expect_not_null(
			strstr(e.msg, "begins at 0, the tensors before it end at 4"), "%s", e.msg);
	}
	xfree(folder);
	xfree(path);
	xfree(head.p);
	xfree(b.p);
}

/* ---- config.json */

#define C "config.json: "

static const struct {
	const char *key, *json, *sentence;
} configs[] = {
#include "tests/io_bad_config.def"
};

Test(io_bad_hf, every_wrong_config_is_refused_with_its_own_sentence)
{
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/config.json", folder);

	for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
		struct fx_config f;
		char title[80];

		snprintf(title, sizeof title, "row %zu, %.40s", i, configs[i].key);
		fx_config_init(&f, &fx_tiny);
		fx_config_set(&f, configs[i].key, configs[i].json);
		fx_config_write(&f, path);
		refused(folder, title, configs[i].sentence);
	}
	xfree(folder);
	xfree(path);
}

Test(io_bad_hf, a_config_that_is_no_json_is_refused)
{
	static const struct {
		const char *text, *sentence;
	} all[] = {
		{ "", C "byte 0: the text ends too early" },
		{ "[]", C "expected an object" },
		{ "{\"a\": 1} x", C "byte 9: something after the value" },
		{ "{\"a\": 1, \"a\": 2}", C ".a: given twice" },
		{ "{\"a\": \"\xff\"}", C "byte 7: not UTF-8" },
		{ "{}", C ".architectures: expected an array of strings, so it is no model" },
	};
	char *folder = fx_hf("bad", &fx_tiny);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		put(folder, "config.json", all[i].text);
		refused(folder, all[i].text, all[i].sentence);
	}
	xfree(folder);
}

/* ---- shards */

#define I "model.safetensors.index.json: "

Test(io_bad_hf, every_wrong_index_is_refused_with_its_own_sentence)
{
	static const struct {
		const char *text, *sentence;
	} all[] = {
		{ "{", I "byte 1: the text ends too early" },
		{ "[]", I "byte 1: expected an object" },
		{ "{}", I "weight_map is missing or empty" },
		{ "{\"weight_map\": {}}", I "weight_map is missing or empty" },
		{ "{\"weight_map\": [1]}", I "byte 16: expected an object after weight_map" },
		{ "{\"weight_map\": {\"a\": 1}}",
			I "byte 22: expected the name of a shard as a string" },
		{ "{\"weight_map\": {\"a\": \"../x.safetensors\"}}",
			I "tensor a is said to be in ../x.safetensors, which is not the plain name "
			  "of a "
			  "file" },
		{ "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
			I "tensor a is said to be in /etc/passwd, which is not the plain name of a "
			  "file" },
		{ "{\"weight_map\": {\"a\": \"sub/x\"}}", I
			"tensor a is said to be in sub/x, which is not the plain name of a file" },
		{ "{\"weight_map\": {\"a\": \"..\"}}",
			I "tensor a is said to be in .., which is not the plain name of a file" },
		{ "{\"weight_map\": {\"a\": \"\"}}",
			I "tensor a is said to be in , which is not the plain name of a file" },
		{ "{\"weight_map\": {\"a\": \"x\\u0000y\"}}",
			I "byte 31: a name that holds a NUL" },
		{ "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}", I "tensor a is there twice" },
		{ "{\"weight_map\": {\"a\": \"x\"}, \"weight_map\": {}}",
			I "weight_map is there twice" },
		{ "{\"weight_map\": {\"a\": \"no.safetensors\"}}",
			"no.safetensors is missing in folder bad, the index names it" },
		{ "{\"weight_map\": {\"a\": \"out.safetensors\"}}",
			"out.safetensors in folder bad is a link that leads out of it" },
		{ "{\"weight_map\": {\"a\": \"whole.safetensors\"}}",
			"whole.safetensors has no tensor a, which the index says it has" },
		{ "{\"weight_map\": {\"model.norm.weight\": \"whole.safetensors\", "
		  "\"lm_head.weight\": \"copy.safetensors\"}}",
			"copy.safetensors has no tensor lm_head.weight, which the index says it "
			"has" },
		{ "{\"weight_map\": {\"model.norm.weight\": \"whole.safetensors\", "
		  "\"model.embed_tokens.weight\": \"copy.safetensors\"}}",
			"copy.safetensors: tensor model.embed_tokens.weight is there twice" },
		{ "{\"weight_map\": {\"model.norm.weight\": \"half.safetensors\"}}",
			"half.safetensors: tensor model.embed_tokens.weight is missing" },
	};
	char *folder = fx_hf("bad", &fx_tiny), *whole = xprintf("%s/model.safetensors", folder);
	char *link = xprintf("%s/out.safetensors", folder), *outside = fx_path("outside");
	char *half = xprintf("%s/half.safetensors", folder);
	char *copy = xprintf("%s/copy.safetensors", folder);
	struct fx_buf b = { 0 };

	fx_model(&b, &fx_tiny, 1, 0, SIZE_MAX);
	fx_write(copy, &b);
	fx_write(outside, &b);
	b.n = 0;
	fx_model(&b, &fx_tiny, 1, 5, SIZE_MAX);
	fx_write(half, &b);
	cr_assert_eq(symlink(outside, link), 0);
	put(folder, "x", "");
	{
		char *to = xprintf("%s/whole.safetensors", folder);

		cr_assert_eq(rename(whole, to), 0);
		xfree(to);
	}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		put(folder, "model.safetensors.index.json", all[i].text);
		refused(folder, all[i].text, all[i].sentence);
	}
	xfree(folder);
	xfree(whole);
	xfree(link);
	xfree(outside);
	xfree(half);
	xfree(copy);
	xfree(b.p);
}

/* ---- what is missing */

Test(io_bad_hf, missing_weights_are_named)
{
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	struct fx_buf b = { 0 };

	cr_assert_eq(unlink(path), 0);
	refused(folder, "nothing",
		"folder bad has neither model.safetensors nor model.safetensors.index.json");
	put(folder, "pytorch_model.bin", "PK");
	refused(folder, "torch",
		"folder bad has neither model.safetensors nor model.safetensors.index.json; "
		"pytorch_model.bin is not read here: save it as safetensors");
	fx_model(&b, &fx_tiny, 1, 0, 6);
	fx_write(path, &b);
	refused(folder, "half",
		M "tensor model.layers.0.post_attention_layernorm.weight is missing");
	b.n = 0;
	fx_model(&b, &fx_tiny, 1, 1, SIZE_MAX);
	fx_write(path, &b);
	refused(folder, "no embedding", M "tensor model.embed_tokens.weight is missing");
	xfree(path);
	xfree(b.p);
	path = fx_path("alone.safetensors");
	fx_write_text(path, "{}");
	refused(path, "alone",
		"alone.safetensors: the shape of the model is not in it, and there is no "
		"config.json "
		"beside it");
	xfree(folder);
	xfree(path);
}

/* ---- our own section */

Test(io_bad_hf, every_wrong_section_of_ours_is_refused_with_its_own_sentence)
{
#define SECTION(inside) "{\"v\":1,\"rope_pairs\":false,\"stored\":{" inside "}}"
	static const struct {
		const char *json, *sentence;
	} all[] = {
		{ "{}", C ".bitdial.v: expected an integer from 1 to 2147483647, got nothing" },
		{ "{\"v\":2}", C "written by a newer bitdial (v 2, this one reads v 1)" },
		{ "{\"v\":1}", C ".bitdial.rope_pairs: expected true or false, got nothing" },
		{ "{\"v\":1,\"rope_pairs\":true}", C ".bitdial.stored: expected an object" },
		{ SECTION("\"layers.0.q\":{\"bits\":9,\"group\":32}"), C
			".bitdial.stored.layers.0.q.bits: expected an integer from 1 to 8, got 9" },
		{ SECTION("\"layers.0.q\":{\"bits\":4,\"group\":16}"),
			C ".bitdial.stored.layers.0.q.group: expected an integer from 32 to "
			  "2147483647, "
			  "got 16" },
		{ SECTION("\"layers.0.q\":{\"bits\":4,\"group\":48}"),
			C ".bitdial.stored.layers.0.q.group: 48 is no multiple of 32" },
		{ SECTION("\"layers.0.q\":{\"bits\":4}"),
			C ".bitdial.stored.layers.0.q.group: expected an integer from 32 to "
			  "2147483647, "
			  "got nothing" },
		{ SECTION("\"layers.0.q\":4"), C ".bitdial.stored.layers.0.q.bits: expected an "
						 "integer from 1 to 8, got nothing" },
		{ SECTION("\"layers.0.mlp_norm\":{\"bits\":4,\"group\":32}"),
			C ".bitdial.stored: layers.0.mlp_norm is no matrix of the model" },
		{ SECTION("\"wte\":{\"bits\":4,\"group\":32}"),
			C ".bitdial.stored: wte is no matrix of the model" },
		{ SECTION("\"embed\":{\"bits\":4,\"group\":32}"),
			M "tensor embed.codes is missing" },
		{ SECTION(""), NULL },
	};
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/config.json", folder);
	char *weights = xprintf("%s/model.safetensors", folder);
	struct fx_buf b = { 0 };

	fx_model(&b, &fx_tiny, 0, 0, SIZE_MAX);
	fx_write(weights, &b);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fx_config f;
		struct checkpoint *c = NULL;

		fx_config_init(&f, &fx_tiny);
		fx_config_set(&f, "bitdial", all[i].json);
		fx_config_write(&f, path);
		if (all[i].sentence)
			refused(folder, all[i].json, all[i].sentence);
		else
			cr_expect_eq(checkpoint_open(&c, folder, NULL), ST_OK, "the honest one");
		checkpoint_close(c);
	}
	xfree(folder);
	xfree(path);
	xfree(weights);
	xfree(b.p);
}

Test(io_bad_hf, parts_of_a_stored_matrix_must_have_its_shape)
{
	static const struct {
		const char *head;
		size_t data;
		const char *sentence;
	} all[] = {
		{ "{\"embed.codes\":{\"dtype\":\"F16\",\"shape\":[8,16],\"data_offsets\":[0,256]}}",
			256, M "tensor embed.codes is of type F16, the model needs U8" },
		{ "{\"embed.codes\":{\"dtype\":\"U8\",\"shape\":[8,15],\"data_offsets\":[0,120]}}",
			120,
			M "tensor embed.codes has the shape [8][15], the model needs [8][16]" },
		{ "{\"embed.codes\":{\"dtype\":\"U8\",\"shape\":[8,16],\"data_offsets\":[0,128]},"
		  "\"embed.scale\":{\"dtype\":\"F16\",\"shape\":[8,2],\"data_offsets\":[128,160]}}",
			160, M "tensor embed.scale has the shape [8][2], the model needs [8][1]" },
		{ "{\"embed.codes\":{\"dtype\":\"U8\",\"shape\":[8,16],\"data_offsets\":[0,128]},"
		  "\"embed.scale\":{\"dtype\":\"F16\",\"shape\":[8,1],\"data_offsets\":[128,144]}}",
			144, M "tensor embed.offset is missing" },
	};
	char *folder = fx_hf("bad", &fx_tiny), *path = xprintf("%s/config.json", folder);
	char *weights = xprintf("%s/model.safetensors", folder);
	struct fx_config f;

	fx_config_init(&f, &fx_tiny);
	fx_config_set(&f, "bitdial", SECTION("\"embed\":{\"bits\":4,\"group\":32}"));
	fx_config_write(&f, path);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fx_buf b = { 0 };

		fx_safetensors(&b, all[i].head, all[i].data);
		fx_write(weights, &b);
		refused(folder, all[i].head, all[i].sentence);
		xfree(b.p);
	}
	xfree(folder);
	xfree(path);
	xfree(weights);
}
