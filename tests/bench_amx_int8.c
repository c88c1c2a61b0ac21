/* bench_amx_int8.c - what int8 through AMX tiles could bring a prompt: GOP/s of one core from the
 * first-level cache, beside tiles of bfloat16 and beside vpdpbusd, by turns.  One JSON object a
 * line.
 *
 * int8 sums are integers that count in their own block or group only, so every BLOCK inputs the
 * four tiles are stored, converted, multiplied with a scale of the row of x (times one of W, where
 * a group ends there) and added to sums in float, which do not fit in registers beside the tiles.
 * Blocks of activations are 32 inputs (kernels/act8.h), groups of weights 32 to 128 and more: what
 * is timed are 32 (half a tile), 64 (a tile), 128 and 256 of them, without what the second digit
 * adds.
 */
#include <stdio.h>

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "tests/lib_bench.h"

enum {
	INPUTS = 512, /* of 32 rows of x and 32 of W: 16 KiB each in int8, 32 KiB in bfloat16 */
	TIMES = 200,
	PAIRS = 41,
	SUMS = 32 * 32
};

static _Alignas(64) int8_t x8[32 * INPUTS], w8[32 * INPUTS];
static _Alignas(64) uint16_t x16[32 * INPUTS], w16[32 * INPUTS];
static _Alignas(64) float sums[SUMS], scale_x[32 * INPUTS / 32], scale_w[32 * INPUTS / 32];
static _Alignas(64) int32_t whole[SUMS];

#define TILES __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,fma")))
/* gcc 12 does not know what the intrinsics read */
#define STORED() __asm__ volatile("" ::: "memory")

TILES static void configure(int bytes)
{
	static unsigned char c[64];

	c[0] = 1;
	for (int i = 0; i < 8; i++) {
		c[16 + 2 * i] = (unsigned char)(i < 4 || i == 6 || i == 7 ? 64 : bytes);
		/* W has bytes / 4 rows of four inputs (or two) for 16 of its rows */
		c[48 + i] = (unsigned char)(i == 6 || i == 7 ? bytes / 4 : 16);
	}
	STORED();
	_tile_loadconfig(c);
}

TILES static void bf16_block(void *arg)
{
	(void)arg;
	configure(64);
	for (int t = 0; t < TIMES; t++) {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
		for (size_t s = 0; s < INPUTS * 32; s += 32 * 32) {
			_tile_loadd(6, w16 + s, 64);
			_tile_loadd(4, x16 + s, 64);
			_tile_loadd(7, w16 + s + 512, 64);
			_tile_dpbf16ps(0, 4, 6);
			_tile_dpbf16ps(1, 4, 7);
			_tile_loadd(5, x16 + s + 512, 64);
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
		}
		_tile_stored(0, sums, 128);
		_tile_stored(1, sums + 16, 128);
		_tile_stored(2, sums + 512, 128);
		_tile_stored(3, sums + 528, 128);
	}
	_tile_release();
}

/* sums += whole * scale of x's row * scale of W's; each row of 32 values */
TILES static void add_block(size_t block)
{
	const __m512 left = _mm512_load_ps(scale_w + block % 16 * 32);
	const __m512 right = _mm512_load_ps(scale_w + block % 16 * 32 + 16);

	STORED();
	for (size_t i = 0; i < 32; i++) {
		const __m512 s = _mm512_set1_ps(scale_x[block % 16 * 32 + i]);
		float *to = sums + 32 * i;

		_mm512_store_ps(
			to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(whole + 32 * i)),
				    _mm512_mul_ps(s, left), _mm512_load_ps(to)));
		_mm512_store_ps(to + 16,
			_mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(whole + 32 * i + 16)),
				_mm512_mul_ps(s, right), _mm512_load_ps(to + 16)));
	}
}

/* arg: inputs of a block */
TILES static void int8_block(void *arg)
{
	const size_t block = *(const size_t *)arg, bytes = block < 64 ? block : 64;

	configure((int)bytes);
	for (int t = 0; t < TIMES; t++)
		for (size_t b = 0; b < INPUTS; b += block) {
			_tile_zero(0);
			_tile_zero(1);
			_tile_zero(2);
			_tile_zero(3);
			for (size_t s = b * 32; s < (b + block) * 32; s += bytes * 32) {
				_tile_loadd(6, w8 + s, 64);
				_tile_loadd(4, x8 + s, bytes);
				_tile_loadd(7, w8 + s + 16 * bytes, 64);
				_tile_dpbsud(0, 4, 6);
				_tile_dpbsud(1, 4, 7);
				_tile_loadd(5, x8 + s + 16 * bytes, bytes);
				_tile_dpbsud(2, 5, 6);
				_tile_dpbsud(3, 5, 7);
			}
			_tile_stored(0, whole, 128);
			_tile_stored(1, whole + 16, 128);
			_tile_stored(2, whole + 512, 128);
			_tile_stored(3, whole + 528, 128);
			add_block(b / block);
		}
	_tile_release();
}

int main(void)
{
	static const size_t blocks[] = { 32, 64, 128, 256, INPUTS };
	const double work = 2e-9 * 32 * 32 * INPUTS * TIMES;

	if (strcmp(cpu_leaf()->name, "amx") || !__builtin_cpu_supports("amx-int8")) {
		printf("bench_amx_int8: skipped, no tiles here\n");
		return 0;
	}
	for (size_t i = 0; i < sizeof x8; i++) {
		x8[i] = (int8_t)(rand() >> 8);
		w8[i] = (int8_t)(rand() >> 8 & 15);
		x16[i] = w16[i] = (uint16_t)(0x3f80 + rand() % 128);
	}
	for (size_t i = 0; i < sizeof scale_x / sizeof *scale_x; i++)
		scale_x[i] = scale_w[i] = 1e-3f;
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		struct bench_time tiles, ints;
		size_t block = blocks[i];
		double ratio =
			bench_pair(&tiles, &ints, bf16_block, NULL, int8_block, &block, PAIRS);

		printf("{\"bench\":\"int8 tiles, sums in float every %zu inputs\",\"gop_s\":%.0f,"
		       "\"bf16_gflop_s\":%.0f,\"over_bf16\":%.2f,\"foreign\":%.2f}\n",
			block, work / ints.median, work / tiles.median, 1 / ratio, ints.foreign);
	}
	return 0;
}
#else
int main(void)
{
	printf("bench_amx_int8: skipped, no tiles here\n");
	return 0;
}
#endif
