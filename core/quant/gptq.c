/* gptq.c - error feedback along the inputs (Frantar et al. 2023).
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
#include "core/quant/factor.h"
#include "core/quant/tile.h"

enum { BLOCK = 128 };

struct job {
	const struct leaf *leaf;
	struct qcodes *out;
	struct qcodes *part; /* being filled: out, or one of its two parts */
	size_t base;         /* the column it begins at */
	float *w;            /* [rows][cols]: weights with the errors so far fed back */
	float *error;        /* [rows][BLOCK] */
	float *cost;         /* [cols]: of an error in a column, the dearest 1 */
	float *room;         /* tile_rooms of the part */
	const float *u;
	size_t from, to;          /* the block: columns */
	float tri[BLOCK * BLOCK]; /* rows of U in the block, zeros elsewhere */
	float inverse[BLOCK];     /* 1 / U_jj */
};

/* A block of sixteen rows, in the second half of the scratch. */
struct block {
	float x[BLOCK * TILE], code[BLOCK * TILE], error[BLOCK * TILE];
	float row[TILE * BLOCK];
	struct tile_stats st;
};

static struct block *block_room(void)
{
	return (struct block *)((char *)pool_scratch() + POOL_SCRATCH / 2);
}

/* Statistics of group g, which begins `at` columns into the block. */
static void enter_group(
	const struct job *j, struct block *b, size_t row, size_t rows, size_t at, size_t g)
{
	const struct qcodes *q = j->part;
	size_t n = j->out->cols, len = rows_group_len(q, g), groups = rows_groups(q);
	float *t = b->x + at * TILE;

	/* A group that is wider than a block starts with one, and w is up to date. */
	if (len > j->to - j->from - at) {
		t = tile_room(j->room, q, row);
		j->leaf->load(t, j->w + row * n + j->from, n, rows, len);
	}
	(void)j->leaf->clip(&b->st, t, j->cost + j->from + at, len, (1 << q->format.bits) - 1);
	for (size_t r = 0; r < rows; r++) {
		q->scale[(row + r) * groups + g] = b->st.scale[r];
		q->offset[(row + r) * groups + g] = b->st.offset[r];
	}
}

/* The statistics of a group that the block before has begun. */
static void resume_group(const struct job *j, struct block *b, size_t row, size_t rows, size_t g)
{
	const struct qcodes *q = j->part;
	size_t groups = rows_groups(q);

	for (size_t r = 0; r < TILE; r++) {
		size_t from = row + (r < rows ? r : rows - 1);

		b->st.scale[r] = q->scale[from * groups + g];
		b->st.offset[r] = q->offset[from * groups + g];
	}
}

static void put_codes(const struct job *j, struct block *b, size_t row, size_t rows)
{
	const struct qcodes *q = j->part;
	size_t width = j->to - j->from;

	j->leaf->store(b->row, BLOCK, rows, b->code, width);
	for (size_t r = 0; r < rows; r++) {
		uint8_t *code = q->code + (row + r) * q->cols + j->from - j->base;

		for (size_t k = 0; k < width; k++)
			code[k] = (uint8_t)b->row[r * BLOCK + k];
	}
}

/* Sixteen rows of the block. */
static void do_rows(void *arg, size_t tile)
{
	const struct job *j = arg;
	const struct qcodes *q = j->part;
	size_t group = q->format.group, width = j->to - j->from, n = j->out->cols;
	size_t row = tile * TILE, from = j->from - j->base;
	size_t rows = q->rows - row < TILE ? q->rows - row : TILE;
	struct block *b = block_room();
	struct feed f = { .tri = j->tri,
		.inverse = j->inverse,
		.ld = BLOCK,
		.width = width,
		.top = (1 << q->format.bits) - 1 };

	j->leaf->load(b->x, j->w + row * n + j->from, n, rows, width);
	for (size_t at = 0; at < width; at = f.end) {
		size_t g = (from + at) / group, in_group = (from + at) % group;
		size_t left = rows_group_len(q, g) - in_group;

		if (in_group)
			resume_group(j, b, row, rows, g);
		else
			enter_group(j, b, row, rows, at, g);
		f.j = at;
		f.end = left < width - at ? at + left : width;
		j->leaf->feed(b->x, b->code, b->error, &f, &b->st);
	}
	j->leaf->store(j->error + row * BLOCK, BLOCK, rows, b->error, width);
	put_codes(j, b, row, rows);
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

/* Columns behind the block: w -= error * U, in pieces of a billion operations. */
static enum st spread(
	const struct job *j, const struct backend *be, const struct sink *s, struct err *e)
{
	size_t n = j->out->cols, rows = j->out->rows, left = n - j->to, width = j->to - j->from;
	double most = left ? 5e8 / ((double)left * BLOCK) : 0;
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
	enum st st = tile_rooms(&j->room, j->part, e);

	for (j->from = j->base; !st && j->from < end; j->from = j->to) {
		j->to = j->base + block_end(j->part, j->from - j->base);
		take_block(j);
		st = rows_run((j->out->rows + TILE - 1) / TILE, (j->to - j->from) * TILE, 15,
			do_rows, j, s, e);
		if (!st)
			st = spread(j, be, s, e);
	}
	big_free(j->room);
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

/* Measured on the default model: at int3g64 0.1 leaves less damage than 0.01. */
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
	float *own;
	enum st st = ST_NOMEM;

	j->w = big_array(in->rows * in->cols, sizeof *j->w, "a linear's weights", e);
	if (j->w)
		rows_copy(j->w, in);
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
	j->leaf = leaf_best();
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
