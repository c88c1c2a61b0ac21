/* session_train_read.c - what an earlier run wrote down step by step, as a history. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/runs.h"
#include "core/work/session_train.h"

enum { FILE_MAX = 64 << 20, COLUMNS = 40 };

enum st train_find_run(struct train_found *out, const char *word, struct err *e)
{
	const struct run_entry *r;
	struct runs all = { 0 };
	enum st st = runs_load(&all, NULL, e);

	*out = (struct train_found){ .folder = NULL };
	if (st)
		return st;
	r = runs_find(&all, word, e);
	if (r && strcmp(r->kind, "train") != 0) {
		st = err_set(e, ST_INVALID, "%s is a %s: name a run of training", word, r->kind);
	} else if (r) {
		*out = (struct train_found){ .folder = xstrdup(r->path),
			.id = xstrdup(r->id),
			.data = xstrdup(r->text ? r->text : ""),
			.curve = { .taught = r->taught, .dial = *r->dial } };
	} else {
		st = ST_INVALID;
	}
	runs_release(&all);
	return st;
}

void train_found_release(struct train_found *f)
{
	xfree(f->folder);
	xfree(f->id);
	xfree(f->data);
	*f = (struct train_found){ .folder = NULL };
}

/* ---- lines of numbers under a line of names */

struct table {
	char *text, *at;
	char name[COLUMNS][24];
	double value[COLUMNS];
	size_t cols;
};

/* The first line names the columns, behind a # or not. */
static enum st open_table(struct table *t, const char *path, struct err *e)
{
	size_t len, n;
	enum st st = fs_read(path, FILE_MAX, &t->text, &len, e);

	if (st)
		return st;
	t->at = t->text + strspn(t->text, "# ");
	while (*t->at && *t->at != '\n' && t->cols < COLUMNS) {
		n = strcspn(t->at, " \t\r\n");
		snprintf(t->name[t->cols++], sizeof t->name[0], "%.*s", (int)(n < 23 ? n : 23),
			t->at);
		t->at += n + strspn(t->at + n, " \t\r");
	}
	t->at += strcspn(t->at, "\n");
	t->at += *t->at == '\n';
	return ST_OK;
}

/* A line that has not its end yet is another's that is still writing it. */
static bool next_line(struct table *t)
{
	char *end = strchr(t->at, '\n'), *from = t->at, *to;
	size_t i = 0;

	if (!end)
		return false;
	*end = 0;
	for (; i < t->cols; i++, from = to) {
		t->value[i] = strtod(from, &to);
		if (to == from)
			break;
	}
	for (; i < t->cols; i++)
		t->value[i] = (double)NAN;
	t->at = end + 1;
	return true;
}

static double of(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->cols; i++)
		if (!strcmp(t->name[i], name))
			return t->value[i];
	return NAN;
}

/* ---- steps */

static void one_step(const struct table *t, struct train_history *h, bool bad)
{
	static const struct {
		enum train_series at;
		const char *name;
	} known[] = { { SERIES_LOSS, "loss" }, { SERIES_LR, "lr" }, { SERIES_LR_S, "lr_s" },
		{ SERIES_GRAD, "grad_norm" }, { SERIES_UPDATE, "update_norm" },
		{ SERIES_RATE, "tok_s" }, { SERIES_MEMORY, "bytes" },
		{ SERIES_SATURATED, "saturated" }, { SERIES_REVERSALS, "reversals" },
		{ SERIES_CHANGED, "changed" } };
	float v[TRAIN_SERIES];
	char name[16];

	for (size_t i = 0; i < TRAIN_SERIES; i++)
		v[i] = NAN;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		v[known[i].at] = (float)of(t, known[i].name);
	for (int b = 1; b <= 8; b++) {
		snprintf(name, sizeof name, "flips%d", b);
		v[SERIES_FLIPS_OF + b - 1] = (float)of(t, name);
	}
	train_history_add(h, v, bad, of(t, "wall_s"));
}

static enum st read_steps(const char *path, uint64_t steps, struct train_history *h,
	double *seconds, const struct sink *sink, struct err *e)
{
	struct table t = { 0 };
	double skipped = 0;
	enum st st = open_table(&t, path, e);

	for (uint64_t step; !st && next_line(&t);) {
		double at = of(&t, "step");

		if (!(at >= 1 && at < 1e15))
			continue;
		step = (uint64_t)at;
		if (steps && step > steps)
			break;
		if (!h->n)
			h->first = step - 1;
		if (step <= train_history_steps(h)) /* written again by a run that went on */
			continue;
		one_step(&t, h, of(&t, "skipped") > skipped);
		skipped = fmax(skipped, of(&t, "skipped"));
		*seconds = fmax(*seconds, of(&t, "wall_s"));
		if (step % 1024 == 0 && sink_poll(sink))
			st = ST_CANCELLED;
	}
	big_free(t.text);
	return st;
}

static void read_looks(const char *folder, uint64_t steps, struct train_look *look, size_t *n)
{
	char *path = xprintf("%s/metrics/held.tsv", folder);
	struct table t = { 0 };

	if (fs_is_file(path) && !open_table(&t, path, NULL))
		while (next_line(&t)) {
			double at = of(&t, "step");

			if (!(at >= 0 && at < 1e15) || (steps && at > (double)steps))
				continue;
			train_look_add(look, n,
				(struct train_look){ .step = (uint64_t)at,
					.at_s = (float)of(&t, "wall_s"),
					.nll = (float)of(&t, "nll"),
					.se = (float)of(&t, "se"),
					.kl = NAN,
					.top1 = NAN,
					.point = { NAN, NAN, NAN, NAN, NAN } });
		}
	big_free(t.text);
	xfree(path);
}

/* Beside the losses of the same steps, which are there already: what a line of the file says. */
static void read_beside(const char *folder, const char *file, struct train_look *look, size_t n,
	void (*put)(struct train_look *to, const struct table *t))
{
	char *path = xprintf("%s/metrics/%s", folder, file);
	struct table t = { 0 };

	if (fs_is_file(path) && !open_table(&t, path, NULL))
		while (next_line(&t))
			for (size_t i = 0; i < n; i++)
				if ((double)look[i].step == of(&t, "step"))
					put(&look[i], &t);
	big_free(t.text);
	xfree(path);
}

static void put_kl(struct train_look *to, const struct table *t)
{
	to->kl = (float)of(t, "kl");
}

/* Of a dial: KL at each budget, whose bits a weight are the columns' names. */
static void put_points(struct train_look *to, const struct table *t)
{
	for (size_t c = 0, p = 0; c < t->cols && p < TRAIN_POINTS; c++)
		if (!strncmp(t->name[c], "kl_", 3))
			to->point[p++] = (float)t->value[c];
}

enum st train_read(const char *folder, uint64_t steps, struct train_history *h,
	struct train_look *look, size_t *n_looks, double *seconds, const struct sink *sink,
	struct err *e)
{
	char *path = xprintf("%s/metrics/train.tsv", folder);
	enum st st;

	*seconds = 0;
	st = fs_is_file(path) ? read_steps(path, steps, h, seconds, sink, e)
			      : err_set(e, ST_INVALID, "%s: no step was written down", folder);
	if (!st)
		read_looks(folder, steps, look, n_looks);
	if (!st) {
		read_beside(folder, "kl.tsv", look, *n_looks, put_kl);
		read_beside(folder, "dial.tsv", look, *n_looks, put_points);
	}
	xfree(path);
	return st;
}
