/* minmax.c - the range of each group cut into equal steps (search-and-quantizers.md B1). */
#include "core/base/alloc.h"
#include "core/quant/rows.h"

struct job {
	const float *w;
	struct qcodes *out;
};

static void do_row(void *arg, size_t row)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	int top = (1 << q->format.bits) - 1;

	for (size_t g = 0; g < groups; g++) {
		size_t n = rows_group_len(q, g), at = row * q->cols + g * q->format.group;
		struct stats st;
		float lo, hi;

		group_range(j->w + at, n, &lo, &hi);
		st = stats_range(lo, hi, top);
		q->scale[row * groups + g] = st.scale;
		q->offset[row * groups + g] = st.offset;
		group_codes(j->w + at, n, st, top, q->code + at);
	}
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .out = out };
	float *copy;
	enum st st = rows_weights(in, &j.w, &copy, e);

	if (!st)
		st = rows_run(out->rows, out->cols, 0.5, do_row, &j, s, e);
	big_free(copy);
	return st;
}

extern const struct quantizer quantizer_minmax;
const struct quantizer quantizer_minmax = {
	.name = "minmax",
	.summary = "the range of each group in equal steps; no data",
	.version = 1,
	.run = run,
};
