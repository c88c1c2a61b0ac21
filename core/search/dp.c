/* dp.c - the exact answer at every budget: a dynamic programme over bytes.
 *
 * best_i[w] = min over options j of best_{i-1}[w - size_ij] + damage_ij, w in cells of
 * the sizes' common divisor after each unit's least is taken off; best_i[w] is the
 * least damage of the first i units within w cells.  The pick of every (i, w) is kept for
 * the way back.  Where the divisor is too small for the memory and time we allow,
 * cells are made coarser and sizes rounded up: never over budget, but not exact.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/search/dp_row.h"
#include "core/search/units.h"

enum {
	TABLE_MAX = 160 << 20, /* cells: bounds the time, about 0.2 s, and the memory */
	POLL_CELLS = 2 << 20   /* a few milliseconds between two polls */
};

/* One unit with a choice to make; W: cells that it and those before it can use. */
struct item {
	uint32_t unit, size[FORMAT_MAX];
	size_t W, row, bytes; /* where its picks begin, and how many bytes they take */
	double damage[FORMAT_MAX];
};

struct front_table {
	const struct front *f; /* counted */
	struct item *item;     /* smallest first */
	size_t n_items;
	uint64_t cell; /* bytes */
	uint8_t *pick; /* item i: W + 1 of them, rounded up to blocks */
	bool exact;
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

static const struct option *options(const struct front *f, size_t unit)
{
	return &f->option[f->unit[unit].first];
}

static uint64_t extra(const struct option *o, size_t j)
{
	return o[j].bytes - o[0].bytes;
}

static uint64_t common_divisor(const struct front *f)
{
	uint64_t g = 0;

	for (size_t i = 0; i < f->n_units; i++)
		for (size_t j = 1; j < f->unit[i].count; j++)
			g = gcd(g, extra(options(f, i), j));
	return g ? g : 1;
}

static size_t round_up(size_t n)
{
	return (n + DP_BLOCK - 1) / DP_BLOCK * DP_BLOCK;
}

/* Small units first: the rows of the first items are short. */
static int by_size(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->W != y->W)
		return x->W < y->W ? -1 : 1;
	return (x->unit > y->unit) - (x->unit < y->unit);
}

/* How many picks there are with cells of `cell` bytes; units' extras in ascending order. */
static double table_cells(const uint64_t *most, size_t n, uint64_t cell)
{
	double W = 0, sum = 0;

	for (size_t i = 0; i < n; i++) {
		W += (double)((most[i] + cell - 1) / cell);
		sum += W + DP_BLOCK;
	}
	return sum;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The smallest multiple of the divisor g that the table fits with. */
static uint64_t choose_cell(const struct front *f, uint64_t g)
{
	uint64_t *most = xarray(f->n_units, sizeof *most), lo = 1, hi = 1;

	for (size_t i = 0; i < f->n_units; i++)
		most[i] = extra(options(f, i), f->unit[i].count - 1);
	qsort(most, f->n_units, sizeof *most, by_value);
	while (table_cells(most, f->n_units, g * hi) > TABLE_MAX && hi < UINT64_MAX / 4 / g)
		hi *= 2;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (table_cells(most, f->n_units, g * mid) > TABLE_MAX)
			lo = mid + 1;
		else
			hi = mid;
	}
	xfree(most);
	return g * lo;
}

static void make_items(struct front_table *t)
{
	const struct front *f = t->f;
	size_t W = 0, row = 0;

	t->item = xarray(f->n_units, sizeof *t->item);
	for (size_t i = 0; i < f->n_units; i++) {
		struct item *it = &t->item[t->n_items];

		if (f->unit[i].count < 2)
			continue;
		t->n_items++;
		it->unit = (uint32_t)i;
		for (size_t j = 0; j < f->unit[i].count; j++) {
			uint64_t x = extra(options(f, i), j);

			it->size[j] = (uint32_t)((x + t->cell - 1) / t->cell);
			it->damage[j] = options(f, i)[j].damage;
		}
		it->W = it->size[f->unit[i].count - 1];
	}
	qsort(t->item, t->n_items, sizeof *t->item, by_size);
	for (size_t i = 0; i < t->n_items; i++) {
		W += t->item[i].W;
		t->item[i].W = W;
		t->item[i].row = row;
		t->item[i].bytes = dp_pick_bytes(f->unit[t->item[i].unit].count, round_up(W + 1));
		row += t->item[i].bytes;
	}
}

/* best: damages, after infinities for budgets below zero. */
static enum st run(struct front_table *t, double *best, const struct sink *s)
{
	size_t filled = DP_BLOCK, cells = 0;

	memset(best, 0, filled * sizeof *best);
	if (sink_poll(s))
		return ST_CANCELLED;
	for (size_t i = 0; i < t->n_items; i++) {
		const struct item *it = &t->item[i];
		size_t len = round_up(it->W + 1);

		for (; filled < len; filled++) /* more bytes than all before can use */
			best[filled] = best[filled - 1];
		dp_row(best, t->pick + it->row, it->size, it->damage, t->f->unit[it->unit].count,
			len);
		cells += len;
		if (cells >= POLL_CELLS) {
			cells = 0;
			sink_progress(s, (double)(i + 1), (double)t->n_items);
			if (sink_poll(s))
				return ST_CANCELLED;
		}
	}
	return ST_OK;
}

static enum st solve(struct front_table *t, const struct sink *s, struct err *e)
{
	const struct item *last = t->n_items ? &t->item[t->n_items - 1] : NULL;
	size_t pad = 0, len = DP_BLOCK;
	double *mem;
	enum st st;

	for (size_t i = 0; i < t->n_items; i++)
		for (size_t j = 0; j < FORMAT_MAX; j++)
			pad = t->item[i].size[j] > pad ? t->item[i].size[j] : pad;
	pad = round_up(pad);
	if (last) {
		len = round_up(last->W + 1);
		t->pick = big_alloc(last->row + last->bytes, "table of the exact search", e);
		if (!t->pick)
			return ST_NOMEM;
	}
	mem = big_array(pad + len, sizeof *mem, "rows of the exact search", e);
	if (!mem)
		return ST_NOMEM;
	for (size_t w = 0; w < pad; w++)
		mem[w] = INFINITY;
	st = run(t, mem + pad, s);
	big_free(mem);
	if (st == ST_CANCELLED)
		return err_set(e, st, "the exact search was stopped");
	return st;
}

enum st front_exact(
	struct front_table **out, const struct front *f, const struct sink *s, struct err *e)
{
	struct front_table *t = xalloc(sizeof *t);
	uint64_t g = common_divisor(f);
	enum st st;

	*out = NULL;
	t->f = front_ref(f);
	t->cell = choose_cell(f, g);
	t->exact = t->cell == g;
	make_items(t);
	st = solve(t, s, e);
	if (st) {
		front_table_free(t);
		return st;
	}
	*out = t;
	return ST_OK;
}

void front_table_free(struct front_table *t)
{
	if (!t)
		return;
	front_unref(t->f);
	xfree(t->item);
	big_free(t->pick);
	xfree(t);
}

/* Rounded-up sizes leave bytes unused, and the greedy answer may then be the better
 * one. */
static void answer_coarse(const struct front_table *t, uint64_t budget, uint8_t *at,
	uint8_t *choice, struct front_answer *a)
{
	struct front_answer greedy;

	front_sum(t->f, at, NULL, a);
	front_fill(t->f, at, budget - a->bytes);
	(void)front_answer(t->f, budget, choice, &greedy);
	front_sum(t->f, at, NULL, a);
	if (greedy.damage <= a->damage)
		*a = greedy;
	else
		front_sum(t->f, at, choice, a);
	a->bound = front_bound(t->f, budget);
	a->exact = greedy.exact;
	if (a->exact || a->bound > a->damage)
		a->bound = a->damage;
}

bool front_table_answer(
	const struct front_table *t, uint64_t budget, uint8_t *choice, struct front_answer *a)
{
	const struct front *f = t->f;
	uint8_t *at;
	uint64_t w;

	if (budget < f->least)
		return front_answer(f, budget, choice, a);
	at = xalloc(f->n_units);
	w = (budget - f->least) / t->cell;
	for (size_t i = t->n_items; i-- > 0;) {
		const struct item *it = &t->item[i];

		if (w > it->W)
			w = it->W;
		at[it->unit] = dp_pick(t->pick + it->row, f->unit[it->unit].count, w);
		w -= it->size[at[it->unit]];
	}
	if (t->exact) {
		front_sum(f, at, choice, a);
		a->bound = a->damage;
		a->exact = true;
	} else {
		answer_coarse(t, budget, at, choice, a);
	}
	xfree(at);
	return true;
}
