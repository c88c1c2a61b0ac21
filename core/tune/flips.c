/* flips.c - a weight is one fixed-point number q.r; the residual r is dithered, the forward sees q.
 *
 * FORMULAS.md 3.4: m elementwise, second moments by rows and columns, u clipped to RMS 1 a matrix
 * and to 4, moves by at most one level.  Statistics take their step from the codes of before the
 * moves and are written after them: the moves are in levels of the old scale.
 */
#include <math.h>
#include <string.h>

#include "core/tune/state.h"

struct at {
	struct codes_at codes;
	struct moments_at m;
	size_t residual, row2, col2; /* row2, col2: mean squares, float */
	/* scratch */
	size_t rows, sums, roots, norm;
};

struct flips {
	struct pass p; /* first: move_code's argument */
	struct at at;
	float *row2, *col2;
	float *sums;  /* [parts][cols] squares */
	float *roots; /* [cols] */
	double *norm; /* [rows] squares of u */
	double mean;  /* of row2 */
	float clip;
};

static struct at lay(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	struct room *r = &to->state, *s = &to->scratch;
	struct at at;

	at.codes = room_codes(r, w, !o->lean, !o->lean);
	at.m = room_moments(r, w, o->moments);
	at.residual = room_take(r, w->rows, w->cols);
	at.row2 = room_take(r, w->rows, sizeof(float));
	at.col2 = room_take(r, w->cols, sizeof(float));
	at.rows = room_rows(s, w);
	at.sums = room_take(s, w->cols, parts_of(w->rows) * sizeof(float));
	at.roots = room_take(s, w->cols, sizeof(float));
	at.norm = room_take(s, w->rows, sizeof(double));
	return at;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)lay(to, w, o);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	struct at at = lay(&(struct rooms){ 0 }, &t->w, o);

	head_init(t, "flips", o->moments, o);
	codes_init(t, &at.codes);
	residual_init(t, at.residual, o->seed);
}

static void keep(struct tuned *t, const struct tune_options *o, const float *w)
{
	residual_from(t, lay(&(struct rooms){ 0 }, &t->w, o).residual, w);
}

static void square(void *arg, size_t r, size_t part)
{
	struct flips *f = arg;
	size_t cols = f->p.t->w.cols;

	f->p.l->add_squares(f->sums + part * cols, f->p.grad + r * cols, cols);
}

/* Second moments of rows and columns, and their roots with the bias taken out. */
static void second(struct flips *f)
{
	const struct mat *w = &f->p.t->w;
	float b2 = (float)f->p.o->b2;

	memset(f->sums, 0, parts_of(w->rows) * w->cols * sizeof *f->sums);
	each_row(w->rows, square, f);
	f->mean = 0;
	for (size_t r = 0; r < w->rows; r++) {
		float now = (float)(f->p.rows[r].grad2 / (double)w->cols);

		f->row2[r] = b2 * f->row2[r] + (1 - b2) * now;
		f->mean += (double)f->row2[r];
	}
	f->mean /= (double)w->rows;
	for (size_t c = 0; c < w->cols; c++) {
		float sum = 0;

		for (size_t part = 0; part < parts_of(w->rows); part++)
			sum += f->sums[part * w->cols + c];
		f->col2[c] = b2 * f->col2[c] + (1 - b2) * (sum / (float)w->rows);
		f->roots[c] = sqrtf(f->col2[c]);
	}
}

/* u of a chunk from the stored m, times clip. */
static void direction(struct flips *f, size_t r, size_t c, size_t n, float clip, float *u)
{
	struct pass *p = &f->p;
	double ratio = f->mean > 0 ? (double)f->row2[r] / f->mean : 0;
	float m[CHUNK];

	moments_load(p, &f->at.m, false, r, c, n, m);
	p->l->adam_factored(u, m, f->roots + c, (float)sqrt(ratio * (double)p->fix2),
		p->fix1 * clip, (float)p->o->eps, n);
}

static void learn(void *arg, size_t r, size_t part)
{
	struct flips *f = arg;
	struct pass *p = &f->p;
	size_t cols = p->t->w.cols;
	float m[CHUNK], u[CHUNK];
	uint32_t h[CHUNK];

	(void)part;
	stats_step(p, r, row_codes(p, r));
	f->norm[r] = 0;
	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		moments_load(p, &f->at.m, false, r, c, n, m);
		p->l->ema(m, p->grad + r * cols + c, (float)p->o->b1, n);
		p->l->hash(h, row_key(p->key, r, 1), (uint32_t)c, n);
		moments_store(p, &f->at.m, false, r, c, n, m, h);
		direction(f, r, c, n, 1, u);
		f->norm[r] += p->l->squares(u, n);
	}
}

static void move(void *arg, size_t r, size_t part)
{
	struct flips *f = arg;
	struct pass *p = &f->p;
	size_t cols = p->t->w.cols;
	const uint8_t *q = row_codes(p, r);
	float u[CHUNK];

	(void)part;
	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		direction(f, r, c, n, f->clip, u);
		p->l->clip(u, 1, 4, n);
		residual_step(p, f->at.residual, r, c, n, q, u);
	}
	stats_write(p, r);
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	double norm = 0;
	struct flips f;

	if (!pass_begin(&f.p, t, grad, n, o, scratch, c))
		return;
	f.at = lay(&(struct rooms){ 0 }, &t->w, o);
	f.p.codes = f.at.codes;
	f.row2 = state_at(t, f.at.row2);
	f.col2 = state_at(t, f.at.col2);
	f.sums = (float *)(void *)((char *)scratch + f.at.sums);
	f.roots = (float *)(void *)((char *)scratch + f.at.roots);
	f.norm = (double *)(void *)((char *)scratch + f.at.norm);
	second(&f);
	each_row(t->w.rows, learn, &f);
	for (size_t r = 0; r < t->w.rows; r++)
		norm += f.norm[r];
	norm = sqrt(norm / ((double)t->w.rows * (double)t->w.cols));
	f.clip = norm > 1 ? (float)(1 / norm) : 1;
	each_row(t->w.rows, move, &f);
	pass_end(&f.p, c);
}

const struct optimizer optimizer_flips = {
	.name = "flips",
	.summary = "adds up what rounding leaves in an int8 a weight, dithered, and moves a code "
		   "when it is full",
	.on_codes = true,
	.plan = plan,
	.init = init,
	.step = step,
	.residual = keep,
};
