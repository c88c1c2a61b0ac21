/* train_copy.c - what is trained, by itself: nothing that a step does shows in it. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/model/place.h"
#include "core/tune/train_private.h"

struct train_copy {
	const struct model *m;
	struct mat *mat;         /* [n_linears] */
	void **memory;           /* [n_linears], be->free; NULL: the model's own, which stays */
	const struct mat **view; /* [n_linears] */
	uint8_t *form;           /* [n_linears]: of the run when it was made */
	float **gain;            /* [2 layers + 1]; NULL: the model's */
	struct lora *lora;       /* NULL: none */
	bool none;               /* gain and lora are the run's own */
	uint64_t step;
};

/* What runs of a linear that no optimizer writes, by way of the host. */
static enum st copy_frozen(
	struct train_copy *c, size_t linear, const struct train_linear *l, struct err *e)
{
	static const char what[] = "a copy of a linear beside what is trained";
	struct mat here;
	void *memory;
	enum st st = place_get(&here, &memory, &l->mat, c->m, what, e);

	if (st)
		return st;
	st = place_put(&c->mat[linear], &c->memory[linear], &here, c->m, what, e);
	big_free(memory);
	return st;
}

static enum st copy_linears(struct train_copy *c, const struct train *t, struct err *e)
{
	const struct model *m = t->m;
	enum st st = ST_OK;

	c->mat = xarray(m->n_linears, sizeof *c->mat);
	c->memory = xarray(m->n_linears, sizeof *c->memory);
	c->view = xarray(m->n_linears, sizeof *c->view);
	c->form = xarray(m->n_linears, sizeof *c->form);
	memcpy(c->form, t->form, m->n_linears * sizeof *c->form);
	for (size_t i = 0; !st && i < m->n_linears; i++) {
		const struct train_linear *l = train_of(t, i);

		c->mat[i] = l->mat;
		c->view[i] = &c->mat[i];
		if (l->memory)
			st = place_put(&c->mat[i], &c->memory[i], &l->here, m,
				"a copy of a linear in training", e);
		else if (l->mat.data != m->ref[i]->data)
			st = copy_frozen(c, i, l, e); /* its owner may replace it */
	}
	return st;
}

static enum st copy_gains(struct train_copy *c, const struct train *t, struct err *e)
{
	size_t d = t->m->hp.hidden, bytes = t->gains * d * sizeof(float);
	float *all;

	if (!t->gains)
		return ST_OK;
	c->gain = xarray(t->gains, sizeof *c->gain);
	all = t->m->be->alloc(bytes);
	if (!all)
		return place_full(t->m, "a copy of the gains", bytes, "free some", e);
	for (size_t i = 0; i < t->gains; i++)
		c->gain[i] = all + i * d;
	return ST_OK;
}

enum st train_copy_new(struct train_copy **out, struct train *t, struct err *e)
{
	/* rows of a call, of which adapters do more in pieces */
	enum { ROWS = 512 };
	struct train_copy *c = xalloc(sizeof *c);
	enum st st;

	c->m = t->m;
	st = copy_linears(c, t, e);
	if (!st)
		st = copy_gains(c, t, e);
	if (!st && t->lora)
		st = lora_new(&c->lora, t->m, lora_rank(t->lora), lora_alpha(t->lora),
			t->how.tune.seed, ROWS, e);
	if (!st) {
		train_copy_take(c, t);
		st = model_fault(t->m, e);
	}
	if (st)
		train_copy_free(c);
	else
		*out = c;
	return st;
}

struct train_copy *train_copy_none(const struct train *t)
{
	struct train_copy *c = xalloc(sizeof *c);

	c->m = t->m;
	c->none = true;
	c->view = xarray(t->m->n_linears, sizeof *c->view);
	for (size_t i = 0; i < t->m->n_linears; i++)
		c->view[i] = t->view[i];
	c->gain = t->gain;
	c->lora = t->lora;
	c->step = t->step;
	return c;
}

/* Adapters: A and B stand among what is tuned. */
static void take_adapters(struct train_copy *c, const struct train *t)
{
	for (size_t i = 0; i < t->m->n_linears; i++) {
		const struct tuned *from = &t->tuned[t->linear[i].first];
		struct mat *const to[2] = { lora_a(c->lora, i), lora_b(c->lora, i) };

		for (int k = 0; k < 2; k++) {
			float *at = (float *)to[k]->data;
			const float *w = from[k].w.data;

			for (size_t n = 0; n < to[k]->rows * to[k]->cols; n++)
				at[n] = w[n];
		}
		/* what a device says of it is told by the next that asks the model */
		(void)!lora_changed(c->lora, i, NULL);
	}
}

void train_copy_take(struct train_copy *c, struct train *t)
{
	size_t d = t->m->hp.hidden;

	(void)train_take_forms(t, c->form);
	for (size_t i = 0; i < t->m->n_linears; i++)
		if (train_of(t, i)->memory)
			train_put(t->m, &c->mat[i], &train_of(t, i)->here);
	if (c->gain)
		t->m->be->copy(c->gain[0], t->gain[0], t->gains * d * sizeof(float));
	if (c->lora)
		take_adapters(c, t);
	c->step = t->step;
}

void train_copy_free(struct train_copy *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->memory && i < c->m->n_linears; i++)
		if (c->memory[i])
			c->m->be->free(c->memory[i]);
	if (!c->none && c->gain && c->gain[0])
		c->m->be->free(c->gain[0]);
	if (!c->none) {
		lora_free(c->lora);
		xfree(c->gain);
	}
	xfree(c->mat);
	xfree(c->memory);
	xfree(c->view);
	xfree(c->form);
	xfree(c);
}

uint64_t train_copy_step(const struct train_copy *c)
{
	return c->step;
}

const struct mat *const *train_copy_view(const struct train_copy *c)
{
	return c->view;
}

float *const *train_copy_gains(const struct train_copy *c)
{
	return c->gain;
}

const struct lora *train_copy_lora(const struct train_copy *c)
{
	return c->lora;
}

void train_copy_attach(const struct train_copy *c, struct fwd *f)
{
	fwd_set_gains(f, c ? c->gain : NULL);
	fwd_set_add(f, c && c->lora ? lora_add : NULL, c ? c->lora : NULL);
}
