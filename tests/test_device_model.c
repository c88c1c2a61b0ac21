/* test_device_model.c - a model whose memory the host cannot touch gives ref's numbers, and a
 * device that fails or is full is an answer. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/eval/eval.h"
#include "core/model/place.h"
#include "core/quant/bundle.h"
#include "core/search/scan.h"
#include "tests/lib_base.h"
#include "tests/lib_fenced.h"
#include "tests/lib_model.h"

enum { HERE, THERE, SIDES, SEQS = 2, LEN = 16, K = 2 };

static const struct fenced_controls *fence;
static struct model *model[SIDES];
static struct variant_set set[SIDES]; /* int4g128 and keep */
static struct token_text text;
static struct err e;

#define ok(st) cr_assert_eq((st), ST_OK, "%s", e.msg)

static enum st quantize(struct variant_set *v, const struct model *m, struct err *why)
{
	struct format f[FORMAT_MAX];
	size_t k;
	enum st st = format_list(f, &k, "int4g128,keep", why);

	if (!st)
		st = variant_set_alloc(v, m->n_linears, f, k, why);
	for (size_t i = 0; !st && i < v->n; i++) {
		const struct linear *l = &m->linear[i];
		struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = m->be };
		const struct quantizer *by = quantizer_find("minmax");
		struct qcodes q = { 0 };
		float *w = NULL;

		st = model_linear_f32(m, i, &w, why);
		in.w = w;
		if (!st)
			st = qcodes_alloc(&q, f[0], l->rows, l->cols, why);
		if (!st)
			st = by->run(&in, &q, NULL, why);
		if (!st)
			st = variant_pack(variant_at(v, i, 0), &q, by, (double)NAN, why);
		if (!st)
			st = variant_place(variant_at(v, i, 0), m, why);
		qcodes_release(&q);
		big_free(w);
	}
	return st;
}

static const struct mat **view_of(const struct variant_set *v, const struct model *m)
{
	const struct mat **view = xarray(v->n, sizeof *view);

	for (size_t i = 0; i < v->n; i++)
		view[i] = i % 3 ? &variant_at(v, i, 0)->mat : m->ref[i];
	return view;
}

static void make_text(void)
{
	int32_t *id = lib_ids(SEQS * LEN, 256, 3);

	text = (struct token_text){ .n_seq = SEQS, .len = LEN };
	text.id = big_array(SEQS * LEN, sizeof *text.id, "test text", NULL);
	memcpy(text.id, id, SEQS * LEN * sizeof *id);
	xfree(id);
}

/* Its file stays: exports and moves look at it again. */
static struct checkpoint *demo_file(void)
{
	char *path = xprintf("%s/demo.gguf", tmp_dir());
	struct checkpoint *ck = NULL;

	if (!fs_is_file(path))
		ok(model_demo_write(path, 1, &e));
	ok(checkpoint_open(&ck, path, &e));
	xfree(path);
	return ck;
}

static struct model *demo_on(const char *backend)
{
	struct model *m = NULL;

	ok(model_load(&m, demo_file(), backend_find(backend), NULL, &e));
	return m;
}

static void begin(void)
{
	fence = lib_fenced();
	ok(backend_use("fenced:0", &e));
	model[HERE] = demo_on("ref");
	model[THERE] = demo_on("fenced:0");
	for (int i = 0; i < SIDES; i++)
		ok(quantize(&set[i], model[i], &e));
	make_text();
}

static void end(void)
{
	for (int i = 0; i < SIDES; i++) {
		variant_set_release(&set[i]);
		model_free(model[i]);
	}
	token_text_release(&text);
	cr_assert_eq(
		fence->ours(), 0, "%lu bytes were not given back", (unsigned long)fence->ours());
}

TestSuite(device_model, .init = begin, .fini = end, .timeout = 60);

/* Twelve tokens after a prompt; logits of all, [12][vocab]. */
static float *decode(int side, enum kv_type type, struct fwd_times *times)
{
	const struct model *m = model[side];
	const struct mat **view = view_of(&set[side], m);
	size_t vocab = m->hp.vocab;
	float *z = xarray(12 * vocab, sizeof *z);
	struct fwd *f = NULL;
	struct kv *kv = NULL;

	ok(fwd_new(&f, m, 16, &e));
	ok(kv_new(&kv, m, 40, type, &e));
	fwd_time(f, times);
	ok(fwd_prompt(f, view, kv, text.id, 20, z, NULL, &e));
	for (size_t i = 1; i < 12; i++)
		ok(fwd_step(f, view, &kv, text.id + 20 + i, 1, z + i * vocab, NULL, &e));
	cr_assert_eq(kv->n, 31);
	kv_free(kv);
	fwd_free(f);
	xfree(view);
	return z;
}

Test(device_model, answers_as_ref_does_and_a_token_is_a_step)
{
	for (int type = KV_F32; type <= KV_INT8; type++) {
		unsigned long before = fence->steps();
		float *a = decode(HERE, (enum kv_type)type, NULL);
		float *b = decode(THERE, (enum kv_type)type, NULL);

		cr_assert_lt(lib_distance(a, b, 12 * model[HERE]->hp.vocab), 1e-6);
		cr_assert_eq(fence->steps() - before, 11);
		cr_assert_not(fence->in_step());
		xfree(a);
		xfree(b);
	}
}

Test(device_model, what_is_measured_does_not_go_as_one)
{
	struct fwd_times t = { { 0 }, 0 };
	unsigned long before = fence->steps();
	float *a = decode(HERE, KV_F32, NULL), *b = decode(THERE, KV_F32, &t);

	cr_assert_lt(lib_distance(a, b, 12 * model[HERE]->hp.vocab), 1e-6);
	cr_assert_eq(fence->steps(), before);
	cr_assert_gt(t.bytes, 0);
	cr_assert_gt(t.seconds[FWD_LINEARS], 0);
	xfree(a);
	xfree(b);
}

Test(device_model, writes_the_text_that_ref_writes)
{
	struct token_text t[SIDES] = { { .len = 12 }, { .len = 12 } };
	int32_t start = 1;

	for (int i = 0; i < SIDES; i++)
		ok(selftext_more(&t[i], model[i], 7, &start, 1, 8, NULL, &e));
	cr_assert_arr_eq(t[HERE].id, t[THERE].id, 8 * 12 * sizeof *t[HERE].id);
	for (int i = 0; i < SIDES; i++)
		token_text_release(&t[i]);
}

struct found {
	double kl[64], se[64];
	size_t n;
};

static void took(void *arg, const struct scan_cell *c)
{
	struct found *f = arg;

	f->kl[f->n] = c->kl;
	f->se[f->n++] = c->se;
}

static enum st scan_some(int side, struct found *f, struct err *why)
{
	struct scan_cell cell[5] = { { .linear = 0 } };
	struct scan *sc = NULL;
	enum st st = scan_new(&sc, model[side], &text, NULL, why);

	for (uint32_t i = 0; i < 5; i++)
		cell[i].linear = i * 3;
	if (!st)
		st = scan_cells(sc, &set[side], cell, 5, took, f, NULL, why);
	scan_free(sc);
	return st;
}

Test(device_model, scans_as_ref_does)
{
	struct found f[SIDES] = { { .n = 0 }, { .n = 0 } };
	size_t n = model[HERE]->n_linears;
	double *score[SIDES];

	for (int i = 0; i < SIDES; i++) {
		ok(scan_some(i, &f[i], &e));
		score[i] = xarray(n * K, sizeof **score);
		ok(scan_first_score(score[i], model[i], &set[i], &text, NULL, NULL, NULL, &e));
	}
	cr_assert_eq(f[THERE].n, 5);
	for (size_t i = 0; i < 5; i++) {
		cr_assert_gt(f[THERE].kl[i], 0);
		cr_assert_float_eq(f[HERE].kl[i], f[THERE].kl[i], 1e-6 * f[HERE].kl[i]);
		cr_assert_float_eq(f[HERE].se[i], f[THERE].se[i], 1e-6 * f[HERE].se[i]);
	}
	for (size_t i = 0; i < n * K; i++)
		cr_assert_float_eq(score[HERE][i], score[THERE][i], 1e-6 * score[HERE][i]);
	for (int i = 0; i < SIDES; i++)
		xfree(score[i]);
}

Test(device_model, gathers_the_moments_that_ref_gathers)
{
	struct moments m[SIDES];

	for (int i = 0; i < SIDES; i++)
		ok(moments_gather(&m[i], model[i], &text, NULL, &e));
	cr_assert_eq(m[HERE].n, m[THERE].n);
	for (size_t i = 0; i < m[HERE].n; i++) {
		size_t cols =
			i % SITES == SITE_DOWN ? model[HERE]->hp.inter : model[HERE]->hp.hidden;

		cr_assert_lt(lib_distance(m[HERE].h[i], m[THERE].h[i], cols * cols), 1e-4);
	}
	for (int i = 0; i < SIDES; i++)
		moments_free(&m[i]);
}

static enum st measure(int side, struct eval_result *r, struct err *why)
{
	const struct mat **view = view_of(&set[side], model[side]);
	enum st st = eval_run(r, model[side], view, text.id, SEQS * text.len, text.len, NULL, why);

	xfree(view);
	return st;
}

Test(device_model, evaluates_as_ref_does)
{
	struct eval_result r[SIDES];

	for (int i = 0; i < SIDES; i++)
		ok(measure(i, &r[i], &e));
	cr_assert_gt(r[THERE].kl, 0);
	cr_assert_float_eq(r[HERE].kl, r[THERE].kl, 1e-7);
	cr_assert_float_eq(r[HERE].nll, r[THERE].nll, 1e-6);
	cr_assert_eq(r[HERE].top1, r[THERE].top1);
}

static char *file_of(const char *dir, size_t *n)
{
	char *path = xprintf("%s/model.safetensors", dir), *s;

	ok(fs_read(path, 64 << 20, &s, n, &e));
	xfree(path);
	return s;
}

Test(device_model, exports_the_bytes_that_ref_exports)
{
	char *file[SIDES];
	size_t n[SIDES];

	for (int i = 0; i < SIDES; i++) {
		char *dir = xprintf("%s/out-%d", tmp_dir(), i);
		const struct mat **view = view_of(&set[i], model[i]);
		struct layout l = { 0 };

		layout_init(&l, model[i], set[i].format, set[i].k);
		for (size_t k = 0; k < l.n; k++)
			l.choice[k] = k % 3 ? 0 : 1;
		layout_count(&l, model[i]);
		ok(bundle_write(dir, model[i], &l, view, NULL, &e));
		file[i] = file_of(dir, &n[i]);
		layout_release(&l);
		xfree(view);
		xfree(dir);
	}
	cr_assert_eq(n[HERE], n[THERE]);
	cr_assert_arr_eq(file[HERE], file[THERE], n[HERE]);
	for (int i = 0; i < SIDES; i++)
		big_free(file[i]);
}

/* ---- moving, memory */

Test(device_model, moves_there_and_back)
{
	struct model *m = demo_on("ref");
	const struct mat *q = &m->linear[1].ref;
	const struct backend *ref = m->be;
	uint64_t before = fence->ours();
	float *a, *b;

	ok(model_linear_f32(m, 1, &a, &e));
	ok(model_move(m, backend_find("fenced:0"), NULL, NULL, NULL, &e));
	cr_assert_gt(fence->ours(), before);
	cr_assert_eq(q, &m->linear[1].ref);
	ok(model_linear_f32(m, 1, &b, &e));
	cr_assert_arr_eq(a, b, m->linear[1].rows * m->linear[1].cols * sizeof *a);
	ok(model_move(m, ref, NULL, NULL, NULL, &e));
	cr_assert_eq(fence->ours(), before);
	big_free(b);
	ok(model_linear_f32(m, 1, &b, &e));
	cr_assert_arr_eq(a, b, m->linear[1].rows * m->linear[1].cols * sizeof *a);
	big_free(a);
	big_free(b);
	model_free(m);
}

Test(device_model, a_device_too_small_is_said_with_what_is_free)
{
	struct model *m = NULL, *there = demo_on("ref");
	uint64_t before = fence->ours();
	struct fwd *f = NULL;
	struct kv *kv = NULL;

	fence->limit(before + 100000);
	cr_assert_eq(model_load(&m, demo_file(), backend_find("fenced:0"), NULL, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "97.7 KiB of 512 MiB are free on fenced:0"), "%s", e.msg);
	cr_assert_eq(fence->ours(), before);
	cr_assert_eq(model_move(there, backend_find("fenced:0"), NULL, NULL, NULL, &e), ST_NOMEM);
	cr_assert_eq(there->be, backend_find("ref"));
	cr_assert_eq(kv_new(&kv, model[THERE], 2000, KV_F32, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "are free on fenced:0"), "%s", e.msg);
	cr_assert_eq(fwd_new(&f, model[THERE], 500, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "are free on fenced:0"), "%s", e.msg);
	cr_assert_eq(fence->ours(), before);
	fence->limit(0);
	model_free(there);
}

/* The fence of the suite itself: what else it says rests on it. */
Test(device_model, the_host_cannot_touch_it, .signal = SIGSEGV)
{
	const volatile float *there = model[THERE]->final_norm;

	(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
	cr_assert(there[0] != 12345);
}

/* ---- failing */

static bool good(double x)
{
	return isfinite(x);
}

/* A model loaded, scanned and measured while its nth operation fails: what was told as found is a
 * number, the rest is ST_DEVICE with the sentence. */
static enum st all_of_it(unsigned long n, bool lost)
{
	struct found f = { .n = 0 };
	struct eval_result r = { .kl = 0 };
	struct variant_set was = set[THERE];
	struct model *m = NULL, *held = model[THERE];
	size_t len = text.len;
	enum st st;

	text.len = 5;
	fence->fail_at(n, lost);
	st = model_load(&m, demo_file(), backend_find("fenced:0"), NULL, &e);
	set[THERE] = (struct variant_set){ 0 };
	if (!st)
		st = quantize(&set[THERE], m, &e);
	model[THERE] = m;
	if (!st)
		st = scan_some(THERE, &f, &e);
	if (!st)
		st = measure(THERE, &r, &e);
	text.len = len;
	for (size_t i = 0; i < f.n; i++)
		cr_assert(good(f.kl[i]) && good(f.se[i]), "operation %lu made a cell NaN", n);
	cr_assert(good(r.kl));
	variant_set_release(&set[THERE]);
	model_free(m);
	model[THERE] = held;
	set[THERE] = was;
	return st;
}

Test(device_model, every_failing_operation_is_an_answer)
{
	uint64_t held = fence->ours();
	unsigned long before = fence->count(), all, n;
	size_t failures = 0;
	enum st st;

	ok(all_of_it(0, false));
	all = fence->count() - before;
	cr_assert_gt(all, 300);
	for (n = 1; n <= all; n += n < 80 ? 1 : 23) {
		st = all_of_it(n, n % 3 == 0);
		cr_assert_eq(st, ST_DEVICE, "operation %lu of %lu: %s", n, all, st_name(st));
		cr_assert(strstr(e.msg, "fenced:0: operation "), "%s", e.msg);
		cr_assert_eq(fence->ours(), held, "operation %lu left memory behind", n);
		failures++;
		fence->revive();
	}
	cr_assert_gt(failures, 100);
	cr_assert_eq(all_of_it(all + 1000, false), ST_OK);
	fence->fail_at(0, false);
}

/* At its third poll another job is told of a failure. */
struct other {
	struct sink sink;
	int polls;
};

static bool told_meanwhile(const struct sink *s)
{
	struct other *o = s->self;
	float x;

	if (++o->polls != 3)
		return false;
	fence->fail_at(1, false);
	model[THERE]->be->get(&x, model[THERE]->final_norm, sizeof x);
	cr_assert(isnan(x));
	cr_assert_eq(model_fault(model[THERE], &e), ST_DEVICE);
	return false;
}

Test(device_model, a_failure_told_to_another_job_ends_this_one_too)
{
	struct other o = { .polls = 0 };
	const struct mat **view = view_of(&set[THERE], model[THERE]);
	struct eval_result r;

	o.sink = (struct sink){ .poll = told_meanwhile, .self = &o };
	cr_assert_eq(
		eval_run(&r, model[THERE], view, text.id, SEQS * LEN, LEN, &o.sink, &e), ST_DEVICE);
	cr_assert(strstr(e.msg, "fenced:0: operation"), "%s", e.msg);
	ok(eval_run(&r, model[THERE], view, text.id, SEQS * LEN, LEN, NULL, &e));
	xfree(view);
}
