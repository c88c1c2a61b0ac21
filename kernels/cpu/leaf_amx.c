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

#include "kernels/cpu/inline.h"

enum {
	BLOCK = 2 * MAT_TILE,
	STEPS = 18, /* tiles of a row of them: 36 KiB of x */
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

/* Sums of 32 rows, or of 16, of x with 32 of W: the tiles 0 and 1, 2 and 3. */
ALWAYS_INLINE void begin(const float *y, size_t ldy, const bool both, bool add)
{
	const size_t step = ldy * sizeof *y;

	if (!add) {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
		return;
	}
	_tile_loadd(0, y, step);
	_tile_loadd(1, y + 16, step);
	if (both) {
		_tile_loadd(2, y + 16 * ldy, step);
		_tile_loadd(3, y + 16 * ldy + 16, step);
	}
}

ALWAYS_INLINE void end(float *y, size_t ldy, const bool both)
{
	const size_t step = ldy * sizeof *y;

	_tile_stored(0, y, step);
	_tile_stored(1, y + 16, step);
	if (both) {
		_tile_stored(2, y + 16 * ldy, step);
		_tile_stored(3, y + 16 * ldy + 16, step);
	}
}

/* y[32][32], or [16][32]. */
ALWAYS_INLINE void block(float *y, size_t ldy, const bool both, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	begin(y, ldy, both, add);
	for (size_t s = 0; s < steps; s++, a += BF16_TILE, b += BF16_TILE) {
		if (both && s < MAT_TILE)
			fetch(y + 2 * s * ldy, ldy);
		LOAD_W(6, b);
		LOAD_X(4, a);
		LOAD_W(7, b + ldb);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		if (both) {
			LOAD_X(5, a + lda);
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
		}
	}
	end(y, ldy, both);
}

/* The same by MATH_BF16X3: of each step's two tiles lo times hi, hi times hi, hi times lo, so that
 * each tile is loaded once. */
ALWAYS_INLINE void block_x3(float *y, size_t ldy, const bool both, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	begin(y, ldy, both, add);
	for (size_t s = 0; s < steps; s++, a += 2 * BF16_TILE, b += 2 * BF16_TILE) {
		if (both && s < MAT_TILE / 2) {
			fetch(y + 4 * s * ldy, ldy);
			fetch(y + (4 * s + 2) * ldy, ldy);
		}
		LOAD_W(6, b);
		LOAD_X(4, a + BF16_TILE);
		LOAD_W(7, b + ldb);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		LOAD_X(4, a);
		if (both) {
			LOAD_X(5, a + lda + BF16_TILE);
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
			LOAD_X(5, a + lda);
		}
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		if (both) {
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
		}
		LOAD_W(6, b + BF16_TILE);
		LOAD_W(7, b + ldb + BF16_TILE);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		if (both) {
			_tile_dpbf16ps(2, 5, 6);
			_tile_dpbf16ps(3, 5, 7);
		}
	}
	end(y, ldy, both);
}

ALWAYS_INLINE void any_block(float *y, size_t ldy, const bool both, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add, const bool three)
{
	if (three)
		block_x3(y, ldy, both, a, lda, b, ldb, steps, add);
	else
		block(y, ldy, both, a, lda, b, ldb, steps, add);
}

/* Fewer rows or columns than a block has. */
ALWAYS_INLINE void edge(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add, const bool three)
{
	float all[BLOCK * BLOCK] = { 0 };

	for (size_t i = 0; add && i < m; i++)
		memcpy(all + i * BLOCK, y + i * ldy, n * sizeof *y);
	STORED();
	if (m > MAT_TILE)
		any_block(all, BLOCK, true, a, lda, b, ldb, steps, add, three);
	else
		any_block(all, BLOCK, false, a, lda, b, ldb, steps, add, three);
	for (size_t i = 0; i < m; i++)
		memcpy(y + i * ldy, all + i * BLOCK, n * sizeof *y);
}

ALWAYS_INLINE void mul_any(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add, const bool three)
{
	if (m < BLOCK || n < BLOCK)
		edge(y, ldy, m, n, a, lda, b, ldb, steps, add, three);
	else
		any_block(y, ldy, true, a, lda, b, ldb, steps, add, three);
}

KERNEL void mul(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	mul_any(y, ldy, m, n, a, lda, b, ldb, steps, add, false);
}

KERNEL void mul_x3(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	mul_any(y, ldy, m, n, a, lda, b, ldb, steps, add, true);
}

static void release(void)
{
	_tile_release();
}

/* 1 to 16 in a row of x, 1 in W: sums that a wrong order, or half a tile, would not give. */
KERNEL bool probe(void)
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
	block(y, BLOCK, true, a, BF16_TILE, b, BF16_TILE, 1, false);
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
	.bf16_beats_int8 = true,
	.b16 = { STEPS, configure, release, bf16_pack, bf16_pack_t, bf16_panel, bf16_panel_f32,
		bf16_panel_t, mul },
	.b16x3 = { STEPS / 2, configure, release, bf16x3_pack, bf16x3_pack_t, bf16x3_panel,
		bf16x3_panel_f32, bf16x3_panel_t, mul_x3 },
};

#endif
