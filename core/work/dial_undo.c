/* dial_undo.c - budget, pins and layouts from files: back and forth. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/dial_private.h"

static void state_free(struct dial_state *s)
{
	xfree(s->pin);
	xfree(s->choice);
}

static struct dial_state state_now(const struct dial *d)
{
	struct dial_state s = { .bpw = d->bpw, .pin = xarray(d->m->n + 1, 1) };

	memcpy(s.pin, d->pin, d->m->n);
	if (d->given) {
		s.choice = xarray(d->m->n + 1, 1);
		memcpy(s.choice, d->choice, d->m->n);
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
	if (joined)
		return;
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
	bool pins = memcmp(d->pin, s->pin, d->m->n) != 0;

	d->bpw = s->bpw;
	memcpy(d->pin, s->pin, d->m->n);
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
	if (pins)
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
