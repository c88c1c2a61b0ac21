/* table.c - the quantizers there are, and the codes they fill. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/quantizer.h"

#define QUANTIZERS(X) X(minmax) X(clip) X(hqq) X(gptq)

#define X(name) extern const struct quantizer quantizer_##name;
QUANTIZERS(X)
#undef X

const struct quantizer *const quantizer_table[] = {
#define X(name) &quantizer_##name,
	QUANTIZERS(X)
#undef X
		NULL
};

const char quantizer_data_free[] = "clip", quantizer_calibrated[] = "gptq";

const struct quantizer *quantizer_find(const char *name)
{
	for (size_t i = 0; quantizer_table[i]; i++)
		if (!strcmp(quantizer_table[i]->name, name))
			return quantizer_table[i];
	return NULL;
}

static enum st alloc_parts(struct qcodes *q, struct err *e)
{
	char name[FORMAT_NAME];
	size_t high;
	enum st st;

	if (!q->rows || !format_fits(q->format, q->cols))
		return err_set(e, ST_INVALID,
			"%s needs 128 to 65536 inputs, a linear of %zu x %zu has no such codes",
			format_name(q->format, name), q->rows, q->cols);
	high = format_high_cols(q->format, q->cols);
	q->part = xarray(2, sizeof *q->part);
	q->order = xarray(q->cols, sizeof *q->order);
	st = qcodes_alloc(&q->part[0], format_high(q->format), q->rows, high, e);
	if (!st)
		st = qcodes_alloc(&q->part[1], format_low(q->format), q->rows, q->cols - high, e);
	if (st)
		qcodes_release(q);
	return st;
}

enum st qcodes_alloc(struct qcodes *q, struct format f, size_t rows, size_t cols, struct err *e)
{
	char name[FORMAT_NAME];
	size_t groups;

	*q = (struct qcodes){ .format = f, .rows = rows, .cols = cols };
	if (format_is_mix(f))
		return alloc_parts(q, e);
	if (format_is_keep(f) || f.bits < 1 || f.bits > 8 || !f.group || f.group % MAT_BLOCK)
		return err_set(e, ST_INVALID, "%s has no codes", format_name(f, name));
	if (!rows || !cols)
		return err_set(e, ST_INVALID, "a linear of %zu x %zu has no codes", rows, cols);
	groups = mat_groups(cols, f.group);
	q->code = big_array(rows, cols, "codes of a linear", e);
	if (q->code)
		q->scale = big_array(rows, groups * sizeof *q->scale, "scales of a linear", e);
	if (q->scale)
		q->offset = big_array(rows, groups * sizeof *q->offset, "offsets of a linear", e);
	if (q->offset)
		return ST_OK;
	qcodes_release(q);
	return ST_NOMEM;
}

void qcodes_release(struct qcodes *q)
{
	for (int i = 0; q->part && i < 2; i++)
		qcodes_release(&q->part[i]);
	xfree(q->part);
	xfree(q->order);
	q->part = NULL;
	q->order = NULL;
	big_free(q->code);
	big_free(q->scale);
	big_free(q->offset);
	q->code = NULL;
	q->scale = q->offset = NULL;
}

/* Each weight to its input's place. */
static void parts_row(const struct qcodes *q, size_t row, float *out)
{
	const uint16_t *order = q->order;

	for (int i = 0; i < 2; i++) {
		const struct qcodes *p = &q->part[i];

		for (size_t c = 0; c < p->cols; c++) {
			size_t at =
				row * mat_groups(p->cols, p->format.group) + c / p->format.group;

			out[*order++] =
				f16_to_f32(p->scale[at]) * (float)p->code[row * p->cols + c] +
				f16_to_f32(p->offset[at]);
		}
	}
}

void qcodes_row(const struct qcodes *q, size_t row, float *out)
{
	const uint8_t *code;
	size_t groups;

	if (q->part) {
		parts_row(q, row, out);
		return;
	}
	code = q->code + row * q->cols;
	groups = mat_groups(q->cols, q->format.group);
	for (size_t g = 0, c = 0; g < groups; g++) {
		float scale = f16_to_f32(q->scale[row * groups + g]);
		float offset = f16_to_f32(q->offset[row * groups + g]);
		size_t end = c + q->format.group < q->cols ? c + q->format.group : q->cols;

		for (; c < end; c++)
			out[c] = scale * (float)code[c] + offset;
	}
}
