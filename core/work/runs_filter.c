/* runs_filter.c - which runs, and in which order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/work/runs.h"

/* ---- fields by name */

static const struct text_field {
	const char *name;
	size_t at;
	bool array; /* char[], not char * */
} texts[] = {
	{ "kind", offsetof(struct run_entry, kind), true },
	{ "status", offsetof(struct run_entry, status), true },
	{ "state", offsetof(struct run_entry, state), true },
	{ "model", offsetof(struct run_entry, model), false },
	{ "text", offsetof(struct run_entry, text), false },
	{ "tag", offsetof(struct run_entry, tags), false },
	{ "id", offsetof(struct run_entry, id), false },
	{ "options", offsetof(struct run_entry, options), false },
};

static const struct number_field {
	const char *name;
	size_t at;
} numbers[] = {
	{ "bpw", offsetof(struct run_entry, bpw) },
	{ "kl", offsetof(struct run_entry, kl) },
	{ "seconds", offsetof(struct run_entry, seconds) },
};

enum { TEXTS = sizeof texts / sizeof *texts, NUMBERS = sizeof numbers / sizeof *numbers };

static const char *text_at(const struct run_entry *r, const struct text_field *f)
{
	const char *p = (const char *)r + f->at;

	return f->array ? p : *(char *const *)(const void *)p;
}

static double number_at(const struct run_entry *r, const struct number_field *f)
{
	return *(const double *)(const void *)((const char *)r + f->at);
}

/* ---- one word of a filter */

struct test {
	enum { ANYWHERE, TEXT, NUMBER, SINCE } what;
	const struct text_field *text;
	const struct number_field *number;
	char word[RUN_WORDS];
	char op[3];
	double value;
	bool not ;
};

static bool has(const char *in, const char *word)
{
	return strcasestr(in, word) != NULL;
}

static bool compares(double v, const char *op, double with)
{
	if (isnan(v))
		return false;
	if (op[0] == '<')
		return op[1] ? v <= with : v < with;
	if (op[0] == '>')
		return op[1] ? v >= with : v > with;
	return fabs(v - with) <= 1e-9 * fabs(with);
}

/* A tag is a whole word. */
static bool tagged(const char *tags, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = tags; (p = strstr(p, word)); p += n)
		if ((p == tags || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

static bool holds(const struct test *t, const struct run_entry *r)
{
	bool yes = false;

	switch (t->what) {
	case TEXT:
		yes = !strcmp(t->text->name, "tag") ? tagged(r->tags, t->word)
						    : has(text_at(r, t->text), t->word);
		break;
	case NUMBER:
		yes = compares(number_at(r, t->number), t->op, t->value);
		break;
	case SINCE:
		yes = (double)r->began >= t->value;
		break;
	case ANYWHERE:
		for (size_t i = 0; i < TEXTS && !yes; i++)
			yes = has(text_at(r, &texts[i]), t->word);
		break;
	}
	return yes != t->not ;
}

static enum st bad_word(const char *word, struct err *e)
{
	return err_set(e, ST_INVALID,
		"filter %s: expected kind:search, tag:good, bpw<5, kl<=0.02, since:2d or a word",
		word);
}

/* "2d": that long before now. */
static enum st parse_since(struct test *t, const char *word, const char *value, struct err *e)
{
	static const char units[] = "mhdw";
	static const double seconds[] = { 60, 3600, 86400, 7 * 86400 };
	char *end;
	double v = strtod(value, &end);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == value || !unit || end[1] || !(v >= 0))
		return err_set(e, ST_INVALID, "filter %s: expected since:2d, 12h, 30m or 1w", word);
	t->what = SINCE;
	t->value = (double)time(NULL) - v * seconds[unit - units];
	return ST_OK;
}

static enum st parse_number(struct test *t, const char *word, const char *op, struct err *e)
{
	size_t n = (size_t)(op - word), len = op[1] == '=' ? 2 : 1;
	char *end;

	for (size_t i = 0; i < NUMBERS; i++)
		if (strlen(numbers[i].name) == n && !strncmp(numbers[i].name, word, n))
			t->number = &numbers[i];
	snprintf(t->op, sizeof t->op, "%.*s", (int)len, op);
	t->value = strtod(op + len, &end);
	if (!t->number || end == op + len || *end)
		return bad_word(word, e);
	t->what = NUMBER;
	return ST_OK;
}

static enum st parse(struct test *t, const char *word, struct err *e)
{
	const char *colon, *op;

	*t = (struct test){ .not = word[0] == '-' && word[1] };
	word += t->not ;
	colon = strchr(word, ':');
	op = strpbrk(word, "<>=");
	if (colon && !strncmp(word, "since:", 6))
		return parse_since(t, word, colon + 1, e);
	if (op && (!colon || op < colon))
		return parse_number(t, word, op, e);
	snprintf(t->word, sizeof t->word, "%s", colon ? colon + 1 : word);
	if (!colon)
		return ST_OK;
	for (size_t i = 0; i < TEXTS; i++)
		if (strlen(texts[i].name) == (size_t)(colon - word) &&
			!strncmp(texts[i].name, word, (size_t)(colon - word)))
			t->text = &texts[i];
	t->what = TEXT;
	return t->text ? ST_OK : bad_word(word, e);
}

struct tests {
	struct test *at;
	size_t n;
};

/* xfree(t->at) in any case. */
static enum st parse_all(struct tests *t, const char *filter, struct err *e)
{
	char *words = xstrdup(filter ? filter : ""), *save;
	enum st st = ST_OK;

	*t = (struct tests){ xarray(strlen(words) / 2 + 1, sizeof *t->at), 0 };
	for (char *w = strtok_r(words, " ", &save); w && !st; w = strtok_r(NULL, " ", &save))
		st = parse(&t->at[t->n++], w, e);
	xfree(words);
	return st;
}

static bool all_hold(const struct tests *t, const struct run_entry *r)
{
	for (size_t i = 0; i < t->n; i++)
		if (!holds(&t->at[i], r))
			return false;
	return true;
}

enum st runs_filter(struct runs *r, const char *filter, struct err *e)
{
	struct runs left = { xarray(r->n + 1, sizeof *r->at), 0 }, out = left;
	struct tests t;
	enum st st = parse_all(&t, filter, e);

	out.at = xarray(r->n + 1, sizeof *r->at);
	for (size_t i = 0; i < r->n; i++) {
		struct runs *to = st || all_hold(&t, &r->at[i]) ? &left : &out;

		to->at[to->n++] = r->at[i];
	}
	xfree(r->at);
	*r = left;
	runs_release(&out);
	xfree(t.at);
	return st;
}

/* ---- order */

static _Thread_local struct {
	const struct text_field *text;
	const struct number_field *number;
	bool reverse;
	const struct runs *of; /* compare_at's */
} order;

static int compare(const void *a, const void *b)
{
	const struct run_entry *x = a, *y = b;
	int by = 0;

	if (order.text) {
		by = strcasecmp(text_at(x, order.text), text_at(y, order.text));
	} else if (order.number) {
		double v = number_at(x, order.number), w = number_at(y, order.number);

		if (isnan(v) != isnan(w)) /* what has no number stands last, either way */
			return isnan(v) ? 1 : -1;
		by = (v > w) - (v < w);
	} else {
		by = (x->began_at < y->began_at) - (x->began_at > y->began_at);
	}
	if (order.reverse)
		by = -by;
	return by ? by : strcmp(y->id, x->id);
}

static enum st set_order(const char *by, struct err *e)
{
	const char *name = by + (by[0] == '-');

	order.text = NULL;
	order.number = NULL;
	order.reverse = by[0] == '-';
	for (size_t i = 0; i < TEXTS; i++)
		if (!strcmp(texts[i].name, name))
			order.text = &texts[i];
	for (size_t i = 0; i < NUMBERS; i++)
		if (!strcmp(numbers[i].name, name))
			order.number = &numbers[i];
	if (!order.text && !order.number && strcmp(name, "began") != 0)
		return err_set(e, ST_INVALID,
			"sort by %s: expected began, kind, status, model, seconds, bpw or kl",
			name);
	return ST_OK;
}

enum st runs_sort(struct runs *r, const char *by, struct err *e)
{
	enum st st = set_order(by, e);

	if (!st && r->n)
		qsort(r->at, r->n, sizeof *r->at, compare);
	return st;
}

static int compare_at(const void *a, const void *b)
{
	return compare(&order.of->at[*(const size_t *)a], &order.of->at[*(const size_t *)b]);
}

enum st runs_pick(const struct runs *r, const char *filter, const char *by, size_t *at, size_t *n,
	struct err *e)
{
	struct tests t;
	enum st st = parse_all(&t, filter, e);

	*n = 0;
	for (size_t i = 0; i < r->n && !st; i++)
		if (all_hold(&t, &r->at[i]))
			at[(*n)++] = i;
	xfree(t.at);
	if (!st)
		st = set_order(by, e);
	order.of = r;
	if (!st && *n)
		qsort(at, *n, sizeof *at, compare_at);
	return st;
}
