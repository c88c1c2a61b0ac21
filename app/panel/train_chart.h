/* train_chart.h - the curve of a loss: what is in view, on which axes, and how it is drawn.
 *
 * Pure but for the range, which is remembered so that the axis does not jitter.  UI thread.
 */
#ifndef BD_APP_PANEL_TRAIN_CHART_H
#define BD_APP_PANEL_TRAIN_CHART_H

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

/* train_cursor.c: the value cursor; all but a click want a step to be there. */
size_t chart_read_bucket(const struct chart_view *v, const struct snap_train *t);
uint64_t chart_read_step(const struct chart_view *v, const struct snap_train *t); /* its last */
/* The words of `move` that move it, and the view as far as it must; false: another word. */
bool chart_read_move(struct chart_view *v, const struct snap_train *t, const char *where);
void chart_read_centre(struct chart_view *v, const struct snap_train *t); /* in the view */
/* To cell x of a panel w wide; false: beside the curves. */
bool chart_read_click(struct chart_view *v, const struct snap_train *t, int x, int w);
/* On one line what it reads. */
void chart_read_draw(const struct chart_view *v, const struct snap_train *t, struct canvas *c);

#endif
