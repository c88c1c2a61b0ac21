/* desk_refine.c - a layout refined on the desk's texts, and measured before and after. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk_private.h"

/* Text that nothing was scanned on, where there is enough of it: what the refined layout is
 * judged by.  part borrows from t. */
static enum st judging_text(struct desk *d, struct token_text *t, struct token_text *part,
	const struct sink *s, struct err *e)
{
	size_t used = d->text_path ? 0 : d->scan_text.n_seq; /* begins with the scan's own */
	enum st st = desk_more_text(d, DESK_MORE_TOKENS, t, s, e);

	*part = t->n_seq > used ? *t : d->scan_text;
	if (t->n_seq > used) {
		part->id += used * t->len;
		part->n_seq -= used;
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

enum st desk_refine(struct desk *d, uint8_t *choice, uint64_t budget,
	const struct front_input *rules, struct desk_refined *out, const struct sink *s,
	struct err *e)
{
	size_t n = d->set.n, nk = n * d->set.k;
	uint64_t *bytes = xarray(nk, sizeof *bytes);
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *to = xarray(n + 1, 1);
	struct token_text more = { 0 }, judge = { 0 };
	struct front_input in;
	struct refine_input ri;
	const char *source;
	enum st st = desk_prepare(d, STAGE_GPTQ, s, e);

	memset(out, 0, sizeof *out);
	memcpy(to, choice, n);
	desk_damage(d, damage, se, &source);
	desk_front_input(d, &in, bytes, damage, se);
	if (rules) {
		in.pin = rules->pin;
		in.floor = rules->floor;
		in.tie = rules->tie;
	}
	if (!st)
		st = judging_text(d, &more, &judge, s, e);
	ri = (struct refine_input){ .m = d->m,
		.v = &d->set,
		.front = &in,
		.budget = budget,
		.moves = &d->scan_text,
		.judge = &judge };
	if (!st)
		st = refine(&out->r, to, &ri, s, e);
	if (!st)
		st = measured(d, choice, "measured", &out->kl_from, &out->se_from, s, e);
	if (!st && out->r.moves)
		st = measured(d, to, "refined", &out->kl_to, &out->se_to, s, e);
	if (!st)
		memcpy(choice, to, n);
	token_text_release(&more);
	xfree(bytes);
	xfree(damage);
	xfree(se);
	xfree(to);
	return st;
}
