/* ref: attention backward, each pair of a row and a key by itself (FORMULAS.md 1.4's D_i form):
 * nothing but some rows' maximum and sum is held, everything else is computed again. */
#include "kernels/ref/ref.h"

#include <math.h>

enum {
	SLICE = 64, /* columns summed at once */
	ROWS = 256  /* rows whose softmax is held at once */
};

/* One head of one sequence. */
struct head {
	const struct attn_shape *shape;
	const float *q, *out, *dout; /* from row to row: ld */
	const float *k, *v;          /* from key to key: step */
	size_t ld, step, m, pos;     /* row 0 stands at pos */
};

/* A row's softmax, and the D_i that dS takes from each dP. */
struct row {
	size_t from, to; /* keys it sees */
	double max, sum, d;
};

static double dot(const float *a, const float *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

static double score(const struct head *h, size_t r, size_t j)
{
	return dot(h->q + r * h->ld, h->k + j * h->step, h->shape->head_dim) *
	       (double)h->shape->scale;
}

static struct row row_of(const struct head *h, size_t r)
{
	struct row w = { 0, h->pos + r + 1, -INFINITY, 0, 0 };

	if (h->shape->window && w.to > h->shape->window)
		w.from = w.to - h->shape->window;
	for (size_t j = w.from; j < w.to; j++)
		w.max = fmax(w.max, score(h, r, j));
	for (size_t j = w.from; j < w.to; j++)
		w.sum += exp(score(h, r, j) - w.max);
	w.d = dot(h->dout + r * h->ld, h->out + r * h->ld, h->shape->head_dim);
	return w;
}

static double weight(const struct head *h, const struct row *w, size_t r, size_t j)
{
	return exp(score(h, r, j) - w->max) / w->sum;
}

/* dS, scale included */
static double score_back(const struct head *h, const struct row *w, size_t r, size_t j, double p)
{
	double dp = dot(h->dout + r * h->ld, h->v + j * h->step, h->shape->head_dim);

	return p * (dp - w->d) * (double)h->shape->scale;
}

static void query_back(const struct head *h, const struct row *w, float *dq, size_t r)
{
	for (size_t c0 = 0; c0 < h->shape->head_dim; c0 += SLICE) {
		size_t n = h->shape->head_dim - c0 < SLICE ? h->shape->head_dim - c0 : SLICE;
		double sum[SLICE] = { 0 };

		for (size_t j = w->from; j < w->to; j++) {
			double ds = score_back(h, w, r, j, weight(h, w, r, j));

			for (size_t c = 0; c < n; c++)
				sum[c] += ds * (double)h->k[j * h->step + c0 + c];
		}
		for (size_t c = 0; c < n; c++)
			dq[r * h->ld + c0 + c] = (float)sum[c];
	}
}

/* What rows first ... first + n add to the gradients of key j and of its value, columns c0 ... . */
static void key_back(const struct head *h, const struct row *rows, size_t first, size_t n,
	float *dk, float *dv, size_t j, size_t c0)
{
	size_t cols = h->shape->head_dim - c0 < SLICE ? h->shape->head_dim - c0 : SLICE;
	double k[SLICE] = { 0 }, v[SLICE] = { 0 };

	for (size_t r = first; r < first + n; r++) {
		const struct row *w = &rows[r - first];
		double p, ds;

		if (j < w->from || j >= w->to)
			continue;
		p = weight(h, w, r, j);
		ds = score_back(h, w, r, j, p);
		for (size_t c = 0; c < cols; c++) {
			v[c] += p * (double)h->dout[r * h->ld + c0 + c];
			k[c] += ds * (double)h->q[r * h->ld + c0 + c];
		}
	}
	for (size_t c = 0; c < cols; c++) {
		float *to_k = &dk[j * h->step + c0 + c], *to_v = &dv[j * h->step + c0 + c];

		*to_k = (float)((double)*to_k + k[c]);
		*to_v = (float)((double)*to_v + v[c]);
	}
}

static void head_back(const struct head *h, float *dq, float *dk, float *dv)
{
	struct row rows[ROWS];

	for (size_t first = 0; first < h->m; first += ROWS) {
		size_t n = h->m - first < ROWS ? h->m - first : ROWS;

		for (size_t r = 0; r < n; r++) {
			rows[r] = row_of(h, first + r);
			query_back(h, &rows[r], dq, first + r);
		}
		for (size_t j = 0; j < h->pos + first + n; j++)
			for (size_t c = 0; c < h->shape->head_dim; c += SLICE)
				key_back(h, rows, first, n, dk, dv, j, c);
	}
}

void ref_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape)
{
	size_t dim = shape->head_dim, ld = shape->heads * dim, step = shape->kv_heads * dim;
	size_t share = shape->heads / shape->kv_heads;

	for (size_t i = 0; i < n; i++) {
		size_t at = seqs[i].q0 * ld, kv = (seqs[i].q0 - seqs[i].pos) * step;

		for (size_t e = seqs[i].q0 * step; e < (seqs[i].q0 + seqs[i].m) * step; e++)
			dk[e] = dv[e] = 0;
		for (size_t a = 0; a < shape->heads; a++) {
			size_t c = a * dim, b = a / share * dim;
			struct head h = { shape, q + at + c, out + at + c, dout + at + c,
				seqs[i].k + b, seqs[i].v + b, ld, step, seqs[i].m, seqs[i].pos };

			head_back(&h, dq + at + c, dk + kv + b, dv + kv + b);
		}
	}
}
