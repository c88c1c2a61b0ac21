/* verbs_train_shape.c - the shapes that a run would train: of a model's header, in a layout or in
 * every format of a dial. */
#include <stdlib.h>
#include <string.h>

#include "app/verbs_train_shape.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/work/run.h"
#include "core/work/train_dial.h"

/* ---- the model */

/* In the file, by its tensor or by the three of a packed one. */
static uint64_t tensor_bytes(const struct checkpoint *ck, const char *name)
{
	static const char *const part[] = { "", ".codes", ".scale", ".offset" };
	uint64_t sum = 0;

	for (size_t i = 0; i < 4; i++) {
		char *whole = xprintf("%s%s", name, part[i]);
		const struct tensor *t = checkpoint_find(ck, whole);

		sum += t ? t->bytes : 0;
		xfree(whole);
	}
	return sum;
}

/* A matrix as it lies in memory once it is loaded; where it is not there, of two bytes a weight. */
static uint64_t matrix_bytes(
	const struct checkpoint *ck, const char *name, size_t rows, size_t cols)
{
	uint64_t n = (uint64_t)rows * cols;
	const struct tensor *t = ck ? checkpoint_find(ck, name) : NULL;

	if (!ck)
		return 2 * n;
	return t && (t->dtype == DT_Q4_K || t->dtype == DT_Q6_K) ? 4 * n : tensor_bytes(ck, name);
}

/* The linears. */
static uint64_t stored_in_file(const struct plan *p)
{
	uint64_t sum = 0;
	char name[32];

	for (size_t i = 0; i < p->n; i++)
		sum += tensor_bytes(p->ck, linear_name(i, name));
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

enum st plan_open(struct plan *p, struct err *e)
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
	p->rest = p->other;
	if (p->ck && p->ck->file_bytes > stored_in_file(p))
		p->rest = p->ck->file_bytes - stored_in_file(p);
	return ST_OK;
}

/* ---- the layout */

static uint64_t stored_bytes(const struct train_shape *x)
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
		sum += stored_bytes(&p->shape[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct train_shape wide = p->shape[i];

		wide.format = step[at];
		if ((double)(sum + stored_bytes(&wide) - stored_bytes(&p->shape[i])) > budget)
			continue;
		sum += stored_bytes(&wide) - stored_bytes(&p->shape[i]);
		p->shape[i] = wide;
	}
	return ST_OK;
}

static enum st by_name(struct plan *p, const char *name, struct err *e)
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

/* ---- the formats of a dial */

/* What the linears take in a format, those that it does not fit as in the file. */
static uint64_t all_stored(const struct plan *p, struct format f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct train_shape x = p->shape[i];

		x.format = format_fits(f, x.cols) ? f : (struct format){ 0 };
		sum += stored_bytes(&x);
	}
	return sum;
}

static enum st stored_in(void *arg, const char *name, struct format f, double *bpw, struct err *e)
{
	const struct plan *p = arg;

	(void)name;
	(void)e;
	*bpw = 8.0 * (double)all_stored(p, f) / (double)p->weights;
	return ST_OK;
}

/* A form after another: shape[forms][n]. */
static void all_forms(struct plan *p)
{
	struct train_shape *all = xarray(p->forms * p->n, sizeof *all);

	for (size_t i = 0; i < p->forms * p->n; i++) {
		struct format f = p->format[i / p->n];

		all[i] = p->shape[i % p->n];
		all[i].format = format_fits(f, all[i].cols) ? f : (struct format){ 0 };
	}
	xfree(p->shape);
	p->shape = all;
}

static enum st by_dial(struct plan *p, const char *names, struct err *e)
{
	struct dial_formats f;
	enum st st = dial_formats_read(&f, names, stored_in, p, e);

	if (st)
		return st;
	p->forms = f.n;
	memcpy(p->format, f.at, f.n * sizeof *p->format);
	memcpy(p->bpw, f.bpw, f.n * sizeof *p->bpw);
	all_forms(p);
	return ST_OK;
}

enum st plan_layout(struct plan *p, const char *name, const char *dial, struct err *e)
{
	size_t forms;
	enum st st = dial ? by_dial(p, dial, e) : by_name(p, name, e);

	if (st)
		return st;
	forms = dial ? p->forms : 1;
	for (size_t i = 0; i < forms * p->n; i++) {
		struct train_shape *x = &p->shape[i];

		/* of the last form, the largest */
		p->stored += i / p->n == forms - 1 ? stored_bytes(x) : 0;
		p->folders += stored_bytes(x);
		p->begun += format_is_keep(x->format) ? 0 : stored_bytes(x);
		if (i >= p->n)
			x->kept = 0; /* it is there once */
	}
	p->folders += forms * p->rest;
	return ST_OK;
}
