/* verbs_record.c - what a one-shot verb did, as a run folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/run_desk.h"
#include "core/work/runs.h"

static bool same_place(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	bool same = x && y && !strcmp(x, y);

	free(x); /* the C library's */
	free(y);
	return same;
}

/* The run that --layout names, or whose layout.json it is, "" where it is something else; xfree. */
static char *layout_run(const struct args *a)
{
	char *id = NULL, *path;
	struct runs all;

	if (!a->layout)
		return xstrdup("");
	path = fs_is_file(a->layout) ? xstrdup(a->layout) : run_layout_path(a->layout);
	if (!path || runs_load(&all, NULL, NULL)) {
		xfree(path);
		return xstrdup("");
	}
	for (size_t i = 0; !id && i < all.n; i++) {
		char *its = xprintf("%s/layout.json", all.at[i].path);

		if (all.at[i].has_layout && same_place(its, path))
			id = xstrdup(all.at[i].id);
		xfree(its);
	}
	runs_release(&all);
	xfree(path);
	return id ? id : xstrdup("");
}

static void option(char *out, size_t cap, const char *name, const char *value)
{
	size_t n = strlen(out);

	if (value && n < cap)
		snprintf(out + n, cap - n, "%s%s %s", n ? ", " : "", name, value);
}

/* Those that decide what comes out. */
static char *options_of(const struct args *a)
{
	char *out = xalloc(512), number[32];

	option(out, 512, "layout", a->layout);
	snprintf(number, sizeof number, "%.9g", a->bpw);
	option(out, 512, "bpw", a->bpw > 0 ? number : NULL);
	option(out, 512, "formats", a->formats);
	option(out, 512, "mix", a->mix);
	option(out, 512, "guard", a->guard);
	option(out, 512, "quantizer", a->quantizer);
	option(out, 512, "refine", a->refine ? "yes" : NULL);
	option(out, 512, "to", a->out);
	return out;
}

struct run *verb_run_begin(const struct args *a, struct desk *d, const char *kind)
{
	struct run_info info;
	struct run *r = NULL;
	char *parent, *options;
	struct err e;

	if (a->read_only)
		return NULL;
	if (desk_identify(d, verb_sink(), &e)) {
		/* the work itself says so; the run is without the file's hash */
	}
	info = run_info_of(d, kind);
	parent = layout_run(a);
	if (!*parent && strcmp(kind, "scan") != 0) {
		xfree(parent);
		parent = run_parent(d);
	}
	options = options_of(a);
	info.parents = parent;
	info.options = options;
	if (!strcmp(kind, "eval"))
		info.text = a->text;
	if (run_new(&r, &info, &e)) {
		r = NULL;
		verb_note("warning: %s; it goes on without a run folder", e.msg);
	}
	xfree(options);
	xfree(parent);
	return r;
}

void verb_run_layout(struct run *r, const struct layout *l)
{
	struct err e;

	if (!r)
		return;
	if (run_layout(r, l, &e))
		verb_note("warning: %s", e.msg);
	run_number(r, "stored_bpw", layout_stored_bpw(l));
	run_number(r, "bytes", (double)l->bytes);
	run_number(r, "predicted_kl", l->predicted_kl);
	run_number(r, "predicted_se", l->predicted_se);
}

void verb_run_end(struct run *r, enum st st, const struct err *e, const char *summary)
{
	run_end(r, st, st ? e->msg : summary);
}
