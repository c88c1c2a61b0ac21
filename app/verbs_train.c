/* verbs_train.c - train: fine-tunes a layout on rows of a file. */
#include "app/verbs_train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/events.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/work/calibrate.h"
#include "core/work/runs.h"
#include "core/work/train_dial.h"

/* ---- what is asked for */

enum st train_verb_method(const struct train_method **out, const struct args *a, struct err *e)
{
	const char *names[32] = { NULL }, *near;
	size_t n = 0;

	*out = train_method_find(a->method ? a->method : "rank");
	if (*out)
		return ST_OK;
	for (const struct train_method *m = train_methods; m->name && n < 31; m++)
		names[n++] = m->name;
	near = text_suggest(a->method, names);
	return err_set(e, ST_INVALID, "--method %.40s: there is no such method%s%s (--method help)",
		a->method, near ? "; did you mean " : "", near ? near : "");
}

/* "held-every" of held_every. */
static const char *option_of(const struct train_key *k, char out[32])
{
	snprintf(out, 32, "%s", k->name);
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = '-';
	return out;
}

static enum st too_large(const char *option, uint64_t v, uint64_t most, struct err *e)
{
	return v <= most ? ST_OK
			 : err_set(e, ST_INVALID, "--%s %llu: at most %llu", option,
				   (unsigned long long)v, (unsigned long long)most);
}

/* A count above what run.json keeps of it makes a run that never goes on. */
static enum st no_large_count(const struct train_ask *ask, struct err *e)
{
	char option[32];
	enum st st = ST_OK;

	for (const struct train_key *k = train_keys; !st && k->name; k++)
		if (k->kind == TRAIN_COUNT)
			st = too_large(option_of(k, option),
				*(const uint64_t *)((const char *)ask + k->at), (uint64_t)k->most,
				e);
	return st;
}

/* As a script's variable without a value gives them. */
static enum st no_empty_name(const struct args *a, struct err *e)
{
	const struct {
		const char *option, *value, *give;
	} names[] = {
		{ "data", a->data, "a file of rows" },
		{ "test", a->test, "a file of rows" },
		{ "layout", a->layout, "a format (int4g128), bits a weight, a run or a file" },
		{ "dial", a->dial, "formats, such as int2g64,int4g128" },
		{ "teacher", a->teacher, "a folder that bitdial teach made" },
		{ "resume", a->resume, "a run (bitdial runs lists them)" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].value && !*names[i].value)
			return err_set(e, ST_INVALID, "--%s: the name is empty: give %s",
				names[i].option, names[i].give);
	return ST_OK;
}

/* The two files of the command taken for each other. */
static enum st no_data_as_layout(const char *path, struct err *e)
{
	struct dataset *data = NULL;
	struct layout l = { 0 };
	enum st st = ST_OK;

	if (!path || !fs_is_file(path))
		return ST_OK;
	if (!layout_read(&l, path, NULL, NULL))
		layout_release(&l);
	else if (!dataset_open(&data, path, 1, NULL))
		st = err_set(e, ST_INVALID,
			"--layout %.100s: this is no layout but data to train on (%s): --data "
			"takes it",
			path, dataset_kind_name(dataset_kind(data)));
	dataset_close(data);
	return st;
}

enum st train_verb_ask(struct train_ask *ask, const struct args *a, struct err *e)
{
	enum st st = no_empty_name(a, e);

	train_ask_init(ask);
	ask->data = a->data;
	ask->test = a->test;
	ask->text = a->text;
	ask->method = a->method;
	ask->layout = a->layout;
	ask->resume = a->resume;
	ask->steps = a->steps;
	ask->window = (size_t)a->window;
	ask->windows = (size_t)a->windows;
	ask->lr = a->lr;
	ask->lr_s = a->lr_s;
	ask->lr_gain = a->lr_gain;
	ask->budget = a->budget;
	ask->rank = (size_t)a->rank;
	ask->held = a->held;
	ask->held_every = a->held_every;
	ask->save_every = a->save_every;
	ask->patience = a->patience;
	if (a->seed >= 0)
		ask->seed = (uint64_t)a->seed;
	ask->all = a->all;
	ask->calibrate = !strcmp(a->verb, "calibrate");
	ask->dial = a->dial;
	ask->teach = a->teach;
	ask->teacher = a->teacher;
	ask->samples = a->samples;
	ask->recompute = a->recompute;
	ask->f32 = a->f32;
	ask->across = a->across;
	ask->lean = a->lean;
	ask->rows = (size_t)a->rows;
	if (!st && a->held >= 1)
		st = err_set(
			e, ST_INVALID, "--held %g: expected a share from 0 to below 1", a->held);
	st = st ? st : too_large("window", a->window, PACK_WINDOW_MAX, e);
	st = st ? st : no_large_count(ask, e);
	return st ? st : no_data_as_layout(a->layout, e);
}

enum st train_verb_how(struct train_how *how, size_t *window, const struct train_method *m,
	const struct train_ask *ask, struct err *e)
{
	struct train_ask as = *ask;

	as.method = m->name;
	train_ask_fill(&as);
	*window = as.window;
	return train_ask_how(how, &as, e);
}

enum st train_verb_dial(const struct train_method *m, const struct args *a, struct err *e)
{
	enum st st;

	if (!a->dial)
		return ST_OK;
	if (!train_packs(m))
		return err_set(e, ST_INVALID,
			"--dial trains packed codes of several formats: %s trains none", m->name);
	if (a->layout)
		return err_set(e, ST_INVALID, "--dial names the formats: leave --layout out");
	st = dial_formats_check(a->dial, e);
	return st ? err_at(e, st, "--dial") : ST_OK;
}

static int list_methods(void)
{
	char rate[24], rate_s[24];

	printf("%-10s %-9s %-9s %s\n", "method", "lr", "lr-s", "what it does");
	for (const struct train_method *m = train_methods; m->name; m++)
		printf("%-10s %-9s %-9s %s\n", m->name,
			m->lr > 0 ? verb_number(rate, 3, m->lr) : "-",
			m->lr_s > 0 ? verb_number(rate_s, 3, m->lr_s) : "-", m->summary);
	printf("\nlr of the methods on packed codes is a share of a level, of the others of a "
	       "weight;\n"
	       "bitdial train MODEL --layout L --dry-run says what each takes.\n");
	return 0;
}

/* What --resume would pass over in silence: an option that is another run's. */
static enum st no_new_run(const struct train_verb *t, struct err *e)
{
	const struct train_key *key = train_ask_of_new(&t->ask);
	const struct args *a = t->a;
	char name[32];
	const char *first = a->layout      ? "layout"
			    : a->formats   ? "formats"
			    : a->quantizer ? "quantizer"
			    : a->seed >= 0 ? "seed"
					   : NULL;

	if (!first && key)
		first = option_of(key, name);
	if (!first)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"--%s goes with a new run: a resumed one knows all but --steps", first);
}

/* A run that goes on knows its model, its layout and all else. */
enum st train_verb_take_up(struct train_verb *t, struct err *e)
{
	const struct run_entry *r = NULL;
	struct runs all = { 0 };
	enum st st = no_new_run(t, e);

	if (!st)
		st = runs_open(&all, &r, t->a->resume, e);
	if (!st && !*r->kind)
		st = err_set(e, ST_INVALID,
			"--resume %s: its run.json does not say what kind of run it is", r->id);
	if (!st && strcmp(r->kind, "train") != 0)
		st = err_set(e, ST_INVALID, "--resume %s: that run is no training but a %s", r->id,
			r->kind);
	if (!st) {
		t->path = train_run_beside(r->path);
		t->path = t->path ? t->path : xstrdup(r->model_path);
		t->layout = r->has_layout ? xprintf("%s/layout.json", r->path) : NULL;
		t->as.layout = t->layout;
	}
	if (!st && !t->as.n_words && !t->as.demo)
		t->as.word[t->as.n_words++] = t->path;
	runs_release(&all);
	return st;
}

/* What can be said before the model is opened. */
static enum st check(struct train_verb *t, struct err *e)
{
	const struct args *a = t->a;
	const struct train_method *m;
	struct dataset *data = NULL;
	enum st st = train_verb_ask(&t->ask, a, e);

	t->as = *a;
	if (!st && a->read_only)
		st = err_set(e, ST_INVALID, "--read-only: a training run writes checkpoints");
	if (st)
		return st;
	if (a->resume)
		return train_verb_take_up(t, e);
	st = train_verb_method(&m, a, e);
	st = st ? st : train_verb_dial(m, a, e);
	if (!st && a->dial) {
		t->layout = train_dial_top(a->dial);
		t->as.layout = t->ask.layout = t->layout;
	}
	if (!st && !a->data)
		st = err_set(e, ST_INVALID,
			"usage: bitdial train MODEL --layout L --data FILE "
			"(share/sft/next-step.jsonl comes "
			"with it)");
	if (!st && !t->as.layout && train_packs(m))
		st = err_set(e, ST_INVALID,
			"usage: bitdial train MODEL --layout L --data FILE; %s trains packed "
			"codes: which "
			"layout, such as int4g128?",
			m->name);
	if (!st && strcmp(a->data, calibrate_self) != 0)
		st = dataset_open(&data, a->data, 0, e);
	dataset_close(data);
	data = NULL;
	if (!st && a->test)
		st = dataset_open(&data, a->test, 0, e);
	dataset_close(data);
	return st;
}

/* ---- done */

static enum st go(struct train_verb *t, struct err *e)
{
	const struct train_seen seen = train_verb_seen(t);
	const struct sink s = { .poll = verb_sink()->poll };
	enum st st;

	train_verb_begins(t);
	t->began = t->told = clock_now();
	st = train_run_go(t->run, &seen, &s, e);
	verb_keeps(train_run_folder(t->run) && st != ST_IO); /* else the last checkpoint is all */
	if (st && train_run_folder(t->run) && !t->a->json)
		verb_note("the last checkpoint, of step %llu, is good: bitdial train --resume %s "
			  "goes on",
			(unsigned long long)train_run_kept(t->run), train_run_id(t->run));
	if (t->a->json || events_on())
		train_verb_json(t, st == ST_CANCELLED ? "stopped" : st ? "failed" : "done");
	else if (!st)
		train_verb_ends(t);
	return st;
}

int verb_train(const struct args *a)
{
	struct train_verb t = { .a = a,
		.first = { .nll = (double)NAN, .kl = (double)NAN },
		.held = (double)NAN,
		.held_se = (double)NAN,
		.kl = (double)NAN };
	struct err e = { 0 };
	enum st st;

	if (a->method && !strcmp(a->method, "help"))
		return list_methods();
	if (a->dry_run)
		return train_verb_plan(a);
	st = check(&t, &e);
	if (!st)
		st = verb_desk(&t.d, &t.as, &e);
	if (!st) {
		t.view = xarray(t.d->m->n_linears + 1, sizeof *t.view);
		st = verb_view(t.d, &t.as, &t.l, t.view, &e);
	}
	if (!st && !t.as.layout) { /* all as in the file */
		struct format keep = { 0 };

		layout_init(&t.l, t.d->m, &keep, 1);
		layout_count(&t.l, t.d->m);
	}
	if (!st)
		st = train_run_new(&t.run, t.d, &t.l, t.view, &t.ask, verb_sink(), &e);
	if (!st)
		st = go(&t, &e);
	train_run_free(t.run);
	layout_release(&t.l);
	xfree(t.view);
	desk_close(t.d);
	xfree(t.path);
	xfree(t.layout);
	if (st == ST_CANCELLED && verb_unread()) { /* its work is more than what it prints */
		verb_note("bitdial: nobody reads the output any more: %s", e.msg);
		return 1;
	}
	return st ? verb_fail(&e) : 0;
}
