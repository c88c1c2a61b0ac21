/* test_eval.c - perplexity and divergence against the sums written out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/eval/eval.h"
#include "tests/lib_model.h"

/* log softmax of each row of one window, in double. */
static double *log_probs(
	const struct model *m, const struct mat *const *view, const int32_t *ids, size_t n)
{
	size_t vocab = m->hp.vocab, i, j;
	float *h = m->be->alloc(n * m->hp.hidden * sizeof *h);
	float *z = m->be->alloc(n * vocab * sizeof *z);
	double *lp = xarray(n * vocab, sizeof *lp);
	struct span sp = { NULL, n };
	struct fwd *f = NULL;

	cr_assert_eq(fwd_new(&f, m, n, NULL), ST_OK);
	cr_assert_eq(fwd_embed(f, ids, n, h, NULL), ST_OK);
	cr_assert_eq(fwd_blocks(f, view, 0, m->hp.layers, h, &sp, 1, NULL, NULL, NULL), ST_OK);
	cr_assert_eq(fwd_logits(f, h, n, z, NULL, NULL), ST_OK);
	for (i = 0; i < n; i++) {
		double sum = 0;

		for (j = 0; j < vocab; j++)
			sum += exp(z[i * vocab + j]);
		for (j = 0; j < vocab; j++)
			lp[i * vocab + j] = z[i * vocab + j] - log(sum);
	}
	fwd_free(f);
	m->be->free(h);
	m->be->free(z);
	return lp;
}

static size_t largest(const double *p, size_t n)
{
	size_t best = 0, i;

	for (i = 1; i < n; i++)
		if (p[i] > p[best])
			best = i;
	return best;
}

struct sums {
	double nll[2], kl, window_kl[8];
	size_t tokens, agree;
};

static void add_window(struct sums *s, size_t w, const double *p, const double *q,
	const int32_t *ids, size_t n, size_t vocab)
{
	size_t i, j;

	for (i = 0; i + 1 < n; i++, p += vocab, q += vocab) {
		double kl = 0;

		for (j = 0; j < vocab; j++)
			kl += exp(p[j]) * (p[j] - q[j]);
		s->kl += kl;
		s->window_kl[w] += kl / (double)(n - 1);
		s->nll[0] -= p[ids[i + 1]];
		s->nll[1] -= q[ids[i + 1]];
		s->agree += largest(p, vocab) == largest(q, vocab);
		s->tokens++;
	}
}

/* A view in which two linears come from another model: a layout as far as eval knows. */
static const struct mat **damaged(const struct model *m, const struct model *other)
{
	const struct mat **view = xarray(m->n_linears, sizeof *view);

	memcpy(view, m->ref, m->n_linears * sizeof *view);
	view[9] = other->ref[9];
	view[20] = other->ref[20];
	return view;
}

static void check_against_sums(const char *backend, size_t n, size_t window, size_t windows)
{
	struct model *m = lib_demo(backend, 1), *other = lib_demo(backend, 2);
	const struct mat **view = damaged(m, other);
	int32_t *ids = lib_ids(n, m->hp.vocab, 12);
	struct eval_result r;
	struct sums s = { .tokens = 0 };
	double var = 0;
	size_t w;

	for (w = 0; w < windows; w++) {
		double *p = log_probs(m, m->ref, ids + w * window, window);
		double *q = log_probs(m, view, ids + w * window, window);

		add_window(&s, w, p, q, ids + w * window, window, m->hp.vocab);
		xfree(p);
		xfree(q);
	}
	for (w = 0; w < windows; w++)
		var += pow(s.window_kl[w] - s.kl / (double)s.tokens, 2);
	cr_assert_eq(eval_run(&r, m, view, ids, n, window, NULL, NULL), ST_OK);
	cr_assert_eq(r.windows, windows);
	cr_assert_eq(r.tokens, s.tokens);
	cr_assert_float_eq(r.ref_nll, s.nll[0] / (double)s.tokens, 1e-5);
	cr_assert_float_eq(r.nll, s.nll[1] / (double)s.tokens, 1e-5);
	cr_assert_float_eq(r.ppl, exp(r.nll), 1e-9 * r.ppl);
	cr_assert_float_eq(r.kl, s.kl / (double)s.tokens, 1e-5);
	cr_assert_gt(r.kl, 1e-3);
	cr_assert_float_eq(r.top1, (double)s.agree / (double)s.tokens, 2.1 / (double)s.tokens);
	cr_assert_float_eq(r.kl_se,
		windows > 1 ? sqrt(var / (double)(windows - 1) / (double)windows) : 0, 1e-5);
	xfree(view);
	xfree(ids);
	model_free(m);
	model_free(other);
}

Test(eval, perplexity_divergence_and_error_are_the_sums_written_out)
{
	check_against_sums("ref", 50, 16, 3); /* two tokens are left over */
	check_against_sums("cpu", 50, 16, 3);
	check_against_sums("cpu", 390, 130, 3); /* more rows than one chunk of logits */
}

Test(eval, a_text_shorter_than_the_window_is_one_window)
{
	check_against_sums("cpu", 20, 20, 1);
}

Test(eval, the_reference_alone_has_no_divergence)
{
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(30, m->hp.vocab, 13);
	struct eval_result a, b;

	cr_assert_eq(eval_run(&a, m, NULL, ids, 30, 512, NULL, NULL), ST_OK);
	cr_assert_eq(a.windows, 1);
	cr_assert_eq(a.tokens, 29);
	cr_assert(isnan(a.kl) && isnan(a.kl_se) && isnan(a.top1));
	cr_assert_eq(a.nll, a.ref_nll);
	cr_assert_eq(eval_run(&b, m, m->ref, ids, 30, 512, NULL, NULL), ST_OK);
	cr_assert_eq(b.nll, a.nll);
	cr_assert_float_eq(b.kl, 0, 1e-12);
	cr_assert_eq(b.kl_se, 0);
	cr_assert_eq(b.top1, 1);
	xfree(ids);
	model_free(m);
}

Test(eval, what_cannot_be_scored_is_refused_and_a_stop_is_obeyed)
{
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(4096, m->hp.vocab, 14);
	struct eval_result r;
	struct lib_stop s;
	struct err e = { 0 };
	unsigned long polls, at;

	cr_assert_eq(eval_run(&r, m, NULL, ids, 1, 512, NULL, &e), ST_INVALID);
	cr_assert_eq(eval_run(&r, m, NULL, ids, 10, 1, NULL, &e), ST_INVALID);
	cr_assert_eq(eval_run(&r, m, NULL, ids, 4096, 4096, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "a window of 4096 tokens exceeds the model's context of 2048");
	ids[5] = 1000;
	cr_assert_eq(eval_run(&r, m, NULL, ids, 16, 8, NULL, &e), ST_INVALID);
	ids[5] = 1;
	lib_stop_init(&s, 0);
	cr_assert_eq(eval_run(&r, m, m->ref, ids, 64, 32, &s.sink, NULL), ST_OK);
	polls = s.polls;
	for (at = 1; at <= polls; at += 13) {
		lib_stop_init(&s, at);
		cr_assert_eq(eval_run(&r, m, m->ref, ids, 64, 32, &s.sink, NULL), ST_CANCELLED);
	}
	xfree(ids);
	model_free(m);
}

Test(eval, running_out_of_memory_is_an_answer)
{
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(64, m->hp.vocab, 15);
	struct eval_result r;
	unsigned long n;
	enum st st;

	for (n = 1;; n++) {
		struct err e = { 0 };

		alloc_fail_at(n, false);
		st = eval_run(&r, m, m->ref, ids, 64, 32, NULL, &e);
		alloc_fail_at(0, false);
		if (!st)
			break;
		cr_assert_eq(st, ST_NOMEM);
		cr_assert_neq(e.msg[0], '\0');
	}
	cr_assert_gt(n, 4);
	xfree(ids);
	model_free(m);
}
