/* attention.cu - which kernel attends (attention_few, _many, _any), and the one for every shape.
 *
 * Which one it is hangs on a sequence's own rows and on the shape, so that a sequence's result
 * does not hang on those beside it.
 */
#include "kernels/cuda/attention.h"

/* ---- any shape: a block a row, a head and a slice of the output ---- */

enum { THREADS = 128, KEYS = 32 };

/* A head's keys or values, as ref reads them. */
struct held {
	const float *x;
	const int8_t *q;
	const float *scale;
	size_t step, heads;
};

DEVICE struct held held_of(const float *x, const int8_t *q, const float *scale, size_t head,
	const struct attn_shape *shape)
{
	size_t at = head * shape->head_dim;

	return { x ? x + at : x, x ? q : q + at, x ? scale : scale + head,
		shape->kv_heads * shape->head_dim, shape->kv_heads };
}

DEVICE float value_of(const struct held *h, size_t position, size_t d)
{
	if (h->x)
		return h->x[position * h->step + d];
	return h->scale[position * h->heads] * (float)h->q[position * h->step + d];
}

/* Scores of KEYS keys from `first` on, a warp a key: -infinity beyond `to`. */
DEVICE void score_keys(float *score, const float *q, const struct held *k, size_t first, size_t to,
	const struct attn_shape *shape)
{
	unsigned lane = threadIdx.x % 32;

	for (unsigned j = threadIdx.x / 32; j < KEYS; j += THREADS / 32) {
		float sum = 0;

		for (size_t d = lane; first + j < to && d < shape->head_dim; d += 32)
			sum += q[d] * value_of(k, first + j, d);
		sum = warp_sum(sum);
		if (lane == 0)
			score[j] = first + j < to ? sum * shape->scale : -INFINITY;
	}
}

KERNEL void attend_slices(const struct attend *a)
{
	const struct attn_shape *shape = &a->shape;
	size_t slices = (shape->head_dim + THREADS - 1) / THREADS, heads = shape->heads;
	size_t d = blockIdx.x % slices * THREADS + threadIdx.x;
	size_t head = blockIdx.x / slices % heads, row = blockIdx.x / slices / heads;
	const struct attn_seq *s = &((const struct attended *)extra_of(a))[blockIdx.z].s;
	size_t kv = head / (heads / shape->kv_heads), at;
	float *score = (float *)(void *)shared(), max = -INFINITY, sum = 0, acc = 0;
	struct held k = held_of(s->k, s->k8, s->k_scale, kv, shape);
	struct held v = held_of(s->v, s->v8, s->v_scale, kv, shape);
	unsigned to, lane = threadIdx.x % 32;

	if (row >= s->m)
		return;
	to = sees_to(s, (unsigned)row);
	at = ((s->q0 + row) * heads + head) * shape->head_dim;
	for (size_t j = sees_from(s, shape, (unsigned)row); j < to; j += KEYS) {
		unsigned n = (unsigned)least(to - j, KEYS);
		float before = max, part = 0, p, factor;

		score_keys(score, a->q + at, &k, j, to, shape);
		__syncthreads();
		p = score[lane];
		max = fmaxf(max, warp_max(p));
		factor = expf(before - max);
		p = expf(p - max);
		sum = sum * factor + warp_sum(p);
		for (unsigned i = 0; i < n; i++) {
			float weight = __shfl_sync(~0u, p, (int)i);

			if (d < shape->head_dim)
				part += weight * value_of(&v, j + i, d);
		}
		acc = acc * factor + part;
		__syncthreads();
	}
	if (d < shape->head_dim)
		a->out[at + d] = acc / sum;
}

void attend_any(const struct attend *a, const struct attended *s, size_t n, size_t rows)
{
	size_t slices = (a->shape.head_dim + THREADS - 1) / THREADS;

	launch(attend_slices, (unsigned)(rows * a->shape.heads * slices), 1, (unsigned)n, THREADS,
		KEYS * sizeof(float), *a, s, n * sizeof *s);
}

/* ---- which ---- */

enum way { FEW_KEYS, MANY_ROWS, ANY };

static bool fits(const struct attn_seq *s, const struct attend *a)
{
	uintptr_t bits = (uintptr_t)a->out | (uintptr_t)a->q;

	bits |= s->k ? (uintptr_t)s->k | (uintptr_t)s->v : (uintptr_t)s->k8 | (uintptr_t)s->v8;
	return a->shape.head_dim % 4 == 0 && a->shape.head_dim <= FAST_DIM && bits % 16 == 0;
}

static enum way way_of(const struct attn_seq *s, const struct attend *a)
{
	return !fits(s, a) ? ANY : s->m <= FEW_ROWS ? FEW_KEYS : MANY_ROWS;
}

static void put(struct attend *a, struct attended *s, size_t n, size_t rows, enum way way)
{
	if (!n)
		return;
	if (way == FEW_KEYS)
		attend_few(a, s, n, rows);
	else if (way == MANY_ROWS)
		attend_many(a, s, n, rows);
	else
		attend_any(a, s, n, rows);
}

/* The sequences of one kind, in launches of at most ATTENDED parts of at most `most` rows. */
static void attend_way(
	struct attend *a, const struct attn_seq *seqs, size_t n, enum way way, size_t most)
{
	static struct attended list[ATTENDED]; /* engine thread */
	size_t count = 0, rows = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; way_of(&seqs[i], a) == way && r < seqs[i].m; r += most) {
			struct attn_seq s = seqs[i];

			s.q0 += r;
			s.pos += r;
			s.m = least(s.m - r, most);
			rows = rows > s.m ? rows : s.m;
			list[count++].s = s;
			if (count == ATTENDED) {
				put(a, list, count, rows, way);
				count = rows = 0;
			}
		}
	put(a, list, count, rows, way);
}

void cuda_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape)
{
	enum { BLOCKS = 1 << 30 }; /* of a grid's x */
	const struct device *d = device_now();
	struct attend a = { out, q, *shape, NULL, NULL };
	size_t slices = (shape->head_dim + THREADS - 1) / THREADS, most;

	if (!d || !device_well() || !shape->heads || !shape->head_dim)
		return;
	a.work = (float *)(void *)d->work;
	a.tickets = d->tickets;
	most = BLOCKS / (shape->heads * slices);
	for (int way = FEW_KEYS; way <= ANY; way++)
		attend_way(&a, seqs, n, (enum way)way, most ? most : 1);
}
