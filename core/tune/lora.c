/* lora.c - see lora.h. */
#include "core/tune/lora_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/rng.h"
#include "core/model/place.h"
#include "kernels/pool.h"

/* ---- sizes */

struct sizes {
	size_t weights, grad, scratch; /* floats */
};

static bool take(size_t *sum, size_t n, size_t each)
{
	size_t part;

	/* each matrix on 64 bytes */
	return size_mul(&part, n, each) && size_align_up(&part, part, 16) &&
	       size_add(sum, *sum, part);
}

static bool sizes_of(struct sizes *s, const struct model *m, size_t rank, size_t max_rows)
{
	size_t bytes;

	*s = (struct sizes){ 0 };
	for (size_t i = 0; i < m->n_linears; i++) {
		size_t grad = 0;

		if (!take(&grad, rank, m->linear[i].cols) ||
			!take(&grad, m->linear[i].rows, rank) ||
			!size_add(&s->weights, s->weights, grad))
			return false;
		s->grad = grad > s->grad ? grad : s->grad;
	}
	s->scratch = s->grad;
	return take(&s->scratch, max_rows, rank) && take(&s->scratch, max_rows, rank) &&
	       size_mul(&bytes, s->weights, sizeof(float)) &&
	       size_mul(&bytes, s->scratch, sizeof(float));
}

/* In the backend's memory, and what the host has besides. */
static uint64_t bytes_there(const struct sizes *s)
{
	return ((uint64_t)s->weights + s->scratch) * sizeof(float);
}

static uint64_t bytes_of(const struct sizes *s, const struct model *m)
{
	uint64_t twice = ((uint64_t)s->weights + s->grad) * sizeof(float);

	return bytes_there(s) + (m->be->host_memory ? 0 : twice) +
	       m->n_linears * 2 * sizeof(struct mat) + sizeof(struct lora);
}

uint64_t lora_need(const struct model *m, size_t rank, size_t max_rows)
{
	struct sizes s;

	return sizes_of(&s, m, rank, max_rows) ? bytes_of(&s, m) : UINT64_MAX;
}

uint64_t lora_bytes(const struct lora *l)
{
	return lora_need(l->m, l->rank, l->max_rows);
}

size_t lora_rank(const struct lora *l)
{
	return l->rank;
}

double lora_alpha(const struct lora *l)
{
	return l->alpha;
}

uint64_t lora_weights(const struct lora *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->m->n_linears; i++)
		n += (uint64_t)l->rank * (l->m->linear[i].rows + l->m->linear[i].cols);
	return n;
}

struct mat *lora_a(struct lora *l, size_t linear)
{
	return &l->a[linear];
}

struct mat *lora_b(struct lora *l, size_t linear)
{
	return &l->b[linear];
}

/* ---- how A begins */

static uint64_t mixed(uint64_t a, uint64_t b)
{
	struct rng r;

	rng_seed(&r, a ^ (b + 1) * 0x9e3779b97f4a7c15u);
	return rng_u64(&r);
}

struct drawing {
	struct lora *l;
	uint64_t seed;
};

static void draw(void *arg, size_t linear)
{
	const struct drawing *d = arg;
	const struct mat *a = &d->l->a[linear];
	double size = 1 / sqrt((double)a->cols);
	float *to = (float *)a->data;

	for (size_t r = 0; r < a->rows; r++) {
		uint64_t row = mixed(mixed(d->seed, linear), r);

		for (size_t c = 0; c < a->cols; c++) {
			struct rng of;

			rng_seed(&of, row + c);
			to[r * a->cols + c] = (float)(size * rng_normal(&of));
		}
	}
}

/* ---- made and freed */

static float *cut(float **p, size_t rows, size_t cols)
{
	float *at = *p;

	*p += (rows * cols + 15) / 16 * 16;
	return at;
}

static void share_out(struct lora *l)
{
	float *p = l->here;

	for (size_t i = 0; i < l->m->n_linears; i++) {
		const struct linear *w = &l->m->linear[i];

		l->a[i] = (struct mat){ .type = MAT_F32,
			.rows = l->rank,
			.cols = w->cols,
			.data = cut(&p, l->rank, w->cols) };
		l->b[i] = (struct mat){ .type = MAT_F32,
			.rows = w->rows,
			.cols = l->rank,
			.data = cut(&p, w->rows, l->rank) };
	}
	p = l->scratch;
	l->t = cut(&p, l->max_rows, l->rank);
	l->dt = cut(&p, l->max_rows, l->rank);
	l->grad = p;
	if (l->m->be->host_memory)
		l->grad_here = l->grad;
}

static enum st get_memory(struct lora *l, const struct sizes *s, struct err *e)
{
	const struct backend *be = l->m->be;
	char what[64];

	if (bytes_there(s) <= place_room(be)) {
		l->there = be->alloc(s->weights * sizeof(float));
		l->scratch = be->alloc(s->scratch * sizeof(float));
	}
	if (!l->there || !l->scratch) {
		snprintf(what, sizeof what, "an adapter of rank %zu", l->rank);
		return place_full(
			l->m, what, bytes_there(s), "a lower rank or fewer tokens take less", e);
	}
	if (be->host_memory) {
		l->here = l->there;
		return ST_OK;
	}
	l->here = big_array(s->weights, sizeof(float), "an adapter", e);
	l->grad_here =
		l->here ? big_array(s->grad, sizeof(float), "gradients of an adapter", e) : NULL;
	return l->grad_here ? ST_OK : ST_NOMEM;
}

enum st lora_rank_fits(const struct hparams *hp, size_t rank, struct err *e)
{
	if (rank && rank <= hp->hidden)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"the rank of an adapter is 1 to %zu here, the model's hidden size, not %zu",
		hp->hidden, rank);
}

enum st lora_new(struct lora **out, const struct model *m, size_t rank, double alpha, uint64_t seed,
	size_t max_rows, struct err *e)
{
	struct drawing d = { .seed = seed };
	struct sizes s;
	struct lora *l;
	enum st st;

	st = lora_rank_fits(&m->hp, rank, e);
	if (st)
		return st;
	if (!isfinite(alpha) || alpha <= 0)
		return err_set(
			e, ST_INVALID, "alpha of an adapter is a number above 0, not %g", alpha);
	if (!max_rows || !sizes_of(&s, m, rank, max_rows))
		return err_set(e, ST_INVALID, "an adapter for %zu tokens at once cannot be made",
			max_rows);
	l = xalloc(sizeof *l);
	l->m = m;
	l->rank = rank;
	l->max_rows = max_rows;
	l->alpha = alpha;
	l->math = MATH_F32;
	l->weights = s.weights;
	l->a = xarray(m->n_linears, sizeof *l->a);
	l->b = xarray(m->n_linears, sizeof *l->b);
	st = get_memory(l, &s, e);
	if (!st) {
		share_out(l);
		d.l = l;
		pool_run(draw, &d, m->n_linears);
		if (!m->be->host_memory)
			m->be->put(l->there, l->here, l->weights * sizeof(float));
		st = model_fault(m, e);
	}
	if (st) {
		lora_free(l);
		return st;
	}
	*out = l;
	return ST_OK;
}

void lora_free(struct lora *l)
{
	if (!l)
		return;
	if (l->there)
		l->m->be->free(l->there);
	if (l->scratch)
		l->m->be->free(l->scratch);
	if (!l->m->be->host_memory) {
		big_free(l->here);
		big_free(l->grad_here);
	}
	xfree(l->a);
	xfree(l->b);
	xfree(l);
}

/* ---- forward and back */

void lora_set_math(struct lora *l, enum math math)
{
	l->math = math;
}

/* The matrix where products read it. */
static float *there(const struct lora *l, const struct mat *w)
{
	return l->there + ((const float *)w->data - l->here);
}

/* t = x A^T */
static void reduce(const struct lora *l, size_t linear, const float *x, size_t rows)
{
	const struct mat *a = &l->a[linear];

	l->m->be->gemm(false, true, rows, l->rank, a->cols, 1, x, a->cols, there(l, a), a->cols, 0,
		l->t, l->rank, l->math);
}

void lora_add(void *lora, size_t linear, const float *x, float *y, size_t rows)
{
	struct lora *l = lora;
	const struct mat *a = &l->a[linear], *b = &l->b[linear];
	float c = (float)(l->alpha / (double)l->rank);

	for (size_t at = 0, n; at < rows; at += n) {
		n = rows - at < l->max_rows ? rows - at : l->max_rows;
		reduce(l, linear, x + at * a->cols, n);
		l->m->be->gemm(false, true, n, b->rows, l->rank, c, l->t, l->rank, there(l, b),
			l->rank, 1, y + at * b->rows, b->rows, l->math);
	}
}

enum st lora_back(struct lora *l, size_t linear, const float *x, const float *dy, float *dx,
	size_t rows, float **da, float **db, struct err *e)
{
	const struct backend *be = l->m->be;
	const struct mat *a = &l->a[linear], *b = &l->b[linear];
	float c = (float)(l->alpha / (double)l->rank), *p = l->grad, *ga, *gb;
	size_t r = l->rank;

	if (rows > l->max_rows)
		return err_set(e, ST_INVALID, "an adapter made for %zu tokens was given %zu",
			l->max_rows, rows);
	ga = cut(&p, r, a->cols);
	gb = cut(&p, b->rows, r);
	reduce(l, linear, x, rows);
	be->gemm(true, false, b->rows, r, rows, c, dy, b->rows, l->t, r, 0, gb, r, l->math);
	be->gemm(false, false, rows, r, b->rows, c, dy, b->rows, there(l, b), r, 0, l->dt, r,
		l->math);
	be->gemm(true, false, r, a->cols, rows, 1, l->dt, r, x, a->cols, 0, ga, a->cols, l->math);
	be->gemm(false, false, rows, a->cols, r, 1, l->dt, r, there(l, a), a->cols, 1, dx, a->cols,
		l->math);
	if (!be->host_memory)
		be->get(l->grad_here, l->grad, (size_t)(p - l->grad) * sizeof(float));
	*da = l->grad_here + (ga - l->grad);
	*db = l->grad_here + (gb - l->grad);
	return model_fault(l->m, e);
}

enum st lora_changed(struct lora *l, size_t linear, struct err *e)
{
	const struct mat *const w[2] = { &l->a[linear], &l->b[linear] };

	if (l->m->be->host_memory)
		return ST_OK;
	for (int i = 0; i < 2; i++)
		l->m->be->put(there(l, w[i]), w[i]->data, w[i]->rows * w[i]->cols * sizeof(float));
	return model_fault(l->m, e);
}
