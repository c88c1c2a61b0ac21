/* lib_train.c - see lib_train.h. */
#include "tests/lib_train.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/quant/mix.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"

static void quantize(struct taught *t, size_t i, struct format f)
{
	const struct quantizer *by = quantizer_find("minmax");
	const struct linear *l = &t->m->linear[i];
	struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = t->m->be };
	struct qcodes q;
	struct err e = { 0 };
	float *w;

	t->view[i] = t->m->ref[i];
	if (format_is_keep(f) || (format_is_mix(f) && !format_fits(f, l->cols)))
		return;
	cr_assert_eq(model_linear_f32(t->m, i, &w, &e), ST_OK, "%s", e.msg);
	in.w = w;
	cr_assert_eq(qcodes_alloc(&q, f, l->rows, l->cols, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(
		format_is_mix(f) ? mix_quantize(by, &in, &q, NULL, &e) : by->run(&in, &q, NULL, &e),
		ST_OK, "%s", e.msg);
	cr_assert_eq(variant_pack(&t->v[i], &q, by, (double)NAN, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(variant_place(&t->v[i], t->m, &e), ST_OK, "%s", e.msg);
	t->view[i] = &t->v[i].mat;
	qcodes_release(&q);
	big_free(w);
}

/* The demo knows letter pairs of its own text; these are others. */
static void data(struct taught *t, size_t rows, size_t window, double held)
{
	const struct pack_how how = { .tok = t->tok, .window = window, .held = held, .seed = 3 };
	const char *path = tmp_path("data.jsonl");
	char *s = xalloc(rows * 100 + 1), *at = s;
	struct dataset *d;
	struct err e = { 0 };

	for (size_t i = 0; i < rows; i++)
		at += snprintf(at, 100,
			"{\"prompt\": \"turn %c%c\", \"completion\": \"%c%c bits %.*s\"}\n",
			(int)('a' + i % 26), (int)('a' + i / 26 % 26), (int)('a' + i % 26),
			(int)('z' - i % 26), (int)(3 + i % 11), "weights are heavy");
	tmp_write(path, s, (size_t)(at - s));
	xfree(s);
	cr_assert_eq(dataset_open(&d, path, 0, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(pack_read(&t->pack, d, &how, NULL, &e), ST_OK, "%s", e.msg);
	dataset_close(d);
}

struct taught taught_open(
	const char *backend, const char *format, size_t rows, size_t window, double held)
{
	struct taught t = { .m = lib_demo(backend, 5) };
	struct format f = { 0 };
	struct err e = { 0 };

	cr_assert_eq(format_parse(&f, format, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(tokenizer_new(&t.tok, t.m->ck->vocab, &e), ST_OK, "%s", e.msg);
	t.v = xarray(t.m->n_linears, sizeof *t.v);
	t.view = xarray(t.m->n_linears, sizeof *t.view);
	for (size_t i = 0; i < t.m->n_linears; i++)
		quantize(&t, i, f);
	data(&t, rows, window, held);
	return t;
}

void taught_close(struct taught *t)
{
	for (size_t i = 0; i < t->m->n_linears; i++)
		variant_release(&t->v[i]);
	xfree(t->v);
	xfree(t->view);
	pack_free(t->pack);
	tokenizer_free(t->tok);
	model_free(t->m);
}

/* This model knows next to nothing: it wants the rates of FORMULAS.md 3.3b, which undo one that
 * speaks. */
static void from_nothing(struct tune_options *o, enum train_what what)
{
	o->from = 1e-3;
	if (what == TRAIN_CODES && o->unit == LR_LEVELS)
		o->lr *= 50;
	if (what == TRAIN_CODES && o->lr_s > 0)
		o->lr_s *= 3;
}

struct train_how taught_how(const char *method)
{
	const struct train_method *by = train_method_find(method);
	struct train_how how;

	cr_assert(by, "no method %s", method);
	train_how_init(&how, by);
	train_how_steps(&how, 8);
	how.windows = 2;
	how.tune.seed = 3;
	how.tune.first_move = 1;
	from_nothing(&how.tune, by->what);
	return how;
}

struct train *taught_new(const struct taught *t, const struct train_how *how)
{
	struct train *run = NULL;
	struct err e = { 0 };

	cr_assert_eq(train_new(&run, t->m, &(struct train_from){ .view = t->view, .forms = 1 }, how, t->pack, NULL, &e), ST_OK, "%s: %s",
		how->method->name, e.msg);
	return run;
}

double taught_steps(struct train *t, size_t n, struct tune_counts *sum)
{
	struct train_report r = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(train_step(t, &r, NULL, &e), ST_OK, "%s", e.msg);
		for (size_t b = 0; sum && b < TUNE_WIDTHS; b++)
			sum->flips[b] += r.counts.flips[b];
		if (sum)
			sum->frozen += r.counts.frozen;
	}
	return r.loss;
}

void taught_sum(const struct train *t, char sum[65])
{
	size_t n;
	char *all;
	struct err e = { 0 };

	cr_assert_eq(train_save(t, tmp_dir(), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(
		fs_read(tmp_path("train.state"), SIZE_MAX / 4, &all, &n, &e), ST_OK, "%s", e.msg);
	memcpy(sum, all + n - 64, 65);
	big_free(all);
}
