/* bench_tune.c - seconds an optimizer takes for the weights of a SmolLM2-135M-like model, as JSON
 * lines: 106 million in 210 linears of its shapes, each with state of its own, in INT2 g64 and
 * INT4 g128.  The first argument: threads (default: one a core); the second: only this optimizer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/tune/optim.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { BLOCKS = 30, LINEARS = 7, RUNS = 7 };

static const size_t shapes[LINEARS][2] = { { 576, 576 }, { 192, 576 }, { 192, 576 }, { 576, 576 },
	{ 1536, 576 }, { 1536, 576 }, { 576, 1536 } };

struct job {
	const struct optimizer *by;
	struct tune_options o;
	struct tuned t[BLOCKS * LINEARS];
	float *grad, *work;
	void *scratch;
	uint64_t step;
	struct tune_counts last;
};

static void *room(size_t bytes)
{
	struct err e;
	void *p = big_alloc(bytes, "bench_tune", &e);

	bench_check(p ? ST_OK : ST_NOMEM, &e, "bench_tune");
	return p;
}

static void run(void *arg)
{
	struct job *j = arg;

	j->step++;
	j->last = (struct tune_counts){ 0 };
	for (size_t i = 0; i < BLOCKS * LINEARS; i++) {
		struct tuned *t = &j->t[i];

		/* a gradient comes fresh from its product */
		memcpy(j->work, j->grad + i * 64, t->w.rows * t->w.cols * sizeof *j->work);
		optim_step(j->by, t, j->work, j->step, &j->o, j->scratch, &j->last);
	}
	optim_finish(j->by, j->t, BLOCKS * LINEARS, j->step, &j->o, j->scratch, &j->last);
}

static void copy(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; i < BLOCKS * LINEARS; i++)
		memcpy(j->work, j->grad + i * 64,
			j->t[i].w.rows * j->t[i].w.cols * sizeof *j->work);
}

static size_t begin(struct job *j, int bits, size_t group)
{
	size_t most = 0, state = 0;
	struct tune_plan p;
	struct err e;

	for (size_t i = 0; i < BLOCKS * LINEARS; i++) {
		size_t rows = shapes[i % LINEARS][0], cols = shapes[i % LINEARS][1];
		size_t stats = mat_stat_count(rows, cols, group);
		uint16_t *s = room(stats * 2), *o = room(stats * 2);
		uint32_t *words = room(mat_code_bytes(bits, rows, cols));
		struct tuned *t = &j->t[i];

		for (size_t k = 0; k < stats; k++) {
			s[k] = f16_from_f32(0.02f);
			o[k] = f16_from_f32(-0.03f);
		}
		for (size_t k = 0; k < mat_code_bytes(bits, rows, cols) / 4; k++)
			words[k] = (uint32_t)k * 2654435761u;
		*t = (struct tuned){ .index = i,
			.w = { .type = MAT_INT,
				.bits = bits,
				.group = group,
				.rows = rows,
				.cols = cols,
				.data = words,
				.scale = s,
				.offset = o } };
		bench_check(optim_plan(&p, j->by, &t->w, &j->o, &e), &e, "bench_tune");
		t->state = room(p.state);
		t->state_bytes = p.state;
		state += p.state;
		most = p.scratch > most ? p.scratch : most;
		optim_init(j->by, t, &j->o);
	}
	j->scratch = room(most);
	return state;
}

static void end(struct job *j)
{
	for (size_t i = 0; i < BLOCKS * LINEARS; i++) {
		big_free((void *)j->t[i].w.data);
		big_free((void *)j->t[i].w.scale);
		big_free((void *)j->t[i].w.offset);
		big_free(j->t[i].state);
	}
	big_free(j->scratch);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *by;
		bool across;
	} all[] = { { "rank", false }, { "rank", true }, { "flips", false }, { "sr", false },
		{ "stats", false }, { "diodemix", false } };
	static const size_t n = 1536 * 576 + BLOCKS * LINEARS * 64;
	struct job *j = xalloc(sizeof *j);
	struct rng r;

	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	rng_seed(&r, 1);
	j->grad = room(n * sizeof(float));
	j->work = room(n * sizeof(float));
	for (size_t i = 0; i < n; i++)
		j->grad[i] = (float)(rng_normal(&r) * 1e-4);
	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		for (int bits = 2; bits <= 4; bits += 2) {
			struct bench_time t, c;
			double weights = 0;
			size_t state;
			char name[64];

			if (argc > 2 && strcmp(argv[2], all[k].by) != 0)
				continue;
			j->by = optimizer_find(all[k].by);
			j->o = tune_defaults;
			j->o.across = all[k].across;
			j->step = 0;
			state = begin(j, bits, bits == 2 ? 64 : 128);
			for (int i = 0; i < 6; i++)
				run(j);
			t = bench_run(run, j, RUNS);
			c = bench_run(copy, j, RUNS);
			for (int b = 0; b < TUNE_WIDTHS; b++)
				weights += (double)j->last.weights[b];
			snprintf(name, sizeof name, "tune.%s%s.int%d", all[k].by,
				all[k].across ? ".across" : "", bits);
			bench_print(name, "gweights_s", weights / 1e9, &t);
			printf("{\"bench\":\"%s.note\",\"copy_us\":%.0f,\"state_bytes_a_weight\":%."
			       "3f,"
			       "\"flips_a_step\":%.6f}\n",
				name, c.median * 1e6, (double)state / weights,
				(double)j->last.flips[bits] / weights);
			end(j);
		}
	return 0;
}
