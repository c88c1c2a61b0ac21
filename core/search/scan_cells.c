/* scan_cells.c - the true sensitivity of a cell: KL with that one linear of the base swapped.
 *
 * The base's hidden states before every block are kept, so a cell costs the blocks from
 * its own on.  A batch of cells is run from the lowest block up: the rows of a cell join
 * as its block comes (only there with the linear swapped), and all that joined go through
 * the rest of the network, and through the head, as rows of one batch. */
#include <math.h>

#include "core/search/scan_priv.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- comparing with the reference */

/* KL of n rows of zq from the reference's rows first ..., whose logits are zp; writes kl and
 * agree [n]. */
static enum st compare(struct scan *sc, const float *zp, const float *zq, size_t first, size_t n,
	double *kl, uint8_t *agree, const struct sink *s, struct err *e)
{
	size_t vocab = sc->m->hp.vocab, step = scan_look(sc), k;
	double lse[HEAD_ROWS];
	int32_t top[HEAD_ROWS];
	enum st st = scan_stats(sc, lse, top, zq, n, s, e);

	for (size_t r = 0; !st && r < n; r += k) {
		k = least(n - r, step);
		st = fwd_kl(sc->f, kl + r, zp + r * vocab, sc->lse + first + r, zq + r * vocab,
			lse + r, k, e);
		if (!st && sink_poll(s))
			st = err_set(e, ST_CANCELLED, "the scan was stopped");
	}
	for (size_t r = 0; !st && r < n; r++)
		agree[r] = top[r] == sc->top[first + r];
	return st;
}

/* Rows of the next call of the head when so many are left: about alike, so that none has so
 * few rows that another kernel, with sums in another order, takes them. */
static size_t head_step(const struct scan *sc, size_t left)
{
	size_t calls = (left + sc->head_rows - 1) / sc->head_rows, n = (left + calls - 1) / calls;

	n = (n + HEAD_TILE - 1) / HEAD_TILE * HEAD_TILE;
	return least(n, left);
}

/* Against kept logits: the rows of all n in a line. */
static enum st measure_line(struct scan *sc, const float *h, size_t n, double *kl, uint8_t *agree,
	const struct sink *s, struct err *e)
{
	size_t vocab = sc->m->hp.vocab, all = n * sc->rows, step, k;
	enum st st = ST_OK;

	for (size_t at = 0; !st && at < all; at += step) {
		step = head_step(sc, all - at);
		st = fwd_logits(sc->f, h + at * sc->m->hp.hidden, step, sc->zq, s, e);
		for (size_t i = 0; !st && i < step; i += k) {
			size_t r = (at + i) % sc->rows, in = r % sc->head_rows;

			k = least(step - i, least(sc->rows - r, sc->head_rows - in));
			st = compare(sc, sc->z[r / sc->head_rows] + in * vocab, sc->zq + i * vocab,
				r, k, kl + at + i, agree + at + i, s, e);
		}
	}
	return st;
}

/* Against logits that must be computed again: once for the same rows of all n. */
static enum st measure_across(struct scan *sc, const float *h, size_t n, double *kl, uint8_t *agree,
	const struct sink *s, struct err *e)
{
	size_t hidden = sc->m->hp.hidden, k;
	const float *last = sc->last ? sc->last : sc->h[sc->m->hp.layers];
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < sc->rows; r += k) {
		k = least(sc->rows - r, sc->head_rows);
		st = fwd_logits(sc->f, last + r * hidden, k, sc->zp, s, e);
		for (size_t i = 0; !st && i < n; i++) {
			size_t at = i * sc->rows + r;

			st = fwd_logits(sc->f, h + at * hidden, k, sc->zq, s, e);
			if (!st)
				st = compare(sc, sc->zp, sc->zq, r, k, kl + at, agree + at, s, e);
		}
	}
	return st;
}

enum st scan_measure(struct scan *sc, const float *h, size_t n, double *kl, uint8_t *agree,
	const struct sink *s, struct err *e)
{
	return sc->z ? measure_line(sc, h, n, kl, agree, s, e)
		     : measure_across(sc, h, n, kl, agree, s, e);
}

/* ---- results */

static double value(const double *kl, const double *less, size_t i)
{
	return less ? kl[i] - less[i] : kl[i];
}

/* Mean of kl, or of kl - less, over a part's rows, and its standard error over pieces:
 * sequences, or cuts of a lone one.  Pieces may differ in length, so their deviations are
 * weighted. */
static void mean_of(
	const struct scan_range *of, const double *kl, const double *less, double *mean, double *se)
{
	size_t pieces = 0, end = of->row + of->rows;
	double sum = 0, dev = 0, rows = (double)of->rows;

	for (size_t i = of->row; i < end; i++)
		sum += value(kl, less, i);
	*mean = sum / rows;
	for (size_t i = of->row; i < end; i += of->piece, pieces++) {
		double d = 0;

		for (size_t j = i; j < i + of->piece && j < end; j++)
			d += value(kl, less, j) - *mean;
		dev += d * d;
	}
	*se = (double)NAN;
	if (pieces > 1)
		*se = sqrt(dev * (double)pieces / (double)(pieces - 1)) / rows;
}

/* The cell from its parts. */
static void put_together(const struct scan *sc, struct scan_cell *c)
{
	double var = 0, delta_var = 0;

	c->parts = (uint8_t)sc->parts;
	c->kl = c->top1 = c->delta = 0;
	for (size_t p = 0; p < sc->parts; p++) {
		const struct scan_part *of = &c->part[p];
		double w = sc->part[p].weight;

		c->kl += w * of->kl;
		c->top1 += w * of->top1;
		c->delta += w * of->delta;
		var += w * w * of->se * of->se;
		delta_var += w * w * of->delta_se * of->delta_se;
	}
	c->se = sqrt(var);
	c->delta_se = sqrt(delta_var);
	if (sc->parts > 1)
		return;
	c->se = c->part[0].se; /* to the last bit */
	c->delta_se = c->part[0].delta_se;
}

/* kl, agree: [rows] */
static void summarise(
	const struct scan *sc, const double *kl, const uint8_t *agree, struct scan_cell *c)
{
	for (size_t p = 0; p < sc->parts; p++) {
		const struct scan_range *of = &sc->part[p];
		struct scan_part *to = &c->part[p];
		size_t same = 0;

		for (size_t i = of->row; i < of->row + of->rows; i++)
			same += agree[i];
		to->top1 = (double)same / (double)of->rows;
		mean_of(of, kl, NULL, &to->kl, &to->se);
		mean_of(of, kl, sc->base_kl, &to->delta, &to->delta_se);
	}
	put_together(sc, c);
}

void scan_base(const struct scan *sc, struct scan_cell *out)
{
	if (!sc->on_reference)
		summarise(sc, sc->base_kl, sc->base_agree, out);
	for (size_t p = 0; p < sc->parts; p++)
		if (sc->on_reference)
			out->part[p] = (struct scan_part){ .top1 = 1 };
		else
			out->part[p].delta = out->part[p].delta_se = 0;
	put_together(sc, out);
}

/* ---- cells */

struct batch {
	struct scan *sc;
	const struct variant_set *v;
	struct scan_cell cell[BATCH_CELLS];
	uint8_t order[BATCH_CELLS]; /* of cells, by block */
	size_t n;
	const struct sink *s;
	struct err *e;
};

static const struct mat *cell_mat(
	const struct scan *sc, const struct variant_set *v, const struct scan_cell *c)
{
	return format_is_keep(v->format[c->format]) ? sc->m->ref[c->linear]
						    : &variant_at(v, c->linear, c->format)->mat;
}

static bool is_base(const struct scan *sc, const struct variant_set *v, const struct scan_cell *c)
{
	return scan_same(cell_mat(sc, v, c), sc->base[c->linear]);
}

static size_t block_of(const struct batch *b, size_t place)
{
	return b->sc->m->linear[b->cell[b->order[place]].linear].layer;
}

static void by_block(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		size_t j = i, l = b->sc->m->linear[b->cell[i].linear].layer;

		for (; j > 0 && block_of(b, j - 1) > l; j--)
			b->order[j] = b->order[j - 1];
		b->order[j] = (uint8_t)i;
	}
}

/* One cell's own block, from the kept states, with its linear swapped. */
static enum st swapped_block(
	struct batch *b, const struct scan_cell *c, float *to, size_t seq, size_t n_seq)
{
	struct scan *sc = b->sc;
	size_t l = sc->m->linear[c->linear].layer;
	enum st st;

	scan_copy(sc, to, scan_row(sc, sc->h[l], sc->at[seq]), sc->at[seq + n_seq] - sc->at[seq]);
	sc->view[c->linear] = cell_mat(sc, b->v, c);
	st = fwd_blocks(sc->f, sc->view, l, l + 1, to, sc->span + seq, n_seq, NULL, b->s, b->e);
	sc->view[c->linear] = sc->base[c->linear];
	return st;
}

/* The sequences seq ... seq + n_seq of the cells at places first ... first + n through the
 * network (all of them where n > 1); h [n][their rows][hidden] becomes their final states. */
static enum st staircase(
	struct batch *b, size_t first, size_t n, float *h, size_t seq, size_t n_seq)
{
	struct scan *sc = b->sc;
	size_t layers = sc->m->hp.layers, joined = 0, upto = 0;
	size_t rows = sc->at[seq + n_seq] - sc->at[seq];
	enum st st = ST_OK;

	while (!st && upto < layers) {
		size_t l = joined < n ? block_of(b, first + joined) : layers - 1;

		if (joined) /* those that joined so far, through the blocks up to l */
			st = fwd_blocks(sc->f, sc->base, upto, l + 1, h, sc->span + seq,
				joined * n_seq, NULL, b->s, b->e);
		upto = l + 1;
		for (; !st && joined < n && block_of(b, first + joined) == l; joined++)
			st = swapped_block(b, &b->cell[b->order[first + joined]],
				scan_row(sc, h, joined * rows), seq, n_seq);
	}
	return st;
}

/* All at once where their rows fit, else one after the other and its sequences in turns. */
static enum st run_batch(struct batch *b)
{
	struct scan *sc = b->sc;
	enum st st = ST_OK;
	size_t k;

	by_block(b);
	if (b->n * sc->rows <= sc->batch_rows)
		st = staircase(b, 0, b->n, sc->batch, 0, sc->n_seq);
	else
		for (size_t i = 0; !st && i < b->n; i++)
			for (size_t q = 0; !st && q < sc->n_seq; q += k) {
				k = scan_seqs(sc, q);
				st = staircase(b, i, 1,
					scan_row(sc, sc->batch, i * sc->rows + sc->at[q]), q, k);
			}
	if (!st)
		st = scan_measure(sc, sc->batch, b->n, sc->kl, sc->agree, b->s, b->e);
	for (size_t i = 0; !st && i < b->n; i++)
		summarise(
			sc, sc->kl + i * sc->rows, sc->agree + i * sc->rows, &b->cell[b->order[i]]);
	return st;
}

static enum st check_cells(const struct scan *sc, const struct variant_set *v,
	const struct scan_cell *cell, size_t n, struct err *e)
{
	char name[32], format[FORMAT_NAME];

	if (v->n != sc->m->n_linears)
		return err_set(e, ST_INVALID, "%zu linears have variants, the model has %zu", v->n,
			sc->m->n_linears);
	for (size_t i = 0; i < n; i++) {
		const struct scan_cell *c = &cell[i];

		if (c->linear >= v->n || c->format >= v->k)
			return err_set(e, ST_INVALID,
				"cell %zu is linear %u in format %d, there are %zu and %zu", i,
				(unsigned)c->linear, c->format, v->n, v->k);
		if (!cell_mat(sc, v, c)->data)
			return err_set(e, ST_INVALID,
				"%s has no variant in %s yet; quantize it first",
				linear_name(c->linear, name),
				format_name(v->format[c->format], format));
	}
	return ST_OK;
}

enum st scan_cells(struct scan *sc, const struct variant_set *v, const struct scan_cell *cells,
	size_t n, void (*done)(void *arg, const struct scan_cell *c), void *arg,
	const struct sink *s, struct err *e)
{
	enum st st = check_cells(sc, v, cells, n, e);
	struct batch b = { .sc = sc, .v = v, .s = s, .e = e };
	size_t taken = 0;

	while (!st && taken < n) {
		size_t first = taken, at = 0;

		for (b.n = 0; taken < n && b.n < sc->at_once; taken++)
			if (!is_base(sc, v, &cells[taken]))
				b.cell[b.n++] = cells[taken];
		st = b.n ? run_batch(&b) : ST_OK;
		for (size_t i = first; !st && i < taken; i++) {
			struct scan_cell c = cells[i];

			if (at < b.n && b.cell[at].linear == c.linear &&
				b.cell[at].format == c.format)
				c = b.cell[at++];
			else
				scan_base(sc, &c);
			done(arg, &c);
		}
		if (!st)
			sink_progress(s, (double)taken, (double)n);
	}
	return st;
}

enum st scan_view(struct scan *sc, const struct mat *const *view, struct scan_cell *out,
	const struct sink *s, struct err *e)
{
	size_t layers = sc->m->hp.layers, from = scan_differ(sc, view, sc->base), n;
	enum st st = ST_OK;

	if (from == layers) {
		scan_base(sc, out);
		return ST_OK;
	}
	for (size_t q = 0; !st && q < sc->n_seq; q += n) {
		float *h = scan_row(sc, sc->batch, sc->at[q]);

		n = scan_seqs(sc, q);
		scan_copy(sc, h, scan_row(sc, sc->h[from], sc->at[q]), sc->at[q + n] - sc->at[q]);
		st = fwd_blocks(sc->f, view, from, layers, h, sc->span + q, n, NULL, s, e);
	}
	if (!st)
		st = scan_measure(sc, sc->batch, 1, sc->kl, sc->agree, s, e);
	if (!st)
		summarise(sc, sc->kl, sc->agree, out);
	return st;
}
