/* test_device_train.c - training of a model whose memory the host cannot touch gives the bits that
 * ref gives, and a device that fails under way is an answer. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "kernels/pool.h"
#include "tests/lib_back.h"
#include "tests/lib_base.h"
#include "tests/lib_fenced.h"
#include "tests/lib_train.h"

static const struct fenced_controls *fence;
static struct train_ref once; /* a reference of which nothing is kept */

static void begin(void)
{
	struct err e = { 0 };

	fence = lib_fenced();
	cr_assert_eq(backend_use("fenced:0", &e), ST_OK, "%s", e.msg);
	pool_start(2);
}

static void end(void)
{
	pool_stop();
	cr_assert_eq(
		fence->ours(), 0, "%lu bytes were not given back", (unsigned long)fence->ours());
}

TestSuite(device_train, .init = begin, .fini = end, .timeout = 240);

Test(device_train, gradients_have_the_bits_that_ref_gives)
{
	static const char *const backend[2] = { "ref", "fenced:0" };
	struct gradients g[2];

	for (int i = 0; i < 2; i++) {
		struct taught t = taught_open(backend[i], "int4g32", 4, 16, 0);

		g[i] = gradients_of(t.m, t.view, i ? BACK_INPUTS : BACK_ALL, MATH_F32);
		taught_close(&t);
	}
	cr_expect_eq(gradients_apart(&g[1], &g[0]), 0);
	cr_expect(g[0].loss == g[1].loss);
	gradients_free(&g[0]);
	gradients_free(&g[1]);
}

static void sum_of(const char *backend, const char *method, const char *format, char sum[65])
{
	struct taught t = taught_open(backend, format, 6, 16, 0);
	struct train_how how = taught_how(method);
	struct train *run;

	how.windows = 1;
	run = taught_new(&t, &how);
	(void)taught_steps(run, 2, NULL);
	taught_sum(run, sum);
	train_free(run);
	taught_close(&t);
}

Test(device_train, every_method_leaves_the_state_that_ref_leaves)
{
	for (const struct train_method *by = train_methods; by->name; by++) {
		char here[65], there[65];

		sum_of("ref", by->name, "int2g32", here);
		sum_of("fenced:0", by->name, "int2g32", there);
		cr_expect_str_eq(there, here, "%s", by->name);
	}
}

Test(device_train, a_device_that_fails_under_way_is_told_and_nothing_is_lost)
{
	struct taught t = taught_open("fenced:0", "int4g32", 6, 16, 0);
	struct train_how how = taught_how("rank");
	struct train_report r;
	struct err e = { 0 };
	unsigned long ops;
	struct train *run = taught_new(&t, &how);

	ops = fence->count();
	(void)taught_steps(run, 1, NULL);
	ops = fence->count() - ops;
	for (unsigned long at = 1; at <= ops; at += 1 + ops / 9) {
		fence->fail_at(at, false);
		cr_expect_eq(
			train_step(run, &r, NULL, &e), ST_DEVICE, "operation %lu of %lu", at, ops);
		fence->revive();
	}
	train_free(run);
	taught_close(&t);
}

/* ---- checkpoints, copies, what is held out */

/* Checkpoint's sum and what is held out, of the same run on a backend. */
static void run_on(const char *backend, const char *method, const char *format, bool across,
	char sum[65], double *nll)
{
	struct taught t = taught_open(backend, format, 12, 16, 0.3);
	struct train_how how = taught_how(method);
	struct train_eval v;
	struct train_copy *c;
	struct train *run;
	struct err e = { 0 };

	how.windows = 1;
	how.tune.across = across;
	run = taught_new(&t, &how);
	cr_assert_eq(train_copy_new(&c, run, &e), ST_OK, "%s", e.msg);
	taught_steps(run, 1, NULL);
	taught_sum(run, sum);
	train_free(run);
	run = taught_new(&t, &how);
	cr_assert_eq(train_load(run, tmp_dir(), &e), ST_OK, "%s", e.msg);
	taught_steps(run, 1, NULL);
	taught_sum(run, sum);
	train_copy_take(c, run);
	cr_assert_eq(train_eval(&v, t.m, c, NULL, t.pack, 1, &once, MATH_F32, NULL, &e), ST_OK);
	*nll = v.nll;
	train_eval_release(&v);
	train_copy_free(c);
	train_free(run);
	taught_close(&t);
}

Test(device_train, a_device_whose_memory_the_host_cannot_touch_trains_the_same_bits, .timeout = 120)
{
	static const struct {
		const char *method, *format;
		bool across;
	} runs[] = { { "rank", "int2g32", true }, { "rank", "int4g64:4+int2g64", false },
		{ "fp", "int4g64", false }, { "lora", "int4g64", false } };
	uint64_t was;

	was = fence->ours();
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		char here[65], there[65];
		double a, b;

		run_on("ref", runs[i].method, runs[i].format, runs[i].across, here, &a);
		run_on("fenced:0", runs[i].method, runs[i].format, runs[i].across, there, &b);
		cr_expect_str_eq(here, there, "%s, %s", runs[i].method, runs[i].format);
		cr_expect(a == b && isfinite(a), "%s: %g, %g", runs[i].method, a, b);
		cr_expect_eq(fence->ours(), was, "all is given back");
	}
}
