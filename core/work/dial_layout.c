/* dial_layout.c - the layout under the dial: read out, put there from a file, marked. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/dial_private.h"

/* Caller holds d->mu, and has remembered. */
static void give(struct dial *d, const uint8_t *choice, double kl, double se)
{
	memcpy(d->choice, choice, d->m->n);
	d->has_choice = d->given = true;
	d->given_kl = kl;
	d->given_se = se;
	d->generation++;
	d->bpw = dial_bpw_of(d, dial_bytes_of(d, choice));
	dial_solve(d);
}

void dial_put(struct dial *d, const uint8_t *choice)
{
	dial_remember(d, false);
	give(d, choice, (double)NAN, (double)NAN);
}

void dial_choose(struct dial *d, const uint8_t *choice, double kl, double se)
{
	pthread_mutex_lock(&d->mu);
	if (d->m) {
		if (d->now)
			dial_remember(d, false);
		give(d, choice, kl, se);
	}
	pthread_mutex_unlock(&d->mu);
}

bool dial_solved(struct dial *d, double *bpw)
{
	bool solved;

	pthread_mutex_lock(&d->mu);
	solved = d->m && d->has_choice && !d->given && !rules_any(&d->rules, d->m->n);
	*bpw = d->bpw;
	pthread_mutex_unlock(&d->mu);
	return solved;
}

bool dial_fits(struct dial *d, const uint8_t *choice, size_t n)
{
	bool fits;

	pthread_mutex_lock(&d->mu);
	fits = d->m && d->m->n == n;
	for (size_t i = 0; fits && i < n; i++)
		fits = choice[i] < d->m->k;
	pthread_mutex_unlock(&d->mu);
	return fits;
}

bool dial_choice(struct dial *d, uint8_t *choice, size_t n, double *bpw, uint64_t *generation)
{
	bool has;

	pthread_mutex_lock(&d->mu);
	has = d->m && d->has_choice && d->m->n == n;
	if (has) {
		if (choice)
			memcpy(choice, d->choice, n);
		*bpw = dial_bpw_of(d, dial_bytes_of(d, d->choice));
		*generation = d->generation;
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}

bool dial_answered(
	struct dial *d, uint8_t *choice, size_t n, uint64_t *bytes, double *kl, double *se)
{
	bool has;

	pthread_mutex_lock(&d->mu);
	has = d->m && d->has_choice && d->now && d->m->n == n;
	if (has) {
		memcpy(choice, d->choice, n);
		*bytes = d->answer_bytes;
		*kl = d->answer_kl;
		*se = d->answer_se;
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}

/* ---- the mark */

enum st dial_mark(struct dial *d, enum dial_mark_verb verb, bool *marked, struct err *e)
{
	enum st st = ST_OK;
	bool here;

	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now || !d->has_choice) {
		st = dial_no_model(e);
	} else {
		here = d->mark && !memcmp(d->mark, d->choice, d->m->n);
		if (verb == MARK_TOGGLE)
			verb = here ? MARK_OFF : MARK_HERE;
		if (verb == MARK_OFF && !d->mark)
			st = err_set(e, ST_INVALID, "mark: there is no mark A to take away");
	}
	if (!st) {
		dial_remember(d, false);
		if (verb == MARK_OFF) {
			xfree(d->mark);
			d->mark = NULL;
		} else {
			d->mark = d->mark ? d->mark : xarray(d->m->n + 1, 1);
			memcpy(d->mark, d->choice, d->m->n);
		}
		*marked = d->mark != NULL;
		dial_solve(d);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

enum st dial_to_mark(struct dial *d, struct err *e)
{
	struct front_answer a;
	enum st st = ST_OK;
	uint8_t *choice;
	uint64_t bytes;

	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now)
		st = dial_no_model(e);
	else if (!d->mark)
		st = err_set(e, ST_INVALID, "there is no mark A yet (a puts it here)");
	if (!st) {
		dial_remember(d, false);
		bytes = dial_bytes_of(d, d->mark);
		choice = xarray(d->m->n + 1, 1);
		dial_solve_at(d, bytes, choice, &a);
		/* The dial's own layout there goes on with the dial; another is put as it was. */
		if (memcmp(choice, d->mark, d->m->n))
			give(d, d->mark, (double)NAN, (double)NAN);
		else
			dial_go(d, dial_bpw_of(d, bytes));
		xfree(choice);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

bool dial_marked(struct dial *d, uint8_t *choice, size_t n, double *bpw)
{
	bool has;

	pthread_mutex_lock(&d->mu);
	has = d->m && d->mark && (!choice || d->m->n == n);
	if (has) {
		if (choice)
			memcpy(choice, d->mark, n);
		*bpw = dial_bpw_of(d, dial_bytes_of(d, d->mark));
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}
