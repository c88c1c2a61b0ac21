/* train.c - a run is made: what is trained is copied, and all memory taken before the first step.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/tune/teacher.h"
#include "core/tune/train_private.h"

/* ---- arrays of a matrix */

size_t train_array(const struct mat *w, int i, const void **at)
{
	bool codes = w->type == MAT_INT;

	*at = i == 0 ? w->data : i == 1 ? (const void *)w->scale : (const void *)w->offset;
	if (i && !codes)
		return 0;
	return i       ? mat_stat_count(w->rows, w->cols, w->group) * sizeof *w->scale
	       : codes ? mat_code_bytes(w->bits, w->rows, w->cols)
		       : (size_t)mat_bytes(w);
}

void train_put(const struct model *m, const struct mat *to, const struct mat *from)
{
	const void *a, *b;
	size_t n;

	if (from->type == MAT_MIX) {
		for (int high = 0; high < 2; high++) {
			struct mat t = mat_part(to, high), f = mat_part(from, high);

			train_put(m, &t, &f);
		}
		return;
	}
	for (int i = 0; i < 3; i++) {
		n = train_array(to, i, &a);
		n = train_array(from, i, &b);
		if (n)
			m->be->put((void *)a, b, n);
	}
}

/* ---- what is trained */

static bool wanted(const struct train *t, const struct mat *w, size_t i)
{
	const bool *frozen = t->from.frozen;

	if ((frozen && frozen[i % t->m->n_linears]) || t->how.method->what == TRAIN_ADAPTERS)
		return false;
	return t->how.method->what == TRAIN_MASTERS || w->type == MAT_INT || w->type == MAT_MIX;
}

/* A float copy, in host memory. */
static enum st master(
	struct train_linear *l, const struct mat *w, const struct model *m, struct err *e)
{
	size_t bytes = w->rows * w->cols * sizeof(float);
	float *dense = big_array(w->rows, w->cols * sizeof *dense, "a float copy of a linear", e),
	      *on;
	enum st st;

	if (!dense)
		return ST_NOMEM;
	l->memory = dense;
	l->here = (struct mat){ .type = MAT_F32, .rows = w->rows, .cols = w->cols, .data = dense };
	if (m->be->host_memory) {
		m->be->dequant(dense, w, 0, w->rows);
		return ST_OK;
	}
	on = m->be->alloc(bytes);
	if (!on)
		return place_full(m, "a float copy of a linear", bytes, "train packed codes", e);
	m->be->dequant(on, w, 0, w->rows);
	m->be->get(dense, on, bytes);
	st = model_fault(m, e);
	m->be->free(on);
	return st;
}

static enum st copy_linear(struct train *t, size_t i, const struct mat *w, struct err *e)
{
	struct train_linear *l = &t->linear[i];
	const struct model *m = t->m;
	enum st st;

	if (t->how.method->what == TRAIN_MASTERS)
		st = master(l, w, m, e);
	else
		st = place_get(&l->here, &l->memory, w, m, "a copy of a packed linear", e);
	l->mat = l->here;
	if (!st && !m->be->host_memory)
		st = place_put(&l->mat, &l->device, &l->here, m, "a linear in training", e);
	return st;
}

static enum st take_linears(struct train *t, const struct sink *s, struct err *e)
{
	size_t n = t->m->n_linears * t->from.forms;
	enum st st = ST_OK;

	t->linear = xarray(n, sizeof *t->linear);
	t->view = xarray(t->m->n_linears, sizeof *t->view);
	t->form = xarray(t->m->n_linears, sizeof *t->form);
	for (size_t i = 0; !st && i < n; i++) {
		struct train_linear *l = &t->linear[i];
		const struct mat *from = t->from.view[i];

		l->mat = *from;
		if (wanted(t, from, i))
			st = copy_linear(t, i, from, e);
		t->bytes += l->memory ? mat_bytes(&l->here) : 0;
		if (!st && sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	for (size_t i = 0; i < t->m->n_linears; i++)
		t->view[i] = &t->linear[i].mat;
	return st;
}

/* ---- the optimizers' part */

void train_add(struct train *t, struct mat w, const struct optimizer *by)
{
	const struct tune_options *o = &t->how.tune;

	t->tuned[t->n] = (struct tuned){ .index = t->n, .w = w };
	t->part[t->n] = (struct train_part){ by, *o };
	t->part[t->n].o.backend = t->m->be;
	if (w.type == MAT_INT && o->unit == LR_LEVELS) /* about the same step of W at any width */
		t->part[t->n].o.lr *= (double)((1 << w.bits) - 1) / 3;
	t->n++;
}

static void add_linear(struct train *t, size_t i)
{
	struct train_linear *l = &t->linear[i];
	const struct optimizer *by = t->master ? optimizer_find("stats") : t->by;
	struct mat part;

	l->first = t->n;
	if (!l->memory)
		return;
	if (l->here.type != MAT_MIX)
		train_add(t, l->here, by);
	for (int high = 1; l->here.type == MAT_MIX && high >= 0; high--) {
		part = mat_part(&l->here, high);
		train_add(t, part, by);
	}
	l->n = t->n - l->first;
}

static void add_masters(struct train *t)
{
	for (size_t i = 0; t->master && i < t->m->n_linears; i++) {
		const struct linear *l = &t->m->linear[i];

		t->master[i].at = t->n;
		if (t->master[i].memory)
			train_add(t,
				(struct mat){ .type = MAT_F32,
					.rows = l->rows,
					.cols = l->cols,
					.data = t->master[i].memory },
				t->by);
	}
}

static void add_adapters(struct train *t)
{
	for (size_t i = 0; i < t->m->n_linears; i++) {
		t->linear[i].first = t->n;
		train_add(t, *lora_a(t->lora, i), t->by);
		train_add(t, *lora_b(t->lora, i), t->by);
		t->linear[i].n = 2;
	}
	t->bytes += lora_bytes(t->lora);
}

static void add_gains(struct train *t)
{
	size_t d = t->m->hp.hidden;

	for (size_t i = 0; i < t->gains; i++) {
		struct tune_options *o = &t->part[t->n].o;

		train_add(t,
			(struct mat){ .type = MAT_F32,
				.rows = 1,
				.cols = d,
				.data = t->gain_here + i * d },
			optimizer_find("adamw"));
		o->unit = LR_ABSOLUTE;
		o->lr = t->how.lr_gain;
		o->decay = 0;
		o->moments = MOMENTS_F32;
	}
}

static enum st take_gains(struct train *t, struct err *e)
{
	const struct model *m = t->m;
	size_t d = m->hp.hidden, n = 2 * m->hp.layers + 1;
	float *all;

	t->dgain = big_array(2 * d, sizeof *t->dgain, "gradients of gains", e);
	if (!t->dgain)
		return ST_NOMEM;
	if (!(t->how.lr_gain > 0))
		return ST_OK;
	t->gain = xarray(n, sizeof *t->gain);
	t->gain_here = big_array(n, d * sizeof *t->gain_here, "gains in training", e);
	if (!t->gain_here)
		return ST_NOMEM;
	all = m->be->alloc(n * d * sizeof *all);
	if (!all)
		return place_full(m, "gains in training", n * d * sizeof *all, "free some", e);
	for (size_t i = 0; i < n; i++) {
		const float *from = i == n - 1 ? m->final_norm
				    : i % 2    ? m->mlp_norm[i / 2]
					       : m->attn_norm[i / 2];

		t->gain[i] = all + i * d;
		m->be->copy(t->gain[i], from, d * sizeof *all);
	}
	m->be->get(t->gain_here, all, n * d * sizeof *all);
	t->gains = n;
	t->bytes += n * d * sizeof *all;
	return model_fault(m, e);
}

static enum st plan(struct train *t, struct err *e)
{
	size_t most = 0, mixed = 0, at = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct tune_plan p;
		size_t grad;
		enum st st = optim_plan(&p, t->part[i].by, &t->tuned[i].w, &t->part[i].o, e);

		if (st)
			return st;
		t->tuned[i].state_bytes = p.state;
		if (!size_align_up(&p.state, p.state, 64) || !size_add(&at, at, p.state) ||
			!size_mul(&grad, t->tuned[i].w.rows, t->tuned[i].w.cols * sizeof(float)))
			return err_set(
				e, ST_NOMEM, "the states of the optimizer do not fit any memory");
		t->scratch_bytes = p.scratch > t->scratch_bytes ? p.scratch : t->scratch_bytes;
	}
	for (size_t i = 0; i < t->m->n_linears * t->from.forms; i++) {
		const struct train_linear *l = &t->linear[i];
		size_t bytes = l->n ? l->here.rows * l->here.cols * sizeof(float) : 0;

		most = bytes > most ? bytes : most;
		if (l->n && l->here.type == MAT_MIX)
			mixed = bytes > mixed ? bytes : mixed;
	}
	t->state_bytes = at;
	t->grad_bytes = most;
	t->state = big_alloc(at, "the optimizer's state", e);
	t->grad = t->state && most ? big_alloc(most, "the gradient of a linear", e) : NULL;
	t->gathered = t->grad && mixed ? big_alloc(mixed, "the gradient of a linear", e) : NULL;
	if (!t->state || (most && !t->grad) || (mixed && !t->gathered))
		return ST_NOMEM;
	t->scratch = big_alloc(t->scratch_bytes, "scratch of the optimizer", e);
	t->bytes += at + most + mixed + t->scratch_bytes;
	if (!t->scratch)
		return ST_NOMEM;
	if (!t->m->be->host_memory && most) {
		t->grad_device = t->m->be->alloc(most);
		if (!t->grad_device)
			return place_full(t->m, "the gradient of a linear", most,
				"take fewer tokens a step", e);
	}
	return ST_OK;
}

/* What rounding left of the reference: a code that lay near the next one moves before others.  A
 * model that is as it was stored has lost it. */
static enum st start_exact(struct train *t, const struct train_linear *l, size_t i, struct err *e)
{
	float *w;
	enum st st = model_linear_f32(t->m, i % t->m->n_linears, &w, e);

	if (st)
		return st;
	if (l->here.type == MAT_MIX)
		train_gather(t->gathered, w, &l->here);
	for (size_t k = 0, n = 0; k < l->n; n += l->here.rows * t->tuned[l->first + k++].w.cols)
		optim_residual(t->by, &t->tuned[l->first + k], &t->part[l->first + k].o,
			l->here.type == MAT_MIX ? t->gathered + n : w);
	big_free(w);
	return ST_OK;
}

static enum st start(struct train *t, struct err *e)
{
	size_t n = t->m->n_linears;
	char *at = t->state;
	enum st st = ST_OK;

	for (size_t i = 0; i < t->n; i++) {
		t->tuned[i].state = at;
		at += (t->tuned[i].state_bytes + 63) / 64 * 64;
		optim_init(t->part[i].by, &t->tuned[i], &t->part[i].o);
	}
	for (size_t i = 0; i < n; i++)
		train_start_master(t, i);
	for (size_t i = 0; !st && t->by->residual && i < n * t->from.forms; i++)
		if (t->linear[i].n && t->linear[i].here.type != MAT_F32 &&
			t->from.view[i] != t->m->ref[i % n])
			st = start_exact(t, &t->linear[i], i, e);
	return st;
}

/* ---- the whole */

static enum st check(
	const struct train_how *how, const struct model *m, size_t window, struct err *e)
{
	const struct tune_options *o = &how->tune;

	if (!how->windows || !o->steps || !how->bad_limit)
		return err_set(e, ST_INVALID, "a run takes at least one step of one window");
	if (window > m->hp.ctx)
		return err_set(e, ST_INVALID,
			"a window of %zu tokens exceeds the model's context of %zu", window,
			m->hp.ctx);
	if (!(o->lr >= 0 && o->lr <= 100))
		return err_set(e, ST_INVALID, "a rate lr of %g: expected 0 to 100", o->lr);
	if (!(o->lr_s >= 0 && o->lr_s < 1) || !(how->lr_gain >= 0 && how->lr_gain < 1))
		return err_set(e, ST_INVALID,
			"rates of %g (lr_s) and %g (lr_gain): expected 0 to below 1", o->lr_s,
			how->lr_gain);
	return ST_OK;
}

static enum st nothing(const struct train *t, struct err *e)
{
	return err_set(e, ST_UNSUPPORTED,
		"%s trains packed linears, and this layout keeps all as in the file: choose "
		"another "
		"layout, or fp or lora",
		t->how.method->name);
}

static enum st build(struct train *t, const struct sink *s, struct err *e)
{
	size_t rows, most;
	enum st st = check(&t->how, t->m, pack_window(t->pack), e);

	if (!st && !size_mul(&rows, t->how.windows, pack_window(t->pack)))
		st = err_set(e, ST_INVALID, "a step of %zu windows cannot be made", t->how.windows);
	if (!st)
		st = back_new(&t->back, t->m, rows, t->how.keep, e);
	if (!st)
		st = take_linears(t, s, e);
	if (!st && t->how.method->what == TRAIN_LATENT)
		st = train_take_masters(t, s, e);
	if (!st)
		st = take_gains(t, e);
	if (st)
		return st;
	most = (2 * t->from.forms + 1) * t->m->n_linears + t->gains;
	t->tuned = xarray(most, sizeof *t->tuned);
	t->part = xarray(most, sizeof *t->part);
	if (t->how.method->what == TRAIN_ADAPTERS) {
		st = lora_new(
			&t->lora, t->m, t->how.tune.rank, t->how.alpha, t->how.tune.seed, rows, e);
		if (st)
			return st;
		lora_set_math(t->lora, t->how.math);
		add_adapters(t);
		st = train_base(t->base, t, s, e);
		if (st)
			return st;
	}
	for (size_t i = 0; !t->lora && i < t->m->n_linears * t->from.forms; i++)
		add_linear(t, i);
	add_masters(t);
	t->matrices = t->n;
	if (!t->matrices)
		return nothing(t, e);
	add_gains(t);
	st = plan(t, e);
	if (st)
		return st;
	st = start(t, e);
	if (st)
		return st;
	back_set_math(t->back, t->how.math);
	back_set_gains(t->back, t->gain);
	t->bytes += back_bytes(t->m, rows, t->how.keep);
	if (t->from.teacher)
		t->bytes += teacher_bytes(t->from.teacher) + back_distil_bytes(&t->m->hp);
	return ST_OK;
}

enum st train_new(struct train **out, const struct model *m, const struct train_from *from,
	const struct train_how *how, struct pack *pack, const struct sink *s, struct err *e)
{
	struct train *t = xalloc(sizeof *t);
	enum st st;

	t->m = m;
	t->how = *how;
	t->from = *from;
	t->pack = pack;
	t->by = optimizer_find(how->method->optimizer);
	st = build(t, s, e);
	if (st)
		train_free(t);
	else
		*out = t;
	return st;
}

void train_free(struct train *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->linear && i < t->m->n_linears * t->from.forms; i++) {
		if (t->linear[i].device)
			t->m->be->free(t->linear[i].device);
		big_free(t->linear[i].memory);
	}
	for (size_t i = 0; t->master && i < t->m->n_linears; i++)
		big_free(t->master[i].memory);
	if (t->gain && t->gain[0])
		t->m->be->free(t->gain[0]);
	if (t->grad_device)
		t->m->be->free(t->grad_device);
	back_free(t->back);
	lora_free(t->lora);
	pack_batch_release(&t->batch);
	big_free(t->state);
	big_free(t->grad);
	big_free(t->gathered);
	big_free(t->scratch);
	big_free(t->gain_here);
	big_free(t->dgain);
	xfree(t->gain);
	xfree(t->linear);
	xfree(t->form);
	xfree(t->master);
	xfree(t->view);
	xfree(t->tuned);
	xfree(t->part);
	xfree(t->span);
	xfree(t);
}

const struct train_how *train_how(const struct train *t)
{
	return &t->how;
}

uint64_t train_steps_done(const struct train *t)
{
	return t->step;
}

uint64_t train_bytes(const struct train *t)
{
	return t->bytes;
}

size_t train_matrices(const struct train *t)
{
	return t->matrices;
}

const struct mat *const *train_view(const struct train *t)
{
	return t->view;
}

float *const *train_gains(const struct train *t)
{
	return t->gain;
}

const struct lora *train_lora(const struct train *t)
{
	return t->lora;
}

void train_extend(struct train *t, uint64_t steps)
{
	t->how.tune.steps = steps;
	for (size_t i = 0; i < t->n; i++)
		t->part[i].o.steps = steps;
}
