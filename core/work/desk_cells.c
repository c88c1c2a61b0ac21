/* desk_cells.c - measuring cells: the first score, the fast pass, the scan. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk_private.h"

struct cells_run {
	struct desk *d;
	enum cell_state state;
	const char *stage;
	size_t tokens, done, total;
	const struct sink *s;
};

static void cell_done(void *arg, const struct scan_cell *c)
{
	struct cells_run *r = arg;
	struct desk *d = r->d;
	size_t at = c->linear * d->set.k + c->format;
	struct cached_cell cc = { .linear = c->linear,
		.format = d->set.format[c->format],
		.tokens = (uint32_t)r->tokens,
		.kl = c->kl,
		.se = c->se,
		.top1 = c->top1 };

	d->cell[at] = (struct map_cell){ .state = (uint8_t)r->state,
		.tokens = cc.tokens,
		.value = (float)c->kl,
		.se = (float)c->se };
	desk_by(variant_at(&d->set, c->linear, c->format)->by, d->cell_by[at]);
	memcpy(cc.by, d->cell_by[at], sizeof cc.by);
	memcpy(cc.text, d->text_hash, sizeof cc.text);
	cache_put_cell(d->cache, &cc);
	if (d->measured)
		d->measured(d->arg, c, r->stage);
	sink_progress(r->s, (double)++r->done, (double)r->total);
	desk_tell(d, DESK_CELLS);
}

/* The same sink without progress, which is told here in cells of the whole. */
static const struct sink *silent(const struct sink *s, struct sink *quiet)
{
	if (!s)
		return NULL;
	*quiet = *s;
	quiet->progress = NULL;
	return quiet;
}

struct score_run {
	struct desk *d;
	double *err;
	const struct sink *s;
};

static void score_block(void *arg, size_t layer)
{
	struct score_run *r = arg;
	struct desk *d = r->d;
	size_t k = d->set.k;

	for (size_t i = layer * LINEAR_KINDS; i < (layer + 1) * LINEAR_KINDS; i++)
		for (size_t f = 0; f < k; f++) {
			struct map_cell *c = &d->cell[i * k + f];
			struct cached_cell cc = { .linear = (uint32_t)i,
				.format = d->set.format[f],
				.kl = r->err[i * k + f],
				.se = (double)NAN,
				.top1 = (double)NAN };

			if (f == d->keep || desk_is_mix(d, f) || isnan(r->err[i * k + f]))
				continue;
			d->score[i * k + f] = r->err[i * k + f];
			if (c->state == CELL_UNKNOWN)
				*c = (struct map_cell){ .state = CELL_SCORED,
					.value = (float)d->score[i * k + f],
					.se = NAN };
			desk_by(variant_at(&d->set, i, f)->by, cc.by);
			memcpy(cc.text, d->text_hash, sizeof cc.text);
			cache_put_cell(d->cache, &cc);
		}
	sink_progress(r->s, (double)layer + 1, (double)d->m->hp.layers);
	desk_tell(d, DESK_CELLS);
}

/* The first `tokens` tokens of the scan's text as few sequences. */
static struct token_text head_of(const struct token_text *t, size_t tokens)
{
	struct token_text h = *t;

	h.n_seq = tokens / t->len ? tokens / t->len : 1;
	if (h.n_seq > t->n_seq)
		h.n_seq = t->n_seq;
	if (h.n_seq == 1 && t->len > tokens)
		h.len = tokens;
	return h;
}

enum st desk_first_score(struct desk *d, const struct sink *s, struct err *e)
{
	size_t nk = d->set.n * d->set.k;
	struct score_run r = { .d = d, .s = s };
	struct sink quiet;
	struct token_text t;
	bool missing = false;
	enum st st = desk_scan_text(d, s, e);

	if (st)
		return st;
	for (size_t i = 0; i < nk; i++)
		missing |= desk_staged(d, i / d->set.k, i % d->set.k) && isnan(d->score[i]);
	if (!missing)
		return ST_OK;
	t = head_of(&d->scan_text, DESK_SCORE_TOKENS);
	r.err = xarray(nk, sizeof *r.err);
	st = scan_first_score(r.err, d->m, &d->set, &t, score_block, &r, silent(s, &quiet), e);
	xfree(r.err);
	return st;
}

static const struct desk *order_desk; /* qsort has no argument; engine thread only */

/* Fast pass: blocks in the order of their worst first score, whole blocks together (one
 * batch goes through the rest of the network). */
static double block_score(const struct desk *d, size_t layer)
{
	double worst = 0;

	for (size_t i = layer * LINEAR_KINDS * d->set.k; i < (layer + 1) * LINEAR_KINDS * d->set.k;
		i++)
		if (d->score[i] > worst)
			worst = d->score[i];
	return worst;
}

static int by_block(const void *a, const void *b)
{
	const struct scan_cell *x = a, *y = b;
	size_t lx = x->linear / LINEAR_KINDS, ly = y->linear / LINEAR_KINDS;
	double sx = block_score(order_desk, lx), sy = block_score(order_desk, ly);

	if (lx != ly)
		return sx < sy || (sx == sy && lx > ly) ? 1 : -1;
	return x->linear != y->linear ? (x->linear < y->linear ? -1 : 1)
				      : (int)x->format - (int)y->format;
}

/* Scan: least damage for each byte saved first; those are the cells a layout will use. */
static double slope(const struct scan_cell *c)
{
	const struct desk *d = order_desk;
	size_t most = d->keep < d->set.k ? d->keep : d->set.k - 1;
	double saved = (double)desk_bytes(d, c->linear, most) -
		       (double)desk_bytes(d, c->linear, c->format);

	double damage = (double)d->cell[c->linear * d->set.k + c->format].value;

	return isnan(damage) ? INFINITY : damage / (saved > 1 ? saved : 1);
}

static int by_slope(const void *a, const void *b)
{
	double x = slope(a), y = slope(b);

	return x < y ? -1 : x > y ? 1 : by_block(a, b);
}

/* Could a layout use the cell, and is there a variant to measure? */
static bool measurable(const struct desk *d, size_t i, size_t f)
{
	return d->useful[i * d->set.k + f] && f != d->keep && variant_at(&d->set, i, f)->mat.data;
}

static bool cell_wanted(const struct desk *d, size_t i, size_t f, enum cell_state state)
{
	const struct map_cell *c = &d->cell[i * d->set.k + f];
	char by[12];

	if (!measurable(d, i, f) || desk_is_mix(d, f))
		return false;
	if (state == CELL_FAST)
		return c->state < CELL_FAST || c->state > CELL_SCANNED;
	desk_by(variant_at(&d->set, i, f)->by, by);
	return c->state != CELL_SCANNED || strcmp(by, d->cell_by[i * d->set.k + f]);
}

enum st desk_measure_cells(
	struct desk *d, enum cell_state state, const struct sink *s, struct err *e)
{
	size_t n = 0, k = d->set.k, total = 0;
	struct cells_run r = {
		.d = d, .state = state, .s = s, .stage = state == CELL_FAST ? "fast" : "scan"
	};
	struct scan_cell *cells;
	struct scan *sc = NULL;
	struct sink quiet;
	struct token_text t;
	enum st st = desk_scan_text(d, s, e);

	if (st)
		return st;
	t = state == CELL_FAST ? head_of(&d->scan_text, DESK_FAST_TOKENS) : d->scan_text;
	r.tokens = t.n_seq * t.len;
	cells = xarray(d->set.n * k + 1, sizeof *cells);
	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < k; f++) {
			total += desk_staged(d, i, f);
			if (cell_wanted(d, i, f, state))
				cells[n++] = (struct scan_cell){ .linear = (uint32_t)i,
					.format = (uint8_t)f };
		}
	order_desk = d;
	qsort(cells, n, sizeof *cells, state == CELL_FAST ? by_block : by_slope);
	r.total = total;
	r.done = total - n;
	if (n) {
		st = scan_new(&sc, d->m, &t, silent(s, &quiet), e);
		sink_progress(s, (double)r.done, (double)r.total);
		if (!st)
			st = scan_cells(sc, &d->set, cells, n, cell_done, &r, silent(s, &quiet), e);
		scan_free(sc);
	}
	xfree(cells);
	return st;
}

enum st desk_measure_list(struct desk *d, const struct scan_cell *cell, size_t n,
	const struct sink *s, struct err *e)
{
	struct cells_run r = { .d = d, .state = CELL_SCANNED, .s = s, .stage = "scan", .total = n };
	struct scan *sc = NULL;
	struct sink quiet;
	enum st st = desk_scan_text(d, s, e);

	r.tokens = d->scan_text.n_seq * d->scan_text.len;
	if (!st)
		st = scan_new(&sc, d->m, &d->scan_text, silent(s, &quiet), e);
	if (!st)
		st = scan_cells(sc, &d->set, cell, n, cell_done, &r, silent(s, &quiet), e);
	scan_free(sc);
	return st;
}

enum st desk_measure_more(struct desk *d, const struct scan_cell *cell, size_t n,
	const struct sink *s, struct err *e)
{
	struct cells_run r = { .d = d, .state = CELL_SCANNED, .s = s, .stage = "more" };
	struct scan_cell *wanted = xarray(n + 1, sizeof *wanted);
	struct scan *sc = NULL;
	struct sink quiet;
	struct token_text t = { 0 };
	enum st st = ST_OK;

	for (size_t i = 0; i < n; i++) {
		size_t at = cell[i].linear * d->set.k + cell[i].format;

		if (measurable(d, cell[i].linear, cell[i].format) &&
			d->cell[at].tokens < DESK_MORE_TOKENS)
			wanted[(size_t)r.total++] = cell[i];
	}
	if (r.total > 0)
		st = desk_more_text(d, DESK_MORE_TOKENS, &t, s, e);
	r.tokens = t.n_seq * t.len;
	if (!st && t.n_seq)
		st = scan_new(&sc, d->m, &t, silent(s, &quiet), e);
	if (!st && t.n_seq)
		st = scan_cells(sc, &d->set, wanted, (size_t)r.total, cell_done, &r,
			silent(s, &quiet), e);
	scan_free(sc);
	token_text_release(&t);
	xfree(wanted);
	return st;
}
