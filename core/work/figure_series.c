/* figure_series.c - curves out of files of numbers: what runs wrote down step by step.
 *
 * The files may be of another process, still being written: a last line without its end is left
 * for the next time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/figure.h"
#include "core/work/runs.h"

enum { FILE_MAX = 256 << 20, POINTS = 20000 /* of a curve: more no picture can show */ };

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && !strcmp(s + n - k, tail);
}

enum { LAST = -1, NONE = -2 };

/* Which of the names in a file's first line, behind its #, is `name`; NONE. */
static int column_named(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (*line++ != '#')
		return NONE;
	for (int n = 0; *(line += strspn(line, " \t\r")); n++) {
		size_t word = strcspn(line, " \t\r");

		if (word == len && !strncmp(line, name, len))
			return n;
		line += word;
	}
	return NONE;
}

/* x and y of a line: its first number and that of a column; false: there are not two. */
static bool two_numbers(char *line, int column, double *x, double *y)
{
	char *end;
	int n = 0;

	for (char *at = line; *at; at = end) {
		double v = strtod(at, &end);

		if (end == at)
			return false;
		if (!n)
			*x = v;
		if (column == LAST || n == column)
			*y = v;
		n++;
		end += strspn(end, " \t\r");
	}
	return n >= 2 && n > column;
}

struct rows {
	double *x, *y;
	size_t n, cap;
};

static enum st read_rows(
	struct rows *r, const char *path, int column, const struct sink *s, struct err *e)
{
	char *text, *next;
	size_t len, line = 0;
	enum st st = fs_read(path, FILE_MAX, &text, &len, e);

	if (st)
		return st;
	for (char *at = text; !st && (next = strchr(at, '\n')); at = next + 1) {
		double x = 0, y = 0;

		*next = '\0';
		line++;
		if (line % 4096 == 0 && sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
		if (*at == '#' || !at[strspn(at, " \t\r")])
			continue;
		if (!st && !two_numbers(at, column, &x, &y))
			st = err_set(e, ST_FORMAT,
				"%s: line %zu: expected numbers with a tab between", path, line);
		if (r->n == r->cap) {
			r->cap = r->cap ? 2 * r->cap : 1024;
			r->x = xrealloc(r->x, r->cap * sizeof *r->x);
			r->y = xrealloc(r->y, r->cap * sizeof *r->y);
		}
		r->x[r->n] = x;
		r->y[r->n++] = y;
	}
	big_free(text);
	return st;
}

static enum st add_file(struct figure *f, const char *path, int column, const char *label,
	const struct sink *s, struct err *e)
{
	struct rows r = { 0 };
	enum st st = read_rows(&r, path, column, s, e);
	size_t by = r.n / POINTS + 1, n = (r.n + by - 1) / by;
	char *name = by > 1 ? xprintf("%s (every %zu steps)", label, by) : xstrdup(label);
	struct plot_series *line = st ? NULL : figure_series(f, name, n, false);

	if (!st && !line)
		st = err_set(
			e, ST_INVALID, "plot: more than %d curves; name fewer runs", PLOT_SERIES);
	for (size_t i = 0; line && i < n; i++)
		figure_point(line, i, r.x[i * by], r.y[i * by], 0);
	for (size_t i = 0; line && i < r.n; i++) {
		struct figure_value v[] = { { label, 0 }, { NULL, r.x[i] }, { NULL, r.y[i] } };

		figure_row(f, v);
	}
	xfree(name);
	xfree(r.x);
	xfree(r.y);
	return st;
}

/* ---- a run: the files of its metrics/ */

/* Which column of a file is drawn, by the names in its first line: `metric`; where nothing was
 * asked for, what is in nats a token, else the last. */
static int column_of(const char *path, const char *metric, const char **name)
{
	static const char *const nats[] = { "loss", "nll" };
	char first[1024];
	FILE *in = fopen(path, "r");
	int column = NONE;

	if (!in || !fgets(first, sizeof first, in))
		first[0] = '\0';
	if (in)
		fclose(in);
	first[strcspn(first, "\n")] = '\0';
	*name = metric;
	if (metric)
		return column_named(first, metric);
	for (size_t i = 0; column == NONE && i < sizeof nats / sizeof *nats; i++) {
		*name = nats[i];
		column = column_named(first, nats[i]);
	}
	if (column == NONE) {
		*name = NULL;
		return LAST;
	}
	return column;
}

/* One file, "train.tsv"; *drawn: it has that column. */
static enum st add_metrics(struct figure *f, const char *dir, const char *file, const char *id,
	const char *metric, bool *drawn, const struct sink *s, struct err *e)
{
	char *path = xprintf("%s/%s", dir, file), *label;
	size_t n = strlen(file) - 4;
	const char *name;
	int column;
	enum st st = ST_OK;

	if (metric && strlen(metric) == n && !strncmp(file, metric, n)) {
		column = LAST;
		name = NULL;
	} else {
		column = column_of(path, metric, &name);
	}
	label = xprintf("%s %.*s%s%s", id, (int)n, file, name ? " " : "", name ? name : "");
	if (column != NONE)
		st = add_file(f, path, column, label, s, e);
	*drawn |= !st && column != NONE;
	xfree(label);
	xfree(path);
	return st;
}

/* What a run measured step by step: metrics/METRIC.tsv, or that column of whatever has one; without
 * a metric its loss, else all. */
static enum st add_run(struct figure *f, const struct run_entry *run, const char *metric,
	const struct sink *s, struct err *e)
{
	char *dir = xprintf("%s/metrics", run->path), **name = NULL;
	char *one = xprintf("%s.tsv", metric ? metric : "loss");
	char *path = xprintf("%s/%s", dir, one);
	bool only = fs_is_file(path), drawn = false;
	size_t n = 0;
	enum st st = ST_OK;

	if (fs_is_dir(dir))
		st = fs_list(dir, &name, &n, e);
	for (size_t i = 0; i < n; i++) {
		if (!st && ends(name[i], ".tsv") && (!only || !strcmp(name[i], one)))
			st = add_metrics(f, dir, name[i], run->id,
				only ? metric ? metric : "loss" : metric, &drawn, s, e);
		xfree(name[i]);
	}
	if (!st && !drawn && metric)
		st = err_set(e, ST_INVALID,
			"plot: run %s has no metrics/%s.tsv, and no column of that name", run->id,
			metric);
	else if (!st && !drawn)
		st = err_set(e, ST_INVALID,
			"plot: run %s measured nothing step by step (it has no metrics/*.tsv)",
			run->id);
	xfree(name);
	xfree(path);
	xfree(one);
	xfree(dir);
	return st;
}

/* The axis says what all curves are of: "loss", where it is one and the same. */
static const char *value_name(const char *metric, const char *const *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ends(word[i], ".tsv"))
			return "value";
	return metric ? metric : "loss";
}

enum st figure_runs(struct figure **out, const char *const *word, size_t n, const char *metric,
	const struct sink *s, struct err *e)
{
	static const char *const columns[] = { "series", "step", "value" };
	struct figure *f = figure_new(
		"curves", n == 1 ? word[0] : "runs", "step", value_name(metric, word, n));
	const struct run_entry *run;
	struct runs all = { 0 };
	bool loaded = false;
	enum st st = ST_OK;

	figure_columns(f, 3, columns);
	for (size_t i = 0; !st && i < n; i++) {
		if (ends(word[i], ".tsv")) {
			st = add_file(f, word[i], LAST, word[i], s, e);
			continue;
		}
		if (!loaded && (st = runs_load(&all, NULL, e)))
			break;
		loaded = true;
		run = runs_find(&all, word[i], e);
		st = run ? add_run(f, run, metric, s, e) : ST_INVALID;
	}
	runs_release(&all);
	if (st)
		figure_free(f);
	*out = st ? NULL : f;
	return st;
}
