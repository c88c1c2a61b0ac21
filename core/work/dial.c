/* dial.c - solving at the speed of a key; dial_rules.c has pins, floors and ties, dial_ask.c
 * the other faces of the budget, dial_layout.c layouts from files and the mark, dial_undo.c
 * the way back. */
#include "core/work/dial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/model/model.h"
#include "core/work/dial_private.h"

struct dial *dial_new(struct bus *b)
{
	struct dial *d = xalloc(sizeof *d);

	pthread_mutex_init(&d->mu, NULL);
	d->bus = b;
	d->bpw = (double)NAN;
	return d;
}

/* Caller holds d->mu. */
void dial_solved_unref(struct solved *s)
{
	if (!s || --s->refs)
		return;
	front_table_free(s->table);
	front_table_free(s->layer_table);
	front_free(s->front);
	front_free(s->unruled);
	front_free(s->layers);
	xfree(s->bytes);
	xfree(s->damage);
	xfree(s->se);
	xfree(s);
}

static void forget(struct dial *d)
{
	dial_forget_undo(d);
	dial_forget_points(d);
	dial_solved_unref(d->now);
	d->now = NULL;
	rules_free(&d->rules);
	xfree(d->choice);
	xfree(d->mark);
	d->choice = d->mark = NULL;
	d->has_choice = d->given = false;
	d->read_s = 0;
	snap_unref(d->m ? &d->m->snap : NULL);
	d->m = NULL;
}

void dial_free(struct dial *d)
{
	if (!d)
		return;
	forget(d);
	pthread_mutex_destroy(&d->mu);
	xfree(d);
}

void dial_model(struct dial *d, struct snap_model *m)
{
	pthread_mutex_lock(&d->mu);
	forget(d);
	snap_ref(&m->snap);
	d->m = m;
	d->rules = rules_new(m->n);
	d->choice = xarray(m->n + 1, 1);
	pthread_mutex_unlock(&d->mu);
}

/* Never a byte too many; a thousandth of one is what the way to bits a weight and back may
 * have cost. */
uint64_t dial_budget_of(const struct dial *d, double bpw)
{
	return (uint64_t)(bpw * (double)d->m->weights / 8 + 1e-3);
}

double dial_bpw_of(const struct dial *d, uint64_t bytes)
{
	return (double)bytes * 8 / (double)d->m->weights;
}

static double nominal(const struct dial *d)
{
	double sum = 0;

	for (size_t i = 0; i < d->m->n; i++)
		sum += (double)d->m->nominal[i * d->m->k + d->choice[i]] *
		       (double)d->m->shape[i].rows * (double)d->m->shape[i].cols;
	return sum / (double)d->m->weights;
}

uint64_t dial_bytes_of(const struct dial *d, const uint8_t *choice)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->m->n; i++)
		sum += d->m->bytes[i * d->m->k + choice[i]];
	return sum;
}

double dial_sum(const struct dial *d, const uint8_t *choice, double *se)
{
	double sum = 0, var = 0;

	for (size_t i = 0; i < d->m->n; i++) {
		size_t at = i * d->m->k + choice[i];

		sum += d->now->damage[at];
		var += d->now->se[at] * d->now->se[at];
	}
	if (se)
		*se = sqrt(var);
	return sum;
}

/* For a layout that was not solved for. */
static void predict_given(const struct dial *d, struct front_answer *a)
{
	a->damage = d->given_kl;
	a->se = d->given_se;
	if (!isfinite(a->damage) && d->now)
		a->damage = dial_sum(d, d->choice, &a->se);
}

static void publish_mark(const struct dial *d, struct snap_answer *s)
{
	if (!d->mark)
		return;
	memcpy(s->a_choice, d->mark, d->m->n);
	s->a_bytes = dial_bytes_of(d, d->mark);
	s->a_bpw = dial_bpw_of(d, s->a_bytes);
	s->a_kl = dial_predicted(d, dial_sum(d, d->mark, NULL), 0, NULL);
}

static void publish_answer(struct dial *d, const struct front_answer *a, double ms)
{
	struct snap_answer *s = snap_answer_new(d->m->n, d->mark != NULL);

	memcpy(s->choice, d->choice, d->m->n);
	s->generation = d->generation;
	s->asked_bpw = d->bpw;
	s->budget = dial_budget_of(d, d->bpw);
	s->bytes = d->answer_bytes = dial_bytes_of(d, d->choice);
	s->file_bytes = s->bytes + d->m->other_bytes;
	s->stored_bpw = dial_bpw_of(d, s->bytes);
	s->nominal_bpw = nominal(d);
	s->sum = d->answer_sum = a->damage;
	s->kl = dial_predicted(d, a->damage, a->se, &s->se);
	if (d->given && isfinite(d->given_kl)) { /* as its file has it */
		s->kl = d->given_kl;
		s->se = d->given_se;
	}
	d->answer_kl = s->kl;
	d->answer_se = s->se;
	s->in_nats = (d->given && isfinite(d->given_kl)) || d->now->in_nats;
	s->bound = dial_predicted(d, a->bound, 0, NULL);
	s->layer_kl = dial_layer_kl(d, s->bytes);
	s->exact = a->exact;
	s->cells = d->act.cells;
	s->points = d->act.points;
	s->solve_ms = ms;
	dial_publish_rules(d, s);
	publish_mark(d, s);
	dial_publish_measured(d, s);
	bus_publish(d->bus, (struct event){ .kind = EV_ANSWER, .snap = &s->snap });
}

void dial_solve_at(const struct dial *d, uint64_t bytes, uint8_t *choice, struct front_answer *a)
{
	struct front_answer plain;
	uint8_t *layers;

	if (d->now->table)
		front_table_answer(d->now->table, bytes, choice, a);
	else
		front_answer(d->now->front, bytes, choice, a);
	if (!d->now->layers)
		return;
	/* The many sizes of mixes make greedy and the table coarser: what the few plain ones come
	 * to may be better, and is a layout of this dial as well. */
	layers = xarray(d->m->n + 1, 1);
	if (dial_layer_answer(d, bytes, layers, &plain) && plain.damage < a->damage) {
		memcpy(choice, layers, d->m->n);
		plain.bound = a->bound;
		plain.exact = a->exact;
		*a = plain;
	}
	xfree(layers);
}

void dial_solve(struct dial *d)
{
	struct front_answer a = { .damage = (double)NAN, .se = (double)NAN, .bound = (double)NAN };
	double t = clock_now();
	uint8_t *choice;

	if (!d->m || !d->now)
		return;
	choice = xarray(d->m->n + 1, 1);
	if (d->given) {
		memcpy(choice, d->choice, d->m->n);
		predict_given(d, &a);
	} else {
		dial_solve_at(d, dial_budget_of(d, d->bpw), choice, &a);
	}
	if (!d->has_choice || memcmp(choice, d->choice, d->m->n))
		d->generation++;
	memcpy(d->choice, choice, d->m->n);
	d->has_choice = true;
	xfree(choice);
	publish_answer(d, &a, (clock_now() - t) * 1e3);
}

void dial_publish_front(struct dial *d)
{
	const struct front *f = d->now->front;
	size_t n = front_curve(f, NULL, NULL, 0);
	struct snap_front *s = snap_front_new(n, d->n_points);

	front_curve(f, s->bytes, s->kl, n);
	for (size_t i = 0; i < n; i++)
		s->kl[i] = dial_predicted(d, s->kl[i], 0, NULL);
	memcpy(s->point, d->point, d->n_points * sizeof *s->point);
	/* Of its own layout: the curve may be of rules that it does not keep to. */
	for (size_t i = 0; i < d->n_points; i++)
		s->point[i].missed |=
			dial_missed(d, d->point_choice[i], d->point[i].kl, d->point[i].se);
	s->least = front_least(f);
	s->most = front_most(f);
	s->least_bpw = dial_bpw_of(d, s->least);
	s->most_bpw = dial_bpw_of(d, s->most);
	s->in_nats = d->now->in_nats;
	bus_publish(d->bus, (struct event){ .kind = EV_FRONT, .snap = &s->snap });
}

static double clamp_bpw(const struct dial *d, double bpw)
{
	double lo = dial_bpw_of(d, front_least(d->now->front));
	double hi = dial_bpw_of(d, front_most(d->now->front));

	return bpw < lo ? lo : bpw > hi ? hi : bpw;
}

/* Caller holds d->mu.  The front under these rules. */
static enum st solved_new(struct solved **out, const struct dial *d, const struct dial_rules *r,
	const double *damage, const double *se, bool nats, struct err *e)
{
	size_t nk = d->m->n * d->m->k;
	struct solved *s = xalloc(sizeof *s);
	enum st st;

	s->refs = 1;
	s->in_nats = nats;
	s->bytes = xarray(nk + 1, sizeof *s->bytes);
	s->damage = xarray(nk + 1, sizeof *s->damage);
	s->se = xarray(nk + 1, sizeof *s->se);
	memcpy(s->bytes, d->m->bytes, nk * sizeof *s->bytes);
	memcpy(s->damage, damage, nk * sizeof *s->damage);
	memcpy(s->se, se, nk * sizeof *s->se);
	st = dial_front_under(&s->front, d, s, r, e);
	if (!st && rules_any(r, d->m->n))
		st = dial_front_under(&s->unruled, d, s, NULL, e);
	s->layers = st ? NULL : dial_layers(d, s, r);
	if (st)
		dial_solved_unref(s);
	else
		*out = s;
	return st;
}

/* Takes the place of the present front. */
static void install(struct dial *d, struct solved *s)
{
	dial_solved_unref(d->now);
	d->now = s;
	if (isnan(d->bpw)) /* the middle of what there is to choose from */
		d->bpw = round((dial_bpw_of(d, front_least(s->front)) +
				       dial_bpw_of(d, front_most(s->front))) *
				 10) /
			 20;
	d->bpw = clamp_bpw(d, d->bpw);
	dial_refit(d);
	dial_publish_front(d);
	dial_solve(d);
}

enum st dial_damage(
	struct dial *d, const double *damage, const double *se, bool in_nats, struct err *e)
{
	struct solved *s = NULL;
	enum st st = ST_OK;

	pthread_mutex_lock(&d->mu);
	if (d->m)
		st = solved_new(&s, d, &d->rules, damage, se, in_nats, e);
	if (s) {
		d->act.cells = d->next_cells;
		install(d, s);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

enum st dial_no_model(struct err *e)
{
	return err_set(e, ST_INVALID, "no model is open yet");
}

void dial_go(struct dial *d, double bpw)
{
	d->given = false;
	d->bpw = clamp_bpw(d, bpw);
	dial_solve(d);
}

enum st dial_budget(struct dial *d, double bpw, struct err *e)
{
	enum st st = ST_OK;

	pthread_mutex_lock(&d->mu);
	if (!isfinite(bpw) || bpw <= 0) {
		st = err_set(e, ST_INVALID, "budget %g: expected bits a weight above 0", bpw);
	} else if (!d->m || !d->now) {
		d->bpw = bpw; /* where the dial will stand */
	} else {
		dial_remember(d, true);
		dial_go(d, bpw);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

enum st dial_bytes(struct dial *d, uint64_t bytes, struct err *e)
{
	uint64_t weights;

	pthread_mutex_lock(&d->mu);
	weights = d->m ? d->m->weights : 0;
	pthread_mutex_unlock(&d->mu);
	return weights ? dial_budget(d, (double)bytes * 8 / (double)weights, e) : dial_no_model(e);
}

double dial_bpw(struct dial *d)
{
	double bpw;

	pthread_mutex_lock(&d->mu);
	bpw = d->bpw;
	pthread_mutex_unlock(&d->mu);
	return bpw;
}

enum st dial_rebuild(struct dial *d, struct err *e)
{
	struct solved *old = d->now, *s = NULL;
	enum st st = solved_new(&s, d, &d->rules, old->damage, old->se, old->in_nats, e);

	if (!st)
		install(d, s);
	return st;
}

enum st dial_lay_down(struct dial *d, struct dial_rules *r, struct err *e)
{
	struct solved *old = d->now, *s = NULL;
	enum st st = solved_new(&s, d, r, old->damage, old->se, old->in_nats, e);

	if (st) {
		rules_free(r);
		return st;
	}
	dial_remember(d, false);
	rules_free(&d->rules);
	d->rules = *r;
	d->given = false;
	install(d, s);
	return ST_OK;
}

size_t dial_formats(struct dial *d, struct format f[FORMAT_MAX])
{
	size_t k;

	pthread_mutex_lock(&d->mu);
	k = d->m ? d->m->k : 0;
	if (k)
		memcpy(f, d->m->format, k * sizeof *f);
	pthread_mutex_unlock(&d->mu);
	return k;
}

bool dial_wants_exact(struct dial *d)
{
	bool wants;

	pthread_mutex_lock(&d->mu);
	wants = d->now && !d->now->table && !d->given;
	pthread_mutex_unlock(&d->mu);
	return wants;
}

enum st dial_exact(struct dial *d, const struct sink *s, struct err *e)
{
	struct front_table *t = NULL, *layers = NULL;
	struct solved *on;
	enum st st;

	pthread_mutex_lock(&d->mu);
	on = d->now;
	if (on)
		on->refs++;
	pthread_mutex_unlock(&d->mu);
	if (!on)
		return ST_OK;
	st = on->table ? ST_OK : front_exact(&t, on->front, s, e);
	if (!st && t && on->layers)
		st = front_exact(&layers, on->layers, s, e);
	pthread_mutex_lock(&d->mu);
	if (!st && t && !on->table) {
		on->table = t;
		on->layer_table = layers;
		t = layers = NULL;
		if (d->now == on)
			dial_solve(d);
	}
	dial_solved_unref(on);
	pthread_mutex_unlock(&d->mu);
	front_table_free(t);
	front_table_free(layers);
	return st;
}

void dial_known(struct dial *d, size_t cells, size_t points)
{
	pthread_mutex_lock(&d->mu);
	d->next_cells = cells;
	d->next_points = points;
	pthread_mutex_unlock(&d->mu);
}

void dial_acted(struct dial *d, struct dial_acted *a)
{
	pthread_mutex_lock(&d->mu);
	*a = d->act;
	a->bpw = d->bpw;
	pthread_mutex_unlock(&d->mu);
}

void dial_part(struct dial *d)
{
	pthread_mutex_lock(&d->mu);
	d->last_move = 0;
	pthread_mutex_unlock(&d->mu);
}

uint64_t dial_generation(struct dial *d)
{
	uint64_t generation;

	pthread_mutex_lock(&d->mu);
	generation = d->m && d->has_choice && d->now && d->now->in_nats ? d->generation : 0;
	pthread_mutex_unlock(&d->mu);
	return generation;
}
