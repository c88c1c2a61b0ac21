/* test_kernels_int8.c - products with x rounded to int8 (kernels/act8.h): every way this machine
 * can compute them gives ref's bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/pool.h"
#include "tests/lib_kernels.h"

static const size_t groups[] = { 32, 64, 96, 128 };

/* The same bits, or both NaN. */
static bool same(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(a + i, b + i, sizeof *a) && !(isnan(a[i]) && isnan(b[i])))
			return false;
	return true;
}

static void int8(const struct backend *b, float *y, size_t ldy, const float *x, size_t ldx,
	size_t m, const struct mat *w)
{
	const struct product p = { y, ldy, w };

	b->products(&p, 1, x, ldx, m, MATH_INT8);
}

/* x as a layer has it: some columns far larger than the rest in every row. */
static float *uneven(struct rng *r, size_t n, size_t ldx)
{
	float *x = guarded_floats(r, n, 1);

	for (size_t i = 0; i < n; i++)
		if (i % ldx % 97 == 11)
			x[i] *= 30;
	return x;
}

/* Every way and number of rows of x against ref; y's gap stays as it is. */
static void check(const struct mat *w, const float *x, size_t ldx, const size_t *ms, size_t n)
{
	const struct backend *ref = backend_find("ref"), *b;
	size_t ldy = w->rows + 5, most = ms[n - 1];
	float *want = malloc(most * w->rows * sizeof *want);
	const char *name;

	int8(ref, want, w->rows, x, ldx, most, w);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (size_t t = 0; t < n; t++) {
			size_t m = ms[t];
			float *y = guarded(((m - 1) * ldy + w->rows) * sizeof *y);

			int8(b, y, ldy, x, ldx, m, w);
			for (size_t k = 0; k < m; k++)
				cr_assert(same(y + k * ldy, want + k * w->rows, w->rows),
					"%s: %zu x %zu, %d bits, group %zu, row %zu of %zu", name,
					w->rows, w->cols, w->bits, w->group, k, m);
			for (size_t k = 0; k + 1 < m; k++)
				cr_assert(untouched(y + k * ldy + w->rows, ldy - w->rows),
					"%s writes beyond the row", name);
		}
	free(want);
	guarded_free_all();
}

static void check_packed(const struct mat *w, struct rng *r, const size_t *ms, size_t n)
{
	size_t ldx = w->cols + 3, most = ms[n - 1];

	if (w->type == MAT_INT) /* of dense ones nothing is rounded */
		check(w, uneven(r, (most - 1) * ldx + w->cols, ldx), ldx, ms, n);
}

static const size_t tokens[] = { 1, 2, 3, 5, 8, 12, 13, 27, 64 };
enum { TO_2 = 2, TO_12 = 6, TO_13 = 7, TO_27 = 8, TO_64 = 9 };

Test(kernels_int8, awkward_shapes_give_the_bits_of_ref, .timeout = 120)
{
	each_packed(1, check_packed, tokens, TO_27);
}

Test(kernels_int8, matrices_of_model_size_give_the_bits_of_ref, .timeout = 120)
{
	struct rng r;
	struct mat w;

	each_large(2, check_packed, tokens, TO_13);
	rng_seed(&r, 2);
	pool_start(2);
	w = random_mat(&r, MAT_INT, 4, 128, 113, 650);
	check_packed(&w, &r, tokens, TO_64);
	pool_stop();
}

/* Codes and digits at their ends: sums that 16 bits could not hold. */
Test(kernels_int8, the_largest_codes_and_activations_do_not_saturate, .timeout = 60)
{
	enum { ROWS = 16, COLS = 128, M = 12 };
	struct rng r;

	rng_seed(&r, 3);
	for (int bits = 1; bits <= 8; bits++) {
		struct mat w = random_mat(&r, MAT_INT, bits, 64, ROWS, COLS);
		float *x = guarded(M * COLS * sizeof *x);

		memset((void *)(uintptr_t)w.data, 0xff, mat_code_bytes(bits, ROWS, COLS));
		/* all of one sign, and half digits that make the second ones as large; a few
		 * small blocks, so that the others are above the mean */
		for (size_t i = 0; i < M * COLS; i++)
			x[i] = (i % COLS < 32 ? 1e-6f : 1) * (i % 32 ? 126.496f : 127) *
			       (i / COLS % 2 ? -1 : 1);
		check(&w, x, COLS, tokens, M == 12 ? TO_12 : TO_13);
	}
}

Test(kernels_int8, the_error_is_that_of_rounding_and_smaller_where_it_matters, .timeout = 60)
{
	enum { ROWS = 64, COLS = 576, M = 12 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	float want[M * ROWS], got[M * ROWS];
	double mag[M * ROWS];
	struct rng r;

	rng_seed(&r, 4);
	for (int bits = 2; bits <= 8; bits++) {
		struct mat w = random_mat(&r, MAT_INT, bits, 128, ROWS, COLS);
		float *x = uneven(&r, M * COLS, COLS);
		double e = 0, size = 0;

		backend_linear(ref, want, ROWS, x, COLS, M, &w);
		magnitudes(mag, x, COLS, M, &w);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			int8(b, got, ROWS, x, COLS, M, &w);
			e = size = 0;
			for (size_t k = 0; k < M * ROWS; k++) {
				e += pow((double)got[k] - (double)want[k], 2);
				size += pow((double)want[k], 2);
			}
			e = sqrt(e / size);
			cr_expect(e > 1e-6 && e < 5e-3, "%s, %d bits: %g", name, bits, e);
			cr_expect(
				worst(got, want, mag, M * ROWS) < 2e-3, "%s, %d bits", name, bits);
		}
		fprintf(stderr, "int8 activations, %d bits: relative error %.2e\n", bits, e);
		guarded_free_all();
	}
}

/* A block alone in its row has one digit: known results. */
Test(kernels_int8, digits_are_rounded_as_written, .timeout = 60)
{
	uint8_t codes[32];
	uint32_t words[8 * 16];
	uint16_t one[16] = { 0 }, zero[16] = { 0 };
	struct mat w = { .type = MAT_INT,
		.bits = 8,
		.group = 32,
		.rows = 1,
		.cols = 32,
		.data = words,
		.scale = one,
		.offset = zero };
	const struct backend *ref = backend_find("ref"), *b;
	float x[32] = { 0 }, y;
	const char *name;

	one[0] = 0x3c00;
	for (int i = 0; i < 32; i++)
		codes[i] = (uint8_t)(i == 1 ? 200 : 0);
	mat_pack(words, 8, 1, 32, codes);
	x[0] = -127;
	x[1] = 2.5f; /* to even */
	int8(ref, &y, 1, x, 32, 1, &w);
	cr_assert_float_eq(y, 400, 0);
	x[1] = 3.5f;
	for (size_t i = 0; (b = way(i, &name)); i++) {
		int8(b, &y, 1, x, 32, 1, &w);
		cr_assert_float_eq(y, 800, 0, "%s: %g", name, (double)y);
	}
}

Test(kernels_int8, values_that_are_no_number_spoil_their_row_and_no_other, .timeout = 60)
{
	enum { ROWS = 40, COLS = 200, M = 13 };
	static const float bad[] = { NAN, INFINITY, -INFINITY };
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 5);
	for (size_t k = 0; k < COUNT(bad); k++) {
		struct mat w = random_mat(&r, MAT_INT, 4, 64, ROWS, COLS);
		float *x = uneven(&r, M * COLS, COLS), y[M * ROWS];

		x[3 * COLS + 77] = bad[k];
		for (size_t i = 0; (b = way(i, &name)); i++) {
			int8(b, y, ROWS, x, COLS, M, &w);
			for (size_t j = 0; j < M * ROWS; j++)
				cr_assert(isnan(y[j]) == (j / ROWS == 3), "%s", name);
		}
		check(&w, x, COLS, tokens, M == 12 ? TO_12 : TO_13);
	}
}

Test(kernels_int8, zeros_and_the_smallest_and_largest_floats_are_rounded_too, .timeout = 60)
{
	enum { ROWS = 40, COLS = 200, M = 12 };
	static const float size[] = { 0, -0.0f, 1e-45f, 1e-38f, 0x1p-100f, 0x1p-99f, 1e30f, 3e38f };
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 6);
	for (size_t k = 0; k < COUNT(size); k++) {
		struct mat w = random_mat(&r, MAT_INT, 3, 128, ROWS, COLS);
		float *x = guarded_floats(&r, M * COLS, 0.1), y[M * ROWS];

		for (size_t i = 0; i < M * COLS; i++)
			x[i] = i / COLS % 2 && i % COLS > 64 ? x[i] : x[i] * size[k];
		for (size_t i = 0; i < COLS; i++)
			x[i] = size[k];
		for (size_t i = 0; k < 4 && (b = way(i, &name)); i++) {
			int8(b, y, ROWS, x, COLS, M, &w);
			for (size_t j = 0; j < ROWS; j++)
				cr_assert(y[j] == 0, "%s %g", name, (double)size[k]);
		}
		check(&w, x, COLS, tokens, M == 12 ? TO_12 : TO_13);
	}
}

/* Sets of more matrices than go together, of all types, and no rows at all. */
Test(kernels_int8, a_set_of_products_is_each_of_them, .timeout = 60)
{
	enum { N = 8, COLS = 320, M = 200 };
	static const size_t rows[N] = { 64, 17, 80, 33, 16, 48, 100, 5 };
	static const int bits[N] = { 4, 2, 4, 0, 3, 8, 4, 5 };
	const struct backend *ref = backend_find("ref"), *b;
	struct product p[N], q[N];
	struct mat w[N];
	const char *name;
	struct rng r;
	float *x;

	rng_seed(&r, 7);
	pool_start(2);
	x = uneven(&r, M * COLS, COLS);
	for (size_t i = 0; i < N; i++) {
		w[i] = random_mat(
			&r, bits[i] ? MAT_INT : MAT_F16, bits[i], groups[i % 4], rows[i], COLS);
		p[i] = (struct product){ guarded(M * rows[i] * sizeof(float)), rows[i], &w[i] };
		q[i] = (struct product){ guarded(M * rows[i] * sizeof(float)), rows[i], &w[i] };
	}
	ref->products(p, N, x, COLS, M, MATH_INT8);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		b->products(q, N, x, COLS, M, MATH_INT8);
		for (size_t k = 0; k < N; k++)
			cr_expect(bits[k] ? same(p[k].y, q[k].y, M * rows[k])
					  : fabsf(p[k].y[7] - q[k].y[7]) < 1e-4f,
				"%s, matrix %zu", name, k);
		memset(q[0].y, 0x55, rows[0] * sizeof(float));
		b->products(q, N, x, COLS, 0, MATH_INT8);
		cr_expect_eq(((unsigned char *)q[0].y)[0], 0x55, "%s writes without rows", name);
	}
	pool_stop();
	guarded_free_all();
}

Test(kernels_int8, rows_that_do_not_fit_the_room_at_once_take_turns, .timeout = 180)
{
	static const size_t few[] = { 1, 5, 13 };
	struct rng r;
	struct mat w;

	rng_seed(&r, 8);
	pool_start(2);
	w = random_mat(&r, MAT_INT, 2, 64, 3, 300000); /* some rows at a time */
	check_packed(&w, &r, few, COUNT(few));
	w = random_mat(&r, MAT_INT, 2, 64, 1, 3600000); /* not one: 2.4 bytes a value */
	check_packed(&w, &r, tokens + 1, 1);
	pool_stop();
}

Test(kernels_int8, a_mix_is_the_sum_of_its_parts, .timeout = 60)
{
	enum { ROWS = 33, HIGH = 96, COLS = 256, M = 13 };
	const struct backend *ref = backend_find("ref"), *b;
	float want[M * ROWS], got[M * ROWS], *x;
	const char *name;
	struct mat w;
	struct rng r;

	rng_seed(&r, 9);
	w = random_mix(&r, ROWS, COLS, HIGH);
	x = uneven(&r, M * COLS, COLS);
	int8(ref, want, ROWS, x, COLS, M, &w);
	backend_linear(ref, got, ROWS, x, COLS, M, &w);
	cr_assert(memcmp(want, got, sizeof got));
	for (size_t i = 0; (b = way(i, &name)); i++) {
		int8(b, got, ROWS, x, COLS, M, &w);
		cr_expect(same(got, want, M * ROWS), "%s", name);
	}
	guarded_free_all();
}

Test(kernels_int8, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	check_threads(MATH_INT8);
}

Test(kernels_int8, the_fast_way_is_this_one_for_one_row_and_rounds_no_more_for_many, .timeout = 60)
{
	enum { ROWS = 96, COLS = 256, M = 48 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;
	struct mat w;
	float *x, *exact, *rounded;

	rng_seed(&r, 12);
	w = random_mat(&r, MAT_INT, 4, 64, ROWS, COLS);
	x = uneven(&r, M * COLS, COLS);
	exact = guarded(M * ROWS * sizeof *exact);
	rounded = guarded(M * ROWS * sizeof *rounded);
	backend_linear(ref, exact, ROWS, x, COLS, M, &w);
	int8(ref, rounded, ROWS, x, COLS, M, &w);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *y = guarded(M * ROWS * sizeof *y);
		const struct product p = { y, ROWS, &w };
		double diff = 0, norm = 0;

		b->products(&p, 1, x, COLS, 1, MATH_FAST);
		cr_expect(same(y, rounded, ROWS), "%s", name);
		b->products(&p, 1, x, COLS, M, MATH_FAST);
		for (size_t k = 0; k < M * ROWS; k++) {
			diff += pow((double)y[k] - (double)exact[k], 2);
			norm += pow((double)exact[k], 2);
		}
		cr_expect_lt(sqrt(diff / norm), 5e-3, "%s", name);
	}
	guarded_free_all();
}
