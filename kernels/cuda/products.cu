/* products.cu - which kernels carry out `products`.
 *
 * Up to GEMV_ROWS rows of x our own read W once as it is stored.  More rows go through matrices
 * of floats or bfloat16 in the workspace, some rows of W at a time, and cuBLAS; packed W in
 * bfloat16 through cuda_packed_gemm up to PACKED_ROWS, beyond which the pass that unpacks W once
 * costs less than the faster instructions of cuBLAS save (predicted: 4096 x 14336 is unpacked in
 * some 35 us of an H200, which multiplies it by 1,024 rows in 170 us).  Rounded x lies in ROOM at
 * the end of the workspace.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

enum { THREADS = 256, MOST_BLOCKS = 2048, BEFORE_ROOM = WORKSPACE - ROOM, PACKED_ROWS = 256 };

/* Rows of x of all the products of a call. */
struct rows {
	const float *x;
	size_t ldx, m, cols;
};

static void *room(void)
{
	return device_now()->work + BEFORE_ROOM;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool dense(const struct mat *w)
{
	return w->type != MAT_INT && w->type != MAT_MIX;
}

/* How many rows of so many bytes fit, a multiple of a tile where there are several. */
static size_t rows_in(size_t bytes, size_t row)
{
	size_t n = row ? bytes / row : bytes;

	return n < MAT_TILE ? (n ? n : 1) : n / MAT_TILE * MAT_TILE;
}

static const struct product *only(const struct product *p, size_t n, bool is_dense, size_t *i)
{
	while (*i < n && (dense(p[*i].w) != is_dense || !p[*i].w->rows))
		++*i;
	return *i < n ? &p[(*i)++] : NULL;
}

/* ---- MATH_INT8: x rounded, as act8.h says, then multiplied in float ---- */

struct order_args {
	float *dst;
	const float *src;
	const uint16_t *order;
	size_t m, high, cols, ld; /* of the gathered: all of high's rows, then all of low's */
	bool back;
};

/* Gathers x in the order of a mix to [m][ld]; back: from [m][high] and [m][cols - high]. */
KERNEL void order_rows(const struct order_args *a)
{
	size_t all = (size_t)gridDim.x * blockDim.x, low = a->cols - a->high;

	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < a->m * a->cols;
		i += all) {
		size_t t = i / a->cols, c = i % a->cols, at = a->order[c];

		if (!a->back)
			a->dst[i] = a->src[t * a->ld + at];
		else
			a->dst[t * a->cols + at] =
				c < a->high ? a->src[t * a->high + c]
					    : a->src[a->m * a->high + t * low + c - a->high];
	}
}

static void launch_order(const struct order_args &a)
{
	size_t blocks = (a.m * a.cols + THREADS - 1) / THREADS;

	launch(order_rows, (unsigned)least(blocks, MOST_BLOCKS), 1, 1, THREADS, 0, a);
}

/* Each part of a mix is rounded in blocks of its own inputs, in their order. */
static void round_for_mix(float *out, const struct rows *r, const struct mat *w)
{
	size_t n = r->m * r->cols;
	float *gathered = out + n, *rounded = gathered + n;
	const struct order_args there = { gathered, r->x, w->order, r->m, w->high, r->cols, r->ldx,
		false };
	const struct order_args back = { out, rounded, w->order, r->m, w->high, r->cols, 0, true };

	launch_order(there);
	if (w->high)
		cuda_round_act8(rounded, gathered, r->cols, r->m, w->high);
	if (w->high < r->cols)
		cuda_round_act8(rounded + r->m * w->high, gathered + w->high, r->cols, r->m,
			r->cols - w->high);
	launch_order(back);
}

static void float_gemm(const struct product *p, const struct rows *r);

static void multiply_packed(const struct product *p, size_t n, const struct rows *r)
{
	if (r->m <= GEMV_ROWS) {
		cuda_gemv(p, n, r->x, r->ldx, r->m, true);
		return;
	}
	for (size_t i = 0; i < n; i++)
		float_gemm(&p[i], r);
}

static struct product below(const struct product *p, size_t done)
{
	const struct product at = { p->y + done * p->ldy, p->ldy, p->w };

	return at;
}

/* Packed products, FEW at a time: those that share how x is rounded. */
static void int8_products(const struct product *p, size_t n, const struct rows *all)
{
	/* a mix wants three copies of its rows */
	size_t step = rows_in(ROOM, 3 * all->cols * sizeof(float));
	float *out = (float *)room();

	for (size_t done = 0; done < all->m; done += step) {
		const struct rows r = { all->x + done * all->ldx, all->ldx,
			least(step, all->m - done), all->cols };
		const struct rows rounded = { out, r.cols, r.m, r.cols };
		struct product few[FEW];
		const struct product *one;
		size_t k = 0;

		cuda_round_act8(out, r.x, r.ldx, r.m, r.cols);
		for (size_t i = 0; (one = only(p, n, false, &i)) != NULL;) {
			if (one->w->type == MAT_MIX)
				continue;
			few[k++] = below(one, done);
			if (k == FEW)
				multiply_packed(few, k, &rounded);
			k %= FEW;
		}
		if (k)
			multiply_packed(few, k, &rounded);
		for (size_t i = 0; (one = only(p, n, false, &i)) != NULL;) {
			if (one->w->type != MAT_MIX)
				continue;
			few[0] = below(one, done);
			round_for_mix(out, &r, one->w);
			multiply_packed(few, 1, &rounded);
		}
	}
}

/* ---- many rows of x ---- */

static bool floats_as_they_are(const struct mat *w)
{
	return w->type == MAT_F32 && (uintptr_t)w->data % sizeof(float) == 0;
}

/* W as float in the workspace, some rows at a time. */
static void float_gemm(const struct product *p, const struct rows *r)
{
	const struct mat *w = p->w;
	float *to = (float *)device_now()->work;
	size_t step = rows_in(BEFORE_ROOM, w->cols * sizeof *to);

	if (floats_as_they_are(w)) {
		blas_float(false, true, r->m, w->rows, w->cols, 1, r->x, r->ldx,
			(const float *)w->data, w->cols, 0, p->y, p->ldy);
		return;
	}
	for (size_t first = 0; first < w->rows; first += step) {
		size_t n = least(step, w->rows - first);

		cuda_dequant(to, w, first, n);
		blas_float(false, true, r->m, n, w->cols, 1, r->x, r->ldx, to, w->cols, 0,
			p->y + first, p->ldy);
	}
}

/* x as one or two bfloat16, in ROOM. */
struct halves {
	uint16_t *hi, *lo;
	size_t m;
};

/* A product of bfloat16, or three, with n rows of W. */
static void multiply_halves(float *y, size_t ldy, const struct halves *x, const uint16_t *hi,
	const uint16_t *lo, size_t n, size_t cols)
{
	float beta = 0;

	if (lo) { /* what is small first */
		blas_bf16(false, true, x->m, n, cols, 1, x->lo, cols, hi, cols, 0, y, ldy);
		blas_bf16(false, true, x->m, n, cols, 1, x->hi, cols, lo, cols, 1, y, ldy);
		beta = 1;
	}
	blas_bf16(false, true, x->m, n, cols, 1, x->hi, cols, hi, cols, beta, y, ldy);
}

static void bf16_gemm(const struct product *p, const struct halves *x)
{
	const struct mat *w = p->w;
	uint16_t *hi = (uint16_t *)device_now()->work;
	size_t step = rows_in(BEFORE_ROOM / (x->lo ? 2 : 1), w->cols * sizeof *hi);

	if (w->type == MAT_BF16 && !x->lo && (uintptr_t)w->data % 2 == 0) {
		multiply_halves(p->y, p->ldy, x, (const uint16_t *)w->data, NULL, w->rows, w->cols);
		return;
	}
	for (size_t first = 0; first < w->rows; first += step) {
		size_t n = least(step, w->rows - first);
		uint16_t *lo = x->lo ? hi + step * w->cols : NULL;

		cuda_dequant_bf16(hi, lo, w, first, n);
		multiply_halves(p->y + first, p->ldy, x, hi, lo, n, w->cols);
	}
}

static bool by_own_gemm(const struct mat *w, size_t m)
{
	return !dense(w) && m <= PACKED_ROWS;
}

/* Those that go through cuBLAS in bfloat16: dense ones, with many rows or in three products all. */
static void bf16_products(const struct product *p, size_t n, const struct rows *r, bool three)
{
	size_t step = rows_in(ROOM / (three ? 2 : 1), r->cols * sizeof(uint16_t));
	bool rounded = false;

	for (size_t done = 0; done < r->m; done += step, rounded = false) {
		struct halves x = { (uint16_t *)room(), NULL, least(step, r->m - done) };

		x.lo = three ? x.hi + step * r->cols : NULL;
		for (size_t i = 0; i < n; i++) {
			const struct product at = below(&p[i], done);

			if (!p[i].w->rows || (!three && by_own_gemm(p[i].w, r->m)))
				continue;
			if (!rounded)
				cuda_round_bf16(
					x.hi, x.lo, r->x + done * r->ldx, r->ldx, x.m, r->cols);
			rounded = true;
			bf16_gemm(&at, &x);
		}
	}
}

/* ---- all of them ---- */

/* Sums of no values. */
static void clear(const struct product *p, size_t n, size_t m)
{
	for (size_t i = 0; i < n; i++)
		cuda_gemm(false, true, m, p[i].w->rows, 0, 1, NULL, 1, NULL, 1, 0, p[i].y, p[i].ldy,
			MATH_F32);
}

static void few_rows(const struct product *p, size_t n, const struct rows *r, enum math math)
{
	struct product few[FEW];
	const struct product *one;
	size_t k = 0;

	for (size_t i = 0; (one = only(p, n, true, &i)) != NULL;)
		cuda_dense_gemv(one, r->x, r->ldx, r->m);
	for (size_t i = 0; (one = only(p, n, false, &i)) != NULL;) {
		few[k++] = *one;
		if (k == FEW)
			cuda_gemv(few, k, r->x, r->ldx, r->m,
				math == MATH_F32 || math == MATH_BF16X3);
		k %= FEW;
	}
	if (k)
		cuda_gemv(few, k, r->x, r->ldx, r->m, math == MATH_F32 || math == MATH_BF16X3);
}

static void many_rows(const struct product *p, size_t n, const struct rows *r, enum math math)
{
	const struct product *one;

	if (math == MATH_BF16 || math == MATH_BF16X3)
		bf16_products(p, n, r, math == MATH_BF16X3);
	if (math == MATH_BF16X3)
		return;
	for (size_t i = 0; (one = only(p, n, false, &i)) != NULL;) {
		if (math != MATH_BF16)
			float_gemm(one, r);
		else if (by_own_gemm(one->w, r->m))
			cuda_packed_gemm(one, r->x, r->ldx, r->m);
	}
	for (size_t i = 0; math != MATH_BF16 && (one = only(p, n, true, &i)) != NULL;)
		float_gemm(one, r);
}

/* MATH_INT8 of packed W alone: what is dense is MATH_F32. */
static void int8_all(const struct product *p, size_t n, const struct rows *r)
{
	const struct product *one;
	size_t i = 0;

	if (only(p, n, false, &i))
		int8_products(p, n, r);
	for (i = 0; (one = only(p, n, true, &i)) != NULL;) {
		if (r->m <= GEMV_ROWS)
			cuda_dense_gemv(one, r->x, r->ldx, r->m);
		else
			float_gemm(one, r);
	}
}

void cuda_products(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	const struct rows r = { x, ldx, m, n ? p->w->cols : 0 };

	if (!n || !m || !device_well())
		return;
	/* rounding to int8 costs a launch and saves nothing here */
	if (math == MATH_FAST)
		math = MATH_BF16;
	if (!r.cols)
		clear(p, n, m);
	else if (math == MATH_INT8)
		int8_all(p, n, &r);
	else if (m <= GEMV_ROWS)
		few_rows(p, n, &r, math);
	else
		many_rows(p, n, &r, math);
}
