/* train_chart.h - the curve of a loss: what is in view, on which axes, and how it is drawn.
 *
 * Pure but for the range, which is remembered so that the axis does not jitter.  UI thread.
 */
#ifndef BD_APP_PANEL_TRAIN_CHART_H
#define BD_APP_PANEL_TRAIN_CHART_H

#include "app/panel/common.h"
#include "app/tui/canvas.h"
#include "core/work/snap_train.h"

struct chart_view {
	bool log, by_time, ascii;
	double smooth;       /* of the mean, 0: not drawn */
	double window, end;  /* in steps or seconds; window 0: all of it; end 0: at its newest */
	double x0, x1;       /* in view */
	double lo, hi;       /* losses in view; hi <= lo: none yet */
	double asked_window; /* that lo and hi are of, and whether of seconds */
	bool asked_time;
	bool front;  /* of a dial: KL over bits alone, not over steps */
	bool reads;  /* there is a value cursor ... */
	uint64_t at; /* ... on this step; UINT64_MAX: on the newest */
};
enum { CHART_LABEL = 7 /* columns of the axis with its numbers */ };

/* What is in view, from what has come since. */
void chart_fit(struct chart_view *v, const struct snap_train *t);
/* The newest x there is. */
double chart_newest(const struct chart_view *v, const struct snap_train *t);
/* false: there is no room, or nothing to draw; nothing was drawn. */
bool chart_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c);
/* Where a bucket of a history ends. */
double chart_x(const struct chart_view *v, const struct train_history *h, size_t bucket);

/* What the curves of a dial are drawn with, too. */
struct chart_plot {
	const struct chart_view *v;
	int w, h; /* cells of the curves, which begin at CHART_LABEL, 0 */
	bool log;
};
int chart_row(const struct chart_plot *p, double y);    /* of dots, from the top; on the edge */
int chart_column(const struct chart_plot *p, double x); /* of dots; -1: not in view */
void chart_y_axis(struct canvas *c, const struct chart_plot *p);
void chart_x_axis(struct canvas *c, const struct chart_plot *p);
/* From one dot to the next, without the first; every: of the columns, for a line that is dotted. */
void chart_line(struct dots *d, int x0, int y0, int x1, int y1, int thick, int every);
/* The column of cells that the value cursor is in; -1: none. */
int chart_read_column(const struct chart_plot *p, const struct snap_train *t);
double chart_look_x(const struct chart_view *v, const struct train_look *l);

/* train_dial.c: a run that trains all formats of a dial.  KL at its budgets over steps, and over
 * bits a weight before and now; beside each other where there is room.  false: as chart_draw. */
bool chart_dial_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c);
/* Why nothing is drawn: a sentence. */
const char *chart_dial_nothing(const struct snap_train *t);
/* What a look says of a budget: NAN where it was not measured, and of what
 * has no logarithm. */
double chart_dial_kl(const struct snap_train *t, const struct train_look *l, size_t point);
const char *chart_dial_mark(size_t point);
/* As wide as a panel with one curve would be for what is drawn over steps; 0: nothing is. */
int chart_dial_width(const struct chart_view *v, int w);
/* The look that is read, or the newest one, as a line of text; NULL: there is none.  xfree. */
char *chart_dial_copy(const struct chart_view *v, const struct snap_train *t);

/* train_cursor.c: the value cursor; all but a click want a step to be there. */
size_t chart_read_bucket(const struct chart_view *v, const struct snap_train *t);
uint64_t chart_read_step(const struct chart_view *v, const struct snap_train *t); /* its last */
/* The words of `move` that move it, and the view as far as it must; false: another word. */
bool chart_read_move(struct chart_view *v, const struct snap_train *t, const char *where);
void chart_read_centre(struct chart_view *v, const struct snap_train *t); /* in the view */
/* To cell x of a panel w wide; false: beside the curves. */
bool chart_read_click(struct chart_view *v, const struct snap_train *t, int x, int w);
/* The last look up to the last of its steps; NULL: there was none. */
const struct train_look *chart_read_look(const struct chart_view *v, const struct snap_train *t);
/* On one line what it reads. */
void chart_read_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c);

#endif
