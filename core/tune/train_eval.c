/* train_eval.c - what is held out, by the weights of now and by the reference. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/tune/train_private.h"

/* Windows that go through the blocks together, up to so many tokens; rows whose logits are alive at
 * once (as core/eval has it: a stop is seen within 50 ms). */
enum { BATCH_ROWS = 512, CHUNK = 48, KEPT_ROWS = 4096 };

struct side {
	const struct mat *const *view;
	const struct train_copy *copy; /* its gains and adapters; NULL: the model's own */
	float *h;                      /* [rows][hidden], backend memory */
	float *logits;                 /* [CHUNK][vocab] */
	double lse[CHUNK];
	int32_t top[CHUNK];
};

struct held {
	const struct model *m;
	const struct sink *s;
	struct fwd *f;
	struct side now, ref; /* ref.view NULL: not asked for */
	struct train_ref *kept;
	size_t batches, windows, rows_kept; /* so far */
	float *rows;                        /* [CHUNK][hidden]: those with a label */
	struct span *span;
	size_t span_room;
	size_t cap; /* of seq_nll, seq_n */
	size_t agree;
	double kl;
	struct train_eval *out;
};

/* ---- memory */

static size_t windows_at_once(size_t window)
{
	return window < BATCH_ROWS ? BATCH_ROWS / window : 1;
}

uint64_t train_eval_need(const struct hparams *hp, size_t window, size_t keep)
{
	uint64_t rows = windows_at_once(window) * window, d = hp->hidden;

	return rows * (fwd_row_bytes(hp) + 2 * d * sizeof(float)) +
	       (keep * window < KEPT_ROWS ? keep * window : KEPT_ROWS) * d * sizeof(float) +
	       (uint64_t)CHUNK * (2 * hp->vocab + d) * sizeof(float);
}

static enum st side_open(struct side *a, const struct model *m, size_t rows, struct err *e)
{
	size_t h, z;

	if (!size_mul(&h, rows, m->hp.hidden * sizeof(float)) ||
		!size_mul(&z, CHUNK * sizeof(float), m->hp.vocab))
		return err_set(e, ST_INVALID, "windows of %zu tokens cannot be made", rows);
	a->h = m->be->alloc(h);
	a->logits = m->be->alloc(z);
	if (!a->h || !a->logits)
		return place_full(
			m, "a look at what is held out", h + z, "use a shorter window", e);
	return ST_OK;
}

static void side_close(struct side *a, const struct backend *be)
{
	if (a->h)
		be->free(a->h);
	if (a->logits)
		be->free(a->logits);
}

static enum st held_open(struct held *v, size_t rows, enum math math, struct err *e)
{
	enum st st = fwd_new(&v->f, v->m, rows, e);

	if (!st)
		st = side_open(&v->now, v->m, rows, e);
	if (!st && v->ref.view)
		st = side_open(&v->ref, v->m, rows, e);
	if (st)
		return st;
	v->rows = v->m->be->alloc(CHUNK * v->m->hp.hidden * sizeof *v->rows);
	if (!v->rows)
		return place_full(v->m, "rows of what is held out",
			CHUNK * v->m->hp.hidden * sizeof *v->rows, "free some", e);
	fwd_set_math(v->f, math);
	return ST_OK;
}

static void held_close(struct held *v)
{
	side_close(&v->now, v->m->be);
	side_close(&v->ref, v->m->be);
	if (v->rows)
		v->m->be->free(v->rows);
	fwd_free(v->f);
	xfree(v->span);
}

static enum st room_for(struct held *v, size_t more, struct err *e)
{
	struct train_eval *o = v->out;
	size_t cap = v->cap;
	double *nll;
	uint32_t *n;

	if (o->sequences + more <= cap)
		return ST_OK;
	cap = 2 * (o->sequences + more);
	nll = big_array(cap, sizeof *nll, "losses of sequences", e);
	n = nll ? big_array(cap, sizeof *n, "losses of sequences", e) : NULL;
	if (!n) {
		big_free(nll);
		return ST_NOMEM;
	}
	if (o->sequences) {
		memcpy(nll, o->seq_nll, o->sequences * sizeof *nll);
		memcpy(n, o->seq_n, o->sequences * sizeof *n);
	}
	big_free(o->seq_nll);
	big_free(o->seq_n);
	o->seq_nll = nll;
	o->seq_n = n;
	v->cap = cap;
	return ST_OK;
}

/* ---- one batch */

static enum st run_blocks(struct held *v, struct side *a, const struct pack_batch *b, struct err *e)
{
	enum st st;

	train_copy_attach(a->copy, v->f);
	st = fwd_embed(v->f, b->ids, b->rows, a->h, e);
	return st ? st
		  : fwd_blocks(v->f, a->view, 0, v->m->hp.layers, a->h, v->span, b->n_spans, NULL,
			    v->s, e);
}

/* Rows of the reference join those kept; where there is no memory for them it runs again. */
static void keep(struct held *v, const struct pack_batch *b)
{
	struct train_ref *r = v->kept;
	size_t bytes = b->rows * v->m->hp.hidden * sizeof *v->ref.h;
	bool room = v->windows + b->n_windows <= r->keep && v->rows_kept + b->rows <= KEPT_ROWS;
	float *h = room ? v->m->be->alloc(bytes) : NULL;

	if (!h)
		return;
	v->rows_kept += b->rows;
	v->m->be->copy(h, v->ref.h, bytes);
	r->h = xrealloc(r->h, (r->n + 1) * sizeof *r->h);
	r->h[r->n++] = h;
}

static enum st run_reference(struct held *v, const struct pack_batch *b, struct err *e)
{
	struct train_ref *r = v->kept;
	enum st st;

	if (v->batches < r->n) {
		v->m->be->copy(
			v->ref.h, r->h[v->batches], b->rows * v->m->hp.hidden * sizeof *v->ref.h);
		return ST_OK;
	}
	st = run_blocks(v, &v->ref, b, e);
	if (!st && v->batches == r->n)
		keep(v, b);
	return st;
}

void train_ref_release(struct train_ref *r, const struct backend *be)
{
	for (size_t i = 0; i < r->n; i++)
		be->free(r->h[i]);
	xfree(r->h);
	*r = (struct train_ref){ .keep = r->keep };
}

/* Logits of the rows at[0 ... n), and what they say. */
static enum st logits(struct held *v, struct side *a, const size_t *at, size_t n, struct err *e)
{
	size_t d = v->m->hp.hidden, run;
	enum st st;

	for (size_t i = 0; i < n; i += run) { /* neighbours together */
		for (run = 1; i + run < n && at[i + run] == at[i] + run; run++)
			;
		v->m->be->copy(v->rows + i * d, a->h + at[i] * d, run * d * sizeof *a->h);
	}
	train_copy_attach(a->copy, v->f);
	st = fwd_logits(v->f, v->rows, n, a->logits, v->s, e);
	return st ? st : fwd_stats(v->f, a->lse, a->top, a->logits, n, e);
}

static enum st score(struct held *v, const size_t *at, const int32_t *label, const size_t *seq,
	size_t n, struct err *e)
{
	float z[CHUNK];
	double kl[CHUNK];
	enum st st = logits(v, &v->now, at, n, e);

	if (!st)
		st = fwd_pick(v->f, z, v->now.logits, label, n, e);
	for (size_t i = 0; !st && i < n; i++) {
		v->out->seq_nll[seq[i]] += v->now.lse[i] - (double)z[i];
		v->out->seq_n[seq[i]]++;
	}
	if (!st && v->ref.view)
		st = logits(v, &v->ref, at, n, e);
	if (st || !v->ref.view)
		return st;
	st = fwd_kl(v->f, kl, v->ref.logits, v->ref.lse, v->now.logits, v->now.lse, n, e);
	for (size_t i = 0; !st && i < n; i++) {
		v->kl += kl[i];
		v->agree += v->ref.top[i] == v->now.top[i];
	}
	return st;
}

static enum st labelled_rows(struct held *v, const struct pack_batch *b, struct err *e)
{
	size_t at[CHUNK], seq[CHUNK], n = 0;
	int32_t of[CHUNK];
	enum st st = ST_OK;

	for (size_t i = 0, r = 0; i < b->n_spans; i++, v->out->sequences++)
		for (size_t k = 0; !st && k < b->spans[i].rows; k++, r++) {
			if (b->labels[r] < 0)
				continue;
			at[n] = r;
			of[n] = b->labels[r];
			seq[n++] = v->out->sequences;
			if (n < CHUNK)
				continue;
			st = score(v, at, of, seq, n, e);
			n = 0;
			if (!st && sink_poll(v->s))
				st = err_set(e, ST_CANCELLED, "stopped");
		}
	return st || !n ? st : score(v, at, of, seq, n, e);
}

static enum st one_batch(struct held *v, const struct pack_batch *b, struct err *e)
{
	enum st st = room_for(v, b->n_spans, e);

	if (st)
		return st;
	if (b->n_spans > v->span_room) {
		v->span = xrealloc(v->span, b->n_spans * sizeof *v->span);
		v->span_room = b->n_spans;
	}
	for (size_t i = 0; i < b->n_spans; i++)
		v->span[i] = (struct span){ NULL, b->spans[i].rows };
	st = run_blocks(v, &v->now, b, e);
	if (!st && v->ref.view)
		st = run_reference(v, b, e);
	v->batches++;
	v->windows += b->n_windows;
	return st ? st : labelled_rows(v, b, e);
}

/* ---- the whole */

/* Mean of a label and its error over sequences, which are the draws: that of a ratio. */
static void mean(struct train_eval *o)
{
	double sum = 0, n = 0, spread = 0, seqs = (double)o->sequences;

	for (size_t i = 0; i < o->sequences; i++) {
		sum += o->seq_nll[i];
		n += (double)o->seq_n[i];
		o->labelled += o->seq_n[i];
	}
	o->nll = sum / n;
	for (size_t i = 0; i < o->sequences; i++) {
		double off = o->seq_nll[i] - o->nll * (double)o->seq_n[i];

		spread += off * off;
	}
	o->nll_se = seqs > 1 ? sqrt(spread * seqs / (seqs - 1)) / n : (double)NAN;
}

static enum st all_batches(
	struct held *v, struct pack *pack, size_t windows, size_t each, struct err *e)
{
	struct pack_batch b = { 0 };
	size_t at = 0, done = 0, n;
	enum st st = ST_OK;

	do {
		n = windows && windows - done < each ? windows - done : each;
		st = n ? pack_held(pack, &at, n, &b, e) : ST_OK;
		if (st || !n || !b.n_windows)
			break;
		done += b.n_windows;
		st = one_batch(v, &b, e);
	} while (!st);
	pack_batch_release(&b);
	return st;
}

enum st train_eval(struct train_eval *out, const struct model *m, const struct train_copy *copy,
	const struct mat *const *view, struct pack *pack, size_t windows, struct train_ref *ref,
	enum math math, const struct sink *s, struct err *e)
{
	size_t window = pack_window(pack), each = windows_at_once(window);
	struct held v = { .m = m, .s = s, .out = out };
	enum st st;

	*out = (struct train_eval){ .kl = (double)NAN, .top1 = (double)NAN };
	v.now.view = copy ? train_copy_view(copy) : view;
	v.now.copy = copy;
	v.ref.view = ref ? m->ref : NULL;
	v.kept = ref;
	st = held_open(&v, each * window, math, e);
	if (!st)
		st = all_batches(&v, pack, windows, each, e);
	if (!st && !out->sequences)
		st = err_set(e, ST_INVALID,
			"nothing of the data is held out: there is nothing to measure");
	held_close(&v);
	if (st) {
		train_eval_release(out);
		return st;
	}
	mean(out);
	if (ref) {
		out->kl = v.kl / (double)out->labelled;
		out->top1 = (double)v.agree / (double)out->labelled;
	}
	return ST_OK;
}

void train_eval_release(struct train_eval *v)
{
	big_free(v->seq_nll);
	big_free(v->seq_n);
	*v = (struct train_eval){ 0 };
}
