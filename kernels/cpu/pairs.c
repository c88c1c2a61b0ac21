/* cpu: one row of x in float times 2-bit codes, by tables of pairs (pairs.inc). */
#include "kernels/cpu/cpu.h"

#include <stdalign.h>

#include "kernels/pool.h"

enum {
	COLS = 32768,             /* at most: tables take 32 bytes a column */
	ROWS = 64,                /* that share a table's load */
	PART_WEIGHTS = 128 * 1024 /* read by a part */
};

static alignas(64) float tables[8 * COLS], sums[COLS / MAT_BLOCK];

struct pairs {
	float *y;
	const struct mat *w;
	size_t step; /* rows of W in a part */
};

static void pairs_part(void *arg, size_t part)
{
	const struct pairs *p = arg;
	size_t first = part * p->step, rest = p->w->rows - first;

	cpu_leaf()->pair.few(
		p->y + first, tables, sums, p->w, first, rest < p->step ? rest : p->step);
}

bool cpu_pairs(float *y, const float *x, const struct mat *w)
{
	const struct leaf *l = cpu_leaf();
	struct pairs p = { y, w, (PART_WEIGHTS / (ROWS * (w->cols + 1)) + 1) * ROWS };

	if (!l->pair.few || w->type != MAT_INT || w->bits != 2 || w->cols > COLS)
		return false;
	l->mm.group_sums(sums, x, w->cols, 1, w);
	l->pair.tables(tables, x, w->cols);
	pool_run(pairs_part, &p, (w->rows + p.step - 1) / p.step);
	return true;
}
