/* test_tune_lean.c - optimizers that keep less: the same moves where statistics are frozen, less
 * state, and GaLore on codes without a residual and on floats. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/lib_tune.h"

enum { ROWS = 48, COLS = 512, STEPS = 12 };

static struct tune_options options(bool lean)
{
	struct tune_options o = tune_defaults;

	o.steps = STEPS;
	o.warmup = 1;
	o.lr = 0.05;
	o.lr_s = 0;
	o.lean = lean;
	o.seed = 5;
	return o;
}

static void train(struct trained *m, uint64_t steps)
{
	struct rng r;

	rng_seed(&r, 11);
	for (uint64_t i = 1; i <= steps; i++) {
		tune_noise(m, &r, 0.1);
		tune_step(m, i);
	}
}

static const char *const each[] = { "rank", "flips", "sr" };

Test(tune_lean, moves_the_same_codes_as_with_frozen_statistics_and_keeps_less)
{
	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		struct tune_options whole = options(false), lean = options(true);
		struct trained a = tune_make(each[i], &whole, 2, 64, ROWS, COLS, 3);
		struct trained b = tune_make(each[i], &lean, 2, 64, ROWS, COLS, 3);
		/* a bit a weight, a byte of every sixteenth row, six floats a group */
		size_t less = ROWS * COLS / 8 + ROWS / 16 * COLS + ROWS * (COLS / 64) * 24;

		cr_assert_eq(a.t.state_bytes - b.t.state_bytes, less, "%s: %zu and %zu", each[i],
			a.t.state_bytes, b.t.state_bytes);
		train(&a, STEPS);
		train(&b, STEPS);
		cr_assert_gt(a.t.state_bytes, 0);
		cr_assert_arr_eq(
			a.t.w.data, b.t.w.data, mat_code_bytes(2, ROWS, COLS), "%s", each[i]);
		cr_assert_gt(a.c.changed, 0, "%s", each[i]);
		cr_assert_eq(b.c.changed, 0, "%s: what is not counted", each[i]);
		cr_assert_eq(a.c.flips[2], b.c.flips[2], "%s", each[i]);
		cr_assert_eq(a.c.saturated[2], b.c.saturated[2], "%s", each[i]);
		tune_free(&a);
		tune_free(&b);
	}
}

Test(tune_lean, leaves_scales_and_offsets_alone_whatever_their_rate)
{
	struct tune_options o = options(true);
	struct trained m, was;
	size_t n = mat_stat_count(ROWS, COLS, 64) * sizeof(uint16_t);

	o.lr_s = 0.1;
	m = tune_make("rank", &o, 4, 64, ROWS, COLS, 3);
	was = tune_make("rank", &o, 4, 64, ROWS, COLS, 3);
	train(&m, STEPS);
	cr_assert_arr_eq(m.t.w.scale, was.t.w.scale, n);
	cr_assert_arr_eq(m.t.w.offset, was.t.w.offset, n);
	cr_assert_arr_neq(m.t.w.data, was.t.w.data, mat_code_bytes(4, ROWS, COLS));
	tune_free(&m);
	tune_free(&was);
}

static double mean(struct trained *m)
{
	const float *w = tune_dense(m);
	double sum = 0;

	for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
		sum += (double)w[i];
	return sum / (ROWS * COLS);
}

/* A gradient that stays moves the weights against it, and the byte a weight of the residual is not
 * there. */
Test(tune_lean, galore_rounds_by_chance_and_goes_where_the_gradient_says)
{
	struct tune_options whole = options(false), lean = options(true);
	struct trained a, m;
	double before, after;
	uint64_t flips = 0;

	whole.rank = lean.rank = 8;
	whole.lr = lean.lr = 1;
	a = tune_make("galore", &whole, 4, 64, ROWS, COLS, 3);
	m = tune_make("galore", &lean, 4, 64, ROWS, COLS, 3);
	cr_assert_geq(a.t.state_bytes - m.t.state_bytes, (size_t)ROWS * COLS);
	before = mean(&m);
	for (uint64_t s = 1; s <= STEPS; s++) {
		for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
			m.grad[i] = 1;
		tune_step(&m, s);
		flips += m.c.flips[4];
	}
	after = mean(&m);
	cr_assert_gt(flips, 100);
	/* all but few of them down by a level */
	cr_assert_lt(after - before, -0.9 * (double)flips / (ROWS * COLS) * tune_mean_scale(&m.t.w),
		"%g by %llu moves", after - before, (unsigned long long)flips);
	tune_free(&a);
	tune_free(&m);
}

/* The published step (FORMULAS.md 7.2): of a gradient a b^T the projector is b / |b|, and Adam's
 * first step the sign of what is projected. */
Test(tune_lean, galore_on_floats_steps_along_the_largest_singular_vector)
{
	struct tune_options o = options(false);
	float was[ROWS * COLS];
	double norm = 0;
	struct trained m;

	o.unit = LR_ABSOLUTE;
	o.lr = 0.01;
	o.rank = 1;
	for (int tall = 0; tall < 2; tall++) {
		size_t rows = tall ? COLS : ROWS, cols = tall ? ROWS : COLS;
		/* the smaller side is projected */
		size_t side = ROWS, other = COLS;

		m = tune_make("galore", &o, 0, 0, rows, cols, 3);
		memcpy(was, m.t.w.data, sizeof was);
		norm = 0;
		for (size_t i = 0; i < side; i++)
			norm += pow(1 + (double)(i % 5), 2);
		norm = sqrt(norm);
		for (size_t i = 0; i < side; i++)
			for (size_t k = 0; k < other; k++) {
				double g = (1 + (double)(i % 5)) * (k % 3 ? 0.5 : -0.25);

				m.grad[tall ? k * cols + i : i * cols + k] = (float)g;
			}
		tune_step(&m, 1);
		for (size_t i = 0; i < side; i++)
			for (size_t k = 0; k < other; k++) {
				size_t at = tall ? k * cols + i : i * cols + k;
				double by = ((const float *)m.t.w.data)[at] - was[at];
				double want = -o.lr * o.back * (1 + (double)(i % 5)) / norm *
					      (k % 3 ? 1 : -1);

				cr_assert_float_eq(by, want, 2e-2 * fabs(want),
					"%zu %zu: %g, not %g", i, k, by, want);
			}
		cr_expect_eq(m.c.values, (uint64_t)rows * cols);
		tune_free(&m);
	}
}
