/* lib_ops_layer.c - what stands between the products of a layer, against ref. */
#include <math.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_ops.h"

void op_rmsnorm(struct op_run *r)
{
	static const size_t widths[] = { 1, 15, 16, 17, 33, 576, 1536, 2048, 4096, 8192 };
	static const size_t rows[] = { 1, 3, 17, 70 };

	for (size_t i = 0; i < COUNTED(widths) - (r->large ? 0 : 4); i++)
		for (size_t k = i % 2; k < COUNTED(rows); k += 2) {
			size_t n = widths[i], m = rows[k], bytes = m * n * sizeof(float);
			float *x = op_floats(r, m * n, 3), *gain = op_floats(r, n, 1);
			float *want = op_host(r, bytes), *y = op_out(r, bytes, 4);
			float *same = op_inout(r, x, bytes, 0);
			const float *dev = op_put(r, x, bytes, 4);
			const float *by = op_put(r, gain, n * sizeof *gain, 0);

			op_case(r, "%zu rows of %zu", m, n);
			bd_backend_ref.rmsnorm(want, x, gain, m, n, 1e-5f);
			r->b->rmsnorm(y, dev, by, m, n, 1e-5f);
			r->b->rmsnorm(same, same, by, m, n, 1e-5f);
			op_share(r,
				op_relative(op_get(r, y, bytes), want, m * n, 1e-30) / 1e-6, m * n);
			op_case(r, "%zu rows of %zu in place", m, n);
			op_share(r, op_relative(op_get(r, same, bytes), want, m * n, 1e-30) / 1e-6,
				m * n);
			op_end(r);
		}
}

void op_rope(struct op_run *r)
{
	static const size_t dims[] = { 2, 6, 32, 34, 64, 128 };
	static const int32_t at[] = { 0, 1, 2, 3, 7, 100, 8191, 131071, 1000000 };

	for (size_t k = 0; k < COUNTED(dims); k++)
		for (int style = ROPE_HALVES; style <= ROPE_PAIRS; style++) {
			size_t dim = dims[k], heads = 5, m = COUNTED(at), ld = heads * dim + 4;
			size_t size = (m - 1) * ld + heads * dim;
			float *x = op_floats(r, size, 1), *dev, freq[64];
			int32_t pos[COUNTED(at)];

			for (size_t i = 0; i < size; i++)
				if (i % ld >= heads * dim)
					x[i] = NAN;
			for (size_t i = 0; i < dim / 2; i++)
				freq[i] = (float)pow(100000, -2.0 * (double)i / (double)dim);
			memcpy(pos, at, sizeof pos);
			dev = op_inout(r, x, size * sizeof *x, k % 2 * 4);
			op_case(r, "%zu rows of 5 heads of %zu, %s", m, dim,
				style == ROPE_PAIRS ? "pairs" : "halves");
			bd_backend_ref.rope(x, ld, m, heads, dim, at, freq, (enum rope_style)style);
			r->b->rope(dev, ld, m, heads, dim, pos, freq, (enum rope_style)style);
			memset(pos, 0x7f, sizeof pos);
			op_share(r,
				op_relative(op_get(r, dev, size * sizeof *x), x, size, 1) / 5e-7, size);
			op_end(r);
		}
}

void op_round_kv(struct op_run *r)
{
	static const struct {
		size_t rows, heads, dim;
	} of[] = { { 3, 2, 24 }, { 1, 3, 64 }, { 17, 8, 128 }, { 2, 1, 5 }, { 70, 4, 80 },
		{ 512, 8, 128 } };

	for (size_t i = 0; i < COUNTED(of) - !r->large; i++) {
		size_t dim = of[i].dim, groups = of[i].rows * of[i].heads, n = groups * dim;
		float *x = op_floats(r, n, 3), *scale = op_out(r, groups * sizeof *scale, 4);
		int8_t *q = op_out(r, n, i % 3); /* a cache may begin at any byte */
		double most = 0;

		for (size_t d = 0; d < dim; d++) {
			x[d] = d ? 0 : 1e-38f; /* 127 / max is beyond float */
			if (groups > 1)
				x[dim + d] = 0;
		}
		op_case(r, "%zu rows of %zu heads of %zu", of[i].rows, of[i].heads, dim);
		r->b->round_kv(q, scale, op_put(r, x, n * sizeof *x, 4), of[i].rows, of[i].heads,
			dim);
		scale = op_get(r, scale, groups * sizeof *scale);
		q = op_get(r, q, n);
		for (size_t k = 0; k < groups; k++) {
			float max = 0;

			for (size_t d = 0; d < dim; d++)
				max = fmaxf(max, fabsf(x[k * dim + d]));
			/* to the last bit of the quotient */
			most = fmax(most, fabs((double)scale[k] - (double)max / 127) /
						  ((double)max / 127 * 1.2e-7 + 1e-40));
			for (size_t d = 0; d < dim; d++) {
				double off = fabs((double)scale[k] * (double)q[k * dim + d] -
						  (double)x[k * dim + d]);

				most = fmax(most, off / (0.5001 * (double)scale[k] + 1e-37));
				if (q[k * dim + d] == -128)
					op_fail(r, "a code of -128");
			}
		}
		op_share(r, most, n + groups);
		op_end(r);
	}
}

/* ---- attention */

struct attn_case {
	size_t heads, kv_heads, dim, window;
	size_t m[4], pos[4];
};

struct attended {
	const float *q;
	const struct attn_seq *seqs;
	size_t n;
	const struct attn_shape *shape;
	float *out;
};

/* One row of one sequence by ref. */
static void part_of_out(void *arg, size_t part)
{
	const struct attended *a = arg;
	size_t i = 0;
	struct attn_seq s;

	for (; part >= a->seqs[i].m; i++)
		part -= a->seqs[i].m;
	s = a->seqs[i];
	s.q0 += part;
	s.pos += part;
	s.m = 1;
	bd_backend_ref.attention(a->out, a->q, &s, 1, a->shape);
}

/* Keys and values, on the host and on the backend; int8: rounded by ref. */
static void keys(struct op_run *r, struct attn_seq *host, struct attn_seq *dev,
	const struct attn_case *c, bool int8, double size)
{
	size_t n = host->m + host->pos, count = n * c->kv_heads * c->dim;
	float *k = op_floats(r, count, size), *v = op_floats(r, count, 1), *ks, *vs;
	int8_t *k8, *v8;

	*dev = *host;
	if (!int8) {
		host->k = k;
		host->v = v;
		dev->k = op_put(r, k, count * sizeof *k, 4);
		dev->v = op_put(r, v, count * sizeof *v, 0);
		return;
	}
	host->k8 = k8 = op_host(r, count);
	host->v8 = v8 = op_host(r, count);
	host->k_scale = ks = op_host(r, n * c->kv_heads * sizeof *ks);
	host->v_scale = vs = op_host(r, n * c->kv_heads * sizeof *vs);
	bd_backend_ref.round_kv(k8, ks, k, n, c->kv_heads, c->dim);
	bd_backend_ref.round_kv(v8, vs, v, n, c->kv_heads, c->dim);
	dev->k8 = op_put(r, k8, count, 0);
	dev->v8 = op_put(r, v8, count, c->dim % 16);
	dev->k_scale = op_put(r, ks, n * c->kv_heads * sizeof *ks, 4);
	dev->v_scale = op_put(r, vs, n * c->kv_heads * sizeof *vs, 0);
}

static void attend(struct op_run *r, const struct attn_case *c, bool int8, double size, double scale,
	double allowed)
{
	struct attn_shape shape = { c->heads, c->kv_heads, c->dim, c->window, (float)scale };
	struct attn_seq host[4], dev[4];
	struct attended a = { .seqs = host, .shape = &shape };
	size_t rows = 0, ld = c->heads * c->dim, bytes;
	float *q, *out;

	for (; a.n < 4 && c->m[a.n]; rows += c->m[a.n++]) {
		host[a.n] = (struct attn_seq){ .q0 = rows, .m = c->m[a.n], .pos = c->pos[a.n] };
		keys(r, &host[a.n], &dev[a.n], c, int8, size);
	}
	bytes = rows * ld * sizeof *q;
	a.q = q = op_floats(r, rows * ld, size);
	a.out = op_host(r, bytes);
	out = op_out(r, bytes, 4);
	op_case(r, "%zu/%zu heads of %zu, window %zu, %zu sequences, the first %zu rows at %zu%s",
		c->heads, c->kv_heads, c->dim, c->window, a.n, c->m[0], c->pos[0],
		int8 ? ", int8" : "");
	r->b->attention(out, op_put(r, q, bytes, 0), dev, a.n, &shape);
	memset(dev, 0x7f, sizeof dev);
	pool_run(part_of_out, &a, rows);
	op_share(r, op_relative(op_get(r, out, bytes), a.out, rows * ld, 1) / allowed, rows * ld);
	op_end(r);
}

static void each(struct op_run *r, const struct attn_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int int8 = 0; int8 < 2; int8++)
			attend(r, &c[i], int8, 2, 1 / sqrt((double)c[i].dim), 1e-5);
}

void op_attention(struct op_run *r)
{
	static const struct attn_case cases[] = {
		{ 1, 1, 16, 0, { 1 }, { 0 } },
		{ 9, 3, 64, 0, { 1 }, { 70 } },
		{ 9, 3, 64, 0, { 2 }, { 51 } },
		{ 4, 4, 24, 0, { 50, 1 }, { 3, 40 } },
		{ 4, 2, 80, 0, { 17, 2 }, { 30, 33 } },
		{ 2, 2, 5, 0, { 7, 1 }, { 0, 1 } },
		{ 4, 2, 128, 0, { 13, 1 }, { 26, 15 } },
		{ 2, 1, 64, 1, { 40, 1 }, { 0, 9 } },
		{ 2, 1, 64, 32, { 50, 1, 3 }, { 0, 100, 31 } },
		{ 9, 3, 64, 0, { 1, 1, 1 }, { 90, 0, 25 } },
		{ 16, 2, 40, 50, { 1, 1 }, { 130, 7 } },
		{ 9, 3, 64, 0, { 3, 1, 64 }, { 255, 256, 0 } },
		{ 9, 3, 64, 0, { 64, 64, 64 }, { 0, 0, 0 } },
		{ 2, 1, 64, 0, { 300 }, { 5 } },
		{ 2, 1, 64, 100, { 300, 1 }, { 400, 700 } },
		{ 2, 1, 64, 700, { 20 }, { 600 } },
		{ 32, 8, 64, 0, { 65, 1, 1, 1 }, { 0, 3, 64, 127 } },
		{ 16, 16, 256, 0, { 5, 1 }, { 60, 300 } },
		{ 32, 8, 128, 0, { 512 }, { 0 } },
	};

	each(r, cases, COUNTED(cases) - (r->large ? 0 : 8));
}

void op_attention_long(struct op_run *r)
{
	static const struct attn_case cases[] = {
		{ 3, 1, 64, 0, { 1 }, { 1100 } },
		{ 2, 1, 32, 600, { 1, 2 }, { 1300, 700 } },
		{ 9, 3, 64, 0, { 1 }, { 2047 } },
		{ 9, 3, 64, 0, { 1 }, { 2048 } },
		{ 32, 8, 128, 0, { 1 }, { 4095 } },
		{ 32, 8, 64, 0, { 1, 1, 1, 1 }, { 8191, 17, 4096, 1023 } },
		{ 32, 8, 128, 4096, { 1, 3 }, { 12000, 5000 } },
		{ 32, 8, 128, 0, { 1 }, { 32767 } },
		{ 9, 3, 64, 0, { 128 }, { 3000 } },
	};

	each(r, cases, r->large ? COUNTED(cases) : 2);
}

/* Scores of thousands, which carry an error of 1e-3 themselves. */
void op_attention_sharp(struct op_run *r)
{
	static const struct attn_case cases[] = { { 1, 1, 64, 0, { 1 }, { 90 } },
		{ 1, 1, 64, 0, { 40 }, { 60 } }, { 1, 1, 64, 0, { 40 }, { 300 } } };

	for (size_t i = 0; i < (r->large ? 3 : 2); i++)
		attend(r, &cases[i], false, 20, 1, 1e-2);
}

/* ---- values one by one */

void op_elements(struct op_run *r)
{
	static const size_t counts[] = { 1, 15, 33, 576, 4097, 14336 * 4 + 1, 20000001 };
	static const float gates[] = { 0, -0.0f, 1e-30f, -87, -89, -104, -1e30f, 1e30f, 88 };

	for (size_t k = 0; k < COUNTED(counts) - !r->large; k++) {
		size_t n = counts[k], bytes = n * sizeof(float);
		float *g = op_floats(r, n, k % 3 ? 4 : 40), *u = op_floats(r, n, 1);
		float *want = op_host(r, bytes), *y = op_out(r, bytes, 4), *sum;
		const float *dev;

		for (size_t i = 0; n > 15 && i < COUNTED(gates); i++)
			g[i] = gates[i];
		sum = op_inout(r, g, bytes, 0);
		dev = op_put(r, u, bytes, 4);
		op_case(r, "swiglu of %zu", n);
		bd_backend_ref.swiglu(want, g, u, n);
		r->b->swiglu(y, op_put(r, g, bytes, 0), dev, n);
		/* silu of what is far below 0 may be 0, or a subnormal number */
		op_share(r, op_relative(op_get(r, y, bytes), want, n, 1e-30) / 1e-6, n);
		op_case(r, "add of %zu", n);
		r->b->add(sum, dev, n);
		bd_backend_ref.add(g, u, n);
		op_same(r, op_get(r, sum, bytes), g, bytes, "the sums");
		op_end(r);
	}
}
