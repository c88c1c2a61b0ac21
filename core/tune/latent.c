/* latent.c - see latent.h. */
#include "core/tune/latent.h"

#include <string.h>

#include "core/tune/state.h"

static struct codes_at codes_of(const struct tuned *grid, const struct tune_options *o)
{
	return room_codes(&(struct room){ 0 }, &grid->w, !o->lean, true);
}

/* The codes that the master's row would have, behind those that it has (row_codes). */
static uint8_t *nearest(const struct pass *p, size_t row, uint8_t *was)
{
	const struct mat *w = &p->t->w;
	size_t cols = w->cols, padded = (cols + MAT_BLOCK - 1) / MAT_BLOCK * MAT_BLOCK;
	uint8_t *q = was + padded;
	int top = (1 << w->bits) - 1;

	for (size_t g = 0, c = 0; c < cols; g++, c += w->group) {
		size_t n = cols - c < w->group ? cols - c : w->group;
		float offset, inverse;

		row_grid(p, row, g, &offset, &inverse);
		p->l->nearest(q + c, p->master + row * cols + c, offset, inverse, top, n);
	}
	memset(q + cols, 0, padded - cols);
	return q;
}

struct start {
	struct pass p;
	float *master;
};

static void start_row(void *arg, size_t row, size_t part)
{
	const struct start *s = arg;
	const struct mat *w = &s->p.t->w;
	uint8_t *was = row_codes(&s->p, row), *q = nearest(&s->p, row, was);
	float *x = s->master + row * w->cols, offset, inverse;

	(void)part;
	for (size_t c = 0; c < w->cols; c++) {
		if (was[c] == q[c])
			continue;
		row_grid(&s->p, row, c / w->group, &offset, &inverse);
		x[c] = inverse != 0 ? offset + (float)was[c] / inverse : x[c];
	}
}

void latent_start(struct tuned *grid, float *master)
{
	struct start s = { { .t = grid, .l = tune_loops(), .master = master }, master };

	each_row(grid->w.rows, start_row, &s);
}

static void round_row(void *arg, size_t row, size_t part)
{
	struct pass *p = arg;
	size_t cols = p->t->w.cols;
	uint8_t *was = row_codes(p, row), *q = nearest(p, row, was);
	uint32_t flips = 0;

	(void)part;
	for (size_t c = 0; c < cols; c++) {
		flips += was[c] != q[c];
		if (was[c] != q[c] && p->codes.counted)
			code_changed(p, row, c);
	}
	p->rows[row].flips = flips;
	if (flips)
		row_put(p, row, q);
}

void latent_round(struct tuned *grid, const float *master, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	struct pass p = { .t = grid,
		.o = o,
		.l = tune_loops(),
		.head = grid->state,
		.rows = scratch,
		.codes = codes_of(grid, o),
		.master = master };

	memset(p.rows, 0, grid->w.rows * sizeof *p.rows);
	each_row(grid->w.rows, round_row, &p);
	for (size_t r = 0; r < grid->w.rows; r++) {
		c->flips[grid->w.bits] += p.rows[r].flips;
		p.head->changed += p.rows[r].fresh;
	}
}

static void step_row(void *arg, size_t row, size_t part)
{
	struct pass *p = arg;

	(void)part;
	stats_step(p, row, row_codes(p, row));
	stats_write(p, row);
}

bool latent_step(struct tuned *grid, const float *master, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c)
{
	struct pass p;

	if (!pass_begin(&p, grid, grad, step, o, scratch, c))
		return false;
	p.codes = codes_of(grid, o);
	p.master = master;
	each_row(grid->w.rows, step_row, &p);
	pass_end(&p, c);
	return true;
}
