/* lib_ops_back.c - the way back of every operation, against ref.
 *
 * Of dx of a product an error may be 2e-6 of the sum of |dy| |W| in float, 2^-7 of it where both
 * are rounded to bfloat16 and 2^-15 where they are three of those; the others are measured by
 * themselves.
 */
#include <math.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_ops.h"

/* ---- products */

struct back_case {
	const struct mat *w;
	const float *dy, *was;
	float *want;
	double *size;
	size_t m, ldy;
	bool add;
};

/* A row of dx by ref, and what its errors are measured against. */
static void part_of_dx(void *arg, size_t i)
{
	const struct back_case *c = arg;
	size_t cols = c->w->cols;
	float row[2048], *to = c->want + i * cols;
	double *size = c->size + i * cols;

	memcpy(to, c->was + i * cols, cols * sizeof *to);
	bd_backend_ref.products_back(
		to, cols, c->add, c->dy + i * c->ldy, c->ldy, 1, c->w, MATH_F32);
	for (size_t j = 0; j < cols; j++)
		size[j] = c->add ? fabs((double)c->was[i * cols + j]) : 1e-30;
	for (size_t r = 0; r < c->w->rows; r++) {
		mat_row_f32(c->w, r, row);
		/* codes and offsets apart are larger than what they come to */
		for (size_t j = 0; j < cols; j++)
			size[j] +=
				fabs((double)c->dy[i * c->ldy + r]) * (fabs((double)row[j]) + 0.1);
	}
}

static void check_back(struct op_run *r, const struct op_mat *w, size_t m, size_t n)
{
	static const enum math maths[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };
	static const double allowed[] = { 2e-6, 2e-6, 0x1p-7, 0x1p-15, 0x1p-7 };
	size_t cols = w->host.cols, ldy = w->host.rows + 5, ldx = cols + 3;
	struct back_case c = { .w = &w->host, .m = m, .ldy = ldy };
	const float *dy;
	char name[80];

	c.dy = op_floats(r, m * ldy, 1);
	c.was = op_floats(r, m * cols, 1);
	c.want = op_host(r, m * cols * sizeof *c.want);
	c.size = op_host(r, m * cols * sizeof *c.size);
	dy = op_put(r, c.dy, ((m - 1) * ldy + w->host.rows) * sizeof *dy, 4);
	for (size_t k = 0; k < COUNTED(maths); k++) {
		float *dx = op_host(r, m * ldx * sizeof *dx), *to, *got;
		double most = 0;

		c.add = (k + n) % 2;
		for (size_t i = 0; c.add && i < m; i++)
			memcpy(dx + i * ldx, c.was + i * cols, cols * sizeof *dx);
		to = op_inout(r, dx, m * ldx * sizeof *dx, 8);
		op_case(r, "%s, %zu rows, math %d%s", op_mat_name(&w->host, name), m, (int)maths[k],
			c.add ? ", added" : "");
		r->b->products_back(to, ldx, c.add, dy, ldy, m, &w->dev, maths[k]);
		got = op_get(r, to, m * ldx * sizeof *got);
		pool_run(part_of_dx, &c, m);
		for (size_t i = 0; i < m; i++) {
			for (size_t j = 0; j < cols; j++) {
				double e = fabs((double)got[i * ldx + j] -
						   (double)c.want[i * cols + j]) /
					   (allowed[k] * c.size[i * cols + j]);

				if (!(e <= most))
					most = isnan(e) ? INFINITY : e;
			}
			op_same(r, got + i * ldx + cols, dx + i * ldx + cols, 3 * sizeof *got,
				"what lies between the rows of dx");
		}
		op_share(r, most, m * cols);
	}
	op_end(r);
}

void op_products_back(struct op_run *r)
{
	static const struct {
		size_t rows, cols, m;
	} of[] = { { 1, 1, 1 }, { 17, 33, 5 }, { 63, 65, 17 }, { 40, 96, 3 }, { 130, 70, 33 },
		{ 576, 1536, 64 }, { 4096, 1024, 130 } };

	for (size_t i = 0; i < COUNTED(of) - (r->large ? 0 : 2); i++)
		for (int kind = 0; kind < 12; kind++) {
			size_t rows = of[i].rows, cols = of[i].cols;
			struct op_mat w;

			if ((kind == 11 && cols <= 64) || ((size_t)kind % 3 != i % 3 && kind < 11))
				continue;
			w = kind == 11 ? op_mix(r, 4, 2, rows, cols, 32)
				       : op_mat(r, kind < 3 ? (enum mat_type)kind : MAT_INT,
						 kind - 2, (size_t)32 << i % 3, rows, cols);
			check_back(r, &w, of[i].m, (size_t)kind);
		}
}

/* ---- norms */

void op_rmsnorm_back(struct op_run *r)
{
	static const size_t widths[] = { 1, 15, 16, 33, 65, 576, 2048, 4096 };
	static const size_t rows[] = { 1, 3, 70, 300 };

	for (size_t i = 0; i < COUNTED(widths) - (r->large ? 0 : 2); i++)
		for (size_t k = i % 2; k < COUNTED(rows); k += 2) {
			size_t n = widths[i], m = rows[k], bytes = m * n * sizeof(float);
			float *x = op_floats(r, m * n, 3), *gain = op_floats(r, n, 1);
			float *dy = op_floats(r, m * n, 1), *dx = op_floats(r, m * n, 1);
			float *dgain = op_floats(r, n, 1), *to = op_inout(r, dx, bytes, 0);
			float *alone = op_inout(r, dx, bytes, 4);
			float *gains = op_inout(r, dgain, n * sizeof *gain, 0);
			const float *by = op_put(r, gain, n * sizeof *gain, 0);
			const float *dev = op_put(r, x, bytes, 4),
				    *dev_dy = op_put(r, dy, bytes, 0);

			bd_backend_ref.rmsnorm_back(dx, dgain, dy, x, gain, m, n, 1e-5f);
			op_case(r, "%zu rows of %zu", m, n);
			r->b->rmsnorm_back(to, gains, dev_dy, dev, by, m, n, 1e-5f);
			r->b->rmsnorm_back(alone, NULL, dev_dy, dev, by, m, n, 1e-5f);
			to = op_get(r, to, bytes);
			op_share(r, op_relative(to, dx, m * n, 1) / 2e-6, m * n);
			op_share(r,
				op_relative(op_get(r, gains, n * sizeof *gains), dgain, n,
					sqrt((double)m)) /
					1e-6,
				n);
			op_same(r, op_get(r, alone, bytes), to, bytes, "dx without the gain's");
			op_end(r);
		}
}

/* ---- attention */

struct attn_back_case {
	size_t heads, kv_heads, dim, window;
	size_t m[4];
};

struct attn_back {
	float *q, *k, *v, *dout, *out, *dq, *dk, *dv; /* host; ref's */
	struct attn_seq host[4], dev[4];
	struct attn_shape shape;
	size_t n, rows, ld, step;
};

/* One sequence by ref. */
static void part_of_back(void *arg, size_t i)
{
	struct attn_back *a = arg;

	bd_backend_ref.attention(a->out, a->q, &a->host[i], 1, &a->shape);
	bd_backend_ref.attention_back(
		a->dq, a->dk, a->dv, a->dout, a->out, a->q, &a->host[i], 1, &a->shape);
}

/* |got - want| / |want|; `all`: of it all, for what is nothing but what cancels. */
static double apart(const float *got, const float *want, size_t n, double all)
{
	double diff = 0, norm = all + 1e-30;

	for (size_t i = 0; i < n; i++) {
		diff += pow((double)got[i] - (double)want[i], 2);
		norm += pow((double)want[i], 2);
	}
	return sqrt(diff / norm);
}

static void make(struct op_run *r, struct attn_back *a, const struct attn_back_case *c, double size)
{
	float **const of_q[] = { &a->out, &a->dq }, **const of_k[] = { &a->dk, &a->dv };

	*a = (struct attn_back){ .rows = 1 }; /* the first row is nobody's */
	a->shape = (struct attn_shape){ c->heads, c->kv_heads, c->dim, c->window,
		(float)(1 / sqrt((double)c->dim)) };
	a->ld = c->heads * c->dim;
	a->step = c->kv_heads * c->dim;
	for (; a->n < 4 && c->m[a->n]; a->rows += c->m[a->n++])
		a->host[a->n] = (struct attn_seq){ .q0 = a->rows, .m = c->m[a->n] };
	a->q = op_floats(r, a->rows * a->ld, size);
	a->k = op_floats(r, a->rows * a->step, size);
	a->v = op_floats(r, a->rows * a->step, 1);
	a->dout = op_floats(r, a->rows * a->ld, 1);
	for (int i = 0; i < 2; i++) {
		*of_q[i] = op_host(r, a->rows * a->ld * sizeof(float));
		*of_k[i] = op_host(r, a->rows * a->step * sizeof(float));
	}
}

static void check_attention(
	struct op_run *r, const struct attn_back_case *c, double size, double allowed, size_t skew)
{
	struct attn_back a;
	size_t nq, nk;
	const float *q, *k, *v, *dout, *out;
	float *dq, *dk, *dv;
	double all;

	make(r, &a, c, size);
	nq = a.rows * a.ld * sizeof *dq;
	nk = a.rows * a.step * sizeof *dk;
	k = op_put(r, a.k, nk, skew);
	v = op_put(r, a.v, nk, 0);
	for (size_t i = 0; i < a.n; i++) {
		a.dev[i] = a.host[i];
		a.host[i].k = a.k + a.host[i].q0 * a.step;
		a.host[i].v = a.v + a.host[i].q0 * a.step;
		a.dev[i].k = k + a.host[i].q0 * a.step;
		a.dev[i].v = v + a.host[i].q0 * a.step;
	}
	pool_run(part_of_back, &a, a.n);
	q = op_put(r, a.q, nq, 0);
	dout = op_put(r, a.dout, nq, 0);
	out = op_put(r, a.out, nq, 4);
	dq = op_out(r, nq, 0);
	dk = op_out(r, nk, 0);
	dv = op_out(r, nk, skew);
	op_case(r, "%zu/%zu heads of %zu, window %zu, %zu sequences, the first of %zu", c->heads,
		c->kv_heads, c->dim, c->window, a.n, c->m[0]);
	r->b->attention_back(dq, dk, dv, dout, out, q, a.dev, a.n, &a.shape);
	memset(a.dev, 0x7f, sizeof a.dev);
	dq = op_get(r, dq, nq);
	dk = op_get(r, dk, nk);
	dv = op_get(r, dv, nk);
	/* where each row sees one key dS is nothing but what did not cancel */
	all = c->window == 1 || (a.n == 1 && c->m[0] == 1) ? (double)(nq * c->dim) : 0;
	nq = (a.rows - 1) * a.ld;
	nk = (a.rows - 1) * a.step;
	op_share(r, apart(dq + a.ld, a.dq + a.ld, nq, all) / allowed, nq);
	op_share(r, apart(dk + a.step, a.dk + a.step, nk, all) / allowed, nk);
	op_share(r, apart(dv + a.step, a.dv + a.step, nk, 0) / allowed, nk);
	/* as they were poisoned */
	op_same(r, dq, op_host(r, a.ld * sizeof *dq), a.ld * sizeof *dq, "nobody's row of dq");
	op_same(r, dk, op_host(r, a.step * sizeof *dk), a.step * sizeof *dk, "... of dk");
	op_same(r, dv, op_host(r, a.step * sizeof *dv), a.step * sizeof *dv, "... of dv");
	op_end(r);
}

void op_attention_back(struct op_run *r)
{
	static const struct attn_back_case cases[] = {
		{ 3, 3, 16, 0, { 1 } },
		{ 4, 2, 6, 0, { 5, 1, 49 } },
		{ 3, 1, 64, 0, { 48, 97 } },
		{ 2, 1, 33, 7, { 60, 3, 66 } },
		{ 2, 2, 36, 100, { 150 } },
		{ 2, 1, 132, 1, { 30 } },
		{ 2, 1, 72, 65, { 70, 64 } },
		{ 9, 3, 64, 0, { 256, 256, 100 } },
		{ 32, 8, 64, 0, { 512 } },
		{ 16, 4, 128, 0, { 300, 77 } },
		{ 8, 8, 256, 0, { 130 } },
		{ 4, 1, 96, 300, { 700 } },
	};

	for (size_t i = 0; i < COUNTED(cases) - (r->large ? 0 : 5); i++)
		check_attention(r, &cases[i], 2, 4e-6, i % 4 == 2 ? 4 : 0);
	/* scores of hundreds, which carry an error of 1e-5 themselves */
	check_attention(r, &cases[1], 12, 1e-3, 0);
}

/* What is not finite stays in its sequence and among the heads that share its keys. */
void op_attention_back_nan(struct op_run *r)
{
	enum { ROWS = 12, HEADS = 4, KV = 2, DIM = 8, LD = HEADS * DIM, STEP = KV * DIM };
	static const struct attn_shape shape = { HEADS, KV, DIM, 0, 0.35f };
	float *q = op_floats(r, ROWS * LD, 1), *k = op_floats(r, ROWS * STEP, 1), *dq, *dk;
	const float *dev = op_put(r, k, ROWS * STEP * sizeof *k, 0), *dev_q;
	struct attn_seq s[2] = { { .m = 7, .k = dev, .v = dev },
		{ .q0 = 7, .m = 5, .k = dev + 7 * STEP, .v = dev + 7 * STEP } };
	size_t bad = 0;

	q[9 * LD + 3 * DIM + 1] = NAN;
	dev_q = op_put(r, q, ROWS * LD * sizeof *q, 0);
	dq = op_out(r, ROWS * LD * sizeof *dq, 0);
	dk = op_out(r, ROWS * STEP * sizeof *dk, 0);
	op_case(r, "a NaN in row 9, head 3");
	r->b->attention_back(
		dq, dk, op_out(r, ROWS * STEP * sizeof *dk, 0), dev_q, dev_q, dev_q, s, 2, &shape);
	dq = op_get(r, dq, ROWS * LD * sizeof *dq);
	dk = op_get(r, dk, ROWS * STEP * sizeof *dk);
	for (size_t i = 0; i < ROWS * LD; i++)
		bad += !isfinite(dq[i]) && (i / LD < 7 || i % LD / DIM < 2);
	for (size_t i = 0; i < ROWS * STEP; i++)
		bad += !isfinite(dk[i]) && (i / STEP < 7 || i % STEP / DIM < 1);
	if (bad)
		op_fail(r, "%zu values of others are not finite", bad);
	if (isfinite(dq[9 * LD + 3 * DIM]) || isfinite(dk[8 * STEP + DIM]))
		op_fail(r, "it is lost");
	op_share(r, 0, ROWS * (LD + STEP));
	op_end(r);
}

/* ---- values one by one */

void op_swiglu_back(struct op_run *r)
{
	static const size_t counts[] = { 1, 15, 33, 576, 4097, 1536 * 1024 + 1 };
	static const float gates[] = { 0, -0.0f, 1e-30f, -87, -95, -200, 200, 88, -1.278f };

	for (size_t k = 0; k < COUNTED(counts) - !r->large; k++) {
		size_t n = counts[k], bytes = n * sizeof(float);
		float *g = op_floats(r, n, 5), *u = op_floats(r, n, 2), *dy = op_floats(r, n, 1);
		float *dg = op_host(r, bytes), *du = op_host(r, bytes), *a, *b, *c, *d;
		const float *dev;

		for (size_t i = 0; n > 15 && i < COUNTED(gates); i++)
			g[i] = gates[i];
		bd_backend_ref.swiglu_back(dg, du, dy, g, u, n);
		dev = op_put(r, dy, bytes, k % 2 * 4);
		a = op_out(r, bytes, 0);
		b = op_out(r, bytes, 0);
		c = op_inout(r, g, bytes, 0);
		d = op_inout(r, u, bytes, k % 3 * 4);
		op_case(r, "%zu values", n);
		r->b->swiglu_back(a, b, dev, op_put(r, g, bytes, 0), op_put(r, u, bytes, 0), n);
		r->b->swiglu_back(c, d, dev, c, d, n);
		op_share(r, op_relative(op_get(r, a, bytes), dg, n, 1) / 3e-6, n);
		op_share(r, op_relative(op_get(r, b, bytes), du, n, 1) / 1e-6, n);
		op_case(r, "%zu values in place", n);
		op_share(r, op_relative(op_get(r, c, bytes), dg, n, 1) / 3e-6, n);
		op_share(r, op_relative(op_get(r, d, bytes), du, n, 1) / 1e-6, n);
		op_end(r);
	}
}

/* ---- losses */

static void check_losses(struct op_run *r, size_t m, size_t n, double noise)
{
	size_t bytes = m * n * sizeof(float);
	float *z = op_floats(r, m * n, 4), *zp = op_floats(r, m * n, noise);
	float *dz = op_host(r, bytes), *dq = op_host(r, bytes);
	float *to[4]; /* cross-entropy, KL; each without the loss */
	double *loss = op_host(r, 4 * m * sizeof *loss), *kl = loss + m, *got = kl + m;
	int32_t *label = op_host(r, m * sizeof *label), *asked = op_host(r, m * sizeof *label);
	const float *dev;

	for (size_t i = 0; i < m; i++)
		label[i] = (int32_t)(i ? rng_below(&r->rng, (uint32_t)n) : n - 1);
	for (size_t i = 0; i < m * n; i++)
		zp[i] += z[i];
	if (n > 8)
		z[n / 2] = zp[n / 2] = -INFINITY; /* what a mask leaves */
	memcpy(dz, z, bytes);
	memcpy(dq, z, bytes);
	memcpy(asked, label, m * sizeof *label);
	dev = op_put(r, zp, bytes, 4);
	for (int i = 0; i < 4; i++)
		to[i] = op_inout(r, z, bytes, i % 2 ? 4 : 0);
	bd_backend_ref.cross_entropy(loss, dz, label, m, n, 0.25f);
	bd_backend_ref.kl_back(kl, dq, zp, m, n, -2);
	op_case(r, "cross-entropy, %zu rows of %zu", m, n);
	r->b->cross_entropy(NULL, to[1], asked, m, n, 0.25f);
	r->b->cross_entropy(got, to[0], asked, m, n, 0.25f);
	memset(asked, 0x7f, m * sizeof *asked);
	for (size_t i = 0; i < m; i++)
		op_share(r, fabs(got[i] - loss[i]) / (1e-6 * (1 + loss[i])), 1);
	to[0] = op_get(r, to[0], bytes);
	op_share(r, op_relative(to[0], dz, m * n, 0.01) / 1e-5, m * n);
	op_same(r, op_get(r, to[1], bytes), to[0], bytes, "the gradient without the loss");
	op_case(r, "KL, %zu rows of %zu, noise %g", m, n, noise);
	r->b->kl_back(NULL, to[3], dev, m, n, -2);
	r->b->kl_back(got + m, to[2], dev, m, n, -2);
	for (size_t i = 0; i < m; i++)
		op_share(r, fabs(got[m + i] - kl[i]) / (1e-6 * kl[i] + 1e-9), 1);
	to[2] = op_get(r, to[2], bytes);
	op_share(r, op_relative(to[2], dq, m * n, 0.1) / 1e-5, m * n);
	op_same(r, op_get(r, to[3], bytes), to[2], bytes, "the gradient without the KL");
	op_end(r);
}

void op_losses_back(struct op_run *r)
{
	static const size_t widths[] = { 1, 15, 33, 257, 1000, 4099, 8192, 49152, 128256 };

	for (size_t k = 0; k < COUNTED(widths) - (r->large ? 0 : 2); k++)
		check_losses(r, k % 2 ? 9 : 3, widths[k], k % 3 ? 0.1 : 3);
}

/* ---- embeddings: the same order, so the same bits */

void op_embed_back(struct op_run *r)
{
	enum { VOCAB = 9, LONG = 5000 };
	static const size_t widths[] = { 1, 15, 33, 300, 1024 };

	for (size_t k = 0; k < COUNTED(widths) - !r->large; k++) {
		size_t n = widths[k], m = n == 15 ? (size_t)LONG : 40, bytes;
		float *dy = op_floats(r, m * n, 1), *dw = op_floats(r, VOCAB * n, 1), *to;
		int32_t *ids = op_host(r, m * sizeof *ids);
		const float *dev = op_put(r, dy, m * n * sizeof *dy, 4);

		bytes = VOCAB * n * sizeof *dw;
		for (size_t i = 0; i < m; i++)
			ids[i] = (int32_t)rng_below(&r->rng, VOCAB - 1);
		to = op_inout(r, dw, bytes, 0);
		bd_backend_ref.embed_back(dw, dy, ids, m, n);
		op_case(r, "%zu rows of %zu", m, n);
		r->b->embed_back(to, dev, ids, m, n);
		memset(ids, 0x7f, m * sizeof *ids);
		op_same(r, op_get(r, to, bytes), dw, bytes, "the rows");
		op_end(r);
	}
}

/* ---- the same bits again */

struct back_again {
	struct op_mat w;
	const float *x, *y, *first; /* as large as the results */
	float *to;
	size_t m, rows, cols;
	struct attn_seq seq[2];
	int32_t label[64];
};

/* All of them into one array: results behind each other. */
static void run_all(const struct backend *b, struct back_again *a, double *sums)
{
	static const struct attn_shape shape = { 8, 2, 16, 0, 0.25f };
	size_t q = a->m * 128, kv = a->m * 32;
	float *to = a->to, *dx = to + 0, *dgain, *dq, *z, *dw;

	b->products_back(dx, a->cols, false, a->y, a->rows, a->m, &a->w.dev, MATH_F32);
	dgain = dx + a->m * a->cols;
	b->rmsnorm_back(dx, dgain, a->y, a->x, a->first, a->m, a->cols, 1e-5f);
	dq = dgain + a->cols;
	b->attention_back(dq, dq + q, dq + q + kv, a->x, a->y, a->x, a->seq, 2, &shape);
	z = dq + q + 2 * kv;
	b->cross_entropy(sums, z, a->label, a->m, a->cols, 0.5f);
	b->kl_back(sums + a->m, z, a->x, a->m, a->cols, 0.5f);
	dw = z + a->m * a->cols;
	b->embed_back(dw, a->y, a->label, a->m, a->cols);
}

void op_back_repeats(struct op_run *r)
{
	enum { M = 64, ROWS = 256, COLS = 128, N = M * COLS * 3 + COLS * 13 + M * 192 };
	struct back_again a = { .m = M, .rows = ROWS, .cols = COLS };
	float *was = op_floats(r, N, 1), *first = op_host(r, N * sizeof *was), *now;
	double sums[2][2 * M];

	now = op_host(r, N * sizeof *now);
	a.w = op_mat(r, MAT_INT, 4, 32, ROWS, COLS);
	a.x = op_put(r, op_floats(r, M * ROWS, 1), M * ROWS * sizeof *was, 0);
	a.y = op_put(r, op_floats(r, M * ROWS, 1), M * ROWS * sizeof *was, 0);
	a.first = op_put(r, was, COLS * sizeof *was, 0);
	a.to = op_inout(r, was, N * sizeof *was, 0);
	for (int i = 0; i < M; i++)
		a.label[i] = i * i % 11;
	a.seq[0] = (struct attn_seq){ .m = 41, .k = a.x, .v = a.y };
	a.seq[1] =
		(struct attn_seq){ .q0 = 41, .m = M - 41, .k = a.x + 41 * 32, .v = a.y + 41 * 32 };
	op_case(r, "the way back, %d times", r->repeats);
	for (int i = 0; i < r->repeats && !r->failed[0]; i++) {
		r->b->put(a.to, was, N * sizeof *was);
		run_all(r->b, &a, sums[i > 0]);
		r->b->get(i ? now : first, a.to, N * sizeof *was);
		if (i) {
			op_same(r, now, first, N * sizeof *now, "a gradient");
			op_same(r, sums[1], sums[0], sizeof sums[0], "a loss");
		}
	}
	op_end(r);
}
