/* cuda: rows of matrices of any type as float and as bfloat16, and x as bfloat16.
 *
 * A thread has two neighbouring columns of a tile's 16 rows, so that a warp writes 64 of a row
 * together, and reads the words of four rows at once.  Columns of a mix go where their inputs are,
 * one by one.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/packed.h"

enum { THREADS = 256, MOST_IDS = (QUEUE_ARGS - 1024) / 4, MOST_BLOCKS = 65535 };

/* Rows as float, or as bfloat16: hi, and what that left where lo is not NULL. */
struct rows_to {
	float *f;
	uint16_t *hi, *lo;
};

DEVICE void put_value(const struct rows_to *to, size_t at, float v)
{
	uint16_t hi;

	if (to->f) {
		to->f[at] = v;
		return;
	}
	hi = bf16_of(v);
	to->hi[at] = hi;
	if (to->lo)
		to->lo[at] = bf16_of(v - float_of_bf16(hi));
}

/* Two next to each other, together where `at` is even and the rows begin so. */
DEVICE void put_two(const struct rows_to *to, size_t at, float v, float w)
{
	uint32_t hi, even = ((uintptr_t)to->f | (uintptr_t)to->hi | (uintptr_t)to->lo) % 8 == 0;
	float2 two;

	if (at % 2 || !even) {
		put_value(to, at, v);
		put_value(to, at + 1, w);
		return;
	}
	if (to->f) {
		two.x = v;
		two.y = w;
		*(float2 *)(to->f + at) = two;
		return;
	}
	hi = bf162_of(v, w);
	*(uint32_t *)(to->hi + at) = hi;
	if (to->lo)
		*(uint32_t *)(to->lo + at) = bf162_of(
			v - float_of_bf16((uint16_t)hi), w - float_of_bf16((uint16_t)(hi >> 16)));
}

/* ---- packed ---- */

/* Words w[row] of the plane of `width` bits that starts at word `plane` of a block have the code's
 * bits at *shift. */
DEVICE uint32_t word_at(uint32_t plane, uint32_t width, uint32_t in, uint32_t *shift)
{
	uint32_t per = 32 / width;

	*shift = in % per * width;
	return plane + in / per;
}

/* Codes of column c, rows 4 quad ... + 3 of a tile. */
DEVICE void four_codes(
	uint32_t code[4], const struct part *p, uint32_t tile, uint32_t quad, uint32_t c)
{
	const unsigned char *block =
		p->words + ((size_t)tile * p->blocks + c / MAT_BLOCK) * p->bits * 64;
	uint32_t plane = 0, shift;

	for (int i = 0; i < 4; i++)
		code[i] = 0;
	for (uint32_t width = 8; width; width /= 2) {
		struct four_words w;

		if (!(p->bits & width))
			continue;
		w = *(const struct four_words *)(block +
						 word_at(plane, width, c % MAT_BLOCK, &shift) * 64 +
						 quad * 16);
		for (int i = 0; i < 4; i++)
			code[i] = code[i] << width | (w.v[i] >> shift & ((1u << width) - 1));
		plane += width;
	}
}

/* ... and the weights. */
DEVICE void four_weights(float v[4], const struct part *p, uint32_t tile, uint32_t quad, uint32_t c)
{
	size_t at = ((size_t)tile * p->groups + c / MAT_BLOCK / p->gb) * LINE_BYTES + quad * 8;
	uint32_t code[4];
	float scale[4], offset[4];

	four_codes(code, p, tile, quad, c);
	four_halves(scale, p->scale + at);
	four_halves(offset, p->offset + at);
	for (int i = 0; i < 4; i++)
		v[i] = fmaf(scale[i], (float)code[i], offset[i]);
}

struct dequant {
	struct packed w;
	struct rows_to to;
	uint32_t first, n, cols;
};

/* Block x: 512 columns of a part, those of the second after the first's; y: tiles. */
KERNEL void dequant_packed(const struct dequant *a)
{
	const struct part *p = &a->w.part[0];
	uint32_t tile = a->first / MAT_TILE + blockIdx.y,
		 c = (blockIdx.x * THREADS + threadIdx.x) * 2;
	uint32_t even = (p->cols + 1) / 2 * 2;

	if (c >= even && a->w.parts == 2) {
		c -= even;
		p = &a->w.part[1];
	}
	if (c >= p->cols)
		return;
	for (uint32_t quad = 0; quad < 4; quad++) {
		bool both = c + 1 < p->cols;
		float v[4], w[4];

		four_weights(v, p, tile, quad, c);
		if (both)
			four_weights(w, p, tile, quad, c + 1);
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t row = tile * MAT_TILE + quad * 4 + i;
			size_t at = (size_t)(row - a->first) * a->cols;

			if (row < a->first || row - a->first >= a->n)
				continue;
			if (a->w.order || !both) {
				put_value(&a->to, at + (a->w.order ? a->w.order[p->first + c] : c),
					v[i]);
				if (both)
					put_value(&a->to, at + a->w.order[p->first + c + 1], w[i]);
			} else {
				put_two(&a->to, at + c, v[i], w[i]);
			}
		}
	}
}

/* ---- dense ---- */

/* Element i of rows that may begin at any byte. */
DEVICE float dense_at(const unsigned char *data, uint32_t type, size_t i)
{
	uint32_t u;

	if (type == MAT_F32) {
		data += i * 4;
		if ((uintptr_t)data % 4 == 0)
			return *(const float *)data;
		u = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
		    (uint32_t)data[3] << 24;
		return float_of_bits(u);
	}
	data += i * 2;
	u = (uintptr_t)data % 2 ? (uint32_t)(data[0] | data[1] << 8) : *(const uint16_t *)data;
	return type == MAT_F16 ? float_of_half((uint16_t)u) : float_of_bf16((uint16_t)u);
}

struct dequant_dense {
	const unsigned char *data;
	struct rows_to to;
	size_t count;
	uint32_t type;
};

KERNEL void dequant_values(const struct dequant_dense *a)
{
	for (size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 2; i < a->count;
		i += (size_t)gridDim.x * THREADS * 2) {
		float v = dense_at(a->data, a->type, i);

		if (i + 1 < a->count)
			put_two(&a->to, i, v, dense_at(a->data, a->type, i + 1));
		else
			put_value(&a->to, i, v);
	}
}

static unsigned blocks_for(size_t pairs)
{
	size_t n = (pairs + THREADS - 1) / THREADS;

	return (unsigned)(n < MOST_BLOCKS ? n : (size_t)MOST_BLOCKS);
}

static bool is_packed(const struct mat *w)
{
	return w->type == MAT_INT || w->type == MAT_MIX;
}

static void dequant_rows(const struct rows_to *to, const struct mat *w, size_t first, size_t n)
{
	enum { TILES = 32768 }; /* of a launch */

	if (!n || !w->cols)
		return;
	if (!is_packed(w)) {
		struct dequant_dense a = {};

		a.data = (const unsigned char *)w->data +
			 first * w->cols * (w->type == MAT_F32 ? 4 : 2);
		a.to = *to;
		a.count = n * w->cols;
		a.type = w->type;
		launch(dequant_values, blocks_for((a.count + 1) / 2), 1, 1, THREADS, 0, a);
		return;
	}
	for (size_t at = 0, rows; at < n; at += rows) {
		struct dequant a = {};
		size_t from = first + at, tiles;

		rows = TILES * MAT_TILE - from % MAT_TILE;
		rows = rows < n - at ? rows : n - at;
		tiles = (from % MAT_TILE + rows + MAT_TILE - 1) / MAT_TILE;
		a.w = packed_of(w, true);
		a.to = *to;
		a.to.f += to->f ? at * w->cols : 0;
		a.to.hi += to->hi ? at * w->cols : 0;
		a.to.lo += to->lo ? at * w->cols : 0;
		a.first = (uint32_t)from;
		a.n = (uint32_t)rows;
		a.cols = (uint32_t)w->cols;
		/* one pair more: the parts of a mix may both be odd */
		launch(dequant_packed, blocks_for(w->cols / 2 + 1), (unsigned)tiles, 1, THREADS, 0,
			a);
	}
}

void cuda_dequant(float *out, const struct mat *w, size_t first, size_t n)
{
	struct rows_to to = { out, nullptr, nullptr };

	dequant_rows(&to, w, first, n);
}

void cuda_dequant_bf16(uint16_t *hi, uint16_t *lo, const struct mat *w, size_t first, size_t n)
{
	struct rows_to to = { nullptr, hi, lo };

	dequant_rows(&to, w, first, n);
}

/* ---- embedding ---- */

struct embed {
	struct packed w;
	const unsigned char *data; /* dense */
	float *y;
	uint32_t type, cols;
};

/* Block x: columns; y: a row, whose id is in `extra`. */
KERNEL void embed_rows(const struct embed *a)
{
	uint32_t id = ((const uint32_t *)extra_of(a))[blockIdx.y],
		 c = blockIdx.x * THREADS + threadIdx.x;
	float *y = a->y + (size_t)blockIdx.y * a->cols;
	const struct part *p = &a->w.part[0];
	uint32_t to = c, row = id % MAT_TILE;
	float v[4];

	if (c >= a->cols)
		return;
	if (a->type != MAT_INT && a->type != MAT_MIX) {
		y[c] = dense_at(a->data, a->type, (size_t)id * a->cols + c);
		return;
	}
	if (a->w.order)
		to = a->w.order[c];
	if (c >= p->cols) {
		c -= p->cols;
		p = &a->w.part[1];
	}
	four_weights(v, p, id / MAT_TILE, row / 4, c);
	y[to] = row % 4 == 0 ? v[0] : row % 4 == 1 ? v[1] : row % 4 == 2 ? v[2] : v[3];
}

void cuda_embed(float *y, const struct mat *w, const int32_t *ids, size_t m)
{
	struct embed a = {};

	if (!w->cols)
		return;
	if (is_packed(w))
		a.w = packed_of(w, true);
	a.data = (const unsigned char *)w->data;
	a.type = w->type;
	a.cols = (uint32_t)w->cols;
	for (size_t i = 0; i < m; i += MOST_IDS) {
		size_t n = m - i < MOST_IDS ? m - i : (size_t)MOST_IDS;

		a.y = y + i * w->cols;
		launch(embed_rows, (unsigned)((w->cols + THREADS - 1) / THREADS), (unsigned)n, 1,
			THREADS, 0, a, ids + i, n * sizeof *ids);
	}
}

/* ---- x ---- */

struct round_bf16 {
	struct rows_to to;
	const float *x;
	size_t ldx, cols, count;
};

KERNEL void round_rows(const struct round_bf16 *a)
{
	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < a->count;
		i += (size_t)gridDim.x * THREADS) {
		size_t row = i / a->cols;

		put_value(&a->to, i, a->x[row * a->ldx + (i - row * a->cols)]);
	}
}

void cuda_round_bf16(uint16_t *hi, uint16_t *lo, const float *x, size_t ldx, size_t m, size_t cols)
{
	struct round_bf16 a = { { nullptr, hi, lo }, x, ldx, cols, m * cols };

	if (a.count)
		launch(round_rows, blocks_for(a.count), 1, 1, THREADS, 0, a);
}
