/* variant.c - codes packed to run, and the table of what there is. */
#include "core/quant/variant.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/quant/squeeze.h"
#include "kernels/pool.h"

/* words, scales and offsets in one piece of memory, each on 64 bytes; of a mix those of the
 * high part, of the low part, and the order. */
struct plan {
	size_t at[7], total;
};

static bool plan_add(struct plan *p, size_t i, size_t bytes)
{
	p->at[i] = p->total;
	return size_add(&p->total, p->total, bytes) && size_align_up(&p->total, p->total, 64);
}

static bool plan_part(struct plan *p, size_t i, struct format f, size_t rows, size_t cols)
{
	size_t stats = mat_stat_count(rows, cols, f.group) * sizeof(uint16_t);

	return plan_add(p, i, mat_code_bytes(f.bits, rows, cols)) && plan_add(p, i + 1, stats) &&
	       plan_add(p, i + 2, stats);
}

static bool plan_of(struct plan *p, struct format f, size_t rows, size_t cols)
{
	size_t high;

	*p = (struct plan){ 0 };
	if (!format_is_mix(f))
		return plan_part(p, 0, f, rows, cols);
	high = format_high_cols(f, cols);
	return plan_part(p, 0, format_high(f), rows, high) &&
	       plan_part(p, 3, format_low(f), rows, cols - high) &&
	       plan_add(p, 6, cols * sizeof(uint16_t));
}

bool variant_size(size_t *bytes, struct format f, size_t rows, size_t cols)
{
	struct plan p;
	bool good = plan_of(&p, f, rows, cols);

	*bytes = good ? p.total : 0;
	return good;
}

static const uint16_t *halves(const unsigned char *memory, size_t at)
{
	return (const uint16_t *)(const void *)(memory + at);
}

struct mat variant_mat(struct format f, size_t rows, size_t cols, const void *memory)
{
	const unsigned char *m = memory;
	struct format high = format_high(f);
	struct mat w = { .type = MAT_INT,
		.bits = high.bits,
		.group = high.group,
		.rows = rows,
		.cols = cols,
		.data = memory };
	struct plan p;

	(void)plan_of(&p, f, rows, cols); /* it was when the memory was made */
	w.scale = halves(m, p.at[1]);
	w.offset = halves(m, p.at[2]);
	if (!format_is_mix(f))
		return w;
	w.type = MAT_MIX;
	w.high = format_high_cols(f, cols);
	w.low_bits = f.bits;
	w.low_group = f.group;
	w.low_data = m + p.at[3];
	w.low_scale = halves(m, p.at[4]);
	w.low_offset = halves(m, p.at[5]);
	w.order = halves(m, p.at[6]);
	return w;
}

/* Sixteen rows are a piece of the packed words by themselves. */
struct packing {
	const struct qcodes *q;
	unsigned char *words;
};

/* 32 codes in a single plane of bits (mat.h): a string of bits cut into words. */
static void pack_block(uint32_t *lane, const struct squeeze *by, const uint8_t code[MAT_BLOCK])
{
	uint64_t held = 0;
	int n = 0;

	for (int i = 0; i < MAT_BLOCK; i += 8) {
		held |= squeeze(by, code + i) << n;
		for (n += 8 * by->bits; n >= 32; n -= 32) {
			*lane = (uint32_t)held;
			lane += MAT_TILE;
			held >>= 32;
		}
	}
}

static void pack_planes(uint32_t *words, const struct qcodes *q, size_t row, size_t rows)
{
	struct squeeze by = squeeze_of(q->format.bits);
	size_t step = (size_t)q->format.bits * MAT_TILE;

	if (rows < MAT_TILE)
		memset(words, 0, mat_code_bytes(q->format.bits, MAT_TILE, q->cols));
	for (size_t c = 0; c < q->cols; c += MAT_BLOCK, words += step) {
		size_t n = q->cols - c < MAT_BLOCK ? q->cols - c : MAT_BLOCK;

		for (size_t r = 0; r < rows; r++) {
			const uint8_t *code = q->code + (row + r) * q->cols + c;
			uint8_t last[MAT_BLOCK] = { 0 };

			if (n < MAT_BLOCK)
				code = memcpy(last, code, n);
			pack_block(words + r, &by, code);
		}
	}
}

static void pack_rows(void *arg, size_t tile)
{
	const struct packing *p = arg;
	const struct qcodes *q = p->q;
	size_t row = tile * MAT_TILE, rows = q->rows - row < MAT_TILE ? q->rows - row : MAT_TILE;
	int bits = q->format.bits;
	uint32_t *words =
		(uint32_t *)(void *)(p->words + tile * mat_code_bytes(bits, MAT_TILE, q->cols));

	if (bits & (bits - 1))
		mat_pack(words, bits, rows, q->cols, q->code + row * q->cols);
	else
		pack_planes(words, q, row, rows);
}

static void pack_codes(unsigned char *memory, const size_t at[3], const struct qcodes *q)
{
	size_t group = q->format.group;
	struct packing p = { q, memory + at[0] };

	pool_run(pack_rows, &p, (q->rows + MAT_TILE - 1) / MAT_TILE);
	mat_pack_stats((uint16_t *)(void *)(memory + at[1]), q->rows, q->cols, group, q->scale);
	mat_pack_stats((uint16_t *)(void *)(memory + at[2]), q->rows, q->cols, group, q->offset);
}

enum st variant_pack(struct variant *v, const struct qcodes *q, const struct quantizer *by,
	double error, struct err *e)
{
	char name[FORMAT_NAME];
	struct plan p;
	unsigned char *memory;

	*v = (struct variant){ 0 };
	if (!plan_of(&p, q->format, q->rows, q->cols))
		return err_set(e, ST_NOMEM, "a linear of %zu x %zu in %s is too large to pack",
			q->rows, q->cols, format_name(q->format, name));
	memory = big_alloc(p.total, "a packed linear", e);
	if (!memory)
		return ST_NOMEM;
	pack_codes(memory, p.at, q->part ? &q->part[0] : q);
	if (q->part) {
		pack_codes(memory, p.at + 3, &q->part[1]);
		memcpy(memory + p.at[6], q->order, q->cols * sizeof *q->order);
	}
	*v = (struct variant){
		.mat = variant_mat(q->format, q->rows, q->cols, memory),
		.by = by,
		.error = error,
		.bytes = format_bytes(q->format, q->rows, q->cols),
		.memory = memory,
	};
	return ST_OK;
}

enum st variant_place(struct variant *v, const struct model *m, struct err *e)
{
	struct mat there;
	void *memory;
	enum st st;

	if (m->be->host_memory || v->home || !v->mat.data)
		return ST_OK;
	st = place_put(&there, &memory, &v->mat, m, "a packed linear", e);
	if (st)
		return st;
	big_free(v->memory);
	v->mat = there;
	v->memory = memory;
	v->home = m;
	return ST_OK;
}

enum st variant_here(const struct variant *v, struct mat *mat, void **memory, struct err *e)
{
	*memory = NULL;
	*mat = v->mat;
	return v->home ? place_get(mat, memory, &v->mat, v->home, "a packed linear", e) : ST_OK;
}

void variant_release(struct variant *v)
{
	if (v->home)
		v->home->be->free(v->memory);
	else
		big_free(v->memory);
	*v = (struct variant){ 0 };
}

enum st variant_set_alloc(
	struct variant_set *s, size_t n, const struct format *f, size_t k, struct err *e)
{
	*s = (struct variant_set){ .n = n, .k = k };
	if (!k || k > FORMAT_MAX)
		return err_set(e, ST_INVALID, "a dial has 1 to %d formats, not %zu", FORMAT_MAX, k);
	for (size_t i = 0; i < k; i++)
		s->format[i] = f[i];
	s->slot = big_array(n, k * sizeof *s->slot, "the table of variants", e);
	return s->slot ? ST_OK : ST_NOMEM;
}

void variant_set_release(struct variant_set *s)
{
	for (size_t i = 0; s->slot && i < s->n * s->k; i++)
		variant_release(&s->slot[i]);
	big_free(s->slot);
	*s = (struct variant_set){ 0 };
}
