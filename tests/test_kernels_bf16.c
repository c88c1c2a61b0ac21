/* test_kernels_bf16.c - products in bfloat16, by every path of this machine, against ref; and what
 * happens on machines that announce more than they run. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/f16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/probe.h"
#include "kernels/pool.h"
#include "tests/lib_kernels.h"

/* One matrix in every way.  Both operands are the same numbers everywhere, their products are exact
 * in float, so what may differ is the rounding of cols - 1 sums: cols * 2^-24 of |W| |x|. */
static void check(const struct mat *w, struct rng *r, const size_t *ms, size_t n)
{
	const struct backend *ref = backend_find("ref"), *b;
	size_t most = ms[n - 1], ldx = w->cols + 3, ldy = w->rows + 5;
	float *x = guarded_floats(r, (most - 1) * ldx + w->cols, 1);
	float *want[2], *got = malloc(most * w->rows * sizeof *got);
	double *mag = malloc(most * w->rows * sizeof *mag);
	double bound = ldexp((double)w->cols + 1, -24);
	const char *name;

	for (int k = 0; k < 2; k++) {
		want[k] = malloc(most * w->rows * sizeof *got);
		product(ref, want[k], w->rows, x, ldx, most, w, k ? MATH_BF16 : MATH_F32);
	}
	magnitudes(mag, x, ldx, most, w);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (size_t t = 0; t < n; t++) {
			size_t m = ms[t];
			float *y = guarded(((m - 1) * ldy + w->rows) * sizeof *y);
			double e;

			product(b, y, ldy, x, ldx, m, w, MATH_BF16);
			for (size_t k = 0; k < m; k++)
				memcpy(got + k * w->rows, y + k * ldy, w->rows * sizeof *y);
			e = worst(got, want[rounds(b, m, MATH_BF16)], mag, m * w->rows);
			cr_assert(e < (rounds(b, m, MATH_BF16) ? bound : fmax(bound, 1e-5)),
				"%s: %zu x %zu, type %d, %d bits, group %zu, %zu rows: error %g",
				name, w->rows, w->cols, (int)w->type, w->bits, w->group, m, e);
			for (size_t k = 0; k + 1 < m; k++)
				cr_assert(untouched(y + k * ldy + w->rows, ldy - w->rows),
					"%s writes beyond the row", name);
		}
	free(want[0]);
	free(want[1]);
	free(got);
	free(mag);
	guarded_free_all();
}

Test(kernels_bf16, ref_rounds_both_operands_to_nearest_even)
{
	/* half-way between two bfloat16, below an even and below an odd one; exact; above half-way
	 */
	const float w[4] = { 1 + 0x1p-8f, 1 + 0x3p-8f, 1.5f, 1 + 0x1.8p-8f };
	const float as[4] = { 1, 1 + 0x1p-6f, 1.5f, 1 + 0x1p-7f };
	struct mat mat = { .type = MAT_F32, .rows = 4, .cols = 1, .data = w };
	float y[4], x = 3 + 0x1p-7f;

	product(backend_find("ref"), y, 4, &x, 1, 1, &mat, MATH_BF16);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(y[i], 3 * as[i], "%d: %g", i, (double)y[i]);
	product(backend_find("ref"), y, 4, &x, 1, 1, &mat, MATH_F32);
	cr_expect_neq(y[0], 3);
}

Test(kernels_bf16, packed_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 1, 15, 16, 17, 33 };

	each_packed(1, check, ms, COUNT(ms));
}

Test(kernels_bf16, dense_matrices_of_awkward_shapes_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 16, 31, 32, 49 };

	each_dense(2, check, ms, COUNT(ms));
}

Test(kernels_bf16, matrices_of_model_size_agree_with_ref, .timeout = 120)
{
	static const size_t ms[] = { 17, 67 };

	each_large(3, check, ms, COUNT(ms));
}

Test(kernels_bf16, rows_of_x_that_are_packed_one_after_the_other_meet, .timeout = 120)
{
	/* of 20,000 values some 200 at once */
	static const size_t ms[] = { 190, 513 };
	struct mat w;
	struct rng r;

	rng_seed(&r, 4);
	pool_start(2);
	w = random_mat(&r, MAT_INT, 4, 128, 3, 20011);
	check(&w, &r, ms, COUNT(ms));
	pool_stop();
}

Test(kernels_bf16, rows_may_be_of_any_length, .timeout = 60)
{
	/* 32 of them, rounded, are more than there is room for before they are multiplied */
	static const size_t ms[] = { 16, 33 };
	struct mat w;
	struct rng r;

	rng_seed(&r, 5);
	pool_start(2);
	w = random_mat(&r, MAT_BF16, 0, 0, 3, 131072 + 33);
	check(&w, &r, ms, COUNT(ms));
	pool_stop();
}

Test(kernels_bf16, values_of_a_file_may_begin_at_any_byte, .timeout = 60)
{
	enum { M = 20, ROWS = 40, COLS = 69 };
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 10);
	for (size_t t = 0; t < COUNT(dense_types); t++) {
		struct mat w = random_mat(&r, dense_types[t], 0, 0, ROWS, COLS), odd = w;
		size_t bytes = (size_t)ROWS * COLS * (t ? 2 : 4);
		float *x = guarded_floats(&r, M * COLS, 1);

		/* the copy ends one byte before the guard page */
		odd.data = memcpy(guarded(bytes + 1), w.data, bytes);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			float y[M * ROWS], z[M * ROWS];

			product(b, y, ROWS, x, COLS, M, &w, MATH_BF16);
			product(b, z, ROWS, x, COLS, M, &odd, MATH_BF16);
			cr_expect(!memcmp(y, z, sizeof y), "%s type %zu", name, t);
		}
		guarded_free_all();
	}
}

Test(kernels_bf16, products_that_share_x_are_those_one_by_one, .timeout = 60)
{
	check_shared_x(MATH_BF16);
}

Test(kernels_bf16, a_mix_is_the_sum_of_its_parts_among_others, .timeout = 60)
{
	enum { ROWS = 70, HIGH = 96, COLS = 200, M = 40 };
	const struct backend *ref = backend_find("ref"), *b;
	float *x, want[3][ROWS * M], got[3][ROWS * M];
	static double mag[ROWS * M];
	struct mat w[3];
	const char *name;
	struct rng r;

	rng_seed(&r, 7);
	pool_start(2);
	w[0] = random_mat(&r, MAT_INT, 4, 128, ROWS, COLS);
	w[1] = random_mix(&r, ROWS, COLS, HIGH);
	w[2] = random_mat(&r, MAT_F16, 0, 0, ROWS, COLS);
	x = guarded_floats(&r, M * COLS, 1);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		struct product p[3], q[3];

		for (size_t k = 0; k < 3; k++) {
			p[k] = (struct product){ got[k], ROWS, &w[k] };
			q[k] = (struct product){ want[k], ROWS, &w[k] };
		}
		ref->products(q, 3, x, COLS, M, rounds(b, M, MATH_BF16) ? MATH_BF16 : MATH_F32);
		b->products(p, 3, x, COLS, M, MATH_BF16);
		for (size_t k = 0; k < ROWS * M; k++)
			mag[k] = COLS * 0.3; /* |w| <= 0.12, |x| some 1 */
		for (size_t k = 0; k < 3; k++)
			cr_expect(worst(got[k], want[k], mag, ROWS * M) < 1e-6, "%s %zu", name, k);
	}
	pool_stop();
	guarded_free_all();
}

Test(kernels_bf16, any_number_of_threads_gives_the_same_bits, .timeout = 60)
{
	check_threads(MATH_BF16);
}

Test(kernels_bf16, nan_and_infinity_stay_in_their_row_and_reach_all_of_it, .timeout = 60)
{
	enum { M = 35, ROWS = 50, COLS = 70 };
	const struct backend *b;
	const char *name;
	struct mat w;
	struct rng r;
	float *x;

	rng_seed(&r, 9);
	pool_start(2);
	w = random_mat(&r, MAT_F32, 0, 0, ROWS, COLS);
	for (size_t i = 0; i < ROWS; i++)
		((float *)(uintptr_t)w.data)[i * COLS + COLS - 1] = i % 2 ? 0.5f : -0.5f;
	x = guarded_floats(&r, M * COLS, 1);
	/* in the last column, beside what pads the strip: nothing there may be multiplied with it
	 */
	x[3 * COLS + COLS - 1] = INFINITY;
	x[17 * COLS + 5] = NAN;
	x[34 * COLS + COLS - 1] = -INFINITY;
	x[20 * COLS] = 3.4e38f; /* rounds up to infinity */
	for (size_t i = 0; (b = way(i, &name)); i++) {
		float *y = guarded(M * ROWS * sizeof *y);

		product(b, y, ROWS, x, COLS, M, &w, MATH_BF16);
		for (size_t t = 0; t < M; t++)
			for (size_t k = 0; k < ROWS; k++) {
				float v = y[t * ROWS + k], sign = k % 2 ? 1.0f : -1.0f;

				if (t == 3 || t == 34)
					cr_expect_eq(v, (t == 3 ? sign : -sign) * INFINITY,
						"%s %zu %zu: %g", name, t, k, (double)v);
				else if (t == 17)
					cr_expect(isnan(v), "%s %zu", name, k);
				else if (t != 20)
					cr_expect(isfinite(v), "%s %zu %zu", name, t, k);
				else if (rounds(b, M, MATH_BF16))
					cr_expect(isinf(v), "%s %zu: %g", name, k, (double)v);
			}
	}
	pool_stop();
	guarded_free_all();
}

/* ---- machines that announce what they do not run ---- */

static bool good(void)
{
	return true;
}

static bool wrong(void)
{
	return false;
}

static bool fatal(void)
{
	__builtin_trap();
}

static bool endless(void)
{
	volatile bool go = true;

	while (go)
		;
	return true;
}

static void tidy(int sig)
{
	(void)sig;
	_exit(42);
}

Test(cpu_probe, ends_at_the_first_that_is_wrong_or_fatal, .timeout = 20)
{
	bool (*all[])(void) = { NULL, good, NULL, good };
	bool (*bad[])(void) = { NULL, good, wrong, good };
	bool (*ill[])(void) = { NULL, NULL, good, fatal, good };
	bool (*none[])(void) = { NULL, NULL };

	cr_expect_eq(cpu_probe(all, 4), 4);
	cr_expect_eq(cpu_probe(bad, 4), 2);
	cr_expect_eq(cpu_probe(ill, 5), 3);
	cr_expect_eq(cpu_probe(none, 2), 2);
}

Test(cpu_probe, one_that_never_ends_is_ended, .timeout = 20)
{
	bool (*slow[])(void) = { good, endless, good };

	cr_expect_eq(cpu_probe(slow, 3), 1);
}

Test(cpu_probe, is_no_concern_of_the_handlers_of_this_process, .timeout = 20)
{
	bool (*ill[])(void) = { good, fatal };
	sigset_t set;

	signal(SIGILL, tidy);
	signal(SIGTRAP, tidy);
	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGILL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cr_expect_eq(cpu_probe(ill, 2), 1);
}

Test(cpu_probe, without_a_process_nothing_is_proven, .timeout = 20)
{
	bool (*some[])(void) = { NULL, good };
	struct rlimit was, none;
	size_t sure;

	/* no descriptor for the pipe: root may have any number of processes */
	getrlimit(RLIMIT_NOFILE, &was);
	none = (struct rlimit){ 0, was.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	sure = cpu_probe(some, 2);
	setrlimit(RLIMIT_NOFILE, &was);
	cr_expect_eq(sure, 1);
}

Test(cpu_probe, a_level_that_does_not_run_is_not_offered_and_is_named, .timeout = 60)
{
	const char *path;

	cpu_spoil("avx512");
	path = backend_find("cpu")->path();
	if (!strstr(path, "announced"))
		cr_skip_test("no AVX512 here");
	cr_expect(strstr(path, "avx2 (of ref, avx2); avx512 is announced and does not run"), "%s",
		path);
	cr_expect_str_eq(cpu_leaf()->name, "avx2");
	cr_expect_null(cpu_leaf_at(2));
	cr_expect_null((void *)(uintptr_t)cpu_leaf()->b16.mul);
}

Test(cpu_probe, a_level_above_a_good_one_leaves_that_in_use, .timeout = 60)
{
	const struct leaf *l;
	float x[16 * 3], y[16] = { 0 };
	const uint16_t w[3] = { 0x3f80, 0x4000, 0x4040 }; /* 1, 2, 3 */
	struct mat mat = { .type = MAT_BF16, .rows = 1, .cols = 3, .data = w };

	cpu_spoil("amx");
	for (size_t i = 0; (l = cpu_leaf_at(i)); i++)
		cr_expect_str_neq(l->name, "amx");
	for (int i = 0; i < 48; i++)
		x[i] = (float)(i % 5);
	product(backend_find("cpu"), y, 1, x, 3, 16, &mat, MATH_BF16);
	for (int i = 0; i < 16; i++)
		cr_expect_eq(y[i], x[3 * i] + 2 * x[3 * i + 1] + 3 * x[3 * i + 2], "%d", i);
}

Test(cpu_probe, a_signal_stack_too_small_for_the_tiles_leaves_them_out, .timeout = 60)
{
	/* larger than AVX512's frame, smaller than one with 8 KiB of tiles */
	static char room[8192];
	stack_t small = { .ss_sp = room, .ss_size = sizeof room };
	const struct leaf *l;

	if (sigaltstack(&small, NULL))
		cr_skip_test("this system refuses such a stack");
	for (size_t i = 0; (l = cpu_leaf_at(i)); i++)
		cr_expect_str_neq(l->name, "amx");
}
