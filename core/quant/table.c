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

enum st qcodes_alloc(struct qcodes *q, struct format f, size_t rows, size_t cols, struct err *e)
{
	char name[FORMAT_NAME];
	size_t groups;

	*q = (struct qcodes){ .format = f, .rows = rows, .cols = cols };
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
	big_free(q->code);
	big_free(q->scale);
	big_free(q->offset);
	q->code = NULL;
	q->scale = q->offset = NULL;
}

void qcodes_row(const struct qcodes *q, size_t row, float *out)
{
	size_t groups = mat_groups(q->cols, q->format.group);
	const uint8_t *code = q->code + row * q->cols;

	for (size_t g = 0, c = 0; g < groups; g++) {
		float scale = f16_to_f32(q->scale[row * groups + g]);
		float offset = f16_to_f32(q->offset[row * groups + g]);
		size_t end = c + q->format.group < q->cols ? c + q->format.group : q->cols;

		for (; c < end; c++)
			out[c] = scale * (float)code[c] + offset;
	}
}
