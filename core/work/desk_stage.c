/* desk_stage.c - the dial's stages in their order. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"

static const struct {
	const char *name, *unit; /* what its progress counts; "": nothing a person counts */
} stages[STAGES] = {
	[STAGE_MINMAX] = { "minmax variants", "variants" },
	[STAGE_TEXT] = { "writing text to scan on", "" },
	[STAGE_SCORE] = { "first score", "blocks" },
	[STAGE_CLIP] = { "clip variants", "variants" },
	[STAGE_FAST] = { "fast pass", "cells" },
	[STAGE_CALIB] = { "moments to calibrate on", "" },
	[STAGE_GPTQ] = { "gptq variants", "linears" },
	[STAGE_SCAN] = { "scan", "cells" },
	[STAGE_ENDS] = { "measuring the ends", "layouts" },
	[STAGE_MORE] = { "writing more text", "" },
};

const char *desk_stage_name(enum stage g)
{
	return stages[g].name;
}

const char *desk_stage_unit(enum stage g)
{
	return stages[g].unit;
}

void desk_tell(struct desk *d, enum desk_change what)
{
	if (d->changed)
		d->changed(d->arg, what);
}

static enum st calibration(struct desk *d, const struct sink *s, struct err *e)
{
	for (size_t f = 0; f < d->set.k; f++)
		if (desk_any_useful(d, f) && !d->best[f])
			return desk_need_moments(d, s, e);
	return ST_OK;
}

static enum st more_text(struct desk *d, const struct sink *s, struct err *e)
{
	struct token_text t = { 0 };
	enum st st;

	if (d->text_path)
		return ST_OK;
	st = desk_measure_text(d, DESK_MEASURE_SEQS * DESK_CALIB_LEN, &t, s, e);
	token_text_release(&t);
	return st ? st : desk_calib_text(d, DESK_MORE_SEQS, s, e);
}

static enum st run_stage(struct desk *d, enum stage g, const struct sink *s, struct err *e)
{
	enum st st;

	switch (g) {
	case STAGE_MINMAX:
		return desk_data_free(d, "minmax", s, e);
	case STAGE_TEXT:
		return desk_scan_text(d, s, e);
	case STAGE_SCORE:
		return desk_first_score(d, s, e);
	case STAGE_CLIP:
		return desk_data_free(d, quantizer_data_free, s, e);
	case STAGE_FAST:
		return desk_measure_cells(d, CELL_FAST, s, e);
	case STAGE_CALIB:
		return calibration(d, s, e);
	case STAGE_GPTQ: /* which gives the moments back when it is done */
		st = desk_mix_shares(d, s, e);
		return st ? st : desk_calibrate(d, s, e);
	case STAGE_SCAN:
		return desk_measure_cells(d, CELL_SCANNED, s, e);
	case STAGE_ENDS:
		return desk_anchors(d, s, e);
	default:
		return more_text(d, s, e);
	}
}

enum st desk_stage(struct desk *d, enum stage g, const struct sink *s, struct err *e)
{
	enum st st = desk_identify(d, s, e);
	double units, began;
	unsigned failures;

	if (st)
		return st;
	if (d->began)
		d->began(d->arg, g);
	units = estimate_stage_units(d, g);
	began = clock_now();
	failures = model_failures(d->m);
	st = run_stage(d, g, s, e);
	if (!st)
		st = model_failed_since(d->m, failures, e);
	/* Also of what was stopped: as far as it came. */
	if (units > 0 && cache_keeps(d->cache))
		rates_learn(estimate_stage_kind(g), d->m->weights,
			units - estimate_stage_units(d, g), clock_now() - began);
	return st;
}

enum st desk_prepare(struct desk *d, enum stage last, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (int g = 0; g <= (int)last && !st; g++) {
		log_at(LOG_INFO, "desk", "%s", stages[g].name);
		st = desk_stage(d, (enum stage)g, s, e);
	}
	return st;
}
