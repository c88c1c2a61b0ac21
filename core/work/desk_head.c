/* desk_head.c - the head in a packed format, for who wants the chat faster. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/model/place.h"
#include "core/work/desk_private.h"

/* Weights of the head that are floats at once: some rows, a multiple of a tile. */
enum { SLICE_WEIGHTS = 1 << 20 };

static void put_stats(const uint16_t *to, size_t first, const struct mat *w, const uint16_t *from,
	const struct mat *part)
{
	memcpy((uint16_t *)(uintptr_t)to + mat_stat_count(first, w->cols, w->group), from,
		mat_stat_count(part->rows, part->cols, part->group) * sizeof *from);
}

/* As float in w; there: room for them on a device. */
static enum st rows_of_head(
	const struct desk *d, size_t first, size_t n, float *there, float *w, struct err *e)
{
	const struct backend *be = d->m->be;

	be->dequant(there ? there : w, &d->m->head, first, n);
	if (there)
		be->get(w, there, n * d->m->head.cols * sizeof *w);
	return model_fault(d->m, e);
}

/* Rows first ... first + n of the head into their place. */
static enum st quantize_slice(const struct desk *d, struct desk_head *h, size_t first, size_t n,
	float *there, float *w, const struct sink *s, struct err *e)
{
	const struct quantizer *q = quantizer_find(quantizer_data_free);
	size_t cols = h->mat.cols;
	struct quant_input in = { .w = w, .rows = n, .cols = cols, .backend = d->m->be, .sink = s };
	struct qcodes codes = { 0 };
	struct variant v = { 0 };
	enum st st = qcodes_alloc(&codes, h->format, n, cols, e);

	if (!st)
		st = rows_of_head(d, first, n, there, w, e);
	if (!st)
		st = q->run(&in, &codes, s, e);
	if (!st)
		st = variant_pack(&v, &codes, q, 0, e);
	if (!st) {
		memcpy((char *)h->memory + mat_code_bytes(h->format.bits, first, cols), v.mat.data,
			mat_code_bytes(h->format.bits, n, cols));
		put_stats(h->mat.scale, first, &h->mat, v.mat.scale, &v.mat);
		put_stats(h->mat.offset, first, &h->mat, v.mat.offset, &v.mat);
	}
	variant_release(&v);
	qcodes_release(&codes);
	return st;
}

static enum st make(const struct desk *d, struct desk_head *h, const struct sink *s, struct err *e)
{
	size_t rows = d->m->head.rows, cols = d->m->head.cols, bytes, step, n;
	enum st st = ST_OK;
	float *w, *there = NULL;

	step = SLICE_WEIGHTS / cols / MAT_TILE * MAT_TILE;
	step = step ? step : MAT_TILE;
	if (!variant_size(&bytes, h->format, rows, cols))
		return err_set(e, ST_INVALID, "a head of %zu x %zu cannot be made", rows, cols);
	h->memory = big_alloc(bytes, "the quantized head", e);
	w = h->memory ? big_array(step * cols, sizeof *w, "rows of the head", e) : NULL;
	if (!w)
		return ST_NOMEM;
	h->mat = variant_mat(h->format, rows, cols, h->memory);
	if (!d->m->be->host_memory)
		there = d->m->be->alloc(step * cols * sizeof *there);
	if (!d->m->be->host_memory && !there)
		st = place_full(d->m, "a part of the head", step * cols * sizeof *w,
			"keep the head as it is", e);
	for (size_t at = 0; !st && at < rows; at += n) {
		n = rows - at < step ? rows - at : step;
		st = quantize_slice(d, h, at, n, there, w, s, e);
	}
	if (there)
		d->m->be->free(there);
	big_free(w);
	return st;
}

/* To the device where the model is on one. */
static enum st take_there(const struct desk *d, struct desk_head *h, struct err *e)
{
	struct mat there;
	void *memory;
	enum st st;

	if (d->m->be->host_memory)
		return ST_OK;
	st = place_put(&there, &memory, &h->mat, d->m, "the quantized head", e);
	if (st)
		return st;
	big_free(h->memory);
	h->mat = there;
	h->memory = memory;
	h->home = d->m->be;
	return ST_OK;
}

enum st desk_head(struct desk *d, const char *name, const struct mat **out, const struct sink *s,
	struct err *e)
{
	struct desk_head made = { .next = d->head };
	enum st st;

	*out = NULL;
	if (!*name || !strcmp(name, "keep"))
		return ST_OK;
	st = format_parse(&made.format, name, e);
	if (!st && format_is_mix(made.format))
		st = err_set(e, ST_UNSUPPORTED, "head %s: a head has one format", name);
	if (st)
		return st;
	for (struct desk_head *h = d->head; h; h = h->next)
		if (format_equal(h->format, made.format)) {
			*out = &h->mat;
			return ST_OK;
		}
	st = make(d, &made, s, e);
	if (!st)
		st = take_there(d, &made, e);
	if (st) {
		big_free(made.memory);
		return st;
	}
	d->head = xalloc(sizeof *d->head);
	*d->head = made;
	*out = &d->head->mat;
	return ST_OK;
}

void desk_forget_heads(struct desk *d)
{
	while (d->head) {
		struct desk_head *next = d->head->next;

		if (d->head->home)
			d->head->home->free(d->head->memory);
		else
			big_free(d->head->memory);
		xfree(d->head);
		d->head = next;
	}
}
