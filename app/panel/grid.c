/* grid.c - the layout of the map, for drawing and for the mouse alike. */
#include "app/panel/grid.h"

#include "app/panel/common.h"

/* Columns of a cell when rows are blocks: as wide as the longest name of a kind. */
enum { TURNED_STEP = 5, MANY = 1000 };

static void place_x(struct grid *g, int w)
{
	size_t room;

	g->x0 = w < 30 ? 6 : 12;
	g->step = g->turned ? TURNED_STEP : g->cols < MANY && g->x0 + 2 * (int)g->cols <= w ? 2 : 1;
	room = w > g->x0 ? (size_t)((w - g->x0 + g->step - 1) / g->step) : 0;
	g->show_x = g->cols < room ? g->cols : room;
	g->first_x = panel_scrolled(g->cols, room, g->at_x);
}

/* The thresholds are always there, the rest of the legend when there is room. */
static void place_y(struct grid *g, int h)
{
	int left;
	size_t room;

	g->y0 = 1;
	left = h - g->y0 - (int)(g->rows < MANY ? g->rows : MANY);
	g->legend = h < 6 ? 0 : left >= 2 ? 2 : 1;
	room = h > g->y0 + g->legend ? (size_t)(h - g->y0 - g->legend) : 0;
	g->show_y = g->rows < room ? g->rows : room;
	g->first_y = panel_scrolled(g->rows, room, g->at_y);
	g->legend_y = g->y0 + (int)g->show_y + (left >= 3);
}

void grid_lay_out(struct grid *g, int w, int h)
{
	size_t columns = (g->blocks + g->bin - 1) / g->bin, swap;

	g->cols = g->turned ? g->kinds : columns;
	g->rows = g->turned ? columns : g->kinds;
	if (g->turned) {
		swap = g->at_x;
		g->at_x = g->at_y;
		g->at_y = swap;
	}
	place_x(g, w);
	place_y(g, h);
}

bool grid_hit(const struct grid *g, int x, int y, size_t *col, size_t *row)
{
	if (x < g->x0 || y < g->y0)
		return false;
	*col = (size_t)(x - g->x0) / (size_t)g->step;
	*row = (size_t)(y - g->y0);
	if (*col >= g->show_x || *row >= g->show_y)
		return false;
	*col += g->first_x;
	*row += g->first_y;
	return true;
}
