/* product.c - matrix products, cut so that nobody waits for them. */
#include "core/base/clock.h"
#include "core/model/fwd.h"

/* Two slow cores do about 30 GFLOP/s: 35 ms a call.  Rows of activations are cut
 * first, so that W is cut only where it alone is too much for one call. */
static const double CALL_FLOP = 1e9;
enum { CALL_ROWS = 512 };

/* Rows of W a call, multiples of a tile, the calls about alike. */
static size_t rows_of_w(const struct mat *w, size_t m)
{
	double flop = 2.0 * (double)m * (double)w->cols * (double)w->rows;
	size_t calls = (size_t)(flop / CALL_FLOP) + 1, tiles = (w->rows + MAT_TILE - 1) / MAT_TILE;

	return (tiles + calls - 1) / calls * MAT_TILE;
}

double fwd_clock(const struct fwd *f)
{
	return f->times ? clock_now() : 0;
}

void fwd_spent(const struct fwd *f, enum fwd_part part, double began)
{
	if (f->times)
		f->times->seconds[part] += clock_now() - began;
}

enum st fwd_stop(const struct fwd *f, const struct sink *s, struct err *e)
{
	double began = fwd_clock(f);
	bool stop = sink_poll(s);

	fwd_spent(f, FWD_WAITING, began);
	return stop ? err_set(e, ST_CANCELLED, "stopped") : ST_OK;
}

static void run(const struct fwd *f, enum fwd_part part, const struct product *p, size_t n,
	const float *x, size_t ldx, size_t rows)
{
	double began = fwd_clock(f);

	f->m->be->products(p, n, x, ldx, rows, f->math);
	fwd_spent(f, part, began);
	for (size_t i = 0; f->times && i < n; i++)
		f->times->bytes += mat_bytes(p[i].w);
}

static enum st one_product(const struct fwd *f, enum fwd_part part, const struct product *p,
	const float *x, size_t ldx, size_t rows, const struct sink *s, struct err *e)
{
	const struct mat *w = p->w;
	size_t r, n, at, step, wn;

	for (r = 0; r < rows; r += n) {
		n = rows - r < CALL_ROWS ? rows - r : CALL_ROWS;
		step = rows_of_w(w, n);
		for (at = 0; at < w->rows; at += wn) {
			struct mat piece;

			wn = w->rows - at < step ? w->rows - at : step;
			piece = wn == w->rows ? *w : mat_rows(w, at, wn);
			run(f, part, &(struct product){ p->y + r * p->ldy + at, p->ldy, &piece }, 1,
				x + r * ldx, ldx, n);
			if (fwd_stop(f, s, e))
				return ST_CANCELLED;
		}
	}
	return ST_OK;
}

enum st fwd_products(const struct fwd *f, enum fwd_part part, const struct product *p, size_t n,
	const float *x, size_t ldx, size_t rows, const struct sink *s, struct err *e)
{
	double flop = 0;
	enum st st = ST_OK;

	for (size_t i = 0; i < n; i++)
		flop += 2.0 * (double)rows * (double)p[i].w->cols * (double)p[i].w->rows;
	if (flop < CALL_FLOP && rows <= CALL_ROWS) {
		run(f, part, p, n, x, ldx, rows);
		return fwd_stop(f, s, e);
	}
	for (size_t i = 0; !st && i < n; i++)
		st = one_product(f, part, &p[i], x, ldx, rows, s, e);
	return st;
}
