/* leaf_amx.c - products in bfloat16 by the tiles of AMX.
 *
 * Eight tile registers of 16 rows of 64 bytes: four sums of 16 x 16, two strips of x, two of W, so
 * that every tile that is loaded is used twice.  32 rows of x stay in the first-level cache while
 * W's panel comes by from the second, past the first (the T1 hint): with plain loads it pushed x
 * out.
 */
#include "kernels/cpu/pack_bf16.h"

#if defined(__AMX_BF16__)

#include <immintrin.h>
#include <string.h>

enum {
	BLOCK = 2 * MAT_TILE,
	STEPS = 18, /* 36 KiB of x */
	ROW = BF16_STEP * sizeof(uint16_t)
};

/* The intrinsics of gcc 12 say of no memory that they read it (of the configuration, 8 bytes of
 * 64): what was stored before must be told to be there. */
#define STORED() __asm__ volatile("" ::: "memory")

/* Every tile 16 rows of 64 bytes; in each thread, for as long as it multiplies. */
static void configure(void)
{
	struct {
		uint8_t palette, start_row, reserved[14];
		uint16_t row_bytes[16];
		uint8_t rows[16];
	} c = { .palette = 1 };

	_Static_assert(sizeof c == 64, "the layout of LDTILECFG");
	for (int i = 0; i < 8; i++) {
		c.row_bytes[i] = ROW;
		c.rows[i] = MAT_TILE;
	}
	STORED();
	_tile_loadconfig(&c);
}

#define LOAD_X(tile, at) _tile_loadd(tile, at, ROW)
#define LOAD_W(tile, at) _tile_stream_loadd(tile, at, ROW)

/* Two rows of y on their way into the cache, to be written. */
static void fetch(const float *y, size_t ldy)
{
	for (size_t i = 0; i < 2; i++, y += ldy) {
		_mm_prefetch((const char *)y, _MM_HINT_ET0);
		_mm_prefetch((const char *)(y + 16), _MM_HINT_ET0);
	}
}

/* y[32][32] */
static void block(float *y, size_t ldy, const uint16_t *a, size_t lda, const uint16_t *b,
	size_t ldb, size_t steps, bool add)
{
	const size_t step = ldy * sizeof *y;

	if (add) {
		_tile_loadd(0, y, step);
		_tile_loadd(1, y + 16, step);
		_tile_loadd(2, y + 16 * ldy, step);
		_tile_loadd(3, y + 16 * ldy + 16, step);
	} else {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	}
	for (size_t s = 0; s < steps; s++, a += BF16_TILE, b += BF16_TILE) {
		if (s < MAT_TILE)
			fetch(y + 2 * s * ldy, ldy);
		LOAD_W(6, b);
		LOAD_X(4, a);
		LOAD_W(7, b + ldb);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		LOAD_X(5, a + lda);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, y, step);
	_tile_stored(1, y + 16, step);
	_tile_stored(2, y + 16 * ldy, step);
	_tile_stored(3, y + 16 * ldy + 16, step);
}

/* y[16][32]: of one strip of x */
static void half_block(float *y, size_t ldy, const uint16_t *a, const uint16_t *b, size_t ldb,
	size_t steps, bool add)
{
	const size_t step = ldy * sizeof *y;

	if (add) {
		_tile_loadd(0, y, step);
		_tile_loadd(1, y + 16, step);
	} else {
		_tile_zero(0);
		_tile_zero(1);
	}
	for (size_t s = 0; s < steps; s++, a += BF16_TILE, b += BF16_TILE) {
		LOAD_X(4, a);
		LOAD_W(6, b);
		LOAD_W(7, b + ldb);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
	}
	_tile_stored(0, y, step);
	_tile_stored(1, y + 16, step);
}

/* Fewer rows or columns than a block has. */
static void edge(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	float all[BLOCK * BLOCK] = { 0 };

	for (size_t i = 0; add && i < m; i++)
		memcpy(all + i * BLOCK, y + i * ldy, n * sizeof *y);
	STORED();
	if (m > MAT_TILE)
		block(all, BLOCK, a, lda, b, ldb, steps, add);
	else
		half_block(all, BLOCK, a, b, ldb, steps, add);
	for (size_t i = 0; i < m; i++)
		memcpy(y + i * ldy, all + i * BLOCK, n * sizeof *y);
}

static void mul(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	size_t parts = steps / STEPS + (steps % STEPS != 0),
	       most = steps / parts + (steps % parts != 0);

	configure();
	for (size_t i = 0; i < m; i += BLOCK)
		for (size_t s = 0; s < steps; s += most) {
			const uint16_t *at = a + i / MAT_TILE * lda + s * BF16_TILE;
			size_t k = steps - s < most ? steps - s : most;

			for (size_t j = 0; j < n; j += BLOCK) {
				const uint16_t *bt = b + j / MAT_TILE * ldb + s * BF16_TILE;
				float *to = y + i * ldy + j;

				if (m - i < BLOCK || n - j < BLOCK)
					edge(to, ldy, m - i < BLOCK ? m - i : BLOCK,
						n - j < BLOCK ? n - j : BLOCK, at, lda, bt, ldb, k,
						add || s);
				else
					block(to, ldy, at, lda, bt, ldb, k, add || s);
			}
		}
	_tile_release();
}

/* 1 to 16 in a row of x, 1 in W: sums that a wrong order, or half a tile, would not give. */
static bool probe(void)
{
	enum { ONE = 0x3f80, TWO = 0x4000 };
	uint16_t a[2 * BF16_TILE], b[2 * BF16_TILE];
	float y[BLOCK * BLOCK];

	for (size_t i = 0; i < 2 * BF16_TILE; i++) {
		a[i] = i / BF16_STEP % 2 ? TWO : ONE;
		b[i] = i / 2 % 3 ? ONE : TWO;
	}
	STORED();
	configure();
	block(y, BLOCK, a, BF16_TILE, b, BF16_TILE, 1, false);
	_tile_release();
	for (size_t i = 0; i < BLOCK; i++)
		for (size_t j = 0; j < BLOCK; j++) {
			float sum = 0;

			/* pair k of column j is the (16 k + j)th of its strip */
			for (size_t k = 0; k < 16; k++)
				sum += (j / 16 * 256 + 16 * k + j % 16) % 3 ? 2 : 4;
			if (y[i * BLOCK + j] != (i % 2 ? 2 * sum : sum))
				return false;
		}
	return true;
}

const struct leaf leaf_amx = {
	.name = "amx",
	.probe = probe,
	.b16 = { true, bf16_pack, bf16_panel, mul },
};

#endif
