/* test_kernels_linear.c - products with a matrix, in every way this machine can compute
 * them, against ref. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"

/* One matrix in every way. */
static void check(const struct mat *w, struct rng *r, const size_t *ms, size_t n)
{
	size_t most = ms[n - 1];
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
		for (size_t t = 0; t < n; t++) {
			size_t m = ms[t];
			float *y = guarded(((m - 1) * ldy + w->rows) * sizeof *y);
			double e;

			backend_linear(b, y, ldy, x, ldx, m, w);
			for (size_t k = 0; k < m; k++)
				memcpy(got + k * w->rows, y + k * ldy, w->rows * sizeof *y);
			e = worst(got, want, mag, m * w->rows);
			cr_assert(e < 1e-5,
				"%s: %zu x %zu, type %d, %d bits, group %zu, %zu rows: error %g",
				name, w->rows, w->cols, (int)w->type, w->bits, w->group, m, e);
			for (size_t k = 0; k + 1 < m; k++)
				cr_assert(untouched(y + k * ldy + w->rows, ldy - w->rows),
					"%s writes beyond the row", name);
		}
	free(want);
	free(got);
	free(mag);
	guarded_free_all();
}

static const size_t ms[] = { 1, 2, 3, 5, 8, 9, 12, 13, 64 };

Test(kernels_linear, packed_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	each_packed(1, check, ms, COUNT(ms));
}

Test(kernels_linear, matrices_of_model_size_agree_with_ref, .timeout = 120)
{
	each_large(2, check, ms, COUNT(ms) - 1);
}

Test(kernels_linear, dense_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	each_dense(3, check, ms, COUNT(ms));
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
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 5);
	for (size_t t = 0; t < 3; t++) {
		struct mat w = random_mat(&r, dense_types[t], 0, 0, 40, 37), odd = w;
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
	static const size_t cols[] = { 1, 31, 32, 33, 63, 64, 65 }, groups[] = { 32, 64, 128 };
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

Test(kernels_linear, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	check_threads(MATH_F32);
}
