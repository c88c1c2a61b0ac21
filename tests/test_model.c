/* test_model.c - loading: names, exact repacking, arithmetic, refusals, faults. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/model/weights.h"
#include "tests/lib_model.h"

/* ---- names */

Test(model, linear_names_read_back_as_their_index)
{
	char name[32];
	size_t i;

	for (i = 0; i < 30 * LINEAR_KINDS; i++)
		cr_assert_eq(linear_index(linear_name(i, name), 30 * LINEAR_KINDS), (long)i);
	cr_assert_str_eq(linear_name(25, name), "layers.3.gate");
	cr_assert_eq(linear_site(LINEAR_V), SITE_ATTN);
	cr_assert_eq(linear_site(LINEAR_UP), SITE_MLP);
	cr_assert_eq(linear_site(LINEAR_DOWN), SITE_DOWN);
}

Test(model, names_that_are_no_linear_have_no_index)
{
	static const char *const bad[] = { "", "layers.", "layers.q", "layers.0", "layers.0.",
		"layers.0.x", "layers.4.q", "layers.00.q", "layers.-1.q", "layers.0.qq",
		"layer.0.q", "layers.99999999999999999999.q", "layers.0 .q" };
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(linear_index(bad[i], 4 * LINEAR_KINDS), -1, "%s", bad[i]);
}

/* ---- repacking */

/* The same weights from the file's block type and from the mat; 0 and -0 are one. */
static void compare_exactly(const struct tensor *t, const struct mat *w)
{
	size_t cols = w->cols, r, c;
	float *want = xarray(cols, sizeof *want), *got = xarray(cols, sizeof *got);

	for (r = 0; r < w->rows; r++) {
		tensor_f32(t, r * cols, cols, want);
		mat_row_f32(w, r, got);
		for (c = 0; c < cols; c++)
			cr_assert(want[c] == got[c], "%s row %zu column %zu", dtype_name(t->dtype),
				r, c);
	}
	xfree(want);
	xfree(got);
}

/* Blocks of random bytes with statistics of ordinary size in the first `stats` halves. */
static unsigned char *random_blocks(enum dtype type, size_t blocks, int stats)
{
	size_t size = dtype_block_bytes(type), i, j;
	unsigned char *p = xarray(blocks, size);
	struct rng r;

	rng_seed(&r, 7);
	for (i = 0; i < blocks; i++) {
		for (j = 0; j < size; j++)
			p[i * size + j] = (unsigned char)rng_below(&r, 256);
		for (j = 0; j < (size_t)stats; j++) {
			uint16_t h = f16_from_f32((float)(0.01 * rng_normal(&r)));

			p[i * size + 2 * j] = (unsigned char)h;
			p[i * size + 2 * j + 1] = (unsigned char)(h >> 8);
		}
	}
	return p;
}

static const struct {
	enum dtype type;
	int bits, stats;
} native[] = { { DT_Q4_0, 4, 1 }, { DT_Q4_1, 4, 2 }, { DT_Q5_0, 5, 1 }, { DT_Q5_1, 5, 2 },
	{ DT_Q8_0, 8, 1 } };

static struct tensor tensor_of(enum dtype type, size_t rows, size_t cols, const unsigned char *data)
{
	struct tensor t = {
		.name = "w", .dtype = type, .rank = 2, .dim = { rows, cols }, .data = data
	};

	t.bytes = rows * cols / dtype_block(type) * dtype_block_bytes(type);
	return t;
}

Test(model, block_types_run_natively_with_the_very_same_weights)
{
	static const size_t shape[][2] = { { 1, 32 }, { 17, 64 }, { 48, 96 }, { 5, 576 } };
	size_t k, i;

	for (k = 0; k < sizeof native / sizeof *native; k++) {
		for (i = 0; i < sizeof shape / sizeof *shape; i++) {
			size_t rows = shape[i][0], cols = shape[i][1];
			unsigned char *data =
				random_blocks(native[k].type, rows * cols / 32, native[k].stats);
			struct tensor t = tensor_of(native[k].type, rows, cols, data);
			struct weights_source w = {
				.name = "w", .rows = rows, .cols = cols, .t = &t
			};
			struct model_memory mem = { .be = backend_find("ref") };
			struct mat m;
			struct err e = { 0 };

			cr_assert_eq(weights_load(&mem, &m, &w, NULL, &e), ST_OK, "%s", e.msg);
			cr_assert_eq(m.type, MAT_INT);
			cr_assert_eq(m.bits, native[k].bits);
			cr_assert_eq(m.group, 32);
			cr_assert_eq(mem.bytes, weights_need(&w));
			compare_exactly(&t, &m);
			weights_release(&mem);
			xfree(data);
		}
	}
}

Test(model, a_scale_whose_offset_overflows_makes_the_matrix_float)
{
	static const enum dtype type[] = { DT_Q4_0, DT_Q5_0, DT_Q8_0 };
	uint16_t big = f16_from_f32(60000.0f);
	size_t k;

	for (k = 0; k < sizeof type / sizeof *type; k++) {
		unsigned char *data = random_blocks(type[k], 40, 1);
		struct tensor t = tensor_of(type[k], 20, 64, data);
		struct weights_source w = { .name = "w", .rows = 20, .cols = 64, .t = &t };
		struct model_memory mem = { .be = backend_find("ref") };
		struct mat m;

		data[dtype_block_bytes(type[k]) * 33] = (unsigned char)big;
		data[dtype_block_bytes(type[k]) * 33 + 1] = (unsigned char)(big >> 8);
		cr_assert_eq(weights_load(&mem, &m, &w, NULL, NULL), ST_OK);
		cr_assert_eq(m.type, MAT_F32);
		cr_assert_eq(mem.bytes, 20 * 64 * sizeof(float));
		compare_exactly(&t, &m);
		weights_release(&mem);
		xfree(data);
	}
}

Test(model, k_quants_become_float_and_dense_types_run_from_the_map)
{
	static const enum dtype type[] = { DT_Q4_K, DT_Q6_K, DT_F32, DT_F16, DT_BF16 };
	static const enum mat_type want[] = { MAT_F32, MAT_F32, MAT_F32, MAT_F16, MAT_BF16 };
	size_t k;

	for (k = 0; k < sizeof type / sizeof *type; k++) {
		unsigned char *data = xalloc(6 * 256 * 4);
		struct tensor t = tensor_of(type[k], 6, 256, data);
		struct weights_source w = { .name = "w", .rows = 6, .cols = 256, .t = &t };
		struct model_memory mem = { .be = backend_find("ref") };
		struct mat m;
		size_t i;

		for (i = 0; i < t.bytes; i++)
			data[i] = (unsigned char)(i * 37 % 59); /* no NaN in any of the types */
		cr_assert_eq(weights_load(&mem, &m, &w, NULL, NULL), ST_OK);
		cr_assert_eq(m.type, want[k]);
		cr_assert_eq((const void *)m.data == (const void *)data, k >= 2);
		compare_exactly(&t, &m);
		weights_release(&mem);
		xfree(data);
	}
}

/* Codes, scale and offset of our own folder, any width, ragged rows and groups. */
static void check_bit_strings(int bits, size_t rows, size_t cols, size_t group)
{
	size_t row_bytes = (cols * (size_t)bits + 7) / 8, groups = mat_groups(cols, group), i, r, c;
	unsigned char *codes = xalloc(rows * row_bytes);
	uint16_t *stat = xarray(2 * rows * groups, sizeof *stat);
	struct tensor t[3] = {
		{ .name = "w.codes", .dtype = DT_U8, .data = codes, .bytes = rows * row_bytes },
		{ .dtype = DT_F16, .data = (unsigned char *)stat, .bytes = 2 * rows * groups },
		{ .dtype = DT_F16,
			.data = (unsigned char *)(stat + rows * groups),
			.bytes = 2 * rows * groups }
	};
	struct weights_source w = { "w", rows, cols, &t[0], &t[1], &t[2], { bits, group } };
	struct model_memory mem = { .be = backend_find("ref") };
	uint8_t *got = xalloc(cols);
	struct mat m;
	struct rng rng;

	rng_seed(&rng, 3);
	for (i = 0; i < rows * row_bytes; i++)
		codes[i] = (unsigned char)rng_below(&rng, 256); /* bits past the row's end, too */
	for (i = 0; i < 2 * rows * groups; i++)
		stat[i] = (uint16_t)rng_below(&rng, 31744);
	cr_assert_eq(weights_load(&mem, &m, &w, NULL, NULL), ST_OK);
	for (r = 0; r < rows; r++) {
		mat_unpack_row(&m, r, got);
		for (c = 0; c < cols; c++) {
			unsigned want = 0;

			for (i = 0; i < (size_t)bits; i++) {
				size_t at = c * (size_t)bits + i;

				want |= (codes[r * row_bytes + at / 8] >> at % 8 & 1u) << i;
			}
			cr_assert_eq(got[c], want, "%d bits, row %zu, column %zu", bits, r, c);
		}
		for (i = 0; i < groups; i++) {
			cr_assert_eq(mat_stat(m.scale, &m, r, i), stat[r * groups + i]);
			cr_assert_eq(mat_stat(m.offset, &m, r, i), stat[(rows + r) * groups + i]);
		}
	}
	cr_assert_eq(weights_stored(&w), rows * row_bytes + 4 * rows * groups);
	weights_release(&mem);
	xfree(codes);
	xfree(stat);
	xfree(got);
}

Test(model, bit_strings_of_every_width_are_repacked_exactly)
{
	int bits;

	for (bits = 1; bits <= 8; bits++) {
		check_bit_strings(bits, 16, 64, 64);
		check_bit_strings(bits, 19, 172, 128);
		check_bit_strings(bits, 3, 33, 32);
		check_bit_strings(bits, 1, 1, 64);
	}
}

/* ---- the demo model */

Test(model, the_demo_has_the_shape_it_says_and_the_same_seed_the_same_weights)
{
	struct model *a = lib_demo("ref", 1), *b = lib_demo("ref", 1), *c = lib_demo("ref", 2);
	const struct linear *l = model_linear(a, 3, LINEAR_DOWN);
	float *w[3] = { NULL, NULL, NULL };
	size_t n;

	cr_assert_eq(a->n_linears, 28);
	cr_assert_eq(l->layer, 3);
	cr_assert_eq(l->kind, LINEAR_DOWN);
	cr_assert_eq(l->rows, 64);
	cr_assert_eq(l->cols, 192);
	cr_assert_eq(l->file_bytes, 64 * 192 / 32 * 34);
	cr_assert_eq(l->ref.type, MAT_INT);
	cr_assert_eq(a->weights, 4 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 192));
	cr_assert_eq(a->resident, model_need(a->ck));
	cr_assert(a->hp.rope_pairs);
	n = l->rows * l->cols;
	cr_assert_eq(model_linear_f32(a, 27, &w[0], NULL), ST_OK);
	cr_assert_eq(model_linear_f32(b, 27, &w[1], NULL), ST_OK);
	cr_assert_eq(model_linear_f32(c, 27, &w[2], NULL), ST_OK);
	cr_assert_eq(memcmp(w[0], w[1], n * sizeof *w[0]), 0);
	cr_assert_neq(memcmp(w[0], w[2], n * sizeof *w[0]), 0);
	for (n = 0; n < 3; n++)
		big_free(w[n]);
	model_free(a);
	model_free(b);
	model_free(c);
}

static enum st load_changed(
	void (*change)(struct hparams *hp, struct tensor *t, size_t n), struct err *e)
{
	struct checkpoint *ck = lib_demo_checkpoint(1);
	struct model *m = NULL;
	enum st st;

	change(&ck->hp, (struct tensor *)ck->tensors, ck->n_tensors);
	st = model_load(&m, ck, backend_find("ref"), NULL, e);
	model_free(m);
	return st;
}

static struct tensor *named(struct tensor *t, size_t n, const char *name)
{
	for (; n--; t++)
		if (!strcmp(t->name, name))
			return t;
	cr_assert_fail("no tensor %s", name);
	return NULL;
}

static void one_more_block(struct hparams *hp, struct tensor *t, size_t n)
{
	(void)t, (void)n;
	hp->layers++;
}

static void wrong_shape(struct hparams *hp, struct tensor *t, size_t n)
{
	(void)hp;
	named(t, n, "layers.2.up")->dim[0] = 191;
}

static void wrong_norm(struct hparams *hp, struct tensor *t, size_t n)
{
	(void)hp;
	named(t, n, "layers.0.mlp_norm")->dim[0] = 63;
}

static void bytes_for_weights(struct hparams *hp, struct tensor *t, size_t n)
{
	(void)hp;
	named(t, n, "layers.1.o")->dtype = DT_U8;
}

static void no_heads(struct hparams *hp, struct tensor *t, size_t n)
{
	(void)t, (void)n;
	hp->kv_heads = 3;
}

/* Never read: it is refused before. */
static void enormous(struct hparams *hp, struct tensor *t, size_t n)
{
	hp->vocab = 1u << 30;
	named(t, n, "embed")->dim[0] = hp->vocab;
	named(t, n, "embed")->dtype = DT_Q6_K;
	named(t, n, "head")->dim[0] = hp->vocab;
	named(t, n, "head")->dtype = DT_Q6_K;
}

Test(model, a_model_that_does_not_fit_is_refused_by_name)
{
	static const struct {
		void (*change)(struct hparams *, struct tensor *, size_t);
		enum st st;
		const char *says;
	} bad[] = {
		{ one_more_block, ST_FORMAT, "tensor layers.4.attn_norm is missing" },
		{ wrong_shape, ST_FORMAT,
			"tensor layers.2.up is 191 x 64, the hyperparameters say 192 x 64" },
		{ wrong_norm, ST_FORMAT,
			"tensor layers.0.mlp_norm should be one row of 64 numbers, it is F32 of "
			"rank 1" },
		{ bytes_for_weights, ST_FORMAT, "tensor layers.1.o holds bytes (U8), not weights" },
		{ no_heads, ST_FORMAT,
			"hyperparameters make no model: vocabulary 259, hidden 64, feed-forward "
			"192, 4 "
			"blocks, 4 heads of 16, 3 kv heads" },
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };

		cr_expect_eq(load_changed(bad[i].change, &e), bad[i].st, "%s", bad[i].says);
		cr_expect_str_eq(e.msg, bad[i].says);
	}
}

Test(model, a_model_larger_than_memory_is_refused_with_the_arithmetic)
{
	struct err e = { 0 };

	if (mem_available() > (size_t)500 << 30) {
		fprintf(stderr, "skipped: this machine has memory for the enormous model\n");
		return;
	}
	cr_assert_eq(load_changed(enormous, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "demo takes 512 GiB of memory (linears "), "%s", e.msg);
	cr_assert(strstr(e.msg, "embedding and head 512 GiB) and "), "%s", e.msg);
	cr_assert(strstr(e.msg, " are available; close other programs"), "%s", e.msg);
}

/* ---- faults */

Test(model, loading_survives_the_failure_of_every_large_allocation)
{
	unsigned long n;

	for (n = 1;; n++) {
		struct checkpoint *ck = lib_demo_checkpoint(1);
		struct model *m = NULL;
		struct err e = { 0 };
		enum st st;

		alloc_fail_at(n, false);
		st = model_load(&m, ck, backend_find("ref"), NULL, &e);
		alloc_fail_at(0, false);
		model_free(m);
		if (!st)
			break;
		cr_assert_eq(st, ST_NOMEM);
		cr_assert_neq(e.msg[0], '\0');
	}
	cr_assert_gt(n, 5);
}

static unsigned long takes, fail_take;
static const struct backend *under;

static void *failing_alloc(size_t bytes)
{
	return ++takes == fail_take ? NULL : under->alloc(bytes);
}

Test(model, loading_survives_the_failure_of_every_backend_allocation)
{
	struct backend be = *backend_find("ref");

	under = backend_find("ref");
	be.alloc = failing_alloc;
	for (fail_take = 1;; fail_take++) {
		struct checkpoint *ck = lib_demo_checkpoint(1);
		struct model *m = NULL;
		struct err e = { 0 };
		enum st st;

		takes = 0;
		st = model_load(&m, ck, &be, NULL, &e);
		model_free(m);
		if (!st)
			break;
		cr_assert_eq(st, ST_NOMEM);
		cr_assert(strstr(e.msg, "no memory for "), "%s", e.msg);
	}
	cr_assert_geq(fail_take, 28 + 2 + 9);
}

/* A backend whose memory is its own: everything must go through put and get. */
static void *far_alloc(size_t bytes)
{
	return under->alloc(bytes);
}

Test(model, a_backend_with_memory_of_its_own_gets_the_same_weights)
{
	struct backend be = *backend_find("ref");
	struct checkpoint *ck = lib_demo_checkpoint(1);
	struct model *a = lib_demo("ref", 1), *b = NULL;
	size_t i, k;
	float *w[2];

	under = backend_find("ref");
	be.alloc = far_alloc;
	be.host_memory = false;
	cr_assert_eq(model_load(&b, ck, &be, NULL, NULL), ST_OK);
	for (i = 0; i < a->n_linears; i++) {
		size_t n = a->linear[i].rows * a->linear[i].cols;

		cr_assert_eq(model_linear_f32(a, i, &w[0], NULL), ST_OK);
		cr_assert_eq(model_linear_f32(b, i, &w[1], NULL), ST_OK);
		cr_assert_eq(memcmp(w[0], w[1], n * sizeof *w[0]), 0);
		for (k = 0; k < 2; k++)
			big_free(w[k]);
	}
	model_free(a);
	model_free(b);
}

Test(model, loading_stops_when_told_to)
{
	struct lib_stop s;
	unsigned long at;

	for (at = 1; at < 40; at += 7) {
		struct checkpoint *ck = lib_demo_checkpoint(1);
		struct model *m = NULL;
		enum st st;

		lib_stop_init(&s, at);
		st = model_load(&m, ck, backend_find("ref"), &s.sink, NULL);
		model_free(m);
		cr_assert_eq(st, at <= 30 ? ST_CANCELLED : ST_OK);
	}
}
