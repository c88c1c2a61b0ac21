/* verbs_quant.c - scan, search, eval, layout, export. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/eval/eval.h"
#include "core/quant/bundle.h"
#include "core/work/desk.h"
#include "core/work/run.h"

static void begin_json(struct json_out *o)
{
	json_out_init(o, false);
	json_open(o, NULL, '{');
}

/* ---- eval */

static void print_eval(const struct args *a, const struct eval_result *r, const struct layout *l)
{
	double bpw = a->layout ? layout_stored_bpw(l) : (double)NAN;
	struct json_out o;

	if (a->json) {
		begin_json(&o);
		json_put_i64(&o, "tokens", (int64_t)r->tokens);
		json_put_f64(&o, "nll", r->nll);
		json_put_f64(&o, "ppl", r->ppl);
		json_put_f64(&o, "kl", r->kl);
		json_put_f64(&o, "kl_se", r->kl_se);
		json_put_f64(&o, "top1", a->layout ? r->top1 : (double)NAN);
		json_put_f64(&o, "stored_bpw", bpw);
		verb_json(&o);
		return;
	}
	printf("tokens      %zu in %zu windows\n", r->tokens, r->windows);
	printf("nll         %.5f nats\nperplexity  %.4f\n", r->nll, r->ppl);
	if (a->layout) {
		printf("reference   %.5f nats, perplexity %.4f\n", r->ref_nll, exp(r->ref_nll));
		printf("KL          %.5f ± %.5f nats\ntop-1       %.2f %%\n", r->kl, r->kl_se,
			100 * r->top1);
		printf("stored      %.4f bpw\n", bpw);
	}
}

int verb_eval(const struct args *a)
{
	struct tok_ids ids = { 0 };
	struct layout l = { 0 };
	struct eval_result r;
	const struct mat **view = NULL;
	struct desk *d = NULL;
	struct err e = { 0 };
	enum st st;

	if (!a->text)
		st = err_set(&e, ST_INVALID, "usage: bitdial eval MODEL --text FILE [--layout L]");
	else
		st = verb_desk(&d, a, &e);
	if (!st)
		st = desk_tokens(d, a->text, (size_t)a->limit, &ids, &e);
	if (!st) {
		view = xarray(d->m->n_linears + 1, sizeof *view);
		st = verb_view(d, a, &l, view, &e);
	}
	if (!st)
		st = eval_run(&r, d->m, a->layout ? view : NULL, ids.id, ids.n,
			a->window ? (size_t)a->window : 512, verb_sink(), &e);
	if (!st)
		print_eval(a, &r, &l);
	layout_release(&l);
	xfree(view);
	tok_ids_release(&ids);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

/* ---- scan */

static void scan_table(const struct desk *d, const struct args *a)
{
	char name[32], fmt[FORMAT_NAME];
	struct json_out o;

	if (a->json) {
		begin_json(&o);
		json_put_str(&o, "text", d->text_name);
		json_open(&o, "cells", '[');
	} else {
		printf("# linear\tformat\tquantizer\tKL\tse\ttokens\n");
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
				printf("%s\t%s\t%s\t%.6g\t%.3g\t%u\n", name, fmt,
					by ? by->name : "-", (double)c->value, (double)c->se,
					c->tokens);
				continue;
			}
			json_open(&o, NULL, '{');
			json_put_str(&o, "linear", name);
			json_put_str(&o, "format", fmt);
			json_put_str(&o, "quantizer", by ? by->name : "");
			json_put_f64(&o, "kl", (double)c->value);
			json_put_f64(&o, "se", (double)c->se);
			json_put_i64(&o, "tokens", c->tokens);
			json_close(&o, '}');
		}
	if (a->json) {
		json_close(&o, ']');
		verb_json(&o);
	}
}

static void print_cell(void *arg, const struct scan_cell *c)
{
	const struct desk *d = arg;
	char name[32], fmt[FORMAT_NAME];

	printf("%s\t%s\t%s\t%.6g\t%.6g\t%.6g\n", linear_name(c->linear, name),
		format_name(d->set.format[c->format], fmt),
		variant_at(&d->set, c->linear, c->format)->by->name, c->kl, c->se,
		variant_at(&d->set, c->linear, c->format)->error);
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
			cells[n++] = (struct scan_cell){ .linear = (uint32_t)i,
				.format = (uint8_t)f };
		}
	t = d->scan_text;
	t.n_seq = 1;
	if (!st)
		st = scan_new(&sc, d->m, &t, verb_sink(), e);
	printf("# linear\tformat\tquantizer\tKL\tse\terror\n");
	if (!st)
		st = scan_cells(sc, &d->set, cells, n, print_cell, d, verb_sink(), e);
	scan_free(sc);
	xfree(cells);
	return st;
}

int verb_scan(const struct args *a)
{
	struct desk *d = NULL;
	struct err e = { 0 };
	const struct quantizer *by = NULL;
	enum st st = verb_desk(&d, a, &e);

	if (!st && a->quantizer) {
		by = quantizer_find(a->quantizer);
		st = by ? scan_by(d, by, &e)
			: err_set(&e, ST_INVALID,
				  "--quantizer %s: there are minmax, clip, hqq and gptq",
				  a->quantizer);
		desk_close(d);
		return st ? verb_fail(&e) : 0;
	}

	for (int g = 0; g <= STAGE_SCAN && !st; g++) {
		verb_note("%s", desk_stage_name((enum stage)g));
		st = desk_stage(d, (enum stage)g, verb_sink(), &e);
	}
	if (!st)
		scan_table(d, a);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

/* ---- search */

/* What the best layout of the same bytes without mixes is predicted at; NAN: there are none, or
 * nothing is in nats. */
static void layer_price(const struct desk *d, const struct layout *l, double *kl, double *se)
{
	*kl = *se = (double)NAN;
	if (desk_mixes(d) && isfinite(l->predicted_kl) &&
		desk_layer_price(d, l->bytes, kl, se, NULL))
		*kl = *se = (double)NAN;
}

static void search_result(const struct args *a, const struct desk *d, const struct layout *l,
	const char *source)
{
	size_t count[FORMAT_MAX] = { 0 };
	char fmt[FORMAT_NAME], bytes[16];
	double layer_kl, layer_se;
	struct json_out o;

	for (size_t i = 0; i < l->n; i++)
		count[l->choice[i]]++;
	layer_price(d, l, &layer_kl, &layer_se);
	if (a->json) {
		begin_json(&o);
		json_put_f64(&o, "asked_bpw", a->bpw);
		json_put_f64(&o, "stored_bpw", layout_stored_bpw(l));
		json_put_f64(&o, "nominal_bpw", layout_nominal_bpw(l, d->m));
		json_put_i64(&o, "bytes", (int64_t)l->bytes);
		json_put_i64(&o, "file_bytes", (int64_t)layout_file_bytes(l, d->m));
		json_put_f64(&o, "predicted_kl", l->predicted_kl);
		json_put_f64(&o, "predicted_se", l->predicted_se);
		json_put_f64(&o, "layer_mix_kl", layer_kl);
		json_put_f64(&o, "layer_mix_se", layer_se);
		json_put_str(&o, "source", source);
		json_put_str(&o, "text", d->text_name);
		verb_json(&o);
		return;
	}
	printf("stored     %.4f bpw (asked %.4g)   nominal %.4f   %s\n", layout_stored_bpw(l), a->bpw,
		layout_nominal_bpw(l, d->m), text_bytes(l->bytes, bytes));
	printf("file       %s\n", text_bytes(layout_file_bytes(l, d->m), bytes));
	if (isfinite(l->predicted_kl))
		printf("predicted  %.4f ± %.4f, from the %s on %s\n", l->predicted_kl,
			l->predicted_se, source, d->text_name);
	else
		printf("predicted  nothing: made by the %s%s\n", source,
			a->guard ? "" : ", which is not in nats (bitdial scan)");
	if (isfinite(layer_kl))
		printf("layer-mix  %.4f ± %.4f at the same bytes, one format a linear\n", layer_kl,
			layer_se);
	for (size_t f = 0; f < l->k; f++)
		if (count[f])
			printf("  %-10s %zu linears\n", format_name(l->format[f], fmt), count[f]);
}

/* A layout nobody searched for, at the same bytes: what the dial has to beat. */
static enum st guard(struct desk *d, const struct args *a, struct layout *l, struct err *e)
{
	static const char *const name[] = { "uniform", "ends", "random" };
	size_t nk = d->set.n * d->set.k, n = strcspn(a->guard, ":");
	uint64_t *bytes = xarray(nk, sizeof *bytes), seed = 1, got;
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *choice = xarray(d->set.n, 1);
	uint64_t budget = (uint64_t)(a->bpw * (double)d->m->weights / 8 + 1e-3);
	struct front_input in;
	const char *source;
	enum st st = ST_OK;
	int g = 0;

	while (g < 3 && (strlen(name[g]) != n || strncmp(name[g], a->guard, n)))
		g++;
	if (a->guard[n])
		seed = strtoull(a->guard + n + 1, NULL, 10);
	desk_damage(d, damage, se, &source);
	desk_layers_only(d, damage); /* a guard is what one would make without a search */
	desk_front_input(d, &in, bytes, damage, se);
	if (g == 3)
		st = err_set(e, ST_INVALID, "--guard %s: expected uniform, ends or random:SEED",
			a->guard);
	else if (!guard_layout((enum guard)g, &in, budget, seed, choice, &got))
		st = err_set(e, ST_INVALID, "no layout of these formats fits %.4g bits a weight",
			a->bpw);
	else
		desk_layout_of(d, choice, (double)NAN, (double)NAN, l);
	xfree(bytes);
	xfree(damage);
	xfree(se);
	xfree(choice);
	return st;
}

int verb_search(const struct args *a)
{
	char budget[32];
	struct layout l = { 0 };
	const char *source = NULL;
	struct desk *d = NULL;
	struct err e = { 0 };
	struct fs_id id;
	enum st st;

	if (isnan(a->bpw))
		st = err_set(&e, ST_INVALID, "usage: bitdial search MODEL --bpw 3.6 [-o layout.json]");
	else
		st = verb_desk(&d, a, &e);
	snprintf(budget, sizeof budget, "%.9g", a->bpw);
	if (!st && fs_is_file(budget))
		st = err_set(&e, ST_INVALID, "a file named %s is in the way", budget);
	if (!st && a->guard) {
		source = "guard";
		st = guard(d, a, &l, &e);
	} else if (!st) {
		st = desk_layout(d, budget, &l, &source, verb_sink(), &e);
	}
	if (!st && a->out && !fs_identify(a->out, &id, NULL) && id.dev == d->m->ck->id.dev &&
		id.ino == d->m->ck->id.ino)
		st = err_set(&e, ST_INVALID, "-o %s: that is the model itself", a->out);
	if (!st && a->out)
		st = layout_write(&l, a->out, &e);
	if (!st)
		search_result(a, d, &l, source);
	layout_release(&l);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

/* ---- layout show */

static void show_layout(const struct args *a, const struct layout *l)
{
	char name[32], fmt[FORMAT_NAME], bytes[16], clean[256];
	struct json_out o;
	bool mixed = false;

	if (a->json) {
		begin_json(&o);
		json_put_str(&o, "model", l->model_name);
		json_put_i64(&o, "bytes", (int64_t)l->bytes);
		json_put_f64(&o, "stored_bpw", l->weights ? layout_stored_bpw(l) : (double)NAN);
		json_put_f64(&o, "predicted_kl", l->predicted_kl);
		json_open(&o, "linears", '{');
		for (size_t i = 0; i < l->n; i++)
			json_put_str(&o, linear_name(i, name),
				format_name(l->format[l->choice[i]], fmt));
		json_close(&o, '}');
		verb_json(&o);
		return;
	}
	text_clean(clean, sizeof clean, l->model_name, strlen(l->model_name), true);
	printf("model      %s\n", clean);
	if (l->weights)
		printf("stored     %.4f bpw, %s\n", layout_stored_bpw(l), text_bytes(l->bytes, bytes));
	else
		printf("stored     %s\n", text_bytes(l->bytes, bytes));
	if (isfinite(l->predicted_kl))
		printf("predicted  KL %.4f ± %.4f\n", l->predicted_kl, l->predicted_se);
	for (size_t k = 0; k < LINEAR_KINDS && k < l->n; k++) {
		printf("%10s ", linear_kind_name[k]);
		for (size_t i = k; i < l->n; i += LINEAR_KINDS) {
			putchar(format_letter(l->format[l->choice[i]]));
		}
		putchar('\n');
	}
	for (size_t i = 0; i < l->n; i++)
		mixed |= format_is_mix(l->format[l->choice[i]]);
	printf("           columns are blocks; digits are bits, k: kept as in the file%s\n",
		mixed ? "; a to g: one to seven eighths high" : "");
}

int verb_layout(const struct args *a)
{
	struct layout l = { 0 };
	struct err e = { 0 };
	char *path = NULL;
	enum st st = ST_OK;

	if (a->n_words < 2 || strcmp(a->word[0], "show"))
		st = err_set(&e, ST_INVALID, "usage: bitdial layout show FILE");
	else if (fs_is_file(a->word[1]))
		path = xstrdup(a->word[1]);
	else if (!(path = run_layout_path(a->word[1])))
		st = err_set(&e, ST_IO, "layout %s: there is no such file and no such run", a->word[1]);
	if (!st)
		st = layout_read(&l, path, NULL, &e);
	if (!st)
		show_layout(a, &l);
	layout_release(&l);
	xfree(path);
	return st ? verb_fail(&e) : 0;
}

/* ---- export */

int verb_export(const struct args *a)
{
	struct layout l = { 0 };
	const struct mat **view = NULL;
	struct desk *d = NULL;
	struct err e = { 0 };
	char bytes[16];
	enum st st;

	if (!a->layout || !a->out)
		st = err_set(&e, ST_INVALID, "usage: bitdial export MODEL --layout L -o DIR");
	else if (fs_is_dir(a->out) || fs_is_file(a->out))
		st = err_set(&e, ST_INVALID, "%s exists already; choose a new folder", a->out);
	else
		st = verb_desk(&d, a, &e);
	if (!st) {
		view = xarray(d->m->n_linears + 1, sizeof *view);
		st = verb_view(d, a, &l, view, &e);
	}
	for (size_t i = 0; !st && i < l.n; i++) /* the file names what was written */
		l.by[i] = l.choice[i] == d->keep ? NULL : variant_at(&d->set, i, l.choice[i])->by;
	if (!st)
		st = bundle_write(a->out, d->m, &l, view, verb_sink(), &e);
	if (!st)
		verb_note("%s: %.4f stored bpw, %s", a->out, layout_stored_bpw(&l),
			text_bytes(fs_tree_bytes(a->out), bytes));
	layout_release(&l);
	xfree(view);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}
