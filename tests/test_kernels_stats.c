/* test_kernels_stats.c - reductions over logits and differences, in every way this
 * machine can compute them, against ref. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const size_t widths[] = { 1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 1000, 49152 };

static void check_stats(const float *z, size_t m, size_t n, const char *what)
{
	const struct backend *ref = backend_find("ref"), *b;
	double want[8], lse[8];
	int32_t best[8], argmax[8];
	const char *name;

	ref->row_stats(want, best, z, m, n);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		b->row_stats(lse, argmax, z, m, n);
		for (size_t k = 0; k < m; k++) {
			cr_expect(lse[k] == want[k] || fabs(lse[k] - want[k]) <
							       2e-7 * (1 + 1e-2 * fabs(want[k])),
				"%s %s %zu: %.12g, ref %.12g", name, what, n, lse[k], want[k]);
			cr_expect_eq(argmax[k], best[k], "%s %s %zu: %d, ref %d", name, what, n,
				argmax[k], best[k]);
		}
		b->row_stats(NULL, argmax, z, m, n);
		b->row_stats(lse, NULL, z, m, n);
	}
}

Test(kernels_stats, log_sums_and_the_largest_agree_with_ref, .timeout = 60)
{
	struct rng r;

	rng_seed(&r, 1);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k], m = 5;
		float *z = guarded_floats(&r, m * n, 8);

		check_stats(z, m, n, "normal");
		for (size_t i = 0; i < m * n; i++)
			z[i] = (float)(int)z[i]; /* many equal: the first counts */
		check_stats(z, m, n, "ties");
		for (size_t i = 0; i < m * n; i += 3)
			z[i] = -INFINITY;
		check_stats(z, m, n, "holes");
		for (size_t i = 0; i < m * n; i++)
			z[i] = -INFINITY;
		check_stats(z, m, n, "nothing");
		guarded_free_all();
	}
	pool_stop();
}

Test(kernels_stats, a_nan_among_logits_shows_in_the_sum_and_not_as_a_wild_index)
{
	enum { N = 100 };
	const struct backend *b;
	const char *name;
	float z[N];

	for (size_t at = 0; at < N; at += 33)
		for (size_t i = 0; (b = way(i, &name)); i++) {
			double lse;
			int32_t best = -7;

			for (int j = 0; j < N; j++)
				z[j] = (float)(j % 10);
			z[at] = NAN;
			b->row_stats(&lse, &best, z, 1, N);
			cr_expect(isnan(lse), "%s", name);
			cr_expect(best >= 0 && best < N, "%s: %d", name, best);
		}
}

Test(kernels_stats, divergences_agree_with_ref_down_to_tiny_ones, .timeout = 60)
{
	static const double noises[] = { 3, 0.1, 1e-3, 4e-4 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 2);
	pool_start(2);
	for (size_t k = 0; k < COUNT(widths); k++)
		for (size_t s = 0; s < COUNT(noises); s++) {
			size_t n = widths[k], m = 3;
			float *p = guarded_floats(&r, m * n, 4), *q = guarded(m * n * sizeof *q);
			double lp[3], lq[3], want[3], got[3];

			for (size_t i = 0; i < m * n; i++)
				q[i] = p[i] + (float)(noises[s] * rng_normal(&r));
			ref->row_stats(lp, NULL, p, m, n);
			ref->row_stats(lq, NULL, q, m, n);
			ref->kl(want, p, lp, q, lq, m, n);
			for (size_t i = 0; (b = way(i, &name)); i++) {
				/* with its own sums, as it is used */
				b->row_stats(lp, NULL, p, m, n);
				b->row_stats(lq, NULL, q, m, n);
				b->kl(got, p, lp, q, lq, m, n);
				for (size_t j = 0; j < m; j++)
					cr_expect(fabs(got[j] - want[j]) < 4e-6 * want[j] + 1e-12,
						"%s, %zu wide, noise %g: %g, ref %g", name, n,
						noises[s], got[j], want[j]);
			}
			guarded_free_all();
		}
	pool_stop();
}

Test(kernels_stats, a_divergence_of_1e_7_has_five_digits_and_none_is_negative, .timeout = 30)
{
	enum { N = 49152 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 3);
	for (int shift = 0; shift < 2; shift++) {
		float *p = guarded_floats(&r, N, 4), *q = guarded(N * sizeof *q);
		double rp, rq, lp, lq, want, got;

		for (size_t i = 0; i < N; i++)
			q[i] = p[i] + 8 * (float)shift + (float)(4.5e-4 * rng_normal(&r));
		ref->row_stats(&rp, NULL, p, 1, N);
		ref->row_stats(&rq, NULL, q, 1, N);
		ref->kl(&want, p, &rp, q, &rq, 1, N);
		cr_assert(want > 2e-8 && want < 5e-7, "%g", want);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			b->kl(&got, p, &rp, q, &rq, 1, N);
			cr_expect(
				fabs(got - want) < 1e-5 * want, "%s: %g, ref %g", name, got, want);
			b->row_stats(&lp, NULL, p, 1, N);
			b->row_stats(&lq, NULL, q, 1, N);
			b->kl(&got, p, &lp, q, &lq, 1, N);
			cr_expect(fabs(got - want) < 1e-5 * want, "%s, own sums: %g, ref %g", name,
				got, want);
			b->kl(&got, p, &lp, p, &lp, 1, N);
			cr_expect(got >= 0 && got < 1e-12, "%s, the same row: %g", name, got);
		}
	}
	guarded_free_all();
}

Test(kernels_stats, an_impossible_token_adds_nothing_and_a_missed_one_everything)
{
	const struct backend *ref = backend_find("ref"), *b;
	float p[3] = { 1, -INFINITY, 2 }, q[3] = { 1, -INFINITY, 2 };
	double lp, lq, got;
	const char *name;

	ref->row_stats(&lp, NULL, p, 1, 3);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		b->kl(&got, p, &lp, q, &lp, 1, 3);
		cr_expect(fabs(got) < 1e-7, "%s: %g", name, got);
	}
	q[2] = -INFINITY;
	ref->row_stats(&lq, NULL, q, 1, 3);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		b->kl(&got, p, &lp, q, &lq, 1, 3);
		cr_expect(isinf(got) && got > 0, "%s: %g", name, got);
	}
}

Test(kernels_stats, squared_differences_agree_with_ref, .timeout = 30)
{
	static const size_t counts[] = { 0, 1, 15, 17, 16384, 16385, 100003, 1500001 };
	const struct backend *ref = backend_find("ref"), *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 4);
	for (size_t k = 0; k < COUNT(counts); k++) {
		size_t n = counts[k];
		float *x = guarded_floats(&r, n, 1), *y = guarded_floats(&r, n, 1);
		double num, den, gn, gd, sn, sd;

		ref->sq_diff(&num, &den, x, y, n);
		for (size_t i = 0; (b = way(i, &name)); i++) {
			pool_start(1);
			b->sq_diff(&gn, &gd, x, y, n);
			cr_expect(fabs(gn - num) <= 1e-12 * num && fabs(gd - den) <= 1e-12 * den,
				"%s %zu", name, n);
			pool_start(3);
			b->sq_diff(&sn, &sd, x, y, n);
			cr_expect(sn == gn && sd == gd, "%s %zu: threads change it", name, n);
		}
		pool_stop();
		guarded_free_all();
	}
}
