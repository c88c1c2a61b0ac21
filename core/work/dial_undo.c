/* dial_undo.c - budget, pins, floors, ties, the mark and layouts from files: back and forth. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/dial_private.h"

static void state_free(struct dial_state *s)
{
	rules_free(&s->rules);
	xfree(s->choice);
	xfree(s->mark);
}

static uint8_t *dup_choice(const uint8_t *choice, size_t n)
{
	uint8_t *to = choice ? xarray(n + 1, 1) : NULL;

	if (to)
		memcpy(to, choice, n);
	return to;
}

static struct dial_state state_now(const struct dial *d)
{
	struct dial_state s = { .bpw = d->bpw,
		.rules = rules_copy(&d->rules, d->m->n),
		.mark = dup_choice(d->mark, d->m->n) };

	if (d->given) {
		s.choice = dup_choice(d->choice, d->m->n);
		s.kl = d->given_kl;
		s.se = d->given_se;
	}
	return s;
}

void dial_forget_undo(struct dial *d)
{
	while (d->n_undo)
		state_free(&d->undo[--d->n_undo]);
	d->at_undo = 0;
	d->last_move = 0;
}

void dial_remember(struct dial *d, bool move)
{
	double t = clock_now();
	bool joined = move && d->last_move > 0 && t - d->last_move < 0.7;

	d->last_move = move ? t : 0;
	d->act.acted_cells = d->act.cells;
	d->act.acted_points = d->act.points;
	if (joined)
		return;
	d->act.acts++;
	while (d->n_undo > d->at_undo) /* what was undone is gone now */
		state_free(&d->undo[--d->n_undo]);
	if (d->n_undo == UNDO) {
		state_free(&d->undo[0]);
		memmove(d->undo, d->undo + 1, (UNDO - 1) * sizeof *d->undo);
		d->n_undo--;
	}
	d->undo[d->n_undo++] = state_now(d);
	d->at_undo = d->n_undo;
}

/* The dial goes where the state says; the state becomes where it was, for the way back. */
static enum st swap_state(struct dial *d, struct dial_state *s, struct err *e)
{
	struct dial_state now = state_now(d);
	bool rules = !rules_equal(&d->rules, &s->rules, d->m->n);

	d->bpw = s->bpw;
	rules_free(&d->rules);
	d->rules = rules_copy(&s->rules, d->m->n);
	xfree(d->mark);
	d->mark = dup_choice(s->mark, d->m->n);
	d->given = s->choice != NULL;
	if (d->given) {
		if (memcmp(d->choice, s->choice, d->m->n))
			d->generation++;
		memcpy(d->choice, s->choice, d->m->n);
		d->given_kl = s->kl;
		d->given_se = s->se;
	}
	state_free(s);
	*s = now;
	if (rules)
		return dial_rebuild(d, e);
	dial_solve(d);
	return ST_OK;
}

enum st dial_undo(struct dial *d, bool redo, struct err *e)
{
	enum st st;

	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now) {
		st = dial_no_model(e);
	} else if (redo ? d->at_undo == d->n_undo : !d->at_undo) {
		st = err_set(e, ST_INVALID, "nothing to %s", redo ? "redo" : "undo");
	} else {
		d->last_move = 0;
		st = swap_state(d, &d->undo[redo ? d->at_undo++ : --d->at_undo], e);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}
