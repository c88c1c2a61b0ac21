/* moments.c - second moments of what the linears see, X^T X summed over tokens.
 *
 * Each token's activations are scaled to norm 1 first: plain moments are ruled by a few
 * massive tokens (CONTRIBUTING.md, Token-normalised moments). */
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/search/scan.h"
#include "core/search/walk.h"

/* Multiplications of one call: some 10 ms on one slow core. */
static const double PIECE = 3e8;
enum { STRIP = 192 }; /* rows at once at most: what lies left of them is spared */
/* rmsnorm's eps: only keeps a row of zeros from 0 / 0. */
static const float TINY = 1e-30f;

struct gather {
	struct moments *out;
	float *unit;        /* [rows at once][cols]: rows of norm 1 */
	float *gain[SITES]; /* [cols]: makes rmsnorm a division by the norm */
	float *sum[SITES];  /* of this block, backend memory */
	size_t cols[SITES];
};

/* The linear whose input a site is; the others share it. */
static const enum linear_kind site_linear[SITES] = { LINEAR_Q, LINEAR_O, LINEAR_GATE, LINEAR_DOWN };

/* sum += unit^T unit on and right of the diagonal, in pieces of rows of sum.  Three products of
 * bfloat16 for one of float: on the default model 2e-6 from float as a whole, 1e-5 of the worst
 * value on a diagonal. */
static void add_products(struct walk *w, float *sum, size_t rows, size_t cols)
{
	const struct gather *g = w->arg;
	double most = PIECE * place_pace(w->m->be);
	size_t step = (size_t)(most / ((double)rows * (double)cols)) + 1, n;

	step = step < 64 ? 64 : step > STRIP ? STRIP : step;
	for (size_t i = 0; i < cols; i += n) {
		n = cols - i < step ? cols - i : step;
		w->m->be->gemm(true, false, n, cols - i, rows, 1, g->unit + i, cols, g->unit + i,
			cols, 1, sum + i * cols + i, cols, MATH_BF16X3);
		if (sink_poll(w->s)) {
			w->st = err_set(w->e, ST_CANCELLED, "gathering the moments was stopped");
			return;
		}
	}
}

static void on_linear(void *walk, size_t linear, const float *x, const float *y, size_t rows)
{
	struct walk *w = walk;
	struct gather *g = w->arg;
	enum linear_kind kind = (enum linear_kind)(linear % LINEAR_KINDS);
	enum moment_site site = linear_site(kind);

	(void)y;
	if (w->st || kind != site_linear[site])
		return;
	w->m->be->rmsnorm(g->unit, x, g->gain[site], rows, g->cols[site], TINY);
	add_products(w, g->sum[site], rows, g->cols[site]);
}

static enum st before_block(struct walk *w, size_t layer)
{
	const struct gather *g = w->arg;
	const struct backend *be = w->m->be;

	for (size_t s = 0; s < SITES; s++)
		be->put(g->sum[s], g->out->h[layer * SITES + s],
			g->cols[s] * g->cols[s] * sizeof(float));
	return ST_OK;
}

static enum st after_block(struct walk *w, size_t layer)
{
	const struct gather *g = w->arg;
	const struct backend *be = w->m->be;

	for (size_t s = 0; s < SITES; s++) {
		float *h = g->out->h[layer * SITES + s];
		size_t n = g->cols[s];

		enum st st;

		be->get(h, g->sum[s], n * n * sizeof *h);
		st = fwd_fault(w->f, w->e);
		if (st)
			return st;
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++)
				h[i * n + j] = h[j * n + i];
	}
	return ST_OK;
}

static enum st alloc_out(struct moments *out, const struct model *m, const size_t *cols,
	const struct sink *s, struct err *e)
{
	out->n = m->hp.layers * SITES;
	out->h = xarray(out->n, sizeof *out->h);
	for (size_t i = 0; i < out->n; i++) {
		size_t count;

		if (sink_poll(s)) /* hundreds of megabytes are cleared here */
			return err_set(e, ST_CANCELLED, "gathering the moments was stopped");
		if (!size_mul(&count, cols[i % SITES], cols[i % SITES]))
			return err_set(e, ST_INVALID, "moments of %zu inputs", cols[i % SITES]);
		out->h[i] = big_array(count, sizeof **out->h, "second moments of activations", e);
		if (!out->h[i])
			return ST_NOMEM;
	}
	return ST_OK;
}

/* rmsnorm(x) = x / sqrt(|x|^2 / n + eps) * gain: gain 1 / sqrt(n) leaves x / |x|. */
static float *unit_gain(const struct backend *be, size_t n)
{
	float *host = xarray(n, sizeof *host), *gain = be->alloc(n * sizeof *gain);

	for (size_t i = 0; i < n; i++)
		host[i] = (float)(1 / sqrt((double)n));
	if (gain)
		be->put(gain, host, n * sizeof *gain);
	xfree(host);
	return gain;
}

/* Of memory of the backend. */
static uint64_t moments_bytes(const struct gather *g, size_t rows)
{
	uint64_t values = 0, widest = 0;

	for (size_t s = 0; s < SITES; s++) {
		values += (uint64_t)g->cols[s] * g->cols[s];
		widest = g->cols[s] > widest ? g->cols[s] : widest;
	}
	return (values + (rows + 1) * widest) * sizeof(float);
}

static enum st alloc_scratch(struct gather *g, const struct model *m, size_t rows,
	const struct sink *sink, struct err *e)
{
	size_t widest = 0, bytes;
	bool ok = true;

	for (size_t s = 0; s < SITES; s++) {
		if (sink_poll(sink))
			return err_set(e, ST_CANCELLED, "gathering the moments was stopped");
		widest = g->cols[s] > widest ? g->cols[s] : widest;
		g->sum[s] = m->be->alloc(g->cols[s] * g->cols[s] * sizeof(float));
		g->gain[s] = unit_gain(m->be, g->cols[s]);
		ok = ok && g->sum[s] && g->gain[s];
	}
	if (size_mul(&bytes, rows + 1, widest * sizeof(float)))
		g->unit = m->be->alloc(bytes);
	if (ok && g->unit)
		return ST_OK;
	if (!m->be->host_memory)
		return place_full(m, "gathering the moments of the linears' inputs",
			moments_bytes(g, rows), "the processor has its own memory (:device cpu)", e);
	return err_set(e, ST_NOMEM, "no memory to gather moments of %zu inputs over %zu tokens",
		widest, rows);
}

static void free_scratch(struct gather *g, const struct backend *be)
{
	for (size_t s = 0; s < SITES; s++) {
		if (g->sum[s])
			be->free(g->sum[s]);
		if (g->gain[s])
			be->free(g->gain[s]);
	}
	if (g->unit)
		be->free(g->unit);
}

enum st moments_gather(struct moments *out, const struct model *m, const struct token_text *t,
	const struct sink *s, struct err *e)
{
	struct gather g = { .out = out };
	struct walk w = { .m = m,
		.t = t,
		.s = s,
		.e = e,
		.tap = on_linear,
		.before = before_block,
		.after = after_block,
		.arg = &g };
	enum st st;

	*out = (struct moments){ 0 };
	for (size_t i = 0; i < SITES; i++)
		g.cols[i] = model_linear(m, 0, site_linear[i])->cols;
	st = alloc_out(out, m, g.cols, s, e);
	if (!st)
		st = alloc_scratch(&g, m, walk_rows(t), s, e);
	if (!st)
		st = walk_reference(&w);
	free_scratch(&g, m->be);
	if (st)
		moments_free(out);
	else
		out->tokens = (uint64_t)t->n_seq * t->len;
	return st;
}

void moments_free(struct moments *m)
{
	for (size_t i = 0; m->h && i < m->n; i++)
		big_free(m->h[i]);
	xfree(m->h);
	*m = (struct moments){ 0 };
}
