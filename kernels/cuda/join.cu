/* join.cu - which launches go as one; see join.h. */
#include "kernels/cuda/join.h"

bool ranges_apart(struct range a, struct range b)
{
	uintptr_t p = (uintptr_t)a.at, q = (uintptr_t)b.at;

	return p < q ? q - p >= a.bytes : p > q ? p - q >= b.bytes : !a.bytes || !b.bytes;
}

static bool written_apart(const struct touched *a, const struct touched *b)
{
	for (int i = 0; i < 2; i++)
		if (!ranges_apart(a->written[i], b->read) ||
			!ranges_apart(a->written[i], b->written[0]) ||
			!ranges_apart(a->written[i], b->written[1]))
			return false;
	return true;
}

bool touched_apart(const struct touched *a, const struct touched *b)
{
	return written_apart(a, b) && written_apart(b, a);
}

bool join(struct put *first, const struct put *second)
{
	static bool (*const pairs[])(struct put *, const struct put *) = { norm_joins, ropes_join,
		copies_join, rounds_join };

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (pairs[i](first, second))
			return true;
	return false;
}
