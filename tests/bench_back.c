/* bench_back.c - operations backward beside the same forward, by turns: JSON lines (lib_bench.h).
 * Threads as the first argument (default: one a core), runs as the second.  The shapes are those of
 * a step of 4 x 256 tokens of a model of 135 million weights; weights are int4g128.  "ratio": the
 * rate backward over that forward.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "kernels/backend.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { M = 1024, SEQS = 4, HEADS = 9, KV = 3, DIM = 64 };

static struct rng rng;
static const struct backend *cpu;
static int runs = 11;

struct layer {
	struct mat w;
	float *x, *y, *dw;
	enum math math;
};

static void forward(void *arg)
{
	struct layer *l = arg;

	cpu->products(&(struct product){ l->y, l->w.rows, &l->w }, 1, l->x, l->w.cols, M, l->math);
}

static void back(void *arg)
{
	struct layer *l = arg;

	cpu->products_back(l->x, l->w.cols, false, l->y, l->w.rows, M, &l->w, l->math);
}

static void gradient(void *arg)
{
	struct layer *l = arg;

	cpu->gemm(true, false, l->w.rows, l->w.cols, M, 1, l->y, l->w.rows, l->x, l->w.cols, 0,
		l->dw, l->w.cols, l->math);
}

/* b beside a. */
static void compare(const char *name, bench_fn *a, bench_fn *b, void *arg, double gflop)
{
	struct bench_time ta, tb;
	double slower = bench_pair(&ta, &tb, a, arg, b, arg, runs);
	char full[96];

	snprintf(full, sizeof full, "%s forward", name);
	bench_print(full, "gflop_s", gflop, &ta);
	bench_print(name, "gflop_s", gflop, &tb);
	printf("{\"bench\":\"%s\",\"ratio\":%.2f}\n", name, 1 / slower);
	fflush(stdout);
}

static void layers(enum math math, const char *of)
{
	static const size_t shapes[][2] = { { 576, 576 }, { 192, 576 }, { 1536, 576 },
		{ 576, 1536 }, { 49152, 576 } };

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		size_t rows = shapes[i][0], cols = shapes[i][1];
		struct layer l = { bench_packed(cpu, &rng, 4, 128, rows, cols),
			bench_floats(cpu, &rng, M * cols), bench_floats(cpu, &rng, M * rows),
			bench_floats(cpu, &rng, rows * cols), math };
		double gflop = 2e-9 * M * (double)rows * (double)cols;
		char name[64];

		snprintf(name, sizeof name, "%s dx %zux%zu", of, rows, cols);
		compare(name, forward, back, &l, gflop);
		snprintf(name, sizeof name, "%s dw %zux%zu", of, rows, cols);
		compare(name, forward, gradient, &l, gflop);
		bench_packed_free(cpu, &l.w);
		cpu->free(l.x);
		cpu->free(l.y);
		cpu->free(l.dw);
	}
}

struct heads {
	struct attn_seq seqs[SEQS];
	struct attn_shape shape;
	float *q, *k, *v, *out, *dout, *dq, *dk, *dv;
};

static void attend(void *arg)
{
	struct heads *h = arg;

	cpu->attention(h->out, h->q, h->seqs, SEQS, &h->shape);
}

static void attend_back(void *arg)
{
	struct heads *h = arg;

	cpu->attention_back(h->dq, h->dk, h->dv, h->dout, h->out, h->q, h->seqs, SEQS, &h->shape);
}

static void attention(void)
{
	size_t nq = (size_t)M * HEADS * DIM, nk = (size_t)M * KV * DIM;
	struct heads h = { .shape = { HEADS, KV, DIM, 0, 0.125f },
		.q = bench_floats(cpu, &rng, nq),
		.k = bench_floats(cpu, &rng, nk),
		.v = bench_floats(cpu, &rng, nk),
		.out = bench_floats(cpu, &rng, nq),
		.dout = bench_floats(cpu, &rng, nq),
		.dq = bench_floats(cpu, &rng, nq),
		.dk = bench_floats(cpu, &rng, nk),
		.dv = bench_floats(cpu, &rng, nk) };

	for (size_t i = 0; i < SEQS; i++)
		h.seqs[i] = (struct attn_seq){ .q0 = i * (M / SEQS),
			.m = M / SEQS,
			.k = h.k + nk / SEQS * i,
			.v = h.v + nk / SEQS * i };
	compare("attention back", attend, attend_back, &h,
		4e-9 * HEADS * DIM * M * (M / SEQS + 1) / 2);
}

struct rest {
	float *a, *b, *c, *d, *gain, *z;
	int32_t label[M];
};

static void norm_back(void *arg)
{
	struct rest *r = arg;

	cpu->rmsnorm_back(r->a, r->gain, r->b, r->c, r->gain + 576, M, 576, 1e-5f);
}

static void swiglu_back(void *arg)
{
	struct rest *r = arg;

	cpu->swiglu_back(r->a, r->b, r->c, r->a, r->b, (size_t)M * 1536);
}

static void entropy(void *arg)
{
	struct rest *r = arg;

	cpu->cross_entropy(NULL, r->z, r->label, 256, 49152, 1e-3f);
}

static void between(void)
{
	size_t n = (size_t)M * 1536;
	struct rest r = { .a = bench_floats(cpu, &rng, n),
		.b = bench_floats(cpu, &rng, n),
		.c = bench_floats(cpu, &rng, n),
		.gain = bench_floats(cpu, &rng, 1152),
		.z = bench_floats(cpu, &rng, (size_t)256 * 49152) };
	struct bench_time t;

	t = bench_run(norm_back, &r, runs);
	bench_print("rmsnorm back 1024x576", "gvalue_s", 1e-9 * M * 576, &t);
	t = bench_run(swiglu_back, &r, runs);
	bench_print("swiglu back 1024x1536", "gvalue_s", 1e-9 * M * 1536, &t);
	t = bench_run(entropy, &r, runs);
	bench_print("cross entropy 256x49152", "gvalue_s", 1e-9 * 256 * 49152, &t);
}

int main(int argc, char **argv)
{
	rng_seed(&rng, 1);
	cpu = backend_best();
	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	if (argc > 2)
		runs = atoi(argv[2]);
	layers(MATH_BF16, "bf16");
	layers(MATH_F32, "f32");
	attention();
	between();
	pool_stop();
	return 0;
}
