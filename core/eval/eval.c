/* eval.c - windows through the reference and the layout, compared chunk by chunk. */
#include "core/eval/eval.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"

/* Short windows go through the blocks together, up to this many tokens. */
enum { BATCH_ROWS = 512 };
/* Rows whose logits, of both models, are alive at once: the sums over one chunk take
 * less than 50 ms at a vocabulary of 50,000. */
enum { CHUNK_ROWS = 48 };
static const size_t CHUNK_BYTES = 64u << 20;

struct side {
	const struct mat *const *view;
	float *h;      /* [batch rows][hidden], backend memory */
	float *logits; /* [chunk][vocab], backend memory */
	double *lse;   /* [chunk] */
	int32_t *top;  /* [chunk] */
	double nll;    /* sum */
};

struct eval {
	const struct model *m;
	const struct sink *s;
	struct fwd *f;
	struct side ref, lay;        /* lay.view NULL: the reference alone */
	size_t window, batch, chunk; /* tokens; windows; rows */
	struct span *span;           /* [batch] */
	double *kl;                  /* [chunk] */
	size_t tokens, agree, windows;
	double sum, sum2; /* of the windows' mean KL */
};

/* ---- memory */

static enum st side_open(struct side *a, const struct eval *v, struct err *e)
{
	const struct backend *be = v->m->be;
	size_t h, z;

	if (!size_mul(&h, v->batch * v->window, v->m->hp.hidden * sizeof *a->h) ||
		!size_mul(&z, v->chunk * sizeof *a->logits, v->m->hp.vocab))
		return err_set(e, ST_INVALID, "a window of %zu tokens cannot be made", v->window);
	a->h = be->alloc(h);
	a->logits = be->alloc(z);
	a->lse = big_array(v->chunk, sizeof *a->lse, "sums of logits", e);
	a->top = big_array(v->chunk, sizeof *a->top, "largest logits", e);
	if (!a->lse || !a->top)
		return ST_NOMEM;
	if ((!a->h || !a->logits) && !be->host_memory)
		return place_full(v->m, "a batch of windows", h + z, "use a shorter window", e);
	if (!a->h || !a->logits)
		return err_set(e, ST_NOMEM,
			"no memory for the activations of windows of %zu tokens; use a shorter "
			"window",
			v->window);
	return ST_OK;
}

static void side_close(struct side *a, const struct backend *be)
{
	if (a->h)
		be->free(a->h);
	if (a->logits)
		be->free(a->logits);
	big_free(a->lse);
	big_free(a->top);
}

static enum st eval_open(struct eval *v, struct err *e)
{
	size_t row = v->m->hp.vocab * sizeof(float) * 2;
	enum st st;

	v->chunk = CHUNK_BYTES / row < CHUNK_ROWS ? CHUNK_BYTES / row + 1 : CHUNK_ROWS;
	v->span = big_array(v->batch, sizeof *v->span, "windows of a batch", e);
	v->kl = big_array(v->chunk, sizeof *v->kl, "divergences", e);
	if (!v->span || !v->kl)
		return ST_NOMEM;
	st = fwd_new(&v->f, v->m, v->batch * v->window, e);
	if (!st)
		st = side_open(&v->ref, v, e);
	if (!st && v->lay.view)
		st = side_open(&v->lay, v, e);
	return st;
}

static void eval_close(struct eval *v)
{
	side_close(&v->ref, v->m->be);
	side_close(&v->lay, v->m->be);
	fwd_free(v->f);
	big_free(v->span);
	big_free(v->kl);
}

/* ---- one batch of windows */

static enum st run_blocks(
	struct eval *v, struct side *a, const int32_t *ids, size_t n, struct err *e)
{
	size_t i;
	enum st st;

	for (i = 0; i < n; i++)
		v->span[i] = (struct span){ NULL, v->window };
	st = fwd_embed(v->f, ids, n * v->window, a->h, e);
	if (st)
		return st;
	return fwd_blocks(v->f, a->view, 0, v->m->hp.layers, a->h, v->span, n, NULL, v->s, e);
}

/* Logits of rows at ... at + n, and what they say of the tokens that follow. */
static enum st score(
	struct eval *v, struct side *a, const int32_t *ids, size_t at, size_t n, struct err *e)
{
	size_t i;
	float z[CHUNK_ROWS];
	enum st st;

	st = fwd_logits(v->f, a->h + at * v->m->hp.hidden, n, a->logits, v->s, e);
	if (!st)
		st = fwd_stats(v->f, a->lse, a->top, a->logits, n, e);
	if (!st)
		st = fwd_pick(v->f, z, a->logits, ids + at + 1, n, e);
	if (st)
		return st;
	for (i = 0; i < n; i++)
		a->nll += a->lse[i] - (double)z[i];
	return sink_poll(v->s) ? err_set(e, ST_CANCELLED, "stopped") : ST_OK;
}

static enum st one_window(struct eval *v, const int32_t *ids, size_t first, struct err *e)
{
	size_t scored = v->window - 1, at, n, i;
	double kl = 0;
	enum st st = ST_OK;

	for (at = 0; !st && at < scored; at += n) {
		n = scored - at < v->chunk ? scored - at : v->chunk;
		st = score(v, &v->ref, ids, first + at, n, e);
		if (st || !v->lay.view)
			continue;
		st = score(v, &v->lay, ids, first + at, n, e);
		if (st)
			break;
		st = fwd_kl(v->f, v->kl, v->ref.logits, v->ref.lse, v->lay.logits, v->lay.lse, n, e);
		if (st)
			break;
		for (i = 0; i < n; i++) {
			kl += v->kl[i];
			v->agree += v->ref.top[i] == v->lay.top[i];
		}
		if (sink_poll(v->s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	if (st)
		return st;
	kl /= (double)scored;
	v->sum += kl;
	v->sum2 += kl * kl;
	v->tokens += scored;
	v->windows++;
	return ST_OK;
}

static enum st one_batch(struct eval *v, const int32_t *ids, size_t n, double total, struct err *e)
{
	size_t i;
	enum st st;

	st = run_blocks(v, &v->ref, ids, n, e);
	if (!st && v->lay.view)
		st = run_blocks(v, &v->lay, ids, n, e);
	for (i = 0; !st && i < n; i++) {
		st = one_window(v, ids, i * v->window, e);
		sink_progress(v->s, (double)v->windows, total);
	}
	return st;
}

static struct eval_result result_of(const struct eval *v)
{
	double tokens = (double)v->tokens, w = (double)v->windows, spread;
	struct eval_result r = {
		.tokens = v->tokens, .windows = v->windows, .kl = NAN, .kl_se = NAN, .top1 = NAN
	};

	r.ref_nll = r.nll = v->ref.nll / tokens;
	if (v->lay.view) {
		r.nll = v->lay.nll / tokens;
		r.kl = v->sum / w;
		spread = v->windows > 1 ? (v->sum2 - v->sum * v->sum / w) / (w - 1) : 0;
		r.kl_se = spread > 0 ? sqrt(spread / w) : 0;
		r.top1 = (double)v->agree / tokens;
	}
	r.ppl = exp(r.nll);
	return r;
}

enum st eval_run(struct eval_result *r, const struct model *m, const struct mat *const *view,
	const int32_t *ids, size_t n, size_t window, const struct sink *s, struct err *e)
{
	struct eval v = { .m = m, .s = s, .ref.view = m->ref, .lay.view = view };
	size_t windows, at, k;
	enum st st;

	if (n < 2 || window < 2)
		return err_set(e, ST_INVALID,
			"a text of %zu tokens in windows of %zu has nothing to score; two are the "
			"least",
			n, window);
	v.window = n < window ? n : window;
	if (v.window > m->hp.ctx)
		return err_set(e, ST_INVALID,
			"a window of %zu tokens exceeds the model's context of %zu", v.window,
			m->hp.ctx);
	windows = n / v.window;
	v.batch = v.window < BATCH_ROWS ? BATCH_ROWS / v.window : 1;
	v.batch = v.batch < windows ? v.batch : windows;
	st = eval_open(&v, e);
	for (at = 0; !st && at < windows; at += k) {
		k = windows - at < v.batch ? windows - at : v.batch;
		st = one_batch(&v, ids + at * v.window, k, (double)windows, e);
	}
	if (!st)
		*r = result_of(&v);
	eval_close(&v);
	return st;
}
