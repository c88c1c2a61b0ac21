/* test_io_mutate.c - 2,000 seeded mutations of a small valid file of each kind: bit flips,
 * changed bytes and numbers, truncations, splices.  Each must be opened or refused with a
 * sentence; what opens must be readable to its last element.  The sanitizers watch.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/checkpoint.h"
#include "tests/lib_io.h"

enum { MUTATIONS = 2000 };

TestSuite(io_mutate, .fini = fx_clean, .timeout = 120);

/* Numbers that parsers have tripped over. */
static const uint64_t awkward[] = { 0, 1, 3, 0x7f, 0xff, 0x7fffffff, 0x80000000, 0xffffffff,
	1ULL << 40, INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 7 };

static void mutate_once(struct fx_buf *b, struct rng *r)
{
	size_t at = b->n ? rng_u64(r) % b->n : 0, n;
	uint64_t v = awkward[rng_below(r, sizeof awkward / sizeof *awkward)];

	/* Headers are short, and where the mistakes are. */
	if (b->n > 1500 && rng_below(r, 4))
		at = rng_below(r, 1500);
	if (!b->n)
		return;
	switch (rng_below(r, 6)) {
	case 0:
		b->p[at] ^= (unsigned char)(1 << rng_below(r, 8));
		break;
	case 1:
		b->p[at] = (unsigned char)rng_u64(r);
		break;
	case 2: /* a number of four or eight bytes */
		n = rng_below(r, 2) ? 4 : 8;
		if (at + n <= b->n)
			memcpy(b->p + at, &v, n);
		break;
	case 3:
		b->n = at;
		break;
	case 4: /* one stretch over another */
		n = rng_below(r, 64);
		if (at + n <= b->n)
			memmove(b->p + rng_u64(r) % (b->n - n + 1), b->p + at, n);
		break;
	default: /* bytes cut out */
		n = rng_below(r, 16) + 1;
		if (at + n <= b->n) {
			memmove(b->p + at, b->p + at + n, b->n - at - n);
			b->n -= n;
		}
	}
}

/* Every element of every tensor, so that a bad bound is a bad read. */
static void read_all(const struct checkpoint *c)
{
	float y[256];
	double sum = 0;

	for (size_t i = 0; i < c->n_tensors; i++) {
		const struct tensor *t = &c->tensors[i];
		size_t block = dtype_block(t->dtype);
		size_t n = t->bytes / dtype_block_bytes(t->dtype) * block;

		for (size_t at = 0; at < n; at += block) {
			tensor_f32(t, at, block, y);
			sum += (double)y[block - 1];
		}
	}
	for (size_t i = 0; c->vocab && i < c->vocab->n; i++)
		sum += c->vocab->tokens[i].text[c->vocab->tokens[i].len];
	for (size_t i = 0; c->vocab && i < c->vocab->n_merges; i++)
		cr_assert_lt(c->vocab->merges[i].result, c->vocab->n);
	(void)sum;
}

/* Mutations of `good`, each written to `path` and opened as `model`. */
static void torment(const char *path, const char *model, const struct fx_buf *good, uint64_t seed)
{
	struct fx_buf b = { 0 };
	struct rng r;
	size_t opened = 0;

	rng_seed(&r, seed);
	for (int i = 0; i < MUTATIONS; i++) {
		struct checkpoint *c = NULL;
		struct err e = { 0 };
		enum st st;

		b.n = 0;
		fx_put(&b, good->p, good->n);
		for (uint32_t k = rng_below(&r, 3) + 1; k; k--)
			mutate_once(&b, &r);
		remove(path); /* a new file: nobody truncates what may still be mapped */
		fx_write(path, &b);
		st = checkpoint_open(&c, model, &e);
		if (st) {
			cr_assert_null(c);
			cr_assert(e.msg[0], "mutation %d: refused without a sentence", i);
			cr_assert_neq(st, ST_NOMEM, "mutation %d: %s", i, e.msg);
			continue;
		}
		opened++;
		read_all(c);
		checkpoint_close(c);
	}
	cr_expect(opened > 0 && opened < MUTATIONS, "%zu of %d opened", opened, MUTATIONS);
	xfree(b.p);
}

Test(io_mutate, gguf)
{
	char *path = fx_path("m.gguf");
	struct fx_buf b = { 0 };
	struct gw w;

	gw_llama(&w, &fx_tiny, 3);
	gw_file(&w, &b);
	torment(path, path, &b, 1);
	xfree(path);
	xfree(b.p);
}

Test(io_mutate, safetensors)
{
	char *folder = fx_hf("m", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	struct fx_buf b = { 0 };

	fx_model(&b, &fx_tiny, 1, 0, SIZE_MAX);
	torment(path, folder, &b, 2);
	xfree(folder);
	xfree(path);
	xfree(b.p);
}

Test(io_mutate, config)
{
	char *folder = fx_hf("m", &fx_tiny), *path = xprintf("%s/config.json", folder);
	struct fx_buf b = { 0 };
	char *text;
	size_t n;

	cr_assert_eq(fs_read(path, 1 << 20, &text, &n, NULL), ST_OK);
	fx_put(&b, text, n);
	big_free(text);
	torment(path, folder, &b, 3);
	xfree(folder);
	xfree(path);
	xfree(b.p);
}

Test(io_mutate, index_of_shards)
{
	char *folder = fx_hf("m", &fx_tiny), *path = xprintf("%s/model.safetensors", folder);
	char *shard = xprintf("%s/one.safetensors", folder);
	char *index = xprintf("%s/model.safetensors.index.json", folder);
	struct fx_part p[40];
	size_t n = fx_parts(&fx_tiny, p, 40);
	struct fx_buf b = { 0 };

	cr_assert_eq(rename(path, shard), 0);
	fx_text(&b, "{\"weight_map\": {");
	for (size_t i = 0; i < n; i++) {
		char line[200];

		snprintf(line, sizeof line, "%s\"%.60s\": \"one.safetensors\"", i ? ", " : "",
			p[i].hf);
		fx_text(&b, line);
	}
	fx_text(&b, "}}");
	torment(index, folder, &b, 4);
	xfree(folder);
	xfree(path);
	xfree(shard);
	xfree(index);
	xfree(b.p);
}

Test(io_mutate, llama2c)
{
	char *path = fx_path("m.bin");
	struct fx_buf b = { 0 };

	fx_llama2c(&b, &fx_tiny, 8, 1);
	torment(path, path, &b, 5);
	xfree(path);
	xfree(b.p);
}

Test(io_mutate, llama2c_header)
{
	static const struct fx_shape least = { 1, 2, 1, 1, 1, 1 };
	char *path = fx_path("m.bin");
	struct fx_buf b = { 0 };

	fx_llama2c(&b, &least, 1, 0);
	torment(path, path, &b, 6);
	xfree(path);
	xfree(b.p);
}
