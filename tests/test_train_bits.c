/* test_train_bits.c - a training run gives the same bits whenever and on whatever it runs, and
 * whatever lies in the memory that a step may use (FORMULAS.md 3.5: T7, T8). */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "core/tune/train_private.h"
#include "kernels/pool.h"
#include "tests/lib_train.h"

static void nans(void *at, size_t bytes)
{
	for (size_t k = 0; k < bytes / sizeof(float); k++)
		((float *)at)[k] = NAN;
}

/* A thread that is here waits until all are: each has one part. */
static void poison_part(void *all, size_t part)
{
	(void)part;
	pthread_barrier_wait(all);
	nans(pool_scratch(), POOL_SCRATCH);
}

/* What a step left behind: the gradient, the optimizer's scratch, and that of each thread, in which
 * panels of codes are decoded. */
static void poison(struct train *run)
{
	pthread_barrier_t all;

	nans(run->grad, run->grad_bytes);
	nans(run->scratch, run->scratch_bytes);
	pthread_barrier_init(&all, NULL, (unsigned)pool_threads());
	pool_run(poison_part, &all, (size_t)pool_threads());
	pthread_barrier_destroy(&all);
}

static void sum_after(
	const struct taught *t, const struct train_how *how, bool poisoned, char sum[65])
{
	struct train *run = taught_new(t, how);

	for (size_t i = 0; i < 10; i++) {
		taught_steps(run, 1, NULL);
		if (poisoned)
			poison(run);
	}
	taught_sum(run, sum);
	train_free(run);
}

Test(train_bits, two_runs_give_the_same_bits_on_any_number_of_threads_whatever_scratch_holds,
	.timeout = 120)
{
	static const char *const methods[] = { "rank", "flips", "galore", "lora", "fp8" };
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0);
	char one[65], other[65];

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct train_how how = taught_how(methods[i]);

		train_how_steps(&how, 10);
		pool_start(1);
		sum_after(&t, &how, false, one);
		sum_after(&t, &how, true, other);
		cr_expect_str_eq(one, other, "%s: again", methods[i]);
		pool_start(2);
		how.keep = i % 2 ? BACK_INPUTS : BACK_ALL;
		sum_after(&t, &how, true, other);
		cr_expect_str_eq(one, other, "%s: two threads, blocks run again", methods[i]);
		how.tune.seed++;
		sum_after(&t, &how, false, other);
		cr_expect(strcmp(one, other) != 0, "%s: another seed", methods[i]);
	}
	taught_close(&t);
}
