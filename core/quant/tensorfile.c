/* tensorfile.c - writes a plan as one safetensors file (reliability.md 1). */
#include "core/quant/tensorfile.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/model/place.h"
#include "core/quant/squeeze.h"
#include "kernels/pool.h"

struct writer {
	struct fs_out *out;
	const struct sink *s;
	unsigned char *buf; /* of PIECE bytes or one row, whatever is more */
	size_t cap, done, total;
	uint8_t *codes; /* as many rows as buf has room for, one a byte */
	/* Where the model's memory is a device's: the last matrix, as it is there. */
	const struct model *m;
	const struct mat *there;
	struct mat here;
	void *memory;
};

enum { PIECE = 1 << 18 };

static void header(struct json_out *o, const struct tensor_plan *p)
{
	json_out_init(o, false);
	json_open(o, NULL, '{');
	json_open(o, "__metadata__", '{');
	json_put_str(o, "format", "pt");
	json_close(o, '}');
	for (size_t i = 0; i < p->n; i++) {
		const struct part_entry *t = &p->entry[i];

		json_open(o, t->name, '{');
		json_put_str(o, "dtype", t->dtype);
		json_open(o, "shape", '[');
		for (int k = 0; k < t->rank; k++)
			json_put_i64(o, NULL, (int64_t)t->dim[k]);
		json_close(o, ']');
		json_open(o, "data_offsets", '[');
		json_put_i64(o, NULL, (int64_t)t->begin);
		json_put_i64(o, NULL, (int64_t)(t->begin + t->bytes));
		json_close(o, ']');
		json_close(o, '}');
	}
	json_close(o, '}');
}

static enum st put(struct writer *w, const void *p, size_t n, struct err *e)
{
	enum st st;

	if (sink_poll(w->s))
		return err_set(e, ST_CANCELLED, "stopped, nothing was written");
	st = fs_out_write(w->out, p, n, e);
	w->done += n;
	sink_progress(w->s, (double)w->done, (double)w->total);
	return st;
}

static enum st put_plain(struct writer *w, const unsigned char *p, size_t n, struct err *e)
{
	enum st st = ST_OK;

	for (size_t at = 0; !st && at < n; at += PIECE)
		st = put(w, p + at, n - at < PIECE ? n - at : PIECE, e);
	return st;
}

static enum st put_float(struct writer *w, const struct part_entry *t, struct err *e)
{
	size_t n = t->bytes / sizeof(float);
	float *f = big_array(n, sizeof *f, "a tensor", e);
	enum st st;

	if (!f)
		return ST_NOMEM;
	tensor_f32(t->tensor, 0, n, f);
	st = put_plain(w, (const unsigned char *)f, t->bytes, e);
	big_free(f);
	return st;
}

/* One row's codes, lowest bits first. */
static void bit_string(unsigned char *out, const uint8_t *code, size_t n, int bits)
{
	struct squeeze by = squeeze_of(bits);
	uint64_t word = 0;
	int held = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		word = squeeze(&by, code + i);
		for (int k = 0; k < bits; k++)
			*out++ = (unsigned char)(word >> 8 * k);
	}
	for (word = 0; i < n; i++, held += bits)
		word |= (uint64_t)code[i] << held;
	for (; held > 0; held -= 8, word >>= 8)
		*out++ = (unsigned char)word;
}

/* The same of a row in a single plane of bits (mat.h): its words, as they are. */
static void bit_words(unsigned char *out, const struct mat *m, size_t row)
{
	size_t n = (m->cols * (size_t)m->bits + 7) / 8, words = (n + 3) / 4;
	size_t blocks = (m->cols + MAT_BLOCK - 1) / MAT_BLOCK;
	const uint32_t *from = (const uint32_t *)m->data + row % MAT_TILE +
			       row / MAT_TILE * blocks * (size_t)m->bits * MAT_TILE;

	for (size_t i = 0; i < words; i++) {
		uint32_t v = from[i * MAT_TILE];
		unsigned char le[4] = { (unsigned char)v, (unsigned char)(v >> 8),
			(unsigned char)(v >> 16), (unsigned char)(v >> 24) };

		memcpy(out + 4 * i, le, n - 4 * i < 4 ? n - 4 * i : 4);
	}
}

static bool single_plane(const struct mat *m)
{
	return !(m->bits & (m->bits - 1));
}

static size_t row_bytes(const struct part_entry *t)
{
	return t->bytes / t->dim[0];
}

/* A row of codes with room for what unpacking writes behind it. */
static size_t codes_bytes(const struct part_entry *t)
{
	return t->mat->cols + MAT_BLOCK;
}

/* Whole tiles, if one fits. */
static size_t rows_at_once(const struct writer *w, const struct part_entry *t)
{
	size_t n = w->cap / row_bytes(t);

	return n >= MAT_TILE ? n / MAT_TILE * MAT_TILE : n;
}

/* Rows [row, row + n) of one entry. */
struct piece {
	const struct writer *w;
	const struct part_entry *t;
	size_t row, n;
};

static void row_of(const struct piece *p, size_t i)
{
	const struct part_entry *t = p->t;
	const struct mat *m = t->mat;
	const uint16_t *stats = t->part == PART_SCALE ? m->scale : m->offset;
	unsigned char *out = p->w->buf + i * row_bytes(t);

	if (t->part == PART_CODES && single_plane(m)) {
		bit_words(out, m, p->row + i);
		return;
	}
	if (t->part == PART_CODES) {
		uint8_t *codes = p->w->codes + i * codes_bytes(t);

		mat_unpack_row(m, p->row + i, codes);
		bit_string(out, codes, m->cols, m->bits);
		return;
	}
	for (size_t g = 0; g < t->dim[1]; g++) {
		uint16_t v = mat_stat(stats, m, p->row + i, g);

		out[2 * g] = (unsigned char)v;
		out[2 * g + 1] = (unsigned char)(v >> 8);
	}
}

static void tile_of(void *arg, size_t tile)
{
	const struct piece *p = arg;

	for (size_t i = tile * MAT_TILE; i < (tile + 1) * MAT_TILE && i < p->n; i++)
		row_of(p, i);
}

static enum st put_rows(struct writer *w, const struct part_entry *t, struct err *e)
{
	size_t rows = t->dim[0], step = rows_at_once(w, t);
	enum st st = ST_OK;

	for (size_t row = 0; !st && row < rows; row += step) {
		struct piece p = { w, t, row, rows - row < step ? rows - row : step };

		pool_run(tile_of, &p, (p.n + MAT_TILE - 1) / MAT_TILE);
		st = put(w, w->buf, p.n * row_bytes(t), e);
	}
	return st;
}

/* The codes, scales and offsets of a matrix are three entries, often one after the other. */
static enum st fetch(struct writer *w, const struct mat *there, struct err *e)
{
	enum st st;

	if (there == w->there)
		return ST_OK;
	big_free(w->memory);
	w->memory = NULL;
	w->there = NULL;
	st = place_get(&w->here, &w->memory, there, w->m, "a matrix to write", e);
	if (!st)
		w->there = there;
	return st;
}

static enum st put_entry(struct writer *w, const struct part_entry *of, struct err *e)
{
	struct part_entry here = *of, *t = &here;

	if (t->mat && w->m && !w->m->be->host_memory) {
		enum st st = fetch(w, t->mat, e);

		if (st)
			return st;
		t->mat = &w->here;
	}
	switch (t->part) {
	case PART_RAW:
		return put_plain(w, t->tensor->data, t->bytes, e);
	case PART_FLOAT:
		return put_float(w, t, e);
	case PART_DENSE:
		return put_plain(w, t->mat->data, t->bytes, e);
	case PART_CODES:
	case PART_SCALE:
	case PART_OFFSET:
		break;
	}
	return put_rows(w, t, e);
}

static enum st buffers(struct writer *w, const struct tensor_plan *p, struct err *e)
{
	size_t codes = MAT_BLOCK;

	w->cap = PIECE;
	for (size_t i = 0; i < p->n; i++)
		if (p->entry[i].part >= PART_CODES && row_bytes(&p->entry[i]) > w->cap)
			w->cap = row_bytes(&p->entry[i]);
	for (size_t i = 0; i < p->n; i++) {
		const struct part_entry *t = &p->entry[i];

		if (t->part == PART_CODES && rows_at_once(w, t) * codes_bytes(t) > codes)
			codes = rows_at_once(w, t) * codes_bytes(t);
	}
	w->buf = big_alloc(w->cap, "rows to write", e);
	w->codes = w->buf ? big_alloc(codes, "codes to write", e) : NULL;
	return w->codes ? ST_OK : ST_NOMEM;
}

enum st tensor_file_write(
	const struct tensor_plan *p, const char *path, const struct sink *s, struct err *e)
{
	struct writer w = { .s = s, .m = p->m };
	struct json_out o;
	unsigned char size[8];
	size_t padded;
	enum st st;

	header(&o, p);
	padded = (o.n + 7) / 8 * 8;
	for (int i = 0; i < 8; i++)
		size[i] = (unsigned char)((uint64_t)padded >> 8 * i);
	w.total = 8 + padded + p->bytes;
	st = buffers(&w, p, e);
	if (!st)
		st = fs_out_open(&w.out, path, w.total, e);
	if (!st)
		st = put(&w, size, sizeof size, e);
	if (!st)
		st = put(&w, o.s, o.n, e);
	if (!st)
		st = put(&w, "       ", padded - o.n, e);
	for (size_t i = 0; !st && i < p->n; i++)
		st = put_entry(&w, &p->entry[i], e);
	if (!st)
		st = fs_out_commit(w.out, e);
	else
		fs_out_abort(w.out);
	json_out_release(&o);
	big_free(w.buf);
	big_free(w.codes);
	big_free(w.memory);
	return st;
}
