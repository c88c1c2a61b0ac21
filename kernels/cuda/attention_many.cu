/* attention_many.cu - many rows at once: 64 rows of a head against 64 keys after 64 keys, in
 * float.
 *
 * 256 threads, each 4 rows by 4 keys of the scores and 4 rows by 4 columns of the output,
 * all operands as 16-byte words of shared memory: one load for eight multiply-adds.  Keys
 * and values take turns in the same room; heads wider than 128 go in two slices, so that 85 kB
 * are enough, what the smallest devices have.  Softmax with a running maximum (Milakov and
 * Gimelshein 2018); each tile's part of the output is summed apart, so that 8192 keys are 64
 * sums of 128 and not one.  Tiles that no row sees are left out.
 */
#include "kernels/cuda/attention_tile.h"

enum { THREADS = TILE_THREADS, STRIDE_P = TILE + 4 };

/* What a block works on. */
struct tile_job {
	const struct attn_seq *s;
	const struct attn_shape *shape;
	unsigned row, rows; /* of the sequence */
	unsigned head, kv;
	float *q, *kv_tile, *p, *factor; /* shared */
};

/* n rows of `dim` floats from global memory, `ld` apart, zeros behind them. */
template <int WIDTH>
DEVICE void take_floats(float *to, const float *from, size_t ld, unsigned n, unsigned dim)
{
	for (unsigned i = threadIdx.x; i < TILE * (WIDTH / 4); i += THREADS) {
		unsigned r = i / (WIDTH / 4), c = i % (WIDTH / 4) * 4;

		if (c < dim)
			copy_async(
				to + r * (WIDTH + 4) + c, from + (r < n ? r * ld + c : 0), r < n);
	}
	copy_commit();
}

template <int WIDTH>
DEVICE void take_bytes(float *to, const int8_t *from, size_t ld, const float *scale,
	size_t scale_ld, unsigned n, unsigned dim)
{
	for (unsigned i = threadIdx.x; i < TILE * (WIDTH / 4); i += THREADS) {
		unsigned r = i / (WIDTH / 4), c = i % (WIDTH / 4) * 4;
		float4 v = floats4(0, 0, 0, 0);

		if (c >= dim)
			continue;
		if (r < n) {
			float s = scale[r * scale_ld];

			v = bytes4(*(const uint32_t *)(const void *)(from + r * ld + c));
			v = floats4(v.x * s, v.y * s, v.z * s, v.w * s);
		}
		store4(to + r * (WIDTH + 4) + c, v);
	}
}

/* Columns d0 ... of n keys (or values) from `first` on. */
template <int WIDTH>
DEVICE void take_kv(
	const struct tile_job *j, bool keys, unsigned first, unsigned n, unsigned d0, unsigned dim)
{
	const struct attn_shape *shape = j->shape;
	size_t ld = shape->kv_heads * shape->head_dim;
	size_t at = first * ld + j->kv * shape->head_dim + d0;
	const float *x = keys ? j->s->k : j->s->v;

	if (x)
		take_floats<WIDTH>(j->kv_tile, x + at, ld, n, dim);
	else
		take_bytes<WIDTH>(j->kv_tile, (keys ? j->s->k8 : j->s->v8) + at, ld,
			(keys ? j->s->k_scale : j->s->v_scale) + first * shape->kv_heads + j->kv,
			shape->kv_heads, n, dim);
}

template <int WIDTH>
DEVICE void take_q(const struct tile_job *j, const float *q, unsigned d0, unsigned dim)
{
	size_t ld = j->shape->heads * j->shape->head_dim;

	take_floats<WIDTH>(j->q, q + (j->s->q0 + j->row) * ld + j->head * j->shape->head_dim + d0,
		ld, j->rows, dim);
}

/* Scores to shared memory, -infinity where a row does not see a key. */
DEVICE void put_scores(const struct tile_job *j, float s[4][4], unsigned first)
{
	for (int i = 0; i < 4; i++) {
		unsigned row = thread_y() + 16 * (unsigned)i;
		unsigned from = sees_from(j->s, j->shape, j->row + row);
		unsigned to = row < j->rows ? sees_to(j->s, j->row + row) : 0;

		for (int c = 0; c < 4; c++) {
			unsigned at = thread_x() + 16 * (unsigned)c, key = first + at;

			j->p[row * STRIDE_P + at] =
				key >= from && key < to ? s[i][c] * j->shape->scale : -INFINITY;
		}
	}
}

DEVICE float max4(float4 v)
{
	return fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w));
}

/* Four threads a row; max and sum are of the row's keys so far. */
DEVICE void softmax_rows(const struct tile_job *j, float *max, float *sum)
{
	float *p = j->p + threadIdx.x / 4 * STRIDE_P + threadIdx.x % 4 * 4, most = *max, part = 0;
	float factor;

	for (int i = 0; i < 4; i++)
		most = fmaxf(most, max4(load4(p + 16 * i)));
	most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
	most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
	factor = most == -INFINITY ? 1 : expf(*max - most);
	for (int i = 0; i < 4; i++) {
		float4 v = load4(p + 16 * i);

		/* of a row that has seen nothing yet: exp(-infinity - 0) = 0 */
		float base = most == -INFINITY ? 0 : most;

		v = floats4(expf(v.x - base), expf(v.y - base), expf(v.z - base), expf(v.w - base));
		part += (v.x + v.y) + (v.z + v.w);
		store4(p + 16 * i, v);
	}
	part += __shfl_xor_sync(~0u, part, 1);
	part += __shfl_xor_sync(~0u, part, 2);
	*sum = *sum * factor + part;
	*max = most;
	if (threadIdx.x % 4 == 0)
		j->factor[threadIdx.x / 4] = factor;
}

/* out = out * factor + p * values, columns c0 + 4 tx ... */
template <int WIDTH>
DEVICE void multiply_values(float out[4][4], const struct tile_job *j, unsigned c0, unsigned n)
{
	float part[4][4] = {};

	multiply_weights<STRIDE_P, WIDTH + 4>(part, j->p, j->kv_tile + c0, n);
	for (int i = 0; i < 4; i++) {
		float factor = j->factor[thread_y() + 16 * (unsigned)i];

		for (int c = 0; c < 4; c++)
			out[i][c] = out[i][c] * factor + part[i][c];
	}
}

template <int WIDTH, int SLICES>
DEVICE void put_out(
	const struct tile_job *j, float *out, float acc[SLICES][WIDTH / 64][4][4], float sum)
{
	unsigned dim = (unsigned)j->shape->head_dim;

	if (threadIdx.x % 4 == 0)
		j->factor[threadIdx.x / 4] = sum;
	__syncthreads();
	UNROLL
	for (int i = 0; i < 4; i++) {
		unsigned row = thread_y() + 16 * (unsigned)i;
		float *o = out + ((j->s->q0 + j->row + row) * j->shape->heads + j->head) * dim;
		float inv;

		if (row >= j->rows)
			continue;
		inv = 1 / j->factor[row];
		UNROLL
		for (int k = 0; k < SLICES * (WIDTH / 64); k++) {
			const float *v = acc[k / (WIDTH / 64)][k % (WIDTH / 64)][i];
			unsigned c = (unsigned)k * 64 + thread_x() * 4;

			if (c < dim)
				store4(o + c,
					floats4(v[0] * inv, v[1] * inv, v[2] * inv, v[3] * inv));
		}
	}
}

DEVICE unsigned slice_of(unsigned dim, unsigned d0, unsigned width)
{
	return dim - d0 < width ? dim - d0 : width;
}

/* Keys `first` ... of one tile: scores, softmax, their values added. */
template <int WIDTH, int SLICES>
DEVICE void attend_keys(const struct tile_job *j, const float *q, unsigned first, unsigned n,
	bool fresh, float acc[SLICES][WIDTH / 64][4][4], float *max, float *sum)
{
	unsigned dim = (unsigned)j->shape->head_dim;
	float s[4][4] = {};

	for (int k = 0; k < SLICES; k++) {
		unsigned d0 = (unsigned)k * WIDTH, width = slice_of(dim, d0, WIDTH);

		if (SLICES > 1 || fresh)
			take_q<WIDTH>(j, q, d0, width);
		take_kv<WIDTH>(j, true, first, n, d0, width);
		copy_wait<0>();
		__syncthreads();
		multiply_scores<WIDTH>(s, j->q, j->kv_tile, width);
		__syncthreads();
	}
	put_scores(j, s, first);
	UNROLL
	for (int k = 0; k < SLICES; k++) {
		unsigned d0 = (unsigned)k * WIDTH;

		take_kv<WIDTH>(j, false, first, n, d0, slice_of(dim, d0, WIDTH));
		if (k == 0) {
			__syncthreads();
			softmax_rows(j, max, sum);
		}
		copy_wait<0>();
		__syncthreads();
		UNROLL
		for (int c = 0; c < WIDTH / 64; c++)
			if (d0 + (unsigned)c * 64 < dim)
				multiply_values<WIDTH>(
					acc[k][c], j, (unsigned)c * 64, (n + 3) & ~3u);
		__syncthreads();
	}
}

template <int WIDTH, int SLICES> KERNEL void attend_tile(const struct attend *a)
{
	const struct attn_seq *s = &((const struct attended *)extra_of(a))[blockIdx.z].s;
	unsigned heads = (unsigned)a->shape.heads;
	/* the rows with most keys first */
	unsigned row = (gridDim.x / heads - 1 - blockIdx.x / heads) * TILE;
	struct tile_job j = { s, &a->shape, row, 0, blockIdx.x % heads, 0, NULL, NULL, NULL, NULL };
	float acc[SLICES][WIDTH / 64][4][4] = {}, max = -INFINITY, sum = 0;
	unsigned from, to;

	if (row >= s->m)
		return;
	j.rows = (unsigned)least(s->m - row, TILE);
	j.kv = j.head / (heads / (unsigned)a->shape.kv_heads);
	j.q = (float *)(void *)shared();
	j.kv_tile = j.q + TILE * (WIDTH + 4);
	j.p = j.kv_tile + TILE * (WIDTH + 4);
	j.factor = j.p + TILE * STRIDE_P;
	from = sees_from(s, &a->shape, row);
	to = sees_to(s, row + j.rows - 1);
	for (unsigned k = from; k < to; k += TILE)
		attend_keys<WIDTH, SLICES>(
			&j, a->q, k, (unsigned)least(to - k, TILE), k == from, acc, &max, &sum);
	put_out<WIDTH, SLICES>(&j, a->out, acc, sum);
}

template <int WIDTH, int SLICES>
static void put(const struct attend *a, const struct attended *s, size_t n, size_t rows)
{
	size_t bytes = (2 * TILE * (WIDTH + 4) + TILE * STRIDE_P + TILE) * sizeof(float);
	size_t tiles = (rows + TILE - 1) / TILE;

	launch_named("attention", attend_tile<WIDTH, SLICES>, (unsigned)(tiles * a->shape.heads), 1,
		(unsigned)n, THREADS, bytes, *a, s, n * sizeof *s);
}

void attend_many(const struct attend *a, const struct attended *s, size_t n, size_t rows)
{
	if (a->shape.head_dim <= 64)
		put<64, 1>(a, s, n, rows);
	else if (a->shape.head_dim <= 128)
		put<128, 1>(a, s, n, rows);
	else
		put<128, 2>(a, s, n, rows);
}
