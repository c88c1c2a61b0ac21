/* bench_bf16.c - products in bfloat16, one for each and three for each, beside those in float and
 * beside what the processor does from registers, in turns: one JSON object a line.  Threads as the
 * first argument (default: one a core), rounds as the second.
 *
 * Weights are int4g128 and are dequantized, x is float and is rounded, inside what is timed.
 * gflop_s is the median of the rounds, best that of the fastest one (of the product asked for, not
 * of three); share: of the best from registers.  A spread above a fifth gets a note: something else
 * ran.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/rng.h"
#include "kernels/cpu/cpu.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROUNDS = 41, MOST_ROUNDS = 2001, TIMES = 20000, SHAPES = 6, MATHS = 3 };

static struct rng rng;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- from registers ---- */

#if defined(__x86_64__)
__attribute__((target("amx-tile,amx-bf16"))) static void amx_part(void *arg, size_t part)
{
	/* palette, start row, 14 reserved; bytes a row of 16 tiles, rows of 16 tiles */
	static unsigned char c[64] = { 1 };

	(void)part;
	for (int i = 0; i < 8; i++) {
		c[16 + 2 * i] = 64;
		c[48 + i] = 16;
	}
	__asm__ volatile("" ::: "memory");
	_tile_loadconfig(c);
	for (int i = 0; i < *(const int *)arg / 4; i++) {
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	_tile_release();
}

__attribute__((target("avx512f,avx512bf16"))) static void bf16_part(void *arg, size_t part)
{
	__m512bh a = (__m512bh)_mm512_set1_epi32(0x3f803f80 + (int)part);
	__m512 s[16];

	for (int i = 0; i < 16; i++)
		s[i] = _mm512_setzero_ps();
	for (int i = 0; i < *(const int *)arg; i++)
#pragma GCC unroll 16
		for (int k = 0; k < 16; k++)
			s[k] = _mm512_dpbf16_ps(s[k], a, a);
	for (int i = 1; i < 16; i++)
		s[0] = _mm512_add_ps(s[0], s[i]);
	__asm__ volatile("" ::"v"(s[0])); /* is wanted */
}
#endif

/* GFLOP/s of all threads, 0: nothing to compare with. */
static double registers(void)
{
	static int times = TIMES;
	void (*fn)(void *, size_t) = NULL;
	double work = 0, start;

#if defined(__x86_64__)
	if (!strcmp(cpu_leaf()->name, "amx")) {
		fn = amx_part;
		work = 2e-9 * 16 * 16 * 32;
	} else if (!strcmp(cpu_leaf()->name, "bf16")) {
		fn = bf16_part;
		work = 16 * 2e-9 * 32;
	}
#endif
	if (!fn)
		return 0;
	start = now();
	pool_run(fn, &times, (size_t)pool_threads());
	return work * TIMES * pool_threads() / (now() - start);
}

/* ---- products ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, double *rate, int rounds, double peak)
{
	qsort(rate, (size_t)rounds, sizeof *rate, by_value);
	printf("{\"op\":\"%s\",\"threads\":%d,\"gflop_s\":%.1f,\"best\":%.1f", name, pool_threads(),
		rate[rounds / 2], rate[rounds - 1]);
	if (peak > 0)
		printf(",\"share\":%.2f", rate[rounds - 1] / peak);
	printf("%s}\n", rate[rounds * 3 / 4] > 1.2 * rate[rounds / 4]
				? ",\"note\":\"large spread: a busy machine\""
				: "");
}

int main(int argc, char **argv)
{
	/* rows of x, inputs, outputs */
	static const size_t shapes[SHAPES][3] = { { 1024, 576, 1536 }, { 1024, 1536, 576 },
		{ 1024, 576, 576 }, { 512, 576, 1536 }, { 512, 1536, 576 }, { 512, 576, 576 } };
	static const struct {
		const char *name;
		enum math math;
	} maths[MATHS] = { { "bf16", MATH_BF16 }, { "bf16x3", MATH_BF16X3 },
		{ "float", MATH_F32 } };
	static double rate[MATHS * SHAPES + 1][MOST_ROUNDS];
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
	float *x, *y;
	struct mat w[SHAPES];
	double peak;

	if (rounds < 1 || rounds > MOST_ROUNDS)
		return 2;
	rng_seed(&rng, 1);
	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	x = bench_floats(backend_best(), &rng, 1024 * 1536);
	y = bench_alloc(backend_best(), 1024 * 1536 * sizeof *y);
	for (int i = 0; i < SHAPES; i++)
		w[i] = bench_packed(backend_best(), &rng, 4, 128, shapes[i][2], shapes[i][1]);
	for (int r = 0; r < rounds; r++) {
		rate[MATHS * SHAPES][r] = registers();
		for (int i = 0; i < MATHS * SHAPES; i++) {
			const size_t *s = shapes[i / MATHS];
			const struct product p = { y, s[2], &w[i / MATHS] };
			double start = now();

			backend_best()->products(&p, 1, x, s[1], s[0], maths[i % MATHS].math);
			rate[i][r] = 2e-9 * (double)(s[0] * s[1] * s[2]) / (now() - start);
		}
	}
	printf("{\"path\":\"%s\",\"rounds\":%d}\n", backend_best()->path(), rounds);
	print("bf16 from registers", rate[MATHS * SHAPES], rounds, 0);
	peak = rate[MATHS * SHAPES][rounds - 1];
	for (int i = 0; i < MATHS * SHAPES; i++) {
		const size_t *s = shapes[i / MATHS];
		char name[64];

		snprintf(name, sizeof name, "%s int4g128 %zux%zu m=%zu", maths[i % MATHS].name,
			s[2], s[1], s[0]);
		print(name, rate[i], rounds, maths[i % MATHS].math == MATH_BF16 ? peak : 0);
	}
	pool_stop();
	return 0;
}
