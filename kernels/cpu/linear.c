/* cpu: products with a weight matrix, and its rows as float. */
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/cut.h"
#include "kernels/mix.h"
#include "kernels/pool.h"
#include "kernels/ref/ref.h"

enum {
	PART_WEIGHTS = 96 * 1024, /* read by a part of a product with few rows: some 5 us */
	FAST_BF16 = 24,           /* rows of x that tiles take sooner than int8 does */
	SCRATCH_FLOATS = POOL_SCRATCH / sizeof(float)
};

struct linear {
	float *y;
	const float *x;
	size_t ldy, ldx, m;
	const struct mat *w;
	size_t step; /* rows of W in a part */
};

static void few_part(void *arg, size_t part)
{
	const struct linear *l = arg;
	const struct leaf_matmul *mm = &cpu_leaf()->mm;
	size_t first = part * l->step, n = least(l->step, l->w->rows - first);
	float *sums = pool_scratch();

	if (l->w->type != MAT_INT) {
		mm->dots(l->y + first, l->ldy, l->x, l->ldx, l->m, l->w, first, n);
		return;
	}
	mm->group_sums(sums, l->x, l->ldx, l->m, l->w);
	mm->few(l->y + first, l->ldy, l->x, l->ldx, l->m, l->w, first, n, sums);
}

static void linear_few(struct linear *l)
{
	l->step = pieces(PART_WEIGHTS, l->w->cols * MAT_TILE) * MAT_TILE;
	pool_run(few_part, l, pieces(l->w->rows, l->step));
}

static void in_float(
	float *y, size_t ldy, const float *x, size_t ldx, size_t m, const struct mat *w)
{
	struct linear l = { .y = y, .x = x, .ldy = ldy, .ldx = ldx, .m = m, .w = w };
	size_t few = 2 * LEAF_FEW;

	if (!m || !w->rows || !w->cols || (m == 1 && cpu_pairs(y, x, w)))
		return;
	if (w->type == MAT_INT && m * mat_groups(w->cols, w->group) > SCRATCH_FLOATS)
		few = 0;
	if (m <= few)
		linear_few(&l);
	else
		cpu_gemm_linear(y, ldy, x, ldx, m, w);
}

void cpu_products(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	if (math == MATH_FAST)
		math = cpu_leaf()->bf16_beats_int8 && m >= FAST_BF16 ? MATH_BF16 : MATH_INT8;
	if ((math == MATH_BF16 || math == MATH_BF16X3) && cpu_bf16(p, n, x, ldx, m, math))
		return;
	for (size_t i = 0, took; i < n; i += took) {
		took = 1;
		if (p[i].w->type == MAT_MIX)
			mix_product(cpu_products, &p[i], x, ldx, m, math);
		else if (math == MATH_INT8 && p[i].w->type == MAT_INT)
			took = cpu_int8(p + i, n - i, x, ldx, m);
		else
			in_float(p[i].y, p[i].ldy, x, ldx, m, p[i].w);
	}
}

struct rows {
	float *out;
	const struct mat *w;
	const int32_t *ids;
	size_t first, n, step;
};

static void rows_part(void *arg, size_t part)
{
	const struct rows *r = arg;
	size_t at = part * r->step, n = least(r->step, r->n - at);

	if (r->w->type == MAT_MIX)
		ref_dequant(r->out + at * r->w->cols, r->w, r->first + at, n);
	else
		cpu_leaf()->mm.rows(r->out + at * r->w->cols, r->w, r->first + at, n);
}

void cpu_dequant(float *out, const struct mat *w, size_t first, size_t n)
{
	struct rows r = { .out = out, .w = w, .first = first, .n = n };

	if (!w->cols)
		return;
	r.step = pieces(PART_WEIGHTS / 4, w->cols * MAT_TILE) * MAT_TILE;
	pool_run(rows_part, &r, pieces(n, r.step));
}

static void embed_part(void *arg, size_t part)
{
	const struct rows *r = arg;
	size_t cols = r->w->cols;

	for (size_t i = part * r->step; i < least(r->n, (part + 1) * r->step); i++) {
		/* a packed row alone is quicker by itself than by its tile of sixteen */
		if (r->w->type == MAT_INT || r->w->type == MAT_MIX)
			mat_row_f32(r->w, (size_t)r->ids[i], r->out + i * cols);
		else
			cpu_leaf()->mm.rows(r->out + i * cols, r->w, (size_t)r->ids[i], 1);
	}
}

void cpu_embed(float *y, const struct mat *w, const int32_t *ids, size_t m)
{
	struct rows r = { .out = y, .w = w, .ids = ids, .n = m };

	if (!w->cols)
		return;
	r.step = pieces(8192, w->cols);
	pool_run(embed_part, &r, pieces(m, r.step));
}
