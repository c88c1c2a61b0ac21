/* test_cuda_packed.c - products with packed matrices, and their rows, by the CUDA backend on an
 * emulated device, against ref. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"

/* ---- products ---- */

/* |scale code| + |offset| times |x| of any packed W. */
static void sizes_of(double *mag, const float *x, size_t ldx, size_t m, const struct mat *w)
{
	double *more;
	float *part;

	if (w->type != MAT_MIX) {
		magnitudes(mag, x, ldx, m, w);
		return;
	}
	memset(mag, 0, m * w->rows * sizeof *mag);
	more = malloc((m * w->rows + 1) * sizeof *more);
	part = malloc((m * w->cols + 1) * sizeof *part);
	for (int high = 1; high >= 0; high--) {
		struct mat half = mat_part(w, high);

		for (size_t i = 0; i < m; i++)
			for (size_t c = 0; c < half.cols; c++)
				part[i * half.cols + c] =
					x[i * ldx + w->order[c + (high ? 0 : w->high)]];
		magnitudes(more, part, half.cols, m, &half);
		for (size_t i = 0; i < m * w->rows; i++)
			mag[i] += more[i];
	}
	free(more);
	free(part);
}

/* y of the device, [m][rows]; what lies beside its rows stays as it was. */
static void multiplied(const struct backend *b, float *y, const struct mat *w, const float *x,
	size_t ldx, size_t m, enum math math)
{
	size_t ldy = w->rows + 5, all = (m - 1) * ldy + w->rows;
	float *got = malloc(all * sizeof *got), *dy = cuda_held(b, NULL, all * sizeof *got);
	float *dx = cuda_held(b, x, ((m - 1) * ldx + w->cols) * sizeof *x);
	struct mat d = cuda_mat(b, w);

	product(b, dy, ldy, dx, ldx, m, &d, math);
	b->get(got, dy, all * sizeof *got);
	cuda_well(b);
	for (size_t i = 0; i < m; i++) {
		memcpy(y + i * w->rows, got + i * ldy, w->rows * sizeof *y);
		if (i + 1 < m)
			cr_assert(untouched(got + i * ldy + w->rows, 5), "beyond row %zu", i);
	}
	cuda_mat_free(b, &d);
	b->free(dx);
	b->free(dy);
	free(got);
}

/* The largest error beside sum |W| |x|, against ref by `like`; x of about `size`. */
static double error_of(const struct backend *b, struct rng *r, const struct mat *w, size_t m,
	double size, enum math math, enum math like)
{
	size_t n = m * w->rows, ldx = w->cols + 3;
	float *x = malloc(m * ldx * sizeof *x);
	float *y = malloc(n * sizeof *y), *want = malloc(n * sizeof *want);
	double *mag = malloc(n * sizeof *mag), e;

	for (size_t i = 0; i < m * ldx; i++)
		x[i] = (float)(rng_normal(r) * size);
	product(backend_find("ref"), want, w->rows, x, ldx, m, w, like);
	sizes_of(mag, x, ldx, m, w);
	multiplied(b, y, w, x, ldx, m, math);
	for (size_t i = 0; i < n; i++)
		mag[i] += size * 1e-30;
	e = worst(y, want, mag, n);
	free(x);
	free(y);
	free(want);
	free(mag);
	return e;
}

static const size_t rows[] = { 1, 15, 16, 17, 100, 129 };
static const size_t cols[] = { 32, 40, 96, 576, 1000 };
static const size_t groups[] = { 32, 64, 96, 128, 384 };

/* Each width by each group by each number of columns; rows, and rows of x from ms, in turns. */
static void each(
	const size_t *ms, size_t n_ms, size_t step, enum math math, enum math like, double most)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 1);
	for (size_t i = 0; i < 8 * 25; i += step) {
		size_t m = ms[(i / step + i / 40) % n_ms];
		struct mat w = random_mat(&r, MAT_INT, (int)(i % 8) + 1, groups[i / 8 % 5],
			rows[(i * 5 + i / 6) % 6], cols[i / 40]);
		double e = error_of(b, &r, &w, m, 1, math, like);

		cr_expect(e <= most, "%zu x %zu, %d bits, group %zu, %zu rows: error %g", w.rows,
			w.cols, w.bits, w.group, m, e);
		guarded_free_all();
	}
}

Test(cuda_packed, few_rows_by_any_width_and_group_are_exact, .timeout = 120)
{
	static const size_t ms[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16 };

	each(ms, COUNT(ms), 1, MATH_F32, MATH_F32, 1e-6);
}

Test(cuda_packed, more_than_four_rows_may_be_as_exact_as_halves, .timeout = 120)
{
	static const size_t ms[] = { 5, 8, 9, 16 };

	each(ms, COUNT(ms), 3, MATH_BF16, MATH_F32, 0x1p-11);
}

Test(cuda_packed, many_rows_round_x_and_w_once_as_bfloat16, .timeout = 120)
{
	static const size_t ms[] = { 17, 33, 64, 70 };

	each(ms, COUNT(ms), 3, MATH_BF16, MATH_BF16, 2e-6);
}

Test(cuda_packed, a_prompt_of_many_rows_is_rounded_the_same, .timeout = 120)
{
	enum { M = 520 }; /* unpacked first, then multiplied by cuBLAS */
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 3);
	for (int i = 0; i < 3; i++) {
		struct mat w = i == 2 ? random_mix(&r, 33, 96, 32)
				      : random_mat(&r, MAT_INT, 2 + i, 64, 33, 96);
		double e = error_of(b, &r, &w, M, 1, MATH_BF16, MATH_BF16);

		cr_expect(e <= 2e-6, "matrix %d: error %g", i, e);
		guarded_free_all();
	}
}

Test(cuda_packed, int8_rounds_x_to_the_digits_of_ref, .timeout = 120)
{
	static const size_t ms[] = { 1, 5, 16, 20 };

	each(ms, COUNT(ms), 7, MATH_INT8, MATH_INT8, 2e-6);
}

Test(cuda_packed, two_bfloat16_take_what_one_left, .timeout = 120)
{
	static const size_t ms[] = { 17, 20 };

	each(ms, COUNT(ms), 19, MATH_BF16X3, MATH_BF16X3, 2e-6);
}

Test(cuda_packed, mixes_are_their_two_parts, .timeout = 120)
{
	static const size_t high[] = { 0, 33, 128, 300, 576 }, ms[] = { 1, 4, 6, 16, 17, 40 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 2);
	for (size_t i = 0; i < COUNT(high); i++)
		for (size_t t = 0; t < COUNT(ms); t++) {
			struct mat w = random_mix(&r, rows[(i + t) % 6], 576, high[i]);
			enum math math = ms[t] > 16 ? MATH_BF16 : MATH_F32;
			double e = error_of(b, &r, &w, ms[t], 1, math, math);

			cr_expect(e < 2e-6, "high %zu, %zu rows: %g", high[i], ms[t], e);
			guarded_free_all();
		}
}

Test(cuda_packed, x_may_be_of_any_size, .timeout = 60)
{
	static const double size[] = { 1e-34, 1e-20, 1e-6, 1e6, 1e20, 1e33 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 3);
	for (size_t i = 0; i < COUNT(size); i++)
		for (size_t m = 1; m <= 16; m += 5) {
			struct mat w = random_mat(&r, MAT_INT, (int)i + 1, 64, 40, 200);
			double e = error_of(b, &r, &w, m, size[i], MATH_F32, MATH_F32);

			cr_expect(e < 1e-6, "x of %g, %zu rows: error %g", size[i], m, e);
			guarded_free_all();
		}
}

Test(cuda_packed, a_row_with_a_nan_is_nan_and_no_other, .timeout = 60)
{
	static const size_t ms[] = { 1, 4, 7, 16, 20 };
	enum { ROWS = 33, COLS = 300 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 5);
	for (size_t t = 0; t < COUNT(ms); t++)
		for (int kind = 0; kind < 2; kind++) {
			size_t m = ms[t], bad = m / 2;
			enum math math = m > 16 ? MATH_BF16 : MATH_F32;
			struct mat w = random_mat(&r, MAT_INT, 4 - kind * 2, 64, ROWS, COLS);
			float *x = guarded_floats(&r, m * COLS, 1);
			float *y = malloc(m * ROWS * sizeof *y), *z = malloc(m * ROWS * sizeof *z);

			multiplied(b, y, &w, x, COLS, m, math);
			x[bad * COLS + 291] = kind ? NAN : INFINITY;
			multiplied(b, z, &w, x, COLS, m, math);
			for (size_t i = 0; i < m * ROWS; i++)
				if (i / ROWS == bad)
					cr_expect(!isfinite(z[i]) && (!kind || isnan(z[i])), "%g",
						(double)z[i]);
				else
					cr_expect(y[i] == z[i], "%zu", i);
			free(y);
			free(z);
			guarded_free_all();
		}
}

static void share_x(size_t m, int launches)
{
	enum { N = 4, COLS = 520 };
	static const size_t n_rows[N] = { 130, 40, 17, 256 };
	const struct backend *b = cuda_backend();
	struct backend_device before, after;
	struct mat w[N], d[N];
	struct product p[N];
	struct rng r;
	float *x, *dx;

	rng_seed(&r, 6);
	x = guarded_floats(&r, m * COLS, 1);
	dx = cuda_held(b, x, m * COLS * sizeof *x);
	for (size_t i = 0; i < N; i++) {
		w[i] = i == 2 ? random_mix(&r, n_rows[i], COLS, 100)
			      : random_mat(&r, MAT_INT, (int)i + 2, 64, n_rows[i], COLS);
		d[i] = cuda_mat(b, &w[i]);
		p[i] = (struct product){ cuda_held(b, NULL, m * n_rows[i] * sizeof *x), n_rows[i],
			&d[i] };
	}
	b->wait();
	b->info(&before);
	b->products(p, N, dx, COLS, m, MATH_F32);
	b->wait();
	b->info(&after);
	cr_expect_eq(after.launches, before.launches + (unsigned)launches, "%d",
		(int)(after.launches - before.launches));
	for (size_t i = 0; i < N; i++) {
		size_t n = m * n_rows[i];
		float *got = malloc(n * sizeof *got), *want = malloc(n * sizeof *want);
		double *mag = malloc(n * sizeof *mag);

		b->get(got, p[i].y, n * sizeof *got);
		product(backend_find("ref"), want, n_rows[i], x, COLS, m, &w[i], MATH_F32);
		sizes_of(mag, x, COLS, m, &w[i]);
		cr_expect(worst(got, want, mag, n) < 1e-6, "product %zu", i);
		free(got);
		free(want);
		free(mag);
	}
	cuda_well(b);
	guarded_free_all();
}

Test(cuda_packed, products_that_share_x_go_in_one_launch, .timeout = 60)
{
	share_x(3, 1);
}

Test(cuda_packed, x_of_more_rows_is_rounded_by_one_more, .timeout = 60)
{
	share_x(5, 2);
	share_x(16, 2);
}

/* ---- the same bits again ---- */

enum { SAME_ROWS = 140, SAME_COLS = 700, SAME_MOST = 40 };
static const size_t same_ms[] = { 1, 6, 16, SAME_MOST };

static void results(float *y)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 7);
	for (size_t t = 0; t < COUNT(same_ms); t++) {
		struct mat w = random_mat(&r, MAT_INT, (int)t + 2, 64, SAME_ROWS, SAME_COLS);
		float *x = guarded_floats(&r, same_ms[t] * SAME_COLS, 1);

		multiplied(b, y + t * SAME_MOST * SAME_ROWS, &w, x, SAME_COLS, same_ms[t],
			t == 3 ? MATH_BF16 : MATH_F32);
	}
	guarded_free_all();
}

/* By a process of its own: the emulator reads its order once. */
static void results_in_order(float *y, size_t bytes, const char *order)
{
	int to[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(to), 0);
	pid = fork();
	if (!pid) {
		setenv("EMU_ORDER", order, 1);
		results(y);
		for (size_t at = 0; at < bytes; at += (size_t)n)
			if ((n = write(to[1], (char *)y + at, bytes - at)) < 0)
				_exit(2);
		_exit(0);
	}
	close(to[1]);
	while ((n = read(to[0], (char *)y + got, bytes - got)) > 0)
		got += (size_t)n;
	close(to[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(got == bytes && status == 0, "status %d", status);
}

Test(cuda_packed, any_order_of_blocks_and_threads_gives_the_same_bits, .timeout = 120)
{
	static const char *const orders[] = { "forward", "reverse", "1", "2" };
	size_t n = COUNT(same_ms) * SAME_MOST * SAME_ROWS, bytes = n * sizeof(float);
	float *first = calloc(n, sizeof *first), *again = calloc(n, sizeof *again);

	results_in_order(first, bytes, orders[0]);
	for (size_t i = 1; i < COUNT(orders); i++) {
		memset(again, 0, bytes);
		results_in_order(again, bytes, orders[i]);
		cr_expect(!memcmp(first, again, bytes), "order %s", orders[i]);
	}
	free(first);
	free(again);
}

/* ---- rows ---- */

/* All of it, and rows 13 ... 33, and five by number: the bits of ref. */
static void check_rows(const struct backend *b, const struct mat *w, const struct mat *d)
{
	const struct backend *ref = backend_find("ref");
	static const int32_t ids[] = { 39, 0, 17, 17, 31 };
	size_t n = 40 * w->cols;
	float *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got);
	float *to = cuda_held(b, NULL, n * sizeof *got);

	for (int kind = 0; kind < 3; kind++) {
		size_t count = kind == 0   ? 40
			       : kind == 1 ? 21
					   : 5,
		       bytes = count * w->cols * sizeof *got;

		if (kind < 2) {
			ref->dequant(want, w, kind ? 13 : 0, count);
			b->dequant(to, d, kind ? 13 : 0, count);
		} else {
			ref->embed(want, w, ids, count);
			b->embed(to, d, ids, count);
		}
		b->get(got, to, bytes);
		cr_expect(!memcmp(got, want, bytes), "type %d, %d bits, %zu columns: %d",
			(int)w->type, w->bits, w->cols, kind);
	}
	cuda_well(b);
	b->free(to);
	free(want);
	free(got);
}

Test(cuda_packed, rows_as_float_are_the_bits_of_ref, .timeout = 120)
{
	static const size_t n[] = { 1, 31, 45, 64, 300 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 8);
	for (int kind = 0; kind < 12; kind++)
		for (size_t j = 0; j < COUNT(n); j++) {
			struct mat w =
				kind == 11
					? random_mix(&r, 40, n[j], n[j] / 3)
					: random_mat(&r, kind < 3 ? (enum mat_type)kind : MAT_INT,
						  kind - 2, groups[j], 40, n[j]);
			struct mat d = cuda_mat(b, &w);

			check_rows(b, &w, &d);
			cuda_mat_free(b, &d);
			guarded_free_all();
		}
}

Test(cuda_packed, values_may_begin_at_any_byte, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 9);
	for (size_t t = 0; t < 3; t++)
		for (size_t off = 1; off < 4; off++) {
			struct mat w = random_mat(&r, dense_types[t], 0, 0, 40, 37), d = w;
			size_t bytes = w.rows * w.cols * (t ? 2 : 4);
			char *moved = malloc(bytes + off);
			char *to;

			memset(moved, 0, off);
			memcpy(moved + off, w.data, bytes);
			to = cuda_held(b, moved, bytes + off);
			d.data = to + off;
			check_rows(b, &w, &d);
			b->free(to);
			free(moved);
			guarded_free_all();
		}
}

Test(cuda_packed, more_ids_than_a_launch_takes_are_cut, .timeout = 60)
{
	enum { N = 17000, COLS = 3 };
	const struct backend *b = cuda_backend(), *ref = backend_find("ref");
	int32_t *ids = malloc(N * sizeof *ids);
	float *want = malloc(N * COLS * sizeof *want), *got = malloc(N * COLS * sizeof *got);
	float *to = cuda_held(b, NULL, N * COLS * sizeof *got);
	struct mat w, d;
	struct rng r;

	rng_seed(&r, 10);
	w = random_mat(&r, MAT_INT, 8, 32, 50, COLS);
	d = cuda_mat(b, &w);
	for (size_t i = 0; i < N; i++)
		ids[i] = (int32_t)(rng_u64(&r) % 50);
	ref->embed(want, &w, ids, N);
	b->embed(to, &d, ids, N);
	b->get(got, to, N * COLS * sizeof *got);
	cuda_well(b);
	cr_expect(!memcmp(got, want, N * COLS * sizeof *got));
	free(ids);
	free(want);
	free(got);
	guarded_free_all();
}
