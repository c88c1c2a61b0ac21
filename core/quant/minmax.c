/* minmax.c - the range of each group cut into equal steps (search-and-quantizers.md B1). */
#include <string.h>

#include "core/quant/leaf.h"

struct job {
	const struct leaf *leaf;
	struct qcodes *out;
};

/* Sixteen groups of a row at a time. */
static bool do_row(void *arg, const float *w, size_t row, size_t rows)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q), group = q->format.group;
	int top = (1 << q->format.bits) - 1;
	uint8_t *code = q->code + row * q->cols;
	bool plain = true;

	(void)rows; /* one */
	for (size_t g = 0; g < groups; g += TILE) {
		size_t m = groups - g < TILE ? groups - g : TILE;
		float lo[TILE] = { 0 }, hi[TILE] = { 0 };
		struct tile_stats st;

		for (size_t i = 0; i < m; i++)
			plain &= j->leaf->range(
				w + (g + i) * group, rows_group_len(q, g + i), lo + i, hi + i);
		j->leaf->stats(&st, lo, hi, top);
		memcpy(q->scale + row * groups + g, st.scale, m * sizeof *st.scale);
		memcpy(q->offset + row * groups + g, st.offset, m * sizeof *st.offset);
		for (size_t i = 0; i < m; i++)
			j->leaf->codes(code + (g + i) * group, w + (g + i) * group,
				rows_group_len(q, g + i),
				(struct stats){ st.scale[i], st.offset[i] }, top);
	}
	return plain;
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { leaf_best(), out };

	return rows_run_plain(in, 1, 0.5, do_row, &j, s, e);
}

extern const struct quantizer quantizer_minmax;
const struct quantizer quantizer_minmax = {
	.name = "minmax",
	.summary = "the range of each group in equal steps; no data",
	.version = 1,
	.run = run,
};
