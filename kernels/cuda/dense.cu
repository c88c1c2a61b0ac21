/* dense.cu - few rows of x times a dense matrix of floats, halves or bfloat16, in float.
 *
 * A group of warps takes ROWS rows of W together, each warp strips of 256 columns, so that a load
 * of x serves all of them; a lane loads 8 values of a row at once.  Sums are per lane in order of
 * the columns, then over lanes and over warps, always in the same order.
 *
 * Rows that do not begin at 16 bytes, and the end of one, are put together from what their
 * alignment allows: slower, never past the matrix.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

enum {
	WARPS = 8, /* of a block */
	ROWS = 4,
	LANE = 8, /* values of a row a lane loads at once */
	STRIP = 32 * LANE,
	DENSE_ROWS = 16 /* of x */
};

/* So that what is indexed stays in registers. */
#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL
#endif

struct dense_args {
	float *y;
	const float *x;
	const unsigned char *w;
	size_t ldy, ldx, rows, cols;
	unsigned m, share; /* warps that work on the same rows: 1, 2, 4, 8 */
	bool wide, even;   /* rows of W begin at 16 bytes; at a multiple of an element */
	bool x_wide;
};

template <int TYPE> struct dense_of {
	enum { SIZE = TYPE == MAT_F32 ? 4 : 2, QUADS = SIZE * LANE / 16 };
};

/* Bytes that may begin anywhere; n is 2 or 4. */
DEVICE uint32_t bytes_at(const unsigned char *p, int n, bool even)
{
	uint32_t v = 0;

	if (even)
		return n == 4 ? *(const uint32_t *)p : *(const uint16_t *)p;
	for (int i = 0; i < n; i++)
		v |= (uint32_t)p[i] << 8 * i;
	return v;
}

/* LANE values of a row from column c on as they lie in memory, beyond the row 0. */
template <int TYPE>
DEVICE void load_raw(uint32_t raw[], const struct dense_args *a, const unsigned char *row, size_t c)
{
	enum { SIZE = dense_of<TYPE>::SIZE, QUADS = dense_of<TYPE>::QUADS };

	if (a->wide && c + LANE <= a->cols) {
		for (int i = 0; i < QUADS; i++) {
			struct quad q = load_stream(row + c * SIZE + 16 * (size_t)i);

			raw[4 * i] = q.x;
			raw[4 * i + 1] = q.y;
			raw[4 * i + 2] = q.z;
			raw[4 * i + 3] = q.w;
		}
		return;
	}
	for (int i = 0; i < 4 * QUADS; i++)
		raw[i] = 0;
	for (int i = 0; i < LANE; i++)
		if (c + (size_t)i < a->cols) {
			uint32_t v = bytes_at(row + (c + (size_t)i) * SIZE, SIZE, a->even);

			raw[i * SIZE / 4] |= v << i * SIZE % 4 * 8;
		}
}

template <int TYPE> DEVICE float value(const uint32_t raw[], int i)
{
	uint16_t h = (uint16_t)(raw[i / 2] >> i % 2 * 16);

	if (TYPE == MAT_F32)
		return __uint_as_float(raw[i]);
	return TYPE == MAT_F16 ? float_of_half(h) : float_of_bf16(h);
}

DEVICE void load_x(float x[LANE], const struct dense_args *a, const float *row, size_t c)
{
	if (a->x_wide && c + LANE <= a->cols) {
		for (int i = 0; i < LANE; i += 4) {
			struct quad q = load_shared_by_all(row + c + i);

			x[i] = __uint_as_float(q.x);
			x[i + 1] = __uint_as_float(q.y);
			x[i + 2] = __uint_as_float(q.z);
			x[i + 3] = __uint_as_float(q.w);
		}
		return;
	}
	for (int i = 0; i < LANE; i++)
		x[i] = c + (size_t)i < a->cols ? row[c + (size_t)i] : 0;
}

/* Sums N values over the lanes of a warp, of which D and those of its lower bits are still to be
 * added: while there are several a lane keeps half of them and gives the others away.  v[0] (and
 * v[1] where N was 64) are then those from the returned on. */
template <int N, int D> DEVICE unsigned sum_lanes(float *v)
{
	enum { HALF = N / 2 };
	bool upper = threadIdx.x & D;

	if constexpr (D == 0) {
		return 0;
	} else if constexpr (N == 1) {
		v[0] += __shfl_xor_sync(~0u, v[0], D);
		return sum_lanes<1, D / 2>(v);
	} else {
		for (int i = 0; i < HALF; i++) {
			float mine = upper ? v[i + HALF] : v[i], other = upper ? v[i] : v[i + HALF];

			v[i] = mine + __shfl_xor_sync(~0u, other, D);
		}
		return (upper ? HALF : 0) + sum_lanes<HALF, D / 2>(v);
	}
}

/* The sums of the warps that share rows, in order, to y. */
template <int M> DEVICE void store(const struct dense_args *a, const float *sums)
{
	enum { N = ROWS * M };
	unsigned groups = WARPS / a->share;

	for (unsigned i = threadIdx.x; i < groups * N; i += blockDim.x) {
		unsigned group = i / N, k = i % N, t = k % M;
		size_t row = ((size_t)blockIdx.x * groups + group) * ROWS + k / M;
		float sum = 0;

		for (unsigned s = 0; s < a->share; s++)
			sum += sums[(group * a->share + s) * N + k];
		if (row < a->rows && t < a->m)
			a->y[t * a->ldy + row] = sum;
	}
}

template <int TYPE, int M> KERNEL void dense_rows(const struct dense_args *a)
{
	enum { N = ROWS * M, WORDS = 4 * dense_of<TYPE>::QUADS };
	unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, first;
	float *sums = (float *)shared(), sum[N] = { 0 };
	const unsigned char *row[ROWS];

	for (int r = 0; r < ROWS; r++) {
		size_t at = ((size_t)blockIdx.x * (WARPS / a->share) + warp / a->share) * ROWS + r;

		/* beyond the last row the last one again, which is not stored */
		at = at < a->rows ? at : a->rows - 1;
		row[r] = a->w + at * a->cols * dense_of<TYPE>::SIZE;
	}
	for (size_t c = (size_t)(warp % a->share) * STRIP + lane * LANE; c < a->cols;
		c += (size_t)a->share * STRIP) {
		uint32_t raw[ROWS][WORDS];

		for (int r = 0; r < ROWS; r++)
			load_raw<TYPE>(raw[r], a, row[r], c);
		UNROLL for (int t = 0; t < M; t++)
		{
			float x[LANE];

			if ((unsigned)t >= a->m)
				continue;
			load_x(x, a, a->x + t * a->ldx, c);
			for (int r = 0; r < ROWS; r++)
				for (int i = 0; i < LANE; i++)
					sum[r * M + t] =
						fmaf(value<TYPE>(raw[r], i), x[i], sum[r * M + t]);
		}
	}
	first = sum_lanes<N, 16>(sum);
	/* of the lanes with the same sums the first one */
	if (N >= 32 || lane % (32 / N) == 0)
		for (int i = 0; i < (N > 32 ? N / 32 : 1); i++)
			sums[warp * N + first + (unsigned)i] = sum[i];
	__syncthreads();
	store<M>(a, sums);
}

template <int M> static void launch_rows(enum mat_type type, const struct dense_args &a)
{
	size_t groups = WARPS / a.share;
	unsigned blocks = (unsigned)((a.rows + groups * ROWS - 1) / (groups * ROWS));
	size_t bytes = WARPS * ROWS * M * sizeof(float);

	if (type == MAT_F32)
		launch((dense_rows<MAT_F32, M>), blocks, 1, 1, WARPS * 32, bytes, a);
	else if (type == MAT_F16)
		launch((dense_rows<MAT_F16, M>), blocks, 1, 1, WARPS * 32, bytes, a);
	else
		launch((dense_rows<MAT_BF16, M>), blocks, 1, 1, WARPS * 32, bytes, a);
}

/* Two strips a warp are enough to hide the loads; more warps on a row than it has strips do
 * nothing. */
static unsigned warps_for(size_t cols)
{
	unsigned share = 1;

	while (share < WARPS && (size_t)share * STRIP * 2 < cols)
		share *= 2;
	return share;
}

void cuda_dense_gemv(const struct product *p, const float *x, size_t ldx, size_t m)
{
	const struct mat *w = p->w;
	size_t size = w->type == MAT_F32 ? 4 : 2;
	uintptr_t at = (uintptr_t)w->data;
	struct dense_args a = { p->y, x, (const unsigned char *)w->data, p->ldy, ldx, w->rows,
		w->cols, 0, warps_for(w->cols), at % 16 == 0 && w->cols * size % 16 == 0,
		at % size == 0, (uintptr_t)x % 16 == 0 && ldx % 4 == 0 };

	if (!w->rows || !device_well())
		return;
	for (size_t done = 0; done < m; done += a.m) {
		a.m = (unsigned)(m - done < DENSE_ROWS ? m - done : (size_t)DENSE_ROWS);
		a.x = x + done * ldx;
		a.y = p->y + done * p->ldy;
		if (a.m == 1)
			launch_rows<1>(w->type, a);
		else if (a.m <= 4)
			launch_rows<4>(w->type, a);
		else
			launch_rows<16>(w->type, a);
	}
}
