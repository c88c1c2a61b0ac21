/* scan_cells.c - the true sensitivity of a cell: KL with that one linear swapped.
 *
 * The hidden states before every block are kept, so a cell costs the blocks from its own
 * on.  A batch of cells is run from the lowest block up: the rows of a cell join as
 * its block comes (only there with the linear swapped), and all that joined go through
 * the rest of the network as rows of one batch. */
#include <math.h>

#include "core/search/scan_priv.h"

enum {
	PIECE = 64,     /* tokens of a piece of a lone sequence, for the standard error */
	PIECE_SHORT = 8 /* where there are no two of those */
};

/* ---- comparing with it */

/* KL of n rows of zq from the reference's rows first ...; writes kl and agree [n]. */
static enum st compare(struct scan *sc, const float *zq, size_t first, size_t n, double *kl,
	uint8_t *agree, const struct sink *s, struct err *e)
{
	const struct backend *be = sc->m->be;
	size_t vocab = sc->m->hp.vocab, step = scan_look(sc), k;
	double lse[HEAD_ROWS];
	int32_t top[HEAD_ROWS];
	const float *zp = sc->z ? sc->z + first * vocab : sc->zp;
	enum st st = ST_OK;

	if (!sc->z)
		st = fwd_logits(
			sc->f, scan_row(sc, sc->h[sc->m->hp.layers], first), n, sc->zp, s, e);
	if (!st)
		st = scan_stats(sc, lse, top, zq, n, s, e);
	for (size_t r = 0; !st && r < n; r += k) {
		k = n - r < step ? n - r : step;
		be->kl(kl + r, zp + r * vocab, sc->lse + first + r, zq + r * vocab, lse + r, k,
			vocab);
		if (sink_poll(s))
			st = err_set(e, ST_CANCELLED, "the scan was stopped");
	}
	for (size_t r = 0; !st && r < n; r++)
		agree[r] = top[r] == sc->top[first + r];
	return st;
}

/* The head over one cell's rows h (its final hidden states), which are the reference's
 * rows first ... first + rows; writes into the results of `slot`. */
static enum st measure(struct scan *sc, size_t slot, const float *h, size_t first, size_t rows,
	const struct sink *s, struct err *e)
{
	size_t n;

	for (size_t r = 0; r < rows; r += n) {
		size_t at = slot * sc->rows + first + r;
		enum st st;

		n = rows - r < sc->head_rows ? rows - r : sc->head_rows;
		st = fwd_logits(sc->f, h + r * sc->m->hp.hidden, n, sc->zq, s, e);
		if (!st)
			st = compare(sc, sc->zq, first + r, n, sc->kl + at, sc->agree + at, s, e);
		if (st)
			return st;
	}
	return ST_OK;
}

/* Mean, and its standard error over pieces: sequences, or cuts of a lone one.  Pieces
 * may differ in length, so their deviations are weighted. */
static void summarise(const struct scan *sc, size_t slot, struct scan_cell *c)
{
	const double *kl = sc->kl + slot * sc->rows;
	const uint8_t *agree = sc->agree + slot * sc->rows;
	size_t piece = sc->n_seq > 1 ? sc->len : sc->len < 2 * PIECE ? PIECE_SHORT : PIECE;
	size_t pieces = 0, same = 0;
	double sum = 0, dev = 0, rows = (double)sc->rows;

	for (size_t i = 0; i < sc->rows; i++) {
		sum += kl[i];
		same += agree[i];
	}
	c->kl = sum / rows;
	c->top1 = (double)same / rows;
	for (size_t i = 0; i < sc->rows; i += piece, pieces++) {
		double d = 0;

		for (size_t j = i; j < i + piece && j < sc->rows; j++)
			d += kl[j] - c->kl;
		dev += d * d;
	}
	c->se = (double)NAN;
	if (pieces > 1)
		c->se = sqrt(dev * (double)pieces / (double)(pieces - 1)) / rows;
}

/* ---- cells */

/* Places of a batch in the order of their blocks. */
static void by_block(const struct scan *sc, const struct scan_cell *cell, size_t n, uint8_t *order)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = i;

		for (; j > 0 && sc->m->linear[cell[order[j - 1]].linear].layer >
					sc->m->linear[cell[i].linear].layer;
			j--)
			order[j] = order[j - 1];
		order[j] = (uint8_t)i;
	}
}

/* One cell's own block, from the kept states, with its linear swapped. */
static enum st swapped_block(struct scan *sc, const struct mat *q, size_t linear, float *to,
	size_t seq, size_t n_seq, const struct sink *s, struct err *e)
{
	size_t l = sc->m->linear[linear].layer;
	enum st st;

	scan_copy(sc, to, scan_row(sc, sc->h[l], seq * sc->len), n_seq * sc->len);
	sc->view[linear] = q;
	st = fwd_blocks(sc->f, sc->view, l, l + 1, to, sc->span, n_seq, NULL, s, e);
	sc->view[linear] = sc->m->ref[linear];
	return st;
}

/* The sequences seq ... seq + n_seq of all cells of a batch through the network. */
static enum st staircase(struct scan *sc, const struct variant_set *v, const struct scan_cell *cell,
	size_t n, const uint8_t *order, size_t seq, size_t n_seq, const struct sink *s,
	struct err *e)
{
	size_t layers = sc->m->hp.layers, rows = n_seq * sc->len, joined = 0, upto = 0;
	enum st st = ST_OK;

	while (!st && upto < layers) {
		size_t l =
			joined < n ? sc->m->linear[cell[order[joined]].linear].layer : layers - 1;

		if (joined) /* those that joined so far, through the blocks up to l */
			st = fwd_blocks(sc->f, sc->m->ref, upto, l + 1, sc->batch, sc->span,
				joined * n_seq, NULL, s, e);
		upto = l + 1;
		for (; !st && joined < n; joined++) {
			const struct scan_cell *c = &cell[order[joined]];

			if (sc->m->linear[c->linear].layer != l)
				break;
			st = swapped_block(sc, &variant_at(v, c->linear, c->format)->mat, c->linear,
				scan_row(sc, sc->batch, joined * rows), seq, n_seq, s, e);
		}
	}
	for (size_t i = 0; !st && i < n; i++)
		st = measure(
			sc, order[i], scan_row(sc, sc->batch, i * rows), seq * sc->len, rows, s, e);
	return st;
}

/* How many cells fit into one batch; at least one, whose sequences then go in turns. */
static size_t batch_cells(const struct scan *sc)
{
	size_t n = sc->batch_rows / sc->rows;

	return n < 1 ? 1 : n > BATCH_CELLS ? BATCH_CELLS : n;
}

static enum st run_batch(struct scan *sc, const struct variant_set *v, const struct scan_cell *cell,
	size_t n, const struct sink *s, struct err *e)
{
	uint8_t order[BATCH_CELLS];
	size_t k;
	enum st st = ST_OK;

	by_block(sc, cell, n, order);
	for (size_t q = 0; !st && q < sc->n_seq; q += k) {
		k = scan_seqs(sc, q);
		st = staircase(sc, v, cell, n, order, q, k, s, e);
	}
	return st;
}

static bool is_keep(const struct variant_set *v, const struct scan_cell *c)
{
	return format_is_keep(v->format[c->format]);
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
		if (!is_keep(v, c) && !variant_at(v, c->linear, c->format)->mat.data)
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
	size_t at_once = batch_cells(sc), taken = 0;

	while (!st && taken < n) {
		struct scan_cell batch[BATCH_CELLS];
		size_t b = 0, first = taken;

		for (; taken < n && b < at_once; taken++)
			if (!is_keep(v, &cells[taken]))
				batch[b++] = cells[taken];
		st = b ? run_batch(sc, v, batch, b, s, e) : ST_OK;
		b = 0;
		for (size_t i = first; !st && i < taken; i++) {
			struct scan_cell c = cells[i];

			if (is_keep(v, &c)) { /* the reference itself */
				c.kl = c.se = 0;
				c.top1 = 1;
			} else {
				summarise(sc, b++, &c);
			}
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
	size_t n;
	enum st st = ST_OK;

	for (size_t q = 0; !st && q < sc->n_seq; q += n) {
		n = scan_seqs(sc, q);
		scan_copy(sc, sc->batch, scan_row(sc, sc->h[0], q * sc->len), n * sc->len);
		st = fwd_blocks(
			sc->f, view, 0, sc->m->hp.layers, sc->batch, sc->span, n, NULL, s, e);
		if (!st)
			st = measure(sc, 0, sc->batch, q * sc->len, n * sc->len, s, e);
	}
	if (!st)
		summarise(sc, 0, out);
	return st;
}
