/* test_model_forward.c - the forward pass on the demo model: pieces, batches, caches. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/model/forward.h"
#include "tests/lib_model.h"

static const char *const backend_name[] = { "ref", "cpu" };
enum { BACKENDS = 2 };

/* Logits of every row of one sequence, in one go and without a cache. */
static float *whole(const struct model *m, const int32_t *ids, size_t n)
{
	float *h = m->be->alloc(n * m->hp.hidden * sizeof *h);
	float *z = m->be->alloc(n * m->hp.vocab * sizeof *z);
	struct span sp = { NULL, n };
	struct fwd *f = NULL;

	cr_assert_eq(fwd_new(&f, m, n, NULL), ST_OK);
	cr_assert_eq(fwd_embed(f, ids, n, h, NULL), ST_OK);
	cr_assert_eq(fwd_blocks(f, m->ref, 0, m->hp.layers, h, &sp, 1, NULL, NULL, NULL), ST_OK);
	cr_assert_eq(fwd_logits(f, h, n, z, NULL, NULL), ST_OK);
	fwd_free(f);
	m->be->free(h);
	return z;
}

Test(forward, a_cache_filled_token_by_token_gives_the_whole_pass)
{
	int b;

	for (b = 0; b < BACKENDS; b++) {
		struct model *m = lib_demo(backend_name[b], 1);
		int32_t *ids = lib_ids(40, m->hp.vocab, 5);
		float *z = whole(m, ids, 40), *one = xarray(m->hp.vocab, sizeof *one);
		struct fwd *f = NULL;
		struct kv *kv = NULL;
		size_t i;

		cr_assert_eq(fwd_new(&f, m, 8, NULL), ST_OK);
		cr_assert_eq(kv_new(&kv, m, 40, KV_F32, NULL), ST_OK);
		/* a prompt in pieces of eight rows, then steps */
		cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 20, one, NULL, NULL), ST_OK);
		cr_assert_lt(lib_distance(one, z + 19 * m->hp.vocab, m->hp.vocab), 1e-4);
		for (i = 20; i < 40; i++) {
			cr_assert_eq(kv->n, i);
			cr_assert_eq(fwd_step(f, m->ref, &kv, ids + i, 1, one, NULL, NULL), ST_OK);
			cr_assert_lt(lib_distance(one, z + i * m->hp.vocab, m->hp.vocab), 1e-4);
		}
		kv_free(kv);
		fwd_free(f);
		m->be->free(z);
		xfree(one);
		xfree(ids);
		model_free(m);
	}
}

Test(forward, sequences_side_by_side_give_what_each_gives_alone)
{
	static const size_t len[] = { 7, 1, 16, 3 };
	int b;

	for (b = 0; b < BACKENDS; b++) {
		struct model *m = lib_demo(backend_name[b], 1);
		size_t vocab = m->hp.vocab, hidden = m->hp.hidden, at = 0, i;
		int32_t *ids = lib_ids(27, vocab, 6);
		float *h = m->be->alloc(27 * hidden * sizeof *h);
		float *z = m->be->alloc(27 * vocab * sizeof *z);
		struct kv *kv[4] = { NULL };
		struct span sp[4];
		struct fwd *f = NULL;

		cr_assert_eq(fwd_new(&f, m, 27, NULL), ST_OK);
		for (i = 0; i < 4; i++) {
			if (i % 2) /* with and without a cache in one batch */
				cr_assert_eq(kv_new(&kv[i], m, len[i], KV_F32, NULL), ST_OK);
			sp[i] = (struct span){ kv[i], len[i] };
		}
		cr_assert_eq(fwd_embed(f, ids, 27, h, NULL), ST_OK);
		cr_assert_eq(fwd_blocks(f, m->ref, 0, 4, h, sp, 4, NULL, NULL, NULL), ST_OK);
		cr_assert_eq(fwd_logits(f, h, 27, z, NULL, NULL), ST_OK);
		for (i = 0; i < 4; at += len[i++]) {
			float *alone = whole(m, ids + at, len[i]);

			cr_assert_lt(lib_distance(alone, z + at * vocab, len[i] * vocab), 2e-5);
			cr_assert(!kv[i] || kv[i]->n == len[i]);
			kv_free(kv[i]);
			m->be->free(alone);
		}
		fwd_free(f);
		m->be->free(h);
		m->be->free(z);
		xfree(ids);
		model_free(m);
	}
}

Test(forward, blocks_from_the_middle_on_equal_the_whole)
{
	struct model *m = lib_demo("cpu", 1);
	size_t hidden = m->hp.hidden, from, n = 12;
	int32_t *ids = lib_ids(n, m->hp.vocab, 7);
	float *a = m->be->alloc(n * hidden * sizeof *a), *b = m->be->alloc(n * hidden * sizeof *b);
	struct span sp = { NULL, n };
	struct fwd *f = NULL;

	cr_assert_eq(fwd_new(&f, m, n, NULL), ST_OK);
	cr_assert_eq(fwd_embed(f, ids, n, a, NULL), ST_OK);
	cr_assert_eq(fwd_blocks(f, m->ref, 0, 4, a, &sp, 1, NULL, NULL, NULL), ST_OK);
	for (from = 0; from <= 4; from++) {
		cr_assert_eq(fwd_embed(f, ids, n, b, NULL), ST_OK);
		cr_assert_eq(fwd_blocks(f, m->ref, 0, from, b, &sp, 1, NULL, NULL, NULL), ST_OK);
		cr_assert_eq(fwd_blocks(f, m->ref, from, 4, b, &sp, 1, NULL, NULL, NULL), ST_OK);
		cr_assert_eq(memcmp(a, b, n * hidden * sizeof *a), 0);
	}
	fwd_free(f);
	m->be->free(a);
	m->be->free(b);
	xfree(ids);
	model_free(m);
}

Test(forward, another_linear_in_the_view_changes_the_answer)
{
	struct model *m = lib_demo("cpu", 1), *other = lib_demo("cpu", 2);
	const struct mat **view = xarray(m->n_linears, sizeof *view);
	float *z[2] = { xarray(m->hp.vocab, sizeof **z), xarray(m->hp.vocab, sizeof **z) };
	struct fwd *f = NULL;
	struct kv *kv = NULL;
	int32_t ids[3] = { 't', 'h', 'e' };
	size_t i;

	memcpy(view, m->ref, m->n_linears * sizeof *view);
	cr_assert_eq(fwd_new(&f, m, 4, NULL), ST_OK);
	cr_assert_eq(kv_new(&kv, m, 4, KV_F32, NULL), ST_OK);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 3, z[0], NULL, NULL), ST_OK);
	for (i = 0; i < m->n_linears; i++) {
		view[i] = other->ref[i];
		kv->n = 0;
		cr_assert_eq(fwd_prompt(f, view, kv, ids, 3, z[1], NULL, NULL), ST_OK);
		cr_assert_gt(lib_distance(z[0], z[1], m->hp.vocab), 1e-4, "linear %zu", i);
		view[i] = m->ref[i];
	}
	kv_free(kv);
	fwd_free(f);
	xfree(view);
	xfree(z[0]);
	xfree(z[1]);
	model_free(m);
	model_free(other);
}

/* ---- taps */

struct seen {
	const struct model *m;
	unsigned count[64];
	bool right;
};

/* y is W x, checked against the row in float. */
static void note(void *arg, size_t linear, const float *x, const float *y, size_t rows)
{
	struct seen *s = arg;
	const struct mat *w = s->m->ref[linear];
	size_t o = linear % w->rows, r = rows - 1, i;
	float *row = xarray(w->cols, sizeof *row);
	double sum = 0;

	s->count[linear]++;
	mat_row_f32(w, o, row);
	for (i = 0; i < w->cols; i++)
		sum += (double)row[i] * x[r * w->cols + i];
	if (!(sum - y[r * w->rows + o] < 1e-4 && y[r * w->rows + o] - sum < 1e-4) || rows != 9)
		s->right = false;
	xfree(row);
}

Test(forward, a_tap_sees_each_linear_of_the_blocks_once_with_its_input_and_output)
{
	struct model *m = lib_demo("cpu", 1);
	struct seen s = { .m = m, .right = true };
	struct tap tap = { note, &s };
	int32_t *ids = lib_ids(9, m->hp.vocab, 8);
	float *h = m->be->alloc(9 * m->hp.hidden * sizeof *h);
	struct span sp[2] = { { NULL, 5 }, { NULL, 4 } };
	struct fwd *f = NULL;
	size_t i;

	cr_assert_eq(fwd_new(&f, m, 9, NULL), ST_OK);
	cr_assert_eq(fwd_embed(f, ids, 9, h, NULL), ST_OK);
	cr_assert_eq(fwd_blocks(f, m->ref, 1, 3, h, sp, 2, &tap, NULL, NULL), ST_OK);
	for (i = 0; i < m->n_linears; i++)
		cr_assert_eq(s.count[i], i / LINEAR_KINDS == 1 || i / LINEAR_KINDS == 2);
	cr_assert(s.right);
	fwd_free(f);
	m->be->free(h);
	xfree(ids);
	model_free(m);
}

Test(forward, a_rounded_cache_changes_logits_little)
{
	enum { N = 60, MORE = 4 };
	struct model *m = lib_demo("cpu", 1);
	size_t vocab = m->hp.vocab;
	int32_t *ids = lib_ids(N + MORE, vocab, 9);
	float *want = xarray(vocab, sizeof *want), *got = xarray(vocab, sizeof *got);
	struct kv *plain = NULL, *rounded = NULL;
	struct fwd *f = NULL;

	cr_assert_eq(fwd_new(&f, m, 32, NULL), ST_OK);
	cr_assert_eq(kv_new(&plain, m, N + MORE, KV_F32, NULL), ST_OK);
	cr_assert_eq(kv_new(&rounded, m, N + MORE, KV_INT8, NULL), ST_OK);
	cr_assert_null(rounded->k);
	cr_assert_eq(fwd_prompt(f, m->ref, plain, ids, N, want, NULL, NULL), ST_OK);
	cr_assert_eq(fwd_prompt(f, m->ref, rounded, ids, N, got, NULL, NULL), ST_OK);
	for (int i = 0; i < MORE; i++) {
		double diff = 0, norm = 0;

		for (size_t k = 0; k < vocab; k++) {
			diff += pow((double)got[k] - (double)want[k], 2);
			norm += pow((double)want[k], 2);
		}
		cr_assert_gt(diff, 0, "it is rounded");
		cr_assert_lt(sqrt(diff / norm), 0.02);
		cr_assert_eq(fwd_step(f, m->ref, &plain, ids + N + i, 1, want, NULL, NULL), ST_OK);
		cr_assert_eq(fwd_step(f, m->ref, &rounded, ids + N + i, 1, got, NULL, NULL), ST_OK);
	}
	cr_assert_eq(rounded->n, N + MORE);
	kv_free(plain);
	kv_free(rounded);
	fwd_free(f);
	xfree(want);
	xfree(got);
	xfree(ids);
	model_free(m);
}

/* ---- where the time goes */

Test(forward, a_step_reads_every_weight_once_and_its_parts_are_no_more_than_it)
{
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(2, m->hp.vocab, 9);
	float *logits = xarray(m->hp.vocab, sizeof *logits);
	struct fwd_times t = { { 0 }, 0 };
	struct fwd *f = NULL;
	struct kv *kv = NULL;
	uint64_t bytes = mat_bytes(&m->head);
	double began, sum = 0;

	for (size_t i = 0; i < m->n_linears; i++)
		bytes += mat_bytes(m->ref[i]);
	cr_assert_eq(fwd_new(&f, m, 8, NULL), ST_OK);
	cr_assert_eq(kv_new(&kv, m, 8, KV_F32, NULL), ST_OK);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 1, logits, NULL, NULL), ST_OK);
	fwd_time(f, &t);
	began = clock_now();
	cr_assert_eq(fwd_step(f, m->ref, &kv, ids + 1, 1, logits, NULL, NULL), ST_OK);
	began = clock_now() - began;
	cr_assert_eq(t.bytes, bytes);
	for (int i = 0; i < FWD_PARTS; i++) {
		cr_assert_gt(t.seconds[i], 0);
		sum += t.seconds[i];
	}
	cr_assert_leq(sum, began);
	fwd_time(f, NULL);
	cr_assert_eq(fwd_step(f, m->ref, &kv, ids + 1, 1, logits, NULL, NULL), ST_OK);
	cr_assert_eq(t.bytes, bytes);
	kv_free(kv);
	fwd_free(f);
	xfree(logits);
	xfree(ids);
	model_free(m);
}

/* ---- stopping and refusing */

Test(forward, a_stop_at_any_poll_leaves_the_cache_as_it_was)
{
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(24, m->hp.vocab, 9);
	float *want = xarray(m->hp.vocab, sizeof *want), *got = xarray(m->hp.vocab, sizeof *got);
	struct fwd *f = NULL;
	struct kv *kv = NULL;
	struct lib_stop s;
	unsigned long at, polls, step_polls;

	cr_assert_eq(fwd_new(&f, m, 8, NULL), ST_OK);
	cr_assert_eq(kv_new(&kv, m, 24, KV_F32, NULL), ST_OK);
	lib_stop_init(&s, 0);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 23, want, &s.sink, NULL), ST_OK);
	polls = s.polls;
	cr_assert_eq(fwd_step(f, m->ref, &kv, ids + 23, 1, want, &s.sink, NULL), ST_OK);
	step_polls = s.polls - polls;
	cr_assert_geq(step_polls, 24);
	for (at = 1; at <= polls; at += 29) {
		kv->n = 0;
		lib_stop_init(&s, at);
		cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 23, got, &s.sink, NULL), ST_CANCELLED);
		cr_assert_eq(kv->n, 0);
	}
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 23, got, NULL, NULL), ST_OK);
	for (at = 1; at <= step_polls; at += 3) {
		lib_stop_init(&s, at);
		cr_assert_eq(
			fwd_step(f, m->ref, &kv, ids + 23, 1, got, &s.sink, NULL), ST_CANCELLED);
		cr_assert_eq(kv->n, 23);
	}
	cr_assert_eq(fwd_step(f, m->ref, &kv, ids + 23, 1, got, NULL, NULL), ST_OK);
	cr_assert_eq(memcmp(want, got, m->hp.vocab * sizeof *want), 0);
	kv_free(kv);
	fwd_free(f);
	xfree(want);
	xfree(got);
	xfree(ids);
	model_free(m);
}

Test(forward, what_cannot_be_run_is_refused_with_the_numbers)
{
	struct model *m = lib_demo("ref", 1);
	float *z = xarray(m->hp.vocab, sizeof *z);
	int32_t *ids = lib_ids(16, m->hp.vocab, 10), bad[2] = { 3, 259 };
	struct fwd *f = NULL, *g = NULL;
	struct kv *kv = NULL, *huge = NULL;
	struct err e = { 0 };

	cr_assert_eq(fwd_new(&f, m, 4, NULL), ST_OK);
	cr_assert_eq(kv_new(&kv, m, 12, KV_F32, NULL), ST_OK);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, bad, 2, z, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "token id 259 is outside the vocabulary of 259");
	bad[1] = -1;
	cr_assert_eq(fwd_step(f, m->ref, &kv, bad + 1, 1, z, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "token id -1 is outside the vocabulary of 259");
	cr_assert_eq(kv->n, 0);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 0, z, NULL, &e), ST_INVALID);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 13, z, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "13 tokens do not fit: the KV cache holds 0 of 12");
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, 12, z, NULL, &e), ST_OK);
	cr_assert_eq(fwd_step(f, m->ref, &kv, ids, 1, z, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "1 more tokens do not fit: the KV cache holds 12 of 12");
	cr_assert_eq(kv->n, 12);
	cr_assert_eq(kv_new(&huge, m, (size_t)1 << 40, KV_F32, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "KV cache of "), "%s", e.msg);
	cr_assert_eq(kv_new(&huge, m, SIZE_MAX, KV_F32, &e), ST_INVALID);
	cr_assert_eq(fwd_new(&g, m, (size_t)1 << 36, &e), ST_NOMEM);
	cr_assert_eq(fwd_new(&g, m, 0, &e), ST_INVALID);
	cr_assert_null(huge);
	cr_assert_null(g);
	kv_free(kv);
	fwd_free(f);
	xfree(ids);
	xfree(z);
	model_free(m);
}

/* More tokens than one product call or one attention call takes. */
Test(forward, a_long_batch_that_is_cut_equals_its_pieces)
{
	enum { N = 1300, PIECE = 130 };
	struct model *m = lib_demo("cpu", 1);
	int32_t *ids = lib_ids(N, m->hp.vocab, 11);
	float *z = whole(m, ids, N), *one = xarray(m->hp.vocab, sizeof *one);
	struct fwd *f = NULL;
	struct kv *kv = NULL;
	size_t at;

	cr_assert_eq(fwd_new(&f, m, PIECE, NULL), ST_OK);
	cr_assert_eq(kv_new(&kv, m, N, KV_F32, NULL), ST_OK);
	for (at = 0; at < N; at += PIECE) {
		cr_assert_eq(fwd_prompt(f, m->ref, kv, ids + at, PIECE, one, NULL, NULL), ST_OK);
		cr_assert_lt(
			lib_distance(one, z + (at + PIECE - 1) * m->hp.vocab, m->hp.vocab), 1e-4);
	}
	kv_free(kv);
	fwd_free(f);
	m->be->free(z);
	xfree(one);
	xfree(ids);
	model_free(m);
}
