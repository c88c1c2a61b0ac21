/* gptq.c - error feedback along the inputs (Frantar et al. 2023; search-and-quantizers.md B3).
 *
 * With H^-1 = U^T U of the damped second moments, the error that column j is left with,
 * divided by U_jj, is taken from the columns after it along row j of U: at once within
 * a block of columns, by one gemm a block for the rest.  Scale and offset of every group
 * are clip's for the weights as they are when the group is entered, in fp16 before the
 * first code of the group is chosen, and each column counts by what its error costs once
 * the columns behind it have made up for it as well as they can: 1 / U_jj^2.
 */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/clip.h"
#include "core/quant/factor.h"
#include "core/quant/lanes.h"

enum { BLOCK = 128 };

struct job {
	struct qcodes *out;
	struct qcodes *part; /* being filled: out, or one of its two parts */
	size_t base;         /* the column it begins at */
	float *w;            /* [rows][cols]: weights with the errors so far fed back */
	float *error;        /* [rows][BLOCK] */
	float *cost;         /* [cols]: of an error in a column, the dearest 1 */
	const float *u;
	size_t from, to;          /* the block: columns */
	float tri[BLOCK * BLOCK]; /* rows of U in the block, zeros elsewhere */
	float inverse[BLOCK];     /* 1 / U_jj */
};

/* Columns [j, end) of one group. */
struct run_of {
	float scale, offset;
	int top;
	size_t j, end;
};

static BD_HOT void feed(float *x, const struct run_of *r, const float *tri, const float *inverse,
	size_t width, uint8_t *code, float *error)
{
	float step = r->scale ? 1 / r->scale : 0, top = (float)r->top;

	for (size_t j = r->j; j < r->end; j++) {
		float q = (x[j] - r->offset) * step, d;
		const float *row = tri + j * BLOCK;

		q = q > 0 ? q : 0;
		q = q < top ? q : top;
		q = q + ROUND_MAGIC - ROUND_MAGIC;
		code[j] = (uint8_t)q;
		d = (x[j] - (r->scale * q + r->offset)) * inverse[j];
		error[j] = d;
		for (size_t k = j / LANES * LANES; k < width; k += LANES) {
			lanes a = lanes_load(x + k, LANES, 0) - d * lanes_load(row + k, LANES, 0);

			memcpy(x + k, &a, sizeof a);
		}
	}
}

/* One row of the block. */
static void do_row(void *arg, size_t row)
{
	const struct job *j = arg;
	const struct qcodes *q = j->part;
	size_t group = q->format.group, groups = rows_groups(q), width = j->to - j->from;
	size_t from = j->from - j->base;
	const float *w = j->w + row * j->out->cols;
	float x[BLOCK] = { 0 };
	struct run_of r = { .top = (1 << q->format.bits) - 1 };

	memcpy(x, w + j->from, width * sizeof *x);
	for (size_t at = 0; at < width; at = r.end) {
		size_t g = (from + at) / group, in_group = (from + at) % group;
		size_t len = rows_group_len(q, g), stat = row * groups + g;

		/* A group that is wider than a block starts with one, and w is up to date. */
		if (!in_group) {
			struct stats st = clip_group(len <= width - at ? x + at : w + j->from,
				j->cost + j->from + at, len, r.top);

			q->scale[stat] = st.scale;
			q->offset[stat] = st.offset;
		}
		r.scale = f16_to_f32(q->scale[stat]);
		r.offset = f16_to_f32(q->offset[stat]);
		r.j = at;
		r.end = at + (len - in_group) < width ? at + (len - in_group) : width;
		feed(x, &r, j->tri, j->inverse, width, q->code + row * q->cols + from,
			j->error + row * BLOCK);
	}
}

/* Blocks hold whole groups or lie within one; from counts within the part. */
static size_t block_end(const struct qcodes *q, size_t from)
{
	size_t group = q->format.group, to;

	if (group <= BLOCK)
		to = from + BLOCK / group * group;
	else {
		size_t end = (from / group + 1) * group;

		to = from + BLOCK < end ? from + BLOCK : end;
	}
	return to < q->cols ? to : q->cols;
}

static void take_block(struct job *j)
{
	size_t n = j->out->cols, width = j->to - j->from;

	memset(j->tri, 0, sizeof j->tri);
	for (size_t i = 0; i < width; i++) {
		const float *row = j->u + (j->from + i) * n + j->from;

		memcpy(j->tri + i * BLOCK + i, row + i, (width - i) * sizeof *row);
		j->inverse[i] = 1 / row[i];
	}
}

/* Columns behind the block: w -= error * U, in pieces of about 10 ms. */
static enum st spread(
	const struct job *j, const struct backend *be, const struct sink *s, struct err *e)
{
	size_t n = j->out->cols, rows = j->out->rows, left = n - j->to, width = j->to - j->from;
	double most = left ? 1e8 / ((double)left * BLOCK) : 0;
	size_t step = most < 16 ? 16 : most > (double)rows ? rows : (size_t)most;

	for (size_t at = 0; left && at < rows; at += step) {
		size_t m = rows - at < step ? rows - at : step;

		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped at column %zu of %zu", j->to, n);
		be->gemm(false, false, m, left, width, -1, j->error + at * BLOCK, BLOCK,
			j->u + j->from * n + j->to, n, 1, j->w + at * n + j->to, n, MATH_F32);
	}
	return ST_OK;
}

static enum st columns(struct job *j, const struct backend *be, const struct sink *s, struct err *e)
{
	size_t end = j->base + j->part->cols;
	enum st st = ST_OK;

	for (j->from = j->base; !st && j->from < end; j->from = j->to) {
		j->to = j->base + block_end(j->part, j->from - j->base);
		take_block(j);
		st = rows_run(j->out->rows, j->to - j->from, 40, do_row, j, s, e);
		if (!st)
			st = spread(j, be, s, e);
	}
	return st;
}

/* A mix feeds the errors of its high part to the low one. */
static enum st parts(struct job *j, const struct backend *be, const struct sink *s, struct err *e)
{
	enum st st;

	j->part = j->out->part ? &j->out->part[0] : j->out;
	st = columns(j, be, s, e);
	if (st || !j->out->part)
		return st;
	j->base = j->part->cols;
	j->part = &j->out->part[1];
	return columns(j, be, s, e);
}

/* search-and-quantizers.md D.7: at int3g64 0.1 leaves less than 0.01. */
static double damping_of(struct format f)
{
	return f.bits <= 3 ? 0.1 : 0.01;
}

static void costs(struct job *j)
{
	size_t n = j->out->cols;
	float least = j->u[0];

	for (size_t i = 0; i < n; i++)
		least = j->u[i * n + i] < least ? j->u[i * n + i] : least;
	for (size_t i = 0; i < n; i++) {
		float x = least / j->u[i * n + i];

		j->cost[i] = x * x;
	}
}

static enum st prepared(
	struct job *j, const struct quant_input *in, const struct sink *s, struct err *e)
{
	size_t n = in->rows * in->cols;
	const float *plain;
	float *copy, *own;
	enum st st = rows_weights(in, &plain, &copy, e);

	if (st)
		return st;
	st = ST_NOMEM;
	j->w = copy ? copy : big_array(n, sizeof *j->w, "a linear's weights", e);
	if (j->w && !copy)
		memcpy(j->w, plain, n * sizeof *j->w);
	if (j->w)
		j->error = big_array(in->rows, BLOCK * sizeof *j->error, "errors of a block", e);
	if (j->error)
		j->cost = big_array(in->cols, sizeof *j->cost, "costs of columns", e);
	if (j->cost)
		st = cache_factor(in, damping_of(j->out->format), &j->u, &own, s, e);
	if (!st) {
		costs(j);
		st = parts(j, input_backend(in), s, e);
		big_free(own);
	}
	big_free(j->w);
	big_free(j->error);
	big_free(j->cost);
	return st;
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job *j;
	enum st st;

	if (!in->moments)
		return err_set(e, ST_INVALID,
			"gptq needs second moments of the inputs: gather them on a text first");
	j = xalloc(sizeof *j);
	j->out = out;
	st = prepared(j, in, s, e);
	xfree(j);
	return st;
}

extern const struct quantizer quantizer_gptq;
const struct quantizer quantizer_gptq = {
	.name = "gptq",
	.summary = "feeds each input's error to the next ones by second moments of the activations",
	.needs_moments = true,
	.version = 2,
	.run = run,
};
