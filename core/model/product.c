/* product.c - matrix products, cut so that nobody waits for them. */
#include "core/model/fwd.h"

/* Two slow cores do about 30 GFLOP/s: 35 ms a call.  Rows of activations are cut
 * first, so that W is cut only where it alone is too much for one call. */
static const double CALL_FLOP = 1e9;
enum { CALL_ROWS = 512 };

enum st fwd_stop(const struct sink *s, struct err *e)
{
	return sink_poll(s) ? err_set(e, ST_CANCELLED, "stopped") : ST_OK;
}

/* Rows of W a call, multiples of a tile, the calls about alike. */
static size_t rows_of_w(const struct mat *w, size_t m)
{
	double flop = 2.0 * (double)m * (double)w->cols * (double)w->rows;
	size_t calls = (size_t)(flop / CALL_FLOP) + 1, tiles = (w->rows + MAT_TILE - 1) / MAT_TILE;

	return (tiles + calls - 1) / calls * MAT_TILE;
}

static enum st one_product(const struct fwd *f, const struct product *p, const float *x, size_t ldx,
	size_t rows, const struct sink *s, struct err *e)
{
	const struct mat *w = p->w;
	size_t r, n, at, step, wn;

	for (r = 0; r < rows; r += n) {
		n = rows - r < CALL_ROWS ? rows - r : CALL_ROWS;
		step = rows_of_w(w, n);
		for (at = 0; at < w->rows; at += wn) {
			struct mat part;

			wn = w->rows - at < step ? w->rows - at : step;
			part = wn == w->rows ? *w : mat_rows(w, at, wn);
			f->m->be->products(&(struct product){ p->y + r * p->ldy + at, p->ldy, &part },
				1, x + r * ldx, ldx, n, f->math);
			if (fwd_stop(s, e))
				return ST_CANCELLED;
		}
	}
	return ST_OK;
}

enum st fwd_products(const struct fwd *f, const struct product *p, size_t n, const float *x,
	size_t ldx, size_t rows, const struct sink *s, struct err *e)
{
	double flop = 0;
	enum st st = ST_OK;

	for (size_t i = 0; i < n; i++)
		flop += 2.0 * (double)rows * (double)p[i].w->cols * (double)p[i].w->rows;
	if (flop < CALL_FLOP && rows <= CALL_ROWS) {
		f->m->be->products(p, n, x, ldx, rows, f->math);
		return fwd_stop(s, e);
	}
	for (size_t i = 0; !st && i < n; i++)
		st = one_product(f, &p[i], x, ldx, rows, s, e);
	return st;
}
