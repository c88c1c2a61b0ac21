/* grid.c - the layout of the map, for drawing and for the mouse alike. */
#include "app/panel/grid.h"

#include <stdio.h>

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

/* ---- labels */

static void draw_columns(struct canvas *c, const struct grid *g)
{
	char label[24];

	for (size_t i = 0; i < g->show_x; i++) {
		size_t x = g->first_x + i;
		int at = g->x0 + (int)i * g->step;

		if (g->turned)
			canvas_text(c, at, 0, x == g->at_x ? ROLE_ACCENT : ROLE_DIM,
				map_kind[g->kind[x]]);
		else if (x == g->at_x)
			canvas_text(c, at, 0, ROLE_ACCENT, "▾");
		else if (x % 4 == 0 && (x > g->at_x || x + 3 < g->at_x)) {
			snprintf(label, sizeof label, "%zu", x * g->bin);
			canvas_text(c, at, 0, ROLE_DIM, label);
		}
	}
}

static void draw_rows(struct canvas *c, const struct grid *g)
{
	char label[24];

	for (size_t i = 0; i < g->show_y; i++) {
		size_t y = g->first_y + i;
		int at = g->y0 + (int)i;
		bool here = y == g->at_y;

		if (g->turned)
			snprintf(label, sizeof label, "%zu", y * g->bin);
		else
			snprintf(label, sizeof label, "%s", map_kind[g->kind[y]]);
		if (here && g->x0 > 8)
			canvas_text(c, 1, at, ROLE_ACCENT, "▸");
		canvas_right(c, g->x0 - 1, at, here ? ROLE_ACCENT : ROLE_TEXT, label);
	}
}

void grid_draw_labels(const struct grid *g, struct canvas *c)
{
	draw_columns(c, g);
	draw_rows(c, g);
}
