/* test_residual.c - what a run of `flips` starts from (core/tune/residual.c). */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "tests/lib_tune.h"

enum { ROWS = 32, COLS = 128, GROUP = 32 };

/* Codes that move in a step of 0.02 levels up, where the reference lies so many levels above each. */
static size_t moved(double above)
{
	struct tune_options o = tune_defaults;
	struct trained m;
	float *w = xarray(ROWS * COLS, sizeof *w);
	size_t n;

	o.lr = 0.02;
	o.lr_s = 0;
	o.warmup = 0;
	m = tune_make("flips", &o, 4, GROUP, ROWS, COLS, 3);
	memcpy(w, tune_dense(&m), ROWS * COLS * sizeof *w);
	for (size_t i = 0; i < ROWS * COLS; i++) {
		const struct mat *x = &m.t.w;

		w[i] += (float)above *
			f16_to_f32(mat_stat(x->scale, x, i / COLS, i % COLS / GROUP));
		m.grad[i] = -1;
	}
	optim_residual(m.by, &m.t, &o, w);
	tune_step(&m, 1);
	n = (size_t)m.c.flips[4];
	xfree(w);
	tune_free(&m);
	return n;
}

Test(residual, a_code_that_lies_near_the_next_moves_and_one_chosen_against_its_weight_stands_firm)
{
	cr_expect_gt(moved(0.49), ROWS * COLS / 2, "%zu", moved(0.49));
	cr_expect_eq(moved(0.3), 0, "%zu", moved(0.3));
	/* gptq: more than half a level away */
	cr_expect_eq(moved(0.6), 0, "%zu", moved(0.6));
	cr_expect_eq(moved(2), 0, "%zu", moved(2));
}
