/* cpu: backward of what stands between the products of a layer, and of losses over logits. */
#include "kernels/cpu/cpu.h"

#include <string.h>

#include "kernels/cpu/cut.h"
#include "kernels/pool.h"

enum {
	PART = 16 * 1024, /* values in a part of an operation that only passes over them */
	INVERSES = 4096   /* rows of rmsnorm_back whose 1 / sqrt(...) is held at once */
};

/* ---- norms ---- */

struct norm {
	float *dx, *dgain;
	const float *dy, *x, *gain;
	size_t m, n, step; /* rows, values of a row, rows of a part */
	float eps;
	float inv[INVERSES];
};

static void norm_part(void *arg, size_t part)
{
	struct norm *t = arg;

	for (size_t i = part * t->step; i < least(t->m, (part + 1) * t->step); i++)
		t->inv[i] = cpu_leaf()->back.rmsnorm(
			t->dx + i * t->n, t->dy + i * t->n, t->x + i * t->n, t->gain, t->n, t->eps);
}

/* Some columns of all rows. */
static void gain_part(void *arg, size_t part)
{
	const struct norm *t = arg;
	size_t c = part * LEAF_STRIP;

	cpu_leaf()->back.gain(
		t->dgain + c, t->dy + c, t->x + c, t->inv, t->m, t->n, least(LEAF_STRIP, t->n - c));
}

void cpu_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps)
{
	struct norm t = { .gain = gain, .dgain = dgain, .n = n, .eps = eps };

	if (!n)
		return;
	t.step = pieces(PART, n);
	for (size_t i = 0; i < m; i += INVERSES) {
		t.dx = dx + i * n;
		t.dy = dy + i * n;
		t.x = x + i * n;
		t.m = least(INVERSES, m - i);
		pool_run(norm_part, &t, pieces(t.m, t.step));
		if (dgain)
			pool_run(gain_part, &t, pieces(n, LEAF_STRIP));
	}
}

/* ---- activations ---- */

struct gated {
	float *dgate, *dup;
	const float *dy, *gate, *up;
	size_t count;
};

static void swiglu_part(void *arg, size_t part)
{
	const struct gated *g = arg;
	size_t i = part * PART, n = least(PART, g->count - i);

	cpu_leaf()->back.swiglu(g->dgate + i, g->dup + i, g->dy + i, g->gate + i, g->up + i, n);
}

void cpu_swiglu_back(
	float *dgate, float *dup, const float *dy, const float *gate, const float *up, size_t count)
{
	struct gated g = { dgate, dup, dy, gate, up, count };

	pool_run(swiglu_part, &g, pieces(count, PART));
}

/* ---- losses ---- */

struct loss {
	double *out;
	float *z;
	const float *zp;
	const int32_t *label;
	size_t m, n, step;
	float scale;
};

static void run_loss(void (*fn)(void *arg, size_t part), struct loss *l)
{
	if (!l->m || !l->n)
		return;
	l->step = pieces(PART, l->n);
	pool_run(fn, l, pieces(l->m, l->step));
}

static void entropy_part(void *arg, size_t part)
{
	const struct loss *l = arg;

	for (size_t i = part * l->step; i < least(l->m, (part + 1) * l->step); i++) {
		float *z = l->z + i * l->n, *right = z + l->label[i];
		double lse;

		cpu_leaf()->v.stats(&lse, NULL, z, l->n);
		if (l->out)
			l->out[i] = lse - (double)*right;
		cpu_leaf()->back.softmax(z, l->n, lse, l->scale);
		*right -= l->scale;
	}
}

void cpu_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale)
{
	struct loss l = { .out = loss, .z = z, .label = label, .m = m, .n = n, .scale = scale };

	run_loss(entropy_part, &l);
}

static void kl_part(void *arg, size_t part)
{
	const struct loss *l = arg;

	for (size_t i = part * l->step; i < least(l->m, (part + 1) * l->step); i++) {
		float *zq = l->z + i * l->n;
		const float *zp = l->zp + i * l->n;
		double lse_q, lse_p;

		cpu_leaf()->v.stats(&lse_q, NULL, zq, l->n);
		cpu_leaf()->v.stats(&lse_p, NULL, zp, l->n);
		if (l->out)
			l->out[i] = cpu_leaf()->v.kl(zp, lse_p, zq, lse_q, l->n);
		cpu_leaf()->back.kl(zq, lse_q, zp, lse_p, l->n, l->scale);
	}
}

void cpu_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale)
{
	struct loss l = { .out = kl, .z = zq, .zp = zp, .m = m, .n = n, .scale = scale };

	run_loss(kl_part, &l);
}

/* ---- attention ---- */

struct attention {
	float *dq, *dk, *dv;
	const float *dout, *out, *q;
	const struct attn_seq *seqs;
	const struct attn_shape *shape;
};

/* The heads of one sequence that share keys, in order: each adds to dk and dv. */
static void attention_part(void *arg, size_t part)
{
	const struct attention *t = arg;
	const struct attn_shape *sh = t->shape;
	const struct attn_seq *s = &t->seqs[part / sh->kv_heads];
	size_t dim = sh->head_dim, kv_head = part % sh->kv_heads, share = sh->heads / sh->kv_heads;
	size_t ld = sh->heads * dim, step = sh->kv_heads * dim, at = s->q0 * ld;
	size_t kv = (s->q0 - s->pos) * step + kv_head * dim;
	struct leaf_attn_back a = { .dk = t->dk + kv, .dv = t->dv + kv, .ld = ld, .step = step };

	a.k = s->k + kv_head * dim;
	a.v = s->v + kv_head * dim;
	a.m = s->m;
	a.pos = s->pos;
	a.dim = dim;
	a.window = sh->window;
	a.scale = sh->scale;
	for (size_t i = s->pos; i < s->pos + s->m; i++) {
		memset(a.dk + i * step, 0, dim * sizeof *a.dk);
		memset(a.dv + i * step, 0, dim * sizeof *a.dv);
	}
	for (size_t h = kv_head * share; h < (kv_head + 1) * share; h++) {
		a.q = t->q + at + h * dim;
		a.out = t->out + at + h * dim;
		a.dout = t->dout + at + h * dim;
		a.dq = t->dq + at + h * dim;
		cpu_leaf()->back.attention(&a, pool_scratch());
	}
}

void cpu_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape)
{
	struct attention t = { dq, dk, dv, dout, out, q, seqs, shape };

	pool_run(attention_part, &t, n * shape->kv_heads);
}
