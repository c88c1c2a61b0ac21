/* figure.c - making figures, piece by piece. */
#include "core/work/figure.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

struct figure *figure_new(const char *name, const char *title, const char *x, const char *y)
{
	struct figure *f = xalloc(sizeof *f);

	arena_init(&f->memory, 0);
	f->name = figure_text(f, name);
	f->plot.title = figure_text(f, title);
	f->plot.x_label = figure_text(f, x);
	f->plot.y_label = figure_text(f, y);
	return f;
}

void figure_free(struct figure *f)
{
	if (!f)
		return;
	xfree(f->value);
	arena_release(&f->memory);
	xfree(f);
}

const char *figure_text(struct figure *f, const char *s)
{
	return arena_strndup(&f->memory, s ? s : "", s ? strlen(s) : 0);
}

struct plot_series *figure_series(struct figure *f, const char *label, size_t n, bool error)
{
	struct plot_series *s;

	if (f->plot.n == PLOT_SERIES)
		return NULL;
	s = &f->plot.series[f->plot.n++];
	s->label = figure_text(f, label);
	s->x = ARENA_NEW(&f->memory, double, n + 1);
	s->y = ARENA_NEW(&f->memory, double, n + 1);
	s->error = error ? ARENA_NEW(&f->memory, double, n + 1) : NULL;
	s->n = n;
	return s;
}

void figure_point(struct plot_series *s, size_t i, double x, double y, double error)
{
	((double *)(uintptr_t)s->x)[i] = x;
	((double *)(uintptr_t)s->y)[i] = y;
	if (s->error)
		((double *)(uintptr_t)s->error)[i] = error;
}

double *figure_map_cells(struct figure *f, size_t rows, size_t cols)
{
	double *v = ARENA_NEW(&f->memory, double, rows *cols + 1);

	for (size_t i = 0; i < rows * cols; i++)
		v[i] = (double)NAN;
	f->plot.rows = rows;
	f->plot.cols = cols;
	f->plot.value = v;
	return v;
}

void figure_columns(struct figure *f, size_t n, const char *const *name)
{
	f->cols = n < FIGURE_COLUMNS ? n : FIGURE_COLUMNS;
	for (size_t i = 0; i < f->cols; i++)
		f->col[i] = figure_text(f, name[i]);
}

void figure_row(struct figure *f, const struct figure_value *v)
{
	if (f->rows == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->value = xrealloc(f->value, f->cap * f->cols * sizeof *f->value);
	}
	for (size_t i = 0; i < f->cols; i++) {
		struct figure_value *to = &f->value[f->rows * f->cols + i];

		*to = v[i];
		to->text = v[i].text ? figure_text(f, v[i].text) : NULL;
	}
	f->rows++;
}
