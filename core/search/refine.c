/* refine.c - exchanges of bits between linears, judged by measured KL. */
#include "core/search/refine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum {
	ROUNDS = 3,
	MOVES_EACH = 64,
	CANDIDATES = 4 /* all moves, a half, a quarter, an eighth of them */
};

struct refiner {
	const struct refine_input *in;
	size_t n, k;
	uint8_t *at;    /* [n]: the layout of this round */
	double scale;   /* KL of the layout over the sum of its damages */
	double *delta;  /* [n][k]: what a move does; NAN: not measured */
	double *priced; /* [n][k]: the same and a price for each move */
	uint8_t *try[CANDIDATES];
	size_t n_try;
	struct scan_cell *cell;
	size_t n_cells;
	const struct sink *s;
	struct err *e;
};

static const struct mat *mat_of(const struct refiner *r, size_t i, size_t f)
{
	return format_is_keep(r->in->v->format[f]) ? r->in->m->ref[i]
						   : &variant_at(r->in->v, i, f)->mat;
}

static const struct mat **view_of(const struct refiner *r, const uint8_t *choice)
{
	const struct mat **view = xarray(r->n + 1, sizeof *view);

	for (size_t i = 0; i < r->n; i++)
		view[i] = mat_of(r, i, choice[i]);
	return view;
}

static uint64_t bytes_of(const struct refiner *r, const uint8_t *choice)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += r->in->front->bytes[i * r->k + choice[i]];
	return sum;
}

/* ---- moves */

static bool allowed(const struct refiner *r, size_t i, size_t f)
{
	const struct front_input *in = r->in->front;

	return !isnan(in->damage[i * r->k + f]) && mat_of(r, i, f)->data &&
	       !(in->pin && in->pin[i] >= 0) && !(in->floor && (int)f < in->floor[i]);
}

/* The allowed format next in size to the one it has; k: none. */
static size_t next_to(const struct refiner *r, size_t i, bool up)
{
	const uint64_t *bytes = r->in->front->bytes + i * r->k;
	size_t now = r->at[i], best = r->k;

	for (size_t f = 0; f < r->k; f++) {
		if (!allowed(r, i, f) || (up ? bytes[f] <= bytes[now] : bytes[f] >= bytes[now]))
			continue;
		if (best == r->k || (up ? bytes[f] < bytes[best] : bytes[f] > bytes[best]))
			best = f;
	}
	return best;
}

struct worth {
	double rate; /* damage a byte */
	struct scan_cell cell;
};

static int by_rate(const void *a, const void *b)
{
	const struct worth *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? -1 : 1;
	return (x->cell.linear > y->cell.linear) - (x->cell.linear < y->cell.linear);
}

static int by_linear(const void *a, const void *b)
{
	const struct scan_cell *x = a, *y = b;

	return x->linear != y->linear ? (x->linear < y->linear ? -1 : 1)
				      : (int)x->format - (int)y->format;
}

/* Those up that save most, or down that cost least, by what each does alone in the reference. */
static void list_way(struct refiner *r, bool up, size_t most)
{
	const struct front_input *in = r->in->front;
	struct worth *w = xarray(r->n + 1, sizeof *w);
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		size_t now = i * r->k + r->at[i], f = next_to(r, i, up), to = i * r->k + f;

		if (f == r->k)
			continue;
		w[n].rate = (in->damage[to] - in->damage[now]) /
			    fabs((double)in->bytes[to] - (double)in->bytes[now]);
		w[n++].cell = (struct scan_cell){ .linear = (uint32_t)i, .format = (uint8_t)f };
	}
	qsort(w, n, sizeof *w, by_rate);
	for (size_t i = 0; i < n && i < most; i++)
		r->cell[r->n_cells++] = w[i].cell;
	xfree(w);
}

static void list_moves(struct refiner *r)
{
	size_t most = r->in->moves_each ? r->in->moves_each : MOVES_EACH;

	r->n_cells = 0;
	list_way(r, true, most);
	list_way(r, false, most);
	qsort(r->cell, r->n_cells, sizeof *r->cell, by_linear); /* blocks together */
}

static void moved(void *arg, const struct scan_cell *c)
{
	struct refiner *r = arg;
	const double *damage = r->in->front->damage + c->linear * r->k;
	double expected = r->scale * (damage[c->format] - damage[r->at[c->linear]]);

	r->delta[c->linear * r->k + c->format] = (c->delta + expected) / 2;
}

/* Damages do not quite add up, and not the same at every size. */
static void find_scale(struct refiner *r, const struct scan *sc)
{
	struct scan_cell base;
	double sum = 0;

	scan_base(sc, &base);
	for (size_t i = 0; i < r->n; i++)
		sum += r->in->front->damage[i * r->k + r->at[i]];
	r->scale = sum > 0 && base.kl > 0 ? fmin(fmax(base.kl / sum, 0.25), 4) : 1;
}

static enum st measure_moves(struct refiner *r)
{
	const struct mat **view = view_of(r, r->at);
	struct scan *sc = NULL;
	enum st st = scan_new_parts(&sc, r->in->m, view, r->in->moves, r->s, r->e);

	list_moves(r);
	for (size_t i = 0; i < r->n * r->k; i++)
		r->delta[i] = (double)NAN;
	for (size_t i = 0; i < r->n; i++)
		r->delta[i * r->k + r->at[i]] = 0;
	if (!st)
		find_scale(r, sc);
	if (!st)
		st = scan_cells(sc, r->in->v, r->cell, r->n_cells, moved, r, r->s, r->e);
	scan_free(sc);
	xfree(view);
	return st;
}

/* ---- candidates */

static size_t changes(const struct refiner *r, const uint8_t *choice)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += choice[i] != r->at[i];
	return n;
}

/* The best exchange where every move costs `price` nats; false: none fits. */
static bool exchange(struct refiner *r, double price, uint8_t *choice)
{
	struct front_input in = *r->in->front;
	struct front_answer a;
	struct front *f;
	bool fits;

	for (size_t i = 0; i < r->n * r->k; i++) {
		bool stays = i % r->k == r->at[i / r->k];

		/* All above 0: what a front expects of damages. */
		r->priced[i] = 1e3 + r->delta[i] + (stays ? 0 : price);
	}
	in.damage = r->priced;
	in.se = NULL;
	if (front_new(&f, &in, NULL))
		return false;
	fits = front_answer(f, r->in->budget, choice, &a);
	front_free(f);
	return fits;
}

/* At most `most` moves: the price is what makes it so. */
static bool exchange_of(struct refiner *r, size_t most, uint8_t *choice)
{
	double lo = 0, hi = 1;

	for (int i = 0; i < 24; i++) {
		double price = (lo + hi) / 2;

		if (!exchange(r, price, choice))
			return false;
		if (changes(r, choice) > most)
			lo = price;
		else
			hi = price;
	}
	return exchange(r, hi, choice) && changes(r, choice) > 0;
}

static void make_candidates(struct refiner *r)
{
	size_t all;

	r->n_try = 0;
	if (!exchange(r, 0, r->try[0]) || !(all = changes(r, r->try[0])))
		return;
	r->n_try = 1;
	for (size_t part = 2; r->n_try < CANDIDATES && all / part >= 2; part *= 2)
		if (exchange_of(r, all / part, r->try[r->n_try]) &&
			memcmp(r->try[r->n_try], r->try[r->n_try - 1], r->n))
			r->n_try++;
}

/* The candidate that does best on other text, beyond an error; n_try: none is better. */
static enum st judge(struct refiner *r, struct refine_result *out, size_t *best)
{
	const struct mat **view = view_of(r, r->at);
	struct scan_cell c = { 0 };
	double least = 0;
	struct scan *sc = NULL;
	enum st st = scan_new_parts(&sc, r->in->m, view, r->in->judge, r->s, r->e);

	*best = r->n_try;
	if (!st) {
		scan_base(sc, &c);
		out->to = c.kl;
		out->from = out->rounds ? out->from : c.kl;
	}
	for (size_t t = 0; !st && t < r->n_try; t++) {
		const struct mat **other = view_of(r, r->try[t]);

		st = scan_view(sc, other, &c, r->s, r->e);
		xfree(other);
		out->judged += !st;
		if (!st && c.delta < least && c.delta + (isnan(c.delta_se) ? 0 : c.delta_se) < 0) {
			least = c.delta;
			*best = t;
		}
	}
	scan_free(sc);
	xfree(view);
	return st;
}

/* How far the whole way led, on the judge's text. */
static enum st account(struct refiner *r, struct refine_result *out, const uint8_t *start)
{
	const struct mat **from = view_of(r, start), **to = view_of(r, r->at);
	struct scan_cell c;
	struct scan *sc = NULL;
	enum st st = scan_new_parts(&sc, r->in->m, from, r->in->judge, r->s, r->e);

	if (!st)
		st = scan_view(sc, to, &c, r->s, r->e);
	if (!st) {
		out->to = c.kl;
		out->gain = -c.delta;
		out->gain_se = c.delta_se;
	}
	scan_free(sc);
	xfree(from);
	xfree(to);
	return st;
}

static enum st round_of(struct refiner *r, struct refine_result *out, bool *better)
{
	size_t best = 0;
	enum st st = measure_moves(r);

	*better = false;
	if (st)
		return st;
	make_candidates(r);
	st = judge(r, out, &best);
	if (st || best == r->n_try)
		return st;
	memcpy(r->at, r->try[best], r->n);
	out->rounds++;
	*better = true;
	return ST_OK;
}

static enum st check(const struct refiner *r, const uint8_t *choice, struct err *e)
{
	char name[32];

	for (size_t i = 0; i < r->n; i++)
		if (choice[i] >= r->k || !mat_of(r, i, choice[i])->data)
			return err_set(e, ST_INVALID,
				"refine: %s has no variant yet; measure the layout first",
				linear_name(i, name));
	if (bytes_of(r, choice) > r->in->budget)
		return err_set(e, ST_INVALID, "refine: the layout is above its budget");
	return ST_OK;
}

enum st refine(struct refine_result *out, uint8_t *choice, const struct refine_input *in,
	const struct sink *s, struct err *e)
{
	size_t n = in->front->n, k = in->front->k, rounds = in->rounds ? in->rounds : ROUNDS;
	struct refiner r = { .in = in, .n = n, .k = k, .s = s, .e = e };
	uint8_t *start = xarray(n + 1, 1);
	bool better = true;
	enum st st = check(&r, choice, e);

	*out = (struct refine_result){ 0 };
	r.at = xarray(n + 1, 1);
	r.delta = xarray(n * k + 1, sizeof *r.delta);
	r.priced = xarray(n * k + 1, sizeof *r.priced);
	r.cell = xarray(2 * n + 1, sizeof *r.cell);
	for (size_t t = 0; t < CANDIDATES; t++)
		r.try[t] = xarray(n + 1, 1);
	memcpy(start, choice, n);
	memcpy(r.at, choice, n);
	for (size_t i = 0; !st && better && i < rounds; i++)
		st = round_of(&r, out, &better);
	memcpy(choice, r.at, n);
	memcpy(r.at, start, n);
	out->moves = changes(&r, choice);
	memcpy(r.at, choice, n);
	if (!st && out->moves)
		st = account(&r, out, start);
	for (size_t t = 0; t < CANDIDATES; t++)
		xfree(r.try[t]);
	xfree(r.at);
	xfree(r.delta);
	xfree(r.priced);
	xfree(r.cell);
	xfree(start);
	return st;
}
