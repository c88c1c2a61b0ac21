/* back.cu - the way back of products, norms, gates and embeddings.
 *
 * A product goes back as a forward one of many rows goes forth (products.cu): some rows of W at a
 * time are made floats or bfloat16 in the workspace and cuBLAS multiplies, each piece on top of the
 * one before, in their order.  Sums over the rows of a batch are made in slices of GAIN_ROWS rows,
 * whatever their number, then slice after slice.
 */
#include <math.h>
#include <stdlib.h>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum { THREADS = 256, MOST_BLOCKS = 2048, BEFORE_ROOM = WORKSPACE - ROOM };

static unsigned blocks_for(size_t count)
{
	return (unsigned)least((count + THREADS - 1) / THREADS, MOST_BLOCKS);
}

/* ---- products ---- */

struct way_back {
	float *dx;
	size_t ldx;
	bool add;
	const float *dy;
	size_t ldy, m;
	const struct mat *w;
};

/* What piece of W, and of dy's columns. */
static size_t rows_in(size_t bytes, size_t row)
{
	size_t n = bytes / row;

	return n < MAT_TILE ? (n ? n : 1) : n / MAT_TILE * MAT_TILE;
}

/* The first piece takes the place of what dx held, where nothing is to be added to it. */
static float beta_of(const struct way_back *b, size_t first)
{
	return b->add || first ? 1 : 0;
}

static void back_in_floats(const struct way_back *b)
{
	const struct mat *w = b->w;
	float *to = (float *)(void *)device_now()->work;
	size_t step = rows_in(BEFORE_ROOM, w->cols * sizeof *to);

	if (w->type == MAT_F32 && (uintptr_t)w->data % sizeof(float) == 0) {
		blas_float(false, false, b->m, w->cols, w->rows, 1, b->dy, b->ldy,
			(const float *)w->data, w->cols, beta_of(b, 0), b->dx, b->ldx);
		return;
	}
	for (size_t first = 0; first < w->rows; first += step) {
		size_t n = least(step, w->rows - first);

		cuda_dequant(to, w, first, n);
		blas_float(false, false, b->m, w->cols, n, 1, b->dy + first, b->ldy, to, w->cols,
			beta_of(b, first), b->dx, b->ldx);
	}
}

/* n rows of W from `first` on, which lie in hi (and lo): dy's columns are rounded into ROOM. */
static void back_in_halves(
	const struct way_back *b, const uint16_t *hi, const uint16_t *lo, size_t first, size_t n)
{
	uint16_t *room = (uint16_t *)(void *)(device_now()->work + BEFORE_ROOM);
	size_t cols = b->w->cols, step = rows_in(ROOM / (lo ? 2 : 1), n * sizeof *room);

	for (size_t done = 0, m; done < b->m; done += m) {
		uint16_t *left = lo ? room + step * n : NULL;
		float *dx = b->dx + done * b->ldx, beta = beta_of(b, first);

		m = least(step, b->m - done);
		cuda_round_bf16(room, left, b->dy + done * b->ldy + first, b->ldy, m, n);
		if (lo) { /* what is small first */
			blas_bf16(false, false, m, cols, n, 1, left, n, hi, cols, beta, dx, b->ldx);
			blas_bf16(false, false, m, cols, n, 1, room, n, lo, cols, 1, dx, b->ldx);
			beta = 1;
		}
		blas_bf16(false, false, m, cols, n, 1, room, n, hi, cols, beta, dx, b->ldx);
	}
}

static void back_rounded(const struct way_back *b, bool three)
{
	const struct mat *w = b->w;
	uint16_t *hi = (uint16_t *)(void *)device_now()->work;
	size_t step = rows_in(BEFORE_ROOM / (three ? 2 : 1), w->cols * sizeof *hi);
	bool as_it_is = w->type == MAT_BF16 && !three && (uintptr_t)w->data % 2 == 0;

	/* of dy, too, some rows are to fit */
	step = least(step, ROOM / (three ? 2 : 1) / sizeof *hi / MAT_TILE);
	for (size_t first = 0; first < w->rows; first += step) {
		size_t n = least(step, w->rows - first);
		uint16_t *lo = three ? hi + step * w->cols : NULL;

		if (as_it_is) {
			back_in_halves(
				b, (const uint16_t *)w->data + first * w->cols, NULL, first, n);
			continue;
		}
		cuda_dequant_bf16(hi, lo, w, first, n);
		back_in_halves(b, hi, lo, first, n);
	}
}

void cuda_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	const struct way_back b = { dx, ldx, add, dy, ldy, m, w };

	if (!m || !w->cols || !device_well())
		return;
	if (!w->rows) /* sums of no values */
		cuda_gemm(false, false, m, w->cols, 0, 1, NULL, 1, NULL, 1, add ? 1 : 0, dx, ldx,
			MATH_F32);
	else if (math == MATH_F32 || math == MATH_INT8)
		back_in_floats(&b);
	else
		back_rounded(&b, math == MATH_BF16X3);
}

/* ---- rmsnorm ---- */

enum {
	GAIN_COLS = 32,     /* of a block */
	GAIN_ROWS = 256,    /* of a slice */
	NORM_ROWS = 1 << 20 /* of a launch */
};

struct norm_back {
	float *dx, *dgain;
	const float *dy, *x, *gain;
	float *inv;  /* [rows] */
	float *part; /* [slices][n] */
	size_t rows, n;
	float eps;
};

/* A block a row. */
KERNEL void norm_back_rows(const struct norm_back *a)
{
	size_t n = a->n, at = blockIdx.x * n;
	const float *x = a->x + at, *dy = a->dy + at;
	float *scratch = (float *)(void *)shared(), *dx = a->dx + at, squares = 0, sum = 0, share;
	double inv;

	for (size_t i = threadIdx.x; i < n; i += blockDim.x) {
		squares += x[i] * x[i];
		sum += a->gain[i] * dy[i] * x[i];
	}
	squares = block_sum(squares, scratch);
	sum = block_sum(sum, scratch + blockDim.x / 32);
	inv = 1 / sqrt((double)squares / (double)n + (double)a->eps);
	share = (float)((double)sum * inv * inv * inv / (double)n);
	for (size_t i = threadIdx.x; i < n; i += blockDim.x)
		dx[i] += (float)inv * a->gain[i] * dy[i] - x[i] * share;
	if (threadIdx.x == 0)
		a->inv[blockIdx.x] = (float)inv;
}

/* Block x: GAIN_COLS columns; y: a slice of the rows.  Each of the block's warps takes every eighth
 * row, a lane a column. */
KERNEL void gain_back_slices(const struct norm_back *a)
{
	float *sums = (float *)(void *)shared(), sum = 0;
	size_t c = (size_t)blockIdx.x * GAIN_COLS + threadIdx.x % 32;
	size_t first = (size_t)blockIdx.y * GAIN_ROWS, end = least(a->rows, first + GAIN_ROWS);

	for (size_t r = first + threadIdx.x / 32; c < a->n && r < end; r += THREADS / 32)
		sum += a->dy[r * a->n + c] * a->x[r * a->n + c] * a->inv[r];
	sums[threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.x >= 32 || c >= a->n)
		return;
	for (unsigned i = 1; i < THREADS / 32; i++)
		sum += sums[i * 32 + threadIdx.x];
	a->part[blockIdx.y * a->n + c] = sum;
}

KERNEL void gain_back(const struct norm_back *a)
{
	size_t c = (size_t)blockIdx.x * THREADS + threadIdx.x;
	size_t slices = (a->rows + GAIN_ROWS - 1) / GAIN_ROWS;
	double sum = 0;

	if (c >= a->n)
		return;
	for (size_t i = 0; i < slices; i++)
		sum += (double)a->part[i * a->n + c];
	a->dgain[c] = (float)((double)a->dgain[c] + sum);
}

static void launch_norm_back(const struct norm_back &a)
{
	enum { MOST = 512 };
	unsigned threads = 32, slices = (unsigned)((a.rows + GAIN_ROWS - 1) / GAIN_ROWS);

	while (threads < MOST && threads * 8 < a.n)
		threads *= 2;
	launch(norm_back_rows, (unsigned)a.rows, 1, 1, threads, 2 * threads / 32 * sizeof(float),
		a);
	if (!a.dgain)
		return;
	launch(gain_back_slices, (unsigned)((a.n + GAIN_COLS - 1) / GAIN_COLS), slices, 1, THREADS,
		THREADS * sizeof(float), a);
	launch(gain_back, (unsigned)((a.n + THREADS - 1) / THREADS), 1, 1, THREADS, 0, a);
}

void cuda_rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps)
{
	const struct device *d = device_now();
	struct norm_back a = { NULL, dgain, NULL, NULL, gain, NULL, NULL, 0, n, eps };
	size_t most;

	if (!n || !d || !device_well())
		return;
	a.inv = (float *)(void *)d->work;
	a.part = a.inv + NORM_ROWS;
	/* the slices' sums are to fit behind */
	most = (WORKSPACE / sizeof(float) - NORM_ROWS) / n;
	most = (most ? most : 1) * GAIN_ROWS;
	if (dgain && n > WORKSPACE / sizeof(float) - NORM_ROWS) {
		device_failed("a norm of more than 60 million values is too wide for this device");
		return;
	}
	most = least(most, NORM_ROWS);
	most = least(most, (size_t)65535 * GAIN_ROWS);
	for (size_t r = 0; r < m; r += most) {
		a.dx = dx + r * n;
		a.dy = dy + r * n;
		a.x = x + r * n;
		a.rows = least(most, m - r);
		launch_norm_back(a);
	}
}

/* ---- swiglu ---- */

struct swiglu_back {
	float *dgate, *dup;
	const float *dy, *gate, *up;
	size_t count;
};

/* rest = 1 - s, without what cancels. */
DEVICE void gate_back(float *dgate, float *dup, float d, float g, float u)
{
	float s = 1 / (1 + expf(-g)), rest = 1 / (1 + expf(g));

	*dgate = d * u * s * (1 + g * rest);
	*dup = d * g * s;
}

/* A thread reads what it writes: outputs may lie where gate and up do. */
KERNEL void swiglu_back_values(const struct swiglu_back *a)
{
	size_t first = (size_t)blockIdx.x * THREADS + threadIdx.x, i = first;
	size_t step = (size_t)gridDim.x * THREADS, quads = 0;

	if (aligned(a->dgate) && aligned(a->dup) && aligned(a->dy) && aligned(a->gate) &&
		aligned(a->up))
		quads = a->count / 4;
	for (; i < quads; i += step) {
		float4 d = load4(a->dy + 4 * i), g = load4(a->gate + 4 * i),
		       u = load4(a->up + 4 * i), dg, du;

		gate_back(&dg.x, &du.x, d.x, g.x, u.x);
		gate_back(&dg.y, &du.y, d.y, g.y, u.y);
		gate_back(&dg.z, &du.z, d.z, g.z, u.z);
		gate_back(&dg.w, &du.w, d.w, g.w, u.w);
		store4(a->dgate + 4 * i, dg);
		store4(a->dup + 4 * i, du);
	}
	for (i = 4 * quads + first; i < a->count; i += step) {
		float dg, du;

		gate_back(&dg, &du, a->dy[i], a->gate[i], a->up[i]);
		a->dgate[i] = dg;
		a->dup[i] = du;
	}
}

void cuda_swiglu_back(
	float *dgate, float *dup, const float *dy, const float *gate, const float *up, size_t count)
{
	const struct swiglu_back a = { dgate, dup, dy, gate, up, count };

	if (count)
		launch(swiglu_back_values, blocks_for((count + 3) / 4), 1, 1, THREADS, 0, a);
}

/* ---- embedding ---- */

/* A row of dy; a list of them is in the order of ids, and of rows where ids are the same. */
struct embedded {
	int32_t id;
	uint16_t row, first; /* whether it is the first of its id */
};
enum { EMBEDDED = 4096 /* of a launch: 32 kB of its arguments */ };

struct embed_back {
	float *dw;
	const float *dy;
	size_t cols, n;
};

/* Block x: columns; y: a place in the list.  The first of an id adds all of its rows, in order. */
KERNEL void embed_back_rows(const struct embed_back *a)
{
	const struct embedded *e = (const struct embedded *)extra_of(a);
	size_t c = (size_t)blockIdx.x * THREADS + threadIdx.x, i = blockIdx.y;
	float *to, sum;

	if (!e[i].first || c >= a->cols)
		return;
	to = a->dw + (size_t)e[i].id * a->cols + c;
	sum = *to;
	do
		sum += a->dy[e[i].row * a->cols + c];
	while (++i < a->n && !e[i].first);
	*to = sum;
}

static int by_id(const void *a, const void *b)
{
	const struct embedded *x = (const struct embedded *)a, *y = (const struct embedded *)b;

	return x->id != y->id ? (x->id > y->id) - (x->id < y->id)
			      : (x->row > y->row) - (x->row < y->row);
}

void cuda_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols)
{
	static struct embedded list[EMBEDDED]; /* engine thread */

	if (!cols)
		return;
	for (size_t r = 0; r < m; r += EMBEDDED) {
		const struct embed_back a = { dw, dy + r * cols, cols, least(m - r, EMBEDDED) };

		for (size_t i = 0; i < a.n; i++)
			list[i] = { ids[r + i], (uint16_t)i, 0 };
		qsort(list, a.n, sizeof *list, by_id);
		for (size_t i = 0; i < a.n; i++)
			list[i].first = !i || list[i].id != list[i - 1].id;
		launch(embed_back_rows, (unsigned)((cols + THREADS - 1) / THREADS), (unsigned)a.n,
			1, THREADS, 0, a, list, a.n * sizeof *list);
	}
}
