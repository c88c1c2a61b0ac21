/* test_train_need.c - what a training run is foretold to take, against what it then holds, and
 * against the arithmetic of FORMULAS.md 1.8, 1.9 and 2.4 done by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tune/teacher.h"
#include "core/tune/train_need.h"
#include "tests/lib_base.h"
#include "tests/lib_train.h"
#include "tests/lib_work.h"

static const struct hparams llama3 = { .vocab = 128256,
	.hidden = 4096,
	.inter = 14336,
	.layers = 32,
	.heads = 32,
	.kv_heads = 8,
	.head_dim = 128 };
static const uint64_t llama3_ends = 2ull * 2 * 128256 * 4096;

static struct train_memory need(const struct hparams *hp, struct format f, uint64_t other,
	const struct train_how *how, size_t window)
{
	struct train_shape *s = train_shapes(hp, f);
	struct train_memory x;
	struct err e = { 0 };

	cr_assert_eq(train_need(&x, hp, s, hp->layers * LINEAR_KINDS, other, how, window, &e),
		ST_OK, "%s", e.msg);
	xfree(s);
	return x;
}

static struct train_how method(const char *name)
{
	struct train_how how;

	cr_assert(train_method_find(name), "%s", name);
	train_how_init(&how, train_method_find(name));
	return how;
}

/* ---- against what runs */

static struct pack *packed(struct desk *d, size_t window)
{
	const char *path = tmp_path("rows.jsonl");
	struct pack_how how = { .tok = d->tok, .window = window, .all = true };
	struct dataset *data;
	struct pack *p;
	struct err e = { 0 };
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 60; i++)
		fprintf(f, "{\"prompt\":\"number %d\",\"completion\":\"then comes %d\"}\n", i,
			i + 1);
	fclose(f);
	cr_assert_eq(dataset_open(&data, path, 0, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(pack_read(&p, data, &how, NULL, &e), ST_OK, "%s", e.msg);
	dataset_close(data);
	return p;
}

/* Within a tenth (T9), without what is the model's own, which train_bytes does not count. */
static void holds_what_was_foretold(const char *name, const char *layout, enum back_keep keep)
{
	enum { WINDOW = 32 };
	struct desk *d;
	struct layout l = { 0 };
	const char *source;
	const struct mat **view;
	struct train_shape *s;
	struct train_how how = method(name);
	struct train_memory x;
	struct train *t = NULL;
	struct pack *p;
	struct err e = { 0 };
	double is, said;

	work_home();
	d = work_desk(work_demo(1), NULL, NULL);
	p = packed(d, WINDOW);
	view = xarray(d->m->n_linears, sizeof *view);
	cr_assert_eq(desk_layout(d, layout, &l, &source, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_layout_view(d, &l, view, NULL, &e), ST_OK, "%s", e.msg);
	how.keep = keep;
	s = train_shapes(&d->m->hp, (struct format){ 0 });
	for (size_t i = 0; i < l.n; i++)
		s[i].format = l.format[l.choice[i]];
	cr_assert_eq(train_need(&x, &d->m->hp, s, l.n, 0, &how, WINDOW, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(train_new(&t, d->m, &(struct train_from){ .view = view, .forms = 1 }, &how, p, NULL, &e), ST_OK, "%s", e.msg);
	is = (double)train_bytes(t);
	said = (double)(x.total - x.frozen);
	cr_assert(fabs(is / said - 1) < 0.1, "%s of %s: foretold %.0f bytes, it holds %.0f", name,
		layout, said, is);
	cr_assert_eq(x.activations + x.logits, back_bytes(d->m, how.windows * WINDOW, how.keep),
		"%s", name);
	train_free(t);
	layout_release(&l);
	pack_free(p);
	xfree(s);
	xfree(view);
	desk_close(d);
}

Test(train_need, what_a_run_holds_is_within_a_tenth_of_what_was_foretold_by_any_method)
{
	for (const struct train_method *m = train_methods; m->name; m++)
		holds_what_was_foretold(m->name, "int4g64", BACK_ALL);
}

Test(train_need, the_same_of_two_bits_when_blocks_are_run_again)
{
	holds_what_was_foretold("rank", "int2g64", BACK_INPUTS);
	holds_what_was_foretold("galore", "int2g64", BACK_INPUTS);
	holds_what_was_foretold("qlora", "int2g64", BACK_INPUTS);
}

/* A dial: every linear in two formats, and a teacher beside. */
static void holds_of_a_dial(const char *name)
{
	enum { WINDOW = 32 };
	static const char *const format[] = { "int2g32", "int4g64" };
	struct taught t[2] = { taught_open("cpu", format[0], 20, WINDOW, 0),
		taught_open("cpu", format[1], 20, WINDOW, 0) };
	size_t n = t[0].m->n_linears;
	const struct mat **view = xarray(2 * n, sizeof *view);
	struct train_shape *s = xarray(2 * n, sizeof *s);
	struct train_how how = method(name);
	struct train_from from = { .view = view, .forms = 2 };
	struct train_memory x;
	struct train *run = NULL;
	struct err e = { 0 };
	double is, said;

	for (size_t f = 0; f < 2; f++) {
		struct format as;
		struct train_shape *one;

		cr_assert_eq(format_parse(&as, format[f], &e), ST_OK);
		one = train_shapes(&t[0].m->hp, as);
		memcpy(s + f * n, one, n * sizeof *s);
		memcpy(view + f * n, t[f].view, n * sizeof *view);
		xfree(one);
	}
	how.forms = 2;
	how.teach = true;
	cr_assert_eq(train_need(&x, &t[0].m->hp, s, n, 0, &how, WINDOW, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(teacher_live(&from.teacher, t[0].m, how.windows * WINDOW, &e), ST_OK);
	cr_assert_eq(train_new(&run, t[0].m, &from, &how, t[0].pack, NULL, &e), ST_OK, "%s", e.msg);
	is = (double)train_bytes(run);
	said = (double)(x.total - x.frozen);
	cr_assert(fabs(is / said - 1) < 0.1, "%s: foretold %.0f bytes, it holds %.0f", name, said, is);
	train_free(run);
	teacher_free(from.teacher);
	xfree(view);
	xfree(s);
	taught_close(&t[0]);
	taught_close(&t[1]);
}

Test(train_need, a_dial_in_training_is_foretold_too)
{
	holds_of_a_dial("latent");
	holds_of_a_dial("flips");
	holds_of_a_dial("stats");
}

/* ---- against arithmetic by hand */

Test(train_need, llama_3_8b_is_as_the_design_reckons_it)
{
	struct train_how how = method("rank");
	const struct format int2 = format_int(2, 64);
	struct train_memory x;
	double linears = 32.0 * (2 * 4096.0 * 4096 + 2 * 1024.0 * 4096 + 3 * 4096.0 * 14336);

	how.keep = BACK_INPUTS;
	x = need(&llama3, int2, llama3_ends, &how, 256);
	cr_assert_eq(x.trained, (uint64_t)linears);
	/* 2.5 bits a weight, and the gains of 65 norms */
	cr_assert_eq(x.weights, (uint64_t)(linears * 2.5 / 8) + 65 * 4096 * 4);
	cr_assert_eq(x.frozen, llama3_ends);
	/* two moments of a byte, their exponents, a bit and a sixteenth for counts, six floats a
	 * group */
	cr_assert_float_eq(
		(double)x.state / linears, 2 + 2.0 / 256 + 1.0 / 8 + 1.0 / 16 + 24.0 / 64, 1e-3);
	/* the inputs of 32 blocks, one block whole, scratch: FORMULAS.md 1.8 in float */
	cr_assert_float_eq((double)x.activations / 1024 / 4,
		32 * 4096 + (4096 + 2 * 4096 + 2 * 1024 + 2 * 14336) +
			(5 * 4096 + 2 * 14336 + 2 * 4096 + 2 * 1024),
		1000);
	/* one matrix */
	cr_assert_geq(x.gradient, 4ull * 4096 * 14336);
	cr_assert_leq(x.gradient, 4ull * 4096 * 14336 * 11 / 10);
	/* 1.9, every token labelled: forward, twice that back, blocks once more */
	cr_assert_float_eq(
		x.flops / 1024, 8 * linears + 4 * 128256.0 * 4096 + 32 * 256.0 * 4096 * 2 * 4, 1e7);
}

Test(train_need, a_teacher_that_is_read_runs_no_second_forward_pass)
{
	struct train_how alone = method("rank"), live = alone, said;
	struct train_memory x, y, z;
	const struct format int4 = format_int(4, 128);
	double blocks = 32.0 * (2 * 4096.0 * 4096 + 2 * 1024.0 * 4096 + 3 * 4096.0 * 14336);

	live.teach = true;
	said = live;
	said.said = true;
	x = need(&llama3, int4, 0, &alone, 256);
	y = need(&llama3, int4, 0, &live, 256);
	z = need(&llama3, int4, 0, &said, 256);
	cr_assert_eq(x.flops, z.flops);
	/* every linear and the head once a token, and attention */
	cr_assert_float_eq((y.flops - x.flops) / 1024,
		2 * blocks + 2 * 128256.0 * 4096 + 32 * 256.0 * 4096 * 2, 1e7);
	/* what leaves its last block; or where in the cache a token is, and two rows of logits */
	cr_assert_eq(y.activations - x.activations, 1024ull * 4096 * 4);
	cr_assert_eq(z.activations - x.activations, 1024ull * 24 + 2ull * 128256 * 4);
	cr_assert_eq(y.logits, z.logits);
}

Test(train_need, a_look_is_of_512_tokens_by_two_models_and_beside_a_step)
{
	struct train_how rank = method("rank");
	struct train_memory x = need(&llama3, format_int(4, 128), 0, &rank, 256), y;
	uint64_t token = 4 * (2 * 4096 + 3 * 14336) + 2 * 4 * 4096,
		 logits = 48 * 4 * (2 * 128256 + 4096), kept = 4096 * 4096 * 4;

	cr_assert_eq(x.looks, 512 * token + logits + kept);
	cr_assert_eq(x.total, x.weights + x.frozen + x.state + x.adapters + x.activations +
				      x.gradient + x.logits);
	y = need(&llama3, format_int(4, 128), 0, &rank, 2048);
	cr_assert_eq(y.looks, 2048 * token + logits + kept);
}

Test(train_need, a_checkpoint_is_what_opens_as_a_model_and_what_going_on_takes)
{
	struct train_how rank = method("rank"), latent = method("latent"), fp = method("fp"),
			 lora = method("lora");
	struct train_memory x = need(&llama3, format_int(4, 128), 100, &rank, 256);

	cr_assert_eq(train_checkpoint_bytes(&x, &rank, 1000), 1000 + x.weights + x.state);
	cr_assert_eq(train_checkpoint_bytes(&x, &latent, 1000), 1000 + x.weights + x.state);
	x = need(&llama3, format_int(4, 128), 100, &fp, 256);
	cr_assert_eq(train_checkpoint_bytes(&x, &fp, 1000), 2 * x.weights + 100 + x.state);
	x = need(&llama3, format_int(4, 128), 100, &lora, 256);
	cr_assert_eq(train_checkpoint_bytes(&x, &lora, 1000), 2 * x.adapters + x.weights + x.state);
}

Test(train_need, methods_differ_in_what_they_keep)
{
	const struct format int4 = format_int(4, 128);
	struct train_how rank = method("rank"), stats = method("stats"), galore = method("galore"),
			 fp = method("fp"), fp8 = method("fp8"), lora = method("lora"),
			 galore_fp = method("galore-fp");
	uint64_t all = need(&llama3, int4, 0, &rank, 256).state;

	cr_assert_lt(need(&llama3, int4, 0, &stats, 256).state, all / 2);
	galore.tune.rank = 128;
	cr_assert_lt(need(&llama3, int4, 0, &galore, 256).state, all);
	cr_assert_lt(need(&llama3, int4, 0, &galore_fp, 256).state,
		need(&llama3, int4, 0, &fp, 256).state / 2);
	cr_assert_gt(need(&llama3, int4, 0, &fp, 256).state, 3 * all);
	cr_assert_lt(need(&llama3, int4, 0, &fp8, 256).state, all + all / 10);
	cr_assert_lt(need(&llama3, int4, 0, &lora, 256).total, all);
	cr_assert_eq(need(&llama3, int4, 0, &fp, 256).weights,
		need(&llama3, format_int(2, 64), 0, &fp, 256).weights, "masters are float");
	/* 1.9: no gradient of the frozen linears */
	rank.keep = lora.keep = BACK_ALL;
	cr_assert_float_eq(
		need(&llama3, int4, 0, &lora, 256).flops / need(&llama3, int4, 0, &rank, 256).flops,
		2.0 / 3, 0.03);
}

Test(train_need, linears_that_are_kept_count_as_frozen_unless_they_are_what_is_trained)
{
	struct train_how rank = method("rank"), fp = method("fp");
	struct train_shape *s = train_shapes(&llama3, format_int(4, 128));
	struct train_memory x, y;
	struct err e;
	size_t n = llama3.layers * LINEAR_KINDS;

	x = need(&llama3, format_int(4, 128), 0, &rank, 256);
	s[3].format = (struct format){ 0 };
	s[3].kept = 1000;
	cr_assert_eq(train_need(&y, &llama3, s, n, 0, &rank, 256, &e), ST_OK);
	cr_assert_eq(y.frozen, 1000);
	cr_assert_eq(x.trained - y.trained, (uint64_t)s[3].rows * s[3].cols);
	cr_assert_eq(train_need(&y, &llama3, s, n, 0, &fp, 256, &e), ST_OK);
	cr_assert_eq(y.frozen, 0);
	for (size_t i = 0; i < n; i++)
		s[i].format = (struct format){ 0 };
	cr_assert_eq(train_need(&y, &llama3, s, n, 0, &rank, 256, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "--layout int4g128"), "%s", e.msg);
	xfree(s);
}

Test(train_need, the_parts_of_a_mix_are_matrices_of_their_own_and_their_gradients_are_gathered)
{
	struct train_how rank = method("rank");
	struct format mix;
	struct train_memory x, low = need(&llama3, format_int(2, 64), 0, &rank, 256), high;
	struct err e;

	high = need(&llama3, format_int(4, 64), 0, &rank, 256);
	cr_assert_eq(format_parse(&mix, "int4g64:4+int2g64", &e), ST_OK);
	x = need(&llama3, mix, 0, &rank, 256);
	cr_assert_eq(x.trained, low.trained);
	/* half of the inputs of each linear are of one width */
	cr_assert_float_eq((double)x.weights * 2 / (double)(low.weights + high.weights), 1, 1e-3);
	cr_assert_float_eq((double)x.state / (double)low.state, 1, 1e-2);
	cr_assert_gt(x.gradient, 2 * 4ull * 4096 * 14336);
}
