/* clip.c - min-max over a smaller range where that leaves less error.
 *
 * Three steps a group (clip.inc): both ends drawn in together, first
 * in wide steps, then in narrow ones; then each end by itself; then scale and offset by
 * least squares for the codes at hand, alternating with the codes (Lloyd 1982).  Errors
 * are measured under the fp16 statistics that will be stored, and the plain range is one
 * of the candidates: never worse than minmax.
 */
#include "core/base/alloc.h"
#include "core/quant/tile.h"

struct job {
	const struct leaf *leaf;
	struct qcodes *out;
	float *room; /* tile_rooms */
};

static bool do_rows(void *arg, const float *w, size_t row, size_t rows)
{
	const struct job *j = arg;
	struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	float *t = tile_room(j->room, q, row);
	bool plain = true;

	for (size_t g = 0; g < groups; g++) {
		size_t n = rows_group_len(q, g);
		struct tile_stats st;

		j->leaf->load(t, w + g * q->format.group, q->cols, rows, n);
		plain &= j->leaf->clip(&st, t, NULL, n, (1 << q->format.bits) - 1);
		for (size_t r = 0; r < rows; r++) {
			q->scale[(row + r) * groups + g] = st.scale[r];
			q->offset[(row + r) * groups + g] = st.offset[r];
		}
	}
	tile_codes(j->leaf, q, w, row, rows);
	return plain;
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .leaf = leaf_best(), .out = out };
	enum st st = tile_rooms(&j.room, out, e);

	if (!st)
		st = rows_run_plain(in, TILE, 8, do_rows, &j, s, e);
	big_free(j.room);
	return st;
}

extern const struct quantizer quantizer_clip;
const struct quantizer quantizer_clip = {
	.name = "clip",
	.summary = "min-max over the range that leaves the least squared error; no data",
	.version = 1,
	.run = run,
};
