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

static void few_rows(mix_linear_fn *linear, float *y, size_t ldy, size_t m, const struct mat *w)
{
	struct mat high = mat_part(w, true), low = mat_part(w, false);

	linear(y, ldy, gathered, w->cols, m, &high);
	linear(sums, w->rows, gathered + high.cols, w->cols, m, &low);
	for (size_t t = 0; t < m; t++)
		for (size_t r = 0; r < w->rows; r++)
			y[t * ldy + r] += sums[t * w->rows + r];
}

void mix_linear(mix_linear_fn *linear, float *y, size_t ldy, const float *x, size_t ldx, size_t m,
	const struct mat *w)
{
	size_t rows = w->rows < ROWS ? w->rows : ROWS, widest = rows > w->cols ? rows : w->cols;
	size_t step = widest ? ROOM / widest : 1;

	for (size_t t = 0; t < m; t += step) {
		size_t n = m - t < step ? m - t : step;

		gather(x + t * ldx, ldx, n, w);
		for (size_t r = 0; r < w->rows; r += rows) {
			struct mat part = mat_rows(w, r, w->rows - r < rows ? w->rows - r : rows);

			few_rows(linear, y + t * ldy + r, ldy, n, &part);
		}
	}
}
