/* verbs_watch.c - follows a run folder, of this process or of another: only files are read. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/sink.h"
#include "core/work/runs.h"

enum { FILES = 32, TURN_MS = 200 };

struct watched {
	char *name; /* in the folder */
	long at;    /* bytes told */
};

struct watch {
	const char *dir;
	struct watched file[FILES];
	size_t n;
};

static bool is_log(const char *name)
{
	size_t n = strlen(name);

	return (n > 4 && !strcmp(name + n - 4, ".tsv")) ||
	       (n > 7 && !strcmp(name + n - 7, ".ndjson"));
}

/* In the folder itself, and what is measured step by step. */
static void find_files(struct watch *w, const char *under)
{
	char *dir = xprintf("%s/%s", w->dir, under), **names = NULL;
	size_t n = 0;

	if (!fs_is_dir(dir) || fs_list(dir, &names, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		char *name = xprintf("%s%s", under, names[i]);
		bool known = !is_log(name);

		for (size_t k = 0; k < w->n && !known; k++)
			known = !strcmp(w->file[k].name, name);
		if (!known && w->n < FILES)
			w->file[w->n++] = (struct watched){ .name = xstrdup(name) };
		xfree(name);
		xfree(names[i]);
	}
	xfree(names);
	xfree(dir);
}

/* Whole lines that were not told yet; what has no newline is not finished. */
static void tell_lines(const struct watch *w, struct watched *f)
{
	char *path = xprintf("%s/%s", w->dir, f->name), *line = NULL;
	FILE *in = fopen(path, "r");
	size_t cap = 0;
	ssize_t n;

	xfree(path);
	if (!in)
		return;
	if (!fseek(in, f->at, SEEK_SET))
		while ((n = getline(&line, &cap, in)) > 0 && line[n - 1] == '\n') {
			char *s = xprintf("%s\t%s", f->name, line);

			f->at += n;
			verb_print(s, strlen(s));
			xfree(s);
		}
	fclose(in);
	free(line);
}

/* One look; true: nothing more will come. */
static bool turn(struct watch *w, struct run_entry *r)
{
	bool over;

	run_refresh(r); /* first: what was written before the end is told with it */
	over = strcmp(r->status, "running") != 0;
	find_files(w, "");
	find_files(w, "metrics/");
	for (size_t i = 0; i < w->n; i++)
		tell_lines(w, &w->file[i]);
	fflush(stdout);
	return over;
}

int verb_watch(const struct args *a)
{
	struct watch w = { 0 };
	const struct run_entry *found;
	struct run_entry *r;
	struct runs all;
	struct err e = { 0 };
	bool over = false;
	int rc;

	if (!a->n_words) {
		verb_note(
			"bitdial: watch wants a run: bitdial watch RUN (bitdial runs lists them)");
		return 2;
	}
	if (runs_load(&all, NULL, &e) || !(found = runs_find(&all, a->word[0], &e))) {
		runs_release(&all);
		return verb_fail(&e);
	}
	verb_signals();
	r = &all.at[found - all.at];
	w.dir = r->path;
	while (!over && !sink_poll(verb_sink())) {
		over = turn(&w, r);
		if (!over)
			poll(NULL, 0, TURN_MS);
	}
	if (over)
		verb_note("%s: %s", r->id, r->status);
	rc = !over ? 130 : strcmp(r->status, "ok") != 0;
	for (size_t i = 0; i < w.n; i++)
		xfree(w.file[i].name);
	runs_release(&all);
	return rc;
}
