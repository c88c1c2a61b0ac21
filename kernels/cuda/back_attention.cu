/* back_attention.cu - attention's way back: 64 rows of a head against 64 keys after 64 keys, in
 * float, P computed again (FORMULAS.md 1.4).
 *
 * A block of the first kernel has 64 rows of a head: it runs through their keys once for the
 * largest score and the sum of exponentials, which it leaves in the workspace with each row's
 * sum(dout out), and once more for dq.  A block of the second has 64 keys of a head of keys: it
 * runs through the heads that share them, in order, and the rows that see them, and sums dk and dv.
 * So every value has one writer and its sum one order.  The largest and the sum are kept apart: of
 * scores of thousands a float of their logarithm would not be enough.
 *
 * Two tiles of 64 columns take turns with all operands, a third has P or dS: 52 kB, several blocks
 * a multiprocessor, which hide each other's loads, for heads of any width at any address.  A block
 * has up to 128 columns of the results; what is wider is computed again by the next.
 */
#include <math.h>

#include "kernels/cuda/attention_tile.h"

enum { LD = TILE + 4, STATS = 3 /* a row's largest score, 1 / sum, sum(dout out) */ };

/* A sequence, and the place of its first row in the stats. */
struct going {
	struct attn_seq s;
	size_t at;
};
enum { GOING = 512 }; /* of a launch: 45 kB of its arguments */

/* Arguments of both; struct going[n] behind them. */
struct back_attend {
	float *dq, *dk, *dv;
	const float *dout, *out, *q;
	struct attn_shape shape;
	float *stats;          /* [rows][heads of the launch][STATS] */
	unsigned kv0, kvs;     /* heads of keys of the launch */
	unsigned share, width; /* heads that share keys; columns of the results a block has */
};

/* What a block works on. */
struct back_job {
	const struct back_attend *a;
	const struct going *g;
	unsigned slice, tile, head, kv; /* head: of the launch's, where a block has one */
	unsigned dim;
	bool wide;
	float *x, *y, *t, *row; /* shared: three tiles; [TILE][STATS] */
};

DEVICE struct back_job job_for(const struct back_attend *a, unsigned heads)
{
	struct back_job j = {};
	unsigned slices;

	j.a = a;
	j.g = (const struct going *)extra_of(a) + blockIdx.z;
	j.dim = (unsigned)a->shape.head_dim;
	slices = (j.dim + a->width - 1) / a->width;
	j.slice = blockIdx.x % slices;
	j.head = blockIdx.x / slices % heads;
	j.tile = blockIdx.x / slices / heads;
	j.wide = j.dim % 4 == 0 && aligned(a->q) && aligned(a->dout) && aligned(a->dq) &&
		 aligned(a->dk) && aligned(a->dv) && aligned(j.g->s.k) && aligned(j.g->s.v);
	j.x = (float *)(void *)shared();
	j.y = j.x + TILE * LD;
	j.t = j.y + TILE * LD;
	j.row = j.t + TILE * LD;
	return j;
}

/* Some rows of a matrix, all columns of a head. */
struct rows {
	const float *at;
	size_t ld;
	unsigned n;
};

/* Rows of q, dout or out of a head of the launch's. */
DEVICE struct rows rows_of(const struct back_job *j, const float *x, unsigned head, unsigned first)
{
	const struct attn_shape *shape = &j->a->shape;
	size_t ld = shape->heads * shape->head_dim, of = j->a->kv0 * j->a->share + head;

	return { x + (j->g->s.q0 + first) * ld + of * shape->head_dim, ld,
		(unsigned)least(j->g->s.m - first, TILE) };
}

DEVICE struct rows keys_of(const struct back_job *j, const float *x, unsigned first)
{
	size_t ld = j->a->shape.kv_heads * j->a->shape.head_dim;

	return { x + first * ld + j->kv * j->a->shape.head_dim, ld,
		(unsigned)least(j->g->s.m - first, TILE) };
}

DEVICE float *stats_of(const struct back_job *j, unsigned head, unsigned row)
{
	return j->a->stats + ((j->g->at + row) * j->a->kvs * j->a->share + head) * STATS;
}

/* Columns d0 ... d0 + TILE of them to a tile, zeros beyond. */
DEVICE void take(float *to, const struct rows *r, unsigned d0, const struct back_job *j)
{
	unsigned cols = (unsigned)least(j->dim - d0, TILE);
	const float *from = r->at + d0;

	if (j->wide) {
		for (unsigned i = threadIdx.x; i < TILE * (TILE / 4); i += TILE_THREADS) {
			unsigned k = i / (TILE / 4), c = i % (TILE / 4) * 4;
			bool valid = k < r->n && c < cols;

			copy_async(to + k * LD + c, valid ? from + k * r->ld + c : from, valid);
		}
		copy_commit();
		return;
	}
	for (unsigned i = threadIdx.x; i < TILE * TILE; i += TILE_THREADS) {
		unsigned k = i / TILE, c = i % TILE;

		to[k * LD + c] = k < r->n && c < cols ? from[k * r->ld + c] : 0;
	}
}

/* s = x y^T; a barrier before it and one behind. */
DEVICE void scores(
	float s[4][4], const struct back_job *j, const struct rows *x, const struct rows *y)
{
	for (int i = 0; i < 16; i++)
		s[i / 4][i % 4] = 0;
	for (unsigned d0 = 0; d0 < j->dim; d0 += TILE) {
		take(j->x, x, d0, j);
		take(j->y, y, d0, j);
		copy_wait<0>();
		__syncthreads();
		multiply_scores<TILE>(
			s, j->x, j->y, ((unsigned)least(j->dim - d0, TILE) + 3) & ~3u);
		__syncthreads();
	}
}

/* acc += t y, the block's columns of y. */
template <int OUT>
DEVICE void multiply(float acc[OUT][4][4], const struct back_job *j, const struct rows *y)
{
	UNROLL
	for (int o = 0; o < OUT; o++) {
		unsigned c0 = j->slice * j->a->width + (unsigned)o * TILE;
		float part[4][4] = {};

		if (c0 < j->dim)
			take(j->y, y, c0, j);
		copy_wait<0>();
		__syncthreads();
		if (c0 < j->dim)
			multiply_weights<LD, LD>(part, j->t, j->y, (y->n + 3) & ~3u);
		for (int i = 0; i < 16; i++)
			acc[o][i / 4][i % 4] += part[i / 4][i % 4];
		__syncthreads();
	}
}

template <int OUT>
DEVICE void store(float *to, const struct rows *as, const struct back_job *j, float acc[OUT][4][4])
{
	UNROLL
	for (int k = 0; k < OUT * 4; k++) {
		unsigned row = thread_y() + 16 * (unsigned)(k % 4);
		unsigned c = j->slice * j->a->width + (unsigned)(k / 4) * TILE + thread_x() * 4;
		const float *v = acc[k / 4][k % 4];

		if (row >= as->n || c >= j->dim)
			continue;
		if (j->wide)
			store4(to + row * as->ld + c, floats4(v[0], v[1], v[2], v[3]));
		for (unsigned i = 0; !j->wide && i < 4 && c + i < j->dim; i++)
			to[row * as->ld + c + i] = v[i];
	}
}

DEVICE bool sees(const struct back_job *j, unsigned row, unsigned key)
{
	size_t window = j->a->shape.window;

	return row < j->g->s.m && key <= row && (!window || row - key < window);
}

/* ---- rows ---- */

/* Four threads a row: the largest and the sum of a tile's scores with those before. */
DEVICE void softmax_row(const float *t, float *max, float *sum)
{
	const float *p = t + threadIdx.x / 4 * LD + threadIdx.x % 4 * 4;
	float most = *max, part = 0, base;

	for (int i = 0; i < 16; i++)
		most = fmaxf(most, p[i / 4 * 16 + i % 4]);
	most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
	most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
	base = most == -INFINITY ? 0 : most; /* of a row that has seen nothing yet */
	for (int i = 0; i < 16; i++)
		part += expf(p[i / 4 * 16 + i % 4] - base);
	part += __shfl_xor_sync(~0u, part, 1);
	part += __shfl_xor_sync(~0u, part, 2);
	*sum = *sum * expf(*max - base) + part;
	*max = most;
}

DEVICE float out_times_dout(const struct back_job *j, unsigned first)
{
	struct rows dout = rows_of(j, j->a->dout, j->head, first);
	struct rows out = rows_of(j, j->a->out, j->head, first);
	unsigned row = threadIdx.x / 4;
	float sum = 0;

	for (unsigned c = threadIdx.x % 4; row < out.n && c < j->dim; c += 4)
		sum += dout.at[row * out.ld + c] * out.at[row * out.ld + c];
	sum += __shfl_xor_sync(~0u, sum, 1);
	sum += __shfl_xor_sync(~0u, sum, 2);
	return sum;
}

/* To j->row and, by the first of the blocks that compute them, to the workspace. */
DEVICE void row_stats(const struct back_job *j, unsigned first, unsigned from)
{
	struct rows q = rows_of(j, j->a->q, j->head, first);
	float max = -INFINITY, sum = 0, d = out_times_dout(j, first), s[4][4];
	float *own = j->row + threadIdx.x / 4 * STATS;

	for (unsigned key = from; key < first + q.n; key += TILE) {
		struct rows k = keys_of(j, j->g->s.k, key);

		scores(s, j, &q, &k);
		for (int i = 0; i < 16; i++) {
			unsigned row = thread_y() + 16 * (unsigned)(i / 4);
			unsigned at = thread_x() + 16 * (unsigned)(i % 4);

			j->t[row * LD + at] = sees(j, first + row, key + at)
						      ? s[i / 4][i % 4] * j->a->shape.scale
						      : -INFINITY;
		}
		__syncthreads();
		softmax_row(j->t, &max, &sum);
	}
	if (threadIdx.x % 4 == 0) {
		own[0] = max;
		own[1] = 1 / sum;
		own[2] = d;
		if (threadIdx.x / 4 < q.n && j->slice == 0)
			for (int i = 0; i < STATS; i++)
				stats_of(j, j->head, first + threadIdx.x / 4)[i] = own[i];
	}
	__syncthreads();
}

/* P of a score and dS, scale included. */
DEVICE float weight(const float *row, float s, float scale)
{
	return expf(s * scale - row[0]) * row[1];
}

DEVICE float score_back(const float *row, float p, float dp, float scale)
{
	return p * (dp - row[2]) * scale;
}

template <int OUT>
KERNEL void __launch_bounds__(TILE_THREADS) back_rows(const struct back_attend *a)
{
	struct back_job j = job_for(a, a->kvs * a->share);
	unsigned first = j.tile * TILE, window = (unsigned)least(a->shape.window, 1u << 31), from;
	float acc[OUT][4][4] = {}, s[4][4], dp[4][4], scale = a->shape.scale;
	struct rows q, dout;

	if (first >= j.g->s.m)
		return;
	j.kv = a->kv0 + j.head / a->share;
	from = window && first + 1 > window ? (first + 1 - window) / TILE * TILE : 0;
	row_stats(&j, first, from);
	q = rows_of(&j, a->q, j.head, first);
	dout = rows_of(&j, a->dout, j.head, first);
	for (unsigned key = from; key < first + q.n; key += TILE) {
		struct rows k = keys_of(&j, j.g->s.k, key), v = keys_of(&j, j.g->s.v, key);

		scores(s, &j, &q, &k);
		scores(dp, &j, &dout, &v);
		UNROLL
		for (int i = 0; i < 16; i++) {
			unsigned row = thread_y() + 16 * (unsigned)(i / 4);
			unsigned at = thread_x() + 16 * (unsigned)(i % 4);
			const float *of = j.row + row * STATS;
			float p = weight(of, s[i / 4][i % 4], scale);

			j.t[row * LD + at] = sees(&j, first + row, key + at)
						     ? score_back(of, p, dp[i / 4][i % 4], scale)
						     : 0;
		}
		multiply<OUT>(acc, &j, &k);
	}
	store<OUT>(a->dq + (q.at - a->q), &q, &j, acc);
}

/* ---- keys ---- */

/* P and dS of 64 keys by 64 rows of a head, in place of s and dp. */
DEVICE void weights_back(const struct back_job *j, unsigned key, unsigned row, unsigned head,
	float s[4][4], float dp[4][4])
{
	struct rows k = keys_of(j, j->g->s.k, key), v = keys_of(j, j->g->s.v, key);
	struct rows q = rows_of(j, j->a->q, head, row), dout = rows_of(j, j->a->dout, head, row);
	float scale = j->a->shape.scale;

	for (unsigned i = threadIdx.x; i < TILE * STATS; i += TILE_THREADS)
		j->row[i] = i / STATS < q.n ? stats_of(j, head, row + i / STATS)[i % STATS] : 0;
	scores(s, j, &k, &q);
	scores(dp, j, &v, &dout);
	UNROLL
	for (int i = 0; i < 16; i++) {
		unsigned at = thread_y() + 16 * (unsigned)(i / 4);
		unsigned of = thread_x() + 16 * (unsigned)(i % 4);
		const float *stats = j->row + of * STATS;
		float *p = &s[i / 4][i % 4], *ds = &dp[i / 4][i % 4];
		bool seen = sees(j, row + of, key + at);

		*p = seen ? weight(stats, *p, scale) : 0;
		*ds = seen ? score_back(stats, *p, *ds, scale) : 0;
	}
}

DEVICE void put_tile(const struct back_job *j, float v[4][4])
{
	UNROLL
	for (int i = 0; i < 16; i++)
		j->t[(thread_y() + 16 * (unsigned)(i / 4)) * LD + thread_x() +
			16 * (unsigned)(i % 4)] = v[i / 4][i % 4];
}

template <int OUT>
KERNEL void __launch_bounds__(TILE_THREADS) back_keys(const struct back_attend *a)
{
	struct back_job j = job_for(a, a->kvs);
	unsigned first = j.tile * TILE, m = (unsigned)j.g->s.m, end = m;
	float dk[OUT][4][4] = {}, dv[OUT][4][4] = {}, s[4][4], dp[4][4];
	size_t at = j.g->s.q0 * a->shape.kv_heads * a->shape.head_dim;
	struct rows k;

	if (first >= m)
		return;
	j.kv = a->kv0 + j.head;
	k = keys_of(&j, j.g->s.k, first);
	if (a->shape.window)
		end = (unsigned)least(m, first + k.n + a->shape.window - 1);
	for (unsigned h = j.head * a->share; h < (j.head + 1) * a->share; h++)
		for (unsigned row = first; row < end; row += TILE) {
			struct rows q = rows_of(&j, a->q, h, row);
			struct rows dout = rows_of(&j, a->dout, h, row);

			weights_back(&j, first, row, h, s, dp);
			put_tile(&j, s);
			multiply<OUT>(dv, &j, &dout);
			put_tile(&j, dp);
			multiply<OUT>(dk, &j, &q);
		}
	at += (size_t)(k.at - j.g->s.k);
	store<OUT>(a->dk + at, &k, &j, dk);
	store<OUT>(a->dv + at, &k, &j, dv);
}

/* ---- the host's side ---- */

static void put(const struct back_attend *a, const struct going *list, size_t n, size_t longest)
{
	enum { BYTES = (3 * TILE * LD + TILE * STATS) * sizeof(float) };
	size_t tiles = (longest + TILE - 1) / TILE, dim = a->shape.head_dim;
	unsigned blocks = (unsigned)(tiles * a->kvs * ((dim + a->width - 1) / a->width));
	void (*rows)(const struct back_attend *) = a->width > TILE ? back_rows<2> : back_rows<1>;
	void (*keys)(const struct back_attend *) = a->width > TILE ? back_keys<2> : back_keys<1>;

	if (!n)
		return;
	launch_named("attention backward", rows, blocks * a->share, 1, (unsigned)n, TILE_THREADS,
		BYTES, *a, list, n * sizeof *list);
	launch_named("attention backward", keys, blocks, 1, (unsigned)n, TILE_THREADS, BYTES, *a,
		list, n * sizeof *list);
}

/* All sequences, some heads of keys; their stats fill the workspace. */
static void put_all(const struct back_attend *a, const struct attn_seq *seqs, size_t n)
{
	static struct going list[GOING]; /* engine thread */
	size_t room = WORKSPACE / (STATS * sizeof(float) * a->kvs * a->share);
	size_t count = 0, rows = 0, longest = 0;

	for (size_t i = 0; i < n; i++) {
		if (count == GOING || rows + seqs[i].m > room) {
			put(a, list, count, longest);
			count = rows = longest = 0;
		}
		if (!seqs[i].m)
			continue;
		list[count++] = { seqs[i], rows };
		rows += seqs[i].m;
		longest = longest > seqs[i].m ? longest : seqs[i].m;
	}
	put(a, list, count, longest);
}

void cuda_attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape)
{
	const struct device *d = device_now();
	struct back_attend a = { dq, dk, dv, dout, out, q, *shape, NULL, 0, 0, 0, 0 };
	size_t longest = 1, fit;

	if (!d || !device_well() || !shape->heads || !shape->head_dim)
		return;
	for (size_t i = 0; i < n; i++)
		longest = longest > seqs[i].m ? longest : seqs[i].m;
	a.stats = (float *)(void *)d->work;
	a.share = (unsigned)(shape->heads / shape->kv_heads);
	a.width = shape->head_dim > TILE ? 2 * TILE : TILE;
	fit = WORKSPACE / (STATS * sizeof(float) * a.share * longest);
	if (!fit) {
		device_failed("a sequence of millions of tokens is too long for the way back "
			      "through attention on a device");
		return;
	}
	for (size_t kv = 0; kv < shape->kv_heads; kv += fit) {
		a.kv0 = (unsigned)kv;
		a.kvs = (unsigned)least(shape->kv_heads - kv, fit);
		put_all(&a, seqs, n);
	}
}
