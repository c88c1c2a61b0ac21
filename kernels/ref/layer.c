/* ref: what stands between the products of a layer. */
#include "kernels/ref/ref.h"

#include <math.h>

void ref_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	for (size_t r = 0; r < m; r++) {
		double sum = 0, inv;

		for (size_t i = 0; i < n; i++)
			sum += (double)x[r * n + i] * (double)x[r * n + i];
		inv = 1 / sqrt(sum / (double)n + (double)eps);
		for (size_t i = 0; i < n; i++)
			y[r * n + i] = (float)((double)x[r * n + i] * inv * (double)gain[i]);
	}
}

void ref_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style)
{
	size_t half = dim / 2;

	for (size_t r = 0; r < m; r++)
		for (size_t i = 0; i < half; i++) {
			double angle = (double)pos[r] * (double)inv_freq[i];
			double c = cos(angle), s = sin(angle);
			size_t at = style == ROPE_HALVES ? i : 2 * i;
			size_t with = style == ROPE_HALVES ? i + half : 2 * i + 1;

			for (size_t h = 0; h < heads; h++) {
				float *v = x + r * ld + h * dim;
				double a = (double)v[at], b = (double)v[with];

				v[at] = (float)(a * c - b * s);
				v[with] = (float)(b * c + a * s);
			}
		}
}

void ref_round_kv(int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim)
{
	for (size_t i = 0; i < rows * heads; i++, q += dim, x += dim) {
		float most = 0;

		for (size_t d = 0; d < dim; d++)
			most = fmaxf(most, fabsf(x[d]));
		scale[i] = most / 127;
		/* below it the quotient would not be finite */
		for (size_t d = 0; d < dim; d++)
			q[d] = most < 1e-36f ? 0 : (int8_t)lrintf(x[d] * (127 / most));
	}
}

/* One head's keys or values, and where the next position's are. */
struct held {
	const float *x;
	const int8_t *q;
	const float *scale;
	size_t step, scale_step;
};

static struct held held(const float *x, const int8_t *q, const float *scale, size_t head,
	const struct attn_shape *s)
{
	size_t at = head * s->head_dim;

	return (struct held){ x ? x + at : NULL, q ? q + at : NULL, scale ? scale + head : NULL,
		s->kv_heads * s->head_dim, s->kv_heads };
}

static double value(const struct held *h, size_t position, size_t d)
{
	if (h->x)
		return (double)h->x[position * h->step + d];
	return (double)(h->scale[position * h->scale_step] *
			(float)h->q[position * h->step + d]);
}

static double score_of(
	const float *q, const struct held *k, size_t position, const struct attn_shape *s)
{
	double sum = 0;

	for (size_t d = 0; d < s->head_dim; d++)
		sum += (double)q[d] * value(k, position, d);
	return sum * (double)s->scale;
}

/* One row of one head against keys from ... to - 1. */
static void attend(float *out, const float *q, const struct held *k, const struct held *v,
	size_t from, size_t to, const struct attn_shape *s)
{
	enum { SLICE = 64 };
	double max = -INFINITY;

	for (size_t j = from; j < to; j++)
		max = fmax(max, score_of(q, k, j, s));
	/* scores are computed again for each slice of the output: nothing is stored */
	for (size_t d0 = 0; d0 < s->head_dim; d0 += SLICE) {
		size_t n = s->head_dim - d0 < SLICE ? s->head_dim - d0 : SLICE;
		double acc[SLICE] = { 0 }, sum = 0;

		for (size_t j = from; j < to; j++) {
			double p = exp(score_of(q, k, j, s) - max);

			sum += p;
			for (size_t d = 0; d < n; d++)
				acc[d] += p * value(v, j, d0 + d);
		}
		for (size_t d = 0; d < n; d++)
			out[d0 + d] = (float)(acc[d] / sum);
	}
}

void ref_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape)
{
	size_t dim = shape->head_dim, row = shape->heads * dim;
	size_t share = shape->heads / shape->kv_heads;

	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; r < seqs[i].m; r++)
			for (size_t h = 0; h < shape->heads; h++) {
				const struct attn_seq *s = &seqs[i];
				struct held k = held(s->k, s->k8, s->k_scale, h / share, shape);
				struct held v = held(s->v, s->v8, s->v_scale, h / share, shape);
				size_t at = (s->q0 + r) * row + h * dim;
				size_t to = s->pos + r + 1, from = 0;

				if (shape->window && to > shape->window)
					from = to - shape->window;
				attend(out + at, q + at, &k, &v, from, to, shape);
			}
}

void ref_swiglu(float *y, const float *gate, const float *up, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		double g = (double)gate[i];

		y[i] = (float)(g / (1 + exp(-g)) * (double)up[i]);
	}
}

void ref_add(float *y, const float *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
		y[i] += x[i];
}
