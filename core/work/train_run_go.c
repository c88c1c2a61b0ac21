/* train_run_go.c - a training run from its first step to its end. */
#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/work/calibrate.h"
#include "core/work/rates.h"
#include "core/work/train_run_private.h"

/* ---- going */

/* A sink that goes on for a while when it is stopped: what a step left half done is of no use, and
 * the steps since the last checkpoint go with it, so its end is worth as long a wait as they took,
 * within limits. */
struct patient {
	struct sink sink;
	const struct sink *under;
	const struct train_seen *seen;
	double began, takes;    /* the step; what the one before took */
	double asked;           /* when it was first stopped; 0: not */
	double saved_at, worth; /* the last checkpoint; seconds, once it was asked */
	bool for_ever;          /* never gives up */
};

static const double worth_least = 4, worth_most = 20, overdue = 4; /* seconds */

static void first_asked(struct patient *p, double now)
{
	double rest = p->began + p->takes - now;

	p->asked = now;
	p->worth = fmin(fmax(now - p->saved_at, worth_least), worth_most);
	if (rest > 1 && rest <= p->worth && p->seen && p->seen->ending)
		p->seen->ending(p->seen->arg, rest);
}

static bool patient_poll(const struct sink *s)
{
	struct patient *p = s->self;
	double now;

	if (!sink_poll(p->under))
		return false;
	now = clock_now();
	if (p->asked <= 0)
		first_asked(p, now);
	return !p->for_ever &&
	       (p->began + p->takes - p->asked > p->worth || now - p->asked > p->worth + overdue);
}

static struct patient patient_of(const struct train_run *r, const struct train_seen *seen,
	const struct sink *under, double takes)
{
	return (struct patient){ .sink = { .poll = patient_poll },
		.under = under,
		.seen = seen,
		.began = clock_now(),
		.saved_at = r->saved_at,
		.takes = takes };
}

static enum st stopped_inside(const struct train_run *r, struct err *e)
{
	if (r->saved_step == UINT64_MAX)
		return err_set(e, ST_CANCELLED,
			"stopped in step %llu, before the first checkpoint: a resumed run begins "
			"anew",
			(unsigned long long)r->far.step + 1);
	return err_set(e, ST_CANCELLED, "stopped in step %llu; step %llu is the last checkpoint",
		(unsigned long long)r->far.step + 1, (unsigned long long)r->saved_step);
}

static enum st failed_inside(const struct train_run *r, enum st st, struct err *e)
{
	struct err why = *e;

	if (r->saved_step == UINT64_MAX)
		return st;
	return err_set(e, st, "%.260s; step %llu is the last checkpoint", why.msg,
		(unsigned long long)r->saved_step);
}

static void count(struct train_run *r, const struct train_report *rep)
{
	static const double keeps = 0.95;
	struct train_so_far *f = &r->far;

	f->step = rep->step;
	f->tokens += rep->tokens;
	f->seconds += rep->seconds;
	f->wall = clock_now() - r->began;
	r->last_step_s = rep->seconds;
	r->broken = rep->skipped;
	if (!rep->skipped) {
		f->ema = keeps * f->ema + (1 - keeps) * rep->loss;
		f->ema_weight = keeps * f->ema_weight + (1 - keeps);
	}
	if (rep->codes && !r->how.tune.lean) /* else nobody keeps it */
		f->changed = (double)rep->changed / (double)rep->codes;
}

static enum st step(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	struct patient wait = patient_of(r, seen, s, r->last_step_s);
	struct train_report rep = { 0 };
	enum st st;

	wait.sink.self = &wait;
	st = train_step(r->t, &rep, &wait.sink, e);
	if (st == ST_CANCELLED)
		return stopped_inside(r, e);
	if (st)
		return failed_inside(r, st, e);
	count(r, &rep);
	train_run_line_step(r, &rep);
	if (seen->step)
		seen->step(seen->arg, &rep);
	return ST_OK;
}

/* Of a look: all of a run are of the same windows, so that the last one can be held against the
 * first.  Of a dial each budget is looked at. */
static size_t look_windows(const struct train_run *r)
{
	return r->dial ? TRAIN_LOOK_DIAL : TRAIN_LOOK;
}

/* Each budget of a dial; what is told is their mean, of standard errors too: all are of the same
 * windows, so that their errors go together. */
static enum st look_points(struct train_run *r, struct pack *pack, size_t windows,
	struct train_ref *ref, const struct sink *s, struct train_eval *v, struct err *e)
{
	struct train_eval mean = { 0 };
	enum st st = ST_OK;

	for (size_t p = 0; !st && p < r->dial->points; p++) {
		train_eval_release(v);
		st = train_eval(v, r->d->m, NULL, train_take_forms(r->t, r->dial->point[p].form),
			pack, windows, ref, r->how.math, s, e);
		if (pack == r->pack) {
			r->dial->point[p].kl = st ? (double)NAN : v->kl;
			r->dial->point[p].tokens = st ? 0 : (uint32_t)v->labelled;
		}
		mean.nll += st ? 0 : v->nll / (double)r->dial->points;
		mean.nll_se += st ? 0 : v->nll_se / (double)r->dial->points;
		mean.kl += st ? 0 : v->kl / (double)r->dial->points;
		mean.top1 += st ? 0 : v->top1 / (double)r->dial->points;
	}
	v->nll = mean.nll;
	v->nll_se = mean.nll_se;
	v->kl = mean.kl;
	v->top1 = mean.top1;
	return st;
}

/* The pack of one layout, by the weights as they are now; windows 0: all. */
static enum st look_at(struct train_run *r, struct pack *p, size_t windows, struct train_ref *ref,
	struct train_eval *v, const struct sink *s, struct err *e)
{
	struct train_copy *c = train_copy_none(r->t);
	enum st st = train_eval(v, r->d->m, c, r->view, p, windows, ref, r->how.math, s, e);

	train_copy_free(c);
	return st;
}

/* What is held out, as the weights are now. */
static enum st look(struct train_run *r, const struct train_seen *seen, const struct sink *s,
	struct train_eval *v, struct err *e)
{
	struct train_so_far *f = &r->far;
	enum st st;

	*v = (struct train_eval){ .nll = (double)NAN, .kl = (double)NAN };
	if (!pack_counts(r->pack)->held_labelled)
		return ST_OK;
	r->ref.keep = look_windows(r);
	st = r->dial ? look_points(r, r->pack, r->ref.keep, &r->ref, s, v, e)
		     : look_at(r, r->pack, r->ref.keep, &r->ref, v, s, e);
	if (st)
		return st;
	f->look_step = f->step;
	f->look_nll = v->nll;
	f->look_kl = v->kl;
	f->wall = clock_now() - r->began;
	train_run_line_held(r, v);
	if (seen->held)
		seen->held(seen->arg, f->step, v);
	return ST_OK;
}

static enum st look_once(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	struct train_so_far *f = &r->far;
	struct train_eval v;
	enum st st;

	if (f->look_step == f->step)
		return ST_OK;
	st = look(r, seen, s, &v, e);
	train_eval_release(&v);
	if (!st && r->ask.patience)
		f->waited = train_run_is_best(r) ? 0 : f->waited + 1;
	return st;
}

static bool saves_here(const struct train_run *r)
{
	return r->far.step == r->far.steps || r->far.step % r->ask.save_every == 0;
}

static bool looks_here(const struct train_run *r)
{
	return saves_here(r) || r->far.step % r->ask.held_every == 0;
}

static enum st not_kept(const struct train_run *r, struct err *e)
{
	if (r->saved_step == UINT64_MAX)
		return err_set(e, ST_INVALID, "the loss of this step is no number");
	return err_set(e, ST_INVALID,
		"the loss of this step is no number; step %llu is the last one",
		(unsigned long long)r->saved_step);
}

/* A failure is said, and the run goes on: the last good checkpoint stands, the next try may
 * succeed. */
void train_run_keep(struct train_run *r, const struct train_seen *seen, const struct sink *s)
{
	struct patient wait = patient_of(r, NULL, s, 0);
	enum st before = r->save_st;
	struct err e = { 0 };

	wait.sink.self = &wait;
	wait.for_ever = true;
	if (r->broken) /* these weights may be why: the checkpoint before them stays the last */
		r->save_st = not_kept(r, &e);
	else
		r->save_st = train_run_save(r, &wait.sink, &e);
	r->save_err = e;
	r->saved_at = clock_now();
	if (r->save_st) {
		if (r->save_st != before) /* a disk stays full for long */
			log_at(LOG_WARN, "train",
				"no checkpoint at step %llu: %s; the run goes on, and tries again",
				(unsigned long long)r->far.step, e.msg);
		if (r->run && run_event(r->run, "not saved", e.msg, &e)) {
			/* the disk is full: that was said */
		}
		return;
	}
	if (before)
		log_at(LOG_INFO, "train", "step %llu: a checkpoint again",
			(unsigned long long)r->far.step);
	if (seen->saved)
		seen->saved(seen->arg, r->far.step, r->folder);
}

/* Between two steps.  ST_CANCELLED: it was stopped, with a checkpoint. */
static enum st between(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	static const double save_seconds = 600;
	const struct train_so_far *f = &r->far;
	bool asked = seen->between && seen->between(seen->arg, r->t);
	bool late = clock_now() - r->saved_at > save_seconds, stop = sink_poll(s), kept;
	enum st st = ST_OK;

	/* The clock adds no look to those that are counted: a run ends at one step anywhere. */
	if (!stop && (looks_here(r) || (late && !r->ask.patience)))
		st = look_once(r, seen, s, e);
	stop |= st == ST_CANCELLED;
	if (st && !stop)
		return st;
	kept = r->ask.patience && (train_run_is_best(r) || train_run_is_over(r));
	if (asked || saves_here(r) || late || stop || kept)
		train_run_keep(r, seen, s);
	if (!stop)
		return ST_OK;
	if (r->broken && r->saved_step != UINT64_MAX)
		return err_set(e, ST_CANCELLED,
			"stopped at step %llu, whose loss is no number; step %llu is the last "
			"checkpoint",
			(unsigned long long)f->step, (unsigned long long)r->saved_step);
	if (r->save_st)
		return err_set(e, ST_IO,
			"stopped at step %llu, and its checkpoint could not be written: %.200s",
			(unsigned long long)f->step, r->save_err.msg);
	return err_set(e, ST_CANCELLED, "stopped at step %llu", (unsigned long long)f->step);
}

/* Before the first step, and behind a checkpoint whose look a stop left out. */
static enum st first_look(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	const struct train_so_far *f = &r->far;
	bool was = f->look_step == f->step;
	enum st st = looks_here(r) ? look_once(r, seen, s, e) : ST_OK;
	/* what it begins from may be gone once it is resumed */
	bool lost = *r->worn && r->saved_step == UINT64_MAX;

	if (!st && (lost || (!was && f->look_step == f->step && (f->step || r->ask.patience))))
		train_run_keep(r, seen, s);
	return st;
}

/* ---- the end */

static enum st measure_test(struct train_run *r, const struct sink *s, struct err *e)
{
	struct train_eval v = { 0 };
	enum st st;

	if (!r->test)
		return ST_OK;
	st = look_at(r, r->test, 0, NULL, &v, s, e);
	if (!st) {
		train_run_line_test(r, &v);
		run_number(r->run, "test_nll", v.nll);
		run_number(r->run, "test_se", v.nll_se);
	}
	train_eval_release(&v);
	return st;
}

enum { TEXT_WINDOWS = 32 }; /* 8,192 tokens of what is not trained on: what is forgotten */

static enum st measure_text(struct train_run *r, const struct sink *s, struct err *e)
{
	struct train_ref ref = { .keep = r->dial ? TRAIN_LOOK
						 : 0 }; /* five budgets: fewer windows */
	struct train_eval v = { 0 };
	enum st st;

	if (!r->text)
		return ST_OK;
	st = r->dial ? look_points(r, r->text, ref.keep, &ref, s, &v, e)
		     : look_at(r, r->text, TEXT_WINDOWS, &ref, &v, s, e);
	train_ref_release(&ref, r->d->m->be);
	if (!st) {
		run_number(r->run, "text_nll", v.nll);
		run_number(r->run, "text_kl", v.kl);
	}
	train_eval_release(&v);
	return st;
}

enum { WIDE_WINDOWS = 256 }; /* minutes of a small model, where a look is seconds */

/* Of what is held out far more than a look takes, where there is more: the smaller error for who
 * compares runs.  It is no look: those before were of fewer windows. */
static enum st measure_wide(struct train_run *r, const struct sink *s, struct err *e)
{
	struct train_ref ref = { 0 };
	struct pack_batch b = { 0 };
	struct train_eval v = { 0 };
	size_t at = 0;
	enum st st = r->dial ? ST_OK : pack_held(r->pack, &at, TRAIN_LOOK + 1, &b, e);
	bool more = b.n_windows > TRAIN_LOOK;

	pack_batch_release(&b);
	if (st || !more)
		return st;
	st = look_at(r, r->pack, WIDE_WINDOWS, &ref, &v, s, e);
	if (!st) {
		run_number(r->run, "held_wide_nll", v.nll);
		run_number(r->run, "held_wide_se", v.nll_se);
		run_number(r->run, "held_wide_kl", v.kl);
		run_number(r->run, "held_wide_sequences", (double)v.sequences);
	}
	train_ref_release(&ref, r->d->m->be);
	train_eval_release(&v);
	return st;
}

static enum st measure(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	const struct train_so_far *f = &r->far;
	enum st st = look_once(r, seen, s, e);

	if (!st && f->look_step == f->step) {
		run_number(r->run, "held_nll", f->look_nll);
		run_number(r->run, "held_kl", f->look_kl);
	}
	if (!st)
		st = measure_wide(r, s, e);
	if (!st)
		st = measure_test(r, s, e);
	return st ? st : measure_text(r, s, e);
}

static void numbers(struct train_run *r)
{
	const struct train_so_far *f = &r->far;

	run_number(r->run, "steps", (double)f->step);
	run_number(r->run, "tokens", (double)f->tokens);
	run_number(r->run, "loss", train_run_ema(r));
	if (f->step)
		run_number(r->run, "seconds_a_step", f->seconds / (double)f->step);
	run_number(r->run, "changed", f->changed);
	run_number(r->run, "peak_bytes", f->peak);
	run_number(r->run, "train_bytes", (double)train_bytes(r->t));
	if (r->how.method->what == TRAIN_ADAPTERS)
		run_number(r->run, "adapter_bytes", (double)r->need.adapters);
	if (!r->dial)
		run_number(r->run, "stored_bpw", layout_stored_bpw(r->l));
	if (!isnan(f->best_nll)) {
		run_number(r->run, "best_step", (double)f->best_step);
		run_number(r->run, r->how.teach ? "best_kl" : "best_nll", f->best_nll);
	}
}

static enum st end(struct train_run *r, enum st st, struct err *e)
{
	char *say, *early;

	if (!st && r->save_st && !(r->broken && train_run_is_over(r)))
		st = err_set(e, ST_IO,
			"all %llu steps are done, but the last checkpoint could not be written: "
			"%.200s",
			(unsigned long long)r->far.step, r->save_err.msg);
	r->far.peak = fmax(r->far.peak, (double)train_run_peak());
	numbers(r);
	rates_learn("train", r->d->m->weights,
		calibrate_units(r->d->m->weights, &r->ask, (double)r->far.tokens), r->far.seconds);
	if (st)
		say = xstrdup(e->msg);
	else if (isnan(r->far.look_nll))
		say = xprintf("%s, %llu steps, loss %.4f", r->ask.method,
			(unsigned long long)r->far.step, train_run_ema(r));
	else /* under a teacher the loss is KL, too */
		say = xprintf("%s, %llu steps, loss %.4f, %s %.4f", r->ask.method,
			(unsigned long long)r->far.step, train_run_ema(r),
			r->how.teach ? "held-out KL" : "held out",
			r->how.teach ? r->far.look_kl : r->far.look_nll);
	early = st ? NULL : train_run_early(r);
	if (early) {
		char *both = xprintf("%s; %s", say, early);

		xfree(say);
		say = both;
		log_at(LOG_INFO, "train", "%s %s", r->id, early);
	}
	run_end(r->run, st, say);
	r->run = NULL;
	xfree(early);
	xfree(say);
	return st;
}

enum st train_run_go(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e)
{
	static const struct train_seen nobody = { 0 };
	enum st st = ST_OK;

	seen = seen ? seen : &nobody;
	if (!r->run)
		return err_set(e, ST_INVALID, "this run has ended: resume it");
	st = first_look(r, seen, s, e);
	while (!st && r->far.step < r->far.steps && !train_run_is_over(r)) {
		st = step(r, seen, s, e);
		if (!st)
			st = between(r, seen, s, e);
		sink_progress(s, (double)r->far.step, (double)r->far.steps);
	}
	if (!st)
		st = measure(r, seen, s, e);
	return end(r, st, e);
}

/* ---- held between two steps */

void train_run_held_for(struct train_run *r, double seconds)
{
	r->began += seconds;
	r->saved_at = fmin(r->saved_at + seconds, clock_now()); /* saved meanwhile, maybe */
}
