/* test_tune_grid.c - what holds of every optimizer on codes after any step: the grid, the counts,
 * the same bits (FORMULAS.md 3.5: T1, T2, T3, T7, T8). */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/tune/loops.h"
#include "kernels/pool.h"
#include "tests/lib_tune.h"

static const char *const on_codes[] = { "rank", "flips", "sr", "stats", "diodemix", "galore" };
enum { KINDS = sizeof on_codes / sizeof *on_codes };

static struct tune_options lively(void)
{
	struct tune_options o = tune_defaults;

	o.lr = 0.1;
	o.from = 0.02;
	o.to = 0.01;
	o.first_move = 2;
	o.steps = 40;
	o.warmup = 2;
	o.gap = 5;
	o.seed = 7;
	return o;
}

static uint8_t *codes_of(const struct mat *w)
{
	struct err e;
	uint8_t *q = big_alloc(w->rows * w->cols, "codes", &e);

	cr_assert_not_null(q);
	for (size_t r = 0; r < w->rows; r++)
		mat_unpack_row(w, r, q + r * w->cols);
	return q;
}

/* Packing what was read gives the words there are: the padding is 0, nothing else was written. */
static void cr_on_grid(const struct trained *m, const char *by)
{
	const struct mat *w = &m->t.w;
	size_t bytes = mat_code_bytes(w->bits, w->rows, w->cols);
	uint8_t *q = codes_of(w);
	uint32_t *words;
	struct err e;

	words = big_alloc(bytes, "words", &e);
	cr_assert_not_null(words);
	mat_pack(words, w->bits, w->rows, w->cols, q);
	cr_assert_eq(memcmp(words, w->data, bytes), 0, "%s int%d", by, w->bits);
	big_free(words);
	big_free(q);
}

static void cr_counts(
	const struct trained *m, const uint8_t *was, const uint8_t *first, const char *by)
{
	const struct mat *w = &m->t.w;
	uint8_t *q = codes_of(w), top = (uint8_t)((1 << w->bits) - 1);
	uint64_t flips = 0, ends = 0, apart = 0;

	for (size_t i = 0; i < w->rows * w->cols; i++) {
		flips += q[i] != was[i];
		ends += q[i] == 0 || q[i] == top;
		apart += q[i] != first[i];
	}
	cr_assert_eq(m->c.weights[w->bits], w->rows * w->cols);
	cr_assert_eq(m->c.flips[w->bits], flips, "%s int%d", by, w->bits);
	cr_assert_eq(m->c.saturated[w->bits], ends, "%s int%d", by, w->bits);
	cr_assert_geq(m->c.changed, apart);
	cr_assert_leq(m->c.reversals, m->c.seen_flips);
	big_free(q);
}

Test(tune_grid, codes_stay_on_the_grid_and_every_flip_is_counted_at_all_widths_and_ragged_groups)
{
	struct tune_options o = lively();

	for (size_t k = 0; k < KINDS; k++)
		for (int bits = 1; bits <= 8; bits++) {
			struct trained m = tune_make(on_codes[k], &o, bits, 96, 37, 331, 5);
			uint8_t *first = codes_of(&m.t.w);
			uint64_t flips = 0;
			struct rng r;

			rng_seed(&r, 1);
			for (uint64_t step = 1; step <= 6; step++) {
				uint8_t *was = codes_of(&m.t.w);

				tune_noise(&m, &r, 1e-3);
				tune_step(&m, step);
				cr_on_grid(&m, on_codes[k]);
				cr_counts(&m, was, first, on_codes[k]);
				flips += m.c.flips[bits];
				big_free(was);
			}
			cr_assert(strcmp(on_codes[k], "stats") == 0
					  ? !flips
					  : strcmp(on_codes[k], "diodemix") == 0 || flips > 0,
				"%s int%d never moved", on_codes[k], bits);
			big_free(first);
			tune_free(&m);
		}
}

Test(tune_grid, a_row_read_by_the_loops_is_the_row_of_mat_h)
{
	struct tune_options o = lively();

	for (int bits = 1; bits <= 8; bits++) {
		struct trained m = tune_make("stats", &o, bits, 64, 20, 96, 9);
		uint8_t want[96], got[96];

		for (const struct tune_loops *const *l = tune_loops_all(); *l; l++)
			for (size_t r = 0; r < 20; r++) {
				mat_unpack_row(&m.t.w, r, want);
				(*l)->codes(got,
					(const uint32_t *)m.t.w.data +
						r / 16 * 3 * (size_t)bits * 16 + r % 16,
					bits, 3);
				cr_assert_eq(
					memcmp(want, got, 96), 0, "%s int%d", (*l)->name, bits);
			}
		tune_free(&m);
	}
}

Test(tune_grid, the_budget_of_rank_is_kept_to_the_flip)
{
	struct tune_options o = lively();
	struct trained m = tune_make("rank", &o, 4, 128, 64, 300, 2);
	double budget = 0, made = 0;
	struct rng r;

	rng_seed(&r, 3);
	for (uint64_t step = 1; step <= 12; step++) {
		tune_noise(&m, &r, 1e-3);
		tune_step(&m, step);
		budget += tune_budget(&o, step) * 64 * 300;
		made += (double)m.c.flips[4];
		cr_assert(made <= budget + 1e-6 && made > budget - 1, "step %d: %g of %g",
			(int)step, made, budget);
	}
	tune_free(&m);
}

/* The step's end of two matrices: codes that differ are counted, each by one level. */
static void moved_in_finish(struct tuned both[2], const struct trained m[2], uint64_t step,
	const struct tune_options *o, uint64_t flips[2])
{
	uint8_t *was[2] = { codes_of(&both[0].w), codes_of(&both[1].w) };
	struct tune_counts c = { 0 };
	uint64_t moved = 0;

	optim_finish(m[0].by, both, 2, step, o, m[0].scratch, &c);
	for (int i = 0; i < 2; i++) {
		uint8_t *now = codes_of(&both[i].w);

		for (size_t k = 0; k < both[i].w.rows * both[i].w.cols; k++) {
			int by = (int)now[k] - (int)was[i][k];

			cr_assert(by >= -1 && by <= 1);
			flips[i] += by != 0;
			moved += by != 0;
		}
		big_free(was[i]);
		big_free(now);
	}
	cr_assert_eq(c.flips[4], moved, "step %d", (int)step);
}

Test(tune_grid, rank_across_two_matrices_spends_one_budget_where_the_scores_are)
{
	struct tune_options o = lively();
	struct trained m[2];
	struct tuned both[2];
	struct rng r;
	uint64_t flips[2] = { 0 };
	double budget = 0, made;

	o.across = true;
	rng_seed(&r, 4);
	for (int i = 0; i < 2; i++) {
		m[i] = tune_make("rank", &o, 4, 64, 32, 128, 10 + (uint64_t)i);
		m[i].t.index = (size_t)i;
		both[i] = m[i].t;
	}
	for (uint64_t step = 1; step <= 12; step++) {
		for (int i = 0; i < 2; i++) {
			struct tune_counts at = { 0 };

			tune_noise(&m[i], &r, 1e-3);
			for (size_t k = 0; i == 1 && k < 32 * 128; k++)
				m[1].grad[k] +=
					k % 3 ? 2e-3f : -2e-3f; /* the second knows where to go */
			optim_step(m[i].by, &both[i], m[i].grad, step, &o, m[i].scratch, &at);
			cr_assert_eq(at.flips[4], 0);
		}
		moved_in_finish(both, m, step, &o, flips);
		budget += 2 * tune_budget(&o, step) * 32 * 128;
	}
	made = (double)(flips[0] + flips[1]);
	cr_assert(made <= budget + 1e-6 && made > budget - 1, "%g of %g", made, budget);
	cr_assert_gt(flips[1], 2 * flips[0]);
	cr_assert_gt(optim_changed(&both[1]), 2 * optim_changed(&both[0]));
	for (int i = 0; i < 2; i++)
		tune_free(&m[i]);
}

Test(tune_grid, away_from_the_ends_the_fixed_point_number_changes_by_the_rounded_increment)
{
	enum { N = 256 };
	struct rng rng;

	rng_seed(&rng, 11);
	for (int round = 0; round < 4000; round++) { /* 10^6 cases, any of which may be at an end */
		int8_t r[N], move[N], before[N];
		uint8_t q[N];
		float u[N], by[N];
		uint32_t h[N];
		int top = (1 << (1 + rng_below(&rng, 8))) - 1;
		const struct tune_loops *l = tune_loops_all()[0];

		if (round % 3 && tune_loops_all()[1])
			l = tune_loops();
		for (int i = 0; i < N; i++) {
			r[i] = before[i] = (int8_t)((int)rng_below(&rng, 256) - 128);
			q[i] = (uint8_t)rng_below(&rng, (uint32_t)top + 1);
			u[i] = (float)rng_normal(&rng);
			by[i] = (float)(rng_normal(&rng) * (round % 2 ? 4 : 150));
			h[i] = (uint32_t)rng_u64(&rng);
		}
		l->residual(r, move, q, u, by, h, top, N);
		for (int i = 0; i < N; i++) {
			/* the product in float, as the loop has it; the rest exactly, in 2^-24 */
			float product = u[i] * by[i], whole = floorf(product);
			float part = product - whole; /* rounds where product is tiny and below 0 */
			int64_t add = (int64_t)whole + (part + (float)(h[i] >> 8) * 0x1p-24f >= 1);
			int64_t x = before[i] + add, k = (x + 128) >> 8, to, left;

			k = k < -1 ? -1 : k > 1 ? 1 : k;
			to = q[i] + k < 0 ? 0 : q[i] + k > top ? top : q[i] + k;
			left = x - 256 * (to - q[i]);
			left = left < -128 ? -128 : left > 127 ? 127 : left;
			cr_assert_eq(move[i], to - q[i]);
			cr_assert_eq(r[i], left);
			if (add > -128 && add < 128 && q[i] > 0 && q[i] < top)
				cr_assert_eq(256 * (int64_t)move[i] + r[i] - before[i], add);
		}
	}
}

Test(tune_grid, the_mean_of_4096_dithered_updates_is_the_update_to_4_sigma)
{
	enum { N = 4096 };
	static int8_t r[N], move[N];
	static uint8_t q[N];
	static float u[N], by[N];
	static uint32_t h[N];
	static const float deltas[] = { 0.03f, -0.37f, 1.5f, -2.71f, 0.5f };

	for (size_t d = 0; d < sizeof deltas / sizeof *deltas; d++) {
		double sum = 0, part = (double)deltas[d] - floor((double)deltas[d]), sigma;

		for (int i = 0; i < N; i++) {
			r[i] = 0;
			q[i] = 2;
			u[i] = 1;
			by[i] = deltas[d];
		}
		tune_loops()->hash(h, 12345 + (uint32_t)d, 0, N);
		tune_loops()->residual(r, move, q, u, by, h, 3, N);
		for (int i = 0; i < N; i++)
			sum += 256.0 * move[i] + r[i];
		sigma = sqrt(part * (1 - part) / N);
		cr_assert_lt(fabs(sum / N - (double)deltas[d]), 4 * sigma, "%g: %g",
			(double)deltas[d], sum / N);
	}
}

/* `steps` steps from `from` on; the noise of a step belongs to the step. */
static void run(struct trained *m, uint64_t from, uint64_t steps)
{
	for (uint64_t step = from; step < from + steps; step++) {
		struct rng r;

		rng_seed(&r, 100 + step);
		tune_noise(m, &r, 1e-3);
		tune_step(m, step);
	}
}

static void cr_same(
	const struct trained *a, const struct trained *b, const char *by, const char *why)
{
	const struct mat *v = &a->t.w, *w = &b->t.w;

	cr_assert_eq(memcmp(v->data, w->data, tune_w_bytes(a)), 0, "%s: codes, %s", by, why);
	cr_assert_eq(memcmp(a->t.state, b->t.state, a->t.state_bytes), 0, "%s: state, %s", by, why);
	if (v->type == MAT_INT) {
		size_t n = mat_stat_count(v->rows, v->cols, v->group) * 2;

		cr_assert_eq(memcmp(v->scale, w->scale, n), 0, "%s: scales, %s", by, why);
		cr_assert_eq(memcmp(v->offset, w->offset, n), 0, "%s: offsets, %s", by, why);
	}
}

Test(tune_grid, two_runs_one_and_two_threads_any_instruction_set_and_a_resume_give_the_same_bits)
{
	static const struct {
		const char *by;
		int bits;
	} all[] = { { "rank", 2 }, { "flips", 2 }, { "sr", 2 }, { "stats", 2 }, { "diodemix", 2 },
		{ "galore", 2 }, { "galore", 0 }, { "adamw", 0 }, { "adam8", 0 } };
	struct tune_options o = lively();
	struct err e;

	for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
		int bits = all[k].bits;
		struct trained a, b, c, d;
		void *kept;

		pool_start(2);
		a = tune_make(all[k].by, &o, bits, 64, 70, 321, 6);
		b = tune_make(all[k].by, &o, bits, 64, 70, 321, 6);
		c = tune_make(all[k].by, &o, bits, 64, 70, 321, 6);
		d = tune_make(all[k].by, &o, bits, 64, 70, 321, 6);
		run(&a, 1, 8);
		run(&b, 1, 8);
		cr_same(&a, &b, all[k].by, "again");
		setenv("BITDIAL_CPU", "ref", 1);
		pool_start(1);
		run(&c, 1, 8);
		cr_same(&a, &c, all[k].by, "one thread, plain loops");
		unsetenv("BITDIAL_CPU");
		run(&d, 1, 4);
		kept = big_alloc(d.t.state_bytes, "kept", &e);
		memcpy(kept, d.t.state, d.t.state_bytes);
		memset(d.t.state, 0xff, d.t.state_bytes);
		cr_assert_eq(
			optim_load(d.by, &d.t, kept, d.t.state_bytes, &o, &e), ST_OK, "%s", e.msg);
		run(&d, 5, 4);
		cr_same(&a, &d, all[k].by, "resumed");
		big_free(kept);
		tune_free(&a);
		tune_free(&b);
		tune_free(&c);
		tune_free(&d);
	}
	pool_stop();
}

Test(tune_grid, a_gradient_that_is_no_number_touches_nothing_and_is_counted)
{
	static const float bad[] = { NAN, INFINITY, -INFINITY, 1e30f };
	struct tune_options o = lively();

	for (size_t k = 0; k < KINDS; k++) {
		struct trained a = tune_make(on_codes[k], &o, 4, 128, 33, 200, 6);
		struct trained b = tune_make(on_codes[k], &o, 4, 128, 33, 200, 6);

		run(&a, 1, 3);
		run(&b, 1, 3);
		for (size_t i = 0; i < 4; i++) {
			memset(b.grad, 0, 33 * 200 * sizeof *b.grad);
			b.grad[57 * (i + 1)] = bad[i];
			tune_step(&b, 4);
			cr_assert_eq(b.c.frozen, 1);
			cr_assert_eq(b.c.flips[4], 0);
			cr_same(&a, &b, on_codes[k], "left alone");
		}
		tune_free(&a);
		tune_free(&b);
	}
}

Test(tune_grid, what_lies_behind_the_last_value_changes_nothing)
{
	const float by[16] = { 90, -70, 20, 300, 5, -256, 128, 44, NAN, INFINITY, 1 };
	const uint8_t q[16] = { 0, 3, 1, 2, 0, 3, 2, 1, 255, 255 };
	const uint32_t h[16] = { 1u << 31, 7, 1u << 30, 3u << 30 };

	for (const struct tune_loops *const *l = tune_loops_all(); *l; l++) {
		float u[2][16] = { { 1, -1, 2, 1, -3, 1, 1, 2 }, { 1, -1, 2, 1, -3, 1, 1, 2 } };
		int8_t r[2][16] = { { 0 } }, move[2][16] = { { 0 } };

		for (int i = 8; i < 16; i++) {
			u[1][i] = i % 2 ? NAN : -INFINITY;
			r[1][i] = -128;
		}
		for (int k = 0; k < 2; k++) {
			(*l)->residual(r[k], move[k], q, u[k], by, h, 3, 8);
			(*l)->stochastic(move[k], q, u[k], by, h, 3, 8);
		}
		cr_expect_eq(memcmp(r[0], r[1], 8), 0, "%s", (*l)->name);
		cr_expect_eq(memcmp(move[0], move[1], 8), 0, "%s", (*l)->name);
	}
}

Test(tune_grid, a_checkpoint_of_another_optimizer_or_shape_is_refused_and_changes_nothing)
{
	struct tune_options o = lively();
	struct trained a = tune_make("rank", &o, 4, 128, 33, 200, 6);
	struct trained b = tune_make("sr", &o, 4, 128, 33, 200, 6);
	unsigned char *was = xalloc(a.t.state_bytes);
	struct err e;

	cr_assert_eq(a.t.state_bytes, b.t.state_bytes); /* only the name differs */
	memcpy(was, a.t.state, a.t.state_bytes);
	cr_assert_eq(optim_load(a.by, &a.t, b.t.state, b.t.state_bytes, &o, &e), ST_FORMAT);
	cr_assert_eq(optim_load(a.by, &a.t, was, 10, &o, &e), ST_FORMAT);
	was[24]++; /* rows */
	cr_assert_eq(optim_load(a.by, &a.t, was, a.t.state_bytes, &o, &e), ST_FORMAT);
	was[24]--;
	cr_assert_eq(memcmp(was, a.t.state, a.t.state_bytes), 0);
	xfree(was);
	tune_free(&a);
	tune_free(&b);
}

Test(tune_grid, an_optimizer_refuses_the_kind_of_weights_it_does_not_train)
{
	struct mat dense = { .type = MAT_F32, .rows = 4, .cols = 64 };
	struct tune_plan p;
	struct err e;

	cr_assert_eq(
		optim_plan(&p, optimizer_find("rank"), &dense, &tune_defaults, &e), ST_INVALID);
	cr_assert_str_eq(
		e.msg, "rank does not train dense weights: choose one of galore, adamw, adam8");
	dense.type = MAT_INT;
	dense.bits = 2;
	dense.group = 64;
	cr_assert_eq(
		optim_plan(&p, optimizer_find("adamw"), &dense, &tune_defaults, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "adamw does not train packed codes: choose one of rank, flips, sr, "
				"stats, diodemix, galore");
	dense.rows = (size_t)1 << 40;
	cr_assert_eq(
		optim_plan(&p, optimizer_find("rank"), &dense, &tune_defaults, &e), ST_INVALID);
	cr_assert_null(optimizer_find("nothing"));
}
