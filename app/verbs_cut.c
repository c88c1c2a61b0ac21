/* verbs_cut.c - layout cut: one layout out of a run that trained every format of a dial. */
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/work/dial_cut.h"
#include "core/work/runs.h"

struct cutting {
	struct args as; /* of the run: its model, its formats */
	char *model, *dir, *formats, *dial;
};

/* The run that RUN names, or whose checkpoint it is; its model. */
static enum st find(struct cutting *c, const char *word, struct err *e)
{
	const struct run_entry *r;
	struct runs all;
	char *id = xstrdup(word), *slash;
	enum st st;

	for (size_t n = strlen(id); n > 1 && id[n - 1] == '/'; n--)
		id[n - 1] = '\0';
	/* RUN/step-000240, RUN/best: what is above */
	slash = strrchr(id, '/');
	if (slash && (!strncmp(slash, "/step-", 6) || !strcmp(slash, "/best") ||
			     !strcmp(slash, "/last")))
		*slash = '\0';
	st = runs_open(&all, &r, id, e);
	if (!st) {
		c->model = xstrdup(r->model_path);
		st = dial_cut_find(&c->dir, &c->formats, fs_is_dir(word) ? word : r->path, e);
	}
	runs_release(&all);
	xfree(id);
	return st;
}

static enum st cut(struct cutting *c, const struct args *a, struct err *e)
{
	struct desk *d = NULL;
	struct layout l = { 0 };
	const char *source;
	char bytes[16];
	enum st st;

	c->dial = xprintf("%s,keep", c->formats);
	c->as = *a;
	c->as.word[0] = c->model;
	c->as.n_words = 1;
	c->as.formats = c->dial;
	c->as.layout = NULL;
	st = verb_desk(&d, &c->as, e);
	if (!st)
		st = desk_layout(d, a->layout, &l, &source, verb_sink(), e);
	if (!st)
		st = dial_cut(c->dir, d, &l, a->out, verb_sink(), e);
	if (!st)
		verb_note("%s: %.4f stored bpw of %s, %s", a->out, layout_stored_bpw(&l), c->dir,
			text_bytes(fs_tree_bytes(a->out), bytes));
	layout_release(&l);
	desk_close(d);
	return st;
}

int verb_layout_cut(const struct args *a)
{
	struct cutting c = { 0 };
	struct err e = { 0 };
	enum st st = ST_OK;

	if (a->n_words < 2 || !a->layout || !a->out)
		st = err_set(&e, ST_INVALID, "usage: bitdial layout cut RUN --layout L -o DIR");
	else if (a->read_only)
		st = err_set(&e, ST_INVALID, "--read-only: a cut writes a folder");
	else if (fs_is_there(a->out))
		st = err_set(&e, ST_INVALID, "%s exists already; choose a new folder", a->out);
	if (!st)
		st = find(&c, a->word[1], &e);
	if (!st)
		st = cut(&c, a, &e);
	xfree(c.model);
	xfree(c.dir);
	xfree(c.formats);
	xfree(c.dial);
	return st ? verb_fail(&e) : 0;
}
