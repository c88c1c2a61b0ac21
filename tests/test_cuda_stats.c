/* test_cuda_stats.c - reductions over logits and differences by the CUDA backend on the
 * emulated device, against ref: double there and here. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"

static const size_t widths[] = { 1, 2, 15, 32, 33, 1000, 4095, 4096, 4097, 49152, 50001 };

static bool near(double got, double want)
{
	return got == want || (isnan(got) && isnan(want)) ||
	       fabs(got - want) <= 1e-12 * (1 + fabs(want));
}

static void check_stats(
	const struct backend *b, const float *z, size_t m, size_t n, const char *what)
{
	double *want = malloc(m * sizeof *want), *lse = malloc(m * sizeof *lse);
	int32_t *best = malloc(m * sizeof *best), *argmax = malloc(m * sizeof *argmax);
	const float *dz = there(b, z, m * n * sizeof *z);

	backend_find("ref")->row_stats(want, best, z, m, n);
	b->row_stats(lse, argmax, dz, m, n);
	for (size_t k = 0; k < m; k++) {
		cr_expect(near(lse[k], want[k]), "%s %zu: %.17g, ref %.17g", what, n, lse[k],
			want[k]);
		cr_expect_eq(argmax[k], best[k], "%s %zu: %d, ref %d", what, n, argmax[k], best[k]);
		lse[k] = argmax[k] = -7;
	}
	b->row_stats(NULL, argmax, dz, m, n);
	cr_expect(!memcmp(argmax, best, m * sizeof *best), "%s %zu: the largest alone", what, n);
	b->row_stats(lse, NULL, dz, m, n);
	for (size_t k = 0; k < m; k++)
		cr_expect(near(lse[k], want[k]), "%s %zu: the sum alone", what, n);
	free(want);
	free(lse);
	free(best);
	free(argmax);
	there_free_all(b);
}

Test(cuda_stats, log_sums_and_the_largest_agree_with_ref, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 1);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k], m = 5;
		float *z = guarded_floats(&r, m * n, 8);

		check_stats(b, z, m, n, "normal");
		for (size_t i = 0; i < m * n; i++)
			z[i] = (float)(int)z[i]; /* many equal: the first counts */
		check_stats(b, z, m, n, "ties");
		for (size_t i = 0; i < m * n; i += 3)
			z[i] = -INFINITY;
		check_stats(b, z, m, n, "holes");
		z[n / 2] = INFINITY;
		for (size_t i = n; i < m * n; i++)
			z[i] = i % n < n - 1 ? -INFINITY : -1000; /* whole pieces of nothing */
		check_stats(b, z, m, n, "ends");
		for (size_t i = 0; i < m * n; i++)
			z[i] = -INFINITY;
		check_stats(b, z, m, n, "nothing");
		guarded_free_all();
	}
}

Test(cuda_stats, a_nan_among_logits_is_treated_as_ref_treats_it, .timeout = 60)
{
	static const size_t at[] = { 0, 1, 33, 4095, 4096, 8999 };
	enum { N = 9000 };
	const struct backend *b = cuda_backend();
	float *z = malloc(N * sizeof *z);

	for (size_t k = 0; k < COUNT(at); k++)
		for (int others = 0; others < 3; others++) {
			for (int j = 0; j < N; j++)
				z[j] = others == 0 ? (float)(j % 10) : -INFINITY;
			if (others == 2)
				z[N / 2] = INFINITY;
			z[at[k]] = NAN;
			check_stats(b, z, 1, N, "nan");
		}
	for (int j = 0; j < N; j++)
		z[j] = NAN;
	check_stats(b, z, 1, N, "nothing but nan");
	free(z);
}

Test(cuda_stats, hundreds_of_rows_are_summed, .timeout = 60)
{
	enum { M = 701, N = 37 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 2);
	check_stats(b, guarded_floats(&r, M * N, 3), M, N, "rows");
	guarded_free_all();
}

static void check_kl(const struct backend *b, struct rng *r, size_t m, size_t n, double noise)
{
	const struct backend *ref = backend_find("ref");
	float *p = guarded_floats(r, m * n, 4), *q = guarded(m * n * sizeof *q), *dp, *dq;
	double *lp = guarded(m * sizeof *lp), *lq = guarded(m * sizeof *lq);
	double *want = guarded(m * sizeof *want), *got = guarded(m * sizeof *got);

	for (size_t i = 0; i < m * n; i++)
		q[i] = p[i] + (float)(noise * rng_normal(r));
	dp = there(b, p, m * n * sizeof *p);
	dq = there(b, q, m * n * sizeof *q);
	ref->row_stats(lp, NULL, p, m, n);
	ref->row_stats(lq, NULL, q, m, n);
	ref->kl(want, p, lp, q, lq, m, n);
	b->kl(got, dp, lp, dq, lq, m, n);
	for (size_t j = 0; j < m; j++)
		cr_expect(fabs(got[j] - want[j]) <= 1e-12 * want[j] + 1e-16,
			"%zu wide, noise %g: %.17g, ref %.17g", n, noise, got[j], want[j]);
	/* with its own sums, as it is used */
	b->row_stats(lp, NULL, dp, m, n);
	b->row_stats(lq, NULL, dq, m, n);
	b->kl(got, dp, lp, dq, lq, m, n);
	for (size_t j = 0; j < m; j++)
		cr_expect(fabs(got[j] - want[j]) <= 1e-7 * want[j] + 1e-13,
			"%zu wide, noise %g, own sums: %.17g, ref %.17g", n, noise, got[j],
			want[j]);
	guarded_free_all();
	there_free_all(b);
}

Test(cuda_stats, divergences_agree_with_ref_down_to_tiny_ones, .timeout = 60)
{
	static const double noises[] = { 3, 0.1, 1e-3, 4e-4 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 3);
	for (size_t k = 0; k < COUNT(widths); k += 1 + (k > 4 && k < 9))
		for (size_t s = 0; s < COUNT(noises); s++)
			check_kl(b, &r, 3, widths[k], noises[s]);
	check_kl(b, &r, 1030, 9, 0.1); /* more rows than a launch takes */
}

Test(cuda_stats, an_impossible_token_adds_nothing_and_a_missed_one_everything)
{
	const struct backend *ref = backend_find("ref"), *b = cuda_backend();
	float p[3] = { 1, -INFINITY, 2 }, q[3] = { 1, -INFINITY, 2 };
	float *dp = there(b, p, sizeof p), *dq = there(b, q, sizeof q);
	double lp, lq, got;

	ref->row_stats(&lp, NULL, p, 1, 3);
	b->kl(&got, dp, &lp, dq, &lp, 1, 3);
	cr_expect(fabs(got) < 1e-15, "%g", got);
	q[2] = -INFINITY;
	ref->row_stats(&lq, NULL, q, 1, 3);
	b->put(dq, q, sizeof q);
	b->kl(&got, dp, &lp, dq, &lq, 1, 3);
	cr_expect(isinf(got) && got > 0, "%g", got);
	there_free_all(b);
}

Test(cuda_stats, squared_differences_agree_with_ref, .timeout = 60)
{
	static const size_t counts[] = { 0, 1, 15, 17, 4096, 16385, 100003, 3000001 };
	const struct backend *ref = backend_find("ref"), *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 4);
	for (size_t k = 0; k < COUNT(counts); k++) {
		size_t n = counts[k];
		float *x = guarded(n * sizeof *x + 8), *y = guarded(n * sizeof *y + 8), *dx, *dy;
		double num, den, gn, gd, sn, sd;

		for (size_t i = 0; i < n; i++) {
			x[i] = (float)(rng_unit(&r) - 0.5);
			y[i] = (float)(rng_unit(&r) - 0.5);
		}
		ref->sq_diff(&num, &den, x, y, n);
		dx = there(b, x, n * sizeof *x + 8);
		dy = there(b, y, n * sizeof *y + 8);
		b->sq_diff(&gn, &gd, dx, dy, n);
		cr_expect(fabs(gn - num) <= 1e-12 * num && fabs(gd - den) <= 1e-12 * den, "%zu", n);
		b->sq_diff(&sn, &sd, dx, dy, n);
		cr_expect(sn == gn && sd == gd, "%zu: not the same again", n);
		guarded_free_all();
		there_free_all(b);
	}
}

Test(cuda_stats, what_a_failed_device_leaves_on_the_host_is_no_number, .timeout = 60)
{
	enum { LAUNCH_FAILED = 719, N = 100 };
	const struct backend *b = cuda_backend();
	double lse[2] = { 1, 1 }, kl = 1, num = 1, den = 1;
	int32_t argmax[2] = { 7, 7 };
	float z[2 * N] = { 0 }, *dz = there(b, z, sizeof z);
	struct err e;

	b->wait();
	cuda_well(b);
	cuda_fail(1, LAUNCH_FAILED, false);
	b->row_stats(lse, argmax, dz, 2, N);
	b->kl(&kl, dz, lse, dz, lse, 1, N);
	b->sq_diff(&num, &den, dz, dz, N);
	cr_expect(isnan(lse[0]) && isnan(lse[1]) && isnan(kl) && isnan(num) && isnan(den));
	cr_expect(argmax[0] == 0 && argmax[1] == 0, "%d", argmax[0]);
	cr_expect_neq(b->fault(&e), ST_OK);
}
