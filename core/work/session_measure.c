/* session_measure.c - KL of the layout under the dial, of the guards at its bytes, and of what
 * a local search makes of it. */
#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/session_private.h"

enum { GLANCE_TOKENS = 1024 /* asked for by nobody */ };
static const double glance_s = 10; /* what takes longer waits until it is asked for */

static void tell_measured(struct job *j, const struct eval_result *r, uint64_t bytes, double kl)
{
	struct session *s = ((struct deed *)j->arg)->s;
	char said[64];

	snprintf(said, sizeof said, "KL %.4f ± %.4f", r->kl, r->kl_se);
	job_say(j, said);
	notice(s, LOG_INFO, "measured %.2f bpw: KL %.4f ± %.4f on %zu tokens, predicted %.4f",
		(double)bytes * 8 / (double)s->desk->m->weights, r->kl, r->kl_se, r->tokens, kl);
}

static void too_slow(struct session *s, double took)
{
	atomic_store(&s->slow, true);
	notice(s, LOG_INFO,
		"a measurement takes %.0f s here: layouts are measured when you ask (m), or again by "
		"themselves after :set auto_measure on",
		took);
}

/* By itself a layout is measured once. */
static bool is_measured(struct session *s)
{
	double kl, se;
	uint64_t bytes;
	uint8_t *choice = session_choice(s, &bytes, &kl, &se);
	bool has = choice && desk_point_of(s->desk, choice);

	xfree(choice);
	return has;
}

static enum st work_measure(struct job *j, struct err *e)
{
	struct deed *d = j->arg;
	struct session *s = d->s;
	struct underway *word = NULL;
	struct eval_result r;
	struct estimate x;
	double kl, se, began;
	uint64_t bytes = 0;
	uint8_t *choice;
	enum st st = ST_OK;

	if (s->desk && d->flag && is_measured(s))
		return ST_OK;
	if (s->desk)
		st = mix_settle(j, e);
	if (st)
		return st;
	choice = s->desk ? session_choice(s, &bytes, &kl, &se) : NULL;
	if (!choice)
		return err_set(e, ST_INVALID, "measure: there is no layout under the dial yet");
	if (!d->flag) {
		estimate_measure(&x, s->desk, DESK_MEASURE_TOKENS);
		st = foretell(j, &x, false, NULL, e);
		word = st ? NULL : underway_of(s, "measure", choice);
	}
	began = clock_now();
	if (!st)
		st = desk_measure(s->desk, choice, d->flag ? GLANCE_TOKENS : DESK_MEASURE_TOKENS,
			"measured", &r, &j->sink, e);
	underway_end(word, st == ST_DEVICE || (st == ST_CANCELLED && job_program_ends(j)));
	if (!st && !d->flag) /* the front shows it, and whether it is off the line */
		tell_measured(j, &r, bytes, kl);
	if (!st && d->flag && clock_now() - began > glance_s)
		too_slow(s, clock_now() - began);
	xfree(choice);
	return st;
}

const struct job_class job_measure = { "measure", "windows", LANE_MEASURE, work_measure, deed_done };

/* What the bytes under the dial do when given out by a plain rule, once for a band of sizes;
 * another turn of the dial comes first. */
static enum st work_guards(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	uint64_t generation = dial_generation(s->dial);
	size_t n = s->desk ? s->desk->set.n : 0;
	uint8_t *choice = xarray(n + 1, 1);
	struct eval_result r;
	struct sink quiet;
	enum st st = ST_OK;

	for (size_t g = 0; g < GUARDS && !st; g++) {
		if (!n || dial_generation(s->dial) != generation)
			break;
		if (!dial_guard(s->dial, (enum guard)g, 1, choice, n) ||
			desk_point_of(s->desk, choice))
			continue;
		st = desk_measure(s->desk, choice, GLANCE_TOKENS, guard_name[g], &r,
			desk_silent(&j->sink, &quiet), e);
		sink_progress(&j->sink, (double)g + 1, GUARDS);
	}
	xfree(choice);
	return st;
}

/* In the lowest lane: a layout that somebody waits for is measured first. */
const struct job_class job_guards = { "guards", "layouts", LANE_SCAN, work_guards, deed_done };

/* ---- refine */

static void tell_refined(struct session *s, const struct desk_refined *r, uint64_t bytes, bool put)
{
	double bpw = (double)bytes * 8 / (double)s->desk->m->weights;

	if (!r->r.moves)
		notice(s, LOG_INFO,
			"refine: no exchange of bits between linears makes %.2f bpw better; KL "
			"%.4f ± %.4f",
			bpw, r->kl_from, r->se_from);
	else
		notice(s, LOG_INFO,
			"refined %.2f bpw: KL %.4f to %.4f (± %.4f) on text that had no part in "
			"it; "
			"%zu linears changed%s",
			bpw, r->kl_from, r->kl_to, r->se_to, r->r.moves,
			put ? " (u: back)" : "; the dial was turned: it is a point of the front");
}

static enum st work_refine(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	size_t n = s->desk ? s->desk->set.n : 0;
	uint64_t bytes = 0, generation = dial_generation(s->dial);
	double kl, se;
	int8_t *pin = xarray(n + 1, 1), *floor = xarray(n + 1, 1);
	uint16_t *tie = xarray(n + 1, sizeof *tie);
	struct front_input rules = { .pin = pin, .floor = floor, .tie = tie };
	uint8_t *choice = n ? session_choice(s, &bytes, &kl, &se) : NULL;
	struct underway *word;
	struct desk_refined r;
	struct estimate x;
	bool same;
	enum st st = ST_OK;

	if (!choice)
		st = err_set(e, ST_INVALID, "refine: there is no layout under the dial yet");
	if (!st && !dial_rules(s->dial, pin, floor, tie, n))
		st = err_set(e, ST_INVALID, "refine: another model is being opened");
	if (!st) {
		estimate_refine(&x, s->desk);
		st = foretell(j, &x, false, NULL, e);
	}
	if (!st) {
		word = underway_of(s, "refine", choice);
		st = desk_refine(s->desk, choice, bytes, &rules, &r, &j->sink, e);
		underway_end(word, st == ST_DEVICE || (st == ST_CANCELLED && job_program_ends(j)));
	}
	if (!st) {
		same = dial_generation(s->dial) == generation;
		if (same && r.r.moves)
			dial_choose(s->dial, choice, (double)NAN, (double)NAN);
		tell_refined(s, &r, bytes, same);
	}
	xfree(choice);
	xfree(pin);
	xfree(floor);
	xfree(tie);
	return st;
}

/* In the scan's lane: it waits for a scan under way, which makes what it reads. */
const struct job_class job_refine = { "refine", "cells", LANE_SCAN, work_refine, deed_done };
