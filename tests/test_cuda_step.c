/* test_cuda_step.c - a token of the demo model on the emulated device: how many launches a layer
 * is, and that a step is one graph, replayed with whatever layout comes next and made anew only
 * where the text has outgrown what it was made for.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/model/forward.h"
#include "core/quant/variant.h"
#include "core/work/chat.h"
#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"
#include "tests/lib_model.h"

/* What one layer is when one row goes through it: the products of q, k and v; turning q and k;
 * storing k and v; attention; the product of its output; the sum, normed; the products of gate
 * and up; their gate; the product of that; the sum, normed. */
enum { LAYER = 10 };
/* The embedding, the norm before the first layer, the head. */
enum { AROUND = 3 };
enum { CTX = 320, FORMATS = 6 };

static struct model *m;
static struct variant_set set;
static const struct mat **view;
static struct err e;

#define ok(st) cr_assert_eq((st), ST_OK, "%s", e.msg)

static struct backend_device info(void)
{
	struct backend_device d;

	m->be->wait();
	m->be->info(&d);
	return d;
}

static void quantize(size_t i, size_t k)
{
	const struct linear *l = &m->linear[i];
	struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = m->be };
	const struct quantizer *by = quantizer_find("minmax");
	struct qcodes q = { 0 };
	float *w = NULL;

	ok(model_linear_f32(m, i, &w, &e));
	in.w = w;
	ok(qcodes_alloc(&q, set.format[k], l->rows, l->cols, &e));
	ok(by->run(&in, &q, NULL, &e));
	ok(variant_pack(variant_at(&set, i, k), &q, by, (double)NAN, &e));
	ok(variant_place(variant_at(&set, i, k), m, &e));
	qcodes_release(&q);
	big_free(w);
}

/* Every linear in a format of its own, others each `turn`. */
static void dial(size_t turn)
{
	for (size_t i = 0; i < m->n_linears; i++)
		view[i] = &variant_at(&set, i, (i * 5 + turn * (1 + i % 3)) % set.k)->mat;
}

static void begin(void)
{
	struct format f[FORMAT_MAX];
	size_t k;

	(void)cuda_backend();
	m = lib_demo("cuda:0", 1);
	ok(format_list(f, &k, "int2g32,int3g64,int4g128,int4g32,int8g64,int5g64", &e));
	cr_assert_eq(k, FORMATS);
	ok(variant_set_alloc(&set, m->n_linears, f, k, &e));
	for (size_t i = 0; i < m->n_linears; i++)
		for (size_t n = 0; n < k; n++)
			quantize(i, n);
	view = xarray(m->n_linears, sizeof *view);
	dial(0);
}

static void end(void)
{
	variant_set_release(&set);
	xfree(view);
	model_free(m);
}

TestSuite(cuda_step, .init = begin, .fini = end, .timeout = 120);

/* ---- a conversation: n sequences of the same ids, a step at a time */

struct talk {
	struct fwd *f;
	struct kv *kv[16];
	size_t n;
	float *z; /* [n][vocab] */
};

static struct talk talk_new(enum kv_type type, size_t n)
{
	struct talk t = { .n = n, .z = xarray(n * m->hp.vocab, sizeof(float)) };

	ok(fwd_new(&t.f, m, 16, &e));
	for (size_t i = 0; i < n; i++)
		ok(kv_new(&t.kv[i], m, CTX, type, &e));
	return t;
}

static void talk_free(struct talk *t)
{
	for (size_t i = 0; i < t->n; i++)
		kv_free(t->kv[i]);
	fwd_free(t->f);
	xfree(t->z);
}

static void token(struct talk *t)
{
	int32_t ids[16];

	for (size_t i = 0; i < t->n; i++)
		ids[i] = (int32_t)((t->kv[i]->n * 7 + i) % 200 + 1);
	ok(fwd_step(t->f, view, t->kv, ids, t->n, t->z, NULL, &e));
}

/* Graphs made by a token; it is one graph, and nothing beside it. */
static uint64_t made_by_token(struct talk *t)
{
	struct backend_device before = info(), after;

	token(t);
	after = info();
	cr_expect_eq(after.launches, before.launches, "%lu launches beside the graph",
		(unsigned long)(after.launches - before.launches));
	cr_expect_eq(after.graphs_built + after.graphs_replayed,
		before.graphs_built + before.graphs_replayed + 1, "a token of %lu graphs",
		(unsigned long)(after.graphs_built + after.graphs_replayed - before.graphs_built -
				before.graphs_replayed));
	return after.graphs_built - before.graphs_built;
}

/* ---- launches */

/* Blocks `from` ... `to` of one row, as they come. */
static uint64_t launches_of(struct talk *t, size_t to)
{
	struct span sp[16];
	int32_t ids[16] = { 1 };
	float *h = m->be->alloc(16 * m->hp.hidden * sizeof *h);
	struct backend_device before, after;

	cr_assert_not_null(h);
	for (size_t i = 0; i < t->n; i++)
		sp[i] = (struct span){ t->kv[i], 1 };
	ok(fwd_embed(t->f, ids, t->n, h, &e));
	before = info();
	ok(fwd_blocks(t->f, view, 0, to, h, sp, t->n, NULL, NULL, &e));
	after = info();
	m->be->free(h);
	ok(fwd_fault(t->f, &e));
	return after.launches - before.launches;
}

Test(cuda_step, a_layer_is_ten_launches_for_one_sequence_and_fourteen_for_sixteen)
{
	static const size_t sequences[] = { 1, 2, 16 };

	for (int type = KV_F32; type <= KV_INT8; type++)
		for (size_t k = 0; k < COUNT(sequences); k++) {
			struct talk t = talk_new((enum kv_type)type, sequences[k]);
			uint64_t one = launches_of(&t, 1), all = launches_of(&t, m->hp.layers);
			/* more than four rows of x are rounded once before each of four products */
			size_t layer = LAYER + (sequences[k] > 4 ? 4 : 0);

			/* a norm before the first, a sum that nothing norms at the end */
			cr_expect_eq(one, layer + 1, "%d launches", (int)one);
			cr_expect_eq(all, layer * m->hp.layers + 1, "%d launches", (int)all);
			talk_free(&t);
		}
}

Test(cuda_step, a_token_as_it_comes_is_its_layers_and_three_launches_more)
{
	struct fwd_times times = { { 0 }, 0 };
	struct talk t = talk_new(KV_F32, 1);
	struct backend_device before, after;

	token(&t); /* takes the memory for logits */
	before = info();
	fwd_time(t.f, &times);
	token(&t);
	after = info();
	cr_expect_eq(after.graphs_built, before.graphs_built);
	cr_expect_eq(after.launches - before.launches, LAYER * m->hp.layers + AROUND, "%d",
		(int)(after.launches - before.launches));
	talk_free(&t);
}

/* ---- graphs */

Test(cuda_step, a_token_is_one_graph_whichever_way_the_dial_is_turned)
{
	for (int type = KV_F32; type <= KV_INT8; type++) {
		struct talk t = talk_new((enum kv_type)type, 1);

		cr_expect_eq(made_by_token(&t), 1);
		for (size_t turn = 1; turn < 3 * FORMATS; turn++) {
			dial(turn);
			cr_expect_eq(made_by_token(&t), 0, "turn %zu makes a graph", turn);
		}
		talk_free(&t);
	}
}

/* Attention splits 64 keys at a time, so many times as the next power of two has of them. */
Test(cuda_step, a_longer_text_makes_one_only_where_its_rounded_length_doubles)
{
	static const size_t length[] = { 1, 2, 30, 64, 65, 66, 100, 128, 129, 200, 256, 257, 320 };
	static const bool doubled[] = { 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0 };

	for (int type = KV_F32; type <= KV_INT8; type++) {
		struct talk t = talk_new((enum kv_type)type, 1);

		for (size_t i = 0; i < COUNT(length); i++) {
			t.kv[0]->n = length[i] - 1; /* what was not said is zeros */
			dial(i);
			cr_expect_eq(made_by_token(&t), doubled[i], "token %zu", length[i]);
		}
		t.kv[0]->n = 40; /* the first one is kept */
		cr_expect_eq(made_by_token(&t), 0);
		talk_free(&t);
	}
}

/* The demo's linears are too narrow for them. */
Test(cuda_step, mixes_of_two_widths_replay_the_graph_of_one_width)
{
	enum { ROWS = 160, COLS = 256, LIKE = 3 };
	const struct backend *b = m->be;
	float *x = there(b, NULL, COLS * sizeof *x), *y = there(b, NULL, ROWS * sizeof *y);
	struct mat w[5];
	struct rng r;

	rng_seed(&r, 1);
	for (int i = 0; i < 2; i++) {
		struct mat one = random_mat(&r, MAT_INT, 4 - 2 * i, i ? 32 : 128, ROWS, COLS);

		w[i] = cuda_mat(b, &one);
	}
	for (size_t i = 2; i < COUNT(w); i++) {
		struct mat one = random_mix(&r, ROWS, COLS, i == 2 ? 32 : i == 3 ? 96 : 128);

		w[i] = cuda_mat(b, &one);
	}
	for (size_t i = 0; i < 2 * COUNT(w); i++) {
		uint64_t before = info().graphs_built;

		b->step(true);
		for (int k = 0; k < LIKE; k++)
			backend_linear(b, y, ROWS, x, COLS, 1, &w[(i + (size_t)k * i) % COUNT(w)]);
		b->step(false);
		cr_expect_eq(info().graphs_built - before, i == 0, "%zu", i);
	}
	there_free_all(b);
	guarded_free_all();
}

/* ---- a chat, the dial turning at every token */

static enum st turning(void *arg, const struct mat **to, uint32_t *layout, double *bpw,
	const struct sink *s, struct err *why)
{
	size_t *turn = arg;

	(void)s;
	(void)why;
	dial(++*turn);
	memcpy(to, view, m->n_linears * sizeof *to);
	*layout = (uint32_t)*turn;
	*bpw = 4;
	return ST_OK;
}

/* Fourteen tokens at most, as every 32nd is measured. */
static size_t steps_of_answer(struct desk *d, enum kv_type type, uint64_t seed)
{
	const struct chat_how how = { .ctx = 128, .kv = type };
	struct sampler_options o = sampler_default;
	struct chat_source src = { .view = turning };
	size_t turn = 0, steps;
	struct chat *c;

	src.arg = &turn;
	o.seed = seed;
	ok(chat_new(&c, d, &how, &e));
	chat_sampler(c, &o, 14);
	chat_say(c, "hi");
	ok(chat_answer(c, &src, NULL, &e));
	steps = chat_said(c).n_said - 1;
	cr_assert_leq(chat_said(c).n_before + chat_said(c).n_said, 64);
	chat_free(c);
	return steps;
}

Test(cuda_step, answers_of_a_chat_are_replays_of_one_graph)
{
	for (int type = KV_F32; type <= KV_INT8; type++) {
		struct desk d = { .m = m };
		struct backend_device before, after;
		size_t steps = 0;

		ok(tokenizer_new(&d.tok, m->ck->vocab, &e));
		d.template = template_named("chatml");
		cr_assert_not_null(d.template);
		before = info();
		for (uint64_t seed = 1; seed <= 3; seed++)
			steps += steps_of_answer(&d, (enum kv_type)type, seed);
		after = info();
		cr_expect_gt(steps, 20);
		cr_expect_eq(after.graphs_built - before.graphs_built, 1);
		cr_expect_eq(after.graphs_replayed - before.graphs_replayed, steps - 1);
		tokenizer_free(d.tok);
	}
}

Test(cuda_step, sixteen_sequences_are_one_graph)
{
	struct talk t = talk_new(KV_INT8, 16);

	cr_expect_eq(made_by_token(&t), 1);
	dial(1);
	cr_expect_eq(made_by_token(&t), 0);
	talk_free(&t);
}

/* ---- and it is right */

Test(cuda_step, what_is_replayed_says_what_ref_says)
{
	struct model *here = lib_demo("ref", 1);
	size_t vocab = m->hp.vocab;

	for (int type = KV_F32; type <= KV_INT8; type++) {
		struct talk t = talk_new((enum kv_type)type, 1);
		float *z = xarray(vocab, sizeof *z);
		struct fwd *f = NULL;
		struct kv *kv = NULL;

		for (size_t i = 0; i < m->n_linears; i++)
			view[i] = m->ref[i];
		ok(fwd_new(&f, here, 4, &e));
		ok(kv_new(&kv, here, CTX, (enum kv_type)type, &e));
		for (size_t n = 0; n < 68; n++) {
			int32_t id = (int32_t)(n * 7 % 200 + 1);

			ok(fwd_step(f, here->ref, &kv, &id, 1, z, NULL, &e));
			token(&t);
			cr_expect_lt(lib_distance(t.z, z, vocab), 2e-4, "token %zu", n);
		}
		kv_free(kv);
		fwd_free(f);
		talk_free(&t);
		xfree(z);
	}
	model_free(here);
}
