/* test_cuda_join.c - which operations of the CUDA backend are one launch, on the emulated device:
 * those of a layer that need not wait for each other, and no others.  That what they leave is the
 * same is "operations together" of the table (lib_ops_join.c): here in other orders of the blocks.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"
#include "tests/lib_ops.h"

enum { HEADS = 3, KV_HEADS = 2, DIM = 16, ROWS = 2, N = 64 };

static const struct backend *b;
static float *x, *y, *z, *gain; /* 8 * N floats each, of one piece of memory */
static int8_t *q8;

static void begin(void)
{
	float one[N * 32];

	for (size_t i = 0; i < COUNT(one); i++)
		one[i] = (float)(i % 11) - 4;
	b = cuda_backend();
	x = there(b, one, sizeof one);
	y = x + 8 * N;
	z = y + 8 * N;
	gain = z + 8 * N;
	q8 = there(b, NULL, 32 * N);
}

static void end(void)
{
	there_free_all(b);
}

TestSuite(cuda_join, .init = begin, .fini = end, .timeout = 60);

static unsigned long launches(void)
{
	static struct backend_device d;
	unsigned long before = d.launches;

	b->wait();
	b->info(&d);
	cuda_well(b);
	return (unsigned long)d.launches - before;
}

/* What was done since the last one was so many. */
#define expect_launches(n)                                                   \
	do {                                                                 \
		unsigned long is = launches();                               \
		cr_expect_eq(is, (n), "%lu launches, not %d", is, (int)(n)); \
	} while (0)

/* ---- rope */

static const int32_t at[] = { 5, 9, 1 }, elsewhere[] = { 5, 8, 1 };
static float freq[DIM / 2], slower[DIM / 2];

static void turn(float *v, size_t heads)
{
	b->rope(v, heads * DIM, ROWS, heads, DIM, at, freq, ROPE_HALVES);
}

Test(cuda_join, queries_and_keys_turn_in_one_launch)
{
	(void)launches();
	turn(x, HEADS);
	turn(y, KV_HEADS);
	expect_launches(1);
	turn(x, HEADS);
	turn(y, KV_HEADS);
	turn(z, KV_HEADS);
	expect_launches(2);
}

Test(cuda_join, other_angles_or_the_same_values_turn_by_themselves)
{
	slower[1] = 0.5f;
	(void)launches();
	for (int i = 0; i < 7; i++) {
		turn(x, HEADS);
		switch (i) {
		case 0:
			b->rope(y, N, ROWS, HEADS, DIM, elsewhere, freq, ROPE_HALVES);
			break;
		case 1:
			b->rope(y, N, ROWS, HEADS, DIM, at, slower, ROPE_HALVES);
			break;
		case 2:
			b->rope(y, N, ROWS, HEADS, DIM, at, freq, ROPE_PAIRS);
			break;
		case 3:
			b->rope(y, N, ROWS, HEADS, DIM / 2, at, freq, ROPE_HALVES);
			break;
		case 4:
			b->rope(y, N, ROWS + 1, HEADS, DIM, at, freq, ROPE_HALVES);
			break;
		case 5:
			turn(x, HEADS);
			break;
		default:
			turn(x + 2 * HEADS * DIM - 1, KV_HEADS);
		}
		expect_launches(2);
	}
}

/* ---- the cache */

Test(cuda_join, keys_and_values_of_sixteen_sequences_are_stored_in_one_launch)
{
	float got[32][4], want[128];

	(void)launches();
	for (size_t i = 0; i < 32; i++)
		b->copy(y + 8 * i, x + 4 * i, 4 * sizeof *x);
	expect_launches(1);
	b->get(want, x, sizeof want);
	for (size_t i = 0; i < 32; i++) {
		b->get(got[i], y + 8 * i, sizeof got[i]);
		cr_expect_arr_eq(got[i], want + 4 * i, sizeof got[i], "%zu", i);
	}
	for (size_t i = 0; i < 33; i++)
		b->copy(y + 8 * i, x + 4 * i, 4 * sizeof *x);
	expect_launches(2);
	for (size_t i = 0; i < 32; i++)
		b->round_kv(q8 + i * DIM, z + i, x + i * DIM, 1, 1, DIM);
	expect_launches(1);
}

Test(cuda_join, copies_that_need_each_other_wait)
{
	(void)launches();
	b->copy(y, x, N * sizeof *x);
	b->copy(z, y + N - 1, N * sizeof *x); /* reads what the first wrote */
	expect_launches(2);
	b->copy(y, x, N * sizeof *x);
	b->copy(x + N - 1, z, N * sizeof *x); /* writes what it reads */
	expect_launches(2);
	b->copy(y, x, N * sizeof *x);
	b->copy(y + N - 1, z, N * sizeof *x); /* writes what it wrote */
	expect_launches(2);
	b->copy(y, x, N * sizeof *x);
	b->copy(z, x, N * sizeof *x);
	b->copy(y + N, y, N * sizeof *x); /* not of the last, of the first */
	expect_launches(2);
	b->round_kv(q8, z, x, 2, 2, DIM);
	b->round_kv(q8 + 4 * DIM, z + 3, y, 2, 2, DIM);
	expect_launches(2);
}

/* ---- add and norm */

Test(cuda_join, a_sum_and_the_norm_of_it_are_one_launch)
{
	(void)launches();
	b->add(x, y, ROWS * N);
	b->rmsnorm(y, x, gain, ROWS, N, 1e-5f); /* as a layer does it */
	expect_launches(1);
	b->add(x, y, ROWS * N);
	b->rmsnorm(x, x, gain, ROWS, N, 1e-5f);
	expect_launches(1);
	b->add(x, y, 63);
	b->rmsnorm(z, x, gain + 1, 1, 63, 1e-5f);
	expect_launches(1);
}

Test(cuda_join, a_norm_of_something_else_is_not)
{
	(void)launches();
	b->add(x, y, ROWS * N);
	b->rmsnorm(z, y, gain, ROWS, N, 1e-5f);
	expect_launches(2);
	b->add(x, y, ROWS * N);
	b->rmsnorm(z, x, gain, ROWS - 1, N, 1e-5f);
	expect_launches(2);
	b->add(x, y, N);
	b->rmsnorm(z, x, gain, ROWS, N, 1e-5f);
	expect_launches(2);
	b->add(x, y, ROWS * N);
	b->rmsnorm(z, x, x + N, ROWS, N, 1e-5f); /* the gain is of the sum */
	expect_launches(2);
	b->add(x, y, ROWS * N);
	b->rmsnorm(y + N, x, gain, ROWS, N, 1e-5f); /* over a part of what is added */
	expect_launches(2);
	b->add(x, y + 1, N);
	b->rmsnorm(z, x, gain, 1, N, 1e-5f); /* what no 16-byte load takes */
	expect_launches(2);
}

/* ---- between the two */

Test(cuda_join, what_comes_between_or_is_asked_for_keeps_them_apart)
{
	float one;

	(void)launches();
	b->add(x, y, N);
	b->swiglu(z, x, y, N);
	b->rmsnorm(y, x, gain, 1, N, 1e-5f);
	expect_launches(3);
	for (int i = 0; i < 4; i++) {
		b->add(x, y, N);
		if (i == 0)
			b->get(&one, x, sizeof one);
		else if (i == 1)
			b->free(b->alloc(64));
		else
			b->step(i == 2);
		b->rmsnorm(y, x, gain, 1, N, 1e-5f);
		expect_launches(2);
	}
}

Test(cuda_join, what_a_failure_dropped_is_not_taken_along)
{
	float before[N], after[N], normed[N], want[N];
	struct err e = { ST_OK, "" };

	b->get(before, x, sizeof before);
	b->rmsnorm(z, x, gain, 1, N, 1e-5f);
	b->get(want, z, sizeof want);
	b->add(x, y, N);
	cuda_fail(1, 1, false);
	cr_expect_null(b->alloc(64));
	cr_expect_eq(b->fault(&e), ST_DEVICE);
	b->rmsnorm(z, x, gain, 1, N, 1e-5f);
	b->get(after, x, sizeof after);
	b->get(normed, z, sizeof normed);
	cr_expect_eq(b->fault(&e), ST_OK, "%s", e.msg);
	cr_expect_arr_eq(after, before, sizeof before);
	cr_expect_arr_eq(normed, want, sizeof want);
}

/* ---- what they leave */

static void run_in_order(const char *order)
{
	const struct op_check c = { "operations together", op_joined, true };
	struct op_run r = { .repeats = 1 };

	setenv("EMU_ORDER", order, 1); /* before it is opened */
	r.b = cuda_backend();
	cr_expect(op_check_run(&c, &r), "order %s: %s", order, r.failed);
}

Test(cuda_join_order, the_last_blocks_may_run_first, .timeout = 60)
{
	run_in_order("reverse");
}

Test(cuda_join_order, and_blocks_in_any_order, .timeout = 60)
{
	run_in_order("5");
}
