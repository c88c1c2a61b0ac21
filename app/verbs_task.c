/* verbs_task.c - eval --task: questions of multiple choice. */
#include <math.h>
#include <stdio.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/eval/task.h"
#include "core/work/desk.h"
#include "core/work/tasks.h"

/* Each question with what the model thinks of its options. */
static void json_items(struct json_out *o, const struct task *t, const struct task_result *r)
{
	json_open(o, "questions", '[');
	for (size_t i = 0; i < r->items; i++) {
		json_open(o, NULL, '{');
		json_put_i64(o, "line", (int64_t)t->item[i].line);
		json_put_i64(o, "answer", (int64_t)t->item[i].answer);
		json_put_i64(o, "pick", r->pick[i]);
		json_put_i64(o, "pick_norm", r->pick_norm[i]);
		json_open(o, "logp", '[');
		for (size_t k = 0; k < t->item[i].n; k++)
			json_put_f64(o, NULL, (double)r->score[i * TASK_OPTIONS + k]);
		json_close(o, ']');
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void print_task(
	const struct args *a, const struct task *t, const struct task_result *r, double bpw)
{
	double acc = task_share(r->right, r->items), norm = task_share(r->right_norm, r->items);
	double se = task_share_se(r->right, r->items),
	       se_norm = task_share_se(r->right_norm, r->items);
	struct json_out o;

	if (a->json) {
		verb_begin(&o);
		json_put_str(&o, "task", t->name);
		json_put_str(&o, "form", t->form->name);
		json_put_i64(&o, "items", (int64_t)r->items);
		json_put_f64(&o, "acc", acc);
		json_put_f64(&o, "acc_se", se);
		json_put_f64(&o, "acc_norm", norm);
		json_put_f64(&o, "acc_norm_se", se_norm);
		json_put_f64(&o, "stored_bpw", bpw);
		json_items(&o, t, r);
		verb_json(&o);
		return;
	}
	printf("questions   %zu (%s)\n", r->items, t->form->name);
	printf("acc         %.2f ± %.2f %%\n", 100 * acc, 100 * se);
	printf("acc_norm    %.2f ± %.2f %% (by length of the option)\n", 100 * norm, 100 * se_norm);
	if (a->layout)
		printf("stored      %.4f bpw\n", bpw);
}

static enum st run_task(struct desk *d, const struct args *a, const struct task *t, struct err *e)
{
	const struct mat **view = xarray(d->m->n_linears + 1, sizeof *view);
	struct layout l = { 0 };
	struct task_result r = { 0 };
	int32_t start[8];
	enum st st = verb_view(d, a, &l, view, e);

	desk_start(d, start);
	if (!st)
		st = task_run(
			&r, t, d->m, a->layout ? view : NULL, d->tok, start[0], verb_sink(), e);
	if (!st)
		print_task(a, t, &r, a->layout ? layout_stored_bpw(&l) : (double)NAN);
	task_result_release(&r);
	layout_release(&l);
	xfree(view);
	return st;
}

int verb_eval_task(const struct args *a)
{
	struct task t = { 0 };
	struct desk *d = NULL;
	struct err e = { 0 };
	char *path = task_path(a->task, &e);
	enum st st = path ? task_read(&t, path, (size_t)a->limit, verb_sink(), &e) : e.st;
	bool read = !st;

	if (!st)
		st = verb_desk(&d, a, &e);
	if (!st && !d->tok)
		st = err_set(&e, d->tok_err.st, "%s", d->tok_err.msg);
	if (!st)
		st = run_task(d, a, &t, &e);
	if (read)
		task_release(&t);
	desk_close(d);
	xfree(path);
	return st ? verb_fail(&e) : 0;
}
