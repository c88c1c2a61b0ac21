/* verbs_quant.c - eval, layout, export. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/eval/eval.h"
#include "core/quant/bundle.h"
#include "core/work/desk.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"
#include "core/work/run.h"

/* ---- eval */

static void print_eval(const struct args *a, const struct eval_result *r, const struct layout *l)
{
	double bpw = a->layout ? layout_stored_bpw(l) : (double)NAN;
	struct json_out o;

	if (a->json) {
		verb_begin(&o);
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

static void record_eval(struct run *run, const struct eval_result *r, const struct layout *l)
{
	if (!run)
		return;
	verb_run_layout(run, l);
	run_number(run, "kl", r->kl);
	run_number(run, "kl_se", r->kl_se);
	run_number(run, "tokens", (double)r->tokens);
	run_number(run, "ppl", r->ppl);
	run_number(run, "nll", r->nll);
	run_number(run, "ref_nll", r->ref_nll);
	run_number(run, "top1", r->top1);
}

/* A layout's is worth a run folder; the perplexity of the model as it is is not. */
int verb_eval(const struct args *a)
{
	struct tok_ids ids = { 0 };
	struct layout l = { 0 };
	struct eval_result r;
	const struct mat **view = NULL;
	struct desk *d = NULL;
	struct run *run = NULL;
	struct err e = { 0 };
	enum st st;

	if (a->task && !a->text)
		return verb_eval_task(a);
	if (!a->text || a->task)
		st = err_set(&e, ST_INVALID,
			"usage: bitdial eval MODEL --text FILE [--layout L], or "
			"--task FILE in the place of --text");
	else
		st = verb_desk(&d, a, &e);
	if (!st)
		st = desk_tokens(d, a->text, (size_t)a->limit, &ids, verb_sink(), &e);
	if (!st && a->layout)
		run = verb_run_begin(a, d, "eval");
	if (!st) {
		view = xarray(d->m->n_linears + 1, sizeof *view);
		st = verb_view(d, a, &l, view, &e);
	}
	if (!st)
		st = eval_run(&r, d->m, a->layout ? view : NULL, ids.id, ids.n,
			a->window ? (size_t)a->window : 512, verb_sink(), &e);
	if (!st)
		record_eval(run, &r, &l);
	verb_run_end(run, st, &e, "");
	if (!st)
		print_eval(a, &r, &l);
	layout_release(&l);
	xfree(view);
	tok_ids_release(&ids);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

/* ---- layout show */

static void show_layout(const struct args *a, const struct layout *l)
{
	char name[32], fmt[FORMAT_NAME], bytes[16], clean[256];
	struct json_out o;
	bool mixed = false;
	char pairs[FORMAT_PAIRS];

	if (a->json) {
		verb_begin(&o);
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
			putchar(format_letter(l->format, l->k, l->choice[i]));
		}
		putchar('\n');
	}
	for (size_t i = 0; i < l->n; i++)
		mixed |= format_is_mix(l->format[l->choice[i]]);
	printf("           columns are blocks; digits are bits, k: kept as in the file%s%s%s\n",
		mixed ? "; " : "", mixed ? format_pairs(l->format, l->k, pairs) : "",
		mixed ? " by eighths" : "");
}

int verb_layout(const struct args *a)
{
	struct layout l = { 0 };
	struct err e = { 0 };
	char *path = NULL;
	enum st st = ST_OK;

	if (a->n_words && !strcmp(a->word[0], "cut"))
		return verb_layout_cut(a);
	if (a->n_words < 2 || strcmp(a->word[0], "show"))
		st = err_set(&e, ST_INVALID,
			"usage: bitdial layout show FILE, or cut RUN --layout L -o DIR");
	else if (fs_is_file(a->word[1]))
		path = xstrdup(a->word[1]);
	else if (!(path = run_layout_path(a->word[1])) && fs_is_dir(a->word[1]))
		st = err_set(&e, ST_IO, "layout %s is a folder without a layout.json", a->word[1]);
	else if (!path && !access(a->word[1], F_OK))
		st = err_set(&e, ST_IO, "layout %s is not a regular file", a->word[1]);
	else if (!path)
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

/* The layout is found first: what it takes hangs on it. */
static enum st foretell(struct desk *d, const struct args *a, bool *leave, struct err *e)
{
	struct layout l = { 0 };
	struct estimate x;
	const char *source;
	enum st st = desk_layout(d, a->layout, &l, &source, verb_sink(), e);

	if (st)
		return st;
	estimate_export(&x, d, &l, a->out);
	layout_release(&l);
	return verb_foretell(a, &x, leave, e);
}

int verb_export(const struct args *a)
{
	struct layout l = { 0 };
	const struct mat **view = NULL;
	struct desk *d = NULL;
	struct run *run = NULL;
	struct err e = { 0 };
	char bytes[16];
	bool leave = false;
	double began;
	enum st st;

	if (!a->layout || !a->out)
		st = err_set(&e, ST_INVALID, "usage: bitdial export MODEL --layout L -o DIR");
	else if (fs_is_dir(a->out) || fs_is_file(a->out))
		st = err_set(&e, ST_INVALID, "%s exists already; choose a new folder", a->out);
	else
		st = verb_desk(&d, a, &e);
	if (!st)
		st = foretell(d, a, &leave, &e);
	if (leave) {
		desk_close(d);
		return st ? verb_fail(&e) : 0;
	}
	if (!st) {
		run = verb_run_begin(a, d, "export");
		view = xarray(d->m->n_linears + 1, sizeof *view);
		st = verb_view(d, a, &l, view, &e);
	}
	for (size_t i = 0; !st && i < l.n; i++) /* the file names what was written */
		l.by[i] = desk_made_by(d, i, l.choice[i]);
	began = clock_now();
	if (!st)
		st = bundle_write(a->out, d->m, &l, view, verb_sink(), &e);
	if (!st && !a->read_only)
		rates_learn("export", d->m->weights, (double)layout_file_bytes(&l, d->m),
			clock_now() - began);
	if (!st)
		verb_run_layout(run, &l);
	verb_run_end(run, st, &e, a->out);
	if (!st)
		verb_note("%s: %.4f stored bpw, %s", a->out, layout_stored_bpw(&l),
			text_bytes(fs_tree_bytes(a->out), bytes));
	layout_release(&l);
	xfree(view);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}
