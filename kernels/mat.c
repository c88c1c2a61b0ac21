/* mat.c - the packed layout of mat.h, written and read one lane at a time. */
#include "kernels/mat.h"

#include <string.h>

#include "core/base/f16.h"

/* Where a plane lies in a code and in a block of a tile. */
struct plane {
	int width; /* bits a code has in it */
	int shift; /* of its lowest bit in the code */
	int word;  /* of 16 lanes, from the start of the block */
};

static int planes_of(int bits, struct plane *p)
{
	int n = 0, left = bits;

	for (int width = 8; width; width /= 2) {
		if (!(bits & width))
			continue;
		left -= width;
		p[n++] = (struct plane){ width, left, bits - left - width };
	}
	return n;
}

static size_t blocks_of(size_t cols)
{
	return cols / MAT_BLOCK + (cols % MAT_BLOCK != 0);
}

static size_t tiles_of(size_t rows)
{
	return rows / MAT_TILE + (rows % MAT_TILE != 0);
}

/* First word of the block that holds (row, col). */
static size_t block_at(int bits, size_t cols, size_t row, size_t col)
{
	size_t block = row / MAT_TILE * blocks_of(cols) + col / MAT_BLOCK;

	return block * (size_t)bits * MAT_TILE;
}

/* One lane of a block from 32 codes. */
static void pack_lane(uint32_t *lane, int bits, const uint8_t *codes)
{
	struct plane p[4];
	int n = planes_of(bits, p);

	for (int i = 0; i < n; i++) {
		int per = 32 / p[i].width;
		uint32_t mask = (1u << p[i].width) - 1;

		for (int k = 0; k < p[i].width; k++) {
			const uint8_t *c = codes + k * per;
			uint32_t word = 0;

			for (int j = 0; j < per; j++)
				word |= ((uint32_t)c[j] >> p[i].shift & mask) << j * p[i].width;
			lane[(p[i].word + k) * MAT_TILE] = word;
		}
	}
}

/* And back. */
static void unpack_lane(const uint32_t *lane, int bits, uint8_t *codes)
{
	struct plane p[4];
	int n = planes_of(bits, p);

	memset(codes, 0, MAT_BLOCK);
	for (int i = 0; i < n; i++) {
		int per = 32 / p[i].width;
		uint32_t mask = (1u << p[i].width) - 1;

		for (int k = 0; k < p[i].width; k++) {
			uint32_t word = lane[(p[i].word + k) * MAT_TILE];
			uint8_t *c = codes + k * per;

			for (int j = 0; j < per; j++)
				c[j] |= (uint8_t)((word >> j * p[i].width & mask) << p[i].shift);
		}
	}
}

size_t mat_groups(size_t cols, size_t group)
{
	return cols / group + (cols % group != 0);
}

size_t mat_code_bytes(int bits, size_t rows, size_t cols)
{
	return tiles_of(rows) * blocks_of(cols) * (size_t)bits * MAT_TILE * sizeof(uint32_t);
}

size_t mat_stat_count(size_t rows, size_t cols, size_t group)
{
	return tiles_of(rows) * MAT_TILE * mat_groups(cols, group);
}

uint64_t mat_bytes(const struct mat *w)
{
	struct mat high, low;

	switch (w->type) {
	case MAT_F32:
		return (uint64_t)w->rows * w->cols * sizeof(float);
	case MAT_F16:
	case MAT_BF16:
		return (uint64_t)w->rows * w->cols * sizeof(uint16_t);
	case MAT_INT:
		return mat_code_bytes(w->bits, w->rows, w->cols) +
		       2 * sizeof *w->scale * mat_stat_count(w->rows, w->cols, w->group);
	case MAT_MIX:
		break;
	}
	high = mat_part(w, true);
	low = mat_part(w, false);
	return mat_bytes(&high) + mat_bytes(&low);
}

void mat_pack(uint32_t *words, int bits, size_t rows, size_t cols, const uint8_t *codes)
{
	memset(words, 0, mat_code_bytes(bits, rows, cols));
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c += MAT_BLOCK) {
			size_t n = cols - c < MAT_BLOCK ? cols - c : MAT_BLOCK;
			uint8_t block[MAT_BLOCK] = { 0 };

			memcpy(block, codes + r * cols + c, n);
			pack_lane(words + block_at(bits, cols, r, c) + r % MAT_TILE, bits, block);
		}
}

void mat_pack_stats(uint16_t *dst, size_t rows, size_t cols, size_t group, const uint16_t *src)
{
	size_t groups = mat_groups(cols, group);

	memset(dst, 0, mat_stat_count(rows, cols, group) * sizeof *dst);
	for (size_t r = 0; r < rows; r++)
		for (size_t g = 0; g < groups; g++)
			dst[(r / MAT_TILE * groups + g) * MAT_TILE + r % MAT_TILE] =
				src[r * groups + g];
}

/* 32 codes of a row from column c on, a multiple of 32. */
static void codes_at(const struct mat *w, size_t row, size_t c, uint8_t *codes)
{
	const uint32_t *words = w->data;

	unpack_lane(words + block_at(w->bits, w->cols, row, c) + row % MAT_TILE, w->bits, codes);
}

void mat_unpack_row(const struct mat *w, size_t row, uint8_t *codes)
{
	for (size_t c = 0; c < w->cols; c += MAT_BLOCK) {
		uint8_t block[MAT_BLOCK];

		codes_at(w, row, c, block);
		memcpy(codes + c, block, w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK);
	}
}

uint16_t mat_stat(const uint16_t *stats, const struct mat *w, size_t row, size_t g)
{
	size_t groups = mat_groups(w->cols, w->group);

	return stats[(row / MAT_TILE * groups + g) * MAT_TILE + row % MAT_TILE];
}

static void int_row(const struct mat *w, size_t row, float *out)
{
	for (size_t c = 0; c < w->cols; c += MAT_BLOCK) {
		size_t n = w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK, g = c / w->group;
		uint8_t codes[MAT_BLOCK];
		float scale = f16_to_f32(mat_stat(w->scale, w, row, g));
		float offset = f16_to_f32(mat_stat(w->offset, w, row, g));

		codes_at(w, row, c, codes);
		for (size_t i = 0; i < n; i++)
			out[c + i] = scale * (float)codes[i] + offset;
	}
}

struct mat mat_part(const struct mat *w, bool high)
{
	struct mat p = { .type = MAT_INT, .rows = w->rows };

	p.bits = high ? w->bits : w->low_bits;
	p.group = high ? w->group : w->low_group;
	p.cols = high ? w->high : w->cols - w->high;
	p.data = high ? w->data : w->low_data;
	p.scale = high ? w->scale : w->low_scale;
	p.offset = high ? w->offset : w->low_offset;
	return p;
}

/* A block of one part, each weight to its input's place. */
static void mix_row(const struct mat *w, size_t row, float *out)
{
	for (int high = 1; high >= 0; high--) {
		struct mat p = mat_part(w, high);
		const uint16_t *order = w->order + (high ? 0 : w->high);

		for (size_t c = 0; c < p.cols; c += MAT_BLOCK) {
			size_t n = p.cols - c < MAT_BLOCK ? p.cols - c : MAT_BLOCK;
			uint8_t codes[MAT_BLOCK];
			float scale = f16_to_f32(mat_stat(p.scale, &p, row, c / p.group));
			float offset = f16_to_f32(mat_stat(p.offset, &p, row, c / p.group));

			codes_at(&p, row, c, codes);
			for (size_t i = 0; i < n; i++)
				out[order[c + i]] = scale * (float)codes[i] + offset;
		}
	}
}

void mat_row_f32(const struct mat *w, size_t row, float *out)
{
	const unsigned char *data = w->data;
	uint16_t half;

	switch (w->type) {
	case MAT_F32:
		memcpy(out, data + row * w->cols * sizeof *out, w->cols * sizeof *out);
		break;
	case MAT_F16:
	case MAT_BF16:
		for (size_t c = 0; c < w->cols; c++) {
			memcpy(&half, data + (row * w->cols + c) * sizeof half, sizeof half);
			out[c] = w->type == MAT_F16 ? f16_to_f32(half) : bf16_to_f32(half);
		}
		break;
	case MAT_INT:
		int_row(w, row, out);
		break;
	case MAT_MIX:
		mix_row(w, row, out);
		break;
	}
}

struct mat mat_rows(const struct mat *w, size_t first, size_t n)
{
	struct mat part = *w;
	size_t size = w->type == MAT_F32 ? sizeof(float) : sizeof(uint16_t);

	part.rows = n;
	if (w->type == MAT_MIX) {
		struct mat high = mat_part(w, true), low = mat_part(w, false);

		high = mat_rows(&high, first, n);
		low = mat_rows(&low, first, n);
		part.data = high.data;
		part.scale = high.scale;
		part.offset = high.offset;
		part.low_data = low.data;
		part.low_scale = low.scale;
		part.low_offset = low.offset;
	} else if (w->type == MAT_INT) {
		size_t stats = mat_stat_count(first, w->cols, w->group);

		part.data = (const char *)w->data + mat_code_bytes(w->bits, first, w->cols);
		part.scale = w->scale + stats;
		part.offset = w->offset + stats;
	} else {
		part.data = (const char *)w->data + first * w->cols * size;
	}
	return part;
}
