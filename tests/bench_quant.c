/* bench_quant.c - weights a second of each quantizer, as JSON lines: one linear of 4096 x 4096
 * (or COLUMNS of the second argument) with normal weights, in the formats of the dial, by as
 * many threads as the first argument says (default: one a core).
 *
 * gptq gets moments of random activations; their factors are kept between runs, as the program
 * shares them between the linears of a site and their formats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/quant/quantizer.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { RUNS = 9, TOKENS = 2048 };

struct job {
	const struct quantizer *by;
	struct quant_input in;
	struct qcodes out;
};

static void run(void *arg)
{
	struct job *j = arg;
	struct err e;

	if (j->by->run(&j->in, &j->out, NULL, &e)) {
		fprintf(stderr, "bench_quant: %s\n", e.msg);
		exit(1);
	}
}

static float *normal(size_t n, struct rng *r)
{
	struct err e;
	float *p = big_array(n, sizeof *p, "weights", &e);

	if (!p) {
		fprintf(stderr, "bench_quant: %s\n", e.msg);
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		p[i] = (float)rng_normal(r);
	return p;
}

/* x^T x of random x, as moments are. */
static float *moments(size_t cols, const struct backend *be, struct rng *r)
{
	float *x = normal(TOKENS * cols, r), *m = normal(cols * cols, r);

	be->gemm(true, false, cols, cols, TOKENS, 1.0f / TOKENS, x, cols, x, cols, 0, m, cols,
		MATH_F32);
	big_free(x);
	return m;
}

int main(int argc, char **argv)
{
	static const struct format formats[] = { { 2, 64, 0, 0, 0 }, { 3, 64, 0, 0, 0 },
		{ 4, 128, 0, 0, 0 }, { 4, 64, 0, 0, 0 } };
	size_t cols = argc > 2 ? strtoull(argv[2], NULL, 10) : 4096, rows = 16777216 / cols;
	const struct backend *be = backend_best();
	struct job j = { 0 };
	struct rng r;
	struct err e;
	float *w, *m;

	rng_seed(&r, 1);
	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	w = normal(rows * cols, &r);
	m = moments(cols, be, &r);
	j.in = (struct quant_input){ .w = w,
		.rows = rows,
		.cols = cols,
		.moments = m,
		.backend = be,
		.cache = quant_cache_new() };
	for (size_t q = 0; quantizer_table[q]; q++)
		for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
			char name[96], format[FORMAT_NAME];
			struct bench_time t;

			if (qcodes_alloc(&j.out, formats[f], rows, cols, &e))
				return 1;
			j.by = quantizer_table[q];
			snprintf(name, sizeof name, "quantize %s %s %zux%zu", j.by->name,
				format_name(formats[f], format), rows, cols);
			t = bench_run(run, &j, j.by->needs_moments ? 3 : RUNS);
			bench_print(name, "gweights_s", 1e-9 * (double)(rows * cols), &t);
			qcodes_release(&j.out);
		}
	quant_cache_free(j.in.cache);
	big_free(w);
	big_free(m);
	pool_stop();
	return 0;
}
