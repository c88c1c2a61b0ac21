/* desk_refine.c - a layout refined on the desk's texts, and measured before and after. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"

/* What moves are measured on, and text that nothing was scanned on, by which the layouts they
 * lead to are judged; of a source that is too short for that, its scan's once more.  more
 * [SOURCES_MAX] is to be released. */
static enum st texts(struct desk *d, struct scan_text *moves, struct scan_text *judge,
	struct token_text *more, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	moves->n = judge->n = desk_many_texts(d) ? d->sources.n : 1;
	for (size_t i = 0; i < judge->n && !st; i++) {
		const struct token_text *scan =
			desk_many_texts(d) ? &d->source[i].text : &d->scan_text;
		const char *path = desk_many_texts(d) ? d->sources.at[i].path : d->text_path;
		size_t used = path ? 0 : scan->n_seq; /* begins with the scan's own */

		st = desk_more_text_of(
			d, path, DESK_MORE_TOKENS / judge->n + used * scan->len, &more[i], s, e);
		moves->part[i] = *scan;
		judge->part[i] = more[i].n_seq > used ? more[i] : *scan;
		moves->weight[i] = judge->weight[i] =
			desk_many_texts(d) ? d->sources.at[i].weight : 1;
		if (more[i].n_seq > used) {
			judge->part[i].id += used * more[i].len;
			judge->part[i].n_seq -= used;
		}
	}
	return st;
}

/* The measurement of a layout on as many tokens, made now if need be. */
static enum st measured(struct desk *d, const uint8_t *choice, const char *what, double *kl,
	double *se, const struct sink *s, struct err *e)
{
	const struct point *p = desk_point_of(d, choice);
	struct eval_result r;
	enum st st = ST_OK;

	if (!p || p->tokens + DESK_MEASURE_TOKENS / 8 < DESK_MEASURE_TOKENS) {
		st = desk_measure(d, choice, DESK_MEASURE_TOKENS, what, &r, s, e);
		*kl = r.kl;
		*se = r.kl_se;
	} else {
		*kl = p->kl;
		*se = p->se;
	}
	return st;
}

/* The file itself, within the budget: no exchange, and no measurement, makes sense of it. */
static bool is_exact(const struct desk *d, const uint8_t *choice, uint64_t budget)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < d->set.n; i++) {
		if (choice[i] != d->keep)
			return false;
		bytes += desk_bytes(d, i, d->keep);
	}
	return bytes <= budget;
}

static enum st exchange(struct desk *d, uint8_t *choice, uint64_t budget,
	const struct front_input *rules, struct desk_refined *out, const struct sink *s,
	struct err *e)
{
	size_t n = d->set.n, nk = n * d->set.k;
	uint64_t *bytes = xarray(nk, sizeof *bytes);
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *to = xarray(n + 1, 1);
	struct token_text more[SOURCES_MAX] = { { 0 } };
	struct scan_text moves = { 0 }, judge = { 0 };
	struct front_input in;
	struct refine_input ri;
	const char *source;
	double units, began;
	enum st st = desk_prepare(d, STAGE_GPTQ, s, e);

	memcpy(to, choice, n);
	if (!st)
		st = desk_mix_make(d, choice, s, e);
	desk_damage(d, damage, se, &source);
	for (size_t i = 0; i < nk; i++) /* mixes that were not made are no moves */
		if (desk_is_mix(d, i % d->set.k) && !d->calibrated[i])
			damage[i] = (double)NAN;
	desk_front_input(d, &in, bytes, damage, se);
	if (rules) {
		in.pin = rules->pin;
		in.floor = rules->floor;
		in.tie = rules->tie;
	}
	if (!st)
		st = texts(d, &moves, &judge, more, s, e);
	ri = (struct refine_input){ .m = d->m,
		.v = &d->set,
		.front = &in,
		.budget = budget,
		.moves = &moves,
		.judge = &judge };
	units = estimate_refine_units(d) - 2 * estimate_measure_units(d, DESK_MEASURE_TOKENS);
	began = clock_now();
	if (!st)
		st = refine(&out->r, to, &ri, s, e);
	if (!st)
		st = measured(d, choice, "measured", &out->kl_from, &out->se_from, s, e);
	if (!st && out->r.moves)
		st = measured(d, to, "refined", &out->kl_to, &out->se_to, s, e);
	if (!st && out->r.moves && out->kl_to < out->kl_from)
		memcpy(choice, to, n);
	else if (!st) /* what the judge's text showed, a third one does not */
		out->r.moves = 0;
	if (!st && cache_keeps(d->cache))
		rates_learn("refine", d->m->weights, units, clock_now() - began);
	for (size_t i = 0; i < SOURCES_MAX; i++)
		token_text_release(&more[i]);
	xfree(bytes);
	xfree(damage);
	xfree(se);
	xfree(to);
	return st;
}

enum st desk_refine(struct desk *d, uint8_t *choice, uint64_t budget,
	const struct front_input *rules, struct desk_refined *out, const struct sink *s,
	struct err *e)
{
	*out = (struct desk_refined){ .exact = is_exact(d, choice, budget) };
	return out->exact ? ST_OK : exchange(d, choice, budget, rules, out, s, e);
}
