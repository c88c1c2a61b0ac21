/* verbs_train_plan.c - train --dry-run: the arithmetic of a run on any model, from headers alone.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/verbs_train.h"
#include "app/verbs_train_shape.h"
#include "core/base/alloc.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/cache.h"
#include "core/work/calibrate.h"
#include "core/work/run_model.h"
#include "kernels/pool.h"

/* ---- beside memory */

/* The last one and the best. */
enum { CHECKPOINTS = 2 };

static uint64_t checkpoint_bytes(
	const struct plan *p, const struct train_how *how, const struct train_memory *x)
{
	return train_checkpoint_bytes(x, how, p->folders);
}

/* What it begins from stays in memory where it is quantized. */
static uint64_t begun_bytes(const struct plan *p, const struct train_how *how)
{
	return train_packs(how->method) ? p->begun : 0;
}

/* The whole program's, without its own few megabytes: embedding and head are in x, too. */
static uint64_t peak_bytes(
	const struct plan *p, const struct train_how *how, const struct train_memory *x)
{
	return x->total + x->looks + (p->file - p->other) + begun_bytes(p, how);
}

/* ---- told */

/* "int2g64, int3g64 and int4g128"; xfree. */
static char *names_of(const struct plan *p)
{
	char name[FORMAT_NAME];
	struct buf b = { 0 };

	for (size_t i = 0; i < p->forms; i++) {
		buf_str(&b, !i ? "" : i + 1 < p->forms ? ", " : " and ");
		buf_str(&b, format_name(p->format[i], name));
	}
	return b.s;
}

static void tell_layout(const struct plan *p, const struct args *a)
{
	char clean[256];

	if (p->forms) {
		char *names = names_of(p);

		printf("layout       %s at once, each step a layout drawn between %.2f and %.2f "
		       "bpw\n",
			names, p->bpw[0], p->bpw[p->forms - 1]);
		xfree(names);
		return;
	}
	text_clean(clean, sizeof clean, a->layout ? a->layout : "",
		a->layout ? strlen(a->layout) : 0, true);
	printf("layout       %s: %.4f stored bits a weight%s\n",
		a->layout ? clean : "as in the file", 8.0 * (double)p->stored / (double)p->weights,
		p->guessed ? " (which linears get them, a search says)" : "");
}

static void tell_teacher(const struct train_ask *ask)
{
	char clean[256];

	if (ask->teacher) {
		text_clean(clean, sizeof clean, ask->teacher, strlen(ask->teacher), true);
		printf("teacher      %s: what the model said, read in the place of a second "
		       "forward pass\n",
			clean);
	} else if (ask->teach) {
		printf("teacher      the model as it is in the file: a second forward pass in "
		       "every step\n");
	}
}

static void row(const char *what, uint64_t bytes, const char *of)
{
	char b[16];

	if (bytes)
		printf("  %-12s %10s  %s\n", what, text_bytes(bytes, b), of);
}

static void tell_memory(
	const struct plan *p, const struct train_memory *x, const struct train_how *how)
{
	static const char *const weights[] = {
		[TRAIN_CODES] = "packed codes, scales and offsets; no float copy of them",
		[TRAIN_MASTERS] = "float masters of the linears",
		[TRAIN_ADAPTERS] = "gains of the norms",
		[TRAIN_LATENT] = "packed codes, and float masters of the linears"
	};
	static const char *const forms[] = {
		[TRAIN_CODES] = "packed codes, scales and offsets of every format",
		[TRAIN_LATENT] = "packed codes of every format, and one float master a linear"
	};
	char b[16];

	printf("memory       %s (%.2f GB)\n", text_bytes(x->total, b), (double)x->total / 1e9);
	row("weights", x->weights, (p->forms ? forms : weights)[how->method->what]);
	row("frozen", x->frozen, "embedding and head, and linears that stay as they are");
	row("state", x->state, "of the optimizer");
	row("adapters", x->adapters, "two matrices beside each linear");
	row("activations", x->activations,
		how->keep == BACK_INPUTS
			? "of a step, the input of each block (run again)"
			: "of a step, what the way back reads (less: --recompute)");
	row("gradient", x->gradient, "of one matrix at a time, with the optimizer's scratch");
	row("logits", x->logits, "of a few labelled tokens at a time");
	printf("a look       %s more while it lasts, at what is held out%s\n",
		text_bytes(x->looks, b), p->forms > 1 ? ", of five budgets one after another" : "");
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

	if (p->forms && !train_packs(m))
		return (struct train_memory){ 0 };
	as.recompute = recompute;
	if (strcmp(m->name, asked->method ? asked->method : "rank") != 0)
		train_ask_by_default(&as);
	if (train_verb_how(&how, &window, m, &as, &e)) {
		as.lean = false; /* it has nothing to save so */
		if (train_verb_how(&how, &window, m, &as, &e))
			return (struct train_memory){ 0 };
	}
	how.forms = p->forms;
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
			printf("%-10s %s\n", m->name,
				p->forms ? "trains no codes" : "nothing in this layout is packed");
			continue;
		}
		printf("%-10s %10s %10s %10s %12s %12.2e\n", m->name,
			text_bytes(x.weights + x.adapters, w), text_bytes(x.state, s),
			text_bytes(x.total, t), text_bytes(y.total, r), x.flops);
	}
}

/* What is left of it, by what runs before it took here; NAN: none did, and a guess would be of
 * another machine. */
static double seconds_left(
	const struct plan *p, const struct train_ask *ask, const struct train_how *how)
{
	struct train_ask rest = *ask; /* its words are not touched */
	bool guessed;
	double s;

	rest.steps = how->tune.steps - p->done;
	s = calibrate_seconds(p->weights, &rest, &guessed);
	return guessed || p->elsewhere ? (double)NAN : s;
}

/* Of the text that the model has to write before the first step; 0: it is there. */
static size_t to_write(const struct plan *p, const struct train_ask *ask)
{
	struct cache *c = NULL;
	size_t tokens = calibrate_writes(NULL, ask);

	if (!tokens || !p->ck || cache_open(&c, p->ck, true, NULL))
		return tokens;
	tokens = calibrate_writes(c, ask);
	cache_close(c);
	return tokens;
}

static double write_seconds(const struct plan *p, size_t tokens)
{
	return p->elsewhere ? (double)NAN
			    : calibrate_write_seconds(
				      p->weights, (uint64_t)p->hp.vocab * p->hp.hidden, tokens);
}

static void tell_writing(const struct plan *p, const struct train_ask *ask)
{
	size_t tokens = to_write(p, ask);
	double seconds = write_seconds(p, tokens);
	char b[16];

	if (tokens)
		printf("before it    the model writes %zu tokens to learn from, once: %s\n", tokens,
			isnan(seconds) ? "how long is not foretold, it wrote none here yet"
				       : text_seconds(seconds, b));
}

static void tell(const struct plan *p, const struct args *a, const struct train_ask *ask,
	const struct train_how *how, size_t window, const struct train_memory *x)
{
	uint64_t steps = how->tune.steps - p->done, tokens = how->windows * window;
	double seconds = seconds_left(p, ask, how);
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
	tell_layout(p, a);
	tell_teacher(ask);
	printf("method       %s: %s\n", how->method->name, how->method->summary);
	printf("steps        %llu of %zu windows of %zu tokens: %llu tokens a step, %llu in all\n",
		(unsigned long long)steps, how->windows, window, (unsigned long long)tokens,
		(unsigned long long)(steps * tokens));
	printf("arithmetic   %.3g FLOP a step, %.3g in all; %llu values are trained\n", x->flops,
		x->flops * (double)steps, (unsigned long long)x->trained);
	tell_memory(p, x, how);
	printf("beside it    the model as it is in the file, %s, mapped: %s\n",
		text_bytes(p->file, b),
		how->teach && !how->said ? "the teacher reads it in every step"
					 : "its pages may leave");
	if (train_packs(how->method))
		printf("             and the layout%s that it begins from, %s\n",
			p->forms > 1 ? "s" : "", text_bytes(p->begun, b));
	printf("disk         %s a checkpoint%s, ", text_bytes(checkpoint_bytes(p, how, x), b),
		p->forms ? " (a folder a format)" : "");
	printf("%s for the last and the best one\n",
		text_bytes(CHECKPOINTS * checkpoint_bytes(p, how, x), b));
	printf("at its peak  %s with all of that, and a few MiB of the program's own\n",
		text_bytes(peak_bytes(p, how, x), b));
	printf("free here    %s\n", text_bytes(mem_available(), b));
	if (isnan(seconds))
		printf("time         not foretold: no run has ended on this machine yet\n");
	else
		printf("time         about %s in steps and looks, as long as the steps of runs "
		       "before "
		       "it took here\n",
			text_seconds(seconds, b));
	tell_writing(p, ask);
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
	json_put_i64(o, "look", (int64_t)x->looks);
	json_put_f64(o, "step_flop", x->flops);
	json_put_i64(o, "trained", (int64_t)x->trained);
}

static void put_dial(struct json_out *o, const struct plan *p)
{
	char name[FORMAT_NAME];

	json_open(o, "dial", '[');
	for (size_t f = 0; f < p->forms; f++) {
		json_open(o, NULL, '{');
		json_put_str(o, "format", format_name(p->format[f], name));
		json_put_f64(o, "stored_bpw", p->bpw[f]);
		json_close(o, '}');
	}
	json_close(o, ']');
	json_put_i64(o, "budgets", p->forms > 1 ? TRAIN_POINTS : 1);
}

static void tell_json(const struct plan *p, const struct train_ask *ask,
	const struct train_how *how, size_t window, const struct train_memory *x)
{
	size_t write = to_write(p, ask);
	struct json_out o;

	verb_begin(&o);
	json_put_str(&o, "job", "train");
	json_put_str(&o, "method", how->method->name);
	json_put_f64(&o, "stored_bpw", 8.0 * (double)p->stored / (double)p->weights);
	if (p->forms)
		put_dial(&o, p);
	if (how->teach)
		json_put_str(&o, "teacher", how->said ? "cache" : "reference");
	json_put_i64(&o, "steps", (int64_t)(how->tune.steps - p->done));
	json_put_i64(&o, "steps_done", (int64_t)p->done);
	json_put_f64(&o, "seconds", seconds_left(p, ask, how)); /* null: not known */
	json_put_i64(&o, "write_tokens", (int64_t)write);
	json_put_f64(&o, "write_seconds", write_seconds(p, write));
	json_put_i64(&o, "step_tokens", (int64_t)(how->windows * window));
	put_memory(&o, x);
	json_put_i64(&o, "file_bytes", (int64_t)p->file);
	json_put_i64(&o, "begun_bytes", (int64_t)begun_bytes(p, how));
	json_put_i64(&o, "peak_bytes", (int64_t)peak_bytes(p, how, x));
	json_put_i64(&o, "checkpoint_bytes", (int64_t)checkpoint_bytes(p, how, x));
	json_put_i64(&o, "disk_bytes", (int64_t)(CHECKPOINTS * checkpoint_bytes(p, how, x)));
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
	if (!t->a->resume) {
		st = st ? st : train_verb_method(&m, t->a, e);
		return st ? st : train_verb_dial(m, t->a, e);
	}
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
	if (!a->demo && a->n_words)
		return run_model(path, a->word[0], e);
	*path = a->demo ? verb_demo_model(a->read_only, e) : verb_default_model();
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
	struct err e = { 0 }, why = { 0 };
	char *path = NULL;
	size_t window;
	enum st st = what(&p, &t, &run, &e);

	/* how long it takes is known of this machine's devices only; all else of any */
	pool_start((int)a->threads);
	p.elsewhere = verb_device(a, &why) != ST_OK;

	if (!st)
		st = which_model(&path, &t.as, &e);
	p.path = path;
	if (!st)
		st = plan_open(&p, &e);
	if (!st)
		st = plan_layout(&p, t.as.layout, t.ask.dial, &e);
	if (!st)
		st = train_verb_how(&how, &window,
			train_method_find(t.ask.method ? t.ask.method : "rank"), &t.ask, &e);
	how.forms = p.forms;
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
