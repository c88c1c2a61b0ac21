/* test_latent.c - a float master and the grid it is rounded to (core/tune/latent.h). */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/tune/latent.h"
#include "core/tune/loops.h"
#include "kernels/pool.h"
#include "tests/lib_tune.h"

enum { ROWS = 21, COLS = 200 };

/* Weights somewhat wider than the grid, so that some lie beyond its ends. */
static float *master_of(struct trained *grid, uint64_t seed)
{
	size_t n = grid->t.w.rows * grid->t.w.cols;
	float *w = xarray(n, sizeof *w);
	const float *dense = tune_dense(grid);
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < n; i++)
		w[i] = 1.3f * dense[i] + 0.004f * (float)rng_normal(&r);
	return w;
}

static double level(const struct mat *w, size_t r, size_t c, const float *master)
{
	double s = (double)f16_to_f32(mat_stat(w->scale, w, r, c / w->group));
	double o = (double)f16_to_f32(mat_stat(w->offset, w, r, c / w->group));

	return ((double)master[r * w->cols + c] - o) / s;
}

static void words_are_those_of(const struct mat *w, const uint8_t *q)
{
	size_t bytes = mat_code_bytes(w->bits, w->rows, w->cols);
	uint32_t *words = xalloc(bytes);

	mat_pack(words, w->bits, w->rows, w->cols, q);
	cr_expect_eq(memcmp(words, w->data, bytes), 0, "int%d", w->bits);
	xfree(words);
}

Test(latent, codes_are_the_nearest_of_the_grid_at_all_widths_and_every_flip_is_counted)
{
	for (int bits = 1; bits <= 8; bits++) {
		struct tune_options o = tune_defaults;
		struct trained m = tune_make("stats", &o, bits, bits % 2 ? 32 : 64, ROWS, COLS, 4);
		float *master = master_of(&m, 5);
		struct tune_counts c = { 0 };
		uint8_t was[COLS], q[ROWS * COLS];
		uint64_t flips = 0;
		double top = (1 << bits) - 1;

		for (size_t r = 0; r < ROWS; r++)
			mat_unpack_row(&m.t.w, r, q + r * COLS);
		latent_round(&m.t, master, &o, m.scratch, &c);
		for (size_t r = 0; r < ROWS; r++) {
			memcpy(was, q + r * COLS, COLS);
			mat_unpack_row(&m.t.w, r, q + r * COLS);
			for (size_t i = 0; i < COLS; i++) {
				double v = level(&m.t.w, r, i, master);

				v = v < 0 ? 0 : v > top ? top : v;
				cr_assert_leq(fabs((double)q[r * COLS + i] - v), 0.5 + 1e-3,
					"int%d: %g is %d", bits, v, q[r * COLS + i]);
				flips += was[i] != q[r * COLS + i];
			}
		}
		words_are_those_of(&m.t.w, q);
		cr_expect_eq(c.flips[bits], flips);
		cr_expect(flips > 0 || bits == 1); /* one bit is a sign */
		c = (struct tune_counts){ 0 };
		latent_round(&m.t, master, &o, m.scratch, &c);
		cr_expect_eq(c.flips[bits], 0);
		xfree(master);
		tune_free(&m);
	}
}

/* The sums of a group that a step of scale and centre follows, in double. */
static void sums_of(const struct mat *w, size_t r, size_t g, const float *master, const float *grad,
	double *gs, double *gc, double *size)
{
	double top = (1 << w->bits) - 1;

	*gs = *gc = *size = 0;
	for (size_t c = g * w->group; c < w->cols && c < (g + 1) * w->group; c++) {
		double v = level(w, r, c, master), x = (double)grad[r * w->cols + c];
		double q = v < 0 ? 0 : v > top ? top : floor(v + 0.5);

		if (v > -0.5 && v < top + 0.5) {
			*gs += x * (q - v);
		} else {
			*gs += x * (q - top / 2);
			*gc += x;
		}
		*size += fabs(x);
	}
}

/* As gptq leaves them: every third code is not the nearest one. */
Test(latent, a_master_begins_where_codes_were_chosen_and_else_stays_what_it_is)
{
	for (int bits = 2; bits <= 8; bits++) {
		struct tune_options o = tune_defaults;
		struct trained m = tune_make("stats", &o, bits, bits % 2 ? 32 : 64, ROWS, COLS, 4);
		float *master = master_of(&m, 5), *was = xarray(ROWS * COLS, sizeof *was);
		struct tune_counts c = { 0 };
		uint8_t q[ROWS * COLS];
		int top = (1 << bits) - 1;

		latent_round(&m.t, master, &o, m.scratch, &c);
		for (size_t r = 0; r < ROWS; r++)
			mat_unpack_row(&m.t.w, r, q + r * COLS);
		for (size_t i = 0; i < ROWS * COLS; i += 3)
			q[i] = (uint8_t)(q[i] < top ? q[i] + 1 : q[i] - 1);
		mat_pack((uint32_t *)m.t.w.data, bits, ROWS, COLS, q);
		memcpy(was, master, ROWS * COLS * sizeof *was);
		latent_start(&m.t, master);
		for (size_t i = 0; i < ROWS * COLS; i++)
			cr_assert_eq(master[i] != was[i], i % 3 == 0, "int%d, weight %zu", bits, i);
		c = (struct tune_counts){ 0 };
		latent_round(&m.t, master, &o, m.scratch, &c);
		cr_expect_eq(c.flips[bits], 0);
		words_are_those_of(&m.t.w, q);
		xfree(master);
		xfree(was);
		tune_free(&m);
	}
}

Test(latent, the_gradient_goes_straight_to_the_master_and_what_lies_beyond_moves_the_grid)
{
	for (int bits = 2; bits <= 4; bits++) {
		struct tune_options o = tune_defaults;
		struct trained m = tune_make("stats", &o, bits, 64, ROWS, COLS, 4);
		const struct mat *w = &m.t.w;
		float *master = master_of(&m, 6), *grad = xarray(ROWS * COLS, sizeof *grad);
		double top = (1 << bits) - 1;
		size_t beyond = 0, checked = 0;
		uint16_t scale[ROWS * 4], offset[ROWS * 4];
		struct tune_counts c = { 0 };
		struct rng r;

		o.lr_s = 0.05;
		o.warmup = 0;
		rng_seed(&r, 8);
		tune_noise(&m, &r, 1e-3);
		memcpy(grad, m.grad, ROWS * COLS * sizeof *grad);
		latent_round(&m.t, master, &o, m.scratch, &c);
		for (size_t i = 0; i < ROWS * 4; i++) {
			scale[i] = mat_stat(w->scale, w, i / 4, i % 4);
			offset[i] = mat_stat(w->offset, w, i / 4, i % 4);
		}
		cr_assert(latent_step(&m.t, master, m.grad, 1, &o, m.scratch, &c));
		for (size_t i = 0; i < ROWS * 4; i++) {
			size_t row = i / 4, g = i % 4;
			double s = (double)f16_to_f32(scale[i]), gs, gc, size, now, moved;

			now = (double)f16_to_f32(mat_stat(w->scale, w, row, g));
			moved = (double)f16_to_f32(mat_stat(w->offset, w, row, g)) + now * top / 2 -
				(double)f16_to_f32(offset[i]) - s * top / 2;
			/* against the grid of before */
			((uint16_t *)(uintptr_t)w->scale)[(row / 16 * 4 + g) * 16 + row % 16] =
				scale[i];
			((uint16_t *)(uintptr_t)w->offset)[(row / 16 * 4 + g) * 16 + row % 16] =
				offset[i];
			sums_of(w, row, g, master, grad, &gs, &gc, &size);
			/* Adam's first step is the sign */
			if (fabs(gs) > 1e-3 * size && ++checked)
				cr_expect_float_eq(now / s, gs > 0 ? 0.95 : 1.05, 2e-3);
			if (gc == 0)
				cr_expect_lt(fabs(moved), 1e-3 * s * top);
			else if (fabs(gc) > 1e-3 * size)
				cr_expect_float_eq(
					moved / s / (top / 2), gc > 0 ? -0.05 : 0.05, 1e-2);
		}
		cr_expect_gt(checked, ROWS * 3);
		for (size_t i = 0; i < ROWS * COLS; i++) {
			double v = level(w, i / COLS, i % COLS, master);
			bool in = v > -0.5 && v < top + 0.5;

			if (fabs(v + 0.5) < 1e-3 || fabs(v - top - 0.5) < 1e-3)
				continue;
			beyond += !in;
			cr_assert_eq(m.grad[i], in ? grad[i] : 0, "int%d, level %g", bits, v);
		}
		cr_expect_gt(beyond, 20);
		xfree(master);
		xfree(grad);
		tune_free(&m);
	}
}

Test(latent, every_instruction_set_gives_the_same_bits)
{
	float w[80], g[80], of[80];
	uint8_t q[96], first[96];
	struct rng r;

	rng_seed(&r, 2);
	for (size_t i = 0; i < 80; i++) {
		w[i] = 0.05f * (float)rng_normal(&r);
		g[i] = (float)rng_normal(&r);
	}
	for (size_t n = 1; n <= 80; n++) {
		const struct tune_loops *const *all = tune_loops_all();
		float sum[2][2];

		for (size_t k = 0; all[k]; k++) {
			float *to = sum[k > 0];

			memcpy(of, g, sizeof of);
			all[k]->nearest(q, w, -0.06f, 1 / 0.04f, 3, n);
			all[k]->straight(&to[0], &to[1], of, w, -0.06f, 1 / 0.04f, 3, n);
			cr_assert_eq(
				memcmp(of + n, g + n, (80 - n) * sizeof *g), 0, "beyond %zu", n);
			if (!k)
				memcpy(first, q, sizeof first);
			cr_assert_eq(memcmp(first, q, n), 0, "%s, %zu", all[k]->name, n);
			cr_assert(!k || !memcmp(sum[0], sum[1], sizeof sum[0]), "%s, %zu",
				all[k]->name, n);
		}
	}
}

/* ---- it learns: |(W - aim) X|^2, X correlated, starting from the aim rounded */

enum { N = 64 };

struct toy {
	double h[N][N];
	float aim[N * N];
};

static double toy_loss(const struct toy *t, struct trained *m)
{
	const float *w = tune_dense(m);
	double sum = 0;

	for (size_t i = 0; i < N; i++)
		for (size_t a = 0; a < N; a++) {
			double g = 0, d;

			for (size_t b = 0; b < N; b++)
				g += t->h[b][a] *
				     ((double)w[i * N + b] - (double)t->aim[i * N + b]);
			d = (double)w[i * N + a] - (double)t->aim[i * N + a];
			sum += d * g;
			m->grad[i * N + a] = (float)(2 * g);
		}
	return sum;
}

static void toy_make(struct toy *t, struct rng *r)
{
	double x[N][N];

	for (size_t i = 0; i < N; i++) {
		double common = rng_normal(r);

		for (size_t k = 0; k < N; k++)
			x[i][k] = 0.7 * rng_normal(r) + common;
	}
	for (size_t a = 0; a < N; a++)
		for (size_t b = 0; b < N; b++) {
			t->h[a][b] = 0;
			for (size_t i = 0; i < N; i++)
				t->h[a][b] += x[i][a] * x[i][b] / N;
		}
}

Test(latent, a_master_ends_well_below_the_aim_rounded, .timeout = 60)
{
	struct toy *t = xalloc(sizeof *t);
	struct tune_options o = tune_defaults;
	struct tune_counts c = { 0 };
	struct trained m, w;
	double start, end;
	float *master;
	struct rng r;

	o.steps = 300;
	o.unit = LR_ABSOLUTE;
	o.lr = 3e-4;
	o.lr_s = 3e-3;
	rng_seed(&r, 3);
	toy_make(t, &r);
	m = tune_make("stats", &o, 2, 64, N, N, 4);
	w = tune_make("adamw", &o, 0, 0, N, N, 4);
	master = (float *)(uintptr_t)w.t.w.data;
	memcpy(t->aim, master, sizeof t->aim);
	latent_round(&m.t, master, &o, m.scratch, &c);
	start = toy_loss(t, &m);
	for (uint64_t step = 1; step <= o.steps; step++) {
		(void)toy_loss(t, &m);
		memcpy(w.grad, m.grad, sizeof t->aim);
		cr_assert(latent_step(&m.t, master, w.grad, step, &o, m.scratch, &c));
		tune_step(&w, step);
		latent_round(&m.t, master, &o, m.scratch, &c);
	}
	end = toy_loss(t, &m);
	cr_expect_lt(end, 0.75 * start, "%g of %g", end, start);
	tune_free(&m);
	tune_free(&w);
	xfree(t);
}
