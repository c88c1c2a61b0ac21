/* desk_mix.c - channel-mixes on the dial: their shares, damages between their ends, and the
 * ones that a layout chooses made and measured. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/mix.h"
#include "core/work/desk_private.h"

bool desk_is_mix(const struct desk *d, size_t fmt)
{
	return format_is_mix(d->set.format[fmt]);
}

bool desk_mixes(const struct desk *d)
{
	for (size_t f = 0; f < d->set.k; f++)
		if (desk_is_mix(d, f))
			return true;
	return false;
}

/* ---- shares: how far from its low end to its high one a mix goes (mix.h), kept as the
 * first score of its cell */

static bool share_wanted(const struct desk *d, size_t i, size_t f)
{
	return desk_is_mix(d, f) && d->useful[i * d->set.k + f] &&
	       isnan(d->score[i * d->set.k + f]);
}

static void keep_share(struct desk *d, size_t i, size_t f, double exact)
{
	struct map_cell *c = &d->cell[i * d->set.k + f];
	double share = cache_round(exact);
	struct cached_cell cc = { .linear = (uint32_t)i,
		.format = d->set.format[f],
		.kl = share,
		.se = (double)NAN,
		.top1 = (double)NAN };

	d->score[i * d->set.k + f] = share;
	if (c->state == CELL_UNKNOWN)
		*c = (struct map_cell){ .state = CELL_SCORED, .value = (float)share, .se = NAN };
	desk_cell_by(d, NULL, cc.by);
	memcpy(cc.text, d->text_hash, sizeof cc.text);
	cache_put_cell(d->cache, &cc);
}

/* What each input of a linear costs in some formats, found as they are asked for. */
struct costs {
	const struct quant_input *in;
	struct format f[FORMAT_MAX];
	double *cost[FORMAT_MAX]; /* [cols] */
	size_t n;
};

static enum st cost_of(
	double **out, struct costs *c, struct format f, const struct sink *s, struct err *e)
{
	size_t i = 0;

	while (i < c->n && !format_equal(c->f[i], f))
		i++;
	if (i == c->n) {
		c->f[i] = f;
		c->cost[c->n++] = xarray(c->in->cols, sizeof **c->cost);
		*out = c->cost[i];
		return mix_costs(c->cost[i], c->in, f, s, e);
	}
	*out = c->cost[i];
	return ST_OK;
}

static enum st shares_of(
	struct desk *d, size_t i, const float *w, const struct sink *s, struct err *e)
{
	const struct linear *l = &d->m->linear[i];
	struct quant_input in = {
		.w = w, .rows = l->rows, .cols = l->cols, .backend = d->m->be, .sink = s
	};
	struct costs c = { .in = &in };
	uint16_t *order = xarray(l->cols, sizeof *order);
	enum st st = ST_OK;

	in.moments = d->moments.h[l->layer * SITES + linear_site(l->kind)];
	for (size_t f = 0; f < d->set.k && !st; f++) {
		struct format mix = d->set.format[f];
		double *low = NULL, *high = NULL, share;

		if (!share_wanted(d, i, f))
			continue;
		st = cost_of(&low, &c, format_low(mix), s, e);
		if (!st)
			st = cost_of(&high, &c, format_high(mix), s, e);
		if (st)
			break;
		mix_order(order, low, l->cols);
		share = mix_share(order, low, high, l->cols, format_high_cols(mix, l->cols));
		/* More bits that are no better: as good as the low end, and never chosen. */
		keep_share(d, i, f, isnan(share) ? 0 : share);
	}
	for (size_t k = 0; k < c.n; k++)
		xfree(c.cost[k]);
	xfree(order);
	return st;
}

enum st desk_mix_shares(struct desk *d, const struct sink *s, struct err *e)
{
	bool any = false;
	enum st st = ST_OK;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++)
			any |= share_wanted(d, i, f);
	if (any)
		st = desk_need_moments(d, s, e);
	for (size_t i = 0; any && i < d->set.n && !st; i++) {
		float *w;

		if (sink_poll(s))
			return ST_CANCELLED;
		st = model_linear_f32(d->m, i, &w, e);
		if (st)
			break;
		st = shares_of(d, i, w, s, e);
		big_free(w);
		sink_progress(s, (double)i + 1, (double)d->set.n);
	}
	if (any)
		desk_tell(d, DESK_CELLS);
	return st;
}

/* ---- damages between the ends */

static bool measured(const struct map_cell *c)
{
	return (c->state == CELL_FAST || c->state == CELL_SCANNED || c->state == CELL_RUNNING) &&
	       isfinite(c->value);
}

void desk_mix_damage(const struct desk *d, double *damage, double *se)
{
	size_t n = d->set.n, k = d->set.k;

	for (size_t f = 0; f < k; f++) {
		size_t lo = desk_format_index(d, format_low(d->set.format[f]));
		size_t hi = desk_format_index(d, format_high(d->set.format[f]));

		for (size_t i = 0; desk_is_mix(d, f) && i < n; i++) {
			size_t at = i * k + f;
			double t = d->score[at], a, b;

			if (measured(&d->cell[at])) {
				damage[at] = (double)d->cell[at].value;
				se[at] = isfinite(d->cell[at].se) ? (double)d->cell[at].se
								  : damage[at];
				continue;
			}
			damage[at] = (double)NAN; /* not to be chosen */
			if (!d->useful[at] || isnan(t) || lo == k || hi == k)
				continue;
			a = damage[i * k + lo];
			b = damage[i * k + hi];
			/* What the estimate leaves out: gptq feeds errors to the cheap inputs, and
			 * those stay in the low part. */
			t *= t;
			damage[at] = a + (b - a) * t;
			se[at] = hypot(hypot((1 - t) * se[i * k + lo], t * se[i * k + hi]),
				DESK_MIX_OFF * fabs(a - b) * sqrt(t * (1 - t)));
		}
	}
}

void desk_layers_only(const struct desk *d, double *damage)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (desk_is_mix(d, i % d->set.k))
			damage[i] = (double)NAN;
}

void desk_measured_only(const struct desk *d, double *damage)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (desk_is_mix(d, i % d->set.k) && !measured(&d->cell[i]))
			damage[i] = (double)NAN;
}

bool desk_estimated(const struct desk *d, const uint8_t *choice)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (desk_is_mix(d, choice[i]) && !measured(&d->cell[i * d->set.k + choice[i]]))
			return true;
	return false;
}

enum st desk_layer_price(
	const struct desk *d, uint64_t bytes, double *kl, double *se, struct err *e)
{
	size_t nk = d->set.n * d->set.k;
	uint64_t *size = xarray(nk, sizeof *size);
	double *damage = xarray(nk, sizeof *damage), *err = xarray(nk, sizeof *err);
	uint8_t *choice = xarray(d->set.n, 1);
	struct front_answer a = { .damage = (double)NAN, .se = (double)NAN };
	struct front_input in;
	struct front_table *table = NULL;
	struct front *f = NULL;
	struct predict p;
	const char *source;
	enum st st;

	desk_damage(d, damage, err, &source);
	desk_prediction(d, damage, &p); /* through the layouts with mixes, too */
	desk_layers_only(d, damage);
	desk_front_input(d, &in, size, damage, err);
	st = front_new(&f, &in, e);
	if (!st && bytes >= front_least(f)) {
		st = front_exact(&table, f, NULL, e);
		if (!st)
			front_table_answer(table, bytes, choice, &a);
	}
	*kl = predict_kl(&p, a.damage, a.se, se);
	front_table_free(table);
	front_free(f);
	xfree(size);
	xfree(damage);
	xfree(err);
	xfree(choice);
	return st;
}

/* ---- the ones that a layout chooses */

static bool variant_wanted(const struct desk *d, size_t at)
{
	return !d->calibrated[at] || !d->set.slot[at].mat.data;
}

enum st desk_mix_make(struct desk *d, const uint8_t *choice, const struct sink *s, struct err *e)
{
	size_t want = 0, done = 0;
	enum st st = ST_OK;

	for (size_t i = 0; i < d->set.n; i++)
		want += desk_is_mix(d, choice[i]) && variant_wanted(d, i * d->set.k + choice[i]);
	for (size_t i = 0; i < d->set.n && done < want && !st; i++) {
		if (!desk_is_mix(d, choice[i]) || !variant_wanted(d, i * d->set.k + choice[i]))
			continue;
		st = sink_poll(s) ? ST_CANCELLED : desk_best_variant(d, i, choice[i], s, e);
		sink_progress(s, (double)++done, (double)want);
	}
	if (done)
		desk_tell(d, DESK_VARIANTS);
	return st;
}

/* Was it measured with the variant there is now? */
static bool mix_known(const struct desk *d, size_t i, size_t f)
{
	size_t at = i * d->set.k + f;
	char by[CACHE_BY];

	desk_cell_by(d, variant_at(&d->set, i, f)->by, by);
	return d->cell[at].state == CELL_SCANNED && !strcmp(d->cell_by[at], by);
}

enum st desk_mix_measure(
	struct desk *d, const uint8_t *choice, size_t *fresh, const struct sink *s, struct err *e)
{
	struct scan_cell *cell = xarray(d->set.n + 1, sizeof *cell);
	size_t n = 0;
	enum st st = desk_mix_make(d, choice, s, e);

	*fresh = 0;
	for (size_t i = 0; i < d->set.n; i++)
		if (desk_is_mix(d, choice[i]) && !mix_known(d, i, choice[i]))
			cell[n++] =
				(struct scan_cell){ .linear = (uint32_t)i, .format = choice[i] };
	if (!st && n)
		st = desk_measure_list(d, cell, n, s, e);
	if (!st)
		*fresh = n;
	xfree(cell);
	return st;
}
