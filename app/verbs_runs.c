/* verbs_runs.c - the table of runs, and what is done to one of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/runs.h"

/* ---- the table */

static const char *when(const struct run_entry *r, char out[24])
{
	time_t t = (time_t)r->began;
	struct tm tm;

	snprintf(out, 24, "-");
	if (r->began && localtime_r(&t, &tm))
		strftime(out, 24, "%Y-%m-%d %H:%M", &tm);
	return out;
}

/* With so many digits behind the point. */
static const char *fixed(char out[24], int digits, double v)
{
	snprintf(out, 24, "-");
	if (isfinite(v))
		snprintf(out, 24, "%.*f", digits, v);
	return out;
}

static void line(const struct run_entry *r)
{
	char began[24], seconds[24], bpw[24], kl[24];
	bool trained = !strcmp(r->kind, "train") && *r->summary; /* no column tells what came of it */
	char *s = xprintf("%-30s %-16s %-8s %-9s %8s %6s %8s  %s%s%s%s%s\n", r->id, when(r, began),
		r->kind, r->status, fixed(seconds, 1, r->seconds), fixed(bpw, 2, r->bpw),
		verb_number(kl, 4, r->kl), r->model, trained ? "  " : "", trained ? r->summary : "",
		*r->tags ? "  #" : "", r->tags);

	for (char *p = s; p[1]; p++) /* a folder's name may have anything in it */
		if ((unsigned char)*p < ' ')
			*p = ' ';
	verb_print(s, strlen(s));
	xfree(s);
}

static void put_run(struct json_out *o, const struct run_entry *r)
{
	json_open(o, NULL, '{');
	json_put_str(o, "id", r->id);
	json_put_str(o, "path", r->path);
	json_put_str(o, "kind", r->kind);
	json_put_str(o, "status", r->status);
	json_put_i64(o, "began", r->began);
	json_put_f64(o, "seconds", r->seconds);
	json_put_str(o, "model", r->model);
	json_put_str(o, "model_path", r->model_path);
	json_put_str(o, "text", r->text);
	json_put_str(o, "options", r->options);
	json_put_f64(o, "bpw", r->bpw);
	json_put_i64(o, "bytes", (int64_t)r->bytes);
	json_put_f64(o, "kl", r->kl);
	json_put_f64(o, "se", r->se);
	json_open(o, "numbers", '{');
	for (size_t i = 0; i < r->n_numbers; i++)
		json_put_f64(o, r->number[i].name, r->number[i].v);
	json_close(o, '}');
	json_put_str(o, "summary", r->summary);
	json_put_str(o, "tags", r->tags);
	json_put_str(o, "parents", r->parents);
	json_put_str(o, "bitdial", r->version);
	json_put_str(o, "host", r->host);
	json_put_str(o, "backend", r->backend);
	json_put_str(o, "script", r->script);
	json_put_str(o, "script_sha256", r->script_sha);
	json_open(o, "argv", '[');
	for (size_t i = 0; i < r->argv.n; i++)
		json_put_str(o, NULL, r->argv.at[i]);
	json_close(o, ']');
	json_close(o, '}');
}

static int list(const struct runs *r, bool json)
{
	struct json_out o;

	if (!json) {
		if (r->n)
			printf("%-30s %-16s %-8s %-9s %8s %6s %8s  %s\n", "# run", "began", "kind",
				"status", "seconds", "bpw", "KL", "model");
		for (size_t i = 0; i < r->n; i++)
			line(&r->at[i]);
		if (!r->n)
			verb_note("no runs");
		return 0;
	}
	verb_begin(&o);
	json_open(&o, "runs", '[');
	for (size_t i = 0; i < r->n; i++)
		put_run(&o, &r->at[i]);
	json_close(&o, ']');
	verb_json(&o);
	return 0;
}

/* ---- one or two of them */

static void fact(void *arg, const char *name, const char *x, const char *y)
{
	char *s = xprintf("%-10s %s\n", name, x);

	(void)arg, (void)y;
	verb_print(s, strlen(s));
	xfree(s);
}

static enum st show(const struct runs *all, const struct args *a, struct err *e)
{
	const struct run_entry *r = runs_find(all, a->word[1], e);

	if (!r)
		return e->st;
	run_facts(r, fact, NULL);
	return ST_OK;
}

/* Its first line, hashes as one reads them; xfree. */
static char *brief(const char *name, const char *s)
{
	bool hash =
		!strcmp(name, "header") || !strcmp(name, "sha256") || !strcmp(name, "script is");
	size_t n = strcspn(s, "\n");

	if (!*s)
		return xstrdup("-");
	if (hash)
		return xprintf("%.12s", s);
	return xprintf("%.*s%s", (int)n, s, s[n] ? "..." : "");
}

/* What has no room in its column stands on a line of its own. */
static void differ(void *arg, const char *name, const char *x, const char *y)
{
	enum { NAME = 12, COLUMN = 34 };
	char *a = brief(name, x), *b = brief(name, y), *s;
	int w = text_width(a, strlen(a));

	(void)arg;
	if (w <= COLUMN)
		s = xprintf("%-*s %s%*s %s\n", NAME, name, a, COLUMN - w, "", b);
	else
		s = xprintf("%-*s %s\n%*s %s\n", NAME, name, a, NAME + 1 + COLUMN, "", b);
	verb_print(s, strlen(s));
	xfree(s);
	xfree(a);
	xfree(b);
}

/* What is different about two runs; layouts are compared by `bitdial layout show`. */
static enum st diff(const struct runs *all, const struct args *a, struct err *e)
{
	const struct run_entry *x = runs_find(all, a->word[1], e);
	const struct run_entry *y = x ? runs_find(all, a->word[2], e) : NULL;

	if (!x || !y)
		return e->st;
	run_differences(x, y, differ, NULL);
	return ST_OK;
}

static enum st tag(const struct runs *all, const struct args *a, struct err *e)
{
	const struct run_entry *r = runs_find(all, a->word[1], e);
	enum st st = r ? ST_OK : e->st;

	for (size_t i = 2; !st && i < a->n_words; i++) {
		bool less = !strncmp(a->word[i], "no-", 3);
		char *word = less ? xprintf("-%s", a->word[i] + 3) : xstrdup(a->word[i]);

		st = run_tag(r, word, e);
		xfree(word);
	}
	return st;
}

static enum st note(const struct runs *all, const struct args *a, struct err *e)
{
	const struct run_entry *r = runs_find(all, a->word[1], e);

	if (!r)
		return e->st;
	return run_set_notes(r, a->word[2], e);
}

static enum st trash(const struct runs *all, const struct args *a, struct err *e)
{
	const struct run_entry *r = runs_find(all, a->word[1], e);
	char *to = NULL;
	enum st st = r ? run_trash(r, &to, e) : e->st;

	if (!st)
		verb_note("moved to %s", to);
	xfree(to);
	return st;
}

/* The word is a name in the trash, not one of the runs there are. */
static enum st restore(const struct runs *all, const struct args *a, struct err *e)
{
	char *id = NULL;
	enum st st = run_restore(NULL, a->word[1], &id, e);

	(void)all;
	if (!st)
		verb_note("%s is back", id);
	xfree(id);
	return st;
}

static const struct act {
	const char *name, *usage;
	size_t words; /* at least, its name included */
	enum st (*run)(const struct runs *all, const struct args *a, struct err *e);
} acts[] = {
	{ "show", "RUN", 2, show },
	{ "diff", "RUN RUN", 3, diff },
	{ "tag", "RUN WORD... (no-WORD: one less)", 3, tag },
	{ "note", "RUN TEXT", 3, note },
	{ "trash", "RUN", 2, trash },
	{ "restore", "RUN", 2, restore },
};

static const struct act *act_of(const struct args *a)
{
	for (size_t i = 0; a->n_words && i < sizeof acts / sizeof *acts; i++)
		if (!strcmp(acts[i].name, a->word[0]))
			return &acts[i];
	return NULL;
}

int verb_runs(const struct args *a)
{
	const struct act *act = act_of(a);
	struct runs all;
	struct err e = { 0 };
	enum st st;

	if (act && a->n_words < act->words) {
		verb_note("bitdial: usage: bitdial runs %s %s", act->name, act->usage);
		return 2;
	}
	st = runs_load(&all, NULL, &e);
	if (!st && act) {
		st = act->run(&all, a, &e);
	} else {
		for (size_t i = 0; !st && i < a->n_words; i++)
			st = runs_filter(&all, a->word[i], &e);
		if (!st && a->sort)
			st = runs_sort(&all, a->sort, &e);
		if (!st)
			list(&all, a->json);
	}
	runs_release(&all);
	return st ? verb_fail(&e) : 0;
}
