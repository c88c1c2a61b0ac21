/* train_dial.c - see train_dial.h. */
#include "core/work/train_dial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* ---- formats */

/* Among those before it. */
static enum st put(
	struct dial_formats *to, const char *name, struct format f, double bpw, struct err *e)
{
	size_t at = to->n;

	for (; at && to->bpw[at - 1] > bpw; at--) {
		to->bpw[at] = to->bpw[at - 1];
		to->at[at] = to->at[at - 1];
	}
	to->bpw[at] = bpw;
	to->at[at] = f;
	to->n++;
	if (at && to->bpw[at - 1] >= bpw)
		return err_set(e, ST_INVALID,
			"%s takes as many bits as another format of the dial: name one of them",
			name);
	return ST_OK;
}

/* Nothing between two commas, or at an end, is left out in silence: somebody meant a format there.
 */
static enum st is_list(const char *names, struct err *e)
{
	size_t n = strlen(names);
	bool any = names[strspn(names, ",")] != '\0';

	if (any && (names[0] == ',' || names[n - 1] == ',' || strstr(names, ",,")))
		return err_set(e, ST_INVALID,
			"%.120s: a name is missing at a comma: name formats, such as "
			"int2g64,int4g128",
			names);
	return ST_OK;
}

/* As they are named. */
static enum st parse(struct format at[FORMAT_MAX], size_t *n, const char *names, struct err *e)
{
	char *copy = xstrdup(names), *rest = copy, *one;
	enum st st = is_list(names, e);

	*n = 0;
	while (!st && (one = strtok_r(rest, ",", &rest))) {
		struct format f;

		st = format_parse(&f, one, e);
		if (!st && (format_is_keep(f) || format_is_mix(f)))
			st = err_set(e, ST_INVALID,
				"%s is not trained with a dial: name formats of one width, such as "
				"int2g64,int4g128",
				one);
		if (!st && *n == FORMAT_MAX)
			st = err_set(e, ST_INVALID, "a dial has at most %d formats", FORMAT_MAX);
		if (!st)
			at[(*n)++] = f;
	}
	if (!st && !*n)
		st = err_set(e, ST_INVALID,
			"no format is named: say which are to be trained, such as "
			"int2g64,int4g128");
	xfree(copy);
	return st;
}

enum st dial_formats_check(const char *names, struct err *e)
{
	struct format at[FORMAT_MAX];
	size_t n;

	return parse(at, &n, names, e);
}

enum st dial_formats_read(struct dial_formats *out, const char *names,
	enum st (*stored)(void *arg, const char *name, struct format f, double *bpw, struct err *e),
	void *arg, struct err *e)
{
	struct format at[FORMAT_MAX];
	char name[FORMAT_NAME];
	size_t n;
	enum st st = parse(at, &n, names, e);

	out->n = 0;
	for (size_t i = 0; !st && i < n; i++) {
		double bpw = 0;

		st = stored(arg, format_name(at[i], name), at[i], &bpw, e);
		if (!st)
			st = put(out, name, at[i], bpw, e);
	}
	return st;
}

struct joining {
	struct desk *d;
	const struct sink *s;
};

/* A format that is not the desk's yet joins it. */
static enum st join(void *arg, const char *name, struct format f, double *bpw, struct err *e)
{
	struct joining *j = arg;
	struct layout l = { 0 };
	const char *source;
	enum st st = desk_layout(j->d, name, &l, &source, j->s, e);

	(void)f;
	if (st)
		return st;
	*bpw = layout_stored_bpw(&l);
	layout_release(&l);
	return ST_OK;
}

static enum st join_all(struct train_dial *a, struct desk *d, const char *names,
	const struct sink *s, struct err *e)
{
	struct joining j = { d, s };
	struct dial_formats f;
	enum st st = dial_formats_read(&f, names, join, &j, e);

	if (st)
		return st;
	a->forms = f.n;
	a->format = xarray(f.n, sizeof *a->format);
	a->bpw = xarray(f.n, sizeof *a->bpw);
	memcpy(a->format, f.at, f.n * sizeof *a->format);
	memcpy(a->bpw, f.bpw, f.n * sizeof *a->bpw);
	return ST_OK;
}

/* Now that no other joins, their numbers and variants stay where they are. */
static enum st views(struct train_dial *a, struct desk *d, const struct sink *s, struct err *e)
{
	size_t n = d->m->n_linears;
	char name[FORMAT_NAME];
	const char *source;
	enum st st = ST_OK;

	a->all = xarray(a->forms, sizeof *a->all);
	a->view = xarray(a->forms * n, sizeof *a->view);
	for (size_t f = 0; !st && f < a->forms; f++) {
		st = desk_layout(d, format_name(a->format[f], name), &a->all[f], &source, s, e);
		if (!st)
			st = desk_layout_view(d, &a->all[f], a->view + f * n, s, e);
		/* what comes of them is no quantizer's, nor what was predicted of that */
		a->all[f].predicted_kl = a->all[f].predicted_se = (double)NAN;
		for (size_t i = 0; !st && i < n; i++)
			a->all[f].by[i] = NULL;
	}
	return st;
}

char *train_dial_top(const char *names)
{
	size_t n = strlen(names), from;

	while (n && names[n - 1] == ',') /* who opens them says what is wrong */
		n--;
	for (from = n; from && names[from - 1] != ','; from--)
		;
	return xstrndup(names + from, n - from);
}

/* ---- what a step takes, and what is looked at */

static void points(struct train_dial *a, size_t n)
{
	double low = a->bpw[0], high = a->bpw[a->forms - 1];

	a->points = a->forms > 1 ? DIAL_POINTS : 1;
	for (size_t p = 0; p < a->points; p++) {
		double budget = low + (high - low) * (double)p / (DIAL_POINTS - 1), sum = 0;
		uint8_t *form = xarray(n, 1);

		/* the ends are no matter of chance */
		if (p == 0 || p == DIAL_POINTS - 1)
			memset(form, p ? (int)a->forms - 1 : 0, n);
		else
			dial_mix(&a->draw, budget, p, form);
		for (size_t i = 0; i < n; i++)
			sum += (double)a->view[form[i] * n + i]->rows *
			       (double)a->view[form[i] * n + i]->cols * a->bpw[form[i]];
		a->point[p].form = form;
		a->point[p].bpw = sum / (double)a->all[0].weights;
		a->point[p].kl = (double)NAN;
	}
}

enum st train_dial_open(struct train_dial **out, struct desk *d, const char *names, uint64_t seed,
	const struct sink *s, struct err *e)
{
	struct train_dial *a = xalloc(sizeof *a);
	size_t n = d->m->n_linears;
	enum st st = join_all(a, d, names, s, e);

	if (!st)
		st = views(a, d, s, e);
	if (st) {
		train_dial_free(a);
		return st;
	}
	a->draw =
		(struct dial_draw){ .seed = seed, .linears = n, .forms = a->forms, .bpw = a->bpw };
	points(a, n);
	*out = a;
	return ST_OK;
}

void train_dial_free(struct train_dial *a)
{
	if (!a)
		return;
	for (size_t f = 0; a->all && f < a->forms; f++)
		layout_release(&a->all[f]);
	for (size_t p = 0; p < DIAL_POINTS; p++)
		xfree(a->point[p].form);
	xfree(a->all);
	xfree(a->format);
	xfree(a->bpw);
	xfree(a->view);
	xfree(a);
}
