/* test_kernels_bf16x3.c - three products of bfloat16 for one of float, by every path of this
 * machine: the numbers of ref, and near enough to the exact ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/f16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/pool.h"
#include "tests/lib_kernels.h"

/* sum of |x| |w| in double, and of x w: the exact product */
static void exact(double *y, double *mag, const float *x, size_t ldx, size_t m, const struct mat *w)
{
	float *row = malloc(w->cols * sizeof *row);

	for (size_t r = 0; r < w->rows; r++) {
		mat_row_f32(w, r, row);
		for (size_t i = 0; i < m; i++) {
			double *to = &y[i * w->rows + r], *size = &mag[i * w->rows + r];

			*to = *size = 0;
			for (size_t c = 0; c < w->cols; c++) {
				double p = (double)row[c] * (double)x[i * ldx + c];

				*to += p;
				*size += fabs(p);
			}
		}
	}
	free(row);
}

struct checked {
	float *x, *want, *got;
	double *mag, *packed, *y;
	size_t ldx, ldy;
};

static void check_one(const struct backend *b, const char *name, const struct mat *w, size_t m,
	const struct checked *c)
{
	/* 3 * cols sums of numbers that are the same everywhere; a float that is not split may
	 * sum codes and offsets apart */
	double sums = ldexp(3 * (double)w->cols + 2, -24);
	float *y = guarded(((m - 1) * c->ldy + w->rows) * sizeof *y);

	product(b, y, c->ldy, c->x, c->ldx, m, w, MATH_BF16X3);
	for (size_t k = 0; k < m; k++) {
		memcpy(c->got + k * w->rows, y + k * c->ldy, w->rows * sizeof *y);
		if (k + 1 < m)
			cr_assert(untouched(y + k * c->ldy + w->rows, c->ldy - w->rows),
				"%s writes beyond the row", name);
	}
	for (size_t i = 0; i < m * w->rows; i++) {
		double got = (double)c->got[i], size = c->mag[i];
		double far = fabs(got - c->y[i]), off = fabs(got - (double)c->want[i]);

		if (!rounds(b, m, MATH_BF16X3)) {
			cr_assert(far <= c->packed[i] * fmax(sums, 1e-5), "%s: %g", name, far);
			continue;
		}
		cr_assert(off <= 1.02 * sums * size + 1e-37,
			"%s: %zu x %zu, type %d, %d bits, group %zu, %zu rows, value %zu: %g from "
			"ref of %g",
			name, w->rows, w->cols, (int)w->type, w->bits, w->group, m, i, off, size);
		cr_assert(far <= (0x1p-15 + 1.02 * sums) * size + 1e-37,
			"%s: %zu x %zu, type %d, %d bits: %g from %g of %g", name, w->rows, w->cols,
			(int)w->type, w->bits, far, c->y[i], size);
	}
}

/* One matrix in every way. */
static void check(const struct mat *w, struct rng *r, const size_t *ms, size_t n)
{
	size_t most = ms[n - 1], all = most * w->rows;
	struct checked c = { .ldx = w->cols + 3, .ldy = w->rows + 5 };
	const struct backend *b;
	const char *name;

	c.x = guarded_floats(r, (most - 1) * c.ldx + w->cols, 1);
	c.want = malloc(all * sizeof *c.want);
	c.got = malloc(all * sizeof *c.got);
	c.y = malloc(all * sizeof *c.y);
	c.mag = malloc(all * sizeof *c.mag);
	c.packed = malloc(all * sizeof *c.packed);
	product(backend_find("ref"), c.want, w->rows, c.x, c.ldx, most, w, MATH_BF16X3);
	exact(c.y, c.mag, c.x, c.ldx, most, w);
	magnitudes(c.packed, c.x, c.ldx, most, w);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (size_t t = 0; t < n; t++)
			check_one(b, name, w, ms[t], &c);
	free(c.want);
	free(c.got);
	free(c.y);
	free(c.mag);
	free(c.packed);
	guarded_free_all();
}

/* ---- ref ---- */

Test(kernels_bf16x3, ref_leaves_out_the_product_of_what_rounding_left)
{
	/* 1 + 2^-9 is 1 and 2^-9; 2^-17 beside them is lost; 1.5 is a bfloat16 */
	const float w[3] = { 1 + 0x1p-9f, 1.5f, 1 + 0x1p-9f + 0x1p-19f };
	const double as[3] = { 1 + 0x1p-8, 1.5 + 0x1.8p-9, 1 + 0x1p-8 };
	struct mat mat = { .type = MAT_F32, .rows = 3, .cols = 1, .data = w };
	float y[3], x = 1 + 0x1p-9f;

	product(backend_find("ref"), y, 3, &x, 1, 1, &mat, MATH_BF16X3);
	for (int i = 0; i < 3; i++)
		cr_expect_eq((double)y[i], as[i], "%d: %a", i, (double)y[i]);
}

Test(kernels_bf16x3, ref_is_within_the_bound_and_the_bound_is_nearly_met)
{
	enum { N = 4096 };
	static float w[N], x[N], y[N];
	double most = 0;
	struct rng r;

	rng_seed(&r, 11);
	for (int i = 0; i < N; i++)
		w[i] = (float)(1 + 0x1p-8 * rng_unit(&r));
	/* products alone, each in the worst of places */
	for (int i = 0; i < N; i++) {
		struct mat one = { .type = MAT_F32, .rows = 1, .cols = 1, .data = &w[i] };
		double p;

		x[i] = (float)(1 + 0x1p-8 * rng_unit(&r));
		p = (double)x[i] * (double)w[i];
		product(backend_find("ref"), &y[i], 1, &x[i], 1, 1, &one, MATH_BF16X3);
		most = fmax(most, fabs((double)y[i] - p) / p);
	}
	cr_expect(most < 0x1p-15 + 0x1p-24, "%g", most);
	cr_expect(most > 0x1p-17, "%g", most);
}

/* ---- every path ---- */

Test(kernels_bf16x3, packed_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 1, 15, 16, 17, 33 };

	each_packed(1, check, ms, COUNT(ms));
}

Test(kernels_bf16x3, dense_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 16, 31, 32, 49 };

	each_dense(2, check, ms, COUNT(ms));
}

Test(kernels_bf16x3, matrices_of_model_size_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 17, 67 };

	each_large(3, check, ms, COUNT(ms));
}

Test(kernels_bf16x3, rows_of_x_that_are_packed_one_after_the_other_meet, .timeout = 120)
{
	/* of 20,000 values some 100 at once */
	static const size_t ms[] = { 95, 260 };
	struct mat w;
	struct rng r;

	rng_seed(&r, 4);
	pool_start(2);
	w = random_mat(&r, MAT_INT, 4, 128, 3, 20011);
	check(&w, &r, ms, COUNT(ms));
	pool_stop();
}

Test(kernels_bf16x3, a_row_is_the_same_bits_beside_any_others, .timeout = 60)
{
	enum { M = 100, ROWS = 65, COLS = 1187 };
	static float all[M * ROWS], few[M * ROWS];
	const struct backend *b;
	const char *name;
	struct rng r;
	struct mat w;
	float *x;

	rng_seed(&r, 12);
	w = random_mat(&r, MAT_INT, 4, 64, ROWS, COLS);
	x = guarded_floats(&r, M * COLS, 1);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		if (!rounds(b, M, MATH_BF16X3))
			continue;
		product(b, all, ROWS, x, COLS, M, &w, MATH_BF16X3);
		for (size_t from = 0, m = 16; from + m <= M; from += 7, m += 3) {
			product(b, few, ROWS, x + from * COLS, COLS, m, &w, MATH_BF16X3);
			cr_expect(!memcmp(few, all + from * ROWS, m * ROWS * sizeof *all),
				"%s: %zu rows from %zu", name, m, from);
		}
	}
	guarded_free_all();
}

Test(kernels_bf16x3, products_that_share_x_are_those_one_by_one, .timeout = 60)
{
	check_shared_x(MATH_BF16X3);
}

Test(kernels_bf16x3, a_mix_is_the_sum_of_its_parts, .timeout = 60)
{
	enum { ROWS = 70, HIGH = 96, COLS = 200, M = 40 };
	const struct backend *ref = backend_find("ref"), *b;
	static float want[ROWS * M], got[ROWS * M];
	static double mag[ROWS * M];
	const char *name;
	struct mat w;
	struct rng r;
	float *x;

	rng_seed(&r, 7);
	pool_start(2);
	w = random_mix(&r, ROWS, COLS, HIGH);
	x = guarded_floats(&r, M * COLS, 1);
	for (size_t k = 0; k < ROWS * M; k++)
		mag[k] = COLS * 0.3; /* |w| <= 0.12, |x| some 1 */
	for (size_t i = 0; (b = way(i, &name)); i++) {
		product(ref, want, ROWS, x, COLS, M, &w,
			rounds(b, M, MATH_BF16X3) ? MATH_BF16X3 : MATH_F32);
		product(b, got, ROWS, x, COLS, M, &w, MATH_BF16X3);
		cr_expect(worst(got, want, mag, ROWS * M) < 1e-6, "%s", name);
	}
	pool_stop();
	guarded_free_all();
}

Test(kernels_bf16x3, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	check_threads(MATH_BF16X3);
}

Test(kernels_bf16x3, what_is_not_finite_stays_in_its_row_and_reaches_all_of_it, .timeout = 60)
{
	enum { M = 35, ROWS = 50, COLS = 70 };
	const struct backend *b = backend_find("ref");
	const char *name = "ref";
	struct rng r;
	struct mat w;
	float *x;

	rng_seed(&r, 9);
	pool_start(2);
	w = random_mat(&r, MAT_F32, 0, 0, ROWS, COLS);
	x = guarded_floats(&r, M * COLS, 1);
	/* in the last column, beside what pads the strip: nothing there may be multiplied with it
	 */
	x[3 * COLS + COLS - 1] = INFINITY;
	x[17 * COLS + 5] = NAN;
	x[34 * COLS + COLS - 1] = -INFINITY;
	x[20 * COLS] = 3.4e38f; /* rounds up to infinity */
	for (size_t i = 0; b; b = way(i++, &name)) {
		float *y = guarded(M * ROWS * sizeof *y);

		product(b, y, ROWS, x, COLS, M, &w, MATH_BF16X3);
		for (size_t t = 0; t < M; t++)
			for (size_t k = 0; k < ROWS; k++) {
				float v = y[t * ROWS + k];

				if (t == 17)
					cr_expect(isnan(v), "%s %zu", name, k);
				else if (t == 3 || t == 34)
					cr_expect(!isfinite(v), "%s %zu %zu", name, t, k);
				else if (t != 20)
					cr_expect(isfinite(v), "%s %zu %zu", name, t, k);
				else if (rounds(b, M, MATH_BF16X3))
					cr_expect(!isfinite(v), "%s %zu: %g", name, k, (double)v);
			}
	}
	pool_stop();
	guarded_free_all();
}
