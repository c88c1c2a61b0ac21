/* leaf_bf16.c - products in bfloat16 by AVX512_BF16: vdpbf16ps multiplies pairs of columns and adds
 * both to a float.  The packing is AMX's, too. */
#include "kernels/cpu/pack_bf16.h"

#if defined(__AVX512BF16__)

#include <string.h>

#include "kernels/cpu/lanes.h"

/* Two vectors as 32 bfloat16: those of lo, then those of hi. */
ALWAYS_INLINE vi both(vf lo, vf hi)
{
	return (vi)_mm512_cvtne2ps_pbh(hi, lo);
}

/* The first sixteen in turns with the others. */
ALWAYS_INLINE vi pairs(vi v)
{
	const vi turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
		8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

	return _mm512_permutexvar_epi16(turns, v);
}

/* 32 values rounded, and what that left of them; most callers want the first only. */
struct split {
	vi hi, lo;
};

ALWAYS_INLINE vf widened(__m256i v)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

ALWAYS_INLINE struct split split(vf a, vf b)
{
	struct split s = { .hi = both(a, b) };

	s.lo = both(vf_sub(a, widened(_mm512_castsi512_si256(s.hi))),
		vf_sub(b, widened(_mm512_extracti64x4_epi64(s.hi, 1))));
	return s;
}

/* ---- x ---- */

/* 32 values; the n there are, then 0. */
ALWAYS_INLINE struct split row_f32(const float *x, size_t n)
{
	if (n >= BF16_STEP)
		return split(vf_load(x), vf_load(x + 16));
	return split(vf_loadn(x, n < 16 ? n : 16), n > 16 ? vf_loadn(x + 16, n - 16) : vf_zero());
}

/* three: for MATH_BF16X3, a tile of hi and one of lo in turns. */
ALWAYS_INLINE void pack(
	uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n, const bool three)
{
	const size_t step = three ? 2 * BF16_TILE : BF16_TILE;

	for (size_t c = 0; c < n; c += BF16_STEP, strip += step) {
		for (size_t i = 0; i < m; i++) {
			const float *from = x + i * ldx + c;
			struct split s;

			_mm_prefetch((const char *)(from + 4 * BF16_STEP), _MM_HINT_T0);
			_mm_prefetch((const char *)(from + 4 * BF16_STEP + 16), _MM_HINT_T0);
			s = row_f32(from, n - c);
			_mm512_store_si512(strip + i * BF16_STEP, s.hi);
			if (three)
				_mm512_store_si512(strip + BF16_TILE + i * BF16_STEP, s.lo);
		}
		for (size_t i = m * BF16_STEP; i < BF16_TILE; i += BF16_STEP) {
			_mm512_store_si512(strip + i, _mm512_setzero_si512());
			if (three)
				_mm512_store_si512(strip + BF16_TILE + i, _mm512_setzero_si512());
		}
	}
}

UNCHECKED void bf16_pack(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n)
{
	pack(strip, x, ldx, m, n, false);
}

UNCHECKED void bf16x3_pack(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n)
{
	pack(strip, x, ldx, m, n, true);
}

/* A pair of columns is 32 bits: rows and pairs change places as floats do. */
ALWAYS_INLINE void turn(uint16_t *to, vf *r)
{
	lane_transpose(r);
	for (size_t j = 0; j < MAT_TILE; j++)
		_mm512_store_ps((float *)(void *)(to + 2 * MAT_TILE * j), r[j]);
}

/* Columns c and c + 1 of a strip of m rows that lie side by side: x[n][m]. */
ALWAYS_INLINE struct split across(const float *x, size_t ldx, size_t m, size_t c, size_t n)
{
	vf lo = c < n ? vf_loadn(x + c * ldx, m) : vf_zero();
	vf hi = c + 1 < n ? vf_loadn(x + (c + 1) * ldx, m) : vf_zero();
	struct split s = split(lo, hi);

	return (struct split){ pairs(s.hi), pairs(s.lo) };
}

ALWAYS_INLINE void pack_t(
	uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n, const bool three)
{
	for (size_t c = 0; c < n; c += BF16_STEP, strip += three ? 2 * BF16_TILE : BF16_TILE) {
		vf hi[MAT_TILE], lo[MAT_TILE];

		for (size_t j = 0; j < MAT_TILE; j++) {
			struct split s = across(x, ldx, m, c + 2 * j, n);

			hi[j] = _mm512_castsi512_ps(s.hi);
			lo[j] = _mm512_castsi512_ps(s.lo);
		}
		turn(strip, hi);
		if (three)
			turn(strip + BF16_TILE, lo);
	}
}

UNCHECKED void bf16_pack_t(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n)
{
	pack_t(strip, x, ldx, m, n, false);
}

UNCHECKED void bf16x3_pack_t(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n)
{
	pack_t(strip, x, ldx, m, n, true);
}

/* ---- packed W ---- */

ALWAYS_INLINE void packed_strip(uint16_t *to, const struct mat *w, size_t tile, size_t first,
	size_t n, const int bits, const bool three)
{
	const size_t words = (size_t)bits * MAT_TILE, groups = mat_groups(w->cols, w->group);
	const size_t blocks = w->cols / MAT_BLOCK + (w->cols % MAT_BLOCK != 0);
	const size_t step = three ? 2 * BF16_TILE : BF16_TILE;
	const uint32_t *block =
		(const uint32_t *)w->data + (tile * blocks + first / MAT_BLOCK) * words;
	size_t past = n % MAT_BLOCK ? n % MAT_BLOCK : MAT_BLOCK;

	for (size_t c = 0; c < n; c += MAT_BLOCK, block += words, to += step) {
		size_t at = (tile * groups + (first + c) / w->group) * MAT_TILE;
		vf s = vf_half(w->scale + at), o = vf_half(w->offset + at);
		uint16_t *next = to;

		for (size_t e = 0; e < 4; e++) {
			struct lane_words v;

			lane_words(&v, block, bits, e);
			LANE_UNROLL
			for (int i = 0; i < 8; i += 2, next += 2 * MAT_TILE) {
				struct split p = split(vf_fma(s, lane_code(&v, bits, i), o),
					vf_fma(s, lane_code(&v, bits, i + 1), o));

				_mm512_store_si512(next, pairs(p.hi));
				if (three)
					_mm512_store_si512(next + BF16_TILE, pairs(p.lo));
			}
		}
	}
	/* the columns that pad the last block are codes of 0, which are not values of 0 */
	for (to -= step; past < MAT_BLOCK; past++)
		for (size_t r = 0; r < MAT_TILE; r++) {
			to[past / 2 * 32 + 2 * r + past % 2] = 0;
			if (three)
				to[BF16_TILE + past / 2 * 32 + 2 * r + past % 2] = 0;
		}
}

/* ---- dense W ---- */

/* n <= 32 values of a row from `at` on; any alignment. */
ALWAYS_INLINE struct split row_dense(const struct mat *w, size_t row, size_t at, size_t n)
{
	size_t size = w->type == MAT_F32 ? sizeof(float) : sizeof(uint16_t);
	const char *from = (const char *)w->data + (row * w->cols + at) * size;
	uint16_t half[BF16_STEP] = { 0 };

	if (w->type == MAT_F32)
		return row_f32((const float *)(const void *)from, n);
	if (n < BF16_STEP)
		from = memcpy(half, from, n * size);
	if (w->type == MAT_BF16)
		return (struct split){ _mm512_loadu_si512(from), _mm512_setzero_si512() };
	return split(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)from)),
		_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(from + 32))));
}

ALWAYS_INLINE void dense_strip(
	uint16_t *to, const struct mat *w, size_t first, size_t c, size_t n, const bool three)
{
	size_t rows = w->rows - first < MAT_TILE ? w->rows - first : MAT_TILE;

	for (size_t i = 0; i < n; i += BF16_STEP, to += three ? 2 * BF16_TILE : BF16_TILE) {
		size_t cols = n - i < BF16_STEP ? n - i : BF16_STEP;
		vf hi[MAT_TILE], lo[MAT_TILE];

		for (size_t j = 0; j < MAT_TILE; j++) {
			struct split s = { _mm512_setzero_si512(), _mm512_setzero_si512() };

			if (j < rows)
				s = row_dense(w, first + j, c + i, cols);
			hi[j] = _mm512_castsi512_ps(s.hi);
			lo[j] = _mm512_castsi512_ps(s.lo);
		}
		turn(to, hi);
		if (three)
			turn(to + BF16_TILE, lo);
	}
}

ALWAYS_INLINE void panel(
	uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n, const bool three)
{
	if (w->type != MAT_INT) {
		dense_strip(strip, w, first, c, n, three);
		return;
	}
	switch (w->bits) {
#define X(bits)                                                              \
	case bits:                                                           \
		packed_strip(strip, w, first / MAT_TILE, c, n, bits, three); \
		break;
		X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#undef X
	}
}

UNCHECKED void bf16_panel(uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n)
{
	panel(strip, w, first, c, n, false);
}

UNCHECKED void bf16x3_panel(uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n)
{
	panel(strip, w, first, c, n, true);
}

/* ---- a float matrix in the place of W ---- */

ALWAYS_INLINE void panel_f32(
	uint16_t *to, const float *b, size_t ldb, size_t rows, size_t n, const bool three)
{
	for (size_t i = 0; i < n; i += BF16_STEP, to += three ? 2 * BF16_TILE : BF16_TILE) {
		vf hi[MAT_TILE], lo[MAT_TILE];

		for (size_t j = 0; j < MAT_TILE; j++) {
			struct split s = { _mm512_setzero_si512(), _mm512_setzero_si512() };

			if (j < rows)
				s = row_f32(b + j * ldb + i, n - i);
			hi[j] = _mm512_castsi512_ps(s.hi);
			lo[j] = _mm512_castsi512_ps(s.lo);
		}
		turn(to, hi);
		if (three)
			turn(to + BF16_TILE, lo);
	}
}

ALWAYS_INLINE void panel_t(
	uint16_t *to, const float *b, size_t ldb, size_t rows, size_t n, const bool three)
{
	for (size_t c = 0; c < n; c += BF16_STEP, to += three ? 2 * BF16_TILE : BF16_TILE)
		for (size_t j = 0; j < MAT_TILE; j++) {
			struct split s = across(b, ldb, rows, c + 2 * j, n);

			_mm512_store_si512(to + 2 * MAT_TILE * j, s.hi);
			if (three)
				_mm512_store_si512(to + BF16_TILE + 2 * MAT_TILE * j, s.lo);
		}
}

UNCHECKED void bf16_panel_f32(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n)
{
	panel_f32(strip, b, ldb, rows, n, false);
}

UNCHECKED void bf16x3_panel_f32(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n)
{
	panel_f32(strip, b, ldb, rows, n, true);
}

UNCHECKED void bf16_panel_t(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n)
{
	panel_t(strip, b, ldb, rows, n, false);
}

UNCHECKED void bf16x3_panel_t(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n)
{
	panel_t(strip, b, ldb, rows, n, true);
}

/* ---- products ---- */

enum {
	ROWS = 8,  /* of x whose sums with 32 of W stay in registers: 16 of 32 */
	STEPS = 16 /* whose operands stay in the first-level cache: 32 rows and 32 columns, 32 KiB
		      each */
};

ALWAYS_INLINE __m512 dot(__m512 sum, uint32_t pair, const uint16_t *b)
{
	return _mm512_dpbf16_ps(
		sum, (__m512bh)_mm512_set1_epi32((int)pair), (__m512bh)_mm512_load_si512(b));
}

/* Rows `m` <= 8 of a strip times n <= 32 columns; `a` holds 8 rows all the same. */
ALWAYS_INLINE void block(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	const size_t left = n < 16 ? n : 16, right = n - left;
	vf sum[ROWS][2];

	LANE_UNROLL
	for (size_t i = 0; i < ROWS; i++) {
		sum[i][0] = add && i < m ? vf_loadn(y + i * ldy, left) : vf_zero();
		sum[i][1] = add && i < m && right ? vf_loadn(y + i * ldy + 16, right) : vf_zero();
	}
	for (size_t s = 0; s < steps; s++, a += BF16_TILE, b += BF16_TILE)
		for (size_t k = 0; k < BF16_STEP; k += 2) {
			LANE_UNROLL
			for (size_t i = 0; i < ROWS; i++) {
				uint32_t pair;

				memcpy(&pair, a + i * BF16_STEP + k, sizeof pair);
				sum[i][0] = dot(sum[i][0], pair, b + 16 * k);
				sum[i][1] = dot(sum[i][1], pair, b + ldb + 16 * k);
			}
		}
	LANE_UNROLL
	for (size_t i = 0; i < ROWS; i++)
		if (i < m) {
			vf_storen(y + i * ldy, sum[i][0], left);
			if (right)
				vf_storen(y + i * ldy + 16, sum[i][1], right);
		}
}

KERNEL void mul(float *y, size_t ldy, size_t m, size_t n, const uint16_t *a, size_t lda,
	const uint16_t *b, size_t ldb, size_t steps, bool add)
{
	for (size_t r = 0; r < m; r += ROWS)
		block(y + r * ldy, ldy, m - r < ROWS ? m - r : ROWS, n,
			a + r / MAT_TILE * lda + r % MAT_TILE * BF16_STEP, b, ldb, steps, add);
}

/* 1 + 2^-8 lies half-way and goes to the even one, 1; 1.5 * 3 + 1 * 5 = 9.5. */
static bool probe(void)
{
	volatile float one = 1 + 0x1p-8f, many = 1.5f;
	vi x = pairs(both(vf_set(many), vf_set(one)));
	uint16_t y[32];

	_mm512_storeu_si512(y, pairs(both(vf_set(2 * many), vf_set(5 * many / many))));
	return _mm512_reduce_add_ps(_mm512_dpbf16_ps(
		       vf_zero(), (__m512bh)x, (__m512bh)_mm512_loadu_si512(y))) == 16 * 9.5f;
}

/* From registers, vdpbf16ps does twice what fused multiply-adds do on AMD's Zen 4, but half of it
 * on Intel's Xeons with AMX (80 against 160 GFLOP/s).  MATH_BF16X3 takes three products for one: it
 * would not pay on either. */
static bool pays(void)
{
	return __builtin_cpu_is("amd");
}

const struct leaf leaf_bf16 = {
	.name = "bf16",
	.probe = probe,
	.pays = pays,
	.b16 = { STEPS, NULL, NULL, bf16_pack, bf16_pack_t, bf16_panel, bf16_panel_f32,
		bf16_panel_t, mul },
};

#endif
