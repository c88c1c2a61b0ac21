/* bench_kernels.c - how fast the operations of the best backend are: one JSON object a
 * line, median of the runs.  Threads as the first argument (default: one a core).
 *
 * Small matrices stay in the caches between runs ("fits" says where their bytes would
 * fit); "block stack" walks the linears of a 135M model once, as a token does.  A spread
 * above a fifth gets a note: something else ran.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/rng.h"
#include "kernels/backend.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { RUNS = 15, BLOCKS = 30 };

static const struct backend *be;
static struct rng rng;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t bytes_of(const struct mat *w)
{
	return mat_code_bytes(w->bits, w->rows, w->cols) +
	       4 * mat_stat_count(w->rows, w->cols, w->group);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Times fn(arg): runs long enough to be seen by the clock, RUNS times; prints the median,
 * `work` (in billions) over it as `unit`. */
static void measure(const char *name, const char *unit, double work, void (*fn)(void *), void *arg)
{
	double t[RUNS], start = now();
	size_t repeat = 1;

	fn(arg);
	if (now() - start < 500e-6)
		repeat = (size_t)(500e-6 / (now() - start + 1e-7)) + 1;
	for (int i = 0; i < RUNS; i++) {
		start = now();
		for (size_t k = 0; k < repeat; k++)
			fn(arg);
		t[i] = (now() - start) / (double)repeat;
	}
	qsort(t, RUNS, sizeof *t, by_value);
	printf("{\"op\":\"%s\",\"threads\":%d,\"us\":%.2f,\"min_us\":%.2f,\"%s\":%.2f%s}\n", name,
		pool_threads(), t[RUNS / 2] * 1e6, t[0] * 1e6, unit, work / t[RUNS / 2],
		t[RUNS * 3 / 4] > 1.2 * t[RUNS / 4] ? ",\"note\":\"large spread: a busy machine\""
						    : "");
	fflush(stdout);
}

struct walk {
	float *y;
	const float *x;
	size_t m;
	const struct mat *w;
	size_t n;
};

static void run_product(void *arg)
{
	const struct walk *p = arg;

	for (size_t i = 0; i < p->n; i++)
		backend_linear(be, p->y, p->w[i].rows, p->x, p->w[i].cols, p->m, &p->w[i]);
}

static const struct format {
	const char *name;
	int bits;
	size_t group;
} formats[] = { { "int2g64", 2, 64 }, { "int3g64", 3, 64 }, { "int4g128", 4, 128 },
	{ "int8g32", 8, 32 } };

static void bench_few(float *y, const float *x)
{
	static const size_t shapes[][2] = { { 576, 576 }, { 1536, 576 }, { 576, 1536 },
		{ 49152, 576 } };
	char name[64];

	for (size_t f = 0; f < 4; f++)
		for (size_t s = 0; s < 4; s++) {
			size_t rows = shapes[s][0], cols = shapes[s][1];
			struct mat w = bench_packed(
				be, &rng, formats[f].bits, formats[f].group, rows, cols);
			struct walk p = { y, x, 1, &w, 1 };

			snprintf(name, sizeof name, "gemv %s %zux%zu", formats[f].name, rows, cols);
			measure(name, "gweights_s", 1e-9 * (double)(rows * cols), run_product, &p);
			snprintf(name, sizeof name, "gemv %s %zux%zu bytes", formats[f].name, rows,
				cols);
			if (s == 3)
				measure(name, "gb_s", 1e-9 * (double)bytes_of(&w), run_product, &p);
			bench_packed_free(be, &w);
		}
}

static void bench_stack(float *y, const float *x)
{
	static const size_t shapes[7][2] = { { 576, 576 }, { 192, 576 }, { 192, 576 }, { 576, 576 },
		{ 1536, 576 }, { 1536, 576 }, { 576, 1536 } };
	char name[64];

	for (size_t f = 0; f < 3; f++) {
		struct mat w[7 * BLOCKS];
		struct walk p = { y, x, 1, w, 7 * BLOCKS };
		double bytes = 0;

		for (size_t i = 0; i < 7 * BLOCKS; i++) {
			w[i] = bench_packed(be, &rng, formats[f].bits, formats[f].group,
				shapes[i % 7][0], shapes[i % 7][1]);
			bytes += (double)bytes_of(&w[i]);
		}
		for (p.m = 1; p.m <= 8; p.m *= 2) {
			snprintf(name, sizeof name, "block stack %s m=%zu", formats[f].name, p.m);
			measure(name, "gb_s", 1e-9 * bytes, run_product, &p);
		}
		for (size_t i = 0; i < 7 * BLOCKS; i++)
			bench_packed_free(be, &w[i]);
	}
}

static void bench_many(float *y, const float *x)
{
	static const size_t shapes[][2] = { { 576, 576 }, { 1536, 576 }, { 576, 1536 },
		{ 192, 576 } };
	static const size_t ms[] = { 2, 4, 8, 9, 12, 64, 512, 1344 };
	char name[64];

	for (size_t s = 0; s < 4; s++) {
		struct mat w = bench_packed(be, &rng, 4, 128, shapes[s][0], shapes[s][1]),
			   dense = w;

		dense.type = MAT_F32;
		dense.data = bench_floats(be, &rng, w.rows * w.cols);
		for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
			struct walk p = { y, x, ms[i], &w, 1 };
			double work = 2e-9 * (double)(ms[i] * w.rows * w.cols);

			snprintf(name, sizeof name, "linear int4g128 %zux%zu m=%zu", w.rows, w.cols,
				ms[i]);
			measure(name, "gflop_s", work, run_product, &p);
			p.w = &dense;
			snprintf(name, sizeof name, "linear f32 %zux%zu m=%zu", w.rows, w.cols,
				ms[i]);
			measure(name, "gflop_s", work, run_product, &p);
		}
		be->free((void *)(uintptr_t)dense.data);
		bench_packed_free(be, &w);
	}
}

/* ---- x rounded to int8 */

static void run_int8(void *arg)
{
	const struct walk *p = arg;

	for (size_t i = 0; i < p->n; i++) {
		const struct product q = { p->y, p->w[i].rows, &p->w[i] };

		be->products(&q, 1, p->x, p->w[i].cols, p->m, MATH_INT8);
	}
}

/* A fifth of the blocks of a row with a value far above the rest, as in a layer: these take a
 * second digit. */
static float *uneven(size_t n)
{
	float *x = bench_floats(be, &rng, n);

	for (size_t i = 0; i < n; i += 150)
		x[i] *= 30;
	return x;
}

static void bench_int8(float *y, const float *x)
{
	static const size_t shapes[][2] = { { 576, 576 }, { 1536, 576 }, { 576, 1536 },
		{ 49152, 576 } };
	static const size_t ms[] = { 1, 2, 4, 8, 12, 128, 512 };
	char name[64];

	for (size_t f = 0; f < 4; f++)
		for (size_t s = 0; s < 4; s++) {
			struct mat w = bench_packed(be, &rng, formats[f].bits, formats[f].group,
				shapes[s][0], shapes[s][1]);

			for (size_t i = 0; i < (s == 3 ? 1 : sizeof ms / sizeof *ms); i++) {
				struct walk p = { y, x, ms[i], &w, 1 };

				snprintf(name, sizeof name, "int8 %s %zux%zu m=%zu",
					formats[f].name, w.rows, w.cols, ms[i]);
				measure(name, "gop_s", 2e-9 * (double)(ms[i] * w.rows * w.cols),
					run_int8, &p);
			}
			bench_packed_free(be, &w);
		}
}

static uint64_t read_sum[64];

/* Reads a word of each cache line of the codes of one matrix: more would wait for sums. */
static void read_part(void *arg, size_t part)
{
	const struct walk *p = arg;
	const uint64_t *words = p->w[part].data;
	size_t n = mat_code_bytes(p->w[part].bits, p->w[part].rows, p->w[part].cols) / 8;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i += 8)
		sum += words[i];
	read_sum[part] += sum;
}

/* One pass over matrices that no cache holds, in turn with a plain read of their codes: GB/s,
 * and the share of what reading alone reaches in the same seconds. */
static void bench_int8_cold(size_t f, size_t rows, size_t cols, float *y, const float *x)
{
	struct mat w[64];
	struct walk p = { y, x, 1, w, 0 };
	double bytes = 0, codes = 0, t[RUNS], r[RUNS], start;

	for (; bytes < 170e6; p.n++) {
		w[p.n] = bench_packed(be, &rng, formats[f].bits, formats[f].group, rows, cols);
		bytes += (double)bytes_of(&w[p.n]);
		codes += (double)mat_code_bytes(w[p.n].bits, rows, cols);
	}
	for (int i = 0; i < RUNS; i++) {
		start = now();
		run_int8(&p);
		t[i] = now() - start;
		start = now();
		pool_run(read_part, &p, p.n);
		r[i] = now() - start;
	}
	qsort(t, RUNS, sizeof *t, by_value);
	qsort(r, RUNS, sizeof *r, by_value);
	printf("{\"op\":\"int8 %s %zux%zu m=1, from memory\",\"threads\":%d,\"us\":%.1f,"
	       "\"min_us\":%.1f,\"gb_s\":%.2f,\"read_gb_s\":%.2f,\"share\":%.3f%s}\n",
		formats[f].name, rows, cols, pool_threads(), t[RUNS / 2] / (double)p.n * 1e6,
		t[0] / (double)p.n * 1e6, bytes * 1e-9 / t[RUNS / 2], codes * 1e-9 / r[RUNS / 2],
		bytes / t[RUNS / 2] / (codes / r[RUNS / 2]),
		t[RUNS * 3 / 4] > 1.2 * t[RUNS / 4] ? ",\"note\":\"large spread: a busy machine\""
						    : "");
	fflush(stdout);
	while (p.n)
		bench_packed_free(be, &w[--p.n]);
}

static void bench_int8_memory(float *y, const float *x)
{
	static const size_t shapes[][2] = { { 4096, 4096 }, { 4096, 14336 }, { 2048, 8192 } };

	for (size_t f = 0; f < 4; f++)
		for (size_t s = 0; s < 3; s++)
			bench_int8_cold(f, shapes[s][0], shapes[s][1], y, x);
}

struct attend {
	float *out;
	const float *q;
	struct attn_seq seqs[21];
	size_t n;
	struct attn_shape shape;
};

static void run_attend(void *arg)
{
	const struct attend *a = arg;

	be->attention(a->out, a->q, a->seqs, a->n, &a->shape);
}

static void bench_attention(float *y, const float *x)
{
	struct attend a = { y, x, { { 0 } }, 21, { 9, 3, 64, 0, 0.125f } };

	for (size_t i = 0; i < 21; i++)
		a.seqs[i] = (struct attn_seq){
			.q0 = 64 * i, .m = 64, .k = x + 64 * 192 * i, .v = x + 64 * 192 * (i + 1)
		};
	measure("attention 21 x 64 rows, 9 heads", "gflop_s", 1e-9 * 21 * 9 * 64 * 64 * 128,
		run_attend, &a);
	a.n = 1;
	a.seqs[0] = (struct attn_seq){ .m = 512, .k = x, .v = x + 512 * 192 };
	measure("attention 512 rows, 9 heads", "gflop_s", 1e-9 * 9 * 512 * 512 * 128, run_attend,
		&a);
	a.seqs[0] = (struct attn_seq){ .m = 1, .pos = 1023, .k = x, .v = x + 1024 * 192 };
	measure("attention 1 row of 1024 keys, 9 heads", "gflop_s", 1e-9 * 9 * 1024 * 256,
		run_attend, &a);
}

struct logits {
	float *p, *q;
	double lp[64], lq[64], kl[64];
};

static void run_stats(void *arg)
{
	struct logits *l = arg;

	be->row_stats(l->lp, NULL, l->p, 64, 49152);
}

static void run_kl(void *arg)
{
	struct logits *l = arg;

	be->kl(l->kl, l->p, l->lp, l->q, l->lq, 64, 49152);
}

static void run_gemm(void *arg)
{
	struct walk *p = arg;

	be->gemm(true, false, 576, 576, 1024, 1, p->x, 576, p->x, 576, 1, p->y, 576, MATH_F32);
}

static void run_swiglu(void *arg)
{
	struct walk *p = arg;

	be->swiglu(p->y, p->x, p->x + 7, 512 * 1536);
}

static void run_rms(void *arg)
{
	struct walk *p = arg;

	be->rmsnorm(p->y, p->x, p->x, 512, 576, 1e-5f);
}

static void run_rope(void *arg)
{
	static int32_t pos[512];
	static float freq[32];
	struct walk *p = arg;

	for (int i = 0; i < 512; i++)
		pos[i] = i;
	for (int i = 0; i < 32; i++)
		freq[i] = 1.0f / (float)(1 + i);
	be->rope(p->y, 576, 512, 9, 64, pos, freq, ROPE_HALVES);
}

int main(int argc, char **argv)
{
	struct logits l;
	struct walk p = { 0 };
	float *x, *xu, *y;

	rng_seed(&rng, 1);
	be = backend_best();
	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	printf("{\"backend\":\"%s\",\"path\":\"%s\",\"threads\":%d}\n", be->name, be->path(),
		pool_threads());
	p.x = x = bench_floats(be, &rng, 1344 * 1536 + 8);
	p.y = y = bench_floats(be, &rng, 1344 * 1536);
	bench_few(y, x);
	bench_stack(y, x);
	bench_many(y, x);
	xu = uneven(512 * 1536);
	bench_int8(y, xu);
	bench_int8_memory(y, xu);
	bench_attention(y, x);
	l.p = bench_floats(be, &rng, 64 * 49152);
	l.q = bench_floats(be, &rng, 64 * 49152);
	be->row_stats(l.lq, NULL, l.q, 64, 49152);
	measure("row_stats 64x49152", "gvalues_s", 1e-9 * 64 * 49152, run_stats, &l);
	measure("kl 64x49152", "gvalues_s", 1e-9 * 64 * 49152, run_kl, &l);
	measure("gemm 576x576x1024", "gflop_s", 2e-9 * 576 * 576 * 1024, run_gemm, &p);
	measure("swiglu 512x1536", "gvalues_s", 1e-9 * 512 * 1536, run_swiglu, &p);
	measure("rmsnorm 512x576", "gvalues_s", 1e-9 * 512 * 576, run_rms, &p);
	measure("rope 512x576", "gvalues_s", 1e-9 * 512 * 576, run_rope, &p);
	pool_stop();
	return 0;
}
