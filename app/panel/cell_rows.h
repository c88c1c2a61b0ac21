/* cell_rows.h - which formats of a linear the Cell panel has room for, and in what order.
 *
 * Pure; any thread.
 */
#ifndef BD_APP_PANEL_CELL_ROWS_H
#define BD_APP_PANEL_CELL_ROWS_H

#include "core/work/snap.h"

/* The formats that a linear can have (narrow ones have no mixes), those shown in the dial's
 * order. */
struct cell_rows {
	size_t n, of; /* shown; all */
	uint8_t k[FORMAT_MAX];
	bool mixes; /* their names are longer */
};

/* At most room rows: the chosen format (m->k: none), those that are no mix, then the mixes nearest
 * to the chosen one.  room 0: all, with n the fewest that say enough. */
struct cell_rows cell_rows_of(const struct snap_model *m, size_t at, size_t chosen, size_t room);

/* Formats with a share of half a percent at least, and the chosen one: the likeliest, the chosen,
 * the others by share.  How many; prob is [k]. */
size_t cell_odds_order(const float *prob, size_t k, size_t chosen, uint8_t order[FORMAT_MAX]);

#endif
