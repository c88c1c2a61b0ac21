/* test_io_hf.c - folders with config.json and safetensors, single, sharded and our own:
 * what opens, and with what in it.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/checkpoint.h"
#include "core/io/safetensors.h"
#include "tests/lib_io.h"

TestSuite(io_hf, .fini = fx_clean);

static struct checkpoint *open_ok(const char *path)
{
	struct checkpoint *c = NULL;
	struct err e = { 0 };

	cr_assert_eq(checkpoint_open(&c, path, &e), ST_OK, "%s", e.msg);
	return c;
}

/* folder/name with this content */
static void put_text(const char *folder, const char *name, const char *text)
{
	char *path = xprintf("%s/%s", folder, name);

	fx_write_text(path, text);
	xfree(path);
}

static void put_buf(const char *folder, const char *name, const struct fx_buf *b)
{
	char *path = xprintf("%s/%s", folder, name);

	fx_write(path, b);
	xfree(path);
}

static void drop(const char *folder, const char *name)
{
	char *path = xprintf("%s/%s", folder, name);

	cr_assert_eq(unlink(path), 0);
	xfree(path);
}

Test(io_hf, a_folder_gives_hyperparameters_and_tensors_under_our_names)
{
	char *folder = fx_hf("tiny", &fx_tiny);
	struct checkpoint *c = open_ok(folder);
	const struct tensor *t;
	struct fx_buf want = { 0 };

	cr_expect_str_eq(c->kind, "hf");
	cr_expect_str_eq(c->name, "tiny");
	cr_expect_eq(c->hp.vocab, 8);
	cr_expect_eq(c->hp.hidden, 32);
	cr_expect_eq(c->hp.inter, 64);
	cr_expect_eq(c->hp.layers, 1);
	cr_expect_eq(c->hp.heads, 4);
	cr_expect_eq(c->hp.kv_heads, 2);
	cr_expect_eq(c->hp.head_dim, 8);
	cr_expect_eq(c->hp.ctx, 64);
	cr_expect_float_eq(c->hp.rope_base, 20000, 0);
	cr_expect_float_eq(c->hp.eps, 1e-5, 0);
	cr_expect_not(c->hp.rope_pairs);
	cr_expect(c->hp.tied);
	cr_expect_null(c->vocab);
	cr_expect_str_eq(c->vocab_missing, "folder tiny has no tokenizer.json");
	t = checkpoint_find(c, "embed");
	fx_noise(&want, 8 * 32, 7);
	cr_expect_eq(t->bytes, want.n);
	cr_expect_eq(memcmp(t->data, want.p, want.n), 0);
	t = checkpoint_find(c, "layers.0.k");
	cr_expect_eq(t->dim[0], 16);
	cr_expect_eq(t->dim[1], 32);
	checkpoint_close(c);
	xfree(folder);
	xfree(want.p);
}

Test(io_hf, a_slash_at_the_end_changes_nothing)
{
	char *folder = fx_hf("tiny", &fx_tiny), *slash = xprintf("%s//", folder);
	struct checkpoint *c = open_ok(slash);

	cr_expect_str_eq(c->name, "tiny");
	checkpoint_close(c);
	xfree(folder);
	xfree(slash);
}

Test(io_hf, a_safetensors_file_uses_the_config_beside_it)
{
	char *folder = fx_hf("tiny", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	struct checkpoint *c = open_ok(path);

	cr_expect_str_eq(c->kind, "safetensors");
	cr_expect_str_eq(c->name, "model.safetensors");
	cr_expect_eq(c->n_tensors, 11);
	checkpoint_close(c);
	xfree(folder);
	xfree(path);
}

Test(io_hf, keys_of_the_config_that_are_absent_or_null_have_their_defaults)
{
	char *folder = fx_hf("plain", &fx_tiny), *path = xprintf("%s/config.json", folder);
	const struct fx_shape all_heads = { 8, 32, 64, 1, 4, 4 };
	struct fx_buf b = { 0 };
	struct fx_config f;
	struct checkpoint *c;

	fx_config_init(&f, &all_heads);
	fx_config_set(&f, "num_key_value_heads", "null");
	fx_config_set(&f, "max_position_embeddings", NULL);
	fx_config_set(&f, "rope_theta", NULL);
	fx_config_set(&f, "rms_norm_eps", NULL);
	fx_config_set(&f, "tie_word_embeddings", NULL);
	fx_config_set(&f, "rope_scaling", "null");
	fx_config_set(&f, "head_dim", "null");
	fx_config_set(&f, "quantization_config", "null");
	fx_config_set(&f, "something_new", "{\"a\": [1, {}]}");
	fx_config_write(&f, path);
	fx_model(&b, &all_heads, 1, 0, SIZE_MAX);
	put_buf(folder, "model.safetensors", &b);
	c = open_ok(folder);
	cr_expect_eq(c->hp.kv_heads, 4);
	cr_expect_eq(c->hp.ctx, 2048);
	cr_expect_float_eq(c->hp.rope_base, 10000, 0);
	cr_expect_float_eq(c->hp.eps, 1e-6, 0);
	cr_expect(c->hp.tied, "no head in the file");
	checkpoint_close(c);
	fx_config_set(&f, "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 5e5}");
	fx_config_write(&f, path);
	c = open_ok(folder);
	cr_expect_float_eq(c->hp.rope_base, 5e5, 0);
	checkpoint_close(c);
	xfree(folder);
	xfree(path);
	xfree(b.p);
}

Test(io_hf, a_shared_matrix_may_be_stored_under_the_name_of_the_head)
{
	char *folder = fx_hf("shared", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	struct fx_buf b = { 0 };
	struct checkpoint *c;
	char *name;

	fx_model(&b, &fx_tiny, 1, 0, SIZE_MAX);
	name = memmem(b.p, b.n, "model.embed_tokens.weight", 25);
	memcpy(name, "lm_head.weight\",         ", 15);
	memmove(name + 15, name + 26, (size_t)((char *)b.p + b.n - (name + 26)));
	b.n -= 11;
	b.p[0] = (unsigned char)(b.p[0] - 11); /* the length's low byte is above 11 */
	fx_write(path, &b);
	c = open_ok(folder);
	cr_expect(c->hp.tied);
	cr_expect_not_null(checkpoint_find(c, "embed"));
	checkpoint_close(c);
	xfree(folder);
	xfree(path);
	xfree(b.p);
}

static void put_index(const char *folder)
{
	struct fx_part p[40];
	size_t n = fx_parts(&fx_tiny, p, 40);
	struct fx_buf b = { 0 };

	fx_text(&b, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
	for (size_t i = 0; i < n; i++) {
		char line[200];

		snprintf(line, sizeof line, "%s\"%s\": \"model-%d.safetensors\"", i ? ", " : "",
			p[i].hf, i < 5 ? 1 : 2);
		fx_text(&b, line);
	}
	fx_text(&b, "}}");
	put_buf(folder, "model.safetensors.index.json", &b);
	xfree(b.p);
}

static char *sharded(const char *name)
{
	char *folder = fx_hf(name, &fx_tiny);
	struct fx_buf b = { 0 };

	drop(folder, "model.safetensors");
	put_index(folder);
	fx_model(&b, &fx_tiny, 1, 0, 5);
	put_buf(folder, "model-1.safetensors", &b);
	b.n = 0;
	fx_model(&b, &fx_tiny, 1, 5, SIZE_MAX);
	put_buf(folder, "model-2.safetensors", &b);
	xfree(b.p);
	return folder;
}

Test(io_hf, shards_are_read_as_one)
{
	char *folder = sharded("shards"), *second = xprintf("%s/model-2.safetensors", folder);
	struct checkpoint *c = open_ok(folder);
	struct err e = { 0 };

	cr_expect_eq(c->n_tensors, 11);
	cr_expect_not_null(checkpoint_find(c, "layers.0.down"));
	cr_expect_eq(checkpoint_unchanged(c, &e), ST_OK);
	fx_write_text(second, "gone");
	cr_expect_eq(checkpoint_unchanged(c, &e), ST_IO);
	cr_expect_str_eq(e.msg,
		"model-2.safetensors changed on disk since it was opened; open the model again");
	checkpoint_close(c);
	xfree(folder);
	xfree(second);
}

Test(io_hf, shards_linked_into_the_folder_of_a_download_cache_are_read)
{
	char *folder, *from, *to;
	struct checkpoint *c;

	folder = fx_path("cache/snapshots");
	cr_assert_eq(fs_mkdirs(folder, NULL), ST_OK);
	xfree(folder);
	folder = fx_path("cache/blobs");
	cr_assert_eq(fs_mkdirs(folder, NULL), ST_OK);
	xfree(folder);
	folder = sharded("cache/snapshots/main");
	from = xprintf("%s/model-2.safetensors", folder);
	to = fx_path("cache/blobs/0123");
	cr_assert_eq(rename(from, to), 0);
	cr_assert_eq(symlink("../../blobs/0123", from), 0);
	c = open_ok(folder);
	cr_expect_eq(c->n_tensors, 11);
	checkpoint_close(c);
	xfree(folder);
	xfree(from);
	xfree(to);
}

/* Every type of the format must pass, also those no model of ours has. */
Test(io_hf, all_types_ranks_and_empty_tensors_are_valid)
{
	static const struct {
		const char *dtype, *shape;
		size_t bytes;
	} all[] = { { "F64", "[2]", 16 }, { "F32", "[]", 4 }, { "F16", "[3]", 6 },
		{ "BF16", "[1, 1, 1, 5]", 10 }, { "I64", "[2, 1]", 16 }, { "I32", "[1]", 4 },
		{ "I16", "[1]", 2 }, { "I8", "[3]", 3 }, { "U64", "[1]", 8 }, { "U32", "[1]", 4 },
		{ "U16", "[1]", 2 }, { "U8", "[7]", 7 }, { "BOOL", "[2]", 2 },
		{ "F8_E4M3", "[2]", 2 }, { "F8_E5M2", "[2]", 2 }, { "F8_E8M0", "[1]", 1 },
		{ "F6_E2M3", "[4]", 3 }, { "F6_E3M2", "[4]", 3 }, { "F4", "[2]", 1 },
		{ "C64", "[1]", 8 }, { "F32", "[0]", 0 }, { "F32", "[0, 281474976710656]", 0 },
		{ "F32", "[1, 1, 1, 1, 1, 1, 1, 1]", 4 } };
	struct fx_buf head = { 0 }, b = { 0 };
	struct safetensors s;
	struct sha256 sha;
	struct err e = { 0 };
	struct ck_file f = { 0 };
	struct tensor t;
	size_t at = 0, shown = 0;
	char *path = fx_path("types.safetensors");

	fx_text(&head, " \n{");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char line[200];

		snprintf(line, sizeof line,
			"%s\"t%02zu\":{\"data_offsets\":[%zu,%zu],\"dtype\":\"%s\",\"shape\":%s}",
			i ? "," : "", i, at, at + all[i].bytes, all[i].dtype, all[i].shape);
		fx_text(&head, line);
		at += all[i].bytes;
	}
	fx_put(&head, "}   ", 5);
	fx_safetensors(&b, (char *)head.p, at);
	fx_write(path, &b);
	f = (struct ck_file){ .path = path, .base = "types" };
	cr_assert_eq(fs_map_open(&f.map, path, &e), ST_OK);
	sha256_start(&sha);
	cr_assert_eq(safetensors_read(&s, &f, &sha, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(s.n, sizeof all / sizeof *all);
	for (size_t i = 0; i < s.n; i++) {
		cr_expect_str_eq(safetensors_type(&s.entry[i]), all[i].dtype);
		if (safetensors_tensor(&s, &s.entry[i], &f, &t)) {
			shown++;
			cr_expect_eq(t.bytes, all[i].bytes);
		}
	}
	cr_expect_eq(shown, 6, "%zu", shown);
	safetensors_tensor(&s, &s.entry[1], &f, &t);
	cr_expect_eq(t.rank, 0);
	safetensors_release(&s);
	fs_map_close(&f.map);
	xfree(path);
	xfree(head.p);
	xfree(b.p);
}

/* ---- our own folder */

/* layers.0.q in 3 bits, groups of 32: codes [32][12], one group a row. */
static char *own_folder(const char *name, const char *section)
{
	char *folder = fx_hf(name, &fx_tiny), *path = xprintf("%s/config.json", folder);
	struct fx_part p[40];
	size_t n = fx_parts(&fx_tiny, p, 40), at = 0;
	struct fx_buf head = { 0 }, b = { 0 };
	struct fx_config f;

	fx_config_init(&f, &fx_tiny);
	fx_config_set(&f, "bitdial", section);
	fx_config_write(&f, path);
	fx_text(&head, "{");
	for (size_t i = 0; i < n; i++) {
		char line[500];
		size_t bytes = p[i].rows * (p[i].cols ? p[i].cols : 1) * 4;

		if (strcmp(p[i].name, "layers.0.q") == 0) {
			snprintf(line, sizeof line,
				",\"layers.0.q.codes\":{\"dtype\":\"U8\",\"shape\":[32,12],"
				"\"data_offsets\":[%zu,%zu]},\"layers.0.q.scale\":{\"dtype\":"
				"\"F16\","
				"\"shape\":[32,1],\"data_offsets\":[%zu,%zu]},\"layers.0.q."
				"offset\":"
				"{\"dtype\":\"F16\",\"shape\":[32,1],\"data_offsets\":[%zu,%zu]}",
				at, at + 384, at + 384, at + 448, at + 448, at + 512);
			bytes = 512;
		} else {
			char cols[24] = "";

			if (p[i].cols)
				snprintf(cols, sizeof cols, ",%zu", p[i].cols);
			snprintf(line, sizeof line,
				"%s\"%.40s\":{\"dtype\":\"F32\",\"shape\":[%zu%s],\"data_offsets\":"
				"[%zu,"
				"%zu]}",
				i ? "," : "", p[i].name, p[i].rows, cols, at, at + bytes);
		}
		fx_text(&head, line);
		at += bytes;
	}
	fx_put(&head, "}", 2);
	fx_safetensors(&b, (char *)head.p, at);
	put_buf(folder, "model.safetensors", &b);
	put_text(folder, "layout.json", "{}");
	xfree(path);
	xfree(head.p);
	xfree(b.p);
	return folder;
}

Test(io_hf, a_folder_of_ours_says_how_each_matrix_is_stored)
{
	char *folder = own_folder("own", "{\"v\":1,\"rope_pairs\":true,\"stored\":{\"layers.0.q\":{"
					 "\"bits\":3,\"group\":32}}}");
	struct checkpoint *c = open_ok(folder);
	struct stored_int how = { 0 };

	cr_expect_str_eq(c->kind, "bitdial");
	cr_expect(c->hp.rope_pairs);
	cr_assert(checkpoint_stored(c, "layers.0.q", &how));
	cr_expect_eq(how.bits, 3);
	cr_expect_eq(how.group, 32);
	cr_expect_not(checkpoint_stored(c, "layers.0.k", &how));
	cr_assert_not_null(checkpoint_find(c, "layers.0.q.codes"));
	cr_expect_eq(checkpoint_find(c, "layers.0.q.codes")->dtype, DT_U8);
	cr_expect_eq(checkpoint_find(c, "layers.0.q.scale")->dtype, DT_F16);
	cr_expect_null(checkpoint_find(c, "layers.0.q"));
	checkpoint_close(c);
	xfree(folder);
}

Test(io_hf, a_layout_in_a_folder_of_others_does_not_make_it_ours)
{
	char *folder = fx_hf("theirs", &fx_tiny);
	struct checkpoint *c;

	put_text(folder, "layout.json", "{}");
	c = open_ok(folder);
	cr_expect_str_eq(c->kind, "hf");
	checkpoint_close(c);
	xfree(folder);
}

/* ---- tokenizers */

#define TOKENIZER(extra)                                                                           \
	"{\"version\":\"1.0\",\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true,"   \
	"\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}" extra      \
	"],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"    \
	"false,"                                                                                   \
	"\"trim_offsets\":true,\"use_regex\":true},\"post_processor\":null,\"decoder\":{\"type\":" \
	"\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"       \
	"\"model\":{\"type\":\"BPE\",\"vocab\":{\"<s>\":0,\"a\":1,\"b\":2,\"ab\":3},\"merges\":"   \
	"[\"a b\"]}}"

Test(io_hf, a_tokenizer_beside_the_weights_is_read)
{
	char *folder = fx_hf("spoken", &fx_tiny);
	struct checkpoint *c;

	put_text(folder, "tokenizer.json", TOKENIZER(""));
	c = open_ok(folder);
	cr_assert_not_null(c->vocab);
	cr_expect_eq(c->vocab->n, 4);
	cr_expect_null(c->vocab_missing);
	checkpoint_close(c);
	xfree(folder);
}

Test(io_hf, added_tokens_beyond_the_embedding_are_left_out)
{
	char *folder = fx_hf("padded", &fx_tiny);
	struct checkpoint *c;

	put_text(folder, "tokenizer.json",
		TOKENIZER(",{\"id\":9,\"content\":\"<pad>\",\"special\":true,\"single_word\":false,"
			  "\"lstrip\":false,\"rstrip\":false,\"normalized\":false}"));
	c = open_ok(folder);
	cr_assert_not_null(c->vocab);
	cr_expect_eq(c->vocab->n, 8);
	checkpoint_close(c);
	xfree(folder);
}

Test(io_hf, a_broken_tokenizer_is_an_error)
{
	char *folder = fx_hf("mute", &fx_tiny);
	struct checkpoint *c = NULL;
	struct err e = { 0 };

	put_text(folder, "tokenizer.json", "{\"model\": ");
	cr_expect_eq(checkpoint_open(&c, folder, &e), ST_FORMAT);
	cr_expect_not_null(strstr(e.msg, "tokenizer.json"), "%s", e.msg);
	cr_expect_null(c);
	xfree(folder);
}

/* ---- models that may be absent */

static char *data_path(const char *name)
{
	const char *data = getenv("BITDIAL_TEST_DATA");

	return xprintf("%s/%s", data ? data : "../shared/data", name);
}

Test(io_hf, a_published_folder_opens_with_its_tokenizer)
{
	char *path = data_path("models/TinyStories-656K");
	struct checkpoint *c;

	if (!fs_is_dir(path))
		cr_skip("no test data: set BITDIAL_TEST_DATA");
	c = open_ok(path);
	cr_expect_eq(c->hp.vocab, 2048);
	cr_expect_eq(c->hp.kv_heads, 4);
	cr_expect(c->hp.tied);
	cr_expect_not_null(checkpoint_find(c, "embed"));
	cr_assert_not_null(c->vocab);
	cr_expect_leq(c->vocab->n, 2048);
	checkpoint_close(c);
	xfree(path);
}
