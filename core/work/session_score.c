/* session_score.c - what a layout makes of a text or of a task, as a job. */
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/eval/task.h"
#include "core/work/desk_private.h"
#include "core/work/session_private.h"
#include "core/work/tasks.h"

enum { WINDOW = 512 };

struct score_deed {
	struct session *s;
	enum score_of of;
	char *text, *task;
	size_t limit, window;
};

/* The mats of the layout under the dial, [n_linears], xfree. */
static enum st view_of(
	struct score_deed *d, const struct mat ***view, double *bpw, struct job *j, struct err *e)
{
	struct desk *k = d->s->desk;
	double kl, se;
	uint64_t bytes;
	uint8_t *choice;
	enum st st = mix_settle(j, e);

	if (st)
		return st;
	choice = session_choice(d->s, &bytes, &kl, &se);
	if (!choice)
		return err_set(e, ST_INVALID, "there is no layout under the dial yet");
	*bpw = (double)bytes * 8 / (double)k->m->weights;
	*view = xarray(k->m->n_linears + 1, sizeof **view);
	st = desk_view(k, choice, *view, &j->sink, e);
	xfree(choice);
	return st;
}

static enum st score_task(struct score_deed *d, struct snap_score *out,
	const struct mat *const *view, struct job *j, struct err *e)
{
	struct desk *k = d->s->desk;
	int32_t start[8];
	struct task_result r = { 0 };
	struct task t = { 0 };
	char *path;
	enum st st;

	if (!k->tok)
		return err_set(e, k->tok_err.st, "%s", k->tok_err.msg);
	if (!(path = task_path(d->task, e)))
		return ST_INVALID;
	st = task_read(&t, path, d->limit, &j->sink, e);
	desk_start(k, start);
	if (!st)
		st = task_run(&r, &t, k->m, view, k->tok, start[0], &j->sink, e);
	if (!st) {
		out->items = r.items;
		out->right = r.right;
		out->right_norm = r.right_norm;
	}
	task_result_release(&r);
	if (t.form)
		task_release(&t);
	xfree(path);
	return st;
}

static void take(struct snap_score *out, const struct eval_result *r)
{
	out->tokens = r->tokens;
	out->nll = r->nll;
	out->ppl = r->ppl;
	out->kl = r->kl;
	out->se = r->kl_se;
	out->top1 = r->top1;
}

static enum st score_text(struct score_deed *d, struct snap_score *out,
	const struct mat *const *view, struct job *j, struct err *e)
{
	struct desk *k = d->s->desk;
	struct token_text t = { 0 };
	struct tok_ids ids = { 0 };
	struct eval_result r = { 0 };
	struct sink quiet;
	enum st st;

	if (d->text) {
		st = desk_tokens(k, d->text, d->limit, &ids, desk_silent(&j->sink, &quiet), e);
		out->tokens = ids.n;
		if (!st && d->of != SCORE_COUNT)
			st = eval_run(&r, k->m, view, ids.id, ids.n, d->window ? d->window : WINDOW,
				&j->sink, e);
	} else {
		st = desk_measure_text(k, d->limit ? d->limit : DESK_MEASURE_TOKENS, &t,
			desk_silent(&j->sink, &quiet), e);
		if (!st)
			st = eval_run(&r, k->m, view, t.id, t.n_seq * t.len, t.len, &j->sink, e);
	}
	if (!st && (d->of != SCORE_COUNT || !d->text))
		take(out, &r);
	tok_ids_release(&ids);
	token_text_release(&t);
	return st;
}

static enum st work_score(struct job *j, struct err *e)
{
	struct score_deed *d = j->arg;
	struct snap_score *out;
	const struct mat **view = NULL;
	double bpw = (double)NAN;
	enum st st = ST_OK;

	if (!d->s->desk)
		return err_set(e, ST_INVALID, "no model is open (:open PATH)");
	if (d->of == SCORE_LAYOUT)
		st = view_of(d, &view, &bpw, j, e);
	out = snap_score_new();
	out->stored_bpw = bpw;
	if (!st)
		st = d->task ? score_task(d, out, view, j, e) : score_text(d, out, view, j, e);
	if (st)
		snap_unref(&out->snap);
	else
		bus_publish(d->s->bus,
			(struct event){ .kind = EV_SCORE, .key = j->id, .snap = &out->snap });
	xfree(view);
	return st;
}

static void done_score(struct job *j)
{
	struct score_deed *d = j->arg;

	job_failed(d->s, j);
	xfree(d->text);
	xfree(d->task);
	xfree(d);
}

static const struct job_class job_score = { "score", NULL, LANE_MEASURE, work_score, done_score };

enum st session_score(struct session *s, const struct score_ask *a, struct err *e)
{
	struct score_deed *d;

	if (!atomic_load(&s->ready))
		return err_set(e, ST_INVALID, "no model is open yet (:open PATH)");
	d = xalloc(sizeof *d);
	d->s = s;
	d->of = a->of;
	d->text = a->text ? xstrdup(a->text) : NULL;
	d->task = a->task ? xstrdup(a->task) : NULL;
	d->limit = a->limit;
	d->window = a->window;
	jobs_submit(s->jobs, &job_score, d, NULL);
	return ST_OK;
}
