/* train_forms.c - a linear of several forms, of which a step takes one, and float masters that are
 * rounded to them. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/tune/latent.h"
#include "core/tune/train_private.h"

static struct train_linear *in_form(const struct train *t, size_t linear, size_t form)
{
	return &t->linear[form * t->m->n_linears + linear];
}

const struct train_linear *train_of(const struct train *t, size_t linear)
{
	return in_form(t, linear, t->form[linear]);
}

/* ---- masters */

static enum st unfit(const struct train *t, size_t linear, struct err *e)
{
	char name[32];

	return err_set(e, ST_UNSUPPORTED,
		"%s: %s trains one width a linear, not a mix of two: take flips or stats for it",
		linear_name(linear, name), t->how.method->name);
}

enum st train_take_masters(struct train *t, const struct sink *s, struct err *e)
{
	const struct model *m = t->m;
	enum st st = ST_OK;
	float *w;

	t->master = xarray(m->n_linears, sizeof *t->master);
	for (size_t i = 0; !st && i < m->n_linears; i++) {
		bool trained = false;

		for (size_t f = 0; !st && f < t->from.forms; f++) {
			const struct train_linear *l = in_form(t, i, f);

			trained |= l->memory != NULL;
			if (l->memory && l->here.type == MAT_MIX)
				st = unfit(t, i, e);
		}
		if (st || !trained)
			continue;
		st = model_linear_f32(m, i, &w, e);
		if (st)
			return st;
		t->master[i].memory = w;
		t->bytes += (uint64_t)m->linear[i].rows * m->linear[i].cols * sizeof *w;
		if (sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	return st;
}

/* Codes of all forms from the master of now, so that what changed hangs on the steps alone, not on
 * when somebody looks at a form.  counts: of the form that runs. */
static void round_all(struct train *t, size_t linear, struct tune_counts *counts)
{
	for (size_t f = 0; f < t->from.forms; f++) {
		struct train_linear *l = in_form(t, linear, f);
		struct tune_counts others = { 0 };

		if (!l->n)
			continue;
		latent_round(&t->tuned[l->first], t->master[linear].memory, &t->part[l->first].o,
			t->scratch, f == t->form[linear] ? counts : &others);
		if (l->device)
			train_put(t->m, &l->mat, &l->here);
	}
}

void train_start_master(struct train *t, size_t linear)
{
	size_t f = t->from.forms;

	if (!t->master || !t->master[linear].memory)
		return;
	while (!in_form(t, linear, f - 1)->memory)
		f--;
	latent_start(&t->tuned[in_form(t, linear, f - 1)->first], t->master[linear].memory);
	round_all(t, linear, &(struct tune_counts){ 0 });
}

void train_tune_master(struct train *t, size_t linear)
{
	size_t grid = train_of(t, linear)->first, at = t->master[linear].at;

	if (!latent_step(&t->tuned[grid], t->master[linear].memory, t->grad, t->step + 1,
		    &t->part[grid].o, t->scratch, &t->counts))
		return;
	/* the norm of the gradient and the weights counted are those of the grid's step */
	optim_step(t->part[at].by, &t->tuned[at], t->grad, t->step + 1, &t->part[at].o, t->scratch,
		&(struct tune_counts){ 0 });
	round_all(t, linear, &t->counts);
}

/* ---- forms */

void train_draw(struct train *t)
{
	if (t->from.draw)
		t->from.draw(t->from.arg, t->step + 1, t->form);
	(void)train_take_forms(t, NULL);
}

const struct mat *const *train_take_forms(struct train *t, const uint8_t *form)
{
	for (size_t i = 0; i < t->m->n_linears; i++) {
		t->form[i] = form ? form[i] : t->form[i];
		t->view[i] = &train_of(t, i)->mat;
	}
	return t->view;
}
