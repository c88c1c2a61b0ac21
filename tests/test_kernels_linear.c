/* test_kernels_linear.c - products with a matrix, in every way this machine can compute
 * them, against ref. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"

enum { M = 64 };
static const size_t tokens[] = { 1, 2, 3, 5, 8, 9, 12, 13, 64 };

/* One matrix in every way, for every number of rows of x up to `most`. */
static void check(const struct mat *w, struct rng *r, size_t most)
{
	const struct backend *ref = backend_find("ref"), *b;
	size_t ldx = w->cols + 3, ldy = w->rows + 5;
	float *x = guarded_floats(r, (most - 1) * ldx + w->cols, 1);
	float *want = malloc(most * w->rows * sizeof *want),
	      *got = malloc(most * w->rows * sizeof *got);
	double *mag = malloc(most * w->rows * sizeof *mag);
	const char *name;

	backend_linear(ref, want, w->rows, x, ldx, most, w);
	magnitudes(mag, x, ldx, most, w);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (size_t t = 0; t < sizeof tokens / sizeof *tokens && tokens[t] <= most; t++) {
			size_t m = tokens[t];
			float *y = guarded(((m - 1) * ldy + w->rows) * sizeof *y), gap;
			double e;

			backend_linear(b, y, ldy, x, ldx, m, w);
			for (size_t k = 0; k < m; k++)
				memcpy(got + k * w->rows, y + k * ldy, w->rows * sizeof *y);
			e = worst(got, want, mag, m * w->rows);
			cr_assert(e < 1e-5,
				"%s: %zu x %zu, type %d, %d bits, group %zu, %zu rows: error %g",
				name, w->rows, w->cols, (int)w->type, w->bits, w->group, m, e);
			memset(&gap, 0xff, sizeof gap);
			for (size_t k = 0; k + 1 < m; k++)
				cr_assert(!memcmp(&gap, y + k * ldy + w->rows, sizeof gap),
					"%s writes beyond the row", name);
		}
	free(want);
	free(got);
	free(mag);
	guarded_free_all();
}

static const size_t rows[] = { 1, 15, 16, 17, 64, 65 }, cols[] = { 1, 31, 32, 33, 63, 64, 65 };
static const size_t groups[] = { 32, 64, 128 };
#define COUNT(a) (sizeof(a) / sizeof *(a))

Test(kernels_linear, packed_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	struct rng r;

	rng_seed(&r, 1);
	pool_start(2);
	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = 0; i < COUNT(rows); i++)
			for (size_t j = 0; j < COUNT(cols); j++) {
				struct mat w = random_mat(
					&r, MAT_INT, bits, groups[(i + j) % 3], rows[i], cols[j]);

				check(&w, &r, j % 3 ? 13 : M);
			}
	pool_stop();
}

Test(kernels_linear, packed_matrices_of_model_size_agree_with_ref, .timeout = 120)
{
	static const size_t shapes[][2] = { { 576, 576 }, { 65, 1536 }, { 577, 95 }, { 17, 2000 } };
	struct rng r;

	rng_seed(&r, 2);
	pool_start(2);
	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = 0; i < COUNT(shapes); i++) {
			struct mat w = random_mat(&r, MAT_INT, bits, groups[((size_t)bits + i) % 3],
				shapes[i][0], shapes[i][1]);

			check(&w, &r, 13);
		}
	pool_stop();
}

Test(kernels_linear, dense_matrices_agree_with_ref, .timeout = 120)
{
	static const size_t big[][2] = { { 576, 576 }, { 33, 1537 }, { 100, 129 } };
	static const enum mat_type types[] = { MAT_F32, MAT_F16, MAT_BF16 };
	struct rng r;

	rng_seed(&r, 3);
	pool_start(2);
	for (size_t t = 0; t < 3; t++) {
		for (size_t i = 0; i < COUNT(rows); i++)
			for (size_t j = 0; j < COUNT(cols); j++) {
				struct mat w = random_mat(&r, types[t], 0, 0, rows[i], cols[j]);

				check(&w, &r, j % 3 ? 13 : M);
			}
		for (size_t i = 0; i < COUNT(big); i++) {
			struct mat w = random_mat(&r, types[t], 0, 0, big[i][0], big[i][1]);

			check(&w, &r, 13);
		}
	}
	pool_stop();
}

Test(kernels_linear, many_rows_of_x_are_cut_into_parts_that_meet, .timeout = 120)
{
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;
	struct mat w;
	size_t m = 801;
	float *x, *want;
	double *mag;

	rng_seed(&r, 4);
	w = random_mat(&r, MAT_INT, 4, 128, 112, 650);
	x = guarded_floats(&r, m * w.cols, 1);
	want = malloc(m * w.rows * sizeof *want);
	mag = malloc(m * w.rows * sizeof *mag);
	backend_linear(ref, want, w.rows, x, w.cols, m, &w);
	magnitudes(mag, x, w.cols, m, &w);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *y = guarded(m * w.rows * sizeof *y);

		backend_linear(b, y, w.rows, x, w.cols, m, &w);
		cr_expect(worst(y, want, mag, m * w.rows) < 1e-5, "%s", name);
	}
	free(want);
	free(mag);
	guarded_free_all();
}

Test(kernels_linear, values_of_a_file_may_begin_at_any_byte, .timeout = 60)
{
	static const enum mat_type types[] = { MAT_F32, MAT_F16, MAT_BF16 };
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 5);
	for (size_t t = 0; t < 3; t++) {
		struct mat w = random_mat(&r, types[t], 0, 0, 40, 37), odd = w;
		size_t bytes = w.rows * w.cols * (t ? 2 : 4);
		float *x = guarded_floats(&r, 13 * w.cols, 1);
		char *moved = guarded(bytes + 1);

		/* the end of the copy is one byte before the guard page, its start is odd */
		memcpy(moved, w.data, bytes);
		odd.data = moved;
		cr_assert((uintptr_t)moved % 2 == 1);
		for (size_t i = 0; (b = way(i, &name)); i++)
			for (size_t m = 1; m <= 13; m += 12) {
				float *y = guarded(m * 40 * sizeof *y),
				      *z = guarded(m * 40 * sizeof *z);
				float *d = guarded(bytes * 4), *e = guarded(bytes * 4);

				backend_linear(b, y, 40, x, w.cols, m, &w);
				backend_linear(b, z, 40, x, w.cols, m, &odd);
				cr_expect(
					!memcmp(y, z, m * 40 * sizeof *y), "%s type %zu", name, t);
				b->dequant(d, &w, 0, 40);
				b->dequant(e, &odd, 0, 40);
				cr_expect(!memcmp(d, e, 40 * w.cols * sizeof *d), "%s type %zu",
					name, t);
			}
		guarded_free_all();
	}
}

Test(kernels_linear, rows_as_float_are_the_same_bits_everywhere, .timeout = 60)
{
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 6);
	pool_start(2);
	for (int kind = 0; kind < 11; kind++)
		for (size_t j = 0; j < COUNT(cols); j++) {
			size_t n = 50, c = cols[j] * (j % 2 ? 1 : 9);
			struct mat w = random_mat(&r, kind < 3 ? (enum mat_type)kind : MAT_INT,
				kind - 2, groups[j % 3], n, c);
			float *want = malloc(n * c * sizeof *want);
			int32_t ids[5] = { 49, 0, 17, 17, 31 };

			ref->dequant(want, &w, 0, n);
			for (size_t i = 0; (b = way(i, &name)); i++) {
				float *all = guarded(n * c * sizeof *all),
				      *some = guarded(21 * c * sizeof *some);
				float *five = guarded(5 * c * sizeof *five);

				b->dequant(all, &w, 0, n);
				b->dequant(some, &w, 13, 21);
				b->embed(five, &w, ids, 5);
				cr_expect(!memcmp(all, want, n * c * sizeof *all), "%s %d", name,
					kind);
				cr_expect(!memcmp(some, want + 13 * c, 21 * c * sizeof *some),
					"%s %d", name, kind);
				for (size_t k = 0; k < 5; k++)
					cr_expect(!memcmp(five + k * c, want + (size_t)ids[k] * c,
							  c * sizeof *five),
						"%s %d", name, kind);
			}
			free(want);
			guarded_free_all();
		}
	pool_stop();
}

Test(kernels_linear, general_products_agree_with_ref, .timeout = 60)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 5, 7, 3 }, { 193, 65, 17 },
		{ 200, 390, 33 } };
	static const float alphas[] = { 1, -0.5f }, betas[] = { 0, 1, 0.25f };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 7);
	pool_start(2);
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (int t = 0; t < 4; t++) {
			size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
			bool ta = t & 1, tb = t & 2;
			size_t lda = (ta ? m : k) + 1, ldb = (tb ? k : n) + 2, ldc = n + 3;
			float *a = guarded_floats(&r, ((ta ? k : m) - 1) * lda + lda - 1, 1);
			float *bb = guarded_floats(&r, ((tb ? n : k) - 1) * ldb + ldb - 2, 1);
			size_t size = (m - 1) * ldc + n;
			float *c = guarded_floats(&r, size, 1);
			float alpha = alphas[t % 2], beta = betas[(t + (int)s) % 3];
			float *want = malloc(size * sizeof *want);

			if (beta == 0)
				memset(c, 0xff, size * sizeof *c);
			memcpy(want, c, size * sizeof *c);
			ref->gemm(ta, tb, m, n, k, alpha, a, lda, bb, ldb, beta, want, ldc);
			for (size_t i = 0; (b = way(i, &name)); i++) {
				float *got = guarded(size * sizeof *got);

				memcpy(got, c, size * sizeof *c);
				b->gemm(ta, tb, m, n, k, alpha, a, lda, bb, ldb, beta, got, ldc);
				for (size_t y = 0; y < m; y++)
					for (size_t x = 0; x < n; x++) {
						double d = (double)got[y * ldc + x] -
							   (double)want[y * ldc + x];

						cr_assert(d < 1e-4 && d > -1e-4, "%s %zu %d: %g",
							name, s, t, d);
					}
			}
			free(want);
			guarded_free_all();
		}
	pool_stop();
}

/* Every kind of product, whole results as bytes. */
static void all_products(
	const struct backend *b, const struct mat *w, size_t n, const float *x, float *y)
{
	for (size_t i = 0; i < n; i++)
		for (size_t m = 1; m <= 40; m += 13, y += 40 * w[i].rows)
			backend_linear(b, y, w[i].rows, x, w[i].cols, m, &w[i]);
	b->gemm(true, false, 300, 300, 40, 1, x, 300, x, 300, 0, y, 300);
}

Test(kernels_linear, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	enum { SIZE = 5 * 4 * 40 * 577 + 300 * 300 };
	float *one = calloc(SIZE, sizeof *one), *more = calloc(SIZE, sizeof *more), *x;
	const struct backend *b;
	const char *name;
	struct mat w[5];
	struct rng r;

	rng_seed(&r, 8);
	w[0] = random_mat(&r, MAT_INT, 2, 64, 577, 576);
	w[1] = random_mat(&r, MAT_INT, 4, 128, 577, 576);
	w[2] = random_mat(&r, MAT_INT, 3, 64, 160, 1536);
	w[3] = random_mat(&r, MAT_F32, 0, 0, 577, 576);
	w[4] = random_mat(&r, MAT_BF16, 0, 0, 100, 700);
	x = guarded_floats(&r, 40 * 1536, 1);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		pool_start(1);
		all_products(b, w, 5, x, one);
		for (int threads = 2; threads <= 5; threads++) {
			pool_start(threads);
			all_products(b, w, 5, x, more);
			cr_expect(!memcmp(one, more, SIZE * sizeof *one), "%s with %d threads",
				name, threads);
		}
		pool_stop();
	}
	free(one);
	free(more);
	guarded_free_all();
}
