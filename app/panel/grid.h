/* grid.h - where the cells of a map stand on a canvas: which are seen, how wide they are.
 *
 * Pure; UI thread.
 */
#ifndef BD_APP_PANEL_GRID_H
#define BD_APP_PANEL_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "app/panel/map.h"
#include "app/tui/canvas.h"

struct grid {
	/* given */
	size_t blocks, bin; /* blocks of the model; how many make one cell */
	bool turned;        /* rows are blocks */
	size_t kind[MAP_KINDS], kinds;
	size_t at_x, at_y; /* the cursor's cell: of blocks, of kinds */
	/* found */
	int x0, y0;              /* first cell */
	int step;                /* columns of one cell */
	size_t cols, rows;       /* cells along x and y; at_x and at_y are among them now */
	size_t first_x, first_y; /* scrolled so that the cursor is inside */
	size_t show_x, show_y;   /* how many are seen */
	int legend_y, legend;    /* its first line, and lines: 0 to 2 */
};

void grid_lay_out(struct grid *g, int w, int h);
/* Which cell x, y of the canvas is in; false: none. */
bool grid_hit(const struct grid *g, int x, int y, size_t *col, size_t *row);
/* Names of the kinds, numbers of the blocks, the crosshair. */
void grid_draw_labels(const struct grid *g, struct canvas *c);

#endif
