/* verbs_train_tell.c - what a training run will do, how it goes, and what to type next. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/events.h"
#include "app/verbs_train.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/runs.h"
#include "core/work/train_dial.h"

enum { LINE_S = 10 }; /* between two lines of progress where nobody looks */

/* ---- before the first step */

static void say_sizes(struct train_verb *t, const struct train_how *how)
{
	const struct pack_counts *c = train_run_counts(t->run);
	size_t all = train_run_windows(t->run);
	char part[96] = "";

	/* What of them is cut or left out the run has said, for those of --json, too. */
	verb_note("data       rows %llu, tokens %llu, learned %llu, rows held out %llu",
		(unsigned long long)c->rows, (unsigned long long)c->tokens,
		(unsigned long long)c->labelled, (unsigned long long)c->held);
	verb_note("method     %s: %s", how->method->name, how->method->summary);
	if (all)
		snprintf(part, sizeof part, ", %.2g times through the data",
			(double)how->tune.steps * (double)how->windows / (double)all);
	verb_note("steps      %llu of %zu windows of at most %zu tokens%s",
		(unsigned long long)how->tune.steps, how->windows, train_run_ask(t->run)->window,
		all ? part : "");
}

void train_verb_begins(struct train_verb *t)
{
	const struct train *tr = train_run_train(t->run);
	const struct train_how *how = train_how(tr);
	char b[16];

	t->began_at = train_steps_done(tr);
	if (t->began_at)
		t->first = train_run_first(t->run);
	if (events_on()) {
		event_text("run", train_run_id(t->run));
		return;
	}
	if (t->a->json)
		return;
	say_sizes(t, how);
	verb_note("memory     %s for training, beside the model", text_bytes(train_bytes(tr), b));
	verb_note("run        %s%s", train_run_id(t->run),
		t->began_at ? ", which goes on" : "; Ctrl-C stops it with a checkpoint");
}

/* ---- while it goes on */

static double share(const uint64_t part[TUNE_WIDTHS], const uint64_t all[TUNE_WIDTHS])
{
	uint64_t a = 0, b = 0;

	for (int i = 0; i < TUNE_WIDTHS; i++) {
		a += part[i];
		b += all[i];
	}
	return b ? (double)a / (double)b : 0;
}

static const char *left(const struct train_verb *t, char out[24])
{
	const struct train_how *how = train_how(train_run_train(t->run));
	uint64_t done = t->last.step > t->began_at ? t->last.step - t->began_at : 1;
	double s = how->tune.steps > t->last.step ? (clock_now() - t->began) / (double)done *
							    (double)(how->tune.steps - t->last.step)
						  : 0;
	char words[16];

	snprintf(out, 24, "%s left", text_seconds(s, words));
	return out;
}

/* Tokens a second. */
static double rate(const struct train_sums *s)
{
	return s->seconds > 0 ? (double)s->tokens / s->seconds : 0.0;
}

static void tell_step(struct train_verb *t)
{
	const struct train_report *r = &t->last;
	uint64_t steps = train_how(train_run_train(t->run))->tune.steps;
	const struct train_sums sums = train_run_sums(t->run);
	char line[200], moved[40] = "", when[24];

	if (share(r->counts.flips, r->counts.weights) > 0)
		snprintf(moved, sizeof moved, "  moved %.3g %%",
			100 * share(r->counts.flips, r->counts.weights));
	snprintf(line, sizeof line, "step %llu/%llu  loss %.4f  smoothed %.4f%s  %.0f tok/s  %s",
		(unsigned long long)r->step, (unsigned long long)steps, r->loss, sums.loss, moved,
		rate(&sums), left(t, when));
	if (isatty(2))
		verb_line(line);
	else if (clock_now() - t->told >= LINE_S || r->step == steps ||
		 r->step == t->began_at + 1) {
		verb_note("%s", line);
		t->told = clock_now();
	}
}

static void event_step(const struct train_report *r)
{
	struct json_out o;

	event_begin(&o, "train.step");
	json_put_i64(&o, "step", (int64_t)r->step);
	json_put_f64(&o, "loss", r->loss);
	json_put_bool(&o, "skipped", r->skipped);
	json_put_i64(&o, "tokens", (int64_t)r->tokens);
	json_put_i64(&o, "labelled", (int64_t)r->labelled);
	json_put_f64(&o, "lr", r->lr);
	json_put_f64(&o, "lr_s", r->lr_s);
	json_put_f64(&o, "grad_norm", r->grad_norm);
	json_put_f64(&o, "moved", share(r->counts.flips, r->counts.weights));
	json_put_f64(&o, "saturated", share(r->counts.saturated, r->counts.weights));
	json_put_f64(&o, "seconds", r->seconds);
	event_end(&o);
}

static void on_step(void *arg, const struct train_report *r)
{
	struct train_verb *t = arg;

	t->last = *r;
	if (r->skipped && !events_on())
		verb_note("step %llu: its loss is no number, so nothing was changed",
			(unsigned long long)r->step);
	if (events_on())
		event_step(r);
	else if (!t->a->json && !isnan(train_run_sums(t->run).loss))
		tell_step(t);
}

/* Of a dial: KL at each of its budgets; first: also of the first look. */
static void json_points(const struct train_verb *t, struct json_out *o, bool first)
{
	double bpw[TRAIN_POINTS], kl[TRAIN_POINTS];
	size_t n = train_run_points(t->run, bpw, kl);

	if (!n)
		return;
	json_open(o, "budgets", '[');
	for (size_t p = 0; p < n; p++) {
		json_open(o, NULL, '{');
		json_put_f64(o, "bpw", bpw[p]);
		if (first)
			json_put_f64(o, "kl_first", t->first.point[p]);
		json_put_f64(o, "kl", kl[p]);
		json_close(o, '}');
	}
	json_close(o, ']');
}

/* Of one sequence there is none. */
static const char *error_of(double se, char out[24])
{
	out[0] = '\0';
	if (isfinite(se))
		snprintf(out, 24, " ± %.4f", se);
	return out;
}

static void on_held(void *arg, uint64_t step, const struct train_eval *v)
{
	struct train_verb *t = arg;
	double bpw[TRAIN_POINTS];
	struct json_out o;

	if (isnan(t->first.nll)) {
		t->first.nll = v->nll;
		t->first.kl = v->kl;
		(void)train_run_points(t->run, bpw, t->first.point);
	}
	t->kl = v->kl;
	t->held = v->nll;
	t->held_se = v->nll_se;
	if (events_on()) {
		event_begin(&o, "train.held");
		json_put_i64(&o, "step", (int64_t)step);
		json_put_f64(&o, "nll", v->nll);
		json_put_f64(&o, "nll_se", v->nll_se);
		json_put_f64(&o, "kl", v->kl);
		json_put_f64(&o, "top1", v->top1);
		json_points(t, &o, false);
		event_end(&o);
	} else if (!t->a->json) {
		char kl[48] = "", error[24];

		if (isfinite(v->kl))
			snprintf(kl, sizeof kl, ", KL %.4f from the model as it was", v->kl);
		verb_note("step %-5llu held out %.4f%s%s", (unsigned long long)step, v->nll,
			error_of(v->nll_se, error), kl);
	}
}

static void on_saved(void *arg, uint64_t step, const char *dir)
{
	struct json_out o;

	(void)arg;
	if (!events_on())
		return;
	event_begin(&o, "train.checkpoint");
	json_put_i64(&o, "step", (int64_t)step);
	json_put_str(&o, "folder", dir);
	event_end(&o);
}

/* ---- at the end */

void train_verb_quoted(char *out, size_t cap, const char *path)
{
	bool plain = !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._+-/")];

	if (plain)
		snprintf(out, cap, "%s", path);
	else
		snprintf(out, cap, "\"%s\"", path);
}

/* As short as it can be typed. */
static const char *from_here(const char *path)
{
	char *here = realpath(".", NULL);
	size_t n = here ? strlen(here) : 0;

	if (n > 1 && !strncmp(path, here, n) && path[n] == '/')
		path += n + 1;
	free(here);
	return path;
}

/* By the checkpoint that did best on what is held out, which need not be the last. */
static void next(const struct train_verb *t)
{
	const struct train_how *how = train_how(train_run_train(t->run));
	const struct train_ask *ask = train_run_ask(t->run);
	const char *dir = train_run_folder(t->run), *path = dir ? from_here(dir) : NULL;
	char at[1024], layout[1024], *better;
	double nll;

	if (!dir)
		return;
	train_verb_quoted(at, sizeof at, path);
	printf("result     %s%s\n", at,
		how->method->what == TRAIN_ADAPTERS ? " (adapters, as PEFT reads them)" : "");
	better = train_run_better(t->run, &nll);
	if (better) {
		path = from_here(better);
		train_verb_quoted(at, sizeof at, path);
		printf("best       %s, %s %.4f: better than the last one\n", at,
			how->teach ? "KL" : "held out", nll);
	}
	if (how->method->what == TRAIN_ADAPTERS)
		printf("next       PEFT opens the adapters: PeftModel.from_pretrained(model, "
		       "\"%s\")\n",
			path);
	else
		printf("next       bitdial %s\n", at);
	if (ask->dial)
		printf("           bitdial layout cut %s --layout L -o DIR\n",
			train_run_id(t->run));
	else if (how->method->what != TRAIN_ADAPTERS)
		printf("           bitdial chat %s --prompt 'What do I do first?'\n", at);
	if (how->method->what == TRAIN_MASTERS) {
		train_verb_quoted(layout, sizeof layout, ask->layout ? ask->layout : "int4g128");
		printf("           bitdial export %s --layout %s -o DIR\n", at, layout);
	}
	printf("           bitdial train --resume %s --steps %llu\n", train_run_id(t->run),
		2 * (unsigned long long)how->tune.steps);
	xfree(better);
}

/* A line of the last look beside the first, which a folder that somebody tidied no longer has. */
static void tell_change(const char *name, const char *now, double first)
{
	char at_first[40] = "";

	if (isfinite(first))
		snprintf(at_first, sizeof at_first, ", at first %.4f", first);
	printf("%-10s %s%s\n", name, now, at_first);
}

/* What the run wrote of itself at its end; NAN: nothing. */
static double number_of(const struct run_entry *r, const char *name)
{
	for (size_t i = 0; r && i < r->n_numbers; i++)
		if (!strcmp(r->number[i].name, name))
			return r->number[i].v;
	return (double)NAN;
}

/* What of the end was measured on more of what is held out than the looks were. */
static void tell_wide(const struct run_entry *r)
{
	double nll = number_of(r, "held_wide_nll"), kl = number_of(r, "held_wide_kl");
	char err[24];

	if (!isfinite(nll))
		return;
	printf("%-10s %.4f%s of %.0f sequences that are held out", "", nll,
		error_of(number_of(r, "held_wide_se"), err), number_of(r, "held_wide_sequences"));
	if (isfinite(kl))
		printf(", KL %.4f", kl);
	putchar('\n');
}

static void tell_looks(const struct train_verb *t, const struct run_entry *r)
{
	char line[80], error[24];

	if (isfinite(t->held)) {
		snprintf(line, sizeof line, "%.4f%s", t->held, error_of(t->held_se, error));
		tell_change("held out", line, t->first.nll);
	}
	tell_wide(r);
	if (isfinite(t->kl)) {
		snprintf(line, sizeof line, "%.4f from the model as it was", t->kl);
		tell_change("KL", line, t->first.kl);
	}
}

/* Of a dial. */
static void tell_points(const struct train_verb *t)
{
	double bpw[TRAIN_POINTS], kl[TRAIN_POINTS];
	size_t n = train_run_points(t->run, bpw, kl);

	for (size_t p = 0; p < n && isfinite(kl[p]); p++) {
		char line[80];

		snprintf(line, sizeof line, "%.2f stored bpw: KL %.4f", bpw[p], kl[p]);
		tell_change(p ? "" : "budgets", line, t->first.point[p]);
	}
}

static void tell_numbers(const struct train_verb *t, const struct run_entry *r)
{
	double test = number_of(r, "test_nll"), changed = number_of(r, "changed");
	double text = number_of(r, "text_nll"), peak = number_of(r, "peak_bytes");
	double bpw[TRAIN_POINTS], kl[TRAIN_POINTS];
	bool dial = train_run_points(t->run, bpw, kl) > 0;
	char b[16], all[16], error[24];

	if (isfinite(test))
		printf("test       %.4f%s%s\n", test, error_of(number_of(r, "test_se"), error),
			dial ? ", in the largest formats" : "");
	if (isfinite(text))
		printf("text       %.4f, KL %.4f from the model as it was%s\n", text,
			number_of(r, "text_kl"), dial ? ", the mean of these budgets" : "");
	if (isfinite(changed))
		printf("changed    %.2f %% of the codes moved at least once\n", 100 * changed);
	printf("memory     %s for training", text_bytes(train_bytes(train_run_train(t->run)), b));
	if (peak > 0)
		printf(", %s of the whole program at its peak", text_bytes((uint64_t)peak, all));
	putchar('\n');
}

void train_verb_ends(const struct train_verb *t)
{
	const struct train *tr = train_run_train(t->run);
	const struct train_sums sums = train_run_sums(t->run);
	char *early = train_run_early(t->run);
	const struct run_entry *r;
	struct runs all = { 0 };
	struct err e;

	if (runs_load(&all, NULL, &e))
		all.n = 0;
	r = all.n ? runs_find(&all, train_run_id(t->run), &e) : NULL;
	printf("trained    %llu steps, %llu tokens, %.0f s (%.0f tok/s)\n",
		(unsigned long long)train_steps_done(tr), (unsigned long long)sums.tokens,
		sums.seconds, rate(&sums));
	if (early)
		printf("early      %s\n", early);
	xfree(early);
	if (isfinite(sums.loss))
		printf("loss       %.4f nats a learned token, smoothed\n", sums.loss);
	tell_looks(t, r);
	tell_points(t);
	tell_numbers(t, r);
	runs_release(&all);
	next(t);
}

void train_verb_json(const struct train_verb *t, const char *status)
{
	const struct train *tr = train_run_train(t->run);
	const char *last = train_run_folder(t->run) ? train_run_folder(t->run) : "";
	const struct train_sums sums = train_run_sums(t->run);
	struct json_out o;
	double nll;
	char *better = train_run_better(t->run, &nll), *early = train_run_early(t->run);

	verb_begin(&o);
	json_put_str(&o, "run", train_run_id(t->run));
	json_put_str(&o, "status", status);
	json_put_str(&o, "folder", last);
	json_put_str(&o, "best", better ? better : last);
	xfree(better);
	json_put_str(&o, "method", train_how(tr)->method->name);
	json_put_i64(&o, "steps", (int64_t)train_steps_done(tr));
	if (early)
		json_put_str(&o, "early", early);
	xfree(early);
	json_put_i64(&o, "tokens", (int64_t)sums.tokens);
	json_put_f64(&o, "seconds", sums.seconds);
	json_put_f64(&o, "loss", sums.loss);
	json_put_f64(&o, "held_first", t->first.nll);
	json_put_f64(&o, "held_nll", t->held);
	json_put_f64(&o, "held_se", t->held_se);
	json_put_f64(&o, "kl_first", t->first.kl);
	json_put_f64(&o, "kl", t->kl);
	json_points(t, &o, true);
	json_put_i64(&o, "skipped", (int64_t)t->last.skipped_so_far);
	json_put_i64(&o, "train_bytes", (int64_t)train_bytes(tr));
	verb_json(&o);
}

static void on_ending(void *arg, double seconds)
{
	const struct train_verb *t = arg;

	verb_note("step %llu is finished first, about %.0f s; Ctrl-C again ends at once",
		(unsigned long long)train_run_done(t->run) + 1, seconds);
}

struct train_seen train_verb_seen(struct train_verb *t)
{
	return (struct train_seen){
		.step = on_step, .held = on_held, .saved = on_saved, .ending = on_ending, .arg = t
	};
}
