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
	size_t source[SOURCES_MAX]; /* that the parts of the scan are of */
	size_t tokens[SOURCES_MAX]; /* of each part */
	size_t done, total;
	const struct sink *s;
};

/* What was measured on one source, and on a lone text. */
static void keep_part(const struct cells_run *r, const struct scan_cell *c, size_t p)
{
	struct desk *d = r->d;
	struct desk_source *of = desk_many_texts(d) ? &d->source[r->source[p]] : NULL;
	size_t at = c->linear * d->set.k + c->format;
	char *by = of ? of->cell_by[at] : d->cell_by[at];
	struct cached_cell cc = { .linear = c->linear,
		.format = d->set.format[c->format],
		.tokens = (uint32_t)r->tokens[p],
		.kl = cache_round(fmax(c->part[p].kl, 0)), /* below it by rounding */
		.se = cache_round(c->part[p].se),
		.top1 = c->part[p].top1 };

	*(of ? &of->cell[at] : &d->cell[at]) = (struct map_cell){ .state = (uint8_t)r->state,
		.tokens = cc.tokens,
		.value = (float)cc.kl,
		.se = (float)cc.se };
	desk_cell_by(d, variant_at(&d->set, c->linear, c->format)->by, by);
	memcpy(cc.by, by, sizeof cc.by);
	memcpy(cc.text, of ? of->hash : d->text_hash, sizeof cc.text);
	cache_put_cell(d->cache, &cc);
}

static void cell_done(void *arg, const struct scan_cell *c)
{
	struct cells_run *r = arg;
	struct desk *d = r->d;
	size_t at = c->linear * d->set.k + c->format;
	struct scan_cell whole = *c;

	for (size_t p = 0; p < c->parts; p++)
		keep_part(r, c, p);
	if (desk_many_texts(d)) { /* with the sources that were measured before */
		desk_texts_cell(d, at);
		whole.kl = (double)d->cell[at].value;
		whole.se = (double)d->cell[at].se;
	}
	if (d->measured)
		d->measured(d->arg, &whole, r->stage);
	sink_progress(r->s, (double)++r->done, (double)r->total);
	desk_tell(d, DESK_CELLS);
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
				.kl = cache_round(r->err[i * k + f]),
				.se = (double)NAN,
				.top1 = (double)NAN };

			if (f == d->keep || desk_is_mix(d, f) || isnan(r->err[i * k + f]))
				continue;
			d->score[i * k + f] = cc.kl;
			if (c->state <= CELL_SCORED)
				*c = (struct map_cell){ .state = CELL_SCORED,
					.value = (float)d->score[i * k + f],
					.se = NAN };
			desk_cell_by(d, variant_at(&d->set, i, f)->by, cc.by);
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
	st = scan_first_score(r.err, d->m, &d->set, &t, score_block, &r, desk_silent(s, &quiet), e);
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

static bool known_enough(
	const struct map_cell *c, const char *measured_by, const char *by, enum cell_state state)
{
	if (state == CELL_FAST)
		return c->state >= CELL_FAST && c->state <= CELL_SCANNED;
	return c->state == CELL_SCANNED && !strcmp(by, measured_by);
}

/* A bit for each source that the cell is still to be measured on; a lone text is bit 0. */
static unsigned wanted_on(const struct desk *d, size_t i, size_t f, enum cell_state state)
{
	size_t at = i * d->set.k + f;
	unsigned mask = 0;
	char by[CACHE_BY];

	if (!measurable(d, i, f) || desk_is_mix(d, f))
		return 0;
	desk_cell_by(d, variant_at(&d->set, i, f)->by, by);
	if (!desk_many_texts(d))
		return !known_enough(&d->cell[at], d->cell_by[at], by, state);
	for (size_t s = 0; s < d->sources.n; s++)
		if (!known_enough(&d->source[s].cell[at], d->source[s].cell_by[at], by, state))
			mask |= 1u << s;
	return mask;
}

/* One scan over the sources of the mask: their sequences are rows of the same batches. */
static enum st measure_on(struct cells_run *r, unsigned mask, const struct token_text *text,
	const struct scan_cell *cells, size_t n, struct err *e)
{
	struct desk *d = r->d;
	struct scan_text t = { 0 };
	struct scan *sc = NULL;
	struct sink quiet;
	enum st st;

	for (size_t s = 0; s < SOURCES_MAX; s++)
		if (mask >> s & 1) {
			r->source[t.n] = s;
			r->tokens[t.n] = text[s].n_seq * text[s].len;
			t.weight[t.n] = desk_many_texts(d) ? d->sources.at[s].weight : 1;
			t.part[t.n++] = text[s];
		}
	st = scan_new_parts(&sc, d->m, NULL, &t, desk_silent(r->s, &quiet), e);
	sink_progress(r->s, (double)r->done, (double)r->total);
	if (!st)
		st = scan_cells(sc, &d->set, cells, n, cell_done, r, desk_silent(r->s, &quiet), e);
	scan_free(sc);
	return st;
}

/* Those that lack the same sources are measured together, in the order they are in. */
static enum st measure_all(struct cells_run *r, const struct token_text *text,
	const struct scan_cell *cells, const uint8_t *mask, size_t n, struct err *e)
{
	struct scan_cell *alike = xarray(n + 1, sizeof *alike);
	enum st st = ST_OK;

	for (unsigned m = (1u << SOURCES_MAX) - 1; m && !st; m--) {
		size_t k = 0;

		for (size_t i = 0; i < n; i++)
			if (mask[i] == m)
				alike[k++] = cells[i];
		if (k)
			st = measure_on(r, m, text, alike, k, e);
	}
	xfree(alike);
	return st;
}

/* The scan's text of each source, borrowed; a bit for each there is. */
static unsigned whole_texts(const struct desk *d, struct token_text text[SOURCES_MAX])
{
	size_t n = desk_many_texts(d) ? d->sources.n : 1;

	for (size_t i = 0; i < n; i++)
		text[i] = desk_many_texts(d) ? d->source[i].text : d->scan_text;
	return (1u << n) - 1;
}

enum st desk_measure_cells(
	struct desk *d, enum cell_state state, const struct sink *s, struct err *e)
{
	size_t n = 0, k = d->set.k, total = 0;
	struct cells_run r = {
		.d = d, .state = state, .s = s, .stage = state == CELL_FAST ? "fast" : "scan"
	};
	struct token_text text[SOURCES_MAX] = { { 0 } };
	struct scan_cell *cells;
	uint8_t *mask;
	enum st st = desk_scan_text(d, s, e);

	if (st)
		return st;
	whole_texts(d, text);
	for (size_t i = 0; i < SOURCES_MAX && state == CELL_FAST; i++)
		if (text[i].n_seq)
			text[i] = head_of(&text[i], DESK_FAST_TOKENS);
	cells = xarray(d->set.n * k + 1, sizeof *cells);
	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < k; f++) {
			total += desk_staged(d, i, f);
			if (wanted_on(d, i, f, state))
				cells[n++] = (struct scan_cell){ .linear = (uint32_t)i,
					.format = (uint8_t)f };
		}
	order_desk = d;
	qsort(cells, n, sizeof *cells, state == CELL_FAST ? by_block : by_slope);
	mask = xarray(n + 1, 1);
	for (size_t i = 0; i < n; i++)
		mask[i] = (uint8_t)wanted_on(d, cells[i].linear, cells[i].format, state);
	r.total = total;
	r.done = total - n;
	st = measure_all(&r, text, cells, mask, n, e);
	xfree(mask);
	xfree(cells);
	return st;
}

enum st desk_measure_list(struct desk *d, const struct scan_cell *cell, size_t n,
	const struct sink *s, struct err *e)
{
	struct cells_run r = { .d = d, .state = CELL_SCANNED, .s = s, .stage = "scan", .total = n };
	struct token_text text[SOURCES_MAX] = { { 0 } };
	enum st st = desk_scan_text(d, s, e);

	if (!st)
		st = measure_on(&r, whole_texts(d, text), text, cell, n, e);
	return st;
}

/* ---- more tokens for some */

static unsigned short_on(const struct desk *d, size_t at)
{
	unsigned mask = 0;

	if (!desk_many_texts(d))
		return d->cell[at].tokens < DESK_MORE_TOKENS;
	for (size_t s = 0; s < d->sources.n; s++)
		if (d->source[s].cell[at].tokens < DESK_MORE_TOKENS)
			mask |= 1u << s;
	return mask;
}

/* Text of the sources that any of the cells lacks; the bits of those that have as much. */
static enum st more_texts(struct desk *d, unsigned lacking, struct token_text *text, unsigned *have,
	const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	*have = 0;
	for (size_t i = 0; i < SOURCES_MAX && !st; i++) {
		if (!(lacking >> i & 1))
			continue;
		st = desk_more_text_of(d, desk_many_texts(d) ? d->sources.at[i].path : d->text_path,
			DESK_MORE_TOKENS, &text[i], s, e);
		if (!st && text[i].n_seq)
			*have |= 1u << i;
	}
	return st;
}

enum st desk_lacking(
	struct desk *d, struct scan_cell *cell, size_t *n, const struct sink *s, struct err *e)
{
	unsigned have = 0;
	size_t k = 0;
	enum st st = ST_OK;

	for (size_t i = 0; i < (desk_many_texts(d) ? d->sources.n : 1) && !st; i++) {
		bool has;

		st = desk_has_more(d, desk_many_texts(d) ? d->sources.at[i].path : d->text_path,
			DESK_MORE_TOKENS, &has, s, e);
		have |= (unsigned)has << i;
	}
	for (size_t i = 0; i < *n && !st; i++) {
		size_t linear = cell[i].linear, f = cell[i].format;

		if (measurable(d, linear, f) && short_on(d, linear * d->set.k + f) & have)
			cell[k++] = cell[i];
	}
	*n = k;
	return st;
}

enum st desk_measure_more(struct desk *d, const struct scan_cell *cell, size_t n, size_t *measured,
	const struct sink *s, struct err *e)
{
	struct cells_run r = { .d = d, .state = CELL_SCANNED, .s = s, .stage = "more" };
	struct scan_cell *wanted = xarray(n + 1, sizeof *wanted);
	uint8_t *mask = xarray(n + 1, 1);
	struct token_text text[SOURCES_MAX] = { { 0 } };
	unsigned lacking = 0, have = 0;
	size_t lack = 0;
	enum st st;

	for (size_t i = 0; i < n; i++) {
		unsigned m = short_on(d, cell[i].linear * d->set.k + cell[i].format);

		if (!measurable(d, cell[i].linear, cell[i].format) || !m)
			continue;
		mask[lack] = (uint8_t)m;
		wanted[lack++] = cell[i];
		lacking |= m;
	}
	st = more_texts(d, lacking, text, &have, s, e);
	for (size_t i = 0; i < lack; i++) {
		mask[i] &= (uint8_t)have;
		r.total += mask[i] != 0;
	}
	if (!st)
		st = measure_all(&r, text, wanted, mask, lack, e);
	if (measured)
		*measured = r.done;
	for (size_t i = 0; i < SOURCES_MAX; i++)
		token_text_release(&text[i]);
	xfree(mask);
	xfree(wanted);
	return st;
}
