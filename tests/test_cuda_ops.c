/* test_cuda_ops.c - the table of lib_ops.h over the CUDA backend on an emulated device
 * (tests/emu), and over that of the processor, which keeps the table itself honest. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/pool.h"
#include "tests/lib_ops.h"

enum { CHECKS = 64 };

static struct criterion_test_params each_check(void)
{
	static size_t at[CHECKS];
	size_t n = 0;

	while (op_checks[n].name) {
		at[n] = n;
		n++;
	}
	return cr_make_param_array(size_t, at, n);
}

/* The object that the build leaves beside this program. */
static const struct backend *emulated(void)
{
	char self[PATH_MAX] = "", so[PATH_MAX + 40], why[400];
	const struct backend *b;

	cr_assert(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	snprintf(so, sizeof so, "%s/libbitdial-cuda-emu.so", dirname(self));
	b = op_open(so, NULL, why, sizeof why);
	cr_assert(b, "%s", why);
	return b;
}

static void run(const struct op_check *c, const struct backend *b)
{
	struct op_run r = { .b = b, .repeats = 3 };

	pool_start(2);
	cr_expect(op_check_run(c, &r), "%s on %s: %s", c->name, b->name, r.failed);
	cr_expect(r.compared > 0);
	pool_stop();
}

ParameterizedTestParameters(cuda_ops, an_emulated_device_agrees_with_ref)
{
	return each_check();
}

ParameterizedTest(size_t *i, cuda_ops, an_emulated_device_agrees_with_ref, .timeout = 120)
{
	run(&op_checks[*i], emulated());
}

ParameterizedTestParameters(cuda_ops, the_processor_agrees_with_ref_by_the_same_table)
{
	return each_check();
}

ParameterizedTest(size_t *i, cuda_ops, the_processor_agrees_with_ref_by_the_same_table,
	.timeout = 120)
{
	if (!op_checks[*i].device)
		run(&op_checks[*i], backend_find("cpu"));
}

/* ---- what the table is for: it must see these */

static struct backend spoilt;

static void short_products(const struct product *p, size_t n, const float *x, size_t ldx, size_t m,
	enum math math)
{
	bd_backend_ref.products(p, n, x, ldx, m, math);
	p[n - 1].y[(m - 1) * p[n - 1].ldy + p[n - 1].w->rows - 1] *= 1.001f;
}

static void long_add(float *y, const float *x, size_t count)
{
	bd_backend_ref.add(y, x, count);
	y[count] = 0;
}

static void greedy_rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	bd_backend_ref.rmsnorm(y, x, gain, m, n, eps);
	((float *)(uintptr_t)x)[0] = 0;
}

static void idle_attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape)
{
	(void)out;
	(void)q;
	(void)seqs;
	(void)n;
	(void)shape;
}

static void fickle_sq_diff(double *num, double *den, const float *a, const float *b, size_t count)
{
	static double more;

	bd_backend_ref.sq_diff(num, den, a, b, count);
	*num += more += 1e-300 + *num * 1e-15;
}

static bool sees(const char *name)
{
	struct op_run r = { .b = &spoilt, .repeats = 3 };

	for (const struct op_check *c = op_checks; c->name; c++)
		if (!strcmp(c->name, name))
			return !op_check_run(c, &r);
	return false;
}

Test(cuda_ops, a_wrong_last_value_a_write_beyond_a_spoilt_input_and_nothing_done_are_seen,
	.timeout = 60)
{
	spoilt = bd_backend_ref;
	cr_expect(!sees("packed, 1 to 512 rows"));
	spoilt.products = short_products;
	cr_expect(sees("packed, 1 to 512 rows"));
	cr_expect(sees("dense products"));
	spoilt.add = long_add;
	cr_expect(sees("swiglu, add"));
	spoilt.rmsnorm = greedy_rmsnorm;
	cr_expect(sees("rmsnorm"));
	spoilt.attention = idle_attention;
	cr_expect(sees("attention"));
	spoilt = bd_backend_ref;
	cr_expect(!sees("the same bits again"));
	spoilt.sq_diff = fickle_sq_diff;
	cr_expect(sees("the same bits again"));
}
