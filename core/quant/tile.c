/* tile.c - groups quantized sixteen rows at a time. */
#include "core/quant/tile.h"

#include "core/base/alloc.h"

static size_t widest(const struct qcodes *q)
{
	return q->cols < q->format.group ? q->cols : q->format.group;
}

enum st tile_rooms(float **room, const struct qcodes *q, struct err *e)
{
	size_t tiles = (q->rows + TILE - 1) / TILE;

	*room = NULL;
	if (widest(q) <= TILE_MOST)
		return ST_OK;
	*room = big_array(tiles * TILE, widest(q) * sizeof **room, "groups of a linear", e);
	return *room ? ST_OK : ST_NOMEM;
}

float *tile_room(float *room, const struct qcodes *q, size_t row)
{
	return room ? room + row * widest(q) : pool_scratch();
}

void tile_codes(const struct leaf *l, struct qcodes *q, const float *w, size_t row, size_t rows)
{
	size_t groups = rows_groups(q);

	for (size_t end = row + rows; row < end; row++, w += q->cols) {
		struct grid g = { q->scale + row * groups, q->offset + row * groups,
			q->format.group, (1 << q->format.bits) - 1 };

		l->codes(q->code + row * q->cols, w, q->cols, &g);
	}
}
