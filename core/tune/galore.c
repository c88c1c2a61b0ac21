/* galore.c - Adam in a projection of the gradient (Zhao et al. 2024; FORMULAS.md 7.2).
 *
 * The smaller side is projected: P has orthonormal rows [rank][side], the top singular vectors of
 * the gradient by block power iteration from the last P, every `gap` steps; m and v live in the
 * projection and are kept across.  What comes back moves a float master, or goes through the
 * residual of `flips` on codes, where rounding it at once would lose it.
 */
#include <math.h>
#include <string.h>

#include "core/tune/state.h"

struct at {
	struct codes_at codes; /* on codes only */
	size_t residual;
	size_t p, m, v; /* p [rank][side]; m, v as the projected gradient */
	size_t rank, side, other;
	bool right; /* columns are the smaller side */
	/* scratch */
	size_t rows, low;
};

struct galore {
	struct pass p; /* first: move_code's argument */
	struct at at;
	const struct backend *be;
	float *proj, *low; /* low: [rows][rank] (right) or [rank][cols] */
};

static struct at lay(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	struct room *r = &to->state, *s = &to->scratch;
	struct at at = { 0 };

	at.right = w->rows >= w->cols;
	at.side = at.right ? w->cols : w->rows;
	at.other = at.right ? w->rows : w->cols;
	at.rank = o->rank ? o->rank : (at.side + 3) / 4;
	at.rank = at.rank < at.side ? at.rank : at.side;
	if (w->type == MAT_INT) {
		at.codes = room_codes(r, w, !o->lean, !o->lean);
		at.residual = room_take(r, o->lean ? 0 : w->rows, w->cols);
	} else {
		room_take(r, 1, sizeof(struct tune_head));
	}
	at.p = room_take(r, at.rank, at.side * sizeof(float));
	at.m = room_take(r, at.rank, at.other * sizeof(float));
	at.v = room_take(r, at.rank, at.other * sizeof(float));
	at.rows = room_rows(s, w);
	at.low = room_take(s, at.rank, at.other * sizeof(float));
	return at;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)lay(to, w, o);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	struct at at = lay(&(struct rooms){ 0 }, &t->w, o);

	head_init(t, "galore", MOMENTS_F32, o);
	if (t->w.type == MAT_INT) {
		codes_init(t, &at.codes);
		if (!o->lean)
			residual_init(t, at.residual, o->seed);
	}
}

static void keep(struct tuned *t, const struct tune_options *o, const float *w)
{
	if (t->w.type == MAT_INT && !o->lean)
		residual_from(t, lay(&(struct rooms){ 0 }, &t->w, o).residual, w);
}

/* low = the gradient in the projection, times by. */
static void project(struct galore *g, float by)
{
	const struct mat *w = &g->p.t->w;
	size_t r = g->at.rank;

	if (g->at.right)
		g->be->gemm(false, true, w->rows, r, w->cols, by, g->p.grad, w->cols, g->proj,
			w->cols, 0, g->low, r, MATH_F32);
	else
		g->be->gemm(false, false, r, w->cols, w->rows, by, g->proj, w->rows, g->p.grad,
			w->cols, 0, g->low, w->cols, MATH_F32);
}

/* Rows that are 0, all of them at first, begin as noise. */
static void refresh(struct galore *g, float by)
{
	const struct mat *w = &g->p.t->w;
	size_t r = g->at.rank, side = g->at.side;

	for (size_t i = 0; i < r; i++) {
		float *x = g->proj + i * side;

		for (size_t j = 0; g->p.l->squares(x, side) == 0 && j < side; j += CHUNK) {
			uint32_t h[CHUNK];

			for (size_t c = j; c < side; c += CHUNK) {
				size_t n = side - c < CHUNK ? side - c : CHUNK;

				g->p.l->hash(h, row_key(g->p.key, i, 4), (uint32_t)c, n);
				for (size_t k = 0; k < n; k++)
					x[c + k] = (float)(int32_t)h[k] * 0x1p-31f;
			}
		}
	}
	for (int round = 0; round < g->p.o->rounds; round++) {
		project(g, by);
		if (g->at.right)
			g->be->gemm(true, false, r, w->cols, w->rows, by, g->low, r, g->p.grad,
				w->cols, 0, g->proj, w->cols, MATH_F32);
		else
			g->be->gemm(false, true, r, w->rows, w->cols, by, g->low, w->cols,
				g->p.grad, w->cols, 0, g->proj, w->rows, MATH_F32);
		ortho_rows(g->proj, r, side);
	}
}

static void adam_low(void *arg, size_t i, size_t part)
{
	struct galore *g = arg;
	struct pass *p = &g->p;
	size_t len = g->at.right ? g->at.rank : g->at.other;
	float *m = (float *)state_at(p->t, g->at.m) + i * len;
	float *v = (float *)state_at(p->t, g->at.v) + i * len, *x = g->low + i * len;

	(void)part;
	p->l->ema(m, x, (float)p->o->b1, len);
	p->l->ema2(v, x, (float)p->o->b2, len);
	p->l->adam(x, m, v, p->fix1, p->fix2, (float)p->o->eps, len);
}

/* The update takes the gradient's place. */
static void back(struct galore *g)
{
	const struct mat *w = &g->p.t->w;
	float by = (float)g->p.o->back;
	size_t r = g->at.rank;

	if (g->at.right)
		g->be->gemm(false, false, w->rows, w->cols, r, by, g->low, r, g->proj, w->cols, 0,
			g->p.grad, w->cols, MATH_F32);
	else
		g->be->gemm(true, false, w->rows, w->cols, r, by, g->proj, w->rows, g->low, w->cols,
			0, g->p.grad, w->cols, MATH_F32);
}

static void learn(void *arg, size_t r, size_t part)
{
	struct pass *p = arg;

	(void)part;
	stats_step(p, r, row_codes(p, r));
}

/* Without a residual: rounded by chance, as Q-GaLore does (Zhang et al. 2024). */
static void round_step(
	struct pass *p, size_t row, size_t col, size_t n, const uint8_t *q, const float *u)
{
	float by[CHUNK];
	uint32_t h[CHUNK];
	int8_t move[CHUNK];

	p->rows[row].update2 += p->lr * p->lr * p->l->squares(u, n);
	row_levels(p, row, col, n, (float)-p->lr, by);
	p->l->hash(h, row_key(p->key, row, 2), (uint32_t)col, n);
	p->l->stochastic(move, q + col, u, by, h, (1 << p->t->w.bits) - 1, n);
	move_codes(p, row, col, move, n);
}

/* u, or a copy with room behind it where the last vector would read past the gradient's end. */
static const float *roomy(float to[CHUNK], const float *u, size_t n)
{
	if (n % 16 == 0)
		return u;
	memcpy(to, u, n * sizeof *u);
	memset(to + n, 0, (CHUNK - n) * sizeof *u);
	return to;
}

static void apply(void *arg, size_t r, size_t part)
{
	struct galore *g = arg;
	struct pass *p = &g->p;
	const struct mat *w = &p->t->w;
	const float *u = p->grad + r * w->cols;
	float *dense = (float *)w->data + r * w->cols;
	const uint8_t *q;

	(void)part;
	if (w->type == MAT_INT) {
		q = row_codes(p, r);
		for (size_t c = 0; c < w->cols; c += CHUNK) {
			size_t n = w->cols - c < CHUNK ? w->cols - c : CHUNK;
			float room[CHUNK];
			const float *at = roomy(room, u + c, n);

			if (p->o->lean)
				round_step(p, r, c, n, q, at);
			else
				residual_step(p, g->at.residual, r, c, n, q, at);
		}
		stats_write(p, r);
		return;
	}
	if (p->o->decay != 0)
		p->l->clip(dense, (float)(1 - p->lr * p->o->decay), 3e38f, w->cols);
	p->l->axpy(dense, (float)-p->lr, u, w->cols);
	p->rows[r].update2 += p->lr * p->lr * p->l->squares(u, w->cols);
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	double norm = c->grad2;
	struct galore g;

	c->grad2 = 0;
	if (!pass_begin(&g.p, t, grad, n, o, scratch, c)) {
		c->grad2 = norm;
		return;
	}
	g.at = lay(&(struct rooms){ 0 }, &t->w, o);
	g.p.codes = g.at.codes;
	g.be = o->backend && o->backend->host_memory ? o->backend : backend_find("ref");
	g.proj = state_at(t, g.at.p);
	g.low = (float *)(void *)((char *)scratch + g.at.low);
	if (t->w.type == MAT_INT)
		each_row(t->w.rows, learn, &g);
	if ((g.p.head->steps - 1) % (o->gap ? o->gap : 1) == 0 && c->grad2 > 0)
		refresh(&g, (float)(1 / sqrt(c->grad2)));
	project(&g, 1);
	each_row(g.at.right ? t->w.rows : g.at.rank, adam_low, &g);
	back(&g);
	each_row(t->w.rows, apply, &g);
	c->grad2 += norm;
	pass_end(&g.p, c);
}

const struct optimizer optimizer_galore = {
	.name = "galore",
	.summary = "Adam in a low-rank projection of the gradient, on float weights or through the "
		   "residual of flips",
	.on_codes = true,
	.on_float = true,
	.plan = plan,
	.init = init,
	.step = step,
	.residual = keep,
};
