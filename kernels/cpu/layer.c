/* cpu: what stands between the products of a layer, and reductions over logits. */
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/cut.h"
#include "kernels/pool.h"

enum {
	PART = 16 * 1024, /* values in a part of an operation that only passes over them */
	SQ_PARTS = 64     /* partial sums of sq_diff */
};

/* Arguments of an operation on rows; each uses what it needs. */
struct rows {
	float *y;
	const float *x, *z;
	size_t m, n, step; /* rows, values of a row, rows of a part */
	float eps;
	/* rope */
	size_t ld, heads, dim;
	const int32_t *pos;
	const float *inv_freq;
	enum rope_style style;
	/* statistics */
	double *out;
	int32_t *argmax;
	const double *lse_p, *lse_q;
};

static void run_rows(void (*fn)(void *arg, size_t part), struct rows *r)
{
	if (!r->m || !r->n)
		return;
	r->step = pieces(PART, r->n);
	pool_run(fn, r, pieces(r->m, r->step));
}

static void rmsnorm_part(void *arg, size_t part)
{
	const struct rows *r = arg;

	for (size_t i = part * r->step; i < least(r->m, (part + 1) * r->step); i++)
		cpu_leaf()->v.rmsnorm(r->y + i * r->n, r->x + i * r->n, r->z, r->n, r->eps);
}

void cpu_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	struct rows r = { .y = y, .x = x, .z = gain, .m = m, .n = n, .eps = eps };

	run_rows(rmsnorm_part, &r);
}

static void rope_part(void *arg, size_t part)
{
	const struct rows *r = arg;
	const struct leaf_vector *v = &cpu_leaf()->v;
	float *c = pool_scratch(), *s = c + r->dim / 2;

	for (size_t i = part * r->step; i < least(r->m, (part + 1) * r->step); i++) {
		v->angles(c, s, r->pos[i], r->inv_freq, r->dim / 2);
		for (size_t h = 0; h < r->heads; h++)
			v->rope(r->y + i * r->ld + h * r->dim, r->dim, c, s, r->style);
	}
}

void cpu_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style)
{
	struct rows r = { .y = x, .m = m, .n = heads * dim, .ld = ld, .heads = heads, .dim = dim };

	r.pos = pos;
	r.inv_freq = inv_freq;
	r.style = style;
	run_rows(rope_part, &r);
}

static void swiglu_part(void *arg, size_t part)
{
	const struct rows *r = arg;
	size_t i = part * PART, n = least(PART, r->n - i);

	cpu_leaf()->v.swiglu(r->y + i, r->x + i, r->z + i, n);
}

void cpu_swiglu(float *y, const float *gate, const float *up, size_t count)
{
	struct rows r = { .y = y, .x = gate, .z = up, .n = count };

	pool_run(swiglu_part, &r, pieces(count, PART));
}

static void add_part(void *arg, size_t part)
{
	const struct rows *r = arg;
	size_t i = part * PART, n = least(PART, r->n - i);

	cpu_leaf()->v.add(r->y + i, r->x + i, n);
}

void cpu_add(float *y, const float *x, size_t count)
{
	struct rows r = { .y = y, .x = x, .n = count };

	pool_run(add_part, &r, pieces(count, PART));
}

static void stats_part(void *arg, size_t part)
{
	const struct rows *r = arg;

	for (size_t i = part * r->step; i < least(r->m, (part + 1) * r->step); i++)
		cpu_leaf()->v.stats(r->out ? r->out + i : NULL, r->argmax ? r->argmax + i : NULL,
			r->x + i * r->n, r->n);
}

void cpu_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n)
{
	struct rows r = { .x = z, .m = m, .n = n, .out = lse, .argmax = argmax };

	run_rows(stats_part, &r);
}

static void kl_part(void *arg, size_t part)
{
	const struct rows *r = arg;

	for (size_t i = part * r->step; i < least(r->m, (part + 1) * r->step); i++)
		r->out[i] = cpu_leaf()->v.kl(
			r->x + i * r->n, r->lse_p[i], r->z + i * r->n, r->lse_q[i], r->n);
}

void cpu_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n)
{
	struct rows r = { .x = zp, .z = zq, .m = m, .n = n, .out = kl };

	r.lse_p = lse_p;
	r.lse_q = lse_q;
	run_rows(kl_part, &r);
}

struct squares {
	const float *a, *b;
	size_t count, step;
	double num[SQ_PARTS], den[SQ_PARTS];
};

static void sq_part(void *arg, size_t part)
{
	struct squares *s = arg;
	size_t i = part * s->step;

	cpu_leaf()->v.sq_diff(
		&s->num[part], &s->den[part], s->a + i, s->b + i, least(s->step, s->count - i));
}

void cpu_sq_diff(double *num, double *den, const float *a, const float *b, size_t count)
{
	struct squares s = { .a = a, .b = b, .count = count };
	size_t parts;

	s.step = pieces(count, SQ_PARTS);
	if (s.step < PART)
		s.step = PART;
	parts = pieces(count, s.step);
	pool_run(sq_part, &s, parts);
	*num = *den = 0;
	for (size_t i = 0; i < parts; i++) {
		*num += s.num[i];
		*den += s.den[i];
	}
}

/* ---- attention ---- */

struct attention {
	float *out;
	const float *q;
	const struct attn_seq *seqs;
	size_t n;
	const struct attn_shape *shape;
	bool level; /* a part is the heads that share keys */
};

/* Rounded keys of one new row are widened once for all heads that share them. */
static bool shares(const struct attention *t)
{
	size_t share = t->shape->heads / t->shape->kv_heads;

	for (size_t i = 0; i < t->n; i++)
		if (t->seqs[i].k || t->seqs[i].m != 1)
			return false;
	return share <= ATTN_ROWS;
}

static void attention_part(void *arg, size_t part)
{
	const struct attention *t = arg;
	const struct attn_shape *sh = t->shape;
	size_t parts = t->level ? sh->kv_heads : sh->heads, share = sh->heads / sh->kv_heads;
	size_t block = part / parts, h = part % parts * (t->level ? share : 1), row;
	size_t dim = sh->head_dim, kv_head = h / share, kv = kv_head * dim;
	const struct attn_seq *s = t->seqs;
	struct leaf_attn a = { .dim = dim, .window = sh->window, .scale = sh->scale };

	for (; block >= pieces(s->m, ATTN_ROWS); s++)
		block -= pieces(s->m, ATTN_ROWS);
	row = block * ATTN_ROWS;
	a.ld = sh->heads * dim;
	a.step = sh->kv_heads * dim;
	a.scale_step = sh->kv_heads;
	a.out = t->out + (s->q0 + row) * a.ld + h * dim;
	a.q = t->q + (s->q0 + row) * a.ld + h * dim;
	if (s->k) {
		a.k = s->k + kv;
		a.v = s->v + kv;
	} else {
		a.k8 = s->k8 + kv;
		a.v8 = s->v8 + kv;
		a.k_scale = s->k_scale + kv_head;
		a.v_scale = s->v_scale + kv_head;
	}
	a.m = least(ATTN_ROWS, s->m - row);
	a.pos = s->pos + row;
	if (t->level) {
		a.level = true;
		a.m = share;
		a.ld = dim;
	}
	cpu_leaf()->v.attention(&a, pool_scratch());
}

void cpu_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape)
{
	struct attention t = { out, q, seqs, n, shape, false };
	size_t blocks = 0;

	t.level = shares(&t);
	for (size_t i = 0; i < n; i++)
		blocks += pieces(seqs[i].m, ATTN_ROWS);
	pool_run(attention_part, &t, blocks * (t.level ? shape->kv_heads : shape->heads));
}
