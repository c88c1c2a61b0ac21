/* train_step.c - one step: forward, loss, and on the way back each gradient to its optimizer. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/model/place.h"
#include "core/tune/teacher.h"
#include "core/tune/train_private.h"

/* A call of gemm takes some 30 ms at most on two slow cores. */
static const double CALL_FLOP = 1e9;

/* Time that others took at polls is not the step's. */
struct watched {
	struct sink sink;
	const struct sink *s;
	double waited;
};

static bool watch(const struct sink *s)
{
	struct watched *w = s->self;
	double began = clock_now();
	bool stop = sink_poll(w->s);

	w->waited += clock_now() - began;
	return stop;
}

/* ---- gradients */

/* G = dy^T x of a linear into t->grad, some rows of it a call. */
static enum st gradient(struct train *t, const struct mat *w, const float *x, const float *dy,
	size_t rows, struct err *e)
{
	const struct backend *be = t->m->be;
	float *g = t->grad_device ? t->grad_device : t->grad;
	double most = CALL_FLOP * place_pace(be) / (2.0 * (double)rows * (double)w->cols);
	size_t step = most < MAT_TILE ? MAT_TILE : (size_t)(most / MAT_TILE) * MAT_TILE, n;

	for (size_t at = 0; at < w->rows; at += n) {
		n = w->rows - at < step ? w->rows - at : step;
		be->gemm(true, false, n, w->cols, rows, t->balance, dy + at, w->rows, x, w->cols, 0,
			g + at * w->cols, w->cols, t->how.math);
		if (sink_poll(t->s))
			return err_set(e, ST_CANCELLED, "stopped");
	}
	if (!t->grad_device)
		return ST_OK;
	be->get(t->grad, g, w->rows * w->cols * sizeof *g);
	return model_fault(t->m, e);
}

static void tune(struct train *t, size_t i, float *grad)
{
	optim_step(t->part[i].by, &t->tuned[i], grad, t->step + 1, &t->part[i].o, t->scratch,
		&t->counts);
}

void train_gather(float *to, const float *all, const struct mat *w)
{
	for (size_t from = 0, n = w->high, part = 0; part < 2;
		part++, from = w->high, n = w->cols - n)
		for (size_t r = 0; r < w->rows; r++)
			for (size_t c = 0; c < n; c++)
				*to++ = all[r * w->cols + w->order[from + c]];
}

static void tune_linear(struct train *t, const struct train_linear *l)
{
	if (l->here.type != MAT_MIX) {
		tune(t, l->first, t->grad);
	} else {
		train_gather(t->gathered, t->grad, &l->here);
		tune(t, l->first, t->gathered);
		tune(t, l->first + 1, t->gathered + l->here.rows * l->here.high);
	}
	if (l->device && !t->how.tune.across)
		train_put(t->m, &l->mat, &l->here);
}

static enum st learn(struct train *t, size_t linear, const struct train_linear *l, const float *x,
	const float *dy, float *dx, size_t rows, struct err *e)
{
	float *da, *db;
	enum st st;

	if (!t->lora) {
		st = gradient(t, &l->here, x, dy, rows, e);
		if (!st && t->master)
			train_tune_master(t, linear);
		else if (!st)
			tune_linear(t, l);
		return st;
	}
	st = lora_back(t->lora, linear, x, dy, dx, rows, &da, &db, e);
	if (st)
		return st;
	tune(t, l->first, da);
	tune(t, l->first + 1, db);
	return lora_changed(t->lora, linear, e);
}

static enum st on_linear(void *arg, size_t linear, const float *x, const float *dy, float *dx,
	size_t rows, struct err *e)
{
	struct train *t = arg;
	const struct train_linear *l = train_of(t, linear);
	enum st st = l->n ? learn(t, linear, l, x, dy, dx, rows, e) : ST_OK;

	if (t->counts.frozen && t->frozen_at == SIZE_MAX)
		t->frozen_at = linear;
	return st;
}

static void on_add(void *arg, size_t linear, const float *x, float *y, size_t rows)
{
	struct train *t = arg;

	lora_add(t->lora, linear, x, y, rows);
}

static void tune_gain(struct train *t, size_t norm, float *dgain)
{
	size_t i = t->matrices + norm;

	optim_step(t->part[i].by, &t->tuned[i], dgain, t->step + 1, &t->part[i].o, t->scratch,
		&t->gain_counts);
	t->m->be->put(t->gain[norm], t->tuned[i].w.data, t->m->hp.hidden * sizeof *dgain);
}

static enum st on_gain(void *arg, size_t norm, float *dgain, struct err *e)
{
	struct train *t = arg;
	bool last = norm + 1 == t->gains;
	float *here = last ? t->dgain + t->m->hp.hidden : t->dgain;

	if (!t->gains)
		return ST_OK;
	t->m->be->get(here, dgain, t->m->hp.hidden * sizeof *here);
	if (!last)
		tune_gain(t, norm, here);
	return model_fault(t->m, e);
}

/* ---- a step */

static void take_spans(struct train *t)
{
	const struct pack_batch *b = &t->batch;

	if (b->n_spans > t->span_room) {
		t->span = xrealloc(t->span, b->n_spans * sizeof *t->span);
		t->span_room = b->n_spans;
	}
	for (size_t i = 0; i < b->n_spans; i++)
		t->span[i] = (struct span){ NULL, b->spans[i].rows };
}

/* The way back, after a loss that is a number. */
static enum st way_back(
	struct train *t, const struct back_hooks *k, const struct sink *s, struct err *e)
{
	enum st st;

	if (t->gains)
		tune_gain(t, t->gains - 1, t->dgain + t->m->hp.hidden);
	st = back_blocks(t->back, t->view, k, s, e);
	if (st)
		return st;
	optim_finish(
		t->by, t->tuned, t->matrices, t->step + 1, &t->how.tune, t->scratch, &t->counts);
	for (size_t i = 0; t->how.tune.across && i < t->m->n_linears; i++)
		if (train_of(t, i)->device)
			train_put(t->m, t->view[i], &train_of(t, i)->here);
	return model_fault(t->m, e);
}

/* Of a dial the logarithm of KL is what descends: at its small end KL is twenty times that at the large
 * one, whose gradients would vanish beside those of mixtures in one optimizer's second moments. */
static float balance(const struct train *t, double loss)
{
	static const double least = 1e-4; /* nats: what is left is noise */

	return t->from.forms > 1 && t->from.teacher && isfinite(loss)
		       ? (float)(1 / fmax(loss, least))
		       : 1;
}

static enum st forth_and_back(
	struct train *t, struct train_report *r, const struct sink *s, struct err *e)
{
	const struct back_hooks k = { .add = t->lora ? on_add : NULL,
		.linear = on_linear,
		.gain = t->gains ? on_gain : NULL,
		.arg = t };
	const struct pack_batch *b = &t->batch;
	size_t learned = t->from.teacher ? b->rows : b->labelled;
	float scale = (float)(1 / (double)learned);
	double sum;
	enum st st = ST_OK;

	r->tokens = b->rows;
	r->labelled = learned;
	if (t->from.teacher)
		st = teacher_read(t->from.teacher, t->back, b, t->span, s, e);
	back_set_gains(t->back, t->gain);
	if (!st)
		st = back_forward(t->back, t->view, b->ids, t->span, b->n_spans, &k, s, e);
	if (!st && t->from.teacher)
		st = back_distil(t->back, teacher_says, t->from.teacher, scale, &sum, &k, s, e);
	else if (!st)
		st = back_loss(t->back, b->labels, scale, &sum, &k, s, e);
	if (st)
		return st;
	r->loss = sum / (double)learned;
	t->balance = balance(t, r->loss);
	r->skipped = !isfinite(r->loss);
	return r->skipped ? ST_OK : way_back(t, &k, s, e);
}

static void count_changed(const struct train *t, struct train_report *r)
{
	for (size_t i = 0; i < t->matrices; i++) {
		const struct tuned *u = &t->tuned[i];

		if (u->w.type != MAT_INT)
			continue;
		r->codes += (uint64_t)u->w.rows * u->w.cols;
		r->changed += optim_changed(u);
	}
}

static enum st report(struct train *t, struct train_report *r, struct err *e)
{
	double rate = tune_schedule(&t->how.tune, t->step + 1);
	bool bad;

	t->counts.frozen += t->gain_counts.frozen;
	bad = r->skipped || (t->counts.frozen && !t->counts.values);
	t->skipped += r->skipped;
	t->bad = bad ? t->bad + 1 : 0;
	r->step = ++t->step;
	r->lr = rate * t->how.tune.lr;
	r->lr_s = rate * t->how.tune.lr_s;
	r->grad_norm = sqrt(t->counts.grad2);
	r->update_norm = sqrt(t->counts.update2);
	r->counts = t->counts;
	r->frozen_at = t->frozen_at;
	count_changed(t, r);
	r->skipped_so_far = t->skipped;
	if (t->bad < t->how.bad_limit)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"loss or gradient was no number in %llu steps one after another: try a lower rate",
		(unsigned long long)t->bad);
}

enum st train_step(struct train *t, struct train_report *r, const struct sink *s, struct err *e)
{
	struct watched w = { .s = s };
	double began = clock_now();
	enum st st;

	w.sink = (struct sink){ .poll = watch, .self = &w };
	t->s = &w.sink;
	t->counts = t->gain_counts = (struct tune_counts){ 0 };
	t->frozen_at = SIZE_MAX;
	*r = (struct train_report){ 0 };
	st = pack_next(t->pack, &t->place, t->how.windows, &t->batch, e);
	if (st)
		return st;
	take_spans(t);
	train_draw(t);
	st = forth_and_back(t, r, t->s, e);
	t->s = NULL;
	r->seconds = clock_now() - began - w.waited;
	return st ? st : report(t, r, e);
}
