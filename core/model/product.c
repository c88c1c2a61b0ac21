/* product.c - matrix products, cut so that nobody waits for them. */
#include "core/base/clock.h"
#include "core/model/fwd.h"
#include "core/model/place.h"

/* Two slow cores do about 30 GFLOP/s: 35 ms a call.  Rows of activations are cut
 * first, so that W is cut only where it alone is too much for one call. */
static const double CALL_FLOP = 1e9;
enum { CALL_ROWS = 512 };

static double call_flop(const struct fwd *f)
{
	return CALL_FLOP * place_pace(f->m->be);
}

static size_t call_rows(const struct fwd *f)
{
	return (size_t)(CALL_ROWS * place_pace(f->m->be));
}

/* Rows of W a call, multiples of a tile, the calls about alike. */
static size_t rows_of_w(const struct mat *w, size_t m, double most)
{
	double flop = 2.0 * (double)m * (double)w->cols * (double)w->rows;
	size_t calls = (size_t)(flop / most) + 1, tiles = (w->rows + MAT_TILE - 1) / MAT_TILE;

	return (tiles + calls - 1) / calls * MAT_TILE;
}

/* A device has done what it was given before the clock is read. */
static double clock_of(const struct fwd *f)
{
	if (f->m->be->wait)
		f->m->be->wait();
	return clock_now();
}

double fwd_clock(const struct fwd *f)
{
	return f->times ? clock_of(f) : 0;
}

void fwd_spent(const struct fwd *f, enum fwd_part part, double began)
{
	if (f->times)
		f->times->seconds[part] += clock_of(f) - began;
}

enum st fwd_fault(const struct fwd *f, struct err *e)
{
	return model_failed_since(f->m, f->faults, e);
}

bool fwd_renew(struct fwd *f)
{
	unsigned before = f->faults;

	f->faults = model_failures(f->m);
	return f->faults != before;
}

enum st fwd_stop(const struct fwd *f, const struct sink *s, struct err *e)
{
	double began;
	bool stop;

	if (f->held)
		return ST_OK;
	began = fwd_clock(f);
	stop = sink_poll(s);
	fwd_spent(f, FWD_WAITING, began);
	return stop ? err_set(e, ST_CANCELLED, "stopped") : fwd_fault(f, e);
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
	size_t r, n, at, step, wn, most = call_rows(f);
	enum st st;

	for (r = 0; r < rows; r += n) {
		n = rows - r < most ? rows - r : most;
		step = rows_of_w(w, n, call_flop(f));
		for (at = 0; at < w->rows; at += wn) {
			struct mat piece;

			wn = w->rows - at < step ? w->rows - at : step;
			piece = wn == w->rows ? *w : mat_rows(w, at, wn);
			run(f, part, &(struct product){ p->y + r * p->ldy + at, p->ldy, &piece }, 1,
				x + r * ldx, ldx, n);
			st = fwd_stop(f, s, e);
			if (st)
				return st;
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
	if (flop < call_flop(f) && rows <= call_rows(f)) {
		run(f, part, p, n, x, ldx, rows);
		return fwd_stop(f, s, e);
	}
	for (size_t i = 0; !st && i < n; i++)
		st = one_product(f, part, &p[i], x, ldx, rows, s, e);
	return st;
}

/* A call for n rows of all W, or where even a tile of them is too much one for each piece of W: dx grows. */
static enum st rows_back(const struct fwd *f, float *dx, bool add, const float *dy, size_t n,
	const struct mat *w, const struct sink *s, struct err *e)
{
	size_t step = rows_of_w(w, n, call_flop(f)), wn;
	enum st st = ST_OK;

	for (size_t at = 0; !st && at < w->rows; at += wn) {
		struct mat piece;

		wn = w->rows - at < step ? w->rows - at : step;
		piece = wn == w->rows ? *w : mat_rows(w, at, wn);
		f->m->be->products_back(
			dx, w->cols, add || at, dy + at, w->rows, n, &piece, f->math);
		st = fwd_stop(f, s, e);
	}
	return st;
}

enum st fwd_product_back(const struct fwd *f, float *dx, bool add, const float *dy, size_t rows,
	const struct mat *w, const struct sink *s, struct err *e)
{
	double most = call_flop(f) / (2.0 * (double)w->rows * (double)w->cols + 1);
	size_t step = most < MAT_TILE ? MAT_TILE : most > (double)rows ? rows : (size_t)most;
	enum st st = ST_OK;

	for (size_t r = 0; !st && r < rows; r += step) {
		size_t n = rows - r < step ? rows - r : step;

		st = rows_back(f, dx + r * w->cols, add, dy + r * w->rows, n, w, s, e);
	}
	return st;
}
