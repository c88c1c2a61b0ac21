/* plot.h - pictures by gnuplot: curves and heat maps to png, svg, pdf, or sixels for a terminal.
 *
 * gnuplot runs as a child without a shell, with a clean environment, in a private folder, fed by
 * a pipe, and under limits (20 s of CPU, 1 GiB, 64 MiB of output, 30 s in all).  What it is sent
 * are numbers and labels made harmless: nothing from outside can be a command.  Beside a picture
 * lie NAME.gp and NAME.tsv, so that it can be drawn again and differently anywhere.  Blocks until
 * it is done; any thread, polls the sink.
 */
#ifndef BD_WORK_PLOT_H
#define BD_WORK_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/sink.h"

enum { PLOT_SERIES = 16 };

struct plot_series {
	const char *label;
	const double *x, *y; /* [n]; what is not finite is left out */
	const double *error; /* [n] half a bar, or NULL */
	size_t n;
	bool points; /* not a line */
};

struct plot {
	const char *title, *x_label, *y_label;
	bool log_x, log_y;
	size_t n;
	struct plot_series series[PLOT_SERIES];
	/* or a heat map: value [rows][cols], NAN: empty; names may be NULL */
	size_t rows, cols;
	const double *value;
	const char *const *row_name;
};

/* By the ending of path: .png, .svg, .pdf; .gp: no picture, but what draws one, with its .tsv.
 * Existing files are replaced.  NAME.gp and NAME.tsv are there also where gnuplot is not, or fails.
 */
BD_MUST_USE enum st plot_write(
	const struct plot *p, const char *path, const struct sink *s, struct err *e);
/* As sixels, w x h pixels, for a terminal that shows them; xfree. */
BD_MUST_USE enum st plot_sixel(const struct plot *p, int w, int h, char **out, size_t *n,
	const struct sink *s, struct err *e);
bool plot_possible(void); /* is there a gnuplot? */

#endif
