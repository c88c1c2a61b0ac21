/* dial_rules.c - pins, floors and ties: laid down, taken up, and what they cost. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/model/model.h"
#include "core/work/dial_private.h"

struct dial_rules rules_new(size_t n)
{
	struct dial_rules r = { xarray(n + 1, 1), xarray(n + 1, 1), xarray(n + 1, sizeof *r.tie) };

	memset(r.pin, -1, n);
	for (size_t i = 0; i < n; i++)
		r.tie[i] = (uint16_t)i;
	return r;
}

struct dial_rules rules_copy(const struct dial_rules *r, size_t n)
{
	struct dial_rules to = rules_new(n);

	memcpy(to.pin, r->pin, n);
	memcpy(to.floor, r->floor, n);
	memcpy(to.tie, r->tie, n * sizeof *to.tie);
	return to;
}

bool dial_rules(struct dial *d, int8_t *pin, int8_t *floor, uint16_t *tie, size_t n)
{
	bool has;

	pthread_mutex_lock(&d->mu);
	has = d->m && d->m->n == n;
	if (has) {
		memcpy(pin, d->rules.pin, n);
		memcpy(floor, d->rules.floor, n);
		memcpy(tie, d->rules.tie, n * sizeof *tie);
	}
	pthread_mutex_unlock(&d->mu);
	return has;
}

void rules_free(struct dial_rules *r)
{
	xfree(r->pin);
	xfree(r->floor);
	xfree(r->tie);
	*r = (struct dial_rules){ 0 };
}

bool rules_equal(const struct dial_rules *a, const struct dial_rules *b, size_t n)
{
	return !memcmp(a->pin, b->pin, n) && !memcmp(a->floor, b->floor, n) &&
	       !memcmp(a->tie, b->tie, n * sizeof *a->tie);
}

bool rules_tied(const struct dial_rules *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r->tie[i] != i)
			return true;
	return false;
}

bool rules_hold(const struct dial_rules *r, const uint8_t *choice, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool pinned = r->pin[i] >= 0;

		if (pinned ? choice[i] != (uint8_t)r->pin[i] : (int)choice[i] < r->floor[i])
			return false;
		if (choice[i] != choice[r->tie[i]])
			return false;
	}
	return true;
}

bool rules_any(const struct dial_rules *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r->pin[i] >= 0 || r->floor[i] > 0)
			return true;
	return rules_tied(r, n);
}

struct front_input dial_input(
	const struct snap_model *m, const struct solved *s, const struct dial_rules *r)
{
	return (struct front_input){ .n = m->n,
		.k = m->k,
		.bytes = s->bytes,
		.damage = s->damage,
		.se = s->se,
		.pin = r ? r->pin : NULL,
		.floor = r ? r->floor : NULL,
		.tie = r && rules_tied(r, m->n) ? r->tie : NULL };
}

enum st dial_front_under(struct front **out, const struct dial *d, const struct solved *s,
	const struct dial_rules *r, struct err *e)
{
	struct front_input in = dial_input(d->m, s, r);

	return front_new(out, &in, e);
}

/* ---- what cannot be is said by name */

/* Is the format left for a linear by its own rules? */
static bool may(const struct dial *d, const struct dial_rules *r, size_t i, size_t f)
{
	if (!isfinite(d->now->damage[i * d->m->k + f]))
		return false;
	return r->pin[i] >= 0 ? (size_t)r->pin[i] == f : (int)f >= r->floor[i];
}

/* A pin of one member holds for all that are tied to it, and comes before their floors. */
static int pin_of_unit(const struct dial *d, const struct dial_rules *r, size_t first)
{
	for (size_t i = first; i < d->m->n; i++)
		if (r->tie[i] == r->tie[first] && r->pin[i] >= 0)
			return r->pin[i];
	return -1;
}

static enum st check_unit(
	const struct dial *d, const struct dial_rules *r, size_t first, struct err *e)
{
	int pin = pin_of_unit(d, r, first);
	char name[32], other[32], f[FORMAT_NAME];
	bool any = false;

	for (size_t i = first; i < d->m->n; i++) {
		if (r->tie[i] != r->tie[first])
			continue;
		if (pin >= 0 && r->pin[i] >= 0 && r->pin[i] != pin)
			return err_set(e, ST_INVALID,
				"%s and %s would be tied, but are pinned to different formats; "
				"free one of them",
				linear_name(first, other), linear_name(i, name));
		if (pin >= 0 && !isfinite(d->now->damage[i * d->m->k + (size_t)pin]))
			return err_set(e, ST_INVALID,
				"%s in %s would take no fewer bytes than it has in the file; "
				"pin it to keep",
				linear_name(i, name), format_name(d->m->format[pin], f));
	}
	for (size_t k = 0; k < d->m->k && !any && pin < 0; k++) {
		any = true;
		for (size_t i = first; i < d->m->n; i++)
			any = any && (r->tie[i] != r->tie[first] || may(d, r, i, k));
	}
	if (any || pin >= 0)
		return ST_OK;
	return err_set(e, ST_INVALID, "no format would be left for %s: lower its floor or untie it",
		linear_name(first, name));
}

static enum st check(const struct dial *d, const struct dial_rules *r, struct err *e)
{
	bool *seen = xarray((size_t)UINT16_MAX + 1, sizeof *seen);
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < d->m->n; i++)
		if (!seen[r->tie[i]]) {
			seen[r->tie[i]] = true;
			st = check_unit(d, r, i, e);
		}
	xfree(seen);
	return st;
}

/* How many linears the pattern names. */
static enum st match(const struct dial *d, const char *pattern, size_t *matched, struct err *e)
{
	char name[32];

	*matched = 0;
	for (size_t i = 0; i < d->m->n; i++)
		*matched += text_glob(pattern, linear_name(i, name));
	if (*matched)
		return ST_OK;
	return err_set(e, ST_INVALID, "%s names no linear; try layers.3.v or layers.*.v", pattern);
}

static bool is(const char *pattern, size_t i)
{
	char name[32];

	return text_glob(pattern, linear_name(i, name));
}

/* Checks and lays down; frees r where it cannot be. */
static enum st lay_down(struct dial *d, struct dial_rules *r, struct err *e)
{
	enum st st = check(d, r, e);

	if (!st)
		return dial_lay_down(d, r, e);
	rules_free(r);
	return st;
}

/* Pins or floors: what of each linear the pattern names becomes fmt, or where that is -2 the
 * format it has now.  `least` is the lowest fmt there can be. */
static enum st rule(struct dial *d, const char *name, bool floor, const char *pattern, int fmt,
	int least, size_t *matched, struct err *e)
{
	struct dial_rules r;
	bool frees = fmt == (floor ? 0 : -1);
	size_t changed = 0;
	enum st st;

	*matched = 0;
	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now)
		st = dial_no_model(e);
	else if (fmt < least || fmt >= (int)d->m->k)
		st = err_set(e, ST_INVALID, "%s: the dial has no format %d", name, fmt);
	else
		st = match(d, pattern, matched, e);
	if (!st) {
		r = rules_copy(&d->rules, d->m->n);
		for (size_t i = 0; i < d->m->n; i++)
			if (is(pattern, i)) {
				int8_t *at = &(floor ? r.floor : r.pin)[i];
				int8_t to = (int8_t)(fmt == -2 ? d->choice[i] : fmt);

				changed += *at != to;
				*at = to;
			}
		if (frees)
			*matched = changed;
		if (frees && !changed) /* nothing to undo, either */
			rules_free(&r);
		else
			st = lay_down(d, &r, e);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

enum st dial_pin(struct dial *d, const char *pattern, int fmt, size_t *matched, struct err *e)
{
	return rule(d, "pin", false, pattern, fmt, -2, matched, e);
}

enum st dial_floor(struct dial *d, const char *pattern, int fmt, size_t *matched, struct err *e)
{
	return rule(d, "floor", true, pattern, fmt, 0, matched, e);
}

/* ---- ties */

/* All that is tied to a or b is tied together; the lowest index names it. */
static void tie_two(uint16_t *tie, size_t n, size_t a, size_t b)
{
	uint16_t from = tie[a] > tie[b] ? tie[a] : tie[b], to = tie[a] < tie[b] ? tie[a] : tie[b];

	for (size_t i = 0; i < n && from != to; i++)
		if (tie[i] == from)
			tie[i] = to;
}

/* Kinds [from, to) of every block. */
static void tie_kinds(uint16_t *tie, size_t n, size_t from, size_t to)
{
	for (size_t b = 0; b + LINEAR_KINDS <= n; b += LINEAR_KINDS)
		for (size_t k = from + 1; k < to; k++)
			tie_two(tie, n, b + from, b + k);
}

static enum st tie(const struct dial *d, struct dial_rules *r, const char *what, struct err *e)
{
	size_t n = d->m->n, matched, first = n;
	enum st st;

	if (!strcmp(what, "off")) {
		for (size_t i = 0; i < n; i++)
			r->tie[i] = (uint16_t)i;
		return ST_OK;
	}
	if (!strcmp(what, "qkv") || !strcmp(what, "gateup")) {
		bool qkv = *what == 'q';

		tie_kinds(r->tie, n, qkv ? 0 : 4, qkv ? 3 : 6);
		return ST_OK;
	}
	st = match(d, what, &matched, e);
	if (!st && matched < 2)
		st = err_set(e, ST_INVALID,
			"tie: %s names one linear; a tie takes two or more, such as layers.*.v",
			what);
	for (size_t i = 0; !st && i < n; i++) {
		if (!is(what, i))
			continue;
		if (first == n)
			first = i;
		tie_two(r->tie, n, first, i);
	}
	return st;
}

enum st dial_tie(struct dial *d, const char *what, size_t *units, struct err *e)
{
	struct dial_rules r;
	enum st st;

	*units = 0;
	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now) {
		st = dial_no_model(e);
	} else if (d->m->n > UINT16_MAX) {
		st = err_set(e, ST_INVALID, "tie: a model of %zu linears is too large for ties",
			d->m->n);
	} else {
		r = rules_copy(&d->rules, d->m->n);
		st = tie(d, &r, what, e);
		for (size_t i = 0; i < d->m->n; i++)
			*units += r.tie[i] == i;
		if (st)
			rules_free(&r);
		else
			st = lay_down(d, &r, e);
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

/* ---- prices */

/* Nats that one more byte is worth there: the slope of the front's hull. */
static double slope(const struct front *f, uint64_t bytes)
{
	size_t n = front_curve(f, NULL, NULL, 0), i = 1;
	uint64_t *b = xarray(n, sizeof *b);
	double *kl = xarray(n, sizeof *kl), s = 0;

	front_curve(f, b, kl, n);
	while (i < n && b[i] <= bytes)
		i++;
	if (i < n)
		s = (kl[i - 1] - kl[i]) / (double)(b[i] - b[i - 1]);
	xfree(b);
	xfree(kl);
	return s;
}

/* What linear i costs more than the best it could have, bytes counted at their worth. */
static float price_of(const struct dial *d, size_t i, double worth)
{
	const double *damage = &d->now->damage[i * d->m->k];
	const uint64_t *bytes = &d->m->bytes[i * d->m->k];
	size_t c = d->choice[i];
	double best = INFINITY, mine = damage[c] + worth * (double)bytes[c];

	if (d->rules.pin[i] < 0 && (int)c > d->rules.floor[i])
		return 0; /* above its floor: that holds nothing */
	for (size_t f = 0; f < d->m->k; f++)
		if (isfinite(damage[f]) && damage[f] + worth * (double)bytes[f] < best)
			best = damage[f] + worth * (double)bytes[f];
	return mine > best ? (float)(mine - best) : 0;
}

/* What the rules that `less` has not cost at the same bytes, predicted.  Both by the same quick
 * solver: what is said when a rule is laid down still stands when the exact answer has come. */
static double cost(const struct dial *d, const struct front *less)
{
	struct front_answer with, without;

	front_answer(d->now->front, dial_budget_of(d, d->bpw), NULL, &with);
	front_answer(less, with.bytes, NULL, &without);
	if (!(without.damage < with.damage)) /* no rule gains; that would be greedy's gap */
		return 0;
	return dial_predicted(d, with.damage, 0, NULL) - dial_predicted(d, without.damage, 0, NULL);
}

/* The one linear that has a rule; n: it is not one alone. */
static size_t only_rule(const struct dial *d)
{
	size_t n = d->m->n, only = n, rules = 0;

	for (size_t i = 0; i < n; i++)
		if (d->rules.pin[i] >= 0 || d->rules.floor[i] > 0) {
			only = i;
			rules++;
		}
	return rules == 1 && !rules_tied(&d->rules, n) ? only : n;
}

void dial_publish_rules(const struct dial *d, struct snap_answer *s)
{
	size_t n = d->m->n;
	double worth;

	memcpy(s->pin, d->rules.pin, n);
	memcpy(s->floor, d->rules.floor, n);
	if (rules_tied(&d->rules, n)) {
		s->tie = xarray(n + 1, sizeof *s->tie);
		memcpy(s->tie, d->rules.tie, n * sizeof *s->tie);
	}
	if (d->given || !d->now->unruled)
		return;
	s->rules_kl = cost(d, d->now->unruled);
	worth = slope(d->now->unruled, s->bytes);
	s->price = xarray(n + 1, sizeof *s->price);
	for (size_t i = 0; i < n; i++)
		s->price[i] =
			d->rules.pin[i] >= 0 || d->rules.floor[i] > 0 ? price_of(d, i, worth) : NAN;
	if (only_rule(d) < n) /* its own price is that of all rules */
		s->price[only_rule(d)] = (float)s->rules_kl;
}

/* Takes the rules of the matching linears up, and the ties that one of them is in; how many
 * linears had a rule. */
static size_t take_up(struct dial_rules *r, size_t n, const char *pattern, unsigned which)
{
	bool *untie = xarray(n + 1, sizeof *untie), *had = xarray(n + 1, sizeof *had);
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (pattern && !is(pattern, i))
			continue;
		if (which & PRICE_PINS && r->pin[i] >= 0) {
			had[i] = true;
			r->pin[i] = -1;
		}
		if (which & PRICE_FLOORS && r->floor[i] > 0) {
			had[i] = true;
			r->floor[i] = 0;
		}
		untie[r->tie[i]] = which & PRICE_TIES;
	}
	for (size_t i = n; i--;) /* the one that names a tie comes last */
		if (r->tie[i] != i && untie[r->tie[i]]) {
			had[i] = had[r->tie[i]] = true;
			r->tie[i] = (uint16_t)i;
		}
	for (size_t i = 0; i < n; i++)
		count += had[i];
	xfree(untie);
	xfree(had);
	return count;
}

enum st dial_price(
	struct dial *d, const char *pattern, unsigned which, struct dial_price *p, struct err *e)
{
	struct dial_rules r = { 0 };
	struct front *f = NULL;
	size_t matched;
	enum st st = ST_OK;

	*p = (struct dial_price){ 0 };
	pthread_mutex_lock(&d->mu);
	if (!d->m || !d->now)
		st = dial_no_model(e);
	else if (d->given)
		st = err_set(e, ST_INVALID,
			"price: the layout under the dial keeps to no rules; turn the dial first");
	else if (pattern)
		st = match(d, pattern, &matched, e);
	if (!st) {
		r = rules_copy(&d->rules, d->m->n);
		p->rules = take_up(&r, d->m->n, pattern, which);
		p->in_nats = d->now->in_nats;
		p->with = d->answer_kl;
		p->bpw = dial_bpw_of(d, d->answer_bytes);
		st = dial_front_under(&f, d, d->now, &r, e);
	}
	if (!st)
		p->without = p->with - cost(d, f);
	pthread_mutex_unlock(&d->mu);
	front_free(f);
	rules_free(&r);
	return st;
}
