/* tile.h - groups quantized sixteen rows at a time.
 *
 * Private to core/quant.  Engine thread.
 */
#ifndef BD_QUANT_TILE_H
#define BD_QUANT_TILE_H

#include "core/quant/leaf.h"
#include "kernels/pool.h"

/* Groups up to so many inputs have room in the pool's scratch, in its first half. */
enum { TILE_MOST = POOL_SCRATCH / 2 / sizeof(float) / TILE };

/* Room for the tiles of wider ones in q, one for each sixteen rows (big_free); *room NULL: there
 * are none. */
BD_MUST_USE enum st tile_rooms(float **room, const struct qcodes *q, struct err *e);
/* Where the tile from `row` on goes. */
float *tile_room(float *room, const struct qcodes *q, size_t row);

/* Nearest codes of so many rows under the statistics in q; w: the first of them.  Any thread. */
void tile_codes(const struct leaf *l, struct qcodes *q, const float *w, size_t row, size_t rows);

#endif
