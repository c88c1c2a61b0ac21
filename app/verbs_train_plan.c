/* verbs_train_plan.c - train --dry-run: the arithmetic of a run on any model, from headers alone.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs_train.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/io/checkpoint.h"
#include "core/work/run.h"

struct plan {
	struct hparams hp;
	struct checkpoint *ck; /* NULL: there are no weights, only config.json */
	const char *path;
	struct train_shape *shape; /* [n] */
	size_t n;
	uint64_t weights, other,
		file;    /* in the linears; bytes of embedding and head; of the model */
	const char *run; /* of --resume; NULL: a new one */
	uint64_t done;   /* steps of it */
	uint64_t stored; /* bytes of the linears in the layout */
	bool guessed;    /* which linears get which format, of a budget */
};

/* ---- the model */

/* A matrix as it lies in memory once it is loaded; where it is not there, of two bytes a weight. */
static uint64_t matrix_bytes(
	const struct checkpoint *ck, const char *name, size_t rows, size_t cols)
{
	static const char *const part[] = { ".codes", ".scale", ".offset" };
	uint64_t n = (uint64_t)rows * cols, sum = 0;
	const struct tensor *t = ck ? checkpoint_find(ck, name) : NULL;

	if (!ck)
		return 2 * n;
	if (t)
		return t->dtype == DT_Q4_K || t->dtype == DT_Q6_K ? 4 * n : t->bytes;
	for (size_t i = 0; i < 3; i++) {
		char *whole = xprintf("%s%s", name, part[i]);

		t = checkpoint_find(ck, whole);
		sum += t ? t->bytes : 0;
		xfree(whole);
	}
	return sum;
}

static bool is_config(const char *path)
{
	size_t n = strlen(path);

	return n >= 11 && !strcmp(path + n - 11, "config.json") && fs_is_file(path);
}

static bool has_config(const char *path)
{
	char *file = xprintf("%s/config.json", path);
	bool has = fs_is_file(file);

	xfree(file);
	return has;
}

static enum st open_shape(struct plan *p, struct err *e)
{
	char name[32];
	enum st st = is_config(p->path) ? ST_UNSUPPORTED : checkpoint_open(&p->ck, p->path, e);

	if (!st)
		p->hp = p->ck->hp;
	else if (is_config(p->path) || has_config(p->path)) /* no weights, or not all of them */
		st = checkpoint_config(&p->hp, p->path, e);
	if (st)
		return st;
	p->n = p->hp.layers * LINEAR_KINDS;
	p->shape = train_shapes(&p->hp, (struct format){ 0 });
	for (size_t i = 0; i < p->n; i++) {
		struct train_shape *x = &p->shape[i];

		x->kept = matrix_bytes(p->ck, linear_name(i, name), x->rows, x->cols);
		p->weights += (uint64_t)x->rows * x->cols;
		p->file += x->kept;
	}
	p->other = matrix_bytes(p->ck, "embed", p->hp.vocab, p->hp.hidden);
	if (!p->hp.tied)
		p->other += matrix_bytes(p->ck, "head", p->hp.vocab, p->hp.hidden);
	p->file += p->other;
	return ST_OK;
}

/* ---- the layout */

static uint64_t stored(const struct train_shape *x)
{
	return format_is_keep(x->format) ? x->kept : format_bytes(x->format, x->rows, x->cols);
}

static enum st all_of(struct plan *p, struct format f, struct err *e)
{
	char name[FORMAT_NAME];

	for (size_t i = 0; i < p->n; i++) {
		if (!format_fits(f, p->shape[i].cols))
			return err_set(e, ST_INVALID, "%s does not fit a linear of %zu inputs",
				format_name(f, name), p->shape[i].cols);
		p->shape[i].format = f;
	}
	return ST_OK;
}

static enum st by_file(struct plan *p, const char *path, struct err *e)
{
	struct layout l = { 0 };
	enum st st = layout_read(&l, path, NULL, e);

	if (!st && l.n != p->n)
		st = err_set(e, ST_INVALID, "layout %s is of %zu linears, and the model has %zu",
			path, l.n, p->n);
	for (size_t i = 0; !st && i < p->n; i++) {
		p->shape[i].format = l.format[l.choice[i]];
		if (!format_fits(p->shape[i].format, p->shape[i].cols))
			st = err_set(e, ST_INVALID, "layout %s does not fit linear %zu", path, i);
	}
	layout_release(&l);
	return st;
}

/* What a search would choose is not known from headers, but what it adds up to is: the two formats
 * around the budget, as many of the wider one as there is room for. */
static enum st by_budget(struct plan *p, double bpw, struct err *e)
{
	static const struct format step[] = { { .bits = 2, .group = 64 },
		{ .bits = 4, .group = 128 }, { .bits = 8, .group = 128 } };
	double budget = bpw * (double)p->weights / 8;
	uint64_t sum = 0;
	size_t at = 0;

	if (!(bpw > 0 && bpw <= 64))
		return err_set(
			e, ST_INVALID, "--layout %g: stored bits a weight go from 0 to 64", bpw);
	p->guessed = true;
	for (at = 0; at < 2; at++) {
		for (size_t i = sum = 0; i < p->n; i++)
			sum += format_bytes(step[at], p->shape[i].rows, p->shape[i].cols);
		if ((double)sum > budget)
			break;
	}
	if (!at)
		return err_set(e, ST_INVALID, "%g bits a weight are below the least, int2g64", bpw);
	sum = 0;
	for (size_t i = 0; i < p->n; i++) {
		p->shape[i].format = step[at - 1];
		sum += stored(&p->shape[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct train_shape wide = p->shape[i];

		wide.format = step[at];
		if ((double)(sum + stored(&wide) - stored(&p->shape[i])) > budget)
			continue;
		sum += stored(&wide) - stored(&p->shape[i]);
		p->shape[i] = wide;
	}
	return ST_OK;
}

static enum st find_layout(struct plan *p, const char *name, struct err *e)
{
	struct format f;
	char *end, *run;
	double bpw;
	enum st st;

	if (!name)
		return ST_OK; /* all as in the file */
	if (fs_is_file(name))
		return by_file(p, name, e);
	bpw = strtod(name, &end);
	if (end != name && !*end)
		return by_budget(p, bpw, e);
	if (!format_parse(&f, name, NULL))
		return all_of(p, f, e);
	run = run_layout_path(name);
	if (!run)
		return err_set(e, ST_INVALID,
			"layout %s is no file, no run, no format (int4g128) and no number of bits",
			name);
	st = by_file(p, run, e);
	xfree(run);
	return st;
}

/* ---- told */

static void row(const char *what, uint64_t bytes, const char *of)
{
	char b[16];

	if (bytes)
		printf("  %-12s %10s  %s\n", what, text_bytes(bytes, b), of);
}

static void tell_memory(const struct train_memory *x, const struct train_how *how)
{
	static const char *const weights[] = {
		[TRAIN_CODES] = "packed codes, scales and offsets; no float copy of them",
		[TRAIN_MASTERS] = "float masters of the linears",
		[TRAIN_ADAPTERS] = "gains of the norms",
		[TRAIN_LATENT] = "packed codes, and float masters of the linears"
	};
	char b[16];

	printf("memory       %s (%.2f GB)\n", text_bytes(x->total, b), (double)x->total / 1e9);
	row("weights", x->weights, weights[how->method->what]);
	row("frozen", x->frozen, "embedding and head, and linears that stay as they are");
	row("state", x->state, "of the optimizer");
	row("adapters", x->adapters, "two matrices beside each linear");
	row("activations", x->activations,
		how->keep == BACK_INPUTS
			? "of a step, the input of each block (run again)"
			: "of a step, what the way back reads (less: --recompute)");
	row("gradient", x->gradient, "of one matrix at a time, with the optimizer's scratch");
	row("logits", x->logits, "of a few labelled tokens at a time");
}

/* The same run by another method, with its own rank; total 0: it trains nothing here. */
static struct train_memory by_method(const struct plan *p, const struct train_method *m,
	const struct train_ask *asked, bool recompute)
{
	struct train_ask as = *asked;
	struct train_how how;
	struct train_memory x;
	struct err e;
	size_t window;

	as.recompute = recompute;
	if (strcmp(m->name, asked->method ? asked->method : "rank") != 0)
		as.rank = 0;
	if (train_verb_how(&how, &window, m, &as, &e))
		return (struct train_memory){ 0 };
	if (train_need(&x, &p->hp, p->shape, p->n, p->other, &how, window, &e))
		x = (struct train_memory){ 0 };
	return x;
}

/* Each method with its own defaults on the same model, layout and step. */
static void tell_methods(const struct plan *p, const struct train_ask *ask)
{
	char w[16], s[16], t[16], r[16];

	printf("\n%-10s %10s %10s %10s %12s %12s\n", "method", "trained", "state", "total",
		"recomputing", "FLOP a step");
	for (const struct train_method *m = train_methods; m->name; m++) {
		struct train_memory x = by_method(p, m, ask, false);
		struct train_memory y = by_method(p, m, ask, true);

		if (!x.total) {
			printf("%-10s nothing in this layout is packed\n", m->name);
			continue;
		}
		printf("%-10s %10s %10s %10s %12s %12.2e\n", m->name,
			text_bytes(x.weights + x.adapters, w), text_bytes(x.state, s),
			text_bytes(x.total, t), text_bytes(y.total, r), x.flops);
	}
}

static void tell(const struct plan *p, const struct args *a, const struct train_ask *ask,
	const struct train_how *how, size_t window, const struct train_memory *x)
{
	uint64_t steps = how->tune.steps - p->done, tokens = how->windows * window;
	char clean[256], b[16];

	if (p->run)
		printf("run          %s: %llu of %llu steps are done; what follows is of the "
		       "rest\n",
			p->run, (unsigned long long)p->done, (unsigned long long)how->tune.steps);

	text_clean(clean, sizeof clean, p->path, strlen(p->path), true);
	printf("model        %s\n             %zu blocks, hidden %zu, %.4g weights in its "
	       "linears%s\n",
		clean, p->hp.layers, p->hp.hidden, (double)p->weights,
		p->ck ? "" : "; by config.json, at two bytes a weight");
	text_clean(clean, sizeof clean, a->layout ? a->layout : "",
		a->layout ? strlen(a->layout) : 0, true);
	printf("layout       %s: %.4f stored bits a weight%s\n",
		a->layout ? clean : "as in the file", 8.0 * (double)p->stored / (double)p->weights,
		p->guessed ? " (which linears get them, a search says)" : "");
	printf("method       %s: %s\n", how->method->name, how->method->summary);
	printf("steps        %llu of %zu windows of %zu tokens: %llu tokens a step, %llu in all\n",
		(unsigned long long)steps, how->windows, window, (unsigned long long)tokens,
		(unsigned long long)(steps * tokens));
	printf("arithmetic   %.3g FLOP a step, %.3g in all; %llu values are trained\n", x->flops,
		x->flops * (double)steps, (unsigned long long)x->trained);
	tell_memory(x, how);
	printf("beside it    the model as it is in the file, %s, mapped: its pages may leave\n",
		text_bytes(p->file, b));
	if (train_packs(how->method))
		printf("             and the layout that it begins from, %s\n",
			text_bytes(x->weights, b));
	printf("free here    %s\n", text_bytes(mem_available(), b));
	printf("time         not foretold: bitdial train measures tokens a second as it goes\n");
	tell_methods(p, ask);
}

static void put_memory(struct json_out *o, const struct train_memory *x)
{
	json_put_i64(o, "memory_bytes", (int64_t)x->total);
	json_put_i64(o, "weights", (int64_t)x->weights);
	json_put_i64(o, "frozen", (int64_t)x->frozen);
	json_put_i64(o, "state", (int64_t)x->state);
	json_put_i64(o, "adapters", (int64_t)x->adapters);
	json_put_i64(o, "activations", (int64_t)x->activations);
	json_put_i64(o, "gradient", (int64_t)x->gradient);
	json_put_i64(o, "logits", (int64_t)x->logits);
	json_put_f64(o, "step_flop", x->flops);
	json_put_i64(o, "trained", (int64_t)x->trained);
}

static void tell_json(const struct plan *p, const struct train_ask *ask,
	const struct train_how *how, size_t window, const struct train_memory *x)
{
	struct json_out o;

	verb_begin(&o);
	json_put_str(&o, "job", "train");
	json_put_str(&o, "method", how->method->name);
	json_put_f64(&o, "stored_bpw", 8.0 * (double)p->stored / (double)p->weights);
	json_put_i64(&o, "steps", (int64_t)(how->tune.steps - p->done));
	json_put_i64(&o, "steps_done", (int64_t)p->done);
	json_put_i64(&o, "step_tokens", (int64_t)(how->windows * window));
	put_memory(&o, x);
	json_put_i64(&o, "file_bytes", (int64_t)p->file);
	json_put_i64(&o, "memory_free", (int64_t)mem_available());
	json_open(&o, "methods", '[');
	for (const struct train_method *m = train_methods; m->name; m++) {
		struct train_memory y;

		for (int again = 0; again < 2; again++) {
			y = by_method(p, m, ask, again);
			if (!y.total)
				continue;
			json_open(&o, NULL, '{');
			json_put_str(&o, "method", m->name);
			json_put_bool(&o, "recompute", again);
			put_memory(&o, &y);
			json_close(&o, '}');
		}
	}
	json_close(&o, ']');
	verb_json(&o);
}

/* What is asked for: by the options, or by the run that goes on. */
static enum st what(struct plan *p, struct train_verb *t, struct train_run **run, struct err *e)
{
	const struct train_method *m;
	enum st st = train_verb_ask(&t->ask, t->a, e);

	t->as = *t->a;
	if (!t->a->resume)
		return st ? st : train_verb_method(&m, t->a, e);
	st = st ? st : train_verb_take_up(t, e);
	st = st ? st : train_run_peek(run, &t->ask, e);
	if (st)
		return st;
	t->ask = *train_run_ask(*run);
	p->run = t->a->resume;
	p->done = train_run_done(*run);
	return ST_OK;
}

static enum st which_model(char **path, const struct args *a, struct err *e)
{
	*path = a->demo      ? verb_demo_model(a->read_only, e)
		: a->n_words ? xstrdup(a->word[0])
			     : verb_default_model();
	if (*path)
		return ST_OK;
	return e->st ? e->st : err_set(e, ST_INVALID, "usage: bitdial train MODEL --dry-run");
}

int train_verb_plan(const struct args *a)
{
	struct train_verb t = { .a = a };
	struct train_run *run = NULL;
	struct train_how how;
	struct train_memory x;
	struct plan p = { 0 };
	struct err e = { 0 };
	char *path = NULL;
	size_t window;
	enum st st = a->dial ? err_set(&e, ST_INVALID,
				       "--dry-run foretells one layout: give --layout FORMAT in "
				       "the place of --dial")
			     : what(&p, &t, &run, &e);

	if (!st)
		st = which_model(&path, &t.as, &e);
	p.path = path;
	if (!st)
		st = open_shape(&p, &e);
	if (!st)
		st = find_layout(&p, t.as.layout, &e);
	if (!st) {
		for (size_t i = 0; i < p.n; i++)
			p.stored += stored(&p.shape[i]);
		st = train_verb_how(&how, &window,
			train_method_find(t.ask.method ? t.ask.method : "rank"), &t.ask, &e);
	}
	if (!st)
		st = train_need(&x, &p.hp, p.shape, p.n, p.other, &how, window, &e);
	if (!st && a->json)
		tell_json(&p, &t.ask, &how, window, &x);
	else if (!st)
		tell(&p, &t.as, &t.ask, &how, window, &x);
	checkpoint_close(p.ck);
	train_run_free(run);
	xfree(p.shape);
	xfree(path);
	xfree(t.path);
	xfree(t.layout);
	return st ? verb_fail(&e) : 0;
}
