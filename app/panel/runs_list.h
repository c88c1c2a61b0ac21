/* runs_list.h - what the Runs panel knows, for its two files: runs.c (events, keys) and
 * runs_draw.c.
 *
 * UI thread.
 */
#ifndef BD_APP_PANEL_RUNS_LIST_H
#define BD_APP_PANEL_RUNS_LIST_H

#include "app/tui/canvas.h"
#include "core/work/runs_io.h"

enum { RUNS_MARKS = 2, RUNS_ID = 128, RUNS_FILTER = 256 };
enum runs_view { RUNS_FACTS, RUNS_DIFF, RUNS_PARENTS };

struct runs_list {
	const struct snap_runs *snap; /* NULL: not heard yet */
	size_t *order, n;             /* those shown, as indices of snap->all */
	size_t at;                    /* of order: the row under the cursor */
	char at_id[RUNS_ID];
	char mark[RUNS_MARKS][RUNS_ID]; /* "": none; A is the older one */
	char filter[RUNS_FILTER];
	char bad[320]; /* why the filter as typed is not used; "": it is */
	char sort[16]; /* "began", "-kl" */
	char note[320];
	enum runs_view view; /* below the table */
};

const struct run_entry *runs_list_at(const struct runs_list *p, size_t row); /* NULL: none */
/* The marked one, NULL: there is none, or no longer. */
const struct run_entry *runs_list_marked(const struct runs_list *p, int which);
/* now: seconds since 1970, for how long ago something was. */
void runs_list_draw(const struct runs_list *p, struct canvas *c, int64_t now);
/* The row of the table that is drawn at line y of h; -1: none. */
long runs_list_row(const struct runs_list *p, int h, int y);

#endif
