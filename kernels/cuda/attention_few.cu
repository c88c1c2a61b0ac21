/* attention_few.cu - a few new rows against all keys before them: what is read is keys and
 * values, so they are read once for all heads that share them and split over many blocks.
 *
 * A block has one kv head of one sequence, up to eight of the rows and heads that share it, and
 * a split of the keys, in tiles of 64 (32 where heads are wide).  The tile's keys and values
 * come to shared memory by asynchronous copies while the tile before is computed with;
 * int8 ones stay bytes there.  Softmax with a running maximum (Milakov and Gimelshein 2018).
 * The last block of a kv head to finish adds up the splits in their order (Dao et al.,
 * Flash-Decoding, 2023).  How a sequence is split hangs on its own length rounded up to a power
 * of two, up to SPLITS: so a recorded graph stays while a text grows.
 */
#include "kernels/cuda/attention.h"

enum { THREADS = 128, SPLITS = 64 };

/* Where a block's things are in shared memory. */
struct few_room {
	float *q;                  /* [ROWS][dim] */
	float *score;              /* [ROWS][KEYS] */
	float *p;                  /* [KEYS][ROWS] */
	float *k_scale, *v_scale;  /* [KEYS] */
	float *max, *sum, *factor; /* [ROWS] */
	unsigned *from, *to;       /* [ROWS] positions seen */
	unsigned char *k, *v;      /* tiles; afterwards partial sums of the output in their place */
};

struct few_job {
	const struct attended *t;
	const struct attn_shape *shape;
	unsigned kv, group, dim;
	unsigned first, last; /* keys of the block */
	struct few_room room;
};

/* Bytes of a row of a tile: what follows keeps lanes that read eight rows at once apart. */
#define ROW_BYTES(keys, dim, rounded) \
	((rounded) ? ((dim) + 15) / 16 * 16 + 16 : ((dim) + 4 * (THREADS / (keys))) * 4)

template <int ROWS, int KEYS> DEVICE void rooms(struct few_room *r, unsigned dim, bool rounded)
{
	float *at = (float *)(void *)shared();

	r->q = at;
	r->score = r->q + ROWS * dim;
	r->p = r->score + ROWS * KEYS;
	r->k_scale = r->p + ROWS * KEYS;
	r->v_scale = r->k_scale + KEYS;
	r->max = r->v_scale + KEYS;
	r->sum = r->max + 8;
	r->factor = r->sum + 8;
	r->from = (unsigned *)(r->factor + 8);
	r->to = r->from + 8;
	r->k = (unsigned char *)(r->to + 8);
	r->v = r->k + KEYS * ROW_BYTES(KEYS, dim, rounded);
}

/* Which row of the sequence and which head row r of the block is; false: none. */
template <int ROWS>
DEVICE bool whose(const struct few_job *j, unsigned r, unsigned *row, unsigned *head)
{
	unsigned share = (unsigned)(j->shape->heads / j->shape->kv_heads), i = j->group * ROWS + r;

	*row = i / share;
	*head = j->kv * share + i % share;
	return *row < j->t->s.m;
}

template <int ROWS> DEVICE void take_queries(const struct few_job *j, const float *q)
{
	for (unsigned i = threadIdx.x; i < ROWS * (j->dim / 4); i += THREADS) {
		unsigned r = i / (j->dim / 4), c = i % (j->dim / 4), row, head;
		float4 v = floats4(0, 0, 0, 0);

		if (whose<ROWS>(j, r, &row, &head))
			v = load4(
				q + ((j->t->s.q0 + row) * j->shape->heads + head) * j->dim + 4 * c);
		store4(j->room.q + 4 * i, v);
	}
	if (threadIdx.x < ROWS) {
		unsigned row, head, r = threadIdx.x;
		bool is = whose<ROWS>(j, r, &row, &head);

		j->room.from[r] = is ? sees_from(&j->t->s, j->shape, row) : 0;
		j->room.to[r] = is ? sees_to(&j->t->s, row) : 0;
		j->room.max[r] = -INFINITY;
		j->room.sum[r] = 0;
	}
}

/* ---- tiles ---- */

/* Rows `first` ... of keys or values; zeros behind the last. */
template <int WIDTH, int KEYS>
DEVICE void take_tile(const struct few_job *j, bool keys, unsigned first)
{
	const struct attn_seq *s = &j->t->s;
	size_t ld = j->shape->kv_heads * j->dim, at = first * ld + j->kv * j->dim;
	unsigned n = first < j->last ? j->last - first : 0;
	unsigned char *to = keys ? j->room.k : j->room.v;
	const float *x = (keys ? s->k : s->v);
	const int8_t *q = keys ? s->k8 : s->v8;
	const float *scale = keys ? s->k_scale : s->v_scale;
	unsigned bytes = ROW_BYTES(KEYS, j->dim, !x);

	if (!n)
		return;
	for (unsigned i = threadIdx.x; i < KEYS * (WIDTH / 4); i += THREADS) {
		unsigned r = i / (WIDTH / 4), c = i % (WIDTH / 4) * 4;

		if (c >= j->dim)
			continue;
		if (x)
			copy_async(
				to + r * bytes + c * 4, x + (r < n ? at + r * ld + c : 0), r < n);
		else if (j->dim % 16)
			*(uint32_t *)(void *)(to + r * bytes + c) =
				r < n ? *(const uint32_t *)(const void *)(q + at + r * ld + c) : 0;
		else if (c % 16 == 0)
			copy_async(to + r * bytes + c, q + (r < n ? at + r * ld + c : 0), r < n);
	}
	if (!x && threadIdx.x < KEYS)
		(keys ? j->room.k_scale : j->room.v_scale)[threadIdx.x] =
			threadIdx.x < n ? scale[(first + threadIdx.x) * j->shape->kv_heads + j->kv]
					: 0;
}

/* Values 4 c ... of row r of a tile. */
template <bool ROUNDED> DEVICE float4 of_tile(const unsigned char *row, unsigned c)
{
	if (ROUNDED)
		return bytes4(((const uint32_t *)(const void *)row)[c]);
	return ((const float4 *)(const void *)row)[c];
}

/* THREADS / KEYS lanes a key. */
template <int ROWS, int KEYS, bool ROUNDED>
DEVICE void score_tile(const struct few_job *j, unsigned first)
{
	enum { LANES = THREADS / KEYS };
	const struct few_room *room = &j->room;
	unsigned key = threadIdx.x / LANES, part = threadIdx.x % LANES, quads = j->dim / 4;
	const unsigned char *row = room->k + key * ROW_BYTES(KEYS, j->dim, ROUNDED);
	float sum[ROWS] = {}, scale = j->shape->scale * (ROUNDED ? room->k_scale[key] : 1);

	for (unsigned c = part; c < quads; c += LANES) {
		float4 k = of_tile<ROUNDED>(row, c);

		UNROLL
		for (int r = 0; r < ROWS; r++) {
			float4 q = load4(room->q + ((unsigned)r * quads + c) * 4);

			sum[r] += q.x * k.x;
			sum[r] += q.y * k.y;
			sum[r] += q.z * k.z;
			sum[r] += q.w * k.w;
		}
	}
	UNROLL
	for (int r = 0; r < ROWS; r++) {
		unsigned at = first + key;

		for (int k = LANES / 2; k; k /= 2)
			sum[r] += __shfl_xor_sync(~0u, sum[r], k);
		if (part == (unsigned)r % LANES)
			room->score[r * KEYS + key] =
				at >= room->from[r] && at < room->to[r] && at < j->last
					? sum[r] * scale
					: -INFINITY;
	}
}

/* A warp a row: p is what values are multiplied with, their scales included. */
template <int ROWS, int KEYS> DEVICE void softmax_tile(const struct few_job *j, bool rounded)
{
	const struct few_room *room = &j->room;
	unsigned lane = threadIdx.x % 32;

	for (unsigned r = threadIdx.x / 32; r < ROWS; r += THREADS / 32) {
		const float *s = room->score + r * KEYS;
		float before = room->max[r], max, sum = 0, base;

		max = s[lane];
		for (unsigned k = lane + 32; k < KEYS; k += 32)
			max = fmaxf(max, s[k]);
		max = fmaxf(before, warp_max(max));
		base = max == -INFINITY ? 0 : max; /* nothing seen yet: exp(-infinity) = 0 */
		for (unsigned k = lane; k < KEYS; k += 32) {
			float p = expf(s[k] - base);

			sum += p;
			room->p[k * ROWS + r] = rounded ? p * room->v_scale[k] : p;
		}
		sum = warp_sum(sum);
		if (lane == 0) {
			float factor = expf(before - base);

			room->factor[r] = factor;
			room->sum[r] = room->sum[r] * factor + sum;
			room->max[r] = max;
		}
	}
}

template <int ROWS> DEVICE void weights(float w[ROWS], const float *p)
{
	UNROLL
	for (int r = 0; r < ROWS; r += 4) {
		float4 v;

		if (ROWS < 4) {
			w[r] = p[0];
			w[ROWS - 1] = p[ROWS - 1];
			continue;
		}
		v = load4(p + r);
		w[r] = v.x;
		w[(r + 1) % ROWS] = v.y; /* % for the compiler's sake where there are fewer */
		w[(r + 2) % ROWS] = v.z;
		w[(r + 3) % ROWS] = v.w;
	}
}

/* Each thread four columns of every ROWS, for each GROUPS-th key. */
template <int ROWS, int WIDTH, int KEYS, bool ROUNDED>
DEVICE void value_tile(const struct few_job *j, float acc[ROWS][4])
{
	enum { GROUPS = THREADS / (WIDTH / 4) };
	const struct few_room *room = &j->room;
	unsigned c = threadIdx.x % (WIDTH / 4), bytes = ROW_BYTES(KEYS, j->dim, ROUNDED);
	float part[ROWS][4] = {}, p[ROWS];

	if (c >= j->dim / 4)
		return;
	for (unsigned k = threadIdx.x / (WIDTH / 4); k < KEYS; k += GROUPS) {
		float4 v = of_tile<ROUNDED>(room->v + k * bytes, c);

		weights<ROWS>(p, room->p + k * ROWS);
		UNROLL
		for (int r = 0; r < ROWS; r++) {
			part[r][0] += p[r] * v.x;
			part[r][1] += p[r] * v.y;
			part[r][2] += p[r] * v.z;
			part[r][3] += p[r] * v.w;
		}
	}
	UNROLL
	for (int r = 0; r < ROWS; r++)
		for (int i = 0; i < 4; i++)
			acc[r][i] = acc[r][i] * room->factor[r] + part[r][i];
}

template <int ROWS, int WIDTH, int KEYS, bool ROUNDED>
DEVICE void attend_keys(const struct few_job *j, float acc[ROWS][4])
{
	take_tile<WIDTH, KEYS>(j, true, j->first);
	copy_commit();
	take_tile<WIDTH, KEYS>(j, false, j->first);
	copy_commit();
	for (unsigned k = j->first; k < j->last; k += KEYS) {
		copy_wait<1>(); /* its keys */
		__syncthreads();
		score_tile<ROWS, KEYS, ROUNDED>(j, k);
		__syncthreads();
		take_tile<WIDTH, KEYS>(j, true, k + KEYS);
		copy_commit();
		softmax_tile<ROWS, KEYS>(j, ROUNDED);
		copy_wait<1>(); /* its values */
		__syncthreads();
		value_tile<ROWS, WIDTH, KEYS, ROUNDED>(j, acc);
		__syncthreads();
		take_tile<WIDTH, KEYS>(j, false, k + KEYS);
		copy_commit();
	}
	copy_wait<0>();
}

/* ---- results ---- */

/* What a split leaves in the workspace: float o[ROWS][dim], max[ROWS], sum[ROWS]. */
template <int ROWS> DEVICE size_t left_by(unsigned dim)
{
	return ROWS * ((size_t)dim + 4);
}

DEVICE float4 scaled4(float4 v, float f)
{
	return floats4(v.x * f, v.y * f, v.z * f, v.w * f);
}

DEVICE void add4(float4 *sum, float4 v)
{
	sum->x += v.x;
	sum->y += v.y;
	sum->z += v.z;
	sum->w += v.w;
}

template <int ROWS>
DEVICE void put_row(const struct few_job *j, float *out, unsigned r, unsigned c, float4 v)
{
	unsigned row, head;

	if (whose<ROWS>(j, r, &row, &head))
		store4(out + ((j->t->s.q0 + row) * j->shape->heads + head) * j->dim + 4 * c, v);
}

/* Adds up what the threads have of the same columns; to out, or to the workspace as it is. */
template <int ROWS, int WIDTH>
DEVICE void gather(const struct few_job *j, float acc[ROWS][4], float *out, float *left)
{
	enum { GROUPS = THREADS / (WIDTH / 4) };
	unsigned c = threadIdx.x % (WIDTH / 4), quads = j->dim / 4;
	unsigned mine = threadIdx.x / (WIDTH / 4) * ROWS;
	float *sums = (float *)(void *)j->room.k; /* [GROUPS][ROWS][dim] */

	UNROLL
	for (int r = 0; r < ROWS; r++)
		if (c < quads)
			store4(sums + 4 * (((unsigned)r + mine) * quads + c),
				floats4(acc[r][0], acc[r][1], acc[r][2], acc[r][3]));
	__syncthreads();
	for (unsigned i = threadIdx.x; i < ROWS * quads; i += THREADS) {
		float4 v = load4(sums + 4 * i);

		for (unsigned g = 1; g < GROUPS; g++)
			add4(&v, load4(sums + (g * ROWS * quads + i) * 4));
		if (left)
			store4(left + 4 * i, v);
		else
			put_row<ROWS>(j, out, i / quads, i % quads,
				scaled4(v, 1 / j->room.sum[i / quads]));
	}
	if (left && threadIdx.x < ROWS) {
		left[ROWS * j->dim + threadIdx.x] = j->room.max[threadIdx.x];
		left[ROWS * j->dim + ROWS + threadIdx.x] = j->room.sum[threadIdx.x];
	}
}

/* Weights of the splits of each row, over the sum: w[SPLITS][ROWS]. */
template <int ROWS>
DEVICE void weigh_splits(float *w, const float *left, unsigned splits, unsigned dim)
{
	size_t step = left_by<ROWS>(dim);

	left += ROWS * dim;
	for (unsigned r = threadIdx.x / 32; r < ROWS; r += THREADS / 32) {
		float max = -INFINITY, sum = 0, base;

		for (unsigned i = threadIdx.x % 32; i < splits; i += 32)
			max = fmaxf(max, left[i * step + r]);
		max = warp_max(max);
		base = max == -INFINITY ? 0 : max; /* of no row */
		for (unsigned i = threadIdx.x % 32; i < splits; i += 32) {
			float e = expf(left[i * step + r] - base);

			sum += e * left[i * step + ROWS + r];
			w[i * ROWS + r] = e;
		}
		sum = warp_sum(sum);
		for (unsigned i = threadIdx.x % 32; i < splits; i += 32)
			w[i * ROWS + r] /= sum;
	}
	__syncthreads();
}

template <int ROWS> DEVICE void combine(const struct few_job *j, float *out, const float *left)
{
	float *w = (float *)(void *)j->room.k;
	unsigned quads = j->dim / 4;
	size_t step = left_by<ROWS>(j->dim);

	weigh_splits<ROWS>(w, left, j->t->splits, j->dim);
	for (unsigned i = threadIdx.x; i < ROWS * quads; i += THREADS) {
		float4 v = floats4(0, 0, 0, 0);
		unsigned r = i / quads;

		for (unsigned k = 0; k < j->t->splits; k++)
			add4(&v, scaled4(load4(left + k * step + 4 * i), w[k * ROWS + r]));
		put_row<ROWS>(j, out, r, i % quads, v);
	}
}

/* Whether this block is the last of `splits` that leave something: it sees what the others left. */
DEVICE bool last_of(unsigned *ticket, unsigned splits, unsigned *flag)
{
	__threadfence();
	__syncthreads();
	if (threadIdx.x == 0) {
		*flag = atomicAdd(ticket, 1u) == splits - 1;
		if (*flag)
			*ticket = 0;
	}
	__syncthreads();
	__threadfence();
	return *flag != 0;
}

/* Blocks: x kv heads and groups of ROWS that share them, y splits, z sequences. */
template <int ROWS, int WIDTH, int KEYS> KERNEL void attend_split(const struct attend *a)
{
	const struct attended *t = (const struct attended *)extra_of(a) + blockIdx.z;
	unsigned kv_heads = (unsigned)a->shape.kv_heads, row, head;
	unsigned part = blockIdx.z * gridDim.x + blockIdx.x;
	struct few_job j = { t, &a->shape, blockIdx.x % kv_heads, blockIdx.x / kv_heads,
		(unsigned)a->shape.head_dim, 0, 0, {} };
	float acc[ROWS][4] = {}, *left = NULL;
	size_t step = left_by<ROWS>(j.dim);

	if (blockIdx.y >= t->splits || !whose<ROWS>(&j, 0, &row, &head))
		return;
	j.first = sees_from(&t->s, &a->shape, 0) + blockIdx.y * t->keys;
	j.last = sees_to(&t->s, (unsigned)t->s.m - 1);
	if (j.last - j.first > t->keys)
		j.last = j.first + t->keys;
	rooms<ROWS, KEYS>(&j.room, j.dim, !t->s.k);
	take_queries<ROWS>(&j, a->q);
	if (t->s.k)
		attend_keys<ROWS, WIDTH, KEYS, false>(&j, acc);
	else
		attend_keys<ROWS, WIDTH, KEYS, true>(&j, acc);
	if (t->splits > 1)
		left = a->work + (size_t)part * gridDim.y * step;
	gather<ROWS, WIDTH>(&j, acc, a->out, left ? left + blockIdx.y * step : NULL);
	if (left && last_of(a->tickets + part, t->splits, j.room.from))
		combine<ROWS>(&j, a->out, left);
}

/* ---- host ---- */

/* How the keys of a sequence are split, in tiles; returns the grid's. */
static unsigned split(struct attended *t, const struct attn_shape *shape, size_t tile, size_t most)
{
	size_t keys = t->s.pos + t->s.m, all = tile;

	if (shape->window && t->s.pos >= shape->window)
		keys = shape->window + t->s.m - 1;
	while (all < keys)
		all *= 2;
	t->keys = (unsigned)(all / tile <= most ? tile : all / most);
	t->splits = (unsigned)((keys + t->keys - 1) / t->keys);
	return (unsigned)(all / t->keys);
}

static size_t max_of(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* n of them in as many launches as workspace and tickets ask for. */
template <int ROWS, int WIDTH, int KEYS>
static void put(const struct attend *a, struct attended *t, size_t n, size_t rows)
{
	size_t dim = a->shape.head_dim, share = a->shape.heads / a->shape.kv_heads;
	size_t x = a->shape.kv_heads * ((rows * share + ROWS - 1) / ROWS), most = SPLITS, take;
	size_t left = x * ROWS * (dim + 4) * sizeof(float); /* by a split of a sequence */
	size_t sums = max_of(THREADS / (WIDTH / 4) * ROWS * dim, SPLITS * ROWS) * 4;
	size_t fixed = (ROWS * (dim + 2 * KEYS) + 2 * KEYS + 5 * 8) * 4;

	while (most > 1 && (most * left > WORKSPACE || x > TICKETS))
		most /= 2;
	take = most > 1 ? least(TICKETS / x, WORKSPACE / (most * left)) : n;
	for (size_t i = 0; i < n; i += take) {
		size_t count = least(n - i, take);
		size_t splits = 1, tiles = 0;

		for (size_t k = i; k < i + count; k++) {
			splits = max_of(splits, split(&t[k], &a->shape, KEYS, most));
			tiles = max_of(tiles, 2 * KEYS * ROW_BYTES(KEYS, dim, !t[k].s.k));
		}
		launch_named("attention", attend_split<ROWS, WIDTH, KEYS>, (unsigned)x,
			(unsigned)splits, (unsigned)count, THREADS, fixed + max_of(tiles, sums), *a,
			t + i, count * sizeof *t);
	}
}

template <int ROWS>
static void put_rows(const struct attend *a, struct attended *t, size_t n, size_t rows)
{
	if (a->shape.head_dim <= 64)
		put<ROWS, 64, 64>(a, t, n, rows);
	else if (a->shape.head_dim <= 128)
		put<ROWS, 128, 64>(a, t, n, rows);
	else
		put<ROWS, 256, 32>(a, t, n, rows);
}

void attend_few(struct attend *a, struct attended *t, size_t n, size_t rows)
{
	size_t all = rows * (a->shape.heads / a->shape.kv_heads);

	if (all <= 1)
		put_rows<1>(a, t, n, rows);
	else if (all <= 2)
		put_rows<2>(a, t, n, rows);
	else if (all <= 4)
		put_rows<4>(a, t, n, rows);
	else
		put_rows<8>(a, t, n, rows);
}
