/* minmax.c - the range of each group cut into equal steps. */
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
		size_t at = g * group, n = q->cols - at < m * group ? q->cols - at : m * group;
		float lo[TILE], hi[TILE];
		struct tile_stats st;
		struct grid grid;

		plain &= j->leaf->ranges(lo, hi, w + at, n, group);
		j->leaf->stats(&st, lo, hi, top);
		memcpy(q->scale + row * groups + g, st.scale, m * sizeof *st.scale);
		memcpy(q->offset + row * groups + g, st.offset, m * sizeof *st.offset);
		grid = (struct grid){ st.scale, st.offset, group, top };
		j->leaf->codes(code + at, w + at, n, &grid);
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
