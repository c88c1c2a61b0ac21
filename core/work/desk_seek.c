/* desk_seek.c - the desk as it was at a place of its journals. */
#include "core/work/desk_private.h"

struct desk_place desk_place(const struct desk *d)
{
	struct desk_place at;

	cache_length(d->cache, &at.cells, &at.points);
	return at;
}

/* What is known anew, from the journals as they are now to be seen. */
static void read_again(struct desk *d)
{
	desk_blank_cells(d);
	desk_apply_cells(d);
	d->points_known = false;
	desk_points_load(d);
	desk_tell(d, DESK_CELLS);
	desk_tell(d, DESK_POINTS);
}

void desk_here(struct desk *d)
{
	cache_at(d->cache, SIZE_MAX, SIZE_MAX);
	read_again(d);
}

enum st desk_seek(
	struct desk *d, struct desk_place at, bool measure, const struct sink *s, struct err *e)
{
	struct desk_place have;
	bool is_short;
	enum st st = desk_identify(d, s, e);

	if (!st && (measure || !d->text_hash[0])) /* which cells are of this text? */
		st = desk_scan_text(d, s, e);
	if (st)
		return st;
	cache_at(d->cache, SIZE_MAX, SIZE_MAX);
	have = desk_place(d);
	is_short = have.cells < at.cells || have.points < at.points;
	if (is_short && !measure)
		return err_set(e, ST_INVALID,
			"the journal of this model has %zu of the %zu cells and %zu of the %zu "
			"measured layouts that this act was made on: --fresh measures them anew",
			have.cells, at.cells, have.points, at.points);
	if (is_short) {
		read_again(d); /* all of it: the stages go on from there */
		st = desk_prepare(d, STAGE_MORE, s, e);
	}
	if (st)
		return st;
	cache_at(d->cache, at.cells, at.points);
	read_again(d);
	return ST_OK;
}
