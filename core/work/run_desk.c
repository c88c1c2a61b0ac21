/* run_desk.c - run folders of an open model. */
#include "core/work/run_desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/cache.h"
#include "core/work/desk_private.h"
#include "core/work/runs.h"

struct run_info run_info_of(const struct desk *d, const char *kind)
{
	return (struct run_info){ .kind = kind,
		.model = d->m->ck->name,
		.model_path = d->m->ck->path,
		.model_sha = d->m->ck->header_sha256,
		.file_sha = cache_sha(d->cache),
		.text = d->text_name };
}

enum st run_cell(struct run *r, const struct desk *d, const struct scan_cell *c, const char *stage,
	struct err *e)
{
	char line[200], name[32], fmt[FORMAT_NAME];

	linear_name(c->linear, name);
	snprintf(line, sizeof line, "%zu\t%s\t%s\t%.9g\t%.9g\t%s\t%.3f", (size_t)c->linear / 7,
		strrchr(name, '.') + 1, format_name(d->set.format[c->format], fmt), c->kl, c->se,
		stage, clock_now());
	return run_line(
		r, "scan.tsv", "# layer\tkind\tformat\tdamage\tse\tstage\tclock_s", line, e);
}

char *run_parent(const struct desk *d)
{
	const struct run_entry *scan;
	struct runs all;
	char *id;

	if (runs_load(&all, NULL, NULL))
		return xstrdup("");
	scan = runs_scan_of(&all, d->m->ck->header_sha256, d->text_name);
	id = xstrdup(scan ? scan->id : "");
	runs_release(&all);
	return id;
}

/* ---- what makes it again */

static void add(struct run_args *a, const char *option, const char *value)
{
	if (a->n + 2 > RUN_ARGS)
		return;
	if (option)
		a->at[a->n++] = xstrdup(option);
	a->at[a->n++] = xstrdup(value);
}

/* Paths stay good from another folder. */
static void add_path(struct run_args *a, const char *option, const char *path, double weight)
{
	char *real = fs_real(path);
	char *value = isnan(weight) ? xstrdup(real) : xprintf("%s=%.9g", real, weight);

	add(a, option, value);
	xfree(value);
	xfree(real);
}

static void add_texts(struct run_args *a, const struct desk *d)
{
	if (d->sources.n < 2) {
		if (d->text_path)
			add_path(a, "--text", d->text_path, (double)NAN);
		return;
	}
	for (size_t i = 0; i < d->sources.n; i++) {
		const struct source *s = &d->sources.at[i];
		char self[40];

		snprintf(self, sizeof self, "self=%.9g", s->weight);
		if (s->path)
			add_path(a, "--text", s->path, s->weight);
		else
			add(a, "--text", self);
	}
}

/* What opens with the same variants: a calibrated run, where the dial wears one, or the checkpoint
 * of it that the run itself does not lead to; xfree. */
static char *opened(const struct desk *d)
{
	struct dial_run usual = { .dir = NULL };
	char *run, *slash;
	bool is;

	if (!d->dial.dir)
		return xstrdup(d->m->ck->path);
	run = xstrdup(d->dial.dir);
	slash = strrchr(run, '/');
	if (slash && slash > run)
		*slash = '\0';
	is = !dial_run_find(&usual, run, NULL) && !strcmp(usual.dir, d->dial.dir);
	dial_run_release(&usual);
	if (is)
		return run;
	xfree(run);
	return xstrdup(d->dial.dir);
}

struct run_args run_args_of(const struct desk *d, const char *verb, double bpw)
{
	struct run_args a = { .n = 0 };
	char number[32], *model = opened(d);

	add(&a, NULL, verb);
	add_path(&a, NULL, model, (double)NAN);
	xfree(model);
	if (!isnan(bpw)) {
		snprintf(number, sizeof number, "%.9g", bpw);
		add(&a, "--bpw", number);
	}
	if (d->formats)
		add(&a, "--formats", d->formats);
	if (d->mix)
		add(&a, "--mix", "channel");
	add_texts(&a, d);
	if (d->scan_tokens != DESK_SCAN_TOKENS) {
		snprintf(number, sizeof number, "%zu", d->scan_tokens);
		add(&a, "--tokens", number);
	}
	return a;
}

void run_args_release(struct run_args *a)
{
	for (size_t i = 0; i < a->n; i++)
		xfree(a->at[i]);
	a->n = 0;
}
