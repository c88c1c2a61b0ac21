/* desk_points.c - measured layouts: kept between sittings, and what they say of the others. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/sha256.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"

/* ---- the list */

static bool all_best(const struct desk *d)
{
	for (size_t f = 0; f < d->set.k; f++)
		if (desk_any_useful(d, f) && !desk_is_mix(d, f) && !d->best[f])
			return false;
	return d->set.k > 0;
}

/* What a measured layout's number depends on beside the model, which has a folder of its own in
 * the cache; "" while better variants are still to come.  One without mixes is the same layout
 * whether the dial has mixes or not: its key does not name them. */
static void key_of(const struct desk *d, bool mixes, char key[17])
{
	char best[16], name[FORMAT_NAME], hex[65], *s, *more;

	key[0] = 0;
	if (!all_best(d))
		return;
	desk_best_key(d, best);
	s = xprintf("%s seed %d", best, SEED_MEASURE);
	for (size_t i = 0; desk_many_texts(d) && i < d->sources.n;
		i++) { /* beyond what calibrates */
		more = xprintf("%s %.9g", s, d->sources.at[i].weight);
		xfree(s);
		s = more;
	}
	for (size_t f = 0; f < d->set.k; f++) {
		if (desk_is_mix(d, f) && !mixes)
			continue;
		more = xprintf("%s %s%s%s", s, format_name(d->set.format[f], name),
			desk_worn(d, f) ? "@" : "", desk_worn(d, f) ? d->dial.tag : "");
		xfree(s);
		s = more;
	}
	sha256_of(s, strlen(s), hex);
	snprintf(key, 17, "%.16s", hex);
	xfree(s);
}

void desk_points_free(struct desk *d)
{
	for (size_t i = 0; i < d->n_points; i++)
		xfree(d->point[i].choice);
	xfree(d->point);
	d->point = NULL;
	d->n_points = 0;
}

static struct point *find(const struct desk *d, const uint8_t *choice)
{
	for (size_t i = 0; i < d->n_points; i++)
		if (!memcmp(d->point[i].choice, choice, d->set.n))
			return &d->point[i];
	return NULL;
}

const struct point *desk_point_of(const struct desk *d, const uint8_t *choice)
{
	return find(d, choice);
}

/* It becomes the one measured last. */
static struct point *to_the_end(struct desk *d, struct point *p)
{
	struct point moved = *p, *last = &d->point[d->n_points - 1];

	memmove(p, p + 1, (size_t)(last - p) * sizeof *p);
	*last = moved;
	return last;
}

/* Measured again: the newer counts, unless it saw fewer tokens. */
static void put(struct desk *d, const struct cached_point *p)
{
	struct point *at = find(d, p->choice);

	if (at)
		at = to_the_end(d, at);
	if (at && at->tokens > p->tokens)
		return;
	if (!at && d->n_points == POINTS_MAX) { /* the oldest goes */
		xfree(d->point[0].choice);
		memmove(d->point, d->point + 1, --d->n_points * sizeof *d->point);
	}
	if (!at) {
		d->point = d->point ? d->point : xarray(POINTS_MAX, sizeof *d->point);
		at = &d->point[d->n_points++];
		at->choice = xarray(d->set.n + 1, 1);
		memcpy(at->choice, p->choice, d->set.n);
	}
	at->bytes = 0;
	for (size_t i = 0; i < d->set.n; i++)
		at->bytes += desk_bytes(d, i, p->choice[i]);
	at->kl = p->kl;
	at->se = p->se;
	at->tokens = p->tokens;
	snprintf(at->what, sizeof at->what, "%s", p->what);
}

static void take_cached(void *arg, const struct cached_point *p)
{
	struct desk *d = arg;

	if (p->n != d->set.n)
		return;
	for (size_t i = 0; i < p->n; i++)
		if (p->choice[i] >= d->set.k || !d->useful[i * d->set.k + p->choice[i]])
			return;
	put(d, p);
}

/* The formats that are no mixes, as the dial without them counts them; how many. */
static size_t plain_formats(const struct desk *d, uint8_t at[FORMAT_MAX])
{
	size_t n = 0;

	for (size_t f = 0; f < d->set.k; f++)
		if (!desk_is_mix(d, f))
			at[n++] = (uint8_t)f;
	return n;
}

/* Kept without mixes: its choice counts the plain formats. */
static void take_plain(void *arg, const struct cached_point *p)
{
	struct desk *d = arg;
	struct cached_point q = *p;
	uint8_t at[FORMAT_MAX];
	size_t k = plain_formats(d, at), i = 0;

	q.choice = xarray(p->n + 1, 1);
	for (; i < p->n && p->choice[i] < k; i++)
		q.choice[i] = at[p->choice[i]];
	if (i == p->n)
		take_cached(d, &q);
	xfree(q.choice);
}

void desk_points_load(struct desk *d)
{
	char key[17];

	key_of(d, false, key);
	if (d->points_known && !strcmp(key, d->point_key))
		return;
	desk_points_free(d); /* what was measured on other variants says nothing of these */
	memcpy(d->point_key, key, sizeof key);
	d->points_known = true;
	if (key[0])
		cache_each_point(d->cache, key, take_plain, d);
	if (key[0] && desk_mixes(d)) {
		key_of(d, true, key);
		cache_each_point(d->cache, key, take_cached, d);
	}
	desk_tell(d, DESK_POINTS);
}

/* ---- measuring */

/* Into the journal, where there is a key: without mixes as the dial without them has it. */
static void keep_point(struct desk *d, struct cached_point *p)
{
	uint8_t at[FORMAT_MAX];
	size_t k = plain_formats(d, at);
	bool mixed = false;

	for (size_t i = 0; i < p->n; i++)
		mixed |= desk_is_mix(d, p->choice[i]);
	key_of(d, mixed, p->key);
	for (size_t i = 0; i < p->n && !mixed; i++)
		for (size_t f = 0; f < k; f++)
			if (at[f] == p->choice[i]) {
				p->choice[i] = (uint8_t)f;
				break;
			}
	if (p->key[0])
		cache_put_point(d->cache, p);
}

enum st desk_measure(struct desk *d, const uint8_t *choice, size_t tokens, const char *what,
	struct eval_result *r, const struct sink *s, struct err *e)
{
	const struct mat **view = xarray(d->set.n + 1, sizeof *view);
	struct cached_point p = { .n = d->set.n };
	struct sink quiet;
	double began;
	enum st st = desk_mix_make(d, choice, desk_silent(s, &quiet), e);

	if (!st)
		st = desk_view(d, choice, view, s, e);
	began = clock_now();
	if (!st)
		st = desk_measure_view(d, view, tokens, r, s, e);
	if (!st && cache_keeps(d->cache))
		rates_learn("measure", d->m->weights, estimate_measure_units(d, tokens),
			clock_now() - began);
	if (!st) {
		desk_points_load(d);
		p.choice = xarray(d->set.n + 1, 1);
		memcpy(p.choice, choice, d->set.n);
		snprintf(p.what, sizeof p.what, "%s", d->point_key[0] ? what : "early");
		p.tokens = (uint32_t)r->tokens;
		p.kl = cache_round(fmax(r->kl, 0));
		p.se = cache_round(r->kl_se);
		put(d, &p);
		keep_point(d, &p);
		xfree(p.choice);
		desk_tell(d, DESK_POINTS);
	}
	xfree(view);
	return st;
}

void desk_put_point(struct desk *d, const uint8_t *choice, double kl, uint32_t tokens)
{
	struct cached_point p = {
		.what = "measured", .tokens = tokens, .kl = kl, .se = (double)NAN, .n = d->set.n
	};

	desk_points_load(d);
	p.choice = xarray(d->set.n + 1, 1);
	memcpy(p.choice, choice, d->set.n);
	put(d, &p);
	xfree(p.choice);
	desk_tell(d, DESK_POINTS);
}

/* ---- what they say of others */

double desk_sum(const struct desk *d, const double *damage, const uint8_t *choice)
{
	double sum = 0;

	for (size_t i = 0; i < d->set.n; i++)
		sum += damage[i * d->set.k + choice[i]];
	return sum;
}

void desk_prediction(const struct desk *d, const double *damage, struct predict *p)
{
	*p = (struct predict){ 0 };
	for (size_t i = 0; i < d->n_points; i++)
		if (point_predicts(d->point[i].what) && !desk_estimated(d, d->point[i].choice))
			predict_add(p, desk_sum(d, damage, d->point[i].choice), d->point[i].kl,
				d->point[i].se);
	predict_fit(p);
}

/* ---- the ends of the dial and a few points between: what predictions are anchored at */

static const double anchor_sum[] = { 1, 0.3, 0.1, 0.03 }; /* nats; the least is one, too */
enum { ANCHORS = 1 + sizeof anchor_sum / sizeof anchor_sum[0] };
/* Where one measurement takes longer, the rest is left until somebody asks for it. */
static const double anchor_s = 20;

/* Is a layout with about that sum measured already? */
static bool near(const struct desk *d, const double *damage, double sum)
{
	for (size_t i = 0; i < d->n_points; i++) /* NAN: it has mixes */
		if (fabs(log(desk_sum(d, damage, d->point[i].choice) / sum)) < 0.15)
			return true;
	return false;
}

/* The budget whose layout has a sum nearest to the one wanted; 0: none is near. */
static uint64_t budget_for(const struct front *f, double want)
{
	size_t n = front_curve(f, NULL, NULL, 0), best = 0;
	uint64_t *bytes = xarray(n, sizeof *bytes), budget;
	double *damage = xarray(n, sizeof *damage);

	front_curve(f, bytes, damage, n);
	for (size_t i = 1; i < n; i++)
		if (damage[i] > 0 && fabs(log(damage[i] / want)) < fabs(log(damage[best] / want)))
			best = i;
	budget = damage[best] > 0 && fabs(log(damage[best] / want)) < 0.3 ? bytes[best] : 0;
	xfree(bytes);
	xfree(damage);
	return budget;
}

enum st desk_anchors(struct desk *d, const struct sink *s, struct err *e)
{
	size_t nk = d->set.n * d->set.k;
	uint64_t *bytes = xarray(nk, sizeof *bytes);
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *choice = xarray(d->set.n, 1);
	struct front_input in;
	struct front_answer a;
	struct front *f = NULL;
	struct sink quiet;
	const char *source;
	enum st st = ST_OK;

	desk_points_load(d);
	sink_progress(s, 0, ANCHORS);
	if (desk_damage(d, damage, se, &source)) {
		desk_layers_only(d, damage); /* of what is measured, and in both dials the same */
		desk_front_input(d, &in, bytes, damage, se);
		st = front_new(&f, &in, e);
	}
	for (size_t i = 0; f && i < ANCHORS && !st; i++) {
		uint64_t budget = i ? budget_for(f, anchor_sum[i - 1]) : front_least(f);
		double began = clock_now();
		struct eval_result r;

		if (!budget || !front_answer(f, budget, choice, &a) || !(a.damage > 0) ||
			near(d, damage, a.damage))
			continue;
		st = desk_measure(
			d, choice, DESK_MEASURE_TOKENS, "measured", &r, desk_silent(s, &quiet), e);
		sink_progress(s, (double)i + 1, ANCHORS);
		if (clock_now() - began > anchor_s)
			break;
	}
	front_free(f);
	xfree(bytes);
	xfree(damage);
	xfree(se);
	xfree(choice);
	return st;
}
