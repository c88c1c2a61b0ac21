/* desk_layout.c - from cells to damages, from names to layouts, from layouts to mats. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/desk_private.h"
#include "core/work/run.h"

/* log KL = a + b log score, least squares over the cells that have both; b is held at 1
 * while there are too few to say. */
struct fit {
	double a, b;
};

static bool in_nats(const struct map_cell *c)
{
	return (c->state == CELL_FAST || c->state == CELL_SCANNED || c->state == CELL_RUNNING) &&
	       isfinite(c->value);
}

static struct fit fit_scores(const struct desk *d, size_t only_fmt)
{
	double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, det;
	size_t k = d->set.k;

	for (size_t i = 0; i < d->set.n * k; i++) {
		double x, y;

		if (i % k == d->keep || desk_is_mix(d, i % k) ||
			(only_fmt < k && i % k != only_fmt) || !in_nats(&d->cell[i]) ||
			!(d->cell[i].value > 0) || !(d->score[i] > 0))
			continue;
		x = log(d->score[i]);
		y = log((double)d->cell[i].value);
		n++;
		sx += x;
		sy += y;
		sxx += x * x;
		sxy += x * y;
	}
	if (n < 8)
		return (struct fit){ n > 0 ? (sy - sx) / n : 0, 1 };
	det = n * sxx - sx * sx;
	if (!(det > 1e-9))
		return (struct fit){ (sy - sx) / n, 1 };
	return (struct fit){ (sy * sxx - sx * sxy) / det, (n * sxy - sx * sy) / det };
}

bool desk_damage(const struct desk *d, double *damage, double *se, const char **source)
{
	size_t n = d->set.n, k = d->set.k, count[CELL_FAILED + 1] = { 0 }, useful = 0, stale = 0;
	struct fit fit[FORMAT_MAX], all = fit_scores(d, k);
	bool nats;

	for (size_t i = 0; i < n * k; i++)
		if (desk_staged(d, i / k, i % k)) {
			useful++;
			count[d->cell[i].state]++;
			stale += d->cell[i].stale;
		}
	nats = count[CELL_FAST] + count[CELL_SCANNED] > 0;
	*source = count[CELL_SCANNED] == useful ? "scan"
		  : count[CELL_SCANNED] > 0     ? "scan, in part"
		  : stale                       ? "measured before"
		  : count[CELL_FAST] == useful  ? "fast pass"
		  : count[CELL_FAST] > 0        ? "fast pass, in part"
		  : count[CELL_SCORED] > 0      ? "first score"
						: "nothing yet";
	for (size_t f = 0; f < k; f++) {
		fit[f] = fit_scores(d, f);
		if (fit[f].b == 1)
			fit[f] = all;
	}
	for (size_t i = 0; i < n * k; i++) {
		const struct map_cell *c = &d->cell[i];
		struct fit to = nats ? fit[i % k] : (struct fit){ 0, 1 };

		se[i] = 0;
		if (i % k == d->keep) {
			damage[i] = 0;
		} else if (!d->useful[i]) {
			damage[i] = (double)NAN;
		} else if (in_nats(c)) {
			damage[i] = (double)c->value;
			se[i] = isfinite(c->se) ? (double)c->se : damage[i];
		} else if (d->score[i] > 0) { /* an estimate: its error is of its own size */
			damage[i] = exp(to.a + to.b * log(d->score[i]));
			se[i] = damage[i];
		} else { /* nothing known: what fewer bits usually do */
			damage[i] = pow(0.25, d->set.format[i % k].bits);
			se[i] = damage[i];
		}
	}
	desk_mix_damage(d, damage, se);
	return nats;
}

void desk_front_input(
	const struct desk *d, struct front_input *in, uint64_t *bytes, double *damage, double *se)
{
	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++)
			bytes[i * d->set.k + f] = desk_bytes(d, i, f);
	*in = (struct front_input){
		.n = d->set.n, .k = d->set.k, .bytes = bytes, .damage = damage, .se = se
	};
}

enum st desk_view(struct desk *d, const uint8_t *choice, const struct mat **view,
	const struct sink *s, struct err *e)
{
	for (size_t i = 0; i < d->set.n; i++) {
		struct variant *v;
		enum st st;

		if (choice[i] == d->keep) {
			view[i] = &d->m->linear[i].ref;
			continue;
		}
		v = variant_at(&d->set, i, choice[i]);
		if (!v->mat.data) {
			if (sink_poll(s))
				return ST_CANCELLED;
			st = desk_variant(d, i, choice[i], NULL, s, e);
			if (st)
				return st;
		}
		view[i] = &v->mat;
	}
	return ST_OK;
}

void desk_layout_of(
	const struct desk *d, const uint8_t *choice, double kl, double se, struct layout *l)
{
	layout_init(l, d->m, d->set.format, d->set.k);
	memcpy(l->choice, choice, d->set.n);
	for (size_t i = 0; i < d->set.n; i++)
		l->by[i] = choice[i] == d->keep ||
					   !(d->best[choice[i]] ||
						   (desk_is_mix(d, choice[i]) &&
							   d->calibrated[i * d->set.k + choice[i]]))
				   ? NULL /* whichever proves best */
				   : desk_made_by(d, i, choice[i]);
	for (size_t i = 0; i < d->set.n; i++)
		if (d->dial.dir && choice[i] != d->keep && desk_worn(d, choice[i]))
			snprintf(l->calibrated, sizeof l->calibrated, "%s", d->dial.id);
	l->predicted_kl = kl;
	l->predicted_se = se;
	layout_count(l, d->m);
}

/* The best layout of these damages at so many bits a weight. */
static enum st solve(const struct desk *d, double *damage, double *se, double bpw, uint8_t *choice,
	struct front_answer *a, const struct sink *s, struct err *e)
{
	uint64_t *bytes = xarray(d->set.n * d->set.k, sizeof *bytes), budget;
	struct front_table *table = NULL;
	struct front_input in;
	struct front *f = NULL;
	enum st st;

	desk_front_input(d, &in, bytes, damage, se);
	st = front_new(&f, &in, e);
	budget = bpw > 0 && bpw < 1e3 ? (uint64_t)(bpw * (double)d->m->weights / 8 + 1e-3) : 0;
	if (!st && bpw >= 1e3)
		budget = front_most(f);
	if (!st && budget < front_least(f))
		st = err_set(e, ST_INVALID,
			"%.4g stored bits a weight is below the least these formats reach, %.4g",
			bpw, (double)front_least(f) * 8 / (double)d->m->weights);
	if (!st)
		st = front_exact(&table, f, s, e);
	if (!st)
		front_table_answer(table, budget, choice, a);
	front_table_free(table);
	front_free(f);
	xfree(bytes);
	return st;
}

/* The same with one format a linear in place of what mixes came to, where that is better: their
 * many sizes make the solver's cells coarser.  Takes the mixes out of damage. */
static enum st solve_layers(const struct desk *d, double *damage, double *se, double bpw,
	uint8_t *choice, struct front_answer *a, const struct sink *s, struct err *e)
{
	uint8_t *plain = xarray(d->set.n, 1);
	struct front_answer b;
	enum st st;

	desk_layers_only(d, damage);
	st = solve(d, damage, se, bpw, plain, &b, s, e);
	if (!st && b.damage < a->damage) {
		memcpy(choice, plain, d->set.n);
		*a = b;
	}
	xfree(plain);
	return st == ST_CANCELLED ? st : ST_OK; /* none fits: that with mixes does */
}

/* measured: of the mixes only those that are. */
static enum st solve_budget(struct desk *d, double bpw, bool measured, struct layout *l,
	const char **source, const struct sink *s, struct err *e)
{
	size_t nk = d->set.n * d->set.k;
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *choice = xarray(d->set.n, 1);
	struct front_answer a;
	struct predict p;
	bool known = false, nats = false;
	enum st st = ST_OK;

	for (size_t i = 0; i < nk; i++)
		known |= desk_staged(d, i / d->set.k, i % d->set.k) &&
			 d->cell[i].state != CELL_UNKNOWN;
	if (!known)
		st = desk_prepare(d, STAGE_SCORE, s, e);
	if (!st)
		st = desk_mix_shares(d, s, e);
	if (!st) {
		nats = desk_damage(d, damage, se, source);
		desk_prediction(d, damage, &p);
		if (measured)
			desk_measured_only(d, damage);
		st = solve(d, damage, se, bpw, choice, &a, s, e);
	}
	if (!st && desk_mixes(d))
		st = solve_layers(d, damage, se, bpw, choice, &a, s, e);
	if (!st) {
		/* First scores order cells; they are no nats and make no prediction.  That
		 * keeping everything does no damage needs none. */
		if (!nats && a.damage > 0)
			a.damage = a.se = (double)NAN;
		a.damage = predict_kl(&p, a.damage, a.se, &a.se);
		desk_layout_of(d, choice, a.damage, a.se, l);
	}
	xfree(damage);
	xfree(se);
	xfree(choice);
	return st;
}

/* A number: the best layout at that many stored bits a weight.  The mixes in it are measured
 * where anything is in nats, and it is solved again, until it holds no other; after a few rounds
 * no other is let in. */
static enum st by_budget(struct desk *d, double bpw, struct layout *l, const char **source,
	const struct sink *s, struct err *e)
{
	size_t fresh = 1;
	enum st st = solve_budget(d, bpw, false, l, source, s, e);

	for (int round = 1; !st && fresh && isfinite(l->predicted_kl) && round <= DESK_MIX_ROUNDS;
		round++) {
		st = desk_mix_measure(d, l->choice, &fresh, s, e);
		if (st || fresh) {
			layout_release(l);
			st = st ? st
				: solve_budget(d, bpw, round == DESK_MIX_ROUNDS, l, source, s, e);
		}
	}
	return st;
}

size_t desk_format_index(const struct desk *d, struct format f)
{
	size_t i = 0;

	while (i < d->set.k && !format_equal(d->set.format[i], f))
		i++;
	return i;
}

/* false: the dial or the list has it. */
static bool add_name(const struct desk *d, char *names, struct format f)
{
	char one[FORMAT_NAME + 2] = ",";
	char *at;
	size_t n;

	format_name(f, one + 1);
	n = strlen(one);
	for (at = names; (at = strstr(at, one)); at += n)
		if (!at[n] || at[n] == ',')
			return false;
	if (desk_format_index(d, f) < d->set.k)
		return false;
	strcat(names, one);
	return true;
}

/* Makes the dial hold these formats, too. */
static enum st add_formats(
	struct desk *d, const struct format *f, size_t k, const struct sink *s, struct err *e)
{
	char names[FORMAT_MAX * 4 * (FORMAT_NAME + 1)] = "", one[FORMAT_NAME];
	bool fresh = false;
	enum st st;

	for (size_t i = 0; i < d->set.k; i++) {
		strcat(names, i ? "," : "");
		strcat(names, format_name(d->set.format[i], one));
	}
	for (size_t i = 0; i < k; i++) {
		bool mix = format_is_mix(f[i]);

		fresh |= add_name(d, names, f[i]);
		fresh |= mix && add_name(d, names, format_low(f[i])); /* its ends come along */
		fresh |= mix && add_name(d, names, format_high(f[i]));
	}
	st = fresh ? desk_set_formats(d, names, s, e) : ST_OK;
	for (size_t i = 0; i < k && !st; i++)
		if (desk_format_index(d, f[i]) == d->set.k)
			st = err_set(e, ST_NOMEM,
				"there is not enough memory for the variants of %s beside the "
				"dial's",
				format_name(f[i], one));
	return st;
}

static enum st by_format(
	struct desk *d, struct format f, struct layout *l, const struct sink *s, struct err *e)
{
	enum st st = add_formats(d, &f, 1, s, e);
	uint8_t *choice;

	if (st)
		return st;
	choice = xarray(d->set.n, 1);
	memset(choice, (int)desk_format_index(d, f), d->set.n);
	desk_layout_of(d, choice, (double)NAN, (double)NAN, l);
	xfree(choice);
	return ST_OK;
}

static enum st by_file(
	struct desk *d, const char *path, struct layout *l, const struct sink *s, struct err *e)
{
	struct layout in;
	enum st st = layout_read(&in, path, d->m, e);

	if (st)
		return st;
	if (*in.calibrated && (!d->dial.dir || strcmp(in.calibrated, d->dial.id) != 0))
		st = err_set(e, ST_INVALID,
			"%s takes what the run %s calibrated: open that run in place of the model",
			path, in.calibrated);
	if (!st)
		st = add_formats(d, in.format, in.k, s, e);
	if (!st) {
		layout_init(l, d->m, d->set.format, d->set.k);
		for (size_t i = 0; i < in.n; i++) {
			l->choice[i] = (uint8_t)desk_format_index(d, in.format[in.choice[i]]);
			l->by[i] = in.by[i];
		}
		l->predicted_kl = in.predicted_kl;
		l->predicted_se = in.predicted_se;
		memcpy(l->calibrated, in.calibrated, sizeof l->calibrated);
		layout_count(l, d->m);
	}
	layout_release(&in);
	return st;
}

enum st desk_layout(struct desk *d, const char *name, struct layout *l, const char **source,
	const struct sink *s, struct err *e)
{
	struct format f;
	char *end, *run;
	double bpw;
	enum st st;

	*source = NULL;
	st = desk_identify(d, s, e);
	if (st)
		return st;
	if (fs_is_file(name))
		return by_file(d, name, l, s, e);
	bpw = strtod(name, &end);
	if (end != name && !*end)
		return by_budget(d, bpw, l, source, s, e);
	if (!format_parse(&f, name, NULL))
		return by_format(d, f, l, s, e);
	run = run_layout_path(name);
	if (!run)
		return err_set(e, ST_INVALID,
			"layout %s is no file, no run, no format (int4g128) and no number of bits",
			name);
	st = by_file(d, run, l, s, e);
	xfree(run);
	return st;
}

/* A mix that is there, calibrated, by the quantizer asked for. */
static bool made_by(const struct desk *d, size_t i, size_t f, const struct quantizer *by)
{
	const struct variant *v = variant_at(&d->set, i, f);

	return v->mat.data && d->calibrated[i * d->set.k + f] && (!by || v->by == by);
}

enum st desk_layout_view(struct desk *d, const struct layout *l, const struct mat **view,
	const struct sink *s, struct err *e)
{
	bool calibrate = false, uniform = d->set.n > 0;
	size_t f = d->set.n ? l->choice[0] : 0;
	enum st st = desk_identify(d, s, e);

	for (size_t i = 0; i < d->set.n; i++) {
		calibrate |= l->choice[i] != d->keep && !l->by[i] && !d->best[l->choice[i]];
		uniform &= l->choice[i] == f && !l->by[i];
	}
	for (size_t i = 0; i < d->set.n && !st; i++) {
		const struct quantizer *by = l->by[i];

		if (l->choice[i] == d->keep || (!by && d->best[l->choice[i]]) ||
			(desk_is_mix(d, l->choice[i]) && made_by(d, i, l->choice[i], by)))
			continue;
		if (sink_poll(s))
			return ST_CANCELLED;
		if (by)
			st = desk_variant(d, i, l->choice[i], by, s, e);
		else
			st = desk_best_variant(d, i, l->choice[i], s, e);
		if (calibrate)
			sink_progress(s, (double)i + 1, (double)d->set.n);
	}
	if (!st && uniform && calibrate && !desk_is_mix(d, f)) { /* a whole format: worth keeping */
		d->best[f] = true;
		desk_store_best(d, f, s);
	}
	return st ? st : desk_view(d, l->choice, view, s, e);
}
