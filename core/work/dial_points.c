/* dial_points.c - measured layouts beside the dial's own: points on the front, guards. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/dial_private.h"

void dial_forget_points(struct dial *d)
{
	for (size_t i = 0; i < d->n_points; i++)
		xfree(d->point_choice[i]);
	d->n_points = 0;
}

static void add(struct dial *d, const struct point *p)
{
	bool missed = dial_missed(d, p->choice, p->kl, p->se);
	struct front_point *to;

	if (d->n_points == POINTS_MAX) { /* the oldest goes */
		xfree(d->point_choice[0]);
		d->n_points--;
		memmove(d->point, d->point + 1, d->n_points * sizeof *d->point);
		memmove(d->point_choice, d->point_choice + 1,
			d->n_points * sizeof *d->point_choice);
		memmove(d->point_tokens, d->point_tokens + 1,
			d->n_points * sizeof *d->point_tokens);
		memmove(d->point_estimated, d->point_estimated + 1,
			d->n_points * sizeof *d->point_estimated);
	}
	to = &d->point[d->n_points];
	*to = (struct front_point){ .bytes = p->bytes,
		.bpw = dial_bpw_of(d, p->bytes),
		.kl = p->kl,
		.se = p->se,
		.missed = missed };
	snprintf(to->what, sizeof to->what, "%s", p->what);
	d->point_choice[d->n_points] = xarray(d->m->n + 1, 1);
	memcpy(d->point_choice[d->n_points], p->choice, d->m->n);
	d->point_estimated[d->n_points] = p->estimated;
	d->point_tokens[d->n_points++] = p->tokens;
	dial_refit(d);
}

void dial_points(struct dial *d, const struct point *p, size_t n)
{
	pthread_mutex_lock(&d->mu);
	d->act.points = d->next_points;
	if (d->m) {
		dial_forget_points(d);
		dial_refit(d);
		for (size_t i = 0; i < n; i++)
			add(d, &p[i]);
		if (d->now) {
			dial_publish_front(d);
			dial_solve(d);
		}
	}
	pthread_mutex_unlock(&d->mu);
}

/* ---- beside the layout under the dial */

static bool is_guard(const struct front_point *p)
{
	for (int g = 0; g < GUARDS; g++)
		if (!strcmp(p->what, guard_name[g]))
			return true;
	return false;
}

/* Index of the point that the layout under the dial is; n_points: it was not measured. */
static size_t own_point(const struct dial *d)
{
	size_t i = 0;

	while (i < d->n_points && memcmp(d->point_choice[i], d->choice, d->m->n))
		i++;
	return i;
}

/* On the same text what counts is which is lower; else beyond two standard errors. */
static bool is_better(const struct dial *d, size_t i, size_t own, double kl, double se)
{
	const struct front_point *p = &d->point[i];

	if (own < d->n_points && d->point_tokens[i] == d->point_tokens[own])
		return p->kl < kl;
	return p->kl < kl && predict_missed(p->kl, p->se, kl, se);
}

/* Index of the best that does better in no more bytes; n_points: none does. */
static size_t better_point(const struct dial *d, uint64_t bytes, double kl, double se)
{
	size_t own = own_point(d), best = d->n_points;

	for (size_t i = 0; i < d->n_points; i++)
		if (i != own && !point_early(d->point[i].what) && d->point[i].bytes <= bytes && is_better(d, i, own, kl, se) &&
			rules_hold(&d->rules, d->point_choice[i], d->m->n) &&
			(best == d->n_points || d->point[i].kl < d->point[best].kl))
			best = i;
	return best;
}

void dial_publish_measured(const struct dial *d, struct snap_answer *s)
{
	size_t own = own_point(d), better;
	double kl = s->in_nats ? s->kl : (double)NAN, se = s->se;

	s->measured_kl = s->measured_se = s->a_measured_kl = (double)NAN;
	s->measured_early = own < d->n_points && point_early(d->point[own].what);
	for (size_t i = 0; d->mark && i < d->n_points; i++)
		if (!memcmp(d->point_choice[i], d->mark, d->m->n))
			s->a_measured_kl = d->point[i].kl;
	if (own < d->n_points) {
		kl = s->measured_kl = d->point[own].kl;
		se = s->measured_se = d->point[own].se;
	}
	better = better_point(d, s->bytes, kl, se);
	s->better =
		better < d->n_points ? d->point[better] : (struct front_point){ .kl = (double)NAN };
}

enum st dial_better(struct dial *d, struct err *e)
{
	size_t own, better;
	enum st st = ST_OK;

	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now || !d->has_choice) {
		st = dial_no_model(e);
	} else {
		own = own_point(d);
		better = own < d->n_points
				 ? better_point(
					   d, d->answer_bytes, d->point[own].kl, d->point[own].se)
				 : better_point(d, d->answer_bytes, d->answer_kl, d->answer_se);
		if (better == d->n_points)
			st = err_set(e, ST_INVALID,
				"better: no measured layout of at most these bytes does better");
		else
			dial_put(d, d->point_choice[better]);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

bool dial_guard(struct dial *d, enum guard g, uint64_t seed, uint8_t *choice, size_t n)
{
	bool has = false;
	uint64_t bytes;

	pthread_mutex_lock(&d->mu);
	if (d->m && d->now && d->has_choice && d->m->n == n) {
		struct front_input in = dial_input(d->m, d->now, &d->rules);
		double *layers = dial_layers_only(d, d->now);

		in.damage = layers; /* a guard is what one would make without a search */
		has = guard_layout(g, &in, d->answer_bytes, seed, choice, &bytes);
		xfree(layers);
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}

bool dial_wants_guards(struct dial *d)
{
	bool wants;

	pthread_mutex_lock(&d->mu);
	wants = d->m && d->now && d->now->in_nats && d->has_choice && !d->given &&
		own_point(d) < d->n_points;
	for (size_t i = 0; wants && i < d->n_points; i++)
		wants = !(is_guard(&d->point[i]) &&
			  floor(d->point[i].bpw * FRONT_BANDS) ==
				  floor(dial_bpw_of(d, d->answer_bytes) * FRONT_BANDS));
	pthread_mutex_unlock(&d->mu);
	return wants;
}
