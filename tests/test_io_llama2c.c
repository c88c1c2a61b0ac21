/* test_io_llama2c.c - llama2.c checkpoints: what opens, and with what in it. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/io/checkpoint.h"
#include "tests/lib_io.h"

TestSuite(io_llama2c, .fini = fx_clean);

static struct checkpoint *open_ok(const char *path)
{
	struct checkpoint *c = NULL;
	struct err e = { 0 };

	cr_assert_eq(checkpoint_open(&c, path, &e), ST_OK, "%s", e.msg);
	return c;
}

Test(io_llama2c, kinds_lie_in_the_order_of_its_run)
{
	/* the first number of a kind is its place in the file */
	static const struct {
		const char *name;
		float first;
	} all[] = { { "embed", 1 }, { "layers.0.attn_norm", 2 }, { "layers.0.q", 3 },
		{ "layers.0.k", 4 }, { "layers.0.v", 5 }, { "layers.0.o", 6 },
		{ "layers.0.mlp_norm", 7 }, { "layers.0.gate", 8 }, { "layers.0.down", 9 },
		{ "layers.0.up", 10 }, { "norm", 11 }, { "head", 13 } };
	struct fx_shape two = fx_tiny;
	struct fx_buf b = { 0 };
	struct checkpoint *c;
	char *path = fx_path("two.bin");
	float y;

	two.layers = 2;
	fx_llama2c(&b, &two, 16, 1);
	fx_write(path, &b);
	c = open_ok(path);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		cr_assert_not_null(checkpoint_find(c, all[i].name), "%s", all[i].name);
		tensor_f32(checkpoint_find(c, all[i].name), 0, 1, &y);
		cr_expect_float_eq(y, all[i].first, 0, "%s begins with %g", all[i].name, (double)y);
	}
	tensor_f32(checkpoint_find(c, "layers.1.down"), 0, 1, &y);
	cr_expect_float_eq(y, 9 + 32 * 64 / 65536.0F, 0);
	cr_expect_str_eq(c->kind, "llama2c");
	cr_expect_not(c->hp.tied);
	cr_expect(c->hp.rope_pairs);
	cr_expect_eq(c->hp.ctx, 16);
	cr_expect_float_eq(c->hp.eps, 1e-5, 0);
	cr_expect_float_eq(c->hp.rope_base, 10000, 0);
	cr_expect_str_eq(c->vocab_missing,
		"no tokenizer beside two.bin: neither tok8.bin nor tokenizer.bin");
	checkpoint_close(c);
	b.n = 0;
	fx_llama2c(&b, &two, 16, 0);
	fx_write(path, &b);
	c = open_ok(path);
	cr_expect(c->hp.tied);
	cr_expect_null(checkpoint_find(c, "head"));
	checkpoint_close(c);
	xfree(path);
	xfree(b.p);
}

static char *data_path(const char *name)
{
	const char *data = getenv("BITDIAL_TEST_DATA");

	return xprintf("%s/%s", data ? data : "../shared/data", name);
}

Test(io_llama2c, a_published_checkpoint_opens_with_its_tokenizer)
{
	char *path = data_path("models/stories260K.bin");
	struct checkpoint *c;

	if (!fs_is_file(path))
		cr_skip("no test data: set BITDIAL_TEST_DATA");
	c = open_ok(path);
	cr_expect_eq(c->hp.hidden, 64);
	cr_expect_eq(c->hp.layers, 5);
	cr_expect_eq(c->n_tensors, 47);
	cr_assert_not_null(c->vocab);
	cr_expect_eq(c->vocab->n, 512);
	checkpoint_close(c);
	xfree(path);
}
