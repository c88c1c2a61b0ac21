/* first_score.c - output error relative to the output's energy, every cell in one pass.
 *
 * While the reference runs, every variant of a linear is given the same inputs and its
 * outputs are compared.  No damage: it only fills the map and orders the work
 * (its rank correlation with the true one: README, The dial beside the guards).  Both sides of a
 * difference are computed alike, with 2^-16 of each product's size; int8g128 differs by 2^-9. */
#include <math.h>

#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/search/scan.h"
#include "core/search/walk.h"

/* Multiplications between two polls: below 20 ms on one slow core, in float. */
static const double PIECE = 2e8;

struct score {
	const struct variant_set *v;
	double *err; /* [n][k] */
	float *y;    /* [rows at once][largest output] */
	void (*block)(void *arg, size_t layer);
	void *arg;
	/* of this block's linears */
	double sum[LINEAR_KINDS][FORMAT_MAX], energy[LINEAR_KINDS];
};

static void compare(struct walk *w, const struct mat *q, size_t fmt, size_t kind, const float *x,
	const float *y, size_t rows)
{
	struct score *sc = w->arg;
	const struct backend *be = w->m->be;
	double most = PIECE * place_pace(be);
	size_t step = (size_t)(most / ((double)q->rows * (double)q->cols)) + 1, n;

	/* Few rows at once waste the unpacking of a packed matrix. */
	step = step < 16 ? 16 : step;
	for (size_t r = 0; r < rows; r += n) {
		double num, den;

		n = rows - r < step ? rows - r : step;
		be->products(&(struct product){ sc->y, q->rows, q }, 1, x + r * q->cols, q->cols, n,
			w->math);
		be->sq_diff(&num, &den, sc->y, y + r * q->rows, n * q->rows);
		sc->sum[kind][fmt] += num;
		if (sink_poll(w->s)) {
			w->st = err_set(w->e, ST_CANCELLED, "the first score was stopped");
			return;
		}
	}
}

static void energy(struct walk *w, size_t linear, const float *y, size_t rows)
{
	struct score *sc = w->arg;
	double num, den;

	w->m->be->sq_diff(&num, &den, y, y, rows * w->m->linear[linear].rows);
	sc->energy[linear % LINEAR_KINDS] += den;
}

static void on_linear(void *walk, size_t linear, const float *x, const float *y, size_t rows)
{
	struct walk *w = walk;
	struct score *sc = w->arg;

	if (w->st)
		return;
	energy(w, linear, y, rows);
	for (size_t f = 0; !w->st && f < sc->v->k; f++) {
		const struct mat *q = &variant_at(sc->v, linear, f)->mat;

		if (!format_is_keep(sc->v->format[f]) && q->data)
			compare(w, q, f, linear % LINEAR_KINDS, x, y, rows);
	}
}

static enum st before_block(struct walk *w, size_t layer)
{
	struct score *sc = w->arg;

	(void)layer;
	for (size_t k = 0; k < LINEAR_KINDS; k++) {
		sc->energy[k] = 0;
		for (size_t f = 0; f < sc->v->k; f++)
			sc->sum[k][f] = 0;
	}
	return ST_OK;
}

static enum st after_block(struct walk *w, size_t layer)
{
	struct score *sc = w->arg;

	for (size_t k = 0; k < LINEAR_KINDS; k++)
		for (size_t f = 0; f < sc->v->k; f++) {
			size_t i = layer * LINEAR_KINDS + k;

			if (format_is_keep(sc->v->format[f]) || !variant_at(sc->v, i, f)->mat.data)
				continue;
			/* A linear that puts out nothing is not hurt by putting out nothing. */
			sc->err[i * sc->v->k + f] =
				sc->sum[k][f] > 0 ? sc->sum[k][f] / sc->energy[k] : 0;
		}
	if (sc->block)
		sc->block(sc->arg, layer);
	return ST_OK;
}

enum st scan_first_score(double *err, const struct model *m, const struct variant_set *v,
	const struct token_text *t, void (*block)(void *arg, size_t layer), void *arg,
	const struct sink *s, struct err *e)
{
	struct score sc = { .v = v, .err = err, .block = block, .arg = arg };
	struct walk w = { .m = m,
		.t = t,
		.s = s,
		.e = e,
		.math = MATH_BF16X3, /* as the scan has it */
		.tap = on_linear,
		.before = before_block,
		.after = after_block,
		.arg = &sc };
	size_t widest = 0, bytes = 0;
	enum st st;

	if (v->n != m->n_linears)
		return err_set(e, ST_INVALID, "%zu linears have variants, the model has %zu", v->n,
			m->n_linears);
	for (size_t i = 0; i < v->n; i++) {
		widest = m->linear[i].rows > widest ? m->linear[i].rows : widest;
		for (size_t f = 0; f < v->k; f++)
			err[i * v->k + f] = format_is_keep(v->format[f]) ? 0 : (double)NAN;
	}
	if (size_mul(&bytes, walk_rows(t) + 1, widest * sizeof *sc.y))
		sc.y = m->be->alloc(bytes);
	if (!sc.y && !m->be->host_memory && bytes)
		return place_full(m, "outputs of the text", bytes, "use a shorter text", e);
	if (!sc.y)
		return err_set(
			e, ST_NOMEM, "outputs of %zu tokens do not fit in memory", walk_rows(t));
	st = walk_reference(&w);
	m->be->free(sc.y);
	return st;
}
