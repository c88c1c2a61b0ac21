/* verbs_cut.c - layout cut: one layout out of a run that trained every format of a dial. */
#include <math.h>
#include <stdio.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/quant/bundle.h"
#include "core/work/desk.h"

static void tell(const struct args *a, const struct desk *d, const struct layout *l)
{
	uint64_t bytes = fs_tree_bytes(a->out);
	struct json_out o;
	char b[16];

	if (!a->json) {
		verb_note("%s: %.4f stored bpw of %s, %s", a->out, layout_stored_bpw(l),
			d->dial.dir, text_bytes(bytes, b));
		return;
	}
	verb_begin(&o);
	json_put_str(&o, "folder", a->out);
	json_put_f64(&o, "stored_bpw", layout_stored_bpw(l));
	json_put_i64(&o, "bytes", (int64_t)bytes);
	verb_json(&o);
}

/* Of first scores alone a search knows little: they order linears, and are no KL. */
static void warn_of(const char *run, const struct layout *l)
{
	if (isnan(l->predicted_kl))
		verb_note("warning: no damage of %s is measured, so first scores chose the layout: "
			  "bitdial scan %s measures, and the same line again cuts a better one",
			run, run);
}

/* The desk wears the run's variants; what its layout does not name is never made. */
static enum st cut(const char *run, const struct args *a, struct err *e)
{
	struct args as = *a;
	struct desk *d = NULL;
	struct layout l = { 0 };
	const struct mat **view = NULL;
	bool searched = false;
	enum st st;

	as.word[0] = run;
	as.n_words = 1;
	as.layout = NULL;
	st = verb_desk(&d, &as, e);
	if (!st)
		st = verb_layout_of(d, a->layout, &l, &searched, e);
	if (!st && searched)
		warn_of(run, &l);
	for (size_t i = 0; !st && i < l.n; i++)
		if (l.choice[i] != d->keep && !desk_worn(d, l.choice[i])) {
			char name[FORMAT_NAME];

			st = err_set(e, ST_INVALID,
				"%s has no %s, which the layout gives to a linear", d->dial.dir,
				format_name(l.format[l.choice[i]], name));
		} else {
			l.by[i] = NULL; /* no quantizer made these codes */
		}
	if (!st) {
		view = xarray(l.n + 1, sizeof *view);
		st = desk_view(d, l.choice, view, verb_sink(), e);
	}
	if (!st)
		st = bundle_write(a->out, d->m, &l, view, verb_sink(), e);
	if (!st)
		tell(a, d, &l);
	xfree(view);
	layout_release(&l);
	desk_close(d);
	return st;
}

int verb_layout_cut(const struct args *a)
{
	struct dial_run r = { .dir = NULL };
	struct err e = { 0 };
	enum st st = ST_OK;

	if (a->n_words < 2 || !a->layout || !a->out)
		st = err_set(&e, ST_INVALID, "usage: bitdial layout cut RUN --layout L -o DIR");
	else if (a->read_only)
		st = err_set(&e, ST_INVALID, "--read-only: a cut writes a folder");
	else if (fs_is_there(a->out))
		st = err_set(&e, ST_INVALID, "%s exists already; choose a new folder", a->out);
	if (!st)
		st = dial_run_find(&r, a->word[1], &e);
	if (!st)
		st = cut(a->word[1], a, &e);
	dial_run_release(&r);
	return st ? verb_fail(&e) : 0;
}
