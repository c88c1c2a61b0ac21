/* tensorfile.c - writes a plan as one safetensors file (reliability.md 1). */
#include "core/quant/tensorfile.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "kernels/pool.h"

struct writer {
	struct fs_out *out;
	const struct sink *s;
	unsigned char *buf; /* of BATCH bytes or one row, whatever is more */
	size_t cap, done, total, row_codes;
	uint8_t *codes; /* one row, one a byte, for each part of a batch */
};

/* Bytes between two looks at the sink; bytes of rows that all threads make at once, and parts. */
enum { PIECE = 1 << 18, BATCH = 1 << 22, PARTS = 64 };

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
	uint32_t word = 0;
	int held = 0;

	for (size_t i = 0; i < n; i++) {
		word |= (uint32_t)code[i] << held;
		held += bits;
		if (held >= 8) {
			*out++ = (unsigned char)word;
			word >>= 8;
			held -= 8;
		}
	}
	if (held)
		*out = (unsigned char)word;
}

static void row_of(const struct part_entry *t, size_t row, uint8_t *codes, unsigned char *out)
{
	const struct mat *m = t->mat;
	const uint16_t *stats = t->part == PART_SCALE ? m->scale : m->offset;

	if (t->part == PART_CODES) {
		mat_unpack_row(m, row, codes);
		bit_string(out, codes, m->cols, m->bits);
		return;
	}
	for (size_t g = 0; g < t->dim[1]; g++) {
		uint16_t v = mat_stat(stats, m, row, g);

		out[2 * g] = (unsigned char)v;
		out[2 * g + 1] = (unsigned char)(v >> 8);
	}
}

struct batch {
	const struct writer *w;
	const struct part_entry *t;
	size_t first, rows, per_part, row_bytes;
};

static void rows_part(void *arg, size_t part)
{
	const struct batch *b = arg;
	size_t at = part * b->per_part, end = at + b->per_part;

	for (end = end < b->rows ? end : b->rows; at < end; at++)
		row_of(b->t, b->first + at, b->w->codes + part * b->w->row_codes,
			b->w->buf + at * b->row_bytes);
}

static enum st put_rows(struct writer *w, const struct part_entry *t, struct err *e)
{
	struct batch b = { .w = w, .t = t, .row_bytes = t->bytes / t->dim[0] };
	size_t most = w->cap / b.row_bytes;
	enum st st = ST_OK;

	for (; !st && b.first < t->dim[0]; b.first += b.rows) {
		b.rows = t->dim[0] - b.first < most ? t->dim[0] - b.first : most;
		b.per_part = (b.rows + PARTS - 1) / PARTS;
		pool_run(rows_part, &b, (b.rows + b.per_part - 1) / b.per_part);
		st = put_plain(w, w->buf, b.rows * b.row_bytes, e);
	}
	return st;
}

static enum st put_entry(struct writer *w, const struct part_entry *t, struct err *e)
{
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
	size_t cols = 0;

	w->cap = BATCH;
	for (size_t i = 0; i < p->n; i++) {
		const struct part_entry *t = &p->entry[i];

		if (t->part == PART_CODES && t->mat->cols > cols)
			cols = t->mat->cols;
		if (t->part >= PART_CODES && t->dim[1] * t->unit > w->cap)
			w->cap = t->dim[1] * t->unit;
	}
	w->buf = big_alloc(w->cap, "rows to write", e);
	w->row_codes = (cols + MAT_BLOCK + 63) / 64 * 64;
	w->codes = w->buf ? big_array(PARTS, w->row_codes, "codes to write", e) : NULL;
	return w->codes ? ST_OK : ST_NOMEM;
}

enum st tensor_file_write(
	const struct tensor_plan *p, const char *path, const struct sink *s, struct err *e)
{
	struct writer w = { .s = s };
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
	return st;
}
