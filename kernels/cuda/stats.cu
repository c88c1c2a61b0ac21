/* stats.cu - sums over rows of logits and over differences, in double.
 *
 * A row is cut into pieces of PIECE values, one block each, whatever the number of rows,
 * so that one row keeps a device busy and a row's sum does not hang on the others; a warp a
 * row then adds the pieces in their order.  Double is slow on consumer devices (1/64 of
 * float): an exponential in double is taken once a value, none where only the largest is
 * asked for, and maxima stay float.
 */
#include <math.h>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum { THREADS = STATS_THREADS, PIECE = STATS_PIECE, WARPS = 4 };

/* Values i ... of a row of which this thread takes every blockDim.x-th quad: f(value, index). */
template <class F> DEVICE void each_of(const float *z, size_t n, bool wide, F f)
{
	size_t i = threadIdx.x;

	if (wide) {
		for (; i < n / 4; i += blockDim.x) {
			float4 v = load4(z + 4 * i);

			f(v.x, 4 * i);
			f(v.y, 4 * i + 1);
			f(v.z, 4 * i + 2);
			f(v.w, 4 * i + 3);
		}
		i = n / 4 * 4 + threadIdx.x;
	}
	for (; i < n; i += blockDim.x)
		f(z[i], i);
}

/* ---- the largest and log(sum(exp)) ---- */

struct top {
	float v;
	uint32_t at;
};

/* The lower index of equals; a NaN is never higher. */
DEVICE struct top higher(struct top a, struct top b)
{
	return b.v > a.v || (b.v == a.v && b.at < a.at) ? b : a;
}

DEVICE struct top warp_top(struct top t)
{
	for (int k = 16; k; k /= 2) {
		struct top other;

		other.v = __shfl_xor_sync(~0u, t.v, k);
		other.at = __shfl_xor_sync(~0u, t.at, k);
		t = higher(t, other);
	}
	return t;
}

struct piece {
	double sum; /* of exp(z - top.v), of what is not -infinity */
	struct top top;
};

struct row_stats {
	const float *z;
	double *lse;
	int32_t *argmax;
	struct piece *parts; /* [rows][pieces] */
	size_t n, pieces, rows;
	bool sums;
};

KERNEL void stats_pieces(const struct row_stats *a)
{
	double *sums = (double *)(void *)shared();
	struct top *tops = (struct top *)(void *)(sums + THREADS / 32), t = { -INFINITY, ~0u };
	size_t first = blockIdx.x % a->pieces * PIECE, n = least(a->n - first, PIECE);
	const float *z = a->z + blockIdx.x / a->pieces * a->n + first;
	bool wide = a->n % 4 == 0 && aligned(a->z);
	double sum = 0, max;

	each_of(z, n, wide, [&](float v, size_t i) {
		t = higher(t, { v, (uint32_t)(first + i) });
	});
	t = warp_top(t);
	if (threadIdx.x % 32 == 0)
		tops[threadIdx.x / 32] = t;
	__syncthreads();
	for (unsigned i = 0; i < THREADS / 32; i++)
		t = higher(t, tops[i]);
	if (a->sums) {
		max = isinf(t.v) ? 0 : (double)t.v;
		each_of(z, n, wide, [&](float v, size_t) {
			if (v != -INFINITY) /* a NaN counts */
				sum += exp((double)v - max);
		});
		sum = block_sum(sum, sums);
	}
	if (threadIdx.x == 0)
		a->parts[blockIdx.x] = { sum, t };
}

/* A warp a row. */
KERNEL void stats_rows(const struct row_stats *a)
{
	size_t row = (size_t)blockIdx.x * WARPS + threadIdx.x / 32;
	const struct piece *p = a->parts + row * a->pieces;
	struct top t = { -INFINITY, ~0u };
	double sum = 0;
	float first;

	if (row >= a->rows)
		return;
	first = a->z[row * a->n];
	for (size_t i = threadIdx.x % 32; i < a->pieces; i += 32)
		t = higher(t, p[i].top);
	t = warp_top(t);
	for (size_t i = threadIdx.x % 32; a->sums && i < a->pieces; i += 32)
		/* a piece of nothing but -infinity adds 0, or the NaN that was in it */
		sum += isinf(p[i].top.v) ? p[i].sum
					 : p[i].sum * exp((double)p[i].top.v - (double)t.v);
	sum = warp_sum(sum);
	if (threadIdx.x % 32)
		return;
	/* ref takes the first for the largest until there is a larger one: none is than NaN */
	if (a->lse)
		a->lse[row] = isnan(first) ? (double)first
			      : isinf(t.v) ? (double)t.v
					   : (double)t.v + log(sum);
	if (a->argmax)
		a->argmax[row] = isnan(first) ? 0 : (int32_t)t.at;
}

/* What was asked for goes to the host: NaN and 0 when the device failed or there is none. */
static void fetch_stats(double *lse, int32_t *argmax, const struct row_stats *a)
{
	if (lse && !(a->parts && device_fetch(lse, a->lse, a->rows * sizeof *lse)))
		memset(lse, 0xff, a->rows * sizeof *lse);
	if (argmax && !(a->parts && device_fetch(argmax, a->argmax, a->rows * sizeof *argmax)))
		memset(argmax, 0, a->rows * sizeof *argmax);
}

static unsigned row_blocks(size_t rows)
{
	return (unsigned)((rows + WARPS - 1) / WARPS);
}

static void launch_stats(const struct row_stats &a)
{
	launch(stats_pieces, (unsigned)(a.rows * a.pieces), 1, 1, THREADS,
		THREADS / 32 * (sizeof(double) + sizeof(struct top)), a);
	launch(stats_rows, row_blocks(a.rows), 1, 1, WARPS * 32, 0, a);
}

size_t stats_room(size_t n)
{
	return (n + PIECE - 1) / PIECE * sizeof(struct piece);
}

void stats_lse(double *lse, void *room, const float *z, size_t rows, size_t n)
{
	launch_stats({ z, lse, NULL, (struct piece *)room, n, (n + PIECE - 1) / PIECE, rows, true });
}

void cuda_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n)
{
	const struct device *d = device_now();
	size_t pieces = (n + PIECE - 1) / PIECE, rows;
	size_t most = WORKSPACE / (pieces * sizeof(struct piece) + 2 * sizeof(double));

	for (size_t r = 0; r < m; r += rows) {
		struct row_stats a = { z + r * n, NULL, NULL, NULL, n, pieces, 0, lse != NULL };

		rows = a.rows = least(m - r, most);
		if (d && device_well()) {
			double *at = (double *)(void *)d->work;

			a.lse = lse ? at : NULL;
			a.argmax = argmax ? (int32_t *)(void *)(at + rows) : NULL;
			a.parts = (struct piece *)(void *)(at + 2 * rows);
			launch_stats(a);
		}
		fetch_stats(lse ? lse + r : NULL, argmax ? argmax + r : NULL, &a);
	}
}

/* ---- sums of pieces ---- */

struct sum_parts {
	double *out;
	const double *parts; /* [rows][pieces] */
	size_t rows, pieces;
};

KERNEL void sum_rows(const struct sum_parts *a)
{
	size_t row = (size_t)blockIdx.x * WARPS + threadIdx.x / 32;
	const double *p = a->parts + row * a->pieces;
	double sum = 0;

	if (row >= a->rows)
		return;
	for (size_t i = threadIdx.x % 32; i < a->pieces; i += 32)
		sum += p[i];
	sum = warp_sum(sum);
	if (threadIdx.x % 32 == 0)
		a->out[row] = sum;
}

void stats_fetch(double *out, size_t rows, size_t pieces)
{
	const struct device *d = device_now();

	if (!out)
		return;
	if (d && device_well()) {
		double *at = (double *)(void *)d->work;
		const struct sum_parts a = { at, at + rows, rows, pieces };

		launch(sum_rows, row_blocks(rows), 1, 1, WARPS * 32, 0, a);
		if (device_fetch(out, at, rows * sizeof *out))
			return;
	}
	memset(out, 0xff, rows * sizeof *out);
}

/* ---- divergence ---- */

/* double lse_p[rows], lse_q[rows] behind it */
struct kl {
	const float *zp, *zq;
	double *parts; /* [rows][pieces] */
	size_t n, pieces, rows;
};

KERNEL void kl_pieces(const struct kl *a)
{
	size_t row = blockIdx.x / a->pieces, first = blockIdx.x % a->pieces * PIECE;
	size_t n = least(a->n - first, PIECE);
	const double *lse = (const double *)extra_of(a);
	const float *zq = a->zq + row * a->n + first;
	double lp = lse[row], lq = lse[a->rows + row], sum = 0;
	bool wide = a->n % 4 == 0 && aligned(a->zp);

	each_of(a->zp + row * a->n + first, n, wide, [&](float v, size_t i) {
		double log_p = (double)v - lp, p = exp(log_p);

		/* 0 log 0 = 0, also against a q of 0 */
		if (p != 0)
			sum += p * (log_p - ((double)zq[i] - lq));
	});
	sum = block_sum(sum, (double *)(void *)shared());
	if (threadIdx.x == 0)
		a->parts[blockIdx.x] = sum;
}

void cuda_kl(double *kl, const float *zp, const double *lse_p, const float *zq, const double *lse_q,
	size_t m, size_t n)
{
	enum { ROWS = 1024 }; /* of a launch: their sums travel with it */
	const struct device *d = device_now();
	size_t pieces = (n + PIECE - 1) / PIECE, rows;
	size_t most = least(ROWS, WORKSPACE / ((pieces + 1) * sizeof(double)));
	double lse[2 * ROWS];

	for (size_t r = 0; r < m; r += rows) {
		rows = least(m - r, most);
		if (d && device_well()) {
			const struct kl a = { zp + r * n, zq + r * n,
				(double *)(void *)d->work + rows, n, pieces, rows };

			memcpy(lse, lse_p + r, rows * sizeof *lse);
			memcpy(lse + rows, lse_q + r, rows * sizeof *lse);
			launch(kl_pieces, (unsigned)(rows * pieces), 1, 1, THREADS,
				THREADS / 32 * sizeof(double), a, lse, 2 * rows * sizeof *lse);
		}
		stats_fetch(kl + r, rows, pieces);
	}
}

/* ---- squared differences ---- */

struct sq_diff {
	const float *a, *b;
	double *parts; /* [2][blocks] */
	size_t count;
};

DEVICE void square(double *num, double *den, float x, float y)
{
	double d = (double)x - (double)y;

	*num += d * d;
	*den += (double)y * (double)y;
}

KERNEL void sq_diff_blocks(const struct sq_diff *s)
{
	size_t step = (size_t)gridDim.x * THREADS, quads = 0;
	size_t first = (size_t)blockIdx.x * THREADS + threadIdx.x, i = first;
	double *scratch = (double *)(void *)shared(), num = 0, den = 0;

	if (aligned(s->a) && aligned(s->b))
		quads = s->count / 4;
	for (; i < quads; i += step) {
		float4 x = load4(s->a + 4 * i), y = load4(s->b + 4 * i);

		square(&num, &den, x.x, y.x);
		square(&num, &den, x.y, y.y);
		square(&num, &den, x.z, y.z);
		square(&num, &den, x.w, y.w);
	}
	for (i = 4 * quads + first; i < s->count; i += step)
		square(&num, &den, s->a[i], s->b[i]);
	num = block_sum(num, scratch);
	den = block_sum(den, scratch + THREADS / 32);
	if (threadIdx.x == 0) {
		s->parts[blockIdx.x] = num;
		s->parts[gridDim.x + blockIdx.x] = den;
	}
}

void cuda_sq_diff(double *num, double *den, const float *a, const float *b, size_t count)
{
	enum { BLOCKS = 2048 };
	const struct device *d = device_now();
	size_t blocks = least((count + PIECE - 1) / PIECE, BLOCKS);
	double both[2] = { 0, 0 };

	if (blocks && d && device_well()) {
		const struct sq_diff s = { a, b, (double *)(void *)d->work + 2, count };

		launch(sq_diff_blocks, (unsigned)blocks, 1, 1, THREADS,
			2 * (THREADS / 32) * sizeof(double), s);
	}
	if (blocks)
		stats_fetch(both, 2, blocks);
	*num = both[0];
	*den = both[1];
}
