/* figure.h - what a panel or a script shows, as numbers: drawn by plot.h, written as a table.
 *
 * A figure owns all that is in it.  `plot` is what is drawn; the table (columns of numbers and
 * words) is what `export` writes as csv, tsv or json; a figure without a table of its own is
 * written as the points of its curves.  Builders take snapshots and copy.  NULL: there is nothing
 * to show yet.  One thread at a time.
 */
#ifndef BD_WORK_FIGURE_H
#define BD_WORK_FIGURE_H

#include "core/base/arena.h"
#include "core/base/sink.h"
#include "core/work/plot.h"
#include "core/work/snap.h"

enum { FIGURE_COLUMNS = 16 };

struct figure_value {
	const char *text; /* NULL: the number, which may be NAN */
	double number;
};

struct figure {
	struct arena memory;
	const char *name; /* of its files: "front" */
	struct plot plot;
	size_t cols, rows, cap;
	const char *col[FIGURE_COLUMNS];
	struct figure_value *value; /* [rows][cols] */
};

struct figure *figure_new(const char *name, const char *title, const char *x, const char *y);
void figure_free(struct figure *f);                       /* NULL is fine */
const char *figure_text(struct figure *f, const char *s); /* a copy that lives as long */
/* One curve more with room for n points, to be filled; NULL: there are PLOT_SERIES. */
struct plot_series *figure_series(struct figure *f, const char *label, size_t n, bool error);
/* Its points: the arrays of a series are the figure's own. */
void figure_point(struct plot_series *s, size_t i, double x, double y, double error);
double *figure_map_cells(struct figure *f, size_t rows, size_t cols); /* all NAN */
/* The table's columns, once; then row by row, cols values each. */
void figure_columns(struct figure *f, size_t n, const char *const *name);
void figure_row(struct figure *f, const struct figure_value *v);

/* ---- of the model (figure_model.c) */

/* The predicted curve, what was measured, the dial and the mark. */
struct figure *figure_front(
	const struct snap_model *m, const struct snap_front *f, const struct snap_answer *a);
/* Kinds by blocks; view: "damage" (format: which; NULL: the smallest), "bits", "change". */
struct figure *figure_map(const struct snap_model *m, const struct snap_map *map,
	const struct snap_answer *a, const char *view, const char *format, struct err *e);

/* ---- of runs (figure_series.c): lines of numbers, "step  wall_s  value" */

/* Each word is a run or a .tsv file: the first column is x, the last is y.  Of a run metrics/METRIC.tsv
 * or, where there is none, the column of that name in all of metrics/; metric NULL: its loss.tsv,
 * else of all files what is called loss or nll in their first line, else their last column. */
BD_MUST_USE enum st figure_runs(struct figure **out, const char *const *word, size_t n,
	const char *metric, const struct sink *s, struct err *e);

/* ---- files (figure_write.c) */

/* The table, by the ending of path: .csv (RFC 4180), .tsv, .json (an array of objects); .gp: what
 * draws it, with a .tsv beside.  An existing file is replaced. */
BD_MUST_USE enum st figure_write(const struct figure *f, const char *path, struct err *e);
bool figure_writes(const char *path); /* is it one of these endings? */
/* DIR/NAME.png, or DIR/NAME-2.png ... so that neither it nor the .gp and the .tsv beside it is
 * there already; xfree.  ending: ".png". */
char *figure_free_name(const char *dir, const char *name, const char *ending);
char *figure_dir(void); /* plots/ of the folder of runs; xfree */

#endif
