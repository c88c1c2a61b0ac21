/* train_run.c - what is asked of a training run, and all that is looked at before its start. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/tune/teacher.h"
#include "core/work/calibrate.h"
#include "core/work/run_desk.h"
#include "core/work/train_data.h"
#include "core/work/train_run_private.h"

/* ---- the ask */

/* Good from another folder, too. */
static void make_real(const char **path)
{
	char *real = *path ? fs_real(*path) : NULL;

	xfree((char *)*path);
	*path = real;
}

/* What was left open, filled in; strings copied. */
static void take_ask(struct train_ask *to, const struct train_ask *from)
{
	*to = train_ask_copy(from);
	if (to->data && strcmp(to->data, calibrate_self) != 0) /* no path, whatever lies here */
		make_real(&to->data);
	make_real(&to->test);
	make_real(&to->text);
	make_real(&to->teacher);
	if (!to->method)
		to->method = xstrdup("rank");
	train_ask_fill(to);
}

/* What the method does not read is another method's: a run by it would not be what was asked for.
 */
static enum st takes(const struct train_method *m, const struct train_ask *a, struct err *e)
{
	const bool rank = !strcmp(m->optimizer, "rank"), codes = m->what == TRAIN_CODES;
	const bool galore = !strcmp(m->optimizer, "galore"), stats = !strcmp(m->optimizer, "stats");
	const struct {
		bool said, taken;
		const char *why;
	} option[] = {
		{ a->rank, m->rank || galore,
			"a rank is of adapters (lora, qlora), galore and galore-fp: %s has none" },
		{ !isnan(a->budget), rank, "a budget of codes is of rank: %s has none" },
		{ a->across, rank,
			"across is of rank, one threshold for all matrices: %s has none" },
		{ a->lean, codes && !stats,
			"lean saves what a method on packed codes keeps beside them: %s has "
			"nothing "
			"that it could leave out" },
		{ !isnan(a->lr), m->lr > 0,
			rank ? "lr is not of %s, whose share of codes a step is its budget; lr_s "
			       "is of "
			       "scales and offsets"
			     : "lr is not of %s, which moves no weight; lr_s is of scales and "
			       "offsets" },
		{ !isnan(a->lr_s) && a->lr_s > 0, m->lr_s > 0,
			"lr_s is of scales and offsets, which %s does not train" },
		{ !isnan(a->lr_gain) && a->lr_gain > 0, m->lr_gain > 0,
			"lr_gain is of the norms, which %s does not train" },
	};

	for (size_t i = 0; i < sizeof option / sizeof *option; i++)
		if (option[i].said && !option[i].taken)
			return err_set(e, ST_INVALID, option[i].why, m->name);
	return ST_OK;
}

enum st train_ask_how(struct train_how *how, const struct train_ask *a, struct err *e)
{
	const struct train_method *m = train_method_find(a->method ? a->method : "rank");
	enum st st;

	if (!m)
		return err_set(e, ST_INVALID,
			"%.40s is no method of training: bitdial help train names them", a->method);
	if ((st = takes(m, a, e)))
		return st;
	train_how_init(how, m);
	how->tune.seed = a->seed;
	how->tune.across = a->across;
	how->tune.lean = a->lean;
	if (a->steps)
		train_how_steps(how, a->steps);
	if (a->windows)
		how->windows = a->windows;
	if (!isnan(a->lr))
		how->tune.lr = a->lr;
	if (!isnan(a->lr_s))
		how->tune.lr_s = a->lr_s;
	if (!isnan(a->lr_gain))
		how->lr_gain = a->lr_gain;
	if (!isnan(a->budget) && !(a->budget > 0 && a->budget <= 1))
		return err_set(e, ST_INVALID,
			"a budget of %g of the codes a step: expected a share above 0, at most 1",
			a->budget);
	if (!isnan(a->budget))
		how->tune.from = a->budget;
	if (a->rank)
		how->tune.rank = a->rank;
	if (a->recompute)
		how->keep = BACK_INPUTS;
	if (a->f32)
		how->math = MATH_F32;
	how->teach = a->teach || a->teacher;
	how->said = a->teacher;
	if (a->dial && a->lr_gain > 0)
		return err_set(e, ST_INVALID,
			"a dial leaves the norms' gains as they are, which its formats share with "
			"the "
			"model: leave a rate of them out, or train one layout");
	if (a->dial) /* there is one of each, for formats and the file alike */
		how->lr_gain = 0;
	return ST_OK;
}

static enum st check_ask(const struct train_run *r, struct err *e)
{
	const struct train_ask *a = &r->ask;
	const struct train_method *m = train_method_find(a->method);

	if (a->dial && m && !train_packs(m))
		return err_set(e, ST_INVALID,
			"a dial is of packed codes of several formats: %s trains none, take flips, "
			"latent "
			"or stats",
			m->name);

	if (!a->data)
		return err_set(e, ST_INVALID,
			"no data to train on: name a file of rows (Alpaca JSON, JSON lines, or a "
			"text)");
	if (!(a->held >= 0 && a->held < 1))
		return err_set(
			e, ST_INVALID, "%g of the rows held out: expected 0 to below 1", a->held);
	return ST_OK;
}

/* ---- made */

static void so_far_init(struct train_so_far *f, uint64_t steps)
{
	*f = (struct train_so_far){ .steps = steps,
		.best_nll = (double)NAN,
		.look_step = UINT64_MAX,
		.look_nll = (double)NAN,
		.look_kl = (double)NAN,
		.changed = (double)NAN };
}

/* With the quantizers that made what it begins from, so that a resumed run begins from the same. */
static enum st write_layout(const struct train_run *r, struct err *e)
{
	const struct variant_set *set = &r->d->set;
	struct layout l;
	enum st st;

	layout_copy(&l, r->l);
	for (size_t i = 0; i < l.n; i++)
		for (size_t f = 0; f < set->k; f++)
			if (r->view[i] == &variant_at(set, i, f)->mat)
				l.by[i] = desk_made_by(r->d, i, f);
	*l.calibrated = '\0'; /* it resumes from a checkpoint: r->worn */
	st = run_layout(r->run, &l, e);
	layout_release(&l);
	return st;
}

static enum st begin_folder(struct train_run *r, struct err *e)
{
	struct run_info info = run_info_of(r->d, "train");
	const char *named = r->ask.dial ? r->ask.dial : r->ask.layout;
	char *options = xprintf("%s, %llu steps of %zu x %zu tokens%s%s", r->ask.method,
		(unsigned long long)r->ask.steps, r->ask.windows, r->ask.window,
		!named        ? ""
		: r->ask.dial ? ", dial "
			      : ", layout ",
		named ? named : "");
	char *metrics;
	enum st st;

	info.text = r->ask.data;
	info.options = r->ask.name ? r->ask.name : options;
	info.seed = r->ask.seed;
	if (!r->ask.layout) /* of a verb its own words make it again */
		info.again_not = "its layout was under the dial: bitdial train MODEL --layout FILE "
				 "takes one from a file";
	info.put = train_run_put;
	info.put_arg = r;
	st = run_new(&r->run, &info, e);
	xfree(options);
	if (st) {
		r->run = NULL;
		return st;
	}
	r->path = xstrdup(run_path(r->run));
	r->id = xstrdup(run_id(r->run));
	st = write_layout(r, e);
	metrics = xprintf("%s/metrics", r->path);
	if (!st)
		st = fs_mkdirs(metrics, e);
	xfree(metrics);
	return st;
}

/* Of a run that is gone on with, all but steps is its own. */
static enum st take_resumed(struct train_run *r, const struct train_ask *ask, struct err *e)
{
	uint64_t steps;
	char *early;
	bool there;
	enum st st = train_run_find(&r->path, ask->resume, e);

	if (!st)
		st = train_run_asked(r, r->path, e);
	r->ask.resume = xstrdup(ask->resume);
	if (!st)
		st = train_run_last(r, &there, e);
	if (st)
		return st;
	if (!there && *r->worn)
		return err_set(e, ST_INVALID,
			"%s began from what another calibration made, and was cut short before its "
			"first "
			"checkpoint: begin a new run",
			ask->resume);
	if (!there)
		so_far_init(&r->far, r->ask.steps);
	steps = ask->steps ? ask->steps : r->far.steps;
	if (r->far.step > steps)
		return err_set(e, ST_INVALID,
			"%s: %llu steps are done already, %llu were asked for", ask->resume,
			(unsigned long long)r->far.step, (unsigned long long)steps);
	if (r->far.step == steps && train_run_finished(r->path))
		return err_set(e, ST_INVALID,
			"%s: its %llu steps are done: name more steps to go on", ask->resume,
			(unsigned long long)steps);
	r->steps = steps;
	early = train_run_finished(r->path) ? train_run_early(r) : NULL;
	if (early && !ask->steps)
		st = err_set(e, ST_INVALID,
			"%s %s: name the steps of the whole run to go on all the same", ask->resume,
			early);
	r->anew = early;
	xfree(early);
	return st;
}

static enum st go_on_folder(struct train_run *r, struct err *e)
{
	char *metrics = xprintf("%s/metrics", r->path), text[64];
	enum st st = run_again(&r->run, r->path, e);
	uint64_t step = r->far.step;
	bool there;

	if (st)
		r->run = NULL;
	else
		st = train_run_last(r, &there, e); /* now that nobody else writes it */
	if (!st && r->far.step != step)
		st = err_set(e, ST_INVALID, "%s went on meanwhile: try again", r->ask.resume);
	if (!st) {
		r->id = xstrdup(run_id(r->run));
		run_took(r->run, r->far.wall);
		train_run_prune(r);
		fs_sweep(r->path);
		fs_sweep(metrics);
		snprintf(text, sizeof text, "behind step %llu", (unsigned long long)r->far.step);
		st = fs_mkdirs(metrics, e);
		if (!st)
			st = train_run_cut(r, e);
		if (!st)
			st = run_event(r->run, "resumed", text, e);
	}
	xfree(metrics);
	return st;
}

/* A teacher: the reference, or what it said once. */
static enum st hire(struct train_run *r, const struct sink *s, struct err *e)
{
	const struct model *m = r->d->m;
	size_t rows = r->ask.windows * r->ask.window;
	char sha[65];
	enum st st;

	if (!r->ask.teacher)
		return teacher_live(&r->teacher, m, rows, e);
	st = train_data_said(r->ask.teacher, &r->ask, r->pack, r->data_sha, e);
	if (!st)
		st = train_data_model(sha, r->d, s, e);
	if (!st)
		st = teach_open(&r->said, r->ask.teacher, m, r->pack, sha, s, e);
	return st ? st : teacher_cached(&r->teacher, m, r->said, rows, e);
}

static enum st make(
	struct train_run *r, const struct train_ask *ask, const struct sink *s, struct err *e)
{
	struct train_from from = { .view = r->view, .forms = 1 };
	enum st st = ST_OK;

	if (ask->resume) {
		st = take_resumed(r, ask, e);
	} else {
		take_ask(&r->ask, ask);
		so_far_init(&r->far, r->ask.steps);
		r->steps = r->ask.steps;
		if (r->d->dial.dir) {
			snprintf(r->worn, sizeof r->worn, "%s", r->d->dial.tag);
			snprintf(r->worn_of, sizeof r->worn_of, "%s", r->d->dial.id);
		}
	}
	if (!st)
		st = check_ask(r, e);
	if (!st)
		st = train_ask_how(&r->how, &r->ask, e);
	r->how.tune.steps = r->far.steps; /* as the last checkpoint has it */
	if (!st)
		st = train_run_read(r, s, e);
	if (!st && ask->resume)
		st = train_run_same(r, r->path, e);
	if (st)
		return st;
	if (r->ask.dial)
		st = train_dial_open(&r->dial, r->d, r->ask.dial, r->ask.seed, s, e);
	/* what joined the desk moved its variants */
	if (r->dial)
		r->view = r->dial->view + (r->dial->forms - 1) * r->d->m->n_linears;
	if (!st)
		st = train_run_fits(r, e);
	from.frozen = r->frozen;
	if (r->dial) {
		from.view = r->dial->view;
		from.forms = r->dial->forms;
		from.draw = dial_draw;
		from.arg = &r->dial->draw;
	}
	if (!st && r->how.teach)
		st = hire(r, s, e);
	from.teacher = r->teacher;
	if (!st)
		st = train_new(&r->t, r->d->m, &from, &r->how, r->pack, s, e);
	/* What cannot go on leaves the record of what was done as it is. */
	if (!st && ask->resume) {
		st = train_run_load(r, e);
		if (!st)
			st = train_run_room(r, r->saved_step == UINT64_MAX ? 2 : 1, e);
		if (!st)
			st = go_on_folder(r, e);
	} else if (!st) {
		st = begin_folder(r, e);
	}
	if (!st && r->steps != r->far.steps) {
		train_extend(r->t, r->steps);
		r->far.steps = r->steps;
	}
	if (r->anew)
		r->far.waited = 0;
	return st || ask->resume ? st : train_run_room(r, 2, e);
}

static struct train_run *blank(void)
{
	struct train_run *r = xalloc(sizeof *r);

	r->saved_step = UINT64_MAX;
	so_far_init(&r->far, 0);
	return r;
}

enum st train_run_peek(struct train_run **out, const struct train_ask *ask, struct err *e)
{
	struct train_run *r = blank();
	enum st st = take_resumed(r, ask, e);

	r->ask.steps = r->steps;
	if (st) {
		train_run_free(r);
		r = NULL;
	}
	*out = r;
	return st;
}

enum st train_run_new(struct train_run **out, struct desk *d, const struct layout *l,
	const struct mat *const *view, const struct train_ask *ask, const struct sink *s,
	struct err *e)
{
	struct train_run *r = blank();
	enum st st;

	r->d = d;
	r->l = l;
	r->view = view;
	st = make(r, ask, s, e);
	if (!st) {
		r->began = clock_now() - r->far.wall;
		r->saved_at = clock_now();
		*out = r;
		return ST_OK;
	}
	/* A folder in which nothing happened is of no use to anybody. */
	if (r->run && !ask->resume) {
		run_end(r->run, st, e->msg);
		r->run = NULL;
		(void)!fs_remove_tree(r->path, NULL);
	}
	train_run_free(r);
	*out = NULL;
	return st;
}

void train_run_free(struct train_run *r)
{
	if (!r)
		return;
	if (r->run) /* nobody said how it ended */
		run_end(r->run, ST_CANCELLED, "stopped");
	if (r->d)
		train_ref_release(&r->ref, r->d->m->be);
	train_free(r->t);
	teacher_free(r->teacher);
	train_dial_free(r->dial);
	teach_close(r->said);
	pack_free(r->pack);
	pack_free(r->test);
	pack_free(r->text);
	layout_release(&r->written);
	train_ask_release(&r->ask);
	xfree(r->frozen);
	xfree(r->path);
	xfree(r->id);
	xfree(r->folder);
	xfree(r);
}

struct train *train_run_train(struct train_run *r)
{
	return r->t;
}
uint64_t train_run_done(const struct train_run *r)
{
	return r->far.step;
}
uint64_t train_run_kept(const struct train_run *r)
{
	return r->saved_step;
}
const char *train_run_id(const struct train_run *r)
{
	return r->id;
}
const char *train_run_folder(const struct train_run *r)
{
	return r->folder;
}
uint64_t train_run_best(const struct train_run *r)
{
	return isnan(r->far.best_nll) ? r->saved_step : r->far.best_step;
}
