/* verbs_scan.c - scan: what each cell does, and how well the cheaper measures order them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"
#include "app/verbs_sources.h"
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/work/desk.h"
#include "core/work/estimate.h"
#include "core/work/run_desk.h"
#include "core/work/underway.h"

/* KL that the fast pass found, [n][k], from the journal; NAN where there is none. */
static double *fast_pass(const struct desk *d)
{
	const struct cached_cell *c;
	size_t k = d->set.k, n = cache_cells(d->cache, &c), f;
	double *kl = xarray(d->set.n * k + 1, sizeof *kl);

	for (size_t i = 0; i < d->set.n * k; i++)
		kl[i] = (double)NAN;
	for (size_t i = 0; i < n; i++) {
		for (f = 0; f < k && !format_equal(d->set.format[f], c[i].format); f++)
			;
		if (f < k && c[i].linear < d->set.n && c[i].tokens &&
			c[i].tokens <= DESK_FAST_TOKENS && !strcmp(c[i].text, d->text_hash))
			kl[c[i].linear * k + f] = c[i].kl;
	}
	return kl;
}

/* Rank correlation with the scan's KL of a cheaper measure, over the cells that have both. */
static double ranks_with_scan(const struct desk *d, const double *cheap)
{
	size_t nk = d->set.n * d->set.k, n = 0;
	double *a = xarray(nk + 1, sizeof *a), *b = xarray(nk + 1, sizeof *b), rho;

	for (size_t i = 0; i < nk; i++)
		if (i % d->set.k != d->keep && d->cell[i].state == CELL_SCANNED &&
			isfinite(cheap[i])) {
			a[n] = cheap[i];
			b[n++] = (double)d->cell[i].value;
		}
	rho = rank_correlation(a, b, n);
	xfree(a);
	xfree(b);
	return rho;
}

static void put_ranks(struct json_out *o, const struct desk *d)
{
	double *fast = fast_pass(d);

	json_put_f64(o, "spearman_first_score", ranks_with_scan(d, d->score));
	json_put_f64(o, "spearman_fast", ranks_with_scan(d, fast));
	xfree(fast);
}

static void scan_table(const struct desk *d, const struct args *a)
{
	char name[32], fmt[FORMAT_NAME], se[24];
	struct json_out o;

	if (a->json) {
		verb_begin(&o);
		json_put_str(&o, "text", d->text_name);
		sources_json(&o, d);
		json_open(&o, "cells", '[');
	} else {
		printf("# linear\tformat\tquantizer\tKL\tse\ttokens");
		sources_head(d);
	}
	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++) {
			const struct map_cell *c = &d->cell[i * d->set.k + f];
			const struct quantizer *by = variant_at(&d->set, i, f)->by;

			if (f == d->keep || c->state < CELL_FAST)
				continue;
			linear_name(i, name);
			format_name(d->set.format[f], fmt);
			if (!a->json) {
				printf("%s\t%s\t%s\t%.6g\t%s\t%u", name, fmt, by ? by->name : "-",
					(double)c->value, verb_number(se, 3, (double)c->se),
					c->tokens);
				sources_cell(d, i * d->set.k + f);
				continue;
			}
			json_open(&o, NULL, '{');
			json_put_str(&o, "linear", name);
			json_put_str(&o, "format", fmt);
			json_put_str(&o, "quantizer", by ? by->name : "");
			json_put_f64(&o, "kl", (double)c->value);
			json_put_f64(&o, "se", (double)c->se);
			json_put_i64(&o, "tokens", c->tokens);
			sources_cell_json(&o, d, i * d->set.k + f);
			json_close(&o, '}');
		}
	if (a->json) {
		json_close(&o, ']');
		sources_pairs_json(&o, d);
		put_ranks(&o, d);
		verb_json(&o);
	} else {
		sources_pairs(d);
	}
}

static void print_cell(void *arg, const struct scan_cell *c)
{
	const struct desk *d = arg;
	char name[32], fmt[FORMAT_NAME], se[24];

	printf("%s\t%s\t%s\t%.6g\t%s\t%.6g\n", linear_name(c->linear, name),
		format_name(d->set.format[c->format], fmt),
		variant_at(&d->set, c->linear, c->format)->by->name, c->kl,
		verb_number(se, 6, c->se), variant_at(&d->set, c->linear, c->format)->error);
	fflush(stdout);
}

/* Every cell by one quantizer on the fast pass's 64 tokens, with its output error under the
 * moments beside: does the cheaper measure choose as KL would?  Nothing is kept. */
static enum st scan_by(struct desk *d, const struct quantizer *by, struct err *e)
{
	size_t n = 0, k = d->set.k;
	struct scan_cell *cells = xarray(d->set.n * k + 1, sizeof *cells);
	struct token_text t;
	struct scan *sc = NULL;
	enum st st = desk_stage(d, STAGE_TEXT, verb_sink(), e);

	for (size_t i = 0; i < d->set.n && !st; i++)
		for (size_t f = 0; f < k && !st; f++) {
			if (f == d->keep || !d->useful[i * k + f])
				continue;
			st = desk_variant(d, i, f, by, verb_sink(), e);
			if (!st)
				st = desk_variant_error(d, i, f, verb_sink(), e);
			cells[n++] =
				(struct scan_cell){ .linear = (uint32_t)i, .format = (uint8_t)f };
		}
	t = d->scan_text;
	t.n_seq = 1;
	if (!st)
		st = scan_new(&sc, d->m, &t, verb_sink(), e);
	printf("# linear\tformat\tquantizer\tKL\tse\terror\n");
	verb_told();
	if (!st)
		st = scan_cells(sc, &d->set, cells, n, print_cell, d, verb_sink(), e);
	scan_free(sc);
	xfree(cells);
	return st;
}

struct recorded {
	const struct desk *d;
	struct run *run;
};

static void record_cell(void *arg, const struct scan_cell *c, const char *stage)
{
	struct recorded *r = arg;
	struct err e;

	verb_cell(r->d, c, stage);
	if (!r->run || !run_cell(r->run, r->d, c, stage, &e))
		return;
	verb_note("warning: %s; the scan goes on without a run folder", e.msg);
	run_end(r->run, ST_IO, e.msg);
	r->run = NULL;
}

/* The dial's stages up to the scan, cell by cell in a run folder. */
static enum st scan_stages(struct desk *d, const struct args *a, struct err *e)
{
	struct recorded rec = { d, verb_run_begin(a, d, "scan") };
	struct underway *word = verb_underway(a, d, "scan");
	size_t measured = 0;
	enum st st = ST_OK;

	d->measured = record_cell;
	d->arg = &rec;
	for (int g = 0; g <= STAGE_ENDS && !st; g++) {
		verb_note("%s", desk_stage_name((enum stage)g));
		st = desk_stage(d, (enum stage)g, verb_sink(), e);
	}
	underway_end(word, st == ST_CANCELLED || st == ST_DEVICE);
	d->measured = NULL;
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		measured += d->cell[i].state == CELL_SCANNED;
	run_number(rec.run, "cells", (double)measured);
	run_number(rec.run, "tokens", (double)(d->scan_text.n_seq * d->scan_text.len));
	verb_run_end(rec.run, st, e, "every cell measured");
	return st;
}

int verb_scan(const struct args *a)
{
	struct desk *d = NULL;
	struct err e = { 0 };
	const struct quantizer *by = NULL;
	struct estimate x;
	bool leave = false;
	enum st st = verb_desk(&d, a, &e);

	verb_keeps(!a->read_only);
	if (!st && a->quantizer && a->n_texts > 1)
		st = err_set(&e, ST_INVALID, "--quantizer measures on one text; name one --text");
	if (!st && a->quantizer) {
		by = quantizer_find(a->quantizer);
		st = by ? scan_by(d, by, &e)
			: err_set(&e, ST_INVALID,
				  "--quantizer %s: there are minmax, clip, hqq and gptq",
				  a->quantizer);
		desk_close(d);
		return st ? verb_fail(&e) : 0;
	}

	if (!st)
		st = desk_identify(d, verb_sink(), &e);
	if (!st) {
		estimate_stages(&x, d, STAGE_ENDS);
		st = verb_foretell(a, &x, &leave, &e);
	}
	if (leave) {
		desk_close(d);
		return st ? verb_fail(&e) : 0;
	}
	if (!st)
		st = scan_stages(d, a, &e);
	if (!st)
		scan_table(d, a);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}
