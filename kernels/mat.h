/* mat.h - a weight matrix as kernels see it: W [rows][cols], rows are outputs.
 *
 * Dense types are row-major.  MAT_INT is our packed format: unsigned codes of
 * `bits` bits, groups of `group` consecutive columns of one row (the last may be
 * shorter), W = scale * code + offset with fp16 scale and offset of each group.
 *
 * Packed layout.  Tiles of 16 rows (lane = row), blocks of 32 columns.  A code is
 * cut into planes of 8, 4, 2 and 1 bits, widest first and highest bits first (7 =
 * 4 + 2 + 1), so any width is stored without waste: a block of a tile is `bits`
 * groups of 16 little-endian uint32, plane after plane.  In a plane of p bits,
 * word w of a lane holds columns w*(32/p) ... of the block, lowest bits first.
 * Blocks of a tile follow each other, then the next tile.  Rows are padded to 16,
 * columns to 32, with code 0.  scale and offset are [tile][group][16].
 * The padding is never read back.  group is a multiple of 32.
 *
 * MAT_MIX is two MAT_INT side by side: the inputs stand in `order`, the first `high` of
 * them packed with bits and group, the rest with low_bits and low_group.
 *
 * A mat borrows its memory.  Pure; any thread.
 */
#ifndef BD_KERNELS_MAT_H
#define BD_KERNELS_MAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mat_type { MAT_F32, MAT_F16, MAT_BF16, MAT_INT, MAT_MIX };

enum { MAT_TILE = 16, MAT_BLOCK = 32 };

struct mat {
	enum mat_type type;
	int bits;     /* MAT_INT: 1 to 8 */
	size_t group; /* MAT_INT: columns that share a scale, multiple of 32 */
	size_t rows, cols;
	const void *data;                /* dense elements (any alignment) or packed words (64 bytes) */
	const uint16_t *scale, *offset;  /* MAT_INT: fp16 bits */
	/* MAT_MIX: the above is the high part's; cols counts both */
	size_t high; /* inputs in the high part */
	int low_bits;
	size_t low_group;
	const void *low_data;
	const uint16_t *low_scale, *low_offset;
	const uint16_t *order; /* [cols]: packed column c holds input order[c] */
};

size_t mat_groups(size_t cols, size_t group);            /* groups of one row, ragged one included */
size_t mat_code_bytes(int bits, size_t rows, size_t cols);  /* packed words, padding included */
size_t mat_stat_count(size_t rows, size_t cols, size_t group); /* fp16 values in scale (and in offset) */

uint64_t mat_bytes(const struct mat *w); /* of all its elements or codes and stats, padding included */

/* Pack codes [rows][cols] (one a byte, each below 2^bits) and stats [rows][groups]
 * into memory of the sizes above. */
void mat_pack(uint32_t *words, int bits, size_t rows, size_t cols, const uint8_t *codes);
void mat_pack_stats(uint16_t *dst, size_t rows, size_t cols, size_t group, const uint16_t *src);

/* One row back: codes [cols], stats [groups]. */
void mat_unpack_row(const struct mat *w, size_t row, uint8_t *codes);
uint16_t mat_stat(const uint16_t *stats, const struct mat *w, size_t row, size_t g);

/* One row as float, any type: out [cols]. */
void mat_row_f32(const struct mat *w, size_t row, float *out);

/* Rows first ... first + n of w as a mat of its own.  first is a multiple of 16
 * for MAT_INT and MAT_MIX. */
struct mat mat_rows(const struct mat *w, size_t first, size_t n);

/* The high or the low part of a MAT_MIX as a MAT_INT over its own inputs. */
struct mat mat_part(const struct mat *w, bool high);

#endif
