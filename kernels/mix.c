/* mix.c - gather, two products, one sum. */
#include "kernels/mix.h"

/* Rows of x are taken in pieces that fit: a mix has at most 65,536 inputs, and of a mat with
 * more outputs than ROOM some rows at a time. */
enum { ROOM = 1 << 20, ROWS = ROOM / 4 };

static float gathered[ROOM], sums[ROOM];

static void gather(const float *x, size_t ldx, size_t m, const struct mat *w)
{
	for (size_t t = 0; t < m; t++)
		for (size_t c = 0; c < w->cols; c++)
			gathered[t * w->cols + c] = x[t * ldx + w->order[c]];
}

/* n rows of W from `first` on. */
static void few_rows(mix_products_fn *products, const struct product *p, size_t first, size_t n,
	size_t m, enum math math)
{
	struct mat part = mat_rows(p->w, first, n);
	struct mat high = mat_part(&part, true), low = mat_part(&part, false);
	float *y = p->y + first;

	products(&(struct product){ y, p->ldy, &high }, 1, gathered, part.cols, m, math);
	products(&(struct product){ sums, n, &low }, 1, gathered + high.cols, part.cols, m, math);
	for (size_t t = 0; t < m; t++)
		for (size_t r = 0; r < n; r++)
			y[t * p->ldy + r] += sums[t * n + r];
}

void mix_product(mix_products_fn *products, const struct product *p, const float *x, size_t ldx,
	size_t m, enum math math)
{
	const struct mat *w = p->w;
	size_t rows = w->rows < ROWS ? w->rows : ROWS, widest = rows > w->cols ? rows : w->cols;
	size_t step = widest ? ROOM / widest : 1;

	for (size_t t = 0; t < m; t += step) {
		size_t n = m - t < step ? m - t : step;
		const struct product at = { p->y + t * p->ldy, p->ldy, w };

		gather(x + t * ldx, ldx, n, w);
		for (size_t r = 0; r < w->rows; r += rows)
			few_rows(products, &at, r, w->rows - r < rows ? w->rows - r : rows, n,
				math);
	}
}
