/* cpu: products backward, and the gradient of an embedding. */
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/cut.h"
#include "kernels/pool.h"

enum {
	ROOM = 1 << 20, /* floats of a mix's gradient, before they go where they belong */
	STRIP = 96      /* values of each row in a part of embed_back */
};

static float of_part[ROOM];

static void one_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	if (!cpu_bf16_back(dx, ldx, add, dy, ldy, m, w, math))
		cpu_gemm_back(dx, ldx, add, dy, ldy, m, w);
}

/* One of the two matrices of a mix; its column c is order[c] of dx. */
static void part_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, const uint16_t *order, enum math math)
{
	size_t step = w->cols ? ROOM / w->cols : 0; /* a mix has at most 65,536 inputs */

	for (size_t t = 0; step && t < m; t += step) {
		size_t n = least(step, m - t);

		one_back(of_part, w->cols, false, dy + t * ldy, ldy, n, w, math);
		for (size_t i = 0; i < n; i++)
			for (size_t c = 0; c < w->cols; c++) {
				float *to = &dx[(t + i) * ldx + order[c]];

				*to = of_part[i * w->cols + c] + (add ? *to : 0);
			}
	}
}

void cpu_products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	struct mat part;

	if (math == MATH_FAST)
		math = cpu_leaf()->bf16_beats_int8 ? MATH_BF16 : MATH_F32;
	if (w->type != MAT_MIX) {
		one_back(dx, ldx, add, dy, ldy, m, w, math);
		return;
	}
	part = mat_part(w, true);
	part_back(dx, ldx, add, dy, ldy, m, &part, w->order, math);
	part = mat_part(w, false);
	part_back(dx, ldx, add, dy, ldy, m, &part, w->order + w->high, math);
}

struct embed {
	float *dw;
	const float *dy;
	const int32_t *ids;
	size_t m, cols;
};

/* The same columns of all rows: a row of dw that comes twice grows in order. */
static void embed_part(void *arg, size_t part)
{
	const struct embed *e = arg;
	size_t c = part * STRIP, n = least(STRIP, e->cols - c);

	for (size_t i = 0; i < e->m; i++)
		cpu_leaf()->v.add(
			e->dw + (size_t)e->ids[i] * e->cols + c, e->dy + i * e->cols + c, n);
}

void cpu_embed_back(float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols)
{
	struct embed e = { dw, dy, ids, m, cols };

	pool_run(embed_part, &e, pieces(cols, STRIP));
}
